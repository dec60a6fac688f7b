/* SPDX-License-Identifier: MIT */
/*
 * pci_hotplug.c - slots behind PCI Express ports: what is plugged in appears, what is pulled out goes (PCI Express 5.0,
 * 6.7).
 *
 * A port that can tell of its slot sends a message when something came or went, or when the slot's button was
 * pressed. A thread for each slot sees to it:
 *
 *   EMPTY --something is there, or the button--> (power on, look) --> FULL
 *   FULL --the button--> GOING (the lamp blinks, five seconds) --> (drivers let go, power off) --> EMPTY
 *   GOING --the button again--> FULL
 *   FULL, GOING --it is not there any more--> EMPTY
 *
 * What goes in order is first taken from its driver, which asks the program that has it to let go; one that does not
 * holds up its own slot alone.
 *
 * Locks: pci_lock for the bus behind the port, also so that a reset, which takes the link down, is over before anything
 * is concluded from it. `events` is set by the interrupt.
 */
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/thread.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#include "pci.h"

#define REGRET_NS  (5ul * NSEC_PER_SEC)   /* in which the button may be pressed again */
#define LINK_MS    1000u                  /* for the link to come up */
#define SETTLE_MS  100u                   /* behind that, before the device is asked anything */
#define COMMAND_NS NSEC_PER_SEC
#define EVENTS     (EXPRESS_SLOT_PRESSED | EXPRESS_SLOT_FAULT | EXPRESS_SLOT_CHANGED | EXPRESS_SLOT_DONE | EXPRESS_SLOT_LINK)

/* [I] immutable  [a] atomic  [t] its thread */
struct pci_slot {
	struct refcount refs;          /* the port's, its thread's */
	struct pci_device *port;       /* [I] a reference */
	uint32_t at;                   /* [I] its capability */
	uint32_t cap, number;          /* [I] */
	bool reports_link;             /* [I] */
	struct pci_message message;    /* [I] until it stops */
	uint32_t events;               /* [a] EVENTS that were told and not seen to */
	bool stop;                     /* [a] */
	struct wait_queue wait;
	enum { EMPTY, FULL, GOING } state; /* [t] */
	deadline_t until;              /* [t] of GOING */
};

static void
slot_put(struct pci_slot *s)
{
	if (!ref_put(&s->refs))
		return;
	pci_device_put(s->port);
	kfree(s);
}

static void
sleep_ms(uint64_t ms)
{
	wait_until(clock_monotonic_ns() + ms * NSEC_PER_MSEC, WAIT_UNINTERRUPTIBLE);
}

/* --- registers ----------------------------------------------------------------------------------- */

static uint32_t
slot_status(struct pci_slot *s)
{
	uint32_t status = pci_read(s->port, s->at + EXPRESS_SLOT_STATUS, 2);

	return status == 0xffff ? 0 : status; /* the port itself is gone */
}

static bool
is_present(struct pci_slot *s)
{
	return slot_status(s) & EXPRESS_SLOT_PRESENT;
}

/* All that is told is taken, or no further message comes. */
static void
slot_interrupt(void *arg)
{
	struct pci_slot *s = arg;
	uint32_t now, all = 0;

	for (uint32_t i = 0; i < 16 && (now = slot_status(s) & EVENTS) != 0; i++) {
		pci_write(s->port, s->at + EXPRESS_SLOT_STATUS, 2, now);
		all |= now;
	}
	if (all) {
		atomic_or(&s->events, all);
		wake_all(&s->wait);
	}
}

/* What was told of `which`, which is forgotten. */
static uint32_t
take_events(struct pci_slot *s, uint32_t which)
{
	return atomic_fetch_and(&s->events, ~which) & which;
}

/* The slot's control; a command is obeyed before the next one. */
static void
control(struct pci_slot *s, uint32_t clear, uint32_t set)
{
	uint32_t old = pci_read(s->port, s->at + EXPRESS_SLOT_CONTROL, 2), now = (old & ~clear) | set;

	if (now == old)
		return;
	take_events(s, EXPRESS_SLOT_DONE);
	pci_write(s->port, s->at + EXPRESS_SLOT_CONTROL, 2, now);
	if (!(s->cap & EXPRESS_SLOT_SILENT))
		wait_event_deadline(&s->wait, take_events(s, EXPRESS_SLOT_DONE), WAIT_UNINTERRUPTIBLE, deadline_after(COMMAND_NS));
}

