/* SPDX-License-Identifier: MIT */
/*
 * cmos.c - the battery-backed clock: date and time of day in UTC, to the second (MC146818).
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "acpi.h"
#include "cmos.h"
#include "platform.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

#define CMOS_STATUS_A 0x0a
#define CMOS_STATUS_B 0x0b
#define UPDATING      0x80
#define HOURS_24      0x02
#define BINARY        0x04
#define PM            0x80

#define UPDATE_SPINS 100000 /* an update takes 2 ms at most */
#define READ_TRIES   4

static uint8_t
read_cell(uint8_t index)
{
	port_write8(CMOS_INDEX, index);
	return port_read8(CMOS_DATA);
}

uint8_t
cmos_second(void)
{
	return read_cell(0);
}

bool
cmos_present(void)
{
	return read_cell(CMOS_STATUS_A) != 0xff;
}

static void
read_all(struct cmos_time *t)
{
	for (int i = 0; i < UPDATE_SPINS && (read_cell(CMOS_STATUS_A) & UPDATING); i++)
		arch_cpu_relax();
	t->second = read_cell(0);
	t->minute = read_cell(2);
	t->hour = read_cell(4);
	t->day = read_cell(7);
	t->month = read_cell(8);
	t->year = read_cell(9);
	t->century = acpi_info.century_index ? read_cell(acpi_info.century_index & 0x7f) : 0;
	t->status = read_cell(CMOS_STATUS_B);
}

static uint32_t
from_bcd(uint8_t v)
{
	return (v >> 4) * 10u + (v & 15);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; the year begins in March here. */
static int64_t
days_since_1970(int64_t year, uint32_t month, uint32_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t shifted = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * shifted + 2) / 5 + day - 1 - 719468;
}

uint64_t
cmos_to_seconds(const struct cmos_time *t)
{
	bool binary = t->status & BINARY;
	uint8_t raw_hour = t->status & HOURS_24 ? t->hour : t->hour & ~PM;
	uint32_t second = binary ? t->second : from_bcd(t->second);
	uint32_t minute = binary ? t->minute : from_bcd(t->minute);
	uint32_t hour = binary ? raw_hour : from_bcd(raw_hour);
	uint32_t day = binary ? t->day : from_bcd(t->day);
	uint32_t month = binary ? t->month : from_bcd(t->month);
	uint32_t year = binary ? t->year : from_bcd(t->year);
	uint32_t century = binary ? t->century : from_bcd(t->century);

	if (!(t->status & HOURS_24))
		hour = hour % 12 + (t->hour & PM ? 12 : 0);
	if (second > 59 || minute > 59 || hour > 23 || !day || day > 31 || !month || month > 12)
		return 0;
	if (century < 19 || century > 30)
		century = year < 70 ? 20 : 19;
	return (uint64_t)days_since_1970(century * 100 + year % 100, month, day) * 86400 + hour * 3600 +
	       minute * 60 + second;
}

/* Two readings that agree were not cut by an update. */
uint64_t
cmos_read_ns(void)
{
	struct cmos_time a, b;

	read_all(&a);
	for (int i = 0; i < READ_TRIES; i++) {
		read_all(&b);
		if (!memcmp(&a, &b, sizeof(a)))
			break;
		a = b;
	}
	return cmos_to_seconds(&a) * NSEC_PER_SEC;
}
