/* SPDX-License-Identifier: MIT */
/* Memory policies: set_mempolicy(2), get_mempolicy(2), mbind(2), moving pages; on a machine of one node. */
#include "../check.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>

#define PAGE 4096ul

static long
set_policy(int mode, unsigned long nodes, unsigned long bits)
{
	return syscall(SYS_set_mempolicy, mode, &nodes, bits);
}

static long
bind_range(void *at, size_t length, int mode, unsigned long nodes, unsigned int flags)
{
	return syscall(SYS_mbind, at, length, mode, &nodes, 65ul, flags);
}

static int
policy_of(void *at)
{
	int mode = -1;

	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, at, at ? MPOL_F_ADDR : 0));
	return mode;
}

static char *
pages(int n)
{
	return CHECK_OK(mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

TEST(a_threads_policy_is_told_again)
{
	unsigned long nodes = ~0ul;
	int mode = -1;

	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
	CHECK_OK(set_policy(MPOL_BIND, 1, 65));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, &nodes, 65ul, NULL, 0));
	CHECK_EQ(mode, MPOL_BIND);
	CHECK_EQ(nodes, 1);
	CHECK_OK(set_policy(MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 5, 65));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, &nodes, 65ul, NULL, 0));
	CHECK_EQ(mode, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
	CHECK_EQ(nodes, 5);
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, MPOL_F_NODE));
	CHECK_EQ(mode, 0);
	CHECK_OK(set_policy(MPOL_PREFERRED, 0, 65));
	CHECK_EQ(policy_of(NULL), MPOL_LOCAL);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, MPOL_F_NODE), EINVAL);
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, 4, 65));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, &nodes, 65ul, NULL, 0));
	CHECK_EQ(mode, MPOL_BIND | MPOL_F_RELATIVE_NODES);
	CHECK_EQ(nodes, 4);
	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul));
	CHECK_EQ(policy_of(NULL), MPOL_DEFAULT);
}

HELPER(tells_its_policy)
{
	int mode = -1;

	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, 0));
	_exit(mode == MPOL_BIND ? 0 : 1);
}

TEST(a_policy_is_inherited_and_outlives_exec)
{
	char *args[] = { "x", "--helper", "tells_its_policy", NULL };
	pid_t pid;

	CHECK_OK(set_policy(MPOL_BIND, 1, 65));
	pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(policy_of(NULL), MPOL_BIND);
		execv("/proc/self/exe", args);
		_exit(2);
	}
	CHECK_EXIT(pid, 0);
}

TEST(what_no_policy_can_be)
{
	unsigned long big[20] = { 0 }, one = 1;

	CHECK_ERRNO(set_policy(6, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(-1, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_DEFAULT, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, 0, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_INTERLEAVE, 0, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_LOCAL, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, 2, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_PREFERRED, 2, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, 1, 65), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, 1, 1), EINVAL);
	CHECK_OK(set_policy(MPOL_BIND, 3, 2));
	CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, &one, 0ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, check_bad_address(), 65ul), EFAULT);
	big[0] = 1;
	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, big, 1025ul));
	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, big, 1153ul));
	big[17] = 1;
	CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, big, 1153ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, big, 8 * PAGE + 2), EINVAL);
}

TEST(what_cannot_be_asked_of_a_policy)
{
	unsigned long nodes[3] = { 0, 7, 7 };
	char *p = pages(1);
	int mode;

	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, nodes, 0ul, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, p, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, PAGE, MPOL_F_ADDR), EFAULT);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, p, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, check_bad_address(), NULL, 0ul, NULL, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, NULL, check_bad_address(), 65ul, NULL, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_get_mempolicy, NULL, nodes, 9 * PAGE, NULL, 0), EINVAL);
	CHECK_OK(syscall(SYS_get_mempolicy, NULL, NULL, 0ul, NULL, 0));
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, 129ul, NULL, MPOL_F_MEMS_ALLOWED));
	CHECK_EQ(mode, 0);
	CHECK_EQ(nodes[0], 1);
	CHECK_EQ(nodes[1], 0);
	CHECK_EQ(nodes[2], 7);
}

