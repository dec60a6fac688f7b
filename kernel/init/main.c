/* SPDX-License-Identifier: MIT */
/*
 * main.c - from the boot code's jump to the first program: the order in which the rooms start.
 *
 *	kernel_main()   on the boot stack, interrupts off: machine, memory, scheduler. Then this
 *	                context is CPU 0's idle thread.
 *	start_rest()    in a kernel thread, where sleeping is allowed: the other CPUs, files, terminals,
 *	                the root file system; then process 1, or the tests that test= asks for
 *
 * An order is forced only where a room uses another: see arch.h for the machine's part.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/block.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/continuation.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/fault_inject.h>
#include <tessera/inode.h>
#include <tessera/input.h>
#include <tessera/kcov.h>
#include <tessera/kcsan.h>
#include <tessera/keys.h>
#include <tessera/network.h>
#include <tessera/panic.h>
#include <tessera/pci.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/rcu.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/sysv.h>
#include <tessera/test.h>
#include <tessera/time.h>
#include <tessera/tlb.h>
#include <tessera/trace.h>
#include <tessera/tty.h>
#include <tessera/tun.h>
#include <tessera/vduse.h>

#include "init.h"

/* What boot/ jumps to; it declares the same. */
void __noreturn kernel_main(void);

extern const char kernel_version[], kernel_release[];

int
cpu_prepare(struct cpu *c)
{
	int error;

	frames_init_cpu(c);
	slab_init_cpu(c);
	rcu_init_cpu(c);
	error = trace_init_cpu(c);
	if (!error)
		error = time_init_cpu(c);
	if (!error)
		error = continuation_init_cpu(c);
	if (!error)
		error = sched_init_cpu(c);
	return error;
}

static void
unpack_image(void)
{
	int error;

	if (!bootinfo.initrd_size) {
		pr_warn("init: the boot loader gave no initramfs\n");
		return;
	}
	error = initramfs_unpack(bootinfo.initrd, bootinfo.initrd_size);
	if (error)
		panic("the initramfs (%lu bytes at %#lx) cannot be unpacked: error %d",
		      bootinfo.initrd_size, bootinfo.initrd, error);
}

static void
start_rest(void *unused)
{
	char value[128];

	arch_start_cpus();
	preempt_random_init();
	fault_inject_boot();
	if (config_kcsan)
		kcsan_start();
	pr_info("smp: %u CPUs, clock %s\n", cpu_count, arch_clock_name());
	arch_init_late();
	vfs_init();
	tty_init();
	pci_init();
	block_init();
	vduse_init();
	input_init();
	vfio_init();
	if (config_kcov) {
		kcov_init();
		planted_init();
	}
	if (boot_argument("test", value, sizeof(value)))
		test_run(value);
	unpack_image();
	key_init();
	process_init();
	ipc_namespace_init();
	network_init();
	door_init();
	tun_init();
	if (!boot_argument("init", value, sizeof(value)) || value[0] != '/')
		snprintf(value, sizeof(value), "/init");
	process_start_init(value);
	thread_exit();
}

void
kernel_main(void)
{
	struct thread *t;

	arch_init_early();
	stack_guard_init();
	spin_choose_policy();
	debug_init();
	pr_info("Tessera %s (%s), booted by %s\n", kernel_release, kernel_version, bootinfo.protocol);
	pr_info("arguments: %s\n", bootinfo.command);
	arch_init_memory();
	frames_init();
	slab_init();
	slab_init_cpu(this_cpu());
	rcu_init_cpu(this_cpu());
	region_init();
	address_space_init();
	tlb_init_cpu(0);
	time_init_cpu(this_cpu());
	continuation_init_cpu(this_cpu());
	sched_init();
	trace_init();
	arch_init_platform();
	time_init();
	arch_irq_enable();
	continuation_start_cpu(this_cpu());

	t = thread_create_kernel("start", start_rest, NULL);
	if (!t)
		panic("no memory for the first thread");
	thread_start(t);
	sched_idle_loop();
}
