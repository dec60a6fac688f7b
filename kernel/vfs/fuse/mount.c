/* SPDX-License-Identifier: MIT */
/*
 * mount.c - the file system types fuse and fuseblk: mounted by who holds a daemon's /dev/fuse, and unmounted.
 *
 * The option fd= names the device. INIT goes out at once and is answered later: calls wait for it. `fuse` may be mounted by
 * anybody over a mount namespace of his own; elsewhere by root, which is what fusermount3 is.
 *
 * The end: when the last mount goes, no file is open any more. A fuseblk's daemon is told (DESTROY) and waited for; then
 * nothing more is sent, all requests end, and only then are names and inodes forgotten.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

#define BLOCK_SIZE 512u
#define DESTROY_PATIENCE (5 * NSEC_PER_SEC)

struct options {
	uint32_t fd, rootmode, user, group;
	bool has_fd, has_rootmode, has_user, has_group;
	uint32_t max_read, block_size;
	bool default_permissions, allow_other, of_device;
	const char *subtype;
	char subtype_text[64];
};

/* --- options ---------------------------------------------------------------------------------------- */

static int
number(const char *text, uint32_t base, uint32_t *out)
{
	uint64_t n = 0;

	if (!text || !*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text >= (char)('0' + base))
			return -EINVAL;
		n = n * base + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return -EINVAL;
	}
	*out = (uint32_t)n;
	return 0;
}

static int
flag(const char *value, bool *out)
{
	if (value)
		return -EINVAL;
	*out = true;
	return 0;
}

static int
take_subtype(struct options *o, const char *value)
{
	if (!value || !*value || o->subtype || strlen(value) >= sizeof(o->subtype_text))
		return -EINVAL;
	memcpy(o->subtype_text, value, strlen(value) + 1);
	o->subtype = o->subtype_text;
	return 0;
}

static int
take_owner(struct options *o, bool group, const char *value)
{
	uint32_t id;
	int error = number(value, 10, &id);

	if (error)
		return error;
	id = group ? gid_from_user(id) : uid_from_user(id);
	if (id == ID_INVALID)
		return -EINVAL;
	if (group) {
		o->group = id;
		o->has_group = true;
	} else {
		o->user = id;
		o->has_user = true;
	}
	return 0;
}

static int
take(void *into, const char *key, const char *value)
{
	struct options *o = into;

	if (strcmp(key, "fd") == 0) {
		o->has_fd = true;
		return number(value, 10, &o->fd);
	}
	if (strcmp(key, "rootmode") == 0) {
		o->has_rootmode = true;
		if (number(value, 8, &o->rootmode))
			return -EINVAL;
		switch (o->rootmode & S_IFMT) {
		case S_IFDIR:
		case S_IFREG:
			return 0;
		}
		return -EINVAL;
	}
	if (strcmp(key, "user_id") == 0)
		return take_owner(o, false, value);
	if (strcmp(key, "group_id") == 0)
		return take_owner(o, true, value);
	if (strcmp(key, "default_permissions") == 0)
		return flag(value, &o->default_permissions);
	if (strcmp(key, "allow_other") == 0)
		return flag(value, &o->allow_other);
	if (strcmp(key, "max_read") == 0)
		return number(value, 10, &o->max_read);
	if (strcmp(key, "blksize") == 0)
		return o->of_device ? number(value, 10, &o->block_size) : -EINVAL;
	if (strcmp(key, "subtype") == 0)
		return take_subtype(o, value);
	return -ENOENT;
}

static int
check_option_of(const char *key, const char *value, bool of_device)
{
	struct options o = { .of_device = of_device };

	return take(&o, key, value);
}

static int
check_option(const char *key, const char *value)
{
	return check_option_of(key, value, false);
}

static int
check_device_option(const char *key, const char *value)
{
	return check_option_of(key, value, true);
}

static void
show_options(struct filesystem *fs, char *out, size_t size)
{
	const struct fuse_connection *c = fs->private;
	size_t n = 0;

	n += scnprintf(out + n, size - n, ",user_id=%u,group_id=%u", uid_shown(c->user), gid_shown(c->group));
	if (c->asked_permissions)
		n += scnprintf(out + n, size - n, ",default_permissions");
	if (c->allow_other)
		n += scnprintf(out + n, size - n, ",allow_other");
	if (c->max_read != UINT32_MAX)
		n += scnprintf(out + n, size - n, ",max_read=%u", c->max_read);
	if (c->destroy && c->block_size != BLOCK_SIZE)
		scnprintf(out + n, size - n, ",blksize=%u", c->block_size);
}

/* --- mounting --------------------------------------------------------------------------------------- */

/* The device that the option names, with a reference. ERR_PTR(-EINVAL). */
static struct file *
device_file(const struct options *o)
{
	int error;
	struct file *f = o->fd <= INT32_MAX ? handle_get((int)o->fd, RIGHT_READ | RIGHT_WRITE, &error) : NULL;
	struct fuse_device *d = f ? fuse_device_of(f) : NULL;

	if (d && f->cred->user_ns == current_cred()->user_ns && !atomic_load(&d->conn))
		return f;
	if (f)
		file_put(f);
	return ERR_PTR(-EINVAL);
}

