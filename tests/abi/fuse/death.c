/* SPDX-License-Identifier: MIT */
/*
 * death.c - what is left to its users when a daemon dies, is aborted, or is stopped and never comes back: nothing hangs, all
 * that was accepted before is written or an error, and the place can be mounted again.
 */
#include "daemon.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define HELLO (&shared->node[2])

static char buf[65536];

static void
fill(struct node *n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		n->data[i] = (char)('a' + i / 4096 % 26);
	n->attr.size = size;
}

/* The place is free, and can be mounted and used again. */
static void
mounted_again(void)
{
	struct stat st;

	CHECK_OK(umount2(MNT, 0));
	shared->init_flags = 0;
	shared->silent = -2;
	shared->attr_valid = shared->entry_valid = 1000;
	for (int i = 0; i < OPCODES; i++)
		shared->error[i] = 0;
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_end();
}

static void
stop_daemon(void)
{
	int status;

	CHECK_OK(kill(daemon_pid, SIGSTOP));
	CHECK_EQ(CHECK_OK(waitpid(daemon_pid, &status, WUNTRACED)), daemon_pid);
	CHECK(WIFSTOPPED(status));
}

TEST(every_call_on_what_is_open_is_enotconn)
{
	struct statfs sfs;
	struct flock l = { .l_type = F_WRLCK };
	struct stat st;
	int fd, dir;

	daemon_prepare();
	shared->attr_valid = shared->entry_valid = 0;
	shared->init_flags = FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	dir = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY));
	daemon_kill();
	CHECK_ERRNO(read(fd, buf, 1), ENOTCONN);
	CHECK_ERRNO(write(fd, buf, 1), ENOTCONN);
	CHECK_ERRNO(fstat(fd, &st), ENOTCONN);
	CHECK_ERRNO(ftruncate(fd, 1), ENOTCONN);
	CHECK_ERRNO(fsync(fd), ENOTCONN);
	CHECK_ERRNO(fallocate(fd, 0, 0, 1), ENOTCONN);
	CHECK_ERRNO(lseek(fd, 0, SEEK_HOLE), ENOTCONN);
	CHECK_ERRNO(fchmod(fd, 0600), ENOTCONN);
	CHECK_ERRNO(fgetxattr(fd, "user.a", buf, 10), ENOTCONN);
	CHECK_ERRNO(fsetxattr(fd, "user.a", buf, 10, 0), ENOTCONN);
	CHECK_ERRNO(flistxattr(fd, buf, 10), ENOTCONN);
	CHECK_ERRNO(ioctl(fd, _IOR('f', 1, int), buf), ENOTCONN);
	CHECK_ERRNO(fcntl(fd, F_SETLK, &l), ENOTCONN);
	CHECK_ERRNO(flock(fd, LOCK_EX), ENOTCONN);
	CHECK_ERRNO(fstatfs(fd, &sfs), ENOTCONN);
	CHECK_ERRNO(syscall(SYS_getdents64, dir, buf, sizeof(buf)), ENOTCONN);
	CHECK_ERRNO(openat(dir, "inside", O_RDONLY), ENOTCONN);
	CHECK_ERRNO(mkdirat(dir, "new", 0700), ENOTCONN);
	CHECK_ERRNO(unlinkat(dir, "inside", 0), ENOTCONN);
	CHECK_ERRNO(fsync(dir), ENOTCONN);
	CHECK_ERRNO(close(fd), ENOTCONN);
	CHECK_OK(close(dir));
	mounted_again();
}

TEST(the_working_directory_of_a_dead_daemon_can_be_left)
{
	struct stat st;
	char path[256];

	daemon_prepare();
	shared->attr_valid = shared->entry_valid = 0;
	daemon_run(NULL);
	CHECK_OK(chdir(MNT "/dir"));
	daemon_kill();
	CHECK_ERRNO(stat(".", &st), ENOTCONN);
	CHECK_ERRNO(stat("inside", &st), ENOTCONN);
	CHECK(getcwd(path, sizeof(path)));
	CHECK_STR(strrchr(path, '/') - 3, "mnt/dir");
	CHECK_ERRNO(umount2("../../" MNT, 0), EBUSY);
	CHECK_OK(chdir("../.."));
	CHECK_ERRNO(stat(MNT, &st), ENOTCONN);
	mounted_again();
}