static void
lamp(struct pci_slot *s, uint32_t how)
{
	if (s->cap & EXPRESS_SLOT_LAMP)
		control(s, EXPRESS_SLOT_LAMP_BITS, how);
}

static void
power(struct pci_slot *s, bool on)
{
	if (s->cap & EXPRESS_SLOT_POWER)
		control(s, on ? EXPRESS_SLOT_POWER_OFF : 0, on ? 0 : EXPRESS_SLOT_POWER_OFF);
}

static void
wait_link(struct pci_slot *s)
{
	for (uint32_t i = 0; s->reports_link && i < LINK_MS / 10; i++) {
		if (pci_read(s->port, s->at + EXPRESS_LINK_STATUS, 2) & EXPRESS_LINK_UP)
			break;
		sleep_ms(10);
	}
	sleep_ms(SETTLE_MS);
}

/* --- what is in it ------------------------------------------------------------------------------- */

/* A device behind the port, with a reference; `silent`: one that is not what it was. NULL: none is. Takes pci_lock. */
static struct pci_device *
some_device(struct pci_slot *s, bool silent)
{
	struct pci_device *d, *found = NULL;

	mutex_lock(&pci_lock);
	if (!s->port->removed && s->port->below)
		list_for_each (d, &s->port->below->devices, node)
			if (!found && (!silent || pci_read(d, PCI_VENDOR, 4) != ((uint32_t)d->device << 16 | d->vendor)))
				found = d;
	if (found)
		pci_device_get(found);
	mutex_unlock(&pci_lock);
	return found;
}

static bool
has_devices(struct pci_slot *s)
{
	struct pci_device *d = some_device(s, false);

	if (d)
		pci_device_put(d);
	return d != NULL;
}

static void
remove_devices(struct pci_slot *s, bool silent)
{
	struct pci_device *d;
	int error = 0;

	while (!error && (d = some_device(s, silent)) != NULL) {
		error = pci_remove(d);
		pci_device_put(d);
	}
}

static void
switch_off(struct pci_slot *s)
{
	power(s, false);
	lamp(s, EXPRESS_SLOT_LAMP_OFF);
	s->state = EMPTY;
	s->until = DEADLINE_NEVER;
}

static void
bring_up(struct pci_slot *s)
{
	lamp(s, EXPRESS_SLOT_LAMP_BLINKS);
	power(s, true);
	wait_link(s);
	mutex_lock(&pci_lock);
	if (!s->port->removed && s->port->below)
		pci_rescan_bus_locked(s->port->below);
	mutex_unlock(&pci_lock);
	if (!has_devices(s)) {
		pr_warn("pci %s: what is in slot %u does not answer\n", s->port->name, s->number);
		switch_off(s);
		return;
	}
	pr_info("pci %s: something was plugged into slot %u\n", s->port->name, s->number);
	lamp(s, EXPRESS_SLOT_LAMP_ON);
	s->state = FULL;
}

static void
take_away(struct pci_slot *s, const char *why)
{
	pr_info("pci %s: slot %u: %s\n", s->port->name, s->number, why);
	remove_devices(s, false);
	switch_off(s);
}

/* --- events -------------------------------------------------------------------------------------- */

/* Something came, or went, or both. */
static void
changed(struct pci_slot *s)
{
	struct pci_device *other = s->state == EMPTY ? NULL : some_device(s, true); /* behind a reset */

	if (other)
		pci_device_put(other);
	if (s->state != EMPTY && (!is_present(s) || other))
		take_away(s, "pulled out");
	if (s->state == EMPTY && is_present(s))
		bring_up(s);
}

static void
pressed(struct pci_slot *s)
{
	switch (s->state) {
	case EMPTY:
		if (is_present(s))
			bring_up(s);
		break;
	case FULL:
		pr_info("pci %s: slot %u is to be emptied\n", s->port->name, s->number);
		lamp(s, EXPRESS_SLOT_LAMP_BLINKS);
		s->state = GOING;
		s->until = deadline_after(REGRET_NS);
		break;
	case GOING:
		pr_info("pci %s: slot %u is not to be emptied after all\n", s->port->name, s->number);
		lamp(s, EXPRESS_SLOT_LAMP_ON);
		s->state = FULL;
		s->until = DEADLINE_NEVER;
		break;
	}
}

