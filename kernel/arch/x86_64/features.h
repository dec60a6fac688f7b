/* SPDX-License-Identifier: MIT */
/*
 * features.h - what this machine's CPUs offer and the kernel uses.
 *
 * Detected once on the boot CPU, less what a kernel argument turns off: nosmep, nosmap, noumip,
 * nofsgsbase, noxsave, nopcid, noinvpcid, nopku, nox2apic, notscdeadline, nogbpages, nordrand.
 * The other CPUs are taken to offer the same.
 */
#ifndef ARCH_X86_64_FEATURES_H
#define ARCH_X86_64_FEATURES_H

#include <tessera/types.h>

struct cpu_features {
	bool smep, smap, umip, fsgsbase;
	bool xsave, xsaveopt, xsavec, xsaves;
	bool avx, avx512;
	bool pcid, invpcid;
	bool pku;
	bool x2apic, tsc_deadline, tsc_invariant;
	bool huge_1g;
	bool rdrand, rdseed;
	bool rdtscp, rdpid;
	bool erms, fsrm;
	bool mwait;
	bool pat;
	bool hypervisor, tcg;          /* under one; under QEMU's translator */
	uint8_t physical_bits, linear_bits;
	uint32_t family, model, stepping;
	uint32_t max_leaf, max_extended_leaf;
	uint32_t clflush_size;
	char vendor[13];
	char brand[49];
	char hypervisor_name[13];
};

extern struct cpu_features cpu_features; /* [I] after features_detect() */

/* Boot CPU, once: fill cpu_features from CPUID and the kernel's arguments. */
void features_detect(void);
/*
 * This CPU: set CR0, CR4, EFER, the page attribute table and XCR0's enable bit in CR4 from
 * cpu_features. CR3's low twelve bits must be 0 (PCIDE is set here).
 */
void features_init_cpu(void);

#endif
