/* SPDX-License-Identifier: MIT */
/* POSIX message queues. */
#include "../check.h"

#include <dirent.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>

static const char *
name_of(const char *part)
{
	static char name[64];

	snprintf(name, sizeof(name), "/check-%d-%s", getpid(), part);
	return name;
}

/* A new queue of 4 messages of 64 bytes, without its name. */
static mqd_t
queue(int flags)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 64 };
	mqd_t q = CHECK_OK(mq_open(name_of("q"), O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));

	CHECK_OK(mq_unlink(name_of("q")));
	return q;
}

static void
put(mqd_t q, const char *s, unsigned int priority)
{
	CHECK_OK(mq_send(q, s, strlen(s) + 1, priority));
}

static const char *
get(mqd_t q)
{
	static char text[64];

	CHECK_OK(mq_receive(q, text, sizeof(text), NULL));
	return text;
}

static struct timespec
in_ms(long ms)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

TEST(mq_highest_priority_first_oldest_first)
{
	mqd_t q = queue(0);
	char text[64];
	unsigned int priority;

	put(q, "a", 1);
	put(q, "b", 5);
	put(q, "c", 1);
	put(q, "d", 5);
	CHECK_EQ(mq_receive(q, text, 64, &priority), 2);
	CHECK_EQ(priority, 5);
	CHECK_STR(text, "b");
	CHECK_STR(get(q), "d");
	CHECK_STR(get(q), "a");
	CHECK_STR(get(q), "c");
}

