/* SPDX-License-Identifier: MIT */
/* Terminals and processes: pairs, sessions, job control, hangup, window size, packet mode. */
#include "pty.h"

static volatile sig_atomic_t signals_seen;

static void
count_signal(int sig __attribute__((unused)))
{
	signals_seen++;
}

static void
pause_body(struct pty *p __attribute__((unused)))
{
	pty_signal_ready();
	for (;;)
		pause();
}

TEST(pair_has_a_number_a_name_and_a_lock)
{
	int number, lock = 1;
	char name[64];
	struct stat st;
	int m = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));

	CHECK_OK(ioctl(m, TIOCGPTN, &number));
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	CHECK_STR(ptsname(m), name);
	CHECK_OK(ioctl(m, TIOCSPTLCK, &lock));
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
	lock = 0;
	CHECK_OK(ioctl(m, TIOCSPTLCK, &lock));
	int s = CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	CHECK(isatty(s));
	CHECK_STR(ttyname(s), name);
	CHECK_OK(fstat(s, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev >> 8, 136);
	CHECK_EQ(st.st_rdev & 0xff, number);
	int other = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	int number2;
	CHECK_OK(ioctl(other, TIOCGPTN, &number2));
	CHECK(number2 != number);
}

TEST(peer_opens_without_a_path)
{
	struct pty p;

	pty_open(&p);
	int s = ioctl(p.master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (s < 0 && errno == ENOTTY)
		SKIP("no TIOCGPTPEER");
	CHECK(s >= 0);
	pty_type(s, "x");
	pty_expect(p.master, "x");
}

TEST(name_disappears_with_the_master)
{
	struct pty p;

	pty_open(&p);
	CHECK_OK(access(p.name, F_OK));
	CHECK_OK(close(p.slave));
	CHECK_OK(close(p.master));
	CHECK_ERRNO(access(p.name, F_OK), ENOENT);
}

TEST(terminal_calls_on_other_files)
{
	struct termios t;
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(tcgetattr(ends[0], &t), ENOTTY);
	CHECK_ERRNO(tcgetattr(200, &t), EBADF);
	CHECK_ERRNO(tcgetpgrp(ends[0]), ENOTTY);
	struct pty p;
	pty_open(&p);
	CHECK_ERRNO(ioctl(p.slave, TCGETS, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(p.slave, TCSETS, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(p.slave, TIOCGWINSZ, check_bad_address()), EFAULT);
	CHECK_ERRNO(lseek(p.slave, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(tcgetpgrp(p.slave), ENOTTY);
	CHECK_ERRNO(tcsetpgrp(p.slave, getpgrp()), ENOTTY);
	CHECK_ERRNO(tcgetsid(p.slave), ENOTTY);
}

TEST(master_reads_eio_when_the_slave_is_closed)
{
	struct pty p;
	char c;

	pty_open(&p);
	pty_type(p.slave, "last");
	CHECK_OK(close(p.slave));
	pty_expect(p.master, "last");
	CHECK_ERRNO(read(p.master, &c, 1), EIO);
	struct pollfd f = { .fd = p.master, .events = POLLIN };
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents & POLLHUP, POLLHUP);
	p.slave = CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
	pty_type(p.slave, "again");
	pty_expect(p.master, "again");
}

TEST(slave_is_hung_up_when_the_master_closes)
{
	struct pty p;
	char c;
	struct termios t;

	pty_open(&p);
	CHECK_OK(close(p.master));
	CHECK_EQ(read(p.slave, &c, 1), 0);
	CHECK_ERRNO(write(p.slave, "x", 1), EIO);
	CHECK_ERRNO(tcgetattr(p.slave, &t), EIO);
	struct pollfd f = { .fd = p.slave, .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents & POLLHUP, POLLHUP);
}

TEST(blocked_reader_wakes_at_hangup)
{
	struct pty p;

	pty_open(&p);
	pid_t pid = check_fork();
	if (pid == 0) {
		char c;
		CHECK_OK(close(p.master));
		CHECK(read(p.slave, &c, 1) <= 0);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(close(p.master));
	CHECK_EXIT(pid, 0);
}

TEST(session_leader_gets_the_terminal_by_open)
{
	struct pty p;

	pty_open(&p);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		int quiet = CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
		CHECK_ERRNO(tcgetsid(quiet), ENOTTY);
		int s = CHECK_OK(open(p.name, O_RDWR));
		CHECK_EQ(tcgetsid(s), getpid());
		CHECK_EQ(tcgetpgrp(s), getpgrp());
		int t = CHECK_OK(open("/dev/tty", O_RDWR));
		pty_type(t, "via tty");
		CHECK(isatty(t));
		_exit(0);
	}
	pty_expect(p.master, "via tty");
	CHECK_EXIT(pid, 0);
}

TEST(tiocsctty_rules)
{
	struct pty p, q;

	pty_open(&p);
	pty_open(&q);
	CHECK_ERRNO(ioctl(p.slave, TIOCSCTTY, 0), EPERM);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(p.slave, TIOCSCTTY, 0));
		CHECK_OK(ioctl(p.slave, TIOCSCTTY, 0));
		CHECK_ERRNO(ioctl(q.slave, TIOCSCTTY, 0), EPERM);
		pid_t other = check_fork();
		if (other == 0) {
			CHECK_OK(setsid());
			CHECK_ERRNO(ioctl(p.slave, TIOCSCTTY, 0), EPERM);
			_exit(0);
		}
		CHECK_EXIT(other, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(terminal_is_free_after_its_session_ends)
{
	struct pty p;

	pty_open(&p);
	for (int i = 0; i < 2; i++) {
		pid_t pid = check_fork();
		if (pid == 0) {
			CHECK_OK(setsid());
			CHECK_OK(ioctl(p.slave, TIOCSCTTY, 0));
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
		CHECK_ERRNO(tcgetsid(p.slave), ENOTTY);
	}
}

static void
give_up_terminal(struct pty *p)
{
	signal(SIGHUP, count_signal);
	CHECK_OK(ioctl(p->slave, TIOCNOTTY));
	CHECK_EQ(signals_seen, 1);
	CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_ERRNO(tcgetpgrp(p->slave), ENOTTY);
}

TEST(tiocnotty_of_the_leader_hangs_up_the_foreground)
{
	struct pty p;

	pty_open(&p);
	CHECK_ERRNO(ioctl(p.slave, TIOCNOTTY), ENOTTY);
	CHECK_EXIT(pty_session(&p, give_up_terminal, false), 0);
}

TEST(interrupt_quit_and_suspend_characters)
{
	struct pty p;
	int status;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, pause_body, false);
	pty_wait_ready();
	pty_type(p.master, "\003");
	CHECK_KILLED(pid, SIGINT);
	pty_expect(p.master, "^C");
	pid = pty_session(&p, pause_body, false);
	pty_wait_ready();
	pty_type(p.master, "\034");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGQUIT);
	pty_expect(p.master, "^\\");
}

static void
suspend_body(struct pty *p)
{
	/* The leader's group is orphaned and would not stop, so a child's group is stopped. */
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setpgid(0, 0));
		signal(SIGTTOU, SIG_IGN);
		CHECK_OK(tcsetpgrp(p->slave, getpid()));
		pty_signal_ready();
		for (;;)
			pause();
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTSTP);
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(p->slave, getpgrp()));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(suspend_character_stops_the_foreground_job)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, suspend_body, false);
	pty_wait_ready();
	pty_type(p.master, "\032");
	CHECK_EXIT(pid, 0);
	pty_expect(p.master, "^Z");
}

