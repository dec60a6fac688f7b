/* SPDX-License-Identifier: MIT */
/*
 * generate.c - new programs, and changes to old ones.
 *
 * A value follows its kind nine times in ten; the tenth is any number, a null pointer or one that leads
 * nowhere. A resource is taken from an earlier call of the right sort; where there is none, a call
 * that makes one (`producers`) is put in front first.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static const char *const paths[] = {
	"a", "b", "c", "d", "d/a", "d/b", "d/c", "l", "f", "s", "x", "d/d", "d/d/a", "m", ".", "./a", "d/../a", "d/",
	"a/b", "", "l2", "d//a",
};
/* What a program may look at outside its own folder; rules.c has the last word. */
static const char *const outside[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx", "/dev/tty", "/dev/random", "/proc/self/maps", "/proc/self/mem",
	"/proc/self/fd", "/proc/self/task", "/proc/self/status", "/proc/self/environ", "/proc/self/fd/3", "/proc/self/exe",
	"/proc/self/cwd", "/proc/self/root", "/proc/self/ns/mnt", "/proc/self/ns/ipc", "/proc/self/ns/uts", "/proc/self/ns/pid",
	"/proc/self/ns/user", "/proc/self/oom_score_adj", "/proc/self/stat",
	"/proc/self/smaps", "/proc/self/pagemap", "/proc/self/limits", "/proc/self/mounts", "/proc/self/fdinfo/3",
	"/proc/self/timers", "/proc/self/comm", "/proc/self/clear_refs", "/proc/meminfo", "/proc/loadavg", "/bin/true",
	"/proc/self/auxv", "/proc/self/cmdline", "/proc/thread-self/comm", "/proc/tessera/counters", "/proc/slabinfo",
};

static unsigned int depth;

static uint64_t
any_number(void)
{
	static const uint64_t interesting[] = {
		0, 1, 2, 3, 4, 7, 8, 16, 64, 100, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX, 1ul << 63, UINT64_MAX,
		UINT64_MAX - 1, UINT64_MAX - 4095, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
		0xffffffff80000000,
	};

	switch (below(8)) {
	case 0:
		return random64();
	case 1:
		return 1ul << below(64);
	case 2:
		return below(4096);
	case 3:
		return interesting[below(sizeof(interesting) / sizeof(interesting[0]))] + below(3) - 1;
	case 4:
		return below(16);
	default:
		return interesting[below(sizeof(interesting) / sizeof(interesting[0]))];
	}
}

static uint64_t
any_length(void)
{
	switch (below(8)) {
	case 0:
		return any_number();
	case 1:
		return 4096 * (1 + below(32));
	case 2:
		return below(65536);
	default:
		return below(3) ? below(300) : 4096 + below(3) - 1;
	}
}

static uint64_t
set_value(const struct kind *k)
{
	uint64_t n = 0;

	if (k->type == KIND_CHOICE || one_in(2))
		return k->set[below(k->set_size)].n;
	for (unsigned int i = 1 + (unsigned int)below(4); i > 0; i--)
		n |= k->set[below(k->set_size)].n;
	return n;
}

static void
set_bytes(struct program *p, struct value *v, const void *bytes, size_t n)
{
	v->form = FORM_BYTES;
	v->n = n;
	v->bytes = program_memory(p, n + 1);
	if (v->bytes)
		memcpy(v->bytes, bytes, n);
	else
		v->form = FORM_INT, v->n = 0;
}

static void
make_path(struct program *p, struct value *v)
{
	char text[300];
	const char *path;

	if (one_in(5)) {
		path = outside[below(sizeof(outside) / sizeof(outside[0]))];
	} else if (one_in(60)) {
		memset(text, 'n', sizeof(text));
		text[one_in(2) ? 255 : 256] = '\0';
		path = text;
	} else {
		path = paths[below(sizeof(paths) / sizeof(paths[0]))];
	}
	set_bytes(p, v, path, strlen(path));
}

static void
make_bytes(struct program *p, struct value *v)
{
	uint8_t bytes[256];
	size_t n = one_in(4) ? below(sizeof(bytes)) : below(16);

	for (size_t i = 0; i < n; i++)
		bytes[i] = one_in(2) ? (uint8_t)('a' + below(4)) : (uint8_t)random64();
	if (one_in(6)) {
		static const char *const words[] = { "tmpfs", "user.a", "system.posix_acl_access", "security.x", "#!/bin/true\n",
						     "1\n", "0", "proc", "size=4096", "a\nb\n", "trusted.t" };
		const char *word = words[below(sizeof(words) / sizeof(words[0]))];

		set_bytes(p, v, word, strlen(word));
		return;
	}
	set_bytes(p, v, bytes, n);
}

