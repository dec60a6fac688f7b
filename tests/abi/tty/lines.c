/* SPDX-License-Identifier: MIT */
/* The line discipline: editing, echo, translations, raw reads, flow control. */
#include "pty.h"

TEST(modes_at_the_start)
{
	struct pty p;
	struct termios t;

	pty_open(&p);
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_cflag, B38400 | CS8 | CREAD);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VQUIT], 28);
	CHECK_EQ(t.c_cc[VERASE], 127);
	CHECK_EQ(t.c_cc[VKILL], 21);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VMIN], 1);
	CHECK_EQ(t.c_cc[VTIME], 0);
	CHECK_EQ(t.c_cc[VSTART], 17);
	CHECK_EQ(t.c_cc[VSTOP], 19);
	CHECK_EQ(t.c_cc[VSUSP], 26);
	CHECK_EQ(t.c_cc[VEOL], 0);
	CHECK_EQ(t.c_cc[VREPRINT], 18);
	CHECK_EQ(t.c_cc[VWERASE], 23);
	CHECK_EQ(t.c_cc[VLNEXT], 22);
}

TEST(canonical_input_waits_for_the_line)
{
	struct pty p;
	int n;

	pty_open(&p);
	pty_type(p.master, "abc");
	pty_expect(p.master, "abc");
	pty_expect_nothing(p.slave);
	CHECK_OK(ioctl(p.slave, FIONREAD, &n));
	CHECK_EQ(n, 0);
	pty_type(p.master, "d\n");
	pty_expect(p.master, "d\r\n");
	CHECK_OK(ioctl(p.slave, FIONREAD, &n));
	CHECK_EQ(n, 5);
	pty_expect(p.slave, "abcd\n");
}

TEST(canonical_read_returns_one_line_at_most)
{
	struct pty p;
	char buffer[64];

	pty_open(&p);
	pty_type(p.master, "one\ntwo\n");
	pty_expect(p.master, "one\r\ntwo\r\n");
	CHECK_EQ(read(p.slave, buffer, 64), 4);
	CHECK_MEM(buffer, "one\n", 4);
	CHECK_EQ(read(p.slave, buffer, 2), 2);
	CHECK_EQ(read(p.slave, buffer, 64), 2);
	CHECK_MEM(buffer, "o\n", 2);
	pty_expect_nothing(p.slave);
}

TEST(erase_takes_one_character)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "ab\177c\n");
	pty_expect(p.master, "ab\b \bc\r\n");
	pty_expect(p.slave, "ac\n");
	pty_type(p.master, "\177\177x\n");
	pty_expect(p.master, "x\r\n");
	pty_expect(p.slave, "x\n");
}

TEST(erase_without_echoe_echoes_the_character)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHOE, 0);
	pty_type(p.master, "ab\177c\n");
	pty_expect(p.master, "ab^?c\r\n");
	pty_expect(p.slave, "ac\n");
}

TEST(erase_of_a_control_character_takes_two_columns)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "a\001\177\n");
	pty_expect(p.master, "a^A\b \b\b \b\r\n");
	pty_expect(p.slave, "a\n");
}

TEST(erase_of_a_tab_goes_back_to_its_column)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "ab\t\177c\n");
	pty_expect(p.master, "ab\t\b\b\b\b\b\bc\r\n");
	pty_expect(p.slave, "abc\n");
}

TEST(erase_takes_a_whole_utf8_character)
{
	struct pty p;

	pty_open(&p);
	pty_iflag(&p, 0, IUTF8);
	pty_type(p.master, "a\303\251\177b\n");
	pty_expect(p.master, "a\303\251\b \bb\r\n");
	pty_expect(p.slave, "ab\n");
}

TEST(word_erase)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "one two  \027x\n");
	pty_expect(p.master, "one two  \b \b\b \b\b \b\b \b\b \bx\r\n");
	pty_expect(p.slave, "one x\n");
}

TEST(kill_takes_the_line)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "abc\025de\n");
	pty_expect(p.master, "abc\b \b\b \b\b \bde\r\n");
	pty_expect(p.slave, "de\n");
	pty_lflag(&p, ECHOKE, 0);
	pty_type(p.master, "abc\025de\n");
	pty_expect(p.master, "abc^U\r\nde\r\n");
	pty_expect(p.slave, "de\n");
}

