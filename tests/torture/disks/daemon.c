/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - see daemon.h. Everything that a daemon can touch it sometimes touches wrongly: the rings, the headers and
 * data in its memory, its answers to messages, its ioctls. What it does rightly is a virtio-blk device's work.
 */
#include "daemon.h"

#include <dirent.h>
#include <linux/vduse.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

/* Tessera's: the ring begins anew at index 0, and an eventfd tells of answers, as a device's interrupt does. */
#define VDUSE_VQ_DIRECT _IOW(VDUSE_BASE, 0x40, struct vduse_vq_eventfd)

#define F_EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define F_NEEDED    (1ull << 33 | 1ull << 32) /* of our memory only, version 1 */
#define F_HONEST    (F_NEEDED | F_EVENT_IDX | 1ull << VIRTIO_BLK_F_WRITE_ZEROES | 1ull << VIRTIO_BLK_F_DISCARD | \
		     1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_MQ)

struct queue {
	bool ready;
	unsigned int num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t taken;
	int kick;
	int answers; /* -1: told of by a call */
};

struct server {
	struct disk *disk;
	int fd;
	uint64_t seed;
	unsigned char *arena;
	uint64_t start;              /* of the arena, as rings name it */
	size_t size;
	struct queue queue[QUEUES_MAX];
};

static const uint64_t strange[] = { 0, 1, 2, 3, 127, 128, 512, 4096, 65535, INT32_MAX, UINT32_MAX, INT64_MAX, ~0ull };

static uint32_t
below(struct server *s, uint32_t limit)
{
	s->seed ^= s->seed >> 12;
	s->seed ^= s->seed << 25;
	s->seed ^= s->seed >> 27;
	return (uint32_t)((s->seed * 0x2545f4914f6cdd1dull >> 33) % limit);
}

static uint64_t
odd(struct server *s)
{
	return below(s, 3) ? strange[below(s, 13)] : below(s, 200);
}

/* --- devices ------------------------------------------------------------------------------------- */

static int
control_open(void)
{
	int fd = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	uint64_t version = 0;

	if (fd < 0)
		SKIP("no VDUSE here");
	CHECK_OK(ioctl(fd, VDUSE_SET_API_VERSION, &version));
	return fd;
}

static void
spoil(unsigned char *data, size_t size, int many)
{
	for (int i = 0; i < many; i++)
		data[storm_below((int)size)] = (unsigned char)storm_random();
}

struct disk *
disk_create(struct disk *d, const char *name, bool wild)
{
	int control = control_open();
	struct virtio_blk_config config = {
		.capacity = DISK_SIZE / 512, .blk_size = 512,
		.max_discard_sectors = 1024, .max_discard_seg = 1, .discard_sector_alignment = 8,
		.max_write_zeroes_sectors = 1024, .max_write_zeroes_seg = 1,
	};
	union {
		struct vduse_dev_config c;
		char room[sizeof(struct vduse_dev_config) + sizeof(config)];
	} u;

	memset(&u, 0, sizeof(u));
	if (!d)
		/* All of it now: what is first touched in a later run would look like something left by that. */
		d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(d != MAP_FAILED);
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->queues = 1 + storm_below(QUEUES_MAX);
	d->features = F_HONEST;
	if (wild) {
		d->features = F_NEEDED | (storm_below(2) ? F_HONEST : storm_random() & storm_random() & ~(1u << 11));
		if (storm_below(3) == 0)
			spoil((unsigned char *)&config, sizeof(config), 1 + storm_below(3));
	}
	config.num_queues = (uint16_t)d->queues;
	snprintf(u.c.name, sizeof(u.c.name), "%s", name);
	u.c.device_id = 2;
	u.c.features = d->features;
	u.c.vq_num = (uint32_t)d->queues;
	u.c.vq_align = 4096;
	u.c.config_size = wild && storm_below(8) == 0 ? (uint32_t)storm_below((int)sizeof(config)) : sizeof(config);
	memcpy(u.c.config, &config, sizeof(config));
	CHECK_OK(ioctl(control, VDUSE_CREATE_DEV, &u.c));
	close(control);
	d->path[0] = '\0';
	return d;
}

void
disk_destroy(struct disk *d)
{
	int control = control_open();
	char name[VDUSE_NAME_MAX] = "";

	snprintf(name, sizeof(name), "%s", d->name);
	while (ioctl(control, VDUSE_DESTROY_DEV, name)) {
		CHECK_EQ(errno, EBUSY); /* somebody has died, and is not through with it */
		check_sleep_ms(2);
	}
	close(control);
}

