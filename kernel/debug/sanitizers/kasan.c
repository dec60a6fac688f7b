/* SPDX-License-Identifier: MIT */
/*
 * kasan.c - the address sanitiser: no access of the kernel's to memory that is not its to use.
 *
 * Theory. One byte of shadow describes 8 bytes of the kernel's half of the address space: 0, all of them
 * may be used; 1 to 7, only the first so many; 0x80 and up, none, and why (<tessera/kasan.h>). The compiler
 * puts a call of __asan_load8() and its like before every access, which looks at the shadow of the address
 * and reports what it must not touch. Who hands memory out sets the shadow:
 *
 *	slab objects    the bytes asked for are open; what rounds them up, the red zones and notes on both
 *	                sides, and free objects are closed. A freed object waits in a quarantine, so its
 *	                address does not come back soon (kasan_heap.c)
 *	frames          closed while free (kasan_heap.c)
 *	regions         open where they are mapped, closed at their guards, kernel stacks also while they
 *	                wait for a thread (kasan_region.c)
 *	arrays, stack   the compiler lays closed words around them and writes their shadow itself, at the
 *	                beginning and the end of the function
 *	globals         the compiler leaves room behind each; kasan_init() runs its constructors, which say
 *	                where (kasan_report.c knows their names)
 *
 * The same for those who do not access memory by the compiler's code: memcpy, memmove and memset, and the
 * copies from and to programs, call kasan_check_read() and kasan_check_write().
 *
 * Where the shadow is: SHADOW_OF(address), a constant of the compilation, and so it covers the whole half
 * wherever the image slides to.
 *
 *	1. entry to boot_main()      no shadow. Only boot/ runs, which is not instrumented
 *	2. to arch_init_memory()     one writable page mapped everywhere (boot/shadow.c) takes what functions
 *	                             write for their arrays. It holds nonsense: nobody looks (`looking`)
 *	3. from arch_init_memory()   one page of zeroes, read-only, mapped everywhere: nothing is closed. Real
 *	                             frames for the image; kasan_init() runs the constructors and starts
 *	4. a section comes online    real frames for its part of the direct map, from itself (section.c)
 *	5. a region comes into use   real frames for its block, freed with it (kasan_region.c)
 *
 * The struct page array and device memory keep the zeroes.
 *
 * A function that does not return leaves its callers' words closed; so the compiler calls
 * __asan_handle_no_return() first, which opens the rest of the stack. A thread's stack is opened whole
 * when it gets it.
 *
 * Not instrumented (plain_kasan in the Makefile): boot/, this folder, mm/slab.c, which lives in free
 * objects, and those that walk stacks. An access below the kernel's half passes: the page fault knows
 * more about it.
 */
#include "kasan.h"

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/thread.h>

#include "../describe.h"

typedef void (*constructor_t)(void);

extern const constructor_t constructors_start[], constructors_end[];
extern char boot_stack_bottom[], boot_stack_top[];

bool kasan_looking;

/* --- shadow ------------------------------------------------------------------------------------ */

static void
fill(vaddr_t shadow, uint8_t byte, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(shadow), "+c"(n) : "a"(byte) : "memory");
}

void
kasan_poison(const void *p, size_t n, uint8_t why)
{
	fill(SHADOW_OF(p), why, n >> SHADOW_SHIFT);
}

void
kasan_unpoison(const void *p, size_t n)
{
	fill(SHADOW_OF(p), 0, n >> SHADOW_SHIFT);
	if (n & GRANULE_MASK)
		*shadow_at((vaddr_t)p + n) = n & GRANULE_MASK;
}

/* --- checks ------------------------------------------------------------------------------------ */

/* Is the byte at `a` closed? */
static inline bool
closed(vaddr_t a)
{
	int8_t s = (int8_t)*shadow_at(a);

	return s != 0 && (int8_t)(a & GRANULE_MASK) >= s;
}

