/* SPDX-License-Identifier: MIT */
/*
 * socket.c - socket, socketpair: no address family is there.
 */
#include <tessera/errno.h>

#include "linux.h"

long
linux_socket(int family, int type, int protocol)
{
	return -EAFNOSUPPORT;
}

long
linux_socketpair(int family, int type, int protocol, int __user *fds)
{
	return -EAFNOSUPPORT;
}
