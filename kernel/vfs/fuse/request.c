/* SPDX-License-Identifier: MIT */
/*
 * request.c - requests to a daemon: made, queued, waited for, ended.
 *
 * A request on a queue or list has one reference from there, given up by fuse_request_finish(), through which every
 * request that was queued goes exactly once.
 *
 * A caller waits in two steps. Any signal first only tells the daemon (INTERRUPT), who may then answer with EINTR; a fatal
 * one ends the wait: a request that was not read is taken back, one that was read is abandoned.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "fuse.h"

static const char *const state_names[] = {
	[FUSE_MADE] = "made", [FUSE_WAITING] = "waiting", [FUSE_PENDING] = "pending", [FUSE_SENT] = "sent",
	[FUSE_ENDING] = "ending", [FUSE_DONE] = "done",
};

/* Who asks, in the words of who mounted it. -EOVERFLOW: there is no such word. */
static void
set_caller(struct fuse_request *r)
{
	const struct user_namespace *ns = r->conn->user_ns;
	const struct cred *cred = current_cred();

	r->head.uid = id_map_out(ns, &ns->uids, cred->fsuid);
	r->head.gid = id_map_out(ns, &ns->gids, cred->fsgid);
	if (r->head.uid == ID_INVALID || r->head.gid == ID_INVALID)
		r->error = -EOVERFLOW;
	r->head.pid = (uint32_t)pid_number(r->conn->pid_ns, current_thread()->tid);
}

struct fuse_request *
fuse_request_make(struct fuse_connection *c, enum fuse_opcode op, uint64_t node, const void *in, size_t in_size,
		  const char *name, const char *name2)
{
	struct fuse_request *r = kzalloc(sizeof(*r));
	size_t n1 = name ? strlen(name) + 1 : 0, n2 = name2 ? strlen(name2) + 1 : 0, size = in_size + n1 + n2;

	if (!r)
		return NULL;
	r->args = size <= sizeof(r->inline_args) ? r->inline_args : kmalloc(size, 0);
	if (!r->args) {
		kfree(r);
		return NULL;
	}
	ref_init(&r->refs);
	r->conn = c;
	fuse_connection_get(c);
	list_init(&r->node);
	list_init(&r->interrupt_node);
	wait_queue_init(&r->done);
	r->head.opcode = op;
	r->head.node = node;
	r->args_size = (uint32_t)size;
	if (in_size)
		memcpy(r->args, in, in_size);
	if (n1)
		memcpy(r->args + in_size, name, n1);
	if (n2)
		memcpy(r->args + in_size + n1, name2, n2);
	set_caller(r);
	return r;
}

struct fuse_request *
fuse_file_request(struct fuse_file *ff, enum fuse_opcode op, const void *in, size_t in_size)
{
	struct fuse_request *r = fuse_request_make(ff->conn, op, ff->node, in, in_size, NULL, NULL);

	if (r) {
		fuse_file_get(ff);
		r->file = ff;
	}
	return r;
}

void
fuse_request_force(struct fuse_request *r)
{
	r->force = true;
	r->error = 0;
	r->head.uid = r->head.gid = r->head.pid = 0;
}

static void
put_files(struct fuse_request *r)
{
	if (r->file)
		fuse_file_put(r->file);
	if (r->other)
		fuse_file_put(r->other);
	r->file = r->other = NULL;
}

void
fuse_request_put(struct fuse_request *r)
{
	if (!r || !ref_put(&r->refs))
		return;
	if (r->args != r->inline_args)
		kfree(r->args);
	if (r->out != r->inline_out)
		kvfree(r->out);
	kvfree(r->data);
	for (uint32_t i = 0; i < r->pages.count; i++)
		page_put(r->pages.page[i]);
	kvfree(r->pages.page);
	put_files(r); /* it was never queued */
	fuse_connection_put(r->conn);
	kfree(r);
}

bool
fuse_request_wants(struct fuse_request *r, size_t size, bool var)
{
	r->out = size <= sizeof(r->inline_out) ? r->inline_out : kvmalloc(size);
	if (!r->out)
		return false;
	memset(r->out, 0, size);
	r->out_size = (uint32_t)size;
	r->out_var = var;
	return true;
}

/* --- queues ------------------------------------------------------------------------------------------- */

/* Behind the others; the list's reference is the caller's to give. conn->lock is held. */
static void
queue_locked(struct fuse_connection *c, struct fuse_request *r)
{
	c->unique += 2; /* bit 0 marks an INTERRUPT's */
	if (!r->no_answer)
		r->head.unique = c->unique;
	r->head.length = (uint32_t)(sizeof(r->head) + r->args_size + r->data_size +
				    (r->pages_out ? 0 : r->pages.size));
	r->state = FUSE_PENDING;
	list_add_tail(&c->pending, &r->node);
	c->requests++;
}

/* As many in the background as may be: how many more are to be read. */
static int
flush_background_locked(struct fuse_connection *c)
{
	struct fuse_request *r;
	int moved = 0;

	while (c->active < c->max_background &&
	       (r = list_first(&c->waiting_background, struct fuse_request, node)) != NULL) {
		list_del_init(&r->node);
		c->active++;
		queue_locked(c, r);
		moved++;
	}
	return moved;
}

static void
wake_readers(struct fuse_connection *c, int n)
{
	if (n > 0)
		wake_queue(&c->input, POLLIN | POLLRDNORM, (uint32_t)n);
}

static void
wake_reader(struct fuse_connection *c)
{
	wake_readers(c, 1);
}

void
fuse_background_limit(struct fuse_connection *c, uint32_t most)
{
	int moved;

	spin_lock(&c->lock);
	if (c->connected)
		c->max_background = most;
	moved = flush_background_locked(c);
	spin_unlock(&c->lock);
	wake_readers(c, moved);
}

