/* SPDX-License-Identifier: MIT */
/*
 * Every call that takes a path, and every wrong path: the errors of path_resolution(7) are the same
 * whoever resolves. Each call is given the path and, where it has one, the directory handle.
 */
#include "../check.h"

#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

struct path_call {
	const char *name;
	long      (*at)(int dir, const char *path); /* with a directory handle */
	int         kind;
};

enum {
	FOLLOWS = 0,
	HAS_DIR = 1,   /* takes a directory handle */
	CREATES = 2,   /* makes the last component: a missing one is no error */
	LAST_LINK = 4, /* does not follow a link in the last component */
};

static char         buf[8192];
static struct stat  st;
static int          in;

#define CALL(fn, body)                                                                             \
	static long at_##fn(int dir, const char *path)                                             \
	{                                                                                          \
		(void)dir;                                                                         \
		return body;                                                                       \
	}
static struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
static struct timeval  tvs[2];
static struct utimbuf  ut;
static struct statfs   fs;
static struct statx    sx;
static struct open_how how = { .flags = O_RDONLY };

CALL(open, syscall(SYS_open, path, O_RDONLY))
CALL(openat, syscall(SYS_openat, dir, path, O_RDONLY))
CALL(openat2, syscall(SYS_openat2, dir, path, &how, sizeof(how)))
CALL(creat, syscall(SYS_creat, path, 0600))
CALL(stat, syscall(SYS_stat, path, &st))
CALL(lstat, syscall(SYS_lstat, path, &st))
CALL(newfstatat, syscall(SYS_newfstatat, dir, path, &st, 0))
CALL(statx, syscall(SYS_statx, dir, path, 0, STATX_ALL, &sx))
CALL(statfs, syscall(SYS_statfs, path, &fs))
CALL(access, syscall(SYS_access, path, F_OK))
CALL(faccessat, syscall(SYS_faccessat, dir, path, F_OK))
CALL(faccessat2, syscall(SYS_faccessat2, dir, path, F_OK, 0))
CALL(chdir, syscall(SYS_chdir, path))
CALL(chroot, syscall(SYS_chroot, path))
CALL(chmod, syscall(SYS_chmod, path, 0700))
CALL(fchmodat, syscall(SYS_fchmodat, dir, path, 0700))
CALL(chown, syscall(SYS_chown, path, 0, 0))
CALL(lchown, syscall(SYS_lchown, path, 0, 0))
CALL(fchownat, syscall(SYS_fchownat, dir, path, 0, 0, 0))
CALL(utime, syscall(SYS_utime, path, &ut))
CALL(utimes, syscall(SYS_utimes, path, tvs))
CALL(futimesat, syscall(SYS_futimesat, dir, path, tvs))
CALL(utimensat, syscall(SYS_utimensat, dir, path, times, 0))
CALL(truncate, syscall(SYS_truncate, path, 0))
CALL(mkdir, syscall(SYS_mkdir, path, 0700))
CALL(mkdirat, syscall(SYS_mkdirat, dir, path, 0700))
CALL(mknod, syscall(SYS_mknod, path, S_IFIFO | 0600, 0))
CALL(mknodat, syscall(SYS_mknodat, dir, path, S_IFIFO | 0600, 0))
CALL(rmdir, syscall(SYS_rmdir, path))
CALL(unlink, syscall(SYS_unlink, path))
CALL(unlinkat, syscall(SYS_unlinkat, dir, path, 0))
CALL(rename_from, syscall(SYS_rename, path, "new"))
CALL(rename_to, syscall(SYS_rename, "spare", path))
CALL(renameat_from, syscall(SYS_renameat, dir, path, AT_FDCWD, "new"))
CALL(renameat_to, syscall(SYS_renameat, AT_FDCWD, "spare", dir, path))
CALL(renameat2_from, syscall(SYS_renameat2, dir, path, AT_FDCWD, "new", 0))
CALL(link_from, syscall(SYS_link, path, "new"))
CALL(link_to, syscall(SYS_link, "spare", path))
CALL(linkat_from, syscall(SYS_linkat, dir, path, AT_FDCWD, "new", 0))
CALL(linkat_to, syscall(SYS_linkat, AT_FDCWD, "spare", dir, path, 0))
CALL(symlink, syscall(SYS_symlink, "x", path))
CALL(symlinkat, syscall(SYS_symlinkat, "x", dir, path))
CALL(readlink, syscall(SYS_readlink, path, buf, 100))
CALL(readlinkat, syscall(SYS_readlinkat, dir, path, buf, 100))
CALL(getxattr, syscall(SYS_getxattr, path, "trusted.a", buf, 100))
CALL(lgetxattr, syscall(SYS_lgetxattr, path, "trusted.a", buf, 100))
CALL(setxattr, syscall(SYS_setxattr, path, "trusted.a", buf, 1, 0))
CALL(lsetxattr, syscall(SYS_lsetxattr, path, "trusted.a", buf, 1, 0))
CALL(listxattr, syscall(SYS_listxattr, path, buf, 100))
CALL(llistxattr, syscall(SYS_llistxattr, path, buf, 100))
CALL(removexattr, syscall(SYS_removexattr, path, "trusted.a"))
CALL(lremovexattr, syscall(SYS_lremovexattr, path, "trusted.a"))
CALL(execve, syscall(SYS_execve, path, NULL, NULL))
CALL(execveat, syscall(SYS_execveat, dir, path, NULL, NULL, 0))
CALL(inotify_add_watch, syscall(SYS_inotify_add_watch, in, path, IN_OPEN))
CALL(mount, syscall(SYS_mount, "none", path, "tmpfs", 0, NULL))
CALL(umount2, syscall(SYS_umount2, path, 0))

