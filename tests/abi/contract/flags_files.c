/* SPDX-License-Identifier: MIT */
/* Flags of files: open, fcntl, ioctl, fallocate, the *at calls: see flags.h. */
#include "flags.h"

/* close, unless there was an error already. */
static long
shut(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

TEST(fcntl_commands)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2], dir = CHECK_OK(open(".", O_RDONLY));
	int ro = CHECK_OK(open("f", O_RDONLY)), mem = CHECK_OK(memfd_create("m", MFD_ALLOW_SEALING));
	struct flock l = { .l_type = F_RDLCK };
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };
	uint64_t hint = 1;
	uint32_t ids[2];

	CHECK_OK(pipe(p));
	signal(SIGIO, SIG_IGN);
	FLAG(fcntl, F_DUPFD, 0, shut(fcntl(fd, F_DUPFD, 10)));
	FLAG(fcntl, F_DUPFD_CLOEXEC, 0, shut(fcntl(fd, F_DUPFD_CLOEXEC, 10)));
	FLAG(fcntl, F_GETFD, 0, fcntl(fd, F_GETFD));
	FLAG(fcntl, F_SETFD, 0, fcntl(fd, F_SETFD, 1));
	FLAG(fcntl, F_GETFL, 0, fcntl(fd, F_GETFL));
	FLAG(fcntl, F_SETFL(O_NONBLOCK), 0, fcntl(fd, F_SETFL, O_NONBLOCK));
	FLAG(fcntl, F_SETFL(O_APPEND), 0, fcntl(fd, F_SETFL, O_APPEND));
	FLAG(fcntl, F_SETFL(O_NOATIME), 0, fcntl(fd, F_SETFL, O_NOATIME));
	FLAG(fcntl, F_SETFL(O_DIRECT), EINVAL, fcntl(fd, F_SETFL, O_DIRECT));
	FLAG(fcntl, F_SETFL(O_ASYNC), 0, fcntl(p[0], F_SETFL, O_ASYNC));
	FLAG(fcntl, F_SETFL(O_DIRECT) of a pipe, 0, fcntl(p[0], F_SETFL, O_DIRECT));
	FLAG(fcntl, F_SETFL(0), 0, fcntl(fd, F_SETFL, 0));
	FLAG(fcntl, F_GETLK, 0, fcntl(fd, F_GETLK, &l));
	l.l_type = F_RDLCK;
	FLAG(fcntl, F_SETLK, 0, fcntl(fd, F_SETLK, &l));
	FLAG(fcntl, F_SETLKW, 0, fcntl(fd, F_SETLKW, &l));
	FLAG(fcntl, F_OFD_GETLK, 0, fcntl(fd, F_OFD_GETLK, &l));
	l.l_type = F_RDLCK;
	FLAG(fcntl, F_OFD_SETLK, 0, fcntl(fd, F_OFD_SETLK, &l));
	FLAG(fcntl, F_OFD_SETLKW, 0, fcntl(fd, F_OFD_SETLKW, &l));
	FLAG(fcntl, F_SETOWN, 0, fcntl(fd, F_SETOWN, getpid()));
	FLAG(fcntl, F_GETOWN, 0, fcntl(fd, F_GETOWN));
	FLAG(fcntl, F_SETSIG, 0, fcntl(fd, F_SETSIG, SIGUSR1));
	FLAG(fcntl, F_GETSIG, 0, fcntl(fd, F_GETSIG));
	FLAG(fcntl, F_SETOWN_EX, 0, fcntl(fd, F_SETOWN_EX, &owner));
	FLAG(fcntl, F_GETOWN_EX, 0, fcntl(fd, F_GETOWN_EX, &owner));
	FLAG(fcntl, F_GETOWNER_UIDS, 0, fcntl(fd, 17, ids));
	CHECK_OK(close(fd));
	FLAG(fcntl, F_GETLEASE, 0, fcntl(ro, F_GETLEASE));
	FLAG(fcntl, F_SETLEASE(F_RDLCK), 0, fcntl(ro, F_SETLEASE, F_RDLCK));
	FLAG(fcntl, F_SETLEASE(F_UNLCK), 0, fcntl(ro, F_SETLEASE, F_UNLCK));
	FLAG(fcntl, F_NOTIFY, 0, fcntl(dir, F_NOTIFY, DN_CREATE));
	FLAG(fcntl, F_NOTIFY(0), 0, fcntl(dir, F_NOTIFY, 0));
	FLAG(fcntl, F_SETPIPE_SZ, 0, fcntl(p[0], F_SETPIPE_SZ, 8192));
	FLAG(fcntl, F_GETPIPE_SZ, 0, fcntl(p[0], F_GETPIPE_SZ));
	FLAG(fcntl, F_ADD_SEALS, 0, fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK));
	FLAG(fcntl, F_GET_SEALS, 0, fcntl(mem, F_GET_SEALS));
	FLAG(fcntl, F_GET_RW_HINT, 0, fcntl(ro, F_GET_RW_HINT, &hint));
	hint = 1;
	FLAG(fcntl, F_SET_RW_HINT, 0, fcntl(ro, F_SET_RW_HINT, &hint));
	FLAG(fcntl, F_GET_FILE_RW_HINT, EINVAL, fcntl(ro, F_GET_FILE_RW_HINT, &hint));
	hint = 1;
	FLAG(fcntl, F_SET_FILE_RW_HINT, EINVAL, fcntl(ro, F_SET_FILE_RW_HINT, &hint));
	FLAG(fcntl, F_CANCELLK, EINVAL, fcntl(ro, 1029, &l));
	FLAG(fcntl, 99, EINVAL, fcntl(ro, 99, 0));
	FLAGS_END();
}

