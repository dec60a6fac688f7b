/* SPDX-License-Identifier: MIT */
/*
 * inode.h - file systems, inodes, names (dentries) and mounts.
 *
 * An inode is a file; a dentry is a name in a directory, cached or (in memory file systems) all there
 * is; a mount puts a file system's tree over a dentry. A path is a (mount, dentry) pair.
 *
 * Lock order: MOUNT, RENAME, INODE (directory), INODE_CHILD, then the spinlocks DENTRY, INODE_CACHE.
 */
#ifndef TESSERA_INODE_H
#define TESSERA_INODE_H

#include <tessera/atomic.h>
#include <tessera/file.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/namespace.h>
#include <tessera/path.h>
#include <tessera/rcu.h>
#include <tessera/time.h>
#include <tessera/types.h>
#include <tessera/wait.h>

#define S_IFMT   0170000u
#define S_IFSOCK 0140000u
#define S_IFLNK  0120000u
#define S_IFREG  0100000u
#define S_IFBLK  0060000u
#define S_IFDIR  0040000u
#define S_IFCHR  0020000u
#define S_IFIFO  0010000u
#define S_ISUID  0004000u
#define S_ISGID  0002000u
#define S_ISVTX  0001000u
#define S_ISDIR(m)  (((m) & S_IFMT) == S_IFDIR)
#define S_ISREG(m)  (((m) & S_IFMT) == S_IFREG)
#define S_ISLNK(m)  (((m) & S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m) & S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m) & S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m) & S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m) & S_IFMT) == S_IFSOCK)

#define NAME_MAX 255
#define PATH_MAX 4096
#define SYMLINK_DEPTH_MAX 40

#define DEV(major, minor) ((dev_t)(major) << 32 | (uint32_t)(minor))
#define DEV_MAJOR(d) ((uint32_t)((d) >> 32))
#define DEV_MINOR(d) ((uint32_t)(d))

struct backing;
struct cred;
struct dentry;
struct file_key;
struct filesystem;
struct fs_stat;
struct inode;
struct mount;
struct notify_object;
struct posix_acl;

/* What stat and statx tell. */
struct file_stat {
	dev_t device;
	ino_t inode;
	mode_t mode;
	uint32_t links;
	uid_t uid;
	gid_t gid;
	dev_t rdev;
	uint64_t size, block_size, blocks; /* blocks of 512 bytes */
	struct timespec64 accessed, modified, changed, born;
	uint64_t mount_id;
	uint32_t attributes, attributes_known; /* of INODE_CHATTR; known: the file system has them */
	bool no_birth;                         /* nobody knows `born` */
	enum stat_wish { STAT_AS_USUAL, STAT_FRESH, STAT_CACHED } wish; /* told to get_attributes */
};

/* What to change: chmod, chown, utimens. */
#define ATTR_MODE  BIT(0)
#define ATTR_UID   BIT(1)
#define ATTR_GID   BIT(2)
#define ATTR_ATIME BIT(4)
#define ATTR_MTIME BIT(5)
#define ATTR_CTIME BIT(6)
#define ATTR_ATIME_NOW BIT(7)
#define ATTR_MTIME_NOW BIT(8)
struct inode_change {
	uint32_t what;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec64 accessed, modified;
};

/* readdir hands each entry to emit(); false: full, stop and do not advance. */
struct dir_context {
	bool (*emit)(struct dir_context *ctx, const char *name, size_t length, loff_t next_position,
		     ino_t inode, unsigned int type /* DT_* = (mode >> 12) & 15 */);
	loff_t position;
};

