/* SPDX-License-Identifier: MIT */
/* Keyrings: links, searches, and those that belong to a thread, a process, a session, a user. */
#include "keys.h"

#include <pthread.h>
#include <sys/fsuid.h>

static serial_t
ring_in(const char *name, serial_t parent)
{
	return (serial_t)CHECK_OK(add("keyring", name, NULL, 0, parent));
}

static serial_t
id_of(serial_t special, int create)
{
	return (serial_t)keyctl(KEYCTL_GET_KEYRING_ID, special, create);
}

TEST(links_and_unlinks)
{
	session();
	serial_t r = ring_in("r", RING), k = CHECK_OK(add("user", "k", "x", 1, RING));
	CHECK_OK(keyctl(KEYCTL_LINK, k, r));
	CHECK_OK(keyctl(KEYCTL_LINK, k, r));
	CHECK(is_in(k, r));
	CHECK_EQ(keyctl(KEYCTL_READ, r, NULL, 0), 4);
	CHECK_OK(keyctl(KEYCTL_UNLINK, k, r));
	CHECK_ERRNO(keyctl(KEYCTL_UNLINK, k, r), ENOENT);
	CHECK_ERRNO(keyctl(KEYCTL_UNLINK, r, k), ENOTDIR);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, r, k), ENOTDIR);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, 1, r), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, k, 1), ENOKEY);
	CHECK_OK(keyctl(KEYCTL_REVOKE, k));
	CHECK_OK(keyctl(KEYCTL_UNLINK, k, RING)); /* in whatever state */
	CHECK_ERRNO(keyctl(KEYCTL_CLEAR, k = CHECK_OK(add("user", "k", "x", 1, RING))), ENOTDIR);
	CHECK_OK(keyctl(KEYCTL_CLEAR, RING));
	CHECK_EQ(keyctl(KEYCTL_READ, RING, NULL, 0), 0);
}

TEST(keyrings_make_no_circle)
{
	session();
	serial_t a = ring_in("a", RING), b = ring_in("b", a), c = ring_in("c", b);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, a, a), EDEADLK);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, a, b), EDEADLK);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, a, c), EDEADLK);
	CHECK_OK(keyctl(KEYCTL_LINK, c, a));
}

TEST(search_enters_keyrings)
{
	session();
	serial_t a = ring_in("a", RING), b = ring_in("b", a);
	serial_t k = CHECK_OK(add("user", "deep", "x", 1, b));
	CHECK_EQ(keyctl(KEYCTL_SEARCH, RING, "user", "deep", 0), k);
	CHECK_EQ(request("user", "deep", NULL, 0), k);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, RING, "keyring", "b", 0), b);
	CHECK_EQ(keyctl(KEYCTL_SEARCH, RING, "user", "deep", RING), k);
	CHECK(is_in(k, RING));
	CHECK_OK(keyctl(KEYCTL_UNLINK, k, RING));
	CHECK_EQ(request("user", "deep", NULL, RING), k);
	CHECK(is_in(k, RING));
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", "none", 0), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "logon", "deep", 0), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "nothing", "deep", 0), ENOKEY);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, k, "user", "deep", 0), ENOTDIR);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, ".user", "deep", 0), EPERM);
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", check_bad_address(), 0), EFAULT);
	CHECK_OK(keyctl(KEYCTL_UNLINK, k, RING));
	CHECK_OK(keyctl(KEYCTL_SETPERM, a, KEY_POS(ALL) & ~KEY_POS(SEARCH)));
	CHECK_ERRNO(request("user", "deep", NULL, 0), ENOKEY);
}

