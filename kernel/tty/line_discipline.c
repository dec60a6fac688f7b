/* SPDX-License-Identifier: MIT */
/*
 * line_discipline.c - what happens to bytes between a line and a program: termios(3).
 *
 * Input ring. Positions count up and are taken modulo the ring's size:
 *
 *        tail            canon_head          head
 *         |  whole lines     |  being edited  |
 *
 * In canonical mode a program sees what lies before canon_head; editing (erase, word erase, kill)
 * touches only what lies behind it. Every whole line ends with a byte marked in line_end; the mark
 * in line_eof says that this byte stands for VEOF and is not data. Without canonical mode all of
 * tail .. head is readable.
 *
 * Everything here runs with tty->lock held; signals and wake-ups are noted in struct tty_after.
 */
#include <tessera/panic.h>
#include <tessera/signal.h>
#include <tessera/string.h>

#include "tty_private.h"

/* Bytes of room under which the other side is told to stop, and told to go on (IXOFF). */
#define THROTTLE_ROOM   128
#define UNTHROTTLE_ROOM 1024

static bool
flag_l(const struct tty *t, uint32_t bit)
{
	return t->termios.lflag & bit;
}

static bool
flag_i(const struct tty *t, uint32_t bit)
{
	return t->termios.iflag & bit;
}

static bool
flag_o(const struct tty *t, uint32_t bit)
{
	return t->termios.oflag & bit;
}

/* Is `c` the control character of this slot? A slot with CC_DISABLED matches nothing. */
static bool
is_cc(const struct tty *t, int slot, uint8_t c)
{
	return t->termios.cc[slot] != CC_DISABLED && t->termios.cc[slot] == c;
}

static bool
bit_test(const uint64_t *bits, uint32_t position)
{
	uint32_t n = ring_at(position);

	return bits[n / 64] >> (n % 64) & 1;
}

static void
bit_put(uint64_t *bits, uint32_t position, bool on)
{
	uint32_t n = ring_at(position);

	if (on)
		bits[n / 64] |= BIT(n % 64);
	else
		bits[n / 64] &= ~BIT(n % 64);
}

static bool
is_utf8_tail(const struct tty *t, uint8_t c)
{
	return flag_i(t, IUTF8) && (c & 0xc0) == 0x80;
}

/* --- output ------------------------------------------------------------------------------------- */

uint32_t
discipline_output_room(const struct tty *t)
{
	return TTY_RING - (t->output_head - t->output_tail);
}

/* A byte to the device as it is. False: no room. */
bool
discipline_put_raw(struct tty *t, uint8_t c)
{
	if (discipline_output_room(t) == 0)
		return false;
	t->output[ring_at(t->output_head++)] = c;
	return true;
}

static void
count_column(struct tty *t, uint8_t c)
{
	if (c == '\b') {
		if (t->column > 0)
			t->column--;
	} else if (c == '\r') {
		t->column = 0;
	} else if (c == '\t') {
		t->column = (t->column | 7) + 1;
	} else if (c >= ' ' && c != 0x7f && !is_utf8_tail(t, c)) {
		t->column++;
	}
}

