/* SPDX-License-Identifier: MIT */
/*
 * trace_text.c - records as text, by the table of events. Takes no locks and allocates nothing: it
 * also runs in the debugger and in a panic, over rings that were left in the middle of something.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/syscall.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#define F_(k, f) { #k, #f }
#define INFO(class, event, n, ...) [TRACE_EVENT_##event] = { #event, TRACE_CLASS_##class, n, { __VA_ARGS__ } },
#define EVENT1(c, e, k1, f1) INFO(c, e, 1, F_(k1, f1))
#define EVENT2(c, e, k1, f1, k2, f2) INFO(c, e, 2, F_(k1, f1), F_(k2, f2))
#define EVENT3(c, e, k1, f1, k2, f2, k3, f3) INFO(c, e, 3, F_(k1, f1), F_(k2, f2), F_(k3, f3))
#define EVENT4(c, e, k1, f1, k2, f2, k3, f3, k4, f4)                                               \
	INFO(c, e, 4, F_(k1, f1), F_(k2, f2), F_(k3, f3), F_(k4, f4))
#define EVENT5(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5)                                       \
	INFO(c, e, 5, F_(k1, f1), F_(k2, f2), F_(k3, f3), F_(k4, f4), F_(k5, f5))
#define EVENT6(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5, k6, f6)                               \
	INFO(c, e, 6, F_(k1, f1), F_(k2, f2), F_(k3, f3), F_(k4, f4), F_(k5, f5), F_(k6, f6))
#define EVENT7(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5, k6, f6, k7, f7)                       \
	INFO(c, e, 7, F_(k1, f1), F_(k2, f2), F_(k3, f3), F_(k4, f4), F_(k5, f5), F_(k6, f6),      \
	     F_(k7, f7))
const struct trace_event_info trace_events[TRACE_EVENT_COUNT] = {
	[TRACE_EVENT_lost] = { "lost", TRACE_CLASS_COUNT, 1, { { "DEC", "records" } } },
#include <tessera/trace_events.h>
};

struct line {
	char *out;
	size_t size, used;
};

static void __printf(2, 3)
add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	if (l->used >= l->size)
		return;
	va_start(args, format);
	n = vsnprintf(l->out + l->used, l->size - l->used, format, args);
	va_end(args);
	l->used = MIN(l->used + (size_t)n, l->size - 1);
}

static void
add_access(struct line *l, unsigned int access)
{
	add(l, "%s%s%s", access & FAULT_WRITE ? "write" : access & FAULT_EXEC ? "exec" : "read",
	    access & FAULT_USER ? " by user" : "", access & FAULT_PRESENT ? " of present" : "");
}

static void
add_state(struct line *l, uint64_t state)
{
	static const char *const names[] = { "new", "runnable", "sleeping", "stopped", "dead" };

	add(l, "%s", state < ARRAY_SIZE(names) ? names[state] : "?");
}

static void
add_name(struct line *l, const uint64_t *word)
{
	char name[17] = { 0 };

	memcpy(name, word, 16);
	for (char *p = name; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	add(l, "%s", name);
}

static void
add_call(struct line *l, uint64_t number)
{
	const char *name = number <= UINT32_MAX ? syscall_name((unsigned int)number) : NULL;

	if (name)
		add(l, "%s", name);
	else
		add(l, "%ld", (long)number);
}

/* One field; returns how many words it had. The first letters of the kinds' names tell most apart. */
static unsigned int
add_field(struct line *l, const char *kind, const uint64_t *word)
{
	char where[80];

	if (!strcmp(kind, "NAME")) {
		add_name(l, word);
		return 2;
	}
	if (!strcmp(kind, "HEX"))
		add(l, "%#lx", *word);
	else if (!strcmp(kind, "STATE"))
		add_state(l, *word);
	else if (!strcmp(kind, "CALL"))
		add_call(l, *word);
	else if (!strcmp(kind, "ACCESS"))
		add_access(l, (unsigned int)*word);
	else if (!strcmp(kind, "PC"))
		add(l, "%s", symbol_format(*word, where, sizeof(where)));
	else if (!strcmp(kind, "LOCK"))
		add(l, "%s", lock_class_name((uint32_t)*word));
	else if (!strcmp(kind, "NS"))
		add(l, "%lu.%03luus", *word / 1000, *word % 1000);
	else
		add(l, "%ld", (long)*word);
	return 1;
}

uint64_t
trace_time_ns(const struct trace_record *r)
{
	return r->time & TRACE_RAW_TIME ? arch_clock_at(r->time & ~TRACE_RAW_TIME) : r->time;
}

