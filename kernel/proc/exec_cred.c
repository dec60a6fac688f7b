/* SPDX-License-Identifier: MIT */
/*
 * exec_cred.c - who the caller will be in the new program: set-user-id, set-group-id, capabilities.
 *
 * The rules of capabilities(7), "Transformation of capabilities during execve". With P the caller's sets, F the
 * file's, P' the program's:
 *
 *	P'(ambient)     = 0 if the file has capabilities or changes an id, else P(ambient)
 *	P'(permitted)   = P(inheritable) & F(inheritable) | F(permitted) & P(bounding) | P'(ambient)
 *	P'(effective)   = F(effective) ? P'(permitted) : P'(ambient)
 *
 * For root, by real or effective id, F is all, and effective by the effective id: unless SECBIT_NOROOT is set, or a
 * file with capabilities of its own made somebody else root by its set-user-id bit.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/file_caps.h>
#include <tessera/inode.h>
#include <tessera/keys.h>
#include <tessera/ptrace.h>
#include <tessera/namespace.h>

#include "exec.h"
#include "proc.h"

#define SECBIT_NOROOT    BIT(0)
#define SECBIT_KEEP_CAPS BIT(4)

/* Do set-id bits and capabilities of files on that mount count for the caller? */
static bool
mount_counts(const struct file *f, const struct user_namespace *ns)
{
	return f->mount && mount_may_set_id(f->mount, ns) && !(READ_ONCE(f->mount->flags) & MOUNT_NOSUID);
}

static void
apply_set_id_bits(struct cred *c, struct file *f)
{
	const struct user_namespace *ns = c->user_ns;
	mode_t mode = f->inode->mode;

	/* A mount of other namespaces, or its ids unknown here: the bits speak of other users. */
	if (!mount_counts(f, ns) || id_map_out(ns, &ns->uids, f->inode->uid) == ID_INVALID ||
	    id_map_out(ns, &ns->gids, f->inode->gid) == ID_INVALID)
		return;
	if (READ_ONCE(current_thread()->no_new_privs))
		return;
	if (mode & S_ISUID)
		c->euid = f->inode->uid;
	/* Without group execution the bit means mandatory locking. */
	if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		c->egid = f->inode->gid;
}

/*
 * What the file's capabilities give: into c->cap_permitted. *has: it has some. -EPERM: it is not to have all that are
 * meant to be in force at once, and does not know how to ask.
 */
static int
apply_file_caps(struct cred *c, struct file *f, bool *has, bool *effective)
{
	struct file_caps caps;

	*has = *effective = false;
	c->cap_permitted = 0;
	if (!READ_ONCE(f->inode->has_caps) || !mount_counts(f, c->user_ns) || inode_get_caps(f->inode, &caps) ||
	    !file_caps_count_in(&caps, c->user_ns))
		return 0;
	caps.permitted &= CAP_FULL;
	caps.inheritable &= CAP_FULL;
	*has = true;
	*effective = caps.effective;
	c->cap_permitted = (c->cap_bounding & caps.permitted) | (c->cap_inheritable & caps.inheritable);
	return *effective && (caps.permitted & ~c->cap_permitted) ? -EPERM : 0;
}

/* Root has all of them, though not by a set-user-id bit beside capabilities. */
static void
apply_root(struct cred *c, uid_t root, bool has, bool *effective)
{
	if ((c->securebits & SECBIT_NOROOT) || root == ID_INVALID)
		return;
	if (has && c->uid != root && c->euid == root)
		return;
	if (c->euid == root || c->uid == root)
		c->cap_permitted = c->cap_bounding | c->cap_inheritable;
	if (c->euid == root)
		*effective = true;
}

static bool
changes_id(const struct cred *c, const struct cred *old)
{
	return c->euid != old->uid || c->egid != old->gid;
}

/*
 * A traced program gains nothing that its tracer could then take, unless that may trace anybody; one that shall have no
 * new privileges gains nothing at all. Who may set his user id freely keeps the new one: it is no gain.
 */
static void
withhold(struct cred *c, const struct cred *old)
{
	bool none = READ_ONCE(current_thread()->no_new_privs);

	if (!changes_id(c, old) && !(c->cap_permitted & ~old->cap_permitted))
		return;
	if (!none && ptrace_tracer_capable())
		return;
	if (none || !cred_capable_in(old, old->user_ns, CAP_SETUID)) {
		c->euid = c->uid;
		c->egid = c->gid;
	}
	c->cap_permitted &= old->cap_permitted;
}

struct cred *
exec_cred(struct file *f, bool *secure)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_copy(old);
	uid_t root = id_map_in(old->user_ns, &old->user_ns->uids, 0);
	bool effective, has, set_id;
	int error;

	if (!c)
		return ERR_PTR(-ENOMEM);
	apply_set_id_bits(c, f);
	error = apply_file_caps(c, f, &has, &effective);
	if (error) {
		cred_put(c);
		return ERR_PTR(error);
	}
	apply_root(c, root, has, &effective);
	set_id = changes_id(c, old);
	withhold(c, old);
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (has || set_id)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	c->securebits &= ~SECBIT_KEEP_CAPS;
	key_cred_new_process(c);
	*secure = set_id || (c->uid != root && (effective || (c->cap_permitted & ~c->cap_ambient)));
	return c;
}
