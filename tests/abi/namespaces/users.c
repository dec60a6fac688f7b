/* SPDX-License-Identifier: MIT */
/* User namespaces: maps, ids as seen from inside, capabilities that reach no further. */
#include "ns.h"

#include <grp.h>
#include <sys/xattr.h>

TEST(a_new_one_has_no_ids_and_all_capabilities)
{
	drop_root();
	CHECK_EQ(capabilities(), 0);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_EQ(getuid(), 65534);
	CHECK_EQ(getegid(), 65534);
	CHECK((capabilities() & 0x1ffffffffffull) == 0x1ffffffffffull);
	CHECK_ERRNO(setuid(0), EINVAL);
	CHECK_ERRNO(setuid(65534), EINVAL);
}

TEST(maps_make_root_inside)
{
	struct stat st;

	CHECK_OK(chmod(".", 0777));
	drop_root();
	become_root_inside();
	CHECK_EQ(getuid(), 0);
	CHECK_EQ(geteuid(), 0);
	CHECK_EQ(getgid(), 0);
	close(CHECK_OK(open("mine", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(stat("mine", &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK_OK(stat("/", &st));
	CHECK_EQ(st.st_uid, 65534);
	CHECK_ERRNO(chown("mine", 1, -1), EINVAL);
	CHECK_OK(chown("mine", 0, 0));
	CHECK_ERRNO(setuid(1), EINVAL);
	CHECK_OK(setresuid(0, 0, 0));
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
}

TEST(maps_are_written_once_and_checked)
{
	drop_root();
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_EQ(write_error("/proc/self/uid_map", "0 0 1"), EPERM);       /* not its own */
	CHECK_EQ(write_error("/proc/self/uid_map", "0 65534 2"), EPERM);   /* more than its own */
	CHECK_EQ(write_error("/proc/self/uid_map", "nonsense"), EINVAL);
	CHECK_EQ(write_error("/proc/self/uid_map", "0 65534 0"), EINVAL);
	CHECK_EQ(write_error("/proc/self/uid_map", "0 65534 1 x"), EINVAL);
	CHECK_EQ(write_error("/proc/self/gid_map", "0 65534 1"), EPERM);   /* setgroups is allowed still */
	write_text("/proc/self/uid_map", "5 65534 1\n");
	CHECK_EQ(write_error("/proc/self/uid_map", "0 65534 1"), EPERM);
	CHECK_EQ(getuid(), 5);
	write_text("/proc/self/setgroups", "deny");
	CHECK_EQ(write_error("/proc/self/setgroups", "allow"), EPERM);
	write_text("/proc/self/gid_map", "6 65534 1\n");
	CHECK_EQ(getgid(), 6);
}

TEST(maps_show_as_their_parent_numbers_them)
{
	char text[256];
	unsigned int a, b, c;

	drop_root();
	become_root_inside();
	check_read_file("/proc/self/uid_map", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%u %u %u", &a, &b, &c), 3);
	CHECK_EQ(a, 0);
	CHECK_EQ(b, 65534);
	CHECK_EQ(c, 1);
	check_read_file("/proc/self/setgroups", text, sizeof(text));
	CHECK_STR(text, "deny\n");
}

/* The numbers in a list of access are those of who reads it. */
TEST(access_lists_show_ids_as_they_are_inside)
{
	struct entry {
		uint16_t tag, perm;
		uint32_t id;
	};
	struct {
		uint32_t version;
		struct entry e[7];
	} list = { 2, {
		{ 0x01, 6, ~0u }, { 0x02, 4, 1005 }, { 0x02, 4, 65534 }, { 0x04, 4, ~0u }, { 0x08, 4, 65534 },
		{ 0x10, 4, ~0u }, { 0x20, 0, ~0u },
	} };

	CHECK_OK(chmod(".", 0777));
	close(CHECK_OK(open("listed", O_CREAT | O_RDWR, 0600)));
	CHECK_OK(setxattr("listed", "system.posix_acl_access", &list, sizeof(list), 0));
	drop_root();
	become_root_inside();
	memset(&list, 0, sizeof(list));
	CHECK_EQ(getxattr("listed", "system.posix_acl_access", &list, sizeof(list)), (long)sizeof(list));
	CHECK_EQ(list.e[1].id, ~0u); /* nobody here */
	CHECK_EQ(list.e[2].id, 0);
	CHECK_EQ(list.e[4].id, 0);
	close(CHECK_OK(open("own", O_CREAT | O_RDWR, 0600)));
	list.e[1] = list.e[2];
	memmove(&list.e[2], &list.e[3], 4 * sizeof(list.e[0]));
	CHECK_OK(setxattr("own", "system.posix_acl_access", &list, sizeof(list) - sizeof(list.e[0]), 0));
	CHECK_EQ(getxattr("own", "system.posix_acl_access", &list, sizeof(list)), (long)(sizeof(list) - sizeof(list.e[0])));
	CHECK_EQ(list.e[1].id, 0);
	list.e[1].id = 7;
	CHECK_ERRNO(setxattr("own", "system.posix_acl_access", &list, sizeof(list) - sizeof(list.e[0]), 0), EINVAL);
}

TEST(ranges_by_the_privileged)
{
	int go[2], ready[2];
	char path[64], c;
	pid_t pid;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(ready));
	pid = check_fork();
	if (pid == 0) {
		gid_t groups[2] = { 10, 11 };

		CHECK_OK(unshare(CLONE_NEWUSER));
		check_write_all(ready[1], "x", 1);
		check_read_all(go[0], &c, 1);
		CHECK_OK(setresgid(7, 7, 7));
		CHECK_OK(setgroups(2, groups));
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_EQ(getuid(), 1000);
		check_write_all(ready[1], "y", 1);
		check_read_all(go[0], &c, 1);
		_exit(0);
	}
	check_read_all(ready[0], &c, 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	CHECK_EQ(write_error(path, "0 100000 10\n5 200000 10\n"), EINVAL); /* overlap */
	write_text(path, "0 100000 1000\n1000 300000 1000\n");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_text(path, "0 100000 1000\n");
	check_write_all(go[1], "x", 1);
	check_read_all(ready[0], &c, 1);
	{
		char text[4096], *at;
		unsigned int r;

		snprintf(path, sizeof(path), "/proc/%d/status", pid);
		check_read_file(path, text, sizeof(text));
		at = strstr(text, "Uid:");
		CHECK(at && sscanf(at, "Uid: %u", &r) == 1);
		CHECK_EQ(r, 300000);
		at = strstr(text, "Groups:");
		CHECK(at && sscanf(at, "Groups: %u", &r) == 1);
		CHECK_EQ(r, 100010);
	}
	check_write_all(go[1], "y", 1);
	CHECK_EXIT(pid, 0);
}

/* CAP_SETFCAP in or out of the effective set. */
static void
set_setfcap(bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_OK(syscall(SYS_capget, &head, data));
	if (on)
		data[0].effective |= 1u << CAP_SETFCAP;
	else
		data[0].effective &= ~(1u << CAP_SETFCAP);
	CHECK_OK(syscall(SYS_capset, &head, data));
}

static pid_t
sleeper_in_a_new_one(void)
{
	int ready[2];
	pid_t pid;
	char c;

	CHECK_OK(pipe(ready));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWUSER));
		check_write_all(ready[1], "x", 1);
		for (;;)
			pause();
	}
	check_read_all(ready[0], &c, 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* File capabilities that are set inside count outside, where the root inside is the parent's. */
TEST(the_parents_root_is_mapped_with_setfcap_only)
{
	char path[64];
	pid_t pid = sleeper_in_a_new_one();
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	set_setfcap(false);
	CHECK_EQ(write_error(path, "0 0 1"), EPERM);
	CHECK_EQ(write_error(path, "0 1 1\n1 2 1\n2 0 1\n3 3 49999997\n"), EPERM);
	write_text(path, "0 1 10"); /* not the parent's 0 */
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_text(path, "0 0 1");  /* groups have no such rule */
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitpid(pid, NULL, 0));

	/* What counts is what the opener had. */
	pid = sleeper_in_a_new_one();
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = CHECK_OK(open(path, O_WRONLY));
	set_setfcap(true);
	CHECK_ERRNO(write(fd, "0 0 1", 5), EPERM);
	close(fd);
	fd = CHECK_OK(open(path, O_WRONLY));
	set_setfcap(false);
	CHECK_EQ(write(fd, "0 0 1", 5), 5);
	close(fd);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitpid(pid, NULL, 0));
}

/* The one who makes it decides for those inside, who have every capability there. */
TEST(mapping_ones_own_root_wants_what_the_maker_had)
{
	set_setfcap(false);
	CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK(capabilities() & 1ULL << CAP_SETFCAP);
	CHECK_EQ(write_error("/proc/self/uid_map", "0 0 1"), EPERM);
}

/* All capabilities inside are none outside. */
TEST(root_inside_is_nobody_outside)
{
	pid_t other;

	CHECK_OK(chmod(".", 0755));
	check_write_file("secret", "x", 1);
	CHECK_OK(chmod("secret", 0600));
	other = check_fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	pid_t pid = check_fork();
	if (pid == 0) {
		drop_root();
		become_root_inside();
		CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
		CHECK_ERRNO(chmod("secret", 0666), EPERM);
		CHECK_ERRNO(chown("secret", 0, 0), EPERM);
		CHECK_ERRNO(open("new", O_CREAT | O_RDWR, 0600), EACCES);
		CHECK_ERRNO(kill(other, SIGKILL), EPERM);
		CHECK_ERRNO(sethostname("x", 1), EPERM);
		CHECK_ERRNO(mount("none", "/mnt", "tmpfs", 0, NULL), EPERM);
		CHECK_ERRNO(umount2("/proc", MNT_DETACH), EPERM);
		CHECK_ERRNO(mknod("/tmp/dev", S_IFCHR | 0600, 0x103), EPERM);
		CHECK_ERRNO(syscall(SYS_settimeofday, &(struct timeval){ 0 }, NULL), EPERM);
		CHECK_ERRNO(nice(-5), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

TEST(rights_over_what_it_owns)
{
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWUTS | CLONE_NEWNS));
	CHECK_OK(sethostname("mine", 4));
	CHECK_OK(chroot("/"));
}

TEST(no_entering_of_the_parent)
{
	int user = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));
	int uts = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	int mnt = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));

	drop_root();
	become_root_inside();
	CHECK_ERRNO(setns(user, 0), EPERM);
	CHECK_ERRNO(setns(uts, 0), EPERM);
	CHECK_ERRNO(setns(mnt, 0), EPERM);
}

