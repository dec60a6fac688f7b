/* SPDX-License-Identifier: MIT */
/*
 * nic_test.c - a network card's driver by itself, on a network of QEMU's (-netdev user), whose gateway answers:
 *
 *   --test[=COUNT]   ARP for the gateway; COUNT echo requests (10,000) of all lengths, many under way at once, each of
 *                    whose answers is compared; then the groups: a router's advertisement is not heard, and is heard when
 *                    its group is asked for
 *
 * RFC 826 (ARP), 791 (IP), 792 (ICMP), 1071 (checksums), 4861 (solicitations of routers).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "log.h"
#include "nic_test.h"

#define COUNT	    10000
#define UNDER_WAY   400 /* more than a ring holds: `room` is tried */
#define PERIOD_MS	    50
#define PATIENCE    100 /* ticks without an answer before requests are sent again */
#define TRIES	    10
#define IDENTIFIER  0x7e55
#define PAYLOAD_MAX 1472 /* of an echo, at an MTU of 1500 */

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_IPV6 0x86dd

/* Offsets in a frame of IPv4 with ICMP, in one of IPv6 with ICMPv6, in ARP. */
enum { IPV4 = NIC_HEADER, ICMP = IPV4 + 20, DATA = ICMP + 8 };
enum { IPV6 = NIC_HEADER, ICMP6 = IPV6 + 40 };
enum { ARP = NIC_HEADER, ARP_SIZE = 28 };

static const uint8_t own_ip[4] = { 10, 0, 2, 15 }, gateway_ip[4] = { 10, 0, 2, 2 };
static const uint8_t all_nodes[1][NIC_ADDRESS] = { { 0x33, 0x33, 0, 0, 0, 1 } };
static const uint8_t all_routers[NIC_ADDRESS] = { 0x33, 0x33, 0, 0, 0, 2 };

