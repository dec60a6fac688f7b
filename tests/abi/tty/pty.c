/* SPDX-License-Identifier: MIT */
/* A pseudo-terminal for a case to play with; see pty.h. */
#include "pty.h"

#define PATIENCE_MS 8000

static int ready[2];

void
pty_open(struct pty *p)
{
	int number, unlock = 0;

	p->master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(p->master, TIOCSPTLCK, &unlock));
	CHECK_OK(ioctl(p->master, TIOCGPTN, &number));
	snprintf(p->name, sizeof(p->name), "/dev/pts/%d", number);
	p->slave = CHECK_OK(open(p->name, O_RDWR | O_NOCTTY));
}

static void
get(struct pty *p, struct termios *t)
{
	CHECK_OK(tcgetattr(p->slave, t));
}

static void
set(struct pty *p, const struct termios *t)
{
	CHECK_OK(tcsetattr(p->slave, TCSANOW, t));
}

void
pty_iflag(struct pty *p, tcflag_t clear, tcflag_t flags)
{
	struct termios t;

	get(p, &t);
	t.c_iflag = (t.c_iflag & ~clear) | flags;
	set(p, &t);
}

void
pty_oflag(struct pty *p, tcflag_t clear, tcflag_t flags)
{
	struct termios t;

	get(p, &t);
	t.c_oflag = (t.c_oflag & ~clear) | flags;
	set(p, &t);
}

void
pty_lflag(struct pty *p, tcflag_t clear, tcflag_t flags)
{
	struct termios t;

	get(p, &t);
	t.c_lflag = (t.c_lflag & ~clear) | flags;
	set(p, &t);
}

void
pty_cc(struct pty *p, int index, cc_t value)
{
	struct termios t;

	get(p, &t);
	t.c_cc[index] = value;
	set(p, &t);
}

void
pty_raw(struct pty *p, cc_t min, cc_t time)
{
	struct termios t;

	get(p, &t);
	cfmakeraw(&t);
	t.c_cc[VMIN] = min;
	t.c_cc[VTIME] = time;
	set(p, &t);
}

void
pty_type(int fd, const char *text)
{
	check_write_all(fd, text, strlen(text));
}

/* The bytes as C would write them. */
static void
show(char *to, size_t room, const char *bytes, size_t size)
{
	size_t at = 0;

	to[0] = '\0';
	for (size_t i = 0; i < size && at + 6 < room; i++) {
		unsigned char c = (unsigned char)bytes[i];
		at += (size_t)snprintf(to + at, room - at, c < 32 || c > 126 ? "\\x%02x" : "%c", c);
	}
}

void
pty_expect_at(const char *file, int line, int fd, const char *text, size_t size)
{
	static char got[8192];
	char got_text[300], want_text[300];
	size_t done = 0;
	long long start = check_now_ms();

	while (done < size && check_now_ms() - start < PATIENCE_MS) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, 100) <= 0)
			continue;
		ssize_t n = read(fd, got + done, size - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == size && memcmp(got, text, size) == 0)
		return;
	show(got_text, sizeof(got_text), got, done);
	show(want_text, sizeof(want_text), text, size);
	check_fail(file, line, "reading fd %d (got \"%s\", want \"%s\")", fd, got_text, want_text);
}

void
pty_expect_nothing_at(const char *file, int line, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&p, 1, 40) == 0)
		return;
	ssize_t n = read(fd, &byte, 1);
	check_fail(file, line, "fd %d must be quiet (got %s %#x)", fd,
		   n > 0 ? "byte" : n == 0 ? "end of file" : "error",
		   n > 0 ? (unsigned char)byte : (unsigned)errno);
}

void
pty_settle(int fd, int size)
{
	int now = 0;

	for (int i = 0; i < PATIENCE_MS / 2; i++) {
		CHECK_OK(ioctl(fd, FIONREAD, &now));
		if (now >= size)
			return;
		check_sleep_ms(2);
	}
	FAIL("what was typed (got %d bytes, want %d)", now, size);
}

pid_t
pty_session(struct pty *p, void (*body)(struct pty *p), bool keep_master)
{
	pid_t pid = check_fork();

	if (pid != 0)
		return pid;
	if (!keep_master)
		CHECK_OK(close(p->master));
	CHECK_OK(setsid());
	int slave = CHECK_OK(open(p->name, O_RDWR));
	CHECK_OK(close(p->slave));
	p->slave = slave;
	CHECK_EQ(tcgetsid(slave), getpid());
	body(p);
	_exit(0);
}

