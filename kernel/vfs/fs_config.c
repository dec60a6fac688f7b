/* SPDX-License-Identifier: MIT */
/*
 * fs_config.c - a file system being put together step by step, behind a handle: fsopen(2), fspick(2).
 *
 *   fsopen -> CREATE --create--> MADE --mount--> IDLE --any step--> CHANGE --change--> IDLE
 *   fspick -> CHANGE                     a step that fails where it cannot be taken back -> FAILED
 *
 * Options are checked when they are named, and collected as the text that mount(2) would have got. What was wrong
 * is told in words by reading from the handle: the last few messages, each once.
 *
 * Lock: c->lock, which stands above those of mounts: a file system is made and looked for under it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/fs_config.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mount_tree.h"

#define MESSAGES     8
#define MESSAGE_SIZE 320
#define OPTIONS_MAX  PAGE_SIZE

enum phase { CREATE, MADE, IDLE, CHANGE, FAILED };

static const char *const phase_names[] = { "create", "made", "idle", "change", "failed" };

/* [I] immutable  [c] lock */
struct fs_config {
	struct mutex lock;             /* class FS_CONFIG */
	struct filesystem_type *type;  /* [I] */
	enum phase phase;              /* [c] */
	struct filesystem *fs;         /* [c] reference; NULL: not made yet */
	char *source;                  /* [c] or NULL */
	char *options;                 /* [c] or NULL */
	bool readonly, readonly_given; /* [c] */
	struct list messages;          /* [c] of struct message, oldest first */
	uint32_t message_count;        /* [c] */
};

struct message {
	struct list node;
	char text[MESSAGE_SIZE];
};

static const struct file_ops fs_config_ops;

static struct fs_config *
config_of(struct file *f)
{
	return f->private;
}

bool
file_is_fs_config(const struct file *f)
{
	return f->ops == &fs_config_ops;
}

/* Tell the reader "who: what 'name'", the first and the last if they are given. Without memory it is not told. */
static int
complain(struct fs_config *c, int error, const char *who, const char *what, const char *name)
{
	struct message *m = kzalloc(sizeof(*m)), *oldest;

	if (!m)
		return error;
	scnprintf(m->text, sizeof(m->text), "e %s%s%s%s%s%s\n", who ? who : "", who ? ": " : "", what,
		  name ? " '" : "", name ? name : "", name ? "'" : "");
	if (c->message_count == MESSAGES) {
		oldest = list_first(&c->messages, struct message, node);
		list_del(&oldest->node);
		kfree(oldest);
		c->message_count--;
	}
	list_add_tail(&c->messages, &m->node);
	c->message_count++;
	return error;
}

/* --- the steps -------------------------------------------------------------------------------- */

/* After a mount or a change it starts anew. */
static void
start_again(struct fs_config *c)
{
	if (c->phase == IDLE)
		c->phase = CHANGE;
}

static void
forget(struct fs_config *c)
{
	kfree(c->options);
	kfree(c->source);
	c->options = c->source = NULL;
	c->readonly_given = false;
	c->phase = IDLE;
}

