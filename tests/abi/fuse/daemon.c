/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - the daemon: see daemon.h.
 */
#include "daemon.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/uio.h>

struct shared *shared;
int device = -1;
pid_t daemon_pid;

static char buffer[BUFFER], out[BUFFER];
static struct fuse_in_header held_request;
static char held_body[BUFFER];

static void *
shared_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

struct node *
node_find(uint64_t parent, const char *name)
{
	for (int i = 2; i < NODES; i++)
		if (shared->node[i].used && shared->node[i].parent == parent && strcmp(shared->node[i].name, name) == 0)
			return &shared->node[i];
	return NULL;
}

struct node *
node_make(uint64_t parent, const char *name, uint32_t mode, const char *data)
{
	for (int i = 2; i < NODES; i++) {
		struct node *n = &shared->node[i];

		if (n->used)
			continue;
		n->used = true;
		n->parent = parent;
		snprintf(n->name, sizeof(n->name), "%s", name);
		n->attr = (struct fuse_attr){ .ino = 100 + (unsigned)i, .mode = mode, .nlink = S_ISDIR(mode) ? 2 : 1,
					      .blksize = 4096, .mtime = 1000, .ctime = 1000, .atime = 1000 };
		n->xattr_size = 0;
		if (data) {
			strcpy(n->data, data);
			n->attr.size = strlen(data);
			n->attr.blocks = (n->attr.size + 511) / 512;
		}
		return n;
	}
	return NULL;
}

void
daemon_prepare(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char *data;

	/* Whatever the case leaves mounted goes with it. */
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		SKIP("no /dev/fuse");
	device = CHECK_OK(fd);
	shared = shared_memory(sizeof(*shared));
	data = shared_memory((size_t)NODES * DATA_MAX);
	for (int i = 0; i < NODES; i++)
		shared->node[i].data = data + (size_t)i * DATA_MAX;
	shared->entry_valid = shared->attr_valid = 1000;
	shared->max_write = 128 * 1024;
	shared->init_major = FUSE_KERNEL_VERSION;
	shared->init_minor = 31;
	shared->silent = -2;
	shared->close_after = -1;
	shared->spoil = -1;
	shared->held.type = F_UNLCK;
	shared->node[1].used = true;
	shared->node[1].attr = (struct fuse_attr){ .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = 4096 };
	node_make(1, "hello", S_IFREG | 0644, "hello\n");
	node_make(node_id(node_make(1, "dir", S_IFDIR | 0755, NULL)), "inside", S_IFREG | 0600, "inside\n");
	node_make(1, "link", S_IFLNK | 0777, "hello");
	CHECK_OK(mkdir(MNT, 0755));
}

int
daemon_mount(const char *options)
{
	char text[256];

	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0%s%s", device, options ? "," : "",
		 options ? options : "");
	return mount("abi", MNT, "fuse", MS_NOSUID | MS_NODEV, text) ? errno : 0;
}

/* --- answers -------------------------------------------------------------------------------------------- */

static void
put(int fd, const void *head, size_t n1, const void *data, size_t n2)
{
	struct iovec v[2] = { { (void *)head, n1 }, { (void *)data, n2 } };

	shared->write_errno = writev(fd, v, n2 ? 2 : 1) < 0 ? errno : 0;
}

int
device_answer(int fd, uint64_t unique, int error, const void *data, size_t n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n), .error = error, .unique = unique };

	put(fd, &h, sizeof(h), data, n);
	return shared->write_errno;
}

ssize_t
device_notice(int fd, int code, const void *data, size_t n, const void *more, size_t more_n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n + more_n), .error = code };
	struct iovec v[3] = { { &h, sizeof(h) }, { (void *)data, n }, { (void *)more, more_n } };
	ssize_t r = writev(fd, v, 3);

	return r < 0 ? -errno : 0;
}

