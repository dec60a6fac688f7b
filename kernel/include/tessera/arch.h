/* SPDX-License-Identifier: MIT */
/*
 * arch.h - everything the rest of the kernel asks of the machine. Only arch/ has assembly, MSRs,
 * page-table bits or interrupt controllers; this header is the whole door.
 */
#ifndef TESSERA_ARCH_H
#define TESSERA_ARCH_H

#include <tessera/arch/cpu.h>
#include <tessera/types.h>

struct address_space;
struct cpu;
struct thread;
struct trap_frame;
struct page;

/* --- start-up, in the order kernel_main() calls them ------------------------------------- */

void arch_init_early(void);      /* boot CPU: descriptors, traps, CPU features, serial console */
void arch_init_memory(void);     /* direct map for all of bootinfo's memory, W^X kernel mapping;
				    before the frame allocator: takes frames from boot_frame_alloc() */
void arch_init_platform(void);   /* ACPI, interrupt controllers, clock sources; kmalloc works */
void arch_start_cpus(void);      /* the others come up and enter sched's cpu_entry() */
void arch_init_late(void);       /* ro_after_init made read-only, boot mappings dropped */

/*
 * Physical memory before the frame allocator stands: one zeroed frame, never freed.
 * Implemented by mm/frames_boot.c over bootinfo.
 */
paddr_t boot_frame_alloc(void);

/* --- direct map ---------------------------------------------------------------------------- */

extern vaddr_t direct_map_base; /* [I] */

static inline void *
phys_to_virt(paddr_t p)
{
	return (void *)(direct_map_base + p);
}

static inline paddr_t
virt_to_phys(const void *v)
{
	return (vaddr_t)v - direct_map_base; /* direct map addresses only */
}

/* Map device registers uncached. Returns NULL when virtual space or memory is gone. */
void *arch_map_device(paddr_t start, size_t size);

/* --- interrupts ---------------------------------------------------------------------------- */

typedef void (*irq_handler_t)(void *arg);

/*
 * Route a line (its number is ACPI's) to `handler(arg)`, called with interrupts off on some CPU; `name` is what
 * /proc/interrupts calls it. Returns 0, -EBUSY, -ENOSPC (no vector), -ENOMEM or -EINVAL. May sleep.
 */
int arch_irq_register(uint32_t gsi, bool level, bool active_low, irq_handler_t handler, void *arg, const char *name);
int arch_irq_isa_register(uint32_t isa_irq, irq_handler_t handler, void *arg, const char *name);
/* The handler does not run any more when it returns; the line is masked. May sleep. */
void arch_irq_unregister(uint32_t gsi);
/* A registered line is held back, or let through again: what came meanwhile of a level line comes then. Any context. */
void arch_irq_set_mask(uint32_t gsi, bool masked);
void arch_irq_set_name(uint32_t number, const char *name);
/* The line that an ISA interrupt arrives at, and how it is signalled. */
uint32_t arch_irq_isa_line(uint32_t isa_irq, bool *level, bool *active_low);

/* An interrupt that a device sends as a write to memory (PCI's MSI and MSI-X): what it has to write where. */
struct arch_msi {
	uint64_t address;
	uint32_t data;
};

#define ARCH_MSI_DIRECT UINT32_MAX

struct arch_msi_user {
	uint32_t requester;            /* segment, bus, devfn, as its requests say; ARCH_MSI_DIRECT: not remapped */
	uint32_t index;                /* which of its messages, for /proc/interrupts */
	/* Have the device send this message. Any context, a spinlock is held; also when the message changes later. */
	void (*write)(void *arg, const struct arch_msi *m);
	void *arg;
};

/*
 * `count` messages in a row, a power of two: the device adds 0 to count - 1 to the data of the one that it is told before
 * this returns. The number of the first, -ENOSPC or -ENOMEM. Nobody handles them yet; what comes is lost.
 */
int arch_msi_alloc(uint32_t count, const struct arch_msi_user *u);
/* All of the row; none is handled. The device has been told to be quiet. May sleep. */
void arch_msi_free(int first);
void arch_msi_handle(int number, irq_handler_t handler, void *arg, const char *name);
void arch_msi_unhandle(int number); /* the handler does not run any more when it returns. May sleep */
/* Tell the device again. */
void arch_msi_tell(int number);

