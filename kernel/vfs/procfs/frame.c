/* SPDX-License-Identifier: MIT */
/*
 * frame.c - the tree of procfs: inodes made from table entries at each look-up.
 *
 * Names are not kept once unused, so an inode describes what was there a moment ago: each access finds
 * the process again by pid and start time and fails with ESRCH when it has gone. A name in use (the
 * working directory in /proc/PID) is checked again before it is believed.
 *
 * Directory positions: 2 + n for table entry n, LIST_POSITION + number for a listed one.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../vfs.h"
#include "files.h"
#include "frame.h"

#define LIST_POSITION 1024

static const struct inode_ops dir_ops;
static const struct file_ops dir_file_ops;

static const struct entry root_entry = {
	.name = "proc",
	.mode = S_IFDIR | 0555,
	.children = root_entries,
	.list = &process_list,
};

struct process *
procfs_process_of(struct file *f, int *error)
{
	struct process *p = NULL;
	struct target at;

	/* A numbered directory right below the root of procfs. */
	if (!f->inode || f->inode->ops != &dir_ops || node_of(f->inode)->pid == 0 ||
	    f->inode == f->inode->fs->root->inode || f->dentry->parent != f->inode->fs->root) {
		*error = -EBADF;
		return NULL;
	}
	*error = target_of(node_of(f->inode), &at);
	if (*error == 0) {
		p = at.process;
		process_get(p);
		target_put(&at);
	}
	return p;
}

long
parse_number(const char *name, size_t length)
{
	long n = 0;

	if (length == 0 || length > 10 || (name[0] == '0' && length > 1))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n <= INT32_MAX ? n : -1;
}

/* Whose file it is: the process's effective ids, or root's when its insides are hidden. */
static void
set_owner(struct inode *i, struct target *at)
{
	i->uid = i->gid = 0;
	if (!at->process || !at->thread)
		return;
	spin_lock(&at->process->lock);
	if (at->thread->cred && (at->process->dumpable || S_ISDIR(i->mode))) {
		i->uid = at->thread->cred->euid;
		i->gid = at->thread->cred->egid;
	}
	spin_unlock(&at->process->lock);
}

/* Stable while the object lives: the entry's place in the kernel's image, whose own place nobody shall
 * learn from it, and the numbers. */
static ino_t
inode_number(const struct node *n)
{
	uint64_t h = (uint64_t)((intptr_t)n->entry - (intptr_t)&root_entry) >> 3;

	if (n->entry == &root_entry)
		return 1;
	h = h * 0x9e3779b97f4a7c15ull + (uint64_t)n->pid;
	h = h * 0x9e3779b97f4a7c15ull + (uint64_t)n->tid;
	h = h * 0x9e3779b97f4a7c15ull + (uint64_t)(n->fd + 1);
	h = h * 0x9e3779b97f4a7c15ull + n->address;
	return (h >> 16 & 0xffffffff) | 0x100000000;
}

static struct inode *
create_inode(struct filesystem *fs, const struct node *from, struct target *at)
{
	const struct entry *e = from->entry;
	struct node *n = kmemdup(from, sizeof(*from));
	struct inode *i = n ? inode_create(fs, e->mode) : NULL;

	if (!i) {
		kfree(n);
		return NULL;
	}
	i->private = n;
	i->number = inode_number(n);
	set_owner(i, at);
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &dir_ops;
		i->file_ops = &dir_file_ops;
		i->links = 2;
		break;
	case S_IFLNK:
		i->ops = e->jump ? &procfs_jump_ops : &procfs_link_ops;
		if (e->flags & (ENTRY_FD | ENTRY_MAPPING)) {
			i->mode = S_IFLNK | (e->flags & ENTRY_FD ? fd_link_mode(at) : map_link_mode(at));
			i->size = 64; /* what Linux says of them */
		}
		break;
	default:
		i->ops = e->flags & ENTRY_SETTING ? &procfs_setting_ops : &procfs_file_ops;
		i->size = e->flags & ENTRY_PLACE ? proc_pci_size(from->address) : 0;
		i->file_ops = e->file_ops ? e->file_ops : from->pid ? &proc_process_text_ops : &proc_text_ops;
	}
	return i;
}

/* --- names --------------------------------------------------------------------------------------- */

/* The process of which `tid` is a thread, with a reference; or NULL. */
static struct process *
process_of_thread(struct pid_namespace *ns, pid_t tid)
{
	struct thread *t = thread_find_in(ns, tid);
	struct process *p = t ? t->process : NULL;

	if (p)
		process_get(p);
	if (t)
		thread_put(t);
	return p;
}

/* With subset=pid the top holds processes alone, and the links to the reader's own. */
static bool
is_shown(const struct target *at, const struct entry *e)
{
	if (!READ_ONCE(at->instance->processes_only) || e < root_entries || e >= root_entries + root_entry_count)
		return true;
	return S_ISLNK(e->mode) && strcmp(e->name, "mounts") && strcmp(e->name, "net");
}

