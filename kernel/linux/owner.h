/* SPDX-License-Identifier: MIT */
/*
 * owner.h - who is signalled when an open file is ready: fcntl's F_SETOWN and the ioctls that say the same.
 */
#ifndef TESSERA_LINUX_OWNER_H
#define TESSERA_LINUX_OWNER_H

struct file;

/* A process, or a group when negative; 0: nobody. -ESRCH, -EINVAL, -ENOMEM. */
long file_owner_set(struct file *f, int who);
/* The same number. */
long file_owner_get(struct file *f);

#endif