static void
use_options(struct fuse_connection *c, const struct options *o, struct filesystem *fs)
{
	c->user = o->user;
	c->group = o->group;
	c->default_permissions = c->asked_permissions = o->default_permissions;
	c->allow_other = o->allow_other;
	c->max_read = MAX(o->max_read, (uint32_t)PAGE_SIZE);
	c->destroy = o->of_device;
	c->block_size = o->of_device ? o->block_size : PAGE_SIZE;
	c->number = DEV_MAJOR(fs->device) << 20 | DEV_MINOR(fs->device); /* as in the names that Linux gives */
	c->fs = fs;
	fs->private = c;
}

/* Root, and the connection it is of. On error the caller ends the connection. */
static int
fill(struct filesystem *fs, struct fuse_connection *c, const struct options *o)
{
	struct inode *root;
	int error = fuse_pages_init(c);

	if (error)
		return error;
	fs->backing = c->backing;
	if (o->subtype) {
		fs->subtype = kstrdup(o->subtype);
		if (!fs->subtype)
			return -ENOMEM;
	}
	root = fuse_node_root(fs, o->rootmode);
	if (!root)
		return -ENOMEM;
	fs->root = dentry_create_root(fs, root);
	if (!fs->root) {
		inode_put(root);
		return -ENOMEM;
	}
	return 0;
}

static void
end_connection(struct filesystem *fs, struct fuse_connection *c)
{
	fs->backing = NULL;
	if (c->backing) {
		backing_unpublish(c->backing);
		backing_kill(c->backing, -ENOTCONN);
		backing_put(c->backing);
		c->backing = NULL;
	}
	kfree(fs->subtype);
	fs->subtype = NULL;
	fs->private = NULL;
	fuse_connection_put(c);
}

static int
mount_with(struct filesystem *fs, const struct options *o)
{
	struct file *f = device_file(o);
	struct fuse_connection *c;
	int error;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	c = fuse_connection_create();
	if (!c) {
		file_put(f);
		return -ENOMEM;
	}
	use_options(c, o, fs);
	error = fill(fs, c, o);
	if (!error && !fuse_device_attach(fuse_device_of(f), c))
		error = -EINVAL;
	if (!error) {
		fuse_connection_list(c);
		error = fuse_send_init(c);
	}
	if (error) {
		fuse_connection_unlist(c);
		fuse_abort(c);
		write_lock(&c->alive); /* the device may have it still */
		c->fs = NULL;
		write_unlock(&c->alive);
		if (fs->root)
			dentry_put(fs->root);
		fs->root = NULL;
		end_connection(fs, c);
	}
	file_put(f);
	return error;
}

static bool
is_block_size(uint32_t n)
{
	return n >= BLOCK_SIZE && n <= PAGE_SIZE && (n & (n - 1)) == 0;
}

static int
mount_options(struct filesystem *fs, const char *options, bool of_device)
{
	struct options *o = kzalloc(sizeof(*o));
	int error;

	if (!o)
		return -ENOMEM;
	o->max_read = UINT32_MAX;
	o->block_size = BLOCK_SIZE;
	o->of_device = of_device;
	error = mount_options_each(options, take, o);
	if (!error && !(o->has_fd && o->has_rootmode && o->has_user && o->has_group && is_block_size(o->block_size)))
		error = -EINVAL;
	if (!error)
		error = mount_with(fs, o);
	kfree(o);
	return error;
}

static int
fuse_mount(struct filesystem *fs, const char *source, const char *options)
{
	return mount_options(fs, options, false);
}

/* On a block device, whose number the file system's files have. */
static int
fuseblk_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct path p;
	int error;

	if (!source || !*source)
		return -EINVAL;
	error = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &p);
	if (error)
		return error;
	if (!S_ISBLK(p.dentry->inode->mode))
		error = -ENOTBLK;
	else if (READ_ONCE(p.mount->flags) & MOUNT_NODEV)
		error = -EACCES;
	else
		fs->device = p.dentry->inode->rdev;
	path_put(&p);
	return error ? error : mount_options(fs, options, true);
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* Who is being killed waits for the daemon some time, too: it may be the last of a namespace, and this the unmount. */
static void
send_destroy(struct fuse_connection *c)
{
	struct fuse_request *r = atomic_load(&c->ready) ? fuse_request_make(c, FUSE_DESTROY, 0, NULL, 0, NULL, NULL) : NULL;

	if (!r)
		return;
	fuse_request_force(r);
	if (fuse_request_call(r) == -EINTR)
		(void)wait_event_deadline(&r->done, atomic_load(&r->state) == FUSE_DONE, WAIT_UNINTERRUPTIBLE,
					  deadline_after(DESTROY_PATIENCE));
	fuse_request_put(r);
}

