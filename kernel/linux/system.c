/* SPDX-License-Identifier: MIT */
/*
 * system.c - the machine and its name: uname, sysinfo, getrandom, reboot, membarrier, getcpu.
 */
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/fork.h>
#include <tessera/page.h>
#include <tessera/pid_namespace.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/random.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uts.h>

#include "linux.h"

/* --- names ------------------------------------------------------------------------------------ */

struct linux_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

#define PERSONALITY_KIND    0xffu
#define PERSONALITY_LINUX32 8u         /* setarch(8): what configures a build shall see a 32-bit machine */
#define PERSONALITY_UNAME26 0x0020000u /* for programs that know no third version */

/* "6.1.0-name": as 2.6 it is "2.6.61-name", as Linux makes it of its own. */
static void
copy_release(char *out, size_t size)
{
	const char *rest;
	uint64_t major, minor;

	if (!(current_thread()->personality & PERSONALITY_UNAME26) || parse_u64(kernel_release, &rest, 10, &major) ||
	    *rest != '.' || parse_u64(rest + 1, &rest, 10, &minor)) {
		string_copy(out, kernel_release, size);
		return;
	}
	while (*rest == '.' || (*rest >= '0' && *rest <= '9'))
		rest++;
	snprintf(out, size, "2.6.%lu%s", minor + 60, rest);
}

long
linux_uname(struct linux_utsname __user *out)
{
	struct linux_utsname u;

	memset(&u, 0, sizeof(u));
	string_copy(u.sysname, "Linux", sizeof(u.sysname)); /* whose interface it is */
	copy_release(u.release, sizeof(u.release));
	string_copy(u.version, kernel_version, sizeof(u.version));
	string_copy(u.machine,
		    (current_thread()->personality & PERSONALITY_KIND) == PERSONALITY_LINUX32 ? "i686" : "x86_64",
		    sizeof(u.machine));
	uts_get_names(u.nodename, u.domainname);
	return copy_to_user(out, &u, sizeof(u));
}

static long
set_name(const char __user *name, int length, bool domain)
{
	char buf[UTS_NAME_MAX + 1] = { 0 };

	if (!uts_may_set())
		return -EPERM;
	if (length < 0 || length > UTS_NAME_MAX)
		return -EINVAL;
	if (copy_from_user(buf, name, length))
		return -EFAULT;
	uts_set_name(buf, domain);
	return 0;
}

long
linux_sethostname(const char __user *name, int length)
{
	return set_name(name, length, false);
}

long
linux_setdomainname(const char __user *name, int length)
{
	return set_name(name, length, true);
}

/* --- state of the machine --------------------------------------------------------------------- */

struct linux_sysinfo {
	int64_t uptime;
	uint64_t loads[3], total, free, shared, buffers, total_swap, free_swap;
	uint16_t processes, pad;
	uint32_t pad2;
	uint64_t total_high, free_high;
	uint32_t unit, pad3;
};
_Static_assert(sizeof(struct linux_sysinfo) == 112, "struct sysinfo");

long
linux_sysinfo(struct linux_sysinfo __user *out)
{
	struct linux_sysinfo s = { 0 };
	struct memory_stats m;
	uint64_t load[3];

	memory_stats(&m);
	sched_load_average(load);
	s.uptime = clock_monotonic_ns() / NSEC_PER_SEC;
	for (int i = 0; i < 3; i++)
		s.loads[i] = load[i] << 5; /* from 11 to 16 fractional bits */
	s.total = m.total * PAGE_SIZE;
	s.free = m.free * PAGE_SIZE;
	s.shared = m.shared * PAGE_SIZE;
	s.processes = (uint16_t)MIN(process_count(), (uint32_t)UINT16_MAX);
	s.unit = 1;
	return copy_to_user(out, &s, sizeof(s));
}

long
linux_getcpu(uint32_t __user *cpu, uint32_t __user *node, void __user *unused)
{
	uint32_t id;

	preempt_disable();
	id = this_cpu()->id;
	preempt_enable();
	if (cpu && put_user(id, cpu))
		return -EFAULT;
	return node ? put_user(0u, node) : 0;
}

/* --- random bytes ----------------------------------------------------------------------------- */

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

long
linux_getrandom(char __user *buf, size_t count, unsigned int flags)
{
	uint8_t block[256];
	size_t done = 0;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	count = MIN(count, (size_t)INT32_MAX);
	while (done < count) {
		size_t n = MIN(count - done, sizeof(block));

		random_bytes(block, n);
		if (copy_to_user(buf + done, block, n)) { /* as far as the memory goes */
			for (size_t i = 0; i < n && put_user((char)block[i], buf + done) == 0; i++)
				done++;
			memset(block, 0, sizeof(block));
			return done ? (long)done : -EFAULT;
		}
		done += n;
		if (done % PAGE_SIZE == 0 && signal_pending(current_thread()))
			break;
	}
	memset(block, 0, sizeof(block));
	return done;
}

/* --- power ------------------------------------------------------------------------------------ */

