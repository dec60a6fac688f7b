/* SPDX-License-Identifier: MIT */
/*
 * seccomp.c - threads that may make only some calls.
 *
 * Every filter stands before those that were there when it was added; a chain is never changed, only made
 * longer at its head, so chains of forked threads share their tails and need no locks. All filters of a
 * chain are asked at each call, and the strongest answer holds, the newest filter's among equals.
 *
 * thread->seccomp (the head) and seccomp_mode are written under process->lock, by the thread itself or by
 * one that synchronises its process. A thread runs its own chain without the lock: (1) whoever replaces a
 * head puts a longer chain there that ends in the old one, so what the thread has read lives as long as it
 * does; (2) the head is stored before call_work says that it is to be looked at.
 *
 * Synchronising against exec: a thread that execs a set-user-id program has decided about privileges before
 * it is alone. Who synchronises (and may pass no_new_privs on) therefore takes exec_lock first: either the
 * exec sees it, or the synchroniser is ended by the exec. Against clone: a new thread takes over its
 * creator's chain under the same process->lock under which it joins the process.
 */
#include <tessera/arch/trap_frame.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "proc.h"
#include "seccomp.h"

#define WEIGHT_MAX 32768 /* of a chain */
#define FILTER_WEIGHT 4
#define ARCH_X86_64 0xc000003eu
#define SYS_SECCOMP 1 /* si_code of SIGSYS */
#define ERRNO_MAX 4095

#define NR_READ 0
#define NR_WRITE 1
#define NR_RT_SIGRETURN 15
#define NR_EXIT 60

const struct seccomp_action_name seccomp_actions[SECCOMP_ACTIONS] = {
	{ SECCOMP_KILL_PROCESS, "kill_process" }, { SECCOMP_KILL_THREAD, "kill_thread" },
	{ SECCOMP_TRAP, "trap" },                 { SECCOMP_ERRNO, "errno" },
	{ SECCOMP_USER_NOTIFY, "user_notif" },    { SECCOMP_TRACE, "trace" },
	{ SECCOMP_LOG, "log" },                   { SECCOMP_ALLOW, "allow" },
};

uint32_t seccomp_logged = 0x7f; /* all but "allow" */

/* --- chains ----------------------------------------------------------------------------------- */

static void
filter_put(struct seccomp_filter *f)
{
	while (f && ref_put(&f->refs)) {
		struct seccomp_filter *previous = f->previous;

		if (f->listener) {
			seccomp_listener_desert(f->listener);
			seccomp_listener_put(f->listener);
		}
		kfree(f);
		f = previous;
	}
}

void
seccomp_inherit_locked(struct thread *t)
{
	struct thread *self = current_thread();

	assert_held(&self->process->lock);
	t->seccomp_mode = self->seccomp_mode;
	t->seccomp = self->seccomp;
	t->no_new_privs = self->no_new_privs;
	if (t->seccomp)
		ref_get(&t->seccomp->refs);
	if (t->seccomp_mode != SECCOMP_NONE)
		t->call_work |= CALL_WORK_SECCOMP;
}

void
seccomp_release(struct thread *t)
{
	struct seccomp_filter *f = t->seccomp;

	t->seccomp = NULL;
	filter_put(f);
}

uint32_t
seccomp_filter_count(const struct thread *t)
{
	const struct seccomp_filter *f = READ_ONCE(t->seccomp);

	return f ? f->depth : 0;
}

