/* SPDX-License-Identifier: MIT */
/*
 * tun.h - interfaces behind which a program stands: what it writes to /dev/net/tun comes in by them, what goes out it reads.
 */
#ifndef TESSERA_TUN_H
#define TESSERA_TUN_H

#include <tessera/network.h>

struct file;
struct packet;

/* What one opening of the device leads to. */
struct tun_file;
struct tun_file *file_tun(const struct file *f); /* NULL: it is none */

struct tun_wish {
	char name[INTERFACE_NAME_MAX + 1]; /* "": tun%d or tap%d; with %d: the first that is free. Out: which it is */
	bool tap;                          /* frames of Ethernet; else IP packets */
	bool header;                       /* four bytes before each: flags, and the protocol as Ethernet has it */
	bool exclusive;                    /* not one that is there already */
};

/*
 * The open file becomes that interface's, which is made unless it is there and waits for a program. -EPERM: the caller has neither
 * CAP_NET_ADMIN nor owns it; -EBUSY: somebody has it, or with `exclusive` it is there; -EINVAL: of another kind; -EEXIST: the file has one.
 */
int tun_attach(struct tun_file *f, struct tun_wish *w);
/* What tun_attach() was asked for, and whether the interface persists. -EBADFD: nothing yet. */
int tun_wish_of(struct tun_file *f, struct tun_wish *w, bool *persists);
int tun_set_persist(struct tun_file *f, bool on);                  /* -EBADFD */
int tun_set_owner(struct tun_file *f, uid_t uid, gid_t gid, bool group); /* who may attach to it; -EBADFD */
int tun_set_carrier(struct tun_file *f, bool on);                  /* -EBADFD */
/* What is sent by interface `index` of the first network: the program reads it. Takes `p` over. */
void tun_send(uint32_t index, struct packet *p);
/* Those of a network that ends go, which are no open file's: the others keep it. Their interfaces are the caller's to remove. */
void tun_network_ends(struct network *n);
void tun_init(void);

#endif
