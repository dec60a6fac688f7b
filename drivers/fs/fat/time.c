/* SPDX-License-Identifier: MIT */
/*
 * time.c - times of a slot: years 1980 to 2107; 2 s for changes, 10 ms for creation, a day for access (FAT, "Date and
 * Time Formats"). They are of no time zone on the disk; here they are UTC.
 */
#include <time.h>

#include "volume.h"

#define DAY      86400
#define EPOCH    315532800 /* 1980-01-01 */
#define AFTER    4354819200 /* 2108-01-01 */

struct fat_time
fat_time_now(struct fat *fs)
{
	struct fat_time t;
	struct timespec now;

	if (fs->disk->now) {
		t.seconds = fs->disk->now(&t.nanoseconds);
		return t;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	return (struct fat_time){ now.tv_sec, (uint32_t)now.tv_nsec };
}

/* Days from 1970-01-01 to the first of a month of the Gregorian calendar. */
static int64_t
days_to(int64_t year, int64_t month)
{
	/* Years begin in March, so that the odd day is a year's last. */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

struct fat_time
fat_time_decode(uint32_t date, uint32_t time, uint8_t fine)
{
	int64_t month = date >> 5 & 15, day = date & 31;
	struct fat_time t;

	/* 0 stands for none; more than there are go on in the next. */
	t.seconds = (days_to(1980 + (date >> 9 & 127), month < 1 ? 1 : month > 12 ? 12 : month) + (day ? day - 1 : 0)) * DAY;
	t.seconds += (time >> 11 & 31) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2 + fine / 100;
	t.nanoseconds = fine % 100 * 10000000u;
	return t;
}

static struct fat_time
in_range(struct fat_time t)
{
	if (t.seconds < EPOCH)
		return (struct fat_time){ EPOCH, 0 };
	if (t.seconds >= AFTER)
		return (struct fat_time){ AFTER - 1, 990000000 };
	return t;
}

void
fat_time_encode(struct fat_time t, uint32_t *date, uint32_t *time, uint8_t *fine)
{
	int64_t day, year, month = 12;
	uint32_t second;

	t = in_range(t);
	day = t.seconds / DAY;
	second = (uint32_t)(t.seconds % DAY);
	for (year = 1980 + (day - EPOCH / DAY) / 366; days_to(year + 1, 1) <= day; year++)
		;
	while (days_to(year, month) > day)
		month--;
	*date = (uint32_t)((year - 1980) << 9 | month << 5 | (day - days_to(year, month) + 1));
	*time = second / 3600 << 11 | second / 60 % 60 << 5 | second % 60 / 2;
	*fine = (uint8_t)(second % 2 * 100 + t.nanoseconds / 10000000);
}

struct fat_time
fat_time_to_2s(struct fat_time t)
{
	return (struct fat_time){ in_range(t).seconds & ~1ll, 0 };
}

struct fat_time
fat_time_to_day(struct fat_time t)
{
	return (struct fat_time){ in_range(t).seconds / DAY * DAY, 0 };
}