static bool
has_failed(const struct disk *d)
{
	char path[80], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/vduse/%s/state", d->name);
	fd = CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strstr(text, "failed") != NULL;
}

bool
disk_find(struct disk *d, long ms)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/class/vduse/%s/block", d->name);
	for (long long end = check_now_ms() + ms; !d->path[0] && !has_failed(d); check_sleep_ms(2)) {
		DIR *dir = opendir(path);
		struct dirent *e;

		while (dir && (e = readdir(dir)) != NULL)
			if (e->d_name[0] != '.')
				snprintf(d->path, sizeof(d->path), "/dev/%.40s", e->d_name);
		if (dir)
			closedir(dir);
		if (check_now_ms() >= end)
			break;
	}
	return d->path[0] != '\0';
}

void
disk_patience(const struct disk *d, int ms)
{
	char path[100], text[16];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/block/%s/queue/io_timeout", d->path + 5);
	fd = CHECK_OK(open(path, O_WRONLY | O_CLOEXEC));
	CHECK(write(fd, text, (size_t)snprintf(text, sizeof(text), "%d", ms)) > 0);
	close(fd);
}

/* --- right --------------------------------------------------------------------------------------- */

static void *
at(const struct server *s, uint64_t address, uint64_t length)
{
	address -= s->start;
	return address <= s->size && length <= s->size - address ? s->arena + address : NULL;
}

static void
enable(struct server *s, uint32_t index)
{
	struct queue *q = &s->queue[index];
	struct vduse_vq_info info = { .index = index };
	struct vduse_iotlb_entry entry = { .last = UINT64_MAX };
	struct vduse_vq_eventfd kick = { .index = index, .fd = q->kick };
	struct vduse_vq_eventfd direct = { .index = index, .fd = q->answers };

	if (q->ready || ioctl(s->fd, VDUSE_VQ_GET_INFO, &info) || !info.ready)
		return;
	if (!s->arena) {
		int fd = ioctl(s->fd, VDUSE_IOTLB_GET_FD, &entry);

		if (fd < 0)
			return;
		s->size = entry.last - entry.start + 1;
		s->start = entry.start;
		s->arena = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)entry.offset);
		close(fd);
		if (s->arena == MAP_FAILED)
			_exit(21);
	}
	q->num = info.num;
	q->desc = at(s, info.desc_addr, 16 * info.num);
	q->avail = at(s, info.driver_addr, 6 + 2 * info.num);
	q->used = at(s, info.device_addr, 6 + 8 * info.num);
	if (!q->desc || !q->avail || !q->used)
		_exit(22);
	q->taken = info.split.avail_index;
	if (q->answers >= 0) {
		if (ioctl(s->fd, VDUSE_VQ_DIRECT, &direct))
			_exit(24);
		q->taken = 0;
	}
	q->ready = ioctl(s->fd, VDUSE_VQ_SETUP_KICKFD, &kick) == 0;
}

static void
give_back(struct server *s, uint32_t index, uint32_t id)
{
	struct queue *q = &s->queue[index];
	uint16_t next = q->used->idx;

	q->used->ring[next % q->num] = (struct vring_used_elem){ .id = id, .len = 1 };
	__atomic_store_n(&q->used->idx, (uint16_t)(next + 1), __ATOMIC_RELEASE);
}

static unsigned char
perform(struct disk *d, const struct virtio_blk_outhdr *h, unsigned char *p, uint64_t length)
{
	struct virtio_blk_discard_write_zeroes r;
	uint64_t offset = h->sector * 512;

	switch (h->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		if (!p || offset > DISK_SIZE || length > DISK_SIZE - offset)
			return VIRTIO_BLK_S_IOERR;
		if (h->type == VIRTIO_BLK_T_IN)
			memcpy(p, d->data + offset, length);
		else
			memcpy(d->data + offset, p, length);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_FLUSH:
	case VIRTIO_BLK_T_GET_ID:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (!p || length < sizeof(r))
			return VIRTIO_BLK_S_IOERR;
		memcpy(&r, p, sizeof(r));
		if (r.sector > DISK_SIZE / 512 || r.num_sectors > DISK_SIZE / 512 - r.sector)
			return VIRTIO_BLK_S_IOERR;
		memset(d->data + r.sector * 512, 0, r.num_sectors * 512ull);
		return VIRTIO_BLK_S_OK;
	}
	return VIRTIO_BLK_S_UNSUPP;
}

