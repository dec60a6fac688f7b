/* SPDX-License-Identifier: MIT */
/*
 * memory.c - /sys/kernel/mm and the memory of /sys/devices/system: huge pages, what is free, where it lies.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/page.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "sysfs.h"

/* --- huge pages that nobody asked for ---------------------------------------------------------------- */

static const char *const modes[] = {
	[HUGE_ALWAYS] = "always",
	[HUGE_MADVISE] = "madvise",
	[HUGE_NEVER] = "never",
};

static int
show_enabled(struct text *t, void *object)
{
	int now = READ_ONCE(huge_page_mode);

	for (int i = 0; i < (int)ARRAY_SIZE(modes); i++)
		text_print(t, i == now ? "%s[%s]" : "%s%s", i ? " " : "", modes[i]);
	text_add(t, "\n", 1);
	return 0;
}

static ssize_t
store_enabled(void *object, char *data, size_t n)
{
	size_t length = strlen(data);

	while (length && (data[length - 1] == '\n' || data[length - 1] == ' '))
		data[--length] = '\0';
	for (int i = 0; i < (int)ARRAY_SIZE(modes); i++)
		if (strcmp(data, modes[i]) == 0) {
			WRITE_ONCE(huge_page_mode, i);
			return (ssize_t)n;
		}
	return -EINVAL;
}

static int
show_huge_size(struct text *t, void *object)
{
	text_print(t, "%lu\n", HUGE_PAGE_SIZE);
	return 0;
}

/* A fault takes a huge page that is there, and never makes one by moving others. */
static int
show_defrag(struct text *t, void *object)
{
	text_print(t, "always defer defer+madvise madvise [never]\n");
	return 0;
}

static int
show_shmem(struct text *t, void *object)
{
	text_print(t, "always within_size advise [never] deny force\n");
	return 0;
}

static int
show_zero(struct text *t, void *object)
{
	text_print(t, "0\n");
	return 0;
}

static const struct sysfs_attribute transparent_attributes[] = {
	{ "enabled", 0644, .show = show_enabled, .store = store_enabled },
	{ "defrag", 0444, .show = show_defrag },
	{ "hpage_pmd_size", 0444, .show = show_huge_size },
	{ "shmem_enabled", 0444, .show = show_shmem },
	{ "use_zero_page", 0444, .show = show_zero },
	{ 0 },
};

/* --- the pool behind MAP_HUGETLB --------------------------------------------------------------------- */

static int
show_pool(struct text *t, void *object)
{
	struct huge_pool_stats s;

	huge_pool_stats(&s);
	text_print(t, "%lu\n", s.total);
	return 0;
}

static ssize_t
store_pool(void *object, char *data, size_t n)
{
	uint64_t pages;
	ssize_t r = sysfs_parse_number(data, n, INT32_MAX, &pages);

	if (r > 0)
		huge_pool_set(pages);
	return r;
}

static int
show_pool_free(struct text *t, void *object)
{
	struct huge_pool_stats s;

	huge_pool_stats(&s);
	text_print(t, "%lu\n", s.free);
	return 0;
}

static int
show_pool_surplus(struct text *t, void *object)
{
	struct huge_pool_stats s;

	huge_pool_stats(&s);
	text_print(t, "%lu\n", s.total > s.target ? s.total - s.target : 0);
	return 0;
}

static const struct sysfs_attribute pool_attributes[] = {
	{ "nr_hugepages", 0644, .show = show_pool, .store = store_pool },
	{ "free_hugepages", 0444, .show = show_pool_free },
	{ "resv_hugepages", 0444, .show = show_zero },
	{ "surplus_hugepages", 0444, .show = show_pool_surplus },
	{ "nr_overcommit_hugepages", 0444, .show = show_zero },
	{ 0 },
};

/* --- the one NUMA node ------------------------------------------------------------------------------- */

static void
kib_line(struct text *t, const char *name, uint64_t pages)
{
	text_print(t, "Node 0 %s:%*s%8lu kB\n", name, (int)(15 - strlen(name)), "", pages * (PAGE_SIZE / 1024));
}

static int
show_meminfo(struct text *t, void *object)
{
	struct huge_pool_stats pool;
	struct writeback_stats w;
	struct memory_stats m;

	memory_stats(&m);
	writeback_stats(&w);
	huge_pool_stats(&pool);
	kib_line(t, "MemTotal", m.total);
	kib_line(t, "MemFree", m.free);
	kib_line(t, "MemUsed", m.total - m.free);
	kib_line(t, "Active", m.anonymous);
	kib_line(t, "Inactive", m.cached);
	kib_line(t, "Dirty", w.dirty);
	kib_line(t, "Writeback", w.writeback);
	kib_line(t, "FilePages", m.cached);
	kib_line(t, "AnonPages", m.anonymous);
	kib_line(t, "Shmem", m.shared);
	kib_line(t, "PageTables", m.page_tables);
	kib_line(t, "Slab", m.slab);
	kib_line(t, "AnonHugePages", m.huge);
	text_print(t, "Node 0 HugePages_Total: %5lu\nNode 0 HugePages_Free:  %5lu\n", pool.total, pool.free);
	return 0;
}

