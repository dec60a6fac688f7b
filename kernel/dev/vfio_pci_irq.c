/* SPDX-License-Identifier: MIT */
/*
 * vfio_pci_irq.c - a PCI device's interrupts, told to its program by eventfds.
 *
 * A device uses its line or messages, one kind at a time; the program chooses by giving the first eventfd. Messages
 * are edges: each signals its eventfd. The line is a level that several devices share: when it comes up, the device
 * is asked whether it was it, kept from pulling it any longer, and the eventfd is signalled; the program lets it go
 * again by "unmask" when it has served the device. A device that cannot be asked (PCI before 2.3) has its line alone,
 * and the line itself is held back.
 *
 * Locks: vp->lock for what is set up; irq_lock, below the line's, for what the handler looks at.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "vfio_pci.h"

/* --- the line ------------------------------------------------------------------------------------ */

static void
intx_hold(struct vfio_pci *vp, bool masked)
{
	assert_held(&vp->irq_lock);
	if (vp->line.alone)
		line_set_mask(&vp->line, masked);
	else
		pci_set_command(vp->device, masked ? PCI_COMMAND_NO_INTX : 0, masked ? 0 : PCI_COMMAND_NO_INTX);
}

static bool
intx_pending(struct vfio_pci *vp)
{
	return pci_read(vp->device, PCI_STATUS, 2) & PCI_STATUS_INTX;
}

static bool
intx_interrupt(struct line_user *u)
{
	struct vfio_pci *vp = container_of(u, struct vfio_pci, line);
	uint64_t flags = spin_lock_irq(&vp->irq_lock);
	bool ours = !vp->intx_masked && !vp->intx_hidden && (u->alone || intx_pending(vp));

	if (ours) {
		vp->intx_masked = true;
		intx_hold(vp, true);
		if (vp->intx)
			eventfd_signal(vp->intx, 1);
	}
	spin_unlock_irq(&vp->irq_lock, flags);
	return ours;
}

/* The device still wants something: tell at once, it stays quiet. */
static void
intx_unmask(struct vfio_pci *vp)
{
	uint64_t flags = spin_lock_irq(&vp->irq_lock);

	if (vp->intx_masked && vp->intx) {
		if (!vp->intx_hidden && !vp->line.alone && intx_pending(vp)) {
			eventfd_signal(vp->intx, 1);
		} else {
			vp->intx_masked = false;
			if (!vp->intx_hidden)
				intx_hold(vp, false);
		}
	}
	spin_unlock_irq(&vp->irq_lock, flags);
}

static void
intx_mask(struct vfio_pci *vp)
{
	uint64_t flags = spin_lock_irq(&vp->irq_lock);

	vp->intx_masked = true;
	intx_hold(vp, true);
	spin_unlock_irq(&vp->irq_lock, flags);
}

/* The program's own bit in the command register; the device's obeys it and the mask. */
void
vfio_intx_hide(struct vfio_pci *vp, bool hidden)
{
	uint64_t flags = spin_lock_irq(&vp->irq_lock);

	vp->intx_hidden = hidden;
	if (vp->mode == VFIO_PCI_INTX)
		intx_hold(vp, hidden || vp->intx_masked);
	else if (vp->device->no_intx_works)
		pci_set_command(vp->device, hidden || vp->mode != VFIO_PCI_IRQS ? PCI_COMMAND_NO_INTX : 0,
				hidden || vp->mode != VFIO_PCI_IRQS ? 0 : PCI_COMMAND_NO_INTX);
	spin_unlock_irq(&vp->irq_lock, flags);
}

/* --- unmask by eventfd ----------------------------------------------------------------------------- */

static void
unmask_free(struct vfio_unmask *u)
{
	file_put_late(u->eventfd);
	vfio_device_put(&u->device->base);
	kfree(u);
}

static void
unmask_run(struct continuation *c)
{
	struct vfio_unmask *u = container_of(c, struct vfio_unmask, work);
	uint64_t flags, n;
	bool dead;

	flags = spin_lock_irq(&u->lock);
	dead = u->dead;
	if (!dead && eventfd_take(u->eventfd, &n))
		intx_unmask(u->device);
	if (!dead) {
		continuation_run_when(&u->work, eventfd_queue(u->eventfd), DEADLINE_NEVER);
		/* Written before it was waited for, or just now: then whom the write woke may have it on another
		 * processor. Who takes it back runs it again. */
		if ((file_poll(u->eventfd, NULL) & POLLIN) && continuation_cancel(&u->work))
			continuation_run(&u->work);
	}
	spin_unlock_irq(&u->lock, flags);
	if (dead)
		unmask_free(u);
}

