/* SPDX-License-Identifier: MIT */
/*
 * ip_fragments.c - packets that came in pieces: RFC 791, 3.2, RFC 8200, 4.5.
 *
 * There is room for few packets; the oldest goes for one more. Pieces that overlap end their packet (RFC 5722), for
 * IPv4 too, unless one is the other again.
 */
#include <stdlib.h>

#include "door.h"
#include "ip.h"

#define PACKETS	  16
#define DATA_MAX  65535u
#define PIECES	  128
#define TIMEOUT_MS 30000

static struct packet {
	bool used;
	uint64_t since, turn;
	uint8_t key[40];
	uint8_t header[256];
	uint32_t header_length; /* 0: the first piece has not come */
	uint32_t total;		/* 0: the last piece has not come */
	uint32_t got;
	unsigned pieces;
	struct {
		uint32_t from, to;
	} piece[PIECES];
	uint8_t *data; /* stays for whoever is here next */
} packets[PACKETS];

static uint64_t turns, clock_now;
static uint8_t whole[DATA_MAX + 256];

static void
forget(struct packet *p)
{
	p->used = false;
}

void
fragments_tick(uint64_t now)
{
	clock_now = now;
	for (int n = 0; n < PACKETS; n++)
		if (packets[n].used && now - packets[n].since > TIMEOUT_MS)
			forget(&packets[n]);
}

static struct packet *
find(const struct fragment *f)
{
	struct packet *p = NULL;

	for (int n = 0; n < PACKETS; n++)
		if (packets[n].used && !memcmp(packets[n].key, f->key, sizeof(f->key)))
			return &packets[n];
	for (int n = 0; n < PACKETS && (!p || p->used); n++)
		if (!p || !packets[n].used || packets[n].turn < p->turn)
			p = &packets[n];
	p->used = false;
	if (!p->data)
		p->data = malloc(DATA_MAX);
	if (!p->data)
		return NULL;
	p->header_length = p->total = p->got = p->pieces = 0;
	memcpy(p->key, f->key, sizeof(p->key));
	p->since = clock_now;
	p->turn = turns++;
	p->used = true;
	return p;
}

/* The packet's header becomes that of one which was never cut. */
static const uint8_t *
finish(struct packet *p, uint32_t *length)
{
	memcpy(whole, p->header, p->header_length);
	memcpy(whole + p->header_length, p->data, p->total);
	*length = p->header_length + p->total;
	if (whole[0] >> 4 == 4) {
		put16(whole + 2, *length);
		put16(whole + 6, 0);
		put16(whole + 10, 0);
		*(uint16_t *)(whole + 10) = ~ip_fold(ip_sum(0, whole, p->header_length));
	} else {
		put16(whole + 4, *length - 40);
	}
	forget(p);
	return *length > 65535 ? NULL : whole;
}

/* Has a piece come that lies behind what is the end now? */
static bool
reaches_behind(const struct packet *p, uint32_t end)
{
	for (unsigned n = 0; n < p->pieces; n++)
		if (p->piece[n].to > end)
			return true;
	return false;
}

const uint8_t *
fragment_add(const struct fragment *f, uint32_t *length)
{
	uint32_t end = f->offset + f->length;
	struct packet *p;

	if (!f->length || end > DATA_MAX || (f->more && f->length % 8) || f->header_length > sizeof(p->header))
		return NULL;
	p = find(f);
	if (!p)
		return NULL;
	for (unsigned n = 0; n < p->pieces; n++) {
		if (p->piece[n].from == f->offset && p->piece[n].to == end)
			return NULL;
		if (p->piece[n].from < end && f->offset < p->piece[n].to) {
			forget(p);
			return NULL;
		}
	}
	if (p->pieces == PIECES || (p->total && (end > p->total || !f->more)) || (!f->more && reaches_behind(p, end))) {
		forget(p);
		return NULL;
	}
	p->piece[p->pieces].from = f->offset;
	p->piece[p->pieces++].to = end;
	memcpy(p->data + f->offset, f->data, f->length);
	p->got += f->length;
	if (!f->more)
		p->total = end;
	if (!f->offset) {
		memcpy(p->header, f->header, f->header_length);
		p->header_length = f->header_length;
		/* IPv6: what the fragment header says follows is what the header before it says, too. */
		if (f->header[0] >> 4 == 6) {
			uint32_t at = 40, next = 6;

			while (at + 8 <= f->header_length) {
				next = at;
				at += (f->header[at + 1] + 1) * 8u;
			}
			p->header[next] = f->data[-8];
		}
	}
	if (!p->header_length || !p->total || p->got != p->total)
		return NULL;
	return finish(p, length);
}
