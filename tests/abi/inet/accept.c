/* SPDX-License-Identifier: MIT */
/*
 * Who accepts, and when: several threads or processes at one listener (EPOLLEXCLUSIVE), TCP_DEFER_ACCEPT. accept(2),
 * epoll_ctl(2), tcp(7).
 */
#include "../accepters.h"
#include "inet.h"

#include <sys/epoll.h>

#define FEW  4
#define MANY 100

/* --- several processes at one listener --------------------------------------------------------------- */

static int
watch(int l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep = CHECK_OK(epoll_create1(0));

	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, l, &e));
	return ep;
}

/* It says so when it is woken, once, and never looks again. */
static void
wake_once(int l, int say, uint8_t who)
{
	struct epoll_event e;
	int ep = watch(l);

	CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
	check_write_all(say, &who, 1);
	for (;;)
		pause();
}

TEST(a_connection_wakes_one_of_those_who_want_to_be_woken_alone)
{
	bool woke[FEW] = { false };
	int l, ends[2];
	uint8_t who;

	inet_fresh();
	l = inet_server(16);
	CHECK_OK(pipe(ends));
	for (uint8_t i = 0; i < FEW; i++) {
		pid_t pid = check_fork();

		if (pid == 0)
			wake_once(l, ends[1], i);
		check_wait_asleep(pid, 0);
	}
	/* Each connection another one: those before it do not look any more. */
	for (int i = 0; i < FEW; i++) {
		struct pollfd more = { .fd = ends[0], .events = POLLIN };

		CHECK_OK(inet_connect(inet_socket(SOCK_STREAM), inet_port(l)));
		check_read_all(ends[0], &who, 1);
		CHECK(who < FEW && !woke[who]);
		woke[who] = true;
		CHECK_EQ(poll(&more, 1, 50), 0);
	}
}

static void
serve(int l)
{
	int ep = watch(l);

	for (;;) {
		struct epoll_event e;
		int s;

		CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
		s = accept(l, NULL, NULL);
		if (s < 0) {
			CHECK_EQ(errno, EAGAIN);
			continue;
		}
		CHECK_EQ(write(s, "x", 1), 1);
		CHECK_OK(close(s));
	}
}

TEST(no_connection_is_forgotten_where_several_wait_for_them)
{
	int l;

	inet_fresh();
	l = inet_server(16);
	inet_nonblock(l);
	for (int i = 0; i < FEW; i++)
		if (check_fork() == 0)
			serve(l);
	for (int i = 0; i < MANY; i++) {
		int s[FEW];

		for (int k = 0; k < FEW; k++) {
			s[k] = inet_socket(SOCK_STREAM);
			CHECK_OK(inet_connect(s[k], inet_port(l)));
		}
		for (int k = 0; k < FEW; k++) {
			CHECK_STR(inet_text(s[k], MSG_WAITALL), "x");
			CHECK_OK(close(s[k]));
		}
	}
}

TEST(a_connection_wakes_one_of_those_who_accept)
{
	TIMEOUT(60);
	inet_fresh();
	check_one_is_woken(inet_server(16));
}

TEST(a_connection_is_not_lost_by_who_is_interrupted)
{
	TIMEOUT(60);
	inet_fresh();
	check_none_is_lost(inet_server(16));
}

/* --- TCP_DEFER_ACCEPT -------------------------------------------------------------------------------- */

static int
patient_server(int backlog, int seconds)
{
	int l = inet_server(backlog);

	inet_set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
	inet_nonblock(l);
	return l;
}

static int
client(int l)
{
	int s = inet_socket(SOCK_STREAM);

	CHECK_OK(inet_connect(s, inet_port(l)));
	return s;
}

/* The state of the listener's end of the connection of `s`, as /proc tells it; 0: there is none. */
static unsigned
state_of(int l, int s)
{
	FILE *f = fopen("/proc/self/net/tcp", "r");
	unsigned from, to, state, found = 0;
	char line[300];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &from, &to, &state) == 3 && from == inet_port(l) &&
		    to == inet_port(s))
			found = state;
	CHECK_OK(fclose(f));
	return found;
}

