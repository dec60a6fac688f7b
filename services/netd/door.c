/* SPDX-License-Identifier: MIT */
/* door.c - the door's memory is mapped, its calls are made. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "door.h"
#include "log.h"

static int
call(unsigned long request, void *argument)
{
	return ioctl(door.fd, request, argument) < 0 ? -errno : 0;
}

static void *
map(uint64_t offset, size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, door.fd, offset);

	return at == MAP_FAILED ? NULL : at;
}

int
door_open(int fd)
{
	size_t arena;

	door.fd = fd;
	door.kernel = map(NETD_MAP_KERNEL, 4096, PROT_READ);
	if (!door.kernel)
		return -errno;
	if (door.kernel->version != NETD_VERSION)
		return -EPROTO;
	door.netd = map(NETD_MAP_NETD, 4096, PROT_READ | PROT_WRITE);
	door.to_netd = map(NETD_MAP_DIRTY, 8192, PROT_READ | PROT_WRITE);
	door.half_open = map(NETD_MAP_HALF_OPEN, NETD_HALF_OPEN * sizeof(struct netd_half_open), PROT_READ | PROT_WRITE);
	door.frames_out = map(NETD_MAP_FRAMES_OUT, NETD_FRAME_RING, PROT_READ);
	door.frames_in = map(NETD_MAP_FRAMES_IN, NETD_FRAME_RING, PROT_READ | PROT_WRITE);
	door.wanted = map(NETD_MAP_WANTED, (size_t)NETD_SLOTS * NETD_WANTED_STRIDE, PROT_READ);
	door.actual = map(NETD_MAP_ACTUAL, (size_t)NETD_SLOTS * NETD_ACTUAL_STRIDE, PROT_READ | PROT_WRITE);
	if (!door.netd || !door.to_netd || !door.half_open || !door.frames_out || !door.frames_in || !door.wanted ||
		!door.actual)
		return -errno;
	door.to_kernel = (struct netd_dirty *)((uint8_t *)door.to_netd + 4096);
	arena = (size_t)door.kernel->arena_blocks_max * NETD_BLOCK;
	door.arena = mmap(NULL, arena ? arena : NETD_BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (door.arena == MAP_FAILED)
		return -errno;
	door.frames_in_head = door.netd->frames_in_head;
	door_map_arena();
	return 0;
}

void
door_map_arena(void)
{
	uint32_t blocks = door_get32(&door.kernel->arena_blocks);

	if (blocks > door.kernel->arena_blocks_max)
		blocks = door.kernel->arena_blocks_max;
	if (blocks <= door.arena_blocks)
		return;
	if (mmap(door.arena + (size_t)door.arena_blocks * NETD_BLOCK, (size_t)(blocks - door.arena_blocks) * NETD_BLOCK,
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, door.fd,
		    NETD_MAP_ARENA + (uint64_t)door.arena_blocks * NETD_BLOCK) == MAP_FAILED) {
		log_error("the arena's blocks cannot be mapped: %s", strerror(errno));
		return;
	}
	door.arena_blocks = blocks;
}

void
door_kick(void)
{
	if (!door.changed)
		return;
	door.changed = false;
	if (ioctl(door.fd, NETD_KICK) < 0) {
		log_error("the kernel finds nonsense in what we say: %s", strerror(errno));
		abort();
	}
}

int
door_accept(struct netd_accept *a)
{
	return call(NETD_ACCEPT, a);
}

int
door_add_interface(struct netd_interface *i)
{
	return call(NETD_ADD_INTERFACE, i);
}

int
door_set_link(const struct netd_link *l)
{
	return call(NETD_SET_LINK, (void *)l);
}

int
door_set_neighbour(const struct netd_table_neighbour *n)
{
	return call(NETD_SET_NEIGHBOUR, (void *)n);
}

int
door_add_address(const struct netd_table_address *a)
{
	return call(NETD_ADD_ADDRESS, (void *)a);
}

int
door_add_route(const struct netd_table_route *r)
{
	return call(NETD_ADD_ROUTE, (void *)r);
}

void *
door_table(uint32_t table, size_t entry_size, uint32_t *count)
{
	struct netd_table_request r = { .table = table, .count = 64 };
	void *entries = NULL, *more;
	uint32_t room;

	do {
		room = r.count;
		more = realloc(entries, room * entry_size);
		if (!more)
			break;
		entries = more;
		r.entries = (uintptr_t)entries;
		if (call(NETD_GET_TABLE, &r) < 0)
			break;
		if (r.count <= room) {
			*count = r.count;
			return entries;
		}
	} while (r.count < 1u << 20);
	free(entries);
	*count = 0;
	return NULL;
}