TEST(reprint_shows_the_line_again)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "abc\022d\n");
	pty_expect(p.master, "abc^R\r\nabcd\r\n");
	pty_expect(p.slave, "abcd\n");
}

TEST(lnext_takes_the_next_literally)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "a\026\177\026\003\026\004\n");
	pty_expect(p.slave, "a\177\003\004\n");
	pty_expect(p.master, "a^\b^?^\b^C^\b^D\r\n");
}

TEST(without_iexten_lnext_and_word_erase_are_data)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, IEXTEN | ECHO, 0);
	pty_type(p.master, "a b\027\026\n");
	pty_expect(p.slave, "a b\027\026\n");
}

TEST(eof_on_an_empty_line_is_end_of_file_once)
{
	struct pty p;
	char c;

	pty_open(&p);
	pty_type(p.master, "\004");
	CHECK_EQ(read(p.slave, &c, 1), 0);
	pty_expect_nothing(p.slave);
	pty_expect_nothing(p.master);
}

TEST(eof_in_a_line_delivers_it_without_newline)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_type(p.master, "abc\004");
	CHECK_EQ(read(p.slave, buffer, 16), 3);
	CHECK_MEM(buffer, "abc", 3);
	pty_expect_nothing(p.slave);
	pty_type(p.master, "ab\004\004");
	CHECK_EQ(read(p.slave, buffer, 2), 2);
	CHECK_EQ(read(p.slave, buffer, 16), 0);
}

TEST(eol_characters_end_lines_and_are_delivered)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_cc(&p, VEOL, ';');
	pty_cc(&p, VEOL2, '!');
	pty_type(p.master, "a;b!c\n");
	pty_expect(p.master, "a;b!c\r\n");
	CHECK_EQ(read(p.slave, buffer, 16), 2);
	CHECK_MEM(buffer, "a;", 2);
	CHECK_EQ(read(p.slave, buffer, 16), 2);
	CHECK_MEM(buffer, "b!", 2);
	CHECK_EQ(read(p.slave, buffer, 16), 2);
}

TEST(changed_and_disabled_control_characters)
{
	struct pty p;

	pty_open(&p);
	pty_cc(&p, VERASE, '#');
	pty_cc(&p, VKILL, _POSIX_VDISABLE);
	pty_type(p.master, "ab#c\025\177\n");
	pty_expect(p.slave, "ac\025\177\n");
}

TEST(echo_can_be_switched_off)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	pty_type(p.master, "secret\n");
	pty_expect(p.slave, "secret\n");
	pty_expect_nothing(p.master);
	pty_lflag(&p, 0, ECHONL);
	pty_type(p.master, "secret\n");
	pty_expect(p.slave, "secret\n");
	pty_expect(p.master, "\r\n");
	pty_expect_nothing(p.master);
}

TEST(control_characters_echo_with_a_caret)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "\001\033[\n");
	pty_expect(p.master, "^A^[[\r\n");
	pty_lflag(&p, ECHOCTL, 0);
	pty_type(p.master, "\001\n");
	pty_expect(p.master, "\001\r\n");
	pty_expect(p.slave, "\001\033[\n\001\n");
}

TEST(input_newline_translations)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHO | ICANON, 0);
	pty_type(p.master, "a\rb\n");
	pty_expect(p.slave, "a\nb\n");
	pty_iflag(&p, ICRNL, 0);
	pty_type(p.master, "a\rb\n");
	pty_expect(p.slave, "a\rb\n");
	pty_iflag(&p, 0, IGNCR | ICRNL);
	pty_type(p.master, "a\rb\n");
	pty_expect(p.slave, "ab\n");
	pty_iflag(&p, IGNCR | ICRNL, INLCR);
	pty_type(p.master, "a\rb\n");
	pty_expect(p.slave, "a\rb\r");
}

TEST(input_strip_case_and_parity_marks)
{
	struct pty p;

	pty_open(&p);
	pty_raw(&p, 1, 0);
	pty_iflag(&p, 0, ISTRIP);
	pty_type(p.master, "\341b");
	pty_expect(p.slave, "ab");
	pty_iflag(&p, ISTRIP, IUCLC);
	pty_lflag(&p, 0, IEXTEN);
	pty_type(p.master, "AbC");
	pty_expect(p.slave, "abc");
	pty_iflag(&p, IUCLC, PARMRK);
	pty_type(p.master, "a\377b");
	pty_expect(p.slave, "a\377\377b");
}

