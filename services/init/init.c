/* SPDX-License-Identifier: MIT */
/*
 * init.c - PID 1: prepare the file systems, run a shell or one command, switch the machine off.
 *
 * The same static program runs on Tessera and on Linux; it uses nothing that one of them lacks.
 *
 * Three serial ports carry three things, so that none has to be parsed out of another:
 *
 *   ttyS0  the console: kernel log and interactive shell
 *   ttyS1  out: the line BEGIN_LINE, then the command's standard output and error, raw. The line is
 *          there because UEFI firmware writes to this port too.
 *   ttyS2  out: "exit N\n" after the command ended and its output was drained;
 *          in, when interactive: "size ROWS COLS\n" each time the user's terminal changes size
 *
 * /etc/tessera/modules exists: modules of Linux to load first, "PATH [ARGUMENTS]" a line, in this order.
 * /etc/tessera/command exists: command mode, it holds what `sh -c` gets. Otherwise: interactive.
 * boot=ramdisk on the kernel's command line: the same first by a shell that has only a ramdisk; ramdisk.c.
 * Disks are mounted before (disks.c) and unmounted afterwards (stop.c).
 *
 * Process 1 itself only reaps. In interactive mode one child watches ttyS2. SIGUSR2 asks it to switch the machine off,
 * SIGTERM to start it again: what /usr/sbin/poweroff and reboot send. These and SIGCHLD are blocked, and taken one at
 * a time where it waits, so that none is lost between a look and a sleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

#define COMMAND_FILE "/etc/tessera/command"
#define MODULES_FILE "/etc/tessera/modules"
#define DEVICE_MANAGER "/usr/lib/tessera/devices"
#define DEVICE_LOG   "/run/devices.log"
#define OUTPUT_PORT  "/dev/ttyS1"
#define STATUS_PORT  "/dev/ttyS2"
#define BEGIN_LINE   "\ntessera: begin\n"

/* A mount that every boot makes. The directory is created when it is missing. */
struct mount_point {
	const char *type, *where, *options;
	unsigned long flags;
	mode_t mode; /* of a created directory */
};

static const struct mount_point mount_points[] = {
	{ .type = "proc", .where = "/proc", .flags = MS_NOSUID | MS_NODEV | MS_NOEXEC, .mode = 0555 },
	{ .type = "sysfs", .where = "/sys", .flags = MS_NOSUID | MS_NODEV | MS_NOEXEC, .mode = 0555 },
	{ .type = "devtmpfs", .where = "/dev", .options = "mode=0755", .flags = MS_NOSUID, .mode = 0755 },
	{ .type = "devpts", .where = "/dev/pts", .options = "mode=0620,gid=5,ptmxmode=0666",
	  .flags = MS_NOSUID | MS_NOEXEC, .mode = 0755 },
	{ .type = "tmpfs", .where = "/dev/shm", .options = "mode=1777", .flags = MS_NOSUID | MS_NODEV,
	  .mode = 01777 },
	{ .type = "tmpfs", .where = "/tmp", .options = "mode=1777", .flags = MS_NOSUID | MS_NODEV,
	  .mode = 01777 },
	{ .type = "tmpfs", .where = "/run", .options = "mode=0755", .flags = MS_NOSUID | MS_NODEV,
	  .mode = 0755 },
};

/* How the machine is to end: power off, unless somebody asked for another start. */
static int stop_how = RB_POWER_OFF;

void
complain(const char *format, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, format);
	dprintf(STDERR_FILENO, "init: ");
	vdprintf(STDERR_FILENO, format, ap);
	dprintf(STDERR_FILENO, ": %s\n", strerror(error));
	va_end(ap);
}

void
say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	dprintf(STDERR_FILENO, "init: ");
	vdprintf(STDERR_FILENO, format, ap);
	dprintf(STDERR_FILENO, "\n");
	va_end(ap);
}

/* A kernel that lacks a file system type (ENODEV) or has it mounted already (EBUSY) is fine. */
static void
mount_all(void)
{
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
		const struct mount_point *m = &mount_points[i];

		if (mkdir(m->where, m->mode) < 0 && errno != EEXIST)
			continue;
		if (mount(m->type, m->where, m->type, m->flags, m->options) < 0 &&
		    errno != ENODEV && errno != EBUSY)
			complain("mount %s on %s", m->type, m->where);
	}
	/* Exists on a kernel whose devtmpfs does not make them. */
	(void)symlink("/proc/self/fd", "/dev/fd");
	(void)symlink("/proc/self/fd/0", "/dev/stdin");
	(void)symlink("/proc/self/fd/1", "/dev/stdout");
	(void)symlink("/proc/self/fd/2", "/dev/stderr");
}

/*
 * Open a serial port and switch off all that a terminal would do to the bytes.
 * Returns a descriptor with close-on-exec, or -1 with errno.
 */
