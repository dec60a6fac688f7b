/* SPDX-License-Identifier: MIT */
/*
 * uring.h - what the files of io_uring share.
 *
 * A request is in one of these states; `lock` guards them:
 *
 *	ISSUED   somebody executes it: the submitter, or a worker
 *	ARMED    it waits for a file's readiness or for a time; waiters or a timer lead to it
 *	QUEUED   a worker is to execute it
 *	DRAINED  it waits until all before it are done
 *
 * All but those that wait for an earlier link of their chain are on ring->requests. Who executes a request owns
 * it; who holds `lock` may end an ARMED, QUEUED or DRAINED one. A wake-up or a timer does nothing but put
 * the request on its pool's queue (queue_lock, a leaf); a worker then looks, under `lock`, whether it is still
 * there to be looked at: whoever ends a request takes away its waiters and timer first, then takes it off the
 * queue, and only then frees it, all under `lock`, which a worker holds when it takes something off the queue.
 *
 * Workers are threads of the program's own process: an operation finds the memory, handles, ids and limits it
 * would find in a call. They take no signals but what stops and ends them; exit and exec end them as they end other
 * threads.
 *
 * Locks: submit_lock, then those of whatever an operation does; `lock`, then those of polling a file;
 * queue_lock is a leaf.
 */
#ifndef TESSERA_IPC_URING_URING_H
#define TESSERA_IPC_URING_URING_H

#include <tessera/atomic.h>
#include <tessera/file.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/poll.h>
#include <tessera/time.h>
#include <tessera/uring.h>
#include <tessera/wait.h>

#define POLL_QUEUES 4 /* that one file may name */

enum uring_state { URING_ISSUED, URING_STATE_ARMED, URING_QUEUED, URING_DRAINED };

/* The ring's memory as programs see it. Offsets are told, so the layout is ours. */
struct uring_header {
	uint32_t sq_head, sq_tail, sq_mask, sq_entries, sq_flags, sq_dropped;
	uint32_t cq_head, cq_tail, cq_mask, cq_entries, cq_overflow, cq_flags;
};
#define CQES_OFFSET    128u
#define SQ_NEED_WAKEUP BIT(0)
#define SQ_CQ_OVERFLOW BIT(1)
#define CQ_NO_EVENTFD  BIT(0)

/* The workers of one process for one ring. [l] the ring's lock  [q] queue_lock */
struct uring_pool {
	struct list node;              /* [l] ring->pools */
	struct list process_node;      /* process->uring_pools, worker.c's pools_lock */
	struct uring *ring;            /* [I] a reference */
	struct process *process;       /* [I] a reference */
	struct refcount refs;          /* the ring's list, workers */
	struct spinlock queue_lock;    /* class LEAF */
	struct list queue;             /* [q] struct uring_request.queue_node */
	struct wait_queue wait;        /* idle workers */
	uint32_t workers, idle;        /* [l] */
	bool ended;                    /* [a] no more work comes */
};

struct uring_poll_entry {
	struct waiter waiter;
	struct uring_request *request;
};

struct uring_request {
	struct list node;              /* [l] ring->requests, or nowhere */
	struct uring *ring;            /* [I] borrowed: requests end before the ring does */
	struct uring_pool *pool;       /* [I] likewise */
	struct uring_sqe sqe;          /* [I] */
	const struct cred *cred;       /* [I] a reference */
	struct list hash_node;         /* [l] ring->by_data, with `node` */
	struct list count_node;        /* [l] ring->counting */
	struct file *file;             /* owner: looked up once; a reference */
	uint64_t rights;               /* owner: what it may be used for */
	bool file_known;               /* owner */
	enum uring_state state;        /* [l] */
	struct list queue_node;        /* [q] */
	bool queued;                   /* [q] */
	struct uring_request *next;    /* [l] of its chain */
	struct uring_request *guard;   /* [l] the LINK_TIMEOUT that runs while this does */
	struct uring_request *guarded; /* [l] of a LINK_TIMEOUT: what it ends */
	struct list drain_node;        /* [l] */
	/* polling */
	struct uring_poll_entry entry[POLL_QUEUES];
	uint32_t entries;
	uint32_t events;
	bool waited;                   /* owner: for its file to be ready */
	bool repeats;                  /* [l] it has been answered, and goes on */
	bool stop;                     /* [l] cancelled while it was ISSUED: it must not wait again */
	bool polls, multi;             /* POLL_ADD, and again and again */
	bool no_room;                  /* more queues than there are entries */
	/* time */
	struct timer timer;
	bool timed;                    /* the timer is, or was, in use */
	bool expired;                  /* [a] */
	bool counts;                   /* waits for answers, too */
	bool success;                  /* running out is no failure */
	int refused;                   /* [I] why it was not taken: 0, or what is answered in its place */
	bool silent;                   /* [l] no answer: the one before it in the chain, itself silent, failed */
	uint64_t target;               /* [l] ring->answers then */
	/* a provided buffer in use */
	bool selected;
	uint64_t buffer_address;
	uint32_t buffer_size;
	uint16_t buffer_id;
};

/* Pages of the rings, then of the entries; freed with the memory object. */
struct uring_memory {
	uint32_t rings, entries;
	struct page *pages[];
};

struct uring_overflow {
	struct list node;
	struct uring_cqe cqe;
};

struct uring_provided {
	struct list node;
	uint64_t address;
	uint32_t size;
	uint16_t id;
};

