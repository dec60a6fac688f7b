/* SPDX-License-Identifier: MIT */
/*
 * network.c - addresses for network cards: each that has none asks for one by DHCP, unless the argument net=off says not
 * to. A script does that (/usr/lib/tessera/dhcp), with a client that stays to keep what it was given; boot goes on when all
 * have an address, or after three seconds.
 *
 * The words of both are in /run/network.log.
 */
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

#define DHCP	      "/usr/lib/tessera/dhcp"
#define NETWORK_LOG   "/run/network.log"
#define RESOLVER      "/run/network/resolv.conf" /* as DHCP has it */
#define CARDS_MAX     16

/* Bring the loopback interface up; a kernel without sockets has none. */
static void
loopback_up(int s)
{
	struct ifreq request = { .ifr_name = "lo" };

	if (ioctl(s, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		(void)ioctl(s, SIOCSIFFLAGS, &request);
	}
}

/* Is it a card, and has it no address? */
static bool
wants_address(int s, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(s, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER &&
	       ioctl(s, SIOCGIFADDR, &request) < 0;
}

static void
ask_for_addresses(int s)
{
	struct if_nameindex *all = if_nameindex();
	char *argv[3 + CARDS_MAX + 1] = { "sh", DHCP, "start" };
	int count = 3;

	for (struct if_nameindex *i = all; i && i->if_index && count < 3 + CARDS_MAX; i++)
		if (wants_address(s, i->if_name))
			argv[count++] = i->if_name;
	if (count > 3)
		(void)run_program("/bin/sh", argv, environ, NETWORK_LOG);
	if (all)
		if_freenameindex(all);
}

void
network_start(void)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char *wish = boot_value("net=");

	if (s >= 0) {
		loopback_up(s);
		if ((!wish || strcmp(wish, "off") != 0) && access(DHCP, R_OK) == 0)
			ask_for_addresses(s);
		close(s);
	}
	free(wish);
}

void
network_tell_root(void)
{
	char *names = disks_initramfs >= 0 ? read_file(RESOLVER) : NULL;
	FILE *file = names ? fopen("/etc/resolv.conf", "we") : NULL;

	if (file) {
		fputs(names, file);
		fclose(file);
	}
	free(names);
}
