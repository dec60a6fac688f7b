/* SPDX-License-Identifier: MIT */
/*
 * frame.h - what the benchmark programs share: how they give up, tell the time, start children, and keep what one
 * item leaves behind from the next.
 */
#ifndef FRAME_H
#define FRAME_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A call that fails ends the program: a benchmark of an error would be fast. */
#define MUST(expr)                                                                                          \
	({                                                                                                  \
		__typeof__(expr) value_ = (expr);                                                           \
		if (__builtin_expect((long)value_ == -1, 0))                                                \
			give_up(__FILE__, __LINE__, #expr);                                                 \
		value_;                                                                                     \
	})

void give_up(const char *file, int line, const char *what) __attribute__((noreturn));
double now(void); /* nanoseconds */

/* A child that does body(arg) and exits with 0; it ends with its parent. */
pid_t start_child(void (*body)(void *arg), void *arg);
/* Until the child ends, which must be with 0; `who` says what it was. */
void wait_child(pid_t pid, const char *who);

/* Does `name` begin with one of the words of argv from `first` on? Without words: yes. */
bool is_wanted(const char *name, int first, int argc, char **argv);

/* Runs body(item) in a child and a new directory, both gone afterwards: the child's status, 0 when all went well. */
int run_apart(void (*body)(void *item), void *item);

#endif
