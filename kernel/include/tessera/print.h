/* SPDX-License-Identifier: MIT */
/*
 * print.h - the kernel's log and string formatting.
 *
 * The log is a ring in memory (dmesg); lines at or above the console's level also go to the
 * console. Safe in every context. Formats: C's, plus %pS-like needs are served by symbol_format().
 */
#ifndef TESSERA_PRINT_H
#define TESSERA_PRINT_H

#include <tessera/types.h>

struct wait_queue;

enum log_level { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* A record for the log and, at its level, the console. Any context; cut at the length of a line. */
void log_print(enum log_level level, const char *format, ...) __printf(2, 3);
#define pr_err(...)    log_print(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)   log_print(LOG_WARNING, __VA_ARGS__)
#define pr_notice(...) log_print(LOG_NOTICE, __VA_ARGS__)
#define pr_info(...)   log_print(LOG_INFO, __VA_ARGS__)
#define pr_debug(...)  log_print(LOG_DEBUG, __VA_ARGS__)

void log_set_console_level(enum log_level level);
/* kernel.dmesg_restrict: the log tells addresses and more, so only who may manage it reads it. */
extern bool log_restricted; /* [a] */
bool log_readable(void);    /* by the caller */
/* Copy out of the ring, for syslog(2) and /dev/kmsg: records from sequence *seq on. Returns bytes. */
size_t log_read(uint64_t *seq, char *out, size_t size);
size_t log_read_one(uint64_t *seq, char *out, size_t size);
/* One record in the form of /dev/kmsg. 0: none from *seq on, or *truncated: `size` does not hold it. -EPIPE:
 * that one was overwritten; *seq is the oldest now. */
ssize_t log_read_record(uint64_t *seq, char *out, size_t size, bool *truncated);
uint64_t log_first_sequence(void);
uint64_t log_next_sequence(void);
/* "Cleared" (dmesg -C) hides records from who asks for what is new since; nothing is lost. */
void log_clear(uint64_t seq);
uint64_t log_cleared_sequence(void);
enum log_level log_console_level(void);
/* Sleep until there is a record number `seq`. 0 or -EINTR. */
int log_wait(uint64_t seq);
/* For poll: who watches log_readers counts in log_waiters while it does. */
extern struct wait_queue log_readers;
extern uint32_t log_waiters; /* [a] */
/* arch: in the interrupt that a CPU sends itself. */
void log_wake_readers(void);

/* As the C library's; no floating point. */
int snprintf(char *out, size_t size, const char *format, ...) __printf(3, 4);
int vsnprintf(char *out, size_t size, const char *format, va_list args) __printf(3, 0);
/* Like snprintf, but returns what was written, never more than size - 1. */
int scnprintf(char *out, size_t size, const char *format, ...) __printf(3, 4);

#endif
