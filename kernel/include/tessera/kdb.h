/* SPDX-License-Identifier: MIT */
/*
 * kdb.h - the kernel's console for who debugs it: how one gets there.
 *
 * The argument kdb=off closes all doors but panic=kdb's.
 */
#ifndef TESSERA_KDB_H
#define TESSERA_KDB_H

#include <tessera/types.h>

struct trap_frame;

void kdb_init(void);  /* after the arguments are known */
bool kdb_enabled(void);
/* Somebody is to look after the console's input when its own CPU does not: panic=kdb was asked for. */
bool kdb_wants_watch(void);

/*
 * Stop the other CPUs and talk to who sits at the console, until `go`. f: the registers at the place that is
 * of interest, NULL: the caller. Any context, also an NMI; nothing may be changed by what is looked at.
 */
void kdb_enter(const struct trap_frame *f, const char *why);
/* An NMI that no CPU sent: somebody pressed the button. False: kdb is off. */
bool kdb_nmi(const struct trap_frame *f);
/* The panic has been reported: talk, as long as it takes. Called with the other CPUs halted. */
void kdb_panic(void);

/* The keys: Ctrl-^ three times, or a BREAK; then a letter. One of these per console line. */
struct kdb_keys {
	uint8_t carets;      /* in a row */
	bool armed;          /* the next byte is the letter */
	uint64_t armed_at;   /* ns */
};
#define KDB_KEY_PASS (-1) /* the byte is nobody's business */
#define KDB_KEY_TAKE 0    /* the byte is part of a sequence: do not pass it on */
/* Look at a byte that came in, or at a BREAK. KDB_KEY_PASS, KDB_KEY_TAKE, or the letter. */
int kdb_keys_byte(struct kdb_keys *k, uint8_t byte, bool is_break);
/* Do what a letter asks for: also /proc/sysrq-trigger. Any context but NMI. f as for kdb_enter(). */
void kdb_key(char letter, const struct trap_frame *f);

#endif
