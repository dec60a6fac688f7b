/* SPDX-License-Identifier: MIT */
/* Shared, slave, private and unbindable mounts: the tables of mount_namespaces(7). */
#include "mnt.h"

TEST(a_shared_mount_has_a_group)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_EQ(shared("a"), 0);
	set_kind("a", MS_SHARED);
	CHECK(shared("a") > 0);
	set_kind("a", MS_PRIVATE);
	CHECK_EQ(shared("a"), 0);
	CHECK(!says("a", "unbindable"));
	set_kind("a", MS_UNBINDABLE);
	CHECK(says("a", " unbindable - "));
	set_kind("a", MS_SHARED);
	CHECK(!says("a", "unbindable"));
}

TEST(exactly_one_kind_at_a_time)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_ERRNO(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "a", NULL, MS_SHARED | MS_NOSUID, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "a", NULL, MS_SHARED | MS_MOVE, NULL), EINVAL);
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED | MS_SILENT, NULL));
	CHECK_OK(mkdir("a/d", 0700));
	CHECK_ERRNO(mount(NULL, "a/d", NULL, MS_SHARED, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "none", NULL, MS_SHARED, NULL), ENOENT);
}

/* In a namespace of one's own, "a" is a shared mount with a folder "m", and "b" its peer. */
static void
peers(void)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
}

TEST(a_bind_of_a_shared_mount_is_its_peer)
{
	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_EQ(shared("b"), shared("a"));
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK(is_mounted("b/m"));
	CHECK_EQ(shared("b/m"), shared("a/m"));
	CHECK(shared("a/m") != shared("a"));
	check_write_file("b/m/f", "x", 1);
	CHECK(exists("a/m/f"));
	CHECK_OK(umount("b/m"));
	CHECK(!is_mounted("a/m"));
	CHECK(!is_mounted("b/m"));
}

TEST(what_a_peer_does_not_show_does_not_reach_it)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/in", 0700));
	CHECK_OK(mkdir("a/in/m", 0700));
	CHECK_OK(mkdir("a/out", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a/in", "b", NULL, MS_BIND, NULL));
	CHECK_EQ(shared("b"), shared("a"));
	CHECK_OK(mount("none", "a/out", "tmpfs", 0, NULL));
	CHECK_OK(mount("none", "a/in/m", "tmpfs", 0, NULL));
	CHECK(is_mounted("b/m"));
	CHECK_OK(umount("a/in/m"));
	CHECK(!is_mounted("b/m"));
}

TEST(a_slave_gets_and_does_not_give)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mkdir("a/n", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	set_kind("b", MS_SLAVE);
	CHECK_EQ(shared("b"), 0);
	CHECK_EQ(master("b"), shared("a"));
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK(is_mounted("b/m"));
	CHECK_EQ(shared("b/m"), 0);
	CHECK_EQ(master("b/m"), shared("a/m"));
	CHECK_OK(mount("none", "b/n", "tmpfs", 0, NULL));
	CHECK(!is_mounted("a/n"));
	CHECK_EQ(shared("b/n"), 0);
	CHECK_EQ(master("b/n"), 0);
	CHECK_OK(umount("b/m"));
	CHECK(is_mounted("a/m"));
	CHECK_OK(umount("a/m"));
}

TEST(a_slave_can_be_shared_too)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mkdir("a/n", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	set_kind("b", MS_SLAVE);
	set_kind("b", MS_SHARED);
	CHECK_EQ(master("b"), shared("a"));
	CHECK(shared("b") > 0 && shared("b") != shared("a"));
	CHECK_OK(mount("b", "c", NULL, MS_BIND, NULL));
	CHECK_EQ(shared("c"), shared("b"));
	CHECK_EQ(master("c"), shared("a"));
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK(is_mounted("b/m") && is_mounted("c/m"));
	CHECK_EQ(shared("b/m"), shared("c/m"));
	CHECK_EQ(master("b/m"), shared("a/m"));
	CHECK_EQ(master("c/m"), shared("a/m"));
	CHECK_OK(mount("none", "c/n", "tmpfs", 0, NULL));
	CHECK(is_mounted("b/n") && !is_mounted("a/n"));
	CHECK_OK(umount("a/m"));
	CHECK(!is_mounted("b/m") && !is_mounted("c/m"));
}

TEST(a_slave_of_nobody_is_private)
{
	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_SHARED);
	set_kind("a", MS_SLAVE); /* alone in its group */
	CHECK_EQ(shared("a"), 0);
	CHECK_EQ(master("a"), 0);
	set_kind("a", MS_SLAVE);
	CHECK_EQ(master("a"), 0);
}