/* Who maps interrupts to CPUs, and knows whose they are. Called with a spinlock held, which keeps callers apart. */
struct arch_irq_remapper {
	bool wide;                     /* destinations have 32 bits */
	int (*take)(uint32_t requester, uint32_t count); /* entries in a row, aligned; -ENOSPC */
	int (*take_line)(uint32_t ioapic); /* for a line of that I/O APIC; -ENODEV: it comes another way */
	void (*give)(int entry, uint32_t count);
	void (*set)(int entry, uint8_t vector, uint32_t apic_id, bool level);
};
/* From now on every interrupt has an entry; those there are get one. It stays. */
void arch_irq_remap(const struct arch_irq_remapper *r);
bool arch_irq_has_wide_ids(void); /* destinations need 32 bits */

/* The next number in use, or -1. */
long arch_irq_next(long from);
struct arch_irq_state {
	uint64_t wanted;               /* CPUs it may go to */
	uint32_t cpu;                  /* it goes to */
	uint64_t count;                /* it came so often */
};
bool arch_irq_state(uint32_t number, struct arch_irq_state *s);
/* -EINVAL: none of these CPUs is there; -EIO: nor is the interrupt. */
int arch_irq_set_affinity(uint32_t number, uint64_t wanted);
extern uint64_t arch_irq_default_affinity; /* [a] of new ones */

/* One for each row of /proc/interrupts; `what` is NULL where Linux shows a sum alone. */
typedef void (*arch_irq_printer_t)(void *ctx, const char *name, const uint64_t *per_cpu, const char *what);
void arch_irq_counts_print(arch_irq_printer_t print, void *ctx);

/* --- PCI configuration space (arch/x86_64/pci_config.c) ---------------------------------------- */

/*
 * A bus is opened before its devices are asked; opening maps its registers where they are in memory, and may sleep.
 * False: nothing leads there. `size` is 1, 2 or 4, `offset` a multiple of it. What is not there reads as ones.
 */
void arch_pci_init(void);
bool arch_pci_open_bus(uint16_t segment, uint8_t bus);
uint32_t arch_pci_read(uint16_t segment, uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size);
void arch_pci_write(uint16_t segment, uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size, uint32_t value);
/* Can the bus be asked for more than the first 256 bytes? The first bus of each segment: false when there is none. */
bool arch_pci_is_extended(uint16_t segment, uint8_t bus);
bool arch_pci_segment(uint32_t index, uint16_t *segment, uint8_t *first_bus);
/* Bytes of memory as devices see them that do not look into the processor's caches. */
void arch_flush_cache(const void *p, size_t n);
/* May a device's registers be put at [start, end)? Not where memory or the machine's own registers are. */
bool arch_pci_range_is_free(paddr_t start, paddr_t end);

/* The ACPI table of that signature, as bytes that stay: NULL, there is none. */
const void *arch_acpi_table(const char *signature, size_t *size);
/* Does the machine say it has a keyboard controller of the PC's? */
bool arch_has_i8042(void);

/* Run `fn(arg)` with interrupts off on every CPU of `mask` (bit = cpu id) but this one, and wait
 * for all. Call with preemption off, interrupts on, no spinlock that an interrupt handler takes. */
void arch_call_cpus(uint64_t mask, void (*fn)(void *), void *arg);
/* The same in two steps, for callers with work of their own to do meanwhile: same rules, preemption
 * off from one to the other. False: nobody was asked, do not wait. */
bool arch_call_cpus_start(uint64_t mask, void (*fn)(void *), void *arg);
void arch_call_cpus_wait(void);
void arch_kick_cpu(uint32_t cpu_id);  /* make it notice need_resched, wake it from halt */
/* By NMI, with interrupts off here. Stop: panic, power off: they halt for ever. Park: they stand still
 * until arch_unpark_cpus(); false: one does not answer. */
