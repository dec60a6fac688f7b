/* SPDX-License-Identifier: MIT */
/*
 * fuse.h - what the files of the FUSE client share: connections, devices, requests, nodes, open files.
 *
 * A connection joins one file system (or one CUSE device) to the daemon that serves it. The daemon holds it by one
 * or more devices, open /dev/fuse files. Callers make requests; a device's reader takes them, its writer answers.
 *
 *	        queue        read             answer          what it brought is seen to
 *	MADE ---------> PENDING ----> SENT ------------> ENDING -----------------------> DONE
 *	   \--> WAITING --^            |                   ^
 *	  (background, over the limit) +-- abort, the device's end, with an error
 *
 * Who waits goes on at DONE, and finds nobody else at what the request was about.
 *
 * A request owns all memory that the daemon's side touches: its arguments, its answer, references to its pages. So a
 * caller that is killed walks away at once: what the late answer brings (a node's count, an open file) is given
 * back to the daemon by whoever receives it. Nothing here waits for a daemon in a way that SIGKILL does not end.
 *
 * Locks: conn->lock (class FUSE) for requests, queues and devices; conn->nodes_lock (FUSE_NODES) for the table of
 * nodes; node->lock (FUSE_NODE) for attributes. None is held while memory is copied or allocated.
 */
#ifndef TESSERA_VFS_FUSE_FUSE_H
#define TESSERA_VFS_FUSE_FUSE_H

#include <tessera/file.h>
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/rbtree.h>
#include <tessera/wait.h>

#include "../vfs.h"
#include "protocol.h"

#define FUSE_MAGIC 0x65735546u

#define FUSE_PAGES_DEFAULT 32u
#define FUSE_PAGES_MAX     256u
#define FUSE_BACKGROUND_DEFAULT 12u
#define FUSE_CONGESTION_DEFAULT 9u
#define FUSE_READAHEAD     (32u * PAGE_SIZE)

struct backing;
struct fuse_device;
struct fuse_file;
struct fuse_request;

/* What a daemon has said that it does not have: not asked again. Bits of conn->lacks. */
enum fuse_lack {
	LACK_OPEN, LACK_OPENDIR, LACK_CREATE, LACK_TMPFILE, LACK_FLUSH, LACK_FSYNC, LACK_FSYNCDIR, LACK_ACCESS,
	LACK_SETXATTR, LACK_GETXATTR, LACK_LISTXATTR, LACK_REMOVEXATTR, LACK_BMAP, LACK_POLL, LACK_FALLOCATE,
	LACK_RENAME2, LACK_LSEEK, LACK_COPY_RANGE, LACK_INTERRUPT, LACK_COUNT,
};

/* A count of look-ups to be given back: LOOKUP's counterpart. */
struct fuse_forget {
	struct fuse_forget *next;
	uint64_t node, count;
};

/*
 * [I] immutable once mounted  [n] written by INIT's answer, read after `ready`  [l] lock  [a] atomic  [t] nodes_lock
 * [C] connections_lock
 */
struct fuse_connection {
	struct refcount refs;              /* its file system, its devices, requests under way */
	struct spinlock lock;              /* class FUSE */
	struct list all_node;              /* [C] */
	uint32_t number;                   /* [I] in /sys/fs/fuse/connections */
	bool listed;                       /* [C] */

	struct user_namespace *user_ns;    /* [I] reference: ids are told in it */
	struct pid_namespace *pid_ns;      /* [I] reference */
	struct filesystem *fs;             /* `alive`, not counted; NULL: CUSE, or unmounted */
	uid_t user;                        /* [I] who mounted it */
	gid_t group;                       /* [I] */
	uint32_t max_read;                 /* [I] */
	uint32_t block_size;               /* [I] fuseblk's */
	bool allow_other;                  /* [I] */
	bool destroy;                      /* [I] tell the daemon before the end, and wait */
	bool is_cuse;                      /* [I] */
	bool default_permissions;          /* [n] */
	bool asked_permissions;            /* [I] ... as an option */
	struct rwlock alive;               /* class FUSE_ALIVE: read while a notice or a late answer uses `fs` */

