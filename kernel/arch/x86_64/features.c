/* SPDX-License-Identifier: MIT */
/*
 * features.c - find out what the CPU offers, and switch it on.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/string.h>

#include "features.h"
#include "msr.h"

struct cpu_features cpu_features __ro_after_init;

/* Leaf 1 */
#define C1_SSE3     BIT(0)
#define C1_MONITOR  BIT(3)
#define C1_PCID     BIT(17)
#define C1_X2APIC   BIT(21)
#define C1_DEADLINE BIT(24)
#define C1_XSAVE    BIT(26)
#define C1_AVX      BIT(28)
#define C1_RDRAND   BIT(30)
#define C1_GUEST    BIT(31)
#define D1_PAT      BIT(16)
/* Leaf 7 */
#define B7_FSGSBASE BIT(0)
#define B7_SMEP     BIT(7)
#define B7_ERMS     BIT(9)
#define B7_INVPCID  BIT(10)
#define B7_AVX512F  BIT(16)
#define B7_RDSEED   BIT(18)
#define B7_SMAP     BIT(20)
#define C7_UMIP     BIT(2)
#define C7_PKU      BIT(3)
#define C7_RDPID    BIT(22)
#define D7_FSRM     BIT(4)
/* Leaf 0xd, subleaf 1 */
#define AD_XSAVEOPT BIT(0)
#define AD_XSAVEC   BIT(1)
#define AD_XSAVES   BIT(3)
/* Extended leaves */
#define DX_HUGE_1G  BIT(26)
#define DX_RDTSCP   BIT(27)
#define DX_TSC_INVARIANT BIT(8)

static void
read_names(struct cpu_features *f)
{
	struct cpuid r = cpuid_read(0, 0);

	f->max_leaf = r.eax;
	memcpy(f->vendor, &r.ebx, 4);
	memcpy(f->vendor + 4, &r.edx, 4);
	memcpy(f->vendor + 8, &r.ecx, 4);
	r = cpuid_read(0x80000000, 0);
	f->max_extended_leaf = r.eax;
	if (f->max_extended_leaf >= 0x80000004) {
		for (uint32_t i = 0; i < 3; i++) {
			r = cpuid_read(0x80000002 + i, 0);
			memcpy(f->brand + 16 * i, &r, 16);
		}
	}
}

static void
read_family(struct cpu_features *f, uint32_t eax)
{
	f->stepping = eax & 0xf;
	f->model = eax >> 4 & 0xf;
	f->family = eax >> 8 & 0xf;
	if (f->family == 6 || f->family == 15)
		f->model |= eax >> 12 & 0xf0;
	if (f->family == 15)
		f->family += eax >> 20 & 0xff;
}

static void
read_hypervisor(struct cpu_features *f)
{
	struct cpuid r = cpuid_read(0x40000000, 0);

	memcpy(f->hypervisor_name, &r.ebx, 4);
	memcpy(f->hypervisor_name + 4, &r.ecx, 4);
	memcpy(f->hypervisor_name + 8, &r.edx, 4);
	f->tcg = !memcmp(f->hypervisor_name, "TCGTCGTCGTCG", 12);
}

static void
read_leaf_7(struct cpu_features *f)
{
	struct cpuid r = cpuid_read(7, 0);

	f->fsgsbase = r.ebx & B7_FSGSBASE;
	f->smep = r.ebx & B7_SMEP;
	f->smap = r.ebx & B7_SMAP;
	f->invpcid = r.ebx & B7_INVPCID;
	f->rdseed = r.ebx & B7_RDSEED;
	f->erms = r.ebx & B7_ERMS;
	f->avx512 = r.ebx & B7_AVX512F;
	f->umip = r.ecx & C7_UMIP;
	f->pku = r.ecx & C7_PKU;
	f->rdpid = r.ecx & C7_RDPID;
	f->fsrm = r.edx & D7_FSRM;
}