TEST(open_flags)
{
#define OPEN(flags) shut(open("f", flags, 0600))
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	FLAG(open, O_APPEND, 0, OPEN(O_RDWR | O_APPEND));
	FLAG(open, O_ASYNC, 0, OPEN(O_RDWR | O_ASYNC));
	FLAG(open, O_CLOEXEC, 0, OPEN(O_RDWR | O_CLOEXEC));
	FLAG(open, O_CREAT, 0, OPEN(O_RDWR | O_CREAT));
	FLAG(open, O_CREAT and O_EXCL, EEXIST, OPEN(O_RDWR | O_CREAT | O_EXCL));
	FLAG(open, O_DIRECT, EINVAL, OPEN(O_RDWR | O_DIRECT));
	FLAG(open, O_DIRECTORY, ENOTDIR, OPEN(O_RDONLY | O_DIRECTORY));
	FLAG(open, O_DIRECTORY and O_CREAT, EINVAL, OPEN(O_RDONLY | O_DIRECTORY | O_CREAT));
	FLAG(open, O_DSYNC, 0, OPEN(O_RDWR | O_DSYNC));
	FLAG(open, O_EXCL, 0, OPEN(O_RDWR | O_EXCL));
	FLAG(open, O_LARGEFILE, 0, OPEN(O_RDWR | 0100000));
	FLAG(open, O_NOATIME, 0, OPEN(O_RDWR | O_NOATIME));
	FLAG(open, O_NOCTTY, 0, OPEN(O_RDWR | O_NOCTTY));
	FLAG(open, O_NOFOLLOW, 0, OPEN(O_RDWR | O_NOFOLLOW));
	FLAG(open, O_NONBLOCK, 0, OPEN(O_RDWR | O_NONBLOCK));
	FLAG(open, O_PATH, 0, OPEN(O_PATH));
	FLAG(open, O_SYNC, 0, OPEN(O_RDWR | O_SYNC));
	FLAG(open, O_TMPFILE, 0, shut(open(".", O_RDWR | O_TMPFILE, 0600)));
	FLAG(open, O_TMPFILE read-only, EINVAL, shut(open(".", O_RDONLY | O_TMPFILE, 0600)));
	FLAG(open, O_TRUNC, 0, OPEN(O_RDWR | O_TRUNC));
	FLAG(open, access mode 3, 0, OPEN(3));
	FLAG(open, an unknown flag, 0, OPEN(O_RDWR | 0x40000000));
#undef OPEN
	FLAGS_END();
}

static long
open2(const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };
	long fd = syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how));

	return fd < 0 ? fd : close((int)fd);
}

