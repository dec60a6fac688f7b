/* SPDX-License-Identifier: MIT */
/*
 * A signal with a handler comes while a call sleeps: signal(7), "Interruption of system calls and library
 * functions by signal handlers". Each row is one call that sleeps for good. Without SA_RESTART each
 * ends with EINTR; with it those that restart go on sleeping, and end well when let go.
 */
#include "../check.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

struct sleeper {
	const char *name;
	long      (*sleep)(void);
	void      (*let_go)(void); /* NULL: never restarts */
};

static int       pipe_fd[2], full[2], pair[2], full_pair[2], listener, event, timer, notice, signals, ep, locked, file;
static uint32_t *word;
static int      *handled;
static char      large[1 << 20];

static void
on_signal(int signo)
{
	(void)signo;
	__atomic_add_fetch(handled, 1, __ATOMIC_SEQ_CST);
}

static void
fill(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	while (write(fd, large, 4096) > 0)
		;
	while (write(fd, large, 1) > 0)
		;
	CHECK_OK(fcntl(fd, F_SETFL, 0));
}

static void
drain(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	while (read(fd, large, sizeof(large)) > 0)
		;
}

static void
set_up(void)
{
	struct sockaddr_un a = { AF_UNIX, "socket" };
	sigset_t set;

	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	handled = (int *)word + 100;
	CHECK_OK(pipe(pipe_fd));
	CHECK_OK(pipe(full));
	fill(full[1]);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, full_pair));
	fill(full_pair[0]);
	listener = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(listener, (void *)&a, sizeof(a)));
	CHECK_OK(listen(listener, 5));
	event = CHECK_OK(eventfd(0, 0));
	timer = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	notice = CHECK_OK(inotify_init());
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	signals = CHECK_OK(signalfd(-1, &set, 0));
	ep = CHECK_OK(epoll_create1(0));
	locked = CHECK_OK(open("lock", O_CREAT | O_RDWR, 0600));
	file = CHECK_OK(open("lock", O_RDWR));
	CHECK_OK(flock(locked, LOCK_EX));
	CHECK_OK(mkfifo("fifo", 0600));
	struct flock l = { .l_type = F_WRLCK };
	CHECK_OK(fcntl(locked, F_OFD_SETLK, &l));
	CHECK_OK(inotify_add_watch(notice, ".", IN_CREATE));
}

#define SLEEPS(name, expr)                                                                         \
	static long sleep_##name(void)                                                             \
	{                                                                                          \
		return (long)(expr);                                                               \
	}
#define LETS_GO(name, ...)                                                                        \
	static void let_go_##name(void)                                                            \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

static char one[100];
static struct iovec vec = { one, 1 };
static struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1 };
static struct timespec hour = { 3600, 0 };

SLEEPS(read_of_a_pipe, read(pipe_fd[0], one, 1))
LETS_GO(read_of_a_pipe, check_write_all(pipe_fd[1], "x", 1))
SLEEPS(readv_of_a_pipe, readv(pipe_fd[0], &vec, 1))
LETS_GO(readv_of_a_pipe, check_write_all(pipe_fd[1], "x", 1))
SLEEPS(write_to_a_full_pipe, write(full[1], one, 1))
LETS_GO(write_to_a_full_pipe, drain(full[0]))
SLEEPS(read_of_a_socket, read(pair[0], one, 1))
LETS_GO(read_of_a_socket, check_write_all(pair[1], "x", 1))
SLEEPS(recvfrom, recv(pair[0], one, 1, 0))
LETS_GO(recvfrom, check_write_all(pair[1], "x", 1))
SLEEPS(recvmsg, recvmsg(pair[0], &message, 0))
LETS_GO(recvmsg, check_write_all(pair[1], "x", 1))
SLEEPS(sendto_a_full_socket, send(full_pair[0], one, 1, 0))
LETS_GO(sendto_a_full_socket, drain(full_pair[1]))
SLEEPS(sendmsg_to_a_full_socket, sendmsg(full_pair[0], &message, 0))
LETS_GO(sendmsg_to_a_full_socket, drain(full_pair[1]))
SLEEPS(accept, accept(listener, NULL, NULL))
LETS_GO(accept, struct sockaddr_un a = { AF_UNIX, "socket" };
	CHECK_OK(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof(a))))
