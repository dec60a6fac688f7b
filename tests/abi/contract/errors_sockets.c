/* SPDX-License-Identifier: MIT */
/*
 * errors_sockets.c - the errors that the manual gives for AF_UNIX sockets, call by call.
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
static struct sockaddr_un a, b;
static socklen_t l;
static struct msghdr m;
static struct iovec v;
static struct mmsghdr mm[2000];
static void
ad(struct sockaddr_un *u, const char *n)
{
	memset(u, 0, sizeof *u);
	u->sun_family = AF_UNIX;
	strcpy(u->sun_path, n);
}

TEST(making_sockets_and_giving_them_what_is_not_ones_own)
{
	void *bad = check_bad_address();
	int p[2];

	CHECK_ERRNO(socket(-1, 1, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(99, 1, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 0, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 11, 0), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_PACKET, 0), ESOCKTNOSUPPORT);
	CHECK_OK(socket(AF_UNIX, SOCK_RAW, 0));
	CHECK_EQ(socket(AF_UNIX, 1, 1) == -1 ? -1 : 0, 0);
	CHECK_ERRNO(socket(AF_UNIX, 1, 2), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 1, -1), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 1 | 0x1000, 0), EINVAL);
	CHECK_ERRNO(socketpair(AF_UNIX, 1, 0, bad), EFAULT);
	CHECK_ERRNO(socketpair(AF_UNIX, 1, 5, p), EPROTONOSUPPORT);
	CHECK_ERRNO(socketpair(99, 1, 0, p), EAFNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, 99, 0, p), EINVAL);
	CHECK_ERRNO(socketpair(AF_UNIX, 1, 0, NULL), EFAULT);
	CHECK_ERRNO(socketpair(AF_UNIX, 1 | 0x2000, 0, p), EINVAL);
	int dp[2];
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dp);
	CHECK_ERRNO(send(dp[0], buf, 300000, 0), EMSGSIZE);
	CHECK_EQ(send(dp[0], buf, 200000, 0), 200000);
	int val = 5000;
	CHECK_EQ(setsockopt(dp[0], SOL_SOCKET, SO_SNDBUF, &val, 4), 0);
	CHECK_ERRNO(send(dp[0], buf, 20000, 0), EMSGSIZE);
	check_become(1000, 1000);
	CHECK_ERRNO(setsockopt(dp[0], SOL_SOCKET, SO_SNDBUFFORCE, &val, 4), EPERM);
	CHECK_ERRNO(setsockopt(dp[0], SOL_SOCKET, SO_RCVBUFFORCE, &val, 4), EPERM);
	CHECK_ERRNO(setsockopt(dp[0], SOL_SOCKET, SO_PRIORITY, (val = 7, &val), 4), EPERM);
	CHECK_ERRNO(setsockopt(dp[0], SOL_SOCKET, SO_MARK, &val, 4), EPERM);
	CHECK_ERRNO(setsockopt(dp[0], SOL_SOCKET, SO_DEBUG, &val, 4), EACCES);
	CHECK(socket(AF_INET, SOCK_RAW, 1) == -1);
	struct ucred uc = {1, 0, 0};
	char cb[CMSG_SPACE(sizeof uc)];
	m.msg_iov = &v;
	v.iov_base = buf;
	v.iov_len = 1;
	m.msg_iovlen = 1;
	m.msg_control = cb;
	m.msg_controllen = sizeof cb;
	struct cmsghdr *ch = (void *)cb;
	ch->cmsg_len = CMSG_LEN(sizeof uc);
	ch->cmsg_level = 1;
	ch->cmsg_type = SCM_CREDENTIALS;
	memcpy(CMSG_DATA(ch), &uc, sizeof uc);
	CHECK_ERRNO(sendmsg(dp[1], &m, 0), EPERM);
	uc.pid = getpid();
	memcpy(CMSG_DATA(ch), &uc, sizeof uc);
	CHECK_ERRNO(sendmsg(dp[1], &m, 0), EPERM);
	uc.uid = uc.gid = 1000;
	memcpy(CMSG_DATA(ch), &uc, sizeof uc);
	CHECK_EQ(sendmsg(dp[1], &m, 0), 1);
	uc.pid = 4194303;
	memcpy(CMSG_DATA(ch), &uc, sizeof uc);
	CHECK_ERRNO(sendmsg(dp[1], &m, 0), EPERM);
}

TEST(sockets_of_each_type_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	int fd = open("f", O_RDWR | O_CREAT, 0600),
	    types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		int T = types[i];
		;
		int s = socket(AF_UNIX, T | SOCK_NONBLOCK, 0),
		    s2 = socket(AF_UNIX, T | SOCK_NONBLOCK, 0),
		    s3 = socket(AF_UNIX, T | SOCK_NONBLOCK, 0);
		char nm[20];
		sprintf(nm, "s%d", i);
		ad(&a, nm);
		CHECK_ERRNO(bind(s, (void *)&a, 0), EINVAL);
		CHECK_ERRNO(bind(s, (void *)&a, 1), EINVAL);
		CHECK_ERRNO(bind(s, (void *)&a, 111), EINVAL);
		CHECK_ERRNO(bind(s, (void *)&a, -1), EINVAL);
		CHECK_ERRNO(bind(s, bad, 10), EFAULT);
		CHECK_ERRNO(bind(s, NULL, 10), EFAULT);
		a.sun_family = AF_INET;
		CHECK_ERRNO(bind(s, (void *)&a, 110), EINVAL);
		a.sun_family = AF_UNIX;
		CHECK_ERRNO(bind(fd, (void *)&a, 110), ENOTSOCK);
		CHECK_ERRNO(bind(-1, (void *)&a, 110), EBADF);
		ad(&b, "none/x");
		CHECK_ERRNO(bind(s, (void *)&b, 110), ENOENT);
		ad(&b, "f");
		CHECK_ERRNO(bind(s, (void *)&b, 110), EADDRINUSE);
		ad(&b, "f/x");
		CHECK_ERRNO(bind(s, (void *)&b, 110), ENOTDIR);
		ad(&b, ".");
		CHECK_ERRNO(bind(s, (void *)&b, 110), EADDRINUSE);
		ad(&b, "x/");
		CHECK_ERRNO(bind(s, (void *)&b, 110), ENOENT);
		memset(b.sun_path, 'q', 108);
		CHECK_NTH(bind(socket(AF_UNIX, T, 0), (void *)&b, 110), i, "0 ADDRINUSE ADDRINUSE");
		memset(buf, 'r', 300);
		CHECK_ERRNO(bind(s, (void *)buf, 110), EINVAL);
		CHECK_NTH(listen(s, 5), i, "INVAL OPNOTSUPP INVAL");
		CHECK_NTH(accept(s, 0, 0), i, "INVAL OPNOTSUPP INVAL");
		CHECK_ERRNO(getpeername(s, (void *)&b, (l = 110, &l)), ENOTCONN);
		CHECK_EQ(getsockname(s, (void *)&b, (l = 110, &l)), 0);
		CHECK_EQ(l, 2);
		CHECK_ERRNO(connect(s2, (void *)&a, 110), ENOENT);
		CHECK_EQ(bind(s, (void *)&a, 110), 0);
		CHECK_ERRNO(bind(s, (void *)&a, 110), EADDRINUSE);
		ad(&b, nm);
		b.sun_path[0] = 'o';
		CHECK_ERRNO(bind(s, (void *)&b, 110), EINVAL);
		CHECK_ERRNO(bind(s2, (void *)&a, 110), EADDRINUSE);
		CHECK_NTH(connect(s2, (void *)&a, 110), i, "CONNREFUSED 0 CONNREFUSED");
		CHECK_NTH(connect(s2, (void *)&a, 110), i, "CONNREFUSED 0 CONNREFUSED");
		CHECK_ERRNO(connect(s2, (void *)&a, 1), EINVAL);
		CHECK_ERRNO(connect(s2, (void *)&a, -1), EINVAL);
		CHECK_ERRNO(connect(s2, bad, 10), EFAULT);
		CHECK_ERRNO(connect(s2, (void *)&a, 111), EINVAL);
		a.sun_family = AF_INET;
		CHECK_ERRNO(connect(s3, (void *)&a, 110), EINVAL);
		a.sun_family = AF_UNSPEC;
		CHECK_NTH(connect(s3, (void *)&a, 110), i, "INVAL 0 INVAL");
		a.sun_family = AF_UNIX;
		ad(&b, "f");
		CHECK_ERRNO(connect(s3, (void *)&b, 110), ECONNREFUSED);
		ad(&b, "none");
		CHECK_ERRNO(connect(s3, (void *)&b, 110), ENOENT);
		ad(&b, "none/none");
		CHECK_ERRNO(connect(s3, (void *)&b, 110), ENOENT);
		b.sun_path[0] = 0;
		CHECK_ERRNO(connect(s3, (void *)&b, 5), ECONNREFUSED);
		CHECK_ERRNO(connect(s3, (void *)&b, 2), EINVAL);
		CHECK_ERRNO(connect(-1, (void *)&a, 110), EBADF);
		CHECK_ERRNO(connect(fd, (void *)&a, 110), ENOTSOCK);
		CHECK_NTH(listen(s, 1), i, "0 OPNOTSUPP 0");
		CHECK_ERRNO(listen(-1, 1), EBADF);
		CHECK_ERRNO(listen(fd, 1), ENOTSOCK);
		CHECK_EQ(connect(s2, (void *)&a, 110), 0);
		CHECK_NTH(connect(s2, (void *)&a, 110), i, "ISCONN 0 ISCONN");
		CHECK_NTH(accept(s2, 0, 0), i, "INVAL OPNOTSUPP INVAL");
		int c = accept4(s, (void *)&b, (l = 110, &l), SOCK_NONBLOCK);
		CHECK_EQ(c >= 0, T != SOCK_DGRAM);
		CHECK_NTH(accept4(s, 0, 0, 0), i, "AGAIN OPNOTSUPP AGAIN");
		CHECK_ERRNO(accept4(s, 0, 0, 1), EINVAL);
		CHECK_ERRNO(accept(-1, 0, 0), EBADF);
		CHECK_ERRNO(accept(fd, 0, 0), ENOTSOCK);
		CHECK_NTH(accept(s, (void *)&b, bad), i, "AGAIN OPNOTSUPP AGAIN");
		CHECK_NTH(listen(s2, 1), i, "INVAL OPNOTSUPP INVAL");
		CHECK_NTH(connect(s, (void *)&a, 110), i, "INVAL 0 INVAL");
		CHECK_ERRNO(bind(s2, (void *)&b, 0), EINVAL);
		CHECK_EQ(shutdown(s3, SHUT_RD), 0);
		CHECK_ERRNO(shutdown(s2, 9), EINVAL);
		CHECK_ERRNO(shutdown(s2, -1), EINVAL);
		CHECK_ERRNO(shutdown(fd, 0), ENOTSOCK);
		CHECK_ERRNO(shutdown(-1, 0), EBADF);
		CHECK_NTH(listen(s, -1), i, "0 OPNOTSUPP 0");
		CHECK_NTH(listen(s, 0), i, "0 OPNOTSUPP 0");
		CHECK_ERRNO(send(s3, "x", 1, 0), ENOTCONN);
		CHECK_ERRNO(send(s2, bad, 1, 0), EFAULT);
		send(s2, "x", 1, 0);
		CHECK_NTH(send(s2, "x", 0, 0), i, "0 PERM 0");
		CHECK_EQ(send(s2, "x", 1, MSG_OOB) == 1 ? 0 : 0, 0);
		CHECK_NTH(send(s2, "x", 1, 0x10000) == 1 ? 1 : -1, i, "1 PERM 1");
		CHECK_NTH(recv(s3, buf, 10, 0), i, "INVAL AGAIN NOTCONN");
		CHECK_NTH(recv(s, buf, 10, 0), i, "INVAL AGAIN NOTCONN");
		CHECK_ERRNO(recv(s2, buf, 10, 0), EAGAIN);
		CHECK_ERRNO(recv(s2, bad, 10, 0), EAGAIN);
		CHECK_ERRNO(send(fd, "x", 1, 0), ENOTSOCK);
		CHECK_ERRNO(recv(fd, buf, 1, 0), ENOTSOCK);
		CHECK_ERRNO(send(-1, "x", 1, 0), EBADF);
		CHECK_NTH(sendto(s2, "x", 1, 0, (void *)&a, 110), i, "ISCONN PERM 1");
		CHECK_NTH(sendto(s3, "x", 1, 0, (void *)&a, 110), i, "OPNOTSUPP PERM NOTCONN");
		CHECK_ERRNO(sendto(s3, "x", 1, 0, (void *)&a, -1), EINVAL);
		CHECK_ERRNO(sendto(s3, "x", 1, 0, bad, 110), EFAULT);
		CHECK_ERRNO(sendto(s3, "x", 1, 0, (void *)&a, 200), EINVAL);
		CHECK_NTH(sendto(s3, "x", 1, 0, (void *)&a, 1), i, "OPNOTSUPP INVAL NOTCONN");
		CHECK_ERRNO(recvfrom(s2, buf, 10, 0, (void *)&b, bad), EAGAIN);
		CHECK_ERRNO(recvfrom(s2, buf, 10, MSG_ERRQUEUE, 0, 0), EAGAIN);
		CHECK_NTH(recvfrom(s3, buf, 10, 0x8000, 0, 0), i, "INVAL AGAIN NOTCONN");
		if (c >= 0) {
			CHECK_EQ(recv(c, buf, 100, 0), 1);
			CHECK_NTH(recv(c, buf, 100, 0), i, "1 - 0");
			CHECK_NTH(recv(c, buf, 0, 0), i, "AGAIN - 0");
			CHECK_NTH(recv(c, buf, 100, MSG_PEEK), i, "AGAIN - 1");
			CHECK_EQ(send(c, buf, 10, 0), 10);
			CHECK_NTH(recv(s2, buf, 5, MSG_TRUNC), i, "5 - 10");
			CHECK_NTH(recv(s2, buf, 5, 0), i, "5 - AGAIN");
			CHECK_EQ(shutdown(c, SHUT_WR), 0);
			CHECK_ERRNO(send(c, "x", 1, 0), EPIPE);
			CHECK_EQ(recv(s2, buf, 5, 0), 0);
			CHECK_EQ(shutdown(s2, SHUT_RD), 0);
			CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
			close(c);
			send(s2, "x", 1, 0);
			send(s2, "x", 1, 0);
			CHECK_EQ(recv(s2, buf, 1, 0), 0);
			CHECK_EQ(recv(s2, buf, 1, 0), 0);
			CHECK_EQ(getpeername(s2, (void *)&b, (l = 110, &l)), 0);
		}
		memset(&m, 0, sizeof m);
		CHECK_ERRNO(sendmsg(s3, bad, 0), EFAULT);
		CHECK_ERRNO(sendmsg(s3, NULL, 0), EFAULT);
		m.msg_iovlen = 1025;
		m.msg_iov = &v;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EMSGSIZE);
		CHECK_ERRNO(recvmsg(s3, &m, 0), EMSGSIZE);
		m.msg_iovlen = 1;
		m.msg_iov = bad;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EFAULT);
		CHECK_ERRNO(recvmsg(s3, &m, 0), EFAULT);
		m.msg_iov = &v;
		v.iov_base = buf;
		v.iov_len = -1;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EINVAL);
		v.iov_len = 1;
		m.msg_control = bad;
		m.msg_controllen = 20;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EFAULT);
		m.msg_controllen = -1;
		CHECK_ERRNO(sendmsg(s3, &m, 0), ENOBUFS);
		m.msg_control = buf;
		memset(buf, 0, 100);
		m.msg_controllen = 15;
		CHECK_ERRNO(sendmsg(s3, &m, 0), ENOTCONN);
		m.msg_controllen = 24;
		CHECK_NTH(sendmsg(s3, &m, 0), i, "INVAL INVAL NOTCONN");
		struct cmsghdr *ch = (void *)buf;
		ch->cmsg_len = 24;
		ch->cmsg_level = SOL_SOCKET;
		ch->cmsg_type = 99;
		CHECK_NTH(sendmsg(s3, &m, 0), i, "INVAL INVAL NOTCONN");
		ch->cmsg_type = SCM_RIGHTS;
		*(int *)CMSG_DATA(ch) = 99;
		CHECK_NTH(sendmsg(s3, &m, 0), i, "BADF BADF NOTCONN");
		ch->cmsg_len = 8;
		CHECK_NTH(sendmsg(s3, &m, 0), i, "INVAL INVAL NOTCONN");
		ch->cmsg_len = 100;
		CHECK_NTH(sendmsg(s3, &m, 0), i, "INVAL INVAL NOTCONN");
		ch->cmsg_level = 99;
		ch->cmsg_len = 24;
		CHECK_ERRNO(sendmsg(s3, &m, 0), ENOTCONN);
		m.msg_control = 0;
		m.msg_controllen = 0;
		m.msg_name = bad;
		m.msg_namelen = 110;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EFAULT);
		m.msg_namelen = -1;
		CHECK_ERRNO(sendmsg(s3, &m, 0), EINVAL);
		CHECK_ERRNO(recvmsg(s3, &m, 0), EINVAL);
		CHECK_ERRNO(recvmsg(s3, bad, 0), EFAULT);
		m.msg_namelen = 0;
		m.msg_name = 0;
		CHECK_ERRNO(syscall(SYS_recvmmsg, s3, bad, 1, 0, 0), EFAULT);
		CHECK_EQ(syscall(SYS_recvmmsg, s3, mm, 0, 0, 0), 0);
		CHECK_ERRNO(syscall(SYS_recvmmsg, s3, mm, 1, MSG_DONTWAIT, bad), EFAULT);
		CHECK_ERRNO(
			syscall(SYS_recvmmsg, s3, mm, 1, MSG_DONTWAIT, &(struct timespec){-1, 0}),
			EINVAL);
		CHECK_ERRNO(syscall(SYS_recvmmsg, fd, mm, 1, 0, 0), ENOTSOCK);
		CHECK_ERRNO(syscall(SYS_sendmmsg, s3, bad, 1, 0), EFAULT);
		CHECK_EQ(syscall(SYS_sendmmsg, s3, mm, 0, 0), 0);
		CHECK_ERRNO(syscall(SYS_sendmmsg, fd, mm, 1, 0), ENOTSOCK);
		int val = 1;
		CHECK_ERRNO(getsockopt(s3, SOL_SOCKET, SO_TYPE, bad, &l), EFAULT);
		CHECK_ERRNO(getsockopt(s3, SOL_SOCKET, SO_TYPE, buf, bad), EFAULT);
		l = -1;
		CHECK_ERRNO(getsockopt(s3, SOL_SOCKET, SO_TYPE, buf, &l), EINVAL);
		l = 2;
		CHECK_EQ(getsockopt(s3, SOL_SOCKET, SO_TYPE, buf, &l), 0);
		CHECK_EQ(l, 2);
		l = 100;
		CHECK_EQ(getsockopt(s3, SOL_SOCKET, SO_TYPE, buf, &l), 0);
		CHECK_EQ(l, 4);
		CHECK_ERRNO(getsockopt(s3, 99, 1, buf, &l), EOPNOTSUPP);
		CHECK_ERRNO(getsockopt(s3, 0, 1, buf, &l), EOPNOTSUPP);
		CHECK_ERRNO(getsockopt(s3, 6, 1, buf, &l), EOPNOTSUPP);
		CHECK_ERRNO(getsockopt(fd, 1, 3, buf, &l), ENOTSOCK);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_REUSEADDR, &val, 3), EINVAL);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_REUSEADDR, bad, 4), EFAULT);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_REUSEADDR, &val, -1), EINVAL);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_TYPE, &val, 4), ENOPROTOOPT);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_ERROR, &val, 4), ENOPROTOOPT);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, 999, &val, 4), ENOPROTOOPT);
		CHECK_ERRNO(setsockopt(s3, 99, 1, &val, 4), EOPNOTSUPP);
		CHECK_ERRNO(setsockopt(s3, 6, 1, &val, 4), EOPNOTSUPP);
		CHECK_ERRNO(setsockopt(fd, 1, 2, &val, 4), ENOTSOCK);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_RCVTIMEO, &val, 4), EINVAL);
		CHECK_ERRNO(
			setsockopt(s3, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 1000000}, 16),
			EDOM);
		CHECK_EQ(setsockopt(s3, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){-1, 0}, 16), 0);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_LINGER, &val, 4), EINVAL);
		CHECK_EQ(setsockopt(s3, SOL_SOCKET, SO_PRIORITY, (val = 7, &val), 4), 0);
		CHECK_ERRNO(setsockopt(s3, SOL_SOCKET, SO_BINDTODEVICE, "x", 2), ENODEV);
		CHECK_EQ(ioctl(s3, FIONREAD, buf), 0);
		CHECK_EQ(ioctl(s3, TIOCOUTQ, buf), 0);
		CHECK_ERRNO(getsockname(s3, bad, &l), EFAULT);
		CHECK_ERRNO(getsockname(s3, (void *)&b, bad), EFAULT);
		l = -1;
		CHECK_ERRNO(getsockname(s3, (void *)&b, &l), EINVAL);
		CHECK_ERRNO(getsockname(fd, (void *)&b, &l), ENOTSOCK);
		CHECK_ERRNO(getpeername(-1, (void *)&b, &l), EBADF);
		close(s);
		close(s2);
		close(s3);
	}
}
