/* SPDX-License-Identifier: MIT */
/* fsopen, fsconfig, fsmount, fspick: file systems put together step by step. */
#include "mnt.h"

enum { FLAG, STRING, BINARY, PATH, PATH_EMPTY, FD, CREATE, RECONFIGURE };

static int
fs_open(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static int
config(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static int
fs_mount(int fd, unsigned int flags, unsigned int attr)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr);
}

static int
fs_pick(int dirfd, const char *name, unsigned int flags)
{
	return (int)syscall(SYS_fspick, dirfd, name, flags);
}

static void
attach(int fd, const char *where)
{
	CHECK_OK(move_mount_at(fd, "", AT_FDCWD, where, 0x4));
}

TEST(a_tmpfs_step_by_step)
{
	struct stat st;
	int fd, m;

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	fd = CHECK_OK(fs_open("tmpfs", 1));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(config(fd, STRING, "source", "mine", 0));
	CHECK_OK(config(fd, STRING, "size", "64k", 0));
	CHECK_OK(config(fd, STRING, "mode", "0750", 0));
	CHECK_ERRNO(fs_mount(fd, 0, 0), EINVAL); /* not made yet */
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
	CHECK_ERRNO(config(fd, CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(config(fd, STRING, "size", "128k", 0), EBUSY);
	CHECK_ERRNO(config(fd, RECONFIGURE, NULL, NULL, 0), EBUSY);
	m = CHECK_OK(fs_mount(fd, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
	CHECK_EQ(fcntl(m, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(m, F_GETFL) & O_PATH);
	CHECK_ERRNO(fs_mount(fd, 0, 0), EBUSY);
	CHECK_OK(fstat(m, &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0750);
	CHECK_OK(mkdirat(m, "before", 0700)); /* usable before it is attached */
	attach(m, "m");
	CHECK(says("m", " rw,nosuid,noatime "));
	CHECK(says("m", " - tmpfs mine rw,size=64k,mode=750"));
	CHECK(exists("m/before"));
	/* and reconfigured */
	CHECK_OK(config(fd, STRING, "size", "256k", 0));
	CHECK_OK(config(fd, RECONFIGURE, NULL, NULL, 0));
	CHECK(says("m", "size=256k"));
	CHECK_ERRNO(config(fd, CREATE, NULL, NULL, 0), EBUSY);
}

TEST(what_is_never_attached_goes)
{
	int fd, m;

	own_mounts();
	fd = CHECK_OK(fs_open("tmpfs", 0));
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
	m = CHECK_OK(fs_mount(fd, 0, 0));
	close(fd);
	fd = CHECK_OK(openat(m, "f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
	close(m);
	CHECK_EQ(pread(fd, (char[1]){ 0 }, 1, 0), 1);
}

TEST(read_only_of_mount_and_of_file_system)
{
	int fd, m;

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	fd = CHECK_OK(fs_open("tmpfs", 0));
	CHECK_OK(config(fd, FLAG, "ro", NULL, 0));
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
	m = CHECK_OK(fs_mount(fd, 0, 0));
	attach(m, "m");
	CHECK(says("m", " rw,relatime "));
	CHECK(says("m", " none ro"));
	CHECK_ERRNO(mkdir("m/d", 0700), EROFS);
	CHECK_OK(config(fd, FLAG, "rw", NULL, 0));
	CHECK_OK(config(fd, RECONFIGURE, NULL, NULL, 0));
	CHECK_OK(mkdir("m/d", 0700));
}

TEST(what_went_wrong_is_told)
{
	char text[256];
	ssize_t n;
	int fd;

	own_mounts();
	fd = CHECK_OK(fs_open("tmpfs", 0));
	CHECK_ERRNO(read(fd, text, sizeof(text)), ENODATA);
	CHECK_ERRNO(config(fd, STRING, "colour", "red", 0), EINVAL);
	CHECK_ERRNO(config(fd, FLAG, "colour", NULL, 0), EINVAL);
	CHECK_OK(config(fd, STRING, "source", "a", 0));
	CHECK_ERRNO(config(fd, STRING, "source", "b", 0), EINVAL);
	CHECK_ERRNO(config(fd, FLAG, "source", NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "uid", "nobody", 0), EINVAL);
	CHECK_ERRNO(read(fd, text, 3), EMSGSIZE);
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e tmpfs: Unknown parameter 'colour'\n");
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e tmpfs: Unknown parameter 'colour'\n");
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e Multiple sources\n");
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e Non-string source\n");
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e tmpfs: Bad value for 'uid'\n");
	CHECK_ERRNO(read(fd, text, sizeof(text)), ENODATA);
	/* all of that could be taken back */
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
}

/* What is of no use on a machine of one node and without huge pages for files is checked all the same. */
TEST(tmpfs_options_are_checked)
{
	static const char *const good[] = {
		"size=1m,,mode=700", ",size=1m", "nr_inodes=1k", "huge=never", "huge=always", "inode64", "size=1m,size=2m",
		"mpol=bind:0", "mpol=interleave:0,0", "mpol=bind:0-0", "mpol=prefer", "mpol=prefer:0", "mpol=local",
		"mpol=default", "mpol=interleave=static:0", "mpol=interleave=relative", "mpol=prefer (many):0",
		"mpol=default=static", "mpol=bind:00,",
	}, *const bad[] = {
		"uid", "size", "mode=9", "huge", "huge=weird", "noswap", "inode64=1", "=5", "gid=-1", "size=1m,5", "mode=700,1",
		"mpol", "mpol=", "mpol=nonsense", "mpol=bind", "mpol=bind:1", "mpol=bind:", "mpol=bind:0,,0", "mpol=prefer:0,0",
		"mpol=local:0", "mpol=default:0", "mpol=bind=odd:0", "mpol=prefer=static", "mpol=local=static", "mpol=:0",
	};

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (mount("t", "m", "tmpfs", 0, good[i]) != 0)
			FAIL("%s is refused: %m", good[i]);
		CHECK_OK(umount("m"));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mount("t", "m", "tmpfs", 0, bad[i]) == 0 || errno != EINVAL)
			FAIL("%s is no option, but: %m", bad[i]);
}

/* Options that are kept as one text until the mount: a comma would make one into two. */
TEST(options_with_commas_are_refused)
{
	int fd;

	own_mounts();
	fd = CHECK_OK(fs_open("devpts", 0));
	CHECK_ERRNO(config(fd, STRING, "mode", "600,ptmxmode=666", 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "mode,max", "5", 0), EINVAL);
	CHECK_ERRNO(config(fd, FLAG, "newinstance,mode=600", NULL, 0), EINVAL);
	CHECK_OK(config(fd, STRING, "mode", "600", 0));
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
}

TEST(only_the_last_messages_are_kept)
{
	char text[256], key[16];
	ssize_t n;
	int fd;

	own_mounts();
	fd = CHECK_OK(fs_open("tmpfs", 0));
	for (int i = 0; i < 12; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		CHECK_ERRNO(config(fd, FLAG, key, NULL, 0), EINVAL);
	}
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = 0;
	CHECK_STR(text, "e tmpfs: Unknown parameter 'key4'\n");
	for (int i = 0; i < 7; i++)
		CHECK_OK(read(fd, text, sizeof(text)));
	CHECK_ERRNO(read(fd, text, sizeof(text)), ENODATA);
}

TEST(fsopen_errors)
{
	char *name = malloc(8192);

	own_mounts();
	memset(name, 'x', 8191);
	name[8191] = 0;
	CHECK_ERRNO(fs_open("tmpfs", 2), EINVAL);
	CHECK_ERRNO(fs_open("no-such-type", 0), ENODEV);
	CHECK_ERRNO(fs_open(check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(fs_open(name, 0), EINVAL);
	drop_root();
	CHECK_ERRNO(fs_open("tmpfs", 0), EPERM);
}

TEST(fsconfig_errors)
{
	char longer[300];
	int fd, other;

	own_mounts();
	memset(longer, 'k', sizeof(longer));
	longer[299] = 0;
	fd = CHECK_OK(fs_open("tmpfs", 0));
	other = CHECK_OK(open("/dev/null", O_RDWR));
	CHECK_ERRNO(config(-1, CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(config(99, CREATE, NULL, NULL, 0), EBADF);
	CHECK_ERRNO(config(other, CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, 99, NULL, NULL, 0), EOPNOTSUPP);
	CHECK_ERRNO(config(fd, FLAG, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERRNO(config(fd, FLAG, "ro", NULL, 1), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "size", NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "size", "1", 1), EINVAL);
	CHECK_ERRNO(config(fd, BINARY, "size", "1", 0), EINVAL);
	CHECK_ERRNO(config(fd, BINARY, "size", "1", (1 << 20) + 1), EINVAL);
	CHECK_ERRNO(config(fd, PATH, "size", "1", -1), EINVAL);
	CHECK_ERRNO(config(fd, FD, "size", "1", 0), EINVAL);
	CHECK_ERRNO(config(fd, FD, "size", NULL, -1), EINVAL);
	CHECK_ERRNO(config(fd, FD, "size", NULL, 99), EBADF);
	CHECK_ERRNO(config(fd, FD, "size", NULL, other), EINVAL);
	CHECK_ERRNO(config(fd, BINARY, "size", "1", 1), EINVAL);
	CHECK_ERRNO(config(fd, CREATE, "x", NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, CREATE, NULL, NULL, 1), EINVAL);
	CHECK_ERRNO(config(fd, STRING, longer, "x", 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "size", longer, 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, check_bad_address(), "x", 0), EFAULT);
	CHECK_ERRNO(config(fd, STRING, "size", check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(config(fd, FLAG, "size", NULL, 0), EINVAL);
	CHECK_ERRNO(config(fd, STRING, "nr_inodes", "many", 0), EINVAL);
}

TEST(fsmount_errors)
{
	int fd, other;

	own_mounts();
	fd = CHECK_OK(fs_open("tmpfs", 0));
	other = CHECK_OK(open("/dev/null", O_RDWR));
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
	CHECK_ERRNO(fs_mount(fd, 2, 0), EINVAL);
	CHECK_ERRNO(fs_mount(fd, 0, 0x8000), EINVAL);
	CHECK_ERRNO(fs_mount(fd, 0, MOUNT_ATTR_IDMAP), EINVAL);
	CHECK_ERRNO(fs_mount(fd, 0, MOUNT_ATTR__ATIME), EINVAL);
	CHECK_ERRNO(fs_mount(99, 0, 0), EBADF);
	CHECK_ERRNO(fs_mount(other, 0, 0), EINVAL);
	CHECK_OK(fs_mount(fd, 0, MOUNT_ATTR_STRICTATIME));
}

TEST(fspick_changes_what_is_mounted)
{
	int fd;

	own_mounts();
	tmpfs_at("m");
	CHECK_OK(mkdir("m/d", 0700));
	fd = CHECK_OK(fs_pick(AT_FDCWD, "m", 0));
	CHECK_OK(config(fd, STRING, "size", "1m", 0));
	CHECK_OK(config(fd, RECONFIGURE, NULL, NULL, 0));
	CHECK(says("m", "size=1024k"));
	CHECK_OK(config(fd, FLAG, "ro", NULL, 0));
	CHECK_OK(config(fd, RECONFIGURE, NULL, NULL, 0));
	CHECK_ERRNO(mkdir("m/e", 0700), EROFS);
	CHECK(says("m", " rw,relatime "));
	CHECK_ERRNO(config(fd, CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(fs_pick(AT_FDCWD, "m/d", 0), EINVAL);
	CHECK_ERRNO(fs_pick(AT_FDCWD, "m", 16), EINVAL);
	CHECK_ERRNO(fs_pick(AT_FDCWD, "none", 0), ENOENT);
	CHECK_ERRNO(fs_pick(AT_FDCWD, "", 0), ENOENT);
	CHECK_ERRNO(fs_pick(AT_FDCWD, check_bad_address(), 0), EFAULT);
	fd = CHECK_OK(open("m", O_PATH));
	fd = CHECK_OK(fs_pick(fd, "", 8 | 1));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	drop_root();
	CHECK_ERRNO(fs_pick(AT_FDCWD, "m", 0), EPERM);
}

TEST(read_only_waits_for_writers)
{
	int fd, f;

	own_mounts();
	tmpfs_at("m");
	f = CHECK_OK(open("m/f", O_CREAT | O_RDWR, 0600));
	fd = CHECK_OK(fs_pick(AT_FDCWD, "m", 0));
	CHECK_OK(config(fd, FLAG, "ro", NULL, 0));
	CHECK_ERRNO(config(fd, RECONFIGURE, NULL, NULL, 0), EBUSY);
	/* that cannot be taken back */
	CHECK_ERRNO(config(fd, RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(config(fd, FLAG, "rw", NULL, 0), EBUSY);
	close(f);
}

TEST(other_file_systems)
{
	static const char *const types[] = { "proc", "sysfs", "devpts", "mqueue", "devtmpfs" };
	int fd, m;

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		fd = CHECK_OK(fs_open(types[i], 0));
		CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
		m = CHECK_OK(fs_mount(fd, 0, MOUNT_ATTR_NODEV));
		attach(m, "m");
		CHECK(strstr(mount_line("m"), types[i]) != NULL);
		close(m);
		close(fd);
		CHECK_OK(umount("m"));
	}
	fd = CHECK_OK(fs_open("proc", 0));
	CHECK_ERRNO(config(fd, STRING, "hidepid", "9", 0), EINVAL);
	CHECK_OK(config(fd, STRING, "hidepid", "off", 0));
	CHECK_ERRNO(config(fd, FLAG, "colour", NULL, 0), EINVAL);
}

TEST(in_a_user_namespace)
{
	int fd, m;

	own_mounts();
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	fd = CHECK_OK(fs_open("tmpfs", 0));
	CHECK_OK(config(fd, CREATE, NULL, NULL, 0));
	m = CHECK_OK(fs_mount(fd, 0, 0));
	attach(m, "/mnt");
	CHECK_OK(mkdir("/mnt/d", 0700));
	fd = CHECK_OK(fs_open("devtmpfs", 0));
	CHECK_ERRNO(config(fd, CREATE, NULL, NULL, 0), EPERM);
}
