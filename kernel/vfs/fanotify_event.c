/* SPDX-License-Identifier: MIT */
/*
 * fanotify_event.c - what a group keeps of an event until it is read.
 *
 * An event brings either an open file (its path is kept) or keys of files and names. One that equals a
 * waiting one - the same process, file, directory and names - is not queued but adds its kind to it;
 * waiting events are found by a hash. Questions, moves that tell both names, and changes of a directory
 * and of a file are not mixed.
 *
 * A question stops who made it until it is answered, or the group ends, or he is killed. It belongs to
 * the queue, then to the list of those asked; who takes it from there with its answer wakes the asker, and
 * the asker frees it. Only what he has abandoned after it was read is freed by the answer.
 *
 * Its path is his, too: who reads it takes references while he still waits.
 *
 * Locks: notify_lock. Paths are put after it is dropped.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "fanotify.h"
#include "vfs.h"

/* What programs are told; flags only where keys are. */
#define OUTGOING (NOTIFY_EVENTS & ~NOTIFY_UNMOUNT)

/* --- what is reported --------------------------------------------------------------------------- */

/* Which of the event the group shall hear; *matched: at which places a mark asked for it. 0: nothing. */
static uint32_t
reported(const struct fanotify *n, const struct notify_event *e, struct notify_mark *const marks[NOTIFY_PLACES],
	 uint32_t *matched)
{
	uint32_t keys = n->shape.report & FANOTIFY_KEYS, wanted = 0, ignored = 0, what;

	*matched = 0;
	if (!keys) {
		/* Only what can be opened again by the path. */
		if (!e->path || !(S_ISREG(e->i->mode) || S_ISDIR(e->i->mode)))
			return 0;
	} else if (!(keys & FANOTIFY_FILE) && !e->dir && !(e->what & NOTIFY_DIR)) {
		return 0;
	}
	for (int p = 0; p < NOTIFY_PLACES; p++) {
		if (!marks[p])
			continue;
		ignored |= notify_ignored(marks[p], e->what, (enum notify_place)p);
		if (!notify_applies(marks[p]->mask, e->what, (enum notify_place)p))
			continue;
		wanted |= marks[p]->mask;
		*matched |= 1u << p;
	}
	what = e->what & wanted & ~ignored;
	if (!(what & OUTGOING))
		return 0;
	return what & (keys ? OUTGOING | NOTIFY_DIR : OUTGOING);
}

static void
set_key(struct fanotify_key *k, const struct inode *i)
{
	k->there = i && vfs_inode_key(i, &k->key) == 0;
	if (k->there)
		filesystem_id(i->fs, k->filesystem);
}

static bool
same_key(const struct fanotify_key *a, const struct fanotify_key *b)
{
	return a->there == b->there &&
	       (!a->there || (a->filesystem[0] == b->filesystem[0] && a->filesystem[1] == b->filesystem[1] &&
			      a->key.generation == b->key.generation && a->key.inode == b->key.inode));
}

/* Whose keys and names of the event are told. */
struct told {
	const struct inode *object, *dir, *new_dir; /* NULL: not told */
	const char *name, *new_name;
};

static struct told
told_of(const struct fanotify *n, const struct notify_event *e, uint32_t what, uint32_t matched)
{
	uint32_t keys = n->shape.report & FANOTIFY_KEYS;
	bool entry = what & NOTIFY_ENTRY_EVENTS, old = true, new = false;
	struct inode *dir = entry ? e->dir : S_ISDIR(e->i->mode) ? e->i : e->dir;
	struct told t = { .object = entry && !(keys & FANOTIFY_TARGET) ? e->dir : e->i };
	const struct inode *child = NULL;

	if (!(keys & FANOTIFY_DIRECTORY) || !dir)
		return t;
	if (entry ? keys & FANOTIFY_TARGET : (keys & FANOTIFY_FILE) && !(what & NOTIFY_DIR))
		child = t.object != dir ? t.object : NULL;
	if (!(keys & FANOTIFY_NAME) ? !child : !entry && (what & NOTIFY_DIR)) {
		t.object = dir; /* the directory alone */
		return t;
	}
	if (what & NOTIFY_RENAME) {
		bool all = matched & BIT(NOTIFY_AT_FILESYSTEM);

		old = all || (matched & BIT(NOTIFY_AT_INODE));
		new = all || (matched & BIT(NOTIFY_AT_DIR));
	}
	t = (struct told){ .object = child };
	if (old) {
		t.dir = dir;
		t.name = keys & FANOTIFY_NAME ? e->name : NULL;
	}
	if (new) {
		t.new_dir = e->new_dir;
		t.new_name = e->new_name;
	}
	return t;
}