TEST(output_translations)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.slave, "a\nb\rc");
	pty_expect(p.master, "a\r\nb\rc");
	pty_oflag(&p, ONLCR, OCRNL);
	pty_type(p.slave, "a\nb\rc");
	pty_expect(p.master, "a\nb\nc");
	pty_oflag(&p, OCRNL, ONOCR);
	pty_type(p.slave, "\n\rx\r");
	pty_expect(p.master, "\n");
	pty_oflag(&p, OPOST, 0);
	struct pty q;
	pty_open(&q);
	pty_oflag(&q, OPOST, 0);
	pty_type(q.slave, "a\nb\rc\t");
	pty_expect(q.master, "a\nb\rc\t");
	pty_oflag(&q, 0, OPOST | OLCUC);
	pty_type(q.slave, "aBc");
	pty_expect(q.master, "ABC");
}

TEST(output_tabs_expand_with_tab3)
{
	struct pty p;

	pty_open(&p);
	pty_oflag(&p, 0, TAB3);
	pty_type(p.slave, "a\tb\n\tc");
	pty_expect(p.master, "a       b\r\n        c");
}

TEST(line_longer_than_the_buffer_is_cut)
{
	static char line[6000], got[8192];
	struct pty p;
	size_t done = 0;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	memset(line, 'x', sizeof(line));
	CHECK_OK(fcntl(p.master, F_SETFL, O_NONBLOCK));
	for (int tries = 0; done < sizeof(line) && tries < 200; tries++) {
		ssize_t n = write(p.master, line + done, sizeof(line) - done);
		if (n > 0)
			done += (size_t)n;
		else
			check_sleep_ms(5);
	}
	CHECK_EQ(done, sizeof(line));
	check_sleep_ms(200);
	pty_type(p.master, "\n");
	ssize_t n = CHECK_OK(read(p.slave, got, sizeof(got)));
	CHECK_EQ(n, 4096);
	CHECK_EQ(got[4094], 'x');
	CHECK_EQ(got[4095], '\n');
}

TEST(raw_min_one_returns_what_is_there)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_raw(&p, 1, 0);
	pty_type(p.master, "a\r\n\003");
	pty_settle(p.slave, 4);
	CHECK_EQ(read(p.slave, buffer, 16), 4);
	CHECK_MEM(buffer, "a\r\n\003", 4);
	pty_expect_nothing(p.master);
}

TEST(raw_min_zero_time_zero_polls)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_raw(&p, 0, 0);
	CHECK_EQ(read(p.slave, buffer, 16), 0);
	pty_type(p.master, "ab");
	pty_settle(p.slave, 2);
	CHECK_EQ(read(p.slave, buffer, 16), 2);
	CHECK_EQ(read(p.slave, buffer, 16), 0);
}

TEST(raw_min_zero_with_time_waits_that_long)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_raw(&p, 0, 2);
	long long start = check_now_ms();
	CHECK_EQ(read(p.slave, buffer, 16), 0);
	CHECK_RANGE(check_now_ms() - start, 190, 5000);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(20);
		pty_type(p.master, "x");
		_exit(0);
	}
	pty_raw(&p, 0, 50);
	CHECK_EQ(read(p.slave, buffer, 16), 1);
	CHECK_RANGE(check_now_ms() - start, 0, 4500);
	CHECK_EXIT(pid, 0);
}

TEST(raw_min_three_waits_for_three)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_raw(&p, 3, 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			check_sleep_ms(30);
			pty_type(p.master, "x");
		}
		_exit(0);
	}
	CHECK_EQ(read(p.slave, buffer, 16), 3);
	CHECK_EXIT(pid, 0);
	pty_type(p.master, "ab");
	CHECK_EQ(read(p.slave, buffer, 2), 2);
}

TEST(raw_min_three_with_time_ends_at_a_gap)
{
	struct pty p;
	char buffer[16];

	pty_open(&p);
	pty_raw(&p, 3, 2);
	pty_type(p.master, "x");
	long long start = check_now_ms();
	CHECK_EQ(read(p.slave, buffer, 16), 1);
	CHECK_RANGE(check_now_ms() - start, 150, 5000);
}

