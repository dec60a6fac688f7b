/* SPDX-License-Identifier: MIT */
/* AF_UNIX names and connections: bind, listen, connect, accept; unix(7). */
#include "../accepters.h"
#include "unix.h"

#include <sched.h>

TEST(connection_by_path)
{
	int l = unix_server(SOCK_STREAM, "s", 5), c, a;
	struct sockaddr_un un;
	socklen_t size = sizeof(un);
	struct stat st;
	char b[8] = "";

	CHECK_OK(lstat("s", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0755);
	c = unix_client(SOCK_STREAM, "s");
	CHECK_EQ(write(c, "early", 5), 5);
	a = CHECK_OK(accept(l, (struct sockaddr *)&un, &size));
	CHECK_EQ(size, sizeof(sa_family_t));
	CHECK_EQ(read(a, b, 8), 5);
	CHECK_STR(b, "early");
	CHECK_EQ(write(a, "reply", 5), 5);
	CHECK_EQ(read(c, b, 8), 5);
	CHECK_STR(b, "reply");
	size = sizeof(un);
	CHECK_OK(getsockname(a, (struct sockaddr *)&un, &size));
	CHECK_EQ(size, 4);
	CHECK_STR(un.sun_path, "s");
	size = sizeof(un);
	CHECK_OK(getpeername(c, (struct sockaddr *)&un, &size));
	CHECK_STR(un.sun_path, "s");
	size = sizeof(un);
	CHECK_OK(getpeername(a, (struct sockaddr *)&un, &size));
	CHECK_EQ(size, sizeof(sa_family_t));
}

TEST(connection_by_abstract_name)
{
	int l = unix_server(SOCK_STREAM, "@abi-names", 5), c, a, other;
	struct sockaddr_un un;
	socklen_t size = sizeof(un);
	char b[2];

	c = unix_client(SOCK_STREAM, "@abi-names");
	a = CHECK_OK(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(read(a, b, 1), EAGAIN);
	CHECK_OK(getpeername(c, (struct sockaddr *)&un, &size));
	CHECK_EQ(size, 2 + 10);
	CHECK_MEM(un.sun_path, "\0abi-names", 10);
	/* A name space for each type. */
	other = unix_server(SOCK_DGRAM, "@abi-names", 0);
	CHECK_OK(close(other));
	CHECK_ERRNO(unix_bind(unix_socket(SOCK_STREAM), "@abi-names"), EADDRINUSE);
	/* The name goes with the socket. */
	CHECK_OK(close(l));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "@abi-names"), ECONNREFUSED);
	CHECK_OK(unix_bind(unix_socket(SOCK_STREAM), "@abi-names"));
}

TEST(abstract_names_may_hold_zeros)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0abi\0x" };
	struct sockaddr_un b = { .sun_family = AF_UNIX, .sun_path = "\0abi\0y" };

	CHECK_OK(bind(unix_socket(SOCK_DGRAM), (struct sockaddr *)&a, 2 + 6));
	CHECK_OK(bind(unix_socket(SOCK_DGRAM), (struct sockaddr *)&b, 2 + 6));
	CHECK_OK(bind(unix_socket(SOCK_DGRAM), (struct sockaddr *)&b, 2 + 5));
	CHECK_ERRNO(bind(unix_socket(SOCK_DGRAM), (struct sockaddr *)&b, 2 + 6), EADDRINUSE);
}

TEST(bind_errors)
{
	int s = unix_socket(SOCK_STREAM);
	struct unix_name n = unix_name("s");
	struct stat st;

	CHECK_ERRNO(bind(s, (struct sockaddr *)&n.a, 1), EINVAL);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&n.a, -1), EINVAL);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&n.a, 111), EINVAL);
	CHECK_ERRNO(bind(s, check_bad_address(), 4), EFAULT);
	n.a.sun_family = AF_INET;
	CHECK_ERRNO(bind(s, (struct sockaddr *)&n.a, n.size), EINVAL);
	CHECK_ERRNO(unix_bind(s, "no/such"), ENOENT);
	check_write_file("f", "", 0);
	CHECK_ERRNO(unix_bind(s, "f"), EADDRINUSE);
	CHECK_ERRNO(unix_bind(s, "f/x"), ENOTDIR);
	CHECK_ERRNO(bind(1, (struct sockaddr *)&n.a, n.size), ENOTSOCK);
	CHECK_OK(unix_bind(s, "s"));
	CHECK_ERRNO(unix_bind(s, "s"), EADDRINUSE);
	CHECK_ERRNO(unix_bind(s, "t"), EINVAL);
	CHECK_ERRNO(lstat("t", &st), ENOENT);
	CHECK_ERRNO(unix_bind(s, "@abi-t"), EINVAL);
}

