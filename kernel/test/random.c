/* SPDX-License-Identifier: MIT */
/*
 * random.c - what comes out of the generator never comes twice, out of the reserve as out of it.
 */
#include <tessera/random.h>
#include <tessera/string.h>
#include <tessera/test.h>

KTEST(random_requests_never_repeat)
{
	static uint64_t seen[256];
	uint8_t long_one[96];
	bool again = false;

	for (uint32_t i = 0; i < ARRAY_SIZE(seen); i++) {
		if (i % 50 == 49)
			random_stir(&seen[i - 1], sizeof(seen[0]));
		seen[i] = random_u64();
		for (uint32_t k = 0; k < i; k++)
			again |= seen[k] == seen[i];
	}
	kcheck(!again);
	random_bytes(long_one, sizeof(long_one));
	kcheck(memcmp(long_one, long_one + 32, 32) != 0 && memcmp(long_one + 32, long_one + 64, 32) != 0);
	/* Of odd sizes nothing is left out. */
	memset(long_one, 0, sizeof(long_one));
	for (uint32_t n = 0; n < 32; n++) {
		random_bytes(long_one, n);
		kcheck_equal(long_one[n], 0);
	}
}
