/* SPDX-License-Identifier: MIT */
/*
 * ramdisk.c - `boot=ramdisk`: before user space there is a shell, which has nothing but a FAT file system in memory.
 *
 * The image is the file IMAGE, which the boot archive brought and which lies in memory as all of that does, or what
 * `ramdisk=` on the kernel's command line names, such as /dev/vda. The driver (drivers/fs/fat) mounts it at PLACE; /proc, /sys,
 * /dev, /tmp and /run are bound into it where it has folders for them; and the shell is rooted there.
 *
 *   1 process 1:  PENDING exists; the shell runs
 *   2 `init` there, this same program: SIGUSR1 to process 1, then waits for its end
 *   3 process 1:  the shell and what belongs to it are killed, PENDING goes, and the boot goes on as without boot=ramdisk
 *
 * PLACE stays mounted until the machine is switched off.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define DRIVER  "/usr/lib/tessera/fs/fat"
#define IMAGE   "/boot/ramdisk.img"
#define PLACE   "/ramdisk"
#define PENDING "/run/tessera-ramdisk"
#define END     5 /* seconds that the driver gets to end */

static const char *const shells[] = { "/bin/mksh", "/bin/ksh", "/bin/sh" };
static const char *const bound[] = { "/proc", "/sys", "/dev", "/tmp", "/run" };

static char *image;

bool
ramdisk_wanted(void)
{
	char *how = boot_value("boot=");
	bool wanted = how && strcmp(how, "ramdisk") == 0;

	free(how);
	return wanted;
}

/* The driver comes back when it has mounted. */
static int
start_driver(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		reset_signals();
		execl(DRIVER, "fat", "-o", "allow_other", image, PLACE, (char *)NULL);
		complain("%s", DRIVER);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || exit_status(status) != 0) {
		errno = child < 0 ? errno : EIO;
		complain("the ramdisk %s", image);
		return -1;
	}
	return 0;
}

int
ramdisk_mount(void)
{
	char path[64];

	image = boot_value("ramdisk=");
	if (!image)
		image = strdup(IMAGE);
	if ((mkdir(PLACE, 0755) < 0 && errno != EEXIST) || start_driver() < 0)
		return -1;
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		snprintf(path, sizeof(path), PLACE "%s", bound[i]);
		if (mount(bound[i], path, NULL, MS_BIND | MS_REC, NULL) < 0 && errno != ENOENT)
			complain("bind %s", bound[i]);
	}
	close(open(PENDING, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	return 0;
}

void
ramdisk_exec(char *text)
{
	char name[32];

	if (chroot(PLACE) < 0)
		return;
	if (chdir(text ? "/" : "/root") < 0)
		(void)chdir("/");
	setenv("PATH", "/sbin:/bin", 1);
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		setenv("SHELL", shells[i], 1);
		snprintf(name, sizeof(name), "%s%s", text ? "" : "-", strrchr(shells[i], '/') + 1);
		if (text)
			execl(shells[i], name, "-c", text, (char *)NULL);
		else
			execl(shells[i], name, (char *)NULL);
	}
}

static void
nothing(int number)
{
	(void)number;
}

int
ramdisk_wait(pid_t child)
{
	sigset_t set, old;
	int status, sent, result;
	pid_t pid;

	/* Blocked, so that neither is lost between looking and waiting; with handlers, so that neither is ignored. */
	signal(SIGCHLD, nothing);
	signal(SIGUSR1, nothing);
	wait_set(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0 && pid != child)
			;
		if (pid == child) {
			result = exit_status(status);
			break;
		}
		sent = sigwaitinfo(&set, NULL);
		if (asks_to_stop(sent)) {
			result = EXIT_STOPPED;
			break;
		}
		if (sent != SIGUSR1)
			continue;
		/* The end of a session's leader takes the terminal from what is left of it. */
		kill(-child, SIGKILL);
		kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		result = RAMDISK_GO_ON;
		break;
	}
	(void)unlink(PENDING);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	return result;
}

void
ramdisk_ask(void)
{
	if (access(PENDING, F_OK) < 0)
		return;
	/* What asked goes with the shell that it was asked in. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kill(1, SIGUSR1) < 0)
		return;
	for (;;)
		pause();
}

/* The driver holds a lock on the image until all is written and the volume is clean. */
static void
wait_for_driver(void)
{
	struct sigaction alarmed = { .sa_handler = nothing };
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	sigaction(SIGALRM, &alarmed, NULL);
	alarm(END);
	if (flock(fd, LOCK_SH) < 0)
		complain("the ramdisk's driver");
	alarm(0);
	close(fd);
}

void
ramdisk_unmount(void)
{
	char path[64];

	if (!image)
		return;
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		snprintf(path, sizeof(path), PLACE "%s", bound[i]);
		(void)umount2(path, MNT_DETACH);
	}
	if (umount2(PLACE, 0) < 0 && errno == EBUSY)
		(void)umount2(PLACE, MNT_DETACH);
	wait_for_driver();
}
