/* SPDX-License-Identifier: MIT */
/*
 * late.c - what a daemon does for a program that was killed meanwhile: others see what it did, as soon as it has. Linux lets
 * the killed program wait for that.
 *
 * In each case a child's call is held by the daemon while the child is killed, and done afterwards.
 */
#include "daemon.h"

#include <linux/falloc.h>

#define HELLO (&shared->node[2])

static pid_t caller;

/* Everything that the daemon says may be believed for long, but not `op`, which it does not answer yet. */
static int
prepare(int op, uint32_t init_flags, int flags)
{
	daemon_prepare();
	shared->entry_valid = shared->attr_valid = 1000;
	shared->negative = true;
	shared->ignore_interrupts = true;
	shared->init_flags = init_flags;
	shared->silent = op;
	daemon_run(NULL);
	return CHECK_OK(open(MNT "/hello", flags | O_CLOEXEC));
}

/* The child that is to be killed in its next call: 0. */
static bool
in_caller(void)
{
	caller = check_fork();
	return caller == 0;
}

static void
killed_in(int op)
{
	UNTIL(atomic_load(&shared->count[op]) == 1);
	CHECK_OK(kill(caller, SIGKILL));
	UNTIL(COUNT(INTERRUPT) == 1);
	usleep(200000); /* Linux has it wait, and others for its locks; we do not */
}

/* The daemon does it now, and has done it when this returns. */
static void
done_late(void)
{
	static int asked;
	struct stat st;
	char path[32];

	shared->silent = -2;
	shared->release_silent = true;
	CHECK_KILLED(caller, SIGKILL);
	/* It does one thing after the other, and looks for the one that it holds before each. */
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), MNT "/behind-%d", asked++);
		CHECK_ERRNO(stat(path, &st), ENOENT);
	}
}

TEST(a_file_is_not_released_while_it_is_synced)
{
	int fd = prepare(FUSE_FSYNC, 0, O_RDWR);

	if (in_caller()) {
		int own = CHECK_OK(open(MNT "/hello", O_RDWR));

		(void)fsync(own);
		_exit(0);
	}
	killed_in(FUSE_FSYNC);
	CHECK_EQ(shared->released, 0);
	done_late();
	UNTIL(shared->released == 1);
	close(fd);
	daemon_end();
}

TEST(files_are_not_released_while_the_daemon_copies)
{
	int fd = prepare(FUSE_COPY_FILE_RANGE, 0, O_RDWR);

	if (in_caller()) {
		int from = CHECK_OK(open(MNT "/hello", O_RDONLY)), to = CHECK_OK(open(MNT "/dir/inside", O_RDWR));

		(void)copy_file_range(from, NULL, to, NULL, 3, 0);
		_exit(0);
	}
	killed_in(FUSE_COPY_FILE_RANGE);
	CHECK_EQ(shared->released, 0);
	done_late();
	UNTIL(shared->released == 2);
	close(fd);
	daemon_end();
}

TEST(what_was_written_late_is_read)
{
	int fd = prepare(FUSE_WRITE, 0, O_RDWR);
	char text[6];

	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	if (in_caller()) {
		(void)pwrite(fd, "HELLO", 5, 0);
		_exit(0);
	}
	killed_in(FUSE_WRITE);
	CHECK_EQ(CHECK_OK(pread(fd, text, 5, 0)), 5); /* Linux shows it already */
	done_late();
	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	CHECK_MEM(text, "HELLO\n", 6);
	close(fd);
	daemon_end();
}

TEST(what_was_cut_late_is_short)
{
	int fd = prepare(FUSE_SETATTR, 0, O_RDWR);
	char text[16];
	struct stat st;

	CHECK_EQ(CHECK_OK(pread(fd, text, sizeof(text), 0)), 6);
	if (in_caller()) {
		(void)ftruncate(fd, 2);
		_exit(0);
	}
	killed_in(FUSE_SETATTR);
	CHECK_OK(fstat(fd, &st)); /* it is 6 still, and may be believed for long */
	done_late();
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 2);
	CHECK_EQ(CHECK_OK(pread(fd, text, sizeof(text), 0)), 2);
	close(fd);
	daemon_end();
}

/* Where the size is the kernel's the daemon is not asked for it. */
TEST(what_was_cut_late_is_short_where_writes_are_kept)
{
	int fd = prepare(FUSE_SETATTR, FUSE_WRITEBACK_CACHE, O_RDWR);
	char text[16];
	struct stat st;

	CHECK_EQ(CHECK_OK(pread(fd, text, sizeof(text), 0)), 6);
	if (in_caller()) {
		(void)ftruncate(fd, 2);
		_exit(0);
	}
	killed_in(FUSE_SETATTR);
	done_late();
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 2);
	CHECK_EQ(CHECK_OK(pread(fd, text, sizeof(text), 0)), 2);
	close(fd);
	daemon_end();
}

