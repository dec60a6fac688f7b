/* SPDX-License-Identifier: MIT */
/*
 * address_space.h - a process's virtual memory: a tree of mappings over memory objects.
 *
 * as->lock (sleeping) guards the tree: writers change it, faults read it; most faults in anonymous
 * memory read it under page_table_lock alone, while as->changes is even (mm/address_space.c).
 * as->page_table_lock (spin) guards the page tables and is what pages are installed under. A page
 * is never freed before every CPU that could hold a translation of it has flushed: see tlb.h.
 */
#ifndef TESSERA_ADDRESS_SPACE_H
#define TESSERA_ADDRESS_SPACE_H

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/memory_policy.h>
#include <tessera/rbtree.h>

struct file;
struct file_ops;

/* mapping->flags */
#define MAPPING_READ      BIT(0)
#define MAPPING_WRITE     BIT(1)
#define MAPPING_EXEC      BIT(2)
#define MAPPING_SHARED    BIT(3)
#define MAPPING_GROWSDOWN BIT(4)
#define MAPPING_LOCKED    BIT(5)   /* mlock */
#define MAPPING_NORESERVE BIT(6)
#define MAPPING_HUGETLB   BIT(7)   /* only 2 MiB pages */
#define MAPPING_HUGE      BIT(8)   /* madvise: please */
#define MAPPING_NOHUGE    BIT(9)
#define MAPPING_DONTFORK  BIT(10)
#define MAPPING_WIPEONFORK BIT(11)
#define MAPPING_DONTDUMP  BIT(12)
#define MAPPING_MAYWRITE  BIT(13)  /* mprotect may add it: how the file was opened */
#define MAPPING_MAYEXEC   BIT(14)
#define MAPPING_MAYREAD   BIT(15)
#define MAPPING_DEVICE    BIT(16)
#define MAPPING_STACK     BIT(17)  /* the main stack: [stack] in maps */
#define MAPPING_HEAP      BIT(18)  /* brk */
#define MAPPING_VDSO      BIT(19)
#define MAPPING_VVAR      BIT(20)
#define MAPPING_ACCOUNT   BIT(21)  /* counted in as->committed */
#define MAPPING_RANDOM    BIT(22)  /* madvise: what lies around a page is not wanted */
#define MAPPING_SEQUENTIAL BIT(23) /* what lies behind it is */
#define MAPPING_AS_GIVEN  BIT(24)  /* its file has said which pages it shows: no others, nor are these taken away */

/*
 * [w] changes with as->lock held for writing and as->changes odd, or before the mapping is in a tree; is read with as->lock
 * held, or with page_table_lock held and as->changes even. start, end and object_page of a mapping with an object also
 * need object->mappings_lock to change, and may be read with that.
 */
struct mapping {
	struct rb_node node;             /* [w] by start */
	struct list object_node;         /* object->mappings_lock */
	struct address_space *as;        /* [I] */
	vaddr_t start, end;              /* [w] page aligned, end exclusive */
	uint32_t flags;                  /* [w] MAPPING_* */
	uint8_t key;                     /* [w] protection key */
	bool has_anon;                   /* [a] a private mapping of an object got pages of its own */
	struct memory_policy policy;     /* [w] */
	uint64_t object_page;            /* [w] index in the object of `start`; for anonymous: start >> 12 */
	struct memory_object *object;    /* [w] a reference, or NULL: private anonymous */
	struct file *file;               /* [w] a reference, or NULL: name in maps, vm_file */
};

/*
 * [I] immutable  [w] as with a mapping: lock for writing and `changes` odd  [t] page_table_lock  [a] atomic
 */
