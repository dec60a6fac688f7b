/* SPDX-License-Identifier: MIT */
/* loop.c - a driver's one thread, over epoll. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define EVENTS_AT_ONCE 32
#define USUAL_MAX  500000ull  /* ns: what takes longer to come, on average, is waited for */
#define LOOK_TIMES 4	      /* as long as usual: device and program take their time in turns, and differ */
#define TURN	   2000000ull /* ns: after so long a look at the descriptors */
#define OTHERS_RAN 50000ull   /* ns: a yield that takes longer has let somebody else run */

/* Events that are being served. A handler may serve others meanwhile, and may forget whoever has one here. */
struct batch {
	struct epoll_event events[EVENTS_AT_ONCE];
	int count;
	struct batch *outer;
};

static int epoll_fd = -1;
static struct batch *batches;
static struct batch_hook *hooks;
static struct looker *lookers;
static uint64_t usual; /* ns: how long nothing came lately, on average */
static bool alone; /* on the only processor: whoever could bring something waits for us to stop looking */
static volatile sig_atomic_t stopped;
static int stop_status;

static int
add(struct watch *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->fd, &event) < 0)
		return -errno;
	return 0;
}

int
loop_watch(struct watch *w)
{
	return add(w, EPOLLIN);
}

int
loop_watch_edge(struct watch *w)
{
	return add(w, EPOLLIN | EPOLLET);
}

int
loop_watch_event(struct watch *w)
{
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd < 0 ? -errno : loop_watch_edge(w);
}

int
loop_watch_timer(struct watch *w, unsigned milliseconds)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 },
	};

	when.it_interval = when.it_value;
	w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->fd < 0 || timerfd_settime(w->fd, 0, &when, NULL) < 0)
		return -errno;
	w->is_timer = true;
	return loop_watch_edge(w);
}

void
loop_forget(struct watch *w)
{
	if (w->fd >= 0)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (struct batch *b = batches; b; b = b->outer)
		for (int i = 0; i < b->count; i++)
			if (b->events[i].data.ptr == w)
				b->events[i].data.ptr = NULL;
}

void
loop_add_hook(struct batch_hook *h)
{
	struct batch_hook **end = &hooks;

	while (*end)
		end = &(*end)->next;
	h->next = NULL;
	*end = h;
}

static void
run_hooks(void)
{
	for (struct batch_hook *h = hooks; h; h = h->next)
		h->run(h);
}

void
loop_add_looker(struct looker *l)
{
	alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
	l->next = lookers;
	lookers = l;
}

void
loop_drop_looker(struct looker *l)
{
	struct looker **at = &lookers;

	while (*at && *at != l)
		at = &(*at)->next;
	if (*at)
		*at = l->next;
}

static uint64_t
nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Something came after `ns` in which nothing did. */
static void
note(uint64_t ns)
{
	usual = (3 * usual + (ns < 4 * USUAL_MAX ? ns : 4 * USUAL_MAX)) / 4;
}

static enum looked
look_once(void)
{
	enum looked result = LOOK_NO_MORE;

	for (struct looker *l = lookers; l; l = l->next) {
		enum looked one = l->look(l);

		if (one < result)
			result = one;
	}
	if (result == LOOK_FOUND)
		run_hooks();
	return result;
}

/*
 * Look for what comes, from *since on, when all was done; that moves on whenever something was there. True: things come
 * all the time, and it is only the descriptors' turn; false: waiting is better.
 */
static bool
look_for_a_while(uint64_t *since)
{
	uint64_t begun = *since, now = begun, before;
	bool crowded = false; /* somebody else wants this processor */

	while (!stopped && now - *since <= LOOK_TIMES * usual && now - begun <= TURN) {
		enum looked found = look_once();

		if (found == LOOK_NO_MORE || (found == LOOK_NOTHING && crowded))
			return false;
		if (found == LOOK_NOTHING)
			sched_yield();
		before = now;
		now = nanoseconds();
		crowded = found == LOOK_NOTHING && now - before > OTHERS_RAN;
		if (found == LOOK_FOUND) {
			note(now - *since);
			*since = now;
		}
	}
	return now - begun > TURN;
}

static bool
listen_all(void)
{
	bool there = false;

	for (struct looker *l = lookers; l; l = l->next)
		there |= l->listen(l);
	if (there)
		run_hooks();
	return there;
}

void
loop_once(int milliseconds)
{
	struct batch batch = { .outer = batches };
	uint64_t since = lookers && milliseconds ? nanoseconds() : 0;

	if (since && !alone && usual <= USUAL_MAX && look_for_a_while(&since))
		milliseconds = 0;
	else if (listen_all())
		milliseconds = 0;
	batch.count = epoll_wait(epoll_fd, batch.events, EVENTS_AT_ONCE, milliseconds);
	if (lookers && milliseconds)
		note(nanoseconds() - since);
	batches = &batch;
	for (int i = 0; i < batch.count; i++) {
		struct watch *w = batch.events[i].data.ptr;
		uint64_t ticks;

		if (!w || (w->is_timer && read(w->fd, &ticks, sizeof(ticks)) < 0))
			continue;
		w->ready(w);
	}
	batches = batch.outer;
	run_hooks();
}

static void
on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

int
loop_run(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	run_hooks();
	while (!stopped)
		loop_once(-1);
	return stop_status;
}

void
loop_stop(int status)
{
	stop_status = status;
	stopped = 1;
}
