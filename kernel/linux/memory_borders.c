/* SPDX-License-Identifier: MIT */
/*
 * memory_borders.c - prctl's PR_SET_MM: a program changes what the kernel keeps of where its parts lie, of its
 * auxiliary vector, and of which file it is.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/process.h>
#include <tessera/string.h>

#include "linux.h"

/* The options of one border each. */
static const uint8_t border_of[] = {
	[1] = BORDER_CODE_START, [2] = BORDER_CODE_END, [3] = BORDER_DATA_START, [4] = BORDER_DATA_END,
	[5] = BORDER_STACK_START, [6] = BORDER_BRK_START, [7] = BORDER_BRK,	 [8] = BORDER_ARG_START,
	[9] = BORDER_ARG_END,	 [10] = BORDER_ENV_START, [11] = BORDER_ENV_END,
};
#define PR_SET_MM_AUXV     12
#define PR_SET_MM_EXE_FILE 13
#define PR_SET_MM_MAP      14
#define PR_SET_MM_MAP_SIZE 15

#define AUXV_WORDS 48
#define NO_FILE    UINT32_MAX

struct prctl_mm_map {
	uint64_t borders[BORDERS]; /* in the order of enum address_space_border */
	uint64_t auxv;
	uint32_t auxv_size;
	uint32_t exe_fd;
};
_Static_assert(sizeof(struct prctl_mm_map) == 104, "Linux's struct prctl_mm_map");
_Static_assert(sizeof(((struct address_space *)0)->auxv) == AUXV_WORDS * sizeof(uint64_t), "room for a vector");

/* A vector from the program. It ends with a pair of zeros, whatever was given. */
static int
get_auxv(uint64_t *words, uint64_t from, size_t bytes)
{
	memset(words, 0, AUXV_WORDS * sizeof(*words));
	if (copy_from_user(words, (const void __user *)from, bytes))
		return -EFAULT;
	words[AUXV_WORDS - 2] = words[AUXV_WORDS - 1] = 0;
	return 0;
}

static long
set_auxv(struct address_space *as, uint64_t from, size_t bytes)
{
	uint64_t words[AUXV_WORDS];

	if (bytes > sizeof(words))
		return -EINVAL;
	if (get_auxv(words, from, bytes))
		return -EFAULT;
	address_space_set_auxv(as, words);
	return 0;
}

static long
set_exe(int fd)
{
	int error = 0;
	struct file *f = handle_get(fd, 0, &error);

	if (!f)
		return error;
	error = process_set_exe(f);
	file_put(f);
	return error;
}

static bool
may_set_exe(void)
{
	return capable_here(CAP_CHECKPOINT_RESTORE) || capable_here(CAP_SYS_ADMIN);
}

static long
set_map(struct address_space *as, const struct prctl_mm_map __user *from, size_t size)
{
	uint64_t words[AUXV_WORDS];
	struct prctl_mm_map m;
	long error;

	if (size != sizeof(m))
		return -EINVAL;
	if (copy_from_user(&m, from, sizeof(m)))
		return -EFAULT;
	error = address_space_check_borders(m.borders);
	if (error)
		return error;
	if (m.auxv_size > 0) {
		if (m.auxv == 0 || m.auxv_size > sizeof(words))
			return -EINVAL;
		if (get_auxv(words, m.auxv, m.auxv_size))
			return -EFAULT;
	}
	if (m.exe_fd != NO_FILE) {
		error = may_set_exe() ? set_exe((int)m.exe_fd) : -EPERM;
		if (error)
			return error;
	}
	error = address_space_set_borders(as, m.borders);
	if (!error && m.auxv_size > 0)
		address_space_set_auxv(as, words);
	return error;
}

long
prctl_set_mm(unsigned long what, unsigned long at, unsigned long size, unsigned long last)
{
	struct address_space *as = current_process()->as;

	if (last || (size && what != PR_SET_MM_AUXV && what != PR_SET_MM_MAP && what != PR_SET_MM_MAP_SIZE))
		return -EINVAL;
	if (what == PR_SET_MM_MAP_SIZE)
		return put_user((uint32_t)sizeof(struct prctl_mm_map), (uint32_t __user *)at);
	if (what == PR_SET_MM_MAP)
		return set_map(as, (const struct prctl_mm_map __user *)at, size);
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (what == PR_SET_MM_EXE_FILE)
		return set_exe((int)at);
	if (what == PR_SET_MM_AUXV)
		return set_auxv(as, at, size);
	if (what == 0 || what >= ARRAY_SIZE(border_of))
		return -EINVAL;
	return address_space_set_border(as, border_of[what], at);
}
