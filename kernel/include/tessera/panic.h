/* SPDX-License-Identifier: MIT */
/*
 * panic.h - giving up with a report: which rule was broken, by whom, how we got there.
 */
#ifndef TESSERA_PANIC_H
#define TESSERA_PANIC_H

#include <tessera/types.h>

struct trap_frame;

/* Stop the other CPUs, print the reason, registers and a symbolised backtrace, then do what the
 * argument panic=halt|reboot|exit says. Any context. */
void __noreturn panic(const char *format, ...) __printf(1, 2);
void __noreturn panic_with_frame(const struct trap_frame *f, const char *format, ...) __printf(2, 3);

#define assert(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__,     \
			      #cond);                                                              \
	} while (0)

/* Log once per site, with a backtrace, that something impossible but survivable happened. */
#define warn_once(...)                                                                             \
	do {                                                                                       \
		static bool warned_;                                                               \
		if (!warned_) {                                                                    \
			warned_ = true;                                                            \
			warn_backtrace(__VA_ARGS__);                                               \
		}                                                                                  \
	} while (0)
void warn_backtrace(const char *format, ...) __printf(1, 2);

/* Write "name+0xoff" of the kernel function that holds `pc`. Returns `out`. */
const char *symbol_format(vaddr_t pc, char *out, size_t size);

#endif
