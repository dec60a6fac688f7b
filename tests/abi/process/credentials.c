/* SPDX-License-Identifier: MIT */
/* User and group ids, supplementary groups, capabilities. */
#include "../check.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void
check_uids(uid_t r, uid_t e, uid_t s)
{
	uid_t gr, ge, gs;

	CHECK_OK(getresuid(&gr, &ge, &gs));
	CHECK_EQ(gr, r);
	CHECK_EQ(ge, e);
	CHECK_EQ(gs, s);
	CHECK_EQ(getuid(), r);
	CHECK_EQ(geteuid(), e);
}

static uint64_t
effective_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_OK(syscall(SYS_capget, &head, data));
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

TEST(setuid_by_root_sets_all_three)
{
	CHECK_OK(setuid(1000));
	check_uids(1000, 1000, 1000);
	CHECK_ERRNO(setuid(0), EPERM);
	CHECK_ERRNO(setuid(1001), EPERM);
	CHECK_OK(setuid(1000));
}

TEST(setuid_by_others_moves_the_effective_id)
{
	CHECK_OK(setresuid(1000, 1001, 1002));
	CHECK_OK(setuid(1000));
	check_uids(1000, 1000, 1002);
	CHECK_OK(setuid(1002));
	check_uids(1000, 1002, 1002);
	CHECK_ERRNO(setuid(1001), EPERM);
}

TEST(setresuid_rules)
{
	CHECK_OK(setresuid(1, 2, 3));
	check_uids(1, 2, 3);
	CHECK_OK(setresuid((uid_t)-1, 3, (uid_t)-1));
	check_uids(1, 3, 3);
	CHECK_OK(setresuid(3, 1, 1));
	check_uids(3, 1, 1);
	CHECK_ERRNO(setresuid(2, (uid_t)-1, (uid_t)-1), EPERM);
	CHECK_ERRNO(setresuid((uid_t)-1, (uid_t)-1, 0), EPERM);
	uid_t *bad = check_bad_address();
	CHECK_ERRNO(getresuid(bad, bad, bad), EFAULT);
}

TEST(setreuid_saves_the_effective_id)
{
	CHECK_OK(setreuid(1000, 1001));
	check_uids(1000, 1001, 1001);
	CHECK_OK(setreuid((uid_t)-1, 1000));
	check_uids(1000, 1000, 1001);
	CHECK_OK(setreuid((uid_t)-1, 1001));
	CHECK_OK(setreuid(1001, 1000));
	check_uids(1001, 1000, 1000);
	CHECK_ERRNO(setreuid(5, (uid_t)-1), EPERM);
	CHECK_ERRNO(setreuid((uid_t)-1, 5), EPERM);
}

TEST(seteuid_drops_and_regains)
{
	check_write_file("f", "", 0);
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(seteuid(1000));
	check_uids(0, 1000, 0);
	CHECK_ERRNO(open("f", O_RDONLY), EACCES);
	CHECK_OK(seteuid(0));
	CHECK_OK(open("f", O_RDONLY));
}

TEST(group_ids_follow_the_same_rules)
{
	gid_t r, e, s;

	CHECK_OK(setresgid(1, 2, 3));
	CHECK_OK(getresgid(&r, &e, &s));
	CHECK(r == 1 && e == 2 && s == 3);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_OK(setgid(3));
	CHECK_OK(getresgid(&r, &e, &s));
	CHECK(r == 1 && e == 3 && s == 3);
	CHECK_ERRNO(setgid(0), EPERM);
	CHECK_ERRNO(setresgid(9, (gid_t)-1, (gid_t)-1), EPERM);
	CHECK_ERRNO(setregid((gid_t)-1, 9), EPERM);
	CHECK_OK(setregid(3, 1));
	CHECK_EQ(getgid(), 3);
	CHECK_EQ(getegid(), 1);
}

