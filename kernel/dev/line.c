/* SPDX-License-Identifier: MIT */
/*
 * line.c - interrupt lines shared by devices: who has it asked, one after the other, whether it was his.
 *
 * A line is level-triggered: it stays up until the device that pulled it is quiet. So every user either quiets its
 * device or says that it was not its; a line that nobody owns up to, again and again, is held back and the log says
 * so, for else the processor would do nothing else.
 */
#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/print.h>

#include "line.h"

#define LINES         16u      /* the old ones: see README.md */
#define UNCLAIMED_MAX 10000u

/* [L] line_lock  [P] pci_lock */
struct line {
	struct list users;             /* [L] */
	uint32_t gsi;                  /* [P] where it arrives */
	bool registered;               /* [P] */
	bool level;                    /* [P] */
	bool given_up;                 /* [L] */
	uint32_t unclaimed;            /* [L] since somebody last owned up */
	uint64_t count, lost;          /* [L] */
};

static struct line lines[LINES];
static struct spinlock line_lock = SPINLOCK_INIT(DEVICE_LINE); /* a user's own lock stands below it */

static void
interrupt(void *arg)
{
	struct line *l = arg;
	uint64_t flags = spin_lock_irq(&line_lock);
	struct line_user *u;
	bool claimed = false;

	l->count++;
	list_for_each (u, &l->users, node)
		claimed |= u->interrupt(u);
	l->unclaimed = claimed ? 0 : l->unclaimed + 1;
	l->lost += !claimed;
	if (l->unclaimed > UNCLAIMED_MAX && l->level && !l->given_up) {
		l->given_up = true;
		arch_irq_set_mask(l->gsi, true);
		pr_warn("dev: line %u: nobody's interrupts, %u in a row: held back\n", (uint32_t)(l - lines),
			l->unclaimed);
	}
	spin_unlock_irq(&line_lock, flags);
}

/* What /proc/interrupts calls the line: all who have it. */
static void
show_users(struct line *l)
{
	char names[64] = "";
	uint64_t flags = spin_lock_irq(&line_lock);
	const struct line_user *u;
	size_t n = 0;

	list_for_each (u, &l->users, node)
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", u->name);
	spin_unlock_irq(&line_lock, flags);
	arch_irq_set_name(l->gsi, names);
}

int
line_join(struct line_user *u)
{
	struct line *l = u->number < LINES ? &lines[u->number] : NULL;
	struct line_user *other;
	bool active_low, again; /* who joins may be the one that owns up to what was nobody's */
	uint64_t flags;
	int error = 0;

	if (!l)
		return -EINVAL;
	flags = spin_lock_irq(&line_lock);
	if (!l->users.next)
		list_init(&l->users);
	list_for_each (other, &l->users, node)
		if (other->alone || u->alone)
			error = -EBUSY;
	if (!error)
		list_add_tail(&l->users, &u->node);
	again = !error && l->registered && l->given_up;
	if (again) {
		l->given_up = false;
		l->unclaimed = 0;
		arch_irq_set_mask(l->gsi, false);
	}
	spin_unlock_irq(&line_lock, flags);
	if (error)
		return error;
	if (again)
		pr_info("dev: line %u: heard again, for %s\n", u->number, u->name);
	if (l->registered) {
		show_users(l);
		return 0;
	}
	l->gsi = arch_irq_isa_line(u->number, &l->level, &active_low);
	l->unclaimed = 0;
	l->given_up = false;
	error = arch_irq_register(l->gsi, l->level, active_low, interrupt, l, u->name);
	if (error) {
		flags = spin_lock_irq(&line_lock);
		list_del(&u->node);
		spin_unlock_irq(&line_lock, flags);
		return error;
	}
	l->registered = true;
	return 0;
}

/* Handlers run with line_lock held: who has had it knows that none runs. */
void
line_leave(struct line_user *u)
{
	struct line *l = &lines[u->number];
	uint64_t flags = spin_lock_irq(&line_lock);
	bool last;

	list_del(&u->node);
	last = list_is_empty(&l->users);
	spin_unlock_irq(&line_lock, flags);
	if (last) {
		arch_irq_unregister(l->gsi);
		l->registered = false;
	} else {
		show_users(l);
	}
}

void
line_set_mask(struct line_user *u, bool masked)
{
	arch_irq_set_mask(lines[u->number].gsi, masked);
}

void
line_dump(void)
{
	for (uint32_t i = 0; i < LINES; i++)
		if (lines[i].registered)
			pr_info("line %u at %u%s: %lu interrupts, %lu nobody's%s\n", i, lines[i].gsi,
				lines[i].level ? ", level" : "", lines[i].count, lines[i].lost,
				lines[i].given_up ? ", HELD BACK" : "");
}
