/* SPDX-License-Identifier: MIT */
/*
 * handle_table.c - fd -> { open object, rights, close-on-exec }.
 *
 * A slot is free, reserved (its number is taken, nothing to find yet) or open:
 *
 *   free --reserve--> RESERVED --install--> OPEN --close--> free
 *                        \--unreserve--> free
 *
 * The used bitmap is true for reserved and open ones. Look-ups, changes and growth happen under the
 * table's lock; dropping a file may sleep, so files leave the table under the lock and are put
 * after.
 *
 * Two counts: `users` are the processes whose table it is; `refs` are these and whoever looks into the
 * table of another (/proc, kcmp). What the last user leaves is closed at once, and exec copies only what
 * other users share: that somebody looks changes nothing for the process, least of all who owns its locks.
 *
 * A handle that restrict made remembers the id of its source (lineage). revoke closes all whose
 * chain of sources leads to the revoked one.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file_lock.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/notify.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#define RESERVED     ((struct file *)1)
#define INITIAL_SIZE 64u
#define MAXIMUM_SIZE (1u << 20)

static uint64_t next_handle_id; /* [a] */

static bool
is_open(const struct handle *h)
{
	return (uintptr_t)h->file > 1;
}

/* Slot fd has become open. t->lock is held, or nobody knows t yet. */
static void
count_opened(struct handle_table *t)
{
	t->count++;
	cpu_count_one(CPU_COUNTER(handles_opened));
}

uint64_t
handle_count_all(void)
{
	/* In this order, so that what is closed meanwhile counts too little, never below nothing. */
	uint64_t closed = cpu_counter_sum(CPU_COUNTER(handles_closed));

	return cpu_counter_sum(CPU_COUNTER(handles_opened)) - closed;
}

static void
mark(struct handle_table *t, uint32_t fd)
{
	t->used[fd / 64] |= BIT(fd % 64);
}

static void
unmark(struct handle_table *t, uint32_t fd)
{
	t->used[fd / 64] &= ~BIT(fd % 64);
	if (fd < t->first_free)
		t->first_free = fd;
}

/* The first unused number >= from, or t->size. */
static uint32_t
find_free(const struct handle_table *t, uint32_t from)
{
	uint64_t word;

	if (from >= t->size)
		return from;
	word = t->used[from / 64] | (BIT(from % 64) - 1);
	for (uint32_t i = from / 64;;) {
		if (~word)
			return i * 64 + (uint32_t)__builtin_ctzll(~word);
		if (++i >= t->size / 64)
			return t->size;
		word = t->used[i];
	}
}

static struct handle_table *
create(uint32_t size)
{
	struct handle_table *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->handles = kzalloc(size * sizeof(struct handle));
	t->used = kzalloc(size / 8);
	if (!t->handles || !t->used) {
		kfree(t->handles);
		kfree(t->used);
		kfree(t);
		return NULL;
	}
	ref_init(&t->refs);
	ref_init(&t->users);
	spin_init(&t->lock, LOCK_HANDLES);
	t->size = size;
	return t;
}

struct handle_table *
handle_table_create(void)
{
	return create(INITIAL_SIZE);
}

/* Make room for number `fd`. t->lock is held, dropped and taken again. 0, -EMFILE or -ENOMEM. */
static int
grow(struct handle_table *t, uint32_t fd)
{
	uint32_t size = t->size;
	struct handle *handles, *old_handles;
	uint64_t *used, *old_used;

	if (fd >= MAXIMUM_SIZE)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	spin_unlock(&t->lock);
	handles = kzalloc(size * sizeof(*handles));
	used = kzalloc(size / 8);
	spin_lock(&t->lock);
	if (!handles || !used || t->size >= size) { /* failed, or somebody was faster */
		bool enough = t->size > fd;

		spin_unlock(&t->lock);
		kfree(handles);
		kfree(used);
		spin_lock(&t->lock);
		return enough ? 0 : -ENOMEM;
	}
	memcpy(handles, t->handles, t->size * sizeof(*handles));
	memcpy(used, t->used, t->size / 8);
	old_handles = t->handles;
	old_used = t->used;
	t->handles = handles;
	t->used = used;
	t->size = size;
	spin_unlock(&t->lock);
	kfree(old_handles);
	kfree(old_used);
	spin_lock(&t->lock);
	return 0;
}