TEST(what_is_cached_stays_readable)
{
	char *p;
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_KEEP_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	daemon_kill();
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	CHECK_MEM(buf, "hello\n", 6);
	CHECK_MEM(p, "hello\n", 6);
	CHECK_OK(munmap(p, 4096));
	close(fd);
	mounted_again();
}

TEST(a_page_that_nobody_brings_is_sigbus)
{
	pid_t pid;
	int fd;

	daemon_prepare();
	fill(HELLO, 64 * 4096);
	shared->init_flags = FUSE_ASYNC_READ;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_kill();
	for (int shared_too = 0; shared_too < 2; shared_too++) {
		pid = check_fork();
		if (pid == 0) {
			volatile char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE,
						shared_too ? MAP_SHARED : MAP_PRIVATE, fd, 0);

			p[63 * 4096] = 1;
			_exit(0);
		}
		CHECK_KILLED(pid, SIGBUS);
	}
	close(fd);
	mounted_again();
}

TEST(a_program_whose_file_is_gone_is_sigbus)
{
	static char self[4 << 20];
	int fd = CHECK_OK(open("/bin/true", O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, self, sizeof(self)));
	pid_t pid;

	close(fd);
	if (n > DATA_MAX)
		SKIP("true is larger than the daemon's files");
	daemon_prepare();
	memcpy(HELLO->data, self, (size_t)n);
	HELLO->attr.size = (uint64_t)n;
	HELLO->attr.mode = S_IFREG | 0755;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY | O_CLOEXEC));
	daemon_kill();
	pid = check_fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", (char *[]){ (char *)"true", NULL }, environ, AT_EMPTY_PATH);
		_exit(errno == EIO || errno == ENOTCONN ? 3 : 4);
	}
	CHECK_EXIT(pid, 3);
	close(fd);
	mounted_again();
}

/* Who waits, of whatever kind, is let go. */
static void
waits_in(int opcode, void (*call)(void), void (*end)(void))
{
	pid_t pid;

	daemon_prepare();
	shared->silent = opcode;
	fill(HELLO, 8192);
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		call();
		_exit(0);
	}
	UNTIL(shared->count[opcode] == 1);
	end();
	CHECK_EXIT(pid, 0);
	umount2(MNT, MNT_DETACH); /* unless by force it went already */
	waitpid(daemon_pid, NULL, 0);
}

static void
open_waits(void)
{
	CHECK_ERRNO(open(MNT "/hello", O_RDONLY), ECONNABORTED);
}

static void
read_waits(void)
{
	int fd = CHECK_OK(open(MNT "/hello", O_RDONLY));

	/* The one that it waited for, or, asked once more, the next. */
	CHECK(read(fd, buf, 10) < 0 && (errno == ECONNABORTED || errno == ENOTCONN));
}

static void
write_waits(void)
{
	int fd = CHECK_OK(open(MNT "/hello", O_WRONLY));

	CHECK_ERRNO(write(fd, buf, 10), ECONNABORTED);
}

static void
fsync_waits(void)
{
	int fd = CHECK_OK(open(MNT "/hello", O_WRONLY));

	CHECK_ERRNO(fsync(fd), ECONNABORTED);
}

static void
list_waits(void)
{
	int fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));

	CHECK_ERRNO(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ECONNABORTED);
}

static void
flush_waits(void)
{
	CHECK_ERRNO(close(CHECK_OK(open(MNT "/hello", O_WRONLY))), ECONNABORTED);
}