TEST(request_makes_none_without_its_program)
{
	session();
	CHECK_ERRNO(request("user", "none", NULL, 0), ENOKEY);
	CHECK_ERRNO(request("nothing", "none", NULL, 0), ENOKEY);
	CHECK_ERRNO(request(".user", "none", NULL, 0), EPERM);
	CHECK_ERRNO(request("user", check_bad_address(), NULL, 0), EFAULT);
	CHECK_ERRNO(request("user", NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(request("user", "none", check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(request("user", "none", NULL, 1), ENOKEY);
	if (access("/sbin/request-key", X_OK) == 0)
		return;
	CHECK_ERRNO(request("user", "none", "make it", 0), ENOENT);
	CHECK_ERRNO(request("user", "none", "make it", 0), ENOKEY); /* that is remembered */
	CHECK_ERRNO(keyctl(KEYCTL_SEARCH, RING, "user", "none", 0), ENOKEY);
	CHECK_OK(add("user", "none", "x", 1, RING));
	CHECK_OK(request("user", "none", NULL, 0));
	serial_t plain = CHECK_OK(add("user", "plain", "x", 1, RING));
	CHECK_ERRNO(request("user", "none too", "make it", plain), ENOTDIR);
	CHECK_ERRNO(request("user", "none", NULL, plain), ENOTDIR);
}

TEST(move_takes_a_key_along)
{
	session();
	serial_t a = ring_in("a", RING), b = ring_in("b", RING), k = CHECK_OK(add("user", "k", "x", 1, a));
	CHECK_ERRNO(keyctl(KEYCTL_MOVE, k, a, b, 2), EINVAL);
	CHECK_OK(keyctl(KEYCTL_MOVE, k, a, b, 0));
	CHECK(is_in(k, b));
	CHECK(!is_in(k, a));
	CHECK_ERRNO(keyctl(KEYCTL_MOVE, k, a, b, 0), ENOENT);
	CHECK_OK(keyctl(KEYCTL_MOVE, k, b, b, 0));
	serial_t other = CHECK_OK(add("user", "k", "y", 1, a));
	CHECK_ERRNO(keyctl(KEYCTL_MOVE, k, b, a, KEYCTL_MOVE_EXCL), EEXIST);
	CHECK_OK(keyctl(KEYCTL_MOVE, k, b, a, 0));
	CHECK(is_in(k, a));
	CHECK(!is_in(other, a));
}

TEST(restricted_keyring_takes_nothing_more)
{
	session();
	serial_t r = ring_in("r", RING), k = CHECK_OK(add("user", "k", "x", 1, RING));
	CHECK_ERRNO(keyctl(KEYCTL_RESTRICT_KEYRING, r, NULL, "x"), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_RESTRICT_KEYRING, k, NULL, NULL), ENOTDIR);
	CHECK_OK(keyctl(KEYCTL_RESTRICT_KEYRING, r, NULL, NULL));
	CHECK_ERRNO(keyctl(KEYCTL_RESTRICT_KEYRING, r, NULL, NULL), EEXIST);
	CHECK_ERRNO(keyctl(KEYCTL_LINK, k, r), EPERM);
	CHECK_ERRNO(add("user", "other", "x", 1, r), EPERM);
}

TEST(special_keyrings_are_made_when_asked_for)
{
	session();
	CHECK_ERRNO(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
	CHECK_ERRNO(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
	serial_t t = CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1)), p = CHECK_OK(id_of(KEY_SPEC_PROCESS_KEYRING, 1));
	CHECK_EQ(id_of(KEY_SPEC_THREAD_KEYRING, 0), t);
	CHECK_STR(describe(t), "keyring;0;0;3f010000;_tid");
	CHECK_STR(describe(p), "keyring;0;0;3f010000;_pid");
	CHECK_STR(describe(RING), "keyring;0;0;3f030000;_ses");
	CHECK_STR(describe(KEY_SPEC_USER_KEYRING), "keyring;0;65534;1f3f0000;_uid.0");
	CHECK_STR(describe(KEY_SPEC_USER_SESSION_KEYRING), "keyring;0;65534;1f3f0000;_uid_ses.0");
	CHECK(is_in(id_of(KEY_SPEC_USER_KEYRING, 0), KEY_SPEC_USER_SESSION_KEYRING));
	CHECK_ERRNO(id_of(KEY_SPEC_GROUP_KEYRING, 0), EINVAL);
	CHECK_ERRNO(id_of(KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	CHECK_ERRNO(id_of(0, 0), EINVAL);
	CHECK_ERRNO(id_of(-100, 0), EINVAL);
}

TEST(children_get_the_session_only)
{
	serial_t s = session();
	CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
	CHECK_OK(id_of(KEY_SPEC_PROCESS_KEYRING, 1));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(id_of(RING, 0), s);
		CHECK_ERRNO(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
		CHECK_ERRNO(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static serial_t main_thread, main_process;

static void *
other_thread(void *arg)
{
	CHECK_EQ(id_of(KEY_SPEC_PROCESS_KEYRING, 0), main_process);
	serial_t own = CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 0));
	CHECK(own != main_thread);
	return arg;
}

TEST(threads_share_the_process_keyring)
{
	pthread_t t;

	session();
	main_thread = CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
	main_process = CHECK_OK(id_of(KEY_SPEC_PROCESS_KEYRING, 1));
	CHECK_RETURNS(pthread_create(&t, NULL, other_thread, NULL), 0);
	CHECK_RETURNS(pthread_join(t, NULL), 0);
}

HELPER(after_exec)
{
	CHECK_EQ(id_of(RING, 0), atoi(argv[1]));
	CHECK_ERRNO(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
	CHECK_ERRNO(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
}

TEST(exec_keeps_the_session_only)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", session());
	CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
	CHECK_OK(id_of(KEY_SPEC_PROCESS_KEYRING, 1));
	execl("/proc/self/exe", "x", "--helper", "after_exec", number, NULL);
	FAIL("exec: %s", check_error_name(errno));
}

TEST(named_session_is_joined_by_who_may_search_it)
{
	serial_t a = CHECK_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "abi-named"));
	CHECK_STR(describe(a), "keyring;0;0;3f130000;abi-named");
	CHECK(CHECK_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "abi-named")) != a);
	a = id_of(RING, 0);
	CHECK_OK(keyctl(KEYCTL_SETPERM, a, KEY_POS(ALL) | KEY_USR(ALL)));
	CHECK_EQ(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "abi-named"), 0); /* it is in it already */
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK(session() != a);
		CHECK_EQ(keyctl(KEYCTL_JOIN_SESSION_KEYRING, "abi-named"), a);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(keyctl(KEYCTL_JOIN_SESSION_KEYRING, ".x"), EPERM);
	CHECK_ERRNO(keyctl(KEYCTL_JOIN_SESSION_KEYRING, ""), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_JOIN_SESSION_KEYRING, check_bad_address()), EFAULT);
}

TEST(session_can_be_given_to_the_parent)
{
	serial_t old = session(), given;
	int p[2];

	CHECK_OK(pipe(p));
	pid_t pid = check_fork();
	if (pid == 0) {
		given = session();
		CHECK_OK(add("user", "present", "x", 1, RING));
		CHECK_OK(keyctl(KEYCTL_SESSION_TO_PARENT));
		check_write_all(p[1], &given, sizeof(given));
		_exit(0);
	}
	check_read_all(p[0], &given, sizeof(given));
	CHECK_EXIT(pid, 0);
	CHECK(given != old);
	CHECK_EQ(id_of(RING, 0), given);
	CHECK_OK(request("user", "present", NULL, 0));
}

TEST(default_keyring_for_requests)
{
	session();
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, -1), KEY_REQKEY_DEFL_DEFAULT);
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING), KEY_REQKEY_DEFL_DEFAULT);
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_THREAD_KEYRING), KEY_REQKEY_DEFL_SESSION_KEYRING);
	CHECK_OK(id_of(KEY_SPEC_THREAD_KEYRING, 0));
	CHECK_ERRNO(keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING), EINVAL);
	CHECK_ERRNO(keyctl(KEYCTL_SET_REQKEY_KEYRING, 9), EINVAL);
	CHECK_EQ(keyctl(KEYCTL_SET_REQKEY_KEYRING, -1), KEY_REQKEY_DEFL_THREAD_KEYRING);
}

