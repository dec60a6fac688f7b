/* SPDX-License-Identifier: MIT */
/*
 * ptrace.c - ptrace(2): requests told apart, Linux's structs taken in and given out.
 *
 * Most requests want the tracee in a stop: they run between ptrace_get(tid, true) and ptrace_unfreeze(), or
 * end in a resume. Errors are Linux's: ESRCH for whatever is not a stopped tracee of the calling thread, EIO
 * for requests and addresses that are none, EFAULT for the tracer's own memory only.
 */
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/iov.h>
#include <tessera/process.h>
#include <tessera/ptrace.h>
#include <tessera/seccomp.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "linux.h"

#define PTRACE_TRACEME 0
#define PTRACE_PEEKTEXT 1
#define PTRACE_PEEKDATA 2
#define PTRACE_PEEKUSR 3
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_POKEUSR 6
#define PTRACE_CONT 7
#define PTRACE_KILL 8
#define PTRACE_SINGLESTEP 9
#define PTRACE_GETREGS 12
#define PTRACE_SETREGS 13
#define PTRACE_GETFPREGS 14
#define PTRACE_SETFPREGS 15
#define PTRACE_ATTACH 16
#define PTRACE_DETACH 17
#define PTRACE_SYSCALL 24
#define PTRACE_ARCH_PRCTL 30
#define PTRACE_SYSEMU 31
#define PTRACE_SYSEMU_SINGLESTEP 32
#define PTRACE_SINGLEBLOCK 33
#define PTRACE_SETOPTIONS 0x4200
#define PTRACE_GETEVENTMSG 0x4201
#define PTRACE_GETSIGINFO 0x4202
#define PTRACE_SETSIGINFO 0x4203
#define PTRACE_GETREGSET 0x4204
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206
#define PTRACE_INTERRUPT 0x4207
#define PTRACE_LISTEN 0x4208
#define PTRACE_PEEKSIGINFO 0x4209
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#define PTRACE_SECCOMP_GET_METADATA 0x420d
#define PTRACE_GET_SYSCALL_INFO 0x420e
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f

#define PEEKSIGINFO_SHARED BIT(0)

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define REGISTER_FS_BASE 21u
#define REGISTER_GS_BASE 22u

#define NT_PRSTATUS    1
#define NT_PRFPREG     2
#define NT_386_IOPERM  0x201
#define NT_X86_XSTATE  0x202

#define AUDIT_ARCH_X86_64 0xc000003eu

/* struct user: registers, the FPU's, sizes of no use any more, the debug registers, two words more. */
#define USER_REGISTERS_END (ARCH_REGISTERS * sizeof(uint64_t))
#define USER_DEBUG         848u
#define USER_DEBUG_END     912u
#define USER_SIZE          928u

struct ptrace_syscall_info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t ip, sp;
	union {
		struct { uint64_t nr, args[6]; uint32_t data; } entry; /* `data`: a filter's */
		struct { int64_t value; uint8_t is_error; } exit;
	};
};
_Static_assert(sizeof(struct ptrace_syscall_info) == 88, "struct ptrace_syscall_info");

struct ptrace_peeksiginfo_args {
	uint64_t offset;
	uint32_t flags;
	int32_t count;
};

struct ptrace_rseq_configuration {
	uint64_t address;
	uint32_t size, signature, flags, pad;
};
_Static_assert(sizeof(struct ptrace_rseq_configuration) == 24, "struct ptrace_rseq_configuration");

/* --- memory and single registers -------------------------------------------------------------------- */

static long
peek(struct thread *t, unsigned long addr, uint64_t __user *out)
{
	uint64_t word;

	if (ptrace_access(t, addr, &word, sizeof(word), false) != sizeof(word))
		return -EIO;
	return put_user(word, out);
}

static long
poke(struct thread *t, unsigned long addr, uint64_t word)
{
	return ptrace_access(t, addr, &word, sizeof(word), true) == sizeof(word) ? 0 : -EIO;
}

static bool
in_user(unsigned long addr)
{
	return addr % sizeof(uint64_t) == 0 && addr < USER_SIZE;
}

static long
peek_user(struct thread *t, unsigned long addr, uint64_t __user *out)
{
	uint64_t value = 0;

	if (!in_user(addr))
		return -EIO;
	if (addr < USER_REGISTERS_END)
		value = arch_register_get(t, (unsigned int)(addr / sizeof(value)));
	else if (addr >= USER_DEBUG && addr < USER_DEBUG_END)
		value = arch_debug_get(t, (unsigned int)((addr - USER_DEBUG) / sizeof(value)));
	return put_user(value, out);
}

