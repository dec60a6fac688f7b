/* SPDX-License-Identifier: MIT */
/*
 * trace.c - the rings that events are recorded in, and their switches.
 *
 * Each CPU has a ring of records of one size; only that CPU writes it. `head` counts all that were ever
 * written, and record number p lies in slot p % size, so the oldest make room.
 *
 * Writing, with interrupts off for its length:
 *	(1) draw a position by one add to head. The instruction is whole as seen from this CPU, so an NMI
 *	    that comes in between draws another: writers nest and never share a slot
 *	(2) sequence = 0: whoever reads sees that the record is not whole
 *	(3) fill it
 *	(4) sequence = position + 1
 * Reading, on any CPU, while writing goes on: copy the record between two looks at its sequence; both
 * must be position + 1, else it was overwritten, and the reader goes on at what is still there.
 *
 * Rings are made when recording is first switched on and freed when it is switched off for good; a CPU
 * reaches its own by cpu->trace. Taking one away: clear the pointer, then have every CPU pass through
 * an interrupt, which none does while it is inside (1) to (4).
 *
 * Locks: trace_lock (SLEEP_LEAF) for the switches and against the rings going away under a reader. In
 * the emitter there is none, and no call that the emitter's own hooks could lead back here.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/latency.h>
#include <tessera/lock.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/trace.h>

#define SIZE_DEFAULT 8192u
#define SIZE_MIN     16u
#define SIZE_MAX_    (1u << 20)

/* [s] the CPU itself, interrupts off; others read */
struct trace_ring {
	uint64_t head;
	uint64_t start; /* [t] trace_clear(): what is before is forgotten */
	uint64_t mask;  /* [I] */
	struct trace_record slot[];
};

uint32_t trace_on;

static struct mutex trace_lock = MUTEX_INIT(trace_lock, SLEEP_LEAF); /* [t] */
static uint32_t ring_size = SIZE_DEFAULT;                            /* [t] records per CPU */
static uint64_t generation;                                          /* [t] */
static bool made;                                                    /* [t] there are rings */
static uint64_t counts[MAX_CPUS][TRACE_EVENT_COUNT];                 /* [s] */

/* --- writing ------------------------------------------------------------------------------------- */

static uint64_t
now(void)
{
	uint64_t ns = arch_clock_ns();

	return likely(ns) ? ns : TRACE_RAW_TIME | arch_cycles();
}

static void
fill(struct trace_record *r, struct cpu *c, uint32_t event, const uint64_t *words, uint32_t n)
{
	r->time = now();
	r->tid = c->current ? (uint32_t)c->current->tid : 0;
	r->event = (uint16_t)event;
	r->cpu = (uint8_t)c->id;
	r->depth = (uint8_t)c->irq_depth;
	for (uint32_t i = 0; i < TRACE_WORDS; i++)
		r->word[i] = i < n ? words[i] : 0;
}

void __noinline
trace_write(uint32_t event, const uint64_t *words, uint32_t n)
{
	uint64_t flags = arch_irq_save_quiet();
	struct cpu *c = this_cpu();
	struct trace_ring *ring = READ_ONCE(c->trace);

	if (likely(ring)) {
		uint64_t position = arch_local_fetch_add(&ring->head, 1);       /* (1) */
		struct trace_record *r = &ring->slot[position & ring->mask];

		WRITE_ONCE(r->sequence, 0);                                     /* (2) */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		fill(r, c, event, words, n);                                    /* (3) */
		atomic_store_release(&r->sequence, position + 1);               /* (4) */
		arch_local_fetch_add(&counts[c->id][event], 1);
	}
	arch_irq_restore_quiet(flags);
}

/* --- switches ------------------------------------------------------------------------------------- */

static void
pass(void *unused)
{
}

void
trace_synchronize(void)
{
	if (!sched_online_mask)
		return;
	preempt_disable();
	arch_call_cpus(~0ull, pass, NULL);
	preempt_enable();
}

static struct trace_ring *
ring_create(void)
{
	struct trace_ring *ring = vmalloc(sizeof(*ring) + ring_size * sizeof(ring->slot[0]));

	if (ring)
		ring->mask = ring_size - 1;
	return ring;
}

