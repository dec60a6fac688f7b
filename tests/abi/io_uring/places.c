/* SPDX-License-Identifier: MIT */
/* io_uring: files that live in a ring's places and have no number, and messages from ring to ring. */
#include "ring.h"

#include <sys/resource.h>

static void
places(struct ring *r, unsigned int n)
{
	struct io_uring_rsrc_register all = { .nr = n, .flags = IORING_RSRC_REGISTER_SPARSE };

	CHECK_OK(reg(r, IORING_REGISTER_FILES2, &all, sizeof(all)));
}

static int
open_into(struct ring *r, const char *name, int flags, unsigned int place)
{
	struct io_uring_sqe *s = sqe(r, IORING_OP_OPENAT, AT_FDCWD, name, 0600, 0, 1);

	s->open_flags = (unsigned)flags;
	s->file_index = place;
	return run(r, s);
}

static int
read_place(struct ring *r, int place, char *buffer, unsigned int n)
{
	struct io_uring_sqe *s = sqe(r, IORING_OP_READ, place, buffer, n, 0, 2);

	s->flags = IOSQE_FIXED_FILE;
	return run(r, s);
}

static int
close_place(struct ring *r, unsigned int place)
{
	struct io_uring_sqe *s = sqe(r, IORING_OP_CLOSE, 0, NULL, 0, 0, 3);

	s->file_index = place;
	return run(r, s);
}

TEST(uring_opens_into_a_place)
{
	struct ring r = ring_of(8);
	char text[8] = "";
	int before;

	check_write_file("a", "AAAA", 4);
	check_write_file("b", "BBBB", 4);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, 1), -ENXIO);
	places(&r, 3);
	before = CHECK_OK(dup(0));
	close(before);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, 1), 0);
	CHECK_EQ(open_into(&r, "b", O_RDONLY, 3), 0);
	CHECK_EQ(open_into(&r, "b", O_RDONLY, 4), -EINVAL);
	CHECK_EQ(open_into(&r, "none", O_RDONLY, 1), -ENOENT);
	CHECK_EQ(open_into(&r, "a", O_RDONLY | O_CLOEXEC, 1), -EINVAL);
	CHECK_EQ(CHECK_OK(dup(0)), before); /* no number was used */
	CHECK_EQ(read_place(&r, 0, text, 4), 4);
	CHECK_MEM(text, "AAAA", 4);
	CHECK_EQ(read_place(&r, 2, text, 4), 4);
	CHECK_MEM(text, "BBBB", 4);
	CHECK_EQ(read_place(&r, 1, text, 4), -EBADF);
	/* What lay there goes. */
	CHECK_EQ(open_into(&r, "b", O_RDONLY, 1), 0);
	CHECK_EQ(read_place(&r, 0, text, 4), 4);
	CHECK_MEM(text, "BBBB", 4);
	CHECK_EQ(close_place(&r, 1), 0);
	CHECK_EQ(close_place(&r, 1), -EBADF);
	CHECK_EQ(close_place(&r, 4), -EINVAL);
	CHECK_EQ(read_place(&r, 0, text, 4), -EBADF);
}

TEST(uring_finds_a_free_place)
{
	struct ring r = ring_of(8);
	struct io_uring_file_index_range range = { .off = 1, .len = 2 };

	check_write_file("a", "AAAA", 4);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), -ENFILE);
	places(&r, 3);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 0);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 1);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 2);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), -ENFILE);
	CHECK_EQ(close_place(&r, 2), 0);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 1);
	for (unsigned int i = 1; i <= 3; i++)
		CHECK_EQ(close_place(&r, i), 0);
	CHECK_OK(reg(&r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0));
	CHECK_RANGE(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 1, 2);
	CHECK_RANGE(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), 1, 2);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, IORING_FILE_INDEX_ALLOC), -ENFILE);
	range.len = 3;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0), EINVAL);
	range = (struct io_uring_file_index_range){ .off = UINT32_MAX, .len = 2 };
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0), EOVERFLOW);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILE_ALLOC_RANGE, check_bad_address(), 0), EFAULT);
}