static void
unmask_off(struct vfio_pci *vp)
{
	struct vfio_unmask *u = vp->unmask;
	uint64_t flags;
	bool idle;

	if (!u)
		return;
	vp->unmask = NULL;
	flags = spin_lock_irq(&u->lock);
	u->dead = true;
	idle = continuation_cancel(&u->work);
	spin_unlock_irq(&u->lock, flags);
	if (idle)
		unmask_free(u);
}

static long
unmask_by(struct vfio_pci *vp, int fd)
{
	struct vfio_unmask *u;
	int error;

	unmask_off(vp);
	if (fd < 0)
		return 0;
	u = kzalloc(sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->eventfd = vfio_eventfd(fd, RIGHT_READ, &error);
	if (!u->eventfd) {
		kfree(u);
		return error;
	}
	spin_init(&u->lock, LOCK_DEVICE_LINE); /* above irq_lock */
	continuation_init(&u->work, unmask_run);
	u->device = vp;
	vfio_device_get(&vp->base);
	vp->unmask = u;
	continuation_run(&u->work);
	return 0;
}

/* --- the line, set up ------------------------------------------------------------------------------ */

static void
intx_off(struct vfio_pci *vp)
{
	struct file *f;
	uint64_t flags;

	unmask_off(vp);
	intx_mask(vp);
	line_leave(&vp->line);
	flags = spin_lock_irq(&vp->irq_lock);
	f = vp->intx;
	vp->intx = NULL;
	vp->mode = VFIO_PCI_IRQS;
	vp->intx_masked = false;
	spin_unlock_irq(&vp->irq_lock, flags);
	if (f)
		file_put(f);
}

/* pci_lock is held: the line's users. */
static long
intx_set(struct vfio_pci *vp, int fd)
{
	struct file *f = NULL, *old;
	uint64_t flags;
	int error = 0;

	if (fd >= 0) {
		f = vfio_eventfd(fd, RIGHT_WRITE, &error);
		if (!f)
			return error;
	}
	if (vp->mode == VFIO_PCI_INTX) {
		flags = spin_lock_irq(&vp->irq_lock);
		old = vp->intx;
		vp->intx = f;
		spin_unlock_irq(&vp->irq_lock, flags);
		if (old)
			file_put(old);
		return 0;
	}
	vp->line = (struct line_user){ .number = vp->device->irq, .alone = !vp->device->no_intx_works,
				       .interrupt = intx_interrupt };
	snprintf(vp->line.name, sizeof(vp->line.name), "vfio-intx(%s)", vp->device->name);
	flags = spin_lock_irq(&vp->irq_lock);
	vp->intx = f;
	vp->intx_masked = true;
	vp->mode = VFIO_PCI_INTX;
	spin_unlock_irq(&vp->irq_lock, flags);
	error = line_join(&vp->line);
	if (error) {
		flags = spin_lock_irq(&vp->irq_lock);
		vp->intx = NULL;
		vp->intx_masked = false;
		vp->mode = VFIO_PCI_IRQS;
		spin_unlock_irq(&vp->irq_lock, flags);
		if (f)
			file_put(f);
		return error;
	}
	flags = spin_lock_irq(&vp->irq_lock);
	vp->intx_masked = false;
	if (!vp->intx_hidden)
		intx_hold(vp, false);
	spin_unlock_irq(&vp->irq_lock, flags);
	return 0;
}

static long
intx_unmask_request(struct vfio_pci *vp, const struct vfio_irq_request *r)
{
	if (vp->mode != VFIO_PCI_INTX || r->start != 0 || r->count != 1)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD)
		return unmask_by(vp, r->fds[0]);
	if (r->data == VFIO_IRQ_DATA_NONE || r->bools[0])
		intx_unmask(vp);
	return 0;
}

/* What was written to the eventfd before does not undo a mask that comes after. */
static void
forget_unmask(struct vfio_pci *vp)
{
	uint64_t flags, n;

	if (!vp->unmask)
		return;
	flags = spin_lock_irq(&vp->unmask->lock);
	eventfd_take(vp->unmask->eventfd, &n);
	spin_unlock_irq(&vp->unmask->lock, flags);
}