	uint64_t flags;                    /* [n] FUSE_*: what both sides have */
	uint32_t minor;                    /* [n] */
	uint32_t max_write, max_pages;     /* [n] */
	uint32_t max_readahead;            /* [n] */
	uint32_t granularity;              /* [n] ns of times */
	uint64_t lacks;                    /* [a] bits by enum fuse_lack */

	bool connected;                    /* [l] read without it */
	bool ready;                        /* [a] INIT has been answered */
	bool refused;                      /* [a] ... not to our liking */
	bool aborted;                      /* [a] by the control file system */
	uint64_t unique;                   /* [l] last given */
	struct list pending;               /* [l] requests to be read */
	struct list interrupts;            /* [l] requests whose INTERRUPT is to be read */
	struct list waiting_background;    /* [l] background requests over the limit */
	struct fuse_forget *forgets, **forgets_end; /* [l] */
	int32_t forget_turn;               /* [l] >= 0: forgets go first */
	uint32_t active;                   /* [l] background requests that are queued or sent */
	uint32_t max_background;           /* [l] of those */
	uint32_t congestion;               /* [a] told by the control file system, and no more */
	uint32_t waiting;                  /* [a] requests not done: for `waiting` */
	uint32_t replies;                  /* [a] bytes of cached data that its daemon asked for and has not read */
	struct list devices;               /* [l] */
	struct list pollers;               /* [l] open files somebody polls */
	struct wait_queue input;           /* readers of devices */
	struct wait_queue room;            /* callers who wait for INIT, or for background requests to be done */
	uint64_t requests, answers, notices, errors; /* [a] counters; errors: what a daemon did wrong */

	struct spinlock nodes_lock;        /* class FUSE_NODES */
	struct rb_tree nodes;              /* [t] by id */
	uint64_t node_count;               /* [t] */
	uint64_t attr_version;             /* [a] grows with each change made here */
	uint64_t next_file;                /* [a] kh of open files */
	uint64_t owner_key[2];             /* [I] lock owners are told scrambled */

	uint64_t complaints;               /* [a] log lines of this daemon's mistakes */
	struct backing *backing;           /* [I] of its files' pages; NULL: CUSE */
	struct cuse_device *cuse;          /* [I] */
	void (*answered)(struct fuse_connection *c, struct fuse_request *r); /* [I] INIT's */
};

/* One open /dev/fuse. */
struct fuse_device {
	struct fuse_connection *conn;      /* [a] reference; NULL until mounted */
	struct list node;                  /* conn->lock */
	struct list sent;                  /* conn->lock: requests read and not answered */
};

enum fuse_state { FUSE_MADE, FUSE_WAITING, FUSE_PENDING, FUSE_SENT, FUSE_ENDING, FUSE_DONE };

/* Bytes of a request or an answer beside its arguments. */
struct fuse_pages {
	struct page **page;                /* references; NULL: none */
	uint32_t count;
	uint32_t offset;                   /* in the first */
	size_t size;
};

#define FUSE_INLINE 96u

/* [o] who made it, until queued; then the answering side, until DONE; then whoever waited  [l] conn->lock */
struct fuse_request {
	struct refcount refs;
	struct fuse_connection *conn;      /* [I] reference */
	struct list node;                  /* [l] in the queue or list of its state */
	struct list interrupt_node;        /* [l] in conn->interrupts */
	struct fuse_device *device;        /* [l] SENT: which reader took it */
	enum fuse_state state;             /* [l] read without it */
	struct fuse_in_header head;        /* [o] */
	char *args;                        /* [o] `inline_args` or its own */
	uint32_t args_size;                /* [o] */
	void *data;                        /* [o] kvmalloc'd: sent behind the arguments */
	size_t data_size;                  /* [o] */
	struct fuse_pages pages;           /* [o] ... or these; with pages_out received into */
	bool pages_out;                    /* [o] */
	void *out;                         /* [o] the answer */
	uint32_t out_size;                 /* [o] room, then length */
	bool out_var;                      /* [o] it may be shorter */
	bool force;                        /* [o] asked even when nobody else may ask */
	bool in_background;                /* [o] */
	bool no_answer;                    /* [o] done as soon as it is read */
	bool was_read;                     /* [l] the daemon has all of it: an INTERRUPT may follow */
	bool interrupted;                  /* [l] its caller got a signal */
	bool abandoned;                    /* [l] ... that killed it: nobody waits */
	bool busy;                         /* [l] an answer is being copied */
	int error;                         /* [o] of the answer */
	uint32_t got;                      /* [o] bytes of the answer behind the head */
	struct wait_queue done;
	void (*end)(struct fuse_request *r); /* [o] once, when ENDING; may be empty */
	void *context;                     /* [o] end's */
	struct fuse_file *file, *other;    /* [o] references until DONE: what it names is not released before; or NULL */
	char inline_args[FUSE_INLINE];
	char inline_out[sizeof(struct fuse_create_out)];
};

