/* SPDX-License-Identifier: MIT */
/*
 * signal.c - sending: what is queued where, who is woken, what is dropped at the door.
 *
 * A signal is pending in one of two places: the thread's queue (tgkill, faults) or the process's (kill,
 * terminals, timers), from which any thread that does not block it may take it. A queue is a set of
 * numbers and a list of entries with their siginfo; a number without an entry (no memory, or over
 * RLIMIT_SIGPENDING) is delivered with an empty siginfo. Standard signals are queued once; real-time
 * ones (from 32) as often as they are sent.
 *
 * thread->work tells a thread to look: WORK_SIGNAL something may be deliverable, WORK_STOP take part in
 * a group stop, WORK_EXIT end. Senders set the bits under signal_lock; only the thread itself clears
 * WORK_SIGNAL, also under the lock, after recomputing from the sets. So a thread whose call was cut
 * short by a signal always finds WORK_SIGNAL set on its way out, even if another thread took the signal
 * meanwhile, and the restart of the call is decided there.
 *
 * Locks: process->signal_lock (interrupts off), then the leaf in signal_actions, then wait queues and
 * threads for the wake-ups. A fatal signal is acted upon by the sender: every thread gets SIGKILL and
 * WORK_EXIT at once, so that no thread has to run to end the others.
 */
#include <tessera/pid_namespace.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "proc.h"

#define SET_STOP                                                                                   \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SET_DUMP                                                                                   \
	(SET_SYNCHRONOUS | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGXCPU) |       \
	 SIGNAL_BIT(SIGXFSZ))
#define SET_IGNORED                                                                                \
	(SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGWINCH) | SIGNAL_BIT(SIGURG))
#define SET_SYNCHRONOUS                                                                            \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |     \
	 SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

/* Process 1 took a fault of its own: its protection from default actions is over. */

bool
signal_default_ignores(int signo)
{
	return SET_IGNORED & SIGNAL_BIT(signo);
}

bool
signal_default_stops(int signo)
{
	return SET_STOP & SIGNAL_BIT(signo);
}

bool
signal_default_dumps(int signo)
{
	return SET_DUMP & SIGNAL_BIT(signo);
}

/* Does a default action leave this process alone? Process 1 dies only of its own faults. */
bool
signal_spares(struct process *p)
{
	return (p == init_process || process_is_namespace_init(p)) && !atomic_load(&p->unprotected);
}

/* --- actions ---------------------------------------------------------------------------------- */

struct signal_actions *
actions_create(void)
{
	struct signal_actions *a = kzalloc(sizeof(*a));

	if (a) {
		ref_init(&a->refs);
		spin_init(&a->lock, LOCK_LEAF);
	}
	return a;
}

struct signal_actions *
actions_copy(struct signal_actions *from)
{
	struct signal_actions *a = actions_create();
	uint64_t flags;

	if (!a)
		return NULL;
	flags = spin_lock_irq(&from->lock);
	memcpy(a->action, from->action, sizeof(a->action));
	spin_unlock_irq(&from->lock, flags);
	return a;
}

void
actions_put(struct signal_actions *a)
{
	if (a && ref_put(&a->refs))
		kfree(a);
}

void
actions_reset(struct signal_actions *a, bool ignored_too)
{
	uint64_t flags = spin_lock_irq(&a->lock);

	for (int i = 1; i <= SIGNAL_COUNT; i++) {
		bool ignored = a->action[i].handler == SIG_IGN && !ignored_too;

		a->action[i] = (struct signal_action){ .handler = ignored ? SIG_IGN : SIG_DFL };
	}
	spin_unlock_irq(&a->lock, flags);
}

/* What p, perhaps another process that may exec meanwhile, does on `signo`. Its signal_lock is free. */
struct signal_action
signal_action_of(struct process *p, int signo)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock), leaf = spin_lock_irq(&p->actions->lock);
	struct signal_action action = p->actions->action[signo];

	spin_unlock_irq(&p->actions->lock, leaf);
	spin_unlock_irq(&p->signal_lock, flags);
	return action;
}

static inline uint64_t
handler_of(struct process *p, int signo)
{
	return READ_ONCE(p->actions->action[signo].handler);
}

/* --- queues ----------------------------------------------------------------------------------- */

void
signal_queue_init(struct signal_queue *q)
{
	q->set = 0;
	list_init(&q->entries);
}

