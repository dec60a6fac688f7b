/* SPDX-License-Identifier: MIT */
/*
 * kcov.c - the code that a thread runs inside the kernel, recorded into memory that it shares with its
 * program: Linux's kcov interface, on /dev/kcov (Linux has the file in debugfs).
 *
 *	fd = open("/dev/kcov", O_RDWR);
 *	ioctl(fd, KCOV_INIT_TRACE, words);           a buffer of 64-bit words
 *	buffer = mmap(NULL, words * 8, ..., MAP_SHARED, fd, 0);
 *	ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);       from now on this thread is recorded
 *	buffer[0] = 0;  a system call;  buffer[0] records stand behind the first word
 *	ioctl(fd, KCOV_DISABLE, 0);
 *
 * The compiler calls __sanitizer_cov_trace_pc() in every basic block and __sanitizer_cov_trace_*cmp*() at
 * every comparison. A record of KCOV_TRACE_PC is the address of the block as it stands in the kernel's ELF file,
 * whatever KASLR chose; one of KCOV_TRACE_CMP is four words: kind and size, both values, address.
 *
 *   DISABLED --INIT_TRACE--> READY --ENABLE--> TRACE_PC or TRACE_CMP
 *                              ^---DISABLE, or the thread ends---|
 *
 * A buffer belongs to at most one thread at a time, a thread has at most one. The file and the thread each
 * hold a reference: closing the file leaves a thread recording, until it disables itself or ends.
 *
 * What is recorded: only the thread itself, on its own stack. An interrupt handler runs with irq_depth
 * above 0, an NMI or a double fault on a stack of its own. The recording functions take no lock, call
 * nothing and touch memory that cannot fault, so any code may run into them, boot code included: nothing but
 * one word of the kernel's data is looked at until the first buffer is enabled.
 *
 * The program can write to the buffer while we do, so the count is read once and checked before it is used.
 *
 * Locks: kcov->lock (LEAF) for mode, thread and the buffer's birth.
 */
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/kcov.h>
#include <tessera/memory_object.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#define KCOV_INIT_TRACE 0x80086301u /* _IOR('c', 1, unsigned long) */
#define KCOV_ENABLE     0x6364u     /* _IO('c', 100) */
#define KCOV_DISABLE    0x6365u     /* _IO('c', 101) */
#define KCOV_TRACE_PC   0
#define KCOV_TRACE_CMP  1

#define KCOV_CMP_CONST   BIT(0)
#define KCOV_CMP_SIZE(n) ((uint64_t)(n) << 1) /* n: logarithm of the bytes */

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define WORDS_MAX      (32u * 1024 * 1024) /* the buffer is memory that no limit counts */
#define KCOV_DEVICE    DEV(10, 250)

enum kcov_mode { MODE_DISABLED, MODE_READY, MODE_TRACE_PC, MODE_TRACE_CMP };

/* [I] set before the file is used by others  [k] lock  [b] set once, by INIT_TRACE, under lock */
struct kcov {
	struct refcount refs;
	struct spinlock lock;          /* class LEAF */
	enum kcov_mode mode;           /* [k] */
	struct thread *thread;         /* [k] who records, NULL: nobody */
	uint32_t words;                /* [b] */
	uint64_t **pages;              /* [b] kernel addresses of the object's pages, one reference each */
	struct memory_object *object;  /* [b] */
};

static bool kcov_used; /* [a] some thread has been enabled since boot */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_cmp1(uint8_t a, uint8_t b);
void __sanitizer_cov_trace_cmp2(uint16_t a, uint16_t b);
void __sanitizer_cov_trace_cmp4(uint32_t a, uint32_t b);
void __sanitizer_cov_trace_cmp8(uint64_t a, uint64_t b);
void __sanitizer_cov_trace_const_cmp1(uint8_t a, uint8_t b);
void __sanitizer_cov_trace_const_cmp2(uint16_t a, uint16_t b);
void __sanitizer_cov_trace_const_cmp4(uint32_t a, uint32_t b);
void __sanitizer_cov_trace_const_cmp8(uint64_t a, uint64_t b);
void __sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases);

/* --- recording -------------------------------------------------------------------------------- */

