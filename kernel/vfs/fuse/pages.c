/* SPDX-License-Identifier: MIT */
/*
 * pages.c - files' pages: filled by READ and written back by WRITE, as <tessera/backing.h> asks of a store.
 *
 * A run of pages is one request, which has references of its own to the pages: when the connection ends, the run is
 * completed with an error while the daemon's answer may still be copied, into pages that nobody looks at.
 *
 * A daemon says what a file is only to who has it open: a run goes by the open file that asked, or by any open one. A
 * mapping keeps its file open; when the last that could be written by is closed and pages are dirty still, because a
 * mapping changed them or who closed it was killed, the node keeps it until they are written.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

/* --- who keeps a file open whose pages are dirty ---------------------------------------------------------- */

/* Nobody needs the keeper any more, if there is one. */
static void
let_go(struct fuse_node *n)
{
	struct fuse_file *ff = NULL;

	spin_lock(&n->lock);
	if (n->keeper && !object_is_dirty_now(n->inode->object)) {
		ff = n->keeper;
		n->keeper = NULL;
	}
	spin_unlock(&n->lock);
	if (!ff)
		return;
	fuse_tell_times_late(n->inode, ff);
	fuse_file_put(ff);
}

/* All was written, or dropped. */
static void
cleaned(struct memory_object *o)
{
	let_go(fuse_node_of(o->inode));
}

bool
fuse_keeper_take(struct fuse_file *ff)
{
	struct inode *i = ff->inode;
	struct fuse_node *n;
	bool taken = false;

	if (!i || !i->object || (ff->flags & O_ACCMODE) == O_RDONLY || !object_is_dirty_now(i->object))
		return false;
	n = fuse_node_of(i);
	spin_lock(&n->lock);
	if (!n->keeper && !READ_ONCE(n->bad)) {
		n->keeper = ff;
		taken = true;
	}
	spin_unlock(&n->lock);
	if (!taken)
		return false;
	inode_get(i);
	(void)object_write_start(i->object, 0, UINT64_MAX, false);
	let_go(n); /* it may all have been written meanwhile */
	inode_put(i);
	return true;
}

/* --- runs ----------------------------------------------------------------------------------------------------- */

/* The open file by which `run` goes, with a reference; NULL: none is open. */
static struct fuse_file *
file_for(struct page_run *run)
{
	struct fuse_file *ff = run->file ? run->file->private : NULL;

	if (!ff)
		return fuse_file_any(run->object->inode, run->write);
	fuse_file_get(ff);
	return ff;
}

/* The pages of the run, with references, as those of `r`. */
static bool
lend_pages(struct fuse_request *r, struct page_run *run)
{
	r->pages.page = kvmalloc(run->count * sizeof(struct page *));
	if (!r->pages.page)
		return false;
	for (uint32_t i = 0; i < run->count; i++) {
		r->pages.page[i] = run->pages[i];
		page_get(run->pages[i]);
	}
	r->pages.count = run->count;
	r->pages.size = run->bytes;
	return true;
}

static void
fill_done(struct fuse_request *r)
{
	struct page_run *run = r->context;
	struct inode *i = run->object->inode;
	uint64_t end = run->first * PAGE_SIZE + r->got, version = run->tag;
	struct memory_object *o = i->object;
	bool cut = !r->error && r->got < run->bytes;

	/* What the file has behind its size as we knew it is welcome, too. */
	if (!r->error && r->got < run->count * PAGE_SIZE)
		page_run_zero(run, r->got);
	/* Who waits for the pages is to see the size first. The inode stays: r->file keeps it. */
	cut = cut && fuse_read_short(i, end, version);
	page_run_complete_all(run, r->error);
	if (cut)
		object_drop_behind(o); /* a write may have made it longer since */
}

