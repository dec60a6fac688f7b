/* SPDX-License-Identifier: MIT */
/*
 * socket_ioctl.c - SIOC*: interfaces, addresses and routes by ioctl on any socket. netdevice(7), linux/sockios.h.
 *
 * struct ifreq has 40 bytes: a name of 16, then what the command is about.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/network.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "socket.h"

#define SIOCADDRT          0x890bu
#define SIOCDELRT          0x890cu
#define SIOCGIFNAME        0x8910u
#define SIOCGIFCONF        0x8912u
#define SIOCGIFFLAGS       0x8913u
#define SIOCSIFFLAGS       0x8914u
#define SIOCGIFADDR        0x8915u
#define SIOCSIFADDR        0x8916u
#define SIOCGIFDSTADDR     0x8917u
#define SIOCGIFBRDADDR     0x8919u
#define SIOCSIFBRDADDR     0x891au
#define SIOCGIFNETMASK     0x891bu
#define SIOCSIFNETMASK     0x891cu
#define SIOCGIFMETRIC      0x891du
#define SIOCGIFMTU         0x8921u
#define SIOCSIFMTU         0x8922u
#define SIOCSIFNAME        0x8923u
#define SIOCGIFHWADDR      0x8927u
#define SIOCGIFINDEX       0x8933u
#define SIOCGIFTXQLEN      0x8942u
#define SIOCSIFTXQLEN      0x8943u
#define SIOCGIFMAP         0x8970u
#define SIOCETHTOOL        0x8946u

#define SCOPE_HOST 254
#define SCOPE_LINK 253

struct linux_sockaddr_in {
	uint16_t family, port;
	uint32_t address;
	uint8_t zero[8];
};

struct linux_ifreq {
	char name[16];
	union {
		struct linux_sockaddr_in in;
		struct {
			uint16_t kind;
			uint8_t data[14];
		} hardware;
		int16_t flags;
		int32_t number;
		char new_name[16];
		uint8_t room[24];
	};
};
_Static_assert(sizeof(struct linux_ifreq) == 40, "Linux's layout");

struct linux_ifconf {
	int32_t length;
	uint32_t pad;
	uint64_t requests;
};
_Static_assert(sizeof(struct linux_ifconf) == 16, "Linux's layout");

struct linux_rtentry {
	uint64_t pad1;
	struct linux_sockaddr_in to, gateway, mask;
	uint16_t flags;
	int16_t pad2;
	uint64_t pad3;
	uint64_t pad4;
	int16_t metric;
	char __user *device;
	uint64_t mtu, window;
	uint16_t irtt;
};
_Static_assert(sizeof(struct linux_rtentry) == 120, "Linux's layout");

#define RTF_UP      0x1u
#define RTF_GATEWAY 0x2u
#define RTF_HOST    0x4u
#define RTF_REJECT  0x200u

/* --- addresses ------------------------------------------------------------------------------------ */

static uint8_t
bits_of_mask(uint32_t mask)
{
	uint32_t host = net_to_host32(mask);

	return host ? (uint8_t)(32 - __builtin_ctz(host)) : 0;
}

static uint32_t
mask_of_bits(uint8_t bits)
{
	return bits ? host_to_net32(UINT32_MAX << (32 - bits)) : 0;
}

/* The first address of IPv4 that carries the label `name`, or is on that interface. -EADDRNOTAVAIL. */
static int
find_address(struct network *n, const char *name, uint32_t index, struct address_info *out)
{
	uint32_t count;
	struct address_info *all = network_addresses(n, &count);
	int error = all ? -EADDRNOTAVAIL : -ENOMEM;

	for (uint32_t i = 0; all && i < count && error; i++)
		if (all[i].interface == index && ip_address_is_v4(&all[i].address) && strcmp(all[i].label, name) == 0) {
			*out = all[i];
			error = 0;
		}
	kvfree(all);
	return error;
}

static int
get_address(struct network *n, unsigned int command, const struct interface_info *i, struct linux_ifreq *r)
{
	struct address_info a;
	int error = find_address(n, r->name, i->index, &a);

	if (error)
		return error;
	r->in = (struct linux_sockaddr_in){ .family = AF_INET };
	switch (command) {
	case SIOCGIFADDR:
		r->in.address = a.address.words[3];
		break;
	case SIOCGIFDSTADDR:
		r->in.address = a.peer.words[3];
		break;
	case SIOCGIFBRDADDR:
		r->in.address = a.broadcast.words[3];
		break;
	default:
		r->in.address = mask_of_bits(a.bits);
	}
	return 0;
}

