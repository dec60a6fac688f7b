/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - see daemon.h.
 */
#include "daemon.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <sched.h>

struct daemon {
	struct disk *disk;
	int fd, kick, answers; /* answers: -1, or an eventfd that tells of them */
	unsigned char *arena;
	size_t size;
	uint64_t start;
	unsigned int num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	unsigned short taken;
	unsigned int random;
};

int
control_open(void)
{
	int fd = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	uint64_t version = 0;

	if (fd < 0)
		check_skip("no VDUSE here");
	CHECK_OK(ioctl(fd, VDUSE_SET_API_VERSION, &version));
	return fd;
}

unsigned char *
aligned(size_t size)
{
	void *p = NULL;

	CHECK(posix_memalign(&p, 4096, size) == 0);
	memset(p, 0, size);
	return p;
}

struct disk *
disk_create(unsigned long long features)
{
	return disk_create_as("abi", features);
}

struct disk *
disk_create_as(const char *name, unsigned long long features)
{
	int control = control_open();
	struct disk *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct virtio_blk_config config = {
		.capacity = DISK_SIZE / 512,
		.blk_size = 512,
		.max_discard_sectors = 1024,
		.max_discard_seg = 1,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = 1024,
		.max_write_zeroes_seg = 1,
	};
	struct vduse_dev_config *c = calloc(1, sizeof(*c) + sizeof(config));

	CHECK(d != MAP_FAILED && c);
	snprintf(d->name, sizeof(d->name), "%s", name);
	(void)ioctl(control, VDUSE_DESTROY_DEV, d->name); /* what a case that failed has left */
	snprintf(c->name, sizeof(c->name), "%s", d->name);
	c->device_id = 2;
	c->features = FEATURES | features;
	c->vq_num = 1;
	c->vq_align = 4096;
	c->config_size = sizeof(config);
	memcpy(c->config, &config, sizeof(config));
	CHECK_OK(ioctl(control, VDUSE_CREATE_DEV, c));
	free(c);
	close(control);
	return d;
}

void
disk_destroy(struct disk *d)
{
	int control = control_open();
	char name[VDUSE_NAME_MAX] = "";

	snprintf(name, sizeof(name), "%s", d->name);
	/* Who used it may let go a moment later: a worker of a ring does, behind its answer. */
	while (ioctl(control, VDUSE_DESTROY_DEV, name)) {
		CHECK_EQ(errno, EBUSY);
		check_sleep_ms(2);
	}
	close(control);
}

bool
state_has(const struct disk *d, const char *word)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/vduse/%s/state", d->name);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strstr(text, word) != NULL;
}

void
wait_for_state(const struct disk *d, const char *word)
{
	while (!state_has(d, word)) /* the case's time limit ends it */
		check_sleep_ms(2);
}

/* --- the daemon itself ------------------------------------------------------------------------------- */

static void *
at(struct daemon *m, uint64_t address, uint32_t length)
{
	address -= m->start;
	return address <= m->size && length <= m->size - address ? m->arena + address : NULL;
}

static void
enable(struct daemon *m)
{
	struct vduse_vq_info info = { .index = 0 };
	struct vduse_iotlb_entry entry = { .last = UINT64_MAX };
	struct vduse_vq_eventfd kick = { .index = 0 };
	int fd;

	if (m->arena || ioctl(m->fd, VDUSE_VQ_GET_INFO, &info) || !info.ready)
		return;
	fd = ioctl(m->fd, VDUSE_IOTLB_GET_FD, &entry);
	if (fd < 0)
		_exit(20);
	m->start = entry.start;
	m->size = entry.last - entry.start + 1;
	m->arena = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)entry.offset);
	if (m->arena == MAP_FAILED)
		_exit(21);
	m->num = info.num;
	m->desc = at(m, info.desc_addr, 16 * info.num);
	m->avail = at(m, info.driver_addr, 6 + 2 * info.num);
	m->used = at(m, info.device_addr, 6 + 8 * info.num);
	m->taken = info.split.avail_index;
	if (!m->desc || !m->avail || !m->used || m->taken != m->used->idx)
		_exit(22);
	if (m->disk->direct) {
		struct vduse_vq_eventfd event = { .fd = m->answers = eventfd(0, EFD_NONBLOCK) };

		if (ioctl(m->fd, VDUSE_VQ_DIRECT, &event))
			_exit(27);
		m->taken = 0;
		if (m->used->idx != 0)
			_exit(28);
	}
	kick.fd = m->kick;
	if (ioctl(m->fd, VDUSE_VQ_SETUP_KICKFD, &kick))
		_exit(23);
}

static unsigned int
next_random(struct daemon *m)
{
	m->random = m->random * 1103515245u + 12345u;
	return m->random >> 8;
}

