/* SPDX-License-Identifier: MIT */
/*
 * stack.c - the network stack: one process for all network cards. It is a `struct managed` of its own, without a device,
 * and fares like a driver: started with the first card, started again when it dies, its successor ready. The cards are
 * others, which have no process: each is WAITING until the stack has it, then RUNNING.
 *
 * The stack is given its door to the kernel, opened anew for each instance, then the cards by their addresses. One that
 * comes later is given when it is found. One that goes costs the stack its life: nothing else lets go of a device so
 * surely, and connections outlive it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "log.h"

#define DOOR "/dev/netd"

/* The one that there is, or NULL. */
static struct managed *stack;

bool
is_stack(const struct managed *m)
{
	return m == stack;
}

bool
is_card(const struct managed *m)
{
	return m->rule->door == MANAGER_WANTS_NETWORK && m != stack;
}

void
have_stack(const struct rule *rule)
{
	if (stack)
		return;
	stack = make_managed("network", rule);
	if (stack)
		wait_for_start(stack, 0);
}

/* Something is said of interfaces. All but loopback are the stack's to serve. */
static void
hear_of_interfaces(struct watch *w)
{
	char message[8192];
	ssize_t n;

	while ((n = recv(w->fd, message, sizeof(message), 0)) > 0) {
		for (struct nlmsghdr *h = (void *)message; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			const struct ifinfomsg *link = NLMSG_DATA(h);

			if (h->nlmsg_type == RTM_NEWLINK && !(link->ifi_flags & IFF_LOOPBACK) && table_find_network())
				have_stack(table_find_network());
		}
	}
}

void
listen_for_interfaces(void)
{
	static struct watch links = { .ready = hear_of_interfaces };
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

	links.fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (links.fd >= 0 && (bind(links.fd, (void *)&address, sizeof(address)) < 0 || loop_watch(&links) < 0))
		close(links.fd);
}

bool
stack_is_tried(void)
{
	return !stack || is_tried(stack);
}

/* An open door, or a negative errno. */
static int
open_network(void)
{
	int fd = open(DOOR, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* 0, or a negative errno: the stack is dead or does not listen. The card stays WAITING if it cannot be had. */
static int
give_card(struct managed *card, int socket)
{
	struct manager_gift gift = { .what = MANAGER_GIVES_CARD };
	int error;

	if (card->state == RESTING)
		return 0;
	error = bind_device(card);
	if (error) {
		failed(card);
		return 0;
	}
	snprintf(gift.name, sizeof(gift.name), "%s", card->address);
	error = manager_give(socket, &gift, (int[]){ card->device, card->container });
	if (error)
		return error;
	card->failures = 0;
	card->starts++;
	card->pid = 0;
	change(card, RUNNING);
	return 0;
}

int
give_network(int socket)
{
	struct manager_gift gift = { .what = MANAGER_GIVES_DOOR };
	int door = open_network(), error;

	if (door < 0) {
		log_error("%s: %s", DOOR, strerror(-door));
		return door;
	}
	error = manager_give(socket, &gift, &door);
	close(door);
	for (struct managed *m = managed_all; m && !error; m = m->next)
		if (is_card(m))
			error = give_card(m, socket);
	gift.what = MANAGER_GIVES_NO_MORE;
	return error ? error : manager_give(socket, &gift, NULL);
}

void
start_card(struct managed *card)
{
	if (!stack || (stack->state != STARTING && stack->state != RUNNING))
		return; /* it is given when the stack starts */
	if (give_card(card, stack->socket.fd) < 0 && stack->pid > 0) {
		log_info("%s does not listen: it is killed", stack->rule->driver);
		kill(stack->pid, SIGKILL);
	}
}

void
take_cards_back(void)
{
	for (struct managed *m = managed_all; m; m = m->next) {
		if (!is_card(m) || m->state == RESTING)
			continue;
		if (!m->iommu)
			unbind_device(m);
		change(m, WAITING);
	}
}

void
give_up_card(struct managed *card)
{
	bool had = stack && stack->pid > 0 && card->state == RUNNING;

	if (had)
		give_up(stack);
	unbind_device(card);
	if (!had)
		return;
	take_cards_back();
	wait_for_start(stack, 0);
}
