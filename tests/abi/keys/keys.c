/* SPDX-License-Identifier: MIT */
/* Keys: made, read, changed, ended; who may do what; quotas. */
#include "keys.h"

TEST(key_holds_what_was_put_in)
{
	char text[8] = "";

	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK(k > 0);
	CHECK_EQ(keyctl(KEYCTL_READ, k, text, sizeof(text)), 3);
	CHECK_STR(text, "abc");
	CHECK_STR(describe(k), "user;0;0;3f010000;name");
	CHECK(is_in(k, RING));
	CHECK_EQ(keyctl(KEYCTL_DESCRIBE, k, NULL, 0), 23);
	CHECK_EQ(keyctl(KEYCTL_DESCRIBE, k, text, 3), 23);
	CHECK_STR(text, "abc");
	CHECK_EQ(keyctl(KEYCTL_GET_SECURITY, k, NULL, 0), 1);
}

TEST(key_read_gives_all_or_nothing)
{
	char text[8] = "xxxxxxx";

	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_EQ(keyctl(KEYCTL_READ, k, NULL, 0), 3);
	CHECK_EQ(keyctl(KEYCTL_READ, k, text, 2), 3);
	CHECK_STR(text, "xxxxxxx");
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, check_bad_address(), 8), EFAULT);
	CHECK_ERRNO(keyctl(KEYCTL_DESCRIBE, k, check_bad_address(), 80), EFAULT);
}

TEST(key_of_the_same_name_is_changed)
{
	char text[8] = "";

	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_EQ(add("user", "name", "defg", 4, RING), k);
	CHECK_EQ(keyctl(KEYCTL_READ, k, text, sizeof(text)), 4);
	CHECK_STR(text, "defg");
	CHECK_OK(keyctl(KEYCTL_UPDATE, k, "h", 1));
	CHECK_EQ(keyctl(KEYCTL_READ, k, text, sizeof(text)), 1);
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, "", 0), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, text, 5000), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, check_bad_address(), 5), EFAULT);
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, RING, "x", 1), EOPNOTSUPP);
	CHECK(add("keyring", "r", NULL, 0, RING) != add("keyring", "r", NULL, 0, RING));
}

TEST(logon_key_cannot_be_read)
{
	session();
	serial_t k = CHECK_OK(add("logon", "svc:name", "abc", 3, RING));
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, NULL, 0), EOPNOTSUPP);
	CHECK_STR(describe(k), "logon;0;0;3d010000;svc:name");
	CHECK_OK(keyctl(KEYCTL_UPDATE, k, "h", 1));
	CHECK_ERRNO(add("logon", "name", "abc", 3, RING), EINVAL);
	CHECK_ERRNO(add("logon", ":name", "abc", 3, RING), EINVAL);
	CHECK_OK(add("logon", "svc:", "abc", 3, RING));
}