/* --- building and joining ----------------------------------------------------------------------- */

static uint32_t
mix(uint32_t hash, uint64_t value)
{
	return (hash ^ (uint32_t)(value ^ value >> 32)) * 0x9e3779b1u;
}

static uint32_t
hash_of(const struct fanotify_event *v)
{
	uint32_t h = mix((uint32_t)v->pid, (uint64_t)(uintptr_t)v->path.dentry);

	h = mix(h, v->object.there ? v->object.key.inode : 0);
	h = mix(h, v->dir.there ? v->dir.key.inode : 0);
	for (size_t c = 0; c < v->name_length; c++)
		h = mix(h, (uint8_t)v->names[c]);
	return h;
}

static bool
may_join(const struct fanotify_event *old, const struct fanotify_event *new)
{
	if (old->hash != new->hash || old->kind != new->kind || old->pid != new->pid || old->born != new->born)
		return false;
	if ((old->what & NOTIFY_DIR) != (new->what & NOTIFY_DIR) ||
	    (old->what & NOTIFY_RENAME) != (new->what & NOTIFY_RENAME))
		return false;
	if (new->kind == EVENT_PATH)
		return path_equal(&old->path, &new->path);
	return same_key(&old->object, &new->object) && same_key(&old->dir, &new->dir) &&
	       same_key(&old->new_dir, &new->new_dir) && old->name_length == new->name_length &&
	       old->new_name_length == new->new_name_length &&
	       memcmp(old->names, new->names, (size_t)new->name_length + new->new_name_length + 2) == 0;
}

static void
sign(const struct fanotify *n, struct fanotify_event *v)
{
	struct thread *t = current_thread();

	if (!t->process)
		return;
	v->pid = n->shape.report & FANOTIFY_THREAD ? t->tid : t->process->pid;
	v->born = t->process->start_time;
}

static struct fanotify_event *
build(const struct fanotify *n, const struct notify_event *e, uint32_t what, uint32_t matched)
{
	bool keys = n->shape.report & FANOTIFY_KEYS;
	struct told t = { 0 };
	size_t length = 0, new_length = 0;
	struct fanotify_event *v;

	if (keys)
		t = told_of(n, e, what, matched);
	if (t.name)
		length = strlen(t.name);
	if (t.new_name)
		new_length = strlen(t.new_name);
	v = kmalloc(sizeof(*v) + length + new_length + 2, ALLOC_NOWAIT | ALLOC_ZERO);
	if (!v)
		return NULL;
	v->kind = keys ? EVENT_KEYS : what & NOTIFY_PERM_EVENTS ? EVENT_QUESTION : EVENT_PATH;
	v->what = what;
	v->fd = -1;
	list_init(&v->bucket_node);
	sign(n, v);
	if (!keys) {
		v->path = *e->path;
	} else {
		set_key(&v->object, t.object);
		set_key(&v->dir, t.dir);
		set_key(&v->new_dir, t.new_dir);
		v->name_length = (uint16_t)length;
		v->new_name_length = (uint16_t)new_length;
		if (t.name)
			memcpy(v->names, t.name, length);
		if (t.new_name)
			memcpy(v->names + length + 1, t.new_name, new_length);
	}
	v->hash = hash_of(v);
	return v;
}

static void
enqueue_locked(struct fanotify *n, struct fanotify_event *v)
{
	if (v->kind == EVENT_PATH)
		path_get(&v->path);
	list_add_tail(&n->queue, &v->node);
	n->queued++;
	n->bytes += fanotify_event_size(n, v);
	if (v->kind == EVENT_PATH || v->kind == EVENT_KEYS)
		list_add(&n->buckets[v->hash % FANOTIFY_BUCKETS], &v->bucket_node);
	wake_poll(&n->wait, POLLIN | POLLRDNORM);
}

void
fanotify_dequeue_locked(struct fanotify *n, struct fanotify_event *e)
{
	list_del_init(&e->node);
	list_del_init(&e->bucket_node);
	n->queued--;
	n->bytes -= fanotify_event_size(n, e);
	if (e->kind == EVENT_OVERFLOW)
		n->overflown = false;
}

