/* SPDX-License-Identifier: MIT */
/*
 * table.c - which driver is for which device: a folder of files NAME.driver, one statement a line, '#' begins a comment.
 *
 *   program PATH              what is started
 *   match class=CCSSPP        by class, subclass and interface, in hexadecimal; '.' is any digit
 *   match device=VVVV:PPPP    by vendor and product
 *   match platform=NAME       one of the machine's old devices: ports and interrupt lines
 *   upper block|random|tty|input|network
 *                             it is a disk, a source of random numbers, a terminal, a keyboard or mouse: what it may
 *                             ask the manager for; or a network card, for the one process that drives all of them
 *   option WORD               one more argument for the program
 *
 * Each "match" is a rule of its own; files are read by name, and the first rule that fits holds.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "log.h"

static struct rule *rules, **rules_end = &rules;

/* "0108.." -> value and mask. */
static bool
read_class(const char *text, uint32_t *value, uint32_t *mask)
{
	*value = *mask = 0;
	if (strlen(text) != 6)
		return false;
	for (; *text; text++) {
		char digit[2] = { *text };

		*value <<= 4;
		*mask <<= 4;
		if (*text == '.')
			continue;
		if (!isxdigit((unsigned char)*text))
			return false;
		*value |= strtoul(digit, NULL, 16);
		*mask |= 0xf;
	}
	return true;
}

static bool
add_match(const struct rule *common, const char *text)
{
	struct rule *r = malloc(sizeof(*r));
	unsigned vendor, product;

	if (!r)
		return false;
	*r = *common;
	r->next = NULL;
	if (strncmp(text, "class=", 6) == 0 && read_class(text + 6, &r->class, &r->class_mask)) {
		r->vendor = r->product = 0;
	} else if (sscanf(text, "device=%4x:%4x", &vendor, &product) == 2) {
		r->vendor = vendor;
		r->product = product;
		r->class_mask = 0;
	} else if (strncmp(text, "platform=", 9) == 0 && text[9] && strlen(text + 9) < sizeof(r->platform)) {
		strcpy(r->platform, text + 9);
	} else {
		free(r);
		return false;
	}
	*rules_end = r;
	rules_end = &r->next;
	return true;
}

/* What stands before a "match" belongs to it: program, upper and option come first. */
static bool
read_line(struct rule *common, char *line)
{
	char *rest = NULL, *word = strtok_r(line, " \t\n", &rest), *value = word ? strtok_r(NULL, " \t\n", &rest) : NULL;

	if (!word || *word == '#')
		return true;
	if (!value)
		return false;
	if (strcmp(word, "program") == 0)
		return snprintf(common->program, sizeof(common->program), "%s", value) < (int)sizeof(common->program);
	if (strcmp(word, "match") == 0)
		return common->program[0] && add_match(common, value);
	if (strcmp(word, "upper") == 0) {
		common->door = strcmp(value, "block") == 0 ? MANAGER_WANTS_VDUSE :
			       strcmp(value, "random") == 0 ? MANAGER_WANTS_RANDOM :
			       strcmp(value, "tty") == 0 ? MANAGER_WANTS_TTY :
			       strcmp(value, "input") == 0 ? MANAGER_WANTS_INPUT :
			       strcmp(value, "network") == 0 ? MANAGER_WANTS_NETWORK : 0;
		return common->door != 0;
	}
	if (strcmp(word, "option") == 0 && common->option_count < 8)
		return (common->options[common->option_count++] = strdup(value)) != NULL;
	return false;
}

static void
read_rules(const char *folder, const char *name)
{
	struct rule common = { 0 };
	char path[512], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(common.driver, sizeof(common.driver), "%.*s", (int)(strlen(name) - strlen(".driver")), name);
	file = fopen(path, "re");
	if (!file) {
		log_error("%s: %s", path, strerror(errno));
		return;
	}
	for (unsigned number = 1; fgets(line, sizeof(line), file); number++)
		if (!read_line(&common, line))
			log_error("%s:%u makes no sense", path, number);
	fclose(file);
}

static int
is_rule(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return end && end != entry->d_name && strcmp(end, ".driver") == 0;
}

int
table_read(const char *folder)
{
	struct dirent **names;
	int count = scandir(folder, &names, is_rule, alphasort);

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		read_rules(folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

const struct rule *
table_find(uint32_t class, uint16_t vendor, uint16_t product)
{
	for (const struct rule *r = rules; r; r = r->next) {
		if (r->platform[0])
			continue;
		if (r->vendor ? r->vendor == vendor && r->product == product : (class & r->class_mask) == r->class)
			return r;
	}
	return NULL;
}

const struct rule *
table_find_network(void)
{
	for (const struct rule *r = rules; r; r = r->next)
		if (r->door == MANAGER_WANTS_NETWORK)
			return r;
	return NULL;
}

const struct rule *
table_find_platform(const char *name)
{
	for (const struct rule *r = rules; r; r = r->next)
		if (strcmp(r->platform, name) == 0)
			return r;
	return NULL;
}
