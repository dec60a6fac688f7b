/* SPDX-License-Identifier: MIT */
/*
 * sysv.h - System V shared memory, semaphores and messages, and the namespace they live in.
 *
 * Objects are found by key or by id in the tables of a namespace; every process points at one. An id is
 * index | sequence << 15, so that an id of something that is gone does not name what took its place.
 * Structs here are the room's; linux/ turns them into what programs see.
 */
#ifndef TESSERA_SYSV_H
#define TESSERA_SYSV_H

#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/mqueue.h>
#include <tessera/radix.h>
#include <tessera/types.h>

struct file_ops;
struct ipc_object;
struct sem_undo_list;
struct thread;

/* Linux's values: flags of the *get calls and of operations. The low nine bits are permissions. */
#define IPC_PRIVATE 0
#define IPC_CREAT   01000u
#define IPC_EXCL    02000u
#define IPC_NOWAIT  04000u

#define SHM_RDONLY 010000u
#define SHM_RND    020000u
#define SHM_REMAP  040000u
#define SHM_EXEC   0100000u
#define SHM_DEST   01000u  /* in shm_status.mode: goes with the last attach */
#define SHM_LOCKED 02000u
#define SHM_HUGETLB   04000u
#define SHM_NORESERVE 010000u
#define SHM_HUGE_SHIFT 26
#define SHM_HUGE_MASK  0x3fu

#define MSG_NOERROR 010000u
#define MSG_EXCEPT  020000u
#define MSG_COPY    040000u

#define SEM_UNDO      0x1000
#define SEM_VALUE_MAX 32767

#define IPC_INDEX_BITS 15
#define IPC_INDEX_MAX  (1u << IPC_INDEX_BITS)

enum ipc_kind { IPC_SHM, IPC_SEM, IPC_MSG, IPC_KINDS };

#define IPC_HASH 64

/*
 * [t] lock
 */
struct ipc_table {
	struct rwlock lock;            /* class IPC_TABLE */
	struct radix_tree objects;     /* [t] struct ipc_object * by index */
	struct list keys[IPC_HASH];    /* [t] ipc_object.key_node, those with a key */
	uint32_t in_use;               /* [t] */
	uint32_t next_index;           /* [t] where the search for a free one starts */
	int last_index;                /* [t] given out last; -1: none */
	uint32_t sequence;             /* [t] */
	int wanted_id;                 /* [a] the next object shall have this id; -1: any. For who restores programs. */
};

/*
 * [a] atomic; of the limits: settings below /proc/sys/kernel
 */
struct ipc_namespace {
	struct refcount refs;          /* processes, attached memory */
	struct ipc_table table[IPC_KINDS];
	uint64_t shm_max, shm_all;     /* [a] bytes a segment, pages in all */
	uint32_t shm_count_max;        /* [a] segments */
	uint64_t shm_pages;            /* [a] of all segments */
	uint32_t sem_set_max, sem_all_max, sem_ops_max, sem_count_max; /* [a] semmsl, semmns, semopm, semmni */
	uint64_t sem_used;             /* [a] semaphores in all sets */
	uint32_t msg_size_max, msg_bytes_max, msg_count_max; /* [a] msgmax, msgmnb, msgmni */
	uint64_t msg_headers, msg_bytes; /* [a] queued, in all queues */
	struct mqueue_limits mqueue_limits;
	struct mount *mqueue;          /* [a] never changes once set: where queues have names, vfs/mqueue/ */
};

extern struct ipc_namespace init_ipc_namespace;
void ipc_namespace_init(void);                      /* the first, at boot */
struct ipc_namespace *ipc_namespace_create(void);   /* empty, default limits, one reference; NULL: no memory */
void ipc_namespace_put(struct ipc_namespace *ns);   /* last: removes all that is in it. May sleep. */
static inline void
ipc_namespace_get(struct ipc_namespace *ns)
{
	ref_get(&ns->refs);
}
struct ipc_namespace *current_ipc_namespace(void);  /* borrowed */

/* What every kind tells about an object of its. */
struct ipc_status {
	int id;
	int32_t key;
	uid_t uid, cuid;
	gid_t gid, cgid;
	uint32_t mode;                 /* permissions, and the kind's bits */
	uint16_t sequence;
};

struct shm_status {
	struct ipc_status ipc;
	uint64_t size;
	int64_t attached, detached, changed; /* seconds since 1970, 0: never */
	pid_t creator, last;
	uint64_t attaches;
	uint64_t resident;             /* pages */
};

