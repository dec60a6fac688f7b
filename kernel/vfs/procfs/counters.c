/* SPDX-License-Identifier: MIT */
/*
 * counters.c - /proc/tessera: what lives in the kernel right now. Leak checks compare two readings.
 */
#include <tessera/config.h>
#include <tessera/continuation.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/fault_inject.h>
#include <tessera/handle.h>
#include <tessera/memory_check.h>
#include <tessera/namespace.h>
#include <tessera/page.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/rcu.h>
#include <tessera/slab.h>
#include <tessera/sysfs.h>
#include <tessera/string.h>
#include <tessera/syscall.h>
#include <tessera/tlb.h>
#include <tessera/trace.h>

#include "files.h"

static void
type_line(void *ctx, const char *type, uint64_t n)
{
	char name[40];
	size_t at = string_copy(name, type, sizeof(name));

	for (size_t i = 0; i < at && i < sizeof(name); i++)
		if (name[i] == ' ')
			name[i] = '_';
	text_print(ctx, "file.%s %lu\n", name, n);
}

static void
slab_count(void *ctx, const char *name, size_t size, uint64_t used, uint64_t total, uint64_t pages)
{
	text_print(ctx, "slab.%s %lu\n", name, used);
}

/* The calls that were made, by name; those without one together. */
static void
call_lines(struct text *t)
{
	uint64_t all = 0, unknown = 0;

	for (unsigned int nr = 0; nr <= CALL_MAX; nr++) {
		uint64_t n = cpu_counter_sum(offsetof(struct cpu, counters.call) + nr * sizeof(uint64_t));
		const char *name = syscall_name(nr);

		all += n;
		if (!name)
			unknown += n;
		else if (n)
			text_print(t, "syscall.%s %lu\n", name, n);
	}
	text_print(t, "syscalls %lu\nsyscalls_unknown %lu\n", all, unknown);
}

static void
add_up(void *ctx, const char *name, const uint64_t *per_cpu, const char *what)
{
	uint64_t *sum = ctx;

	for (uint32_t i = 0; i < cpu_count; i++)
		*sum += per_cpu[i];
}

/* What has happened since boot. */
static void
event_lines(struct text *t)
{
	struct tlb_counters tlb;
	uint64_t interrupts = 0;

	arch_irq_counts_print(add_up, &interrupts);
	text_print(t, "context_switches %lu\ninterrupts %lu\n", sched_context_switches(), interrupts);
#define LINE(name, what) text_print(t, #name " %lu\n", cpu_counter_sum(CPU_COUNTER(name)));
	CPU_COUNTERS(LINE)
#undef LINE
	tlb_counters(&tlb);
#define LINE(name, what) text_print(t, "tlb.%s %lu\n", #name, tlb.name);
	TLB_COUNTERS(LINE)
#undef LINE
	for (unsigned int e = 0; e < TRACE_EVENT_COUNT; e++)
		if (trace_event_count(e))
			text_print(t, "traced.%s %lu\n", trace_events[e].name, trace_event_count(e));
}

static int
show_counters(struct text *t, struct target *at)
{
	struct memory_stats m;

	slab_drain_quarantine();
	memory_stats(&m);
	text_print(t, "frames_total %lu\nframes_free %lu\nframes_kernel %lu\nframes_slab %lu\n"
		      "frames_page_tables %lu\nframes_anonymous %lu\nframes_cached %lu\nframes_stacks_kept %lu\n"
		      "frames_page_array %lu\n",
		   m.total, m.free, m.kernel, m.slab, m.page_tables, m.anonymous, m.cached, kernel_stacks_kept(),
		   m.array);
	text_print(t, "threads %lu\nprocesses %u\nopen %lu\nhandles %lu\n", thread_count(), process_count(),
		   file_count(), handle_count_all());
	text_print(t, "sysfs_nodes %lu\nnamespaces %lu\nrcu_waiting %lu\n", sysfs_count(), namespace_count(), rcu_waiting());
	file_counts(type_line, t);
	slab_for_each(slab_count, t);
	event_lines(t);
	call_lines(t);
	return 0;
}

