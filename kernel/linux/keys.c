/* SPDX-License-Identifier: MIT */
/*
 * keys.c - add_key, request_key, keyctl.
 */
#include <tessera/errno.h>
#include <tessera/cred.h>
#include <tessera/keys.h>
#include <tessera/namespace.h>
#include <tessera/page.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "linux.h"
#include "user_name.h"

#define PAYLOAD_LIMIT (1024 * 1024 - 1)

enum {
	GET_KEYRING_ID,
	JOIN_SESSION_KEYRING,
	UPDATE,
	REVOKE,
	CHOWN,
	SETPERM,
	DESCRIBE,
	CLEAR,
	LINK,
	UNLINK,
	SEARCH,
	READ,
	INSTANTIATE,
	NEGATE,
	SET_REQKEY_KEYRING,
	SET_TIMEOUT,
	ASSUME_AUTHORITY,
	GET_SECURITY,
	SESSION_TO_PARENT,
	REJECT,
	INSTANTIATE_IOV,
	INVALIDATE,
	GET_PERSISTENT,
	RESTRICT_KEYRING = 29,
	MOVE,
	CAPABILITIES,
};

#define MOVE_EXCL 1u

/* keyctl(KEYCTL_CAPABILITIES): persistent keyrings, invalidate, restrict, move; keyring names per namespace. */
#define CAPABILITIES_0 (0x01u | 0x02u | 0x20u | 0x40u | 0x80u)
#define CAPABILITIES_1 0x01u

/* A type's name. -EPERM: those with a dot are the kernel's. */
static int
type_get(char *type, const char __user *utype)
{
	long n = copy_string_from_user(type, utype, KEY_TYPE_MAX);

	if (n == -ENAMETOOLONG || n == 0)
		return -EINVAL;
	if (n < 0)
		return (int)n;
	return *type == '.' ? -EPERM : 0;
}

static void *
payload_get(const void __user *u, size_t size)
{
	void *data;

	if (!size)
		return NULL;
	data = kmalloc(size, 0);
	if (!data)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(data, u, size))
		return data;
	kfree(data);
	return ERR_PTR(-EFAULT);
}

long
linux_add_key(const char __user *utype, const char __user *udescription, const void __user *upayload, size_t size,
	      int ring)
{
	char type[KEY_TYPE_MAX], *description = NULL;
	void *payload;
	long result;

	if (size > PAYLOAD_LIMIT)
		return -EINVAL;
	result = type_get(type, utype);
	if (result)
		return result;
	if (udescription) {
		description = user_string_get(udescription, KEY_DESCRIPTION_MAX);
		if (IS_ERR(description))
			return PTR_ERR(description);
		if (*description == '.' && strncmp(type, "keyring", 7) == 0) {
			kfree(description);
			return -EPERM;
		}
	}
	payload = payload_get(upayload, size);
	if (IS_ERR(payload)) {
		result = PTR_ERR(payload);
	} else {
		result = key_add(type, description && *description ? description : NULL, payload, size, ring);
		kfree(payload);
	}
	kfree(description);
	return result;
}

long
linux_request_key(const char __user *utype, const char __user *udescription, const char __user *ucallout, int ring)
{
	char type[KEY_TYPE_MAX], *description, *callout;
	long result = type_get(type, utype);

	if (result)
		return result;
	description = user_string_get(udescription, KEY_DESCRIPTION_MAX);
	if (IS_ERR(description))
		return PTR_ERR(description);
	callout = ucallout ? user_string_get(ucallout, PAGE_SIZE) : NULL;
	if (IS_ERR(callout))
		result = PTR_ERR(callout);
	else
		result = key_request(type, description, callout, ring);
	if (callout && !IS_ERR(callout))
		kfree(callout);
	kfree(description);
	return result;
}

static long
join_session(const char __user *uname)
{
	char *name = uname ? user_string_get(uname, KEY_DESCRIPTION_MAX) : NULL;
	long result;

	if (IS_ERR(name))
		return PTR_ERR(name);
	result = name && *name == '.' ? -EPERM : key_join_session(name);
	kfree(name);
	return result;
}

static long
update(int id, const void __user *upayload, size_t size)
{
	void *payload;
	long result;

	if (size > PAGE_SIZE)
		return -EINVAL;
	payload = payload_get(upayload, size);
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	result = key_update(id, payload, size);
	kfree(payload);
	return result;
}

static long
chown_key(int id, uid_t uid, gid_t gid)
{
	uid_t kernel_uid = uid == UINT32_MAX ? ID_INVALID : uid_from_user(uid);
	gid_t kernel_gid = gid == UINT32_MAX ? ID_INVALID : gid_from_user(gid);

	if ((uid != UINT32_MAX && kernel_uid == ID_INVALID) || (gid != UINT32_MAX && kernel_gid == ID_INVALID))
		return -EINVAL;
	return key_chown(id, kernel_uid, kernel_gid);
}

/* `size` bytes for a program that has given `room` at `out`: all of them or none. The size or -EFAULT. */
static long
give(void __user *out, size_t room, const void *data, long size)
{
	if (out && size > 0 && (size_t)size <= room && copy_to_user(out, data, (size_t)size))
		return -EFAULT;
	return size;
}

