/* SPDX-License-Identifier: MIT */
/*
 * borders.c - where a program says that its parts lie: code, data, heap, stack, arguments, environment.
 *
 * exec sets them. A program may change its own, to be shown under another name or to be put together again
 * from a checkpoint. Only brk(2) and what /proc tells depend on them, and none of them is trusted to be mapped.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/process.h>
#include <tessera/string.h>

#include "mm.h"

#define AUX_END 0

static const size_t field[BORDERS] = {
	[BORDER_CODE_START] = offsetof(struct address_space, code_start),
	[BORDER_CODE_END] = offsetof(struct address_space, code_end),
	[BORDER_DATA_START] = offsetof(struct address_space, data_start),
	[BORDER_DATA_END] = offsetof(struct address_space, data_end),
	[BORDER_BRK_START] = offsetof(struct address_space, brk_start),
	[BORDER_BRK] = offsetof(struct address_space, brk),
	[BORDER_STACK_START] = offsetof(struct address_space, stack_start),
	[BORDER_ARG_START] = offsetof(struct address_space, arg_start),
	[BORDER_ARG_END] = offsetof(struct address_space, arg_end),
	[BORDER_ENV_START] = offsetof(struct address_space, env_start),
	[BORDER_ENV_END] = offsetof(struct address_space, env_end),
};

static vaddr_t *
border(struct address_space *as, size_t which)
{
	return (vaddr_t *)((char *)as + field[which]);
}

static bool
in_order(const vaddr_t *v)
{
	return v[BORDER_CODE_START] < v[BORDER_CODE_END] && v[BORDER_DATA_START] <= v[BORDER_DATA_END] &&
	       v[BORDER_BRK_START] <= v[BORDER_BRK] && v[BORDER_ARG_START] <= v[BORDER_ARG_END] &&
	       v[BORDER_ENV_START] <= v[BORDER_ENV_END];
}

/* 0 or -EINVAL: outside of what a program can have, an end before its start, more data than the limit. */
static int
check(const vaddr_t *v)
{
	uint64_t limit = task_limit(RLIMIT_DATA);

	for (size_t i = 0; i < BORDERS; i++)
		if (v[i] < USER_MIN || v[i] >= USER_END)
			return -EINVAL;
	if (!in_order(v))
		return -EINVAL;
	if (limit != RLIM_INFINITY &&
	    v[BORDER_BRK] - v[BORDER_BRK_START] + v[BORDER_DATA_END] - v[BORDER_DATA_START] > limit)
		return -EINVAL;
	return 0;
}

int
address_space_set_border(struct address_space *as, size_t which, vaddr_t at)
{
	vaddr_t v[BORDERS];
	int error;

	if (at < USER_MIN || at >= USER_END || which >= BORDERS)
		return -EINVAL;
	address_space_change(as);
	for (size_t i = 0; i < BORDERS; i++)
		v[i] = *border(as, i);
	v[which] = at;
	error = check(v);
	if (!error && which >= BORDER_STACK_START && !address_space_find(as, at))
		error = -EFAULT;
	if (!error)
		*border(as, which) = at;
	address_space_changed(as);
	return error;
}

/* How many words there are, with the pair that ends them. `as` is being changed. */
static void
count_auxv(struct address_space *as)
{
	size_t n = 0;

	while (n + 2 < ARRAY_SIZE(as->auxv) && as->auxv[n] != AUX_END)
		n += 2;
	as->auxv_count = (uint32_t)n + 2;
}

void
address_space_set_auxv(struct address_space *as, const uint64_t *words)
{
	address_space_change(as);
	memcpy(as->auxv, words, sizeof(as->auxv));
	count_auxv(as);
	address_space_changed(as);
}

int
address_space_set_borders(struct address_space *as, const vaddr_t *v)
{
	int error = check(v);

	if (error)
		return error;
	address_space_change(as);
	for (size_t i = 0; i < BORDERS; i++)
		*border(as, i) = v[i];
	address_space_changed(as);
	return 0;
}

int
address_space_check_borders(const vaddr_t *v)
{
	return check(v);
}

static bool
same_place(const struct file *f, const struct file *g)
{
	return f->mount == g->mount && f->dentry == g->dentry;
}

bool
address_space_maps_exe(struct address_space *as)
{
	bool found = false;

	read_lock(&as->lock);
	for (struct mapping *m = address_space_find(as, 0); m && !found; m = mapping_next(m))
		found = m->file && as->exe && same_place(m->file, as->exe);
	read_unlock(&as->lock);
	return found;
}

void
address_space_set_exe(struct address_space *as, struct file *f)
{
	struct file *old;

	address_space_change(as);
	old = as->exe;
	as->exe = f;
	address_space_changed(as);
	if (old)
		file_put(old);
}

struct file *
address_space_exe(struct address_space *as)
{
	struct file *f;

	read_lock(&as->lock);
	f = as->exe;
	if (f)
		file_get(f);
	read_unlock(&as->lock);
	return f;
}
