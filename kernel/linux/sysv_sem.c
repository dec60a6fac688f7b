/* SPDX-License-Identifier: MIT */
/*
 * sysv_sem.c - semget, semop, semtimedop, semctl.
 */
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "sysv.h"

#define GETPID       11
#define GETVAL       12
#define GETALL       13
#define GETNCNT      14
#define GETZCNT      15
#define SETVAL       16
#define SETALL       17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

#define OPERATIONS_FAST 8
#define ALL_DEFAULT     1024000000 /* told of what there is no limit on */

struct linux_semid_ds {
	struct linux_ipc_perm perm;
	int64_t operated, unused1, changed, unused2;
	uint64_t count, unused3, unused4;
};
_Static_assert(sizeof(struct linux_semid_ds) == 104, "struct semid64_ds");

struct linux_seminfo {
	int32_t map, sets, all, undos, per_set, operations, undo_entries, undo_size, value_max, undo_max;
};
_Static_assert(sizeof(struct linux_seminfo) == 40, "struct seminfo");
_Static_assert(sizeof(struct sem_operation) == 6, "struct sembuf");

long
linux_semget(int key, int count, int flags)
{
	return sem_get(key, count, (uint32_t)flags);
}

static long
operate(int id, const struct sem_operation __user *uops, unsigned int count, deadline_t until, bool bad_time)
{
	struct sem_operation fast[OPERATIONS_FAST], *ops = fast;
	long error;

	if (count > atomic_load(&current_ipc_namespace()->sem_ops_max))
		return -E2BIG;
	if (count < 1)
		return -EINVAL;
	if (count > OPERATIONS_FAST) {
		ops = kmalloc(count * sizeof(*ops), 0);
		if (!ops)
			return -ENOMEM;
	}
	error = -EFAULT;
	if (!copy_from_user(ops, uops, count * sizeof(*ops)))
		error = id < 0 || bad_time ? -EINVAL : sem_operate(id, ops, count, until);
	if (ops != fast)
		kfree(ops);
	return error;
}

long
linux_semop(int id, const struct sem_operation __user *ops, unsigned int count)
{
	return operate(id, ops, count, DEADLINE_NEVER, false);
}

long
linux_semtimedop(int id, const struct sem_operation __user *ops, unsigned int count,
		 const struct timespec64 __user *timeout)
{
	struct timespec64 ts;

	if (!timeout)
		return operate(id, ops, count, DEADLINE_NEVER, false);
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return operate(id, ops, count, DEADLINE_NEVER, true);
	return operate(id, ops, count, deadline_after(timespec_ns(&ts)), false);
}

/* --- semctl ----------------------------------------------------------------------------------- */

static long
tell_limits(bool use, void __user *out)
{
	const struct ipc_namespace *ns = current_ipc_namespace();
	struct linux_seminfo info = {
		.map = ALL_DEFAULT, .sets = (int32_t)ns->sem_count_max,
		.all = (int32_t)ns->sem_all_max, .undos = ALL_DEFAULT,
		.per_set = (int32_t)ns->sem_set_max, .operations = (int32_t)ns->sem_ops_max,
		.undo_entries = 500, .undo_size = 20, .value_max = SEM_VALUE_MAX,
		.undo_max = SEM_VALUE_MAX,
	};
	uint32_t used;
	int highest = ipc_highest_index(IPC_SEM, &used);

	if (use) {
		info.undo_size = (int32_t)used;
		info.undo_max = (int32_t)atomic_load(&ns->sem_used);
	}
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static long
tell_status(int name, enum ipc_naming by, void __user *out)
{
	struct linux_semid_ds ds;
	struct sem_status s;
	int error = sem_status(name, by, &s);

	if (error)
		return error;
	ds = (struct linux_semid_ds){ .perm = sysv_perm(&s.ipc), .operated = s.operated,
				      .changed = s.changed, .count = s.count };
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return by == IPC_BY_ID ? 0 : s.ipc.id;
}

static long
set_status(int id, const void __user *in)
{
	struct linux_semid_ds ds;
	struct ipc_change c;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	c = sysv_change(&ds.perm);
	return ipc_change(IPC_SEM, id, &c);
}

static long
get_all(int id, uint16_t __user *out)
{
	int error, count = sem_count(id);
	uint16_t *values;

	if (count < 0)
		return count;
	values = kmalloc((size_t)count * sizeof(*values), 0);
	if (!values)
		return -ENOMEM;
	error = sem_get_all(id, values, (uint32_t)count);
	if (error == 0)
		error = copy_to_user(out, values, (size_t)count * sizeof(*values));
	kfree(values);
	return error;
}

static long
set_all(int id, const uint16_t __user *in)
{
	int error, count = sem_count(id);
	uint16_t *values;

	if (count < 0)
		return count;
	values = kmalloc((size_t)count * sizeof(*values), 0);
	if (!values)
		return -ENOMEM;
	error = sem_may_set(id);
	if (error == 0 && copy_from_user(values, in, (size_t)count * sizeof(*values)))
		error = -EFAULT;
	for (int i = 0; error == 0 && i < count; i++)
		if (values[i] > SEM_VALUE_MAX)
			error = -ERANGE;
	if (error == 0)
		error = sem_set_all(id, values, (uint32_t)count);
	kfree(values);
	return error;
}

long
linux_semctl(int id, int index, int command, uint64_t arg)
{
	void __user *p = (void __user *)arg;

	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case SEM_INFO:
		return tell_limits(command == SEM_INFO, p);
	case IPC_STAT:
		return tell_status(id, IPC_BY_ID, p);
	case SEM_STAT:
		return tell_status(id, IPC_BY_INDEX, p);
	case SEM_STAT_ANY:
		return tell_status(id, IPC_BY_INDEX_ANY, p);
	case GETVAL:
		return sem_ask(id, index, SEM_VALUE);
	case GETPID:
		return sem_ask(id, index, SEM_PID);
	case GETNCNT:
		return sem_ask(id, index, SEM_WAIT_INCREASE);
	case GETZCNT:
		return sem_ask(id, index, SEM_WAIT_ZERO);
	case GETALL:
		return get_all(id, p);
	case SETALL:
		return set_all(id, p);
	case SETVAL:
		return sem_set_value(id, index, (int)arg);
	case IPC_SET:
		return set_status(id, p);
	case IPC_RMID:
		return ipc_remove(IPC_SEM, id);
	}
	return -EINVAL;
}
