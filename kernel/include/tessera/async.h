/* SPDX-License-Identifier: MIT */
/*
 * async.h - files that tell by signal: O_ASYNC.
 *
 * An object that can tell (pipe, socket, terminal) has a list of the open objects whose owners want to hear of it.
 * It tells after the fact, with no lock of a class below ASYNC held. Nobody on the list costs one test.
 */
#ifndef TESSERA_ASYNC_H
#define TESSERA_ASYNC_H

#include <tessera/list.h>
#include <tessera/lock.h>

struct file;

/* What happened, by the numbers of si_code. */
enum async_event {
	ASYNC_IN = 1,  /* POLL_IN */
	ASYNC_OUT = 2, /* POLL_OUT */
	ASYNC_MSG = 3, /* POLL_MSG */
	ASYNC_PRI = 5, /* POLL_PRI */
	ASYNC_HUP = 6, /* POLL_HUP */
};

struct async_list {
	struct mutex lock;           /* class ASYNC */
	struct list entries;         /* lock: struct async_entry */
};

void async_list_init(struct async_list *l); /* empty, for a new object */
/* What async_tell() below calls when there is somebody. */
void async_tell_slow(struct async_list *l, enum async_event what);

/* May sleep. Who opened a file only for writing does not hear of input, and the reverse. */
static inline void
async_tell(struct async_list *l, enum async_event what)
{
	if (unlikely(READ_ONCE(l->entries.next) != &l->entries))
		async_tell_slow(l, what);
}

/* F_SETFL, FIOASYNC: O_ASYNC goes on or off; `fd`: what si_fd will say. -ENOTTY: this kind tells nobody, and the
 * flag stays as it was; -ENOMEM. */
int file_async_set(struct file *f, int fd, bool on);
/* Tell f's owner, on a list or not; may sleep. */
void file_signal_owner(struct file *f, int fd, enum async_event what);
/* SIGURG to f's owner, O_ASYNC or not; may sleep. */
void file_signal_urgent(struct file *f);
/* The caller's process, unless an owner was named. 0 or -ENOMEM. */
int file_owner_default(struct file *f);
void file_owner_forget(struct file *f); /* and its signal */
/* The open object ends. */
void file_async_gone(struct file *f);

#endif
