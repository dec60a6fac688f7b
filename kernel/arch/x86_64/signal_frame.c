/* SPDX-License-Identifier: MIT */
/*
 * signal_frame.c - what a signal handler finds on its stack, and the way back from it.
 *
 * The layout is Linux's rt_sigframe for x86-64, byte for byte: debuggers, unwinders and run-time systems
 * read and change it. From high to low addresses:
 *
 *   interrupted stack (or top of the alternate stack)
 *   128 bytes                 the red zone the interrupted function may be using
 *   FPU image, 64-aligned     XSAVE's standard format and a closing magic word
 *   struct signal_frame       return address, ucontext, siginfo; 8 modulo 16, as after a call
 *
 * Nothing in it can be trusted on return: the program wrote it. Segments and flags are reduced to what
 * a program may have; the FPU image is checked in fpu.c; a wild instruction pointer is caught by the
 * common way back to user mode.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/signal.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

#include "features.h"
#include "fpu.h"

/* struct sigcontext */
struct signal_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trap_no, old_mask, cr2;
	uint64_t fpu; /* user address of the FPU image, 0: none */
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct signal_context) == 256, "struct sigcontext");

/* stack_t */
struct user_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};

/* struct ucontext */
struct user_context {
	uint64_t flags;
	uint64_t link;
	struct user_stack stack;
	struct signal_context registers;
	uint64_t mask;
};
_Static_assert(sizeof(struct user_context) == 304, "struct ucontext");

struct signal_frame {
	uint64_t return_address; /* the restorer, which makes the call rt_sigreturn */
	struct user_context context;
	struct siginfo info;
};
_Static_assert(sizeof(struct signal_frame) == 440, "struct rt_sigframe");

#define UC_FP_XSTATE         1ull /* the FPU image is XSAVE's */
#define UC_SIGCONTEXT_SS     2ull /* ss is saved */
#define UC_STRICT_RESTORE_SS 4ull /* and restored as it stands */

/* In the image's software bytes: struct _fpx_sw_bytes. */
struct fpu_software {
	uint32_t magic;
	uint32_t extended_size; /* with the closing magic */
	uint64_t components;
	uint32_t image_size;
	uint32_t padding[7];
};
_Static_assert(sizeof(struct fpu_software) == sizeof(((struct fpu_legacy *)0)->software),
	       "struct _fpx_sw_bytes");

#define FPU_MAGIC1 0x46505853u
#define FPU_MAGIC2 0x46505845u

#define RED_ZONE 128

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1u << 31)
#define MIN_SIGNAL_STACK 2048

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_TF BIT(8)
#define FLAG_DF BIT(10)
#define FLAG_OF BIT(11)
#define FLAG_RF BIT(16)
#define FLAG_AC BIT(18)
/* What sigreturn takes from the frame; the rest stays as it is. */
#define FLAGS_RESTORED                                                                             \
	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF | FLAG_RF | \
	 FLAG_AC)

static size_t
image_size(void)
{
	return cpu_features.xsave ? fpu_area_size + sizeof(uint32_t) : sizeof(struct fpu_legacy);
}

size_t
arch_min_signal_stack(void)
{
	/* Alignment of the image and of the frame may waste 63 and 15 + 8 bytes. */
	return ALIGN_UP(sizeof(struct signal_frame) + image_size() + 63 + 23, 16ul);
}

