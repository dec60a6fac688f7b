/* SPDX-License-Identifier: MIT */
/* manager.c - both ends of the talk between a driver and the device manager. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(MANAGER_FDS_MAX * sizeof(int))];
};

/* A packet with `count` descriptors, which may be 0. It waits for nobody: who does not read what it is told is dead. */
static int
send_packet(int to, const void *packet, size_t size, const int *fds, unsigned count)
{
	union control control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int)),
	} };
	struct iovec iov = { .iov_base = (void *)packet, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/*
 * The next packet, which has that size. Returns how many descriptors came along, or a negative errno: -EPROTO when it makes
 * no sense.
 */
static int
receive_packet(int from, void *packet, size_t size, int fds[MANAGER_FDS_MAX], int flags)
{
	union control control;
	struct iovec iov = { .iov_base = packet, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(from, &message, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)size)
		return n < 0 ? -errno : n == 0 ? -EPIPE : -EPROTO;
	c = CMSG_FIRSTHDR(&message);
	if (!c)
		return 0;
	if (c->cmsg_type != SCM_RIGHTS || message.msg_flags & MSG_CTRUNC)
		return -EPROTO;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

/* The next answer, with exactly `count` descriptors unless it tells an error, which is returned then. */
static int
receive_answer(int from, struct manager_answer *answer, int fds[MANAGER_FDS_MAX], unsigned count)
{
	int came = receive_packet(from, answer, sizeof(*answer), fds, 0);

	if (came < 0 || answer->error)
		return came < 0 ? came : answer->error;
	return came == (int)count ? 0 : -EPROTO;
}

/* Send a request; the descriptor that comes back, or a negative errno. */
static int
ask(int manager_fd, const struct manager_request *request, struct manager_answer *answer)
{
	int fds[MANAGER_FDS_MAX], error;

	if (send(manager_fd, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request))
		return -errno;
	error = receive_answer(manager_fd, answer, fds, 1);
	return error ? error : fds[0];
}

int
manager_ask_vduse(int manager_fd, const char *disk, uint64_t sectors, const struct vduse_kind *kind,
	struct manager_answer *answer)
{
	struct manager_request request = { .what = MANAGER_WANTS_VDUSE, .kind = *kind, .sectors = sectors };

	snprintf(request.disk, sizeof(request.disk), "%s", disk);
	return ask(manager_fd, &request, answer);
}

int
manager_ask(int manager_fd, uint32_t what, unsigned unit)
{
	struct manager_request request = { .what = what, .unit = unit };
	struct manager_answer answer;

	return ask(manager_fd, &request, &answer);
}

void
manager_tell_running(int manager_fd)
{
	static const struct manager_request request = { .what = MANAGER_RUNS };

	if (manager_fd >= 0)
		(void)send(manager_fd, &request, sizeof(request), MSG_NOSIGNAL);
}

void
manager_tell_waiting(int manager_fd)
{
	static const struct manager_request request = { .what = MANAGER_WAITS };

	if (manager_fd >= 0)
		(void)send(manager_fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int
manager_answer(int driver_fd, int fd, const struct manager_answer *answer)
{
	struct manager_answer told = *answer;

	told.error = fd < 0 ? fd : 0;
	return send_packet(driver_fd, &told, sizeof(told), &fd, fd >= 0);
}

int
manager_give_device(int driver_fd, int device, int container)
{
	const struct manager_answer answer = { 0 };

	return send_packet(driver_fd, &answer, sizeof(answer), (int[]){ device, container }, 2);
}

int
manager_take_device(int manager_fd, int *device, int *container)
{
	struct manager_answer answer;
	int fds[MANAGER_FDS_MAX], error = receive_answer(manager_fd, &answer, fds, 2);

	if (error)
		return error;
	*device = fds[0];
	*container = fds[1];
	return 0;
}

/* How many descriptors come with a gift. */
static int
gift_fds(uint32_t what)
{
	return what == MANAGER_GIVES_CARD ? 2 : what == MANAGER_GIVES_DOOR ? 1 : 0;
}

int
manager_give(int stack_fd, const struct manager_gift *gift, const int *fds)
{
	return send_packet(stack_fd, gift, sizeof(*gift), fds, gift_fds(gift->what));
}

int
manager_take_gift(int manager_fd, struct manager_gift *gift, int fds[MANAGER_FDS_MAX], bool wait)
{
	int came = receive_packet(manager_fd, gift, sizeof(*gift), fds, wait ? 0 : MSG_DONTWAIT);

	if (came < 0)
		return came;
	gift->name[sizeof(gift->name) - 1] = '\0';
	return came == gift_fds(gift->what) ? (int)gift->what : -EPROTO;
}
