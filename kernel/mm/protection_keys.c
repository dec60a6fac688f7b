/* SPDX-License-Identifier: MIT */
/*
 * protection_keys.c - protection keys: which a program has been given, and which its mappings carry.
 *
 * A page carries one of 16 keys; a register of each thread, which user code writes freely, says by key what
 * data accesses the thread does without. Key 0 is everybody's from the start. The kernel takes one key for
 * itself when the first mapping is made that may be executed and nothing else: such mappings carry it, every
 * thread does without it, and so their contents cannot be read. That key cannot be freed or used otherwise.
 *
 * Without the processor's help no key is ever given out, key 0 not excepted.
 */
#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/process.h>

#include "mm.h"

#define RIGHTS (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC)

bool
key_is_given(const struct address_space *as, int key)
{
	if (key < 0 || (unsigned int)key >= arch_key_count() || key == as->execute_only_key)
		return false;
	return as->keys & BIT(key);
}

/* The first key that nobody has, or -ENOSPC. `as` is being changed. */
static int
take_key(struct address_space *as)
{
	for (unsigned int key = 0; key < arch_key_count(); key++) {
		if (as->keys & BIT(key))
			continue;
		as->keys |= (uint16_t)BIT(key);
		return (int)key;
	}
	return -ENOSPC;
}

/* The key of mappings that may only be executed, 0 when there is none to be had. */
static uint8_t
execute_only(struct address_space *as)
{
	struct process *p = current_process();

	if (as->execute_only_key < 0) {
		int key = take_key(as);

		if (key < 0)
			return 0;
		as->execute_only_key = (int8_t)key;
	}
	/* A program that is being loaded starts with the rights to key 0 alone anyway. */
	if (p && p->as == as && !(arch_key_rights((unsigned int)as->execute_only_key) & KEY_NO_ACCESS))
		arch_key_set_rights((unsigned int)as->execute_only_key, KEY_NO_ACCESS);
	return (uint8_t)as->execute_only_key;
}

uint8_t
key_for(struct address_space *as, uint32_t flags, uint32_t before, uint8_t key)
{
	if ((flags & RIGHTS) == MAPPING_EXEC) {
		uint8_t own = execute_only(as);

		if (own > 0)
			return own;
	}
	if ((before & RIGHTS) == MAPPING_EXEC && key == as->execute_only_key)
		return 0;
	return key;
}

int
address_space_key_alloc(struct address_space *as)
{
	int key;

	address_space_change(as);
	key = take_key(as);
	address_space_changed(as);
	return key;
}

int
address_space_key_free(struct address_space *as, int key)
{
	int error = -EINVAL;

	address_space_change(as);
	if (key_is_given(as, key)) {
		as->keys &= (uint16_t)~BIT(key);
		error = 0;
	}
	address_space_changed(as);
	return error;
}

unsigned int
address_space_key(struct address_space *as, vaddr_t addr)
{
	unsigned int key = 0;
	struct mapping *m;

	read_lock(&as->lock);
	m = address_space_find(as, addr);
	if (m && m->start <= addr)
		key = m->key;
	read_unlock(&as->lock);
	return key;
}