static void
entry_free(struct signal_entry *e)
{
	if (e->charged)
		e->charged->pending_count--;
	if (e->timer)
		list_init(&e->node); /* the timer's own: it sees that it is not queued */
	else
		kfree(e);
}

/* Forget the numbers in `which`. signal_lock of the process held, or nobody else can see the queue. */
void
signal_queue_flush(struct signal_queue *q, uint64_t which)
{
	struct list *n, *next;

	q->set &= ~which;
	for (n = q->entries.next; n != &q->entries; n = next) {
		struct signal_entry *e = list_entry(n, struct signal_entry, node);

		next = n->next;
		if (which & SIGNAL_BIT(e->info.signo)) {
			list_del(&e->node);
			entry_free(e);
		}
	}
}

/* An entry for `signo` was taken out of q: is the number still pending there? */
void
signal_queue_forget(struct signal_queue *q, int signo)
{
	struct signal_entry *e;

	list_for_each(e, &q->entries, node)
		if (e->info.signo == signo)
			return;
	q->set &= ~SIGNAL_BIT(signo);
}

/* Forget them everywhere in p. */
static void
flush_process_locked(struct process *p, uint64_t which)
{
	struct thread *t;

	signal_queue_flush(&p->pending, which);
	list_for_each(t, &p->threads, process_node)
		signal_queue_flush(&t->pending, which);
}

