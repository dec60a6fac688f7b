/* SPDX-License-Identifier: MIT */
/* Pipes: order, atomicity, ends of life, blocking. */
#include "../check.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static volatile sig_atomic_t signals_seen;

static void
count_signal(int sig __attribute__((unused)))
{
	signals_seen++;
}

static size_t
fill(int fd)
{
	static char block[4096];
	size_t total = 0;
	ssize_t n;

	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	while ((n = write(fd, block, sizeof(block))) > 0)
		total += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	while ((n = write(fd, block, 1)) > 0)
		total += (size_t)n;
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	return total;
}

TEST(pipe_carries_bytes_in_order)
{
	int ends[2];
	char buffer[8] = "";

	CHECK_OK(pipe(ends));
	CHECK_EQ(ends[1], ends[0] + 1);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	CHECK_EQ(write(ends[1], "def", 3), 3);
	CHECK_EQ(read(ends[0], buffer, 4), 4);
	CHECK_STR(buffer, "abcd");
	CHECK_EQ(read(ends[0], buffer, 8), 2);
}

TEST(pipe_ends_have_one_direction)
{
	int ends[2];
	char c = 0;

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(write(ends[0], &c, 1), EBADF);
	CHECK_ERRNO(read(ends[1], &c, 1), EBADF);
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
}

TEST(pipe2_flags)
{
	int ends[2];
	char c;

	CHECK_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_ERRNO(read(ends[0], &c, 1), EAGAIN);
	CHECK_ERRNO(pipe2(ends, O_APPEND), EINVAL);
	CHECK_ERRNO(pipe2(ends, 0x40000000), EINVAL);
	CHECK_ERRNO(pipe2(check_bad_address(), 0), EFAULT);
}

TEST(pipe_bad_pointer_leaves_no_fds)
{
	int before = CHECK_OK(dup(0));

	CHECK_OK(close(before));
	CHECK_ERRNO(pipe(check_bad_address()), EFAULT);
	CHECK_EQ(dup(0), before);
}

TEST(read_is_end_of_file_when_writers_are_gone)
{
	int ends[2];
	char buffer[8];

	CHECK_OK(pipe(ends));
	int other = CHECK_OK(dup(ends[1]));
	CHECK_EQ(write(ends[1], "ab", 2), 2);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], buffer, 8), 2);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(ends[0], buffer, 8), EAGAIN);
	CHECK_OK(close(other));
	CHECK_EQ(read(ends[0], buffer, 8), 0);
	CHECK_EQ(read(ends[0], buffer, 8), 0);
}

TEST(write_without_readers_is_sigpipe_and_epipe)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	pid_t pid = check_fork();
	if (pid == 0) {
		(void)!write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	signal(SIGPIPE, count_signal);
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(write(ends[1], "x", 0), 0);
}

TEST(blocked_writer_gets_epipe_when_reader_leaves)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	fill(ends[1]);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(close(ends[0]));
		signal(SIGPIPE, SIG_IGN);
		CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(close(ends[0]));
	CHECK_EXIT(pid, 0);
}

TEST(blocked_reader_wakes_at_end_of_file)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		char c;
		CHECK_OK(close(ends[1]));
		CHECK_EQ(read(ends[0], &c, 1), 0);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(close(ends[1]));
	CHECK_EXIT(pid, 0);
}

TEST(default_capacity_is_64k)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(fill(ends[1]), 65536);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 65536);
}

TEST(nonblocking_write_of_pipe_buf_is_all_or_nothing)
{
	static char block[PIPE_BUF];
	int ends[2], held;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	while (write(ends[1], block, 1000) == 1000)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_OK(ioctl(ends[0], FIONREAD, &held));
	CHECK_EQ(held % 1000, 0);
	CHECK_ERRNO(write(ends[1], block, PIPE_BUF), EAGAIN);
	int after;
	CHECK_OK(ioctl(ends[0], FIONREAD, &after));
	CHECK_EQ(after, held);
}

