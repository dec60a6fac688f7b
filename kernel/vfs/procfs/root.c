/* SPDX-License-Identifier: MIT */
/*
 * root.c - the top of /proc: what is about the machine, and one directory per process.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/backing.h>
#include <tessera/block.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/kdb.h>
#include <tessera/keys.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/tlb.h>
#include <tessera/uts.h>

#include "../vfs.h"
#include "files.h"

#define USER_HZ 100u

static ssize_t
self_readlink(struct target *at, char *buf, size_t size)
{
	pid_t pid = current_process() ? pid_number(at->ns, current_process()->pid) : 0;

	if (!pid)
		return -ENOENT; /* the kernel's own thread, or one of another namespace */
	return scnprintf(buf, size, "%d", pid);
}

static ssize_t
thread_self_readlink(struct target *at, char *buf, size_t size)
{
	pid_t pid = current_process() ? pid_number(at->ns, current_process()->pid) : 0;

	if (!pid)
		return -ENOENT;
	return scnprintf(buf, size, "%d/task/%d", pid, pid_number(at->ns, current_thread()->tid));
}

static ssize_t
mounts_readlink(struct target *at, char *buf, size_t size)
{
	return scnprintf(buf, size, "self/mounts");
}

static ssize_t
net_readlink(struct target *at, char *buf, size_t size)
{
	return scnprintf(buf, size, "self/net");
}

static int
show_cpuinfo(struct text *t, struct target *at)
{
	struct cpu *c;

	for_each_cpu(c)
		arch_cpuinfo_print(c->id, text_print_context, t);
	return 0;
}

static void
line_kib(struct text *t, const char *name, uint64_t pages)
{
	text_print(t, "%s:%*s%8lu kB\n", name, (int)(15 - strlen(name)), "", pages * (PAGE_SIZE / 1024));
}

static int
show_meminfo(struct text *t, struct target *at)
{
	struct huge_pool_stats pool;
	struct writeback_stats w;
	struct memory_stats m;
	uint64_t cached;

	memory_stats(&m);
	writeback_stats(&w);
	line_kib(t, "MemTotal", m.total);
	line_kib(t, "MemFree", m.free);
	cached = m.cached > m.shared ? m.cached - m.shared : 0;
	line_kib(t, "MemAvailable", m.free + (cached > w.dirty + w.writeback ? cached - w.dirty - w.writeback : 0));
	line_kib(t, "Buffers", 0);
	line_kib(t, "Cached", m.cached);
	line_kib(t, "SwapCached", 0);
	line_kib(t, "Active", m.anonymous);
	line_kib(t, "Inactive", m.cached);
	line_kib(t, "SwapTotal", 0);
	line_kib(t, "SwapFree", 0);
	line_kib(t, "Dirty", w.dirty);
	line_kib(t, "Writeback", w.writeback);
	line_kib(t, "AnonPages", m.anonymous);
	line_kib(t, "Mapped", m.shared);
	line_kib(t, "Shmem", m.shared);
	line_kib(t, "Slab", m.slab);
	line_kib(t, "SReclaimable", 0);
	line_kib(t, "SUnreclaim", m.slab);
	line_kib(t, "KernelStack", thread_count() * (KERNEL_STACK_SIZE / PAGE_SIZE));
	line_kib(t, "PageTables", m.page_tables);
	line_kib(t, "CommitLimit", commit_limit_pages());
	line_kib(t, "Committed_AS", committed_pages());
	line_kib(t, "AnonHugePages", m.huge);
	huge_pool_stats(&pool);
	text_print(t, "HugePages_Total:   %5lu\nHugePages_Free:    %5lu\nHugePages_Rsvd:        0\n"
		      "HugePages_Surp:    %5lu\nHugepagesize:       2048 kB\n"
		      "Hugetlb:        %8lu kB\n",
		   pool.total, pool.free, pool.total > pool.target ? pool.total - pool.target : 0,
		   pool.total << 11);
	return 0;
}

