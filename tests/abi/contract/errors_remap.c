/* SPDX-License-Identifier: MIT */
/*
 * errors_remap.c - the errors and limits that the manual gives for mremap, locked memory and the
 * memory of others.
 */
#include "mapped.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>

TEST(mremap_refuses_what_the_manual_says)
{
	char *p = pg(8, 3);
	munmap(p + 4 * 4096, 4096);
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 8192);
	char *s = mmap(0, 8192, 3, MAP_SHARED, fd, 0),
	     *sa = mmap(0, 8192, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *to = pg(16, 0);
	CHECK_ERRNO(MR(p + 1, 4096, 4096, 0), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 0, 0), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, 8), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, -1), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_FIXED, to), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, to + 1), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, p), EINVAL);
	CHECK_ERRNO(MR(p, 8192, 8192, MREMAP_FIXED | MREMAP_MAYMOVE, p + 4096), EINVAL);
	CHECK_ERRNO(MR(p + 4096, 8192, 8192, MREMAP_FIXED | MREMAP_MAYMOVE, p), EINVAL);
	CHECK_ERRNO(MR(p + 4 * 4096, 4096, 4096, 0), EFAULT);
	CHECK_ERRNO(MR(p + 4 * 4096, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(MR(p, 8 * 4096, 9 * 4096, MREMAP_MAYMOVE), EFAULT);
	CHECK_EQ(MR(p, 8 * 4096, 8 * 4096, MREMAP_MAYMOVE), 0);
	CHECK_EQ(MR(p, 8 * 4096, 4096 * 3, 0), 0);
	p = pg(8, 3);
	CHECK_ERRNO(MR(p, 2 * 4096, 3 * 4096, 0), ENOMEM);
	CHECK_ERRNO(MR(p, -1ul, 4096, 0), EINVAL);
	CHECK_ERRNO(MR(p, 4096, -1ul, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 1ul << 46, MREMAP_MAYMOVE), ENOMEM);
	CHECK_ERRNO(MR(p, 4096, 1ul << 47, MREMAP_MAYMOVE), ENOMEM);
	CHECK_ERRNO(MR(IN_KERNEL, 4096, 4096, 0), EFAULT);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, IN_KERNEL), EINVAL);
	CHECK_EQ(MR(p, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, 0x1000), 0);
	CHECK_ERRNO(MR(p, 0, 4096, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(MR(p, 0, 4096, 0), EFAULT);
	CHECK_EQ(MR(s, 0, 4096, MREMAP_MAYMOVE), 0);
	CHECK_ERRNO(MR(s, 0, 8192, 0), ENOMEM);
	CHECK_EQ(MR(sa, 0, 8192, MREMAP_MAYMOVE), 0);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_DONTUNMAP), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 8192, MREMAP_DONTUNMAP | MREMAP_MAYMOVE), EINVAL);
	CHECK_ERRNO(MR(p, 4096, 4096, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL), EFAULT);
	CHECK_ERRNO(
		MR(p, 4096, 4096, MREMAP_DONTUNMAP | MREMAP_MAYMOVE | MREMAP_FIXED, to), EFAULT);
	CHECK_EQ(MR(s, 4096, 4096, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL), 0);
	CHECK_EQ(MR(sa, 4096, 4096, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL), 0);
	CHECK_ERRNO(
		MR(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x7ffffffff000), EFAULT);
	CHECK_ERRNO(MR(p, 4096, 10, 0), EFAULT);
	CHECK_ERRNO(MR(p, 1, 4096, 0), EFAULT);
	set_limit(RLIMIT_AS, (200ul << 20), RLIM_INFINITY);
	CHECK_ERRNO(MR(p, 4096, 1ul << 30, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(MM(0, 1ul << 30, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(syscall(SYS_brk, syscall(SYS_brk, 0) + (1ul << 30)) == syscall(SYS_brk, 0));
	set_limit(RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY);
	set_limit(RLIMIT_DATA, 1 << 20, RLIM_INFINITY);
	CHECK_ERRNO(MM(0, 4 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_EQ(MM(0, 4 << 20, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_EQ(MM(0, 4 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_ERRNO(MM(0, 4 << 20, 3, MAP_PRIVATE, fd, 0), ENOMEM);
	char *x = pg(1024, 1);
	CHECK_ERRNO(mprotect(x, 1024 * 4096, 3), ENOMEM);
}

TEST(locked_memory_is_limited)
{
	char *p = pg(64, 3);
	set_limit(RLIMIT_MEMLOCK, 8 * 4096, 8 * 4096);
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 1 << 20);
	check_drop_root();
	CHECK_EQ(mlock(p, 8 * 4096), 0);
	CHECK_ERRNO(mlock(p + 8 * 4096, 4096), ENOMEM);
	CHECK_EQ(munlock(p, 4096), 0);
	CHECK_EQ(mlock(p + 8 * 4096, 4096), 0);
	CHECK_EQ(mlock(p + 8 * 4096, 4096), 0);
	CHECK_EQ(mlock(p + 4096, 4096), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK_ERRNO(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_ERRNO(MM(0, 9 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	CHECK_EQ(MM(0, 8 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	CHECK_EQ(munlockall(), 0);
	CHECK_ERRNO(mlock(p, 9 * 4096), ENOMEM);
	CHECK_EQ(mlock(p, 8 * 4096), 0);
	CHECK_ERRNO(MR(p, 4096, 8192, MREMAP_MAYMOVE), EAGAIN);
	CHECK_ERRNO(MR(p, 8 * 4096, 9 * 4096, MREMAP_MAYMOVE), EAGAIN);
	CHECK_EQ(MR(p, 8 * 4096, 8 * 4096, MREMAP_MAYMOVE), 0);
	CHECK_EQ(munlockall(), 0);
	set_limit(RLIMIT_MEMLOCK, 0, 0);
	CHECK_ERRNO(mlock(p, 4096), EPERM);
	CHECK_ERRNO(mlock(p, 0), EPERM);
	CHECK_ERRNO(mlockall(MCL_CURRENT), EPERM);
	CHECK_EQ(munlock(p, 4096), 0);
	CHECK_ERRNO(mlock2(p, 4096, 1), EPERM);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EPERM);
	CHECK_ERRNO(mlockall(MCL_FUTURE), EPERM);
	CHECK_ERRNO(mlockall(MCL_ONFAULT | MCL_FUTURE), EPERM);
	int id;
	CHECK((id = shmget(IPC_PRIVATE, 4096, 0600)) >= 0);
	CHECK_ERRNO(shmctl(id, SHM_LOCK, 0), EPERM);
	CHECK_EQ(shmctl(id, SHM_UNLOCK, 0), 0);
	shmctl(id, IPC_RMID, 0);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 4096, SHM_HUGETLB | 0600), EPERM);
}

TEST(process_vm_calls_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	char a[100], b[100];
	struct iovec l = {a, 10}, r = {b, 10}, none = {bad, 10}, l2[2] = {{a, 5}, {bad, 5}},
		     r2[2] = {{b, 5}, {bad, 5}};
	pid_t me = getpid();
	CHECK_EQ(process_vm_readv(me, &l, 1, &r, 1, 0), 10);
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1, 1), EINVAL);
	CHECK_ERRNO(process_vm_readv(0, &l, 1, &r, 1, 0), ESRCH);
	CHECK_ERRNO(process_vm_readv(-1, &l, 1, &r, 1, 0), ESRCH);
	CHECK_ERRNO(process_vm_readv(4194303, &l, 1, &r, 1, 0), ESRCH);
	CHECK_ERRNO(process_vm_readv(me, &none, 1, &r, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &none, 1, 0), EFAULT);
	CHECK_EQ(process_vm_readv(me, l2, 2, &r, 1, 0), 5);
	CHECK_EQ(process_vm_readv(me, &l, 1, r2, 2, 0), 5);
	CHECK_ERRNO(process_vm_readv(me, bad, 1, &r, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_readv(me, &l, 1, bad, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_readv(me, &l, 1025, &r, 1, 0), EINVAL);
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1025, 0), EINVAL);
	CHECK_EQ(process_vm_readv(me, &l, 0, &r, 1, 0), 0);
	CHECK_EQ(process_vm_readv(me, &l, 1, &r, 0, 0), 0);
	CHECK_EQ(process_vm_readv(me, &l, 1, bad, 0, 0), 0);
	l.iov_len = -1;
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1, 0), EINVAL);
	l.iov_len = 10;
	r.iov_len = -1;
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1, 0), EINVAL);
	r.iov_len = 5;
	CHECK_EQ(process_vm_readv(me, &l, 1, &r, 1, 0), 5);
	CHECK_EQ(process_vm_writev(me, &l, 1, &r, 1, 0), 5);
	r.iov_base = IN_KERNEL;
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_writev(me, &l, 1, &r, 1, 0), EFAULT);
	r.iov_base = "const";
	CHECK_ERRNO(process_vm_writev(me, &l, 1, &r, 1, 0), EFAULT);
	l.iov_base = IN_KERNEL;
	r.iov_base = b;
	CHECK_ERRNO(process_vm_readv(me, &l, 1, &r, 1, 0), EFAULT);
	pid_t c = check_fork();
	if (!c)
		pause();
	CHECK_EQ(process_vm_readv(c, (l.iov_base = a, &l), 1, &r, 1, 0), 5);
	kill(c, 9);
	siginfo_t si;
	waitid(P_PID, c, &si, WEXITED | WNOWAIT);
	CHECK_ERRNO(process_vm_readv(c, &l, 1, &r, 1, 0), ESRCH);
	check_drop_root();
	CHECK_ERRNO(process_vm_readv(1, &l, 1, &r, 1, 0), EPERM);
	CHECK(process_vm_readv(2, &l, 1, &r, 1, 0) == -1);
}
