/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what happens in the kernel, recorded as it happens; off until somebody asks.
 *
 * trace_EVENT(fields...) stands where the event happens. Off, it is one load of trace_on and a branch
 * not taken. On, it writes a record into the CPU's ring: no lock, no memory, any context, also an NMI
 * that strikes another writer. The table of events is trace_events.h; debug/trace.c tells how a ring
 * works, docs/debugging.md how to use it.
 *
 * trace_on also holds the switches of the other things that look at hot paths: lock statistics
 * (lock_stat.h) and the record of the longest times without interrupts or preemption (latency.h), so
 * that a path asks one word only.
 */
#ifndef TESSERA_TRACE_H
#define TESSERA_TRACE_H

#include <tessera/trace_switch.h>
#include <tessera/types.h>

struct cpu;

/* The classes, each a bit of trace_on that has events. */
#define TRACE_CLASSES(C)                                                                           \
	C(SCHED, "sched")                                                                          \
	C(SYSCALL, "syscall")                                                                      \
	C(FAULT, "fault")                                                                          \
	C(IRQ, "irq")                                                                              \
	C(LOCK, "lock")                                                                            \
	C(TLB, "tlb")                                                                              \
	C(MM, "mm")                                                                                \
	C(TIMER, "timer")

#define TRACE_CLASS_NUMBER(class, name) TRACE_CLASS_##class,
enum trace_class { TRACE_CLASSES(TRACE_CLASS_NUMBER) TRACE_CLASS_COUNT };
#undef TRACE_CLASS_NUMBER

_Static_assert(TRACE_LOCK_EVENTS == 1u << TRACE_CLASS_LOCK, "locks ask for their class by this name");

#define TRACE_ALL ((1u << TRACE_CLASS_COUNT) - 1)

/* --- records ---------------------------------------------------------------------------------- */

#define TRACE_WORDS 7

/*
 * One record, the same in memory and in a dump.
 *
 *	offset  size
 *	0       8     time, monotonic ns; with TRACE_RAW_TIME set: cycles, before there was a clock
 *	8       8     which record of its CPU: position + 1; 0 while it is written
 *	16      4     thread
 *	20      2     event
 *	22      1     CPU
 *	23      1     interrupts nested
 *	24      56    fields
 */
struct trace_record {
	uint64_t time;
	uint64_t sequence;
	uint32_t tid;
	uint16_t event;
	uint8_t cpu;
	uint8_t depth;
	uint64_t word[TRACE_WORDS];
};
_Static_assert(sizeof(struct trace_record) == 80, "trace record");

#define TRACE_RAW_TIME BIT(63)
#define TRACE_LOST     0u /* event number of what a reader puts where records were overwritten */

/* --- kinds of fields: the C type, and the words ------------------------------------------------ */

#define TRACE_TYPE_DEC    long         /* a number */
#define TRACE_TYPE_HEX    uint64_t     /* an address, a set of bits */
#define TRACE_TYPE_TID    int          /* a thread */
#define TRACE_TYPE_STATE  unsigned int /* enum thread_state */
#define TRACE_TYPE_NAME   const char * /* 16 bytes */
#define TRACE_TYPE_CALL   uint64_t     /* a system call's number */
#define TRACE_TYPE_RESULT long         /* a number or a negative errno */
#define TRACE_TYPE_ACCESS unsigned int /* FAULT_* */
#define TRACE_TYPE_PC     vaddr_t      /* code */
#define TRACE_TYPE_LOCK   unsigned int /* enum lock_class */
#define TRACE_TYPE_NS     uint64_t     /* a duration */