/* Take the oldest `signo` out of q. */
static void
queue_collect(struct signal_queue *q, int signo, struct siginfo *info)
{
	struct signal_entry *e, *found = NULL;
	bool more = false;

	list_for_each(e, &q->entries, node) {
		if (e->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		q->set &= ~SIGNAL_BIT(signo);
	if (!found) {
		*info = (struct siginfo){ .signo = signo, .code = SI_USER };
		return;
	}
	*info = found->info;
	list_del(&found->node);
	if (found->timer)
		posix_timer_delivered(found->timer, info);
	entry_free(found);
}

static int
queue_next(const struct signal_queue *q, uint64_t mask)
{
	uint64_t set = q->set & ~mask;

	if (set & SET_SYNCHRONOUS)
		set &= SET_SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

int
signal_dequeue_locked(struct process *p, struct thread *t, uint64_t mask, struct siginfo *info)
{
	struct signal_queue *q = &t->pending;
	int signo = queue_next(q, mask);

	if (!signo) {
		q = &p->pending;
		signo = queue_next(q, mask);
	}
	if (signo)
		queue_collect(q, signo, info);
	return signo;
}

/* --- who looks -------------------------------------------------------------------------------- */

void
signal_recompute_locked(struct process *p, struct thread *t)
{
	if ((t->pending.set | p->pending.set) & ~t->signal_mask)
		atomic_or(&t->work, WORK_SIGNAL);
	else
		atomic_and(&t->work, ~WORK_SIGNAL);
}

/* Threads other than `except` that could take one of the process's pending signals in `set` are told:
 * `except` will not (it blocks them now, or ends). */
void
signal_retarget_locked(struct process *p, struct thread *except, uint64_t set)
{
	struct thread *t;

	set &= p->pending.set;
	if (!set)
		return;
	list_for_each(t, &p->threads, process_node) {
		if (t == except || t->exiting || !(set & ~t->signal_mask))
			continue;
		if (!(atomic_fetch_or(&t->work, WORK_SIGNAL) & WORK_SIGNAL)) {
			thread_interrupt(t, false);
			thread_kick(t);
		}
		set &= t->signal_mask;
		if (!set)
			return;
	}
}

bool
signal_pending(struct thread *t)
{
	return atomic_load(&t->work) & (WORK_SIGNAL | WORK_STOP | WORK_TRAP | WORK_EXIT);
}

bool
signal_fatal_pending(struct thread *t)
{
	return atomic_load(&t->work) & WORK_EXIT;
}

/* Let t end as soon as it can. signal_lock of its process held. */
void
thread_kill_locked(struct thread *t)
{
	t->pending.set |= SIGNAL_BIT(SIGKILL);
	atomic_and(&t->work, ~WORK_STOP);
	atomic_or(&t->work, WORK_SIGNAL | WORK_EXIT);
	/* A tracer at work on its registers wakes it when it is done. */
	if (t->ptrace && t->ptrace->frozen)
		return;
	thread_interrupt(t, true);
	thread_wake_stopped(t);
	thread_kick(t);
}

bool
process_kill_threads_locked(struct process *p, int status, struct thread *except)
{
	struct thread *t;

	assert_held(&p->signal_lock);
	if (p->group_exit)
		return false;
	p->group_exit = true;
	p->exit_status = status;
	p->stop_signal = 0;
	p->stopped = false;
	p->threads_stopping = 0;
	list_for_each(t, &p->threads, process_node)
		if (t != except && !t->exiting)
			thread_kill_locked(t);
	return true;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Nobody would notice it: neither blocked nor to be handled. */
static bool
is_ignored(struct process *p, struct thread *t, int signo)
{
	struct thread *judge = t ? t : list_first(&p->threads, struct thread, process_node);
	uint64_t handler = handler_of(p, signo);

	if (judge && (judge->signal_mask & SIGNAL_BIT(signo)))
		return false;
	if (judge && signo != SIGKILL && ptrace_is_traced(judge))
		return false; /* its tracer wants to know */
	if (handler == SIG_DFL && signal_spares(p))
		return true;
	return handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignores(signo));
}

/* SIGCONT takes stops back and wakes the stopped; a stop takes SIGCONT back. */
static void
prepare_job_control(struct process *p, int signo)
{
	struct thread *t;

	if (signal_default_stops(signo)) {
		flush_process_locked(p, SIGNAL_BIT(SIGCONT));
		return;
	}
	if (signo != SIGCONT)
		return;
	p->continue_generation++;
	flush_process_locked(p, SET_STOP);
	if (p->stop_signal != 0) {
		if (p->stopped) {
			p->continued = true;
			p->tell_continued = true;
		}
		p->stop_signal = 0;
		p->stopped = false;
		p->threads_stopping = 0;
	}
	list_for_each(t, &p->threads, process_node) {
		/* A call that the stop cut short is decided upon on the way out: there must be one. */
		if (atomic_fetch_and(&t->work, ~WORK_STOP) & WORK_STOP)
			atomic_or(&t->work, WORK_SIGNAL);
		if (!ptrace_holds(t))
			thread_wake_stopped(t);
		ptrace_notify_locked(t);
	}
}

static bool
wants(struct thread *t, int signo)
{
	if (t->exiting || (t->signal_mask & SIGNAL_BIT(signo)))
		return false;
	if (signo == SIGKILL)
		return true;
	if (ptrace_holds(t) || (t->process->stopped && !ptrace_is_traced(t)))
		return false;
	return t == current_thread() || !(atomic_load(&t->work) & WORK_SIGNAL);
}

/* Find a thread to take the signal that has just been queued, and tell it. */
static void
choose_and_wake(struct process *p, struct thread *t, int signo)
{
	struct thread *self = current_thread(), *chosen = NULL, *i;
	struct thread *judge = t ? t : list_first(&p->threads, struct thread, process_node);
	uint64_t handler = handler_of(p, signo);

	if (t) {
		chosen = wants(t, signo) ? t : NULL;
	} else if (self && self->process == p && wants(self, signo)) {
		chosen = self;
	} else {
		list_for_each(i, &p->threads, process_node) {
			if (wants(i, signo)) {
				chosen = i;
				break;
			}
		}
	}
	if (!chosen)
		return;
	if (handler == SIG_DFL && !signal_default_ignores(signo) && !signal_default_stops(signo) &&
	    !signal_default_dumps(signo) && !signal_spares(p) && !p->group_exit && (signo == SIGKILL || !ptrace_is_traced(judge))) {
		process_kill_threads_locked(p, signo, NULL);
		return;
	}
	atomic_or(&chosen->work, WORK_SIGNAL);
	thread_interrupt(chosen, false);
	thread_kick(chosen);
}

/* The siginfo of a sender who gave none. */
static void
info_from_kernel(struct siginfo *info, int signo)
{
	*info = (struct siginfo){ .signo = signo, .code = SI_KERNEL };
}

/*
 * May this signal do to a namespace's process 1 what its own processes cannot? The kernel's may, and what comes
 * from another namespace: that is one above, for below nobody has a name for it. Timers and files send in
 * anybody's context, so theirs says nothing.
 */
static bool
comes_from_above(const struct process *p, const struct siginfo *info)
{
	if (!info || info->code == SI_KERNEL)
		return true;
	if (info->code > 0 || info->code == SI_TIMER || info->code == SI_SIGIO)
		return false;
	return !pid_namespace_is_inside(&current_pid_namespace()->ns, &p->pid_ns->ns);
}

/*
 * Send to p (t NULL) or to its thread t; p->signal_lock held. Returns 0, also when the signal was
 * dropped because nobody would notice, or -EAGAIN for a real-time signal that cannot be queued.
 */
int
signal_send_locked(struct process *p, struct thread *t, int signo, const struct siginfo *info)
{
	struct signal_queue *q = t ? &t->pending : &p->pending;
	struct signal_entry *e = NULL;
	bool realtime = signo >= SIGRTMIN, imposed;

	assert_held(&p->signal_lock);
	if (p->thread_count == 0 || (t && t->exiting))
		return 0;
	prepare_job_control(p, signo);
	if (signo == SIGKILL && p->core)
		thread_kill_locked(p->core); /* nobody waits for the rest of the file */
	imposed = (signo == SIGKILL || signo == SIGSTOP) && process_is_namespace_init(p) &&
		  comes_from_above(p, info);
	if (p->group_exit || (!imposed && is_ignored(p, t, signo)))
		return 0;
	if (imposed && signo == SIGKILL) {
		process_kill_threads_locked(p, SIGKILL, NULL);
		return 0;
	}
	if (!realtime && (q->set & SIGNAL_BIT(signo)))
		return 0;
	if (signo != SIGKILL) {
		bool forced = !realtime && (!info || info->code >= 0);

		if (forced || p->pending_count < process_limit(p, RLIMIT_SIGPENDING))
			e = kmalloc(sizeof(*e), ALLOC_NOWAIT);
		if (!e && realtime && info && info->code != SI_USER)
			return -EAGAIN;
	}
	if (e) {
		e->charged = p;
		e->timer = NULL;
		if (info)
			e->info = *info;
		else
			info_from_kernel(&e->info, signo);
		e->info.signo = signo;
		p->pending_count++;
		list_add_tail(&q->entries, &e->node);
	}
	q->set |= SIGNAL_BIT(signo);
	wake_poll(&p->signal_wait, 1 /* POLLIN */);
	choose_and_wake(p, t, signo);
	return 0;
}

/* Queue an entry that lives in its owner (a POSIX timer). False: it is queued already or ignored. */
bool
signal_send_entry_locked(struct process *p, struct thread *t, struct signal_entry *e)
{
	struct signal_queue *q = t ? &t->pending : &p->pending;
	int signo = e->info.signo;

	assert_held(&p->signal_lock);
	if (p->thread_count == 0 || p->group_exit || (t && t->exiting))
		return false;
	prepare_job_control(p, signo);
	if (!list_is_empty(&e->node) || is_ignored(p, t, signo))
		return false;
	list_add_tail(&q->entries, &e->node);
	q->set |= SIGNAL_BIT(signo);
	wake_poll(&p->signal_wait, 1 /* POLLIN */);
	choose_and_wake(p, t, signo);
	return true;
}

int
signal_send_process(struct process *p, int signo, const struct siginfo *info)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	int error = signal_send_locked(p, NULL, signo, info);

	spin_unlock_irq(&p->signal_lock, flags);
	return error;
}

int
signal_send_thread(struct thread *t, int signo, const struct siginfo *info)
{
	struct process *p = t->process;
	uint64_t flags;
	int error;

	if (!p)
		return -ESRCH;
	flags = spin_lock_irq(&p->signal_lock);
	error = t->exiting ? -ESRCH : signal_send_locked(p, t, signo, info);
	spin_unlock_irq(&p->signal_lock, flags);
	return error;
}

int
signal_send_group(pid_t pgid, int signo, const struct siginfo *info)
{
	struct process_group *g;
	struct process *p;
	int error = -ESRCH;

	spin_lock(&process_tree_lock);
	g = group_find_locked(pgid);
	if (g) {
		list_for_each(p, &g->members, group_node) {
			int e = signal_send_process(p, signo, info);

			if (error != 0)
				error = e;
		}
	}
	spin_unlock(&process_tree_lock);
	return error;
}

/*
 * The default action is taken if the program blocks or ignores the signal, even in process 1; or if `always`: then
 * neither a tracer nor sigaction keeps it off.
 */
static void
force(int signo, const struct siginfo *info, bool always)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct signal_actions *a = p->actions;
	uint64_t flags = spin_lock_irq(&p->signal_lock), leaf;
	bool blocked = t->signal_mask & SIGNAL_BIT(signo);

	leaf = spin_lock_irq(&a->lock);
	if (always || blocked || a->action[signo].handler == SIG_IGN)
		a->action[signo].handler = SIG_DFL;
	if (always)
		a->action[signo].flags |= SA_IMMUTABLE;
	if (a->action[signo].handler == SIG_DFL)
		atomic_store(&p->unprotected, true);
	spin_unlock_irq(&a->lock, leaf);
	if (blocked) {
		t->signal_mask &= ~SIGNAL_BIT(signo);
		signal_recompute_locked(p, t);
	}
	(void)signal_send_locked(p, t, signo, info);
	spin_unlock_irq(&p->signal_lock, flags);
}

/* The calling thread did something that only a signal can answer. */
void
signal_force(int signo, const struct siginfo *info)
{
	force(signo, info, false);
}

void
signal_force_default(int signo, const struct siginfo *info)
{
	force(signo, info, true);
}

void
process_kill(struct process *p)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	(void)process_kill_threads_locked(p, SIGKILL, NULL);
	spin_unlock_irq(&p->signal_lock, flags);
}

