/* SPDX-License-Identifier: MIT */
/*
 * sys_net.c - /proc/sys/net: settings of the caller's network.
 *
 * What can be written acts: settings.c of the network says where. What only is read says how things are here, of each
 * interface the same.
 */
#include <tessera/errno.h>
#include <tessera/network.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "files.h"

#define OF_NETWORK(n, number, many)                                                                          \
	{ .name = n, .mode = S_IFREG | 0644, .flags = ENTRY_SETTING,                                        \
	  .setting = &(const struct setting){ .of_network = number, .count = many } }

static const struct entry core_entries[] = {
	CONSTANT("bpf_jit_enable", "1"),
	CONSTANT("busy_poll", "0"),
	CONSTANT("busy_read", "0"),
	CONSTANT("default_qdisc", "fq_codel"),
	CONSTANT("netdev_budget", "300"),
	CONSTANT("netdev_max_backlog", "1000"),
	CONSTANT("optmem_max", "20480"),
	OF_NETWORK("rmem_default", SETTING_RECEIVE_DEFAULT, 1),
	OF_NETWORK("rmem_max", SETTING_RECEIVE_MAX, 1),
	OF_NETWORK("somaxconn", SETTING_BACKLOG, 1),
	CONSTANT("warnings", "0"),
	OF_NETWORK("wmem_default", SETTING_SEND_DEFAULT, 1),
	OF_NETWORK("wmem_max", SETTING_SEND_MAX, 1),
	{ 0 },
};

/* --- directories of interfaces, by their names ----------------------------------------------------- */

static long
interface_entry_find(struct target *at, const char *name, size_t length)
{
	char text[INTERFACE_NAME_MAX + 1];
	struct interface_info i;

	if (length > INTERFACE_NAME_MAX)
		return -1;
	memcpy(text, name, length);
	text[length] = '\0';
	return network_interface_named(current_network(), text, &i) ? -1 : (long)i.index;
}

static long
interface_entry_next(struct target *at, long from)
{
	uint32_t count;
	struct interface_info *all = network_interfaces(current_network(), &count);
	long next = -1;

	for (uint32_t i = 0; i < count; i++)
		if (all[i].index >= from && (next < 0 || all[i].index < next))
			next = all[i].index;
	kvfree(all);
	return next;
}

static int
interface_entry_name(struct target *at, long number, char *buf, size_t size)
{
	struct interface_info i;

	if (network_interface(current_network(), (uint32_t)number, &i))
		return -ENOENT;
	string_copy(buf, i.name, size);
	return (int)strlen(buf);
}

/* Each has what is in `table`. */
#define OF_INTERFACES(table)                                                                                \
	{ .find = interface_entry_find, .next = interface_entry_next, .name = interface_entry_name,         \
	  .each = &(const struct entry){ .name = "interface", .mode = S_IFDIR | 0555, .flags = ENTRY_PLACE, \
					 .children = table } }

/* --- what there is --------------------------------------------------------------------------------- */

static const struct entry v4_settings[] = {
	CONSTANT("accept_local", "0"),
	CONSTANT("accept_redirects", "1"),
	CONSTANT("accept_source_route", "0"),
	CONSTANT("arp_accept", "0"),
	CONSTANT("arp_announce", "0"),
	CONSTANT("arp_filter", "0"),
	CONSTANT("arp_ignore", "0"),
	CONSTANT("arp_notify", "0"),
	CONSTANT("forwarding", "0"),
	CONSTANT("log_martians", "0"),
	CONSTANT("mc_forwarding", "0"),
	CONSTANT("promote_secondaries", "0"),
	CONSTANT("proxy_arp", "0"),
	CONSTANT("route_localnet", "0"),
	CONSTANT("rp_filter", "0"),
	CONSTANT("secure_redirects", "1"),
	CONSTANT("send_redirects", "1"),
	CONSTANT("shared_media", "1"),
	CONSTANT("src_valid_mark", "0"),
	{ 0 },
};

static const struct entry_list v4_interfaces = OF_INTERFACES(v4_settings);

static const struct entry v4_conf[] = {
	ENTRY_DIR("all", v4_settings),
	ENTRY_DIR("default", v4_settings),
	{ 0 },
};

