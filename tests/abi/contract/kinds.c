/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - what each call on a handle says to each kind of handle, and which of two mistakes is told.
 *
 * A row is a call; its words are what it gives for a number that is not open, a file open for reading, one
 * open for writing, a directory, an O_PATH handle, both ends of a pipe, an epoll, an eventfd, a timerfd and
 * an inotify: the errno without its E, or the number that was returned. All handles that may block do not.
 */
#include "words.h"

#include <linux/fs.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <termios.h>

enum { CLOSED, READER, WRITER, DIRECTORY, PATH, PIPE_OUT, PIPE_IN, EPOLL, EVENT, TIMER, NOTICE, KINDS };

static int fds[KINDS], other[2], reader, writer, ep;
static char buf[4096];
static void *bad, *const kernel = (void *)0xffff888000000000;
static struct stat st;
static struct iovec empty = { buf, 0 }, huge = { buf, -1ul }, many[1025];
static struct epoll_event watched;
static struct itimerspec timer;
static sigset_t none;

static void
set_up(void)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	bad = check_bad_address();
	check_write_file("f", "hello", 5);
	fds[CLOSED] = 199;
	reader = fds[READER] = CHECK_OK(open("f", O_RDONLY));
	writer = fds[WRITER] = CHECK_OK(open("f", O_WRONLY));
	fds[DIRECTORY] = CHECK_OK(open(".", O_RDONLY));
	fds[PATH] = CHECK_OK(open("f", O_PATH));
	CHECK_OK(pipe2(p, O_NONBLOCK));
	fds[PIPE_OUT] = p[0];
	fds[PIPE_IN] = p[1];
	ep = CHECK_OK(epoll_create1(0));
	fds[EPOLL] = CHECK_OK(epoll_create1(0));
	fds[EVENT] = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	fds[TIMER] = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	fds[NOTICE] = CHECK_OK(inotify_init1(IN_NONBLOCK));
	CHECK_OK(pipe2(other, O_NONBLOCK));
}

static off_t *
offset(off_t at)
{
	static off_t o;

	o = at;
	return &o;
}

static int
advise(int fd, off_t length, int advice)
{
	errno = posix_fadvise(fd, 0, length, advice);
	return errno ? -1 : 0;
}

static int
lock(int fd, int command, int type, int whence, off_t start, off_t length, pid_t pid)
{
	return fcntl(fd, command,
		     &(struct flock){ .l_type = (short)type, .l_whence = (short)whence, .l_start = start,
				      .l_len = length, .l_pid = pid });
}

static int
map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, 4096);
	return 0;
}

#define ROW(call, want)                                                                            \
	for (int kind = 0; kind < KINDS; kind++) {                                                 \
		int fd = fds[kind];                                                                \
		CHECK_NTH(call, kind, want);                                                       \
	}

