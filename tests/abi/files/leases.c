/* SPDX-License-Identifier: MIT */
/* Leases: F_SETLEASE, F_GETLEASE, and what an open by somebody else does to them. */
#include "../check.h"

static volatile sig_atomic_t heard;
static volatile int code, from_fd;

static void
on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	heard++;
	code = info->si_code;
	from_fd = info->si_fd;
}

/* A new file, leased; breaking it is told by SIGRTMIN. */
static int
leased(int flags, int type)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	int fd = CHECK_OK(open("f", O_CREAT | flags, 0666));

	CHECK_OK(sigaction(SIGRTMIN, &a, NULL));
	CHECK_OK(fcntl(fd, F_SETLEASE, type));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN));
	return fd;
}

/* A child that opens f and ends with the errno of that. */
static pid_t
opener(int flags)
{
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(open("f", flags) < 0 ? errno : 0);
	return pid;
}

static void
wait_for_break(int fd)
{
	while (!heard)
		check_sleep_ms(2);
	CHECK_EQ(heard, 1);
	CHECK_EQ(code, POLL_MSG);
	CHECK_EQ(from_fd, fd);
	heard = 0;
}

TEST(a_lease_for_reading_wants_no_writers)
{
	int r = CHECK_OK(open("f", O_CREAT | O_RDONLY, 0600)), w = CHECK_OK(open("f", O_RDWR)), r2;

	CHECK_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
	CHECK_ERRNO(fcntl(r, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_ERRNO(fcntl(w, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_ERRNO(fcntl(r, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_ERRNO(fcntl(r, F_SETLEASE, 7), EINVAL);
	CHECK_OK(close(w));
	CHECK_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(r, F_GETLEASE), F_RDLCK);
	r2 = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(fcntl(r2, F_GETLEASE), F_UNLCK);
	CHECK_OK(fcntl(r2, F_SETLEASE, F_RDLCK));
	CHECK_ERRNO(fcntl(r, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_OK(fcntl(r2, F_SETLEASE, F_UNLCK));
	CHECK_ERRNO(fcntl(r, F_SETLEASE, F_WRLCK), EAGAIN); /* r2 is still open */
	CHECK_OK(close(r2));
	CHECK_OK(fcntl(r, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(r, F_GETLEASE), F_WRLCK);
	CHECK_EQ(fcntl(r, F_GETOWN), getpid());
}

TEST(a_lease_for_writing_wants_nobody_else)
{
	int w = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), r = CHECK_OK(open("f", O_RDONLY)), d;

	CHECK_ERRNO(fcntl(w, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_OK(close(r));
	CHECK_OK(fcntl(w, F_SETLEASE, F_WRLCK));
	d = CHECK_OK(dup(w));
	CHECK_EQ(fcntl(d, F_GETLEASE), F_WRLCK);
	CHECK_OK(close(d));
	CHECK_EQ(fcntl(w, F_GETLEASE), F_WRLCK);
	CHECK_OK(fcntl(w, F_SETLEASE, F_UNLCK));
	CHECK_EQ(fcntl(w, F_GETLEASE), F_UNLCK);
}

TEST(a_reader_breaks_a_lease_for_writing_into_one_for_reading)
{
	int fd = leased(O_RDONLY, F_WRLCK);
	pid_t child = opener(O_RDONLY);

	wait_for_break(fd);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	check_wait_asleep(child, 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EXIT(child, 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_EXIT(opener(O_RDONLY | O_NONBLOCK), 0);
	CHECK_EQ(heard, 0);
}

TEST(a_writer_breaks_every_lease)
{
	int fd = leased(O_RDONLY, F_RDLCK);
	pid_t child = opener(O_WRONLY);

	wait_for_break(fd);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	check_wait_asleep(child, 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EXIT(child, 0);
}

TEST(who_does_not_wait_breaks_it_too)
{
	int fd = leased(O_RDONLY, F_WRLCK);

	CHECK_EXIT(opener(O_RDONLY | O_NONBLOCK), EAGAIN);
	wait_for_break(fd);
	CHECK_EXIT(opener(O_RDONLY | O_NONBLOCK), EAGAIN);
	CHECK_EQ(heard, 0); /* told once */
	CHECK_EXIT(opener(O_WRONLY | O_NONBLOCK), EAGAIN);
	wait_for_break(fd);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EXIT(opener(O_RDWR | O_NONBLOCK), 0);
}

TEST(truncate_waits_for_the_holder)
{
	int fd = leased(O_RDWR, F_WRLCK);
	pid_t child = check_fork();

	if (child == 0)
		_exit(truncate("f", 10) < 0 ? errno : 0);
	wait_for_break(fd);
	CHECK_OK(close(fd)); /* the child's copy went with it, or holds the lease on */
	CHECK_OK(kill(child, SIGKILL));
	CHECK_KILLED(child, SIGKILL);
}

TEST(closing_gives_a_lease_up)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	pid_t child;
	int fd;

	child = opener(O_RDONLY | O_CREAT); /* before there is anything to inherit */
	CHECK_OK(sigaction(SIGRTMIN, &a, NULL));
	CHECK_OK(waitpid(child, NULL, 0));
	fd = leased(O_RDONLY | O_CLOEXEC, F_WRLCK);
	child = check_fork();
	if (child == 0) {
		close(fd);
		_exit(open("f", O_WRONLY) < 0 ? errno : 0);
	}
	wait_for_break(fd);
	CHECK_OK(close(fd));
	CHECK_EXIT(child, 0);
}

TEST(an_open_that_waits_for_a_lease_can_be_interrupted)
{
	int fd = leased(O_RDONLY, F_WRLCK);
	pid_t child = check_fork();

	if (child == 0) {
		struct sigaction a = { .sa_sigaction = on_signal };

		CHECK_OK(sigaction(SIGUSR1, &a, NULL));
		_exit(open("f", O_RDONLY) < 0 ? errno : 0);
	}
	wait_for_break(fd);
	check_wait_asleep(child, 0);
	CHECK_OK(kill(child, SIGUSR1));
	CHECK_EXIT(child, EINTR);
}

TEST(the_time_to_obey_is_limited)
{
	int fd = leased(O_RDONLY, F_WRLCK), setting = CHECK_OK(open("/proc/sys/fs/lease-break-time", O_RDWR));
	char old[16];
	ssize_t n = CHECK_OK(read(setting, old, sizeof(old)));

	CHECK_EQ(pwrite(setting, "1", 1, 0), 1);
	CHECK_EXIT(opener(O_RDONLY), 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_EXIT(opener(O_WRONLY), 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_EQ(pwrite(setting, old, (size_t)n, 0), n);
}

TEST(only_the_owner_takes_a_lease_and_only_on_a_file)
{
	int p[2], fd, dir = CHECK_OK(open(".", O_RDONLY));

	CHECK_OK(pipe(p));
	CHECK_ERRNO(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_EQ(fcntl(p[0], F_GETLEASE), F_UNLCK);
	CHECK_ERRNO(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0644))));
	CHECK_ERRNO(fcntl(CHECK_OK(open("f", O_PATH)), F_SETLEASE, F_RDLCK), EBADF);
	CHECK_OK(chmod(".", 0755));
	check_drop_root();
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
}

TEST(proc_locks_shows_leases)
{
	char text[4096], want[64];
	struct stat st;
	int fd = leased(O_RDONLY, F_WRLCK);

	CHECK_OK(fstat(fd, &st));
	snprintf(want, sizeof(want), "LEASE  ACTIVE    WRITE %d ", getpid());
	check_read_file("/proc/locks", text, sizeof(text));
	CHECK(strstr(text, want));
	CHECK_EXIT(opener(O_RDONLY | O_NONBLOCK), EAGAIN);
	snprintf(want, sizeof(want), "LEASE  BREAKING  READ %d ", getpid());
	check_read_file("/proc/locks", text, sizeof(text));
	CHECK(strstr(text, want));
}

TEST(leases_are_taken_while_others_open)
{
	pid_t children[3];
	int fd = CHECK_OK(open("f", O_CREAT | O_RDONLY, 0600));

	TIMEOUT(60);
	CHECK(signal(SIGIO, SIG_IGN) != SIG_ERR);
	for (int n = 0; n < 3; n++) {
		children[n] = check_fork();
		if (children[n] == 0) {
			close(fd);
			for (int i = 0; i < 400; i++) {
				int mine = open("f", (n ? O_RDONLY : O_RDWR) | O_NONBLOCK);

				CHECK(mine >= 0 || errno == EAGAIN);
				if (mine >= 0)
					close(mine);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 800; i++) {
		if (fcntl(fd, F_SETLEASE, i & 1 ? F_RDLCK : F_WRLCK) < 0)
			CHECK_EQ(errno, EAGAIN);
		if (fcntl(fd, F_SETLEASE, F_UNLCK) < 0)
			CHECK_EQ(errno, EAGAIN);
	}
	for (int n = 0; n < 3; n++)
		CHECK_EXIT(children[n], 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
}
