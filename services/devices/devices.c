/* SPDX-License-Identifier: MIT */
/*
 * devices.c - the device manager: looks for PCI devices and the machine's old ones, starts a driver for each that the
 * table has one for, and starts it again when it dies. devices.h has the states.
 *
 *   devices [--table FOLDER] [--daemon] [--without-iommu] [--patience MILLISECONDS] [--verbose]
 *
 * A driver that dies after it has served, for a while or a request, is started again at once. One that dies before
 * waits: longer each time, to half a minute at most. One that ends with 0 has nothing to do, and one that
 * does not understand its arguments never will: these rest.
 *
 * One that does not get as far as to serve, or has requests and answers none of them, is killed when patience is over
 * (10 s): the kernel lets requests wait for longer than that.
 *
 * New devices are noticed by the kernel's messages (uevents) where it sends them, and by looking each second. What is
 * known of all devices stands in /run/devices/status.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "devices.h"
#include "driver.h"

#define SCAN_MS	       1000
#define SETTLE_MS      30000 /* --daemon waits no longer */
#define SETTLE_STEP_MS 3
#define TRIES	       3 /* of a device at first, before the next one's turn: it may have been killed */
#define LONG_ENOUGH    20	   /* ms of service: its death is no failure to start */
#define LONGEST_WAIT   30000
#define SPARE_MS       10 /* of service: then its successor is made ready, when the first requests have passed */
#define PATIENCE_MS    10000
#define STATUS_FILE    "/run/devices/status"

struct managed *managed_all;
static int settled_fd = -1;
bool settling = true;
bool status_is_old; /* the file; it is written when what happened at once has been dealt with */
static void start(struct watch *w);
static uint64_t begun;
static unsigned patience = PATIENCE_MS;

uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------------------------------- telling others */

static void
write_status(void)
{
	static const char *const names[] = { "waiting", "starting", "running", "resting" };
	FILE *file;

	if (!status_is_old || !(file = fopen(STATUS_FILE ".new", "we")))
		return;
	status_is_old = false;
	for (const struct managed *m = managed_all; m; m = m->next)
		fprintf(file, "%s %s %s pid %d starts %u failures %u wait %llu\n", m->address, m->rule->driver, names[m->state],
			m->pid, m->starts, m->failures, (unsigned long long)m->wait);
	fclose(file);
	(void)rename(STATUS_FILE ".new", STATUS_FILE);
}

static void
after_batch(struct batch_hook *h)
{
	write_status();
}

/* How many names of a folder begin with `prefix`. */
static unsigned
count_names(const char *folder, const char *prefix)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	while (d && (entry = readdir(d)))
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	if (d)
		closedir(d);
	return count;
}

/* The kernel makes a disk a moment after its driver has begun. */
bool
is_tried(const struct managed *m)
{
	if (m->state == RUNNING)
		return !m->doors || count_names("/sys/block", "vd") >= count_names("/dev/vduse", "pci-");
	return m->state == RESTING || (m->state == WAITING && m->failures >= TRIES);
}

/*
 * At first one device after the other is begun, by their addresses, so that disks have the same names at each boot; a
 * driver with several has them named in the order in which it makes them.
 * When each has been tried, who waits for us goes on.
 */
static void
begin_next(struct watch *w)
{
	for (struct managed *m = managed_all; m && now_ms() < begun + SETTLE_MS; m = m->next) {
		/* Nobody's name depends on old devices, which are slow; the network stack has all cards at once. */
		if (m->platform || is_stack(m) || is_card(m) || is_tried(m))
			continue;
		if (m->state == WAITING && m->failures == 0)
			start(&m->timer);
		return;
	}
	if (!stack_is_tried() && now_ms() < begun + SETTLE_MS)
		return;
	loop_forget(w);
	close(w->fd);
	w->fd = -1;
	settling = false;
	write_status();
	if (settled_fd >= 0)
		close(settled_fd);
	settled_fd = -1;
	for (struct managed *m = managed_all; m; m = m->next)
		if (m->state == WAITING && m->failures == 0)
			start(&m->timer);
}

void
change(struct managed *m, enum state state)
{
	m->state = state;
	status_is_old = true;
}

/* ------------------------------------------------------------------------------------------ life and death */

void
stop_watching(struct watch *w)
{
	if (w->fd < 0)
		return;
	loop_forget(w);
	close(w->fd);
	w->fd = -1;
}

static void
set_timer(struct managed *m, uint64_t milliseconds)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 + 1 },
	};

	timerfd_settime(m->timer.fd, 0, &when, NULL);
}

void
wait_for_start(struct managed *m, uint64_t milliseconds)
{
	set_timer(m, milliseconds);
	m->wait = milliseconds;
	change(m, WAITING);
}