struct inode_ops {
	const char *name;
	bool has_flags;                                        /* chattr(1) works: INODE_CHATTR */
	/* All are called with the directory's inode->lock held: for writing when they change it, for
	 * reading in lookup; unlink, rmdir and rename with that of the inode that loses a name, too. They fill `d`'s inode (dentry_attach) on success. Empty: -EPERM, or as
	 * noted. */
	int (*lookup)(struct inode *dir, struct dentry *d);    /* leaves d negative when absent: 0 */
	int (*create)(struct inode *dir, struct dentry *d, mode_t mode);
	/* Create and open in one step, where that must be one: f gets `private` and FILE_OPENED, or stays as it is and
	 * is opened as any. `flags`: O_*. Empty: create. */
	int (*create_open)(struct inode *dir, struct dentry *d, mode_t mode, uint32_t flags, struct file *f);
	int (*mknod)(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev);
	int (*mkdir)(struct inode *dir, struct dentry *d, mode_t mode);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);     /* -ENOTEMPTY is its check */
	int (*rename)(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
		      struct dentry *to, unsigned int flags); /* RENAME_* checked by vfs */
	int (*tmpfile)(struct inode *dir, mode_t mode, struct inode **out);
	int (*tmpfile_open)(struct inode *dir, mode_t mode, uint32_t flags, struct file *f, struct inode **out);
	/* The target, into buf: length or errno. Only for symlinks. */
	ssize_t (*readlink)(struct inode *i, char *buf, size_t size);
	/* Magic links (/proc/PID/fd/N, exe, cwd): jump straight to a path. Empty: follow readlink. */
	int (*jump)(struct inode *i, struct mount **mount, struct dentry **dentry);
	int (*set_attributes)(struct inode *i, const struct inode_change *c); /* empty: generic */
	/* All of it is the file system's, who may change what as well. i->lock is held for writing. Empty: the above. */
	int (*change)(struct inode *i, const struct inode_change *c);
	int (*truncate)(struct inode *i, struct file *f, uint64_t size);      /* no lock is held. Empty: its object's */
	int (*get_attributes)(struct inode *i, struct file_stat *st);         /* empty: generic */
	int (*permission)(struct inode *i, int mask);          /* empty: generic mode bits */
	int (*open)(struct inode *i, struct file *f);          /* may set f->ops, f->private */
	/* May this cached dentry still be believed (procfs)? Empty: yes. */
	bool (*revalidate)(struct dentry *d);
	ssize_t (*get_xattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*set_xattr)(struct inode *i, const char *name, const void *buf, size_t size, int flags);
	ssize_t (*list_xattr)(struct inode *i, char *buf, size_t size);
	int (*remove_xattr)(struct inode *i, const char *name);
	/* Which block of its disk, 0: none. */
	int (*bmap)(struct inode *i, uint64_t block, uint32_t block_size, uint64_t *out);
	void (*evict)(struct inode *i);                        /* last reference and no links: free */
};

/*
 * [I] immutable  [l] lock for writing  [a] atomic  [c] the file system's inode table lock
 */
struct inode {
	struct refcount refs;
	const struct inode_ops *ops;         /* [I] */
	const struct file_ops *file_ops;     /* [I] of a plain open */
	struct filesystem *fs;               /* [I] counted by mounts, not by inodes */
	ino_t number;                        /* [I] */
	mode_t mode;                         /* [l] read without it */
	uid_t uid;                           /* [l] */
	gid_t gid;                           /* [l] */
	uint32_t links;                      /* [l] */
	dev_t rdev;                          /* [I] */
	uint64_t size;                       /* [l] for directories and links; files: object->size */
	struct timespec64 accessed, modified, changed, born; /* [l]; accessed, and by writes to mappings, without it */
	struct dentry *alias;                /* dentry_lock: a directory's name, not counted; of types with foreign_names */
	struct rwlock lock;                  /* class INODE */
	struct memory_object *object;        /* [I] page cache of regular files, a reference; NULL */
	uint32_t writers;                    /* [a] open for writing; exec refuses with ETXTBSY */
	uint32_t readers;                    /* [a] open for reading only: FILE_READER */
	int32_t deny_write;                  /* [a] being executed */
	void *pipe;                          /* fifo.c: the pipe of a named pipe */
	struct inode_claims *locks;          /* file_lock.c: POSIX and flock locks */
	struct inode_claims *leases;         /* lease.c */
	struct notify_object *notify;        /* [a] marks on it: vfs/notify.c */
	struct posix_acl *acl, *default_acl; /* [l] references; read as vfs/posix_acl.c says */
	uint32_t seals;                      /* [l] memfd */
	uint8_t write_hint;                  /* [a] fcntl's F_SET_RW_HINT */
	uint32_t attributes;                 /* [l] INODE_*; read without it */
	bool has_caps;                       /* [l] file capabilities: file_caps.h */
	void *private;                       /* the file system's */
	struct list fs_node;                 /* [c] fs->inodes */
	struct rcu_head rcu;                 /* once it is gone: walks may still look at its mode */
};

