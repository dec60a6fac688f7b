/* SPDX-License-Identifier: MIT */
/*
 * network_calls.h - calls on the network's sockets and doors: rows, contracts and what makes them; part of table.c.
 *
 * One call of the kernel is many here: what a socket takes depends on its family and on the level of an option.
 */
#ifndef FUZZ_NETWORK_CALLS_H
#define FUZZ_NETWORK_CALLS_H

#define SOCKET_CALL(name) CALL3(SYS_socket, name, int, family, int, type, int, protocol)
#define NAME_CALL(number, name) CALL3(number, name, int, fd, void *, address, int, length)
#define SEND_CALL(name) \
	CALL6(SYS_sendto, name, int, fd, void *, buf, size_t, n, int, flags, void *, address, int, length)
#define MESSAGE_CALL(name) CALL3(SYS_sendmsg, name, int, fd, void *, message, int, flags)
#define OPTION_CALL(name) \
	CALL5(SYS_setsockopt, name, int, fd, int, level, int, option, void *, value, int, n)
#define COMMAND_CALL(name) CALL3(SYS_ioctl, name, int, fd, unsigned int, command, void *, arg)
#define OPEN_CALL(call) CALL3(SYS_open, call, void *, name, int, flags, mode_t, mode)

#define NETWORK_CALLS \
	SOCKET_CALL(socket_inet) SOCKET_CALL(socket_inet_raw) SOCKET_CALL(socket_netlink) SOCKET_CALL(socket_packet) \
	NAME_CALL(SYS_connect, connect_inet) NAME_CALL(SYS_bind, bind_inet) NAME_CALL(SYS_bind, bind_netlink) \
	NAME_CALL(SYS_bind, bind_packet) CALL3(SYS_accept, accept_inet, int, fd, void *, address, void *, length) \
	CALL2(SYS_listen, listen_inet, int, fd, int, backlog) \
	SEND_CALL(send_inet) SEND_CALL(send_packet) SEND_CALL(send_link) SEND_CALL(send_address) SEND_CALL(send_route) \
	SEND_CALL(send_neighbour) SEND_CALL(send_diag) MESSAGE_CALL(message_inet) MESSAGE_CALL(message_info) \
	MESSAGE_CALL(message_any) OPTION_CALL(option_socket) OPTION_CALL(option_filter) OPTION_CALL(option_ip) \
	OPTION_CALL(option_ipv6) OPTION_CALL(option_tcp) OPTION_CALL(option_few) OPTION_CALL(option_packet) \
	OPTION_CALL(option_group) OPTION_CALL(option_group_6) OPTION_CALL(option_mreq) OPTION_CALL(option_mreq_6) \
	OPTION_CALL(option_member) \
	CALL5(SYS_getsockopt, option_of, int, fd, int, level, int, option, void *, value, void *, length) \
	CALL5(SYS_getsockopt, option_of_tcp, int, fd, int, level, int, option, void *, value, void *, length) \
	CALL5(SYS_getsockopt, option_of_socket, int, fd, int, level, int, option, void *, value, void *, length) \
	COMMAND_CALL(ioctl_address) COMMAND_CALL(ioctl_number) COMMAND_CALL(ioctl_route) OPEN_CALL(open_tun) \
	COMMAND_CALL(tun_command) CALL3(SYS_write, tun_write, int, fd, void *, packet, size_t, n) \
	OPEN_CALL(open_door) COMMAND_CALL(door_nic) COMMAND_CALL(door_accept) COMMAND_CALL(door_command) \
	CALL2(SYS_ioctl, door_kick, int, fd, unsigned int, command) \
	CALL6(SYS_mmap, map_door, void *, addr, size_t, length, int, prot, int, flags, int, fd, long, offset) \
	CALL2(PSEUDO_FILL, store_record, page, at, void *, what) \
	CALL2(PSEUDO_FILL, store_number, page, at, void *, what)

