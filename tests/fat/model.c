/* SPDX-License-Identifier: MIT */
/* model.c - what the file system under torture should hold: a tree of names and bytes, and names to put into it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model.h"

struct file root = { .directory = true, .refs = 1 };
bool plain_names;
static uint64_t state = 1;

void
draw_from(uint64_t seed)
{
	state = seed * 2654435761u + 1;
}

uint32_t
draw(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

/* --- the model ---------------------------------------------------------------------------------------------- */

void
path_of(const struct file *f, char *out)
{
	if (f->parent) {
		path_of(f->parent, out);
		out += strlen(out);
		snprintf(out, NAME_ROOM + 1, "/%s", f->name);
	} else {
		*out = '\0';
	}
}

size_t
name_length(const char *name)
{
	size_t n = strlen(name);

	while (n && name[n - 1] == '.')
		n--;
	return n;
}

struct file *
child_of(struct file *dir, const char *name)
{
	size_t n = name_length(name);

	for (unsigned int i = 0; i < dir->children; i++)
		if (strlen(dir->child[i]->name) == n && strncasecmp(dir->child[i]->name, name, n) == 0)
			return dir->child[i];
	return NULL;
}

void
attach(struct file *dir, struct file *f)
{
	dir->child[dir->children++] = f;
	f->parent = dir;
	f->depth = dir->depth + 1;
}

void
detach(struct file *f)
{
	struct file *dir = f->parent;

	for (unsigned int i = 0; i < dir->children; i++)
		if (dir->child[i] == f)
			dir->child[i] = dir->child[--dir->children];
}

void
put(struct file *f)
{
	if (--f->refs == 0) {
		free(f->bytes);
		free(f);
	}
}

/* Any directory, the root too, or any file; deeper ones are less likely. */
struct file *
any(bool directory)
{
	struct file *f = &root;

	for (;;) {
		struct file *next = f->children ? f->child[draw(f->children)] : NULL;

		if (!next || (directory && draw(4) == 0))
			return f;
		if (!next->directory)
			return directory ? f : next;
		f = next;
	}
}

bool
below(const struct file *f, const struct file *top)
{
	for (; f; f = f->parent)
		if (f == top)
			return true;
	return false;
}

unsigned int
height(const struct file *f)
{
	unsigned int h = 0;

	for (unsigned int i = 0; i < f->children; i++)
		if (height(f->child[i]) + 1 > h)
			h = height(f->child[i]) + 1;
	return h;
}

void
set_depths(struct file *f)
{
	for (unsigned int i = 0; i < f->children; i++) {
		f->child[i]->depth = f->depth + 1;
		set_depths(f->child[i]);
	}
}

void
swap_files(struct file *a, struct file *b)
{
	struct file *pa = a->parent, *pb = b->parent;
	char name[NAME_ROOM];

	memcpy(name, a->name, sizeof(name));
	memcpy(a->name, b->name, sizeof(name));
	memcpy(b->name, name, sizeof(name));
	detach(a);
	detach(b);
	attach(pb, a);
	attach(pa, b);
	set_depths(a);
	set_depths(b);
}

void
model_resize(struct file *f, size_t size)
{
	f->bytes = realloc(f->bytes, size ? size : 1);
	if (size > f->size)
		memset(f->bytes + f->size, 0, size - f->size);
	f->size = size;
}

/* --- names ---------------------------------------------------------------------------------------------------- */

static void
any_name(char *out)
{
	static const char *const beyond[] = { "é", "Ω", "ж", "中", "😀", "ß", "ﬁ", "e\u0301" };
	uint32_t n = draw(40), kind = draw(10);

	switch (plain_names && kind == 6 ? 0 : kind) {
	case 0: sprintf(out, "F%u.TXT", n); break;
	case 1: sprintf(out, "f%u.txt", n); break;
	case 2: sprintf(out, "Mixed%u.Case", n); break;
	case 3: sprintf(out, "a long name, with blanks %u.text", n); break;
	case 4: sprintf(out, ".hidden%u", n); break;
	case 5: sprintf(out, "many.dots.%u.tar.gz", n); break;
	case 6: sprintf(out, "%s%u%s", beyond[draw(8)], n, beyond[draw(8)]); break;
	case 7: sprintf(out, "alike in the beginning %u", n); break;
	case 8: sprintf(out, "+plus;[%u],=", n); break;
	default:
		n = draw(4);
		memset(out, 'l', 250 + n);
		sprintf(out + 250 + n, "%u", n);
	}
	/* Linux's VFS takes 255 bytes or more, as the file system says; nobody takes more than 255 units. */
}

/* The same name for the file system. */
static void
other_case(const char *name, char *out)
{
	bool turn = draw(4) == 0;

	for (; *name; name++)
		*out++ = turn && draw(2) && ((*name | 32) >= 'a' && (*name | 32) <= 'z') ? *name ^ 32 : *name;
	if (draw(20) == 0)
		*out++ = '.';
	*out = '\0';
}

/* A path to an existing file in some case, or to one that is probably not there. */
struct file *
target(struct file *dir, char *path)
{
	char name[NAME_ROOM];
	size_t n;

	path_of(dir, path);
	n = strlen(path);
	if (dir->children && draw(2))
		other_case(dir->child[draw(dir->children)]->name, name);
	else
		any_name(name);
	snprintf(path + n, NAME_ROOM + 1, "/%s", name);
	return child_of(dir, name);
}

const char *
last(const char *path)
{
	return strrchr(path, '/') + 1;
}