/*
 * [d] dentry_lock (class DENTRY)  [r] the same, read without it as vfs/dentry.c says  [I]  [a]
 */
struct dentry {
	struct refcount refs;          /* [a] 0: unused, may be had again; DENTRY_DEAD */
	uint32_t hash;                 /* [r] */
	struct dentry *parent;         /* [r] a reference; itself at a root */
	struct dentry *hash_next;      /* [r] in its bucket */
	struct inode *inode;           /* [r] a reference; NULL: negative */
	char *name;                    /* [r] points to `short_name` or allocated */
	uint16_t length;               /* [r] */
	bool hashed;                   /* [r] reachable by look-up; false after unlink */
	bool listed;                   /* [r] on the list of unused ones, where some are that are in use again */
	bool used;                     /* [a] since it was last looked at there */
	uint32_t mounted;              /* [r] mounts on it */
	struct dentry **hash_link;     /* [d] what points to it there */
	uint64_t expires;              /* [a] the file system's: until when it is believed, monotonic ns */
	struct list siblings;          /* [d] in parent->children */
	struct list children;          /* [d] */
	union {
		struct list lru;       /* [d] while `listed` */
		struct rcu_head rcu;   /* once it is dead */
	};
	struct filesystem *fs;         /* [I] */
	char short_name[40];           /* [r] the last byte is always 0 */
};

struct filesystem_type {
	bool (*is_another)(void);      /* a single one: does the caller get one of its own? Empty: never */
	bool user_mount;               /* who owns its mount namespace may mount it */
	bool own_devices;              /* its device nodes are of its making, and good wherever it is mounted */
	const char *name;
	uint32_t magic;                /* statfs f_type */
	bool no_device;                /* "nodev" in /proc/filesystems */
	/* Make fs->root. `options` as given to mount(2). 0 or an errno. */
	int (*mount)(struct filesystem *fs, const char *source, const char *options);
	/* The instance to mount, with a reference, in place of a new one. Empty: `mount` makes one. */
	int (*instance)(struct filesystem **out);
	void (*unmount)(struct filesystem *fs); /* last mount gone: free private */
	int (*statfs)(struct filesystem *fs, struct fs_stat *st);
	int (*remount)(struct filesystem *fs, const char *options); /* empty: -EINVAL unless no options */
	void (*show_options)(struct filesystem *fs, char *out, size_t size);
	/* Is `key` an option, with this value (NULL: without one)? 0, -ENOENT: no option, -EINVAL: a bad value.
	 * Empty: there are no options. */
	int (*check_option)(const char *key, const char *value);
	/* For file handles (vfs/file_handle.c): one name of `i`, NAME_MAX + 1 bytes, and its directory, with a
	 * reference. -ENOENT: it has none (any more). Empty: files of this type have no handles. */
	int (*name_of)(struct inode *i, struct inode **dir, char *name);
	/* Or a type that finds its files itself: the key of `i`, and the inode of one, with a reference; ERR_PTR(-ESTALE). */
	void (*key_of)(const struct inode *i, struct file_key *key);
	struct inode *(*find_key)(struct filesystem *fs, const struct file_key *key);
	/* The last mount is gone, nothing has been forgotten yet: what else holds inodes lets them go. May sleep. */
	void (*leave)(struct filesystem *fs);
	void (*force)(struct filesystem *fs); /* umount -f: end what makes it busy */
	bool has_subtype;              /* "type.subtype" mounts it; shown as fs->subtype */
	bool own_umask;                /* takes the umask off by itself */
	bool foreign_names;            /* names change without us: directories remember where they are (inode->alias) */
	bool late_options;             /* options are looked at when it is mounted, not when they are named */
	bool single;                   /* one instance for all mounts: proc, devfs */
	bool no_cache;                 /* names are forgotten as soon as nobody uses them: proc */
	bool no_judges;                /* nobody is asked for permission to open its files: proc */
	struct list node;
};