TEST(mq_open_rules)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 10 }, got;

	CHECK_ERRNO(mq_open(name_of("x"), O_RDWR), ENOENT);
	mqd_t q = CHECK_OK(mq_open(name_of("x"), O_CREAT | O_RDWR, 0640, &a));
	CHECK_ERRNO(mq_open(name_of("x"), O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	mqd_t again = CHECK_OK(mq_open(name_of("x"), O_CREAT | O_RDONLY | O_NONBLOCK, 0600, NULL));
	CHECK_OK(mq_getattr(again, &got));
	CHECK_EQ(got.mq_maxmsg, 3);
	CHECK_EQ(got.mq_msgsize, 10);
	CHECK_EQ(got.mq_curmsgs, 0);
	CHECK_EQ(got.mq_flags, O_NONBLOCK);
	CHECK_EQ(fcntl(again, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(mq_send(again, "x", 1, 0), EBADF);
	mqd_t out = CHECK_OK(mq_open(name_of("x"), O_WRONLY));
	char text[16];
	CHECK_ERRNO(mq_receive(out, text, sizeof(text), NULL), EBADF);
	put(q, "y", 0);
	CHECK_OK(mq_unlink(name_of("x")));
	CHECK_ERRNO(mq_unlink(name_of("x")), ENOENT);
	CHECK_ERRNO(mq_open(name_of("x"), O_RDWR), ENOENT);
	CHECK_EQ(mq_receive(again, text, sizeof(text), NULL), 2); /* it lives on */
}

TEST(mq_names)
{
	char name[300] = "/";

	CHECK_EQ(syscall(SYS_mq_open, "", O_RDWR, 0, NULL), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_unlink, "a/b"), EACCES);
	memset(name + 1, 'n', 256);
	CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	CHECK_ERRNO(syscall(SYS_mq_open, check_bad_address(), O_RDWR, 0, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_unlink, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, check_bad_address()), EFAULT);
}

TEST(mq_attributes_are_checked)
{
	struct mq_attr a = { .mq_maxmsg = 0, .mq_msgsize = 10 };

	CHECK_ERRNO(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = -1 };
	CHECK_ERRNO(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 65537, .mq_msgsize = 1 };
	CHECK_ERRNO(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = (16 << 20) + 1 };
	CHECK_ERRNO(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 11, .mq_msgsize = 8193 };
	mqd_t q = CHECK_OK(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, &a)); /* root may */
	CHECK_OK(mq_unlink(name_of("a")));
	mq_close(q);
	q = CHECK_OK(mq_open(name_of("a"), O_CREAT | O_RDWR, 0600, NULL));
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_maxmsg, 10);
	CHECK_EQ(a.mq_msgsize, 8192);
	CHECK_OK(mq_unlink(name_of("a")));
	check_drop_root();
	a = (struct mq_attr){ .mq_maxmsg = 11, .mq_msgsize = 10 };
	CHECK_ERRNO(mq_open(name_of("b"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 8193 };
	CHECK_ERRNO(mq_open(name_of("b"), O_CREAT | O_RDWR, 0600, &a), EINVAL);
}

TEST(mq_permissions)
{
	mqd_t q = CHECK_OK(mq_open(name_of("p"), O_CREAT | O_RDWR, 0604, NULL));
	char name[64];

	strcpy(name, name_of("p"));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(mq_open(name, O_RDWR), EACCES);
		CHECK_ERRNO(mq_open(name, O_WRONLY), EACCES);
		CHECK_OK(mq_open(name, O_RDONLY));
		CHECK_ERRNO(mq_unlink(name), EACCES); /* glibc's word for EPERM */
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(mq_unlink(name));
	mq_close(q);
}

TEST(mq_limit_of_bytes)
{
	struct rlimit r = { 4000, 4000 };
	struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 320 };

	check_drop_root();
	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	CHECK_ERRNO(mq_open(name_of("l"), O_CREAT | O_RDWR, 0600, &a), EMFILE); /* 3200 and 96 for each */
	a.mq_msgsize = 200;
	mqd_t q = CHECK_OK(mq_open(name_of("l"), O_CREAT | O_RDWR, 0600, &a));
	CHECK_ERRNO(mq_open(name_of("m"), O_CREAT | O_RDWR, 0600, &a), EMFILE);
	CHECK_OK(mq_unlink(name_of("l")));
	CHECK_ERRNO(mq_open(name_of("m"), O_CREAT | O_RDWR, 0600, &a), EMFILE);
	mq_close(q); /* only now it is gone */
	q = CHECK_OK(mq_open(name_of("m"), O_CREAT | O_RDWR, 0600, &a));
	CHECK_OK(mq_unlink(name_of("m")));
}

TEST(mq_send_and_receive_errors)
{
	mqd_t q = queue(O_NONBLOCK);
	char text[100];
	struct timespec bad = { 0, 1000000000 }, now = in_ms(0);

	CHECK_ERRNO(mq_send(q, text, 65, 0), EMSGSIZE);
	CHECK_ERRNO(mq_send(q, text, 1, 32768), EINVAL);
	CHECK_OK(mq_send(q, text, 0, 32767));
	CHECK_ERRNO(mq_receive(q, text, 63, NULL), EMSGSIZE);
	CHECK_EQ(mq_receive(q, text, 64, NULL), 0);
	CHECK_ERRNO(mq_receive(q, text, 64, NULL), EAGAIN);
	for (int i = 0; i < 4; i++)
		put(q, "x", 0);
	CHECK_ERRNO(mq_send(q, text, 1, 0), EAGAIN);
	CHECK_ERRNO(mq_send(-1, text, 1, 0), EBADF);
	CHECK_ERRNO(mq_send(CHECK_FD, text, 1, 0), EBADF);
	CHECK_ERRNO(mq_receive(CHECK_FD, text, 64, NULL), EBADF);
	CHECK_ERRNO(mq_timedsend(q, text, 1, 0, &bad), EINVAL);
	CHECK_ERRNO(mq_timedreceive(q, text, 64, NULL, &bad), EINVAL);
	CHECK_ERRNO(mq_timedsend(q, text, 1, 0, check_bad_address()), EFAULT);
	CHECK_OK(mq_timedreceive(q, text, 64, NULL, &now)); /* nothing to wait for */
	CHECK_ERRNO(mq_send(q, check_bad_address(), 1, 0), EFAULT);
	CHECK_ERRNO(mq_receive(q, check_bad_address(), 64, NULL), EFAULT);
	struct mq_attr a;
	CHECK_OK(mq_getattr(q, &a));
	CHECK_EQ(a.mq_curmsgs, 2); /* that one is lost */
}

TEST(mq_timeouts)
{
	mqd_t q = queue(0);
	char text[64];
	struct timespec t = in_ms(50);
	long long start = check_now_ms();

	CHECK_ERRNO(mq_timedreceive(q, text, 64, NULL, &t), ETIMEDOUT);
	CHECK(check_now_ms() - start >= 49);
	for (int i = 0; i < 4; i++)
		put(q, "x", 0);
	t = in_ms(20);
	CHECK_ERRNO(mq_timedsend(q, "x", 1, 0, &t), ETIMEDOUT);
	t.tv_sec = 0;
	CHECK_ERRNO(mq_timedsend(q, "x", 1, 0, &t), ETIMEDOUT);
}

TEST(mq_receiver_and_sender_wait)
{
	mqd_t q = queue(0);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_STR(get(q), "hello");
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	put(q, "hello", 0);
	CHECK_EXIT(pid, 0);
	for (int i = 0; i < 4; i++)
		put(q, "low", 0);
	pid = check_fork();
	if (pid == 0) {
		put(q, "high", 9);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_STR(get(q), "low");
	CHECK_EXIT(pid, 0);
	CHECK_STR(get(q), "high");
}

static volatile sig_atomic_t caught;
static siginfo_t caught_info;

static void
on_signal(int sig, siginfo_t *info, void *context __attribute__((unused)))
{
	caught = sig;
	caught_info = *info;
}

TEST(mq_wait_is_interrupted_or_goes_on)
{
	mqd_t q = queue(0);

	for (int restart = 0; restart < 2; restart++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			struct sigaction sa = { .sa_sigaction = on_signal,
						.sa_flags = SA_SIGINFO | (restart ? SA_RESTART : 0) };
			char text[64];

			CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
			if (restart)
				CHECK_EQ(mq_receive(q, text, 64, NULL), 2);
			else
				CHECK_ERRNO(mq_receive(q, text, 64, NULL), EINTR);
			CHECK_EQ(caught, SIGUSR1);
			_exit(0);
		}
		check_wait_asleep(pid, 0);
		kill(pid, SIGUSR1);
		if (restart) {
			check_sleep_ms(30);
			put(q, "x", 0);
		}
		CHECK_EXIT(pid, 0);
	}
}

TEST(mq_notify_by_signal_once)
{
	mqd_t q = queue(O_NONBLOCK);
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2,
			      .sigev_value.sival_int = 1234 };

	CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
	CHECK_OK(mq_notify(q, &e));
	CHECK_ERRNO(mq_notify(q, &e), EBUSY);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_ERRNO(mq_notify(q, &e), EBUSY);
		CHECK_OK(mq_notify(q, NULL)); /* not its own: nothing happens */
		put(q, "x", 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(caught, SIGUSR2);
	CHECK_EQ(caught_info.si_code, SI_MESGQ);
	CHECK_EQ(caught_info.si_pid, pid);
	CHECK_EQ(caught_info.si_value.sival_int, 1234);
	caught = 0;
	get(q);
	put(q, "y", 0); /* told once only */
	CHECK_EQ(caught, 0);
	CHECK_OK(mq_notify(q, &e));
	put(q, "z", 0); /* it was not empty */
	CHECK_EQ(caught, 0);
	CHECK_OK(mq_notify(q, NULL));
	get(q);
	get(q);
	put(q, "x", 0);
	CHECK_EQ(caught, 0);
}

TEST(mq_notify_not_while_somebody_waits)
{
	mqd_t q = queue(0);
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };

	CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
	CHECK_OK(mq_notify(q, &e));
	pid_t pid = check_fork();
	if (pid == 0) {
		get(q);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	put(q, "for the one who waits", 0);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(caught, 0);
	put(q, "for nobody", 0);
	CHECK_EQ(caught, SIGUSR2);
}

TEST(mq_notify_ends_with_close_and_exit)
{
	mqd_t q = queue(0), other = CHECK_OK(dup(q));
	struct sigevent e = { .sigev_notify = SIGEV_NONE };

	CHECK_OK(mq_notify(q, &e));
	CHECK_ERRNO(mq_notify(q, &e), EBUSY);
	CHECK_OK(close(other));
	CHECK_OK(mq_notify(q, &e)); /* any close forgets it */
	CHECK_OK(mq_notify(q, NULL));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(mq_notify(q, &e));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(mq_notify(q, &e));
}

TEST(mq_notify_errors)
{
	mqd_t q = queue(0);
	struct sigevent e = { .sigev_notify = 77 };

	CHECK_ERRNO(mq_notify(q, &e), EINVAL);
	e = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	CHECK_ERRNO(mq_notify(q, &e), EINVAL);
	e.sigev_signo = SIGUSR1;
	CHECK_ERRNO(mq_notify(CHECK_FD, &e), EBADF);
	CHECK_ERRNO(mq_notify(-1, NULL), EBADF);
	CHECK_ERRNO(syscall(SYS_mq_notify, q, check_bad_address()), EFAULT);
	e = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_signo = -1 };
	e.sigev_value.sival_ptr = &e;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &e), EBADF);
}