HELPER(euid_is_zero)
{
	_exit(geteuid() == 0 ? 10 : 20);
}

/* A set-user-id program of a user who is not known inside gives nothing. */
TEST(set_user_id_of_the_unmapped_is_void)
{
	char buf[65536];
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY)), out, dir;
	ssize_t n;
	pid_t pid;

	/* where set-user-id bits count, which need not be so here */
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=755"));
	CHECK_OK(chdir("m"));
	out = CHECK_OK(open("suid", O_WRONLY | O_CREAT, 0755));
	while ((n = read(in, buf, sizeof(buf))) > 0)
		check_write_all(out, buf, n);
	close(out);
	CHECK_OK(chmod("suid", 04755));
	dir = CHECK_OK(open("suid", O_PATH));
	pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "suid", "--helper", "euid_is_zero", NULL }, *env[] = { NULL };

		drop_root();
		CHECK_OK(unshare(CLONE_NEWUSER));
		write_text("/proc/self/uid_map", "5 65534 1");
		syscall(SYS_execveat, dir, "", argv, env, AT_EMPTY_PATH);
		_exit(3);
	}
	CHECK_EXIT(pid, 20);
	pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "suid", "--helper", "euid_is_zero", NULL }, *env[] = { NULL };

		drop_root();
		syscall(SYS_execveat, dir, "", argv, env, AT_EMPTY_PATH);
		_exit(3);
	}
	CHECK_EXIT(pid, 10);
}

