/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - epoll(7): a set of files, watched for as long as they live.
 *
 * Each watched file has an item with waiters on the file's queues. A wake-up puts the item on the ready
 * list; epoll_wait takes items off it, asks the file what is true now, reports it, and, for level
 * triggering, puts the item back.
 *
 *             file's queue woken           epoll_wait: nothing true, or EPOLLET, or disarmed
 *   IDLE -----------------------> READY -----------------------------------------------> IDLE
 *                                   ^  \__ level triggered and still true: stays
 *
 * An item does not keep its file open. It goes when epoll_ctl deletes it, when the file's last
 * reference goes (file_watchers_gone), or with the epoll itself.
 *
 * Locks: watchers_lock (the item <-> file links of all epolls; also makes the loop check stable), then
 * epoll->lock (the set; held while files are asked, so an item that is being asked does not go), then
 * ready_lock, which is the last: wake-ups take it inside a wait queue's lock. An epoll may watch an
 * epoll; locks nest from watching to watched, and there are no loops, which is checked when an item
 * is added.
 *
 * An event goes up all ways from its file, through epolls that watch epolls, with interrupts off. Rows of epolls
 * that each watch all of the row below would make these as many as a power of their number, so how many ways of
 * each length a file may have is limited, as on Linux. Whoever searches marks what he has seen with the search's
 * number, and looks at each epoll once.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/file_lock.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/rbtree.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#define DEPTH_MAX   4      /* epolls inside epolls */
#define WAY_MAX     4      /* the longest way up from a file: epolls that are watched themselves */
#define QUEUES_MAX  4      /* wait queues that one file's poll may name */
#define MODE_BITS   (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

/* [w] watchers_lock  [e] epoll->lock  [r] ready_lock  [I] */
struct epoll {
	struct file *file;           /* [I] ours, not counted */
	struct mutex lock;           /* class EPOLL */
	struct rb_tree items;        /* [e] by file and number */
	uint32_t count;              /* [e] */
	struct spinlock ready_lock;  /* class EPOLL_READY */
	struct list ready;           /* [r] */
	struct wait_queue wait;      /* epoll_wait sleeps here */
	struct wait_queue poll_wait; /* who polls or watches this epoll */
	uint64_t searched;           /* [w] the search that has seen it last, */
	int levels;                  /* [w] and what that found */
};

struct epoll_item {
	struct rb_node node;         /* [e] */
	struct list file_node;       /* [w] file->watchers */
	struct list ready_node;      /* [r] on epoll->ready when it is_ready */
	bool is_ready;               /* [r] */
	struct epoll *epoll;         /* [I] */
	struct file *file;           /* [I] not counted */
	int fd;                      /* [I] */
	struct epoll_event event;    /* [e]; events are read by wake-ups: POLL_ALWAYS is among them, and
					no event at all means disarmed by EPOLLONESHOT */
	uint32_t queues;             /* [e] */
	struct waiter waiter[QUEUES_MAX];
};

/* While an item is being put on its file's queues. */
struct item_table {
	struct poll_table table;
	struct epoll_item *item;
	bool too_many;
};

static struct mutex watchers_lock = MUTEX_INIT(watchers_lock, EPOLL_WATCHERS);
static uint64_t search; /* watchers_lock */

/* How many ways up from a file may pass so many epolls below the last: Linux's numbers; 0: any. */
static const uint32_t ways_max[WAY_MAX + 1] = { 0, 500, 100, 50, 10 };

static const struct file_ops epoll_ops;

bool
file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static struct epoll *
epoll_of(struct file *f)
{
	return f->private;
}

/* --- readiness ---------------------------------------------------------------------------------- */

/* Put the item on the ready list. True: it was not there. */
static bool
make_ready(struct epoll_item *i)
{
	struct epoll *ep = i->epoll;
	uint64_t flags = spin_lock_irq(&ep->ready_lock);
	bool fresh = !i->is_ready;

	if (fresh) {
		i->is_ready = true;
		list_add_tail(&ep->ready, &i->ready_node);
	}
	spin_unlock_irq(&ep->ready_lock, flags);
	return fresh;
}

