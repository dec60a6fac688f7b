/* SPDX-License-Identifier: MIT */
/*
 * input.h - a device that people touch, as the files of this folder see it.
 *
 *	a program --uinput.c--> event.c: what is new of it --packets--> evdev.c  /dev/input/eventN, each open file a queue
 *	                        (state, filters, repeat)          \---> mouse.c  /dev/input/mouseN and mice
 *	a program <--uinput.c-- LEDs, sounds, effects <---------------- written to eventN
 *
 * All devices are provided by programs: the kernel drives none. A device is set up by who provides it, which nobody
 * else sees, then registered, and from then on only its state changes; removed, it stays until the last file of it is
 * closed, which answers ENODEV.
 *
 * Locks, outermost first: effects->lock (held while the provider is asked), uinput->lock, input_lock (which devices
 * there are), device->clients_lock (for who tells them by signal), device->lock, then mouse_lock and uinput's ring.
 */
#ifndef TESSERA_DEV_INPUT_INPUT_H
#define TESSERA_DEV_INPUT_INPUT_H

#include <tessera/async.h>
#include <tessera/atomic.h>
#include <tessera/continuation.h>
#include <tessera/file.h>
#include <tessera/input.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/sysfs.h>
#include <tessera/wait.h>

#include "input_abi.h"

#define WORDS(count) (((count) + 63u) / 64u)

static inline bool
bit_is_set(const uint64_t *map, uint32_t n)
{
	return map[n / 64] >> (n % 64) & 1;
}

static inline void
bit_set(uint64_t *map, uint32_t n, bool on)
{
	if (on)
		map[n / 64] |= BIT(n % 64);
	else
		map[n / 64] &= ~BIT(n % 64);
}

struct evdev_client;
struct input_device;
struct mouse;

struct input_value {
	uint16_t type, code;
	int32_t value;
};

/* One moment on the three clocks that a reader may choose from. */
enum input_clock { INPUT_REALTIME, INPUT_MONOTONIC, INPUT_BOOTTIME, INPUT_CLOCKS };
struct input_time {
	uint64_t ns[INPUT_CLOCKS];
};

/* What a device can do, a bit for each code. [I] once it is registered */
struct input_abilities {
	uint64_t types[WORDS(EV_COUNT)];
	uint64_t keys[WORDS(KEY_COUNT)];
	uint64_t rels[WORDS(REL_COUNT)];
	uint64_t axes[WORDS(ABS_COUNT)];
	uint64_t misc[WORDS(MSC_COUNT)];
	uint64_t leds[WORDS(LED_COUNT)];
	uint64_t sounds[WORDS(SND_COUNT)];
	uint64_t effects[WORDS(FF_COUNT)];
	uint64_t switches[WORDS(SW_COUNT)];
	uint64_t properties[WORDS(PROP_COUNT)];
};

/* Fingers: each has a slot with a value for each axis of its own. */
struct input_slots {
	uint32_t count;              /* [I] */
	uint32_t at;                 /* [d] the one that values are about */
	int32_t values[][MT_AXES];   /* [d] */
};

/* What its provider does when it is told something. */
struct input_device_ops {
	/* device->lock is held. */
	void (*event)(struct input_device *d, uint16_t type, uint16_t code, int32_t value);
	/* effects->lock is held. Ask the provider; sleeps. `old`: what the effect was, or NULL. 0 or an errno. */
	int (*upload)(struct input_device *d, const struct input_effect *e, const struct input_effect *old);
	/* The same; `wait` false: only tell it. */
	int (*erase)(struct input_device *d, uint32_t effect, bool wait);
	/* The last reference is gone. */
	void (*release)(struct input_device *d);
};

struct input_effects {
	struct mutex lock;           /* class INPUT_EFFECTS */
	uint32_t count;              /* [I] */
	uint64_t true_ones[WORDS(FF_COUNT)]; /* [I] without what is made of others */
	struct effect_slot {
		const struct evdev_client *owner; /* lock, and device->lock to change; NULL: free */
		struct input_effect effect;       /* lock */
	} slots[];
};

/* A file in /dev/input that is the device's. [I] */
struct input_node {
	const char *kind;            /* "event", "mouse" */
	char name[16];               /* "event0" */
	uint32_t minor;              /* 0: there is none */
};

/* [I] once registered  [d] lock  [c] clients_lock and lock to change, either to look  [L] input_lock  [a] */
struct input_device {
	struct refcount refs;        /* its provider, the list, open files, a repeat that is to come */
	const struct input_device_ops *ops; /* [I] */
	void *private;               /* [I] the provider's */
	struct list node;            /* [L] in the list of devices */
	uint32_t number;             /* [I] inputN */
	char *name, *phys, *uniq;    /* [I] or NULL */
	struct input_id id;          /* [I] */
	struct input_abilities can;  /* [I] */
	struct input_axis *axes;     /* [d] ABS_COUNT of them; NULL: none */
	struct input_slots *slots;   /* [I] or NULL */
	struct input_effects *effects; /* [I] or NULL */
	struct input_node event_node, mouse_node;
	struct mouse *mouse;         /* [I] NULL: it is none */

