/* SPDX-License-Identifier: MIT */
/*
 * order.c - what comes before what, and what one file or one who is killed keeps from others: nothing.
 */
#include "daemon.h"

#include <linux/loop.h>
#include <linux/uinput.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define HELLO  (&shared->node[2])
#define INSIDE (&shared->node[4])

static char buf[DATA_MAX];

/* Time for others to do what they are not to do. */
static void
let_others_run(void)
{
	usleep(200000);
}

/* What was held is answered now, and everything else again. */
static void
answer_held(void)
{
	shared->silent = -2;
	shared->release_silent = true;
}

static long
free_memory(void)
{
	char text[256] = "";
	int fd = CHECK_OK(open("/proc/meminfo", O_RDONLY));

	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(strchr(strstr(text, "MemFree:"), ' '));
}

static void
set(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY));

	CHECK_OK(write(fd, text, strlen(text)));
	close(fd);
}

/* Where it is set how many may be with the daemon in the background. */
static void
show_limit(char path[64])
{
	struct stat st;

	CHECK_OK(stat(MNT, &st));
	CHECK_OK(mkdir("ctl", 0700));
	CHECK_OK(mount("none", "ctl", "fusectl", 0, NULL));
	snprintf(path, 64, "ctl/%u/max_background", (unsigned)(st.st_dev & 0xff) | (unsigned)(st.st_dev >> 12 & ~0xff));
}

/* --- opening and closing ---------------------------------------------------------------------------------------- */

TEST(no_write_is_on_its_way_when_the_daemon_truncates_at_open)
{
	pid_t writer, opener;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE | FUSE_ATOMIC_O_TRUNC;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	shared->silent = FUSE_WRITE; /* first: Linux may write a new mount's page at once */
	writer = check_fork();
	if (writer == 0) {
		CHECK_EQ(CHECK_OK(pwrite(fd, "later", 5, 0)), 5);
		CHECK_OK(fsync(fd));
		_exit(0);
	}
	UNTIL(COUNT(WRITE) == 1);
	opener = check_fork();
	if (opener == 0) {
		CHECK_OK(open(MNT "/hello", O_WRONLY | O_TRUNC));
		_exit(0);
	}
	let_others_run();
	CHECK_EQ(COUNT(OPEN), 1);
	answer_held();
	CHECK_EXIT(writer, 0);
	CHECK_EXIT(opener, 0);
	CHECK_EQ(LAST(OPEN, fuse_open_in)->flags & O_TRUNC, O_TRUNC);
	close(fd);
	daemon_end();
}

/* A file that somebody waits to have made, and who is killed: it is closed before it is forgotten, however late. */
TEST(what_nobody_has_open_is_released_before_it_is_forgotten)
{
	char limit[64];
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_CREATE;
	shared->ignore_interrupts = true;
	daemon_run(NULL);
	show_limit(limit);
	set(limit, "0\n");
	pid = check_fork();
	if (pid == 0) {
		(void)open(MNT "/made", O_CREAT | O_RDWR, 0600);
		_exit(0);
	}
	UNTIL(COUNT(CREATE) == 1);
	CHECK_OK(kill(pid, SIGKILL));
	UNTIL(COUNT(INTERRUPT) == 1);
	let_others_run();
	answer_held();
	CHECK_KILLED(pid, SIGKILL);
	UNTIL(shared->opened == 1);
	let_others_run();
	set(limit, "12\n");
	/* Linux sends what waits with the next. */
	CHECK_OK(close(CHECK_OK(open(MNT "/hello", O_RDONLY))));
	UNTIL(shared->opened == 2 && shared->released == 2);
	CHECK(!shared->forgot_open);
	CHECK_OK(umount2("ctl", 0));
	daemon_end();
}

/* Linux lets who is killed wait for the lock; whichever way, nobody has it afterwards. */
TEST(a_lock_that_a_killed_one_waited_for_is_nobodys)
{
	struct flock l = { .l_type = F_WRLCK };
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_LOCKS;
	shared->silent = FUSE_SETLKW;
	shared->ignore_interrupts = true;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_CLOEXEC));
	pid = check_fork();
	if (pid == 0) {
		(void)fcntl(fd, F_SETLKW, &l);
		_exit(0);
	}
	UNTIL(COUNT(SETLKW) == 1);
	CHECK_OK(kill(pid, SIGKILL));
	UNTIL(COUNT(INTERRUPT) == 1);
	let_others_run();
	answer_held();
	CHECK_KILLED(pid, SIGKILL);
	UNTIL(*(volatile uint64_t *)&shared->held_owner != 0 && *(volatile uint32_t *)&shared->held.type == F_UNLCK);
	close(fd);
	daemon_end();
}