/* A byte of a program, or an echo, with output processing. False: no room, nothing was put. */
bool
discipline_output(struct tty *t, uint8_t c)
{
	uint32_t spaces;

	if (!flag_o(t, OPOST))
		return discipline_put_raw(t, c);
	switch (c) {
	case '\n':
		if (flag_o(t, ONLRET))
			t->column = 0;
		if (flag_o(t, ONLCR)) {
			if (discipline_output_room(t) < 2)
				return false;
			discipline_put_raw(t, '\r');
			t->column = t->canon_column = 0;
		}
		return discipline_put_raw(t, '\n');
	case '\r':
		if (flag_o(t, ONOCR) && t->column == 0)
			return true;
		if (flag_o(t, OCRNL)) {
			if (flag_o(t, ONLRET))
				t->column = t->canon_column = 0;
			return discipline_put_raw(t, '\n');
		}
		if (!discipline_put_raw(t, '\r'))
			return false;
		t->column = t->canon_column = 0;
		return true;
	case '\t':
		if ((t->termios.oflag & TABDLY) == XTABS) {
			spaces = 8 - (t->column & 7);
			if (discipline_output_room(t) < spaces)
				return false;
			t->column += spaces;
			while (spaces-- > 0)
				discipline_put_raw(t, ' ');
			return true;
		}
		break;
	default:
		if (flag_o(t, OLCUC) && c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		break;
	}
	if (!discipline_put_raw(t, c))
		return false;
	count_column(t, c);
	return true;
}

void
discipline_set_stopped(struct tty *t, bool stopped, struct tty_after *after)
{
	if (t->stopped == stopped)
		return;
	t->stopped = stopped;
	if (t->packet) {
		t->packet_status &= (uint8_t)~(PACKET_STOP | PACKET_START);
		t->packet_status |= stopped ? PACKET_STOP : PACKET_START;
	}
	after->wake_master = true;
	if (!stopped) {
		after->wake_writers = true;
		t->driver->start_output(t);
	}
}

void
discipline_flush_output(struct tty *t, struct tty_after *after)
{
	t->output_tail = t->output_head;
	if (t->packet)
		t->packet_status |= PACKET_FLUSHWRITE;
	after->wake_writers = after->wake_master = true;
}

/* --- echo --------------------------------------------------------------------------------------- */

/* Control characters show as ^X when ECHOCTL says so; a full output ring loses echoes, as a line
 * that is not read would. */
static void
echo(struct tty *t, uint8_t c)
{
	if (flag_l(t, ECHOCTL) && (c < ' ' || c == 0x7f) && c != '\t' && c != '\n') {
		discipline_output(t, '^');
		discipline_output(t, c ^ 0x40);
		return;
	}
	discipline_output(t, c);
}

static void
echo_text(struct tty *t, const char *s)
{
	while (*s)
		discipline_output(t, (uint8_t)*s++);
}

static void
finish_erase_print(struct tty *t)
{
	if (t->erasing_printed) {
		discipline_output(t, '/');
		t->erasing_printed = false;
	}
}

/* Columns that a character of the edited line takes, at `column`. */
static uint32_t
echo_width(const struct tty *t, uint8_t c, uint32_t column)
{
	if (c == '\t')
		return ((column | 7) + 1) - column;
	if (c < ' ' || c == 0x7f)
		return flag_l(t, ECHOCTL) ? 2 : 0;
	return is_utf8_tail(t, c) ? 0 : 1;
}

/* The column at which the edited line stands after its bytes up to `end`. */
static uint32_t
line_column(const struct tty *t, uint32_t end)
{
	uint32_t column = t->canon_column;

	for (uint32_t p = t->canon_head; p != end; p++)
		column += echo_width(t, t->input[ring_at(p)], column);
	return column;
}

/* --- editing ------------------------------------------------------------------------------------ */

enum erase_kind { ERASE_CHARACTER, ERASE_WORD, ERASE_LINE };

static bool
is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c >= 0x80;
}

/* Take the last character (with its continuation bytes) off the edited line. */
static uint8_t
erase_one(struct tty *t)
{
	uint32_t before, after;
	uint32_t end = t->head;
	uint8_t c;

	do {
		end--;
		c = t->input[ring_at(end)];
	} while (is_utf8_tail(t, c) && end != t->canon_head);

	if (flag_l(t, ECHO) && flag_l(t, ECHOPRT)) {
		if (!t->erasing_printed) {
			discipline_output(t, '\\');
			t->erasing_printed = true;
		}
		for (uint32_t p = end; p != t->head; p++)
			echo(t, t->input[ring_at(p)]);
	} else if (flag_l(t, ECHO) && flag_l(t, ECHOE)) {
		after = line_column(t, t->head);
		before = line_column(t, end);
		if (c == '\t') {
			for (; after > before; after--)
				discipline_output(t, '\b');
		} else {
			for (; after > before; after--)
				echo_text(t, "\b \b");
		}
	}
	t->head = end;
	return c;
}

static void
erase(struct tty *t, enum erase_kind kind, uint8_t typed)
{
	bool seen_word = false;

	if (t->head == t->canon_head)
		return;
	if (kind == ERASE_LINE && (!flag_l(t, ECHO) || !flag_l(t, ECHOK) || !flag_l(t, ECHOKE) ||
				   !flag_l(t, ECHOE))) {
		t->head = t->canon_head;
		if (flag_l(t, ECHO)) {
			finish_erase_print(t);
			echo(t, typed);
			if (flag_l(t, ECHOK))
				discipline_output(t, '\n');
		}
		return;
	}
	if (kind == ERASE_CHARACTER && flag_l(t, ECHO) && !flag_l(t, ECHOE) && !flag_l(t, ECHOPRT))
		echo(t, typed);
	while (t->head != t->canon_head) {
		if (kind == ERASE_WORD) {
			bool word = is_word(t->input[ring_at(t->head - 1)]);

			if (seen_word && !word)
				break;
			seen_word |= word;
		}
		erase_one(t);
		if (kind == ERASE_CHARACTER)
			break;
	}
	if (t->head == t->canon_head && kind != ERASE_CHARACTER)
		finish_erase_print(t);
}