/* A program at its limit of numbers opens on. */
TEST(uring_place_needs_no_number)
{
	struct ring r = ring_of(8);
	struct rlimit limit = { 300, 300 };

	check_write_file("a", "AAAA", 4);
	places(&r, 2);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	while (dup(0) >= 0)
		;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, 0), -EMFILE);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, 1), 0);
}

TEST(uring_registers_files_of_all_kinds)
{
	struct ring r = ring_of(8);
	int32_t fds[2] = { CHECK_OK(open("a", O_RDWR | O_CREAT, 0600)), -1 }, two[2];
	struct io_uring_rsrc_register all = { .nr = 2, .data = (uintptr_t)fds };
	struct io_uring_rsrc_update2 up = { .offset = 1, .nr = 1, .data = (uintptr_t)fds };

	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all) - 8), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, check_bad_address(), sizeof(all)), EFAULT);
	all.flags = 2;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)), EINVAL);
	all.flags = IORING_RSRC_REGISTER_SPARSE;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)), EINVAL);
	all.flags = 0;
	all.nr = 0;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)), EINVAL);
	all.nr = 2;
	CHECK_OK(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)));
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)), EBUSY);
	CHECK_EQ(reg(&r, IORING_REGISTER_FILES_UPDATE2, &up, sizeof(up)), 1);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES_UPDATE2, &up, sizeof(up) - 1), EINVAL);
	CHECK_OK(reg(&r, IORING_UNREGISTER_FILES, NULL, 0));
	/* By an entry, into free places. */
	places(&r, 2);
	two[0] = two[1] = fds[0];
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FILES_UPDATE, -1, two, 2, IORING_FILE_INDEX_ALLOC, 1)), 2);
	CHECK_EQ(two[0] + two[1], 1);
	two[0] = fds[0];
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FILES_UPDATE, -1, two, 1, IORING_FILE_INDEX_ALLOC, 1)), -ENFILE);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FILES_UPDATE, -1, two, 0, 0, 1)), -EINVAL);
}

TEST(uring_sockets_into_places)
{
	struct ring r = ring_of(8);
	struct io_uring_sqe *s;
	int fd = listener("s"), other;
	char text[4];

	places(&r, 2);
	s = sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 1);
	s->file_index = 2;
	CHECK_EQ(submit(&r, 0), 1);
	other = connected("s");
	CHECK_EQ(next(&r).res, 0);
	CHECK_OK(write(other, "abc", 3));
	s = sqe(&r, IORING_OP_RECV, 1, text, 3, 0, 2);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 3);
	s = sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 1);
	s->file_index = 2;
	s->accept_flags = SOCK_CLOEXEC;
	CHECK_EQ(run(&r, s), -EINVAL);
	s = sqe(&r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM, 3);
	s->file_index = IORING_FILE_INDEX_ALLOC;
	CHECK_EQ(run(&r, s), 0);
	s = sqe(&r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM | SOCK_CLOEXEC, 3);
	s->file_index = 1;
	CHECK_EQ(run(&r, s), -EINVAL);
	s = sqe(&r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM, 3);
	s->file_index = IORING_FILE_INDEX_ALLOC;
	CHECK_EQ(run(&r, s), -ENFILE);
}