TEST(openat2_flags)
{
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	FLAG(openat2, RESOLVE_NO_XDEV, 0, open2("f", O_RDWR, 0, RESOLVE_NO_XDEV));
	FLAG(openat2, RESOLVE_NO_MAGICLINKS, 0, open2("f", O_RDWR, 0, RESOLVE_NO_MAGICLINKS));
	FLAG(openat2, RESOLVE_NO_SYMLINKS, 0, open2("f", O_RDWR, 0, RESOLVE_NO_SYMLINKS));
	FLAG(openat2, RESOLVE_BENEATH, 0, open2("f", O_RDWR, 0, RESOLVE_BENEATH));
	FLAG(openat2, RESOLVE_IN_ROOT, 0, open2("f", O_RDWR, 0, RESOLVE_IN_ROOT));
	FLAG(openat2, RESOLVE_CACHED, 0, open2("f", O_RDWR, 0, RESOLVE_CACHED));
	FLAG(openat2, RESOLVE_CACHED and O_CREAT, EAGAIN, open2("f", O_RDWR | O_CREAT, 0600, RESOLVE_CACHED));
	FLAG(openat2, unknown resolve, EINVAL, open2("f", O_RDWR, 0, 64));
	FLAG(openat2, unknown flag, EINVAL, open2("f", O_RDWR | 0x40000000, 0, 0));
	FLAG(openat2, high flag, EINVAL, open2("f", O_RDWR | 1ull << 40, 0, 0));
	FLAG(openat2, mode without O_CREAT, EINVAL, open2("f", O_RDWR, 0600, 0));
	FLAG(openat2, mode too large, EINVAL, open2("f", O_RDWR | O_CREAT, 010000, 0));
	FLAG(openat2, O_PATH and O_RDWR, EINVAL, open2("f", O_RDWR | O_PATH, 0, 0));
	FLAG(openat2, O_PATH and O_TRUNC, EINVAL, open2("f", O_TRUNC | O_PATH, 0, 0));
	FLAG(openat2, access mode 3, 0, open2("f", 3, 0, 0));
	FLAG(openat2, O_TMPFILE, 0, open2(".", O_RDWR | O_TMPFILE, 0600, 0));
	FLAG(openat2, O_DIRECTORY and O_CREAT, EINVAL, open2("d", O_DIRECTORY | O_CREAT, 0600, 0));
	FLAGS_END();
}

TEST(fallocate_modes)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));

	CHECK_OK(ftruncate(fd, 64 * 4096));
	FLAG(fallocate, 0, 0, fallocate(fd, 0, 0, 8192));
	FLAG(fallocate, FALLOC_FL_KEEP_SIZE, 0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_PUNCH_HOLE, 0,
	     fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_PUNCH_HOLE alone, EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_COLLAPSE_RANGE, EOPNOTSUPP, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_ZERO_RANGE, EOPNOTSUPP, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_INSERT_RANGE, EOPNOTSUPP, fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_UNSHARE_RANGE, EOPNOTSUPP, fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_ZERO_RANGE and FALLOC_FL_PUNCH_HOLE, EOPNOTSUPP,
	     fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE, 0, 8192));
	FLAG(fallocate, FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_KEEP_SIZE, EINVAL,
	     fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 8192));
	FLAG(fallocate, 0x80, EOPNOTSUPP, fallocate(fd, 0x80, 0, 8192));
	FLAGS_END();
}

TEST(vector_read_and_write_flags)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), p[2];
	char buf[16] = "abcdefghijklmno";
	struct iovec v = { buf, 8 };

	CHECK_OK(pipe(p));
	CHECK_OK(pwrite(fd, buf, 16, 0));
	FLAG(preadv2, RWF_HIPRI, 0, preadv2(fd, &v, 1, 0, RWF_HIPRI));
	FLAG(preadv2, RWF_DSYNC, 0, preadv2(fd, &v, 1, 0, RWF_DSYNC));
	FLAG(preadv2, RWF_SYNC, 0, preadv2(fd, &v, 1, 0, RWF_SYNC));
	FLAG(preadv2, RWF_NOWAIT, EOPNOTSUPP, preadv2(fd, &v, 1, 0, RWF_NOWAIT));
	FLAG(preadv2, RWF_APPEND, 0, preadv2(fd, &v, 1, 0, RWF_APPEND));
	FLAG(preadv2, 32, EOPNOTSUPP, preadv2(fd, &v, 1, 0, 32));
	FLAG(preadv2, RWF_NOWAIT of an empty pipe, EOPNOTSUPP, preadv2(p[0], &v, 1, -1, RWF_NOWAIT));
	FLAG(pwritev2, RWF_HIPRI, 0, pwritev2(fd, &v, 1, 0, RWF_HIPRI));
	FLAG(pwritev2, RWF_DSYNC, 0, pwritev2(fd, &v, 1, 0, RWF_DSYNC));
	FLAG(pwritev2, RWF_SYNC, 0, pwritev2(fd, &v, 1, 0, RWF_SYNC));
	FLAG(pwritev2, RWF_NOWAIT, EOPNOTSUPP, pwritev2(fd, &v, 1, 0, RWF_NOWAIT));
	FLAG(pwritev2, RWF_APPEND, 0, pwritev2(fd, &v, 1, 0, RWF_APPEND));
	FLAG(pwritev2, 32, EOPNOTSUPP, pwritev2(fd, &v, 1, 0, 32));
	FLAG(pwritev2, RWF_NOWAIT to a pipe, EOPNOTSUPP, pwritev2(p[1], &v, 1, -1, RWF_NOWAIT));
	FLAGS_END();
}

