/* SPDX-License-Identifier: MIT */
/*
 * vdso.c - clocks and the CPU number without entering the kernel. Runs in user mode.
 *
 * Mapped into every program, its data page right behind its text (vdso.ld); names and symbol version
 * are those that C libraries look for in Linux's. What cannot be answered from the data page becomes the
 * system call.
 */
#include "vdso_data.h"

struct timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

struct timeval {
	int64_t tv_sec;
	int64_t tv_usec;
};

struct timezone {
	int32_t minutes_west;
	int32_t dst_time;
};

enum clock_id {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_MONOTONIC_RAW = 4,
	CLOCK_REALTIME_COARSE = 5,
	CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
	CLOCK_TAI = 11,
};

#define CALL_gettimeofday  96
#define CALL_time          201
#define CALL_clock_gettime 228
#define CALL_clock_getres  229

#define NSEC_PER_SEC 1000000000ull
#define COARSE_NS    4000000 /* what Linux's tick of 250 Hz gives; ours is finer */

#define CPU_NUMBER_SELECTOR 0x7b

#define EXPORT __attribute__((visibility("default")))

extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));

EXPORT int __vdso_clock_gettime(int clock, struct timespec *out);
EXPORT int __vdso_clock_getres(int clock, struct timespec *out);
EXPORT int __vdso_gettimeofday(struct timeval *out, struct timezone *zone);
EXPORT int64_t __vdso_time(int64_t *out);
EXPORT int __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);

static long
system_call(long number, const void *a, const void *b)
{
	long result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

/* The counter, not read before earlier instructions are done. */
static inline uint64_t
read_counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* Both clocks at one instant. False: only the kernel knows. */
static bool
read_clocks(uint64_t *monotonic, uint64_t *realtime)
{
	const volatile struct vdso_data *d = &vdso_data;

	for (;;) {
		uint32_t before = d->sequence;
		uint64_t counter, base, ns, offset;

		if (before & 1) {
			__asm__ volatile("pause");
			continue;
		}
		__asm__ volatile("" ::: "memory");
		if (d->clock != VDSO_CLOCK_TSC)
			return false;
		counter = read_counter();
		base = d->base_tsc;
		/* Counters of two CPUs may differ by a few counts around the base. */
		counter = (int64_t)(counter - base) > 0 ? counter - base : 0;
		ns = d->base_ns + (uint64_t)((unsigned __int128)counter * d->multiplier >> 32);
		offset = d->realtime_offset_ns;
		__asm__ volatile("" ::: "memory");
		if (d->sequence != before)
			continue;
		*monotonic = ns;
		*realtime = ns + offset;
		return true;
	}
}

int
__vdso_clock_gettime(int clock, struct timespec *out)
{
	uint64_t monotonic, realtime, ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		break;
	default:
		return (int)system_call(CALL_clock_gettime, (void *)(long)clock, out);
	}
	if (!read_clocks(&monotonic, &realtime))
		return (int)system_call(CALL_clock_gettime, (void *)(long)clock, out);
	ns = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE
		     ? realtime : monotonic;
	out->tv_sec = (int64_t)(ns / NSEC_PER_SEC);
	out->tv_nsec = (int64_t)(ns % NSEC_PER_SEC);
	return 0;
}

int
__vdso_clock_getres(int clock, struct timespec *out)
{
	int64_t resolution = 1;

	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		resolution = COARSE_NS;
		break;
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	default:
		return (int)system_call(CALL_clock_getres, (void *)(long)clock, out);
	}
	if (out) {
		out->tv_sec = 0;
		out->tv_nsec = resolution;
	}
	return 0;
}

int
__vdso_gettimeofday(struct timeval *out, struct timezone *zone)
{
	uint64_t monotonic, realtime;

	/* The time zone is the kernel's to tell; hardly anybody asks. */
	if (zone || !read_clocks(&monotonic, &realtime))
		return (int)system_call(CALL_gettimeofday, out, zone);
	if (out) {
		out->tv_sec = (int64_t)(realtime / NSEC_PER_SEC);
		out->tv_usec = (int64_t)(realtime % NSEC_PER_SEC / 1000);
	}
	return 0;
}

int64_t
__vdso_time(int64_t *out)
{
	uint64_t monotonic, realtime;
	int64_t seconds;

	if (!read_clocks(&monotonic, &realtime))
		return system_call(CALL_time, out, NULL);
	seconds = (int64_t)(realtime / NSEC_PER_SEC);
	if (out)
		*out = seconds;
	return seconds;
}

int
__vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	unsigned int limit;

	(void)unused;
	/* The kernel gave a segment that nobody loads the CPU's number as its limit. */
	__asm__ volatile("lsll %1, %0" : "=r"(limit) : "r"(CPU_NUMBER_SELECTOR) : "cc");
	if (cpu)
		*cpu = limit & 0xfff;
	if (node)
		*node = limit >> 12;
	return 0;
}

/* The names without prefix that Linux's has too, for whoever looks them up. */
extern __typeof__(__vdso_clock_gettime) clock_gettime __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
extern __typeof__(__vdso_clock_getres) clock_getres __attribute__((weak, alias("__vdso_clock_getres"), visibility("default")));
extern __typeof__(__vdso_gettimeofday) gettimeofday __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
extern __typeof__(__vdso_time) time __attribute__((weak, alias("__vdso_time"), visibility("default")));
extern __typeof__(__vdso_getcpu) getcpu __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
