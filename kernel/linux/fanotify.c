/* SPDX-License-Identifier: MIT */
/*
 * fanotify.c - fanotify_init, fanotify_mark: what may be asked for together, and by whom.
 *
 * Without CAP_SYS_ADMIN a group is told of files by their keys only, on inodes, and not who did it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/notify.h>
#include <tessera/string.h>

#include "linux.h"
#include "user_name.h"

/* --- fanotify_init -------------------------------------------------------------------------------- */

#define FAN_CLOEXEC           0x1u
#define FAN_NONBLOCK          0x2u
#define FAN_CLASS_CONTENT     0x4u
#define FAN_CLASS_PRE_CONTENT 0x8u
#define FAN_UNLIMITED_QUEUE   0x10u
#define FAN_UNLIMITED_MARKS   0x20u
#define FAN_ENABLE_AUDIT      0x40u
#define FAN_REPORT_PIDFD      0x80u
#define FAN_REPORT_TID        0x100u
#define FAN_REPORT_FID        0x200u
#define FAN_REPORT_DIR_FID    0x400u
#define FAN_REPORT_NAME       0x800u
#define FAN_REPORT_TARGET_FID 0x1000u

#define CLASSES    (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT)
#define KEYS       (FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID)
#define ADMIN_ONLY (CLASSES | FAN_REPORT_TID | FAN_REPORT_PIDFD | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS)
#define INIT_KNOWN (ADMIN_ONLY | KEYS | FAN_CLOEXEC | FAN_NONBLOCK | FAN_ENABLE_AUDIT)
#define OPEN_KNOWN                                                                                  \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_CLOEXEC | O_LARGEFILE | O_NOATIME)

static const struct { uint32_t flag, report; } reports[] = {
	{ FAN_REPORT_FID, FANOTIFY_FILE },
	{ FAN_REPORT_DIR_FID, FANOTIFY_DIRECTORY },
	{ FAN_REPORT_NAME, FANOTIFY_NAME },
	{ FAN_REPORT_TARGET_FID, FANOTIFY_TARGET },
	{ FAN_REPORT_TID, FANOTIFY_THREAD },
	{ FAN_REPORT_PIDFD, FANOTIFY_PIDFD },
	{ FAN_UNLIMITED_QUEUE, FANOTIFY_UNLIMITED_QUEUE },
	{ FAN_UNLIMITED_MARKS, FANOTIFY_UNLIMITED_MARKS },
	{ FAN_ENABLE_AUDIT, FANOTIFY_AUDIT },
};

/* Flags that do not go together, or without each other. */
static bool
is_consistent(uint32_t flags)
{
	if ((flags & FAN_REPORT_PIDFD) && (flags & FAN_REPORT_TID))
		return false;
	if ((flags & KEYS) && (flags & CLASSES))
		return false;
	if ((flags & FAN_REPORT_NAME) && !(flags & FAN_REPORT_DIR_FID))
		return false;
	return !(flags & FAN_REPORT_TARGET_FID) ||
	       (flags & (FAN_REPORT_NAME | FAN_REPORT_FID)) == (FAN_REPORT_NAME | FAN_REPORT_FID);
}