/* Each frame is of the node that asked for it: there is no other. */
static int
show_numastat(struct text *t, void *object)
{
	uint64_t n = cpu_counter_sum(CPU_COUNTER(page_allocs));

	text_print(t, "numa_hit %lu\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node %lu\nother_node 0\n",
		   n, n);
	return 0;
}

static int
show_distance(struct text *t, void *object)
{
	text_print(t, "10\n");
	return 0;
}

static const struct sysfs_attribute node_attributes[] = {
	{ "meminfo", 0444, .show = show_meminfo },
	{ "numastat", 0444, .show = show_numastat },
	{ "distance", 0444, .show = show_distance },
	{ 0 },
};

/* Node 0 is all that any of these lists holds. */
static const struct sysfs_attribute nodes_attributes[] = {
	{ "possible", 0444, .show = show_zero },
	{ "online", 0444, .show = show_zero },
	{ "has_normal_memory", 0444, .show = show_zero },
	{ "has_memory", 0444, .show = show_zero },
	{ "has_cpu", 0444, .show = show_zero },
	{ 0 },
};

/* --- blocks of physical memory, as lsmem lists them -------------------------------------------------- */

#define BLOCK_SIZE (128ul << 20)
#define BLOCKS_MAX 1024 /* of 128 GiB */

/* One more than the last that exists. */
static uint64_t
blocks_end(void)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < bootinfo.memory_count; i++)
		if (bootinfo.memory[i].type == BOOT_MEMORY_USABLE)
			end = MAX(end, (bootinfo.memory[i].end - 1) / BLOCK_SIZE + 1);
	return MIN(end, (uint64_t)BLOCKS_MAX);
}

static bool
block_exists(uint64_t block)
{
	for (uint32_t i = 0; i < bootinfo.memory_count; i++) {
		const struct boot_memory *m = &bootinfo.memory[i];

		if (m->type == BOOT_MEMORY_USABLE && m->start / BLOCK_SIZE <= block && block <= (m->end - 1) / BLOCK_SIZE)
			return true;
	}
	return false;
}

static int
show_block_size(struct text *t, void *object)
{
	text_print(t, "%lx\n", BLOCK_SIZE);
	return 0;
}

static int
show_block_index(struct text *t, void *object)
{
	text_print(t, "%08lx\n", (uintptr_t)object);
	return 0;
}

static int
show_block_state(struct text *t, void *object)
{
	text_print(t, "online\n");
	return 0;
}

static int
show_one(struct text *t, void *object)
{
	text_print(t, "1\n");
	return 0;
}

static const struct sysfs_attribute blocks_attributes[] = {
	{ "block_size_bytes", 0444, .show = show_block_size },
	{ 0 },
};

static const struct sysfs_attribute block_attributes[] = {
	{ "phys_index", 0444, .show = show_block_index },
	{ "state", 0444, .show = show_block_state },
	{ "online", 0444, .show = show_one },
	{ "removable", 0444, .show = show_zero },
	{ 0 },
};

static int
add_blocks(struct sysfs_node *node)
{
	struct sysfs_node *all = sysfs_make_path("devices/system/memory"), *dir;
	int error = sysfs_add_attributes(all, blocks_attributes);
	uint64_t end = blocks_end();
	char name[16];

	for (uint64_t i = 0; i < end && !error; i++) {
		if (!block_exists(i))
			continue;
		snprintf(name, sizeof(name), "memory%lu", i);
		dir = sysfs_add_directory(all, name, (void *)i);
		error = sysfs_add_attributes(dir, block_attributes);
		if (!error)
			error = sysfs_add_link(dir, "node0", node);
		if (!error)
			error = sysfs_add_link(node, name, dir);
	}
	return error;
}

void
sysfs_add_memory(void)
{
	struct sysfs_node *node = sysfs_make_path("devices/system/node/node0");

	if (sysfs_add_attributes(sysfs_make_path("kernel/mm/transparent_hugepage"), transparent_attributes) ||
	    sysfs_add_attributes(sysfs_make_path("kernel/mm/hugepages/hugepages-2048kB"), pool_attributes) ||
	    sysfs_add_attributes(sysfs_make_path("devices/system/node"), nodes_attributes) ||
	    sysfs_add_attributes(node, node_attributes) ||
	    sysfs_add_link(sysfs_make_path("bus/node/devices"), "node0", node) || add_blocks(node))
		pr_warn("sysfs: no memory for the files about memory\n");
}
