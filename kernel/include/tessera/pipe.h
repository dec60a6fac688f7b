/* SPDX-License-Identifier: MIT */
/*
 * pipe.h - pipes and fifos: ipc/pipe.c.
 */
#ifndef TESSERA_PIPE_H
#define TESSERA_PIPE_H

#include <tessera/types.h>

struct file;
struct inode;
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
/* Bytes waiting to be read. */
size_t pipe_available(struct pipe *p);

/* /proc/sys/fs/pipe-max-size: what an unprivileged program may set. */
extern uint32_t pipe_max_size;

#endif
