/* SPDX-License-Identifier: MIT */
/*
 * exec.c - execve and execveat.
 */
#include <tessera/fork.h>
#include <tessera/inode.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#include "linux.h"

#define AT_EMPTY_PATH 0x1000

/* A vector of strings is there to be read up to its end; told before the program is looked for. */
static long
check_vector(uint64_t vector)
{
	const uint64_t __user *v = __force_user(const uint64_t __user *, vector);
	uint64_t pointer;

	if (!vector)
		return 0;
	do {
		if (get_user(pointer, v++))
			return -EFAULT;
		if (signal_fatal_pending(current_thread()))
			return -EINTR;
	} while (pointer);
	return 0;
}

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
		result = check_vector(argv);
	if (result >= 0)
		result = check_vector(envp);
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
