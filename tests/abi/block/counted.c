/* SPDX-License-Identifier: MIT */
/*
 * counted.c - what disks are asked for is counted for who asks: getrusage(2), /proc/PID/io, /proc/vmstat.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "disk.h"

#define BYTES  (64 * 1024)
#define BLOCKS (BYTES / 512)

static struct rusage
usage(int who)
{
	struct rusage r;

	CHECK_OK(getrusage(who, &r));
	return r;
}

/* The number behind `name` in a file of lines. */
static unsigned long long
count_in(const char *path, const char *name)
{
	char line[128];
	unsigned long long n = 0;
	bool found = false;
	FILE *f = fopen(path, "r");

	CHECK(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), "%llu", &n) == 1;
	fclose(f);
	CHECK(found);
	return n;
}

static void *
buffer(void)
{
	void *p;

	CHECK(posix_memalign(&p, 4096, BYTES) == 0);
	memset(p, 7, BYTES);
	return p;
}

TEST(direct_transfers_count_for_their_thread)
{
	struct disk d = disk_flags(1 * MIB, 0, O_RDWR | O_DIRECT);
	void *buf = buffer();
	struct rusage before = usage(RUSAGE_THREAD), after;
	unsigned long long read_before = count_in("/proc/self/io", "read_bytes: ");
	unsigned long long written_before = count_in("/proc/self/io", "write_bytes: ");
	unsigned long long in_before = count_in("/proc/vmstat", "pgpgin "), out_before = count_in("/proc/vmstat", "pgpgout ");

	CHECK_EQ(pread(d.fd, buf, BYTES, 0), BYTES);
	after = usage(RUSAGE_THREAD);
	CHECK_EQ(after.ru_inblock - before.ru_inblock, BLOCKS);
	CHECK_EQ(after.ru_oublock - before.ru_oublock, 0);
	CHECK_EQ(pwrite(d.fd, buf, BYTES, 0), BYTES);
	after = usage(RUSAGE_THREAD);
	CHECK_EQ(after.ru_inblock - before.ru_inblock, BLOCKS);
	CHECK_EQ(after.ru_oublock - before.ru_oublock, BLOCKS);
	CHECK_EQ(count_in("/proc/self/io", "read_bytes: ") - read_before, BYTES);
	CHECK_EQ(count_in("/proc/self/io", "write_bytes: ") - written_before, BYTES);
	CHECK(count_in("/proc/vmstat", "pgpgin ") - in_before >= BYTES / 1024);
	CHECK(count_in("/proc/vmstat", "pgpgout ") - out_before >= BYTES / 1024);
}

TEST(pages_that_become_dirty_count_for_who_writes)
{
	struct disk d = disk_of(1 * MIB);
	struct rusage before;

	CHECK_EQ(pread(d.fd, buffer(), BYTES, 0), BYTES);
	before = usage(RUSAGE_SELF);
	CHECK_EQ(pwrite(d.fd, buffer(), BYTES, 0), BYTES);
	CHECK_EQ(usage(RUSAGE_SELF).ru_oublock - before.ru_oublock, BLOCKS);
	CHECK_EQ(usage(RUSAGE_SELF).ru_inblock - before.ru_inblock, 0);
	/* What is cached is read from no disk. */
	CHECK_EQ(pread(d.fd, buffer(), BYTES, 0), BYTES);
	CHECK_EQ(usage(RUSAGE_SELF).ru_inblock - before.ru_inblock, 0);
}

TEST(children_count_when_they_are_waited_for)
{
	struct disk d = disk_flags(1 * MIB, 0, O_RDWR | O_DIRECT);
	void *buf = buffer();
	struct rusage before = usage(RUSAGE_CHILDREN), own = usage(RUSAGE_SELF), child;
	unsigned long long io_before = count_in("/proc/self/io", "read_bytes: ");
	int status;
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(pread(d.fd, buf, BYTES, 0) != BYTES);
	CHECK_EQ(wait4(pid, &status, 0, &child), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(child.ru_inblock, BLOCKS);
	CHECK_EQ(usage(RUSAGE_CHILDREN).ru_inblock - before.ru_inblock, BLOCKS);
	CHECK_EQ(usage(RUSAGE_SELF).ru_inblock - own.ru_inblock, 0);
	CHECK_EQ(count_in("/proc/self/io", "read_bytes: ") - io_before, BYTES);
}

TEST(a_fault_that_waits_for_a_disk_is_a_major_one)
{
	struct disk d = disk_of(1 * MIB);
	volatile const char *p = mmap(NULL, MIB, PROT_READ, MAP_SHARED, d.fd, 0);
	unsigned long long machine = count_in("/proc/vmstat", "pgmajfault ");
	struct rusage before;

	CHECK(p != MAP_FAILED);
	CHECK_OK(madvise((void *)p, MIB, MADV_RANDOM));
	CHECK(posix_fadvise(d.fd, 0, MIB, POSIX_FADV_DONTNEED) == 0);
	before = usage(RUSAGE_SELF);
	CHECK_EQ(p[512 * 1024], 0);
	CHECK_EQ(usage(RUSAGE_SELF).ru_majflt - before.ru_majflt, 1);
	CHECK_EQ(usage(RUSAGE_SELF).ru_inblock - before.ru_inblock, 8);
	CHECK(count_in("/proc/vmstat", "pgmajfault ") > machine);
	CHECK_EQ(p[512 * 1024 + 100], 0);
	CHECK_EQ(usage(RUSAGE_SELF).ru_majflt - before.ru_majflt, 1);
}
