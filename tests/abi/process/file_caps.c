/* SPDX-License-Identifier: MIT */
/* Capabilities of program files: security.capability, and what exec makes of it. */
#include "../namespaces/ns.h"

#include <sys/auxv.h>
#include <sys/xattr.h>

#define NAME "security.capability"
#define ONE(cap) (1ull << (cap))

struct v3 {
	uint32_t magic, permitted_low, inheritable_low, permitted_high, inheritable_high, root;
};

static struct v3
caps_2(uint64_t permitted, uint64_t inheritable, bool effective)
{
	return (struct v3){
		.magic = 0x02000000u | effective,
		.permitted_low = (uint32_t)permitted,
		.permitted_high = (uint32_t)(permitted >> 32),
		.inheritable_low = (uint32_t)inheritable,
		.inheritable_high = (uint32_t)(inheritable >> 32),
	};
}

static void
set_caps(uint64_t permitted, uint64_t inheritable, bool effective)
{
	struct v3 v = caps_2(permitted, inheritable, effective);

	CHECK_OK(setxattr("prog", NAME, &v, 20, 0));
}

/* A tmpfs of one's own with a copy of this program in it. */
static void
program(void)
{
	char buf[65536];
	int in, out;
	ssize_t n;

	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=755"));
	CHECK_OK(chdir("m"));
	in = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	out = CHECK_OK(open("prog", O_CREAT | O_WRONLY, 0755));
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

static uint64_t
status(const char *field)
{
	static char text[8192];
	char *at;

	check_read_file("/proc/self/status", text, sizeof(text));
	at = strstr(text, field);
	CHECK(at != NULL);
	return strtoull(at + strlen(field) + 1, NULL, 16);
}

/* argv: permitted, effective, inheritable, ambient, AT_SECURE as they should be. */
HELPER(caps)
{
	CHECK_EQ(argc, 6);
	CHECK_EQ(status("CapPrm:"), strtoull(argv[1], NULL, 16));
	CHECK_EQ(status("CapEff:"), strtoull(argv[2], NULL, 16));
	CHECK_EQ(status("CapInh:"), strtoull(argv[3], NULL, 16));
	CHECK_EQ(status("CapAmb:"), strtoull(argv[4], NULL, 16));
	CHECK_EQ(getauxval(AT_SECURE), atoi(argv[5]));
}

static void
run(uint64_t permitted, uint64_t effective, uint64_t inheritable, uint64_t ambient, int secure)
{
	char p[32], e[32], i[32], a[32], *argv[] = { "prog", "--helper", "caps", p, e, i, a, secure ? "1" : "0", NULL };

	snprintf(p, sizeof(p), "%llx", (unsigned long long)permitted);
	snprintf(e, sizeof(e), "%llx", (unsigned long long)effective);
	snprintf(i, sizeof(i), "%llx", (unsigned long long)inheritable);
	snprintf(a, sizeof(a), "%llx", (unsigned long long)ambient);
	execv("prog", argv);
	FAIL("exec: errno %d", errno);
}

/* The user 1000, who has these in the set that he passes on, and in his ambient set. */
static void
become_user(uint64_t inheritable, uint64_t ambient)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	CHECK_OK(setresgid(1000, 1000, 1000));
	CHECK_OK(setresuid(1000, 1000, 1000));
	data[0].inheritable = (uint32_t)inheritable;
	data[0].permitted = (uint32_t)ambient;
	CHECK_OK(syscall(SYS_capset, &head, data));
	for (int cap = 0; cap < 32; cap++)
		if (ambient & ONE(cap))
			CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

TEST(file_caps_permitted_and_effective)
{
	program();
	set_caps(ONE(CAP_NET_RAW) | ONE(CAP_KILL), 0, true);
	become_user(0, 0);
	run(ONE(CAP_NET_RAW) | ONE(CAP_KILL), ONE(CAP_NET_RAW) | ONE(CAP_KILL), 0, 0, 1);
}

TEST(file_caps_not_effective)
{
	program();
	set_caps(ONE(CAP_NET_RAW), 0, false);
	become_user(0, 0);
	run(ONE(CAP_NET_RAW), 0, 0, 0, 1);
}

TEST(file_caps_inheritable)
{
	program();
	set_caps(0, ONE(CAP_NET_RAW) | ONE(CAP_CHOWN), true);
	become_user(ONE(CAP_NET_RAW) | ONE(CAP_KILL), 0);
	run(ONE(CAP_NET_RAW), ONE(CAP_NET_RAW), ONE(CAP_NET_RAW) | ONE(CAP_KILL), 0, 1);
}

TEST(file_caps_take_ambient_ones_away)
{
	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	become_user(ONE(CAP_KILL), ONE(CAP_KILL));
	run(ONE(CAP_CHOWN), ONE(CAP_CHOWN), ONE(CAP_KILL), 0, 1);
}

TEST(file_caps_empty_set_takes_them_away_too)
{
	program();
	set_caps(0, 0, false);
	become_user(ONE(CAP_KILL), ONE(CAP_KILL));
	run(0, 0, ONE(CAP_KILL), 0, 0);
}

TEST(ambient_ones_pass_a_plain_file)
{
	program();
	become_user(ONE(CAP_KILL), ONE(CAP_KILL));
	run(ONE(CAP_KILL), ONE(CAP_KILL), ONE(CAP_KILL), ONE(CAP_KILL), 0);
}

TEST(file_caps_bounded)
{
	char *argv[] = { "prog", "--helper", "caps", NULL };
	pid_t pid;

	program();
	set_caps(ONE(CAP_CHOWN) | ONE(CAP_KILL), 0, false);
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0));
	pid = check_fork();
	if (pid == 0) {
		become_user(0, 0);
		run(ONE(CAP_CHOWN), 0, 0, 0, 1);
	}
	CHECK_EXIT(pid, 0);
	/* all of them at once, or none */
	set_caps(ONE(CAP_CHOWN) | ONE(CAP_KILL), 0, true);
	become_user(0, 0);
	CHECK_ERRNO(execv("prog", argv), EPERM);
}

