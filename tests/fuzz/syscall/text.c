/* SPDX-License-Identifier: MIT */
/*
 * text.c - a program as text, and back.
 *
 *	user 65534                                    the program does not run as root
 *	kill 9 after 5                                a signal from outside after so many milliseconds
 *	r0 = open("a", O_RDWR|O_CREAT, 0x1ff)         a name for the result
 *	t1: read(r0, &out(64), 0x40)                  on thread 1; results are r0, and r0.1, r0.2 the words stored
 *	poll(&{r0:4, POLLIN:2, 0:2}, 1, 0)            a struct: values of 8 bytes unless they say otherwise
 *	munmap(@0x2000, 0x1000)                       an address in the arena
 *	dup(r0) fails 2                               its second allocation of memory fails
 *	rt_sigaction(0xa, &{%handler, 0, %restorer, 0}, 0, 8)
 *
 * A line that starts with # is a comment. An empty line ends the program.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char *const special_words[SPECIAL_WORDS] = { "handler", "restorer", "self", "tid" };

struct out {
	char *text;
	size_t used, size;
};

static void __attribute__((format(printf, 2, 3)))
put(struct out *o, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(o->text + o->used, o->size - o->used, format, ap);
	va_end(ap);
	o->used += (size_t)n;
	if (o->used >= o->size)
		o->used = o->size - 1;
}

/* Names of the bits that have one, the rest as a number. */
static void
put_number(struct out *o, const struct value *v)
{
	const struct kind *k = v->kind;
	uint64_t left = v->n;
	const char *between = "";

	if (v->size && v->size < 8)
		left &= (1ul << 8 * v->size) - 1;
	if (k && (k->type == KIND_CHOICE || k->type == KIND_FLAGS))
		for (unsigned int i = 0; i < k->set_size; i++)
			if (k->set[i].n == left) {
				put(o, "%s", k->set[i].name);
				return;
			}
	if (k && k->type == KIND_FLAGS)
		for (unsigned int i = 0; i < k->set_size; i++)
			if (k->set[i].n && (left & k->set[i].n) == k->set[i].n) {
				put(o, "%s%s", between, k->set[i].name);
				between = "|";
				left &= ~k->set[i].n;
			}
	if (left || !*between)
		put(o, left < 10 ? "%s%lu" : "%s%#lx", between, left);
}

static void put_value(struct out *o, const struct program *p, const struct value *v, bool sized);

static void
put_bytes(struct out *o, const uint8_t *bytes, uint64_t n)
{
	put(o, "\"");
	for (uint64_t i = 0; i < n; i++)
		if (isprint(bytes[i]) && bytes[i] != '"' && bytes[i] != '\\')
			put(o, "%c", bytes[i]);
		else
			put(o, "\\x%02x", bytes[i]);
	put(o, "\"");
}

static void
put_value(struct out *o, const struct program *p, const struct value *v, bool sized)
{
	switch (v->form) {
	case FORM_INT:
		put_number(o, v);
		break;
	case FORM_RESULT:
		for (unsigned int i = 0; i < p->count; i++)
			if (p->calls[i].id == v->n)
				put(o, "r%u", i);
		if (v->sub)
			put(o, ".%u", v->sub);
		break;
	case FORM_SPECIAL:
		put(o, "%%%s", special_words[v->n]);
		break;
	case FORM_PAGE:
		put(o, "@%#lx", v->n);
		break;
	case FORM_BYTES:
		put_bytes(o, v->bytes, v->n);
		break;
	case FORM_OUT:
		put(o, "&out(%lu)", v->n);
		break;
	case FORM_GROUP:
		put(o, "&{");
		for (uint64_t i = 0; i < v->n; i++) {
			put(o, i ? ", " : "");
			put_value(o, p, &v->items[i], true);
		}
		put(o, "}");
		break;
	}
	if (sized && v->size && v->size != 8)
		put(o, ":%u", v->size);
}

