/* SPDX-License-Identifier: MIT */
/*
 * types.h - the words every file of the kernel uses: integers, addresses, annotations.
 */
#ifndef TESSERA_TYPES_H
#define TESSERA_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;    /* a physical address */
typedef uint64_t vaddr_t;    /* a virtual address, kernel's or user's */
typedef uint64_t pfn_t;      /* a physical frame number: paddr >> PAGE_SHIFT */
typedef int64_t loff_t;      /* a position in a file, bytes */
typedef int64_t ssize_t;
typedef int32_t pid_t;
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef uint32_t mode_t;     /* file type and permission bits, Linux's values (S_IF*) */
typedef uint64_t dev_t;      /* major << 32 | minor */
typedef uint64_t ino_t;
typedef uint64_t deadline_t; /* nanoseconds on the monotonic clock; see time.h */

/*
 * A pointer that a program gave us. Never dereferenced: only <tessera/uaccess.h> takes it.
 * The static checks build with clang and TESSERA_CHECK_USER, where a dereference is an error.
 */
#ifdef TESSERA_CHECK_USER
#define __user __attribute__((noderef, address_space(1)))
#define __force_user(type, p) ((type)(uintptr_t)(p))
#else
#define __user
#define __force_user(type, p) ((type)(uintptr_t)(p))
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)   (((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define BIT(n)           (1ull << (n))

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__auto_type min_a_ = (a);                                                          \
		__auto_type min_b_ = (b);                                                          \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__auto_type max_a_ = (a);                                                          \
		__auto_type max_b_ = (b);                                                          \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define __noreturn    __attribute__((noreturn))
#define __packed      __attribute__((packed))
#define __aligned(n)  __attribute__((aligned(n)))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __must_check  __attribute__((warn_unused_result))
#define __section(s)  __attribute__((section(s)))
#define __noinline    __attribute__((noinline))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __unused      __attribute__((unused))
#define __weak        __attribute__((weak))
#define __fallthrough __attribute__((fallthrough))
#define __cold        __attribute__((cold))
/* What the function returns is new, or NULL, and goes back through the named function's argument `n`: said only
 * to gcc's analyser (tools/static), for the optimiser would believe it too. */
#ifdef TESSERA_CHECK_MEMORY
#define __freed_by(f, n) __attribute__((malloc, malloc(f, n)))
#else
#define __freed_by(f, n)
#endif

/* Data written only before init ends; the page is made read-only then. */
#define __ro_after_init __section(".data.ro_after_init")

#define PAGE_SHIFT      12
#define PAGE_SIZE       4096ul
#define HUGE_PAGE_SHIFT 21
#define HUGE_PAGE_SIZE  (1ul << HUGE_PAGE_SHIFT)
#define HUGE_PAGE_ORDER (HUGE_PAGE_SHIFT - PAGE_SHIFT)
#define MAX_CPUS        64

#endif