#define ROW(fn, kind) { #fn, at_##fn, kind }
static const struct path_call path_calls[] = {
	ROW(open, FOLLOWS),
	ROW(openat, HAS_DIR),
	ROW(openat2, HAS_DIR),
	ROW(creat, CREATES),
	ROW(stat, FOLLOWS),
	ROW(lstat, LAST_LINK),
	ROW(newfstatat, HAS_DIR),
	ROW(statx, HAS_DIR),
	ROW(statfs, FOLLOWS),
	ROW(access, FOLLOWS),
	ROW(faccessat, HAS_DIR),
	ROW(faccessat2, HAS_DIR),
	ROW(chdir, FOLLOWS),
	ROW(chroot, FOLLOWS),
	ROW(chmod, FOLLOWS),
	ROW(fchmodat, HAS_DIR),
	ROW(chown, FOLLOWS),
	ROW(lchown, LAST_LINK),
	ROW(fchownat, HAS_DIR),
	ROW(utime, FOLLOWS),
	ROW(utimes, FOLLOWS),
	ROW(futimesat, HAS_DIR),
	ROW(utimensat, HAS_DIR),
	ROW(truncate, FOLLOWS),
	ROW(mkdir, CREATES | LAST_LINK),
	ROW(mkdirat, HAS_DIR | CREATES | LAST_LINK),
	ROW(mknod, CREATES | LAST_LINK),
	ROW(mknodat, HAS_DIR | CREATES | LAST_LINK),
	ROW(rmdir, LAST_LINK),
	ROW(unlink, LAST_LINK),
	ROW(unlinkat, HAS_DIR | LAST_LINK),
	ROW(rename_from, LAST_LINK),
	ROW(rename_to, CREATES | LAST_LINK),
	ROW(renameat_from, HAS_DIR | LAST_LINK),
	ROW(renameat_to, HAS_DIR | CREATES | LAST_LINK),
	ROW(renameat2_from, HAS_DIR | LAST_LINK),
	ROW(link_from, LAST_LINK),
	ROW(link_to, CREATES | LAST_LINK),
	ROW(linkat_from, HAS_DIR | LAST_LINK),
	ROW(linkat_to, HAS_DIR | CREATES | LAST_LINK),
	ROW(symlink, CREATES | LAST_LINK),
	ROW(symlinkat, HAS_DIR | CREATES | LAST_LINK),
	ROW(readlink, LAST_LINK),
	ROW(readlinkat, HAS_DIR | LAST_LINK),
	ROW(getxattr, FOLLOWS),
	ROW(lgetxattr, LAST_LINK),
	ROW(setxattr, FOLLOWS),
	ROW(lsetxattr, LAST_LINK),
	ROW(listxattr, FOLLOWS),
	ROW(llistxattr, LAST_LINK),
	ROW(removexattr, FOLLOWS),
	ROW(lremovexattr, LAST_LINK),
	ROW(execve, FOLLOWS),
	ROW(execveat, HAS_DIR),
	ROW(inotify_add_watch, FOLLOWS),
	ROW(mount, FOLLOWS),
	ROW(umount2, FOLLOWS),
};
#define CALLS (sizeof(path_calls) / sizeof(path_calls[0]))

static void
set_up(void)
{
	CHECK_OK(close(CHECK_OK(open("file", O_CREAT | O_RDWR, 0700))));
	CHECK_OK(close(CHECK_OK(open("spare", O_CREAT | O_RDWR, 0700))));
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(symlink("loop", "loop"));
	in = CHECK_OK(inotify_init());
}