/* One file of a daemon's, inode->private. [I] immutable  [f] lock  [t] conn->nodes_lock */
struct fuse_node {
	struct spinlock lock;              /* class FUSE_NODE */
	uint64_t id;                       /* [I] */
	uint64_t generation;               /* [I] */
	struct rb_node tree_node;          /* [t] */
	struct inode *inode;               /* [I] whose it is */
	struct fuse_forget *forget;        /* [I] made with it, so that forgetting needs no memory */
	uint64_t lookups;                  /* [f] */
	uint64_t valid_until;              /* [f] monotonic ns: attributes may be believed; 0: no */
	uint64_t attr_version;             /* [f] conn->attr_version of the last change */
	uint64_t stale_version;            /* [f] the same of when what is known was last declared stale */
	struct fuse_attr attr;             /* [f] as last told */
	bool in_tree;                      /* [t] */
	bool bad;                          /* [a] it turned out to be another file */
	bool stale_times;                  /* [a] reading and writing changed times and blocks at the daemon */
	struct list files;                 /* [f] struct fuse_file.node_link: open ones */
	struct mutex asking;               /* class FUSE_ASKING: see fuse_ask_alone() */
	bool times_ours;                   /* [a] written later: the daemon has not been told of the times yet */
	struct fuse_file *keeper;          /* [f] a reference, while pages are dirty that nobody else has open for writing */
	char *link;                        /* [f] a symlink's body, where it may be kept */
	bool plus_wanted;                  /* [a] readdirplus is of use */
	uint64_t acl_until;                /* [f] access control lists were fetched, good so long */
};

/* An open file as the daemon knows it: file->private. Requests about it keep it; with the last reference it is released. */
struct fuse_file {
	struct refcount refs;
	struct fuse_connection *conn;      /* [I] reference */
	struct inode *inode;               /* [I] reference, until the daemon has let go; NULL: CUSE */
	struct list node_link;             /* node->lock: in node->files */
	uint64_t fh;                       /* [I] */
	uint64_t kh;                       /* [I] our name for it */
	uint64_t node;                     /* [I] its id */
	uint32_t open_flags;               /* [I] FUSE_OPEN_* */
	uint32_t flags;                    /* [I] O_* as the daemon was told */
	bool directory;                    /* [I] */
	bool no_open;                      /* [I] the daemon was not asked and is not told of its end */
	bool flock;                        /* [a] locked with flock at the daemon */
	uint64_t flock_owner;              /* [a] */
	struct fuse_request *release;      /* [I] made with it, so that closing needs no memory */
	struct list poll_node;             /* conn->lock: in conn->pollers */
	bool polled;                       /* conn->lock */
	struct wait_queue poll;
};

