/* SPDX-License-Identifier: MIT */
/*
 * protocol.h - the bytes between the kernel and a FUSE daemon: version 7.38, as linux/fuse.h documents it.
 *
 * Everything is in the machine's byte order. A request is a head and its arguments; an answer is a head and what the
 * request asked for. A head's `length` counts all of the message.
 */
#ifndef TESSERA_VFS_FUSE_PROTOCOL_H
#define TESSERA_VFS_FUSE_PROTOCOL_H

#include <tessera/types.h>

#define FUSE_MAJOR   7u
#define FUSE_MINOR   38u
#define FUSE_ROOT_ID 1u

#define FUSE_MIN_READ 8192u /* the least that a daemon's buffer must hold */

#define FUSE_OPCODES(O)                                                                            \
	O(LOOKUP, 1) O(FORGET, 2) O(GETATTR, 3) O(SETATTR, 4) O(READLINK, 5) O(SYMLINK, 6)         \
	O(MKNOD, 8) O(MKDIR, 9) O(UNLINK, 10) O(RMDIR, 11) O(RENAME, 12) O(LINK, 13)               \
	O(OPEN, 14) O(READ, 15) O(WRITE, 16) O(STATFS, 17) O(RELEASE, 18) O(FSYNC, 20)             \
	O(SETXATTR, 21) O(GETXATTR, 22) O(LISTXATTR, 23) O(REMOVEXATTR, 24) O(FLUSH, 25)           \
	O(INIT, 26) O(OPENDIR, 27) O(READDIR, 28) O(RELEASEDIR, 29) O(FSYNCDIR, 30)                \
	O(GETLK, 31) O(SETLK, 32) O(SETLKW, 33) O(ACCESS, 34) O(CREATE, 35) O(INTERRUPT, 36)       \
	O(BMAP, 37) O(DESTROY, 38) O(IOCTL, 39) O(POLL, 40) O(NOTIFY_REPLY, 41)                    \
	O(BATCH_FORGET, 42) O(FALLOCATE, 43) O(READDIRPLUS, 44) O(RENAME2, 45) O(LSEEK, 46)        \
	O(COPY_FILE_RANGE, 47) O(SYNCFS, 50) O(TMPFILE, 51) O(CUSE_INIT, 4096)

#define FUSE_OPCODE_ENUM(name, number) FUSE_##name = (number),
enum fuse_opcode { FUSE_OPCODES(FUSE_OPCODE_ENUM) };
#undef FUSE_OPCODE_ENUM

enum fuse_notice {
	FUSE_NOTICE_POLL = 1,
	FUSE_NOTICE_INVAL_INODE = 2,
	FUSE_NOTICE_INVAL_ENTRY = 3,
	FUSE_NOTICE_STORE = 4,
	FUSE_NOTICE_RETRIEVE = 5,
	FUSE_NOTICE_DELETE = 6,
};

/* What INIT agrees on. Bits from 32 on travel in flags2. */
#define FUSE_ASYNC_READ          BIT(0)
#define FUSE_POSIX_LOCKS         BIT(1)
#define FUSE_ATOMIC_O_TRUNC      BIT(3)
#define FUSE_EXPORT_SUPPORT      BIT(4)
#define FUSE_BIG_WRITES          BIT(5)
#define FUSE_DONT_MASK           BIT(6)
#define FUSE_SPLICE_WRITE        BIT(7)
#define FUSE_SPLICE_MOVE         BIT(8)
#define FUSE_SPLICE_READ         BIT(9)
#define FUSE_FLOCK_LOCKS         BIT(10)
#define FUSE_HAS_IOCTL_DIR       BIT(11)
#define FUSE_AUTO_INVAL_DATA     BIT(12)
#define FUSE_DO_READDIRPLUS      BIT(13)
#define FUSE_READDIRPLUS_AUTO    BIT(14)
#define FUSE_ASYNC_DIO           BIT(15)
#define FUSE_WRITEBACK_CACHE     BIT(16)
#define FUSE_NO_OPEN_SUPPORT     BIT(17)
#define FUSE_PARALLEL_DIROPS     BIT(18)
#define FUSE_HANDLE_KILLPRIV     BIT(19)
#define FUSE_POSIX_ACL           BIT(20)
#define FUSE_ABORT_ERROR         BIT(21)
#define FUSE_MAX_PAGES           BIT(22)
#define FUSE_CACHE_SYMLINKS      BIT(23)
#define FUSE_NO_OPENDIR_SUPPORT  BIT(24)
#define FUSE_EXPLICIT_INVAL_DATA BIT(25)
#define FUSE_HANDLE_KILLPRIV_V2  BIT(28)
#define FUSE_SETXATTR_EXT        BIT(29)
#define FUSE_INIT_EXT            BIT(30)
#define FUSE_SECURITY_CTX        BIT(32)
#define FUSE_HAS_INODE_DAX       BIT(33) /* says nothing here: there is no memory to map from a daemon */
#define FUSE_HAS_EXPIRE_ONLY     BIT(35)

