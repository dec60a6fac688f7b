/* SPDX-License-Identifier: MIT */
/*
 * door.c - /dev/netd itself: one stack at a time has it open.
 *
 * When a stack goes, nothing happens to sockets: what they send stays in their rings, who waits goes on waiting, and
 * the next stack finds all slots. It looks at all of them when it comes, whatever the dirty map says.
 */
#include <tessera/address_space.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/ip.h>
#include <tessera/memory_object.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/random.h>
#include <tessera/signal.h>
#include <tessera/thread.h>

#include "door.h"

#define MAJOR_MISC 10u
#define MINOR_NETD 251u

struct door door;

static struct mutex ready_lock = MUTEX_INIT(ready_lock, SLEEP_LEAF); /* one makes the memory */

int
door_ready(void)
{
	int error = 0;

	if (door_is_ready())
		return 0;
	mutex_lock(&ready_lock);
	if (!door.is_ready) {
		error = door_memory_init();
		if (!error)
			error = slots_init();
		if (!error) {
			door.kernel->version = NETD_VERSION;
			random_bytes(door.kernel->secret, sizeof(door.kernel->secret));
			atomic_store_release(&door.is_ready, true);
		}
	}
	mutex_unlock(&ready_lock);
	door_link_ops.taps_changed(&init_network);
	return error;
}

void
door_wake(void)
{
	/* Written before: the work, by an atomic operation. The stack says that it sleeps, and looks once more then. */
	if (!atomic_load(&door.netd->asleep) || !atomic_exchange(&door.netd->asleep, 0u))
		return;
	atomic_add(&door.wakes, 1);
	wake_poll(&door.work, POLLIN | POLLRDNORM);
}

void
door_nonsense(const char *what, uint64_t number)
{
	struct process *p = current_process();

	if (atomic_exchange(&door.broken, true))
		return;
	pr_err("netd: the network stack (pid %d) wrote nonsense: %s (%#lx); it is killed\n", p ? p->pid : 0, what, number);
	if (p) /* else a thread of the kernel's puts the last reference to its file: it is gone */
		signal_send_process(p, SIGKILL, NULL);
}

static int
door_open(struct inode *i, struct file *f)
{
	int error = door_ready();
	bool free;

	if (!error)
		error = frames_ready();
	if (!error)
		error = half_open_ready();
	if (error)
		return error;
	spin_lock(&door.lock);
	free = !door.open;
	if (free) {
		door.open = true;
		door.opened++;
	}
	spin_unlock(&door.lock);
	if (!free)
		return -EBUSY;
	atomic_store(&door.broken, false);
	return 0;
}

static void
door_release(struct file *f)
{
	/* Whoever is in the midst of a kick is through first. */
	mutex_lock(&door.kick_lock);
	slots_take_stock();
	frames_take_stock();
	spin_lock(&door.lock);
	door.open = false;
	spin_unlock(&door.lock);
	atomic_store(&door.netd->asleep, 0u);
	mutex_unlock(&door.kick_lock);
}

static bool
has_work(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(door.to_netd->summary); i++)
		if (atomic_load(&door.to_netd->summary[i]))
			return true;
	return frames_are_waiting() || atomic_load(&door.netd->config_seen) != atomic_load(&door.kernel->config);
}

static uint32_t
door_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, f, &door.work);
	return has_work() ? POLLIN | POLLRDNORM : 0;
}

static int
door_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	int error = *flags & MAPPING_SHARED ? door_check_mapping(offset, length, *flags & MAPPING_WRITE) : -EINVAL;

	if (error)
		return error;
	/* What is for reading only stays so, whatever mprotect is asked. */
	if (door_check_mapping(offset, length, true))
		*flags &= ~(uint32_t)MAPPING_MAYWRITE;
	/* Nor may a part that it may write be made to show what the kernel alone writes, or pages go that the kernel looks at. */
	*flags |= MAPPING_AS_GIVEN;
	object_get(door.memory);
	*out = door.memory;
	return 0;
}

static void
door_dump(struct file *f)
{
	pr_info("  netd: %u slots of %u, arena of %u blocks, opened %lu times, told %lu times, has told %lu times\n",
		door.slots_taken, door.kernel->slots_used, door.kernel->arena_blocks, door.opened, door.wakes, door.kicks);
}

static const struct file_ops door_ops = {
	.name = "netd",
	.poll = door_poll,
	.mmap = door_mmap,
	.ioctl = door_ioctl,
	.release = door_release,
	.dump = door_dump,
};

void
door_init(void)
{
	mutex_init(&door.kick_lock, LOCK_NETD_KICK);
	spin_init(&door.lock, LOCK_NETD_DOOR);
	spin_init(&door.out_lock, LOCK_NETD_DOOR);
	wait_queue_init(&door.work);
	wait_queue_init(&door.frame_room);
	if (chrdev_register("netd", DEV(MAJOR_MISC, MINOR_NETD), 0600, &door_ops, door_open))
		panic("no memory for /dev/netd");
}
