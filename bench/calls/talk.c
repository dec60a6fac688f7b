/* SPDX-License-Identifier: MIT */
/* Two and more that talk to each other: pipes, sockets, futexes, semaphores, and the switches between them. */
#include "bench.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int to[2], from[2];
static pid_t peer;
static char byte, block[65536];

/* --- latency: a byte there and back ------------------------------------------------------------------- */

static void
echo(void *unused)
{
	(void)unused;
	close(to[1]);
	close(from[0]);
	while (read(to[0], &byte, 1) == 1)
		MUST(write(from[1], &byte, 1));
}

static void
meet_peer(void)
{
	peer = start_child(echo, NULL);
	MUST(close(to[0]));
	MUST(close(from[1]));
}

static void
part(void)
{
	MUST(close(to[1]));
	MUST(close(from[0]));
	wait_child(peer, "the partner");
}

static void
ping_pong(long n)
{
	for (long i = 0; i < n; i++) {
		MUST(write(to[1], &byte, 1));
		MUST(read(from[0], &byte, 1));
	}
}

static void
meet_by_pipes(void)
{
	MUST(pipe(to));
	MUST(pipe(from));
	meet_peer();
}

ITEM_IN(pipe_latency, 5000, meet_by_pipes, part)
{
	ping_pong(n);
}

static void
make_fifo(int ends[2])
{
	MUST(mkfifo("fifo", 0600));
	ends[0] = MUST(open("fifo", O_RDONLY | O_NONBLOCK));
	ends[1] = MUST(open("fifo", O_WRONLY));
	MUST(fcntl(ends[0], F_SETFL, 0));
	MUST(unlink("fifo"));
}

static void
meet_by_fifos(void)
{
	make_fifo(to);
	make_fifo(from);
	meet_peer();
}

ITEM_IN(fifo_latency, 5000, meet_by_fifos, part)
{
	ping_pong(n);
}

static void
meet_by_sockets(void)
{
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	to[1] = ends[0];
	from[0] = MUST(dup(ends[0]));
	to[0] = ends[1];
	from[1] = MUST(dup(ends[1]));
	meet_peer();
}

ITEM_IN(unix_latency, 5000, meet_by_sockets, part)
{
	ping_pong(n);
}

/* A byte into a pipe and out again, nobody waiting. */
static void
open_pipe(void)
{
	MUST(pipe(to));
}

static void
close_pipe(void)
{
	MUST(close(to[0]));
	MUST(close(to[1]));
}

ITEM_IN(pipe_write_read_1, 20000, open_pipe, close_pipe)
{
	for (long i = 0; i < n; i++) {
		MUST(write(to[1], &byte, 1));
		MUST(read(to[0], &byte, 1));
	}
}

/* --- bandwidth ---------------------------------------------------------------------------------------- */

static void
drain(void *unused)
{
	(void)unused;
	close(to[1]);
	while (read(to[0], block, sizeof(block)) > 0)
		;
}

static void
start_drain(void)
{
	peer = start_child(drain, NULL);
	MUST(close(to[0]));
}

static void
end_drain(void)
{
	MUST(close(to[1]));
	wait_child(peer, "the partner");
}

static void
pour(long n)
{
	for (long i = 0; i < n; i++)
		for (size_t done = 0; done < sizeof(block);)
			done += (size_t)MUST(write(to[1], block + done, sizeof(block) - done));
}

static void
pipe_to_drain(void)
{
	MUST(pipe(to));
	start_drain();
}

RATE_IN(pipe_bandwidth, 200, sizeof(block), pipe_to_drain, end_drain)
{
	pour(n);
}

static void
fifo_to_drain(void)
{
	make_fifo(to);
	start_drain();
}

RATE_IN(fifo_bandwidth, 200, sizeof(block), fifo_to_drain, end_drain)
{
	pour(n);
}

static void
socket_to_drain(void)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, to));
	start_drain();
}

RATE_IN(unix_bandwidth, 200, sizeof(block), socket_to_drain, end_drain)
{
	pour(n);
}

/* --- switches: a token round a ring of processes ------------------------------------------------------- */

#define RING_MAX 16

static int ring[RING_MAX][2], ring_size, place;
static pid_t members[RING_MAX];

static void
pass_on(void *unused)
{
	int in = ring[place][0], out = ring[(place + 1) % ring_size][1];

	(void)unused;
	for (int i = 0; i < ring_size; i++) {
		if (ring[i][0] != in)
			close(ring[i][0]);
		if (ring[i][1] != out)
			close(ring[i][1]);
	}
	while (read(in, &byte, 1) == 1 && byte != 'q')
		MUST(write(out, &byte, 1));
	MUST(write(out, &byte, 1));
}

static void
make_ring(int size)
{
	ring_size = size;
	for (int i = 0; i < size; i++)
		MUST(pipe(ring[i]));
	for (place = 1; place < size; place++)
		members[place] = start_child(pass_on, NULL);
	byte = 't';
}

static void
break_ring(void)
{
	byte = 'q';
	MUST(write(ring[1][1], &byte, 1));
	MUST(read(ring[0][0], &byte, 1));
	for (int i = 0; i < ring_size; i++) {
		MUST(close(ring[i][0]));
		MUST(close(ring[i][1]));
	}
	for (int i = 1; i < ring_size; i++)
		wait_child(members[i], "the partner");
}

