/* SPDX-License-Identifier: MIT */
/*
 * sys.c - /proc/sys: the settings that programs read, and those that root may change.
 */
#include <tessera/accounting.h>
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/aio.h>
#include <tessera/core.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/keys.h>
#include <tessera/lease.h>
#include <tessera/namespace.h>
#include <tessera/pipe.h>
#include <tessera/print.h>
#include <tessera/random.h>
#include <tessera/seccomp.h>
#include <tessera/string.h>
#include <tessera/uts.h>
#include <tessera/notify.h>

#include "files.h"

static int
show_hostname(struct text *t, struct target *at)
{
	char name[UTS_NAME_MAX + 1];

	uts_get_names(name, NULL);
	text_print(t, "%s\n", name);
	return 0;
}

static int
show_domainname(struct text *t, struct target *at)
{
	char name[UTS_NAME_MAX + 1];

	uts_get_names(NULL, name);
	text_print(t, "%s\n", name);
	return 0;
}

static ssize_t
set_name(char *data, size_t n, bool domain)
{
	char *end = strchr(data, '\n');

	if (!uts_may_set())
		return -EPERM;
	if (end)
		*end = '\0';
	data[MIN(n, (size_t)UTS_NAME_MAX)] = '\0';
	uts_set_name(data, domain);
	return (ssize_t)n;
}

static ssize_t
write_hostname(struct target *at, char *data, size_t n)
{
	return set_name(data, n, false);
}

static ssize_t
write_domainname(struct target *at, char *data, size_t n)
{
	return set_name(data, n, true);
}