TEST(a_range_has_a_policy_of_its_own)
{
	char *p = pages(4);
	int mode;

	CHECK_EQ(policy_of(p), MPOL_DEFAULT);
	CHECK_OK(set_policy(MPOL_BIND, 1, 65));
	CHECK_EQ(policy_of(p), MPOL_DEFAULT);
	CHECK_OK(bind_range(p + PAGE, 2 * PAGE - 1, MPOL_PREFERRED, 1, 0));
	CHECK_EQ(policy_of(p), MPOL_DEFAULT);
	CHECK_EQ(policy_of(p + PAGE), MPOL_PREFERRED);
	CHECK_EQ(policy_of(p + 3 * PAGE - 1), MPOL_PREFERRED);
	CHECK_EQ(policy_of(p + 3 * PAGE), MPOL_DEFAULT);
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, p + PAGE, MPOL_F_ADDR | MPOL_F_NODE));
	CHECK_EQ(mode, 0);
	CHECK_OK(bind_range(p, 4 * PAGE, MPOL_INTERLEAVE, 1, MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL));
	CHECK_EQ(policy_of(p), MPOL_INTERLEAVE);
	CHECK_EQ(policy_of(p + 3 * PAGE), MPOL_INTERLEAVE);
	if (check_fork() == 0) {
		CHECK_EQ(policy_of(p), MPOL_INTERLEAVE);
		_exit(0);
	}
	CHECK_OK(wait(NULL));
	p = CHECK_OK(mremap(p, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
	CHECK_EQ(policy_of(p + 10 * PAGE), MPOL_INTERLEAVE);
	CHECK_OK(bind_range(p, 16 * PAGE, MPOL_DEFAULT, 0, 0));
	CHECK_EQ(policy_of(p), MPOL_DEFAULT);
}

TEST(what_mbind_refuses)
{
	char *p = pages(3);

	CHECK_ERRNO(bind_range(p + 1, PAGE, MPOL_BIND, 1, 0), EINVAL);
	CHECK_ERRNO(bind_range(p, PAGE, MPOL_BIND, 1, 8), EINVAL);
	CHECK_ERRNO(bind_range(p, PAGE, MPOL_BIND, 2, 0), EINVAL);
	CHECK_ERRNO(bind_range(p, PAGE, MPOL_DEFAULT, 1, 0), EINVAL);
	CHECK_ERRNO(bind_range(p, -PAGE, MPOL_BIND, 1, 0), EINVAL);
	CHECK_OK(bind_range(p, 0, MPOL_BIND, 0, 0));
	CHECK_ERRNO(syscall(SYS_mbind, p, PAGE, MPOL_BIND, check_bad_address(), 65ul, 0), EFAULT);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(bind_range(p, 3 * PAGE, MPOL_BIND, 1, 0), EFAULT);
	CHECK_ERRNO(bind_range(p + PAGE, PAGE, MPOL_BIND, 1, 0), EFAULT);
	CHECK_EQ(policy_of(p), MPOL_DEFAULT);
	check_drop_root();
	CHECK_OK(bind_range(p, PAGE, MPOL_BIND, 1, MPOL_MF_MOVE));
	CHECK_ERRNO(bind_range(p, PAGE, MPOL_BIND, 1, MPOL_MF_MOVE_ALL), EPERM);
}

TEST(only_bound_ranges_have_a_home_node)
{
	char *p = pages(2);

	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p + 1, PAGE, 0ul, 0ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p, PAGE, 1ul, 0ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p, PAGE, 5000ul, 0ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0ul, 1ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p, -PAGE, 0ul, 0ul), EINVAL);
	CHECK_OK(syscall(SYS_set_mempolicy_home_node, p, 0ul, 0ul, 0ul));
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, check_bad_address(), PAGE, 0ul, 0ul), ENOENT);
	CHECK_OK(bind_range(p, PAGE, MPOL_INTERLEAVE, 1, 0));
	CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0ul, 0ul), EOPNOTSUPP);
	CHECK_OK(bind_range(p, PAGE, MPOL_BIND, 1, 0));
	CHECK_OK(syscall(SYS_set_mempolicy_home_node, p, PAGE, 0ul, 0ul));
}

TEST(pages_are_where_they_are)
{
	char *p = pages(3);
	char *shared = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	void *list[4] = { p, p + PAGE, shared, (void *)PAGE };
	int nodes[4] = { 0, 0, 0, 0 }, status[4] = { 99, 99, 99, 99 };

	p[0] = 1;
	CHECK_EQ(syscall(SYS_move_pages, 0, 4ul, list, NULL, status, 0), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -EFAULT); /* never touched */
	CHECK_EQ(status[2], -ENOENT);
	CHECK_EQ(status[3], -EFAULT);
	status[0] = status[1] = 99;
	CHECK_EQ(syscall(SYS_move_pages, getpid(), 2ul, list, nodes, status, MPOL_MF_MOVE), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -EFAULT);
	nodes[0] = 1;
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, nodes, status, MPOL_MF_MOVE), ENODEV);
	nodes[0] = -1;
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, nodes, status, MPOL_MF_MOVE), ENODEV);
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, NULL, status, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, check_bad_address(), NULL, status, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, NULL, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, check_bad_address(), status, MPOL_MF_MOVE), EFAULT);
	CHECK_ERRNO(syscall(SYS_move_pages, 0x3fffff, 1ul, list, NULL, status, 0), ESRCH);
	CHECK_EQ(syscall(SYS_move_pages, 0, 0ul, NULL, NULL, NULL, 0), 0);
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_move_pages, 0, 1ul, list, NULL, status, MPOL_MF_MOVE_ALL), EPERM);
	CHECK_ERRNO(syscall(SYS_move_pages, 1, 1ul, list, NULL, status, 0), EPERM);
}

TEST(nothing_migrates_from_one_node_to_itself)
{
	unsigned long one = 1, two = 2, none = 0;

	CHECK_EQ(syscall(SYS_migrate_pages, 0, 65ul, &one, &one), 0);
	CHECK_EQ(syscall(SYS_migrate_pages, getpid(), 65ul, &one, &one), 0);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 65ul, &one, &two), EINVAL);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 65ul, &one, &none), EINVAL);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 0ul, &one, &one), EINVAL);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 65ul, check_bad_address(), &one), EFAULT);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 65ul, &one, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0x3fffff, 65ul, &one, &one), ESRCH);
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_migrate_pages, 1, 65ul, &one, &one), EPERM);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 65ul, &one, &two), EPERM);
}
