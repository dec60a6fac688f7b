/* SPDX-License-Identifier: MIT */
/* Linux's older asynchronous I/O. */
#include "../check.h"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

static aio_context_t
context(unsigned int n)
{
	aio_context_t c = 0;

	CHECK_OK(syscall(SYS_io_setup, n, &c));
	CHECK(c != 0);
	return c;
}

static struct iocb
block(int op, int fd, const void *buf, size_t size, long offset)
{
	return (struct iocb){ .aio_lio_opcode = (uint16_t)op, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)buf,
			      .aio_nbytes = size, .aio_offset = offset, .aio_data = 99, .aio_key = 7 };
}

static long
submit(aio_context_t c, struct iocb *b)
{
	return syscall(SYS_io_submit, c, 1, &b);
}

static long
get(aio_context_t c, long least, long most, struct io_event *e, struct timespec *t)
{
	return syscall(SYS_io_getevents, c, least, most, e, t);
}

TEST(aio_reads_and_writes)
{
	aio_context_t c = context(8);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char text[8] = "";
	struct iovec v[2] = { { text, 1 }, { text + 1, 2 } };
	struct iocb w = block(IOCB_CMD_PWRITE, fd, "hello", 5, 3), r = block(IOCB_CMD_PREADV, fd, v, 2, 4);
	struct iocb s = block(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	struct iocb *list[2] = { &w, &s };
	struct io_event e[4];

	CHECK_EQ(syscall(SYS_io_submit, c, 2, list), 2);
	CHECK_EQ(w.aio_key, 0);
	CHECK_EQ(get(c, 2, 4, e, NULL), 2);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(e[i].data, 99);
		CHECK_EQ(e[i].res, e[i].obj == (uintptr_t)&w ? 5 : 0);
	}
	CHECK_EQ(submit(c, &r), 1);
	CHECK_EQ(get(c, 1, 1, e, NULL), 1);
	CHECK_EQ(e[0].res, 3);
	CHECK_STR(text, "ell");
	CHECK_OK(syscall(SYS_io_destroy, c));
	CHECK_ERRNO(syscall(SYS_io_destroy, c), EINVAL);
}

TEST(aio_setup_errors)
{
	aio_context_t c = 1;

	CHECK_ERRNO(syscall(SYS_io_setup, 1, &c), EINVAL);
	c = 0;
	CHECK_ERRNO(syscall(SYS_io_setup, 0, &c), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_setup, 0x7fffffff, &c), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_setup, 1000000, &c), EAGAIN);
	CHECK_ERRNO(syscall(SYS_io_setup, 1, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_destroy, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_destroy, 4096), EINVAL);
}

TEST(aio_submit_errors)
{
	aio_context_t c = context(8);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), ro = CHECK_OK(open("f", O_RDONLY));
	char text[8];
	struct iocb b = block(IOCB_CMD_PREAD, fd, text, 8, 0), *list[2] = { &b, check_bad_address() };
	struct io_event e;

	CHECK_ERRNO(syscall(SYS_io_submit, c, -1L, list), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_submit, 4096, 1, list), EINVAL);
	CHECK_EQ(syscall(SYS_io_submit, c, 0, list), 0);
	CHECK_ERRNO(syscall(SYS_io_submit, c, 1, check_bad_address()), EFAULT);
	CHECK_EQ(syscall(SYS_io_submit, c, 2, list), 1); /* the first is done, then it ends */
	CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
	b = block(IOCB_CMD_PREAD, -1, text, 8, 0);
	CHECK_ERRNO(submit(c, &b), EBADF);
	b = block(IOCB_CMD_PWRITE, ro, text, 8, 0);
	CHECK_ERRNO(submit(c, &b), EBADF);
	b = block(100, fd, text, 8, 0);
	CHECK_ERRNO(submit(c, &b), EINVAL);
	b = block(IOCB_CMD_PREAD, fd, text, 8, 0);
	b.aio_reserved2 = 1;
	CHECK_ERRNO(submit(c, &b), EINVAL);
	b = block(IOCB_CMD_FSYNC, fd, NULL, 1, 0);
	CHECK_ERRNO(submit(c, &b), EINVAL);
	b = block(IOCB_CMD_PREAD, fd, text, 8, 0);
	b.aio_flags = IOCB_FLAG_RESFD;
	b.aio_resfd = (uint32_t)fd;
	CHECK_ERRNO(submit(c, &b), EINVAL);
	b.aio_resfd = (uint32_t)-1;
	CHECK_ERRNO(submit(c, &b), EBADF);
}

