/* SPDX-License-Identifier: MIT */
/*
 * patience.c - calls that could take for ever: they end at once when there is nothing to do, and when
 * the process is killed.
 */
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

#define HUGE (1ul << 45)

static char *
reserve(size_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* 1024 segments that all lie in the same 2 MiB: two gigabytes to move without the memory for it. */
static struct iovec *
long_vector(void)
{
	static struct iovec v[1024];
	char *p = CHECK_OK(mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < 1024; i++)
		v[i] = (struct iovec){ p, 2 << 20 };
	return v;
}

static void
read_random(void)
{
	int fd = CHECK_OK(open("/dev/urandom", O_RDONLY));

	for (;;)
		CHECK_OK(readv(fd, long_vector(), 1024));
}

static void
read_zeros(void)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDONLY));

	for (;;)
		CHECK_OK(readv(fd, long_vector(), 1024));
}

static void
get_random(void)
{
	char *p = reserve(256 << 20, PROT_READ | PROT_WRITE, 0);

	for (;;)
		CHECK_OK(getrandom(p, 256 << 20, 0));
}

static void
send_nothing(void)
{
	int in = CHECK_OK(open("/dev/zero", O_RDONLY)), out = CHECK_OK(open("/dev/null", O_WRONLY));

	for (;;)
		if (sendfile(out, in, NULL, 0x7ffff000) <= 0)
			pause();
}

static void
populate_for_reading(void)
{
	char *p = reserve(HUGE, PROT_READ, 0);

	if (p != MAP_FAILED)
		madvise(p, HUGE, 22 /* MADV_POPULATE_READ */);
	pause();
}

static void
populate_at_birth(void)
{
	reserve(HUGE, PROT_READ, MAP_POPULATE);
	pause();
}

static void
copy_own_memory(void)
{
	struct iovec *v = long_vector(), *to = v;

	for (;;)
		CHECK_OK(process_vm_readv(getpid(), to, 1024, v, 1024, 0));
}

static void
hash_of_a_sparse_file(void)
{
	int in = memfd_create("sparse", 0), out = CHECK_OK(open("/dev/null", O_WRONLY));

	CHECK_OK(ftruncate(in, 1l << 50));
	for (;;)
		if (sendfile(out, in, NULL, 0x7ffff000) <= 0)
			pause();
}

static void
map_and_write_out(void)
{
	int fd = memfd_create("sparse", 0);
	char *p;

	CHECK_OK(ftruncate(fd, 1l << 44));
	p = CHECK_OK(mmap(NULL, 1ul << 44, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	for (;;)
		CHECK_OK(msync(p, 1ul << 44, MS_SYNC));
}

static const struct {
	const char *name;
	void (*run)(void);
} endless[] = {
	{ "urandom", read_random },
	{ "zero", read_zeros },
	{ "getrandom", get_random },
	{ "sendfile of zeros", send_nothing },
	{ "MADV_POPULATE_READ", populate_for_reading },
	{ "MAP_POPULATE", populate_at_birth },
	{ "process_vm_readv", copy_own_memory },
	{ "sendfile of a sparse file", hash_of_a_sparse_file },
	{ "msync", map_and_write_out },
};

TEST(long_calls_end_with_their_process)
{
	TIMEOUT(120);
	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			check_drop_root();
			endless[i].run();
			_exit(0);
		}
		check_sleep_ms(300);
		kill(pid, SIGKILL);
		long long since = check_now_ms();
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			FAIL("%s ended with status %#x", endless[i].name, status);
		if (check_now_ms() - since > 4000)
			FAIL("%s went on for %lld ms after SIGKILL", endless[i].name, check_now_ms() - since);
	}
}

TEST(emptiness_costs_nothing)
{
	char vector[16];
	int fd = CHECK_OK(memfd_create("sparse", 0));

	TIMEOUT(30);
	CHECK_OK(ftruncate(fd, 1l << 60));
	CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 1, SEEK_HOLE), 1);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1l << 59));
	CHECK_EQ(pwrite(fd, "x", 1, 1l << 58), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1l << 58);
	CHECK_OK(ftruncate(fd, 10));
	char *p = reserve(HUGE, PROT_READ | PROT_WRITE, 0);
	CHECK(p != MAP_FAILED);
	p[1ul << 44] = 1;
	p[4096] = 1;
	CHECK_OK(madvise(p, HUGE, MADV_DONTNEED));
	CHECK_OK(madvise(p, HUGE, MADV_NOHUGEPAGE));
	CHECK_OK(mprotect(p, HUGE, PROT_READ));
	CHECK_OK(mincore(p, 4096 * 16, (unsigned char *)vector));
	CHECK_EQ(p[0], 0);
	char *q = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x100000000000);
	if (q != MAP_FAILED)
		p = q;
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
	CHECK_OK(munmap(p, HUGE));
}
