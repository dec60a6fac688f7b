/* SPDX-License-Identifier: MIT */
/* as: kernel/include/tessera/sample.h - what a header must say; found: rules/contract of line 8 */
#include <tessera/types.h>

/* Free frames. */
uint64_t sample_explained(void);

int sample_unexplained(int a, int b);