TEST(nonblocking_write_over_pipe_buf_may_be_partial)
{
	static char block[100000];
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_EQ(write(ends[1], block, sizeof(block)), 65536);
	CHECK_ERRNO(write(ends[1], block, sizeof(block)), EAGAIN);
}

TEST(writes_of_pipe_buf_do_not_interleave)
{
	enum { WRITERS = 4, RECORDS = 100, RECORD = 512 };
	static char record[RECORD];
	pid_t pids[WRITERS];
	int ends[2], counts[WRITERS] = { 0 };

	CHECK_OK(pipe(ends));
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = check_fork();
		if (pids[w] == 0) {
			memset(record, 'a' + w, RECORD);
			for (int i = 0; i < RECORDS; i++)
				CHECK_EQ(write(ends[1], record, RECORD), RECORD);
			_exit(0);
		}
	}
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		check_read_all(ends[0], record, RECORD);
		for (int k = 1; k < RECORD; k++)
			CHECK_EQ(record[k], record[0]);
		counts[record[0] - 'a']++;
	}
	for (int w = 0; w < WRITERS; w++) {
		CHECK_EQ(counts[w], RECORDS);
		CHECK_EXIT(pids[w], 0);
	}
}

TEST(a_megabyte_passes_through_unharmed)
{
	enum { SIZE = 1 << 20 };
	static unsigned char data[SIZE];
	int ends[2];
	unsigned long want = 0, got = 0;

	CHECK_OK(pipe(ends));
	for (int i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	for (int i = 0; i < SIZE; i++)
		want = want * 31 + data[i];
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(write(ends[1], data, SIZE), SIZE);
		_exit(0);
	}
	CHECK_OK(close(ends[1]));
	memset(data, 0, SIZE);
	check_read_all(ends[0], data, SIZE);
	for (int i = 0; i < SIZE; i++)
		got = got * 31 + data[i];
	CHECK_EQ(got, want);
	CHECK_EXIT(pid, 0);
}

TEST(interrupted_large_write_reports_what_was_written)
{
	static char block[200000];
	int ends[2];

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		struct sigaction sa = { .sa_handler = count_signal };
		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_EQ(write(ends[1], block, sizeof(block)), 65536);
		CHECK_EQ(signals_seen, 1);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

TEST(fionread_counts_bytes)
{
	int ends[2], n = -1;
	char buffer[3];

	CHECK_OK(pipe(ends));
	CHECK_OK(ioctl(ends[0], FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	CHECK_OK(ioctl(ends[0], FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_EQ(read(ends[0], buffer, 3), 3);
	CHECK_OK(ioctl(ends[0], FIONREAD, &n));
	CHECK_EQ(n, 2);
	CHECK_ERRNO(ioctl(ends[0], FIONREAD, check_bad_address()), EFAULT);
}

TEST(setpipe_sz_rounds_up_and_keeps_contents)
{
	int ends[2];
	char buffer[8] = "";

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 8192);
	CHECK_EQ(read(ends[0], buffer, 8), 5);
	CHECK_STR(buffer, "hello");
	CHECK_EQ(fill(ends[1]), 8192);
	CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 131072), 131072);
	CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, -1), EINVAL);
	CHECK_ERRNO(fcntl(0, F_GETPIPE_SZ), EBADF);
}