static void
read_extended(struct cpu_features *f)
{
	struct cpuid r;

	f->physical_bits = 36;
	f->linear_bits = 48;
	if (f->max_extended_leaf >= 0x80000001) {
		r = cpuid_read(0x80000001, 0);
		f->huge_1g = r.edx & DX_HUGE_1G;
		f->rdtscp = r.edx & DX_RDTSCP;
	}
	if (f->max_extended_leaf >= 0x80000007)
		f->tsc_invariant = cpuid_read(0x80000007, 0).edx & DX_TSC_INVARIANT;
	if (f->max_extended_leaf >= 0x80000008) {
		r = cpuid_read(0x80000008, 0);
		f->physical_bits = (uint8_t)r.eax;
		f->linear_bits = (uint8_t)(r.eax >> 8);
	}
}

/* What the arguments take away, and what falls with it. */
static void
apply_arguments(struct cpu_features *f)
{
	f->smep = f->smep && !boot_flag("nosmep");
	f->smap = f->smap && !boot_flag("nosmap");
	f->umip = f->umip && !boot_flag("noumip");
	f->fsgsbase = f->fsgsbase && !boot_flag("nofsgsbase");
	f->xsave = f->xsave && !boot_flag("noxsave");
	f->pcid = f->pcid && !boot_flag("nopcid");
	f->invpcid = f->invpcid && f->pcid && !boot_flag("noinvpcid");
	/* Bochs 2.7 says that it has keys, but gives PKRU no place in XSAVE's image, nor obeys it in the kernel. */
	f->pku = f->pku && f->xsave && f->max_leaf >= 0xd && cpuid_read(0xd, 9).ebx && !boot_flag("nopku");
	f->x2apic = f->x2apic && !boot_flag("nox2apic");
	f->tsc_deadline = f->tsc_deadline && !boot_flag("notscdeadline");
	f->huge_1g = f->huge_1g && !boot_flag("nogbpages");
	if (boot_flag("nordrand"))
		f->rdrand = f->rdseed = false;
	if (!f->xsave)
		f->xsaveopt = f->xsavec = f->xsaves = f->avx = f->avx512 = false;
}

void
features_detect(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid r;

	read_names(f);
	r = cpuid_read(1, 0);
	read_family(f, r.eax);
	f->clflush_size = (r.ebx >> 8 & 0xff) * 8;
	f->mwait = r.ecx & C1_MONITOR;
	f->pcid = r.ecx & C1_PCID;
	f->x2apic = r.ecx & C1_X2APIC;
	f->tsc_deadline = r.ecx & C1_DEADLINE;
	f->xsave = r.ecx & C1_XSAVE;
	f->avx = r.ecx & C1_AVX;
	f->rdrand = r.ecx & C1_RDRAND;
	f->hypervisor = r.ecx & C1_GUEST;
	f->pat = r.edx & D1_PAT;
	if (f->hypervisor)
		read_hypervisor(f);
	if (f->max_leaf >= 7)
		read_leaf_7(f);
	if (f->xsave && f->max_leaf >= 0xd) {
		r = cpuid_read(0xd, 1);
		f->xsaveopt = r.eax & AD_XSAVEOPT;
		f->xsavec = r.eax & AD_XSAVEC;
		f->xsaves = r.eax & AD_XSAVES;
	}
	read_extended(f);
	apply_arguments(f);
}

void
features_init_cpu(void)
{
	const struct cpu_features *f = &cpu_features;
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= f->smep ? CR4_SMEP : 0;
	cr4 |= f->smap ? CR4_SMAP : 0;
	cr4 |= f->umip ? CR4_UMIP : 0;
	cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= f->xsave ? CR4_OSXSAVE : 0;
	cr4 |= f->pcid ? CR4_PCIDE : 0;
	cr4 |= f->pku ? CR4_PKE : 0;

	/* Caches on, supervisor obeys read-only pages, x87 errors as exceptions; FPU usable. */
	cr0_write(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	if (f->pat)
		wrmsr(MSR_PAT, X86_PAT_VALUE);
	cr4_write(cr4);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
}

bool
arch_is_guest(void)
{
	return cpu_features.hypervisor;
}
