/* SPDX-License-Identifier: MIT */
/*
 * cred.c - user and group ids, groups, capabilities. Rules: credentials(7), capabilities(7).
 */
#include <tessera/cred.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "linux.h"

#define ID_NONE ((uint32_t)-1)

#define SECBIT_NO_SETUID_FIXUP BIT(2)
#define SECBIT_KEEP_CAPS       BIT(4)

long linux_getuid(void) { return current_cred()->uid; }
long linux_geteuid(void) { return current_cred()->euid; }
long linux_getgid(void) { return current_cred()->gid; }
long linux_getegid(void) { return current_cred()->egid; }

/* Root who stops being root in all ids loses its capabilities; one who merely changes its effective or
 * file-system id loses the matching ones for that time. */
static void
fix_capabilities(struct cred *c, const struct cred *old)
{
	const uint64_t fs_caps = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
				 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) |
				 BIT(CAP_MKNOD);
	bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool is_root = c->uid == 0 || c->euid == 0 || c->suid == 0;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(c->securebits & SECBIT_KEEP_CAPS)) {
			c->cap_permitted = 0;
			c->cap_effective = 0;
		}
		c->cap_ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
	if (old->fsuid == 0 && c->fsuid != 0)
		c->cap_effective &= ~fs_caps;
	if (old->fsuid != 0 && c->fsuid == 0)
		c->cap_effective |= c->cap_permitted & fs_caps;
}

static long
install_users(struct cred *c)
{
	fix_capabilities(c, current_cred());
	cred_install(c);
	return 0;
}

long
linux_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	const struct cred *old = current_cred();
	const uid_t wanted[] = { ruid, euid, suid };
	struct cred *c;

	for (int i = 0; i < 3; i++)
		if (wanted[i] != ID_NONE && wanted[i] != old->uid && wanted[i] != old->euid &&
		    wanted[i] != old->suid && !capable(CAP_SETUID))
			return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (ruid != ID_NONE)
		c->uid = ruid;
	if (euid != ID_NONE)
		c->euid = euid;
	if (suid != ID_NONE)
		c->suid = suid;
	c->fsuid = c->euid;
	return install_users(c);
}

long
linux_setreuid(uid_t ruid, uid_t euid)
{
	const struct cred *old = current_cred();
	bool privileged = capable(CAP_SETUID);
	struct cred *c;

	if (ruid != ID_NONE && ruid != old->uid && ruid != old->euid && !privileged)
		return -EPERM;
	if (euid != ID_NONE && euid != old->uid && euid != old->euid && euid != old->suid && !privileged)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (ruid != ID_NONE)
		c->uid = ruid;
	if (euid != ID_NONE)
		c->euid = euid;
	if (ruid != ID_NONE || (euid != ID_NONE && euid != old->uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	return install_users(c);
}

long
linux_setuid(uid_t uid)
{
	const struct cred *old = current_cred();
	struct cred *c;

	if (uid == ID_NONE)
		return -EINVAL;
	if (!capable(CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETUID))
		c->uid = c->suid = uid;
	c->euid = c->fsuid = uid;
	return install_users(c);
}

/* Returns the old id, whether it was changed or not. */
long
linux_setfsuid(uid_t uid)
{
	const struct cred *old = current_cred();
	uid_t before = old->fsuid;
	struct cred *c;

	if (uid == ID_NONE || uid == before)
		return before;
	if (uid != old->uid && uid != old->euid && uid != old->suid && !capable(CAP_SETUID))
		return before;
	c = cred_copy(old);
	if (c) {
		c->fsuid = uid;
		install_users(c);
	}
	return before;
}

long
linux_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
	const struct cred *old = current_cred();
	const gid_t wanted[] = { rgid, egid, sgid };
	struct cred *c;

	for (int i = 0; i < 3; i++)
		if (wanted[i] != ID_NONE && wanted[i] != old->gid && wanted[i] != old->egid &&
		    wanted[i] != old->sgid && !capable(CAP_SETGID))
			return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (rgid != ID_NONE)
		c->gid = rgid;
	if (egid != ID_NONE)
		c->egid = egid;
	if (sgid != ID_NONE)
		c->sgid = sgid;
	c->fsgid = c->egid;
	cred_install(c);
	return 0;
}

long
linux_setregid(gid_t rgid, gid_t egid)
{
	const struct cred *old = current_cred();
	bool privileged = capable(CAP_SETGID);
	struct cred *c;

	if (rgid != ID_NONE && rgid != old->gid && rgid != old->egid && !privileged)
		return -EPERM;
	if (egid != ID_NONE && egid != old->gid && egid != old->egid && egid != old->sgid && !privileged)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (rgid != ID_NONE)
		c->gid = rgid;
	if (egid != ID_NONE)
		c->egid = egid;
	if (rgid != ID_NONE || (egid != ID_NONE && egid != old->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	cred_install(c);
	return 0;
}

long
linux_setgid(gid_t gid)
{
	const struct cred *old = current_cred();
	struct cred *c;

	if (gid == ID_NONE)
		return -EINVAL;
	if (!capable(CAP_SETGID) && gid != old->gid && gid != old->sgid)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETGID))
		c->gid = c->sgid = gid;
	c->egid = c->fsgid = gid;
	cred_install(c);
	return 0;
}

long
linux_setfsgid(gid_t gid)
{
	const struct cred *old = current_cred();
	gid_t before = old->fsgid;
	struct cred *c;

	if (gid == ID_NONE || gid == before)
		return before;
	if (gid != old->gid && gid != old->egid && gid != old->sgid && !capable(CAP_SETGID))
		return before;
	c = cred_copy(old);
	if (c) {
		c->fsgid = gid;
		cred_install(c);
	}
	return before;
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

	return put_three(r, c->uid, e, c->euid, s, c->suid);
}

long
linux_getresgid(gid_t __user *r, gid_t __user *e, gid_t __user *s)
{
	const struct cred *c = current_cred();

	return put_three(r, c->gid, e, c->egid, s, c->sgid);
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
	if (copy_to_user(list, c->groups, c->group_count * sizeof(gid_t)))
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

	if (!capable(CAP_SETGID))
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
	*error = 0;
	if (copy_from_user(h, uheader, sizeof(*h))) {
		*error = -EFAULT;
		return 0;
	}
	switch (h->version) {
	case CAPABILITY_V1:
		return 1;
	case CAPABILITY_V2:
	case CAPABILITY_V3:
		return 2;
	}
	*error = put_user(CAPABILITY_V3, (uint32_t __user *)uheader) ? -EFAULT : -EINVAL;
	return 0;
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
	if (h.pid != 0 && h.pid != current_thread()->tid)
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
	if (!capable(CAP_SETPCAP) && (inheritable & ~(old->cap_inheritable | old->cap_permitted)))
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
