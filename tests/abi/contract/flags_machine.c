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

TEST(key_calls)
{
	const int ring = -2; /* the process's */

	FLAG(add_key, type asymmetric, EBADMSG, syscall(SYS_add_key, "asymmetric", "a", "xx", 2ul, ring));
	FLAG(add_key, type encrypted, EINVAL, syscall(SYS_add_key, "encrypted", "a", "x", 1ul, ring));
	FLAG(keyctl, KEYCTL_DH_COMPUTE, EINVAL, syscall(SYS_keyctl, 23, 0, 0, 0, 0));
	FLAG(keyctl, KEYCTL_PKEY_QUERY, EFAULT, syscall(SYS_keyctl, 24, 0, 0, 0, 0));
	FLAG(keyctl, KEYCTL_CAPABILITIES, 0, syscall(SYS_keyctl, 31, NULL, 0));
	FLAGS_END();
}
