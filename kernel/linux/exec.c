/* SPDX-License-Identifier: MIT */
/*
 * exec.c - execve and execveat.
 */
#include <tessera/fork.h>
#include <tessera/inode.h>
#include <tessera/slab.h>

#include "linux.h"

#define AT_EMPTY_PATH 0x1000

long
linux_execveat(int dirfd, const char __user *name, uint64_t argv, uint64_t envp, int flags)
{
	char *path = kmalloc(PATH_MAX, 0);
	long result;

	if (!path)
		return -ENOMEM;
	result = copy_string_from_user(path, name, PATH_MAX);
	if (result == 0 && !(flags & AT_EMPTY_PATH))
		result = -ENOENT;
	if (result >= 0)
		result = process_exec(dirfd, path, argv, envp, flags);
	kfree(path);
	return result;
}

long
linux_execve(const char __user *name, uint64_t argv, uint64_t envp)
{
	return linux_execveat(AT_FDCWD, name, argv, envp, 0);
}
