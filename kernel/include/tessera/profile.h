/* SPDX-License-Identifier: MIT */
/*
 * profile.h - where the time goes: samples of what each CPU runs. debug/profile.c.
 */
#ifndef TESSERA_PROFILE_H
#define TESSERA_PROFILE_H

#include <tessera/types.h>

#define PROFILE_HZ_MAX 10000u

int profile_start(uint32_t hz); /* -EINVAL, -ENOMEM; anew when it runs */
void profile_stop(void);        /* what was sampled stays */
void profile_reset(void);
void profile_free(void);
/* One line per stack, outermost first: "name;function;...;function count". */
void profile_print(void (*print)(void *ctx, const char *format, ...), void *ctx);
void profile_totals(uint64_t *samples, uint64_t *missed);

#endif
