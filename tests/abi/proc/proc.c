/* SPDX-License-Identifier: MIT */
/* /proc as programs read it. */
#include "../check.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

static char text[1 << 17];

static void
slurp(const char *path)
{
	check_read_file(path, text, sizeof(text));
}

/* The number after `label` in `text`; the case fails if there is none. */
static long long
number_after(const char *label)
{
	const char *at = strstr(text, label);
	char *end;

	if (!at)
		FAIL("looking for \"%s\" (got none in %.60s...)", label, text);
	at += strlen(label);
	long long value = strtoll(at, &end, 10);
	if (end == at)
		FAIL("number after \"%s\" (got %.20s)", label, at);
	return value;
}

static void
link_is(const char *path, const char *want)
{
	char target[PATH_MAX];
	ssize_t n = CHECK_OK(readlink(path, target, sizeof(target) - 1));

	target[n] = '\0';
	CHECK_STR(target, want);
}

TEST(self_is_a_link_to_the_pid)
{
	char want[40];

	snprintf(want, sizeof(want), "%d", getpid());
	link_is("/proc/self", want);
	snprintf(want, sizeof(want), "%d/task/%d", getpid(), getpid());
	link_is("/proc/thread-self", want);
	pid_t pid = check_fork();
	if (pid == 0) {
		snprintf(want, sizeof(want), "%d", getpid());
		link_is("/proc/self", want);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(stat_has_52_fields_in_order)
{
	char state;
	int pid, ppid, pgrp, session, threads;
	long priority, nice_value;
	unsigned long long start;
	unsigned long vsize;

	CHECK_OK(prctl(PR_SET_NAME, "odd ) name"));
	slurp("/proc/self/stat");
	CHECK_EQ(sscanf(text, "%d (odd ) name) %c %d %d %d", &pid, &state, &ppid, &pgrp, &session),
		 5);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(session, getsid(0));
	CHECK_EQ(state, 'R');
	char *after = strrchr(text, ')') + 2;
	CHECK_EQ(sscanf(after, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
			"%ld %ld %d %*d %llu %lu", &priority, &nice_value, &threads, &start, &vsize), 5);
	CHECK_EQ(priority, 20);
	CHECK_EQ(nice_value, 0);
	CHECK_EQ(threads, 1);
	CHECK(vsize > 4096);
	int fields = 2;
	for (char *p = strtok(after, " \n"); p; p = strtok(NULL, " \n"))
		fields++;
	CHECK_EQ(fields, 52);
}

TEST(stat_shows_sleep_stop_and_zombie)
{
	char path[40];
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	check_wait_asleep(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	slurp(path);
	CHECK_EQ(strrchr(text, ')')[2], 'S');
	siginfo_t info;
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	slurp(path);
	CHECK_EQ(strrchr(text, ')')[2], 'T');
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	slurp(path);
	CHECK_EQ(strrchr(text, ')')[2], 'Z');
	CHECK_KILLED(pid, SIGKILL);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(status_lines)
{
	char want[80];

	CHECK_OK(prctl(PR_SET_NAME, "tester"));
	slurp("/proc/self/status");
	CHECK(!strncmp(text, "Name:\ttester\n", 13));
	CHECK_EQ(number_after("\nPid:\t"), getpid());
	CHECK_EQ(number_after("\nPPid:\t"), getppid());
	CHECK_EQ(number_after("\nTgid:\t"), getpid());
	CHECK_EQ(number_after("\nThreads:\t"), 1);
	CHECK(strstr(text, "\nState:\tR (running)\n"));
	CHECK(strstr(text, "\nUid:\t0\t0\t0\t0\n"));
	CHECK(strstr(text, "\nGid:\t0\t0\t0\t0\n"));
	CHECK(number_after("\nVmSize:\t") > 0);
	CHECK(number_after("\nVmRSS:\t") > 0);
	CHECK(strstr(text, "\nSigBlk:\t0000000000000000\n"));
	snprintf(want, sizeof(want), "\nUmask:\t0022\n");
	CHECK(strstr(text, want));
}

TEST(status_shows_signal_masks)
{
	sigset_t set;

	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(raise(SIGUSR1));
	slurp("/proc/self/status");
	CHECK(strstr(text, "\nSigBlk:\t0000000000000200\n"));
	CHECK(strstr(text, "\nSigIgn:\t0000000000000800\n"));
	CHECK(strstr(text, "\nSigPnd:\t0000000000000200\n"));
}

TEST(statm_counts_pages)
{
	long size, resident, size2, resident2;

	slurp("/proc/self/statm");
	CHECK_EQ(sscanf(text, "%ld %ld", &size, &resident), 2);
	char *p = CHECK_OK(mmap(NULL, 400 * 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
	slurp("/proc/self/statm");
	CHECK_EQ(sscanf(text, "%ld %ld", &size2, &resident2), 2);
	CHECK(size2 >= size + 400);
	CHECK(resident2 >= resident + 200);
	CHECK_OK(munmap(p, 400 * 4096));
}

enum { PEAK_KB = 24 << 10 };

static long
peak_told_kb(int who)
{
	struct rusage use;

	CHECK_OK(getrusage(who, &use));
	return use.ru_maxrss;
}

static long long
status_kb(const char *label)
{
	slurp("/proc/self/status");
	return number_after(label);
}

/* A program that comes after one that was large: exits with 1 when its own peak is not small, 2 when the process's is. */
HELPER(is_small_now)
{
	if (status_kb("\nVmHWM:") >= PEAK_KB)
		_exit(1);
	_exit(peak_told_kb(RUSAGE_SELF) >= PEAK_KB ? 0 : 2);
}

/* Linux counts a thread's last 64 pages or so late. */
TEST(peaks_stay_when_memory_is_given_back)
{
	long long slack = 512, before;
	pid_t pid = check_fork();
	size_t size = (size_t)PEAK_KB << 10;
	struct rusage use;
	char *p;

	if (pid == 0) {
		before = status_kb("\nVmRSS:");
		p = CHECK_OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		memset(p, 1, size);
		CHECK_OK(munmap(p, size));
		CHECK(status_kb("\nVmRSS:") < before + PEAK_KB / 2);
		CHECK(status_kb("\nVmHWM:") >= before + PEAK_KB - slack);
		CHECK(status_kb("\nVmPeak:") >= status_kb("\nVmSize:") + PEAK_KB);
		CHECK(peak_told_kb(RUSAGE_SELF) >= before + PEAK_KB - slack);
		execl("/proc/self/exe", "x", "--helper", "is_small_now", (char *)NULL);
		_exit(9);
	}
	siginfo_t info;
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_status, 0);
	CHECK_EQ(wait4(pid, NULL, 0, &use), pid);
	CHECK(use.ru_maxrss >= PEAK_KB - slack);
	CHECK(peak_told_kb(RUSAGE_CHILDREN) >= PEAK_KB - slack);
}

HELPER(print_file)
{
	int fd = open(argv[1], O_RDONLY);
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		check_write_all(1, text, (size_t)n);
}

/* What a new program with these arguments and environment sees in `file`. */
static size_t
seen_by_program(char *const argv[], char *const envp[])
{
	int ends[2];
	size_t done = 0;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(dup2(ends[1], 1));
		execve("/proc/self/exe", argv, envp);
		_exit(99);
	}
	CHECK_OK(close(ends[1]));
	for (;;) {
		ssize_t n = CHECK_OK(read(ends[0], text + done, sizeof(text) - 1 - done));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	CHECK_EXIT(pid, 0);
	text[done] = '\0';
	return done;
}

TEST(cmdline_and_environ_are_nul_separated)
{
	char *argv[] = { "prog name", "--helper", "print_file", "/proc/self/cmdline", "", NULL };
	char *argv2[] = { "x", "--helper", "print_file", "/proc/self/environ", NULL };
	char *envp[] = { "A=1", "BB=two words", NULL };

	static const char want[] = "prog name\0--helper\0print_file\0/proc/self/cmdline\0";
	CHECK_EQ(seen_by_program(argv, envp), sizeof(want));
	CHECK_MEM(text, want, sizeof(want));
	static const char want2[] = "A=1\0BB=two words";
	CHECK_EQ(seen_by_program(argv2, envp), sizeof(want2));
	CHECK_MEM(text, want2, sizeof(want2));
}

TEST(auxv_can_be_read)
{
	unsigned long v[2];
	bool page_size = false;
	int fd = CHECK_OK(open("/proc/self/auxv", O_RDONLY));

	while (read(fd, v, sizeof(v)) == sizeof(v) && v[0] != 0)
		page_size |= v[0] == 6 && v[1] == 4096;
	CHECK(page_size);
}

TEST(cwd_root_and_exe_links)
{
	char cwd[PATH_MAX], target[PATH_MAX];

	CHECK(getcwd(cwd, sizeof(cwd)));
	link_is("/proc/self/cwd", cwd);
	link_is("/proc/self/root", "/");
	CHECK_OK(chdir("/proc"));
	link_is("/proc/self/cwd", "/proc");
	ssize_t n = CHECK_OK(readlink("/proc/self/exe", target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK_EQ(target[0], '/');
	CHECK_OK(access("/proc/self/exe", X_OK));
}

TEST(comm_can_be_written)
{
	int fd = CHECK_OK(open("/proc/self/comm", O_WRONLY));
	char name[20] = "";

	CHECK_EQ(write(fd, "written by file", 15), 15);
	slurp("/proc/self/comm");
	CHECK_STR(text, "written by file\n");
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "written by file");
}

TEST(limits_show_rlimits)
{
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 123, 456 }));
	slurp("/proc/self/limits");
	CHECK(strstr(text, "Max open files            123                  456                  "
			   "files"));
	CHECK(!strncmp(text, "Limit ", 6));
}

TEST(fd_directory_lists_fds_with_targets)
{
	char path[64];
	int seen = 0;

	int fd = CHECK_OK(dup2(0, 99));
	DIR *d = opendir("/proc/self/fd");
	CHECK(d);
	struct dirent *e;
	while ((e = readdir(d)))
		seen += atoi(e->d_name) == fd;
	closedir(d);
	CHECK_EQ(seen, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link_is(path, "/dev/null");
	struct stat st;
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_rdev, 1 << 8 | 3);
}

TEST(fdinfo_shows_position_and_flags)
{
	char path[64];

	check_write_file("f", "0123456789", 10);
	int fd = CHECK_OK(open("f", O_RDWR | O_APPEND));
	CHECK_EQ(lseek(fd, 7, SEEK_SET), 7);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	slurp(path);
	CHECK_EQ(number_after("pos:\t"), 7);
	char *flags = strstr(text, "flags:\t");
	CHECK(flags);
	CHECK_EQ(strtol(flags + 7, NULL, 8) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
}

TEST(maps_have_stack_heap_and_vdso)
{
	int local;
	bool stack = false;

	CHECK_OK(sbrk(4096));
	slurp("/proc/self/maps");
	CHECK(strstr(text, "[heap]"));
	CHECK(strstr(text, "[vdso]"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end;
		char prot[5];
		CHECK_EQ(sscanf(line, "%lx-%lx %4s", &start, &end, prot), 3);
		CHECK(start < end);
		if ((uintptr_t)&local >= start && (uintptr_t)&local < end)
			stack = strstr(line, "[stack]") && !strcmp(prot, "rw-p");
	}
	CHECK(stack);
}

TEST(maps_are_sorted_and_do_not_overlap)
{
	unsigned long last = 0;

	slurp("/proc/self/maps");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end;
		CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
		CHECK(start >= last);
		last = end;
	}
}

TEST(files_of_another_user_are_closed)
{
	char path[40];
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	pid_t other = check_fork();
	if (other == 0) {
		check_drop_root();
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		CHECK_OK(open(path, O_RDONLY));
		snprintf(path, sizeof(path), "/proc/%d/fd", pid);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/exe", pid);
		CHECK_ERRNO(readlink(path, text, 100), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXIT(other, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(directories_belong_to_the_process_owner)
{
	char path[40];
	struct stat st;
	pid_t pid = check_fork();

	if (pid == 0) {
		check_become(1234, 4321);
		prctl(PR_SET_DUMPABLE, 1);
		for (;;)
			pause();
	}
	check_wait_asleep(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_uid, 1234);
	CHECK_EQ(st.st_gid, 4321);
	CHECK_EQ(st.st_mode, S_IFDIR | 0555);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(root_lists_processes)
{
	bool self = false, one = false, meminfo = false;
	DIR *d = opendir("/proc");
	struct dirent *e;

	CHECK(d);
	while ((e = readdir(d))) {
		self |= atoi(e->d_name) == getpid();
		one |= !strcmp(e->d_name, "1");
		meminfo |= !strcmp(e->d_name, "meminfo");
	}
	closedir(d);
	CHECK(self && one && meminfo);
	CHECK_ERRNO(open("/proc/4194300", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/0", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/01", O_RDONLY), ENOENT);
}

TEST(tree_cannot_be_changed)
{
	errno = 0;
	CHECK_EQ(mkdir("/proc/new", 0700), -1);
	CHECK(errno == ENOENT || errno == EACCES || errno == EPERM);
	CHECK_ERRNO(open("/proc/new", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_EQ(unlink("/proc/meminfo"), -1);
	CHECK_EQ(errno, EPERM);
}

TEST(reads_in_small_pieces_give_the_whole)
{
	static char pieces[8192];
	size_t done = 0;
	int fd = CHECK_OK(open("/proc/cpuinfo", O_RDONLY));

	while (done < sizeof(pieces) - 7) {
		ssize_t n = CHECK_OK(read(fd, pieces + done, 7));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	slurp("/proc/cpuinfo");
	CHECK(done > 7);
	/* Frequencies may change; the beginning does not. */
	CHECK_MEM(pieces, text, 60);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	char c;
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'p');
}

TEST(meminfo_agrees_with_sysinfo)
{
	struct sysinfo s;

	slurp("/proc/meminfo");
	CHECK_OK(sysinfo(&s));
	long long total = number_after("MemTotal:"), free = number_after("MemFree:");
	CHECK_EQ(total, (long long)s.totalram * s.mem_unit / 1024);
	CHECK(free > 0 && free < total);
	CHECK(number_after("MemAvailable:") > 0);
	CHECK(number_after("Cached:") >= 0);
	CHECK(number_after("SwapTotal:") >= 0);
	CHECK(strstr(text, " kB\n"));
}

TEST(cpuinfo_lists_each_cpu)
{
	int count = 0;

	slurp("/proc/cpuinfo");
	for (char *at = text; (at = strstr(at, "processor\t: ")); at++)
		count++;
	CHECK_EQ(count, sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(strstr(text, "vendor_id\t: "));
	CHECK(strstr(text, "model name\t: "));
	CHECK(strstr(text, "flags\t\t: "));
	CHECK(strstr(text, " sse2 "));
}

TEST(stat_of_the_system)
{
	long long idle = 0;
	int cpus = 0;

	slurp("/proc/stat");
	CHECK(!strncmp(text, "cpu ", 4));
	CHECK_EQ(sscanf(text, "cpu %*d %*d %*d %lld", &idle), 1);
	for (char *at = text; (at = strstr(at, "\ncpu")); at++)
		cpus++;
	CHECK_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(number_after("\nctxt ") > 0);
	CHECK(number_after("\nprocesses ") > 1);
	CHECK(number_after("\nprocs_running ") >= 1);
	CHECK_RANGE(time(NULL) - number_after("\nbtime "), 0, 1000000000);
}

TEST(uptime_and_loadavg)
{
	double up, idle, up2;
	float one, five, fifteen;
	int running, all, last;

	slurp("/proc/uptime");
	CHECK_EQ(sscanf(text, "%lf %lf", &up, &idle), 2);
	CHECK(up > 0 && idle >= 0);
	check_sleep_ms(100);
	slurp("/proc/uptime");
	CHECK_EQ(sscanf(text, "%lf", &up2), 1);
	CHECK(up2 > up);
	slurp("/proc/loadavg");
	CHECK_EQ(sscanf(text, "%f %f %f %d/%d %d", &one, &five, &fifteen, &running, &all, &last),
		 6);
	CHECK(running >= 1 && all >= running);
}

TEST(version_mounts_filesystems)
{
	slurp("/proc/version");
	CHECK(!strncmp(text, "Linux version ", 14));
	slurp("/proc/mounts");
	CHECK(strstr(text, " /proc proc "));
	slurp("/proc/self/mountinfo");
	CHECK(strstr(text, " /proc "));
	slurp("/proc/filesystems");
	CHECK(strstr(text, "nodev\tproc\n"));
	CHECK(strstr(text, "nodev\ttmpfs\n"));
}

TEST(sys_kernel_files)
{
	slurp("/proc/sys/kernel/ostype");
	CHECK_STR(text, "Linux\n");
	slurp("/proc/sys/kernel/osrelease");
	CHECK(atoi(text) >= 5);
	slurp("/proc/sys/kernel/pid_max");
	CHECK(atoi(text) >= 32768);
	slurp("/proc/sys/kernel/hostname");
	CHECK(strlen(text) > 1);
	slurp("/proc/sys/kernel/random/boot_id");
	CHECK_EQ(strlen(text), 37);
	char first[64];
	slurp("/proc/sys/kernel/random/uuid");
	snprintf(first, sizeof(first), "%.63s", text);
	CHECK_EQ(strlen(first), 37);
	slurp("/proc/sys/kernel/random/uuid");
	CHECK(strcmp(first, text) != 0);
}

TEST(sys_vm_and_fs_files)
{
	slurp("/proc/sys/vm/overcommit_memory");
	CHECK_RANGE(atoi(text), 0, 2);
	slurp("/proc/sys/fs/file-max");
	CHECK(atoll(text) > 100);
	slurp("/proc/sys/fs/pipe-max-size");
	CHECK(atoi(text) >= 65536);
	slurp("/proc/sys/kernel/cap_last_cap");
	CHECK_RANGE(atoi(text), 30, 63);
}

TEST(exe_of_a_deleted_program)
{
	static char block[65536];
	char target[PATH_MAX], cwd[PATH_MAX], want[PATH_MAX + 32], path[40];
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	int out = CHECK_OK(open("p", O_WRONLY | O_CREAT, 0755));
	ssize_t n;

	while ((n = CHECK_OK(read(in, block, sizeof(block)))) > 0)
		check_write_all(out, block, (size_t)n);
	CHECK_OK(close(out));
	pid_t pid = check_fork();
	if (pid == 0) {
		execl("p", "p", "--helper", "pause_forever", NULL);
		_exit(99);
	}
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	snprintf(want, sizeof(want), "%s/p", cwd);
	for (int i = 0; i < 500; i++) {
		n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
		target[n] = '\0';
		if (!strcmp(target, want))
			break;
		check_sleep_ms(5);
	}
	CHECK_STR(target, want);
	CHECK_OK(unlink("p"));
	n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	snprintf(want, sizeof(want), "%s/p (deleted)", cwd);
	CHECK_STR(target, want);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

HELPER(pause_forever)
{
	for (;;)
		pause();
}

/* /proc/PID/wchan names the kernel's function that a thread sleeps in, and says 0 of one that runs. */
TEST(wchan_of_a_sleeper)
{
	char name[100] = "", path[64];
	pid_t pid = check_fork();
	ssize_t n = 0;

	if (pid == 0) {
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	for (int tries = 0; tries < 1000 && n < 2; tries++) {
		int fd = CHECK_OK(open(path, O_RDONLY));

		n = CHECK_OK(read(fd, name, sizeof(name) - 1));
		CHECK_OK(close(fd));
		usleep(1000);
	}
	name[n] = '\0';
	CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789.") == strlen(name) && strlen(name) > 3);
	CHECK_OK(kill(pid, SIGKILL));
	int fd = CHECK_OK(open("/proc/self/wchan", O_RDONLY));
	CHECK_EQ(read(fd, name, sizeof(name)), 1);
	CHECK_EQ(name[0], '0');
}

/* The KiB that /proc/self/smaps has for one word of the mapping at `at`. */
static long
smaps_of(const void *at, const char *word)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[256], want[64];
	bool inside = false;
	long kib = -1;

	CHECK(f);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)at);
	while (kib < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, want, strlen(want)) == 0)
			inside = true;
		else if (inside && strncmp(line, word, strlen(word)) == 0)
			kib = atol(line + strlen(word));
	}
	fclose(f);
	return kib;
}

TEST(smaps_tells_what_a_fork_shares)
{
	enum { SIZE = 256 << 10 };
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(p != MAP_FAILED);
	/* Of other rights than its neighbours may have, so that it stays a mapping of its own. */
	CHECK_OK(madvise(p, SIZE, MADV_NOHUGEPAGE));
	CHECK_OK(madvise(p, SIZE, MADV_DONTDUMP));
	for (int i = 0; i < SIZE; i += 4096)
		((volatile char *)p)[i] = 1;
	CHECK_EQ(smaps_of(p, "Private_Dirty:"), SIZE >> 10);
	CHECK_EQ(smaps_of(p, "Shared_Dirty:"), 0);
	CHECK_EQ(smaps_of(p, "Pss:"), SIZE >> 10);
	child = check_fork();
	if (child == 0) {
		CHECK_EQ(smaps_of(p, "Private_Dirty:"), 0);
		CHECK_EQ(smaps_of(p, "Shared_Dirty:"), SIZE >> 10);
		CHECK_EQ(smaps_of(p, "Pss:"), SIZE >> 11);
		for (int i = 0; i < SIZE / 2; i += 4096)
			((volatile char *)p)[i] = 2;
		CHECK_EQ(smaps_of(p, "Private_Dirty:"), SIZE >> 11);
		CHECK_EQ(smaps_of(p, "Shared_Dirty:"), SIZE >> 11);
		_exit(0);
	}
	CHECK_EXIT(child, 0);
	CHECK_EQ(smaps_of(p, "Private_Dirty:"), SIZE >> 10);
	CHECK_EQ(smaps_of(p, "Pss:"), SIZE >> 10);
}

TEST(stack_of_a_sleeper)
{
	char path[40];
	pid_t pid = check_fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	slurp(path);
	CHECK(strncmp(text, "[<0>] ", 6) == 0);
	CHECK(strstr(text, "+0x"));
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_ERRNO(open(path, O_RDONLY), EACCES);
}

TEST(nobody_has_logged_in)
{
	slurp("/proc/self/loginuid");
	CHECK_STR(text, "4294967295");
	slurp("/proc/self/sessionid");
	CHECK_STR(text, "4294967295");
}