/* fuse_open_out.flags */
#define FUSE_OPEN_DIRECT_IO   BIT(0)
#define FUSE_OPEN_KEEP_CACHE  BIT(1)
#define FUSE_OPEN_NONSEEKABLE BIT(2)
#define FUSE_OPEN_CACHE_DIR   BIT(3)
#define FUSE_OPEN_STREAM      BIT(4)
#define FUSE_OPEN_NOFLUSH     BIT(5)

/* fuse_setattr_in.valid */
#define FUSE_SET_MODE        BIT(0)
#define FUSE_SET_UID         BIT(1)
#define FUSE_SET_GID         BIT(2)
#define FUSE_SET_SIZE        BIT(3)
#define FUSE_SET_ATIME       BIT(4)
#define FUSE_SET_MTIME       BIT(5)
#define FUSE_SET_FH          BIT(6)
#define FUSE_SET_ATIME_NOW   BIT(7)
#define FUSE_SET_MTIME_NOW   BIT(8)
#define FUSE_SET_LOCKOWNER   BIT(9)
#define FUSE_SET_CTIME       BIT(10)
#define FUSE_SET_KILL_SUIDGID BIT(11)

#define FUSE_GETATTR_FH          BIT(0)
#define FUSE_OPEN_IN_KILL_SUIDGID BIT(0)
#define FUSE_RELEASE_FLUSH       BIT(0)
#define FUSE_RELEASE_FLOCK_UNLOCK BIT(1)
#define FUSE_LK_FLOCK            BIT(0)
#define FUSE_WRITE_CACHE         BIT(0)
#define FUSE_WRITE_LOCKOWNER     BIT(1)
#define FUSE_WRITE_KILL_SUIDGID  BIT(2)
#define FUSE_READ_LOCKOWNER      BIT(1)
#define FUSE_FSYNC_DATA          BIT(0)
#define FUSE_POLL_NOTIFY         BIT(0)
#define FUSE_IOCTL_UNRESTRICTED  BIT(1)
#define FUSE_IOCTL_RETRY         BIT(2)
#define FUSE_IOCTL_DIR           BIT(4)
#define FUSE_IOCTL_MAX_IOV       256u
#define FUSE_ACL_KILL_SGID       BIT(0)
#define FUSE_EXPIRE_ONLY         BIT(0)
#define CUSE_UNRESTRICTED_IOCTL  BIT(0)

struct fuse_in_header {
	uint32_t length, opcode;
	uint64_t unique, node;
	uint32_t uid, gid, pid;
	uint16_t extra_length, pad;
};
_Static_assert(sizeof(struct fuse_in_header) == 40, "head of a request");

struct fuse_out_header {
	uint32_t length;
	int32_t error; /* 0 or a negative errno; of a notice: its kind */
	uint64_t unique;
};
_Static_assert(sizeof(struct fuse_out_header) == 16, "head of an answer");

struct fuse_attr {
	uint64_t ino, size, blocks, atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns, mode, links, uid, gid, rdev, block_size, flags;
};
_Static_assert(sizeof(struct fuse_attr) == 88, "attributes");

struct fuse_entry_out {
	uint64_t node, generation, entry_valid, attr_valid;
	uint32_t entry_valid_ns, attr_valid_ns;
	struct fuse_attr attr;
};
_Static_assert(sizeof(struct fuse_entry_out) == 128, "a name's answer");

struct fuse_forget_in {
	uint64_t count;
};
struct fuse_forget_one {
	uint64_t node, count;
};
struct fuse_batch_forget_in {
	uint32_t count, pad;
};

struct fuse_getattr_in {
	uint32_t flags, pad;
	uint64_t fh;
};
struct fuse_attr_out {
	uint64_t valid;
	uint32_t valid_ns, pad;
	struct fuse_attr attr;
};
_Static_assert(sizeof(struct fuse_attr_out) == 104, "attributes' answer");

struct fuse_mknod_in {
	uint32_t mode, rdev, umask, pad;
};
struct fuse_mkdir_in {
	uint32_t mode, umask;
};
struct fuse_rename_in {
	uint64_t to_dir;
};
struct fuse_rename2_in {
	uint64_t to_dir;
	uint32_t flags, pad;
};
struct fuse_link_in {
	uint64_t node;
};
struct fuse_setattr_in {
	uint32_t valid, pad0;
	uint64_t fh, size, lock_owner, atime, mtime, ctime;
	uint32_t atime_ns, mtime_ns, ctime_ns, mode, pad1, uid, gid, pad2;
};
_Static_assert(sizeof(struct fuse_setattr_in) == 88, "setattr");

