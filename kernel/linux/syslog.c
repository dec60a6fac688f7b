/* SPDX-License-Identifier: MIT */
/*
 * syslog.c - syslog(2): the kernel's log as text, for dmesg and for a logging daemon.
 *
 * Two readings that do not know of each other. READ takes what nobody has taken yet, byte by byte, and
 * waits for it; READ_ALL shows the end of what there is since CLEAR, and takes nothing.
 */
#include <tessera/cred.h>
#include <tessera/lock.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "linux.h"

#define SYSLOG_CLOSE         0
#define SYSLOG_OPEN          1
#define SYSLOG_READ          2
#define SYSLOG_READ_ALL      3
#define SYSLOG_READ_CLEAR    4
#define SYSLOG_CLEAR         5
#define SYSLOG_CONSOLE_OFF   6
#define SYSLOG_CONSOLE_ON    7
#define SYSLOG_CONSOLE_LEVEL 8
#define SYSLOG_UNREAD        9
#define SYSLOG_SIZE          10
#define CHUNK                4096
#define BUFFER               (128 << 10) /* the ring's size in bytes */

static struct mutex taking = MUTEX_INIT(taking, SLEEP_LEAF);
static uint64_t taken;        /* taking: READ's next record ... */
static size_t taken_part;     /* taking: ... of which so many bytes were taken */
static int level_before = -1; /* [a] CONSOLE_OFF: what CONSOLE_ON goes back to */

/* How many bytes there are from `seq` on; *end: where they end. */
static size_t
measure(uint64_t seq, char *chunk, uint64_t *end)
{
	size_t total = 0, n;

	while ((n = log_read(&seq, chunk, CHUNK)) > 0)
		total += n;
	*end = seq;
	return total;
}

/* The last `size` bytes from `seq` on, as whole records, the newest whatever their number. */
static long
read_tail(uint64_t seq, char __user *buf, size_t size, char *chunk, uint64_t *end)
{
	size_t total = measure(seq, chunk, end), done = 0, n;

	while (seq < *end && (n = log_read_one(&seq, chunk, CHUNK)) > 0) {
		if (total > size) {
			total -= MIN(n, total);
			continue;
		}
		if (done + n > size)
			break;
		if (copy_to_user(buf + done, chunk, n))
			return -EFAULT;
		done += n;
	}
	return (long)done;
}

/* Take up to `size` bytes that nobody took. taking held. 0: there are none. */
static long
take(char __user *buf, size_t size, char *chunk)
{
	size_t done = 0;

	taken = MAX(taken, log_first_sequence());
	while (done < size) {
		uint64_t next = taken;
		size_t n = log_read_one(&next, chunk, CHUNK), part;

		if (!n)
			break;
		taken_part = MIN(taken_part, n);
		part = MIN(n - taken_part, size - done);
		if (copy_to_user(buf + done, chunk + taken_part, part))
			return done ? (long)done : -EFAULT;
		done += part;
		taken_part += part;
		if (taken_part == n) {
			taken = next;
			taken_part = 0;
		}
	}
	return (long)done;
}

static long
read_new(char __user *buf, size_t size, char *chunk)
{
	for (;;) {
		uint64_t next;
		long n;

		mutex_lock(&taking);
		n = take(buf, size, chunk);
		next = taken;
		mutex_unlock(&taking);
		if (n || !size)
			return n;
		if (log_wait(next))
			return -ERESTARTSYS;
	}
}

static long
set_console(int type, int size)
{
	switch (type) {
	case SYSLOG_CONSOLE_OFF:
		if (level_before < 0)
			level_before = (int)log_console_level();
		log_set_console_level(LOG_EMERG);
		return 0;
	case SYSLOG_CONSOLE_ON:
		if (level_before >= 0)
			log_set_console_level((enum log_level)level_before);
		level_before = -1;
		return 0;
	default:
		if (size < 1 || size > 8)
			return -EINVAL;
		/* "Below this": a level of 1 shows emergencies only. */
		log_set_console_level((enum log_level)(size - 1));
		level_before = -1;
		return 0;
	}
}

static long
unread(char *chunk)
{
	uint64_t end;
	long n;

	mutex_lock(&taking);
	n = (long)(measure(MAX(taken, log_first_sequence()), chunk, &end) - taken_part);
	mutex_unlock(&taking);
	return n;
}

long
linux_syslog(int type, char __user *buf, int size)
{
	uint64_t end;
	long result;
	char *chunk;

	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE && !capable(CAP_SYSLOG) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!log_readable())
		return -EPERM;
	if (type >= SYSLOG_READ && type <= SYSLOG_READ_CLEAR && (!buf || size < 0))
		return -EINVAL;
	chunk = kmalloc(CHUNK, 0);
	if (!chunk)
		return -ENOMEM;
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		result = 0;
		break;
	case SYSLOG_READ:
		result = read_new(buf, (size_t)size, chunk);
		break;
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		result = read_tail(log_cleared_sequence(), buf, (size_t)size, chunk, &end);
		if (type == SYSLOG_READ_CLEAR && result >= 0)
			log_clear(end);
		break;
	case SYSLOG_CLEAR:
		log_clear(log_next_sequence());
		result = 0;
		break;
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
	case SYSLOG_CONSOLE_LEVEL:
		result = set_console(type, size);
		break;
	case SYSLOG_UNREAD:
		result = unread(chunk);
		break;
	case SYSLOG_SIZE:
		result = BUFFER;
		break;
	default:
		result = -EINVAL;
	}
	kfree(chunk);
	return result;
}