static void
too_late(int sig __attribute__((unused)))
{
	_exit(0);
}

/*
 * A mapping changes what is being cut, and nobody has it open afterwards. Linux may let the store wait until it is cut,
 * and so may the host: then there is no such page any more.
 */
TEST(what_is_cut_and_not_written_keeps_no_file_open)
{
	pid_t cutter, changer;
	int ready[2];
	char c;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(pipe(ready));
	shared->silent = FUSE_SETATTR;
	changer = check_fork();
	if (changer == 0) {
		int fd = CHECK_OK(open(MNT "/hello", O_RDWR));
		char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		CHECK(p != MAP_FAILED && p[0] == 'h');
		signal(SIGBUS, too_late);
		CHECK_EQ(CHECK_OK(write(ready[1], "r", 1)), 1);
		CHECK_OK(close(fd)); /* the mapping has it open still */
		UNTIL(COUNT(SETATTR) == 1);
		p[0] = 'H';
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(read(ready[0], &c, 1)), 1);
	cutter = check_fork();
	if (cutter == 0) {
		CHECK_OK(truncate(MNT "/hello", 0));
		_exit(0);
	}
	UNTIL(COUNT(SETATTR) == 1);
	let_others_run();
	answer_held();
	CHECK_EXIT(cutter, 0);
	CHECK_EXIT(changer, 0);
	UNTIL(shared->opened == shared->released);
	CHECK_EQ(HELLO->attr.size, 0);
	daemon_end();
}

/* --- writing back ----------------------------------------------------------------------------------------------- */

/* The last one of a name space is killed: that is the unmount, and what was written by then reaches the daemon. */
TEST(what_the_last_of_a_name_space_wrote_is_written)
{
	int ready[2];
	pid_t pid;
	char c;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	shared->max_write = 4096;
	shared->write_pause = 5000;
	CHECK_OK(pipe(ready));
	memset(buf, 'n', sizeof(buf));
	pid = check_fork();
	if (pid == 0) {
		int fd;

		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_EQ(daemon_mount(NULL), 0);
		close(device);
		CHECK_EQ(CHECK_OK(write(ready[1], "m", 1)), 1);
		fd = CHECK_OK(open(MNT "/hello", O_RDWR));
		CHECK_EQ(CHECK_OK(write(fd, buf, sizeof(buf))), (ssize_t)sizeof(buf));
		raise(SIGKILL);
	}
	CHECK_EQ(CHECK_OK(read(ready[0], &c, 1)), 1);
	daemon_start();
	CHECK_KILLED(pid, SIGKILL);
	UNTIL(shared->ended);
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK_EQ(HELLO->attr.size, sizeof(buf));
	CHECK_MEM(HELLO->data, buf, sizeof(buf));
}

/* syncfs waits for a page that is not answered; others are written meanwhile. */
TEST(a_page_that_is_not_written_keeps_no_other_from_it)
{
	pid_t pid, other;
	int one, two;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
	one = CHECK_OK(open(MNT "/hello", O_RDWR));
	two = CHECK_OK(open(MNT "/dir/inside", O_RDWR));
	shared->silent = FUSE_WRITE;
	pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(CHECK_OK(pwrite(one, "first", 5, 0)), 5);
		CHECK_OK(syncfs(one));
		_exit(0);
	}
	UNTIL(COUNT(WRITE) == 1);
	let_others_run();
	shared->silent = -2;
	CHECK_EQ(CHECK_OK(pwrite(two, "second", 6, 0)), 6);
	other = check_fork();
	if (other == 0) {
		sync();
		_exit(0);
	}
	UNTIL(COUNT(WRITE) == 2);
	shared->release_silent = true;
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(other, 0);
	CHECK_MEM(HELLO->data, "first", 5);
	CHECK_MEM(INSIDE->data, "second", 6);
	close(one);
	close(two);
	daemon_end();
}

/* Nothing is written by itself while the interval is 0; as soon as it is another, everything is. */
TEST(another_interval_of_writing_back_wakes_who_writes)
{
	static const char path[] = "/proc/sys/vm/dirty_writeback_centisecs";
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	set(path, "0\n");
	CHECK_EQ(CHECK_OK(pwrite(fd, "later", 5, 0)), 5);
	let_others_run(); /* on Linux it may be written now: a new mount is believed to be slow */
	set(path, "500\n");
	UNTIL(COUNT(WRITE) == 1);
	close(fd);
	daemon_end();
}

/* --- times --------------------------------------------------------------------------------------------------- */