void arch_stop_other_cpus(void);
bool arch_park_other_cpus(void);
void arch_unpark_cpus(void);
/* This CPU is asked to stand still and cannot take an NMI, for it handles one: returns when it may go on. */
void arch_park_here(const struct trap_frame *f);
/* The registers of a CPU that stands still, NULL: it runs. */
const struct trap_frame *arch_stopped_frame(uint32_t cpu_id);
/* What the interrupt that this CPU handles interrupted, NULL: it handles none. Interrupts off. */
const struct trap_frame *arch_interrupted_frame(void);

/* --- time ---------------------------------------------------------------------------------- */

uint64_t arch_clock_ns(void);             /* monotonic nanoseconds since boot, same on all CPUs */
/* What arch_clock_ns() would have said when arch_cycles() said `cycles`, before there was a clock; 0:
 * there still is none. */
uint64_t arch_clock_at(uint64_t cycles);
const char *arch_clock_name(void);
uint64_t arch_realtime_at_boot_ns(void);  /* from the CMOS clock */
void arch_timer_arm(deadline_t when);     /* one shot on this CPU; interrupts off. Past: at once */
/* time/ provides: void timer_interrupt(void), called with interrupts off on the CPU it fired on. */
void timer_interrupt(void);

/* --- threads ------------------------------------------------------------------------------- */

/* Prepare `t` (kernel stack in place) so that its first switch runs fn(arg); fn never returns. */
void arch_thread_init(struct thread *t, void (*fn)(void *), void *arg);
/*
 * Prepare `t` as the child of the calling user thread: it returns to user mode from the same
 * instruction with 0 in rax, on `stack` unless 0, with `tls` as FS base when `set_tls`.
 * Copies the FPU state. Returns 0 or -ENOMEM.
 */
int arch_thread_fork(struct thread *t, vaddr_t stack, bool set_tls, vaddr_t tls);
void arch_thread_free(struct thread *t);  /* FPU area and what else arch allocated */
/* Switch stacks, FPU, FS/GS, kernel_stack_top, address space (mm's address_space_switch is called
 * by sched before). Interrupts off. Returns when `prev` runs again; value: who ran before. */
struct thread *arch_thread_switch(struct thread *prev, struct thread *next);
/* The first user instruction of a fresh program: registers cleared, FPU reset, this ip and sp.
 * Called by exec on its own thread; takes effect on return to user mode. */
void arch_thread_exec(struct trap_frame *f, vaddr_t ip, vaddr_t sp);
/* sched/ provides: the first thing a new thread runs, with who ran before it: the rest of the switch
 * that chose it. Called with interrupts off and the preempt count as schedule() left it; returns with
 * interrupts on and preemption enabled. */
void schedule_finish(struct thread *prev);
/* Leave the kernel by `f` = arch_user_frame(current_thread()): how a kernel thread that has exec'ed
 * becomes a program. Call with interrupts on, nothing held. */
void __noreturn arch_enter_user(struct trap_frame *f);
/* Segment bases of the calling thread (arch_prctl). The setters return -EPERM past the user half. */
vaddr_t arch_thread_fs_base(void);
vaddr_t arch_thread_gs_base(void);
/* The components of vector state that programs can use, as the processor numbers them. */
uint64_t arch_vector_state_mask(void);
/* May the caller's user code read the time-stamp counter? Else it gets SIGSEGV; children inherit it, exec keeps it. */
bool arch_thread_tsc(void);
void arch_thread_set_tsc(bool readable);
int arch_thread_set_fs_base(vaddr_t base);
int arch_thread_set_gs_base(vaddr_t base);
/*
 * Protection keys: how many there are (0: the processor has none, or they are switched off), and what the
 * calling thread may not do by one. Rights are the bits below; a key that exists.
 */
unsigned int arch_key_count(void);
unsigned int arch_key_rights(unsigned int key);
void arch_key_set_rights(unsigned int key, unsigned int rights);
#define KEY_NO_ACCESS 1u /* neither read nor write; execution is never refused */
#define KEY_NO_WRITE  2u
/* The registers `t` entered the kernel with. Valid while it is inside the kernel. */
struct trap_frame *arch_user_frame(struct thread *t);