/* Once in the queue; without memory for it nothing is told, as nothing else is. */
static void
overflow_locked(struct fanotify *n)
{
	struct fanotify_event *v;

	if (n->overflown)
		return;
	v = kmalloc(sizeof(*v) + 2, ALLOC_NOWAIT | ALLOC_ZERO);
	if (!v)
		return;
	v->kind = EVENT_OVERFLOW;
	v->what = NOTIFY_OVERFLOW;
	list_init(&v->bucket_node);
	n->overflown = true;
	enqueue_locked(n, v);
}

static bool
joined_locked(struct fanotify *n, const struct fanotify_event *v)
{
	struct fanotify_event *old;

	list_for_each(old, &n->buckets[v->hash % FANOTIFY_BUCKETS], bucket_node) {
		if (!may_join(old, v))
			continue;
		old->what |= v->what;
		return true;
	}
	return false;
}

void *
fanotify_tell(struct notify_group *g, const struct notify_event *e, struct notify_mark *const marks[NOTIFY_PLACES],
	      struct list *dead)
{
	struct fanotify *n = container_of(g, struct fanotify, group);
	uint32_t matched, what = reported(n, e, marks, &matched);
	struct fanotify_event *v;

	if (!what || n->ended)
		return NULL;
	v = build(n, e, what, matched);
	if (!v) {
		if (what & NOTIFY_PERM_EVENTS)
			return ERR_PTR(-ENOMEM);
		overflow_locked(n);
		return NULL;
	}
	if (v->kind == EVENT_QUESTION) {
		/* A full queue lets pass: nobody would answer. */
		if (n->queued >= n->queue_max) {
			overflow_locked(n);
			kfree(v);
			return NULL;
		}
		enqueue_locked(n, v);
		return v;
	}
	if (n->queued >= n->queue_max)
		overflow_locked(n);
	else if (!joined_locked(n, v)) {
		enqueue_locked(n, v);
		return NULL;
	}
	kfree(v);
	return NULL;
}

void
fanotify_event_free(struct fanotify_event *e)
{
	if (e->kind == EVENT_PATH)
		path_put(&e->path);
	kfree(e);
}

/* --- questions ---------------------------------------------------------------------------------- */

int
fanotify_judge(struct notify_group *g, void *question)
{
	struct fanotify *n = container_of(g, struct fanotify, group);
	struct fanotify_event *v = question;
	int error = wait_event_killable(&n->answers, READ_ONCE(v->state) == QUESTION_ANSWERED);
	bool mine = true;

	spin_lock(&notify_lock);
	if (v->state == QUESTION_ANSWERED) {
		error = v->answer == ANSWER_DENY ? -EPERM : 0;
	} else if (v->state == QUESTION_QUEUED) {
		fanotify_dequeue_locked(n, v);
		error = -ERESTARTSYS;
	} else {
		v->state = QUESTION_ABANDONED;
		mine = false;
		error = -ERESTARTSYS;
	}
	spin_unlock(&notify_lock);
	if (mine)
		kfree(v); /* its path was the asker's */
	return error;
}

/* All of `from` is over; what nobody waits for goes to `dead`. */
static void
let_pass_locked(struct fanotify *n, struct fanotify_event *v, struct list *dead)
{
	if (v->kind == EVENT_QUESTION && v->state != QUESTION_ABANDONED) {
		v->answer = ANSWER_ALLOW;
		WRITE_ONCE(v->state, QUESTION_ANSWERED);
		return;
	}
	list_add_tail(dead, &v->node);
}

void
fanotify_drain(struct fanotify *n)
{
	struct list dead = LIST_INIT(dead);
	struct fanotify_event *v, *tmp;

	spin_lock(&notify_lock);
	n->ended = true;
	while ((v = list_first(&n->queue, struct fanotify_event, node)) != NULL) {
		fanotify_dequeue_locked(n, v);
		let_pass_locked(n, v, &dead);
	}
	while ((v = list_first(&n->asked, struct fanotify_event, node)) != NULL) {
		list_del_init(&v->node);
		let_pass_locked(n, v, &dead);
	}
	spin_unlock(&notify_lock);
	wake_all(&n->answers);
	list_for_each_safe(v, tmp, &dead, node)
		fanotify_event_free(v);
}
