/* SPDX-License-Identifier: MIT */
/*
 * fanotify_read.c - events as programs read them, answers as they write them: fanotify(7).
 *
 * A record is a header, then records of keys, names and a pidfd, each a multiple of 4 bytes:
 *
 *   header      0 length u32   4 version u8   6 header length u16   8 what u64   16 fd s32   20 pid s32
 *   keys        0 type u8   2 length u16   4 file system s32[2]   12 key bytes u32   16 key type s32
 *               20 generation u32   24 inode u64 (in halves)   32 name with its NUL
 *   pidfd       0 type u8   2 length u16   4 pidfd s32
 *
 * Files are opened for the reader as his group said, without permission being asked: he has seen them happen.
 */
#include <tessera/errno.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fanotify.h"
#include "vfs.h"

#define VERSION 3
#define NO_FD   -1 /* no pidfd either: the process is gone */
#define BAD_FD  -2

enum info_type {
	INFO_FILE = 1,
	INFO_DIRECTORY_NAME = 2,
	INFO_DIRECTORY = 3,
	INFO_PIDFD = 4,
	INFO_OLD_NAME = 10,
	INFO_NEW_NAME = 12,
};

struct event_header {
	uint32_t length;
	uint8_t version, reserved;
	uint16_t header_length;
	uint64_t what;
	int32_t fd, pid;
};
_Static_assert(sizeof(struct event_header) == 24, "struct fanotify_event_metadata");

struct key_info {
	uint8_t type, pad;
	uint16_t length;
	int32_t filesystem[2];
	uint32_t key_bytes;
	int32_t key_type;
	uint32_t generation, inode_low, inode_high;
};
_Static_assert(sizeof(struct key_info) == 32, "struct fanotify_event_info_fid with a handle");

struct pidfd_info {
	uint8_t type, pad;
	uint16_t length;
	int32_t pidfd;
};
_Static_assert(sizeof(struct pidfd_info) == 8, "struct fanotify_event_info_pidfd");

struct response {
	int32_t fd;
	uint32_t answer;
};

/* A record being put together. */
struct record {
	size_t used;
	uint8_t bytes[sizeof(struct event_header) + 3 * sizeof(struct key_info) + sizeof(struct pidfd_info) +
		      2 * (NAME_MAX + 1)];
};

/* Handles that the record brings, not in the table yet. */
struct brought {
	int fd, pidfd;
	struct file *file, *pidfd_file;
};

/* --- sizes --------------------------------------------------------------------------------------- */

static size_t
key_size(size_t name_length)
{
	return sizeof(struct key_info) + (name_length ? ALIGN_UP(name_length + 1, 4ul) : 0);
}

/* "." stands for a directory that has no name recorded. */
static bool
is_dot(const struct fanotify *n, const struct fanotify_event *e)
{
	return e->object.there && !e->dir.there && !e->new_dir.there && (n->shape.report & FANOTIFY_NAME) &&
	       (e->what & NOTIFY_DIR);
}

size_t
fanotify_event_size(const struct fanotify *n, const struct fanotify_event *e)
{
	size_t size = sizeof(struct event_header);

	if (e->dir.there)
		size += key_size(e->name_length);
	if (e->new_dir.there)
		size += key_size(e->new_name_length);
	if (e->object.there)
		size += key_size(is_dot(n, e) ? 1 : 0);
	if (n->shape.report & FANOTIFY_PIDFD)
		size += sizeof(struct pidfd_info);
	return size;
}

/* --- putting a record together -------------------------------------------------------------------- */

static void *
grow(struct record *r, size_t size)
{
	void *at = r->bytes + r->used;

	assert(r->used + size <= sizeof(r->bytes));
	memset(at, 0, size);
	r->used += size;
	return at;
}

static void
put_key(struct record *r, enum info_type type, const struct fanotify_key *k, const char *name, size_t length)
{
	struct key_info *i = grow(r, key_size(length));

	*i = (struct key_info){
		.type = (uint8_t)type,
		.length = (uint16_t)key_size(length),
		.filesystem = { k->filesystem[0], k->filesystem[1] },
		.key_bytes = 12,
		.key_type = 1,
		.generation = k->key.generation,
		.inode_low = (uint32_t)k->key.inode,
		.inode_high = (uint32_t)(k->key.inode >> 32),
	};
	memcpy(i + 1, name, length);
}

