/* SPDX-License-Identifier: MIT */
/*
 * log.c - the kernel's log: a ring in memory, and the console for lines that matter enough.
 *
 * A line is formatted on the caller's stack (which may be deep: there is room for one text), put into the ring, and written to the console if its
 * level is at or above the console's. Works from the first instruction of C to the last line of a
 * panic, in any context. While the kernel panics the locks are not waited for: the CPUs that hold
 * them are halted.
 *
 * Locks: log_lock (LOG), then console_lock (CONSOLE); one at a time.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/poll.h>
#include <tessera/preempt.h>
#include <tessera/string.h>

#include "describe.h"
#include "log.h"

bool log_restricted = true;
static struct log_ring ring;                               /* log_lock */
static struct spinlock log_lock = SPINLOCK_INIT(LOG);
static struct spinlock console_lock = SPINLOCK_INIT(CONSOLE);
static enum log_level console_level = LOG_INFO;            /* [a] */
static uint64_t cleared;                                   /* [a] log_clear() */
static bool wake_wanted;                                   /* [a] log_wake_readers() is to come */
struct wait_queue log_readers = WAIT_QUEUE_INIT(log_readers);
uint32_t log_waiters;                                      /* [a] */

/* In a record's time: it is cycles, from before there was a clock. */
#define RAW_TIME BIT(63)

bool
log_readable(void)
{
	return !READ_ONCE(log_restricted) || capable(CAP_SYSLOG) || capable(CAP_SYS_ADMIN);
}

/*
 * Lines go to `diverted` instead of the ring and the console, on the CPU that set it. Set only while the
 * other CPUs stand still.
 */
static void (*diverted)(const char *text, size_t n);

void
log_divert(void (*write)(const char *text, size_t n))
{
	atomic_store(&diverted, write);
}

void
log_set_console_level(enum log_level level)
{
	console_level = level;
}

static uint64_t
lock(struct spinlock *l)
{
	return debug_panicking() ? arch_irq_save() : spin_lock_irq(l);
}

/* `panicking` is what lock() saw: the two must do the same. */
static void
unlock(struct spinlock *l, uint64_t flags, bool panicking)
{
	if (panicking)
		arch_irq_restore(flags);
	else
		spin_unlock_irq(l, flags);
}

static void
console_line(uint64_t time, const char *text, size_t length)
{
	char stamp[32];
	size_t n = log_stamp(stamp, sizeof(stamp), time);
	bool panicking = debug_panicking();
	uint64_t flags;

	flags = lock(&console_lock);
	arch_console_write(stamp, n);
	arch_console_write(text, length);
	arch_console_write("\n", 1);
	unlock(&console_lock, flags, panicking);
}

/* Now; before there is a clock, cycles, which record_time() turns into time once it is known. */
static uint64_t
time_now(void)
{
	uint64_t ns = arch_clock_ns();

	return ns ? ns : RAW_TIME | arch_cycles();
}

static uint64_t
record_time(uint64_t time)
{
	return time & RAW_TIME ? arch_clock_at(time & ~RAW_TIME) : time;
}

static void
add_line(enum log_level level, const char *text, size_t length)
{
	uint64_t time = time_now(), flags;
	bool panicking = debug_panicking();

	flags = lock(&log_lock);
	log_ring_add(&ring, time, (uint8_t)level, text, length);
	unlock(&log_lock, flags, panicking);
	if ((level & 7) <= console_level)
		console_line(record_time(time), text, length);
	/* Behind the record; partner: the waiter's count goes up before it looks for records. */
	memory_barrier();
	if (atomic_load(&log_waiters) && !panicking && !atomic_exchange(&wake_wanted, true))
		arch_kick_cpu(this_cpu()->id);
}

/*
 * Whoever prints may hold any lock, also the scheduler's: the readers are woken from an interrupt that the
 * CPU sends itself, which comes when it holds none that an interrupt could need.
 */
void
log_wake_readers(void)
{
	if (unlikely(atomic_load_relaxed(&wake_wanted)) && atomic_exchange(&wake_wanted, false))
		wake_poll(&log_readers, POLLIN | POLLRDNORM);
}

int
log_wait(uint64_t seq)
{
	int error;

	atomic_add(&log_waiters, 1);
	error = wait_event_interruptible(&log_readers, READ_ONCE(ring.sequence) > seq);
	atomic_sub(&log_waiters, 1);
	return error;
}

