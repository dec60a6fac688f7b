/* SPDX-License-Identifier: MIT */
/*
 * connection.c - a connection to a daemon: its birth, what INIT agrees on, its end.
 *
 *	          mount              INIT's answer
 *	created --------> CONNECTED ---------------> READY --+-- abort: unmounted, told to, the last device closed
 *	                      |                              v
 *	                      +------------------------> ENDED: ENODEV to readers, ENOTCONN to callers
 *
 * The file system stays mounted when its daemon is gone; every call that needs the daemon fails until it is unmounted.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

#define COMPLAINTS_MAX 16u /* log lines about one daemon */
#define OLDEST_MINOR   12u /* of 2009; before it messages had other lengths */

/* What we offer, in the order of Linux 6.1. */
#define OFFERED                                                                                    \
	(FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC | FUSE_EXPORT_SUPPORT | FUSE_BIG_WRITES | \
	 FUSE_DONT_MASK | FUSE_SPLICE_WRITE | FUSE_SPLICE_MOVE | FUSE_SPLICE_READ | FUSE_FLOCK_LOCKS |      \
	 FUSE_HAS_IOCTL_DIR | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |          \
	 FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE | FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS |              \
	 FUSE_HANDLE_KILLPRIV | FUSE_POSIX_ACL | FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |  \
	 FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | \
	 FUSE_INIT_EXT | FUSE_SECURITY_CTX | FUSE_HAS_INODE_DAX | FUSE_HAS_EXPIRE_ONLY)

static struct spinlock connections_lock = SPINLOCK_INIT(FUSE_NODES);
static struct list connections = LIST_INIT(connections); /* connections_lock */

static const struct {
	uint32_t number;
	const char *name;
} opcodes[] = {
#define FUSE_OPCODE_NAME(name, number) { number, #name },
	FUSE_OPCODES(FUSE_OPCODE_NAME)
#undef FUSE_OPCODE_NAME
};

const char *
fuse_opcode_name(uint32_t opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		if (opcodes[i].number == opcode)
			return opcodes[i].name;
	return "?";
}

struct fuse_connection *
fuse_connection_create(void)
{
	struct fuse_connection *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->refs);
	spin_init(&c->lock, LOCK_FUSE);
	spin_init(&c->nodes_lock, LOCK_FUSE_NODES);
	rwlock_init(&c->alive, LOCK_FUSE_ALIVE);
	list_init(&c->all_node);
	list_init(&c->pending);
	list_init(&c->interrupts);
	list_init(&c->waiting_background);
	list_init(&c->devices);
	list_init(&c->pollers);
	wait_queue_init(&c->input);
	wait_queue_init(&c->room);
	c->forgets_end = &c->forgets;
	c->user_ns = current_cred()->user_ns;
	namespace_get(&c->user_ns->ns);
	c->pid_ns = current_pid_namespace();
	namespace_get(&c->pid_ns->ns);
	c->max_background = FUSE_BACKGROUND_DEFAULT;
	c->congestion = FUSE_CONGESTION_DEFAULT;
	c->max_pages = FUSE_PAGES_DEFAULT;
	c->max_write = PAGE_SIZE;
	c->max_read = UINT32_MAX;
	c->granularity = 1;
	c->attr_version = 1;
	random_bytes(c->owner_key, sizeof(c->owner_key));
	c->connected = true;
	return c;
}

static void
drop_forgets(struct fuse_forget *f)
{
	while (f) {
		struct fuse_forget *next = f->next;

		kfree(f);
		f = next;
	}
}

void
fuse_connection_put(struct fuse_connection *c)
{
	if (!ref_put(&c->refs))
		return;
	assert(list_is_empty(&c->pending) && list_is_empty(&c->devices) && !c->nodes.root && !c->listed);
	drop_forgets(c->forgets);
	kfree(c->cuse);
	namespace_put(&c->user_ns->ns);
	namespace_put(&c->pid_ns->ns);
	kfree(c);
}

void
fuse_connection_list(struct fuse_connection *c)
{
	spin_lock(&connections_lock);
	list_add_tail(&connections, &c->all_node);
	c->listed = true;
	spin_unlock(&connections_lock);
}

void
fuse_connection_unlist(struct fuse_connection *c)
{
	spin_lock(&connections_lock);
	if (c->listed)
		list_del(&c->all_node);
	c->listed = false;
	spin_unlock(&connections_lock);
}

