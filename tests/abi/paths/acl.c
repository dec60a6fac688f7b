/* SPDX-License-Identifier: MIT */
/* Access control lists: acl(5), as the attributes system.posix_acl_access and system.posix_acl_default. */
#include "../check.h"

#include <sys/inotify.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
#define NONE 0xffffffffu
#define FRIEND 1001u
#define TEAM 2002u

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct list {
	uint32_t     version;
	struct entry entry[12];
};

#define SIZE(n) (4 + (n) * sizeof(struct entry))

/* rwx for the owner, r for FRIEND, nothing for the group, rw for TEAM, a mask, nothing for others. */
static struct list
some(int mask)
{
	return (struct list){ 2, { { USER_OBJ, 7, NONE }, { USER, 4, FRIEND }, { GROUP_OBJ, 0, NONE }, { GROUP, 6, TEAM },
				   { MASK, (uint16_t)mask, NONE }, { OTHER, 0, NONE } } };
}

static void
make(const char *name, mode_t mode)
{
	CHECK_OK(close(CHECK_OK(open(name, O_CREAT | O_RDWR | O_EXCL, 0600))));
	CHECK_OK(chmod(name, mode));
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_mode & 07777;
}

/* errno of opening "f" so as this user with this group, or 0. */
static int
opens(const char *name, int flags, uid_t uid, gid_t gid)
{
	int status;
	pid_t pid = check_fork();

	if (pid == 0) {
		check_become(uid, gid);
		_exit(open(name, flags) < 0 ? errno : 0);
	}
	CHECK_OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(a_list_lets_in_whom_it_names)
{
	struct list l = some(7);

	CHECK_OK(chmod(".", 0755));
	make("f", 0640);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	CHECK_EQ(mode_of("f"), 0770);
	CHECK_EQ(opens("f", O_RDONLY, FRIEND, 1), 0);
	CHECK_EQ(opens("f", O_RDWR, FRIEND, 1), EACCES);
	CHECK_EQ(opens("f", O_RDWR, 5, TEAM), 0);
	CHECK_EQ(opens("f", O_RDONLY, 5, 5), EACCES);
	/* A named user's entry decides, whatever the groups would allow. */
	CHECK_EQ(opens("f", O_RDWR, FRIEND, TEAM), EACCES);
	/* The owning group has nothing, others have nothing. */
	CHECK_EQ(opens("f", O_RDONLY, 5, 0), EACCES);
	l = some(4);
	l.entry[5].perm = 6;
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	CHECK_EQ(mode_of("f"), 0746);
	CHECK_EQ(opens("f", O_RDONLY, 5, TEAM), 0);
	CHECK_EQ(opens("f", O_RDWR, 5, TEAM), EACCES);
	CHECK_EQ(opens("f", O_RDONLY, 5, 0), EACCES);
	CHECK_EQ(opens("f", O_RDWR, 5, 5), 0);
}

TEST(a_list_is_told_again)
{
	struct list l = some(6), got;

	make("f", 0600);
	CHECK_ERRNO(getxattr("f", ACCESS, &got, sizeof(got)), ENODATA);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), SIZE(6));
	CHECK_ERRNO(getxattr("f", ACCESS, &got, SIZE(5)), ERANGE);
	CHECK_EQ(getxattr("f", ACCESS, &got, sizeof(got)), SIZE(6));
	CHECK_MEM(&got, &l, SIZE(6));
	CHECK_OK(setxattr("f", "trusted.t", "x", 1, 0));
	CHECK_EQ(listxattr("f", (char *)&got, sizeof(got)), sizeof(ACCESS) + sizeof("trusted.t"));
	CHECK_STR((char *)&got, ACCESS);
	CHECK_ERRNO(listxattr("f", (char *)&got, 5), ERANGE);
	CHECK_OK(removexattr("f", ACCESS));
	CHECK_ERRNO(getxattr("f", ACCESS, &got, sizeof(got)), ENODATA);
	CHECK_EQ(mode_of("f"), 0760);
	CHECK_OK(removexattr("f", ACCESS));
}

