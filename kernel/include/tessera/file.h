/* SPDX-License-Identifier: MIT */
/*
 * file.h - the open object: what a handle leads to, whatever it is.
 *
 * Every type (regular file, directory, pipe end, tty, epoll, socket, channel ...) is one table of
 * operations. An empty slot means the default, which is named at each. print, count, wait, save and
 * restore stand beside read and write.
 *
 * References: a handle table entry holds one, a message that carries it holds one, a system call in
 * progress holds one. release() runs when the last is dropped, in a context that may sleep.
 */
#ifndef TESSERA_FILE_H
#define TESSERA_FILE_H

#include <tessera/atomic.h>
#include <tessera/iov.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/poll.h>
#include <tessera/types.h>

struct async_entry;
struct async_list;
struct block_plug;
struct cached_file;
struct cred;
struct dentry;
struct file;
struct inode;
struct memory_object;
struct mount;
struct process;
struct save_stream;

/* file->flags: Linux's O_* values. */
#define O_ACCMODE   00000003u
#define O_RDONLY    00000000u
#define O_WRONLY    00000001u
#define O_RDWR      00000002u
#define O_CREAT     00000100u
#define O_EXCL      00000200u
#define O_NOCTTY    00000400u
#define O_TRUNC     00001000u
#define O_APPEND    00002000u
#define O_NONBLOCK  00004000u
#define O_DSYNC     00010000u
#define O_ASYNC     00020000u
#define O_DIRECT    00040000u
#define O_LARGEFILE 00100000u
#define O_DIRECTORY 00200000u
#define O_NOFOLLOW  00400000u
#define O_NOATIME   01000000u
#define O_CLOEXEC   02000000u
#define O_UNWATCHED 0400000000u /* shown of what came with an event: vfs_open_unwatched() */
#define O_SYNC      04010000u
#define O_PATH      010000000u
#define O_TMPFILE   020200000u

struct file_lock_range; /* file_lock.h */
struct file_stat;    /* inode.h */
struct handle_table;
enum file_lock_act { FILE_LOCK_TEST, FILE_LOCK_TRY, FILE_LOCK_WAIT };
#define FILE_LOCK_HERE 1 /* the kernel is to keep the lock itself */
struct dir_context;  /* inode.h */

/* A transfer that is under way, in something larger of who began it. */
struct file_transfer {
	void (*done)(struct file_transfer *t, ssize_t n); /* n: bytes or an errno. Any context without locks; never sleeps */
	struct block_plug *plug;     /* where to gather it for the disk; NULL: send it at once */
};
#define FILE_UNDER_WAY ((ssize_t)1 << 62)

struct file_ops {
	const char *name;            /* the type, as dumps and /proc/PID/fd show: "pipe", "eventfd" */

