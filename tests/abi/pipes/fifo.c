/* SPDX-License-Identifier: MIT */
/* FIFOs: how opening waits for the other side. */
#include "../check.h"

#include <poll.h>
#include <sched.h>

static void
ignore_signal(int sig __attribute__((unused)))
{
}

TEST(fifo_open_waits_for_the_other_side)
{
	CHECK_OK(mkfifo("p", 0600));
	pid_t pid = check_fork();
	if (pid == 0) {
		int fd = CHECK_OK(open("p", O_WRONLY));
		check_write_all(fd, "hello", 5);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	char text[8] = "";
	int fd = CHECK_OK(open("p", O_RDONLY));
	check_read_all(fd, text, 5);
	CHECK_STR(text, "hello");
	CHECK_EQ(read(fd, text, 8), 0);
	CHECK_EXIT(pid, 0);
}

TEST(fifo_open_ends_though_the_other_side_is_gone_already)
{
	char text[8];

	CHECK_OK(mkfifo("p", 0600));
	for (int round = 0; round < 300; round++) {
		pid_t pid = check_fork();
		if (pid == 0) {
			int fd = CHECK_OK(open("p", round & 1 ? O_WRONLY : O_RDONLY));
			close(fd);
			_exit(0);
		}
		if (round % 3)
			sched_yield();
		int fd = CHECK_OK(open("p", round & 1 ? O_RDONLY : O_WRONLY));
		if (round & 1)
			CHECK_EQ(read(fd, text, 8), 0);
		close(fd);
		CHECK_EXIT(pid, 0);
	}
}

TEST(fifo_nonblocking_open_rules)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	CHECK_ERRNO(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(r, &c, 1), 0);
	int w = CHECK_OK(open("p", O_WRONLY | O_NONBLOCK));
	CHECK_ERRNO(read(r, &c, 1), EAGAIN);
	CHECK_EQ(write(w, "x", 1), 1);
	CHECK_EQ(read(r, &c, 1), 1);
}

TEST(fifo_read_write_open_does_not_block)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	int fd = CHECK_OK(open("p", O_RDWR));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'x');
}

TEST(fifo_open_is_interrupted_by_a_signal)
{
	CHECK_OK(mkfifo("p", 0600));
	pid_t pid = check_fork();
	if (pid == 0) {
		struct sigaction sa = { .sa_handler = ignore_signal };
		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_ERRNO(open("p", O_RDONLY), EINTR);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

TEST(fifo_second_name_is_the_same_pipe)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	CHECK_OK(link("p", "q"));
	int r = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	int w = CHECK_OK(open("q", O_WRONLY | O_NONBLOCK));
	CHECK_EQ(write(w, "z", 1), 1);
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(c, 'z');
}

TEST(fifo_forgets_its_bytes_when_all_close)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	int fd = CHECK_OK(open("p", O_RDWR));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(close(fd));
	fd = CHECK_OK(open("p", O_RDWR | O_NONBLOCK));
	CHECK_ERRNO(read(fd, &c, 1), EAGAIN);
}

TEST(fifo_hangup_and_a_new_writer)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	int r = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	struct pollfd p = { .fd = r, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	int w = CHECK_OK(open("p", O_WRONLY));
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(close(w));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLHUP);
	CHECK_EQ(read(r, &c, 1), 0);
	w = CHECK_OK(open("p", O_WRONLY));
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(write(w, "x", 1), 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
}

TEST(fifo_stays_open_after_unlink)
{
	char c;

	CHECK_OK(mkfifo("p", 0600));
	int fd = CHECK_OK(open("p", O_RDWR));
	CHECK_OK(unlink("p"));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 1);
}

TEST(fifo_permissions_are_checked_on_open)
{
	CHECK_OK(mkfifo("p", 0600));
	check_drop_root();
	CHECK_ERRNO(open("p", O_RDONLY | O_NONBLOCK), EACCES);
}

TEST(fifo_truncate_and_seek)
{
	CHECK_OK(mkfifo("p", 0600));
	int fd = CHECK_OK(open("p", O_RDWR | O_TRUNC));
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	CHECK_ERRNO(truncate("p", 0), EINVAL);
}

TEST(fifo_times_tell_of_reading_and_writing)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct stat st;
	char c;

	CHECK_OK(mkfifo("p", 0600));
	int fd = CHECK_OK(open("p", O_RDWR | O_NONBLOCK));
	CHECK_OK(utimensat(AT_FDCWD, "p", old, 0));
	CHECK_ERRNO(read(fd, &c, 1), EAGAIN);
	CHECK_OK(stat("p", &st));
	CHECK(st.st_atime == 1000 && st.st_mtime == 2000);
	CHECK_EQ(write(fd, "xy", 2), 2);
	CHECK_OK(stat("p", &st));
	CHECK(st.st_atime == 1000 && st.st_mtime > 2000);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_OK(stat("p", &st));
	CHECK(st.st_atime > 1000);
	CHECK_OK(utimensat(AT_FDCWD, "p", old, 0));
	CHECK_OK(fcntl(fd, F_SETFL, O_NOATIME));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_OK(stat("p", &st));
	CHECK_EQ(st.st_atime, 1000);
}
