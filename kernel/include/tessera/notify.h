/* SPDX-License-Identifier: MIT */
/*
 * notify.h - telling who watches files what happens to them: inotify(7), fanotify(7), fcntl's F_NOTIFY.
 *
 * A mark joins a group (who watches) and an object (an inode, a mount or a file system) and says which
 * events the group wants to hear of. The rooms that change something call the tellers below, after the
 * fact, with or without the inode's lock held; while there is no mark anywhere they cost one test.
 * notify_permit() asks before the fact and may sleep: with no lock held.
 */
#ifndef TESSERA_NOTIFY_H
#define TESSERA_NOTIFY_H

#include <tessera/atomic.h>
#include <tessera/file.h>
#include <tessera/list.h>
#include <tessera/path.h>
#include <tessera/types.h>

struct dentry;
struct filesystem;
struct handle_table;
struct inode;
struct mount;

/* Events, and what goes with them; the numbers are those that programs read. */
#define NOTIFY_ACCESS        0x1u
#define NOTIFY_MODIFY        0x2u
#define NOTIFY_ATTRIB        0x4u
#define NOTIFY_CLOSE_WRITE   0x8u
#define NOTIFY_CLOSE_NOWRITE 0x10u
#define NOTIFY_OPEN          0x20u
#define NOTIFY_MOVED_FROM    0x40u
#define NOTIFY_MOVED_TO      0x80u
#define NOTIFY_CREATE        0x100u
#define NOTIFY_DELETE        0x200u
#define NOTIFY_DELETE_SELF   0x400u
#define NOTIFY_MOVE_SELF     0x800u
#define NOTIFY_OPEN_EXEC     0x1000u
#define NOTIFY_UNMOUNT       0x2000u
#define NOTIFY_OVERFLOW      0x4000u
#define NOTIFY_FS_ERROR      0x8000u
#define NOTIFY_OPEN_PERM     0x10000u
#define NOTIFY_ACCESS_PERM   0x20000u
#define NOTIFY_OPEN_EXEC_PERM 0x40000u
#define NOTIFY_ON_CHILD      0x08000000u /* of a mark: events of a directory's entries too */
#define NOTIFY_RENAME        0x10000000u
#define NOTIFY_DIR           0x40000000u /* it happened to a directory; of a mark: that too */

#define NOTIFY_ENTRY_EVENTS                                                                        \
	(NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVED_FROM | NOTIFY_MOVED_TO | NOTIFY_RENAME)
#define NOTIFY_PERM_EVENTS (NOTIFY_OPEN_PERM | NOTIFY_ACCESS_PERM | NOTIFY_OPEN_EXEC_PERM)
#define NOTIFY_EVENTS (0xffffu | NOTIFY_RENAME | NOTIFY_PERM_EVENTS)
/* Those of a file that its directory can hear of. */
#define NOTIFY_CHILD_EVENTS                                                                        \
	(NOTIFY_PERM_EVENTS | NOTIFY_ACCESS | NOTIFY_MODIFY | NOTIFY_ATTRIB | NOTIFY_CLOSE_WRITE | \
	 NOTIFY_CLOSE_NOWRITE | NOTIFY_OPEN | NOTIFY_OPEN_EXEC)

extern uint32_t notify_marks;  /* [a] marks there are, of anybody */
extern uint32_t notify_judges; /* [a] of them those that ask to be asked */

/* What the inlines below call when there is anybody. */
void notify_path_slow(const struct path *p, uint32_t event);
void notify_dentry_slow(struct dentry *d, uint32_t event);
void notify_inode_slow(struct inode *i, uint32_t event);
void notify_entry_slow(struct inode *dir, uint32_t event, const char *name, struct inode *i);
int notify_permit_slow(struct file *f, uint32_t events);
void notify_inode_removed_slow(struct inode *i, uint32_t event);

static inline bool
notify_anybody(void)
{
	return unlikely(atomic_load_relaxed(&notify_marks) != 0);
}

/* Something was done to what is open at `p`: its own marks, its directory's, its mount's and file system's. */
static inline void
notify_path(const struct path *p, uint32_t event)
{
	if (notify_anybody())
		notify_path_slow(p, event);
}

static inline void
notify_file(struct file *f, uint32_t event)
{
	if (notify_anybody() && (f->mode & FILE_NAMED))
		notify_path_slow(&(struct path){ f->mount, f->dentry }, event);
}

/* ... through a name, by no open file. */
static inline void
notify_dentry(struct dentry *d, uint32_t event)
{
	if (notify_anybody() && d)
		notify_dentry_slow(d, event);
}

/* Something happened to `i` that does not concern its directory. */
static inline void
notify_inode(struct inode *i, uint32_t event)
{
	if (notify_anybody())
		notify_inode_slow(i, event);
}

/* `dir` got or lost the entry `name`, which is `i`. */
static inline void
notify_entry(struct inode *dir, uint32_t event, const char *name, struct inode *i)
{
	if (notify_anybody())
		notify_entry_slow(dir, event, name, i);
}

/* `i` has gone from one name to another; `over` (or NULL) had the new one. */
struct notify_move {
	struct inode *i, *over;
	struct inode *dir, *new_dir;
	const char *name, *new_name;
};
void notify_moved_slow(const struct notify_move *m);
static inline void
notify_moved(const struct notify_move *m)
{
	if (notify_anybody())
		notify_moved_slow(m);
}

