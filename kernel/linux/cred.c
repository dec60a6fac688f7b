/* SPDX-License-Identifier: MIT */
/*
 * cred.c - user and group ids, groups, capabilities. Rules: credentials(7), capabilities(7).
 */
#include <tessera/cred.h>
#include <tessera/namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "linux.h"

#define ID_NONE ((uint32_t)-1)

#define SECBIT_NO_SETUID_FIXUP BIT(2)
#define SECBIT_KEEP_CAPS       BIT(4)

long linux_getuid(void) { return uid_shown(current_cred()->uid); }
long linux_geteuid(void) { return uid_shown(current_cred()->euid); }
long linux_getgid(void) { return gid_shown(current_cred()->gid); }
long linux_getegid(void) { return gid_shown(current_cred()->egid); }

/* Root who stops being root in all ids loses its capabilities; one who merely changes its effective or
 * file-system id loses the matching ones for that time. */
static void
fix_capabilities(struct cred *c, const struct cred *old)
{
	const uint64_t fs_caps = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
				 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) |
				 BIT(CAP_MKNOD);
	uid_t root = uid_from_user(0);
	bool was_root = old->uid == root || old->euid == root || old->suid == root;
	bool is_root = c->uid == root || c->euid == root || c->suid == root;

	if ((c->securebits & SECBIT_NO_SETUID_FIXUP) || root == ID_INVALID)
		return;
	if (was_root && !is_root) {
		if (!(c->securebits & SECBIT_KEEP_CAPS)) {
			c->cap_permitted = 0;
			c->cap_effective = 0;
		}
		c->cap_ambient = 0;
	}
	if (old->euid == root && c->euid != root)
		c->cap_effective = 0;
	if (old->euid != root && c->euid == root)
		c->cap_effective = c->cap_permitted;
	if (old->fsuid == root && c->fsuid != root)
		c->cap_effective &= ~fs_caps;
	if (old->fsuid != root && c->fsuid == root)
		c->cap_effective |= c->cap_permitted & fs_caps;
}

/* The four ids of a kind. The calls for users and for groups follow the same rules. */
enum kind { USERS, GROUPS };

struct ids {
	uint32_t real, effective, saved, fs;
};

static struct ids
ids_of(const struct cred *c, enum kind kind)
{
	if (kind == USERS)
		return (struct ids){ c->uid, c->euid, c->suid, c->fsuid };
	return (struct ids){ c->gid, c->egid, c->sgid, c->fsgid };
}

static bool
privileged(enum kind kind)
{
	return capable_here(kind == USERS ? CAP_SETUID : CAP_SETGID);
}

/* The caller's credentials, but with `ids`. 0 or -ENOMEM. */
static long
install(enum kind kind, const struct ids *ids)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_copy(old);

	if (!c)
		return -ENOMEM;
	if (kind == USERS) {
		c->uid = ids->real;
		c->euid = ids->effective;
		c->suid = ids->saved;
		c->fsuid = ids->fs;
		fix_capabilities(c, old);
	} else {
		c->gid = ids->real;
		c->egid = ids->effective;
		c->sgid = ids->saved;
		c->fsgid = ids->fs;
	}
	cred_install(c);
	return 0;
}

/* Is `id` none, or one that the caller has already? */
static bool
has(const struct ids *ids, uint32_t id)
{
	return id == ID_NONE || id == ids->real || id == ids->effective || id == ids->saved;
}

/* `id` as the kernel numbers it; none stays none. -EINVAL: it is nobody's in the caller's namespace. */
static int
take_id(enum kind kind, uint32_t *id)
{
	if (*id == ID_NONE)
		return 0;
	*id = kind == USERS ? uid_from_user(*id) : gid_from_user(*id);
	return *id == ID_INVALID ? -EINVAL : 0;
}

static long
set_three(enum kind kind, uint32_t real, uint32_t effective, uint32_t saved)
{
	struct ids ids = ids_of(current_cred(), kind);

	if (take_id(kind, &real) || take_id(kind, &effective) || take_id(kind, &saved))
		return -EINVAL;
	if (!(has(&ids, real) && has(&ids, effective) && has(&ids, saved)) && !privileged(kind))
		return -EPERM;
	if (real != ID_NONE)
		ids.real = real;
	if (effective != ID_NONE)
		ids.effective = effective;
	if (saved != ID_NONE)
		ids.saved = saved;
	ids.fs = ids.effective;
	return install(kind, &ids);
}

