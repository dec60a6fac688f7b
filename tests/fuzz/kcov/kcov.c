/* SPDX-License-Identifier: MIT */
/*
 * kcov.c - /dev/kcov behaves as Linux's kcov does. Prints a line for each check that fails; the status is how
 * many did. With an argument: prints the addresses that one getppid() and one write() ran through.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE     _IO('c', 100)
#define KCOV_DISABLE    _IO('c', 101)
#define KCOV_TRACE_PC   0
#define KCOV_TRACE_CMP  1
#define WORDS           16384ul

static int failed;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("kcov.c:%d: %s (errno %d)\n", __LINE__, #cond, errno);              \
			failed++;                                                                  \
		}                                                                                  \
	} while (0)
#define CHECK_ERROR(call, error) CHECK((call) == -1 && errno == (error))

static int fd;
static volatile uint64_t *buffer;

static void
states(void)
{
	fd = open("/dev/kcov", O_RDWR);
	CHECK(fd >= 0);
	CHECK_ERROR(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC), EINVAL);
	CHECK_ERROR(ioctl(fd, KCOV_DISABLE, 0), EINVAL);
	CHECK(mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK_ERROR(ioctl(fd, KCOV_INIT_TRACE, 1), EINVAL);
	CHECK_ERROR(ioctl(fd, KCOV_INIT_TRACE, 1ul << 40), EINVAL);
	CHECK(ioctl(fd, KCOV_INIT_TRACE, WORDS) == 0);
	CHECK_ERROR(ioctl(fd, KCOV_INIT_TRACE, WORDS), EBUSY);
	CHECK(mmap(NULL, WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	buffer = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(buffer != MAP_FAILED);
	CHECK_ERROR(ioctl(fd, KCOV_ENABLE, 7), EINVAL);
	CHECK_ERROR(ioctl(fd, 0x6301, 0), ENOTTY);
}

static void
records_own_calls(void)
{
	uint64_t few, n;

	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	CHECK_ERROR(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC), EBUSY);
	buffer[0] = 0;
	syscall(SYS_getppid);
	few = buffer[0];
	CHECK(few > 0 && few < 200);
	buffer[0] = 0;
	CHECK(syscall(SYS_open, "/dev/null", O_RDONLY) >= 0);
	n = buffer[0];
	CHECK(n > few && n < WORDS);
	for (uint64_t i = 1; i <= n; i++)
		CHECK(buffer[i] >= 0xffffffff80000000ul);
	/* A full or a spoilt buffer is left as it is. */
	buffer[0] = WORDS;
	syscall(SYS_getppid);
	CHECK(buffer[0] == WORDS);
	buffer[0] = UINT64_MAX;
	syscall(SYS_getppid);
	CHECK(buffer[0] == UINT64_MAX);
	CHECK_ERROR(ioctl(fd, KCOV_DISABLE, 1), EINVAL);
	CHECK(ioctl(fd, KCOV_DISABLE, 0) == 0);
	buffer[0] = 0;
	syscall(SYS_getppid);
	CHECK(buffer[0] == 0);
}

static void *
other_thread(void *unused)
{
	syscall(SYS_open, "/dev/null", O_RDONLY);
	CHECK_ERROR(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC), EBUSY);
	CHECK_ERROR(ioctl(fd, KCOV_DISABLE, 0), EINVAL);
	return unused;
}

static void *
enabling_thread(void *unused)
{
	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	return unused;
}

static void
belongs_to_a_thread(void)
{
	int status = -1;
	pthread_t t;
	pid_t child;

	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	pthread_create(&t, NULL, other_thread, NULL);
	pthread_join(t, NULL);
	/* A child is not recorded. */
	child = fork();
	if (child == 0)
		_exit(!(ioctl(fd, KCOV_DISABLE, 0) == -1 && errno == EINVAL));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(ioctl(fd, KCOV_DISABLE, 0) == 0);
	/* A thread that ends gives the buffer back. */
	pthread_create(&t, NULL, enabling_thread, NULL);
	pthread_join(t, NULL);
	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	CHECK(ioctl(fd, KCOV_DISABLE, 0) == 0);
	/* So does a process that is killed. */
	child = fork();
	if (child == 0) {
		ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
		kill(getpid(), 9);
	}
	waitpid(child, NULL, 0);
	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	CHECK(ioctl(fd, KCOV_DISABLE, 0) == 0);
}

static void
records_comparisons(void)
{
	bool found = false;

	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_CMP) == 0);
	buffer[0] = 0;
	syscall(SYS_lseek, 0x5eed, 0, 0x1337);
	syscall(SYS_madvise, 0x10000, 4096, 0x1337);
	CHECK(buffer[0] > 0 && buffer[0] <= WORDS / 4);
	for (uint64_t i = 0; i < buffer[0]; i++) {
		volatile uint64_t *r = &buffer[1 + 4 * i];

		CHECK(r[0] < 8 && r[3] >= 0xffffffff80000000ul);
		found |= r[1] == 0x1337 || r[2] == 0x1337;
	}
	CHECK(found);
	CHECK(ioctl(fd, KCOV_DISABLE, 0) == 0);
}

/* Closing the file, then unmapping the buffer, takes nothing away from a thread that records. */
static void
outlives_its_file(void)
{
	CHECK(ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	close(fd);
	buffer[0] = 0;
	syscall(SYS_getppid);
	CHECK(buffer[0] > 0);
	munmap((void *)buffer, WORDS * 8);
	syscall(SYS_getppid);
}

static void
print_trace(void)
{
	static uint64_t pc[WORDS];
	uint64_t n;

	ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
	buffer[0] = 0;
	syscall(SYS_getppid);
	syscall(SYS_write, -1, "", 1);
	n = buffer[0];
	memcpy(pc, (void *)(buffer + 1), n * 8);
	ioctl(fd, KCOV_DISABLE, 0);
	for (uint64_t i = 0; i < n; i++)
		printf("%#lx\n", pc[i]);
}

int
main(int argc, char **argv)
{
	(void)argv;
	states();
	if (failed)
		return failed;
	if (argc > 1) {
		print_trace();
		return 0;
	}
	records_own_calls();
	belongs_to_a_thread();
	records_comparisons();
	outlives_its_file();
	if (!failed)
		printf("kcov: all checks passed\n");
	return failed;
}
