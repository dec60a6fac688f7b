/* SPDX-License-Identifier: MIT */
/*
 * fpu.c - x87, SSE, AVX, AVX-512 and PKRU: saved and loaded with XSAVE, eagerly at every switch.
 *
 * The kernel itself never touches these registers (it is compiled for general registers only), so
 * they belong to user threads at all times. Where a thread's state is:
 *
 *   running, fpu_in_memory false    in the registers; the area is stale
 *   running, fpu_in_memory true     in the area: sigreturn is filling it; a switch saves nothing
 *   switched out                    in the area; also still in the registers of fpu_cpu when that
 *                                   CPU's fpu_owner is the thread, which spares the load when a
 *                                   kernel thread or the idle thread ran in between
 *
 * Areas have the standard, not the compacted, format: it is what signal frames and tracers show.
 * XSAVEOPT is used at switches; XSAVE where every byte must be right, because XSAVEOPT and its init
 * optimisation leave stale bytes of components that are in their initial state.
 *
 * Without XSAVE (or with the argument noxsave) FXSAVE does the same for x87 and SSE.
 */
#include "fpu.h"

#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

#include "features.h"
#include "msr.h"
#include "user_copy.h"

#define FPU_CONTROL_INITIAL 0x037f
#define MXCSR_INITIAL       0x1f80u
#define MXCSR_MASK_DEFAULT  0xffbfu
#define PROTECTION_KEYS     16
#define PKRU_INITIAL        0x55555554u /* key 0 only, as Linux starts programs */

uint64_t fpu_mask;
uint32_t fpu_area_size = sizeof(struct fpu_legacy);
static uint32_t mxcsr_mask;          /* [I] bits that may be set */
static struct slab_cache *areas;     /* [I] */
static struct fpu_area initial __aligned(64); /* [I] header's present == 0: all initial */

static __always_inline void
save_all(struct fpu_area *a)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(a), "a"((uint32_t)fpu_mask),
				 "d"((uint32_t)(fpu_mask >> 32)) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(a) : "memory");
}

static __always_inline void
save_changed(struct fpu_area *a)
{
	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(a), "a"((uint32_t)fpu_mask),
				 "d"((uint32_t)(fpu_mask >> 32)) : "memory");
	else
		save_all(a);
}

static __always_inline void
load(const struct fpu_area *a)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(a), "a"((uint32_t)fpu_mask),
				 "d"((uint32_t)(fpu_mask >> 32)) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(a) : "memory");
}

static void
load_initial(void)
{
	load(&initial);
	if (fpu_mask & XSTATE_PKRU)
		__asm__ volatile("wrpkru" ::"a"(PKRU_INITIAL), "c"(0), "d"(0));
}

/* Components this machine has and the kernel is prepared for. */
static uint64_t
choose_components(void)
{
	struct cpuid r = cpuid_read(0xd, 0);
	uint64_t have = (uint64_t)r.edx << 32 | r.eax;
	uint64_t use = XSTATE_X87 | XSTATE_SSE;

	if (cpu_features.avx)
		use |= have & XSTATE_AVX;
	if ((use & XSTATE_AVX) && cpu_features.avx512 && (have & XSTATE_AVX512) == XSTATE_AVX512)
		use |= XSTATE_AVX512;
	if (cpu_features.pku)
		use |= have & XSTATE_PKRU;
	return use;
}

