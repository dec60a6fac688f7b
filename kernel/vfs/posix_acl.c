/* SPDX-License-Identifier: MIT */
/*
 * posix_acl.c - access control lists: who they let in, how they are inherited, and their form as attributes.
 *
 * A list is an array of entries in this order: the owner, named users, the owning group, named groups, the mask (if
 * anybody is named), others. Owner and others repeat the mode's bits; so does the mask, or without one the owning
 * group. A list that says no more than that is not kept.
 *
 * Lists are shared by reference: by a directory and what was made in it. An inode's pointer is read under acl_lock,
 * which no reader holds for longer than it takes to get a reference.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/posix_acl.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfs.h"

enum acl_tag {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32,
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;               /* of USER and GROUP, in the first user namespace */
};

/* [I] once an inode has it */
struct posix_acl {
	struct refcount refs;
	uint32_t count;
	struct acl_entry entries[];
};

/* The attribute's bytes:	0  version, 2
 *				4  entries: tag (2), permissions (2), id (4) */
#define XATTR_VERSION 2u
#define XATTR_HEADER  4u
_Static_assert(sizeof(struct acl_entry) == 8, "an entry of the attribute");

static struct spinlock acl_lock = SPINLOCK_INIT(INODE_CACHE);

void
posix_acl_put(struct posix_acl *a)
{
	if (a && ref_put(&a->refs))
		kfree(a);
}

static struct posix_acl *
alloc(uint32_t count)
{
	struct posix_acl *a = kmalloc(sizeof(*a) + count * sizeof(a->entries[0]), 0);

	if (a) {
		ref_init(&a->refs);
		a->count = count;
	}
	return a;
}

static struct posix_acl *
copy(const struct posix_acl *from)
{
	struct posix_acl *a = alloc(from->count);

	if (a)
		memcpy(a->entries, from->entries, from->count * sizeof(from->entries[0]));
	return a;
}

/* What `slot` points to, with a reference. */
static struct posix_acl *
get(struct posix_acl *const *slot)
{
	struct posix_acl *a;

	if (!READ_ONCE(*slot))
		return NULL;
	spin_lock(&acl_lock);
	a = *slot;
	if (a)
		ref_get(&a->refs);
	spin_unlock(&acl_lock);
	return a;
}

static void
exchange(struct posix_acl **slot, struct posix_acl *a)
{
	struct posix_acl *old;

	spin_lock(&acl_lock);
	old = *slot;
	WRITE_ONCE(*slot, a);
	spin_unlock(&acl_lock);
	posix_acl_put(old);
}

void
posix_acl_replace(struct inode *i, struct posix_acl *a)
{
	exchange(&i->acl, a);
}

static const struct acl_entry *
find(const struct posix_acl *a, enum acl_tag tag)
{
	for (uint32_t n = 0; n < a->count; n++)
		if (a->entries[n].tag == tag)
			return &a->entries[n];
	return NULL;
}

/* --- the check ------------------------------------------------------------------------------------ */

/* The entry that decides about `c` and `want`, or NULL: groups it is in are named, and none lets it in. */
static const struct acl_entry *
deciding(const struct posix_acl *a, const struct inode *i, const struct cred *c, int want)
{
	bool member = false;

	for (uint32_t n = 0; n < a->count; n++) {
		const struct acl_entry *e = &a->entries[n];

		if (e->tag == TAG_USER && e->id == c->fsuid)
			return e;
		if ((e->tag == TAG_GROUP_OBJ && cred_in_group(c, i->gid)) ||
		    (e->tag == TAG_GROUP && cred_in_group(c, e->id))) {
			member = true;
			if ((e->perm & want) == want)
				return e;
		}
		if (e->tag == TAG_OTHER && !member)
			return e;
	}
	return NULL;
}

int
posix_acl_permission(const struct inode *i, int mask)
{
	struct posix_acl *a = get(&i->acl);
	const struct acl_entry *e, *most;
	int want = mask & 7, given = 0;

	if (!a)
		return -EAGAIN;
	e = deciding(a, i, current_cred(), want);
	if (e) {
		most = e->tag == TAG_OTHER ? NULL : find(a, TAG_MASK);
		given = most ? e->perm & most->perm : e->perm;
	}
	posix_acl_put(a);
	return (given & want) == want ? 0 : -EACCES;
}