/* As any good daemon, or as shared->wrong says. */
static void
answer(const struct fuse_in_header *in, int error, const void *data, size_t n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n), .error = error, .unique = in->unique };

	atomic_fetch_add(&shared->answered, 1);
	if (in->opcode != FUSE_INIT) {
		switch (shared->wrong) {
		case WRONG_SHORT:
			if (n) {
				n--;
				h.len--;
			}
			break;
		case WRONG_LONG:
			memcpy(out + BUFFER / 2, data, n);
			memset(out + BUFFER / 2 + n, 'x', 64);
			data = out + BUFFER / 2;
			n += 64;
			h.len += 64;
			break;
		case WRONG_LENGTH:
			h.len += 8;
			break;
		case WRONG_UNIQUE:
			h.unique += 1000;
			break;
		case WRONG_ERROR:
			h.error = 5;
			break;
		case WRONG_TWICE:
			put(device, &h, sizeof(h), data, n);
			break;
		}
	}
	put(device, &h, sizeof(h), data, n);
	if (shared->write_errno && (shared->wrong != RIGHT || shared->spoil != -1)) {
		/* Now a word to who waits, where the kernel let it wait on. */
		h = (struct fuse_out_header){ .len = sizeof(h), .error = -EIO, .unique = in->unique };
		put(device, &h, sizeof(h), NULL, 0);
	}
}

struct fuse_entry_out
node_entry(const struct node *n)
{
	return (struct fuse_entry_out){
		.nodeid = node_id(n), .generation = n->generation, .entry_valid = shared->entry_valid,
		.attr_valid = shared->attr_valid, .attr = n->attr,
	};
}

void
daemon_reply(int opcode, const void *data, size_t n)
{
	memcpy(shared->reply, data, n);
	shared->reply_size = (uint32_t)n;
	shared->reply_error = 0;
	atomic_store(&shared->spoil, opcode);
}

void
daemon_right(void)
{
	atomic_store(&shared->spoil, -1);
}

static void
fill_entry(struct fuse_entry_out *e, struct node *n)
{
	*e = node_entry(n);
	atomic_fetch_add(&n->lookups, 1);
	if (shared->wrong == WRONG_MODE)
		e->attr.mode &= 07777;
	if (shared->wrong == WRONG_NODE_ROOT)
		e->nodeid = 1;
	if (shared->wrong == WRONG_SIZE)
		e->attr.size = ~0ull;
	if (shared->wrong == WRONG_KIND)
		e->attr.mode ^= S_IFREG ^ S_IFDIR;
}

static void
answer_entry(const struct fuse_in_header *in, struct node *n)
{
	struct fuse_entry_out e = { .entry_valid = shared->entry_valid };

	if (!n && !shared->negative) {
		answer(in, -ENOENT, NULL, 0);
		return;
	}
	if (n)
		fill_entry(&e, n);
	answer(in, 0, &e, sizeof(e));
}

static void
answer_attr(const struct fuse_in_header *in, struct node *n)
{
	struct fuse_attr_out a = { .attr_valid = shared->attr_valid, .attr = n->attr };

	if (shared->wrong == WRONG_KIND)
		a.attr.mode ^= S_IFREG ^ S_IFDIR;
	answer(in, 0, &a, sizeof(a));
}

static void
do_init(const struct fuse_in_header *in, const struct fuse_init_in *i)
{
	struct fuse_init_out o = {
		.major = shared->init_major, .minor = shared->init_minor, .max_readahead = i->max_readahead,
		.flags = shared->init_flags & i->flags, .flags2 = shared->init_flags2, .max_write = shared->max_write,
		.max_pages = (uint16_t)shared->max_pages, .max_background = (uint16_t)shared->max_background,
		.time_gran = 1,
	};

	shared->init = *i;
	answer(in, shared->error[FUSE_INIT], &o, sizeof(o));
}

static void
do_setattr(const struct fuse_in_header *in, struct node *n, const struct fuse_setattr_in *s)
{
	if (s->valid & FATTR_MODE)
		n->attr.mode = (n->attr.mode & S_IFMT) | (s->mode & 07777);
	if (s->valid & FATTR_UID)
		n->attr.uid = s->uid;
	if (s->valid & FATTR_GID)
		n->attr.gid = s->gid;
	if (s->valid & FATTR_SIZE) {
		if (s->size > n->attr.size)
			memset(n->data + n->attr.size, 0, s->size - n->attr.size);
		n->attr.size = s->size;
	}
	if (s->valid & FATTR_ATIME)
		n->attr.atime = s->atime;
	if (s->valid & FATTR_MTIME) {
		n->attr.mtime = s->mtime;
		n->attr.mtimensec = s->mtimensec;
	}
	answer_attr(in, n);
}

static void
do_make(const struct fuse_in_header *in, uint32_t mode, uint32_t rdev, const char *name, const char *data)
{
	struct node *n = node_find(in->nodeid, name) ? NULL : node_make(in->nodeid, name, mode, data);

	if (!n) {
		answer(in, -EEXIST, NULL, 0);
		return;
	}
	n->attr.rdev = rdev;
	n->attr.uid = in->uid;
	n->attr.gid = in->gid;
	answer_entry(in, n);
}

