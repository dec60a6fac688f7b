/* SPDX-License-Identifier: MIT */
/* hooks.h - what lwIP calls of ours in the midst of its TCP: tcp_hooks.c, memory.c. */
#ifndef NETD_HOOKS_H
#define NETD_HOOKS_H

#include <stddef.h>
#include <stdint.h>

struct ip_addr;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* The sequence number with which a connection between these begins: RFC 6528. */
uint32_t tcp_first_sequence(const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
	uint16_t remote_port);
/* A segment for `pcb` has come, its header in the machine's order. Not 0: it is to be forgotten. */
signed char tcp_segment_comes(struct tcp_pcb *pcb, struct tcp_hdr *header, uint16_t options, uint16_t options1,
	const uint8_t *options2, struct pbuf *p);
/*
 * A segment, which `p` holds from its header on, leaves next: what a successor must know is stored now. `pcb` may be
 * NULL.
 * Returns `options`: none are added.
 */
uint32_t *tcp_segment_leaves(struct pbuf *p, struct tcp_hdr *header, const struct tcp_pcb *pcb, uint32_t *options);

/* As malloc and free; each takes back only what the other gave. */
void *memory_take(size_t size);
void memory_give(void *at);

#endif
