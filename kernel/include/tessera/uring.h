/* SPDX-License-Identifier: MIT */
/*
 * uring.h - io_uring: requests that a program lays down in a ring of shared memory, and answers in another.
 *
 * ipc/uring/ keeps rings, requests, time and workers; what an operation does is linux/'s, behind one function.
 */
#ifndef TESSERA_URING_H
#define TESSERA_URING_H

#include <tessera/iov.h>
#include <tessera/time.h>
#include <tessera/types.h>

struct file;
struct process;
struct uring;
struct uring_request;

#define URING_ENTRIES_MAX 32768u
#define URING_FILES_MAX   32768u
#define URING_BUFFERS_MAX 16384u

/* Linux's layout of a submission. */
struct uring_sqe {
	uint8_t opcode, flags;
	uint16_t priority;
	int32_t fd;
	uint64_t offset;         /* or addr2 */
	uint64_t address;
	uint32_t length;
	uint32_t op_flags;
	uint64_t user_data;
	uint16_t buffer;         /* index or group */
	uint16_t personality;
	int32_t file_index;      /* or splice_fd_in */
	uint64_t address3, pad;
};
_Static_assert(sizeof(struct uring_sqe) == 64, "struct io_uring_sqe");

struct uring_cqe {
	uint64_t user_data;
	int32_t result;
	uint32_t flags;
};
_Static_assert(sizeof(struct uring_cqe) == 16, "struct io_uring_cqe");

#define SQE_FIXED_FILE    BIT(0)
#define SQE_DRAIN         BIT(1)
#define SQE_LINK          BIT(2)
#define SQE_HARDLINK      BIT(3)
#define SQE_ASYNC         BIT(4)
#define SQE_BUFFER_SELECT BIT(5)
#define SQE_SKIP_SUCCESS  BIT(6)

#define CQE_BUFFER BIT(0)
#define CQE_MORE   BIT(1)

/* Where things lie in the rings' memory. */
struct uring_offsets {
	uint32_t sq_head, sq_tail, sq_mask, sq_entries, sq_flags, sq_dropped, sq_array;
	uint32_t cq_head, cq_tail, cq_mask, cq_entries, cq_overflow, cq_cqes, cq_flags;
};

#define URING_SINGLE_ISSUER BIT(0)
#define URING_DISABLED      BIT(1) /* until uring_enable() */
#define URING_SUBMIT_ALL    BIT(2)
#define URING_POLLED        BIT(3) /* a thread of the kernel's takes submissions: uring_poller_start() */

/* A ring, open; entries are powers of two. NULL: no memory. */
struct file *uring_create_file(uint32_t sq_entries, uint32_t cq_entries, uint32_t flags);
struct uring *file_uring(struct file *f); /* NULL: something else */
void uring_tell_offsets(struct uring *u, struct uring_offsets *out);
int uring_enable(struct uring *u);        /* -EBADFD: it is already */
/* Take up to `count` submissions: how many were taken. -EBADFD disabled, -EEXIST another's, -EAGAIN no memory. */
long uring_submit(struct uring *u, uint32_t count);
/* Until `count` answers are there (at most what the ring holds). 0, -EINTR, -ETIME. */
int uring_wait(struct uring *u, uint32_t count, deadline_t until);

/* Registering. EBUSY: there are some; ENXIO: there are none. */
int uring_set_buffers(struct uring *u, struct iovec *v, uint32_t count); /* takes over v */
int uring_unset_buffers(struct uring *u);
/* A file and what the handle that it came by may do; no file: an empty place. */
struct uring_file {
	struct file *file;
	uint64_t rights;
};
int uring_set_files(struct uring *u, struct uring_file *f, uint32_t count); /* takes over f, and references */
int uring_unset_files(struct uring *u);
int uring_update_file(struct uring *u, uint32_t index, struct uring_file f); /* takes over the reference */
uint32_t uring_file_count(struct uring *u);
#define URING_ALLOCATE UINT32_MAX
/* Put f into place number `place` - 1: 0; or with URING_ALLOCATE into a free one: its index. Takes over the reference
 * unless it fails: -ENXIO no places, -EINVAL no such, -ENFILE none free. */
