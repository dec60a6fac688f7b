/* SPDX-License-Identifier: MIT */
/*
 * string.c - memory and strings. The compiler may call memcpy, memmove, memset and memcmp by itself.
 *
 * memcpy and memset use the string instructions, which are what current processors do best for
 * anything longer than a few words.
 */
#include <tessera/string.h>

#include <tessera/errno.h>
#include <tessera/kasan.h>

void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;

	if (config_kasan) {
		kasan_check_read(from, n);
		kasan_check_write(to, n);
	}
	if (n >= 8) {
		size_t words = n >> 3;

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words)::"memory");
		n &= 7;
	}
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n)::"memory");
	return to;
}

void *
memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(to, from, n);
	if (config_kasan) {
		kasan_check_read(from, n);
		kasan_check_write(to, n);
	}
	d += n - 1;
	s += n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n)::"memory", "cc");
	return to;
}

void *
memset(void *to, int c, size_t n)
{
	void *d = to;
	uint64_t pattern = (uint8_t)c * 0x0101010101010101ull;

	if (config_kasan)
		kasan_check_write(to, n);
	if (n >= 8) {
		size_t words = n >> 3;

		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
		n &= 7;
	}
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(pattern) : "memory");
	return to;
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

void *
memchr(const void *p, int c, size_t n)
{
	const uint8_t *s = p;

	for (size_t i = 0; i < n; i++)
		if (s[i] == (uint8_t)c)
			return (void *)(s + i);
	return NULL;
}

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

size_t
strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int
strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] || !a[i])
			return (uint8_t)a[i] - (uint8_t)b[i];
	return 0;
}

char *
strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *
strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *
strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; *s || n == 0; s++) {
		if (strncmp(s, what, n) == 0)
			return (char *)s;
		if (!*s)
			break;
	}
	return NULL;
}

size_t
string_copy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (size > 0) {
		size_t m = n < size ? n : size - 1;

		memcpy(to, from, m);
		to[m] = '\0';
	}
	return n;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

int
parse_u64(const char *s, const char **end, unsigned int base, uint64_t *out)
{
	uint64_t value = 0;
	bool any = false, overflow = false;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
	    digit_value(s[2]) < 16) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = s[0] == '0' ? 8 : 10;
	}
	for (; (unsigned int)digit_value(*s) < base; s++) {
		any = true;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(*s), &value))
			overflow = true;
	}
	if (end)
		*end = s;
	if (!any)
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	*out = value;
	return 0;
}
