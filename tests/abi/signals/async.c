/* SPDX-License-Identifier: MIT */
/* O_ASYNC: files that tell by SIGIO or by a signal of one's choice; F_SETOWN, F_SETOWN_EX, F_SETSIG, FIOASYNC. */
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static volatile sig_atomic_t heard, plain;
static volatile int code, from_fd, band;
static volatile pid_t heard_by;

static void
on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	heard++;
	plain += sig == SIGIO;
	code = info->si_code;
	from_fd = info->si_fd;
	band = (int)info->si_band;
	heard_by = (pid_t)syscall(SYS_gettid);
}

/* How many signals since the last time, all alike. */
static int
taken(int want_code, int fd)
{
	int n = heard;

	heard = 0;
	if (n) {
		CHECK_EQ(code, want_code);
		CHECK_EQ(from_fd, fd);
		CHECK_EQ(band, want_code == POLL_IN    ? POLLIN | POLLRDNORM
			       : want_code == POLL_OUT ? POLLOUT | POLLWRNORM | POLLWRBAND
						       : POLLHUP | POLLERR);
	}
	return n;
}

static void
listen_to_signals(void)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGRTMIN, &a, NULL));
	CHECK_OK(sigaction(SIGIO, &a, NULL));
}

static void
tell_us(int fd)
{
	CHECK_OK(fcntl(fd, F_SETOWN, getpid()));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(fd, F_SETFL, CHECK_OK(fcntl(fd, F_GETFL)) | O_ASYNC));
	CHECK(CHECK_OK(fcntl(fd, F_GETFL)) & O_ASYNC);
}

TEST(a_pipe_tells_its_reader_of_each_write)
{
	char buf[16];
	int p[2];

	listen_to_signals();
	CHECK_OK(pipe(p));
	tell_us(p[0]);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
	CHECK_EQ(write(p[1], "y", 1), 1);
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
	CHECK_EQ(read(p[0], buf, 16), 2);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_OK(fcntl(p[0], F_SETFL, 0));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(taken(0, 0), 0);
	tell_us(p[0]);
	CHECK_OK(close(p[1]));
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
}

TEST(a_pipe_tells_its_writer_of_each_read)
{
	static char buf[70000];
	int p[2];

	listen_to_signals();
	CHECK_OK(pipe2(p, O_NONBLOCK));
	tell_us(p[1]);
	CHECK_EQ(write(p[1], buf, sizeof(buf)), 65536);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_EQ(read(p[0], buf, 4096), 4096);
	CHECK_EQ(taken(POLL_OUT, p[1]), 1);
	CHECK_EQ(read(p[0], buf, sizeof(buf)), 61440);
	CHECK_EQ(taken(POLL_OUT, p[1]), 1);
}

TEST(without_F_SETSIG_it_is_SIGIO_and_says_nothing)
{
	int p[2];

	listen_to_signals();
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(heard, 0); /* no owner */
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(heard, 1);
	CHECK_EQ(plain, 1);
	CHECK_EQ(code, SI_KERNEL);
	CHECK_OK(fcntl(p[0], F_SETOWN, 0));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(heard, 1);
}

TEST(a_socket_tells_of_messages_and_of_the_end)
{
	char buf[16];
	int s[2];

	listen_to_signals();
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	tell_us(s[0]);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, s[0]), 1);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, s[0]), 1);
	CHECK_EQ(read(s[0], buf, 16), 2);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(read(s[1], buf, 16), 1);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_OK(shutdown(s[1], SHUT_WR));
	CHECK_EQ(taken(POLL_IN, s[0]), 1);
	CHECK_OK(close(s[1]));
	CHECK_EQ(taken(POLL_HUP, s[0]), 1);
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	tell_us(s[0]);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, s[0]), 1);
}

TEST(a_socket_tells_a_sender_who_found_no_room)
{
	static char buf[4096];
	int s[2];

	listen_to_signals();
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	tell_us(s[0]);
	while (write(s[0], buf, sizeof(buf)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(heard, 0);
	while (read(s[1], buf, sizeof(buf)) > 0)
		;
	CHECK_EQ(taken(POLL_OUT, s[0]), 1);
}

TEST(a_listener_tells_of_connections)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "s" };
	int l = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	listen_to_signals();
	CHECK_OK(bind(l, (struct sockaddr *)&name, sizeof(name)));
	CHECK_OK(listen(l, 1));
	tell_us(l);
	CHECK_OK(connect(c, (struct sockaddr *)&name, sizeof(name)));
	CHECK_EQ(taken(POLL_IN, l), 1);
}

TEST(a_terminal_tells_of_a_line)
{
	int master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY)), slave;

	listen_to_signals();
	CHECK_OK(grantpt(master));
	CHECK_OK(unlockpt(master));
	slave = CHECK_OK(open(ptsname(master), O_RDWR | O_NOCTTY));
	tell_us(slave);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_EQ(write(master, "a", 1), 1);
	check_sleep_ms(50);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_EQ(write(master, "\n", 1), 1);
	while (!heard)
		check_sleep_ms(5);
	CHECK_EQ(taken(POLL_IN, slave), 1);
}

