/* SPDX-License-Identifier: MIT */
/*
 * filter.c - filters of sockets: a program of classic BPF says how much of each packet is wanted. socket(7), bpf.h.
 *
 * A filter never changes; who runs it has a reference. filter_lock keeps its last reference from going between the look at
 * socket->filter and the taking of one; it is held for that only, and only where there is a filter at all.
 */
#include <tessera/bpf.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/socket.h>
#include <tessera/string.h>

struct socket_filter {
	struct refcount refs;
	uint32_t count;                   /* [I] */
	struct bpf_instruction program[]; /* [I] checked */
};

static struct spinlock filter_lock = SPINLOCK_INIT(SOCKET_FILTER);

static void
filter_put(struct socket_filter *f)
{
	if (f && ref_put(&f->refs))
		kfree(f);
}

static struct socket_filter *
filter_of(struct socket *s)
{
	struct socket_filter *f;

	spin_lock(&filter_lock);
	f = s->filter;
	if (f)
		ref_get(&f->refs);
	spin_unlock(&filter_lock);
	return f;
}

/* The old one, whose reference is the caller's then. -EPERM: SO_LOCK_FILTER. */
static int
exchange(struct socket *s, struct socket_filter *f, struct socket_filter **old)
{
	bool locked;

	spin_lock(&filter_lock);
	locked = READ_ONCE(s->options) & SOCKET_LOCK_FILTER;
	*old = locked ? NULL : s->filter;
	if (!locked)
		WRITE_ONCE(s->filter, f);
	spin_unlock(&filter_lock);
	return locked ? -EPERM : 0;
}

int
socket_filter_attach(struct socket *s, const struct bpf_instruction *p, uint32_t n)
{
	struct socket_filter *f, *old;
	uint16_t *scratch;
	int error;

	if (READ_ONCE(s->options) & SOCKET_LOCK_FILTER)
		return -EPERM;
	f = kmalloc(sizeof(*f) + n * sizeof(*p), 0);
	scratch = kmalloc(n * sizeof(*scratch), 0);
	error = f && scratch ? bpf_check(p, n, BPF_SOCKET, 0, scratch) : -ENOMEM;
	kfree(scratch);
	if (!error) {
		ref_init(&f->refs);
		f->count = n;
		memcpy(f->program, p, n * sizeof(*p));
		error = exchange(s, f, &old);
	}
	if (error) {
		kfree(f);
		return error;
	}
	filter_put(old);
	return 0;
}

int
socket_filter_detach(struct socket *s)
{
	struct socket_filter *old;
	int error = exchange(s, NULL, &old);

	if (error)
		return error;
	filter_put(old);
	return old ? 0 : -ENOENT;
}

void
socket_filter_drop(struct socket *s)
{
	filter_put(s->filter);
	s->filter = NULL;
}

int
socket_filter_get(struct socket *s, struct bpf_instruction **p, uint32_t *n)
{
	struct socket_filter *f = filter_of(s);

	*p = NULL;
	*n = f ? f->count : 0;
	if (!f)
		return 0;
	*p = kmalloc(f->count * sizeof(**p), 0);
	if (*p)
		memcpy(*p, f->program, f->count * sizeof(**p));
	filter_put(f);
	return *p ? 0 : -ENOMEM;
}

uint32_t
socket_filter_run(struct socket *s, const void *data, uint32_t size, const struct bpf_frame *frame)
{
	struct socket_filter *f = filter_of(s);
	uint32_t wanted = UINT32_MAX;

	if (f)
		wanted = bpf_run_socket(f->program, data, size, frame);
	filter_put(f);
	return wanted;
}
