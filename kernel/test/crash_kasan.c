/* SPDX-License-Identifier: MIT */
/*
 * crash_kasan.c - one byte too far, or too late: what KASAN must stop. For its build only; elsewhere these
 * do the damage that they look like.
 */
#include <tessera/page.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "crash.h"

#define BLOCK_SIZE   5000u
#define VMALLOC_SIZE 5000u
#define OBJECT_SIZE  30u
#define CHURN        100u /* allocations between a free and the use */

static char global_array[13];
static char global_after[13];

/* Keeps the compiler from seeing what is wrong. */
static void * __noinline
hide(void *p)
{
	__asm__ volatile("" : "+r"(p)::"memory");
	return p;
}

static void __noinline
write_byte(char *at)
{
	*(volatile char *)at = 1;
}

static void __noinline
crash_overflow(void)
{
	write_byte((char *)kmalloc(OBJECT_SIZE, 0) + OBJECT_SIZE);
}

static void __noinline
crash_underflow(void)
{
	write_byte((char *)kmalloc(OBJECT_SIZE, 0) - 1);
}

static void __noinline
crash_wide(void)
{
	char *p = kmalloc(OBJECT_SIZE, 0);

	/* Begins inside and ends outside. */
	*(volatile uint64_t *)hide(p + OBJECT_SIZE - 4) = 1;
}

/* The object is freed, others of its size come and go, then it is read. */
static void __noinline
crash_use_after_free(void)
{
	char *volatile p = kmalloc(OBJECT_SIZE, 0);

	kfree(p);
	for (uint32_t i = 0; i < CHURN; i++)
		kfree(kmalloc(OBJECT_SIZE, 0));
	write_byte(p);
}

static void __noinline
crash_invalid_free(void)
{
	char *volatile p = kmalloc(128, 0);

	kfree(p + 32);
}

/* A double free with others between, where no free list would show it. */
static void __noinline
crash_late_double_free(void)
{
	char *volatile p = kmalloc(OBJECT_SIZE, 0);

	kfree(p);
	for (uint32_t i = 0; i < CHURN; i++)
		kfree(kmalloc(OBJECT_SIZE, 0));
	kfree(p);
}

static void __noinline
crash_stack_array(void)
{
	char array[13];
	char *volatile p = array;

	memset(array, 0, sizeof(array));
	write_byte(p + sizeof(array));
}

static void __noinline
crash_global(void)
{
	char *volatile p = global_array;

	global_after[0] = 1;
	write_byte(p + sizeof(global_array));
}

static void __noinline
crash_vmalloc(void)
{
	write_byte((char *)vmalloc(VMALLOC_SIZE) + VMALLOC_SIZE);
}

static void __noinline
crash_vmalloc_free(void)
{
	char *volatile p = vmalloc(VMALLOC_SIZE), *volatile q = vmalloc(VMALLOC_SIZE);

	vfree(p);
	write_byte(q);
	write_byte(p);
}

static void __noinline
crash_page(void)
{
	struct page *p = page_alloc(0, 0);
	char *volatile at = page_to_virt(p);

	page_free(p, 0);
	write_byte(at + 100);
}

static void __noinline
crash_block(void)
{
	write_byte((char *)kmalloc(BLOCK_SIZE, 0) + BLOCK_SIZE);
}

static void __noinline
crash_krealloc(void)
{
	char *volatile p = kmalloc(64, 0);

	p = krealloc(p, 40, 0);
	write_byte(p + 40);
}

static void __noinline
crash_copy_from_user(void)
{
	(void)copy_from_user(kmalloc(OBJECT_SIZE, 0), (const void __user *)PAGE_SIZE, OBJECT_SIZE + 1);
}

static void __noinline
crash_copy_to_user(void)
{
	(void)copy_to_user((void __user *)PAGE_SIZE, kmalloc(OBJECT_SIZE, 0), OBJECT_SIZE + 1);
}

static void __noinline
crash_memcpy(void)
{
	char *from = kmalloc(OBJECT_SIZE, 0), *to = kmalloc(PAGE_SIZE, 0);

	memcpy(to, hide(from), OBJECT_SIZE + 1);
}

static void __noinline
crash_kernel_stack(void)
{
	char *volatile stack = kernel_stack_alloc();

	kernel_stack_free(stack);
	write_byte(stack + PAGE_SIZE);
}

const struct crash crashes_kasan[] = {
	{ "kasan_overflow", crash_overflow },
	{ "kasan_underflow", crash_underflow },
	{ "kasan_wide", crash_wide },
	{ "kasan_use_after_free", crash_use_after_free },
	{ "kasan_invalid_free", crash_invalid_free },
	{ "kasan_double_free", crash_late_double_free },
	{ "kasan_stack", crash_stack_array },
	{ "kasan_global", crash_global },
	{ "kasan_vmalloc", crash_vmalloc },
	{ "kasan_vmalloc_free", crash_vmalloc_free },
	{ "kasan_page", crash_page },
	{ "kasan_block", crash_block },
	{ "kasan_krealloc", crash_krealloc },
	{ "kasan_copy_from_user", crash_copy_from_user },
	{ "kasan_copy_to_user", crash_copy_to_user },
	{ "kasan_memcpy", crash_memcpy },
	{ "kasan_kernel_stack", crash_kernel_stack },
	{ 0 },
};
