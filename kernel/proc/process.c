/* SPDX-License-Identifier: MIT */
/*
 * process.c - the process as an object: made, looked at, taken off the tree, freed.
 *
 * References: its life (from fork until it is reaped) holds one, so does each of its threads until the
 * thread itself is freed, and each child that names it as parent. What it holds (address space,
 * handles, directories) is dropped when its last thread ends; see exit.c.
 */
#include <tessera/address_space.h>
#include <tessera/core.h>
#include <tessera/handle.h>
#include <tessera/keys.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/ptrace.h>
#include <tessera/random.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/time.h>

#include "proc.h"
#include "timers.h"

struct list all_processes = LIST_INIT(all_processes);
struct process *init_process;
static struct slab_cache *process_cache;
static uint32_t live_processes; /* process_tree_lock */

void
process_init(void)
{
	process_cache = slab_cache_create("process", sizeof(struct process), 64);
	futex_init();
}

static void
limits_init(struct rlimit64 *l)
{
	for (int i = 0; i < RLIMIT_COUNT; i++)
		l[i] = (struct rlimit64){ RLIM_INFINITY, RLIM_INFINITY };
	l[RLIMIT_STACK].current = 8 << 20;
	l[RLIMIT_CORE].current = 0;
	l[RLIMIT_NPROC] = (struct rlimit64){ PID_LOCAL_MAX / 2, PID_LOCAL_MAX / 2 };
	l[RLIMIT_NOFILE] = (struct rlimit64){ 1024, 4096 };
	l[RLIMIT_MEMLOCK] = (struct rlimit64){ 8 << 20, 8 << 20 };
	l[RLIMIT_SIGPENDING] = (struct rlimit64){ PID_LOCAL_MAX / 2, PID_LOCAL_MAX / 2 };
	l[RLIMIT_MSGQUEUE] = (struct rlimit64){ 819200, 819200 };
	l[RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	l[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

struct process *
process_alloc(void)
{
	struct process *p = slab_alloc(process_cache, ALLOC_ZERO);

	if (!p)
		return NULL;
	ref_init(&p->refs);
	spin_init(&p->lock, LOCK_PROCESS);
	spin_init(&p->signal_lock, LOCK_SIGNAL);
	mutex_init(&p->exec_lock, LOCK_EXEC);
	list_init(&p->threads);
	wait_queue_init(&p->threads_wait);
	list_init(&p->uring_pools);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->tracees);
	list_init(&p->group_node);
	list_init(&p->all_node);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->signal_wait);
	wait_queue_init(&p->core_wait);
	signal_queue_init(&p->pending);
	limits_init(p->limits);
	p->start_time = clock_monotonic_ns();
	p->exit_signal = SIGCHLD;
	p->coredump_filter = CORE_FILTER_DEFAULT;
	p->dumpable = true;
	p->mce_kill = 2; /* the system's default */
	return p;
}

void
process_put(struct process *p)
{
	/* A line of dead ancestors that only their children kept goes in one loop: it may be long. */
	while (p && ref_put(&p->refs)) {
		struct process *parent = p->parent;

		assert(p->thread_count == 0 && !p->as && !p->handles && !p->fs && !p->ipc && !p->namespaces);
		if (p->pid_ns)
			namespace_put(&p->pid_ns->ns);
		actions_put(p->actions);
		signal_queue_flush(&p->pending, ~0ull);
		key_put(p->session_left);
		slab_free(process_cache, p);
		p = parent;
	}
}

/* Put a thread among p's; both of p's locks are held. */
void
process_add_thread_locked(struct process *p, struct thread *t)
{
	assert_held(&p->lock);
	assert_held(&p->signal_lock);
	list_add_tail(&p->threads, &t->process_node);
	p->thread_count++;
	timers_thread_added_locked(p, t);
}

/* References and lists of children are the caller's. process_tree_lock held. */
void
process_set_parent_locked(struct process *p, struct process *parent)
{
	assert_held(&process_tree_lock);
	p->parent = parent;
	WRITE_ONCE(p->parent_pid, parent ? pid_number_locked(p->pid_ns, parent->pid) : 0);
}

/* Make p known: on the list of all, under its parent. process_tree_lock held; takes a reference to the
 * parent. */
void
process_publish_locked(struct process *p, struct process *parent)
{
	assert_held(&process_tree_lock);
	list_add_tail(&all_processes, &p->all_node);
	process_set_parent_locked(p, parent);
	if (parent) {
		process_get(parent);
		list_add_tail(&parent->children, &p->sibling);
	}
	live_processes++;
}

void
process_reap_locked(struct process *p)
{
	struct thread *leader = p->leader;
	struct pid_slot *slot = pid_slot_locked(p->pid);

	assert_held(&process_tree_lock);
	assert(p->state == PROCESS_ZOMBIE);
	p->state = PROCESS_REAPED;
	list_del_init(&p->sibling);
	list_del_init(&p->all_node);
	group_detach_locked(p);
	ptrace_unlink_locked(leader);
	pid_namespace_leave_locked(p);
	slot->process = NULL;
	slot->thread = NULL;
	pid_release_locked(p->pid);
	live_processes--;

	spin_lock(&p->lock);
	p->leader = NULL;
	spin_unlock(&p->lock);
	thread_put(leader);
}

uint32_t
process_count(void)
{
	return READ_ONCE(live_processes);
}

struct thread *
process_thread_next(struct process *p, pid_t tid)
{
	struct thread *t, *best = NULL;

	spin_lock(&p->lock);
	list_for_each(t, &p->threads, process_node)
		if (t->tid >= tid && (!best || t->tid < best->tid))
			best = t;
	/* A leader that ended before the others is a zombie among them. */
	t = p->leader;
	if (t && t->tid >= tid && (!best || t->tid < best->tid))
		best = t;
	if (best)
		thread_get(best);
	spin_unlock(&p->lock);
	return best;
}

struct address_space *
process_address_space(struct process *p)
{
	struct address_space *as;

	spin_lock(&p->lock);
	as = p->as;
	if (as)
		address_space_get(as);
	spin_unlock(&p->lock);
	return as;
}

struct handle_table *
process_handles(struct process *p)
{
	struct handle_table *h;

	spin_lock(&p->lock);
	h = p->handles;
	if (h)
		ref_get(&h->refs);
	spin_unlock(&p->lock);
	return h;
}

void
process_times(struct process *p, uint64_t *user_ns, uint64_t *system_ns)
{
	uint64_t flags, user, sys;
	struct thread *t;

	flags = spin_lock_irq(&p->signal_lock);
	*user_ns = p->dead_user_ns;
	*system_ns = p->dead_system_ns;
	list_for_each(t, &p->threads, process_node) {
		thread_times(t, &user, &sys);
		*user_ns += user;
		*system_ns += sys;
	}
	spin_unlock_irq(&p->signal_lock, flags);
}

uint64_t
process_peak_resident(struct process *p)
{
	uint64_t pages;

	spin_lock(&p->lock);
	pages = p->peak_rss;
	if (p->as)
		pages = MAX(pages, address_space_peak_resident(p->as));
	spin_unlock(&p->lock);
	return pages;
}

struct cred *
process_thread_cred(struct process *p, struct thread *t)
{
	struct cred *c = NULL;

	spin_lock(&p->lock);
	if (!t)
		t = p->leader;
	if (t && t->cred) {
		c = (struct cred *)t->cred;
		cred_get(c);
	}
	spin_unlock(&p->lock);
	return c;
}

/*
 * Linux's rule for reading another program's insides: the same user in all three ids and all three
 * group ids, and dumpable, or CAP_SYS_PTRACE.
 *
 * It may execute a privileged program meanwhile. exec (1) clears dumpable and installs the credentials, (2)
 * installs the memory. Who wants its memory (3) takes the address space, (4) asks here: what (3) found after (2)
 * is judged by (1).
 */
static int
may_access(struct process *p, struct thread *t, uid_t uid, gid_t gid)
{
	const struct cred *c = current_cred();
	struct cred *theirs;
	bool ok, dumpable;

	if (p == current_process())
		return 0;
	theirs = process_thread_cred(p, t);
	if (!theirs)
		return -EPERM;
	dumpable = atomic_load(&p->dumpable);
	ok = uid == theirs->uid && uid == theirs->euid && uid == theirs->suid && gid == theirs->gid &&
	     gid == theirs->egid && gid == theirs->sgid && dumpable && c->user_ns == theirs->user_ns &&
	     !(theirs->cap_permitted & ~c->cap_permitted);
	/* What is not dumpable holds more than its own namespace may see. */
	ok = ok || (dumpable ? capable_in(theirs->user_ns, CAP_SYS_PTRACE) : capable(CAP_SYS_PTRACE));
	cred_put(theirs);
	return ok ? 0 : -EPERM;
}

int
process_may_inspect(struct process *p)
{
	return may_access(p, NULL, current_cred()->fsuid, current_cred()->fsgid);
}

int
process_may_inspect_thread(struct process *p, struct thread *t)
{
	return may_access(p, t, current_cred()->fsuid, current_cred()->fsgid);
}

int
process_may_attach(struct process *p, struct thread *t)
{
	return may_access(p, t, current_cred()->uid, current_cred()->gid);
}
