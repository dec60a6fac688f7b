/* SPDX-License-Identifier: MIT */
/*
 * vduse.c - disks that programs provide: how they come and go, and what happens when their daemon dies or lies.
 */
#include "daemon.h"

static int
open_disk(const struct disk *d, int flags)
{
	return CHECK_OK(open(d->path, flags | O_CLOEXEC));
}

/* In a child: one write of a sector, which exits with 0, or the errno. */
static pid_t
start_write(const struct disk *d, long long sector, unsigned char with)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		unsigned char *buf = aligned(512);
		int fd = open_disk(d, O_RDWR | O_DIRECT);

		memset(buf, with, 512);
		_exit(pwrite(fd, buf, 512, sector * 512) == 512 ? 0 : errno);
	}
	return pid;
}

static void
set_limit(const struct disk *d, const char *ms)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/block/%s/queue/io_timeout", d->path + 5);
	fd = CHECK_OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, ms, strlen(ms)), strlen(ms));
	close(fd);
}

TEST(version_is_zero)
{
	int fd = control_open();
	uint64_t version = 5;

	CHECK_OK(ioctl(fd, VDUSE_GET_API_VERSION, &version));
	CHECK_EQ(version, 0);
	version = 1;
	CHECK_ERRNO(ioctl(fd, VDUSE_SET_API_VERSION, &version), EINVAL);
	CHECK_ERRNO(ioctl(fd, VDUSE_GET_API_VERSION, NULL), EFAULT);
}

TEST(create_refuses_what_makes_no_sense)
{
	int fd = control_open();
	char name[VDUSE_NAME_MAX] = "abi-none";
	struct vduse_dev_config c = { .name = "abi-bad", .device_id = 2, .features = FEATURES, .vq_num = 1 };
	struct vduse_dev_config bad;

	bad = c;
	bad.device_id = 1;
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	bad = c;
	bad.reserved[3] = 1;
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	bad = c;
	bad.features &= ~(1ull << 33);
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	bad = c;
	bad.vq_align = 8192;
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	bad = c;
	bad.config_size = 8192;
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	bad = c;
	strcpy(bad.name, "a/b");
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, &bad), EINVAL);
	CHECK_ERRNO(ioctl(fd, VDUSE_CREATE_DEV, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, VDUSE_DESTROY_DEV, name), EINVAL);
}

TEST(one_daemon_at_a_time)
{
	struct disk *d = disk_create(0);
	char path[64];
	int fd, control = control_open();
	char name[VDUSE_NAME_MAX] = "";
	struct vduse_dev_request request;
	struct vduse_vq_info info = { .index = 1 };
	struct vduse_vq_eventfd direct = { .fd = -1 };
	uint32_t index = 0;

	snprintf(path, sizeof(path), "/dev/vduse/%s", d->name);
	snprintf(name, sizeof(name), "%s", d->name);
	fd = CHECK_OK(open(path, O_RDWR | O_NONBLOCK));
	CHECK_ERRNO(open(path, O_RDWR), EBUSY);
	CHECK_ERRNO(ioctl(control, VDUSE_DESTROY_DEV, name), EBUSY);
	CHECK_ERRNO(read(fd, &request, sizeof(request)), EAGAIN);
	CHECK_ERRNO(read(fd, &request, 10), EINVAL);
	CHECK_ERRNO(write(fd, &request, 10), EINVAL);
	memset(&request, 0, sizeof(request));
	CHECK_ERRNO(write(fd, &request, sizeof(request)), ENOENT);
	CHECK_ERRNO(ioctl(fd, VDUSE_VQ_GET_INFO, &info), EINVAL);
	info.index = 0;
	CHECK_OK(ioctl(fd, VDUSE_VQ_GET_INFO, &info));
	CHECK_EQ(info.ready, 0);
	CHECK_ERRNO(ioctl(fd, VDUSE_VQ_INJECT_IRQ, &index), EINVAL);
	CHECK_ERRNO(ioctl(fd, VDUSE_DEV_INJECT_CONFIG_IRQ), EINVAL);
	CHECK_ERRNO(ioctl(fd, VDUSE_VQ_DIRECT, &direct), EBADF);
	direct.fd = fd;
	CHECK_ERRNO(ioctl(fd, VDUSE_VQ_DIRECT, &direct), EINVAL);
	direct.fd = CHECK_OK(eventfd(0, 0));
	CHECK_ERRNO(ioctl(fd, VDUSE_VQ_DIRECT, &direct), EINVAL); /* it is not ready */
	close(direct.fd);
	close(fd);
	disk_destroy(d);
	CHECK_ERRNO(open(path, O_RDWR), ENOENT);
}