static void
read_pages(struct page_run *run)
{
	struct fuse_file *ff = file_for(run);
	struct fuse_connection *c = fuse_of(run->object->inode);
	struct fuse_read_in in = {
		.offset = run->first * PAGE_SIZE, .size = run->count * PAGE_SIZE, .flags = O_LARGEFILE,
	};
	struct fuse_request *r = NULL;

	if (ff) {
		in.fh = ff->fh;
		in.flags = ff->flags;
		r = fuse_request_make(c, FUSE_READ, ff->node, &in, sizeof(in), NULL, NULL);
	}
	if (!r || !lend_pages(r, run)) {
		page_run_complete_all(run, ff ? -ENOMEM : -EIO);
		fuse_request_put(r);
		if (ff)
			fuse_file_put(ff);
		return;
	}
	r->pages.size = (size_t)run->count * PAGE_SIZE;
	r->pages_out = true;
	r->out_var = true;
	r->file = ff;
	run->tag = atomic_load(&c->attr_version);
	r->context = run;
	r->end = fill_done;
	if (r->error) /* ids that the daemon has no words for do not matter to pages */
		fuse_request_force(r);
	fuse_request_start(r);
}

static void
write_done(struct fuse_request *r)
{
	const struct fuse_write_out *out = r->out;
	struct page_run *run = r->context;
	int error = r->error;

	if (!error && out->size < run->bytes) {
		error = -EIO;
		fuse_complain(r->conn, "wrote less than it was given", out->size);
	}
	WRITE_ONCE(fuse_node_of(run->object->inode)->stale_times, true);
	page_run_complete_all(run, error);
}

static void
write_pages(struct page_run *run)
{
	struct inode *i = run->object->inode;
	struct fuse_file *ff = file_for(run);
	struct fuse_write_in in = {
		.offset = run->first * PAGE_SIZE, .size = run->bytes, .write_flags = FUSE_WRITE_CACHE,
	};
	struct fuse_request *r = NULL;

	if (ff) {
		in.fh = ff->fh;
		r = fuse_request_make(fuse_of(i), FUSE_WRITE, ff->node, &in, sizeof(in), NULL, NULL);
	}
	if (!r || !lend_pages(r, run) || !fuse_request_wants(r, sizeof(struct fuse_write_out), false)) {
		if (!ff)
			pr_warn("fuse: nobody has node %lu open for what is to be written\n", fuse_node_of(i)->id);
		page_run_complete_all(run, ff ? -ENOMEM : -EIO);
		fuse_request_put(r);
		if (ff)
			fuse_file_put(ff);
		return;
	}
	fuse_request_force(r);
	r->file = ff;
	r->context = run;
	r->end = write_done;
	fuse_change_begin(fuse_of(i));
	fuse_request_start(r);
}

/* Where the times are ours a store by a mapping, which has changed them, is told as a write is. */
static int
page_mkwrite(struct memory_object *o, struct page *p)
{
	if (fuse_keeps_writes(o->inode))
		WRITE_ONCE(fuse_node_of(o->inode)->times_ours, true);
	return 0;
}

static const struct memory_object_ops fuse_object_ops = {
	.name = "fuse",
	.read_pages = read_pages,
	.write_pages = write_pages,
	.page_mkwrite = page_mkwrite,
	.cleaned = cleaned,
};

struct memory_object *
fuse_object_create(struct fuse_connection *c, uint64_t size)
{
	return object_create_stored(&fuse_object_ops, size, NULL, c->backing);
}

int
fuse_pages_init(struct fuse_connection *c)
{
	char name[BACKING_NAME_SIZE];
	int error;

	/* As Linux names it: the number that stat(2) tells. */
	snprintf(name, sizeof(name), "fuse %u:%u%s", DEV_MAJOR(c->fs->device), DEV_MINOR(c->fs->device),
		 c->destroy ? "-fuseblk" : "");
	c->backing = backing_create(name, c);
	if (!c->backing)
		return -ENOMEM;
	c->backing->max_ratio = 1;
	c->backing->untrusted = true;
	error = backing_publish(c->backing, name + strlen("fuse "));
	if (error) {
		backing_put(c->backing);
		c->backing = NULL;
		return error;
	}
	return 0;
}