static uint64_t
ticks(uint64_t ns)
{
	return ns / (NSEC_PER_SEC / USER_HZ);
}

static void
add_interrupts(void *ctx, const char *name, const uint64_t *per_cpu, const char *what)
{
	uint64_t *sum = ctx;

	for (uint32_t i = 0; i < cpu_count; i++)
		*sum += per_cpu[i];
}

static void
cpu_line(struct text *t, const char *name, uint64_t user, uint64_t sys, uint64_t idle, uint64_t irq)
{
	text_print(t, "%s %lu 0 %lu %lu 0 %lu 0 0 0 0\n", name, ticks(user), ticks(sys), ticks(idle),
		   ticks(irq));
}

static int
show_machine_stat(struct text *t, struct target *at)
{
	uint64_t user, sys, idle, irq, sum[4] = { 0 }, interrupts = 0;
	uint64_t boot = (clock_realtime_ns() - clock_monotonic_ns()) / NSEC_PER_SEC;

	for (uint32_t i = 0; i < cpu_count; i++) {
		cpu_times(i, &user, &sys, &idle, &irq);
		sum[0] += user;
		sum[1] += sys;
		sum[2] += idle;
		sum[3] += irq;
	}
	cpu_line(t, "cpu ", sum[0], sum[1], sum[2], sum[3]);
	for (uint32_t i = 0; i < cpu_count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu%u", i);
		cpu_times(i, &user, &sys, &idle, &irq);
		cpu_line(t, name, user, sys, idle, irq);
	}
	arch_irq_counts_print(add_interrupts, &interrupts);
	text_print(t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked %u\n",
		   interrupts, sched_context_switches(), boot, process_last_pid(), sched_runnable_count(),
		   count_blocked());
	return 0;
}

