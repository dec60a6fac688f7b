/* SPDX-License-Identifier: MIT */
/*
 * console.c - kdb's end of the console: polled, a line editor with a little history, and output that stops
 * when the screen is full.
 *
 * Escape sequences understood: the four arrows, home, end, delete. What is typed while a command prints
 * is kept for the next line, but for Ctrl-C and q, which end the command.
 */
#include "commands.h"

#include <tessera/arch.h>
#include <tessera/debug.h>
#include <tessera/string.h>

#include "../describe.h"

#define HISTORY 8u
#define AHEAD   64u
#define CTRL(c) ((c) & 0x1f)
#define ESCAPE  27
#define RUBOUT  127

enum editing_key { KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE, KEY_NONE };

static char history[HISTORY][KDB_LINE_MAX];
static uint32_t history_count;
static uint8_t ahead[AHEAD];       /* typed while nobody asked */
static uint32_t ahead_head, ahead_tail;
static uint32_t rows, row;
static void (*output)(const char *text, size_t n) = kdb_write;

void
kdb_set_output(void (*write)(const char *text, size_t n))
{
	output = write;
}

void
kdb_set_rows(uint32_t n)
{
	rows = n;
}

static void
put(const char *s)
{
	arch_console_write(s, strlen(s));
}

/* --- input --------------------------------------------------------------------------------------- */

static int
wait_byte(void)
{
	int c;

	if (ahead_tail != ahead_head)
		return ahead[ahead_tail++ % AHEAD];
	while ((c = arch_console_read()) < 0) {
		arch_cpu_relax();
		/* A clock that wraps must be read from time to time. */
		(void)arch_clock_ns();
	}
	return c;
}

/* Has somebody asked for the end of the command? Called between lines of output. */
static void
check_interrupt(void)
{
	int c;

	while ((c = arch_console_read()) >= 0) {
		if (c == CTRL('c'))
			debug_try_stop("stopped");
		if (ahead_head - ahead_tail < AHEAD)
			ahead[ahead_head++ % AHEAD] = (uint8_t)c;
	}
}

static int
read_key(void)
{
	int c = wait_byte();

	if (c != ESCAPE)
		return c;
	c = wait_byte();
	if (c != '[' && c != 'O')
		return KEY_NONE;
	c = wait_byte();
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	}
	if (c >= '0' && c <= '9' && wait_byte() == '~')
		return c == '1' ? KEY_HOME : c == '4' ? KEY_END : c == '3' ? KEY_DELETE : KEY_NONE;
	return KEY_NONE;
}

/* --- output ---------------------------------------------------------------------------------------- */

static void
more(void)
{
	int c;

	put("--more-- (space: a page, enter: a line, q: end)");
	c = read_key();
	put("\r\x1b[K");
	row = c == '\r' || c == '\n' ? rows - 1 : 0;
	if (c == 'q' || c == CTRL('c'))
		debug_try_stop("stopped");
}

void
kdb_write(const char *text, size_t n)
{
	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t part = end ? (size_t)(end - text) + 1 : n;

		arch_console_write(text, part);
		text += part;
		n -= part;
		if (!end)
			break;
		if (debug_try_active())
			check_interrupt();
		if (rows > 1 && ++row >= rows - 1 && debug_try_active())
			more();
	}
}

void
kdb_print(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	output(text, strlen(text));
}

void
kdb_console_begin(bool fresh)
{
	row = 0;
	if (fresh)
		ahead_head = ahead_tail = 0;
}

/* --- the line editor --------------------------------------------------------------------------------- */

struct editor {
	const char *prompt;
	char *line;
	size_t size, length, at;
	uint32_t back; /* lines of history we are behind the present */
};

static void
redraw(struct editor *e)
{
	put("\r");
	put(e->prompt);
	arch_console_write(e->line, e->length);
	put("\x1b[K");
	for (size_t i = e->at; i < e->length; i++)
		put("\b");
}

static void
erase(struct editor *e, size_t from, size_t to)
{
	memmove(e->line + from, e->line + to, e->length - to);
	e->length -= to - from;
	e->at = from;
	redraw(e);
}

static void
insert(struct editor *e, char c)
{
	if (e->length + 1 >= e->size)
		return;
	memmove(e->line + e->at + 1, e->line + e->at, e->length - e->at);
	e->line[e->at++] = c;
	e->length++;
	if (e->at == e->length)
		arch_console_write(&c, 1);
	else
		redraw(e);
}

static void
recall(struct editor *e, uint32_t back)
{
	if (back > MIN(history_count, HISTORY))
		return;
	e->back = back;
	e->length = 0;
	if (back) {
		string_copy(e->line, history[(history_count - back) % HISTORY], e->size);
		e->length = strlen(e->line);
	}
	e->at = e->length;
	redraw(e);
}

static size_t
word_start(const struct editor *e)
{
	size_t at = e->at;

	while (at > 0 && e->line[at - 1] == ' ')
		at--;
	while (at > 0 && e->line[at - 1] != ' ')
		at--;
	return at;
}

/* False: the line is complete. */
static bool
edit(struct editor *e, int c)
{
	switch (c) {
	case '\r':
	case '\n':
		return false;
	case CTRL('c'):
		e->length = e->at = 0;
		return false;
	case CTRL('h'):
	case RUBOUT:
		if (e->at > 0)
			erase(e, e->at - 1, e->at);
		return true;
	case CTRL('d'):
	case KEY_DELETE:
		if (e->at < e->length)
			erase(e, e->at, e->at + 1);
		return true;
	case CTRL('u'):
		erase(e, 0, e->at);
		return true;
	case CTRL('k'):
		erase(e, e->at, e->length);
		return true;
	case CTRL('w'):
		erase(e, word_start(e), e->at);
		return true;
	case CTRL('a'):
	case KEY_HOME:
		e->at = 0;
		break;
	case CTRL('e'):
	case KEY_END:
		e->at = e->length;
		break;
	case CTRL('b'):
	case KEY_LEFT:
		e->at -= e->at > 0;
		break;
	case CTRL('f'):
	case KEY_RIGHT:
		e->at += e->at < e->length;
		break;
	case CTRL('p'):
	case KEY_UP:
		recall(e, e->back + 1);
		return true;
	case CTRL('n'):
	case KEY_DOWN:
		if (e->back)
			recall(e, e->back - 1);
		return true;
	default:
		if (c >= ' ' && c < RUBOUT)
			insert(e, (char)c);
		return true;
	}
	redraw(e);
	return true;
}

void
kdb_read_line(const char *prompt, char *line, size_t size)
{
	struct editor e = { .prompt = prompt, .line = line, .size = size };

	put(prompt);
	while (edit(&e, read_key()))
		;
	line[e.length] = '\0';
	put("\n");
	if (e.length && (!history_count || strcmp(line, history[(history_count - 1) % HISTORY])))
		string_copy(history[history_count++ % HISTORY], line, KDB_LINE_MAX);
}
