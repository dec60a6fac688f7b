/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - see daemon.h. An answer is made right, then perhaps spoiled, then written, by parts through a pipe or at once.
 */
#include "daemon.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/uio.h>

enum { REQUEST_SIZE = 1200 * 1024, ANSWER_SIZE = 300 * 1024, HELD = 16 };

struct server {
	struct tree *tree;
	int device;
	uint64_t seed;
	struct fuse_in_header held[HELD]; /* requests that wait for their answers */
	int held_count;
	char *in, *out;
};

static int
below(struct server *s, int limit)
{
	s->seed ^= s->seed >> 12;
	s->seed ^= s->seed << 25;
	s->seed ^= s->seed >> 27;
	return (int)((s->seed * 0x2545f4914f6cdd1dull >> 33) % (uint64_t)limit);
}

struct tree *
tree_create(void)
{
	/* All of it now: what is first touched in a later run would look like something left by that. */
	void *p = mmap(NULL, sizeof(struct tree), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

int
tree_mount(const char *where, const char *options)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char text[128];

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		SKIP("no /dev/fuse");
	CHECK(fd >= 0);
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0%s", fd, options);
	CHECK_OK(mount("storm", where, "fuse", MS_NOSUID | MS_NODEV, text));
	return fd;
}

/* --- right answers ------------------------------------------------------------------------------------------------ */

static uint32_t
mode_of(uint64_t node)
{
	if (node == 1 || node % 8 < 2)
		return S_IFDIR | 0755;
	return node % 8 == 6 ? S_IFLNK | 0777 : S_IFREG | 0644;
}

static void
fill_attr(const struct server *s, struct fuse_attr *a, uint64_t node)
{
	*a = (struct fuse_attr){ .ino = node, .mode = mode_of(node), .nlink = 1, .blksize = 4096, .mtime = 1 };
	if (S_ISREG(a->mode))
		a->size = s->tree->size[node % SLOTS];
}

static size_t
fill_entry(const struct server *s, struct fuse_entry_out *e, uint64_t parent, const char *name)
{
	uint64_t node = parent * 8 + (uint64_t)(unsigned char)name[1] - '0';

	if (name[0] != 'e' || name[1] < '0' || name[1] > '6' || name[2] || node > DEPTH_MAX)
		return 0;
	*e = (struct fuse_entry_out){ .nodeid = node, .entry_valid = node % 3, .attr_valid = node % 2 };
	fill_attr(s, &e->attr, node);
	return sizeof(*e);
}

static size_t
fill_listing(const struct server *s, const struct fuse_in_header *in, bool plus)
{
	const struct fuse_read_in *r = (const void *)(in + 1);
	size_t n = 0;

	for (uint64_t i = r->offset; i < 7; i++) {
		char name[3] = { 'e', (char)('0' + i), 0 };
		struct fuse_dirent *d;

		if (plus)
			n += sizeof(struct fuse_entry_out) -
			     (fill_entry(s, (void *)(s->out + n), in->nodeid, name) ? 0 : sizeof(struct fuse_entry_out));
		d = (void *)(s->out + n);
		*d = (struct fuse_dirent){ .ino = in->nodeid * 8 + i, .off = i + 1, .namelen = 2, .type = 0 };
		memcpy(d->name, name, 2);
		n += FUSE_DIRENT_SIZE(d);
		if (plus && in->nodeid * 8 + i > DEPTH_MAX)
			return 0;
	}
	return n;
}

static size_t
do_write(const struct server *s, const struct fuse_in_header *in)
{
	const struct fuse_write_in *w = (const void *)(in + 1);
	uint32_t *size = &s->tree->size[in->nodeid % SLOTS];
	uint64_t end = w->offset + w->size;

	if (w->offset < SLOT_SIZE && end <= SLOT_SIZE) {
		memcpy(s->tree->data[in->nodeid % SLOTS] + w->offset, w + 1, w->size);
		if (end > *size)
			*size = (uint32_t)end;
	}
	*(struct fuse_write_out *)(void *)s->out = (struct fuse_write_out){ .size = w->size };
	return sizeof(struct fuse_write_out);
}

static size_t
do_read(const struct server *s, const struct fuse_in_header *in)
{
	const struct fuse_read_in *r = (const void *)(in + 1);
	uint32_t size = s->tree->size[in->nodeid % SLOTS], n = r->size;

	if (r->offset >= size)
		return 0;
	if (n > size - r->offset)
		n = (uint32_t)(size - r->offset);
	memcpy(s->out, s->tree->data[in->nodeid % SLOTS] + r->offset, n);
	return n;
}

static size_t
do_attr(const struct server *s, const struct fuse_in_header *in)
{
	const struct fuse_setattr_in *a = (const void *)(in + 1);
	struct fuse_attr_out *o = (void *)s->out;

	if (in->opcode == FUSE_SETATTR && (a->valid & FATTR_SIZE) && a->size < SLOT_SIZE)
		s->tree->size[in->nodeid % SLOTS] = (uint32_t)a->size;
	*o = (struct fuse_attr_out){ .attr_valid = in->nodeid % 2 };
	fill_attr(s, &o->attr, in->nodeid);
	return sizeof(*o);
}

static size_t
do_init(struct server *s, const struct fuse_in_header *in)
{
	const struct fuse_init_in *i = (const void *)(in + 1);
	struct fuse_init_out o = { .major = 7, .minor = 31, .max_readahead = i->max_readahead, .max_write = 65536,
				   .flags = i->flags & s->tree->init_flags, .max_pages = 16, .time_gran = 1 };

	memcpy(s->out, &o, sizeof(o));
	return sizeof(o);
}

/* The bytes of a right answer in s->out, or an error. */
static long
right_answer(struct server *s, const struct fuse_in_header *in)
{
	const char *body = (const char *)(in + 1);
	size_t n;

	switch (in->opcode) {
	case FUSE_INIT:
		return (long)do_init(s, in);
	case FUSE_LOOKUP:
		n = fill_entry(s, (void *)s->out, in->nodeid, body);
		return n ? (long)n : -ENOENT;
	case FUSE_MKDIR:
		n = fill_entry(s, (void *)s->out, in->nodeid, body + sizeof(struct fuse_mkdir_in));
		return n ? (long)n : -ENOSPC;
	case FUSE_MKNOD:
		n = fill_entry(s, (void *)s->out, in->nodeid, body + sizeof(struct fuse_mknod_in));
		return n ? (long)n : -ENOSPC;
	case FUSE_CREATE:
		n = fill_entry(s, (void *)s->out, in->nodeid, body + sizeof(struct fuse_create_in));
		memset(s->out + n, 0, sizeof(struct fuse_open_out));
		return n ? (long)(n + sizeof(struct fuse_open_out)) : -ENOSPC;
	case FUSE_LINK:
		n = fill_entry(s, (void *)s->out, in->nodeid, body + sizeof(struct fuse_link_in));
		return n ? (long)n : -EPERM;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return (long)do_attr(s, in);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		memset(s->out, 0, sizeof(struct fuse_open_out));
		((struct fuse_open_out *)(void *)s->out)->open_flags = (uint32_t)(in->nodeid >> 3) % 8;
		return sizeof(struct fuse_open_out);
	case FUSE_READ:
		return (long)do_read(s, in);
	case FUSE_WRITE:
		return (long)do_write(s, in);
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return (long)fill_listing(s, in, in->opcode == FUSE_READDIRPLUS);
	case FUSE_READLINK:
		memcpy(s->out, "e0/e2", 5);
		return 5;
	case FUSE_STATFS:
		memset(s->out, 0, sizeof(struct fuse_statfs_out));
		return sizeof(struct fuse_statfs_out);
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		memcpy(s->out, "user.a\0\0", 8);
		return ((const struct fuse_getxattr_in *)(const void *)body)->size ? 7 : 8;
	case FUSE_GETLK:
		memset(s->out, 0, sizeof(struct fuse_lk_out));
		((struct fuse_lk_out *)(void *)s->out)->lk.type = F_UNLCK;
		return sizeof(struct fuse_lk_out);
	case FUSE_IOCTL:
		memset(s->out, 0, sizeof(struct fuse_ioctl_out));
		return sizeof(struct fuse_ioctl_out);
	case FUSE_POLL:
	case FUSE_LSEEK:
	case FUSE_BMAP:
	case FUSE_COPY_FILE_RANGE:
		memset(s->out, 0, 8);
		return 8;
	default:
		return 0;
	}
}

/* --- wrong ones --------------------------------------------------------------------------------------------------- */

static const uint64_t strange[] = { 0, 1, 2, 8, 4096, 65536, INT32_MAX, UINT32_MAX, INT64_MAX, 1ull << 63, ~0ull };

static void
put(struct server *s, struct fuse_out_header h, const char *data, size_t n)
{
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)data, n } };

	(void)!writev(s->device, v, n ? 2 : 1);
}