TEST(handles_of_each_kind_read_and_write)
{
	set_up();
	ROW(read(fd, buf, 0), "BADF 0 BADF ISDIR BADF 0 BADF INVAL INVAL INVAL AGAIN");
	ROW(read(fd, bad, 1), "BADF FAULT BADF ISDIR BADF AGAIN BADF INVAL INVAL INVAL AGAIN");
	ROW(write(fd, buf, 0), "BADF BADF 0 BADF BADF BADF 0 INVAL INVAL INVAL BADF");
	ROW(write(fd, bad, 1), "BADF BADF FAULT BADF BADF BADF FAULT INVAL INVAL INVAL BADF");
	ROW(read(fd, kernel, 1), "BADF FAULT BADF FAULT BADF FAULT BADF INVAL FAULT FAULT FAULT");
	ROW(write(fd, kernel, 1), "BADF BADF FAULT BADF BADF BADF FAULT INVAL FAULT INVAL BADF");
	ROW(pread(fd, buf, 1, -1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(pread(fd, buf, 0, 0), "BADF 0 BADF ISDIR BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pread(fd, bad, 1, 0), "BADF FAULT BADF ISDIR BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pread(fd, buf, 1, LONG_MAX), "BADF INVAL BADF INVAL BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pwrite(fd, buf, 1, -1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(pwrite(fd, buf, 0, 0), "BADF BADF 0 BADF BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pwrite(fd, buf, 1, LONG_MAX), "BADF BADF INVAL BADF BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(lseek(fd, 0, SEEK_SET), "BADF 0 0 0 BADF SPIPE SPIPE 0 0 0 0");
	ROW(lseek(fd, 0, 5), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lseek(fd, 0, SEEK_DATA), "BADF 0 0 INVAL BADF SPIPE SPIPE 0 0 0 0");
}

TEST(handles_of_each_kind_and_vectors)
{
	set_up();
	ROW(readv(fd, &empty, 0), "BADF 0 BADF 0 BADF 0 BADF INVAL 0 0 0");
	ROW(readv(fd, &empty, 1), "BADF 0 BADF 0 BADF 0 BADF INVAL 0 0 0");
	ROW(readv(fd, &empty, -1), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(readv(fd, many, 1025), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(readv(fd, bad, 1), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(readv(fd, &huge, 1), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(writev(fd, &empty, 0), "BADF BADF 0 BADF BADF BADF 0 INVAL 0 INVAL BADF");
	ROW(writev(fd, &empty, 1), "BADF BADF 0 BADF BADF BADF 0 INVAL 0 INVAL BADF");
	ROW(writev(fd, many, 1025), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(writev(fd, &huge, 1), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(preadv(fd, &empty, 1, -1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(preadv(fd, &empty, 1, 0), "BADF 0 BADF 0 BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pwritev(fd, &empty, 1, -1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(preadv2(fd, &empty, 1, -1, 0x100), "BADF 0 BADF 0 BADF 0 BADF INVAL 0 0 0");
	ROW(preadv2(fd, &empty, 1, -2, 0), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(preadv2(fd, &empty, 1, -1, RWF_NOWAIT), "BADF 0 BADF 0 BADF 0 BADF INVAL 0 0 0");
	ROW(preadv2(fd, &empty, 1, 0, RWF_HIPRI), "BADF 0 BADF 0 BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pwritev2(fd, &empty, 1, 0, RWF_NOWAIT), "BADF BADF 0 BADF BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(pwritev2(fd, &empty, 1, 0, RWF_DSYNC), "BADF BADF 0 BADF BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
}

TEST(handles_of_each_kind_have_sizes_and_stores)
{
	set_up();
	ROW(ftruncate(fd, 5), "BADF INVAL 0 INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(ftruncate(fd, -1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(ftruncate(fd, LONG_MAX), "BADF INVAL 0 INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fsync(fd), "BADF 0 0 0 BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fdatasync(fd), "BADF 0 0 0 BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(syncfs(fd), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(sync_file_range(fd, 0, 0, 0), "BADF 0 0 0 BADF SPIPE SPIPE SPIPE SPIPE SPIPE SPIPE");
	ROW(sync_file_range(fd, -1, 0, 0), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(sync_file_range(fd, 0, 0, 8), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(readahead(fd, 0, 10), "BADF 0 BADF INVAL BADF INVAL BADF INVAL INVAL INVAL INVAL");
	ROW(advise(fd, 0, 99), "BADF INVAL INVAL INVAL BADF SPIPE SPIPE INVAL INVAL INVAL INVAL");
	ROW(advise(fd, -1, 0), "BADF INVAL INVAL INVAL BADF SPIPE SPIPE INVAL INVAL INVAL INVAL");
	ROW(fallocate(fd, 0, 0, 1), "BADF BADF 0 BADF BADF BADF SPIPE NODEV NODEV NODEV BADF");
	ROW(fallocate(fd, 0, -1, 1), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fallocate(fd, 0, 0, 0), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fallocate(fd, 0x800, 0, 1),
	    "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP");
	ROW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1),
	    "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP");
	ROW(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fallocate(fd, 0, LONG_MAX, 1), "BADF BADF FBIG BADF BADF BADF SPIPE NODEV NODEV NODEV BADF");
}

TEST(handles_of_each_kind_as_files)
{
	set_up();
	ROW(syscall(SYS_getdents64, fd, buf, 0), "BADF NOTDIR NOTDIR INVAL BADF NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR");
	ROW(fchdir(fd), "BADF NOTDIR NOTDIR 0 NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR");
	ROW(fchmod(fd, 0600), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(fchown(fd, -1, -1), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(fstat(fd, &st), "BADF 0 0 0 0 0 0 0 0 0 0");
	ROW(fstat(fd, bad), "BADF FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(fstatfs(fd, bad), "BADF FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(futimens(fd, NULL), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(fgetxattr(fd, "user.x", buf, 10),
	    "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF NODATA NODATA NODATA NODATA NODATA NODATA");
	ROW(flistxattr(fd, buf, 10), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(fsetxattr(fd, "user.x", buf, 1, 0),
	    "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF PERM PERM PERM PERM PERM PERM");
	ROW(fremovexattr(fd, "user.x"), "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF PERM PERM PERM PERM PERM PERM");
	ROW(fsetxattr(fd, "nope.x", buf, 1, 0),
	    "BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP BADF OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP OPNOTSUPP");
	ROW(utimensat(fd, NULL, NULL, AT_EMPTY_PATH),
	    "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fstatat(fd, "", &st, AT_EMPTY_PATH), "BADF 0 0 0 0 0 0 0 0 0 0");
	ROW(fstatat(fd, "", &st, 0), "NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT");
	ROW(readlinkat(fd, "", buf, 10), "BADF NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT NOENT");
	ROW(fchownat(fd, "", -1, -1, AT_EMPTY_PATH), "BADF 0 0 0 0 0 0 0 0 0 0");
	ROW(openat(fd, "f", O_RDONLY | O_DIRECTORY),
	    "BADF NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR NOTDIR");
}

TEST(handles_of_each_kind_are_locked)
{
	set_up();
	ROW(flock(fd, LOCK_SH | LOCK_NB), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(flock(fd, 0), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(flock(fd, LOCK_SH | LOCK_EX), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(flock(fd, LOCK_UN), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0, 0), "BADF BADF 0 BADF BADF BADF 0 0 0 0 BADF");
	ROW(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 0, 0), "BADF 0 BADF 0 BADF 0 BADF 0 0 0 0");
	ROW(lock(fd, F_SETLK, 7, SEEK_SET, 0, 0, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_SETLK, F_UNLCK, 9, 0, 0, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, -1, 0, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 5, -6, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, LONG_MAX, 2, 0),
	    "BADF OVERFLOW OVERFLOW OVERFLOW BADF OVERFLOW OVERFLOW OVERFLOW OVERFLOW OVERFLOW OVERFLOW");
	ROW(lock(fd, F_OFD_SETLK, F_RDLCK, SEEK_SET, 0, 0, 1),
	    "BADF INVAL BADF INVAL BADF INVAL BADF INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 0, 1),
	    "BADF BADF INVAL BADF BADF BADF INVAL INVAL INVAL INVAL BADF");
	ROW(lock(fd, F_OFD_GETLK, F_UNLCK, SEEK_SET, 0, 0, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(lock(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 0, 0),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_SETLK, bad), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
}

TEST(handles_of_each_kind_and_commands)
{
	set_up();
	ROW(fcntl(fd, F_GETFD), "BADF 0 0 0 0 0 0 0 0 0 0");
	ROW(fcntl(fd, F_SETSIG, 65), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_GETPIPE_SZ) > 0 ? 0 : -1, "BADF BADF BADF BADF BADF 0 0 BADF BADF BADF BADF");
	ROW(fcntl(fd, F_GETLEASE), "BADF 2 2 2 BADF 2 2 2 2 2 2");
	ROW(fcntl(fd, F_SETLEASE, 9), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_SETLEASE, F_UNLCK), "BADF AGAIN AGAIN INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_GET_SEALS), "BADF 1 1 INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_ADD_SEALS, 0), "BADF PERM PERM PERM BADF PERM INVAL INVAL INVAL INVAL PERM");
	ROW(fcntl(fd, F_DUPFD, -1), "BADF INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_DUPFD, 1 << 30), "BADF INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(fcntl(fd, F_GETOWN_EX, bad), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(fcntl(fd, F_SETOWN_EX, bad), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(fcntl(fd, F_GET_RW_HINT, buf), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(fcntl(fd, F_SET_RW_HINT, bad), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(fcntl(fd, 9999), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(dup2(fd, -1), "BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF");
	ROW(dup2(fd, 1 << 30), "BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF");
	ROW(dup3(fd, fd, 0), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(dup3(fd, 200, 1), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(ioctl(fd, FIONREAD, bad), "BADF FAULT FAULT NOTTY BADF FAULT FAULT NOTTY NOTTY NOTTY FAULT");
	ROW(ioctl(fd, 0x5555, 0), "BADF NOTTY NOTTY NOTTY BADF NOTTY NOTTY NOTTY NOTTY NOTTY NOTTY");
	ROW(ioctl(fd, TCGETS, buf), "BADF NOTTY NOTTY NOTTY BADF NOTTY NOTTY NOTTY NOTTY NOTTY NOTTY");
	ROW(ioctl(fd, FIONBIO, bad), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(ioctl(fd, FICLONE, reader), "BADF BADF OPNOTSUPP ISDIR BADF XDEV XDEV XDEV XDEV XDEV XDEV");
}

TEST(handles_of_each_kind_send_and_receive)
{
	set_up();
	ROW(sendfile(writer, fd, offset(-1), 1), "BADF INVAL BADF INVAL BADF SPIPE BADF SPIPE SPIPE SPIPE SPIPE");
	ROW(sendfile(writer, fd, offset(0), 0), "BADF 0 BADF 0 BADF SPIPE BADF SPIPE SPIPE SPIPE SPIPE");
	ROW(sendfile(writer, fd, bad, 1), "FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(copy_file_range(fd, offset(0), writer, NULL, 0, 0),
	    "BADF 0 BADF ISDIR BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(copy_file_range(reader, offset(0), fd, NULL, 0, 0),
	    "BADF BADF 0 ISDIR BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(copy_file_range(fd, offset(0), writer, NULL, 1, 1),
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(copy_file_range(fd, offset(-1), writer, NULL, 1, 0),
	    "BADF OVERFLOW BADF ISDIR BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(copy_file_range(fd, bad, writer, NULL, 1, 0),
	    "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(splice(fd, NULL, other[1], NULL, 0, 0), "0 0 0 0 0 0 0 0 0 0 0");
	ROW(splice(fd, bad, other[1], NULL, 1, 0),
	    "BADF FAULT FAULT FAULT BADF SPIPE SPIPE FAULT FAULT FAULT FAULT");
	ROW(splice(fd, NULL, fd, NULL, 1, 0), "BADF BADF BADF BADF BADF BADF BADF INVAL INVAL INVAL BADF");
	ROW(splice(fd, NULL, other[1], NULL, 1, 99),
	    "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(tee(fd, other[1], 1, 99), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(tee(writer, fd, 1, 0), "BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF");
	ROW(vmsplice(fd, &empty, 0, 0), "BADF 0 0 0 BADF 0 0 0 0 0 0");
	ROW(vmsplice(fd, &empty, 1, 99), "INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(vmsplice(fd, bad, 1, 0), "BADF FAULT FAULT FAULT BADF FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(vmsplice(fd, many, 1025, 0), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(map(fd, PROT_READ, MAP_PRIVATE), "BADF 0 ACCES NODEV BADF NODEV ACCES NODEV NODEV NODEV NODEV");
	ROW(map(fd, PROT_READ, MAP_SHARED), "BADF 0 ACCES NODEV BADF NODEV ACCES NODEV NODEV NODEV NODEV");
	ROW(map(fd, PROT_WRITE, MAP_SHARED), "BADF ACCES ACCES ACCES BADF ACCES ACCES NODEV NODEV NODEV ACCES");
}

TEST(handles_of_each_kind_as_what_they_are_not)
{
	set_up();
	ROW(connect(fd, (void *)buf, 10),
	    "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(accept(fd, NULL, NULL),
	    "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(listen(fd, 1), "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(send(fd, buf, 0, 0),
	    "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(recv(fd, buf, 0, 0),
	    "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(shutdown(fd, SHUT_RD),
	    "BADF NOTSOCK NOTSOCK NOTSOCK BADF NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK NOTSOCK");
	ROW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &watched), "BADF PERM PERM PERM BADF 0 0 0 0 0 0");
	ROW(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), "BADF PERM PERM PERM BADF 0 0 0 0 0 0");
	ROW(epoll_ctl(fd, EPOLL_CTL_DEL, reader, NULL), "BADF PERM PERM PERM BADF PERM PERM PERM PERM PERM PERM");
	ROW(epoll_wait(fd, &watched, 1, 0), "BADF INVAL INVAL INVAL BADF INVAL INVAL 0 INVAL INVAL INVAL");
	ROW(inotify_add_watch(fd, "f", IN_OPEN) > 0 ? 0 : -1,
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL 0");
	ROW(inotify_rm_watch(fd, 99), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(timerfd_gettime(fd, &timer), "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL 0 INVAL");
	ROW(timerfd_settime(fd, 0, bad, NULL), "FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT FAULT");
	ROW(signalfd(fd, &none, 0) == fd ? 0 : -1,
	    "BADF INVAL INVAL INVAL BADF INVAL INVAL INVAL INVAL INVAL INVAL");
	ROW(mq_getattr(fd, NULL), "BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF BADF");
}