static struct {
	struct nic *nic;
	enum { ASK_GATEWAY, ECHOES, HEAR_NO_ROUTER, HEAR_ROUTER, OVER } phase;
	uint8_t gateway[NIC_ADDRESS];
	uint8_t *answered; /* by number */
	unsigned count, next, answers, under_way;
	unsigned quiet, tries; /* ticks since something came; how often all was sent again */
	bool full;	       /* the card has no room */
	unsigned rooms;	       /* how often it had some again */
	bool router;	       /* was heard */
	unsigned errors;
} test;

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static unsigned
get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* The complement of the sum: 0 over what has its checksum in it. */
static uint16_t
checksum(const uint8_t *at, unsigned length, uint32_t total)
{
	for (unsigned i = 0; i < length; i++)
		total += i & 1 ? at[i] : at[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total;
}

static void
ethernet(uint8_t *frame, const uint8_t *to, unsigned type)
{
	memcpy(frame, to, NIC_ADDRESS);
	memcpy(frame + NIC_ADDRESS, test.nic->address, NIC_ADDRESS);
	put16(frame + 2 * NIC_ADDRESS, type);
}

/* False: the card has no room. */
static bool
transmit(const struct iovec *parts, unsigned count)
{
	int error = test.nic->ops->send(test.nic, parts, count, 0);

	if (error && error != -EAGAIN) {
		log_error("a frame cannot be sent: %s", strerror(-error));
		test.errors++;
	}
	test.full = error == -EAGAIN;
	return !error;
}

static void
ask_gateway(void)
{
	static const uint8_t everybody[NIC_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t frame[ARP + ARP_SIZE] = { [ARP + 1] = 1, [ARP + 2] = 8, [ARP + 4] = NIC_ADDRESS, 4, 0, 1 };

	ethernet(frame, everybody, TYPE_ARP);
	memcpy(frame + ARP + 8, test.nic->address, NIC_ADDRESS);
	memcpy(frame + ARP + 14, own_ip, 4);
	memcpy(frame + ARP + 24, gateway_ip, 4);
	transmit(&(struct iovec){ frame, sizeof(frame) }, 1);
}

static unsigned
payload_of(unsigned number)
{
	return number < 4 ? number : number * 7919u % (PAYLOAD_MAX + 1);
}

static void
fill(uint8_t *at, unsigned number)
{
	for (unsigned i = 0, n = payload_of(number); i < n; i++)
		at[i] = number * 31 + i * 7 + (i >> 8);
}

/* Echo request `number` modulo 2^16, in two pieces. */
static bool
send_echo(unsigned number)
{
	uint8_t frame[DATA + PAYLOAD_MAX] = { [IPV4] = 0x45, [IPV4 + 8] = 64, 1, [ICMP] = 8 };
	unsigned payload = payload_of(number);

	ethernet(frame, test.gateway, TYPE_IPV4);
	put16(frame + IPV4 + 2, DATA + payload - IPV4);
	memcpy(frame + IPV4 + 12, own_ip, 4);
	memcpy(frame + IPV4 + 16, gateway_ip, 4);
	put16(frame + IPV4 + 10, checksum(frame + IPV4, 20, 0));
	put16(frame + ICMP + 4, IDENTIFIER);
	put16(frame + ICMP + 6, number);
	fill(frame + DATA, number);
	put16(frame + ICMP + 2, checksum(frame + ICMP, 8 + payload, 0));
	return transmit((struct iovec[]){ { frame, DATA }, { frame + DATA, payload } }, 2);
}

/* A solicitation of routers, from our link-local address: the answer goes to all nodes. */
static void
ask_router(void)
{
	uint8_t frame[ICMP6 + 8] = { [IPV6] = 0x60, [IPV6 + 5] = 8, 58, 255, 0xfe, 0x80, [ICMP6] = 133 };
	uint8_t *from = frame + IPV6 + 8, *to = frame + IPV6 + 24;
	const uint8_t *mac = test.nic->address;
	const uint8_t interface[8] = { mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] };

	ethernet(frame, all_routers, TYPE_IPV6);
	memcpy(from + 8, interface, sizeof(interface));
	to[0] = 0xff;
	to[1] = to[15] = 2;
	put16(frame + ICMP6 + 2, checksum(from, 32 + 8, 8 + 58));
	transmit(&(struct iovec){ frame, sizeof(frame) }, 1);
}

static void
take_echo(const uint8_t *frame, unsigned length)
{
	unsigned ip_length, number, payload;
	uint8_t wanted[PAYLOAD_MAX];

	if (length < DATA || frame[IPV4 + 9] != 1 || get16(frame + ICMP + 4) != IDENTIFIER || frame[ICMP] != 0)
		return;
	ip_length = get16(frame + IPV4 + 2);
	number = get16(frame + ICMP + 6);
	/* Of the numbers that are equal modulo 2^16 the one that is under way. */
	while (number < test.count && test.answered[number])
		number += 0x10000;
	if (number >= test.count)
		return; /* a second answer to what was asked again */
	payload = payload_of(number);
	fill(wanted, number);
	if (ip_length != DATA - IPV4 + payload || length < IPV4 + ip_length || checksum(frame + IPV4, 20, 0) != 0 ||
		checksum(frame + ICMP, 8 + payload, 0) != 0 || memcmp(frame + DATA, wanted, payload) != 0) {
		log_error("the answer to echo request %u of %u bytes is another: %u bytes", number, payload, length);
		test.errors++;
	}
	test.answered[number] = 1;
	test.answers++;
	test.under_way -= test.under_way > 0;
	test.quiet = 0;
}

static void
received(struct nic *nic, const void *in_device, unsigned length, uint32_t flags)
{
	static uint8_t frame[2048];

	if (length > sizeof(frame)) {
		test.errors++;
		return;
	}
	memcpy(frame, in_device, length);
	switch (get16(frame + 2 * NIC_ADDRESS)) {
	case TYPE_ARP:
		if (test.phase != ASK_GATEWAY || length < ARP + ARP_SIZE || get16(frame + ARP + 6) != 2 ||
			memcmp(frame + ARP + 14, gateway_ip, 4) != 0)
			return;
		memcpy(test.gateway, frame + ARP + 8, NIC_ADDRESS);
		test.phase = ECHOES;
		return;
	case TYPE_IPV4:
		take_echo(frame, length);
		return;
	case TYPE_IPV6:
		test.router |= length > ICMP6 && memcmp(frame, all_nodes[0], NIC_ADDRESS) == 0 && frame[ICMP6] == 134;
		return;
	}
}

static void
link_changed(struct nic *nic)
{
	log_debug("the cable is %s", nic->carrier ? "there" : "gone");
}

static void
room_again(struct nic *nic)
{
	test.full = false;
	test.rooms++;
}

static void
failed(struct nic *nic)
{
	loop_stop(DRIVER_EXIT_DEVICE);
}

static void
end(bool passed)
{
	printf("test %s: %u echoes of %u, %u errors, room was waited for %s\n", passed ? "passed" : "failed", test.answers,
		test.count, test.errors, test.rooms ? "and came" : "never");
	fflush(stdout);
	test.phase = OVER;
	loop_stop(passed ? 0 : DRIVER_EXIT_TEST);
}

/* All answers are there: begin with the groups, whose last request is followed by one echo more, and heard before that. */
static void
begin_groups(void)
{
	test.phase = HEAR_NO_ROUTER;
	test.router = false;
	ask_router();
	test.count++;
	test.under_way = send_echo(test.next++);
}

static void
pump(struct batch_hook *h)
{
	if (test.phase == ECHOES || test.phase == HEAR_NO_ROUTER) {
		while (!test.full && test.next < test.count && test.under_way < UNDER_WAY && send_echo(test.next)) {
			test.next++;
			test.under_way++;
		}
	}
	if (test.phase == ECHOES && test.answers == test.count) {
		begin_groups();
	} else if (test.phase == HEAR_NO_ROUTER && test.answers == test.count) {
		if (test.router) {
			log_error("a group is heard that nobody has asked for");
			test.errors++;
		}
		test.router = false;
		test.phase = HEAR_ROUTER;
		test.nic->ops->filter(test.nic, false, false, all_nodes, 1);
	} else if (test.phase == HEAR_ROUTER && test.router) {
		end(test.errors == 0);
	}
	test.nic->ops->flush(test.nic);
}

/* The wire may lose something. */
static void
tick(struct watch *w)
{
	test.quiet++;
	if (test.phase == ASK_GATEWAY && test.quiet % 10 == 1)
		ask_gateway();
	if (test.phase == HEAR_ROUTER)
		ask_router();
	if (test.quiet < PATIENCE || test.phase == OVER)
		return;
	test.quiet = 0;
	if (++test.tries == TRIES) {
		log_error("%s answers", test.phase == ASK_GATEWAY ? "no gateway" : "nobody");
		end(false);
		return;
	}
	test.under_way = 0;
	for (unsigned i = 0; test.phase != ASK_GATEWAY && i < test.next; i++)
		if (!test.answered[i] && send_echo(i))
			test.under_way++;
}

static const struct nic_driver *const *drivers;

static int
run(struct device *d, const struct driver_options *o)
{
	static const struct nic_stack stack = { .received = received, .link = link_changed, .room = room_again, .failed = failed };
	static struct batch_hook hook = { .run = pump };
	static struct watch timer = { .ready = tick };
	const uint8_t *mac;
	int status;

	test.count = o->test_words ? strtoul(o->test_words, NULL, 10) : COUNT;
	test.answered = calloc(test.count + 1, 1);
	if (!o->test) {
		log_error("a network card is driven by netd; by itself it can only be tried, by --test");
		return DRIVER_EXIT_USAGE;
	}
	if (!test.answered || nic_open(drivers, d, &test.nic) < 0 || loop_watch_timer(&timer, PERIOD_MS) < 0 ||
		driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	mac = test.nic->address;
	log_debug("%02x:%02x:%02x:%02x:%02x:%02x, MTU %u, the cable is %s", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		test.nic->mtu_max, test.nic->carrier ? "there" : "gone");
	test.nic->stack = &stack;
	loop_add_hook(&hook);
	test.nic->ops->go(test.nic);
	status = loop_run();
	test.nic->ops->close(test.nic);
	return status;
}

int
nic_main(const struct nic_driver *driver, int argc, char **argv)
{
	const struct nic_driver *table[] = { driver, NULL };
	const struct driver frame = { .name = driver->name, .about = "Driver of network cards; it serves in netd.", .run = run };

	drivers = table;
	return driver_main(&frame, argc, argv);
}