static void make_value(struct program *p, unsigned int *at, struct value *v, const struct kind *k, uint8_t size);

/* Which earlier call gives what is asked for? -1: none. */
static int
find_producer(const struct program *p, unsigned int limit, uint64_t sorts, uint8_t *sub)
{
	int found[MAX_CALLS], n = 0;

	for (unsigned int i = 0; i < limit; i++)
		if (p->calls[i].desc && ((p->calls[i].desc->returns | p->calls[i].desc->out) & sorts))
			found[n++] = (int)i;
	if (n == 0)
		return -1;
	n = found[below((uint64_t)n)];
	*sub = p->calls[n].desc->out & sorts ? (uint8_t)(1 + below(2)) : 0;
	return n;
}

/* Put a call in front of *at that makes such a thing. */
static bool
add_producer(struct program *p, unsigned int *at, uint64_t sorts)
{
	unsigned int fit[80], n = 0;
	struct call made = { 0 };

	for (unsigned int i = 0; producers[i][0]; i++)
		if (kind_of(producers[i][0])->resource & sorts)
			fit[n++] = i;
	if (n == 0 || p->count >= MAX_CALLS - 1)
		return false;
	if (!call_parse(p, &made, producers[fit[below(n)]][1]))
		return false;
	if (!program_insert(p, *at))
		return false;
	made.id = p->calls[*at].id;
	p->calls[*at] = made;
	++*at;
	return true;
}

/* A resource; sometimes a bare number that may be one. */
static void
make_resource(struct program *p, unsigned int *at, struct value *v, uint64_t sorts)
{
	uint8_t sub = 0;
	int i;

	if (sorts == R_PID && one_in(2)) {
		v->form = one_in(3) ? FORM_INT : FORM_SPECIAL;
		v->n = v->form == FORM_INT ? 0 : one_in(2) ? SPECIAL_SELF : SPECIAL_TID;
		return;
	}
	if (one_in(12)) {
		static const uint64_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, (uint32_t)-1, (uint32_t)-100, 1000 };

		v->form = FORM_INT;
		v->n = sorts & R_PID ? (one_in(2) ? 0 : 0x3ffffff) : numbers[below(sizeof(numbers) / sizeof(numbers[0]))];
		return;
	}
	if ((sorts & R_DIR) && !(sorts & R_FILE) && !one_in(4)) {
		v->form = FORM_INT;
		v->n = (uint32_t)-100;
		return;
	}
	if (one_in(10) && (sorts & R_FD))
		sorts |= R_FD;
	i = find_producer(p, *at, sorts, &sub);
	if (i < 0 && depth < 2 && add_producer(p, at, sorts))
		i = find_producer(p, *at, sorts, &sub);
	if (i < 0) {
		v->form = FORM_INT;
		v->n = below(8);
		return;
	}
	v->form = FORM_RESULT;
	v->n = p->calls[i].id;
	v->sub = sub;
}

static void
make_group(struct program *p, unsigned int *at, struct value *v, const struct kind *k)
{
	unsigned int many = k->n ? (unsigned int)k->n : 1 + (unsigned int)below(3), n = many * k->field_count;
	struct value *items;

	if (n > MAX_ITEMS)
		n = k->field_count;
	items = program_memory(p, n * sizeof(*items));
	if (!items) {
		v->n = 0;
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct field *f = &k->fields[i % k->field_count];

		make_value(p, at, &items[i], f->kind, f->size);
	}
	v->form = FORM_GROUP;
	v->n = n;
	v->items = items;
}

