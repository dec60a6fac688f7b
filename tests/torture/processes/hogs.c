/* SPDX-License-Identifier: MIT */
/*
 * hogs.c - programs that take all the memory there is, each by another way, for the OOM killer.
 *
 * Run by name (`processes --helper hog KIND`) on a machine with little memory, beside a service that
 * must go on answering: tests/test_torture.py. A hog that can take no more, because the kernel refuses it
 * rather than kill it, ends with 0.
 *
 * What they fill memory with names its owner and its address. A page of one program that shows up in another
 * is so told whose it was ("foreign", and the driver fails); the service looks at its stack and data at each
 * byte, the children of a hog at theirs.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "storm.h"

#define MIB (1ul << 20)

static uint64_t
word_for(const uint64_t *at)
{
	return (uint64_t)getpid() << 48 ^ (uint64_t)(uintptr_t)at;
}

static void
fill(void *start, size_t size)
{
	uint64_t *w = start, owner = (uint64_t)getpid() << 48;

	for (size_t i = 0; i < size / sizeof(*w); i++)
		w[i] = owner ^ (uint64_t)(uintptr_t)&w[i];
}

/* Is all as fill() left it? Else it is said, and the program ends. */
static void
look(const void *start, size_t size, const char *what)
{
	const volatile uint64_t *w = start;
	uint64_t owner = (uint64_t)getpid() << 48;

	for (size_t i = 0; i < size / sizeof(*w); i++) {
		uint64_t is = w[i];

		if (is == (owner ^ (uint64_t)(uintptr_t)&w[i]))
			continue;
		dprintf(2, "foreign: pid %d, %s: %#lx holds %#lx, not %#lx: page %#lx of pid %lu?\n", getpid(), what,
			(unsigned long)&w[i], is, word_for((const uint64_t *)&w[i]), is & 0xfffffffff000ul,
			is >> 48);
		_exit(96);
	}
}

static void
anonymous(void)
{
	for (;;) {
		char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		fill(p, MIB);
		look(p, MIB, "anonymous memory");
	}
}

static void
shared_memory(void)
{
	for (;;) {
		char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		fill(p, MIB);
		look(p, MIB, "shared memory");
	}
}

/* A file that only its open handle keeps: it goes with the process. */
static void
file(void)
{
	static char block[65536];
	int fd = (int)syscall(SYS_memfd_create, "hog", 0);

	fill(block, sizeof(block));
	while (write(fd, block, sizeof(block)) > 0)
		;
	_exit(0);
}

/* One page in each 2 MiB: a table for each. */
static void
page_tables(void)
{
	for (;;) {
		char *p = mmap(NULL, 1024 * MIB, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		madvise(p, 1024 * MIB, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < 1024; i += 2)
			*(volatile char *)(p + i * MIB) = 1;
	}
}

static void
more_handles(void)
{
	struct rlimit l = { 1 << 20, 1 << 20 };

	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		_exit(90);
}

static void
pipes(void)
{
	static char block[65536];

	more_handles();
	for (;;) {
		int p[2];

		if (pipe2(p, O_NONBLOCK) < 0)
			_exit(0);
		fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
		while (write(p[1], block, sizeof(block)) > 0)
			;
	}
}

static void
sockets(void)
{
	static char block[30000];

	more_handles();
	for (;;) {
		int p[2];

		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p) < 0)
			_exit(0);
		while (send(p[0], block, sizeof(block), 0) > 0)
			;
	}
}

static void
objects(void)
{
	more_handles();
	for (int failed = 0; failed < 100; failed++) {
		int ep = epoll_create1(0);

		for (;;) {
			struct epoll_event e = { .events = EPOLLIN };
			int fd[4] = { eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), inotify_init(),
				      open("/dev/ptmx", O_RDWR | O_NOCTTY) };

			for (int i = 0; i < 3; i++)
				epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e);
			if (fd[0] < 0)
				break;
		}
	}
	_exit(0);
}

