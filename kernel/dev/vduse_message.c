/* SPDX-License-Identifier: MIT */
/*
 * vduse_message.c - what the driver asks of the daemon by way of read(2) and write(2) of its device.
 *
 *	struct vduse_dev_request     0 type  4 id      8 reserved  24 status, or queue index, or two addresses
 *	struct vduse_dev_response    0 id    4 result  8 reserved  24 queue index, avail index
 *	                             both of 152 bytes
 *
 * A message waits to be read, then to be answered. When its daemon dies it waits to be read again.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/wait.h>

#include "vduse.h"

#define MESSAGE_SET_STATUS 1u

struct message {
	struct list node;    /* message_lock */
	uint32_t type, id;
	uint8_t status;
	bool done;           /* message_lock; read without it */
	uint32_t result;
};

int
vduse_send_status(struct vduse *v, uint8_t status)
{
	struct message m = { .type = MESSAGE_SET_STATUS, .status = status };
	uint64_t flags = spin_lock_irq(&v->message_lock);

	m.id = ++v->last_id;
	list_add_tail(&v->to_send, &m.node);
	spin_unlock_irq(&v->message_lock, flags);
	wake_poll(&v->readers, POLLIN | POLLRDNORM);
	wait_event(&v->answered, READ_ONCE(m.done) || READ_ONCE(v->dying));
	flags = spin_lock_irq(&v->message_lock);
	if (!m.done)
		list_del(&m.node);
	spin_unlock_irq(&v->message_lock, flags);
	if (!m.done)
		return -ENXIO;
	return m.result ? -EIO : 0;
}

/* The next to be read, which is sent then; it is copied, since it may be gone the moment it is answered. */
static bool
next_message(struct vduse *v, uint8_t *out)
{
	uint64_t flags = spin_lock_irq(&v->message_lock);
	struct message *m = NULL;

	if (!list_is_empty(&v->to_send)) {
		m = list_first(&v->to_send, struct message, node);
		list_del(&m->node);
		list_add_tail(&v->sent, &m->node);
		memset(out, 0, MESSAGE_SIZE);
		memcpy(out, &m->type, 4);
		memcpy(out + 4, &m->id, 4);
		out[24] = m->status;
	}
	spin_unlock_irq(&v->message_lock, flags);
	return m != NULL;
}

ssize_t
vduse_read_message(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct vduse *v = file_vduse(f);
	uint8_t request[MESSAGE_SIZE];

	if (to->count < MESSAGE_SIZE)
		return -EINVAL;
	if (!next_message(v, request)) {
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&v->readers, next_message(v, request)))
			return -ERESTARTSYS;
	}
	if (iov_copy_to(to, request, MESSAGE_SIZE) < MESSAGE_SIZE) {
		vduse_messages_again(v);
		return -EFAULT;
	}
	return MESSAGE_SIZE;
}

ssize_t
vduse_write_answer(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	static const uint8_t zeroes[16];
	struct vduse *v = file_vduse(f);
	struct message *m, *found = NULL;
	uint8_t answer[MESSAGE_SIZE];
	uint32_t id;
	uint64_t flags;

	if (iov_copy_from(answer, from, MESSAGE_SIZE) < MESSAGE_SIZE)
		return -EINVAL;
	if (memcmp(answer + 8, zeroes, sizeof(zeroes)) != 0)
		return -EINVAL;
	memcpy(&id, answer, 4);
	flags = spin_lock_irq(&v->message_lock);
	list_for_each(m, &v->sent, node)
		if (m->id == id) {
			found = m;
			break;
		}
	if (found) {
		list_del(&found->node);
		memcpy(&found->result, answer + 4, 4);
		WRITE_ONCE(found->done, true); /* who sent it looks at it under the lock before it goes */
	}
	spin_unlock_irq(&v->message_lock, flags);
	if (!found)
		return -ENOENT;
	wake_all(&v->answered);
	return MESSAGE_SIZE;
}

uint32_t
vduse_poll_messages(struct file *f, struct poll_table *pt)
{
	struct vduse *v = file_vduse(f);
	uint32_t events = 0;
	uint64_t flags;

	poll_wait(pt, f, &v->readers);
	flags = spin_lock_irq(&v->message_lock);
	if (!list_is_empty(&v->to_send))
		events |= POLLIN | POLLRDNORM;
	if (!list_is_empty(&v->sent))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock_irq(&v->message_lock, flags);
	return events;
}

void
vduse_messages_again(struct vduse *v)
{
	uint64_t flags = spin_lock_irq(&v->message_lock);

	list_splice_tail(&v->sent, &v->to_send); /* the older ones first */
	list_splice_tail(&v->to_send, &v->sent);
	spin_unlock_irq(&v->message_lock, flags);
	wake_poll(&v->readers, POLLIN | POLLRDNORM);
}
