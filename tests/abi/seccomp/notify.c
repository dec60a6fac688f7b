/* SPDX-License-Identifier: MIT */
/* Another program answers for a filter. */
#include "filter.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* A child under a filter that leaves `nr` to us makes that call with `arg`; *listener is its. */
static pid_t
start_child(long nr, long arg, int *listener, uint32_t flags)
{
	int pair[2];
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	pid_t pid;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = check_fork();
	if (pid == 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		int fd;
		long r;

		no_new_privs();
		fd = INSTALL_FOR(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, nr, SECCOMP_RET_USER_NOTIF);
		CHECK(fd >= 0);
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		CHECK_OK(sendmsg(pair[0], &m, 0));
		close(fd);
		close(pair[0]);
		close(pair[1]);
		r = syscall(nr, arg);
		_exit(r == -1 ? errno : (int)r);
	}
	close(pair[0]);
	CHECK_EQ(recvmsg(pair[1], &m, 0), 1);
	memcpy(listener, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	close(pair[1]);
	return pid;
}

static struct seccomp_notif
receive(int listener)
{
	struct seccomp_notif n = { 0 };

	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n));
	return n;
}

static int
respond(int listener, uint64_t id, int64_t value, int error, uint32_t flags)
{
	struct seccomp_notif_resp r = { .id = id, .val = value, .error = error, .flags = flags };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

TEST(an_answer_is_a_value_or_an_error)
{
	int listener;
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n = receive(listener);

	CHECK_EQ(n.pid, pid);
	CHECK_EQ(n.data.nr, SYS_dup);
	CHECK_EQ(n.data.args[0], 17);
	CHECK_EQ(n.data.arch, AUDIT_ARCH_X86_64);
	CHECK_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	CHECK_OK(respond(listener, n.id, 99, 0, 0));
	CHECK_EXIT(pid, 99);
	pid = start_child(SYS_dup, 17, &listener, 0);
	n = receive(listener);
	CHECK_OK(respond(listener, n.id, 0, -EXDEV, 0));
	CHECK_EXIT(pid, EXDEV);
}

TEST(the_call_can_be_let_through)
{
	int listener;
	pid_t pid = start_child(SYS_dup, -1, &listener, 0);
	struct seccomp_notif n = receive(listener);

	CHECK_ERRNO(respond(listener, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERRNO(respond(listener, n.id, 0, 0, 8), EINVAL);
	CHECK_OK(respond(listener, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	CHECK_EXIT(pid, EBADF);
}

TEST(answers_need_a_question)
{
	int listener;
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n;
	struct pollfd p = { .fd = listener, .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_ERRNO(respond(listener, 12345678, 0, 0, 0), ENOENT);
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, check_bad_address()), EFAULT);
	memset(&n, 1, sizeof(n));
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);
	n = receive(listener);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(respond(listener, n.id, 1, 0, 0));
	CHECK_EXIT(pid, 1);
	CHECK_ERRNO(respond(listener, n.id, 1, 0, 0), ENOENT);
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
	p.events = POLLIN;
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLHUP);
}

TEST(a_closed_listener_is_enosys)
{
	int listener;
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);

	receive(listener);
	close(listener);
	CHECK_EXIT(pid, ENOSYS);
}

TEST(a_killed_waiter_leaves_nothing)
{
	int listener;
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n = receive(listener);

	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	CHECK_ERRNO(respond(listener, n.id, 1, 0, 0), ENOENT);
}

TEST(handles_can_be_added)
{
	int listener, fds[2];
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n = receive(listener);
	struct seccomp_notif_addfd a = { .id = n.id };
	int got;

	CHECK_OK(pipe(fds));
	a.srcfd = fds[1];
	a.flags = 64;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.flags = 0;
	a.newfd = 5;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.newfd = 0;
	a.srcfd = 9999;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.srcfd = fds[1];
	a.flags = SECCOMP_ADDFD_FLAG_SETFD;
	a.newfd = 77;
	CHECK_EQ(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 77);
	a.flags = 0;
	a.newfd = 0;
	got = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
	CHECK(got >= 0);
	a.id = 424242;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), ENOENT);
	CHECK_OK(respond(listener, n.id, got, 0, 0));
	CHECK_EXIT(pid, got);
}