/* The times are told by fsync, and the answer has the mode of before a chmod that came meanwhile. */
TEST(a_mode_that_comes_with_the_times_is_not_kept)
{
	struct fuse_attr_out old;
	pid_t syncer, changer, stranger;
	uint64_t unique;
	int fd, kept;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	CHECK_EQ(daemon_mount("allow_other,default_permissions"), 0);
	kept = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "H", 1, 0)), 1);
	old = (struct fuse_attr_out){ .attr_valid = 1000, .attr = HELLO->attr };
	shared->silent = FUSE_SETATTR;
	syncer = check_fork();
	if (syncer == 0) {
		CHECK_OK(fsync(fd));
		_exit(0);
	}
	UNTIL(COUNT(SETATTR) == 1);
	unique = shared->head[FUSE_SETATTR].unique;
	shared->silent = -2;
	changer = check_fork(); /* Linux lets it wait for the other */
	if (changer == 0) {
		CHECK_OK(chmod(MNT "/hello", 0600));
		_exit(0);
	}
	let_others_run();
	CHECK_EQ(device_answer(kept, unique, 0, &old, sizeof(old)), 0);
	CHECK_EXIT(syncer, 0);
	CHECK_EXIT(changer, 0);
	/* Not by stat, which asks for what a write has changed. */
	stranger = check_fork();
	if (stranger == 0) {
		CHECK_OK(setuid(1000));
		CHECK_ERRNO(open(MNT "/hello", O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXIT(stranger, 0);
	close(fd);
	close(kept);
	daemon_end();
}

/* A store by a mapping comes after the last close(2): the daemon is told of its time all the same. */
TEST(the_time_of_a_late_store_is_told)
{
	char *p;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	p[0] = 'H';
	CHECK_OK(munmap(p, 4096));
	UNTIL(COUNT(SETATTR) == 1 && COUNT(WRITE) == 1);
	UNTIL(*(volatile uint64_t *)&HELLO->attr.mtime > 1000);
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid & FATTR_MTIME, FATTR_MTIME);
	UNTIL(shared->opened == shared->released);
	CHECK_MEM(HELLO->data, "Hello", 5);
	daemon_end();
}

/* --- how much --------------------------------------------------------------------------------------------------- */

/* A daemon asks for what is cached and does not read it: that fills no memory. */
TEST(data_that_is_asked_for_and_not_read_fills_no_memory)
{
	struct fuse_notify_retrieve_out r = { .nodeid = 2, .size = 1 << 20 };
	long before, after;
	int kept;

	daemon_prepare();
	shared->max_write = 1 << 20;
	shared->init_flags = FUSE_MAX_PAGES;
	shared->max_pages = 256;
	CHECK_EQ(daemon_mount(NULL), 0);
	kept = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	CHECK_OK(access(MNT "/hello", F_OK));
	CHECK_OK(kill(daemon_pid, SIGSTOP));
	before = free_memory();
	for (int i = 0; i < 100; i++) {
		ssize_t n = device_notice(kept, FUSE_NOTIFY_RETRIEVE, &r, sizeof(r), NULL, 0);

		CHECK(n == 0 || n == -ENOMEM);
	}
	after = free_memory();
	CHECK(before - after < 50 * 1024);
	CHECK_OK(kill(daemon_pid, SIGCONT));
	UNTIL(COUNT(NOTIFY_REPLY) > 0);
	close(kept);
	daemon_end();
}

/* readahead(2) of a whole huge file fetches no more of it than a reader's window. */
TEST(fetching_ahead_fetches_no_more_than_a_window)
{
	long before, after;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_ASYNC_READ;
	HELLO->attr.size = 1ull << 40;
	shared->silent = FUSE_READ;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	before = free_memory();
	CHECK_EQ(posix_fadvise(fd, 0, 200 << 20, POSIX_FADV_WILLNEED), 0);
	after = free_memory();
	CHECK(before - after < 50 * 1024);
	daemon_kill();
	close(fd);
	CHECK_OK(umount2(MNT, 0));
}

/* What waited because no more could be with the daemon goes on when more may. */
TEST(a_larger_limit_sends_what_waits)
{
	char limit[64];
	pid_t pid;

	daemon_prepare();
	shared->init_flags = FUSE_ASYNC_READ;
	daemon_run(NULL);
	show_limit(limit);
	set(limit, "0\n");
	pid = check_fork();
	if (pid == 0) {
		int fd = CHECK_OK(open(MNT "/hello", O_RDONLY));

		CHECK_EQ(CHECK_OK(read(fd, buf, 6)), 6);
		_exit(0);
	}
	UNTIL(COUNT(OPEN) == 1);
	let_others_run();
	CHECK_EQ(COUNT(READ), 0);
	set(limit, "12\n");
	CHECK_EXIT(pid, 0);
	CHECK_OK(umount2("ctl", 0));
	daemon_end();
}

/* --- below a disk ----------------------------------------------------------------------------------------------- */

/* A loop device that shows `file`, to be read; it is free again when its last handle is closed. */
static int
loop_over(int control, int file)
{
	struct loop_config c = { .fd = (uint32_t)file, .info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR } };
	char name[32];
	int disk;

	for (;;) {
		snprintf(name, sizeof(name), "/dev/loop%d", (int)CHECK_OK(ioctl(control, LOOP_CTL_GET_FREE)));
		disk = (int)CHECK_OK(open(name, O_RDONLY | O_CLOEXEC));
		if (ioctl(disk, LOOP_CONFIGURE, &c) == 0)
			return disk;
		CHECK_EQ(errno, EBUSY);
		close(disk);
	}
}