void
fpu_init_cpu(void)
{
	bool first = fpu_mask == 0;

	cr0_write((cr0_read() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	if (first)
		fpu_mask = cpu_features.xsave ? choose_components() : XSTATE_X87 | XSTATE_SSE;
	if (cpu_features.xsave) {
		cr4_write(cr4_read() | CR4_OSXSAVE);
		xcr_write(0, fpu_mask);
		if (first)
			fpu_area_size = cpuid_read(0xd, 0).ebx;
	}
	if (first) {
		__asm__ volatile("fninit; fxsave64 (%0)" ::"r"(&initial) : "memory");
		mxcsr_mask = initial.legacy.mxcsr_mask ? initial.legacy.mxcsr_mask
						       : MXCSR_MASK_DEFAULT;
		memset(&initial, 0, sizeof(initial));
		initial.legacy.control = FPU_CONTROL_INITIAL;
		initial.legacy.mxcsr = MXCSR_INITIAL;
		initial.legacy.mxcsr_mask = mxcsr_mask;
	}
	load_initial();
}

void
fpu_init_areas(void)
{
	areas = slab_cache_create("fpu_area", fpu_area_size, 64);
	if (!areas)
		panic("no memory for the cache of FPU areas");
}

struct fpu_area *
fpu_area_alloc(void)
{
	struct fpu_area *a = slab_alloc(areas, ALLOC_ZERO);

	if (a)
		memcpy(a, &initial, MIN((size_t)fpu_area_size, sizeof(initial)));
	return a;
}

void
fpu_area_free(struct fpu_area *area)
{
	if (area)
		slab_free(areas, area);
}

void
fpu_switch(struct cpu *c, struct thread *prev, struct thread *next)
{
	struct arch_thread *out = &prev->arch, *in = &next->arch;

	if (out->fpu && !out->fpu_in_memory) {
		save_changed(out->fpu);
		out->fpu_cpu = c->id;
		c->arch.fpu_owner = prev;
	}
	if (in->fpu && !in->fpu_in_memory && (c->arch.fpu_owner != next || in->fpu_cpu != c->id)) {
		load(in->fpu);
		in->fpu_cpu = c->id;
		c->arch.fpu_owner = next;
	}
}

struct fpu_area *
fpu_save_current(void)
{
	struct arch_thread *at = &current_thread()->arch;

	preempt_disable();
	save_all(at->fpu);
	preempt_enable();
	return at->fpu;
}

unsigned int
arch_key_count(void)
{
	return fpu_mask & XSTATE_PKRU ? PROTECTION_KEYS : 0;
}

static uint32_t
pkru_read(void)
{
	uint32_t pkru, zero;

	__asm__ volatile("rdpkru" : "=a"(pkru), "=d"(zero) : "c"(0));
	return pkru;
}

unsigned int
arch_key_rights(unsigned int key)
{
	return pkru_read() >> (2 * key) & 3;
}

/* A switch between the reading and the writing brings the same value back. */
void
arch_key_set_rights(unsigned int key, unsigned int rights)
{
	uint32_t pkru = (pkru_read() & ~(3u << (2 * key))) | rights << (2 * key);

	__asm__ volatile("wrpkru" ::"a"(pkru), "c"(0), "d"(0) : "memory");
}

/* The registers are the calling thread's from here on. Preemption off. */
static void
registers_taken(struct thread *t)
{
	struct cpu *c = this_cpu();

	t->arch.fpu_in_memory = false;
	t->arch.fpu_cpu = c->id;
	c->arch.fpu_owner = t;
}

void
fpu_reset_current(void)
{
	preempt_disable();
	load_initial();
	registers_taken(current_thread());
	preempt_enable();
}

/*
 * Is an image from user memory one that XRSTOR accepts? Reserved MXCSR bits and header fields are
 * faults there; Linux refuses the former as a bad frame and we the latter too.
 */
static bool
parts_acceptable(uint32_t mxcsr, const struct fpu_header *h, uint64_t components)
{
	uint64_t reserved = 0;

	if (mxcsr & ~mxcsr_mask)
		return false;
	if (!cpu_features.xsave)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(h->reserved); i++)
		reserved |= h->reserved[i];
	return !((h->present & ~components) | h->compacted | reserved);
}

static bool
image_acceptable(const struct fpu_area *a, uint64_t components)
{
	return parts_acceptable(a->legacy.mxcsr, &a->header, components);
}

/*
 * Mostly the stack that the image lies on is there, and the registers go straight to it. If not, XSAVE could begin
 * anew after the fault only with the registers that it had: so they go by way of the thread's area.
 */
int
fpu_store_user(struct fpu_area __user *image)
{
	struct fpu_area *a;
	int error;

	/* XSAVE writes nothing of the header but the bits of its components. */
	if (!user_range_ok(image, fpu_area_size) || arch_clear_user(&image->header, sizeof(image->header)))
		return -EFAULT;
	preempt_disable();
	error = fpu_xsave_user(image, fpu_mask);
	preempt_enable();
	if (likely(!error))
		return 0;
	a = fpu_save_current();
	return copy_to_user(image, a, offsetof(struct fpu_legacy, software)) ||
	       copy_to_user(&image->header, &a->header, fpu_area_size - sizeof(a->legacy)) ? -EFAULT : 0;
}

/* The same in the other direction. False: it could not be done so, and the registers hold anything. */
static bool
load_straight(const struct fpu_area __user *image, uint64_t components)
{
	struct thread *t = current_thread();
	struct fpu_header header;
	uint32_t mxcsr;
	bool loaded = false;

	if (!user_range_ok(image, fpu_area_size) || get_user(mxcsr, &image->legacy.mxcsr) ||
	    copy_from_user(&header, &image->header, sizeof(header)) ||
	    !parts_acceptable(mxcsr, &header, components) || components != fpu_mask)
		return false;
	preempt_disable();
	if (fpu_xrstor_user(image, fpu_mask) == 0) {
		registers_taken(t);
		loaded = true;
	}
	preempt_enable();
	return loaded;
}

int
fpu_load_user(const void __user *image, size_t size, uint64_t components)
{
	struct thread *t = current_thread();
	struct fpu_area *a = t->arch.fpu;
	int error;

	if (likely(cpu_features.xsave && size >= fpu_area_size) && load_straight(image, components & fpu_mask))
		return 0;

	/* From here a switch neither saves over the area nor loads the half-copied one. */
	preempt_disable();
	t->arch.fpu_in_memory = true;
	this_cpu()->arch.fpu_owner = NULL;
	preempt_enable();

	error = copy_from_user(a, image, MIN(size, (size_t)fpu_area_size));
	if (!error && cpu_features.xsave) {
		components &= fpu_mask;
		if (size < fpu_area_size) {
			memset(&a->header, 0, sizeof(a->header));
			a->header.present = components = XSTATE_X87 | XSTATE_SSE;
		}
	}
	if (!error && !image_acceptable(a, components))
		error = -EFAULT;
	if (!error) {
		preempt_disable();
		if (cpu_features.xsave) {
			a->header.present &= components;
			error = fpu_xrstor_checked(a, fpu_mask);
		} else {
			error = fpu_fxrstor_checked(a);
		}
		if (!error)
			registers_taken(t);
		preempt_enable();
	}
	if (error) {
		memset(a, 0, fpu_area_size);
		memcpy(a, &initial, MIN((size_t)fpu_area_size, sizeof(initial)));
		fpu_reset_current();
	}
	return error;
}

int
fpu_area_set(struct fpu_area *a, const void *image, bool extended)
{
	const struct fpu_area *from = image;
	uint32_t mask = a->legacy.mxcsr_mask;

	if (extended) {
		if (!image_acceptable(from, fpu_mask))
			return -EINVAL;
		memcpy(a, from, fpu_area_size);
	} else {
		memcpy(&a->legacy, from, sizeof(a->legacy));
		a->legacy.mxcsr &= mxcsr_mask;
		if (cpu_features.xsave)
			a->header.present |= XSTATE_X87 | XSTATE_SSE;
	}
	a->legacy.mxcsr_mask = mask;
	return 0;
}

uint64_t
arch_vector_state_mask(void)
{
	return fpu_mask;
}
