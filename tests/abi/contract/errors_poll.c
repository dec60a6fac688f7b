/* SPDX-License-Identifier: MIT */
/*
 * errors_poll.c - the errors that the manual gives for poll, select, epoll and message queues, call
 * by call.
 */
#include "words.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>


static char buf[70000];
static struct timespec ts;

TEST(poll_select_and_epoll_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	struct pollfd p[3] = {{-1, 1, 9}, {99, 1, 9}, {0, 1, 9}};
	fd_set fs;
	struct timeval tv = {0, 0};
	int ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN};
	long m = 0;
	struct {
		void *p;
		long n;
	} six = {&m, 8};
	CHECK_EQ(poll(p, 3, 0), 2);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, 32);
	CHECK_EQ(p[2].revents, 1);
	CHECK_ERRNO(poll(bad, 1, 0), EFAULT);
	CHECK_EQ(poll(bad, 0, 0), 0);
	CHECK_EQ(poll(NULL, 0, 0), 0);
	set_limit(RLIMIT_NOFILE, 252, 300);
	CHECK_ERRNO(poll(p, 301, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_poll, buf, 253, 0), EINVAL);
	set_limit(RLIMIT_NOFILE, 300, 300);
	CHECK_ERRNO(syscall(SYS_ppoll, p, 1, bad, 0, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_ppoll, p, 1, &(struct timespec){-1, 0}, 0, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_ppoll, p, 1, &(struct timespec){0, 1000000000}, 0, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_ppoll, p, 1, &(struct timespec){0, 0}, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_ppoll, p, 1, &(struct timespec){0, 0}, buf, 4), EINVAL);
	CHECK_EQ(syscall(SYS_ppoll, p, 0, &(struct timespec){0, 0}, NULL, 4), 0);
	FD_ZERO(&fs);
	CHECK_ERRNO(select(-1, 0, 0, 0, &tv), EINVAL);
	CHECK_ERRNO(syscall(SYS_select, 0, 0, 0, 0, bad), EFAULT);
	tv.tv_usec = -1;
	CHECK_ERRNO(syscall(SYS_select, 0, 0, 0, 0, &tv), EINVAL);
	tv.tv_usec = 1000000;
	CHECK_EQ(syscall(SYS_select, 0, 0, 0, 0, &tv), 0);
	tv.tv_usec = 0;
	tv.tv_sec = -1;
	CHECK_ERRNO(syscall(SYS_select, 0, 0, 0, 0, &tv), EINVAL);
	tv.tv_sec = 0;
	FD_SET(99, &fs);
	CHECK_ERRNO(select(100, &fs, 0, 0, &tv), EBADF);
	FD_ZERO(&fs);
	CHECK_ERRNO(syscall(SYS_select, 100, bad, 0, 0, &tv), EFAULT);
	CHECK_ERRNO(syscall(SYS_pselect6, 0, 0, 0, 0, &(struct timespec){0, -1}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pselect6, 0, 0, 0, 0, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_pselect6, 0, 0, 0, 0, &ts, bad), EFAULT);
	six.n = 4;
	CHECK_ERRNO(syscall(SYS_pselect6, 0, 0, 0, 0, &(struct timespec){0, 0}, &six), EINVAL);
	six.n = 8;
	six.p = bad;
	CHECK_ERRNO(syscall(SYS_pselect6, 0, 0, 0, 0, &(struct timespec){0, 0}, &six), EFAULT);
	six.p = NULL;
	six.n = 4;
	CHECK_EQ(syscall(SYS_pselect6, 0, 0, 0, 0, &(struct timespec){0, 0}, &six), 0);
	int pp[2];
	pipe(pp);
	CHECK_ERRNO(epoll_create(0), EINVAL);
	CHECK_ERRNO(epoll_create(-1), EINVAL);
	CHECK_ERRNO(epoll_create1(1), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, 9, pp[0], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, pp[0], NULL), EFAULT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, pp[0], bad), EFAULT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, pp[0], &e), ENOENT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, pp[0], &e), ENOENT);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pp[0], &e), 0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, pp[0], &e), EEXIST);
	CHECK_ERRNO(epoll_ctl(pp[0], EPOLL_CTL_ADD, pp[0], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(pp[0], EPOLL_CTL_ADD, pp[1], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(99, EPOLL_CTL_ADD, pp[1], &e), EBADF);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e), EBADF);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, open("f", O_CREAT | O_RDWR, 0600), &e), EPERM);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, open(".", O_RDONLY), &e), EPERM);
	e.events = EPOLLEXCLUSIVE | EPOLLIN;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, pp[0], &e), EINVAL);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pp[1], &e), 0);
	e.events = EPOLLIN;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, pp[1], &e), EINVAL);
	epoll_ctl(ep, EPOLL_CTL_DEL, pp[1], 0);
	e.events = EPOLLEXCLUSIVE | EPOLLIN | EPOLLONESHOT;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, pp[1], &e), EINVAL);
	e.events = EPOLLEXCLUSIVE | EPOLLIN | EPOLLRDHUP;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, pp[1], &e), EINVAL);
	e.events = EPOLLEXCLUSIVE | EPOLLIN;
	int ep2 = epoll_create1(0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &e), EINVAL);
	e.events = EPOLLIN;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &e), 0);
	CHECK_ERRNO(epoll_ctl(ep2, EPOLL_CTL_ADD, ep, &e), ELOOP);
	int c = ep2;
	for (int i = 0; i < 7; i++) {
		int n = epoll_create1(0);
		CHECK_NTH(epoll_ctl(c, EPOLL_CTL_ADD, n, &e), i, "0 0 0 LOOP 0 0 0");
		c = n;
	}
	CHECK_ERRNO(epoll_wait(ep, &e, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, &e, -1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, &e, INT_MAX, 0), EINVAL);
	CHECK_EQ(epoll_wait(ep, bad, 1, 0), 0);
	CHECK_ERRNO(epoll_wait(ep, IN_KERNEL, 1, 0), EFAULT);
	CHECK_ERRNO(epoll_wait(pp[0], &e, 1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(99, &e, 1, 0), EBADF);
	write(pp[1], "x", 1);
	CHECK_ERRNO(epoll_wait(ep, bad, 1, 0), EFAULT);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_ERRNO(syscall(SYS_epoll_pwait, ep, &e, 1, 0, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_epoll_pwait, ep, &e, 1, 0, buf, 4), EINVAL);
	CHECK_EQ(syscall(SYS_epoll_pwait, ep, &e, 1, 0, NULL, 4), 1);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, &e, 1, bad, NULL, 8), EFAULT);
	CHECK_ERRNO(
		syscall(SYS_epoll_pwait2, ep, &e, 1, &(struct timespec){0, 1000000000}, NULL, 8),
		EINVAL);
	CHECK_ERRNO(
		syscall(SYS_epoll_pwait2, ep, &e, 1, &(struct timespec){-1, 0}, NULL, 8), EINVAL);
}

