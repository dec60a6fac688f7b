/* SPDX-License-Identifier: MIT */
/*
 * tun.c - /dev/net/tun: interfaces behind which a program stands.
 *
 * The network stack treats such an interface as it treats a NIC: what the program writes goes to it by the door, what it sends
 * comes back from there. So only the first network's are of any use; in another one they can be made, and swallow everything.
 *
 * An interface that persists without a program goes with its network, of which it has no reference.
 *
 * Locks: tuns_lock, under which interfaces are made, then tun->lock for its queue.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/packet.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/tun.h>

#include "../door/door.h"
#include "../network.h"

#define QUEUE_MAX    500u
#define MTU_DEFAULT  1500u
#define HEADER_SIZE  4u
#define ETHERNET     14u
#define NAMES_MAX    256u
#define PROTOCOL_V4  0x0800
#define PROTOCOL_V6  0x86dd

/* [I] immutable  [t] tuns_lock  [q] lock  [a] atomic */
struct tun {
	struct refcount refs;          /* the table, the file */
	struct list node;              /* [t] tuns */
	struct network *network;       /* [I] a file that is attached has a reference */
	uint32_t index;                /* [I] */
	char name[INTERFACE_NAME_MAX + 1]; /* [t] as it was made */
	bool tap;                      /* [I] */
	bool header;                   /* [t] */
	bool attached;                 /* [t] */
	bool persists;                 /* [t] */
	uid_t uid;                     /* [t] -1: nobody's */
	gid_t gid;                     /* [t] */
	struct spinlock lock;          /* class PACKETS */
	struct list packets;           /* [q] */
	uint32_t count;                /* [q] */
	struct interface_counts in, out; /* [q] */
	struct wait_queue wait;
};

struct tun_file {
	struct network *network;       /* [I] reference: that of who opened it */
	struct tun *tun;               /* [t] to set once; reference; NULL: none yet */
};

static struct mutex tuns_lock = MUTEX_INIT(tuns_lock, TUN);
static struct list tuns = LIST_INIT(tuns); /* tuns_lock */

static const struct file_ops tun_ops;

struct tun_file *
file_tun(const struct file *f)
{
	return f->ops == &tun_ops ? f->private : NULL;
}

static void
tun_put(struct tun *t)
{
	struct packet *p, *next;

	if (!ref_put(&t->refs))
		return;
	list_for_each_safe (p, next, &t->packets, node)
		packet_free(p);
	kfree(t);
}

void
tun_network_ends(struct network *n)
{
	struct tun *t, *next;

	mutex_lock(&tuns_lock);
	list_for_each_safe (t, next, &tuns, node)
		if (t->network == n) {
			list_del(&t->node);
			tun_put(t);
		}
	mutex_unlock(&tuns_lock);
}

/* There is somebody behind it, or not. -ENODEV. */
static int
set_carrier(struct tun *t, bool on)
{
	struct interface_counts in, out;

	spin_lock(&t->lock);
	in = t->in;
	out = t->out;
	spin_unlock(&t->lock);
	return interface_set_link(t->network, t->index, on, &in, &out);
}

/* --- attaching --------------------------------------------------------------------------------------------- */

