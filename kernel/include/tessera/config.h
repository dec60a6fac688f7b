/* SPDX-License-Identifier: MIT */
/*
 * config.h - build-time choices, as constants tested with a plain `if`, so that both sides compile.
 */
#ifndef TESSERA_CONFIG_H
#define TESSERA_CONFIG_H

#include <tessera/types.h>

/* The variant that the makefile builds (make BUILD=...). */
enum build { BUILD_release, BUILD_debug, BUILD_kasan, BUILD_ubsan, BUILD_kcsan, BUILD_kcov };
#ifndef TESSERA_BUILD
#define TESSERA_BUILD BUILD_debug /* what includes a header outside the makefile's kernel: host tests */
#endif

/* The address sanitiser: debug/sanitizers/kasan.c. The fuzzer's kernel has it too. */
enum { config_kasan = TESSERA_BUILD == BUILD_kasan || TESSERA_BUILD == BUILD_kcov };

/* Check every lock's class order and owner at run time; print both stacks when it is broken. */
static const bool config_lock_check = TESSERA_BUILD != BUILD_release;
/* Fill freed frames and slab objects with a pattern and check it when they are handed out again. */
static const bool config_poison = TESSERA_BUILD == BUILD_debug;
/* Accesses to memory are watched for data races (kcsan.h). */
static const bool config_kcsan = TESSERA_BUILD == BUILD_kcsan;
/* Lists whose neighbours disagree, references to what is gone, waiters left behind; stack depths. The ubsan kernel runs
 * all topics of tests/abi so. */
static const bool config_misuse_check = TESSERA_BUILD == BUILD_debug || TESSERA_BUILD == BUILD_ubsan;
/* Red zones around slab objects, and behind each a note of who allocated and who freed it. */
static const bool config_object_notes = TESSERA_BUILD == BUILD_debug || config_kasan;
/* Calls record which code they ran: /dev/kcov. */
static const bool config_kcov = TESSERA_BUILD == BUILD_kcov;

/* Allocations that fail on demand (fault_inject.h), random preemption (preempt=random). */
enum {
	config_fault_injection = TESSERA_BUILD == BUILD_debug || TESSERA_BUILD == BUILD_kasan ||
				 TESSERA_BUILD == BUILD_kcov,
	config_preempt_random = TESSERA_BUILD != BUILD_release,
};
/* Watch for long times without interrupts or preemption from boot on; else /proc/tessera/latency does. */
static const bool config_latency = TESSERA_BUILD == BUILD_debug;

/* KASAN puts room around the arrays of each function. */
#define KERNEL_STACK_SIZE (config_kasan ? 32 * 1024 : 16 * 1024)

#endif
