/* SPDX-License-Identifier: MIT */
/*
 * kcov.h - which code a thread ran, for the fuzzer: present in the kcov variant only (config_kcov).
 */
#ifndef TESSERA_KCOV_H
#define TESSERA_KCOV_H

#include <tessera/types.h>

struct kcov;

/* Part of struct thread. All [o]: the recording functions run as the thread itself. */
struct kcov_thread {
	uint32_t mode;        /* KCOV_MODE_*; the last to be set, the first to be cleared */
	uint32_t words;       /* room in the buffer */
	uint64_t **pages;     /* the buffer, a page each */
	struct kcov *owner;   /* whose buffer, a reference; NULL: none */
};

void kcov_init(void);        /* makes /dev/kcov; once, when the file system is there */
void kcov_thread_exit(void); /* the calling thread ends: its buffer is free for another */

#endif
