/* SPDX-License-Identifier: MIT */
/* Of two mistakes in one call, which is told; odd lengths; what comes before a signal: call by call. */
#include "check.h"
#include <linux/capability.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timex.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

TEST(sendfile_looks_at_the_offset_first_and_takes_regular_files)
{
	int in, out, pipes[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY));
	off_t at = -1;

	check_write_file("in", "some bytes", 10);
	in = CHECK_OK(open("in", O_RDONLY));
	out = CHECK_OK(open("out", O_WRONLY | O_CREAT, 0600));
	CHECK_OK(pipe(pipes));
	CHECK_ERRNO(sendfile(-1, -1, check_bad_address(), 4), EFAULT);
	CHECK_ERRNO(sendfile(out, -1, &at, 4), EBADF);
	CHECK_ERRNO(sendfile(-1, in, &at, 4), EINVAL);
	CHECK_ERRNO(sendfile(-1, pipes[0], &at, 4), ESPIPE);
	CHECK_ERRNO(sendfile(out, zero, NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(pipes[1], zero, NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(CHECK_OK(eventfd(0, 0)), in, NULL, 8), EINVAL);
	CHECK_ERRNO(sendfile(CHECK_OK(open("out", O_WRONLY | O_APPEND)), in, NULL, 4), EINVAL);
	at = 5;
	CHECK_EQ(CHECK_OK(sendfile(out, in, &at, 100)), 5);
	CHECK_EQ(at, 10);
}

TEST(fallocate_looks_at_the_range_before_the_handle)
{
	int fd, full;

	check_write_file("f", "x", 1);
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, 0, 1), EBADF);
	CHECK_ERRNO(fallocate(-1, 0, 0, 0), EBADF);
	/* More than the file system can ever hold is refused without filling it. */
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "size=1m"));
	full = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	CHECK_ERRNO(fallocate(full, 0, 0, 2 << 20), ENOSPC);
	CHECK_EQ(lseek(full, 0, SEEK_END), 0);
	CHECK_OK(fallocate(full, 0, 0, 512 << 10));
	close(full);
	CHECK_OK(umount("m"));
}

TEST(extended_attributes_are_looked_for_before_their_arguments)
{
	char value[8];

	check_write_file("f", "x", 1);
	CHECK_ERRNO(setxattr("none", "", value, 1, 0), ENOENT);
	CHECK_ERRNO(setxattr("f/x", "user.a", check_bad_address(), 1, 0), ENOTDIR);
	CHECK_ERRNO(setxattr("none", "user.a", value, 1, 0x80), ENOENT);
	CHECK_ERRNO(setxattr("f", "", value, 1, 0), ERANGE);
	CHECK_ERRNO(setxattr("f", "user.a", value, 1, 0x80), EINVAL);
	CHECK_ERRNO(setxattr("f", "user.a", value, 65537, 0), E2BIG);
	CHECK_ERRNO(setxattr("f", "trusted.a", check_bad_address(), 1, 0), EFAULT);
	CHECK_ERRNO(getxattr("none", "", value, sizeof(value)), ENOENT);
	CHECK_ERRNO(getxattr("f", "", value, sizeof(value)), ERANGE);
	CHECK_ERRNO(removexattr("none", ""), ENOENT);
	CHECK_ERRNO(fremovexattr(-1, ""), EBADF);
}

TEST(mlock_of_what_cannot_be_read_and_of_nothing)
{
	char *p = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_ERRNO(mlock(p, 8192), ENOMEM);
	CHECK_OK(munlock(p, 8192));
	CHECK_OK(mlock(p, -1ul)); /* rounded up it is no page at all */
	CHECK_OK(munlock(p, -1ul));
	CHECK_OK(msync(p, -1ul, MS_ASYNC));
	CHECK_ERRNO(mlock(p, -8191ul), EINVAL);
}

TEST(mmap_of_an_offset_beyond_all_files)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000) == MAP_FAILED);
	CHECK_EQ(errno, EOVERFLOW);
	/* Even before the kind of mapping is looked at. */
	CHECK(mmap(NULL, 4096, PROT_READ, 0, fd, 0x7ffffffffffff000) == MAP_FAILED);
	CHECK_EQ(errno, EOVERFLOW);
}

TEST(select_of_no_handles_touches_no_sets)
{
	struct timeval none = { 0, 0 };

	CHECK_EQ(CHECK_OK(syscall(SYS_select, 0, 0xffff888000000000, 0xffff888000000000, NULL, &none)), 0);
	CHECK_ERRNO(syscall(SYS_select, 1, 0xffff888000000000, NULL, NULL, &none), EFAULT);
}

