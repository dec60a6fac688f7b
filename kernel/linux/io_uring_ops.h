/* SPDX-License-Identifier: MIT */
/*
 * io_uring_ops.h - what the operations of io_uring share.
 *
 * A request that names a registered file and whose call only knows handles gets a handle for as long as the call
 * takes, among the highest numbers, with the rights of the one that the file was registered by.
 */
#ifndef TESSERA_LINUX_IO_URING_OPS_H
#define TESSERA_LINUX_IO_URING_OPS_H

#include <tessera/uaccess.h>
#include <tessera/uring.h>

static inline enum uring_verdict
done(struct uring_answer *a, long result)
{
	a->result = (int32_t)result;
	return URING_DONE;
}

static inline void __user *
user(uint64_t address)
{
	return __force_user(void __user *, address);
}

/* A handle for a registered file, or the one that was given; handle_end() ends it. */
int io_uring_handle_begin(struct uring_request *q, const struct uring_sqe *s, bool *temporary);
int io_uring_handle_for(struct uring_file f); /* with a reference of its own; fd or an errno */
void io_uring_handle_end(int fd, bool temporary);
/* The file of the request, which must have been given with `right`. */
struct file *io_uring_file_for(struct uring_request *q, const struct uring_sqe *s, uint64_t right, int *error);

/* Call `expression` with `fd`. */
#define WITH_HANDLE(q, s, expression)                                                              \
	({                                                                                         \
		bool temporary_;                                                                   \
		int fd = io_uring_handle_begin((q), (s), &temporary_);                             \
		long result_ = fd;                                                                 \
		if (fd >= 0 || !temporary_) {                                                      \
			result_ = (expression);                                                    \
			io_uring_handle_end(fd, temporary_);                                       \
		}                                                                                  \
		result_;                                                                           \
	})

/*
 * What an operation has opened becomes what the request asks for: a handle (its number), a registered file in the
 * place that it names (0), or in a free one (its number). Takes the reference over.
 */
long io_uring_keep(struct uring_request *q, const struct uring_sqe *s, struct uring_file f, bool cloexec);

#define RUN_DECLARE(name)                                                                          \
	enum uring_verdict io_uring_run_##name(struct uring_request *q, const struct uring_sqe *s, \
					       bool may_sleep, struct uring_answer *a)

/* io_uring_socket.c */
RUN_DECLARE(send);
RUN_DECLARE(recv);
RUN_DECLARE(sendmsg);
RUN_DECLARE(recvmsg);
RUN_DECLARE(accept);
RUN_DECLARE(connect);
RUN_DECLARE(socket);
RUN_DECLARE(shutdown);
RUN_DECLARE(msg_ring);

#endif
