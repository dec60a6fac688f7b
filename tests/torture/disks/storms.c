/* SPDX-License-Identifier: MIT */
/*
 * storms.c - users of disks whose VDUSE daemons write nonsense wherever they can, die, are stopped and come back.
 * Whatever these do, everybody gets an answer and ends, and nothing is left; and of an honest disk nothing is lost.
 */
#include "daemon.h"

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

enum { WORKERS = 3, LOOP = 90, BUFFER = 300 * 1024, PART = DISK_SIZE / 4 };

static struct disk *lying, *honest;
static unsigned char *buffer;

static void
end(pid_t pid, int want)
{
	int status;

	kill(pid, SIGKILL);
	CHECK_OK(waitpid(pid, &status, 0));
	if (want)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == want);
}

static void
take_buffer(void)
{
	if (!buffer)
		CHECK(posix_memalign((void **)&buffer, 4096, BUFFER) == 0);
}

/* --- users of a disk that lies ------------------------------------------------------------------- */

static sigjmp_buf fault;

static void
faulted(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

static void
touch_mapping(int fd)
{
	volatile char *p = mmap(NULL, 65536, PROT_READ | (storm_below(2) ? PROT_WRITE : 0),
				storm_below(2) ? MAP_SHARED : MAP_PRIVATE, fd, storm_below(8) * 4096);

	if (p == MAP_FAILED)
		return;
	if (sigsetjmp(fault, 1) == 0)
		for (int i = 0; i < 4; i++) {
			if (storm_below(2))
				p[storm_below(65536)] = 1;
			else
				(void)p[storm_below(65536)];
		}
	munmap((void *)p, 65536);
}

static void
ask(int fd)
{
	static const unsigned int numbers[] = {
		BLKROGET, BLKSSZGET, BLKPBSZGET, BLKGETSIZE, BLKGETSIZE64, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, BLKRAGET, BLKBSZGET,
		BLKSECTGET, BLKROTATIONAL, HDIO_GETGEO,
	};
	uint64_t range[2] = { (uint64_t)storm_below(1500) * 512, (uint64_t)storm_below(1500) * 512 };
	struct blkpg_partition p = {
		.start = storm_below(200) * 4096, .length = storm_below(200) * 4096, .pno = storm_below(5),
	};
	struct blkpg_ioctl_arg a = { .op = 1 + storm_below(3), .datalen = sizeof(p), .data = &p };
	char room[64];
	int n = storm_below(2);

	switch (storm_below(9)) {
	case 0:
		ioctl(fd, BLKRRPART);
		break;
	case 1:
		ioctl(fd, BLKPG, &a);
		break;
	case 2:
		ioctl(fd, BLKDISCARD, range);
		break;
	case 3:
		ioctl(fd, BLKZEROOUT, range);
		break;
	case 4:
		ioctl(fd, BLKFLSBUF);
		break;
	case 5:
		ioctl(fd, BLKROSET, &n);
		break;
	case 6:
		n = 512 << storm_below(5);
		ioctl(fd, BLKBSZSET, &n);
		ioctl(fd, BLKRASET, (unsigned long)storm_below(2000));
		break;
	default:
		ioctl(fd, numbers[storm_below(13)], room);
	}
}

static void
use_disk(int fd, bool direct)
{
	off_t at = storm_below(DISK_SIZE + 8192);
	size_t n = (size_t)storm_below(BUFFER);

	if (direct && storm_below(20)) {
		at &= ~511l;
		n &= ~511ul;
	}
	switch (storm_below(10)) {
	case 0:
	case 1:
		(void)!pread(fd, buffer, n, at);
		break;
	case 2:
	case 3:
		(void)!pwrite(fd, buffer, n, at);
		break;
	case 4:
		touch_mapping(fd);
		break;
	case 5:
		fsync(fd);
		break;
	case 6:
		readahead(fd, at, n);
		sync_file_range(fd, at, (off_t)n, (unsigned int)storm_below(8));
		break;
	case 7:
		fallocate(fd, FALLOC_FL_KEEP_SIZE | (storm_below(2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE),
			  at & ~4095l, (off_t)(n & ~4095ul) + 4096);
		break;
	default:
		ask(fd);
	}
}

/* The disk below a loop device, which goes with its last user. */
static void
use_loop(int below)
{
	struct loop_config c = { .fd = (uint32_t)below };
	int fd = open("/dev/loop90", (storm_below(2) ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		return;
	c.block_size = storm_below(3) ? 0 : 512u << storm_below(4);
	c.info.lo_flags = LO_FLAGS_AUTOCLEAR | (storm_below(2) ? LO_FLAGS_DIRECT_IO : 0) |
			  (storm_below(4) ? 0 : LO_FLAGS_PARTSCAN);
	c.info.lo_offset = storm_below(2) ? 0 : (uint64_t)storm_below(300) * 512;
	ioctl(fd, LOOP_CONFIGURE, &c);
	for (int i = 0; i < 4; i++)
		use_disk(fd, false);
	if (storm_below(2))
		ioctl(fd, LOOP_CHANGE_FD, below);
	ioctl(fd, LOOP_SET_DIRECT_IO, (unsigned long)storm_below(2));
	ioctl(fd, LOOP_SET_BLOCK_SIZE, 512ul << storm_below(4));
	ioctl(fd, LOOP_SET_CAPACITY, 0);
	if (storm_below(2))
		ioctl(fd, LOOP_CLR_FD, 0);
	close(fd);
}

static void
look_around(const struct disk *d)
{
	static const char *const files[] = {
		"/proc/partitions", "/proc/diskstats", "/sys/class/vduse/%s/counts", "/sys/class/vduse/%s/state",
		"/sys/class/block/%s/stat", "/sys/class/block/%s/size", "/sys/class/block/%s/queue/discard_max_bytes",
		"/sys/class/block/%s/serial", "/sys/class/block/%s1/start", "/sys/class/block/loop90/loop/backing_file",
	};
	int which = storm_below(10), fd;
	char path[120];

	snprintf(path, sizeof(path), files[which], which < 4 ? d->name : d->path + 5);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!read(fd, buffer, 4096);
	close(fd);
}

static void
worker(const struct disk *d)
{
	static const int how[] = { O_RDONLY, O_RDWR, O_RDWR, O_RDWR | O_DIRECT, O_RDWR | O_DIRECT, O_RDONLY | O_DIRECT,
				   O_RDWR | O_SYNC, O_RDWR | O_EXCL };
	struct sigaction sa = { .sa_handler = faulted, .sa_flags = SA_NODEFER };
	char path[80];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	for (;;) {
		int flags = how[storm_below(8)], part = storm_below(8), fd;

		snprintf(path, sizeof(path), part < 5 ? "%s" : "%s%d", d->path, part - 4);
		fd = open(path, flags | O_CLOEXEC);
		if (storm_below(8) == 0)
			look_around(d);
		if (fd < 0)
			continue;
		for (int i = storm_below(6); i >= 0; i--)
			use_disk(fd, flags & O_DIRECT);
		if (storm_below(6) == 0)
			use_loop(fd);
		close(fd);
	}
}

/* Sometimes there is a table, more or less right. */
static void
write_table(struct disk *d)
{
	unsigned char *mbr = d->data + 446;

	memset(d->data, 0, 8192);
	if (storm_below(3) == 0)
		return;
	d->data[510] = 0x55;
	d->data[511] = 0xaa;
	for (int i = 0; i < 64; i++)
		mbr[i] = storm_below(4) ? 0 : (unsigned char)storm_random();
	for (int i = 0; i < 4; i++)
		mbr[i * 16 + 4] = (unsigned char[]){ 0x83, 5, 0xee, 0 }[storm_below(4)];
	memcpy(d->data + 512, "EFI PART\0\0\1\0\134\0\0\0", 16);
	for (int i = 528; i < 2048; i++)
		d->data[i] = storm_below(3) ? 0 : (unsigned char)storm_random();
}

static void
lies_body(void)
{
	long long over = storm_end();
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	take_buffer();
	(void)ioctl(control, LOOP_CTL_ADD, LOOP);
	while (!storm_over(over)) {
		pid_t daemon, user[WORKERS];
		bool there;

		lying = disk_create(lying, "storm-lies", true);
		write_table(lying);
		lying->lies = storm_below(3) ? 0 : 5 + storm_below(300);
		daemon = disk_serve(lying, storm_random());
		there = disk_find(lying, 200);
		for (int i = 0; there && i < WORKERS; i++) {
			user[i] = fork();
			CHECK(user[i] >= 0);
			if (user[i] == 0)
				worker(lying);
		}
		/* One that was caught lying is not heard any more: many short lives, then. */
		for (int life = 2 + storm_below(12); there && life >= 0; life--) {
			disk_patience(lying, 5 + storm_below(60));
			lying->lies = storm_below(4) ? 5 + storm_below(300) : 0;
			check_sleep_ms(5 + storm_below(30));
			end(daemon, 0);
			if (storm_below(8) == 0)
				check_sleep_ms(storm_below(80)); /* for longer than requests wait */
			daemon = disk_serve(lying, storm_random());
		}
		end(daemon, 0);
		for (int i = 0; there && i < WORKERS; i++)
			end(user[i], 0);
		disk_destroy(lying);
	}
	while (ioctl(control, LOOP_CTL_REMOVE, LOOP) < 0 && errno == EBUSY)
		check_sleep_ms(2);
	close(control);
}

TEST(daemons_that_write_nonsense_harm_nobody)
{
	storm_leaves_nothing(lies_body);
}

/* --- death --------------------------------------------------------------------------------------- */

/* What was written is in the daemon's memory, and is read again. A quarter of the disk is one writer's. */
static void
writer(struct disk *d, int which)
{
	bool direct = which != 1;
	int fd = CHECK_OK(open(d->path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0)));
	unsigned char *again = buffer + 131072;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int round = 1;; round++) {
		size_t n = (size_t)(1 + storm_below(24)) * 4096;
		off_t at = which * PART + (storm_below(PART - (int)n) & ~4095);

		memset(buffer, (int)(round + (unsigned int)which * 80), n);
		CHECK_EQ(pwrite(fd, buffer, n, at), n);
		if (!direct)
			CHECK_OK(fsync(fd));
		CHECK_MEM(d->data + at, buffer, n);
		CHECK_EQ(pread(fd, again, n, at), n);
		CHECK_MEM(again, buffer, n);
	}
}

static void
death_body(void)
{
	long long over = storm_end();
	pid_t user[WORKERS], eater, daemon;

	take_buffer();
	honest = disk_create(honest, "storm-death", false);
	honest->lies = 0;
	memset(honest->data, 0, 8192);
	daemon = disk_serve(honest, storm_random());
	CHECK(disk_find(honest, 60000));
	for (int i = 0; i < WORKERS; i++) {
		user[i] = fork();
		CHECK(user[i] >= 0);
		if (user[i] == 0)
			writer(honest, i);
	}
	eater = fork();
	CHECK(eater >= 0);
	if (eater == 0)
		storm_hog();
	while (!storm_over(over)) {
		check_sleep_ms(5 + storm_below(60));
		if (storm_below(4) == 0) {
			kill(daemon, SIGSTOP);
			check_sleep_ms(storm_below(40));
			kill(daemon, SIGCONT);
		}
		end(daemon, SIGKILL);
		daemon = disk_serve(honest, storm_random());
	}
	for (int i = 0; i < WORKERS; i++)
		end(user[i], SIGKILL);
	end(eater, SIGKILL);
	end(daemon, SIGKILL);
	disk_destroy(honest);
}

TEST(daemons_that_die_lose_nothing)
{
	storm_leaves_nothing(death_body);
}
