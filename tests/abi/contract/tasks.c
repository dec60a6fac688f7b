/* SPDX-License-Identifier: MIT */
/* Calls about threads and processes that few programs make: comparing, I/O priority, attributes. */
#include "../check.h"

#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static long
compare(pid_t a, pid_t b, int type, long i, long j)
{
	return syscall(SYS_kcmp, a, b, type, i, j);
}

TEST(kcmp_tells_what_a_child_shares)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), same = CHECK_OK(dup(fd));
	int other = CHECK_OK(open("f", O_RDWR));
	pid_t self = getpid(), child = check_fork();

	if (child == 0)
		for (;;)
			pause();
	CHECK_EQ(compare(self, self, KCMP_FILE, fd, same), 0);
	CHECK(compare(self, self, KCMP_FILE, fd, other) > 0);
	CHECK_EQ(compare(self, child, KCMP_FILE, fd, same), 0);
	CHECK_EQ(compare(self, self, KCMP_VM, 0, 0), 0);
	CHECK(compare(self, child, KCMP_VM, 0, 0) > 0);
	CHECK(compare(self, child, KCMP_FILES, 0, 0) > 0);
	CHECK(compare(self, child, KCMP_FS, 0, 0) > 0);
	CHECK(compare(self, child, KCMP_SIGHAND, 0, 0) > 0);
	CHECK_EQ(compare(self, self, KCMP_FILES, 0, 0), 0);
	CHECK_ERRNO(compare(self, self, KCMP_FILE, fd, 240), EBADF);
	CHECK_ERRNO(compare(self, self, 99, 0, 0), EINVAL);
	CHECK_ERRNO(compare(self, 999999, KCMP_VM, 0, 0), ESRCH);
	check_drop_root();
	CHECK_ERRNO(compare(1, self, KCMP_VM, 0, 0), EPERM);
}

#define BE(level) (2 << 13 | (level))

TEST(kcmp_of_what_semaphores_are_owed)
{
	struct sembuf up = { .sem_op = 1, .sem_flg = SEM_UNDO };
	int set = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	pid_t self = getpid(), child = check_fork();

	if (child == 0)
		for (;;)
			pause();
	/* Neither has a list; then one has. */
	CHECK_EQ(compare(self, child, KCMP_SYSVSEM, 0, 0), 0);
	CHECK_OK(semop(set, &up, 1));
	CHECK(compare(self, child, KCMP_SYSVSEM, 0, 0) > 0);
	CHECK_EQ(compare(self, self, KCMP_SYSVSEM, 0, 0), 0);
	/* A child that shares the list. */
	pid_t sharer = (pid_t)CHECK_OK(syscall(SYS_clone, CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0));
	if (sharer == 0)
		for (;;)
			pause();
	CHECK_EQ(compare(self, sharer, KCMP_SYSVSEM, 0, 0), 0);
	CHECK_OK(semctl(set, 0, IPC_RMID));
}

TEST(io_priority_is_kept_inherited_and_told)
{
	pid_t child;

	CHECK_OK(syscall(SYS_ioprio_set, 1, 0, BE(6)));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), BE(6));
	child = check_fork();
	if (child == 0) {
		CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), BE(6));
		_exit(0);
	}
	CHECK_EXIT(child, 0);
	CHECK_OK(syscall(SYS_ioprio_set, 1, 0, 3 << 13));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, getpid()), 3 << 13);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 4, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 1, 999999), ESRCH);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 999999, BE(4)), ESRCH);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 2, 999999, BE(4)), ESRCH);
}

TEST(io_priority_of_a_group_is_that_of_its_best)
{
	CHECK_OK(syscall(SYS_ioprio_set, 2, 0, BE(5)));
	pid_t child = check_fork();
	if (child == 0)
		for (;;)
			pause();
	CHECK_OK(syscall(SYS_ioprio_set, 1, child, BE(2)));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), BE(5));
	CHECK_EQ(syscall(SYS_ioprio_get, 2, 0), BE(2));
}

TEST(io_priority_of_others_needs_a_right)
{
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 1, BE(4)), EPERM);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4), EPERM);
	CHECK_OK(syscall(SYS_ioprio_set, 1, 0, BE(7)));
}

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