TEST(slaves_of_a_group_that_ends_get_its_master)
{
	int group;

	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	set_kind("b", MS_SLAVE);
	set_kind("b", MS_SHARED);
	CHECK_OK(mount("b", "c", NULL, MS_BIND, NULL));
	set_kind("c", MS_SLAVE);
	group = shared("a");
	CHECK_EQ(master("c"), shared("b"));
	CHECK_OK(umount("b"));
	CHECK_EQ(master("c"), group);
	CHECK_OK(umount("a"));
	CHECK_EQ(master("c"), 0);
}

TEST(slave_leaves_a_group_with_others)
{
	int group;

	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	group = shared("a");
	set_kind("a", MS_SLAVE);
	CHECK_EQ(shared("b"), group);
	CHECK_EQ(master("a"), group);
	set_kind("a", MS_PRIVATE);
	CHECK_EQ(master("a"), 0);
}

TEST(mounts_on_shared_mounts_are_shared)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mkdir("a/b", 0700));
	CHECK_OK(mkdir("p", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK(shared("a/m") > 0);
	tmpfs_at("q");
	CHECK_OK(mount("q", "a/b", NULL, MS_BIND, NULL));
	CHECK(shared("a/b") > 0);
	CHECK_EQ(shared("q"), 0); /* the original stays private */
	/* a bind of something shared to a private place is its peer all the same */
	CHECK_OK(mount("a/m", "p", NULL, MS_BIND, NULL));
	CHECK_EQ(shared("p"), shared("a/m"));
}

TEST(recursive_change)
{
	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/b");
	set_kind("a", MS_SHARED);
	CHECK_EQ(shared("a/b"), 0);
	set_kind("a", MS_SHARED | MS_REC);
	CHECK(shared("a/b") > 0);
	set_kind("a", MS_PRIVATE | MS_REC);
	CHECK_EQ(shared("a") + shared("a/b"), 0);
}

TEST(unbindable_is_not_bound)
{
	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_UNBINDABLE);
	CHECK_OK(mkdir("b", 0700));
	CHECK_ERRNO(mount("a", "b", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERRNO(mount("a", "b", NULL, MS_BIND | MS_REC, NULL), EINVAL);
}

TEST(unbindable_is_left_out_of_a_recursive_bind)
{
	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/u");
	tmpfs_at("a/u/below");
	tmpfs_at("a/v");
	set_kind("a/u", MS_UNBINDABLE);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	CHECK(is_mounted("b/v"));
	CHECK(!is_mounted("b/u") && !exists("b/u/below"));
}

TEST(unbindable_goes_into_a_new_namespace)
{
	own_mounts();
	tmpfs_at("a");
	set_kind("a", MS_UNBINDABLE);
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK(says("a", " unbindable"));
}

TEST(moving_rules)
{
	own_mounts();
	tmpfs_at("s");
	tmpfs_at("s/child");
	set_kind("s", MS_SHARED);
	tmpfs_at("u");
	set_kind("u", MS_UNBINDABLE);
	CHECK_OK(mkdir("s/to", 0700));
	CHECK_OK(mkdir("to", 0700));
	/* out of a shared mount: never */
	CHECK_ERRNO(mount("s/child", "to", NULL, MS_MOVE, NULL), EINVAL);
	/* unbindable into a shared one: never */
	CHECK_ERRNO(mount("u", "s/to", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_OK(mount("u", "to", NULL, MS_MOVE, NULL));
	CHECK(says("to", " unbindable"));
	CHECK_ERRNO(mount("to", "to", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_ERRNO(mount("s/to", "to", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "to", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERRNO(mount("", "to", NULL, MS_MOVE, NULL), EINVAL);
}

TEST(moving_into_a_shared_mount_propagates)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/to", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	tmpfs_at("m");
	tmpfs_at("m/n");
	CHECK_OK(mount("m", "a/to", NULL, MS_MOVE, NULL));
	CHECK(!is_mounted("m"));
	CHECK(is_mounted("b/to") && is_mounted("b/to/n"));
	CHECK(shared("a/to") > 0);
	CHECK_EQ(shared("a/to"), shared("b/to"));
	CHECK_EQ(shared("a/to/n"), shared("b/to/n"));
	CHECK(shared("a/to/n") != shared("a/to"));
}

TEST(a_tree_of_binds_into_a_shared_mount)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/to", 0700));
	set_kind("a", MS_SHARED);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	set_kind("b", MS_SLAVE);
	tmpfs_at("m");
	tmpfs_at("m/n");
	CHECK_OK(mount("m", "a/to", NULL, MS_BIND | MS_REC, NULL));
	CHECK(is_mounted("b/to/n"));
	CHECK_EQ(master("b/to/n"), shared("a/to/n"));
	CHECK_EQ(shared("b/to/n"), 0);
	CHECK_OK(umount2("a/to", MNT_DETACH));
	CHECK(!is_mounted("b/to") && !is_mounted("b/to/n"));
}

TEST(unmount_does_not_take_what_others_mounted_on_it)
{
	peers();
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	set_kind("b/m", MS_PRIVATE);
	CHECK_OK(mkdir("b/m/x", 0700));
	CHECK_OK(mount("none", "b/m/x", "tmpfs", 0, NULL));
	CHECK_OK(umount("a/m"));
	CHECK(!is_mounted("a/m"));
	CHECK(is_mounted("b/m") && is_mounted("b/m/x"));
}

TEST(what_covers_a_propagated_mount_stays)
{
	peers();
	set_kind("b", MS_SLAVE);
	/* mounted in the slave first: the propagated one goes below it */
	CHECK_OK(mount("mine", "b/m", "tmpfs", 0, NULL));
	check_write_file("b/m/mine", "x", 1);
	CHECK_OK(mount("theirs", "a/m", "tmpfs", 0, NULL));
	CHECK(exists("b/m/mine"));
	CHECK_OK(umount("a/m"));
	CHECK(exists("b/m/mine"));
	CHECK_OK(umount("b/m"));
	CHECK(!is_mounted("b/m"));
}

/* What the peer does shows through two covers: both stay, wherever, and are found when all is taken down. */
TEST(two_covers_in_what_propagated_stay)
{
	static const char *const place[] = { "m/d", "m/e" };

	peers();
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	for (int i = 0; i < 2; i++) {
		char a[16], b[16];

		snprintf(a, sizeof(a), "a/%s", place[i]);
		snprintf(b, sizeof(b), "b/%s", place[i]);
		CHECK_OK(mkdir(a, 0700));
		CHECK_OK(mount("none", a, "tmpfs", 0, NULL));
		set_kind(b, MS_PRIVATE);
		CHECK_OK(mount(i ? "cover-e" : "cover-d", b, "tmpfs", 0, NULL));
	}
	CHECK_OK(umount2("a/m", MNT_DETACH));
	CHECK_EQ(mounted_from("cover-d"), 1);
	CHECK_EQ(mounted_from("cover-e"), 1);
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK_OK(umount2("a/m", MNT_DETACH));
	CHECK_EQ(mounted_from("cover-d"), 1);
	CHECK_EQ(mounted_from("cover-e"), 1);
	while (umount2("b/m", MNT_DETACH) == 0)
		;
	CHECK_ERRNO(umount2("b/m", MNT_DETACH), EINVAL);
	CHECK_EQ(mounted_from("cover-d") + mounted_from("cover-e"), 0);
}

TEST(the_propagated_one_appears_when_the_cover_goes)
{
	peers();
	set_kind("b", MS_SLAVE);
	CHECK_OK(mount("mine", "b/m", "tmpfs", 0, NULL));
	CHECK_OK(mount("theirs", "a/m", "tmpfs", 0, NULL));
	check_write_file("a/m/theirs", "x", 1);
	CHECK_OK(umount("b/m"));
	CHECK(exists("b/m/theirs"));
}

TEST(unmount_is_refused_when_a_copy_is_in_use)
{
	int fd;

	peers();
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	fd = CHECK_OK(open("b/m", O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO(umount("a/m"), EBUSY);
	close(fd);
	CHECK_OK(umount("a/m"));
}

/* Copies of shared mounts in a new namespace are peers; what is mounted later goes both ways. */
TEST(namespaces_are_peers)
{
	int to_child[2], to_parent[2], group;
	char byte;
	pid_t pid;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mkdir("a/n", 0700));
	set_kind("a", MS_SHARED);
	group = shared("a");
	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(to_parent));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_EQ(shared("a"), group);
		CHECK_EQ(write(to_parent[1], "1", 1), 1);
		CHECK_EQ(read(to_child[0], &byte, 1), 1);
		CHECK(is_mounted("a/m"));
		CHECK_OK(mount("none", "a/n", "tmpfs", 0, NULL));
		CHECK_EQ(write(to_parent[1], "2", 1), 1);
		CHECK_EQ(read(to_child[0], &byte, 1), 1);
		CHECK(!is_mounted("a/m"));
		_exit(0);
	}
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK_EQ(write(to_child[1], "1", 1), 1);
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK(is_mounted("a/n"));
	CHECK_OK(umount("a/m"));
	CHECK_EQ(write(to_child[1], "2", 1), 1);
	CHECK_EXIT(pid, 0);
	/* the namespace is gone, and took nothing with it */
	CHECK(is_mounted("a/n"));
}

TEST(less_privileged_copies_are_slaves)
{
	int to_child[2], to_parent[2], group;
	char byte;
	pid_t pid;

	own_mounts();
	CHECK_OK(chmod(".", 0755));
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0777));
	CHECK_OK(mkdir("a/n", 0777));
	set_kind("a", MS_SHARED);
	group = shared("a");
	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(to_parent));
	pid = check_fork();
	if (pid == 0) {
		drop_root();
		become_root_inside();
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_EQ(shared("a"), 0);
		CHECK_EQ(master("a"), group);
		CHECK_EQ(write(to_parent[1], "1", 1), 1);
		CHECK_EQ(read(to_child[0], &byte, 1), 1);
		CHECK(is_mounted("a/m"));
		CHECK_OK(umount("a/m")); /* came alone: nothing is hidden by it */
		CHECK_OK(mount("none", "a/n", "tmpfs", 0, NULL));
		CHECK_EQ(write(to_parent[1], "2", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	CHECK_EQ(write(to_child[1], "1", 1), 1);
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK(!is_mounted("a/n"));
	CHECK_EXIT(pid, 0);
	CHECK(is_mounted("a/m"));
}

/* What propagates as one tree stays one tree for those who may not take it apart. */
TEST(a_propagated_tree_is_locked_inside)
{
	int to_child[2], to_parent[2];
	char byte;
	pid_t pid;

	own_mounts();
	CHECK_OK(chmod(".", 0755));
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0777));
	set_kind("a", MS_SHARED);
	tmpfs_at("t");
	tmpfs_at("t/in");
	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(to_parent));
	pid = check_fork();
	if (pid == 0) {
		drop_root();
		become_root_inside();
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_EQ(write(to_parent[1], "1", 1), 1);
		CHECK_EQ(read(to_child[0], &byte, 1), 1);
		CHECK(is_mounted("a/m/in"));
		CHECK_ERRNO(umount("a/m/in"), EINVAL);
		CHECK_OK(umount2("a/m", MNT_DETACH));
		_exit(0);
	}
	CHECK_EQ(read(to_parent[0], &byte, 1), 1);
	CHECK_OK(mount("t", "a/m", NULL, MS_BIND | MS_REC, NULL));
	CHECK_EQ(write(to_child[1], "1", 1), 1);
	CHECK_EXIT(pid, 0);
	CHECK(is_mounted("a/m/in"));
}

/* Locked together, gone together: who holds the directory does not see what was covered. */
TEST(lazy_unmount_reveals_nothing)
{
	int fd;

	own_mounts();
	CHECK_OK(chmod(".", 0755));
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0777));
	check_write_file("a/m/hidden", "x", 1);
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/mnt", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("/mnt/b", 0755));
	CHECK_OK(mount("a", "/mnt/b", NULL, MS_BIND | MS_REC, NULL));
	fd = CHECK_OK(open("/mnt/b", O_PATH | O_DIRECTORY));
	CHECK_OK(umount2("/mnt/b", MNT_DETACH));
	CHECK_ERRNO(faccessat(fd, "m/hidden", F_OK, 0), ENOENT);
	CHECK_OK(faccessat(fd, "m", F_OK, 0));
}