TEST(add_key_checks_its_arguments)
{
	static char big[40000], name[5000];
	char type[40];
	void *bad = check_bad_address();

	session();
	CHECK_ERRNO(add("nothing", "a", "x", 1, RING), ENODEV);
	CHECK_ERRNO(add(".user", "a", "x", 1, RING), EPERM);
	CHECK_ERRNO(add("", "a", "x", 1, RING), EINVAL);
	CHECK_ERRNO(add("user", "", "x", 1, RING), EINVAL);
	CHECK_ERRNO(add("user", NULL, "x", 1, RING), EINVAL);
	CHECK_ERRNO(add("user", "a", "", 0, RING), EINVAL);
	CHECK_ERRNO(add("user", "a", big, 32768, RING), EINVAL);
	CHECK_OK(add("user", "a", big, 32767, RING));
	CHECK_ERRNO(add("user", "a", big, 1 << 20, RING), EINVAL);
	CHECK_ERRNO(add("keyring", "a", "x", 1, RING), EINVAL);
	CHECK_ERRNO(add("keyring", ".a", NULL, 0, RING), EPERM);
	CHECK_OK(add("user", ".a", "x", 1, RING));
	CHECK_ERRNO(add("user", "a", "x", 1, 0), EINVAL);
	CHECK_ERRNO(add("user", "a", "x", 1, KEY_SPEC_GROUP_KEYRING), EINVAL);
	CHECK_ERRNO(add("user", "a", "x", 1, KEY_SPEC_REQKEY_AUTH_KEY), ENOKEY);
	CHECK_ERRNO(add("user", "a", "x", 1, -9), EINVAL);
	CHECK_ERRNO(add("nothing", "a", "x", 1, 1), ENOKEY);
	CHECK_ERRNO(add("user", "b", "x", 1, (serial_t)CHECK_OK(add("user", "a", "x", 1, RING))), ENOTDIR);
	memset(name, 'n', sizeof(name));
	name[4095] = 0;
	CHECK_OK(add("user", name, "x", 1, RING));
	name[4095] = 'n';
	name[4096] = 0;
	CHECK_ERRNO(add("user", name, "x", 1, RING), EINVAL);
	memset(type, 't', sizeof(type));
	type[31] = 0;
	CHECK_ERRNO(add(type, "a", "x", 1, RING), ENODEV);
	type[31] = 't';
	type[32] = 0;
	CHECK_ERRNO(add(type, "a", "x", 1, RING), EINVAL);
	CHECK_ERRNO(add(bad, "a", "x", 1, RING), EFAULT);
	CHECK_ERRNO(add("user", bad, "x", 1, RING), EFAULT);
	CHECK_ERRNO(add("user", "a", bad, 1, RING), EFAULT);
}

TEST(revoked_key_tells_so)
{
	char text[4];

	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_OK(keyctl(KEYCTL_REVOKE, k));
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, text, 4), EKEYREVOKED);
	CHECK_ERRNO(keyctl(KEYCTL_DESCRIBE, k, text, 4), EKEYREVOKED);
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, text, 4), EKEYREVOKED);
	CHECK_ERRNO(keyctl(KEYCTL_REVOKE, k), EKEYREVOKED);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", "name", 0), EKEYREVOKED);
	CHECK_ERRNO(keyctl(KEYCTL_CLEAR, k), EKEYREVOKED);
	serial_t fresh = CHECK_OK(add("user", "name", "x", 1, RING));
	CHECK(fresh != k);
	CHECK(is_in(fresh, RING));
	CHECK(!is_in(k, RING));
}

TEST(invalidated_key_is_gone)
{
	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_OK(keyctl(KEYCTL_INVALIDATE, k));
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, NULL, 0), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_INVALIDATE, k), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_INVALIDATE, 1), ENOKEY);
	for (int i = 0; i < 1000 && is_in(k, RING); i++)
		check_sleep_ms(5);
	CHECK(!is_in(k, RING));
}

TEST(expired_key_tells_so_and_update_makes_it_good)
{
	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, k, 1));
	for (int i = 0; i < 1000 && keyctl(KEYCTL_READ, k, NULL, 0) == 3; i++)
		check_sleep_ms(5);
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, NULL, 0), EKEYEXPIRED);
	CHECK_ERRNO(keyctl(KEYCTL_DESCRIBE, k, NULL, 0), EKEYEXPIRED);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", "name", 0), EKEYEXPIRED);
	CHECK_ERRNO(request("user", "name", NULL, 0), ENOKEY);
	CHECK_EQ(add("user", "name", "x", 1, RING), k);
	CHECK_EQ(keyctl(KEYCTL_READ, k, NULL, 0), 1);
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, k, 1000));
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, k, 0));
	CHECK_ERRNO(keyctl(KEYCTL_SET_TIMEOUT, 1, 1), ENOKEY);
}

