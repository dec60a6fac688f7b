/* SPDX-License-Identifier: MIT */
/*
 * io_uring.c - io_uring_setup, io_uring_enter, io_uring_register.
 *
 * Not offered, and said so by -EINVAL: busy polling of devices (IOPOLL), entries of other sizes (SQE128, CQE32),
 * restrictions, personalities, tags of what is registered. The flags that only tell when completions are to be worked off are taken and change nothing.
 */
#include <tessera/cpu.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "io_uring.h"
#include "linux.h"

#define SETUP_SQPOLL        BIT(1)
#define SETUP_SQ_AFF        BIT(2)
#define SETUP_CQSIZE        BIT(3)
#define SETUP_CLAMP         BIT(4)
#define SETUP_ATTACH_WQ     BIT(5)
#define SETUP_R_DISABLED    BIT(6)
#define SETUP_SUBMIT_ALL    BIT(7)
#define SETUP_COOP_TASKRUN  BIT(8)
#define SETUP_TASKRUN_FLAG  BIT(9)
#define SETUP_SINGLE_ISSUER BIT(12)
#define SETUP_DEFER_TASKRUN BIT(13)
#define SETUP_KNOWN                                                                                \
	(SETUP_SQPOLL | SETUP_SQ_AFF | SETUP_CQSIZE | SETUP_CLAMP | SETUP_ATTACH_WQ | SETUP_R_DISABLED | SETUP_SUBMIT_ALL |      \
	 SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN)

/*
 * SINGLE_MMAP, NODROP, RW_CUR_POS, CUR_PERSONALITY, FAST_POLL, POLL_32BITS, SQPOLL_NONFIXED, EXT_ARG, NATIVE_WORKERS, CQE_SKIP. Not
 * SUBMIT_STABLE: an operation that waits reads its vectors and headers again.
 */
#define FEATURES 0xbfbu

#define ENTER_GETEVENTS BIT(0)
#define ENTER_SQ_WAKEUP BIT(1)
#define ENTER_SQ_WAIT   BIT(2)
#define ENTER_EXT_ARG   BIT(3)
#define ENTER_REGISTERED_RING BIT(4)

enum {
	REGISTER_BUFFERS,
	UNREGISTER_BUFFERS,
	REGISTER_FILES,
	UNREGISTER_FILES,
	REGISTER_EVENTFD,
	UNREGISTER_EVENTFD,
	REGISTER_FILES_UPDATE,
	REGISTER_EVENTFD_ASYNC,
	REGISTER_PROBE,
	REGISTER_ENABLE_RINGS = 12,
	REGISTER_FILES2,
	REGISTER_FILES_UPDATE2,
	REGISTER_PBUF_RING = 22,
	UNREGISTER_PBUF_RING,
	REGISTER_FILE_ALLOC_RANGE = 25,
	REGISTER_END = 26, /* no command of Linux 6.1 from here on */
};

struct linux_sq_offsets {
	uint32_t head, tail, mask, entries, flags, dropped, array, reserved;
	uint64_t reserved2;
};

struct linux_cq_offsets {
	uint32_t head, tail, mask, entries, overflow, cqes, flags, reserved;
	uint64_t reserved2;
};

struct linux_uring_params {
	uint32_t sq_entries, cq_entries, flags, thread_cpu, thread_idle, features, wq_fd, reserved[3];
	struct linux_sq_offsets sq;
	struct linux_cq_offsets cq;
};
_Static_assert(sizeof(struct linux_uring_params) == 120, "struct io_uring_params");

static uint32_t
power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

/* How many entries the two rings get. */
static int
sizes(struct linux_uring_params *p, uint32_t entries)
{
	if (entries == 0)
		return -EINVAL;
	if (entries > URING_ENTRIES_MAX) {
		if (!(p->flags & SETUP_CLAMP))
			return -EINVAL;
		entries = URING_ENTRIES_MAX;
	}
	p->sq_entries = power_of_two(entries);
	if (!(p->flags & SETUP_CQSIZE)) {
		p->cq_entries = 2 * p->sq_entries;
		return 0;
	}
	if (p->cq_entries == 0)
		return -EINVAL;
	if (p->cq_entries > 2 * URING_ENTRIES_MAX) {
		if (!(p->flags & SETUP_CLAMP))
			return -EINVAL;
		p->cq_entries = 2 * URING_ENTRIES_MAX;
	}
	p->cq_entries = power_of_two(p->cq_entries);
	return p->cq_entries < p->sq_entries ? -EINVAL : 0;
}

