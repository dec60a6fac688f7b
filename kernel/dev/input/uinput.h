/* SPDX-License-Identifier: MIT */
/*
 * uinput.h - an open /dev/uinput.
 */
#ifndef TESSERA_DEV_INPUT_UINPUT_H
#define TESSERA_DEV_INPUT_UINPUT_H

#include "input.h"

#define UINPUT_EVENTS   16u
#define UINPUT_REQUESTS 16u

enum uinput_state { UINPUT_NEW, UINPUT_SET_UP, UINPUT_CREATED };

/* A question about an effect that the program is to answer. [q] uinput->ring_lock */
struct uinput_request {
	uint32_t code;               /* UI_FF_UPLOAD, UI_FF_ERASE; 0: the place is free */
	bool answered;               /* [q] */
	bool unwaited;               /* [q] nobody waits: the answer frees it */
	bool has_old;
	int result;                  /* [q] */
	uint32_t erase;
	struct input_effect effect, old;
};

/* [u] lock  [q] ring_lock */
struct uinput {
	struct refcount refs;        /* the open file, each device that it made */
	struct mutex lock;           /* class UINPUT */
	enum uinput_state state;     /* [u]; read without it */
	struct input_device *device; /* [u] a reference; NULL: none yet */
	uint32_t effects_max;        /* [u] */
	struct wait_queue wait;      /* for events, answers, places for requests, the end */
	struct spinlock ring_lock;   /* class LEAF */
	struct {
		uint64_t ns;
		struct input_value v;
	} ring[UINPUT_EVENTS];       /* [q] what the program is told; the oldest is lost first */
	uint32_t head, count;        /* [q] */
	struct uinput_request requests[UINPUT_REQUESTS]; /* [q] */
};

/* uinput.c. The lock is held. */
/* The device, made if there is none; NULL: no memory. */
struct input_device *uinput_device_locked(struct uinput *u);
int uinput_create_locked(struct uinput *u);
void uinput_destroy_locked(struct uinput *u);
/* May the axis `code` be like that? 0 or -EINVAL. */
int uinput_check_axis(uint32_t code, const struct input_axis *a);

/* uinput_request.c */
void uinput_queue(struct uinput *u, uint16_t type, uint16_t code, int32_t value);
int uinput_upload(struct input_device *d, const struct input_effect *e, const struct input_effect *old);
int uinput_erase(struct input_device *d, uint32_t effect, bool wait);
/* All requests under way end with ENODEV. */
void uinput_flush_requests(struct uinput *u);
/* The program's side: look at a request, answer it. 0 or -EINVAL. */
int uinput_look(struct uinput *u, uint32_t id, uint32_t code, struct uinput_request *out);
int uinput_answer(struct uinput *u, uint32_t id, uint32_t code, int result);

/* uinput_ioctl.c */
long uinput_ioctl(struct file *f, unsigned int command, uintptr_t arg);

#endif
