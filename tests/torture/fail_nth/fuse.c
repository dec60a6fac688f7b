/* SPDX-License-Identifier: MIT */
/*
 * fuse.c - failing allocations below a FUSE mount: of those who use it, and of a daemon that tells it what it was not
 * asked. What answers is another process, whose allocations are not counted; it has one file, "f", of what was last
 * written there, and one directory, "d".
 */
#include "fail_nth.h"

#include <dirent.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/uio.h>

enum { ROOM = 256 * 1024, FILE_NODE = 2, DIR_NODE = 3, SIZE = 64 * 1024 };

static char in[ROOM], out[ROOM], contents[SIZE];
static uint64_t size = SIZE;

static void
fill_attr(struct fuse_attr *a, uint64_t node)
{
	*a = (struct fuse_attr){ .ino = node, .mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700, .nlink = 1,
				 .size = node == FILE_NODE ? size : 0, .blksize = 4096 };
}

static long
entry(const char *name)
{
	struct fuse_entry_out *e = (void *)out;

	if (strcmp(name, "f") != 0 && strcmp(name, "d") != 0)
		return -ENOENT;
	*e = (struct fuse_entry_out){ .nodeid = name[0] == 'f' ? FILE_NODE : DIR_NODE };
	fill_attr(&e->attr, e->nodeid);
	return sizeof(*e);
}

static long
listing(uint64_t from)
{
	static const char *const names[] = { ".", "..", "f", "d" };
	size_t n = 0;

	for (uint64_t i = from; i < 4; i++) {
		struct fuse_dirent *d = (void *)(out + n);

		*d = (struct fuse_dirent){ .ino = i + 1, .off = i + 1, .namelen = (uint32_t)strlen(names[i]) };
		memcpy(d->name, names[i], d->namelen);
		n += FUSE_DIRENT_SIZE(d);
	}
	return (long)n;
}

static long
do_read(const struct fuse_read_in *r)
{
	uint64_t n = r->offset >= size ? 0 : size - r->offset;

	if (n > r->size)
		n = r->size;
	memcpy(out, contents + r->offset, n);
	return (long)n;
}

static long
do_write(const struct fuse_write_in *w)
{
	if (w->offset > SIZE || w->size > SIZE - w->offset)
		return -EFBIG;
	memcpy(contents + w->offset, w + 1, w->size);
	*(struct fuse_write_out *)(void *)out = (struct fuse_write_out){ .size = w->size };
	return sizeof(struct fuse_write_out);
}

/* How many bytes of an answer are in `out`, or an error. */
static long
answer(const struct fuse_in_header *h)
{
	const char *body = (const char *)(h + 1);

	memset(out, 0, 256);
	switch (h->opcode) {
	case FUSE_INIT: {
		struct fuse_init_out o = { .major = 7, .minor = 31, .max_readahead = 65536, .max_write = 65536 };

		memcpy(out, &o, sizeof(o));
		return sizeof(o);
	}
	case FUSE_LOOKUP:
		return entry(body);
	case FUSE_MKDIR:
		return entry("d");
	case FUSE_SETATTR:
		if (((const struct fuse_setattr_in *)(const void *)body)->valid & FATTR_SIZE)
			size = ((const struct fuse_setattr_in *)(const void *)body)->size;
		/* fall through */
	case FUSE_GETATTR:
		fill_attr(&((struct fuse_attr_out *)(void *)out)->attr, h->nodeid);
		return sizeof(struct fuse_attr_out);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return sizeof(struct fuse_open_out);
	case FUSE_READ:
		return do_read((const void *)body);
	case FUSE_WRITE:
		return do_write((const void *)body);
	case FUSE_READDIR:
		return listing(((const struct fuse_read_in *)(const void *)body)->offset);
	case FUSE_STATFS:
		return sizeof(struct fuse_statfs_out);
	case FUSE_GETXATTR:
		memcpy(out, "value", 5);
		return 5;
	case FUSE_READLINK:
	case FUSE_RENAME2:
		return -EINVAL;
	default:
		return 0;
	}
}

