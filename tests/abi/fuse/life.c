/* SPDX-License-Identifier: MIT */
/*
 * life.c - daemons that end, are silent, or wrong; who may call them; abort; interrupts.
 */
#include "daemon.h"

#include <pthread.h>

TEST(callers_of_a_dead_daemon_get_enotconn_and_it_can_be_unmounted)
{
	struct stat st;
	char buf[8];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	daemon_kill();
	CHECK_ERRNO(stat(MNT "/dir/inside", &st), ENOTCONN);
	CHECK_ERRNO(pread(fd, buf, 4, 0), ENOTCONN);
	CHECK_ERRNO(open(MNT "/hello", O_RDONLY), ENOTCONN);
	close(fd);
	CHECK_OK(umount2(MNT, 0));
	CHECK_OK(stat(MNT, &st));
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_end();
}

TEST(a_request_that_was_read_fails_when_its_daemon_dies)
{
	struct stat st;

	daemon_prepare();
	shared->close_after = FUSE_LOOKUP;
	daemon_run(NULL);
	CHECK_ERRNO(stat(MNT "/hello", &st), ECONNABORTED);
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOTCONN);
	CHECK_OK(umount2(MNT, 0));
	waitpid(daemon_pid, NULL, 0);
}

TEST(who_waits_for_a_silent_daemon_can_be_killed)
{
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_LOOKUP;
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		struct stat st;

		stat(MNT "/hello", &st);
		_exit(1);
	}
	UNTIL(COUNT(LOOKUP) == 1);
	CHECK_OK(kill(pid, SIGKILL));
	/* Linux waits for the daemon after all, unless it answers the interrupt, as ours does. */
	UNTIL(COUNT(INTERRUPT) == 1);
	CHECK_KILLED(pid, SIGKILL);
	shared->silent = -2;
	daemon_end();
}

static void
nothing(int sig)
{
	(void)sig;
}

/* A child whose stat of /hello the daemon holds by now, and which takes signals: to end with this error, 0: none. */
static pid_t
held_stat(int want)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = nothing };
		struct stat st;

		sigaction(SIGUSR1, &sa, NULL);
		if (want)
			CHECK_ERRNO(stat(MNT "/hello", &st), want);
		else
			CHECK_OK(stat(MNT "/hello", &st));
		_exit(want || st.st_size == 6 ? 0 : 1);
	}
	UNTIL(COUNT(LOOKUP) == 1);
	return pid;
}

TEST(a_signal_asks_the_daemon_to_interrupt)
{
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_LOOKUP;
	daemon_run(NULL);
	pid = held_stat(EINTR);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(COUNT(INTERRUPT), 1);
	CHECK_EQ(shared->interrupt_unique, shared->head[FUSE_LOOKUP].unique);
	CHECK_EQ(shared->head[FUSE_INTERRUPT].unique, shared->interrupt_unique | 1);
	shared->silent = -2;
	daemon_end();
}

TEST(an_ignored_interrupt_changes_nothing)
{
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_LOOKUP;
	shared->ignore_interrupts = true;
	daemon_run(NULL);
	pid = held_stat(0);
	CHECK_OK(kill(pid, SIGUSR1));
	UNTIL(COUNT(INTERRUPT) == 1);
	shared->silent = -2;
	shared->release_silent = true;
	CHECK_EXIT(pid, 0);
	daemon_end();
}

TEST(forced_unmount_frees_who_waits)
{
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_LOOKUP;
	shared->ignore_interrupts = true;
	daemon_run(NULL);
	pid = held_stat(ECONNABORTED);
	(void)umount2(MNT, MNT_FORCE); /* busy or not */
	CHECK_EXIT(pid, 0);
	(void)umount2(MNT, MNT_DETACH);
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK_EQ(shared->end_errno, ENODEV);
}