/* Is `f` the chain of `head` or a tail of it? NULL is the tail of all. */
static bool
is_tail(const struct seccomp_filter *f, const struct seccomp_filter *head)
{
	while (head && head != f)
		head = head->previous;
	return head == f;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* The filter with a reference, or ERR_PTR. Of a filter `depth` counts from the oldest. */
static struct seccomp_filter *
find_filter(struct thread *t, uint64_t index)
{
	struct seccomp_filter *f = ERR_PTR(-EINVAL);

	spin_lock(&t->process->lock);
	if (t->seccomp_mode == SECCOMP_FILTER) {
		f = t->seccomp;
		while (f && f->depth > index + 1)
			f = f->previous;
		if (!f || index >= f->depth)
			f = ERR_PTR(-ENOENT);
		else
			ref_get(&f->refs);
	}
	spin_unlock(&t->process->lock);
	return f;
}

long
seccomp_program(struct thread *t, uint64_t index, struct bpf_instruction **out)
{
	struct seccomp_filter *f = find_filter(t, index);
	long n;

	if (IS_ERR(f))
		return PTR_ERR(f);
	n = f->length;
	if (out) {
		*out = kmemdup(f->program, f->length * sizeof(f->program[0]));
		if (!*out)
			n = -ENOMEM;
	}
	filter_put(f);
	return n;
}

int
seccomp_is_logged(struct thread *t, uint64_t index)
{
	struct seccomp_filter *f = find_filter(t, index);
	bool logged;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	logged = f->logged;
	filter_put(f);
	return logged;
}

/* --- installing ------------------------------------------------------------------------------- */

bool
seccomp_may_filter(void)
{
	return READ_ONCE(current_thread()->no_new_privs) || capable_here(CAP_SYS_ADMIN);
}

long
seccomp_set_strict(void)
{
	struct thread *t = current_thread();
	long error = -EINVAL;

	spin_lock(&t->process->lock);
	if (t->seccomp_mode == SECCOMP_NONE || t->seccomp_mode == SECCOMP_STRICT) {
		t->seccomp_mode = SECCOMP_STRICT;
		atomic_or(&t->call_work, CALL_WORK_SECCOMP);
		error = 0;
	}
	spin_unlock(&t->process->lock);
	return error;
}

/* The first thread of the caller's process that does not stand under a tail of its chain, or NULL. */
static struct thread *
find_stranger_locked(struct process *p)
{
	struct thread *self = current_thread(), *t;

	list_for_each(t, &p->threads, process_node) {
		if (t == self || t->seccomp_mode == SECCOMP_NONE)
			continue;
		if (t->seccomp_mode != SECCOMP_FILTER || !is_tail(t->seccomp, self->seccomp))
			return t;
	}
	return NULL;
}

/* Put `t` under `head`; its old chain is a tail of that. process->lock is held. */
static void
set_head_locked(struct thread *t, struct seccomp_filter *head)
{
	struct seccomp_filter *old = t->seccomp;

	ref_get(&head->refs);
	WRITE_ONCE(t->seccomp, head);                     /* (1) */
	t->seccomp_mode = SECCOMP_FILTER;
	atomic_or(&t->call_work, CALL_WORK_SECCOMP);      /* (2) */
	if (old) /* not the last: `head` leads to it */
		filter_put(old);
}

static bool
has_listener(const struct seccomp_filter *f)
{
	for (; f; f = f->previous)
		if (f->listener)
			return true;
	return false;
}

/* The filter takes its place. Returns 0, a tid, or an errno; process->lock is held. */
static long
install_locked(struct process *p, struct seccomp_filter *f, uint32_t flags)
{
	struct thread *self = current_thread(), *t;
	uint64_t weight = f->length + FILTER_WEIGHT;

	if (self->seccomp_mode != SECCOMP_NONE && self->seccomp_mode != SECCOMP_FILTER)
		return -EINVAL;
	if ((flags & SECCOMP_LISTEN) && has_listener(self->seccomp))
		return -EBUSY;
	if (self->seccomp)
		weight += self->seccomp->weight;
	if (weight > WEIGHT_MAX)
		return -ENOMEM;
	if (flags & SECCOMP_SYNC) {
		t = find_stranger_locked(p);
		if (t)
			return flags & SECCOMP_SYNC_ESRCH ? -ESRCH : t->local_tid;
	}
	f->previous = self->seccomp;
	if (f->previous)
		ref_get(&f->previous->refs);
	f->depth = f->previous ? f->previous->depth + 1 : 1;
	f->weight = (uint32_t)weight;
	set_head_locked(self, f);
	if (!(flags & SECCOMP_SYNC))
		return 0;
	list_for_each(t, &p->threads, process_node) {
		if (t == self)
			continue;
		set_head_locked(t, f);
		if (self->no_new_privs)
			WRITE_ONCE(t->no_new_privs, true);
	}
	return 0;
}

/* A handle for the listener, reserved. *file is to be installed there. */
static int
prepare_listener(struct seccomp_filter *f, struct file **file)
{
	struct process *p = current_process();
	int fd;

	f->listener = seccomp_listener_create();
	if (!f->listener)
		return -ENOMEM;
	fd = handle_reserve(p->handles, 0, (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE), (uint64_t)UINT32_MAX));
	if (fd < 0)
		return fd;
	*file = seccomp_listener_open(f->listener);
	if (*file)
		return fd;
	handle_unreserve(p->handles, fd);
	return -ENOMEM;
}

