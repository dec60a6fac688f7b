/* SPDX-License-Identifier: MIT */
/* /sys as programs read it, and what sysfs is as a file system. */
#include "../check.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define CPU "/sys/devices/system/cpu/"
#define HUGE "/sys/kernel/mm/transparent_hugepage/"

static char text[1 << 14];

static const char *
slurp(const char *path)
{
	check_read_file(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The CPUs of a list such as "0-3,6". */
static int
count_list(const char *list)
{
	int n = 0;

	while (*list) {
		long low = strtol(list, (char **)&list, 10), high = low;

		if (*list == '-')
			high = strtol(list + 1, (char **)&list, 10);
		n += (int)(high - low + 1);
		if (*list == ',')
			list++;
	}
	return n;
}

TEST(sysfs_is_a_file_system)
{
	struct statfs fs;
	struct stat st;

	CHECK_OK(statfs("/sys", &fs));
	CHECK_EQ(fs.f_type, 0x62656572);
	CHECK_OK(stat("/sys", &st));
	CHECK_EQ(st.st_ino, 1);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQ(st.st_uid, 0);
}

TEST(sysfs_cpu_lists_agree_with_libc)
{
	CHECK_EQ(count_list(slurp(CPU "online")), sysconf(_SC_NPROCESSORS_ONLN));
	CHECK_EQ(count_list(slurp(CPU "possible")), sysconf(_SC_NPROCESSORS_CONF));
	CHECK_EQ(count_list(slurp(CPU "present")), sysconf(_SC_NPROCESSORS_CONF));
	CHECK_STR(slurp(CPU "offline"), "");
	CHECK(atoi(slurp(CPU "kernel_max")) >= sysconf(_SC_NPROCESSORS_CONF) - 1);
}

TEST(sysfs_topology_of_each_cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char path[96];

	for (long i = 0; i < cpus; i++) {
		snprintf(path, sizeof(path), CPU "cpu%ld/topology/core_cpus_list", i);
		CHECK(count_list(slurp(path)) >= 1);
		snprintf(path, sizeof(path), CPU "cpu%ld/topology/thread_siblings", i);
		CHECK(strtoul(slurp(path), NULL, 16) & 1ul << i);
		snprintf(path, sizeof(path), CPU "cpu%ld/topology/package_cpus_list", i);
		CHECK(count_list(slurp(path)) <= cpus);
		snprintf(path, sizeof(path), CPU "cpu%ld/topology/physical_package_id", i);
		CHECK(strlen(slurp(path)) > 0);
		snprintf(path, sizeof(path), CPU "cpu%ld/topology/core_id", i);
		CHECK(strlen(slurp(path)) > 0);
	}
	snprintf(path, sizeof(path), CPU "cpu%ld", cpus);
	CHECK_ERRNO(access(path, F_OK), ENOENT);
}

TEST(sysfs_caches_are_whole)
{
	char type[32];

	if (access(CPU "cpu0/cache/index0", F_OK) != 0)
		SKIP("this processor describes no caches");
	strcpy(type, slurp(CPU "cpu0/cache/index0/type"));
	CHECK(!strcmp(type, "Data") || !strcmp(type, "Unified") || !strcmp(type, "Instruction"));
	long size = atol(slurp(CPU "cpu0/cache/index0/size")) * 1024;
	long line = atol(slurp(CPU "cpu0/cache/index0/coherency_line_size"));
	long ways = atol(slurp(CPU "cpu0/cache/index0/ways_of_associativity"));
	long sets = atol(slurp(CPU "cpu0/cache/index0/number_of_sets"));
	CHECK_EQ(size, line * ways * sets);
	CHECK_EQ(atol(slurp(CPU "cpu0/cache/index0/level")), 1);
	CHECK(strtoul(slurp(CPU "cpu0/cache/index0/shared_cpu_map"), NULL, 16) & 1);
}

TEST(sysfs_files_say_a_page_of_size)
{
	struct stat st;

	CHECK_OK(stat(CPU "online", &st));
	CHECK_EQ(st.st_size, 4096);
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
	CHECK_OK(stat(HUGE "enabled", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_OK(lstat("/sys/class/mem/null", &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0777);
	CHECK_EQ(st.st_size, 0);
	CHECK_OK(stat("/sys/class/mem", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(stat("/sys/kernel/mm/hugepages", &st));
	CHECK(st.st_nlink > 2);
}

TEST(sysfs_open_refuses_what_the_file_cannot)
{
	CHECK_ERRNO(open(CPU "online", O_WRONLY), EACCES);
	CHECK_ERRNO(open(CPU "online", O_RDWR), EACCES);
	CHECK_ERRNO(open(CPU "online", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("/sys/class", O_WRONLY), EISDIR);
	/* To ask costs nothing: the mode bits do not bind root. */
	CHECK_OK(access(CPU "online", W_OK));
	check_drop_root();
	CHECK_ERRNO(open(HUGE "enabled", O_WRONLY), EACCES);
	CHECK_OK(open(HUGE "enabled", O_RDONLY));
}

TEST(sysfs_tree_cannot_be_changed)
{
	CHECK_ERRNO(mkdir("/sys/new", 0755), EPERM);
	CHECK_ERRNO(open("/sys/new", O_CREAT | O_WRONLY, 0644), EACCES);
	CHECK_ERRNO(unlink(CPU "online"), EPERM);
	CHECK_ERRNO(rmdir("/sys/class"), EPERM);
	CHECK_ERRNO(symlink("a", "/sys/link"), EPERM);
	CHECK_ERRNO(link(CPU "online", "/sys/link"), EPERM);
	CHECK_ERRNO(rename("/sys/class", "/sys/new"), EPERM);
	CHECK_ERRNO(open("/sys/new", O_RDONLY), ENOENT);
}

TEST(sysfs_reads_from_any_position)
{
	int fd = CHECK_OK(open(HUGE "hpage_pmd_size", O_RDONLY));
	char a[32] = { 0 }, b[32] = { 0 };

	CHECK_EQ(read(fd, a, sizeof(a)), 8);
	CHECK_STR(a, "2097152\n");
	CHECK_EQ(read(fd, b, sizeof(b)), 0);
	CHECK_EQ(pread(fd, b, 3, 4), 3);
	CHECK_MEM(b, a + 4, 3);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(read(fd, b, 1), 1);
		CHECK_EQ(b[0], a[i]);
	}
	CHECK_EQ(read(fd, b, 1), 0);
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(read(fd, b, sizeof(b)), 6);
	CHECK_ERRNO(pread(fd, check_bad_address(), 8, 0), EFAULT);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
}

TEST(sysfs_setting_is_read_back)
{
	char before[64], *word, *end;
	int fd;

	strcpy(before, slurp(HUGE "enabled"));
	word = strchr(before, '[') + 1;
	end = strchr(word, ']');
	fd = CHECK_OK(open(HUGE "enabled", O_RDWR | O_TRUNC));
	CHECK_EQ(write(fd, "madvise\n", 8), 8);
	CHECK_STR(slurp(HUGE "enabled"), "always [madvise] never");
	CHECK_EQ(pwrite(fd, "always", 6, 0), 6);
	CHECK_STR(slurp(HUGE "enabled"), "[always] madvise never");
	CHECK_ERRNO(pwrite(fd, "sometimes", 9, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, check_bad_address(), 6, 0), EFAULT);
	CHECK_STR(slurp(HUGE "enabled"), "[always] madvise never");
	*end = '\0';
	CHECK_EQ(pwrite(fd, word, strlen(word), 0), (long long)strlen(word));
}

TEST(sysfs_links_lead_from_class_and_number_to_the_device)
{
	char path[64], target[PATH_MAX], real[PATH_MAX];
	struct stat st, other;
	ssize_t n = CHECK_OK(readlink("/sys/class/mem/null", target, sizeof(target) - 1));

	target[n] = '\0';
	CHECK_STR(target, "../../devices/virtual/mem/null");
	CHECK(realpath("/sys/class/mem/null/subsystem", real));
	CHECK_STR(real, "/sys/class/mem");
	CHECK_OK(stat("/dev/null", &st));
	snprintf(path, sizeof(path), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	CHECK_STR(slurp("/sys/class/mem/null/dev"), path);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	CHECK_OK(stat(path, &st));
	CHECK_OK(stat("/sys/devices/virtual/mem/null", &other));
	CHECK_EQ(st.st_ino, other.st_ino);
	check_read_file("/sys/class/tty/tty/uevent", text, sizeof(text));
	CHECK(strstr(text, "MAJOR=5\nMINOR=0\nDEVNAME=tty\n"));
	CHECK_EQ(readlink("/sys/class/mem/null", target, 5), 5);
	CHECK_MEM(target, "../..", 5);
}

TEST(sysfs_listing_agrees_with_look_up)
{
	static const char *const folders[] = { "/sys", CPU, CPU "cpu0/topology", "/sys/class/mem",
					       "/sys/kernel/mm/hugepages" };

	for (size_t f = 0; f < sizeof(folders) / sizeof(folders[0]); f++) {
		DIR *d = opendir(folders[f]);
		struct dirent *e;
		struct stat st;
		int n = 0;

		CHECK(d);
		while ((e = readdir(d))) {
			CHECK_OK(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
			if (strcmp(e->d_name, "..") != 0 || f != 0)
				CHECK_EQ(e->d_ino, st.st_ino);
			CHECK_EQ(e->d_type, (st.st_mode >> 12) & 15);
			n++;
		}
		CHECK(n > 2);
		rewinddir(d);
		while (readdir(d))
			n--;
		CHECK_EQ(n, 0);
		closedir(d);
	}
}

TEST(sysfs_node_holds_all_cpus)
{
	char cpus[256];

	strcpy(cpus, slurp(CPU "online"));
	CHECK_STR(slurp("/sys/devices/system/node/online"), "0");
	CHECK_STR(slurp("/sys/devices/system/node/node0/cpulist"), cpus);
	check_read_file("/sys/devices/system/node/node0/meminfo", text, sizeof(text));
	CHECK(strstr(text, "Node 0 MemTotal:"));
	CHECK(strtoul(slurp("/sys/devices/system/memory/block_size_bytes"), NULL, 16) >= 1 << 20);
	CHECK_STR(slurp("/sys/devices/system/memory/memory0/state"), "online");
}