size_t
trace_format(const struct trace_record *r, char *out, size_t size)
{
	const struct trace_event_info *info =
		&trace_events[r->event < TRACE_EVENT_COUNT ? r->event : TRACE_LOST];
	uint64_t time = trace_time_ns(r);
	struct line l = { out, size, 0 };
	unsigned int word = 0;

	out[0] = '\0';
	add(&l, "%5lu.%06lu.%03lu  cpu %-2u tid %-5u %s%-14s", time / NSEC_PER_SEC,
	    time / 1000 % 1000000, time % 1000, r->cpu, r->tid, r->depth ? "+ " : "  ", info->name);
	for (unsigned int i = 0; i < info->fields && word < TRACE_WORDS; i++) {
		add(&l, " %s=", info->field[i].name);
		word += add_field(&l, info->field[i].kind, &r->word[word]);
	}
	return l.used;
}

/* --- the last records of all CPUs ------------------------------------------------------------------ */

/*
 * Two walks with one cursor per CPU, merged by time: back from the ends for `n` records, which finds
 * where each CPU's share begins; then forward. Records that are written meanwhile are not seen.
 */
struct merge {
	struct trace_cursor at[MAX_CPUS];
	uint64_t low[MAX_CPUS];    /* the oldest record to show */
	struct trace_record ahead; /* the record under a cursor, read again as need be */
};

/* Record number `position` of the CPU. */
static bool
look(struct merge *m, uint32_t cpu, uint64_t position)
{
	struct trace_cursor one = { .cpu = cpu, .next = position, .end = position + 1 };

	return trace_cursor_next(&one, &m->ahead) && m->ahead.event != TRACE_LOST;
}

/* Step back over the youngest record before the cursors. */
static bool
step_back(struct merge *m)
{
	uint64_t latest = 0;
	uint32_t best = MAX_CPUS;

	for (uint32_t i = 0; i < cpu_count; i++) {
		while (m->at[i].next > m->low[i] && !look(m, i, m->at[i].next - 1))
			m->at[i].next--; /* torn, or overwritten: as if it were not there */
		if (m->at[i].next > m->low[i] && trace_time_ns(&m->ahead) >= latest) {
			latest = trace_time_ns(&m->ahead);
			best = i;
		}
	}
	if (best == MAX_CPUS)
		return false;
	m->at[best].next--;
	return true;
}

static bool
step_forward(struct merge *m, struct trace_record *out)
{
	uint64_t earliest = UINT64_MAX;
	uint32_t best = MAX_CPUS;

	for (uint32_t i = 0; i < cpu_count; i++) {
		while (m->at[i].next < m->at[i].end && !look(m, i, m->at[i].next))
			m->at[i].next++;
		if (m->at[i].next < m->at[i].end && trace_time_ns(&m->ahead) < earliest) {
			earliest = trace_time_ns(&m->ahead);
			best = i;
			*out = m->ahead;
		}
	}
	if (best == MAX_CPUS)
		return false;
	m->at[best].next++;
	return true;
}

void
trace_tail(unsigned int n, void (*fn)(void *ctx, const char *line), void *ctx)
{
	/* Too large for a stack; a second one for a panic in the middle of the first. */
	static struct merge walks[2];
	static bool taken[2]; /* [a] */
	struct trace_record r;
	uint32_t mine = 0;
	char text[240];
	struct merge *m;

	while (mine < ARRAY_SIZE(walks) && atomic_exchange(&taken[mine], true))
		mine++;
	if (mine == ARRAY_SIZE(walks))
		return;
	m = &walks[mine];
	for (uint32_t i = 0; i < cpu_count; i++) {
		uint64_t end, size = trace_size();

		trace_cursor_begin(&m->at[i], i);
		end = m->at[i].end;
		m->low[i] = MAX(m->at[i].next, end > size ? end - size : 0);
		m->at[i].next = end;
	}
	for (unsigned int i = 0; i < n && step_back(m); i++)
		;
	for (unsigned int i = 0; i < n && step_forward(m, &r); i++) {
		trace_format(&r, text, sizeof(text));
		fn(ctx, text);
	}
	atomic_store(&taken[mine], false);
}

static void
to_log(void *unused, const char *line)
{
	pr_err("%s\n", line);
}

void
trace_print_tail(unsigned int n)
{
	if (trace_recorded() == 0)
		return;
	pr_err("the last events, of %lu recorded:\n", trace_recorded());
	trace_tail(n, to_log, NULL);
}
