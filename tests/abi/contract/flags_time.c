/* SPDX-License-Identifier: MIT */
/* Flags of clocks, timers and the objects one waits for: see flags.h. */
#include "flags.h"

TEST(event_object_flags)
{
	struct itimerspec value = { .it_value = { 100, 0 } };
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t set;
	int ep = CHECK_OK(epoll_create1(0)), tfd, in = CHECK_OK(inotify_init()), p[2];

	CHECK_OK(pipe(p));
	sigemptyset(&set);
	FLAG(eventfd2, EFD_CLOEXEC, 0, eventfd(0, EFD_CLOEXEC));
	FLAG(eventfd2, EFD_NONBLOCK, 0, eventfd(0, EFD_NONBLOCK));
	FLAG(eventfd2, EFD_SEMAPHORE, 0, eventfd(0, EFD_SEMAPHORE));
	FLAG(eventfd2, 2, EINVAL, eventfd(0, 2));
	FLAG(signalfd4, SFD_CLOEXEC, 0, signalfd(-1, &set, SFD_CLOEXEC));
	FLAG(signalfd4, SFD_NONBLOCK, 0, signalfd(-1, &set, SFD_NONBLOCK));
	FLAG(signalfd4, 1, EINVAL, signalfd(-1, &set, 1));
	FLAG(epoll_create1, EPOLL_CLOEXEC, 0, epoll_create1(EPOLL_CLOEXEC));
	FLAG(epoll_create1, 1, EINVAL, epoll_create1(1));
	FLAG(epoll_create, 0, EINVAL, epoll_create(0));
	FLAG(epoll_create, 1, 0, epoll_create(1));
	FLAG(inotify_init1, IN_CLOEXEC, 0, inotify_init1(IN_CLOEXEC));
	FLAG(inotify_init1, IN_NONBLOCK, 0, inotify_init1(IN_NONBLOCK));
	FLAG(inotify_init1, 1, EINVAL, inotify_init1(1));
	FLAG(pipe2, O_CLOEXEC, 0, pipe2(p, O_CLOEXEC));
	FLAG(pipe2, O_NONBLOCK, 0, pipe2(p, O_NONBLOCK));
	FLAG(pipe2, O_DIRECT, 0, pipe2(p, O_DIRECT));
	FLAG(pipe2, O_EXCL, ENOPKG, pipe2(p, O_EXCL));
	FLAG(pipe2, O_APPEND, EINVAL, pipe2(p, O_APPEND));
	FLAG(timerfd_create, CLOCK_REALTIME, 0, timerfd_create(CLOCK_REALTIME, 0));
	FLAG(timerfd_create, CLOCK_MONOTONIC, 0, tfd = timerfd_create(CLOCK_MONOTONIC, 0));
	FLAG(timerfd_create, CLOCK_BOOTTIME, 0, timerfd_create(CLOCK_BOOTTIME, 0));
	FLAG(timerfd_create, CLOCK_REALTIME_ALARM, 0, timerfd_create(CLOCK_REALTIME_ALARM, 0));
	FLAG(timerfd_create, CLOCK_BOOTTIME_ALARM, 0, timerfd_create(CLOCK_BOOTTIME_ALARM, 0));
	FLAG(timerfd_create, CLOCK_TAI, EINVAL, timerfd_create(CLOCK_TAI, 0));
	FLAG(timerfd_create, CLOCK_PROCESS_CPUTIME_ID, EINVAL, timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	FLAG(timerfd_create, TFD_NONBLOCK, 0, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	FLAG(timerfd_create, 1, EINVAL, timerfd_create(CLOCK_MONOTONIC, 1));
	FLAG(timerfd_settime, TFD_TIMER_ABSTIME, 0, timerfd_settime(tfd, TFD_TIMER_ABSTIME, &value, NULL));
	FLAG(timerfd_settime, TFD_TIMER_CANCEL_ON_SET, 0,
	     timerfd_settime(tfd, TFD_TIMER_CANCEL_ON_SET, &value, NULL));
	FLAG(timerfd_settime, 4, EINVAL, timerfd_settime(tfd, 4, &value, NULL));
	FLAG(ioctl, TFD_IOC_SET_TICKS, 0, ioctl(tfd, 0x40085400, &(uint64_t){ 1 }));
	FLAG(ioctl, TFD_IOC_SET_TICKS of 0, EINVAL, ioctl(tfd, 0x40085400, &(uint64_t){ 0 }));
#define EPOLL(flags) (event.events = (flags), epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event))
#define NOEPOLL() epoll_ctl(ep, EPOLL_CTL_DEL, p[0], &event)
	FLAG(epoll_ctl, EPOLLIN, 0, EPOLL(EPOLLIN));
	FLAG(epoll_ctl, EPOLL_CTL_MOD, 0, epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	FLAG(epoll_ctl, EPOLL_CTL_DEL, 0, NOEPOLL());
	FLAG(epoll_ctl, 4, EINVAL, epoll_ctl(ep, 4, p[0], &event));
	FLAG(epoll_ctl, EPOLLET, 0, EPOLL(EPOLLIN | EPOLLET));
	NOEPOLL();
	FLAG(epoll_ctl, EPOLLONESHOT, 0, EPOLL(EPOLLIN | EPOLLONESHOT));
	NOEPOLL();
	FLAG(epoll_ctl, EPOLLWAKEUP, 0, EPOLL(EPOLLIN | EPOLLWAKEUP));
	NOEPOLL();
	FLAG(epoll_ctl, EPOLLEXCLUSIVE, 0, EPOLL(EPOLLIN | EPOLLEXCLUSIVE));
	FLAG(epoll_ctl, EPOLL_CTL_MOD after EPOLLEXCLUSIVE, EINVAL, epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	NOEPOLL();
	FLAG(epoll_ctl, EPOLLEXCLUSIVE and EPOLLONESHOT, EINVAL, EPOLL(EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
	NOEPOLL();
	FLAG(epoll_ctl, a regular file, EPERM, epoll_ctl(ep, EPOLL_CTL_ADD, open("f", O_CREAT | O_RDWR, 0600), &event));
	FLAG(epoll_ctl, itself, EINVAL, epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event));
#define WATCH(mask, want) ROW("inotify_add_watch", #mask, want, inotify_add_watch(in, ".", mask))
	WATCH(IN_ACCESS, 0);
	WATCH(IN_ALL_EVENTS, 0);
	WATCH(IN_UNMOUNT, 0);
	WATCH(IN_Q_OVERFLOW, 0);
	WATCH(IN_IGNORED, 0);
	WATCH(IN_ONLYDIR, 0);
	WATCH(IN_DONT_FOLLOW, 0);
	WATCH(IN_EXCL_UNLINK, 0);
	WATCH(IN_MASK_ADD, 0);
	WATCH(IN_MASK_CREATE, EEXIST);
	WATCH(IN_ISDIR, 0);
	WATCH(IN_ONESHOT, 0);
	WATCH(0, EINVAL);
	FLAG(inotify_add_watch, IN_MASK_ADD and IN_MASK_CREATE, EINVAL,
	     inotify_add_watch(in, ".", IN_MASK_ADD | IN_MASK_CREATE | IN_ACCESS));
	FLAGS_END();
}

static long
timer(int clock, int notify, int signo)
{
	struct sigevent e = { .sigev_notify = notify, .sigev_signo = signo };
	int id = 0;

	e._sigev_un._tid = gettid();
	return syscall(SYS_timer_create, clock, &e, &id);
}

TEST(clocks_of_every_call)
{
	struct timespec t, zero = { 0, 1 };
	struct timex x = { 0 };
	clockid_t own;

	CHECK_EQ(clock_getcpuclockid(getpid(), &own), 0);
#define CLOCK(name, read_, sleep_, timer_)                                                                                \
	ROW("clock_gettime", #name, read_, syscall(SYS_clock_gettime, name, &t));                  \
	ROW("clock_getres", #name, read_, syscall(SYS_clock_getres, name, &t));                    \
	ROW("clock_nanosleep", #name, sleep_, syscall(SYS_clock_nanosleep, name, TIMER_ABSTIME, &zero, NULL)); \
	ROW("timer_create", #name, timer_, timer(name, SIGEV_NONE, 0))
	CLOCK(CLOCK_REALTIME, 0, 0, 0);
	CLOCK(CLOCK_MONOTONIC, 0, 0, 0);
	CLOCK(CLOCK_PROCESS_CPUTIME_ID, 0, 0, 0);
	CLOCK(CLOCK_THREAD_CPUTIME_ID, 0, EOPNOTSUPP, 0);
	CLOCK(CLOCK_MONOTONIC_RAW, 0, EOPNOTSUPP, EOPNOTSUPP);
	CLOCK(CLOCK_REALTIME_COARSE, 0, EOPNOTSUPP, EOPNOTSUPP);
	CLOCK(CLOCK_MONOTONIC_COARSE, 0, EOPNOTSUPP, EOPNOTSUPP);
	CLOCK(CLOCK_BOOTTIME, 0, 0, 0);
	CLOCK(CLOCK_REALTIME_ALARM, 0, 0, 0);
	CLOCK(CLOCK_BOOTTIME_ALARM, 0, 0, 0);
	CLOCK(10, EINVAL, EINVAL, EINVAL);
	CLOCK(CLOCK_TAI, 0, 0, 0);
	CLOCK(12, EINVAL, EINVAL, EINVAL);
	CLOCK(-1, EINVAL, EINVAL, EINVAL);
	FLAG(clock_gettime, of a process, 0, clock_gettime(own, &t));
	FLAG(clock_getres, of a process, 0, clock_getres(own, &t));
	FLAG(clock_nanosleep, of another process, 0,
	     syscall(SYS_clock_nanosleep, ~getppid() << 3 | 2, TIMER_ABSTIME, &zero, NULL));
	FLAG(timer_create, a clock of another process, 0, timer(~getppid() << 3 | 2, SIGEV_NONE, 0));
	FLAG(timer_create, of a process, 0, timer(own, SIGEV_NONE, 0));
	FLAG(clock_nanosleep, TIMER_ABSTIME, 0, syscall(SYS_clock_nanosleep, 1, TIMER_ABSTIME, &zero, NULL));
	FLAG(clock_nanosleep, unknown flag, 0, syscall(SYS_clock_nanosleep, 1, 2, &zero, NULL));
	FLAG(timer_create, SIGEV_SIGNAL, 0, timer(1, SIGEV_SIGNAL, SIGUSR1));
	FLAG(timer_create, SIGEV_THREAD, 0, timer(1, SIGEV_THREAD, SIGUSR1));
	FLAG(timer_create, SIGEV_THREAD_ID, 0, timer(1, SIGEV_THREAD_ID, SIGUSR1));
	FLAG(timer_create, an unknown notification, EINVAL, timer(1, 7, SIGUSR1));
	FLAG(timer_create, signal 65, EINVAL, timer(1, SIGEV_SIGNAL, 65));
	FLAG(timer_create, SIGEV_NONE and signal 65, 0, timer(1, SIGEV_NONE, 65));
	FLAG(clock_adjtime, modes 0, 0, clock_adjtime(CLOCK_REALTIME, &x));
#define ADJUST(mode, want) ROW("adjtimex", #mode, want, (x.modes = mode, adjtimex(&x)))
	ADJUST(ADJ_OFFSET, 0);
	ADJUST(ADJ_FREQUENCY, 0);
	ADJUST(ADJ_MAXERROR, 0);
	ADJUST(ADJ_ESTERROR, 0);
	ADJUST(ADJ_STATUS, 0);
	ADJUST(ADJ_TIMECONST, 0);
	ADJUST(ADJ_TICK, 0);
	ADJUST(ADJ_OFFSET_SINGLESHOT, 0);
	ADJUST(ADJ_OFFSET_SS_READ, 0);
	ADJUST(ADJ_MICRO, 0);
	ADJUST(ADJ_NANO, 0);
	x.offset = 1000;
	FLAG(adjtimex, ADJ_OFFSET of 1 ms, 0, (x.modes = ADJ_OFFSET, adjtimex(&x)));
	x.offset = 1000;
	FLAG(adjtimex, ADJ_OFFSET_SINGLESHOT of 1 ms, 0, (x.modes = ADJ_OFFSET_SINGLESHOT, adjtimex(&x)));
	x.freq = 65536;
	FLAG(adjtimex, ADJ_FREQUENCY of 1 ppm, 0, (x.modes = ADJ_FREQUENCY, adjtimex(&x)));
	x.tick = 10001;
	FLAG(adjtimex, ADJ_TICK of 10001, 0, (x.modes = ADJ_TICK, adjtimex(&x)));
	x.offset = x.freq = 0;
	x.tick = 10000;
	adjtimex((x.modes = ADJ_OFFSET | ADJ_FREQUENCY | ADJ_TICK, &x));
	x.offset = 0;
	adjtimex((x.modes = ADJ_OFFSET_SINGLESHOT, &x));
	x.tai = 0;
	ADJUST(ADJ_TAI, 0);
	x.time = (struct timeval){ 0, 0 };
	ADJUST(ADJ_SETOFFSET, 0);
	FLAG(clock_adjtime, CLOCK_MONOTONIC, EOPNOTSUPP, clock_adjtime(CLOCK_MONOTONIC, &x));
	FLAG(clock_adjtime, 77, EINVAL, clock_adjtime(77, &x));
	FLAG(clock_settime, CLOCK_MONOTONIC, EINVAL, clock_settime(CLOCK_MONOTONIC, &zero));
	FLAG(clock_settime, CLOCK_PROCESS_CPUTIME_ID, EINVAL, clock_settime(CLOCK_PROCESS_CPUTIME_ID, &zero));
	FLAG(clock_settime, CLOCK_BOOTTIME, EINVAL, clock_settime(CLOCK_BOOTTIME, &zero));
	FLAG(clock_settime, CLOCK_TAI, EINVAL, clock_settime(CLOCK_TAI, &zero));
	FLAG(clock_settime, 77, EINVAL, clock_settime(77, &zero));
	FLAGS_END();
}
