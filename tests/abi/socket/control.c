/* SPDX-License-Identifier: MIT */
/* Control messages of AF_UNIX: SCM_RIGHTS in all its corners, SCM_CREDENTIALS; options; timeouts. */
#include "unix.h"

#include <grp.h>
#include <sys/resource.h>

union control {
	char bytes[512];
	struct cmsghdr align;
};

static ssize_t
send_control(int s, int type, const void *data, size_t size)
{
	union control control = { "" };
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(size) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	return sendmsg(s, &m, MSG_NOSIGNAL);
}

/* Receive one byte; how much room for control there is, and what came of it. */
static ssize_t
receive_control(int s, union control *control, size_t room, struct msghdr *m, int flags)
{
	static char byte;
	static struct iovec v;

	v = (struct iovec){ &byte, 1 };
	*m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? control : NULL,
			      .msg_controllen = room };
	return recvmsg(s, m, flags);
}

static void
pair(int type, int s[2])
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, s));
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(several_fds_in_one_message)
{
	int s[2], ends[2], fds[3], got[3];
	union control control;
	struct msghdr m;
	char b;

	pair(SOCK_STREAM, s);
	CHECK_OK(pipe(ends));
	memcpy(fds, (int[]){ ends[0], ends[1], s[0] }, sizeof(fds));
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, fds, sizeof(fds)), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	CHECK_EQ(m.msg_flags, 0);
	CHECK_EQ(m.msg_controllen, CMSG_SPACE(sizeof(fds)));
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(sizeof(fds)));
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	CHECK_EQ(write(got[1], "x", 1), 1);
	CHECK_EQ(read(got[0], &b, 1), 1);
	CHECK_EQ(write(got[2], "y", 1), 1);
	CHECK_EQ(read(s[1], &b, 1), 1);
}

TEST(fds_that_do_not_fit_are_closed)
{
	int s[2], ends[2], fds[2], before;
	union control control;
	struct msghdr m;
	char b;

	pair(SOCK_DGRAM, s);
	CHECK_OK(pipe(ends));
	memcpy(fds, (int[]){ s[0], ends[1] }, sizeof(fds));
	before = count_fds();
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, fds, sizeof(fds)), 1);
	CHECK_EQ(receive_control(s[1], &control, CMSG_LEN(sizeof(int)), &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(m.msg_controllen, CMSG_LEN(sizeof(int)));
	CHECK_EQ(count_fds(), before + 1);
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, fds, sizeof(fds)), 1);
	CHECK_EQ(receive_control(s[1], &control, 0, &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(count_fds(), before + 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &b, 1), 0);
}

TEST(fds_beyond_the_table_are_closed)
{
	int s[2], fds[2], before;
	union control control;
	struct msghdr m;
	struct rlimit limit = { 8, 8 };

	pair(SOCK_DGRAM, s);
	memcpy(fds, (int[]){ s[0], s[1] }, sizeof(fds));
	while (count_fds() < 8)
		CHECK_OK(dup(0));
	CHECK_OK(close(7));
	before = count_fds();
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, fds, sizeof(fds)), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(sizeof(int)));
	CHECK_EQ(count_fds(), before + 1);
}

TEST(peek_hands_out_copies_of_fds)
{
	int s[2], ends[2], fd, before;
	union control control;
	struct msghdr m;

	pair(SOCK_STREAM, s);
	CHECK_OK(pipe(ends));
	before = count_fds();
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, &ends[1], sizeof(int)), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, MSG_PEEK), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(count_fds(), before + 2);
}

TEST(stream_read_stops_behind_fds)
{
	int s[2], fd = 0;
	char b[8];

	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, &fd, sizeof(fd)), 1);
	CHECK_EQ(write(s[0], "z", 1), 1);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK_EQ(read(s[1], b, 8), 1);
}

TEST(malformed_control)
{
	int s[2], fd = 0, many[260] = { 0 };
	union control control = { "" };
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(4) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	pair(SOCK_STREAM, s);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = 8;
	CHECK_ERRNO(sendmsg(s[0], &m, 0), EINVAL);
	c->cmsg_len = CMSG_SPACE(4) + 1;
	CHECK_ERRNO(sendmsg(s[0], &m, 0), EINVAL);
	CHECK_ERRNO(send_control(s[0], 77, &fd, sizeof(fd)), EINVAL);
	CHECK_ERRNO(send_control(s[0], SCM_CREDENTIALS, &fd, sizeof(fd)), EINVAL);
	char *large = calloc(1, CMSG_SPACE(sizeof(many)));
	m.msg_control = large;
	m.msg_controllen = CMSG_SPACE(sizeof(many));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(254 * sizeof(int));
	CHECK_ERRNO(sendmsg(s[0], &m, 0), EINVAL);
	m.msg_control = check_bad_address();
	CHECK_ERRNO(sendmsg(s[0], &m, 0), EFAULT);
	/* Nothing of all that was sent. */
	CHECK_ERRNO(recv(s[1], &fd, 1, MSG_DONTWAIT), EAGAIN);
	/* A header of another level is passed over. */
	c->cmsg_level = 99;
	m.msg_control = large;
	m.msg_controllen = c->cmsg_len;
	CHECK_EQ(sendmsg(s[0], &m, 0), 1);
}

