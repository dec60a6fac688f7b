/* SPDX-License-Identifier: MIT */
/*
 * errors_signals.c - the errors that the manual gives for signals, clocks and timers, call by call.
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
static siginfo_t si;
static struct timespec ts;
static struct itimerspec its;
static struct itimerval itv;
static sigset_t set;
static struct sigaction sa;
static stack_t ss;
static volatile int hits;
static void
h(int s)
{
	(void)s;
	hits++;
}

TEST(calls_on_signals_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	for (int i = -1; i < 67; i += 1) {
		;
		memset(&sa, 0, sizeof sa);
		sa.sa_handler = SIG_DFL;
		struct {
			void *h;
			long fl;
			void *r;
			long m;
		} k = {SIG_IGN, 0, 0, 0};
		CHECK_NTH(syscall(SYS_rt_sigaction, i, &k, NULL, 8), i + 1,
			"INVAL INVAL 0 0 0 0 0 0 0 0 INVAL 0 0 0 0 0 0 0 0 0 INVAL 0 0 0 0 0 0 0 0 "
			"0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
			"INVAL INVAL");
		CHECK_NTH(syscall(SYS_rt_sigaction, i, NULL, buf, 8), i + 1,
			"INVAL INVAL 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
			"0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 INVAL "
			"INVAL");
		CHECK_ERRNO(kill(4194303, i), ESRCH);
		if (i == 0 || i < 0 || i > 64)
			CHECK_NTH(kill(getpid(), i), i + 1,
				"INVAL 0 - - - - - - - - - - - - - - - - - - - - - - - - - - - - - "
				"- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - "
				"- - INVAL INVAL");
		CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 4194303, i), ESRCH);
		CHECK_ERRNO(syscall(SYS_tkill, 4194303, i), ESRCH);
	}
	CHECK_EQ(syscall(SYS_rt_sigaction, 10, NULL, NULL, 8), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 10, NULL, NULL, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 10, NULL, NULL, 16), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 10, bad, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 10, NULL, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 9, NULL, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 9, bad, NULL, 8), EFAULT);
	struct {
		void *h;
		long fl;
		void *r;
		long m;
	} k = {h, -1, 0, -1}, o = {0};
	CHECK_EQ(syscall(SYS_rt_sigaction, 10, &k, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigaction, 10, NULL, &o, 8), 0);
	CHECK_EQ(o.fl, 3690989575);
	CHECK_EQ(o.m, -262401);
	k.fl = 0x10000000;
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 10, &k, bad, 8), EFAULT);
	CHECK_EQ(syscall(SYS_rt_sigaction, 10, NULL, &o, 8), 0);
	CHECK_EQ(o.fl, 268435456);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 0, NULL, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 0, &set, NULL, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 0, bad, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 0, &set, bad, 8), EFAULT);
	long all = -1, old = 0;
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 0, NULL, &old, 8), 0);
	CHECK_EQ(old, -262401);
	all = 0;
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, bad, 8), EFAULT);
	CHECK_EQ(syscall(SYS_rt_sigprocmask, 0, NULL, &old, 8), 0);
	CHECK_EQ(old, 0);
	CHECK_EQ(syscall(SYS_rt_sigpending, buf, 8), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigpending, buf, 16), EINVAL);
	CHECK_EQ(syscall(SYS_rt_sigpending, buf, 4), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigpending, bad, 8), EFAULT);
	CHECK_EQ(syscall(SYS_rt_sigpending, bad, 0), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, buf, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, bad, NULL, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, NULL, 4), EINVAL);
	ts.tv_nsec = -1;
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EINVAL);
	ts.tv_nsec = 1000000000;
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EINVAL);
	ts.tv_nsec = 0;
	ts.tv_sec = -1;
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EINVAL);
	ts.tv_sec = 0;
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EAGAIN);
	all = 1ul << 9;
	syscall(SYS_rt_sigprocmask, 0, &all, NULL, 8);
	raise(10);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, bad, &ts, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EAGAIN);
	raise(10);
	CHECK_EQ(syscall(SYS_rt_sigtimedwait, &all, NULL, NULL, 8), 10);
	all = 1ul << 8;
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &all, NULL, &ts, 8), EAGAIN);
	memset(&si, 0, sizeof si);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &si), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), -1, &si), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 4194303, 0, &si), EPERM);
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &si), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 1, 0, &si), EPERM);
	si.si_code = SI_TKILL;
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 1, 0, &si), EPERM);
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &si), 0);
	si.si_code = SI_USER;
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 1, 0, &si), EPERM);
	si.si_code = SI_QUEUE;
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, 1, 0, &si), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, -1, 0, &si), ESRCH);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 0, 0, &si), ESRCH);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, 0, getpid(), 0, &si), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, 0, &si), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), 65, &si), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, 1, getpid(), 0, &si), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, 0, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, 1, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, -1, getpid(), 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, 1, getpid(), 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_tkill, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tkill, -1, 0), EINVAL);
	CHECK_ERRNO(kill(INT_MIN, 0), ESRCH);
	CHECK_ERRNO(kill(-4194303, 0), ESRCH);
	CHECK_ERRNO(kill(-1, 65), EINVAL);
	CHECK_ERRNO(kill(0, 65), EINVAL);
	memset(&ss, 0, sizeof ss);
	ss.ss_sp = buf;
	ss.ss_size = 2047;
	CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_size = 2048;
	CHECK_EQ(syscall(SYS_sigaltstack, &ss, NULL) == 0 ? 0 : 0, 0);
	ss.ss_flags = 4;
	ss.ss_size = 60000;
	CHECK_ERRNO(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = SS_ONSTACK;
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	CHECK_EQ(sigaltstack(NULL, &ss), 0);
	CHECK_EQ(ss.ss_flags, 0);
	ss.ss_flags = SS_DISABLE | (1u << 31);
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	CHECK_EQ(sigaltstack(NULL, &ss), 0);
	CHECK_EQ(ss.ss_flags, -2147483646);
	CHECK_ERRNO(sigaltstack(bad, NULL), EFAULT);
	CHECK_ERRNO(sigaltstack(NULL, bad), EFAULT);
	CHECK_EQ(sigaltstack(NULL, NULL), 0);
	ss.ss_flags = 0;
	ss.ss_size = 0;
	CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 1u << 31;
	ss.ss_size = 60000;
	CHECK_ERRNO(sigaltstack(&ss, bad), EFAULT);
	CHECK_EQ(sigaltstack(NULL, &ss), 0);
	CHECK_EQ(ss.ss_flags, -2147483648);
	CHECK_EQ(ss.ss_size, 60000);
	long m = 1;
	CHECK_ERRNO(syscall(SYS_signalfd4, -1, &m, 4, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd4, -1, &m, 16, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd4, -1, bad, 8, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_signalfd4, -1, &m, 8, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd4, 0, &m, 8, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd4, 99, &m, 8, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_signalfd4, -2, &m, 8, 0), EBADF);
	int f = syscall(SYS_signalfd4, -1, &m, 8, O_NONBLOCK);
	CHECK_ERRNO(read(f, buf, 127), EINVAL);
	CHECK_ERRNO(read(f, buf, 128), EAGAIN);
	CHECK_ERRNO(read(f, bad, 128), EAGAIN);
	CHECK_ERRNO(read(f, buf, 0), EINVAL);
	CHECK_ERRNO(write(f, buf, 128), EINVAL);
	m = -1;
	CHECK(syscall(SYS_signalfd4, f, &m, 8, 0) == f);
}

TEST(clocks_and_timers_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	for (int i = 0; i < 18; i++) {
		;
		CHECK_NTH(clock_gettime(i, &ts) == -1 ? -1 : 0, i,
			"0 0 0 0 0 0 0 0 0 0 INVAL 0 INVAL INVAL INVAL INVAL INVAL INVAL");
		CHECK_NTH(clock_getres(i, &ts), i,
			"0 0 0 0 0 0 0 0 0 0 INVAL 0 INVAL INVAL INVAL INVAL INVAL INVAL");
		if (i != 0)
			CHECK_ERRNO(clock_settime(i, &(struct timespec){1, 0}), EINVAL);
		CHECK_NTH(syscall(SYS_clock_getres, i, NULL), i,
			"0 0 0 0 0 0 0 0 0 0 INVAL 0 INVAL INVAL INVAL INVAL INVAL INVAL");
		CHECK_NTH(syscall(SYS_clock_getres, i, bad), i,
			"FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT INVAL FAULT "
			"INVAL INVAL INVAL INVAL INVAL INVAL");
		CHECK_NTH(syscall(SYS_clock_gettime, i, bad), i,
			"FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT INVAL FAULT "
			"INVAL INVAL INVAL INVAL INVAL INVAL");
		if (i != 2) {
			CHECK_NTH(
				syscall(SYS_clock_nanosleep, i, 0, &(struct timespec){0, 1}, NULL),
				i,
				"0 0 - OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP 0 0 0 INVAL 0 INVAL "
				"INVAL INVAL INVAL INVAL INVAL");
			CHECK_NTH(
				syscall(SYS_clock_nanosleep, i, 1, &(struct timespec){0, 1}, NULL),
				i,
				"0 0 - OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP 0 0 0 INVAL 0 INVAL "
				"INVAL INVAL INVAL INVAL INVAL");
			CHECK_NTH(
				syscall(SYS_clock_nanosleep, i, 2, &(struct timespec){0, 1}, NULL),
				i,
				"0 0 - OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP 0 INVAL INVAL INVAL "
				"0 INVAL INVAL INVAL INVAL INVAL INVAL");
		}
		CHECK_NTH(
			syscall(SYS_clock_nanosleep, i, 0, &(struct timespec){0, 1000000000}, NULL),
			i,
			"INVAL INVAL INVAL OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP INVAL INVAL "
			"INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
		CHECK_NTH(syscall(SYS_clock_nanosleep, i, 0, bad, NULL), i,
			"FAULT FAULT FAULT OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP FAULT FAULT "
			"FAULT INVAL FAULT INVAL INVAL INVAL INVAL INVAL INVAL");
		struct sigevent e = {.sigev_notify = SIGEV_NONE};
		int id;
		CHECK_NTH(syscall(SYS_timer_create, i, &e, &id), i,
			"0 0 0 0 OPNOTSUPP OPNOTSUPP OPNOTSUPP 0 0 0 INVAL 0 INVAL INVAL INVAL "
			"INVAL INVAL INVAL");
		CHECK_NTH(syscall(SYS_timer_create, i, &e, bad), i,
			"FAULT FAULT FAULT FAULT OPNOTSUPP OPNOTSUPP OPNOTSUPP FAULT FAULT FAULT "
			"INVAL FAULT INVAL INVAL INVAL INVAL INVAL INVAL");
		CHECK_NTH(syscall(SYS_timerfd_create, i, 0) >= 0 ? 0 : -1, i,
			"0 0 INVAL INVAL INVAL INVAL INVAL 0 0 0 INVAL INVAL INVAL INVAL INVAL "
			"INVAL INVAL INVAL");
		struct timex x = {0};
		CHECK_NTH(syscall(SYS_clock_adjtime, i, &x) == -1 ? -1 : 0, i,
			"0 OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP "
			"OPNOTSUPP OPNOTSUPP INVAL OPNOTSUPP INVAL INVAL INVAL INVAL INVAL INVAL");
	}
	CHECK_EQ(syscall(SYS_clock_gettime, (int)(~(unsigned int)getpid() << 3) | 2, &ts), 0);
	CHECK_EQ(syscall(SYS_clock_gettime, (int)(~(unsigned int)1 << 3) | 2, &ts), 0);
	CHECK_ERRNO(syscall(SYS_clock_gettime, (int)(~(unsigned int)4194303 << 3) | 2, &ts), EINVAL);
	CHECK_EQ(syscall(SYS_clock_gettime, (int)(~(unsigned int)getpid() << 3) | 6, &ts), 0);
	CHECK_ERRNO(syscall(SYS_clock_gettime, (int)(~(unsigned int)1 << 3) | 6, &ts), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, (int)(~(unsigned int)getpid() << 3) | 3, &ts), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_settime, (int)(~(unsigned int)getpid() << 3) | 2, &ts), EPERM);
	CHECK_EQ(syscall(SYS_clock_getres, (int)(~(unsigned int)1 << 3) | 2, &ts), 0);
	CHECK_ERRNO(syscall(SYS_clock_getres, (int)(~(unsigned int)4194303 << 3) | 2, &ts), EINVAL);
	CHECK_ERRNO(
		syscall(SYS_clock_nanosleep, (int)(~(unsigned int)getpid() << 3) | 6, 0, &(struct timespec){0, 1}, 0),
		EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, &(struct timespec){0, -1}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, &(struct timespec){-1, 0}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, &(struct timespec){0, 1000000000}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_nanosleep, NULL, 0), EFAULT);
	CHECK_EQ(syscall(SYS_nanosleep, &(struct timespec){0, 1}, bad), 0);
	CHECK_ERRNO(clock_settime(0, &(struct timespec){-1, 0}), EINVAL);
	CHECK_ERRNO(clock_settime(0, &(struct timespec){1, 1000000000}), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_settime, 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_settime, 0, &(struct timespec){9223372036, 0}), EINVAL);
	CHECK_ERRNO(syscall(SYS_settimeofday, &(struct timeval){1, 1000001}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_settimeofday, &(struct timeval){-1, 0}, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_settimeofday, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_settimeofday, 0, bad), EFAULT);
	int tz[2] = {10000, 0};
	CHECK_ERRNO(syscall(SYS_settimeofday, 0, tz), EINVAL);
	tz[0] = 0;
	CHECK_EQ(syscall(SYS_settimeofday, 0, 0), 0);
	CHECK_ERRNO(syscall(SYS_gettimeofday, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_gettimeofday, 0, bad), EFAULT);
	CHECK_EQ(syscall(SYS_gettimeofday, 0, 0), 0);
	struct timex x = {0};
	CHECK_ERRNO(syscall(SYS_adjtimex, bad), EFAULT);
	x.modes = ADJ_TICK;
	x.tick = 1;
	CHECK_ERRNO(syscall(SYS_adjtimex, &x), EINVAL);
	x.modes = ADJ_SETOFFSET;
	x.time.tv_usec = -1;
	CHECK_ERRNO(syscall(SYS_adjtimex, &x), EINVAL);
	x.time.tv_usec = 1000000;
	CHECK_ERRNO(syscall(SYS_adjtimex, &x), EINVAL);
	x.modes = ADJ_SETOFFSET | ADJ_NANO;
	x.time.tv_usec = 1000000000;
	CHECK_ERRNO(syscall(SYS_adjtimex, &x), EINVAL);
	x.modes = 0x8000 | ADJ_OFFSET;
	CHECK_EQ(syscall(SYS_adjtimex, &x), 5);
	for (int w = -1; w < 4; w++) {
		;
		CHECK_NTH(syscall(SYS_getitimer, w, &itv), w + 1, "INVAL 0 0 0 INVAL");
		CHECK_NTH(syscall(SYS_getitimer, w, bad), w + 1, "INVAL FAULT FAULT FAULT INVAL");
		CHECK_NTH(syscall(SYS_setitimer, w, NULL, NULL), w + 1, "INVAL 0 0 0 INVAL");
		CHECK_ERRNO(
			syscall(SYS_setitimer, w, &(struct itimerval){{0, 0}, {0, 1000000}}, NULL),
			EINVAL);
		CHECK_ERRNO(syscall(SYS_setitimer, w, &(struct itimerval){{0, 0}, {-1, 0}}, NULL),
			EINVAL);
		CHECK_ERRNO(syscall(SYS_setitimer, w, &(struct itimerval){{0, -1}, {0, 0}}, NULL),
			EINVAL);
		CHECK_ERRNO(syscall(SYS_setitimer, w, bad, NULL), EFAULT);
		CHECK_NTH(syscall(SYS_setitimer, w, &(struct itimerval){{0, 0}, {1000, 0}}, bad),
			w + 1, "INVAL FAULT FAULT FAULT INVAL");
		CHECK_NTH(syscall(SYS_getitimer, w, &itv), w + 1, "INVAL 0 0 0 INVAL");
		CHECK_NTH(itv.it_value.tv_sec > 0, w + 1, "0 1 1 1 1");
		CHECK_NTH(syscall(SYS_setitimer, w, &(struct itimerval){{0, 0}, {0, 0}}, NULL),
			w + 1, "INVAL 0 0 0 INVAL");
	}
	CHECK_EQ(syscall(SYS_alarm, -1), 0);
	CHECK(syscall(SYS_alarm, 0) > 0);
	int id;
	struct sigevent e = {.sigev_notify = 7};
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	e.sigev_notify = SIGEV_SIGNAL;
	e.sigev_signo = 0;
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	e.sigev_signo = 65;
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	e.sigev_signo = -1;
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	e.sigev_notify = SIGEV_NONE;
	CHECK_EQ(syscall(SYS_timer_create, 0, &e, &id), 0);
	e.sigev_notify = SIGEV_THREAD_ID;
	e._sigev_un._tid = 1;
	e.sigev_signo = 10;
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	e._sigev_un._tid = 0;
	CHECK_ERRNO(syscall(SYS_timer_create, 0, &e, &id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_create, 0, bad, &id), EFAULT);
	CHECK_EQ(syscall(SYS_timer_create, 0, NULL, &id), 0);
	CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, bad, NULL), EFAULT);
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &its, NULL), EINVAL);
	its.it_value.tv_nsec = 0;
	its.it_interval.tv_sec = -1;
	CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &its, NULL), EINVAL);
	its.it_interval.tv_sec = 0;
	CHECK_ERRNO(syscall(SYS_timer_settime, 999, 0, &its, NULL), EINVAL);
	CHECK_EQ(syscall(SYS_timer_settime, id, 99, &its, NULL), 0);
	CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &its, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_timer_gettime, id, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_timer_gettime, 999, &its), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_getoverrun, 999), EINVAL);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), 0);
	CHECK_ERRNO(syscall(SYS_timer_delete, 999), EINVAL);
	CHECK_EQ(syscall(SYS_timer_delete, id), 0);
	CHECK_ERRNO(syscall(SYS_timer_delete, id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_delete, -1), EINVAL);
	int f = timerfd_create(1, TFD_NONBLOCK);
	CHECK_ERRNO(timerfd_create(1, 1), EINVAL);
	CHECK_ERRNO(timerfd_settime(f, 8, &its, 0), EINVAL);
	CHECK_EQ(timerfd_settime(f, TFD_TIMER_CANCEL_ON_SET, &its, 0), 0);
	CHECK_EQ(timerfd_settime(f, 3, &its, 0), 0);
	CHECK_ERRNO(timerfd_settime(-1, 0, &its, 0), EBADF);
	CHECK_ERRNO(timerfd_settime(0, 0, &its, 0), EINVAL);
	CHECK_ERRNO(timerfd_settime(f, 0, bad, 0), EFAULT);
	CHECK_ERRNO(timerfd_settime(f, 0, NULL, 0), EFAULT);
	CHECK_ERRNO(timerfd_settime(f, 0, &its, bad), EFAULT);
	its.it_value.tv_nsec = -1;
	CHECK_ERRNO(timerfd_settime(f, 0, &its, 0), EINVAL);
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(timerfd_settime(f, 0, &its, 0), EINVAL);
	its.it_value.tv_nsec = 0;
	its.it_value.tv_sec = -1;
	CHECK_ERRNO(timerfd_settime(f, 0, &its, 0), EINVAL);
	its.it_value.tv_sec = 0;
	CHECK_ERRNO(timerfd_gettime(f, bad), EFAULT);
	CHECK_ERRNO(timerfd_gettime(0, &its), EINVAL);
	CHECK_ERRNO(timerfd_gettime(-1, &its), EBADF);
	CHECK_ERRNO(read(f, buf, 7), EINVAL);
	CHECK_ERRNO(read(f, buf, 8), EAGAIN);
	CHECK_ERRNO(read(f, bad, 8), EAGAIN);
	its.it_value.tv_nsec = 1;
	timerfd_settime(f, 0, &its, 0);
	CHECK_EQ(poll(&(struct pollfd){ .fd = f, .events = POLLIN }, 1, -1), 1);
	CHECK_ERRNO(read(f, buf, 4), EINVAL);
	CHECK_ERRNO(read(f, bad, 8), EFAULT);
	CHECK_ERRNO(read(f, buf, 8), EAGAIN);
	CHECK_EQ(eventfd(0, 1), 9);
	int ev = eventfd(5, EFD_NONBLOCK);
	CHECK_ERRNO(read(ev, buf, 7), EINVAL);
	CHECK_ERRNO(read(ev, bad, 8), EFAULT);
	CHECK_ERRNO(read(ev, buf, 8), EAGAIN);
	CHECK_ERRNO(read(ev, buf, 8), EAGAIN);
	CHECK_ERRNO(write(ev, buf, 7), EINVAL);
	memset(buf, 255, 8);
	CHECK_ERRNO(write(ev, buf, 8), EINVAL);
	buf[0] = 254;
	CHECK_EQ(write(ev, buf, 8), 8);
	CHECK_ERRNO(write(ev, buf, 8), EAGAIN);
	CHECK_ERRNO(write(ev, bad, 8), EFAULT);
	CHECK_EQ(read(ev, buf, 100), 8);
}
