/* SPDX-License-Identifier: MIT */
/*
 * uaccess.h - the only way to a program's memory. Each checks that the range lies in the user half and
 * survives faults. May sleep (page-in): no spinlock held, or pagefaults disabled by the caller.
 */
#ifndef TESSERA_UACCESS_H
#define TESSERA_UACCESS_H

#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/types.h>

#define USER_LIMIT 0x00007ffffffff000ul

static inline bool
user_range_ok(const void __user *p, size_t n)
{
	uintptr_t a = (uintptr_t)p;

	return a <= USER_LIMIT && n <= USER_LIMIT - a;
}

/* 0 or -EFAULT (some bytes may have been copied). */
int copy_from_user(void *to, const void __user *from, size_t n);
int copy_to_user(void __user *to, const void *from, size_t n);
/* Copy a string of at most size - 1 bytes: its length, -EFAULT, or -ENAMETOOLONG when no NUL fits. */
long copy_string_from_user(char *to, const char __user *from, size_t size);

/* n is a constant: a word's copy is a load and a store. */
static __always_inline int
copy_word_from_user(void *to, const void __user *from, size_t n)
{
	struct user_word w;

	if (n != 1 && n != 2 && n != 4 && n != 8)
		return copy_from_user(to, from, n);
	if (unlikely((uintptr_t)from > USER_LIMIT - n))
		return -EFAULT;
	w = n == 1 ? arch_get_user_1(from) : n == 2 ? arch_get_user_2(from) :
	    n == 4 ? arch_get_user_4(from) : arch_get_user_8(from);
	if (unlikely(w.error))
		return -EFAULT;
	__builtin_memcpy(to, &w.value, n);
	return 0;
}

static __always_inline int
copy_word_to_user(void __user *to, const void *from, size_t n)
{
	uint64_t value = 0;

	if (n != 1 && n != 2 && n != 4 && n != 8)
		return copy_to_user(to, from, n);
	if (unlikely((uintptr_t)to > USER_LIMIT - n))
		return -EFAULT;
	__builtin_memcpy(&value, from, n);
	return n == 1 ? arch_put_user_1(to, value) : n == 2 ? arch_put_user_2(to, value) :
	       n == 4 ? arch_put_user_4(to, value) : arch_put_user_8(to, value);
}

/* One word. 0 or -EFAULT. */
#ifdef TESSERA_CHECK_USER /* no variable can have the type of what a program's pointer points to */
#define get_user(x, p) copy_from_user(&(x), (p), sizeof(*(p)))
#define put_user(x, p) ((void)(x), copy_to_user((p), "", sizeof(*(p))))
#else
#define get_user(x, p) copy_word_from_user(&(x), (p), sizeof(*(p)))
#define put_user(x, p)                                                                             \
	({                                                                                         \
		__typeof__(*(p)) put_v_ = (__typeof__(*(p)))(x);                                   \
		copy_word_to_user((p), &put_v_, sizeof(put_v_));                                   \
	})
#endif

/* Between these a fault on user memory fails at once (no sleeping): for use under spinlocks. */
void pagefault_disable(void);
void pagefault_enable(void);

#endif
