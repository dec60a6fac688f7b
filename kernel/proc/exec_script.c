/* SPDX-License-Identifier: MIT */
/*
 * exec_script.c - "#!interpreter argument": the first line of a script.
 *
 * As execve(2): blanks around both are dropped, everything behind the interpreter is one argument, and
 * only the first 256 bytes of the file are looked at. An interpreter name that does not end within them
 * is an error rather than a wrong name.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "exec.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
script_parse(const char *head, size_t n, struct script_line *out)
{
	char *p, *end;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return -ENOEXEC;
	n = MIN(n, (size_t)SCRIPT_LINE_MAX);
	memcpy(out->text, head, n);
	out->text[n] = '\0';
	out->argument = NULL;
	p = out->text + 2;
	while (is_blank(*p))
		p++;
	end = strchr(p, '\n');
	if (!end) {
		end = p + strlen(p);
		if (n == SCRIPT_LINE_MAX) {
			/* Cut off: fine if the interpreter's name is complete. */
			char *q = p;

			while (*q && !is_blank(*q))
				q++;
			if (!*q)
				return -ENOEXEC;
		}
	}
	while (end > p && is_blank(end[-1]))
		end--;
	*end = '\0';
	if (p == end)
		return -ENOEXEC;
	out->interpreter = p;
	while (*p && !is_blank(*p))
		p++;
	if (!*p)
		return 0;
	*p++ = '\0';
	while (is_blank(*p))
		p++;
	if (*p)
		out->argument = p;
	return 0;
}