TEST(fcntl_takes_the_low_half_of_a_number_and_tells_seals)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), two;

	two = (int)CHECK_OK(syscall(SYS_fcntl, fd, F_DUPFD, 0x500000000000 + 40));
	CHECK_EQ(two, 40);
	/* A file of a file system in memory, which is no memfd, is sealed against seals. */
	CHECK_EQ(CHECK_OK(fcntl(fd, F_GET_SEALS)), F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(CHECK_OK(write(fd, "x", 1)), 1);
}

TEST(getdents_of_no_directory_whatever_the_handle_allows)
{
	char buf[256];
	int fd = CHECK_OK(open("f", O_WRONLY | O_CREAT, 0600)), pipes[2];

	CHECK_OK(pipe(pipes));
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_getdents64, pipes[0], buf, sizeof(buf)), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_getdents64, -1, buf, sizeof(buf)), EBADF);
	CHECK_ERRNO(syscall(SYS_getdents64, CHECK_OK(open(".", O_PATH)), buf, sizeof(buf)), EBADF);
}

TEST(capget_answers_a_wrong_version_with_four_bytes_to_read)
{
	uint32_t *last = (uint32_t *)(check_page_end() - 4);

	*last = 0;
	CHECK_ERRNO(syscall(SYS_capget, last, check_bad_address()), EINVAL);
	CHECK_EQ(*last, _LINUX_CAPABILITY_VERSION_3);
	CHECK_ERRNO(syscall(SYS_capget, last, check_bad_address()), EFAULT);
}

TEST(epoll_ctl_looks_at_the_target_before_the_epoll)
{
	struct epoll_event e = { .events = EPOLLIN };
	int file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), pipes[2];

	CHECK_OK(pipe(pipes));
	CHECK_ERRNO(epoll_ctl(file, EPOLL_CTL_ADD, file, &e), EPERM);
	CHECK_ERRNO(epoll_ctl(pipes[0], EPOLL_CTL_ADD, file, &e), EPERM);
	CHECK_ERRNO(epoll_ctl(file, EPOLL_CTL_ADD, pipes[0], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(-1, EPOLL_CTL_ADD, file, &e), EBADF);
	CHECK_ERRNO(epoll_ctl(file, EPOLL_CTL_ADD, -1, &e), EBADF);
}

TEST(waitid_writes_its_answer_in_errors_too)
{
	siginfo_t info;

	memset(&info, 0x55, sizeof(info));
	CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK_ERRNO(syscall(SYS_waitid, P_ALL, 0, check_bad_address(), WEXITED, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_waitid, P_ALL, 0, check_bad_address(), 0, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_waitid, P_ALL, 0, NULL, 0, NULL), EINVAL);
}

TEST(arguments_in_memory_are_read_before_the_others_are_judged)
{
	int pipes[2];

	CHECK_OK(pipe(pipes));
	CHECK_ERRNO(inotify_add_watch(pipes[0], "none", IN_MODIFY), EINVAL);
	CHECK_ERRNO(inotify_add_watch(CHECK_OK(inotify_init1(0)), "none", IN_MODIFY), ENOENT);
	CHECK_ERRNO(syscall(SYS_signalfd4, -1, check_bad_address(), 8, 1), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, 0, 0, 1, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_io_uring_register, pipes[0], 64, NULL, 0), EINVAL);
	CHECK_ERRNO(readahead(CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), 0, -1ul), EINVAL);
}

TEST(exec_reads_its_vectors_before_it_looks_for_the_program)
{
	char *none[] = { NULL };

	CHECK_ERRNO(syscall(SYS_execve, "none", check_bad_address(), none), EFAULT);
	CHECK_ERRNO(syscall(SYS_execve, "none", none, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_execve, "none", none, none), ENOENT);
	CHECK_ERRNO(syscall(SYS_execve, "", check_bad_address(), none), ENOENT);
}