TEST(one_listener_for_a_chain)
{
	int fd;

	no_new_privs();
	fd = INSTALL_FOR(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF);
	CHECK(fd >= 0);
	CHECK_ERRNO(INSTALL(SECCOMP_FILTER_FLAG_NEW_LISTENER, ANSWER(SECCOMP_RET_ALLOW)), EBUSY);
	CHECK_ERRNO(ioctl(fd, 0x1234, 0), EINVAL);
	close(fd);
	CHECK_ERRNO(syscall(SYS_getppid), ENOSYS);
}

static void
ignore(int signo __attribute__((unused)))
{
}

TEST(a_signal_interrupts_the_wait)
{
	int listener;
	struct sigaction sa = { .sa_handler = ignore };
	struct seccomp_notif n;
	pid_t pid;

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid = start_child(SYS_dup, 17, &listener, 0);
	n = receive(listener);
	kill(pid, SIGUSR1);
	CHECK_EXIT(pid, EINTR);
	CHECK_ERRNO(respond(listener, n.id, 1, 0, 0), ENOENT);
}

TEST(a_begun_wait_may_be_left_to_death_only)
{
	int listener;
	struct sigaction sa = { .sa_handler = ignore };
	struct seccomp_notif n;
	pid_t pid;

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid = start_child(SYS_dup, 17, &listener, 1u << 5);
	n = receive(listener);
	check_wait_asleep(pid, 0);
	kill(pid, SIGUSR1);
	check_sleep_ms(50);
	CHECK_OK(respond(listener, n.id, 44, 0, 0));
	CHECK_EXIT(pid, 44);
}

/* A later program's struct is longer, an earlier one's shorter. */
TEST(handles_are_added_by_structs_of_other_lengths)
{
	struct longer {
		struct seccomp_notif_addfd a;
		uint64_t more[20];
	} big = { 0 };
	int listener, fds[2], got;
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n = receive(listener);

	CHECK_OK(pipe(fds));
	big.a = (struct seccomp_notif_addfd){ .id = n.id, .srcfd = (uint32_t)fds[1] };
	CHECK_ERRNO(ioctl(listener, _IOW('!', 3, uint64_t[2]), &big), EINVAL);
	CHECK_ERRNO(ioctl(listener, _IOW('!', 3, char[4096]), &big), EINVAL);
	CHECK_ERRNO(ioctl(listener, _IOW('!', 3, struct longer), check_bad_address()), EFAULT);
	big.more[19] = 1;
	CHECK_ERRNO(ioctl(listener, _IOW('!', 3, struct longer), &big), E2BIG);
	big.more[19] = 0;
	got = CHECK_OK(ioctl(listener, _IOWR('!', 3, struct longer), &big));
	CHECK_OK(respond(listener, n.id, got, 0, 0));
	CHECK_EXIT(pid, got);
}

TEST(handles_beyond_the_limit_are_not_added)
{
	struct rlimit none = { 0, 0 };
	int listener, fds[2];
	pid_t pid = start_child(SYS_dup, 17, &listener, 0);
	struct seccomp_notif n = receive(listener);
	struct seccomp_notif_addfd a = { .id = n.id };

	CHECK_OK(pipe(fds));
	a.srcfd = (uint32_t)fds[1];
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, &none, NULL));
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EMFILE);
	a.flags = SECCOMP_ADDFD_FLAG_SETFD;
	a.newfd = 100;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	CHECK_OK(respond(listener, n.id, 5, 0, 0));
	CHECK_EXIT(pid, 5);
}
