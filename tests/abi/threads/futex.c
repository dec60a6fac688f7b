/* SPDX-License-Identifier: MIT */
/* futex, robust lists, membarrier, rseq, and the locks of libc under load. */
#include "../check.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/rseq.h>

static volatile int word, woken;

static long
futex(volatile int *at, int op, int value, const struct timespec *t, volatile int *other, int three)
{
	return syscall(SYS_futex, at, op, value, t, other, three);
}

static void
start(pthread_t *t, void *(*f)(void *), void *arg)
{
	CHECK_RETURNS(pthread_create(t, NULL, f, arg), 0);
}

static void *
join(pthread_t t)
{
	void *result;

	CHECK_RETURNS(pthread_join(t, &result), 0);
	return result;
}

static void *
wait_on_word(void *arg)
{
	volatile int *at = arg;

	if (futex(at, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0)
		__sync_fetch_and_add(&woken, 1);
	return NULL;
}

/* Wake `want` threads on `at` as they come to sleep there. */
static void
wake_exactly(volatile int *at, int want)
{
	int done = 0;

	for (int i = 0; i < 2000 && done < want; i++) {
		done += (int)CHECK_OK(futex(at, FUTEX_WAKE_PRIVATE, want - done, NULL, NULL, 0));
		check_sleep_ms(1);
	}
	CHECK_EQ(done, want);
}

TEST(futex_wait_with_another_value_is_eagain)
{
	word = 1;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
}

TEST(futex_wait_times_out)
{
	struct timespec t = { 0, 80000000 };
	long long begin = check_now_ms();

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_RANGE(check_now_ms() - begin, 79, 5000);
	t.tv_nsec = 0;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
}

TEST(futex_wait_bitset_takes_absolute_time)
{
	struct timespec t;
	long long begin = check_now_ms();

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
	t.tv_nsec += 80000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, -1), ETIMEDOUT);
	CHECK_RANGE(check_now_ms() - begin, 75, 5000);
	t = (struct timespec){ 0, 1 };
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, -1), ETIMEDOUT);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, -1),
		    ETIMEDOUT);
}

TEST(futex_argument_errors)
{
	struct timespec bad = { 0, 1000000000 };

	CHECK_ERRNO(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((int *)((char *)&word + 1), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex((int *)0xffff888000000000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, check_bad_address(), NULL, 0), EFAULT);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(futex_wake_wakes_the_number_asked)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], wait_on_word, (void *)&word);
	wake_exactly(&word, 3);
	for (int i = 0; i < 2000 && woken < 3; i++)
		check_sleep_ms(1);
	CHECK_EQ(woken, 3);
	check_sleep_ms(30);
	CHECK_EQ(woken, 3);
	wake_exactly(&word, 1);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	CHECK_EQ(woken, 4);
}

TEST(futex_private_and_shared_do_not_meet_wrongly)
{
	volatile int *shared = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXIT(pid, 0);
}