/* What it has spoiled itself it reads as it is: where that leads nowhere there is no answer. */
static void
serve_one(struct server *s, uint32_t index, uint32_t head)
{
	const struct queue *q = &s->queue[index];
	struct vring_desc first, second, last;
	struct virtio_blk_outhdr *h, header;
	unsigned char *status;

	if (head >= q->num)
		return;
	first = q->desc[head];
	second = last = q->desc[first.next % q->num];
	if (second.flags & VRING_DESC_F_NEXT)
		last = q->desc[second.next % q->num];
	h = at(s, first.addr, sizeof(header));
	status = at(s, last.addr, 1);
	if (!h || !status)
		return;
	header = *h;
	if (second.addr == last.addr)
		*status = perform(s->disk, &header, NULL, 0);
	else
		*status = perform(s->disk, &header, at(s, second.addr, second.len), second.len);
	give_back(s, index, head);
}

/* --- wrong --------------------------------------------------------------------------------------- */

static void
scribble(struct server *s)
{
	size_t rings = (size_t)s->disk->queues * 8192;

	for (int i = 1 + (int)below(s, 200); i > 0; i--)
		s->arena[below(s, (uint32_t)(below(s, 3) ? rings : s->size))] = (unsigned char)below(s, 256);
}

static void
lie_in_ring(struct server *s, uint32_t index)
{
	struct queue *q = &s->queue[index];

	switch (below(s, 9)) {
	case 0:
		scribble(s);
		break;
	case 1:
		q->used->idx = (uint16_t)(q->used->idx + below(s, 4));
		break;
	case 2:
		q->used->idx = (uint16_t)odd(s);
		break;
	case 3: /* an answer to what may have been asked */
		give_back(s, index, below(s, q->num / 3 + 2) * 3);
		break;
	case 4:
		give_back(s, index, (uint32_t)odd(s));
		break;
	case 5: /* what was asked last, twice */
		give_back(s, index, q->avail->ring[(uint16_t)(q->taken - 1) % q->num]);
		break;
	case 6: /* from now on it wants to hear of nothing, or of what comes much later */
		q->used->flags = (uint16_t)below(s, 3);
		*(uint16_t *)(void *)&q->used->ring[q->num] = (uint16_t)below(s, 65536);
		break;
	case 7:
		q->avail->flags = (uint16_t)below(s, 3);
		q->avail->idx = (uint16_t)(q->avail->idx + below(s, 5));
		break;
	default: /* forgotten */
		q->taken++;
	}
}

static void
wrong_ioctl(struct server *s)
{
	struct vduse_vq_config queue = { .index = (uint32_t)odd(s), .max_size = (uint16_t)odd(s) };
	struct vduse_vq_info info = { .index = (uint32_t)odd(s) };
	struct vduse_iotlb_entry entry = { .start = odd(s), .last = odd(s) };
	struct vduse_iova_info range = { .start = odd(s), .last = odd(s) };
	struct vduse_vq_eventfd event = { .index = below(s, 6), .fd = (int)below(s, 30) - 1 };
	uint32_t index = below(s, 6);
	uint64_t features;
	struct {
		struct vduse_config_data head;
		uint64_t data[8];
	} c = { .head = { .offset = below(s, 70), .length = 1 + below(s, 24) } };

	for (int i = 0; i < 8; i++)
		c.data[i] = below(s, 4) ? DISK_SIZE / 512 : odd(s);
	switch (below(s, 9)) {
	case 0:
		ioctl(s->fd, VDUSE_VQ_SETUP, &queue);
		break;
	case 1:
		ioctl(s->fd, VDUSE_VQ_GET_INFO, &info);
		ioctl(s->fd, VDUSE_DEV_GET_FEATURES, &features);
		break;
	case 2:
		close(ioctl(s->fd, VDUSE_IOTLB_GET_FD, &entry));
		ioctl(s->fd, VDUSE_IOTLB_GET_INFO, &range);
		break;
	case 3:
		ioctl(s->fd, VDUSE_VQ_SETUP_KICKFD, &event);
		break;
	case 4:
	case 5: /* another capacity, among others */
		if (below(s, 2))
			c.head = (struct vduse_config_data){ .offset = 0, .length = 8 };
		ioctl(s->fd, VDUSE_DEV_SET_CONFIG, &c);
		ioctl(s->fd, VDUSE_DEV_INJECT_CONFIG_IRQ);
		break;
	case 6: /* a queue that a device would serve, and none is there */
		ioctl(s->fd, VDUSE_VQ_DIRECT, &event);
		break;
	default:
		ioctl(s->fd, VDUSE_VQ_INJECT_IRQ, &index);
	}
}

/* Somebody to whom the memory was given keeps it, and writes there while another daemon serves. */
static void
leave_somebody_behind(struct server *s)
{
	pid_t pid = fork();

	if (pid != 0)
		return;
	close(s->fd);
	alarm(2);
	for (int i = 0; i < 40; i++) {
		scribble(s);
		usleep(5000);
	}
	_exit(0);
}

