/* SPDX-License-Identifier: MIT */
/*
 * input_abi.h - linux/input.h's and linux/uinput.h's numbers and layouts, as far as the kernel looks at them.
 */
#ifndef TESSERA_DEV_INPUT_INPUT_ABI_H
#define TESSERA_DEV_INPUT_INPUT_ABI_H

#include <tessera/types.h>

#define MAJOR_INPUT      13u
#define MAJOR_MISC       10u
#define MINOR_UINPUT     223u
#define MINOR_MOUSE      32u    /* mouse0; up to and without MINOR_MICE */
#define MINOR_MICE       63u
#define MINOR_EVENT      64u    /* event0 */
#define MINOR_EVENT_END  96u
#define MINOR_MORE       256u   /* when these have run out: event256, mouse256 ... */
#define MINOR_END        1024u

/* Types of events, and how many codes each has. */
#define EV_SYN 0x00u
#define EV_KEY 0x01u
#define EV_REL 0x02u
#define EV_ABS 0x03u
#define EV_MSC 0x04u
#define EV_SW  0x05u
#define EV_LED 0x11u
#define EV_SND 0x12u
#define EV_REP 0x14u
#define EV_FF  0x15u
#define EV_PWR 0x16u
#define EV_UINPUT 0x0101u /* only to who provides the device */

#define EV_COUNT   0x20u
#define KEY_COUNT  0x300u
#define REL_COUNT  0x10u
#define ABS_COUNT  0x40u
#define MSC_COUNT  0x08u
#define SW_COUNT   0x11u
#define LED_COUNT  0x10u
#define SND_COUNT  0x08u
#define REP_COUNT  0x02u
#define FF_COUNT   0x80u
#define PROP_COUNT 0x20u

#define SYN_REPORT    0u
#define SYN_CONFIG    1u
#define SYN_MT_REPORT 2u
#define SYN_DROPPED   3u

#define KEY_RESERVED       0u
#define KEY_INTERESTING    0x71u /* the first that module aliases name */
#define BTN_0       0x100u
#define BTN_1       0x101u
#define BTN_2       0x102u
#define BTN_3       0x103u
#define BTN_4       0x104u
#define BTN_LEFT    0x110u
#define BTN_RIGHT   0x111u
#define BTN_MIDDLE  0x112u
#define BTN_SIDE    0x113u
#define BTN_EXTRA   0x114u
#define BTN_FORWARD 0x115u
#define BTN_BACK    0x116u
#define BTN_TRIGGER 0x120u
#define BTN_TOOL_FINGER 0x145u
#define BTN_TOUCH   0x14au
#define BTN_STYLUS  0x14bu
#define BTN_STYLUS2 0x14cu
#define REL_X       0u
#define REL_Y       1u
#define REL_WHEEL   8u
#define ABS_X       0x00u
#define ABS_Y       0x01u
#define ABS_PRESSURE 0x18u
#define ABS_TOOL_WIDTH 0x1cu
#define ABS_MT_SLOT 0x2fu
#define ABS_MT_FIRST 0x30u  /* ABS_MT_TOUCH_MAJOR */
#define ABS_MT_POSITION_X 0x35u
#define ABS_MT_TRACKING_ID 0x39u
#define ABS_MT_LAST 0x3du   /* ABS_MT_TOOL_Y */
#define MT_AXES     (ABS_MT_LAST - ABS_MT_FIRST + 1)
#define SLOTS_MAX   100     /* fingers of one device */
#define REP_DELAY   0u
#define REP_PERIOD  1u

#define FF_RUMBLE   0x50u
#define FF_PERIODIC 0x51u
#define FF_EFFECT_FIRST 0x50u
#define FF_EFFECT_LAST  0x57u
#define FF_WAVE_FIRST   0x58u
#define FF_SINE     0x5au
#define FF_CUSTOM   0x5du
#define FF_WAVE_LAST    0x5du
#define FF_EFFECTS_MAX  0x60u

struct linux_input_event {
	int64_t seconds, microseconds;
	uint16_t type, code;
	int32_t value;
};
_Static_assert(sizeof(struct linux_input_event) == 24, "struct input_event");

struct input_id {
	uint16_t bus, vendor, product, version;
};
_Static_assert(sizeof(struct input_id) == 8, "struct input_id");

struct input_axis {
	int32_t value, minimum, maximum, fuzz, flat, resolution;
};
_Static_assert(sizeof(struct input_axis) == 24, "struct input_absinfo");

struct input_effect {
	uint16_t type;
	int16_t id;
	uint16_t direction;
	uint16_t button, interval;      /* its trigger */
	uint16_t length, delay;         /* its replay */
	uint16_t padding;
	union {
		struct {
			uint16_t waveform, period;
			int16_t magnitude, offset;
			uint16_t phase, attack_length, attack_level, fade_length, fade_level;
			uint16_t padding;
			uint32_t custom_length;
			uint64_t custom_data;
		} periodic;
		struct {
			uint16_t strong, weak;
		} rumble;
	};
};
_Static_assert(sizeof(struct input_effect) == 48, "struct ff_effect");