TEST(socket_inside_itself_is_collected)
{
	int s[2], ends[2];
	char b;

	/* s[1] waits in its own queue, with the only writer of a pipe. */
	pair(SOCK_STREAM, s);
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, (int[]){ s[1], ends[1] }, 2 * sizeof(int)), 1);
	CHECK_OK(close(ends[1]));
	CHECK_OK(close(s[1]));
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, (int[]){ s[0] }, sizeof(int)), 1);
	CHECK_OK(close(s[0]));
	/* Whatever closes next may find it. */
	pair(SOCK_STREAM, s);
	CHECK_OK(close(s[0]));
	CHECK_OK(close(s[1]));
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(read(ends[0], &b, 1), 0);
}

TEST(socket_in_flight_is_not_lost)
{
	int a[2], b[2], got;
	union control control;
	struct msghdr m;
	char c;

	/* b[1] is only in a's queue; b[0]'s bytes must be there when it is taken out. */
	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	CHECK_EQ(send_control(a[0], SCM_RIGHTS, &b[1], sizeof(int)), 1);
	CHECK_OK(close(b[1]));
	CHECK_EQ(write(b[0], "k", 1), 1);
	int other[2];
	pair(SOCK_STREAM, other);
	CHECK_OK(close(other[0]));
	CHECK_OK(close(other[1]));
	CHECK_EQ(receive_control(a[1], &control, sizeof(control), &m, 0), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	CHECK_EQ(read(got, &c, 1), 1);
	CHECK_EQ(c, 'k');
}

TEST(long_chain_of_sockets_closes)
{
	int s[2], next[2], ends[2];
	char b;

	TIMEOUT(30);
	CHECK_OK(pipe(ends));
	pair(SOCK_DGRAM, s);
	CHECK_EQ(send_control(s[0], SCM_RIGHTS, &ends[1], sizeof(int)), 1);
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < 200; i++) {
		pair(SOCK_DGRAM, next);
		CHECK_EQ(send_control(next[0], SCM_RIGHTS, &s[1], sizeof(int)), 1);
		CHECK_OK(close(s[0]));
		CHECK_OK(close(s[1]));
		s[0] = next[0];
		s[1] = next[1];
	}
	CHECK_OK(close(s[0]));
	CHECK_OK(close(s[1]));
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(read(ends[0], &b, 1), 0);
}

/* --- credentials -------------------------------------------------------------------------------- */

static struct ucred
credentials_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct ucred u;

	CHECK(c);
	CHECK_EQ(c->cmsg_type, SCM_CREDENTIALS);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(u)));
	memcpy(&u, CMSG_DATA(c), sizeof(u));
	return u;
}

