/* SPDX-License-Identifier: MIT */
/*
 * hostile_device.c - a daemon that says nonsense at the first answer, and to the device itself: answers to nobody,
 * from nowhere, of wrong lengths, notices that are none. Each is an error to the one who asked or to the daemon.
 */
#include "daemon.h"

#include <sys/uio.h>

/* --- the first answer ------------------------------------------------------------------------------------------- */

static void
init_with(const struct fuse_init_out *o, size_t n, int want)
{
	struct stat st;

	daemon_prepare();
	daemon_reply(FUSE_INIT, o, n);
	daemon_run(NULL);
	if (want) {
		CHECK_ERRNO(stat(MNT "/hello", &st), want);
		daemon_right();
		daemon_end();
		return;
	}
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_size, 6);
	daemon_fine_end();
}

TEST(an_empty_first_answer_is_refused)
{
	struct fuse_init_out o = { 0 };

	init_with(&o, 0, ECONNREFUSED);
}

TEST(a_first_answer_of_zeroes_is_refused)
{
	struct fuse_init_out o = { 0 };

	init_with(&o, sizeof(o), ECONNREFUSED);
}

TEST(a_first_answer_without_anything_agreed_is_enough)
{
	struct fuse_init_out o = { .major = 7, .minor = 38 };

	init_with(&o, 24, 0);
}

TEST(a_first_answer_that_is_too_long_is_refused)
{
	char o[sizeof(struct fuse_init_out) + 8] = { 7 };

	init_with((const void *)o, sizeof(o), ECONNREFUSED);
}

TEST(a_first_answer_with_limits_of_all_ones_is_borne)
{
	struct fuse_init_out o = {
		.major = 7, .minor = 38, .max_readahead = ~0u, .flags = FUSE_MAX_PAGES | FUSE_ASYNC_READ | FUSE_BIG_WRITES,
		.max_background = ~0, .congestion_threshold = ~0, .time_gran = ~0u, .max_pages = ~0,
		.max_write = 128 * 1024,
	};

	init_with(&o, sizeof(o), 0);
}

/* --- the device ------------------------------------------------------------------------------------------------- */

/* The case is its own daemon: the first request of its own, with the INIT done. */
static char space[300000];
static pid_t caller;

static struct fuse_in_header
first_request(void (*call)(void))
{
	struct fuse_init_out o = { .major = 7, .minor = 31, .max_write = 4096 };
	struct fuse_in_header in;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	CHECK(CHECK_OK(read(device, space, sizeof(space))) > 0);
	memcpy(&in, space, sizeof(in));
	CHECK_EQ(device_answer(device, in.unique, 0, &o, sizeof(o)), 0);
	caller = check_fork();
	if (caller == 0) {
		close(device);
		call();
		_exit(0);
	}
	CHECK(CHECK_OK(read(device, space, sizeof(space))) > 0);
	memcpy(&in, space, sizeof(in));
	return in;
}

static void
stat_is_eio(void)
{
	struct stat st;

	CHECK_ERRNO(stat(MNT "/x", &st), EIO);
}

static void
stat_fails(void)
{
	struct stat st;

	CHECK(stat(MNT "/x", &st) < 0 && errno == 511);
}

static void
last_answer(const struct fuse_in_header *in)
{
	CHECK_EQ(device_answer(device, in->unique, -EIO, NULL, 0), 0);
	CHECK_EXIT(caller, 0);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(answers_to_interrupts_that_were_not_sent)
{
	struct fuse_in_header in = first_request(stat_is_eio);

	CHECK_EQ(device_answer(device, in.unique | 1, -EAGAIN, NULL, 0), EINVAL);
	CHECK_EQ(device_answer(device, in.unique | 1, -EINTR, NULL, 0), 0);
	CHECK_EQ(device_answer(device, in.unique | 1, -ENOSYS, "four", 4), EINVAL);
	CHECK_EQ(device_answer(device, (in.unique + 2) | 1, -EAGAIN, NULL, 0), ENOENT);
	last_answer(&in);
}

TEST(answers_to_nobody)
{
	struct fuse_in_header in = first_request(stat_fails);

	CHECK_EQ(device_answer(device, in.unique + 2, 0, NULL, 0), ENOENT);
	CHECK_EQ(device_answer(device, ~0ull, 0, NULL, 0), ENOENT);
	CHECK_EQ(device_answer(device, in.unique - 2, 0, NULL, 0), ENOENT);
	CHECK_EQ(device_answer(device, in.unique, 1, NULL, 0), EINVAL);
	CHECK_EQ(device_answer(device, in.unique, -512, NULL, 0), EINVAL);
	CHECK_EQ(device_answer(device, in.unique, INT32_MIN, NULL, 0), EINVAL);
	CHECK_EQ(device_answer(device, in.unique, -511, NULL, 0), 0);
	CHECK_EXIT(caller, 0);
	CHECK_EQ(device_answer(device, in.unique, -EIO, NULL, 0), ENOENT);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(an_answer_from_where_nothing_can_be_read)
{
	struct fuse_in_header in = first_request(stat_is_eio);
	struct fuse_out_header h = { .len = sizeof(h) + sizeof(struct fuse_entry_out), .unique = in.unique };
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)16, sizeof(struct fuse_entry_out) } };

	CHECK_ERRNO(writev(device, v, 2), EFAULT);
	CHECK_EXIT(caller, 0);
	CHECK_ERRNO(writev(device, v, 2), ENOENT);
	CHECK_ERRNO(write(device, (void *)16, 16), EFAULT);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(a_request_to_where_nothing_can_be_written)
{
	struct fuse_init_out o = { .major = 7, .minor = 31, .max_write = 4096 };
	const struct fuse_in_header *in = (const void *)space;
	struct iovec v[2] = { { space, 16 }, { (void *)16, 100000 } };

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	CHECK(CHECK_OK(read(device, space, sizeof(space))) > 0);
	CHECK_EQ(device_answer(device, in->unique, 0, &o, sizeof(o)), 0);
	caller = check_fork();
	if (caller == 0) {
		close(device);
		stat_is_eio();
		_exit(0);
	}
	CHECK_ERRNO(readv(device, v, 2), EFAULT);
	CHECK_EXIT(caller, 0);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(pipes_with_other_bytes_than_an_answer)
{
	struct fuse_in_header in = first_request(stat_is_eio);
	struct fuse_out_header h = { .len = sizeof(h), .unique = in.unique, .error = -EIO };
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[1], F_SETPIPE_SZ, 262144));
	/* Fewer bytes than are said to be there. */
	CHECK_OK(write(p[1], &h, sizeof(h)));
	CHECK_ERRNO(splice(p[0], NULL, device, NULL, sizeof(h) + 1, 0), EINVAL);
	CHECK_ERRNO(splice(p[0], NULL, device, NULL, 8, 0), EINVAL); /* a part of the head, which is gone then */
	CHECK_EQ(CHECK_OK(read(p[0], space, 100)), 8);
	/* Byte by byte, from as many writes. */
	CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	for (size_t i = 0; i < sizeof(h); i++) {
		int one[2];

		CHECK_OK(pipe(one));
		CHECK_OK(write(one[1], (char *)&h + i, 1));
		CHECK_EQ(CHECK_OK(splice(one[0], NULL, p[1], NULL, 1, SPLICE_F_MOVE)), 1);
		close(one[0]);
		close(one[1]);
	}
	CHECK_EQ(CHECK_OK(splice(p[0], NULL, device, NULL, sizeof(h), SPLICE_F_MOVE)), sizeof(h));
	CHECK_EXIT(caller, 0);
	CHECK_ERRNO(splice(p[0], NULL, device, NULL, sizeof(h), 0), EINVAL);
	CHECK_OK(umount2(MNT, MNT_DETACH));
}