TEST(permissions_are_asked)
{
	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_ERRNO(keyctl(KEYCTL_SETPERM, k, 0x40), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_SETPERM, k, 0x80000000), EINVAL);
	CHECK_OK(keyctl(KEYCTL_SETPERM, k, KEY_POS(SETATTR) | KEY_POS(VIEW)));
	CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, "x", 1), EACCES);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, k, KEY_SPEC_PROCESS_KEYRING), EACCES);
	CHECK_ERRNO(keyctl(KEYCTL_INVALIDATE, k), EACCES);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", "name", 0), EACCES);
	CHECK_ERRNO(keyctl(KEYCTL_READ, k, NULL, 0), EACCES); /* without SEARCH nobody possesses it */
	CHECK_ERRNO(keyctl(KEYCTL_SETPERM, k, 0x3f), EACCES);
	k = CHECK_OK(add("user", "other", "abc", 3, RING));
	CHECK_OK(keyctl(KEYCTL_SETPERM, k, KEY_POS(SEARCH) | KEY_USR(SETATTR)));
	CHECK_EQ(keyctl(KEYCTL_READ, k, NULL, 0), 3);
	CHECK_ERRNO(keyctl(KEYCTL_DESCRIBE, k, NULL, 0), EACCES);
	CHECK_OK(keyctl(KEYCTL_SETPERM, k, KEY_USR(READ) | KEY_USR(SETATTR)));
	CHECK_EQ(keyctl(KEYCTL_READ, k, NULL, 0), 3);
	CHECK_OK(keyctl(KEYCTL_SETPERM, k, 0));
	CHECK_ERRNO(keyctl(KEYCTL_REVOKE, k), EACCES);
}

