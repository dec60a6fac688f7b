/* SPDX-License-Identifier: MIT */
/*
 * names.c - where input devices are seen: /sys/devices/virtual/input/inputN and /sys/class/input, /dev/input,
 * /proc/bus/input.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/text.h>

#include "input.h"

/* Bitmaps with a name: which type of events they are for, EV_SYN: no type. */
static const struct named_map {
	const char *file, *title;
	uint32_t type, count;
	char letter;                 /* in a module alias */
	size_t at;
} maps[] = {
	{ "ev", "EV", EV_SYN, EV_COUNT, 'e', offsetof(struct input_abilities, types) },
	{ "key", "KEY", EV_KEY, KEY_COUNT, 'k', offsetof(struct input_abilities, keys) },
	{ "rel", "REL", EV_REL, REL_COUNT, 'r', offsetof(struct input_abilities, rels) },
	{ "abs", "ABS", EV_ABS, ABS_COUNT, 'a', offsetof(struct input_abilities, axes) },
	{ "msc", "MSC", EV_MSC, MSC_COUNT, 'm', offsetof(struct input_abilities, misc) },
	{ "led", "LED", EV_LED, LED_COUNT, 'l', offsetof(struct input_abilities, leds) },
	{ "snd", "SND", EV_SND, SND_COUNT, 's', offsetof(struct input_abilities, sounds) },
	{ "ff", "FF", EV_FF, FF_COUNT, 'f', offsetof(struct input_abilities, effects) },
	{ "sw", "SW", EV_SW, SW_COUNT, 'w', offsetof(struct input_abilities, switches) },
};

static const uint64_t *
map_of(const struct input_device *d, const struct named_map *m)
{
	return (const uint64_t *)((const char *)&d->can + m->at);
}

/* The highest word that is not zero first. */
static void
add_bits(struct text *t, const uint64_t *map, uint32_t count)
{
	bool begun = false;

	for (uint32_t i = WORDS(count); i-- > 0;) {
		begun = begun || map[i] || i == 0;
		if (begun)
			text_print(t, i ? "%lx " : "%lx", map[i]);
	}
}

static void
add_alias(struct text *t, const struct input_device *d)
{
	text_print(t, "input:b%04Xv%04Xp%04Xe%04X-", d->id.bus, d->id.vendor, d->id.product, d->id.version);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		text_print(t, "%c", maps[i].letter);
		for (uint32_t n = maps[i].letter == 'k' ? KEY_INTERESTING : 0; n < maps[i].count; n++)
			if (bit_is_set(map_of(d, &maps[i]), n))
				text_print(t, "%X,", n);
	}
	text_print(t, "\n");
}

/* --- files in inputN ------------------------------------------------------------------------------------- */

static int
show_name(struct text *t, void *object)
{
	const struct input_device *d = object;

	text_print(t, "%s\n", d->name ? d->name : "");
	return 0;
}

static int
show_phys(struct text *t, void *object)
{
	const struct input_device *d = object;

	text_print(t, "%s\n", d->phys ? d->phys : "");
	return 0;
}

static int
show_uniq(struct text *t, void *object)
{
	const struct input_device *d = object;

	text_print(t, "%s\n", d->uniq ? d->uniq : "");
	return 0;
}

static int
show_modalias(struct text *t, void *object)
{
	add_alias(t, object);
	return 0;
}

static int
show_properties(struct text *t, void *object)
{
	const struct input_device *d = object;

	add_bits(t, d->can.properties, PROP_COUNT);
	text_print(t, "\n");
	return 0;
}

static int
show_inhibited(struct text *t, void *object)
{
	const struct input_device *d = object;

	text_print(t, "%d\n", READ_ONCE(d->inhibited));
	return 0;
}

static ssize_t
store_inhibited(void *object, char *data, size_t n)
{
	struct input_device *d = object;
	uint64_t on;

	if (sysfs_parse_number(data, n, 1, &on) < 0)
		return -EINVAL;
	if (on)
		input_silence(d, false);
	else
		WRITE_ONCE(d->inhibited, false);
	return (ssize_t)n;
}

