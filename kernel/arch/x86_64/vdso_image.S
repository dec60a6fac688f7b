/* SPDX-License-Identifier: MIT */
/*
 * vdso_image.S - the vDSO as the build made it (vdso/), as data.
 */
	.section .rodata, "a", @progbits
	.balign	4096
	.globl	vdso_image_start, vdso_image_end
	.hidden	vdso_image_start, vdso_image_end
vdso_image_start:
	.incbin	"vdso.so"
vdso_image_end:
	.balign	8