TEST(uring_splices_from_a_place)
{
	struct ring r = ring_of(8);
	struct io_uring_sqe *s;
	int in[2], out[2], fds[2];
	char text[4];

	CHECK_OK(pipe(in));
	CHECK_OK(pipe(out));
	fds[0] = in[0];
	fds[1] = out[1];
	CHECK_OK(reg(&r, IORING_REGISTER_FILES, fds, 2));
	CHECK_OK(write(in[1], "abc", 3));
	s = sqe(&r, IORING_OP_SPLICE, 1, NULL, 3, (uint64_t)-1, 1);
	s->splice_off_in = (uint64_t)-1;
	s->splice_fd_in = 0;
	s->splice_flags = SPLICE_F_FD_IN_FIXED;
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 3);
	check_read_all(out[0], text, 3);
	CHECK_MEM(text, "abc", 3);
	s = sqe(&r, IORING_OP_SPLICE, out[1], NULL, 3, (uint64_t)-1, 1);
	s->splice_off_in = (uint64_t)-1;
	s->splice_fd_in = 7;
	s->splice_flags = SPLICE_F_FD_IN_FIXED;
	CHECK_EQ(run(&r, s), -EBADF);
}

/* --- from ring to ring ----------------------------------------------------------------------------- */

TEST(uring_tells_another_ring)
{
	struct ring r = ring_of(8), to = ring_of(8);
	struct ring off = ring_with(8, (struct io_uring_params){ .flags = IORING_SETUP_R_DISABLED });
	struct io_uring_sqe *s;
	struct answer a;

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_DATA, 1234, 77, 1)), 0);
	a = next(&to);
	CHECK_EQ(a.user_data, 77);
	CHECK_EQ(a.res, 1234);
	CHECK_EQ(a.flags, 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MSG_RING, off.fd, (void *)IORING_MSG_DATA, 1, 1, 1)), -EBADFD);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MSG_RING, 0, (void *)IORING_MSG_DATA, 1, 1, 1)), -EBADFD);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MSG_RING, -1, (void *)IORING_MSG_DATA, 1, 1, 1)), -EBADF);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)9, 1, 1, 1)), -EINVAL);
	s = sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_DATA, 1, 1, 1);
	s->msg_ring_flags = 4;
	CHECK_EQ(run(&r, s), -EINVAL);
	s = sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_DATA, 1, 1, 1);
	s->file_index = 1;
	CHECK_EQ(run(&r, s), -EINVAL);
	CHECK_EQ(ready(&to), 0);
	/* To itself. */
	sqe(&r, IORING_OP_MSG_RING, r.fd, (void *)IORING_MSG_DATA, 5, 6, 7);
	CHECK_EQ(submit(&r, 2), 1);
	CHECK_EQ(next(&r).user_data + next(&r).user_data, 13);
}

TEST(uring_sends_a_file_to_another_ring)
{
	struct ring r = ring_of(8), to = ring_of(8);
	struct io_uring_sqe *s;
	char text[4];

	check_write_file("a", "AAAA", 4);
	places(&r, 2);
	places(&to, 2);
	CHECK_EQ(open_into(&r, "a", O_RDONLY, 2), 0);
	s = sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_SEND_FD, 55, 66, 1);
	s->addr3 = 1;
	s->file_index = 1;
	CHECK_EQ(run(&r, s), 0);
	CHECK_EQ(next(&to).user_data, 66);
	CHECK_EQ(read_place(&to, 0, text, 4), 4);
	s = sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_SEND_FD, 0, 0, 1);
	s->addr3 = 0; /* nothing is there */
	s->file_index = 1;
	CHECK_EQ(run(&r, s), -EBADF);
	s = sqe(&r, IORING_OP_MSG_RING, r.fd, (void *)IORING_MSG_SEND_FD, 0, 0, 1);
	s->addr3 = 1;
	s->file_index = 1;
	CHECK_EQ(run(&r, s), -EINVAL);
	s = sqe(&r, IORING_OP_MSG_RING, to.fd, (void *)IORING_MSG_SEND_FD, 0, 0, 1);
	s->addr3 = 1;
	s->file_index = IORING_FILE_INDEX_ALLOC;
	s->msg_ring_flags = IORING_MSG_RING_CQE_SKIP;
	CHECK_EQ(run(&r, s), 1);
	CHECK_EQ(ready(&to), 0);
	CHECK_EQ(read_place(&to, 1, text, 4), 4);
}