static void
give_back(struct daemon *m, unsigned int id, unsigned int length)
{
	uint32_t index = 0;

	m->used->ring[m->used->idx % m->num].id = id;
	m->used->ring[m->used->idx % m->num].len = length;
	__atomic_store_n(&m->used->idx, (uint16_t)(m->used->idx + 1), __ATOMIC_RELEASE);
	if (m->answers < 0)
		ioctl(m->fd, VDUSE_VQ_INJECT_IRQ, &index);
	else if (eventfd_write(m->answers, 1))
		_exit(29);
}

static unsigned char
perform(struct daemon *m, const struct virtio_blk_outhdr *h, const struct vring_desc *data)
{
	struct disk *d = m->disk;
	unsigned char *p = data ? at(m, data->addr, data->len) : NULL;
	uint64_t offset = h->sector * 512;

	d->log[d->logged % LOG_SIZE] = h->sector;
	d->logged++;
	switch (h->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		if (!p || offset > DISK_SIZE || data->len > DISK_SIZE - offset)
			return VIRTIO_BLK_S_IOERR;
		if (h->type == VIRTIO_BLK_T_IN)
			memcpy(p, d->data + offset, data->len);
		else
			memcpy(d->data + offset, p, data->len);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		memcpy(p, "serial-of-a-test", 17);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES: {
		struct virtio_blk_discard_write_zeroes *r = (void *)p;

		d->senseless |= !r;
		if (!r || r->sector * 512 + r->num_sectors * 512ull > DISK_SIZE)
			return VIRTIO_BLK_S_IOERR;
		memset(d->data + r->sector * 512, 0, r->num_sectors * 512ull);
		return VIRTIO_BLK_S_OK;
	}
	}
	return VIRTIO_BLK_S_UNSUPP;
}

static void
serve_one(struct daemon *m, unsigned int head)
{
	struct vring_desc *first = &m->desc[head], *second = &m->desc[first->next], *last = second;
	const struct virtio_blk_outhdr *h = at(m, first->addr, 16);
	unsigned char *status;

	if (m->disk->behaviour == LEAVE_SEVEN && h->sector == 7)
		return;
	if (second->flags & VRING_DESC_F_NEXT)
		last = &m->desc[second->next];
	status = at(m, last->addr, 1);
	*status = perform(m, h, second == last ? NULL : second);
	if (m->disk->behaviour == FAIL_ALL)
		*status = VIRTIO_BLK_S_IOERR;
	if (m->disk->behaviour == BAD_STATUS)
		*status = 77;
	give_back(m, head, 1);
}

static bool
asks_for_name(struct daemon *m, unsigned int head)
{
	const struct virtio_blk_outhdr *h = at(m, m->desc[head].addr, sizeof(*h));

	return h->type == VIRTIO_BLK_T_GET_ID;
}

static void
scribble(struct daemon *m)
{
	uint32_t index = next_random(m) % 3;

	for (int i = 0; i < 200; i++) {
		size_t where = next_random(m) % 3 ? next_random(m) % 8192 : next_random(m) % m->size;

		m->arena[where] = (unsigned char)next_random(m);
	}
	if (next_random(m) % 2)
		m->used->idx = (uint16_t)(m->used->idx + next_random(m) % 4);
	for (unsigned int i = 0; i < m->num; i++)
		m->used->ring[i].id = next_random(m) % 2 ? next_random(m) % 130 : next_random(m);
	ioctl(m->fd, VDUSE_VQ_INJECT_IRQ, &index);
}

bool
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/*
 * It has the rings' memory, and tells of answers before there are any: whoever then looks for them waits for CPU 1, which
 * this one keeps until there is one, and no daemon.
 */
static void
stay_behind(struct daemon *m)
{
	struct sched_param high = { .sched_priority = 1 };
	unsigned int head = m->avail->ring[m->taken % m->num];
	unsigned char *status = at(m, m->desc[m->desc[m->desc[head].next].next].addr, 1);

	if (fork() != 0)
		return;
	close(m->fd);
	if (!status || !run_on(1) || sched_setscheduler(0, SCHED_FIFO, &high) || eventfd_write(m->answers, 1))
		_exit(30);
	m->disk->behind = 1;
	while (m->disk->behind != 2)
		; /* the case's end is its, too */
	*status = VIRTIO_BLK_S_OK;
	m->used->ring[m->used->idx % m->num].id = head;
	__atomic_store_n(&m->used->idx, (uint16_t)(m->used->idx + 1), __ATOMIC_RELEASE);
	check_sleep_ms(100);
	m->disk->behind = 3;
	_exit(0);
}

