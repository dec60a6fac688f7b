/* SPDX-License-Identifier: MIT */
/*
 * channels.c - failing allocations below pipes, sockets, terminals and what is polled.
 */
#include "fail_nth.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

SCENARIO(pipes)
{
	static char block[60000], back[60000];
	size_t in = 0, out = 0;
	int p[2];

	OK(pipe2(p, O_NONBLOCK));
	memset(block, 'p', sizeof(block));
	while (in < sizeof(block)) {
		ssize_t n = OK(write(p[1], block + in, sizeof(block) - in));

		CHECK(n > 0);
		in += (size_t)n;
	}
	while (out < in) {
		ssize_t n = OK(read(p[0], back + out, sizeof(back) - out));

		CHECK(n > 0);
		out += (size_t)n;
	}
	CHECK_MEM(back, block, sizeof(block));
	OK(fcntl(p[1], F_SETPIPE_SZ, 200000));
	close(p[0]);
	close(p[1]);
}

SCENARIO(pipe_of_memory)
{
	static char block[8192] __attribute__((aligned(4096)));
	struct iovec v = { block, sizeof(block) };
	int p[2], q[2];

	OK(pipe2(p, O_NONBLOCK));
	OK(pipe2(q, O_NONBLOCK));
	CHECK(OK(vmsplice(p[1], &v, 1, 0)) > 0);
	CHECK(OK(tee(p[0], q[1], 4096, 0)) > 0);
	CHECK(OK(splice(p[0], NULL, q[1], NULL, 8192, 0)) > 0);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

SCENARIO(fifos)
{
	int fd;

	OK(mkfifo("fifo", 0600));
	fd = OK(open("fifo", O_RDWR | O_NONBLOCK));
	CHECK_EQ(OK(write(fd, "f", 1)), 1);
	close(fd);
	OK(unlink("fifo"));
}

SCENARIO(epoll)
{
	int ep = OK(epoll_create1(0)), outer = OK(epoll_create1(0)), fd[10];
	struct epoll_event e = { .events = EPOLLIN }, got[10];

	for (int i = 0; i < 10; i++) {
		fd[i] = OK(eventfd(i % 2, EFD_NONBLOCK));
		e.data.fd = fd[i];
		OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e));
	}
	OK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
	CHECK_EQ(OK(epoll_wait(outer, got, 10, 0)), 1);
	CHECK_EQ(OK(epoll_wait(ep, got, 10, 0)), 5);
	e.events = EPOLLIN | EPOLLET;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &e));
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd[3], NULL));
	CHECK_EQ(OK(epoll_wait(ep, got, 10, 0)), 4);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	close(outer);
	close(ep);
}

/*
 * More pipes than the slabs in hand have room for: somewhere in the row it is the page for a new slab that is
 * refused, which a single object meets by chance alone.
 */