struct handle_table *
handle_table_copy(struct handle_table *from)
{
	struct handle_table *t;
	uint32_t last;

	for (;;) {
		uint32_t size = READ_ONCE(from->size);

		t = create(size);
		if (!t)
			return NULL;
		spin_lock(&from->lock);
		if (from->size <= size)
			break;
		spin_unlock(&from->lock);
		handle_table_put(t);
	}
	last = from->size;
	for (uint32_t fd = 0; fd < last; fd++) {
		if (!is_open(&from->handles[fd]))
			continue;
		t->handles[fd] = from->handles[fd];
		file_get(t->handles[fd].file);
		mark(t, fd);
		count_opened(t);
	}
	spin_unlock(&from->lock);
	t->first_free = 0;
	return t;
}

/* What close(2) owes an object before its reference is dropped. */
static int
close_file(struct handle_table *t, struct file *f)
{
	int error = f->ops->flush ? f->ops->flush(f, t) : 0;

	dnotify_closed(f, t);
	if (f->inode && !(f->mode & FILE_PATH))
		file_locks_close(f, t);
	file_put(f);
	cpu_count_one(CPU_COUNTER(handles_closed));
	return error;
}

static void
destroy(struct handle_table *t)
{
	for (uint32_t fd = 0; fd < t->size; fd++)
		if (is_open(&t->handles[fd]))
			close_file(t, t->handles[fd].file);
	kfree(t->handles);
	kfree(t->used);
	kfree(t);
}

void
handle_table_put(struct handle_table *t)
{
	if (ref_put(&t->refs))
		destroy(t);
}

void
handle_table_share(struct handle_table *t)
{
	ref_get(&t->users);
	ref_get(&t->refs);
}

bool
handle_table_is_shared(struct handle_table *t)
{
	return ref_count(&t->users) > 1;
}

void
handle_table_leave(struct handle_table *t)
{
	if (ref_put(&t->users))
		handle_close_range(t, 0, UINT32_MAX, false);
	handle_table_put(t);
}

static void
destroy_late(struct continuation *c)
{
	destroy(container_of(c, struct handle_table, late));
}

void
handle_table_put_late(struct handle_table *t)
{
	if (!ref_put(&t->refs))
		return;
	continuation_init(&t->late, destroy_late);
	continuation_run(&t->late);
}

/* Take the file out of slot fd. t->lock is held. NULL: not open. */
static struct file *
take_locked(struct handle_table *t, uint32_t fd)
{
	struct file *f;

	assert_held(&t->lock);
	if (fd >= t->size || !is_open(&t->handles[fd]))
		return NULL;
	f = t->handles[fd].file;
	t->handles[fd] = (struct handle){ 0 };
	unmark(t, fd);
	t->count--;
	return f;
}

