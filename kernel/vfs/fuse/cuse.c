/* SPDX-License-Identifier: MIT */
/*
 * cuse.c - character devices that are processes: /dev/cuse.
 *
 * Who opens /dev/cuse is asked by CUSE_INIT which device he is, and it appears in /dev and /sys. Opening it and what is done with
 * it become FUSE requests with node 0; read and write go straight through, ioctl may name pieces of the caller's memory. With the
 * last handle of the daemon's the device goes; what is open stays open and fails.
 *
 *	opened --CUSE_INIT's answer--> REGISTERED --closed--> gone
 */
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "fuse.h"

#define CUSE_DEVICE DEV(10, 203)
#define NAME_SIZE   64
#define MAJOR_FREE  234u /* and below, for who names no number: as Linux gives them */
#define MAJOR_LAST  220u

/* [I] once registered  [d] devices_lock */
struct cuse_device {
	struct list node;              /* [d] */
	struct fuse_connection *conn;  /* whose it is */
	dev_t device;
	char name[NAME_SIZE];
	bool unrestricted;             /* ioctls may ask for other pieces of memory */
	bool registered;
};

static struct spinlock devices_lock = SPINLOCK_INIT(FUSE_NODES);
static struct list devices = LIST_INIT(devices); /* devices_lock */

/* --- the device as programs see it ------------------------------------------------------------------------ */

static int
send_open(struct fuse_file *ff, uint32_t flags)
{
	struct fuse_open_in in = { .flags = (flags | O_LARGEFILE) & ~(O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC) };
	struct fuse_request *r = fuse_request_make(ff->conn, FUSE_OPEN, 0, &in, sizeof(in), NULL, NULL);
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, sizeof(struct fuse_open_out), false))
		error = fuse_request_call(r);
	if (!error)
		fuse_file_opened(ff, NULL, in.flags, r->out);
	fuse_request_put(r);
	return error;
}

/* The connection of the device with this number, with a reference. */
static struct fuse_connection *
find(dev_t device)
{
	struct cuse_device *d;
	struct fuse_connection *c = NULL;

	spin_lock(&devices_lock);
	list_for_each(d, &devices, node)
		if (READ_ONCE(d->registered) && d->device == device) {
			c = d->conn;
			fuse_connection_get(c);
			break;
		}
	spin_unlock(&devices_lock);
	return c;
}

static int
file_open(struct inode *i, struct file *f)
{
	struct fuse_connection *c = find(i->rdev);
	struct fuse_file *ff;
	int error;

	if (!c)
		return -ENODEV;
	ff = fuse_file_create(c, false);
	fuse_connection_put(c);
	if (!ff)
		return -ENOMEM;
	error = send_open(ff, f->flags);
	if (error) {
		fuse_file_discard(ff);
		return error;
	}
	f->private = ff;
	return 0;
}

/* There are no positions: the daemon sees 0. */
static ssize_t
file_read_op(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	loff_t none = 0;

	return fuse_direct_read(f, to, &none);
}

static ssize_t
file_write_op(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	loff_t none = 0;

	return fuse_direct_write(f, from, &none);
}

static loff_t
file_seek_op(struct file *f, loff_t offset, int whence)
{
	return f->position;
}

static long
file_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	const struct cuse_device *d = fuse_file_of(f)->conn->cuse;

	return fuse_do_ioctl(f, command, arg, READ_ONCE(d->unrestricted) ? FUSE_IOCTL_UNRESTRICTED : 0);
}

static const struct file_ops cuse_file_ops = {
	.name = "cuse file",
	.read = file_read_op,
	.write = file_write_op,
	.seek = file_seek_op,
	.poll = fuse_poll,
	.ioctl = file_ioctl,
	.own_ioctl = true,
	.waits = true,
	.release = fuse_release,
	.dump = fuse_file_dump,
};

/* --- the device comes and goes ------------------------------------------------------------------------------ */

/* The value of DEVNAME among the texts "KEY=value" that end in zeros. NULL: none that could be a name. */
static const char *
device_name(const char *info, size_t size)
{
	static const char key[] = "DEVNAME=";

	for (size_t at = 0, n; at < size; at += n + 1) {
		const char *value = info + at + sizeof(key) - 1;

		n = strnlen(info + at, size - at);
		if (at + n == size)
			return NULL; /* no zero behind it */
		if (strncmp(info + at, key, sizeof(key) - 1) != 0)
			continue;
		if (!*value || strlen(value) >= NAME_SIZE || strchr(value, '/') || strcmp(value, ".") == 0 ||
		    strcmp(value, "..") == 0)
			return NULL;
		return value;
	}
	return NULL;
}

/* Its name is its own from now on. False: another device's. */
static bool
take_name(struct cuse_device *d)
{
	struct cuse_device *other;
	bool taken = false;

	spin_lock(&devices_lock);
	list_for_each(other, &devices, node)
		taken = taken || strcmp(other->name, d->name) == 0;
	if (!taken)
		list_add_tail(&devices, &d->node);
	spin_unlock(&devices_lock);
	return !taken;
}

