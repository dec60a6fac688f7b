/* SPDX-License-Identifier: MIT */
/* Bytes over TCP between sockets of one machine: order, room, waiting, peeking. recv(2), send(2), tcp(7). */
#include "inet.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/time.h>

#define MANY (8 << 20)

static uint8_t
pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void *
write_many(void *arg)
{
	int s = *(int *)arg;
	uint8_t *b = malloc(MANY);
	size_t done = 0;

	for (size_t i = 0; i < MANY; i++)
		b[i] = pattern(i);
	while (done < MANY) {
		size_t piece = 1 + done % 70001;
		ssize_t n = write(s, b + done, piece < MANY - done ? piece : MANY - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	shutdown(s, SHUT_WR);
	free(b);
	return (void *)done;
}

TEST(many_bytes_come_whole_and_in_order)
{
	static uint8_t b[40000];
	pthread_t t;
	void *sent;
	size_t at = 0;
	int s[2];

	TIMEOUT(60);
	inet_fresh();
	inet_pair(s);
	CHECK_RETURNS(pthread_create(&t, NULL, write_many, &s[0]), 0);
	for (;;) {
		ssize_t n = CHECK_OK(read(s[1], b, 1 + at % sizeof(b)));

		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++, at++)
			if (b[i] != pattern(at))
				FAIL("byte %zu is %u", at, b[i]);
	}
	CHECK_EQ(at, MANY);
	CHECK_RETURNS(pthread_join(t, &sent), 0);
	CHECK_EQ((long)sent, MANY);
}

TEST(a_sender_finds_no_room_until_somebody_reads)
{
	static char b[1 << 16];
	size_t sent = 0, got = 0;
	ssize_t n;
	int s[2];

	inet_fresh();
	inet_pair(s);
	inet_nonblock(s[0]);
	inet_nonblock(s[1]);
	/* On Linux what is under way still moves for a while. */
	for (int quiet = 0; quiet < 20;) {
		n = send(s[0], b, sizeof(b), 0);
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
			continue;
		}
		CHECK_EQ(errno, EAGAIN);
		quiet++;
		check_sleep_ms(5);
	}
	CHECK(sent > 100000);
	CHECK_EQ(inet_now(s[0], POLLOUT), 0);
	while (got < sent) {
		CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
		got += (size_t)CHECK_OK(recv(s[1], b, sizeof(b), 0));
	}
	CHECK_EQ(got, sent);
	CHECK_EQ(inet_ready(s[0], POLLOUT), POLLOUT);
	CHECK_ERRNO(recv(s[1], b, sizeof(b), 0), EAGAIN);
}

TEST(edge_triggered_room)
{
	static char b[1 << 16];
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int s[2], ep;

	inet_fresh();
	inet_pair(s);
	inet_nonblock(s[0]);
	ep = CHECK_OK(epoll_create1(0));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
	CHECK_EQ(epoll_wait(ep, &e, 1, READY_MS), 1);
	for (int quiet = 0; quiet < 20;) {
		if (send(s[0], b, sizeof(b), 0) > 0) {
			quiet = 0;
			continue;
		}
		quiet++;
		check_sleep_ms(5);
	}
	while (epoll_wait(ep, &e, 1, 0) == 1)
		;
	inet_nonblock(s[1]);
	for (int quiet = 0; quiet < 20;) {
		if (recv(s[1], b, sizeof(b), 0) > 0) {
			quiet = 0;
			continue;
		}
		quiet++;
		check_sleep_ms(5);
	}
	CHECK_EQ(epoll_wait(ep, &e, 1, READY_MS), 1);
	CHECK_EQ(e.events, EPOLLOUT);
}

TEST(receive_waits_for_all)
{
	char b[10] = "";
	pid_t pid;
	int s[2];

	inet_fresh();
	inet_pair(s);
	pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			check_sleep_ms(20);
			CHECK_EQ(write(s[0], "ab", 2), 2);
		}
		_exit(0);
	}
	CHECK_EQ(recv(s[1], b, 10, MSG_WAITALL), 10);
	CHECK_MEM(b, "ababababab", 10);
	CHECK_EXIT(pid, 0);
}

TEST(low_water)
{
	char b[10];
	int s[2];

	inet_fresh();
	inet_pair(s);
	inet_set(s[1], SOL_SOCKET, SO_RCVLOWAT, 4);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	check_sleep_ms(50);
	CHECK_EQ(inet_now(s[1], POLLIN), 0);
	CHECK_EQ(write(s[0], "d", 1), 1);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_EQ(recv(s[1], b, sizeof(b), 0), 4);
}

