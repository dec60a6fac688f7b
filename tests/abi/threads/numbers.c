/* SPDX-License-Identifier: MIT */
/* What a thread's number means to the calls that take the number of a process. */
#include "../check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define KCMP_VM 1
#define KCMP_SYSVSEM 6

struct other {
	pthread_t thread;
	pid_t tid;
	int told[2], leave[2];
};

static void *
wait_to_leave(void *arg)
{
	struct other *o = arg;
	char byte;

	o->tid = (pid_t)syscall(SYS_gettid);
	check_write_all(o->told[1], "x", 1);
	CHECK_EQ(read(o->leave[0], &byte, 1), 1);
	return NULL;
}

/* A second thread, which waits until it may leave. */
static void
start_other(struct other *o)
{
	char byte;

	CHECK_OK(pipe(o->told));
	CHECK_OK(pipe(o->leave));
	CHECK_EQ(pthread_create(&o->thread, NULL, wait_to_leave, o), 0);
	CHECK_EQ(read(o->told[0], &byte, 1), 1);
	CHECK(o->tid != getpid());
}

static void
end_other(struct other *o)
{
	check_write_all(o->leave[1], "x", 1);
	CHECK_EQ(pthread_join(o->thread, NULL), 0);
}

/* A debugger that follows threads reads memory by the number of the thread that stopped. */
TEST(memory_is_read_and_written_by_a_threads_number)
{
	char from[8] = "thread", to[8] = "";
	struct iovec local = { to, sizeof(to) }, remote = { from, sizeof(from) };
	struct other o;

	start_other(&o);
	CHECK_EQ(process_vm_readv(o.tid, &local, 1, &remote, 1, 0), sizeof(to));
	CHECK_STR(to, "thread");
	memcpy(to, "written", sizeof(to));
	CHECK_EQ(process_vm_writev(o.tid, &local, 1, &remote, 1, 0), sizeof(to));
	CHECK_STR(from, "written");
	end_other(&o);
	while (syscall(SYS_tgkill, getpid(), o.tid, 0) == 0)
		; /* joined, but not yet gone */
	CHECK_ERRNO(process_vm_readv(o.tid, &local, 1, &remote, 1, 0), ESRCH);
}

TEST(limits_and_pages_are_found_by_a_threads_number)
{
	struct rlimit limit;
	struct other o;
	int status = -1;
	void *page = &page;

	start_other(&o);
	CHECK_OK(prlimit(o.tid, RLIMIT_NOFILE, NULL, &limit));
	limit.rlim_cur--;
	CHECK_OK(prlimit(o.tid, RLIMIT_NOFILE, &limit, NULL));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_OK(syscall(SYS_move_pages, o.tid, 1ul, &page, NULL, &status, 0));
	CHECK_EQ(status, 0);
	end_other(&o);
}

TEST(what_threads_share_is_compared_by_their_numbers)
{
	struct other o;

	start_other(&o);
	CHECK_EQ(syscall(SYS_kcmp, getpid(), o.tid, KCMP_VM, 0, 0), 0);
	CHECK_EQ(syscall(SYS_kcmp, o.tid, getpid(), KCMP_SYSVSEM, 0, 0), 0);
	end_other(&o);
}

TEST(groups_and_signals_by_a_threads_number)
{
	struct other o;

	start_other(&o);
	CHECK_EQ(getpgid(o.tid), getpgrp());
	CHECK_EQ(getsid(o.tid), getsid(0));
	CHECK_OK(kill(o.tid, 0));
	CHECK_ERRNO(setpgid(o.tid, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_open, o.tid, 0), EINVAL);
	end_other(&o);
}

/* A message may claim to be from any number that somebody has. */
TEST(a_message_names_a_thread_as_its_sender)
{
	struct ucred claim = { .uid = 0, .gid = 0 };
	char byte = 'x', control[CMSG_SPACE(sizeof(claim))] __attribute__((aligned(8))) = "";
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&message);
	struct other o;
	int pair[2], on = 1;

	start_other(&o);
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	claim.pid = o.tid;
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_CREDENTIALS;
	h->cmsg_len = CMSG_LEN(sizeof(claim));
	memcpy(CMSG_DATA(h), &claim, sizeof(claim));
	CHECK_EQ(sendmsg(pair[0], &message, 0), 1);
	memset(control, 0, sizeof(control));
	CHECK_EQ(recvmsg(pair[1], &message, 0), 1);
	memcpy(&claim, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(claim));
	CHECK_EQ(claim.pid, o.tid);
	end_other(&o);
}
