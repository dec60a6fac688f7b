/* SPDX-License-Identifier: MIT */
/* System V shared memory. */
#include "../check.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>

#define PAGE 4096ul

static struct shmid_ds
status(int id)
{
	struct shmid_ds ds;

	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	return ds;
}

static int
segment(size_t size)
{
	return CHECK_OK(shmget(IPC_PRIVATE, size, IPC_CREAT | 0600));
}

/* A key that nobody else uses: the cases run one after the other. */
static key_t
fresh_key(void)
{
	key_t key = 0x54530000 + getpid();
	int id = shmget(key, 0, 0);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return key;
}

TEST(shm_is_shared_with_a_child_and_by_two_attaches)
{
	int id = segment(2 * PAGE);
	char *a = CHECK_OK(shmat(id, NULL, 0)), *b = CHECK_OK(shmat(id, NULL, 0));

	CHECK(a != b);
	for (size_t i = 0; i < 2 * PAGE; i++)
		CHECK_EQ(a[i], 0);
	a[PAGE + 1] = 'x';
	CHECK_EQ(b[PAGE + 1], 'x');
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(a[PAGE + 1], 'x');
		b[0] = 'y';
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(a[0], 'y');
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_status_tells_size_pids_and_times)
{
	time_t before = time(NULL);
	int id = segment(5000);
	struct shmid_ds ds = status(id);

	CHECK_EQ(ds.shm_segsz, 5000);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_nattch, 0);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK_RANGE(ds.shm_ctime, before, time(NULL));
	CHECK_EQ(ds.shm_perm.mode, 0600);
	CHECK_EQ(ds.shm_perm.uid, 0);
	CHECK_EQ(ds.shm_perm.cuid, 0);
	CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(shmat(id, NULL, 0));
		CHECK_EQ(status(id).shm_nattch, 1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	ds = status(id);
	CHECK_EQ(ds.shm_lpid, pid);
	CHECK_EQ(ds.shm_nattch, 0);
	CHECK_RANGE(ds.shm_atime, before, time(NULL));
	CHECK_RANGE(ds.shm_dtime, before, time(NULL));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

HELPER(exit_at_once)
{
}

TEST(shm_attaches_are_counted_by_mappings)
{
	int id = segment(4 * PAGE);
	char *a = CHECK_OK(shmat(id, NULL, 0));

	CHECK_EQ(status(id).shm_nattch, 1);
	CHECK_OK(munmap(a + PAGE, PAGE)); /* two pieces */
	CHECK_EQ(status(id).shm_nattch, 2);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(status(id).shm_nattch, 4);
		char *args[] = { "x", "--helper", "exit_at_once", NULL };
		execv("/proc/self/exe", args);
		_exit(1);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(status(id).shm_nattch, 2);
	CHECK_OK(shmdt(a)); /* both pieces */
	CHECK_EQ(status(id).shm_nattch, 0);
	CHECK_ERRNO(shmdt(a), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_removed_segment_lives_until_the_last_detach)
{
	key_t key = fresh_key();
	int id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | 0600));
	char *a = CHECK_OK(shmat(id, NULL, 0));

	*a = 'x';
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	struct shmid_ds ds = status(id);
	CHECK_EQ(ds.shm_perm.mode & 01000, 01000); /* SHM_DEST */
	CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
	CHECK_ERRNO(shmget(key, 0, 0), ENOENT);
	char *b = CHECK_OK(shmat(id, NULL, 0));
	CHECK_EQ(*b, 'x');
	CHECK_OK(shmctl(id, IPC_RMID, NULL)); /* once more does no harm */
	CHECK_OK(shmdt(a));
	CHECK_OK(shmdt(b));
	CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);
}

TEST(shm_killed_program_detaches)
{
	int id = segment(PAGE);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(shmat(id, NULL, 0));
		pause();
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(status(id).shm_nattch, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);
}