#define NETWORK_REFINEMENTS \
	"socket_inet family=inet_domains type=socket_types protocol=inet_protocols > inet", \
	"socket_inet_raw family=inet_domains type=raw_types protocol=inet_protocols > inet", \
	"socket_netlink family=c:16 type=raw_types protocol=netlink_protocols > netlink", \
	"socket_packet family=c:17 type=raw_types protocol=frame_protocols > packet", \
	"connect_inet fd=inet address=sockaddr_in length=address_sizes", \
	"bind_inet fd=inet address=sockaddr_in length=address_sizes", \
	"bind_netlink fd=netlink address=sockaddr_nl length=address_sizes", \
	"bind_packet fd=packet address=sockaddr_ll length=address_sizes", \
	"accept_inet fd=inet address=out256 length=socklen > inet", \
	"listen_inet fd=inet backlog=counts", \
	"send_inet fd=inet buf=bytes n=length flags=message_flags address=sockaddr_in length=address_sizes", \
	"send_packet fd=packet buf=packet_bytes n=frame_sizes flags=message_flags address=sockaddr_ll " \
	"length=address_sizes", \
	"send_link fd=netlink buf=link_message n=c:68 flags=c:0 address=c:0 length=c:0", \
	"send_address fd=netlink buf=address_message n=c:60 flags=c:0 address=c:0 length=c:0", \
	"send_route fd=netlink buf=route_message n=c:64 flags=c:0 address=c:0 length=c:0", \
	"send_neighbour fd=netlink buf=neighbour_message n=c:64 flags=c:0 address=c:0 length=c:0", \
	"send_diag fd=netlink buf=diag_message n=c:88 flags=c:0 address=c:0 length=c:0", \
	"message_inet fd=inet message=inet_msghdr flags=message_flags", \
	"message_info fd=inet message=inet_msghdr_info flags=message_flags", \
	"message_any fd=inet message=inet_msghdr_any flags=message_flags", \
	"option_socket fd=socket level=c:1 option=socket_all value=net_value n=option_sizes", \
	"option_filter fd=socket level=c:1 option=c:26 value=bpf_program n=c:16", \
	"option_ip fd=inet level=c:0 option=ip_all value=net_value n=option_sizes", \
	"option_ipv6 fd=inet level=c:41 option=ipv6_all value=net_value n=option_sizes", \
	"option_tcp fd=inet level=c:6 option=tcp_all value=net_value n=option_sizes", \
	"option_few fd=socket level=net_levels option=few value=net_value n=option_sizes", \
	"option_packet fd=packet level=c:263 option=packet_all value=net_value n=option_sizes", \
	"option_group fd=inet level=net_levels option=group_options value=group_value n=group_sizes", \
	"option_group_6 fd=inet level=c:41 option=group_options value=group_value_6 n=group_sizes", \
	"option_mreq fd=inet level=c:0 option=group_options value=mreq n=option_sizes", \
	"option_mreq_6 fd=inet level=c:41 option=group_options value=mreq_6 n=c:20", \
	"option_member fd=packet level=c:263 option=rights value=packet_mreq n=c:16", \
	"option_of fd=socket level=net_levels option=few value=out256 length=value_room", \
	"option_of_tcp fd=inet level=c:6 option=tcp_all value=out256 length=value_room", \
	"option_of_socket fd=socket level=c:1 option=socket_all value=out256 length=value_room", \
	"ioctl_address fd=inet command=net_ioctls arg=ifreq", \
	"ioctl_number fd=socket command=net_ioctls arg=ifreq_number", \
	"ioctl_route fd=inet command=route_ioctls arg=rtentry", \
	"open_tun name=tun_path flags=c:0x802 mode=c:0 > tun", \
	"tun_command fd=tun command=tun_ioctls arg=tun_request", \
	"tun_write fd=tun packet=packet_bytes n=frame_sizes", \
	"open_door name=door_path flags=c:0x802 mode=c:0 > door", \
	"door_nic fd=door command=door_nics arg=door_nic", \
	"door_accept fd=door command=door_accepts arg=door_accept", \
	"door_command fd=door command=door_calls arg=door_value", \
	"door_kick fd=door command=c:0xb720", \
	"map_door addr=page length=advice_sizes prot=c:3 flags=c:0x11 fd=door offset=door_maps", \
	"store_record at=page what=ring_record", \
	"store_number at=page what=ring_head",

#define NETWORK_PRODUCERS \
	{ "inet", "socket_inet(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)" }, \
	{ "inet", "socket_inet(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0)" }, \
	{ "inet", "socket_inet(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)" }, \
	{ "inet", "socket_inet(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0)" }, \
	{ "inet", "socket_inet(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 1)" }, \
	{ "inet", "socket_inet_raw(AF_INET, SOCK_RAW | SOCK_NONBLOCK, 255)" }, \
	{ "inet", "socket_inet_raw(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 58)" }, \
	{ "netlink", "socket_netlink(16, SOCK_RAW | SOCK_NONBLOCK, 0)" }, \
	{ "netlink", "socket_netlink(16, SOCK_RAW | SOCK_NONBLOCK, 4)" }, \
	{ "packet", "socket_packet(17, SOCK_RAW | SOCK_NONBLOCK, 0x300)" }, \
	{ "packet", "socket_packet(17, SOCK_DGRAM | SOCK_NONBLOCK, 0x300)" }, \
	{ "tun", "open_tun(&{0x74656e2f7665642f, 0x6e75742f}, O_RDWR|O_NONBLOCK, 0)" }, \
	{ "door", "open_door(&{0x74656e2f7665642f, 0x64}, O_RDWR|O_NONBLOCK, 0)" },

#endif
