/* SPDX-License-Identifier: MIT */
/* socketpair(AF_UNIX): streams, datagrams, passing fds and credentials. */
#include "../check.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void
pair(int type, int s[2])
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, s));
}

/* Send one byte and an fd along. */
static ssize_t
send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = "";
	struct iovec v = { "f", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(socket, &m, 0);
}

static int
receive_fd(int socket, int flags)
{
	char control[CMSG_SPACE(4 * sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(socket, &m, flags), 1);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	CHECK(c);
	CHECK_EQ(c->cmsg_level, SOL_SOCKET);
	CHECK_EQ(c->cmsg_type, SCM_RIGHTS);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

TEST(stream_goes_both_ways)
{
	int s[2];
	char b[8] = "";

	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK_EQ(read(s[1], b, 4), 4);
	CHECK_STR(b, "abcd");
	CHECK_EQ(write(s[1], "xyz", 3), 3);
	CHECK_EQ(read(s[0], b, 8), 3);
	CHECK_EQ(read(s[1], b, 8), 2);
}

TEST(stream_end_of_file_and_epipe)
{
	int s[2];
	char c;

	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_OK(close(s[0]));
	CHECK_EQ(read(s[1], &c, 1), 1);
	CHECK_EQ(read(s[1], &c, 1), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(s[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(datagrams_keep_their_bounds)
{
	int s[2];
	char b[16];

	pair(SOCK_DGRAM, s);
	CHECK_EQ(send(s[0], "one", 3, 0), 3);
	CHECK_EQ(send(s[0], "", 0, 0), 0);
	CHECK_EQ(send(s[0], "three", 5, 0), 5);
	CHECK_EQ(recv(s[1], b, 16, 0), 3);
	CHECK_EQ(recv(s[1], b, 16, 0), 0);
	CHECK_EQ(recv(s[1], b, 2, MSG_TRUNC), 5);
	CHECK_MEM(b, "th", 2);
	CHECK_ERRNO(recv(s[1], b, 16, MSG_DONTWAIT), EAGAIN);
}

TEST(seqpackets_keep_bounds_and_end)
{
	int s[2];
	char b[16];

	pair(SOCK_SEQPACKET, s);
	CHECK_EQ(send(s[0], "one", 3, 0), 3);
	CHECK_EQ(send(s[0], "two!", 4, 0), 4);
	CHECK_EQ(recv(s[1], b, 16, 0), 3);
	CHECK_EQ(recv(s[1], b, 16, 0), 4);
	CHECK_OK(close(s[0]));
	CHECK_EQ(recv(s[1], b, 16, 0), 0);
}

TEST(flags_and_errors)
{
	int s[2];
	char c;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
	CHECK_EQ(fcntl(s[0], F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(read(s[0], &c, 1), EAGAIN);
	CHECK_ERRNO(socketpair(AF_UNIX, 77, 0, s), EINVAL);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 77, s), EPROTONOSUPPORT);
	CHECK_ERRNO(socketpair(99, SOCK_STREAM, 0, s), EAFNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, check_bad_address()), EFAULT);
	int ends[2];
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(send(ends[1], "x", 1, 0), ENOTSOCK);
	CHECK_ERRNO(send(200, "x", 1, 0), EBADF);
	CHECK_ERRNO(lseek(s[0], 0, SEEK_SET), ESPIPE);
}

TEST(peek_leaves_the_data)
{
	int s[2], n;
	char b[4];

	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_EQ(recv(s[1], b, 4, MSG_WAITALL | MSG_DONTWAIT), 3);
	CHECK_MEM(b, "abc", 3);
}

/* Each byte once, over the bounds of what was sent; MSG_WAITALL does not wait for more than there is. */
TEST(peek_goes_to_the_end_and_no_further)
{
	size_t size = 100000;
	char *sent = malloc(size), *got = calloc(1, 2 * size);
	int s[2];

	CHECK(sent && got);
	for (size_t i = 0; i < size; i++)
		sent[i] = (char)(i % 251);
	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], sent, 5), 5);
	CHECK_EQ(write(s[0], sent + 5, 1), 1);
	CHECK_EQ(write(s[0], sent + 6, size - 6), size - 6);
	CHECK_EQ(read(s[1], got, 2), 2);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(recv(s[1], got, 2 * size, MSG_PEEK | MSG_WAITALL), size - 2);
		CHECK_MEM(got, sent + 2, size - 2);
		CHECK_EQ(recv(s[1], got, 40000, MSG_PEEK | MSG_WAITALL), 40000);
		CHECK_MEM(got, sent + 2, 40000);
	}
	CHECK_EQ(recv(s[1], got, size - 2, MSG_WAITALL), size - 2);
	CHECK_MEM(got, sent + 2, size - 2);
}

TEST(peek_waits_for_something_and_not_for_all)
{
	char b[8] = "";
	int s[2];
	pid_t pid;

	pair(SOCK_STREAM, s);
	pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(recv(s[1], b, 8, MSG_PEEK | MSG_WAITALL), 3);
		CHECK_STR(b, "abc");
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK | MSG_WAITALL), 6);
	CHECK_STR(b, "abcdef");
}