struct fs_stat {
	uint64_t type, block_size, blocks, free, available, files, files_free, name_max, flags;
	uint64_t fragment_size;        /* 0: block_size */
	const struct inode *of;        /* of which file it was asked; NULL: of none */
};

struct filesystem {
	struct refcount refs;
	const struct filesystem_type *type;
	dev_t device;                  /* [I] st_dev */
	struct dentry *root;           /* [I] a reference */
	struct mutex rename_lock;      /* class RENAME */
	struct spinlock inodes_lock;   /* class INODE_CACHE */
	struct list inodes;            /* inodes_lock */
	uint64_t next_inode;           /* [a] */
	struct user_namespace *user_ns; /* [I] reference: who made it; set-id bits and devices count below it only */
	uint64_t dentries;             /* [a] that have not been freed entirely */
	char *subtype;                 /* [I] or NULL */
	bool readonly;                 /* [a] on whatever mount */
	uint32_t writers;              /* [a] files open for writing, on all mounts */
	struct list instance_node;     /* inode.c: among all instances */
	struct notify_object *notify;  /* [a] marks on it: vfs/notify.c */
	struct backing *backing;       /* [I] its own, or its disk's: what syncfs writes; NULL: memory */
	void *private;
};

#define MOUNT_READONLY BIT(0)
#define MOUNT_NOSUID   BIT(1)
#define MOUNT_NODEV    BIT(2)
#define MOUNT_NOEXEC   BIT(3)
#define MOUNT_NOSYMFOLLOW BIT(8)
#define MOUNT_NOATIME  BIT(10)
#define MOUNT_NODIRATIME BIT(11)
#define MOUNT_RELATIME BIT(21)

extern int mount_max;                  /* [a] mounts in one namespace */
struct mount_namespace;
struct peer_group;
struct user_namespace;

/* [M] mount_lock (class MOUNT)  [a] atomic */
struct mount {
	struct refcount refs;
	uint64_t id;                   /* [I] */
	struct filesystem *fs;         /* [I] reference */
	struct dentry *root;           /* [I] reference: what of the file system shows */
	struct mount *parent;          /* [M] reference unless lapsed; NULL: the top of its tree */
	struct dentry *mountpoint;     /* [M] reference */
	struct list children;          /* [M] */
	struct list sibling;           /* [M] */
	struct list attached_node;     /* [M] of all that are attached to another */
	struct peer_group *group;      /* [M] in which it is shared; NULL: in none */
	struct list peer_node;         /* [M] in group->members */
	struct peer_group *master;     /* [M] of which it is a slave; NULL: of none */
	struct list slave_node;        /* [M] in master->slaves */
	struct list work;              /* [M] in lists of a change being made; then of who puts it */
	struct mount *target;          /* [M] where this copy is going to be attached, during a change */
	uint32_t flags;                /* [M] MOUNT_*; read without it */
	uint32_t locked_flags;         /* [M] of them those that nobody here may take off */
	uint32_t writers;              /* [a] files open for writing through it */
	bool locked;                   /* [M] to its parent: see vfs/mount_namespace.c */
	bool unbindable;               /* [M] */
	bool lapsed;                   /* [M] unmounted with its parent, to which it stays attached */
	bool going;                    /* [M] during a change: is to be unmounted */
	bool fresh_group;              /* [M] during a change: `group` was made for it */
	bool expiring;                 /* [a] not used since MNT_EXPIRE was last asked for */
	bool internal;                 /* [I] of pipes, memfds ...: never in the tree */
	struct mount_namespace *ns;    /* [M] in whose tree; NULL: in none */
	struct mount *copy;            /* [M] what it became in the last copy of its namespace's tree */
	struct notify_object *notify;  /* [a] marks on it: vfs/notify.c */
	char *source;                  /* [I] */
};