/* Which daemon answers first decides nothing. */
TEST(disks_are_named_in_the_order_of_their_setup)
{
	struct disk *late = disk_create_as("abi-late", 0), *d = disk_create(0);
	struct vduse_vq_config queue = { .index = 0, .max_size = 64 };
	pid_t pid = check_fork(), daemon, late_daemon;

	if (pid == 0) {
		int fd = open("/dev/vduse/abi-late", O_RDWR | O_NONBLOCK);

		_exit(fd < 0 || ioctl(fd, VDUSE_VQ_SETUP, &queue) < 0);
	}
	CHECK_EXIT(pid, 0);
	daemon = daemon_start(d, true);
	late_daemon = daemon_start(late, true);
	CHECK(strcmp(late->path, d->path) < 0);
	daemon_kill(late_daemon);
	daemon_kill(daemon);
	disk_destroy(late);
	disk_destroy(d);
}

TEST(what_is_written_is_there)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true);
	int fd = open_disk(d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(300000 / 512 * 512);
	char text[64] = "", path[96];
	uint64_t size, range[2] = { 8192, 4096 };

	CHECK_OK(ioctl(fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, DISK_SIZE);
	for (int i = 0; i < 299520; i++)
		buf[i] = (unsigned char)(i * 5 + i / 512);
	CHECK_EQ(pwrite(fd, buf, 299520, 4096), 299520);
	CHECK_OK(fsync(fd));
	CHECK_MEM(d->data + 4096, buf, 299520);
	CHECK_OK(ioctl(fd, BLKZEROOUT, range));
	CHECK_EQ(d->data[8192], 0);
	CHECK_EQ(d->data[8192 + 4095], 0);
	CHECK_EQ(d->data[8192 + 4096], buf[8192]);
	memset(buf, 0, 299520);
	CHECK_EQ(pread(fd, buf, 299520, 4096), 299520);
	CHECK_MEM(buf, d->data + 4096, 299520);
	close(fd);
	snprintf(path, sizeof(path), "/sys/class/block/%s/serial", d->path + 5);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK_STR(text, "serial-of-a-test");
	daemon_kill(daemon);
	disk_destroy(d);
}

/* Daemons that may serve as devices do: the ring begins anew for each. */
static void
die_and_be_replaced(bool direct)
{
	struct disk *d = disk_create(0);
	unsigned char *buf = aligned(512);
	pid_t daemon, writers[8];
	int fd;

	d->direct = direct;
	daemon = daemon_start(d, true);
	fd = open_disk(d, O_RDWR | O_DIRECT);
	CHECK_EQ(pread(fd, buf, 512, 0), 512);
	for (int life = 0; life < 3; life++) {
		d->behaviour = HOLD;
		d->seen = 99;
		while (d->seen) /* it has heard */
			check_sleep_ms(1);
		for (unsigned int i = 0; i < 8; i++) {
			writers[i] = start_write(d, 100 + i * 2, (unsigned char)(life * 8 + i + 1));
			while (d->seen != i + 1) /* one after the other, so that there is an order */
				check_sleep_ms(1);
		}
		daemon_kill(daemon);
		d->behaviour = HOLD;
		daemon = daemon_start(d, false); /* one that dies before it has done anything */
		wait_for_state(d, "connected");
		daemon_kill(daemon);
		d->logged = 0;
		d->behaviour = SERVE;
		daemon = daemon_start(d, false);
		for (unsigned int i = 0; i < 8; i++)
			CHECK_EXIT(writers[i], 0);
		CHECK_EQ(d->logged, 8);
		for (unsigned int i = 0; i < 8; i++) {
			CHECK_EQ(d->log[i], 100 + i * 2);
			CHECK_EQ(d->data[(100 + i * 2) * 512], life * 8 + i + 1);
		}
	}
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(a_dead_daemons_requests_go_to_the_next_in_order)
{
	die_and_be_replaced(false);
}

TEST(a_ring_that_a_device_serves_begins_anew)
{
	die_and_be_replaced(true);
}

/* What was told of is looked at before the daemon's death is over, or never: not while the next one comes. */
TEST(a_daemon_that_goes_on_by_a_log_hears_of_what_comes_next)
{
	struct disk *d = disk_create(EVENT_IDX);
	pid_t pid = daemon_start(d, true), writer;

	d->behaviour = HOLD;
	writer = start_write(d, 3, 'a');
	while (d->seen == 0)
		check_sleep_ms(2);
	daemon_kill(pid);
	d->behaviour = BY_LOG;
	pid = daemon_start(d, false);
	CHECK_EXIT(writer, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EXIT(start_write(d, 4 + i, 'b'), 0);
	CHECK_EQ(d->data[6 * 512], 'b');
	daemon_kill(pid);
	disk_destroy(d);
}

TEST(nothing_is_taken_when_the_daemon_is_dead)
{
	struct disk *d = disk_create(0);
	pid_t daemon, writer;

	if (!run_on(1) || !run_on(0))
		SKIP("one processor");
	d->direct = true;
	daemon = daemon_start(d, true);
	d->behaviour = HOLD;
	d->seen = 99;
	while (d->seen) /* it has heard */
		check_sleep_ms(1);
	writer = start_write(d, 7, 0x77);
	while (d->seen != 1)
		check_sleep_ms(1);
	d->behaviour = STAY_BEHIND;
	while (d->behind != 1)
		check_sleep_ms(1);
	daemon_kill(daemon);
	while (state_has(d, "connected"))
		check_sleep_ms(1);
	d->behind = 2;
	while (d->behind != 3)
		check_sleep_ms(1);
	d->logged = 0;
	d->behaviour = SERVE;
	daemon = daemon_start(d, false);
	CHECK_EXIT(writer, 0);
	CHECK_EQ(d->logged, 1);
	CHECK_EQ(d->data[7 * 512], 0x77);
	daemon_kill(daemon);
	disk_destroy(d);
}

/* Requests get an error, nobody hangs; the next daemon, an honest one, is believed again. */
static void
lie(enum behaviour how, bool broken)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true);
	int fd = open_disk(d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(512);

	memset(buf, 9, 512);
	d->behaviour = how;
	CHECK_ERRNO(pread(fd, buf, 512, 0), EIO);
	CHECK_EQ(state_has(d, "broken"), broken);
	if (broken) {
		d->behaviour = SERVE; /* it is not heard any more, whatever it says */
		CHECK_ERRNO(pread(fd, buf, 512, 0), EIO);
	}
	daemon_kill(daemon);
	d->behaviour = SERVE;
	daemon = daemon_start(d, false);
	wait_for_state(d, "connected");
	CHECK_EQ(pwrite(fd, buf, 512, 512), 512);
	CHECK_EQ(d->data[512], buf[0]);
	CHECK_EQ(pread(fd, buf, 512, 512), 512);
	CHECK(!state_has(d, "broken"));
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(answers_to_what_was_not_asked_are_refused) { lie(BAD_ID, true); }
TEST(more_answers_than_questions_are_refused) { lie(BAD_INDEX, true); }
TEST(an_answer_without_a_status_is_an_error) { lie(BAD_STATUS, false); }
TEST(errors_are_handed_on) { lie(FAIL_ALL, false); }

TEST(a_daemon_that_writes_anything_anywhere_does_no_harm)
{
	TIMEOUT(60);
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true), users[4];
	unsigned char *buf = aligned(4096);
	int fd;

	for (int life = 0; life < 12; life++) {
		for (int i = 0; i < 4; i++) {
			users[i] = check_fork();
			if (users[i] == 0) { /* what it gets does not matter, that it gets something does */
				fd = open_disk(d, O_RDWR | O_DIRECT);
				for (int n = 0; n < 30; n++)
					if ((n + i) % 2 ? pread(fd, buf, 4096, n * 4096) : pwrite(fd, buf, 4096, n * 4096))
						continue;
				_exit(0);
			}
		}
		d->behaviour = SCRIBBLE;
		check_sleep_ms(30);
		daemon_kill(daemon);
		d->behaviour = SERVE;
		daemon = daemon_start(d, false);
		for (int i = 0; i < 4; i++)
			CHECK_EXIT(users[i], 0);
	}
	fd = open_disk(d, O_RDWR | O_DIRECT);
	memset(buf, 0x3c, 4096);
	CHECK_EQ(pwrite(fd, buf, 4096, 0), 4096);
	CHECK_MEM(d->data, buf, 4096);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

/* Another daemon serves, and what was told to have failed, a write of sector 7, is not done late. */
static pid_t
serve_again(struct disk *d, int fd)
{
	unsigned char *buf = aligned(512);
	pid_t daemon;

	d->behaviour = SERVE;
	set_limit(d, "30000"); /* of the one that comes */
	daemon = daemon_start(d, false);
	wait_for_state(d, "connected");
	CHECK_EQ(pread(fd, buf, 512, 7 * 512), 512);
	CHECK_EQ(buf[0], 0);
	return daemon;
}

TEST(without_a_daemon_requests_fail_in_the_end)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true), writer;
	int fd = open_disk(d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(512);

	set_limit(d, "50");
	d->behaviour = HOLD;
	writer = start_write(d, 7, 0x77);
	while (d->seen != 1)
		check_sleep_ms(1);
	daemon_kill(daemon);
	CHECK_EXIT(writer, EIO);
	CHECK_ERRNO(pread(fd, buf, 512, 0), EIO);
	CHECK(state_has(d, "expired"));
	daemon = serve_again(d, fd);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(a_daemon_that_answers_nothing_is_given_up)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true), writer;
	int fd = open_disk(d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(512);

	set_limit(d, "100");
	d->behaviour = HOLD;
	writer = start_write(d, 7, 0x77);
	CHECK_EXIT(writer, EIO);
	CHECK(state_has(d, "stalled"));
	CHECK_ERRNO(pread(fd, buf, 512, 0), EIO);
	d->behaviour = HOLD_CHANGE; /* what it writes into a request that has failed its successor does not see */
	while (!d->changed)
		check_sleep_ms(1);
	daemon_kill(daemon);
	daemon = serve_again(d, fd);
	CHECK(!state_has(d, "stalled"));
	CHECK(!d->senseless);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

/* Its table of partitions is being read, and whoever opens it waits for that. */
TEST(a_daemon_that_dies_while_its_disk_is_looked_at_holds_nobody_up)
{
	struct disk *d = disk_create(0);
	unsigned char *buf = aligned(512);
	pid_t daemon, user;
	int fd;

	d->behaviour = HOLD_DATA;
	daemon = daemon_start(d, false);
	while (!find_path(d) || d->seen != 1)
		check_sleep_ms(1);
	set_limit(d, "50");
	user = check_fork();
	if (user == 0) {
		open(d->path, O_RDONLY);
		_exit(0);
	}
	daemon_kill(daemon);
	CHECK_EXIT(user, 0);
	wait_for_state(d, "live");
	d->behaviour = SERVE;
	daemon = daemon_start(d, false);
	wait_for_state(d, "connected");
	fd = open_disk(d, O_RDWR | O_DIRECT);
	CHECK_EQ(pwrite(fd, buf, 512, 512), 512);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

/* It goes on with others all the time. */
TEST(a_daemon_that_leaves_a_request_is_given_up)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true), writer, ended;
	int fd = open_disk(d, O_RDWR | O_DIRECT), status;
	unsigned char *buf = aligned(512);

	set_limit(d, "100");
	d->behaviour = LEAVE_SEVEN;
	writer = start_write(d, 7, 0x77);
	while ((ended = waitpid(writer, &status, WNOHANG)) == 0)
		(void)!pread(fd, buf, 512, 0);
	CHECK_EQ(ended, writer);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EIO);
	d->behaviour = SERVE;
	daemon_kill(daemon);
	set_limit(d, "30000"); /* of the one that comes */
	daemon = daemon_start(d, false);
	wait_for_state(d, "connected");
	CHECK_EQ(pread(fd, buf, 512, 7 * 512), 512);
	CHECK_EQ(buf[0], 0);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(a_disk_in_use_is_not_destroyed)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true);
	int fd = open_disk(d, O_RDONLY), control = control_open();
	char name[VDUSE_NAME_MAX] = "";

	snprintf(name, sizeof(name), "%s", d->name);
	CHECK_ERRNO(ioctl(control, VDUSE_DESTROY_DEV, name), EBUSY);
	daemon_kill(daemon);
	CHECK_ERRNO(ioctl(control, VDUSE_DESTROY_DEV, name), EBUSY);
	close(fd);
	CHECK_OK(ioctl(control, VDUSE_DESTROY_DEV, name));
	CHECK_ERRNO(open(d->path, O_RDONLY), ENOENT);
}

TEST(a_daemon_that_refuses_gets_no_disk)
{
	struct disk *d = disk_create(0);
	pid_t daemon;

	d->behaviour = REFUSE;
	daemon = daemon_start(d, false);
	wait_for_state(d, "failed");
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(read_only_devices_are_not_written)
{
	struct disk *d = disk_create(1ull << 5);
	pid_t daemon = daemon_start(d, true);
	int fd = open_disk(d, O_RDWR | O_DIRECT), ro = 0;
	unsigned char *buf = aligned(512);

	CHECK_OK(ioctl(fd, BLKROGET, &ro));
	CHECK_EQ(ro, 1);
	CHECK_EQ(pread(fd, buf, 512, 0), 512);
	CHECK_ERRNO(pwrite(fd, buf, 512, 0), EPERM);
	close(fd);
	daemon_kill(daemon);
	disk_destroy(d);
}
