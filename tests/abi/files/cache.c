/* SPDX-License-Identifier: MIT */
/* What programs say to the page cache, and are told: advice, write-back of ranges, limits. */
#include "../check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { PAGE = 4096, SIZE = 64 * PAGE };

static char contents[SIZE];

static int
file_with_contents(void)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));

	for (int i = 0; i < SIZE; i++)
		contents[i] = (char)(i * 7 + i / PAGE);
	check_write_all(fd, contents, SIZE);
	return fd;
}

static void
same_contents(int fd)
{
	static char got[SIZE];

	CHECK_EQ(pread(fd, got, SIZE, 0), SIZE);
	CHECK_MEM(got, contents, SIZE);
}

TEST(advice_changes_no_contents)
{
	static const int advice[] = { POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL,
				      POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE };
	int fd = file_with_contents();

	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
		CHECK_EQ(posix_fadvise(fd, 0, 0, advice[i]), 0);
		CHECK_EQ(posix_fadvise(fd, PAGE + 5, 3 * PAGE, advice[i]), 0);
		CHECK_EQ(posix_fadvise(fd, 10 * SIZE, SIZE, advice[i]), 0);
		same_contents(fd);
	}
	/* Not yet written back, and dropped at once: nothing is lost. */
	contents[5 * PAGE] = 1;
	CHECK_EQ(pwrite(fd, contents, SIZE, 0), SIZE);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	same_contents(fd);
}

TEST(advice_has_its_errors)
{
	int fd = file_with_contents(), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(posix_fadvise(fd, 0, 0, 6), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, 0, -1), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
	CHECK_EQ(posix_fadvise(fd, -PAGE, 0, POSIX_FADV_NORMAL), 0);
	CHECK_EQ(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
}

TEST(readahead_wants_a_file_to_read)
{
	int fd = file_with_contents(), ends[2], only = CHECK_OK(open("f", O_WRONLY));

	CHECK_OK(pipe(ends));
	CHECK_OK(readahead(fd, 0, SIZE));
	CHECK_OK(readahead(fd, PAGE + 1, 1));
	CHECK_OK(readahead(fd, 10 * SIZE, SIZE));
	CHECK_OK(readahead(fd, 0, 0));
	CHECK_ERRNO(readahead(ends[0], 0, SIZE), EINVAL);
	CHECK_ERRNO(readahead(only, 0, SIZE), EBADF);
	CHECK_ERRNO(readahead(-1, 0, SIZE), EBADF);
	CHECK_ERRNO(readahead(CHECK_OK(open("/dev/null", O_RDONLY)), 0, SIZE), EINVAL);
	same_contents(fd);
}

TEST(ranges_are_written_back)
{
	const unsigned int before = SYNC_FILE_RANGE_WAIT_BEFORE, write = SYNC_FILE_RANGE_WRITE,
			   after = SYNC_FILE_RANGE_WAIT_AFTER;
	int fd = file_with_contents(), ends[2];

	CHECK_OK(pipe(ends));
	for (unsigned int flags = 0; flags <= (before | write | after); flags++) {
		CHECK_OK(sync_file_range(fd, 0, 0, flags));
		CHECK_OK(sync_file_range(fd, PAGE + 1, 5, flags));
		CHECK_OK(sync_file_range(fd, 10 * SIZE, SIZE, flags));
	}
	CHECK_ERRNO(sync_file_range(fd, 0, 0, 8), EINVAL);
	CHECK_ERRNO(sync_file_range(fd, -1, 0, write), EINVAL);
	CHECK_ERRNO(sync_file_range(fd, 0, -1, write), EINVAL);
	CHECK_ERRNO(sync_file_range(fd, INT64_MAX, 1, write), EINVAL);
	CHECK_ERRNO(sync_file_range(ends[1], 0, 0, write), ESPIPE);
	CHECK_ERRNO(sync_file_range(-1, 0, 0, write), EBADF);
	same_contents(fd);
}

TEST(shared_mappings_are_seen_by_reads_at_once)
{
	int fd = file_with_contents();
	char *p = CHECK_OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	for (int round = 0; round < 3; round++) {
		for (int at = round; at < SIZE; at += PAGE + 1)
			p[at] = contents[at] = (char)round;
		same_contents(fd);
		CHECK_OK(msync(p, SIZE, round == 1 ? MS_ASYNC : MS_SYNC));
		CHECK_OK(madvise(p, SIZE, round == 2 ? MADV_WILLNEED : MADV_DONTNEED));
		CHECK_MEM(p, contents, SIZE);
	}
	CHECK_OK(pwrite(fd, "abc", 3, 9));
	CHECK_MEM(p + 9, "abc", 3);
	CHECK_OK(munmap(p, SIZE));
	CHECK_OK(fsync(fd));
}

/* The VmFlags of the mapping that begins at `p`. */
static void
flags_of(void *p, char *out, size_t size)
{
	static char text[262144];
	char key[32];

	check_read_file("/proc/self/smaps", text, sizeof(text));
	snprintf(key, sizeof(key), "%lx-", (unsigned long)(uintptr_t)p);
	char *at = strstr(text, key);
	CHECK(at);
	at = strstr(at, "VmFlags:");
	CHECK(at);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

TEST(advice_for_a_mapping_is_shown)
{
	char flags[160];
	char *p = CHECK_OK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file_with_contents(), 0));

	CHECK_OK(madvise(p, SIZE, MADV_RANDOM));
	flags_of(p, flags, sizeof(flags));
	CHECK(strstr(flags, " rr") && !strstr(flags, " sr"));
	CHECK_OK(madvise(p, SIZE, MADV_SEQUENTIAL));
	flags_of(p, flags, sizeof(flags));
	CHECK(strstr(flags, " sr") && !strstr(flags, " rr"));
	CHECK_MEM(p, contents, SIZE);
	CHECK_OK(madvise(p, SIZE, MADV_NORMAL));
	flags_of(p, flags, sizeof(flags));
	CHECK(!strstr(flags, " sr") && !strstr(flags, " rr"));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(madvise(p, SIZE, MADV_RANDOM), ENOMEM);
	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_RANDOM), EINVAL);
}

