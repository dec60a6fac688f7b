/* SPDX-License-Identifier: MIT */
/*
 * framebuffer.c - the kernel's log as text on the boot loader's framebuffer.
 *
 * The text is kept as rows of characters from the first line on; framebuffer_map() shows what has
 * gathered until then. Video memory is slow to read, so scrolling redraws from the rows, and only
 * the cells that differ. Where there is no framebuffer there are no rows. The caller of arch_console_write() keeps two writers apart.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "font.h"
#include "platform.h"

#define COLUMNS_MAX 240u
#define ROWS_MAX    100u
#define TAB         8
#define ROWS_PER_FRAME (PAGE_SIZE / COLUMNS_MAX)

static struct boot_framebuffer fb;           /* [I] after framebuffer_init() */
static uint8_t *pixels;                      /* [I] after framebuffer_map(); NULL: not shown */
static uint32_t columns, rows;               /* [I] 0: no framebuffer */
static uint32_t column, row;                 /* the cursor: console's writer */
static uint8_t *cells[ROWS_MAX];             /* what should be on the screen; 0: blank */
static uint8_t *shown[ROWS_MAX];             /* what is */

/* Before the frame allocator stands. */
static void
make_rows(uint8_t **to)
{
	uint8_t *frame = NULL;

	for (uint32_t r = 0; r < rows; r++) {
		if (r % ROWS_PER_FRAME == 0)
			frame = phys_to_virt(boot_frame_alloc());
		to[r] = frame + r % ROWS_PER_FRAME * COLUMNS_MAX;
	}
}

void
framebuffer_init(const struct boot_framebuffer *f)
{
	uint32_t bytes = f->bits / 8;

	if (!f->address || (bytes != 3 && bytes != 4) || f->width > 65535 || f->height > 65535 ||
	    f->pitch < f->width * bytes)
		return;
	fb = *f;
	columns = MIN(fb.width / FONT_WIDTH, COLUMNS_MAX);
	rows = MIN(fb.height / FONT_HEIGHT, ROWS_MAX);
	if (!columns || !rows)
		columns = rows = 0;
	make_rows(cells);
	make_rows(shown);
}

static void
draw_cell(uint32_t r, uint32_t c)
{
	const uint8_t *glyph = font_glyph(cells[r][c]);
	uint32_t bytes = fb.bits / 8;
	uint32_t ink = 0xd0u << fb.red_shift | 0xd0u << fb.green_shift | 0xd0u << fb.blue_shift;

	for (uint32_t y = 0; y < FONT_HEIGHT; y++) {
		uint8_t *p = pixels + (size_t)(r * FONT_HEIGHT + y) * fb.pitch +
			     (size_t)c * FONT_WIDTH * bytes;

		for (uint32_t x = 0; x < FONT_WIDTH; x++, p += bytes) {
			uint32_t colour = glyph[y] & 0x80 >> x ? ink : 0;

			if (bytes == 4) {
				*(volatile uint32_t *)p = colour;
				continue;
			}
			for (uint32_t i = 0; i < bytes; i++)
				((volatile uint8_t *)p)[i] = (uint8_t)(colour >> 8 * i);
		}
	}
	shown[r][c] = cells[r][c];
}

static void
redraw(void)
{
	if (!pixels)
		return;
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < columns; c++)
			if (cells[r][c] != shown[r][c])
				draw_cell(r, c);
}

static void
new_line(void)
{
	uint8_t *top;

	column = 0;
	if (++row < rows)
		return;
	row = rows - 1;
	top = cells[0];
	memmove(cells, cells + 1, sizeof(cells[0]) * row);
	cells[row] = top;
	memset(top, 0, COLUMNS_MAX);
}

void
framebuffer_write(const char *s, size_t n)
{
	if (!rows)
		return;
	for (size_t i = 0; i < n; i++) {
		uint8_t ch = (uint8_t)s[i];

		if (ch == '\n') {
			new_line();
		} else if (ch == '\r') {
			column = 0;
		} else if (ch == '\t') {
			column = MIN(ALIGN_UP(column + 1, TAB), columns - 1);
		} else if (ch == '\b') {
			column -= column != 0;
		} else if (ch >= ' ') {
			if (column == columns)
				new_line();
			cells[row][column++] = ch == ' ' ? 0 : ch;
		}
	}
	redraw();
}

void
framebuffer_map(void)
{
	if (!rows)
		return;
	pixels = region_map_phys(fb.address, (size_t)fb.pitch * fb.height,
				 PTE_READ | PTE_WRITE | PTE_WCOMBINE | PTE_DEVICE);
	if (!pixels)
		return;
	for (uint32_t y = 0; y < fb.height; y++)
		memset(pixels + (size_t)y * fb.pitch, 0, fb.width * (fb.bits / 8));
	redraw();
}
