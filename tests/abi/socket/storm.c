/* SPDX-License-Identifier: MIT */
/* Many processes and threads at the same sockets: nothing may be lost, and nothing may hang. */
#include "unix.h"

#include <pthread.h>
#include <sys/sendfile.h>

enum { WORKERS = 4, SLOTS = 6 };

struct storm {
	pthread_mutex_t lock;
	int fd[SLOTS][2]; /* lock to replace */
	long long end;
};

static struct storm storm = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
send_some(int s, int with, unsigned int r)
{
	char control[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))) = "", bytes[700] = "";
	struct iovec v = { bytes, r % sizeof(bytes) + 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), (int[]){ with, s }, 2 * sizeof(int));
	if (r & 0x1000)
		m.msg_controllen = 0;
	sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
receive_some(int s, int flags)
{
	char control[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))), bytes[300];
	struct iovec v = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fds[2];

	if (recvmsg(s, &m, MSG_DONTWAIT | flags) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
	}
}

static void
replace(int slot, unsigned int r)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int fresh[2];

	if (socketpair(AF_UNIX, types[r % 3], 0, fresh) < 0)
		return;
	pthread_mutex_lock(&storm.lock);
	for (int i = 0; i < 2; i++) {
		dup2(fresh[i], storm.fd[slot][i]);
		close(fresh[i]);
	}
	pthread_mutex_unlock(&storm.lock);
}

static void *
worker(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (check_now_ms() < storm.end) {
		unsigned int r = (unsigned int)rand_r(&seed);
		int slot = (int)(r >> 8) % SLOTS, s = storm.fd[slot][r & 1];

		switch (r >> 4 & 15) {
		case 0:
			replace(slot, r >> 16);
			break;
		case 1:
			shutdown(s, (int)(r >> 16) % 3);
			break;
		case 2:
			receive_some(s, MSG_PEEK);
			break;
		case 3:
			unix_poll(s, POLLIN | POLLOUT);
			break;
		case 4:
			connect(s, &(struct sockaddr){ .sa_family = AF_UNSPEC }, 2);
			break;
		case 5 ... 9:
			send_some(s, storm.fd[(r >> 16) % SLOTS][r >> 20 & 1], r >> 8);
			break;
		default:
			receive_some(s, 0);
		}
	}
	return NULL;
}

TEST(storm_of_messages_with_sockets)
{
	pthread_t t[WORKERS];

	TIMEOUT(30);
	for (int i = 0; i < SLOTS; i++)
		CHECK_OK(socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, storm.fd[i]));
	storm.end = check_now_ms() + 1500;
	for (int i = 0; i < WORKERS; i++)
		CHECK_RETURNS(pthread_create(&t[i], NULL, worker, (void *)(uintptr_t)(i + 1)), 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK_RETURNS(pthread_join(t[i], NULL), 0);
}

TEST(many_clients_of_one_server)
{
	int l = unix_server(SOCK_STREAM, "s", 2), sum = 0;
	pid_t pid[WORKERS];

	TIMEOUT(30);
	for (int i = 0; i < WORKERS; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			for (int n = 0; n < 100; n++) {
				int c = unix_client(SOCK_STREAM, "s");
				char b[2] = "x";

				CHECK_EQ(write(c, b, 1), 1);
				CHECK_EQ(read(c, b, 2), 2);
				CHECK_EQ(read(c, b, 1), 0);
				CHECK_OK(close(c));
			}
			_exit(0);
		}
	}
	for (int n = 0; n < WORKERS * 100; n++) {
		int a = CHECK_OK(accept(l, NULL, NULL));
		char b;

		CHECK_EQ(read(a, &b, 1), 1);
		sum += b == 'x';
		CHECK_EQ(write(a, "ok", 2), 2);
		CHECK_OK(close(a));
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EXIT(pid[i], 0);
	CHECK_EQ(sum, WORKERS * 100);
}

TEST(two_writers_and_two_readers_of_a_stream)
{
	enum { EACH = 50000 };
	int s[2], ends[2];
	pid_t writers[2], readers[2];
	uint64_t total = 0, n;

	TIMEOUT(30);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(pipe(ends));
	for (int i = 0; i < 2; i++) {
		readers[i] = check_fork();
		if (readers[i] == 0) {
			char b[777];
			uint64_t got = 0;
			ssize_t r;

			CHECK_OK(close(s[0]));
			while ((r = CHECK_OK(read(s[1], b, sizeof(b)))) > 0)
				got += (uint64_t)r;
			check_write_all(ends[1], &got, sizeof(got));
			_exit(0);
		}
		writers[i] = check_fork();
		if (writers[i] == 0) {
			char b[1000] = "";

			for (int left = EACH; left > 0; )
				left -= (int)CHECK_OK(write(s[0], b, left < 1000 ? (size_t)left : 1000));
			_exit(0);
		}
	}
	CHECK_OK(close(s[0]));
	for (int i = 0; i < 2; i++) {
		check_read_all(ends[0], &n, sizeof(n));
		total += n;
		CHECK_EXIT(writers[i], 0);
		CHECK_EXIT(readers[i], 0);
	}
	CHECK_EQ(total, 2 * EACH);
}

TEST(sendfile_to_a_stream)
{
	static char data[200000], got[200000];
	int s[2], fd;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i / 7 + i);
	check_write_file("f", data, sizeof(data));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pid_t pid = check_fork();
	if (pid == 0) {
		size_t left = sizeof(data);

		while (left > 0)
			left -= (size_t)CHECK_OK(sendfile(s[0], fd, NULL, left));
		_exit(0);
	}
	check_read_all(s[1], got, sizeof(got));
	CHECK_MEM(got, data, sizeof(data));
	CHECK_EXIT(pid, 0);
}
