/* SPDX-License-Identifier: MIT */
/*
 * errors_memory.c - the errors and limits that the manual gives for calls on memory, call by call.
 */
#include "mapped.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>

TEST(mmap_and_memfd_create_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	int fd = open("f", O_RDWR | O_CREAT, 0600), r = open("f", O_RDONLY),
	    w = open("f", O_WRONLY), a = open("f", O_RDWR | O_APPEND), d = open(".", O_RDONLY),
	    pa = open("f", O_PATH);
	ftruncate(fd, 10000);
	int p[2];
	pipe(p);
	CHECK_ERRNO(MM(0, 0, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_ANONYMOUS | MAP_SHARED | MAP_PRIVATE, -1, 0), EINVAL);
	CHECK_EQ(MM(0, 4096, 1, MAP_SHARED_VALIDATE, fd, 0), 0);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED_VALIDATE | 0x400000 * 8, fd, 0), EOPNOTSUPP);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_EQ(MM(0, 4096, 1, MAP_SHARED | 0x80000000, fd, 0), 0);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, 99, 0), EBADF);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, fd, 1), EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, fd, 4095), EINVAL);
	CHECK_EQ(MM(0, 4096, 1, MAP_PRIVATE, fd, 4096), 0);
	CHECK_EQ(MM(0, 4096, 1, MAP_PRIVATE, fd, 1ul << 40), 0);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, w, 0), EACCES);
	CHECK_ERRNO(MM(0, 4096, 2, MAP_SHARED, w, 0), EACCES);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_SHARED, r, 0), EACCES);
	CHECK_EQ(MM(0, 4096, 3, MAP_PRIVATE, r, 0), 0);
	CHECK_EQ(MM(0, 4096, 3, MAP_SHARED, a, 0), 0);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, d, 0), ENODEV);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, pa, 0), EBADF);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE, p[0], 0), ENODEV);
	CHECK_ERRNO(MM(0, -1ul, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO(MM(0, -4096ul, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO(MM(0, 1ul << 47, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO(MM(0, 1ul << 46, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED, fd, LONG_MAX & ~4095), EOVERFLOW);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED, fd, -4096), EOVERFLOW);
	CHECK_ERRNO(MM((void *)1, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(
		MM((void *)(1ul << 47), 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		ENOMEM);
	CHECK_ERRNO(
		MM((void *)0x7ffffffff000, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		ENOMEM);
	CHECK_EQ(
		MM((void *)0x7fffffffe000, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		0);
	CHECK_ERRNO(
		MM((void *)-4096, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_EQ(MM((void *)(1ul << 50), 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_EQ(MM((void *)8192, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 0);
	CHECK_EQ(MM((void *)0, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		0);
	CHECK_ERRNO(MM((void *)(long)fd, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0),
		EINVAL);
	CHECK_EQ(MM(0, 4096, PROT_GROWSDOWN | 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_EQ(MM(0, 4096, 0xfff0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_EQ(
		MM(0, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE, -1, 0),
		0);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (63 << 26), -1, 0),
		EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE | MAP_HUGETLB, fd, 0), EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
	CHECK_ERRNO(MM(0, 4096, 1, MAP_SHARED | MAP_GROWSDOWN | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_EQ(MM(0, 4096, 1, MAP_PRIVATE | MAP_GROWSDOWN | MAP_ANONYMOUS, -1, 0), 0);
	CHECK_EQ(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), 0);
	CHECK_EQ(MM(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, 99, 1), EINVAL);
	CHECK_EQ(MM(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, 99, 4096), 0);
	CHECK_ERRNO(MM(0, 4096, 3, 4 | MAP_ANONYMOUS, 99, 4096), EINVAL);
	int m = memfd_create("m", MFD_ALLOW_SEALING);
	ftruncate(m, 8192);
	char *q = mmap(0, 4096, 3, MAP_SHARED, m, 0);
	CHECK_ERRNO(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(m, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_SHARED, m, 0), EPERM);
	CHECK_EQ(MM(0, 4096, 3, MAP_PRIVATE, m, 0), 0);
	void *ro;
	CHECK_EQ((ro = mmap(0, 4096, 1, MAP_SHARED, m, 0)) == MAP_FAILED ? -1 : 0, 0);
	CHECK_ERRNO(mprotect(ro, 4096, 3), EACCES);
	CHECK_EQ(*q = 1, 1);
	munmap(q, 4096);
	CHECK_EQ(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_EQ(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL), 0);
	CHECK_ERRNO(fcntl(m, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_EQ(fcntl(m, F_GET_SEALS), 25);
	CHECK_EQ(ftruncate(m, 10), 0);
	CHECK_EQ(ftruncate(m, 1 << 20), 0);
	CHECK_ERRNO(write(m, "x", 1), EPERM);
	CHECK_ERRNO(fallocate(m, 3, 0, 4096), EPERM);
	CHECK_EQ(fallocate(m, 0, 0, 4096), 0);
	CHECK_EQ(fallocate(m, 0, 0, 1 << 20), 0);
	CHECK_ERRNO(MM(0, 4096, 3, MAP_SHARED, m, 0), EPERM);
	CHECK_EQ(memfd_create(NULL, 0), 12);
	CHECK_ERRNO(memfd_create(bad, 0), EFAULT);
	CHECK_ERRNO(memfd_create("x", 0x80), EINVAL);
	CHECK_ERRNO(memfd_create("x", MFD_HUGETLB | (63u << 26)), ENODEV);
	CHECK_OK(memfd_create("x", MFD_HUGETLB));
	CHECK_ERRNO(memfd_create("x", 1 << 26), EINVAL);
	memset(malloc(10), 0, 1);
	char nm[300];
	memset(nm, 'a', 300);
	nm[249] = 0;
	CHECK_OK(memfd_create(nm, 0));
	nm[249] = 'a';
	nm[250] = 0;
	CHECK_ERRNO(memfd_create(nm, 0), EINVAL);
	nm[0] = 0;
	CHECK_OK(memfd_create(nm, 0));
	CHECK(memfd_create("a", MFD_HUGETLB | MFD_ALLOW_SEALING) >= 0);
	int mm = memfd_create("s", 0);
	CHECK_EQ(fcntl(mm, F_GET_SEALS), 1);
	CHECK_ERRNO(fcntl(mm, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_ERRNO(fcntl(m, F_ADD_SEALS, 0x100), EINVAL);
}

TEST(calls_on_mappings_refuse_what_the_manual_says)
{
	char *p = pg(8, 3);
	munmap(p + 4 * 4096, 4096);
	int r = open("f", O_RDONLY | O_CREAT, 0600);
	ftruncate(open("f", O_RDWR), 8192);
	char *ro = mmap(0, 8192, 1, MAP_SHARED, r, 0), *rp = mmap(0, 8192, 1, MAP_PRIVATE, r, 0);
	CHECK_ERRNO(mprotect(p + 1, 4096, 1), EINVAL);
	CHECK_EQ(mprotect(p, 0, 1), 0);
	CHECK_ERRNO(mprotect(p + 1, 0, 1), EINVAL);
	CHECK_ERRNO(mprotect(p, 4096, 0x20), EINVAL);
	CHECK_EQ(mprotect(p, 4096, 8 | 1), 0);
	CHECK_EQ(mprotect(p, 4096, 8 | 3), 0);
	CHECK_ERRNO(mprotect(p, 8 * 4096, 1), ENOMEM);
	CHECK_EQ(({
		p[0] = *p;
		0;
	}) * 0,
		0);
	CHECK_EQ(0, 0);
	CHECK_ERRNO(mprotect(p, -1ul, 1), ENOMEM);
	CHECK_ERRNO(mprotect(p, -4096ul, 1), ENOMEM);
	CHECK_ERRNO(mprotect((void *)-4096, 4096, 1), ENOMEM);
	CHECK_ERRNO(mprotect((void *)-4096, 8192, 1), ENOMEM);
	CHECK_ERRNO(mprotect(ro, 4096, 3), EACCES);
	CHECK_EQ(mprotect(rp, 4096, 3), 0);
	CHECK_EQ(mprotect(ro, 4096, PROT_EXEC | 1), 0);
	CHECK_EQ(mprotect(ro, 0, 3), 0);
	CHECK_ERRNO(mprotect(p, 4096, PROT_GROWSDOWN | 3), EINVAL);
	CHECK_ERRNO(mprotect(p, 4096, PROT_GROWSUP | 3), EINVAL);
	CHECK_ERRNO(mprotect(p, 4096, PROT_GROWSUP | PROT_GROWSDOWN | 3), EINVAL);
	CHECK_ERRNO(mprotect((void *)4096, 4096, 1), ENOMEM);
	CHECK_ERRNO(mprotect(p + 4 * 4096, 4096, 1), ENOMEM);
	CHECK_EQ(mprotect(p, 10, 3), 0);
	CHECK_ERRNO(munmap(p + 1, 4096), EINVAL);
	CHECK_ERRNO(munmap(p, 0), EINVAL);
	CHECK_ERRNO(munmap((void *)-4096, 4096), EINVAL);
	CHECK_ERRNO(munmap((void *)(1ul << 47), 4096), EINVAL);
	CHECK_ERRNO(munmap((void *)0x7fffffffe000, 8192), EINVAL);
	CHECK_EQ(munmap((void *)4096, 4096), 0);
	CHECK_ERRNO(munmap(p, -1ul), EINVAL);
	CHECK_EQ(munmap(p + 7 * 4096, 1), 0);
	CHECK_EQ(munmap(p + 7 * 4096, 1), 0);
	CHECK_ERRNO(munmap(p, -4096ul), EINVAL);
	CHECK_ERRNO(msync(p + 1, 4096, MS_SYNC), EINVAL);
	CHECK_EQ(msync(p, 0, MS_SYNC), 0);
	CHECK_ERRNO(msync(p, 4096, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(p, 4096, 8), EINVAL);
	CHECK_EQ(msync(p, 4096, 0), 0);
	CHECK_ERRNO(msync(p, 8 * 4096, MS_SYNC), ENOMEM);
	CHECK_EQ(msync(p, 4096, MS_INVALIDATE), 0);
	mlock(p, 4096);
	CHECK_ERRNO(msync(p, 4096, MS_INVALIDATE), EBUSY);
	CHECK_ERRNO(msync(p, 4096, MS_INVALIDATE | MS_ASYNC), EBUSY);
	munlock(p, 4096);
	CHECK_ERRNO(msync(p, -4096ul, MS_SYNC), ENOMEM);
	CHECK_ERRNO(msync((void *)4096, 4096, MS_ASYNC), ENOMEM);
	CHECK_EQ(msync((void *)4096, 0, MS_ASYNC), 0);
	unsigned char v[16];
	CHECK_EQ(mincore(p, 4096, v), 0);
	CHECK_ERRNO(mincore(p + 1, 4096, v), EINVAL);
	CHECK_EQ(mincore(p, 0, v), 0);
	CHECK_ERRNO(mincore(p, 4096, NULL), EFAULT);
	CHECK_ERRNO(mincore(p, 8 * 4096, v), ENOMEM);
	CHECK_EQ(mincore(p, 1, v), 0);
	CHECK_EQ(mincore(p, 4097, v), 0);
	CHECK_ERRNO(mincore(p, -1ul, v), ENOMEM);
	CHECK_ERRNO(mincore(IN_KERNEL, 4096, v), ENOMEM);
	CHECK_ERRNO(mincore((void *)4096, 4096, v), ENOMEM);
	CHECK_EQ(mincore(p, 0, NULL), 0);
	for (int a = 0; a < 26; a++) {
		;
		CHECK_NTH(madvise(p, 4096, a), a,
			"0 0 0 0 0 INVAL INVAL INVAL 0 INVAL 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 INVAL");
		CHECK_ERRNO(madvise(p + 1, 4096, a), EINVAL);
		CHECK_NTH(madvise(p, 0, a), a,
			"0 0 0 0 0 INVAL INVAL INVAL 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0");
		CHECK_NTH(madvise(ro, 4096, a), a,
			"0 0 0 0 0 INVAL INVAL INVAL INVAL ACCES 0 0 0 0 0 0 0 0 INVAL 0 0 0 0 "
			"INVAL 0 INVAL");
		CHECK_NTH(madvise(p + 4 * 4096, 4096, a), a,
			"NOMEM NOMEM NOMEM NOMEM NOMEM INVAL INVAL INVAL NOMEM NOMEM NOMEM NOMEM "
			"NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM "
			"NOMEM NOMEM");
		CHECK_ERRNO(madvise((void *)-4096, 8192, a), EINVAL);
		CHECK_ERRNO(madvise(p, -1ul, a), EINVAL);
		CHECK_NTH(madvise(p, 8 * 4096, a), a,
			"NOMEM NOMEM NOMEM NOMEM NOMEM INVAL INVAL INVAL NOMEM INVAL NOMEM NOMEM "
			"NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM NOMEM INVAL "
			"NOMEM INVAL");
	}
	CHECK_EQ(mlock(p + 1, 4096), 0);
	CHECK_EQ(mlock(p, 0), 0);
	CHECK_ERRNO(mlock(p, 8 * 4096), ENOMEM);
	CHECK_ERRNO(mlock((void *)-4096, 8192), EINVAL);
	CHECK_ERRNO(munlock(p, 8 * 4096), ENOMEM);
	CHECK_ERRNO(mlock(p + 4 * 4096, 1), ENOMEM);
	CHECK_ERRNO(munlock(p + 4 * 4096, 1), ENOMEM);
	CHECK_ERRNO(mlock2(p, 4096, 2), EINVAL);
	CHECK_EQ(mlock2(p, 4096, MLOCK_ONFAULT), 0);
	CHECK_ERRNO(mlock2(p, 4096, -1), EINVAL);
	CHECK_ERRNO(mlockall(0), EINVAL);
	CHECK_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
	CHECK_ERRNO(mlockall(8), EINVAL);
	CHECK_EQ(mlockall(MCL_FUTURE | MCL_ONFAULT), 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_ERRNO(mlock(IN_KERNEL, 4096), ENOMEM);
	CHECK_ERRNO(munlock(IN_KERNEL, 4096), ENOMEM);
	CHECK_ERRNO(syscall(SYS_remap_file_pages, p, 4096, 1, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_remap_file_pages, p, 4096, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_remap_file_pages, ro, 4096, 0, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_remap_file_pages, ro, 4096, 0, 1ul << 60, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_remap_file_pages, IN_KERNEL, 4096, 0, 0, 0), EINVAL);
	CHECK(syscall(SYS_brk, 0) > 0);
	CHECK(syscall(SYS_brk, -1ul) == syscall(SYS_brk, 0));
	CHECK(syscall(SYS_brk, 4096) == syscall(SYS_brk, 0));
	CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, 1, -2), EINVAL);
	CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, 1, 16), EINVAL);
	CHECK_EQ(syscall(SYS_pkey_mprotect, p, 4096, 1, -1), 0);
	CHECK_EQ(syscall(SYS_pkey_free, 0), 0);
	CHECK_ERRNO(syscall(SYS_pkey_free, 17), EINVAL);
	CHECK_ERRNO(syscall(SYS_pkey_free, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pkey_alloc, 0, 8), EINVAL);
}
