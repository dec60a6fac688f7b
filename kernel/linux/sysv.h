/* SPDX-License-Identifier: MIT */
/*
 * sysv.h - what the calls of System V IPC share: commands, and how programs see who owns an object.
 */
#ifndef TESSERA_LINUX_SYSV_H
#define TESSERA_LINUX_SYSV_H

#include <tessera/sysv.h>

#define IPC_RMID 0
#define IPC_SET  1
#define IPC_STAT 2
#define IPC_INFO 3

struct linux_ipc_perm {
	int32_t key;
	uid_t uid;
	gid_t gid;
	uid_t cuid;
	gid_t cgid;
	uint32_t mode;
	uint16_t sequence, pad;
	uint32_t pad2;
	uint64_t unused[2];
};
_Static_assert(sizeof(struct linux_ipc_perm) == 48, "struct ipc64_perm");

static inline struct linux_ipc_perm
sysv_perm(const struct ipc_status *s)
{
	return (struct linux_ipc_perm){ .key = s->key, .uid = s->uid, .gid = s->gid, .cuid = s->cuid,
					.cgid = s->cgid, .mode = s->mode, .sequence = s->sequence };
}

static inline struct ipc_change
sysv_change(const struct linux_ipc_perm *p)
{
	return (struct ipc_change){ .uid = p->uid, .gid = p->gid, .mode = p->mode };
}

#endif