/* True: one who slept in epoll_wait wakes. */
static bool
tell_waiters(struct epoll *ep)
{
	bool woke = wake_one(&ep->wait);

	wake_poll(&ep->poll_wait, POLLIN | POLLRDNORM);
	return woke;
}

/*
 * A queue of the file was woken. Its lock is held, interrupts are off. Of the epolls that watch with EPOLLEXCLUSIVE one is
 * enough, but only one at which somebody sleeps: the others may never look again.
 */
static bool
item_woken(struct waiter *w, uint32_t key)
{
	struct epoll_item *i = w->private;
	uint32_t wanted = READ_ONCE(i->event.events) & ~MODE_BITS;

	if (wanted == 0 || (key && !(key & wanted)))
		return false;
	make_ready(i);
	return tell_waiters(i->epoll);
}

static void
add_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct item_table *it = container_of(pt, struct item_table, table);
	struct epoll_item *i = it->item;
	struct waiter *w;

	if (i->queues == QUEUES_MAX) {
		it->too_many = true;
		return;
	}
	w = &i->waiter[i->queues++];
	waiter_init(w, NULL);
	w->wake = item_woken;
	w->private = i;
	w->exclusive = i->event.events & EPOLLEXCLUSIVE;
	waiter_add(q, w);
}

static uint32_t
item_ask(struct epoll_item *i, struct poll_table *pt)
{
	uint32_t events = i->event.events & ~MODE_BITS;

	if (pt)
		pt->events = events;
	return file_poll(i->file, pt) & events;
}

/* --- the set ------------------------------------------------------------------------------------ */

static int
compare(const struct epoll_item *i, const struct file *f, int fd)
{
	if (i->file != f)
		return (uintptr_t)f < (uintptr_t)i->file ? -1 : 1;
	return fd < i->fd ? -1 : fd > i->fd;
}

static struct epoll_item *
item_find(struct epoll *ep, struct file *f, int fd)
{
	struct rb_node *n = ep->items.root;

	while (n) {
		struct epoll_item *i = container_of(n, struct epoll_item, node);
		int order = compare(i, f, fd);

		if (order == 0)
			return i;
		n = order < 0 ? n->left : n->right;
	}
	return NULL;
}

static void
item_insert(struct epoll *ep, struct epoll_item *new_item)
{
	struct rb_node **link = &ep->items.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(container_of(parent, struct epoll_item, node), new_item->file,
			       new_item->fd) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&ep->items, &new_item->node, parent, link);
	ep->count++;
}

/* watchers_lock and ep->lock held. After the waiters are off, no wake-up knows the item. */
static void
item_remove(struct epoll *ep, struct epoll_item *i)
{
	uint64_t flags;

	for (uint32_t q = 0; q < i->queues; q++)
		waiter_remove(&i->waiter[q]);
	flags = spin_lock_irq(&ep->ready_lock);
	if (i->is_ready)
		list_del(&i->ready_node);
	spin_unlock_irq(&ep->ready_lock, flags);
	list_del(&i->file_node);
	rb_erase(&ep->items, &i->node);
	ep->count--;
	kfree(i);
}

/* How many epolls, one above the other, watch `ep`? watchers_lock held, a new search. */
static int
levels_above(struct epoll *ep)
{
	struct epoll_item *i;
	int most = 0;

	if (ep->searched == search)
		return ep->levels;
	list_for_each(i, &ep->file->watchers, file_node)
		most = MAX(most, 1 + levels_above(i->epoll));
	ep->searched = search;
	ep->levels = most;
	return most;
}

