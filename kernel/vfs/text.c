/* SPDX-License-Identifier: MIT */
/*
 * text.c - the growing buffer that the files of /proc and /sys are written into.
 */
#include <tessera/cpu.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/text.h>

#define FIRST_SIZE 1024u
#define LAST_SIZE  (4u << 20) /* kmalloc's largest */

static bool
reserve(struct text *t, size_t n)
{
	size_t size = t->size ? t->size : FIRST_SIZE;
	char *data;

	if (t->failed)
		return false;
	if (t->used + n <= t->size)
		return true;
	while (size < t->used + n)
		size *= 2;
	data = size <= LAST_SIZE ? krealloc(t->data, size, 0) : NULL;
	if (!data) {
		t->failed = true;
		return false;
	}
	t->data = data;
	t->size = size;
	return true;
}

void
text_add(struct text *t, const char *s, size_t n)
{
	if (!reserve(t, n))
		return;
	memcpy(t->data + t->used, s, n);
	t->used += n;
}

static void
print(struct text *t, const char *format, va_list args)
{
	va_list again;
	int n;

	if (!reserve(t, 128))
		return;
	va_copy(again, args);
	n = vsnprintf(t->data + t->used, t->size - t->used, format, args);
	if ((size_t)n >= t->size - t->used && reserve(t, (size_t)n + 1))
		vsnprintf(t->data + t->used, t->size - t->used, format, again);
	va_end(again);
	if (!t->failed)
		t->used += (size_t)n;
}

void
text_print(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(t, format, args);
	va_end(args);
}

void
text_print_context(void *ctx, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(ctx, format, args);
	va_end(args);
}

void
text_add_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			text_print(t, "\\%03o", (unsigned int)(unsigned char)*s);
		else
			text_add(t, s, 1);
	}
}

void
text_add_cpu_list(struct text *t, uint64_t set)
{
	bool first = true;

	for (uint32_t i = 0; i < 64; i++) {
		uint32_t end = i;

		if (!(set & BIT(i)))
			continue;
		while (end < 63 && (set & BIT(end + 1)))
			end++;
		text_print(t, first ? "%u" : ",%u", i);
		if (end > i)
			text_print(t, "-%u", end);
		first = false;
		i = end;
	}
}

void
text_add_cpu_mask(struct text *t, uint64_t set)
{
	int high = cpu_count > 32 ? (int)(cpu_count - 32 + 3) / 4 : 0;

	if (high)
		text_print(t, "%0*x,%08x", high, (uint32_t)(set >> 32), (uint32_t)set);
	else
		text_print(t, "%0*x", (int)(cpu_count + 3) / 4, (uint32_t)set);
}

void
text_free(struct text *t)
{
	kfree(t->data);
	*t = (struct text){ 0 };
}