TEST(futex_shared_by_two_mappings_of_a_file)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(ftruncate(fd, 4096));
	volatile int *a = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pid_t pid = check_fork();
	if (pid == 0) {
		volatile int *b = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
						0));
		CHECK_OK(futex(b + 5, FUTEX_WAIT, 0, NULL, NULL, 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(futex(a + 4, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(a + 5, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXIT(pid, 0);
}

static void *
wait_on_bit(void *arg)
{
	CHECK_OK(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (int)(intptr_t)arg));
	__sync_fetch_and_or(&woken, (int)(intptr_t)arg);
	return NULL;
}

TEST(futex_wake_bitset_wakes_matching_waiters)
{
	pthread_t a, b;

	start(&a, wait_on_bit, (void *)1);
	start(&b, wait_on_bit, (void *)2);
	check_sleep_ms(50);
	for (int i = 0; i < 1000 && woken != 2; i++) {
		CHECK_OK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2));
		check_sleep_ms(1);
	}
	CHECK_EQ(woken, 2);
	join(b);
	wake_exactly(&word, 1);
	join(a);
	CHECK_EQ(woken, 3);
}

TEST(futex_cmp_requeue_moves_waiters)
{
	static volatile int first, second;
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], wait_on_word, (void *)&first);
	CHECK_ERRNO(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &second, 77), EAGAIN);
	int moved = 0;
	for (int i = 0; i < 2000 && moved < 4; i++) {
		moved += (int)CHECK_OK(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)4,
					     &second, 0));
		check_sleep_ms(1);
	}
	CHECK_EQ(moved, 4);
	CHECK_EQ(futex(&first, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(woken, 0);
	CHECK_EQ(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 4);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	CHECK_EQ(woken, 4);
}

TEST(futex_wake_op_changes_and_compares)
{
	static volatile int a, b;

	b = 5;
	/* b += 3; wake on b too if it was 5. */
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
		       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	CHECK_EQ(b, 8);
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
		       FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 5)), 0);
	CHECK_EQ(b, 1);
}

static void
ignore_signal(int sig __attribute__((unused)))
{
}

TEST(futex_wait_is_interrupted_by_a_signal)
{
	volatile int *shared = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = ignore_signal };
		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_ERRNO(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

static char clone_stack[65536] __attribute__((aligned(16)));
static volatile pid_t clone_tid;

static int
sleep_and_leave(void *arg __attribute__((unused)))
{
	check_sleep_ms(50);
	return 0;
}

TEST(child_cleartid_is_cleared_and_woken_at_exit)
{
	clone_tid = -1;
	pid_t pid = CHECK_OK(clone(sleep_and_leave, clone_stack + sizeof(clone_stack),
				   CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
				   NULL, NULL, NULL, (void *)&clone_tid));
	for (;;) {
		pid_t seen = clone_tid;
		if (seen == 0)
			break;
		CHECK(seen == -1 || seen == pid);
		if (futex(&clone_tid, FUTEX_WAIT, seen, NULL, NULL, 0) < 0)
			CHECK_EQ(errno, EAGAIN);
	}
	CHECK_EXIT(pid, 0);
}

struct robust_node {
	struct robust_list list;
	volatile int       word;
};

static struct robust_node node;
static struct robust_list_head head;

static void *
die_with_a_robust_lock(void *arg __attribute__((unused)))
{
	head.list.next = &node.list;
	head.futex_offset = (long)offsetof(struct robust_node, word);
	head.list_op_pending = NULL;
	node.list.next = &head.list;
	CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
	node.word = (int)syscall(SYS_gettid);
	return NULL;
}

TEST(robust_list_marks_the_owner_died)
{
	pthread_t t;

	start(&t, die_with_a_robust_lock, NULL);
	join(t);
	CHECK_EQ((unsigned)node.word & FUTEX_OWNER_DIED, FUTEX_OWNER_DIED);
	CHECK_EQ((unsigned)node.word & FUTEX_TID_MASK, 0);
}

/* A killed process gives up every lock on its list, not only the first. */
TEST(robust_list_of_a_killed_process_is_walked_to_its_end)
{
	enum { LOCKS = 8 };
	struct robust_node *locks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2];
	char c;

	CHECK(locks != MAP_FAILED);
	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < LOCKS; i++) {
			locks[i].list.next = i + 1 < LOCKS ? &locks[i + 1].list : &head.list;
			locks[i].word = getpid();
		}
		head.list.next = &locks[0].list;
		head.futex_offset = (long)offsetof(struct robust_node, word);
		CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
		check_write_all(ends[1], "r", 1);
		pause();
	}
	check_read_all(ends[0], &c, 1);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	for (int i = 0; i < LOCKS; i++)
		CHECK_EQ((unsigned)locks[i].word, FUTEX_OWNER_DIED);
}

