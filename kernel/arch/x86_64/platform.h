/* SPDX-License-Identifier: MIT */
/*
 * platform.h - private to arch and boot/: consoles, clocks, power, the memory map.
 */
#ifndef ARCH_X86_64_PLATFORM_H
#define ARCH_X86_64_PLATFORM_H

#include <tessera/types.h>

struct boot_framebuffer;
struct cpu;

/* --- memory below 1 MiB where CPUs wake (smp_start.c): code, then three page tables ---------- */

#define TRAMPOLINE_SIZE (4 * PAGE_SIZE)

struct boot_trampoline {
	paddr_t start; /* 0: there was no room, so there will be one CPU */
};

extern struct boot_trampoline boot_trampoline; /* [I] set by boot_info_normalise() */

/* --- consoles ------------------------------------------------------------------------------- */

void console_init_early(void);  /* COM1 at 115200 8N1 */
void serial_write(const char *s, size_t n);
void serial_flush(void);        /* wait, within limits, until the line is idle */
/* Remember the framebuffer; text is kept until framebuffer_map() shows it. */
void framebuffer_init(const struct boot_framebuffer *f);
void framebuffer_map(void);     /* needs arch_init_memory() and kernel regions */
void framebuffer_write(const char *s, size_t n);

/* --- memory ---------------------------------------------------------------------------------- */

/* Make the pages of __ro_after_init read-only, for good, on every CPU. */
void memory_map_seal(void);
void power_init(void);          /* after acpi_init() */

/* --- clocks ---------------------------------------------------------------------------------- */

/* How time-stamp counts become nanoseconds: ns = base_ns + ((tsc - base_tsc) * multiplier >> 32). */
struct clock_scale {
	uint64_t base_tsc, base_ns;
	uint64_t multiplier; /* nanoseconds per count, 32.32 fixed point */
};

void clock_init(void);             /* after acpi_init() */
/* The present scale; false when the clock is not the time-stamp counter (no clock in the vDSO). */
bool clock_scale_get(struct clock_scale *s);
/* Long enough after clock_init(), measure the counter again over that longer time. Cheap. */
void clock_refine(void);
/* This CPU's counter was seen to disagree with another's: use a different clock from now on. */
void clock_tsc_unreliable(const char *why);
uint64_t clock_tsc_hz(void);
/* The longest a CPU may sleep without reading the clock, 0: for ever (counters that wrap). */
uint64_t clock_max_sleep_ns(void);
void clock_spin_ns(uint64_t ns);
uint64_t cmos_read_ns(void);       /* seconds since 1970, in nanoseconds */

#endif
