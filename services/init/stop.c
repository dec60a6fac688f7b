/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the end of a machine with disks.
 *
 * A file system that is a process can be unmounted only while that process, and the driver below it, live. So:
 *
 *   1. Every process that serves no file system and no device is asked to end (SIGTERM), then killed. Spared are those
 *      whose first argument begins with '@', and those that hold /dev/fuse: daemons that somebody started by hand.
 *   2. The root on disk, if there is one, is moved from "/" back to /sysroot, and process 1 goes back to the initramfs.
 *   3. sync, then all that FUSE serves is unmounted with what lies on it, the last first. The kernel writes back what is
 *      dirty; each daemon finds that it is not needed any more, writes what it holds, and ends.
 *   4. These ends are awaited: the kernel does not wait for them, and what fuse2fs writes at its end counts.
 *
 * Drivers run until the power goes: what was flushed to them is on the disk. A daemon that never ends does not hold
 * the machine up for more than DAEMONS_MS.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define SYSROOT "/sysroot"

enum { ASKED_MS = 3000, KILLED_MS = 10000, DAEMONS_MS = 60000, STEP_MS = 10 };
enum { PROCESSES_MAX = 64 };
enum { FROM_EMPTY_PATH = 4 }; /* MOVE_MOUNT_F_EMPTY_PATH of <linux/mount.h>, which <sys/mount.h> does not bear */

/* What a process is to us. */
enum kind { GONE, ORDINARY, SERVES_FILES, SERVES_DISKS };

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A short time, in which whoever has ended is reaped. */
static void
step(void)
{
	struct timespec t = { .tv_nsec = STEP_MS * 1000000l };

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	nanosleep(&t, NULL);
}

static bool
holds_fuse(pid_t pid)
{
	char folder[32], path[96], target[64];
	struct dirent *e;
	DIR *d;
	bool holds = false;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	d = opendir(folder);
	while (d && !holds && (e = readdir(d))) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%.20s", folder, e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		holds = strcmp(target, "/dev/fuse") == 0;
	}
	if (d)
		closedir(d);
	return holds;
}

/* Zombies and threads of the kernel have no first argument. */
static enum kind
kind_of(pid_t pid)
{
	char path[32], first = 0;
	bool files;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &first, 1) != 1)
		first = 0;
	if (fd >= 0)
		close(fd);
	if (!first)
		return GONE;
	files = holds_fuse(pid);
	return files ? SERVES_FILES : first == '@' ? SERVES_DISKS : ORDINARY;
}

/*
 * Count the processes of one kind, process 1 not among them; the first PROCESSES_MAX of them go to `pids` if there is
 * one, and `signal` is sent to each if there is one.
 */
static int
each_process(enum kind kind, int signal, pid_t *pids)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int count = 0;

	while (d && (e = readdir(d))) {
		pid_t pid = atoi(e->d_name);

		if (!isdigit((unsigned char)e->d_name[0]) || pid == 1 || kind_of(pid) != kind)
			continue;
		if (pids && count < PROCESSES_MAX)
			pids[count] = pid;
		count++;
		if (signal)
			kill(pid, signal);
	}
	if (d)
		closedir(d);
	return count;
}

/* One that starts children while it is asked to end may need to be told again. */
static int
end_processes(int signal, long patience)
{
	long end = now_ms() + patience;
	int left = each_process(ORDINARY, signal, NULL);

	while (left && now_ms() < end) {
		step();
		left = each_process(ORDINARY, signal == SIGKILL ? signal : 0, NULL);
	}
	return left;
}

/* --- mounts ------------------------------------------------------------------------------------------------- */

/* From "/", where it covers the first root, to /sysroot. By descriptor: no name leads from below to what covers. */
static void
leave_root(void)
{
	int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fchdir(disks_initramfs) < 0 || chroot(".") < 0)
		complain("back to the initramfs");
	if (top < 0 || syscall(SYS_move_mount, top, "", AT_FDCWD, SYSROOT, FROM_EMPTY_PATH) < 0)
		complain("move the root to " SYSROOT);
	if (top >= 0)
		close(top);
	close(disks_initramfs);
	disks_initramfs = -1;
}

/* Blanks and the like are \ooo in mountinfo. */
static void
unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && isdigit((unsigned char)text[1]) && text[2] && text[3]) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* A line of mountinfo: the fifth word is where, behind " - " is the type. */
static bool
parse_mount(char *line, char **where, bool *fuse)
{
	char *type = strstr(line, " - "), *rest = NULL, *word = NULL;

	if (!type)
		return false;
	*fuse = strncmp(type + 3, "fuse", 4) == 0 && strncmp(type + 3, "fusectl", 7) != 0;
	*type = '\0';
	for (int i = 0; i < 5; i++)
		word = strtok_r(i ? NULL : line, " ", &rest);
	*where = word;
	if (word)
		unescape(word);
	return word != NULL;
}

static bool
is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/*
 * Unmount once all that FUSE serves and all that lies below that, the last first. Returns how many of FUSE's are left;
 * *progress: something went. The last try tells what stays, and why, and takes it out of the tree.
 */
static int
unmount_once(bool last, bool *progress)
{
	char *table = read_file("/proc/self/mountinfo"), *rest = NULL;
	int lines = 0, count = 0, left = 0;
	struct {
		char *where;
		bool fuse;
	} *m;

	for (const char *at = table; at && (at = strchr(at, '\n')); at++)
		lines++;
	m = calloc(lines + 1, sizeof(*m));
	if (!m)
		complain("the mounts"); /* what FUSE serves stays mounted */
	for (char *line = m && table ? strtok_r(table, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		count += parse_mount(line, &m[count].where, &m[count].fuse);
	for (int i = count - 1; i >= 0; i--) {
		bool wanted = false;

		for (int j = 0; j < count && !wanted; j++)
			wanted = m[j].fuse && is_below(m[i].where, m[j].where);
		if (!wanted)
			continue;
		if (umount2(m[i].where, 0) == 0) {
			*progress = true;
		} else if (m[i].fuse) {
			left++;
			if (last) {
				complain("unmount %s", m[i].where);
				(void)umount2(m[i].where, MNT_DETACH);
			}
		}
	}
	free(m);
	free(table);
	return left;
}

static void
unmount_all(void)
{
	bool progress;

	do {
		progress = false;
		if (unmount_once(false, &progress) == 0)
			return;
	} while (progress);
	(void)unmount_once(true, &progress);
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

static bool
is_there(pid_t pid)
{
	return kill(pid, 0) == 0 && kind_of(pid) != GONE;
}

static bool
fuse_is_mounted(void)
{
	char *table = read_file("/proc/self/mountinfo");
	bool is = table && strstr(table, " - fuse") != NULL;

	free(table);
	return is;
}

void
stop_all(void)
{
	pid_t daemons[PROCESSES_MAX];
	int count, left;
	long end;

	sync();
	if (!disks_mounted && !fuse_is_mounted())
		return;
	if (end_processes(SIGTERM, ASKED_MS) && (left = end_processes(SIGKILL, KILLED_MS)))
		say("%d processes do not end", left);
	if (disks_initramfs >= 0)
		leave_root();
	sync();
	count = each_process(SERVES_FILES, 0, daemons);
	count = count < PROCESSES_MAX ? count : PROCESSES_MAX;
	unmount_all();
	end = now_ms() + DAEMONS_MS;
	for (int i = 0; i < count; i++) {
		while (is_there(daemons[i]) && now_ms() < end)
			step();
		if (is_there(daemons[i]))
			say("process %d, which served a file system, does not end", daemons[i]);
	}
	sync();
}
