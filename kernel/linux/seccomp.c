/* SPDX-License-Identifier: MIT */
/*
 * seccomp.c - seccomp(2), and prctl(2)'s way to the same.
 */
#include <tessera/bpf.h>
#include <tessera/cred.h>
#include <tessera/seccomp.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#include "linux.h"

#define OP_SET_MODE_STRICT  0u
#define OP_SET_MODE_FILTER  1u
#define OP_GET_ACTION_AVAIL 2u
#define OP_GET_NOTIF_SIZES  3u

#define FLAGS_KNOWN ((uint32_t)(SECCOMP_SYNC | SECCOMP_LOGGED | SECCOMP_SPECULATE | SECCOMP_LISTEN | \
				SECCOMP_SYNC_ESRCH | SECCOMP_WAIT_KILLABLE))

/* struct sock_fprog */
struct program {
	uint16_t length;
	uint64_t instructions;
};

/* The program that `from` describes, checked; kmalloc'd. */
static struct bpf_instruction *
copy_program(const struct program *from)
{
	size_t size = from->length * sizeof(struct bpf_instruction);
	struct bpf_instruction *p = kmalloc(size, 0);
	uint16_t *scratch = kmalloc(from->length * sizeof(*scratch), 0);
	int error = -ENOMEM;

	if (p && scratch)
		error = copy_from_user(p, (const void __user *)from->instructions, size);
	if (!error)
		error = bpf_check(p, from->length, BPF_RECORD, sizeof(struct seccomp_data), scratch);
	kfree(scratch);
	if (!error)
		return p;
	kfree(p);
	return ERR_PTR(error);
}

static long
set_filter(uint32_t flags, const void __user *arg)
{
	struct bpf_instruction *p;
	struct program from;
	long result;

	if (flags & ~FLAGS_KNOWN)
		return -EINVAL;
	/* A positive answer would be a tid or a handle, one could not tell. */
	if ((flags & SECCOMP_SYNC) && (flags & SECCOMP_LISTEN) && !(flags & SECCOMP_SYNC_ESRCH))
		return -EINVAL;
	if ((flags & SECCOMP_WAIT_KILLABLE) && !(flags & SECCOMP_LISTEN))
		return -EINVAL;
	if (copy_from_user(&from, arg, sizeof(from)))
		return -EFAULT;
	if (from.length == 0 || from.length > BPF_LENGTH_MAX)
		return -EINVAL;
	if (!seccomp_may_filter())
		return -EACCES;
	p = copy_program(&from);
	if (IS_ERR(p))
		return PTR_ERR(p);
	result = seccomp_add_filter(p, from.length, flags);
	kfree(p);
	return result;
}

static long
action_available(const uint32_t __user *arg)
{
	uint32_t action;

	if (get_user(action, arg))
		return -EFAULT;
	for (size_t i = 0; i < SECCOMP_ACTIONS; i++)
		if (seccomp_actions[i].action == action)
			return 0;
	return -EOPNOTSUPP;
}

static long
notification_sizes(void __user *arg)
{
	const uint16_t sizes[] = { sizeof(struct seccomp_notification), sizeof(struct seccomp_response),
				   sizeof(struct seccomp_data) };

	return copy_to_user(arg, sizes, sizeof(sizes));
}

long
linux_seccomp(unsigned int operation, unsigned int flags, void __user *arg)
{
	switch (operation) {
	case OP_SET_MODE_STRICT:
		return flags || arg ? -EINVAL : seccomp_set_strict();
	case OP_SET_MODE_FILTER:
		return set_filter(flags, arg);
	case OP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_available(arg);
	case OP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : notification_sizes(arg);
	}
	return -EINVAL;
}

long
seccomp_prctl(unsigned long mode, const void __user *filter)
{
	switch (mode) {
	case SECCOMP_STRICT:
		return seccomp_set_strict();
	case SECCOMP_FILTER:
		return set_filter(0, filter);
	}
	return -EINVAL;
}

/* --- for who saves a program and asks through ptrace -------------------------------------------- */

struct seccomp_metadata {
	uint64_t index, flags;
};

/* Who saves programs may, unless filtered itself. */
static bool
may_look_at_filters(void)
{
	return capable(CAP_SYS_ADMIN) && READ_ONCE(current_thread()->seccomp_mode) == SECCOMP_NONE;
}

/* The number of instructions; without `to` nothing else. */
long
ptrace_seccomp_filter(struct thread *t, uint64_t index, void __user *to)
{
	struct bpf_instruction *p = NULL;
	long n;

	if (!may_look_at_filters())
		return -EACCES;
	n = seccomp_program(t, index, to ? &p : NULL);
	if (n > 0 && to && copy_to_user(to, p, (size_t)n * sizeof(*p)))
		n = -EFAULT;
	kfree(p);
	return n;
}

long
ptrace_seccomp_metadata(struct thread *t, uint64_t size, void __user *user)
{
	struct seccomp_metadata m = { 0 };
	int logged;

	if (!may_look_at_filters())
		return -EACCES;
	size = MIN(size, sizeof(m));
	if (size < sizeof(m.index))
		return -EINVAL;
	if (copy_from_user(&m.index, user, sizeof(m.index)))
		return -EFAULT;
	logged = seccomp_is_logged(t, m.index);
	if (logged < 0)
		return logged;
	m.flags = logged ? SECCOMP_LOGGED : 0;
	return copy_to_user(user, &m, size) ? -EFAULT : (long)size;
}