static void *
sleeper(void *arg)
{
	pause();
	return NULL;
}

static void
threads(void)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (int failed = 0; failed < 100;) {
		pthread_t t;

		failed += pthread_create(&t, &a, sleeper, NULL) != 0;
	}
	_exit(0);
}

/* A tree of children, none of them large. */
static void
children(void)
{
	for (int failed = 0; failed < 100;) {
		pid_t pid = fork();

		if (pid == 0) {
			char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			uint64_t stack[512];

			fill(stack, sizeof(stack));
			if (p != MAP_FAILED)
				fill(p, MIB);
			for (;;) {
				look(stack, sizeof(stack), "stack");
				if (p != MAP_FAILED)
					look(p, MIB / 16, "memory");
				usleep(200000);
			}
		}
		failed += pid < 0;
	}
	kill(0, SIGKILL);
}

static const struct {
	const char *name;
	void (*take)(void);
} kinds[] = {
	{ "anonymous", anonymous }, { "shared", shared_memory }, { "file", file },       { "page_tables", page_tables },
	{ "pipes", pipes },         { "sockets", sockets },      { "objects", objects }, { "threads", threads },
	{ "children", children },
};

HELPER(hog)
{
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			setpgid(0, 0);
			/* What the first two take counts as theirs. The others' memory belongs to files, sockets
			 * or many: no kernel knows, unless told, whom to kill for it. */
			if (i > 1) {
				int fd = open("/proc/self/oom_score_adj", O_WRONLY);

				if (fd < 0 || write(fd, "1000", 4) != 4)
					_exit(95);
				close(fd);
			}
			kinds[i].take();
		}
	_exit(91);
}

/* Answers each byte with its successor, until the end of the file. Its memory was there from the start. */
HELPER(service)
{
	static uint64_t data[8192];
	uint64_t stack[2048];
	char c;

	fill(data, sizeof(data));
	fill(stack, sizeof(stack));
	while (read(0, &c, 1) == 1) {
		look(data, sizeof(data), "data");
		look(stack, sizeof(stack), "stack");
		c++;
		if (write(1, &c, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/* The driver: every kind in turn until COUNT were killed; the service must answer beside each and after. */
HELPER(hogs)
{
	int count = argc > 1 ? atoi(argv[1]) : 9, killed = 0, refused = 0, to[2], from[2];
	pid_t service;

	if (pipe(to) < 0 || pipe(from) < 0)
		_exit(92);
	service = fork();
	if (service == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execl("/proc/self/exe", "x", "--helper", "service", (char *)NULL);
		_exit(93);
	}
	close(to[0]);
	close(from[1]);
	for (int i = 0; killed < count; i++) {
		const char *name = kinds[(size_t)i % (sizeof(kinds) / sizeof(kinds[0]))].name;
		char c = (char)('a' + i % 20), answer = 0;
		long long began = check_now_ms();
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execl("/proc/self/exe", "x", "--helper", "hog", name, (char *)NULL);
			_exit(94);
		}
		/* While it grows, and after. */
		for (;;) {
			pid_t ended = waitpid(pid, &status, WNOHANG);

			if (write(to[1], &c, 1) != 1 || read(from[0], &answer, 1) != 1 || answer != c + 1) {
				printf("the service does not answer beside %s\n", name);
				_exit(1);
			}
			if (ended == pid)
				break;
			usleep(10000);
		}
		kill(-pid, SIGKILL);
		while (waitpid(-pid, NULL, 0) > 0)
			;
		killed += WIFSIGNALED(status);
		refused += WIFEXITED(status);
		printf("%s: %s %d after %lld ms\n", name, WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), check_now_ms() - began);
		fflush(stdout);
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			_exit(1);
	}
	if (kill(service, 0) < 0 || kill(1, 0) < 0)
		_exit(1);
	close(to[1]);
	waitpid(service, NULL, 0);
	printf("%d killed, %d refused\n", killed, refused);
	_exit(0);
}
