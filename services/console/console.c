/* SPDX-License-Identifier: MIT */
/*
 * console.c - the console service: what is typed on keyboards reaches a terminal.
 *
 *   console [--tty NAME] [--output FILE] [-- PROGRAM ARGUMENTS...]
 *
 * The terminal is a pseudo-terminal, NAME (/dev/tty1) leads to it; PROGRAM, on it, is started again whenever it ends.
 * The kernel has no virtual terminals: a keyboard's keys are events for whoever may read them, and it is this process
 * that takes them for characters. What programs write to the terminal goes to FILE, until there is a screen to draw on.
 *
 * The terminal's size is that of a screen of text. Ctrl-C and the like are the line discipline's, as on any terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "log.h"
#include "loop.h"

#define ROWS	25
#define COLUMNS 80

static struct watch master, child;
static char slave[64];
static char **program;
static int output = -1;

static void
type(const char *bytes, size_t n)
{
	if (write(master.fd, bytes, n) != (ssize_t)n)
		log_info("a key is lost: nobody reads the terminal");
}

/* While no program has it open, reading fails, at once: it is closed on our side only for a moment. */
static void
written(struct watch *w)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(w->fd, bytes, sizeof(bytes))) > 0)
		if (output >= 0 && write(output, bytes, n) < 0)
			log_debug("output: %s", strerror(errno));
}

static int
make_terminal(const char *name)
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLUMNS };

	master.fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	master.ready = written;
	if (master.fd < 0 || unlockpt(master.fd) < 0 || ptsname_r(master.fd, slave, sizeof(slave)) != 0)
		return -1;
	(void)ioctl(master.fd, TIOCSWINSZ, &size);
	/* Ours too: that nobody else has it open is no reason to hang up. */
	if (open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0)
		return -1;
	(void)unlink(name);
	if (symlink(slave, name) < 0)
		return -1;
	return loop_watch(&master);
}

static void
start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;
		int fd;

		/* Whoever started us in the background may have us ignore what the terminal's keys send. */
		for (int number = 1; number < NSIG; number++)
			(void)signal(number, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		fd = open(slave, O_RDWR); /* which makes it the session's */
		for (int i = 0; i < 3; i++)
			dup2(fd, i);
		setenv("TERM", "linux", 1);
		execvp(program[0], program);
		_exit(127);
	}
	child.fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (child.fd < 0 || loop_watch(&child) < 0)
		log_error("%s does not start: %s", program[0], strerror(errno));
}

static void
ended(struct watch *w)
{
	static const struct timespec moment = { .tv_nsec = 200000000 };
	int status;

	loop_forget(w);
	close(w->fd);
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	nanosleep(&moment, NULL); /* one that cannot run does not keep the machine busy */
	start();
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tty", required_argument, NULL, 't' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	const char *name = "/dev/tty1";
	int option;

	log_open("console", "", false);
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 't')
			name = optarg;
		else if (option == 'o')
			output = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		else
			return 2;
	}
	if (make_terminal(name) < 0 || keyboards_begin(type) < 0) {
		log_error("no terminal, or no /dev/input: %s", strerror(errno));
		return 1;
	}
	child.ready = ended;
	program = argv + optind;
	if (optind < argc)
		start();
	return loop_run();
}