/* --- tracees (arch/x86_64/tracee.c): `t` is stopped in the kernel, off its CPU ----------------- */

/* The calling thread is about to stop for its tracer: all its registers to where the others look. */
void arch_tracee_sync(void);
vaddr_t arch_thread_ip(struct thread *t);
/* Register number n in the order of Linux's struct user_regs_struct. -EIO: a value that cannot be. */
#define ARCH_REGISTERS 27
uint64_t arch_register_get(struct thread *t, unsigned int n);
int arch_register_set(struct thread *t, unsigned int n, uint64_t value);
/* FXSAVE's image, or with `extended` XSAVE's in the standard format. Setting: -EINVAL. */
size_t arch_fpu_size(bool extended);
void arch_fpu_get(struct thread *t, void *to, bool extended);
int arch_fpu_set(struct thread *t, const void *from, bool extended);
/* Trap after the next instruction; `program_sets_it`: that instruction loads the trap flag itself. */
void arch_step_enable(struct thread *t, bool program_sets_it);
void arch_step_disable(struct thread *t);
bool arch_sets_trap_flag(const uint8_t *code, size_t n);
/* Debug register n, 0 to 7. -EINVAL: no breakpoint that user code may have, -EIO: no such register. */
uint64_t arch_debug_get(struct thread *t, unsigned int n);
int arch_debug_set(struct thread *t, unsigned int n, uint64_t value);

/* A hypervisor runs us: any CPU may stand still for milliseconds at any instruction. */
bool arch_is_guest(void);
/* --- profiling ------------------------------------------------------------------------------- */

/* Have CPU `cpu_id` call profile_nmi() by an NMI, whatever it is doing. False: one is on its way. */
bool arch_profile_nmi(uint32_t cpu_id);
/* debug/ provides: in the NMI; `f`: what it struck. */
void profile_nmi(const struct trap_frame *f);
/* Read 8 bytes of the present address space at `va` without faulting, any context. False: not there. */
bool arch_peek_user(vaddr_t va, uint64_t *out);

void arch_idle(void); /* interrupts off on entry: enable and halt in one step until one comes */

/* proc/ provides: called on the way back to user mode, interrupts on, when thread->work is set:
 * signals, stop requests, exit. */
void thread_return_to_user(struct trap_frame *f);
/* linux/ provides: called with interrupts on; the result goes to rax. */
long syscall_dispatch(struct trap_frame *f);
/* proc/ provides: a trap that user code caused: send the signal Linux would. */
void thread_user_trap(struct trap_frame *f, int signo, int code, vaddr_t address, int trap_no);
/* The same for an access that protection key `key` of the thread refused. */
void thread_user_key_trap(struct trap_frame *f, unsigned int key, vaddr_t address, int trap_no);
/* mm/ provides: true when the fault was mended. Interrupts on when from user mode or preemptible. */
int fault_handle(vaddr_t address, unsigned int access, bool user, struct trap_frame *f);
#define FAULT_WRITE   1u
#define FAULT_EXEC    2u
#define FAULT_PRESENT 4u /* protection, not absence */
#define FAULT_USER    8u /* user mode caused it */

/* --- signal frames (arch/x86_64/signal_frame.c) ---------------------------------------------- */

struct siginfo;
struct signal_action;
/* Build Linux's rt_sigframe for `signo` on the user's (or alternate) stack and point `f` at the
 * handler. `old_mask` goes into the frame. Returns 0 or -EFAULT. */
int arch_signal_push(struct trap_frame *f, int signo, const struct siginfo *info,
		     const struct signal_action *action, uint64_t old_mask);
/* rt_sigreturn: restore everything; `mask_out` gets the signal mask to set. 0: `f` holds the restored
 * registers and the call must return f->rax, whatever it is. -EFAULT: the frame is bad, SIGSEGV. */
int arch_signal_return(struct trap_frame *f, uint64_t *mask_out);
size_t arch_min_signal_stack(void); /* AT_MINSIGSTKSZ */

/* --- page tables (arch/x86_64/page_table.c); mm/ holds as->page_table_lock over each --------- */