static long
poke_user(struct thread *t, unsigned long addr, uint64_t value)
{
	if (!in_user(addr))
		return -EIO;
	if (addr < USER_REGISTERS_END)
		return arch_register_set(t, (unsigned int)(addr / sizeof(value)), value);
	if (addr < USER_DEBUG || addr >= USER_DEBUG_END)
		return -EIO;
	return arch_debug_set(t, (unsigned int)((addr - USER_DEBUG) / sizeof(value)), value);
}

/* --- sets of registers --------------------------------------------------------------------------------- */

static void
get_general(struct thread *t, void *to)
{
	uint64_t *word = to;

	for (unsigned int i = 0; i < ARCH_REGISTERS; i++)
		word[i] = arch_register_get(t, i);
}

/* The first `size` bytes of them. */
static long
set_general(struct thread *t, const void *from, size_t size)
{
	const uint64_t *word = from;
	long error = 0;

	for (unsigned int i = 0; i < size / sizeof(*word) && !error; i++)
		error = arch_register_set(t, i, word[i]);
	return error;
}

/* What a set is: its size, how it is read and written. */
struct register_set {
	unsigned long type;
	bool floating, extended;
};

static const struct register_set register_sets[] = {
	{ NT_PRSTATUS, false, false },
	{ NT_PRFPREG, true, false },
	{ NT_X86_XSTATE, true, true },
};

static const struct register_set *
find_set(unsigned long type)
{
	for (size_t i = 0; i < ARRAY_SIZE(register_sets); i++)
		if (register_sets[i].type == type)
			return &register_sets[i];
	return NULL;
}

static size_t
set_size(const struct register_set *s)
{
	return s->floating ? arch_fpu_size(s->extended) : USER_REGISTERS_END;
}

static long
read_set(struct thread *t, const struct register_set *s, void __user *to, size_t size)
{
	void *image = kzalloc(set_size(s));
	long error;

	if (!image)
		return -ENOMEM;
	if (s->floating)
		arch_fpu_get(t, image, s->extended);
	else
		get_general(t, image);
	error = copy_to_user(to, image, size);
	kfree(image);
	return error;
}

static long
write_set(struct thread *t, const struct register_set *s, const void __user *from, size_t size)
{
	void *image;
	long error;

	/* Half an FPU is none. */
	if (s->floating && size != set_size(s))
		return s->extended ? -EFAULT : -EINVAL;
	image = kzalloc(set_size(s));
	if (!image)
		return -ENOMEM;
	error = copy_from_user(image, from, size);
	if (!error)
		error = s->floating ? arch_fpu_set(t, image, s->extended) : set_general(t, image, size);
	kfree(image);
	return error;
}

static long
register_set(struct thread *t, unsigned long type, struct iovec __user *where, bool write)
{
	const struct register_set *s = find_set(type);
	struct iovec v;
	long error;

	if (copy_from_user(&v, where, sizeof(v)))
		return -EFAULT;
	if (!s && type == NT_386_IOPERM && v.length % sizeof(uint64_t) == 0)
		return write ? -EOPNOTSUPP : -ENXIO;
	if (!s || v.length % sizeof(uint64_t))
		return -EINVAL;
	v.length = MIN(v.length, set_size(s));
	error = write ? write_set(t, s, v.base, v.length) : read_set(t, s, v.base, v.length);
	return error ? error : put_user(v.length, &where->length);
}

static long
arch_prctl(struct thread *t, unsigned long what, unsigned long addr)
{
	bool gs = what == ARCH_SET_GS || what == ARCH_GET_GS;
	unsigned int n = gs ? REGISTER_GS_BASE : REGISTER_FS_BASE;

	switch (what) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		return arch_register_set(t, n, addr) ? -EPERM : 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		return put_user(arch_register_get(t, n), (uint64_t __user *)addr);
	}
	return -EINVAL;
}

/* --- signals ----------------------------------------------------------------------------------------------- */

static long
get_siginfo(struct thread *t, struct siginfo __user *out)
{
	struct siginfo info;
	int error = ptrace_siginfo(t, &info);

	return error ? error : copy_to_user(out, &info, sizeof(info));
}

static long
set_siginfo(struct thread *t, const struct siginfo __user *in)
{
	struct siginfo info;

	if (copy_from_user(&info, in, sizeof(info)))
		return -EFAULT;
	return ptrace_set_siginfo(t, &info);
}