TEST(persistent_keyring_is_the_same_again)
{
	session();
	serial_t a = CHECK_OK(keyctl(KEYCTL_GET_PERSISTENT, -1, RING));
	CHECK(is_in(a, RING));
	CHECK_EQ(keyctl(KEYCTL_GET_PERSISTENT, 0, RING), a);
	CHECK_STR(describe(a), "keyring;0;65534;1f030000;_persistent.0");
	CHECK(CHECK_OK(keyctl(KEYCTL_GET_PERSISTENT, 4712, RING)) != a);
	serial_t k = CHECK_OK(add("user", "k", "x", 1, RING));
	CHECK_ERRNO(keyctl(KEYCTL_GET_PERSISTENT, -1, k), ENOTDIR);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_become(4713, 4713);
		session();
		CHECK_ERRNO(keyctl(KEYCTL_GET_PERSISTENT, 4712, RING), EPERM);
		CHECK_OK(keyctl(KEYCTL_GET_PERSISTENT, 4713, RING));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

/* A user's own keyrings, given to another: nobody loses what he holds. */
TEST(user_keyrings_can_be_given_away)
{
	pid_t pid = check_fork();
	if (pid == 0) {
		check_become(4714, 4714);
		CHECK_OK(id_of(KEY_SPEC_USER_KEYRING, 1));
		CHECK_OK(add("user", "k", "x", 1, KEY_SPEC_USER_KEYRING));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(4714, 0, 0));
		setfsuid(4714);
		serial_t u = CHECK_OK(id_of(KEY_SPEC_USER_KEYRING, 1)), s = CHECK_OK(id_of(KEY_SPEC_USER_SESSION_KEYRING, 1));
		CHECK_OK(keyctl(KEYCTL_SETPERM, u, KEY_POS(ALL) | KEY_USR(ALL)));
		CHECK_OK(keyctl(KEYCTL_SETPERM, s, KEY_POS(ALL) | KEY_USR(ALL)));
		CHECK_OK(keyctl(KEYCTL_CLEAR, u));
		CHECK_OK(keyctl(KEYCTL_CHOWN, u, 4715, -1));
		CHECK_OK(keyctl(KEYCTL_CHOWN, s, 4715, -1));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	session();
	CHECK_OK(add("user", "k", "x", 1, RING));
}

/* Two processes that link and unlink the same keyrings: nothing is lost, nothing is left. */
TEST(links_race)
{
	session();
	serial_t a = ring_in("a", RING), b = ring_in("b", RING);
	pid_t pid = check_fork();
	for (int i = 0; i < 200; i++) {
		long l = keyctl(KEYCTL_LINK, pid ? a : b, pid ? b : a);
		if (l < 0)
			CHECK_EQ(errno, EDEADLK);
		else
			CHECK_OK(keyctl(KEYCTL_UNLINK, pid ? a : b, pid ? b : a));
		char name[16];
		snprintf(name, sizeof(name), "%d", i % 7);
		serial_t k = add("user", name, "x", 1, pid ? a : b);
		if (k > 0)
			(void)keyctl(i % 2 ? KEYCTL_REVOKE : KEYCTL_INVALIDATE, k);
	}
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
	CHECK(!is_in(a, b));
	CHECK(!is_in(b, a));
}

/* The file system's user id takes the thread keyring with it, but who made it goes on paying: it can be given back
 * to him who has no other key. */
TEST(thread_keyring_goes_with_the_fsuid_and_back)
{
	enum { MAKER = 54321, OTHER };
	char who[16];
	serial_t id;

	CHECK_OK(setresuid(MAKER, 0, 0));
	id = (serial_t)CHECK_OK(keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1));
	setfsuid(OTHER);
	snprintf(who, sizeof(who), ";%d;", OTHER);
	CHECK(strstr(describe(id), who));
	CHECK_OK(keyctl(KEYCTL_CHOWN, id, MAKER, -1));
	snprintf(who, sizeof(who), ";%d;", MAKER);
	CHECK(strstr(describe(id), who));
	CHECK_OK(keyctl(KEYCTL_CHOWN, id, OTHER, -1));
	snprintf(who, sizeof(who), ";%d;", OTHER);
	CHECK(strstr(describe(id), who));
}