/* The program rewrites the word under a waiter: the new owner cannot hand over what is waited for
 * elsewhere, and nobody can wait for it. */
static volatile int pi_word, pi_tid, pi_result;

static void *
wait_for_pi(void *arg __attribute__((unused)))
{
	pi_tid = (int)syscall(SYS_gettid);
	pi_result = futex(&pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 ? 0 : errno;
	return NULL;
}

static void *
unlock_pi_as_another(void *arg __attribute__((unused)))
{
	int tid = (int)syscall(SYS_gettid);

	pi_word = tid | (int)FUTEX_WAITERS;
	CHECK_ERRNO(futex(&pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EINVAL);
	return NULL;
}

static void *
lock_pi_of_another(void *arg __attribute__((unused)))
{
	CHECK_ERRNO(futex(&pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	return NULL;
}

TEST(pi_word_rewritten_under_a_waiter_is_einval)
{
	int self = (int)syscall(SYS_gettid);
	pthread_t waiter, other;

	pi_word = self;
	start(&waiter, wait_for_pi, NULL);
	while (!((unsigned)pi_word & FUTEX_WAITERS))
		check_sleep_ms(1);
	check_sleep_ms(20);
	start(&other, unlock_pi_as_another, NULL);
	join(other);
	/* A living thread that nobody waits for. */
	pid_t pid = check_fork();
	if (pid == 0)
		for (;;)
			pause();
	pi_word = pid | (int)FUTEX_WAITERS;
	start(&other, lock_pi_of_another, NULL);
	join(other);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	pi_word = self | (int)FUTEX_WAITERS;
	CHECK_OK(futex(&pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	join(waiter);
	CHECK_EQ(pi_result, 0);
	CHECK_EQ((unsigned)pi_word & FUTEX_TID_MASK, (unsigned)pi_tid);
}

TEST(robust_list_errors)
{
	struct robust_list_head *got;
	size_t size;

	CHECK_ERRNO(syscall(SYS_set_robust_list, &head, 1), EINVAL);
	CHECK_OK(syscall(SYS_get_robust_list, 0, &got, &size));
	CHECK_EQ(size, sizeof(head));
	CHECK_ERRNO(syscall(SYS_get_robust_list, 4194300, &got, &size), ESRCH);
}

TEST(robust_mutex_between_processes)
{
	pthread_mutex_t *m = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_RETURNS(pthread_mutex_init(m, &a), 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		check_sleep_ms(30);
		raise(SIGKILL);
	}
	check_sleep_ms(10);
	int error = pthread_mutex_lock(m);
	if (error == 0) {
		/* The child had not yet come to its lock. */
		pthread_mutex_unlock(m);
		CHECK_KILLED(pid, SIGKILL);
		error = pthread_mutex_lock(m);
	} else {
		CHECK_KILLED(pid, SIGKILL);
	}
	CHECK_EQ(error, EOWNERDEAD);
	CHECK_RETURNS(pthread_mutex_consistent(m), 0);
	CHECK_RETURNS(pthread_mutex_unlock(m), 0);
	CHECK_RETURNS(pthread_mutex_lock(m), 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *
count_under_mutex(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST(mutex_stress)
{
	pthread_t t[8];

	TIMEOUT(60);
	for (int i = 0; i < 8; i++)
		start(&t[i], count_under_mutex, NULL);
	for (int i = 0; i < 8; i++)
		join(t[i]);
	CHECK_EQ(counter, 40000);
}

static pthread_cond_t ping = PTHREAD_COND_INITIALIZER;
static int turn;

static void *
take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 3 != me)
			pthread_cond_wait(&ping, &mutex);
		turn++;
		pthread_cond_broadcast(&ping);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(condition_variable_stress)
{
	pthread_t t[3];

	TIMEOUT(60);
	for (intptr_t i = 0; i < 3; i++)
		start(&t[i], take_turns, (void *)i);
	for (int i = 0; i < 3; i++)
		join(t[i]);
	CHECK_EQ(turn, 1500);
}

TEST(condition_variable_times_out)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_nsec += 50000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	CHECK_RETURNS(pthread_cond_timedwait(&ping, &mutex, &t), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static volatile int rounds[4];

static void *
meet_often(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 1; i <= 200; i++) {
		rounds[me] = i;
		pthread_barrier_wait(&barrier);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(rounds[k], i);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

TEST(barrier_stress)
{
	pthread_t t[4];

	TIMEOUT(60);
	pthread_barrier_init(&barrier, NULL, 4);
	for (intptr_t i = 0; i < 4; i++)
		start(&t[i], meet_often, (void *)i);
	for (int i = 0; i < 4; i++)
		join(t[i]);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long pair[2];

static void *
read_or_write(void *arg)
{
	bool writer = arg != NULL;

	for (int i = 0; i < 1000; i++) {
		if (writer) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			pair[1]++;
		} else {
			pthread_rwlock_rdlock(&rwlock);
			CHECK_EQ(pair[0], pair[1]);
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return NULL;
}

TEST(rwlock_stress)
{
	pthread_t t[6];

	TIMEOUT(60);
	for (intptr_t i = 0; i < 6; i++)
		start(&t[i], read_or_write, (void *)(i % 2));
	for (int i = 0; i < 6; i++)
		join(t[i]);
	CHECK_EQ(pair[0], 3000);
}

static void *
try_lock(void *arg)
{
	return (void *)(intptr_t)pthread_mutex_trylock(arg);
}

TEST(priority_inheritance_mutex)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t[2];

	pthread_mutexattr_init(&a);
	CHECK_RETURNS(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
	if (pthread_mutex_init(&m, &a) == ENOTSUP)
		SKIP("no priority inheritance");
	CHECK_RETURNS(pthread_mutex_lock(&m), 0);
	CHECK_RETURNS(pthread_mutex_trylock(&m), EBUSY);
	start(&t[0], try_lock, &m);
	CHECK_EQ((intptr_t)join(t[0]), EBUSY);
	CHECK_RETURNS(pthread_mutex_unlock(&m), 0);
}

static void *
map_and_unmap(void *arg)
{
	for (int i = 0; i < 100; i++) {
		char *p = CHECK_OK(mmap(NULL, 16384, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		for (int k = 0; k < 4; k++) {
			CHECK_EQ(p[k * 4096], 0);
			p[k * 4096] = 1;
		}
		CHECK_OK(mprotect(p, 4096, PROT_READ));
		CHECK_OK(munmap(p, 16384));
	}
	return arg;
}

TEST(threads_that_map_and_unmap_at_once)
{
	pthread_t t[4];

	TIMEOUT(60);
	for (int i = 0; i < 4; i++)
		start(&t[i], map_and_unmap, NULL);
	for (int i = 0; i < 4; i++)
		join(t[i]);
}

static volatile int ready_count, flip;

static void *
watch_protection(void *arg)
{
	volatile int *page = arg;

	__sync_fetch_and_add(&ready_count, 1);
	while (!flip)
		;
	return (void *)(intptr_t)page[0];
}

TEST(a_new_mapping_at_an_old_address_is_seen_by_all_threads)
{
	TIMEOUT(60);
	for (int round = 0; round < 50; round++) {
		pthread_t t[2];
		int *page = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		page[0] = 1;
		flip = ready_count = 0;
		for (int i = 0; i < 2; i++)
			start(&t[i], watch_protection, page);
		while (ready_count < 2)
			sched_yield();
		CHECK(page[0] == 1);
		CHECK_OK(mmap(page, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		page[0] = 2;
		flip = 1;
		for (int i = 0; i < 2; i++)
			CHECK_EQ(join(t[i]), 2);
		CHECK_OK(munmap(page, 4096));
	}
}

TEST(membarrier_query_and_private_expedited)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0 && errno == ENOSYS)
		SKIP("no membarrier");
	CHECK(commands >= 0);
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	if (!(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		SKIP("no private expedited membarrier");
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
}

TEST(rseq_shows_the_cpu)
{
	if (__rseq_size == 0)
		SKIP("libc found no rseq");
	struct rseq *r = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	cpu_set_t one, all;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int cpu = 0; cpu < 8; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_EQ(((volatile struct rseq *)r)->cpu_id, cpu);
		CHECK_EQ(((volatile struct rseq *)r)->cpu_id_start, cpu);
	}
}

TEST(rseq_registration_errors)
{
	static struct rseq second __attribute__((aligned(32)));

	if (__rseq_size == 0)
		SKIP("libc found no rseq");
	void *own = (char *)__builtin_thread_pointer() + __rseq_offset;
	CHECK_ERRNO(syscall(SYS_rseq, &second, sizeof(second), 0, RSEQ_SIG), EINVAL);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0, RSEQ_SIG), EBUSY);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0, RSEQ_SIG + 1), EPERM);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0x40, RSEQ_SIG), EINVAL);
	CHECK_OK(syscall(SYS_rseq, own, sizeof(second), 1, RSEQ_SIG));
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 1, RSEQ_SIG), EINVAL);
	CHECK_ERRNO(syscall(SYS_rseq, (char *)&second + 1, sizeof(second), 0, RSEQ_SIG), EINVAL);
	CHECK_OK(syscall(SYS_rseq, &second, sizeof(second), 0, RSEQ_SIG));
	CHECK_OK(syscall(SYS_rseq, &second, sizeof(second), 1, RSEQ_SIG));
}

/* --- a lock whose owner dies belongs to one thread at a time ------------------------------------ */

struct dying {
	pthread_mutex_t lock;
	int inside, died, stop; /* atomic */
};

static void *
dies_with_it(void *arg)
{
	struct dying *d = arg;
	int error = pthread_mutex_lock(&d->lock);

	if (error == EOWNERDEAD)
		pthread_mutex_consistent(&d->lock);
	else
		CHECK_EQ(error, 0);
	usleep(300); /* let the others queue up */
	return NULL;
}

static void *
wants_it_too(void *arg)
{
	struct dying *d = arg;
	unsigned int seed = (unsigned int)(uintptr_t)&seed;

	while (!__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE)) {
		int error;

		/* Some wait already, others come just when it dies. */
		for (volatile int i = rand_r(&seed) % 20000; i > 0; i--)
			;
		error = pthread_mutex_lock(&d->lock);

		if (error == EOWNERDEAD) {
			__atomic_add_fetch(&d->died, 1, __ATOMIC_RELAXED);
			CHECK_EQ(pthread_mutex_consistent(&d->lock), 0);
		} else {
			CHECK_EQ(error, 0);
		}
		CHECK_EQ(__atomic_add_fetch(&d->inside, 1, __ATOMIC_SEQ_CST), 1);
		for (volatile int i = 0; i < 300; i++)
			;
		CHECK_EQ(__atomic_sub_fetch(&d->inside, 1, __ATOMIC_SEQ_CST), 0);
		CHECK_EQ(pthread_mutex_unlock(&d->lock), 0);
	}
	return NULL;
}

TEST(inherited_lock_of_the_dead_has_one_owner)
{
	static struct dying d;
	pthread_t owner, others[6];
	pthread_mutexattr_t a;

	TIMEOUT(60);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	CHECK_EQ(pthread_mutex_init(&d.lock, &a), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&others[i], NULL, wants_it_too, &d), 0);
	for (int round = 0; round < 300; round++) {
		CHECK_EQ(pthread_create(&owner, NULL, dies_with_it, &d), 0);
		CHECK_EQ(pthread_join(owner, NULL), 0);
	}
	__atomic_store_n(&d.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(others[i], NULL), 0);
	CHECK(d.died > 0);
}
