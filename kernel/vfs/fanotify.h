/* SPDX-License-Identifier: MIT */
/*
 * fanotify.h - what fanotify's files share: a group, its marks, and the events that wait.
 */
#ifndef TESSERA_VFS_FANOTIFY_H
#define TESSERA_VFS_FANOTIFY_H

#include <tessera/inode.h>
#include <tessera/wait.h>

#include "notify.h"

#define FANOTIFY_BUCKETS 64 /* of events that may grow */

enum answer {
	ANSWER_NONE,
	ANSWER_ALLOW,
	ANSWER_DENY,
};

/* [I] immutable  [n] notify_lock */
struct fanotify {
	struct notify_group group;
	struct fanotify_shape shape;  /* [I] */
	uid_t user;                   /* [I] who made it: it and its marks count against his limits */
	uint32_t queue_max;           /* [I] events that may wait */
	uint32_t queued;              /* [n] */
	size_t bytes;                 /* [n] that a read of all of them would give */
	struct list queue;            /* [n] struct fanotify_event, oldest first */
	struct list asked;            /* [n] questions that have been read and not been answered */
	struct list buckets[FANOTIFY_BUCKETS]; /* [n] by hash: events of the queue that others may join */
	bool overflown;               /* [n] the queue holds the event that says so */
	bool ended;                   /* [n] its open object is gone */
	struct wait_queue wait;       /* for events */
	struct wait_queue answers;    /* for answers to questions */
};

/* A file, by its key. */
struct fanotify_key {
	bool there;
	int32_t filesystem[2];
	struct file_key key;
};

enum fanotify_event_kind {
	EVENT_PATH,      /* brings an open file */
	EVENT_KEYS,      /* brings keys and names */
	EVENT_OVERFLOW,
	EVENT_QUESTION,  /* EVENT_PATH, and who made it waits for the answer */
};

/*
 *   question: QUEUED --read--> ASKED --write--> ANSWERED
 *   and from QUEUED or ASKED, when who waits is killed: ABANDONED (ASKED: the answer frees it)
 */
enum question_state { QUESTION_QUEUED, QUESTION_ASKED, QUESTION_ANSWERED, QUESTION_ABANDONED };

struct fanotify_event {
	struct list node;             /* [n] in the queue, or in `asked` */
	struct list bucket_node;      /* [n] */
	enum fanotify_event_kind kind; /* [I] */
	uint32_t what;                /* [n] NOTIFY_*; grows */
	uint32_t hash;                /* [I] */
	pid_t pid;                    /* [I] whose doing; the kernel's number, 0: its own */
	uint64_t born;                /* [I] start of that process: a number may be given again */
	struct path path;             /* [I] EVENT_PATH: references; a question: the asker's */
	/* questions */
	enum question_state state;    /* [n] */
	enum answer answer;           /* [n] */
	int fd;                       /* [n] by which it is answered */
	/* keys */
	struct fanotify_key object, dir, new_dir; /* [I] */
	uint16_t name_length, new_name_length;    /* [I] 0: none */
	char names[];                 /* [I] the name and the new name, each with its NUL */
};

/* fanotify_event.c */
void *fanotify_tell(struct notify_group *g, const struct notify_event *e,
		    struct notify_mark *const marks[NOTIFY_PLACES], struct list *dead);
int fanotify_judge(struct notify_group *g, void *question);
/* Out of the queue; notify_lock is held. */
void fanotify_dequeue_locked(struct fanotify *n, struct fanotify_event *e);
void fanotify_event_free(struct fanotify_event *e);
/* Everything that waits is let go: those who were to be asked go ahead. */
void fanotify_drain(struct fanotify *n);

/* fanotify_read.c */
size_t fanotify_event_size(const struct fanotify *n, const struct fanotify_event *e);
ssize_t fanotify_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
ssize_t fanotify_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags);

static inline struct fanotify *
fanotify_of(const struct file *f)
{
	return f->private;
}

#endif