/* True when `sp` lies on the alternate stack; a stack that disarms itself is never "on". */
static bool
on_altstack(const struct signal_stack *s, vaddr_t sp)
{
	return !((uint32_t)s->flags & SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

/* Choose where the frame goes; *image gets the FPU image's place. 0: it does not fit. */
static vaddr_t
choose_place(const struct trap_frame *f, const struct signal_action *action, vaddr_t *image)
{
	const struct signal_stack *s = &current_thread()->altstack;
	vaddr_t sp = f->rsp - RED_ZONE;
	bool bounded = on_altstack(s, f->rsp);

	if ((action->flags & SA_ONSTACK) && s->size != 0 && !on_altstack(s, sp)) {
		sp = s->sp + s->size;
		bounded = true;
	}
	*image = ALIGN_DOWN(sp - image_size(), 64ul);
	sp = ALIGN_DOWN(*image - sizeof(struct signal_frame), 16ul) - 8;
	if (bounded && !(sp > s->sp && sp - s->sp <= s->size))
		return 0;
	return sp;
}

/* Write the calling thread's FPU state to the user address `image`. 0 or -EFAULT. */
static int
push_fpu(vaddr_t image)
{
	struct fpu_area __user *to = (struct fpu_area __user *)image;
	struct fpu_software software = {
		.magic = FPU_MAGIC1,
		.extended_size = (uint32_t)image_size(),
		.components = fpu_mask,
		.image_size = fpu_area_size,
	};
	uint64_t present;

	if (!cpu_features.xsave)
		return copy_to_user(to, fpu_save_current(), sizeof(struct fpu_legacy));
	if (fpu_store_user(to) || copy_to_user(&to->legacy.software, &software, sizeof(software)) ||
	    get_user(present, &to->header.present))
		return -EFAULT;
	/* Old programs look at x87 and SSE without asking the header. */
	present |= XSTATE_X87 | XSTATE_SSE;
	if (put_user(present, &to->header.present) ||
	    put_user(FPU_MAGIC2, (uint32_t __user *)(image + fpu_area_size)))
		return -EFAULT;
	return 0;
}

static void
save_registers(struct signal_context *c, const struct trap_frame *f, uint64_t old_mask, vaddr_t image)
{
	const struct arch_thread *at = &current_thread()->arch;

	*c = (struct signal_context){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11,
		.r12 = f->r12, .r13 = f->r13, .r14 = f->r14, .r15 = f->r15,
		.rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
		.rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp,
		.rip = f->rip, .rflags = f->rflags,
		.cs = (uint16_t)f->cs, .ss = (uint16_t)f->ss,
		.error = at->error_code, .trap_no = at->trap_no, .cr2 = at->fault_address,
		.old_mask = old_mask, .fpu = image,
	};
}

int
arch_signal_push(struct trap_frame *f, int signo, const struct siginfo *info,
		 const struct signal_action *action, uint64_t old_mask)
{
	struct signal_stack *s = &current_thread()->altstack;
	struct signal_frame frame = { .return_address = action->restorer };
	size_t size = offsetof(struct signal_frame, info);
	vaddr_t image, place = choose_place(f, action, &image);

	if (!place || !(action->flags & SA_RESTORER) || push_fpu(image))
		return -EFAULT;
	frame.context.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			      (cpu_features.xsave ? UC_FP_XSTATE : 0);
	frame.context.stack.sp = s->sp;
	frame.context.stack.flags = s->flags;
	frame.context.stack.size = s->size;
	save_registers(&frame.context.registers, f, old_mask, image);
	frame.context.mask = old_mask;
	if (action->flags & SA_SIGINFO) {
		frame.info = *info;
		size = sizeof(frame);
	}
	if (copy_to_user((void __user *)place, &frame, size))
		return -EFAULT;

	if ((uint32_t)s->flags & SS_AUTODISARM)
		*s = (struct signal_stack){ .flags = SS_DISABLE };
	fpu_reset_current();
	f->rdi = (uint64_t)signo;
	f->rsi = place + offsetof(struct signal_frame, info);
	f->rdx = place + offsetof(struct signal_frame, context);
	f->rax = 0;
	f->rip = action->handler;
	f->rsp = place;
	f->rflags &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
	f->cs = USER_CODE;
	f->ss = USER_DATA;
	f->orig_rax = (uint64_t)-1;
	return 0;
}

/* Load the FPU registers from the user address `image`, 0: none, which means the initial state. */
static int
restore_fpu(vaddr_t image)
{
	struct fpu_area __user *from = (struct fpu_area __user *)image;
	struct fpu_software software;
	uint32_t magic2;

	if (!image) {
		fpu_reset_current();
		return 0;
	}
	if (!cpu_features.xsave)
		return fpu_load_user(from, sizeof(struct fpu_legacy), 0);
	if (copy_from_user(&software, &from->legacy.software, sizeof(software)))
		return -EFAULT;
	/* Without both magic words the image is a plain FXSAVE one that the program built. */
	if (software.magic != FPU_MAGIC1 || software.image_size != fpu_area_size ||
	    software.extended_size < software.image_size)
		return fpu_load_user(from, sizeof(struct fpu_legacy), 0);
	if (get_user(magic2, (uint32_t __user *)(image + fpu_area_size)))
		return -EFAULT;
	if (magic2 != FPU_MAGIC2)
		return fpu_load_user(from, sizeof(struct fpu_legacy), 0);
	return fpu_load_user(from, fpu_area_size, software.components);
}

/* Registers from the frame, as far as a program may choose them. 0 or -EFAULT. */
static int
restore_registers(struct trap_frame *f, const struct user_context *context)
{
	const struct signal_context *c = &context->registers;

	if ((c->cs | 3) != USER_CODE)
		return -EFAULT;
	if ((context->flags & UC_STRICT_RESTORE_SS) && (c->ss | 3) != USER_DATA)
		return -EFAULT;
	*f = (struct trap_frame){
		.r8 = c->r8, .r9 = c->r9, .r10 = c->r10, .r11 = c->r11,
		.r12 = c->r12, .r13 = c->r13, .r14 = c->r14, .r15 = c->r15,
		.rdi = c->rdi, .rsi = c->rsi, .rbp = c->rbp, .rbx = c->rbx,
		.rdx = c->rdx, .rax = c->rax, .rcx = c->rcx, .rsp = c->rsp,
		.rip = c->rip,
		.rflags = (f->rflags & ~FLAGS_RESTORED) | (c->rflags & FLAGS_RESTORED),
		.cs = USER_CODE,
		.ss = USER_DATA,
		.orig_rax = (uint64_t)-1,
	};
	atomic_or(&current_thread()->work, WORK_FRAME);
	return 0;
}

/* As sigaltstack() would, its refusals ignored: a program may not change the stack it stands on. */
static void
restore_altstack(const struct user_stack *from, vaddr_t sp)
{
	struct signal_stack *s = &current_thread()->altstack;
	uint32_t mode = (uint32_t)from->flags & ~SS_AUTODISARM;

	if (on_altstack(s, sp))
		return;
	if (mode == SS_DISABLE)
		*s = (struct signal_stack){ .flags = from->flags };
	else if (mode <= SS_ONSTACK && from->size >= MIN_SIGNAL_STACK)
		*s = (struct signal_stack){ from->sp, from->flags, from->size };
}

int
arch_signal_return(struct trap_frame *f, uint64_t *mask_out)
{
	/* The restorer's call popped the return address. */
	vaddr_t place = f->rsp - sizeof(uint64_t) + offsetof(struct signal_frame, context);
	struct user_context context;

	if (copy_from_user(&context, (const void __user *)place, sizeof(context)) ||
	    restore_registers(f, &context) || restore_fpu(context.registers.fpu))
		return -EFAULT;
	restore_altstack(&context.stack, f->rsp);
	*mask_out = context.mask & ~SIGNAL_UNBLOCKABLE;
	return 0;
}
