/* SPDX-License-Identifier: MIT */
/*
 * errors_files.c - the errors that the manual gives for opening, reading, writing and moving about
 * in files; RLIMIT_FSIZE for every call that makes a file larger. What calls say to handles of each
 * kind: kinds.c.
 */
#include "words.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static char buf[70000];
static struct stat st;
static struct iovec v[2000];

TEST(open_refuses_what_the_manual_says)
{
	int p[2];
	check_write_file("f", "hello", 5);
	mkdir("d", 0700);
	symlink("f", "l");
	symlink("none", "dang");
	mkfifo("fifo", 0600);
	symlink("d", "ld");
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("d", O_RDWR), EISDIR);
	CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("d", O_CREAT, 0600), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERRNO(open("d", O_RDONLY | O_TRUNC), EISDIR);
	CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERRNO(open("l", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERRNO(open("dang", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("dang", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERRNO(open("dang", O_NOFOLLOW), ELOOP);
	CHECK_OK(open("dang", O_PATH | O_NOFOLLOW));
	CHECK_ERRNO(open("dang", O_PATH), ENOENT);
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_OK(open("fifo", O_RDONLY | O_NONBLOCK));
	CHECK_ERRNO(open("f", O_RDONLY | O_TMPFILE), EINVAL);
	CHECK_ERRNO(open("d", O_RDONLY | __O_TMPFILE | O_DIRECTORY), EINVAL);
	CHECK_ERRNO(open("f", O_RDWR | O_TMPFILE, 0600), ENOTDIR);
	CHECK_ERRNO(open("none", O_RDWR | O_TMPFILE, 0600), ENOENT);
	CHECK_OK(open("d", O_RDWR | O_TMPFILE, 0600));
	CHECK_OK(open("d", O_WRONLY | O_TMPFILE | O_EXCL, 0600));
	CHECK_ERRNO(open("d", O_RDWR | O_TMPFILE | O_CREAT, 0600), EINVAL);
	CHECK_OK(open("ld", O_RDWR | O_TMPFILE, 0600));
	CHECK_ERRNO(open("ld", O_RDWR | O_TMPFILE | O_NOFOLLOW, 0600), ENOTDIR);
	CHECK_ERRNO(open("f", O_DIRECT), EINVAL);
	CHECK_EQ(open("f", O_ACCMODE), 8);
	CHECK_OK(open("f", O_ACCMODE));
	CHECK_ERRNO(open("d", O_ACCMODE), EISDIR);
	CHECK_ERRNO(open("d", O_DIRECTORY | O_CREAT, 0600), EINVAL);
	CHECK_ERRNO(open("nd", O_DIRECTORY | O_CREAT, 0600), EINVAL);
	CHECK_ERRNO(access("nd", F_OK), ENOENT);
	CHECK_ERRNO(open("f", O_DIRECTORY | O_CREAT, 0600), EINVAL);
	CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERRNO(open("d/", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERRNO(open("none/x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERRNO(open("f/x", O_CREAT | O_RDWR, 0600), ENOTDIR);
	CHECK_ERRNO(open("d/.", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERRNO(open("d/..", O_CREAT, 0600), EISDIR);
	CHECK_ERRNO(open(".", O_RDWR), EISDIR);
	CHECK_ERRNO(open("/", O_RDWR), EISDIR);
	CHECK_ERRNO(open("/", O_CREAT, 0600), EISDIR);
	CHECK_OK(open("f", 0x40000000));
	CHECK_OK(open("f", O_PATH | O_CREAT | O_EXCL));
	CHECK_ERRNO(open("none", O_PATH | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(open("f", O_PATH | O_DIRECTORY), ENOTDIR);
	CHECK_OK(open("f", O_RDONLY | O_NOATIME));
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/dev/null/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("/dev/null", O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open(NULL, O_RDONLY), EFAULT);
	CHECK_ERRNO(open(NULL, O_CREAT | O_ACCMODE), EFAULT);
	CHECK_ERRNO(openat(-1, NULL, 0), EFAULT);
	CHECK_ERRNO(openat(-1, "", 0), ENOENT);
	CHECK_ERRNO(openat(-1, "f", 0), EBADF);
	CHECK_ERRNO(openat(0, "f", 0), ENOTDIR);
	CHECK_ERRNO(open("none", O_RDONLY | O_DIRECTORY), ENOENT);
	CHECK_EQ(mknod("dev", S_IFCHR | 0600, 0xfff0ff), 0);
	CHECK_ERRNO(open("dev", O_RDWR), EACCES);
	CHECK_EQ(mknod("blk", S_IFBLK | 0600, 0xfff0), 0);
	CHECK_ERRNO(open("blk", O_RDWR), EACCES);
	CHECK_OK(open("blk", O_PATH));
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	struct {
		unsigned short f;
		char n[20];
	} a = {AF_UNIX, "sock"};
	CHECK_EQ(bind(s, (void *)&a, 7), 0);
	CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
	CHECK_ERRNO(open("sock", O_RDONLY | O_TRUNC), ENXIO);
	CHECK_ERRNO(open("sock", O_RDWR | O_CREAT, 0600), ENXIO);
	CHECK_OK(open("sock", O_PATH));
	CHECK_ERRNO(open("/proc/self/fd/99", O_RDONLY), ENOENT);
	CHECK_EQ(pipe(p), 0);
	sprintf(buf, "/proc/self/fd/%d", p[1]);
	CHECK_OK(open(buf, O_RDONLY));
	CHECK_OK(open(buf, O_RDWR));
	sprintf(buf, "/proc/self/fd/%d", s);
	CHECK_ERRNO(open(buf, O_RDWR), ENXIO);
	sprintf(buf, "/proc/self/fd/%d", eventfd(0, 0));
	CHECK_ERRNO(open(buf, O_RDWR), ENXIO);
	sprintf(buf, "/proc/self/fd/%d", epoll_create1(0));
	CHECK_ERRNO(open(buf, O_RDWR), ENXIO);
	sprintf(buf, "/proc/self/fd/%d", open("f", O_PATH));
	CHECK_OK(open(buf, O_RDWR));
	CHECK_ERRNO(open(buf, O_NOFOLLOW), ELOOP);
	sprintf(buf, "/proc/self/fd/%d", (int)memfd_create("x", 0));
	CHECK_OK(open(buf, O_RDWR));
	CHECK_ERRNO(open(buf, O_RDWR | O_CREAT | O_EXCL), EEXIST);
	CHECK_OK(open(buf, O_RDWR | O_TRUNC));
	set_limit(RLIMIT_NOFILE, 3, 3);
	CHECK_ERRNO(open("f", O_RDONLY), EMFILE);
	CHECK_ERRNO(open("none", O_RDONLY), EMFILE);
	CHECK_ERRNO(open("created", O_CREAT | O_RDWR, 0600), EMFILE);
	CHECK_ERRNO(access("created", F_OK), ENOENT);
	CHECK_ERRNO(open("f", O_RDWR | O_TRUNC), EMFILE);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_size, 5);
}

TEST(open_and_mknod_ask_for_permission)
{
	check_write_file("f", "hello", 5);
	chmod("f", 0444);
	mkdir("d", 0755);
	check_write_file("d/r", "x", 1);
	mkdir("w", 0777);
	mkdir("t", 01777);
	check_write_file("t/f", "x", 1);
	chmod("t/f", 0666);
	chmod(".", 0755);
	mkdir("x", 0700);
	check_write_file("wo", "x", 1);
	chmod("wo", 0222);
	check_write_file("mine", "x", 1);
	chown("mine", 65534, 65534);
	check_drop_root();
	CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(open("f", O_WRONLY), EACCES);
	CHECK_ERRNO(open("f", O_RDWR), EACCES);
	CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EACCES);
	CHECK_ERRNO(open("f", O_ACCMODE), EACCES);
	CHECK_ERRNO(open("f", O_NOATIME), EPERM);
	CHECK_ERRNO(open("wo", O_RDONLY), EACCES);
	CHECK_OK(open("wo", O_WRONLY));
	CHECK_OK(open("wo", O_PATH));
	CHECK_ERRNO(open("d/new", O_CREAT | O_RDWR, 0600), EACCES);
	CHECK_EQ(open("d/r", O_CREAT | O_RDONLY, 0600), 6);
	CHECK_ERRNO(open("d/r", O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERRNO(open("d", O_TMPFILE | O_RDWR, 0600), EACCES);
	CHECK_ERRNO(open("w", O_TMPFILE | O_RDWR, 0), EACCES);
	CHECK_ERRNO(open("w/a", O_CREAT | O_RDWR, 0), EACCES);
	CHECK_ERRNO(open("w/a", O_RDWR), ENOENT);
	CHECK_ERRNO(open("x/a", O_RDONLY), EACCES);
	CHECK_ERRNO(open("x/a/b", O_PATH), EACCES);
	CHECK_ERRNO(open("x", O_RDONLY), EACCES);
	CHECK_OK(open("x", O_PATH));
	CHECK_EQ(open("t/f", O_RDWR | O_CREAT, 0600), 8);
	CHECK_OK(open("t/f", O_RDWR));
	CHECK_OK(open("mine", O_NOATIME));
	CHECK_ERRNO(fcntl(open("f", O_RDONLY), F_SETFL, O_NOATIME), EPERM);
	CHECK_EQ(fcntl(open("mine", O_RDONLY), F_SETFL, O_NOATIME), 0);
	CHECK_ERRNO(mknod("w/c", S_IFCHR | 0600, 0x103), EACCES);
	CHECK_ERRNO(mknod("w/b", S_IFBLK | 0600, 0x103), EACCES);
	CHECK_ERRNO(mknod("w/p", S_IFIFO | 0600, 0), EACCES);
	CHECK_ERRNO(mknod("w/s", S_IFSOCK | 0600, 0), EACCES);
	CHECK_ERRNO(mknod("w/w", S_IFCHR, 0), EACCES);
	CHECK_ERRNO(mknod("w/r", 0600, 0), EACCES);
	CHECK_ERRNO(mknod("w/n", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERRNO(mknod("w/n", S_IFLNK | 0600, 0), EINVAL);
	CHECK_ERRNO(mknod("w/n", 0xf000, 0), EINVAL);
	CHECK_ERRNO(mknod("d/n", S_IFCHR, 0x103), EACCES);
	CHECK_ERRNO(mknod("w/a", S_IFCHR, 0x103), EACCES);
	CHECK_ERRNO(mknod("none/a", S_IFCHR, 0x103), ENOENT);
}

TEST(ends_and_limits_of_files_and_vectors)
{
	void *bad = check_bad_address();
	signal(SIGIO, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int r, w, p[2];
	check_write_file("f", "hello", 5);
	r = open("f", O_RDONLY);
	w = open("f", O_WRONLY);
	pipe(p);
	CHECK_EQ(preadv(r, (v[0].iov_base = buf, v[0].iov_len = 5, v), 1, 0), 5);
	for (int i = 0; i < 1024; i++) {
		v[i].iov_base = buf;
		v[i].iov_len = 1;
	}
	CHECK_EQ(preadv(r, v, 1024, 0), 5);
	CHECK_EQ(writev(w, v, 1024), 1024);
	CHECK_ERRNO(writev(w, v, 1025), EINVAL);
	v[0].iov_base = bad;
	CHECK_ERRNO(preadv(r, v, 2, 0), EFAULT);
	CHECK_ERRNO(pwritev(w, v, 2, 0), EFAULT);
	v[0].iov_base = buf;
	v[1].iov_base = bad;
	CHECK_EQ(preadv(r, v, 2, 0), 1);
	CHECK_EQ(pwritev(w, v, 2, 0), 1);
	CHECK_EQ(pread(r, buf, 1, 0), 1);
	int a = open("f", O_WRONLY | O_APPEND);
	CHECK_EQ(pwrite(a, "zz", 2, 0), 2);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 0);
	CHECK_EQ(write(a, "q", 1), 1);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 1027);
	CHECK_EQ(pwritev2(w, v, 1, 0, RWF_APPEND), 1);
	CHECK_EQ(lseek(w, 0, SEEK_END), 1028);
	CHECK_EQ(lseek(r, LONG_MAX, SEEK_SET), 9223372036854775807);
	CHECK_ERRNO(lseek(r, 1, SEEK_CUR), EINVAL);
	CHECK_EQ(lseek(r, 0, SEEK_CUR), 9223372036854775807);
	CHECK_ERRNO(lseek(r, LONG_MAX, SEEK_END), EINVAL);
	CHECK_ERRNO(read(r, buf, 1), EINVAL);
	CHECK_EQ(lseek(w, LONG_MAX, SEEK_SET), 9223372036854775807);
	CHECK_ERRNO(write(w, "x", 1), EINVAL);
	CHECK_EQ(lseek(w, LONG_MAX - 1, SEEK_SET), 9223372036854775806);
	CHECK_ERRNO(pwrite(w, "xx", 2, LONG_MAX - 1), EINVAL);
	CHECK_ERRNO(pwrite(w, "xx", 2, LONG_MAX), EINVAL);
	CHECK_ERRNO(lseek(r, 10000, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(r, -1, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(r, -1, SEEK_HOLE), ENXIO);
	CHECK_ERRNO(lseek(r, 10000, SEEK_HOLE), ENXIO);
	CHECK_EQ(lseek(r, 3, SEEK_HOLE), 1028);
	CHECK_EQ(lseek(r, 3, SEEK_DATA), 3);
	CHECK_ERRNO(read(r, buf, -1ul), EFAULT);
	CHECK_EQ(lseek(r, 0, SEEK_SET), 0);
	CHECK_ERRNO(read(r, buf, SSIZE_MAX) > 0 ? 0 : -1, EFAULT);
	CHECK_ERRNO(truncate("f", -1), EINVAL);
	CHECK_EQ(truncate("f", LONG_MAX), 0);
	CHECK_ERRNO(truncate(".", 0), EISDIR);
	CHECK_ERRNO(truncate("none", 0), ENOENT);
	CHECK_ERRNO(truncate("/dev/null", 0), EINVAL);
	mkfifo("ff", 0600);
	CHECK_ERRNO(truncate("ff", 0), EINVAL);
	CHECK_ERRNO(ftruncate(r, 0), EINVAL);
}

TEST(no_call_makes_a_file_larger_than_the_limit)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), n;
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit big = {1 << 20, 1 << 20};
	set_limit(RLIMIT_FSIZE, 100, 100);
	CHECK_EQ(write(fd, buf, 60), 60);
	CHECK_EQ(write(fd, buf, 60), 40);
	CHECK_ERRNO(write(fd, buf, 60), EFBIG);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
	CHECK_EQ(pwrite(fd, buf, 10, 95), 5);
	CHECK_ERRNO(pwrite(fd, buf, 10, 100), EFBIG);
	CHECK_EQ(pwrite(fd, buf, 0, 100), 0);
	CHECK_EQ(ftruncate(fd, 100), 0);
	CHECK_ERRNO(ftruncate(fd, 101), EFBIG);
	CHECK_ERRNO(truncate("f", 101), EFBIG);
	CHECK_ERRNO(fallocate(fd, 0, 0, 101), EFBIG);
	CHECK_ERRNO(fallocate(fd, 1, 0, 101), EFBIG);
	CHECK_ERRNO(ftruncate(fd, 200), EFBIG);
	CHECK(open("g", O_RDWR | O_CREAT, 0600) >= 0);
	CHECK_EQ(symlink("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			 "s"),
		0);
	v[0].iov_base = buf;
	v[0].iov_len = 60;
	v[1] = v[0];
	CHECK_EQ(pwritev(fd, v, 2, 0), 100);
	CHECK_ERRNO(pwritev(fd, v, 2, 100), EFBIG);
	n = open("n", O_RDWR | O_CREAT, 0600);
	off_t o = 0;
	CHECK_EQ(sendfile(n, fd, &o, 100), 100);
	o = 0;
	CHECK_ERRNO(sendfile(n, fd, &o, 100), EFBIG);
	o = 0;
	CHECK_ERRNO(copy_file_range(fd, &o, n, NULL, 100, 0), EFBIG);
	ftruncate(n, 0);
	lseek(n, 50, 0);
	o = 0;
	CHECK_EQ(copy_file_range(fd, &o, n, NULL, 100, 0), 50);
	lseek(n, 50, 0);
	o = 0;
	CHECK_EQ(sendfile(n, fd, &o, 100), 50);
	int p[2];
	pipe(p);
	write(p[1], buf, 200);
	lseek(n, 50, 0);
	CHECK_EQ(splice(p[0], NULL, n, NULL, 150, 0), 50);
	CHECK_ERRNO(splice(p[0], NULL, n, NULL, 150, 0), EFBIG);
	int m = memfd_create("m", 0);
	CHECK_ERRNO(ftruncate(m, 200), EFBIG);
	CHECK_EQ(write(m, buf, 200), 100);
	CHECK_EQ(ftruncate(fd, 50), 0);
	CHECK_EQ(write(p[1], buf, 4000), 4000);
	CHECK(memfd_create("z", 0) > 0);
	char *q = mmap(0, 4096, 3, MAP_SHARED, fd, 0);
	CHECK_EQ(q[60] = 1, 1);
	int z = open("/dev/null", O_WRONLY);
	CHECK_EQ(write(z, buf, 1000), 1000);
	int ap = open("f", O_WRONLY | O_APPEND);
	CHECK_EQ(write(ap, buf, 200), 50);
	CHECK_ERRNO(write(ap, buf, 200), EFBIG);
	int t = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK_EQ(write(t, buf, 200), 100);
	(void)big;
	CHECK(shm_open("/fsz", O_CREAT | O_RDWR, 0600) > 0);
	n = shm_open("/fsz", O_RDWR, 0);
	CHECK_ERRNO(ftruncate(n, 101), EFBIG);
	shm_unlink("/fsz");
}
static volatile sig_atomic_t hits;
static void
hit(int s)
{
	(void)s;
	hits++;
}

TEST(every_call_past_the_limit_is_told_by_a_signal)
{
	void *bad = check_bad_address();
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	signal(SIGXFSZ, hit);
	set_limit(RLIMIT_FSIZE, 10, 10);
	CHECK_EQ(write(fd, buf, 20), 10);
	CHECK_EQ(hits, 0);
	CHECK_ERRNO(write(fd, buf, 20), EFBIG);
	CHECK_EQ(hits, 1);
	CHECK_ERRNO(ftruncate(fd, 11), EFBIG);
	CHECK_EQ(hits, 2);
	CHECK_ERRNO(truncate("f", 11), EFBIG);
	CHECK_EQ(hits, 3);
	CHECK_ERRNO(fallocate(fd, 0, 0, 11), EFBIG);
	CHECK_EQ(hits, 4);
	CHECK_ERRNO(pwrite(fd, buf, 1, LONG_MAX), EINVAL);
	CHECK_EQ(hits, 4);
	CHECK_ERRNO(write(fd, bad, 20), EFBIG);
	CHECK_EQ(hits, 5);
	int n = open("n", O_RDWR | O_CREAT, 0600);
	lseek(n, 10, 0);
	off_t o = 0;
	CHECK_ERRNO(sendfile(n, fd, &o, 4), EFBIG);
	CHECK_EQ(hits, 6);
	o = 0;
	CHECK_ERRNO(copy_file_range(fd, &o, n, NULL, 4, 0), EFBIG);
	CHECK_EQ(hits, 7);
	int p[2];
	pipe(p);
	write(p[1], buf, 20);
	CHECK_ERRNO(splice(p[0], NULL, n, NULL, 4, 0), EFBIG);
	CHECK_EQ(hits, 8);
	int k = fork();
	if (!k) {
		signal(SIGXFSZ, SIG_DFL);
		write(n, buf, 5);
		_exit(0);
	}
	int s;
	waitpid(k, &s, 0);
	CHECK_EQ(WIFSIGNALED(s), 1);
	CHECK_EQ(WTERMSIG(s), 25);
}