TEST(a_list_that_the_mode_can_say_is_not_kept)
{
	struct list l = { 2, { { USER_OBJ, 6, NONE }, { GROUP_OBJ, 5, NONE }, { OTHER, 4, NONE } } };

	make("f", 0600);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(3), XATTR_REPLACE));
	CHECK_EQ(mode_of("f"), 0654);
	CHECK_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
	l.entry[1].perm = 1;
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(3), XATTR_CREATE));
	CHECK_EQ(mode_of("f"), 0614);
	l = some(7);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(0), 0)); /* none */
	CHECK_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(chmod_changes_the_mask)
{
	struct list l = some(7), got;

	make("f", 0600);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	CHECK_OK(chmod("f", 0541));
	CHECK_EQ(getxattr("f", ACCESS, &got, sizeof(got)), SIZE(6));
	CHECK_EQ(got.entry[0].perm, 5);
	CHECK_EQ(got.entry[2].perm, 0);
	CHECK_EQ(got.entry[3].perm, 6);
	CHECK_EQ(got.entry[4].perm, 4);
	CHECK_EQ(got.entry[5].perm, 1);
	CHECK_EQ(mode_of("f"), 0541);
}

TEST(what_is_made_begins_with_the_directorys_default)
{
	struct list l = some(6), got;
	struct stat st;
	int fd;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(setxattr("d", DEFAULT, &l, SIZE(6), 0));
	CHECK_EQ(mode_of("d"), 0700);
	CHECK_ERRNO(getxattr("d", ACCESS, NULL, 0), ENODATA);
	umask(0777); /* a default list takes its place */
	CHECK_OK(close(CHECK_OK(open("d/f", O_CREAT | O_RDWR, 0644))));
	CHECK_EQ(mode_of("d/f"), 0640);
	CHECK_EQ(getxattr("d/f", ACCESS, &got, sizeof(got)), SIZE(6));
	CHECK_EQ(got.entry[0].perm, 6);
	CHECK_EQ(got.entry[3].perm, 6);
	CHECK_EQ(got.entry[4].perm, 4);
	CHECK_EQ(got.entry[5].perm, 0);
	CHECK_ERRNO(getxattr("d/f", DEFAULT, NULL, 0), ENODATA);
	CHECK_OK(mkdir("d/e", 0777));
	CHECK_EQ(mode_of("d/e"), 0760);
	CHECK_EQ(getxattr("d/e", DEFAULT, &got, sizeof(got)), SIZE(6));
	CHECK_MEM(&got, &l, SIZE(6));
	CHECK_EQ(getxattr("d/e", ACCESS, NULL, 0), SIZE(6));
	CHECK_OK(mkfifo("d/p", 0666));
	CHECK_EQ(mode_of("d/p"), 0660);
	CHECK_OK(symlink("f", "d/l"));
	CHECK_ERRNO(lgetxattr("d/l", ACCESS, NULL, 0), EOPNOTSUPP);
	fd = CHECK_OK(open("d", O_TMPFILE | O_RDWR, 0604));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(fgetxattr(fd, ACCESS, NULL, 0), SIZE(6));
	CHECK_OK(removexattr("d", DEFAULT));
	CHECK_OK(close(CHECK_OK(open("d/g", O_CREAT | O_RDWR, 0644))));
	CHECK_EQ(mode_of("d/g"), 0);
}

TEST(a_default_of_three_entries_is_a_mode)
{
	struct list l = { 2, { { USER_OBJ, 7, NONE }, { GROUP_OBJ, 5, NONE }, { OTHER, 1, NONE } } };

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(setxattr("d", DEFAULT, &l, SIZE(3), 0));
	CHECK_EQ(getxattr("d", DEFAULT, NULL, 0), SIZE(3));
	CHECK_OK(close(CHECK_OK(open("d/f", O_CREAT | O_RDWR, 0666))));
	CHECK_EQ(mode_of("d/f"), 0640);
	CHECK_ERRNO(getxattr("d/f", ACCESS, NULL, 0), ENODATA);
}

