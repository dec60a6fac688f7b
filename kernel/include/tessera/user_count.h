/* SPDX-License-Identifier: MIT */
/*
 * user_count.h - how much of something each user has, against a limit of the process that takes more.
 */
#ifndef TESSERA_USER_COUNT_H
#define TESSERA_USER_COUNT_H

#include <tessera/lock.h>
#include <tessera/radix.h>
#include <tessera/types.h>

struct user_count {
	struct mutex lock;        /* class SLEEP_LEAF */
	struct radix_tree counts; /* lock: the number itself, by uid */
};

#define USER_COUNT_INIT(c) { .lock = MUTEX_INIT((c).lock, SLEEP_LEAF) }

/* `n` more for `uid`, if that is no more than `limit`. 0; -EDQUOT: it would be; -ENOMEM: no memory to count it. */
int user_count_take(struct user_count *c, uid_t uid, uint64_t n, uint64_t limit);
void user_count_give(struct user_count *c, uid_t uid, uint64_t n);

#endif
