/* SPDX-License-Identifier: MIT */
/*
 * fsx.c - one file against a model of it in memory: reads, writes, mappings, truncations, holes, at random.
 *
 *   fsx [-s SEED] [-n OPERATIONS] [-l LARGEST] [-w WITHOUT[,WITHOUT..]] FILE
 *
 * After every operation that reads, and for the whole file now and then and at the end, the file must be what the model
 * says: its bytes, its size, zeros where nothing was written, nothing behind its end in a mapped page. At the end it is
 * synced and left. An operation that the file system refuses as a whole (EOPNOTSUPP) is told of and left out. A mismatch
 * prints the last operations; -s repeats them.
 *
 * FILE is new, and nobody else writes to it.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "files.h"

enum { PAGE = 4096, ONCE = 65536, HISTORY = 24 };

static const char *path;
static int fd = -1;
static uint8_t *model, *got;
static uint32_t size, largest = 256 << 10;
static char history[HISTORY][96];
static unsigned done;

static void __attribute__((noreturn))
mismatch(const char *what, uint32_t at, unsigned is, unsigned want)
{
	for (unsigned i = done >= HISTORY ? done - HISTORY : 0; i < done; i++)
		fprintf(stderr, "  %u %s\n", i, history[i % HISTORY]);
	fail("%s: %s at %#x: %#x, must be %#x; size %#x, operation %u", path, what, at, is, want, size, done);
}

static void __attribute__((noreturn))
refused(const char *what)
{
	for (unsigned i = done >= HISTORY ? done - HISTORY : 0; i < done; i++)
		fprintf(stderr, "  %u %s\n", i, history[i % HISTORY]);
	fail("%s: %s: %s; size %#x, operation %u", path, what, strerror(errno), size, done);
}

static void
note(const char *what, uint32_t at, uint32_t length)
{
	snprintf(history[done % HISTORY], sizeof(history[0]), "%s %#x + %#x, size %#x", what, at, length, size);
	done++;
}

static void
compare(const char *what, const uint8_t *data, uint32_t at, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (data[i] != model[at + i])
			mismatch(what, at + i, data[i], model[at + i]);
}

/* A range within the first `limit` bytes; often it begins or ends at a page or a block. */
static void
choose(uint32_t limit, uint32_t *at, uint32_t *length)
{
	*at = random_below(limit + !limit);
	if (random_below(4) == 0)
		*at &= ~(uint32_t)(random_below(2) ? PAGE - 1 : 511);
	*length = 1 + random_below(random_below(3) ? 9000 : ONCE);
	if (random_below(4) == 0)
		*length = (*length + PAGE - 1) & ~(uint32_t)(PAGE - 1);
	if (*length > limit - *at)
		*length = limit - *at;
}

static void
scribble(uint8_t *to, uint32_t at, uint32_t length)
{
	uint32_t tag = random_number();

	for (uint32_t i = 0; i < length; i++)
		to[i] = (uint8_t)(tag >> (i & 3) * 8) ^ (uint8_t)((at + i) >> 3);
}

/* --- operations: each returns false where the file system has no such thing -------------------------------- */

static bool
do_read(void)
{
	uint32_t at, length, end;
	ssize_t n;

	choose(largest, &at, &length);
	note("read", at, length);
	n = pread(fd, got, length, at);
	end = at >= size ? 0 : size - at < length ? size - at : length;
	if (n < 0)
		refused("read");
	if (n != (ssize_t)end)
		mismatch("read's count", at, n, end);
	compare("read", got, at, end);
	return true;
}

static bool
do_write(void)
{
	uint32_t at, length, half;
	struct iovec part[2];
	ssize_t n;

	choose(largest, &at, &length);
	if (!length)
		return true;
	note("write", at, length);
	if (at > size)
		memset(model + size, 0, at - size);
	scribble(model + at, at, length);
	half = random_below(length);
	part[0] = (struct iovec){ model + at, half };
	part[1] = (struct iovec){ model + at + half, length - half };
	n = random_below(3) ? pwrite(fd, model + at, length, at) : pwritev(fd, part, 2, at);
	if (n < 0)
		refused("write");
	if (n != (ssize_t)length)
		mismatch("write's count", at, n, length);
	if (at + length > size)
		size = at + length;
	return true;
}

