/* SPDX-License-Identifier: MIT */
/*
 * pci_reset.c - bringing a device back to what it was at power-on.
 *
 * Ways, the best first: the function's own reset, of PCI Express (7.5.3.4) or of the capability "advanced features";
 * a fall to D3hot and back, where that resets; a reset of the bus that it is alone on. Around each the registers that
 * its users rely on are kept: addresses, line, control of the link.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#include "pci.h"

#define RESET_MS   100u        /* PCI Express 5.0, 6.6.1: how long a function may be silent */
#define SILENT_MAX 20u         /* times that, before it is given up */

enum reset_method { RESET_FLR, RESET_AF, RESET_PM, RESET_BUS, RESET_METHODS };
static const char *const method_names[RESET_METHODS] = { "flr", "af_flr", "pm", "bus" };

static const uint8_t express_saved[] = { 8, 16, 40, 48 }; /* device and link control, and their second ones */

void
pci_save(struct pci_device *d, struct pci_saved *s)
{
	uint32_t version = d->cap_express ? pci_read(d, d->cap_express + EXPRESS_FLAGS, 2) & 15 : 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(s->header); i++)
		s->header[i] = pci_read(d, 4 * i, 4);
	for (uint32_t i = 0; i < ARRAY_SIZE(express_saved); i++)
		s->express[i] = i < (version < 2 ? version * 2 : 4u)
					? (uint16_t)pci_read(d, d->cap_express + express_saved[i], 2)
					: 0;
}

/* The command register last: until then it does not answer at wrong addresses. */
void
pci_restore(struct pci_device *d, const struct pci_saved *s)
{
	uint32_t version = d->cap_express ? pci_read(d, d->cap_express + EXPRESS_FLAGS, 2) & 15 : 0;

	for (uint32_t i = 0; i < (version < 2 ? version * 2 : 4u); i++)
		pci_write(d, d->cap_express + express_saved[i], 2, s->express[i] & ~(uint32_t)EXPRESS_CONTROL_FLR);
	for (uint32_t i = ARRAY_SIZE(s->header); i-- > 0;)
		if (i != PCI_COMMAND / 4 && pci_read(d, 4 * i, 4) != s->header[i])
			pci_write(d, 4 * i, 4, s->header[i]);
	pci_write(d, PCI_COMMAND, 2, s->header[PCI_COMMAND / 4] & 0xffff);
}

static void
sleep_ms(uint64_t ms)
{
	wait_until(clock_monotonic_ns() + ms * 1000000, WAIT_UNINTERRUPTIBLE);
}

/* It answers again. -ETIMEDOUT: it does not. */
static int
wait_answers(struct pci_device *d)
{
	for (uint32_t i = 0; i < SILENT_MAX; i++) {
		if (pci_read(d, PCI_VENDOR, 2) == d->vendor)
			return 0;
		sleep_ms(RESET_MS);
	}
	pr_warn("pci %s: does not answer after its reset\n", d->name);
	return -ETIMEDOUT;
}

/* What it has asked for comes to an end first. */
static void
wait_pending(struct pci_device *d, uint32_t at, uint32_t size, uint32_t bit)
{
	for (uint32_t i = 0; i < 4 && (pci_read(d, at, size) & bit); i++)
		sleep_ms(RESET_MS << i);
}

static bool
can(struct pci_device *d, enum reset_method method)
{
	switch (method) {
	case RESET_FLR:
		return d->cap_express && (pci_read(d, d->cap_express + EXPRESS_DEVICE_CAP, 4) & EXPRESS_DEVICE_FLR);
	case RESET_AF:
		return d->cap_af && (pci_read(d, d->cap_af + AF_CAP, 1) & AF_CAP_FLR);
	case RESET_PM:
		return d->cap_pm && !(pci_read(d, d->cap_pm + PM_CONTROL, 2) & PM_CONTROL_NO_RESET);
	default:
		return pci_can_reset_bus_locked(d->bus) && d->bus->devices.next == &d->node &&
		       d->bus->devices.prev == &d->node && !pci_is_bridge(d);
	}
}