/* --- look-up (vfs/path_walk.c) ----------------------------------------------------------------- */

#define LOOKUP_FOLLOW    BIT(0) /* the last symlink too */
#define LOOKUP_DIRECTORY BIT(1) /* -ENOTDIR otherwise */
#define LOOKUP_EMPTY     BIT(3) /* AT_EMPTY_PATH */
#define LOOKUP_NO_SYMLINKS BIT(4)
#define LOOKUP_BENEATH   BIT(5)
#define LOOKUP_IN_ROOT   BIT(6)
#define LOOKUP_NO_XDEV   BIT(7)
#define LOOKUP_NO_MAGICLINKS BIT(8)
#define LOOKUP_CREATE    BIT(9)  /* the directory handle must have RIGHT_CREATE */
#define LOOKUP_REMOVE    BIT(10) /* ... RIGHT_UNLINK */

#define AT_FDCWD -100

/* Resolve `name` from handle `dirfd` (AT_FDCWD: working directory). The path holds references:
 * path_put(). Errors as path_resolution(7). */
int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *out);
void path_get(const struct path *p);
void path_put(struct path *p);
/* What `name` in the directory of `p` leads to, mounts followed, links not; permissions are not asked. 0 with
 * references in *out, -ENOENT, -ENOMEM. */
int path_sibling(const struct path *p, const char *name, struct path *out);
/* Absolute name as seen from the caller's root, "(unreachable)" and " (deleted)" as Linux writes.
 * Returns a pointer into buf, or ERR_PTR(-ENAMETOOLONG). */
char *path_name(const struct path *p, char *buf, size_t size);

#define PATH_UNREACHABLE BIT(0)
#define PATH_DELETED     BIT(1)
/* The bare name of `p` below `root`, and what is to be said about it. */
char *path_name_from(const struct path *p, const struct path *root, char *buf, size_t size,
		     unsigned int *state);

/* --- files by handle (vfs/file_handle.c) --------------------------------------------------------- */

/* What finds a file of one file system again without a name. */
struct file_key {
	uint32_t generation;           /* of the instance: a key of another one finds nothing. `own`: of the file */
	ino_t inode;
	bool own;                      /* of a type that finds its files itself: filesystem_type.find_key */
};
/* -EOPNOTSUPP: such files have none. */
int vfs_file_key(const struct path *p, struct file_key *key);
int vfs_inode_key(const struct inode *i, struct file_key *key);
/* Two numbers that name a file system beside its files' keys; zeros where they have none. */
void filesystem_id(const struct filesystem *fs, int32_t id[2]);
/* The file of `key` on the mount of `at`, references in *out, permissions not asked. -ESTALE: it is gone. */
int vfs_find_key(const struct path *at, const struct file_key *key, struct path *out);
/* Open what is at `p` itself as open(2) would if its name led there. */
int vfs_open_found(const struct path *p, uint32_t flags, struct file **out);

/* --- operations on names (vfs/namei ops): permission checks, locking, then inode_ops ----------- */
int vfs_open(int dirfd, const char *name, uint32_t flags, mode_t mode, unsigned int lookup,
	     struct file **out);