/* --- the calling thread's mask ---------------------------------------------------------------- */

void
signal_set_mask(uint64_t mask)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock), blocked_now;

	mask &= ~SIGNAL_UNBLOCKABLE;
	blocked_now = mask & ~t->signal_mask;
	t->signal_mask = mask;
	if (blocked_now)
		signal_retarget_locked(p, t, blocked_now);
	signal_recompute_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
}

void
signal_mask_begin(uint64_t mask)
{
	struct thread *t = current_thread();

	t->saved_signal_mask = t->signal_mask;
	t->restore_signal_mask = true;
	signal_set_mask(mask);
}

void
signal_mask_end(bool interrupted)
{
	struct thread *t = current_thread();

	if (!t->restore_signal_mask)
		return;
	if (interrupted) {
		atomic_or(&t->work, WORK_RESUME);
		return;
	}
	t->restore_signal_mask = false;
	signal_set_mask(t->saved_signal_mask);
}

int
signal_take(uint64_t set, struct siginfo *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	int signo = signal_dequeue_locked(p, t, ~(set & ~SIGNAL_UNBLOCKABLE), info);

	if (signo)
		signal_recompute_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
	return signo;
}

uint64_t
signal_pending_set(void)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	uint64_t set = t->pending.set | p->pending.set;

	spin_unlock_irq(&p->signal_lock, flags);
	return set;
}