static void
note_text(union sigval v)
{
	int *to = v.sival_ptr;

	__atomic_store_n(to, 1, __ATOMIC_RELEASE);
}

TEST(mq_notify_by_a_thread)
{
	mqd_t q = queue(0);
	int told = 0;
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = note_text, .sigev_value.sival_ptr = &told };
	char text[64];

	for (int i = 0; i < 3; i++) {
		CHECK_OK(mq_notify(q, &e));
		CHECK_ERRNO(mq_notify(q, &e), EBUSY);
		CHECK_EQ(__atomic_load_n(&told, __ATOMIC_ACQUIRE), 0);
		CHECK_OK(mq_send(q, "x", 1, 0));
		while (!__atomic_load_n(&told, __ATOMIC_ACQUIRE))
			check_sleep_ms(1);
		told = 0;
		CHECK_OK(mq_receive(q, text, sizeof(text), NULL));
	}
	CHECK_OK(mq_notify(q, &e));
	CHECK_OK(mq_notify(q, NULL));
	CHECK_OK(mq_send(q, "x", 1, 0));
	CHECK_EQ(__atomic_load_n(&told, __ATOMIC_ACQUIRE), 0);
}

/* What the C library does for that. */
TEST(mq_notify_by_netlink)
{
	mqd_t q = queue(0);
	char cookie[32] = "a cookie", got[100];
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, 0)), u = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_signo = s, .sigev_value.sival_ptr = cookie };

	CHECK_OK(syscall(SYS_mq_notify, q, &e));
	CHECK_ERRNO(recv(s, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	CHECK_OK(mq_send(q, "x", 1, 0));
	CHECK_EQ(recv(s, got, sizeof(got), 0), 32);
	CHECK_MEM(got, cookie, 31);
	CHECK_EQ(got[31], 1);
	CHECK_OK(syscall(SYS_mq_notify, q, &e));
	CHECK_OK(mq_notify(q, NULL));
	CHECK_EQ(recv(s, got, sizeof(got), 0), 32);
	CHECK_EQ(got[31], 2);
	/* Whoever asks and closes the queue is told that it is over. */
	CHECK_OK(syscall(SYS_mq_notify, q, &e));
	CHECK_OK(close(q));
	CHECK_EQ(recv(s, got, sizeof(got), 0), 32);
	CHECK_EQ(got[31], 2);
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &e), EBADF);
	e.sigev_signo = u;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &e), EINVAL);
	e.sigev_signo = CHECK_OK(open("/dev/null", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &e), ENOTSOCK);
	e.sigev_value.sival_ptr = NULL;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &e), EFAULT);
}

