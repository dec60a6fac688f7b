/* SPDX-License-Identifier: MIT */
/*
 * trace_switch.h - the one word that hot paths ask before they look at themselves: trace.h.
 */
#ifndef TESSERA_TRACE_SWITCH_H
#define TESSERA_TRACE_SWITCH_H

#include <tessera/types.h>

extern uint32_t trace_on; /* [a] a bit per class of events, and these: */

#define TRACE_LOCK_EVENTS (1u << 4) /* the class lock: trace.h */
#define TRACE_LOCK_STAT (1u << 16)
#define TRACE_LATENCY   (1u << 17)

static __always_inline bool
trace_watches(uint32_t bits)
{
	return unlikely(READ_ONCE(trace_on) & bits);
}

#endif
