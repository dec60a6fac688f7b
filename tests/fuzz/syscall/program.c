/* SPDX-License-Identifier: MIT */
/* program.c - a program in memory: its storage, copies, calls that come and go. */
#include "fuzz.h"

#include <string.h>

uint64_t random_state = 1;

void *
program_memory(struct program *p, size_t size)
{
	void *m = p->memory + p->used;

	size = (size + 15) & ~15ul;
	if (p->used + size > sizeof(p->memory))
		return NULL;
	p->used += size;
	memset(m, 0, size);
	return m;
}

void
program_clear(struct program *p)
{
	memset(p, 0, offsetof(struct program, memory));
}

static void
value_copy(struct program *to, struct value *v, const struct value *from)
{
	*v = *from;
	if (from->form == FORM_BYTES) {
		v->bytes = program_memory(to, from->n + 1);
		if (v->bytes)
			memcpy(v->bytes, from->bytes, from->n);
	} else if (from->form == FORM_GROUP) {
		v->items = program_memory(to, from->n * sizeof(*v));
		for (uint64_t i = 0; v->items && i < from->n; i++)
			value_copy(to, &v->items[i], &from->items[i]);
	} else {
		return;
	}
	if (!v->items)
		*v = (struct value){ .form = FORM_INT, .size = from->size, .kind = from->kind };
}

void
call_copy(struct program *to, struct call *c, const struct call *from)
{
	*c = *from;
	for (unsigned int i = 0; i < from->desc->args; i++)
		value_copy(to, &c->arg[i], &from->arg[i]);
}

void
program_copy(struct program *to, const struct program *from)
{
	program_clear(to);
	to->count = from->count;
	to->next_id = from->next_id;
	to->user = from->user;
	to->kill_ms = from->kill_ms;
	to->kill_signal = from->kill_signal;
	for (unsigned int i = 0; i < from->count; i++)
		call_copy(to, &to->calls[i], &from->calls[i]);
}

/* A result is there when a call before `limit` has its id. */
static void
value_check(struct program *p, struct value *v, unsigned int limit)
{
	if (v->form == FORM_GROUP) {
		for (uint64_t i = 0; i < v->n; i++)
			value_check(p, &v->items[i], limit);
	} else if (v->form == FORM_RESULT) {
		for (unsigned int i = 0; i < limit; i++)
			if (p->calls[i].id == v->n)
				return;
		v->form = FORM_INT;
		v->n = v->size == 8 ? UINT64_MAX : UINT32_MAX;
	}
}

void
program_check(struct program *p)
{
	for (unsigned int i = 0; i < p->count; i++)
		for (unsigned int a = 0; a < p->calls[i].desc->args; a++)
			value_check(p, &p->calls[i].arg[a], i);
}

void
program_remove(struct program *p, unsigned int index)
{
	memmove(p->calls + index, p->calls + index + 1, (p->count - index - 1) * sizeof(p->calls[0]));
	p->count--;
	program_check(p);
}

bool
program_insert(struct program *p, unsigned int at)
{
	if (p->count == MAX_CALLS)
		return false;
	memmove(p->calls + at + 1, p->calls + at, (p->count - at) * sizeof(p->calls[0]));
	p->count++;
	p->calls[at] = (struct call){ .id = (uint16_t)p->next_id++ };
	return true;
}