/* --- lists and modes ------------------------------------------------------------------------------ */

/* The permission bits of the mode that `a` stands for; *more: it says more than a mode can. */
static mode_t
mode_of(const struct posix_acl *a, bool *more)
{
	mode_t mode = 0, group = 0;

	*more = false;
	for (uint32_t n = 0; n < a->count; n++) {
		mode_t perm = a->entries[n].perm;

		switch (a->entries[n].tag) {
		case TAG_USER_OBJ:
			mode |= perm << 6;
			break;
		case TAG_GROUP_OBJ:
			group = perm;
			break;
		case TAG_MASK:
			group = perm;
			*more = true;
			break;
		case TAG_OTHER:
			mode |= perm;
			break;
		default:
			*more = true;
		}
	}
	return mode | group << 3;
}

/* Give a's entries that stand for the mode the bits of `mode`; or, `only_less`, take those that are not in it. */
static void
apply_mode(struct posix_acl *a, mode_t mode, bool only_less)
{
	bool masked = find(a, TAG_MASK) != NULL;

	for (uint32_t n = 0; n < a->count; n++) {
		struct acl_entry *e = &a->entries[n];
		unsigned int shift;

		if (e->tag == TAG_USER_OBJ)
			shift = 6;
		else if (e->tag == (masked ? TAG_MASK : TAG_GROUP_OBJ))
			shift = 3;
		else if (e->tag == TAG_OTHER)
			shift = 0;
		else
			continue;
		e->perm = (uint16_t)((mode >> shift & 7) & (only_less ? e->perm : 7u));
	}
}

int
posix_acl_chmod(const struct inode *i, mode_t mode, struct posix_acl **out)
{
	*out = NULL;
	if (!i->acl)
		return 0;
	*out = copy(i->acl);
	if (!*out)
		return -ENOMEM;
	apply_mode(*out, mode, false);
	return 0;
}

mode_t
posix_acl_new_mode(const struct inode *dir, mode_t mode)
{
	return READ_ONCE(dir->default_acl) || dir->fs->type->own_umask ? mode : mode & ~fs_context_umask();
}

int
posix_acl_inherit(struct inode *i, const struct inode *dir)
{
	struct posix_acl *from = dir && !S_ISLNK(i->mode) ? get(&dir->default_acl) : NULL, *a;
	bool more;

	if (!from)
		return 0;
	a = copy(from);
	if (!a) {
		posix_acl_put(from);
		return -ENOMEM;
	}
	apply_mode(a, i->mode, true);
	i->mode = (i->mode & ~0777u) | mode_of(a, &more);
	if (more)
		i->acl = a;
	else
		posix_acl_put(a);
	if (S_ISDIR(i->mode))
		i->default_acl = from;
	else
		posix_acl_put(from);
	return 0;
}

/* --- as extended attributes ------------------------------------------------------------------------- */

/* Are the entries those of a list, and in its order? */
static bool
is_valid(const struct posix_acl *a)
{
	enum { OWNER, USERS, GROUPS, OTHERS, END } at = OWNER;
	bool named = false;

	for (uint32_t n = 0; n < a->count; n++) {
		const struct acl_entry *e = &a->entries[n];

		if (e->perm & ~7u)
			return false;
		if (e->tag == TAG_USER_OBJ && at == OWNER)
			at = USERS;
		else if (e->tag == TAG_USER && at == USERS)
			named = true;
		else if (e->tag == TAG_GROUP_OBJ && at == USERS)
			at = GROUPS;
		else if (e->tag == TAG_GROUP && at == GROUPS)
			named = true;
		else if (e->tag == TAG_MASK && at == GROUPS)
			at = OTHERS;
		else if (e->tag == TAG_OTHER && (at == OTHERS || (at == GROUPS && !named)))
			at = END;
		else
			return false;
	}
	return at == END;
}