TEST(file_caps_on_nosuid_do_not_count)
{
	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	become_user(0, 0);
	run(0, 0, 0, 0, 0);
}

TEST(file_caps_without_new_privileges)
{
	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	become_user(0, 0);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	run(0, 0, 0, 0, 1);
}

TEST(set_user_id_root_beside_file_caps_is_not_all)
{
	program();
	CHECK_OK(chmod("prog", 04755));
	set_caps(ONE(CAP_CHOWN), 0, true);
	become_user(0, 0);
	run(ONE(CAP_CHOWN), ONE(CAP_CHOWN), 0, 0, 1);
}

TEST(root_has_all_beside_file_caps)
{
	uint64_t all;

	program();
	set_caps(ONE(CAP_CHOWN), 0, false);
	all = status("CapBnd:");
	run(all, all, 0, 0, 0);
}

TEST(noroot_has_what_the_file_gives)
{
	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(prctl(PR_SET_SECUREBITS, 1 /* SECBIT_NOROOT */, 0, 0, 0));
	run(ONE(CAP_CHOWN), ONE(CAP_CHOWN), 0, 0, 0);
}

TEST(no_new_privileges_of_a_weakened_root)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	program();
	data[0].permitted = data[0].effective = (uint32_t)ONE(CAP_CHOWN);
	CHECK_OK(syscall(SYS_capset, &head, data));
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	run(ONE(CAP_CHOWN), ONE(CAP_CHOWN), 0, 0, 0);
}