TEST(fault_in_the_middle_of_a_pipe_write)
{
	int ends[2], held;
	char *end = check_page_end();

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(write(ends[1], check_bad_address(), 10), EFAULT);
	CHECK_ERRNO(write(ends[1], end - 10, 20), EFAULT);
	CHECK_OK(ioctl(ends[0], FIONREAD, &held));
	CHECK_EQ(held, 0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	CHECK_ERRNO(read(ends[0], check_bad_address(), 3), EFAULT);
}

TEST(stat_of_a_pipe)
{
	struct stat st;
	int ends[2];
	char path[40], target[64];

	CHECK_OK(pipe(ends));
	CHECK_OK(fstat(ends[0], &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0600);
	CHECK_EQ(st.st_size, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	ssize_t n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK(!strncmp(target, "pipe:[", 6));
}

TEST(readv_of_a_pipe_returns_what_is_there)
{
	int ends[2];
	char a[2], b[4];
	struct iovec v[2] = { { a, 2 }, { b, 4 } };

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	CHECK_EQ(readv(ends[0], v, 2), 3);
	CHECK_MEM(a, "ab", 2);
	CHECK_EQ(b[0], 'c');
}

TEST(many_readers_share_the_bytes)
{
	enum { READERS = 3, BYTES = 3000 };
	int ends[2], result[2], total = 0;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(result));
	pid_t pids[READERS];
	for (int i = 0; i < READERS; i++) {
		pids[i] = check_fork();
		if (pids[i] == 0) {
			int count = 0;
			char c;
			CHECK_OK(close(ends[1]));
			while (CHECK_OK(read(ends[0], &c, 1)) == 1)
				count++;
			check_write_all(result[1], &count, sizeof(count));
			_exit(0);
		}
	}
	static char data[BYTES];
	check_write_all(ends[1], data, BYTES);
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < READERS; i++) {
		int count;
		CHECK_EXIT(pids[i], 0);
		check_read_all(result[0], &count, sizeof(count));
		total += count;
	}
	CHECK_EQ(total, BYTES);
}

/* What cannot be read, written or either way through a pipe: its name, or a descriptor. */
static void
check_splice(int fd, bool from, bool to, const char *name)
{
	int ends[2];
	char byte;

	if (fd < 0)
		FAIL("%s: %s", name, check_error_name(errno));
	CHECK_OK(pipe(ends));
	if (splice(fd, NULL, ends[1], NULL, 8, SPLICE_F_NONBLOCK) >= 0 || (errno != EINVAL && errno != EAGAIN)) {
		if (!from)
			FAIL("%s: bytes could be spliced from it", name);
	} else if (from && errno == EINVAL) {
		FAIL("%s: nothing can be spliced from it", name);
	}
	close(ends[0]);
	close(ends[1]);
	CHECK_OK(pipe(ends));
	CHECK_OK(write(ends[1], "\1\0\0\0\0\0\0", 8));
	if (to) {
		CHECK_EQ(splice(ends[0], NULL, fd, NULL, 8, 0), 8);
	} else {
		CHECK_ERRNO(splice(ends[0], NULL, fd, NULL, 8, 0), EINVAL);
		CHECK_EQ(read(ends[0], &byte, 1), 1); /* they are still there */
	}
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

TEST(splice_of_files_that_have_none)
{
	check_splice(open("/dev/null", O_RDWR), false, true, "null");
	check_splice(open("/dev/zero", O_RDWR), false, false, "zero");
	check_splice(open("/dev/full", O_RDWR), false, false, "full");
	check_splice(open("/dev/urandom", O_RDWR), true, true, "urandom");
	check_splice(open("/dev/kmsg", O_RDWR | O_NONBLOCK), false, false, "kmsg");
	check_splice(open("/proc/self/mem", O_RDWR), false, false, "mem");
	check_splice(open("/proc/self/comm", O_RDWR), false, false, "comm");
	check_splice(open("/proc/sys/kernel/domainname", O_RDWR), true, true, "a setting");
	check_splice(eventfd(1, 0), false, false, "eventfd");
	check_splice(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), false, false, "timerfd");
	check_splice(memfd_create("m", 0), true, true, "memfd");
}

TEST(splice_and_sendfile_of_a_process_text)
{
	int fd = CHECK_OK(open("/proc/self/status", O_RDONLY)), out = CHECK_OK(open("out", O_RDWR | O_CREAT, 0600)), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(splice(fd, NULL, ends[1], NULL, 8, 0), EINVAL);
	CHECK_ERRNO(sendfile(out, fd, NULL, 8), EINVAL);
	fd = CHECK_OK(open("/proc/meminfo", O_RDONLY));
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 8, 0), 8);
	CHECK_EQ(sendfile(out, fd, NULL, 8), 8);
	CHECK_ERRNO(sendfile(CHECK_OK(eventfd(0, 0)), out, &(off_t){ 0 }, 8), EINVAL);
	CHECK_ERRNO(sendfile(CHECK_OK(open("/dev/zero", O_RDWR)), out, &(off_t){ 0 }, 8), EINVAL);
	CHECK_EQ(sendfile(CHECK_OK(open("/dev/null", O_RDWR)), out, &(off_t){ 0 }, 8), 8);
}

