/* SPDX-License-Identifier: MIT */
/*
 * tracing.c - /proc/tessera/trace: switch the recording of events, and read what was recorded.
 *
 *	enable  the classes that are recorded; write a list ("sched,irq", "all", "+lock", "-mm"), "none"
 *	        to stop and keep what there is, "off" to stop and free the rings
 *	size    records in each CPU's ring; changing it drops what was recorded
 *	format  how a record is laid out, and the events
 *	data    the dump: a text head, then the records, CPU by CPU; a write clears the rings
 *	text    the last records of all CPUs in the order of time
 *
 * The head of a dump ends with the line "records". Before it stands all that is needed to decode:
 * "record SIZE", "event NUMBER CLASS NAME KIND:FIELD...", "call NUMBER NAME", "lock NUMBER NAME",
 * "thread TID PID NAME", "now NS", "cpus N", "symbol ADDRESS NAME". What is read of data after the head is a
 * multiple of a record only as a whole.
 */
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/lock.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/syscall.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#include "files.h"

#define TEXT_RECORDS 2000u

static int
show_enable(struct text *t, struct target *at)
{
	uint32_t on = READ_ONCE(trace_on);

	for (unsigned int i = 0; i < TRACE_CLASS_COUNT; i++)
		text_print(t, "%s%s%s", on & 1u << i ? "[" : "", trace_class_name(i), on & 1u << i ? "] " : " ");
	text_print(t, "\n");
	return 0;
}

static ssize_t
write_enable(struct target *at, char *data, size_t n)
{
	uint32_t bits;
	int error;

	if (n >= 3 && !memcmp(data, "off", 3) && (data[3] == '\n' || !data[3])) {
		trace_free();
		return (ssize_t)n;
	}
	if (!trace_parse(data, READ_ONCE(trace_on), &bits))
		return -EINVAL;
	error = trace_enable(bits);
	return error ? error : (ssize_t)n;
}

static int
show_size(struct text *t, struct target *at)
{
	text_print(t, "%u\n", trace_size());
	return 0;
}

static ssize_t
write_size(struct target *at, char *data, size_t n)
{
	char *end = strchr(data, '\n');
	long records;
	int error;

	if (end)
		*end = '\0';
	records = parse_number(data, strlen(data));
	if (records < 0 || records > INT32_MAX)
		return -EINVAL;
	error = trace_set_size((uint32_t)records);
	return error ? error : (ssize_t)n;
}

static int
show_format(struct text *t, struct target *at)
{
	text_print(t, "record %zu time:8 sequence:8 tid:4 event:2 cpu:1 depth:1 word:%d*8\n",
		   sizeof(struct trace_record), TRACE_WORDS);
	for (unsigned int e = 0; e < TRACE_EVENT_COUNT; e++) {
		const struct trace_event_info *info = &trace_events[e];

		text_print(t, "event %u %s %s", e, e ? trace_class_name(info->class) : "-", info->name);
		for (unsigned int i = 0; i < info->fields; i++)
			text_print(t, " %s:%s", info->field[i].kind, info->field[i].name);
		text_print(t, "\n");
	}
	return 0;
}

static int
show_trace_stat(struct text *t, struct target *at)
{
	text_print(t, "recorded %lu\nlost %lu\n", trace_recorded(), trace_lost());
	return 0;
}

static void
text_line(void *ctx, const char *line)
{
	text_print(ctx, "%s\n", line);
}

static int
show_text(struct text *t, struct target *at)
{
	trace_read_lock();
	trace_tail(TEXT_RECORDS, text_line, t);
	trace_read_unlock();
	return 0;
}

/* --- the dump ------------------------------------------------------------------------------------- */

/* One reader: f->private, under f->position_lock (reads at positions of their own are refused). */
struct dump {
	struct text head;
	size_t head_done;
	struct trace_cursor at[MAX_CPUS];
	uint32_t cpu;
	uint64_t generation;         /* of the rings that `at` walks */
	struct trace_record record;  /* being copied out ... */
	size_t record_done;          /* ... so far */
};

struct thread_name {
	pid_t tid, pid;
	char name[17];
};

struct thread_names {
	struct thread_name *at;
	uint64_t count, room;
};

/* Under a spinlock: no memory is to be had. */
static void
note_thread(void *ctx, struct thread *t)
{
	struct thread_names *list = ctx;
	struct thread_name *n;

	if (list->count == list->room)
		return;
	n = &list->at[list->count++];
	n->tid = t->tid;
	n->pid = t->process ? t->process->pid : 0;
	memcpy(n->name, t->name, sizeof(t->name));
}