static void
read_and_be_interrupted(struct pty *p)
{
	struct sigaction sa = { .sa_handler = count_signal };
	char c;

	CHECK_OK(sigaction(SIGINT, &sa, NULL));
	pty_signal_ready();
	CHECK_ERRNO(read(p->slave, &c, 1), EINTR);
	CHECK_EQ(signals_seen, 1);
	pty_signal_ready();
	CHECK_EQ(read(p->slave, &c, 1), 1);
	CHECK_EQ(c, 'x');
}

TEST(interrupt_discards_the_typed_line)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, read_and_be_interrupted, false);
	pty_wait_ready();
	check_wait_asleep(pid, 0);
	pty_type(p.master, "abc\003");
	pty_wait_ready(); /* interrupted; more before that would be read */
	pty_type(p.master, "x\n");
	CHECK_EXIT(pid, 0);
}

static void
read_kept_line(struct pty *p)
{
	char line[8];

	signal(SIGINT, SIG_IGN);
	pty_signal_ready();
	CHECK_EQ(read(p->slave, line, 8), 5);
	CHECK_MEM(line, "abcx\n", 5);
}

TEST(noflsh_keeps_the_typed_line)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pty_lflag(&p, 0, NOFLSH);
	pid_t pid = pty_session(&p, read_kept_line, false);
	pty_wait_ready();
	pty_type(p.master, "abc\003x\n");
	CHECK_EXIT(pid, 0);
}

