/* SPDX-License-Identifier: MIT */
/*
 * start.c - a driver's process, with three descriptors and nothing else: the device, the container for its memory, and
 * a socket to the manager. No user, no group, no files (its root is an empty folder), no environment. Its first argument
 * is its name behind '@': when the machine stops, whoever ends all processes spares it (services/init/init.h).
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
#include <unistd.h>

#include "devices.h"
#include "log.h"

#define NOBODY	   65534
#define EMPTY_ROOT "/run/devices/empty"

enum { DEVICE_FD = 3, CONTAINER_FD, MANAGER_FD, PROGRAM_FD, FIRST_OTHER };

/* Put descriptors at their places; first out of each other's way. */
static void
place(int device, int container, int manager, int program)
{
	int high[] = { device, container, manager, program };

	for (int i = 0; i < 4; i++)
		high[i] = fcntl(high[i], F_DUPFD, 64);
	for (int i = 0; i < 4; i++)
		dup2(high[i], DEVICE_FD + i);
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
child(struct managed *m, int manager, int program)
{
	char name[sizeof(m->rule->driver) + 1];
	const char *arguments[32] = { name, "--device-fd", "3", "--container-fd", "4", "--manager-fd", "5", "--name",
		m->address };
	char *environment[] = { NULL };
	sigset_t none;
	int n = 9, null;

	snprintf(name, sizeof(name), "@%s", m->rule->driver);
	for (unsigned i = 0; i < m->rule->option_count; i++)
		arguments[n++] = m->rule->options[i];
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	place(m->device, m->container, manager, program);
	if (drop_privileges())
		syscall(SYS_execveat, PROGRAM_FD, "", arguments, environment, AT_EMPTY_PATH);
	dprintf(STDERR_FILENO, "devices: %s: %s cannot start: %s\n", m->address, m->rule->driver, strerror(errno));
	_exit(2);
}

pid_t
start_driver(struct managed *m)
{
	int sockets[2], program = open(m->rule->program, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (program < 0)
		return -errno;
	(void)mkdir("/run/devices", 0755);
	(void)mkdir(EMPTY_ROOT, 0555);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		close(program);
		return -errno;
	}
	pid = fork();
	if (pid == 0)
		child(m, sockets[1], program);
	close(sockets[1]);
	close(program);
	if (pid < 0) {
		pid = -errno;
		close(sockets[0]);
		return pid;
	}
	m->socket.fd = sockets[0];
	return pid;
}
