/* SPDX-License-Identifier: MIT */
/* /proc/PID/map_files, what of /proc/PID nobody changes, and ids of System V objects that are asked for. */
#include "../check.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/time.h>

static bool
lists(const char *where, const char *name)
{
	DIR *d = opendir(where);
	struct dirent *e;
	bool found = false;

	CHECK(d != NULL);
	while ((e = readdir(d)))
		found |= strcmp(e->d_name, name) == 0;
	closedir(d);
	return found;
}

static const char *
map_name(const char *format, const char *p, size_t size)
{
	static char name[128];

	snprintf(name, sizeof(name), format, (uintptr_t)p, (uintptr_t)p + size);
	return name;
}

TEST(mapped_files_are_links)
{
	char target[64], *p, *q;
	struct stat s, t;
	pid_t pid;
	ssize_t n;
	int fd;

	fd = CHECK_OK(open("mapped", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, 16384));
	p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096);
	CHECK(p != MAP_FAILED);
	CHECK_OK(fstat(fd, &s));
	CHECK_OK(stat(map_name("/proc/self/map_files/%lx-%lx", p, 8192), &t));
	CHECK_EQ(s.st_ino, t.st_ino);
	CHECK_OK(lstat(map_name("/proc/self/map_files/%lx-%lx", p, 8192), &t));
	CHECK(S_ISLNK(t.st_mode));
	CHECK_EQ(t.st_mode & 0777, 0600);
	n = CHECK_OK(readlink(map_name("/proc/self/map_files/%lx-%lx", p, 8192), target, sizeof(target)));
	CHECK(n > 7 && memcmp(target + n - 7, "/mapped", 7) == 0);
	CHECK(lists("/proc/self/map_files", map_name("%lx-%lx", p, 8192)));
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx-%lx", p, 4096), &t), ENOENT);
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/0%lx-%lx", p, 8192), &t), ENOENT);
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx-%lx ", p, 8192), &t), ENOENT);
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx- %lx", p, 8192), &t), ENOENT);
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx", p, 8192), &t), ENOENT);
	/* what has no file has no link */
	q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx-%lx", q, 4096), &t), ENOENT);
	/* it leads there even when no name does; but only the privileged */
	CHECK_OK(unlink("mapped"));
	close(fd);
	fd = CHECK_OK(open(map_name("/proc/self/map_files/%lx-%lx", p, 8192), O_RDONLY));
	CHECK_OK(fstat(fd, &t));
	CHECK_EQ(s.st_ino, t.st_ino);
	CHECK_OK(munmap(p, 4096));
	CHECK_ERRNO(lstat(map_name("/proc/self/map_files/%lx-%lx", p, 8192), &t), ENOENT);
	CHECK_OK(lstat(map_name("/proc/self/map_files/%lx-%lx", p + 4096, 4096), &t));
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(lstat("/proc/1/map_files/1000-2000", &t), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(a_process_s_directory_is_not_changed)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d", getpid());
	CHECK_ERRNO(chown(name, 0, 0), EPERM);
	CHECK_ERRNO(chown("/proc/self", 1, 1), EPERM);
	CHECK_ERRNO(chmod(name, 0700), EPERM);
	CHECK_ERRNO(utimes(name, NULL), EPERM);
	CHECK_ERRNO(chown("/proc/thread-self", 0, 0), EPERM);
}

static int
setting(const char *name)
{
	char text[32];

	check_read_file(name, text, sizeof(text));
	return atoi(text);
}

static void
ask_for(const char *name, int id)
{
	char text[16];
	int fd = CHECK_OK(open(name, O_WRONLY));

	snprintf(text, sizeof(text), "%d", id);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

TEST(ids_that_are_asked_for)
{
	static const char *const names[] = {
		"/proc/sys/kernel/msg_next_id", "/proc/sys/kernel/sem_next_id", "/proc/sys/kernel/shm_next_id",
	};
	int id, other, fd;

	CHECK_OK(unshare(CLONE_NEWIPC));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(setting(names[i]), -1);
		fd = CHECK_OK(open(names[i], O_WRONLY));
		CHECK_ERRNO(write(fd, "-1", 2), EINVAL);
		close(fd);
	}
	id = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	ask_for(names[0], id);
	CHECK_EQ(setting(names[0]), id);
	CHECK_EQ(msgget(IPC_PRIVATE, 0600), id);
	CHECK_EQ(setting(names[0]), -1); /* once */
	ask_for(names[0], id);
	other = CHECK_OK(msgget(IPC_PRIVATE, 0600)); /* in use: the next */
	CHECK_EQ(other, id + 1);
	ask_for(names[1], 32768 * 3 + 5);
	CHECK_EQ(semget(4711, 1, IPC_CREAT | 0600), 32768 * 3 + 5);
	CHECK_EQ(semget(4711, 0, 0), 32768 * 3 + 5);
	ask_for(names[2], 77);
	CHECK_EQ(shmget(IPC_PRIVATE, 4096, 0600), 77);
}
