/* SPDX-License-Identifier: MIT */
/*
 * accounting.c - a record in a file of each process that ends: acct(2), acct(5).
 *
 * The last thread of a process writes it before anything of the process is let go, so that who has waited for
 * the process finds it in the file. A file system that is nearly full stops the records until there is
 * room again; that is looked at now and then.
 *
 * Lock: accounting_lock, above all that writing a file takes. A record is written under it, so records do not mix.
 * Save: the file of a namespace is saved with it, as an open object.
 */
#include <tessera/accounting.h>
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/string.h>
#include <tessera/tty.h>

#include "proc.h"

#define VERSION 3
#define HZ_SHOWN 100 /* of the times in a record */

/* record.flags */
#define NO_EXEC    1u /* forked, and never ran a program of its own */
#define PRIVILEGED 2u /* used what only root may */
#define CORE       8u
#define SIGNALLED  16u

/* A number in 13 bits, to be multiplied by a power of 8 in the upper 3. */
typedef uint16_t short_float;

/* struct acct_v3 as programs read it. */
struct record {
	uint8_t flags, version;
	uint16_t tty;
	uint32_t status, uid, gid, pid, parent, born;
	uint32_t elapsed;            /* a float, by its bits */
	short_float user, system, memory, io, blocks, minor, major, swaps;
	char name[16];
};
_Static_assert(sizeof(struct record) == 64, "struct acct_v3");

int accounting_limits[3] = { 4, 2, 30 };
uint32_t accounting_files;

static struct mutex accounting_lock = MUTEX_INIT(accounting_lock, ACCOUNTING);

static short_float
short_float_of(uint64_t value)
{
	uint32_t exponent = 0;
	bool up = false;

	while (value >= 1u << 13) {
		up = value & 4;
		value >>= 3;
		exponent++;
	}
	if (up && ++value >= 1u << 13) {
		value >>= 3;
		exponent++;
	}
	return exponent > 7 ? UINT16_MAX : (short_float)(exponent << 13 | value);
}

/* The bits of an IEEE 754 single; what does not fit into its 24 is cut off. */
static uint32_t
float_of(uint64_t value)
{
	uint32_t exponent = 127 + 63;

	if (!value)
		return 0;
	for (; !(value >> 63); value <<= 1)
		exponent--;
	return exponent << 23 | ((uint32_t)(value >> 40) & 0x7fffffu);
}

static uint16_t
tty_of(struct process *p)
{
	struct tty *tty;
	uint16_t number = 0;

	spin_lock(&process_tree_lock);
	tty = p->group->session->tty;
	if (tty)
		number = (uint16_t)tty_device_number(tty);
	spin_unlock(&process_tree_lock);
	return number;
}

/* Times in the record's ticks, rounded down. */
static uint64_t
ticks(uint64_t ns)
{
	return ns / (NSEC_PER_SEC / HZ_SHOWN);
}

static void
fill(struct record *r, struct process *p, int status)
{
	uint64_t elapsed = clock_monotonic_ns() - p->start_time, user, system;
	const struct cred *c = current_cred();

	process_times(p, &user, &system);
	*r = (struct record){
		.flags = (uint8_t)((p->did_exec ? 0 : NO_EXEC) | (READ_ONCE(p->used_privilege) ? PRIVILEGED : 0) |
				   (status & 0x80 ? CORE : 0) | (status & 0x7f ? SIGNALLED : 0)),
		.version = VERSION,
		.tty = tty_of(p),
		.status = (uint32_t)status,
		.uid = c->uid,
		.gid = c->gid,
		.born = (uint32_t)((clock_realtime_ns() - elapsed) / NSEC_PER_SEC),
		.elapsed = float_of(ticks(elapsed)),
		.user = short_float_of(ticks(user)),
		.system = short_float_of(ticks(system)),
		.memory = short_float_of(p->as->total_pages * (PAGE_SIZE / 1024)),
		.minor = short_float_of(p->dead_minor + current_thread()->minor_faults),
		.major = short_float_of(p->dead_major + current_thread()->major_faults),
	};
	string_copy(r->name, current_thread()->name, sizeof(r->name));
}

/* Is there room for records? accounting_lock is held. */
static bool
has_room_locked(struct pid_namespace *ns)
{
	struct accounting_state *a = &ns->accounting;
	uint64_t now = clock_monotonic_ns();
	struct fs_stat st;
	int percent;

	if (now < a->look_at)
		return !a->stopped;
	a->look_at = now + (uint64_t)MAX(READ_ONCE(accounting_limits[2]), 0) * NSEC_PER_SEC;
	if (filesystem_statfs(a->file->inode->fs, a->file->inode, &st) || !st.blocks)
		return true;
	percent = READ_ONCE(accounting_limits[a->stopped ? 0 : 1]);
	if (a->stopped ? st.available >= st.blocks / 100 * (uint64_t)MAX(percent, 0)
		       : st.available <= st.blocks / 100 * (uint64_t)MAX(percent, 0)) {
		a->stopped = !a->stopped;
		pr_info("process accounting %s\n", a->stopped ? "paused" : "resumed");
	}
	return !a->stopped;
}

static void
write_record(struct pid_namespace *ns, struct process *p, struct record *r)
{
	struct process *parent;
	struct iov_iter from;

	mutex_lock(&accounting_lock);
	if (ns->accounting.file && has_room_locked(ns)) {
		spin_lock(&process_tree_lock);
		parent = p->parent;
		r->pid = (uint32_t)pid_number_locked(ns, p->pid);
		r->parent = parent ? (uint32_t)pid_number_locked(ns, parent->pid) : 0;
		spin_unlock(&process_tree_lock);
		iov_iter_kernel(&from, r, sizeof(*r));
		(void)file_write(ns->accounting.file, &from, NULL);
	}
	mutex_unlock(&accounting_lock);
}

void
accounting_process_ends_slow(struct process *p, int status)
{
	struct record r;

	fill(&r, p, status);
	/* The limit is the process's own, the file is not. */
	spin_lock(&p->lock);
	p->limits[RLIMIT_FSIZE].current = UINT64_MAX;
	spin_unlock(&p->lock);
	for (struct pid_namespace *ns = p->pid_ns; ns; ns = ns->parent)
		if (READ_ONCE(ns->accounting.file))
			write_record(ns, p, &r);
}

static void
set(struct pid_namespace *ns, struct file *f)
{
	struct file *old;

	mutex_lock(&accounting_lock);
	old = ns->accounting.file;
	ns->accounting.stopped = false;
	ns->accounting.look_at = 0;
	WRITE_ONCE(ns->accounting.file, f);
	mutex_unlock(&accounting_lock);
	if (f)
		atomic_add(&accounting_files, 1);
	if (old) {
		atomic_sub(&accounting_files, 1);
		file_put(old);
	}
}

void
accounting_set(struct file *f)
{
	set(current_pid_namespace(), f);
}

void
accounting_namespace_ends(struct pid_namespace *ns)
{
	if (ns->accounting.file)
		set(ns, NULL);
}