/* How many, one below the other, does it watch? -ELOOP: `target` is one of them, or it is `target`. The same. */
static int
levels_below(struct epoll *ep, const struct epoll *target)
{
	int most = 0;

	if (ep == target)
		return -ELOOP;
	if (ep->searched == search)
		return ep->levels;
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct file *f = container_of(n, struct epoll_item, node)->file;
		int levels = file_is_epoll(f) ? levels_below(epoll_of(f), target) : -1;

		if (levels == -ELOOP)
			return levels;
		most = MAX(most, levels + 1);
	}
	ep->searched = search;
	ep->levels = most;
	return most;
}

/* May `ep` watch `watched`, without a loop and without too many levels? watchers_lock held. 0 or -ELOOP. */
static int
check_nesting(struct epoll *ep, struct epoll *watched)
{
	int above, below;

	search++;
	above = levels_above(ep);
	search++;
	below = levels_below(watched, ep);
	return below < 0 || 1 + above + below > DEPTH_MAX ? -ELOOP : 0;
}

/* Count the ways up from `f`, which `length` epolls are below. True: too many. watchers_lock held. */
static bool
too_many_ways(struct file *f, uint32_t length, uint32_t ways[WAY_MAX + 1])
{
	struct epoll_item *i;

	if (length > WAY_MAX)
		return true;
	list_for_each(i, &f->watchers, file_node) {
		struct file *above = i->epoll->file;

		if (!list_is_empty(&above->watchers)) {
			if (too_many_ways(above, length + 1, ways))
				return true;
		} else if (ways_max[length] && ++ways[length] > ways_max[length]) {
			return true;
		}
	}
	return false;
}

/* Is there a file at or below `f` with too many ways up? watchers_lock held, a new search. */
static bool
is_crowded(struct file *f)
{
	uint32_t ways[WAY_MAX + 1] = { 0 };
	struct epoll *ep;

	if (!file_is_epoll(f)) {
		if (f->epoll_search == search)
			return false;
		f->epoll_search = search;
		return too_many_ways(f, 0, ways);
	}
	ep = epoll_of(f);
	if (ep->searched == search)
		return false;
	ep->searched = search;
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n))
		if (is_crowded(container_of(n, struct epoll_item, node)->file))
			return true;
	return false;
}

static int
item_add(struct epoll *ep, int fd, struct file *f, const struct epoll_event *event)
{
	struct epoll_item *i = kzalloc(sizeof(*i));
	struct item_table it = { .table.add = add_queue, .item = i };

	if (!i)
		return -ENOMEM;
	i->epoll = ep;
	i->file = f;
	i->fd = fd;
	i->event = *event;
	i->event.events |= POLL_ALWAYS;
	item_insert(ep, i);
	list_add_tail(&f->watchers, &i->file_node);
	if (item_ask(i, &it.table) && make_ready(i))
		tell_waiters(ep);
	if (it.too_many) {
		item_remove(ep, i);
		return -ENOSPC;
	}
	if (file_is_epoll(f) || !list_is_empty(&ep->file->watchers)) {
		search++;
		if (is_crowded(f)) {
			item_remove(ep, i);
			return -EINVAL;
		}
	}
	return 0;
}

