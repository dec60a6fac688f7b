/* SPDX-License-Identifier: MIT */
/*
 * process.c - /proc/PID and /proc/PID/task/TID: their tables of entries, and the small ones. Formats as proc(5)
 * says; process_status.c, process_settings.c, maps.c, handles.c and others have the rest.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/config.h>
#include <tessera/cred.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/ptrace.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/syscall.h>

#include <tessera/arch/trap_frame.h>

#include "../vfs.h"
#include "files.h"

#define RANGE_MAX (16ul << 20) /* a program may say that its arguments are all of its memory */

/* Bytes [start, end) of the program's memory, as far as they can be read. */
static int
show_range(struct text *t, struct address_space *as, vaddr_t start, vaddr_t end)
{
	char *buf = kmalloc(PAGE_SIZE, 0);

	if (!buf)
		return -ENOMEM;
	end = MIN(end, start + RANGE_MAX);
	while (start < end) {
		ssize_t n = address_space_access(as, start, buf, MIN(PAGE_SIZE, end - start), false, true);

		if (n <= 0)
			break;
		text_add(t, buf, (size_t)n);
		start += (vaddr_t)n;
	}
	kfree(buf);
	return 0;
}

static int
show_cmdline(struct text *t, struct target *at)
{
	struct address_space *as = process_address_space(at->process);
	int error;

	if (!as)
		return 0;
	error = show_range(t, as, as->arg_start, as->arg_end);
	/* A program that wrote over its arguments (setproctitle) and into the environment: up to the NUL. */
	if (!error && t->used && t->data[t->used - 1] != '\0' && as->arg_end == as->env_start) {
		size_t length = strnlen(t->data, t->used);

		if (length == t->used) {
			error = show_range(t, as, as->env_start, as->env_end);
			t->used = strnlen(t->data, t->used);
		} else {
			t->used = length;
		}
	}
	address_space_put(as);
	return error;
}

static int
show_environ(struct text *t, struct target *at)
{
	struct address_space *as = process_address_space(at->process);
	int error;

	if (!as)
		return 0;
	error = show_range(t, as, as->env_start, as->env_end);
	address_space_put(as);
	return error;
}

static int
show_auxv(struct text *t, struct target *at)
{
	struct address_space *as = process_address_space(at->process);

	if (!as)
		return 0;
	text_add(t, (const char *)as->auxv, MIN((size_t)as->auxv_count, ARRAY_SIZE(as->auxv)) * 8);
	address_space_put(as);
	return 0;
}

static int
show_comm(struct text *t, struct target *at)
{
	if (at->thread)
		text_print(t, "%s\n", at->thread->name);
	return 0;
}

static ssize_t
write_comm(struct target *at, char *data, size_t n)
{
	char *end = strchr(data, '\n');

	if (!at->thread || at->process != current_process())
		return -EINVAL;
	if (end)
		*end = '\0';
	spin_lock(&at->process->lock);
	string_copy(at->thread->name, data, sizeof(at->thread->name));
	spin_unlock(&at->process->lock);
	return (ssize_t)n;
}

static int
show_limits(struct text *t, struct target *at)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIMIT_COUNT] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};

	text_print(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIMIT_COUNT; i++) {
		struct rlimit64 r;
		char soft[24], hard[24];

		spin_lock(&at->process->lock);
		r = at->process->limits[i];
		spin_unlock(&at->process->lock);
		snprintf(soft, sizeof(soft), r.current == RLIM_INFINITY ? "unlimited" : "%lu", r.current);
		snprintf(hard, sizeof(hard), r.maximum == RLIM_INFINITY ? "unlimited" : "%lu", r.maximum);
		text_print(t, "%-25s %-20s %-20s ", rows[i].name, soft, hard);
		text_print(t, *rows[i].unit ? "%-10s\n" : "%s\n", rows[i].unit);
	}
	return 0;
}

static int
show_oom_score(struct text *t, struct target *at)
{
	struct address_space *as = process_address_space(at->process);
	struct memory_stats m;
	int64_t score = 0;

	memory_stats(&m);
	if (as) {
		score = (int64_t)(address_space_resident(as) * 1000 / MAX(m.total, 1ul));
		address_space_put(as);
	}
	score = (score + 1000 + at->process->oom_score_adj) * 2 / 3;
	text_print(t, "%ld\n", MAX(score, 0l));
	return 0;
}

static int
show_oom_score_adj(struct text *t, struct target *at)
{
	text_print(t, "%d\n", at->process->oom_score_adj);
	return 0;
}