/* Buffers under one number. [l] */
struct uring_group {
	struct list node;
	struct list loose;             /* struct uring_provided, the next one first */
	uint16_t id;
	bool ring;                     /* more lie in a ring of the program's memory: */
	uint64_t address;
	uint16_t mask, head;
};

/* [I] immutable  [s] submit_lock  [l] lock  [a] atomic */
struct uring {
	struct refcount refs;          /* the file, pools, calls in progress */
	struct mutex submit_lock;      /* class URING_SUBMIT */
	struct mutex lock;             /* class URING */
	struct memory_object *object;  /* [I] what programs map; device pages */
	struct uring_memory *memory;   /* [I] the object's */
	uint32_t sq_entries, cq_entries, flags; /* [I], DISABLED [l] */
	pid_t issuer;                  /* [a] the one thread that may submit, 0: not known yet */
	uint32_t sq_head;              /* [s] */
	uint32_t cq_tail;              /* [l] read freely by who waits */
	struct list overflow;          /* [l] answers that found no room */
	uint32_t overflowed;           /* [a] how many those are */
	struct wait_queue wait;        /* for answers */
	struct list requests;          /* [l] */
	struct list *by_data;          /* [l] the same by user_data: hash_size lists */
	uint32_t hash_mask;            /* [I] */
	struct list counting;          /* [l] timeouts that wait for answers */
	struct list drained;           /* [l] struct uring_request.drain_node */
	uint32_t inflight;             /* [l] requests begun and not answered, whole chains */
	uint64_t answers;              /* [l] so far, but those of timeouts */
	struct list pools;             /* [l] */
	bool dead;                     /* [l] the file is closed */
	struct uring_file *files;      /* [l] */
	uint32_t file_count;
	uint32_t free_first, free_end; /* [l] where a free place is looked for */
	struct iovec *buffers;         /* [l] */
	uint32_t buffer_count;
	struct list groups;            /* [l] struct uring_group */
	bool low_groups;               /* [l] one with a low number was used */
	struct wait_queue poller_wait; /* the poller, and who waits for it to make room */
	uint64_t poller_idle;          /* [I] ns */
	int poller_cpu;                /* [I] -1: any */
	bool poller_woken;             /* [a] */
	bool poller_gone;              /* [a] */
	struct file *eventfd;          /* [l] */
	bool eventfd_async;
};

static inline uint32_t
hash_u64(uint64_t n)
{
	return (uint32_t)(n * 0x9e3779b97f4a7c15ull >> 32);
}

/* ring.c */
struct uring_header *uring_header(struct uring *u);
void uring_get(struct uring *u);
void uring_put(struct uring *u);
void uring_post_locked(struct uring *u, uint64_t user_data, int32_t result, uint32_t flags);
void uring_flush_locked(struct uring *u);
void uring_read_sqe(struct uring *u, uint32_t index, struct uring_sqe *out);
uint32_t *uring_array_slot(struct uring *u, uint32_t index);

/* files.c, buffers.c: at the end */
void uring_groups_free(struct uring *u);

/* request.c */
void uring_enlist_locked(struct uring_request *q); /* on ring->requests, if it is not */
void uring_delist_locked(struct uring_request *q);
/* Free what ended. No lock held. */
void uring_requests_free(struct list *gone);
/*
 * Answer `q`, which its owner gives up or which is not ISSUED, and take it apart: `gone` gets what is to be freed.
 * Its chain goes on by *next (the caller's to issue; NULL: by a worker) or is cancelled.
 */
void uring_complete_locked(struct uring_request *q, int32_t result, uint32_t flags, struct list *gone,
			   struct uring_request **next);
void uring_issue(struct uring_request *q, bool may_sleep); /* ISSUED, the caller's; and what follows it */
void uring_queue(struct uring_request *q);                 /* any context: a worker is to look at it */
/* cancel.c: the first with this user data and operation, NULL. */
struct uring_request *uring_find_locked(struct uring *u, uint64_t user_data, int opcode);
/* End all that is not ISSUED, of `pool` (NULL: all). */
void uring_cancel_all_locked(struct uring *u, struct uring_pool *pool, struct list *gone);

void uring_disarm(struct uring_request *q);                /* nothing leads to it any more; lock held */
void uring_unqueue(struct uring_request *q);
void uring_make_work_locked(struct uring_request *q);      /* QUEUED */
/* Post its answer; what it was part of is the caller's care. Onto `gone`. */
void uring_answer_locked(struct uring_request *q, int32_t result, uint32_t flags, struct list *gone);

/* armed.c */
#define OP_TIMEOUT      11
#define OP_LINK_TIMEOUT 15
/*
 * Wait for `events` of its file. What it polls already is returned and it is ISSUED as before; 0: it is ARMED and
 * no longer the caller's. -ECANCELED, -ENOMEM, -EAGAIN.
 */
int uring_arm_poll(struct uring_request *q, uint32_t events);
void uring_timer_fired(struct timer *t); /* request->timer; in an interrupt */
/* Timeouts that waited for so many answers: answered, if these are there. */
void uring_timeouts_look_locked(struct uring *u, struct list *gone);
/* What an ARMED request waited for may be true: it ends, or goes on by *next, or waits on. */
void uring_fired_locked(struct uring_request *q, struct list *gone, struct uring_request **next);

/* worker.c */
struct uring_pool *uring_pool_find_locked(struct uring *u); /* the caller's process's, made if need be; NULL */
int uring_pool_staff_locked(struct uring_pool *pool); /* at least one worker, and one that is idle */
void uring_pool_end_locked(struct uring_pool *pool);
void uring_pool_put(struct uring_pool *pool);

#endif
