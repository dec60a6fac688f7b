/* SPDX-License-Identifier: MIT */
/* System V semaphores. */
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int
set_of(int count)
{
	return CHECK_OK(semget(IPC_PRIVATE, count, IPC_CREAT | 0600));
}

static int
op(int id, int index, int change, int flags)
{
	struct sembuf b = { (unsigned short)index, (short)change, (short)flags };

	return semop(id, &b, 1);
}

static int
value(int id, int index)
{
	return CHECK_OK(semctl(id, index, GETVAL));
}

/* Until `n` wait for semaphore `index` to change as `command` counts. */
static void
wait_for_waiters(int id, int index, int command, int n)
{
	for (int i = 0; semctl(id, index, command) != n; i++) {
		CHECK(i < 5000);
		check_sleep_ms(1);
	}
}

TEST(sem_counts_up_and_down)
{
	int id = set_of(2);

	CHECK_EQ(value(id, 0), 0);
	CHECK_OK(op(id, 1, 3, 0));
	CHECK_EQ(value(id, 1), 3);
	CHECK_OK(op(id, 1, -2, 0));
	CHECK_EQ(value(id, 1), 1);
	CHECK_EQ(value(id, 0), 0);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_operations_are_done_all_or_none)
{
	int id = set_of(3);
	struct sembuf fails[] = { { 0, 1, 0 }, { 1, 5, 0 }, { 2, -1, IPC_NOWAIT } };
	struct sembuf works[] = { { 0, 2, 0 }, { 0, -1, 0 }, { 1, 0, 0 }, { 1, 1, 0 } };

	CHECK_ERRNO(semop(id, fails, 3), EAGAIN);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(value(id, i), 0);
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_OK(semop(id, works, 4)); /* each sees what those before it did */
	CHECK_EQ(value(id, 0), 1);
	CHECK_EQ(value(id, 1), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_waits_until_it_can)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(op(id, 0, -2, 0));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 0);
	CHECK_EQ(semctl(id, 0, GETPID), pid);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_waits_for_zero)
{
	int id = set_of(1);

	CHECK_OK(op(id, 0, 1, 0));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(op(id, 0, 0, 0));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETZCNT, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(op(id, 0, -1, 0));
	CHECK_EXIT(pid, 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_wakes_the_oldest_first)
{
	int id = set_of(1), order[2];
	pid_t pid[4];

	CHECK_OK(pipe(order));
	for (char i = 0; i < 4; i++) {
		pid[(int)i] = check_fork();
		if (pid[(int)i] == 0) {
			CHECK_OK(op(id, 0, -1, 0));
			check_write_all(order[1], &i, 1);
			_exit(0);
		}
		wait_for_waiters(id, 0, GETNCNT, i + 1);
	}
	for (char i = 0; i < 4; i++) {
		char who;

		CHECK_OK(op(id, 0, 1, 0));
		check_read_all(order[0], &who, 1);
		CHECK_EQ(who, i);
		CHECK_EXIT(pid[(int)i], 0);
	}
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_waiter_that_needs_less_goes_on_before_an_older_one)
{
	int id = set_of(1);
	pid_t many = check_fork();

	if (many == 0) {
		CHECK_OK(op(id, 0, -3, 0));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	pid_t one = check_fork();
	if (one == 0) {
		CHECK_OK(op(id, 0, -1, 0));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 2);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_EXIT(one, 0);
	CHECK_OK(op(id, 0, 3, 0));
	CHECK_EXIT(many, 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_nowait_and_timeout)
{
	int id = set_of(1);
	struct sembuf b = { 0, -1, 0 };
	struct timespec none = { 0, 0 }, some = { 0, 50000000 }, bad = { 0, 1000000000 }, past = { -1, 0 };
	long long start = check_now_ms();

	CHECK_ERRNO(op(id, 0, -1, IPC_NOWAIT), EAGAIN);
	CHECK_ERRNO(semtimedop(id, &b, 1, &none), EAGAIN);
	CHECK_ERRNO(semtimedop(id, &b, 1, &some), EAGAIN);
	CHECK(check_now_ms() - start >= 50);
	CHECK_ERRNO(semtimedop(id, &b, 1, &bad), EINVAL);
	CHECK_ERRNO(semtimedop(id, &b, 1, &past), EINVAL);
	CHECK_ERRNO(semtimedop(id, &b, 1, check_bad_address()), EFAULT);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_OK(semtimedop(id, &b, 1, &some));
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_removal_wakes_with_eidrm)
{
	int id = set_of(2);
	pid_t pid[2];

	CHECK_OK(op(id, 1, 1, 0));
	for (int i = 0; i < 2; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			CHECK_ERRNO(op(id, i, i ? 0 : -1, 0), EIDRM);
			_exit(0);
		}
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	wait_for_waiters(id, 1, GETZCNT, 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_EXIT(pid[0], 0);
	CHECK_EXIT(pid[1], 0);
	CHECK_ERRNO(op(id, 0, 1, 0), EINVAL);
}

static void
on_signal(int sig __attribute__((unused)))
{
}

TEST(sem_wait_is_interrupted_and_not_restarted)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_ERRNO(op(id, 0, -1, 0), EINTR);
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	kill(pid, SIGUSR1);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_killed_waiter_leaves_the_queue)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		op(id, 0, -1, 0);
		_exit(1);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_EQ(value(id, 0), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_undo_at_exit)
{
	int id = set_of(2);
	pid_t pid;

	CHECK_OK(op(id, 0, 5, 0));
	for (int how = 0; how < 2; how++) {
		pid = check_fork();
		if (pid == 0) {
			CHECK_OK(op(id, 0, -3, SEM_UNDO));
			CHECK_OK(op(id, 0, 1, SEM_UNDO));
			CHECK_OK(op(id, 1, 4, SEM_UNDO));
			CHECK_OK(op(id, 1, 1, 0));
			if (how == 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		if (how == 1)
			CHECK_KILLED(pid, SIGKILL);
		else
			CHECK_EXIT(pid, 0);
		CHECK_EQ(value(id, 0), 5);
		CHECK_EQ(value(id, 1), how + 1);
		CHECK_EQ(semctl(id, 0, GETPID), pid);
	}
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_undo_stops_at_zero_and_at_the_maximum)
{
	int id = set_of(2);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(op(id, 0, 5, SEM_UNDO));
		CHECK_OK(op(id, 0, -3, 0)); /* 2 left, 5 to be taken */
		CHECK_OK(op(id, 1, 10, 0));
		CHECK_OK(op(id, 1, -10, SEM_UNDO));
		CHECK_OK(op(id, 1, 32760, 0)); /* 10 more are too many */
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 0);
	CHECK_EQ(value(id, 1), 32767);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_undo_wakes_who_waits)
{
	int id = set_of(1);
	pid_t holder, waiter;

	CHECK_OK(op(id, 0, 1, 0));
	holder = check_fork();
	if (holder == 0) {
		CHECK_OK(op(id, 0, -1, SEM_UNDO));
		pause();
	}
	while (value(id, 0) != 0)
		check_sleep_ms(1);
	waiter = check_fork();
	if (waiter == 0) {
		CHECK_OK(op(id, 0, -1, SEM_UNDO));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	kill(holder, SIGKILL);
	CHECK_KILLED(holder, SIGKILL);
	CHECK_EXIT(waiter, 0);
	CHECK_EQ(value(id, 0), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_undo_is_not_inherited_by_fork_but_kept_by_exec)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(op(id, 0, 1, SEM_UNDO));
		pid_t child = check_fork();
		if (child == 0)
			_exit(0);
		CHECK_EXIT(child, 0);
		CHECK_EQ(value(id, 0), 1);
		char *args[] = { "x", "--helper", "sem_value_is_one", (char[12]){ 0 }, NULL };
		snprintf(args[3], 12, "%d", id);
		execv("/proc/self/exe", args);
		_exit(1);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

HELPER(sem_value_is_one)
{
	_exit(semctl(atoi(argv[1]), 0, GETVAL) == 1 ? 0 : 1);
}

static int thread_set;

static void *
thread_undo(void *arg)
{
	CHECK_OK(op(thread_set, 0, 1, SEM_UNDO));
	return arg;
}

TEST(sem_undo_of_threads_is_one)
{
	int id = thread_set = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;

		CHECK_RETURNS(pthread_create(&t, NULL, thread_undo, NULL), 0);
		CHECK_RETURNS(pthread_join(t, NULL), 0);
		check_sleep_ms(20);
		CHECK_EQ(value(id, 0), 1); /* the thread is gone, its process is not */
		CHECK_OK(op(id, 0, -1, SEM_UNDO));
		CHECK_OK(op(id, 0, 7, 0));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 7);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_unshare_undoes)
{
	int id = set_of(1);

	CHECK_OK(op(id, 0, 3, SEM_UNDO));
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(value(id, 0), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_set_value_forgets_undo)
{
	int id = set_of(2);
	unsigned short all[2] = { 7, 8 };
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(op(id, 0, 2, SEM_UNDO));
		CHECK_OK(op(id, 1, 2, SEM_UNDO));
		CHECK_OK(semctl(id, 0, SETVAL, (union semun){ .val = 10 }));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 10);
	CHECK_EQ(value(id, 1), 0);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(op(id, 0, 2, SEM_UNDO));
		CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = all }));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 7);
	CHECK_EQ(value(id, 1), 8);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_set_and_get_all)
{
	int id = set_of(3);
	unsigned short in[3] = { 1, 2, 32767 }, out[3] = { 0 }, large[3] = { 1, 32768, 0 };

	CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = in }));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = out }));
	CHECK_MEM(out, in, sizeof(in));
	CHECK_EQ(semctl(id, 2, GETPID), getpid());
	CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){ .array = large }), ERANGE);
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = out }));
	CHECK_MEM(out, in, sizeof(in));
	CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){ .array = check_bad_address() }), EFAULT);
	CHECK_ERRNO(semctl(id, 0, GETALL, (union semun){ .array = check_bad_address() }), EFAULT);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_set_value_wakes)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(op(id, 0, -4, 0));
		_exit(0);
	}
	wait_for_waiters(id, 0, GETNCNT, 1);
	CHECK_OK(semctl(id, 0, SETVAL, (union semun){ .val = 5 }));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value(id, 0), 1);
	CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){ .val = -1 }), ERANGE);
	CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERRNO(semctl(id, 1, SETVAL, (union semun){ .val = 1 }), EINVAL);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_value_limits)
{
	int id = set_of(1);

	CHECK_OK(op(id, 0, 32767, 0));
	CHECK_ERRNO(op(id, 0, 1, 0), ERANGE);
	CHECK_ERRNO(op(id, 0, 1, IPC_NOWAIT), ERANGE);
	CHECK_EQ(value(id, 0), 32767);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(semop_errors)
{
	int id = set_of(2);
	static struct sembuf many[501];
	struct sembuf b = { 2, 1, 0 }, two[2] = { { 0, 1, 0 }, { 9, 1, 0 } };

	CHECK_ERRNO(semop(id, &b, 1), EFBIG);
	CHECK_ERRNO(semop(id, two, 2), EFBIG);
	CHECK_EQ(value(id, 0), 0);
	CHECK_ERRNO(semop(id, &b, 0), EINVAL);
	CHECK_ERRNO(semop(-1, &b, 1), EINVAL);
	CHECK_ERRNO(semop(id + 0x10000, &b, 1), EINVAL);
	CHECK_ERRNO(semop(id, many, 501), E2BIG);
	CHECK_OK(semop(id, many, 500)); /* all wait for zero, which is */
	CHECK_ERRNO(semop(id, check_bad_address(), 1), EFAULT);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERRNO(semop(id, two, 1), EINVAL);
}

TEST(semget_rules)
{
	key_t key = 0x54540000 + getpid();

	CHECK_ERRNO(semget(key, 1, 0600), ENOENT);
	CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	CHECK_ERRNO(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
	int id = CHECK_OK(semget(key, 3, IPC_CREAT | 0600));
	CHECK_EQ(semget(key, 0, 0), id);
	CHECK_EQ(semget(key, 3, IPC_CREAT), id);
	CHECK_ERRNO(semget(key, 4, 0), EINVAL);
	CHECK_ERRNO(semget(key, 3, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	int large = CHECK_OK(semget(IPC_PRIVATE, 32000, 0600));
	CHECK_OK(op(large, 31999, 1, 0));
	CHECK_OK(semctl(large, 0, IPC_RMID));
}

TEST(semctl_errors)
{
	int id = set_of(1);
	struct semid_ds ds;

	CHECK_ERRNO(semctl(id, 1, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(id, -1, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(-1, 0, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(id, 0, 99), EINVAL);
	CHECK_ERRNO(semctl(id + 0x10000, 0, IPC_STAT, (union semun){ .buf = &ds }), EINVAL);
	CHECK_ERRNO(semctl(id, 0, IPC_STAT, (union semun){ .buf = check_bad_address() }), EFAULT);
	CHECK_ERRNO(semctl(id, 0, IPC_SET, (union semun){ .buf = check_bad_address() }), EFAULT);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERRNO(semctl(id, 0, IPC_RMID), EINVAL);
}

TEST(sem_status_and_set)
{
	int id = set_of(4);
	struct semid_ds ds;
	union semun u = { .buf = &ds };
	time_t now = time(NULL);

	CHECK_OK(semctl(id, 0, IPC_STAT, u));
	CHECK_EQ(ds.sem_nsems, 4);
	CHECK_EQ(ds.sem_otime, 0);
	CHECK_RANGE(ds.sem_ctime, now - 1, now + 5);
	CHECK_OK(op(id, 0, 1, 0));
	CHECK_OK(semctl(id, 0, IPC_STAT, u));
	CHECK_RANGE(ds.sem_otime, now - 1, now + 5);
	ds.sem_perm.uid = ds.sem_perm.gid = CHECK_NOBODY;
	ds.sem_perm.mode = 0400;
	CHECK_OK(semctl(id, 0, IPC_SET, u));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_EQ(semctl(id, 0, GETVAL), 1);
		CHECK_ERRNO(op(id, 0, 1, 0), EACCES);
		CHECK_ERRNO(op(id, 0, 0, IPC_NOWAIT), EAGAIN); /* reading is allowed */
		CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
		CHECK_OK(semctl(id, 0, IPC_RMID));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(sem_permissions)
{
	int id = set_of(1);
	pid_t pid = check_fork();

	if (pid == 0) {
		struct semid_ds ds = { 0 };
		unsigned short array[1] = { 0 };

		check_drop_root();
		CHECK_ERRNO(op(id, 0, 1, 0), EACCES);
		CHECK_ERRNO(op(id, 0, 0, 0), EACCES);
		CHECK_ERRNO(semctl(id, 0, GETVAL), EACCES);
		CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){ .array = array }), EACCES);
		CHECK_ERRNO(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), EACCES);
		CHECK_ERRNO(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }), EPERM);
		CHECK_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_info_and_settings)
{
	struct seminfo info;
	char text[64] = "";
	int id = set_of(5), highest;

	highest = CHECK_OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }));
	CHECK_EQ(info.semmni, 32000);
	CHECK_EQ(info.semmsl, 32000);
	CHECK_EQ(info.semopm, 500);
	CHECK_EQ(info.semvmx, 32767);
	CHECK_EQ(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }), highest);
	CHECK(info.semusz >= 1);
	CHECK(info.semaem >= 5);
	check_read_file("/proc/sys/kernel/sem", text, sizeof(text));
	CHECK_STR(text, "32000\t1024000000\t500\t32000\n");
	check_write_file("/proc/sys/kernel/sem", "32000 1024000000 2\n", 19);
	struct sembuf three[3] = { { 0 } };
	int error = semop(id, three, 3) == -1 ? errno : 0;
	check_write_file("/proc/sys/kernel/sem", "32000 1024000000 500 32000\n", 27);
	CHECK_EQ(error, E2BIG);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_shows_in_proc)
{
	static char text[65536];
	char line[128];
	int id = set_of(17);

	check_read_file("/proc/sysvipc/sem", text, sizeof(text));
	static const char header[] = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";

	CHECK_MEM(text, header, sizeof(header) - 1);
	snprintf(line, sizeof(line), "%10d %10d  %4o %10u %5u %5u", 0, id, 0600, 17, 0, 0);
	CHECK(strstr(text, line) != NULL);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_mutual_exclusion_holds)
{
	int id = set_of(1), file[2];
	pid_t pid[4];
	char zero = 0;

	CHECK_OK(op(id, 0, 1, 0));
	CHECK_OK(pipe(file));
	check_write_all(file[1], &zero, 1);
	for (int i = 0; i < 4; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			for (int k = 0; k < 200; k++) {
				char c;

				CHECK_OK(op(id, 0, -1, SEM_UNDO));
				fcntl(file[0], F_SETFL, O_NONBLOCK);
				CHECK_EQ(read(file[0], &c, 1), 1); /* the one that is there */
				check_write_all(file[1], &c, 1);
				CHECK_OK(op(id, 0, 1, SEM_UNDO));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(pid[i], 0);
	CHECK_EQ(value(id, 0), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_removal_races_with_operations_and_kills)
{
	for (int round = 0; round < 30; round++) {
		int id = set_of(2);
		pid_t pid[4];

		for (int i = 0; i < 4; i++) {
			pid[i] = check_fork();
			if (pid[i] == 0) {
				struct sembuf up[2] = { { 0, 1, SEM_UNDO }, { 1, -1, SEM_UNDO } };
				struct sembuf down[2] = { { 0, -1, SEM_UNDO }, { 1, 1, SEM_UNDO } };

				while (semop(id, i % 2 ? up : down, 2) == 0)
					;
				CHECK(errno == EIDRM || errno == EINVAL);
				_exit(0);
			}
		}
		CHECK_OK(op(id, 0, 1, 0));
		for (int i = 0; i < round; i++)
			sched_yield();
		kill(pid[0], SIGKILL);
		CHECK_OK(semctl(id, 0, IPC_RMID));
		for (int i = 0; i < 4; i++) {
			int status;

			CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
			CHECK(status == 0 || (i == 0 && status == SIGKILL));
		}
	}
}
