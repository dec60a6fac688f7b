/* SPDX-License-Identifier: MIT */
/*
 * recovery.c - kills the driver of a disk again and again, and tells how soon the disk answers.
 *
 *	recovery [-n KILLS] [-e MILLISECONDS] [-u FILE] NAME=/dev/DISK ...
 *
 * The disks are taken in turns, a death each MILLISECONDS, KILLS times or, if that is later, until FILE is there. Measured is from before the kill(2) to the end of a read
 * of 4 KiB past the page cache that begins when the process is dead: it is answered by the next instance. Prints for
 * each disk the median and the 99th percentile, and the longest, as items of `tessera bench`.
 *
 * Which process drives a disk stands in /run/devices/status, by the address of its device.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "../frame.h"

#define STATUS	  "/run/devices/status"
#define DISKS_MAX 8
#define BLOCK	  4096

struct disk {
	const char *name, *path;
	char address[32];
	int fd;
	off_t size;
	double *times; /* ms */
	unsigned kills, room;
};

static void *buffer;

/* The device of the disk: /sys has the disk below "pci-ADDRESS", its unit perhaps behind that. */
static void
find_address(struct disk *d)
{
	char path[64], target[256];
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/block/%s", strrchr(d->path, '/') + 1);
	n = MUST(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	at = strstr(target, "/pci-");
	if (!at) {
		errno = ENODEV;
		give_up(__FILE__, __LINE__, target);
	}
	snprintf(d->address, sizeof(d->address), "%.12s", at + 5);
}

/* The process that runs for the device, or 0. */
static pid_t
driver_of(const struct disk *d)
{
	FILE *file = fopen(STATUS, "re");
	char line[256];
	int pid = 0;

	if (!file)
		give_up(__FILE__, __LINE__, STATUS);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, d->address, strlen(d->address)) == 0 && sscanf(line, "%*s %*s running pid %d", &pid) == 1)
			break;
	fclose(file);
	return pid;
}

static void
rest(double ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1e3), .tv_nsec = (long)(ms * 1e6) % 1000000000 };

	if (ms > 0)
		nanosleep(&t, NULL);
}

static void
kill_driver(struct disk *d)
{
	off_t at = random() % (d->size / BLOCK) * BLOCK;
	struct pollfd dead = { .events = POLLIN };
	pid_t pid;
	double begun;

	for (int i = 0; (pid = driver_of(d)) == 0; i++) {
		if (i > 20000) {
			errno = ESRCH;
			give_up(__FILE__, __LINE__, d->path);
		}
		rest(1);
	}
	dead.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (dead.fd < 0)
		return; /* it died by itself: the next turn finds its successor */
	begun = now();
	MUST(kill(pid, SIGKILL));
	MUST(poll(&dead, 1, -1));
	if (pread(d->fd, buffer, BLOCK, at) != BLOCK)
		give_up(__FILE__, __LINE__, d->path);
	if (d->kills == d->room) {
		d->room += 1000;
		d->times = realloc(d->times, d->room * sizeof(double));
		if (!d->times)
			give_up(__FILE__, __LINE__, "memory");
	}
	d->times[d->kills++] = (now() - begun) / 1e6;
	close(dead.fd);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
tell(struct disk *d)
{
	if (d->kills == 0)
		return;
	qsort(d->times, d->kills, sizeof(double), compare);
	printf("recovery_%s\tms\t%.2f\n", d->name, d->times[d->kills / 2]);
	printf("recovery_%s.p99\tms\t%.2f\n", d->name, d->times[d->kills * 99 / 100]);
	printf("recovery_%s.longest\tms\t%.2f\n", d->name, d->times[d->kills - 1]);
	fprintf(stderr, "%s: %u kills\n", d->path, d->kills);
}

int
main(int argc, char **argv)
{
	struct disk disks[DISKS_MAX] = { 0 };
	unsigned count = 0, kills = 100;
	const char *until = NULL;
	double every = 100, next;
	int option;

	while ((option = getopt(argc, argv, "n:e:u:")) >= 0) {
		if (option == 'n')
			kills = (unsigned)atoi(optarg);
		else if (option == 'e')
			every = atof(optarg);
		else if (option == 'u')
			until = optarg;
		else
			return 2;
	}
	buffer = aligned_alloc(BLOCK, BLOCK);
	for (; optind < argc && count < DISKS_MAX; optind++, count++) {
		struct disk *d = &disks[count];
		char *equals = strchr(argv[optind], '=');

		if (!equals)
			return 2;
		*equals = '\0';
		d->name = argv[optind];
		d->path = equals + 1;
		d->fd = MUST(open(d->path, O_RDONLY | O_DIRECT | O_CLOEXEC));
		d->size = MUST(lseek(d->fd, 0, SEEK_END));
		find_address(d);
	}
	if (count == 0 || !buffer)
		return 2;
	next = now();
	for (unsigned n = 0; n < kills || (until && access(until, F_OK) < 0); n++) {
		kill_driver(&disks[n % count]);
		next += every * 1e6;
		if (next < now())
			next = now();
		rest((next - now()) / 1e6);
	}
	for (unsigned i = 0; i < count; i++)
		tell(&disks[i]);
	return 0;
}
