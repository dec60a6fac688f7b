/* SPDX-License-Identifier: MIT */
/*
 * init.c - bringing the room up.
 */
#include "block.h"

void
block_init(void)
{
	loop_init();
}
