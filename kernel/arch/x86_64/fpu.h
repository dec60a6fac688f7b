/* SPDX-License-Identifier: MIT */
/*
 * fpu.h - the floating-point, vector and protection-key registers of user threads (fpu.c).
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include <tessera/types.h>

struct cpu;
struct thread;

/* State components, XCR0's bits. */
#define XSTATE_X87    BIT(0)
#define XSTATE_SSE    BIT(1)
#define XSTATE_AVX    BIT(2)
#define XSTATE_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XSTATE_PKRU   BIT(9)

/* The first 576 bytes of every area: FXSAVE's image, then XSAVE's header. */
struct fpu_legacy {
	uint16_t control, status;
	uint8_t tag, reserved;
	uint16_t opcode;
	uint64_t ip, dp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[128];
	uint8_t xmm[256];
	uint8_t unused[48];
	uint8_t software[48]; /* never touched by the hardware: Linux's signal frames use it */
};
struct fpu_header {
	uint64_t present;   /* XSTATE_BV: components not in their initial state */
	uint64_t compacted; /* XCOMP_BV: always 0 here */
	uint64_t reserved[6];
};
struct fpu_area {
	struct fpu_legacy legacy;
	struct fpu_header header;
	uint8_t extended[];
};
_Static_assert(sizeof(struct fpu_legacy) == 512, "FXSAVE image");
_Static_assert(sizeof(struct fpu_area) == 576, "XSAVE header");

extern uint64_t fpu_mask;       /* [I] components in use */
extern uint32_t fpu_area_size;  /* [I] bytes of an area in the standard format */

/* This CPU: enable the components. The boot CPU first: it chooses them. */
void fpu_init_cpu(void);
/* Once, when kmalloc works and before the first user thread. */
void fpu_init_areas(void);

struct fpu_area *fpu_area_alloc(void); /* in the initial state; NULL: no memory */
void fpu_area_free(struct fpu_area *area);

/* The part of a thread switch; interrupts off. */
void fpu_switch(struct cpu *c, struct thread *prev, struct thread *next);

/* Of the calling thread, which has an area; these sleep nowhere and hold preemption off themselves. */
struct fpu_area *fpu_save_current(void); /* all components written to its area; returned */
void fpu_reset_current(void);            /* to the initial state */

/*
 * Write all components of the calling thread to a user image, 64-aligned, in XSAVE's standard format. The software
 * bytes of its legacy part are left alone. 0 or -EFAULT. May sleep.
 */
int fpu_store_user(struct fpu_area __user *image);

/*
 * Load the calling thread's registers from a user image of `size` bytes (fpu_area_size, or 512: the
 * legacy part only), components `components`. Everything that could fault or reach another's state is
 * refused or cleared. On failure the registers are in the initial state. 0 or -EFAULT. May sleep.
 */
int fpu_load_user(const void __user *image, size_t size, uint64_t components);

/*
 * Fill the area of a thread that does not run from an image of a tracer's: XSAVE's standard format with
 * `extended`, else FXSAVE's. -EINVAL: it could not be loaded.
 */
int fpu_area_set(struct fpu_area *a, const void *image, bool extended);

#endif