static void
print_uuid(struct text *t, const uint8_t *b)
{
	for (int i = 0; i < 16; i++)
		text_print(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	text_add(t, "\n", 1);
}

/* A random (version 4) UUID. */
static void
make_uuid(uint8_t *b)
{
	random_bytes(b, 16);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
}

static int
show_uuid(struct text *t, struct target *at)
{
	uint8_t b[16];

	make_uuid(b);
	print_uuid(t, b);
	return 0;
}

static int
show_boot_id(struct text *t, struct target *at)
{
	static struct spinlock lock = SPINLOCK_INIT(LEAF);
	static uint8_t id[16]; /* lock; then never changes */
	static bool made;      /* lock */
	uint8_t fresh[16];
	uint64_t flags;

	make_uuid(fresh);
	flags = spin_lock_irq(&lock);
	if (!made)
		memcpy(id, fresh, sizeof(id));
	made = true;
	spin_unlock_irq(&lock, flags);
	print_uuid(t, id);
	return 0;
}

static int
show_huge_pages(struct text *t, struct target *at)
{
	struct huge_pool_stats s;

	huge_pool_stats(&s);
	text_print(t, "%lu\n", s.total);
	return 0;
}

static ssize_t
write_huge_pages(struct target *at, char *data, size_t n)
{
	uint64_t v;
	ssize_t r = parse_setting(data, n, 0, INT32_MAX, &v);

	if (r > 0)
		huge_pool_set(v);
	return r;
}

static int
show_dmesg_restrict(struct text *t, struct target *at)
{
	text_print(t, "%d\n", log_restricted);
	return 0;
}

static ssize_t
write_dmesg_restrict(struct target *at, char *data, size_t n)
{
	uint64_t v;
	ssize_t r = parse_setting(data, n, 0, 1, &v);

	if (r > 0 && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (r > 0)
		WRITE_ONCE(log_restricted, v != 0);
	return r;
}

static int
show_pipe_max_size(struct text *t, struct target *at)
{
	text_print(t, "%lu\n", (uint64_t)pipe_max_size);
	return 0;
}

static ssize_t
write_pipe_max_size(struct target *at, char *data, size_t n)
{
	uint64_t v, size = PAGE_SIZE;
	ssize_t r = parse_setting(data, n, 1, BIT(31), &v);

	if (r > 0) {
		while (size < v)
			size *= 2;
		WRITE_ONCE(pipe_max_size, (uint32_t)size);
	}
	return r;
}

static int
show_aio_nr(struct text *t, struct target *at)
{
	text_print(t, "%u\n", aio_event_count());
	return 0;
}

static int
show_file_nr(struct text *t, struct target *at)
{
	text_print(t, "%lu\t0\t9223372036854775807\n", file_count());
	return 0;
}

static int
show_acct(struct text *t, struct target *at)
{
	text_print(t, "%d\t%d\t%d\n", READ_ONCE(accounting_limits[0]), READ_ONCE(accounting_limits[1]),
		   READ_ONCE(accounting_limits[2]));
	return 0;
}

/* Up to three numbers; those that are missing stay. */
static ssize_t
write_acct(struct target *at, char *data, size_t n)
{
	const char *s = data;
	uint64_t value[3];
	int count = 0;

	for (; count < 3; count++) {
		while (*s == ' ' || *s == '\t' || *s == '\n')
			s++;
		if (!*s)
			break;
		if (parse_u64(s, &s, 10, &value[count]) || value[count] > INT32_MAX)
			return -EINVAL;
	}
	for (int i = 0; i < count; i++)
		WRITE_ONCE(accounting_limits[i], (int)value[i]);
	return (ssize_t)n;
}

static int
show_core_pattern(struct text *t, struct target *at)
{
	char pattern[CORE_PATTERN_MAX];

	core_pattern_get(pattern);
	text_print(t, "%s\n", pattern);
	return 0;
}

static ssize_t
write_core_pattern(struct target *at, char *data, size_t n)
{
	char *end = strchr(data, '\n');
	int error;

	if (end)
		*end = '\0';
	error = core_pattern_set(data);
	return error ? error : (ssize_t)n;
}


/* The names of the actions in `which`, in order. */
static int
show_actions(struct text *t, uint32_t which)
{
	const char *before = "";

	for (size_t i = 0; i < SECCOMP_ACTIONS; i++)
		if (which & BIT(i)) {
			text_print(t, "%s%s", before, seccomp_actions[i].name);
			before = " ";
		}
	text_print(t, "\n");
	return 0;
}

static int
show_actions_available(struct text *t, struct target *at)
{
	return show_actions(t, UINT32_MAX);
}

static int
show_actions_logged(struct text *t, struct target *at)
{
	return show_actions(t, READ_ONCE(seccomp_logged));
}

/* Words between blanks, each the name of an action, but not "allow". */
static ssize_t
write_actions_logged(struct target *at, char *data, size_t n)
{
	uint32_t which = 0;
	size_t from = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	while (from < n) {
		size_t end = from, i;

		while (end < n && data[end] != ' ' && data[end] != '\n')
			end++;
		for (i = 0; i < SECCOMP_ACTIONS - 1 && end > from; i++)
			if (strlen(seccomp_actions[i].name) == end - from &&
			    memcmp(seccomp_actions[i].name, data + from, end - from) == 0)
				break;
		if (i == SECCOMP_ACTIONS - 1)
			return -EINVAL;
		if (end > from)
			which |= (uint32_t)BIT(i);
		from = end + 1;
	}
	WRITE_ONCE(seccomp_logged, which);
	return (ssize_t)n;
}

static const struct entry seccomp_entries[] = {
	READONLY("actions_avail", show_actions_available),
	SETTING("actions_logged", show_actions_logged, write_actions_logged),
	{ 0 },
};

static const struct entry random_entries[] = {
	READONLY("boot_id", show_boot_id),
	CONSTANT("entropy_avail", "256"),
	CONSTANT("poolsize", "256"),
	READONLY("uuid", show_uuid),
	{ 0 },
};

static const struct entry yama_entries[] = {
	CONSTANT("ptrace_scope", "0"),
	{ 0 },
};

static const struct entry keys_entries[] = {
	NUMBER("gc_delay", key_limits.gc_delay, 0, INT32_MAX),
	NUMBER("maxbytes", key_limits.bytes, 1, INT32_MAX),
	NUMBER("maxkeys", key_limits.keys, 1, INT32_MAX),
	NUMBER("persistent_keyring_expiry", key_limits.persistent_expiry, 0, INT32_MAX),
	NUMBER("root_maxbytes", key_limits.root_bytes, 1, INT32_MAX),
	NUMBER("root_maxkeys", key_limits.root_keys, 1, INT32_MAX),
	{ 0 },
};

static const struct entry kernel_entries[] = {
	CONSTANT("arch", "x86_64"),
	CONSTANT("auto_msgmni", "0"),
	CONSTANT("cap_last_cap", "40"),
	SETTING("acct", show_acct, write_acct),
	SETTING("core_pattern", show_core_pattern, write_core_pattern),
	NUMBER("core_uses_pid", core_uses_pid, INT32_MIN, INT32_MAX),
	SETTING("dmesg_restrict", show_dmesg_restrict, write_dmesg_restrict),
	SETTING("domainname", show_domainname, write_domainname),
	SETTING("hostname", show_hostname, write_hostname),
	CONSTANT("kexec_load_disabled", "1"),
	ENTRY_DIR("keys", keys_entries),
	CONSTANT("modules_disabled", "1"),
	SETTING("msgmax", show_msgmax, write_msgmax),
	SETTING("msg_next_id", show_msg_next_id, write_msg_next_id),
	SETTING("msgmnb", show_msgmnb, write_msgmnb),
	SETTING("msgmni", show_msgmni, write_msgmni),
	CONSTANT("ngroups_max", "65536"),
	CONSTANT("nmi_watchdog", "0"),
	CONSTANT("numa_balancing", "0"),
	CONSTANT("osrelease", kernel_release),
	CONSTANT("ostype", "Linux"),
	CONSTANT("overflowgid", "65534"),
	CONSTANT("overflowuid", "65534"),
	CONSTANT("panic_on_oops", "1"),
	CONSTANT("pid_max", "65536"),
	CONSTANT("printk", "4\t4\t1\t7"),
	ENTRY_DIR("random", random_entries),
	NUMBER("randomize_va_space", randomize_va_space, INT32_MIN, INT32_MAX),
	CONSTANT("sched_autogroup_enabled", "0"),
	CONSTANT("sched_rr_timeslice_ms", "100"),
	CONSTANT("sched_rt_period_us", "1000000"),
	CONSTANT("sched_rt_runtime_us", "-1"), /* real-time threads are not throttled */
	SETTING("sem", show_sem_limits, write_sem_limits),
	SETTING("sem_next_id", show_sem_next_id, write_sem_next_id),
	SETTING("shm_next_id", show_shm_next_id, write_shm_next_id),
	SETTING("shmall", show_shmall, write_shmall),
	SETTING("shmmax", show_shmmax, write_shmmax),
	SETTING("shmmni", show_shmmni, write_shmmni),
	CONSTANT("shm_rmid_forced", "0"),
	ENTRY_DIR("seccomp", seccomp_entries),
	CONSTANT("sysctl_writes_strict", "1"),
	CONSTANT("sysrq", "1"),
	CONSTANT("tainted", "0"),
	CONSTANT("threads-max", "65536"),
	NUMBER("unprivileged_userns_clone", user_namespaces_for_all, 0, 1),
	CONSTANT("version", kernel_version),
	ENTRY_DIR("yama", yama_entries),
	{ 0 },
};

/* Advice about swap and nodes of memory, of which there are none: kept and told. */
static int swappiness = 60, page_cluster = 3, cache_pressure = 100, zone_reclaim, laptop_mode;

static const struct entry vm_entries[] = {
	SETTING("dirty_background_bytes", show_dirty_background_bytes, write_dirty_background_bytes),
	SETTING("dirty_background_ratio", show_dirty_background_ratio, write_dirty_background_ratio),
	SETTING("dirty_bytes", show_dirty_bytes, write_dirty_bytes),
	NUMBER("dirty_expire_centisecs", dirty_expire_centisecs, 0, INT32_MAX),
	SETTING("dirty_ratio", show_dirty_ratio, write_dirty_ratio),
	SETTING("dirty_writeback_centisecs", show_dirty_writeback, write_dirty_writeback),
	{ .name = "drop_caches", .mode = S_IFREG | 0200, .flags = ENTRY_SETTING, .write = write_drop_caches },
	CONSTANT("hugetlb_shm_group", "0"),
	NUMBER("laptop_mode", laptop_mode, 0, INT32_MAX),
	CONSTANT("legacy_va_layout", "0"),
	NUMBER("max_map_count", max_map_count, 0, INT32_MAX),
	CONSTANT("mmap_min_addr", "65536"),
	SETTING("nr_hugepages", show_huge_pages, write_huge_pages),
	SETTING("nr_hugepages_mempolicy", show_huge_pages, write_huge_pages),
	CONSTANT("nr_overcommit_hugepages", "0"),
	NUMBER("overcommit_memory", overcommit_mode, 0, 2),
	NUMBER("overcommit_ratio", overcommit_ratio, INT32_MIN, INT32_MAX),
	NUMBER("page-cluster", page_cluster, 0, INT32_MAX),
	NUMBER("swappiness", swappiness, 0, 200),
	NUMBER("vfs_cache_pressure", cache_pressure, 0, INT32_MAX),
	NUMBER("zone_reclaim_mode", zone_reclaim, 0, INT32_MAX),
	{ 0 },
};

static const struct entry fanotify_entries[] = {
	NUMBER("max_queued_events", fanotify_queue_max, 0, INT32_MAX),
	NUMBER("max_user_groups", fanotify_groups_max, 0, INT32_MAX),
	NUMBER("max_user_marks", fanotify_marks_max, 0, INT32_MAX),
	{ 0 },
};

static const struct entry inotify_entries[] = {
	NUMBER("max_queued_events", inotify_queue_max, 0, INT32_MAX),
	NUMBER("max_user_instances", inotify_instances_max, 0, INT32_MAX),
	NUMBER("max_user_watches", inotify_watches_max, 0, INT32_MAX),
	{ 0 },
};

static const struct entry mqueue_entries[] = {
	SETTING("msg_default", show_mq_msg_default, write_mq_msg_default),
	SETTING("msg_max", show_mq_msg_max, write_mq_msg_max),
	SETTING("msgsize_default", show_mq_size_default, write_mq_size_default),
	SETTING("msgsize_max", show_mq_size_max, write_mq_size_max),
	SETTING("queues_max", show_queues_max, write_queues_max),
	{ 0 },
};

static const struct entry fs_entries[] = {
	CONSTANT("aio-max-nr", "65536"),
	READONLY("aio-nr", show_aio_nr),
	NUMBER("dir-notify-enable", dnotify_enable, INT32_MIN, INT32_MAX),
	ENTRY_DIR("fanotify", fanotify_entries),
	CONSTANT("file-max", "9223372036854775807"),
	READONLY("file-nr", show_file_nr),
	ENTRY_DIR("inotify", inotify_entries),
	NUMBER("lease-break-time", lease_break_seconds, INT32_MIN, INT32_MAX),
	NUMBER("leases-enable", leases_enabled, INT32_MIN, INT32_MAX),
	NUMBER("mount-max", mount_max, 1, INT32_MAX),
	ENTRY_DIR("mqueue", mqueue_entries),
	CONSTANT("nr_open", "1048576"),
	CONSTANT("overflowgid", "65534"),
	CONSTANT("overflowuid", "65534"),
	SETTING("pipe-max-size", show_pipe_max_size, write_pipe_max_size),
	NUMBER("pipe-user-pages-hard", pipe_user_pages_hard, 0, INT32_MAX),
	NUMBER("pipe-user-pages-soft", pipe_user_pages_soft, 0, INT32_MAX),
	NUMBER("protected_fifos", vfs_protection.fifos, 0, 2),
	NUMBER("protected_hardlinks", vfs_protection.hardlinks, 0, 1),
	NUMBER("protected_regular", vfs_protection.regular, 0, 2),
	NUMBER("protected_symlinks", vfs_protection.symlinks, 0, 1),
	CONSTANT("suid_dumpable", "0"),
	{ 0 },
};

const struct entry sys_entries[] = {
	ENTRY_DIR("fs", fs_entries),
	ENTRY_DIR("kernel", kernel_entries),
	ENTRY_DIR("net", sys_net_entries),
	ENTRY_DIR("vm", vm_entries),
	{ 0 },
};
