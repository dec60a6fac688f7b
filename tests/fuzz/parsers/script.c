/* SPDX-License-Identifier: MIT */
/* script.c - the first line of a script: the interpreter is a word, the argument has no blanks around. */
/* fuzz: kernel/proc/exec_script.c */
#include "parser.h"

#include <tessera/errno.h>

#include "../../../kernel/proc/exec.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *head = input_copy(data, size);
	struct script_line out;

	if (script_parse(head, size, &out) == 0) {
		const char *end = out.text + sizeof(out.text);

		MUST(size >= 3 && head[0] == '#' && head[1] == '!');
		MUST(out.interpreter > out.text && out.interpreter < end && *out.interpreter);
		MUST(memchr(out.interpreter, '\0', (size_t)(end - out.interpreter)));
		MUST(!strpbrk(out.interpreter, " \t\n"));
		if (out.argument) {
			size_t n = strlen(out.argument);

			MUST(out.argument > out.interpreter && out.argument < end && n > 0);
			MUST(!strchr(" \t", out.argument[0]) && !strchr(" \t", out.argument[n - 1]));
			MUST(!strchr(out.argument, '\n'));
		}
	}
	free(head);
	return 0;
}