TEST(mq_setattr_changes_only_nonblock)
{
	mqd_t q = queue(0);
	struct mq_attr a = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 99, .mq_msgsize = 99 }, old;
	char text[64];

	CHECK_OK(mq_setattr(q, &a, &old));
	CHECK_EQ(old.mq_flags, 0);
	CHECK_EQ(old.mq_maxmsg, 4);
	CHECK_ERRNO(mq_receive(q, text, 64, NULL), EAGAIN);
	CHECK_EQ(fcntl(q, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	a.mq_flags = 0;
	CHECK_OK(mq_setattr(q, &a, &old));
	CHECK_EQ(old.mq_flags, O_NONBLOCK);
	CHECK_EQ(old.mq_msgsize, 64);
	a.mq_flags = O_APPEND;
	CHECK_ERRNO(mq_setattr(q, &a, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, q, check_bad_address(), NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, q, NULL, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, CHECK_FD, NULL, &a), EBADF);
}

TEST(mq_poll_and_epoll)
{
	mqd_t q = queue(0);
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };
	struct epoll_event e = { .events = EPOLLIN };
	int ep = CHECK_OK(epoll_create1(0));

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, q, &e));
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(20);
		put(q, "x", 0);
		_exit(0);
	}
	CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	for (int i = 0; i < 3; i++)
		put(q, "x", 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
}

