/* SPDX-License-Identifier: MIT */
/*
 * text_file.c - see text_file.h.
 *
 * Readers with positions of their own (pread) may come at once: f->position_lock keeps the text whole. Who reads
 * at the file's position holds it already.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "text_file.h"

static int
make_again(struct file *f, struct text_file *t, int (*make)(struct file *f, struct text *out))
{
	int error;

	t->text.used = 0;
	t->text.failed = false;
	error = make(f, &t->text);
	if (!error && t->text.failed)
		error = -ENOMEM;
	t->made = !error;
	return error;
}

ssize_t
text_file_read(struct file *f, struct text_file *t, int (*make)(struct file *f, struct text *out),
	       struct iov_iter *to, loff_t *pos)
{
	bool unlocked = pos != &f->position;
	size_t n, moved;
	ssize_t result = 0;

	if (unlocked)
		mutex_lock(&f->position_lock);
	if (*pos == 0 || !t->made)
		result = make_again(f, t, make);
	if (result == 0 && (uint64_t)*pos < t->text.used) {
		n = MIN(to->count, t->text.used - (size_t)*pos);
		moved = iov_copy_to(to, t->text.data + *pos, n);
		*pos += (loff_t)moved;
		result = moved || !n ? (ssize_t)moved : -EFAULT;
	}
	if (unlocked)
		mutex_unlock(&f->position_lock);
	return result;
}

int
text_file_open(struct inode *i, struct file *f)
{
	f->private = kzalloc(sizeof(struct text_file));
	return f->private ? 0 : -ENOMEM;
}

void
text_file_release(struct file *f)
{
	struct text_file *t = f->private;

	if (t)
		text_free(&t->text);
	kfree(t);
}
