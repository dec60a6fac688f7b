/* SPDX-License-Identifier: MIT */
/* Flags of memory: see flags.h. */
#include "flags.h"

/* Memory in which a huge page has its place, written to. */
static long
collapse(void)
{
	uintptr_t size = 4 << 20, huge = 2 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));

	CHECK(p != MAP_FAILED);
	memset(p, 1, size);
	return madvise(at, huge, 25);
}

TEST(madvise_advice)
{
	char *anonymous = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));
	char *shared;

	CHECK_OK(ftruncate(fd, 16 * 4096));
	shared = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
#define ADVICE(name, want) ROW("madvise", #name, want, madvise(anonymous, 8192, name))
#define FILE_ADVICE(name, want) ROW("madvise", #name " of a file", want, madvise(shared, 8192, name))
	ADVICE(MADV_NORMAL, 0);
	ADVICE(MADV_RANDOM, 0);
	ADVICE(MADV_SEQUENTIAL, 0);
	ADVICE(MADV_WILLNEED, 0);
	ADVICE(MADV_DONTNEED, 0);
	ADVICE(MADV_FREE, 0);
	ADVICE(MADV_REMOVE, EINVAL);
	ADVICE(MADV_DONTFORK, 0);
	ADVICE(MADV_DOFORK, 0);
	ADVICE(MADV_MERGEABLE, 0);
	ADVICE(MADV_UNMERGEABLE, 0);
	ADVICE(MADV_HUGEPAGE, 0);
	ADVICE(MADV_NOHUGEPAGE, 0);
	ADVICE(MADV_DONTDUMP, 0);
	ADVICE(MADV_DODUMP, 0);
	ADVICE(MADV_WIPEONFORK, 0);
	ADVICE(MADV_KEEPONFORK, 0);
	ADVICE(MADV_COLD, 0);
	ADVICE(MADV_PAGEOUT, 0);
	ADVICE(MADV_POPULATE_READ, 0);
	ADVICE(MADV_POPULATE_WRITE, 0);
	FLAG(madvise, MADV_DONTNEED_LOCKED, 0, madvise(anonymous, 8192, 24));
	FLAG(madvise, MADV_COLLAPSE, EINVAL, madvise(anonymous, 8192, 25));
	FLAG(madvise, MADV_COLLAPSE of a huge page, 0, collapse());
	FLAG(madvise, 99, EINVAL, madvise(anonymous, 8192, 99));
	FILE_ADVICE(MADV_WILLNEED, 0);
	FILE_ADVICE(MADV_DONTNEED, 0);
	FILE_ADVICE(MADV_FREE, EINVAL);
	FILE_ADVICE(MADV_REMOVE, 0);
	FILE_ADVICE(MADV_WIPEONFORK, EINVAL);
	FILE_ADVICE(MADV_COLD, 0);
	FILE_ADVICE(MADV_PAGEOUT, 0);
	FILE_ADVICE(MADV_POPULATE_READ, 0);
	FILE_ADVICE(MADV_MERGEABLE, 0);
	FILE_ADVICE(MADV_HUGEPAGE, 0);
	FLAGS_END();
}

static long
map(int prot, int flags, int fd)
{
	void *p = mmap(NULL, 8192, prot, flags, fd, 0);

	return p == MAP_FAILED ? -1 : 0;
}

TEST(mmap_flags)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), ro = CHECK_OK(open("f", O_RDONLY));
	int wo = CHECK_OK(open("f", O_WRONLY)), dir = CHECK_OK(open(".", O_RDONLY)), p[2];

	CHECK_OK(pipe(p));
	CHECK_OK(ftruncate(fd, 16 * 4096));
