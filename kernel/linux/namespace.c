/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - unshare, setns.
 */
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/process.h>

#include "linux.h"

#define CLONE_NEWANY (CLONE_NAMESPACES | CLONE_NEWUSER | CLONE_NEWTIME)

long
linux_unshare(unsigned long flags)
{
	return process_unshare(flags);
}

static long
enter_process(int fd, uint64_t flags)
{
	struct process *p;
	int error;

	if (!flags || (flags & ~CLONE_NEWANY))
		return -EINVAL;
	p = pidfd_get(fd, NULL, &error);
	if (!p)
		return -EINVAL;
	error = namespaces_enter(p, flags);
	process_put(p);
	return error;
}

long
linux_setns(int fd, int flags)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_NONE, &error);
	struct namespace *ns;
	long result;

	if (!f)
		return error;
	ns = nsfs_namespace(f);
	if (!ns)
		result = enter_process(fd, (uint32_t)flags);
	else if (flags && (uint64_t)(uint32_t)flags != namespace_types[ns->kind].flag)
		result = -EINVAL;
	else
		result = namespace_enter(ns);
	file_put(f);
	return result;
}