static void
add_threads(struct text *t)
{
	struct thread_names list = { .room = thread_count() + 64 };

	list.at = vmalloc(list.room * sizeof(*list.at));
	if (!list.at)
		return;
	thread_for_each(note_thread, &list);
	for (uint64_t i = 0; i < list.count; i++)
		text_print(t, "thread %d %d %s\n", list.at[i].tid, list.at[i].pid, list.at[i].name);
	vfree(list.at);
}

static void
symbol_line(void *ctx, vaddr_t start, const char *name)
{
	text_print(ctx, "symbol %lx %s\n", start, name);
}

static int
make_head(struct text *t)
{
	text_print(t, "tessera trace 1\n");
	show_format(t, NULL);
	for (unsigned int nr = 0; nr < CALL_MAX; nr++)
		if (syscall_name(nr))
			text_print(t, "call %u %s\n", nr, syscall_name(nr));
	for (unsigned int i = 0; i < LOCK_CLASS_COUNT; i++)
		text_print(t, "lock %u %s\n", i, lock_class_name(i));
	add_threads(t);
	symbol_for_each(symbol_line, t);
	text_print(t, "cpus %u\nlost %lu\nnow %lu\nrecords\n", cpu_count, trace_lost(),
		   clock_monotonic_ns());
	return t->failed ? -ENOMEM : 0;
}

static int
dump_begin(struct file *f)
{
	struct dump *d = vmalloc(sizeof(*d));
	int error;

	if (!d)
		return -ENOMEM;
	error = make_head(&d->head);
	if (error) {
		text_free(&d->head);
		vfree(d);
		return error;
	}
	d->generation = trace_read_lock();
	for (uint32_t i = 0; i < cpu_count; i++)
		trace_cursor_begin(&d->at[i], i);
	trace_read_unlock();
	d->record_done = sizeof(d->record);
	f->private = d;
	return 0;
}

static bool
next_record(struct dump *d)
{
	bool found = false;

	if (trace_read_lock() == d->generation)
		while (d->cpu < cpu_count && !(found = trace_cursor_next(&d->at[d->cpu], &d->record)))
			d->cpu++;
	trace_read_unlock();
	if (found) {
		d->record.time = trace_time_ns(&d->record);
		d->record_done = 0;
	}
	return found;
}

static size_t
copy_part(struct iov_iter *to, const void *from, size_t size, size_t *done)
{
	size_t moved = iov_copy_to(to, (const char *)from + *done, MIN(size - *done, to->count));

	*done += moved;
	return moved;
}

static ssize_t
data_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	size_t total = 0;
	struct dump *d;
	int error;

	if (pos != &f->position)
		return -ESPIPE;
	if (!f->private) {
		error = dump_begin(f);
		if (error)
			return error;
	}
	d = f->private;
	while (to->count) {
		size_t moved;

		if (d->head_done < d->head.used) {
			moved = copy_part(to, d->head.data, d->head.used, &d->head_done);
		} else {
			if (d->record_done == sizeof(d->record) && !next_record(d))
				break;
			moved = copy_part(to, &d->record, sizeof(d->record), &d->record_done);
		}
		total += moved;
		*pos += (loff_t)moved;
		if (!moved)
			return total ? (ssize_t)total : -EFAULT;
	}
	return (ssize_t)total;
}

static ssize_t
data_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	size_t n = from->count;

	trace_clear();
	iov_advance(from, n);
	return (ssize_t)n;
}

static void
data_release(struct file *f)
{
	struct dump *d = f->private;

	if (d)
		text_free(&d->head);
	vfree(d);
}

static const struct file_ops data_ops = {
	.name = "trace",
	.read = data_read,
	.write = data_write,
	.release = data_release,
};

const struct entry trace_entries[] = {
	{ .name = "data", .mode = S_IFREG | 0600, .file_ops = &data_ops },
	{ .name = "enable", .mode = S_IFREG | 0600, .show = show_enable, .write = write_enable },
	{ .name = "format", .mode = S_IFREG | 0400, .show = show_format },
	{ .name = "size", .mode = S_IFREG | 0600, .show = show_size, .write = write_size },
	{ .name = "stat", .mode = S_IFREG | 0400, .show = show_trace_stat },
	{ .name = "text", .mode = S_IFREG | 0400, .show = show_text },
	{ 0 },
};