TEST(abort_by_the_control_file_system)
{
	char path[64], text[16];
	struct stat st;
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->ignore_interrupts = true;
	daemon_run(NULL);
	CHECK_OK(stat(MNT, &st));
	CHECK_OK(mkdir("ctl", 0700));
	CHECK_OK(mount("none", "ctl", "fusectl", 0, NULL));
	shared->silent = FUSE_LOOKUP;
	pid = held_stat(ECONNABORTED);
	snprintf(path, sizeof(path), "ctl/%u/waiting", (unsigned)(st.st_dev & 0xff) | (unsigned)(st.st_dev >> 12 & ~0xff));
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(CHECK_OK(read(fd, text, sizeof(text))), 2);
	CHECK_MEM(text, "1\n", 2);
	close(fd);
	memcpy(strrchr(path, '/'), "/abort", 7);
	fd = CHECK_OK(open(path, O_WRONLY));
	CHECK_OK(write(fd, "1", 1));
	close(fd);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(stat(MNT "/dir", &st), ENOTCONN);
	CHECK_OK(umount2(MNT, 0));
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK_OK(umount2("ctl", 0));
}

static void
wrong_is_eio(int how)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir", &st));
	shared->wrong = how;
	CHECK_ERRNO(stat(MNT "/hello", &st), EIO);
	shared->wrong = RIGHT;
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_end();
}

TEST(a_short_answer_is_eio)
{
	wrong_is_eio(WRONG_SHORT);
	CHECK_EQ(shared->answered > 0, 1);
}

TEST(a_long_answer_is_eio)
{
	wrong_is_eio(WRONG_LONG);
}

TEST(an_answer_that_tells_another_length_is_refused)
{
	wrong_is_eio(WRONG_LENGTH); /* EINVAL to the daemon, who then says EIO itself */
}

TEST(an_answer_to_no_request_is_refused)
{
	wrong_is_eio(WRONG_UNIQUE);
}

TEST(an_error_that_is_none_is_refused)
{
	wrong_is_eio(WRONG_ERROR);
}

TEST(a_mode_without_a_kind_is_eio)
{
	wrong_is_eio(WRONG_MODE);
}

TEST(a_name_of_the_root_is_eio)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir", &st));
	shared->wrong = WRONG_NODE_ROOT;
	CHECK_ERRNO(stat(MNT "/hello", &st), EIO);
	daemon_end();
}

TEST(a_size_beyond_all_is_eio)
{
	wrong_is_eio(WRONG_SIZE);
}

TEST(a_second_answer_is_refused)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	shared->wrong = WRONG_TWICE;
	CHECK_OK(stat(MNT "/hello", &st));
	UNTIL(shared->write_errno == 0 || shared->write_errno == ENOENT);
	shared->wrong = RIGHT;
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_end();
}

TEST(a_file_that_becomes_a_directory_is_eio)
{
	struct stat st;
	int fd;

	daemon_prepare();
	shared->attr_valid = 0;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	shared->wrong = WRONG_KIND;
	CHECK_ERRNO(fstat(fd, &st), EIO);
	shared->wrong = RIGHT;
	CHECK_ERRNO(fstat(fd, &st), EIO); /* for good */
	close(fd);
	daemon_end();
}

TEST(a_kept_link_of_what_is_no_link_any_more_is_eio)
{
	struct stat st;
	char body[16];
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_CACHE_SYMLINKS;
	shared->attr_valid = 0;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/link", O_PATH | O_NOFOLLOW));
	CHECK_EQ(CHECK_OK(readlinkat(fd, "", body, sizeof(body))), 5);
	shared->wrong = WRONG_KIND;
	CHECK_ERRNO(fstat(fd, &st), EIO);
	shared->wrong = RIGHT;
	CHECK_ERRNO(readlinkat(fd, "", body, sizeof(body)), EIO);
	close(fd);
	daemon_end();
}

TEST(a_wrong_name_in_a_directory_is_eio)
{
	char buf[4096];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	shared->wrong = WRONG_NAME;
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buf, sizeof(buf)), EIO);
	shared->wrong = RIGHT;
	close(fd);
	daemon_end();
}