TEST(notices_of_nonsense)
{
	struct fuse_notify_inval_inode_out ino = { .ino = 1, .off = INT64_MAX, .len = INT64_MAX };
	struct fuse_notify_inval_entry_out ent = { .parent = 1, .namelen = 4 };
	struct fuse_notify_store_out st = { .nodeid = 2, .size = 4 };
	struct fuse_notify_retrieve_out re = { .nodeid = 2, .size = ~0u };
	struct fuse_notify_delete_out de = { .parent = 1, .child = 2, .namelen = 4 };
	char name[2000];
	int d;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	d = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	CHECK_OK(access(MNT "/hello", F_OK));
	CHECK_OK(access(MNT "/dir", F_OK));
	memset(name, 'n', sizeof(name));
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_INODE, &ino, sizeof(ino), NULL, 0), 0);
	ino = (struct fuse_notify_inval_inode_out){ .ino = 2, .off = INT64_MIN, .len = -1 };
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_INODE, &ino, sizeof(ino), NULL, 0), 0);
	ino = (struct fuse_notify_inval_inode_out){ .ino = 2, .off = INT64_MAX - 1, .len = 100 };
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_INODE, &ino, sizeof(ino), NULL, 0), 0);
	/* Names: longer, shorter than said, of no length, too long, with a slash, dots. */
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), name, 4), -EINVAL);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), name, 6), -EINVAL);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), NULL, 0), -EINVAL);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), "a/b", 5), -ENOENT);
	ent.namelen = 2000;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), name, 1900), -ENAMETOOLONG);
	ent.namelen = ~0u;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), name, 4), -ENAMETOOLONG);
	ent.namelen = 1;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &ent, sizeof(ent), ".", 2), -ENOENT);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_DELETE, &de, sizeof(de), "hell", 4), -EINVAL);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_DELETE, &de, sizeof(de), "hell", 5), -ENOENT);
	de.parent = 2;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_DELETE, &de, sizeof(de), "hell", 5), -ENOTDIR);
	/* Contents: of what is none, beyond all ends, more or less than said. */
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_STORE, &st, sizeof(st), "abc", 3), -EINVAL);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_STORE, &st, sizeof(st), "abcde", 5), -EINVAL);
	st.nodeid = 99;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_STORE, &st, sizeof(st), "abcd", 4), -ENOENT);
	re.nodeid = 99;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_RETRIEVE, &re, sizeof(re), NULL, 0), -ENOENT);
	re.nodeid = 2;
	re.offset = ~0ull;
	(void)device_notice(d, FUSE_NOTIFY_RETRIEVE, &re, sizeof(re), NULL, 0);
	re.offset = 0;
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_RETRIEVE, &re, sizeof(re), NULL, 0), 0);
	close(d);
	daemon_fine_end();
}

TEST(a_stored_page_may_not_reach_beyond_all_files)
{
	struct fuse_notify_store_out st = { .nodeid = 2, .size = 4, .offset = INT64_MAX - 3 };
	struct stat s;
	int d;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	d = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	CHECK_OK(access(MNT "/hello", F_OK));
	st.offset = ~0ull;
	(void)device_notice(d, FUSE_NOTIFY_STORE, &st, sizeof(st), "abcd", 4);
	CHECK_OK(stat(MNT "/hello", &s));
	CHECK(s.st_size >= 0);
	close(d);
	daemon_fine_end();
}
