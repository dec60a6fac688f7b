/* SPDX-License-Identifier: MIT */
/*
 * fat.h - a FAT file system over a row of bytes: what programs of all kinds use of it, FUSE's among them.
 *
 * A volume (struct fat) holds the table in memory, and a node (struct fat_node) for each file that somebody knows. A node
 * is found by its place (directory and slot), lives as long as it has references, and keeps its number meanwhile, also when
 * it is renamed or removed. A removed file's clusters are free when nobody has it open any more; its node may be known for longer.
 * A node holds its directory. A directory's slots are all in memory while its node is.
 *
 * What changes goes to the disk before the call returns, in an order that leaves at worst clusters that belong to no file
 * when the process dies: clusters are taken in the table before a slot names them, and a slot is gone before its clusters
 * are free. While anything may be under way the volume is marked as in use.
 *
 * Nothing on the disk is believed. fat_open() reads the whole table and all directories, and notes which clusters are named
 * twice, by the table or by slots. A chain that begins at a cluster that another one names, or meets a crossed one, is
 * refused, so that every chain that is followed comes to an end and is nobody else's. What makes no sense is an
 * error for who asked (-EIO), a line in the log, and makes the volume read-only.
 *
 * One thread at a time. Calls return 0 or a negative errno, if nothing else is said.
 */
#ifndef FAT_H
#define FAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fat_disk.h"

struct fat;

/* The row of bytes. Whoever opens a volume fills it in; read and write do all or fail. */
struct fat_disk {
	int (*read)(struct fat_disk *disk, uint64_t offset, void *to, size_t n);
	int (*write)(struct fat_disk *disk, uint64_t offset, const void *from, size_t n);
	int (*flush)(struct fat_disk *disk);
	uint64_t size;
	bool read_only;
	void (*log)(const char *line);   /* NULL: nobody wants to know */
	int64_t (*now)(uint32_t *nanoseconds); /* seconds of 1970; NULL: the clock's */
};

struct fat_time {
	int64_t seconds;
	uint32_t nanoseconds;
};

/*
 * Who may touch: one thread all of it. [I] never changes after fat_open().
 */
struct fat {
	struct fat_disk *disk;           /* [I] */
	unsigned int bits;               /* [I] 12, 16, 32 */
	uint32_t sector_size;            /* [I] */
	uint32_t cluster_size;           /* [I] */
	uint32_t clusters;               /* [I] numbered FAT_FIRST to clusters + 1 */
	uint64_t table_start;            /* [I] offset of the table that counts */
	uint64_t table_step;             /* [I] from one copy to the next */
	unsigned int table_copies;       /* [I] to be written */
	uint64_t root_start;             /* [I] FAT12, FAT16: offset of the root directory */
	uint32_t root_slots;             /* [I] its slots */
	uint64_t data_start;             /* [I] offset of cluster FAT_FIRST */
	uint64_t info_start;             /* [I] offset of FSInfo, or 0 */
	uint32_t serial;                 /* [I] */

	uint8_t *table;                  /* one copy, as it is on the disk */
	size_t table_bytes;              /* [I] */
	uint8_t *table_dirty;            /* a bit for each sector of it */
	uint32_t dirty_low, dirty_high;  /* no dirty sector outside [low, high) */
	uint8_t *linked;                 /* a bit for each cluster: some cluster is followed by it */
	uint8_t *crossed;                /* more than one thing is; they are not used */
	uint32_t free;                   /* clusters */
	uint32_t next;                   /* where to look for one */

	bool was_dirty;                  /* [I] when it was opened: stays marked */
	bool marked;                     /* as in use */
	bool damaged;                    /* something made no sense: nothing is written any more */
	unsigned int complaints;         /* lines written about that */

	struct fat_node *root;
	struct fat_node **by_ino, **by_place;
	size_t hash_size, nodes;         /* of either hash table; nodes in them */
	uint64_t generation;
};

#define FAT_GONE UINT32_MAX              /* the slot of what has been removed, and of the root */