void
handle_table_close_on_exec(struct handle_table *t)
{
	spin_lock(&t->lock);
	for (uint32_t fd = 0; fd < t->size; fd++) {
		struct file *f;

		if (!is_open(&t->handles[fd]) || !t->handles[fd].close_on_exec)
			continue;
		f = take_locked(t, fd);
		spin_unlock(&t->lock);
		close_file(t, f);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
}

/*
 * Why a handle without `missing` is refused: what Linux says where the access mode is the reason.
 */
static int
error_for(const struct file *f, uint64_t missing)
{
	bool no_read = !(f->mode & FILE_READ), no_write = !(f->mode & FILE_WRITE);

	if ((no_read && (missing & RIGHT_READ)) || (no_write && (missing & RIGHT_WRITE)))
		return -EBADF;
	if ((no_read && (missing & (RIGHT_MAP_READ | RIGHT_MAP_EXEC))) ||
	    (no_write && (missing & RIGHT_MAP_WRITE)))
		return -EACCES;
	if (no_write && (missing & RIGHT_TRUNCATE))
		return -EINVAL;
	if (!(f->mode & FILE_SEEKABLE) && (missing & RIGHT_SEEK))
		return -ESPIPE;
	return -EPERM;
}

int
handle_need(const struct file *f, uint64_t rights, uint64_t needed)
{
	uint64_t missing = needed & ~rights;

	return likely(!missing) ? 0 : error_for(f, missing);
}

/*
 * The handle of `fd` if it has the rights, or NULL with *error, which success leaves alone. t->lock
 * is held, or nobody else can change t.
 */
static struct handle *
find(struct handle_table *t, int fd, uint64_t rights, bool path_too, int *error)
{
	struct handle *h = (uint32_t)fd < t->size ? &t->handles[fd] : NULL;
	uint64_t missing;

	if (!h || !is_open(h) || ((h->file->mode & FILE_PATH) && !path_too)) {
		*error = -EBADF;
		return NULL;
	}
	missing = rights & ~h->rights;
	if (likely(!missing))
		return h;
	*error = error_for(h->file, missing);
	return NULL;
}

static struct file *
get(struct handle_table *t, int fd, uint64_t rights, bool path_too, int *error)
{
	struct file *f = NULL;
	struct handle *h;

	spin_lock(&t->lock);
	h = find(t, fd, rights, path_too, error);
	if (h) {
		f = h->file;
		file_get(f);
	}
	spin_unlock(&t->lock);
	return f;
}

/*
 * A table is the calling thread's alone when its process has the only reference and no other
 * thread: only the caller could change either. Others who come by the process (its /proc files)
 * take a reference first, and only read.
 */
static bool
is_private(const struct process *p, const struct handle_table *t)
{
	return READ_ONCE(p->thread_count) == 1 && ref_count(&t->refs) == 1;
}

/* What is not so simple: the table is shared, or the answer is no. */
static __noinline bool
borrow_slowly(struct handle_table *t, int fd, uint64_t rights, struct handle_loan *l, int *error)
{
	struct handle *h;

	l->counted = !is_private(current_process(), t);
	if (l->counted)
		spin_lock(&t->lock);
	h = find(t, fd, rights, false, error);
	if (h) {
		l->file = h->file;
		l->rights = h->rights;
		if (l->counted)
			file_get(l->file);
	}
	if (l->counted)
		spin_unlock(&t->lock);
	return h != NULL;
}

bool
handle_borrow(int fd, uint64_t rights, struct handle_loan *l, int *error)
{
	struct process *p = current_process();
	struct handle_table *t = p->handles;
	const struct handle *h = &t->handles[(uint32_t)fd];

	if (unlikely(!is_private(p, t)) || unlikely((uint32_t)fd >= t->size) || unlikely(!is_open(h)) ||
	    unlikely((h->file->mode & FILE_PATH) || (rights & ~h->rights)))
		return borrow_slowly(t, fd, rights, l, error);
	l->file = h->file;
	l->rights = h->rights;
	l->counted = false;
	return true;
}

struct file *
handle_get(int fd, uint64_t rights, int *error)
{
	return get(current_process()->handles, fd, rights, false, error);
}

struct file *
handle_get_path(int fd, uint64_t rights, int *error)
{
	return get(current_process()->handles, fd, rights, true, error);
}

struct file *
handle_table_get_rights(struct handle_table *t, int fd, uint64_t rights, int *error)
{
	return get(t, fd, rights, false, error);
}

struct file *
handle_table_get(struct handle_table *t, int fd, uint64_t *rights)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->size && is_open(&t->handles[fd])) {
		f = t->handles[fd].file;
		file_get(f);
		if (rights)
			*rights = t->handles[fd].rights;
	}
	spin_unlock(&t->lock);
	return f;
}

struct file *
handle_get_rights(int fd, uint64_t *rights, int *error)
{
	struct file *f = handle_table_get(current_process()->handles, fd, rights);

	if (f && (f->mode & FILE_PATH)) {
		file_put(f);
		f = NULL;
	}
	if (!f)
		*error = -EBADF;
	return f;
}

uint64_t
handle_rights(struct handle_table *t, int fd)
{
	uint64_t r = RIGHT_NONE;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->size && is_open(&t->handles[fd]))
		r = t->handles[fd].rights;
	spin_unlock(&t->lock);
	return r;
}

uint64_t
handle_rights_removed(struct handle_table *t, int fd)
{
	uint64_t r = RIGHT_NONE;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->size && is_open(&t->handles[fd]))
		r = handle_rights_of(t->handles[fd].file) & ~t->handles[fd].rights;
	spin_unlock(&t->lock);
	return r;
}