/* trace_lock held: nobody records. */
static void
free_rings(void)
{
	struct trace_ring *ring[MAX_CPUS] = { 0 };
	struct cpu *c;

	for_each_cpu(c)
		ring[c->id] = atomic_exchange(&c->trace, NULL);
	trace_synchronize();
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		vfree(ring[i]);
	made = false;
	generation++;
}

/* trace_lock held. */
static int
make_rings(void)
{
	struct cpu *c;

	if (made)
		return 0;
	for_each_cpu(c) {
		struct trace_ring *ring = ring_create();

		if (!ring) {
			free_rings();
			return -ENOMEM;
		}
		atomic_store_release(&c->trace, ring);
	}
	made = true;
	generation++;
	return 0;
}

/* trace_lock held. */
static void
set_classes(uint32_t bits)
{
	atomic_or(&trace_on, bits);
	atomic_and(&trace_on, bits | ~TRACE_ALL);
}

int
trace_enable(uint32_t bits)
{
	int error = 0;

	mutex_lock(&trace_lock);
	if (bits)
		error = make_rings();
	if (!error)
		set_classes(bits);
	mutex_unlock(&trace_lock);
	return error;
}

void
trace_free(void)
{
	mutex_lock(&trace_lock);
	set_classes(0);
	if (made)
		free_rings();
	mutex_unlock(&trace_lock);
}

void
trace_clear(void)
{
	struct cpu *c;

	mutex_lock(&trace_lock);
	for_each_cpu(c) {
		struct trace_ring *ring = c->trace;

		if (ring)
			WRITE_ONCE(ring->start, READ_ONCE(ring->head));
	}
	mutex_unlock(&trace_lock);
}

/* The power of two that holds `records`; 0: that is not a size. */
static uint32_t
rounded_size(uint32_t records)
{
	uint32_t size = SIZE_MIN;

	if (records < SIZE_MIN || records > SIZE_MAX_)
		return 0;
	while (size < records)
		size *= 2;
	return size;
}

int
trace_set_size(uint32_t records)
{
	uint32_t size = rounded_size(records);
	int error = 0;

	if (!size)
		return -EINVAL;
	mutex_lock(&trace_lock);
	if (trace_on & TRACE_ALL) {
		error = -EBUSY;
	} else {
		if (made)
			free_rings();
		ring_size = size;
	}
	mutex_unlock(&trace_lock);
	return error;
}

uint32_t
trace_size(void)
{
	return READ_ONCE(ring_size);
}

#define CLASS_NAME(class, name) [TRACE_CLASS_##class] = name,
static const char *const class_names[TRACE_CLASS_COUNT] = { TRACE_CLASSES(CLASS_NAME) };
#undef CLASS_NAME

const char *
trace_class_name(unsigned int class)
{
	return class < TRACE_CLASS_COUNT ? class_names[class] : "?";
}