struct fuse_connection *
fuse_connection_find(uint32_t number)
{
	struct fuse_connection *c, *found = NULL;

	spin_lock(&connections_lock);
	list_for_each(c, &connections, all_node)
		if (c->number == number && ref_get_unless_zero(&c->refs)) {
			found = c;
			break;
		}
	spin_unlock(&connections_lock);
	return found;
}

void
fuse_connections_visit(void (*fn)(void *ctx, struct fuse_connection *c), void *ctx)
{
	struct fuse_connection *c;

	spin_lock(&connections_lock);
	list_for_each(c, &connections, all_node)
		fn(ctx, c);
	spin_unlock(&connections_lock);
}

void
fuse_connections_visit_unlocked(void (*fn)(void *ctx, struct fuse_connection *c), void *ctx)
{
	struct fuse_connection *c;

	list_for_each(c, &connections, all_node)
		fn(ctx, c);
}

void
fuse_complain(struct fuse_connection *c, const char *what, uint64_t about)
{
	uint64_t n = atomic_fetch_add(&c->complaints, 1);

	atomic_add(&c->errors, 1);
	if (n < COMPLAINTS_MAX)
		pr_warn("fuse: connection %u: %s (%#lx)%s\n", c->number, what, about,
			n == COMPLAINTS_MAX - 1 ? "; no more is told of it" : "");
}

/* --- who may ---------------------------------------------------------------------------------------- */

/*
 * A daemon sees what its callers do and can make them wait for ever. So only the one who mounted it becomes its
 * caller, unless root allowed others; and one who runs a program with other rights on top is not that one.
 */
bool
fuse_may_access(const struct fuse_connection *c)
{
	const struct cred *cred = current_cred();

	if (c->allow_other)
		return user_namespace_is_inside(cred->user_ns, c->user_ns);
	return cred->euid == c->user && cred->suid == c->user && cred->uid == c->user && cred->egid == c->group &&
	       cred->sgid == c->group && cred->gid == c->group;
}

/* --- INIT ------------------------------------------------------------------------------------------- */

static void
use_limits(struct fuse_connection *c, const struct fuse_init_out *out)
{
	spin_lock(&c->lock);
	if (out->max_background)
		c->max_background = out->max_background;
	if (out->congestion_threshold)
		c->congestion = out->congestion_threshold;
	spin_unlock(&c->lock);
}

/* The flags of an old daemon mean more than they say. */
static uint64_t
agreed_flags(const struct fuse_init_out *out)
{
	uint64_t flags = out->flags;

	if (flags & FUSE_INIT_EXT)
		flags |= (uint64_t)out->flags2 << 32;
	if (out->minor < 17 && (flags & FUSE_POSIX_LOCKS))
		flags |= FUSE_FLOCK_LOCKS;
	return flags & OFFERED;
}

static void
use_init(struct fuse_connection *c, const struct fuse_init_out *out)
{
	c->minor = out->minor;
	c->flags = agreed_flags(out);
	if (out->minor >= 13)
		use_limits(c, out);
	c->max_readahead = MIN(out->max_readahead, (uint32_t)FUSE_READAHEAD);
	if (c->flags & FUSE_MAX_PAGES)
		c->max_pages = MIN(FUSE_PAGES_MAX, MAX((uint32_t)out->max_pages, 1u));
	if (out->time_granularity && out->time_granularity <= NSEC_PER_SEC)
		c->granularity = out->time_granularity;
	if (c->flags & FUSE_POSIX_ACL)
		c->default_permissions = true;
	c->max_write = MAX(out->max_write, (uint32_t)PAGE_SIZE);
	if (c->backing) {
		uint32_t most = MIN(c->max_write, MAX(c->max_read, (uint32_t)PAGE_SIZE));

		c->backing->run_pages = MIN(c->max_pages, most / (uint32_t)PAGE_SIZE);
		c->backing->readahead_pages = c->max_readahead / (uint32_t)PAGE_SIZE;
	}
}

static void
init_answered(struct fuse_request *r)
{
	const struct fuse_init_out *out = r->out;
	struct fuse_connection *c = r->conn;

	if (r->error || out->major != FUSE_MAJOR || out->minor < OLDEST_MINOR) {
		if (!r->error)
			fuse_complain(c, "speaks another version", (uint64_t)out->major << 32 | out->minor);
		atomic_store(&c->refused, true);
	} else {
		use_init(c, out);
	}
	atomic_store(&c->ready, true);
	wake_all(&c->room);
}

