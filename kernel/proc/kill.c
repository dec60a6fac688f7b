/* SPDX-License-Identifier: MIT */
/*
 * kill.c - who may send what to whom: kill(2), tgkill(2) and their permission rules.
 *
 * Others are looked up, and their fathers and groups asked for, under process_tree_lock. Who signals himself, as raise(3)
 * and abort(3) do, is known and allowed to: no lock of all processes.
 */
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>

#include "proc.h"

/* The caller's real or effective user is the target's real or saved one; or it may signal anybody; or
 * it sends SIGCONT within its session. process_tree_lock held. */
static int
may_send_locked(struct process *p, int signo)
{
	struct process *self = current_process();
	const struct cred *c = current_cred();
	const struct cred *target;
	bool ok, may;

	if (p == self)
		return 0;
	spin_lock(&p->lock);
	target = p->leader ? p->leader->cred : NULL;
	ok = target && (c->euid == target->suid || c->euid == target->uid || c->uid == target->suid ||
			c->uid == target->uid);
	may = target ? capable_in(target->user_ns, CAP_KILL) : capable(CAP_KILL);
	spin_unlock(&p->lock);
	if (ok || may)
		return 0;
	if (signo == SIGCONT && p->group && self->group->session == p->group->session)
		return 0;
	return -EPERM;
}

int
signal_may_send(struct process *p, int signo)
{
	int error;

	spin_lock(&process_tree_lock);
	error = may_send_locked(p, signo);
	spin_unlock(&process_tree_lock);
	return error;
}

/* The sender as p's namespace numbers it. */
static const struct siginfo *
info_for_locked(struct process *p, const struct siginfo *info, struct siginfo *theirs)
{
	if (!info || p->pid_ns == current_pid_namespace() || !(info->code == SI_USER || info->code == SI_TKILL))
		return info;
	*theirs = *info;
	theirs->kill.pid = pid_number_locked(p->pid_ns, current_process()->pid);
	return theirs;
}

/* Is there such a signal? Asked only when there is somebody to get it. */
static int
check_number(int signo)
{
	return signo < 0 || signo > SIGNAL_COUNT ? -EINVAL : 0;
}

static int
send_checked_locked(struct process *p, int signo, const struct siginfo *info)
{
	int error = check_number(signo);
	struct siginfo theirs;

	if (!error)
		error = may_send_locked(p, signo);
	if (error || signo == 0)
		return error;
	return signal_send_process(p, signo, info_for_locked(p, info, &theirs));
}

static int
kill_group_locked(pid_t pgid, int signo, const struct siginfo *info)
{
	struct process_group *g = group_find_locked(pgid);
	int error = -ESRCH;
	bool sent = false;
	struct process *p;

	if (!g)
		return -ESRCH;
	list_for_each(p, &g->members, group_node) {
		error = send_checked_locked(p, signo, info);
		sent |= error == 0;
	}
	return sent ? 0 : error;
}

/* kill(-1): all but process 1 and the caller. */
static int
kill_all_locked(int signo, const struct siginfo *info)
{
	struct process *self = current_process(), *p;
	struct pid_namespace *ns = current_pid_namespace();
	int error = -ESRCH;
	uint32_t count = 0;

	list_for_each(p, &all_processes, all_node) {
		int e;

		if (p == init_process || p == self || p == ns->init || pid_number_locked(ns, p->pid) == 0)
			continue;
		e = send_checked_locked(p, signo, info);
		count++;
		if (e != -EPERM)
			error = e;
	}
	return count ? error : -ESRCH;
}

int
signal_kill(pid_t pid, int signo, const struct siginfo *info)
{
	struct process *self = current_process();
	struct pid_slot *slot;
	struct process *p;
	int error;

	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == self->local_pid) {
		error = check_number(signo);
		return error || signo == 0 ? error : signal_send_process(self, signo, info);
	}
	spin_lock(&process_tree_lock);
	if (pid > 0) {
		pid = pid_global_locked(current_pid_namespace(), pid);
		slot = pid_slot_locked(pid);
		p = slot ? slot->process : NULL;
		if (!p && slot && slot->thread)
			p = slot->thread->process; /* a thread's number names its process here */
		error = p ? send_checked_locked(p, signo, info) : -ESRCH;
	} else if (pid == -1) {
		error = kill_all_locked(signo, info);
	} else {
		error = kill_group_locked(pid == 0 ? self->group->pgid
						  : pid_global_locked(current_pid_namespace(), -pid), signo, info);
	}
	spin_unlock(&process_tree_lock);
	return error;
}

int
signal_kill_thread(pid_t pid, pid_t tid, int signo, const struct siginfo *info)
{
	struct thread *self = current_thread(), *t;
	struct siginfo theirs;
	struct pid_slot *slot;
	int error = -ESRCH;

	if (tid == self->local_tid && (pid <= 0 || pid == self->process->local_pid)) {
		error = check_number(signo);
		return error || signo == 0 ? error : signal_send_thread(self, signo, info);
	}
	spin_lock(&process_tree_lock);
	tid = pid_global_locked(current_pid_namespace(), tid);
	pid = pid_global_locked(current_pid_namespace(), pid);
	slot = pid_slot_locked(tid);
	t = slot ? slot->thread : NULL;
	if (t && (pid <= 0 || t->process->pid == pid)) {
		error = check_number(signo);
		if (!error)
			error = may_send_locked(t->process, signo);
		if (error == 0 && signo != 0) {
			error = signal_send_thread(t, signo, info_for_locked(t->process, info, &theirs));
			if (error == -ESRCH)
				error = 0; /* it is just ending: as good as sent */
		}
	}
	spin_unlock(&process_tree_lock);
	return error;
}
