/* SPDX-License-Identifier: MIT */
/*
 * threads.c - three threads that add to a counter; with an argument it aborts in the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

long counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int
twice(int n)
{
	return 2 * n;
}

static void
work(int n)
{
	pthread_mutex_lock(&lock);
	counter += twice(n);
	pthread_mutex_unlock(&lock);
}

static void *
body(void *arg)
{
	work((int)(long)arg);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t t[3];

	for (long i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, body, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("counter %ld\n", counter);
	if (argc > 1)
		abort();
	return 0;
}
