/* SPDX-License-Identifier: MIT */
/* Many threads at one socket, which is connected and disconnected under their hands: nothing may break, and nothing hang. */
#include "inet.h"

#include <pthread.h>

enum { STORM_MS = 1000 };

static struct storm {
	struct sockaddr_in to;
	int listener, socket;
	long long end;
} storm;

static bool
goes_on(void)
{
	return check_now_ms() < storm.end;
}

static void *
connects(void *arg)
{
	(void)arg;
	while (goes_on())
		(void)connect(storm.socket, (struct sockaddr *)&storm.to, sizeof(storm.to));
	return NULL;
}

static void *
disconnects(void *arg)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)arg;
	while (goes_on())
		(void)connect(storm.socket, &none, sizeof(none));
	return NULL;
}

static void *
listens(void *arg)
{
	(void)arg;
	while (goes_on()) {
		(void)listen(storm.socket, 4);
		(void)shutdown(storm.socket, SHUT_RDWR);
	}
	return NULL;
}

static void *
sends_and_receives(void *arg)
{
	char bytes[9000] = { 0 };

	(void)arg;
	while (goes_on()) {
		(void)send(storm.socket, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)recv(storm.socket, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	return NULL;
}

static void *
accepts(void *arg)
{
	char bytes[9000] = { 0 };

	(void)arg;
	while (goes_on()) {
		int s = accept(storm.listener, NULL, NULL);

		if (s < 0)
			continue;
		for (int i = 0; i < 3; i++) {
			(void)send(s, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
			(void)recv(s, bytes, sizeof(bytes), MSG_DONTWAIT);
		}
		close(s);
	}
	return NULL;
}

TEST(threads_that_connect_and_disconnect_one_socket)
{
	void *(*const bodies[])(void *) = {
		connects, connects, disconnects, disconnects, listens, sends_and_receives, accepts,
	};
	enum { THREADS = sizeof(bodies) / sizeof(bodies[0]) };
	pthread_t threads[THREADS];
	int pair[2];

	TIMEOUT(60);
	inet_fresh();
	storm.listener = inet_server(16);
	inet_nonblock(storm.listener);
	storm.to = inet_here(inet_port(storm.listener));
	storm.socket = inet_socket(SOCK_STREAM);
	inet_nonblock(storm.socket);
	storm.end = check_now_ms() + STORM_MS;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, bodies[i], NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_OK(close(storm.socket));
	CHECK_OK(close(storm.listener));
	inet_pair(pair);
	CHECK_EQ(write(pair[0], "x", 1), 1);
	CHECK_EQ(inet_ready(pair[1], POLLIN), POLLIN);
}
