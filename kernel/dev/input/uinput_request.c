/* SPDX-License-Identifier: MIT */
/*
 * uinput_request.c - questions to the program that provides a device: may this effect be uploaded, erased?
 *
 * A question takes one of UINPUT_REQUESTS places; its number there is told to the program by an event (EV_UINPUT). The
 * program looks at it (UI_BEGIN_...), and answers (UI_END_...). Who asks waits, half a minute at most; where nobody
 * waits, the answer frees the place.
 */
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/time.h>

#include "uinput.h"

#define PATIENCE (30 * NSEC_PER_SEC)

void
uinput_queue(struct uinput *u, uint16_t type, uint16_t code, int32_t value)
{
	uint64_t now = clock_monotonic_ns(), flags = spin_lock_irq(&u->ring_lock);

	u->ring[u->head].ns = now;
	u->ring[u->head].v = (struct input_value){ type, code, value };
	u->head = (u->head + 1) % UINPUT_EVENTS;
	u->count = MIN(u->count + 1, UINPUT_EVENTS);
	spin_unlock_irq(&u->ring_lock, flags);
	wake_poll(&u->wait, POLLIN | POLLRDNORM);
}

/* A place with the question in it, or NULL. */
static struct uinput_request *
put(struct uinput *u, const struct uinput_request *question)
{
	uint64_t flags = spin_lock_irq(&u->ring_lock);
	struct uinput_request *r = NULL;

	for (uint32_t i = 0; i < UINPUT_REQUESTS && !r; i++)
		if (!u->requests[i].code)
			r = &u->requests[i];
	if (r)
		*r = *question;
	spin_unlock_irq(&u->ring_lock, flags);
	return r;
}

static void
free_place(struct uinput *u, struct uinput_request *r)
{
	uint64_t flags = spin_lock_irq(&u->ring_lock);

	r->code = 0;
	spin_unlock_irq(&u->ring_lock, flags);
	wake_all(&u->wait);
}

/* Tell the program, unless its device is gone. */
static int
send(struct uinput *u, struct input_device *d, struct uinput_request *r)
{
	int error = mutex_lock_killable(&u->lock);

	if (error)
		return error;
	if (u->state == UINPUT_CREATED && u->device == d)
		uinput_queue(u, EV_UINPUT, (uint16_t)r->code, (int32_t)(r - u->requests));
	else
		error = -ENODEV;
	mutex_unlock(&u->lock);
	return error;
}

static int
ask(struct input_device *d, const struct uinput_request *question)
{
	struct uinput *u = d->private;
	deadline_t until = deadline_after(PATIENCE);
	struct uinput_request *r = NULL;
	int error = wait_event_deadline(&u->wait, (r = put(u, question)) != NULL, WAIT_KILLABLE, until);

	if (error)
		return error;
	error = send(u, d, r);
	if (!error)
		error = wait_event_deadline(&u->wait, READ_ONCE(r->answered), WAIT_KILLABLE, until);
	if (!error)
		error = r->result;
	free_place(u, r);
	return error;
}

/* Waves that the program draws itself cannot be handed on. */
int
uinput_upload(struct input_device *d, const struct input_effect *e, const struct input_effect *old)
{
	struct uinput_request question = { .code = UI_FF_UPLOAD, .effect = *e, .has_old = old != NULL };

	if (e->type == FF_PERIODIC && e->periodic.waveform == FF_CUSTOM)
		return -EINVAL;
	if (old)
		question.old = *old;
	return ask(d, &question);
}

/* With u->lock, so that the place is not freed, and taken by another, before the program is told. */
static void
tell_of_erasure(struct input_device *d, const struct uinput_request *question)
{
	struct uinput *u = d->private;
	struct uinput_request *r = NULL;

	mutex_lock(&u->lock);
	if (u->state == UINPUT_CREATED && u->device == d)
		r = put(u, question);
	if (r)
		uinput_queue(u, EV_UINPUT, (uint16_t)r->code, (int32_t)(r - u->requests));
	mutex_unlock(&u->lock);
}

int
uinput_erase(struct input_device *d, uint32_t effect, bool wait)
{
	struct uinput_request question = { .code = UI_FF_ERASE, .erase = effect, .unwaited = !wait };

	if (wait)
		return ask(d, &question);
	tell_of_erasure(d, &question);
	return 0;
}

void
uinput_flush_requests(struct uinput *u)
{
	uint64_t flags = spin_lock_irq(&u->ring_lock);

	for (uint32_t i = 0; i < UINPUT_REQUESTS; i++) {
		struct uinput_request *r = &u->requests[i];

		if (r->code && r->unwaited) {
			r->code = 0;
		} else if (r->code && !r->answered) {
			r->result = -ENODEV;
			WRITE_ONCE(r->answered, true);
		}
	}
	u->count = 0;
	spin_unlock_irq(&u->ring_lock, flags);
	wake_all(&u->wait);
}

int
uinput_look(struct uinput *u, uint32_t id, uint32_t code, struct uinput_request *out)
{
	uint64_t flags;
	bool found;

	if (id >= UINPUT_REQUESTS)
		return -EINVAL;
	flags = spin_lock_irq(&u->ring_lock);
	found = u->requests[id].code == code;
	if (found)
		*out = u->requests[id];
	spin_unlock_irq(&u->ring_lock, flags);
	return found ? 0 : -EINVAL;
}

int
uinput_answer(struct uinput *u, uint32_t id, uint32_t code, int result)
{
	struct uinput_request *r;
	uint64_t flags;
	bool found;

	if (id >= UINPUT_REQUESTS)
		return -EINVAL;
	r = &u->requests[id];
	flags = spin_lock_irq(&u->ring_lock);
	found = r->code == code;
	if (found && r->unwaited)
		r->code = 0;
	if (found) {
		r->result = result;
		WRITE_ONCE(r->answered, true);
	}
	spin_unlock_irq(&u->ring_lock, flags);
	wake_all(&u->wait);
	return found ? 0 : -EINVAL;
}