SLEEPS(read_of_an_eventfd, read(event, one, 8))
LETS_GO(read_of_an_eventfd, CHECK_OK(eventfd_write(event, 1)))
SLEEPS(read_of_a_timerfd, read(timer, one, 8))
LETS_GO(read_of_a_timerfd, struct itimerspec now = { .it_value = { 0, 1 } };
	CHECK_OK(timerfd_settime(timer, 0, &now, NULL)))
SLEEPS(read_of_an_inotify, read(notice, one, 100))
LETS_GO(read_of_an_inotify, CHECK_OK(mkdir("new", 0700)))
SLEEPS(open_of_a_fifo, open("fifo", O_RDONLY))
LETS_GO(open_of_a_fifo, CHECK_OK(open("fifo", O_RDWR)))
SLEEPS(flock, flock(file, LOCK_EX))
LETS_GO(flock, CHECK_OK(flock(locked, LOCK_UN)))
static struct flock range = { .l_type = F_WRLCK };
SLEEPS(fcntl_F_SETLKW, fcntl(file, F_SETLKW, &range))
LETS_GO(fcntl_F_SETLKW, struct flock u = { .l_type = F_UNLCK }; CHECK_OK(fcntl(locked, F_OFD_SETLK, &u)))
SLEEPS(fcntl_F_OFD_SETLKW, fcntl(file, F_OFD_SETLKW, &range))
LETS_GO(fcntl_F_OFD_SETLKW, struct flock u = { .l_type = F_UNLCK }; CHECK_OK(fcntl(locked, F_OFD_SETLK, &u)))
SLEEPS(futex_wait, syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0))
LETS_GO(futex_wait, syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0))
SLEEPS(futex_wait_bitset, syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1))
LETS_GO(futex_wait_bitset, syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0))
SLEEPS(splice_from_a_pipe, splice(pipe_fd[0], NULL, file, NULL, 1, 0))
LETS_GO(splice_from_a_pipe, check_write_all(pipe_fd[1], "x", 1))

static long
wait_for_child(int how)
{
	siginfo_t info;
	pid_t child = check_fork();

	if (child == 0) {
		check_read_all(pipe_fd[0], one, 1);
		_exit(0);
	}
	return how == 0 ? wait4(child, NULL, 0, NULL) : waitid(P_PID, child, &info, WEXITED);
}
SLEEPS(wait4, wait_for_child(0))
LETS_GO(wait4, check_write_all(pipe_fd[1], "x", 1))
SLEEPS(waitid, wait_for_child(1))
LETS_GO(waitid, check_write_all(pipe_fd[1], "x", 1))