static int
item_modify(struct epoll *ep, struct epoll_item *i, const struct epoll_event *event)
{
	if ((i->event.events | event->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	/* a wake-up between the two sees the new events, or item_ask() sees what woke it */
	i->event.data = event->data;
	WRITE_ONCE(i->event.events, event->events | POLL_ALWAYS);
	memory_barrier();
	if (item_ask(i, NULL) && make_ready(i))
		tell_waiters(ep);
	return 0;
}

int
epoll_control(struct file *epoll, int op, int fd, struct file *f, const struct epoll_event *event)
{
	struct epoll *ep;
	struct epoll_item *i;
	int error = 0;

	if (f == epoll || !file_is_epoll(epoll))
		return -EINVAL;
	if (!f->ops->poll)
		return -EPERM;
	if (op != 2 && (event->events & EPOLLEXCLUSIVE)) {
		if (op == 3 || file_is_epoll(f) ||
		    (event->events & ~(MODE_BITS | POLLIN | POLLOUT | POLL_ALWAYS | POLLRDNORM |
				       POLLWRNORM | POLLRDBAND | POLLWRBAND)) ||
		    (event->events & EPOLLONESHOT))
			return -EINVAL;
	}
	ep = epoll_of(epoll);
	mutex_lock(&watchers_lock);
	if (op == 1 && file_is_epoll(f))
		error = check_nesting(ep, epoll_of(f));
	mutex_lock(&ep->lock);
	i = item_find(ep, f, fd);
	if (!error) {
		switch (op) {
		case 1: error = i ? -EEXIST : item_add(ep, fd, f, event); break;
		case 2:
			if (i)
				item_remove(ep, i);
			else
				error = -ENOENT;
			break;
		case 3: error = i ? item_modify(ep, i, event) : -ENOENT; break;
		default: error = -EINVAL; break;
		}
	}
	mutex_unlock(&ep->lock);
	mutex_unlock(&watchers_lock);
	return error;
}

void
file_watchers_gone(struct file *f)
{
	struct epoll_item *i, *tmp;

	/* Both links: an epoll that is being released may be between its stores into the two. */
	if (READ_ONCE(f->watchers.next) == &f->watchers && READ_ONCE(f->watchers.prev) == &f->watchers)
		return;
	mutex_lock(&watchers_lock);
	list_for_each_safe(i, tmp, &f->watchers, file_node) {
		struct epoll *ep = i->epoll;

		mutex_lock(&ep->lock);
		item_remove(ep, i);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&watchers_lock);
}

/* --- waiting ------------------------------------------------------------------------------------ */

static bool
any_ready(struct epoll *ep)
{
	return !list_is_empty(&ep->ready);
}

/*
 * Report up to `max` items. Each is taken off the ready list before its file is asked, so that an event
 * that comes while it is being asked puts it back: nothing is lost. Items that stay ready go to the
 * tail afterwards, so that busy files do not starve the others, and the next sleeper is told of them. An event
 * that the taker refuses stays as it was, the first of the list: its error counts when it is the first too.
 */
static int
collect(struct epoll *ep, const struct epoll_taker *taker, int max)
{
	struct list taken = LIST_INIT(taken), again = LIST_INIT(again);
	struct epoll_item *i;
	uint64_t flags;
	int done = 0, error = 0;

	mutex_lock_nested(&ep->lock);
	flags = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&taken, &ep->ready);
	while (done < max && (i = list_first(&taken, struct epoll_item, ready_node)) != NULL) {
		uint32_t events;

		list_del(&i->ready_node);
		i->is_ready = false;
		spin_unlock_irq(&ep->ready_lock, flags);
		events = item_ask(i, NULL);
		if (events && taker) {
			struct epoll_event e = { .events = events, .data = i->event.data };

			error = taker->take(taker->context, done, &e);
			if (!error && (i->event.events & EPOLLONESHOT))
				WRITE_ONCE(i->event.events, i->event.events & MODE_BITS);
		}
		flags = spin_lock_irq(&ep->ready_lock);
		if (error) {
			if (!i->is_ready)
				list_add(&taken, &i->ready_node);
			i->is_ready = true;
			break;
		}
		if (!events)
			continue;
		done++;
		if ((!taker || !(i->event.events & (EPOLLET | EPOLLONESHOT))) && !i->is_ready) {
			i->is_ready = true;
			list_add_tail(&again, &i->ready_node);
		}
	}
	/* what was not looked at keeps its place before what came meanwhile */
	list_splice_tail(&taken, &ep->ready);
	list_splice_tail(&taken, &again);
	list_splice_tail(&ep->ready, &taken);
	spin_unlock_irq(&ep->ready_lock, flags);
	mutex_unlock(&ep->lock);
	if (taker && (done > 0 || error) && any_ready(ep))
		wake_one(&ep->wait);
	return done ? done : error;
}

long
epoll_wait_events(struct file *epoll, const struct epoll_taker *taker, int max, deadline_t until)
{
	struct epoll *ep = epoll_of(epoll);
	bool interrupted = false;

	for (;;) {
		struct waiter w;
		int done = any_ready(ep) ? collect(ep, taker, max) : 0;
		int error = 0;

		if (done != 0 || until == 0)
			return done;
		if (interrupted)
			return -EINTR;
		waiter_init(&w, current_thread());
		w.exclusive = true;
		waiter_add(&ep->wait, &w);
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (!any_ready(ep))
			error = wait_sleep_exclusive(&w, WAIT_INTERRUPTIBLE, until);
		wait_finish();
		waiter_remove(&w);
		if (error && !any_ready(ep))
			return error == -ETIMEDOUT ? 0 : error;
		if (error == -EINTR)
			interrupted = true; /* one last look: an event beats the signal */
	}
}

/* --- the file ----------------------------------------------------------------------------------- */

/* Readable when an event would be reported; asks the files, as Linux does. */
static uint32_t
epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = epoll_of(f);

	poll_wait(pt, f, &ep->poll_wait);
	if (!any_ready(ep))
		return 0;
	return collect(ep, NULL, 1) > 0 ? POLLIN | POLLRDNORM : 0;
}

