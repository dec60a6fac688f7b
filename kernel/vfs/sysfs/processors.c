/* SPDX-License-Identifier: MIT */
/*
 * processors.c - /sys/devices/system/cpu: which CPUs there are, where they sit, what caches they share.
 *
 * What is about one CPU has as its object the CPU's number, one cache's also the cache's index; see
 * object_of(). CPUs neither come nor go once the machine is up.
 */
#include <tessera/arch.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/print.h>

#include "sysfs.h"

#define CACHES_MAX 8

/* A number is the object. */
static void *
object_of(uint32_t cpu, uint32_t cache)
{
	return (void *)(uintptr_t)(cpu << 8 | cache);
}

static uint32_t
cpu_of(void *object)
{
	return (uint32_t)(uintptr_t)object >> 8;
}

static uint64_t
all_cpus(void)
{
	return cpu_count >= 64 ? UINT64_MAX : BIT(cpu_count) - 1;
}

static uint64_t
cpus_of_package(uint32_t cpu)
{
	uint32_t package = arch_cpu_place(cpu).package;
	uint64_t set = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		if (arch_cpu_place(i).package == package)
			set |= BIT(i);
	return set;
}

static uint64_t
cpus_of_core(uint32_t cpu)
{
	struct cpu_place place = arch_cpu_place(cpu), other;
	uint64_t set = 0;

	for (uint32_t i = 0; i < cpu_count; i++) {
		other = arch_cpu_place(i);
		if (other.package == place.package && other.core == place.core)
			set |= BIT(i);
	}
	return set;
}

static void
list_line(struct text *t, uint64_t set)
{
	text_add_cpu_list(t, set);
	text_add(t, "\n", 1);
}

static void
mask_line(struct text *t, uint64_t set)
{
	text_add_cpu_mask(t, set);
	text_add(t, "\n", 1);
}

/* --- all of them ------------------------------------------------------------------------------------- */

static int
show_all(struct text *t, void *object)
{
	list_line(t, all_cpus());
	return 0;
}

static int
show_none(struct text *t, void *object)
{
	text_add(t, "\n", 1);
	return 0;
}

static int
show_kernel_max(struct text *t, void *object)
{
	text_print(t, "%d\n", MAX_CPUS - 1);
	return 0;
}

static const struct sysfs_attribute all_attributes[] = {
	{ "possible", 0444, .show = show_all },
	{ "present", 0444, .show = show_all },
	{ "online", 0444, .show = show_all },
	{ "offline", 0444, .show = show_none },
	{ "isolated", 0444, .show = show_none },
	{ "kernel_max", 0444, .show = show_kernel_max },
	{ 0 },
};

/* --- where one sits ---------------------------------------------------------------------------------- */

static int
show_package(struct text *t, void *object)
{
	text_print(t, "%u\n", arch_cpu_place(cpu_of(object)).package);
	return 0;
}

static int
show_core(struct text *t, void *object)
{
	text_print(t, "%u\n", arch_cpu_place(cpu_of(object)).core);
	return 0;
}

static int
show_die(struct text *t, void *object)
{
	text_print(t, "0\n"); /* a package is one */
	return 0;
}

static int
show_core_cpus(struct text *t, void *object)
{
	mask_line(t, cpus_of_core(cpu_of(object)));
	return 0;
}

static int
show_core_cpus_list(struct text *t, void *object)
{
	list_line(t, cpus_of_core(cpu_of(object)));
	return 0;
}

static int
show_package_cpus(struct text *t, void *object)
{
	mask_line(t, cpus_of_package(cpu_of(object)));
	return 0;
}

static int
show_package_cpus_list(struct text *t, void *object)
{
	list_line(t, cpus_of_package(cpu_of(object)));
	return 0;
}

/* The siblings are older names of the same sets. */
static const struct sysfs_attribute topology_attributes[] = {
	{ "physical_package_id", 0444, .show = show_package },
	{ "die_id", 0444, .show = show_die },
	{ "core_id", 0444, .show = show_core },
	{ "core_cpus", 0444, .show = show_core_cpus },
	{ "core_cpus_list", 0444, .show = show_core_cpus_list },
	{ "thread_siblings", 0444, .show = show_core_cpus },
	{ "thread_siblings_list", 0444, .show = show_core_cpus_list },
	{ "die_cpus", 0444, .show = show_package_cpus },
	{ "die_cpus_list", 0444, .show = show_package_cpus_list },
	{ "package_cpus", 0444, .show = show_package_cpus },
	{ "package_cpus_list", 0444, .show = show_package_cpus_list },
	{ "core_siblings", 0444, .show = show_package_cpus },
	{ "core_siblings_list", 0444, .show = show_package_cpus_list },
	{ 0 },
};