/* n switches, each with the read and write of a pipe. */
static void
turn(long n)
{
	for (long i = 0; i < n / ring_size; i++) {
		MUST(write(ring[1][1], &byte, 1));
		MUST(read(ring[0][0], &byte, 1));
	}
}

static void ring_of_2(void) { make_ring(2); }
static void ring_of_8(void) { make_ring(8); }
static void ring_of_16(void) { make_ring(16); }

ITEM_IN(switch_2, 10000, ring_of_2, break_ring)
{
	turn(n);
}

ITEM_IN(switch_8, 10000, ring_of_8, break_ring)
{
	turn(n);
}

ITEM_IN(switch_16, 10000, ring_of_16, break_ring)
{
	turn(n);
}

/* --- futexes and semaphores ----------------------------------------------------------------------------- */

static uint32_t words[2];

static void
wait_for(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1 - value, NULL, NULL, 0);
}

static void
post(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *
answer(void *n)
{
	for (long i = 0; i < (long)n; i++) {
		wait_for(&words[0], 1);
		words[0] = 0;
		post(&words[1], 1);
	}
	return NULL;
}

ITEM(futex_ping_pong, 5000)
{
	pthread_t t;

	if (pthread_create(&t, NULL, answer, (void *)n) != 0)
		give_up(__FILE__, __LINE__, "pthread_create");
	for (long i = 0; i < n; i++) {
		post(&words[0], 1);
		wait_for(&words[1], 1);
		words[1] = 0;
	}
	pthread_join(t, NULL);
}

static int sem;

static void
make_semaphores(void)
{
	sem = MUST(semget(IPC_PRIVATE, 2, 0600));
	peer = MUST(fork());
	if (peer == 0) {
		struct sembuf take = { 0, -1, 0 }, give = { 1, 1, 0 };

		while (semop(sem, &take, 1) == 0)
			semop(sem, &give, 1);
		_exit(0);
	}
}

static void
remove_semaphores(void)
{
	MUST(semctl(sem, 0, IPC_RMID));
	wait_child(peer, "the partner");
}

ITEM_IN(semaphore_ping_pong, 5000, make_semaphores, remove_semaphores)
{
	struct sembuf give = { 0, 1, 0 }, take = { 1, -1, 0 };

	for (long i = 0; i < n; i++) {
		MUST(semop(sem, &give, 1));
		MUST(semop(sem, &take, 1));
	}
}

/* --- waiting for many ----------------------------------------------------------------------------------- */

#define WATCHED_MAX 500

static struct pollfd watched[WATCHED_MAX];
static int watched_count, epoll, other_ends[WATCHED_MAX];

static void
watch(int count)
{
	watched_count = count;
	epoll = MUST(epoll_create1(0));
	for (int i = 0; i < count; i++) {
		struct epoll_event e = { .events = EPOLLIN };
		int ends[2];

		MUST(pipe(ends));
		watched[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
		other_ends[i] = ends[1];
		MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &e));
	}
	MUST(write(other_ends[count - 1], &byte, 1));
}

static void
unwatch(void)
{
	MUST(close(epoll));
	for (int i = 0; i < watched_count; i++) {
		MUST(close(watched[i].fd));
		MUST(close(other_ends[i]));
	}
}

static void watch_10(void) { watch(10); }
static void watch_100(void) { watch(100); }
static void watch_500(void) { watch(500); }

static void
poll_them(long n)
{
	for (long i = 0; i < n; i++)
		if (MUST(poll(watched, (nfds_t)watched_count, -1)) != 1)
			give_up(__FILE__, __LINE__, "poll");
}

static void
select_them(long n)
{
	for (long i = 0; i < n; i++) {
		fd_set set;
		int most = 0;

		FD_ZERO(&set);
		for (int w = 0; w < watched_count; w++) {
			FD_SET(watched[w].fd, &set);
			most = watched[w].fd > most ? watched[w].fd : most;
		}
		if (MUST(select(most + 1, &set, NULL, NULL, NULL)) != 1)
			give_up(__FILE__, __LINE__, "select");
	}
}

static void
epoll_them(long n)
{
	struct epoll_event e[8];

	for (long i = 0; i < n; i++)
		if (MUST(epoll_wait(epoll, e, 8, -1)) != 1)
			give_up(__FILE__, __LINE__, "epoll_wait");
}

ITEM_IN(poll_10, 10000, watch_10, unwatch) { poll_them(n); }
ITEM_IN(poll_100, 2000, watch_100, unwatch) { poll_them(n); }
ITEM_IN(poll_500, 500, watch_500, unwatch) { poll_them(n); }
ITEM_IN(select_10, 10000, watch_10, unwatch) { select_them(n); }
ITEM_IN(select_100, 2000, watch_100, unwatch) { select_them(n); }
ITEM_IN(epoll_10, 10000, watch_10, unwatch) { epoll_them(n); }
ITEM_IN(epoll_100, 10000, watch_100, unwatch) { epoll_them(n); }
ITEM_IN(epoll_500, 10000, watch_500, unwatch) { epoll_them(n); }
