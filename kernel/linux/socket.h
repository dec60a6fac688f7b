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
/* Where the next control message for a receiver goes, and what is left. */
struct control_out {
	char __user *at;
	size_t left;
	uint32_t *result;          /* MSG_CTRUNC is added when one does not fit */
};
/* A header and its data, cut off where the room ends. */
void socket_control_put(struct control_out *out, int level, int type, const void *data, size_t size);
/* socket_control_inet.c: of a sender, -EINVAL; for a receiver. */
int inet_control_parse(struct socket *s, int level, int type, const void *data, size_t size, struct socket_message *m);
void inet_control_put(struct socket *s, struct control_out *out, const struct socket_message *m);
/* socket_ioctl.c: SIOC* about interfaces, addresses and routes. -ENOTTY: another command. */
long socket_network_command(struct socket *s, unsigned int command, uintptr_t arg);
/* socket_options_group.c: multicast groups. -ENOPROTOOPT: another option. */
int inet_group_option_set(struct socket *s, int level, int option, const void __user *value, int length);
int inet_group_option_get(struct socket *s, int level, int option, uint32_t *out);
/* socket_options_packet.c */
int socket_filter_option_set(struct socket *s, const void __user *value, int length);
int socket_filter_option_get(struct socket *s, int room, void __user *value, int __user *length);
int packet_socket_option_set(struct socket *s, int option, const void __user *value, int length);
int packet_socket_option_get(struct socket *s, int option, void __user *value, int __user *length);
/* `captured`: bytes of the frame that are there. */
void packet_control_put(struct socket *s, struct control_out *out, const struct socket_message *m, size_t captured);
/* socket_options_inet.c: levels of a socket of AF_INET or AF_INET6. -ENOPROTOOPT. */
int inet_option_set(struct socket *s, int level, int option, const void __user *value, int length);
int inet_option_get(struct socket *s, int level, int option, void __user *value, int __user *length);
int socket_address_put(const struct socket_address *a, void __user *to, int __user *length);

#endif
