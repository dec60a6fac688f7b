/* SPDX-License-Identifier: MIT */
/*
 * pipe.h - pipes and fifos: ipc/pipe.c.
 */
#ifndef TESSERA_PIPE_H
#define TESSERA_PIPE_H

#include <tessera/types.h>

struct file;
struct inode;
struct page;
struct pipe;

/* A pipe's two ends with one reference each. flags: O_NONBLOCK, O_DIRECT. 0, -ENOMEM, -ENFILE. */
int pipe_create_files(uint32_t flags, struct file **read_end, struct file **write_end);
/* open(2) of a named pipe: waits for the other side as fifo(7) says. -ENXIO, -ERESTARTSYS, -ENOMEM. */
int fifo_open(struct inode *i, struct file *f);
/* The inode of a named pipe is destroyed. */
void fifo_inode_gone(struct inode *i);
/* The pipe behind an open file, or NULL. */
struct pipe *file_pipe(struct file *f);
/* F_GETPIPE_SZ and F_SETPIPE_SZ, bytes. The size in force, or -EBUSY, -EPERM, -ENOMEM, -EINVAL. */
long pipe_size(struct pipe *p);
long pipe_set_size(struct pipe *p, uint64_t bytes);
/*
 * splice and tee. Wait until there is something to take (or the end), or room to put (or no reader): 0,
 * -EAGAIN, -ERESTARTSYS; without readers -EPIPE and SIGPIPE.
 */
int pipe_wait_data(struct pipe *p, bool nonblock);
int pipe_wait_room(struct pipe *p, bool nonblock);
/* Bytes that can be put in without waiting. */
size_t pipe_room(struct pipe *p);
/* Hand up to n bytes to actor, oldest first, until it takes fewer than offered. What it took is gone from
 * the pipe. No lock is held while actor runs, others just take nothing meanwhile. Bytes, or actor's errno
 * when it took none; -ERESTARTSYS: a signal came while somebody else did the same. */
ssize_t pipe_drain(struct pipe *p, size_t n, ssize_t (*actor)(void *ctx, const void *data, size_t n),
		   void *ctx);
/* `to` shares (move: takes over) up to n bytes of `from`, without waiting. Bytes; -EINVAL: one pipe. */
ssize_t pipe_share(struct pipe *from, struct pipe *to, size_t n, bool move);
/* What is read next behind all that is there are `length` bytes at `offset` of `page`, whose reference is taken over: as
 * they are when they are read. False: it is full, or has no readers; nothing was taken over. Readers are woken by
 * pipe_lent(), behind all that is lent at once. */
bool pipe_lend(struct pipe *p, struct page *page, uint32_t offset, uint32_t length);
void pipe_lent(struct pipe *p);
/* Bytes waiting to be read. */
size_t pipe_available(struct pipe *p);

/* /proc/sys/fs/pipe-max-size: what an unprivileged program may set. */
/* /proc/sys/fs/pipe-user-pages-*: buffers a user without CAP_SYS_RESOURCE and CAP_SYS_ADMIN may have: beyond soft he
 * gets pipes of two, beyond hard none. 0: no limit. [a] */
extern int pipe_user_pages_soft, pipe_user_pages_hard;
extern uint32_t pipe_max_size;

#endif
