/* SPDX-License-Identifier: MIT */
/*
 * line.h - interrupt lines, which several devices may share.
 */
#ifndef TESSERA_DEV_LINE_H
#define TESSERA_DEV_LINE_H

#include <tessera/list.h>
#include <tessera/types.h>

/* One device's interest in a line. [L] line_lock */
struct line_user {
	struct list node;              /* [L] */
	char name[28];                 /* [I] for /proc/interrupts */
	uint32_t number;               /* [I] the old number of the line, as the device's register has it */
	bool alone;                    /* [I] it cannot tell whether it was it: nobody else may have the line */
	/* Was it this device, which then is quiet by now? Interrupts off. */
	bool (*interrupt)(struct line_user *u);
};

/* -EBUSY: somebody is alone on it, or wants to be; or the kernel's own. May sleep; pci_lock is held. */
int line_join(struct line_user *u);
/* Its handler does not run any more when it returns. */
void line_leave(struct line_user *u);
/* Who is alone on it holds it back, or lets it through. Any context. */
void line_set_mask(struct line_user *u, bool masked);
void line_dump(void);

#endif
