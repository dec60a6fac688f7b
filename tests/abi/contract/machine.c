/* SPDX-License-Identifier: MIT */
/* Calls about swap, quotas and the terminal's line: what they find on a machine without disks. */
#include "../check.h"

#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/swap.h>

TEST(nothing_here_can_be_swapped_to)
{
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(truncate("f", 1 << 20));
	CHECK_ERRNO(swapon("f", 0), EINVAL);
	CHECK_ERRNO(swapoff("f"), EINVAL);
	CHECK_ERRNO(swapon("/dev/null", 0), EINVAL);
	CHECK_ERRNO(swapon(".", 0), EISDIR);
	CHECK_ERRNO(swapoff("."), EISDIR);
	CHECK_ERRNO(swapon("none", 0), ENOENT);
	CHECK_ERRNO(swapoff("none"), ENOENT);
	CHECK_ERRNO(swapon("f/x", 0), ENOTDIR);
	CHECK_ERRNO(swapon(check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(swapoff(check_bad_address()), EFAULT);
	CHECK_ERRNO(swapon("f", 0x80000), EINVAL);
	check_drop_root();
	CHECK_ERRNO(swapon("f", 0x80000), EINVAL);
	CHECK_ERRNO(swapon("none", 0), EPERM);
	CHECK_ERRNO(swapoff("none"), EPERM);
}

TEST(nothing_here_has_quotas)
{
	char room[256];
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));

	CHECK_OK(quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), NULL, 0, room), ENODEV);
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "/dev/null", 0, room), ENOTBLK);
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, GRPQUOTA), "f", 0, room), ENOTBLK);
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, 5), "f", 0, room), EINVAL);
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "none", 0, room), ENOENT);
	CHECK_ERRNO(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), check_bad_address(), 0, room), EFAULT);
	CHECK_ERRNO(syscall(SYS_quotactl_fd, -1, QCMD(Q_GETQUOTA, USRQUOTA), 0, room), EBADF);
	CHECK_ERRNO(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, 5), 0, room), EINVAL);
	CHECK_ERRNO(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, USRQUOTA), 0, room), ENOSYS);
}

TEST(ports_and_modules_are_not_for_everybody)
{
	char room[16] = "";

	CHECK_ERRNO(syscall(SYS_ioperm, 65536ul, 1ul, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioperm, 65535ul, 2ul, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioperm, 0ul, 0ul, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioperm, 10ul, ~0ul, 1), EINVAL);
	CHECK_OK(syscall(SYS_ioperm, 65535ul, 1ul, 0));
	CHECK_ERRNO(syscall(SYS_iopl, 4), EINVAL);
	CHECK_OK(syscall(SYS_iopl, 0));
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_ioperm, 0x80ul, 1ul, 1), EPERM);
	CHECK_ERRNO(syscall(SYS_iopl, 3), EPERM);
	CHECK_OK(syscall(SYS_ioperm, 0x80ul, 1ul, 0));
	CHECK_ERRNO(syscall(SYS_init_module, room, 16ul, ""), EPERM);
	CHECK_ERRNO(syscall(SYS_finit_module, 0, "", 0), EPERM);
	CHECK_ERRNO(syscall(SYS_delete_module, "none", 0), EPERM);
	CHECK_ERRNO(syscall(SYS_kexec_load, 0ul, 0ul, NULL, 0ul), EPERM);
	CHECK_ERRNO(syscall(SYS_kexec_file_load, -1, -1, 0ul, "", 0ul), EPERM);
}

static volatile sig_atomic_t hangups;

static void
on_hangup(int sig)
{
	(void)sig;
	hangups++;
}

TEST(vhangup_ends_the_line_for_all_who_have_it_open)
{
	int master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
	pid_t child;

	CHECK_OK(grantpt(master));
	CHECK_OK(unlockpt(master));
	child = check_fork();
	if (child == 0) {
		int slave;
		char c;

		CHECK(signal(SIGHUP, on_hangup) != SIG_ERR);
		CHECK_OK(setsid());
		slave = CHECK_OK(open(ptsname(master), O_RDWR));
		CHECK_OK(vhangup());
		CHECK_EQ(hangups, 1);
		CHECK_EQ(read(slave, &c, 1), 0);
		CHECK_ERRNO(write(slave, "x", 1), EIO);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(vhangup()); /* there is none any more */
		check_drop_root();
		CHECK_ERRNO(vhangup(), EPERM);
		_exit(0);
	}
	CHECK_EXIT(child, 0);
}