/* 'D': it waits, and cannot be killed. */
static char
state_of(pid_t pid)
{
	char path[32], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	end = strrchr(text, ')');
	CHECK(end);
	return end[2];
}

TEST(a_loop_device_whose_file_waits_for_its_daemon_stops_no_other)
{
	int control, image, hello, slow, other;
	pid_t reader, changer;

	daemon_prepare();
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		SKIP("no loop devices");
	HELLO->attr.size = 4096;
	CHECK_OK(daemon_mount(NULL));
	daemon_start();
	image = (int)CHECK_OK(open("image", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK_OK(ftruncate(image, 4096));
	hello = (int)CHECK_OK(open(MNT "/hello", O_RDONLY | O_CLOEXEC));
	slow = loop_over(control, hello);
	other = loop_over(control, image);
	close(hello);
	shared->silent = FUSE_READ;
	reader = check_fork();
	if (reader == 0) {
		CHECK_EQ(CHECK_OK(pread(slow, buf, 4096, 0)), 4096); /* of one file or of the other */
		_exit(0);
	}
	UNTIL(COUNT(READ) > 0);
	changer = check_fork();
	if (changer == 0) {
		CHECK_OK(ioctl(slow, LOOP_CHANGE_FD, other)); /* when nobody reads the file before any more */
		_exit(0);
	}
	UNTIL(state_of(changer) == 'D');
	close(loop_over(control, image));
	CHECK_EQ(state_of(changer), 'D');
	answer_held();
	CHECK_EXIT(reader, 0);
	CHECK_EXIT(changer, 0);
	UNTIL(COUNT(RELEASE) == 1);
	close(slow);
	close(other);
	daemon_end();
}

/* --- who provides other things ------------------------------------------------------------------------------------ */

TEST(a_provider_whose_memory_waits_for_a_daemon_keeps_nobody_from_its_device)
{
	struct uinput_setup setup = { .name = "waits" };
	int hello, provider;
	char name[64];
	pid_t writer;
	void *map;

	if (access("/proc/tessera", F_OK))
		SKIP("Linux holds a lock meanwhile, and whoever closes the device waits for that");
	daemon_prepare();
	HELLO->attr.size = 4096;
	CHECK_OK(daemon_mount(NULL));
	daemon_start();
	provider = (int)CHECK_OK(open("/dev/uinput", O_RDWR | O_CLOEXEC));
	CHECK_OK(ioctl(provider, UI_SET_EVBIT, EV_KEY));
	CHECK_OK(ioctl(provider, UI_SET_KEYBIT, KEY_A));
	CHECK_OK(ioctl(provider, UI_DEV_SETUP, &setup));
	CHECK_OK(ioctl(provider, UI_DEV_CREATE));
	hello = (int)CHECK_OK(open(MNT "/hello", O_RDONLY | O_CLOEXEC));
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, hello, 0);
	CHECK(map != MAP_FAILED);
	close(hello);
	shared->silent = FUSE_READ;
	writer = check_fork();
	if (writer == 0) {
		CHECK_EQ(CHECK_OK(write(provider, map, sizeof(struct input_event))), sizeof(struct input_event));
		_exit(0);
	}
	UNTIL(COUNT(READ) > 0);
	CHECK(CHECK_OK(ioctl(provider, UI_GET_SYSNAME(sizeof(name)), name)) > 0);
	answer_held();
	CHECK_EXIT(writer, 0);
	CHECK_OK(munmap(map, 4096));
	CHECK_OK(ioctl(provider, UI_DEV_DESTROY));
	close(provider);
	UNTIL(COUNT(RELEASE) == 1);
	daemon_end();
}
