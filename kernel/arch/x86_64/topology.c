/* SPDX-License-Identifier: MIT */
/*
 * topology.c - where CPUs sit, and what caches they share: from the parts of their APIC ids.
 *
 * An APIC id is package, core and thread in adjoining bits; CPUID says how many bits each has: leaf 0xb where
 * there is one; leaf 0x80000008 on AMD's processors without it; else leaves 1 and 4. A cache belongs to the
 * CPUs whose ids agree above a number of bits, of leaf 4 or, on AMD's, 0x8000001d (SDM volume 2, CPUID; APM
 * volume 3, appendix E). AMD's without that describe their caches in 0x80000005 and 6.
 *
 * All CPUs are taken to be alike, so that the one that runs this may speak for the others.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/string.h>

#include "features.h"
#include "msr.h"

#define ECX_TOPOEXT BIT(22) /* leaf 0x80000001 */

static bool
is_amd(void)
{
	return strcmp(cpu_features.vendor, "AuthenticAMD") == 0 || strcmp(cpu_features.vendor, "HygonGenuine") == 0;
}

static bool
has_topoext(void)
{
	return is_amd() && cpu_features.max_extended_leaf >= 0x8000001e &&
	       (cpuid_read(0x80000001, 0).ecx & ECX_TOPOEXT);
}

/* The number of bits that number `count` things. */
static uint32_t
bits_for(uint32_t count)
{
	uint32_t bits = 0;

	while (bits < 31 && BIT(bits) < count)
		bits++;
	return bits;
}

/* How many low bits of an APIC id number threads of a core, and cores and threads of a package. */
static void
id_bits(uint32_t *thread, uint32_t *package)
{
	struct cpuid r;

	*thread = 0;
	if (cpu_features.max_leaf >= 0xb && (!is_amd() || has_topoext()) && cpuid_read(0xb, 0).ebx) {
		*thread = cpuid_read(0xb, 0).eax & 31;
		*package = cpuid_read(0xb, 1).eax & 31;
		return;
	}
	if (is_amd() && cpu_features.max_extended_leaf >= 0x80000008) {
		r = cpuid_read(0x80000008, 0);
		*package = r.ecx >> 12 & 15 ? r.ecx >> 12 & 15 : bits_for((r.ecx & 0xff) + 1);
		return;
	}
	r = cpuid_read(1, 0);
	*package = bits_for(r.edx & BIT(28) ? r.ebx >> 16 & 0xff : 1);
	if (cpu_features.max_leaf >= 4)
		*thread = *package - MIN(*package, bits_for((cpuid_read(4, 0).eax >> 26) + 1));
}

struct cpu_place
arch_cpu_place(uint32_t cpu_id)
{
	uint32_t id = cpus[cpu_id]->arch.apic_id, thread, package;

	id_bits(&thread, &package);
	return (struct cpu_place){ .package = id >> package, .core = (id & (uint32_t)(BIT(package) - 1)) >> thread };
}

static uint64_t
sharing(uint32_t cpu_id, uint32_t bits)
{
	uint32_t id = cpus[cpu_id]->arch.apic_id >> bits;
	uint64_t set = 0;

	for (uint32_t i = 0; i < cpu_count; i++)
		if (cpus[i]->arch.apic_id >> bits == id)
			set |= BIT(i);
	return set;
}

/* Leaf 4, which 0x8000001d has the form of. */
static bool
cache_of_leaf(uint32_t leaf, uint32_t cpu_id, uint32_t index, struct cpu_cache *out)
{
	struct cpuid r = cpuid_read(leaf, index);
	uint32_t type = r.eax & 31;

	if (type == 0 || type > 3)
		return false;
	*out = (struct cpu_cache){
		.level = r.eax >> 5 & 7,
		.type = " DIU"[type],
		.line = (r.ebx & 0xfff) + 1,
		.partitions = (r.ebx >> 12 & 0x3ff) + 1,
		.ways = (r.ebx >> 22) + 1,
		.sets = r.ecx + 1,
		.shared = sharing(cpu_id, bits_for((r.eax >> 14 & 0xfff) + 1)),
	};
	out->size = out->line * out->partitions * out->ways * out->sets;
	return true;
}

/* How many ways the four bits of 0x80000006 stand for; 0: fully associative, or no cache. */
static uint32_t
ways_of(uint32_t code)
{
	static const uint8_t ways[16] = { [1] = 1, [2] = 2, [4] = 4, [6] = 8, [8] = 16, [10] = 32, [11] = 48,
					  [12] = 64, [13] = 96, [14] = 128 };

	return ways[code];
}

/* Leaves 0x80000005 and 6: two first-level caches, a second one, maybe a third that the package shares. */
static bool
cache_of_amd(uint32_t cpu_id, uint32_t index, struct cpu_cache *out)
{
	struct cpuid first = cpuid_read(0x80000005, 0), more = cpuid_read(0x80000006, 0);
	uint32_t v = index == 0 ? first.ecx : first.edx, thread, package;

	id_bits(&thread, &package);
	*out = (struct cpu_cache){ .partitions = 1, .shared = sharing(cpu_id, thread) };
	if (index < 2) {
		out->level = 1;
		out->type = index == 0 ? 'D' : 'I';
		out->size = (v >> 24) << 10;
		out->ways = v >> 16 & 0xff;
		out->line = v & 0xff;
	} else if (index == 2) {
		out->level = 2;
		out->type = 'U';
		out->size = (more.ecx >> 16) << 10;
		out->ways = ways_of(more.ecx >> 12 & 15);
		out->line = more.ecx & 0xff;
	} else if (index == 3) {
		out->level = 3;
		out->type = 'U';
		out->size = (more.edx >> 18) << 19;
		out->ways = ways_of(more.edx >> 12 & 15);
		out->line = more.edx & 0xff;
		out->shared = sharing(cpu_id, package);
	}
	if (!out->size || !out->ways || !out->line)
		return false;
	out->sets = out->size / out->line / out->ways;
	return true;
}

bool
arch_cpu_cache(uint32_t cpu_id, uint32_t index, struct cpu_cache *out)
{
	if (has_topoext())
		return cache_of_leaf(0x8000001d, cpu_id, index, out);
	if (is_amd())
		return cpu_features.max_extended_leaf >= 0x80000006 && cache_of_amd(cpu_id, index, out);
	return cpu_features.max_leaf >= 4 && cache_of_leaf(4, cpu_id, index, out);
}
