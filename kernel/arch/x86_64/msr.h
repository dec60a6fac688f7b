/* SPDX-License-Identifier: MIT */
/*
 * msr.h - model-specific registers, control registers, CPUID and the hardware bits of a page-table
 * entry, as inlines and numbers. Names follow the Intel SDM, volumes 3 and 4.
 */
#ifndef ARCH_X86_64_MSR_H
#define ARCH_X86_64_MSR_H

#include <tessera/arch/port.h>
#include <tessera/types.h>

#define MSR_APIC_BASE      0x1b
#define MSR_BIOS_SIGN_ID   0x8b
#define MSR_SYSENTER_CS    0x174
#define MSR_MISC_ENABLE    0x1a0
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800 /* + register offset >> 4 */
#define MSR_XSS            0xda0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)

#define APIC_BASE_BSP     BIT(8)
#define APIC_BASE_X2APIC  BIT(10)
#define APIC_BASE_ENABLE  BIT(11)

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE        BIT(22)

#define RFLAGS_AC BIT(18)

/*
 * A page-table entry as the hardware reads it. The page attribute table is programmed (features.c)
 * so that PWT alone means write-combining and PWT with PCD uncached; the PAT bit is never needed.
 */
#define X86_PTE_PRESENT  BIT(0)
#define X86_PTE_WRITE    BIT(1)
#define X86_PTE_USER     BIT(2)
#define X86_PTE_PWT      BIT(3)
#define X86_PTE_PCD      BIT(4)
#define X86_PTE_ACCESSED BIT(5)
#define X86_PTE_DIRTY    BIT(6)
#define X86_PTE_LARGE    BIT(7) /* in a directory: a 2 MiB or 1 GiB leaf */
#define X86_PTE_GLOBAL   BIT(8)
#define X86_PTE_NX       BIT(63)
#define X86_PTE_FRAME    0x000ffffffffff000ull
#define X86_PAT_VALUE    0x0007040600070106ull /* WB WC UC- UC, WB WT UC- UC */

static __always_inline uint64_t
rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static __always_inline void
wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* One CPUID leaf; the caller has checked that it exists. */
static __always_inline struct cpuid
cpuid_read(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CONTROL_REGISTER(n)                                                                        \
	static __always_inline uint64_t cr##n##_read(void)                                         \
	{                                                                                          \
		uint64_t v;                                                                        \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(v)::"memory");                       \
		return v;                                                                          \
	}                                                                                          \
	static __always_inline void cr##n##_write(uint64_t v)                                      \
	{                                                                                          \
		__asm__ volatile("movq %0, %%cr" #n ::"r"(v) : "memory");                          \
	}

CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

/* Extended control register: XCR0. Needs CR4.OSXSAVE. */
static __always_inline void
xcr_write(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static __always_inline uint64_t
xcr_read(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

#endif