static void
epoll_release(struct file *f)
{
	struct epoll *ep = epoll_of(f);
	struct rb_node *n;

	mutex_lock(&watchers_lock);
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)) != NULL)
		item_remove(ep, container_of(n, struct epoll_item, node));
	mutex_unlock(&ep->lock);
	mutex_unlock(&watchers_lock);
	kfree(ep);
}

static void
epoll_dump(struct file *f)
{
	struct epoll *ep = epoll_of(f);

	pr_info("epoll: %u files%s", ep->count, any_ready(ep) ? ", some ready" : "");
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epoll_item *i = container_of(n, struct epoll_item, node);

		pr_info("  fd %d (%s) events %#x%s", i->fd, i->file->ops->name, i->event.events,
			i->is_ready ? " ready" : "");
	}
}

static void
epoll_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct epoll *ep = epoll_of(f);

	mutex_lock(&ep->lock);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epoll_item *i = container_of(n, struct epoll_item, node);

		print(ctx, "tfd: %8d events: %8x data: %16lx\n", i->fd, i->event.events, i->event.data);
	}
	mutex_unlock(&ep->lock);
}

int
epoll_target(struct file *epoll, int fd, uint32_t which, uint64_t *id)
{
	struct epoll *ep;
	int error = -ENOENT;

	if (!file_is_epoll(epoll))
		return -EINVAL;
	ep = epoll_of(epoll);
	mutex_lock(&ep->lock);
	for (struct rb_node *n = rb_first(&ep->items); n && error; n = rb_next(n)) {
		struct epoll_item *i = container_of(n, struct epoll_item, node);

		if (i->fd == fd && which-- == 0) {
			*id = i->file->id;
			error = 0;
		}
	}
	mutex_unlock(&ep->lock);
	return error;
}

static const struct file_ops epoll_ops = {
	.name = "eventpoll",
	.poll = epoll_poll,
	.release = epoll_release,
	.dump = epoll_dump,
	.fdinfo = epoll_fdinfo,
};

struct file *
epoll_create_file(void)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	struct file *f;

	if (!ep)
		return NULL;
	mutex_init(&ep->lock, LOCK_EPOLL);
	spin_init(&ep->ready_lock, LOCK_EPOLL_READY);
	list_init(&ep->ready);
	wait_queue_init(&ep->wait);
	wait_queue_init(&ep->poll_wait);
	f = anonymous_file_create(&epoll_ops, O_RDWR, ep);
	if (!f)
		kfree(ep);
	else
		ep->file = f;
	return f;
}