TEST(file_caps_attribute)
{
	struct v3 v = caps_2(ONE(CAP_CHOWN), ONE(CAP_KILL), true), got = { 0 };
	char list[256];

	program();
	CHECK_ERRNO(getxattr("prog", NAME, &got, sizeof(got)), ENODATA);
	CHECK_ERRNO(setxattr("prog", NAME, &v, 19, 0), EINVAL);
	CHECK_ERRNO(setxattr("prog", NAME, &v, 24, 0), EINVAL); /* the length of another revision */
	v.magic = 0x01000000;
	CHECK_ERRNO(setxattr("prog", NAME, &v, 12, 0), EINVAL);
	v.magic = 0x02000001;
	CHECK_ERRNO(setxattr("prog", NAME, &v, 20, XATTR_REPLACE), ENODATA);
	CHECK_OK(setxattr("prog", NAME, &v, 20, XATTR_CREATE));
	CHECK_ERRNO(setxattr("prog", NAME, &v, 20, XATTR_CREATE), EEXIST);
	CHECK_EQ(getxattr("prog", NAME, NULL, 0), 20);
	CHECK_ERRNO(getxattr("prog", NAME, &got, 19), ERANGE);
	CHECK_EQ(getxattr("prog", NAME, &got, sizeof(got)), 20);
	CHECK_MEM(&got, &v, 20);
	CHECK_EQ(listxattr("prog", list, sizeof(list)), (ssize_t)sizeof(NAME));
	CHECK_STR(list, NAME);
	/* of another user's namespace: told with that user */
	v.magic = 0x03000001;
	v.root = 1000;
	CHECK_OK(setxattr("prog", NAME, &v, 24, 0));
	CHECK_EQ(getxattr("prog", NAME, &got, sizeof(got)), 24);
	CHECK_MEM(&got, &v, 24);
	CHECK_OK(removexattr("prog", NAME));
	CHECK_ERRNO(removexattr("prog", NAME), ENODATA);
}

TEST(file_caps_need_setfcap)
{
	struct v3 v = caps_2(ONE(CAP_CHOWN), 0, true);

	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(chown(".", 1000, 1000));
	check_write_file("mine", "x", 1);
	CHECK_OK(chown("mine", 1000, 1000));
	become_user(0, 0);
	CHECK_ERRNO(setxattr("mine", NAME, &v, 20, 0), EPERM);
	CHECK_ERRNO(setxattr("mine", NAME, &v, 19, 0), EINVAL);
	CHECK_EQ(getxattr("prog", NAME, NULL, 0), 20);
}

static bool
has_caps(const char *name)
{
	return getxattr(name, NAME, NULL, 0) > 0;
}

TEST(writing_and_giving_away_take_file_caps_off)
{
	int fd;

	program();
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(chmod("prog", 0700));
	CHECK(has_caps("prog"));
	CHECK_OK(chown("prog", 1000, (gid_t)-1));
	CHECK(!has_caps("prog"));
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(chown("prog", (uid_t)-1, 1000));
	CHECK(!has_caps("prog"));
	set_caps(ONE(CAP_CHOWN), 0, true);
	fd = CHECK_OK(open("prog", O_WRONLY));
	CHECK(has_caps("prog"));
	CHECK_EQ(write(fd, "", 0), 0);
	CHECK(has_caps("prog"));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK(!has_caps("prog"));
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(ftruncate(fd, 0));
	CHECK(!has_caps("prog"));
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(truncate("prog", 10));
	CHECK(!has_caps("prog"));
	set_caps(ONE(CAP_CHOWN), 0, true);
	close(CHECK_OK(open("prog", O_WRONLY | O_TRUNC)));
	CHECK(!has_caps("prog"));
	/* renaming and linking do not */
	set_caps(ONE(CAP_CHOWN), 0, true);
	CHECK_OK(link("prog", "other"));
	CHECK_OK(rename("other", "third"));
	CHECK(has_caps("third"));
}

/* What root of a user namespace sets counts there and not outside. */
TEST(file_caps_of_a_user_namespace)
{
	struct v3 v = caps_2(ONE(CAP_CHOWN), 0, true), got;
	pid_t pid;

	program();
	CHECK_OK(chown("prog", 1000, 1000));
	pid = check_fork();
	if (pid == 0) {
		become_user(0, 0);
		become_root_inside();
		CHECK_OK(setxattr("prog", NAME, &v, 20, 0));
		CHECK_EQ(getxattr("prog", NAME, &got, sizeof(got)), 20); /* one's own root: the short form */
		CHECK_MEM(&got, &v, 20);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(getxattr("prog", NAME, &got, sizeof(got)), 24);
	CHECK_EQ(got.magic, 0x03000001);
	CHECK_EQ(got.root, 1000);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(2000, 2000, 2000));
		run(0, 0, 0, 0, 0);
	}
	CHECK_EXIT(pid, 0);
}