TEST(message_queues_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 10}, o;
	mqd_t q;
	char n[300];
	unsigned pr;
	syscall(SYS_mq_unlink, "q"); /* names outlive their makers */
	CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, 0), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_open, ".", O_CREAT | O_RDWR, 0600, 0), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "none", O_RDWR, 0, 0), ENOENT);
	memset(n, 'a', 299);
	n[256] = 0;
	CHECK_ERRNO(syscall(SYS_mq_open, n, O_CREAT | O_RDWR, 0600, 0), ENAMETOOLONG);
	n[255] = 0;
	CHECK(syscall(SYS_mq_open, n, O_CREAT | O_RDWR, 0600, 0) >= 0);
	CHECK_EQ(syscall(SYS_mq_unlink, n), 0);
	CHECK_ERRNO(syscall(SYS_mq_open, bad, O_CREAT, 0600, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT, 0600, bad), EFAULT);
	a.mq_maxmsg = 0;
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = -1;
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 1 << 20;
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 2;
	a.mq_msgsize = 0;
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_msgsize = 1 << 30;
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_msgsize = 10;
	CHECK_OK(q = syscall(SYS_mq_open, "q", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a));
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_EXCL | O_RDWR, 0600, &a), EEXIST);
	CHECK_ERRNO(syscall(SYS_mq_open, "q", 3, 0, 0), EINVAL);
	CHECK_ERRNO(mq_send(q, "12345678901", 11, 0), EMSGSIZE);
	CHECK_ERRNO(mq_send(q, "1", 1, 32768), EINVAL);
	CHECK_EQ(mq_send(q, "1", 1, 32767), 0);
	CHECK_ERRNO(mq_send(q, bad, 1, 0), EFAULT);
	CHECK_EQ(mq_send(q, bad, 0, 0), 0);
	CHECK_ERRNO(mq_send(q, "2", 1, 0), EAGAIN);
	CHECK_ERRNO(mq_send(-1, "2", 1, 0), EBADF);
	CHECK_ERRNO(mq_send(0, "2", 1, 0), EBADF);
	CHECK_ERRNO(mq_timedsend(q, "2", 1, 0, &(struct timespec){0, 1000000000}), EINVAL);
	CHECK_ERRNO(mq_timedsend(q, "2", 1, 0, &(struct timespec){-1, 0}), EINVAL);
	CHECK_ERRNO(syscall(SYS_mq_timedsend, q, "2", 1, 0, bad), EFAULT);
	CHECK_ERRNO(mq_receive(q, buf, 9, &pr), EMSGSIZE);
	CHECK_ERRNO(syscall(SYS_mq_timedreceive, q, bad, 10, &pr, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_timedreceive, q, buf, 10, bad, 0), EFAULT);
	CHECK_ERRNO(mq_receive(q, buf, 10, &pr), EAGAIN);
	CHECK_ERRNO(mq_receive(q, buf, 10, &pr), EAGAIN);
	CHECK_ERRNO(mq_receive(-1, buf, 10, &pr), EBADF);
	CHECK_ERRNO(mq_receive(0, buf, 10, &pr), EBADF);
	CHECK_ERRNO(mq_timedreceive(q, buf, 10, 0, &(struct timespec){0, -1}), EINVAL);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, q, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, q, 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, 0, 0, &o), EBADF);
	o.mq_flags = 1;
	CHECK_ERRNO(syscall(SYS_mq_getsetattr, q, &o, 0), EINVAL);
	o.mq_flags = 0;
	CHECK_EQ(syscall(SYS_mq_getsetattr, q, &o, &a), 0);
	CHECK_EQ(a.mq_flags, 2048);
	CHECK_ERRNO(mq_timedreceive(q, buf, 10, 0, &(struct timespec){0, 0}), ETIMEDOUT);
	CHECK_ERRNO(mq_timedreceive(q, buf, 10, 0, &(struct timespec){0, 1000000000}), EINVAL);
	CHECK_ERRNO(mq_timedreceive(q, buf, 10, 0, &(struct timespec){-1, 0}), EINVAL);
	struct sigevent e = {.sigev_notify = 9};
	CHECK_ERRNO(mq_notify(q, &e), EINVAL);
	e.sigev_notify = SIGEV_SIGNAL;
	e.sigev_signo = 65;
	CHECK_ERRNO(mq_notify(q, &e), EINVAL);
	e.sigev_signo = 0;
	CHECK_EQ(mq_notify(q, &e), 0);
	e.sigev_notify = SIGEV_NONE;
	CHECK_ERRNO(mq_notify(q, &e), EBUSY);
	CHECK_EQ(mq_notify(q, NULL), 0);
	CHECK_EQ(mq_notify(q, NULL), 0);
	CHECK_ERRNO(syscall(SYS_mq_notify, q, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_mq_notify, 0, &e), EBADF);
	CHECK_ERRNO(syscall(SYS_mq_notify, -1, &e), EBADF);
	CHECK_ERRNO(syscall(SYS_mq_unlink, "none"), ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_unlink, ""), ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_unlink, bad), EFAULT);
	int r = syscall(SYS_mq_open, "q", O_RDONLY, 0, 0),
	    w = syscall(SYS_mq_open, "q", O_WRONLY, 0, 0);
	CHECK_ERRNO(mq_send(r, "a", 1, 0), EBADF);
	CHECK_ERRNO(mq_receive(w, buf, 10, 0), EBADF);
	CHECK_EQ(mq_send(w, "abc", 3, 5), 0);
	CHECK(read(r, buf, 1000) > 0);
	CHECK_ERRNO(write(q, "x", 1), EINVAL);
	CHECK_EQ(lseek(q, 0, SEEK_CUR), 0);
	check_become(1000, 1000);
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_RDONLY, 0, 0), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "q", O_CREAT | O_RDWR, 0600, 0), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_unlink, "q"), EPERM);
	a.mq_maxmsg = 11;
	a.mq_msgsize = 10;
	CHECK_ERRNO(syscall(SYS_mq_open, "q2", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 10;
	a.mq_msgsize = 8193;
	CHECK_ERRNO(syscall(SYS_mq_open, "q2", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	set_limit(RLIMIT_MSGQUEUE, 2000, 2000);
	a.mq_msgsize = 200;
	CHECK_ERRNO(syscall(SYS_mq_open, "q2", O_CREAT | O_RDWR, 0600, &a), EMFILE);
	a.mq_maxmsg = 1;
	CHECK_OK(syscall(SYS_mq_open, "q2", O_CREAT | O_RDWR, 0600, &a));
	a.mq_maxmsg = 8;
	CHECK_ERRNO(syscall(SYS_mq_open, "q3", O_CREAT | O_RDWR, 0600, &a), EMFILE);
	syscall(SYS_mq_unlink, "q2");
	syscall(SYS_mq_unlink, "q3");
}