TEST(passcred_tells_the_sender)
{
	int s[2], one = 1;
	union control control;
	struct msghdr m;
	struct ucred u;

	pair(SOCK_DGRAM, s);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_EQ(write(s[0], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	u = credentials_of(&m);
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(u.uid, CHECK_NOBODY);
	CHECK_EQ(u.gid, CHECK_NOBODY);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(receive_control(s[1], &control, 0, &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(receive_control(s[1], &control, CMSG_LEN(4), &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(4));
}

TEST(credentials_that_were_not_asked_for)
{
	int s[2], one = 1;
	union control control;
	struct msghdr m;
	struct ucred u;

	pair(SOCK_DGRAM, s);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	u = credentials_of(&m);
	CHECK_EQ(u.pid, 0);
	CHECK_EQ(u.uid, 65534);
	CHECK_EQ(u.gid, 65534);
}

TEST(false_credentials_need_privilege)
{
	int s[2], one = 1;
	union control control;
	struct msghdr m;
	struct ucred u = { getpid(), 123, 456 };

	pair(SOCK_STREAM, s);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CHECK_EQ(send_control(s[0], SCM_CREDENTIALS, &u, sizeof(u)), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	u = credentials_of(&m);
	CHECK_EQ(u.pid, getpid());
	CHECK_EQ(u.uid, 123);
	CHECK_EQ(u.gid, 456);
	u.pid = 4000000;
	CHECK_ERRNO(send_control(s[0], SCM_CREDENTIALS, &u, sizeof(u)), ESRCH);
	check_drop_root();
	u = (struct ucred){ getpid(), 0, CHECK_NOBODY };
	CHECK_ERRNO(send_control(s[0], SCM_CREDENTIALS, &u, sizeof(u)), EPERM);
	u = (struct ucred){ 1, CHECK_NOBODY, CHECK_NOBODY };
	CHECK_ERRNO(send_control(s[0], SCM_CREDENTIALS, &u, sizeof(u)), EPERM);
	u = (struct ucred){ getpid(), CHECK_NOBODY, CHECK_NOBODY };
	CHECK_EQ(send_control(s[0], SCM_CREDENTIALS, &u, sizeof(u)), 1);
}

TEST(stream_does_not_glue_two_senders)
{
	int s[2], one = 1;
	char b[8];

	pair(SOCK_STREAM, s);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(write(s[0], "ab", 2), 2);
		CHECK_EQ(write(s[0], "cd", 2), 2);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(write(s[0], "ef", 2), 2);
	CHECK_EQ(read(s[1], b, 8), 4);
	CHECK_EQ(read(s[1], b, 8), 2);
}

TEST(peercred_of_a_connection)
{
	int l = unix_server(SOCK_STREAM, "s", 5), c, a;
	struct ucred u;
	socklen_t size = sizeof(u);
	gid_t groups[4];

	CHECK_OK(getsockopt(unix_socket(SOCK_STREAM), SOL_SOCKET, SO_PEERCRED, &u, &size));
	CHECK_EQ(u.pid, 0);
	CHECK_EQ(u.uid, -1u);
	CHECK_OK(chmod("s", 0777));
	CHECK_OK(chmod(".", 0755));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setgroups(2, (gid_t[]){ 5, 7 }));
		CHECK_OK(setresgid(8, 8, 8));
		CHECK_OK(setresuid(9, 9, 9));
		c = unix_client(SOCK_STREAM, "s");
		CHECK_OK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &size));
		CHECK_EQ(u.pid, getppid());
		CHECK_EQ(u.uid, 0);
		pause();
	}
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &u, &size));
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(u.uid, 9);
	CHECK_EQ(u.gid, 8);
	size = sizeof(groups);
	CHECK_OK(getsockopt(a, SOL_SOCKET, 59 /* SO_PEERGROUPS */, groups, &size));
	CHECK_EQ(size, 2 * sizeof(gid_t));
	CHECK_EQ(groups[0], 5);
	CHECK_EQ(groups[1], 7);
	size = 4;
	CHECK_ERRNO(getsockopt(a, SOL_SOCKET, 59, groups, &size), ERANGE);
	CHECK_EQ(size, 8);
	check_sleep_ms(50);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
}

TEST(passcred_names_the_sender)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), c = unix_socket(SOCK_DGRAM), one = 1;
	struct sockaddr_un a;
	socklen_t size = sizeof(a);

	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	CHECK_OK(unix_connect(c, "r"));
	CHECK_OK(getsockname(c, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, 2 + 6);
	CHECK_OK(close(r));
}

/* --- options ------------------------------------------------------------------------------------ */

static int
option(int s, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_OK(getsockopt(s, SOL_SOCKET, name, &value, &size));
	CHECK_EQ(size, sizeof(value));
	return value;
}

static void
set_option(int s, int name, int value)
{
	CHECK_OK(setsockopt(s, SOL_SOCKET, name, &value, sizeof(value)));
}

TEST(buffer_sizes_are_doubled_and_bounded)
{
	int s = unix_socket(SOCK_STREAM);

	set_option(s, SO_SNDBUF, 10000);
	CHECK_EQ(option(s, SO_SNDBUF), 20000);
	set_option(s, SO_RCVBUF, 10000);
	CHECK_EQ(option(s, SO_RCVBUF), 20000);
	set_option(s, SO_SNDBUF, 1);
	CHECK_EQ(option(s, SO_SNDBUF), 4608);
	set_option(s, SO_RCVBUF, 1);
	CHECK_EQ(option(s, SO_RCVBUF), 2304);
}

TEST(option_errors)
{
	int s = unix_socket(SOCK_STREAM), value = 1;
	socklen_t size = sizeof(value);

	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, 9999, &value, sizeof(value)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, 6, 1, &value, sizeof(value)), EOPNOTSUPP);
	CHECK_ERRNO(getsockopt(s, 6, 1, &value, &size), EOPNOTSUPP);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_PASSCRED, &value, 3), EINVAL);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_PASSCRED, check_bad_address(), 4), EFAULT);
	CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, check_bad_address()), EFAULT);
	size = -1u;
	CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &size), EINVAL);
	size = 2;
	value = 0x77777777;
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &size));
	CHECK_EQ(value, 0x77770000 | SOCK_STREAM);
	CHECK_EQ(size, 2);
	CHECK_ERRNO(setsockopt(0, SOL_SOCKET, SO_PASSCRED, &value, 4), ENOTSOCK);
}