static bool
separates(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

static bool
class_bits(const char *word, size_t length, uint32_t *bits)
{
	if (length == 3 && !memcmp(word, "all", 3)) {
		*bits = TRACE_ALL;
		return true;
	}
	for (uint32_t i = 0; i < TRACE_CLASS_COUNT; i++)
		if (strlen(class_names[i]) == length && !memcmp(word, class_names[i], length)) {
			*bits = 1u << i;
			return true;
		}
	*bits = 0;
	return length == 4 && !memcmp(word, "none", 4);
}

bool
trace_parse(const char *list, uint32_t present, uint32_t *out)
{
	uint32_t set = 0, bits;
	bool first = true;

	/* A list that begins with a sign changes what is; any other is the whole. */
	while (*list) {
		const char *word = list;
		char sign = 0;

		if (separates(*list)) {
			list++;
			continue;
		}
		if (*word == '+' || *word == '-')
			sign = *word++;
		if (first && sign)
			set = present & TRACE_ALL;
		first = false;
		for (list = word; *list && !separates(*list); list++)
			;
		if (!class_bits(word, (size_t)(list - word), &bits))
			return false;
		set = sign == '-' ? set & ~bits : set | bits;
	}
	*out = set;
	return true;
}

/* Called with interrupts still off, by the only CPU: it takes no lock that could sleep. */
void
trace_init(void)
{
	char value[128];
	uint32_t bits, size = 0;

	if (config_latency)
		latency_enable(true);
	if (!boot_argument("trace", value, sizeof(value)))
		return;
	if (!trace_parse(value, 0, &bits)) {
		pr_warn("trace=%s: not a list of classes\n", value);
		return;
	}
	if (boot_argument("trace_size", value, sizeof(value))) {
		for (const char *p = value; *p >= '0' && *p <= '9' && size < SIZE_MAX_; p++)
			size = size * 10 + (uint32_t)(*p - '0');
		if (rounded_size(size))
			ring_size = rounded_size(size);
		else
			pr_warn("trace_size=%s: not from %u to %u\n", value, SIZE_MIN, SIZE_MAX_);
	}
	if (make_rings())
		pr_warn("trace: no memory for the rings\n");
	else
		set_classes(bits);
}

/* The others come up one at a time, and nobody switches meanwhile: boot has no programs yet. */
int
trace_init_cpu(struct cpu *c)
{
	if (!made)
		return 0;
	c->trace = ring_create();
	return c->trace ? 0 : -ENOMEM;
}

/* --- reading --------------------------------------------------------------------------------------- */

uint64_t
trace_read_lock(void)
{
	mutex_lock(&trace_lock);
	return generation;
}

void
trace_read_unlock(void)
{
	mutex_unlock(&trace_lock);
}

static const struct trace_ring *
ring_of(uint32_t cpu)
{
	return cpu < cpu_count && cpus[cpu] ? atomic_load(&cpus[cpu]->trace) : NULL;
}

/* The oldest position that may still be there. */
static uint64_t
oldest(const struct trace_ring *ring, uint64_t head)
{
	uint64_t start = READ_ONCE(ring->start), size = ring->mask + 1;

	return head - start > size ? head - size : start;
}

void
trace_cursor_begin(struct trace_cursor *at, uint32_t cpu)
{
	const struct trace_ring *ring = ring_of(cpu);

	*at = (struct trace_cursor){ .cpu = cpu };
	if (ring) {
		at->next = READ_ONCE(ring->start);
		at->end = atomic_load(&ring->head);
	}
}

/* False: it has been, or is being, overwritten. */
static bool
copy_record(const struct trace_ring *ring, uint64_t position, struct trace_record *out)
{
	const struct trace_record *r = &ring->slot[position & ring->mask];

	if (atomic_load(&r->sequence) != position + 1)
		return false;
	memcpy(out, r, sizeof(*out));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return READ_ONCE(r->sequence) == position + 1;
}

bool
trace_cursor_next(struct trace_cursor *at, struct trace_record *out)
{
	const struct trace_ring *ring = ring_of(at->cpu);
	uint64_t lost = 0;

	while (ring && at->next < at->end) {
		uint64_t first = oldest(ring, atomic_load(&ring->head));

		if (first > at->next) {
			lost += MIN(first, at->end) - at->next;
			at->next = MIN(first, at->end);
			continue;
		}
		if (copy_record(ring, at->next, out)) {
			if (lost)
				break; /* said first; it is copied again */
			at->next++;
			return true;
		}
		at->next++;
		lost++;
	}
	if (!lost)
		return false;
	*out = (struct trace_record){ .event = TRACE_LOST, .cpu = (uint8_t)at->cpu, .word = { lost } };
	return true;
}

uint64_t
trace_recorded(void)
{
	uint64_t sum = 0;
	struct cpu *c;

	for_each_cpu(c) {
		const struct trace_ring *ring = c->trace;

		if (ring)
			sum += READ_ONCE(ring->head) - READ_ONCE(ring->start);
	}
	return sum;
}

uint64_t
trace_lost(void)
{
	uint64_t sum = 0;
	struct cpu *c;

	for_each_cpu(c) {
		const struct trace_ring *ring = c->trace;

		if (ring)
			sum += oldest(ring, READ_ONCE(ring->head)) - READ_ONCE(ring->start);
	}
	return sum;
}

uint64_t
trace_event_count(unsigned int event)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < MAX_CPUS; i++)
		sum += READ_ONCE(counts[i][event]);
	return sum;
}