TEST(raw_poll_waits_for_vmin)
{
	struct pty p;

	pty_open(&p);
	pty_raw(&p, 3, 0);
	struct pollfd f = { .fd = p.slave, .events = POLLIN };
	pty_type(p.master, "ab");
	pty_settle(p.slave, 2);
	CHECK_EQ(poll(&f, 1, 0), 0);
	pty_type(p.master, "c");
	CHECK_EQ(poll(&f, 1, -1), 1);
	pty_raw(&p, 3, 1);
	pty_expect(p.slave, "abc");
	pty_type(p.master, "d");
	CHECK_EQ(poll(&f, 1, -1), 1);
}

TEST(nonblocking_read_is_eagain)
{
	struct pty p;
	char c;

	pty_open(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_OK(fcntl(p.master, F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(p.slave, &c, 1), EAGAIN);
	CHECK_ERRNO(read(p.master, &c, 1), EAGAIN);
	pty_type(p.master, "abc");
	check_sleep_ms(200);
	CHECK_ERRNO(read(p.slave, &c, 1), EAGAIN);
}

TEST(unfinished_line_becomes_readable_in_raw_mode)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "abc");
	pty_expect(p.master, "abc");
	pty_expect_nothing(p.slave);
	pty_lflag(&p, ICANON, 0);
	pty_expect(p.slave, "abc");
}

TEST(tcsaflush_discards_input_and_tcsadrain_does_not)
{
	struct pty p;
	struct termios t;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	pty_type(p.master, "one\n");
	pty_settle(p.slave, 4);
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK_OK(tcsetattr(p.slave, TCSADRAIN, &t));
	pty_expect(p.slave, "one\n");
	pty_type(p.master, "two\n");
	pty_settle(p.slave, 4);
	CHECK_OK(tcsetattr(p.slave, TCSAFLUSH, &t));
	pty_expect_nothing(p.slave);
}

TEST(tcflush_discards_input)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	pty_type(p.master, "one\n");
	pty_settle(p.slave, 4);
	CHECK_OK(tcflush(p.slave, TCIFLUSH));
	pty_expect_nothing(p.slave);
	CHECK_OK(tcflush(p.slave, TCOFLUSH));
	CHECK_OK(tcflush(p.slave, TCIOFLUSH));
	CHECK_ERRNO(tcflush(p.slave, 77), EINVAL);
	CHECK_OK(tcdrain(p.slave));
	CHECK_OK(tcsendbreak(p.slave, 0));
}

TEST(ixon_stops_and_starts_output)
{
	struct pty p;

	pty_open(&p);
	pty_type(p.master, "\023");
	check_sleep_ms(200);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(write(p.slave, "x", 1), EAGAIN);
	pty_expect_nothing(p.master);
	pty_type(p.master, "\021");
	check_sleep_ms(200);
	CHECK_EQ(write(p.slave, "y", 1), 1);
	pty_expect(p.master, "y");
	pty_expect_nothing(p.slave);
}

TEST(ixany_starts_output_by_any_character)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	pty_iflag(&p, 0, IXANY);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	pty_type(p.master, "\023");
	check_sleep_ms(200);
	CHECK_ERRNO(write(p.slave, "x", 1), EAGAIN);
	pty_type(p.master, "a");
	check_sleep_ms(200);
	CHECK_EQ(write(p.slave, "y", 1), 1);
	pty_expect(p.master, "y");
}

TEST(without_ixon_flow_characters_are_data)
{
	struct pty p;

	pty_open(&p);
	pty_lflag(&p, ECHO, 0);
	pty_iflag(&p, IXON, 0);
	pty_type(p.master, "\023\021\n");
	pty_expect(p.slave, "\023\021\n");
}

