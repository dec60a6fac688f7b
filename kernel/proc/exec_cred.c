/* SPDX-License-Identifier: MIT */
/*
 * exec_cred.c - who the caller will be in the new program: set-user-id, set-group-id, capabilities.
 *
 * The rules of capabilities(7), "Transformation of capabilities during execve", for files without
 * capabilities of their own: root, by real or effective id, has all of them (up to the bounding set)
 * unless SECBIT_NOROOT is set.
 */
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/ptrace.h>
#include <tessera/namespace.h>

#include "exec.h"
#include "proc.h"

#define SECBIT_NOROOT    BIT(0)
#define SECBIT_KEEP_CAPS BIT(4)

static void
apply_set_id_bits(struct cred *c, struct file *f)
{
	const struct user_namespace *ns = c->user_ns;
	mode_t mode = f->inode->mode;

	/* A mount of other namespaces, or its ids unknown here: the bits speak of other users. */
	if (!f->mount || !mount_may_set_id(f->mount, ns) ||
	    id_map_out(ns, &ns->uids, f->inode->uid) == ID_INVALID ||
	    id_map_out(ns, &ns->gids, f->inode->gid) == ID_INVALID)
		return;
	if (READ_ONCE(current_thread()->no_new_privs) || !f->mount || (READ_ONCE(f->mount->flags) & MOUNT_NOSUID))
		return;
	if (mode & S_ISUID)
		c->euid = f->inode->uid;
	/* Without group execution the bit means mandatory locking. */
	if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		c->egid = f->inode->gid;
}

struct cred *
exec_cred(struct file *f, bool *secure)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_copy(old);
	bool effective = false, set_id;
	uid_t root = id_map_in(old->user_ns, &old->user_ns->uids, 0);
	uint64_t permitted = 0;

	if (!c)
		return NULL;
	apply_set_id_bits(c, f);
	set_id = c->euid != old->uid || c->egid != old->gid;
	if (!(c->securebits & SECBIT_NOROOT) && root != ID_INVALID && (c->euid == root || c->uid == root)) {
		permitted = c->cap_bounding | c->cap_inheritable;
		effective = c->euid == root;
	}
	/*
	 * A traced program gains nothing that its tracer could then take, unless that may trace anybody. Who
	 * may set his user id freely keeps the new one: it is no gain.
	 */
	if ((set_id || (permitted & ~old->cap_permitted)) && !ptrace_tracer_capable()) {
		if (!cred_capable_in(old, old->user_ns, CAP_SETUID)) {
			c->euid = c->uid;
			c->egid = c->gid;
		}
		permitted &= old->cap_permitted;
		set_id = c->euid != old->uid || c->egid != old->gid;
		effective = effective && c->euid == root;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (set_id)
		c->cap_ambient = 0;
	c->cap_permitted = permitted | c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	c->securebits &= ~SECBIT_KEEP_CAPS;
	*secure = set_id || (c->uid != root && (effective || (c->cap_permitted & ~c->cap_ambient)));
	return c;
}
