/* SPDX-License-Identifier: MIT */
/*
 * fake_device.h - a device that a test plays: what lib/driver/device.h offers, over memory of the test's. Included once.
 * Each piece of its memory is one of malloc's, so that ASan sees who leaves it.
 */
#ifndef UNIT_FAKE_DEVICE_H
#define UNIT_FAKE_DEVICE_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "log.h"

#define FAKE_REGISTERS 0x20000
#define FAKE_DMA_MAX   64

static struct {
	struct device device;
	uint8_t registers[FAKE_REGISTERS];
	uint8_t config[256];
	struct dma dma[FAKE_DMA_MAX];
	unsigned dma_count, dma_fails_at; /* 0: never */
	void (*handler[2])(struct device *d, unsigned vector, void *argument);
	void *argument[2];
	unsigned vectors; /* that it has */
	unsigned complaints;
} fake;

void
log_error(const char *format, ...)
{
	fake.complaints++;
}

void
log_info(const char *format, ...)
{
}

void
log_debug(const char *format, ...)
{
}

uint32_t
device_config_read(struct device *d, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, fake.config + offset % 256, size);
	return value;
}

unsigned
device_capability(struct device *d, uint8_t id, unsigned after)
{
	unsigned at = after ? fake.config[after + 1] : fake.config[0x34];

	while (at && fake.config[at] != id)
		at = fake.config[at + 1];
	return at;
}

void
device_bus_master(struct device *d, bool on)
{
}

volatile uint8_t *
device_registers(struct device *d, unsigned bar, size_t size)
{
	return fake.registers;
}

int
device_interrupts(struct device *d, unsigned wanted)
{
	d->vectors = wanted < fake.vectors ? wanted : fake.vectors;
	d->irq_index = 2; /* VFIO_PCI_MSIX_IRQ_INDEX */
	return d->vectors;
}

unsigned
device_on_interrupt(struct device *d, unsigned vector, void (*handler)(struct device *, unsigned, void *), void *argument)
{
	vector = vector < d->vectors ? vector : d->vectors - 1;
	fake.handler[vector] = handler;
	fake.argument[vector] = argument;
	return vector;
}

int
dma_alloc(struct device *d, struct dma *m, size_t size)
{
	if (fake.dma_count == FAKE_DMA_MAX || fake.dma_count + 1 == fake.dma_fails_at)
		return -12;
	m->addr = calloc(1, size);
	m->bus = (uintptr_t)m->addr;
	m->size = size;
	fake.dma[fake.dma_count++] = *m;
	return 0;
}

void
loop_add_looker(struct looker *l)
{
}

void
loop_drop_looker(struct looker *l)
{
}

static inline void
fake_begin(unsigned vectors)
{
	memset(&fake, 0, sizeof(fake));
	fake.vectors = vectors;
	fake.device.bars[0] = (struct region){ .base = fake.registers, .size = FAKE_REGISTERS };
}

static inline void
fake_end(void)
{
	for (unsigned i = 0; i < fake.dma_count; i++)
		free(fake.dma[i].addr);
}

/* A generator whose numbers are the same at each run. */
static inline uint32_t
fake_random(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

#endif
