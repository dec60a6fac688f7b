/* SPDX-License-Identifier: MIT */
/*
 * privilege.c - ways to more rights than one was given.
 */
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include "check.h"

/* What a program that runs with root's rights holds; volatile so that it lies in its data. */
static volatile char secret[32];

HELPER(keep_a_secret)
{
	int ready = atoi(argv[1]), done = atoi(argv[2]);
	char c;

	CHECK_EQ(geteuid(), 0);
	memcpy((char *)secret, "the new program's own", 22);
	check_write_all(ready, "r", 1);
	(void)!read(done, &c, 1);
}

static void
copy_self(const char *name, mode_t mode)
{
	static char block[65536];
	ssize_t n;
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY)), out = CHECK_OK(open(name, O_WRONLY | O_CREAT, 0700));

	while ((n = CHECK_OK(read(in, block, sizeof(block)))) > 0)
		check_write_all(out, block, (size_t)n);
	CHECK_OK(fchmod(out, mode));
	CHECK_OK(close(out));
	CHECK_OK(close(in));
}

/* Standard output and input are files about the program that was there before. */
HELPER(use_what_was_inherited)
{
	static const char evil[] = "evil";
	char buf[256];

	memcpy((char *)secret, "the new program's own", 22);
	(void)!pwrite(atoi(argv[1]), evil, sizeof(evil), (off_t)(uintptr_t)secret);
	CHECK_STR((const char *)secret, "the new program's own");
	for (int i = 1; argv[i]; i++)
		CHECK_EQ(pread(atoi(argv[i]), buf, sizeof(buf), i == 1 ? (off_t)(uintptr_t)secret : 0), 0);
}

/*
 * A process opens files about itself and executes a privileged program that reads or writes them, taking
 * them for its input or its log: that program's own memory is out of their reach.
 */
TEST(proc_files_about_oneself_inherited_by_another_program)
{
	static const char *const names[] = { "mem", "environ", "maps", "smaps" };
	char *args[sizeof(names) / sizeof(names[0]) + 4] = { "program", "--helper", "use_what_was_inherited" };
	char text[sizeof(names) / sizeof(names[0])][12];
	int status;
	pid_t pid;

	pid = CHECK_OK(fork());
	if (pid == 0) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			char path[32];

			snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
			snprintf(text[i], sizeof(text[i]), "%d",
				 CHECK_OK(open(path, i == 0 ? O_RDWR : O_RDONLY)));
			args[3 + i] = text[i];
		}
		execv("/proc/self/exe", args);
		_exit(99);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* A place where the set-uid bit counts: /tmp may be mounted without. The runner takes the mount away. */
static void
enter_suid_place(void)
{
	CHECK_OK(mkdir("place", 0755));
	CHECK_OK(mount("none", "place", "tmpfs", 0, "mode=755"));
	CHECK_OK(chdir("place"));
}

/*
 * Files of /proc that were opened while a process was harmless say nothing about the set-uid program
 * that it became.
 */
TEST(proc_files_opened_before_a_setuid_exec)
{
	int ready[2], done[2], opened[2];
	char name[64], buf[4096], a[16], b[16];

	enter_suid_place();
	copy_self("suid", 04755);
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(done));
	CHECK_OK(pipe(opened));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		prctl(PR_SET_DUMPABLE, 1);
		check_write_all(ready[1], "h", 1);
		check_read_all(opened[0], buf, 1);
		snprintf(a, sizeof(a), "%d", ready[1]);
		snprintf(b, sizeof(b), "%d", done[0]);
		execl("suid", "suid", "--helper", "keep_a_secret", a, b, (char *)NULL);
		_exit(54);
	}
	pid_t spy = check_fork();
	if (spy == 0) {
		static const char *const files[] = { "mem", "environ", "auxv", "maps", "smaps", "pagemap", "syscall" };
		enum { FILES = sizeof(files) / sizeof(files[0]) };
		int fds[FILES];

		check_drop_root();
		check_read_all(ready[0], buf, 1);
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
			fds[i] = open(name, i == 0 ? O_RDWR : O_RDONLY);
		}
		check_write_all(opened[1], "o", 1);
		check_read_all(ready[0], buf, 1);
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
			if (i != 3 && i != 4 && i != 6)
				CHECK(open(name, O_RDONLY) == -1 || read(fds[i], buf, 0) == -1);
			if (fds[i] < 0)
				continue;
			/* The old memory is gone; what Linux answers is nothing, or an error. */
			off_t where = i == 0 ? (off_t)(uintptr_t)secret : 0;
			memset(buf, 0, sizeof(buf));
			ssize_t n = pread(fds[i], buf, sizeof(buf), where);
			if (n > 0 && i == 0)
				FAIL("%s gives %zd bytes of the new program: %.20s", files[i], n, buf);
			/* auxv may still show the old program's, pagemap nothing but zeros. */
			if (n > 0 && i != 2 && i != 5)
				FAIL("%s gives %zd bytes: %.60s", files[i], n, buf);
		}
		struct iovec mine = { buf, 16 }, its = { (void *)secret, 16 };
		CHECK_ERRNO(process_vm_readv(pid, &mine, 1, &its, 1, 0), EPERM);
		_exit(0);
	}
	CHECK_EXIT(spy, 0);
	check_write_all(done[1], "d", 1);
	CHECK_EXIT(pid, 0);
}

