/* SPDX-License-Identifier: MIT */
/*
 * find.c - which devices there are on both busses, as /sys shows them: for each that is new and that the table has a driver
 * for a `struct managed`; those that are gone are let go of.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices.h"
#include "log.h"

static uint32_t
read_number(const char *address, const char *file)
{
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strtoul(text, NULL, 16);
}

static uint64_t
node_of(const char *address, bool platform)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s", platform ? "platform" : "pci", address);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static void
found(const char *address, bool platform)
{
	const struct rule *rule;
	uint64_t node = node_of(address, platform);
	struct managed *m;

	for (m = managed_all; m; m = m->next) {
		if (strcmp(m->address, address) == 0) {
			m->seen = m->node == node; /* another in its place is found when this one has been forgotten */
			return;
		}
	}
	if (platform)
		rule = table_find_platform(address);
	else
		rule = table_find(read_number(address, "class"), read_number(address, "vendor"), read_number(address, "device"));
	if (!rule)
		return;
	m = make_managed(address, rule);
	if (!m)
		return;
	m->platform = platform;
	m->node = node;
	m->seen = true;
	log_info("%s: found, for %s", address, rule->driver);
	if (is_card(m))
		have_stack(rule);
	if (settling)
		change(m, WAITING);
	else
		wait_for_start(m, 0);
}

/* Of one bus, which was looked through as a whole. */
static void
forget_missing(bool platform)
{
	struct managed **at = &managed_all, *m;

	while ((m = *at)) {
		if (m->seen || is_stack(m) || m->platform != platform) {
			m->seen = false;
			at = &m->next;
			continue;
		}
		log_info("%s: gone", m->address);
		*at = m->next;
		give_up(m);
		destroy_doors(m);
		stop_watching(&m->timer);
		free(m);
		status_is_old = true;
	}
}

static void
scan_bus(const char *folder, bool platform)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);

	if (count < 0)
		return;
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && strlen(names[i]->d_name) < 32)
			found(names[i]->d_name, platform);
		free(names[i]);
	}
	free(names);
	forget_missing(platform);
}

void
find_devices(void)
{
	scan_bus("/sys/bus/pci/devices", false);
	scan_bus("/sys/bus/platform/devices", true);
}