TEST(without_isig_the_characters_are_data)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ISIG | ECHO, 0);
	pty_type(p.master, "\003\034\032\n");
	pty_expect(p.slave, "\003\034\032\n");
}

static void
only_foreground_is_hit(struct pty *p)
{
	pid_t pid = check_fork();
	if (pid == 0) {
		signal(SIGTTOU, SIG_IGN);
		CHECK_OK(setpgid(0, 0));
		CHECK_OK(tcsetpgrp(p->slave, getpid()));
		pty_signal_ready();
		for (;;)
			pause();
	}
	signal(SIGINT, count_signal);
	CHECK_KILLED(pid, SIGINT);
	CHECK_EQ(signals_seen, 0);
}

TEST(signals_go_to_the_foreground_group_only)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, only_foreground_is_hit, false);
	pty_wait_ready();
	pty_type(p.master, "\003");
	CHECK_EXIT(pid, 0);
}

/* A child in a background group of its own; returns its wait status when it ends or stops. */
static int
background(struct pty *p, void (*body)(struct pty *))
{
	int status;
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(setpgid(0, 0));
		body(p);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFSTOPPED(status)) {
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_KILLED(pid, SIGKILL);
	}
	return status;
}

static void
just_read(struct pty *p)
{
	char c;

	(void)!read(p->slave, &c, 1);
}

static void
just_write(struct pty *p)
{
	CHECK_EQ(write(p->slave, "w", 1), 1);
}

static void
read_ignoring(struct pty *p)
{
	char c;

	signal(SIGTTIN, SIG_IGN);
	CHECK_ERRNO(read(p->slave, &c, 1), EIO);
}

static void
write_ignoring(struct pty *p)
{
	signal(SIGTTOU, SIG_IGN);
	CHECK_EQ(write(p->slave, "i", 1), 1);
}

static void
set_modes(struct pty *p)
{
	struct termios t;

	CHECK_OK(tcgetattr(p->slave, &t));
	CHECK_OK(tcsetattr(p->slave, TCSANOW, &t));
}

static void
set_modes_blocking(struct pty *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	set_modes(p);
}

static void
background_reads(struct pty *p)
{
	int status = background(p, just_read);

	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTTIN);
	CHECK_EQ(background(p, read_ignoring), 0);
}

TEST(background_read_is_stopped_by_sigttin)
{
	struct pty p;

	pty_open(&p);
	CHECK_EXIT(pty_session(&p, background_reads, false), 0);
}

static void
background_writes(struct pty *p)
{
	CHECK_EQ(background(p, just_write), 0);
	pty_lflag(p, 0, TOSTOP);
	int status = background(p, just_write);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTTOU);
	CHECK_EQ(background(p, write_ignoring), 0);
}

TEST(background_write_is_stopped_only_with_tostop)
{
	struct pty p;

	pty_open(&p);
	pid_t pid = pty_session(&p, background_writes, false);
	pty_expect(p.master, "wi");
	CHECK_EXIT(pid, 0);
}

static void
background_modes(struct pty *p)
{
	int status = background(p, set_modes);

	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTTOU);
	CHECK_EQ(background(p, set_modes_blocking), 0);
}

TEST(background_change_of_modes_is_stopped)
{
	struct pty p;

	pty_open(&p);
	CHECK_EXIT(pty_session(&p, background_modes, false), 0);
}

