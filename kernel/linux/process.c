/* SPDX-License-Identifier: MIT */
/*
 * process.c - who am I, who is my family; ending; prctl's relatives live in system.c.
 */
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/process.h>

#include "linux.h"

#define PIDFD_NONBLOCK 04000

long
linux_getpid(void)
{
	return current_process()->local_pid;
}

long
linux_gettid(void)
{
	return current_thread()->local_tid;
}

long
linux_getppid(void)
{
	return READ_ONCE(current_process()->parent_pid);
}

long
linux_set_tid_address(uint32_t __user *address)
{
	current_thread()->clear_child_tid = address;
	return current_thread()->local_tid;
}

long
linux_setpgid(pid_t pid, pid_t pgid)
{
	return process_set_group(pid, pgid);
}

long
linux_getpgid(pid_t pid)
{
	return process_get_group(pid);
}

long
linux_getpgrp(void)
{
	return process_get_group(0);
}

long
linux_setsid(void)
{
	return process_new_session();
}

long
linux_getsid(pid_t pid)
{
	return process_get_session(pid);
}

long
linux_exit(int code)
{
	thread_exit_user((code & 0xff) << 8);
}

long
linux_exit_group(int code)
{
	process_exit_group((code & 0xff) << 8);
}

long
linux_pidfd_open(pid_t pid, unsigned int flags)
{
	if (flags & ~PIDFD_NONBLOCK)
		return -EINVAL;
	if (pid <= 0)
		return -EINVAL;
	return pidfd_open(pid, flags & PIDFD_NONBLOCK ? O_NONBLOCK : 0);
}

long
linux_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	struct handle_table *handles;
	struct process *p;
	struct file *f;
	uint64_t rights;
	int error;

	if (flags)
		return -EINVAL;
	p = pidfd_get(pidfd, NULL, &error);
	if (!p)
		return error;
	error = process_may_inspect(p);
	if (error)
		goto put_process;
	error = -ESRCH;
	handles = process_handles(p);
	if (!handles)
		goto put_process;
	error = -EBADF;
	f = handle_table_get(handles, fd, &rights);
	if (f) {
		error = handle_open(f, rights, true);
		if (error < 0)
			file_put(f);
	}
	handle_table_put(handles);
put_process:
	process_put(p);
	return error;
}
