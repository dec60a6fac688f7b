/* SPDX-License-Identifier: MIT */
/*
 * files.h - entries that one file of the room defines and another one's table names.
 */
#ifndef TESSERA_VFS_PROCFS_FILES_H
#define TESSERA_VFS_PROCFS_FILES_H

#include "procfs.h"

#define ENTRY_SETTING BIT(3) /* below sys: the mode bits bind root as well */

#define READONLY(n, show_function)                                                                          \
	{ .name = n, .mode = S_IFREG | 0444, .flags = ENTRY_SETTING, .show = show_function }
#define SETTING(n, show_function, write_function)                                                           \
	{ .name = n, .mode = S_IFREG | 0644, .flags = ENTRY_SETTING, .show = show_function, .write = write_function }
#define CONSTANT(n, line) { .name = n, .mode = S_IFREG | 0444, .flags = ENTRY_SETTING, .constant = line }
#define NUMBER(n, variable, min, max)                                                                      \
	{ .name = n, .mode = S_IFREG | 0644, .flags = ENTRY_SETTING,                                        \
	  .setting = &(const struct setting){ .value = &(variable), .low = (min), .high = (max) } }

extern const struct entry sys_net_entries[]; /* sys_net.c: below sys */

/* machine.c: the less asked-for files of the top */
int show_vmstat(struct text *t, struct target *at);
int show_partitions(struct text *t, struct target *at);
int show_diskstats(struct text *t, struct target *at);
int show_modules(struct text *t, struct target *at);
int show_consoles(struct text *t, struct target *at);
extern const struct entry tty_entries[];
/* Threads of programs that sleep where no signal reaches them. */
uint32_t count_blocked(void);

/* process_status.c; two more are the top's as well: procfs.h */
int show_statm(struct text *t, struct target *at);
int show_schedstat(struct text *t, struct target *at);
int show_sched(struct text *t, struct target *at);
int show_timers(struct text *t, struct target *at);

/* process_settings.c */
int show_oom_adj(struct text *t, struct target *at);
ssize_t write_oom_adj(struct target *at, char *data, size_t n);
int show_coredump_filter(struct text *t, struct target *at);
ssize_t write_coredump_filter(struct target *at, char *data, size_t n);
int show_timer_slack(struct text *t, struct target *at);
ssize_t write_timer_slack(struct target *at, char *data, size_t n);

/* namespaces.c */
int show_uid_map(struct text *t, struct target *at);
int show_gid_map(struct text *t, struct target *at);
int show_setgroups(struct text *t, struct target *at);
ssize_t write_uid_map(struct target *at, char *data, size_t n);
ssize_t write_gid_map(struct target *at, char *data, size_t n);
ssize_t write_setgroups(struct target *at, char *data, size_t n);
extern const struct entry namespace_entries[];

/* pci.c: below /proc/bus; how long a device's file is */
extern const struct entry bus_entries[];
extern const struct entry irq_entries[];     /* irq.c */
extern const struct entry_list irq_list;
int show_interrupts(struct text *t, struct target *at);
uint64_t proc_pci_size(uint64_t number);

/* locks.c */
int show_locks(struct text *t, struct target *at);

/* net.c: /proc/PID/net */
extern const struct entry net_entries[];

/* fail_nth.c */
extern const struct file_ops fail_nth_file_ops;

/* pagemap.c */
extern const struct file_ops pagemap_file_ops;

/* tracing.c, instruments.c: below /proc/tessera */
extern const struct entry trace_entries[];
int show_lock_stat(struct text *t, struct target *at);
ssize_t write_lock_stat(struct target *at, char *data, size_t n);
int show_latency(struct text *t, struct target *at);
ssize_t write_latency(struct target *at, char *data, size_t n);
int show_profile(struct text *t, struct target *at);
ssize_t write_profile(struct target *at, char *data, size_t n);
int show_symbols(struct text *t, struct target *at);

/* sysvipc.c: /proc/sysvipc, and settings below sys/kernel */
extern const struct entry sysvipc_entries[];
#define SYSV_SETTINGS(S)                                                                           \
	S(shmmax) S(shmall) S(shmmni) S(msgmax) S(msgmnb) S(msgmni) S(sem_limits)     \
	S(shm_next_id) S(sem_next_id) S(msg_next_id) S(queues_max) S(mq_msg_max) S(mq_size_max) S(mq_msg_default) S(mq_size_default)
#define SYSV_DECLARE(name)                                                                         \
	int show_##name(struct text *t, struct target *at);                                        \
	ssize_t write_##name(struct target *at, char *data, size_t n);
SYSV_SETTINGS(SYSV_DECLARE)
#undef SYSV_DECLARE

/* setting.c: a number in [low, high], maybe among blanks: `n`, or -EINVAL. */
int show_dirty_ratio(struct text *t, struct target *at);            /* vm.c */
int show_dirty_background_ratio(struct text *t, struct target *at);
int show_dirty_bytes(struct text *t, struct target *at);
int show_dirty_background_bytes(struct text *t, struct target *at);
int show_dirty_writeback(struct text *t, struct target *at);
ssize_t write_dirty_writeback(struct target *at, char *data, size_t n);
ssize_t write_dirty_ratio(struct target *at, char *data, size_t n);
ssize_t write_dirty_background_ratio(struct target *at, char *data, size_t n);
ssize_t write_dirty_bytes(struct target *at, char *data, size_t n);
ssize_t write_dirty_background_bytes(struct target *at, char *data, size_t n);
ssize_t write_drop_caches(struct target *at, char *data, size_t n);
ssize_t parse_setting(const char *data, size_t n, uint64_t low, uint64_t high, uint64_t *out);

/* handles.c: the permissions of /proc/PID/fd/N tell how N was opened. */
mode_t fd_link_mode(struct target *at);

/* map_files.c: how the file was opened that is mapped there. */
mode_t map_link_mode(struct target *at);

#endif