static long
intx_mask_request(struct vfio_pci *vp, const struct vfio_irq_request *r)
{
	if (vp->mode != VFIO_PCI_INTX || r->start != 0 || r->count != 1)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD)
		return -ENOTTY;
	if (r->data == VFIO_IRQ_DATA_NONE || r->bools[0]) {
		forget_unmask(vp);
		intx_mask(vp);
	}
	return 0;
}

static long
intx_trigger_request(struct vfio_pci *vp, const struct vfio_irq_request *r)
{
	uint64_t flags;

	if (vp->mode == VFIO_PCI_INTX && r->count == 0 && r->data == VFIO_IRQ_DATA_NONE) {
		intx_off(vp);
		return 0;
	}
	if ((vp->mode != VFIO_PCI_INTX && vp->mode != VFIO_PCI_IRQS) || r->start != 0 || r->count != 1)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD)
		return intx_set(vp, r->fds[0]);
	if (vp->mode != VFIO_PCI_INTX)
		return -EINVAL;
	flags = spin_lock_irq(&vp->irq_lock);
	if (vp->intx && (r->data == VFIO_IRQ_DATA_NONE || r->bools[0]))
		eventfd_signal(vp->intx, 1);
	spin_unlock_irq(&vp->irq_lock, flags);
	return 0;
}

/* --- messages ------------------------------------------------------------------------------------ */

/* One device does not get them all: the machine has about 200. Or one for each processor and one more. */
#define MESSAGES_MAX 48u

/* The eventfd stays until nobody can be here any more: vector_off(). */
static void
message_interrupt(void *arg)
{
	struct vfio_vector *v = arg;

	eventfd_signal(v->trigger, 1);
}

/* A message of MSI, or the first of a row, is what it is for all; arch's lock is held. */
static void
write_msi(void *arg, const struct arch_msi *m)
{
	pci_msi_write(((struct vfio_pci *)arg)->device, m);
}

/* An entry of the table: arch's lock, which is held, keeps writers apart. */
static void
write_msix(void *arg, const struct arch_msi *m)
{
	const struct vfio_vector *v = arg;
	struct vfio_pci *vp = v->owner;

	pci_msix_write((volatile uint32_t *)(vp->table + (size_t)(v - vp->vectors) * MSIX_ENTRY), m, READ_ONCE(v->on));
}

static void
vector_off(struct vfio_pci *vp, uint32_t index)
{
	struct vfio_vector *v = &vp->vectors[index];
	struct file *f = v->trigger;

	if (!f)
		return;
	if (vp->mode == VFIO_PCI_MSIX) {
		WRITE_ONCE(v->on, false);
		arch_msi_tell(v->number);
		arch_msi_free(v->number); /* waits for its handler, too */
		v->number = -1;
		vp->numbers--;
	} else {
		arch_msi_unhandle(v->number);
	}
	v->trigger = NULL;
	file_put(f);
}

/* Of MSI the row is there; of MSI-X each has a number of its own while somebody listens. */
static long
vector_on(struct vfio_pci *vp, uint32_t index, int fd)
{
	struct arch_msi_user user = { .requester = pci_requester(vp->device), .index = index, .write = write_msix };
	struct vfio_vector *v = &vp->vectors[index];
	char name[40];
	int error;

	vector_off(vp, index);
	if (fd < 0)
		return 0;
	v->trigger = vfio_eventfd(fd, RIGHT_WRITE, &error);
	if (!v->trigger)
		return error;
	if (vp->mode == VFIO_PCI_MSIX) {
		user.arg = v;
		error = vp->numbers < MAX(MESSAGES_MAX, cpu_count + 1) ? arch_msi_alloc(1, &user) : -ENOSPC;
		if (error < 0) {
			file_put(v->trigger);
			v->trigger = NULL;
			return error;
		}
		v->number = error;
		vp->numbers++;
	}
	snprintf(name, sizeof(name), "vfio-msi%s[%u](%s)", vp->mode == VFIO_PCI_MSIX ? "x" : "", index, vp->device->name);
	arch_msi_handle(v->number, message_interrupt, v, name);
	if (vp->mode == VFIO_PCI_MSIX) {
		WRITE_ONCE(v->on, true);
		arch_msi_tell(v->number);
	}
	return 0;
}

