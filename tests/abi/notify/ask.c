/* SPDX-License-Identifier: MIT */
/* fanotify(7): groups that are asked before a file is opened, read or run. */
#include "events.h"

#include <poll.h>

static int group = -1; /* children do not keep it open */

static pid_t
child_opens(const char *name, int flags)
{
	pid_t child = CHECK_OK(fork());
	char c;

	if (child)
		return child;
	close(group);
	int fd = open(name, flags);
	if (fd < 0)
		_exit(errno);
	_exit(flags & O_WRONLY || read(fd, &c, 1) >= 0 ? 0 : 100 + errno);
}

static int
result(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The next question, which is put to us by `child`: it is answered so. */
static void
answer(int g, pid_t child, uint64_t mask, uint32_t with)
{
	struct pollfd p = { g, POLLIN, 0 };
	struct fanotify_event_metadata *e;

	CHECK_EQ(poll(&p, 1, -1), 1);
	e = events_next(g);
	CHECK_EQ(e->mask, mask);
	CHECK_EQ(e->pid, child);
	CHECK(e->fd >= 0);
	CHECK_EQ(write(g, &(struct fanotify_response){ e->fd, with }, 8), 8);
	CHECK_OK(close(e->fd));
}

static int
content(uint64_t mask)
{
	int g = CHECK_OK(fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY));

	check_write_file("f", "abc", 3);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, mask, AT_FDCWD, "f"));
	group = g;
	return g;
}

TEST(an_open_waits_for_the_answer)
{
	int g = content(FAN_OPEN_PERM);
	pid_t child = child_opens("f", O_RDONLY);

	answer(g, child, FAN_OPEN_PERM, FAN_ALLOW);
	CHECK_EQ(result(child), 0);
	child = child_opens("f", O_WRONLY);
	answer(g, child, FAN_OPEN_PERM, FAN_DENY);
	CHECK_EQ(result(child), EPERM);
	events_expect_no_more(g);
}

TEST(a_read_waits_for_the_answer)
{
	int g = content(FAN_ACCESS_PERM | FAN_OPEN_PERM);
	pid_t child = child_opens("f", O_RDONLY);

	answer(g, child, FAN_OPEN_PERM, FAN_ALLOW);
	answer(g, child, FAN_ACCESS_PERM, FAN_DENY);
	CHECK_EQ(result(child), 100 + EPERM);
	child = child_opens("f", O_RDONLY);
	answer(g, child, FAN_OPEN_PERM, FAN_ALLOW);
	answer(g, child, FAN_ACCESS_PERM, FAN_ALLOW);
	CHECK_EQ(result(child), 0);
}

TEST(what_was_denied_is_not_told_as_opened)
{
	int g = content(FAN_OPEN_PERM), n = CHECK_OK(fanotify_init(FAN_NONBLOCK, O_RDONLY));

	CHECK_OK(fanotify_mark(n, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "f"));
	pid_t child = child_opens("f", O_RDONLY);
	answer(g, child, FAN_OPEN_PERM, FAN_DENY);
	CHECK_EQ(result(child), EPERM);
	events_expect_no_more(n);
}

TEST(the_higher_class_is_asked_first)
{
	int low = content(FAN_OPEN_PERM), high = CHECK_OK(fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_NONBLOCK, O_RDONLY));

	CHECK_OK(fanotify_mark(high, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "f"));
	pid_t child = child_opens("f", O_RDONLY);
	answer(high, child, FAN_OPEN_PERM, FAN_ALLOW);
	answer(low, child, FAN_OPEN_PERM, FAN_ALLOW);
	CHECK_EQ(result(child), 0);
	child = child_opens("f", O_RDONLY);
	answer(high, child, FAN_OPEN_PERM, FAN_DENY);
	CHECK_EQ(result(child), EPERM);
	events_expect_no_more(low);
}

TEST(who_waits_can_be_killed)
{
	int g = content(FAN_OPEN_PERM);
	pid_t child = child_opens("f", O_RDONLY);
	struct pollfd p = { g, POLLIN, 0 };

	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_OK(kill(child, SIGKILL)); /* not read yet: it is taken back */
	CHECK_EQ(result(child), -SIGKILL);
	events_expect_no_more(g);
	child = child_opens("f", O_RDONLY);
	CHECK_EQ(poll(&p, 1, -1), 1);
	int fd = events_next(g)->fd;
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(result(child), -SIGKILL);
	CHECK_EQ(write(g, &(struct fanotify_response){ fd, FAN_ALLOW }, 8), 8);
	CHECK_ERRNO(write(g, &(struct fanotify_response){ fd, FAN_ALLOW }, 8), ENOENT);
}

TEST(the_end_of_the_group_lets_go)
{
	int g = content(FAN_OPEN_PERM), other;
	pid_t waits = child_opens("f", O_RDONLY), asks;
	struct pollfd p = { g, POLLIN, 0 };

	CHECK_EQ(poll(&p, 1, -1), 1);
	other = events_next(g)->fd;
	asks = child_opens("f", O_RDONLY);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_OK(close(g));
	CHECK_OK(close(other));
	CHECK_EQ(result(waits), 0);
	CHECK_EQ(result(asks), 0);
}

TEST(answers_are_checked)
{
	int g = content(FAN_OPEN_PERM);
	struct fanotify_response r = { 99, FAN_ALLOW };

	CHECK_ERRNO(write(g, &r, 8), ENOENT);
	CHECK_ERRNO(write(g, &r, 7), EINVAL);
	CHECK_ERRNO(write(g, (void *)8, 8), EFAULT);
	r.response = 0;
	CHECK_ERRNO(write(g, &r, 8), EINVAL);
	r.response = 3;
	CHECK_ERRNO(write(g, &r, 8), EINVAL);
	r.response = FAN_ALLOW | FAN_AUDIT;
	CHECK_ERRNO(write(g, &r, 8), EINVAL);
	r = (struct fanotify_response){ -1, FAN_ALLOW };
	CHECK_ERRNO(write(g, &r, 8), EINVAL);
}

HELPER(ends_well)
{
}

TEST(a_run_asks_twice)
{
	int g = CHECK_OK(fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY));
	char self[PATH_MAX];

	ssize_t length = CHECK_OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	self[length] = 0;
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, AT_FDCWD, self));
	for (int deny = 0; deny < 2; deny++) {
		pid_t child = CHECK_OK(fork());

		if (!child) {
			execl(self, "check", "--helper", "ends_well", (char *)NULL);
			_exit(errno);
		}
		answer(g, child, FAN_OPEN_EXEC_PERM, deny ? FAN_DENY : FAN_ALLOW);
		if (!deny)
			answer(g, child, FAN_OPEN_PERM, FAN_ALLOW);
		CHECK_EQ(result(child), deny ? EPERM : 0);
	}
	events_expect_no_more(g);
}