/* Through a pipe, in pieces; sometimes fewer bytes are asked for than there are, or more. */
static void
put_by_pipe(struct server *s, struct fuse_out_header h, const char *data, size_t n)
{
	int p[2];

	if (n > 32768 || pipe2(p, O_CLOEXEC | O_NONBLOCK)) {
		put(s, h, data, n);
		return;
	}
	(void)!write(p[1], &h, sizeof(h));
	for (size_t at = 0, part; at < n; at += part) {
		part = 1 + (size_t)below(s, 8192);
		if (part > n - at)
			part = n - at;
		(void)!write(p[1], data + at, part);
	}
	(void)!splice(p[0], NULL, s->device, NULL, sizeof(h) + n + (size_t)(below(s, 20) ? 0 : below(s, 64)),
		      SPLICE_F_NONBLOCK | (below(s, 2) ? SPLICE_F_MOVE : 0));
	close(p[0]);
	close(p[1]);
}

static void
notice(struct server *s)
{
	uint64_t data[16];
	struct fuse_out_header h = { .error = below(s, 8) };

	for (int i = 0; i < 16; i++)
		data[i] = below(s, 3) ? strange[below(s, 11)] : (uint64_t)below(s, 600);
	h.len = (uint32_t)sizeof(h) + (uint32_t)(below(s, 17) * 8);
	if (below(s, 2)) { /* a name of the tree */
		struct fuse_notify_inval_entry_out n = { .parent = 1 + (uint64_t)below(s, 16), .namelen = 2 };

		h.error = below(s, 2) ? FUSE_NOTIFY_INVAL_ENTRY : FUSE_NOTIFY_DELETE;
		memcpy(data, &n, sizeof(n));
		memcpy(data + 3, "e0\0\0\0\0\0", 8);
		memcpy((char *)data + (h.error == FUSE_NOTIFY_DELETE ? 24 : 16), "e0", 3);
		h.len = (uint32_t)sizeof(h) + (h.error == FUSE_NOTIFY_DELETE ? 24 : 16) + 3;
	}
	put(s, h, (const char *)data, h.len - sizeof(h));
}

