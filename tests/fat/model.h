/* SPDX-License-Identifier: MIT */
/* model.h - the model of a file system, and random numbers. */
#ifndef MODEL_H
#define MODEL_H

#include "torture.h"

#define CHILDREN 64
#define DEPTH    6
#define PATH     (DEPTH * NAME_ROOM)

struct file {
	char name[NAME_ROOM];
	struct file *parent, *child[CHILDREN];
	unsigned int children, depth, refs;
	bool directory, gone;
	uint8_t *bytes;
	size_t size;
};

extern struct file root;
extern bool plain_names; /* ASCII */

void draw_from(uint64_t seed);
/* Less than n. */
uint32_t draw(uint32_t n);

/* "" for the root. `out` has PATH bytes. */
void path_of(const struct file *f, char *out);
/* Without dots at the end. */
size_t name_length(const char *name);
const char *last(const char *path);
struct file *child_of(struct file *dir, const char *name);
void attach(struct file *dir, struct file *f);
void detach(struct file *f);
void put(struct file *f);
bool below(const struct file *f, const struct file *top);
/* How deep the tree under f goes. */
unsigned int height(const struct file *f);
void set_depths(struct file *f);
/* They change places and names. */
void swap_files(struct file *a, struct file *b);
void model_resize(struct file *f, size_t size);

struct file *any(bool directory);
/* A path in `dir`: of a file that is there (which is returned) in some case, or of one that is probably not. */
struct file *target(struct file *dir, char *path);

#endif