TEST(propagate_from_names_the_nearest_seen_group)
{
	own_mounts();
	tmpfs_at("root");
	CHECK_OK(mkdir("root/proc", 0755));
	CHECK_OK(mkdir("root/c", 0755));
	CHECK_OK(mkdir("root/a", 0755));
	CHECK_OK(mount("/proc", "root/proc", NULL, MS_BIND | MS_REC, NULL));
	tmpfs_at("b");
	CHECK_OK(mount("none", "root/a", "tmpfs", 0, NULL));
	set_kind("root/a", MS_SHARED);
	/* root/a -> b -> root/c, and b is not seen from below root */
	CHECK_OK(mount("root/a", "b", NULL, MS_BIND, NULL));
	set_kind("b", MS_SLAVE);
	set_kind("b", MS_SHARED);
	CHECK_OK(mount("b", "root/c", NULL, MS_BIND, NULL));
	set_kind("root/c", MS_SLAVE);
	CHECK_EQ(field("root/c", "propagate_from"), 0);
	CHECK_OK(chroot("root"));
	CHECK_OK(chdir("/"));
	CHECK_EQ(field("/c", "propagate_from"), shared("/a"));
	CHECK(master("/c") != shared("/a"));
}

TEST(a_chain_of_slaves_is_followed_to_its_end)
{
	enum { LINKS = 40 };
	char name[32], before[32] = "m0";

	own_mounts();
	tmpfs_at("m0");
	CHECK_OK(mkdir("m0/x", 0700));
	set_kind("m0", MS_SHARED);
	for (int i = 1; i < LINKS; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		CHECK_OK(mkdir(name, 0700));
		CHECK_OK(mount(before, name, NULL, MS_BIND, NULL));
		set_kind(name, MS_SLAVE);
		set_kind(name, MS_SHARED);
		strcpy(before, name);
	}
	CHECK_OK(mount("none", "m0/x", "tmpfs", 0, NULL));
	snprintf(name, sizeof(name), "m%d/x", LINKS - 1);
	CHECK(is_mounted(name));
	CHECK_OK(umount("m0/x"));
	CHECK(!is_mounted(name));
}