/* The running thread, if it records in `mode` and this is its own code; else NULL. */
static __always_inline struct thread *
recorder(enum kcov_mode mode)
{
	struct thread *t;

	if (likely(!kcov_used))
		return NULL;
	t = arch_current_thread();
	if (likely(!t || t->kcov.mode != mode))
		return NULL;
	if (arch_this_cpu()->irq_depth != 0 ||
	    t->stack_top - (vaddr_t)__builtin_frame_address(0) > KERNEL_STACK_SIZE)
		return NULL;
	return t;
}

static __always_inline uint64_t *
word_at(const struct kcov_thread *k, uint64_t index)
{
	return &k->pages[index / WORDS_PER_PAGE][index % WORDS_PER_PAGE];
}

void
__sanitizer_cov_trace_pc(void)
{
	struct thread *t = recorder(MODE_TRACE_PC);
	uint64_t n;

	if (!t)
		return;
	n = READ_ONCE(*word_at(&t->kcov, 0));
	if (n >= t->kcov.words - 1)
		return;
	*word_at(&t->kcov, n + 1) = (vaddr_t)__builtin_return_address(0) - bootinfo.kernel_slide;
	WRITE_ONCE(*word_at(&t->kcov, 0), n + 1);
}

static __always_inline void
record_compare(uint64_t kind, uint64_t a, uint64_t b, vaddr_t where)
{
	struct thread *t = recorder(MODE_TRACE_CMP);
	uint64_t n;

	if (!t)
		return;
	n = READ_ONCE(*word_at(&t->kcov, 0));
	if (n >= (t->kcov.words - 1) / 4)
		return;
	*word_at(&t->kcov, 1 + 4 * n) = kind;
	*word_at(&t->kcov, 2 + 4 * n) = a;
	*word_at(&t->kcov, 3 + 4 * n) = b;
	*word_at(&t->kcov, 4 + 4 * n) = where - bootinfo.kernel_slide;
	WRITE_ONCE(*word_at(&t->kcov, 0), n + 1);
}

#define TRACE_COMPARE(name, type, log2, flags)                                                     \
	void __sanitizer_cov_trace_##name(type a, type b)                                          \
	{                                                                                          \
		record_compare(KCOV_CMP_SIZE(log2) | (flags), a, b,                                \
			       (vaddr_t)__builtin_return_address(0));                              \
	}
TRACE_COMPARE(cmp1, uint8_t, 0, 0)
TRACE_COMPARE(cmp2, uint16_t, 1, 0)
TRACE_COMPARE(cmp4, uint32_t, 2, 0)
TRACE_COMPARE(cmp8, uint64_t, 3, 0)
TRACE_COMPARE(const_cmp1, uint8_t, 0, KCOV_CMP_CONST)
TRACE_COMPARE(const_cmp2, uint16_t, 1, KCOV_CMP_CONST)
TRACE_COMPARE(const_cmp4, uint32_t, 2, KCOV_CMP_CONST)
TRACE_COMPARE(const_cmp8, uint64_t, 3, KCOV_CMP_CONST)
#undef TRACE_COMPARE

/* cases[0] constants of cases[1] bits stand behind those two words. */
void
__sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases)
{
	uint64_t log2;

	if (likely(!kcov_used))
		return;
	log2 = cases[1] <= 8 ? 0 : cases[1] <= 16 ? 1 : cases[1] <= 32 ? 2 : 3;
	for (uint64_t i = 0; i < cases[0]; i++)
		record_compare(KCOV_CMP_SIZE(log2) | KCOV_CMP_CONST, cases[2 + i], value,
			       (vaddr_t)__builtin_return_address(0));
}

/* --- the file --------------------------------------------------------------------------------- */

static void
free_pages(struct memory_object *o, uint64_t **pages, uint32_t words)
{
	for (uint32_t i = 0; pages && i < DIV_ROUND_UP(words, WORDS_PER_PAGE); i++)
		if (pages[i])
			page_put(virt_to_page(pages[i]));
	vfree(pages);
	if (o)
		object_put(o);
}

static void
kcov_put(struct kcov *k)
{
	if (!ref_put(&k->refs))
		return;
	assert(!k->thread);
	free_pages(k->object, k->pages, k->words);
	kfree(k);
}

static int
kcov_open(struct inode *i, struct file *f)
{
	struct kcov *k = kzalloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	ref_init(&k->refs);
	spin_init(&k->lock, LOCK_LEAF);
	f->private = k;
	return 0;
}

static void
kcov_release(struct file *f)
{
	if (f->private)
		kcov_put(f->private);
}