static void
opened(struct node *n)
{
	atomic_fetch_add(&n->opened, 1);
	atomic_fetch_add(&shared->opened, 1);
}

static void
do_create(const struct fuse_in_header *in, const struct fuse_create_in *c)
{
	const char *name = (const char *)(c + 1);
	struct node *n = in->opcode == FUSE_CREATE ? node_find(in->nodeid, name) : NULL;
	struct fuse_open_out open = { .fh = 7, .open_flags = shared->open_flags };
	struct fuse_entry_out e;
	char *at = out;

	if (!n)
		n = node_make(in->opcode == FUSE_CREATE ? in->nodeid : 0, name, c->mode, NULL);
	n->attr.uid = in->uid;
	n->attr.gid = in->gid;
	opened(n);
	fill_entry(&e, n);
	memcpy(at, &e, sizeof(e));
	memcpy(at + sizeof(e), &open, sizeof(open));
	answer(in, 0, out, sizeof(e) + sizeof(open));
}

static void
do_remove(const struct fuse_in_header *in, const char *name)
{
	struct node *n = node_find(in->nodeid, name);

	if (!n) {
		answer(in, -ENOENT, NULL, 0);
		return;
	}
	if (n->attr.nlink > 0)
		n->attr.nlink--;
	n->parent = 0;
	if (n->attr.nlink == 0 || in->opcode == FUSE_RMDIR)
		n->attr.nlink = 0;
	answer(in, 0, NULL, 0);
}

static void
do_rename(const struct fuse_in_header *in, uint64_t to, uint32_t flags, const char *name)
{
	const char *new_name = name + strlen(name) + 1;
	struct node *n = node_find(in->nodeid, name), *over = node_find(to, new_name);

	if (!n) {
		answer(in, -ENOENT, NULL, 0);
		return;
	}
	if (over && (flags & 2)) {
		over->parent = n->parent;
		snprintf(over->name, sizeof(over->name), "%s", n->name);
	} else if (over) {
		over->parent = 0;
		over->attr.nlink = 0;
	}
	n->parent = to;
	snprintf(n->name, sizeof(n->name), "%s", new_name);
	answer(in, 0, NULL, 0);
}

static void
do_read(const struct fuse_in_header *in, struct node *n, const struct fuse_read_in *r)
{
	uint64_t left = r->offset < n->attr.size ? n->attr.size - r->offset : 0, size = r->size < left ? r->size : left;

	if (r->size > shared->max_read_size)
		shared->max_read_size = r->size;
	if (shared->wrong == WRONG_READ_LONG) {
		memset(out, 'L', r->size + 4096);
		answer(in, 0, out, r->size + 4096);
		return;
	}
	answer(in, 0, n->data + r->offset, size);
}

static void
do_write(const struct fuse_in_header *in, struct node *n, const struct fuse_write_in *w)
{
	struct fuse_write_out o = { .size = w->size };

	usleep(shared->write_pause);
	if (w->size > shared->max_write_size)
		shared->max_write_size = w->size;
	if (w->offset + w->size > DATA_MAX) {
		answer(in, -ENOSPC, NULL, 0);
		return;
	}
	if (w->offset > n->attr.size)
		memset(n->data + n->attr.size, 0, w->offset - n->attr.size);
	memcpy(n->data + w->offset, w + 1, w->size);
	if (w->offset + w->size > n->attr.size)
		n->attr.size = w->offset + w->size;
	if (shared->wrong == WRONG_COUNT)
		o.size += 100;
	answer(in, 0, &o, sizeof(o));
}

static size_t
put_dirent(char *at, uint64_t ino, uint64_t off, const char *name, uint32_t mode)
{
	struct fuse_dirent *d = (struct fuse_dirent *)at;

	*d = (struct fuse_dirent){ .ino = ino, .off = off, .namelen = (uint32_t)strlen(name), .type = mode >> 12 };
	memcpy(d->name, name, d->namelen);
	if (shared->wrong == WRONG_NAME)
		d->name[0] = '/';
	return FUSE_DIRENT_SIZE(d);
}

