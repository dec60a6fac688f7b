/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - /proc: tables of entries.
 *
 * A directory is a table of entries ended by one without a name. A file's show() writes its whole text
 * into a buffer each time it is read from the start. Entries below /proc/PID get a target: the
 * process, and below task/TID the thread, found anew at each access, so nothing in /proc keeps a
 * dead process.
 */
#ifndef TESSERA_VFS_PROCFS_PROCFS_H
#define TESSERA_VFS_PROCFS_PROCFS_H

#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/text.h>
#include <tessera/types.h>

/* What an entry below /proc/PID is about. References are held while the struct is in use. */
struct target {
	struct process *process;
	struct thread *thread;     /* the one of task/TID, or the leader; NULL: gone */
	bool whole;                /* /proc/PID: sums over threads; false: /proc/PID/task/TID */
	const struct cred *opener; /* of the file being written; borrowed */
	struct pid_namespace *ns;  /* whose numbers it shows; borrowed of the file system */
	const struct proc_instance *instance; /* the file system itself; borrowed */
	int fd;                    /* below fd/ and fdinfo/ */
	vaddr_t address;           /* below map_files/; a number below bus/pci/ */
};

/* What of the processes an instance hides from those who may not inspect them: hidepid=. */
enum proc_hiding {
	PROC_SHOWN,
	PROC_CLOSED,     /* noaccess: their directories cannot be entered */
	PROC_HIDDEN,     /* invisible: ... nor seen */
	PROC_NOT_THERE = 4, /* ptraceable: the same, and `group` is of no use */
};

/* filesystem->private. [I] but what remounting sets: [a] */
struct proc_instance {
	struct pid_namespace *ns;  /* reference: whose numbers it shows */
	int hiding;                /* [a] enum proc_hiding */
	gid_t group;               /* [a] its members see all: gid= */
	bool processes_only;       /* [a] subset=pid */
};

struct entry;

/* A directory whose names are made up as they are asked for. */
struct entry_list {
	/* Is `name` there? Its number, to be found in target (tid, fd) later; -1: no. */
	long (*find)(struct target *at, const char *name, size_t length);
	/* The smallest number >= from that is there, or -1. Its name is the number unless name() says another. */
	long (*next)(struct target *at, long from);
	/* Another name than the number: its length, or -ENOENT. */
	int (*name)(struct target *at, long number, char *buf, size_t size);
	const struct entry *each;  /* what every name is */
};

/* A number that root may change while others read it; or numbers of the caller's network. */
struct setting {
	int *value;     /* [a] NULL: the network's */
	int low, high;
	int of_network; /* enum network_setting, and so many from there on */
	unsigned int count;
};

struct entry {
	const char *name;
	mode_t mode;               /* type and permissions */
	uint32_t flags;            /* ENTRY_* */
	const char *constant;      /* a file that always says this line; */
	const struct setting *setting;                          /* or this number; */
	int (*show)(struct text *t, struct target *at);         /* or what this writes */
	/* Files that can be written: all bytes of one write call, NUL-terminated. Bytes used or errno. */
	ssize_t (*write)(struct target *at, char *data, size_t n);
	ssize_t (*readlink)(struct target *at, char *buf, size_t size); /* symlinks */
	int (*jump)(struct target *at, struct path *out);               /* magic links */
	const struct entry *children;                                   /* directories */
	const struct entry_list *list;                                  /* and these beside children */
	const struct file_ops *file_ops;                                /* files that are not text */
};

#define ENTRY_INSPECT BIT(0) /* opening or following needs process_may_inspect() */
#define ENTRY_THREAD  BIT(1) /* of a list: the number is a thread's */
#define ENTRY_FD      BIT(2) /* of a list: the number is a handle's */
#define ENTRY_MAPPING BIT(5) /* of a list: the number is a mapping's start */
#define ENTRY_PLACE   BIT(6) /* of a list: the number is a place in the machine, to be found in target.address */
#define ENTRY_SPACE   BIT(4) /* tells of the address space there was at open(), never of a later program's */

#define ENTRY_FILE(n, show_function) { .name = n, .mode = S_IFREG | 0444, .show = show_function }
#define ENTRY_LINE(n, line) { .name = n, .mode = S_IFREG | 0444, .constant = line }
#define ENTRY_DIR(n, table) { .name = n, .mode = S_IFDIR | 0555, .children = table }

/* The target that an open file of ours is about; with references. -ESRCH: gone. */
int target_get(const struct inode *i, struct target *at);
void target_put(struct target *at);
/*
 * The address space of the process if it still is the one that `id`, from target_space_id() at open(), names;
 * with a reference. NULL: the program has gone, or become another. So who opens a file about itself and lets a
 * privileged program inherit it does not reach that program's memory.
 */
struct address_space *target_space(struct target *at, uint64_t id);
uint64_t target_space_id(struct target *at); /* 0: there is none */
/* Parse "123" exactly, no leading zeros: the number or -1. */
long parse_number(const char *name, size_t length);

/* setting.c */
int setting_show(const struct setting *s, struct text *t);
ssize_t setting_write(const struct setting *s, const char *data); /* bytes used, or -EINVAL */

extern const struct entry root_entries[];     /* root.c */
extern const size_t root_entry_count;
extern const struct entry_list process_list;  /* root.c: /proc/PID */
extern const struct entry sys_entries[];      /* sys.c */
extern const struct entry tessera_entries[];  /* counters.c */
extern const struct entry process_entries[];  /* process.c: below /proc/PID */
extern const struct entry thread_entries[];   /* process.c: below /proc/PID/task/TID */
extern const struct entry_list fd_list, fdinfo_list, task_list, map_files_list;
int show_mounts(struct text *t, struct target *at);
int show_mountinfo(struct text *t, struct target *at);
int show_mountstats(struct text *t, struct target *at);
extern const struct file_ops mounts_file_ops; /* text.c */
int show_maps(struct text *t, struct target *at);
int show_numa_maps(struct text *t, struct target *at);
int show_smaps(struct text *t, struct target *at);
int show_smaps_rollup(struct text *t, struct target *at);
extern const struct file_ops memory_file_ops;  /* /proc/PID/mem */
int show_stat(struct text *t, struct target *at);
int show_status(struct text *t, struct target *at);

#endif
