/* SPDX-License-Identifier: MIT */
/*
 * cred.h - who a process is: ids, groups, capabilities. Immutable once installed: a change makes a
 * new one (copy, alter, install under process->lock).
 */
#ifndef TESSERA_CRED_H
#define TESSERA_CRED_H

#include <tessera/atomic.h>
#include <tessera/types.h>

#define GROUPS_MAX 65536

/* Linux's capability numbers in use. */
#define CAP_CHOWN 0
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER 3
#define CAP_WAKE_ALARM 35
#define CAP_FSETID 4
#define CAP_KILL 5
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SETPCAP 8
#define CAP_LINUX_IMMUTABLE 9
#define CAP_NET_BIND_SERVICE 10
#define CAP_NET_ADMIN 12
#define CAP_NET_RAW   13
#define CAP_IPC_LOCK 14
#define CAP_IPC_OWNER 15
#define CAP_SYS_MODULE 16
#define CAP_SYS_RAWIO 17
#define CAP_SYS_CHROOT 18
#define CAP_SYS_PTRACE 19
#define CAP_SYS_PACCT 20
#define CAP_SYS_ADMIN 21
#define CAP_SYS_BOOT 22
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24
#define CAP_SYS_TIME 25
#define CAP_SYS_TTY_CONFIG 26
#define CAP_MKNOD 27
#define CAP_LEASE 28
#define CAP_AUDIT_WRITE 29
#define CAP_SETFCAP 31
#define CAP_SYSLOG 34
#define CAP_CHECKPOINT_RESTORE 40
#define CAP_LAST 40
#define CAP_FULL (BIT(CAP_LAST + 1) - 1)

struct key;
struct thread;
struct user_namespace;

struct cred {
	struct refcount refs;
	uid_t uid, euid, suid, fsuid;
	gid_t gid, egid, sgid, fsgid;
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	uint8_t default_keyring;        /* enum key_default */
	struct key *thread_keyring, *process_keyring, *session_keyring; /* references; NULL: none (yet) */
	struct user_namespace *user_ns; /* reference; the capabilities are over it */
	uint32_t group_count;
	gid_t *groups;       /* sorted */
};

/* References; at the last the groups go too. NULL is nothing to put. */
void cred_get(struct cred *c);
void cred_put(struct cred *c);
struct cred *cred_copy(const struct cred *c); /* refs 1; NULL: no memory */
/* The calling thread's credentials: borrowed, valid until it changes them itself. */
const struct cred *current_cred(void);
/* Make `c` the calling thread's; takes over the reference. */
void cred_install(struct cred *c);
/* Another thread's credentials with a reference. */
struct cred *thread_cred(struct thread *t);
/* Over the whole system: the first user namespace. Over others: <tessera/namespace.h>. */
bool cred_capable(const struct cred *c, int cap);
bool capable(int cap);  /* of the caller */
bool cred_in_group(const struct cred *c, gid_t gid); /* fsgid or a supplementary group */
extern struct cred init_cred;

#endif