static const struct entry v4_entries[] = {
	{ .name = "conf", .mode = S_IFDIR | 0555, .children = v4_conf, .list = &v4_interfaces },
	CONSTANT("icmp_echo_ignore_all", "0"),
	CONSTANT("icmp_echo_ignore_broadcasts", "1"),
	OF_NETWORK("icmp_msgs_burst", SETTING_ICMP_BURST, 1),
	OF_NETWORK("icmp_msgs_per_sec", SETTING_ICMP_RATE, 1),
	OF_NETWORK("icmp_ratelimit", SETTING_ICMP_INTERVAL, 1),
	OF_NETWORK("icmp_ratemask", SETTING_ICMP_MASK, 1),
	CONSTANT("igmp_max_memberships", "20"),
	OF_NETWORK("ip_default_ttl", SETTING_TTL, 1),
	CONSTANT("ip_forward", "0"),
	OF_NETWORK("ip_local_port_range", SETTING_PORT_LOW, 2),
	CONSTANT("ip_local_reserved_ports", ""),
	CONSTANT("ip_no_pmtu_disc", "0"),
	OF_NETWORK("ip_nonlocal_bind", SETTING_FREE_BIND, 1),
	OF_NETWORK("ip_unprivileged_port_start", SETTING_PORT_UNPRIVILEGED, 1),
	OF_NETWORK("ping_group_range", SETTING_PING_LOW, 2),
	CONSTANT("tcp_available_congestion_control", "reno cubic"),
	CONSTANT("tcp_allowed_congestion_control", "reno cubic"),
	CONSTANT("tcp_challenge_ack_limit", "2147483647"),
	CONSTANT("tcp_congestion_control", "cubic"),
	CONSTANT("tcp_ecn", "2"),
	CONSTANT("tcp_fastopen", "0"),
	OF_NETWORK("tcp_fin_timeout", SETTING_FIN_TIMEOUT, 1),
	CONSTANT("tcp_invalid_ratelimit", "500"),
	OF_NETWORK("tcp_keepalive_intvl", SETTING_KEEP_INTERVAL, 1),
	OF_NETWORK("tcp_keepalive_probes", SETTING_KEEP_COUNT, 1),
	OF_NETWORK("tcp_keepalive_time", SETTING_KEEP_IDLE, 1),
	CONSTANT("tcp_max_syn_backlog", "128"),
	CONSTANT("tcp_max_tw_buckets", "16384"),
	CONSTANT("tcp_moderate_rcvbuf", "1"),
	CONSTANT("tcp_retries2", "15"),
	CONSTANT("tcp_rmem", "4096\t131072\t4194304"),
	CONSTANT("tcp_sack", "1"),
	OF_NETWORK("tcp_syn_retries", SETTING_SYN_COUNT, 1),
	CONSTANT("tcp_synack_retries", "5"),
	CONSTANT("tcp_syncookies", "0"),
	CONSTANT("tcp_timestamps", "1"),
	CONSTANT("tcp_tw_reuse", "2"),
	CONSTANT("tcp_window_scaling", "1"),
	CONSTANT("tcp_wmem", "4096\t16384\t4194304"),
	CONSTANT("udp_rmem_min", "4096"),
	CONSTANT("udp_wmem_min", "4096"),
	{ 0 },
};

static const struct entry v6_settings[] = {
	CONSTANT("accept_ra", "1"),
	CONSTANT("accept_redirects", "1"),
	CONSTANT("addr_gen_mode", "0"),
	CONSTANT("autoconf", "1"),
	CONSTANT("dad_transmits", "1"),
	CONSTANT("disable_ipv6", "0"),
	CONSTANT("forwarding", "0"),
	CONSTANT("hop_limit", "64"),
	CONSTANT("keep_addr_on_down", "0"),
	CONSTANT("mtu", "1280"),
	CONSTANT("proxy_ndp", "0"),
	CONSTANT("use_tempaddr", "0"),
	{ 0 },
};

static const struct entry_list v6_interfaces = OF_INTERFACES(v6_settings);

static const struct entry v6_conf[] = {
	ENTRY_DIR("all", v6_settings),
	ENTRY_DIR("default", v6_settings),
	{ 0 },
};

static const struct entry v6_icmp[] = {
	OF_NETWORK("ratelimit", SETTING_ICMP6_INTERVAL, 1),
	CONSTANT("ratemask", "0-1,3-127"),
	{ 0 },
};

static const struct entry v6_entries[] = {
	CONSTANT("auto_flowlabels", "1"),
	OF_NETWORK("bindv6only", SETTING_ONLY_V6, 1),
	{ .name = "conf", .mode = S_IFDIR | 0555, .children = v6_conf, .list = &v6_interfaces },
	ENTRY_DIR("icmp", v6_icmp),
	OF_NETWORK("ip_nonlocal_bind", SETTING_FREE_BIND_V6, 1),
	{ 0 },
};

static const struct entry unix_entries[] = {
	OF_NETWORK("max_dgram_qlen", SETTING_UNIX_QUEUE, 1),
	{ 0 },
};

const struct entry sys_net_entries[] = {
	ENTRY_DIR("core", core_entries),
	ENTRY_DIR("ipv4", v4_entries),
	ENTRY_DIR("ipv6", v6_entries),
	ENTRY_DIR("unix", unix_entries),
	{ 0 },
};
