/* SPDX-License-Identifier: MIT */
/*
 * settings.c - numbers that say how a network behaves: below /proc/sys/net. ip-sysctl.txt, tcp(7), socket(7).
 *
 * Each network has its own, but for those of the whole machine, which the first network keeps for all.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/socket.h>

#include "config.h"

#define SECONDS_MAX 32767

static const struct {
	int low, high, at_birth;
	bool of_machine;
} limits[NETWORK_SETTINGS] = {
	[SETTING_BACKLOG] = { 0, INT32_MAX, 4096, false },
	[SETTING_RECEIVE_DEFAULT] = { 2304, INT32_MAX, SOCKET_BUFFER, true },
	[SETTING_RECEIVE_MAX] = { 2304, INT32_MAX, SOCKET_BUFFER, true },
	[SETTING_SEND_DEFAULT] = { 4608, INT32_MAX, SOCKET_BUFFER, true },
	[SETTING_SEND_MAX] = { 4608, INT32_MAX, SOCKET_BUFFER, true },
	[SETTING_PORT_LOW] = { 1, 65535, 32768, false },
	[SETTING_PORT_HIGH] = { 1, 65535, 60999, false },
	[SETTING_PORT_UNPRIVILEGED] = { 0, 65535, 1024, false },
	[SETTING_TTL] = { 1, 255, 64, false },
	[SETTING_FREE_BIND] = { 0, 1, 0, false },
	[SETTING_FREE_BIND_V6] = { 0, 1, 0, false },
	[SETTING_ONLY_V6] = { 0, 1, 0, false },
	[SETTING_PING_LOW] = { 0, INT32_MAX, 1, false },
	[SETTING_PING_HIGH] = { 0, INT32_MAX, 0, false },
	[SETTING_KEEP_IDLE] = { 1, SECONDS_MAX, 7200, false },
	[SETTING_KEEP_INTERVAL] = { 1, SECONDS_MAX, 75, false },
	[SETTING_KEEP_COUNT] = { 1, 127, 9, false },
	[SETTING_SYN_COUNT] = { 1, 127, 6, false },
	[SETTING_FIN_TIMEOUT] = { 0, SECONDS_MAX, 60, false },
	[SETTING_ICMP_INTERVAL] = { 0, INT32_MAX, 1000, false },
	[SETTING_ICMP6_INTERVAL] = { 0, INT32_MAX, 1000, false },
	[SETTING_ICMP_MASK] = { 0, INT32_MAX, 0x1818, false }, /* unreachable, quench, exceeded, parameter */
	[SETTING_ICMP_RATE] = { 0, INT32_MAX, 1000, false },
	[SETTING_ICMP_BURST] = { 0, INT32_MAX, 50, false },
	[SETTING_UNIX_QUEUE] = { 0, INT32_MAX, 10, false },
};

void
network_settings_init(struct network *n)
{
	for (int i = 0; i < NETWORK_SETTINGS; i++)
		n->setting[i] = limits[i].at_birth;
}

int
network_setting(const struct network *n, enum network_setting which)
{
	return READ_ONCE((limits[which].of_machine ? &init_network : n)->setting[which]);
}

/* Those of a pair keep their order, and ports that are given away are none that need a right. */
static bool
fits(const struct network *n, enum network_setting which, const int *values, unsigned count)
{
	if (which == SETTING_PORT_LOW)
		return count == 2 && values[0] <= values[1] && values[0] >= network_setting(n, SETTING_PORT_UNPRIVILEGED);
	if (which == SETTING_PORT_UNPRIVILEGED)
		return values[0] <= network_setting(n, SETTING_PORT_LOW);
	return true;
}

int
network_setting_set(struct network *n, enum network_setting which, const int *values, unsigned count)
{
	if (limits[which].of_machine)
		n = &init_network;
	for (unsigned i = 0; i < count; i++)
		if (values[i] < limits[which + i].low || values[i] > limits[which + i].high)
			return -EINVAL;
	if (!fits(n, which, values, count))
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		WRITE_ONCE(n->setting[which + i], values[i]);
	return 0;
}