static int pair[2];

static long
ioctl_of(int fd, unsigned long command, long argument)
{
	static char buf[4096];

	memset(buf, 0, sizeof(buf));
	return ioctl(fd, command, argument ? argument : (long)buf);
}

TEST(ioctl_commands_of_files)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), p[2], dir = CHECK_OK(open(".", O_RDONLY)), on = 1;

	CHECK_OK(pipe(p));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
#define FILE_IOCTL(name, want) ROW("ioctl", #name, want, ioctl_of(fd, name, 0))
	FILE_IOCTL(FIOCLEX, 0);
	FILE_IOCTL(FIONCLEX, 0);
	FILE_IOCTL(FIONBIO, 0);
	FILE_IOCTL(FIOASYNC, 0);
	FILE_IOCTL(FIONREAD, 0);
	FILE_IOCTL(FIOQSIZE, 0);
	FILE_IOCTL(FIGETBSZ, 0);
	FILE_IOCTL(FIBMAP, EINVAL);
	FILE_IOCTL(FS_IOC_FIEMAP, EOPNOTSUPP);
	FILE_IOCTL(FS_IOC_GETFLAGS, 0);
	FILE_IOCTL(FS_IOC_SETFLAGS, 0);
	FILE_IOCTL(FS_IOC_GETVERSION, ENOTTY);
	FILE_IOCTL(FS_IOC_FSGETXATTR, 0);
	FILE_IOCTL(FICLONE, EBADF);
	FILE_IOCTL(FICLONERANGE, EXDEV);
	FILE_IOCTL(FIDEDUPERANGE, EOPNOTSUPP);
	FILE_IOCTL(FIFREEZE, EOPNOTSUPP);
	FILE_IOCTL(FITHAW, EINVAL);
	FILE_IOCTL(TCGETS, ENOTTY);
	FILE_IOCTL(TIOCGWINSZ, ENOTTY);
	FILE_IOCTL(0x12345, ENOTTY);
	FLAG(ioctl, FIOQSIZE of a directory, 0, ioctl_of(dir, FIOQSIZE, 0));
	FLAG(ioctl, FIGETBSZ of a directory, 0, ioctl_of(dir, FIGETBSZ, 0));
	FLAG(ioctl, FIONREAD of a directory, ENOTTY, ioctl_of(dir, FIONREAD, 0));
	FLAG(ioctl, FS_IOC_GETFLAGS of a directory, 0, ioctl_of(dir, FS_IOC_GETFLAGS, 0));
	FLAG(ioctl, FIONREAD of a pipe, 0, ioctl_of(p[0], FIONREAD, 0));
	FLAG(ioctl, FIOASYNC of a pipe, 0, ioctl_of(p[0], FIOASYNC, 0));
	FLAG(ioctl, FIOASYNC(1) of an inotify, 0, ioctl(inotify_init(), FIOASYNC, &on));
	FLAG(ioctl, FIOASYNC(1) of a pty master, 0, ioctl(posix_openpt(O_RDWR | O_NOCTTY), FIOASYNC, &on));
	FLAG(ioctl, FIGETBSZ of a pipe, 0, ioctl_of(p[0], FIGETBSZ, 0));
	FLAG(ioctl, FIOQSIZE of a pipe, ENOTTY, ioctl_of(p[0], FIOQSIZE, 0));
	FLAG(ioctl, TCGETS of a pipe, ENOTTY, ioctl_of(p[0], TCGETS, 0));
	FLAG(ioctl, FIONREAD of a socket, 0, ioctl_of(pair[0], FIONREAD, 0));
	FLAG(ioctl, SIOCOUTQ, 0, ioctl_of(pair[0], SIOCOUTQ, 0));
	FLAG(ioctl, SIOCATMARK, 0, ioctl_of(pair[0], SIOCATMARK, 0));
	FLAG(ioctl, FIOSETOWN, 0, ioctl_of(pair[0], FIOSETOWN, 0));
	FLAG(ioctl, SIOCSPGRP, 0, ioctl_of(pair[0], SIOCSPGRP, 0));
	FLAG(ioctl, FIOGETOWN, 0, ioctl_of(pair[0], FIOGETOWN, 0));
	FLAG(ioctl, SIOCGPGRP, 0, ioctl_of(pair[0], SIOCGPGRP, 0));
	FLAG(ioctl, SIOCGSTAMP_OLD, ENOTTY, ioctl_of(pair[0], SIOCGSTAMP_OLD, 0));
	FLAG(ioctl, SIOCGIFCONF, 0, ioctl_of(pair[0], SIOCGIFCONF, 0));
	FLAG(ioctl, SIOCGIFINDEX, ENODEV, ioctl_of(pair[0], SIOCGIFINDEX, 0));
	FLAG(ioctl, SIOCINQ, 0, ioctl_of(pair[0], SIOCINQ, 0));
	FLAG(ioctl, SIOCUNIXFILE, ENOENT, ioctl_of(pair[0], 0x89e0, 0));
	FLAG(ioctl, TCGETS of a socket, ENOTTY, ioctl_of(pair[0], TCGETS, 0));
	FLAGS_END();
}