/* --- connection.c */
struct fuse_connection *fuse_connection_create(void);
void fuse_connection_put(struct fuse_connection *c);
static inline void
fuse_connection_get(struct fuse_connection *c)
{
	ref_get(&c->refs);
}
void fuse_connection_list(struct fuse_connection *c);
void fuse_connection_unlist(struct fuse_connection *c);
/* Nothing goes to the daemon any more; who waits for it gets ECONNABORTED, who comes ENOTCONN. */
void fuse_abort(struct fuse_connection *c);
int fuse_send_init(struct fuse_connection *c);
bool fuse_may_access(const struct fuse_connection *c);
/* The daemon did something that no good one does: a line in the log, not too many of them. */
void fuse_complain(struct fuse_connection *c, const char *what, uint64_t about);
/* One more device. False: it is one of another already. */
bool fuse_device_attach(struct fuse_device *d, struct fuse_connection *c);
const char *fuse_opcode_name(uint32_t opcode);
void fuse_connections_visit_unlocked(void (*fn)(void *ctx, struct fuse_connection *c), void *ctx); /* for dumps */
void fuse_connections_visit(void (*fn)(void *ctx, struct fuse_connection *c), void *ctx);
struct fuse_connection *fuse_connection_find(uint32_t number);
static inline bool
fuse_has(const struct fuse_connection *c, uint64_t flag)
{
	return c->flags & flag;
}
static inline bool
fuse_lacks(const struct fuse_connection *c, enum fuse_lack what)
{
	return atomic_load_relaxed(&c->lacks) & BIT(what);
}
static inline void
fuse_lacks_it(struct fuse_connection *c, enum fuse_lack what)
{
	atomic_or(&c->lacks, BIT(what));
}

/* --- request.c */
/*
 * A request to `node` with the caller's ids; its arguments are `in` and up to two names, with their zeros (NULL: fewer).
 * NULL: no memory.
 */
struct fuse_request *fuse_request_make(struct fuse_connection *c, enum fuse_opcode op, uint64_t node, const void *in,
				       size_t in_size, const char *name, const char *name2);
/* The same about an open file, which is not released before the request is done, whoever waits for it. */
struct fuse_request *fuse_file_request(struct fuse_file *ff, enum fuse_opcode op, const void *in, size_t in_size);
/* Of nobody: the kernel asks. Is asked even when nobody else may ask. */
void fuse_request_force(struct fuse_request *r);
void fuse_request_put(struct fuse_request *r); /* NULL is nothing to put */
/* Room for an answer of `size` bytes (`var`: up to). False: no memory. */
bool fuse_request_wants(struct fuse_request *r, size_t size, bool var);
/* Send it and wait: 0, the daemon's error, -ENOTCONN, -ECONNABORTED, -EINTR. The answer is in r->out. */
int fuse_request_call(struct fuse_request *r);
/* fuse_request_call() and put; r may be NULL (-ENOMEM). */
int fuse_request_do(struct fuse_request *r);
/* Send it in the background; `end` hears of its end, which may come at once. Takes over the reference. */
void fuse_request_start(struct fuse_request *r);
/* Send it now, behind what was sent before and before what comes later, and do not wait; it has no `end`. Takes over the
 * reference. */
void fuse_request_post(struct fuse_request *r);
/* So many may be with the daemon at once in the background; those that waited for that are sent. */
void fuse_background_limit(struct fuse_connection *c, uint32_t most);
/* It ends with `error`, unless it has ended. conn->lock is free. */
void fuse_request_finish(struct fuse_request *r, int error);
/* An INTERRUPT for `r` is to be read. conn->lock is held. */
void fuse_interrupt_locked(struct fuse_request *r);
/* Wait until the daemon may be asked. 0, -ENOTCONN, -ECONNREFUSED, -EINTR. */
int fuse_wait_ready(struct fuse_connection *c);
void fuse_request_dump(const struct fuse_request *r);

/* --- forget.c */
void fuse_forget_queue(struct fuse_connection *c, struct fuse_forget *f, uint64_t node, uint64_t count);
/* The same with memory of its own; none: the count is lost, the daemon keeps the node until the end. */
void fuse_forget_one(struct fuse_connection *c, uint64_t node, uint64_t count);
/* An open file that nobody got is released. `counted`: and one look-up of its node is given back afterwards. */
void fuse_release_unused(struct fuse_connection *c, uint64_t node, const struct fuse_open_out *open, bool directory,
			 bool counted);
/* What nobody waits for any more: give back what came with it, and what it changed is asked for again. */
void fuse_answer_orphan(struct fuse_request *r);