/* Positions: the id of the node behind. */
static void
do_readdir(const struct fuse_in_header *in, const struct fuse_read_in *r, bool plus)
{
	size_t n = 0;

	for (uint64_t i = r->offset < 2 ? 2 : r->offset + 1; i < NODES; i++) {
		struct node *c = &shared->node[i];
		size_t need = (plus ? sizeof(struct fuse_entry_out) : 0) + sizeof(struct fuse_dirent) + 264;

		if (!c->used || c->parent != in->nodeid)
			continue;
		if (n + need > r->size)
			break;
		if (plus) {
			struct fuse_entry_out e;

			fill_entry(&e, c);
			memcpy(out + n, &e, sizeof(e));
			n += sizeof(e);
		}
		n += put_dirent(out + n, c->attr.ino, i, c->name, c->attr.mode);
	}
	answer(in, 0, out, n);
}

static void
do_lock(const struct fuse_in_header *in, const struct fuse_lk_in *l)
{
	struct fuse_lk_out o = { .lk = shared->held };
	bool conflict = shared->held.type != F_UNLCK && shared->held_owner != l->owner;

	if (in->opcode == FUSE_GETLK) {
		if (!conflict)
			o.lk.type = F_UNLCK;
		answer(in, 0, &o, sizeof(o));
	} else if (conflict && l->lk.type != F_UNLCK) {
		answer(in, -EAGAIN, NULL, 0);
	} else {
		shared->held = l->lk;
		shared->held_owner = l->owner;
		answer(in, 0, NULL, 0);
	}
}

static void
do_xattr(const struct fuse_in_header *in, struct node *n, const char *body)
{
	const struct fuse_getxattr_in *g = (const struct fuse_getxattr_in *)body;
	const char *name = (const char *)(g + 1);
	const char *value = n->xattr;
	uint32_t size = n->xattr_size;
	struct fuse_getxattr_out o;

	if (in->opcode == FUSE_LISTXATTR) {
		value = n->xattr_name;
		size = n->xattr_size ? (uint32_t)strlen(value) + 1 : 0;
	} else if (!n->xattr_size || strcmp(name, n->xattr_name) != 0) {
		answer(in, -ENODATA, NULL, 0);
		return;
	}
	o = (struct fuse_getxattr_out){ .size = size };
	if (g->size == 0)
		answer(in, 0, &o, sizeof(o));
	else if (g->size < size)
		answer(in, -ERANGE, NULL, 0);
	else
		answer(in, 0, value, size);
}

static void
do_setxattr(const struct fuse_in_header *in, struct node *n, const char *body)
{
	uint32_t size = *(const uint32_t *)body;
	const char *name = body + (shared->init_flags & FUSE_SETXATTR_EXT ? 16 : 8);

	snprintf(n->xattr_name, sizeof(n->xattr_name), "%s", name);
	memcpy(n->xattr, name + strlen(name) + 1, size);
	n->xattr_size = size;
	answer(in, 0, NULL, 0);
}

static void
forget_node(uint64_t id, uint64_t count)
{
	struct node *n = &shared->node[id % NODES];

	if (n->opened > 0)
		shared->forgot_open = true;
	atomic_fetch_sub(&n->lookups, count);
	atomic_fetch_add(&shared->forgotten, count);
}

static void
do_forget(const struct fuse_in_header *in, const char *body)
{
	const struct fuse_batch_forget_in *b = (const struct fuse_batch_forget_in *)body;
	const struct fuse_forget_one *one = (const struct fuse_forget_one *)(b + 1);

	if (in->opcode == FUSE_FORGET)
		forget_node(in->nodeid, ((const struct fuse_forget_in *)body)->nlookup);
	for (uint32_t i = 0; in->opcode == FUSE_BATCH_FORGET && i < b->count; i++)
		forget_node(one[i].nodeid, one[i].nlookup);
}

static void
do_interrupt(const struct fuse_in_header *in, const struct fuse_interrupt_in *i)
{
	atomic_store(&shared->interrupt_unique, i->unique);
	if (shared->interrupt_eagain) {
		answer(in, -EAGAIN, NULL, 0);
		shared->interrupt_eagain = false;
		return;
	}
	if (!shared->ignore_interrupts && held_request.unique == i->unique) {
		struct fuse_in_header h = held_request;

		held_request.unique = 0;
		answer(&h, -EINTR, NULL, 0);
	}
}