static void
reprint(struct tty *t, uint8_t typed)
{
	finish_erase_print(t);
	echo(t, typed);
	discipline_output(t, '\n');
	for (uint32_t p = t->canon_head; p != t->head; p++)
		echo(t, t->input[ring_at(p)]);
}

/* --- input -------------------------------------------------------------------------------------- */

/*
 * How many bytes may come in. In canonical mode without a whole line at least one is always taken
 * (and dropped when the line is full), since no reader could make room.
 */
uint32_t
discipline_input_room(const struct tty *t)
{
	uint32_t room = TTY_RING - (t->head - t->tail);

	if (room == 0 && flag_l(t, ICANON) && t->canon_head == t->tail)
		return 1;
	return room;
}

void
discipline_flush_input(struct tty *t, struct tty_after *after)
{
	t->tail = t->canon_head = t->head;
	t->literal_next = false;
	memset(t->line_end, 0, sizeof(t->line_end));
	memset(t->line_eof, 0, sizeof(t->line_eof));
	if (t->packet) {
		t->packet_status |= PACKET_FLUSHREAD;
		after->wake_master = true;
	}
	after->wake_master |= t->input_was_full;
}

static void
note_signal(struct tty *t, uint8_t c, int signo, struct tty_after *after)
{
	if (!flag_l(t, NOFLSH)) {
		discipline_flush_input(t, after);
		if (signo != SIGTSTP)
			discipline_flush_output(t, after);
	}
	if (flag_i(t, IXON))
		discipline_set_stopped(t, false, after);
	if (flag_l(t, ECHO))
		echo(t, c);
	if (after->signal_count < ARRAY_SIZE(after->signals))
		after->signals[after->signal_count++] = signo;
	after->wake_readers = true;
}

/* Put a data byte; false when the line or ring is full. One place is kept for the line's end. */
static bool
store(struct tty *t, uint8_t c, uint32_t keep)
{
	if (TTY_RING - (t->head - t->tail) <= keep)
		return false;
	bit_put(t->line_end, t->head, false);
	bit_put(t->line_eof, t->head, false);
	t->input[ring_at(t->head++)] = c;
	return true;
}

static void
end_line(struct tty *t, uint8_t c, bool eof, struct tty_after *after)
{
	if (!store(t, c, 0))
		return;
	bit_put(t->line_end, t->head - 1, true);
	bit_put(t->line_eof, t->head - 1, eof);
	t->canon_head = t->head;
	t->canon_column = t->column;
	after->wake_readers = true;
}

static void
remember_line_start(struct tty *t)
{
	if (t->canon_head == t->head)
		t->canon_column = t->column;
}

static void
store_data(struct tty *t, uint8_t c, struct tty_after *after)
{
	bool canonical = flag_l(t, ICANON);

	if (flag_l(t, ECHO)) {
		finish_erase_print(t);
		remember_line_start(t);
	}
	if (!store(t, c, canonical ? 1 : 0)) {
		if (flag_i(t, IMAXBEL) && flag_l(t, ECHO))
			discipline_output(t, '\a');
		return;
	}
	if (flag_l(t, ECHO))
		echo(t, c);
	else if (flag_l(t, ECHONL) && c == '\n' && canonical)
		discipline_output(t, '\n');
	if (!canonical)
		after->wake_readers = true;
}

/* Characters with a meaning in canonical mode. True: `c` was one. */
static bool
canonical_input(struct tty *t, uint8_t c, struct tty_after *after)
{
	if (is_cc(t, VERASE, c)) {
		erase(t, ERASE_CHARACTER, c);
		return true;
	}
	if (is_cc(t, VKILL, c)) {
		erase(t, ERASE_LINE, c);
		return true;
	}
	if (flag_l(t, IEXTEN)) {
		if (is_cc(t, VWERASE, c)) {
			erase(t, ERASE_WORD, c);
			return true;
		}
		if (is_cc(t, VLNEXT, c)) {
			t->literal_next = true;
			if (flag_l(t, ECHO)) {
				finish_erase_print(t);
				remember_line_start(t);
				if (flag_l(t, ECHOCTL))
					echo_text(t, "^\b");
			}
			return true;
		}
		if (is_cc(t, VREPRINT, c) && flag_l(t, ECHO)) {
			reprint(t, c);
			return true;
		}
	}
	if (c == '\n') {
		if (flag_l(t, ECHO) || flag_l(t, ECHONL)) {
			finish_erase_print(t);
			discipline_output(t, '\n');
		}
		end_line(t, c, false, after);
		return true;
	}
	if (is_cc(t, VEOF, c)) {
		end_line(t, c, true, after);
		return true;
	}
	if (is_cc(t, VEOL, c) || (is_cc(t, VEOL2, c) && flag_l(t, IEXTEN))) {
		if (flag_l(t, ECHO)) {
			remember_line_start(t);
			echo(t, c);
		}
		end_line(t, c, false, after);
		return true;
	}
	return false;
}

