/* SPDX-License-Identifier: MIT */
/*
 * random.h - unpredictable bytes: getrandom, /dev/urandom, ASLR, AT_RANDOM.
 */
#ifndef TESSERA_RANDOM_H
#define TESSERA_RANDOM_H

#include <tessera/types.h>

/* Fill `out`. Any context; never fails and never waits. */
void random_bytes(void *out, size_t n);
uint64_t random_u64(void);
/* Uniform in [0, limit); 0 when limit is 0. */
uint64_t random_below(uint64_t limit);
/* Stir in what somebody knows: program input to /dev/urandom, a device's timing. Any context. */
void random_stir(const void *data, size_t n);

/* The ChaCha20 block function of RFC 8439, section 2.3: key, block counter and nonce to 64 bytes. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64]);

#endif