/* A set-user-id program on a file system made inside gives nothing outside. */
TEST(what_is_mounted_inside_gives_no_rights_outside)
{
	int ready[2], go[2];
	char path[64], c;
	pid_t pid;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	CHECK_OK(mkdir("m", 0777));
	CHECK_OK(chmod("m", 0777));
	CHECK_OK(chmod(".", 0755));
	pid = check_fork();
	if (pid == 0) {
		drop_root();
		become_root_inside();
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
		CHECK_ERRNO(mknod("m/null", S_IFCHR | 0666, 0x103), EPERM);
		check_write_file("m/f", "x", 1);
		check_write_all(ready[1], "x", 1);
		check_read_all(go[0], &c, 1);
		_exit(0);
	}
	check_read_all(ready[0], &c, 1);
	snprintf(path, sizeof(path), "/proc/%d/cwd/m/null", pid);
	/* who is not known there makes nothing there, not even root */
	CHECK_ERRNO(mknod(path, S_IFCHR | 0666, 0x103), EOVERFLOW);
	CHECK_ERRNO(mkdir(path, 0700), EOVERFLOW);
	check_write_all(go[1], "x", 1);
	CHECK_EXIT(pid, 0);
}

TEST(depth_has_a_limit)
{
	int depth = 0;

	for (; depth < 40; depth++) {
		if (unshare(CLONE_NEWUSER) != 0)
			break;
		write_text("/proc/self/uid_map", "0 0 1");
		write_text("/proc/self/setgroups", "deny");
		if (write_error("/proc/self/gid_map", "0 0 1"))
			break;
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK_RANGE(depth, 30, 33);
}

TEST(not_under_a_root_of_its_own)
{
	CHECK_OK(chroot("."));
	CHECK_ERRNO(unshare(CLONE_NEWUSER), EPERM);
}
