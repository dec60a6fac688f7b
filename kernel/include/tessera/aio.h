/* SPDX-License-Identifier: MIT */
/*
 * aio.h - contexts of Linux's older asynchronous I/O: where what was done waits to be told.
 */
#ifndef TESSERA_AIO_H
#define TESSERA_AIO_H

#include <tessera/time.h>
#include <tessera/types.h>

struct aio_context;
struct process;

struct aio_event { /* Linux's struct io_event */
	uint64_t data, object;
	int64_t result, result2;
};

#define AIO_EVENTS_MAX 65536u /* of all contexts: aio-max-nr */

/* A context for `count` events of the caller's process: its id. -EAGAIN too many, -ENOMEM. */
int aio_create(uint32_t count, uint64_t *id);
int aio_destroy(uint64_t id);                           /* -EINVAL: there is none */
struct aio_context *aio_find(uint64_t id);              /* the caller's, with a reference; NULL */
void aio_get(struct aio_context *c);
void aio_put(struct aio_context *c);                    /* never sleeps */
/* Room for one more event: taken by aio_reserve, used by aio_post or given back; these two never sleep. -EAGAIN. */
int aio_reserve(struct aio_context *c);
void aio_unreserve(struct aio_context *c);
void aio_post(struct aio_context *c, const struct aio_event *e);
/* Until `least` events are there: up to `most` into `out`. Count, or -EINTR when none came. */
long aio_wait(struct aio_context *c, uint32_t least, uint32_t most, struct aio_event *out, deadline_t until);
uint32_t aio_event_count(void);                         /* promised, in all contexts: aio-nr */
void aio_process_end(struct process *p);

#endif
