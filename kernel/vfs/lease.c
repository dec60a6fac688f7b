/* SPDX-License-Identifier: MIT */
/*
 * lease.c - F_SETLEASE and F_GETLEASE.
 *
 * A lease belongs to an open object. One for reading says that nobody has the file open for writing, one for
 * writing that nobody else has it open at all. An open that contradicts it breaks it:
 *
 *   held --broken by a reader--> to become a lease for reading \
 *        --broken by a writer--> to go                          +-- the holder obeys, or the time is over
 *
 * and waits until the lease is as it shall be. What it is to become is what F_GETLEASE tells.
 *
 * Who opens (1) counts itself in inode->readers or writers, (2) looks for leases; who takes a lease (3) puts it on
 * the inode's list, (4) looks at the counts: one of the two sees the other.
 *
 * Lock: leases_lock for all lists; under it owners are signalled, so it is of class ASYNC.
 */
#include <tessera/async.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/lease.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "vfs.h"

/* [L] leases_lock */
struct lease {
	struct list node;          /* [L] inode_claims.held */
	struct list all_node;      /* [L] all_leases */
	struct file *file;         /* [I] not counted: lease_file_gone() comes first */
	pid_t pid;                 /* [I] who took it, for /proc/locks */
	int fd;                    /* [L] */
	int type;                  /* [L] READ or WRITE */
	bool to_go, to_read;       /* [L] what was asked of it */
	deadline_t go_until, read_until; /* [L] */
};

int lease_break_seconds = 45;
int leases_enabled = 1;

static struct mutex leases_lock = MUTEX_INIT(leases_lock, ASYNC);
static struct list all_leases = LIST_INIT(all_leases); /* [L] */

static struct lease *
find_locked(struct inode_claims *l, const struct file *f)
{
	struct lease *s;

	if (l)
		list_for_each(s, &l->held, node)
			if (s->file == f)
				return s;
	return NULL;
}

static int
target(const struct lease *s)
{
	return s->to_go ? FILE_LOCK_UNLOCK : s->to_read ? FILE_LOCK_READ : s->type;
}

/* `s` becomes what was asked for, or what its holder wants. UNLOCK: it is freed. */
static void
change_locked(struct inode_claims *l, struct lease *s, int type)
{
	s->type = type;
	if (type == FILE_LOCK_UNLOCK) {
		list_del(&s->node);
		list_del(&s->all_node);
		file_owner_forget(s->file);
		kfree(s);
	} else if (type == FILE_LOCK_READ) {
		s->to_read = false;
	}
	inode_claims_changed(l);
}

/* Their time is over. */
static void
time_out_locked(struct inode_claims *l)
{
	struct lease *s, *tmp;

	list_for_each_safe(s, tmp, &l->held, node) {
		if (s->to_go && clock_monotonic_ns() >= s->go_until)
			change_locked(l, s, FILE_LOCK_UNLOCK);
		else if (s->to_read && clock_monotonic_ns() >= s->read_until)
			change_locked(l, s, FILE_LOCK_READ);
	}
}

/* --- taking ---------------------------------------------------------------------------------------- */

/* (4) Do the others who have the file open leave room for this lease? */
static bool
counts_allow(const struct file *f, int type)
{
	const struct inode *i = f->inode;
	bool writes = f->mode & FILE_WRITE;

	if (type == FILE_LOCK_READ)
		return atomic_load(&i->writers) == 0;
	return atomic_load(&i->writers) == writes && atomic_load(&i->readers) == !writes;
}

/* Do other leases? */
static bool
others_allow(struct inode_claims *l, const struct file *f, int type)
{
	struct lease *s;

	list_for_each(s, &l->held, node)
		if (s->file != f && (type == FILE_LOCK_WRITE || s->to_go))
			return false;
	return true;
}

