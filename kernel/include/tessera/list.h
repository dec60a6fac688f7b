/* SPDX-License-Identifier: MIT */
/*
 * list.h - doubly linked circular lists with the links inside the elements.
 *
 * A head and an element's link are the same struct. A link that is on no list points at itself
 * (list_init) so that list_del_init and list_is_empty work on elements too.
 */
#ifndef TESSERA_LIST_H
#define TESSERA_LIST_H

#include <tessera/config.h>
#include <tessera/types.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(l) { &(l), &(l) }

/* In both links of what list_del() removed, where misuse is checked. */
#define LIST_GONE ((struct list *)0x1157600d00ull)

/* debug/misuse.c */
void __noreturn __cold list_corrupted(const char *doing, const struct list *n, const struct list *prev,
				      const struct list *next);

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return READ_ONCE(l->next) == l;
}

static inline void
list_insert_between(struct list *n, struct list *prev, struct list *next)
{
	if (config_misuse_check &&
	    unlikely(next->prev != prev || prev->next != next || n == prev || n == next))
		list_corrupted("adding", n, prev, next);
	n->prev = prev;
	n->next = next;
	next->prev = n;
	prev->next = n;
}

static inline void
list_add(struct list *head, struct list *n) /* to the front */
{
	list_insert_between(n, head, head->next);
}

static inline void
list_add_tail(struct list *head, struct list *n)
{
	list_insert_between(n, head->prev, head);
}

static inline void
list_del(struct list *n) /* leaves n's links dangling */
{
	if (config_misuse_check &&
	    unlikely(n->prev == LIST_GONE || n->prev->next != n || n->next->prev != n))
		list_corrupted("removing", n, n->prev, n->next);
	n->prev->next = n->next;
	n->next->prev = n->prev;
	if (config_misuse_check)
		n->next = n->prev = LIST_GONE;
}

static inline void
list_del_init(struct list *n)
{
	list_del(n);
	list_init(n);
}

/* Move all of `from` to the tail of `to`; `from` is empty then. */
static inline void
list_splice_tail(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_last(head, type, member)                                                              \
	(list_is_empty(head) ? NULL : list_entry((head)->prev, type, member))
#define list_for_each(e, head, member)                                                             \
	for ((e) = list_entry((head)->next, __typeof__(*(e)), member); &(e)->member != (head);     \
	     (e) = list_entry((e)->member.next, __typeof__(*(e)), member))
/* The body may remove and free `e`. */
#define list_for_each_safe(e, tmp, head, member)                                                   \
	for ((e) = list_entry((head)->next, __typeof__(*(e)), member),                             \
	    (tmp) = list_entry((e)->member.next, __typeof__(*(e)), member);                        \
	     &(e)->member != (head);                                                               \
	     (e) = (tmp), (tmp) = list_entry((tmp)->member.next, __typeof__(*(tmp)), member))

#endif
