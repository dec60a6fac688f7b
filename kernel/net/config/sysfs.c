/* SPDX-License-Identifier: MIT */
/*
 * sysfs.c - /sys/class/net: the first network's interfaces, as udev and scripts look at them.
 *
 * A directory's object is the number of its interface; what is not there any more answers EINVAL. Each is below
 * devices/virtual/net, whatever is behind it. Nothing can be changed here: ip-link(8) does.
 */
#include <tessera/errno.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "config.h"

/* Those that are set, not those that are found out. */
#define FLAGS_SHOWN ((uint32_t)(INTERFACE_SETTABLE | INTERFACE_BROADCAST | INTERFACE_LOOPBACK | INTERFACE_POINT_TO_POINT))

static int
get(void *object, struct interface_info *i)
{
	return network_interface(&init_network, (uint32_t)(uintptr_t)object, i) ? -EINVAL : 0;
}

static void
print_link_address(struct text *t, const uint8_t *a, uint8_t length)
{
	for (uint8_t k = 0; k < length; k++)
		text_print(t, "%s%02x", k ? ":" : "", a[k]);
	text_add(t, "\n", 1);
}

static int
show_address(struct text *t, void *object)
{
	struct interface_info i;
	int error = get(object, &i);

	if (!error)
		print_link_address(t, i.address, i.address_length);
	return error;
}

static int
show_broadcast(struct text *t, void *object)
{
	struct interface_info i;
	int error = get(object, &i);

	if (!error)
		print_link_address(t, i.broadcast, i.address_length);
	return error;
}

/* Of one that is down nobody knows. */
static int
show_carrier(struct text *t, void *object)
{
	struct interface_info i;
	int error = get(object, &i);

	if (!error && !(i.flags & INTERFACE_UP))
		error = -EINVAL;
	if (!error)
		text_print(t, "%d\n", i.carrier);
	return error;
}

static int
show_state(struct text *t, void *object)
{
	struct interface_info i;
	int error = get(object, &i);

	if (error)
		return error;
	if (!(i.flags & INTERFACE_UP))
		text_print(t, "down\n");
	else
		text_print(t, i.flags & INTERFACE_LOOPBACK ? "unknown\n" : i.carrier ? "up\n" : "down\n");
	return 0;
}

static int
show_event(struct text *t, void *object)
{
	struct interface_info i;
	int error = get(object, &i);

	if (!error)
		text_print(t, "INTERFACE=%s\nIFINDEX=%u\n", i.name, i.index);
	return error;
}

static int
show_zero(struct text *t, void *object)
{
	text_print(t, "0\n");
	return 0;
}

static int
show_hexadecimal_zero(struct text *t, void *object)
{
	text_print(t, "0x0\n");
	return 0;
}

static int
show_nothing(struct text *t, void *object)
{
	text_print(t, "\n");
	return 0;
}

/* What only a link with a speed has. */
static int
show_unknown(struct text *t, void *object)
{
	return -EINVAL;
}

#define SHOW_FIELD(function, format, value)             \
	static int                                      \
	function(struct text *t, void *object)          \
	{                                               \
		struct interface_info i;                \
		int error = get(object, &i);            \
                                                        \
		if (!error)                             \
			text_print(t, format "\n", value); \
		return error;                           \
	}
SHOW_FIELD(show_index, "%u", i.index)
SHOW_FIELD(show_mtu, "%u", i.mtu)
SHOW_FIELD(show_kind, "%u", (unsigned int)i.kind)
SHOW_FIELD(show_queue, "%u", i.queue_length)
SHOW_FIELD(show_group, "%u", i.group)
SHOW_FIELD(show_flags, "0x%x", i.flags & FLAGS_SHOWN)
SHOW_FIELD(show_address_length, "%u", (unsigned int)i.address_length)
SHOW_FIELD(show_received_bytes, "%lu", i.received.bytes)
SHOW_FIELD(show_received_packets, "%lu", i.received.packets)
SHOW_FIELD(show_received_errors, "%lu", i.received.errors)
SHOW_FIELD(show_received_dropped, "%lu", i.received.dropped)
SHOW_FIELD(show_received_multicast, "%lu", i.received.multicast)
SHOW_FIELD(show_sent_bytes, "%lu", i.sent.bytes)
SHOW_FIELD(show_sent_packets, "%lu", i.sent.packets)
SHOW_FIELD(show_sent_errors, "%lu", i.sent.errors)
SHOW_FIELD(show_sent_dropped, "%lu", i.sent.dropped)