static void
lie(struct server *s, uint32_t index)
{
	switch (below(s, 10)) {
	case 0:
	case 1:
		wrong_ioctl(s);
		break;
	case 2: /* asleep for longer than anybody waits, or just for a while */
		usleep(below(s, 4) ? 2000 : 80000);
		break;
	case 3:
		if (below(s, 8) == 0)
			leave_somebody_behind(s);
		break;
	case 4:
		if (below(s, 8) == 0)
			_exit(0);
		break;
	default:
		lie_in_ring(s, index);
	}
}

/* --- the daemon ---------------------------------------------------------------------------------- */

static bool
lies(struct server *s)
{
	return s->disk->lies && (int)below(s, 1000) < s->disk->lies;
}

static void
answer(struct server *s)
{
	struct vduse_dev_request request;
	struct vduse_dev_response response = { 0 };
	size_t size = sizeof(response);

	if (read(s->fd, &request, sizeof(request)) != (ssize_t)sizeof(request))
		return;
	response.request_id = request.request_id;
	if (lies(s)) {
		switch (below(s, 6)) {
		case 0:
			response.request_id += below(s, 3) - 1;
			break;
		case 1:
			response.result = (uint32_t)odd(s);
			break;
		case 2:
			size = below(s, 300);
			break;
		case 3:
			response.reserved[below(s, 4)] = 1;
			break;
		case 4: /* twice */
			(void)!write(s->fd, &response, sizeof(response));
			break;
		default: /* never, by this one */
			return;
		}
	}
	(void)!write(s->fd, &response, size < sizeof(response) ? size : sizeof(response));
	for (uint32_t i = 0; i < (uint32_t)s->disk->queues; i++)
		enable(s, i);
}

static void
work(struct server *s, uint32_t index)
{
	struct queue *q = &s->queue[index];
	unsigned int n = 0;

	/* As many at most as there can be: what it has scribbled may say anything. */
	for (; n < q->num && q->taken != __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE); n++) {
		if (lies(s))
			lie(s, index);
		serve_one(s, index, q->avail->ring[q->taken % q->num]);
		q->taken++;
		/* Of which we want to hear: the next. */
		if (s->disk->features & F_EVENT_IDX)
			*(volatile uint16_t *)(void *)&q->used->ring[q->num] = q->taken;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	if (!n)
		return;
	if (q->answers >= 0)
		eventfd_write(q->answers, 1);
	else
		ioctl(s->fd, VDUSE_VQ_INJECT_IRQ, &index);
}

/* Whoever is not the first thread: the same calls at the same time. */
static void *
disturb(void *arg)
{
	struct server *s = arg;

	for (;;) {
		if (lies(s))
			wrong_ioctl(s);
		usleep(1000 + below(s, 3000));
	}
	return NULL;
}

static void
serve(struct disk *d, uint64_t seed)
{
	static struct server s, second;
	struct pollfd fds[1 + QUEUES_MAX];
	pthread_t other;
	char path[64];
	bool direct;

	s = (struct server){ .disk = d, .seed = seed * 0x9e3779b97f4a7c15ull | 1 };
	snprintf(path, sizeof(path), "/dev/vduse/%s", d->name);
	/* EBUSY: the last one is on its way out. */
	while ((s.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == EBUSY)
		usleep(500);
	if (s.fd < 0)
		_exit(0);
	direct = below(&s, 2);
	fds[0] = (struct pollfd){ s.fd, POLLIN, 0 };
	for (uint32_t i = 0; i < (uint32_t)d->queues; i++) {
		struct vduse_vq_config c = { .index = i, .max_size = 128 };

		s.queue[i].kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		s.queue[i].answers = direct ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
		fds[1 + i] = (struct pollfd){ s.queue[i].kick, POLLIN, 0 };
		if (ioctl(s.fd, VDUSE_VQ_SETUP, &c))
			_exit(23);
		enable(&s, i);
	}
	second = (struct server){ .disk = d, .fd = s.fd, .seed = s.seed + 2 };
	pthread_create(&other, NULL, disturb, &second);
	for (;;) {
		uint64_t n;

		poll(fds, 1 + (nfds_t)d->queues, 10);
		if (fds[0].revents & POLLIN)
			answer(&s);
		for (uint32_t i = 0; i < (uint32_t)d->queues; i++) {
			(void)!read(s.queue[i].kick, &n, sizeof(n));
			if (s.queue[i].ready)
				work(&s, i);
		}
	}
}

pid_t
disk_serve(struct disk *d, uint64_t seed)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(d, seed);
	}
	return pid;
}