static long
signal_mask(struct thread *t, unsigned long size, uint64_t __user *mask, bool write)
{
	uint64_t set;

	if (size != sizeof(set))
		return -EINVAL;
	if (!write)
		return put_user(ptrace_signal_mask(t), mask);
	if (get_user(set, mask))
		return -EFAULT;
	ptrace_set_signal_mask(t, set);
	return 0;
}

static long
peek_siginfo(struct thread *t, const void __user *where, struct siginfo __user *out)
{
	struct ptrace_peeksiginfo_args a;
	struct siginfo info;
	long n;

	if (copy_from_user(&a, where, sizeof(a)))
		return -EFAULT;
	if ((a.flags & ~PEEKSIGINFO_SHARED) || a.count < 0)
		return -EINVAL;
	/* An offset beyond what a long can count is behind the end of any queue. */
	for (n = 0; n < a.count; n++) {
		if (a.offset + (uint64_t)n < a.offset ||
		    !ptrace_peek_siginfo(t, a.flags & PEEKSIGINFO_SHARED, a.offset + (uint64_t)n, &info))
			break;
		if (copy_to_user(out + n, &info, sizeof(info)))
			return n ? n : -EFAULT;
		if (signal_pending(current_thread())) {
			n++;
			break;
		}
	}
	return n;
}

/* --- what call this is ------------------------------------------------------------------------------------- */

#define OP_NONE    0
#define OP_ENTRY   1
#define OP_EXIT    2
#define OP_SECCOMP 3

static uint64_t
reg(struct thread *t, unsigned int n)
{
	return arch_register_get(t, n);
}

/* Places in struct user_regs_struct. */
enum { R_R10 = 7, R_R9 = 8, R_R8 = 9, R_AX = 10, R_DX = 12, R_SI = 13, R_DI = 14, R_ORIG_AX = 15, R_IP = 16,
       R_SP = 19 };

static void
fill_entry(struct thread *t, struct ptrace_syscall_info *i)
{
	static const uint8_t order[6] = { R_DI, R_SI, R_DX, R_R10, R_R8, R_R9 };

	i->entry.nr = reg(t, R_ORIG_AX);
	for (unsigned int n = 0; n < 6; n++)
		i->entry.args[n] = reg(t, order[n]);
}

/* The size of what there is to tell; as much of it as fits is copied. */
static long
syscall_info(struct thread *t, unsigned long room, void __user *out)
{
	struct ptrace_syscall_info i = { .arch = AUDIT_ARCH_X86_64, .ip = reg(t, R_IP), .sp = reg(t, R_SP) };
	size_t size = offsetof(struct ptrace_syscall_info, entry);

	switch (ptrace_syscall_stop(t)) {
	case PTRACE_MESSAGE_ENTRY:
		i.op = OP_ENTRY;
		fill_entry(t, &i);
		size = offsetof(struct ptrace_syscall_info, entry.data);
		break;
	case PTRACE_MESSAGE_EXIT:
		i.op = OP_EXIT;
		i.exit.value = (int64_t)reg(t, R_AX);
		i.exit.is_error = i.exit.value < 0 && i.exit.value >= -4095;
		size = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
		break;
	case -1:
		i.op = OP_SECCOMP;
		fill_entry(t, &i);
		i.entry.data = (uint32_t)ptrace_message(t);
		size = offsetof(struct ptrace_syscall_info, entry.data) + sizeof(i.entry.data);
		break;
	}
	return copy_to_user(out, &i, MIN(room, size)) ? -EFAULT : (long)size;
}

static long
rseq_configuration(struct thread *t, unsigned long room, void __user *out)
{
	struct ptrace_rseq_configuration c = { .address = (uint64_t)t->rseq, .size = t->rseq_size,
					       .signature = t->rseq_signature };

	return copy_to_user(out, &c, MIN(room, sizeof(c))) ? -EFAULT : (long)sizeof(c);
}

/* Who suspends another's filters of system calls must be the master, and under none himself. */
static int
check_options(unsigned long options)
{
	if (options & ~PTRACE_OPTIONS)
		return -EINVAL;
	if ((options & PTRACE_OPTION_SUSPEND_SECCOMP) &&
	    (!capable(CAP_SYS_ADMIN) || current_thread()->seccomp_mode != SECCOMP_NONE || ptrace_suspends_seccomp()))
		return -EPERM;
	return 0;
}

static long
set_options(struct thread *t, unsigned long options)
{
	int error = check_options(options);

	if (!error)
		ptrace_set_options(t, (uint32_t)options);
	return error;
}