/* A row of `n` messages of MSI: 0; how many there could be when that is fewer; or an errno. */
static long
msi_row_on(struct vfio_pci *vp, uint32_t n)
{
	struct arch_msi_user user = { .requester = pci_requester(vp->device), .write = write_msi, .arg = vp };
	uint32_t row = 1;
	int first;

	while (row < n)
		row *= 2;
	first = arch_msi_alloc(row, &user);
	if (first >= 0) {
		for (uint32_t i = 0; i < n; i++)
			vp->vectors[i].number = first + (int)i;
		pci_msi_enable(vp->device, row);
		return 0;
	}
	while (first == -ENOSPC && row > 1) {
		row /= 2;
		first = arch_msi_alloc(row, &user);
		if (first >= 0) {
			arch_msi_free(first);
			return row;
		}
	}
	return first;
}

static int
msix_table_on(struct vfio_pci *vp)
{
	struct pci_device *d = vp->device;

	vp->table = arch_map_device(d->resource[vp->table_bar].start + vp->table_start, vp->table_end - vp->table_start);
	if (!vp->table)
		return -ENOMEM;
	for (uint32_t i = 0; i < (vp->table_end - vp->table_start) / MSIX_ENTRY; i++)
		((volatile uint32_t *)(vp->table + i * MSIX_ENTRY))[3] = MSIX_ENTRY_MASKED;
	pci_msix_set(d, true);
	return 0;
}

/* Nobody listens any more, vp->vectors and the table go. */
static void
vectors_free(struct vfio_pci *vp)
{
	kfree(vp->vectors);
	vp->vectors = NULL;
	vp->vector_count = 0;
	vp->mode = VFIO_PCI_IRQS;
	if (vp->table)
		region_unmap((void *)vp->table);
	vp->table = NULL;
	vfio_intx_hide(vp, vp->intx_hidden);
}

static void
messages_off(struct vfio_pci *vp)
{
	struct pci_device *d = vp->device;
	uint32_t lent = vfio_lend_memory(vp);

	if (vp->mode == VFIO_PCI_MSI)
		pci_msi_disable(d);
	for (uint32_t i = 0; i < vp->vector_count; i++)
		vector_off(vp, i);
	if (vp->mode == VFIO_PCI_MSIX)
		pci_msix_set(d, false);
	else
		arch_msi_free(vp->vectors[0].number);
	vfio_take_memory(vp, lent);
	vectors_free(vp);
}

/* `n` vectors, none with an eventfd yet. 0; how many there could be, when not as many; or an errno. */
static long
messages_on(struct vfio_pci *vp, uint32_t index, uint32_t n)
{
	long error;

	vp->vectors = kzalloc(n * sizeof(*vp->vectors));
	if (!vp->vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		vp->vectors[i] = (struct vfio_vector){ .owner = vp, .number = -1 };
	vp->vector_count = n;
	vp->mode = index;
	vfio_intx_hide(vp, vp->intx_hidden);
	error = index == VFIO_PCI_MSIX ? msix_table_on(vp) : msi_row_on(vp, n);
	if (error)
		vectors_free(vp);
	return error;
}

void
vfio_pci_irqs_reset(struct vfio_pci *vp)
{
	uint32_t lent, row = 1;

	if (vp->mode == VFIO_PCI_MSI) {
		while (row < vp->vector_count)
			row *= 2;
		arch_msi_tell(vp->vectors[0].number);
		pci_msi_enable(vp->device, row);
	}
	if (vp->mode != VFIO_PCI_MSIX)
		return;
	lent = vfio_lend_memory(vp);
	for (uint32_t i = 0; i < vp->vector_count; i++) {
		if (vp->vectors[i].number >= 0)
			arch_msi_tell(vp->vectors[i].number);
		else
			((volatile uint32_t *)(vp->table + i * MSIX_ENTRY))[3] = MSIX_ENTRY_MASKED;
	}
	pci_msix_set(vp->device, true);
	vfio_take_memory(vp, lent);
}

static long
set_vectors(struct vfio_pci *vp, const struct vfio_irq_request *r)
{
	long error = 0;
	uint32_t i;

	if (r->start >= vp->vector_count || r->start + r->count > vp->vector_count)
		return -EINVAL;
	for (i = 0; i < r->count && !error; i++)
		error = vector_on(vp, r->start + i, r->fds[i]);
	if (error)
		while (i-- > 0)
			vector_off(vp, r->start + i);
	return error;
}

static long
message_request(struct vfio_pci *vp, uint32_t index, const struct vfio_irq_request *r)
{
	uint32_t lent;
	long error;
	bool fresh;

	if (vp->mode == index && r->count == 0 && r->data == VFIO_IRQ_DATA_NONE) {
		messages_off(vp);
		return 0;
	}
	if (vp->mode != index && vp->mode != VFIO_PCI_IRQS)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD) {
		fresh = vp->mode != index;
		if (fresh && r->start + r->count == 0)
			return -ERANGE;
		lent = vfio_lend_memory(vp);
		error = fresh ? messages_on(vp, index, r->start + r->count) : 0;
		if (!error) {
			error = set_vectors(vp, r);
			if (error && fresh)
				messages_off(vp);
		}
		vfio_take_memory(vp, lent);
		return error;
	}
	if (vp->mode != index || r->start + r->count > vp->vector_count)
		return -EINVAL;
	for (uint32_t i = r->start; i < r->start + r->count; i++)
		if (vp->vectors[i].trigger && (r->data == VFIO_IRQ_DATA_NONE || r->bools[i - r->start]))
			eventfd_signal(vp->vectors[i].trigger, 1);
	return 0;
}