/* --- device.c */
void fuse_device_init(void);
struct fuse_device *fuse_device_of(struct file *f); /* NULL: not a /dev/fuse */
struct fuse_device *fuse_device_create(void);
void fuse_device_end(struct fuse_device *d);
extern const struct file_ops fuse_device_ops;
ssize_t fuse_device_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
ssize_t fuse_device_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags);
uint32_t fuse_device_poll(struct file *f, struct poll_table *pt);
void fuse_device_release(struct file *f);
void fuse_device_dump(struct file *f);

/* --- notice.c */
/* What `name` in the directory `parent` is, and what is in it, has changed at the daemon. c->alive is held. */
void fuse_entry_stale(struct fuse_connection *c, uint64_t parent, const char *name);
int fuse_notice(struct fuse_connection *c, int kind, struct iov_iter *from);

/* --- node.c */
uint64_t fuse_deadline(uint64_t seconds, uint32_t ns);
bool fuse_attr_is_valid(const struct fuse_attr *a);
static inline struct fuse_node *
fuse_node_of(const struct inode *i)
{
	return i->private;
}
static inline struct fuse_connection *
fuse_of(const struct inode *i)
{
	return i->fs->private;
}
/* The inode of what an answer names, one look-up counted, with a reference. ERR_PTR: -EIO nonsense, -ENOMEM; the count
 * is given back then. `version`: conn->attr_version when it was asked. */
struct inode *fuse_node_get(struct filesystem *fs, const struct fuse_entry_out *e, uint64_t version);
/* The same, but with an error the count stays the caller's to give back. */
struct inode *fuse_node_try(struct filesystem *fs, const struct fuse_entry_out *e, uint64_t version);
/* The count that an answer brought is another inode's. */
void fuse_node_uncount(struct inode *i);
/* The node `id` that is known, with a reference; NULL. */
struct inode *fuse_node_find(struct fuse_connection *c, uint64_t id);
struct inode *fuse_node_root(struct filesystem *fs, mode_t mode);
/* What was asked for at `version`; 0: it is believed in any case. False: it was declared stale since, and is not taken. */
bool fuse_node_update(struct inode *i, const struct fuse_attr *a, uint64_t valid_until, uint64_t version);
void fuse_node_evict(struct inode *i);
/* Attributes are not to be believed any more. */
void fuse_node_stale(struct inode *i);
/* It is not what it was: EIO from now on. */
void fuse_node_bad(struct inode *i);
/* Nobody will write any more: files that were kept open for that are closed. */
void fuse_nodes_drop_keepers(struct fuse_connection *c);
bool fuse_node_is_bad(const struct inode *i);
uint64_t fuse_change_begin(struct fuse_connection *c);

/* --- attributes.c */
int fuse_get_attributes(struct inode *i, struct file_stat *st);
/* Fetch them if they may not be believed. `nowait`: then -EAGAIN. f: an open file of it, or NULL. */
int fuse_refresh(struct inode *i, struct file *f, bool nowait);
int fuse_permission(struct inode *i, int mask);
int fuse_change(struct inode *i, const struct inode_change *ch);
int fuse_truncate(struct inode *i, struct file *f, uint64_t size);
/* The times of what was written here and is, or will be, at the daemon. ff: by which it is open. 0 or an errno. */
int fuse_tell_times(struct inode *i, struct fuse_file *ff);
/* The same, and nobody waits: of stores by a mapping, when the file is closed and all is written. */
void fuse_tell_times_late(struct inode *i, struct fuse_file *ff);
/* Before a write: set-id bits go, unless the daemon sees to that. i->lock is held for writing. */
int fuse_drop_set_ids(struct inode *i);

/* --- names.c */
/*
 * fuse_request_call() with a question about names in `dir`. A daemon that did not agree to FUSE_PARALLEL_DIROPS is asked one
 * at a time in a directory.
 */
int fuse_ask_alone(struct inode *dir, struct fuse_request *r);
extern const struct inode_ops fuse_dir_ops, fuse_link_ops, fuse_file_inode_ops, fuse_special_ops;
/* The node `id` of a daemon that finds nodes by number, with a reference. ERR_PTR: -ESTALE, there is none. */
struct inode *fuse_node_by_number(struct filesystem *fs, uint64_t id);
/* A symlink's body is asked for again. Other files are left alone. */
void fuse_link_stale(struct inode *i);
/* As an answer says it: until when the name may be believed. */
void fuse_dentry_until(struct dentry *d, const struct fuse_entry_out *e);