static void
slot_thread(void *arg)
{
	struct pci_slot *s = arg;
	uint32_t events;
	int late;

	s->state = has_devices(s) ? FULL : EMPTY;
	control(s, 0, EXPRESS_SLOT_TELL | EXPRESS_SLOT_TELL_PRESENCE | EXPRESS_SLOT_TELL_LINK | EXPRESS_SLOT_TELL_FAULT |
		EXPRESS_SLOT_TELL_DONE | (s->cap & EXPRESS_SLOT_BUTTON ? EXPRESS_SLOT_TELL_BUTTON : 0));
	changed(s); /* what happened before */
	while (!atomic_load(&s->stop)) {
		late = wait_event_deadline(&s->wait, atomic_load(&s->stop) || (atomic_load(&s->events) & ~EXPRESS_SLOT_DONE),
					   WAIT_UNINTERRUPTIBLE, s->until);
		events = take_events(s, EVENTS & ~EXPRESS_SLOT_DONE);
		if (atomic_load(&s->stop))
			break;
		if (events & EXPRESS_SLOT_FAULT)
			pr_warn("pci %s: slot %u: its power fails\n", s->port->name, s->number);
		if (events & EXPRESS_SLOT_PRESSED)
			pressed(s);
		if (events & (EXPRESS_SLOT_CHANGED | EXPRESS_SLOT_LINK))
			changed(s);
		if (late && s->state == GOING)
			take_away(s, "emptied");
	}
	slot_put(s);
	thread_exit();
}

/* --- start and end ------------------------------------------------------------------------------- */

bool
pci_has_slot(struct pci_device *d)
{
	return d->cap_express && d->cap_express + EXPRESS_WITH_SLOT <= 256 &&
	       (pci_read(d, d->cap_express + EXPRESS_FLAGS, 2) & EXPRESS_FLAGS_SLOT) &&
	       (pci_read(d, d->cap_express + EXPRESS_SLOT_CAP, 4) & EXPRESS_SLOT_HOTPLUG);
}

static struct pci_slot *
create_slot(struct pci_device *port)
{
	struct pci_slot *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->refs);
	s->port = port;
	s->at = port->cap_express;
	s->cap = pci_read(port, s->at + EXPRESS_SLOT_CAP, 4);
	s->number = s->cap >> 19;
	s->reports_link = pci_read(port, s->at + EXPRESS_LINK_CAP, 4) & EXPRESS_LINK_REPORTS;
	s->until = DEADLINE_NEVER;
	wait_queue_init(&s->wait);
	return s;
}

void
pci_slot_start_locked(struct pci_device *port)
{
	struct pci_slot *s;
	struct thread *t;
	char name[16];
	int error;

	assert_mutex_held(&pci_lock);
	if (port->slot || !port->below || !pci_has_slot(port) || boot_flag("nopciehp"))
		return;
	s = create_slot(port);
	if (!s)
		goto no_memory;
	scnprintf(name, sizeof(name), "pciehp%u", s->number);
	t = thread_create_kernel(name, slot_thread, s);
	if (!t)
		goto free_slot;
	error = pci_message_start(&s->message, port, slot_interrupt, s, "pciehp");
	if (error) {
		pr_warn("pci %s: slot %u cannot tell what happens to it: error %d\n", port->name, s->number, error);
		thread_put(t);
		kfree(s);
		return;
	}
	pci_device_get(port);
	ref_get(&s->refs);
	port->slot = s;
	thread_start(t);
	return;

free_slot:
	kfree(s);
no_memory:
	pr_warn("pci %s: no memory to watch its slot\n", port->name);
}

void
pci_slot_stop_locked(struct pci_device *port)
{
	struct pci_slot *s = port->slot;

	assert_mutex_held(&pci_lock);
	if (!s)
		return;
	port->slot = NULL;
	pci_write(port, s->at + EXPRESS_SLOT_CONTROL, 2,
		  pci_read(port, s->at + EXPRESS_SLOT_CONTROL, 2) & ~(uint32_t)EXPRESS_SLOT_TELL);
	pci_message_stop(&s->message);
	atomic_store(&s->stop, true);
	wake_all(&s->wait);
	slot_put(s);
}
