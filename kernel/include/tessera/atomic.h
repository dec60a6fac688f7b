/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - the few atomic operations in use, over the compiler's built-ins. All are sequentially
 * consistent but where the name says otherwise.
 */
#ifndef TESSERA_ATOMIC_H
#define TESSERA_ATOMIC_H

#include <tessera/config.h>
#include <tessera/types.h>

#define atomic_load(p)            __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_load_relaxed(p)    __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_store(p, v)        __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_add(p, v)          ((void)__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define atomic_add_relaxed(p, v)  ((void)__atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define atomic_sub(p, v)          ((void)__atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))
#define atomic_fetch_add(p, v)    __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_add_fetch(p, v)    __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub_fetch(p, v)    __atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_or(p, v)           ((void)__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define atomic_fetch_or(p, v)     __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_and(p, v)          ((void)__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define atomic_fetch_and(p, v)    __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define atomic_exchange(p, v)     __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
/* Returns true and stores `v` when *p was *expected; otherwise *expected gets what was seen. */
#define atomic_cas(p, expected, v)                                                                 \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define memory_barrier()          __atomic_thread_fence(__ATOMIC_SEQ_CST)

/*
 * A reference count: born 1, freed by whoever takes it to 0.
 */
struct refcount {
	uint32_t count;
};

#define REFCOUNT_MAX 0x7fffffffu

/* debug/misuse.c. `count`: what was found. */
void __noreturn __cold refcount_broken(const struct refcount *r, uint32_t count, const char *what);

static inline void
ref_init(struct refcount *r)
{
	atomic_store_release(&r->count, 1);
}

static inline void
ref_get(struct refcount *r)
{
	uint32_t was = __atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);

	if (config_misuse_check && unlikely(was - 1 >= REFCOUNT_MAX))
		refcount_broken(r, was, was ? "more references than there can be"
					    : "a reference to what is gone");
}

/* The same where a count of 0 is not the end: a cache keeps the object, and its lock is held. */
static inline void
ref_get_cached(struct refcount *r)
{
	atomic_add_relaxed(&r->count, 1);
}

/* Take a reference unless the count is already 0 (found through a table that holds none). */
static inline bool
ref_get_unless_zero(struct refcount *r)
{
	uint32_t n = atomic_load_relaxed(&r->count);

	while (n != 0)
		if (atomic_cas(&r->count, &n, n + 1))
			return true;
	return false;
}

/* Drop one; true when it was the last. */
static inline bool
ref_put(struct refcount *r)
{
	uint32_t left = atomic_sub_fetch(&r->count, 1);

	if (config_misuse_check && unlikely(left >= REFCOUNT_MAX))
		refcount_broken(r, left + 1, "dropped more often than taken");
	return left == 0;
}

static inline uint32_t
ref_count(const struct refcount *r)
{
	return atomic_load_relaxed(&r->count);
}

#endif