/* --- errors, and being asked for ------------------------------------------------------------------- */

static long
single_request(struct file **slot, const struct vfio_irq_request *r)
{
	struct file *f;
	int error;

	if (r->start != 0 || r->count > 1 || (r->count == 0 && r->data != VFIO_IRQ_DATA_NONE))
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD) {
		if (r->fds[0] == -1) {
			f = NULL;
		} else {
			f = vfio_eventfd(r->fds[0], RIGHT_WRITE, &error);
			if (!f)
				return error;
		}
		if (*slot)
			file_put(*slot);
		*slot = f;
		return 0;
	}
	if (!*slot)
		return r->data == VFIO_IRQ_DATA_NONE ? -EINVAL : 0;
	if (r->count == 0) {
		file_put(*slot);
		*slot = NULL;
	} else if (r->data == VFIO_IRQ_DATA_NONE || r->bools[0]) {
		eventfd_signal(*slot, 1);
	}
	return 0;
}

/* --- all of them --------------------------------------------------------------------------------- */

void
vfio_pci_irq_counts(struct vfio_pci *vp, uint32_t *counts)
{
	struct pci_device *d = vp->device;

	counts[VFIO_PCI_INTX] = d->pin && d->irq ? 1 : 0;
	counts[VFIO_PCI_MSI] = pci_msi_count(d);
	counts[VFIO_PCI_MSIX] = vp->table_bar < PCI_BARS ? (uint32_t)(vp->table_end - vp->table_start) / MSIX_ENTRY : 0;
	counts[VFIO_PCI_ERR] = d->cap_express ? 1 : 0;
	counts[VFIO_PCI_REQ] = 1;
}

long
vfio_pci_set_irqs(struct vfio_pci *vp, const struct vfio_irq_set *set, const struct vfio_irq_request *r)
{
	uint32_t action = set->flags & VFIO_IRQ_ACTION;

	assert_mutex_held(&vp->lock);
	if (set->index == VFIO_PCI_INTX && action == VFIO_IRQ_MASK)
		return intx_mask_request(vp, r);
	if (set->index == VFIO_PCI_INTX && action == VFIO_IRQ_UNMASK)
		return intx_unmask_request(vp, r);
	if (action != VFIO_IRQ_TRIGGER)
		return -ENOTTY;
	switch (set->index) {
	case VFIO_PCI_INTX:
		return intx_trigger_request(vp, r);
	case VFIO_PCI_MSI:
	case VFIO_PCI_MSIX:
		return message_request(vp, set->index, r);
	case VFIO_PCI_ERR:
		return single_request(&vp->error, r);
	default:
		return single_request(&vp->request, r);
	}
}

void
vfio_pci_irqs_off(struct vfio_pci *vp)
{
	assert_mutex_held(&vp->lock);
	if (vp->mode == VFIO_PCI_INTX)
		intx_off(vp);
	else if (vp->mode != VFIO_PCI_IRQS)
		messages_off(vp);
	if (vp->error)
		file_put(vp->error);
	if (vp->request)
		file_put(vp->request);
	vp->error = vp->request = NULL;
}
