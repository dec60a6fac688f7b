/* SPDX-License-Identifier: MIT */
/*
 * log.h - what a driver says: lines on standard error, which the device manager keeps.
 */
#ifndef DRIVER_LOG_H
#define DRIVER_LOG_H

#include <stdbool.h>

/* Name the driver and what it drives, for the beginning of each line. Both texts stay the caller's. */
void log_open(const char *driver, const char *device, bool verbose);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only with --verbose. */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
