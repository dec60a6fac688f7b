/* SPDX-License-Identifier: MIT */
/*
 * memory_policy.h - from which nodes a program wants its memory: told for a thread or a range of addresses.
 *
 * The machine has one node, so each policy comes to the same; what was said is kept, inherited and told. All zero
 * is the default. What the words mean is linux/memory_policy.c's business.
 */
#ifndef TESSERA_MEMORY_POLICY_H
#define TESSERA_MEMORY_POLICY_H

#include <tessera/types.h>

struct address_space;

struct memory_policy {
	uint64_t nodes;  /* the nodes named, as far as they can be told again */
	uint32_t mode;
	uint32_t flags;
};

static inline bool
memory_policy_equal(const struct memory_policy *a, const struct memory_policy *b)
{
	return a->nodes == b->nodes && a->mode == b->mode && a->flags == b->flags;
}

/* mm/policy.c: all of [start, end), page aligned, gets the policy. -EFAULT: it has a hole, and nothing changed;
 * -ENOMEM. */
int address_space_set_policy(struct address_space *as, uint64_t start, uint64_t end, const struct memory_policy *p);
/* Of what is mapped at `addr`. -EFAULT: nothing. */
int address_space_policy(struct address_space *as, uint64_t addr, struct memory_policy *out);
/*
 * The policy of the first mapping at or above `addr` and below `end`; *next: where it ends. False: there is none.
 */
bool address_space_next_policy(struct address_space *as, uint64_t addr, uint64_t end, struct memory_policy *out,
			       uint64_t *next);
/* Is a page there for `addr`? 0; -ENOENT; -EFAULT: nothing is mapped there, or memory never touched. */
int address_space_page_present(struct address_space *as, uint64_t addr);

#endif