static ssize_t
write_oom_score_adj(struct target *at, char *data, size_t n)
{
	bool negative = *data == '-';
	const char *end;
	uint64_t v;
	int value;

	if (parse_u64(data + negative, &end, 10, &v) || (*end && *end != '\n') || v > 1000)
		return -EINVAL;
	value = negative ? -(int)v : (int)v;
	if (value < at->process->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	WRITE_ONCE(at->process->oom_score_adj, value);
	return (ssize_t)n;
}

/* The first function that is not the machinery of sleeping itself. */
static bool
find_wchan(void *ctx, const struct stack_step *s)
{
	static const char *const machinery[] = { "switch_thread", "schedule", "wait_", "lock_", "mutex_",
						 "read_lock", "write_lock", "finish_switch" };
	const char **name = ctx;
	uint64_t offset;

	*name = symbol_find(s->pc, &offset);
	for (size_t i = 0; *name && i < ARRAY_SIZE(machinery); i++)
		if (!strncmp(*name, machinery[i], strlen(machinery[i])))
			return true;
	return false;
}

/* Where in the kernel it sleeps; 0 when it runs, and to who may not know. proc(5). */
static int
show_wchan(struct text *t, struct target *at)
{
	struct thread *th = at->thread;
	const char *name = NULL;
	uint64_t flags;

	if (th && process_may_inspect(at->process) == 0) {
		/* Under its lock nobody wakes it, so its stack stays as it is. */
		flags = spin_lock_irq(&th->lock);
		if ((READ_ONCE(th->state) == THREAD_SLEEPING || READ_ONCE(th->state) == THREAD_STOPPED) && !READ_ONCE(th->on_cpu) && !READ_ONCE(th->queued))
			arch_stack_walk(arch_thread_frame_pointer(th), find_wchan, &name);
		spin_unlock_irq(&th->lock, flags);
	}
	text_print(t, "%s", name ? name : "0");
	return 0;
}

static void
print_step(struct text *t, const struct stack_step *s)
{
	uint64_t offset;
	const char *name = symbol_find(s->pc, &offset);

	text_print(t, "[<0>] %s+0x%lx\n", name ? name : "?", name ? offset : 0);
}

/* Steps of a sleeping thread's stack, gathered where nothing can be allocated. */
#define STEPS_MAX 32
struct steps {
	uint32_t count;
	struct stack_step step[STEPS_MAX];
};

static bool
keep_step(void *ctx, const struct stack_step *s)
{
	struct steps *all = ctx;

	if (s->entry)
		return false;
	all->step[all->count++] = *s;
	return all->count < STEPS_MAX;
}

/* The calls that a sleeper waits in, the innermost first; nothing of one that runs. proc(5). */
static int
show_stack(struct text *t, struct target *at)
{
	struct thread *th = at->thread;
	struct steps *all;
	uint64_t flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	all = kzalloc(sizeof(*all));
	if (!all)
		return -ENOMEM;
	if (th) {
		flags = spin_lock_irq(&th->lock);
		if (READ_ONCE(th->state) == THREAD_SLEEPING && !READ_ONCE(th->on_cpu) && !READ_ONCE(th->queued))
			arch_stack_walk(arch_thread_frame_pointer(th), keep_step, all);
		spin_unlock_irq(&th->lock, flags);
	}
	for (uint32_t i = 0; i < all->count; i++)
		print_step(t, &all->step[i]);
	kfree(all);
	return 0;
}

static int
show_syscall(struct text *t, struct target *at)
{
	uint64_t nr = at->thread ? READ_ONCE(at->thread->syscall_number) : UINT64_MAX;
	const struct trap_frame *f;

	/* The frame is that of a thread inside the kernel: the reader's own, or a sleeping one's. */
	if (!at->thread || at->thread->state == THREAD_DEAD) {
		text_print(t, "-1 0x0 0x0\n");
		return 0;
	}
	if (at->thread != current_thread() && at->thread->state == THREAD_RUNNABLE) {
		text_print(t, "running\n");
		return 0;
	}
	f = arch_user_frame(at->thread);
	/* At a call's exit, and where its signals are looked at, it is still that call's. */
	if (at->thread->state == THREAD_STOPPED)
		nr = f->orig_rax;
	if (nr == UINT64_MAX)
		text_print(t, "-1 0x%lx 0x%lx\n", f->rsp, f->rip);
	else
		text_print(t, "%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", nr, f->rdi, f->rsi,
			   f->rdx, f->r10, f->r8, f->r9, f->rsp, f->rip);
	return 0;
}

static int
show_io(struct text *t, struct target *at)
{
	struct process *p = at->process;
	struct thread *thread;
	struct disk_use disk;
	uint64_t flags;

	flags = spin_lock_irq(&p->signal_lock);
	disk = p->dead_disk;
	disk_use_add(&disk, &p->children_disk);
	list_for_each(thread, &p->threads, process_node)
		disk_use_add(&disk, &thread->disk);
	spin_unlock_irq(&p->signal_lock, flags);
	text_print(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: %lu\nwrite_bytes: %lu\n"
		      "cancelled_write_bytes: 0\n",
		   p->read_bytes, p->write_bytes, p->read_calls, p->write_calls, disk.read, disk.written);
	return 0;
}

static int
show_personality(struct text *t, struct target *at)
{
	text_print(t, "%08x\n", at->thread ? at->thread->personality : 0);
	return 0;
}

/* Nobody has logged in, as far as an audit would know: there is none. */
static int
show_no_login(struct text *t, struct target *at)
{
	text_print(t, "%u", UINT32_MAX);
	return 0;
}

static int
show_cgroup(struct text *t, struct target *at)
{
	text_print(t, "0::/\n");
	return 0;
}

/* Of the thread itself; those whose creator has ended count for the leader. */
static bool
is_child_of(struct target *at, const struct process *c)
{
	return c->creator ? c->creator == at->thread : at->thread->tid == at->process->pid;
}

static int
show_children(struct text *t, struct target *at)
{
	size_t n, room = 64;

	if (!at->thread)
		return 0;
	/* Counted and copied under the lock, with a larger array until they fit. */
	for (;;) {
		pid_t *pids = kmalloc(room * sizeof(*pids), 0);
		struct process *c;

		if (!pids)
			return -ENOMEM;
		n = 0;
		spin_lock(&process_tree_lock);
		list_for_each(c, &at->process->children, sibling)
			if (is_child_of(at, c) && n++ < room)
				pids[n - 1] = pid_number_locked(at->ns, c->pid);
		spin_unlock(&process_tree_lock);
		for (size_t i = 0; n <= room && i < n; i++)
			text_print(t, "%d ", pids[i]);
		kfree(pids);
		if (n <= room)
			return 0;
		room = n + 64;
	}
}

/* --- links --------------------------------------------------------------------------------------- */

static int
jump_exe(struct target *at, struct path *out)
{
	struct address_space *as = process_address_space(at->process);
	struct file *exe = as ? address_space_exe(as) : NULL;
	int error = -ENOENT;

	if (exe && exe->dentry) {
		*out = (struct path){ exe->mount, exe->dentry };
		path_get(out);
		error = 0;
	}
	if (exe)
		file_put(exe);
	if (as)
		address_space_put(as);
	return error;
}

static int
jump_directory(struct target *at, struct path *out, bool root)
{
	struct process *p = at->process;
	int error = -ENOENT;

	spin_lock(&p->lock);
	if (p->fs) {
		fs_context_get(p->fs, root ? NULL : out, root ? out : NULL);
		error = 0;
	}
	spin_unlock(&p->lock);
	return error;
}

static int
jump_cwd(struct target *at, struct path *out)
{
	return jump_directory(at, out, false);
}

static int
jump_root(struct target *at, struct path *out)
{
	return jump_directory(at, out, true);
}

/* Polled for changes of the tree of mounts. */
#define MOUNTS(n, m, s)                                                                            \
	{ .name = (n), .mode = S_IFREG | (m), .show = (s), .file_ops = &mounts_file_ops }
#define MAGIC(n, function) \
	{ .name = n, .mode = S_IFLNK | 0777, .flags = ENTRY_INSPECT, .jump = function }
#define PRIVATE(n, m, function) \
	{ .name = n, .mode = S_IFREG | (m), .flags = ENTRY_INSPECT, .show = function }

#define SPACE(n, m, function) \
	{ .name = n, .mode = S_IFREG | (m), .flags = ENTRY_INSPECT | ENTRY_SPACE, .show = function }

#define COMMON_ENTRIES                                                                             \
	SPACE("auxv", 0400, show_auxv),                                                            \
	ENTRY_FILE("cgroup", show_cgroup),                                                         \
	ENTRY_FILE("cmdline", show_cmdline),                                                       \
	{ .name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .write = write_comm },        \
	{ .name = "coredump_filter", .mode = S_IFREG | 0644, .show = show_coredump_filter,         \
	  .write = write_coredump_filter },                                                        \
	MAGIC("cwd", jump_cwd),                                                                    \
	SPACE("environ", 0400, show_environ),                                                      \
	MAGIC("exe", jump_exe),                                                                    \
	{ .name = "fd", .mode = S_IFDIR | 0500, .flags = ENTRY_INSPECT, .list = &fd_list },        \
	{ .name = "fdinfo", .mode = S_IFDIR | 0555, .flags = ENTRY_INSPECT, .list = &fdinfo_list }, \
	PRIVATE("io", 0400, show_io),                                                              \
	ENTRY_FILE("limits", show_limits),                                                         \
	{ .name = "gid_map", .mode = S_IFREG | 0644, .show = show_gid_map, .write = write_gid_map }, \
	{ .name = "ns", .mode = S_IFDIR | 0511, .flags = ENTRY_INSPECT, .children = namespace_entries },                                                       \
	ENTRY_FILE("loginuid", show_no_login),                                                     \
	{ .name = "map_files", .mode = S_IFDIR | 0500, .flags = ENTRY_INSPECT, .list = &map_files_list }, \
	SPACE("maps", 0444, show_maps),                                                            \
	{ .name = "mem", .mode = S_IFREG | 0600, .flags = ENTRY_INSPECT | ENTRY_SPACE,             \
	  .file_ops = &memory_file_ops },                                                          \
	MOUNTS("mountinfo", 0444, show_mountinfo),                                                 \
	MOUNTS("mounts", 0444, show_mounts),                                                       \
	MOUNTS("mountstats", 0400, show_mountstats),                                               \
	ENTRY_DIR("net", net_entries),                                                             \
	SPACE("numa_maps", 0444, show_numa_maps),                                                  \
	{ .name = "oom_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .write = write_oom_adj }, \
	ENTRY_FILE("oom_score", show_oom_score),                                                   \
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_score_adj,             \
	  .write = write_oom_score_adj },                                                          \
	{ .name = "pagemap", .mode = S_IFREG | 0400, .flags = ENTRY_INSPECT | ENTRY_SPACE,         \
	  .file_ops = &pagemap_file_ops },                                                         \
	PRIVATE("personality", 0400, show_personality),                                            \
	MAGIC("root", jump_root),                                                                  \
	ENTRY_FILE("sched", show_sched),                                                           \
	ENTRY_FILE("schedstat", show_schedstat),                                                   \
	{ .name = "setgroups", .mode = S_IFREG | 0644, .show = show_setgroups, .write = write_setgroups },                                                   \
	ENTRY_FILE("sessionid", show_no_login),                                                    \
	SPACE("smaps", 0444, show_smaps),                                                          \
	SPACE("smaps_rollup", 0444, show_smaps_rollup),                                            \
	ENTRY_FILE("stat", show_stat),                                                             \
	ENTRY_FILE("statm", show_statm),                                                           \
	ENTRY_FILE("status", show_status),                                                         \
	PRIVATE("stack", 0400, show_stack),                                                        \
	PRIVATE("syscall", 0400, show_syscall),                                                    \
	{ .name = "uid_map", .mode = S_IFREG | 0644, .show = show_uid_map, .write = write_uid_map },                                                        \
	ENTRY_FILE("wchan", show_wchan)

const struct entry process_entries[] = {
	COMMON_ENTRIES,
	{ .name = "task", .mode = S_IFDIR | 0555, .list = &task_list },
	ENTRY_FILE("timers", show_timers),
	{ .name = "timerslack_ns", .mode = S_IFREG | 0666, .show = show_timer_slack,
	  .write = write_timer_slack },
	{ 0 },
};

const struct entry thread_entries[] = {
	COMMON_ENTRIES,
	ENTRY_FILE("children", show_children),
	/* The last: without a name it ends the table. */
	{ .name = config_fault_injection ? "fail-nth" : NULL, .mode = S_IFREG | 0644,
	  .file_ops = &fail_nth_file_ops },
	{ 0 },
};

/* --- task/TID ------------------------------------------------------------------------------------ */

/* The smallest number >= `from` of the instance's namespace that a thread of the process has. */
static long
task_next(struct target *at, long from)
{
	struct thread *t = process_thread_next(at->process, at->ns->level ? 0 : (pid_t)from);
	long best = -1;

	while (t) {
		pid_t tid = t->tid;
		long number = pid_number(at->ns, tid);

		thread_put(t);
		if (number >= from && number > 0 && (best < 0 || number < best))
			best = number;
		/* In the first namespace they come in order. */
		t = at->ns->level ? process_thread_next(at->process, tid + 1) : NULL;
	}
	return best;
}

static long
task_find(struct target *at, const char *name, size_t length)
{
	long tid = parse_number(name, length);

	return tid > 0 && task_next(at, tid) == tid ? tid : -1;
}

static const struct entry task_entry = {
	.name = "task",
	.mode = S_IFDIR | 0555,
	.flags = ENTRY_THREAD,
	.children = thread_entries,
};

const struct entry_list task_list = {
	.find = task_find,
	.next = task_next,
	.each = &task_entry,
};