/* The child `name` of the directory `dir` itself, mounts on it and the caller's permissions ignored. */
int vfs_open_child(const struct path *dir, const char *name, uint32_t flags, struct file **out);
/* For exec, which has checked MAY_EXEC itself: a program need not be readable by who runs it. */
int vfs_open_exec(const struct path *p, struct file **out);
/* For who has been told of an event at `p`: no permission is asked, nobody is told of what is done with it. */
int vfs_open_unwatched(const struct path *p, uint32_t flags, struct file **out);
int vfs_mkdir(int dirfd, const char *name, mode_t mode);
int vfs_mknod(int dirfd, const char *name, mode_t mode, dev_t rdev);
/* The same, and what was made, with references. */
int vfs_mknod_path(int dirfd, const char *name, mode_t mode, dev_t rdev, struct path *made);
int vfs_symlink(const char *target, int dirfd, const char *name);
int vfs_link(int olddir, const char *old, int newdir, const char *new_name, int flags);
int vfs_unlink(int dirfd, const char *name, bool directory);
int vfs_rename(int olddir, const char *old, int newdir, const char *new_name, unsigned int flags);
int vfs_permission(struct inode *i, int mask); /* MAY_* with the caller's fsuid */
int vfs_set_attributes(const struct path *p, struct inode_change *c);
int vfs_stat(const struct path *p, struct file_stat *st);
int vfs_stat_wish(const struct path *p, struct file_stat *st, enum stat_wish wish);
int vfs_stat_file(struct file *f, struct file_stat *st);
/* Entries from the file's position on, until emit is full. -ENOTDIR, -ENOENT (removed), ... */
int vfs_readdir(struct file *f, struct dir_context *ctx);
/* A file in memory without a name but `name` for /proc (memfd). */
int memory_file_create(const char *name, uint32_t flags, struct file **out);
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
#define MAY_ACCESS 16 /* only asked, as access(2) does */
#define MAY_CHDIR  64
/* `readonly`: the file system, beside what `flags` says of the mount. */
int vfs_mount(const char *source, const struct path *where, const char *type, uint32_t flags, bool readonly,
	      const char *options);
#define UNMOUNT_FORCE  1
#define UNMOUNT_DETACH 2
#define UNMOUNT_EXPIRE 4
int vfs_unmount(struct path *p, int flags);

/* ftruncate and truncate after the look-up: 0, -EINVAL, -EFBIG (SIGXFSZ), -EPERM (sealed), -ETXTBSY. */
int vfs_truncate_file(struct file *f, loff_t size);
int vfs_truncate_path(const struct path *p, loff_t size);
/* memfd seals, fcntl's values. */
#define SEAL_SEAL         1u
#define SEAL_SHRINK       2u
#define SEAL_GROW         4u
#define SEAL_WRITE        8u
#define SEAL_FUTURE_WRITE 16u

/*
 * /proc/sys/fs/protected_*: rules for sticky directories that others may write to. 0: off.
 */
struct vfs_protection {
	int symlinks;  /* [a] 1: followed only for their owner or the directory's */
	int hardlinks; /* [a] 1: made only of what one owns, or may read and write */
	int fifos;     /* [a] 1: O_CREAT opens no FIFO of another; 2: nor where only a group may write */
	int regular;   /* [a] the same of regular files */
};
extern struct vfs_protection vfs_protection;

/* inode->attributes */
#define INODE_IMMUTABLE BIT(0)  /* chattr(1)'s: neither it nor its names change */
#define INODE_APPEND    BIT(1)  /* grows only */
#define INODE_NODUMP    BIT(2)  /* says nothing to the kernel */
#define INODE_NOATIME   BIT(3)
#define INODE_LINKABLE  BIT(31) /* an O_TMPFILE that linkat may give a name */
#define INODE_CHATTR    (INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP | INODE_NOATIME)
#define INODE_INHERITED (INODE_NODUMP | INODE_NOATIME) /* from a directory by what is made in it */
#define INODE_FROZEN    (INODE_IMMUTABLE | INODE_APPEND) /* attributes and names cannot change */

/*
 * chattr(1): `flags` of INODE_CHATTR in place of the present ones; `known`: nothing else was asked for. -EROFS,
 * -EPERM, or -EOPNOTSUPP where something was.
 */
int vfs_set_inode_flags(struct file *f, uint32_t flags, bool known);

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

