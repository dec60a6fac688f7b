/* SPDX-License-Identifier: MIT */
/*
 * example.c - a driver to read: QEMU's educational device (example_hw.h names its specification). It shows what every
 * driver does: find the registers, hear interrupts, move data between memory and the device. README.md goes along
 * with it.
 *
 * There is nobody to serve, so it drives the device through three experiments and ends. The state is which of
 * them is under way; each interrupt takes it one further:
 *
 *   FACTORIAL --> DMA_IN --> DMA_OUT --> ended
 */
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "example_hw.h"

#define NUMBER	  10
#define FACTORIAL 3628800
#define PIECE	  2048 /* of the device's memory: some versions do not take all of it */

enum experiment { EXPERIMENT_FACTORIAL, EXPERIMENT_DMA_IN, EXPERIMENT_DMA_OUT };

static struct {
	volatile uint8_t *registers;
	struct dma memory; /* what goes to the device, and behind it what comes back */
	enum experiment under_way;
} example;

/* Tell the device's DMA engine to copy; it interrupts when it is done. */
static void
start_dma(uint64_t from, uint64_t to, uint32_t command)
{
	write32(example.registers, EDU_DMA_SOURCE, from);
	write32(example.registers, EDU_DMA_TARGET, to);
	write32(example.registers, EDU_DMA_COUNT, PIECE);
	write32(example.registers, EDU_DMA_COMMAND, command | EDU_DMA_START | EDU_DMA_INTERRUPT);
}

static void
factorial_done(void)
{
	uint32_t result = read32(example.registers, EDU_FACTORIAL);
	uint8_t *page = example.memory.addr;

	printf("%u! = %u, by interrupt\n", NUMBER, result);
	if (result != FACTORIAL) {
		loop_stop(DRIVER_EXIT_TEST);
		return;
	}
	/* What the device shall have: it finds it by the bus address, not by ours. */
	for (unsigned i = 0; i < PIECE; i++)
		page[i] = i * 7;
	example.under_way = EXPERIMENT_DMA_IN;
	start_dma(example.memory.bus, EDU_BUFFER, 0);
}

static void
dma_in_done(void)
{
	example.under_way = EXPERIMENT_DMA_OUT;
	start_dma(EDU_BUFFER, example.memory.bus + PIECE, EDU_DMA_TO_MEMORY);
}

static void
dma_out_done(void)
{
	const uint8_t *page = example.memory.addr;
	bool same = memcmp(page, page + PIECE, PIECE) == 0;

	printf("%u bytes to the device and back: %s\n", PIECE, same ? "the same" : "others");
	loop_stop(same ? 0 : DRIVER_EXIT_TEST);
}

/* One interrupt serves for all causes. It is taken back first: what comes while we look is another. */
static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	uint32_t cause = read32(example.registers, EDU_CAUSE);

	write32(example.registers, EDU_ACKNOWLEDGE, cause);
	if (cause & EDU_CAUSE_FACTORIAL && example.under_way == EXPERIMENT_FACTORIAL)
		factorial_done();
	else if (cause & EDU_CAUSE_DMA && example.under_way == EXPERIMENT_DMA_IN)
		dma_in_done();
	else if (cause & EDU_CAUSE_DMA && example.under_way == EXPERIMENT_DMA_OUT)
		dma_out_done();
}

static int
run(struct device *d, const struct driver_options *o)
{
	uint32_t identity;

	/* 1. The registers. A device that is not what we think must not be driven. */
	example.registers = device_registers(d, 0, EDU_SIZE);
	if (!example.registers)
		return DRIVER_EXIT_DEVICE;
	identity = read32(example.registers, EDU_IDENTITY);
	write32(example.registers, EDU_LIVENESS, 0x12345678);
	if ((identity & 0xff) != EDU_MARK || read32(example.registers, EDU_LIVENESS) != ~0x12345678u) {
		log_error("this is no educational device: 0x%08x", identity);
		return DRIVER_EXIT_DEVICE;
	}
	log_debug("version %u.%u", identity >> 24, identity >> 16 & 0xff);
	/* 2. Memory that the device reaches; until now it reached none. */
	if (dma_alloc(d, &example.memory, 2 * PIECE) < 0)
		return DRIVER_EXIT_DEVICE;
	device_bus_master(d, true);
	/* 3. Interrupts, by MSI or the pin. */
	if (device_interrupts(d, 1) < 0)
		return DRIVER_EXIT_DEVICE;
	device_on_interrupt(d, 0, interrupt, NULL);
	/* 4. From here on only what is held already is needed. */
	if (driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	/* 5. The first experiment; the rest happens in interrupt(). */
	write32(example.registers, EDU_STATUS, EDU_STATUS_INTERRUPT);
	write32(example.registers, EDU_FACTORIAL, NUMBER);
	return loop_run();
}

int
main(int argc, char **argv)
{
	static const struct driver driver = { .name = "example", .about = "Driver of QEMU's educational device.", .run = run };

	return driver_main(&driver, argc, argv);
}
