/* SPDX-License-Identifier: MIT */
/*
 * session.h - private to debug/kdb: running one command for the log.
 */
#ifndef DEBUG_KDB_SESSION_H
#define DEBUG_KDB_SESSION_H

struct trap_frame;

/* Stop the machine, run the command line (which is taken apart), let the machine go, log what it printed.
 * Any context but NMI. */
void kdb_report(const struct trap_frame *f, char *line);

#endif