/* Never restarted. */
SLEEPS(pause, pause())
static sigset_t none;
SLEEPS(sigsuspend, sigsuspend(&none))
static sigset_t
second_user_signal(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	return s;
}
SLEEPS(sigtimedwait, ({ sigset_t s = second_user_signal(); sigtimedwait(&s, NULL, &hour); }))
SLEEPS(sigwaitinfo, ({ sigset_t s = second_user_signal(); sigwaitinfo(&s, NULL); }))
SLEEPS(epoll_wait, epoll_wait(ep, &(struct epoll_event){ 0 }, 1, -1))
SLEEPS(epoll_pwait, epoll_pwait(ep, &(struct epoll_event){ 0 }, 1, -1, &none))
SLEEPS(poll, poll(&(struct pollfd){ pipe_fd[0], POLLIN, 0 }, 1, -1))
SLEEPS(poll_with_a_timeout, poll(&(struct pollfd){ pipe_fd[0], POLLIN, 0 }, 1, 3600000))
SLEEPS(ppoll, ppoll(&(struct pollfd){ pipe_fd[0], POLLIN, 0 }, 1, &hour, NULL))
SLEEPS(select, select(0, NULL, NULL, NULL, NULL))
SLEEPS(pselect, pselect(0, NULL, NULL, NULL, &hour, &none))
SLEEPS(nanosleep, nanosleep(&hour, NULL))
static long
sleep_until(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 3600;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
	return errno ? -1 : 0;
}
SLEEPS(clock_nanosleep, sleep_until())
static long
receive_with_timeout(void)
{
	struct timeval tv = { 3600, 0 };

	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return recv(pair[0], one, 1, 0);
}
SLEEPS(recv_with_a_timeout, receive_with_timeout())
static long
send_with_timeout(void)
{
	struct timeval tv = { 3600, 0 };

	CHECK_OK(setsockopt(full_pair[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	return send(full_pair[0], one, 1, 0);
}
SLEEPS(send_with_a_timeout, send_with_timeout())

static pid_t
start(const struct sleeper *s, int flags)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = flags };
	pid_t child;

	set_up();
	*handled = 0;
	child = check_fork();
	if (child == 0) {
		CHECK_OK(sigaction(SIGUSR1, &a, NULL));
		__atomic_store_n(handled + 1, 1, __ATOMIC_SEQ_CST);
		errno = 0;
		long r = s->sleep();
		_exit(r == -1 ? errno : 0);
	}
	while (!__atomic_load_n(handled + 1, __ATOMIC_SEQ_CST))
		check_sleep_ms(1);
	check_wait_asleep(child, 0);
	CHECK_OK(kill(child, SIGUSR1));
	return child;
}

static void
ends_with_EINTR(const struct sleeper *s, int flags)
{
	pid_t child = start(s, flags);

	CHECK_EXIT(child, EINTR);
	CHECK_EQ(*handled, 1);
}

static void
goes_on(const struct sleeper *s)
{
	pid_t child = start(s, SA_RESTART);

	while (!__atomic_load_n(handled, __ATOMIC_SEQ_CST))
		check_sleep_ms(1);
	check_wait_asleep(child, 0);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	s->let_go();
	CHECK_EXIT(child, 0);
}

#define RESTARTS(call)                                                                             \
	static const struct sleeper sleeper_##call = { #call, sleep_##call, let_go_##call };       \
	TEST(signal_ends_##call)                                                                   \
	{                                                                                          \
		ends_with_EINTR(&sleeper_##call, 0);                                               \
	}                                                                                          \
	TEST(SA_RESTART_goes_on_with_##call)                                                       \
	{                                                                                          \
		goes_on(&sleeper_##call);                                                          \
	}
#define NEVER_RESTARTS(call)                                                                       \
	static const struct sleeper sleeper_##call = { #call, sleep_##call, NULL };                \
	TEST(signal_ends_##call##_even_with_SA_RESTART)                                            \
	{                                                                                          \
		ends_with_EINTR(&sleeper_##call, SA_RESTART);                                      \
	}

RESTARTS(read_of_a_pipe)
RESTARTS(readv_of_a_pipe)
RESTARTS(write_to_a_full_pipe)
RESTARTS(read_of_a_socket)
RESTARTS(recvfrom)
RESTARTS(recvmsg)
RESTARTS(sendto_a_full_socket)
RESTARTS(sendmsg_to_a_full_socket)
RESTARTS(accept)
RESTARTS(read_of_an_eventfd)
RESTARTS(read_of_a_timerfd)
RESTARTS(read_of_an_inotify)
RESTARTS(open_of_a_fifo)
RESTARTS(flock)
RESTARTS(fcntl_F_SETLKW)
RESTARTS(fcntl_F_OFD_SETLKW)
RESTARTS(futex_wait)
RESTARTS(futex_wait_bitset)
RESTARTS(splice_from_a_pipe)
RESTARTS(wait4)
RESTARTS(waitid)
NEVER_RESTARTS(pause)
NEVER_RESTARTS(sigsuspend)
NEVER_RESTARTS(sigtimedwait)
NEVER_RESTARTS(sigwaitinfo)
NEVER_RESTARTS(epoll_wait)
NEVER_RESTARTS(epoll_pwait)
NEVER_RESTARTS(poll)
NEVER_RESTARTS(poll_with_a_timeout)
NEVER_RESTARTS(ppoll)
NEVER_RESTARTS(select)
NEVER_RESTARTS(pselect)
NEVER_RESTARTS(nanosleep)
NEVER_RESTARTS(clock_nanosleep)
NEVER_RESTARTS(recv_with_a_timeout)
NEVER_RESTARTS(send_with_a_timeout)
