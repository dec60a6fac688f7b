/* SPDX-License-Identifier: MIT */
/*
 * tree.c - the nodes of /sys: adding, finding, removing.
 *
 * The whole tree has one lock. Attributes run with it held for reading, so that who removes a node, with it
 * held for writing, knows that none of them is under way and that none will start.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "sysfs.h"

struct rwlock sysfs_lock;
struct sysfs_node sysfs_root = {
	.refs = { .count = 1 },
	.name = (char *)"",
	.children = LIST_INIT(sysfs_root.children),
};
static uint64_t last_id;    /* sysfs_lock */
static uint64_t node_count; /* sysfs_lock */

void
sysfs_node_put(struct sysfs_node *n)
{
	if (!ref_put(&n->refs))
		return;
	if (n == &sysfs_root)
		panic("sysfs: the root has lost its last reference");
	kfree(n->name);
	kfree(n);
}

/* `length` bytes of `name` are all of `is`. Most names differ in their first byte. */
static bool
is_named(const char *is, const char *name, size_t length)
{
	return is[0] == name[0] && strncmp(is, name, length) == 0 && !is[length];
}

struct sysfs_node *
sysfs_find_locked(struct sysfs_node *dir, const char *name, size_t length)
{
	struct sysfs_node *n;

	list_for_each(n, &dir->children, sibling)
		if (is_named(n->name, name, length))
			return n;
	return NULL;
}

const struct sysfs_attribute *
sysfs_find_attribute_locked(struct sysfs_node *dir, const char *name, size_t length, uint32_t *where)
{
	for (uint32_t table = 0; table < SYSFS_TABLES; table++) {
		const struct sysfs_attribute *a = dir->tables[table];

		for (uint32_t i = 0; a && a[i].name; i++)
			if (is_named(a[i].name, name, length) && sysfs_is_visible(dir, &a[i])) {
				*where = table << 8 | i;
				return &a[i];
			}
	}
	return NULL;
}

static bool
name_taken(struct sysfs_node *dir, const char *name)
{
	size_t length = strlen(name);
	uint32_t where;

	return sysfs_find_locked(dir, name, length) || sysfs_find_attribute_locked(dir, name, length, &where);
}

static struct sysfs_node *
create(const char *name, void *object)
{
	struct sysfs_node *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	n->name = kstrdup(name);
	if (!n->name) {
		kfree(n);
		return NULL;
	}
	ref_init(&n->refs);
	list_init(&n->children);
	n->object = object;
	return n;
}

/* `n` becomes a child of `dir`, with the reference of its birth. */
static int
attach(struct sysfs_node *dir, struct sysfs_node *n)
{
	assert(rwlock_is_write_held(&sysfs_lock));
	if (dir->removed)
		return -ENOENT;
	if (name_taken(dir, n->name))
		return -EEXIST;
	n->id = ++last_id;
	n->parent = dir;
	sysfs_node_get(dir);
	list_add_tail(&dir->children, &n->sibling);
	dir->directories += !n->target;
	node_count++;
	return 0;
}

struct sysfs_node *
sysfs_add_directory(struct sysfs_node *parent, const char *name, void *object)
{
	struct sysfs_node *n = create(name, object);
	int error;

	if (!n)
		return NULL;
	write_lock(&sysfs_lock);
	error = attach(parent ? parent : &sysfs_root, n);
	write_unlock(&sysfs_lock);
	if (error) {
		sysfs_node_put(n);
		return NULL;
	}
	return n;
}

struct sysfs_node *
sysfs_make_path(const char *path)
{
	struct sysfs_node *dir = &sysfs_root, *next;
	char name[64];

	while (*path) {
		const char *end = strchr(path, '/');
		size_t length = end ? (size_t)(end - path) : strlen(path);

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		next = sysfs_add_directory(dir, name, NULL);
		if (!next) { /* it is there, or there is no memory */
			read_lock(&sysfs_lock);
			next = sysfs_find_locked(dir, name, length);
			read_unlock(&sysfs_lock);
		}
		if (!next)
			return NULL;
		dir = next;
		path += length + (end != NULL);
	}
	return dir;
}

int
sysfs_add_attributes(struct sysfs_node *dir, const struct sysfs_attribute *table)
{
	int error = -ENOSPC;

	if (!dir)
		return -ENOMEM;
	write_lock(&sysfs_lock);
	for (const struct sysfs_attribute *a = table; a->name; a++)
		if (name_taken(dir, a->name)) {
			error = -EEXIST;
			goto out;
		}
	for (uint32_t i = 0; i < SYSFS_TABLES && error; i++)
		if (!dir->tables[i]) {
			dir->tables[i] = table;
			error = 0;
		}
out:
	write_unlock(&sysfs_lock);
	return error;
}

