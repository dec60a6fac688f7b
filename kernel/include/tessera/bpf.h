/* SPDX-License-Identifier: MIT */
/*
 * bpf.h - classic BPF: checking a program once, and running it often.
 *
 * A program looks at a block of bytes and answers with a number. It jumps forward only, so it ends; what
 * bpf_check() has passed cannot read outside its input nor what it has not written. Pure code: no locks, no
 * memory of its own, also built on the host for tests.
 */
#ifndef TESSERA_BPF_H
#define TESSERA_BPF_H

#include <tessera/types.h>

#define BPF_LENGTH_MAX 4096 /* instructions */
#define BPF_CELLS      16   /* words of scratch memory */

/* The layout that programs use: struct sock_filter. */
struct bpf_instruction {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

enum bpf_input {
	BPF_RECORD, /* a struct of fixed size: aligned words in the machine's order, all else is refused */
	BPF_PACKET, /* bytes of any number, words in network order; a load behind the end answers 0 */
	BPF_SOCKET, /* the same, and loads from negative places: what struct bpf_frame says */
};

/* What a filter of a socket may ask of a packet beside its bytes. */
struct bpf_frame {
	const uint8_t *link, *network; /* the headers; NULL: not known */
	uint32_t link_size, network_size; /* bytes from there on */
	uint16_t protocol, kind;       /* as Ethernet numbers it; ARPHRD_* */
	uint32_t interface, mark;
	uint8_t type;                  /* PACKET_HOST ... */
};

/*
 * May p[0 .. n-1] be run? `size`: of the record. `scratch`: n words, contents of no matter. 0 or -EINVAL.
 */
int bpf_check(const struct bpf_instruction *p, uint32_t n, enum bpf_input input, uint32_t size, uint16_t *scratch);
/* The answer of a checked program to `size` bytes at `data` (a record: aligned as words). */
uint32_t bpf_run(const struct bpf_instruction *p, enum bpf_input input, const void *data, uint32_t size);
/* The same of one that was checked for BPF_SOCKET. */
uint32_t bpf_run_socket(const struct bpf_instruction *p, const void *data, uint32_t size, const struct bpf_frame *frame);

#endif
