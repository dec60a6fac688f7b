/* SPDX-License-Identifier: MIT */
/* Advisory locks: fcntl's by process and by open object, and flock's. */
#include "../check.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

static int
set(int fd, int command, int type, off_t start, off_t length)
{
	struct flock l = { .l_type = (short)type, .l_start = start, .l_len = length };

	return fcntl(fd, command, &l);
}

/* The lock that stops a write lock of the range, asked for by another process: its type. */
static int
blocker(int fd, off_t start, off_t length, struct flock *out)
{
	int ends[2];

	*out = (struct flock){ .l_type = F_WRLCK, .l_start = start, .l_len = length };
	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(fcntl(fd, F_GETLK, out));
		check_write_all(ends[1], out, sizeof(*out));
		_exit(0);
	}
	check_read_all(ends[0], out, sizeof(*out));
	CHECK_EXIT(pid, 0);
	return out->l_type;
}

TEST(record_locks_stop_other_processes)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct flock l;

	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 10, 10));
	CHECK_EQ(blocker(fd, 15, 1, &l), F_WRLCK);
	CHECK_EQ(l.l_start, 10);
	CHECK_EQ(l.l_len, 10);
	CHECK_EQ(l.l_pid, getpid());
	CHECK_EQ(blocker(fd, 0, 10, &l), F_UNLCK);
	CHECK_EQ(blocker(fd, 20, 0, &l), F_UNLCK);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_ERRNO(set(fd, F_SETLK, F_RDLCK, 19, 5), EAGAIN);
		CHECK_OK(set(fd, F_SETLK, F_RDLCK, 20, 5));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(unlocking_the_middle_splits)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct flock l;

	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 30));
	CHECK_OK(set(fd, F_SETLK, F_UNLCK, 10, 10));
	CHECK_EQ(blocker(fd, 10, 10, &l), F_UNLCK);
	CHECK_EQ(blocker(fd, 5, 10, &l), F_WRLCK);
	CHECK_EQ(l.l_len, 10);
	CHECK_EQ(blocker(fd, 25, 10, &l), F_WRLCK);
	CHECK_EQ(l.l_start, 20);
	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 10, 10));
	CHECK_EQ(blocker(fd, 0, 0, &l), F_WRLCK);
	CHECK_EQ(l.l_len, 30);
}

TEST(closing_any_handle_of_the_file_drops_the_process_locks)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int other = CHECK_OK(open("f", O_RDONLY));
	struct flock l;

	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_EQ(blocker(fd, 0, 1, &l), F_WRLCK);
	CHECK_OK(close(other));
	CHECK_EQ(blocker(fd, 0, 1, &l), F_UNLCK);
}

TEST(closing_a_mere_name_of_the_file_drops_no_locks)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct flock l;

	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(close(CHECK_OK(open("f", O_PATH))));
	CHECK_EQ(blocker(fd, 0, 1, &l), F_WRLCK);
}