/* Which end it is comes before what could be done with it. */
TEST(wrong_end_of_a_pipe)
{
	int fds[2], file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));

	CHECK_OK(pipe2(fds, O_NONBLOCK));
	CHECK_ERRNO(sendfile(fds[0], fds[0], NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(fds[1], fds[1], NULL, 1), EBADF);
	CHECK_ERRNO(sendfile(fds[0], file, NULL, 1), EBADF);
	CHECK_ERRNO(splice(fds[0], NULL, fds[0], NULL, 1, 0), EBADF);
	CHECK_ERRNO(splice(fds[1], NULL, fds[1], NULL, 1, 0), EBADF);
	CHECK_ERRNO(splice(fds[1], NULL, fds[0], NULL, 1, 0), EBADF);
	CHECK_ERRNO(splice(fds[0], NULL, fds[1], NULL, 1, 0), EINVAL);
	CHECK_ERRNO(tee(fds[0], fds[0], 1, 0), EBADF);
	CHECK_ERRNO(tee(fds[0], fds[1], 1, 0), EINVAL);
	CHECK_ERRNO(copy_file_range(fds[0], NULL, fds[0], NULL, 1, 0), EINVAL);
}

TEST(splice_moves_between_pipe_and_file)
{
	int ends[2];
	char text[16];

	CHECK_OK(pipe(ends));
	check_write_file("f", "0123456789", 10);
	int from = CHECK_OK(open("f", O_RDONLY));
	ssize_t n = splice(from, NULL, ends[1], NULL, 6, 0);
	if (n < 0 && errno == ENOSYS)
		SKIP("no splice");
	CHECK_EQ(n, 6);
	int to = CHECK_OK(open("g", O_WRONLY | O_CREAT, 0600));
	CHECK_EQ(splice(ends[0], NULL, to, NULL, 6, 0), 6);
	check_read_file("g", text, sizeof(text));
	CHECK_STR(text, "012345");
	CHECK_ERRNO(splice(from, NULL, to, NULL, 6, 0), EINVAL);
}

static ssize_t
lend(int fd, const void *memory, size_t n, unsigned flags)
{
	struct iovec v = { (void *)memory, n };

	return vmsplice(fd, &v, 1, flags);
}