TEST(mq_file_system_shows_names)
{
	mqd_t q = CHECK_OK(mq_open(name_of("shown"), O_CREAT | O_RDWR, 0640, NULL));
	char path[128], text[128] = "";
	struct stat st;
	int found = 0;

	CHECK_OK(mkdir("mq", 0700));
	CHECK_OK(mount("none", "mq", "mqueue", 0, NULL));
	CHECK_OK(stat("mq", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	snprintf(path, sizeof(path), "mq%s", name_of("shown"));
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_size, 80);
	CHECK_OK(mq_send(q, "12345", 5, 0));
	check_read_file(path, text, sizeof(text));
	CHECK_STR(text, "QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	DIR *d = opendir("mq");
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		found += strcmp(e->d_name, name_of("shown") + 1) == 0;
	closedir(d);
	CHECK_EQ(found, 1);
	int fd = CHECK_OK(open("mq/by-hand", O_CREAT | O_EXCL | O_RDWR, 0600));
	CHECK_OK(mq_send(fd, "x", 1, 0)); /* a file there is a queue */
	CHECK_ERRNO(write(fd, "x", 1), EINVAL);
	CHECK_EQ(ftruncate(fd, 0) == -1 ? errno : 0, 0);
	CHECK_OK(close(fd));
	CHECK_OK(unlink("mq/by-hand"));
	CHECK_OK(unlink(path));
	CHECK_ERRNO(mq_open(name_of("shown"), O_RDWR), ENOENT);
	CHECK_ERRNO(mkdir("mq/d", 0700), EPERM);
	CHECK_OK(umount("mq"));
}

TEST(mq_settings)
{
	char text[32] = "";

	check_read_file("/proc/sys/fs/mqueue/queues_max", text, sizeof(text));
	CHECK_STR(text, "256\n");
	check_read_file("/proc/sys/fs/mqueue/msg_max", text, sizeof(text));
	CHECK_STR(text, "10\n");
	check_read_file("/proc/sys/fs/mqueue/msgsize_max", text, sizeof(text));
	CHECK_STR(text, "8192\n");
	check_write_file("/proc/sys/fs/mqueue/queues_max", "0\n", 2);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(mq_open(name_of("s"), O_CREAT | O_RDWR, 0600, NULL), ENOSPC);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	check_write_file("/proc/sys/fs/mqueue/queues_max", "256\n", 4);
	CHECK_EQ(status, 0);
}

TEST(mq_namespace)
{
	mqd_t q = CHECK_OK(mq_open(name_of("n"), O_CREAT | O_RDWR, 0600, NULL));
	char name[64];

	strcpy(name, name_of("n"));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWIPC));
		CHECK_ERRNO(mq_open(name, O_RDWR), ENOENT);
		CHECK_OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL));
		put(q, "x", 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	char text[8192];
	CHECK_EQ(mq_receive(q, text, sizeof(text), NULL), 2);
	CHECK_OK(mq_unlink(name));
}

TEST(mq_many_senders_and_receivers_and_kills)
{
	mqd_t q = queue(0);
	pid_t pid[6];

	for (int i = 0; i < 6; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			for (int k = 0; i < 2 || k < 300; k++) {
				if (i % 2)
					put(q, "text", (unsigned int)k % 7);
				else
					CHECK_STR(get(q), "text");
			}
			_exit(0);
		}
	}
	check_sleep_ms(20);
	kill(pid[0], SIGKILL); /* one of each goes on for ever, and is killed */
	CHECK_KILLED(pid[0], SIGKILL);
	/* the other sender keeps the receivers fed, and a receiver of ours the senders */
	for (int i = 2; i < 6; i++) {
		int status;

		while (waitpid(pid[i], &status, WNOHANG) == 0) {
			struct timespec t = in_ms(1);
			char text[64];

			mq_timedreceive(q, text, 64, NULL, &t);
		}
		CHECK_EQ(status, 0);
	}
	kill(pid[1], SIGKILL);
	CHECK_KILLED(pid[1], SIGKILL);
}