TEST(sched_getattr_tells_what_sched_setattr_set)
{
	struct attributes a = { .size = 48, .policy = SCHED_RR, .priority = 7 }, got;

	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0));
	memset(&got, 0xee, sizeof(got));
	CHECK_OK(syscall(SYS_sched_getattr, 0, &got, 48, 0));
	CHECK_EQ(got.size, 48);
	CHECK_EQ(got.policy, SCHED_RR);
	CHECK_EQ(got.priority, 7);
	CHECK_EQ(got.util_min, 0xeeeeeeee); /* not touched */
	a = (struct attributes){ .size = 48, .nice = 9, .flags = 1 };
	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0));
	CHECK_OK(syscall(SYS_sched_getattr, 0, &got, sizeof(got), 0));
	CHECK_EQ(got.policy, SCHED_OTHER);
	CHECK_EQ(got.nice, 9);
	CHECK_EQ(got.flags, 1);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 9);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &got, 47, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &got, 5000, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &got, 48, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, NULL, 48, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, check_bad_address(), 48, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 999999, &got, 48, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_getattr, -1, &got, 48, 0), EINVAL);
}

TEST(sched_setattr_keeps_what_it_is_told_to_keep)
{
	struct attributes a = { .size = 48, .policy = SCHED_FIFO, .priority = 5 }, got;

	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0));
	a = (struct attributes){ .size = 48, .policy = SCHED_OTHER, .priority = 9, .flags = 8 };
	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0)); /* keep the policy */
	CHECK_OK(syscall(SYS_sched_getattr, 0, &got, 48, 0));
	CHECK_EQ(got.policy, SCHED_FIFO);
	CHECK_EQ(got.priority, 9);
	a = (struct attributes){ .size = 48, .policy = SCHED_RR, .priority = 1, .flags = 16 };
	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0)); /* keep the parameters, which the policy is one of */
	CHECK_OK(syscall(SYS_sched_getattr, 0, &got, 48, 0));
	CHECK_EQ(got.policy, SCHED_FIFO);
	CHECK_EQ(got.priority, 9);
	a.size = 8192;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
	CHECK_EQ(a.size, 56);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
}

static void *
nothing(void *unused)
{
	for (;;)
		pause();
	return unused;
}

TEST(rt_tgsigqueueinfo_reaches_one_thread_with_its_value)
{
	siginfo_t info = { .si_code = SI_QUEUE }, got;
	sigset_t set;

	info.si_value.sival_int = 4711;
	info.si_pid = getpid();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
	CHECK_EQ(sigwaitinfo(&set, &got), SIGUSR1);
	CHECK_EQ(got.si_code, SI_QUEUE);
	CHECK_EQ(got.si_value.sival_int, 4711);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 999999, SIGUSR1, &info), ESRCH);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getppid(), gettid(), SIGUSR1, &info), ESRCH);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), 65, &info), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, 0, gettid(), SIGUSR1, &info), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, check_bad_address()), EFAULT);
	info.si_code = SI_USER;
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), 0, &info), EPERM);
}

static int
parts(unsigned long flags)
{
	return (int)syscall(SYS_unshare, flags);
}

TEST(unshare_of_files_and_directories_separates_a_thread)
{
	pthread_t t;
	pid_t child;

	CHECK_OK(parts(0));
	CHECK_OK(parts(CLONE_FILES));
	CHECK_OK(parts(CLONE_FS));
	CHECK_OK(parts(CLONE_SYSVSEM));
	CHECK_ERRNO(parts(0x100000000ul), EINVAL);
	CHECK_ERRNO(parts(CLONE_PARENT), EINVAL);
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		CHECK_OK(parts(CLONE_FILES | CLONE_FS));
		CHECK_OK(chdir("/"));
		CHECK_OK(close(0));
		_exit(0);
	}
	CHECK_EXIT(child, 0);
	CHECK_OK(fcntl(0, F_GETFD));
	CHECK(access("/etc", F_OK) == 0);
	char here[200];
	CHECK(strcmp(getcwd(here, sizeof(here)), "/") != 0);
	CHECK_OK(parts(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)); /* alone: there is nothing to part with */
	CHECK_EQ(pthread_create(&t, NULL, nothing, NULL), 0);
	CHECK_ERRNO(parts(CLONE_THREAD), EINVAL);
	CHECK_ERRNO(parts(CLONE_SIGHAND), EINVAL);
	CHECK_ERRNO(parts(CLONE_VM), EINVAL);
}

