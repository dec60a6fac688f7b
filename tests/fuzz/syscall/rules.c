/* SPDX-License-Identifier: MIT */
/*
 * rules.c - what a program may not do, because it would end the fuzzer and not show a bug.
 *
 * Looked at with the arguments as they will be, just before each call:
 *	- no signal, priority, limit or memory access for a process that is not the program's own: not
 *	  process 1, not everybody (-1), not its worker
 *	- no reboot with the right magic number, no switch of root for the whole machine, no silencing of the log
 *	- outside its own folder a program looks and does not change: no path that starts with / or leads up,
 *	  but for calls that only read; /dev/ttyS*, /dev/kmsg and sysrq-trigger are in no list of names
 *	- no interface, address or route of the network that is not the program's own
 *	- no real-time priority above its worker's, no limit on memory lifted
 * The memory that a path lies in can change under a running call. That is a risk we take: what could be
 * reached by it is not in the arena.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static bool
is_own(int64_t pid, const int *own, unsigned int owned)
{
	if (pid == 0 || pid > 0x3fffff)
		return true;
	for (unsigned int i = 0; i < owned; i++)
		if (own[i] == pid)
			return true;
	return false;
}

static bool
reads_only(const struct desc *d, const uint64_t *arg)
{
	static const char *const readers[] = {
		"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs",
		"getxattr", "lgetxattr", "listxattr", "llistxattr", "execve", "execveat", "inotify_add_watch",
	};
	uint64_t flags = 0;

	for (unsigned int i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (strcmp(d->name, readers[i]) == 0)
			return true;
	switch (d->nr) {
	case SYS_open:
		flags = arg[1];
		break;
	case SYS_openat:
		flags = arg[2];
		break;
	default:
		return false; /* openat2 too: its flags can change while it runs */
	}
	return !(flags & (O_CREAT | O_TRUNC));
}

static bool
leads_out(const char *path)
{
	if (path[0] == '/')
		return true;
	for (const char *s = path; (s = strstr(s, "..")); s += 2)
		if ((s == path || s[-1] == '/') && (s[2] == '/' || s[2] == '\0') && strncmp(path, "d/../a", 6) != 0)
			return true;
	return false;
}

/* Readable for sure only where the generator put it. */
static const char *
string_at(uint64_t at)
{
	bool data = at >= DATA && at < DATA + MAX_THREADS * DATA_SIZE;

	return data ? (const char *)at : NULL;
}

static bool
paths_allowed(const struct desc *d, const uint64_t *arg)
{
	bool reading = reads_only(d, arg);

	for (unsigned int a = 0; a < d->args; a++) {
		const char *path = string_at(arg[a]);

		if (d->kind[a]->type != KIND_PATH)
			continue;
		/* A path in memory that any thread writes could become anything. */
		if (!path) {
			if (arg[a] >= ARENA && arg[a] < ARENA + ARENA_PAGES * 4096 && !reading)
				return false;
			continue;
		}
		if (leads_out(path) && !reading)
			return false;
		if (strncmp(path, "/dev/ttyS", 9) == 0 || strncmp(path, "/dev/console", 12) == 0 ||
		    strncmp(path, "/dev/kmsg", 9) == 0 || strncmp(path, "/dev/kcov", 9) == 0 || strstr(path, "sysrq"))
			return false;
		/* What is not a device or the process's own is not to be written. */
		if (path[0] == '/' && (d->nr == SYS_open || d->nr == SYS_openat) &&
		    (arg[d->nr == SYS_open ? 1 : 2] & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) != 0 &&
		    strncmp(path, "/proc/self/", 11) != 0)
			return false;
	}
	return true;
}

/* Entries of a ring name paths too, and never only read. */
static bool
entries_allowed(const uint64_t *arg)
{
	for (unsigned int i = 0; i < MAX_SQES; i++) {
		const uint8_t *sqe = (const uint8_t *)string_at(arg[1] + i * 64ul);
		const char *path;

		if (!sqe)
			return false;
		path = string_at(((const uint64_t *)sqe)[2]);
		if (!path || leads_out(path))
			return false;
	}
	return true;
}

