/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a process's handles: fd -> { open object, rights, close-on-exec }.
 *
 * A handle is a capability. Every call names the rights it needs in the look-up; rights only shrink.
 * handle_restrict() makes a weaker duplicate, handle_revoke() kills all duplicates derived from one.
 * A table may be shared by threads (CLONE_FILES) or copied by fork.
 *
 * Two steps to install, so that failure in between is clean: reserve a number, then install.
 */
#ifndef TESSERA_HANDLE_H
#define TESSERA_HANDLE_H

#include <tessera/atomic.h>
#include <tessera/continuation.h>
#include <tessera/file.h>
#include <tessera/lock.h>
#include <tessera/types.h>

#define RIGHT_TABLE(R)                                                                             \
	R(READ, 0) R(WRITE, 1) R(SEEK, 2) R(MAP_READ, 3) R(MAP_WRITE, 4) R(MAP_EXEC, 5)            \
	R(STAT, 6) R(CONTROL, 7) R(POLL, 8) R(SYNC, 9) R(TRUNCATE, 10) R(EXEC, 11)                 \
	R(LOOKUP, 12) R(CREATE, 13) R(UNLINK, 14) R(SET_ATTR, 15) R(LOCK, 16) R(GRANT, 17)         \
	R(SEND, 18) R(RECEIVE, 19) R(CALL, 20) R(SPAWN, 21) R(SIGNAL, 22) R(INSPECT, 23)           \
	R(SAVE, 24) R(BIND, 25) R(CONNECT, 26) R(LISTEN, 27) R(ACCEPT, 28) R(SET_FLAGS, 29)

#define RIGHT_ENUM(name, bit) static const uint64_t RIGHT_##name = BIT(bit);
RIGHT_TABLE(RIGHT_ENUM)
#undef RIGHT_ENUM
#define RIGHT_ALL  (BIT(30) - 1)
#define RIGHT_NONE 0ull

struct handle {
	struct file *file;       /* NULL: free; (struct file *)1: reserved */
	uint64_t rights;
	bool close_on_exec;
	uint64_t lineage;        /* id of the handle it was derived from by restrict; 0: none */
	uint64_t id;             /* unique, for lineage and revocation; 0 until needed */
};

/* All fields but the counts under lock. */
struct handle_table {
	struct refcount refs;      /* users, and who looks into it */
	struct refcount users;     /* processes */
	struct spinlock lock;      /* class HANDLES */
	struct handle *handles;
	uint32_t size;             /* slots allocated */
	uint32_t first_free;       /* no free slot below it */
	uint32_t count;            /* open handles */
	uint64_t *used;            /* bitmap of size bits */
	struct continuation late;  /* after the last reference, by handle_table_put_late() */
};

struct handle_table *handle_table_create(void);
/* For fork without CLONE_FILES; skips none. NULL: no memory. */
struct handle_table *handle_table_copy(struct handle_table *from);
void handle_table_put(struct handle_table *t); /* last: closes all */
/* One more process uses it (CLONE_FILES). */
void handle_table_share(struct handle_table *t);
/* Do other processes use it? */
bool handle_table_is_shared(struct handle_table *t);
/* A process that used it does so no more, and its reference goes: the last one's handles are closed, by
 * whoever the table is still looked into. */
void handle_table_leave(struct handle_table *t);
/* For a caller that holds locks which a release may not stand below: a worker closes all soon. */
void handle_table_put_late(struct handle_table *t);
void handle_table_close_on_exec(struct handle_table *t);

/*
 * The file of `fd` in the caller's table with a reference (file_put it), when the handle has all of
 * `rights`. *error (not NULL): -EBADF no such handle (or O_PATH unless allowed), -ENOTCAPABLE is
 * Linux's -EPERM: right missing.
 */
struct file *handle_get(int fd, uint64_t rights, int *error);
struct file *handle_get_path(int fd, uint64_t rights, int *error); /* O_PATH handles too */
/* As handle_get, in a given table. */
struct file *handle_table_get_rights(struct handle_table *t, int fd, uint64_t rights, int *error);
/* The file of any handle of `t`, O_PATH ones too, with a reference; *rights (not NULL) gets what this very handle may
 * do. Who asks for rights apart from the file may get those of another file that has taken the number. */
struct file *handle_table_get(struct handle_table *t, int fd, uint64_t *rights);
/* The same in the caller's table and without O_PATH handles. *error as handle_get. */
struct file *handle_get_rights(int fd, uint64_t *rights, int *error);
/* 0 when `rights` has all of `needed`, or the error that handle_get gives: for calls that look at other things
 * of the file first. */
int handle_need(const struct file *f, uint64_t rights, uint64_t needed);
uint64_t handle_rights(struct handle_table *t, int fd); /* for tests and dumps */
/* What restriction took away from it: what is opened through a directory handle lacks the same. */
uint64_t handle_rights_removed(struct handle_table *t, int fd);
/*
 * The same for calls that are over soon and run often: a program's only thread, with a table of its own,
 * may use the file without a reference, because nobody else can close the handle meanwhile. False:
 * *error. End with handle_return() before anything that could close handles.
 */
struct handle_loan {
	struct file *file;
	uint64_t rights;
	bool counted;            /* a reference was taken after all */
};
bool handle_borrow(int fd, uint64_t rights, struct handle_loan *l, int *error);
static inline void
handle_return(struct handle_loan *l)
{
	if (l->counted)
		file_put(l->file);
}

/* The smallest free number >= min, reserved: fd or -EMFILE (RLIMIT_NOFILE), -ENOMEM. */
int handle_reserve(struct handle_table *t, int min, uint32_t limit);
void handle_unreserve(struct handle_table *t, int fd);
/* Takes over the caller's reference to f. */
void handle_install(struct handle_table *t, int fd, struct file *f, uint64_t rights, bool cloexec);
/* reserve + install in the caller's table with full rights; f's reference is taken over on success,
 * left with the caller on error. */
int handle_open(struct file *f, uint64_t rights, bool cloexec);
int handle_close(struct handle_table *t, int fd);
/* A duplicate, rights and lineage too, at the smallest free number >= min. fd or an errno: -EBADF first of all. */
int handle_dup(struct handle_table *t, int fd, int min, bool cloexec, uint32_t limit);
/* dup2/dup3 semantics: closes newfd. Returns newfd or an errno. */
int handle_dup_to(struct handle_table *t, int fd, int newfd, bool cloexec, uint32_t limit);
int handle_close_range(struct handle_table *t, uint32_t first, uint32_t last, bool cloexec_only);
int handle_set_cloexec(struct handle_table *t, int fd, bool on);
int handle_get_cloexec(struct handle_table *t, int fd);
/* A duplicate with rights & mask. fd or an errno. */
int handle_restrict(struct handle_table *t, int fd, uint64_t mask, bool cloexec, uint32_t limit);
/* Close every handle of this table that was derived from fd, directly or not. 0 or -EBADF. */
int handle_revoke(struct handle_table *t, int fd);
/* Visit open handles in order, for /proc/PID/fd; fn returns false to stop. */
int handle_next(struct handle_table *t, int fd); /* the next open fd >= fd, or -1 */
/* The rights that an open file's access mode gives. */
uint64_t handle_rights_of(const struct file *f);
/* "READ,WRITE,..." into out, truncated. */
/* Open handles of all tables; settled when nothing opens or closes meanwhile. */
uint64_t handle_count_all(void);
void handle_rights_format(uint64_t rights, char *out, size_t size);
void handle_table_dump(struct handle_table *t); /* to the log, takes no locks */

#endif
