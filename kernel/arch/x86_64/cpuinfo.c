/* SPDX-License-Identifier: MIT */
/*
 * cpuinfo.c - one CPU's paragraph of /proc/cpuinfo, with the names Linux gives to CPUID's bits.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>

#include "features.h"
#include "msr.h"
#include "platform.h"

/* Which word of CPUID a table describes. */
enum word { W_1_EDX, W_EXT_EDX, W_1_ECX, W_EXT_ECX, W_7_EBX, W_7_ECX, W_7_EDX, W_D1_EAX, WORDS };

/* NULL: no name in /proc/cpuinfo. */
static const char *const names[WORDS][32] = {
	[W_1_EDX] = { "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep",
		      "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL, "dts", "acpi",
		      "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" },
	[W_EXT_EDX] = { [11] = "syscall", [19] = "mp", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt",
			[26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext",
			[31] = "3dnow" },
	[W_1_ECX] = { "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2",
		      "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca",
		      "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
		      "xsave", NULL, "avx", "f16c", "rdrand", "hypervisor" },
	[W_EXT_ECX] = { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a",
			"misalignsse", "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL,
			"lwp", "fma4", "tce", NULL, "nodeid_msr", NULL, "tbm", "topoext" },
	[W_7_EBX] = { "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep", "bmi2",
		      "erms", "invpcid", "rtm", "cqm", NULL, "mpx", "rdt_a", "avx512f", "avx512dq",
		      "rdseed", "adx", "smap", "avx512ifma", NULL, "clflushopt", "clwb", "intel_pt",
		      "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl" },
	[W_7_ECX] = { [1] = "avx512vbmi", [2] = "umip", [3] = "pku", [4] = "ospke", [5] = "waitpkg",
		      [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes", [10] = "vpclmulqdq",
		      [11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq",
		      [16] = "la57", [22] = "rdpid", [25] = "cldemote", [27] = "movdiri",
		      [28] = "movdir64b" },
	[W_7_EDX] = { [4] = "fsrm", [8] = "avx512_vp2intersect", [14] = "serialize" },
	[W_D1_EAX] = { "xsaveopt", "xsavec", "xgetbv1", "xsaves" },
};

static uint32_t
read_word(enum word w)
{
	const struct cpu_features *f = &cpu_features;

	switch (w) {
	case W_1_EDX:
		return cpuid_read(1, 0).edx;
	case W_1_ECX:
		return cpuid_read(1, 0).ecx;
	case W_EXT_EDX:
		return f->max_extended_leaf >= 0x80000001 ? cpuid_read(0x80000001, 0).edx : 0;
	case W_EXT_ECX:
		return f->max_extended_leaf >= 0x80000001 ? cpuid_read(0x80000001, 0).ecx : 0;
	case W_7_EBX:
		return f->max_leaf >= 7 ? cpuid_read(7, 0).ebx : 0;
	case W_7_ECX:
		return f->max_leaf >= 7 ? cpuid_read(7, 0).ecx : 0;
	case W_7_EDX:
		return f->max_leaf >= 7 ? cpuid_read(7, 0).edx : 0;
	case W_D1_EAX:
		return f->max_leaf >= 0xd && f->xsave ? cpuid_read(0xd, 1).eax : 0;
	default:
		return 0;
	}
}

/* What the kernel was told not to use, programs are not told of. */
static bool
turned_off(enum word w, uint32_t bit)
{
	const struct cpu_features *f = &cpu_features;
	const struct {
		enum word word;
		uint32_t bit;
		bool used;
	} switches[] = {
		{ W_1_ECX, 17, f->pcid }, { W_1_ECX, 21, f->x2apic }, { W_1_ECX, 24, f->tsc_deadline },
		{ W_1_ECX, 26, f->xsave }, { W_1_ECX, 28, f->avx }, { W_1_ECX, 30, f->rdrand },
		{ W_EXT_EDX, 26, f->huge_1g }, { W_7_EBX, 0, f->fsgsbase }, { W_7_EBX, 7, f->smep },
		{ W_7_EBX, 10, f->invpcid }, { W_7_EBX, 16, f->avx512 }, { W_7_EBX, 18, f->rdseed },
		{ W_7_EBX, 20, f->smap }, { W_7_ECX, 2, f->umip }, { W_7_ECX, 3, f->pku },
		{ W_7_ECX, 4, f->pku },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i].word == w && switches[i].bit == bit)
			return !switches[i].used;
	return false;
}

/* How many cores a package has: threads of one core have its number. */
static uint32_t
cores_of(uint32_t package)
{
	uint32_t cores = 0;

	for (uint32_t i = 0; i < cpu_count; i++) {
		struct cpu_place place = arch_cpu_place(i), other;
		bool first = place.package == package;

		for (uint32_t j = 0; j < i && first; j++) {
			other = arch_cpu_place(j);
			first = other.package != package || other.core != place.core;
		}
		cores += first;
	}
	return cores;
}

void
arch_cpuinfo_print(uint32_t cpu_id, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	const struct cpu_features *f = &cpu_features;
	const struct cpu *c = cpu_id < MAX_CPUS ? cpus[cpu_id] : NULL;
	struct cpu_place place;
	uint32_t siblings = 0;
	uint64_t khz = clock_tsc_hz() / 1000;
	const char *brand = f->brand;

	if (!c)
		return;
	place = arch_cpu_place(cpu_id);
	for (uint32_t i = 0; i < cpu_count; i++)
		siblings += arch_cpu_place(i).package == place.package;
	while (*brand == ' ')
		brand++;
	print(ctx, "processor\t: %u\n", cpu_id);
	print(ctx, "vendor_id\t: %s\n", f->vendor);
	print(ctx, "cpu family\t: %u\n", f->family);
	print(ctx, "model\t\t: %u\n", f->model);
	print(ctx, "model name\t: %s\n", *brand ? brand : "unknown");
	print(ctx, "stepping\t: %u\n", f->stepping);
	print(ctx, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	print(ctx, "physical id\t: %u\n", place.package);
	print(ctx, "siblings\t: %u\n", siblings);
	print(ctx, "core id\t\t: %u\n", place.core);
	print(ctx, "cpu cores\t: %u\n", cores_of(place.package));
	print(ctx, "apicid\t\t: %u\n", c->arch.apic_id);
	print(ctx, "initial apicid\t: %u\n", c->arch.apic_id);
	print(ctx, "fpu\t\t: yes\n");
	print(ctx, "fpu_exception\t: yes\n");
	print(ctx, "cpuid level\t: %u\n", f->max_leaf);
	print(ctx, "wp\t\t: yes\n");
	print(ctx, "flags\t\t:");
	for (enum word w = 0; w < WORDS; w++) {
		uint32_t bits = read_word(w);

		for (uint32_t bit = 0; bit < 32; bit++)
			if ((bits & BIT(bit)) && names[w][bit] && !turned_off(w, bit))
				print(ctx, " %s", names[w][bit]);
	}
	print(ctx, "\nbugs\t\t:\n");
	print(ctx, "bogomips\t: %lu.%02lu\n", khz / 500, khz / 5 % 100);
	print(ctx, "clflush size\t: %u\n", f->clflush_size);
	print(ctx, "cache_alignment\t: %u\n", f->clflush_size);
	print(ctx, "address sizes\t: %u bits physical, %u bits virtual\n", f->physical_bits,
	      f->linear_bits);
	print(ctx, "power management:\n\n");
}

uint64_t
arch_hwcap(void)
{
	return cpuid_read(1, 0).edx;
}

#define HWCAP2_FSGSBASE BIT(1)

uint64_t
arch_hwcap2(void)
{
	return cpu_features.fsgsbase ? HWCAP2_FSGSBASE : 0;
}