TEST(tcflow_suspends_output_and_sends_stop)
{
	struct pty p;

	pty_open(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_OK(tcflow(p.slave, TCOOFF));
	CHECK_ERRNO(write(p.slave, "x", 1), EAGAIN);
	CHECK_OK(tcflow(p.slave, TCOON));
	CHECK_EQ(write(p.slave, "x", 1), 1);
	pty_expect(p.master, "x");
	CHECK_OK(tcflow(p.slave, TCIOFF));
	pty_expect(p.master, "\023");
	CHECK_OK(tcflow(p.slave, TCION));
	pty_expect(p.master, "\021");
	CHECK_ERRNO(tcflow(p.slave, 77), EINVAL);
}

TEST(queue_lengths)
{
	struct pty p;
	int n = -1;

	pty_open(&p);
	pty_raw(&p, 1, 0);
	CHECK_OK(ioctl(p.slave, TIOCINQ, &n));
	CHECK_EQ(n, 0);
	pty_type(p.master, "abcde");
	pty_settle(p.slave, 5);
	CHECK_OK(ioctl(p.slave, TIOCINQ, &n));
	CHECK_EQ(n, 5);
	CHECK_OK(ioctl(p.slave, TIOCOUTQ, &n));
	CHECK_EQ(n, 0);
}

TEST(typed_ahead_by_tiocsti)
{
	struct pty p;
	char c = 'z';

	pty_open(&p);
	if (ioctl(p.slave, TIOCSTI, &c) < 0 && (errno == EIO || errno == EPERM))
		SKIP("TIOCSTI is switched off");
	c = '\n';
	CHECK_OK(ioctl(p.slave, TIOCSTI, &c));
	pty_expect(p.slave, "z\n");
}

TEST(a_hundred_kilobytes_each_way)
{
	enum { SIZE = 100000 };
	static char data[SIZE];
	struct pty p;
	unsigned long want = 0, got = 0;

	TIMEOUT(60);
	pty_open(&p);
	pty_raw(&p, 1, 0);
	for (int i = 0; i < SIZE; i++) {
		data[i] = (char)(i * 31 + i / 256);
		want = want * 131 + (unsigned char)data[i];
	}
	pid_t pid = check_fork();
	if (pid == 0) {
		check_write_all(p.master, data, SIZE);
		memset(data, 0, SIZE);
		check_read_all(p.master, data, SIZE);
		for (int i = 0; i < SIZE; i++)
			got = got * 131 + (unsigned char)data[i];
		_exit(got == want ? 0 : 1);
	}
	static char back[SIZE];
	check_read_all(p.slave, back, SIZE);
	for (int i = 0; i < SIZE; i++)
		got = got * 131 + (unsigned char)back[i];
	CHECK_EQ(got, want);
	check_write_all(p.slave, back, SIZE);
	CHECK_EXIT(pid, 0);
}

TEST(locked_settings_stay)
{
	/* The layouts of the kernel, not of the C library. */
	struct { unsigned int iflag, oflag, cflag, lflag; unsigned char line, cc[19]; } lock = { 0 }, got;
	struct termios t, was;
	struct pty p;

	pty_open(&p);
	memset(&got, 0xff, sizeof(got));
	CHECK_OK(ioctl(p.slave, TIOCGLCKTRMIOS, &got));
	CHECK_MEM(&got, &lock, sizeof(got));
	lock.lflag = ECHO | ICANON;
	lock.iflag = ICRNL;
	lock.cc[VINTR] = 1;
	CHECK_OK(ioctl(p.slave, TIOCSLCKTRMIOS, &lock));
	CHECK_OK(ioctl(p.slave, TIOCGLCKTRMIOS, &got));
	CHECK_MEM(&got, &lock, sizeof(got));

	CHECK_OK(tcgetattr(p.slave, &was));
	t = was;
	t.c_lflag &= ~(unsigned int)(ECHO | ICANON | ISIG);
	t.c_iflag &= ~(unsigned int)(ICRNL | IXON);
	t.c_cc[VINTR] = 'x';
	t.c_cc[VQUIT] = 'y';
	CHECK_OK(tcsetattr(p.slave, TCSANOW, &t));
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK_EQ(t.c_lflag, was.c_lflag & ~(unsigned int)ISIG);
	CHECK_EQ(t.c_iflag, was.c_iflag & ~(unsigned int)IXON);
	CHECK_EQ(t.c_cc[VINTR], was.c_cc[VINTR]);
	CHECK_EQ(t.c_cc[VQUIT], 'y');

	memset(&lock, 0, sizeof(lock));
	CHECK_OK(ioctl(p.slave, TIOCSLCKTRMIOS, &lock));
	t.c_lflag &= ~(unsigned int)ECHO;
	CHECK_OK(tcsetattr(p.slave, TCSANOW, &t));
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK_EQ(t.c_lflag & ECHO, 0);
	CHECK_ERRNO(ioctl(p.slave, TIOCGLCKTRMIOS, (void *)8), EFAULT);
	CHECK_ERRNO(ioctl(p.slave, TIOCSLCKTRMIOS, (void *)8), EFAULT);
	check_drop_root();
	CHECK_ERRNO(ioctl(p.slave, TIOCSLCKTRMIOS, &lock), EPERM);
	CHECK_OK(ioctl(p.slave, TIOCGLCKTRMIOS, &got));
}