TEST(peeking_takes_nothing)
{
	char b[10];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_STR(inet_text(s[1], MSG_PEEK), "hello");
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK_STR(inet_text(s[1], 0), "hello");
	CHECK_STR(inet_text(s[1], MSG_PEEK | MSG_DONTWAIT), "-");
}

TEST(bytes_may_be_dropped_unread)
{
	char b[10] = "";
	int s[2], n;

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_EQ(recv(s[1], b, 3, MSG_TRUNC), 3);
	CHECK_EQ(b[0], 0);
	CHECK_STR(inet_text(s[1], 0), "lo");
}

TEST(time_limits)
{
	struct timeval tv = { 0, 50000 };
	static char b[1 << 16];
	long long start;
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	start = check_now_ms();
	CHECK_ERRNO(recv(s[0], b, 1, 0), EAGAIN);
	CHECK_RANGE(check_now_ms() - start, 45, 5000);
	while (send(s[0], b, sizeof(b), 0) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

TEST(vectors_and_messages)
{
	char a[3], b[5] = "";
	struct iovec out[2] = { { "ab", 2 }, { "cdef", 4 } }, in[2] = { { a, 3 }, { b, 5 } };
	struct sockaddr_in from;
	struct msghdr m = { .msg_iov = in, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof(from) };
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(writev(s[0], out, 2), 6);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_EQ(recvmsg(s[1], &m, 0), 6);
	CHECK_MEM(a, "abc", 3);
	CHECK_MEM(b, "def", 3);
	/* Who sent is not told of a stream. */
	CHECK_EQ(m.msg_namelen, 0);
	/* And to whom is not asked. */
	from = inet_here(9);
	CHECK_EQ(sendto(s[0], "x", 1, 0, (struct sockaddr *)&from, sizeof(from)), 1);
	CHECK_EQ(read(s[1], a, 1), 1);
}

TEST(files_go_by_sendfile)
{
	static char b[100000], got[100000];
	size_t n = 0;
	int s[2], f, pipe_[2];

	inet_fresh();
	inet_pair(s);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (char)pattern(i);
	f = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(f, b, sizeof(b)), sizeof(b));
	CHECK_EQ(sendfile(s[0], f, &(off_t){ 0 }, sizeof(b)), sizeof(b));
	CHECK_EQ(recv(s[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	CHECK_MEM(got, b, sizeof(b));
	CHECK_OK(pipe(pipe_));
	CHECK_EQ(write(pipe_[1], b, 5000), 5000);
	CHECK_EQ(splice(pipe_[0], NULL, s[0], NULL, 5000, 0), 5000);
	memset(got, 0, sizeof(got));
	while (n < 5000)
		n += (size_t)CHECK_OK(splice(s[1], NULL, pipe_[1], NULL, 5000 - n, 0));
	CHECK_EQ(read(pipe_[0], got, sizeof(got)), 5000);
	CHECK_MEM(got, b, 5000);
}

TEST(memory_that_is_not_there)
{
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_ERRNO(write(s[0], (void *)8, 10), EFAULT);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_ERRNO(read(s[1], (void *)8, 10), EFAULT);
	CHECK_STR(inet_text(s[1], 0), "ab");
}

static void *
read_one(void *arg)
{
	char b;

	return (void *)(long)read(*(int *)arg, &b, 1);
}

TEST(a_reader_sleeps_until_bytes_or_the_end_come)
{
	pthread_t t;
	void *got;
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_RETURNS(pthread_create(&t, NULL, read_one, &s[0]), 0);
	check_sleep_ms(50);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 1);
	CHECK_RETURNS(pthread_create(&t, NULL, read_one, &s[0]), 0);
	check_sleep_ms(50);
	CHECK_OK(close(s[1]));
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 0);
}

static void *
fill(void *arg)
{
	static char b[1 << 16];
	int s = *(int *)arg;
	ssize_t n;

	do
		n = send(s, b, sizeof(b), MSG_NOSIGNAL);
	while (n > 0);
	return (void *)(long)errno;
}

TEST(a_writer_that_waits_learns_of_the_end)
{
	pthread_t t;
	void *error;
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_RETURNS(pthread_create(&t, NULL, fill, &s[0]), 0);
	while (inet_now(s[0], POLLOUT)) /* what is unread resets; where nothing is, this would be an end */
		check_sleep_ms(1);
	check_sleep_ms(50);
	CHECK_OK(close(s[1]));
	CHECK_RETURNS(pthread_join(t, &error), 0);
	CHECK_EQ((long)error, ECONNRESET);
}

TEST(a_writer_that_waits_is_stopped_by_its_own_shutdown)
{
	pthread_t t;
	void *error;
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_RETURNS(pthread_create(&t, NULL, fill, &s[0]), 0);
	while (inet_now(s[0], POLLOUT))
		check_sleep_ms(1);
	check_sleep_ms(50);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_RETURNS(pthread_join(t, &error), 0);
	CHECK_EQ((long)error, EPIPE);
}

TEST(two_writers_and_two_readers_lose_nothing)
{
	enum { EACH = 300000 };
	static char b[5000];
	size_t got = 0;
	int s[2];
	pid_t writer[2], reader;

	inet_fresh();
	inet_pair(s);
	for (int i = 0; i < 2; i++) {
		writer[i] = check_fork();
		if (writer[i] == 0) {
			for (int n = 0; n < EACH; n += 100)
				CHECK_EQ(send(s[0], b, 100, 0), 100);
			_exit(0);
		}
	}
	reader = check_fork();
	if (reader == 0) {
		for (int n = 0; n < EACH;)
			n += (int)CHECK_OK(read(s[1], b, EACH - n < 77 ? (size_t)(EACH - n) : 77));
		_exit(0);
	}
	while (got < EACH)
		got += (size_t)CHECK_OK(read(s[1], b, EACH - got < sizeof(b) ? EACH - got : sizeof(b)));
	CHECK_EXIT(reader, 0);
	CHECK_EXIT(writer[0], 0);
	CHECK_EXIT(writer[1], 0);
	CHECK_ERRNO(recv(s[1], b, 1, MSG_DONTWAIT), EAGAIN);
}

struct peek {
	int socket;
	char data[21];
};

static void *
peek_at_20(void *arg)
{
	struct peek *p = arg;

	return (void *)(long)recv(p->socket, p->data, 20, MSG_PEEK | MSG_WAITALL);
}

/* Whoever looks at what somebody else reads meanwhile goes on where the stream is then, and never beyond its end. */
TEST(what_is_looked_at_may_be_read_by_another)
{
	struct peek p = { 0 };
	char data[20];
	pthread_t t;
	void *got;
	int s[2];

	inet_fresh();
	inet_pair(s);
	p.socket = s[0];
	CHECK_EQ(send(s[1], "0123456789", 10, 0), 10);
	inet_until(s[0], POLLIN, POLLIN);
	CHECK_RETURNS(pthread_create(&t, NULL, peek_at_20, &p), 0);
	while (!__atomic_load_n(&p.data[9], __ATOMIC_ACQUIRE))
		check_sleep_ms(1);
	check_sleep_ms(50);
	CHECK_EQ(recv(s[0], data, 10, 0), 10);
	CHECK_EQ(send(s[1], "abcdefghijklmnopqrst", 20, 0), 20);
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 20);
	CHECK_STR(p.data, "0123456789abcdefghij");
	/* The same where nothing more comes. */
	CHECK_EQ(recv(s[0], data, 20, MSG_WAITALL), 20);
	CHECK_EQ(send(s[1], "0123456789", 10, 0), 10);
	inet_until(s[0], POLLIN, POLLIN);
	memset(p.data, 0, sizeof(p.data));
	CHECK_RETURNS(pthread_create(&t, NULL, peek_at_20, &p), 0);
	while (!__atomic_load_n(&p.data[9], __ATOMIC_ACQUIRE))
		check_sleep_ms(1);
	check_sleep_ms(50);
	CHECK_EQ(recv(s[0], data, 10, 0), 10);
	CHECK_OK(close(s[1]));
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 10);
	CHECK_STR(p.data, "0123456789");
}