static int
show_uevent(struct text *t, void *object)
{
	const struct input_device *d = object;

	text_print(t, "PRODUCT=%x/%x/%x/%x\n", d->id.bus, d->id.vendor, d->id.product, d->id.version);
	if (d->name)
		text_print(t, "NAME=\"%s\"\n", d->name);
	if (d->phys)
		text_print(t, "PHYS=\"%s\"\n", d->phys);
	if (d->uniq)
		text_print(t, "UNIQ=\"%s\"\n", d->uniq);
	text_print(t, "PROP=");
	add_bits(t, d->can.properties, PROP_COUNT);
	text_print(t, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (bit_is_set(d->can.types, maps[i].type)) {
			text_print(t, "%s=", maps[i].title);
			add_bits(t, map_of(d, &maps[i]), maps[i].count);
			text_print(t, "\n");
		}
	text_print(t, "MODALIAS=");
	add_alias(t, d);
	return 0;
}

/* Whoever writes wants events sent again: nobody listens. */
static ssize_t
store_nothing(void *object, char *data, size_t n)
{
	return (ssize_t)n;
}

static const struct sysfs_attribute attributes[] = {
	{ "inhibited", 0644, .show = show_inhibited, .store = store_inhibited },
	{ "modalias", 0444, .show = show_modalias },
	{ "name", 0444, .show = show_name },
	{ "phys", 0444, .show = show_phys },
	{ "properties", 0444, .show = show_properties },
	{ "uevent", 0644, .show = show_uevent, .store = store_nothing },
	{ "uniq", 0444, .show = show_uniq },
	{ 0 },
};

#define SHOW_ID(field)                                                                             \
	static int show_##field(struct text *t, void *object)                                      \
	{                                                                                          \
		const struct input_device *d = object;                                             \
												   \
		text_print(t, "%04x\n", d->id.field);                                              \
		return 0;                                                                          \
	}
SHOW_ID(bus)
SHOW_ID(product)
SHOW_ID(vendor)
SHOW_ID(version)

static const struct sysfs_attribute id_attributes[] = {
	{ "bustype", 0444, .show = show_bus },
	{ "product", 0444, .show = show_product },
	{ "vendor", 0444, .show = show_vendor },
	{ "version", 0444, .show = show_version },
	{ 0 },
};

#define SHOW_MAP(field, count)                                                                     \
	static int show_##field(struct text *t, void *object)                                      \
	{                                                                                          \
		const struct input_device *d = object;                                             \
												   \
		add_bits(t, d->can.field, count);                                                  \
		text_print(t, "\n");                                                               \
		return 0;                                                                          \
	}
SHOW_MAP(axes, ABS_COUNT)
SHOW_MAP(types, EV_COUNT)
SHOW_MAP(effects, FF_COUNT)
SHOW_MAP(keys, KEY_COUNT)
SHOW_MAP(leds, LED_COUNT)
SHOW_MAP(misc, MSC_COUNT)
SHOW_MAP(rels, REL_COUNT)
SHOW_MAP(sounds, SND_COUNT)
SHOW_MAP(switches, SW_COUNT)

static const struct sysfs_attribute map_attributes[] = {
	{ "abs", 0444, .show = show_axes },	{ "ev", 0444, .show = show_types },
	{ "ff", 0444, .show = show_effects },	{ "key", 0444, .show = show_keys },
	{ "led", 0444, .show = show_leds },	{ "msc", 0444, .show = show_misc },
	{ "rel", 0444, .show = show_rels },	{ "snd", 0444, .show = show_sounds },
	{ "sw", 0444, .show = show_switches },	{ 0 },
};

/* --- files in eventN and mouseN ---------------------------------------------------------------------------- */

static int
show_dev(struct text *t, void *object)
{
	const struct input_node *n = object;

	text_print(t, "%u:%u\n", MAJOR_INPUT, n->minor);
	return 0;
}

static int
show_node_uevent(struct text *t, void *object)
{
	const struct input_node *n = object;

	text_print(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=input/%s\n", MAJOR_INPUT, n->minor, n->name);
	return 0;
}

static const struct sysfs_attribute node_attributes[] = {
	{ "dev", 0444, .show = show_dev },
	{ "uevent", 0644, .show = show_node_uevent, .store = store_nothing },
	{ 0 },
};

static int
add_node(struct input_device *d, struct input_node *n)
{
	struct sysfs_node *class = sysfs_make_path("class/input"), *dir;
	char name[24], path[32];
	int error;

	if (!n->minor)
		return 0;
	dir = sysfs_add_directory(d->dir, n->name, n);
	snprintf(name, sizeof(name), "%u:%u", MAJOR_INPUT, n->minor);
	snprintf(path, sizeof(path), "input/%s", n->name);
	error = sysfs_add_attributes(dir, node_attributes);
	if (!error)
		error = sysfs_add_link(dir, "subsystem", class);
	if (!error)
		error = sysfs_add_link(dir, "device", d->dir);
	if (!error)
		error = sysfs_add_link(class, n->name, dir);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("dev/char"), name, dir);
	if (!error)
		error = devfs_add(path, S_IFCHR | 0600, DEV(MAJOR_INPUT, n->minor));
	return error;
}

static void
remove_node(struct input_node *n)
{
	char path[32];

	if (!n->minor)
		return;
	snprintf(path, sizeof(path), "input/%s", n->name);
	devfs_remove(path, DEV(MAJOR_INPUT, n->minor));
}

int
input_names_add(struct input_device *d)
{
	struct sysfs_node *class = sysfs_make_path("class/input");
	char name[24];
	int error;

	snprintf(name, sizeof(name), "input%u", d->number);
	d->dir = sysfs_add_directory(sysfs_make_path("devices/virtual/input"), name, d);
	error = sysfs_add_attributes(d->dir, attributes);
	if (!error)
		error = sysfs_add_attributes(sysfs_add_directory(d->dir, "id", d), id_attributes);
	if (!error)
		error = sysfs_add_attributes(sysfs_add_directory(d->dir, "capabilities", d), map_attributes);
	if (!error)
		error = sysfs_add_link(d->dir, "subsystem", class);
	if (!error)
		error = sysfs_add_link(class, name, d->dir);
	if (!error)
		error = add_node(d, &d->mouse_node);
	if (!error)
		error = add_node(d, &d->event_node);
	if (error)
		input_names_remove(d);
	return error;
}

void
input_names_remove(struct input_device *d)
{
	remove_node(&d->event_node);
	remove_node(&d->mouse_node);
	sysfs_remove(d->dir);
	d->dir = NULL;
}

/* --- /proc/bus/input ------------------------------------------------------------------------------------------ */

static void
show_device(struct text *t, const struct input_device *d)
{
	text_print(t, "I: Bus=%04x Vendor=%04x Product=%04x Version=%04x\n", d->id.bus, d->id.vendor, d->id.product,
		   d->id.version);
	text_print(t, "N: Name=\"%s\"\nP: Phys=%s\nS: Sysfs=/devices/virtual/input/input%u\nU: Uniq=%s\n",
		   d->name ? d->name : "", d->phys ? d->phys : "", d->number, d->uniq ? d->uniq : "");
	text_print(t, "H: Handlers=%s%s%s \n", d->mouse_node.name, d->mouse_node.minor ? " " : "", d->event_node.name);
	text_print(t, "B: PROP=");
	add_bits(t, d->can.properties, PROP_COUNT);
	text_print(t, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (bit_is_set(d->can.types, maps[i].type)) {
			text_print(t, "B: %s=", maps[i].title);
			add_bits(t, map_of(d, &maps[i]), maps[i].count);
			text_print(t, "\n");
		}
	text_print(t, "\n");
}

void
input_show_devices(struct text *t)
{
	struct input_device *d;

	mutex_lock(&input_lock);
	list_for_each(d, &input_devices, node)
		show_device(t, d);
	mutex_unlock(&input_lock);
}

void
input_show_handlers(struct text *t)
{
	text_print(t, "N: Number=0 Name=mousedev Minor=%u\nN: Number=1 Name=evdev Minor=%u\n", MINOR_MOUSE, MINOR_EVENT);
}
