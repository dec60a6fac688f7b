/* SPDX-License-Identifier: MIT */
/* manager.c - both ends of the talk between a driver and the device manager. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"

#define FDS_MAX 2 /* in one packet */

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* A packet with `count` descriptors, which may be 0. It waits for nobody: who does not read what it is told is dead. */
static int
send_answer(int to, const struct manager_answer *answer, const int *fds, unsigned count)
{
	union control control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int)),
	} };
	struct iovec iov = { .iov_base = (void *)answer, .iov_len = sizeof(*answer) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The next packet, with exactly `count` descriptors unless it tells an error, which is returned then. */
static int
receive_answer(int from, struct manager_answer *answer, int *fds, unsigned count)
{
	union control control;
	struct iovec iov = { .iov_base = answer, .iov_len = sizeof(*answer) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(*answer))
		return n < 0 ? -errno : -EPIPE;
	if (answer->error)
		return answer->error;
	c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(count * sizeof(int)))
		return -EPROTO;
	memcpy(fds, CMSG_DATA(c), count * sizeof(int));
	return 0;
}

/* Send a request; the descriptor that comes back, or a negative errno. */
static int
ask(int manager_fd, const struct manager_request *request, struct manager_answer *answer)
{
	int fd, error;

	if (send(manager_fd, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request))
		return -errno;
	error = receive_answer(manager_fd, answer, &fd, 1);
	return error ? error : fd;
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
	return send_answer(driver_fd, &told, &fd, fd >= 0);
}

int
manager_give_device(int driver_fd, int device, int container)
{
	const struct manager_answer answer = { 0 };

	return send_answer(driver_fd, &answer, (int[]){ device, container }, 2);
}

int
manager_take_device(int manager_fd, int *device, int *container)
{
	struct manager_answer answer;
	int fds[2], error = receive_answer(manager_fd, &answer, fds, 2);

	if (error)
		return error;
	*device = fds[0];
	*container = fds[1];
	return 0;
}
