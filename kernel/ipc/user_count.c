/* SPDX-License-Identifier: MIT */
/*
 * user_count.c - how much of something each user has. Who has nothing has no slot.
 */
#include <tessera/errno.h>
#include <tessera/user_count.h>

static uint64_t
count_of(struct user_count *c, uid_t uid)
{
	assert_mutex_held(&c->lock);
	return (uintptr_t)radix_get(&c->counts, uid);
}

int
user_count_take(struct user_count *c, uid_t uid, uint64_t n, uint64_t limit)
{
	uint64_t had;
	int error;

	if (n == 0)
		return 0;
	mutex_lock(&c->lock);
	had = count_of(c, uid);
	if (n > limit || had > limit - n)
		error = -EDQUOT;
	else
		error = radix_set(&c->counts, uid, (void *)(uintptr_t)(had + n), NULL);
	mutex_unlock(&c->lock);
	return error;
}

void
user_count_give(struct user_count *c, uid_t uid, uint64_t n)
{
	uint64_t left;

	if (n == 0)
		return;
	mutex_lock(&c->lock);
	left = count_of(c, uid) - n;
	if (left > 0)
		(void)radix_set(&c->counts, uid, (void *)(uintptr_t)left, NULL); /* the slot is there */
	else
		(void)radix_remove(&c->counts, uid);
	mutex_unlock(&c->lock);
}