/* What lies in the pipe is the memory, not a copy: libfuse writes the length of an answer when it knows it. */
TEST(vmsplice_lends_memory)
{
	enum { SIZE = 20 * 4096 };
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[32] = { 0 };
	struct iovec two[2] = { { memory + 4090, 12 }, { memory, 3 } };
	static char all[SIZE];
	int ends[2];

	CHECK(memory != MAP_FAILED);
	CHECK_OK(pipe(ends));
	strcpy(memory, "before");
	CHECK_EQ(CHECK_OK(lend(ends[1], memory, 7, 0)), 7);
	strcpy(memory, "behind");
	CHECK_EQ(CHECK_OK(read(ends[0], text, sizeof(text))), 7);
	CHECK_STR(text, "behind");
	/* What is written then lies behind it, not in it. */
	strcpy(memory, "0123456789");
	CHECK_EQ(CHECK_OK(lend(ends[1], memory, 4, 0)), 4);
	CHECK_EQ(CHECK_OK(write(ends[1], "xyz", 4)), 4);
	CHECK_EQ(CHECK_OK(read(ends[0], text, sizeof(text))), 8);
	CHECK_STR(text, "0123xyz");
	CHECK_STR(memory, "0123456789");
	/* Several ranges, one of them over the end of a page. */
	memset(memory + 4090, 'a', 12);
	CHECK_EQ(CHECK_OK(vmsplice(ends[1], two, 2, 0)), 15);
	memory[4096] = 'b';
	CHECK_EQ(CHECK_OK(read(ends[0], text, sizeof(text))), 15);
	CHECK(memcmp(text, "aaaaaabaaaaa012", 15) == 0);
	/* It outlives the mapping. */
	memset(memory, 'm', SIZE);
	CHECK_EQ(CHECK_OK(lend(ends[1], memory, 8192, 0)), 8192);
	CHECK_OK(munmap(memory, 8192));
	CHECK_EQ(CHECK_OK(write(ends[1], "n", 1)), 1);
	CHECK_EQ(CHECK_OK(read(ends[0], all, SIZE)), 8193);
	CHECK(all[0] == 'm' && all[8191] == 'm' && all[8192] == 'n');
	/* As much as there is room for, which is waited for only while there is none. */
	CHECK_EQ(CHECK_OK(lend(ends[1], memory + 8192, SIZE - 8192, 0)), 16 * 4096);
	CHECK_ERRNO(lend(ends[1], memory + 8192, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(CHECK_OK(read(ends[0], all, 4096)), 4096);
	/* Up to the first address that is none. */
	CHECK_ERRNO(lend(ends[1], memory, 1, SPLICE_F_NONBLOCK), EFAULT);
	CHECK_OK(munmap(memory + 12288, 4096));
	CHECK_EQ(CHECK_OK(lend(ends[1], memory + 8192 + 100, 8192, 0)), 3996);
}

/* What the program itself could not read is not read for it. */
TEST(vmsplice_lends_what_the_program_may_read)
{
	char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *behind;
	int ends[2], fd, key;

	CHECK(memory != MAP_FAILED);
	CHECK_OK(pipe(ends));
	fd = CHECK_OK(open("empty", O_RDWR | O_CREAT, 0600));
	behind = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(behind != MAP_FAILED);
	CHECK_ERRNO(lend(ends[1], behind, 1, 0), EFAULT);
	memory[0] = 'k';
	key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	if (key < 0)
		SKIP("no protection keys here");
	CHECK_OK(pkey_mprotect(memory, 4096, PROT_READ | PROT_WRITE, key));
	CHECK_ERRNO(lend(ends[1], memory, 1, 0), EFAULT);
	CHECK_EQ(CHECK_OK(lend(ends[1], memory + 4096, 1, 0)), 1);
	CHECK_OK(pkey_set(key, PKEY_DISABLE_WRITE));
	CHECK_EQ(CHECK_OK(lend(ends[1], memory, 1, 0)), 1);
}

/* By /proc/self/fd an end can be opened again, and that does not wait as a fifo would. */
TEST(pipe_end_opened_again_does_not_wait)
{
	struct pollfd p = { .events = POLLIN };
	char path[40], buffer[8];
	int fds[2], again;

	CHECK_OK(pipe(fds));
	check_write_all(fds[1], "left", 4);
	CHECK_OK(close(fds[1]));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	again = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(read(again, buffer, sizeof(buffer)), 4);
	CHECK_EQ(read(again, buffer, sizeof(buffer)), 0);
	p.fd = again;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLHUP);
	/* The other end of it can be made so too. */
	fds[1] = CHECK_OK(open(path, O_WRONLY));
	check_write_all(fds[1], "new", 3);
	CHECK_EQ(read(again, buffer, sizeof(buffer)), 3);
	CHECK_OK(close(again));
	CHECK_OK(close(fds[0]));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	again = CHECK_OK(open(path, O_WRONLY | O_NONBLOCK));
	CHECK_OK(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
	CHECK_ERRNO(write(again, "x", 1), EPIPE);
}