#define TRACE_PUT_DEC(v)    (uint64_t)(v)
#define TRACE_PUT_HEX(v)    (v)
#define TRACE_PUT_TID(v)    (uint64_t)(uint32_t)(v)
#define TRACE_PUT_STATE(v)  (v)
#define TRACE_PUT_NAME(v)   trace_name_word(v, 0), trace_name_word(v, 8)
#define TRACE_PUT_CALL(v)   (v)
#define TRACE_PUT_RESULT(v) (uint64_t)(v)
#define TRACE_PUT_ACCESS(v) (v)
#define TRACE_PUT_PC(v)     (v)
#define TRACE_PUT_LOCK(v)   (v)
#define TRACE_PUT_NS(v)     (v)

static inline uint64_t
trace_name_word(const char *name, unsigned int at)
{
	uint64_t word;

	__builtin_memcpy(&word, name + at, sizeof(word));
	return word;
}

/* Event numbers: TRACE_EVENT_sched_switch ... */
#define EVENT1(class, event, ...) TRACE_EVENT_##event,
#define EVENT2 EVENT1
#define EVENT3 EVENT1
#define EVENT4 EVENT1
#define EVENT5 EVENT1
#define EVENT6 EVENT1
#define EVENT7 EVENT1
enum trace_event {
	TRACE_EVENT_lost = TRACE_LOST,
#include <tessera/trace_events.h>
	TRACE_EVENT_COUNT
};
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT4
#undef EVENT5
#undef EVENT6
#undef EVENT7

/* What an emitter does once its class is on. */
void trace_write(uint32_t event, const uint64_t *words, uint32_t n);

/* What is done when the class is on stands apart: who emits pays for no stack frame and no guard. */
#define TRACE_EMITTER(class, event, types, names, puts)                                            \
	static __cold __noinline __unused void trace_emit_##event types                            \
	{                                                                                          \
		const uint64_t words_[] = { puts };                                                \
		_Static_assert(ARRAY_SIZE(words_) <= TRACE_WORDS, "words of an event");            \
		trace_write(TRACE_EVENT_##event, words_, ARRAY_SIZE(words_));                      \
	}                                                                                          \
	static __always_inline void trace_##event types                                            \
	{                                                                                          \
		if (trace_watches(1u << TRACE_CLASS_##class))                                      \
			trace_emit_##event names;                                                  \
	}
#define T_(k, f) TRACE_TYPE_##k f
#define P_(k, f) TRACE_PUT_##k(f)
#define PUTS_(...) __VA_ARGS__
#define EVENT1(c, e, k1, f1)                                                                       \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1)),                                                                \
		      (f1),                                                                        \
		      PUTS_(P_(k1, f1)))
#define EVENT2(c, e, k1, f1, k2, f2)                                                               \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2)),                                                    \
		      (f1, f2),                                                                    \
		      PUTS_(P_(k1, f1), P_(k2, f2)))
#define EVENT3(c, e, k1, f1, k2, f2, k3, f3)                                                       \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2), T_(k3, f3)),                                        \
		      (f1, f2, f3),                                                                \
		      PUTS_(P_(k1, f1), P_(k2, f2), P_(k3, f3)))
#define EVENT4(c, e, k1, f1, k2, f2, k3, f3, k4, f4)                                               \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2), T_(k3, f3), T_(k4, f4)),                            \
		      (f1, f2, f3, f4),                                                            \
		      PUTS_(P_(k1, f1), P_(k2, f2), P_(k3, f3), P_(k4, f4)))
#define EVENT5(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5)                                       \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2), T_(k3, f3), T_(k4, f4), T_(k5, f5)),                \
		      (f1, f2, f3, f4, f5),                                                        \
		      PUTS_(P_(k1, f1), P_(k2, f2), P_(k3, f3), P_(k4, f4), P_(k5, f5)))
#define EVENT6(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5, k6, f6)                               \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2), T_(k3, f3), T_(k4, f4), T_(k5, f5),                 \
		       T_(k6, f6)),                                                                \
		      (f1, f2, f3, f4, f5, f6),                                                    \
		      PUTS_(P_(k1, f1), P_(k2, f2), P_(k3, f3), P_(k4, f4), P_(k5, f5),            \
			    P_(k6, f6)))