TEST(what_tells_nobody_has_no_such_flag)
{
	int on = 1, fds[3] = { CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), CHECK_OK(eventfd(0, 0)),
			       CHECK_OK(open("/dev/null", O_RDWR)) };

	for (int i = 0; i < 3; i++) {
		CHECK_OK(fcntl(fds[i], F_SETFL, O_ASYNC | O_NONBLOCK));
		CHECK_EQ(CHECK_OK(fcntl(fds[i], F_GETFL)) & (O_ASYNC | O_NONBLOCK), O_NONBLOCK);
		CHECK_ERRNO(ioctl(fds[i], FIOASYNC, &on), ENOTTY);
	}
	CHECK(CHECK_OK(fcntl(CHECK_OK(open("f", O_RDWR | O_ASYNC)), F_GETFL)) & O_ASYNC);
}

TEST(FIOASYNC_is_the_same)
{
	int p[2], on = 1, off = 0;

	listen_to_signals();
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_OK(fcntl(p[0], F_SETSIG, SIGRTMIN));
	CHECK_ERRNO(ioctl(p[0], FIOASYNC, check_bad_address()), EFAULT);
	CHECK_OK(ioctl(p[0], FIOASYNC, &on));
	CHECK_OK(ioctl(p[0], FIOASYNC, &on));
	CHECK(CHECK_OK(fcntl(p[0], F_GETFL)) & O_ASYNC);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
	CHECK_OK(ioctl(p[0], FIOASYNC, &off));
	CHECK(!(CHECK_OK(fcntl(p[0], F_GETFL)) & O_ASYNC));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(heard, 0);
}

static void *
write_one(void *arg)
{
	CHECK_EQ(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

TEST(a_thread_or_a_group_may_be_the_owner)
{
	struct f_owner_ex me = { F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
	pthread_t t;
	int p[2];

	listen_to_signals();
	CHECK_OK(pipe(p));
	tell_us(p[0]);
	CHECK_OK(fcntl(p[0], F_SETOWN_EX, &me));
	CHECK_RETURNS(pthread_create(&t, NULL, write_one, &p[1]), 0);
	CHECK_RETURNS(pthread_join(t, NULL), 0);
	while (!heard)
		check_sleep_ms(5);
	CHECK_EQ(heard_by, me.pid);
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
	CHECK_OK(fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(taken(POLL_IN, p[0]), 1);
}

TEST(nobody_is_signalled_whom_the_owner_s_setter_may_not_signal)
{
	int p[2], said[2];
	pid_t victim;
	char c;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(said));
	victim = check_fork();
	if (victim == 0) {
		CHECK(signal(SIGIO, SIG_DFL) != SIG_ERR); /* would end us */
		close(said[1]);
		CHECK_EQ(read(said[0], &c, 1), 0);
		_exit(0);
	}
	check_drop_root();
	CHECK_OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_OK(fcntl(p[0], F_SETOWN, victim));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_OK(close(said[0]));
	CHECK_OK(close(said[1]));
	CHECK_EXIT(victim, 0);
}

TEST(readers_come_and_go_while_others_write)
{
	pid_t writer;
	char buf[512];
	int p[2];

	TIMEOUT(30);
	CHECK(signal(SIGIO, SIG_IGN) != SIG_ERR);
	CHECK_OK(pipe2(p, O_NONBLOCK));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	writer = check_fork();
	if (writer == 0) {
		for (int i = 0; i < 3000; i++)
			if (write(p[1], "x", 1) < 0)
				CHECK_EQ(errno, EAGAIN);
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		char name[64];
		int fd;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
		fd = CHECK_OK(open(name, O_RDONLY | O_NONBLOCK));
		CHECK_OK(fcntl(fd, F_SETOWN, getpid()));
		CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
		CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK | (i & 1 ? O_ASYNC : 0)));
		(void)!read(fd, buf, sizeof(buf));
		CHECK_OK(close(fd));
	}
	CHECK_EXIT(writer, 0);
}

TEST(a_pipe_tells_its_writer_of_each_read_even_of_nothing)
{
	char buf[16];
	int p[2];

	listen_to_signals();
	CHECK_OK(pipe2(p, O_NONBLOCK));
	tell_us(p[1]);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	CHECK_EQ(taken(0, 0), 0);
	CHECK_EQ(read(p[0], buf, 1), 1);
	CHECK_EQ(taken(POLL_OUT, p[1]), 1);
	CHECK_EQ(read(p[0], buf, sizeof(buf)), 1);
	CHECK_EQ(taken(POLL_OUT, p[1]), 1);
	CHECK_ERRNO(read(p[0], buf, sizeof(buf)), EAGAIN);
	CHECK_EQ(taken(POLL_OUT, p[1]), 1);
}