static void
create_waits(void)
{
	CHECK_ERRNO(open(MNT "/new", O_WRONLY | O_CREAT, 0600), ECONNABORTED);
}

static void
force(void)
{
	umount2(MNT, MNT_FORCE);
}

TEST(who_waits_when_the_daemon_is_killed_is_told)
{
	TIMEOUT(30);
	waits_in(FUSE_OPEN, open_waits, daemon_kill);
}

TEST(who_reads_when_the_daemon_is_killed_is_told)
{
	waits_in(FUSE_READ, read_waits, daemon_kill);
}

TEST(who_writes_when_the_daemon_is_killed_is_told)
{
	waits_in(FUSE_WRITE, write_waits, daemon_kill);
}

TEST(who_syncs_when_the_daemon_is_killed_is_told)
{
	waits_in(FUSE_FSYNC, fsync_waits, daemon_kill);
}

TEST(who_lists_when_unmounted_by_force_is_told)
{
	waits_in(FUSE_READDIR, list_waits, force);
}

TEST(who_closes_when_unmounted_by_force_is_told)
{
	waits_in(FUSE_FLUSH, flush_waits, force);
}

TEST(who_creates_when_unmounted_by_force_is_told)
{
	waits_in(FUSE_CREATE, create_waits, force);
}

/* --- stopped --------------------------------------------------------------------------------------------------- */

/* A stopped daemon reads nothing. Its callers die of SIGKILL. */
static void
killed_in(int which)
{
	struct stat st;
	int fd = -1;
	pid_t pid;

	daemon_prepare();
	fill(HELLO, 8192);
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/hello", &st));
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_CLOEXEC));
	stop_daemon();
	pid = check_fork();
	if (pid == 0) {
		close(CHECK_FD); /* it never reports */
		switch (which) {
		case 0:
			stat(MNT "/dir", &st);
			break;
		case 1:
			(void)!pread(fd, buf, 10, 0);
			break;
		case 2:
			(void)!pwrite(fd, buf, 10, 0);
			break;
		case 3:
			mkdir(MNT "/new", 0700);
			break;
		case 4:
			(void)!open(MNT "/new", O_CREAT | O_RDWR, 0600);
			break;
		case 5:
			rename(MNT "/hello", MNT "/dir");
			break;
		case 6:
			fsync(fd);
			break;
		case 7: {
			volatile char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

			(void)p[0];
		}
		}
		_exit(1);
	}
	/* It sleeps in there by and by; killed before it does, it dies as well. */
	usleep(20000);
	CHECK_OK(kill(pid, SIGKILL));
	/* On Linux `fd` is closed for it, and FLUSH waits for the daemon come what may. */
	if (access("/proc/tessera", F_OK) == 0)
		CHECK_KILLED(pid, SIGKILL);
	CHECK_OK(kill(daemon_pid, SIGCONT));
	if (access("/proc/tessera", F_OK))
		CHECK_KILLED(pid, SIGKILL);
	close(fd);
	daemon_end();
}

TEST(callers_of_a_stopped_daemon_are_killed)
{
	killed_in(0);
}

TEST(who_reads_of_a_stopped_daemon_is_killed)
{
	killed_in(1);
}

TEST(who_writes_to_a_stopped_daemon_is_killed)
{
	killed_in(2);
}

TEST(who_makes_a_directory_at_a_stopped_daemon_is_killed)
{
	killed_in(3);
}

TEST(who_creates_at_a_stopped_daemon_is_killed)
{
	killed_in(4);
}

TEST(who_renames_at_a_stopped_daemon_is_killed)
{
	killed_in(5);
}

TEST(who_syncs_at_a_stopped_daemon_is_killed)
{
	killed_in(6);
}

TEST(who_faults_at_a_stopped_daemon_is_killed)
{
	killed_in(7);
}