/* Characters that act at once, whatever the mode. True: `c` was one. */
static bool
control_input(struct tty *t, uint8_t c, struct tty_after *after)
{
	if (flag_i(t, IXON)) {
		if (is_cc(t, VSTART, c)) {
			discipline_set_stopped(t, false, after);
			return true;
		}
		if (is_cc(t, VSTOP, c)) {
			discipline_set_stopped(t, true, after);
			return true;
		}
	}
	if (flag_l(t, ISIG)) {
		int signo = is_cc(t, VINTR, c)   ? SIGINT
			    : is_cc(t, VQUIT, c) ? SIGQUIT
			    : is_cc(t, VSUSP, c) ? SIGTSTP
						 : 0;

		if (signo != 0) {
			note_signal(t, c, signo, after);
			return true;
		}
	}
	return false;
}

static void
throttle(struct tty *t)
{
	if (flag_i(t, IXOFF) && !t->throttled && discipline_input_room(t) < THROTTLE_ROOM &&
	    discipline_put_raw(t, t->termios.cc[VSTOP]))
		t->throttled = true;
}

/* One byte from the line. */
void
discipline_input(struct tty *t, uint8_t c, struct tty_after *after)
{
	assert_held(&t->lock);
	if (flag_i(t, ISTRIP))
		c &= 0x7f;
	if (flag_i(t, IUCLC) && flag_l(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (t->literal_next) {
		t->literal_next = false;
		store_data(t, c, after);
		return;
	}
	if (!flag_l(t, EXTPROC) && control_input(t, c, after))
		return;
	if (t->stopped && flag_i(t, IXON) && flag_i(t, IXANY))
		discipline_set_stopped(t, false, after);
	if (c == '\r') {
		if (flag_i(t, IGNCR))
			return;
		if (flag_i(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && flag_i(t, INLCR)) {
		c = '\r';
	}
	if (flag_l(t, ICANON) && canonical_input(t, c, after))
		return;
	if (c == 0xff && flag_i(t, PARMRK) && !flag_i(t, ISTRIP))
		store_data(t, c, after);
	store_data(t, c, after);
	throttle(t);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* May read(2) take something now? `at_least`: VMIN's count without canonical mode. */
bool
discipline_readable(const struct tty *t, uint32_t at_least)
{
	if (flag_l(t, ICANON) && !flag_l(t, EXTPROC))
		return t->canon_head != t->tail;
	return t->head - t->tail >= MAX(at_least, 1u);
}

/*
 * Take up to `n` bytes of the first line (canonical) or of what there is. *line_done: the line's end
 * was reached, reading stops here even with 0 bytes (end of file).
 */
size_t
discipline_read(struct tty *t, uint8_t *out, size_t n, bool *line_done)
{
	bool canonical = flag_l(t, ICANON) && !flag_l(t, EXTPROC);
	uint32_t end = canonical ? t->canon_head : t->head;
	size_t done = 0;

	assert_held(&t->lock);
	*line_done = false;
	while (t->tail != end) {
		bool ends = canonical && bit_test(t->line_end, t->tail);

		if (ends && bit_test(t->line_eof, t->tail)) {
			t->tail++;
			*line_done = true;
			break;
		}
		if (done == n)
			break;
		out[done++] = t->input[ring_at(t->tail++)];
		if (ends) {
			*line_done = true;
			break;
		}
	}
	if (t->throttled && discipline_input_room(t) >= UNTHROTTLE_ROOM &&
	    discipline_put_raw(t, t->termios.cc[VSTART])) {
		t->throttled = false;
		t->driver->start_output(t);
	}
	return done;
}

/*
 * Canonical mode was switched on or off. Off: everything typed is readable. On: what was not read
 * yet counts as one line, as Linux has it.
 */
void
discipline_settings_changed(struct tty *t, const struct termios *old)
{
	if (((old->lflag ^ t->termios.lflag) & (ICANON | EXTPROC)) == 0)
		return;
	memset(t->line_end, 0, sizeof(t->line_end));
	memset(t->line_eof, 0, sizeof(t->line_eof));
	t->literal_next = false;
	t->erasing_printed = false;
	if (!flag_l(t, ICANON) || t->head == t->tail) {
		t->canon_head = t->tail;
		return;
	}
	t->canon_head = t->head;
	bit_put(t->line_end, t->head - 1, true);
	t->canon_column = t->column;
}
