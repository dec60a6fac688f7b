/* SPDX-License-Identifier: MIT */
/*
 * closing.c - handles that are closed, replaced and passed on while others sleep in them.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "storm.h"

#define SLOTS 12
#define FIRST 100

static volatile bool stop;

static int
some_fd(void)
{
	return FIRST + storm_below(SLOTS);
}

/* A new object of any kind at a slot. */
static void
renew(void)
{
	int pair[2] = { -1, -1 };

	switch (storm_below(8)) {
	case 0:
		if (pipe2(pair, O_NONBLOCK) < 0)
			return;
		break;
	case 1:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
			return;
		break;
	case 2:
		pair[0] = eventfd(0, EFD_NONBLOCK);
		break;
	case 3:
		pair[0] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
		break;
	case 4:
		pair[0] = epoll_create1(0);
		break;
	case 5:
		pair[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
		break;
	case 6:
		pair[0] = open("file", O_RDWR | O_CREAT, 0600);
		break;
	default:
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0)
			return;
	}
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0) {
			dup2(pair[i], some_fd());
			close(pair[i]);
		}
}

static void *
user(void *arg)
{
	struct timespec now = { 0, 0 };
	char b[200] = "";

	while (!stop) {
		struct epoll_event e = { .events = EPOLLIN | (storm_below(2) ? EPOLLET : 0) };
		struct pollfd p[3];
		int a = some_fd(), c = some_fd();

		switch (storm_below(14)) {
		case 0:
		case 1:
		case 2:
			renew();
			break;
		case 3:
			close(a);
			break;
		case 4:
			if (read(a, b, sizeof(b)) < 0)
				break;
			break;
		case 5:
			if (write(a, b, (size_t)storm_below(200)) < 0)
				break;
			break;
		case 6:
			epoll_ctl(a, EPOLL_CTL_ADD, c, &e);
			break;
		case 7:
			epoll_ctl(a, storm_below(2) ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, c, &e);
			break;
		case 8:
			epoll_wait(a, &e, 1, storm_below(2));
			break;
		case 9:
			for (int i = 0; i < 3; i++)
				p[i] = (struct pollfd){ .fd = some_fd(), .events = POLLIN | POLLOUT };
			ppoll(p, 3, &now, NULL);
			break;
		case 10:
			dup2(a, c);
			break;
		case 11:
			splice(a, NULL, c, NULL, 100, SPLICE_F_NONBLOCK);
			break;
		case 12: {
			char control[CMSG_SPACE(2 * sizeof(int))] = "";
			struct iovec v = { b, 1 };
			struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
					    .msg_controllen = sizeof(control) };
			struct cmsghdr *h = CMSG_FIRSTHDR(&m);
			int fds[2] = { c, some_fd() };

			h->cmsg_level = SOL_SOCKET;
			h->cmsg_type = SCM_RIGHTS;
			h->cmsg_len = CMSG_LEN(sizeof(fds));
			memcpy(CMSG_DATA(h), fds, sizeof(fds));
			sendmsg(a, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		}
		default: {
			char control[CMSG_SPACE(8 * sizeof(int))];
			struct iovec v = { b, 1 };
			struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
					    .msg_controllen = sizeof(control) };
			struct cmsghdr *h;

			if (recvmsg(a, &m, MSG_DONTWAIT) > 0 && (h = CMSG_FIRSTHDR(&m)) != NULL)
				for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
					int fd;

					memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
					close(fd);
				}
		}
		}
	}
	return NULL;
}

static void
closing_child(void)
{
	long long end = storm_end();
	pthread_t t[4];

	stop = false;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < 4; i++)
		t[i] = storm_thread(user, NULL);
	while (!storm_over(end))
		usleep(10000);
	stop = true;
	/* A blocking read of a file that was opened before: none of ours blocks. */
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void
closing_body(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		closing_child();
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(handles_change_under_their_users)
{
	storm_end();
	storm_leaves_nothing(closing_body);
}

/* Sockets that hold each other are found and go, while others are made. */
static void *
knotter(void *arg)
{
	while (!stop) {
		int ring[6][2], n = 2 + storm_below(5), made = 0;

		for (; made < n; made++)
			if (socketpair(AF_UNIX, storm_below(2) ? SOCK_STREAM : SOCK_DGRAM, 0, ring[made]) < 0)
				break;
		for (int i = 0; i < made; i++) {
			char control[CMSG_SPACE(sizeof(int))] = "", b = 0;
			struct iovec v = { &b, 1 };
			struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
					    .msg_controllen = sizeof(control) };
			struct cmsghdr *h = CMSG_FIRSTHDR(&m);

			h->cmsg_level = SOL_SOCKET;
			h->cmsg_type = SCM_RIGHTS;
			h->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(h), &ring[(i + 1) % made][1], sizeof(int));
			if (sendmsg(ring[i][0], &m, MSG_DONTWAIT) < 0 && errno != ETOOMANYREFS && errno != EAGAIN)
				FAIL("SCM_RIGHTS: %s", check_error_name(errno));
		}
		for (int i = 0; i < made; i++) {
			close(ring[i][0]);
			close(ring[i][1]);
		}
	}
	return NULL;
}

static void
knots_body(void)
{
	long long end = storm_end();
	pthread_t t[3];

	stop = false;
	for (int i = 0; i < 3; i++)
		t[i] = storm_thread(knotter, NULL);
	while (!storm_over(end))
		usleep(10000);
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

TEST(sockets_that_hold_each_other_go)
{
	storm_leaves_nothing(knots_body);
}

/* A terminal hangs up under those who read, write and set it. */
static int master, slave;

static void *
terminal_user(void *arg)
{
	char b[64] = "text\n";
	int n;

	while (!stop) {
		int fd = storm_below(2) ? slave : master;

		switch (storm_below(4)) {
		case 0:
			if (write(fd, b, 5) < 0)
				usleep(100);
			break;
		case 1:
			if (read(fd, b, sizeof(b)) < 0)
				usleep(100);
			break;
		case 2:
			ioctl(fd, FIONREAD, &n);
			ioctl(fd, TIOCSWINSZ, &(struct winsize){ .ws_row = (unsigned short)storm_below(50) });
			break;
		default:
			ioctl(fd, TCFLSH, 2);
		}
	}
	return NULL;
}

static void
terminal_body(void)
{
	long long end = storm_end();

	signal(SIGHUP, SIG_IGN);
	signal(SIGWINCH, SIG_IGN);
	while (!storm_over(end)) {
		char name[64];
		pthread_t t[3];
		unsigned int number;
		int zero = 0;

		master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
		CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
		CHECK_OK(ioctl(master, TIOCGPTN, &number));
		snprintf(name, sizeof(name), "/dev/pts/%u", number);
		slave = CHECK_OK(open(name, O_RDWR | O_NOCTTY | O_NONBLOCK));
		stop = false;
		for (int i = 0; i < 3; i++)
			t[i] = storm_thread(terminal_user, NULL);
		usleep((useconds_t)storm_below(20000));
		close(storm_below(2) ? master : slave);
		usleep(2000);
		stop = true;
		for (int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		close(master);
		close(slave);
	}
}

TEST(terminals_hang_up)
{
	storm_leaves_nothing(terminal_body);
}