struct address_space {
	struct refcount refs;             /* threads' processes */
	struct refcount lazy;             /* + CPUs that still have it loaded, /proc readers */
	struct rwlock lock;               /* class ADDRESS_SPACE */
	struct rb_tree mappings;          /* [w] */
	struct mapping *recent;           /* [a] last found: in the tree, or NULL; by whoever may read [w] */
	uint32_t mapping_count;           /* [w] */
	uint64_t changes;                 /* [a] odd: [w] fields change; made odd with lock and page_table_lock held, even with lock */
	struct spinlock page_table_lock;  /* class PAGE_TABLE */
	struct page_table page_table;     /* [t] */
	uint64_t tlb_generation;          /* [a] bumped by each flush */
	uint64_t running;                 /* [a] bit per CPU that has it loaded right now */
	uint64_t id;                      /* [I] unique for ever, never reused; for PCIDs */
	vaddr_t mmap_base;                /* [w] top of the mmap area, searched downwards */
	vaddr_t search_hint;              /* [w] gaps between it and hint_base are <= hint_hole */
	vaddr_t hint_base;                /* [w] mmap_base when the hint was taken; else it is void */
	uint64_t hint_hole;               /* [w] bytes */
	vaddr_t brk_start, brk;           /* [w] */
	vaddr_t stack_start;              /* [w] where its first program found argc */
	vaddr_t code_start, code_end, data_start, data_end; /* [w] */
	vaddr_t arg_start, arg_end, env_start, env_end;     /* [w] */
	vaddr_t vdso;                     /* [w] */
	uint64_t auxv[48];                /* [w] /proc/PID/auxv */
	uint32_t auxv_count;              /* [w] words of it that are used */
	uint64_t total_pages, locked_pages, data_pages, stack_pages, exec_pages; /* [w] */
	uint64_t committed;               /* [w] pages charged against overcommit */
	uint64_t rss_anon, rss_file, rss_shared; /* [t] pages mapped */
	uint64_t huge_leaves;             /* [t] */
	uint32_t unflushed;               /* [t] how many have cleared accessed bits, not flushed yet: fork, age.c */
	uint64_t peak_rss;                /* [t] the most pages mapped, as of when some were last taken away */
	uint64_t peak_total;              /* [w] the largest total_pages */
	uint64_t minor_faults, major_faults; /* [a] */
	struct file *exe;                 /* [w] /proc/PID/exe, a reference */
	uint16_t keys;                    /* [w] protection keys given out; key 0 from the start */
	int8_t execute_only_key;          /* [w] of mappings that may only be executed, -1: none yet */
	uint32_t mlock_future;            /* [w] MCL_FUTURE: MAPPING_LOCKED or 0 */
	bool mlock_onfault;               /* [w] MCL_ONFAULT with it: what comes is locked, not brought in */
	uint32_t dumpable;                /* [a] */
};

/* The layout every program gets. [0x200000000000, 0x400000000000) is the commons: kept free. */
#define USER_MIN      0x10000ul
#define USER_END      0x00007ffffffff000ul
#define COMMONS_START 0x0000200000000000ul
#define COMMONS_END   0x0000400000000000ul

struct address_space *address_space_create(void);       /* empty; NULL: no memory */
/* A copy for fork: private pages become copy-on-write in both, but that of `stack`, which both are
 * about to write, is copied at once (0: none). Returns 0 or -ENOMEM. */
int address_space_fork(struct address_space *from, vaddr_t stack, struct address_space **out);
void address_space_get(struct address_space *as);
void address_space_put(struct address_space *as); /* last: unmaps everything. May sleep. */
/* Load `as` on this CPU. Called by the scheduler with interrupts off; NULL: keep what is loaded
 * (kernel threads borrow). */
void address_space_switch(struct address_space *as);

/* mmap. `flags`: MAPPING_*; addr 0 chooses. */
#define MAP_PLACE_FIXED     BIT(0) /* exactly there, replacing what is */
#define MAP_PLACE_NOREPLACE BIT(1) /* exactly there, -EEXIST when occupied */
#define MAP_PLACE_POPULATE  BIT(2)
#define MAP_PLACE_32BIT     BIT(3)
struct map_request {
	vaddr_t addr;
	size_t length;
	uint32_t flags;
	uint32_t place;
	uint64_t offset;                 /* bytes, page aligned */
	struct memory_object *object;    /* NULL: anonymous private. Referenced by the mapping. */
	struct file *file;               /* referenced when not NULL */
};
/* Returns the address, or a negative errno: ENOMEM, EEXIST, EINVAL, EAGAIN (locked limit). */
long address_space_map(struct address_space *as, const struct map_request *r);
/* remap_file_pages: within one shared mapping, [start, start + length) shows its object from page
 * `page` on. -EINVAL: there is no such mapping; -ENOMEM. */
int address_space_remap_pages(struct address_space *as, vaddr_t start, size_t length, uint64_t page);
int address_space_unmap(struct address_space *as, vaddr_t addr, size_t length);
/* attach.c: all mappings of the open file that the first mapping at or above `addr` with such
 * operations has, as far as they lie where a mapping of the whole file at `addr` would have put
 * them. -EINVAL: there is none. */
int address_space_unmap_attached(struct address_space *as, vaddr_t addr, const struct file_ops *ops);
/* `key` -1: each mapping keeps its own. */
int address_space_protect(struct address_space *as, vaddr_t addr, size_t length, uint32_t rwx, int key);
/* protection_keys.c: pkey_alloc and pkey_free. The number of a key or -ENOSPC; 0 or -EINVAL. */
int address_space_key_alloc(struct address_space *as);
int address_space_key_free(struct address_space *as, int key);
/* The key of what is mapped at `addr`, 0 when nothing is. */
unsigned int address_space_key(struct address_space *as, vaddr_t addr);
long address_space_remap(struct address_space *as, vaddr_t old, size_t old_len, size_t new_len,
			 int flags, vaddr_t new_addr); /* mremap; flags: Linux's MREMAP_* bits 1,2,4 */
int address_space_advise(struct address_space *as, vaddr_t addr, size_t length, int advice);
long address_space_brk(struct address_space *as, vaddr_t brk); /* the new or the unchanged break */