TEST(synchronous_writes_write)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_DSYNC, 0644));
	struct iovec v = { (char *)"def", 3 };
	char got[8] = "";

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(close(fd));
	fd = CHECK_OK(open("f", O_RDWR | O_SYNC));
	CHECK_EQ(pwritev2(fd, &v, 1, 3, RWF_SYNC), 3);
	CHECK_EQ(pwritev2(fd, &v, 1, 6, RWF_DSYNC), 3);
	CHECK_EQ(pread(fd, got, 7, 2), 7);
	CHECK_STR(got, "cdefdef");
	CHECK_OK(fdatasync(fd));
}

TEST(syncing_a_file_system_wants_a_handle)
{
	int fd = file_with_contents(), path = CHECK_OK(open("f", O_PATH)), dir = CHECK_OK(open(".", O_RDONLY));

	CHECK_OK(syncfs(fd));
	CHECK_OK(syncfs(dir));
	CHECK_ERRNO(syncfs(path), EBADF);
	CHECK_ERRNO(syncfs(-1), EBADF);
}

/* --- /proc/sys/vm ------------------------------------------------------------------------------------- */

static long
setting(const char *name)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	check_read_file(path, text, sizeof(text));
	return atol(text);
}

/* 0 or an errno. */
static int
set(const char *name, long value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	int fd = CHECK_OK(open(path, O_WRONLY)), n = snprintf(text, sizeof(text), "%ld\n", value);
	int error = write(fd, text, (size_t)n) < 0 ? errno : 0;
	CHECK_OK(close(fd));
	return error;
}

/* A limit is in percent or in bytes: what is written last counts, the other reads 0. */
static void
exclusive(const char *ratio, const char *bytes, long least)
{
	long old = setting(ratio);

	CHECK(old > 0);
	CHECK_EQ(setting(bytes), 0);
	CHECK_EQ(set(bytes, 1 << 20), 0);
	CHECK_EQ(setting(bytes), 1 << 20);
	CHECK_EQ(setting(ratio), 0);
	CHECK_EQ(set(bytes, least - 1), EINVAL);
	CHECK_EQ(set(ratio, 101), EINVAL);
	CHECK_EQ(set(ratio, -1), EINVAL);
	CHECK_EQ(setting(bytes), 1 << 20);
	CHECK_EQ(set(ratio, old), 0);
	CHECK_EQ(setting(ratio), old);
	CHECK_EQ(setting(bytes), 0);
}

TEST(limits_of_dirty_memory_are_percent_or_bytes)
{
	exclusive("dirty_ratio", "dirty_bytes", 2 * PAGE);
	exclusive("dirty_background_ratio", "dirty_background_bytes", 1);
	CHECK(setting("dirty_expire_centisecs") > 0);
	CHECK(setting("dirty_writeback_centisecs") > 0);
}

TEST(caches_are_dropped_on_demand)
{
	int fd = file_with_contents();

	for (int what = 1; what <= 4; what++)
		CHECK_EQ(set("drop_caches", what), 0);
	CHECK_EQ(set("drop_caches", 0), EINVAL);
	CHECK_EQ(set("drop_caches", 5), EINVAL);
	same_contents(fd);
}

TEST(dirty_memory_is_counted)
{
	static char text[65536];
	static const char *const meminfo[] = { "\nDirty:", "\nWriteback:", "\nMemAvailable:" };
	static const char *const vmstat[] = { "\nnr_dirty ", "\nnr_writeback ", "\nnr_dirtied ", "\nnr_written ",
					      "\nnr_dirty_threshold ", "\nnr_dirty_background_threshold " };

	check_read_file("/proc/meminfo", text, sizeof(text));
	for (size_t i = 0; i < sizeof(meminfo) / sizeof(*meminfo); i++)
		CHECK(strstr(text, meminfo[i]));
	check_read_file("/proc/vmstat", text, sizeof(text));
	for (size_t i = 0; i < sizeof(vmstat) / sizeof(*vmstat); i++)
		CHECK(strstr(text, vmstat[i]));
	char *high = strstr(text, vmstat[4]), *low = strstr(text, vmstat[5]);
	CHECK(atol(high + strlen(vmstat[4])) > atol(low + strlen(vmstat[5])));
}