/* --- its caches -------------------------------------------------------------------------------------- */

static bool
cache_of(void *object, struct cpu_cache *c)
{
	return arch_cpu_cache(cpu_of(object), (uint32_t)(uintptr_t)object & 0xff, c);
}

#define CACHE_NUMBER(function, format, value)                                                      \
	static int function(struct text *t, void *object)                                          \
	{                                                                                          \
		struct cpu_cache c;                                                                \
                                                                                                   \
		if (cache_of(object, &c))                                                          \
			text_print(t, format "\n", value);                                         \
		return 0;                                                                          \
	}

CACHE_NUMBER(show_level, "%u", c.level)
CACHE_NUMBER(show_size, "%uK", c.size >> 10)
CACHE_NUMBER(show_line, "%u", c.line)
CACHE_NUMBER(show_ways, "%u", c.ways)
CACHE_NUMBER(show_sets, "%u", c.sets)
CACHE_NUMBER(show_partitions, "%u", c.partitions)
CACHE_NUMBER(show_type, "%s", c.type == 'D' ? "Data" : c.type == 'I' ? "Instruction" : "Unified")

static int
show_shared_map(struct text *t, void *object)
{
	struct cpu_cache c;

	if (cache_of(object, &c))
		mask_line(t, c.shared);
	return 0;
}

static int
show_shared_list(struct text *t, void *object)
{
	struct cpu_cache c;

	if (cache_of(object, &c))
		list_line(t, c.shared);
	return 0;
}

static const struct sysfs_attribute cache_attributes[] = {
	{ "level", 0444, .show = show_level },
	{ "type", 0444, .show = show_type },
	{ "size", 0444, .show = show_size },
	{ "coherency_line_size", 0444, .show = show_line },
	{ "ways_of_associativity", 0444, .show = show_ways },
	{ "number_of_sets", 0444, .show = show_sets },
	{ "physical_line_partition", 0444, .show = show_partitions },
	{ "shared_cpu_map", 0444, .show = show_shared_map },
	{ "shared_cpu_list", 0444, .show = show_shared_list },
	{ 0 },
};

static void
add_caches(struct sysfs_node *cpu, uint32_t id)
{
	struct sysfs_node *dir = NULL;
	struct cpu_cache c;
	char name[16];

	for (uint32_t i = 0; i < CACHES_MAX && arch_cpu_cache(id, i, &c); i++) {
		if (!dir)
			dir = sysfs_add_directory(cpu, "cache", NULL);
		if (!dir)
			return;
		snprintf(name, sizeof(name), "index%u", i);
		sysfs_add_attributes(sysfs_add_directory(dir, name, object_of(id, i)), cache_attributes);
	}
}

/* --- the NUMA node of all memory and CPUs ------------------------------------------------------------ */

static int
show_map(struct text *t, void *object)
{
	mask_line(t, all_cpus());
	return 0;
}

static const struct sysfs_attribute node_attributes[] = {
	{ "cpumap", 0444, .show = show_map },
	{ "cpulist", 0444, .show = show_all },
	{ 0 },
};

void
sysfs_add_processors(void)
{
	struct sysfs_node *all = sysfs_make_path("devices/system/cpu");
	struct sysfs_node *node = sysfs_make_path("devices/system/node/node0");
	struct sysfs_node *bus = sysfs_make_path("bus/cpu/devices");
	char name[16];
	int error = sysfs_add_attributes(all, all_attributes);

	if (!error)
		error = sysfs_add_attributes(node, node_attributes);
	for (uint32_t i = 0; i < cpu_count && !error; i++) {
		struct sysfs_node *cpu;

		snprintf(name, sizeof(name), "cpu%u", i);
		cpu = sysfs_add_directory(all, name, object_of(i, 0));
		if (!cpu) {
			error = -1;
			break;
		}
		error = sysfs_add_attributes(sysfs_add_directory(cpu, "topology", object_of(i, 0)),
					     topology_attributes);
		add_caches(cpu, i);
		sysfs_add_link(cpu, "node0", node);
		sysfs_add_link(cpu, "subsystem", sysfs_make_path("bus/cpu"));
		sysfs_add_link(node, name, cpu);
		sysfs_add_link(bus, name, cpu);
	}
	if (error)
		pr_warn("sysfs: no memory for the CPUs\n");
}
