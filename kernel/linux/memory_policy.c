/* SPDX-License-Identifier: MIT */
/*
 * memory_policy.c - set_mempolicy, get_mempolicy, mbind, set_mempolicy_home_node, migrate_pages, move_pages.
 *
 * There is one node, 0, and every page lies there. So a policy that names it among its nodes is obeyed as it is,
 * one that names only others is refused, and pages that are to move are where they shall go or may go nowhere.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/memory_policy.h>
#include <tessera/process.h>

#include "linux.h"

#define MPOL_DEFAULT        0u
#define MPOL_PREFERRED      1u
#define MPOL_BIND           2u
#define MPOL_INTERLEAVE     3u
#define MPOL_LOCAL          4u
#define MPOL_PREFERRED_MANY 5u
#define MPOL_MODES          6u

#define MPOL_F_STATIC   0x8000u
#define MPOL_F_RELATIVE 0x4000u
#define MPOL_F_BALANCE  0x2000u
#define MPOL_F_ALL      (MPOL_F_STATIC | MPOL_F_RELATIVE | MPOL_F_BALANCE)

#define MPOL_F_NODE         1ul
#define MPOL_F_ADDR         2ul
#define MPOL_F_MEMS_ALLOWED 4ul

#define MF_STRICT   1ul
#define MF_MOVE     2ul
#define MF_MOVE_ALL 4ul

/* What masks of nodes may name, and what there is. */
#define NODES_MAX 1024u
#define NODE_MASK 1ul

struct nodes {
	uint64_t low; /* the first 64 */
	bool more;    /* others */
};

/* `bits` as callers give it: one more than the mask has. */
static int
read_nodes(const uint64_t __user *mask, uint64_t bits, struct nodes *out)
{
	uint64_t word;

	*out = (struct nodes){ 0 };
	bits--;
	if (bits == 0 || !mask)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	for (uint64_t i = 0; i * 64 < bits; i++) {
		if (get_user(word, &mask[i]))
			return -EFAULT;
		if (bits - i * 64 < 64)
			word &= BIT(bits - i * 64) - 1;
		if (i * 64 >= NODES_MAX && word)
			return -EINVAL;
		if (i == 0)
			out->low = word;
		else if (word)
			out->more = true;
	}
	return 0;
}

/* Take the mode apart. */
static int
decode_mode(int given, struct memory_policy *p)
{
	p->mode = (uint32_t)given & ~MPOL_F_ALL;
	p->flags = (uint32_t)given & MPOL_F_ALL;
	if (p->mode >= MPOL_MODES)
		return -EINVAL;
	if ((p->flags & MPOL_F_STATIC) && (p->flags & MPOL_F_RELATIVE))
		return -EINVAL;
	return (p->flags & MPOL_F_BALANCE) && p->mode != MPOL_BIND ? -EINVAL : 0;
}

/* The policy of this mode over these nodes; or what is wrong with it. */
static int
make_policy(struct memory_policy *p, const struct nodes *n)
{
	bool none = !n->low && !n->more;
	uint32_t own = p->flags & (MPOL_F_STATIC | MPOL_F_RELATIVE);

	p->nodes = 0;
	switch (p->mode) {
	case MPOL_DEFAULT:
		p->flags = 0;
		return none ? 0 : -EINVAL;
	case MPOL_LOCAL:
		return none && !own ? 0 : -EINVAL;
	case MPOL_PREFERRED:
		if (!none)
			break;
		p->mode = MPOL_LOCAL;
		return own ? -EINVAL : 0;
	default:
		if (none)
			return -EINVAL;
	}
	/* Nodes counted from the first one allowed come round to it. */
	if (!(p->flags & MPOL_F_RELATIVE) && !(n->low & NODE_MASK))
		return -EINVAL;
	p->nodes = own ? n->low : NODE_MASK;
	return 0;
}

long
linux_set_mempolicy(int mode, const uint64_t __user *mask, uint64_t bits)
{
	struct memory_policy p;
	struct nodes n;
	int error = decode_mode(mode, &p);

	if (!error)
		error = read_nodes(mask, bits, &n);
	if (!error)
		error = make_policy(&p, &n);
	if (!error)
		current_thread()->memory_policy = p;
	return error;
}

/* [*start, *end) in pages; *end == *start: nothing to do. */
static int
page_range(uint64_t *start, uint64_t length, uint64_t *end)
{
	if (!IS_ALIGNED(*start, PAGE_SIZE))
		return -EINVAL;
	*end = *start + ALIGN_UP(length, PAGE_SIZE);
	return *end < *start ? -EINVAL : 0;
}