/* A process that was root and is somebody else now keeps its insides to itself. */
TEST(process_that_changed_its_user_is_closed)
{
	int ready[2];
	char c, name[64];

	CHECK_OK(pipe(ready));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		check_write_all(ready[1], "r", 1);
		for (;;)
			pause();
	}
	check_read_all(ready[0], &c, 1);
	pid_t spy = check_fork();
	if (spy == 0) {
		struct iovec mine = { &c, 1 }, its = { (void *)secret, 1 };

		check_drop_root();
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		CHECK_ERRNO(process_vm_readv(pid, &mine, 1, &its, 1, 0), EPERM);
		snprintf(name, sizeof(name), "/proc/%d/mem", pid);
		CHECK_ERRNO(open(name, O_RDONLY), EACCES);
		snprintf(name, sizeof(name), "/proc/%d/fd", pid);
		CHECK_ERRNO(open(name, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXIT(spy, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

/* A handle with few rights is not a way to one with more. */
TEST(reopening_through_proc_asks_again)
{
	char name[64];

	check_write_file("f", "contents", 8);
	CHECK_OK(chmod("f", 0600));
	int fd = CHECK_OK(open("f", O_RDONLY));
	int place = CHECK_OK(open("f", O_PATH));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		CHECK_ERRNO(open(name, O_RDWR), EACCES);
		CHECK_ERRNO(open(name, O_RDONLY), EACCES);
		CHECK_ERRNO(open(name, O_RDONLY | O_TRUNC), EACCES);
		CHECK_ERRNO(truncate(name, 0), EACCES);
		CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
		CHECK_ERRNO(fchmod(fd, 0666), EPERM);
		CHECK_ERRNO(write(fd, "x", 1), EBADF);
		CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
		CHECK_ERRNO(open(name, O_RDONLY), EACCES);
		CHECK_ERRNO(read(place, name, 1), EBADF);
		CHECK_ERRNO(linkat(place, "", AT_FDCWD, "g", AT_EMPTY_PATH), ENOENT);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(no_new_privs_and_nosuid_hold)
{
	int status;

	enter_suid_place();
	copy_self("suid", 06755);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		CHECK(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1);
		execl("suid", "suid", "--helper", "keep_a_secret", "1", "0", (char *)NULL);
		_exit(54);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", MS_NOSUID, NULL));
	copy_self("m/suid", 06755);
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		execl("m/suid", "suid", "--helper", "keep_a_secret", "1", "0", (char *)NULL);
		_exit(54);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	CHECK_OK(umount("m"));
}

/* A write by somebody else, and a change of owner, take the bits away. */
HELPER(tell_who_one_is)
{
	_exit(geteuid() == 0 ? 10 : geteuid() == CHECK_NOBODY ? 11 : 12);
}

/* A set-uid program under a tracer of no rights runs without its owner's; its memory is the tracer's to write. */
TEST(setuid_exec_under_a_tracer_gives_nothing)
{
	int status;

	enter_suid_place();
	copy_self("suid", 04755);
	for (int tracer_is_root = 0; tracer_is_root < 2; tracer_is_root++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			if (!tracer_is_root)
				check_drop_root();
			pid = check_fork();
			if (pid == 0) {
				if (tracer_is_root)
					check_drop_root();
				else
					CHECK_OK(syscall(SYS_ptrace, 0 /* TRACEME */, 0, 0, 0));
				if (tracer_is_root)
					raise(SIGSTOP);
				execl("suid", "suid", "--helper", "tell_who_one_is", (char *)NULL);
				_exit(54);
			}
			if (tracer_is_root) {
				CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
				CHECK_OK(syscall(SYS_ptrace, 0x4206 /* SEIZE */, pid, 0, 0));
				kill(pid, SIGCONT);
			}
			for (;;) {
				CHECK_EQ(waitpid(pid, &status, 0), pid);
				if (!WIFSTOPPED(status))
					break;
				CHECK_OK(syscall(SYS_ptrace, 7 /* CONT */, pid, 0, 0));
			}
			CHECK_EQ(status, (tracer_is_root ? 10 : 11) << 8);
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
	}
}

/* Who traces a program keeps his hold of it when it executes another that he may not read, but not of its memory. */
TEST(a_tracer_may_not_read_a_program_it_may_only_run)
{
	unsigned long word;
	int status;

	enter_suid_place();
	copy_self("unreadable", 0711);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		pid = check_fork();
		if (pid == 0) {
			CHECK_OK(syscall(SYS_ptrace, 0 /* TRACEME */, 0, 0, 0));
			execl("unreadable", "unreadable", "--helper", "tell_who_one_is", (char *)NULL);
			_exit(54);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, SIGTRAP << 8 | 0x7f);
		CHECK_ERRNO(syscall(SYS_ptrace, 1 /* PEEKTEXT */, pid, &word, &word), EIO);
		CHECK_ERRNO(syscall(SYS_ptrace, 4 /* POKETEXT */, pid, &word, 0), EIO);
		CHECK_OK(syscall(SYS_ptrace, 7 /* CONT */, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 11 << 8);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(setuid_bit_does_not_survive_writing)
{
	struct stat st;

	check_write_file("f", "#!", 2);
	CHECK_OK(chmod("f", 06777));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		int fd = CHECK_OK(open("f", O_WRONLY));
		check_write_all(fd, "x", 1);
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_mode & 06000, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(chmod("f", 06777));
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_OK(truncate("f", 1));
		CHECK_OK(stat("f", &st));
		CHECK_EQ(st.st_mode & 04000, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(calls_that_want_a_capability)
{
	struct timeval tv = { 1000, 0 };
	struct timespec ts = { 1000, 0 };
	gid_t group = 0;
	pid_t parent = getpid();

	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
		CHECK_ERRNO(umount("/proc"), EPERM);
		CHECK_ERRNO(chroot("/"), EPERM);
		CHECK_ERRNO(mknod("/tmp/attack-node", S_IFCHR | 0666, 0x103), EPERM);
		CHECK_ERRNO(sethostname("evil", 4), EPERM);
		CHECK_ERRNO(settimeofday(&tv, NULL), EPERM);
		CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &ts), EPERM);
		CHECK_ERRNO(setgroups(1, &group), EPERM);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_ERRNO(setresgid(0, 0, 0), EPERM);
		CHECK_ERRNO(reboot(RB_AUTOBOOT), EPERM);
		CHECK_ERRNO(syscall(SYS_pivot_root, "/", "/"), EPERM);
		CHECK_ERRNO(kill(parent, SIGKILL), EPERM);
		CHECK_ERRNO(kill(1, SIGKILL), EPERM);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, -5), EACCES);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, (id_t)parent, 5), EPERM);
		struct sched_param p = { .sched_priority = 1 };
		CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EPERM);
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(0, &set);
		CHECK_ERRNO(sched_setaffinity(parent, sizeof(set), &set), EPERM);
		struct rlimit none = { 0, 0 };
		CHECK_ERRNO(prlimit(parent, RLIMIT_NOFILE, &none, NULL), EPERM);
		CHECK_ERRNO(open("/proc/sys/kernel/hostname", O_WRONLY), EACCES);
		CHECK(open("/dev/ttyS0", O_RDONLY | O_NOCTTY) == -1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

/* Input may be pretended only on one's own terminal. */
TEST(typing_into_other_terminals_is_refused)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		int other = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
		check_drop_root();
		CHECK_ERRNO(ioctl(other, TIOCSTI, "x"), EPERM);
		CHECK(ioctl(other, TIOCSCTTY, 1) == -1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}