/* --- /dev/input/event* */
#define EVIOCGVERSION    0x80044501u
#define EVIOCGID         0x80084502u
#define EVIOCGREP        0x80084503u
#define EVIOCSREP        0x40084503u
#define EVIOCGKEYCODE    0x80084504u
#define EVIOCGKEYCODE_V2 0x80284504u
#define EVIOCSKEYCODE    0x40084504u
#define EVIOCSKEYCODE_V2 0x40284504u
#define EVIOCRMFF        0x40044581u
#define EVIOCGEFFECTS    0x80044584u
#define EVIOCGRAB        0x40044590u
#define EVIOCREVOKE      0x40044591u
#define EVIOCGMASK       0x80104592u
#define EVIOCSMASK       0x40104593u
#define EVIOCSCLOCKID    0x400445a0u
/* Without their sizes, which are the caller's. */
#define EVIOCGNAME       0x80004506u
#define EVIOCGPHYS       0x80004507u
#define EVIOCGUNIQ       0x80004508u
#define EVIOCGPROP       0x80004509u
#define EVIOCGMTSLOTS    0x8000450au
#define EVIOCGKEY        0x80004518u
#define EVIOCGLED        0x80004519u
#define EVIOCGSND        0x8000451au
#define EVIOCGSW         0x8000451bu
#define EVIOCGBIT        0x80004520u /* + type */
#define EVIOCGABS        0x80004540u /* + axis */
#define EVIOCSFF         0x40004580u
#define EVIOCSABS        0x400045c0u /* + axis */
#define IOC_SIZE_MASK    0x3fff0000u
#define IOC_SIZE_SHIFT   16

#define EVDEV_VERSION    0x010001u

struct linux_input_mask {
	uint32_t type, codes_size;
	uint64_t codes;
};
_Static_assert(sizeof(struct linux_input_mask) == 16, "struct input_mask");

struct linux_keymap_entry {
	uint8_t flags, length;
	uint16_t index;
	uint32_t keycode;
	uint8_t scancode[32];
};
_Static_assert(sizeof(struct linux_keymap_entry) == 40, "struct input_keymap_entry");

/* --- /dev/uinput */
#define UI_DEV_CREATE      0x00005501u
#define UI_DEV_DESTROY     0x00005502u
#define UI_DEV_SETUP       0x405c5503u
#define UI_ABS_SETUP       0x40005504u /* without its size */
#define UI_SET_EVBIT       0x40045564u
#define UI_SET_KEYBIT      0x40045565u
#define UI_SET_RELBIT      0x40045566u
#define UI_SET_ABSBIT      0x40045567u
#define UI_SET_MSCBIT      0x40045568u
#define UI_SET_LEDBIT      0x40045569u
#define UI_SET_SNDBIT      0x4004556au
#define UI_SET_FFBIT       0x4004556bu
#define UI_SET_PHYS        0x4008556cu
#define UI_SET_SWBIT       0x4004556du
#define UI_SET_PROPBIT     0x4004556eu
#define UI_BEGIN_FF_UPLOAD 0xc06855c8u
#define UI_END_FF_UPLOAD   0x406855c9u
#define UI_BEGIN_FF_ERASE  0xc00c55cau
#define UI_END_FF_ERASE    0x400c55cbu
#define UI_GET_SYSNAME     0x8000552cu /* without its size */
#define UI_GET_VERSION     0x8004552du

#define UINPUT_VERSION   5u
#define UINPUT_NAME_SIZE 80u
#define UI_FF_UPLOAD     1u
#define UI_FF_ERASE      2u

struct linux_uinput_setup {
	struct input_id id;
	char name[UINPUT_NAME_SIZE];
	uint32_t effects_max;
};
_Static_assert(sizeof(struct linux_uinput_setup) == 92, "struct uinput_setup");

struct linux_uinput_abs_setup {
	uint16_t code, padding;
	struct input_axis axis;
};
_Static_assert(sizeof(struct linux_uinput_abs_setup) == 28, "struct uinput_abs_setup");

struct linux_uinput_user_dev {
	char name[UINPUT_NAME_SIZE];
	struct input_id id;
	uint32_t effects_max;
	int32_t maximum[ABS_COUNT], minimum[ABS_COUNT], fuzz[ABS_COUNT], flat[ABS_COUNT];
};
_Static_assert(sizeof(struct linux_uinput_user_dev) == 1116, "struct uinput_user_dev");

struct linux_uinput_upload {
	uint32_t request;
	int32_t result;
	struct input_effect effect, old;
};
_Static_assert(sizeof(struct linux_uinput_upload) == 104, "struct uinput_ff_upload");

struct linux_uinput_erase {
	uint32_t request;
	int32_t result;
	uint32_t effect;
};
_Static_assert(sizeof(struct linux_uinput_erase) == 12, "struct uinput_ff_erase");

#endif