TEST(dirty_mappings_of_a_stopped_daemon_keep_nobody_from_his_end)
{
	pid_t pid;
	int fd;

	daemon_prepare();
	fill(HELLO, 8192);
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		volatile char *p;

		fd = CHECK_OK(open(MNT "/hello", O_RDWR));
		p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK_OK(close(fd));
		p[0] = 'X';
		p[4096] = 'Y';
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, WUNTRACED)), pid);
	stop_daemon();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	/* What it wrote is not lost: it is written as soon as the daemon goes on. */
	CHECK_OK(kill(daemon_pid, SIGCONT));
	UNTIL(((volatile char *)HELLO->data)[0] == 'X' && ((volatile char *)HELLO->data)[4096] == 'Y');
	daemon_end();
}

TEST(sync_does_not_wait_for_a_stopped_daemon)
{
	int fd;

	TIMEOUT(60); /* some seconds pass until it is left alone */
	if (access("/proc/tessera", F_OK))
		SKIP("Linux waits: it tells the daemon of times on the way");
	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	fill(HELLO, 8192);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "dirty", 5, 0)), 5);
	stop_daemon();
	sync();
	CHECK_OK(kill(daemon_pid, SIGCONT));
	CHECK_OK(fsync(fd));
	CHECK_MEM(HELLO->data, "dirty", 5);
	close(fd);
	daemon_end();
}

TEST(unmounting_lazily_or_by_force_does_not_wait_for_a_stopped_daemon)
{
	struct stat st;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	stop_daemon();
	CHECK_OK(umount2(MNT, MNT_DETACH));
	CHECK_OK(stat(MNT, &st));
	CHECK_OK(kill(daemon_pid, SIGCONT));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6); /* it is there while it is used */
	CHECK_OK(close(fd));
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK(shared->ended);
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	stop_daemon();
	CHECK_ERRNO(umount2(MNT, MNT_FORCE), EBUSY);
	CHECK_ERRNO(pread(fd, buf, 6, 0), ENOTCONN);
	close(fd);
	CHECK_OK(umount2(MNT, 0));
	CHECK_OK(kill(daemon_pid, SIGKILL));
	waitpid(daemon_pid, NULL, 0);
}

/* --- what was accepted ------------------------------------------------------------------------------------------ */

TEST(what_a_killed_writer_wrote_is_written)
{
	pid_t pid;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE | FUSE_BIG_WRITES;
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		int fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_TRUNC));

		memset(buf, 'k', sizeof(buf));
		for (int i = 0; i < 3; i++)
			CHECK_EQ(CHECK_OK(write(fd, buf, sizeof(buf))), (ssize_t)sizeof(buf));
		raise(SIGKILL);
	}
	CHECK_KILLED(pid, SIGKILL);
	UNTIL(*(volatile uint64_t *)&HELLO->attr.size == 3 * sizeof(buf));
	memset(buf, 'k', sizeof(buf));
	for (int i = 0; i < 3; i++)
		CHECK_MEM(HELLO->data + (size_t)i * sizeof(buf), buf, sizeof(buf));
	daemon_end();
}

TEST(what_a_mapping_changed_is_written_when_it_is_unmapped)
{
	char *p;
	int fd;

	daemon_prepare();
	fill(HELLO, 3 * 4096);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_OK(close(fd));
	p[0] = '1';
	p[2 * 4096] = '3';
	CHECK_OK(munmap(p, 3 * 4096));
	UNTIL(((volatile char *)HELLO->data)[0] == '1' && ((volatile char *)HELLO->data)[2 * 4096] == '3');
	daemon_end();
}

TEST(dirty_pages_of_a_dead_daemon_are_an_error_to_who_asks)
{
	int fd, other;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	fill(HELLO, 8192);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	other = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "dirty", 5, 0)), 5);
	CHECK_EQ(CHECK_OK(pwrite(fd, "dirty", 5, 4096)), 5);
	daemon_kill();
	CHECK(fsync(fd) < 0 && (errno == ENOTCONN || errno == EIO || errno == ECONNABORTED));
	CHECK(close(other) < 0);
	CHECK(close(fd) < 0);
	mounted_again();
}

