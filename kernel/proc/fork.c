/* SPDX-License-Identifier: MIT */
/*
 * fork.c - new processes and threads.
 *
 * Everything that can fail is done before the child is known to anybody; then, under process_tree_lock,
 * it gets its number, parent and group in one step. A signal to the group (^C) is sent under the same
 * lock, so it reaches either both or the parent before the child is there: in the second case the
 * parent finds it pending at that last moment, throws the child away and runs the call again after the
 * handler (-ERESTARTNOINTR). No child escapes a signal to its group.
 */
#include <tessera/address_space.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/keys.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/random.h>
#include <tessera/sched.h>
#include <tessera/seccomp.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysv.h>
#include <tessera/uaccess.h>

#include "proc.h"

/* What the parent of a vfork sleeps on. Shared by both, since either may go first. */
struct vfork_wait {
	struct refcount refs;
	struct wait_queue queue;
	bool done;              /* [a] */
};

static struct vfork_wait *
vfork_create(void)
{
	struct vfork_wait *v = kzalloc(sizeof(*v));

	if (v) {
		ref_init(&v->refs);
		wait_queue_init(&v->queue);
	}
	return v;
}

static void
vfork_put(struct vfork_wait *v)
{
	if (v && ref_put(&v->refs))
		kfree(v);
}

/* The child does not use the parent's memory any longer: it has exec'ed or ended. */
void
vfork_release(struct thread *t)
{
	struct vfork_wait *v = t->vfork;

	if (!v)
		return;
	t->vfork = NULL;
	atomic_store(&v->done, true);
	wake_all(&v->queue);
	vfork_put(v);
}

/* Do the caller's children get numbers of another namespace than its own? Its threads cannot. */
static bool
children_elsewhere(void)
{
	const struct process *p = current_process();

	return p->namespaces->pid_for_children != &p->pid_ns->ns;
}

/*
 * Which combinations there are; clone(2), clone3(2). Namespaces of time are not offered: Linux answers EINVAL
 * when built without.
 */
static int
check_request(const struct clone_request *r)
{
	const uint64_t known = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_PIDFD |
			       CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT | CLONE_THREAD |
			       CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
			       CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED |
			       CLONE_CHILD_SETTID | CLONE_IO | CLONE_CLEAR_SIGHAND |
			       CLONE_NAMESPACES | CLONE_NEWUSER;
	uint64_t f = r->flags;

	if (f & ~known)
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	/* What a semaphore is owed cannot be shared across namespaces of IPC. */
	if ((f & CLONE_NEWIPC) && (f & (CLONE_SYSVSEM | CLONE_THREAD)))
		return -EINVAL;
	if ((f & CLONE_THREAD) && ((f & (CLONE_NEWUSER | CLONE_NEWPID)) || children_elsewhere()))
		return -EINVAL;
	if ((f & CLONE_PARENT) && process_is_namespace_init(current_process()))
		return -EINVAL;
	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current_process() == init_process)
		return -EINVAL;
	if (r->exit_signal < 0 || r->exit_signal > SIGNAL_COUNT)
		return -EINVAL;
	return 0;
}

/* May the caller choose these numbers for a child in `ns`? Whether they are free is seen when they are taken. */
static int
check_numbers(const struct clone_request *r, const struct pid_namespace *ns)
{
	if (r->set_tid_count > ns->level + 1)
		return -EINVAL;
	for (size_t i = 0; i < r->set_tid_count; i++, ns = ns->parent) {
		if (r->set_tid[i] < 1 || r->set_tid[i] > PID_LOCAL_MAX)
			return -EINVAL;
		if (!capable_in(ns->ns.owner, CAP_SYS_ADMIN) && !capable_in(ns->ns.owner, CAP_CHECKPOINT_RESTORE))
			return -EPERM;
	}
	return 0;
}