int
sysfs_add_link(struct sysfs_node *dir, const char *name, struct sysfs_node *target)
{
	struct sysfs_node *n = dir && target ? create(name, NULL) : NULL;
	int error;

	if (!n)
		return -ENOMEM;
	sysfs_node_get(target);
	n->target = target;
	write_lock(&sysfs_lock);
	error = target->removed ? -ENOENT : attach(dir, n);
	write_unlock(&sysfs_lock);
	if (error) {
		sysfs_node_put(n);
		sysfs_node_put(target);
	}
	return error;
}

/* --- removal ----------------------------------------------------------------------------------------- */

/* The node after `n` in the subtree of `top`, parents before children; NULL: the last. */
static struct sysfs_node *
next_below(struct sysfs_node *top, struct sysfs_node *n)
{
	if (!list_is_empty(&n->children))
		return list_first(&n->children, struct sysfs_node, sibling);
	for (; n != top; n = n->parent)
		if (n->sibling.next != &n->parent->children)
			return container_of(n->sibling.next, struct sysfs_node, sibling);
	return NULL;
}

/* Without children by now. Its references to others are dropped; so is its parent's to it. */
static void
detach(struct sysfs_node *n)
{
	struct sysfs_node *parent = n->parent;

	list_del(&n->sibling);
	parent->directories -= !n->target;
	n->parent = NULL;
	n->removed = true;
	node_count--;
	if (n->target)
		sysfs_node_put(n->target);
	sysfs_node_put(parent);
	sysfs_node_put(n);
}

static struct sysfs_node *
dangling_link(void)
{
	for (struct sysfs_node *n = &sysfs_root; n; n = next_below(&sysfs_root, n))
		if (n->target && n->target->removed)
			return n;
	return NULL;
}

void
sysfs_remove_link(struct sysfs_node *dir, const char *name)
{
	struct sysfs_node *n;

	write_lock(&sysfs_lock);
	n = sysfs_find_locked(dir, name, strlen(name));
	if (n && n->target)
		detach(n);
	write_unlock(&sysfs_lock);
}

void
sysfs_remove(struct sysfs_node *n)
{
	struct sysfs_node *last, *link;
	bool done = false;

	if (!n || n == &sysfs_root)
		return;
	write_lock(&sysfs_lock);
	while (!done) {
		last = n;
		while (!list_is_empty(&last->children))
			last = list_first(&last->children, struct sysfs_node, sibling);
		done = last == n;
		detach(last);
	}
	while ((link = dangling_link()) != NULL)
		detach(link);
	write_unlock(&sysfs_lock);
}

/* --- names and numbers ------------------------------------------------------------------------------- */

static uint32_t
depth(const struct sysfs_node *n)
{
	uint32_t d = 0;

	for (; n->parent; n = n->parent)
		d++;
	return d;
}

ssize_t
sysfs_link_text_locked(struct sysfs_node *link, char *buf, size_t size)
{
	struct sysfs_node *from = link->parent, *to = link->target, *a, *b;
	size_t up = 0, length, used;

	for (a = from; depth(a) > depth(to); a = a->parent)
		up++;
	for (b = to; depth(b) > depth(a); b = b->parent)
		;
	for (; a != b; a = a->parent, b = b->parent)
		up++;
	length = up * 3;
	for (b = to; b != a; b = b->parent)
		length += strlen(b->name) + 1;
	length -= length > 0; /* the last slash */
	if (length >= size)
		return -ENAMETOOLONG;
	/* From the end: the names, then the steps up. */
	used = length;
	for (b = to; b != a; b = b->parent) {
		size_t n = strlen(b->name);

		used -= n;
		memcpy(buf + used, b->name, n);
		if (used)
			buf[--used] = '/';
	}
	for (size_t i = 0; i < up; i++)
		memcpy(buf + i * 3, "../", MIN((size_t)3, length - i * 3));
	return (ssize_t)length;
}

uint64_t
sysfs_count(void)
{
	return READ_ONCE(node_count);
}

void
sysfs_dump(void)
{
	for (struct sysfs_node *n = &sysfs_root; n; n = next_below(&sysfs_root, n))
		pr_info("%*s%s%s%s refs %u object %p\n", (int)depth(n) * 2, "", n == &sysfs_root ? "/" : n->name,
			n->target ? " -> " : "", n->target ? n->target->name : "",
			(unsigned int)n->refs.count, n->object);
}