struct fuse_open_in {
	uint32_t flags, open_flags;
};
struct fuse_create_in {
	uint32_t flags, mode, umask, open_flags;
};
struct fuse_open_out {
	uint64_t fh;
	uint32_t flags, pad;
};
struct fuse_create_out {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};
struct fuse_release_in {
	uint64_t fh;
	uint32_t flags, release_flags;
	uint64_t lock_owner;
};
struct fuse_flush_in {
	uint64_t fh;
	uint32_t unused, pad;
	uint64_t lock_owner;
};
struct fuse_read_in {
	uint64_t fh, offset;
	uint32_t size, read_flags;
	uint64_t lock_owner;
	uint32_t flags, pad;
};
_Static_assert(sizeof(struct fuse_read_in) == 40, "read");
struct fuse_write_in {
	uint64_t fh, offset;
	uint32_t size, write_flags;
	uint64_t lock_owner;
	uint32_t flags, pad;
};
_Static_assert(sizeof(struct fuse_write_in) == 40, "write");
struct fuse_write_out {
	uint32_t size, pad;
};
struct fuse_statfs_out {
	uint64_t blocks, free, available, files, files_free;
	uint32_t block_size, name_length, fragment_size, pad, spare[6];
};
_Static_assert(sizeof(struct fuse_statfs_out) == 80, "statfs");
struct fuse_fsync_in {
	uint64_t fh;
	uint32_t flags, pad;
};
#define FUSE_COMPAT_SETXATTR_SIZE 8u
struct fuse_setxattr_in {
	uint32_t size, flags, setxattr_flags, pad;
};
struct fuse_getxattr_in {
	uint32_t size, pad;
};
struct fuse_getxattr_out {
	uint32_t size, pad;
};
struct fuse_lock {
	uint64_t start, end;
	uint32_t type, pid;
};
struct fuse_lk_in {
	uint64_t fh, owner;
	struct fuse_lock lock;
	uint32_t flags, pad;
};
_Static_assert(sizeof(struct fuse_lk_in) == 48, "locks");
struct fuse_lk_out {
	struct fuse_lock lock;
};
struct fuse_access_in {
	uint32_t mask, pad;
};
struct fuse_init_in {
	uint32_t major, minor, max_readahead, flags, flags2, unused[11];
};
_Static_assert(sizeof(struct fuse_init_in) == 64, "init");
struct fuse_init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_granularity;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, unused[7];
};
_Static_assert(sizeof(struct fuse_init_out) == 64, "init's answer");
struct cuse_init_in {
	uint32_t major, minor, unused, flags;
};
#define CUSE_INFO_MAX 4096u
struct cuse_init_out {
	uint32_t major, minor, unused, flags, max_read, max_write, dev_major, dev_minor, spare[10];
};
_Static_assert(sizeof(struct cuse_init_out) == 72, "CUSE's init");
struct fuse_interrupt_in {
	uint64_t unique;
};
struct fuse_bmap_in {
	uint64_t block;
	uint32_t block_size, pad;
};
struct fuse_bmap_out {
	uint64_t block;
};
struct fuse_ioctl_in {
	uint64_t fh;
	uint32_t flags, command;
	uint64_t arg;
	uint32_t in_size, out_size;
};
struct fuse_ioctl_iovec {
	uint64_t base, length;
};
struct fuse_ioctl_out {
	int32_t result;
	uint32_t flags, in_count, out_count;
};
struct fuse_poll_in {
	uint64_t fh, kh;
	uint32_t flags, events;
};
struct fuse_poll_out {
	uint32_t events, pad;
};
struct fuse_fallocate_in {
	uint64_t fh, offset, length;
	uint32_t mode, pad;
};
#define FALLOC_KEEP_SIZE  BIT(0)
#define FALLOC_PUNCH_HOLE BIT(1)
#define FALLOC_ZERO_RANGE BIT(4)
struct fuse_dirent {
	uint64_t ino, offset;
	uint32_t length, type;
	char name[];
};
struct fuse_direntplus {
	struct fuse_entry_out entry;
	struct fuse_dirent dirent;
};
struct fuse_lseek_in {
	uint64_t fh, offset;
	uint32_t whence, pad;
};
struct fuse_lseek_out {
	uint64_t offset;
};
struct fuse_copy_range_in {
	uint64_t fh_in, offset_in, node_out, fh_out, offset_out, length, flags;
};
struct fuse_syncfs_in {
	uint64_t pad;
};
struct fuse_security_header {
	uint32_t size, count;
};

struct fuse_notice_poll {
	uint64_t kh;
};
struct fuse_notice_inval_inode {
	uint64_t node;
	int64_t offset, length;
};
struct fuse_notice_inval_entry {
	uint64_t parent;
	uint32_t length, flags;
};
struct fuse_notice_delete {
	uint64_t parent, child;
	uint32_t length, pad;
};
struct fuse_notice_store {
	uint64_t node, offset;
	uint32_t size, pad;
};
struct fuse_notice_retrieve {
	uint64_t unique, node, offset;
	uint32_t size, pad;
};
struct fuse_retrieve_in {
	uint64_t unused0, offset;
	uint32_t size, unused1;
	uint64_t unused2, unused3;
};

#define FUSE_DEV_IOC_CLONE 0x8004e500u

#endif