/* Show a part of the tree (with the mounts in it) at another place; change flags and options; move. */
int vfs_bind(const struct path *from, const struct path *where, bool recursive);
int vfs_remount(const struct path *where, uint32_t flags, bool readonly, const char *options);
int vfs_remount_bind(const struct path *where, uint32_t flags);
int vfs_move_mount(const struct path *from, const struct path *where);
/* How a mount takes part in what happens to others: vfs/mount_groups.c. */
enum mount_propagation { MOUNT_PRIVATE, MOUNT_UNBINDABLE, MOUNT_SLAVE, MOUNT_SHARED };
int vfs_change_propagation(const struct path *where, enum mount_propagation to, bool recursive);
int vfs_share_group(const struct path *from, const struct path *to);
/* mount_setattr(2). */
struct mount_change {
	uint32_t set, clear;           /* MOUNT_* */
	bool propagates;               /* `to` is to be set */
	enum mount_propagation to;
	bool recursive;
};
int vfs_change_mount(const struct path *where, const struct mount_change *c);
/* A copy of what is at `from` in a tree of its own, attached nowhere: an O_PATH file, whose release ends the tree unless
 * it has been attached. */
int vfs_open_copy(const struct path *from, bool recursive, struct file **out);
int vfs_open_detached(struct mount *m, struct file **out); /* takes over the reference */
int vfs_open_path(const struct path *p, struct file **out);
void mount_released(struct file *f);
void mount_writer_remove(struct mount *m); /* a file counted in its writers is closed */
static inline bool
mount_is_readonly(const struct mount *m)
{
	return m && ((READ_ONCE(m->flags) & MOUNT_READONLY) || READ_ONCE(m->fs->readonly));
}
bool mount_may_change(void); /* CAP_SYS_ADMIN over the caller's mount namespace */
/* Do set-id bits on `m` count for one who lives in `of`? */
bool mount_may_set_id(const struct mount *m, const struct user_namespace *of);
/* Is the caller's root another than its mount namespace's? */
bool fs_context_is_confined(void);
/* For <tessera/namespace.h>'s sets. The copy with one reference, NULL: no memory. */
struct namespace;
struct fs_context;
extern struct mount_namespace {
	struct namespace ns;
	struct mount *root;            /* [M] a reference */
	uint64_t event;                /* [M] changes; read without it */
	uint32_t count, pending;       /* [M] mounts in the tree; those a change is going to add */
	struct wait_queue changed;
} init_mount_namespace;
struct namespace *mount_namespace_copy(struct namespace *from, struct user_namespace *owner, struct fs_context *fs);
void mount_namespace_release(struct namespace *ns);
void mount_namespace_entered(struct namespace *ns); /* root and cwd of the caller become its top */
int vfs_pivot_root(const struct path *new_root, const struct path *put_old);

/* --- the caller's directories (vfs/fs_context.c); what is given out has references ------------- */
void fs_context_root(struct path *out);
void fs_context_cwd(struct path *out);
void fs_context_set_cwd(const struct path *p);
void fs_context_set_root(const struct path *p);
mode_t fs_context_umask(void);
mode_t fs_context_set_umask(mode_t mask);

/* The tree of mounts, and up to `show` inodes of each file system in it, to the log; no locks. */
void mount_dump(void);
void inode_dump(uint32_t show);