/* 10 ms, and three times as long after each further failure. */
void
failed(struct managed *m)
{
	uint64_t wait = 10;

	for (unsigned i = 0; i < m->failures && wait < LONGEST_WAIT; i++)
		wait *= 3;
	m->failures++;
	wait_for_start(m, wait < LONGEST_WAIT ? wait : LONGEST_WAIT);
}

/* It ran for a while, or it has done what it is for. */
static bool
has_served(struct managed *m)
{
	uint64_t before = m->answered;
	bool waiting;

	if (m->state != RUNNING)
		return false;
	if (now_ms() >= m->started + LONG_ENOUGH)
		return true;
	return count_at_doors(m, &m->answered, &waiting) && m->answered > before;
}

static void
died(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, child);
	bool served;
	int status;

	if (m->pid <= 0 || waitpid(m->pid, &status, WNOHANG) != m->pid)
		return;
	served = has_served(m);
	stop_watching(&m->child);
	stop_watching(&m->socket);
	m->pid = 0;
	if (is_stack(m))
		take_cards_back();
	else if (!m->iommu)
		unbind_device(m);
	if (WIFSIGNALED(status))
		log_info("%s: %s was killed by signal %d", m->address, m->rule->driver, WTERMSIG(status));
	else
		log_info("%s: %s ended with %d", m->address, m->rule->driver, WEXITSTATUS(status));
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DRIVER_EXIT_USAGE)) {
		drop_spare(m);
		change(m, RESTING);
		return;
	}
	if (!served) {
		failed(m);
		return;
	}
	m->failures = 0;
	change(m, WAITING);
	start(&m->timer);
}

static void
heard(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, socket);
	struct manager_answer answer = { 0 };
	struct manager_request r;
	ssize_t n = recv(w->fd, &r, sizeof(r), MSG_DONTWAIT);
	int fd;

	if (n < (ssize_t)sizeof(r)) {
		/* It has closed its end; the pidfd tells the rest. */
		if (n >= 0)
			loop_forget(w);
		return;
	}
	if (r.what == MANAGER_WAITS) {
		m->silent_since = now_ms();
		return;
	}
	if (r.what == MANAGER_RUNS) {
		if (m->state != STARTING)
			return;
		m->started = now_ms();
		log_info("%s: %s runs, pid %d", m->address, m->rule->driver, m->pid);
		change(m, RUNNING);
		if (m->rule->door == MANAGER_WANTS_VDUSE || is_stack(m))
			set_timer(m, SPARE_MS);
		return;
	}
	fd = r.what == m->rule->door ? open_door(m, &r, &answer) : -EPERM;
	if (manager_answer(w->fd, fd, &answer) == -EAGAIN && m->pid > 0) {
		log_info("%s: %s asks and does not listen: it is killed", m->address, m->rule->driver);
		kill(m->pid, SIGKILL);
	}
	if (fd >= 0)
		close(fd);
}

static void
start(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, timer);
	pid_t pid;

	if (m->state != WAITING)
		return;
	if (is_card(m)) {
		start_card(m);
		return;
	}
	leave_doors(m);
	if (!is_stack(m) && bind_device(m) < 0) {
		failed(m);
		return;
	}
	pid = start_driver(m);
	if (pid < 0) {
		if (m->failures == 0)
			log_error("%s: %s cannot be started: %s", m->address, m->rule->driver, strerror(-pid));
		failed(m);
		return;
	}
	m->pid = pid;
	m->starts++;
	m->silent_since = 0;
	m->socket.ready = heard;
	m->child.ready = died;
	m->child.fd = syscall(SYS_pidfd_open, pid, 0);
	if (m->child.fd < 0 || loop_watch(&m->child) < 0 || loop_watch(&m->socket) < 0) {
		log_error("%s: %s cannot be watched: %s", m->address, m->rule->driver, strerror(errno));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		m->pid = 0;
		stop_watching(&m->child);
		stop_watching(&m->socket);
		failed(m);
		return;
	}
	change(m, STARTING);
}

static void
time_came(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, timer);
	uint64_t n;

	if (read(w->fd, &n, sizeof(n)) != sizeof(n))
		return; /* it was set anew since */
	if (m->state == RUNNING)
		make_spare(m);
	else
		start(w);
}

/* Its death is dealt with as any other. */
static void
kill_silent(struct managed *m)
{
	uint64_t before = m->answered;
	bool waiting = m->state == STARTING;

	if (m->state == RUNNING && !count_at_doors(m, &m->answered, &waiting))
		return;
	if (!waiting || m->answered != before || !m->silent_since)
		m->silent_since = now_ms();
	if (now_ms() < m->silent_since + patience || m->pid <= 0)
		return;
	log_info("%s: %s does not answer: it is killed", m->address, m->rule->driver);
	kill(m->pid, SIGKILL);
	m->silent_since = 0;
}