static void
do_ioctl(const struct fuse_in_header *in, const struct fuse_ioctl_in *i)
{
	struct {
		struct fuse_ioctl_out o;
		char data[64];
	} answer_of = { .o = { .result = 42, .flags = shared->ioctl_retry } };

	for (uint32_t n = 0; n < i->out_size && n < sizeof(answer_of.data); n++)
		answer_of.data[n] = (char)('A' + n);
	if (i->in_size && i->out_size)
		memcpy(answer_of.data, i + 1, i->in_size < 64 ? i->in_size : 64);
	answer(in, 0, &answer_of, sizeof(answer_of.o) + (i->out_size < 64 ? i->out_size : 64));
}

static void
do_statfs(const struct fuse_in_header *in)
{
	struct fuse_statfs_out o = {
		.st = { .blocks = 1000, .bfree = 600, .bavail = 500, .files = 64, .ffree = 30, .bsize = 4096,
			.namelen = 200, .frsize = 1024 },
	};

	answer(in, 0, &o, sizeof(o));
}

static void
serve(const struct fuse_in_header *in, const char *body)
{
	struct node *n = &shared->node[in->nodeid % NODES];
	struct fuse_open_out open = { .fh = 7, .open_flags = shared->open_flags };
	struct fuse_poll_out poll_out = { .revents = shared->no_poll_events ? 0 : POLLIN };
	struct fuse_lseek_out seek_out = { .offset = 3 };
	struct fuse_write_out copied;

	switch (in->opcode) {
	case FUSE_LOOKUP:
		/* Asked only by number: of files that were found by handle. */
		if (strcmp(body, ".") == 0)
			answer_entry(in, n->used ? n : NULL);
		else if (strcmp(body, "..") == 0)
			answer_entry(in, &shared->node[n->parent]);
		else
			answer_entry(in, node_find(in->nodeid, body));
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		do_forget(in, body);
		return;
	case FUSE_INTERRUPT:
		do_interrupt(in, (const void *)body);
		return;
	case FUSE_GETATTR:
		answer_attr(in, n);
		return;
	case FUSE_SETATTR:
		do_setattr(in, n, (const void *)body);
		return;
	case FUSE_READLINK:
		answer(in, 0, n->data, n->attr.size);
		return;
	case FUSE_SYMLINK:
		do_make(in, S_IFLNK | 0777, 0, body, body + strlen(body) + 1);
		return;
	case FUSE_MKNOD:
		do_make(in, ((const struct fuse_mknod_in *)body)->mode, ((const struct fuse_mknod_in *)body)->rdev,
			body + sizeof(struct fuse_mknod_in), NULL);
		return;
	case FUSE_MKDIR:
		do_make(in, S_IFDIR | ((const struct fuse_mkdir_in *)body)->mode, 0, body + sizeof(struct fuse_mkdir_in),
			NULL);
		return;
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		do_remove(in, body);
		return;
	case FUSE_RENAME:
		do_rename(in, ((const struct fuse_rename_in *)body)->newdir, 0, body + sizeof(struct fuse_rename_in));
		return;
	case FUSE_RENAME2:
		do_rename(in, ((const struct fuse_rename2_in *)body)->newdir,
			  ((const struct fuse_rename2_in *)body)->flags, body + sizeof(struct fuse_rename2_in));
		return;
	case FUSE_LINK:
		n = &shared->node[((const struct fuse_link_in *)body)->oldnodeid % NODES];
		n->attr.nlink++;
		if (!n->parent) { /* a file without a name gets one */
			n->parent = in->nodeid;
			snprintf(n->name, sizeof(n->name), "%s", body + sizeof(struct fuse_link_in));
		}
		answer_entry(in, n);
		return;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		opened(n);
		answer(in, 0, &open, sizeof(open));
		return;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		do_create(in, (const void *)body);
		return;
	case FUSE_READ:
		do_read(in, n, (const void *)body);
		return;
	case FUSE_WRITE:
		do_write(in, n, (const void *)body);
		return;
	case FUSE_STATFS:
		do_statfs(in);
		return;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		atomic_fetch_sub(&n->opened, 1);
		atomic_fetch_add(&shared->released, 1);
		answer(in, 0, NULL, 0);
		return;
	case FUSE_SETXATTR:
		do_setxattr(in, n, body);
		return;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		do_xattr(in, n, body);
		return;
	case FUSE_REMOVEXATTR:
		n->xattr_size = 0;
		answer(in, 0, NULL, 0);
		return;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		do_readdir(in, (const void *)body, in->opcode == FUSE_READDIRPLUS);
		return;
	case FUSE_GETLK:
	case FUSE_SETLK:
	case FUSE_SETLKW:
		do_lock(in, (const void *)body);
		return;
	case FUSE_IOCTL:
		do_ioctl(in, (const void *)body);
		return;
	case FUSE_POLL:
		atomic_store(&shared->kh, ((const struct fuse_poll_in *)body)->kh);
		answer(in, 0, &poll_out, sizeof(poll_out));
		return;
	case FUSE_LSEEK:
		answer(in, 0, &seek_out, sizeof(seek_out));
		return;
	case FUSE_COPY_FILE_RANGE:
		copied = (struct fuse_write_out){ .size = (uint32_t)((const struct fuse_copy_file_range_in *)body)->len };
		answer(in, 0, &copied, sizeof(copied));
		return;
	case FUSE_FLUSH:
		if (((const struct fuse_flush_in *)body)->lock_owner == shared->held_owner)
			shared->held.type = F_UNLCK;
		answer(in, 0, NULL, 0);
		return;
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_ACCESS:
	case FUSE_FALLOCATE:
	case FUSE_DESTROY:
		answer(in, 0, NULL, 0);
		return;
	}
	answer(in, -ENOSYS, NULL, 0);
}