/* --- caches ------------------------------------------------------------------------------------ */
struct inode *inode_create(struct filesystem *fs, mode_t mode); /* refs 1, times now, caller's ids */
static inline void
inode_get(struct inode *i)
{
	ref_get(&i->refs);
}
void inode_put(struct inode *i);
void inode_touch_modified(struct inode *i); /* contents: modified and changed are now */
/* Something was read through an open file: the access time, as its mount and O_NOATIME want it. */
void file_touch_accessed(const struct file *f);
/* Something was written through it that no lock of the inode's covers; takes that lock. */
void file_touch_modified(const struct file *f);
void dentry_attach(struct dentry *d, struct inode *i); /* takes over the reference; NULL: negative */
struct dentry *dentry_create_root(struct filesystem *fs, struct inode *i);
struct dentry *dentry_create(struct dentry *parent, const char *name, size_t length);
static inline void
dentry_get(struct dentry *d)
{
	ref_get(&d->refs);
}
void dentry_put(struct dentry *d);
/* The name of a directory of a type with foreign_names, where one is known, with a reference. */
struct dentry *inode_alias(struct inode *i);
/* What d is called now, into `name` (NAME_MAX + 1 bytes), and in which directory, with a reference. */
struct dentry *dentry_place(struct dentry *d, char *name);
/* The name is gone: no look-up finds it any more. Users keep their references. */
void dentry_drop(struct dentry *d);
/* Free up to n unused cached names; how many were freed. Under memory pressure. */
size_t dentry_shrink(size_t n);
/* A file of an anonymous kind (eventfd, epoll ...) with a name for /proc/PID/fd: "anon_inode:[type]".
 * As file_create. */
struct file *anonymous_file_create(const struct file_ops *ops, uint32_t flags, void *private);
/* An inode of its own that no directory names (pipes): refs 1, or NULL. */
struct inode *anonymous_inode_create(mode_t mode);
/* An open file of such an inode, shown as `name`. Takes a reference to `i`. As file_create. */
struct file *anonymous_inode_open(struct inode *i, const char *name, const struct file_ops *ops,
				  uint32_t flags, void *private);
struct timespec64 inode_now(void);

/*
 * Options as mount(2) gets them, "key=value,key": take() sees each in its order, `value` NULL where there is none,
 * and the first errno ends it. Its -ENOENT, no such option, is -EINVAL to the caller; or -ENOMEM. NULL: none.
 */
int mount_options_each(const char *options, int (*take)(void *into, const char *key, const char *value), void *into);
int filesystem_register(struct filesystem_type *t);
/* The instance whose files have this st_dev, with a reference; NULL: none. */
struct filesystem *filesystem_by_device(dev_t device);
int filesystem_statfs(struct filesystem *fs, const struct inode *of, struct fs_stat *st);
/* The types in the order of their registration: how many, which place `name` has (-EINVAL), what stands there (NULL). */
int filesystem_type_count(void);
int filesystem_type_place(const char *name);
const char *filesystem_type_at(unsigned int place);
void filesystem_put(struct filesystem *fs); /* may sleep: the last one frees all that is cached of it */
void fuse_dump(void);                /* connections, their requests, to the log; no locks */
void vfs_init(void);                 /* caches, rootfs (tmpfs) mounted as / */
/* Unpack a cpio archive into /. Frames of page-aligned file data become tmpfs's own. */
int initramfs_unpack(paddr_t start, size_t size);

/* Character devices: devfs creates the node, `name` in /dev with at most one directory, open finds `ops` by number. */
#define MAJOR_VFIO 245 /* groups of devices that programs drive */
void chrdev_unregister(dev_t dev); /* what is open stays open */
int chrdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
		    int (*open)(struct inode *i, struct file *f));
/* The same for `count` minors of which the nodes come and go: devfs_add(), and `open` knows which are there. */
int chrdev_register_range(const char *name, dev_t dev, uint32_t count, const struct file_ops *ops,
			  int (*open)(struct inode *i, struct file *f));
/* A node in /dev, of root; `name` may lead through folders, which are made. 0, -EEXIST, -ENOMEM. And away with it, if
 * it is there. */
int devfs_add(const char *name, mode_t mode, dev_t dev);
void devfs_remove(const char *name, dev_t dev);
/* procfs: files with a show function; see vfs/procfs/. */
struct process;
/* The process whose directory /proc/PID is open as f, with a reference; NULL: f is something else, or the
 * process is gone. */
struct process *procfs_process_of(struct file *f, int *error); /* -EBADF: not such a directory; -ESRCH: gone */

#endif