/* --- the call --------------------------------------------------------------------------------------------- */

static long
seize(pid_t pid, unsigned long addr, unsigned long options)
{
	struct thread *t = thread_find(pid);
	int error;

	if (!t)
		return -ESRCH;
	thread_put(t);
	if (addr != 0 || (options & ~PTRACE_OPTIONS))
		return -EIO;
	error = check_options(options);
	return error ? error : ptrace_attach(pid, true, (uint32_t)options);
}

/* KILL and INTERRUPT do not mind a tracee that runs. */
static long
running_request(long request, pid_t pid)
{
	struct thread *t = ptrace_get(pid, false);
	long result = 0;

	if (!t)
		return -ESRCH;
	if (request == PTRACE_INTERRUPT)
		result = ptrace_interrupt(t);
	else
		ptrace_kill(t);
	thread_put(t);
	return result;
}

/* How the tracee goes on. -1: no request of that sort. */
static int
resume_kind(long request)
{
	switch (request) {
	case PTRACE_CONT:
		return PTRACE_GO;
	case PTRACE_SYSCALL:
		return PTRACE_GO_SYSCALL;
	case PTRACE_SINGLESTEP:
	case PTRACE_SINGLEBLOCK: /* without branch traps each instruction is a block */
		return PTRACE_GO_STEP;
	case PTRACE_SYSEMU:
		return PTRACE_GO_EMULATE;
	case PTRACE_SYSEMU_SINGLESTEP:
		return PTRACE_GO_EMULATE_STEP;
	}
	return -1;
}

/* The requests that leave the tracee in its stop. */
static long
look_or_change(struct thread *t, long request, unsigned long addr, unsigned long data)
{
	void __user *user = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, addr, (uint64_t __user *)user);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, (uint64_t __user *)user);
	case PTRACE_POKEUSR:
		return poke_user(t, addr, data);
	case PTRACE_GETREGS:
		return read_set(t, find_set(NT_PRSTATUS), user, USER_REGISTERS_END);
	case PTRACE_SETREGS:
		return write_set(t, find_set(NT_PRSTATUS), user, USER_REGISTERS_END);
	case PTRACE_GETFPREGS:
		return read_set(t, find_set(NT_PRFPREG), user, arch_fpu_size(false));
	case PTRACE_SETFPREGS:
		return write_set(t, find_set(NT_PRFPREG), user, arch_fpu_size(false));
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return register_set(t, addr, (struct iovec __user *)user, request == PTRACE_SETREGSET);
	case PTRACE_ARCH_PRCTL:
		return arch_prctl(t, data, addr);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(ptrace_message(t), (uint64_t __user *)user);
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, (struct siginfo __user *)user);
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, (const struct siginfo __user *)user);
	case PTRACE_PEEKSIGINFO:
		return peek_siginfo(t, (const void __user *)addr, (struct siginfo __user *)user);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return signal_mask(t, addr, (uint64_t __user *)user, request == PTRACE_SETSIGMASK);
	case PTRACE_LISTEN:
		return ptrace_listen(t);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(t, addr, user);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return rseq_configuration(t, addr, user);
	case PTRACE_SECCOMP_GET_FILTER:
		return ptrace_seccomp_filter(t, addr, user);
	case PTRACE_SECCOMP_GET_METADATA:
		return ptrace_seccomp_metadata(t, addr, user);
	}
	return -EIO;
}

static long
stopped_request(struct thread *t, long request, unsigned long addr, unsigned long data)
{
	int how = resume_kind(request);
	long result = 0;

	if (how < 0 && request != PTRACE_DETACH) {
		result = look_or_change(t, request, addr, data);
	} else if (data > SIGNAL_COUNT) {
		result = -EIO;
	} else if (how < 0) {
		ptrace_detach(t, (int)data);
		return 0;
	} else {
		ptrace_resume(t, (enum ptrace_how)how, (int)data);
		return 0;
	}
	ptrace_unfreeze(t);
	return result;
}

long
linux_ptrace(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	struct thread *t;
	long result;

	switch (request) {
	case PTRACE_TRACEME:
		return ptrace_traceme();
	case PTRACE_ATTACH:
		return ptrace_attach(pid, false, 0);
	case PTRACE_SEIZE:
		return seize(pid, addr, data);
	case PTRACE_KILL:
	case PTRACE_INTERRUPT:
		return running_request(request, pid);
	}
	t = ptrace_get(pid, true);
	if (!t)
		return -ESRCH;
	result = stopped_request(t, request, addr, data);
	thread_put(t);
	return result;
}