TEST(what_is_no_list)
{
	struct list l = some(7);

	make("f", 0600);
	CHECK_OK(symlink("f", "l"));
	l.version = 1;
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EOPNOTSUPP);
	l.version = 2;
	CHECK_ERRNO(setxattr("f", ACCESS, &l, 3, 0), EINVAL);
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6) - 1, 0), EINVAL);
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(5), 0), EINVAL);
	CHECK_ERRNO(setxattr("f", DEFAULT, &l, SIZE(6), 0), EACCES);
	CHECK_OK(removexattr("f", DEFAULT));
	CHECK_ERRNO(lsetxattr("l", ACCESS, &l, SIZE(6), 0), EOPNOTSUPP);
	CHECK_ERRNO(setxattr("f", "system.posix_acl_other", &l, SIZE(6), 0), EOPNOTSUPP);
	l.entry[1].perm = 8;
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EINVAL);
	l = some(7);
	l.entry[4].tag = GROUP; /* somebody is named, and no mask */
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EINVAL);
	l = some(7);
	l.entry[1].id = NONE;
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EINVAL);
	l = some(7);
	l.entry[0].tag = 64;
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EINVAL);
	CHECK_EQ(mode_of("f"), 0600);
	l = some(7);
	CHECK_OK(chmod(".", 0755));
	check_drop_root();
	CHECK_ERRNO(setxattr("f", ACCESS, &l, SIZE(6), 0), EPERM);
	CHECK_ERRNO(removexattr("f", ACCESS), EPERM);
	CHECK_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(a_list_of_many)
{
	struct {
		uint32_t     version;
		struct entry entry[304];
	} l = { .version = 2 };

	for (int n = 0; n < 300; n++)
		l.entry[n + 1] = (struct entry){ USER, n == 299 ? 6 : 0, 1000u + (unsigned int)n };
	l.entry[0] = (struct entry){ USER_OBJ, 0, NONE };
	l.entry[301] = (struct entry){ GROUP_OBJ, 0, NONE };
	l.entry[302] = (struct entry){ MASK, 7, NONE };
	l.entry[303] = (struct entry){ OTHER, 0, NONE };
	CHECK_OK(chmod(".", 0755));
	make("f", 0600);
	CHECK_OK(setxattr("f", ACCESS, &l, sizeof(l), 0));
	CHECK_EQ(opens("f", O_RDWR, 1299, 5), 0);
	CHECK_EQ(opens("f", O_RDONLY, 1298, 5), EACCES);
}

TEST(lists_are_exchanged_while_others_are_let_in)
{
	struct list l = some(7);
	pid_t child;

	CHECK_OK(chmod(".", 0755));
	make("f", 0600);
	CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
	child = check_fork();
	if (child == 0) {
		check_become(FRIEND, 1);
		for (int i = 0; i < 2000; i++) {
			int fd = open("f", O_RDONLY);

			CHECK(fd >= 0 || errno == EACCES);
			if (fd >= 0)
				close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		CHECK_OK(removexattr("f", ACCESS));
		CHECK_OK(setxattr("f", ACCESS, &l, SIZE(6), 0));
		CHECK_OK(chmod("f", i & 1 ? 0700 : 0740));
	}
	CHECK_EXIT(child, 0);
}

TEST(a_watch_hears_of_attributes)
{
	struct inotify_event e;
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK));

	make("f", 0600);
	CHECK_OK(inotify_add_watch(fd, "f", IN_ATTRIB));
	CHECK_OK(setxattr("f", "trusted.a", "x", 1, 0));
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(e.mask, IN_ATTRIB);
	CHECK_OK(removexattr("f", "trusted.a"));
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	CHECK_ERRNO(removexattr("f", "trusted.a"), ENODATA);
	CHECK_ERRNO(read(fd, &e, sizeof(e)), EAGAIN);
}