static void
make_value(struct program *p, unsigned int *at, struct value *v, const struct kind *k, uint8_t size)
{
	*v = (struct value){ .form = FORM_INT, .size = size, .kind = k };
	if (depth > 4)
		return;
	if (one_in(25) && k->type != KIND_CONST) {
		v->n = k->type >= KIND_POINTER || k->type == KIND_BYTES || k->type == KIND_OUT ? 0 : any_number();
		if (one_in(4))
			v->form = FORM_PAGE, v->n = below(ARENA_PAGES) * 4096 + (one_in(2) ? 4096 - below(64) : 0);
		return;
	}
	depth++;
	switch (k->type) {
	case KIND_INT:
		v->n = any_number();
		break;
	case KIND_FLAGS:
	case KIND_CHOICE:
		v->n = set_value(k);
		break;
	case KIND_CONST:
		v->n = k->n;
		break;
	case KIND_RESOURCE:
		make_resource(p, at, v, k->resource);
		break;
	case KIND_PATH:
		make_path(p, v);
		break;
	case KIND_BYTES:
		make_bytes(p, v);
		break;
	case KIND_OUT:
		v->form = FORM_OUT;
		v->n = k->n ? k->n : 1ul << below(13);
		break;
	case KIND_LENGTH:
		v->n = any_length();
		break;
	case KIND_PAGE:
		if (one_in(6))
			break;
		v->form = FORM_PAGE;
		v->n = below(ARENA_PAGES) * 4096;
		if (one_in(3))
			v->n = below(16) * 4096;
		if (one_in(8))
			v->n += below(4096);
		break;
	case KIND_SIGNAL:
		v->n = one_in(10) ? below(66) : (const uint8_t[]){ 10, 12, 17, 18, 14, 1, 34, 40, 13, 11, 19, 20 }[below(12)];
		break;
	case KIND_ID:
		v->n = (const uint32_t[]){ 0, 65534, 1, (uint32_t)-1, 1000 }[below(5)];
		break;
	case KIND_HANDLER:
		v->form = one_in(3) ? FORM_INT : FORM_SPECIAL;
		v->n = v->form == FORM_INT ? below(2) : SPECIAL_HANDLER;
		break;
	case KIND_RESTORER:
		v->form = FORM_SPECIAL;
		v->n = SPECIAL_RESTORER;
		break;
	case KIND_POINTER:
		make_group(p, at, v, k);
		break;
	}
	depth--;
}

static const struct desc *
choose_desc(void)
{
	const struct desc *d;

	do {
		d = &descs[below(desc_count)];
	} while (!d->chosen || (d->rare && !one_in(5)));
	return d;
}

/* A call that has to do with what the program already holds, more often than not. */
static const struct desc *
choose_related(const struct program *p)
{
	const struct desc *d = choose_desc();
	uint32_t have = 0;

	for (unsigned int i = 0; i < p->count; i++)
		if (p->calls[i].desc)
			have |= p->calls[i].desc->returns | p->calls[i].desc->out;
	for (int tries = one_in(3) ? 4 : 0; tries < 4; tries++) {
		for (unsigned int a = 0; a < d->args; a++)
			if (d->kind[a]->type == KIND_RESOURCE && (d->kind[a]->resource & have))
				return d;
		d = choose_desc();
	}
	return d;
}

static void
add_call(struct program *p, unsigned int at)
{
	const struct desc *d = choose_related(p);
	struct value values[6];

	for (unsigned int a = 0; a < d->args; a++)
		make_value(p, &at, &values[a], d->kind[a], 8);
	if (!program_insert(p, at))
		return;
	p->calls[at].desc = d;
	memcpy(p->calls[at].arg, values, d->args * sizeof(values[0]));
}

static void
spread(struct program *p)
{
	unsigned int threads = 2 + (unsigned int)below(MAX_THREADS - 1);

	for (unsigned int i = p->count / 4; i < p->count; i++)
		p->calls[i].thread = (uint8_t)below(threads);
}

static void
choose_circumstances(struct program *p)
{
	p->user = one_in(3) ? NOBODY : 0;
	for (unsigned int i = 0; i < p->count; i++)
		p->calls[i].fail = 0;
	if (p->count && one_in(4))
		p->calls[below(p->count)].fail = (uint8_t)(1 + below(one_in(3) ? 30 : 6));
	if (one_in(12)) {
		p->kill_signal = (const uint8_t[]){ 9, 19, 10, 15, 20 }[below(5)];
		p->kill_ms = (unsigned int)below(8);
	}
}

void
generate_program(struct program *p)
{
	unsigned int wanted = 3 + (unsigned int)below(18);

	program_clear(p);
	while (p->count < wanted)
		add_call(p, p->count);
	choose_circumstances(p);
	if (one_in(3))
		spread(p);
	program_check(p);
}

/* --- mutation --------------------------------------------------------------------------------- */

static void
mutate_bytes(struct program *p, struct value *v)
{
	if (v->kind && v->kind->type == KIND_PATH && !one_in(8)) {
		make_path(p, v);
		return;
	}
	if (v->n == 0 || one_in(4)) {
		make_bytes(p, v);
		return;
	}
	for (unsigned int i = 1 + (unsigned int)below(4); i > 0; i--)
		v->bytes[below(v->n)] = (uint8_t)random64();
	if (one_in(4))
		v->n = below(v->n + 1);
}

