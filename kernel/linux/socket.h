/* SPDX-License-Identifier: MIT */
/*
 * socket.h - what the socket calls share: handles that are sockets, addresses of programs.
 */
#ifndef TESSERA_LINUX_SOCKET_H
#define TESSERA_LINUX_SOCKET_H

#include <tessera/handle.h>
#include <tessera/socket.h>

/* The socket of `fd`, with a reference to its file in *f. NULL: *error is -EBADF, -ENOTSOCK, -EPERM. */
struct socket *socket_get(int fd, uint64_t rights, struct file **f, int *error);
/* length 0 gives none. -EINVAL: not a length of an address. -EFAULT. */
int socket_address_get(const void __user *from, int length, struct socket_address *out);
/* As much as *length says fits; then its true length into *length. -EFAULT, -EINVAL. */
/* A new socket in a file of its own; *flags: O_CLOEXEC and O_NONBLOCK of `type`. */
int socket_file_new(int family, int type, int protocol, uint32_t *flags, struct file **out);
/* The next connection of s as a file; wait: 0 or MSG_DONTWAIT. */
int socket_accept_file(struct socket *s, uint32_t wait, uint32_t flags, void __user *address, int __user *length,
		       struct file **out);
int socket_address_put(const struct socket_address *a, void __user *to, int __user *length);

#endif