static void
serve(int device)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t got = read(device, in, sizeof(in));
		const struct fuse_in_header *h = (const void *)in;
		struct fuse_out_header o;
		struct iovec v[2] = { { &o, sizeof(o) }, { out, 0 } };
		long n;

		if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (got < (ssize_t)sizeof(*h))
			_exit(0);
		if (h->opcode == FUSE_FORGET || h->opcode == FUSE_BATCH_FORGET || h->opcode == FUSE_INTERRUPT ||
		    h->opcode == FUSE_NOTIFY_REPLY)
			continue;
		n = answer(h);
		o = (struct fuse_out_header){ .unique = h->unique, .error = n < 0 ? (int)n : 0 };
		v[1].iov_len = n > 0 ? (size_t)n : 0;
		o.len = (uint32_t)(sizeof(o) + v[1].iov_len);
		(void)!writev(device, v, 2);
	}
}

static int
mount_device(int device)
{
	char options[96];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions", device);
	return mount("fail", "m", "fuse", MS_NOSUID | MS_NODEV, options);
}

/* Mounted on "m", with a daemon, whose device is ours, too. One scenario is about that, the others come after it. */
static bool mount_on_trial;

static pid_t
mount_with(int *out)
{
	int device, error, was;
	pid_t pid;

	if (access("/dev/fuse", F_OK) != 0)
		SKIP("no /dev/fuse here");
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	CHECK_OK(mkdir("m", 0700));
	if (mount_on_trial)
		fail_begin();
	error = mount_device(device);
	was = errno;
	if (mount_on_trial && fail_end() && error < 0) {
		fail_verdict(__FILE__, __LINE__, "mount()", true, was);
		close(device); /* it may have got its connection already, which is no more: on Linux, too */
		device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
		error = mount_device(device);
	}
	CHECK_OK(error);
	pid = check_fork();
	if (pid == 0)
		serve(device);
	*out = device;
	return pid;
}

static pid_t
mount_it(void)
{
	int device;
	pid_t pid = mount_with(&device);

	close(device);
	return pid;
}

static void
unmount_it(pid_t pid)
{
	/* What was closed is let go late, and is busy for so long. */
	while (umount2("m", 0) < 0)
		CHECK_EQ(errno, EBUSY);
	CHECK_OK(waitpid(pid, NULL, 0));
	CHECK_OK(rmdir("m"));
}

SCENARIO(fuse_files)
{
	pid_t pid = mount_it();
	static char buf[SIZE];
	int fd = OK(open("m/f", O_RDWR)), direct;

	CHECK(OK(pread(fd, buf, 20000, 0)) > 0);
	memset(buf, 7, sizeof(buf));
	for (ssize_t n = 0; n < 9000;) /* it may stop where there was no memory, and go on */
		n += OK(pwrite(fd, buf, (size_t)(9000 - n), 100 + n));
	OK(fsync(fd));
	direct = OK(open("m/f", O_RDWR | O_DIRECT));
	CHECK_EQ(OK(pread(direct, buf, 4096, 4096)), 4096);
	CHECK_EQ(buf[4095], 7);
	CHECK_EQ(OK(pwrite(direct, buf, 4096, 8192)), 4096);
	close(direct);
	OK(ftruncate(fd, 30000));
	OK(fallocate(fd, 0, 0, 4096));
	close(fd);
	unmount_it(pid);
}