static bool
do_append(void)
{
	uint32_t length = 1 + random_below(5000);
	int other;

	if (length > largest - size)
		return true;
	note("append", size, length);
	scribble(model + size, size, length);
	other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (other < 0 || write(other, model + size, length) != (ssize_t)length || close(other) < 0)
		refused("append");
	size += length;
	return true;
}

static bool
do_map_read(void)
{
	uint32_t at, length, from, tail;
	uint8_t *m;

	choose(size, &at, &length);
	if (!length)
		return true;
	note("map and read", at, length);
	from = at & ~(uint32_t)(PAGE - 1);
	m = mmap(NULL, at + length - from, PROT_READ, random_below(2) ? MAP_SHARED : MAP_PRIVATE, fd, from);
	if (m == MAP_FAILED)
		refused("mmap");
	compare("mapping", m + at - from, at, length);
	/* Behind the end a page has zeros. */
	if (at + length == size && (tail = -size & (PAGE - 1)))
		for (uint32_t i = 0; i < tail; i++)
			if (m[size - from + i])
				mismatch("behind the end", size + i, m[size - from + i], 0);
	munmap(m, at + length - from);
	return true;
}

static bool
do_map_write(void)
{
	uint32_t at, length, from;
	uint8_t *m;

	choose(size, &at, &length);
	if (!length)
		return true;
	note("map and write", at, length);
	from = at & ~(uint32_t)(PAGE - 1);
	m = mmap(NULL, at + length - from, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
	if (m == MAP_FAILED)
		refused("mmap");
	scribble(model + at, at, length);
	memcpy(m + at - from, model + at, length);
	if (random_below(2) && msync(m, at + length - from, MS_SYNC) < 0)
		refused("msync");
	munmap(m, at + length - from);
	return true;
}

static bool
do_truncate(void)
{
	uint32_t to = random_below(3) ? random_below(largest) : random_below(largest / PAGE) * PAGE;

	note("truncate", to, 0);
	if ((random_below(2) ? ftruncate(fd, to) : truncate(path, to)) < 0)
		refused("truncate");
	if (to > size)
		memset(model + size, 0, to - size);
	size = to;
	return true;
}

static bool
give_room(const char *what, int mode)
{
	uint32_t at, length, end;

	choose(largest, &at, &length);
	if (!length)
		return true;
	note(what, at, length);
	if (fallocate(fd, mode, at, length) < 0) {
		/* A daemon that has never heard of zeroing calls the mode invalid. */
		if (errno == EOPNOTSUPP || (errno == EINVAL && mode & FALLOC_FL_ZERO_RANGE))
			return false;
		refused(what);
	}
	end = at + length;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		uint32_t last = end < size ? end : size;

		if (at < last)
			memset(model + at, 0, last - at);
	}
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size) {
		memset(model + size, 0, end - size);
		size = end;
	}
	return true;
}

static bool
do_allocate(void)
{
	return give_room("allocate", 0);
}

static bool
do_allocate_beyond(void)
{
	return give_room("allocate, keep size", FALLOC_FL_KEEP_SIZE);
}

static bool
do_punch(void)
{
	return give_room("punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static bool
do_zero(void)
{
	return give_room("zero", FALLOC_FL_ZERO_RANGE | (random_below(2) ? FALLOC_FL_KEEP_SIZE : 0));
}

static bool
do_copy(void)
{
	uint32_t from, to, length;
	off_t in, out;

	choose(size / 2, &from, &length);
	if (!length || length > size / 2 - from)
		return true;
	to = size / 2 + random_below(size - size / 2 - length + 1);
	note("copy", from, length);
	in = from;
	out = to;
	for (uint32_t left = length; left;) {
		ssize_t n = copy_file_range(fd, &in, fd, &out, left, 0);

		if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EXDEV || errno == EINVAL) && left == length)
			return false;
		if (n <= 0)
			refused("copy_file_range");
		left -= n;
	}
	memmove(model + to, model + from, length);
	return true;
}

static bool
do_sync(void)
{
	bool data = random_below(2);

	note(data ? "fdatasync" : "fsync", 0, 0);
	if ((data ? fdatasync(fd) : fsync(fd)) < 0)
		refused("fsync");
	return true;
}

static bool
do_reopen(void)
{
	note("close and open", 0, 0);
	if (close(fd) < 0)
		refused("close");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		refused("open");
	return true;
}