	/* Move bytes at *pos, advancing it. Streams ignore pos. Bytes moved, 0 at the end, or an errno
	 * (-EAGAIN when O_NONBLOCK and it would block; -ERESTARTSYS when a signal came first).
	 * Empty: -EINVAL. */
	ssize_t (*read)(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
	ssize_t (*write)(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags);
	/* Begin to move all of `it` at `pos`, and do not wait: FILE_UNDER_WAY, then t->done tells of the end. An
	 * errno, or 0: it has to be waited for. Who asks holds on to `f` until then. Empty: always 0. */
	ssize_t (*begin)(struct file *f, struct iov_iter *it, loff_t pos, bool write, uint32_t rw_flags,
			 struct file_transfer *t);
	/* Empty: -ESPIPE for streams; regular seeking for files that have an inode of type S_IFREG. */
	loff_t (*seek)(struct file *f, loff_t offset, int whence);
	/* Which POLL* events are ready now; adds pt's waiter to the queues that will tell of changes.
	 * Empty: always readable and writable. */
	uint32_t (*poll)(struct file *f, struct poll_table *pt);
	/* Empty: -ENOTTY. */
	long (*ioctl)(struct file *f, unsigned int command, uintptr_t arg);
	/* The object that backs a mapping of [offset, offset + length), with a reference for the caller.
	 * `flags`: MAPPING_*, may be altered. Empty: -ENODEV. */
	int (*mmap)(struct file *f, uint64_t offset, size_t length, uint32_t *flags,
		    struct memory_object **out);
	/* One mapping of it more, or less. mapped: under an address space's lock; unmapped: under none. */
	void (*mapped)(struct file *f);
	void (*unmapped)(struct file *f);
	/* Empty: from the inode. */
	int (*stat)(struct file *f, struct file_stat *st);
	int (*readdir)(struct file *f, struct dir_context *ctx);  /* empty: -ENOTDIR */
	int (*sync)(struct file *f, bool data_only);              /* empty: -EINVAL */
	int (*truncate)(struct file *f, loff_t size);             /* empty: -EINVAL */
	int (*fallocate)(struct file *f, int mode, loff_t offset, loff_t length); /* empty: -EOPNOTSUPP */
	int (*set_flags)(struct file *f, uint32_t flags);         /* F_SETFL beyond the plain bits; may be empty */
	/* The list of those that it tells by signal: async.h. Empty: none, O_ASYNC cannot be had. */
	struct async_list *(*async)(struct file *f);
	bool no_splice_read, no_splice_write;                     /* splice(2), sendfile(2) from it or to it: -EINVAL */
	/* Called at each close(2) of a handle in table `by`; the result is close's. May be empty. */
	int (*flush)(struct file *f, struct handle_table *by);
	/* Advisory locks kept elsewhere: FILE_LOCK_HERE, or done. Empty: the kernel keeps them. */
	int (*lock)(struct file *f, struct file_lock_range *r, enum file_lock_act act, const void *owner, bool flock);
	/* copy_file_range within one file system. -EOPNOTSUPP: by reading and writing. Empty: so. */
	ssize_t (*copy_range)(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, size_t length);
	bool direct;                                              /* O_DIRECT is known */
	bool own_ioctl;                                           /* all commands about files are its own */
	bool waits;                                               /* read and write do so whatever RW_NOWAIT says */
	bool splice_messages;                                     /* one read, one write is one message, never cut */
	void (*release)(struct file *f);                          /* free f->private; may be empty */

	/* --- printed, counted, waited for, saved, restored --- */
	void (*dump)(struct file *f);                             /* one or more log lines, no locks */
	void (*fdinfo)(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx);
	/* NULL: may move. Otherwise what keeps it here. Empty: "type has no save". */
	const char *(*can_save)(struct file *f);
	int (*save)(struct file *f, struct save_stream *s);
	int (*restore)(struct save_stream *s, struct file **out);
};

/*
 * [I] immutable  [f] lock  [p] position_lock  [a] atomic
 */
struct file {
	const struct file_ops *ops;  /* [I] */
	struct refcount refs;
	uint32_t flags;              /* [f] O_*; access mode immutable */
	uint32_t mode;               /* [I] FILE_* below */
	struct spinlock lock;        /* class FILE */
	struct mutex position_lock;  /* class FILE_POSITION; taken by read/write/lseek of seekable files */
	loff_t position;             /* [p] */
	struct inode *inode;         /* [I] a reference, or NULL (only anonymous kinds) */
	struct dentry *dentry;       /* [I] a reference, or NULL: name */
	struct mount *mount;         /* [I] a reference, or NULL */
	const struct cred *cred;     /* [I] of the opener, a reference */
	void *private;               /* the type's */
	struct cached_file *cached;  /* [I] of files with a page cache whose store is elsewhere: backing.h; NULL */
	uint32_t fs_error_seen;      /* [f] of the file system's errors, by file_system_error(): backing.h */
	struct pid_owner *owner;     /* [f] F_SETOWN */
	struct async_entry *async;   /* the lock of the list that ops->async names: O_ASYNC is on */
	uint64_t id;                 /* [I] unique, for dumps and saving */
	const char *counted;         /* [I] under which type it is counted */
	struct list late_node;       /* file.c: after the last reference, by file_put_late() */
	struct list watchers;        /* epoll's entries that watch it: ipc/epoll.c's lock */
	uint64_t epoll_search;       /* its last search that saw the file: the same lock */
};

/* Who gets SIGIO: F_SETOWN, F_SETSIG. */
struct pid_owner {
	int type;                    /* F_OWNER_TID 0, PID 1, PGRP 2 */
	pid_t pid;
	int signo;                   /* 0: SIGIO */
	uid_t uid, euid;             /* of who set it */
};

#define FILE_READ     BIT(0) /* opened for reading */
#define FILE_WRITE    BIT(1)
#define FILE_EXEC     BIT(2)
#define FILE_SEEKABLE BIT(3) /* has a position */
#define FILE_PATH     BIT(4) /* O_PATH: a name only */
#define FILE_NAMED    BIT(6) /* opened by a name: watches are told */
#define FILE_WRITER   BIT(7) /* counted in its mount's writers */
#define FILE_MOUNT    BIT(8) /* its release unmounts: mount_released() */
#define FILE_READER   BIT(9) /* counted in inode->readers */
#define FILE_STREAM   BIT(5) /* no position at all: pipes, ttys */
#define FILE_FORWARD  BIT(11) /* a position that only reading and writing move: no lseek, no pread */
#define FILE_OPENED   BIT(12) /* ops->open has been here: release is owed, whatever else fails */
#define FILE_TRUNCATE BIT(13) /* being opened with O_TRUNC, and not cut yet */
#define FILE_DNOTIFY  BIT(10) /* [f] somebody may have asked for signals: dnotify.c */

/* A new open object with one reference, ours. `flags` gives access mode and O_NONBLOCK etc.
 * NULL: no memory. Counted (see object_counts). */
struct file *file_create(const struct file_ops *ops, uint32_t flags, void *private);
static inline void
file_get(struct file *f)
{
	ref_get(&f->refs);
}
/* Begin a transfer as ops->begin does, of a file open for that. */
ssize_t file_begin(struct file *f, struct iov_iter *it, loff_t pos, bool write, uint32_t rw_flags, struct file_transfer *t);
void file_put(struct file *f); /* may sleep: last one releases */
/* For a caller that holds locks which a release may not stand below: a worker releases it soon. */
void file_put_late(struct file *f);

/* Generic entry points: check mode, RW_MAX, position; used by linux/ and by in-kernel readers. */
ssize_t file_read(struct file *f, struct iov_iter *to, loff_t *pos);   /* pos NULL: own position */
ssize_t file_write(struct file *f, struct iov_iter *from, loff_t *pos);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, loff_t pos); /* exec, modules */
loff_t file_seek(struct file *f, loff_t offset, int whence);
uint32_t file_poll(struct file *f, struct poll_table *pt);
/* As file_read and file_write with RWF_* flags of preadv2. */
ssize_t file_read_flags(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
ssize_t file_write_flags(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags);
#define RW_HIPRI  1u
#define RW_DSYNC  2u
#define RW_SYNC   4u
#define RW_NOWAIT 8u
#define RW_APPEND 16u
/* For streams' operations: would a wait be against the open object's wish, or this call's? */
static inline bool
file_may_not_wait(const struct file *f, uint32_t rw_flags)
{
	return (f->flags & O_NONBLOCK) || (rw_flags & RW_NOWAIT);
}
/* The operations of a file being opened, from now on `ops` (counts move along). */
void file_set_ops(struct file *f, const struct file_ops *ops);
void file_dump(struct file *f); /* to the log, takes no locks */
/* How many open objects of each type live: /proc and the leak check. */
void file_counts(void (*fn)(void *ctx, const char *type, uint64_t n), void *ctx);
uint64_t file_count(void);

#endif