TEST(bind_obeys_umask_and_directory)
{
	struct stat st;

	umask(077);
	CHECK_OK(unix_bind(unix_socket(SOCK_STREAM), "s"));
	CHECK_OK(lstat("s", &st));
	CHECK_EQ(st.st_mode & 07777, 0700);
	CHECK_OK(mkdir("d", 0755));
	check_drop_root();
	CHECK_ERRNO(unix_bind(unix_socket(SOCK_STREAM), "d/s"), EACCES);
}

TEST(connect_needs_write_permission)
{
	int l = unix_server(SOCK_STREAM, "s", 5), c;

	CHECK_OK(chmod(".", 0755));
	CHECK_OK(chmod("s", 0755));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "s"), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(chmod("s", 0722));
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		c = unix_client(SOCK_STREAM, "s");
		CHECK_OK(close(c));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(accept(l, NULL, NULL));
}

TEST(connect_errors)
{
	int l = unix_socket(SOCK_STREAM), c = unix_socket(SOCK_STREAM);
	struct unix_name n = unix_name("s");

	CHECK_ERRNO(unix_connect(c, "s"), ENOENT);
	CHECK_OK(unix_bind(l, "s"));
	CHECK_ERRNO(unix_connect(c, "s"), ECONNREFUSED); /* not listening */
	CHECK_OK(listen(l, 1));
	CHECK_ERRNO(connect(c, (struct sockaddr *)&n.a, 1), EINVAL);
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_DGRAM), "s"), EPROTOTYPE);
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_SEQPACKET), "s"), EPROTOTYPE);
	CHECK_ERRNO(unix_connect(c, "@abi-nobody"), ECONNREFUSED);
	CHECK_OK(unix_connect(c, "s"));
	CHECK_ERRNO(unix_connect(c, "s"), EISCONN);
	CHECK_ERRNO(unix_connect(l, "s"), EINVAL);
	check_write_file("f", "", 0);
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "f"), ECONNREFUSED);
	CHECK_OK(symlink("s", "link"));
	CHECK_OK(unix_connect(unix_socket(SOCK_STREAM), "link"));
	CHECK_OK(close(l));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "s"), ECONNREFUSED);
	CHECK_OK(unlink("s"));
}

TEST(renamed_socket_is_found_by_its_new_name)
{
	int l = unix_server(SOCK_STREAM, "s", 5);

	CHECK_OK(rename("s", "t"));
	unix_client(SOCK_STREAM, "t");
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(unlink("t"));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "t"), ENOENT);
	CHECK_ERRNO(open("t", O_RDWR), ENOENT);
	CHECK_OK(unix_bind(unix_socket(SOCK_STREAM), "s"));
	CHECK_ERRNO(open("s", O_RDWR), ENXIO);
}

TEST(path_may_fill_the_address)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = unix_socket(SOCK_DGRAM);
	struct stat st;
	char name[109] = "";
	struct sockaddr_storage got;
	socklen_t size = sizeof(got);

	memset(a.sun_path, 'x', sizeof(a.sun_path));
	memcpy(name, a.sun_path, 108);
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(lstat(name, &st));
	CHECK_OK(getsockname(s, (struct sockaddr *)&got, &size));
	CHECK_EQ(size, 2 + 109);
}

/* A socket stays where it was made, wherever its program goes. */
TEST(abstract_names_are_those_of_the_sockets_network)
{
	int l = unix_server(SOCK_STREAM, "@here", 5), d = unix_server(SOCK_DGRAM, "@here", 0);
	int c = unix_socket(SOCK_STREAM), s = unix_socket(SOCK_DGRAM);
	struct unix_name n = unix_name("@here");

	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "@here"), ECONNREFUSED);
	CHECK_OK(unix_connect(c, "@here"));
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&n.a, n.size), 1);
	CHECK_EQ(read(d, n.a.sun_path, 2), 1);
	/* What is bound there now is bound here. */
	CHECK_OK(unix_bind(s, "@late"));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_DGRAM), "@late"), ECONNREFUSED);
	CHECK_OK(unix_connect(d, "@late"));
}

TEST(autobind_gives_an_abstract_name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(a);
	int s = unix_socket(SOCK_STREAM);

	CHECK_OK(bind(s, (struct sockaddr *)&a, 2));
	CHECK_OK(bind(s, (struct sockaddr *)&a, 2));
	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, 2 + 6);
	CHECK_EQ(a.sun_path[0], 0);
	CHECK_EQ(strspn(a.sun_path + 1, "0123456789abcdef"), 5);
	CHECK_OK(listen(s, 1));
	CHECK_OK(connect(unix_socket(SOCK_STREAM), (struct sockaddr *)&a, size));
}