static void
mutate_value(struct program *p, unsigned int *at, struct value *v)
{
	static const struct kind anything = { .name = "int", .type = KIND_INT };
	const struct kind *k = v->kind ? v->kind : &anything;

	if (v->form == FORM_GROUP && v->n && !one_in(8)) {
		mutate_value(p, at, &v->items[below(v->n)]);
		return;
	}
	if (v->form == FORM_BYTES && !one_in(8)) {
		mutate_bytes(p, v);
		return;
	}
	if (k->type == KIND_CONST && !one_in(6))
		return;
	if (v->form == FORM_INT && one_in(3)) {
		switch (below(4)) {
		case 0:
			v->n += below(16) - 8;
			return;
		case 1:
			v->n ^= 1ul << below(v->size ? v->size * 8 : 64);
			return;
		case 2:
			v->n = any_number();
			return;
		default:
			v->n = -v->n;
			return;
		}
	}
	make_value(p, at, v, k, v->size ? v->size : 8);
}

static void
mutate_call(struct program *p)
{
	unsigned int at = (unsigned int)below(p->count), a;
	const struct desc *d = p->calls[at].desc;
	struct value v;

	if (d->args == 0)
		return;
	/* A producer may be put in front: the call's place moves along. */
	a = (unsigned int)below(d->args);
	v = p->calls[at].arg[a];
	mutate_value(p, &at, &v);
	p->calls[at].arg[a] = v;
}

/* The rest of another program behind a part of ours. */
static void
splice(struct program *p, const struct program *other)
{
	unsigned int at = (unsigned int)below(p->count + 1), first_id = p->next_id;

	while (p->count > at)
		program_remove(p, p->count - 1);
	for (unsigned int i = 0; i < other->count && p->count < MAX_CALLS; i++) {
		struct call *c = &p->calls[p->count++];

		call_copy(p, c, &other->calls[i]);
		c->id = (uint16_t)(first_id + other->calls[i].id);
		/* Its references move with it. */
		for (unsigned int a = 0; a < c->desc->args; a++) {
			struct value *v = &c->arg[a];

			if (v->form == FORM_RESULT)
				v->n += first_id;
			for (uint64_t j = 0; v->form == FORM_GROUP && j < v->n; j++)
				if (v->items[j].form == FORM_RESULT)
					v->items[j].n += first_id;
		}
	}
	p->next_id = first_id + other->next_id;
}

static void
duplicate(struct program *p)
{
	unsigned int from = (unsigned int)below(p->count);
	struct call copy;

	call_copy(p, &copy, &p->calls[from]);
	if (!program_insert(p, p->count))
		return;
	copy.id = p->calls[p->count - 1].id;
	copy.thread = (uint8_t)below(MAX_THREADS);
	p->calls[p->count - 1] = copy;
}

void
mutate_program(struct program *p, const struct program *other)
{
	depth = 0;
	do {
		switch (below(16)) {
		case 0 ... 4:
			add_call(p, (unsigned int)below(p->count + 1));
			break;
		case 5 ... 9:
			if (p->count)
				mutate_call(p);
			break;
		case 10:
			if (p->count > 1)
				program_remove(p, (unsigned int)below(p->count));
			break;
		case 11:
			if (other)
				splice(p, other);
			break;
		case 12:
			if (p->count)
				duplicate(p);
			break;
		case 13:
			if (p->count > 2)
				spread(p);
			break;
		case 14:
			choose_circumstances(p);
			break;
		default:
			for (unsigned int i = 0; i < p->count; i++)
				p->calls[i].thread = 0;
			break;
		}
	} while (!one_in(3) && p->used < sizeof(p->memory) / 2);
	program_check(p);
}

static bool
hint_value(struct value *v, uint64_t from, uint64_t to, unsigned int *which)
{
	if (v->form == FORM_GROUP) {
		for (uint64_t i = 0; i < v->n; i++)
			if (hint_value(&v->items[i], from, to, which))
				return true;
	} else if (v->form == FORM_INT && v->n == from && (*which)-- == 0) {
		v->n = to;
		return true;
	}
	return false;
}

bool
mutate_hint(struct program *p, uint64_t from, uint64_t to, unsigned int which)
{
	for (unsigned int i = 0; i < p->count; i++)
		for (unsigned int a = 0; a < p->calls[i].desc->args; a++)
			if (hint_value(&p->calls[i].arg[a], from, to, &which))
				return true;
	return false;
}