static void
change_all(struct daemon *m)
{
	for (unsigned short n = m->taken; n != __atomic_load_n(&m->avail->idx, __ATOMIC_ACQUIRE); n++) {
		struct virtio_blk_outhdr *h = at(m, m->desc[m->avail->ring[n % m->num]].addr, sizeof(*h));

		h->type = VIRTIO_BLK_T_DISCARD;
	}
	m->disk->changed = true;
}

static void
work(struct daemon *m)
{
	struct disk *d = m->disk;

	d->seen = (uint16_t)(__atomic_load_n(&m->avail->idx, __ATOMIC_ACQUIRE) - m->taken);
	switch (d->behaviour) {
	case HOLD:
		return;
	case HOLD_CHANGE:
		change_all(m);
		return;
	case STAY_BEHIND:
		d->behaviour = HOLD;
		stay_behind(m);
		return;
	case SCRIBBLE:
		scribble(m);
		return;
	case BAD_ID:
		if (d->seen)
			give_back(m, 1, 1);
		return;
	case BAD_INDEX: {
		uint32_t index = 0;

		if (d->seen) {
			m->used->idx = (uint16_t)(m->used->idx + 1000);
			ioctl(m->fd, VDUSE_VQ_INJECT_IRQ, &index);
		}
		return;
	}
	}
	while (m->taken != __atomic_load_n(&m->avail->idx, __ATOMIC_ACQUIRE)) {
		unsigned int head = m->avail->ring[m->taken % m->num];

		if (d->behaviour == HOLD_DATA && !asks_for_name(m, head))
			return;
		m->taken++;
		if (d->behaviour == BY_LOG)
			*(volatile uint16_t *)&m->used->ring[m->num] = m->taken;
		serve_one(m, head);
	}
}

/* As libvduse: what a predecessor took is done again, and nothing is said of what is wanted next. */
static void
do_logged(struct daemon *m)
{
	while (m->taken != __atomic_load_n(&m->avail->idx, __ATOMIC_ACQUIRE))
		serve_one(m, m->avail->ring[m->taken++ % m->num]);
}

static void
answer(struct daemon *m)
{
	struct vduse_dev_request request;
	struct vduse_dev_response response = { 0 };

	if (read(m->fd, &request, sizeof(request)) != (ssize_t)sizeof(request))
		return;
	response.request_id = request.request_id;
	response.result = m->disk->behaviour == REFUSE ? VDUSE_REQ_RESULT_FAILED : VDUSE_REQ_RESULT_OK;
	if (write(m->fd, &response, sizeof(response)) != (ssize_t)sizeof(response))
		_exit(24);
	if (request.type == VDUSE_SET_STATUS && (request.s.status & 4))
		enable(m);
}

static void
run(struct disk *d)
{
	struct vduse_vq_config c = { .index = 0, .max_size = 128 };
	struct daemon m = { .disk = d, .kick = eventfd(0, EFD_NONBLOCK), .answers = -1, .random = (unsigned int)getpid() };
	char path[64];

	snprintf(path, sizeof(path), "/dev/vduse/%s", d->name);
	do
		m.fd = open(path, O_RDWR | O_NONBLOCK);
	while (m.fd < 0 && errno == EBUSY); /* the last one is on its way out */
	if (m.fd < 0 || ioctl(m.fd, VDUSE_VQ_SETUP, &c))
		_exit(25);
	enable(&m);
	if (d->behaviour == BY_LOG && m.arena)
		do_logged(&m);
	for (;;) {
		struct pollfd fds[2] = { { m.fd, POLLIN, 0 }, { m.kick, POLLIN, 0 } };
		uint64_t n;

		poll(fds, 2, d->behaviour == SCRIBBLE ? 1 : 20); /* behaviour may change meanwhile */
		if (fds[0].revents & POLLIN)
			answer(&m);
		if (fds[1].revents & POLLIN && read(m.kick, &n, sizeof(n)) < 0)
			_exit(26);
		if (m.arena && (d->behaviour != BY_LOG || (fds[1].revents & POLLIN)))
			work(&m);
	}
}

bool
find_path(struct disk *d)
{
	char path[96];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/vduse/%s/block", d->name);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			snprintf(d->path, sizeof(d->path), "/dev/%.40s", e->d_name);
	if (dir)
		closedir(dir);
	/* Its folder comes first, its other names a moment later. */
	snprintf(path, sizeof(path), "/sys/class/block/%s", d->path[0] ? d->path + 5 : ".");
	if (access(path, F_OK) || access(d->path, F_OK))
		d->path[0] = '\0';
	return d->path[0] != '\0';
}

pid_t
daemon_start(struct disk *d, bool wait)
{
	pid_t pid = check_fork();

	if (pid == 0)
		run(d);
	if (wait) {
		wait_for_state(d, "live");
		CHECK(find_path(d));
	}
	return pid;
}

void
daemon_kill(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}