TEST(waiting_gets_the_lock_when_the_holder_ends)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int ready[2];
	char c;

	CHECK_OK(pipe(ready));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 0));
		check_write_all(ready[1], "x", 1);
		check_sleep_ms(100);
		_exit(0);
	}
	check_read_all(ready[0], &c, 1);
	CHECK_OK(set(fd, F_SETLKW, F_WRLCK, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(circle_of_waiters_is_edeadlk)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int ready[2];
	char c;

	CHECK_OK(pipe(ready));
	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(set(fd, F_SETLK, F_WRLCK, 1, 1));
		check_write_all(ready[1], "x", 1);
		CHECK_OK(set(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	check_read_all(ready[0], &c, 1);
	check_wait_asleep(pid, 0);
	CHECK_ERRNO(set(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_OK(set(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK_EXIT(pid, 0);
}

TEST(lock_needs_the_access_mode)
{
	int w = CHECK_OK(open("f", O_WRONLY | O_CREAT, 0600));
	int r = CHECK_OK(open("f", O_RDONLY));

	CHECK_ERRNO(set(r, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_ERRNO(set(w, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_OK(set(r, F_SETLK, F_RDLCK, 0, 1));
	CHECK_ERRNO(set(r, F_SETLK, 9, 0, 1), EINVAL);
	CHECK_ERRNO(set(r, F_SETLK, F_RDLCK, -1, 1), EINVAL);
	CHECK_ERRNO(set(r, F_SETLK, F_RDLCK, 2, -3), EINVAL);
	CHECK_OK(set(r, F_SETLK, F_RDLCK, 3, -3));
}

TEST(open_object_locks_belong_to_the_open_object)
{
	int a = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int b = CHECK_OK(open("f", O_RDWR));
	struct flock l = { .l_type = F_RDLCK, .l_len = 1 };

	CHECK_OK(set(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	CHECK_ERRNO(set(b, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);
	CHECK_ERRNO(set(b, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
	CHECK_OK(fcntl(b, F_OFD_GETLK, &l));
	CHECK_EQ(l.l_pid, -1);
	l.l_pid = 5;
	CHECK_ERRNO(fcntl(b, F_OFD_SETLK, &l), EINVAL);
	CHECK_OK(close(a));
	CHECK_OK(set(b, F_OFD_SETLK, F_RDLCK, 0, 1));
}

TEST(flock_is_shared_by_duplicates_and_ends_with_the_last)
{
	int a = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int b = CHECK_OK(open("f", O_RDWR));
	int c = CHECK_OK(dup(a));

	CHECK_OK(flock(a, LOCK_EX));
	CHECK_OK(flock(c, LOCK_EX | LOCK_NB));
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(close(a));
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(close(c));
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERRNO(flock(b, 77), EINVAL);
	CHECK_ERRNO(flock(200, LOCK_SH), EBADF);
}

TEST(flock_and_record_locks_do_not_meet)
{
	int a = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(flock(a, LOCK_EX));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(set(a, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static volatile pid_t lock_waiter;

static void *
wait_for_the_lock(void *arg)
{
	lock_waiter = gettid();
	CHECK_ERRNO(set((int)(intptr_t)arg, F_SETLKW, F_WRLCK, 0, 1), EBADF);
	return NULL;
}

/* A lock that is granted after its handle was closed has nobody left to drop it: it goes at once. */
TEST(record_lock_granted_after_close_is_dropped)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), go[2], done[2];
	pthread_t waiter;
	char c;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(done));
	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_RETURNS(pthread_create(&waiter, NULL, wait_for_the_lock, (void *)(intptr_t)fd), 0);
		while (!lock_waiter)
			check_sleep_ms(1);
		check_wait_asleep(getpid(), lock_waiter);
		CHECK_OK(close(fd));
		check_write_all(go[1], "c", 1);
		CHECK_RETURNS(pthread_join(waiter, NULL), 0);
		check_write_all(go[1], "j", 1);
		check_read_all(done[0], &c, 1);
		_exit(0);
	}
	check_read_all(go[0], &c, 1);
	CHECK_OK(set(fd, F_SETLK, F_UNLCK, 0, 1));
	check_read_all(go[0], &c, 1);
	CHECK_OK(set(fd, F_SETLK, F_WRLCK, 0, 1));
	check_write_all(done[1], "d", 1);
	CHECK_EXIT(pid, 0);
}

/* That others look into a process's handles changes nothing about whose its locks are. */
HELPER(reads_until_the_end)
{
	char c;

	for (int fd = 3; fd < 64; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
			_exit(read(fd, &c, 1) == 0 ? 0 : 4);
	}
	_exit(5);
}

TEST(record_locks_outlive_an_exec_that_is_watched)
{
	pid_t watcher, pid;
	int fd = CHECK_OK(open("watched", O_RDWR | O_CREAT, 0600));
	int go[2], gone[2];

	TIMEOUT(60);
	for (int i = 0; i < 30; i++) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
		char c;

		CHECK_OK(pipe2(go, 0));
		CHECK_OK(pipe2(gone, O_CLOEXEC));
		pid = check_fork();
		if (pid == 0) {
			close(go[1]);
			CHECK_OK(fcntl(fd, F_SETLK, &l));
			CHECK_EQ(read(go[0], &c, 1), 1);
			/* Stays, and keeps what it holds, until `go` is closed. */
			execl("/proc/self/exe", "x", "--helper", "reads_until_the_end", NULL);
			_exit(3);
		}
		close(go[0]);
		close(gone[1]);
		watcher = check_fork();
		if (watcher == 0) {
			char path[64], text[256];

			close(go[1]);
			snprintf(path, sizeof(path), "/proc/%d/fdinfo/0", pid);
			for (;;) {
				int info = open(path, O_RDONLY);

				if (info >= 0 && read(info, text, sizeof(text)) < 0)
					text[0] = '\0';
				close(info);
			}
		}
		check_wait_asleep(pid, pid);
		CHECK_EQ(write(go[1], "g", 1), 1);
		/* The exec closes its end of this. */
		CHECK_EQ(read(gone[0], &c, 1), 0);
		CHECK_OK(kill(watcher, SIGKILL));
		CHECK_EQ(waitpid(watcher, NULL, 0), watcher);
		CHECK_OK(fcntl(fd, F_GETLK, &l));
		CHECK_EQ(l.l_type, F_WRLCK);
		CHECK_EQ(l.l_pid, pid);
		close(go[1]);
		CHECK_EXIT(pid, 0);
		close(gone[0]);
	}
}

/* The line of /proc/locks about inode `ino` that begins, after its number, with `start`; or NULL. */
static const char *
proc_lock(ino_t ino, const char *start)
{
	static char line[256];
	char want[32], *body;
	FILE *f = fopen("/proc/locks", "r");

	CHECK(f);
	snprintf(want, sizeof(want), ":%lu ", (unsigned long)ino);
	while (fgets(line, sizeof(line), f)) {
		body = strstr(line, ": ");
		if (body && strstr(line, want) && strncmp(body + 2, start, strlen(start)) == 0) {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return body + 2;
		}
	}
	fclose(f);
	return NULL;
}

TEST(proc_locks_lists_holders_and_waiters)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), other;
	char want[128];
	struct stat st;
	pid_t pid;

	CHECK_OK(fstat(fd, &st));
	CHECK(!proc_lock(st.st_ino, ""));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	snprintf(want, sizeof(want), "POSIX  ADVISORY  WRITE %d %02x:%02x:%lu 10 14", getpid(), major(st.st_dev),
		 minor(st.st_dev), (unsigned long)st.st_ino);
	CHECK(proc_lock(st.st_ino, "POSIX"));
	CHECK_STR(proc_lock(st.st_ino, "POSIX"), want);
	l = (struct flock){ .l_type = F_RDLCK, .l_start = 100 };
	CHECK_OK(fcntl(fd, F_OFD_SETLK, &l));
	snprintf(want, sizeof(want), "OFDLCK ADVISORY  READ -1 %02x:%02x:%lu 100 EOF", major(st.st_dev),
		 minor(st.st_dev), (unsigned long)st.st_ino);
	CHECK(proc_lock(st.st_ino, "OFDLCK"));
	CHECK_STR(proc_lock(st.st_ino, "OFDLCK"), want);
	CHECK_OK(flock(fd, LOCK_SH));
	CHECK(proc_lock(st.st_ino, "FLOCK  ADVISORY  READ "));
	CHECK_OK(flock(fd, LOCK_EX));
	CHECK(!proc_lock(st.st_ino, "FLOCK  ADVISORY  READ "));
	CHECK(proc_lock(st.st_ino, "FLOCK  ADVISORY  WRITE "));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(close(fd)); /* or the locks of the open object would stay ours too */
		other = CHECK_OK(open("f", O_RDWR));
		CHECK_OK(flock(other, LOCK_EX));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	snprintf(want, sizeof(want), "-> FLOCK  ADVISORY  WRITE %d ", pid);
	CHECK(proc_lock(st.st_ino, want));
	CHECK_OK(close(fd));
	CHECK_EXIT(pid, 0);
	CHECK(!proc_lock(st.st_ino, ""));
}