size_t
program_print(const struct program *p, char *text, size_t size)
{
	struct out o = { .text = text, .size = size };

	text[0] = '\0';
	if (p->user)
		put(&o, "user %u\n", p->user);
	if (p->kill_signal)
		put(&o, "kill %u after %u\n", p->kill_signal, p->kill_ms);
	for (unsigned int i = 0; i < p->count; i++) {
		const struct call *c = &p->calls[i];

		if (c->thread)
			put(&o, "t%u: ", c->thread);
		if (c->desc->returns || c->desc->out)
			put(&o, "r%u = ", i);
		put(&o, "%s(", c->desc->name);
		for (unsigned int a = 0; a < c->desc->args; a++) {
			put(&o, a ? ", " : "");
			put_value(&o, p, &c->arg[a], false);
		}
		put(&o, c->fail ? ") fails %u\n" : ")\n", c->fail);
	}
	return o.used < size - 1 ? o.used : 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct in {
	const char *at;
	struct program *p;
	int names[MAX_CALLS * 4];  /* id by number of an r name; -1: not seen */
	const char *error;
};

static void
blanks(struct in *in)
{
	while (*in->at == ' ' || *in->at == '\t')
		in->at++;
}

static bool
accept(struct in *in, const char *word)
{
	size_t n = strlen(word);

	blanks(in);
	if (strncmp(in->at, word, n) != 0)
		return false;
	in->at += n;
	return true;
}

static void
expect(struct in *in, const char *word)
{
	if (!accept(in, word) && !in->error)
		in->error = word;
}

static size_t
word_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

static uint64_t
parse_number(struct in *in)
{
	uint64_t n = 0;

	do {
		uint64_t part = 0;
		size_t length;

		blanks(in);
		length = word_length(in->at);
		if (*in->at == '-' || isdigit((unsigned char)*in->at)) {
			char *end;

			part = strtoull(in->at, &end, 0);
			in->at = end;
		} else if (length && constant_named(in->at, length, &part)) {
			in->at += length;
		} else if (!in->error) {
			in->error = "a number";
			return 0;
		}
		n |= part;
	} while (accept(in, "|"));
	return n;
}

static void
parse_bytes(struct in *in, struct value *v)
{
	uint8_t bytes[4096];
	size_t n = 0;

	while (*in->at && *in->at != '"' && n < sizeof(bytes)) {
		if (in->at[0] == '\\' && in->at[1] == 'x') {
			char hex[3] = { in->at[2], in->at[2] ? in->at[3] : '\0', '\0' };

			bytes[n++] = (uint8_t)strtoul(hex, NULL, 16);
			in->at += strlen(hex) + 2;
		} else {
			bytes[n++] = (uint8_t)*in->at++;
		}
	}
	expect(in, "\"");
	v->form = FORM_BYTES;
	v->n = n;
	v->bytes = program_memory(in->p, n + 1);
	if (v->bytes)
		memcpy(v->bytes, bytes, n);
	else
		in->error = "less text";
}

static void parse_value(struct in *in, struct value *v, const struct kind *k, unsigned int size);

static void
parse_group(struct in *in, struct value *v, const struct kind *k)
{
	struct value items[MAX_ITEMS];
	unsigned int n = 0;
	bool known = k && k->type == KIND_POINTER && k->field_count;

	if (!accept(in, "}"))
		do {
			const struct field *f = known ? &k->fields[n % k->field_count] : NULL;

			if (n == MAX_ITEMS) {
				in->error = "fewer items";
				return;
			}
			parse_value(in, &items[n++], f ? f->kind : NULL, 8);
			if (in->error)
				return;
		} while (accept(in, ","));
	if (n)
		expect(in, "}");
	v->form = FORM_GROUP;
	v->n = n;
	v->items = program_memory(in->p, n * sizeof(*v) + 1);
	if (v->items)
		memcpy(v->items, items, n * sizeof(*v));
	else
		in->error = "less text";
}

static void
parse_value(struct in *in, struct value *v, const struct kind *k, unsigned int size)
{
	*v = (struct value){ .kind = k, .size = (uint8_t)size };
	blanks(in);
	if (accept(in, "&out(")) {
		v->form = FORM_OUT;
		v->n = parse_number(in);
		expect(in, ")");
	} else if (accept(in, "&{")) {
		parse_group(in, v, k);
	} else if (accept(in, "\"")) {
		parse_bytes(in, v);
	} else if (accept(in, "@")) {
		v->form = FORM_PAGE;
		v->n = parse_number(in);
	} else if (accept(in, "%")) {
		v->form = FORM_SPECIAL;
		for (v->n = 0; v->n < SPECIAL_WORDS && !accept(in, special_words[v->n]); v->n++)
			;
		if (v->n == SPECIAL_WORDS)
			in->error = "handler, restorer, self or tid";
	} else if (*in->at == 'r' && isdigit((unsigned char)in->at[1])) {
		unsigned long r = strtoul(in->at + 1, (char **)&in->at, 10);

		v->form = FORM_RESULT;
		v->n = r < MAX_CALLS * 4 && in->names[r] >= 0 ? (uint64_t)in->names[r] : UINT16_MAX + 1ul;
		if (accept(in, "."))
			v->sub = (uint8_t)parse_number(in);
	} else {
		v->n = parse_number(in);
	}
	if (accept(in, ":"))
		v->size = (uint8_t)parse_number(in);
	if (v->size != 1 && v->size != 2 && v->size != 4 && v->size != 8)
		in->error = "a size";
}

static void
parse_call(struct in *in, struct call *c)
{
	size_t length;
	long result = -1;

	if (*in->at == 't' && isdigit((unsigned char)in->at[1]) && in->at[2] == ':') {
		c->thread = (uint8_t)((in->at[1] - '0') % MAX_THREADS);
		in->at += 3;
		blanks(in);
	}
	if (*in->at == 'r' && isdigit((unsigned char)in->at[1])) {
		result = strtol(in->at + 1, (char **)&in->at, 10);
		expect(in, "=");
		blanks(in);
	}
	length = word_length(in->at);
	c->desc = desc_named(in->at, length);
	if (!c->desc) {
		in->error = "a call's name";
		return;
	}
	in->at += length;
	expect(in, "(");
	for (unsigned int a = 0; a < c->desc->args && !in->error; a++) {
		if (a)
			expect(in, ",");
		parse_value(in, &c->arg[a], c->desc->kind[a], 8);
	}
	expect(in, ")");
	if (accept(in, "fails "))
		c->fail = (uint8_t)parse_number(in);
	if (result >= 0 && result < MAX_CALLS * 4)
		in->names[result] = c->id;
}

bool
number_parse(const char *text, uint64_t *n)
{
	struct in in = { .at = text };

	*n = parse_number(&in);
	return !in.error && !*in.at;
}

bool
call_parse(struct program *p, struct call *c, const char *text)
{
	struct in in = { .at = text, .p = p };

	memset(in.names, -1, sizeof(in.names));
	parse_call(&in, c);
	return !in.error;
}

const char *
program_parse(struct program *p, const char *text, const char **error)
{
	struct in in = { .at = text, .p = p };
	bool begun = false;

	program_clear(p);
	memset(in.names, -1, sizeof(in.names));
	while (*in.at && !in.error) {
		blanks(&in);
		if (*in.at == '#') {
			in.at += strcspn(in.at, "\n");
		} else if (*in.at == '\n') {
			if (begun)
				break;
		} else if (accept(&in, "user ")) {
			p->user = (unsigned int)parse_number(&in);
			begun = true;
		} else if (strncmp(in.at, "kill ", 5) == 0) {
			in.at += 5;
			p->kill_signal = (unsigned int)parse_number(&in);
			expect(&in, "after");
			p->kill_ms = (unsigned int)parse_number(&in);
			begun = true;
		} else if (!program_insert(p, p->count)) {
			in.error = "fewer calls";
		} else {
			parse_call(&in, &p->calls[p->count - 1]);
			begun = true;
		}
		blanks(&in);
		if (*in.at == '\n')
			in.at++;
		else if (*in.at && !in.error)
			in.error = "the end of the line";
		if (begun && (*in.at == '\n'))
			break;
	}
	program_check(p);
	*error = in.error;
	return in.error ? NULL : in.at;
}
