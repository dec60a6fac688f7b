/* SPDX-License-Identifier: MIT */
/*
 * sysvipc.c - /proc/sysvipc, and the limits of System V IPC below /proc/sys/kernel.
 */
#include <tessera/errno.h>
#include <tessera/string.h>
#include <tessera/sysv.h>

#include "files.h"

/* --- /proc/sysvipc ---------------------------------------------------------------------------- */

static int
show_shm(struct text *t, struct target *at)
{
	struct shm_status s;

	text_print(t, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
		      "  cgid      atime      dtime      ctime                   rss                  swap\n");
	for (uint32_t i = 0; ipc_next_index(IPC_SHM, &i); i++) {
		if (shm_status((int)i, IPC_BY_INDEX_ANY, &s))
			continue;
		text_print(t, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
			   s.ipc.key, s.ipc.id, s.ipc.mode, s.size, (uint32_t)s.creator,
			   (uint32_t)s.last, s.attaches, s.ipc.uid, s.ipc.gid, s.ipc.cuid, s.ipc.cgid,
			   (uint64_t)s.attached, (uint64_t)s.detached, (uint64_t)s.changed,
			   s.resident * PAGE_SIZE, 0ul);
	}
	return 0;
}

static int
show_sem(struct text *t, struct target *at)
{
	struct sem_status s;

	text_print(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	for (uint32_t i = 0; ipc_next_index(IPC_SEM, &i); i++) {
		if (sem_status((int)i, IPC_BY_INDEX_ANY, &s))
			continue;
		text_print(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", s.ipc.key, s.ipc.id,
			   s.ipc.mode, s.count, s.ipc.uid, s.ipc.gid, s.ipc.cuid, s.ipc.cgid,
			   (uint64_t)s.operated, (uint64_t)s.changed);
	}
	return 0;
}

static int
show_msg(struct text *t, struct target *at)
{
	struct msg_status s;

	text_print(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
		      "      stime      rtime      ctime\n");
	for (uint32_t i = 0; ipc_next_index(IPC_MSG, &i); i++) {
		if (msg_status((int)i, IPC_BY_INDEX_ANY, &s))
			continue;
		text_print(t, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n",
			   s.ipc.key, s.ipc.id, s.ipc.mode, s.bytes, s.count, (uint32_t)s.last_sender,
			   (uint32_t)s.last_receiver, s.ipc.uid, s.ipc.gid, s.ipc.cuid, s.ipc.cgid,
			   (uint64_t)s.sent, (uint64_t)s.received, (uint64_t)s.changed);
	}
	return 0;
}

const struct entry sysvipc_entries[] = {
	ENTRY_FILE("msg", show_msg),
	ENTRY_FILE("sem", show_sem),
	ENTRY_FILE("shm", show_shm),
	{ 0 },
};

/* --- /proc/sys/kernel ------------------------------------------------------------------------- */

/* show_NAME and write_NAME of a limit of the caller's namespace. */
#define LIMIT(name, field, low, high)                                                              \
	int show_##name(struct text *t, struct target *at)                                         \
	{                                                                                          \
		text_print(t, "%lu\n", (uint64_t)atomic_load(&current_ipc_namespace()->field));    \
		return 0;                                                                          \
	}                                                                                          \
	ssize_t write_##name(struct target *at, char *data, size_t n)                              \
	{                                                                                          \
		uint64_t v;                                                                        \
		ssize_t r = parse_setting(data, n, low, high, &v);                                 \
                                                                                                   \
		if (r > 0)                                                                         \
			atomic_store(&current_ipc_namespace()->field,                              \
				     (__typeof__(current_ipc_namespace()->field))v);               \
		return r;                                                                          \
	}

LIMIT(shmmax, shm_max, 0, UINT64_MAX)
LIMIT(shmall, shm_all, 0, UINT64_MAX)
LIMIT(shmmni, shm_count_max, 0, IPC_INDEX_MAX)
LIMIT(msgmax, msg_size_max, 0, INT32_MAX)
LIMIT(msgmnb, msg_bytes_max, 0, INT32_MAX)
LIMIT(msgmni, msg_count_max, 0, IPC_INDEX_MAX)

LIMIT(queues_max, mqueue_limits.queues_max, 0, INT32_MAX)
LIMIT(mq_msg_max, mqueue_limits.msg_max, 1, 65536)
LIMIT(mq_size_max, mqueue_limits.size_max, 128, 16 << 20)
LIMIT(mq_msg_default, mqueue_limits.msg_default, 1, 65536)
LIMIT(mq_size_default, mqueue_limits.size_default, 128, 16 << 20)

/* The id that the next object shall have; -1: none is asked for. Only who saves and restores programs may ask. */
#define NEXT_ID(name, kind)                                                                        \
	int show_##name(struct text *t, struct target *at)                                         \
	{                                                                                          \
		text_print(t, "%d\n", atomic_load(&current_ipc_namespace()->table[kind].wanted_id)); \
		return 0;                                                                          \
	}                                                                                          \
	ssize_t write_##name(struct target *at, char *data, size_t n)                              \
	{                                                                                          \
		uint64_t v;                                                                        \
		ssize_t r = parse_setting(data, n, 0, INT32_MAX, &v);                              \
                                                                                                   \
		if (r > 0)                                                                         \
			atomic_store(&current_ipc_namespace()->table[kind].wanted_id, (int)v);     \
		return r;                                                                          \
	}

NEXT_ID(shm_next_id, IPC_SHM)
NEXT_ID(sem_next_id, IPC_SEM)
NEXT_ID(msg_next_id, IPC_MSG)

int
show_sem_limits(struct text *t, struct target *at)
{
	struct ipc_namespace *ns = current_ipc_namespace();

	text_print(t, "%u\t%u\t%u\t%u\n", ns->sem_set_max, ns->sem_all_max, ns->sem_ops_max,
		   ns->sem_count_max);
	return 0;
}

/* Up to four numbers; those that are missing stay. */
ssize_t
write_sem_limits(struct target *at, char *data, size_t n)
{
	struct ipc_namespace *ns = current_ipc_namespace();
	uint32_t *const field[4] = { &ns->sem_set_max, &ns->sem_all_max, &ns->sem_ops_max,
				     &ns->sem_count_max };
	const char *s = data;
	uint64_t value[4];
	int count = 0;

	for (; count < 4; count++) {
		while (*s == ' ' || *s == '\t' || *s == '\n')
			s++;
		if (!*s)
			break;
		if (parse_u64(s, &s, 10, &value[count]) || value[count] > INT32_MAX)
			return -EINVAL;
	}
	if (count == 4 && value[3] > IPC_INDEX_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		atomic_store(field[i], (uint32_t)value[i]);
	return (ssize_t)n;
}
