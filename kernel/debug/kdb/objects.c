/* SPDX-License-Identifier: MIT */
/*
 * objects.c - kdb's commands about what programs hold: handles, sockets, System V IPC, mounts,
 * inodes; and the tree of /sys.
 */
#include <tessera/block.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/input.h>
#include <tessera/keys.h>
#include <tessera/notify.h>
#include <tessera/pci.h>
#include <tessera/socket.h>
#include <tessera/sysfs.h>
#include <tessera/sysv.h>
#include <tessera/vduse.h>

#include "commands.h"

static void
command_handles(int argc, char **argv)
{
	struct process *p;

	if (argc < 2)
		kdb_fail("of which process? (a pid)");
	p = kdb_process(argv[1]);
	if (!p->handles)
		kdb_fail("process %d has no handles: it has ended", p->pid);
	handle_table_dump(p->handles);
}

static void
command_sockets(int argc, char **argv)
{
	unix_sockets_dump();
}

static void
command_sysv(int argc, char **argv)
{
	sysv_dump();
}

static void
command_mounts(int argc, char **argv)
{
	mount_dump();
	notify_dump();
}

static void
command_inodes(int argc, char **argv)
{
	inode_dump(argc > 1 ? (uint32_t)kdb_number(argv[1]) : 0);
}

static void
command_keys(int argc, char **argv)
{
	key_dump();
}

static void
command_fuse(int argc, char **argv)
{
	fuse_dump();
}

static void
command_input(int argc, char **argv)
{
	input_dump();
}

static void
command_disks(int argc, char **argv)
{
	block_dump();
	vduse_dump();
}

static void
command_sysfs(int argc, char **argv)
{
	sysfs_dump();
}

static void
command_pci(int argc, char **argv)
{
	pci_dump();
}

static void
command_vfio(int argc, char **argv)
{
	vfio_dump();
	iommu_dump();
}

const struct kdb_command kdb_object_commands[] = {
	{ "handles", "PID", "what a process has open, with rights", command_handles },
	{ "sockets", "", "all sockets", command_sockets },
	{ "sysv", "", "System V segments, semaphores and message queues, who waits", command_sysv },
	{ "keys", "", "keys and keyrings, what they hold, who refers to them", command_keys },
	{ "mounts", "", "the tree of mounts", command_mounts },
	{ "inodes", "[N]", "how many there are; N of each file system", command_inodes },
	{ "disks", "", "disks and their partitions, what is under way; VDUSE's devices", command_disks },
	{ "fuse", "", "FUSE connections and their requests", command_fuse },
	{ "input", "", "keyboards, mice and the like, who has grabbed them", command_input },
	{ "sysfs", "", "the tree of /sys", command_sysfs },
	{ "vfio", "", "devices that programs drive, their interrupts and memory; IOMMUs", command_vfio },
	{ "pci", "", "PCI buses, devices, what they answer at, who drives them", command_pci },
	{ 0 },
};