static bool
do_forget(void)
{
	note("fadvise: not needed", 0, 0);
	errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (errno)
		refused("posix_fadvise");
	return true;
}

/* Without the page cache, what it holds dirty must be seen all the same. */
static bool
do_read_directly(void)
{
	static uint8_t buffer[ONCE] __attribute__((aligned(PAGE)));
	uint32_t at = random_below(largest / PAGE) * PAGE, length = PAGE * (1 + random_below(8)), end;
	int other = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ssize_t n;

	if (other < 0)
		return false;
	note("read directly", at, length);
	n = pread(other, buffer, length, at);
	if (n < 0)
		refused("direct read");
	close(other);
	end = at >= size ? 0 : size - at < length ? size - at : length;
	if (n != (ssize_t)end)
		mismatch("direct read's count", at, n, end);
	compare("direct read", buffer, at, end);
	return true;
}

/* A hole has zeros; data may have what it likes. */
static bool
do_seek(void)
{
	uint32_t at = random_below(largest);
	off_t hole, data;

	note("seek", at, 0);
	hole = lseek(fd, at, SEEK_HOLE);
	data = lseek(fd, at, SEEK_DATA);
	if (at >= size) {
		if (hole != -1 || errno != ENXIO)
			mismatch("SEEK_HOLE behind the end", at, hole, -1);
		return true;
	}
	if (hole < at || hole > size)
		mismatch("SEEK_HOLE", at, hole, size);
	for (off_t i = at; i < (data < 0 ? size : data); i++)
		if (model[i])
			mismatch("data in what SEEK_DATA passes over", i, model[i], data);
	return true;
}

static void
check_all(void)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		refused("fstat");
	if (st.st_size != size)
		mismatch("size", 0, st.st_size, size);
	for (uint32_t at = 0; at < size; at += ONCE) {
		uint32_t length = size - at < ONCE ? size - at : ONCE;

		if (pread(fd, got, length, at) != (ssize_t)length)
			refused("read of all");
		compare("the whole", got, at, length);
	}
}

static struct operation {
	const char *name;
	bool (*run)(void);
	unsigned weight;
} operations[] = {
	{ "read", do_read, 16 },	  { "write", do_write, 20 },	{ "append", do_append, 4 },
	{ "mapread", do_map_read, 8 },	  { "mapwrite", do_map_write, 10 }, { "truncate", do_truncate, 6 },
	{ "allocate", do_allocate, 3 },	  { "beyond", do_allocate_beyond, 2 }, { "punch", do_punch, 4 },
	{ "zero", do_zero, 3 },		  { "copy", do_copy, 2 },	{ "sync", do_sync, 2 },
	{ "reopen", do_reopen, 2 },	  { "forget", do_forget, 2 },	{ "direct", do_read_directly, 3 },
	{ "seek", do_seek, 3 },
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static void
leave_out(char *names)
{
	for (char *rest = NULL, *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		for (int i = 0; i < OPERATIONS; i++)
			if (strcmp(operations[i].name, name) == 0)
				operations[i].weight = 0;
}

static struct operation *
draw(void)
{
	uint32_t all = 0, n;
	int i = 0;

	for (int k = 0; k < OPERATIONS; k++)
		all += operations[k].weight;
	n = random_below(all);
	while (n >= operations[i].weight)
		n -= operations[i++].weight;
	return &operations[i];
}

int
main(int argc, char **argv)
{
	unsigned count = 1000, seed = 1;
	int option;

	while ((option = getopt(argc, argv, "s:n:l:w:")) > 0) {
		if (option == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (option == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (option == 'l')
			largest = strtoul(optarg, NULL, 0);
		else if (option == 'w')
			leave_out(optarg);
		else
			return 2;
	}
	if (optind != argc - 1)
		return 2;
	path = argv[optind];
	random_begin(seed);
	model = calloc(1, largest);
	got = malloc(ONCE);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	for (unsigned i = 0; i < count; i++) {
		struct operation *o = draw();

		if (!o->run()) {
			printf("fsx: %s is not supported here\n", o->name);
			o->weight = 0;
		}
		if (i % 64 == 63)
			check_all();
	}
	check_all();
	if (fsync(fd) < 0 || close(fd) < 0)
		refused("fsync at the end");
	return 0;
}
