/* SPDX-License-Identifier: MIT */
/*
 * rcu.c - when the last reader has left that can have seen an object.
 *
 * Time is counted in epochs. A CPU that reads says so in its `rcu_active`, which holds the epoch in which the
 * reader began, else 0. An object is filed under the epoch in which it was given to rcu_free().
 *
 *  (1) A reader stores the epoch that it finds, with a full barrier (an exchange), and only then looks.
 *  (2) Who removes makes the object unfindable, with a full barrier, and only then reads the epoch, e.
 *  (3) The epoch goes from e to e + 1 only when the active word of each CPU is 0 or e.
 *  (4) What was filed under e is freed when the epoch is e + 2.
 *
 * Why that is enough: a reader that found an object filed under e looked before it was unfindable, so by (2) it
 * stored an epoch r <= e. While it reads, (3) lets the epoch reach r + 1 at most, which is less than e + 2. A
 * reader that was interrupted in (1) between finding r and storing it may store an r that is long past: then it
 * holds the epoch where it is, and what was freed before was unfindable before it looked.
 *
 * An idle CPU and one that runs a program read nothing, so neither is waited for or woken. What was filed is
 * looked at by a continuation some milliseconds after the first came, or at once when many wait.
 *
 * Who takes ripe objects out of a bag counts in `freeing` from before that until the last of them is freed: between the
 * two they are in no bag, and rcu_barrier() waits for the count. Who frees may be preempted meanwhile, so it sleeps.
 *
 * Locks: a CPU's bags have a lock of class LEAF each, held for a few instructions; functions are called
 * outside.
 */
#include <tessera/continuation.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/rcu.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#define BAGS     3u                      /* epochs that may have objects: this one and two before */
#define PATIENCE (5 * NSEC_PER_MSEC)     /* from the first object to a look */
#define MANY     256u                    /* objects of one CPU that are not let wait */
#define PAUSE    (NSEC_PER_MSEC / 4)     /* between two looks of rcu_barrier() */

/* What was filed on one CPU. */
struct rcu_bags {
	struct spinlock lock;            /* class LEAF */
	struct rcu_bag {
		struct rcu_head *first;  /* [lock] */
		uint64_t epoch;          /* [lock] under which they were filed */
		size_t count;            /* [lock] */
	} bags[BAGS];
	size_t count;                    /* [lock] in all bags; read without */
};

uint64_t rcu_epoch = 1;
static struct rcu_bags bags_of[MAX_CPUS];
static struct continuation collect_soon; /* waits for its time; only its function arms it again */
static struct continuation collect_now;
static bool soon_armed;                  /* [a] */
static uint32_t freeing;                 /* [a] who has taken ripe objects and not yet freed them all */

static void soon(struct continuation *c);
static void now(struct continuation *c);

void
rcu_init_cpu(struct cpu *c)
{
	spin_init(&bags_of[c->id].lock, LOCK_LEAF);
	if (c->id == 0) {
		continuation_init(&collect_soon, soon);
		continuation_init(&collect_now, now);
	}
}

/* Rule (3). */
static bool
advance(uint64_t e)
{
	struct cpu *c;

	memory_barrier();
	for_each_cpu(c) {
		uint64_t active = atomic_load(&c->rcu_active);

		if (active != 0 && active != e)
			return false;
	}
	return atomic_cas(&rcu_epoch, &e, e + 1);
}

static struct rcu_head *
empty_locked(struct rcu_bags *b, struct rcu_bag *bag)
{
	struct rcu_head *first = bag->first;

	b->count -= bag->count;
	bag->count = 0;
	bag->first = NULL;
	return first;
}

static size_t
free_all(struct rcu_head *h)
{
	size_t n = 0;

	for (struct rcu_head *next; h; h = next, n++) {
		next = h->next;
		h->fn(h);
	}
	return n;
}

/* Free what nobody can see any more: rule (4). */
static size_t
free_ripe(struct rcu_bags *b)
{
	size_t freed = 0;

	atomic_add(&freeing, 1);
	for (struct rcu_bag *bag = b->bags; bag < b->bags + BAGS; bag++) {
		uint64_t flags = spin_lock_irq(&b->lock);
		struct rcu_head *ripe = NULL;

		if (atomic_load(&rcu_epoch) >= bag->epoch + 2)
			ripe = empty_locked(b, bag);
		spin_unlock_irq(&b->lock, flags);
		freed += free_all(ripe);
	}
	atomic_sub(&freeing, 1);
	return freed;
}

size_t
rcu_reclaim(void)
{
	size_t freed = 0;

	for (int i = 0; i < 2; i++)
		if (!advance(atomic_load(&rcu_epoch)))
			break;
	for (uint32_t i = 0; i < cpu_count; i++)
		if (READ_ONCE(bags_of[i].count))
			freed += free_ripe(&bags_of[i]);
	return freed;
}

size_t
rcu_waiting(void)
{
	size_t n = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		n += READ_ONCE(bags_of[i].count);
	return n;
}

static void
arm(void)
{
	if (!atomic_load(&soon_armed) && !atomic_exchange(&soon_armed, true))
		continuation_run_when(&collect_soon, NULL, deadline_after(PATIENCE));
}

static void
soon(struct continuation *c)
{
	rcu_reclaim();
	atomic_store(&soon_armed, false);
	if (rcu_waiting())
		arm();
}

static void
now(struct continuation *c)
{
	rcu_reclaim();
}

void
rcu_free(struct rcu_head *h, void (*fn)(struct rcu_head *h))
{
	struct rcu_head *stale = NULL;
	struct rcu_bags *b;
	struct rcu_bag *bag;
	uint64_t flags, e;
	size_t count;

	h->fn = fn;
	preempt_disable();
	b = &bags_of[this_cpu()->id];
	flags = spin_lock_irq(&b->lock);
	memory_barrier(); /* rule (2) */
	e = atomic_load(&rcu_epoch);
	bag = &b->bags[e % BAGS];
	if (bag->epoch != e) {
		if (bag->first) /* before it leaves the bag */
			atomic_add(&freeing, 1);
		stale = empty_locked(b, bag); /* from three epochs ago or more: ripe */
		bag->epoch = e;
	}
	h->next = bag->first;
	bag->first = h;
	bag->count++;
	count = ++b->count;
	spin_unlock_irq(&b->lock, flags);
	preempt_enable();
	if (stale) {
		free_all(stale);
		atomic_sub(&freeing, 1);
	}
	arm();
	if (count == MANY)
		continuation_run(&collect_now);
}

/* Let others run, of whatever priority: those who read, and those who free. */
static void
pause_barrier(void)
{
	(void)wait_until(deadline_after(PAUSE), WAIT_UNINTERRUPTIBLE);
}

/*
 * What was filed when this is called is ripe two epochs later. Those who had taken ripe objects out before count in
 * `freeing`; so do those who do it later, and while there are such without a gap they are waited for, too.
 */
void
rcu_barrier(void)
{
	uint64_t until = atomic_load(&rcu_epoch) + 2;

	assert(preemptible());
	for (;;) {
		rcu_reclaim();
		if (atomic_load(&rcu_epoch) >= until)
			break;
		pause_barrier();
	}
	rcu_reclaim();
	while (atomic_load(&freeing))
		pause_barrier();
}