TEST(pivot_root_refuses_shared_mounts)
{
	own_mounts();
	tmpfs_at("root");
	CHECK_OK(chdir("root"));
	CHECK_OK(chroot("."));
	CHECK_OK(mkdir("new", 0755));
	CHECK_OK(mount("none", "new", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("new/old", 0755));
	set_kind("/", MS_SHARED); /* new's parent */
	CHECK_ERRNO(syscall(SYS_pivot_root, "new", "new/old"), EINVAL);
	set_kind("/", MS_PRIVATE);
	set_kind("new", MS_SHARED); /* where the old one goes */
	CHECK_ERRNO(syscall(SYS_pivot_root, "new", "new/old"), EINVAL);
	set_kind("new", MS_PRIVATE);
	CHECK_OK(syscall(SYS_pivot_root, "new", "new/old"));
}

TEST(statx_tells_the_mount)
{
	struct statx a, b;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(statx(AT_FDCWD, "a", 0, STATX_MNT_ID, &a));
	CHECK_OK(statx(AT_FDCWD, "b", 0, STATX_MNT_ID, &b));
	CHECK(a.stx_mask & b.stx_mask & STATX_MNT_ID);
	CHECK_EQ((int)a.stx_mnt_id, atoi(mount_line("a")));
	CHECK_EQ((int)b.stx_mnt_id, atoi(mount_line("b")));
	CHECK_EQ(a.stx_ino, b.stx_ino);
	CHECK(a.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

TEST(binding_ones_own_namespace_is_refused)
{
	own_mounts();
	check_write_file("f", "", 0);
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "f", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(mount("/proc/self/ns/uts", "f", NULL, MS_BIND, NULL));
	CHECK_OK(umount("f"));
}
