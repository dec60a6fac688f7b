/* SPDX-License-Identifier: MIT */
/*
 * oom.c - memory is gone: choose one process, say which and why, kill it.
 *
 * Badness is what killing would free: resident pages and page tables, shifted by oom_score_adj
 * thousandths of all memory. Never pid 1, never a process at -1000. Its threads may use the frames
 * kept in reserve, so that dying does not wait for memory.
 *
 * One kill at a time: while a victim is on its way out, others wait for it rather than kill again.
 *
 * Called wherever memory is allocated that may wait, with as->lock or other sleeping locks held:
 * takes none itself and no reference that might be the last to an address space, and its waits have
 * an end, because the victim may want a lock of ours on its way out.
 */
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#include "mm.h"

#define ADJ_NEVER  (-1000)
#define WAIT_NS    (10 * NSEC_PER_MSEC)
#define PATIENCE_NS (2 * NSEC_PER_SEC)

struct candidate {
	struct process *process; /* a reference */
	pid_t pid;
	int64_t points;
	uint64_t anonymous, file, shared, tables; /* pages */
	int adj;
};

static uint32_t killing;      /* [a] 1: somebody is choosing */
static uint64_t victim_since; /* [a] when the last victim was chosen; 0: none */
static pid_t victim_pid;      /* [a] */

/* What killing `p` is worth; false: it must not be killed or has nothing. */
static bool
judge(struct process *p, uint64_t total, struct candidate *c)
{
	struct address_space *as;

	if (p == init_process || p->pid == 1 || p->oom_score_adj == ADJ_NEVER)
		return false;
	spin_lock(&p->lock);
	as = p->as;
	if (as) {
		c->anonymous = READ_ONCE(as->rss_anon);
		c->file = READ_ONCE(as->rss_file);
		c->shared = READ_ONCE(as->rss_shared);
		c->tables = arch_page_table_frames(&as->page_table);
	}
	spin_unlock(&p->lock);
	if (!as)
		return false;
	c->adj = p->oom_score_adj;
	c->points = (int64_t)(c->anonymous + c->file + c->shared + c->tables) +
		    (int64_t)total * c->adj / 1000;
	return c->points > 0;
}

static uint32_t
choose(uint64_t total, struct candidate *best)
{
	uint32_t candidates = 0;
	struct process *p;
	pid_t pid = 1;

	best->process = NULL;
	while ((p = process_next(pid)) != NULL) {
		struct candidate c = { .process = p, .pid = p->pid };

		pid = p->pid + 1;
		if (!judge(p, total, &c)) {
			process_put(p);
			continue;
		}
		candidates++;
		if (best->process && c.points <= best->points) {
			process_put(p);
			continue;
		}
		if (best->process)
			process_put(best->process);
		*best = c;
	}
	return candidates;
}

static void
report(const char *why, const struct candidate *c, uint32_t candidates)
{
	struct thread *t = current_thread();
	struct memory_stats s;
	char name[16];

	memory_stats(&s);
	spin_lock(&c->process->lock);
	scnprintf(name, sizeof(name), "%s", c->process->leader ? c->process->leader->name : "?");
	spin_unlock(&c->process->lock);
	pr_warn("out of memory: %s (pid %d) wanted %s; %lu KiB in all, %lu free, %lu anonymous, "
		"%lu cached, %lu slab, %lu page tables\n",
		t->name, t->tid, why, s.total * 4, s.free * 4, s.anonymous * 4, s.cached * 4,
		s.slab * 4, s.page_tables * 4);
	pr_warn("out of memory: killed process %d (%s), the largest of %u: anonymous %lu KiB, file "
		"%lu KiB, shared %lu KiB, page tables %lu KiB, oom_score_adj %d\n",
		c->pid, name, candidates, c->anonymous * 4, c->file * 4, c->shared * 4,
		c->tables * 4, c->adj);
}

static void
allow_reserve(struct process *p)
{
	struct thread *t;

	spin_lock(&p->lock);
	list_for_each(t, &p->threads, process_node)
		atomic_store(&t->memory_reserve, true);
	spin_unlock(&p->lock);
}

/* Is the last victim still taking its memory away? */
static bool
victim_is_dying(void)
{
	uint64_t since = atomic_load(&victim_since);
	struct process *p;
	bool dying;

	if (since == 0 || clock_monotonic_ns() - since > PATIENCE_NS)
		return false;
	p = process_find_in(&init_pid_namespace, atomic_load_relaxed(&victim_pid));
	if (!p)
		return false;
	spin_lock(&p->lock);
	dying = p->as != NULL;
	spin_unlock(&p->lock);
	process_put(p);
	return dying;
}

bool
oom_kill(const char *why)
{
	struct thread *t = current_thread();
	struct candidate c = { 0 };
	struct memory_stats s;
	uint32_t candidates;

	/* Dying already: what the reserve cannot give, nobody can. */
	if (!t->process || atomic_load_relaxed(&t->memory_reserve))
		return false;
	if (atomic_exchange(&killing, 1) != 0) {
		(void)wait_until(deadline_after(WAIT_NS), WAIT_KILLABLE);
		return true;
	}
	if (victim_is_dying()) {
		atomic_store(&killing, 0);
		(void)wait_until(deadline_after(WAIT_NS), WAIT_KILLABLE);
		return true;
	}
	memory_stats(&s);
	candidates = choose(s.total, &c);
	if (c.process) {
		report(why, &c, candidates);
		allow_reserve(c.process);
		atomic_store(&victim_pid, c.pid);
		atomic_store(&victim_since, clock_monotonic_ns());
		process_kill(c.process);
	} else {
		pr_err("out of memory: %s (pid %d) wanted %s and there is no process to kill\n",
			t->name, t->tid, why);
	}
	atomic_store(&killing, 0);
	if (!c.process)
		return false;
	if (c.process != t->process)
		(void)wait_until(deadline_after(WAIT_NS), WAIT_KILLABLE);
	process_put(c.process);
	return true;
}
