/* SPDX-License-Identifier: MIT */
/*
 * sysv.h - what shm.c, sem.c and msg.c share: the head of every object, and its table.
 *
 * An object lives while somebody refers to it: the table, a call in progress, an attached mapping. Removal takes
 * it out of the table and sets `deleted` under its lock; who waits in it is woken and told, who comes later by a
 * reference taken before finds `deleted`.
 *
 * Lock order: the table's, then the object's. A lookup holds the table only until it has a reference.
 */
#ifndef TESSERA_IPC_SYSV_H
#define TESSERA_IPC_SYSV_H

#include <tessera/sysv.h>

/*
 * [I] immutable once in the table  [t] the table's lock  [l] lock
 */
struct ipc_object {
	struct mutex lock;             /* class IPC */
	struct refcount refs;
	struct ipc_namespace *ns;      /* [I] not counted: removal of all precedes its end */
	enum ipc_kind kind;            /* [I] */
	int id;                        /* [I] */
	bool deleted;                  /* [l] */
	int32_t key;                   /* [t] and [l] to change, either to read */
	struct list key_node;          /* [t] on table->keys unless key is IPC_PRIVATE */
	uid_t uid, cuid;               /* [l]; cuid and cgid [I] */
	gid_t gid, cgid;
	uint32_t mode;                 /* [l] */
};

/* What a *get call asks for. */
struct ipc_request {
	int32_t key;
	uint32_t flags;
	uint64_t size;                 /* bytes of a segment, semaphores of a set */
};

/* Who knows the kinds: namespace.c calls them through this table. */
struct ipc_kind_ops {
	const char *name;
	/* A new object with its head not filled in, or an errno. */
	int (*create)(struct ipc_namespace *ns, const struct ipc_request *r, struct ipc_object **out);
	/* Is an object that exists what the request asks for? Empty: it is. */
	int (*check)(struct ipc_object *o, const struct ipc_request *r);
	uint32_t (*limit)(const struct ipc_namespace *ns);
	/* After ipc_change has checked the owner and before it changes him. Lock held. Empty: fine. */
	int (*change)(struct ipc_object *o, const struct ipc_change *c);
	void (*changed)(struct ipc_object *o, const struct ipc_change *c);
	/* Out of the table already, lock held: wake who waits. */
	void (*removed)(struct ipc_object *o);
	void (*free)(struct ipc_object *o); /* the last reference is gone */
	void (*dump)(const struct ipc_object *o);
};
extern const struct ipc_kind_ops shm_kind, sem_kind, msg_kind;

/* The object of `id` in the caller's namespace with a reference, not locked. NULL: *error. */
struct ipc_object *ipc_find(enum ipc_kind kind, int id, int *error);
/* The same with its lock held, and `rights` (permission bits as in flags) granted; it is not deleted. */
struct ipc_object *ipc_find_locked(enum ipc_kind kind, int id, uint32_t rights, int *error);
struct ipc_object *ipc_find_named_locked(enum ipc_kind kind, int name, enum ipc_naming by, int *error);
void ipc_unlock_put(struct ipc_object *o);
void ipc_put(struct ipc_object *o);
/* Do its permissions grant `rights` to the caller? Lock held. */
bool ipc_permits(const struct ipc_object *o, uint32_t rights);
bool ipc_owned(const struct ipc_object *o); /* by the caller, or he may do as if */
int ipc_get(enum ipc_kind kind, const struct ipc_request *r);
void ipc_status_fill(const struct ipc_object *o, struct ipc_status *out);
/* Take it out of its table. Table and object locked; the table's reference is the caller's to put. */
void ipc_delete_locked(struct ipc_object *o);
/* It loses its key: nobody finds it by that any more. Both locked. */
void ipc_forget_key_locked(struct ipc_object *o);
static inline struct ipc_table *
ipc_table_of(struct ipc_object *o)
{
	return &o->ns->table[o->kind];
}
int64_t ipc_now(void); /* seconds since 1970 */

/* ipc/shm.c: a segment that is removed but attached stays. Table and object locked. True: it stays. */
bool shm_stays(struct ipc_object *o);

#endif