/* Hardware-independent protection of a leaf. With none of READ, WRITE, EXEC the leaf exists (lookup,
 * next and unmap find it) but every access faults. Where x86 has a bit of that meaning it is that bit, so that
 * page_table.c translates most of them by a mask. */
#define PTE_READ     1u
#define PTE_WRITE    2u
#define PTE_USER     4u
#define PTE_WCOMBINE 8u
#define PTE_UNCACHED 16u
#define PTE_ACCESSED 32u
#define PTE_DIRTY    64u   /* as read back */
#define PTE_HUGE     128u  /* 2 MiB leaf */
#define PTE_GLOBAL   256u
#define PTE_DEVICE   512u  /* software: the frame has no struct page or is not counted */
#define PTE_EXEC     1024u
#define PTE_PKEY_SHIFT 16  /* 4 bits: protection key */

struct page_table {
	paddr_t root;
};

int arch_page_table_init(struct page_table *pt);   /* user half empty, kernel half shared */
void arch_page_table_destroy(struct page_table *pt); /* leaves must be gone; frees table frames */
/* Make sure the tables down to the leaf's level exist. Returns 0, -ENOMEM, or -EBUSY: a huge leaf is
 * in the way, or (huge) a table is: prune it first. */
int arch_page_table_prepare(struct page_table *pt, vaddr_t va, bool huge);
/* Install a leaf; tables must have been prepared (-ENOMEM otherwise). Old leaf must be absent. */
int arch_page_table_map(struct page_table *pt, vaddr_t va, paddr_t pa, unsigned int prot);
/* Read a leaf: false if absent. *prot tells PTE_HUGE, DIRTY, ACCESSED. pa of the 4 KiB or 2 MiB
 * frame's start. */
bool arch_page_table_lookup(struct page_table *pt, vaddr_t va, paddr_t *pa, unsigned int *prot);
/* Remove a leaf and return what it was (false: absent). No TLB flush: the caller batches. */
bool arch_page_table_unmap(struct page_table *pt, vaddr_t va, paddr_t *pa, unsigned int *prot);
/* Change a present leaf's protection (keeps dirty/accessed). Returns true when it shrank rights or
 * changed the frame, that is, when a flush is needed. */
bool arch_page_table_protect(struct page_table *pt, vaddr_t va, unsigned int prot);
/* Clear dirty/accessed bits, returning the old ones (PTE_DIRTY|PTE_ACCESSED). Who clears the accessed bit has to
 * flush: see tlb.h. */
unsigned int arch_page_table_harvest(struct page_table *pt, vaddr_t va, unsigned int bits);
/* Replace a 2 MiB leaf by 512 small ones of the same frames. Returns 0 or -ENOMEM. */
int arch_page_table_split(struct page_table *pt, vaddr_t va);
/* The next va >= `va` and < `end` that has a leaf, or `end`: skips empty tables quickly. */
vaddr_t arch_page_table_next(struct page_table *pt, vaddr_t va, vaddr_t end);
/*
 * Leaves were removed from [start, end); nothing is mapped in [floor, ceiling), which contains it. Detach
 * the table pages of the former that are empty and cover only the latter. CPUs may still have them in
 * their paging-structure caches: flush the address space everywhere (also where no leaf was removed),
 * then give the returned chain to arch_page_table_release(), without page_table_lock. NULL: none.
 */
struct page *__must_check arch_page_table_prune(struct page_table *pt, vaddr_t start, vaddr_t end,
						vaddr_t floor, vaddr_t ceiling);
void arch_page_table_release(struct page *chain); /* frees them */

/* Prepare and map in one: 0, -EEXIST (something is there already), -ENOMEM. */
int arch_page_table_install(struct page_table *pt, vaddr_t va, paddr_t pa, unsigned int prot);
/* Many leaves at a time, user half only. `va` 2 MiB aligned where prot has PTE_HUGE. */
struct page_table_leaf {
	vaddr_t va;
	paddr_t pa;
	unsigned int prot;
};
/* Remove up to `max` leaves of [*va, end); *va tells where to go on. Returns how many; fewer than
 * `max`: none are left. A large leaf must lie wholly inside. */
