/* SPDX-License-Identifier: MIT */
/* Signals; processes and threads that are made and end. */
#include "bench.h"

#include <pthread.h>
#include <ucontext.h>

#define PAGE 4096l

/* --- signals --------------------------------------------------------------------------------------------- */

static volatile long caught;

static void
count(int sig)
{
	(void)sig;
	caught++;
}

ITEM(signal_install, 20000)
{
	struct sigaction a = { .sa_handler = count };

	for (long i = 0; i < n; i++)
		MUST(sigaction(SIGUSR1, &a, NULL));
}

ITEM(signal_catch, 10000)
{
	struct sigaction a = { .sa_handler = count };
	pid_t pid = getpid();

	MUST(sigaction(SIGUSR1, &a, NULL));
	for (long i = 0; i < n; i++)
		MUST(kill(pid, SIGUSR1));
}

static void
step_over(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	MUST(mprotect((void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE));
}

/* The fault, the handler, and the mprotect that lets it go on. */
ITEM(protection_fault, 2000)
{
	struct sigaction a = { .sa_sigaction = step_over, .sa_flags = SA_SIGINFO };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		give_up(__FILE__, __LINE__, "mmap");
	*page = 0;
	MUST(sigaction(SIGSEGV, &a, NULL));
	for (long i = 0; i < n; i++) {
		MUST(mprotect(page, PAGE, PROT_READ));
		*(volatile char *)page = 1;
	}
	MUST(munmap(page, PAGE));
}

/* --- processes and threads ------------------------------------------------------------------------------- */

ITEM(fork_exit, 300)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = MUST(fork());

		if (pid == 0)
			_exit(0);
		wait_child(pid, "the child");
	}
}

static void
spawn(long n, const char *path, char *const argv[])
{
	for (long i = 0; i < n; i++) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			execv(path, argv);
			_exit(127);
		}
		wait_child(pid, "the child");
	}
}

/* An empty static program: this one, told to list nothing. */
ITEM(fork_exec, 100)
{
	char *const argv[] = { (char *)"bench", (char *)"--nothing", NULL };

	spawn(n, "/proc/self/exe", argv);
}

ITEM(fork_sh, 50)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)":", NULL };

	spawn(n, "/bin/sh", argv);
}

ITEM(exec_bash, 20)
{
	char *const argv[] = { (char *)"bash", (char *)"-c", (char *)":", NULL };

	spawn(n, "/bin/bash", argv);
}

static void *
nothing(void *arg)
{
	return arg;
}

ITEM(thread_create_join, 1000)
{
	for (long i = 0; i < n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, nothing, NULL) != 0)
			give_up(__FILE__, __LINE__, "pthread_create");
		pthread_join(t, NULL);
	}
}