static long
init_trace(struct kcov *k, uint64_t words)
{
	uint32_t n = (uint32_t)DIV_ROUND_UP(words, WORDS_PER_PAGE);
	struct memory_object *o = NULL;
	uint64_t **pages = NULL;
	long result = -ENOMEM;
	uint64_t flags;

	if (words < 2 || words > WORDS_MAX)
		return -EINVAL;
	pages = vmalloc(n * sizeof(*pages));
	o = object_create(&anonymous_object_ops, (uint64_t)n * PAGE_SIZE, NULL);
	if (!pages || !o)
		goto free;
	for (uint32_t i = 0; i < n; i++) {
		struct page *p;

		result = object_get_page(o, i, &p);
		if (result)
			goto free;
		pages[i] = page_to_virt(p);
	}
	flags = spin_lock_irq(&k->lock);
	result = k->mode == MODE_DISABLED ? 0 : -EBUSY;
	if (!result) {
		k->mode = MODE_READY;
		k->words = (uint32_t)words;
		k->pages = pages;
		k->object = o;
	}
	spin_unlock_irq(&k->lock, flags);
	if (!result)
		return 0;
free:
	free_pages(o, pages, (uint32_t)words);
	return result;
}

static long
enable(struct kcov *k, uintptr_t what)
{
	struct thread *t = current_thread();
	enum kcov_mode mode = what == KCOV_TRACE_PC ? MODE_TRACE_PC : MODE_TRACE_CMP;
	long result = 0;
	uint64_t flags;

	flags = spin_lock_irq(&k->lock);
	if (k->mode == MODE_DISABLED)
		result = -EINVAL;
	else if (k->thread || t->kcov.owner)
		result = -EBUSY;
	else if (what != KCOV_TRACE_PC && what != KCOV_TRACE_CMP)
		result = -EINVAL;
	if (!result) {
		ref_get(&k->refs);
		k->thread = t;
		k->mode = mode;
		t->kcov.owner = k;
		t->kcov.words = k->words;
		t->kcov.pages = k->pages;
	}
	spin_unlock_irq(&k->lock, flags);
	if (!result) {
		WRITE_ONCE(kcov_used, true);
		__asm__ volatile("" ::: "memory");
		WRITE_ONCE(t->kcov.mode, mode);
	}
	return result;
}

/* The calling thread records no more. */
static void
stop(struct thread *t)
{
	struct kcov *k = t->kcov.owner;
	uint64_t flags;

	WRITE_ONCE(t->kcov.mode, MODE_DISABLED);
	__asm__ volatile("" ::: "memory");
	t->kcov.owner = NULL;
	t->kcov.pages = NULL;
	flags = spin_lock_irq(&k->lock);
	k->thread = NULL;
	k->mode = MODE_READY;
	spin_unlock_irq(&k->lock, flags);
	kcov_put(k);
}

void
kcov_thread_exit(void)
{
	struct thread *t = current_thread();

	if (t->kcov.owner)
		stop(t);
}

static long
kcov_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct kcov *k = f->private;

	switch (command) {
	case KCOV_INIT_TRACE:
		return init_trace(k, arg);
	case KCOV_ENABLE:
		return enable(k, arg);
	case KCOV_DISABLE:
		if (arg != 0 || current_thread()->kcov.owner != k)
			return -EINVAL;
		stop(current_thread());
		return 0;
	}
	return -ENOTTY;
}

/* The whole buffer or nothing. */
static int
kcov_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct kcov *k = f->private;
	int result = -EINVAL;
	uint64_t irq = spin_lock_irq(&k->lock);

	if (k->mode != MODE_DISABLED && offset == 0 &&
	    length == ALIGN_UP(k->words * sizeof(uint64_t), PAGE_SIZE)) {
		object_get(k->object);
		*out = k->object;
		result = 0;
	}
	spin_unlock_irq(&k->lock, irq);
	return result;
}

static const struct file_ops kcov_ops = {
	.name = "kcov",
	.ioctl = kcov_ioctl,
	.mmap = kcov_mmap,
	.release = kcov_release,
};

void
kcov_init(void)
{
	int error = chrdev_register("kcov", KCOV_DEVICE, 0600, &kcov_ops, kcov_open);

	if (error)
		panic("/dev/kcov cannot be made: error %d", error);
}