TEST(shmget_finds_by_key_and_checks)
{
	key_t key = fresh_key();

	CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
	int id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | 0600));
	CHECK_EQ(shmget(key, PAGE, 0600), id);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, PAGE, IPC_CREAT | 0600), id);
	CHECK_ERRNO(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERRNO(shmget(key, PAGE + 1, 0600), EINVAL);
	CHECK_ERRNO(shmget(key, PAGE + 1, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
}

TEST(shmget_sizes)
{
	CHECK_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(shmget(IPC_PRIVATE, (size_t)-1, IPC_CREAT | 0600), EINVAL);
	int id = segment(1);
	char *a = CHECK_OK(shmat(id, NULL, 0));
	a[PAGE - 1] = 1; /* whole pages */
	CHECK_EQ(status(id).shm_segsz, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shmget_private_makes_a_new_one_each_time)
{
	int a = CHECK_OK(shmget(IPC_PRIVATE, 1, 0600)), b = CHECK_OK(shmget(IPC_PRIVATE, 1, 0600));

	CHECK(a != b);
	CHECK_OK(shmctl(a, IPC_RMID, NULL));
	CHECK_OK(shmctl(b, IPC_RMID, NULL));
}

TEST(shm_id_is_not_used_again_at_once)
{
	int first = segment(1);

	CHECK_OK(shmctl(first, IPC_RMID, NULL));
	for (int i = 0; i < 200; i++) {
		int id = segment(1);

		CHECK(id != first);
		CHECK_OK(shmctl(id, IPC_RMID, NULL));
	}
	CHECK_ERRNO(shmat(first, NULL, 0), EINVAL);
}

TEST(shmat_read_only_stays_so)
{
	int id = segment(PAGE);
	char *a = CHECK_OK(shmat(id, NULL, SHM_RDONLY));

	CHECK_EQ(*a, 0);
	CHECK_ERRNO(mprotect(a, PAGE, PROT_READ | PROT_WRITE), EACCES);
	pid_t pid = check_fork();
	if (pid == 0) {
		*a = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shmat_executable)
{
	int id = segment(PAGE);
	unsigned char *a = CHECK_OK(shmat(id, NULL, SHM_EXEC));

	memcpy(a, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
	CHECK_EQ(((int (*)(void))a)(), 42);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shmat_address_rules)
{
	int id = segment(2 * PAGE);
	char *room = CHECK_OK(mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_ERRNO(shmat(id, room + 1, 0), EINVAL);
	CHECK_ERRNO(shmat(id, room, 0), EINVAL);          /* occupied */
	CHECK_ERRNO(shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERRNO(shmat(id, (void *)1, SHM_REMAP | SHM_RND), EINVAL);
	CHECK_EQ(shmat(id, room, SHM_REMAP), room);
	*room = 'x';
	CHECK_EQ(shmat(id, room + 4 * PAGE + 123, SHM_REMAP | SHM_RND), room + 4 * PAGE);
	CHECK_EQ(room[4 * PAGE], 'x');
	CHECK_OK(munmap(room + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(shmat(id, room + 2 * PAGE, 0), room + 2 * PAGE);
	CHECK_EQ(room[2 * PAGE], 'x');
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shmat_errors)
{
	int id = segment(PAGE);

	CHECK_ERRNO(shmat(-1, NULL, 0), EINVAL);
	CHECK_ERRNO(shmat(id + 0x10000, NULL, 0), EINVAL);
	CHECK_ERRNO(shmat(id, (void *)0x7ffffffff000, 0), ENOMEM);
	CHECK_ERRNO(shmat(id, (void *)-PAGE, 0), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);
}

TEST(shmdt_errors)
{
	char *own = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int id = segment(2 * PAGE);
	char *a = CHECK_OK(shmat(id, NULL, 0));

	CHECK_ERRNO(shmdt(own), EINVAL);
	CHECK_ERRNO(shmdt(a + 1), EINVAL);
	CHECK_ERRNO(shmdt(a + PAGE), EINVAL);
	CHECK_OK(shmdt(a));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shmdt_leaves_what_was_moved)
{
	int id = segment(2 * PAGE);
	char *a = CHECK_OK(shmat(id, NULL, 0));
	char *to = CHECK_OK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	a[PAGE] = 'm';
	CHECK_EQ(mremap(a + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	CHECK_OK(shmdt(a));
	CHECK_EQ(*to, 'm');
	CHECK_EQ(status(id).shm_nattch, 1);
	CHECK_OK(munmap(to, PAGE));
	CHECK_EQ(status(id).shm_nattch, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_permissions)
{
	int id = CHECK_OK(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0640));
	int open = CHECK_OK(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0604));
	key_t key = fresh_key();
	int named = CHECK_OK(shmget(key, PAGE, IPC_CREAT | 0600));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct shmid_ds ds;

		check_drop_root();
		CHECK_ERRNO(shmat(id, NULL, 0), EACCES);
		CHECK_ERRNO(shmat(id, NULL, SHM_RDONLY), EACCES);
		CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EACCES);
		CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERRNO(shmat(open, NULL, 0), EACCES);
		CHECK_OK(shmat(open, NULL, SHM_RDONLY));
		CHECK_ERRNO(shmat(open, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
		CHECK_OK(shmctl(open, IPC_STAT, &ds));
		CHECK_ERRNO(shmctl(open, IPC_SET, &ds), EPERM);
		CHECK_ERRNO(shmget(key, 0, 0600), EACCES);
		CHECK_EQ(shmget(key, 0, 0), named); /* asks for nothing */
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(shmctl(open, IPC_RMID, NULL));
	CHECK_OK(shmctl(named, IPC_RMID, NULL));
}

TEST(shm_set_gives_it_away)
{
	int id = segment(PAGE);
	struct shmid_ds ds = status(id);

	ds.shm_perm.uid = CHECK_NOBODY;
	ds.shm_perm.gid = CHECK_NOBODY;
	ds.shm_perm.mode = 07777;
	ds.shm_segsz = 1;
	CHECK_OK(shmctl(id, IPC_SET, &ds));
	ds = status(id);
	CHECK_EQ(ds.shm_perm.uid, CHECK_NOBODY);
	CHECK_EQ(ds.shm_perm.cuid, 0);
	CHECK_EQ(ds.shm_perm.mode, 0777);
	CHECK_EQ(ds.shm_segsz, PAGE);
	ds.shm_perm.uid = -1;
	CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EINVAL);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_OK(shmctl(id, IPC_RMID, NULL));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(shmctl_errors)
{
	int id = segment(PAGE);
	struct shmid_ds ds;

	CHECK_ERRNO(shmctl(-1, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id, 77, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id, -1, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id, IPC_STAT, check_bad_address()), EFAULT);
	CHECK_ERRNO(shmctl(id, IPC_SET, check_bad_address()), EFAULT);
	CHECK_ERRNO(shmctl(id, IPC_INFO, check_bad_address()), EFAULT);
	CHECK_ERRNO(shmctl(id, SHM_INFO, check_bad_address()), EFAULT);
	CHECK_ERRNO(shmctl(id + 0x10000, IPC_RMID, NULL), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EINVAL);
	CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EINVAL);
}

TEST(shm_info_and_stat_by_index)
{
	struct shminfo limits;
	struct shm_info info;
	int id = segment(3 * PAGE);
	char *a = CHECK_OK(shmat(id, NULL, 0));

	*a = 1;
	int highest = CHECK_OK(shmctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.shmmin, 1);
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ(limits.shmmax, ULONG_MAX - (1ul << 24));
	CHECK_EQ(shmctl(0, SHM_INFO, (void *)&info), highest);
	CHECK(info.used_ids >= 1);
	CHECK(info.shm_tot >= 3);
	CHECK(info.shm_rss >= 1);
	int found = 0;
	for (int i = 0; i <= highest; i++) {
		struct shmid_ds ds;

		if (shmctl(i, SHM_STAT, &ds) == id) {
			CHECK_EQ(ds.shm_segsz, 3 * PAGE);
			CHECK_EQ(shmctl(i, 15 /* SHM_STAT_ANY */, &ds), id);
			found++;
		}
	}
	CHECK_EQ(found, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_lock_marks_and_is_limited)
{
	int id = segment(4 * PAGE);

	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_EQ(status(id).shm_perm.mode & 02000, 02000); /* SHM_LOCKED */
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_EQ(status(id).shm_perm.mode, 0600);
	pid_t pid = check_fork();
	if (pid == 0) {
		struct rlimit two = { 2 * PAGE, 2 * PAGE }, none = { 0, 0 };

		check_drop_root();
		int mine = segment(4 * PAGE), small = segment(PAGE);
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &two));
		CHECK_ERRNO(shmctl(mine, SHM_LOCK, NULL), ENOMEM);
		CHECK_OK(shmctl(small, SHM_LOCK, NULL));
		CHECK_OK(shmctl(small, SHM_UNLOCK, NULL));
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
		CHECK_ERRNO(shmctl(small, SHM_LOCK, NULL), EPERM);
		CHECK_OK(shmctl(mine, IPC_RMID, NULL));
		CHECK_OK(shmctl(small, IPC_RMID, NULL));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_huge_pages_are_refused_without_a_pool)
{
	char pool[32] = "";

	check_read_file("/proc/sys/vm/nr_hugepages", pool, sizeof(pool));
	if (atoi(pool) != 0)
		SKIP("there is a pool");
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1 << 21, IPC_CREAT | SHM_HUGETLB | 0600), ENOMEM);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1 << 21, IPC_CREAT | SHM_HUGETLB | 13 << 26 | 0600), EINVAL);
}

TEST(shm_shows_in_proc)
{
	static char text[65536];
	char line[128];
	int id = segment(12345);
	void *a = CHECK_OK(shmat(id, NULL, 0));

	check_read_file("/proc/sysvipc/shm", text, sizeof(text));
	static const char header[] = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
				  "  cgid      atime      dtime      ctime                   rss                  swap\n";

	CHECK_MEM(text, header, sizeof(header) - 1);
	snprintf(line, sizeof(line), "%10d %10d  %4o %21lu %5u %5u  %5lu", 0, id, 0600, 12345ul,
		 getpid(), getpid(), 1ul);
	CHECK(strstr(text, line) != NULL);
	check_read_file("/proc/self/maps", text, sizeof(text));
	snprintf(line, sizeof(line), "%lx-%lx rw-s 00000000 ", (unsigned long)a, (unsigned long)a + 4 * PAGE);
	CHECK(strstr(text, line) != NULL);
	CHECK(strstr(text, "/SYSV00000000 (deleted)\n") != NULL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_limits_are_settings)
{
	char text[64] = "";

	check_read_file("/proc/sys/kernel/shmmax", text, sizeof(text));
	CHECK_STR(text, "18446744073692774399\n");
	check_write_file("/proc/sys/kernel/shmmax", "8192\n", 5);
	int error = shmget(IPC_PRIVATE, 8193, 0600) == -1 ? errno : 0, id = shmget(IPC_PRIVATE, 8192, 0600);
	check_write_file("/proc/sys/kernel/shmmax", "18446744073692774399\n", 21);
	CHECK_EQ(error, EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	check_read_file("/proc/sys/kernel/shmall", text, sizeof(text));
	check_write_file("/proc/sys/kernel/shmall", "1\n", 2);
	error = shmget(IPC_PRIVATE, 8192, 0600) == -1 ? errno : 0;
	check_write_file("/proc/sys/kernel/shmall", text, strlen(text));
	CHECK_EQ(error, ENOSPC);
	check_write_file("/proc/sys/kernel/shmmni", "0\n", 2);
	error = shmget(IPC_PRIVATE, 8192, 0600) == -1 ? errno : 0;
	check_write_file("/proc/sys/kernel/shmmni", "4096\n", 5);
	CHECK_EQ(error, ENOSPC);
}

TEST(ipc_namespace_hides_objects_and_ends_with_its_last_process)
{
	key_t key = fresh_key();
	int id = CHECK_OK(shmget(key, PAGE, IPC_CREAT | 0600));
	char *a = CHECK_OK(shmat(id, NULL, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct shm_info info;

		CHECK_OK(unshare(CLONE_NEWIPC));
		*a = 'x'; /* stays attached */
		CHECK_ERRNO(shmget(key, 0, 0), ENOENT);
		CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);
		CHECK_OK(shmctl(0, SHM_INFO, (void *)&info));
		CHECK_EQ(info.used_ids, 0);
		int own = CHECK_OK(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
		CHECK_OK(shmat(own, NULL, 0));
		CHECK_OK(shmget(IPC_PRIVATE, PAGE, 0600));
		CHECK_OK(shmdt(a));
		_exit(0); /* with both segments there */
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(*a, 'x');
	CHECK_EQ(status(id).shm_nattch, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(ipc_namespace_needs_the_right)
{
	check_drop_root();
	CHECK_ERRNO(unshare(CLONE_NEWIPC), EPERM);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0), EPERM);
}

TEST(shm_attach_detach_and_remove_race)
{
	for (int round = 0; round < 20; round++) {
		int id = segment(PAGE);
		pid_t pid[3];

		for (int i = 0; i < 3; i++) {
			pid[i] = check_fork();
			if (pid[i] == 0) {
				/* While one is attached the others may attach: it could go on for ever. */
				for (int k = 0; k < 50; k++) {
					void *a = shmat(id, NULL, 0);

					if (a == (void *)-1) {
						CHECK(errno == EINVAL || errno == EIDRM);
						_exit(0);
					}
					*(volatile char *)a = 1;
					if (i == 2 && fork() == 0)
						_exit(0);
					CHECK_OK(shmdt(a));
				}
				_exit(0);
			}
		}
		for (int i = 0; i < round % 8; i++)
			sched_yield();
		CHECK_OK(shmctl(id, IPC_RMID, NULL));
		for (int i = 0; i < 2; i++) {
			if (round % 2)
				kill(pid[i], SIGKILL);
			int result;
			CHECK_EQ(waitpid(pid[i], &result, 0), pid[i]);
			CHECK(result == 0 || result == SIGKILL);
		}
		kill(pid[2], SIGKILL);
		CHECK_EQ(waitpid(pid[2], NULL, 0), pid[2]);
		struct shmid_ds ds;
		for (int i = 0; shmctl(id, IPC_STAT, &ds) == 0; i++) {
			CHECK(i < 5000); /* grandchildren may be there still */
			check_sleep_ms(1);
		}
		/* Looked up by number before it went, or not found at all: Linux tells the two apart as we do. */
		CHECK(errno == EINVAL || errno == EIDRM);
	}
}