/* The parts of a process that a fork shares or copies. On failure process_drop() undoes what was done. */
static int
copy_parts(struct process *p, struct process *from, uint64_t flags, const struct cred *c)
{
	int error;

	if (flags & CLONE_SIGHAND) {
		p->actions = from->actions;
		ref_get(&p->actions->refs);
	} else {
		p->actions = actions_copy(from->actions);
		if (!p->actions)
			return -ENOMEM;
		if (flags & CLONE_CLEAR_SIGHAND)
			actions_reset(p->actions, false);
	}
	if (flags & CLONE_FS) {
		p->fs = from->fs;
		ref_get(&p->fs->refs);
	} else {
		p->fs = fs_context_copy(from->fs);
		if (!p->fs)
			return -ENOMEM;
	}
	if (flags & CLONE_NEWIPC) {
		p->ipc = ipc_namespace_create();
		if (!p->ipc)
			return -ENOMEM;
	} else {
		p->ipc = from->ipc;
		ipc_namespace_get(p->ipc);
	}
	p->namespaces = namespaces_copy(from->namespaces, flags, c, p->ipc, p->fs);
	if (IS_ERR(p->namespaces)) {
		error = (int)PTR_ERR(p->namespaces);
		p->namespaces = NULL;
		return error;
	}
	if (flags & CLONE_FILES) {
		p->handles = from->handles;
		handle_table_share(p->handles);
	} else {
		p->handles = handle_table_copy(from->handles);
		if (!p->handles)
			return -ENOMEM;
	}
	if (flags & CLONE_VM) {
		p->as = from->as;
		address_space_get(p->as);
		return 0;
	}
	error = address_space_fork(from->as, arch_user_frame(current_thread())->rsp, &p->as);
	return error;
}

/* Free a process that nobody has seen. */
static void
process_drop(struct process *p)
{
	if (!p)
		return;
	timers_exit(p);
	if (p->handles)
		handle_table_leave(p->handles);
	if (p->fs)
		fs_context_put(p->fs);
	if (p->as)
		address_space_put(p->as);
	if (p->ipc)
		ipc_namespace_put(p->ipc);
	namespaces_put(p->namespaces);
	p->handles = NULL;
	p->fs = NULL;
	p->as = NULL;
	p->ipc = NULL;
	p->namespaces = NULL;
	process_put(p);
}

static struct process *
process_copy(struct process *from, const struct clone_request *r, const struct cred *c, int *error)
{
	struct process *p = process_alloc();

	*error = -ENOMEM;
	if (!p)
		return NULL;
	*error = copy_parts(p, from, r->flags, c);
	if (*error) {
		process_drop(p);
		return NULL;
	}
	spin_lock(&from->lock);
	memcpy(p->limits, from->limits, sizeof(p->limits));
	spin_unlock(&from->lock);
	timers_limit_changed(p); /* the limit on CPU time goes along, the timers do not */
	p->oom_score_adj = atomic_load(&from->oom_score_adj);
	p->dumpable = atomic_load(&from->dumpable);
	p->coredump_filter = atomic_load(&from->coredump_filter);
	p->membarrier = atomic_load(&from->membarrier);
	p->io_flusher = READ_ONCE(from->io_flusher);
	p->no_huge_pages = READ_ONCE(from->no_huge_pages);
	p->mce_kill = READ_ONCE(from->mce_kill);
	p->creator = current_thread();
	return p;
}

/* A thread that will return to user mode as a child of the caller. */
static struct thread *
thread_copy(struct process *p, const struct clone_request *r, struct cred *c, int *error)
{
	struct thread *self = current_thread(), *t = thread_alloc();

	*error = -ENOMEM;
	if (!t)
		return NULL;
	t->process = p;
	process_get(p);
	t->cred = c;
	cred_get(c);
	memcpy(t->name, self->name, sizeof(t->name));
	t->signal_mask = self->signal_mask;
	signal_queue_init(&t->pending);
	list_init(&t->process_node);
	list_init(&t->pi_held);
	if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK))
		t->altstack = self->altstack;
	else
		t->altstack.flags = 2; /* SS_DISABLE */
	t->personality = self->personality;
	t->timer_slack_ns = self->timer_slack_ns;
	t->io_priority = READ_ONCE(self->io_priority);
	t->memory_policy = self->memory_policy;
	t->start_time = clock_monotonic_ns();
	t->syscall_number = UINT64_MAX;
	if (r->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = (uint32_t __user *)r->child_tid;
	if (r->flags & CLONE_CHILD_SETTID) {
		t->set_child_tid = (uint32_t __user *)r->child_tid;
		t->work |= WORK_RESUME;
	}
	if (!(r->flags & CLONE_VM) && self->rseq) {
		t->rseq = self->rseq;
		t->rseq_size = self->rseq_size;
		t->rseq_signature = self->rseq_signature;
		t->work |= WORK_RSEQ;
	}
	if (r->flags & CLONE_SYSVSEM) {
		*error = sem_undo_share(t);
		if (*error)
			goto put;
	}
	*error = arch_thread_fork(t, r->stack, r->flags & CLONE_SETTLS, r->tls);
	if (*error)
		goto put;
	sched_fork(t, self);
	return t;

put:
	thread_put(t);
	return NULL;
}

