/* SPDX-License-Identifier: MIT */
/* Bytes out of band on AF_UNIX streams (MSG_OOB, SO_OOBINLINE, SIOCATMARK, SIGURG), and SO_PEEK_OFF of all kinds. */
#include "unix.h"

#include <linux/sockios.h>

#define UNIX_FILE 0x89e0 /* SIOCUNIXFILE */

static void
pair(int type, int s[2])
{
	CHECK_OK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s));
}

static void
set(int s, int option, int value)
{
	CHECK_OK(setsockopt(s, SOL_SOCKET, option, &value, sizeof(value)));
}

static int
peek_offset(int s)
{
	int value = -99;
	socklen_t size = sizeof(value);

	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &value, &size));
	CHECK_EQ(size, sizeof(value));
	return value;
}

/* What a receive of up to 99 bytes gives, as a string; "-" when there is nothing now. */
static const char *
get(int s, int flags)
{
	static char b[100];
	ssize_t n = recv(s, b, sizeof(b) - 1, flags);

	if (n < 0 && errno == EAGAIN)
		return "-";
	CHECK_OK(n);
	b[n] = '\0';
	return b;
}

static int
at_mark(int s)
{
	int mark = -1;

	CHECK_OK(ioctl(s, SIOCATMARK, &mark));
	return mark;
}

static int
queued(int s)
{
	int n = -1;

	CHECK_OK(ioctl(s, FIONREAD, &n));
	return n;
}

TEST(reading_stops_before_the_urgent_byte)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "hello", 5, MSG_OOB), 5);
	CHECK_EQ(unix_poll(s[1], POLLIN | POLLPRI), POLLIN | POLLPRI);
	CHECK_EQ(queued(s[1]), 5);
	CHECK_EQ(at_mark(s[1]), 0);
	CHECK_STR(get(s[1], 0), "hell");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(unix_poll(s[1], POLLIN | POLLPRI), POLLIN | POLLPRI);
	CHECK_STR(get(s[1], MSG_OOB | MSG_PEEK), "o");
	CHECK_STR(get(s[1], MSG_OOB), "o");
	CHECK_EQ(unix_poll(s[1], POLLPRI), 0);
	CHECK_EQ(at_mark(s[1]), 0);
	CHECK_EQ(queued(s[1]), 0);
	CHECK_ERRNO(recv(s[1], s, 1, MSG_OOB), EINVAL);
	CHECK_STR(get(s[1], 0), "-");
}

TEST(an_urgent_byte_is_taken_before_its_turn_and_still_stops_a_read)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "hello", 5, MSG_OOB), 5);
	CHECK_STR(get(s[1], MSG_OOB), "o");
	CHECK_EQ(send(s[0], "more", 4, 0), 4);
	CHECK_EQ(queued(s[1]), 8);
	CHECK_STR(get(s[1], MSG_PEEK), "hellmore");
	CHECK_STR(get(s[1], 0), "hell");
	CHECK_STR(get(s[1], 0), "more");
	CHECK_STR(get(s[1], 0), "-");
}

TEST(an_urgent_byte_that_is_passed_is_lost)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "ab", 2, MSG_OOB), 2);
	CHECK_EQ(send(s[0], "cd", 2, 0), 2);
	CHECK_STR(get(s[1], 0), "a");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(queued(s[1]), 3);
	CHECK_STR(get(s[1], 0), "cd");
	CHECK_ERRNO(recv(s[1], s, 1, MSG_OOB), EINVAL);
	CHECK_EQ(unix_poll(s[1], POLLPRI), 0);
}

TEST(the_last_urgent_byte_is_the_one)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "ab", 2, MSG_OOB), 2);
	CHECK_EQ(send(s[0], "cd", 2, MSG_OOB), 2);
	CHECK_STR(get(s[1], 0), "abc");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_STR(get(s[1], 0), "-");
	CHECK_ERRNO(recv(s[1], s, 1, MSG_OOB), EINVAL);
}

TEST(an_urgent_byte_in_line_is_read_behind_the_mark)
{
	int s[2];

	pair(SOCK_STREAM, s);
	set(s[1], SO_OOBINLINE, 1);
	CHECK_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(send(s[0], "de", 2, 0), 2);
	CHECK_ERRNO(recv(s[1], s, 1, MSG_OOB), EINVAL);
	CHECK_EQ(unix_poll(s[1], POLLPRI), POLLPRI);
	CHECK_STR(get(s[1], 0), "ab");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_STR(get(s[1], 0), "cde");
	CHECK_EQ(at_mark(s[1]), 0);
	CHECK_EQ(unix_poll(s[1], POLLPRI), 0);
}