static int
show_uptime(struct text *t, struct target *at)
{
	uint64_t up = clock_monotonic_ns() / 10000000, idle = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		idle += cpu_idle_ns(i) / 10000000;
	text_print(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

static int
show_loadavg(struct text *t, struct target *at)
{
	uint64_t load[3];

	sched_load_average(load);
	for (int i = 0; i < 3; i++)
		text_print(t, "%lu.%02lu ", load[i] >> 11, ((load[i] & 2047) * 100) >> 11);
	text_print(t, "%u/%lu %d\n", sched_runnable_count(), thread_count(), process_last_pid());
	return 0;
}

static int
show_version(struct text *t, struct target *at)
{
	text_print(t, "Linux version %s (Tessera) %s\n", kernel_release, kernel_version);
	return 0;
}

static int
show_cmdline(struct text *t, struct target *at)
{
	text_print(t, "%s\n", bootinfo.command);
	return 0;
}

static void
filesystem_line(void *ctx, const struct filesystem_type *type)
{
	text_print(ctx, "%s\t%s\n", type->no_device ? "nodev" : "", type->name);
}

static int
show_filesystems(struct text *t, struct target *at)
{
	filesystem_types(filesystem_line, t);
	return 0;
}

static int
show_keys(struct text *t, struct target *at)
{
	key_show_all(t);
	return 0;
}

static int
show_key_users(struct text *t, struct target *at)
{
	key_show_users(t);
	return 0;
}

static int
show_tlb(struct text *t, struct target *at)
{
	struct tlb_counters c;

	tlb_counters(&c);
#define TLB_LINE(name, what) text_print(t, "%-24s %12lu  # %s\n", #name, c.name, what);
	TLB_COUNTERS(TLB_LINE)
#undef TLB_LINE
	return 0;
}

static void
slab_line(void *ctx, const char *name, size_t size, uint64_t used, uint64_t total, uint64_t pages)
{
	uint64_t in_page = MAX(PAGE_SIZE / size, 1ul); /* how full a page is; a slab may be of several */
	uint64_t per_object = DIV_ROUND_UP(size, PAGE_SIZE);
	uint64_t slabs = pages / per_object;

	text_print(ctx, "%-17s %6lu %6lu %6lu %4lu %4lu : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
		   name, used, total, size, in_page, per_object, 0u, 0u, 0u, slabs, slabs, 0u);
}

static int
show_slabinfo(struct text *t, struct target *at)
{
	text_print(t, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
		      "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
		      "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	slab_for_each(slab_line, t);
	return 0;
}

static void
major_line(void *ctx, uint32_t major, const char *name)
{
	text_print(ctx, "%3u %s\n", major, name);
}

static int
show_devices(struct text *t, struct target *at)
{
	text_print(t, "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
		      " 10 misc\n136 pts\n\nBlock devices:\n");
	block_majors(major_line, t);
	return 0;
}

static int
show_swaps(struct text *t, struct target *at)
{
	text_print(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

/* A letter, as typed on the console behind a BREAK: see kdb. */
static ssize_t
write_sysrq(struct target *at, char *data, size_t n)
{
	if (n > 0)
		kdb_key(data[0], NULL);
	return (ssize_t)n;
}

static long
process_find_name(struct target *at, const char *name, size_t length)
{
	long n = parse_number(name, length);
	struct thread *t = n > 0 ? thread_find_in(at->ns, (pid_t)n) : NULL;

	if (!t)
		return -1;
	if (!t->process)
		n = -1;
	thread_put(t);
	return n;
}

static long
process_next_number(struct target *at, long from)
{
	return pid_next_process(at->ns, (pid_t)MAX(from, 1l));
}

static const struct entry process_entry = {
	.name = "process",
	.mode = S_IFDIR | 0555,
	.children = process_entries,
};

const struct entry_list process_list = {
	.find = process_find_name,
	.next = process_next_number,
	.each = &process_entry,
};

const struct entry root_entries[] = {
	{ .name = "self", .mode = S_IFLNK | 0777, .readlink = self_readlink },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .readlink = thread_self_readlink },
	{ .name = "mounts", .mode = S_IFLNK | 0777, .readlink = mounts_readlink },
	ENTRY_DIR("bus", bus_entries),
	ENTRY_LINE("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled"),
	ENTRY_FILE("cmdline", show_cmdline),
	ENTRY_FILE("consoles", show_consoles),
	ENTRY_FILE("cpuinfo", show_cpuinfo),
	ENTRY_FILE("devices", show_devices),
	ENTRY_FILE("diskstats", show_diskstats),
	ENTRY_LINE("execdomains", "0-0\tLinux           \t[kernel]"),
	ENTRY_FILE("filesystems", show_filesystems),
	ENTRY_FILE("interrupts", show_interrupts),
	{ .name = "irq", .mode = S_IFDIR | 0555, .children = irq_entries, .list = &irq_list },
	ENTRY_FILE("key-users", show_key_users),
	ENTRY_FILE("keys", show_keys),
	ENTRY_FILE("loadavg", show_loadavg),
	ENTRY_FILE("locks", show_locks),
	ENTRY_FILE("meminfo", show_meminfo),
	ENTRY_FILE("modules", show_modules),
	{ .name = "net", .mode = S_IFLNK | 0777, .readlink = net_readlink },
	ENTRY_FILE("partitions", show_partitions),
	{ .name = "slabinfo", .mode = S_IFREG | 0400, .show = show_slabinfo },
	{ .name = "sysrq-trigger", .mode = S_IFREG | 0200, .write = write_sysrq },
	ENTRY_FILE("stat", show_machine_stat),
	ENTRY_FILE("swaps", show_swaps),
	ENTRY_DIR("sys", sys_entries),
	ENTRY_DIR("sysvipc", sysvipc_entries),
	ENTRY_DIR("tessera", tessera_entries),
	ENTRY_FILE("tlb", show_tlb),
	ENTRY_DIR("tty", tty_entries),
	ENTRY_FILE("uptime", show_uptime),
	ENTRY_FILE("version", show_version),
	ENTRY_FILE("vmstat", show_vmstat),
	{ 0 },
};

const size_t root_entry_count = ARRAY_SIZE(root_entries);
