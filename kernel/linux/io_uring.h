/* SPDX-License-Identifier: MIT */
/*
 * io_uring.h - what the two files of io_uring's calls share.
 */
#ifndef TESSERA_LINUX_IO_URING_H
#define TESSERA_LINUX_IO_URING_H

#include <tessera/uring.h>

#define URING_OP_POLL_ADD 6
#define URING_OP_TIMEOUT  11
#define URING_OP_LINK_TIMEOUT 15
#define URING_OP_LAST     49 /* Linux 6.1's */

bool io_uring_knows(unsigned int opcode);
/* Replace registered files from `first` on by the handles at `address`: how many, or an errno. */
long io_uring_update_files(struct uring *u, uint32_t first, uint64_t address, uint32_t count);
/* FILES_UPDATE with URING_ALLOCATE: free places, whose numbers are written back. */
long io_uring_allocate_files(struct uring *u, uint64_t address, uint32_t count);
/* splice.c: offsets of -1 mean the files' own. */
long io_uring_splice(int in, loff_t in_offset, int out, loff_t out_offset, size_t count, unsigned int flags);

#endif