static long
describe(int id, char __user *out, size_t room)
{
	char *text;
	long size = key_describe(id, &text);

	if (size < 0)
		return size;
	size = give(out, room, text, size);
	kfree(text);
	return size;
}

static long
read_key(int id, void __user *out, size_t room)
{
	void *data;
	long size = key_read(id, out ? room : 0, &data);

	if (data)
		size = give(out, room, data, size);
	kfree(data);
	return size;
}

static long
search(int ring, const char __user *utype, const char __user *udescription, int to)
{
	char type[KEY_TYPE_MAX], *description;
	long result = type_get(type, utype);

	if (result)
		return result;
	description = user_string_get(udescription, KEY_DESCRIPTION_MAX);
	if (IS_ERR(description))
		return PTR_ERR(description);
	result = key_search(ring, type, description, to);
	kfree(description);
	return result;
}

static long
get_security(int id, char __user *out, size_t room)
{
	long error = key_may_view(id);

	return error ? error : give(out, room, "", 1);
}

static long
get_persistent(uid_t uid, int to)
{
	uid_t kernel_uid = uid == UINT32_MAX ? current_cred()->uid : uid_from_user(uid);

	return kernel_uid == ID_INVALID ? -EINVAL : key_persistent(kernel_uid, to);
}

/* Only who was called to make a key may do so, and nobody is. */
static long
instantiate(size_t size)
{
	return size > PAYLOAD_LIMIT ? -EINVAL : -EPERM;
}

static long
reject(unsigned int error)
{
	return error == 0 || error >= 512 ? -EINVAL : -EPERM;
}

static long
assume_authority(int id)
{
	if (id < 0)
		return -EINVAL;
	return id ? -ENOKEY : 0;
}

static long
restrict_keyring(int ring, const char __user *utype, const char __user *urestriction)
{
	char type[KEY_TYPE_MAX];
	long result;

	if (!utype)
		return urestriction ? -EINVAL : key_restrict(ring);
	if (!urestriction)
		return -EINVAL;
	result = type_get(type, utype);
	return result ? result : -ENOENT;
}

static long
capabilities(unsigned char __user *out, size_t room)
{
	unsigned char all[] = { CAPABILITIES_0, CAPABILITIES_1 }, zero[32] = { 0 };
	size_t size = MIN(room, sizeof(all));

	if (room) {
		if (copy_to_user(out, all, size))
			return -EFAULT;
		for (; size < room; size += MIN(room - size, sizeof(zero)))
			if (copy_to_user(out + size, zero, MIN(room - size, sizeof(zero))))
				return -EFAULT;
	}
	return sizeof(all);
}

long
linux_keyctl(int operation, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
	switch (operation) {
	case GET_KEYRING_ID:
		return key_keyring_id((int)a1, (int)a2 != 0);
	case JOIN_SESSION_KEYRING:
		return join_session((const char __user *)a1);
	case UPDATE:
		return update((int)a1, (const void __user *)a2, a3);
	case REVOKE:
		return key_revoke((int)a1);
	case CHOWN:
		return chown_key((int)a1, (uid_t)a2, (gid_t)a3);
	case SETPERM:
		return (uint32_t)a2 & ~KEY_PERM_ALL ? -EINVAL : key_set_permissions((int)a1, (uint32_t)a2);
	case DESCRIBE:
		return describe((int)a1, (char __user *)a2, a3);
	case CLEAR:
		return key_clear((int)a1);
	case LINK:
		return key_link((int)a1, (int)a2);
	case UNLINK:
		return key_unlink((int)a1, (int)a2);
	case SEARCH:
		return search((int)a1, (const char __user *)a2, (const char __user *)a3, (int)a4);
	case READ:
		return read_key((int)a1, (void __user *)a2, a3);
	case INSTANTIATE:
		return instantiate(a3);
	case INSTANTIATE_IOV:
		return a2 && a3 > 1024 ? -EINVAL : -EPERM;
	case NEGATE:
		return -EPERM;
	case REJECT:
		return reject((unsigned int)a3);
	case SET_REQKEY_KEYRING:
		return key_set_default((int)a1);
	case SET_TIMEOUT:
		return key_set_timeout((int)a1, (uint32_t)a2);
	case ASSUME_AUTHORITY:
		return assume_authority((int)a1);
	case GET_SECURITY:
		return get_security((int)a1, (char __user *)a2, a3);
	case SESSION_TO_PARENT:
		return key_session_to_parent();
	case INVALIDATE:
		return key_invalidate((int)a1);
	case GET_PERSISTENT:
		return get_persistent((uid_t)a1, (int)a2);
	case RESTRICT_KEYRING:
		return restrict_keyring((int)a1, (const char __user *)a2, (const char __user *)a3);
	case MOVE:
		return (uint32_t)a4 & ~MOVE_EXCL ? -EINVAL : key_move((int)a1, (int)a2, (int)a3, a4 & MOVE_EXCL);
	case CAPABILITIES:
		return capabilities((unsigned char __user *)a1, a2);
	default:
		return -EOPNOTSUPP;
	}
}
