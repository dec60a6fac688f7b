/* SPDX-License-Identifier: MIT */
/*
 * machine.c - more of the top of /proc: memory counters, block devices, terminals. There are no modules; their
 * file is there, and empty, for the programs that read it.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/block.h>
#include <tessera/cpu.h>
#include <tessera/page.h>
#include <tessera/sched.h>
#include <tessera/thread.h>

#include "files.h"

int
show_vmstat(struct text *t, struct target *at)
{
	struct writeback_stats w;
	struct memory_stats m;
	struct disk_use disk;

	memory_stats(&m);
	writeback_stats(&w);
	text_print(t, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_file_pages %lu\nnr_shmem %lu\nnr_dirty %lu\n"
		      "nr_writeback %lu\nnr_slab_reclaimable 0\nnr_slab_unreclaimable %lu\n"
		      "nr_page_table_pages %lu\nnr_anon_transparent_hugepages %lu\n",
		   m.free, m.anonymous, m.cached, m.shared, w.dirty, w.writeback, m.slab, m.page_tables,
		   m.huge >> HUGE_PAGE_ORDER);
	text_print(t, "pgfault %lu\npgmajfault %lu\npgalloc_normal %lu\npgfree %lu\nallocstall_normal %lu\n",
		   cpu_counter_sum(CPU_COUNTER(faults_user)) + cpu_counter_sum(CPU_COUNTER(faults_kernel)),
		   cpu_counter_sum(CPU_COUNTER(faults_major)),
		   cpu_counter_sum(CPU_COUNTER(page_allocs)), cpu_counter_sum(CPU_COUNTER(page_frees)),
		   cpu_counter_sum(CPU_COUNTER(reclaims)));
	text_print(t, "nr_dirtied %lu\nnr_written %lu\nnr_dirty_threshold %lu\nnr_dirty_background_threshold %lu\n",
		   w.dirtied, w.written, w.threshold, w.background);
	block_transferred(&disk);
	/* In KiB. Nothing is swapped. */
	text_print(t, "pgpgin %lu\npgpgout %lu\npswpin 0\npswpout 0\n", disk.read / 1024, disk.written / 1024);
	return 0;
}

int
show_partitions(struct text *t, struct target *at)
{
	return block_show_partitions(t);
}

int
show_diskstats(struct text *t, struct target *at)
{
	return block_show_diskstats(t);
}

int
show_modules(struct text *t, struct target *at)
{
	return 0;
}

/* The kernel's own console is the first serial port: written by the log (enabled, preferred, early). */
int
show_consoles(struct text *t, struct target *at)
{
	text_print(t, "%-21s-W- (EC p a) %4d:%d\n", "ttyS0", 4, 64);
	return 0;
}

/* Which device numbers are whose: ps turns the tty_nr of stat into a name by it. */
static int
show_tty_drivers(struct text *t, struct target *at)
{
	static const struct {
		const char *name, *node, *numbers, *type;
		unsigned int major;
	} drivers[] = {
		{ "/dev/tty", "/dev/tty", "0", "system:/dev/tty", 5 },
		{ "/dev/console", "/dev/console", "1", "system:console", 5 },
		{ "/dev/ptmx", "/dev/ptmx", "2", "system", 5 },
		{ "serial", "/dev/ttyS", "64-67", "serial", 4 },
		{ "pty_slave", "/dev/pts", "0-1048575", "pty:slave", 136 },
		{ "pty_master", "/dev/ptm", "0-1048575", "pty:master", 128 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		text_print(t, "%-20s %-12s %4u %7s %s\n", drivers[i].name, drivers[i].node,
			   drivers[i].major, drivers[i].numbers, drivers[i].type);
	return 0;
}

const struct entry tty_entries[] = {
	ENTRY_FILE("drivers", show_tty_drivers),
	ENTRY_LINE("ldiscs", "n_tty       0"),
	{ 0 },
};

static void
count_one(void *ctx, struct thread *t)
{
	uint32_t *n = ctx;

	if (t->process && READ_ONCE(t->state) == THREAD_SLEEPING && t->uninterruptible)
		++*n;
}

uint32_t
count_blocked(void)
{
	uint32_t n = 0;

	thread_for_each(count_one, &n);
	return n;
}
