/* SPDX-License-Identifier: MIT */
/*
 * sysv_msg.c - msgget, msgsnd, msgrcv, msgctl.
 */
#include <tessera/string.h>

#include "linux.h"
#include "sysv.h"

#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13

struct linux_msqid_ds {
	struct linux_ipc_perm perm;
	int64_t sent, received, changed;
	uint64_t bytes, count, bytes_max;
	pid_t last_sender, last_receiver;
	uint64_t unused[2];
};
_Static_assert(sizeof(struct linux_msqid_ds) == 120, "struct msqid64_ds");

struct linux_msginfo {
	int32_t pool, map, size_max, bytes_max, queues_max, segment_size, headers;
	uint16_t segments, pad;
};
_Static_assert(sizeof(struct linux_msginfo) == 32, "struct msginfo");

long
linux_msgget(int key, int flags)
{
	return msg_get(key, (uint32_t)flags);
}

/* What programs pass: a type, and the text behind it. */
long
linux_msgsnd(int id, const void __user *umessage, size_t size, int flags)
{
	const int64_t __user *utype = umessage;
	struct message *m;
	int64_t type;
	int error;

	if (get_user(type, utype))
		return -EFAULT;
	if (size > atomic_load(&current_ipc_namespace()->msg_size_max) || id < 0 || type < 1)
		return -EINVAL;
	m = message_alloc(size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	error = -EFAULT;
	if (!copy_from_user(m->data, utype + 1, size))
		error = msg_send(id, m, (uint32_t)flags);
	if (error)
		message_free(m);
	return error;
}

long
linux_msgrcv(int id, void __user *umessage, size_t size, int64_t type, int flags)
{
	int64_t __user *utype = umessage;
	struct message *m;
	long result;

	if (id < 0 || size > INT64_MAX)
		return -EINVAL;
	if ((flags & (int)MSG_COPY) && ((flags & (int)MSG_EXCEPT) || !(flags & (int)IPC_NOWAIT)))
		return -EINVAL;
	m = msg_receive(id, size, type, (uint32_t)flags);
	if (IS_ERR(m))
		return PTR_ERR(m);
	result = (long)MIN(size, m->size);
	if (put_user(m->type, utype) || copy_to_user(utype + 1, m->data, (size_t)result))
		result = -EFAULT;
	message_free(m);
	return result;
}

/* --- msgctl ----------------------------------------------------------------------------------- */

static long
tell_limits(bool use, void __user *out)
{
	const struct ipc_namespace *ns = current_ipc_namespace();
	struct linux_msginfo info = {
		.pool = 512000, .map = 16384, .size_max = (int32_t)ns->msg_size_max,
		.bytes_max = (int32_t)ns->msg_bytes_max, .queues_max = (int32_t)ns->msg_count_max,
		.segment_size = 16, .headers = 16384, .segments = UINT16_MAX,
	};
	uint32_t used;
	int highest = ipc_highest_index(IPC_MSG, &used);

	if (use) {
		info.pool = (int32_t)used;
		info.map = (int32_t)atomic_load(&ns->msg_headers);
		info.headers = (int32_t)atomic_load(&ns->msg_bytes);
	}
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static long
tell_status(int name, enum ipc_naming by, void __user *out)
{
	struct linux_msqid_ds ds;
	struct msg_status s;
	int error = msg_status(name, by, &s);

	if (error)
		return error;
	ds = (struct linux_msqid_ds){
		.perm = sysv_perm(&s.ipc), .sent = s.sent, .received = s.received, .changed = s.changed,
		.bytes = s.bytes, .count = s.count, .bytes_max = s.bytes_max,
		.last_sender = s.last_sender, .last_receiver = s.last_receiver,
	};
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return by == IPC_BY_ID ? 0 : s.ipc.id;
}

static long
set_status(int id, const void __user *in)
{
	struct linux_msqid_ds ds;
	struct ipc_change c;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	c = sysv_change(&ds.perm);
	c.bytes_max = ds.bytes_max;
	return ipc_change(IPC_MSG, id, &c);
}

long
linux_msgctl(int id, int command, void __user *buf)
{
	if (id < 0 || command < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case MSG_INFO:
		return tell_limits(command == MSG_INFO, buf);
	case IPC_STAT:
		return tell_status(id, IPC_BY_ID, buf);
	case MSG_STAT:
		return tell_status(id, IPC_BY_INDEX, buf);
	case MSG_STAT_ANY:
		return tell_status(id, IPC_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set_status(id, buf);
	case IPC_RMID:
		return ipc_remove(IPC_MSG, id);
	}
	return -EINVAL;
}