static void
note(const struct fuse_in_header *in, const char *body, size_t n)
{
	if (in->opcode >= OPCODES)
		return;
	shared->head[in->opcode] = *in;
	memset(shared->body[in->opcode], 0, sizeof(shared->body[0]));
	memcpy(shared->body[in->opcode], body, n < sizeof(shared->body[0]) ? n : sizeof(shared->body[0]));
	shared->body_size[in->opcode] = (uint32_t)n;
	atomic_fetch_add(&shared->count[in->opcode], 1);
}

static void
handle(const struct fuse_in_header *in, const char *body, size_t n)
{
	note(in, body, n);
	if ((int)in->opcode == shared->close_after)
		_exit(0);
	if ((int)in->opcode == shared->silent || (shared->silent == -1 && in->opcode != FUSE_INIT)) {
		held_request = *in;
		memcpy(held_body, body, n);
		return;
	}
	if ((int)in->opcode == shared->spoil)
		answer(in, shared->reply_error, shared->reply, shared->reply_size);
	else if (in->opcode == FUSE_INIT)
		do_init(in, (const void *)body);
	else if (in->opcode < OPCODES && shared->error[in->opcode])
		answer(in, shared->error[in->opcode], NULL, 0);
	else
		serve(in, body);
}

static void
loop(void)
{
	for (;;) {
		const struct fuse_in_header *in = (const void *)buffer;
		struct pollfd p = { .fd = device, .events = POLLIN };
		ssize_t n;

		if (shared->release_silent && held_request.unique) {
			struct fuse_in_header h = held_request;

			held_request.unique = 0;
			serve(&h, held_body);
		}
		if (poll(&p, 1, 20) == 0)
			continue;
		n = read(device, buffer, sizeof(buffer));
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < 0) {
			shared->end_errno = errno;
			break;
		}
		handle(in, buffer + sizeof(*in), (size_t)n - sizeof(*in));
	}
	atomic_store(&shared->ended, true);
	_exit(0);
}

void
daemon_start(void)
{
	daemon_pid = CHECK_OK(fork());
	if (daemon_pid == 0)
		loop();
	close(device);
	device = -1;
}

void
daemon_run(const char *options)
{
	CHECK_EQ(daemon_mount(options), 0);
	daemon_start();
}

void
daemon_end(void)
{
	int status;

	CHECK_OK(umount2(MNT, 0));
	CHECK_OK(waitpid(daemon_pid, &status, 0));
	CHECK_EQ(status, 0);
	CHECK(shared->ended);
}

void
daemon_kill(void)
{
	CHECK_OK(kill(daemon_pid, SIGKILL));
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
}

void
daemon_gone(void)
{
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
}

void
daemon_still_fine(void)
{
	static int n;
	char name[32], path[64];
	struct stat st;

	daemon_right();
	snprintf(name, sizeof(name), "fine-%d", n++);
	CHECK(node_make(1, name, S_IFREG | 0600, "fine"));
	snprintf(path, sizeof(path), MNT "/%s", name);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_size, 4);
}

void
daemon_fine_end(void)
{
	daemon_still_fine();
	daemon_end();
}