static int
open_raw(const char *path, int flags)
{
	struct termios mode;
	int fd = open(path, flags | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &mode) == 0) {
		cfmakeraw(&mode);
		mode.c_cflag |= CLOCAL | CREAD;
		(void)tcsetattr(fd, TCSANOW, &mode);
	}
	return fd;
}

void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
set_standard(int in, int out)
{
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
}

/* As a shell: 128 + signal. */
int
exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void
wait_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGTERM);
}

bool
asks_to_stop(int number)
{
	if (number == SIGTERM)
		stop_how = RB_AUTOBOOT;
	return number == SIGTERM || number == SIGUSR2;
}

/* Until the child has ended, or one of `set` asks to stop. Orphans are reaped on the way. */
static int
reap_until(pid_t child, const sigset_t *set)
{
	int status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == child)
			return exit_status(status);
		if (pid > 0)
			continue;
		if (pid < 0 && errno != EINTR) {
			complain("wait");
			return 127;
		}
		if (asks_to_stop(sigwaitinfo(set, NULL)))
			return EXIT_STOPPED;
	}
}

int
wait_for(pid_t child)
{
	sigset_t set;

	wait_set(&set);
	return reap_until(child, &set);
}

char *
read_file(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && text) {
		ssize_t n = read(fd, text + size, room - 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			text[size] = '\0';
			return text;
		}
		size += n;
		if (size == room - 1)
			text = realloc(text, room *= 2);
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Load the modules that the image lists; one that the kernel refuses leaves a line on the console. */
static void
load_modules(void)
{
	char *list = read_file(MODULES_FILE), *rest = NULL;

	for (char *line = list ? strtok_r(list, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		char *arguments = strchr(line, ' ');
		int fd;

		if (arguments)
			*arguments++ = '\0';
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, arguments ? arguments : "", 0) < 0)
			complain("module %s", line);
		if (fd >= 0)
			close(fd);
	}
	free(list);
}

/*
 * What serves disks must outlive those who use them: the killer of processes who take all memory leaves it alone.
 */
int
run_program(const char *program, char *const argv[], char *const environment[], const char *log)
{
	pid_t child = fork();
	sigset_t set;

	if (child == 0) {
		int null = open("/dev/null", O_RDONLY), words = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), fd;

		reset_signals();
		if (argv[0][0] == '@' && (fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)) >= 0)
			(void)!write(fd, "-1000", 5);
		set_standard(null, words < 0 ? STDERR_FILENO : words);
		execve(program, argv, environment);
		complain("%s", program);
		_exit(127);
	}
	/* Whoever asks to stop meanwhile is heard later: who goes on believing that it has ended may start a second. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return child < 0 ? 127 : reap_until(child, &set);
}

/* Start the device manager if the image has one; it comes back when each device has been tried. */
static void
start_devices(void)
{
	char *argv[] = { "@devices", "--daemon", "--without-iommu", NULL };

	if (access(DEVICE_MANAGER, X_OK) == 0)
		(void)run_program(DEVICE_MANAGER, argv, environ, DEVICE_LOG);
}

char *
boot_value(const char *key)
{
	char *line = read_file("/proc/cmdline"), *value = NULL;

	for (char *word = line ? strtok(line, " \n") : NULL; word; word = strtok(NULL, " \n")) {
		if (strncmp(word, key, strlen(key)) != 0)
			continue;
		free(value);
		value = strdup(word + strlen(key));
	}
	free(line);
	return value;
}

static int
boot_number(const char *key)
{
	char *text = boot_value(key);
	int value = text ? atoi(text) : 0;

	free(text);
	return value;
}

/* `rootinit=PATH`: a program of the root on disk goes on as process 1. */
static void
become_init_of_root(void)
{
	char *path = disks_initramfs >= 0 ? boot_value("rootinit=") : NULL;
	sigset_t set;

	/* Who has asked to stop meanwhile is heard by us: another would begin without knowing of it. */
	sigpending(&set);
	if (!path || sigismember(&set, SIGUSR2) || sigismember(&set, SIGTERM)) {
		free(path);
		return;
	}
	reset_signals();
	execl(path, path, (char *)NULL);
	complain("%s", path);
	wait_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL); /* as before */
	free(path);
}

/* The boot goes on to user space: disks, and a root on one of them if there is one. */
static void
mount_disks(void)
{
	disks_mount();
	network_tell_root();
	become_init_of_root();
}

/* Run `text` as `sh -c` does with its output at `out`, in the ramdisk or not. Returns its status. */
static int
run_text(char *text, int out, bool in_ramdisk)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t child = fork();

	if (child == 0) {
		reset_signals();
		setsid();
		if (!in_ramdisk && chdir("/root") < 0)
			(void)chdir("/");
		set_standard(null, out < 0 ? STDOUT_FILENO : out);
		if (in_ramdisk)
			ramdisk_exec(text);
		else
			execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		complain("the shell");
		_exit(127);
	}
	/* Nothing of process 1 may hold the /dev that lies on a root. */
	close(null);
	if (child < 0) {
		complain("fork");
		return 126;
	}
	return in_ramdisk ? ramdisk_wait(child) : wait_for(child);
}