static void
look_for_silent(struct watch *w)
{
	for (struct managed *m = managed_all; m; m = m->next)
		if (m->state == RUNNING || m->state == STARTING)
			kill_silent(m);
}

void
give_up(struct managed *m)
{
	if (is_card(m)) {
		give_up_card(m);
		return;
	}
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
		m->pid = 0;
	}
	stop_watching(&m->child);
	stop_watching(&m->socket);
	drop_spare(m);
	unbind_device(m);
}

static void
asked_back(struct watch *w)
{
	struct managed *m = container_of(w, struct managed, request);

	log_info("%s: the kernel asks for it back", m->address);
	give_up(m);
	change(m, RESTING);
}

/* ---------------------------------------------------------------------------------- what devices there are */

struct managed *
make_managed(const char *address, const struct rule *rule)
{
	struct managed *m = calloc(1, sizeof(*m)), **end = &managed_all;

	if (!m)
		return NULL;
	snprintf(m->address, sizeof(m->address), "%s", address);
	m->rule = rule;
	for (unsigned i = 0; i < INPUTS_MAX; i++)
		m->inputs[i] = -1;
	m->child.fd = m->socket.fd = m->request.fd = m->timer.fd = m->tty = -1;
	m->request.ready = asked_back;
	m->timer.ready = time_came;
	m->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->timer.fd < 0 || loop_watch_edge(&m->timer) < 0) {
		stop_watching(&m->timer);
		free(m);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = m;
	return m;
}

static void
scan(void)
{
	find_devices();
	for (struct managed *m = managed_all; m; m = m->next)
		if (m->state == RUNNING && now_ms() >= m->started + patience)
			drop_left_doors(m);
	destroy_left();
}

static void
scan_now(struct watch *w)
{
	char drop[4096];

	while (recv(w->fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	scan();
}

static void
scan_again(struct watch *w)
{
	scan();
}

static void
listen_for_devices(void)
{
	static struct watch uevents = { .ready = scan_now }, timer = { .ready = scan_again }, settle = { .ready = begin_next };
	static struct watch silent = { .ready = look_for_silent };
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	uevents.fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (uevents.fd >= 0 && (bind(uevents.fd, (void *)&address, sizeof(address)) < 0 || loop_watch(&uevents) < 0))
		close(uevents.fd);
	if (loop_watch_timer(&timer, SCAN_MS) < 0)
		log_error("no timer: new devices are noticed only by messages");
	if (loop_watch_timer(&silent, patience / 4 + 1) < 0)
		log_error("no timer: a driver that hangs stays");
	if (loop_watch_timer(&settle, SETTLE_STEP_MS) < 0)
		settling = false;
}

/* --------------------------------------------------------------------------------------------------- main */

/*
 * Memory that is wanted may have to go to a disk first, by a driver: the OOM killer is to take neither the drivers,
 * which inherit this, nor who starts them.
 */
static void
keep_from_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "-1000", 5) != 5)
		log_error("the OOM killer may take drivers: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Leave a child to go on; return there. Here: wait until it has settled, and end. */
static void
become_daemon(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		exit(1);
	if (pid > 0) {
		close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		exit(0);
	}
	close(ends[0]);
	setsid();
	settled_fd = ends[1];
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "table", required_argument, NULL, 't' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "without-iommu", no_argument, NULL, 'w' },
		{ "patience", required_argument, NULL, 'p' },
		{ 0 },
	};
	static struct batch_hook hook = { .run = after_batch };
	const char *table = "/etc/tessera/drivers";
	bool daemon = false, verbose = false;
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 't')
			table = optarg;
		else if (option == 'd')
			daemon = true;
		else if (option == 'v')
			verbose = true;
		else if (option == 'p')
			patience = strtoul(optarg, NULL, 10);
		else if (option == 'w')
			without_iommu = true;
		else
			return 2;
	}
	log_open("devices", "", verbose);
	error = table_read(table);
	if (error) {
		log_error("no table of drivers in %s: %s", table, strerror(-error));
		return 1;
	}
	keep_from_oom_killer();
	(void)mkdir("/run/devices", 0755);
	signal(SIGPIPE, SIG_IGN);
	/* Others wait for what we and our drivers do; the drivers get it from us. */
	(void)setpriority(PRIO_PROCESS, 0, -20);
	if (daemon)
		become_daemon();
	begun = now_ms();
	loop_add_hook(&hook);
	listen_for_devices();
	listen_for_interfaces();
	scan();
	loop_run();
	for (struct managed *m = managed_all; m; m = m->next)
		give_up(m);
	return 0;
}
