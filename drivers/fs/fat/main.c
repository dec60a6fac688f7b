/* SPDX-License-Identifier: MIT */
/*
 * main.c - fat [options] IMAGE MOUNTPOINT: mount a FAT file system that lies in a file or on a block device.
 *
 * It goes to the background when the mount stands, unless -f or -d keeps it; its lines go to standard error, and from the
 * background to the system's log.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "fuse.h"

struct options {
	char *image;
	char *mountpoint;
	unsigned int uid, gid, umask, file_mask, dir_mask;
	int read_only, foreground, debug, help;
};

#define NOT_GIVEN (~0u)
#define OPTION(text, field, v) { text, offsetof(struct options, field), v }

static const struct fuse_opt known[] = {
	OPTION("uid=%u", uid, 0),
	OPTION("gid=%u", gid, 0),
	OPTION("umask=%o", umask, 0),
	OPTION("fmask=%o", file_mask, 0),
	OPTION("dmask=%o", dir_mask, 0),
	OPTION("ro", read_only, 1),
	OPTION("-f", foreground, 1),
	OPTION("-d", debug, 1),
	OPTION("debug", debug, 1),
	OPTION("-h", help, 1),
	OPTION("--help", help, 1),
	/* Libfuse shall know of these too. */
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_END,
};

static bool in_background;

static void
say(const char *line)
{
	if (in_background)
		syslog(LOG_DAEMON | LOG_WARNING, "fat: %s", line);
	else
		fprintf(stderr, "fat: %s\n", line);
}

static void
usage(const char *program)
{
	printf("usage: %s [options] IMAGE MOUNTPOINT\n\n"
	       "    -o uid=N, gid=N        whose all files are (who mounts)\n"
	       "    -o umask=OCTAL         bits that no mode has (022)\n"
	       "    -o fmask=, dmask=      for files, for directories\n"
	       "    -o ro                  nothing is written\n"
	       "    -f                     stay in the foreground\n"
	       "    -d                     and tell what is asked\n"
	       "    -h                     this\n\n",
	       program);
	fuse_lowlevel_help();
}

/* The words that are no options are the image and the mount point. */
static int
take_option(void *data, const char *text, int key, struct fuse_args *args)
{
	struct options *o = data;
	char **word = o->image ? &o->mountpoint : &o->image;

	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	if (o->mountpoint) {
		fprintf(stderr, "fat: '%s' is one word too much (see --help)\n", text);
		return -1;
	}
	/* The background has another working directory. */
	*word = realpath(text, NULL);
	if (*word)
		return 0;
	fprintf(stderr, "fat: %s: %s\n", text, strerror(errno));
	return -1;
}

/* Options that the kernel and mount(8) shall show. */
static int
add_name(struct fuse_args *args, const char *image, bool read_only)
{
	char text[512];

	snprintf(text, sizeof(text), "-ofsname=%s,subtype=fat,default_permissions%s", image, read_only ? ",ro" : "");
	return fuse_opt_add_arg(args, text);
}

/* Mounted: answer until it is not any more. 0, or a status for the shell. */
static int
serve(struct fuse_args *args, const struct options *o, struct fat_mount *m)
{
	struct fuse_session *session = fuse_session_new(args, &fat_operations, sizeof(fat_operations), m);
	int status = 1;

	if (!session)
		return status;
	if (fuse_set_signal_handlers(session) == 0) {
		if (fuse_session_mount(session, o->mountpoint) == 0) {
			in_background = !o->foreground && !o->debug;
			if (!in_background || daemon(0, 0) == 0)
				status = fuse_session_loop(session) < 0;
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	return status;
}

static int
run(struct fuse_args *args, const struct options *o)
{
	struct fat_mount m = { .uid = o->uid, .gid = o->gid };
	struct fat_disk *disk;
	char line[256];
	int error, status;

	error = fat_image_open(o->image, o->read_only, say, &disk);
	if (!error) {
		error = fat_open(disk, &m.fs);
		if (error)
			fat_image_close(disk);
	}
	if (error) {
		snprintf(line, sizeof(line), "%s: %s", o->image, strerror(-error));
		say(line);
		return 1;
	}
	m.file_mask = o->file_mask != NOT_GIVEN ? o->file_mask : o->umask;
	m.dir_mask = o->dir_mask != NOT_GIVEN ? o->dir_mask : o->umask;
	status = add_name(args, o->image, !fat_writable(m.fs)) < 0 ? 1 : serve(args, o, &m);
	error = fat_close(m.fs);
	fat_image_close(disk);
	if (error) {
		snprintf(line, sizeof(line), "%s: %s", o->image, strerror(-error));
		say(line);
	}
	return status || error;
}

int
main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct options o = { .uid = getuid(), .gid = getgid(), .umask = 022, .file_mask = NOT_GIVEN, .dir_mask = NOT_GIVEN };
	int status = 2;

	if (fuse_opt_parse(&args, &o, known, take_option) < 0)
		return status;
	if (o.help) {
		usage(argv[0]);
		status = 0;
	} else if (!o.mountpoint) {
		fprintf(stderr, "usage: %s [options] IMAGE MOUNTPOINT (see --help)\n", argv[0]);
	} else {
		status = run(&args, &o);
	}
	free(o.image);
	free(o.mountpoint);
	fuse_opt_free_args(&args);
	return status;
}