static void
set_power(struct pci_device *d, uint32_t state)
{
	uint32_t power = pci_read(d, d->cap_pm + PM_CONTROL, 2);

	pci_write(d, d->cap_pm + PM_CONTROL, 2, (power & ~PM_CONTROL_STATE) | state);
	sleep_ms(10);
}

static void
pulse_bus(struct pci_bus *b)
{
	uint32_t control = pci_read(b->bridge, PCI_BRIDGE_CONTROL, 2);

	pci_write(b->bridge, PCI_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_RESET);
	sleep_ms(2);
	pci_write(b->bridge, PCI_BRIDGE_CONTROL, 2, control);
	sleep_ms(RESET_MS);
}

static int
reset_by(struct pci_device *d, enum reset_method method)
{
	switch (method) {
	case RESET_FLR:
		wait_pending(d, d->cap_express + EXPRESS_DEVICE_STATUS, 2, EXPRESS_STATUS_PENDING);
		pci_write(d, d->cap_express + EXPRESS_DEVICE_CONTROL, 2,
			  pci_read(d, d->cap_express + EXPRESS_DEVICE_CONTROL, 2) | EXPRESS_CONTROL_FLR);
		sleep_ms(RESET_MS);
		break;
	case RESET_AF:
		wait_pending(d, d->cap_af + AF_STATUS, 1, AF_STATUS_PENDING);
		pci_write(d, d->cap_af + AF_CONTROL, 1, AF_CONTROL_FLR);
		sleep_ms(RESET_MS);
		break;
	case RESET_PM:
		set_power(d, 3);
		set_power(d, 0);
		break;
	default:
		pulse_bus(d->bus);
		break;
	}
	return wait_answers(d);
}

void
pci_find_resets_locked(struct pci_device *d)
{
	uint32_t resets = 0;

	assert_mutex_held(&pci_lock);
	for (uint32_t m = 0; m < RESET_METHODS; m++)
		resets |= can(d, m) ? BIT(m) : 0;
	WRITE_ONCE(d->resets, resets);
}

void
pci_show_reset_methods(struct pci_device *d, struct text *t)
{
	bool any = false;

	for (uint32_t m = 0; m < RESET_METHODS; m++)
		if (READ_ONCE(d->resets) & BIT(m)) {
			text_print(t, "%s%s", any ? " " : "", method_names[m]);
			any = true;
		}
	if (any)
		text_add(t, "\n", 1);
}

int
pci_reset_locked(struct pci_device *d)
{
	struct pci_saved saved;
	int error;

	assert_mutex_held(&pci_lock);
	if (d->removed)
		return -ENODEV;
	for (uint32_t m = 0; m < RESET_METHODS; m++) {
		if (!can(d, m))
			continue;
		pci_save(d, &saved);
		/* Quiet: neither its line nor its transfers. */
		pci_write(d, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
		error = reset_by(d, m);
		pci_restore(d, &saved);
		if (error != -ENOTTY)
			return error;
	}
	return -ENOTTY;
}

bool
pci_can_reset_bus_locked(const struct pci_bus *b)
{
	const struct pci_device *d;

	if (!b->bridge)
		return false;
	list_for_each (d, &b->devices, node)
		if (d->below)
			return false; /* what is behind would have to be saved as well */
	return true;
}

static uint32_t
count_devices(const struct pci_bus *b)
{
	const struct pci_device *d;
	uint32_t n = 0;

	list_for_each (d, &b->devices, node)
		n++;
	return n;
}

int
pci_reset_bus_locked(struct pci_bus *b)
{
	uint32_t n = 0, count = count_devices(b);
	struct pci_saved *saved;
	struct pci_device *d;
	int error = 0;

	assert_mutex_held(&pci_lock);
	if (!pci_can_reset_bus_locked(b))
		return -ENOTTY;
	saved = kzalloc((count + 1) * sizeof(*saved));
	if (!saved)
		return -ENOMEM;
	list_for_each (d, &b->devices, node) {
		pci_save(d, &saved[n++]);
		pci_write(d, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
	}
	pulse_bus(b);
	n = 0;
	list_for_each (d, &b->devices, node) {
		int late = wait_answers(d);

		error = error ? error : late;
		pci_restore(d, &saved[n++]);
	}
	kfree(saved);
	return error;
}
