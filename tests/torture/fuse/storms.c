/* SPDX-License-Identifier: MIT */
/*
 * storms.c - users of FUSE daemons that lie, die, are stopped and come back, several at once, while memory is short. Whatever they
 * do, everybody ends, nothing is left, and what fsync said was written is written.
 */
#include "daemon.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

enum { WORKERS = 3, MOUNTS = 3 };

static struct tree *trees[MOUNTS];
static char text[65536];

/* --- users ----------------------------------------------------------------------------------------------------------- */

static sigjmp_buf fault;

static void
faulted(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

static const char *
random_path(const char *top, char *out)
{
	int at = sprintf(out, "%s", top);

	for (int depth = storm_below(4); depth >= 0; depth--)
		at += sprintf(out + at, "/e%d", depth ? storm_below(2) : storm_below(8));
	return out;
}

static void
touch_mapping(int fd)
{
	volatile char *p = mmap(NULL, 32768, PROT_READ | (storm_below(2) ? PROT_WRITE : 0),
				storm_below(2) ? MAP_SHARED : MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return;
	if (sigsetjmp(fault, 1) == 0)
		for (int i = 0; i < 4; i++) {
			volatile char *at = p + storm_below(32768);

			if (storm_below(2))
				*at = 1;
			else
				(void)*at;
		}
	munmap((void *)p, 32768);
}

static void
use_file(int fd)
{
	struct flock l = { .l_type = storm_below(2) ? F_WRLCK : F_UNLCK, .l_len = storm_below(100) };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	loff_t at = storm_below(30000);
	struct stat st;

	for (int i = storm_below(6); i >= 0; i--) {
		switch (storm_below(14)) {
		case 0:
		case 1:
			(void)!pread(fd, text, (size_t)storm_below(sizeof(text)), at);
			break;
		case 2:
		case 3:
			(void)!pwrite(fd, text, (size_t)storm_below(40000), at);
			break;
		case 4:
			touch_mapping(fd);
			break;
		case 5:
			(void)!ftruncate(fd, at);
			break;
		case 6:
			fstat(fd, &st);
			break;
		case 7:
			fsync(fd);
			break;
		case 8:
			fallocate(fd, storm_below(4), at, 1 + storm_below(9000));
			break;
		case 9:
			lseek(fd, at, storm_below(5));
			break;
		case 10:
			fcntl(fd, F_SETLK, &l);
			flock(fd, (storm_below(2) ? LOCK_SH : LOCK_UN) | LOCK_NB);
			break;
		case 11:
			poll(&p, 1, 0);
			break;
		case 12:
			ioctl(fd, _IOWR('f', 1, char[40]), text);
			break;
		default:
			syscall(SYS_getdents64, fd, text, sizeof(text));
		}
	}
}

static void
use_names(const char *a, const char *b)
{
	struct statfs sfs;
	struct stat st;

	switch (storm_below(12)) {
	case 0:
		rename(a, b);
		break;
	case 1:
		syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, storm_below(8));
		break;
	case 2:
		unlink(a);
		break;
	case 3:
		rmdir(a);
		break;
	case 4:
		mkdir(a, 0755);
		break;
	case 5:
		link(a, b);
		break;
	case 6:
		(void)!symlink("x", a);
		break;
	case 7:
		mknod(a, S_IFREG | 0600, 0);
		chmod(a, 04755);
		break;
	case 8:
		statfs(a, &sfs);
		(void)!readlink(a, text, sizeof(text));
		break;
	case 9:
		setxattr(a, "user.a", "b", 1, 0);
		listxattr(a, text, 100);
		break;
	case 10:
		if (chdir(a) == 0) {
			stat("..", &st);
			(void)!getcwd(text, sizeof(text));
			CHECK_OK(chdir("/"));
		}
		break;
	default:
		lstat(a, &st);
	}
}

static void
worker(const char *const *tops, int count)
{
	static const int how[] = { O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_WRONLY | O_TRUNC, O_RDWR | O_DIRECT,
				   O_RDONLY | O_DIRECTORY, O_RDWR | O_APPEND, O_RDWR | O_CREAT | O_EXCL };
	struct sigaction sa = { .sa_handler = faulted, .sa_flags = SA_NODEFER };
	char a[128], b[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	for (;;) {
		const char *top = tops[storm_below(count)];

		random_path(top, a);
		random_path(top, b);
		if (storm_below(2)) {
			use_names(a, b);
		} else {
			int fd = open(a, how[storm_below(8)] | O_CLOEXEC, 0600);

			if (fd >= 0)
				use_file(fd);
			if (fd >= 0)
				close(fd);
		}
	}
}

static pid_t
start_worker(const char *const *tops, int count)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		worker(tops, count);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK_OK(waitpid(pid, NULL, 0));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

/* A mount point, and what workers have put there between two mounts. */
static void
remove_top(const char *top)
{
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- lies ------------------------------------------------------------------------------------------------------------ */

static void
lies_body(void)
{
	static const char *const tops[] = { "/tmp/storm-lies" };
	long long over = storm_end();

	if (!trees[0])
		trees[0] = tree_create();
	mkdir(tops[0], 0755);
	while (!storm_over(over)) {
		pid_t daemon, user[WORKERS];
		int device;

		trees[0]->init_flags = storm_random() & storm_random() & ~(uint32_t)FUSE_POSIX_ACL;
		trees[0]->lies = 20 + storm_below(200);
		for (int i = 0; i < SLOTS; i++)
			trees[0]->size[i] = FILE_SIZE;
		device = tree_mount(tops[0], storm_below(2) ? ",allow_other" : ",default_permissions,allow_other");
		daemon = tree_serve(trees[0], device, storm_random());
		close(device);
		for (int i = 0; i < WORKERS; i++)
			user[i] = start_worker(tops, 1);
		check_sleep_ms(100 + storm_below(400));
		if (storm_below(3) == 0)
			umount2(tops[0], MNT_FORCE);
		/* The daemon first: on Linux nobody dies who waits for one that has read what he asked. */
		end(daemon);
		for (int i = 0; i < WORKERS; i++)
			end(user[i]);
		while (umount2(tops[0], MNT_DETACH) == 0)
			;
	}
	remove_top(tops[0]);
}

TEST(daemons_that_lie_harm_nobody)
{
	storm_leaves_nothing(lies_body);
}

/* --- death ----------------------------------------------------------------------------------------------------------- */

struct site {
	char top[32];
	pid_t daemon;
	bool stopped;
};

static struct site sites[MOUNTS];

static void
site_up(struct site *s, struct tree *t)
{
	int device = tree_mount(s->top, ",allow_other");

	s->daemon = tree_serve(t, device, storm_random());
	s->stopped = false;
	close(device);
}

static void
site_down(struct site *s)
{
	end(s->daemon);
	while (umount2(s->top, MNT_DETACH) == 0)
		;
}

/* What fsync said is written is with the daemon. One file is one writer's. */
static void
writer(struct site *s, struct tree *t)
{
	char path[64], data[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/e3", s->top); /* node 11, slot 3 */
	for (uint8_t round = 1;; round++) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		bool written = fd >= 0;
		off_t at = storm_below(SLOT_SIZE / 4096) * 4096;

		memset(data, round, sizeof(data));
		written = written && pwrite(fd, data, sizeof(data), at) == (ssize_t)sizeof(data);
		written = written && fsync(fd) == 0;
		if (written)
			CHECK_MEM(t->data[3] + at, data, sizeof(data));
		if (fd >= 0)
			close(fd);
	}
}

static void
death_body(void)
{
	static const char *tops[MOUNTS];
	long long over = storm_end();
	pid_t user[WORKERS], writers[MOUNTS], eater;

	for (int i = 0; i < MOUNTS; i++) {
		snprintf(sites[i].top, sizeof(sites[i].top), "/tmp/storm-death-%d", i);
		tops[i] = sites[i].top;
		mkdir(tops[i], 0755);
		if (!trees[i])
			trees[i] = tree_create();
		trees[i]->lies = 0;
		trees[i]->init_flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | (i ? FUSE_WRITEBACK_CACHE : 0) |
				       (i == 2 ? FUSE_DO_READDIRPLUS | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC : 0);
		for (int j = 0; j < SLOTS; j++)
			trees[i]->size[j] = SLOT_SIZE;
		site_up(&sites[i], trees[i]);
	}
	for (int i = 1; i < MOUNTS; i++) {
		writers[i] = fork();
		CHECK(writers[i] >= 0);
		if (writers[i] == 0)
			writer(&sites[i], trees[i]);
	}
	eater = fork();
	CHECK(eater >= 0);
	if (eater == 0)
		storm_hog();
	for (int i = 0; i < WORKERS; i++)
		user[i] = start_worker(tops, 1); /* the first one: writers of the others are alone in their files */
	while (!storm_over(over)) {
		struct site *s = &sites[storm_below(MOUNTS)];

		check_sleep_ms(20 + storm_below(150));
		switch (storm_below(5)) {
		case 0:
			kill(s->daemon, s->stopped ? SIGCONT : SIGSTOP);
			s->stopped = !s->stopped;
			break;
		case 1:
			umount2(s->top, MNT_FORCE);
			break;
		default:
			site_down(s);
			site_up(s, trees[s - sites]);
		}
	}
	for (int i = 0; i < MOUNTS; i++)
		site_down(&sites[i]);
	for (int i = 0; i < WORKERS; i++)
		end(user[i]);
	for (int i = 1; i < MOUNTS; i++) {
		int status;

		kill(writers[i], SIGKILL);
		CHECK_OK(waitpid(writers[i], &status, 0));
		CHECK_EQ(WIFSIGNALED(status), 1);
	}
	for (int i = 0; i < MOUNTS; i++)
		remove_top(sites[i].top);
	end(eater);
}

TEST(daemons_that_die_take_nothing_with_them_that_was_written)
{
	storm_leaves_nothing(death_body);
}