SCENARIO(fuse_mappings)
{
	pid_t pid = mount_it();
	int fd = OK(open("m/f", O_RDWR));
	char *p = OK(mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	/* A page that cannot be brought in is a signal, which is not on trial: the kernel is asked for it. */
	OK(madvise(p, 32768, MADV_POPULATE_WRITE));
	memset(p, 3, 32768);
	OK(msync(p, 32768, MS_SYNC));
	MUST(munmap(p, 32768));
	close(fd);
	unmount_it(pid);
}

SCENARIO(fuse_names)
{
	pid_t pid = mount_it();
	char buffer[1024], value[16];
	struct stat st;
	int fd;

	OK(stat("m/f", &st));
	CHECK_EQ(st.st_size, SIZE);
	CHECK_ERRNO(stat("m/none", &st), ENOENT);
	OK(chmod("m/f", 0600));
	OK(mkdir("m/new", 0700));
	CHECK_EQ(OK(syscall(SYS_getxattr, "m/f", "user.a", value, sizeof(value))), 5);
	fd = OK(open("m", O_RDONLY | O_DIRECTORY));
	CHECK(OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0);
	close(fd);
	OK(rename("m/f", "m/g"));
	OK(unlink("m/f"));
	unmount_it(pid);
}

static void
notify(int device, int code, const void *body, size_t n, const void *more, size_t m)
{
	struct fuse_out_header o = { .len = (uint32_t)(sizeof(o) + n + m), .error = code };
	struct iovec v[3] = { { &o, sizeof(o) }, { (void *)body, n }, { (void *)more, m } };

	CHECK_EQ(OK(writev(device, v, 3)), o.len);
}

SCENARIO(fuse_notices)
{
	struct fuse_notify_store_out store = { .nodeid = FILE_NODE, .size = 8192 };
	struct fuse_notify_retrieve_out retrieve = { .notify_unique = 1, .nodeid = FILE_NODE, .size = 8192 };
	struct fuse_notify_inval_inode_out inode = { .ino = FILE_NODE };
	struct fuse_notify_inval_entry_out entry = { .parent = FUSE_ROOT_ID, .namelen = 1 };
	struct fuse_notify_delete_out gone = { .parent = FUSE_ROOT_ID, .child = DIR_NODE, .namelen = 1 };
	int device, fd;
	pid_t pid = mount_with(&device);
	struct stat st;

	fd = CHECK_OK(open("m/f", O_RDONLY));
	CHECK_OK(stat("m/d", &st));
	notify(device, FUSE_NOTIFY_STORE, &store, sizeof(store), contents, store.size);
	notify(device, FUSE_NOTIFY_RETRIEVE, &retrieve, sizeof(retrieve), NULL, 0);
	notify(device, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode), NULL, 0);
	notify(device, FUSE_NOTIFY_INVAL_ENTRY, &entry, sizeof(entry), "f", 2);
	notify(device, FUSE_NOTIFY_DELETE, &gone, sizeof(gone), "d", 2);
	close(fd);
	close(device);
	unmount_it(pid);
}

SCENARIO(fuse_mounts)
{
	int device, clone;
	pid_t pid;

	mount_on_trial = true;
	pid = mount_with(&device);
	clone = OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	OK(ioctl(clone, FUSE_DEV_IOC_CLONE, &device));
	close(clone);
	close(device);
	unmount_it(pid);
}

/* A character device: made by the answer to the first request. Else the connection ends; the answer was taken. */
SCENARIO(fuse_devices)
{
	static const char name[] = "DEVNAME=fail";
	struct cuse_init_out o = { .major = 7, .minor = 31, .max_read = 4096, .max_write = 4096 };
	const struct fuse_in_header *h = (const void *)in;
	struct fuse_out_header head = { .len = sizeof(head) + sizeof(o) + sizeof(name) };
	struct iovec v[3] = { { &head, sizeof(head) }, { &o, sizeof(o) }, { (void *)name, sizeof(name) } };
	int device;
	bool injected;

	if (access("/dev/cuse", F_OK) != 0)
		SKIP("no /dev/cuse here");
	device = OK(open("/dev/cuse", O_RDWR | O_CLOEXEC));
	CHECK(OK(read(device, in, sizeof(in))) > 0);
	CHECK_EQ(h->opcode, CUSE_INIT);
	head.unique = h->unique;
	fail_begin();
	CHECK_EQ(writev(device, v, 3), head.len);
	injected = fail_end();
	CHECK(access("/dev/fail", F_OK) == 0 || injected);
	close(device);
}