void
pty_make_ready(void)
{
	CHECK_OK(pipe(ready));
}

void
pty_signal_ready(void)
{
	check_write_all(ready[1], "r", 1);
}

void
pty_wait_ready(void)
{
	char c;
	struct pollfd p = { .fd = ready[0], .events = POLLIN };

	if (poll(&p, 1, -1) != 1)
		FAIL("the child is not ready (got nothing, want a byte)");
	check_read_all(ready[0], &c, 1);
}

/* As openpty() of a server that leads a session, and then login_tty() of its child. */
TEST(peer_opened_without_becoming_the_controlling_terminal)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		int zero = 0, master, slave;

		CHECK_OK(setsid());
		master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
		CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
		slave = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
		CHECK_EQ(fcntl(slave, F_GETFL) & O_NOCTTY, 0);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		pid_t child = check_fork();
		if (child == 0) {
			CHECK_OK(setsid());
			CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
			CHECK_OK(open("/dev/tty", O_RDWR));
			_exit(0);
		}
		CHECK_EXIT(child, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	pid = check_fork();
	if (pid == 0) {
		int zero = 0, master;

		CHECK_OK(setsid());
		master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
		CHECK_OK(ioctl(master, TIOCSPTLCK, &zero));
		CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR));
		CHECK_OK(open("/dev/tty", O_RDWR));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(pty_times_tell_of_reading_and_writing)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct stat st;
	struct pty p;
	char text[8];

	pty_open(&p);
	pty_raw(&p, 1, 0);
	CHECK_OK(utimensat(AT_FDCWD, p.name, old, 0));
	pty_type(p.master, "x");
	pty_settle(p.slave, 1);
	CHECK_OK(fstat(p.slave, &st));
	CHECK(st.st_atime == 1000 && st.st_mtime == 2000);
	CHECK_EQ(read(p.slave, text, 8), 1);
	CHECK_OK(stat(p.name, &st));
	CHECK(st.st_atime > 1000 && st.st_mtime == 2000);
	CHECK_EQ(write(p.slave, "y", 1), 1);
	CHECK_OK(stat(p.name, &st));
	CHECK(st.st_mtime > 2000);

	/* The master's are those of the ptmx that it was opened by: the other way round. */
	CHECK_OK(futimens(p.master, old));
	CHECK_EQ(read(p.master, text, 8), 1);
	CHECK_OK(fstat(p.master, &st));
	CHECK(st.st_atime > 1000 && st.st_mtime == 2000);
	pty_type(p.master, "z");
	CHECK_OK(fstat(p.master, &st));
	CHECK(st.st_mtime > 2000);
}

/* Reads a byte that is there by `fd`; which second its access time has then, and the nanoseconds. */
static struct timespec
time_after_reading(struct pty *p, struct timespec accessed)
{
	struct timespec times[2] = { accessed, { .tv_nsec = UTIME_OMIT } };
	struct stat st;
	char text[8];

	CHECK_OK(futimens(p->slave, times));
	pty_type(p->master, "x");
	CHECK_EQ(read(p->slave, text, 8), 1);
	CHECK_OK(fstat(p->slave, &st));
	return st.st_atim;
}

TEST(pty_times_are_those_of_eight_seconds)
{
	struct timespec got;
	time_t begin, end;
	struct pty p;

	pty_open(&p);
	pty_raw(&p, 1, 0);
	do { /* until both are done within the same eight seconds */
		begin = time(NULL);
		got = time_after_reading(&p, (struct timespec){ .tv_sec = begin & ~7l, .tv_nsec = 5 });
		end = time(NULL);
	} while (begin >> 3 != end >> 3);
	CHECK(got.tv_sec == (begin & ~7l) && got.tv_nsec == 5);

	/* A second before is another eight; the nanoseconds are left. */
	begin = time(NULL);
	got = time_after_reading(&p, (struct timespec){ .tv_sec = (begin & ~7l) - 1, .tv_nsec = 5 });
	end = time(NULL);
	CHECK(got.tv_sec >= begin && got.tv_sec <= end && got.tv_nsec == 5);
}