/* Before anything of it is forgotten. Afterwards no request and no notice holds an inode. */
static void
fuse_leave(struct filesystem *fs)
{
	struct fuse_connection *c = fs->private;

	(void)backing_sync_patiently(c->backing, false); /* until somebody aborts it, if the daemon is slow */
	if (c->destroy)
		send_destroy(c);
	fuse_connection_unlist(c);
	fuse_abort(c);
	wait_event(&c->room, atomic_load(&c->waiting) == 0);
	backing_kill(c->backing, -ENOTCONN);
	backing_settle(c->backing);
	fuse_nodes_drop_keepers(c);
	write_lock(&c->alive);
	c->fs = NULL;
	write_unlock(&c->alive);
}

static void
fuse_unmount(struct filesystem *fs)
{
	end_connection(fs, fs->private);
}

/* umount -f: whoever waits for the daemon waits no more. */
static void
fuse_force(struct filesystem *fs)
{
	fuse_abort(fs->private);
}

static int
fuse_statfs(struct filesystem *fs, struct fs_stat *st)
{
	struct fuse_connection *c = fs->private;
	uint64_t node = st->of ? fuse_node_of(st->of)->id : FUSE_ROOT_ID;
	const struct fuse_statfs_out *out;
	struct fuse_request *r;
	int error = -ENOMEM;

	if (!fuse_may_access(c)) /* no more than that it is one */
		return 0;
	r = fuse_request_make(c, FUSE_STATFS, node, NULL, 0, NULL, NULL);
	if (r && fuse_request_wants(r, sizeof(*out), false))
		error = fuse_request_call(r);
	if (!error) {
		out = r->out;
		st->block_size = out->block_size;
		st->fragment_size = out->fragment_size;
		st->blocks = out->blocks;
		st->free = out->free;
		st->available = out->available;
		st->files = out->files;
		st->files_free = out->files_free;
		st->name_max = out->name_length;
	}
	fuse_request_put(r);
	return error;
}

/* --- by handle -------------------------------------------------------------------------------------- */

static void
fuse_key_of(const struct inode *i, struct file_key *key)
{
	const struct fuse_node *n = fuse_node_of(i);

	key->inode = n->id;
	key->generation = (uint32_t)n->generation;
}

static struct inode *
fuse_find_key(struct filesystem *fs, const struct file_key *key)
{
	struct fuse_connection *c = fs->private;
	struct inode *i = key->inode ? fuse_node_find(c, key->inode) : ERR_PTR(-ESTALE);

	if (!i)
		i = fuse_has(c, FUSE_EXPORT_SUPPORT) ? fuse_node_by_number(fs, key->inode) : ERR_PTR(-ESTALE);
	if (!IS_ERR(i) && (uint32_t)fuse_node_of(i)->generation != key->generation) {
		inode_put(i);
		i = ERR_PTR(-ESTALE);
	}
	return i;
}

static struct filesystem_type fuse_type = {
	.name = "fuse",
	.magic = FUSE_MAGIC,
	.no_device = true,
	.user_mount = true,
	.has_subtype = true,
	.own_umask = true,
	.foreign_names = true,
	.mount = fuse_mount,
	.leave = fuse_leave,
	.unmount = fuse_unmount,
	.force = fuse_force,
	.statfs = fuse_statfs,
	.key_of = fuse_key_of,
	.find_key = fuse_find_key,
	.show_options = show_options,
	.check_option = check_option,
};

static struct filesystem_type fuseblk_type = {
	.name = "fuseblk",
	.magic = FUSE_MAGIC,
	.has_subtype = true,
	.own_umask = true,
	.foreign_names = true,
	.mount = fuseblk_mount,
	.leave = fuse_leave,
	.unmount = fuse_unmount,
	.force = fuse_force,
	.statfs = fuse_statfs,
	.key_of = fuse_key_of,
	.find_key = fuse_find_key,
	.show_options = show_options,
	.check_option = check_device_option,
};

static void
dump_one(void *ctx, struct fuse_connection *c)
{
	const struct fuse_device *d;
	const struct fuse_request *r;

	pr_info("fuse %u: %s%s%s, user %u, minor %u, flags %#lx, lacks %#lx, %lu nodes, refs %u\n", c->number,
		c->connected ? "connected" : "ended", c->ready ? ", ready" : "", c->refused ? ", refused" : "", c->user,
		c->minor, c->flags, c->lacks, c->node_count, ref_count(&c->refs));
	pr_info("  %lu requests, %lu answers, %lu notices, %lu errors; %u not done, background %u of %u\n", c->requests,
		c->answers, c->notices, c->errors, c->waiting, c->active, c->max_background);
	list_for_each(r, &c->pending, node)
		fuse_request_dump(r);
	list_for_each(r, &c->waiting_background, node)
		fuse_request_dump(r);
	list_for_each(d, &c->devices, node)
		list_for_each(r, &d->sent, node)
			fuse_request_dump(r);
}

void
fuse_dump(void)
{
	fuse_connections_visit_unlocked(dump_one, NULL);
}

void
fuse_init(void)
{
	fuse_device_init();
	filesystem_register(&fuse_type);
	filesystem_register(&fuseblk_type);
	fuse_control_init();
	cuse_init();
}