static void
spoil_bytes(struct server *s, size_t n)
{
	if (n == 0)
		return;
	if (n >= 8 && below(s, 3)) {
		memcpy(s->out + (size_t)below(s, (int)(n / 8)) * 8, &strange[below(s, 11)], 8);
	} else {
		for (int i = 1 + below(s, 4); i > 0; i--)
			s->out[below(s, (int)(n > 4096 ? 4096 : n))] = (char)below(s, 256);
	}
}

static void
wrong_answer(struct server *s, const struct fuse_in_header *in, struct fuse_out_header h, size_t n)
{
	switch (below(s, 12)) {
	case 0:
		h.error = -below(s, 600);
		break;
	case 1:
		h.error = below(s, 1000) - 500;
		n = 0;
		break;
	case 2:
		n = (size_t)below(s, 9000);
		break;
	case 3:
		h.unique ^= 1ull << below(s, 8);
		break;
	case 4:
		put(s, (struct fuse_out_header){ sizeof(h) + (uint32_t)n, 0, in->unique }, s->out, n);
		break;
	case 5: /* later, or never */
		if (s->held_count < HELD)
			s->held[s->held_count++] = *in;
		return;
	case 6:
		notice(s);
		break;
	default:
		spoil_bytes(s, n);
	}
	h.len = (uint32_t)(sizeof(h) + n);
	if (below(s, 30) == 0)
		h.len = (uint32_t)strange[below(s, 11)];
	put_by_pipe(s, h, s->out, n);
	put(s, (struct fuse_out_header){ sizeof(h), -EIO, in->unique }, NULL, 0); /* whom nothing has reached */
}

static void
answer(struct server *s, const struct fuse_in_header *in)
{
	long n = right_answer(s, in);
	struct fuse_out_header h = { .unique = in->unique, .error = n < 0 ? (int32_t)n : 0 };

	if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT)
		return;
	if (n < 0)
		n = 0;
	h.len = (uint32_t)(sizeof(h) + (size_t)n);
	if (in->opcode != FUSE_INIT && below(s, 1000) < s->tree->lies)
		wrong_answer(s, in, h, (size_t)n);
	else
		put(s, h, s->out, (size_t)n);
}

static void *
serve(void *arg)
{
	struct server *s = arg;

	s->in = malloc(REQUEST_SIZE);
	s->out = calloc(1, ANSWER_SIZE);
	for (;;) {
		ssize_t n = read(s->device, s->in, REQUEST_SIZE);

		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			break;
		answer(s, (const void *)s->in);
		if (s->held_count && below(s, 4) == 0) {
			struct fuse_in_header in = s->held[--s->held_count];

			put(s, (struct fuse_out_header){ sizeof(struct fuse_out_header), -EINTR, in.unique }, NULL, 0);
		}
	}
	return NULL;
}

pid_t
tree_serve(struct tree *t, int device, uint64_t seed)
{
	static struct server s[2];
	uint32_t from = (uint32_t)device;
	pthread_t other;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	for (uint64_t i = 0; i < 2; i++)
		s[i] = (struct server){ .tree = t, .device = device, .seed = (seed * 2 + i + 1) * 0x9e3779b97f4a7c15ull | 1 };
	if (below(&s[0], 2)) {
		s[1].device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
		if (s[1].device < 0 || ioctl(s[1].device, FUSE_DEV_IOC_CLONE, &from))
			s[1].device = device;
	}
	pthread_create(&other, NULL, serve, &s[1]);
	serve(&s[0]);
	_exit(0);
}
