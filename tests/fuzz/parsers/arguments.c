/* SPDX-License-Identifier: MIT */
/* arguments.c - the kernel's command line: any bytes, any room for a value. */
/* fuzz: boot/bootinfo.c */
#include "parser.h"

#include <tessera/bootinfo.h>

#include "../../../boot/boot.h"

struct bootinfo bootinfo;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "test", "console", "init", "quiet", "a", "" };
	size_t room = size ? data[0] % 32 : 0;
	char *text = input_copy(data, size), *line, *value;

	boot_command_set(&bootinfo, text, size);
	MUST(strlen(bootinfo.command) <= size && strlen(bootinfo.command) < sizeof(bootinfo.command));
	line = input_copy(bootinfo.command, strlen(bootinfo.command) + 1);
	value = malloc(room + 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool word = boot_command_has(line, names[i]);

		memset(value, 'x', room + 1);
		if (boot_argument(names[i], value, room)) {
			MUST(room == 0 || memchr(value, '\0', room));
		} else {
			/* A bare word that is there is an argument that is there, quotes apart. */
			MUST(!word || strchr(line, '"') || !*names[i]);
		}
		boot_flag(names[i]);
	}
	free(value);
	free(line);
	free(text);
	return 0;
}