TEST(shutdown_of_each_direction)
{
	int s[2];
	char c;

	pair(SOCK_STREAM, s);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(read(s[1], &c, 1), 0);
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(s[1], "y", 1), 1);
	CHECK_EQ(read(s[0], &c, 1), 1);
	CHECK_ERRNO(shutdown(s[0], 77), EINVAL);
	CHECK_OK(shutdown(s[0], SHUT_RDWR));
	struct pollfd p = { .fd = s[1], .events = POLLIN | POLLRDHUP };
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents & (POLLHUP | POLLRDHUP), POLLHUP | POLLRDHUP);
}

TEST(poll_states_of_a_stream)
{
	int s[2];

	pair(SOCK_STREAM, s);
	struct pollfd p = { .fd = s[0], .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_OK(close(s[1]));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents & (POLLIN | POLLHUP), POLLIN | POLLHUP);
}

TEST(full_stream_blocks_and_wakes)
{
	static char block[65536];
	int s[2];
	size_t total = 0;
	ssize_t n;

	pair(SOCK_STREAM | SOCK_NONBLOCK, s);
	while ((n = write(s[0], block, sizeof(block))) > 0)
		total += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(total >= 65536);
	struct pollfd p = { .fd = s[0], .events = POLLOUT };
	CHECK_EQ(poll(&p, 1, 0), 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		size_t got = 0;
		check_sleep_ms(20);
		while (got < total)
			got += (size_t)CHECK_OK(read(s[1], block, sizeof(block)));
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EXIT(pid, 0);
}

TEST(stream_carries_a_megabyte)
{
	enum { SIZE = 1 << 20 };
	static unsigned char data[SIZE];
	int s[2];

	pair(SOCK_STREAM, s);
	for (int i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 13 + i / 255);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_write_all(s[0], data, SIZE);
		_exit(0);
	}
	static unsigned char got[SIZE];
	check_read_all(s[1], got, SIZE);
	CHECK_MEM(got, data, SIZE);
	CHECK_EXIT(pid, 0);
}

TEST(fd_passes_to_another_process)
{
	int s[2];
	char b[8] = "";

	pair(SOCK_STREAM, s);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_write_file("f", "passed", 6);
		int fd = CHECK_OK(open("f", O_RDONLY));
		CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
		CHECK_EQ(send_fd(s[0], fd), 1);
		_exit(0);
	}
	int fd = receive_fd(s[1], 0);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(read(fd, b, 8), 4);
	CHECK_STR(b, "ssed");
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(fd_received_with_cmsg_cloexec)
{
	int s[2];

	pair(SOCK_DGRAM, s);
	CHECK_EQ(send_fd(s[0], 0), 1);
	int fd = receive_fd(s[1], MSG_CMSG_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(fd_in_flight_stays_open)
{
	int s[2], ends[2];
	char c;

	pair(SOCK_STREAM, s);
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_fd(s[0], ends[1]), 1);
	CHECK_OK(close(ends[1]));
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(ends[0], &c, 1), EAGAIN);
	int fd = receive_fd(s[1], 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(send_fd(s[0], fd), 1);
	CHECK_OK(close(fd));
	/* Never received: gone with the socket. */
	CHECK_OK(close(s[0]));
	CHECK_OK(close(s[1]));
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

TEST(passing_a_closed_fd_is_ebadf)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_ERRNO(send_fd(s[0], 200), EBADF);
	CHECK_ERRNO(send_fd(s[0], -1), EBADF);
}

TEST(read_drops_passed_fds)
{
	int s[2], ends[2];
	char c;

	pair(SOCK_STREAM, s);
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_fd(s[0], ends[1]), 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(s[1], &c, 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

TEST(peer_credentials)
{
	int s[2];
	struct ucred cred;
	socklen_t size = sizeof(cred);

	pair(SOCK_STREAM, s);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &size));
	CHECK_EQ(cred.pid, getpid());
	CHECK_EQ(cred.uid, 0);
	CHECK_EQ(cred.gid, 0);
}

TEST(socket_options)
{
	int s[2], value = 77;
	socklen_t size = sizeof(value);

	pair(SOCK_STREAM, s);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &size));
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &value, &size));
	CHECK_EQ(value, 0);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
	CHECK_EQ(value, AF_UNIX);
	CHECK_ERRNO(getsockopt(s[0], SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
	struct sockaddr_un a;
	size = sizeof(a);
	CHECK_OK(getsockname(s[0], (struct sockaddr *)&a, &size));
	CHECK_EQ(a.sun_family, AF_UNIX);
	CHECK_EQ(size, sizeof(sa_family_t));
}

TEST(stat_of_a_socket)
{
	int s[2];
	struct stat st;
	char path[40], target[64];

	pair(SOCK_STREAM, s);
	CHECK_OK(fstat(s[0], &st));
	CHECK(S_ISSOCK(st.st_mode));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s[0]);
	ssize_t n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK(!strncmp(target, "socket:[", 8));
	CHECK_ERRNO(open(path, O_RDWR), ENXIO);
}
