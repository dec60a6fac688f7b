/* SPDX-License-Identifier: MIT */
/*
 * file_caps.c - security.capability as programs read and write it: struct vfs_cap_data of linux/capability.h.
 *
 *	offset 0   revision in the top byte, effective in bit 0
 *	       4   permitted, 0 to 31; inheritable, 0 to 31; permitted, 32 to 63; inheritable, 32 to 63
 *	      20   revision 3: the user who is root where it counts, as the reader's namespace numbers users
 *
 * Revision 2 means root of the file system's own user namespace. What is read is of the revision that tells the
 * reader what it is for: 2 for one's own root, 3 for another's.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file_caps.h>
#include <tessera/inode.h>
#include <tessera/string.h>

#include "file_caps.h"

#define REVISION_MASK 0xff000000u
#define REVISION_2    0x02000000u
#define REVISION_3    0x03000000u
#define EFFECTIVE     1u

struct linux_file_caps {
	uint32_t magic;
	uint32_t permitted_low, inheritable_low, permitted_high, inheritable_high;
	uint32_t root;
};

_Static_assert(sizeof(struct linux_file_caps) == 24, "struct vfs_ns_cap_data");

#define SIZE_2 20
#define SIZE_3 24

static bool
is_sane(const struct linux_file_caps *l, size_t size)
{
	uint32_t revision = l->magic & REVISION_MASK;

	return (size == SIZE_2 && revision == REVISION_2) || (size == SIZE_3 && revision == REVISION_3);
}

long
file_caps_set(struct inode *i, const void *value, size_t size, int flags)
{
	const struct user_namespace *ns = current_cred()->user_ns, *of = i->fs->user_ns;
	struct linux_file_caps l = { 0 };
	struct file_caps caps;

	memcpy(&l, value, MIN(size, sizeof(l)));
	if (!is_sane(&l, size))
		return -EINVAL;
	if (!inode_capable(i, CAP_SETFCAP))
		return -EPERM;
	/* Who may set them for the whole file system does so by the short form, others for their own root. */
	if (size == SIZE_2 && capable_in(of, CAP_SETFCAP))
		ns = of;
	caps.root = id_map_in(ns, &ns->uids, l.root);
	if (caps.root == ID_INVALID || id_map_out(of, &of->uids, caps.root) == ID_INVALID)
		return -EINVAL;
	caps.permitted = l.permitted_low | (uint64_t)l.permitted_high << 32;
	caps.inheritable = l.inheritable_low | (uint64_t)l.inheritable_high << 32;
	caps.effective = l.magic & EFFECTIVE;
	return inode_set_caps(i, &caps, flags);
}

long
file_caps_get(struct inode *i, void *value, size_t size)
{
	const struct user_namespace *ns = current_cred()->user_ns;
	struct linux_file_caps l;
	struct file_caps caps;
	uint32_t root;
	long error = inode_get_caps(i, &caps);
	size_t length;

	if (error)
		return error;
	root = id_map_out(ns, &ns->uids, caps.root);
	length = root != ID_INVALID && root != 0 ? SIZE_3 : SIZE_2;
	if (length == SIZE_2 && !file_caps_count_in(&caps, ns))
		return -EOVERFLOW;
	l = (struct linux_file_caps){
		.magic = (length == SIZE_3 ? REVISION_3 : REVISION_2) | (caps.effective ? EFFECTIVE : 0),
		.permitted_low = (uint32_t)caps.permitted,
		.permitted_high = (uint32_t)(caps.permitted >> 32),
		.inheritable_low = (uint32_t)caps.inheritable,
		.inheritable_high = (uint32_t)(caps.inheritable >> 32),
		.root = root,
	};
	if (size && size < length)
		return -ERANGE;
	if (size)
		memcpy(value, &l, length);
	return (long)length;
}