#define EVENT7(c, e, k1, f1, k2, f2, k3, f3, k4, f4, k5, f5, k6, f6, k7, f7)                       \
	TRACE_EMITTER(c, e,                                                                        \
		      (T_(k1, f1), T_(k2, f2), T_(k3, f3), T_(k4, f4), T_(k5, f5),                 \
		       T_(k6, f6), T_(k7, f7)),                                                    \
		      (f1, f2, f3, f4, f5, f6, f7),                                                \
		      PUTS_(P_(k1, f1), P_(k2, f2), P_(k3, f3), P_(k4, f4), P_(k5, f5),            \
			    P_(k6, f6), P_(k7, f7)))
#include <tessera/trace_events.h>
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT4
#undef EVENT5
#undef EVENT6
#undef EVENT7
#undef T_
#undef P_
#undef PUTS_
#undef TRACE_EMITTER

/* --- control: may sleep ------------------------------------------------------------------------ */

/* After memory works: what trace= and trace_size= ask for, so that the rest of boot is recorded. */
void trace_init(void);
int trace_init_cpu(struct cpu *c); /* before `c` starts; -ENOMEM */

/*
 * Record exactly the classes of `bits`; rings are made when there are none. Without any, recording
 * stops and what was recorded stays. 0 or -ENOMEM.
 */
int trace_enable(uint32_t bits);
void trace_free(void);                /* stop, and give the rings back */
void trace_clear(void);               /* forget what was recorded */
int trace_set_size(uint32_t records); /* of each CPU's ring from now on; -EINVAL, -EBUSY: recording */
uint32_t trace_size(void);
/* The classes that a list such as "sched,irq", "all", "none", "+lock -mm" names; `now`: what + and -
 * change. False: it names something else. */
bool trace_parse(const char *list, uint32_t now, uint32_t *bits);
const char *trace_class_name(unsigned int class);

/* Wait until no CPU is inside code that found trace_on (and what hangs on it) as it was before. May
 * sleep, interrupts on. */
void trace_synchronize(void);

/* --- reading ----------------------------------------------------------------------------------- */

/* A walk over the records of one CPU, oldest first. */
struct trace_cursor {
	uint32_t cpu;
	uint64_t next; /* position */
	uint64_t end;
};

/* All that is there now. Takes no locks; the rings must stay: trace_read_lock(), or nobody runs. */
void trace_cursor_begin(struct trace_cursor *at, uint32_t cpu);
/* The next record, whole and as it was written; a record of event TRACE_LOST with the number of those
 * that were overwritten first. False: the end. */
bool trace_cursor_next(struct trace_cursor *at, struct trace_record *out);
/* The rings stay until the unlock. Returns a number that changes whenever they are remade. */
uint64_t trace_read_lock(void);
void trace_read_unlock(void);
uint64_t trace_lost(void);     /* overwritten since recording began */
uint64_t trace_recorded(void); /* ever since the rings were made */
/* How many of `event` there have been since boot while its class was on. */
uint64_t trace_event_count(unsigned int event);

/* --- text: takes no locks, any context ----------------------------------------------------------- */

struct trace_event_info {
	const char *name;
	uint8_t class;
	uint8_t fields;
	struct {
		const char *kind, *name;
	} field[TRACE_WORDS];
};
extern const struct trace_event_info trace_events[TRACE_EVENT_COUNT];

/* One record as a line without a newline. Returns its length. */
size_t trace_format(const struct trace_record *r, char *out, size_t size);
uint64_t trace_time_ns(const struct trace_record *r);
/* The last `n` records of all CPUs in the order of time, to fn(ctx, line). For kdb and panics: the
 * rings are read as they stand. */
void trace_tail(unsigned int n, void (*fn)(void *ctx, const char *line), void *ctx);
/* The same to the log. */
void trace_print_tail(unsigned int n);

#endif
