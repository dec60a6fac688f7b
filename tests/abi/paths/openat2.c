/* SPDX-License-Identifier: MIT */
/* openat2(2): how far a name may lead, and what the struct may say. */
#include "../check.h"

#include <linux/openat2.h>

static int
try_open(int dir, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd < 0)
		return -1;
	close((int)fd);
	return 0;
}

static void
make_tree(void)
{
	CHECK_OK(mkdir("d", 0755));
	check_write_file("d/f", "x", 1);
	CHECK_OK(symlink("f", "d/link"));
	CHECK_OK(symlink("/etc", "d/absolute"));
	CHECK_OK(symlink("../..", "d/up"));
}

TEST(beneath_stays_below_the_directory)
{
	make_tree();
	int d = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK_OK(try_open(d, "f", O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK_OK(try_open(d, "link", O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK_ERRNO(try_open(d, "absolute", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(try_open(d, "up", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(try_open(d, "../d/f", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(try_open(d, "/etc", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
}

TEST(in_root_takes_the_directory_for_the_root)
{
	make_tree();
	int d = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK_OK(try_open(d, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CHECK_OK(try_open(d, "../../../f", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CHECK_OK(try_open(d, "up", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CHECK_ERRNO(try_open(d, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
}

TEST(links_mounts_and_magic_can_be_refused)
{
	make_tree();
	CHECK_ERRNO(try_open(AT_FDCWD, "d/link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_OK(try_open(AT_FDCWD, "d/f", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	CHECK_ERRNO(try_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK_ERRNO(try_open(AT_FDCWD, "/proc", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
}

/* A link is a way into another mount too: to the root by its text, anywhere by magic. */
TEST(links_into_other_mounts_can_be_refused)
{
	int proc = CHECK_OK(open("/proc/self", O_PATH | O_DIRECTORY));

	CHECK_OK(try_open(proc, "status", O_RDONLY, 0, RESOLVE_NO_XDEV));
	CHECK_OK(try_open(proc, "exe", O_RDONLY, 0, 0));
	CHECK_ERRNO(try_open(proc, "exe", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERRNO(try_open(proc, "root", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK_OK(symlink("/", "/dev/shm/top"));
	CHECK_OK(try_open(AT_FDCWD, "/dev/shm/top", O_RDONLY, 0, 0));
	proc = CHECK_OK(open("/dev/shm", O_PATH | O_DIRECTORY));
	CHECK_ERRNO(try_open(proc, "top", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK_OK(unlink("/dev/shm/top"));
}

TEST(nonsense_is_einval)
{
	make_tree();
	CHECK_ERRNO(try_open(AT_FDCWD, "d/f", O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERRNO(try_open(AT_FDCWD, "d/f", 1ull << 40, 0, 0), EINVAL);
	CHECK_ERRNO(try_open(AT_FDCWD, "d/f", O_RDONLY, 0, 1 << 20), EINVAL);
	CHECK_ERRNO(try_open(AT_FDCWD, "d/f", O_PATH | O_RDWR, 0, 0), EINVAL);
	CHECK_ERRNO(try_open(AT_FDCWD, "d/f", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERRNO(try_open(AT_FDCWD, "new", O_RDWR | O_CREAT, 0100600, 0), EINVAL);
}

TEST(bigger_struct_must_end_in_zeros)
{
	struct {
		struct open_how how;
		char more[16];
	} big = { .how = { .flags = O_RDONLY } };

	make_tree();
	CHECK_OK(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, sizeof(big)));
	big.more[15] = 1;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, sizeof(big)), E2BIG);
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "d/f", &big, 8), EINVAL);
}