/* --- the urgent byte ------------------------------------------------------------------------------ */

static int
at_mark(int s)
{
	int mark = -1;

	CHECK_OK(ioctl(s, SIOCATMARK, &mark));
	return mark;
}

TEST(reading_stops_before_the_urgent_byte)
{
	int s[2];

	inet_fresh();
	inet_pair(s);
	inet_nonblock(s[1]);
	CHECK_EQ(send(s[0], "hello", 5, MSG_OOB), 5);
	inet_until(s[1], POLLIN | POLLPRI, POLLIN | POLLPRI);
	CHECK_EQ(at_mark(s[1]), 0);
	CHECK_STR(inet_text(s[1], 0), "hell");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(inet_now(s[1], POLLIN | POLLPRI), POLLPRI);
	CHECK_STR(inet_text(s[1], MSG_OOB | MSG_PEEK), "o");
	CHECK_STR(inet_text(s[1], MSG_OOB), "o");
	CHECK_EQ(inet_now(s[1], POLLPRI), 0);
	CHECK_ERRNO(recv(s[1], &(char){ 0 }, 1, MSG_OOB), EINVAL);
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(send(s[0], "next", 4, 0), 4);
	CHECK_EQ(inet_ready(s[1], POLLIN), POLLIN);
	CHECK_STR(inet_text(s[1], 0), "next");
	CHECK_EQ(at_mark(s[1]), 0);
}