/* Options that every file system has. */
static bool
set_common(struct fs_config *c, const char *key)
{
	static const char *const ignored[] = { "dirsync", "lazytime", "mand", "sync", "async", "nolazytime", "nomand" };
	bool readonly = strcmp(key, "ro") == 0;

	if (readonly || strcmp(key, "rw") == 0) {
		c->readonly = readonly;
		c->readonly_given = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (strcmp(key, ignored[i]) == 0)
			return true;
	return false;
}

static int
set_source(struct fs_config *c, const char *value, enum fs_config_kind kind)
{
	if (kind != FS_CONFIG_STRING)
		return complain(c, -EINVAL, NULL, "Non-string source", NULL);
	if (c->source)
		return complain(c, -EINVAL, NULL, "Multiple sources", NULL);
	c->source = kstrdup(value);
	return c->source ? 0 : -ENOMEM;
}

/* "old,key=value" */
static int
append(struct fs_config *c, const char *key, const char *value)
{
	size_t old = c->options ? strlen(c->options) : 0;
	size_t size = old + strlen(key) + (value ? strlen(value) : 0) + 3;
	char *more = size <= OPTIONS_MAX ? kmalloc(size, 0) : NULL;

	if (!more)
		return size <= OPTIONS_MAX ? -ENOMEM : -EINVAL;
	scnprintf(more, size, "%s%s%s%s%s", old ? c->options : "", old ? "," : "", key, value ? "=" : "",
		  value ? value : "");
	kfree(c->options);
	c->options = more;
	return 0;
}

static int
set(struct fs_config *c, const char *key, const char *value, enum fs_config_kind kind)
{
	const struct filesystem_type *type = c->type;
	int error;

	if (c->phase != CREATE && c->phase != CHANGE)
		return -EBUSY;
	if (set_common(c, key))
		return 0;
	if (strcmp(key, "source") == 0)
		return set_source(c, value, kind);
	if (type->late_options) /* the text is taken apart at its commas when it is mounted */
		return strchr(key, ',') || (value && strchr(value, ','))
			       ? complain(c, -EINVAL, "VFS: Legacy", "Comma in option", key)
			       : append(c, key, value);
	error = type->check_option ? type->check_option(key, kind == FS_CONFIG_FLAG ? NULL : value) : -ENOENT;
	if (error == -ENOENT)
		return complain(c, -EINVAL, type->name, "Unknown parameter", key);
	if (error == -EINVAL || kind == FS_CONFIG_OTHER)
		return complain(c, -EINVAL, type->name, "Bad value for", key);
	return error ? error : append(c, key, value);
}

int
fs_config_set(struct file *f, const char *key, const char *value, enum fs_config_kind kind)
{
	struct fs_config *c = config_of(f);
	int error;

	if (kind == FS_CONFIG_OTHER && c->type->late_options)
		return -EOPNOTSUPP;
	mutex_lock(&c->lock);
	start_again(c);
	error = set(c, key, value, kind);
	mutex_unlock(&c->lock);
	return error;
}

int
fs_config_make(struct file *f)
{
	struct fs_config *c = config_of(f);
	int error = -EBUSY;

	mutex_lock(&c->lock);
	start_again(c);
	if (c->phase != CREATE)
		goto out;
	error = filesystem_may_mount(c->type);
	if (error)
		goto out;
	error = filesystem_instance(c->type, c->source, c->options, c->readonly, &c->fs);
	c->phase = error ? FAILED : MADE;
out:
	mutex_unlock(&c->lock);
	return error;
}

int
fs_config_change(struct file *f)
{
	struct fs_config *c = config_of(f);
	int error = -EBUSY;

	mutex_lock(&c->lock);
	start_again(c);
	if (c->phase != CHANGE)
		goto out;
	error = capable_in(c->fs->user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
	if (!error)
		error = filesystem_reconfigure(c->fs, c->readonly_given ? &c->readonly : NULL, c->options);
	if (error)
		c->phase = FAILED;
	else
		forget(c);
out:
	mutex_unlock(&c->lock);
	return error;
}

int
fs_config_mount(struct file *f, uint32_t flags, struct file **out)
{
	struct fs_config *c = config_of(f);
	struct mount *m;
	int error = -EINVAL;

	mutex_lock(&c->lock);
	if (!c->fs)
		goto out;
	error = mount_may_reveal(c->fs, &flags);
	if (error)
		goto out;
	error = c->phase == MADE ? 0 : -EBUSY;
	if (error)
		goto out;
	m = mount_create(c->fs, c->fs->root, flags, c->source);
	error = m ? vfs_open_detached(m, out) : -ENOMEM;
	if (!error)
		forget(c);
out:
	mutex_unlock(&c->lock);
	return error;
}

/* --- the handle ------------------------------------------------------------------------------- */

/* One message at a time. */
static ssize_t
fs_config_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct fs_config *c = config_of(f);
	struct message *m;
	ssize_t n = -ENODATA;

	mutex_lock(&c->lock);
	m = list_first(&c->messages, struct message, node);
	if (m && strlen(m->text) > to->count) {
		n = -EMSGSIZE;
		m = NULL;
	} else if (m) {
		list_del(&m->node);
		c->message_count--;
	}
	mutex_unlock(&c->lock);
	if (!m)
		return n;
	n = (ssize_t)strlen(m->text);
	if (iov_copy_to(to, m->text, (size_t)n) != (size_t)n)
		n = -EFAULT;
	kfree(m);
	return n;
}

static void
config_free(struct fs_config *c)
{
	struct message *m;

	while ((m = list_first(&c->messages, struct message, node)) != NULL) {
		list_del(&m->node);
		kfree(m);
	}
	if (c->fs)
		filesystem_put(c->fs);
	kfree(c->options);
	kfree(c->source);
	kfree(c);
}

static void
fs_config_release(struct file *f)
{
	config_free(config_of(f));
}

static void
fs_config_dump(struct file *f)
{
	const struct fs_config *c = config_of(f);

	pr_info("file system %s, %s, options %s\n", c->type->name, phase_names[c->phase],
		c->options ? c->options : "none");
}

static const struct file_ops fs_config_ops = {
	.name = "fscontext",
	.read = fs_config_read,
	.release = fs_config_release,
	.dump = fs_config_dump,
};

static struct file *
config_open(struct filesystem_type *type, struct filesystem *fs)
{
	struct fs_config *c = kzalloc(sizeof(*c));
	struct file *f;

	if (!c)
		return NULL;
	mutex_init(&c->lock, LOCK_FS_CONFIG);
	list_init(&c->messages);
	c->type = type;
	c->phase = fs ? CHANGE : CREATE;
	c->fs = fs;
	if (fs)
		ref_get(&fs->refs);
	f = anonymous_file_create(&fs_config_ops, O_RDWR, c);
	if (!f)
		config_free(c);
	return f;
}

int
fs_config_open(const char *type_name, struct file **out)
{
	struct filesystem_type *type = filesystem_find(type_name);

	if (!type)
		return -ENODEV;
	*out = config_open(type, NULL);
	return *out ? 0 : -ENOMEM;
}

int
fs_config_pick(const struct path *p, struct file **out)
{
	if (p->dentry != p->mount->root)
		return -EINVAL;
	*out = config_open(filesystem_find(p->mount->fs->type->name), p->mount->fs);
	return *out ? 0 : -ENOMEM;
}