static int
check_flags(const struct linux_uring_params *p)
{
	if (p->reserved[0] || p->reserved[1] || p->reserved[2])
		return -EINVAL;
	if (p->flags & ~SETUP_KNOWN)
		return -EINVAL;
	if ((p->flags & SETUP_TASKRUN_FLAG) && !(p->flags & (SETUP_COOP_TASKRUN | SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if ((p->flags & SETUP_SQPOLL) && (p->flags & (SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if ((p->flags & SETUP_SQ_AFF) && (!(p->flags & SETUP_SQPOLL) || p->thread_cpu >= cpu_count))
		return -EINVAL;
	if ((p->flags & SETUP_DEFER_TASKRUN) && !(p->flags & SETUP_SINGLE_ISSUER))
		return -EINVAL;
	return 0;
}

static void
fill_params(struct linux_uring_params *p, struct uring *u)
{
	struct uring_offsets o;

	uring_tell_offsets(u, &o);
	p->features = FEATURES;
	p->sq = (struct linux_sq_offsets){ o.sq_head, o.sq_tail, o.sq_mask, o.sq_entries, o.sq_flags,
					   o.sq_dropped, o.sq_array, 0, 0 };
	p->cq = (struct linux_cq_offsets){ o.cq_head, o.cq_tail, o.cq_mask, o.cq_entries, o.cq_overflow,
					   o.cq_cqes, o.cq_flags, 0, 0 };
}

static int
start_poller(struct uring *u, const struct linux_uring_params *p)
{
	uint64_t idle = p->thread_idle ? p->thread_idle * NSEC_PER_MSEC : NSEC_PER_SEC;

	return uring_poller_start(u, idle, p->flags & SETUP_SQ_AFF ? (int)p->thread_cpu : -1);
}

long
linux_io_uring_setup(unsigned int entries, void __user *uparams)
{
	struct linux_uring_params p;
	uint32_t flags = 0;
	struct file *f;
	int error, fd;

	if (copy_from_user(&p, uparams, sizeof(p)))
		return -EFAULT;
	error = check_flags(&p);
	if (error == 0)
		error = sizes(&p, entries);
	if (error)
		return error;
	flags |= p.flags & SETUP_SINGLE_ISSUER ? URING_SINGLE_ISSUER : 0;
	flags |= p.flags & SETUP_R_DISABLED ? URING_DISABLED : 0;
	flags |= p.flags & SETUP_SUBMIT_ALL ? URING_SUBMIT_ALL : 0;
	flags |= p.flags & SETUP_SQPOLL ? URING_POLLED : 0;
	f = uring_create_file(p.sq_entries, p.cq_entries, flags);
	if (!f)
		return -ENOMEM;
	fill_params(&p, file_uring(f));
	error = p.flags & SETUP_SQPOLL ? start_poller(file_uring(f), &p) : 0;
	if (error)
		goto put_file;
	error = -EFAULT;
	if (copy_to_user(uparams, &p, sizeof(p)))
		goto put_file;
	fd = error = handle_open(f, handle_rights_of(f), true);
	if (fd >= 0)
		return fd;
put_file:
	file_put(f);
	return error;
}

/* --- entering --------------------------------------------------------------------------------- */

struct linux_getevents_arg {
	uint64_t mask;
	uint32_t mask_size, pad;
	uint64_t timeout;
};

/* What to wait with: a mask and a deadline. */
struct waiting {
	bool masked;
	uint64_t mask;
	deadline_t until;
};

static int
read_waiting(const void __user *arg, size_t size, bool extended, struct waiting *w)
{
	struct linux_getevents_arg a = { 0 };
	struct timespec64 ts;

	*w = (struct waiting){ .until = DEADLINE_NEVER };
	if (!extended) {
		a.mask = (uintptr_t)arg;
		a.mask_size = (uint32_t)size;
	} else {
		if (size != sizeof(a))
			return -EINVAL;
		if (copy_from_user(&a, arg, sizeof(a)))
			return -EFAULT;
		if (a.pad)
			return -EINVAL;
	}
	if (a.mask) {
		if (a.mask_size != sizeof(w->mask))
			return -EINVAL;
		if (copy_from_user(&w->mask, __force_user(void __user *, a.mask), sizeof(w->mask)))
			return -EFAULT;
		w->masked = true;
	}
	if (a.timeout) {
		if (copy_from_user(&ts, __force_user(void __user *, a.timeout), sizeof(ts)))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0)
			return -EINVAL;
		w->until = deadline_after(timespec_ns(&ts));
	}
	return 0;
}

static long
wait(struct uring *u, uint32_t count, const void __user *arg, size_t size, bool extended)
{
	struct waiting w;
	int error = read_waiting(arg, size, extended, &w);

	if (error)
		return error;
	if (w.masked)
		signal_mask_begin(w.mask);
	error = uring_wait(u, count, w.until);
	if (w.masked)
		signal_mask_end(error == -EINTR);
	return error;
}

long
linux_io_uring_enter(unsigned int fd, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
		     const void __user *arg, size_t size)
{
	long submitted = 0, error = 0;
	struct uring *u;
	struct file *f;
	int no_file = 0;

	if (flags & ~(ENTER_GETEVENTS | ENTER_SQ_WAKEUP | ENTER_SQ_WAIT | ENTER_EXT_ARG |
		      ENTER_REGISTERED_RING))
		return -EINVAL;
	if (flags & ENTER_REGISTERED_RING)
		return -EINVAL;
	f = handle_get((int)fd, RIGHT_NONE, &no_file);
	if (!f)
		return no_file;
	u = file_uring(f);
	if (!u) {
		error = -EOPNOTSUPP;
		goto put_file;
	}
	if (uring_is_polled(u)) {
		error = uring_poller_enter(u, flags & ENTER_SQ_WAKEUP, flags & ENTER_SQ_WAIT);
		if (error)
			goto put_file;
		submitted = to_submit;
	} else if (to_submit) {
		submitted = uring_submit(u, to_submit);
		if (submitted != (long)to_submit)
			goto put_file;
	}
	if (flags & ENTER_GETEVENTS)
		error = wait(u, min_complete, arg, size, flags & ENTER_EXT_ARG);
put_file:
	file_put(f);
	return submitted ? submitted : error;
}

/* --- registering ------------------------------------------------------------------------------ */

static long
register_buffers(struct uring *u, const struct iovec __user *arg, uint32_t count)
{
	struct iovec *v;
	long error = -EFAULT;

	if (count == 0 || count > URING_BUFFERS_MAX)
		return -EINVAL;
	v = kmalloc(count * sizeof(*v), 0);
	if (!v)
		return -ENOMEM;
	if (copy_from_user(v, arg, count * sizeof(*v)))
		goto free_vector;
	for (uint32_t i = 0; i < count; i++) {
		if (!v[i].base && v[i].length == 0)
			continue;
		error = -EFAULT;
		if (!v[i].base || v[i].length == 0 || v[i].length > 1ul << 30 ||
		    !user_range_ok(v[i].base, v[i].length))
			goto free_vector;
	}
	error = uring_set_buffers(u, v, count);
	if (error == 0)
		return 0;
free_vector:
	kfree(v);
	return error;
}

/* The file of a handle to be registered; -1: none, an empty place. */
static int
file_to_register(int fd, struct uring_file *out)
{
	int error = -EBADF;

	*out = (struct uring_file){ 0 };
	if (fd == -1)
		return 0;
	out->file = handle_get_rights(fd, &out->rights, &error);
	if (!out->file)
		return error;
	if (!file_uring(out->file))
		return 0;
	file_put(out->file); /* a ring in itself would never end */
	out->file = NULL;
	return -EBADF;
}

/* `arg` NULL: all places are empty. */
static long
register_files(struct uring *u, const int32_t __user *arg, uint32_t count)
{
	struct uring_file *files;
	uint32_t i = 0;
	long error = 0;
	int32_t fd;

	if (count == 0)
		return -EINVAL;
	if (count > URING_FILES_MAX || count > process_limit(current_process(), RLIMIT_NOFILE))
		return -EMFILE;
	files = kzalloc(count * sizeof(files[0]));
	if (!files)
		return -ENOMEM;
	for (; arg && i < count && error == 0; i++)
		error = get_user(fd, &arg[i]) ? -EFAULT : file_to_register(fd, &files[i]);
	if (error == 0)
		error = uring_set_files(u, files, count);
	if (error == 0)
		return 0;
	while (i-- > 0)
		if (files[i].file)
			file_put(files[i].file);
	kfree(files);
	return error;
}

#define RESOURCES_SPARSE BIT(0)

/* struct io_uring_rsrc_register, io_uring_rsrc_update2 */
struct linux_resources {
	uint32_t count, flags;
	uint64_t reserved, data, tags;
};

struct linux_resources_update {
	uint32_t offset, reserved;
	uint64_t data, tags;
	uint32_t count, reserved2;
};

static long
register_files2(struct uring *u, const void __user *arg, uint32_t size)
{
	struct linux_resources r;

	if (size != sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (!r.count || r.reserved || (r.flags & ~RESOURCES_SPARSE) || r.tags)
		return -EINVAL;
	if ((r.flags & RESOURCES_SPARSE) && r.data)
		return -EINVAL;
	return register_files(u, __force_user(const int32_t __user *, r.data), r.count);
}

long
io_uring_update_files(struct uring *u, uint32_t first, uint64_t address, uint32_t count)
{
	const int32_t __user *arg = __force_user(const int32_t __user *, address);
	uint32_t i = 0;
	long error = 0;

	if (uring_file_count(u) == 0)
		return -ENXIO;
	if (first + (uint64_t)count > uring_file_count(u) || count == 0)
		return -EINVAL;
	for (; i < count; i++) {
		struct uring_file f;
		int32_t fd;

		if (get_user(fd, &arg[i])) {
			error = -EFAULT;
			break;
		}
		if (fd == -2) /* leave it */
			continue;
		error = file_to_register(fd, &f);
		if (error)
			break;
		error = uring_update_file(u, first + i, f);
		if (error) {
			if (f.file)
				file_put(f.file);
			break;
		}
	}
	return i ? (long)i : error;
}

long
io_uring_allocate_files(struct uring *u, uint64_t address, uint32_t count)
{
	int32_t __user *arg = __force_user(int32_t __user *, address);
	uint32_t i = 0;
	long error = 0;

	if (uring_file_count(u) == 0)
		return -ENXIO;
	for (; i < count; i++) {
		struct uring_file f;
		int32_t fd;
		int place;

		error = get_user(fd, &arg[i]) ? -EFAULT : file_to_register(fd, &f);
		if (error == 0 && !f.file)
			error = -EBADF;
		if (error)
			break;
		place = uring_install_file(u, URING_ALLOCATE, f);
		if (place < 0) {
			file_put(f.file);
			error = place;
			break;
		}
		if (put_user((int32_t)place, &arg[i])) {
			(void)uring_update_file(u, (uint32_t)place, (struct uring_file){ 0 });
			error = -EFAULT;
			break;
		}
	}
	return i ? (long)i : error;
}

static long
update_files(struct uring *u, const void __user *arg, uint32_t count)
{
	struct {
		uint32_t offset, reserved;
		uint64_t fds;
	} up;

	if (copy_from_user(&up, arg, sizeof(up)))
		return -EFAULT;
	if (up.reserved)
		return -EINVAL;
	return io_uring_update_files(u, up.offset, up.fds, count);
}

static long
update_files2(struct uring *u, const void __user *arg, uint32_t size)
{
	struct linux_resources_update up;

	if (size != sizeof(up))
		return -EINVAL;
	if (copy_from_user(&up, arg, sizeof(up)))
		return -EFAULT;
	if (!up.count || up.reserved || up.reserved2 || up.tags)
		return -EINVAL;
	return io_uring_update_files(u, up.offset, up.data, up.count);
}

static long
set_file_range(struct uring *u, const void __user *arg)
{
	struct {
		uint32_t offset, count;
		uint64_t reserved;
	} range;

	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	return range.reserved ? -EINVAL : uring_set_file_range(u, range.offset, range.count);
}

/* struct io_uring_buf_reg */
struct linux_buffer_ring {
	uint64_t address;
	uint32_t entries;
	uint16_t group, flags;
	uint64_t reserved[3];
};

static long
buffer_ring(struct uring *u, const void __user *arg, bool set)
{
	struct linux_buffer_ring r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags || r.reserved[0] || r.reserved[1] || r.reserved[2])
		return -EINVAL;
	if (!set)
		return uring_unset_buffer_ring(u, r.group);
	if (!r.address)
		return -EFAULT;
	/* With as many entries as indices, full would look like empty. */
	if ((r.address & (PAGE_SIZE - 1)) || !r.entries || (r.entries & (r.entries - 1)) || r.entries >= 65536)
		return -EINVAL;
	if (!user_range_ok(__force_user(void __user *, r.address), r.entries * 16ul))
		return -EFAULT;
	return uring_set_buffer_ring(u, r.group, r.address, r.entries);
}

static long
register_eventfd(struct uring *u, const int32_t __user *arg, bool async)
{
	int error = 0;
	struct file *f;
	int32_t fd;

	if (get_user(fd, arg))
		return -EFAULT;
	f = handle_get(fd, RIGHT_WRITE, &error);
	if (!f)
		return error;
	if (!file_is_eventfd(f))
		error = -EINVAL;
	else
		error = uring_set_eventfd(u, f, async);
	if (error)
		file_put(f);
	return error;
}

struct linux_probe_op {
	uint8_t op, reserved;
	uint16_t flags;
	uint32_t reserved2;
};

struct linux_probe {
	uint8_t last_op, ops_len;
	uint16_t reserved;
	uint32_t reserved2[3];
	struct linux_probe_op ops[URING_OP_LAST];
};

static long
probe(void __user *arg, uint32_t count)
{
	size_t size = offsetof(struct linux_probe, ops);
	struct linux_probe *p;
	long error = -EFAULT;

	count = MIN(count, (uint32_t)URING_OP_LAST);
	size += count * sizeof(struct linux_probe_op);
	p = kzalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (copy_from_user(p, arg, size))
		goto free_probe;
	error = -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)p)[i])
			goto free_probe;
	p->last_op = URING_OP_LAST - 1;
	p->ops_len = (uint8_t)count;
	for (uint32_t i = 0; i < count; i++) {
		p->ops[i].op = (uint8_t)i;
		p->ops[i].flags = io_uring_knows(i);
	}
	error = copy_to_user(arg, p, size);
free_probe:
	kfree(p);
	return error;
}

static long
do_register(struct uring *u, unsigned int command, void __user *arg, uint32_t count)
{
	switch (command) {
	case REGISTER_BUFFERS:
		return arg ? register_buffers(u, arg, count) : -EFAULT;
	case UNREGISTER_BUFFERS:
		return arg || count ? -EINVAL : uring_unset_buffers(u);
	case REGISTER_FILES:
		return arg ? register_files(u, arg, count) : -EFAULT;
	case UNREGISTER_FILES:
		return arg || count ? -EINVAL : uring_unset_files(u);
	case REGISTER_FILES_UPDATE:
		return update_files(u, arg, count);
	case REGISTER_EVENTFD:
	case REGISTER_EVENTFD_ASYNC:
		return count != 1 ? -EINVAL : register_eventfd(u, arg, command == REGISTER_EVENTFD_ASYNC);
	case UNREGISTER_EVENTFD:
		return arg || count ? -EINVAL : uring_unset_eventfd(u);
	case REGISTER_PROBE:
		return !arg || count > 256 ? -EINVAL : probe(arg, count);
	case REGISTER_FILES2:
		return register_files2(u, arg, count);
	case REGISTER_FILES_UPDATE2:
		return update_files2(u, arg, count);
	case REGISTER_PBUF_RING:
	case UNREGISTER_PBUF_RING:
		return !arg || count != 1 ? -EINVAL : buffer_ring(u, arg, command == REGISTER_PBUF_RING);
	case REGISTER_FILE_ALLOC_RANGE:
		return !arg || count ? -EINVAL : set_file_range(u, arg);
	case REGISTER_ENABLE_RINGS:
		return arg || count ? -EINVAL : uring_enable(u);
	}
	return -EINVAL;
}

long
linux_io_uring_register(unsigned int fd, unsigned int command, void __user *arg, unsigned int count)
{
	long result = -EOPNOTSUPP;
	struct file *f;
	int error = 0;

	if (command >= REGISTER_END)
		return -EINVAL;
	f = handle_get((int)fd, RIGHT_NONE, &error);
	if (!f)
		return error;
	if (file_uring(f))
		result = do_register(file_uring(f), command, arg, count);
	file_put(f);
	return result;
}