/*
 * May the caller do to `f` what NOTIFY_*_PERM events say? 0, -EPERM: somebody who was asked forbids it, -ENOMEM,
 * -ERESTARTSYS: the caller is being killed. Sleeps; no lock is held.
 */
static inline int
notify_permit(struct file *f, uint32_t events)
{
	if (unlikely(atomic_load_relaxed(&notify_judges)) && (f->mode & FILE_NAMED))
		return notify_permit_slow(f, events);
	return 0;
}

/* `i` has lost its last name and link (DELETE_SELF) or its file system (UNMOUNT): its marks are told so, and end.
 * May sleep. */
static inline void
notify_inode_removed(struct inode *i, uint32_t event)
{
	if (notify_anybody())
		notify_inode_removed_slow(i, event);
}

/* --- the ends of objects ------------------------------------------------------------------------ */

bool notify_inode_is_marked(const struct inode *i);
/* The object ends: its marks, and what held them. The last reference is gone, so only marks that hold none are left. */
void notify_inode_freed(struct inode *i);
void notify_mount_freed(struct mount *m);
void notify_filesystem_freed(struct filesystem *fs);
/* For /proc and dumps, without locks. */
void notify_dump(void);

/* --- inotify ----------------------------------------------------------------------------------- */

/* Of a watch's mask, beside events. */
#define INOTIFY_EXCL_UNLINK   0x04000000u
#define INOTIFY_MASK_CREATE   0x10000000u
#define INOTIFY_MASK_ADD      0x20000000u
#define INOTIFY_ONESHOT       0x80000000u
#define INOTIFY_IGNORED       0x8000u
#define INOTIFY_EVENTS        0xfffu

struct file *inotify_create(uint32_t flags); /* ERR_PTR: -EMFILE, the user has too many; -ENOMEM */
/* /proc/sys/fs/inotify: of one instance, and of one user. [a] */
extern int inotify_queue_max, inotify_instances_max, inotify_watches_max;
int inotify_add(struct file *f, struct inode *i, uint32_t mask); /* the watch's number or an errno */
bool file_is_inotify(struct file *f);
int inotify_remove(struct file *f, int number);

/* --- fanotify ---------------------------------------------------------------------------------- */

/* What is reported of an event instead of an open file; and beside it. */
#define FANOTIFY_FILE       BIT(0) /* a key of the file itself */
#define FANOTIFY_DIRECTORY  BIT(1) /* a key of its directory */
#define FANOTIFY_NAME       BIT(2) /* and the name there */
#define FANOTIFY_TARGET     BIT(3) /* of what an entry leads to, too, when entries change */
#define FANOTIFY_KEYS       (FANOTIFY_FILE | FANOTIFY_DIRECTORY | FANOTIFY_NAME | FANOTIFY_TARGET)
#define FANOTIFY_THREAD     BIT(4) /* the thread's number, not the process's */
#define FANOTIFY_PIDFD      BIT(5)
#define FANOTIFY_UNLIMITED_QUEUE BIT(6)
#define FANOTIFY_UNLIMITED_MARKS BIT(7)
#define FANOTIFY_UNPRIVILEGED BIT(8) /* made without CAP_SYS_ADMIN: is told less */
#define FANOTIFY_AUDIT      BIT(9)

/* What a new group is to be. */
struct fanotify_shape {
	uint32_t report;               /* FANOTIFY_* */
	uint8_t priority;              /* 0: is told; 1, 2: is asked, the higher first */
	uint32_t open_flags;           /* of the files that events bring */
	uint32_t shown_flags;          /* as given, for fdinfo */
};

enum notify_kind { NOTIFY_KIND_INODE, NOTIFY_KIND_MOUNT, NOTIFY_KIND_FILESYSTEM };

/* How a mark is to change. */
struct fanotify_change {
	enum notify_kind kind;
	uint32_t mask;
	uint32_t kept;                 /* bits of masks that do not keep a mark alive */
	bool ignore;                   /* it is the mask of what is ignored */
	bool own_flags;                /* ... whose NOTIFY_DIR and NOTIFY_ON_CHILD count from now on */
	bool survives;                 /* what is ignored stays so when the file is modified */
	bool evictable;                /* the mark does not keep the inode in memory */
};

/* As inotify_create. */
struct file *fanotify_create(const struct fanotify_shape *s, uint32_t flags);
bool file_is_fanotify(struct file *f);
const struct fanotify_shape *fanotify_shape_of(struct file *f);
int fanotify_add(struct file *f, const struct path *p, const struct fanotify_change *c); /* -ENOSPC, -EEXIST, -ENOMEM */
int fanotify_remove(struct file *f, const struct path *p, const struct fanotify_change *c); /* -ENOENT */
void fanotify_flush(struct file *f, enum notify_kind kind);
/* /proc/sys/fs/fanotify */
extern int fanotify_queue_max, fanotify_groups_max, fanotify_marks_max;

/* --- dnotify ----------------------------------------------------------------------------------- */

extern int dnotify_enable; /* /proc/sys/fs/dir-notify-enable [a] */
/* Signals to f's owner at these events in the open directory f, the handle `fd`, once or each time. -ENOTDIR ... */
int dnotify_set(struct file *f, int fd, uint32_t events, bool again);
/* A handle of `t` to f is closed: what was asked for through that table ends. */
void dnotify_closed_slow(struct file *f, struct handle_table *t);
static inline void
dnotify_closed(struct file *f, struct handle_table *t)
{
	if (unlikely(f->mode & FILE_DNOTIFY))
		dnotify_closed_slow(f, t);
}

#endif
