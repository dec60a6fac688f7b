/* SPDX-License-Identifier: MIT */
/*
 * kcsan.h - the compilers' interface for accesses to memory: whom they call.
 */
#ifndef SANITIZERS_KCSAN_H
#define SANITIZERS_KCSAN_H

#include <tessera/types.h>

#define ACCESS_WRITE  1u
#define ACCESS_MARKED 2u

#define PLAIN_CALLS(n)                                                                             \
	void __tsan_read##n(void *p);                                                              \
	void __tsan_write##n(void *p);                                                             \
	void __tsan_read_write##n(void *p);                                                        \
	void __tsan_unaligned_read##n(void *p);                                                    \
	void __tsan_unaligned_write##n(void *p);                                                   \
	void __tsan_unaligned_read_write##n(void *p);                                              \
	void __tsan_volatile_read##n(void *p);                                                     \
	void __tsan_volatile_write##n(void *p);                                                    \
	void __tsan_unaligned_volatile_read##n(void *p);                                           \
	void __tsan_unaligned_volatile_write##n(void *p);

PLAIN_CALLS(1)
PLAIN_CALLS(2)
PLAIN_CALLS(4)
PLAIN_CALLS(8)
PLAIN_CALLS(16)
#undef PLAIN_CALLS

void __tsan_read_range(void *p, size_t size);
void __tsan_write_range(void *p, size_t size);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_init(void);

#define ATOMIC_CALLS(bits)                                                                         \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order);    \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
						      uint##bits##_t v, int order);                \
	uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile uint##bits##_t *p,                 \
						       uint##bits##_t v, int order);               \
	uint##bits##_t __tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t *p,                 \
						       uint##bits##_t v, int order);               \
	uint##bits##_t __tsan_atomic##bits##_fetch_and(volatile uint##bits##_t *p,                 \
						       uint##bits##_t v, int order);               \
	uint##bits##_t __tsan_atomic##bits##_fetch_or(volatile uint##bits##_t *p,                  \
						      uint##bits##_t v, int order);                \
	uint##bits##_t __tsan_atomic##bits##_fetch_xor(volatile uint##bits##_t *p,                 \
						       uint##bits##_t v, int order);               \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile uint##bits##_t *p, void *expected, \
							  uint##bits##_t v, int order, int failed); \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile uint##bits##_t *p, void *expected, \
							uint##bits##_t v, int order, int failed);  \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                 \
		volatile uint##bits##_t *p, uint##bits##_t expected, uint##bits##_t v, int order,  \
		int failed);

ATOMIC_CALLS(8)
ATOMIC_CALLS(16)
ATOMIC_CALLS(32)
ATOMIC_CALLS(64)
#undef ATOMIC_CALLS

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

#endif
