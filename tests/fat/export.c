/* SPDX-License-Identifier: MIT */
/* export.c - all that the file system under torture shows, copied to a folder for others to compare. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"

static void __attribute__((noreturn))
give_up(const char *path, const char *why)
{
	fprintf(stderr, "torture: %s: %s\n", path, why);
	exit(1);
}

void
export_tree(const struct backend *fs, const char *from, const char *to)
{
	static uint8_t bytes[40000];
	struct listing *all = NULL;
	char path[PATH + NAME_ROOM], out[PATH + NAME_ROOM];
	unsigned int count = 0;

	for (;;) {
		all = realloc(all, (count + 1) * sizeof(*all));
		if (fs->list(*from ? from : "/", count, &all[count]) <= 0)
			break;
		count++;
	}
	for (unsigned int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", from, all[i].name);
		snprintf(out, sizeof(out), "%s/%s", to, all[i].name);
		if (all[i].directory) {
			if (mkdir(out, 0755) < 0)
				give_up(out, strerror(errno));
			export_tree(fs, path, out);
		} else {
			FILE *f = fopen(out, "w");
			uint64_t at = 0;
			long n;

			if (!f)
				give_up(out, strerror(errno));
			for (; (n = fs->read(path, at, bytes, sizeof(bytes))) > 0; at += (uint64_t)n)
				fwrite(bytes, 1, (size_t)n, f);
			if (n < 0 || at != all[i].size || fclose(f) != 0)
				give_up(path, n < 0 ? strerror((int)-n) : "other bytes than its size");
		}
	}
	free(all);
}