static void
put_object(struct record *r, const struct fanotify *n, const struct fanotify_event *e)
{
	enum info_type type = INFO_FILE;

	if ((n->shape.report & FANOTIFY_KEYS) == FANOTIFY_FILE || e->dir.there || e->new_dir.there)
		type = INFO_FILE;
	else if (is_dot(n, e))
		type = INFO_DIRECTORY_NAME;
	else if (e->what & (NOTIFY_ENTRY_EVENTS | NOTIFY_DIR))
		type = INFO_DIRECTORY;
	put_key(r, type, &e->object, ".", is_dot(n, e) ? 1 : 0);
}

static void
put_keys(struct record *r, const struct fanotify *n, const struct fanotify_event *e)
{
	if (e->dir.there)
		put_key(r,
			e->what & NOTIFY_RENAME ? INFO_OLD_NAME
			: e->name_length        ? INFO_DIRECTORY_NAME
						: INFO_DIRECTORY,
			&e->dir, e->names, e->name_length);
	if (e->new_dir.there)
		put_key(r, INFO_NEW_NAME, &e->new_dir, e->names + e->name_length + 1, e->new_name_length);
	if (e->object.there)
		put_object(r, n, e);
}

/* --- what it brings ------------------------------------------------------------------------------- */

static void
forget(struct brought *b)
{
	struct handle_table *t = current_process()->handles;

	if (b->fd >= 0) {
		handle_unreserve(t, b->fd);
		file_put(b->file);
	}
	if (b->pidfd >= 0) {
		handle_unreserve(t, b->pidfd);
		file_put(b->pidfd_file);
	}
}

static void
install(struct brought *b, bool cloexec)
{
	struct handle_table *t = current_process()->handles;

	if (b->fd >= 0)
		handle_install(t, b->fd, b->file, handle_rights_of(b->file), cloexec);
	if (b->pidfd >= 0)
		handle_install(t, b->pidfd, b->pidfd_file, RIGHT_ALL, true);
}

static int
reserve(void)
{
	return handle_reserve(current_process()->handles, 0,
			      (uint32_t)MIN(process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)INT32_MAX));
}

static int
bring_file(const struct fanotify *n, const struct fanotify_event *e, struct brought *b)
{
	int fd = reserve(), error;

	if (fd < 0)
		return fd;
	error = vfs_open_unwatched(&e->path, n->shape.open_flags & ~O_CLOEXEC, &b->file);
	if (error) {
		handle_unreserve(current_process()->handles, fd);
		return error;
	}
	b->fd = fd;
	return 0;
}

/* Never fails: it says why there is none. */
static void
bring_pidfd(const struct fanotify_event *e, struct brought *b)
{
	struct process *p = e->pid ? process_find_in(&init_pid_namespace, e->pid) : NULL;
	int fd;

	if (!p)
		return;
	if (p->start_time != e->born || !pid_shown(e->pid)) {
		process_put(p);
		return;
	}
	b->pidfd = BAD_FD;
	fd = reserve();
	if (fd >= 0) {
		b->pidfd_file = pidfd_create(p, 0);
		if (b->pidfd_file)
			b->pidfd = fd;
		else
			handle_unreserve(current_process()->handles, fd);
	}
	process_put(p);
}

/* Whose doing it was, as the reader may know it. */
static pid_t
shown_pid(const struct fanotify *n, const struct fanotify_event *e)
{
	if (!e->pid || ((n->shape.report & FANOTIFY_UNPRIVILEGED) && e->pid != current_process()->pid))
		return 0;
	return pid_shown(e->pid);
}

/* The event's record, its handles reserved. 0 or the error of opening its file. */
static int
make_record(const struct fanotify *n, const struct fanotify_event *e, struct record *r, struct brought *b)
{
	struct event_header *h;
	int error = e->kind == EVENT_PATH || e->kind == EVENT_QUESTION ? bring_file(n, e, b) : 0;

	if (error)
		return error;
	r->used = 0;
	h = grow(r, sizeof(*h));
	*h = (struct event_header){
		.version = VERSION,
		.header_length = sizeof(*h),
		.what = e->what,
		.fd = b->fd,
		.pid = shown_pid(n, e),
	};
	put_keys(r, n, e);
	if (n->shape.report & FANOTIFY_PIDFD) {
		struct pidfd_info *i;

		if (h->pid)
			bring_pidfd(e, b);
		i = grow(r, sizeof(*i));
		*i = (struct pidfd_info){ .type = INFO_PIDFD, .length = sizeof(*i), .pidfd = b->pidfd };
	}
	h->length = (uint32_t)r->used;
	return 0;
}

/* --- read ----------------------------------------------------------------------------------------- */