TEST(a_daemon_of_another_version_is_refused)
{
	struct stat st;

	daemon_prepare();
	shared->init_major = 9;
	daemon_run(NULL);
	CHECK_ERRNO(stat(MNT "/hello", &st), ECONNREFUSED);
	daemon_end();
}

TEST(strangers_are_kept_out)
{
	pid_t pid;

	daemon_prepare();
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		struct stat st;

		CHECK_OK(setgid(CHECK_NOBODY));
		CHECK_OK(setuid(CHECK_NOBODY));
		CHECK_ERRNO(stat(MNT "/hello", &st), EACCES);
		CHECK_ERRNO(open(MNT, O_RDONLY), EACCES);
		CHECK_ERRNO(stat(MNT, &st), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(COUNT(LOOKUP), 0);
	daemon_end();
}

static void
become_nobody(void)
{
	CHECK_OK(setgid(CHECK_NOBODY));
	CHECK_OK(setuid(CHECK_NOBODY));
}

TEST(allow_other_lets_all_in_and_the_daemon_judges)
{
	pid_t pid;

	daemon_prepare();
	daemon_run("allow_other");
	pid = check_fork();
	if (pid == 0) {
		become_nobody();
		CHECK_OK(close(CHECK_OK(open(MNT "/dir/inside", O_RDWR)))); /* mode 0600 of root */
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(shared->head[FUSE_OPEN].uid, CHECK_NOBODY);
	daemon_end();
}

TEST(default_permissions_are_checked_here)
{
	pid_t pid;

	daemon_prepare();
	daemon_run("allow_other,default_permissions");
	pid = check_fork();
	if (pid == 0) {
		become_nobody();
		CHECK_ERRNO(open(MNT "/dir/inside", O_RDONLY), EACCES);
		CHECK_OK(close(CHECK_OK(open(MNT "/hello", O_RDONLY))));
		CHECK_ERRNO(chmod(MNT "/hello", 0777), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(COUNT(ACCESS), 0);
	CHECK_EQ(COUNT(SETATTR), 0);
	daemon_end();
}

TEST(access_and_chdir_ask_the_daemon)
{
	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(access(MNT "/hello", R_OK | W_OK));
	CHECK_EQ(COUNT(ACCESS), 1);
	CHECK_EQ(LAST(ACCESS, fuse_access_in)->mask, R_OK | W_OK);
	shared->error[FUSE_ACCESS] = -EACCES;
	CHECK_ERRNO(chdir(MNT "/dir"), EACCES);
	shared->error[FUSE_ACCESS] = -ENOSYS;
	CHECK_OK(access(MNT "/hello", X_OK));
	CHECK_OK(access(MNT "/hello", X_OK));
	CHECK_EQ(COUNT(ACCESS), 3);
	daemon_end();
}

TEST(mounting_wants_its_options)
{
	char text[64];

	daemon_prepare();
	snprintf(text, sizeof(text), "fd=%d", device);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, text), EINVAL);
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0", device);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, text), EINVAL);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, "fd=0,rootmode=40000,user_id=0,group_id=0"), EINVAL);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, "fd=99,rootmode=40000,user_id=0,group_id=0"), EINVAL);
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0,what", device);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, text), EINVAL);
	CHECK_ERRNO(mount("x", MNT, "fuse.", 0, text), EINVAL);
	CHECK_ERRNO(read(device, text, 8), EPERM);
	CHECK_ERRNO(write(device, text, 8), EPERM);
}

TEST(the_type_and_options_are_shown)
{
	char line[512], text[128];
	bool found = false;
	FILE *f;

	daemon_prepare();
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,max_read=65536", device);
	CHECK_OK(mount("the source", MNT, "fuse.kind", MS_NOSUID, text));
	daemon_start();
	f = fopen("/proc/self/mounts", "r");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, " fuse.kind "))
			found = strstr(line, "the\\040source ") && strstr(line, "user_id=0,group_id=0,allow_other,max_read=65536");
	fclose(f);
	CHECK(found);
	daemon_end();
}
