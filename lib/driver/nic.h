/* SPDX-License-Identifier: MIT */
/*
 * nic.h - a network card: what its driver and the network stack say to each other. Both are one process (netd); a
 * driver is one of a table (`struct nic_driver`), and nic_test.c is a small stack to try one by itself.
 *
 *   nic_open()         the device is reset, and silent
 *   nic->stack = ...   who hears of it; what the fields of "the driver's" say is known now
 *   ops->go            from here on frames come
 *   ops->close         the device is reset, and silent; the memory of `nic` is gone
 *
 * A frame begins with its 14 bytes of Ethernet and has no checksum of Ethernet's behind it. All runs in the one thread
 * of loop.c: up-calls come from the handlers of interrupts and from the lookers (loop.h) that a driver adds, never from
 * within what the stack has called.
 */
#ifndef DRIVER_NIC_H
#define DRIVER_NIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "device.h"

#define NIC_ADDRESS   6
#define NIC_HEADER    14 /* of Ethernet: to, from, type */
#define NIC_FRAME_MIN 60 /* shorter ones are filled up with zeroes, by `send` or by the device */
#define NIC_GROUPS    64 /* addresses that `filter` takes; who wants more asks for all */

struct nic;

/* Of a frame received: the checksums of what is in it (TCP's, UDP's) are known to be right. */
#define NIC_CHECKSUM_GOOD 0x1u

/*
 * Of a frame to send, if nic->can_checksum: the sum of all from byte `start` on is to be put at `start + offset`, where
 * that of the pseudo header stands. 0: all is there.
 */
#define NIC_CHECKSUM(start, offset) (0x80000000u | (start) << 16 | (offset))

/* Up-calls: each must be there. */
struct nic_stack {
	/*
	 * A frame came. It lies in the device's memory, and only until this returns: a device that is not honest may
	 * change it meanwhile, so who checks something checks a copy of his.
	 */
	void (*received)(struct nic *nic, const void *frame, unsigned length, uint32_t flags);
	/* The cable is there, or gone: nic->carrier and nic->speed have changed. */
	void (*link)(struct nic *nic);
	/* send() has said -EAGAIN, and there is room now. */
	void (*room)(struct nic *nic);
	/* The device makes no sense, and is silent from here on: close it, from anywhere but this call. */
	void (*failed)(struct nic *nic);
};

struct nic_ops {
	void (*go)(struct nic *nic);
	/*
	 * Send one frame, gathered from `parts`, which are copied. 0; -EAGAIN: no room now, `room` will tell;
	 * -EMSGSIZE: longer than nic->mtu_max, a header and a tag of a VLAN. flush() tells the device, once for all.
	 */
	int (*send)(struct nic *nic, const struct iovec *parts, unsigned count, uint32_t flags);
	void (*flush)(struct nic *nic);
	/* Besides its own address and broadcasts: all frames, or those to all groups, or those to some groups. More may come. */
	void (*filter)(struct nic *nic, bool promiscuous, bool all_groups, const uint8_t (*addresses)[NIC_ADDRESS],
		unsigned count);
	void (*close)(struct nic *nic);
};

struct nic_counts {
	uint64_t received_packets, received_bytes, received_errors, received_dropped, multicast;
	uint64_t sent_packets, sent_bytes, sent_errors;
};

struct nic {
	/* The driver's; the stack reads them. */
	const struct nic_ops *ops;
	struct device *device;
	char key[32];		      /* where it is: "0000:00:03.0" */
	uint8_t address[NIC_ADDRESS];
	uint32_t mtu_max;	      /* bytes behind the header */
	uint32_t speed;		      /* Mbit/s; 0: not known */
	bool carrier;
	bool can_checksum;
	struct nic_counts counts;
	/* The stack's. */
	const struct nic_stack *stack;
	void *owner;
};

struct nic_driver {
	const char *name;
	bool (*matches)(uint16_t vendor, uint16_t product);
	/* A nic with all that is the driver's, which is silent still. A negative errno, with a line in the log. */
	int (*open)(struct device *d, struct nic **out);
};

/* Of those drivers, up to a NULL, the one for `d` opens it. -ENODEV: there is none. `d` lives as long as the nic. */
int nic_open(const struct nic_driver *const *drivers, struct device *d, struct nic **out);
/* The same for a device that the manager has given (MANAGER_GIVES_CARD). The descriptors belong to the nic afterwards. */
int nic_adopt(const struct nic_driver *const *drivers, const char *name, int device_fd, int container_fd,
	struct nic **out);
/* Make it silent, and let go of the device of a nic that was adopted. */
void nic_close(struct nic *nic);

#endif
