/* SPDX-License-Identifier: MIT */
/* What is asked of the machine itself: see flags.h. */
#include "flags.h"

TEST(machine_calls)
{
	static char image[64];

	/* Linux finds no module in these. */
	FLAG(init_module, a module, ENOEXEC, syscall(SYS_init_module, image, sizeof(image), ""));
	FLAG(finit_module, a module, EINVAL, syscall(SYS_finit_module, 0, "", 99));
	FLAG(delete_module, a module, ENOENT, syscall(SYS_delete_module, "none", O_NONBLOCK));
	FLAG(kexec_load, no kernel, 0, syscall(SYS_kexec_load, 0ul, 0ul, NULL, 0ul));
	FLAG(kexec_file_load, a kernel, EBADF, syscall(SYS_kexec_file_load, -1, -1, 0ul, NULL, 0ul));
	FLAG(ioperm, a port, 0, syscall(SYS_ioperm, 0x80ul, 1ul, 1));
	FLAG(iopl, a level, 0, syscall(SYS_iopl, 3));
	FLAGS_END();
}