long
seccomp_add_filter(const struct bpf_instruction *program, uint32_t n, uint32_t flags)
{
	struct process *p = current_process();
	struct seccomp_filter *f = kzalloc(sizeof(*f) + n * sizeof(*program));
	struct file *file = NULL;
	long result;
	int fd = -1;

	if (!f)
		return -ENOMEM;
	ref_init(&f->refs);
	f->length = n;
	f->logged = flags & SECCOMP_LOGGED;
	f->wait_killable = flags & SECCOMP_WAIT_KILLABLE;
	memcpy(f->program, program, n * sizeof(*program));
	if (flags & SECCOMP_LISTEN) {
		fd = prepare_listener(f, &file);
		if (fd < 0) {
			filter_put(f);
			return fd;
		}
	}
	result = flags & SECCOMP_SYNC ? mutex_lock_killable(&p->exec_lock) : 0;
	if (result == 0) {
		spin_lock(&p->lock);
		result = install_locked(p, f, flags);
		spin_unlock(&p->lock);
		if (flags & SECCOMP_SYNC)
			mutex_unlock(&p->exec_lock);
	}
	if (file && result == 0) {
		handle_install(p->handles, fd, file, RIGHT_ALL, true);
		result = fd;
	} else if (file) {
		handle_unreserve(p->handles, fd);
		file_put(file);
	}
	filter_put(f);
	return result;
}

/* --- deciding --------------------------------------------------------------------------------- */

/* The strongest answer of the chain, and the filter that gave it (NULL: all allow). */
static uint32_t
ask_chain(const struct seccomp_filter *f, const struct seccomp_data *d, const struct seccomp_filter **who)
{
	uint32_t answer = SECCOMP_ALLOW;

	*who = NULL;
	for (; f; f = f->previous) {
		uint32_t a = bpf_run(f->program, BPF_RECORD, d, sizeof(*d));

		/* As signed numbers: killing the process is the most negative. */
		if ((int32_t)(a & SECCOMP_ACTION) < (int32_t)(answer & SECCOMP_ACTION)) {
			answer = a;
			*who = f;
		}
	}
	return answer;
}

static const struct seccomp_action_name *
action_of(uint32_t answer)
{
	for (size_t i = 0; i < SECCOMP_ACTIONS; i++)
		if (seccomp_actions[i].action == (answer & SECCOMP_ACTION))
			return &seccomp_actions[i];
	return &seccomp_actions[0];
}

/* Tell of a call that was not simply allowed: kills and LOG always, others if their filter asks for it. */
static void
tell(const struct seccomp_filter *who, const struct seccomp_data *d, uint32_t answer)
{
	const struct seccomp_action_name *a = action_of(answer);
	struct thread *t = current_thread();
	bool always = a->action == SECCOMP_KILL_PROCESS || a->action == SECCOMP_KILL_THREAD ||
		      a->action == SECCOMP_LOG;

	if (!(READ_ONCE(seccomp_logged) & BIT(a - seccomp_actions)) || !(always || (who && who->logged)))
		return;
	pr_info("%s[%d]: seccomp: call %d at %#lx: %s\n", t->name, t->tid, d->number, d->instruction_pointer, a->name);
}

static void
signal_info(struct siginfo *info, const struct seccomp_data *d, uint32_t answer)
{
	*info = (struct siginfo){ .signo = SIGSYS, .code = SYS_SECCOMP, .error = (int)(answer & SECCOMP_DATA) };
	info->sys.call_address = d->instruction_pointer;
	info->sys.syscall = d->number;
	info->sys.arch = d->arch;
}