TEST(a_mode_that_was_set_late_is_seen)
{
	int fd = prepare(FUSE_SETATTR, 0, O_RDWR);
	struct stat st;

	if (in_caller()) {
		(void)fchmod(fd, 0604);
		_exit(0);
	}
	killed_in(FUSE_SETATTR);
	CHECK_OK(fstat(fd, &st));
	CHECK((st.st_mode & 07777) != 0604);
	done_late();
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0604);
	close(fd);
	daemon_end();
}

TEST(a_file_that_was_made_longer_late_is_longer)
{
	int fd = prepare(FUSE_FALLOCATE, 0, O_RDWR);
	struct stat st;

	if (in_caller()) {
		(void)fallocate(fd, 0, 0, 100);
		_exit(0);
	}
	killed_in(FUSE_FALLOCATE);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 6);
	HELLO->attr.size = 100; /* the daemon of these cases knows how to say yes */
	done_late();
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100);
	close(fd);
	daemon_end();
}

TEST(a_hole_that_was_punched_late_is_read)
{
	int fd = prepare(FUSE_FALLOCATE, 0, O_RDWR);
	char text[6];

	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	if (in_caller()) {
		(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
		_exit(0);
	}
	killed_in(FUSE_FALLOCATE);
	memset(HELLO->data, 0, 6);
	done_late();
	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	CHECK_MEM(text, "\0\0\0\0\0\0", 6);
	close(fd);
	daemon_end();
}

TEST(names_that_were_made_late_are_found)
{
	static const struct {
		int op;
		const char *path;
	} made[] = {
		{ FUSE_MKDIR, MNT "/made-dir" }, { FUSE_MKNOD, MNT "/made-fifo" }, { FUSE_SYMLINK, MNT "/made-link" },
		{ FUSE_CREATE, MNT "/made-file" },
	};
	int fd = prepare(FUSE_MKDIR, 0, O_RDWR);
	struct stat st;

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		shared->release_silent = false;
		shared->silent = made[i].op;
		shared->count[FUSE_INTERRUPT] = 0;
		CHECK_ERRNO(lstat(made[i].path, &st), ENOENT);
		if (in_caller()) {
			if (made[i].op == FUSE_MKDIR)
				(void)mkdir(made[i].path, 0700);
			else if (made[i].op == FUSE_MKNOD)
				(void)mkfifo(made[i].path, 0600);
			else if (made[i].op == FUSE_SYMLINK)
				(void)!symlink("to", made[i].path);
			else
				(void)open(made[i].path, O_CREAT | O_EXCL | O_RDWR, 0600);
			_exit(0);
		}
		killed_in(made[i].op);
		CHECK_ERRNO(lstat(made[i].path, &st), ENOENT);
		done_late();
		CHECK_OK(lstat(made[i].path, &st));
	}
	close(fd);
	daemon_end();
}

TEST(names_that_were_taken_late_are_gone)
{
	int fd = prepare(FUSE_UNLINK, 0, O_RDWR);
	struct stat st;

	CHECK_OK(stat(MNT "/link", &st));
	if (in_caller()) {
		(void)unlink(MNT "/link");
		_exit(0);
	}
	killed_in(FUSE_UNLINK);
	CHECK_OK(lstat(MNT "/link", &st)); /* it is there, and may be believed for long */
	done_late();
	CHECK_ERRNO(lstat(MNT "/link", &st), ENOENT);
	close(fd);
	daemon_end();
}

TEST(names_that_were_moved_late_are_elsewhere)
{
	int fd = prepare(FUSE_RENAME, 0, O_RDWR);
	struct stat st;

	CHECK_ERRNO(lstat(MNT "/dir/moved", &st), ENOENT);
	if (in_caller()) {
		(void)rename(MNT "/hello", MNT "/dir/moved");
		_exit(0);
	}
	killed_in(FUSE_RENAME);
	CHECK_ERRNO(lstat(MNT "/dir/moved", &st), ENOENT);
	CHECK_OK(lstat(MNT "/hello", &st));
	done_late();
	CHECK_OK(lstat(MNT "/dir/moved", &st));
	CHECK_ERRNO(lstat(MNT "/hello", &st), ENOENT);
	close(fd);
	daemon_end();
}