long
linux_fanotify_init(unsigned int flags, unsigned int open_flags)
{
	struct fanotify_shape s = { .open_flags = open_flags | O_LARGEFILE, .shown_flags = flags & ~FAN_ENABLE_AUDIT };
	struct file *f;
	long fd;

	if (!capable(CAP_SYS_ADMIN)) {
		if ((flags & ADMIN_ONLY) || !(flags & KEYS))
			return -EPERM;
		s.report |= FANOTIFY_UNPRIVILEGED;
	}
	if (flags & ~INIT_KNOWN)
		return -EINVAL;
	if ((open_flags & ~OPEN_KNOWN) || (open_flags & O_ACCMODE) == O_ACCMODE || !is_consistent(flags))
		return -EINVAL;
	for (size_t n = 0; n < ARRAY_SIZE(reports); n++)
		if (flags & reports[n].flag)
			s.report |= reports[n].report;
	if ((flags & CLASSES) == CLASSES)
		return -EINVAL;
	s.priority = flags & FAN_CLASS_PRE_CONTENT ? 2 : flags & FAN_CLASS_CONTENT ? 1 : 0;
	if ((flags & FAN_ENABLE_AUDIT) && !capable(CAP_AUDIT_WRITE))
		return -EPERM;
	f = fanotify_create(&s, flags & FAN_NONBLOCK ? O_NONBLOCK : 0);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = handle_open(f, handle_rights_of(f), flags & FAN_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* --- fanotify_mark -------------------------------------------------------------------------------- */

#define FAN_MARK_ADD         0x1u
#define FAN_MARK_REMOVE      0x2u
#define FAN_MARK_DONT_FOLLOW 0x4u
#define FAN_MARK_ONLYDIR     0x8u
#define FAN_MARK_MOUNT       0x10u
#define FAN_MARK_IGNORED_MASK 0x20u
#define FAN_MARK_IGNORED_SURV_MODIFY 0x40u
#define FAN_MARK_FLUSH       0x80u
#define FAN_MARK_FILESYSTEM  0x100u
#define FAN_MARK_EVICTABLE   0x200u
#define FAN_MARK_IGNORE      0x400u

#define KINDS      (FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM)
#define COMMANDS   (FAN_MARK_ADD | FAN_MARK_REMOVE | FAN_MARK_FLUSH)
#define IGNORES    (FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORE)
#define MARK_KNOWN                                                                                  \
	(KINDS | COMMANDS | IGNORES | FAN_MARK_DONT_FOLLOW | FAN_MARK_ONLYDIR |                     \
	 FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_EVICTABLE)

#define EVENT_FLAGS (NOTIFY_ON_CHILD | NOTIFY_DIR)
#define OPEN_FILE_EVENTS                                                                            \
	(NOTIFY_ACCESS | NOTIFY_MODIFY | NOTIFY_CLOSE_WRITE | NOTIFY_CLOSE_NOWRITE | NOTIFY_OPEN |  \
	 NOTIFY_OPEN_EXEC | NOTIFY_PERM_EVENTS)
#define MASK_KNOWN                                                                                  \
	(OPEN_FILE_EVENTS | NOTIFY_ENTRY_EVENTS | NOTIFY_ATTRIB | NOTIFY_MOVE_SELF |                \
	 NOTIFY_DELETE_SELF | NOTIFY_FS_ERROR | EVENT_FLAGS)

static uint32_t
command_of(uint32_t flags)
{
	return flags & COMMANDS;
}

/* What can be said without looking at anything. */
static long
check_request(uint32_t flags, uint64_t mask)
{
	if (mask >> 32 || (flags & ~MARK_KNOWN) || (flags & KINDS) == KINDS)
		return -EINVAL;
	switch (command_of(flags)) {
	case FAN_MARK_ADD:
	case FAN_MARK_REMOVE:
		if (!mask)
			return -EINVAL;
		break;
	case FAN_MARK_FLUSH:
		if (flags & ~(KINDS | FAN_MARK_FLUSH))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return (mask & ~(uint64_t)MASK_KNOWN) || (flags & IGNORES) == IGNORES ? -EINVAL : 0;
}

/* What a group of this shape may ask for. */
static long
check_group(const struct fanotify_shape *s, uint32_t flags, uint32_t mask)
{
	bool keys = s->report & FANOTIFY_KEYS;

	if ((flags & KINDS) && (!capable(CAP_SYS_ADMIN) || (s->report & FANOTIFY_UNPRIVILEGED)))
		return -EPERM;
	if ((mask & NOTIFY_PERM_EVENTS) && s->priority == 0)
		return -EINVAL;
	if ((mask & NOTIFY_FS_ERROR) && !(flags & FAN_MARK_FILESYSTEM))
		return -EINVAL;
	if ((flags & FAN_MARK_EVICTABLE) && (flags & KINDS))
		return -EINVAL;
	if ((mask & ~(OPEN_FILE_EVENTS | EVENT_FLAGS)) && (!keys || (flags & FAN_MARK_MOUNT)))
		return -EINVAL;
	return (mask & NOTIFY_RENAME) && !(s->report & FANOTIFY_NAME) ? -EINVAL : 0;
}

/* ... of the file system and the file at `p`. */
static long
check_place(const struct fanotify_shape *s, const struct path *p, uint32_t flags, uint32_t mask)
{
	const struct inode *i = p->dentry->inode;
	bool add = command_of(flags) == FAN_MARK_ADD, strict;
	int32_t id[2];

	strict = (s->report & FANOTIFY_TARGET) || (mask & NOTIFY_RENAME) || (flags & FAN_MARK_IGNORE);
	if (add && (mask & NOTIFY_PERM_EVENTS) && i->fs->type->no_judges)
		return -EINVAL;
	if (add && (flags & KINDS) && p->mount->internal)
		return -EINVAL;
	if (add && strict && !(flags & KINDS) && !S_ISDIR(i->mode) && (mask & (NOTIFY_ENTRY_EVENTS | EVENT_FLAGS)))
		return -ENOTDIR;
	if (s->report & FANOTIFY_KEYS) {
		filesystem_id(i->fs, id);
		if (!id[0] && !id[1])
			return -ENODEV;
	}
	if (add && (flags & FAN_MARK_IGNORE) && ((flags & KINDS) || S_ISDIR(i->mode)) &&
	    !(flags & FAN_MARK_IGNORED_SURV_MODIFY))
		return flags & KINDS ? -EINVAL : -EISDIR;
	return 0;
}

static enum notify_kind
kind_of(uint32_t flags)
{
	return flags & FAN_MARK_MOUNT	     ? NOTIFY_KIND_MOUNT
	       : flags & FAN_MARK_FILESYSTEM ? NOTIFY_KIND_FILESYSTEM
					     : NOTIFY_KIND_INODE;
}

static long
change_mark(struct file *f, const struct path *p, uint32_t flags, uint32_t mask)
{
	const struct fanotify_shape *s = fanotify_shape_of(f);
	struct fanotify_change c = {
		.kind = kind_of(flags),
		.ignore = flags & IGNORES,
		.own_flags = flags & FAN_MARK_IGNORE,
		.survives = flags & FAN_MARK_IGNORED_SURV_MODIFY,
		.evictable = flags & FAN_MARK_EVICTABLE,
	};
	bool add = command_of(flags) == FAN_MARK_ADD;
	long error;

	if (flags & FAN_MARK_IGNORED_MASK) {
		mask &= ~EVENT_FLAGS;
		c.kept = EVENT_FLAGS;
	}
	error = check_place(s, p, flags, mask);
	if (error)
		return error;
	if ((flags & KINDS) || !S_ISDIR(p->dentry->inode->mode)) {
		mask &= ~NOTIFY_ON_CHILD;
		c.kept = NOTIFY_ON_CHILD;
		/* Who is told of directories is told where files are. */
		if ((s->report & FANOTIFY_DIRECTORY) && add && !c.ignore)
			mask |= NOTIFY_ON_CHILD;
	}
	c.mask = mask;
	return add ? fanotify_add(f, p, &c) : fanotify_remove(f, p, &c);
}

/* The place that is meant, with references; it must be readable. */
static long
find_place(int dirfd, const char __user *uname, uint32_t flags, struct path *out)
{
	long error = 0;
	int bad = 0;

	if (uname) {
		error = user_path_lookup(dirfd, uname,
					 (flags & FAN_MARK_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
						 (flags & FAN_MARK_ONLYDIR ? LOOKUP_DIRECTORY : 0),
					 out);
	} else {
		struct file *f = handle_get(dirfd, RIGHT_NONE, &bad);

		if (!f)
			return bad;
		*out = (struct path){ f->mount, f->dentry };
		if (!f->dentry || !f->inode || ((flags & FAN_MARK_ONLYDIR) && !S_ISDIR(f->inode->mode)))
			error = -ENOTDIR;
		else
			path_get(out);
		file_put(f);
	}
	if (error)
		return error;
	error = vfs_permission(out->dentry->inode, MAY_READ);
	if (error)
		path_put(out);
	return error;
}

long
linux_fanotify_mark(int fd, unsigned int flags, uint64_t mask, int dirfd, const char __user *name)
{
	struct path p;
	struct file *f;
	int bad = 0;
	long error = check_request(flags, mask);

	if (error)
		return error;
	if (flags & FAN_MARK_IGNORED_MASK)
		mask &= ~(uint64_t)EVENT_FLAGS;
	f = handle_get(fd, RIGHT_NONE, &bad);
	if (!f)
		return bad;
	error = file_is_fanotify(f) ? check_group(fanotify_shape_of(f), flags, (uint32_t)mask) : -EINVAL;
	if (error)
		goto put;
	if (command_of(flags) == FAN_MARK_FLUSH) {
		fanotify_flush(f, kind_of(flags));
		goto put;
	}
	error = find_place(dirfd, name, flags, &p);
	if (error)
		goto put;
	error = change_mark(f, &p, flags, (uint32_t)mask);
	path_put(&p);
put:
	file_put(f);
	return error;
}