TEST(owner_group_and_others)
{
	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, KEY_SPEC_PROCESS_KEYRING));
	CHECK_OK(keyctl(KEYCTL_SETPERM, k, KEY_POS(ALL) | KEY_USR(ALL) | KEY_GRP(VIEW) | KEY_OTH(READ)));
	CHECK_OK(keyctl(KEYCTL_CHOWN, k, -1, 7));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_become(1000, 7);
		CHECK_STR(describe(k), "user;0;7;3f3f0102;name");
		CHECK_ERRNO(keyctl(KEYCTL_READ, k, NULL, 0), EACCES);
		CHECK_ERRNO(keyctl(KEYCTL_CHOWN, k, 1000, -1), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	pid = check_fork();
	if (pid == 0) {
		check_become(1000, 1000);
		CHECK_ERRNO(keyctl(KEYCTL_DESCRIBE, k, NULL, 0), EACCES);
		CHECK_EQ(keyctl(KEYCTL_READ, k, NULL, 0), 3);
		serial_t own = CHECK_OK(add("user", "mine", "x", 1, KEY_SPEC_PROCESS_KEYRING));
		CHECK_ERRNO(keyctl(KEYCTL_CHOWN, own, 1001, -1), EACCES);
		CHECK_ERRNO(keyctl(KEYCTL_CHOWN, own, -1, 1001), EACCES);
		CHECK_OK(keyctl(KEYCTL_CHOWN, own, 1000, 1000));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(keyctl(KEYCTL_CHOWN, k, 5, -1));
	CHECK_STR(describe(k), "user;5;7;3f3f0102;name");
}

TEST(quota_of_keys_and_bytes)
{
	static char big[20001];
	char name[16];
	int n = 0;

	pid_t pid = check_fork();
	if (pid == 0) {
		check_become(4711, 4711);
		session();
		CHECK_ERRNO(add("user", "big", big, sizeof(big), RING), EDQUOT);
		serial_t k = CHECK_OK(add("user", "big", big, 15000, RING));
		CHECK_ERRNO(add("user", "more", big, 15000, RING), EDQUOT);
		CHECK_ERRNO(keyctl(KEYCTL_UPDATE, k, big, 4096) ? -1 : (errno = 0, -1), 0);
		CHECK_OK(keyctl(KEYCTL_UNLINK, k, RING));
		for (; n < 300; n++) {
			snprintf(name, sizeof(name), "%d", n);
			if (add("user", name, "x", 1, RING) == -1)
				break;
		}
		CHECK_EQ(errno, EDQUOT);
		CHECK_RANGE(n, 190, 199);
		CHECK_EQ(add("user", "0", "y", 1, RING), keyctl(KEYCTL_SEARCH, RING, "user", "0", 0));
		CHECK_OK(keyctl(KEYCTL_CLEAR, RING));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(proc_lists_keys_and_users)
{
	static char text[65536];
	char want[128];

	session();
	serial_t k = CHECK_OK(add("user", "listed", "abc", 3, RING));
	serial_t r = CHECK_OK(add("keyring", "listed ring", NULL, 0, RING));
	CHECK_OK(keyctl(KEYCTL_SET_TIMEOUT, k, 7300));
	check_read_file("/proc/keys", text, sizeof(text));
	snprintf(want, sizeof(want), "%08x I--Q---     1   2h 3f010000     0     0 user      listed: 3\n", k);
	CHECK(strstr(text, want));
	snprintf(want, sizeof(want), "%08x I--Q---     1 perm 3f010000     0     0 keyring   listed ring: empty\n", r);
	CHECK(strstr(text, want));
	CHECK_OK(keyctl(KEYCTL_LINK, k, r));
	CHECK_OK(keyctl(KEYCTL_REVOKE, k));
	check_read_file("/proc/keys", text, sizeof(text));
	snprintf(want, sizeof(want), "%08x IR-Q---     2", k);
	CHECK(strstr(text, want));
	CHECK(strstr(text, "keyring   listed ring: 1\n"));
	check_read_file("/proc/key-users", text, sizeof(text));
	CHECK(strstr(text, "    0: "));
	CHECK(strstr(text, "/1000000 "));
	CHECK(strstr(text, "/25000000\n"));
}

TEST(calls_for_who_makes_keys_are_refused)
{
	session();
	serial_t k = CHECK_OK(add("user", "name", "abc", 3, RING));
	CHECK_ERRNO(keyctl(KEYCTL_INSTANTIATE, k, "x", 1, 0), EPERM);
	CHECK_ERRNO(keyctl(KEYCTL_INSTANTIATE, k, "x", 1 << 20, 0), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_NEGATE, k, 1, 0), EPERM);
	CHECK_ERRNO(keyctl(KEYCTL_REJECT, k, 1, EKEYREJECTED, 0), EPERM);
	CHECK_ERRNO(keyctl(KEYCTL_REJECT, k, 1, 0, 0), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_REJECT, k, 1, 4096, 0), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_REJECT, k, 1, 512, 0), EINVAL);
	CHECK_EQ(keyctl(KEYCTL_ASSUME_AUTHORITY, 0), 0);
	CHECK_ERRNO(keyctl(KEYCTL_ASSUME_AUTHORITY, k), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_ASSUME_AUTHORITY, -1), EINVAL);
	CHECK_ERRNO(keyctl(999), EOPNOTSUPP);
}

TEST(capabilities_tell_what_there_is)
{
	unsigned char b[8];

	memset(b, 0xff, sizeof(b));
	CHECK_EQ(keyctl(KEYCTL_CAPABILITIES, b, sizeof(b)), 2);
	CHECK_EQ(b[0] & (KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_PERSISTENT_KEYRINGS | KEYCTL_CAPS0_INVALIDATE |
			 KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE), 0xe3);
	CHECK_EQ(b[1] & KEYCTL_CAPS1_NS_KEYRING_NAME, 1);
	CHECK_MEM(b + 2, "\0\0\0\0\0", 6);
	CHECK_EQ(keyctl(KEYCTL_CAPABILITIES, NULL, 0), 2);
	CHECK_ERRNO(keyctl(KEYCTL_CAPABILITIES, check_bad_address(), 2), EFAULT);
	CHECK_ERRNO(keyctl(KEYCTL_CAPABILITIES, NULL, 2), EFAULT);
}

/* Who came here without a session gets his user's keyring for it, in the middle of the call. */
TEST(first_request_of_a_user_without_a_session)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(request("user", "nobody has this one", "a", 0), ENOENT);
		CHECK_ERRNO(request("user", "nobody has this one", "a", 0), ENOKEY);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}