/* Of [a, a + n): is there a closed byte? Most ranges are open: whole words of shadow at a time. */
static bool
range_closed(vaddr_t a, size_t n)
{
	const uint8_t *s = shadow_at(a), *last = shadow_at(a + n - 1);

	for (; s < last && !IS_ALIGNED((vaddr_t)s, 8); s++)
		if (*s)
			return true;
	for (; s + 8 <= last; s += 8)
		if (*(const uint64_t *)(const void *)s)
			return true;
	for (; s < last; s++)
		if (*s)
			return true;
	/* Open up to its last granule, of which the first bytes may do. */
	return closed(a + n - 1);
}

static __always_inline bool
skipped(vaddr_t a)
{
	return unlikely(!kasan_looking) || unlikely(a < KERNEL_HALF);
}

static __always_inline void
check(vaddr_t a, size_t n, bool write, vaddr_t pc)
{
	if (skipped(a))
		return;
	if (likely((a & GRANULE_MASK) + n <= GRANULE)) {
		if (likely(!*shadow_at(a)) || !closed(a + n - 1))
			return;
	} else if (likely(!*shadow_at(a)) && !closed(a + n - 1)) {
		/* Two granules at most, but for accesses of 16 bytes. */
		if (n <= GRANULE || !*shadow_at(a + GRANULE))
			return;
	}
	kasan_report(a, n, write, pc);
}

static void
check_range(vaddr_t a, size_t n, bool write, vaddr_t pc)
{
	if (!n || skipped(a))
		return;
	if (unlikely(a + n < a) || range_closed(a, n))
		kasan_report(a, n, write, pc);
}

#define CALLER ((vaddr_t)__builtin_return_address(0))

void
kasan_check_read(const void *p, size_t n)
{
	check_range((vaddr_t)p, n, false, CALLER);
}

void
kasan_check_write(const void *p, size_t n)
{
	check_range((vaddr_t)p, n, true, CALLER);
}

/* --- what the compiler calls ------------------------------------------------------------------- */

/* clang's names end as gcc's do; that a report does not come back is our affair. */
#define CHECKS(n)                                                                                  \
	void __asan_load##n##_noabort(vaddr_t a);                                                  \
	void __asan_store##n##_noabort(vaddr_t a);                                                 \
	void __asan_load##n##_noabort(vaddr_t a) { check(a, n, false, CALLER); }                   \
	void __asan_store##n##_noabort(vaddr_t a) { check(a, n, true, CALLER); }

CHECKS(1)
CHECKS(2)
CHECKS(4)
CHECKS(8)
CHECKS(16)

void __asan_loadN_noabort(vaddr_t a, size_t n);
void __asan_storeN_noabort(vaddr_t a, size_t n);
void __asan_handle_no_return(void);

void
__asan_loadN_noabort(vaddr_t a, size_t n)
{
	check_range(a, n, false, CALLER);
}

void
__asan_storeN_noabort(vaddr_t a, size_t n)
{
	check_range(a, n, true, CALLER);
}

/* Open the stack from here up: the frames on it are left without their epilogues. */
void
__asan_handle_no_return(void)
{
	vaddr_t here = ALIGN_DOWN((vaddr_t)__builtin_frame_address(0), GRANULE), top = 0;
	const struct thread *t;

	if (!kasan_looking)
		return;
	t = current_thread();
	if (t && here >= (vaddr_t)t->stack && here < t->stack_top)
		top = t->stack_top;
	else if (here - (vaddr_t)debug_stack < sizeof(debug_stack))
		top = (vaddr_t)debug_stack + sizeof(debug_stack);
	else if (here >= (vaddr_t)boot_stack_bottom && here < (vaddr_t)boot_stack_top)
		top = (vaddr_t)boot_stack_top;
	if (top)
		kasan_unpoison((const void *)here, top - here);
}

/* --- the beginning ----------------------------------------------------------------------------- */

void
kasan_init(void)
{
	for (const constructor_t *c = constructors_start; c < constructors_end; c++)
		(*c)();
	kasan_looking = true;
}
