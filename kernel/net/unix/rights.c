/* SPDX-License-Identifier: MIT */
/*
 * rights.c - bundles of files on their way through a socket.
 *
 * Dropping a file may close a socket, which drops the messages in its queue, which may hold more
 * sockets: a program can build such a chain as long as it likes. So the drop of a bundle that happens
 * inside another drop of the same thread is only queued, and the outer one carries it out.
 *
 * Lock: drains_lock (LEAF) covers the list of threads that are dropping and their queues.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/slab.h>
#include <tessera/socket.h>
#include <tessera/thread.h>

/* On the stack of the thread that drops. */
struct drain {
	struct list node;           /* drains_lock: in drains */
	struct thread *thread;      /* [I] */
	struct list pending;        /* drains_lock: struct socket_rights.node */
};

static struct spinlock drains_lock = SPINLOCK_INIT(LEAF);
static struct list drains = LIST_INIT(drains); /* drains_lock */

struct socket_rights *
socket_rights_create(void)
{
	struct socket_rights *r = kzalloc(sizeof(*r));

	if (r)
		r->sender = current_cred()->uid;
	return r;
}

/* True: an outer drop of this thread will do it. */
static bool
leave_to_outer(struct socket_rights *r, struct drain *mine)
{
	uint64_t flags = spin_lock_irq(&drains_lock);
	struct drain *d;
	bool found = false;

	list_for_each (d, &drains, node)
		if (d->thread == mine->thread) {
			list_add_tail(&d->pending, &r->node);
			found = true;
			break;
		}
	if (!found)
		list_add(&drains, &mine->node);
	spin_unlock_irq(&drains_lock, flags);
	return found;
}

/* What inner drops have queued; NULL: nothing, and the drain is off the list. */
static struct socket_rights *
next_pending(struct drain *mine)
{
	uint64_t flags = spin_lock_irq(&drains_lock);
	struct socket_rights *r = list_first(&mine->pending, struct socket_rights, node);

	list_del(r ? &r->node : &mine->node);
	spin_unlock_irq(&drains_lock, flags);
	return r;
}

void
socket_rights_drop(struct socket_rights *r)
{
	struct drain mine = { .thread = current_thread() };

	if (!r)
		return;
	list_init(&mine.pending);
	if (leave_to_outer(r, &mine))
		return;
	for (; r; r = next_pending(&mine)) {
		for (uint32_t i = 0; i < r->count; i++)
			file_put(r->entry[i].file);
		kfree(r);
	}
}