/* The registers are as they were at the call, for handlers and dumps. */
static long
kill(struct trap_frame *f, const struct seccomp_data *d, uint32_t answer)
{
	struct thread *t = current_thread();
	struct siginfo info;

	WRITE_ONCE(t->seccomp_mode, SECCOMP_DEAD);
	if ((answer & SECCOMP_ACTION) == SECCOMP_KILL_THREAD && READ_ONCE(t->process->thread_count) > 1)
		thread_exit_user(SIGSYS);
	signal_info(&info, d, answer);
	signal_force_default(SIGSYS, &info);
	return (long)f->orig_rax;
}

static long
trap(struct trap_frame *f, const struct seccomp_data *d, uint32_t answer)
{
	struct siginfo info;

	signal_info(&info, d, answer);
	signal_force(SIGSYS, &info);
	return (long)f->orig_rax;
}

/*
 * A tracer that asked for it is told and decides: the call as it then is goes on to be asked about again. False:
 * it is not made; without a tracer it is not known to anybody.
 */
static bool
tell_tracer(struct trap_frame *f, uint32_t answer, long *result)
{
	f->rax = (uint64_t)-ENOSYS;
	*result = -ENOSYS;
	if (!ptrace_seccomp(answer & SECCOMP_DATA))
		return false;
	*result = (long)f->rax;
	return !signal_fatal_pending(current_thread()) && (int)f->orig_rax >= 0;
}

/* What becomes of the call by `answer`; a tracer has had its say. */
static bool
judge(struct trap_frame *f, uint32_t answer, const struct seccomp_data *d, const struct seccomp_filter *who,
      long *result)
{
	if ((answer & SECCOMP_ACTION) == SECCOMP_ALLOW)
		return true;
	tell(who, d, answer);
	switch (answer & SECCOMP_ACTION) {
	case SECCOMP_LOG:
	case SECCOMP_TRACE:
		return true;
	case SECCOMP_ERRNO:
		*result = -(long)MIN(answer & SECCOMP_DATA, (uint32_t)ERRNO_MAX);
		return false;
	case SECCOMP_TRAP:
		*result = trap(f, d, answer);
		return false;
	case SECCOMP_USER_NOTIFY:
		return seccomp_ask(who, d, result);
	}
	*result = kill(f, d, answer);
	return false;
}

static uint32_t
ask(const struct trap_frame *f, struct seccomp_data *d, const struct seccomp_filter **who)
{
	*d = (struct seccomp_data){
		.number = (int32_t)f->orig_rax,
		.arch = ARCH_X86_64,
		.instruction_pointer = f->rip,
		.args = { f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 },
	};
	return ask_chain(READ_ONCE(current_thread()->seccomp), d, who);
}

static bool
filtered(struct trap_frame *f, long *result)
{
	const struct seccomp_filter *who;
	struct seccomp_data d;
	uint32_t answer = ask(f, &d, &who);

	if ((answer & SECCOMP_ACTION) == SECCOMP_TRACE) {
		tell(who, &d, answer);
		if (!tell_tracer(f, answer, result))
			return false;
		answer = ask(f, &d, &who);
	}
	return judge(f, answer, &d, who, result);
}

/* Strict mode: four calls and no other. */
static void
only_strict(struct trap_frame *f)
{
	struct seccomp_data d = { .number = (int32_t)f->orig_rax, .instruction_pointer = f->rip };

	switch (d.number) {
	case NR_READ:
	case NR_WRITE:
	case NR_RT_SIGRETURN:
	case NR_EXIT:
		return;
	}
	WRITE_ONCE(current_thread()->seccomp_mode, SECCOMP_DEAD);
	tell(NULL, &d, SECCOMP_KILL_THREAD);
	thread_exit_user(SIGKILL);
}

bool
seccomp_enter(struct trap_frame *f, long *result)
{
	if (ptrace_suspends_seccomp())
		return true;
	switch (READ_ONCE(current_thread()->seccomp_mode)) {
	case SECCOMP_STRICT:
		only_strict(f);
		return true;
	case SECCOMP_FILTER:
		return filtered(f, result);
	case SECCOMP_DEAD: /* its end was caught after all, and it goes on */
		process_exit_group(SIGKILL);
	default:
		return true;
	}
}
