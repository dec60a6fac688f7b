/* SPDX-License-Identifier: MIT */
/*
 * fat_disk.h - what lies on a disk with a FAT file system, and nothing else.
 *
 * "FAT" is the Microsoft FAT32 File System Specification, version 1.03 (6 December 2000); ECMA-107 is the standard of
 * FAT12 and FAT16. All numbers are little-endian and lie at any address: they are bytes here, read by fat_get16() and
 * fat_get32().
 *
 *   reserved sectors      the boot sector is the first; FAT32 has the FSInfo sector and copies of both here
 *   tables                one number for each cluster: free, bad, the next cluster of its file, or the end
 *   root directory        of FAT12 and FAT16: of fixed size
 *   clusters              numbered from 2
 */
#ifndef FAT_DISK_H
#define FAT_DISK_H

#include <stdint.h>

/* FAT, "Boot Sector and BPB". */
struct fat_boot {
	uint8_t jump[3];
	uint8_t oem[8];
	uint8_t sector_size[2];    /* 512, 1024, 2048 or 4096 */
	uint8_t cluster_sectors;   /* a power of two */
	uint8_t reserved[2];       /* sectors before the first table; not 0 */
	uint8_t tables;            /* copies of the table */
	uint8_t root_entries[2];   /* 0 for FAT32 */
	uint8_t sectors16[2];      /* 0 when sectors32 counts */
	uint8_t media;
	uint8_t table_sectors16[2]; /* of one copy; 0 for FAT32 */
	uint8_t track_sectors[2], heads[2], hidden[4];
	uint8_t sectors32[4];
	union {
		struct {
			uint8_t drive;
			uint8_t state;     /* FAT_IN_USE */
			uint8_t signature; /* FAT_EXTENDED: what follows is there */
			uint8_t serial[4];
			uint8_t label[11];
			uint8_t type[8];
		} small;                   /* FAT12, FAT16 */
		struct {
			uint8_t table_sectors[4];
			uint8_t flags[2];  /* FAT_ONE_TABLE, and which one */
			uint8_t version[2]; /* 0 */
			uint8_t root[4];   /* its first cluster */
			uint8_t info[2];   /* sector of FSInfo */
			uint8_t backup[2]; /* sector of the boot sector's copy */
			uint8_t zero[12];
			uint8_t drive;
			uint8_t state;
			uint8_t signature;
			uint8_t serial[4];
			uint8_t label[11];
			uint8_t type[8];
		} big;                     /* FAT32 */
	};
	uint8_t code[420];
	uint8_t mark[2];                   /* 55 aa */
};

_Static_assert(sizeof(struct fat_boot) == 512, "the boot sector");

#define FAT_EXTENDED    0x29u
#define FAT_IN_USE 0x01u      /* in use, or was when the machine stopped */
#define FAT_ONE_TABLE   0x0080u    /* the tables are no copies of each other: */
#define FAT_TABLE_MASK  0x000fu    /* this one counts */

/* FAT, "FSInfo Sector Structure and Backup Boot Sector". Hints: both may be wrong. */
struct fat_info_sector {
	uint8_t lead[4];           /* FAT_INFO_LEAD */
	uint8_t zero[480];
	uint8_t mark[4];           /* FAT_INFO_MARK */
	uint8_t free[4];           /* clusters; ffffffff: not known */
	uint8_t next[4];           /* where to look for a free one; ffffffff: anywhere */
	uint8_t zero2[12];
	uint8_t trail[4];          /* FAT_INFO_TRAIL */
};

_Static_assert(sizeof(struct fat_info_sector) == 512, "FSInfo");

#define FAT_INFO_LEAD  0x41615252u
#define FAT_INFO_MARK  0x61417272u
#define FAT_INFO_TRAIL 0xaa550000u

/*
 * FAT, "FAT Type Determination" and "FAT Data Structure". Entry 1 of a table has two bits of the volume's state,
 * which are 1 when all is well.
 */
#define FAT12_CLUSTERS   4085u     /* as many and more: FAT16 */
#define FAT16_CLUSTERS   65525u
#define FAT32_CLUSTERS   0x0ffffff5u
#define FAT_FIRST        2u
#define FAT16_CLEAN      0x8000u
#define FAT32_CLEAN      0x08000000u

/* FAT, "FAT Directory Structure". */
struct fat_slot {
	uint8_t name[11];          /* padded with blanks; name[0]: FAT_SLOT_ */
	uint8_t attributes;
	uint8_t lower;             /* FAT_LOWER_: not in the specification, but Windows NT's and Linux's; FAT_MOVING */
	uint8_t created_fine;      /* 10 ms, 0 to 199 */
	uint8_t created_time[2], created_date[2];
	uint8_t accessed_date[2];
	uint8_t cluster_high[2];   /* FAT32 */
	uint8_t modified_time[2], modified_date[2];
	uint8_t cluster[2];
	uint8_t size[4];           /* of a directory: 0 */
};

/* FAT, "FAT Long Directory Entries": before the slot that it names, the last part first. */
struct fat_long_slot {
	uint8_t order;             /* 1 ...; FAT_LONG_LAST on the one that comes first */
	uint8_t name1[10];
	uint8_t attributes;        /* FAT_LONG */
	uint8_t type;              /* 0 */
	uint8_t checksum;          /* of the name in the slot */
	uint8_t name2[12];
	uint8_t cluster[2];        /* 0 */
	uint8_t name3[4];
};

_Static_assert(sizeof(struct fat_slot) == 32, "a slot of a directory");
_Static_assert(sizeof(struct fat_long_slot) == 32, "a slot of a long name");

#define FAT_SLOT_SIZE 32u
#define FAT_SLOT_END  0x00u        /* this one and all behind it were never used */
#define FAT_SLOT_FREE 0xe5u
#define FAT_SLOT_E5   0x05u        /* the name begins with e5 */

#define FAT_READ_ONLY 0x01u
#define FAT_HIDDEN    0x02u
#define FAT_SYSTEM    0x04u
#define FAT_LABEL     0x08u
#define FAT_DIRECTORY 0x10u
#define FAT_ARCHIVE   0x20u
#define FAT_LONG      0x0fu
#define FAT_LONG_MASK 0x3fu
#define FAT_SETTABLE  (FAT_READ_ONLY | FAT_HIDDEN | FAT_SYSTEM | FAT_ARCHIVE)

#define FAT_LOWER_BASE 0x08u
#define FAT_LOWER_TAIL 0x10u
#define FAT_MOVING     0x01u /* ours, while a file is renamed: another slot may lead to it already, and is the right one */

#define FAT_LONG_LAST  0x40u
#define FAT_LONG_UNITS 13u         /* of UTF-16 in a slot */
#define FAT_LONG_SLOTS 20u
#define FAT_NAME_UNITS 255u

#define FAT_DIRECTORY_SLOTS 65536u /* at most */

static inline uint32_t
fat_get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t
fat_get32(const uint8_t *p)
{
	return fat_get16(p) | fat_get16(p + 2) << 16;
}

static inline void
fat_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
fat_put32(uint8_t *p, uint32_t v)
{
	fat_put16(p, v & 0xffff);
	fat_put16(p + 2, v >> 16);
}

#endif
