/* SPDX-License-Identifier: MIT */
/*
 * process_status.c - /proc/PID/stat, statm, status and schedstat: what a process is and has used, in the formats of
 * proc(5).
 *
 * What they share is gathered first, each part under the lock that guards it; so the parts of one text may be of
 * moments that lie a little apart. Numbers of processes are those of the instance of procfs that is read.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/ptrace.h>
#include <tessera/sched.h>
#include <tessera/seccomp.h>
#include <tessera/string.h>
#include <tessera/tty.h>

#include "files.h"

#define TICK_NS 10000000ul

static char
state_letter(struct target *at)
{
	struct thread *t = at->thread;

	if (at->process->state != PROCESS_ALIVE && at->whole)
		return 'Z';
	if (!t || t->state == THREAD_DEAD)
		return at->process->state == PROCESS_ALIVE ? 'Z' : 'X';
	switch (t->state) {
	case THREAD_SLEEPING:
		return t->uninterruptible ? 'D' : 'S';
	case THREAD_STOPPED:
		return ptrace_is_stopped(t) ? 't' : 'T';
	default:
		return 'R';
	}
}

static const char *
state_name(char letter)
{
	static const struct {
		char letter;
		const char *name;
	} names[] = {
		{ 'R', "running" }, { 'S', "sleeping" }, { 'D', "disk sleep" },
		{ 'T', "stopped" }, { 't', "tracing stop" }, { 'Z', "zombie" },   { 'X', "dead" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].letter == letter)
			return names[i].name;
	return "unknown";
}

/* What stat and status both need, gathered under the locks that guard it. */
struct snapshot {
	char name[16];
	pid_t parent, pgid, sid;
	uint32_t tty_number;
	int32_t tty_group;
	uint32_t threads;
	uint64_t user_ns, system_ns, children_user_ns, children_system_ns;
	uint64_t minor, major, children_minor, children_major;
	uint64_t voluntary, involuntary;
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint32_t queued;
	mode_t umask;
	int exit_signal, exit_status;
};

/* As the instance of procfs that is being read numbers it. */
static pid_t
shown(const struct target *at, pid_t pid)
{
	return pid_number(at->ns, pid);
}

/* Its numbers from there down to the process's own namespace. */
static void
status_numbers(struct text *t, const struct target *at, const char *name, pid_t pid)
{
	const struct pid_namespace *path[PID_NAMESPACE_DEPTH + 1], *n = at->process->pid_ns;
	uint32_t depth = 0;

	for (; n && n->level >= at->ns->level; n = n->parent)
		path[depth++] = n;
	text_print(t, "%s:", name);
	while (depth-- > 0)
		text_print(t, "\t%d", pid_number(path[depth], pid));
	text_print(t, "\n");
}

static void
gather_family(struct process *p, struct snapshot *s)
{
	struct tty *tty = NULL;

	spin_lock(&process_tree_lock);
	s->parent = p->parent ? p->parent->pid : 0;
	if (p->group) {
		s->pgid = p->group->pgid;
		s->sid = p->group->session->sid;
		tty = p->group->session->tty;
		if (tty)
			tty_get(tty);
	}
	s->exit_signal = p->exit_signal;
	spin_unlock(&process_tree_lock);
	s->tty_group = -1;
	if (tty) {
		s->tty_number = tty_device_number(tty);
		s->tty_group = tty_foreground_group(tty);
		tty_put(tty);
	}
}

static void
gather_signals(struct target *at, struct snapshot *s)
{
	struct process *p = at->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct thread *t;

	s->shared_pending = p->pending.set;
	s->queued = p->pending_count;
	s->exit_status = p->exit_status;
	s->children_user_ns = p->children_user_ns;
	s->children_system_ns = p->children_system_ns;
	s->children_minor = p->children_minor;
	s->children_major = p->children_major;
	s->minor = p->dead_minor;
	s->major = p->dead_major;
	s->voluntary = p->dead_voluntary;
	s->involuntary = p->dead_involuntary;
	list_for_each(t, &p->threads, process_node) {
		s->minor += t->minor_faults;
		s->major += t->major_faults;
		s->voluntary += t->voluntary_switches;
		s->involuntary += t->involuntary_switches;
	}
	if (at->thread) {
		s->pending = at->thread->pending.set;
		s->blocked = at->thread->signal_mask;
	}
	if (p->actions)
		for (int n = 1; n <= SIGNAL_COUNT; n++) {
			if (p->actions->action[n].handler == SIG_IGN)
				s->ignored |= SIGNAL_BIT(n);
			else if (p->actions->action[n].handler != SIG_DFL)
				s->caught |= SIGNAL_BIT(n);
		}
	spin_unlock_irq(&p->signal_lock, flags);
}