TEST(setgid_by_root_sets_all_three)
{
	gid_t r, e, s;

	CHECK_OK(setgid(1000));
	CHECK_OK(getresgid(&r, &e, &s));
	CHECK(r == 1000 && e == 1000 && s == 1000);
	CHECK_OK(setgid(0));
}

TEST(supplementary_groups)
{
	gid_t set[3] = { 30, 10, 20 }, got[8];
	long sum = 0;

	CHECK_OK(setgroups(3, set));
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_EQ(getgroups(8, got), 3);
	for (int i = 0; i < 3; i++)
		sum += got[i];
	CHECK_EQ(sum, 60);
	CHECK_ERRNO(getgroups(2, got), EINVAL);
	CHECK_ERRNO(getgroups(-1, got), EINVAL);
	CHECK_ERRNO(getgroups(3, check_bad_address()), EFAULT);
	CHECK_ERRNO(setgroups(65537, set), EINVAL);
	CHECK_ERRNO(setgroups(3, check_bad_address()), EFAULT);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(getgroups(0, NULL), 3);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
}

TEST(new_files_belong_to_the_effective_ids)
{
	struct stat st;

	CHECK_OK(setresgid(11, 12, 13));
	CHECK_OK(setresuid(1, 2, 0));
	CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 2);
	CHECK_EQ(st.st_gid, 12);
}

TEST(setfsuid_changes_file_access_only)
{
	struct stat st;

	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsuid(1000), 1000);
	CHECK_EQ(geteuid(), 0);
	CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(setfsuid((uid_t)-1), 1000);
}

TEST(ids_of_minus_one_are_refused)
{
	CHECK_ERRNO(setuid((uid_t)-1), EINVAL);
	CHECK_ERRNO(setgid((gid_t)-1), EINVAL);
}

TEST(capabilities_of_root_and_others)
{
	CHECK(effective_capabilities() & 1ULL << CAP_KILL);
	CHECK(effective_capabilities() & 1ULL << CAP_SYS_ADMIN);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(1000, 1000, 1000));
		CHECK_EQ(effective_capabilities(), 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(seteuid(1000));
	CHECK_EQ(effective_capabilities(), 0);
	CHECK_OK(seteuid(0));
	CHECK(effective_capabilities() & 1ULL << CAP_KILL);
}

TEST(capget_version_and_errors)
{
	struct __user_cap_header_struct head = { .version = 0 };
	struct __user_cap_data_struct data[2];

	CHECK_ERRNO(syscall(SYS_capget, &head, data), EINVAL);
	CHECK_EQ(head.version, _LINUX_CAPABILITY_VERSION_3);
	head.pid = 4194300;
	CHECK_ERRNO(syscall(SYS_capget, &head, data), ESRCH);
	CHECK_ERRNO(syscall(SYS_capget, check_bad_address(), data), EFAULT);
}

TEST(dropped_capability_is_enforced)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_OK(syscall(SYS_capget, &head, data));
	data[0].effective &= ~(1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE);
	CHECK_OK(syscall(SYS_capset, &head, data));
	check_write_file("f", "", 0);
	CHECK_ERRNO(chown("f", 1000, 1000), EPERM);
	CHECK_OK(chmod("f", 0));
	CHECK_ERRNO(open("f", O_RDWR), EACCES);
	data[0].effective |= 1U << CAP_CHOWN;
	CHECK_OK(syscall(SYS_capset, &head, data));
	CHECK_OK(chown("f", 1000, 1000));
	data[0].permitted = data[0].effective = data[0].inheritable = 0;
	data[1] = data[0];
	CHECK_OK(syscall(SYS_capset, &head, data));
	data[0].permitted = 1;
	CHECK_ERRNO(syscall(SYS_capset, &head, data), EPERM);
}

TEST(keepcaps_keeps_the_permitted_set)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_OK(syscall(SYS_capget, &head, data));
	CHECK_EQ(data[0].effective, 0);
	CHECK(data[0].permitted != 0);
}