TEST(listen_errors)
{
	int s[2];

	CHECK_ERRNO(listen(unix_socket(SOCK_STREAM), 1), EINVAL);
	CHECK_ERRNO(listen(unix_server(SOCK_DGRAM, "d", 0), 1), EOPNOTSUPP);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_ERRNO(listen(s[0], 1), EINVAL);
	CHECK_ERRNO(accept(s[0], NULL, NULL), EINVAL);
	CHECK_ERRNO(accept(unix_socket(SOCK_DGRAM), NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(accept(0, NULL, NULL), ENOTSOCK);
	CHECK_ERRNO(accept4(s[0], NULL, NULL, 1), EINVAL);
}

TEST(backlog_bounds_connections)
{
	int l = unix_server(SOCK_STREAM | SOCK_NONBLOCK, "s", 1), c;

	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	unix_client(SOCK_STREAM, "s");
	unix_client(SOCK_STREAM, "s");
	c = unix_socket(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_ERRNO(unix_connect(c, "s"), EAGAIN);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(unix_connect(c, "s"));
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
}

TEST(connect_waits_for_room_in_the_backlog)
{
	int l = unix_server(SOCK_STREAM, "s", 0);
	struct timeval tv = { .tv_usec = 50000 };

	unix_client(SOCK_STREAM, "s");
	int c = unix_socket(SOCK_STREAM);
	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	long long start = check_now_ms();
	CHECK_ERRNO(unix_connect(c, "s"), EAGAIN);
	CHECK_RANGE(check_now_ms() - start, 35, 5000);
	pid_t pid = check_fork();
	if (pid == 0) {
		unix_client(SOCK_STREAM, "s");
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_EXIT(pid, 0);
}

TEST(accept_waits_and_times_out)
{
	int l = unix_server(SOCK_STREAM, "s", 5);
	struct timeval tv = { .tv_usec = 30000 };

	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(accept(l, NULL, NULL));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	unix_client(SOCK_STREAM, "s");
	CHECK_EXIT(pid, 0);
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	long long start = check_now_ms();
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_RANGE(check_now_ms() - start, 15, 5000);
}

TEST(connection_wakes_one_of_those_who_accept)
{
	TIMEOUT(60);
	check_one_is_woken(unix_server(SOCK_STREAM, "s", 16));
}

TEST(connection_is_not_lost_by_who_is_interrupted)
{
	TIMEOUT(60);
	check_none_is_lost(unix_server(SOCK_SEQPACKET, "s", 16));
}

TEST(listener_is_readable_when_somebody_waits)
{
	int l = unix_server(SOCK_STREAM, "s", 5), e = CHECK_OK(epoll_create1(0)), n, value;
	struct epoll_event ev = { .events = EPOLLIN };
	socklen_t size = sizeof(value);

	CHECK_EQ(unix_poll(l, POLLIN | POLLOUT), 0);
	CHECK_OK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev));
	CHECK_EQ(epoll_wait(e, &ev, 1, 0), 0);
	unix_client(SOCK_STREAM, "s");
	CHECK_EQ(epoll_wait(e, &ev, 1, 8000), 1);
	CHECK_EQ(ev.events, EPOLLIN);
	CHECK_EQ(unix_poll(l, POLLIN | POLLOUT), POLLIN);
	CHECK_OK(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
	CHECK_EQ(value, 1);
	CHECK_ERRNO(ioctl(l, FIONREAD, &n), EINVAL);
	CHECK_ERRNO(read(l, &n, 1), EINVAL);
	CHECK_ERRNO(write(l, &n, 1), ENOTCONN);
}

TEST(closing_a_listener_resets_who_waits)
{
	int l = unix_server(SOCK_STREAM, "s", 5), c = unix_client(SOCK_STREAM, "s");
	char b;

	CHECK_OK(close(l));
	CHECK_EQ(unix_poll(c, POLLIN) & (POLLHUP | POLLERR), POLLHUP | POLLERR);
	CHECK_ERRNO(read(c, &b, 1), ECONNRESET);
	CHECK_EQ(read(c, &b, 1), 0);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(shut_listener_refuses)
{
	int l = unix_server(SOCK_STREAM, "s", 5);

	CHECK_OK(shutdown(l, SHUT_RD));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_STREAM), "s"), ECONNREFUSED);
	CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
}

TEST(unconnected_stream)
{
	int s = unix_socket(SOCK_STREAM);
	struct sockaddr_un a;
	struct unix_name n = unix_name("s");
	socklen_t size = sizeof(a);
	char b;

	CHECK_ERRNO(send(s, "x", 1, 0), ENOTCONN);
	CHECK_ERRNO(recv(s, &b, 1, 0), EINVAL);
	CHECK_ERRNO(recv(unix_socket(SOCK_SEQPACKET), &b, 1, 0), ENOTCONN);
	CHECK_ERRNO(getpeername(s, (struct sockaddr *)&a, &size), ENOTCONN);
	CHECK_EQ(unix_poll(s, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&n.a, n.size), EOPNOTSUPP);
	CHECK_OK(shutdown(s, SHUT_RD));
}

TEST(accept_with_a_short_or_bad_address)
{
	int l = unix_server(SOCK_STREAM, "s", 5), c = unix_socket(SOCK_STREAM);
	struct sockaddr_un a;
	socklen_t size = 3;

	CHECK_OK(unix_bind(c, "client"));
	CHECK_OK(unix_connect(c, "s"));
	memset(&a, 7, sizeof(a));
	CHECK_OK(accept(l, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, 2 + 7);
	CHECK_EQ(a.sun_path[0], 'c');
	CHECK_EQ(a.sun_path[1], 7);
	unix_client(SOCK_STREAM, "s");
	CHECK_ERRNO(accept(l, (struct sockaddr *)&a, check_bad_address()), EFAULT);
}

TEST(other_families_and_types)
{
	CHECK_ERRNO(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 12, 0), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0), EINVAL);
	int s = CHECK_OK(socket(AF_UNIX, SOCK_RAW, AF_UNIX)), type;
	socklen_t size = sizeof(type);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &size));
	CHECK_EQ(type, SOCK_DGRAM);
}

