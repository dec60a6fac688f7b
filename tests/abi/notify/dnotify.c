/* SPDX-License-Identifier: MIT */
/* fcntl's F_NOTIFY: signals of what happens in a directory. */
#include "../check.h"

static void
touch(const char *name)
{
	CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_CREAT, 0644))));
}

/* The signals that came, blocked before. */
static int
signals(int signo, siginfo_t *last)
{
	struct timespec none = { 0 };
	sigset_t set;
	int n = 0;

	sigemptyset(&set);
	sigaddset(&set, signo);
	while (sigtimedwait(&set, last, &none) == signo)
		n++;
	return n;
}

static int
watched(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(mkdir("d", 0755));
	int fd = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	if (signo != SIGIO)
		CHECK_OK(fcntl(fd, F_SETSIG, signo));
	return fd;
}

TEST(one_signal_for_one_event)
{
	int fd = watched(SIGIO);

	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE));
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
	CHECK_EQ(signals(SIGIO, NULL), 0);
	touch("d/a");
	CHECK_EQ(signals(SIGIO, NULL), 1);
	touch("d/b");
	CHECK_EQ(signals(SIGIO, NULL), 0);
}

TEST(a_chosen_signal_says_which_handle)
{
	int fd = watched(SIGRTMIN + 3);
	siginfo_t info;

	CHECK_EQ(fcntl(fd, F_GETSIG), SIGRTMIN + 3);
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
	touch("d/a");
	touch("d/b");
	CHECK_OK(unlink("d/a"));
	CHECK_EQ(signals(SIGRTMIN + 3, &info), 3);
	CHECK_EQ(info.si_fd, fd);
	CHECK_EQ(info.si_code, POLL_MSG);
	CHECK_OK(fcntl(fd, F_NOTIFY, 0));
	touch("d/a");
	CHECK_EQ(signals(SIGRTMIN + 3, NULL), 0);
}

TEST(each_kind_of_event)
{
	int fd = watched(SIGRTMIN), f, elsewhere;
	static const unsigned int kinds[] = { DN_ACCESS, DN_MODIFY, DN_CREATE, DN_DELETE, DN_RENAME, DN_ATTRIB };
	static const int counts[][6] = {
		/* ACCESS MODIFY CREATE DELETE RENAME ATTRIB */
		{ 1, 0, 0, 0, 0, 0 }, /* read */
		{ 0, 1, 0, 0, 0, 0 }, /* write */
		{ 0, 0, 1, 0, 0, 0 }, /* open O_CREAT */
		{ 0, 0, 1, 1, 1, 0 }, /* rename inside */
		{ 0, 0, 0, 1, 0, 0 }, /* rename out */
		{ 0, 0, 1, 0, 0, 0 }, /* rename in */
		{ 0, 0, 0, 0, 0, 1 }, /* chmod */
		{ 0, 0, 0, 0, 0, 1 }, /* chmod of the directory */
		{ 0, 0, 0, 1, 0, 0 }, /* unlink */
	};
	char c;

	elsewhere = CHECK_OK(open(".", O_RDONLY));
	for (unsigned int k = 0; k < 6; k++) {
		check_write_file("d/a", "x", 1);
		f = CHECK_OK(open("d/a", O_RDWR));
		CHECK_OK(fcntl(fd, F_NOTIFY, kinds[k] | DN_MULTISHOT));
		for (int step = 0; step < 9; step++) {
			switch (step) {
			case 0: CHECK_EQ(read(f, &c, 1), 1); break;
			case 1: CHECK_EQ(write(f, &c, 1), 1); break;
			case 2: touch("d/new"); break;
			case 3: CHECK_OK(rename("d/new", "d/newer")); break;
			case 4: CHECK_OK(rename("d/newer", "out")); break;
			case 5: CHECK_OK(rename("out", "d/in")); break;
			case 6: CHECK_OK(chmod("d/a", 0600)); break;
			case 7: CHECK_OK(chmod("d", 0755)); break;
			case 8: CHECK_OK(unlink("d/in")); break;
			}
			int n = signals(SIGRTMIN, NULL);
			if (n != counts[step][k])
				FAIL("kind %#x, step %d: %d signals, want %d", kinds[k], step, n, counts[step][k]);
		}
		CHECK_OK(fcntl(fd, F_NOTIFY, 0));
		CHECK_OK(close(f));
	}
	CHECK_OK(close(elsewhere));
}

TEST(it_ends_with_any_handle_of_the_file)
{
	int fd = watched(SIGIO), other = CHECK_OK(dup(fd));

	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	touch("d/a");
	CHECK_EQ(signals(SIGIO, NULL), 1);
	CHECK_OK(close(other));
	touch("d/b");
	CHECK_EQ(signals(SIGIO, NULL), 0);
	/* A child's handle is another table's. */
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	pid_t child = CHECK_OK(fork());
	if (!child)
		_exit(close(fd));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	touch("d/c");
	CHECK_EQ(signals(SIGIO, NULL), 1);
	CHECK_OK(close(fd));
	touch("d/e");
	CHECK_EQ(signals(SIGIO, NULL), 0);
}

TEST(what_was_asked_for_adds_up)
{
	int fd = watched(SIGRTMIN);

	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE));
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_DELETE | DN_MULTISHOT));
	touch("d/a");
	touch("d/b");
	CHECK_OK(unlink("d/a"));
	CHECK_EQ(signals(SIGRTMIN, NULL), 3);
}

TEST(only_directories_and_only_if_enabled)
{
	int fd = watched(SIGIO), file;

	touch("f");
	file = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK_OK(fcntl(file, F_NOTIFY, 0));
	CHECK_OK(fcntl(file, F_NOTIFY, DN_MULTISHOT));
	CHECK_ERRNO(fcntl(-1, F_NOTIFY, DN_CREATE), EBADF);
	int path = CHECK_OK(open("d", O_PATH));
	CHECK_ERRNO(fcntl(path, F_NOTIFY, DN_CREATE), EBADF);
	CHECK_OK(fcntl(fd, F_NOTIFY, 0x40)); /* nothing that there is */
	touch("d/a");
	CHECK_EQ(signals(SIGIO, NULL), 0);
	check_write_file("/proc/sys/fs/dir-notify-enable", "0", 1);
	int result = fcntl(fd, F_NOTIFY, DN_CREATE), error = errno;
	check_write_file("/proc/sys/fs/dir-notify-enable", "1", 1);
	CHECK_EQ(result, -1);
	CHECK_EQ(error, EINVAL);
}

TEST(the_owner_that_was_named_gets_the_signal)
{
	int fd = watched(SIGRTMIN), status;
	sigset_t set;
	siginfo_t info;
	pid_t child = CHECK_OK(fork());

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	if (!child)
		_exit(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_fd == fd ? 0 : 1);
	CHECK_OK(fcntl(fd, F_SETOWN, child));
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE));
	touch("d/a");
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(signals(SIGRTMIN, NULL), 0);
}