TEST(ioctl_commands_of_terminals)
{
	int master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), zero = 0, slave;
	char name[32];

	CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
	CHECK_EQ(ptsname_r(master, name, sizeof(name)), 0);
	slave = CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	if (fork()) { /* a session needs one who leads no group; the child reports */
		wait(NULL);
		return;
	}
	CHECK_OK(setsid());
#define TTY(fd, name, argument, want) ROW("ioctl", #name " of a terminal", want, ioctl_of(fd, name, argument))
	TTY(slave, TIOCSCTTY, 0, 0);
	TTY(slave, TCGETS, 0, 0);
	struct termios t;
	tcgetattr(slave, &t);
	FLAG(ioctl, TCSETS, 0, ioctl(slave, TCSETS, &t));
	FLAG(ioctl, TCSETSW, 0, ioctl(slave, TCSETSW, &t));
	FLAG(ioctl, TCSETSF, 0, ioctl(slave, TCSETSF, &t));
	TTY(slave, TCGETA, 0, 0);
	TTY(slave, TCSETA, 0, 0);
	TTY(slave, TCSETAW, 0, 0);
	TTY(slave, TCSETAF, 0, 0);
	TTY(slave, TCSBRK, 1, 0);
	TTY(slave, TCSBRKP, 1, 0);
	TTY(slave, TIOCSBRK, 0, 0);
	TTY(slave, TIOCCBRK, 0, 0);
	TTY(slave, TCXONC, TCOON, 0);
	TTY(slave, TCFLSH, TCIOFLUSH, 0);
	TTY(slave, TIOCEXCL, 0, 0);
	TTY(slave, TIOCNXCL, 0, 0);
	TTY(slave, TIOCGPGRP, 0, 0);
	pid_t group = getpgrp();
	FLAG(ioctl, TIOCSPGRP, 0, ioctl(slave, TIOCSPGRP, &group));
	TTY(slave, TIOCOUTQ, 0, 0);
	TTY(slave, TIOCINQ, 0, 0);
	TTY(slave, TIOCGWINSZ, 0, 0);
	TTY(slave, TIOCSWINSZ, 0, 0);
	TTY(slave, TIOCMGET, 0, ENOTTY);
	TTY(slave, TIOCMSET, 0, ENOTTY);
	TTY(slave, TIOCGSOFTCAR, 0, 0);
	TTY(slave, TIOCSSOFTCAR, 0, 0);
	TTY(slave, TIOCLINUX, 0, ENOTTY);
	TTY(slave, TIOCCONS, 0, 0);
	TTY(slave, TIOCGSERIAL, 0, ENOTTY);
	TTY(slave, TIOCGETD, 0, 0);
	TTY(slave, TIOCSETD, 0, 0);
	TTY(slave, TIOCGSID, 0, 0);
	FLAG(ioctl, TCGETS2, 0, ioctl_of(slave, 0x802c542a, 0));
	TTY(slave, TIOCGDEV, 0, 0);
	TTY(slave, TIOCGEXCL, 0, 0);
	TTY(slave, TIOCSTI, 0, 0);
	TTY(slave, TIOCGLCKTRMIOS, 0, 0);
	TTY(slave, TIOCSLCKTRMIOS, 0, 0);
	TTY(master, TIOCPKT, 0, 0);
	TTY(master, TIOCGPKT, 0, 0);
	TTY(master, TIOCSIG, SIGWINCH, EINVAL);
	TTY(master, TIOCGPTN, 0, 0);
	TTY(master, TIOCSPTLCK, 0, 0);
	TTY(master, TIOCGPTLCK, 0, 0);
	FLAG(ioctl, TIOCGPTPEER, 0, ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	signal(SIGHUP, SIG_IGN);
	TTY(slave, TIOCNOTTY, 0, 0);
	TTY(slave, TIOCVHANGUP, 0, 0);
	FLAGS_END();
}

