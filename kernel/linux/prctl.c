/* SPDX-License-Identifier: MIT */
/*
 * prctl.c - prctl, arch_prctl, personality: odds and ends of a process and a thread.
 */
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/namespace.h>
#include <tessera/process.h>
#include <tessera/string.h>
#include <tessera/user_dispatch.h>

#include "linux.h"

#define PR_SET_PDEATHSIG 1
#define PR_GET_PDEATHSIG 2
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4
#define PR_GET_KEEPCAPS 7
#define PR_SET_KEEPCAPS 8
#define PR_GET_TIMING 13
#define PR_SET_TIMING 14
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_GET_SECCOMP 21
#define PR_SET_SECCOMP 22
#define PR_CAPBSET_READ 23
#define PR_CAPBSET_DROP 24
#define PR_GET_TSC 25
#define PR_SET_TSC 26
#define PR_GET_SECUREBITS 27
#define PR_SET_SECUREBITS 28
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define PR_TASK_PERF_EVENTS_DISABLE 31
#define PR_TASK_PERF_EVENTS_ENABLE 32
#define PR_MCE_KILL 33
#define PR_MCE_KILL_GET 34
#define PR_SET_MM 35
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
#define PR_GET_TID_ADDRESS 40
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42
#define PR_CAP_AMBIENT 47
#define PR_GET_SPECULATION_CTRL 52
#define PR_SET_SPECULATION_CTRL 53
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON  1
#define PR_SET_PTRACER 0x59616d61

#define PR_CAP_AMBIENT_IS_SET 1
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_LOWER 3
#define PR_CAP_AMBIENT_CLEAR_ALL 4

#define PR_TSC_ENABLE  1
#define PR_TSC_SIGSEGV 2

#define PR_MCE_KILL_CLEAR 0
#define PR_MCE_KILL_SET   1
#define PR_MCE_KILL_DEFAULT 2

#define PR_SPEC_NOT_AFFECTED 0
#define PR_SPEC_LAST 2

#define SECBIT_KEEP_CAPS              BIT(4)
#define SECBIT_KEEP_CAPS_LOCKED       BIT(5)
#define SECBIT_NO_CAP_AMBIENT_RAISE   BIT(6)
#define SECBITS_ALL                   0xffu
#define SECBITS_LOCKS                 0xaau

#define TIMER_SLACK_DEFAULT 50000

/* --- credentials ------------------------------------------------------------------------------ */

static long
change_securebits(uint32_t bits)
{
	struct cred *c = cred_copy(current_cred());

	if (!c)
		return -ENOMEM;
	c->securebits = bits;
	cred_install(c);
	return 0;
}

static long
set_securebits(unsigned long bits)
{
	uint32_t old = current_cred()->securebits;

	/* Locks cannot be opened, locked bits not changed. */
	if (bits & ~(unsigned long)SECBITS_ALL)
		return -EPERM;
	if ((old & SECBITS_LOCKS) & ~bits)
		return -EPERM;
	if (((old & SECBITS_LOCKS) >> 1) & (old ^ bits))
		return -EPERM;
	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	return change_securebits((uint32_t)bits);
}

static long
set_keep_caps(unsigned long on)
{
	uint32_t bits = current_cred()->securebits;

	if (on > 1)
		return -EINVAL;
	if (bits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	return change_securebits(on ? bits | SECBIT_KEEP_CAPS : bits & ~SECBIT_KEEP_CAPS);
}

static long
drop_bounding(unsigned long cap)
{
	struct cred *c;

	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST)
		return -EINVAL;
	c = cred_copy(current_cred());
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~BIT(cap);
	cred_install(c);
	return 0;
}