void
siginfo_user(struct siginfo *out, int signo, int code)
{
	struct process *p = current_process();

	*out = (struct siginfo){ .signo = signo, .code = code };
	out->kill.pid = p ? p->local_pid : 0;
	out->kill.uid = current_cred()->uid;
}

/*
 * sigaction(2). `new_action` and `old` may be NULL. What becomes ignored is also forgotten where it
 * was pending (POSIX XSH 2.4.3). -EINVAL.
 */
int
signal_set_action(int signo, const struct signal_action *new_action, struct signal_action *old)
{
	struct process *p = current_process();
	struct signal_actions *a = p->actions;
	uint64_t flags, leaf;
	int error = 0;

	if (signo < 1 || signo > SIGNAL_COUNT)
		return -EINVAL;
	if (new_action && (signo == SIGKILL || signo == SIGSTOP))
		return -EINVAL;
	flags = spin_lock_irq(&p->signal_lock);
	leaf = spin_lock_irq(&a->lock);
	if (new_action && (a->action[signo].flags & SA_IMMUTABLE))
		error = -EINVAL;
	if (old && !error)
		*old = a->action[signo];
	if (new_action && !error) {
		a->action[signo] = *new_action;
		a->action[signo].mask &= ~SIGNAL_UNBLOCKABLE;
		a->action[signo].flags &= ~SA_IMMUTABLE;
	}
	spin_unlock_irq(&a->lock, leaf);
	if (new_action && !error && (new_action->handler == SIG_IGN ||
			   (new_action->handler == SIG_DFL && signal_default_ignores(signo))))
		flush_process_locked(p, SIGNAL_BIT(signo));
	spin_unlock_irq(&p->signal_lock, flags);
	return error;
}