/* The saved id follows the effective one if the real one is set, or the effective one to what was not real. */
static long
set_two(enum kind kind, uint32_t real, uint32_t effective)
{
	struct ids old = ids_of(current_cred(), kind), ids = old;
	bool may_real;

	if (take_id(kind, &real) || take_id(kind, &effective))
		return -EINVAL;
	may_real = real == ID_NONE || real == old.real || real == old.effective;
	if (!(may_real && has(&old, effective)) && !privileged(kind))
		return -EPERM;
	if (real != ID_NONE)
		ids.real = real;
	if (effective != ID_NONE)
		ids.effective = effective;
	if (real != ID_NONE || (effective != ID_NONE && effective != old.real))
		ids.saved = ids.effective;
	ids.fs = ids.effective;
	return install(kind, &ids);
}

static long
set_one(enum kind kind, uint32_t id)
{
	struct ids ids = ids_of(current_cred(), kind);

	if (id == ID_NONE || take_id(kind, &id))
		return -EINVAL;
	if (privileged(kind))
		ids.real = ids.saved = id;
	else if (id != ids.real && id != ids.saved)
		return -EPERM;
	ids.effective = ids.fs = id;
	return install(kind, &ids);
}

/* Returns the old id, whether it was changed or not. */
static long
set_fs(enum kind kind, uint32_t id)
{
	struct ids ids = ids_of(current_cred(), kind);
	uint32_t before = kind == USERS ? uid_shown(ids.fs) : gid_shown(ids.fs);

	if (id == ID_NONE || take_id(kind, &id) || id == ids.fs || !(has(&ids, id) || privileged(kind)))
		return before;
	ids.fs = id;
	(void)install(kind, &ids);
	return before;
}

long
linux_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	return set_three(USERS, ruid, euid, suid);
}

long
linux_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
	return set_three(GROUPS, rgid, egid, sgid);
}

long
linux_setreuid(uid_t ruid, uid_t euid)
{
	return set_two(USERS, ruid, euid);
}

long
linux_setregid(gid_t rgid, gid_t egid)
{
	return set_two(GROUPS, rgid, egid);
}

long
linux_setuid(uid_t uid)
{
	return set_one(USERS, uid);
}

long
linux_setgid(gid_t gid)
{
	return set_one(GROUPS, gid);
}

long
linux_setfsuid(uid_t uid)
{
	return set_fs(USERS, uid);
}

long
linux_setfsgid(gid_t gid)
{
	return set_fs(GROUPS, gid);
}

static long
put_three(uint32_t __user *a, uint32_t x, uint32_t __user *b, uint32_t y, uint32_t __user *c, uint32_t z)
{
	return put_user(x, a) || put_user(y, b) || put_user(z, c) ? -EFAULT : 0;
}

long
linux_getresuid(uid_t __user *r, uid_t __user *e, uid_t __user *s)
{
	const struct cred *c = current_cred();

	return put_three(r, uid_shown(c->uid), e, uid_shown(c->euid), s, uid_shown(c->suid));
}

long
linux_getresgid(gid_t __user *r, gid_t __user *e, gid_t __user *s)
{
	const struct cred *c = current_cred();

	return put_three(r, gid_shown(c->gid), e, gid_shown(c->egid), s, gid_shown(c->sgid));
}

/* --- supplementary groups --------------------------------------------------------------------- */

long
linux_getgroups(int size, gid_t __user *list)
{
	const struct cred *c = current_cred();

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->group_count;
	if ((uint32_t)size < c->group_count)
		return -EINVAL;
	for (uint32_t i = 0; i < c->group_count; i++)
		if (put_user(gid_shown(c->groups[i]), list + i))
			return -EFAULT;
	return c->group_count;
}

/* Heap sort: no recursion, no worst case, for what a program chose. */
static void
sift_down(gid_t *g, uint32_t i, uint32_t n)
{
	for (;;) {
		uint32_t child = 2 * i + 1;
		gid_t swap;

		if (child >= n)
			return;
		if (child + 1 < n && g[child + 1] > g[child])
			child++;
		if (g[i] >= g[child])
			return;
		swap = g[i];
		g[i] = g[child];
		g[child] = swap;
		i = child;
	}
}