unsigned int arch_page_table_take(struct page_table *pt, vaddr_t *va, vaddr_t end,
				  struct page_table_leaf *out, unsigned int max);
/* The same, but they stay and lose the right to write; `out` tells what they had. With `forget`, those of 4 KiB
 * that had it lose the accessed bit too. A large leaf that begins before `end` is taken whole: *va may pass `end`. */
unsigned int arch_page_table_share(struct page_table *pt, vaddr_t *va, vaddr_t end,
				   struct page_table_leaf *out, unsigned int max, bool forget);
/* Map `n` leaves, ascending, into empty slots, without the PTE_* bits in `without`. Returns how many:
 * fewer when table frames ran out. */
unsigned int arch_page_table_put(struct page_table *pt, const struct page_table_leaf *in, unsigned int n,
				 unsigned int without);
/* Map the pages of `pages`, neighbours from `va` on within 2 MiB and at most 64, NULL: none, each where nothing is.
 * Returns a bit for each that was mapped; nothing is when the table is missing. */
uint64_t arch_page_table_fill(struct page_table *pt, vaddr_t va, struct page *const *pages, unsigned int n,
			      unsigned int prot);
uint64_t arch_page_table_frames(struct page_table *pt); /* table frames held, for accounting */

/* The kernel half: used by mm/region.c for stacks and vmalloc. */
extern struct page_table kernel_page_table;

/* --- shadow memory (arch/x86_64/shadow.c): debug/sanitizers/ decides what it holds ------------- */

/* All of the shadow reads as zeroes, of one page, until frames are mapped; `size` bytes of it from `va`
 * get frames of their own now. Part of arch_init_memory(), with config_kasan. */
void arch_shadow_init(vaddr_t va, size_t size);
/* Put `frame` at shadow address `va`, where there is none yet. It must hold zeroes or whatever else the
 * caller wants seen: other CPUs may read the zeroes of before for a while, and when they write, fault once
 * (arch_shadow_mend). kernel_table_lock held. 0 or -ENOMEM. */
int arch_shadow_map(vaddr_t va, paddr_t frame, bool huge);
/* Back to zeroes. The caller flushes before it frees the frame, which is returned. */
paddr_t arch_shadow_unmap(vaddr_t va);
paddr_t arch_shadow_lookup(vaddr_t va); /* the frame, 0: zeroes */
/* A write to `va` faulted: was it only that this CPU had not seen arch_shadow_map() yet? */
bool arch_shadow_mend(vaddr_t va);

/* --- TLB (arch/x86_64/tlb_flush.c): mm/tlb.c decides, this does ------------------------------- */

void arch_tlb_flush_page(vaddr_t va);               /* this CPU, current PCID */
void arch_tlb_flush_all(bool global);               /* this CPU: current PCID, or everything */
void arch_page_table_load(struct page_table *pt, uint16_t pcid, bool flush);
bool arch_has_pcid(void);

/* --- user memory (arch/x86_64/user_copy.S); <tessera/uaccess.h> checks ranges ------------------ */

size_t arch_copy_from_user(void *to, const void __user *from, size_t n); /* bytes NOT copied */
size_t arch_copy_to_user(void __user *to, const void *from, size_t n);
size_t arch_clear_user(void __user *to, size_t n);
long arch_strncpy_from_user(char *to, const char __user *from, size_t n); /* length or -EFAULT */
struct user_word {
	uint64_t value;
	int64_t error; /* 0 or -EFAULT */
};
struct user_word arch_get_user_1(const void __user *p);
struct user_word arch_get_user_2(const void __user *p);
struct user_word arch_get_user_4(const void __user *p);
struct user_word arch_get_user_8(const void __user *p);
int arch_put_user_1(void __user *p, uint64_t value); /* 0 or -EFAULT */
int arch_put_user_2(void __user *p, uint64_t value);
int arch_put_user_4(void __user *p, uint64_t value);
int arch_put_user_8(void __user *p, uint64_t value);
/* From every `step`th byte on, two bytes, `count` times: those NOT written. */
size_t arch_put_user_2_each(void __user *to, const void *from, size_t step, size_t count);
int arch_user_cmpxchg32(uint32_t __user *p, uint32_t old, uint32_t new_value, uint32_t *seen);