TEST(who_polls_is_woken_when_the_daemon_dies)
{
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->no_poll_events = true;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_CLOEXEC));
	pid = check_fork();
	if (pid == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		CHECK_EQ(CHECK_OK(poll(&p, 1, -1)), 1);
		CHECK(p.revents & POLLERR);
		_exit(0);
	}
	UNTIL(COUNT(POLL) >= 1 && (LAST(POLL, fuse_poll_in)->flags & FUSE_POLL_SCHEDULE_NOTIFY));
	daemon_kill();
	CHECK_EXIT(pid, 0);
	close(fd);
	mounted_again();
}

TEST(what_is_mounted_on_a_dead_daemons_directory_can_be_unmounted)
{
	struct stat st;

	daemon_prepare();
	shared->attr_valid = shared->entry_valid = 0;
	daemon_run(NULL);
	CHECK_OK(mount("none", MNT "/dir", "tmpfs", 0, NULL));
	daemon_kill();
	CHECK_ERRNO(stat(MNT "/dir", &st), ENOTCONN);
	/* The name is not to be found any more, and what was mounted on it is gone with it. */
	mounted_again();
}

TEST(locks_of_a_dead_daemon_are_gone_with_it)
{
	struct flock l = { .l_type = F_WRLCK };
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_CLOEXEC));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	shared->silent = FUSE_SETLKW;
	pid = check_fork();
	if (pid == 0) {
		CHECK_ERRNO(fcntl(fd, F_SETLKW, &l), ECONNABORTED);
		_exit(0);
	}
	UNTIL(COUNT(SETLKW) == 1);
	daemon_kill();
	CHECK_EXIT(pid, 0);
	close(fd);
	mounted_again();
}

TEST(a_daemon_that_ends_before_it_said_anything)
{
	struct stat st;
	pid_t pid;

	daemon_prepare();
	shared->close_after = FUSE_INIT;
	CHECK_EQ(daemon_mount(NULL), 0);
	pid = check_fork();
	if (pid == 0) {
		close(device);
		CHECK(stat(MNT "/hello", &st) < 0 && (errno == ENOTCONN || errno == ECONNABORTED));
		_exit(0);
	}
	daemon_start();
	CHECK_EXIT(pid, 0);
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOTCONN);
	shared->close_after = -1;
	mounted_again();
}

TEST(nobody_ever_served_it)
{
	struct stat st;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	close(device);
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOTCONN);
	CHECK_ERRNO(stat(MNT, &st), ENOTCONN);
	CHECK_OK(umount2(MNT, 0));
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/hello", &st));
	daemon_end();
}

/* The daemon itself uses what it serves: one who waits for himself is ended like anybody. */
TEST(a_daemon_that_calls_itself_can_be_killed)
{
	struct fuse_init_out o = { .major = 7, .minor = 31, .max_write = 4096 };
	const struct fuse_in_header *in = (const void *)buf;
	pid_t pid;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	pid = check_fork();
	if (pid == 0) {
		struct stat st;

		close(CHECK_FD);
		if (read(device, buf, sizeof(buf)) <= 0 || device_answer(device, in->unique, 0, &o, sizeof(o)))
			_exit(1);
		shared->ended = true;
		stat(MNT "/hello", &st);
		_exit(2);
	}
	UNTIL(shared->ended);
	usleep(10000);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(many_daemons_die_one_after_the_other)
{
	struct stat st;

	TIMEOUT(30);
	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	for (int i = 0; i < 20; i++) {
		int fd;

		if (i)
			device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
		daemon_run(NULL);
		fd = CHECK_OK(open(MNT "/hello", O_RDWR));
		CHECK_EQ(CHECK_OK(pwrite(fd, "x", 1, 0)), 1);
		daemon_kill();
		close(fd);
		CHECK_ERRNO(stat(MNT "/dir", &st), ENOTCONN);
		CHECK_OK(umount2(MNT, 0));
	}
}