TEST(seqpacket_connection)
{
	int l = unix_server(SOCK_SEQPACKET, "s", 5), c = unix_client(SOCK_SEQPACKET, "s"), a;
	char b[8];

	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(write(c, "one", 3), 3);
	CHECK_EQ(write(c, "three", 5), 5);
	CHECK_EQ(read(a, b, 2), 2);
	CHECK_MEM(b, "on", 2);
	CHECK_EQ(recv(a, b, 8, MSG_PEEK), 5);
	CHECK_EQ(read(a, b, 8), 5);
	CHECK_OK(close(c));
	CHECK_EQ(recv(a, b, 8, MSG_DONTWAIT), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(a, "x", 1), EPIPE);
}

TEST(end_with_unread_data_resets_the_peer)
{
	int s[2], error;
	socklen_t size = sizeof(error);
	char b;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(write(s[0], "unread", 6), 6);
	CHECK_EQ(write(s[1], "kept", 4), 4);
	CHECK_OK(close(s[1]));
	CHECK_EQ(read(s[0], &b, 1), 1);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &size));
	CHECK_EQ(error, ECONNRESET);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &size));
	CHECK_EQ(error, 0);
	CHECK_EQ(read(s[0], &b, 1), 1);
}

/* The line of /proc/net/unix about the socket of this fd: flags, type, state and name. */
static void
check_line(int s, unsigned int flags, unsigned int type, unsigned int state, const char *name)
{
	struct stat st;
	char line[256], got[128];
	unsigned int f, t, n;
	unsigned long inode;
	FILE *file = fopen("/proc/net/unix", "r");

	CHECK_OK(fstat(s, &st));
	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		got[0] = '\0';
		if (sscanf(line, "%*x: %*x %*x %x %x %x %lu %127s", &f, &t, &n, &inode, got) < 4 ||
		    inode != st.st_ino)
			continue;
		fclose(file);
		CHECK_EQ(f, flags);
		CHECK_EQ(t, type);
		CHECK_EQ(n, state);
		CHECK_STR(got, name);
		return;
	}
	FAIL("no line about inode %lu", (unsigned long)st.st_ino);
}

TEST(sockets_are_listed_in_proc)
{
	int l = unix_server(SOCK_STREAM, "s", 1), c = unix_client(SOCK_STREAM, "s");

	check_line(l, 0x10000, SOCK_STREAM, 1, "s");
	check_line(c, 0, SOCK_STREAM, 3, "");
	check_line(CHECK_OK(accept(l, NULL, NULL)), 0, SOCK_STREAM, 3, "s");
	check_line(unix_server(SOCK_DGRAM, "@abi-listed", 0), 0, SOCK_DGRAM, 1, "@abi-listed");
}