/* The next event if its record fits in `room`, out of the queue. */
static struct fanotify_event *
take_event(struct fanotify *n, size_t room, bool *too_small)
{
	struct fanotify_event *e;

	spin_lock(&notify_lock);
	e = list_first(&n->queue, struct fanotify_event, node);
	*too_small = e && fanotify_event_size(n, e) > room;
	if (*too_small)
		e = NULL;
	if (e) {
		fanotify_dequeue_locked(n, e);
		if (e->kind == EVENT_QUESTION) {
			e->state = QUESTION_ASKED;
			path_get(&e->path); /* he waits; he may not for long */
		}
	}
	spin_unlock(&notify_lock);
	return e;
}

/* A question was answered: its asker goes on, or if he is gone it is freed. It is in no list. */
static void
answer_question(struct fanotify *n, struct fanotify_event *e, enum answer answer)
{
	bool abandoned;

	spin_lock(&notify_lock);
	abandoned = e->state == QUESTION_ABANDONED;
	if (!abandoned) {
		e->answer = answer;
		WRITE_ONCE(e->state, QUESTION_ANSWERED);
	}
	spin_unlock(&notify_lock);
	if (abandoned)
		fanotify_event_free(e);
	else
		wake_all(&n->answers);
}

/* The reader is done with `e`; a question that he did not get is denied. */
static void
event_done(struct fanotify *n, struct fanotify_event *e, const struct brought *b, int error)
{
	if (e->kind != EVENT_QUESTION) {
		fanotify_event_free(e);
		return;
	}
	if (error) {
		answer_question(n, e, ANSWER_DENY);
		return;
	}
	spin_lock(&notify_lock);
	e->fd = b->fd;
	list_add_tail(&n->asked, &e->node);
	spin_unlock(&notify_lock);
}

/* Bytes, or an errno: the event is gone in either case. */
static ssize_t
give_event(struct fanotify *n, struct fanotify_event *e, struct iov_iter *to, struct record *r)
{
	struct brought b = { .fd = NO_FD, .pidfd = NO_FD };
	int error = make_record(n, e, r, &b);

	if (e->kind == EVENT_QUESTION)
		path_put(&e->path);
	if (!error && iov_copy_to(to, r->bytes, r->used) < r->used)
		error = -EFAULT;
	if (error)
		forget(&b);
	/* The answer may come as soon as the handle is there. */
	event_done(n, e, &b, error);
	if (!error)
		install(&b, n->shape.open_flags & O_CLOEXEC);
	return error ? error : (ssize_t)r->used;
}

ssize_t
fanotify_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct fanotify *n = fanotify_of(f);
	struct record *r = kmalloc(sizeof(*r), 0);
	ssize_t done = 0, given = 0;

	if (!r)
		return -ENOMEM;
	for (;;) {
		bool too_small;
		struct fanotify_event *e = take_event(n, to->count, &too_small);

		if (e) {
			given = give_event(n, e, to, r);
			if (given < 0)
				break;
			done += given;
			continue;
		}
		given = too_small ? -EINVAL : file_may_not_wait(f, rw_flags) ? -EAGAIN : 0;
		if (given || done)
			break;
		if (wait_event_interruptible(&n->wait, !list_is_empty(&n->queue))) {
			given = -ERESTARTSYS;
			break;
		}
	}
	kfree(r);
	return done && given != -EFAULT ? done : given;
}

/* --- write ---------------------------------------------------------------------------------------- */

#define RESPONSE_ALLOW 1u
#define RESPONSE_DENY  2u
#define RESPONSE_AUDIT 0x10u

static struct fanotify_event *
take_asked(struct fanotify *n, int fd)
{
	struct fanotify_event *e, *found = NULL;

	spin_lock(&notify_lock);
	list_for_each(e, &n->asked, node)
		if (e->fd == fd) {
			found = e;
			list_del_init(&e->node);
			break;
		}
	spin_unlock(&notify_lock);
	return found;
}

ssize_t
fanotify_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct fanotify *n = fanotify_of(f);
	struct fanotify_event *e;
	struct response r;

	if (from->count < sizeof(r))
		return -EINVAL;
	if (iov_copy_from(&r, from, sizeof(r)) < sizeof(r))
		return -EFAULT;
	if ((r.answer & ~RESPONSE_AUDIT) != RESPONSE_ALLOW && (r.answer & ~RESPONSE_AUDIT) != RESPONSE_DENY)
		return -EINVAL;
	if (r.fd < 0 || ((r.answer & RESPONSE_AUDIT) && !(n->shape.report & FANOTIFY_AUDIT)))
		return -EINVAL;
	e = take_asked(n, r.fd);
	if (!e)
		return -ENOENT;
	answer_question(n, e, r.answer & RESPONSE_ALLOW ? ANSWER_ALLOW : ANSWER_DENY);
	return sizeof(r);
}