/* The class of old that an address is of, as a length of its prefix. */
static uint8_t
class_bits(uint32_t address)
{
	uint8_t first = (uint8_t)address;

	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

static void
set_prefix(struct address_info *a, uint8_t bits)
{
	a->bits = bits;
	a->broadcast = a->address;
	a->broadcast.words[3] |= bits < 31 ? ~mask_of_bits(bits) : 0;
}

/* One address, or its mask, in place of the label's present one. 0.0.0.0 takes it away. */
static int
set_address(struct network *n, unsigned int command, const struct interface_info *i, const struct linux_ifreq *r)
{
	struct address_info a = { .interface = i->index, .valid_until = DEADLINE_NEVER, .preferred_until = DEADLINE_NEVER };
	struct address_info old;
	bool had = find_address(n, r->name, i->index, &old) == 0;

	if (r->in.family != AF_INET)
		return -EINVAL;
	if (command == SIOCSIFADDR) {
		a.address = a.peer = ip_address_v4(r->in.address);
		string_copy(a.label, r->name, sizeof(a.label));
		a.scope = (uint8_t)(i->flags & INTERFACE_LOOPBACK ? SCOPE_HOST : 0);
		set_prefix(&a, class_bits(r->in.address));
	} else if (!had) {
		return -EADDRNOTAVAIL;
	} else {
		a = old;
		if (command == SIOCSIFNETMASK)
			set_prefix(&a, bits_of_mask(r->in.address));
		else
			a.broadcast = ip_address_v4(r->in.address);
	}
	if (had)
		address_remove(n, &old);
	if (ip_address_is_any(&a.address))
		return 0;
	return address_add(n, &a);
}

/* --- routes ---------------------------------------------------------------------------------------- */

static int
change_route(struct network *n, unsigned int command, const void __user *arg)
{
	struct linux_rtentry e;
	struct interface_info i = { 0 };
	struct route_info r = { .table = ROUTE_TABLE_MAIN, .type = ROUTE_UNICAST, .protocol = ROUTE_PROTOCOL_BOOT };
	char name[INTERFACE_NAME_MAX + 1] = "";
	int error = 0;

	if (copy_from_user(&e, arg, sizeof(e)))
		return -EFAULT;
	if (e.to.family != AF_INET)
		return -EAFNOSUPPORT;
	if (e.device && copy_string_from_user(name, e.device, sizeof(name)) < 0)
		return -EFAULT;
	name[INTERFACE_NAME_MAX] = '\0';
	if (e.device)
		error = network_interface_named(n, name, &i);
	if (error)
		return error;
	r.to = ip_address_v4(e.to.address);
	r.bits = e.flags & RTF_HOST ? 32 : bits_of_mask(e.mask.address);
	r.gateway = ip_address_v4(e.flags & RTF_GATEWAY ? e.gateway.address : 0);
	r.source = ip_address_v4(0);
	r.interface = i.index;
	r.metric = e.metric > 0 ? (uint32_t)e.metric - 1 : 0;
	r.scope = e.flags & RTF_GATEWAY ? 0 : SCOPE_LINK;
	if (e.to.address & ~mask_of_bits(r.bits))
		return -EINVAL;
	if (e.flags & RTF_REJECT) {
		r.type = ROUTE_UNREACHABLE;
		r.scope = SCOPE_HOST;
		r.interface = 0;
		r.gateway = ip_address_v4(0);
	}
	if (command == SIOCADDRT)
		return route_add(n, &r, false);
	r.type = 0;
	return route_remove(n, &r);
}

/* --- interfaces ------------------------------------------------------------------------------------ */

static int
list_addresses(struct network *n, void __user *arg)
{
	struct linux_ifconf c;
	struct linux_ifreq __user *to;
	uint32_t count;
	struct address_info *all;
	int32_t length = 0;
	int error = 0;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	to = __force_user(struct linux_ifreq __user *, c.requests);
	all = network_addresses(n, &count);
	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !error; i++) {
		struct linux_ifreq r = { .in = { .family = AF_INET, .address = all[i].address.words[3] } };

		if (!ip_address_is_v4(&all[i].address) || !all[i].label[0])
			continue;
		if (to && length + (int32_t)sizeof(r) > c.length)
			break;
		memcpy(r.name, all[i].label, sizeof(r.name));
		if (to && copy_to_user(to++, &r, sizeof(r)))
			error = -EFAULT;
		length += (int32_t)sizeof(r);
	}
	kvfree(all);
	c.length = length;
	return error ? error : copy_to_user(arg, &c, sizeof(c));
}

