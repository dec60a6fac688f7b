/* SPDX-License-Identifier: MIT */
/*
 * unshare.c - unshare(2): a process gets its own of what it shares with others.
 *
 * All that can fail is made first; then everything is put in its place, which cannot.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/sysv.h>

#include "proc.h"

#define KNOWN (CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES | \
	       CLONE_NEWUSER)

/* What is made; NULL: stays as it is. */
struct fresh {
	struct handle_table *handles;
	struct fs_context *fs;
	struct cred *cred;
	struct ipc_namespace *ipc;
	struct namespaces *namespaces;
};

/* What semaphores of the old namespace are owed is settled first. Takes over the reference. */
void
process_change_ipc(struct process *p, struct ipc_namespace *ipc)
{
	struct ipc_namespace *old;

	sem_undo_exit();
	spin_lock(&p->lock);
	old = p->ipc;
	p->ipc = ipc;
	spin_unlock(&p->lock);
	ipc_namespace_put(old);
}

static int
check(struct process *p, uint64_t flags)
{
	if (flags & ~KNOWN)
		return -EINVAL;
	/* Linux splits threads one by one; here they go on sharing, so a program that does both is told so. */
	if ((flags & ~CLONE_SYSVSEM) && READ_ONCE(p->thread_count) > 1)
		return -EINVAL;
	if ((flags & (CLONE_SIGHAND | CLONE_VM)) &&
	    (ref_count(&p->actions->refs) > 1 || ref_count(&p->as->refs) > 1))
		return -EINVAL;
	return 0;
}

static int
make(struct process *p, uint64_t flags, struct fresh *f)
{
	const struct cred *c = current_cred();
	struct namespaces *n;
	int error;

	if (flags & CLONE_NEWUSER) {
		f->cred = cred_copy(c);
		error = f->cred ? user_namespace_create(f->cred) : -ENOMEM;
		if (error)
			return error;
		c = f->cred;
	}
	if ((flags & CLONE_NAMESPACES) && !cred_capable_in(c, c->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if ((flags & CLONE_FILES) && handle_table_is_shared(p->handles)) {
		f->handles = handle_table_copy(p->handles);
		if (!f->handles)
			return -ENOMEM;
	}
	/* With new mounts always: the copy then stands in them. */
	if ((flags & CLONE_NEWNS) ||
	    ((flags & (CLONE_FS | CLONE_NEWUSER)) && ref_count(&p->fs->refs) > 1)) {
		f->fs = fs_context_copy(p->fs);
		if (!f->fs)
			return -ENOMEM;
	}
	if (flags & CLONE_NEWIPC) {
		f->ipc = ipc_namespace_create();
		if (!f->ipc)
			return -ENOMEM;
	}
	if (!(flags & CLONE_NAMESPACES))
		return 0;
	n = namespaces_copy(p->namespaces, flags, c, f->ipc, f->fs);
	if (IS_ERR(n))
		return (int)PTR_ERR(n);
	f->namespaces = n;
	return 0;
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swap_ = (a);                                                         \
		(a) = (b);                                                                         \
		(b) = swap_;                                                                       \
	} while (0)

/* What has been put in its place leaves what stood there. */
static void
install(struct process *p, uint64_t flags, struct fresh *f)
{
	if (f->cred) {
		cred_install(f->cred);
		f->cred = NULL;
	}
	if (f->ipc) {
		process_change_ipc(p, f->ipc);
		f->ipc = NULL;
	} else if (flags & CLONE_SYSVSEM) {
		sem_undo_exit();
	}
	spin_lock(&p->lock);
	if (f->handles)
		SWAP(f->handles, p->handles);
	if (f->fs)
		SWAP(f->fs, p->fs);
	if (f->namespaces)
		SWAP(f->namespaces, p->namespaces);
	spin_unlock(&p->lock);
	if (f->handles)
		handle_table_leave(f->handles);
	f->handles = NULL;
}

int
process_unshare(uint64_t flags)
{
	struct process *p = current_process();
	struct fresh f = { 0 };
	int error = check(p, flags);

	if (!error)
		error = make(p, flags, &f);
	if (!error)
		install(p, flags, &f);
	if (f.handles)
		handle_table_put(f.handles);
	if (f.fs)
		fs_context_put(f.fs);
	if (f.ipc)
		ipc_namespace_put(f.ipc);
	namespaces_put(f.namespaces);
	cred_put(f.cred);
	return error;
}