TEST(orphaned_background_group_reads_eio)
{
	struct pty p;
	int ends[2];
	char c;

	pty_open(&p);
	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_OK(ioctl(p.slave, TIOCSCTTY, 0));
		pid_t middle = check_fork();
		if (middle == 0) {
			pid_t parent = getpid();
			if (check_fork_orphan() == 0) {
				CHECK_OK(setpgid(0, 0));
				while (getppid() == parent)
					check_sleep_ms(1);
				CHECK_ERRNO(read(p.slave, &c, 1), EIO);
				struct termios t;
				CHECK_OK(tcgetattr(p.slave, &t));
				CHECK_ERRNO(tcsetattr(p.slave, TCSANOW, &t), EIO);
				check_write_all(ends[1], "o", 1);
				_exit(0);
			}
			_exit(0);
		}
		CHECK_EXIT(middle, 0);
		check_read_all(ends[0], &c, 1);
		CHECK_EQ(c, 'o');
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static void
foreground_rules(struct pty *p)
{
	CHECK_EQ(tcgetpgrp(p->slave), getpgrp());
	CHECK_ERRNO(tcsetpgrp(p->slave, -1), EINVAL);
	CHECK_ERRNO(tcsetpgrp(p->slave, 4194300), ESRCH);
	CHECK_ERRNO(tcsetpgrp(p->slave, 1), EPERM);
	pid_t pid = check_fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	CHECK_OK(setpgid(pid, pid));
	CHECK_OK(tcsetpgrp(p->slave, pid));
	CHECK_EQ(tcgetpgrp(p->slave), pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(tcsetpgrp_rules)
{
	struct pty p;

	pty_open(&p);
	CHECK_EXIT(pty_session(&p, foreground_rules, false), 0);
}

TEST(closing_the_master_sends_sighup_to_the_session)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, pause_body, false);
	pty_wait_ready();
	CHECK_OK(close(p.slave));
	CHECK_OK(close(p.master));
	CHECK_KILLED(pid, SIGHUP);
}

static void
leader_leaves(struct pty *p __attribute__((unused)))
{
	if (check_fork_orphan() == 0) {
		sigset_t set;
		int sig;
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		pty_signal_ready();
		CHECK_RETURNS(sigwait(&set, &sig), 0);
		pty_signal_ready();
		_exit(0);
	}
	pty_wait_ready();
}

TEST(end_of_the_leader_sends_sighup_to_the_foreground)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, leader_leaves, false);
	CHECK_EXIT(pid, 0);
	pty_wait_ready();
}

static void
watch_window(struct pty *p)
{
	struct winsize w;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pty_signal_ready();
	CHECK_RETURNS(sigwait(&set, &sig), 0);
	CHECK_OK(ioctl(p->slave, TIOCGWINSZ, &w));
	CHECK_EQ(w.ws_row, 50);
	CHECK_EQ(w.ws_col, 132);
}

TEST(window_size_and_sigwinch)
{
	struct pty p;
	struct winsize w = { .ws_row = 77 };

	pty_open(&p);
	pty_make_ready();
	CHECK_OK(ioctl(p.slave, TIOCGWINSZ, &w));
	CHECK_EQ(w.ws_row, 0);
	pid_t pid = pty_session(&p, watch_window, false);
	pty_wait_ready();
	w = (struct winsize){ .ws_row = 50, .ws_col = 132 };
	CHECK_OK(ioctl(p.master, TIOCSWINSZ, &w));
	CHECK_EXIT(pid, 0);
	memset(&w, 0, sizeof(w));
	CHECK_OK(ioctl(p.master, TIOCGWINSZ, &w));
	CHECK_EQ(w.ws_col, 132);
}

static void
no_signal_for_the_same_size(struct pty *p)
{
	struct winsize w = { .ws_row = 10, .ws_col = 20 };

	signal(SIGWINCH, count_signal);
	CHECK_OK(ioctl(p->slave, TIOCSWINSZ, &w));
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(ioctl(p->slave, TIOCSWINSZ, &w));
	CHECK_EQ(signals_seen, 1);
}

TEST(same_window_size_sends_no_signal)
{
	struct pty p;

	pty_open(&p);
	CHECK_EXIT(pty_session(&p, no_signal_for_the_same_size, false), 0);
}

TEST(master_signals_the_foreground_by_ioctl)
{
	struct pty p;

	pty_open(&p);
	pty_make_ready();
	pid_t pid = pty_session(&p, pause_body, false);
	pty_wait_ready();
	CHECK_OK(ioctl(p.master, TIOCSIG, SIGINT));
	CHECK_KILLED(pid, SIGINT);
	CHECK_ERRNO(ioctl(p.master, TIOCSIG, 64 + 10), EINVAL);
}