static uint32_t words[3];

static void *
wake_second(void *unused)
{
	check_wait_asleep(0, getpid());
	words[1] = 1;
	syscall(SYS_futex, &words[1], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	return unused;
}

TEST(futex_waitv_tells_which_was_woken)
{
	struct futex_waitv w[3] = { 0 };
	struct timespec past = { 1, 0 };
	pthread_t t;

	for (int i = 0; i < 3; i++)
		w[i] = (struct futex_waitv){ 0, (uintptr_t)&words[i], FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 };
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 0, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 129, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 1, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex_waitv, NULL, 3, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex_waitv, check_bad_address(), 3, 0, NULL, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 0, &past, CLOCK_BOOTTIME), EINVAL);
	w[2].val = 9;
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 0, NULL, 0), EAGAIN);
	w[2].val = 0;
	w[2].flags = 0;
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 0, NULL, 0), EINVAL);
	w[2].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	w[2].__reserved = 1;
	CHECK_ERRNO(syscall(SYS_futex_waitv, w, 3, 0, NULL, 0), EINVAL);
	w[2].__reserved = 0;
	CHECK_EQ(pthread_create(&t, NULL, wake_second, NULL), 0);
	CHECK_EQ(syscall(SYS_futex_waitv, w, 3, 0, NULL, 0), 1);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

TEST(membarrier_makes_others_leave_their_sequences)
{
	/* QUERY tells the commands for restartable sequences, and registering is asked for. */
	long known = CHECK_OK(syscall(SYS_membarrier, 0, 0, 0));

	CHECK_EQ(known & 0x1ff, 0x1ff);
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 7, 0, 0), EPERM);
	CHECK_OK(syscall(SYS_membarrier, 1 << 8, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, 1 << 7, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, 1 << 7, 1, 0));
	CHECK_OK(syscall(SYS_membarrier, 1 << 7, 1, 4095));
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 8, 1, 0), EINVAL);
}

TEST(kcmp_finds_what_an_epoll_watches)
{
	struct { uint32_t epoll, target, which; } slot;
	struct epoll_event e = { .events = EPOLLIN };
	pid_t self = getpid();
	int ends[2], other, number;

	CHECK_OK(pipe(ends));
	other = CHECK_OK(dup(ends[1]));
	slot.epoll = (uint32_t)CHECK_OK(epoll_create1(0));
	number = CHECK_OK(dup(ends[0]));
	CHECK_OK(epoll_ctl((int)slot.epoll, EPOLL_CTL_ADD, number, &e));
	/* The same number again, for another file, while the first lives on under another. */
	CHECK_OK(dup2(ends[1], number));
	CHECK_OK(epoll_ctl((int)slot.epoll, EPOLL_CTL_ADD, number, &e));
	slot.target = (uint32_t)number;
	bool first = false, second = false;
	for (slot.which = 0; slot.which < 2; slot.which++) {
		first |= compare(self, self, 7, ends[0], (uintptr_t)&slot) == 0;
		second |= compare(self, self, 7, other, (uintptr_t)&slot) == 0;
	}
	CHECK(first);
	CHECK(second);
	CHECK_ERRNO(compare(self, self, 7, ends[0], (uintptr_t)&slot), ENOENT);
	slot.target = 240;
	slot.which = 0;
	CHECK_ERRNO(compare(self, self, 7, ends[0], (uintptr_t)&slot), ENOENT);
	CHECK_ERRNO(compare(self, self, 7, 241, (uintptr_t)&slot), EBADF);
	slot.epoll = (uint32_t)ends[0];
	CHECK_ERRNO(compare(self, self, 7, ends[0], (uintptr_t)&slot), EINVAL);
	slot.epoll = 241;
	CHECK_ERRNO(compare(self, self, 7, ends[0], (uintptr_t)&slot), EBADF);
	CHECK_ERRNO(compare(self, self, 7, ends[0], (uintptr_t)check_bad_address()), EFAULT);
}