/* As setfacl -m u:1:r would. */
static long
set_acl(void)
{
	struct {
		uint32_t version;
		struct {
			uint16_t tag, rights;
			uint32_t id;
		} entry[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, 1 }, { 4, 4, -1 }, { 16, 4, -1 }, { 32, 0, -1 } } };

	return setxattr("f", "system.posix_acl_access", &acl, sizeof(acl), 0);
}

static long
change_personality(long persona)
{
	return syscall(SYS_personality, persona);
}

TEST(other_flags)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), dir = CHECK_OK(open(".", O_RDONLY)), p[2];
	struct statx x;
	struct stat st;
	char buf[16];
	struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
	struct iovec v = { buf, 8 };

	CHECK_OK(pipe(p));
	FLAG(statx, AT_EMPTY_PATH, 0, statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &x));
	FLAG(statx, AT_SYMLINK_NOFOLLOW, 0, statx(dir, "f", AT_SYMLINK_NOFOLLOW, STATX_ALL, &x));
	FLAG(statx, AT_NO_AUTOMOUNT, 0, statx(dir, "f", AT_NO_AUTOMOUNT, STATX_ALL, &x));
	FLAG(statx, AT_STATX_FORCE_SYNC, 0, statx(dir, "f", AT_STATX_FORCE_SYNC, STATX_ALL, &x));
	FLAG(statx, AT_STATX_DONT_SYNC, 0, statx(dir, "f", AT_STATX_DONT_SYNC, STATX_ALL, &x));
	FLAG(statx, both sync flags, EINVAL, statx(dir, "f", 0x6000, STATX_ALL, &x));
	FLAG(statx, an unknown flag, EINVAL, statx(dir, "f", AT_REMOVEDIR, STATX_ALL, &x));
	FLAG(statx, the reserved mask bit, EINVAL, statx(dir, "f", 0, 0x80000000, &x));
	FLAG(newfstatat, AT_EMPTY_PATH, 0, fstatat(fd, "", &st, AT_EMPTY_PATH));
	FLAG(newfstatat, AT_NO_AUTOMOUNT, 0, fstatat(dir, "f", &st, AT_NO_AUTOMOUNT));
	FLAG(newfstatat, an unknown flag, EINVAL, fstatat(dir, "f", &st, AT_REMOVEDIR));
	FLAG(faccessat2, AT_EACCESS, 0, syscall(SYS_faccessat2, dir, "f", R_OK, AT_EACCESS));
	FLAG(faccessat2, AT_EMPTY_PATH, 0, syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
	FLAG(faccessat2, an unknown flag, EINVAL, syscall(SYS_faccessat2, dir, "f", R_OK, 1));
	FLAG(faccessat2, an unknown mode, EINVAL, syscall(SYS_faccessat2, dir, "f", 8, 0));
	FLAG(fchownat, AT_EMPTY_PATH, 0, fchownat(fd, "", 0, 0, AT_EMPTY_PATH));
	FLAG(fchownat, AT_SYMLINK_NOFOLLOW, 0, fchownat(dir, "f", 0, 0, AT_SYMLINK_NOFOLLOW));
	FLAG(fchownat, an unknown flag, EINVAL, fchownat(dir, "f", 0, 0, AT_REMOVEDIR));
	FLAG(fchmodat2, 0, ENOSYS, syscall(452, dir, "f", 0600, 0));
	FLAG(utimensat, AT_EMPTY_PATH, 0, syscall(SYS_utimensat, fd, "", ts, AT_EMPTY_PATH));
	FLAG(utimensat, AT_SYMLINK_NOFOLLOW, 0, utimensat(dir, "f", ts, AT_SYMLINK_NOFOLLOW));
	FLAG(utimensat, an unknown flag, EINVAL, utimensat(dir, "f", ts, AT_REMOVEDIR));
	FLAG(linkat, AT_EMPTY_PATH, 0, linkat(fd, "", dir, "g", AT_EMPTY_PATH));
	FLAG(linkat, AT_SYMLINK_FOLLOW, 0, linkat(dir, "f", dir, "h", AT_SYMLINK_FOLLOW));
	FLAG(linkat, an unknown flag, EINVAL, linkat(dir, "f", dir, "i", AT_REMOVEDIR));
	FLAG(unlinkat, an unknown flag, EINVAL, unlinkat(dir, "h", AT_SYMLINK_NOFOLLOW));
	FLAG(unlinkat, 0, 0, unlinkat(dir, "h", 0));
	FLAG(unlinkat, AT_REMOVEDIR, 0, (mkdir("d", 0700), unlinkat(dir, "d", AT_REMOVEDIR)));
	FLAG(renameat2, 0, 0, renameat2(dir, "g", dir, "h", 0));
	FLAG(renameat2, RENAME_NOREPLACE, 0, renameat2(dir, "h", dir, "g", RENAME_NOREPLACE));
	FLAG(renameat2, RENAME_EXCHANGE, 0, renameat2(dir, "f", dir, "g", RENAME_EXCHANGE));
	FLAG(renameat2, RENAME_WHITEOUT, 0, renameat2(dir, "g", dir, "k", RENAME_WHITEOUT));
	FLAG(renameat2, RENAME_NOREPLACE and RENAME_EXCHANGE, EINVAL, renameat2(dir, "f", dir, "g", 3));
	FLAG(renameat2, RENAME_WHITEOUT and RENAME_EXCHANGE, EINVAL, renameat2(dir, "f", dir, "g", 6));
	FLAG(renameat2, an unknown flag, EINVAL, renameat2(dir, "f", dir, "g", 8));
	FLAG(setxattr, XATTR_CREATE, EOPNOTSUPP, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	FLAG(setxattr, XATTR_REPLACE, EOPNOTSUPP, setxattr("f", "user.a", "x", 1, XATTR_REPLACE));
	FLAG(setxattr, both, EOPNOTSUPP, setxattr("f", "user.a", "x", 1, 3));
	FLAG(setxattr, 4, EINVAL, setxattr("f", "user.a", "x", 1, 4));
	FLAG(setxattr, trusted., 0, setxattr("f", "trusted.a", "x", 1, 0));
	FLAG(setxattr, security., 0, setxattr("f", "security.a", "x", 1, 0));
	FLAG(setxattr, system.posix_acl_access, 0, set_acl());
	FLAG(setxattr, system.other, EOPNOTSUPP, setxattr("f", "system.other", "x", 1, 0));
	FLAG(setxattr, no namespace, EOPNOTSUPP, setxattr("f", "other", "x", 1, 0));
	FLAG(flock, LOCK_SH, 0, flock(fd, LOCK_SH));
	FLAG(flock, LOCK_EX, 0, flock(fd, LOCK_EX));
	FLAG(flock, LOCK_UN, 0, flock(fd, LOCK_UN));
	FLAG(flock, LOCK_NB, EINVAL, flock(fd, LOCK_NB));
	FLAG(flock, LOCK_MAND, 0, flock(fd, 32 | 64));
	FLAG(flock, 0, EINVAL, flock(fd, 0));
	FLAG(fadvise64, POSIX_FADV_NORMAL, 0, syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_NORMAL));
	FLAG(fadvise64, POSIX_FADV_DONTNEED, 0, syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED));
	FLAG(fadvise64, POSIX_FADV_NOREUSE, 0, syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_NOREUSE));
	FLAG(fadvise64, 6, EINVAL, syscall(SYS_fadvise64, fd, 0, 0, 6));
	FLAG(fadvise64, a pipe, ESPIPE, syscall(SYS_fadvise64, p[0], 0, 0, 0));
	FLAG(sync_file_range, 0, 0, sync_file_range(fd, 0, 0, 0));
	FLAG(sync_file_range, 7, 0, sync_file_range(fd, 0, 0, 7));
	FLAG(sync_file_range, 8, EINVAL, sync_file_range(fd, 0, 0, 8));
	FLAG(getrandom, GRND_NONBLOCK, 0, syscall(SYS_getrandom, buf, 8, 1));
	FLAG(getrandom, GRND_RANDOM, 0, syscall(SYS_getrandom, buf, 8, 2));
	FLAG(getrandom, GRND_INSECURE, 0, syscall(SYS_getrandom, buf, 8, 4));
	FLAG(getrandom, GRND_INSECURE and GRND_RANDOM, EINVAL, syscall(SYS_getrandom, buf, 8, 6));
	FLAG(getrandom, 8, EINVAL, syscall(SYS_getrandom, buf, 8, 8));
	FLAG(splice, SPLICE_F_MOVE, 0, syscall(SYS_splice, fd, NULL, p[1], NULL, 4, 1));
	FLAG(splice, SPLICE_F_NONBLOCK, 0, syscall(SYS_splice, fd, NULL, p[1], NULL, 4, 2));
	FLAG(splice, SPLICE_F_MORE, 0, syscall(SYS_splice, fd, NULL, p[1], NULL, 4, 4));
	FLAG(splice, 16, EINVAL, syscall(SYS_splice, fd, NULL, p[1], NULL, 4, 16));
	FLAG(vmsplice, SPLICE_F_GIFT, 0, syscall(SYS_vmsplice, p[1], &v, 1, 8));
	FLAG(vmsplice, 16, EINVAL, syscall(SYS_vmsplice, p[1], &v, 1, 16));
	FLAG(tee, 16, EINVAL, syscall(SYS_tee, p[0], p[1], 4, 16));
	FLAG(copy_file_range, 1, EINVAL, syscall(SYS_copy_file_range, fd, NULL, fd, NULL, 4, 1));
	FLAG(close_range, CLOSE_RANGE_UNSHARE, 0, syscall(SYS_close_range, 600, 700, 2));
	FLAG(close_range, CLOSE_RANGE_CLOEXEC, 0, syscall(SYS_close_range, 600, 700, 4));
	FLAG(close_range, 1, EINVAL, syscall(SYS_close_range, 600, 700, 1));
	FLAG(close_range, first above last, EINVAL, syscall(SYS_close_range, 700, 600, 0));
	FLAG(dup3, O_CLOEXEC, 0, dup3(fd, 100, O_CLOEXEC));
	FLAG(dup3, O_NONBLOCK, EINVAL, dup3(fd, 100, O_NONBLOCK));
	FLAG(personality, ADDR_NO_RANDOMIZE, 0, in_child(change_personality, ADDR_NO_RANDOMIZE));
	FLAG(personality, PER_LINUX32, 0, in_child(change_personality, PER_LINUX32));
	FLAG(personality, READ_IMPLIES_EXEC, 0, in_child(change_personality, READ_IMPLIES_EXEC));
	FLAG(personality, UNAME26, 0, in_child(change_personality, UNAME26));
	FLAG(personality, STICKY_TIMEOUTS, 0, in_child(change_personality, STICKY_TIMEOUTS));
	FLAG(ioprio_set, IOPRIO_CLASS_RT, 0, syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4));
	FLAG(ioprio_set, IOPRIO_CLASS_BE, 0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4));
	FLAG(ioprio_set, IOPRIO_CLASS_IDLE, 0, syscall(SYS_ioprio_set, 1, 0, 3 << 13));
	FLAG(ioprio_set, IOPRIO_CLASS_IDLE with a level, 0, syscall(SYS_ioprio_set, 1, 0, 3 << 13 | 1));
	FLAG(ioprio_set, class 4, EINVAL, syscall(SYS_ioprio_set, 1, 0, 4 << 13));
	FLAG(ioprio_set, IOPRIO_CLASS_BE of level 8, 0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 8));
	FLAG(ioprio_set, IOPRIO_CLASS_NONE, 0, syscall(SYS_ioprio_set, 1, 0, 0));
	FLAG(ioprio_set, IOPRIO_CLASS_NONE with a level, EINVAL, syscall(SYS_ioprio_set, 1, 0, 4));
	FLAGS_END();
}