/* As handle_reserve(). t->lock is held; where the table grows, dropped and taken again. */
static int
reserve_locked(struct handle_table *t, int min, uint32_t limit)
{
	uint32_t fd;
	int error;

	for (;;) {
		fd = find_free(t, MAX((uint32_t)min, t->first_free));
		if (fd >= limit)
			return -EMFILE;
		if (fd < t->size)
			break;
		error = grow(t, fd);
		if (error)
			return error;
	}
	mark(t, fd);
	t->handles[fd].file = RESERVED;
	if ((uint32_t)min <= t->first_free)
		t->first_free = fd + 1;
	return (int)fd;
}

int
handle_reserve(struct handle_table *t, int min, uint32_t limit)
{
	int fd;

	spin_lock(&t->lock);
	fd = reserve_locked(t, min, limit);
	spin_unlock(&t->lock);
	return fd;
}

void
handle_unreserve(struct handle_table *t, int fd)
{
	spin_lock(&t->lock);
	assert(t->handles[fd].file == RESERVED);
	t->handles[fd].file = NULL;
	unmark(t, (uint32_t)fd);
	spin_unlock(&t->lock);
}

void
handle_install(struct handle_table *t, int fd, struct file *f, uint64_t rights, bool cloexec)
{
	spin_lock(&t->lock);
	assert(t->handles[fd].file == RESERVED);
	t->handles[fd] = (struct handle){ .file = f, .rights = rights, .close_on_exec = cloexec };
	count_opened(t);
	spin_unlock(&t->lock);
}

int
handle_open(struct file *f, uint64_t rights, bool cloexec)
{
	struct process *p = current_process();
	int fd = handle_reserve(p->handles, 0, (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE),
							     (uint64_t)MAXIMUM_SIZE));

	if (fd >= 0)
		handle_install(p->handles, fd, f, rights, cloexec);
	return fd;
}

int
handle_close(struct handle_table *t, int fd)
{
	struct file *f;

	spin_lock(&t->lock);
	f = take_locked(t, (uint32_t)fd);
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	return close_file(t, f);
}

/* Slot `newfd`, reserved, becomes a duplicate of slot `fd`, which is open. t->lock is held. */
static void
duplicate_locked(struct handle_table *t, uint32_t fd, uint32_t newfd, bool cloexec)
{
	struct handle *h = &t->handles[newfd];

	*h = t->handles[fd];
	h->close_on_exec = cloexec;
	h->id = 0;
	file_get(h->file);
	count_opened(t);
}

static bool
is_open_locked(const struct handle_table *t, int fd)
{
	return (uint32_t)fd < t->size && is_open(&t->handles[fd]);
}

int
handle_dup(struct handle_table *t, int fd, int min, bool cloexec, uint32_t limit)
{
	int newfd = -EBADF;

	spin_lock(&t->lock);
	if (!is_open_locked(t, fd))
		goto out;
	newfd = reserve_locked(t, min, limit);
	if (newfd < 0)
		goto out;
	if (likely(is_open_locked(t, fd))) {
		duplicate_locked(t, (uint32_t)fd, (uint32_t)newfd, cloexec);
	} else { /* closed while the table grew */
		t->handles[newfd].file = NULL;
		unmark(t, (uint32_t)newfd);
		newfd = -EBADF;
	}
out:
	spin_unlock(&t->lock);
	return newfd;
}

int
handle_dup_to(struct handle_table *t, int fd, int newfd, bool cloexec, uint32_t limit)
{
	struct file *old = NULL;
	int error = -EBADF;

	if (newfd < 0 || (uint32_t)newfd >= limit)
		return -EBADF;
	spin_lock(&t->lock);
	if ((uint32_t)fd >= t->size || !is_open(&t->handles[fd]))
		goto out;
	if (fd == newfd) {
		error = newfd;
		goto out;
	}
	if ((uint32_t)newfd >= t->size) {
		error = grow(t, (uint32_t)newfd);
		if (error)
			goto out;
		error = -EBADF;
		if (!is_open(&t->handles[fd])) /* closed while the lock was free */
			goto out;
	}
	if (t->handles[newfd].file == RESERVED) {
		error = -EBUSY;
		goto out;
	}
	old = take_locked(t, (uint32_t)newfd);
	mark(t, (uint32_t)newfd);
	duplicate_locked(t, (uint32_t)fd, (uint32_t)newfd, cloexec);
	error = newfd;
out:
	spin_unlock(&t->lock);
	if (old)
		close_file(t, old);
	return error;
}