static const struct sysfs_attribute interface_attributes[] = {
	{ "addr_assign_type", 0444, .show = show_zero },
	{ "addr_len", 0444, .show = show_address_length },
	{ "address", 0444, .show = show_address },
	{ "broadcast", 0444, .show = show_broadcast },
	{ "carrier", 0444, .show = show_carrier },
	{ "carrier_changes", 0444, .show = show_zero },
	{ "dev_id", 0444, .show = show_hexadecimal_zero },
	{ "dev_port", 0444, .show = show_zero },
	{ "dormant", 0444, .show = show_zero },
	{ "duplex", 0444, .show = show_unknown },
	{ "flags", 0444, .show = show_flags },
	{ "ifalias", 0444, .show = show_nothing },
	{ "ifindex", 0444, .show = show_index },
	{ "iflink", 0444, .show = show_index },
	{ "link_mode", 0444, .show = show_zero },
	{ "mtu", 0444, .show = show_mtu },
	{ "netdev_group", 0444, .show = show_group },
	{ "operstate", 0444, .show = show_state },
	{ "proto_down", 0444, .show = show_zero },
	{ "speed", 0444, .show = show_unknown },
	{ "tx_queue_len", 0444, .show = show_queue },
	{ "type", 0444, .show = show_kind },
	{ "uevent", 0444, .show = show_event },
	{ 0 },
};

static const struct sysfs_attribute counts_attributes[] = {
	{ "collisions", 0444, .show = show_zero },
	{ "multicast", 0444, .show = show_received_multicast },
	{ "rx_bytes", 0444, .show = show_received_bytes },
	{ "rx_compressed", 0444, .show = show_zero },
	{ "rx_crc_errors", 0444, .show = show_zero },
	{ "rx_dropped", 0444, .show = show_received_dropped },
	{ "rx_errors", 0444, .show = show_received_errors },
	{ "rx_fifo_errors", 0444, .show = show_zero },
	{ "rx_frame_errors", 0444, .show = show_zero },
	{ "rx_length_errors", 0444, .show = show_zero },
	{ "rx_missed_errors", 0444, .show = show_zero },
	{ "rx_nohandler", 0444, .show = show_zero },
	{ "rx_over_errors", 0444, .show = show_zero },
	{ "rx_packets", 0444, .show = show_received_packets },
	{ "tx_aborted_errors", 0444, .show = show_zero },
	{ "tx_bytes", 0444, .show = show_sent_bytes },
	{ "tx_carrier_errors", 0444, .show = show_zero },
	{ "tx_compressed", 0444, .show = show_zero },
	{ "tx_dropped", 0444, .show = show_sent_dropped },
	{ "tx_errors", 0444, .show = show_sent_errors },
	{ "tx_fifo_errors", 0444, .show = show_zero },
	{ "tx_heartbeat_errors", 0444, .show = show_zero },
	{ "tx_packets", 0444, .show = show_sent_packets },
	{ "tx_window_errors", 0444, .show = show_zero },
	{ 0 },
};

static struct sysfs_node *
make(const struct interface_info *info)
{
	void *object = (void *)(uintptr_t)info->index;
	struct sysfs_node *class = sysfs_make_path("class/net");
	struct sysfs_node *dir = sysfs_add_directory(sysfs_make_path("devices/virtual/net"), info->name, object);
	struct sysfs_node *counts = sysfs_add_directory(dir, "statistics", object);

	if (!counts || sysfs_add_attributes(dir, interface_attributes) || sysfs_add_attributes(counts, counts_attributes) ||
	    sysfs_add_link(dir, "subsystem", class) || sysfs_add_link(class, info->name, dir)) {
		if (dir)
			sysfs_remove(dir);
		return NULL;
	}
	return dir;
}

void
interface_show(struct network *n, uint32_t index)
{
	struct interface_info info;
	struct interface *i;
	struct sysfs_node *dir;

	if (n != &init_network || network_interface(n, index, &info))
		return;
	dir = make(&info);
	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i && !i->directory && strcmp(i->info.name, info.name) == 0) {
		i->directory = dir;
		dir = NULL; /* else it was removed or called another name meanwhile */
	}
	spin_unlock(&n->config_lock);
	if (dir)
		sysfs_remove(dir);
}

void
interface_hide(struct network *n, uint32_t index)
{
	struct sysfs_node *dir = NULL;
	struct interface *i;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		dir = i->directory;
		i->directory = NULL;
	}
	spin_unlock(&n->config_lock);
	if (dir)
		sysfs_remove(dir);
}
