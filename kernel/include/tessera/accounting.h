/* SPDX-License-Identifier: MIT */
/*
 * accounting.h - a record in a file of each process that ends: acct(2).
 *
 * Each pid namespace may have a file of its own, and of a process every namespace that sees it gets a record.
 */
#ifndef TESSERA_ACCOUNTING_H
#define TESSERA_ACCOUNTING_H

#include <tessera/atomic.h>
#include <tessera/types.h>

struct file;
struct pid_namespace;
struct process;

/* Of a pid namespace. All under the lock of proc/accounting.c. */
struct accounting_state {
	struct file *file;           /* a reference; NULL: no records; looked at without the lock */
	bool stopped;                /* there is no room */
	uint64_t look_at;            /* monotonic ns: when to look for room again */
};

/* /proc/sys/kernel/acct: per cent of the file system that must be free to begin again, below which it stops, and
 * seconds between two looks. [a] */
extern int accounting_limits[3];
extern uint32_t accounting_files; /* [a] open ones */

/* Records of the caller's namespace go to `f` from now on, whose reference is taken over; NULL: nowhere. */
void accounting_set(struct file *f);
void accounting_namespace_ends(struct pid_namespace *ns);
void accounting_process_ends_slow(struct process *p, int status);

/* Called by p's last thread, while it still has everything. */
static inline void
accounting_process_ends(struct process *p, int status)
{
	if (unlikely(atomic_load_relaxed(&accounting_files)))
		accounting_process_ends_slow(p, status);
}

#endif
