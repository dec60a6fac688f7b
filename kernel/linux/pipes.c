/* SPDX-License-Identifier: MIT */
/*
 * pipes.c - pipe(2), pipe2(2).
 */
#include <tessera/cpu.h>
#include <tessera/handle.h>
#include <tessera/pipe.h>
#include <tessera/process.h>

#include "linux.h"

/* Both numbers are known to the program before either handle is there: a fault leaves nothing. */
long
linux_pipe2(int __user *fds, int flags)
{
	struct process *p = current_process();
	uint32_t limit = (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	bool cloexec = (uint32_t)flags & O_CLOEXEC;
	struct file *r, *w;
	int fd[2], error;

	if ((uint32_t)flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL))
		return -EINVAL;
	if ((uint32_t)flags & O_EXCL)
		return -ENOPKG; /* a pipe for a watch queue's notices */
	error = pipe_create_files((uint32_t)flags, &r, &w);
	if (error)
		return error;
	fd[0] = error = handle_reserve(p->handles, 0, limit);
	if (error < 0)
		goto files;
	fd[1] = error = handle_reserve(p->handles, 0, limit);
	if (error < 0)
		goto first;
	error = copy_to_user(fds, fd, sizeof(fd));
	if (error)
		goto second;
	handle_install(p->handles, fd[0], r, handle_rights_of(r), cloexec);
	handle_install(p->handles, fd[1], w, handle_rights_of(w), cloexec);
	return 0;
second:
	handle_unreserve(p->handles, fd[1]);
first:
	handle_unreserve(p->handles, fd[0]);
files:
	file_put(r);
	file_put(w);
	return error;
}

long
linux_pipe(int __user *fds)
{
	return linux_pipe2(fds, 0);
}
