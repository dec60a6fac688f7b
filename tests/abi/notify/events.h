/* SPDX-License-Identifier: MIT */
/* events.h - reading fanotify's events one by one. */
#ifndef ABI_NOTIFY_EVENTS_H
#define ABI_NOTIFY_EVENTS_H

#include "../check.h"

#include <sys/fanotify.h>
#include <sys/ioctl.h>

/* What glibc's header of this Debian may lack. */
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x1000
#endif

#define EVENTS_NO_FD -1 /* the event brings none */

/* The next event of `group`, with its infos, in a static buffer. */
struct fanotify_event_metadata *events_next(int group);
/* It has this mask, is of this process, and brings a file that is `name` here (NULL: none). */
void events_expect(int group, uint64_t mask, const char *name);
void events_expect_no_more(int group);
/* The info of the last event at `place`; it must be there and have this type. */
void *events_info(unsigned int place, uint8_t type);
unsigned int events_infos(void);
/* Is the info's key that of `path`, and its name this (NULL: none)? */
void events_expect_key(unsigned int place, uint8_t type, const char *path, const char *name);

#endif