SCENARIO(slabs_grow)
{
	int fd[80][2];

	for (int i = 0; i < 80; i++)
		OK(pipe(fd[i]));
	for (int i = 0; i < 80; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

SCENARIO(poll_many)
{
	struct pollfd p[80];
	fd_set set;
	int fd = CHECK_OK(eventfd(0, 0));
	struct timeval soon = { 0, 1000 };

	for (int i = 0; i < 80; i++)
		p[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK_EQ(OK(poll(p, 80, 1)), 0);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	CHECK_EQ(OK(select(300, &set, NULL, NULL, &soon)), 0);
	close(fd);
}

SCENARIO(event_files)
{
	int e = OK(eventfd(3, 0)), t = OK(timerfd_create(CLOCK_MONOTONIC, 0)), s;
	struct itimerspec in = { .it_value = { .tv_nsec = 1000000 } };
	sigset_t set;
	uint64_t n;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	s = OK(signalfd(-1, &set, SFD_NONBLOCK));
	OK(timerfd_settime(t, 0, &in, NULL));
	CHECK_EQ(OK(read(t, &n, 8)), 8);
	CHECK_EQ(OK(read(e, &n, 8)), 8);
	CHECK_EQ(n, 3);
	close(s);
	close(t);
	close(e);
}

/* One byte and the descriptor. */
static ssize_t
send_fd(int to, int fd)
{
	char byte = 'r', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(to, &m, MSG_DONTWAIT);
}

/* The bytes received; *fd -1: none came. */
static ssize_t
receive_fd(int from, int *fd)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(from, &m, MSG_DONTWAIT);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*fd = -1;
	if (n > 0 && c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n;
}

SCENARIO(rights_travel)
{
	int pair[2], fd, back;
	bool injected;
	ssize_t n;

	/* A close of any socket takes the knot of the run before away: we are the first again to send. */
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	close(pair[0]);
	close(pair[1]);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = CHECK_OK(eventfd(5, 0));
	CHECK_EQ(OK(send_fd(pair[0], fd)), 1);
	close(fd);
	fail_begin();
	n = receive_fd(pair[1], &back);
	injected = fail_end();
	if (n == 1 && back < 0)
		CHECK(injected); /* the byte came, the descriptor had no room */
	else if (n < 0)
		fail_verdict(__FILE__, __LINE__, "recvmsg", injected, errno);
	if (back >= 0)
		close(back);
	/* A descriptor that nobody fetches goes with its socket. */
	fd = CHECK_OK(eventfd(5, 0));
	CHECK_EQ(OK(send_fd(pair[1], fd)), 1);
	CHECK_EQ(OK(send_fd(pair[0], pair[1])), 1);
	close(fd);
	MUST(close(pair[0]));
	MUST(close(pair[1]));
}

SCENARIO(datagrams)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), b = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	char text[8000];

	strcpy(name.sun_path + 1, "fail-nth");
	OK(bind(b, (void *)&name, sizeof(name)));
	memset(text, 'd', sizeof(text));
	CHECK_EQ(OK(sendto(a, text, sizeof(text), 0, (void *)&name, sizeof(name))), 8000);
	OK(connect(a, (void *)&name, sizeof(name)));
	CHECK_EQ(OK(send(a, text, 100, 0)), 100);
	CHECK_EQ(OK(recv(b, text, sizeof(text), 0)), 8000);
	CHECK_EQ(OK(recv(b, text, sizeof(text), 0)), 100);
	close(a);
	close(b);
}

SCENARIO(connections)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int l = OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = OK(socket(AF_UNIX, SOCK_STREAM, 0)), s;
	int buffer = 100000;
	char text[100];

	OK(bind(l, (void *)&name, sizeof(name)));
	OK(listen(l, 5));
	OK(connect(c, (void *)&name, sizeof(name)));
	s = OK(accept4(l, NULL, NULL, SOCK_CLOEXEC));
	CHECK_EQ(OK(send(c, "hello", 5, 0)), 5);
	CHECK_EQ(OK(recv(s, text, sizeof(text), 0)), 5);
	OK(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)));
	OK(shutdown(s, SHUT_WR));
	close(s);
	close(c);
	close(l);
	OK(unlink("socket"));
}

SCENARIO(names_are_given)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	OK(bind(a, (void *)&name, sizeof(name.sun_family)));
	close(a);
}

SCENARIO(large_messages)
{
	static char block[150000];
	int pair[2], size = 400000;

	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	/* Present, or the message would be lost with the page that cannot be brought in. */
	memset(block, 1, sizeof(block));
	CHECK_EQ(OK(send(pair[0], block, sizeof(block), 0)), 150000);
	CHECK_EQ(OK(recv(pair[1], block, sizeof(block), 0)), 150000);
	close(pair[0]);
	close(pair[1]);
}

SCENARIO(rights_are_peeked_at)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int pair[2], fd;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(send_fd(pair[0], pair[1]), 1);
	CHECK_EQ(OK(recvmsg(pair[1], &m, MSG_PEEK)), 1);
	CHECK_EQ(receive_fd(pair[1], &fd), 1);
	close(pair[0]);
	close(pair[1]);
}

SCENARIO(signals_as_files)
{
	int ep = OK(epoll_create1(0)), s;
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	s = OK(signalfd(-1, &set, SFD_NONBLOCK));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	CHECK_EQ(OK(epoll_wait(ep, &e, 1, 0)), 0);
	close(ep);
	close(s);
}

SCENARIO(owners)
{
	int pair[2];

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	OK(fcntl(pair[0], F_SETOWN, getpid()));
	OK(fcntl(pair[0], F_SETSIG, SIGUSR1));
	CHECK_EQ(OK(fcntl(pair[0], F_GETOWN)), getpid());
	close(pair[0]);
	close(pair[1]);
}

SCENARIO(terminals)
{
	int master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), slave, zero = 0;
	char text[100];
	unsigned int number = 0;

	OK(ioctl(master, TIOCSPTLCK, &zero));
	OK(ioctl(master, TIOCGPTN, &number));
	snprintf(text, sizeof(text), "/dev/pts/%u", number);
	slave = OK(open(text, O_RDWR | O_NOCTTY));
	CHECK_EQ(OK(write(master, "line\n", 5)), 5);
	CHECK_EQ(OK(read(slave, text, sizeof(text))), 5);
	CHECK_EQ(OK(write(slave, "out", 3)), 3);
	close(slave);
	close(master);
}
