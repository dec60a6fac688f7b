/* SPDX-License-Identifier: MIT */
/*
 * log.c - the kernel's log goes to standard error.
 */
#include <stdio.h>

#include <tessera/print.h>

void
log_print(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}
