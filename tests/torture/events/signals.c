/* SPDX-License-Identifier: MIT */
/*
 * signals.c - signals from everywhere to threads that handle, wait, block and sleep.
 */
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include "storm.h"

/* Handlers nest as deep as signals are queued: PENDING of them. */
#define PENDING 20
#define ROOM    (8u << 20)

static volatile bool stop;
static _Atomic long handled, queued, depth;
static pid_t tids[8];

static void
handler(int number, siginfo_t *info, void *context)
{
	depth++;
	handled++;
	if (info->si_code == SI_QUEUE)
		queued++;
	depth--;
}

static void *
taker(void *arg)
{
	char *stack = malloc(ROOM);
	stack_t ss = { .ss_sp = stack, .ss_size = ROOM };
	struct timespec soon = { 0, 100000 };
	sigset_t some, none;

	sigaltstack(&ss, NULL);
	tids[(long)arg] = (pid_t)syscall(SYS_gettid);
	sigemptyset(&none);
	sigemptyset(&some);
	for (int i = 0; i < 5; i++)
		sigaddset(&some, SIGRTMIN + storm_below(10));
	while (!stop) {
		siginfo_t info;
		int fd;

		switch (storm_below(5)) {
		case 0:
			nanosleep(&soon, NULL);
			break;
		case 1:
			pthread_sigmask(SIG_BLOCK, &some, NULL);
			sigtimedwait(&some, &info, &soon);
			break;
		case 2:
			pthread_sigmask(SIG_SETMASK, &none, NULL);
			break;
		case 3:
			pselect(0, NULL, NULL, NULL, &soon, &none);
			break;
		default:
			fd = signalfd(-1, &some, SFD_NONBLOCK);
			if (read(fd, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo)) < 0)
				sched_yield();
			close(fd);
		}
	}
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	free(stack);
	return NULL;
}

static void *
sender(void *arg)
{
	while (!stop) {
		int number = storm_below(2) ? SIGRTMIN + storm_below(10) : SIGUSR1;

		if (depth > 20) {
			usleep(200);
			continue;
		}
		if (storm_below(2))
			sigqueue(getpid(), number, (union sigval){ .sival_int = 1 });
		else if (tids[0])
			syscall(SYS_tgkill, getpid(), tids[storm_below(3)], number);
	}
	return NULL;
}

static void
storm_body(void)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART };
	struct itimerspec quick = { { 0, 700000 }, { 0, 700000 } };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	long long end = storm_end();
	pthread_t t[5];
	timer_t timer;

	for (int i = 0; i < 10; i++)
		sigaction(SIGRTMIN + i, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	stop = false;
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &e, &timer));
	CHECK_OK(timer_settime(timer, 0, &quick, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
	for (long i = 0; i < 5; i++)
		t[i] = storm_thread(i < 3 ? taker : sender, (void *)i);
	while (!storm_over(end) || !handled || !queued)
		usleep(1000);
	stop = true;
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
	CHECK_OK(timer_delete(timer));
}

/* In a child: what is still queued goes with it. */
static void
signals_body(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		struct rlimit l = { PENDING, PENDING };

		CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &l));
		storm_body();
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(signals_from_everywhere)
{
	storm_end();
	storm_leaves_nothing(signals_body);
}

/* Every queued signal comes, once, in order, while others stop and continue the receiver. */
TEST(queued_signals_all_come)
{
	long long end = storm_end();

	while (!storm_over(end)) {
		pid_t pid = check_fork();
		sigset_t set;
		int last = -1, ready[2];
		char c;

		CHECK_OK(pipe(ready));
		if (pid == 0)
			_exit(0);
		CHECK_EXIT(pid, 0);
		pid = check_fork();
		if (pid == 0) {
			siginfo_t info;

			sigemptyset(&set);
			sigaddset(&set, SIGRTMIN);
			sigprocmask(SIG_BLOCK, &set, NULL);
			CHECK_EQ(write(ready[1], "r", 1), 1);
			for (int i = 0; i < 100; i++) {
				while (sigwaitinfo(&set, &info) < 0)
					CHECK_EQ(errno, EINTR);
				if (info.si_value.sival_int != last + 1)
					_exit(1);
				last = info.si_value.sival_int;
			}
			_exit(0);
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
		for (int i = 0; i < 100; i++) {
			while (sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = i }) < 0)
				CHECK_EQ(errno, EAGAIN);
			if (storm_below(10) == 0) {
				kill(pid, SIGSTOP);
				kill(pid, SIGCONT);
			}
		}
		kill(pid, SIGCONT);
		CHECK_EXIT(pid, 0);
		close(ready[0]);
		close(ready[1]);
	}
}