int uring_install_file(struct uring *u, uint32_t place, struct uring_file f);
int uring_set_file_range(struct uring *u, uint32_t first, uint32_t count); /* where free places are looked for */
/* Buffers that the program lays down in a ring of its own memory. -EEXIST, -ENOENT, -EINVAL: not such a group. */
int uring_set_buffer_ring(struct uring *u, uint16_t group, uint64_t address, uint32_t entries);
int uring_unset_buffer_ring(struct uring *u, uint16_t group);
int uring_set_eventfd(struct uring *u, struct file *f, bool async);      /* takes over the reference */
int uring_unset_eventfd(struct uring *u);

/* Have a thread of the caller's process take submissions; it sleeps after `idle_ns` without any. cpu -1: any. */
int uring_poller_start(struct uring *u, uint64_t idle_ns, int cpu);
bool uring_is_polled(const struct uring *u);
/* Wake the poller if asked to; wait until it has made room if asked to. -EOWNERDEAD: it is no more. -EINTR. */
int uring_poller_enter(struct uring *u, bool wake, bool wait);

/* The program of `p` (the caller's) ends or is replaced: nothing of it goes on. */
void uring_process_end(struct process *p);

/* --- for operations --------------------------------------------------------------------------- */

enum uring_verdict {
	URING_DONE,         /* with `result` */
	URING_WAIT,         /* until the file polls `events`, then again */
	URING_WORKER,       /* again, where it may sleep */
	URING_ARMED,        /* somebody else ends it; it may be gone already */
};

struct uring_answer {
	int32_t result;
	uint32_t flags;     /* CQE_* */
	uint32_t events;    /* POLL* */
};

/* linux/: an errno for what can be told from the entry alone; its chain is not begun then. */
int uring_check(const struct uring_sqe *s);
/* linux/: do what `q` asks for. May it sleep for long? */
enum uring_verdict uring_execute(struct uring_request *q, bool may_sleep, struct uring_answer *a);
/* How many bytes a request must move for a linked one to follow; 0: any result but an error does. */
bool uring_is_short(const struct uring_sqe *s, int32_t result);

/* What it asks for, the kernel's copy; the ring that it came by. */
const struct uring_sqe *uring_request_sqe(const struct uring_request *q);
struct uring *uring_request_ring(const struct uring_request *q);
/* Its file, borrowed; NULL: *error. */
struct file *uring_request_file(struct uring_request *q, int *error);
uint64_t uring_request_rights(const struct uring_request *q); /* after that: what it may be used for */
bool uring_request_has_waited(const struct uring_request *q); /* for its file to be ready */
/* One answer of several. False: no room for more, so that the request is to end with it. */
bool uring_post_more(struct uring_request *q, int32_t result, uint32_t flags);
/* An answer in another ring. -EOVERFLOW, -EBADFD: it is not enabled. */
int uring_message(struct uring *to, uint64_t user_data, int32_t result);
/* A registered file, with a reference, for another ring; no file: empty. */
struct uring_file uring_file_at(struct uring *u, uint32_t index);
bool uring_request_buffer(struct uring_request *q, struct iovec *out);   /* the registered one it names */
int uring_provide(struct uring_request *q, uint64_t address, uint32_t size, uint32_t count, uint32_t first);
int uring_unprovide(struct uring_request *q, uint32_t count);
/* A provided buffer of the group it names, the request's from now on: flags for the answer. -ENOBUFS. */
int uring_select(struct uring_request *q, uint64_t *address, uint32_t *size, uint32_t *flags);
void uring_give_back(struct uring_request *q); /* unused after all */
void uring_use_up(struct uring_request *q);    /* filled, and told: the next one, please */
/* POLL_ADD. */
enum uring_verdict uring_poll_add(struct uring_request *q, uint32_t events, bool multi, struct uring_answer *a);
/* TIMEOUT: at `until`, or when `count` more answers have come (0: no matter). */
enum uring_verdict uring_timeout_add(struct uring_request *q, deadline_t until, uint32_t count, bool success);
int uring_timeout_update(struct uring_request *q, uint64_t user_data, deadline_t until);
/* What a cancellation is for. */
struct uring_match {
	uint64_t user_data;
	struct file *file;       /* NULL: no matter */
	bool any, all;
	int only;                /* opcode, -1: no matter */
	int never;               /* opcode that is passed over, -1: none */
};
int uring_cancel(struct uring_request *q, const struct uring_match *m);

#endif