TEST(aio_eventfd_tells)
{
	aio_context_t c = context(8);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), ev = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	struct iocb b = block(IOCB_CMD_PWRITE, fd, "x", 1, 0);
	uint64_t n;

	b.aio_flags = IOCB_FLAG_RESFD;
	b.aio_resfd = (uint32_t)ev;
	CHECK_EQ(submit(c, &b), 1);
	CHECK_EQ(submit(c, &b), 1);
	struct io_event e[2];
	CHECK_EQ(get(c, 2, 2, e, NULL), 2);
	CHECK_EQ(read(ev, &n, 8), 8);
	CHECK_EQ(n, 2);
}

TEST(aio_getevents_waits_and_its_errors)
{
	aio_context_t c = context(8);
	struct timespec t = { 0, 30000000 };
	struct io_event e[2];
	long long start = check_now_ms();

	CHECK_EQ(get(c, 1, 2, e, &t), 0);
	CHECK(check_now_ms() - start >= 30);
	CHECK_EQ(get(c, 0, 2, e, NULL), 0);
	CHECK_ERRNO(get(c, 3, 2, e, NULL), EINVAL);
	CHECK_ERRNO(get(c, -1, 2, e, NULL), EINVAL);
	CHECK_ERRNO(get(4096, 0, 2, e, NULL), EINVAL);
	CHECK_ERRNO(get(c, 1, 2, e, check_bad_address()), EFAULT);
	struct iocb b = block(IOCB_CMD_PREAD, CHECK_FD, NULL, 0, 0);
	struct io_event r;
	CHECK_ERRNO(syscall(SYS_io_cancel, c, &b, &r), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_cancel, c, check_bad_address(), &r), EFAULT);
}

TEST(aio_context_is_the_process_s_own)
{
	aio_context_t c = context(8);
	pid_t pid = check_fork();

	if (pid == 0) {
		struct io_event e;

		CHECK_ERRNO(get(c, 0, 1, &e, NULL), EINVAL);
		context(100); /* ends with us */
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(syscall(SYS_io_destroy, c));
}

TEST(aio_pgetevents_takes_a_mask_for_the_wait)
{
	aio_context_t c = context(8);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct iocb w = block(IOCB_CMD_PWRITE, fd, "hello", 5, 0);
	struct timespec none = { 0, 0 };
	uint64_t set = 1ull << (SIGUSR1 - 1);
	struct {
		const void *mask;
		size_t size;
	} mask = { &set, sizeof(set) }, odd = { &set, 4 }, bad = { check_bad_address(), sizeof(set) };
	struct io_event e[2];
	sigset_t now;

	CHECK_EQ(syscall(SYS_io_pgetevents, c, 0, 2, e, &none, &mask), 0);
	CHECK_EQ(submit(c, &w), 1);
	CHECK_EQ(syscall(SYS_io_pgetevents, c, 1, 2, e, NULL, &mask), 1);
	CHECK_EQ(e[0].res, 5);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 0);
	CHECK_EQ(syscall(SYS_io_pgetevents, c, 0, 2, e, &none, NULL), 0);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, c, 0, 2, e, &none, &odd), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, c, 0, 2, e, &none, &bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, c, 0, 2, e, &none, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, c, 0, 2, e, check_bad_address(), NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, 12345, 0, 2, e, &none, NULL), EINVAL);
	CHECK_OK(syscall(SYS_io_destroy, c));
}