TEST(receive_timeout)
{
	int s[2];
	struct timeval tv = { .tv_usec = 40000 };
	socklen_t size = sizeof(tv);
	char b;

	pair(SOCK_STREAM, s);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &size));
	CHECK_EQ(size, sizeof(tv));
	CHECK_EQ(tv.tv_usec, 40000);
	long long start = check_now_ms();
	CHECK_ERRNO(read(s[0], &b, 1), EAGAIN);
	CHECK_RANGE(check_now_ms() - start, 25, 5000);
	tv.tv_usec = 1000000;
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 8), EINVAL);
}

static void
on_signal(int signo __attribute__((unused)))
{
}

TEST(signal_interrupts_a_timed_wait_for_good)
{
	int s[2];
	struct timeval tv = { .tv_sec = 8 };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	char b;

	pair(SOCK_STREAM, s);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	pid_t me = getpid(), pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(me, 0);
		kill(me, SIGUSR1);
		_exit(0);
	}
	CHECK_ERRNO(read(s[0], &b, 1), EINTR);
	CHECK_EXIT(pid, 0);
}

TEST(waitall_waits_for_all)
{
	int s[2];
	char b[8] = "";

	pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(20);
		CHECK_EQ(write(s[0], "cd", 2), 2);
		_exit(0);
	}
	CHECK_EQ(recv(s[1], b, 4, MSG_WAITALL), 4);
	CHECK_STR(b, "abcd");
	CHECK_EXIT(pid, 0);
	CHECK_EQ(write(s[0], "ef", 2), 2);
	CHECK_OK(close(s[0]));
	CHECK_EQ(recv(s[1], b, 4, MSG_WAITALL), 2);
}

TEST(timestamp_of_a_datagram)
{
	int s[2];
	union control control;
	struct msghdr m;
	struct timeval tv;
	struct timespec ts;
	time_t now = time(NULL);

	pair(SOCK_DGRAM, s);
	set_option(s[1], SO_TIMESTAMP, 1);
	CHECK_EQ(write(s[0], "x", 1), 1);
	set_option(s[1], SO_PASSCRED, 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	CHECK_EQ(m.msg_controllen, CMSG_SPACE(sizeof(tv)) + CMSG_SPACE(sizeof(struct ucred)));
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, SCM_TIMESTAMP);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(sizeof(tv)));
	memcpy(&tv, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(tv));
	CHECK_RANGE(tv.tv_sec, now, now + 10);
	CHECK_EQ(write(s[0], "x", 1), 1);
	set_option(s[1], SO_TIMESTAMPNS, 1);
	CHECK_EQ(option(s[1], SO_TIMESTAMP), 0);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, SCM_TIMESTAMPNS);
	memcpy(&ts, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(ts));
	CHECK_RANGE(ts.tv_sec, now, now + 10);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(receive_control(s[1], &control, 0, &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	set_option(s[1], SO_TIMESTAMPNS, 0);
	set_option(s[1], SO_PASSCRED, 0);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(receive_control(s[1], &control, sizeof(control), &m, 0), 1);
	CHECK_EQ(m.msg_controllen, 0);
	CHECK_EQ(m.msg_flags, 0);
}

TEST(broken_stream_sends_sigpipe)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_OK(close(s[1]));
	pid_t pid = check_fork();
	if (pid == 0) {
		write(s[0], "x", 1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGPIPE);
	pair(SOCK_SEQPACKET, s);
	CHECK_OK(close(s[1]));
	pid = check_fork();
	if (pid == 0) {
		CHECK_ERRNO(write(s[0], "x", 1), EPIPE);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(outq_and_inq)
{
	int s[2], n;

	pair(SOCK_STREAM, s);
	CHECK_OK(ioctl(s[0], TIOCOUTQ, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "de", 2), 2);
	CHECK_OK(ioctl(s[0], TIOCOUTQ, &n));
	CHECK_RANGE(n, 5, 100000);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 5);
	pair(SOCK_DGRAM, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "de", 2), 2);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_ERRNO(ioctl(s[1], 0x5401, &n), ENOTTY);
}

TEST(vector_reads_and_writes)
{
	int s[2];
	char a[3] = "", b[4] = "";
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } }, in[2] = { { a, 2 }, { b, 3 } };

	pair(SOCK_STREAM, s);
	CHECK_EQ(writev(s[0], out, 3), 5);
	CHECK_EQ(readv(s[1], in, 2), 5);
	CHECK_STR(a, "ab");
	CHECK_STR(b, "cde");
}
