/* SPDX-License-Identifier: MIT */
/*
 * netd.c - the network stack: one loop over the door to the kernel's sockets, the cards, and time.
 *
 * The device manager gives the door first, then the cards, then says that these were all. Before anything that a
 * card has received is looked at, all connections of a predecessor are taken up: a segment for one that was not
 * known yet would be answered by a reset.
 *
 * A round: what came is served (cards, timers); then everything() looks at what the kernel wants, lets connections
 * send, has the cards begin, and tells the kernel once.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../../drivers/net/e1000/e1000.h"
#include "../../drivers/net/virtio_net/virtio_net.h"
#include "driver.h"
#include "manager.h"
#include "tcp.h"

#define SLOW_MS	  200
#define REPORT_MS 1000
#define TICKS_MAX 50 /* after a pause: no more at once */

static const struct nic_driver *const drivers[] = { &virtio_net_driver, &e1000_driver, NULL };

static struct watch door_watch, manager_watch, fast_timer, slow_timer;
static bool asleep, fast_runs;
static uint64_t ticked;

static void
run_fast_timer(bool run)
{
	struct itimerspec when = { 0 };

	if (run == fast_runs)
		return;
	fast_runs = run;
	ticked = now_ms();
	when.it_value.tv_nsec = when.it_interval.tv_nsec = run ? TCP_TMR_INTERVAL * 1000000 : 0;
	timerfd_settime(fast_timer.fd, 0, &when, NULL);
}

/* What the kernel has for us. */
static bool
look_at_door(void)
{
	bool found;

	/* Frames last, and those that were there first: they may be for what was wanted just before them. */
	door_frames_see();
	found = ip_config_look();
	found |= slots_look();
	found |= ip_frames_out();
	return found;
}

static void
everything(struct batch_hook *h)
{
	look_at_door();
	connections_settle();
	run_fast_timer(tcp_clock_runs);
	link_flush();
	door_kick();
}

static enum looked
look(struct looker *l)
{
	if (asleep) {
		asleep = false;
		door_put32(&door.netd->asleep, 0);
	}
	return look_at_door() ? LOOK_FOUND : LOOK_NOTHING;
}

static bool
listen_to_door(struct looker *l)
{
	asleep = true;
	__atomic_store_n(&door.netd->asleep, 1, __ATOMIC_SEQ_CST);
	return look_at_door();
}

static struct batch_hook hook = { .run = everything };
static struct looker looker = { .look = look, .listen = listen_to_door };

/* There is work: everything() does it. */
static void
door_ready(struct watch *w)
{
}

static void
fast_ready(struct watch *w)
{
	uint64_t now = now_ms();

	if (now - ticked > TICKS_MAX * TCP_TMR_INTERVAL)
		ticked = now - TICKS_MAX * TCP_TMR_INTERVAL;
	for (; now - ticked >= TCP_TMR_INTERVAL; ticked += TCP_TMR_INTERVAL)
		tcp_tick();
}

static void
slow_ready(struct watch *w)
{
	static uint64_t reported;
	uint64_t now = now_ms();

	neighbours_tick(now);
	fragments_tick(now);
	nd_tick(now);
	groups_tick(now);
	if (now - reported < REPORT_MS)
		return;
	reported = now;
	link_report();
}

/* 0, or a negative errno: this process is no good. A card that does not work is left alone. */
static int
take_card(const char *name, const int fds[MANAGER_FDS_MAX])
{
	struct nic *nic;
	int error = nic_adopt(drivers, name, fds[0], fds[1], &nic);

	if (error < 0) {
		log_error("%s: %s", name, strerror(-error));
		return 0;
	}
	error = ip_add_nic(nic);
	if (error < 0) {
		log_error("%s is no interface: %s", name, strerror(-error));
		nic_close(nic);
		return error;
	}
	nic->ops->go(nic);
	return 0;
}

/* Later cards. */
static void
manager_ready(struct watch *w)
{
	struct manager_gift gift;
	int fds[MANAGER_FDS_MAX], what = manager_take_gift(w->fd, &gift, fds, false);

	if (what == -EAGAIN)
		return;
	if (what < 0) {
		loop_stop(0);
		return;
	}
	if (what == MANAGER_GIVES_CARD && take_card(gift.name, fds) < 0)
		loop_stop(DRIVER_EXIT_DEVICE);
}

/* What the manager gives before we begin. */
static int
take_gifts(int manager)
{
	struct manager_gift gift;
	int fds[MANAGER_FDS_MAX], what, error;

	for (;;) {
		what = manager_take_gift(manager, &gift, fds, true);
		switch (what) {
		case MANAGER_GIVES_DOOR:
			error = door_open(fds[0]);
			break;
		case MANAGER_GIVES_CARD:
			error = door.kernel ? take_card(gift.name, fds) : -EPROTO;
			break;
		case MANAGER_GIVES_NO_MORE:
			return door.kernel ? 0 : -EPROTO;
		default:
			return what < 0 ? what : -EPROTO;
		}
		if (error)
			return error;
	}
}

static int
serve(int manager, bool confine)
{
	struct driver_options o = { .confine = confine };
	int error;

	door_watch = (struct watch){ .fd = door.fd, .ready = door_ready };
	manager_watch = (struct watch){ .fd = manager, .ready = manager_ready };
	slow_timer.ready = slow_ready;
	fast_timer = (struct watch){ .is_timer = true, .ready = fast_ready };
	fast_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	error = loop_watch_edge(&door_watch);
	if (!error)
		error = loop_watch(&manager_watch);
	if (!error)
		error = loop_watch_edge(&fast_timer);
	if (!error)
		error = loop_watch_timer(&slow_timer, SLOW_MS);
	if (error) {
		log_error("cannot wait: %s", strerror(-error));
		return DRIVER_EXIT_DEVICE;
	}
	loop_add_hook(&hook);
	loop_add_looker(&looker);
	ip_config_look();
	slots_adopt();
	if (driver_confine(&o) < 0)
		return DRIVER_EXIT_DEVICE;
	manager_tell_running(manager);
	return loop_run();
}

/*
 * On the only processor, who sends goes on until he waits or his turn is over: were he interrupted by each piece that he
 * writes, each would be a segment, and a switch there and back. musl's own function refuses.
 */
static void
be_patient(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &(struct sched_param){ 0 });
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "manager-fd", required_argument, NULL, 'm' }, { "name", required_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' }, { "no-confine", no_argument, NULL, 'c' },
		{ "device-later", no_argument, NULL, 'l' }, { 0 },
	};
	bool verbose = false, confine = true;
	int manager = -1, option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'm': manager = atoi(optarg); break;
		case 'v': verbose = true; break;
		case 'c': confine = false; break;
		case 'n': case 'l': break;
		default: manager = -1; optind = argc + 1;
		}
	}
	if (optind != argc || manager < 0) {
		printf("usage: netd --manager-fd N [--verbose] [--no-confine]\n"
		       "The device manager starts it (services/devices), and gives it its door and its cards.\n");
		return DRIVER_EXIT_USAGE;
	}
	log_open("netd", "network", verbose);
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_debug("memory is not locked: %s", strerror(errno));
	be_patient();
	error = take_gifts(manager);
	if (error < 0) {
		log_error("the manager gives nothing to begin with: %s", strerror(-error));
		return DRIVER_EXIT_DEVICE;
	}
	return serve(manager, confine);
}