static long
change_ambient(unsigned long what, unsigned long cap)
{
	const struct cred *old = current_cred();
	struct cred *c;

	if (what != PR_CAP_AMBIENT_CLEAR_ALL && cap > CAP_LAST)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL && cap)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_IS_SET)
		return !!(old->cap_ambient & BIT(cap));
	if (what < PR_CAP_AMBIENT_RAISE || what > PR_CAP_AMBIENT_CLEAR_ALL)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_RAISE &&
	    (!(old->cap_permitted & BIT(cap)) || !(old->cap_inheritable & BIT(cap)) ||
	     (old->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		c->cap_ambient = 0;
	else if (what == PR_CAP_AMBIENT_RAISE)
		c->cap_ambient |= BIT(cap);
	else
		c->cap_ambient &= ~BIT(cap);
	cred_install(c);
	return 0;
}

static long
set_no_new_privs(void)
{
	struct thread *t = current_thread();

	spin_lock(&t->process->lock);
	WRITE_ONCE(t->no_new_privs, true);
	spin_unlock(&t->process->lock);
	return 0;
}

/* --- names and the rest ----------------------------------------------------------------------- */

static long
set_name(const char __user *from)
{
	struct thread *t = current_thread();
	char name[sizeof(t->name)];
	long n = copy_string_from_user(name, from, sizeof(name));

	if (n == -ENAMETOOLONG) {
		if (copy_from_user(name, from, sizeof(name) - 1))
			return -EFAULT;
		name[sizeof(name) - 1] = '\0';
	} else if (n < 0) {
		return n;
	}
	spin_lock(&t->process->lock);
	string_copy(t->name, name, sizeof(t->name));
	spin_unlock(&t->process->lock);
	return 0;
}

static long
set_death_signal(struct process *p, unsigned long signo)
{
	if (signo > SIGNAL_COUNT)
		return -EINVAL;
	WRITE_ONCE(p->parent_death_signal, (int)signo);
	return 0;
}

static long
set_subreaper(struct process *p, bool on)
{
	spin_lock(&process_tree_lock);
	p->child_subreaper = on;
	spin_unlock(&process_tree_lock);
	return 0;
}

static long
set_mce_kill(struct process *p, unsigned long what, unsigned long policy)
{
	if (what == PR_MCE_KILL_CLEAR && policy == 0)
		policy = PR_MCE_KILL_DEFAULT;
	else if (what != PR_MCE_KILL_SET || policy > PR_MCE_KILL_DEFAULT)
		return -EINVAL;
	WRITE_ONCE(p->mce_kill, (uint8_t)policy);
	return 0;
}

static long
set_tsc(unsigned int how)
{
	if (how != PR_TSC_ENABLE && how != PR_TSC_SIGSEGV)
		return -EINVAL;
	arch_thread_set_tsc(how == PR_TSC_ENABLE);
	return 0;
}

static long
set_io_flusher(struct process *p, unsigned long on)
{
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (on > 1)
		return -EINVAL;
	WRITE_ONCE(p->io_flusher, on != 0);
	return 0;
}

/*
 * Yama's exceptions from its rule that only ancestors may trace. With ptrace_scope 0, Debian's setting and the
 * only one here, there is no such rule: who could be named may be, and nothing follows.
 */
static long
allow_tracer(unsigned long pid)
{
	struct thread *t;

	if (pid == 0 || (int)pid == -1)
		return 0;
	t = (long)(pid_t)pid == (long)pid ? thread_find((pid_t)pid) : NULL;
	if (!t)
		return -EINVAL;
	thread_put(t);
	return 0;
}

static long
set_user_dispatch(unsigned long mode, unsigned long start, unsigned long length, unsigned long selector)
{
	if (mode == PR_SYS_DISPATCH_ON)
		return user_dispatch_set(start, length, (const uint8_t __user *)selector);
	if (mode != PR_SYS_DISPATCH_OFF || start || length || selector)
		return -EINVAL;
	user_dispatch_clear(current_thread());
	return 0;
}

long
linux_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	const struct cred *c = current_cred();
	char name[sizeof(t->name)] = { 0 };

	switch (option) {
	case PR_SET_PDEATHSIG:
		return set_death_signal(p, a2);
	case PR_GET_PDEATHSIG:
		return put_user(READ_ONCE(p->parent_death_signal), (int __user *)a2);
	case PR_GET_DUMPABLE:
		return atomic_load(&p->dumpable);
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		atomic_store(&p->dumpable, a2 != 0);
		return 0;
	case PR_GET_KEEPCAPS:
		return !!(c->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keep_caps(a2);
	case PR_GET_TIMING:
		return 0;
	case PR_SET_TIMING:
		return a2 ? -EINVAL : 0;
	case PR_SET_NAME:
		return set_name((const char __user *)a2);
	case PR_GET_NAME:
		string_copy(name, t->name, sizeof(name));
		return copy_to_user((void __user *)a2, name, sizeof(name));
	case PR_GET_SECCOMP:
		return READ_ONCE(t->seccomp_mode);
	case PR_SET_SECCOMP:
		return seccomp_prctl(a2, (const void __user *)a3);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST ? -EINVAL : (long)(c->cap_bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		return drop_bounding(a2);
	case PR_GET_TSC:
		return put_user(arch_thread_tsc() ? PR_TSC_ENABLE : PR_TSC_SIGSEGV, (int __user *)a2);
	case PR_SET_TSC:
		return set_tsc((unsigned int)a2);
	case PR_TASK_PERF_EVENTS_DISABLE:
	case PR_TASK_PERF_EVENTS_ENABLE:
		return 0; /* there are none */
	case PR_MCE_KILL:
		return a4 || a5 ? -EINVAL : set_mce_kill(p, a2, a3);
	case PR_MCE_KILL_GET:
		return a2 || a3 || a4 || a5 ? -EINVAL : READ_ONCE(p->mce_kill);
	case PR_SET_MM:
		return prctl_set_mm(a2, a3, a4, a5);
	case PR_GET_SPECULATION_CTRL:
		if (a3 || a4 || a5)
			return -EINVAL;
		return a2 > PR_SPEC_LAST ? -ENODEV : PR_SPEC_NOT_AFFECTED;
	case PR_SET_SPECULATION_CTRL:
		if (a4 || a5)
			return -EINVAL;
		return a2 > PR_SPEC_LAST ? -ENODEV : -ENXIO;
	case PR_SET_IO_FLUSHER:
		return a3 || a4 || a5 ? -EINVAL : set_io_flusher(p, a2);
	case PR_GET_IO_FLUSHER:
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		return a2 || a3 || a4 || a5 ? -EINVAL : READ_ONCE(p->io_flusher);
	case PR_SET_SYSCALL_USER_DISPATCH:
		return set_user_dispatch(a2, a3, a4, a5);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a2);
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = (long)a2 <= 0 ? TIMER_SLACK_DEFAULT : a2;
		return 0;
	case PR_GET_TIMERSLACK:
		return t->timer_slack_ns;
	case PR_SET_CHILD_SUBREAPER:
		return set_subreaper(p, a2 != 0);
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)p->child_subreaper, (int __user *)a2);
	case PR_SET_NO_NEW_PRIVS:
		return a2 != 1 || a3 || a4 || a5 ? -EINVAL : set_no_new_privs();
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->no_new_privs;
	case PR_GET_TID_ADDRESS:
		return put_user((uint64_t)t->clear_child_tid, (uint64_t __user *)a2);
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		WRITE_ONCE(p->no_huge_pages, a2 != 0);
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 || a3 || a4 || a5 ? -EINVAL : READ_ONCE(p->no_huge_pages);
	case PR_SET_PTRACER:
		return allow_tracer(a2);
	case PR_CAP_AMBIENT:
		return a4 || a5 ? -EINVAL : change_ambient(a2, a3);
	}
	return -EINVAL;
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023

#define XFEATURES 64 /* how many there can be */

long
linux_arch_prctl(int option, unsigned long address)
{
	switch (option) {
	case ARCH_SET_GS:
		return arch_thread_set_gs_base(address);
	case ARCH_SET_FS:
		return arch_thread_set_fs_base(address);
	case ARCH_GET_FS:
		return put_user(arch_thread_fs_base(), (uint64_t __user *)address);
	case ARCH_GET_GS:
		return put_user(arch_thread_gs_base(), (uint64_t __user *)address);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM:
		return put_user(arch_vector_state_mask(), (uint64_t __user *)address);
	case ARCH_REQ_XCOMP_PERM:
		/* None needs to be asked for: what there is, all may use. */
		return address >= XFEATURES ? -EINVAL : -EOPNOTSUPP;
	}
	return -EINVAL;
}

#define PERSONALITY_ASK 0xffffffffu

long
linux_personality(unsigned long persona)
{
	struct thread *t = current_thread();
	uint32_t old = t->personality;

	if ((uint32_t)persona != PERSONALITY_ASK)
		t->personality = (uint32_t)persona;
	return old;
}
