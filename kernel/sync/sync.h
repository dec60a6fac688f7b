/* SPDX-License-Identifier: MIT */
/*
 * sync.h - private to sync/: the order checker's door for the locks themselves.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <tessera/config.h>
#include <tessera/lock.h>
#include <tessera/types.h>

enum lock_how {
	LOCK_PLAIN,  /* must stand below everything held */
	LOCK_NESTED, /* may be of a class already held */
	LOCK_TRY,    /* cannot deadlock: any order */
};

/* Spinlocks: preemption off. Before waiting, so that a deadlock is reported instead of entered. */
void lock_order_spin_acquire(const struct spinlock *l, enum lock_how how);
void lock_order_spin_release(const struct spinlock *l);
/* Sleeping locks: thread context. */
void lock_order_sleep_acquire(const void *l, uint16_t class, enum lock_how how);
void lock_order_sleep_release(const void *l, uint16_t class);

#endif