/* All calls with `path` must give `error`, but those that `except` says. */
static void
each(int dir, const char *path, int error, bool (*except)(const struct path_call *))
{
	for (unsigned int i = 0; i < CALLS; i++) {
		const struct path_call *c = &path_calls[i];
		long r;

		if (except && except(c))
			continue;
		errno = 0;
		r = c->at(dir, path);
		if (r != -1 || errno != error)
			FAIL("%s gives %s, want %s", c->name, r == -1 ? check_error_name(errno) : "success",
			     check_error_name(error));
	}
}

static bool
makes_last(const struct path_call *c)
{
	return c->kind & CREATES;
}

static bool
keeps_last_link(const struct path_call *c)
{
	return (c->kind & LAST_LINK) || strcmp(c->name, "creat") == 0;
}

static bool
has_no_dir(const struct path_call *c)
{
	return !(c->kind & HAS_DIR);
}

TEST(every_path_call_refuses_a_bad_pointer)
{
	set_up();
	each(AT_FDCWD, check_bad_address(), EFAULT, NULL);
}

TEST(every_path_call_refuses_a_pointer_into_the_kernel)
{
	set_up();
	each(AT_FDCWD, (const char *)0xffffffff81000000ul, EFAULT, NULL);
	each(AT_FDCWD, (const char *)0x800000000000ul, EFAULT, NULL);
}

TEST(every_path_call_refuses_a_path_that_runs_off_its_page)
{
	char *end = check_page_end();

	set_up();
	memset(end - 10, 'a', 10);
	each(AT_FDCWD, end - 10, EFAULT, NULL);
}

TEST(every_path_call_refuses_the_empty_path)
{
	set_up();
	each(AT_FDCWD, "", ENOENT, NULL);
}

TEST(every_path_call_refuses_a_path_of_PATH_MAX)
{
	set_up();
	memset(buf, 'a', sizeof(buf));
	for (int i = 1; i < 4096; i += 2)
		buf[i] = '/';
	buf[4096] = '\0';
	each(AT_FDCWD, buf, ENAMETOOLONG, NULL);
}

TEST(every_path_call_refuses_a_name_longer_than_NAME_MAX)
{
	char name[300];

	set_up();
	memset(name, 'a', 256);
	name[256] = '\0';
	each(AT_FDCWD, name, ENAMETOOLONG, NULL);
}

TEST(every_path_call_refuses_a_long_directory)
{
	char name[300];

	set_up();
	memset(name, 'a', 256);
	strcpy(name + 256, "/x");
	each(AT_FDCWD, name, ENAMETOOLONG, NULL);
}

TEST(every_path_call_misses_a_directory)
{
	set_up();
	each(AT_FDCWD, "none/x", ENOENT, NULL);
}

TEST(every_path_call_misses_the_last_name)
{
	set_up();
	each(AT_FDCWD, "none", ENOENT, makes_last);
}

TEST(every_path_call_finds_that_a_file_is_no_directory)
{
	set_up();
	each(AT_FDCWD, "file/x", ENOTDIR, NULL);
	each(AT_FDCWD, "file/../file", ENOTDIR, NULL);
}

TEST(every_path_call_finds_a_loop_of_links_on_the_way)
{
	set_up();
	each(AT_FDCWD, "loop/x", ELOOP, NULL);
}

TEST(every_path_call_that_follows_finds_a_loop_at_the_end)
{
	set_up();
	each(AT_FDCWD, "loop", ELOOP, keeps_last_link);
}

TEST(every_path_call_refuses_a_closed_directory_handle)
{
	set_up();
	each(240, "file", EBADF, has_no_dir);
	each(-1, "file", EBADF, has_no_dir);
}

TEST(every_path_call_refuses_a_file_as_directory_handle)
{
	set_up();
	each(CHECK_OK(open("file", O_RDONLY)), "x", ENOTDIR, has_no_dir);
}

static bool
needs_more_than_search(const struct path_call *c)
{
	/* These look at the caller's rights before they look at the path. */
	return strcmp(c->name, "mount") == 0 || strcmp(c->name, "umount2") == 0;
}

TEST(every_path_call_needs_search_permission)
{
	set_up();
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(close(CHECK_OK(open("dir/file", O_CREAT | O_RDWR, 0777))));
	CHECK_OK(chmod("dir", 0600));
	check_drop_root();
	each(AT_FDCWD, "dir/file", EACCES, needs_more_than_search);
}

TEST(no_path_call_leaves_a_handle_behind_when_it_fails)
{
	int before, after;

	set_up();
	before = CHECK_OK(dup(0));
	CHECK_OK(close(before));
	each(AT_FDCWD, "file/x", ENOTDIR, NULL);
	each(AT_FDCWD, check_bad_address(), EFAULT, NULL);
	after = CHECK_OK(dup(0));
	CHECK_EQ(after, before);
}