TEST(packet_mode_prefixes_data_and_reports_events)
{
	struct pty p;
	char buffer[16];
	int on = 1;

	pty_open(&p);
	CHECK_OK(ioctl(p.master, TIOCPKT, &on));
	on = 0;
	CHECK_OK(ioctl(p.master, TIOCGPKT, &on));
	CHECK_EQ(on, 1);
	pty_type(p.slave, "ab");
	struct pollfd f = { .fd = p.master, .events = POLLIN };
	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(read(p.master, buffer, 16), 3);
	CHECK_MEM(buffer, "\0ab", 3);
	CHECK_OK(tcflush(p.slave, TCIFLUSH));
	CHECK_EQ(read(p.master, buffer, 16), 1);
	CHECK_EQ(buffer[0], TIOCPKT_FLUSHREAD);
	CHECK_OK(tcflow(p.slave, TCOOFF));
	f.events = POLLIN | POLLPRI;
	CHECK_EQ(poll(&f, 1, -1), 1);
	CHECK_EQ(f.revents & POLLPRI, POLLPRI);
	CHECK_EQ(read(p.master, buffer, 16), 1);
	CHECK_EQ(buffer[0], TIOCPKT_STOP);
	CHECK_OK(tcflow(p.slave, TCOON));
	CHECK_EQ(read(p.master, buffer, 16), 1);
	CHECK_EQ(buffer[0], TIOCPKT_START);
	on = 0;
	CHECK_OK(ioctl(p.master, TIOCPKT, &on));
	pty_type(p.slave, "c");
	pty_expect(p.master, "c");
}

TEST(exclusive_mode_is_ebusy_for_others)
{
	struct pty p;
	int on = -1;

	pty_open(&p);
	CHECK_OK(chmod(p.name, 0666));
	CHECK_OK(ioctl(p.slave, TIOCEXCL));
	CHECK_OK(ioctl(p.slave, 0x80045440 /* TIOCGEXCL */, &on));
	CHECK_EQ(on, 1);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(open(p.name, O_RDWR | O_NOCTTY), EBUSY);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(ioctl(p.slave, TIOCNXCL));
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(poll_of_both_sides)
{
	struct pty p;

	pty_open(&p);
	struct pollfd m = { .fd = p.master, .events = POLLIN | POLLOUT };
	struct pollfd s = { .fd = p.slave, .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&m, 1, 0), 1);
	CHECK_EQ(m.revents, POLLOUT);
	CHECK_EQ(poll(&s, 1, 0), 1);
	CHECK_EQ(s.revents, POLLOUT);
	pty_type(p.slave, "x");
	m.events = POLLIN;
	CHECK_EQ(poll(&m, 1, -1), 1);
	pty_type(p.master, "y\n");
	s.events = POLLIN;
	CHECK_EQ(poll(&s, 1, -1), 1);
	CHECK_EQ(s.revents, POLLIN);
}

TEST(master_write_blocks_when_the_reader_sleeps)
{
	static char block[4096];
	struct pty p;
	size_t total = 0;

	pty_open(&p);
	pty_raw(&p, 1, 0);
	CHECK_OK(fcntl(p.master, F_SETFL, O_NONBLOCK));
	for (int idle = 0; idle < 10 && total < 4 << 20;) {
		ssize_t n = write(p.master, block, sizeof(block));
		if (n > 0) {
			total += (size_t)n;
			idle = 0;
			continue;
		}
		CHECK_EQ(errno, EAGAIN);
		check_sleep_ms(10);
		idle++;
	}
	CHECK_RANGE(total, 4096, 2 << 20);
	struct pollfd m = { .fd = p.master, .events = POLLOUT };
	CHECK_EQ(poll(&m, 1, 0), 0);
	for (size_t done = 0; done < total;)
		done += (size_t)CHECK_OK(read(p.slave, block, sizeof(block)));
	CHECK_EQ(poll(&m, 1, -1), 1);
}

TEST(dev_tty_is_the_terminal_of_the_reader)
{
	struct pty p, q;

	pty_open(&p);
	pty_open(&q);
	struct pty *both[2] = { &p, &q };
	for (int i = 0; i < 2; i++) {
		pid_t pid = check_fork();
		if (pid == 0) {
			CHECK_OK(setsid());
			CHECK_OK(ioctl(both[i]->slave, TIOCSCTTY, 0));
			int t = CHECK_OK(open("/dev/tty", O_RDWR));
			pty_type(t, i ? "second" : "first");
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
	}
	pty_expect(p.master, "first");
	pty_expect(q.master, "second");
}
