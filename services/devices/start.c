/* SPDX-License-Identifier: MIT */
/*
 * start.c - a driver's process, with three descriptors and nothing else: the device, the container for its memory, and
 * a socket to the manager. No user, no group, no files (its root is an empty folder), no environment. Its first argument
 * is its name behind '@': when the machine stops, whoever ends all processes spares it (services/init/init.h).
 *
 * The network stack has the socket alone, and is given its cards by it: stack.c.
 *
 * A spare process is a disk's next driver, or the next stack: it was started, has the socket, and waits there for its
 * devices. A death then costs neither a fork nor an exec. It holds nothing until it is needed, and is needed only if the
 * program's file is still the one that it was started from.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "driver.h"
#include "log.h"

#define NOBODY	   65534
#define EMPTY_ROOT "/run/devices/empty"

enum { DEVICE_FD = 3, CONTAINER_FD, MANAGER_FD, PROGRAM_FD, FIRST_OTHER };

/* Put descriptors at their places; first out of each other's way. Of a spare's those of the device are -1. */
static void
place(int device, int container, int manager, int program)
{
	int high[] = { device, container, manager, program };

	for (int i = 0; i < 4; i++)
		high[i] = fcntl(high[i], F_DUPFD, 64);
	for (int i = 0; i < 4; i++)
		if (high[i] < 0 || dup2(high[i], DEVICE_FD + i) < 0)
			close(DEVICE_FD + i);
	syscall(SYS_close_range, FIRST_OTHER, ~0u, 0);
	fcntl(PROGRAM_FD, F_SETFD, FD_CLOEXEC);
}

/* From here on only what a driver needs. False: it stays what it is, and must not start. */
static bool
drop_privileges(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY }, none = { 0, 0 };

	/* Memory for the device is locked, whoever owns it. */
	setrlimit(RLIMIT_MEMLOCK, &all);
	setrlimit(RLIMIT_CORE, &none);
	if (chroot(EMPTY_ROOT) < 0 || chdir("/") < 0 || setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return false;
	setrlimit(RLIMIT_NPROC, &none);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void
child(struct managed *m, int manager, int program, bool spare)
{
	char name[sizeof(m->rule->driver) + 1];
	const char *arguments[32] = { name, "--manager-fd", "5", "--name", m->address };
	char *environment[] = { NULL };
	sigset_t none;
	int n = 5, null;

	if (is_stack(m)) {
		; /* it is given all by the socket */
	} else if (spare) {
		arguments[n++] = "--device-later";
	} else {
		arguments[n++] = "--device-fd";
		arguments[n++] = "3";
		arguments[n++] = "--container-fd";
		arguments[n++] = "4";
	}

	snprintf(name, sizeof(name), "@%s", m->rule->driver);
	for (unsigned i = 0; i < m->rule->option_count; i++)
		arguments[n++] = m->rule->options[i];
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	place(spare ? -1 : m->device, spare ? -1 : m->container, manager, program);
	if (drop_privileges())
		syscall(SYS_execveat, PROGRAM_FD, "", arguments, environment, AT_EMPTY_PATH);
	dprintf(STDERR_FILENO, "devices: %s: %s cannot start: %s\n", m->address, m->rule->driver, strerror(errno));
	_exit(DRIVER_EXIT_DEVICE); /* memory may be short, or the file half written: it is tried again */
}

/* Start a process of `program`, which is open. Its pid and in *socket our end, or a negative errno. */
static pid_t
start_process(struct managed *m, int program, bool spare, int *socket)
{
	int sockets[2];
	pid_t pid;

	(void)mkdir("/run/devices", 0755);
	(void)mkdir(EMPTY_ROOT, 0555);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child(m, sockets[1], program, spare);
	close(sockets[1]);
	if (pid < 0) {
		pid = -errno;
		close(sockets[0]);
		return pid;
	}
	*socket = sockets[0];
	return pid;
}

/* The spare process gets the device, if there is one, of the program as it is now. Its pid, or 0. */
static pid_t
use_spare(struct managed *m)
{
	struct spare *s = &m->spare;
	struct stat now;
	pid_t pid = s->pid;

	if (pid <= 0)
		return 0;
	if (stat(m->rule->program, &now) < 0 || now.st_dev != s->device || now.st_ino != s->inode ||
		now.st_size != s->size || now.st_mtim.tv_sec != s->changed.tv_sec ||
		now.st_mtim.tv_nsec != s->changed.tv_nsec ||
		(is_stack(m) ? give_network(s->socket) : manager_give_device(s->socket, m->device, m->container)) < 0) {
		drop_spare(m);
		return 0;
	}
	loop_forget(&s->child);
	close(s->child.fd);
	m->socket.fd = s->socket;
	s->pid = 0;
	return pid;
}

pid_t
start_driver(struct managed *m)
{
	pid_t pid = use_spare(m);
	int program;

	if (pid > 0)
		return pid;
	program = open(m->rule->program, O_RDONLY | O_CLOEXEC);
	if (program < 0)
		return -errno;
	pid = start_process(m, program, false, &m->socket.fd);
	close(program);
	if (pid > 0 && is_stack(m)) {
		int error = give_network(m->socket.fd);

		if (error) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			close(m->socket.fd);
			m->socket.fd = -1;
			return error;
		}
	}
	return pid;
}

/* It is gone, and not replaced before the driver serves again. */
static void
spare_died(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, spare.child);

	drop_spare(m);
}

void
make_spare(struct managed *m)
{
	struct spare *s = &m->spare;
	struct stat is;
	int program;

	if (s->pid > 0)
		return;
	program = open(m->rule->program, O_RDONLY | O_CLOEXEC);
	if (program < 0)
		return;
	if (fstat(program, &is) == 0 && (s->pid = start_process(m, program, true, &s->socket)) > 0) {
		s->device = is.st_dev;
		s->inode = is.st_ino;
		s->size = is.st_size;
		s->changed = is.st_mtim;
		s->child.ready = spare_died;
		s->child.fd = syscall(SYS_pidfd_open, s->pid, 0);
		if (s->child.fd < 0 || loop_watch(&s->child) < 0)
			drop_spare(m);
	}
	close(program);
}

void
drop_spare(struct managed *m)
{
	struct spare *s = &m->spare;

	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
	close(s->socket);
	if (s->child.fd >= 0) {
		loop_forget(&s->child);
		close(s->child.fd);
	}
}