struct fat_node {
	struct fat *fs;                  /* [I] */
	struct fat_node *dir;            /* the directory that it lies in, held; NULL: the root */
	uint32_t slot;                   /* there, of the short name, or FAT_GONE */
	uint32_t refs;
	uint32_t opens;                  /* who goes on with it when it has been removed */
	uint64_t ino, generation;        /* [I] */
	uint8_t attributes;
	uint32_t first;                  /* cluster, or 0 */
	uint32_t size;                   /* of a file */
	struct fat_time created, modified, accessed;
	uint32_t *chain;                 /* its clusters, in their order */
	uint32_t length, room;           /* of the chain; of its memory */
	bool chained;                    /* the chain is read */
	uint8_t *slots;                  /* of a directory, NULL: not read yet */
	uint32_t slot_count, slot_end;   /* all; the first that was never used */
	struct fat_node *next_ino, *next_place;
};

/* A name in a directory. */
struct fat_entry {
	uint32_t slot, longs;            /* its slot, and how many before it hold the long name */
	uint8_t attributes;
	uint16_t name[FAT_NAME_UNITS + 1]; /* as it is shown */
	uint32_t length;
	uint16_t alias[13];              /* the short one */
	uint32_t alias_length;
};

/* In UTF-8 a unit of UTF-16 takes three bytes at most. */
#define FAT_NAME_BYTES (3 * FAT_NAME_UNITS + 1)

struct fat_space {
	uint32_t block_size;
	uint64_t blocks, free;
};

/* Renaming. */
#define FAT_RENAME_KEEP     1u           /* -EEXIST where the new name is taken */
#define FAT_RENAME_EXCHANGE 2u           /* both are there, and change places */

int fat_open(struct fat_disk *disk, struct fat **out);
/* Write what is left to write, mark the volume clean, forget all nodes. */
int fat_close(struct fat *fs);
int fat_sync(struct fat *fs);
void fat_space(const struct fat *fs, struct fat_space *out);
bool fat_writable(const struct fat *fs);
/* The label as UTF-8, NUL-terminated; "" for none. `out` has FAT_LABEL_BYTES. */
#define FAT_LABEL_BYTES (3 * 11 + 1)
int fat_label(struct fat *fs, char *out);
int fat_set_label(struct fat *fs, const char *label);

/* The node comes with a reference, which fat_node_put() gives back. */
int fat_lookup(struct fat_node *dir, const char *name, struct fat_node **out);
struct fat_node *fat_node_find(struct fat *fs, uint64_t ino);
void fat_node_hold(struct fat_node *n);
void fat_node_put(struct fat_node *n, uint64_t refs);
/* A file that stays whole while it is open. -ESTALE: it is gone. */
int fat_node_open(struct fat_node *n);
void fat_node_close(struct fat_node *n);
static inline bool
fat_is_directory(const struct fat_node *n)
{
	return n->attributes & FAT_DIRECTORY;
}
/* The next entry from *slot on: 1, and *slot is behind it; 0 at the end. */
int fat_list(struct fat_node *dir, uint32_t *slot, struct fat_entry *out);
/* The number that the entry's node has, or would get. */
uint64_t fat_entry_ino(const struct fat_node *dir, const struct fat_entry *e);
int fat_node_of(struct fat_node *dir, const struct fat_entry *e, struct fat_node **out);
size_t fat_name_to_utf8(const uint16_t *name, uint32_t length, char *out);

int fat_create(struct fat_node *dir, const char *name, bool directory, struct fat_node **out);
int fat_unlink(struct fat_node *dir, const char *name);
int fat_rmdir(struct fat_node *dir, const char *name);
int fat_rename(struct fat_node *from, const char *name, struct fat_node *to, const char *new_name, unsigned int flags);

/* Bytes read or written, fewer at the end of the file or of the room; -ENOSPC, -EFBIG when there are none. */
ssize_t fat_read(struct fat_node *n, uint64_t offset, void *to, size_t size);
ssize_t fat_write(struct fat_node *n, uint64_t offset, const void *from, size_t size);
/* Shorter, or longer with zeros. */
int fat_resize(struct fat_node *n, uint64_t size);
int fat_set_attributes(struct fat_node *n, uint8_t attributes);
/* NULL leaves a time as it is. */
int fat_set_times(struct fat_node *n, const struct fat_time *modified, const struct fat_time *accessed);
/* Clusters that the file occupies. */
int fat_clusters_of(struct fat_node *n, uint32_t *out);

#endif