static void
sort_groups(gid_t *g, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift_down(g, i, n);
	for (uint32_t end = n; end-- > 1;) {
		gid_t top = g[0];

		g[0] = g[end];
		g[end] = top;
		sift_down(g, 0, end);
	}
}

long
linux_setgroups(int size, const gid_t __user *list)
{
	gid_t *groups = NULL;
	struct cred *c;

	if (!capable_here(CAP_SETGID) || !setgroups_allowed(current_cred()->user_ns))
		return -EPERM;
	if ((unsigned int)size > GROUPS_MAX)
		return -EINVAL;
	if (size > 0) {
		groups = kmalloc(size * sizeof(gid_t), 0);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, list, size * sizeof(gid_t))) {
			kfree(groups);
			return -EFAULT;
		}
		for (int i = 0; i < size; i++) {
			groups[i] = gid_from_user(groups[i]);
			if (groups[i] == ID_INVALID) {
				kfree(groups);
				return -EINVAL;
			}
		}
		sort_groups(groups, size);
	}
	c = cred_copy(current_cred());
	if (!c) {
		kfree(groups);
		return -ENOMEM;
	}
	kfree(c->groups);
	c->groups = groups;
	c->group_count = size;
	cred_install(c);
	return 0;
}

/* --- capabilities ----------------------------------------------------------------------------- */

#define CAPABILITY_V1 0x19980330u
#define CAPABILITY_V2 0x20071026u
#define CAPABILITY_V3 0x20080522u

struct cap_header {
	uint32_t version;
	pid_t pid;
};

struct cap_data {
	uint32_t effective, permitted, inheritable;
};

/* How many words of 32 bits the version has; 0: unknown, and the header now says what we prefer. */
static int
cap_words(struct cap_header *h, void __user *uheader, int *error)
{
	uint32_t __user *version = uheader; /* the first member */
	int words = 0;

	*error = -EFAULT;
	if (get_user(h->version, version))
		return 0;
	if (h->version == CAPABILITY_V1)
		words = 1;
	else if (h->version == CAPABILITY_V2 || h->version == CAPABILITY_V3)
		words = 2;
	else if (put_user(CAPABILITY_V3, version) == 0)
		*error = -EINVAL;
	if (words == 0 || copy_from_user(h, uheader, sizeof(*h)))
		return 0;
	*error = 0;
	return words;
}

long
linux_capget(void __user *uheader, void __user *udata)
{
	struct cap_data data[2];
	struct cap_header h;
	struct thread *t;
	struct cred *c;
	int error, words = cap_words(&h, uheader, &error);

	if (words == 0)
		return error == -EINVAL && !udata ? 0 : error;
	if (h.pid < 0)
		return -EINVAL;
	t = h.pid ? thread_find(h.pid) : current_thread();
	if (!t)
		return -ESRCH;
	c = thread_cred(t);
	if (h.pid)
		thread_put(t);
	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(c->cap_effective >> (32 * i));
		data[i].permitted = (uint32_t)(c->cap_permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(c->cap_inheritable >> (32 * i));
	}
	cred_put(c);
	return udata ? copy_to_user(udata, data, words * sizeof(data[0])) : 0;
}

long
linux_capset(void __user *uheader, const void __user *udata)
{
	uint64_t effective = 0, permitted = 0, inheritable = 0;
	const struct cred *old = current_cred();
	struct cap_data data[2];
	struct cap_header h;
	struct cred *c;
	int error, words = cap_words(&h, uheader, &error);

	if (words == 0)
		return error;
	if (h.pid != 0 && h.pid != current_thread()->local_tid)
		return -EPERM;
	if (copy_from_user(data, udata, words * sizeof(data[0])))
		return -EFAULT;
	for (int i = 0; i < words; i++) {
		effective |= (uint64_t)data[i].effective << (32 * i);
		permitted |= (uint64_t)data[i].permitted << (32 * i);
		inheritable |= (uint64_t)data[i].inheritable << (32 * i);
	}
	effective &= CAP_FULL;
	permitted &= CAP_FULL;
	inheritable &= CAP_FULL;
	if (!capable_here(CAP_SETPCAP) && (inheritable & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	if ((permitted & ~old->cap_permitted) || (effective & ~permitted))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->cap_effective = effective;
	c->cap_permitted = permitted;
	c->cap_inheritable = inheritable;
	c->cap_ambient &= permitted & inheritable;
	cred_install(c);
	return 0;
}