static void
gather(struct target *at, struct snapshot *s)
{
	*s = (struct snapshot){ 0 };
	gather_family(at->process, s);
	spin_lock(&at->process->lock);
	s->threads = at->process->thread_count;
	if (at->process->fs)
		s->umask = READ_ONCE(at->process->fs->umask);
	if (at->thread)
		memcpy(s->name, at->thread->name, sizeof(s->name));
	spin_unlock(&at->process->lock);
	s->name[sizeof(s->name) - 1] = '\0';
	gather_signals(at, s);
	if (at->whole || !at->thread) {
		process_times(at->process, &s->user_ns, &s->system_ns);
	} else {
		thread_times(at->thread, &s->user_ns, &s->system_ns);
		s->minor = at->thread->minor_faults;
		s->major = at->thread->major_faults;
		s->voluntary = at->thread->voluntary_switches;
		s->involuntary = at->thread->involuntary_switches;
	}
}

/* Pages of the program's own code; the rest of what may be executed is libraries'. */
static uint64_t
code_pages(const struct address_space *as)
{
	vaddr_t start = ALIGN_DOWN(as->code_start, PAGE_SIZE), end = ALIGN_UP(as->code_end, PAGE_SIZE);

	return MIN((end - start) >> PAGE_SHIFT, as->exec_pages);
}

int
show_stat(struct text *t, struct target *at)
{
	struct process *p = at->process;
	struct thread *th = at->thread;
	struct address_space *as = process_address_space(p);
	bool inside = as && process_may_inspect(p) == 0;
	int rt = th ? MAX(th->rt_priority, th->inherited_priority) : 0;
	struct snapshot s;

	gather(at, &s);
	text_print(t, "%d (%s) %c %d %d %d %u %d %u", shown(at, at->whole || !th ? p->pid : th->tid), s.name,
		   state_letter(at), shown(at, s.parent), shown(at, s.pgid), shown(at, s.sid), s.tty_number,
		   shown(at, s.tty_group),
		   p->did_exec ? 0x400000u : 0x400040u);
	text_print(t, " %lu %lu %lu %lu %lu %lu %lu %lu", s.minor, s.children_minor, s.major,
		   s.children_major, s.user_ns / TICK_NS, s.system_ns / TICK_NS,
		   s.children_user_ns / TICK_NS, s.children_system_ns / TICK_NS);
	text_print(t, " %d %d %u 0 %lu", rt ? -1 - rt : 20 + (th ? th->nice : 0),
		   th ? th->nice : 0, s.threads,
		   (at->whole || !th ? p->start_time : th->start_time) / TICK_NS);
	text_print(t, " %lu %lu %lu", as ? as->total_pages * PAGE_SIZE : 0,
		   as ? address_space_resident(as) : 0, process_limit(p, RLIMIT_RSS));
	text_print(t, " %lu %lu %lu 0 0", inside ? as->code_start : as ? 1ul : 0,
		   inside ? as->code_end : as ? 1ul : 0, inside ? as->stack_start : 0);
	text_print(t, " %lu %lu %lu %lu", s.pending & 0x7fffffff, s.blocked & 0x7fffffff,
		   s.ignored & 0x7fffffff, s.caught & 0x7fffffff);
	text_print(t, " %d 0 0 %d %u %d %d 0 0 0", th && th->state == THREAD_SLEEPING, s.exit_signal,
		   th ? th->cpu : 0, th ? th->rt_priority : 0, th ? th->policy : 0);
	text_print(t, " %lu %lu %lu %lu %lu %lu %lu %d\n", inside ? as->data_start : 0,
		   inside ? as->data_end : 0, inside ? as->brk_start : 0, inside ? as->arg_start : 0,
		   inside ? as->arg_end : 0, inside ? as->env_start : 0, inside ? as->env_end : 0,
		   inside ? s.exit_status : 0);
	if (as)
		address_space_put(as);
	return 0;
}

int
show_statm(struct text *t, struct target *at)
{
	struct address_space *as = process_address_space(at->process);

	if (!as) {
		text_print(t, "0 0 0 0 0 0 0\n");
		return 0;
	}
	text_print(t, "%lu %lu %lu %lu 0 %lu 0\n", as->total_pages, address_space_resident(as),
		   as->rss_file + as->rss_shared, code_pages(as), as->data_pages + as->stack_pages);
	address_space_put(as);
	return 0;
}

/* The credentials of the target's thread, with a reference; NULL when it is gone. */
static struct cred *
target_cred(struct target *at)
{
	return at->thread ? process_thread_cred(at->process, at->thread) : NULL;
}

static void
status_ids(struct text *t, const struct cred *c)
{
	text_print(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", uid_shown(c->uid), uid_shown(c->euid),
		   uid_shown(c->suid), uid_shown(c->fsuid), gid_shown(c->gid), gid_shown(c->egid),
		   gid_shown(c->sgid), gid_shown(c->fsgid));
}