/* The list in `value`, NULL when it is empty, ERR_PTR: -EINVAL, -EOPNOTSUPP, -ENOMEM. */
static struct posix_acl *
decode(const void *value, size_t size)
{
	struct posix_acl *a;
	uint32_t version;

	if (size < XATTR_HEADER)
		return ERR_PTR(-EINVAL);
	memcpy(&version, value, sizeof(version));
	if (version != XATTR_VERSION)
		return ERR_PTR(-EOPNOTSUPP);
	if ((size - XATTR_HEADER) % sizeof(struct acl_entry))
		return ERR_PTR(-EINVAL);
	if (size == XATTR_HEADER)
		return NULL;
	a = alloc((uint32_t)((size - XATTR_HEADER) / sizeof(struct acl_entry)));
	if (!a)
		return ERR_PTR(-ENOMEM);
	memcpy(a->entries, (const char *)value + XATTR_HEADER, size - XATTR_HEADER);
	for (uint32_t n = 0; n < a->count; n++) {
		struct acl_entry *e = &a->entries[n];

		if (e->tag == TAG_USER)
			e->id = uid_from_user(e->id);
		else if (e->tag == TAG_GROUP)
			e->id = gid_from_user(e->id);
		else
			continue;
		if (e->id == ID_INVALID) {
			posix_acl_put(a);
			return ERR_PTR(-EINVAL);
		}
	}
	return a;
}

static void
encode(const struct posix_acl *a, char *out)
{
	const struct user_namespace *ns = current_cred()->user_ns;
	uint32_t version = XATTR_VERSION;

	memcpy(out, &version, sizeof(version));
	out += XATTR_HEADER;
	for (uint32_t n = 0; n < a->count; n++, out += sizeof(struct acl_entry)) {
		struct acl_entry e = a->entries[n];

		if (e.tag == TAG_USER)
			e.id = id_map_out(ns, &ns->uids, e.id);
		else if (e.tag == TAG_GROUP)
			e.id = id_map_out(ns, &ns->gids, e.id);
		else
			e.id = ID_INVALID;
		memcpy(out, &e, sizeof(e));
	}
}

void
posix_acl_keep(struct inode *i, const void *value, size_t size)
{
	struct posix_acl *a = decode(value, size);

	if (IS_ERR(a))
		return;
	if (a && !is_valid(a)) {
		posix_acl_put(a);
		a = NULL;
	}
	exchange(&i->acl, a);
}

ssize_t
posix_acl_get_xattr(const struct inode *i, bool of_default, void *buf, size_t size)
{
	struct posix_acl *a;
	ssize_t n;

	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	a = get(of_default ? &i->default_acl : &i->acl);
	if (!a)
		return -ENODATA;
	n = (ssize_t)(XATTR_HEADER + a->count * sizeof(struct acl_entry));
	if (size && (size_t)n > size)
		n = -ERANGE;
	else if (size)
		encode(a, buf);
	posix_acl_put(a);
	return n;
}

/* i->lock is held for writing: the mode follows the list, which is not kept when the mode says it all. */
static void
set_access(struct inode *i, struct posix_acl *a)
{
	bool more;

	if (a) {
		i->mode = (i->mode & ~0777u) | mode_of(a, &more);
		if (!more) {
			posix_acl_put(a);
			a = NULL;
		}
		if (!cred_in_group(current_cred(), i->gid) && !inode_capable(i, CAP_FSETID))
			i->mode &= ~S_ISGID;
	}
	exchange(&i->acl, a);
}

int
posix_acl_set_xattr(struct inode *i, bool of_default, const void *value, size_t size)
{
	struct posix_acl *a = value ? decode(value, size) : NULL;
	int error = 0;

	if (IS_ERR(a))
		return (int)PTR_ERR(a);
	write_lock(&i->lock);
	if (S_ISLNK(i->mode))
		error = -EOPNOTSUPP;
	else if (of_default && !S_ISDIR(i->mode))
		error = a ? -EACCES : 0;
	else if (!inode_owner_or_capable(i))
		error = -EPERM;
	else if (a && !is_valid(a))
		error = -EINVAL;
	else if (of_default)
		exchange(&i->default_acl, a);
	else
		set_access(i, a);
	if (!error)
		i->changed = inode_now();
	write_unlock(&i->lock);
	if (error)
		posix_acl_put(a);
	return error;
}