TEST(an_urgent_byte_that_nobody_reads_is_passed_by)
{
	int s[2];

	inet_fresh();
	inet_pair(s);
	inet_nonblock(s[1]);
	CHECK_EQ(send(s[0], "ab", 2, MSG_OOB), 2);
	CHECK_EQ(send(s[0], "cd", 2, 0), 2);
	inet_until(s[1], POLLIN | POLLPRI, POLLIN | POLLPRI);
	check_sleep_ms(20);
	CHECK_STR(inet_text(s[1], 0), "a");
	CHECK_STR(inet_text(s[1], 0), "cd");
	CHECK_ERRNO(recv(s[1], &(char){ 0 }, 1, MSG_OOB), EINVAL);
}

TEST(an_urgent_byte_in_its_place)
{
	int s[2];

	inet_fresh();
	inet_pair(s);
	inet_nonblock(s[1]);
	inet_set(s[1], SOL_SOCKET, SO_OOBINLINE, 1);
	CHECK_EQ(send(s[0], "ab", 2, MSG_OOB), 2);
	CHECK_EQ(send(s[0], "cd", 2, 0), 2);
	inet_until(s[1], POLLIN | POLLPRI, POLLIN | POLLPRI);
	check_sleep_ms(20);
	CHECK_ERRNO(recv(s[1], &(char){ 0 }, 1, MSG_OOB), EINVAL);
	CHECK_STR(inet_text(s[1], 0), "a");
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_STR(inet_text(s[1], 0), "bcd");
}

static volatile int urgent_signals;

static void
on_urgent(int sig __attribute__((unused)))
{
	urgent_signals++;
}

TEST(an_urgent_byte_signals_the_owner)
{
	int s[2];

	inet_fresh();
	inet_pair(s);
	signal(SIGURG, on_urgent);
	CHECK_OK(fcntl(s[1], F_SETOWN, getpid()));
	CHECK_EQ(send(s[0], "a", 1, MSG_OOB), 1);
	inet_until(s[1], POLLPRI, POLLPRI);
	CHECK_EQ(urgent_signals, 1);
}

/* How much may be under way is as much as both sides say now, and not when they met. */
TEST(a_smaller_buffer_counts_at_once)
{
	static char data[65536];
	size_t sent = 0, got = 0;
	int l = -1, s, a;
	ssize_t n;

	inet_fresh();
	l = inet_server(1);
	inet_set(l, SOL_SOCKET, SO_RCVBUF, 4096);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	inet_set(s, SOL_SOCKET, SO_SNDBUF, 4096);
	while ((n = send(s, data, sizeof(data), MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_RANGE(sent, 1, 128 * 1024);
	CHECK_OK(shutdown(s, SHUT_WR));
	while ((n = CHECK_OK(recv(a, data, sizeof(data), 0))) > 0)
		got += (size_t)n;
	CHECK_EQ(got, sent);
	/* More counts at once, too: who waits for room goes on. */
	CHECK_OK(close(s));
	CHECK_OK(close(a));
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	inet_set(s, SOL_SOCKET, SO_SNDBUF, 4096);
	while (send(s, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(inet_now(s, POLLOUT), 0);
	inet_set(s, SOL_SOCKET, SO_SNDBUF, 65536);
	inet_until(s, POLLOUT, POLLOUT);
}
