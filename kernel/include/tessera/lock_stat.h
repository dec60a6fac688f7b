/* SPDX-License-Identifier: MIT */
/*
 * lock_stat.h - which locks are waited for, how long, and who holds them; off until somebody asks.
 */
#ifndef TESSERA_LOCK_STAT_H
#define TESSERA_LOCK_STAT_H

#include <tessera/types.h>

/* Measured holds of one context: the time and place of each acquisition not yet undone. */
#define LOCK_STAT_HELD 8
struct lock_stat_held {
	uint32_t generation, count;
	struct {
		const void *lock;
		vaddr_t site;
		uint64_t since;
		uint16_t class;
	} entry[LOCK_STAT_HELD];
};

int lock_stat_enable(bool on); /* tables are made when first on; 0 or -ENOMEM */
bool lock_stat_enabled(void);
void lock_stat_reset(void);
void lock_stat_free(void);     /* off, and the tables given back */
/* The classes, most waited for first, each with the callers that waited or asked most. -ENOMEM. */
int lock_stat_print(void (*print)(void *ctx, const char *format, ...), void *ctx);

#endif
