/* SPDX-License-Identifier: MIT */
/*
 * memory_check.h - what the allocators tell those who watch memory: the debug build's checks and KASAN.
 *
 * An object of a slab lies in a slot. In a build that watches, the slot is larger than the object:
 *
 *	| left red zone | object, as many bytes as asked for | right red zone | struct object_note |
 *	^ slot          ^ slot + lead                                         ^ object + room
 *
 * The note says who allocated the object and who freed it; it also holds the link of the free list, so
 * that nothing of a free object is in use. In a build that does not watch, lead is 0, room is the slot,
 * and the link is the object's first word.
 *
 * The hooks are called by the allocators, in any context, without locks but where they say so. They fold
 * to nothing where nobody watches. Objects: debug/sanitizers/check_objects.c; frames: check_frames.c.
 */
#ifndef TESSERA_MEMORY_CHECK_H
#define TESSERA_MEMORY_CHECK_H

#include <tessera/config.h>
#include <tessera/kasan.h>
#include <tessera/types.h>

struct page;

/* How a cache cuts its slabs. [I] */
struct object_shape {
	const char *name;    /* of the cache */
	uint32_t object;     /* bytes, as the cache was made for */
	uint32_t lead;       /* from the slot to the object */
	uint32_t room;       /* from the object to its note */
	uint32_t stride;     /* from slot to slot */
	uint32_t per_slab;   /* slots */
};

/* A call stack, by its number: check_stacks.c. 0: not known. */
typedef uint32_t stack_id_t;

#define NOTE_LIVE 0x6576696cu
#define NOTE_FREE 0x65657266u

/*
 * [f] while the object is free: who has the free list  [o] who allocates or frees the object
 */
struct object_note {
	void *link;               /* [f] */
	uint32_t state;           /* [o] NOTE_LIVE, NOTE_FREE */
	uint32_t size;            /* [o] bytes asked for */
	uint32_t generation;      /* [o] odd while the fields change: a reader without a lock looks twice */
	uint32_t mark;            /* [o] object_mark when it was allocated */
	stack_id_t allocated_by, freed_by; /* [o] */
	pid_t allocated_tid, freed_tid;    /* [o] */
	uint64_t allocated_ns, freed_ns;   /* [o] */
};

#define RED_ZONE_MIN 16u

static inline struct object_note *
object_note(const struct object_shape *s, const void *object)
{
	return (struct object_note *)((vaddr_t)object + s->room);
}

/* check_stacks.c. The stack of the caller, without `skip` innermost functions. */
stack_id_t stack_remember(unsigned int skip);
/* Print it as error lines, each after `indent`. */
void stack_print(stack_id_t id, const char *indent);
/* Its return addresses into pc; how many. */
uint32_t stack_get(stack_id_t id, vaddr_t *pc, uint32_t max);

/* check_objects.c */
void check_slab_new(const struct object_shape *s, void *base);
void check_object_alloc(const struct object_shape *s, void *object, size_t size);
void check_object_free(const struct object_shape *s, void *object);
void check_object_resize(const struct object_shape *s, void *object, size_t size);
size_t check_object_size(const struct object_shape *s, const void *object);
/* Look at the red zones of all live objects and at the filling of all free ones; panics at the first
 * that is broken. May take a while. Returns objects seen. */
uint64_t check_all_objects(void);
/* Print what is known of the object that holds `address`; false: no object of a slab. */
bool object_describe(const void *address);

/* check_frames.c. Blocks are what kmalloc() takes from the frame allocator for large sizes. */
void check_frames_alloc(struct page *p, unsigned int order);
void check_frames_free(struct page *p, unsigned int order);
void check_block_alloc(struct page *p, size_t size);
void check_block_free(struct page *p);
/* Who allocated and who freed the frame last. */
stack_id_t frame_allocated_by(const struct page *p);
stack_id_t frame_freed_by(const struct page *p);

/* check_leaks.c. Objects and frames carry the number of the mark that was the last when they were
 * allocated. Begin a new mark; returns its number. */