/* A text of several lines makes several records; the newline at the end may be missing. */
void
log_print(enum log_level level, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	const char *line = text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (unlikely(atomic_load_relaxed(&diverted) != NULL)) {
		size_t n = strlen(text);

		diverted(text, n);
		if (n && text[n - 1] != '\n')
			diverted("\n", 1);
		return;
	}
	do {
		const char *end = strchr(line, '\n');
		size_t length = end ? (size_t)(end - line) : strlen(line);

		add_line(level, line, length);
		line += length + (end != NULL);
	} while (*line);
}

/* Up to `max` records as log_read() gives them. */
static size_t
read_text(uint64_t *seq, char *out, size_t size, uint32_t max)
{
	uint64_t flags = spin_lock_irq(&log_lock);
	const struct log_record *record;
	size_t done = 0;

	while (max-- && (record = log_ring_find(&ring, *seq)) != NULL) {
		char head[40];
		size_t n = (size_t)scnprintf(head, sizeof(head), "<%u>", record->level);

		n += log_stamp(head + n, sizeof(head) - n, record_time(record->time));
		if (done + n + record->length + 1 > size)
			break;
		memcpy(out + done, head, n);
		memcpy(out + done + n, record->text, record->length);
		done += n + record->length;
		out[done++] = '\n';
		*seq = record->sequence + 1;
	}
	spin_unlock_irq(&log_lock, flags);
	return done;
}

/*
 * Records from *seq on as text, "<6>[    0.123456] text\n" each, as many as fit whole. *seq becomes the
 * number of the next. A reader that fell behind goes on at the oldest.
 */
size_t
log_read(uint64_t *seq, char *out, size_t size)
{
	return read_text(seq, out, size, UINT32_MAX);
}

size_t
log_read_one(uint64_t *seq, char *out, size_t size)
{
	return read_text(seq, out, size, 1);
}

/* One record as /dev/kmsg gives it: "level,sequence,microseconds,-;text\n". *seq as above. 0: none yet,
 * or `size` is too small for it (*truncated), and it is skipped. -EPIPE: record *seq is gone, *seq is now the oldest. */
ssize_t
log_read_record(uint64_t *seq, char *out, size_t size, bool *truncated)
{
	uint64_t flags = spin_lock_irq(&log_lock);
	const struct log_record *record = log_ring_find(&ring, *seq);
	size_t done = 0;

	*truncated = false;
	if (record && record->sequence != *seq) {
		*seq = record->sequence;
		spin_unlock_irq(&log_lock, flags);
		return -EPIPE;
	}
	if (record) {
		char head[64];
		size_t n = (size_t)scnprintf(head, sizeof(head), "%u,%lu,%lu,-;", record->level,
					     record->sequence, record_time(record->time) / 1000);

		if (n + record->length + 1 > size) {
			*truncated = true;
			*seq = record->sequence + 1; /* as on Linux, it is not to be had again */
		} else {
			memcpy(out, head, n);
			memcpy(out + n, record->text, record->length);
			done = n + record->length;
			out[done++] = '\n';
			*seq = record->sequence + 1;
		}
	}
	spin_unlock_irq(&log_lock, flags);
	return (ssize_t)done;
}

void
log_dump(uint32_t n)
{
	void (*write)(const char *, size_t) = diverted ? diverted : arch_console_write;
	uint64_t end = ring.sequence, sequence = end > n ? end - n : 0;
	const struct log_record *record;

	while (sequence < end && (record = log_ring_find(&ring, sequence)) != NULL) {
		char stamp[32];

		write(stamp, log_stamp(stamp, sizeof(stamp), record_time(record->time)));
		write(record->text, record->length);
		write("\n", 1);
		sequence = record->sequence + 1;
	}
}

bool
log_console_is_quiet(void)
{
	return console_level < LOG_INFO;
}

uint64_t
log_first_sequence(void)
{
	return READ_ONCE(ring.first);
}

void
log_clear(uint64_t seq)
{
	atomic_store(&cleared, seq);
}

uint64_t
log_cleared_sequence(void)
{
	return atomic_load(&cleared);
}

enum log_level
log_console_level(void)
{
	return console_level;
}

uint64_t
log_next_sequence(void)
{
	return READ_ONCE(ring.sequence);
}