TEST(defer_accept_is_told_in_retransmissions)
{
	static const int seconds[][2] = { { 0, 0 }, { -5, 0 }, { 1, 1 }, { 2, 3 }, { 3, 3 }, { 4, 7 }, { 8, 15 }, { 100, 127 },
					  { 128, 247 }, { INT_MAX, 29887 } };
	int l, s, a;

	inet_fresh();
	l = inet_server(5);
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		inet_set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds[i][0]);
		CHECK_EQ(inet_get(l, IPPROTO_TCP, TCP_DEFER_ACCEPT), seconds[i][1]);
	}
	s = client(l);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(inet_get(a, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}

TEST(defer_accept_waits_for_bytes)
{
	int l, s, a;

	inet_fresh();
	l = patient_server(5, 100);
	s = client(l);
	check_sleep_ms(20);
	CHECK_EQ(inet_now(l, POLLIN), 0);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_EQ(state_of(l, s), TCP_SYN_RECV);
	CHECK_EQ(send(s, "hello", 5, 0), 5);
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(state_of(l, s), TCP_ESTABLISHED);
	CHECK_STR(inet_text(a, 0), "hello");
	CHECK_EQ(send(a, "there", 5, 0), 5);
	CHECK_STR(inet_text(s, 0), "there");
}

TEST(defer_accept_waits_for_an_end)
{
	int l, s[2], a;

	inet_fresh();
	l = patient_server(5, 100);
	s[0] = client(l);
	s[1] = client(l);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(inet_peer_port(a), inet_port(s[0]));
	CHECK_STR(inet_text(a, 0), "");
	CHECK_EQ(send(a, "bye", 3, 0), 3);
	CHECK_STR(inet_text(s[0], 0), "bye");
	CHECK_OK(close(s[1]));
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_STR(inet_text(a, 0), "");
}

TEST(defer_accept_forgets_who_resets)
{
	struct linger at_once = { .l_onoff = 1 };
	int l, s[2], a;

	inet_fresh();
	l = patient_server(5, 100);
	s[0] = client(l);
	s[1] = client(l);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	CHECK_OK(close(s[0]));
	CHECK_EQ(send(s[1], "x", 1, 0), 1);
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(inet_peer_port(a), inet_port(s[1]));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
}

TEST(defer_accept_lets_the_silent_in_when_its_time_is_over)
{
	struct pollfd p;
	int l, s, a;

	TIMEOUT(60);
	inet_fresh();
	l = patient_server(5, 1);
	s = client(l);
	p = (struct pollfd){ .fd = l, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 50000), 1);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(inet_now(a, POLLIN), 0);
	CHECK_EQ(send(s, "late", 4, 0), 4);
	CHECK_STR(inet_text(a, 0), "late");
}

TEST(defer_accept_keeps_nobody_out_by_those_who_are_silent)
{
	int l, s;

	inet_fresh();
	l = patient_server(3, 100);
	for (int i = 0; i < 3; i++)
		client(l);
	/* As many as the backlog says: the next one is not asked to speak first, or speaks. */
	s = client(l);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	CHECK_EQ(inet_peer_port(CHECK_OK(accept(l, NULL, NULL))), inet_port(s));
}

TEST(defer_accept_ends_with_its_listener)
{
	int l, s;
	bool refused;

	inet_fresh();
	l = patient_server(5, 100);
	s = client(l);
	CHECK_OK(close(l));
	/* Sooner or later: who is told nothing finds out when he sends. */
	refused = send(s, "x", 1, MSG_NOSIGNAL) < 0 && errno == ECONNRESET;
	CHECK(refused || (recv(s, (char[1]){ 0 }, 1, 0) < 0 && errno == ECONNRESET));
}
