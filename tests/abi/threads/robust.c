/* SPDX-License-Identifier: MIT */
/* Locks whose owner dies: robust lists, and the mutexes of libc that lie on them. */
#include "../check.h"
#include "futex.h"
#include "start.h"

#include <sys/mman.h>

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
