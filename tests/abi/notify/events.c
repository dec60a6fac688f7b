/* SPDX-License-Identifier: MIT */
/* events.c - reading fanotify's events one by one. */
#include "events.h"

#include <sys/statfs.h>

static char buffer[8192] __attribute__((aligned(8)));
static ssize_t size, at;
static struct fanotify_event_metadata *last;

struct fanotify_event_metadata *
events_next(int group)
{
	if (at >= size) {
		size = CHECK_OK(read(group, buffer, sizeof(buffer)));
		at = 0;
	}
	last = (struct fanotify_event_metadata *)(buffer + at);
	CHECK(size - at >= (ssize_t)sizeof(*last));
	CHECK_EQ(last->vers, FANOTIFY_METADATA_VERSION);
	CHECK_EQ(last->metadata_len, sizeof(*last));
	at += last->event_len;
	CHECK(at <= size);
	return last;
}

void
events_expect(int group, uint64_t mask, const char *name)
{
	struct fanotify_event_metadata *e = events_next(group);
	struct stat want, got;

	CHECK_EQ(e->mask, mask);
	CHECK_EQ(e->pid, getpid());
	if (!name) {
		CHECK_EQ(e->fd, FAN_NOFD);
		return;
	}
	CHECK(e->fd >= 0);
	CHECK_OK(fstat(e->fd, &got));
	CHECK_OK(stat(name, &want));
	CHECK_EQ(got.st_ino, want.st_ino);
	CHECK_OK(close(e->fd));
}

void
events_expect_no_more(int group)
{
	char b[64];

	CHECK_EQ(at, size);
	CHECK_ERRNO(read(group, b, sizeof(b)), EAGAIN);
}

static struct fanotify_event_info_header *
info_at(unsigned int place)
{
	char *p = (char *)last + last->metadata_len, *end = (char *)last + last->event_len;

	for (; p < end; p += ((struct fanotify_event_info_header *)p)->len)
		if (place-- == 0)
			return (struct fanotify_event_info_header *)p;
	return NULL;
}

unsigned int
events_infos(void)
{
	unsigned int n = 0;

	while (info_at(n))
		n++;
	return n;
}

void *
events_info(unsigned int place, uint8_t type)
{
	struct fanotify_event_info_header *h = info_at(place);

	CHECK(h != NULL);
	CHECK_EQ(h->info_type, type);
	return h;
}

void
events_expect_key(unsigned int place, uint8_t type, const char *path, const char *name)
{
	struct fanotify_event_info_fid *info = events_info(place, type);
	struct { struct file_handle h; char bytes[128]; } want = { .h = { .handle_bytes = 128 } };
	struct file_handle *got = (struct file_handle *)info->handle;
	struct statfs fs;
	int mount;

	CHECK_OK(name_to_handle_at(AT_FDCWD, path, &want.h, &mount, 0));
	CHECK_OK(statfs(path, &fs));
	CHECK_MEM(&info->fsid, &fs.f_fsid, sizeof(info->fsid));
	CHECK_EQ(got->handle_bytes, want.h.handle_bytes);
	CHECK_EQ(got->handle_type, want.h.handle_type);
	CHECK_MEM(got->f_handle, want.h.f_handle, got->handle_bytes);
	size_t used = sizeof(*info) + sizeof(*got) + got->handle_bytes;
	if (name) {
		CHECK_STR((char *)got->f_handle + got->handle_bytes, name);
		used += strlen(name) + 1;
	}
	CHECK_EQ(info->hdr.len, (used + 3) & ~3ul);
}