static int
add_locked(struct inode_claims *l, struct file *f, int fd, int type)
{
	struct lease *s = find_locked(l, f), *fresh = NULL;

	if (!others_allow(l, f, type))
		return -EAGAIN;
	if (!s) {
		fresh = s = kzalloc(sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->file = f;
		s->type = type;
		s->pid = current_process()->pid;
		list_add_tail(&l->held, &s->node); /* (3) */
		list_add_tail(&all_leases, &s->all_node);
	}
	if (!counts_allow(f, type)) {
		if (fresh) {
			list_del(&s->node);
			list_del(&s->all_node);
			kfree(s);
			inode_claims_changed(l);
		}
		return -EAGAIN;
	}
	s->fd = fd;
	if (!fresh)
		change_locked(l, s, type);
	return 0;
}

int
lease_set(struct file *f, int fd, int type)
{
	struct inode_claims *l;
	struct lease *s;
	int error;

	if (type < FILE_LOCK_READ || type > FILE_LOCK_UNLOCK)
		return -EINVAL;
	if (!f->inode)
		return -EINVAL;
	if (f->inode->uid != current_cred()->fsuid && !capable(CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(f->inode->mode) || (type != FILE_LOCK_UNLOCK && !READ_ONCE(leases_enabled)))
		return -EINVAL;
	if (type == FILE_LOCK_UNLOCK) {
		mutex_lock(&leases_lock);
		l = atomic_load(&f->inode->leases);
		s = find_locked(l, f);
		if (s)
			change_locked(l, s, FILE_LOCK_UNLOCK);
		mutex_unlock(&leases_lock);
		return s ? 0 : -EAGAIN;
	}
	l = inode_claims_get(&f->inode->leases);
	error = l ? file_owner_default(f) : -ENOMEM;
	if (error)
		return error;
	mutex_lock(&leases_lock);
	time_out_locked(l);
	error = add_locked(l, f, fd, type);
	mutex_unlock(&leases_lock);
	return error;
}

int
lease_get(const struct file *f)
{
	struct inode_claims *l = f->inode ? atomic_load(&f->inode->leases) : NULL;
	int type = FILE_LOCK_UNLOCK;
	struct lease *s;

	if (!l)
		return type;
	mutex_lock(&leases_lock);
	time_out_locked(l);
	s = find_locked(l, f);
	if (s)
		type = target(s);
	mutex_unlock(&leases_lock);
	return type;
}

void
lease_file_gone(struct file *f)
{
	struct inode_claims *l = f->inode ? atomic_load(&f->inode->leases) : NULL;
	struct lease *s;

	if (!l)
		return;
	mutex_lock(&leases_lock);
	s = find_locked(l, f);
	if (s)
		change_locked(l, s, FILE_LOCK_UNLOCK);
	mutex_unlock(&leases_lock);
}

/* --- breaking -------------------------------------------------------------------------------------- */

static bool
contradicts(const struct lease *s, bool write)
{
	return write || s->type == FILE_LOCK_WRITE;
}

/* Ask the holders. How long to wait for the first of them; false: nobody is in the way. */
static bool
ask_locked(struct inode_claims *l, bool write, deadline_t end, deadline_t *until)
{
	bool any = false;
	struct lease *s;

	*until = DEADLINE_NEVER;
	list_for_each(s, &l->held, node) {
		bool fresh = write ? !s->to_go : !s->to_go && !s->to_read;

		if (!contradicts(s, write))
			continue;
		any = true;
		if (fresh && write) {
			s->to_go = true;
			s->go_until = end;
		} else if (fresh) {
			s->to_read = true;
			s->read_until = end;
		}
		if (fresh)
			file_signal_owner(s->file, s->fd, ASYNC_MSG);
		if (s->to_go)
			*until = MIN(*until, s->go_until);
		if (s->to_read)
			*until = MIN(*until, s->read_until);
	}
	return any;
}

int
lease_break_slow(struct inode *i, bool write, bool wait)
{
	struct inode_claims *l = atomic_load(&i->leases);
	uint64_t seconds = (uint64_t)MAX(READ_ONCE(lease_break_seconds), 0);
	deadline_t end = seconds ? deadline_after(seconds * NSEC_PER_SEC) : DEADLINE_NEVER;

	for (;;) {
		deadline_t until;
		uint64_t generation;
		bool any;
		int error;

		mutex_lock(&leases_lock);
		time_out_locked(l);
		any = ask_locked(l, write, end, &until);
		generation = l->generation;
		mutex_unlock(&leases_lock);
		if (!any)
			return 0;
		if (!wait)
			return -EAGAIN;
		error = wait_event_deadline(&l->changed, READ_ONCE(l->generation) != generation, WAIT_INTERRUPTIBLE,
					    until);
		if (error && error != -ETIMEDOUT)
			return -ERESTARTSYS;
	}
}

long
leases_list(struct file_lock_info *out, long room)
{
	struct lease *s;
	long n = 0;

	mutex_lock(&leases_lock);
	list_for_each(s, &all_leases, all_node) {
		if (n < room)
			out[n] = (struct file_lock_info){
				.kind = "LEASE ",
				.state = s->to_go || s->to_read ? "BREAKING" : "ACTIVE",
				.range = { 0, INT64_MAX, target(s), s->pid },
				.device = s->file->inode->fs->device,
				.inode = s->file->inode->number,
			};
		n++;
	}
	mutex_unlock(&leases_lock);
	return n;
}