	struct spinlock lock;        /* class INPUT_DEVICE */
	struct mutex clients_lock;   /* class INPUT_CLIENTS */
	bool exists;                 /* [d] */
	bool inhibited;              /* [d] */
	bool tell;                   /* [d] some client is to be told by signal */
	uint64_t keys_down[WORDS(KEY_COUNT)], leds_on[1], sounds_on[1], switches_on[1]; /* [d] */
	int32_t repeat[REP_COUNT];   /* [d] ms */
	uint16_t repeat_key;         /* [d] */
	bool repeat_armed;           /* [d] `repeater` waits, and has a reference */
	uint64_t repeat_at;          /* [d] */
	struct continuation repeater;
	struct input_value *packet;  /* [d] what came since the last report */
	uint32_t packet_used;        /* [d] */
	uint32_t packet_max;         /* [I] */
	struct list clients;         /* [c] struct evdev_client.node */
	struct evdev_client *grab;   /* [d] who gets all; NULL: everybody does */
	uint64_t reports, drops;     /* [d] packets; queues that ran over */
	struct sysfs_node *dir;      /* [L] */
};

/* A moment and what happened, in a queue. */
struct evdev_item {
	uint64_t ns;
	struct input_value v;
};

/* An open /dev/input/eventN. [I]  [d] device->lock  [c] as above */
struct evdev_client {
	struct list node;            /* [c] */
	struct input_device *device; /* [I] a reference */
	struct wait_queue wait;      /* for a packet, or the end */
	struct async_list async;
	bool revoked;                /* [d] */
	bool tell;                   /* [d] a packet has come */
	enum input_clock clock;      /* [d] */
	uint64_t *masks[EV_COUNT];   /* [d] which codes it wants; NULL: all */
	/* A ring: [tail, packet) may be read, [packet, head) is not whole. */
	uint32_t head, tail, packet; /* [d] */
	uint32_t size;               /* [I] a power of two */
	struct evdev_item *items;    /* [d] */
};

/* --- device.c */
extern struct mutex input_lock;      /* class INPUT */
extern struct list input_devices;    /* input_lock */
/* A device that nobody sees, with one reference; NULL: no memory. */
struct input_device *input_device_create(const struct input_device_ops *ops, void *private);
/* Room for what its axes are. 0 or -ENOMEM. */
int input_device_make_axes(struct input_device *d);
/* Slots for fingers: `count` of them. -EINVAL, -ENOMEM. */
int input_device_make_slots(struct input_device *d, int32_t count);
/* It becomes visible. -EINVAL, -ENOMEM, -ENFILE: no numbers are left. */
int input_device_register(struct input_device *d);
/* It is gone for all who have it open. The caller's reference stays. */
void input_device_remove(struct input_device *d);
static inline void
input_device_get(struct input_device *d)
{
	ref_get(&d->refs);
}
void input_device_put(struct input_device *d);
/* The device whose node that is, with a reference, or NULL. */
struct input_device *input_device_find(uint32_t minor, bool mouse);
/* The bits for the codes of a type of events, of `count`; EV_SYN: the types themselves. NULL: it has no codes. */
uint64_t *input_codes(struct input_device *d, uint32_t type, uint32_t *count);
uint32_t input_code_count(uint32_t type);

/* --- event.c: what happens to a device. No lock is held; these tell by signal, too. */
/* By its provider, or by a reader. */
void input_event(struct input_device *d, uint16_t type, uint16_t code, int32_t value);
/* All keys go up, and no event comes any more (`gone`), or for a while. */
void input_silence(struct input_device *d, bool gone);
void input_repeat(struct continuation *c);
/* Signals that are due. */
void input_tell(struct input_device *d);

/* --- evdev.c */
int evdev_open(struct inode *i, struct file *f);
extern const struct file_ops evdev_ops;
/* device->lock is held. */
void evdev_pass(struct evdev_client *c, const struct input_value *v, uint32_t n, const struct input_time *now);
void evdev_forget_type(struct evdev_client *c, uint16_t type); /* events of it that are queued */
void evdev_dropped(struct evdev_client *c);                    /* let it know that events were lost */
void evdev_restart(struct evdev_client *c);                    /* all that is queued is lost, which it will know */
/* Nobody reads this way any more; a lock is not held. */
void evdev_revoke(struct evdev_client *c);

/* --- evdev_ioctl.c */
long evdev_ioctl(struct file *f, unsigned int command, uintptr_t arg);

/* --- effects.c */
int effects_create(struct input_device *d, uint32_t count);
/* Upload an effect of the client's: e->id -1 becomes its number. */
int effects_upload(struct input_device *d, const struct evdev_client *c, struct input_effect *e);
int effects_erase(struct input_device *d, const struct evdev_client *c, int id);
/* All of the client's go; the provider is told, and not waited for. */
void effects_flush(struct input_device *d, const struct evdev_client *c);

/* --- mouse.c */
bool mouse_is_one(const struct input_device *d);
struct mouse *mouse_create(struct input_device *d);
void mouse_free(struct mouse *m);
/* device->lock is held. True: mouse_tell() has somebody to tell. */
bool mouse_pass(struct mouse *m, const struct input_value *v, uint32_t n);
void mouse_tell(struct mouse *m);
void mouse_gone(struct mouse *m);
int mouse_open(struct inode *i, struct file *f);
extern const struct file_ops mouse_ops;

/* --- names.c. input_lock is held. */
int input_names_add(struct input_device *d);
void input_names_remove(struct input_device *d);

/* --- uinput.c */
void uinput_init(void);

#endif
