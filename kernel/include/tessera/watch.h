/* SPDX-License-Identifier: MIT */
/*
 * watch.h - telling who watches files and directories what happened: inotify(7).
 *
 * The tellers are called after the fact, with or without the inode's lock held. While nobody watches
 * anything they cost one test.
 */
#ifndef TESSERA_WATCH_H
#define TESSERA_WATCH_H

#include <tessera/atomic.h>
#include <tessera/types.h>

struct dentry;
struct file;
struct inode;

/* Linux's IN_*. */
#define WATCH_ACCESS        0x1u
#define WATCH_MODIFY        0x2u
#define WATCH_ATTRIB        0x4u
#define WATCH_CLOSE_WRITE   0x8u
#define WATCH_CLOSE_NOWRITE 0x10u
#define WATCH_OPEN          0x20u
#define WATCH_MOVED_FROM    0x40u
#define WATCH_MOVED_TO      0x80u
#define WATCH_CREATE        0x100u
#define WATCH_DELETE        0x200u
#define WATCH_DELETE_SELF   0x400u
#define WATCH_MOVE_SELF     0x800u
#define WATCH_ALL           0xfffu
#define WATCH_UNMOUNT       0x2000u
#define WATCH_Q_OVERFLOW    0x4000u
#define WATCH_IGNORED       0x8000u
#define WATCH_ONLYDIR       0x01000000u
#define WATCH_DONT_FOLLOW   0x02000000u
#define WATCH_EXCL_UNLINK   0x04000000u
#define WATCH_MASK_CREATE   0x10000000u
#define WATCH_MASK_ADD      0x20000000u
#define WATCH_ISDIR         0x40000000u
#define WATCH_ONESHOT       0x80000000u

extern uint32_t watch_count; /* [a] watches there are */

/* Tell those who watch; the inlines below call them when there is anybody. */
void watch_tell_inode_slow(struct inode *i, uint32_t event, const char *name, uint32_t cookie);
void watch_tell_dentry_slow(struct dentry *d, uint32_t event);

/* Something happened to `i` itself, or (name not NULL) to its entry `name`. */
static inline void
watch_tell_inode(struct inode *i, uint32_t event, const char *name, uint32_t cookie)
{
	if (unlikely(atomic_load_relaxed(&watch_count)))
		watch_tell_inode_slow(i, event, name, cookie);
}

/* Something happened to the object of this name: its own watches and its directory's are told. */
static inline void
watch_tell_dentry(struct dentry *d, uint32_t event)
{
	if (unlikely(atomic_load_relaxed(&watch_count)) && d)
		watch_tell_dentry_slow(d, event);
}

uint32_t watch_new_cookie(void);
/* `i` has lost its last name and link (DELETE_SELF) or its file system (UNMOUNT): its watches are told so,
 * and end. May sleep. */
void watch_inode_removed(struct inode *i, uint32_t event);
bool watch_inode_is_watched(const struct inode *i);

/* The object behind inotify_init, and its two calls. */
struct file *inotify_create(uint32_t flags); /* ERR_PTR: -EMFILE, the user has too many; -ENOMEM */
/* /proc/sys/fs/inotify: of one instance, and of one user. [a] */
extern int inotify_queue_max, inotify_instances_max, inotify_watches_max;
int inotify_add(struct file *f, struct inode *i, uint32_t mask); /* the watch's number or an errno */
bool file_is_inotify(struct file *f);
int inotify_remove(struct file *f, int number);

#endif