/* --- directory.c */
extern const struct file_ops fuse_dir_file_ops;
void fuse_forget_entries(struct fuse_connection *c, const char *entries, size_t size);

/* --- open.c */
extern const struct file_ops fuse_file_ops;
int fuse_open(struct inode *i, struct file *f);
struct fuse_file *fuse_file_create(struct fuse_connection *c, bool directory);
void fuse_file_discard(struct fuse_file *ff); /* it was not opened; NULL is fine */
static inline void
fuse_file_get(struct fuse_file *ff)
{
	ref_get(&ff->refs);
}
void fuse_file_put(struct fuse_file *ff); /* the last: RELEASE, which nobody waits for */
/* Use what a daemon's answer says of an open file; `i` (NULL: CUSE) gets a reference more. */
void fuse_file_opened(struct fuse_file *ff, struct inode *i, uint32_t flags, const struct fuse_open_out *out);
/* An open file of `i` that can be read, or written, with a reference; NULL: none. */
struct fuse_file *fuse_file_any(struct inode *i, bool write);
void fuse_file_dump(struct file *f);
int fuse_send_sync(struct file *f, enum fuse_opcode op, enum fuse_lack lack, bool data_only);
static inline struct fuse_file *
fuse_file_of(const struct file *f)
{
	return f->private;
}
void fuse_release(struct file *f);
int fuse_flush(struct file *f, struct handle_table *by);
int fuse_sync(struct file *f, bool data_only);
uint64_t fuse_lock_owner(const struct fuse_connection *c, const void *owner);

/* --- pages.c */
/* What was written is kept and written back later, with size and times that are ours. */
static inline bool
fuse_keeps_writes(const struct inode *i)
{
	return S_ISREG(i->mode) && fuse_has(fuse_of(i), FUSE_WRITEBACK_CACHE);
}
/* `ff` is being closed: pages are dirty that are written by it. True: the node has its reference now. */
bool fuse_keeper_take(struct fuse_file *ff);
struct memory_object *fuse_object_create(struct fuse_connection *c, uint64_t size);
int fuse_pages_init(struct fuse_connection *c);

/* --- transfer.c */
/* The file was read up to `end`, where it ended. True: that is its size now, and pages behind it are to go. */
bool fuse_read_short(struct inode *i, uint64_t end, uint64_t version);
/* It was written up to `end`. */
void fuse_wrote(struct inode *i, uint64_t end);
ssize_t fuse_direct_read(struct file *f, struct iov_iter *to, loff_t *pos);
ssize_t fuse_direct_write(struct file *f, struct iov_iter *from, loff_t *pos);

/* --- extras.c, lock.c, ioctl.c, xattr.c */
loff_t fuse_seek(struct file *f, loff_t offset, int whence);
int fuse_fallocate(struct file *f, int mode, loff_t offset, loff_t length);
ssize_t fuse_copy_range(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, size_t length);
int fuse_lock(struct file *f, struct file_lock_range *r, enum file_lock_act act, const void *owner, bool flock);
long fuse_ioctl(struct file *f, unsigned int command, uintptr_t arg);
long fuse_do_ioctl(struct file *f, unsigned int command, uintptr_t arg, uint32_t flags);
uint32_t fuse_poll(struct file *f, struct poll_table *pt);
void fuse_poll_wake(struct fuse_connection *c, uint64_t kh);
int fuse_bmap(struct inode *i, uint64_t block, uint32_t block_size, uint64_t *out);
/* Access control lists: fetched where they are kept by the daemon and checked here. */
void fuse_acl_fetch(struct inode *i);
void fuse_acl_stale(struct inode *i);
ssize_t fuse_get_xattr(struct inode *i, const char *name, void *buf, size_t size);
int fuse_set_xattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t fuse_list_xattr(struct inode *i, char *buf, size_t size);
int fuse_remove_xattr(struct inode *i, const char *name);

/* --- mount.c, control.c, cuse.c */
void fuse_control_init(void);
void cuse_init(void);

#endif
