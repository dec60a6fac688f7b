/* SPDX-License-Identifier: MIT */
/*
 * user_access.c - checked copies to and from programs: the range first, then arch's copy loops,
 * which survive faults.
 */
#include <tessera/cpu.h>
#include <tessera/kasan.h>
#include <tessera/preempt.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

int
copy_from_user(void *to, const void __user *from, size_t n)
{
	if (unlikely(!user_range_ok(from, n)))
		return -EFAULT;
	preempt_random_here();
	if (config_kasan)
		kasan_check_write(to, n);
	return arch_copy_from_user(to, from, n) == 0 ? 0 : -EFAULT;
}

int
copy_to_user(void __user *to, const void *from, size_t n)
{
	if (unlikely(!user_range_ok(to, n)))
		return -EFAULT;
	preempt_random_here();
	if (config_kasan)
		kasan_check_read(from, n);
	return arch_copy_to_user(to, from, n) == 0 ? 0 : -EFAULT;
}

long
copy_string_from_user(char *to, const char __user *from, size_t size)
{
	size_t room = size;
	long n;

	if (size == 0)
		return -ENAMETOOLONG;
	if (unlikely((uintptr_t)from >= USER_LIMIT))
		return -EFAULT;
	room = MIN(room, USER_LIMIT - (uintptr_t)from);
	if (config_kasan)
		kasan_check_write(to, room);
	n = arch_strncpy_from_user(to, from, room);
	if (n < 0)
		return n;
	if ((size_t)n < room)
		return n;
	/* No NUL: the string is too long, or it runs out of the user half. */
	return room == size ? -ENAMETOOLONG : -EFAULT;
}

void
pagefault_disable(void)
{
	current_thread()->pagefault_disabled++;
	__asm__ volatile("" ::: "memory");
}

void
pagefault_enable(void)
{
	__asm__ volatile("" ::: "memory");
	current_thread()->pagefault_disabled--;
}