#define ANON(flags) map(PROT_READ | PROT_WRITE, MAP_ANONYMOUS | (flags), -1)
#define OFFILE(flags) map(PROT_READ | PROT_WRITE, flags, fd)
	FLAG(mmap, MAP_PRIVATE, 0, ANON(MAP_PRIVATE));
	FLAG(mmap, MAP_SHARED, 0, ANON(MAP_SHARED));
	FLAG(mmap, MAP_SHARED_VALIDATE anonymous, EINVAL, ANON(MAP_SHARED_VALIDATE));
	FLAG(mmap, no type, EINVAL, ANON(0));
	FLAG(mmap, MAP_32BIT, 0, ANON(MAP_PRIVATE | MAP_32BIT));
	FLAG(mmap, MAP_GROWSDOWN, 0, ANON(MAP_PRIVATE | MAP_GROWSDOWN));
	FLAG(mmap, MAP_GROWSDOWN shared, EINVAL, ANON(MAP_SHARED | MAP_GROWSDOWN));
	FLAG(mmap, MAP_LOCKED, 0, ANON(MAP_PRIVATE | MAP_LOCKED));
	FLAG(mmap, MAP_NORESERVE, 0, ANON(MAP_PRIVATE | MAP_NORESERVE));
	FLAG(mmap, MAP_POPULATE, 0, ANON(MAP_PRIVATE | MAP_POPULATE));
	FLAG(mmap, MAP_NONBLOCK, 0, ANON(MAP_PRIVATE | MAP_POPULATE | MAP_NONBLOCK));
	FLAG(mmap, MAP_STACK, 0, ANON(MAP_PRIVATE | MAP_STACK));
	FLAG(mmap, MAP_DENYWRITE, 0, ANON(MAP_PRIVATE | MAP_DENYWRITE));
	FLAG(mmap, MAP_EXECUTABLE, 0, ANON(MAP_PRIVATE | MAP_EXECUTABLE));
	FLAG(mmap, MAP_UNINITIALIZED, 0, ANON(MAP_PRIVATE | 0x4000000));
	FLAG(mmap, MAP_SYNC anonymous, 0, ANON(MAP_PRIVATE | MAP_SYNC));
	FLAG(mmap, MAP_HUGETLB of 1 GiB, ENOMEM, ANON(MAP_PRIVATE | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT));
	FLAG(mmap, MAP_HUGETLB of an odd size, EINVAL, ANON(MAP_PRIVATE | MAP_HUGETLB | 16 << MAP_HUGE_SHIFT));
	FLAG(mmap, MAP_HUGETLB of a file, EINVAL, OFFILE(MAP_PRIVATE | MAP_HUGETLB));
	FLAG(mmap, MAP_SHARED_VALIDATE, 0, OFFILE(MAP_SHARED_VALIDATE));
	FLAG(mmap, MAP_SYNC, EOPNOTSUPP, OFFILE(MAP_SHARED_VALIDATE | MAP_SYNC));
	FLAG(mmap, MAP_SYNC with MAP_SHARED, 0, OFFILE(MAP_SHARED | MAP_SYNC));
	FLAG(mmap, MAP_SHARED_VALIDATE and an unknown flag, EOPNOTSUPP, OFFILE(MAP_SHARED_VALIDATE | 0x2000000));
	FLAG(mmap, MAP_GROWSDOWN of a file, EINVAL, OFFILE(MAP_PRIVATE | MAP_GROWSDOWN));
	FLAG(mmap, PROT_WRITE of a read-only file shared, EACCES, map(PROT_WRITE, MAP_SHARED, ro));
	FLAG(mmap, PROT_WRITE of a read-only file private, 0, map(PROT_WRITE, MAP_PRIVATE, ro));
	FLAG(mmap, PROT_READ of a write-only file, EACCES, map(PROT_READ, MAP_SHARED, wo));
	FLAG(mmap, PROT_WRITE of a write-only file, EACCES, map(PROT_WRITE, MAP_SHARED, wo));
	FLAG(mmap, a directory, ENODEV, map(PROT_READ, MAP_PRIVATE, dir));
	FLAG(mmap, a pipe, ENODEV, map(PROT_READ, MAP_PRIVATE, p[0]));
	FLAG(mmap, PROT_GROWSDOWN, 0, map(PROT_READ | PROT_GROWSDOWN, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	FLAG(mmap, unknown protection, 0, map(0x100, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	FLAGS_END();
}

TEST(mremap_mlock_msync_flags)
{
	char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *b = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FLAG(mremap, MREMAP_MAYMOVE, 0, (long)(a = mremap(a, 8192, 16384, MREMAP_MAYMOVE)));
	FLAG(mremap, MREMAP_FIXED alone, EINVAL, (long)mremap(a, 4096, 4096, MREMAP_FIXED, b));
	FLAG(mremap, MREMAP_FIXED, 0, (long)(a = mremap(a, 4096, 4096, MREMAP_FIXED | MREMAP_MAYMOVE, b)));
	FLAG(mremap, MREMAP_DONTUNMAP alone, EINVAL, (long)mremap(a, 4096, 4096, MREMAP_DONTUNMAP, NULL));
	FLAG(mremap, MREMAP_DONTUNMAP, 0, (long)mremap(a, 4096, 4096, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL));
	FLAG(mremap, MREMAP_DONTUNMAP and another size, EINVAL,
	     (long)mremap(a, 4096, 8192, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, NULL));
	FLAG(mremap, unknown flag, EINVAL, (long)mremap(a, 4096, 4096, 8 | MREMAP_MAYMOVE, NULL));
	FLAG(mlock2, 0, 0, mlock2(a, 4096, 0));
	FLAG(mlock2, MLOCK_ONFAULT, 0, mlock2(a, 4096, MLOCK_ONFAULT));
	FLAG(mlock2, 2, EINVAL, mlock2(a, 4096, 2));
	FLAG(mlockall, MCL_CURRENT, 0, mlockall(MCL_CURRENT));
	FLAG(mlockall, MCL_FUTURE, 0, mlockall(MCL_FUTURE));
	FLAG(mlockall, MCL_CURRENT and MCL_ONFAULT, 0, mlockall(MCL_CURRENT | MCL_ONFAULT));
	FLAG(mlockall, MCL_ONFAULT, EINVAL, mlockall(MCL_ONFAULT));
	FLAG(mlockall, 0, EINVAL, mlockall(0));
	FLAG(mlockall, 8, EINVAL, mlockall(8));
	CHECK_OK(munlockall());
	FLAG(msync, MS_ASYNC, 0, msync(a, 4096, MS_ASYNC));
	FLAG(msync, MS_SYNC, 0, msync(a, 4096, MS_SYNC));
	FLAG(msync, MS_INVALIDATE, 0, msync(a, 4096, MS_INVALIDATE));
	FLAG(msync, MS_ASYNC and MS_SYNC, EINVAL, msync(a, 4096, MS_ASYNC | MS_SYNC));
	FLAG(msync, 8, EINVAL, msync(a, 4096, 8));
	FLAG(msync, 0, 0, msync(a, 4096, 0));
	FLAGS_END();
}

TEST(memfd_flags)
{
	FLAG(memfd_create, MFD_CLOEXEC, 0, memfd_create("m", MFD_CLOEXEC));
	FLAG(memfd_create, MFD_ALLOW_SEALING, 0, memfd_create("m", MFD_ALLOW_SEALING));
	FLAG(memfd_create, MFD_HUGETLB, 0, memfd_create("m", MFD_HUGETLB));
	FLAG(memfd_create, MFD_HUGE_2MB, 0, memfd_create("m", MFD_HUGETLB | 21 << 26));
	FLAG(memfd_create, MFD_HUGETLB of an odd size, ENODEV, memfd_create("m", MFD_HUGETLB | 16 << 26));
	FLAG(memfd_create, MFD_NOEXEC_SEAL, EINVAL, memfd_create("m", 8));
	FLAG(memfd_create, MFD_EXEC, EINVAL, memfd_create("m", 16));
	FLAG(memfd_create, a size without MFD_HUGETLB, EINVAL, memfd_create("m", 21 << 26));
	FLAG(memfd_secret, 0, ENOSYS, syscall(447, 0));
	FLAGS_END();
}