#define REBOOT_MAGIC1 0xfee1deadu
#define REBOOT_RESTART   0x01234567u
#define REBOOT_HALT      0xcdef0123u
#define REBOOT_CAD_ON    0x89abcdefu
#define REBOOT_CAD_OFF   0x00000000u
#define REBOOT_POWER_OFF 0x4321fedcu
#define REBOOT_RESTART2  0xa1b2c3d4u

/* In a namespace of PIDs only that can be ended. */
static long
restart_namespace(struct pid_namespace *n, uint32_t command)
{
	switch (command) {
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
		pid_namespace_restart(n, SIGHUP);
	case REBOOT_HALT:
	case REBOOT_POWER_OFF:
		pid_namespace_restart(n, SIGINT);
	}
	return -EINVAL;
}

long
linux_reboot(uint32_t magic1, uint32_t magic2, uint32_t command, void __user *arg)
{
	struct pid_namespace *n = current_pid_namespace();

	if (!capable_in(n->ns.owner ? n->ns.owner : &init_user_namespace, CAP_SYS_BOOT))
		return -EPERM;
	/* Linus Torvalds' and his daughters' birthdays. */
	if (magic1 != REBOOT_MAGIC1 || (magic2 != 672274793 && magic2 != 85072278 &&
					magic2 != 369367448 && magic2 != 537993216))
		return -EINVAL;
	if (n->parent)
		return restart_namespace(n, command);
	switch (command) {
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
		pr_notice("restarting\n");
		arch_reboot();
	case REBOOT_HALT:
		pr_notice("halted\n");
		arch_stop_other_cpus();
		arch_halt();
	case REBOOT_POWER_OFF:
		pr_notice("power off\n");
		arch_power_off();
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF:
		return 0;
	}
	return -EINVAL;
}

/* --- membarrier, rseq ------------------------------------------------------------------------- */

#define MEMBARRIER_QUERY                     0
#define MEMBARRIER_GLOBAL                    BIT(0)
#define MEMBARRIER_GLOBAL_EXPEDITED          BIT(1)
#define MEMBARRIER_REGISTER_GLOBAL_EXPEDITED BIT(2)
#define MEMBARRIER_PRIVATE_EXPEDITED         BIT(3)
#define MEMBARRIER_REGISTER_PRIVATE_EXPEDITED BIT(4)
#define MEMBARRIER_PRIVATE_EXPEDITED_SYNC_CORE BIT(5)
#define MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE BIT(6)
#define MEMBARRIER_PRIVATE_EXPEDITED_RSEQ BIT(7)
#define MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ BIT(8)
#define MEMBARRIER_ALL (BIT(9) - 1)
#define MEMBARRIER_FLAG_CPU 1

/* The interrupt itself is the barrier, and its return serialises the instruction stream. */
static void
barrier_here(void *arg)
{
	memory_barrier();
}

static long
barrier_everywhere(void)
{
	memory_barrier();
	preempt_disable();
	arch_call_cpus(~0ull, barrier_here, NULL);
	preempt_enable();
	return 0;
}

/* A thread of the process that runs here leaves its restartable sequence before it goes on. */
static void
restart_here(void *process)
{
	struct thread *t = current_thread();

	memory_barrier();
	if (t->process == process && t->rseq)
		atomic_or(&t->work, WORK_RSEQ);
}

/* On one CPU, or on all when `cpu` is negative. Those that are not running begin anew in any case. */
static long
restart_sequences(int cpu)
{
	struct process *p = current_process();

	memory_barrier();
	if (cpu >= (int)cpu_count)
		return 0;
	preempt_disable();
	arch_call_cpus(cpu < 0 ? ~0ull : BIT(cpu), restart_here, p);
	preempt_enable();
	return 0;
}

/*
 * The private commands need to be registered for, as on Linux, though here every command is served by
 * the strongest: a program that forgot to register finds out on both.
 */
long
linux_membarrier(int command, unsigned int flags, int cpu)
{
	struct process *p = current_process();

	if (flags & ~(command == MEMBARRIER_PRIVATE_EXPEDITED_RSEQ ? MEMBARRIER_FLAG_CPU : 0u))
		return -EINVAL;
	if (!flags)
		cpu = -1;
	switch (command) {
	case MEMBARRIER_QUERY:
		return MEMBARRIER_ALL;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		return barrier_everywhere();
	case MEMBARRIER_PRIVATE_EXPEDITED:
	case MEMBARRIER_PRIVATE_EXPEDITED_SYNC_CORE:
		/* The command that registers is the next bit. */
		return atomic_load(&p->membarrier) & (uint32_t)command << 1 ? barrier_everywhere() : -EPERM;
	case MEMBARRIER_PRIVATE_EXPEDITED_RSEQ:
		if (!(atomic_load(&p->membarrier) & MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ))
			return -EPERM;
		return restart_sequences(cpu);
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ:
	case MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		atomic_or(&p->membarrier, (uint32_t)command);
		return 0;
	}
	return -EINVAL;
}

long
linux_rseq(uint64_t area, uint32_t size, int flags, uint32_t signature)
{
	return rseq_register(area, size, flags, signature);
}