/* A label that goes down is an address that goes. */
static int
set_label_flags(struct network *n, const struct interface_info *i, const struct linux_ifreq *r)
{
	struct address_info a;
	int error = find_address(n, r->name, i->index, &a);

	return error || ((uint16_t)r->flags & INTERFACE_UP) ? error : address_remove(n, &a);
}

static int
change_interface(struct network *n, unsigned int command, const struct interface_info *i, struct linux_ifreq *r)
{
	if (!capable_in(((struct namespace *)n)->owner, CAP_NET_ADMIN))
		return -EPERM;
	switch (command) {
	case SIOCSIFFLAGS:
		if (strchr(r->name, ':'))
			return set_label_flags(n, i, r);
		return interface_set_flags(n, i->index, (uint16_t)r->flags, INTERFACE_SETTABLE);
	case SIOCSIFMTU:
		return r->number < 0 ? -EINVAL : interface_set_mtu(n, i->index, (uint32_t)r->number);
	case SIOCSIFTXQLEN:
		return r->number < 0 ? -EINVAL : interface_set_queue_length(n, i->index, (uint32_t)r->number);
	case SIOCSIFNAME:
		r->new_name[INTERFACE_NAME_MAX] = '\0';
		return interface_rename(n, i->index, r->new_name);
	default:
		return set_address(n, command, i, r);
	}
}

/* What is told goes into *r. -ENOTTY: no command of this kind. */
static int
show_interface(struct network *n, unsigned int command, const struct interface_info *i, struct linux_ifreq *r)
{
	switch (command) {
	case SIOCGIFFLAGS:
		r->flags = (int16_t)i->flags;
		return 0;
	case SIOCGIFMTU:
		r->number = (int32_t)i->mtu;
		return 0;
	case SIOCGIFINDEX:
		r->number = (int32_t)i->index;
		return 0;
	case SIOCGIFMETRIC:
		r->number = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->number = (int32_t)i->queue_length;
		return 0;
	case SIOCGIFMAP:
		memset(r->room, 0, sizeof(r->room));
		return 0;
	case SIOCGIFHWADDR:
		memset(r->room, 0, sizeof(r->room));
		r->hardware.kind = i->kind;
		memcpy(r->hardware.data, i->address, MIN((size_t)i->address_length, sizeof(r->hardware.data)));
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
		return get_address(n, command, i, r);
	default:
		return -ENOTTY;
	}
}

static bool
changes(unsigned int command)
{
	switch (command) {
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
	case SIOCSIFNAME:
	case SIOCSIFTXQLEN:
		return true;
	default:
		return false;
	}
}

/* A label "eth0:1" is of the interface before the colon. */
static int
find_interface(struct network *n, const struct linux_ifreq *r, struct interface_info *out)
{
	char name[sizeof(r->name)], *colon;

	memcpy(name, r->name, sizeof(name));
	colon = strchr(name, ':');
	if (colon)
		*colon = '\0';
	return network_interface_named(n, name, out);
}

static int
name_of(struct network *n, struct linux_ifreq *r)
{
	struct interface_info i;
	int error = network_interface(n, (uint32_t)r->number, &i);

	if (!error)
		memcpy(r->name, i.name, sizeof(r->name));
	return error;
}

long
socket_network_command(struct socket *s, unsigned int command, uintptr_t arg)
{
	struct network *n = (struct network *)s->net;
	struct linux_ifreq __user *user = __force_user(struct linux_ifreq __user *, arg);
	struct interface_info i;
	struct linux_ifreq r;
	int error;

	if (command == SIOCGIFCONF)
		return list_addresses(n, user);
	if (command == SIOCADDRT || command == SIOCDELRT)
		return capable_in(s->net->owner, CAP_NET_ADMIN) ? change_route(n, command, user) : -EPERM;
	if (command == SIOCETHTOOL) /* no link has anything to tell there */
		return -EOPNOTSUPP;
	if (command < SIOCGIFNAME || command > SIOCGIFMAP)
		return -ENOTTY;
	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	r.name[INTERFACE_NAME_MAX] = '\0';
	error = command == SIOCGIFNAME ? name_of(n, &r) : find_interface(n, &r, &i);
	if (error)
		return error;
	if (changes(command))
		return change_interface(n, command, &i, &r);
	error = command == SIOCGIFNAME ? 0 : show_interface(n, command, &i, &r);
	return error ? error : copy_to_user(user, &r, sizeof(r));
}