/* RLIMIT_NPROC, for the real user. process_tree_lock held. */
static int
check_user_limit_locked(void)
{
	const struct cred *c = current_cred();

	if (c->uid == 0 || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return 0;
	return user_count_locked(c->uid) >= process_limit(current_process(), RLIMIT_NPROC) ? -EAGAIN
											    : 0;
}

/* The new process takes its place in the family. process_tree_lock held; cannot fail any more. */
static void
publish_process(struct process *p, struct thread *t, const struct clone_request *r)
{
	struct process *self = current_process();
	struct process *parent = r->flags & CLONE_PARENT ? self->parent : self;
	struct pid_slot *slot = pid_slot_locked(t->tid);
	uint64_t flags;

	p->pid = t->tid;
	p->local_pid = t->local_tid;
	p->pid_ns = slot->ns;
	namespace_get(&slot->ns->ns);
	pid_namespace_join_locked(p);
	p->exit_signal = r->flags & CLONE_PARENT ? self->exit_signal : r->exit_signal;
	slot->process = p;
	process_publish_locked(p, parent);
	group_attach_locked(p, self->group);
	spin_lock(&self->lock);
	seccomp_inherit_locked(t);
	spin_unlock(&self->lock);
	spin_lock(&p->lock);
	flags = spin_lock_irq(&p->signal_lock);
	process_add_thread_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
	thread_get(t);
	p->leader = t;
	spin_unlock(&p->lock);
}

/* The new thread joins the caller's process, unless that is ending; also its group stop if one is
 * gathering. process_tree_lock held. */
static int
publish_thread(struct process *p, struct thread *t)
{
	uint64_t flags;
	int error = -ERESTARTNOINTR;

	spin_lock(&p->lock);
	flags = spin_lock_irq(&p->signal_lock);
	if (!p->group_exit && !(atomic_load(&current_thread()->work) & WORK_EXIT)) {
		seccomp_inherit_locked(t);
		process_add_thread_locked(p, t);
		p->worker_count += t->worker;
		if (p->stop_signal != 0 && !p->stopped) {
			t->work |= WORK_STOP;
			p->threads_stopping++;
		}
		error = 0;
	}
	spin_unlock_irq(&p->signal_lock, flags);
	spin_unlock(&p->lock);
	return error;
}

int
process_add_worker(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *self = current_thread(), *t = thread_alloc();
	struct process *p = self->process;
	pid_t tid;
	int error = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->process = p;
	process_get(p);
	t->cred = self->cred;
	cred_get((struct cred *)t->cred);
	string_copy(t->name, name, sizeof(t->name));
	t->worker = true;
	t->signal_mask = ~SIGNAL_UNBLOCKABLE;
	signal_queue_init(&t->pending);
	list_init(&t->process_node);
	list_init(&t->pi_held);
	t->altstack.flags = 2; /* SS_DISABLE */
	t->start_time = clock_monotonic_ns();
	t->syscall_number = UINT64_MAX;
	arch_thread_init(t, fn, arg);
	sched_fork(t, self);
	spin_lock(&process_tree_lock);
	tid = pid_alloc_locked(NULL, 0, p->pid_ns);
	error = tid < 0 ? tid : 0;
	if (error == 0) {
		t->tid = tid;
		t->local_tid = pid_number_locked(p->pid_ns, tid);
		error = publish_thread(p, t);
		if (error)
			pid_release_locked(tid);
	}
	if (error == 0) {
		pid_slot_locked(tid)->thread = t;
		user_charge_locked(t->cred->uid, 1);
	}
	spin_unlock(&process_tree_lock);
	if (error) {
		thread_put(t);
		return error == -ERESTARTNOINTR ? -EAGAIN : error;
	}
	thread_start(t);
	return 0;
}

void __noreturn
process_worker_exit(void)
{
	struct process *p = current_process();

	thread_exit_user(READ_ONCE(p->exit_status));
}

/* Number and place for the child. Returns its tid or an errno with nothing changed. */
static pid_t
publish(struct process *p, struct thread *t, const struct clone_request *r)
{
	struct pid_namespace *ns = r->flags & CLONE_THREAD
					   ? p->pid_ns : (struct pid_namespace *)p->namespaces->pid_for_children;
	pid_t shown = 0;
	int error = check_numbers(r, ns);

	if (error)
		return error;
	spin_lock(&process_tree_lock);
	error = check_user_limit_locked();
	if (error == 0 && !(r->flags & CLONE_THREAD) && signal_pending(current_thread()))
		error = -ERESTARTNOINTR;
	if (error == 0) {
		pid_t tid = pid_alloc_locked(r->set_tid, r->set_tid_count, ns);

		if (tid < 0)
			error = tid;
		else
			t->tid = tid;
	}
	if (error == 0) {
		t->local_tid = pid_number_locked(ns, t->tid);
		pid_slot_locked(t->tid)->thread = t;
		if (!(r->flags & CLONE_THREAD)) {
			publish_process(p, t, r);
		} else if ((error = publish_thread(p, t)) != 0) {
			pid_slot_locked(t->tid)->thread = NULL;
			pid_release_locked(t->tid);
		}
	}
	if (error == 0) {
		shown = pid_number_locked(current_pid_namespace(), t->tid);
		user_charge_locked(current_cred()->uid, 1);
		if (t->ptrace)
			ptrace_inherit_locked(t);
	}
	spin_unlock(&process_tree_lock);
	return error ? error : shown;
}

/* Sleep until the child releases us: true; or until we are killed. */
static bool
vfork_sleep(struct vfork_wait *v)
{
	bool released = wait_event_killable(&v->queue, atomic_load(&v->done)) == 0;

	vfork_put(v);
	return released;
}

/* The child's credentials, with a reference: the caller's, or in a user namespace of its own. */
static struct cred *
child_cred(const struct clone_request *r, int *error)
{
	struct cred *c = (struct cred *)current_cred();
	bool thread = r->flags & CLONE_THREAD;

	if (!(r->flags & CLONE_NEWUSER) && !key_cred_is_private(c, thread)) {
		cred_get(c);
		return c;
	}
	c = cred_copy(c);
	*error = c ? 0 : -ENOMEM;
	if (c && thread)
		*error = key_cred_new_thread(c);
	else if (c)
		key_cred_new_process(c);
	if (!*error && (r->flags & CLONE_NEWUSER))
		*error = user_namespace_create(c);
	if (!*error)
		return c;
	cred_put(c);
	return NULL;
}

long
process_clone(const struct clone_request *r)
{
	struct process *self = current_process(), *p = self;
	struct vfork_wait *v = NULL;
	struct file *pidfd_file = NULL;
	int error = check_request(r), fd = -1;
	uint64_t message;
	unsigned int event;
	struct cred *c;
	struct thread *t;
	pid_t tid;

	if (error)
		return error;
	if (!(r->flags & CLONE_THREAD) && signal_pending(current_thread()))
		return -ERESTARTNOINTR;
	key_session_inherit();
	c = child_cred(r, &error);
	if (!c)
		return error;
	if (!(r->flags & CLONE_THREAD))
		p = process_copy(self, r, c, &error);
	t = p ? thread_copy(p, r, c, &error) : NULL;
	cred_put(c);
	if (!t)
		goto drop_process;
	error = -ENOMEM;
	event = ptrace_clone_event(r->flags, r->exit_signal);
	if ((event || (r->flags & CLONE_PTRACE)) && ptrace_prepare(t))
		goto drop_thread;
	if (r->flags & CLONE_VFORK) {
		v = vfork_create();
		if (!v)
			goto drop_thread;
	}
	if (r->flags & CLONE_PIDFD) {
		pidfd_file = pidfd_create(p, 0);
		if (!pidfd_file)
			goto drop_vfork;
		error = fd = handle_reserve(self->handles, 0,
				(uint32_t)MIN(process_limit(self, RLIMIT_NOFILE), (uint64_t)UINT32_MAX));
		if (fd < 0)
			goto drop_file;
		error = -EFAULT;
		if (put_user(fd, r->pidfd))
			goto drop_fd;
	}
	tid = publish(p, t, r);
	if (tid < 0) {
		error = tid;
		goto drop_fd;
	}
	if (r->flags & CLONE_PARENT_SETTID)
		(void)put_user(tid, r->parent_tid);
	if (pidfd_file)
		handle_install(self->handles, fd, pidfd_file, RIGHT_ALL, true);
	if (v) {
		ref_get(&v->refs);
		t->vfork = v;
	}
	message = current_thread()->ptrace ? ptrace_number(t->tid) : 0; /* it may have ended when it is told */
	thread_start(t);
	if (event)
		ptrace_stop_event(event, message);
	if (v && vfork_sleep(v))
		ptrace_stop_event(PTRACE_EVENT_VFORK_DONE, message);
	return tid;

drop_fd:
	if (fd >= 0)
		handle_unreserve(self->handles, fd);
drop_file:
	if (pidfd_file)
		file_put(pidfd_file);
drop_vfork:
	vfork_put(v);
drop_thread:
	thread_put(t);
drop_process:
	if (p != self)
		process_drop(p);
	return error;
}