void
fuse_interrupt_locked(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;

	if (r->state != FUSE_SENT || !r->was_read || !list_is_empty(&r->interrupt_node))
		return;
	if (fuse_lacks(c, LACK_INTERRUPT))
		return;
	list_add_tail(&c->interrupts, &r->interrupt_node);
}

int
fuse_wait_ready(struct fuse_connection *c)
{
	if (wait_event_killable(&c->room, atomic_load(&c->ready) || !READ_ONCE(c->connected)))
		return -EINTR;
	if (!READ_ONCE(c->connected))
		return -ENOTCONN;
	return atomic_load(&c->refused) ? -ECONNREFUSED : 0;
}

/* Of those in the background one is done. How many others are to be read for it. */
static int
background_done_locked(struct fuse_request *r, enum fuse_state was)
{
	struct fuse_connection *c = r->conn;

	if (!r->in_background || was == FUSE_MADE)
		return 0;
	if (was != FUSE_WAITING)
		c->active--;
	return flush_background_locked(c);
}

void
fuse_request_finish(struct fuse_request *r, int error)
{
	struct fuse_connection *c = r->conn;
	bool orphan, was_queued;
	enum fuse_state was;
	int moved;

	spin_lock(&c->lock);
	was = r->state;
	if (was >= FUSE_ENDING) {
		spin_unlock(&c->lock);
		return;
	}
	list_del_init(&r->node);
	list_del_init(&r->interrupt_node);
	r->device = NULL;
	r->error = error;
	was_queued = was != FUSE_MADE;
	moved = background_done_locked(r, was);
	orphan = r->abandoned;
	r->state = FUSE_ENDING;
	spin_unlock(&c->lock);
	wake_readers(c, moved);
	if (r->end)
		r->end(r);
	if (orphan && !error)
		fuse_answer_orphan(r);
	put_files(r);
	/* The last that is done of it: who waits for none to be under way may free what it is about. */
	if (was_queued && atomic_sub_fetch(&c->waiting, 1) == 0)
		wake_all(&c->room);
	atomic_store_release(&r->state, FUSE_DONE);
	wake_all(&r->done);
	if (was_queued || r->in_background)
		fuse_request_put(r);
}

void
fuse_request_start(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;
	bool queued;
	int moved = 0;

	r->in_background = true;
	fuse_connection_get(c); /* as soon as it is queued `r` may be done and gone, and with it its reference */
	spin_lock(&c->lock);
	queued = c->connected;
	if (queued) {
		r->state = FUSE_WAITING;
		atomic_add(&c->waiting, 1);
		list_add_tail(&c->waiting_background, &r->node);
		moved = flush_background_locked(c);
	}
	spin_unlock(&c->lock);
	if (!queued)
		fuse_request_finish(r, -ENOTCONN);
	wake_readers(c, moved);
	fuse_connection_put(c);
}

/* --- waiting ------------------------------------------------------------------------------------------ */

static bool
is_done(const struct fuse_request *r)
{
	return atomic_load(&r->state) == FUSE_DONE;
}

/* A signal came: let the daemon know. */
static void
interrupt(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;

	spin_lock(&c->lock);
	r->interrupted = true;
	fuse_interrupt_locked(r);
	spin_unlock(&c->lock);
	wake_reader(c);
}

/*
 * The caller is being killed. It leaves the request to those who have it; true: it is done. What nobody has read
 * is taken back, but for what the daemon has to hear: a FLUSH by one who was killed.
 */
static bool
leave(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;
	bool done, unread;

	spin_lock(&c->lock);
	done = r->state >= FUSE_ENDING;
	unread = r->state == FUSE_PENDING && !r->force;
	r->abandoned = !done && !unread;
	if (unread) /* no reader finds it any more */
		list_del_init(&r->node);
	spin_unlock(&c->lock);
	if (unread)
		fuse_request_finish(r, -EINTR);
	if (done) /* who ends it waits for no daemon */
		wait_event(&r->done, is_done(r));
	return done;
}

static int
wait_for(struct fuse_request *r)
{
	if (wait_event_interruptible(&r->done, is_done(r)) == 0)
		return r->error;
	interrupt(r);
	if (wait_event_killable(&r->done, is_done(r)) == 0 || leave(r))
		return r->error;
	return -EINTR;
}

/* Onto the queue, with a reference of its own. False: the connection has ended. */
static bool
queue(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;
	bool queued;

	spin_lock(&c->lock);
	queued = c->connected;
	if (queued) {
		ref_get(&r->refs);
		atomic_add(&c->waiting, 1);
		queue_locked(c, r);
	}
	spin_unlock(&c->lock);
	if (queued)
		wake_reader(c);
	return queued;
}

int
fuse_request_call(struct fuse_request *r)
{
	int error = r->error;

	if (!error && !r->force)
		error = fuse_wait_ready(r->conn);
	if (error)
		return error;
	return queue(r) ? wait_for(r) : -ENOTCONN;
}

void
fuse_request_post(struct fuse_request *r)
{
	(void)queue(r);
	fuse_request_put(r);
}

int
fuse_request_do(struct fuse_request *r)
{
	int error = r ? fuse_request_call(r) : -ENOMEM;

	fuse_request_put(r);
	return error;
}

void
fuse_request_dump(const struct fuse_request *r)
{
	pr_info("    %lu %s node %lu pid %u, %s%s%s%s, error %d\n", r->head.unique, fuse_opcode_name(r->head.opcode),
		r->head.node, r->head.pid, state_names[r->state], r->in_background ? ", background" : "",
		r->interrupted ? ", interrupted" : "", r->abandoned ? ", abandoned" : "", r->error);
}