long
linux_mbind(unsigned long start, unsigned long length, int mode, const uint64_t __user *mask, uint64_t bits,
	    unsigned int flags)
{
	struct memory_policy p;
	struct nodes n;
	uint64_t end;
	int error = decode_mode(mode, &p);

	if (!error)
		error = read_nodes(mask, bits, &n);
	if (error)
		return error;
	if (flags & ~(MF_STRICT | MF_MOVE | MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	error = page_range(&start, length, &end);
	if (error || end == start)
		return error;
	error = make_policy(&p, &n);
	return error ? error : address_space_set_policy(current_process()->as, start, end, &p);
}

long
linux_set_mempolicy_home_node(unsigned long start, unsigned long length, unsigned long node, unsigned long flags)
{
	struct address_space *as = current_process()->as;
	struct memory_policy p;
	uint64_t end;
	int error;

	error = page_range(&start, length, &end);
	if (error)
		return error;
	if (flags || node >= 64 || !(NODE_MASK & BIT(node)))
		return -EINVAL;
	if (end == start)
		return 0;
	/* Every policy's home is the one node already; who has none cannot be given a home. */
	error = -ENOENT;
	while (start < end && address_space_next_policy(as, start, end, &p, &start)) {
		if (p.mode == MPOL_DEFAULT)
			continue;
		if (p.mode != MPOL_BIND && p.mode != MPOL_PREFERRED_MANY)
			return -EOPNOTSUPP;
		error = 0;
	}
	return error;
}

/* The first words of a mask; what there are no nodes for is cleared. */
static int
write_nodes(uint64_t __user *mask, uint64_t bits, uint64_t nodes)
{
	uint64_t words = ALIGN_UP(bits - 1, 64) / 64;

	if (words > PAGE_SIZE / sizeof(uint64_t))
		return -EINVAL;
	for (uint64_t i = 0; i < words; i++)
		if (put_user(i == 0 ? nodes : 0ul, &mask[i]))
			return -EFAULT;
	return 0;
}

/* What is asked for besides the policy: the node of a page, or the one whose turn is next. */
static int
node_asked(const struct memory_policy *p, unsigned long addr, unsigned long flags)
{
	struct page *page;
	int error;

	if (!(flags & MPOL_F_ADDR))
		return p->mode == MPOL_INTERLEAVE ? 0 : -EINVAL;
	error = address_space_get_page(current_process()->as, addr, false, false, &page);
	if (error)
		return -EFAULT;
	page_put(page);
	return 0;
}

long
linux_get_mempolicy(int __user *out, uint64_t __user *mask, uint64_t bits, unsigned long addr, unsigned long flags)
{
	struct memory_policy p = current_thread()->memory_policy;
	uint64_t nodes = NODE_MASK;
	int error = 0, told = 0;

	if (mask && bits < 1)
		return -EINVAL;
	if (flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
	} else {
		if (flags & MPOL_F_ADDR)
			error = address_space_policy(current_process()->as, addr, &p);
		else if (addr)
			error = -EINVAL;
		if (!error && (flags & MPOL_F_NODE))
			error = node_asked(&p, addr, flags);
		if (error)
			return error;
		nodes = p.nodes;
		told = flags & MPOL_F_NODE ? 0 : (int)(p.mode | p.flags);
	}
	if (out && put_user(told, out))
		return -EFAULT;
	return mask ? write_nodes(mask, bits, nodes) : 0;
}

/* --- pages that are to move ----------------------------------------------------------------------- */

/* The address space of `pid` (0: the caller), for moving its pages, with a reference. */
static int
space_of(pid_t pid, struct address_space **out)
{
	struct process *p = process_find_by_thread(pid ? pid : current_process()->local_pid);
	int error;

	if (!p)
		return -ESRCH;
	*out = process_address_space(p); /* in this order: see process_may_inspect() */
	error = process_may_inspect(p);
	if (error && *out)
		address_space_put(*out);
	process_put(p);
	return error;
}

long
linux_migrate_pages(pid_t pid, uint64_t bits, const uint64_t __user *from, const uint64_t __user *to)
{
	struct address_space *as;
	struct nodes old, new;
	int error = read_nodes(from, bits, &old);

	if (!error)
		error = read_nodes(to, bits, &new);
	if (!error)
		error = space_of(pid, &as);
	if (error)
		return error;
	if (((new.low & ~NODE_MASK) || new.more) && !capable(CAP_SYS_NICE))
		error = -EPERM;
	else if (!(new.low & NODE_MASK) || !as)
		error = -EINVAL;
	if (as)
		address_space_put(as);
	return error;
}

long
linux_move_pages(pid_t pid, unsigned long count, const uint64_t __user *pages, const int __user *nodes,
		 int __user *status, int flags)
{
	struct address_space *as;
	long error;

	if (flags & ~(int)(MF_MOVE | MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & (int)MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	error = space_of(pid, &as);
	if (error)
		return error;
	if (!as)
		return -EINVAL;
	for (unsigned long i = 0; i < count && !error; i++) {
		uint64_t addr;
		int node = 0;

		if (get_user(addr, &pages[i]) || (nodes && get_user(node, &nodes[i])))
			error = -EFAULT;
		else if (node != 0)
			error = -ENODEV;
		else if (put_user(address_space_page_present(as, addr), &status[i]))
			error = -EFAULT;
		else if (signal_fatal_pending(current_thread()))
			error = -EINTR;
	}
	address_space_put(as);
	return error;
}