static void
status_memory(struct text *t, struct address_space *as)
{
	uint64_t rss = address_space_resident(as);

#define KB(pages) ((pages) * (PAGE_SIZE / 1024))
	text_print(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\n",
		   KB(as->peak_total), KB(as->total_pages), KB(as->locked_pages), 0ul);
	text_print(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		   KB(address_space_peak_resident(as)), KB(rss), KB(as->rss_anon), KB(as->rss_file), KB(as->rss_shared));
	text_print(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n",
		   KB(as->data_pages), KB(as->stack_pages), KB(code_pages(as)),
		   KB(as->exec_pages - code_pages(as)));
	text_print(t, "VmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\nHugetlbPages:\t%8lu kB\n",
		   KB(arch_page_table_frames(&as->page_table)), 0ul, 0ul);
#undef KB
}

static void
print_mask(struct text *t, const char *name, uint64_t bits)
{
	text_print(t, "%s:\t%016lx\n", name, bits);
}

static void
status_affinity(struct text *t, const struct thread *th)
{
	uint64_t all = cpu_count >= 64 ? UINT64_MAX : BIT(cpu_count) - 1;
	uint64_t bits = (th ? th->affinity.bits : all) & all;

	text_print(t, "Cpus_allowed:\t");
	text_add_cpu_mask(t, bits);
	text_print(t, "\nCpus_allowed_list:\t");
	text_add_cpu_list(t, bits);
	/* A mask of 1024 memory nodes, of which there is one. */
	text_print(t, "\nMems_allowed:\t");
	for (int i = 0; i < 31; i++)
		text_print(t, "00000000,");
	text_print(t, "00000001\nMems_allowed_list:\t0\n");
}

static void
status_seccomp(struct text *t, struct target *at)
{
	struct process *p = at->process;
	uint32_t mode = 0, filters = 0;
	bool no_new_privs = false;

	spin_lock(&p->lock);
	if (at->thread) {
		no_new_privs = at->thread->no_new_privs;
		mode = at->thread->seccomp_mode;
		filters = seccomp_filter_count(at->thread);
	}
	spin_unlock(&p->lock);
	text_print(t, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", no_new_privs, mode, filters);
}

int
show_status(struct text *t, struct target *at)
{
	struct process *p = at->process;
	struct address_space *as = process_address_space(p);
	struct handle_table *handles = process_handles(p);
	struct cred *c = target_cred(at);
	char letter = state_letter(at);
	struct snapshot s;

	gather(at, &s);
	text_print(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n"
		      "TracerPid:\t%d\n",
		   s.name, s.umask, letter, state_name(letter), shown(at, p->pid),
		   shown(at, at->whole || !at->thread ? p->pid : at->thread->tid), shown(at, s.parent),
		   at->thread ? shown(at, ptrace_tracer_pid(at->thread)) : 0);
	if (c)
		status_ids(t, c);
	text_print(t, "FDSize:\t%u\nGroups:\t", handles ? handles->size : 0);
	for (uint32_t i = 0; c && i < c->group_count; i++)
		text_print(t, "%u ", gid_shown(c->groups[i]));
	text_print(t, "%s\n", c && c->group_count ? "" : " ");
	status_numbers(t, at, "NStgid", p->pid);
	status_numbers(t, at, "NSpid", at->whole || !at->thread ? p->pid : at->thread->tid);
	status_numbers(t, at, "NSpgid", s.pgid);
	status_numbers(t, at, "NSsid", s.sid);
	if (as)
		status_memory(t, as);
	text_print(t, "CoreDumping:\t%d\nTHP_enabled:\t1\nThreads:\t%u\nSigQ:\t%u/%lu\n",
		   atomic_load(&p->core) != NULL, s.threads, s.queued,
		   process_limit(p, RLIMIT_SIGPENDING));
	print_mask(t, "SigPnd", s.pending);
	print_mask(t, "ShdPnd", s.shared_pending);
	print_mask(t, "SigBlk", s.blocked);
	print_mask(t, "SigIgn", s.ignored);
	print_mask(t, "SigCgt", s.caught);
	if (c) {
		print_mask(t, "CapInh", c->cap_inheritable);
		print_mask(t, "CapPrm", c->cap_permitted);
		print_mask(t, "CapEff", c->cap_effective);
		print_mask(t, "CapBnd", c->cap_bounding);
		print_mask(t, "CapAmb", c->cap_ambient);
	}
	status_seccomp(t, at);
	status_affinity(t, at->thread);
	text_print(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", s.voluntary,
		   s.involuntary);
	if (c)
		cred_put(c);
	if (handles)
		handle_table_put_late(handles);
	if (as)
		address_space_put(as);
	return 0;
}

int
show_schedstat(struct text *t, struct target *at)
{
	struct snapshot s;

	gather(at, &s);
	text_print(t, "%lu 0 %lu\n", s.user_ns + s.system_ns, s.voluntary + s.involuntary);
	return 0;
}
