/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what every host unit test includes: cmocka, and the levers of the shims.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern int unit_fail_allocation; /* > 0: the allocation that counts it down to 0 fails */
extern long unit_allocations;    /* live ones */

#endif
