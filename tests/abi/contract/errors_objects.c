/* SPDX-License-Identifier: MIT */
/*
 * errors_objects.c - the errors that the manual gives for System V IPC, mounts and ptrace, call by
 * call.
 */
#include "words.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/xattr.h>

static char buf[300000];

TEST(system_v_objects_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	int id, k = 0x4711;
	struct shmid_ds sd;
	void *p;
	struct sembuf sb[600] = {{0}};
	union {
		int v;
		void *p;
	} su;
	unsigned short ar[10];
	struct msqid_ds md;
	struct {
		long t;
		char x[9000];
	} mb;
	CHECK_ERRNO(shmget(k, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(shmget(k, 4096, 0600), ENOENT);
	CHECK_ERRNO(shmget(k, -1ul, IPC_CREAT | 0600), EINVAL);
	CHECK((id = shmget(k, 5000, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
	CHECK_ERRNO(shmget(k, 4096, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERRNO(shmget(k, 9000, 0), EINVAL);
	CHECK(shmget(k, 0, 0) == id);
	CHECK_ERRNO(shmat(999, 0, 0) == (void *)-1 ? -1 : 0, EINVAL);
	CHECK_ERRNO((long)shmat(-1, 0, 0), EINVAL);
	CHECK_ERRNO((long)shmat(id, (void *)1, 0), EINVAL);
	CHECK_EQ((p = shmat(id, (void *)1, SHM_RND)) == (void *)-1 ? -1 : 0, 0);
	CHECK_ERRNO((long)shmat(id, bad, 0), EINVAL);
	CHECK_EQ((p = shmat(id, 0, SHM_RDONLY | SHM_EXEC)) == (void *)-1 ? -1 : 0, 0);
	CHECK_ERRNO((long)shmat(id, 0, SHM_REMAP), EINVAL);
	CHECK_ERRNO((long)shmat(id, p, 0), EINVAL);
	CHECK(shmat(id, p, SHM_REMAP) == p);
	CHECK_ERRNO(shmdt((char *)p + 4096), EINVAL);
	CHECK_ERRNO(shmdt((char *)p + 1), EINVAL);
	CHECK_EQ(shmdt(p), 0);
	CHECK_ERRNO(shmdt(p), EINVAL);
	CHECK_EQ(shmdt(NULL), 0);
	CHECK_ERRNO(shmctl(id, 99, 0), EINVAL);
	CHECK_ERRNO(shmctl(id, IPC_STAT, bad), EFAULT);
	CHECK_EQ(shmctl(id, IPC_STAT, &sd), 0);
	CHECK_EQ(sd.shm_segsz, 5000);
	CHECK_ERRNO(shmctl(id, IPC_SET, bad), EFAULT);
	CHECK_ERRNO(shmctl(999, IPC_STAT, &sd), EINVAL);
	CHECK_ERRNO(shmctl(-1, IPC_STAT, &sd), EINVAL);
	CHECK_ERRNO(shmctl(-1, IPC_RMID, 0), EINVAL);
	CHECK_ERRNO(shmctl(0, IPC_INFO, bad), EFAULT);
	CHECK(shmctl(0, SHM_INFO, (void *)buf) >= 0);
	CHECK_ERRNO(shmctl(9999, SHM_STAT, &sd), EINVAL);
	pid_t c = check_fork();
	if (!c) {
		check_become(1000, 1000);
		CHECK_ERRNO(shmget(k, 0, 0600), EACCES);
		CHECK(shmget(k, 0, 0) == id);
		CHECK_ERRNO((long)shmat(id, 0, 0), EACCES);
		CHECK_ERRNO((long)shmat(id, 0, SHM_RDONLY), EACCES);
		CHECK_ERRNO(shmctl(id, IPC_STAT, &sd), EACCES);
		CHECK_ERRNO(shmctl(id, IPC_SET, &sd), EPERM);
		CHECK_ERRNO(shmctl(id, IPC_RMID, 0), EPERM);
		CHECK_ERRNO(shmctl(id, SHM_LOCK, 0), EPERM);
		_exit(0);
	}
	int st;
	waitpid(c, &st, 0);
	CHECK_EQ(shmctl(id, IPC_RMID, 0), 0);
	CHECK_ERRNO((long)shmat(id, 0, 0), EINVAL);
	CHECK_ERRNO(shmctl(id, IPC_RMID, 0), EINVAL);
	CHECK_ERRNO(semget(k, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(k, -1, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(k, 32001, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(k, 1, 0), ENOENT);
	CHECK((id = semget(k, 3, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
	CHECK_ERRNO(semget(k, 3, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERRNO(semget(k, 4, 0), EINVAL);
	CHECK(semget(k, 0, 0) == id);
	CHECK_ERRNO(semop(id, sb, 0), EINVAL);
	CHECK_ERRNO(semop(id, sb, 501), E2BIG);
	CHECK_ERRNO(semop(id, bad, 1), EFAULT);
	CHECK_ERRNO(semop(-1, sb, 1), EINVAL);
	CHECK_ERRNO(semop(9999, sb, 1), EINVAL);
	sb[0].sem_num = 3;
	CHECK_ERRNO(semop(id, sb, 1), EFBIG);
	sb[0].sem_num = 0;
	sb[0].sem_op = -1;
	sb[0].sem_flg = IPC_NOWAIT;
	CHECK_ERRNO(semop(id, sb, 1), EAGAIN);
	sb[0].sem_op = 32767;
	CHECK_EQ(semop(id, sb, 1), 0);
	CHECK_ERRNO(semop(id, sb, 1), ERANGE);
	sb[0].sem_flg = SEM_UNDO;
	sb[0].sem_op = -32767;
	CHECK_EQ(semop(id, sb, 1), 0);
	CHECK_EQ(semop(id, (sb[0].sem_op = 1, sb[0].sem_flg = 0, sb), 1), 0);
	CHECK_ERRNO(syscall(SYS_semtimedop, id, sb, 1, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_semtimedop, id, sb, 1, &(struct timespec){-1, 0}), EINVAL);
	CHECK_ERRNO(syscall(SYS_semtimedop, id, sb, 1, &(struct timespec){0, 1000000000}), EINVAL);
	sb[0].sem_op = -3;
	CHECK_ERRNO(syscall(SYS_semtimedop, id, sb, 1, &(struct timespec){0, 1000}), EAGAIN);
	su.v = -1;
	CHECK_ERRNO(semctl(id, 0, SETVAL, su), ERANGE);
	su.v = 32768;
	CHECK_ERRNO(semctl(id, 0, SETVAL, su), ERANGE);
	su.v = 1;
	CHECK_ERRNO(semctl(id, 3, SETVAL, su), EINVAL);
	CHECK_ERRNO(semctl(id, -1, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(id, 3, GETVAL), EINVAL);
	CHECK(semctl(id, 0, GETPID) > 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_ERRNO(semctl(id, 5, GETZCNT), EINVAL);
	su.p = bad;
	CHECK_ERRNO(semctl(id, 0, GETALL, su), EFAULT);
	CHECK_ERRNO(semctl(id, 0, SETALL, su), EFAULT);
	CHECK_ERRNO(semctl(id, 0, IPC_STAT, su), EFAULT);
	CHECK_ERRNO(semctl(id, 0, IPC_SET, su), EFAULT);
	ar[0] = ar[1] = 0;
	ar[2] = 40000;
	su.p = ar;
	CHECK_ERRNO(semctl(id, 0, SETALL, su), ERANGE);
	CHECK_ERRNO(semctl(id, 0, 99, su), EINVAL);
	CHECK_ERRNO(semctl(-1, 0, IPC_RMID), EINVAL);
	CHECK(semctl(0, 0, IPC_INFO, su) >= 0);
	c = check_fork();
	if (!c) {
		check_become(1000, 1000);
		CHECK_ERRNO(semget(k, 0, 0600), EACCES);
		CHECK_ERRNO(semop(id, sb, 1), EFBIG);
		CHECK_ERRNO(semctl(id, 0, GETVAL), EACCES);
		CHECK_ERRNO(semctl(id, 0, SETVAL, su), ERANGE);
		CHECK_ERRNO(semctl(id, 0, IPC_STAT, su), EACCES);
		CHECK_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
		_exit(0);
	}
	waitpid(c, &st, 0);
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
	CHECK_ERRNO(semctl(id, 0, IPC_RMID), EINVAL);
	CHECK_ERRNO(msgget(k, 0600), ENOENT);
	CHECK((id = msgget(k, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
	CHECK_ERRNO(msgget(k, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERRNO(msgsnd(id, bad, 1, 0), EFAULT);
	mb.t = 0;
	CHECK_ERRNO(msgsnd(id, &mb, 1, 0), EINVAL);
	mb.t = -1;
	CHECK_ERRNO(msgsnd(id, &mb, 1, 0), EINVAL);
	mb.t = 1;
	CHECK_ERRNO(msgsnd(id, &mb, 8193, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, &mb, -1, 0), EINVAL);
	CHECK_ERRNO(msgsnd(-1, &mb, 1, 0), EINVAL);
	CHECK_ERRNO(msgsnd(9999, &mb, 1, 0), EINVAL);
	CHECK_EQ(msgsnd(id, &mb, 8192, IPC_NOWAIT), 0);
	CHECK_EQ(msgsnd(id, &mb, 8192, IPC_NOWAIT), 0);
	CHECK_ERRNO(msgsnd(id, &mb, 8192, IPC_NOWAIT), EAGAIN);
	CHECK_EQ(msgsnd(id, &mb, 0, IPC_NOWAIT), 0);
	CHECK_ERRNO(msgrcv(id, &mb, 100, 0, IPC_NOWAIT), E2BIG);
	CHECK_EQ(msgrcv(id, &mb, 100, 0, MSG_NOERROR), 100);
	CHECK_ERRNO(msgrcv(id, bad, 9000, 0, IPC_NOWAIT), EFAULT);
	CHECK_EQ(msgrcv(id, &mb, 9000, 0, IPC_NOWAIT), 0);
	CHECK_ERRNO(msgrcv(id, &mb, 9000, 0, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &mb, -1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERRNO(msgrcv(-1, &mb, 1, 0, 0), EINVAL);
	CHECK_ERRNO(msgrcv(id, &mb, 1, 5, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &mb, 1, 0, MSG_COPY), EINVAL);
	CHECK_ERRNO(msgrcv(id, &mb, 1, 0, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &mb, 1, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
	mb.t = 3;
	msgsnd(id, &mb, 5, 0);
	CHECK_EQ(msgrcv(id, &mb, 10, 0, MSG_COPY | IPC_NOWAIT), 5);
	CHECK_ERRNO(msgrcv(id, &mb, 10, 1, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &mb, 10, -2, IPC_NOWAIT), ENOMSG);
	CHECK_EQ(msgrcv(id, &mb, 10, -3, IPC_NOWAIT), 5);
	CHECK_ERRNO(msgctl(id, 99, 0), EINVAL);
	CHECK_ERRNO(msgctl(id, IPC_STAT, bad), EFAULT);
	CHECK_ERRNO(msgctl(id, IPC_SET, bad), EFAULT);
	CHECK_ERRNO(msgctl(-1, IPC_STAT, &md), EINVAL);
	CHECK_EQ(msgctl(id, IPC_STAT, &md), 0);
	CHECK_EQ(md.msg_qbytes, 16384);
	md.msg_qbytes = 1 << 20;
	CHECK_EQ(msgctl(id, IPC_SET, &md), 0);
	c = check_fork();
	if (!c) {
		check_become(1000, 1000);
		CHECK_ERRNO(msgget(k, 0600), EACCES);
		CHECK_ERRNO(msgsnd(id, &mb, 1, 0), EACCES);
		CHECK_ERRNO(msgrcv(id, &mb, 1, 0, 0), EACCES);
		CHECK_ERRNO(msgctl(id, IPC_STAT, &md), EACCES);
		CHECK_ERRNO(msgctl(id, IPC_SET, &md), EPERM);
		CHECK_ERRNO(msgctl(id, IPC_RMID, 0), EPERM);
		_exit(0);
	}
	waitpid(c, &st, 0);
	CHECK_EQ(msgctl(id, IPC_RMID, 0), 0);
	CHECK_ERRNO(msgctl(id, IPC_RMID, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, &mb, 1, 0), EINVAL);
}

TEST(mounting_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	mkdir("d", 0700);
	mkdir("e", 0700);
	check_write_file("f", "x", 1);
	CHECK_ERRNO(mount("none", "none", "tmpfs", 0, 0), ENOENT);
	CHECK_ERRNO(mount("none", "d", "nope", 0, 0), ENODEV);
	CHECK_ERRNO(mount("none", "f", "tmpfs", 0, 0), ENOTDIR);
	CHECK_ERRNO(mount("none", "f/x", "tmpfs", 0, 0), ENOTDIR);
	CHECK_ERRNO(mount(bad, "d", "tmpfs", 0, 0), EFAULT);
	CHECK_ERRNO(mount("none", bad, "tmpfs", 0, 0), EFAULT);
	CHECK_ERRNO(mount("none", "d", bad, 0, 0), EFAULT);
	CHECK_ERRNO(mount("none", "d", "tmpfs", 0, bad), EFAULT);
	CHECK_ERRNO(mount("none", "d", NULL, 0, 0), EINVAL);
	CHECK_ERRNO(mount("none", "d", "tmpfs", 0, "nope=1"), EINVAL);
	CHECK_ERRNO(mount("none", "d", "tmpfs", 0, "size=x"), EINVAL);
	CHECK_ERRNO(mount("none", "d", "tmpfs", MS_BIND, 0), ENOENT);
	CHECK_ERRNO(mount("f", "d", 0, MS_BIND, 0), ENOTDIR);
	CHECK_ERRNO(mount("d", "f", 0, MS_BIND, 0), ENOTDIR);
	CHECK_ERRNO(mount("d", "e", 0, MS_MOVE, 0), EINVAL);
	CHECK_ERRNO(mount("d", "d", 0, MS_REMOUNT, 0), EINVAL);
	CHECK_ERRNO(mount("d", "d", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0), EINVAL);
	CHECK_ERRNO(mount(0, "d", 0, MS_PRIVATE, 0), EINVAL);
	CHECK_ERRNO(mount(0, "d", 0, MS_PRIVATE | MS_SHARED, 0), EINVAL);
	CHECK_ERRNO(mount(0, "d", 0, MS_PRIVATE | MS_RDONLY, 0), EINVAL);
	CHECK_EQ(mount("none", "d", "tmpfs", MS_RDONLY, 0), 0);
	CHECK_ERRNO(open("d/x", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERRNO(mkdir("d/x", 0700), EROFS);
	CHECK_ERRNO(mknod("d/x", S_IFREG | 0600, 0), EROFS);
	CHECK_ERRNO(symlink("a", "d/x"), EROFS);
	CHECK_ERRNO(link("f", "d/x"), EROFS);
	CHECK_ERRNO(rename("f", "d/x"), EXDEV);
	CHECK_ERRNO(unlink("d/x"), EROFS);
	CHECK_ERRNO(rmdir("d/x"), EROFS);
	CHECK_ERRNO(chmod("d", 0700), EROFS);
	CHECK_ERRNO(chown("d", 0, 0), EROFS);
	CHECK_ERRNO(utimensat(AT_FDCWD, "d", 0, 0), EROFS);
	CHECK_ERRNO(access("d", W_OK), EROFS);
	CHECK_ERRNO(setxattr("d", "trusted.a", "x", 1, 0) == -1 ? -1 : 0, EROFS);
	CHECK_ERRNO(rmdir("d"), EBUSY);
	CHECK_ERRNO(rename("d", "d2"), EBUSY);
	CHECK_ERRNO(umount2("d", 0x10), EINVAL);
	CHECK_ERRNO(umount2("d", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECK_ERRNO(umount2("d", MNT_EXPIRE), EAGAIN);
	CHECK_EQ(umount2("d", MNT_EXPIRE), 0);
	CHECK_ERRNO(umount2("d", 0), EINVAL);
	CHECK_ERRNO(umount2("none", 0), ENOENT);
	CHECK_ERRNO(umount2(bad, 0), EFAULT);
	CHECK_ERRNO(umount2("f", 0), EINVAL);
	CHECK_ERRNO(umount2("f/x", 0), ENOTDIR);
	mount("none", "d", "tmpfs", 0, 0);
	int o = open("d/x", O_CREAT | O_RDWR, 0600);
	CHECK_ERRNO(umount("d"), EBUSY);
	close(o);
	symlink("d", "l");
	CHECK_ERRNO(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_ERRNO(umount2("d/x", 0), EINVAL);
	chdir("d");
	CHECK_ERRNO(umount2("../d", 0), EBUSY);
	chdir("..");
	CHECK_EQ(mount("none", "d", 0, MS_REMOUNT | MS_RDONLY, 0), 0);
	CHECK_EQ(mount("none", "d", 0, MS_REMOUNT, "size=1"), 0);
	o = open("d/x", O_RDWR);
	mount("none", "d", 0, MS_REMOUNT, 0);
	o = open("d/x", O_RDWR);
	CHECK_ERRNO(mount("none", "d", 0, MS_REMOUNT | MS_RDONLY, 0), EBUSY);
	close(o);
	CHECK_EQ(mount("d", "e", 0, MS_MOVE, 0), 0);
	CHECK_ERRNO(mount("e", "e", 0, MS_MOVE, 0), ELOOP);
	CHECK_EQ(mkdir("e/sub", 0700), 0);
	CHECK_ERRNO(mount("e", "e/sub", 0, MS_MOVE, 0), ELOOP);
	CHECK_ERRNO(umount("e"), EBUSY);
	CHECK_ERRNO(syscall(SYS_pivot_root, "none", "none"), ENOENT);
	CHECK_ERRNO(syscall(SYS_pivot_root, "f", "d"), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_pivot_root, "d", "e"), EINVAL);
	CHECK_ERRNO(syscall(SYS_pivot_root, bad, "e"), EFAULT);
	CHECK_ERRNO(syscall(SYS_pivot_root, ".", "."), EINVAL);
	CHECK_EQ(syscall(SYS_open_tree, -100, "d", 0x2) >= 0, 0);
	CHECK_ERRNO(syscall(SYS_open_tree, -100, "none", 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_open_tree, 99, "d", 0), EBADF);
	CHECK_ERRNO(syscall(SYS_move_mount, -100, "d", -100, "e", 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_move_mount, -100, "d", -100, "e", 0x1000), EINVAL);
	CHECK_ERRNO(syscall(SYS_fsopen, "nope", 0), ENODEV);
	CHECK_ERRNO(syscall(SYS_fsopen, "tmpfs", 2), EINVAL);
	CHECK_ERRNO(syscall(SYS_fsopen, bad, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_fsmount, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_fsmount, 99, 0, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_fspick, -100, "d", 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_fspick, -100, "/", 0x100), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "d", 0, buf, 31), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "d", 0, buf, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "d", 0x10, buf, 32), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "none", 0, (buf[0] = 1, buf), 32), ENOENT);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "d", 0, buf, 32), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, -100, "d", 0, bad, 32), EFAULT);
}

TEST(ptrace_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	pid_t c = check_fork();
	if (!c) {
		for (;;)
			pause();
	}
	int st;
	char regs[1000];
	struct iovec rv = {regs, 1000};
	siginfo_t si;
	CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, c, buf, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_CONT, c, 0, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_ATTACH, 4194303, 0, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_ATTACH, -1, 0, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERRNO(ptrace(9999, c, 0, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_SEIZE, c, 1, 0), EIO);
	CHECK_ERRNO(ptrace(PTRACE_SEIZE, c, 0, 0x80000000), EIO);
	CHECK_EQ(ptrace(PTRACE_SEIZE, c, 0, 0), 0);
	CHECK_ERRNO(ptrace(PTRACE_SEIZE, c, 0, 0), EPERM);
	CHECK_ERRNO(ptrace(PTRACE_ATTACH, c, 0, 0), EPERM);
	CHECK_ERRNO(ptrace(PTRACE_GETREGS, c, 0, regs), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_CONT, c, 0, 0), ESRCH);
	CHECK_ERRNO(ptrace(PTRACE_LISTEN, c, 0, 0), ESRCH);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, c, 0, 0), 0);
	CHECK(waitpid(c, &st, 0) == c);
	CHECK_EQ(st, 8390015);
	CHECK_ERRNO(ptrace(PTRACE_GETREGS, c, 0, bad), EFAULT);
	CHECK_ERRNO(ptrace(PTRACE_SETREGS, c, 0, bad), EFAULT);
	CHECK_EQ(ptrace(PTRACE_GETREGSET, c, 1, &rv), 0);
	CHECK_EQ(rv.iov_len, 216);
	CHECK_ERRNO(ptrace(PTRACE_GETREGSET, c, 99, &rv), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_GETREGSET, c, 1, bad), EFAULT);
	rv.iov_len = 7;
	CHECK_ERRNO(ptrace(PTRACE_GETREGSET, c, 1, &rv), EINVAL);
	rv.iov_len = 7;
	CHECK_ERRNO(ptrace(PTRACE_SETREGSET, c, 1, &rv), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_SETOPTIONS, c, 0, 0x80000000), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_SETOPTIONS, c, 0, -1), EINVAL);
	CHECK_EQ(ptrace(PTRACE_GETSIGINFO, c, 0, &si), 0);
	CHECK_ERRNO(ptrace(PTRACE_GETSIGINFO, c, 0, bad), EFAULT);
	CHECK_ERRNO(ptrace(PTRACE_SETSIGINFO, c, 0, bad), EFAULT);
	CHECK_ERRNO(ptrace(PTRACE_GETEVENTMSG, c, 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKDATA, c, 16, buf), EIO);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKDATA, c, buf, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_POKEDATA, c, 16, 0), EIO);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKUSER, c, 1, buf), EIO);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKUSER, c, 100000, buf), EIO);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKUSER, c, -8, buf), EIO);
	CHECK_ERRNO(syscall(SYS_ptrace, PTRACE_POKEUSER, c, 1, 0), EIO);
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_POKEUSER, c, offsetof(struct user, u_debugreg[7]), -1),
		0);
	CHECK_ERRNO(
		syscall(SYS_ptrace, PTRACE_POKEUSER, c, offsetof(struct user, u_debugreg[4]), 1),
		EIO);
	CHECK_ERRNO(
		syscall(SYS_ptrace, PTRACE_POKEUSER, c, offsetof(struct user, regs.cs), 0), EIO);
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_POKEUSER, c, offsetof(struct user, regs.fs_base), -1),
		0);
	CHECK_ERRNO(ptrace(PTRACE_CONT, c, 0, 65), EIO);
	CHECK_ERRNO(ptrace(PTRACE_CONT, c, 0, -1), EIO);
	CHECK_ERRNO(ptrace(PTRACE_PEEKSIGINFO, c, bad, buf), EFAULT);
	long psi[2] = {0, 0};
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, c, psi, buf), 0);
	((int *)psi)[2] = 2;
	CHECK_ERRNO(ptrace(PTRACE_PEEKSIGINFO, c, psi, buf), EINVAL);
	((int *)psi)[3] = -1;
	CHECK_ERRNO(ptrace(PTRACE_PEEKSIGINFO, c, psi, buf), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_GETSIGMASK, c, 4, buf), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_GETSIGMASK, c, 8, bad), EFAULT);
	CHECK_ERRNO(ptrace(PTRACE_SETSIGMASK, c, 4, buf), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_FILTER, c, 0, buf), EINVAL);
	CHECK_EQ(syscall(SYS_ptrace, 0x420e, c, 0, buf), 24);
	CHECK_ERRNO(syscall(SYS_ptrace, 0x420e, c, 100, bad), EFAULT);
	CHECK_EQ(syscall(SYS_ptrace, 0x420f, c, 16, buf) == -1, 0);
	CHECK_ERRNO(ptrace(PTRACE_DETACH, c, 0, 65), EIO);
	CHECK_EQ(ptrace(PTRACE_DETACH, c, 0, 0), 0);
	CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
	CHECK_ERRNO(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM);
}