/* Where a program says that its parts lie; those from the stack on are of what exec wrote there. */
enum address_space_border {
	BORDER_CODE_START, BORDER_CODE_END, BORDER_DATA_START, BORDER_DATA_END, BORDER_BRK_START, BORDER_BRK,
	BORDER_STACK_START, BORDER_ARG_START, BORDER_ARG_END, BORDER_ENV_START, BORDER_ENV_END,
	BORDERS
};
/* One of them: 0, -EINVAL, -EFAULT (of the stack's, and above all that is mapped). */
int address_space_set_border(struct address_space *as, size_t which, vaddr_t at);
/* All, in that order. 0 or -EINVAL: outside of what a program can have, an end before its start,
 * too much data. */
int address_space_check_borders(const vaddr_t *v);
int address_space_set_borders(struct address_space *as, const vaddr_t *v);
void address_space_set_auxv(struct address_space *as, const uint64_t *words); /* as many as it has */
/* The program's file: with a reference, or NULL. Set takes the caller's. Is any of it still
 * mapped? */
struct file *address_space_exe(struct address_space *as);
void address_space_set_exe(struct address_space *as, struct file *f);
bool address_space_maps_exe(struct address_space *as);
int address_space_lock_range(struct address_space *as, vaddr_t addr, size_t len, bool lock, bool onfault);
/* mlockall: what is mapped `now`, what comes in `future`; both false: munlockall. */
int address_space_lock_all(struct address_space *as, bool now, bool future, bool onfault);
int address_space_sync(struct address_space *as, vaddr_t addr, size_t len, bool wait, bool invalidate);
int address_space_mincore(struct address_space *as, vaddr_t page, bool *resident); /* -ENOMEM hole */
/* The mapping that holds or follows `addr`; as->lock held, or page_table_lock with as->changes
 * even. */
struct mapping *address_space_find(struct address_space *as, vaddr_t addr);
struct mapping *mapping_next(struct mapping *m);
/* If a page of 2 MiB that nobody else refers to is at `addr`, it becomes 512: a reference to one of them keeps no more than
 * that. Best done where there is memory for it, and else not. Takes as->lock for reading. */
void address_space_split_block(struct address_space *as, vaddr_t addr);
/* Fault a page in as the program itself would and return it referenced: futex, /proc/PID/mem.
 * Takes as->lock for reading. -EFAULT when the access is not allowed. `force`: past protection. */
int address_space_get_page(struct address_space *as, vaddr_t addr, bool write, bool force,
			   struct page **out);
/*
 * pin.c: the page at `addr`, with a reference, for a device to use as long as the reference is
 * held: it is the very page that the program goes on to see there, whatever it writes, and a fork
 * leaves it to the parent. -EFAULT.
 */
int address_space_pin(struct address_space *as, vaddr_t addr, bool write, struct page **out);
/* Pages count as locked, or no longer. -ENOMEM: past the limit of the caller, who may not exceed
 * it. */
int address_space_lock_charge(struct address_space *as, uint64_t pages);
void address_space_lock_release(struct address_space *as, uint64_t pages);
void address_space_put_lazy(struct address_space *as); /* a reference in as->lazy */
/* Copy to or from another address space; returns bytes done or -EFAULT/-EIO when none. */
ssize_t address_space_access(struct address_space *as, vaddr_t addr, void *buf, size_t n, bool write,
			     bool force);
/* Remove every translation of object pages [first, last] (truncate, eviction). */
void object_unmap_range(struct memory_object *o, uint64_t first, uint64_t last, bool keep_private);
/* Which signal code a failed fault_handle() means: negative returns of fault_handle():
 *   -EFAULT no mapping (SEGV_MAPERR), -EACCES protection (SEGV_ACCERR or SEGV_PKUERR), -EIO past the end of
 *   the object (BUS_ADRERR), -ENOMEM out of memory (SIGKILL pending or retry), -EINTR killed meanwhile. 0: mended, run the instruction again. */

/* Statistics for /proc and the leak check. */
uint64_t address_space_resident(struct address_space *as); /* pages */
uint64_t address_space_peak_resident(struct address_space *as); /* the most that it ever were */
void address_space_dump(struct address_space *as);         /* to the log, takes no locks */

/* mm/oom.c: memory is gone; choose, report, kill one process. True when there is hope. */
bool oom_kill(const char *why);

/* Overcommit: /proc/sys/vm/overcommit_memory and friends. */
extern int overcommit_mode;  /* 0 heuristic, 1 always, 2 never */
extern int overcommit_ratio;
extern int max_map_count; /* vm.max_map_count */
uint64_t committed_pages(void);
uint64_t commit_limit_pages(void);
/* Promise pages that nobody maps yet, or take the promise back. 0 or -ENOMEM. */
int commit_charge(uint64_t pages);
void commit_release(uint64_t pages);

/* Called once; then each CPU. */
void address_space_init(void);
extern struct address_space kernel_space; /* only kernel_page_table; loaded at boot */

#endif
