/* SPDX-License-Identifier: MIT */
/* Threads and processes with each other: pipes, sockets, futexes, signals, switches, births and deaths. */
#include "parallel.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define BOTH (PROCESSES | THREADS)

static void
own_pipe(struct worker *w)
{
	MUST(pipe(w->fd));
}

WORKERS(pipe_own, BOTH, own_pipe, NULL)
{
	MUST(write(w->fd[1], block, 64));
	MUST(read(w->fd[0], &w->name, 32));
	MUST(read(w->fd[0], &w->name, 32));
}

static void
own_socket(struct worker *w)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, w->fd));
}

WORKERS(socket_own, BOTH, own_socket, NULL)
{
	char to[64];

	MUST(write(w->fd[1], block, sizeof(to)));
	MUST(read(w->fd[0], to, sizeof(to)));
}

static void
common_eventfd(void)
{
	shared_fd = MUST(eventfd(1, 0));
}

WORKERS(poll_same, BOTH, NULL, common_eventfd)
{
	struct pollfd p = { .fd = shared_fd, .events = POLLIN };

	MUST(poll(&p, 1, 0));
	w->turn++;
}

/* --- switches ---------------------------------------------------------------------------------------- */

static void
send_back(void *arg)
{
	struct worker *w = arg;
	char got;

	MUST(close(w->fd[1]));
	MUST(close(w->fd[2]));
	while (read(w->fd[0], &got, 1) == 1)
		if (write(w->fd[3], &got, 1) != 1)
			break;
}

/* A partner on the same CPU, one byte back and forth: two switches. */
static void
pipe_partner(struct worker *w)
{
	MUST(pipe(w->fd));
	MUST(pipe(w->fd + 2));
	w->partner = start_child(send_back, w);
	MUST(close(w->fd[0]));
	MUST(close(w->fd[3]));
}

ITEM_OF(switch_pipe, PROCESSES, 2, pipe_partner, NULL)
{
	char got = 0;

	MUST(write(w->fd[1], &got, 1));
	MUST(read(w->fd[2], &got, 1));
}

WORKERS(sched_yield, BOTH, NULL, NULL)
{
	MUST(sched_yield());
	w->turn++;
}

/* --- futexes ----------------------------------------------------------------------------------------- */

static uint32_t words[WORKERS_MAX][32] __attribute__((aligned(128)));

WORKERS(futex_wake_own, BOTH, NULL, NULL)
{
	MUST(syscall(SYS_futex, words[w->index], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

WORKERS(futex_wake_same, THREADS, NULL, NULL)
{
	MUST(syscall(SYS_futex, words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	w->turn++;
}

static void *
answer(void *arg)
{
	struct worker *w = arg;
	uint32_t *word = words[w->index];

	stand_on(w->index);
	for (;;) {
		while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
			syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		__atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
		MUST(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	}
	return NULL;
}

static void
futex_partner(struct worker *w)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer, w) != 0)
		give_up(__FILE__, __LINE__, "pthread_create");
	pthread_detach(thread);
}

/* A partner thread on the same CPU: two switches. */
ITEM_OF(switch_futex, PROCESSES, 2, futex_partner, NULL)
{
	uint32_t *word = words[w->index];

	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	MUST(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 1)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

/* A lock in a program that all its threads want. */
WORKERS(mutex_same, THREADS, NULL, NULL)
{
	pthread_mutex_lock(&one);
	for (int i = 0; i < 50; i++)
		w->turn++;
	pthread_mutex_unlock(&one);
	for (int i = 0; i < 50; i++)
		w->turn++;
}

/* --- signals ----------------------------------------------------------------------------------------- */

static void
nothing(int sig)
{
	(void)sig;
}

static void
catch(void)
{
	struct sigaction act = { .sa_handler = nothing };

	MUST(sigaction(SIGUSR1, &act, NULL));
}

static pid_t tids[WORKERS_MAX];

static void
note_tid(struct worker *w)
{
	__atomic_store_n(&tids[w->index], (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
}

WORKERS(signal_self, BOTH, note_tid, catch)
{
	MUST(syscall(SYS_tgkill, getpid(), tids[w->index], SIGUSR1));
}

/* To the next thread, which is doing the same; one alone signals itself. */
WORKERS(signal_next, THREADS | NO_SCALING, note_tid, catch)
{
	MUST(syscall(SYS_tgkill, getpid(), tids[(w->index + 1) % w->count], SIGUSR1) == 0 || errno == ESRCH ? 0 : -1);
}

/* --- births and deaths ------------------------------------------------------------------------------- */

WORKERS(fork_exit, PROCESSES, NULL, NULL)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(0);
	MUST(waitpid(pid, NULL, 0));
	w->turn++;
}

static void *
leave(void *arg)
{
	return arg;
}

WORKERS(thread_exit, BOTH, NULL, NULL)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, leave, NULL) != 0)
		give_up(__FILE__, __LINE__, "pthread_create");
	pthread_join(thread, NULL);
	w->turn++;
}
