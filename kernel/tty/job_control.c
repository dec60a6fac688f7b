/* SPDX-License-Identifier: MIT */
/*
 * job_control.c - which session and process group a terminal belongs to.
 *
 * A session leader without a terminal takes one; the session's groups take turns in the foreground.
 * A background group that reads, or writes with TOSTOP, or changes settings, is stopped by a signal,
 * unless it could never be continued (an orphaned group), which gets EIO.
 *
 * tty->session, tty->foreground and session->tty change together under process_tree_lock.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/signal.h>

#include "tty_private.h"

/* Would `signo` do nothing to the caller? It then is not sent. */
static bool
ignores(int signo)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	bool yes = (t->signal_mask & SIGNAL_BIT(signo)) != 0 ||
		   p->actions->action[signo].handler == SIG_IGN;

	spin_unlock_irq(&p->signal_lock, flags);
	return yes;
}

bool
job_is_controlling(struct tty *t)
{
	struct process *p = current_process();
	bool yes;

	spin_lock(&process_tree_lock);
	yes = p->group->session->tty == t;
	spin_unlock(&process_tree_lock);
	return yes;
}

/* Is the caller in a background group of this terminal's session? Its group goes to *pgid. */
static bool
in_background(struct tty *t, pid_t *pgid)
{
	struct process *p = current_process();
	bool background;

	spin_lock(&process_tree_lock);
	*pgid = p->group->pgid;
	background = p->group->session->tty == t && t->foreground != 0 && t->foreground != *pgid;
	spin_unlock(&process_tree_lock);
	return background;
}

/* Stop the caller's group with `signo`. `allow_ignored`: who ignores it may go on. */
static int
stop_background(struct tty *t, int signo, bool allow_ignored)
{
	pid_t pgid;

	if (!in_background(t, &pgid))
		return 0;
	if (ignores(signo))
		return allow_ignored ? 0 : -EIO;
	if (process_group_is_orphaned(pgid))
		return -EIO;
	signal_send_group(pgid, signo, NULL);
	return -ERESTARTSYS;
}

int
job_check_read(struct tty *t)
{
	return stop_background(t, SIGTTIN, false);
}

int
job_check_write(struct tty *t)
{
	return t->termios.lflag & TOSTOP ? stop_background(t, SIGTTOU, true) : 0;
}

/* Before anything that changes the terminal for others. */
int
job_check_change(struct tty *t)
{
	return stop_background(t, SIGTTOU, true);
}

void
job_signal_foreground(struct tty *t, int signo)
{
	pid_t pgid;

	spin_lock(&process_tree_lock);
	pgid = t->foreground;
	spin_unlock(&process_tree_lock);
	if (pgid > 0)
		signal_send_group(pgid, signo, NULL);
}

/* process_tree_lock held. */
static void
attach_locked(struct tty *t, struct session *s, pid_t foreground)
{
	tty_get(t);
	s->tty = t;
	t->session = s->sid;
	t->foreground = foreground;
}

/* The session whose terminal `t` is, found through any of its processes. process_tree_lock held. */
static struct session *
session_of_locked(struct tty *t)
{
	struct process *p;

	list_for_each(p, &all_processes, all_node)
		if (p->group && p->group->session->tty == t)
			return p->group->session;
	return NULL;
}

/* TIOCSCTTY. 0 or -EPERM. */
int
job_take_terminal(struct tty *t, bool steal)
{
	struct process *p = current_process();
	bool admin = capable(CAP_SYS_ADMIN);
	bool dropped = false;
	struct session *s, *owner;
	int error = 0;

	spin_lock(&process_tree_lock);
	s = p->group->session;
	if (s->sid == p->pid && s->tty == t)
		goto out;
	if (s->sid != p->pid || s->tty) {
		error = -EPERM;
		goto out;
	}
	if (t->session != 0) {
		owner = session_of_locked(t);
		if (owner && !(steal && admin)) {
			error = -EPERM;
			goto out;
		}
		if (owner) {
			owner->tty = NULL;
			dropped = true;
		}
	}
	attach_locked(t, s, p->group->pgid);
out:
	spin_unlock(&process_tree_lock);
	if (dropped)
		tty_put(t);
	return error;
}

