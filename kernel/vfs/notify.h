/* SPDX-License-Identifier: MIT */
/*
 * notify.h - marks and groups, for the three families that are built on them.
 */
#ifndef TESSERA_VFS_NOTIFY_H
#define TESSERA_VFS_NOTIFY_H

#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/notify.h>

struct async_list;
struct notify_group;
struct notify_mark;

extern struct spinlock notify_lock; /* class NOTIFY */
extern uint64_t notify_groups;      /* [a] how many there are */

/* Where an event is heard: one object of each, and at most one mark of a group on it. */
enum notify_place {
	NOTIFY_AT_FILESYSTEM,
	NOTIFY_AT_MOUNT,
	NOTIFY_AT_INODE,
	NOTIFY_AT_DIR,      /* the directory of what it happened to; of a RENAME the new one */
	NOTIFY_PLACES,
};

struct notify_event {
	uint32_t what;               /* one event or several, with NOTIFY_DIR and NOTIFY_ON_CHILD */
	const struct path *path;     /* by way of an open file; NULL: not so */
	struct inode *i;             /* it happened to this */
	struct inode *dir;           /* in this directory; NULL: not told */
	const char *name;            /* its name there; NULL: not told */
	struct inode *new_dir;       /* RENAME */
	const char *new_name;
	uint32_t cookie;             /* of the two halves of a move */
};

/* marks[place]: the group's mark there, or NULL. */
struct notify_ops {
	const char *name;
	/*
	 * One of the marks asked for the event, and none has it ignored. notify_lock is held. Marks that end by it go
	 * to `dead` (notify_kill_locked). What it returns for an event of NOTIFY_PERM_EVENTS, if not NULL, goes
	 * to judge(), or is an ERR_PTR.
	 */
	void *(*tell)(struct notify_group *g, const struct notify_event *e,
		      struct notify_mark *const marks[NOTIFY_PLACES], struct list *dead);
	/* Wait for the answer: 0 or an errno. No lock is held, the group is. */
	int (*judge)(struct notify_group *g, void *question);
	/* The mark leaves its object; notify_lock is held. Empty: nothing to do. */
	void (*mark_ends)(struct notify_mark *m);
	/* Nobody can see it any more; no lock is held, its object has been let go. */
	void (*mark_free)(struct notify_mark *m);
	void (*group_free)(struct notify_group *g); /* last reference; no lock is held */
};

/* [I] immutable  [n] notify_lock */
struct notify_group {
	const struct notify_ops *ops; /* [I] */
	struct refcount refs;         /* its maker's, and who works with it without notify_lock */
	uint8_t priority;             /* [I] */
	uint64_t id;                  /* [I] unique, growing */
	struct list marks;            /* [n] struct notify_mark by group_node, the newest first */
	uint32_t count;               /* [n] of them */
	struct async_list *async;     /* [I] told of news by signal; NULL: never */
};

/* [I] immutable  [n] notify_lock */
struct notify_mark {
	struct list object_node;      /* [n] in the object's marks; when it is dead in a list of such */
	struct list group_node;       /* [n] */
	struct notify_group *group;   /* [I] */
	enum notify_kind kind;        /* [I] */
	bool alive;                   /* [n] */
	bool holds;                   /* [n] has a reference to its inode; others go with their object */
	bool survives, own_flags;     /* [n] see struct fanotify_change */
	uint32_t mask, ignored;       /* [n] events, NOTIFY_DIR, NOTIFY_ON_CHILD */
	union {                       /* [I] */
		struct inode *i;
		struct mount *mount;
		struct filesystem *fs;
	};
};

/* What an object with marks points to. */
struct notify_object {
	struct list marks;            /* [n] in the order of notify_is_before() */
	uint32_t interest;            /* [n] all that any of them wants to hear of; read without the lock */
};

/* The order in which groups are told, and all objects keep their marks: by falling priority, then the older first. */
static inline bool
notify_is_before(const struct notify_group *a, const struct notify_group *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/* NULL: it has none. notify_lock is held. */
static inline struct notify_mark *
notify_first_mark(const struct notify_object *o)
{
	assert_held(&notify_lock);
	return list_first(&o->marks, struct notify_mark, object_node);
}

void notify_group_init(struct notify_group *g, const struct notify_ops *ops, uint8_t priority);
void notify_group_put(struct notify_group *g);
/* The group's maker lets go of it: its marks end, nothing is told any more, then notify_group_put(). */
void notify_group_end(struct notify_group *g);

/* The place where marks on an object hang, made at first use. NULL: no memory. */
struct notify_object *notify_object_get(enum notify_kind kind, void *object);
/* The group's mark there, or NULL. notify_lock is held. */
struct notify_mark *notify_find_locked(struct notify_object *o, const struct notify_group *g);
/* Enter a mark whose group, kind, object and masks are set; one that holds gets its reference here. */
void notify_add_locked(struct notify_object *o, struct notify_mark *m);
/* What the object's marks ask for is summed again; notify_lock is held. */
void notify_sum_interest_locked(struct notify_object *o);
/* A mark's masks have changed. */
void notify_changed_locked(struct notify_mark *m);
/* It ends; free it with notify_free_dead() when the lock has been dropped. */
void notify_kill_locked(struct notify_mark *m, struct list *dead);
void notify_free_dead(struct list *dead);
/* Which events of e's kind the mark ignores at this place. */
uint32_t notify_ignored(const struct notify_mark *m, uint32_t event, enum notify_place at);
/* Do the mark's NOTIFY_DIR and NOTIFY_ON_CHILD let it hear of this? */
bool notify_applies(uint32_t mask, uint32_t event, enum notify_place at);

/* For fdinfo. */
void notify_show_key(const struct inode *i, void (*print)(void *ctx, const char *fmt, ...), void *ctx);
uint32_t notify_device_shown(const struct filesystem *fs);

#endif
