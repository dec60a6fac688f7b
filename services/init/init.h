/* SPDX-License-Identifier: MIT */
/*
 * init.h - what the parts of process 1 share.
 *
 * A process whose first argument begins with '@' serves the disks that all others stand on: the device manager, the
 * drivers, fuse2fs. It is started before the root file system is there, lives in the initramfs, which stays, and ends
 * last (storage daemons of Debian's keep to the same convention).
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

enum { EXIT_STOPPED = 1000 }; /* of wait_for(): somebody asked the machine to stop */

/* init.c */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2))); /* with errno's words */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *read_file(const char *path);    /* the whole of a small file with a NUL behind it, or NULL; the caller owns it */
char *boot_value(const char *key);    /* what follows `key` ("rows=") on the kernel's command line, the last one; owned too */
void reset_signals(void);	      /* become the child that programs expect */
void set_standard(int in, int out);   /* `in` and `out` as descriptors 0, 1 and 2 */
int exit_status(int status);	      /* as a shell has it: 128 + signal */
void wait_set(sigset_t *set);	      /* what process 1 waits for; blocked in it */
bool asks_to_stop(int number);	      /* does that signal? Then how is remembered */
int wait_for(pid_t child);	      /* reap until it has ended; as a shell: 128 + signal; or EXIT_STOPPED */
/* Run a program to its end with its words in `log`. Its status as a shell has it; 127: it cannot be started. */
int run_program(const char *program, char *const argv[], char *const environment[], const char *log);

/* disks.c: mount each disk that holds ext2, ext3 or ext4; the one that is to be the root becomes it. */
void disks_mount(void);
extern bool disks_mounted;  /* there is something to unmount */
extern int disks_initramfs; /* the first root, to go back to when another took its place, or -1 */

/* network.c: the loopback interface, and addresses for network cards. */
void network_start(void);
void network_tell_root(void); /* another root took the place of the first: it is told whom to ask for names */

/* stop.c: end what runs, unmount what daemons serve, wait for these. Afterwards the power may go. */
void stop_all(void);

/* ramdisk.c */

/* The shell in the ramdisk asked for user space. */
#define RAMDISK_GO_ON (-1)

bool ramdisk_wanted(void);
/* Mount it. 0 or -1, with a line on the console. */
int ramdisk_mount(void);
/* In a child: the ramdisk is all that there is, and `text` is run by its shell; NULL: it is a login shell. Returns on error. */
void ramdisk_exec(char *text);
/* As wait_for(), or RAMDISK_GO_ON: the child is gone then too. */
int ramdisk_wait(pid_t child);
/* In a process that is not 1: ask for user space. Does not return if process 1 waits for that. */
void ramdisk_ask(void);
void ramdisk_unmount(void);

#endif