void
job_take_terminal_on_open(struct tty *t)
{
	struct process *p = current_process();
	struct session *s;

	spin_lock(&process_tree_lock);
	s = p->group->session;
	if (s->sid == p->pid && !s->tty && t->session == 0)
		attach_locked(t, s, p->group->pgid);
	spin_unlock(&process_tree_lock);
}

/* TIOCNOTTY: a leader lets go for its whole session, with SIGHUP and SIGCONT to the foreground. */
int
job_give_up_terminal(struct tty *t)
{
	struct process *p = current_process();
	struct session *s;
	pid_t foreground = 0;

	spin_lock(&process_tree_lock);
	s = p->group->session;
	if (s->tty != t) {
		spin_unlock(&process_tree_lock);
		return -ENOTTY;
	}
	if (s->sid != p->pid) {
		/* Linux drops only the caller's own tie; ours is the session's, so others keep it */
		spin_unlock(&process_tree_lock);
		return 0;
	}
	foreground = t->foreground;
	s->tty = NULL;
	t->session = t->foreground = 0;
	spin_unlock(&process_tree_lock);
	if (foreground > 0) {
		signal_send_group(foreground, SIGHUP, NULL);
		signal_send_group(foreground, SIGCONT, NULL);
	}
	tty_put(t);
	return 0;
}

/* TIOCSPGRP. -ENOTTY not the caller's terminal, -EPERM a group of another session, -EINVAL. */
int
job_set_foreground(struct tty *t, pid_t pgid)
{
	pid_t sid;

	if (!job_is_controlling(t))
		return -ENOTTY;
	if (pgid < 0)
		return -EINVAL;
	sid = process_sid(current_process());
	if (t->session != sid)
		return -ENOTTY;
	if (!process_group_exists_in_session(pgid, sid)) {
		struct process *p = process_find_in(&init_pid_namespace, pgid);

		if (!p)
			return -ESRCH;
		process_put(p);
		return -EPERM;
	}
	spin_lock(&process_tree_lock);
	t->foreground = pgid;
	spin_unlock(&process_tree_lock);
	return 0;
}

/* The caller's controlling terminal with a reference, or NULL. */
struct tty *
job_current_terminal(void)
{
	struct process *p = current_process();
	struct tty *t;

	spin_lock(&process_tree_lock);
	t = p->group->session->tty;
	if (t)
		tty_get(t);
	spin_unlock(&process_tree_lock);
	return t;
}

int32_t
tty_foreground_group(struct tty *t)
{
	return t->foreground > 0 ? t->foreground : -1;
}

/* The terminal hung up: SIGHUP and SIGCONT to the leader and the foreground; the tie is cut. */
void
job_hang_up(struct tty *t)
{
	struct process *leader = NULL;
	struct session *s;
	pid_t foreground, sid;

	spin_lock(&process_tree_lock);
	sid = t->session;
	foreground = t->foreground;
	s = sid != 0 ? session_of_locked(t) : NULL;
	if (s)
		s->tty = NULL;
	t->session = t->foreground = 0;
	spin_unlock(&process_tree_lock);
	if (sid != 0)
		leader = process_find_in(&init_pid_namespace, sid);
	if (leader) {
		signal_send_process(leader, SIGHUP, NULL);
		signal_send_process(leader, SIGCONT, NULL);
		process_put(leader);
	}
	if (foreground > 0 && foreground != sid) {
		signal_send_group(foreground, SIGHUP, NULL);
		signal_send_group(foreground, SIGCONT, NULL);
	}
	if (s)
		tty_put(t);
}

/*
 * A session leader ended: the foreground group hears SIGHUP. A serial line is hung up for whoever still
 * has it open; a pseudo-terminal is not, its master decides. The caller cut session->tty and keeps its
 * own reference to `t`.
 */
void
tty_session_ended(struct tty *t, int32_t sid)
{
	pid_t foreground = 0;
	bool ours;

	spin_lock(&process_tree_lock);
	ours = t->session == sid;
	if (ours) {
		foreground = t->foreground;
		t->session = t->foreground = 0;
	}
	spin_unlock(&process_tree_lock);
	if (!ours)
		return;
	if (foreground > 0) {
		signal_send_group(foreground, SIGHUP, NULL);
		if (!t->node)
			signal_send_group(foreground, SIGCONT, NULL);
	}
	if (!t->node)
		tty_hang_up(t);
}