TEST(vmsplice_of_nothing_asks_for_no_pipe)
{
	struct iovec v = { "x", 1 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(CHECK_OK(vmsplice(fd, &v, 0, 0)), 0);
	CHECK_ERRNO(vmsplice(fd, &v, 1, 0), EBADF);
	CHECK_ERRNO(vmsplice(fd, check_bad_address(), 1, 0), EFAULT);
	CHECK_ERRNO(vmsplice(fd, &v, 1025, 0), EINVAL);
	CHECK_ERRNO(vmsplice(-1, &v, 0, 0), EBADF);
}

TEST(process_vm_of_nothing_asks_for_no_process)
{
	char byte;
	struct iovec v = { &byte, 1 };

	CHECK_EQ(CHECK_OK(process_vm_readv(-5, &v, 1, &v, 0, 0)), 0);
	CHECK_ERRNO(process_vm_readv(-5, &v, 1, &v, 1, 0), ESRCH);
	CHECK_ERRNO(process_vm_readv(-5, &v, 1, check_bad_address(), 1, 0), EFAULT);
}

TEST(getrandom_gives_what_fits_before_a_fault)
{
	char *last = check_page_end() - 4;

	CHECK_EQ(CHECK_OK(syscall(SYS_getrandom, last, 16, 0)), 4);
	CHECK_ERRNO(syscall(SYS_getrandom, last + 4, 16, 0), EFAULT);
}

static void
caught(int sig __attribute__((unused)))
{
}

/*
 * The child's own signal does not keep its parent from finding it: neither the dead nor that none is left. On Linux it may,
 * if the child ends just when its parent has looked; then the next look finds it.
 */
TEST(wait_finds_the_child_whose_signal_interrupts_it)
{
	struct sigaction a = { .sa_handler = caught };
	int interrupted = 0;

	for (int i = 0; i < 200; i++) {
		pid_t pid, found;

		a.sa_flags = i % 2 ? SA_NOCLDWAIT : 0;
		CHECK_OK(sigaction(SIGCHLD, &a, NULL));
		pid = check_fork();
		if (pid == 0)
			_exit(3);
		found = waitpid(pid, NULL, 0);
		if (found < 0 && errno == EINTR) {
			interrupted++;
			found = waitpid(pid, NULL, 0);
		}
		CHECK_EQ(found, i % 2 ? -1 : pid);
		if (i % 2)
			CHECK_EQ(errno, ECHILD);
	}
	CHECK_RANGE(interrupted, 0, 50);
}

TEST(first_write_to_a_mapping_changes_the_time_of_the_file)
{
	struct stat before, after;
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char *p;

	CHECK_OK(ftruncate(fd, 4096));
	CHECK_OK(fstat(fd, &before));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	check_sleep_ms(30);
	*p = 1;
	CHECK_OK(msync(p, 4096, MS_SYNC));
	CHECK_OK(fstat(fd, &after));
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec || after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
	CHECK(after.st_ctim.tv_sec > before.st_ctim.tv_sec || after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
}

struct sleeper {
	pthread_t thread;
	int priority;
	_Atomic pid_t tid;
};

static uint32_t word;
static _Atomic int woken;
static int order[3];

static void *
sleep_on_word(void *arg)
{
	struct sleeper *s = arg;
	struct sched_param p = { s->priority };

	CHECK_OK(sched_setscheduler(0, s->priority ? SCHED_FIFO : SCHED_OTHER, &p));
	s->tid = (pid_t)syscall(SYS_gettid);
	CHECK_OK(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	order[woken] = s->priority;
	woken++;
	return NULL;
}

TEST(futex_wakes_the_highest_priority_first)
{
	struct sleeper s[3] = { { .priority = 0 }, { .priority = 10 }, { .priority = 20 } };

	for (int i = 0; i < 3; i++) {
		CHECK_RETURNS(pthread_create(&s[i].thread, NULL, sleep_on_word, &s[i]), 0);
		while (s[i].tid == 0)
			sched_yield();
		check_wait_asleep(getpid(), s[i].tid);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(CHECK_OK(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)), 1);
		while (woken == i)
			sched_yield();
	}
	for (int i = 0; i < 3; i++)
		CHECK_RETURNS(pthread_join(s[i].thread, NULL), 0);
	CHECK_EQ(order[0], 20);
	CHECK_EQ(order[1], 10);
	CHECK_EQ(order[2], 0);
}

TEST(clocks_that_wake_the_machine_are_for_the_privileged)
{
	struct timespec none = { 0, 0 };

	CHECK_RETURNS(clock_nanosleep(CLOCK_REALTIME_ALARM, 0, &none, NULL), 0);
	close(CHECK_OK(timerfd_create(CLOCK_BOOTTIME_ALARM, 0)));
	check_drop_root();
	CHECK_RETURNS(clock_nanosleep(CLOCK_REALTIME_ALARM, 0, &none, NULL), EPERM);
	CHECK_RETURNS(clock_nanosleep(CLOCK_BOOTTIME_ALARM, 0, &none, NULL), EPERM);
	CHECK_ERRNO(timerfd_create(CLOCK_REALTIME_ALARM, 0), EPERM);
	CHECK_ERRNO(timerfd_create(CLOCK_BOOTTIME_ALARM, 0), EPERM);
	close(CHECK_OK(timerfd_create(CLOCK_BOOTTIME, 0)));
	CHECK_ERRNO(sync_file_range(CHECK_OK(open("/dev/null", O_RDWR)), 0, 0, 0), ESPIPE);
}