TEST(peeking_shows_what_is_before_the_urgent_byte)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(send(s[0], "def", 3, 0), 3);
	CHECK_STR(get(s[1], MSG_PEEK), "ab");
	CHECK_EQ(queued(s[1]), 6);
	CHECK_STR(get(s[1], MSG_OOB), "c");
	CHECK_STR(get(s[1], MSG_PEEK), "abdef");
}

TEST(an_urgent_byte_outlives_its_sender)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "ab", 2, MSG_OOB), 2);
	CHECK_OK(close(s[0]));
	CHECK_STR(get(s[1], 0), "a");
	CHECK_STR(get(s[1], MSG_OOB | MSG_PEEK), "b");
	CHECK_STR(get(s[1], 0), "");
	CHECK_ERRNO(recv(s[1], s, 1, MSG_OOB), EINVAL);
}

static volatile int urgent_signals;

static void
count_urgent(int sig __attribute__((unused)))
{
	urgent_signals++;
}

TEST(the_owner_is_told_of_an_urgent_byte)
{
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK(signal(SIGURG, count_urgent) != SIG_ERR);
	CHECK_EQ(send(s[0], "a", 1, MSG_OOB), 1);
	CHECK_EQ(urgent_signals, 0); /* there is no owner yet */
	CHECK_OK(fcntl(s[1], F_SETOWN, getpid()));
	CHECK_EQ(send(s[0], "b", 1, 0), 1);
	CHECK_EQ(urgent_signals, 0);
	CHECK_EQ(send(s[0], "c", 1, MSG_OOB), 1);
	CHECK_EQ(urgent_signals, 1);
	CHECK_OK(fcntl(s[1], F_SETOWN, -getpgrp()));
	CHECK_EQ(send(s[0], "d", 1, MSG_OOB), 1);
	CHECK_EQ(urgent_signals, 2);
}

TEST(a_sleeping_reader_wakes_for_what_follows_an_urgent_byte)
{
	int s[2];
	char b[8];
	pid_t child;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(send(s[0], "x", 1, MSG_OOB), 1);
	child = check_fork();
	if (child == 0) {
		CHECK_EQ(recv(s[1], b, sizeof(b), 0), 1); /* drops x first */
		CHECK_EQ(b[0], 'y');
		_exit(0);
	}
	check_wait_asleep(child, 0);
	CHECK_EQ(send(s[0], "y", 1, 0), 1);
	CHECK_EXIT(child, 0);
}

