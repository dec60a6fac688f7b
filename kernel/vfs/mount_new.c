/* SPDX-License-Identifier: MIT */
/*
 * mount_new.c - file systems to be mounted: made, or found where a type has one instance for all.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mount_tree.h"

static struct mutex single_lock = MUTEX_INIT(single_lock, SLEEP_LEAF);
static struct list singles = LIST_INIT(singles); /* single_lock: struct single */

/* The one instance of a type that has only one. */
struct single {
	struct list node;
	const struct filesystem_type *type;
	struct filesystem *fs; /* a reference, for ever */
};

/* The single instance of a type, with a reference; NULL: not there yet. single_lock is held. */
static struct filesystem *
find_single_locked(const struct filesystem_type *type)
{
	struct single *s;

	list_for_each(s, &singles, node)
		if (s->type == type) {
			ref_get(&s->fs->refs);
			return s->fs;
		}
	return NULL;
}

static struct filesystem *
find_single(const struct filesystem_type *type)
{
	struct filesystem *fs;

	mutex_lock(&single_lock);
	fs = find_single_locked(type);
	mutex_unlock(&single_lock);
	return fs;
}

/* `fs` becomes the single instance, unless another was faster: that one then. NULL: no memory. */
static struct filesystem *
keep_single(struct filesystem *fs)
{
	struct single *s = kzalloc(sizeof(*s));
	struct filesystem *other;

	if (!s) {
		filesystem_put(fs);
		return NULL;
	}
	s->type = fs->type;
	s->fs = fs;
	mutex_lock(&single_lock);
	other = find_single_locked(fs->type);
	if (!other) {
		list_add_tail(&singles, &s->node);
		ref_get(&fs->refs);
	}
	mutex_unlock(&single_lock);
	if (!other)
		return fs;
	kfree(s);
	filesystem_put(fs);
	return other;
}

int
filesystem_instance(struct filesystem_type *type, const char *source, const char *options, bool readonly,
		    struct filesystem **out)
{
	bool single = type->single && !(type->is_another && type->is_another());
	struct filesystem *fs = single ? find_single(type) : NULL;
	int error;

	if (type->instance)
		return type->instance(out);
	if (fs) {
		*out = fs;
		return 0;
	}
	fs = filesystem_create(type);
	if (!fs)
		return -ENOMEM;
	error = type->mount(fs, source, options);
	if (error) {
		filesystem_discard(fs);
		return error;
	}
	fs->readonly = readonly;
	*out = single ? keep_single(fs) : fs;
	return *out ? 0 : -ENOMEM;
}

int
filesystem_may_mount(const struct filesystem_type *type)
{
	return type->user_mount || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

/* Does `m` show all of its file system? What is locked on it hides something. */
static bool
shows_all(struct mount *m)
{
	struct mount *c;

	if (m->root != m->fs->root)
		return false;
	list_for_each(c, &m->children, sibling)
		if (c->locked)
			return false;
	return true;
}

int
mount_may_reveal(const struct filesystem *fs, uint32_t *flags)
{
	struct mount_namespace *ns = current_mount_namespace();
	bool shown = false;

	if (capable(CAP_SYS_ADMIN) || !fs->type->single)
		return 0;
	read_lock(&mount_lock);
	for (struct mount *m = ns->root; m && !shown; m = mount_next_locked(m, ns->root)) {
		if (m->fs->type != fs->type || !shows_all(m) || (m->locked_flags & MOUNT_READONLY & ~*flags))
			continue;
		if ((m->locked_flags & ACCESS_TIMES) && ((m->flags ^ *flags) & ACCESS_TIMES))
			continue;
		shown = true;
	}
	read_unlock(&mount_lock);
	return shown ? 0 : -EPERM;
}

/* What is behind the dot of a type's name is its option `subtype`. *out: all options, to be freed; NULL: as they are. */
static int
add_subtype(const char *type_name, const char *options, char **out)
{
	const char *dot = strchr(type_name, '.');
	size_t size;

	*out = NULL;
	if (!dot)
		return 0;
	if (!dot[1])
		return -EINVAL;
	size = strlen(dot) + (options ? strlen(options) : 0) + 16;
	*out = kmalloc(size, 0);
	if (!*out)
		return -ENOMEM;
	snprintf(*out, size, "subtype=%s%s%s", dot + 1, options ? "," : "", options ? options : "");
	return 0;
}

int
vfs_mount(const char *source, const struct path *where, const char *type_name, uint32_t flags, bool readonly,
	  const char *options)
{
	struct filesystem_type *type = filesystem_find(type_name);
	struct filesystem *fs;
	struct mount *m;
	char *all;
	int error;

	if (!type)
		return -ENODEV;
	error = where ? filesystem_may_mount(type) : 0;
	if (error)
		return error;
	error = add_subtype(type_name, options, &all);
	if (error)
		return error;
	error = filesystem_instance(type, source, all ? all : options, readonly, &fs);
	kfree(all);
	if (error)
		return error;
	error = where ? mount_may_reveal(fs, &flags) : 0;
	if (error) {
		filesystem_put(fs);
		return error;
	}
	m = mount_create(fs, fs->root, flags, source);
	filesystem_put(fs);
	if (!m)
		return -ENOMEM;
	error = where ? mount_graft(m, where) : 0;
	if (error) {
		mount_put(m);
	} else if (!where) {
		root_mount = init_mount_namespace.root = m;
		m->ns = &init_mount_namespace;
		m->ns->count = 1;
	}
	return error;
}
