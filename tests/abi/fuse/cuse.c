/* SPDX-License-Identifier: MIT */
/*
 * cuse.c - a character device that the case itself serves.
 */
#include "daemon.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define NAME "abi-cuse"

static int channel;
static char space[200000];

/* The daemon: keeps what is written, gives it back; ioctl 'c' 1 by retry copies a string out of the caller's memory. */
static void
serve(void)
{
	static char kept[4096];
	uint32_t kept_size = 0;

	for (;;) {
		ssize_t n = read(channel, space, sizeof(space));
		const struct fuse_in_header *in = (const void *)space;
		const char *body = space + sizeof(*in);
		const struct fuse_ioctl_in *i = (const void *)body;
		struct fuse_open_out open = { .fh = 11 };
		struct fuse_write_out wrote = { 0 };
		struct fuse_poll_out p = { .revents = POLLIN | POLLOUT };
		struct {
			struct fuse_ioctl_out o;
			union {
				struct fuse_ioctl_iovec v[2];
				char data[64];
			};
		} a = { 0 };

		if (n <= 0)
			_exit(errno == ENODEV ? 0 : 1);
		switch (in->opcode) {
		case FUSE_OPEN:
			device_answer(channel, in->unique, in->nodeid ? -EIO : 0, &open, in->nodeid ? 0 : sizeof(open));
			break;
		case FUSE_READ:
			device_answer(channel, in->unique, 0, kept, kept_size);
			break;
		case FUSE_WRITE:
			kept_size = ((const struct fuse_write_in *)body)->size;
			memcpy(kept, body + sizeof(struct fuse_write_in), kept_size);
			wrote.size = kept_size;
			device_answer(channel, in->unique, 0, &wrote, sizeof(wrote));
			break;
		case FUSE_POLL:
			device_answer(channel, in->unique, 0, &p, sizeof(p));
			break;
		case FUSE_IOCTL:
			if (!i->out_size) { /* 8 bytes from there, please, and 8 to behind them */
				a.o.flags = FUSE_IOCTL_RETRY;
				a.o.in_iovs = a.o.out_iovs = 1;
				a.v[0] = (struct fuse_ioctl_iovec){ i->arg, 8 };
				a.v[1] = (struct fuse_ioctl_iovec){ i->arg + 8, 8 };
				device_answer(channel, in->unique, 0, &a, sizeof(a.o) + sizeof(a.v));
				break;
			}
			a.o.result = (int)i->in_size;
			for (int b = 0; b < 8; b++)
				a.data[b] = ((const char *)(i + 1))[7 - b];
			device_answer(channel, in->unique, 0, &a, sizeof(a.o) + 8);
			break;
		case FUSE_INTERRUPT:
			break;
		default:
			device_answer(channel, in->unique, in->opcode == FUSE_RELEASE ? 0 : -ENOSYS, NULL, 0);
		}
	}
}

static void
start(const char *info, size_t size, uint32_t flags, int want)
{
	struct {
		struct cuse_init_out o;
		char info[64];
	} a = { .o = { .major = 7, .minor = 31, .flags = flags, .max_read = 65536, .max_write = 65536 } };
	const struct fuse_in_header *in = (const void *)space;

	channel = open("/dev/cuse", O_RDWR | O_CLOEXEC);
	if (channel < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		SKIP("no /dev/cuse");
	CHECK(channel >= 0);
	shared = calloc(1, sizeof(*shared));
	CHECK_EQ(CHECK_OK(read(channel, space, sizeof(space))), sizeof(*in) + sizeof(struct cuse_init_in));
	CHECK_EQ(in->opcode, CUSE_INIT);
	memcpy(a.info, info, size);
	CHECK_EQ(device_answer(channel, in->unique, 0, &a, sizeof(a.o) + size), want);
}

TEST(cuse_makes_a_device_that_its_daemon_serves)
{
	static const char info[] = "DEVNAME=" NAME;
	char buf[32] = "";
	struct pollfd p;
	pid_t pid;
	int fd;

	start(info, sizeof(info), CUSE_UNRESTRICTED_IOCTL, 0);
	pid = check_fork();
	if (pid == 0)
		serve();
	fd = CHECK_OK(open("/dev/" NAME, O_RDWR));
	CHECK_OK(access("/sys/class/cuse/" NAME "/dev", F_OK));
	CHECK_EQ(CHECK_OK(write(fd, "some text", 9)), 9);
	CHECK_EQ(CHECK_OK(read(fd, buf, sizeof(buf))), 9);
	CHECK_STR(buf, "some text");
	CHECK_EQ(CHECK_OK(pread(fd, buf, sizeof(buf), 100)), 9);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK_EQ(CHECK_OK(poll(&p, 1, -1)), 1);
	memcpy(buf, "12345678........", 16);
	CHECK_EQ(CHECK_OK(ioctl(fd, _IO('c', 1), buf)), 8);
	CHECK_MEM(buf, "1234567887654321", 16);
	CHECK_ERRNO(ioctl(fd, _IO('c', 1), (void *)8), EFAULT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	close(channel);
	CHECK_ERRNO(read(fd, buf, 1), ENOTCONN);
	CHECK_ERRNO(access("/sys/class/cuse/" NAME "/dev", F_OK), ENOENT);
	close(fd);
}

/* The node of another device is not its own, and stays when it goes. */
TEST(cuse_leaves_the_nodes_of_others_alone)
{
	static const char info[] = "DEVNAME=null";
	struct stat st;

	start(info, sizeof(info), 0, 0);
	CHECK_OK(access("/sys/class/cuse/null/dev", F_OK));
	CHECK_OK(stat("/dev/null", &st));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	close(channel);
	UNTIL(access("/sys/class/cuse/null/dev", F_OK) < 0);
	CHECK_OK(stat("/dev/null", &st));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	CHECK_OK(access("/sys/class/mem/null/dev", F_OK));
}

TEST(cuse_wants_a_name)
{
	static const char info[] = "NAME=" NAME;
	struct pollfd p;

	start(info, sizeof(info), 0, 0);
	p = (struct pollfd){ .fd = channel, .events = POLLIN };
	CHECK_EQ(CHECK_OK(poll(&p, 1, -1)), 1);
	CHECK_EQ(p.revents, POLLERR);
	CHECK_ERRNO(access("/sys/class/cuse/" NAME, F_OK), ENOENT);
	close(channel);
}
