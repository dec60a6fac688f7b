/* SPDX-License-Identifier: MIT */
/*
 * mqueue.h - POSIX message queues: named, in a file system of their own for each namespace of IPC.
 *
 * ipc/mqueue.c is the queue and the open object that leads to it; vfs/mqueue/ is where names are.
 */
#ifndef TESSERA_MQUEUE_H
#define TESSERA_MQUEUE_H

#include <tessera/inode.h>
#include <tessera/time.h>
#include <tessera/types.h>

struct ipc_namespace;
struct mqueue;
struct netlink_note;

#define MQUEUE_PRIORITY_LIMIT 32768u

/* Settings of a namespace: /proc/sys/fs/mqueue. */
struct mqueue_limits {
	uint32_t queues_max, msg_max, size_max, msg_default, size_default; /* [a] */
};
void mqueue_limits_init(struct mqueue_limits *l);

struct mqueue_attributes {
	int64_t count_max, size_max;
};

/* Make a queue for the caller, counted against his limit. NULL attributes: the defaults. EINVAL, EMFILE, ENOMEM. */
int mqueue_create(const struct mqueue_attributes *a, struct mqueue **out);
void mqueue_free(struct mqueue *q);
void mqueue_attributes(struct mqueue *q, struct mqueue_attributes *out, int64_t *count);
extern const struct file_ops mqueue_file_ops; /* of an open object whose private is the queue */
/* The queue behind an open object, NULL: it is something else. */
struct mqueue *file_mqueue(struct file *f);

/* EAGAIN, ETIMEDOUT, ERESTARTSYS, EMSGSIZE. The message is taken over on success. */
struct mqueue_message {
	struct list node;
	uint32_t priority;
	size_t size;
	char data[];
};
int mqueue_send(struct file *f, struct mqueue_message *m, deadline_t until);
/* A message, the caller's, or ERR_PTR. `size`: room that there is. */
struct mqueue_message *mqueue_receive(struct file *f, size_t size, deadline_t until);

/*
 * Tell the calling process once when a message comes to the empty queue: by signo, or by a note of MQUEUE_NOTE bytes, which is
 * taken over on success, or (0, NULL) not at all. The note's last byte says what has become of the wish. EBUSY.
 */
#define MQUEUE_NOTE 32u
enum mqueue_told { MQUEUE_TOLD = 1, MQUEUE_FORGOTTEN = 2 };
int mqueue_notify(struct mqueue *q, int signo, uint64_t value, struct netlink_note *note);
void mqueue_forget(struct mqueue *q); /* if it is the caller who asked to be told */

/* vfs/mqueue/: mq_open and mq_unlink in the caller's namespace. `name` without its slash. */
int mqueue_open(const char *name, uint32_t flags, mode_t mode, const struct mqueue_attributes *a,
		struct file **out);
int mqueue_unlink(const char *name);
void mqueue_fs_init(void);
void mqueue_namespace_end(struct ipc_namespace *ns);

#endif