/* The command, with its output on the output port. Returns its status. */
static int
run_command(char *text, bool ramdisk)
{
	int out = open_raw(OUTPUT_PORT, O_WRONLY);
	int status = RAMDISK_GO_ON;

	if (out < 0 || write(out, BEGIN_LINE, strlen(BEGIN_LINE)) < 0)
		complain("%s", OUTPUT_PORT);
	if (ramdisk)
		status = run_text(text, out, true);
	if (status == RAMDISK_GO_ON && ramdisk)
		mount_disks();
	if (status == RAMDISK_GO_ON)
		status = run_text(text, out, false);
	if (out >= 0) {
		tcdrain(out);
		close(out);
	}
	return status;
}

/* Tell the host how the command ended. */
static void
report(int status)
{
	int fd = open_raw(STATUS_PORT, O_WRONLY);

	if (fd < 0) {
		complain("%s", STATUS_PORT);
		return;
	}
	dprintf(fd, "exit %d\n", status);
	tcdrain(fd);
	close(fd);
}

/* Apply "size ROWS COLS" lines from the status port to the console, until there is no more port. */
static void
follow_window_size(int console)
{
	int fd = open_raw(STATUS_PORT, O_RDONLY);
	FILE *lines = fd < 0 ? NULL : fdopen(fd, "r");
	char line[64];

	while (lines && fgets(line, sizeof(line), lines)) {
		struct winsize size = { 0 };

		if (sscanf(line, "size %hu %hu", &size.ws_row, &size.ws_col) == 2)
			(void)ioctl(console, TIOCSWINSZ, &size);
	}
	_exit(0);
}

/* A login shell on the console, the leader of a session of its own. Returns its status. */
static int
run_shell(bool in_ramdisk)
{
	struct winsize size = { .ws_row = boot_number("rows="), .ws_col = boot_number("cols=") };
	pid_t child = fork();

	if (child == 0) {
		int console;

		reset_signals();
		setsid();
		/* /dev/console cannot be a controlling terminal on Linux; the port behind it can. */
		console = open("/dev/ttyS0", O_RDWR | O_CLOEXEC);
		if (console < 0)
			console = open("/dev/console", O_RDWR | O_CLOEXEC);
		if (console < 0 || ioctl(console, TIOCSCTTY, 0) < 0)
			complain("console");
		if (size.ws_row && size.ws_col)
			(void)ioctl(console, TIOCSWINSZ, &size);
		set_standard(console, console);
		if (in_ramdisk) {
			ramdisk_exec(NULL);
			complain("the ramdisk's shell");
			_exit(127);
		}
		if (chdir("/root") < 0)
			(void)chdir("/");
		execl("/bin/bash", "-bash", (char *)NULL);
		execl("/bin/sh", "-sh", (char *)NULL);
		complain("/bin/sh");
		_exit(127);
	}
	if (child < 0) {
		complain("fork");
		return 126;
	}
	return in_ramdisk ? ramdisk_wait(child) : wait_for(child);
}

/* Shells until one ends that nothing comes after. Returns its status. */
static int
run_shells(bool ramdisk)
{
	pid_t watcher = fork();
	int status = RAMDISK_GO_ON;

	if (watcher == 0)
		follow_window_size(STDOUT_FILENO);
	if (ramdisk)
		status = run_shell(true);
	if (status == RAMDISK_GO_ON && ramdisk)
		mount_disks();
	if (status == RAMDISK_GO_ON)
		status = run_shell(false);
	if (watcher > 0)
		kill(watcher, SIGKILL);
	return status;
}

static void
set_environment(void)
{
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("TERM", "linux", 0);
}

int
main(void)
{
	char *command;
	sigset_t set;
	bool ramdisk;
	int status;

	if (getpid() != 1) {
		ramdisk_ask();
		fprintf(stderr, "init: this is for process 1\n");
		return 1;
	}
	wait_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	mount_all();
	if (fcntl(STDERR_FILENO, F_GETFD) < 0) {
		/* The kernel found no /dev/console in the image; there is one now. */
		int console = open("/dev/console", O_RDWR);

		set_standard(console, console);
	}
	(void)sethostname("tessera", strlen("tessera"));
	load_modules();
	set_environment();
	start_devices();
	network_start();
	command = read_file(COMMAND_FILE);
	ramdisk = ramdisk_wanted() && ramdisk_mount() == 0;
	if (!ramdisk)
		mount_disks();

	status = command ? run_command(command, ramdisk) : run_shells(ramdisk);
	stop_all();
	if (ramdisk)
		ramdisk_unmount();
	/* Afterwards: who reads the status may stop the machine. */
	if (command && status != EXIT_STOPPED)
		report(status);
	reboot(stop_how);
	complain("power off");
	/* Process 1 must not end. */
	for (;;)
		pause();
}