int
handle_close_range(struct handle_table *t, uint32_t first, uint32_t last, bool cloexec_only)
{
	spin_lock(&t->lock);
	for (uint32_t fd = first; fd <= last && fd < t->size; fd++) {
		struct file *f;

		if (!is_open(&t->handles[fd]))
			continue;
		if (cloexec_only) {
			t->handles[fd].close_on_exec = true;
			continue;
		}
		f = take_locked(t, fd);
		spin_unlock(&t->lock);
		close_file(t, f);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
	return 0;
}

int
handle_set_cloexec(struct handle_table *t, int fd, bool on)
{
	int error = -EBADF;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->size && is_open(&t->handles[fd])) {
		t->handles[fd].close_on_exec = on;
		error = 0;
	}
	spin_unlock(&t->lock);
	return error;
}

int
handle_get_cloexec(struct handle_table *t, int fd)
{
	int on = -EBADF;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->size && is_open(&t->handles[fd]))
		on = t->handles[fd].close_on_exec;
	spin_unlock(&t->lock);
	return on;
}

int
handle_restrict(struct handle_table *t, int fd, uint64_t mask, bool cloexec, uint32_t limit)
{
	int newfd = handle_reserve(t, 0, limit);

	if (newfd < 0)
		return newfd;
	spin_lock(&t->lock);
	if ((uint32_t)fd >= t->size || !is_open(&t->handles[fd])) {
		spin_unlock(&t->lock);
		handle_unreserve(t, newfd);
		return -EBADF;
	}
	if (!t->handles[fd].id)
		t->handles[fd].id = atomic_add_fetch(&next_handle_id, 1);
	t->handles[newfd] = t->handles[fd];
	t->handles[newfd].rights &= mask;
	t->handles[newfd].close_on_exec = cloexec;
	t->handles[newfd].lineage = t->handles[fd].id;
	t->handles[newfd].id = 0;
	file_get(t->handles[newfd].file);
	count_opened(t);
	spin_unlock(&t->lock);
	return newfd;
}

/*
 * Close all handles derived from `id`, directly or not. t->lock free. Handles derived from one that
 * is closed are first made direct descendants, so that no recursion is needed.
 */
static void
revoke_derived(struct handle_table *t, uint64_t id)
{
	for (uint32_t fd = 0;;) {
		uint64_t child;
		struct file *f;

		spin_lock(&t->lock);
		while (fd < t->size && !(is_open(&t->handles[fd]) && t->handles[fd].lineage == id))
			fd++;
		if (fd == t->size) {
			spin_unlock(&t->lock);
			return;
		}
		child = t->handles[fd].id;
		f = take_locked(t, fd);
		for (uint32_t n = 0; child && n < t->size; n++)
			if (t->handles[n].lineage == child)
				t->handles[n].lineage = id;
		spin_unlock(&t->lock);
		close_file(t, f);
		fd = child ? 0 : fd + 1;
	}
}

int
handle_revoke(struct handle_table *t, int fd)
{
	uint64_t id;

	spin_lock(&t->lock);
	if ((uint32_t)fd >= t->size || !is_open(&t->handles[fd])) {
		spin_unlock(&t->lock);
		return -EBADF;
	}
	id = t->handles[fd].id;
	spin_unlock(&t->lock);
	if (id)
		revoke_derived(t, id);
	return 0;
}

int
handle_next(struct handle_table *t, int fd)
{
	int found = -1;

	spin_lock(&t->lock);
	for (uint32_t n = (uint32_t)fd; n < t->size; n++)
		if (is_open(&t->handles[n])) {
			found = (int)n;
			break;
		}
	spin_unlock(&t->lock);
	return found;
}

void
handle_table_dump(struct handle_table *t)
{
	char rights[256];

	pr_info("handle table: %u of %u, %u users\n", t->count, t->size, ref_count(&t->refs));
	for (uint32_t fd = 0; fd < t->size; fd++) {
		const struct handle *h = &t->handles[fd];

		if (!is_open(h))
			continue;
		handle_rights_format(h->rights, rights, sizeof(rights));
		pr_info(" %u: %s%s\n", fd, rights, h->close_on_exec ? " close-on-exec" : "");
		file_dump(h->file);
	}
}
