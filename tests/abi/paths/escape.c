/* SPDX-License-Identifier: MIT */
/* Directories that are moved while somebody is in them: ".." leads out of no mount. */
#include "../check.h"

#include <sched.h>
#include <sys/mount.h>

/* Both ends of a pair of pipes: one waits until the other has got so far. */
static int there[2], back[2];

static void
tell(int *end)
{
	CHECK_EQ(write(end[1], "x", 1), 1);
}

static void
await(int *end)
{
	char c;

	check_read_all(end[0], &c, 1);
}

TEST(a_directory_moved_out_of_a_mount_leads_nowhere)
{
	pid_t pid;

	CHECK_OK(pipe(there));
	CHECK_OK(pipe(back));
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("all", 0755));
	CHECK_OK(mkdir("all/part", 0755));
	CHECK_OK(mkdir("all/part/deep", 0755));
	CHECK_OK(mkdir("view", 0755));
	check_write_file("all/secret", "s", 1);
	CHECK_OK(mount("all/part", "view", NULL, MS_BIND, NULL));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(chroot("view"));
		CHECK_OK(chdir("/deep"));
		CHECK_OK(access("../deep", F_OK));
		tell(there);
		await(back);
		CHECK_ERRNO(open("../secret", O_RDONLY), ENOENT);
		CHECK_ERRNO(open("..", O_PATH), ENOENT);
		CHECK_OK(open(".", O_PATH));
		_exit(0);
	}
	await(there);
	CHECK_OK(rename("all/part/deep", "all/deep"));
	tell(back);
	CHECK_EXIT(pid, 0);
}