/*
 * Whatever is written has what is freed late freed first, so that the next reading does not count it: the dead, what
 * workers free of them, what readers may have seen, and stacks that are kept. What opens a file afterwards counts
 * with that file, and what closes one with what is left of it: who wants to compare opens before he writes.
 */
static ssize_t
write_counters(struct target *at, char *data, size_t n)
{
	processes_settle();
	continuations_settle();
	rcu_barrier();
	regions_settle();
	return (ssize_t)n;
}

static void
cache_line(void *ctx, const char *name, size_t size, uint64_t used, uint64_t total, uint64_t pages)
{
	text_print(ctx, "%s %lu %lu\n", name, size, used);
}

static int
show_objects(struct text *t, struct target *at)
{
	slab_drain_quarantine();
	slab_for_each(cache_line, t);
	return 0;
}

static void
site_line(void *ctx, vaddr_t site, uint64_t calls, uint64_t failed)
{
	uint64_t offset;
	const char *name = symbol_find(site, &offset);

	if (name)
		text_print(ctx, "%s+0x%lx %lu %lu\n", name, offset, calls, failed);
}

/* Places in the kernel that asked for memory: how often, how often they were told there is none. */
static int
show_allocation_sites(struct text *t, struct target *at)
{
	fault_inject_for_each_site(site_line, t);
	return 0;
}

static void
put_line(void *ctx, const char *line)
{
	text_print(ctx, "%s\n", line);
}

/* What was allocated since the last mark and is still there, by place. */
static int
show_leaks(struct text *t, struct target *at)
{
	return config_object_notes ? leaks_list(READ_ONCE(object_mark), put_line, t) : 0;
}

/* Whatever is written begins a new mark; only what is allocated from now on is shown then. */
static ssize_t
write_leaks(struct target *at, char *data, size_t n)
{
	if (config_object_notes)
		leaks_mark();
	return (ssize_t)n;
}

/* Panics if an object of the kernel was written where nobody should. */
static int
show_memory_check(struct text *t, struct target *at)
{
	if (config_poison)
		text_print(t, "%lu objects are whole\n", check_all_objects());
	return 0;
}

static int
show_stacks(struct text *t, struct target *at)
{
	if (config_misuse_check)
		stacks_list(put_line, t);
	return 0;
}

/* They tell of all programs, and of where the kernel lies. */
#define SWITCH(n, show_function, write_function)                                                   \
	{ .name = n, .mode = S_IFREG | 0600, .show = show_function, .write = write_function }

const struct entry tessera_entries[] = {
	{ .name = "counters", .mode = S_IFREG | 0644, .show = show_counters, .write = write_counters },
	SWITCH("latency", show_latency, write_latency),
	SWITCH("lock_stat", show_lock_stat, write_lock_stat),
	{ .name = "objects", .mode = S_IFREG | 0400, .show = show_objects },
	SWITCH("profile", show_profile, write_profile),
	{ .name = "symbols", .mode = S_IFREG | 0400, .show = show_symbols },
	{ .name = "trace", .mode = S_IFDIR | 0500, .children = trace_entries },
	/* An entry without a name ends the table: what fewer variants have stands later. */
	{ .name = config_fault_injection ? "allocation_sites" : NULL, .mode = S_IFREG | 0400,
	  .show = show_allocation_sites },
	{ .name = config_object_notes ? "leaks" : NULL, .mode = S_IFREG | 0600, .show = show_leaks,
	  .write = write_leaks },
	{ .name = config_poison ? "memory_check" : NULL, .mode = S_IFREG | 0400,
	  .show = show_memory_check },
	{ .name = config_misuse_check ? "stacks" : NULL, .mode = S_IFREG | 0400, .show = show_stacks },
	{ 0 },
};
