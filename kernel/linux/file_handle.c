/* SPDX-License-Identifier: MIT */
/*
 * file_handle.c - name_to_handle_at, open_by_handle_at: a file's key as Linux's struct file_handle holds it.
 *
 * The bytes are those of Linux's tmpfs, of type 1: the generation, then the inode's number, low half first; or, of file
 * systems that find their files themselves, those of its FUSE, of type 0x81: the node, high half first, then its generation.
 * Programs keep them and give them back; they are checked like any other input.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/uaccess.h>

#include "linux.h"
#include "open_flags.h"
#include "user_name.h"

#define HANDLE_BYTES_MAX 128
#define HANDLE_TYPE      1
#define HANDLE_TYPE_OWN  0x81

struct linux_file_handle {
	uint32_t bytes; /* of what follows the type */
	int32_t type;
};

struct handle_body {
	uint32_t generation, inode_low, inode_high;
};
struct handle_body_own {
	uint32_t inode_high, inode_low, generation;
};
_Static_assert(sizeof(struct handle_body_own) == sizeof(struct handle_body), "the handles of FUSE");
_Static_assert(sizeof(struct handle_body) == 12, "the handles of tmpfs");

static long
handle_out(const struct path *p, struct linux_file_handle __user *out, int __user *mount_id)
{
	struct { struct linux_file_handle head; union { struct handle_body body; struct handle_body_own own; }; } h;
	size_t size = sizeof(h.head);
	struct file_key key;
	uint32_t room;
	long error = vfs_file_key(p, &key);

	if (error)
		return error;
	if (copy_from_user(&h.head, out, sizeof(h.head)))
		return -EFAULT;
	room = h.head.bytes;
	if (room > HANDLE_BYTES_MAX)
		return -EINVAL;
	h.head = (struct linux_file_handle){ sizeof(h.body), key.own ? HANDLE_TYPE_OWN : HANDLE_TYPE };
	if (key.own)
		h.own = (struct handle_body_own){ (uint32_t)(key.inode >> 32), (uint32_t)key.inode, key.generation };
	else
		h.body = (struct handle_body){ key.generation, (uint32_t)key.inode, (uint32_t)(key.inode >> 32) };
	if (room < sizeof(h.body)) {
		h.head.type = 255; /* says to who looks that there was no room */
		error = -EOVERFLOW;
	} else {
		size = sizeof(h);
	}
	if (put_user((int)p->mount->id, mount_id) || copy_to_user(out, &h, size))
		return -EFAULT;
	return error;
}

long
linux_name_to_handle_at(int dirfd, const char __user *uname, struct linux_file_handle __user *out,
			int __user *mount_id, int flags)
{
	struct path p;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = user_path_lookup(dirfd, uname,
				 (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
					 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
				 &p);
	if (error)
		return error;
	error = handle_out(&p, out, mount_id);
	path_put(&p);
	return error;
}

/* Where an open file or the working directory is, with references. */
static int
place_of(int fd, struct path *out)
{
	struct file *f;
	int error = 0;

	if (fd == AT_FDCWD) {
		fs_context_cwd(out);
		return 0;
	}
	f = handle_get(fd, RIGHT_STAT, &error);
	if (!f)
		return error;
	*out = (struct path){ f->mount, f->dentry };
	if (f->mount)
		path_get(out);
	else
		error = -ESTALE;
	file_put(f);
	return error;
}

/* The key in a handle of a program. -EFAULT, -EINVAL; -ESTALE: none that was ever given out. */
static long
handle_in(const struct linux_file_handle __user *in, struct file_key *key, bool *foreign)
{
	struct linux_file_handle head;
	_Alignas(struct handle_body) uint8_t bytes[HANDLE_BYTES_MAX];
	const struct handle_body *body = (const void *)bytes;
	const struct handle_body_own *own = (const void *)bytes;

	if (copy_from_user(&head, in, sizeof(head)))
		return -EFAULT;
	if (head.bytes == 0 || head.bytes > HANDLE_BYTES_MAX)
		return -EINVAL;
	if (copy_from_user(bytes, in + 1, head.bytes))
		return -EFAULT;
	*foreign = head.bytes < sizeof(*body);
	if (*foreign)
		return 0;
	if (head.type == HANDLE_TYPE_OWN)
		*key = (struct file_key){ own->generation, own->inode_low | (ino_t)own->inode_high << 32, true };
	else
		*key = (struct file_key){ body->generation, body->inode_low | (ino_t)body->inode_high << 32, false };
	return 0;
}

long
linux_open_by_handle_at(int mount_fd, struct linux_file_handle __user *handle, int flags)
{
	struct handle_table *t = current_process()->handles;
	uint32_t open_flags = open_flags_known((uint32_t)flags);
	struct file_key key;
	struct path place, p;
	struct file *f;
	bool foreign;
	long error;
	int fd;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	error = handle_in(handle, &key, &foreign);
	if (error)
		return error;
	error = place_of(mount_fd, &place);
	if (error)
		return error;
	error = foreign ? -ESTALE : vfs_find_key(&place, &key, &p);
	path_put(&place);
	if (error)
		return error;
	fd = handle_reserve(t, 0,
		(uint32_t)MIN(process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)INT32_MAX));
	error = fd < 0 ? fd : open_flags_check(&open_flags);
	if (!error)
		error = vfs_open_found(&p, open_flags, &f);
	path_put(&p);
	if (!error)
		handle_install(t, fd, f, handle_rights_of(f), open_flags & O_CLOEXEC);
	else if (fd >= 0)
		handle_unreserve(t, fd);
	return error ? error : fd;
}
