/* SPDX-License-Identifier: MIT */
/*
 * sysv_shm.c - shmget, shmat, shmdt, shmctl.
 */
#include <tessera/string.h>

#include "linux.h"
#include "sysv.h"

#define SHM_LOCK_COMMAND   11
#define SHM_UNLOCK_COMMAND 12
#define SHM_STAT           13
#define SHM_INFO           14
#define SHM_STAT_ANY       15

struct linux_shmid_ds {
	struct linux_ipc_perm perm;
	uint64_t size;
	int64_t attached, detached, changed;
	pid_t creator, last;
	uint64_t attaches, unused[2];
};
_Static_assert(sizeof(struct linux_shmid_ds) == 112, "struct shmid64_ds");

struct linux_shminfo {
	uint64_t max, min, count_max, per_process, all, unused[4];
};
_Static_assert(sizeof(struct linux_shminfo) == 72, "struct shminfo64");

struct linux_shm_info {
	int32_t used, pad;
	uint64_t total, resident, swapped, attempts, successes;
};
_Static_assert(sizeof(struct linux_shm_info) == 48, "struct shm_info");

long
linux_shmget(int key, size_t size, int flags)
{
	return shm_get(key, size, (uint32_t)flags);
}

long
linux_shmat(int id, uint64_t addr, int flags)
{
	return shm_attach(id, addr, (uint32_t)flags);
}

long
linux_shmdt(uint64_t addr)
{
	return shm_detach(addr);
}

static long
tell_limits(void __user *out)
{
	const struct ipc_namespace *ns = current_ipc_namespace();
	struct linux_shminfo info = {
		.max = ns->shm_max, .min = 1, .count_max = ns->shm_count_max,
		.per_process = ns->shm_count_max, .all = ns->shm_all,
	};
	uint32_t used;
	int highest = ipc_highest_index(IPC_SHM, &used);

	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static long
tell_use(void __user *out)
{
	struct linux_shm_info info;
	uint32_t used;
	int highest = ipc_highest_index(IPC_SHM, &used);

	memset(&info, 0, sizeof(info));
	info.used = (int32_t)used;
	info.total = atomic_load(&current_ipc_namespace()->shm_pages);
	info.resident = shm_resident_pages();
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static long
tell_status(int name, enum ipc_naming by, void __user *out)
{
	struct linux_shmid_ds ds;
	struct shm_status s;
	int error = shm_status(name, by, &s);

	if (error)
		return error;
	ds = (struct linux_shmid_ds){
		.perm = sysv_perm(&s.ipc), .size = s.size, .attached = s.attached, .detached = s.detached,
		.changed = s.changed, .creator = s.creator, .last = s.last, .attaches = s.attaches,
	};
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return by == IPC_BY_ID ? 0 : s.ipc.id;
}

static long
set_status(int id, const void __user *in)
{
	struct linux_shmid_ds ds;
	struct ipc_change c;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	c = sysv_change(&ds.perm);
	return ipc_change(IPC_SHM, id, &c);
}

long
linux_shmctl(int id, int command, void __user *buf)
{
	if (id < 0 || command < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
		return tell_limits(buf);
	case SHM_INFO:
		return tell_use(buf);
	case IPC_STAT:
		return tell_status(id, IPC_BY_ID, buf);
	case SHM_STAT:
		return tell_status(id, IPC_BY_INDEX, buf);
	case SHM_STAT_ANY:
		return tell_status(id, IPC_BY_INDEX_ANY, buf);
	case IPC_SET:
		return set_status(id, buf);
	case IPC_RMID:
		return ipc_remove(IPC_SHM, id);
	case SHM_LOCK_COMMAND:
	case SHM_UNLOCK_COMMAND:
		return shm_lock(id, command == SHM_LOCK_COMMAND);
	}
	return -EINVAL;
}