static struct tun *
find(const struct network *n, const char *name)
{
	struct tun *t;

	assert_mutex_held(&tuns_lock);
	list_for_each (t, &tuns, node)
		if (t->network == n && strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static struct interface_info
fresh_interface(bool tap)
{
	struct interface_info info = { .mtu = MTU_DEFAULT, .queue_length = QUEUE_MAX, .kind = tap ? LINK_ETHERNET : LINK_NONE,
				       .flags = INTERFACE_MULTICAST, .link = &door_link_ops };

	if (!tap) {
		info.flags |= INTERFACE_POINT_TO_POINT | INTERFACE_NO_ARP;
		return info;
	}
	info.flags |= INTERFACE_BROADCAST;
	info.address_length = 6;
	random_bytes(info.address, 6);
	info.address[0] = (uint8_t)((info.address[0] & ~1) | 2); /* one station's, locally chosen */
	memset(info.broadcast, 0xff, 6);
	return info;
}

/* The interface, by the wish's name, or the first that is free where that has a %d. */
static int
make_interface(struct network *n, struct tun_wish *w, struct interface_info *info)
{
	const char *number = strchr(w->name, '%');
	int error = -EEXIST;

	if (!number) {
		string_copy(info->name, w->name, sizeof(info->name));
		return interface_add(n, info);
	}
	if (number[1] != 'd' || number[2])
		return -EINVAL;
	for (unsigned int i = 0; i < NAMES_MAX && error == -EEXIST; i++) {
		if (snprintf(info->name, sizeof(info->name), "%.*s%u", (int)(number - w->name), w->name, i) >=
		    (int)sizeof(info->name))
			return -EINVAL;
		error = interface_add(n, info);
	}
	return error;
}

static struct tun *
create(struct network *n, struct tun_wish *w, int *error)
{
	struct interface_info info = fresh_interface(w->tap);
	struct tun *t = kzalloc(sizeof(*t));

	*error = t ? make_interface(n, w, &info) : -ENOMEM;
	if (*error == -EEXIST)
		*error = -EINVAL; /* it is there, and none of ours */
	if (*error) {
		kfree(t);
		return NULL;
	}
	ref_init(&t->refs);
	t->network = n;
	t->index = info.index;
	t->tap = w->tap;
	t->uid = t->gid = (uid_t)-1;
	string_copy(t->name, info.name, sizeof(t->name));
	spin_init(&t->lock, LOCK_PACKETS);
	list_init(&t->packets);
	wait_queue_init(&t->wait);
	list_add_tail(&tuns, &t->node); /* the table's reference: the first one */
	return t;
}

static bool
may_attach(const struct tun *t, const struct network *n)
{
	const struct cred *c = current_cred();

	if (capable_in(n->ns.owner, CAP_NET_ADMIN))
		return true;
	if (t->uid == (uid_t)-1 && t->gid == (gid_t)-1)
		return false;
	return (t->uid == (uid_t)-1 || t->uid == c->euid) && (t->gid == (gid_t)-1 || cred_in_group(c, t->gid));
}

int
tun_attach(struct tun_file *f, struct tun_wish *w)
{
	struct network *n = f->network;
	struct tun *t;
	int error = 0;

	if (!w->name[0])
		string_copy(w->name, w->tap ? "tap%d" : "tun%d", sizeof(w->name));
	mutex_lock(&tuns_lock);
	t = find(n, w->name);
	if (f->tun) {
		error = -EEXIST;
	} else if (t) {
		if (w->exclusive || t->attached)
			error = -EBUSY;
		else if (t->tap != w->tap)
			error = -EINVAL;
		else if (!may_attach(t, n))
			error = -EPERM;
	} else if (!capable_in(n->ns.owner, CAP_NET_ADMIN)) {
		error = -EPERM;
	} else {
		if (door_serves(n) && (door_ready() || frames_ready()))
			error = -ENOMEM;
		if (!error)
			t = create(n, w, &error);
	}
	if (!error) {
		t->attached = true;
		t->header = w->header;
		ref_get(&t->refs);
		f->tun = t;
		string_copy(w->name, t->name, sizeof(w->name));
		set_carrier(t, true);
	}
	mutex_unlock(&tuns_lock);
	return error;
}

int
tun_wish_of(struct tun_file *f, struct tun_wish *w, bool *persists)
{
	struct interface_info info;
	struct tun *t;

	mutex_lock(&tuns_lock);
	t = f->tun;
	if (t) {
		*w = (struct tun_wish){ .tap = t->tap, .header = t->header };
		string_copy(w->name, network_interface(t->network, t->index, &info) ? t->name : info.name, sizeof(w->name));
		*persists = t->persists;
	}
	mutex_unlock(&tuns_lock);
	return t ? 0 : -EBADFD;
}

int
tun_set_persist(struct tun_file *f, bool on)
{
	mutex_lock(&tuns_lock);
	if (f->tun)
		f->tun->persists = on;
	mutex_unlock(&tuns_lock);
	return f->tun ? 0 : -EBADFD;
}

int
tun_set_owner(struct tun_file *f, uid_t uid, gid_t gid, bool group)
{
	mutex_lock(&tuns_lock);
	if (f->tun && group)
		f->tun->gid = gid;
	else if (f->tun)
		f->tun->uid = uid;
	mutex_unlock(&tuns_lock);
	return f->tun ? 0 : -EBADFD;
}

int
tun_set_carrier(struct tun_file *f, bool on)
{
	struct tun *t = READ_ONCE(f->tun);

	return t ? set_carrier(t, on) : -EBADFD;
}

static int
tun_open(struct inode *i, struct file *f)
{
	struct tun_file *tf = kzalloc(sizeof(*tf));

	if (!tf)
		return -ENOMEM;
	tf->network = current_network();
	namespace_get(&tf->network->ns);
	f->private = tf;
	return 0;
}

static void
tun_release(struct file *f)
{
	struct tun_file *tf = f->private;
	struct tun *t = tf->tun;

	if (t) {
		bool gone;

		mutex_lock(&tuns_lock);
		t->attached = false;
		gone = !t->persists;
		if (gone)
			list_del(&t->node);
		mutex_unlock(&tuns_lock);
		if (gone) {
			interface_remove(t->network, t->index);
			tun_put(t);
		} else {
			set_carrier(t, false);
		}
		tun_put(t);
	}
	namespace_put(&tf->network->ns);
	kfree(tf);
}

/* --- packets ------------------------------------------------------------------------------------------------ */

static void
count(struct tun *t, struct interface_counts *which, size_t n, bool dropped)
{
	struct interface_counts in, out;

	spin_lock(&t->lock);
	which->packets += !dropped;
	which->bytes += dropped ? 0 : n;
	which->dropped += dropped;
	in = t->in;
	out = t->out;
	spin_unlock(&t->lock);
	interface_set_counts(t->network, t->index, &in, &out);
}

void
tun_send(uint32_t index, struct packet *p)
{
	size_t length = p->length;
	struct tun *t, *to = NULL;
	bool full = true;

	mutex_lock(&tuns_lock);
	list_for_each (t, &tuns, node)
		if (t->index == index && door_serves(t->network) && t->attached)
			to = t;
	if (to)
		ref_get(&to->refs);
	mutex_unlock(&tuns_lock);
	if (to) {
		spin_lock(&to->lock);
		full = to->count == QUEUE_MAX;
		if (!full) {
			list_add_tail(&to->packets, &p->node);
			to->count++;
		}
		spin_unlock(&to->lock);
		count(to, &to->out, length, full);
		if (!full)
			wake_poll(&to->wait, POLLIN | POLLRDNORM);
		tun_put(to);
	}
	if (full)
		packet_free(p);
}

static struct packet *
take(struct tun *t)
{
	struct packet *p;

	spin_lock(&t->lock);
	p = list_first(&t->packets, struct packet, node);
	if (p) {
		list_del_init(&p->node);
		t->count--;
	}
	spin_unlock(&t->lock);
	return p;
}

static uint16_t
protocol_of(const struct tun *t, const struct packet *p)
{
	if (t->tap)
		return p->length >= ETHERNET ? (uint16_t)(*(uint8_t *)&p->data[12] << 8 | *(uint8_t *)&p->data[13]) : 0;
	return p->length && (uint8_t)p->data[0] >> 4 == 6 ? PROTOCOL_V6 : PROTOCOL_V4;
}

/* One packet a read; what there is no room for is lost, and the header says so. */
static ssize_t
tun_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct tun *t = ((struct tun_file *)f->private)->tun;
	struct packet *p;
	ssize_t done = 0;
	size_t n;
	int error;

	if (!t)
		return -EBADFD;
	while ((p = take(t)) == NULL) {
		if ((f->flags & O_NONBLOCK) || (rw_flags & RW_NOWAIT))
			return -EAGAIN;
		error = wait_event_interruptible(&t->wait, !list_is_empty(&t->packets));
		if (error)
			return error;
	}
	if (t->header) {
		uint16_t protocol = protocol_of(t, p);
		uint8_t header[HEADER_SIZE] = { 0, 0, (uint8_t)(protocol >> 8), (uint8_t)protocol };

		if (to->count < HEADER_SIZE) {
			packet_free(p);
			return -EINVAL;
		}
		header[0] = to->count < HEADER_SIZE + p->length; /* TUN_PKT_STRIP */
		if (iov_copy_to(to, header, HEADER_SIZE) != HEADER_SIZE)
			done = -EFAULT;
		else
			done = HEADER_SIZE;
	}
	n = MIN((size_t)p->length, to->count);
	if (done >= 0)
		done = iov_copy_to(to, p->data, n) == n ? done + (ssize_t)n : -EFAULT;
	packet_free(p);
	return done;
}

static bool
is_up(const struct tun *t)
{
	struct interface_info info;

	return network_interface(t->network, t->index, &info) == 0 && (info.flags & INTERFACE_UP);
}

/* Does it look like what such an interface carries? */
static bool
is_sound(const struct tun *t, const char *bytes, size_t n)
{
	if (t->tap)
		return n >= ETHERNET;
	return n > 0 && ((uint8_t)bytes[0] >> 4 == 4 || (uint8_t)bytes[0] >> 4 == 6);
}

static ssize_t
tun_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct tun *t = ((struct tun_file *)f->private)->tun;
	size_t n = from->count, header = t && t->header ? HEADER_SIZE : 0;
	char *bytes;
	ssize_t error = 0;

	if (!t)
		return -EBADFD;
	if (!is_up(t))
		return -EIO;
	if (n < header || n - header > NETD_FRAME_MAX)
		return -EINVAL;
	bytes = kvmalloc(MAX(n, (size_t)1));
	if (!bytes)
		return -ENOMEM;
	if (iov_copy_from(bytes, from, n) != n)
		error = -EFAULT;
	else if (!is_sound(t, bytes + header, n - header))
		error = -EINVAL;
	if (!error) {
		bool lost = !door_serves(t->network) ||
			    frame_out(NETD_FRAME_WRITTEN, 0, t->index, NULL, bytes + header, n - header) != 0;

		count(t, &t->in, n - header, lost);
	}
	kvfree(bytes);
	return error ? error : (ssize_t)n;
}

static uint32_t
tun_poll(struct file *f, struct poll_table *pt)
{
	struct tun *t = READ_ONCE(((struct tun_file *)f->private)->tun);
	uint32_t events = 0;

	if (!t)
		return POLLERR;
	poll_wait(pt, f, &t->wait);
	if (!list_is_empty(&t->packets))
		events = POLLIN | POLLRDNORM;
	return events | (is_up(t) ? POLLOUT | POLLWRNORM : 0);
}

static const struct file_ops tun_ops = {
	.name = "tun",
	.read = tun_read,
	.write = tun_write,
	.poll = tun_poll,
	.splice_messages = true,
	.release = tun_release,
};

void
tun_init(void)
{
	if (chrdev_register("net/tun", DEV(10, 200), 0666, &tun_ops, tun_open))
		panic("no memory for /dev/net/tun");
}