struct sem_status {
	struct ipc_status ipc;
	int64_t operated, changed;
	uint32_t count;
};

struct msg_status {
	struct ipc_status ipc;
	int64_t sent, received, changed;
	uint64_t bytes, count, bytes_max;
	pid_t last_sender, last_receiver;
};

/* How an object is named: by id; by index (what *_STAT takes), with or without asking for permission to read. */
enum ipc_naming { IPC_BY_ID, IPC_BY_INDEX, IPC_BY_INDEX_ANY };

/* What IPC_SET changes. bytes_max: of message queues only. */
struct ipc_change {
	uid_t uid;
	gid_t gid;
	uint32_t mode;
	uint64_t bytes_max;
};

/*
 * Errors that all calls share: EINVAL no such id, EIDRM it was removed meanwhile, EACCES its permissions forbid
 * it, EPERM it is not the caller's (change, remove). *_get: also EEXIST, ENOENT, ENOSPC (limits), ENOMEM.
 */
int shm_get(int32_t key, uint64_t size, uint32_t flags);
int sem_get(int32_t key, int count, uint32_t flags);
int msg_get(int32_t key, uint32_t flags);
int shm_status(int name, enum ipc_naming by, struct shm_status *out);
int sem_status(int name, enum ipc_naming by, struct sem_status *out);
int msg_status(int name, enum ipc_naming by, struct msg_status *out);
int ipc_change(enum ipc_kind kind, int id, const struct ipc_change *c);
int ipc_remove(enum ipc_kind kind, int id);
/* The highest index in use, 0 when none is, and how many objects there are. */
int ipc_highest_index(enum ipc_kind kind, uint32_t *in_use);
/* fn for each object with an index >= *index, for /proc: the next one's status, false: none. */
bool ipc_next_index(enum ipc_kind kind, uint32_t *index);

/* shmat: the address or an errno. shmdt. SHM_LOCK and SHM_UNLOCK. Pages of all segments that are there. */
long shm_attach(int id, vaddr_t addr, uint32_t flags);
int shm_detach(vaddr_t addr);
int shm_lock(int id, bool lock);
uint64_t shm_resident_pages(void);

struct sem_operation { /* Linux's struct sembuf */
	uint16_t index;
	int16_t change;
	int16_t flags;
};

/*
 * semtimedop(2): all of the operations at once or none. Sleeps until `until`. EFBIG no such semaphore, EAGAIN it
 * would sleep or slept too long, EIDRM, EINTR, ERANGE, ENOMEM.
 */
int sem_operate(int id, const struct sem_operation *ops, uint32_t count, deadline_t until);
int sem_count(int id);        /* how many semaphores the set has */
enum sem_question { SEM_VALUE, SEM_PID, SEM_WAIT_INCREASE, SEM_WAIT_ZERO };
int sem_ask(int id, int index, enum sem_question q);
int sem_set_value(int id, int index, int value);
/* All values of a set of `count` semaphores: -EAGAIN when it has another number by now. */
int sem_get_all(int id, uint16_t *values, uint32_t count);
int sem_may_set(int id); /* 0, or the error that sem_set_all gives before it looks at values */
int sem_set_all(int id, const uint16_t *values, uint32_t count);
/* fork: the child of the caller shares its list of what is to be undone. 0 or -ENOMEM. */
int sem_undo_share(struct thread *child);
/* A thread that never ran gives back what sem_undo_share gave. */
void sem_undo_drop(struct thread *t);
/* The calling thread ends, or leaves the list (unshare): the last one undoes. May sleep. */
void sem_undo_exit(void);

/* A message to be sent: `data` and the struct are the queue's once msg_send has returned 0. */
struct message {
	struct list node;
	int64_t type;
	size_t size;
	char data[];
};
struct message *message_alloc(size_t size);
void message_free(struct message *m);
/* EAGAIN, EIDRM, ERESTARTNOHAND. */
int msg_send(int id, struct message *m, uint32_t flags);
/* A message, the caller's, or ERR_PTR: E2BIG, ENOMSG, EINVAL, EIDRM, ERESTARTNOHAND. */
struct message *msg_receive(int id, size_t size, int64_t type, uint32_t flags);

/* All objects of the first namespace, to the log; takes no locks. */
void sysv_dump(void);

#endif