static void
leave_name(struct cuse_device *d)
{
	spin_lock(&devices_lock);
	list_del(&d->node);
	spin_unlock(&devices_lock);
}

/* Its number, as asked for or a free one. */
static int
take_number(struct cuse_device *d, uint32_t major, uint32_t minor)
{
	int error = -EBUSY;

	if (major) {
		d->device = DEV(major, minor);
		return chrdev_register_range(d->name, d->device, 1, &cuse_file_ops, file_open);
	}
	for (major = MAJOR_FREE; major >= MAJOR_LAST && error == -EBUSY; major--) {
		d->device = DEV(major, minor);
		error = chrdev_register_range(d->name, d->device, 1, &cuse_file_ops, file_open);
	}
	return error;
}

static int
enlist(struct cuse_device *d, const struct cuse_init_out *out, const char *name)
{
	int error;

	memcpy(d->name, name, strlen(name) + 1);
	if (out->dev_major > 0xfff || out->dev_minor > 0xfffff || !take_name(d))
		return -EINVAL;
	error = take_number(d, out->dev_major, out->dev_minor);
	if (error) {
		leave_name(d);
		return error;
	}
	WRITE_ONCE(d->registered, true);
	if (sysfs_add_device("devices/virtual", "cuse", d->name, d->device, 0600))
		pr_warn("cuse: no place in /sys for %s\n", d->name);
	error = devfs_add(d->name, S_IFCHR | 0600, d->device);
	return error == -EEXIST ? 0 : error; /* another's node of that name stays, and is not ours */
}

static void
delist(struct cuse_device *d)
{
	if (!d->registered)
		return;
	leave_name(d);
	chrdev_unregister(d->device); /* and its node, and its place in /sys */
	d->registered = false;
}

static int
use_init(struct fuse_connection *c, const struct fuse_request *r)
{
	const struct cuse_init_out *out = r->out;
	const char *name;

	if (r->got < sizeof(*out) || out->major != FUSE_MAJOR)
		return -EINVAL;
	name = device_name((const char *)(out + 1), r->got - sizeof(*out));
	if (!name)
		return -EINVAL;
	c->minor = out->minor;
	c->max_read = MAX(out->max_read, (uint32_t)PAGE_SIZE);
	c->max_write = MAX(out->max_write, (uint32_t)PAGE_SIZE);
	WRITE_ONCE(c->cuse->unrestricted, out->flags & CUSE_UNRESTRICTED_IOCTL);
	return enlist(c->cuse, out, name);
}

static void
init_answered(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;
	int error = r->error ? r->error : use_init(c, r);

	if (error && !r->error)
		fuse_complain(c, "no device can be made of a CUSE_INIT's answer", (uint64_t)-error);
	if (error) {
		delist(c->cuse);
		fuse_abort(c);
	}
}

static int
send_init(struct fuse_connection *c)
{
	struct cuse_init_in in = { .major = FUSE_MAJOR, .minor = FUSE_MINOR, .flags = CUSE_UNRESTRICTED_IOCTL };
	struct fuse_request *r = fuse_request_make(c, FUSE_CUSE_INIT, 0, &in, sizeof(in), NULL, NULL);

	if (!r || !fuse_request_wants(r, sizeof(struct cuse_init_out) + CUSE_INFO_MAX, true)) {
		fuse_request_put(r);
		return -ENOMEM;
	}
	fuse_request_force(r);
	r->end = init_answered;
	atomic_store(&c->ready, true); /* nobody can call before the device is there */
	fuse_request_start(r);
	return 0;
}

/* --- /dev/cuse ---------------------------------------------------------------------------------------------- */

static void
channel_release(struct file *f)
{
	struct fuse_device *channel = f->private;
	struct fuse_connection *c = channel ? channel->conn : NULL;

	if (c) {
		fuse_connection_get(c);
		delist(c->cuse);
	}
	fuse_device_release(f);
	if (c)
		fuse_connection_put(c);
}

static int
channel_open(struct inode *i, struct file *f)
{
	struct fuse_connection *c = fuse_connection_create();
	struct fuse_device *channel = fuse_device_create();
	struct cuse_device *d = kzalloc(sizeof(*d));
	int error = -ENOMEM;

	if (!c || !channel || !d) {
		if (c)
			fuse_connection_put(c);
		kfree(channel);
		kfree(d);
		return error;
	}
	c->cuse = d;
	d->conn = c;
	(void)fuse_device_attach(channel, c);
	error = send_init(c);
	if (error) {
		fuse_device_end(channel);
		kfree(channel);
	} else {
		f->private = channel;
	}
	fuse_connection_put(c);
	return error;
}

static const struct file_ops channel_ops = {
	.name = "cuse device",
	.read = fuse_device_read,
	.write = fuse_device_write,
	.poll = fuse_device_poll,
	.splice_messages = true,
	.release = channel_release,
	.dump = fuse_device_dump,
};

void
cuse_init(void)
{
	chrdev_register("cuse", CUSE_DEVICE, 0600, &channel_ops, channel_open);
}
