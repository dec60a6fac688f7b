/* SPDX-License-Identifier: MIT */
/*
 * tun.c - ioctls of /dev/net/tun: <linux/if_tun.h>'s numbers, <linux/if.h>'s struct ifreq.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/string.h>
#include <tessera/tun.h>
#include <tessera/uaccess.h>

#include "tun.h"

#define TUNSETNOCSUM    0x400454c8u
#define TUNSETDEBUG     0x400454c9u
#define TUNSETIFF       0x400454cau
#define TUNSETPERSIST   0x400454cbu
#define TUNSETOWNER     0x400454ccu
#define TUNSETGROUP     0x400454ceu
#define TUNGETFEATURES  0x800454cfu
#define TUNSETOFFLOAD   0x400454d0u
#define TUNGETIFF       0x800454d2u
#define TUNGETSNDBUF    0x800454d3u
#define TUNSETSNDBUF    0x400454d4u
#define TUNSETCARRIER   0x400454e2u

#define IFF_TUN       0x0001u
#define IFF_TAP       0x0002u
#define IFF_PERSIST   0x0800u
#define IFF_NO_PI     0x1000u
#define IFF_ONE_QUEUE 0x2000u
#define IFF_TUN_EXCL  0x8000u
#define FEATURES      (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE)

struct linux_tun_ifreq {
	char name[16];
	uint16_t flags;
	uint8_t rest[22];
};
_Static_assert(sizeof(struct linux_tun_ifreq) == 40, "struct ifreq");

static long
set_interface(struct tun_file *f, void __user *arg)
{
	struct linux_tun_ifreq r;
	struct tun_wish w = { 0 };
	int error;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	r.name[sizeof(r.name) - 1] = 0;
	if (!(r.flags & (IFF_TUN | IFF_TAP)))
		return -EINVAL;
	if (r.flags & ~(FEATURES | IFF_TUN_EXCL | IFF_PERSIST))
		return -EINVAL; /* several queues, virtio's headers */
	w.tap = !(r.flags & IFF_TUN);
	w.header = !(r.flags & IFF_NO_PI);
	w.exclusive = r.flags & IFF_TUN_EXCL;
	memcpy(w.name, r.name, sizeof(w.name));
	error = tun_attach(f, &w);
	if (error)
		return error;
	memcpy(r.name, w.name, sizeof(r.name));
	return copy_to_user(arg, &r, sizeof(r));
}

static long
get_interface(struct tun_file *f, void __user *arg)
{
	struct linux_tun_ifreq r = { 0 };
	struct tun_wish w;
	bool persists;
	int error = tun_wish_of(f, &w, &persists);

	if (error)
		return error;
	memcpy(r.name, w.name, sizeof(r.name));
	r.flags = (uint16_t)((w.tap ? IFF_TAP : IFF_TUN) | (w.header ? 0 : IFF_NO_PI) | (persists ? IFF_PERSIST : 0));
	return copy_to_user(arg, &r, sizeof(r));
}

static long
carrier(struct tun_file *f, const int __user *arg)
{
	int n;

	return get_user(n, arg) ? -EFAULT : tun_set_carrier(f, n);
}

/* Who may attach to it; the argument itself is the number. */
static long
owner(struct tun_file *f, uint32_t id, bool group)
{
	uint32_t known = group ? gid_from_user(id) : uid_from_user(id);

	return known == UINT32_MAX ? -EINVAL : tun_set_owner(f, known, known, group);
}

long
tun_command(struct tun_file *f, unsigned int command, uintptr_t arg)
{
	struct tun_wish w;
	bool persists;

	switch (command) {
	case TUNGETFEATURES:
		return put_user(FEATURES, (uint32_t __user *)arg);
	case TUNSETIFF:
		return set_interface(f, (void __user *)arg);
	}
	if (tun_wish_of(f, &w, &persists))
		return -EBADFD;
	switch (command) {
	case TUNGETIFF:
		return get_interface(f, (void __user *)arg);
	case TUNSETPERSIST:
		return tun_set_persist(f, arg);
	case TUNSETOWNER:
		return owner(f, (uint32_t)arg, false);
	case TUNSETGROUP:
		return owner(f, (uint32_t)arg, true);
	case TUNSETCARRIER:
		return carrier(f, (const int __user *)arg);
	case TUNSETNOCSUM:
	case TUNSETDEBUG:
		return 0;
	case TUNSETOFFLOAD:
		return arg ? -EINVAL : 0;
	case TUNGETSNDBUF:
		return put_user(INT32_MAX, (int __user *)arg);
	case TUNSETSNDBUF:
		return 0;
	}
	return -EINVAL;
}
