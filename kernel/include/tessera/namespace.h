/* SPDX-License-Identifier: MIT */
/*
 * namespace.h - what a process sees of the system: seven kinds of names, each of which there may be many.
 *
 * Every namespace begins with a struct namespace: counted, numbered, owned by a user namespace, against which
 * rights over it are checked. A process holds one of each kind through a struct namespaces, which is shared
 * by processes that see the same and never changes; its user namespace is that of its credentials.
 */
#ifndef TESSERA_NAMESPACE_H
#define TESSERA_NAMESPACE_H

#include <tessera/atomic.h>
#include <tessera/types.h>

struct cred;
struct file;
struct inode;
struct ipc_namespace;
struct path;
struct process;
struct thread;
struct user_namespace;

enum namespace_kind {
	NAMESPACE_CGROUP,
	NAMESPACE_IPC,
	NAMESPACE_MOUNT,
	NAMESPACE_NET,
	NAMESPACE_PID,
	NAMESPACE_TIME,
	NAMESPACE_USER,
	NAMESPACE_UTS,
	NAMESPACE_KINDS,
};

struct namespace {
	struct refcount refs;          /* sets, open files, mounts of it, namespaces below or owned */
	enum namespace_kind kind;      /* [I] */
	uint64_t number;               /* [I] its inode's number in nsfs */
	struct user_namespace *owner;  /* [I] reference; NULL: only the first user namespace */
};

struct namespace_type {
	const char *name;              /* "mnt" */
	uint64_t flag;                 /* CLONE_NEW* */
	void (*release)(struct namespace *ns); /* free it; `owner` is put by the caller. May sleep. */
};
extern const struct namespace_type namespace_types[NAMESPACE_KINDS];

/* A number, one reference, a reference to the owner. */
void namespace_init(struct namespace *ns, enum namespace_kind kind, struct user_namespace *owner);
static inline void
namespace_get(struct namespace *ns)
{
	ref_get(&ns->refs);
}
void namespace_put(struct namespace *ns); /* may sleep, but for user namespaces; NULL is nothing to put */
uint64_t namespace_count(void);           /* of all kinds */

/* [I] all */
struct namespaces {
	struct refcount refs;
	struct namespace *of[NAMESPACE_KINDS]; /* references; NULL: USER, see struct cred; PID, see struct process */
	struct namespace *pid_for_children;    /* reference */
};

extern struct namespaces init_namespaces;
const struct namespaces *current_namespaces(void); /* borrowed; a kernel thread's: the first ones */
/* Another process's, with a reference; NULL: it has ended. */
struct namespaces *process_namespaces(struct process *p);
void namespaces_get(struct namespaces *n);
void namespaces_put(struct namespaces *n);         /* may sleep; NULL is fine */
/*
 * A set like `from` but new ones of the kinds in `flags` (CLONE_NEW*), owned by `c`'s user namespace. `ipc`: what a
 * new IPC namespace stands for. `fs`, to be given with CLONE_NEWNS, moves to the copies of its mounts. The set, or
 * ERR_PTR: -EPERM, -ENOMEM, -ENOSPC.
 */
struct fs_context;
struct namespaces *namespaces_copy(struct namespaces *from, uint64_t flags, const struct cred *c,
				   struct ipc_namespace *ipc, struct fs_context *fs);
/* setns(2): the caller enters `ns`. -EINVAL, -EPERM, -ENOMEM. */
int namespace_enter(struct namespace *ns);
int namespaces_enter(struct process *p, uint64_t flags); /* all of p's of those kinds, or none */
/* The kind's namespace of thread t of p, with a reference; NULL: gone. `children`: for its children. */
struct namespace *process_namespace(struct process *p, struct thread *t, enum namespace_kind kind, bool children);

/* nsfs (vfs/nsfs.c): a namespace as a file. */
int nsfs_path(struct namespace *ns, struct path *out); /* takes over the reference, also on error */
struct namespace *nsfs_namespace(struct file *f);      /* borrowed; NULL: no such file */
long nsfs_open(struct namespace *ns);                  /* a new handle; takes over the reference */

/* --- user namespaces (user_namespace.c) ------------------------------------------------------------ */

#define ID_OVERFLOW 65534u
#define ID_INVALID  UINT32_MAX
#define USER_NAMESPACE_DEPTH 32
#define ID_EXTENTS 340

struct id_extent {
	uint32_t inside, outside, count; /* `outside`: in the first namespace */
};

/* Set once. */
struct id_map {
	uint32_t count;                /* [a] stored last */
	struct id_extent *extents;     /* [I] once count is not 0 */
};

/* [n] user_namespace.c's lock */
struct user_namespace {
	struct namespace ns;           /* ns.owner is the parent */
	uint32_t level;                /* [I] 0: the first */
	uid_t creator;                 /* [I] as the first namespace numbers them */
	gid_t creator_group;           /* [I] */
	bool maps_root;                /* [I] the creator had CAP_SETFCAP: who is inside may map the parent's user 0 */
	bool no_setgroups;             /* [n] */
	struct id_map uids, gids;      /* [n] to set */
};

extern struct user_namespace init_user_namespace;
extern int user_namespaces_for_all; /* [a] 0: making one needs CAP_SYS_ADMIN */

static inline struct user_namespace *
user_namespace_of(struct namespace *ns)
{
	return (struct user_namespace *)ns;
}
/* For `c`, which is to live in it with all capabilities. -EPERM, -ENOSPC, -ENOMEM. */
int user_namespace_create(struct cred *c);
/* Put `c` into `ns` with all capabilities there. */
void user_namespace_join(struct cred *c, struct user_namespace *ns);
void user_namespace_release(struct namespace *ns);
/* The text written to uid_map or gid_map: parsed, checked against the caller and set. 0 or an errno. */
int user_namespace_set_map(struct user_namespace *ns, bool gids, const struct cred *opener, const char *text);
int user_namespace_set_setgroups(struct user_namespace *ns, bool allow); /* -EPERM */
bool user_namespace_is_inside(const struct user_namespace *ns, const struct user_namespace *of);

/* Between a namespace's numbers and the kernel's; ID_INVALID: not mapped. */
uint32_t id_map_in(const struct user_namespace *ns, const struct id_map *m, uint32_t id);
uint32_t id_map_out(const struct user_namespace *ns, const struct id_map *m, uint32_t id);
/* In the caller's namespace. The *_shown are never invalid. */
uid_t uid_from_user(uid_t uid);
gid_t gid_from_user(gid_t gid);
uid_t uid_shown(uid_t uid);
gid_t gid_shown(gid_t gid);
uid_t uid_shown_in(const struct user_namespace *ns, uid_t uid);
bool setgroups_allowed(const struct user_namespace *ns);

/* Has `c` the capability over `ns`? Over its own as its sets say, over those below if it made one of them. */
bool cred_capable_in(const struct cred *c, const struct user_namespace *ns, int cap);
bool capable_in(const struct user_namespace *ns, int cap);      /* the caller */
bool capable_here(int cap);                                     /* over the caller's own */
bool inode_capable(const struct inode *i, int cap);             /* and the inode's ids are known there */

#endif
