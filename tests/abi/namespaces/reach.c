/* SPDX-License-Identifier: MIT */
/* How far rights reach that somebody has in a user namespace of his own, and what keeps a namespace. */
#include "ns.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>

/* Send one byte as process `pid`; 0 or an errno. */
static int
speak_as(int socket, pid_t pid)
{
	struct ucred who = { .pid = pid, .uid = getuid(), .gid = getgid() };
	char control[CMSG_SPACE(sizeof(who))] = { 0 }, byte = 'x';
	struct iovec v = { &byte, 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(who));
	memcpy(CMSG_DATA(c), &who, sizeof(who));
	return sendmsg(socket, &h, 0) == 1 ? 0 : errno;
}

/* Numbers of processes are another namespace's than users. */
TEST(root_of_users_does_not_speak_for_other_processes)
{
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	drop_root();
	CHECK_EQ(speak_as(ends[0], 1), EPERM);
	become_root_inside();
	CHECK_EQ(speak_as(ends[0], getpid()), 0);
	CHECK_EQ(speak_as(ends[0], 1), EPERM);
}

TEST(root_inside_may_filter_its_calls)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	drop_root();
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EACCES);
	become_root_inside();
	CHECK_OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

TEST(root_inside_owns_the_objects_of_its_ipc)
{
	int id;

	drop_root();
	become_root_inside();
	/* In the namespace that it did not make it is nobody. */
	id = CHECK_OK(msgget(IPC_PRIVATE, 0));
	CHECK_ERRNO(msgrcv(id, NULL, 0, 0, IPC_NOWAIT), EACCES);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_OK(unshare(CLONE_NEWIPC));
	id = CHECK_OK(msgget(IPC_PRIVATE, 0));
	CHECK_ERRNO(msgrcv(id, NULL, 0, 0, IPC_NOWAIT), ENOMSG);
	id = CHECK_OK(shmget(IPC_PRIVATE, 4096, 0));
	CHECK(shmat(id, NULL, 0) != (void *)-1);
}

/* A tree of mounts in which its own file is mounted would never go. */
TEST(mounts_keep_no_older_tree)
{
	int fd = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));
	char path[64];
	struct stat st;

	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	close(CHECK_OK(open("kept", O_CREAT | O_RDWR, 0600)));
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "kept", NULL, MS_BIND, NULL), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERRNO(mount(path, "kept", NULL, MS_BIND, NULL), EINVAL);

	/* A younger one may be kept, and is left out of copies. */
	int ends[2], back[2];
	char c;
	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(back));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		check_write_all(ends[1], "x", 1);
		check_read_all(back[0], &c, 1);
		_exit(0);
	}
	check_read_all(ends[0], &c, 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	CHECK_OK(mount(path, "kept", NULL, MS_BIND, NULL));
	CHECK_EQ(ns_number("kept"), ns_number(path));
	check_write_all(back[1], "x", 1);
	CHECK_EXIT(pid, 0);
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(stat("kept", &st));
	CHECK_EQ(st.st_size, 0);
	CHECK(st.st_mode & S_IWUSR);
}