/* --- the rest ------------------------------------------------------------------------------- */

void arch_console_write(const char *s, size_t n); /* polled serial (and framebuffer), any context */
int arch_console_read(void);            /* a byte that was typed, -1: none; polled, takes it */
void __noreturn arch_power_off(void);
void __noreturn arch_reboot(void);
void __noreturn arch_halt(void);
void __noreturn arch_exit_emulator(uint8_t status); /* isa-debug-exit, else halt */
uint64_t arch_random(bool *ok);     /* RDRAND/RDSEED where present */
uint64_t arch_hwcap(void);          /* AT_HWCAP */
uint64_t arch_hwcap2(void);
/* Where a CPU sits: which package (socket), which core of it. */
struct cpu_place {
	uint32_t package, core;
};
struct cpu_place arch_cpu_place(uint32_t cpu_id);
/* One of a CPU's caches, the nearest first. False: there is no such index, or nobody says. */
struct cpu_cache {
	uint32_t level;
	char type;                     /* 'D'ata, 'I'nstruction, 'U'nified */
	uint32_t size, line, ways, partitions, sets;
	uint64_t shared;               /* the CPUs that have it together */
};
bool arch_cpu_cache(uint32_t cpu_id, uint32_t index, struct cpu_cache *out);
void arch_cpuinfo_print(uint32_t cpu_id, void (*print)(void *ctx, const char *fmt, ...), void *ctx);
/*
 * Walk the call stack: frame pointers from `rbp`, through interrupts and traps, to the entry from user
 * mode. fn gets each step until it returns false. Everything is read by arch_probe_read().
 */
struct stack_step {
	vaddr_t pc;                    /* where the function goes on: behind its call, or interrupted */
	bool exact;                    /* pc is an instruction that was to run, not a return address */
	const struct trap_frame *entry; /* the step before was an entry by trap or call: the registers saved
					  at it. NULL: a plain call */
};
void arch_stack_walk(vaddr_t rbp, bool (*fn)(void *ctx, const struct stack_step *s), void *ctx);
vaddr_t arch_thread_frame_pointer(struct thread *t); /* of a thread that is switched out */
void arch_frame_print(const struct trap_frame *f);   /* registers, for panics */
/* Registers by their names for what is not x86's business. */
vaddr_t arch_frame_pc(const struct trap_frame *f);
vaddr_t arch_frame_sp(const struct trap_frame *f);
vaddr_t arch_frame_fp(const struct trap_frame *f);
uint64_t arch_frame_argument(const struct trap_frame *f, unsigned int n); /* of a system call, 0 .. 5 */
/* What the tables say of `va`, level by level, to the log. Takes no locks. */
void arch_page_table_dump(struct page_table *pt, vaddr_t va);

/* --- on a broken machine (arch/x86_64/recover.S) ----------------------------------------------- */

/* Copy n bytes of kernel memory, or user memory of the address space that is loaded, without faulting:
 * false when not all can be read. Interrupts off, or a kernel address. */
static inline bool
arch_probe_read(void *to, const void *from, size_t n)
{
	return arch_copy_from_user(to, __force_user(const void __user *, from), n) == 0;
}
/* fn(arg); true. Or false, when arch_try_abort(*mark) was called inside it. Interrupts off. */
bool arch_try(void (*fn)(void *), void *arg, uint64_t *mark);
void __noreturn arch_try_abort(uint64_t mark);
/* fn(arg) on a stack that ends at `top`. */
void arch_call_on_stack(void (*fn)(void *), void *arg, vaddr_t top);

/* vDSO: mapped into each program by exec. */
struct page *arch_vdso_page(unsigned int index); /* text pages, then the data page (vvar) */
unsigned int arch_vdso_text_pages(void);
void arch_vdso_update_clock(void);  /* time/ calls when the realtime offset changes */

#endif
