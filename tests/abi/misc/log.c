/* SPDX-License-Identifier: MIT */
/*
 * log.c - the kernel's log as programs see it: /dev/kmsg and syslog(2).
 */
#include <poll.h>

#include "../check.h"

enum { READ_ALL = 3, CLEAR = 5, CONSOLE_LEVEL = 8, UNREAD = 9, SIZE = 10 };

static int
open_at_end(int flags)
{
	int fd = CHECK_OK(open("/dev/kmsg", O_RDWR | flags));

	CHECK_OK(lseek(fd, 0, SEEK_END));
	return fd;
}

/* Linux takes a text without a newline for the first part of a line, and shows it with the next. */
#define SAY(fd, text) CHECK_EQ(write(fd, text "\n", strlen(text) + 1), strlen(text) + 1)

/* The next record that holds `text`; others may come between. */
static void
find_record(int fd, const char *text, char *record, size_t size)
{
	for (;;) {
		ssize_t n = CHECK_OK(read(fd, record, size - 1));

		record[n] = '\0';
		if (strstr(record, text))
			return;
	}
}

TEST(kmsg_write_becomes_a_record)
{
	int fd = open_at_end(O_NONBLOCK);
	unsigned int priority, again;
	unsigned long long sequence, time, next;
	char record[1024];

	SAY(fd, "<3>first words");
	SAY(fd, "second words");
	find_record(fd, "first words", record, sizeof(record));
	CHECK_EQ(sscanf(record, "%u,%llu,%llu,", &priority, &sequence, &time), 3);
	CHECK_EQ(priority, 1 << 3 | 3); /* facility: user */
	CHECK_STR(strchr(record, ';'), ";first words\n");
	find_record(fd, "second words", record, sizeof(record));
	CHECK_EQ(sscanf(record, "%u,%llu,", &again, &next), 2);
	CHECK_EQ(again, 1 << 3 | 4); /* the level of who says none: warning */
	CHECK(next > sequence);
}

TEST(kmsg_facility_kernel_is_not_for_programs)
{
	int fd = open_at_end(O_NONBLOCK);
	char record[1024];

	SAY(fd, "<6>as the kernel");
	SAY(fd, "<30>as a daemon");
	find_record(fd, "as the kernel", record, sizeof(record));
	CHECK_EQ(atoi(record), 1 << 3 | 6);
	find_record(fd, "as a daemon", record, sizeof(record));
	CHECK_EQ(atoi(record), 30);
}

TEST(kmsg_read_waits_for_a_record)
{
	int fd = open_at_end(0);
	char record[1024];
	pid_t child = CHECK_OK(fork());

	if (child == 0) {
		usleep(100000);
		SAY(fd, "worth waiting for");
		_exit(0);
	}
	find_record(fd, "worth waiting for", record, sizeof(record));
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(kmsg_poll_tells_of_a_record)
{
	int fd = open_at_end(O_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char record[1024];
	pid_t child;

	/* The kernel itself may say something at any time. */
	while (read(fd, record, sizeof(record)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	child = CHECK_OK(fork());
	if (child == 0) {
		usleep(100000);
		SAY(fd, "polled");
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLIN);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(kmsg_record_does_not_come_in_parts)
{
	int fd = open_at_end(O_NONBLOCK);
	char record[1024] = "";

	SAY(fd, "too long for a small buffer");
	CHECK_ERRNO(read(fd, record, 8), EINVAL);
	SAY(fd, "the next");
	while (CHECK_OK(read(fd, record, sizeof(record) - 1)) && !strstr(record, "the next"))
		CHECK(!strstr(record, "too long")); /* it was not kept */
}

TEST(kmsg_seeks_to_ends_only)
{
	int fd = open_at_end(O_NONBLOCK);

	CHECK_ERRNO(lseek(fd, 1, SEEK_SET), ESPIPE);
	CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), EINVAL);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_OK(lseek(fd, 0, SEEK_DATA));
}

TEST(kmsg_long_write_is_refused)
{
	static char text[4096];
	int fd = open_at_end(O_NONBLOCK);

	memset(text, 'x', sizeof(text));
	CHECK_ERRNO(write(fd, text, sizeof(text)), EINVAL);
}

TEST(syslog_clear_hides_what_was)
{
	static char text[1 << 20];
	int fd = open_at_end(O_NONBLOCK);
	long n;

	SAY(fd, "before the line");
	n = CHECK_OK(syscall(SYS_syslog, READ_ALL, text, sizeof(text) - 1));
	text[n] = '\0';
	CHECK(strstr(text, "before the line"));
	CHECK_EQ(syscall(SYS_syslog, CLEAR, NULL, 0), 0);
	SAY(fd, "behind the line");
	n = CHECK_OK(syscall(SYS_syslog, READ_ALL, text, sizeof(text) - 1));
	text[n] = '\0';
	CHECK(!strstr(text, "before the line"));
	CHECK(strstr(text, "behind the line"));

	/* From SEEK_DATA on, /dev/kmsg begins there too; from the start it has everything. */
	CHECK_OK(lseek(fd, 0, SEEK_DATA));
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = '\0';
	CHECK(!strstr(text, "before the line"));
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	find_record(fd, "before the line", text, sizeof(text));
}

TEST(syslog_knows_its_actions)
{
	char text[16];

	CHECK(CHECK_OK(syscall(SYS_syslog, SIZE, NULL, 0)) >= 4096);
	CHECK(CHECK_OK(syscall(SYS_syslog, UNREAD, NULL, 0)) >= 0);
	CHECK_ERRNO(syscall(SYS_syslog, 11, text, sizeof(text)), EINVAL);
	CHECK_ERRNO(syscall(SYS_syslog, READ_ALL, NULL, 16), EINVAL);
	CHECK_ERRNO(syscall(SYS_syslog, READ_ALL, text, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_syslog, CONSOLE_LEVEL, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_syslog, CONSOLE_LEVEL, NULL, 9), EINVAL);
}
