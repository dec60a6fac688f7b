/* SPDX-License-Identifier: MIT */
/*
 * random.c - a generator that forgets: ChaCha20 with fast key erasure.
 *
 * One 256-bit key. Each request runs ChaCha20 under it; the first 32 bytes of output become the next
 * key at once and are never given out, so a look at memory later does not tell what was handed out
 * before. The key is stirred with the processor's generator and the cycle counter at each request,
 * and with whatever random_stir() is given.
 *
 * Most requests are for a few bytes, many at each exec. They are served from a reserve made by one request of
 * the generator, and what is taken out of it is wiped, so that the promise above holds for it too: memory
 * tells only what nobody has got yet. New entropy empties it.
 *
 * Lock: random_lock (LEAF) guards the key and the reserve. A long request copies one fresh key out under it and
 * works on that copy, so it does not hold interrupts off.
 */
#include <tessera/arch.h>
#include <tessera/lock.h>
#include <tessera/random.h>
#include <tessera/string.h>
#include <tessera/time.h>

static struct spinlock random_lock = SPINLOCK_INIT(LEAF);
static uint32_t pool_key[8];   /* random_lock */
static uint32_t pool_counter;  /* random_lock */

#define RESERVE 256u
static uint8_t reserve[RESERVE];   /* random_lock: the last reserve_left bytes have not been given out */
static uint32_t reserve_left;      /* random_lock */

static inline uint32_t
rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static inline void
quarter_round(uint32_t s[16], int a, int b, int c, int d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

void
chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[16];

	memcpy(start + 4, key, 32);
	start[12] = counter;
	memcpy(start + 13, nonce, 12);
	memcpy(s, start, sizeof(s));
	for (int i = 0; i < 10; i++) {
		quarter_round(s, 0, 4, 8, 12);
		quarter_round(s, 1, 5, 9, 13);
		quarter_round(s, 2, 6, 10, 14);
		quarter_round(s, 3, 7, 11, 15);
		quarter_round(s, 0, 5, 10, 15);
		quarter_round(s, 1, 6, 11, 12);
		quarter_round(s, 2, 7, 8, 13);
		quarter_round(s, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(out, s, 64);
}

/* Replace the pool's key by one that depends on it, on the hardware and on `extra`. */
static void
stir_locked(const uint32_t extra[8])
{
	uint32_t nonce[3];
	uint8_t block[64];
	uint64_t hardware, cycles = arch_cycles();
	bool ok;

	assert_held(&random_lock);
	for (int i = 0; i < 4; i++) {
		hardware = arch_random(&ok);
		if (!ok)
			hardware = arch_cycles() * 0x9e3779b97f4a7c15ull;
		pool_key[2 * i] ^= (uint32_t)hardware ^ (extra ? extra[2 * i] : 0);
		pool_key[2 * i + 1] ^= (uint32_t)(hardware >> 32) ^ (extra ? extra[2 * i + 1] : 0);
	}
	nonce[0] = (uint32_t)cycles;
	nonce[1] = (uint32_t)(cycles >> 32);
	nonce[2] = (uint32_t)clock_monotonic_ns();
	chacha20_block(pool_key, pool_counter++, nonce, block);
	memcpy(pool_key, block, 32);
	memset(block, 0, sizeof(block));
}

void
random_stir(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t extra[8];

	while (n > 0) {
		size_t part = MIN(n, sizeof(extra));
		uint64_t flags;

		memset(extra, 0, sizeof(extra));
		memcpy(extra, p, part);
		flags = spin_lock_irq(&random_lock);
		stir_locked(extra);
		reserve_left = 0;
		spin_unlock_irq(&random_lock, flags);
		p += part;
		n -= part;
	}
}

static const uint32_t own_nonce[3] = { 0x74657373, 0x6572612d, 0x726e6721 };

/* A key that nobody had before and the pool does not keep. */
static void
fresh_key_locked(uint32_t key[8])
{
	uint8_t block[64];

	stir_locked(NULL);
	chacha20_block(pool_key, 0, own_nonce, block);
	memcpy(pool_key, block, 32);
	memcpy(key, block + 32, 32);
	memset(block, 0, sizeof(block));
}

static void
generate(const uint32_t key[8], uint8_t *p, size_t n)
{
	uint32_t counter = 1;
	uint8_t block[64];

	while (n > 0) {
		size_t part = MIN(n, sizeof(block));

		chacha20_block(key, counter++, own_nonce, block);
		memcpy(p, block, part);
		p += part;
		n -= part;
	}
	memset(block, 0, sizeof(block));
}

static void
take_locked(void *out, size_t n)
{
	uint32_t key[8];
	uint8_t *from;

	if (reserve_left < n) {
		fresh_key_locked(key);
		generate(key, reserve, RESERVE);
		memset(key, 0, sizeof(key));
		reserve_left = RESERVE;
	}
	from = &reserve[RESERVE - reserve_left];
	memcpy(out, from, n);
	memset(from, 0, n);
	reserve_left -= (uint32_t)n;
}

void
random_bytes(void *out, size_t n)
{
	uint64_t flags = spin_lock_irq(&random_lock);
	uint32_t key[8];

	if (n <= 32) {
		take_locked(out, n);
		spin_unlock_irq(&random_lock, flags);
		return;
	}
	fresh_key_locked(key);
	spin_unlock_irq(&random_lock, flags);
	generate(key, out, n);
	memset(key, 0, sizeof(key));
}

uint64_t
random_u64(void)
{
	uint64_t x;

	random_bytes(&x, sizeof(x));
	return x;
}

uint64_t
random_below(uint64_t limit)
{
	uint64_t excess, x;

	if (limit == 0)
		return 0;
	excess = -limit % limit; /* 2^64 mod limit: values below it would be favoured */
	do {
		x = random_u64();
	} while (x < excess);
	return x % limit;
}