/* What `name` in directory `dir` is: *out is filled. False: nothing. */
static bool
find_child(const struct node *dir, struct target *at, const char *name, size_t length, struct node *out)
{
	const struct entry *e = dir->entry->children;
	const struct entry_list *list = dir->entry->list;
	struct process *p;
	long number;
	bool shown;

	*out = *dir;
	for (; e && e->name; e++)
		if (is_shown(at, e) && strlen(e->name) == length && memcmp(e->name, name, length) == 0) {
			out->entry = e;
			return true;
		}
	if (!list)
		return false;
	number = list->find(at, name, length);
	if (number < 0)
		return false;
	out->entry = list->each;
	if (list->each->flags & ENTRY_FD) {
		out->fd = (int)number;
	} else if (list->each->flags & (ENTRY_MAPPING | ENTRY_PLACE)) {
		out->address = (vaddr_t)number;
	} else if (list->each->flags & ENTRY_THREAD) {
		out->tid = pid_global(at->ns, (pid_t)number);
	} else {
		p = process_find_in(at->ns, (pid_t)number);
		if (!p) { /* a thread's number: its directory is not listed, but is there */
			p = process_of_thread(at->ns, (pid_t)number);
			out->tid = pid_global(at->ns, (pid_t)number);
		}
		if (!p)
			return false;
		out->pid = p->pid;
		out->start = p->start_time;
		shown = process_is_shown(at, p, PROC_HIDDEN);
		process_put(p);
		return shown;
	}
	return true;
}

static int
dir_lookup(struct inode *dir, struct dentry *d)
{
	struct target at, child_at;
	struct node child;
	struct inode *i;
	int error = target_get(dir, &at) ? -ENOENT : 0;

	if (error)
		return error;
	error = -ENOENT; /* and not a negative name: nothing can be made here */
	if (find_child(node_of(dir), &at, d->name, d->length, &child) && target_of(&child, &child_at) == 0) {
		i = create_inode(dir->fs, &child, &child_at);
		target_put(&child_at);
		if (i)
			dentry_attach(d, i);
		error = i ? 0 : -ENOMEM;
	}
	target_put(&at);
	return error;
}

/* A negative answer is never believed again; a positive one while its object lives. */
static bool
dir_revalidate(struct dentry *d)
{
	struct target at;
	bool shown;

	if (!d->inode || target_get(d->inode, &at) != 0)
		return false;
	set_owner(d->inode, &at);
	shown = !is_process_top(node_of(d->inode)) || process_is_shown(&at, at.process, PROC_HIDDEN);
	shown = shown && is_shown(&at, node_of(d->inode)->entry);
	target_put(&at);
	return shown && !(node_of(d->inode)->entry->flags & (ENTRY_FD | ENTRY_MAPPING | ENTRY_PLACE));
}

static bool
number_is_shown(const struct target *at, pid_t number)
{
	struct process *p;
	bool shown;

	if (READ_ONCE(at->instance->hiding) < PROC_HIDDEN)
		return true;
	p = process_find_in(at->ns, number);
	shown = p && process_is_shown(at, p, PROC_HIDDEN);
	if (p)
		process_put(p);
	return shown;
}

static int
dir_readdir(struct file *f, struct dir_context *ctx)
{
	const struct node *n = node_of(f->inode);
	const struct entry *e = n->entry->children;
	const struct entry_list *list = n->entry->list;
	struct target at;
	int error;

	if (!directory_emit_dots(f, ctx))
		return 0;
	error = target_get(f->inode, &at);
	if (error)
		return -ENOENT;
	for (long index = 0; e && e[index].name; index++) {
		struct node child = *n;

		if (ctx->position > 2 + index || !is_shown(&at, &e[index]))
			continue;
		child.entry = &e[index];
		if (!ctx->emit(ctx, e[index].name, strlen(e[index].name), 3 + index, inode_number(&child),
			       e[index].mode >> 12))
			goto out;
		ctx->position = 3 + index;
	}
	if (!list)
		goto out;
	if (ctx->position < LIST_POSITION)
		ctx->position = LIST_POSITION;
	for (;;) {
		long number = list->next(&at, ctx->position - LIST_POSITION);
		struct node child = *n;
		char name[40];
		int length;

		if (number < 0)
			break;
		if (list == &process_list && !number_is_shown(&at, (pid_t)number)) {
			ctx->position = LIST_POSITION + number + 1;
			continue;
		}
		length = list->name ? list->name(&at, number, name, sizeof(name))
				    : snprintf(name, sizeof(name), "%ld", number);
		if (length < 0) { /* gone meanwhile */
			ctx->position = LIST_POSITION + number + 1;
			continue;
		}
		child.entry = list->each;
		if (list->each->flags & (ENTRY_MAPPING | ENTRY_PLACE))
			child.address = (vaddr_t)number;
		else
			*(list->each->flags & ENTRY_FD ? &child.fd
			  : list->each->flags & ENTRY_THREAD ? &child.tid
							     : &child.pid) = (int)number;
		if (!ctx->emit(ctx, name, (size_t)length, LIST_POSITION + number + 1,
			       inode_number(&child), list->each->mode >> 12))
			break;
		ctx->position = LIST_POSITION + number + 1;
	}
out:
	target_put(&at);
	return 0;
}

/* --- the directory at the top ------------------------------------------------------------------------ */

static const struct file_ops dir_file_ops = {
	.name = "proc directory",
	.read = directory_read,
	.seek = seek_without_end,
	.readdir = dir_readdir,
	.sync = directory_sync,
};

static const struct inode_ops dir_ops = {
	.name = "proc directory",
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
	.permission = procfs_dir_permission,
	.set_attributes = procfs_set_attributes,
	.evict = procfs_evict,
};

struct inode *
procfs_root_create(struct filesystem *fs)
{
	struct node n = { .entry = &root_entry };
	struct target none = { 0 };

	return create_inode(fs, &n, &none);
}