int
fuse_send_init(struct fuse_connection *c)
{
	struct fuse_init_in in = {
		.major = FUSE_MAJOR,
		.minor = FUSE_MINOR,
		.max_readahead = FUSE_READAHEAD,
		.flags = (uint32_t)OFFERED,
		.flags2 = (uint32_t)(OFFERED >> 32),
	};
	struct fuse_request *r = fuse_request_make(c, FUSE_INIT, 0, &in, sizeof(in), NULL, NULL);

	if (!r)
		return -ENOMEM;
	fuse_request_wants(r, sizeof(struct fuse_init_out), true);
	fuse_request_force(r);
	r->end = init_answered;
	fuse_request_start(r);
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* Somebody's requests onto `out`, where others may still end them. conn->lock is held. */
static void
take_all_locked(struct list *from, struct list *out)
{
	struct fuse_request *r;

	while ((r = list_first(from, struct fuse_request, node)) != NULL) {
		list_del(&r->node);
		list_add_tail(out, &r->node);
	}
}

static void
fail_all(struct fuse_connection *c, struct list *failed, int error)
{
	for (;;) {
		struct fuse_request *r;

		spin_lock(&c->lock);
		r = list_first(failed, struct fuse_request, node);
		if (r) {
			list_del_init(&r->node);
			ref_get(&r->refs); /* who ends it takes it off the list first, and then gives up its own */
		}
		spin_unlock(&c->lock);
		if (!r)
			return;
		fuse_request_finish(r, error);
		fuse_request_put(r);
	}
}

/* Who polls its files looks again. */
static void
wake_pollers(struct fuse_connection *c)
{
	struct fuse_file *ff;

	spin_lock(&c->lock);
	list_for_each(ff, &c->pollers, poll_node)
		wake_poll(&ff->poll, POLLERR | POLLHUP | POLLIN | POLLOUT);
	spin_unlock(&c->lock);
}

void
fuse_abort(struct fuse_connection *c)
{
	struct list failed = LIST_INIT(failed);
	struct fuse_forget *forgets;
	struct fuse_device *d;

	spin_lock(&c->lock);
	if (!c->connected) {
		spin_unlock(&c->lock);
		return;
	}
	WRITE_ONCE(c->connected, false);
	c->max_background = UINT32_MAX;
	take_all_locked(&c->waiting_background, &failed);
	take_all_locked(&c->pending, &failed);
	list_for_each(d, &c->devices, node)
		take_all_locked(&d->sent, &failed);
	forgets = c->forgets;
	c->forgets = NULL;
	c->forgets_end = &c->forgets;
	spin_unlock(&c->lock);
	fail_all(c, &failed, -ECONNABORTED);
	drop_forgets(forgets);
	wake_poll(&c->input, POLLERR);
	wake_all(&c->room);
	wake_pollers(c);
}

bool
fuse_device_attach(struct fuse_device *d, struct fuse_connection *c)
{
	struct fuse_connection *none = NULL;
	bool ours;

	fuse_connection_get(c);
	spin_lock(&c->lock);
	ours = atomic_cas(&d->conn, &none, c);
	if (ours)
		list_add_tail(&c->devices, &d->node);
	spin_unlock(&c->lock);
	if (!ours)
		fuse_connection_put(c);
	return ours;
}

void
fuse_device_end(struct fuse_device *d)
{
	struct list failed = LIST_INIT(failed);
	struct fuse_connection *c = d->conn;
	bool last;

	if (!c)
		return;
	spin_lock(&c->lock);
	last = d->node.next == d->node.prev; /* nobody else is on the list */
	spin_unlock(&c->lock);
	if (last) /* while it is listed: nobody who comes between gets another error than those who come later */
		fuse_abort(c);
	spin_lock(&c->lock);
	take_all_locked(&d->sent, &failed);
	list_del(&d->node);
	last = list_is_empty(&c->devices);
	spin_unlock(&c->lock);
	fail_all(c, &failed, -ECONNABORTED);
	if (last) /* two were closed at once */
		fuse_abort(c);
	fuse_connection_put(c);
}