TEST(who_has_no_urgent_bytes_says_so)
{
	char path[64] = "", link[32];
	int s[2], u, mark, f;

	pair(SOCK_STREAM, s);
	CHECK_ERRNO(send(s[0], "", 0, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(recv(s[1], path, 1, MSG_OOB), EINVAL);
	CHECK_ERRNO(ioctl(s[1], SIOCATMARK, check_bad_address()), EFAULT);
	CHECK_EQ(send(s[0], "a", 1, MSG_OOB), 1);
	CHECK_ERRNO(recv(s[1], check_bad_address(), 1, MSG_OOB | MSG_PEEK), EFAULT);
	CHECK_STR(get(s[1], MSG_OOB), "a");
	pair(SOCK_DGRAM, s);
	CHECK_ERRNO(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(recv(s[1], path, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(s[1], SIOCATMARK, &mark), EOPNOTSUPP);
	pair(SOCK_SEQPACKET, s);
	CHECK_ERRNO(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(ioctl(s[1], SIOCATMARK, &mark), EOPNOTSUPP);
	u = unix_socket(SOCK_STREAM);
	CHECK_EQ(at_mark(u), 0);
	CHECK_ERRNO(send(u, "a", 1, MSG_OOB | MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERRNO(recv(u, path, 1, MSG_OOB), EINVAL);

	/* The file behind a name, which needs no luck with what became of the name. */
	CHECK_ERRNO(ioctl(u, UNIX_FILE, 0), ENOENT);
	CHECK_OK(unix_bind(u, "name"));
	CHECK_OK(rename("name", "other"));
	f = CHECK_OK(ioctl(u, UNIX_FILE, 0));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f);
	CHECK_OK(readlink(link, path, sizeof(path) - 1));
	CHECK(strstr(path, "/other"));
	CHECK_EQ(fcntl(f, F_GETFL), O_PATH);
	CHECK_EQ(fcntl(f, F_GETFD), FD_CLOEXEC);
	check_drop_root();
	CHECK_ERRNO(ioctl(u, UNIX_FILE, 0), EPERM);
}

TEST(a_stream_is_peeked_from_an_offset_on)
{
	char b[4] = "";
	int s[2];

	pair(SOCK_STREAM, s);
	CHECK_EQ(peek_offset(s[1]), -1);
	set(s[1], SO_PEEK_OFF, 2);
	CHECK_EQ(send(s[0], "abcdef", 6, 0), 6);
	CHECK_EQ(send(s[0], "ghi", 3, 0), 3);
	CHECK_EQ(recv(s[1], b, 3, MSG_PEEK), 3);
	CHECK_STR(b, "cde");
	CHECK_EQ(peek_offset(s[1]), 5);
	CHECK_EQ(recv(s[1], b, 3, MSG_PEEK), 3);
	CHECK_STR(b, "fgh");
	CHECK_STR(get(s[1], MSG_PEEK), "i");
	CHECK_EQ(peek_offset(s[1]), 9);
	CHECK_STR(get(s[1], MSG_PEEK), "-");
	CHECK_EQ(recv(s[1], b, 2, 0), 2);
	CHECK_EQ(b[0], 'a');
	CHECK_EQ(peek_offset(s[1]), 7);
	CHECK_STR(get(s[1], MSG_PEEK), "-");
	set(s[1], SO_PEEK_OFF, -1);
	CHECK_STR(get(s[1], MSG_PEEK), "cdefghi");
	CHECK_EQ(peek_offset(s[1]), -1);
	set(s[1], SO_PEEK_OFF, -5);
	CHECK_EQ(peek_offset(s[1]), -5);
}

static void
peek_messages(int type)
{
	static const struct {
		const char *text;
		int offset;
	} want[] = { { "cde", 5 }, { "f", 6 }, { "", 6 }, { "ghi", 9 }, { "-", 9 }, { "-", 9 } };
	char b[4];
	int s[2];

	pair(type, s);
	set(s[1], SO_PEEK_OFF, 2);
	CHECK_EQ(send(s[0], "abcdef", 6, 0), 6);
	CHECK_EQ(send(s[0], "", 0, 0), 0);
	CHECK_EQ(send(s[0], "ghi", 3, 0), 3);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ssize_t n = recv(s[1], b, 3, MSG_PEEK | (i ? 0 : MSG_TRUNC));

		if (n < 0)
			CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(n, i == 0 ? 4 : want[i].text[0] == '-' ? -1 : (ssize_t)strlen(want[i].text));
		if (n > 0)
			CHECK_MEM(b, want[i].text, strlen(want[i].text));
		CHECK_EQ(peek_offset(s[1]), want[i].offset);
	}
	CHECK_EQ(recv(s[1], b, 2, 0), 2); /* the whole message goes, whatever was asked for */
	CHECK_EQ(peek_offset(s[1]), 3);
	CHECK_EQ(recv(s[1], b, 2, 0), 0);
	CHECK_EQ(peek_offset(s[1]), 3);
}

TEST(datagrams_are_peeked_from_an_offset_on)
{
	peek_messages(SOCK_DGRAM);
}

TEST(packets_are_peeked_from_an_offset_on)
{
	peek_messages(SOCK_SEQPACKET);
}

static void
wait_for_news(int type)
{
	int s[2];
	char b[8];
	pid_t child;

	CHECK_OK(socketpair(AF_UNIX, type, 0, s));
	set(s[1], SO_PEEK_OFF, 0);
	CHECK_EQ(send(s[0], "a", 1, 0), 1);
	child = check_fork();
	if (child == 0) {
		CHECK_EQ(recv(s[1], b, sizeof(b), MSG_PEEK), 1);
		CHECK_EQ(b[0], 'a');
		CHECK_EQ(recv(s[1], b, sizeof(b), MSG_PEEK), 1); /* waits, though something is there */
		CHECK_EQ(b[0], 'b');
		_exit(0);
	}
	check_wait_asleep(child, 0);
	CHECK_EQ(send(s[0], "b", 1, 0), 1);
	CHECK_EXIT(child, 0);
}

TEST(who_has_peeked_at_all_messages_sleeps_until_more_comes)
{
	wait_for_news(SOCK_DGRAM);
	wait_for_news(SOCK_SEQPACKET);
}