static bool
processes_allowed(const struct desc *d, const uint64_t *arg, const int *own, unsigned int owned)
{
	for (unsigned int a = 0; a < d->args; a++) {
		int64_t pid = (int)arg[a];

		if (d->kind[a]->type != KIND_RESOURCE || d->kind[a]->resource != R_PID)
			continue;
		if (d->nr == SYS_wait4 || d->nr == SYS_waitid)
			continue;
		if (!is_own(pid < 0 ? -pid : pid, own, owned))
			return false;
	}
	if ((d->nr == SYS_ioprio_set || d->nr == SYS_setpriority) && (int)arg[0] != 0 && (int)arg[0] != 1)
		return false;
	return true;
}

/* Each user who ever asked for his keyrings keeps them: there are only two users. */
static bool
users_allowed(const struct desc *d, const uint64_t *arg)
{
	for (unsigned int a = 0; a < d->args; a++)
		if ((uint32_t)arg[a] != 0 && (uint32_t)arg[a] != NOBODY && (uint32_t)arg[a] != UINT32_MAX)
			return false;
	return true;
}

/* What would stay in the first network when the program is gone. */
static bool
sets_network(const struct desc *d, const uint64_t *arg)
{
	static const char *const setters[] = {
		"send_link", "send_address", "send_route", "send_neighbour", "ioctl_address", "ioctl_number",
		"ioctl_route",
	};

	for (unsigned int i = 0; i < sizeof(setters) / sizeof(setters[0]); i++)
		if (strcmp(d->name, setters[i]) == 0)
			return true;
	return d->nr == SYS_ioctl && (uint32_t)arg[1] == TUNSETPERSIST;
}

bool
rule_allows(const struct desc *d, const uint64_t *arg, const int *own, unsigned int owned, bool own_network)
{
	const uint32_t *words;

	if (!paths_allowed(d, arg) || !processes_allowed(d, arg, own, owned) || (!own_network && sets_network(d, arg)))
		return false;
	switch (d->nr) {
	case PSEUDO_URING:
		return strcmp(d->name, "uring_path") != 0 || entries_allowed(arg);
	case SYS_reboot:
		return (uint32_t)arg[0] != 0xfee1dead;
	case SYS_pivot_root:
		return false;
	case SYS_openat2:
	case SYS_chroot:
	case SYS_mount:
	case SYS_umount2:
	case SYS_symlink:
	case SYS_symlinkat:
		return string_at(arg[0]) || string_at(arg[1]);
	case SYS_fanotify_mark: /* permission events: nobody would answer */
		return !(arg[2] & 0x70000);
	case SYS_syslog:
		return (int)arg[0] != 5 && (int)arg[0] != 6 && (int)arg[0] != 7 && (int)arg[0] != 8 && (int)arg[0] != 4;
	case SYS_fcntl: /* F_SETOWN, F_SETOWN_EX: who gets signals */
		return (uint32_t)arg[1] != F_SETOWN && (uint32_t)arg[1] != F_SETOWN_EX;
	case SYS_ioctl: /* FIOSETOWN, SIOCSPGRP; KCOV_DISABLE */
		return (uint32_t)arg[1] != 0x8901 && (uint32_t)arg[1] != 0x8902 && (uint32_t)arg[1] != 0x6365;
	case SYS_setuid:
	case SYS_setreuid:
	case SYS_setresuid:
	case SYS_setfsuid:
		return users_allowed(d, arg);
	case SYS_setrlimit:
		return (uint32_t)arg[0] != RLIMIT_AS && (uint32_t)arg[0] != RLIMIT_NPROC && (uint32_t)arg[0] != RLIMIT_FSIZE;
	case SYS_prlimit64:
		return (uint32_t)arg[1] != RLIMIT_AS && (uint32_t)arg[1] != RLIMIT_NPROC && (uint32_t)arg[1] != RLIMIT_FSIZE;
	case SYS_sched_setparam:
		words = (const uint32_t *)string_at(arg[1]);
		return words && words[0] <= 50;
	case SYS_sched_setscheduler:
		words = (const uint32_t *)string_at(arg[2]);
		return words && words[0] <= 50;
	case SYS_sched_setattr:
		words = (const uint32_t *)string_at(arg[1]);
		return words && words[5] <= 50 && words[1] != 6;
	case SYS_fallocate:
		return arg[3] <= 16 << 20 || arg[3] > 1ul << 40;
	}
	return true;
}
