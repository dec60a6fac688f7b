/* SPDX-License-Identifier: MIT */
/* Files of /proc that few programs read: what they say of what the case itself has made. */
#include "../check.h"

#include <sys/mman.h>

static char text[65536];

static const char *
file(const char *path)
{
	check_read_file(path, text, sizeof(text));
	return text;
}

TEST(timers_are_told)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_ptr = (void *)0x1234 };
	char want[512];
	timer_t a, b;

	CHECK_STR(file("/proc/self/timers"), "");
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &e, &a));
	e.sigev_notify = SIGEV_NONE;
	CHECK_OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &e, &b));
	snprintf(want, sizeof(want),
		 "ID: 1\nsignal: 10/0000000000001234\nnotify: none/pid.%d\nClockID: -6\n"
		 "ID: 0\nsignal: 10/0000000000001234\nnotify: signal/pid.%d\nClockID: 1\n", getpid(), getpid());
	CHECK_STR(file("/proc/self/timers"), want);
	CHECK_OK(timer_delete(a));
	CHECK_OK(timer_delete(b));
	CHECK_STR(file("/proc/self/timers"), "");
}

TEST(numa_maps_counts_pages)
{
	char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), want[64];
	const char *line;

	CHECK(p != MAP_FAILED);
	CHECK_OK(madvise(p, 8 * 4096, MADV_NOHUGEPAGE));
	snprintf(want, sizeof(want), "%lx default", (unsigned long)p);
	CHECK(strstr(file("/proc/self/numa_maps"), want));
	memset(p, 1, 3 * 4096);
	line = strstr(file("/proc/self/numa_maps"), want);
	CHECK(line);
	CHECK(strstr(line, " anon=3 dirty=3"));
	CHECK(strstr(line, " N0=3 kernelpagesize_kB=4\n"));
	CHECK(strstr(text, " stack anon="));
	CHECK(strstr(text, " file=/"));
}

TEST(sched_tells_how_a_thread_was_run)
{
	char want[64];
	const char *line;

	snprintf(want, sizeof(want), " (%d, #threads: 1)\n", getpid());
	CHECK(strstr(file("/proc/self/sched"), want));
	CHECK(strstr(text, "\nse.sum_exec_runtime "));
	line = strstr(text, "\nnr_switches ");
	CHECK(line);
	CHECK(strchr(line, ':'));
	CHECK(strstr(text, "\npolicy "));
	CHECK(strstr(file("/proc/thread-self/sched"), want));
}

TEST(a_network_has_its_loopback)
{
	CHECK(strstr(file("/proc/net/dev"), "\n    lo: "));
	CHECK(strstr(text, "Inter-|   Receive "));
}

static long
number(const char *path)
{
	char *end;
	long n = strtol(file(path), &end, 10);

	CHECK_STR(end, "\n");
	return n;
}

TEST(more_settings_are_numbers)
{
	CHECK(number("/proc/sys/vm/swappiness") >= 0);
	CHECK(number("/proc/sys/vm/dirty_ratio") > 0);
	CHECK(number("/proc/sys/vm/vfs_cache_pressure") >= 0);
	CHECK(number("/proc/sys/vm/page-cluster") >= 0);
	CHECK_EQ(number("/proc/sys/vm/zone_reclaim_mode"), 0);
	CHECK_EQ(number("/proc/sys/vm/nr_overcommit_hugepages"), 0);
	CHECK_EQ(number("/proc/sys/fs/mount-max"), 100000);
	CHECK_EQ(number("/proc/sys/fs/overflowuid"), 65534);
	CHECK_EQ(number("/proc/sys/kernel/unprivileged_userns_clone"), 1);
	CHECK_EQ(number("/proc/sys/kernel/sched_rr_timeslice_ms"), 100);
	CHECK_EQ(number("/proc/sys/kernel/sysctl_writes_strict"), 1);
	CHECK_STR(file("/proc/sys/kernel/arch"), "x86_64\n");
	CHECK(strstr(file("/proc/cgroups"), "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"));
	CHECK(strstr(file("/proc/tty/ldiscs"), "n_tty       0\n"));
}
