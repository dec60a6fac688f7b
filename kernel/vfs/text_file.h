/* SPDX-License-Identifier: MIT */
/*
 * text_file.h - files of procfs and sysfs whose content is a text: made when somebody reads from the start, and
 * kept by the open object for who reads on.
 */
#ifndef TESSERA_VFS_TEXT_FILE_H
#define TESSERA_VFS_TEXT_FILE_H

#include <tessera/inode.h>
#include <tessera/text.h>

/* f->position_lock */
struct text_file {
	struct text text; /* text_free() it */
	bool made;
};

/* file_ops.read by `make`, which fills an empty text: 0 or the error that the reader gets. */
ssize_t text_file_read(struct file *f, struct text_file *t, int (*make)(struct file *f, struct text *out),
		       struct iov_iter *to, loff_t *pos);

/* inode_ops.open and file_ops.release of a file that is nothing else: f->private is its struct text_file. */
int text_file_open(struct inode *i, struct file *f);
void text_file_release(struct file *f);

#endif