uint32_t leaks_mark(void);
/* What was allocated since `mark` and lives, by cache and call stack, objects first, most bytes
 * first, as lines for
 * `put`. May sleep. 0 or -ENOMEM. */
int leaks_list(uint32_t mark, void (*put)(void *ctx, const char *line), void *ctx);
extern uint32_t object_mark; /* [a] */

/* check_threads.c: a thread's new stack; the thread has ended; the deepest so far, a line each. */
struct thread;
void check_stack_fill(struct thread *t);
void check_stack_end(const struct thread *t);
void stacks_list(void (*put)(void *ctx, const char *line), void *ctx);

/* --- hooks: how a cache cuts its slabs -------------------------------------------------------- */

static inline void
memory_check_shape(struct object_shape *s, const char *name, size_t size, size_t align)
{
	if (align < 16)
		align = 16;
	s->name = name;
	s->object = (uint32_t)size;
	if (config_object_notes) {
		s->lead = (uint32_t)MAX(align, (size_t)RED_ZONE_MIN);
		s->room = (uint32_t)ALIGN_UP(size + RED_ZONE_MIN, 16);
		s->stride = (uint32_t)ALIGN_UP(s->lead + s->room + sizeof(struct object_note), align);
	} else {
		s->lead = 0;
		s->stride = s->room = (uint32_t)ALIGN_UP(MAX(size, (size_t)16), align);
	}
}

/* Where a free object's link is. */
static inline void **
memory_check_link(const struct object_shape *s, void *object)
{
	return config_object_notes ? &object_note(s, object)->link : (void **)object;
}

/* --- hooks: objects --------------------------------------------------------------------------- */

/* Frames became a slab of free objects; nobody else sees it yet. */
static inline void
memory_check_slab_new(const struct object_shape *s, void *base)
{
	if (config_object_notes)
		check_slab_new(s, base);
	if (config_kasan)
		kasan_slab_new(s, base);
}

/* A free object is handed out, `size` bytes of it. Before it is cleared. */
static inline void
memory_check_object_alloc(const struct object_shape *s, void *object, size_t size)
{
	if (config_object_notes)
		check_object_alloc(s, object, size);
	if (config_kasan)
		kasan_object_alloc(s, object, size);
}

/* An object of this cache comes back; it goes on a free list after this. */
static inline void
memory_check_object_free(const struct object_shape *s, void *object)
{
	if (config_object_notes)
		check_object_free(s, object);
	if (config_kasan)
		kasan_object_free(s, object);
}

/* krealloc() leaves it where it is: other bytes of the slot are the object's now. */
static inline void
memory_check_object_resize(const struct object_shape *s, void *object, size_t size)
{
	if (config_object_notes)
		check_object_resize(s, object, size);
	if (config_kasan)
		kasan_object_alloc(s, object, size);
}

/* --- hooks: frames ---------------------------------------------------------------------------- */

/* A block of frames is handed out. Before it is cleared. */
static inline void
memory_check_frames_alloc(struct page *p, unsigned int order)
{
	if (config_object_notes)
		check_frames_alloc(p, order);
	if (config_kasan)
		kasan_page_alloc(p, order);
}

/* A block comes back; before anybody else can have it. */
static inline void
memory_check_frames_free(struct page *p, unsigned int order)
{
	if (config_object_notes)
		check_frames_free(p, order);
	if (config_kasan)
		kasan_page_free(p, order);
}

/* kmalloc() gives `size` bytes of the block `p`; kfree() takes it back. */
static inline void
memory_check_block_alloc(struct page *p, size_t size)
{
	if (config_object_notes)
		check_block_alloc(p, size);
	if (config_kasan)
		kasan_block_alloc(p, size);
}

static inline void
memory_check_block_resize(struct page *p, size_t size)
{
	if (config_object_notes) {
		check_block_free(p);
		check_block_alloc(p, size);
	}
	if (config_kasan)
		kasan_block_alloc(p, size);
}

static inline void
memory_check_block_free(struct page *p)
{
	if (config_object_notes)
		check_block_free(p);
}

#endif
