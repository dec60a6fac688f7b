/* SPDX-License-Identifier: MIT */
/*
 * execute.c - one program, in a child process.
 *
 * The child is a session of its own, in a tmpfs of its own, with limits; a timer interrupts calls that block.
 * Its threads have no thread-local storage and call the kernel by the instruction, since a program
 * may break anything that the C library relies on. What the program forks goes on with the
 * rest of the calls and forks no more. When the time is over the worker, who adopts orphans, kills all that is
 * left and waits for it: a process that does not die is a finding.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fuzz.h"

#define KCOV_INIT_TRACE 0x80086301u
#define KCOV_ENABLE     0x6364u
#define KCOV_DISABLE    0x6365u
#define TRACE_WORDS     (64 * 1024)
#define HIGH_FD         900   /* ours lie above what a program counts up to */
#define STACK_SIZE      (32 * 1024)
#define INTERRUPT_US    8000  /* blocking calls are interrupted that often */
#define FINISH_MS       30    /* how long the first thread waits for the others */
#define LIMIT_MS        600   /* then the program is killed */
#define STUCK_MS        20000 /* then it is a finding, if we could look that often meanwhile: ... */
#define STUCK_LOOKS     2000  /* ... the host may give its machine little time */

/* Of the worker: [I] after execute_init */
static int kcov[MAX_THREADS] = { -1, -1, -1, -1 };
static uint64_t *trace[MAX_THREADS];
static char folder[32];
static bool compares;

/* Of the child, shared by its threads. */
static const struct program *running;
static struct progress *progress;
static int64_t results[MAX_CALLS][3];
static bool own_network;           /* what is set there goes with the program */
static int own[64];
static unsigned int owned;
static bool forked;
static size_t data_used[MAX_THREADS];
static char stacks[MAX_THREADS][STACK_SIZE] __attribute__((aligned(16)));

long raw_clone(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t flags, uint64_t stack);
long raw_vfork(void);
void raw_sigreturn(uint64_t sp) __attribute__((noreturn));
void raw_thread(void (*fn)(unsigned int), unsigned int thread, void *stack);
void raw_touch(uint64_t at);
void raw_restorer(void);
extern const char touch_begin[], touch_end[], fill_begin[], fill_end[];
void tiny_child(void);

/*
 * raw_clone: the child goes on behind the call if it has its own memory; else it runs tiny_child() on the
 * stack that it was given, or ends at once if it was given none.
 */
__asm__(".text\n"
	".globl raw_call, raw_fill\n"
	"raw_call:\n"
	"	mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; mov %r9, %r8\n"
	"	mov 8(%rsp), %r9; syscall; ret\n"
	"raw_clone:\n"
	"	push %rbx; push %r12; mov 24(%rsp), %rbx; mov 32(%rsp), %r12\n"
	"	mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; mov %r9, %r8\n"
	"	syscall; test %rax, %rax; jnz 1f\n"
	"	test $0x100, %ebx; jz 1f\n"
	"	test %r12, %r12; jz 2f\n"
	"	xor %ebp, %ebp; and $-16, %rsp; call tiny_child\n"
	"2:	mov $60, %eax; xor %edi, %edi; syscall; ud2\n"
	"1:	pop %r12; pop %rbx; ret\n"
	"raw_vfork:\n"
	"	mov $58, %eax; syscall; test %rax, %rax; jz 2b; ret\n"
	"raw_sigreturn:\n"
	"	mov %rdi, %rsp; mov $15, %eax; syscall; ud2\n"
	"raw_thread:\n"
	"	mov %rdi, %r8; mov %rsi, %r9; mov %rdx, %rsi; mov $0x50f00, %edi; xor %edx, %edx; xor %r10d, %r10d\n"
	"	mov $56, %eax; push %r8; push %r9; xchg %r9, %rbx; xchg %r8, %r12; syscall\n"
	"	test %rax, %rax; jz 3f; xchg %r9, %rbx; xchg %r8, %r12; pop %r9; pop %r8; ret\n"
	"3:	xor %ebp, %ebp; mov %rbx, %rdi; call *%r12; jmp 2b\n"
	"raw_touch:\n"
	"touch_begin: movb (%rdi), %al\n"
	"touch_end: ret\n"
	"raw_fill:\n"
	"	mov %rdx, %rcx\n"
	"fill_begin: rep movsb\n"
	"fill_end: ret\n"
	"raw_restorer:\n"
	"	mov $15, %eax; syscall; ud2\n");

/* --- in the child ----------------------------------------------------------------------------- */

void
tiny_child(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	raw_call(SYS_nanosleep, (uint64_t)&ms, 0, 0, 0, 0, 0);
	raw_call(SYS_close, 3, 0, 0, 0, 0, 0);
	raw_call(SYS_exit, 0, 0, 0, 0, 0, 0);
	__builtin_trap();
}

static void
on_signal(int signo)
{
	(void)signo;
}

/* A page that cannot be touched is no reason to end; any other fault is. */
static void
on_fault(int signo, siginfo_t *info, void *context)
{
	greg_t *pc = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)info;
	if (*pc >= (greg_t)touch_begin && *pc < (greg_t)touch_end)
		*pc = (greg_t)touch_end;
	else if (*pc >= (greg_t)fill_begin && *pc < (greg_t)fill_end)
		*pc = (greg_t)fill_end;
	else
		raw_call(SYS_exit_group, 128 + (uint64_t)signo, 0, 0, 0, 0, 0);
}

/*
 * Every signal frame of this handler is changed as its thread asked, and then returned from. Pages that the
 * places lie in may be gone, so the changes are made by raw_fill(), where a fault goes on behind.
 */
static void
on_frame(int signo, siginfo_t *info, void *context)
{
	const uint64_t *edit = info->si_value.sival_ptr;
	const ucontext_t *uc = context;
	uint64_t fpu = (uint64_t)uc->uc_mcontext.fpregs;

	(void)signo;
	if (info->si_code != SI_QUEUE || (uint64_t)edit < DATA || (uint64_t)edit >= DATA + MAX_THREADS * DATA_SIZE)
		return;
	for (uint64_t n = edit[0] % (FRAME_EDITS + 1); n > 0; n--) {
		uint64_t place = edit[2 * n - 1];

		if (!(place & FRAME_FPU))
			raw_fill((uint64_t)uc + place % 936, edit + 2 * n, 8);
		else if (fpu)
			raw_fill(fpu + place % FRAME_FPU, edit + 2 * n, 8);
	}
}

static void
own_add(long pid)
{
	unsigned int i = __atomic_fetch_add(&owned, 1, __ATOMIC_RELAXED);

	if (i < sizeof(own) / sizeof(own[0]))
		own[i] = (int)pid;
	else
		owned = sizeof(own) / sizeof(own[0]);
}

static void *
data_alloc(unsigned int thread, size_t size)
{
	size_t at = data_used[thread];

	if (at + size > DATA_SIZE)
		return NULL;
	data_used[thread] = (at + size + 7) & ~7ul;
	return (void *)(DATA + thread * DATA_SIZE + at);
}

static void
copy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

static uint64_t resolve(unsigned int thread, const struct value *v);

static uint64_t
resolve_group(unsigned int thread, const struct value *v)
{
	size_t size = 0;
	uint8_t *room;

	for (uint64_t i = 0; i < v->n; i++)
		size += v->items[i].size;
	room = data_alloc(thread, size + 1);
	for (uint64_t i = 0, at = 0; room && i < v->n; at += v->items[i].size, i++) {
		uint64_t n = resolve(thread, &v->items[i]);

		copy(room + at, &n, v->items[i].size);
	}
	return (uint64_t)room;
}

static uint64_t
resolve_special(uint64_t which)
{
	switch (which) {
	case SPECIAL_HANDLER:
		return (uint64_t)on_signal;
	case SPECIAL_RESTORER:
		return (uint64_t)raw_restorer;
	case SPECIAL_SELF:
		return (uint64_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	default:
		return (uint64_t)raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	}
}

static uint64_t
resolve(unsigned int thread, const struct value *v)
{
	void *room;

	switch (v->form) {
	case FORM_RESULT:
		for (unsigned int i = 0; i < running->count; i++)
			if (running->calls[i].id == v->n)
				return (uint64_t)results[i][v->sub % 3];
		return UINT64_MAX;
	case FORM_SPECIAL:
		return resolve_special(v->n);
	case FORM_PAGE:
		return ARENA + v->n;
	case FORM_BYTES:
		room = data_alloc(thread, v->n + 1);
		if (room)
			copy(room, v->bytes, v->n + 1);
		return (uint64_t)room;
	case FORM_OUT:
		return (uint64_t)data_alloc(thread, v->n ? v->n : 1);
	case FORM_GROUP:
		return resolve_group(thread, v);
	default:
		return v->n;
	}
}

/* `many` of the edits {place, value} at `edits`. */
static long
do_frame(unsigned int thread, const uint64_t *edits, uint64_t many)
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };
	uint64_t *copy_of = data_alloc(thread, 8 * (1 + 2 * FRAME_EDITS));
	struct {
		void *handler;
		uint64_t flags;
		void *restorer;
		uint64_t mask;
	} action = { on_frame, SA_SIGINFO | SA_NODEFER | 0x04000000, raw_restorer, 0 };

	if (!copy_of || (uint64_t)edits < DATA || (uint64_t)edits >= DATA + MAX_THREADS * DATA_SIZE)
		return -EFAULT;
	copy_of[0] = many;
	copy(copy_of + 1, edits, 16 * FRAME_EDITS);
	info.si_value.sival_ptr = copy_of;
	raw_call(SYS_rt_sigaction, SIGUSR2, (uint64_t)&action, 0, 8, 0, 0);
	return raw_call(SYS_rt_tgsigqueueinfo, (uint64_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0),
			(uint64_t)raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGUSR2, (uint64_t)&info, 0, 0);
}

static long
do_clone3(const uint64_t *arg)
{
	const uint64_t *args = (const uint64_t *)arg[0];
	bool readable = arg[0] >= DATA && arg[0] < DATA + MAX_THREADS * DATA_SIZE;

	/* A child that shares memory and has no stack of its own would run on its parent's. */
	return raw_clone(SYS_clone3, arg[0], arg[1], 0, 0, 0, readable ? args[0] : 0x100, readable ? args[5] : 0);
}

/* The calling thread's next allocations: number `n` fails; 0: none does. */
static void
fail_allocation(unsigned int thread, unsigned int n)
{
	char text[4] = { (char)('0' + n / 100), (char)('0' + n / 10 % 10), (char)('0' + n % 10) };
	long fd = HIGH_FD + 20 + thread;

	if (n) {
		long low = raw_call(SYS_open, (uint64_t)"/proc/thread-self/fail-nth", O_RDWR, 0, 0, 0, 0);

		if (low < 0)
			return;
		if (low != fd)
			raw_call(SYS_dup3, (uint64_t)low, (uint64_t)fd, O_CLOEXEC, 0, 0, 0);
		raw_call(SYS_close, (uint64_t)low, 0, 0, 0, 0, 0);
	}
	raw_call(SYS_pwrite64, (uint64_t)fd, (uint64_t)text, 3, 0, 0, 0);
	if (!n)
		raw_call(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

static long
do_call(unsigned int thread, const struct desc *d, const uint64_t *arg)
{
	long result;

	if (d->special >= SPECIAL_FORK && d->special <= SPECIAL_CLONE3 && forked)
		return -EAGAIN;
	switch (d->special) {
	case SPECIAL_FORK:
		result = raw_call(SYS_fork, 0, 0, 0, 0, 0, 0);
		break;
	case SPECIAL_VFORK:
		result = raw_vfork();
		break;
	case SPECIAL_CLONE:
		result = raw_clone(SYS_clone, arg[0], arg[1], arg[2], arg[3], arg[4], arg[0], arg[1]);
		break;
	case SPECIAL_CLONE3:
		result = do_clone3(arg);
		break;
	case SPECIAL_SIGRETURN:
		raw_sigreturn(ARENA + 4096);
	default:
		if (d->nr == PSEUDO_TOUCH) {
			raw_touch(arg[0]);
			return 0;
		}
		if (d->nr == PSEUDO_FRAME)
			return do_frame(thread, (const uint64_t *)arg[0], arg[1]);
		if (d->nr == PSEUDO_URING)
			return uring_submit((int)arg[0], (const uint8_t *)arg[1], arg[2], arg[3]);
		if (d->nr == PSEUDO_FILL) {
			if (arg[0] >= ARENA && arg[0] < ARENA + ARENA_PAGES * 4096 && arg[1])
				raw_fill(arg[0], (const void *)arg[1], 64);
			return 0;
		}
		result = raw_call(d->nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
		if (d->nr == SYS_io_uring_setup && result >= 0)
			uring_remember(result, (const void *)arg[1]);
		return result;
	}
	if (result == 0) {
		forked = true;
		owned = 0;
		own_add(raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0));
	} else if (result > 0) {
		own_add(result);
	}
	return result;
}

static void
run_call(unsigned int thread, unsigned int index)
{
	const struct call *c = &running->calls[index];
	const struct desc *d = c->desc;
	uint64_t arg[6] = { 0 };
	long result = -EPERM;

	data_used[thread] = 0;
	for (unsigned int a = 0; a < d->args; a++)
		arg[a] = resolve(thread, &c->arg[a]);
	if (!forked)
		progress->at[thread] = index + 1;
	/* Who would trace the first process is the worker, which does not know how. */
	bool own_tracer = d->nr != SYS_ptrace || arg[0] != 0 || forked;

	if (own_tracer && rule_allows(d, arg, own, owned < 64 ? owned : 64, own_network)) {
		if (c->fail)
			fail_allocation(thread, c->fail);
		result = do_call(thread, d, arg);
		if (c->fail)
			fail_allocation(thread, 0);
	}
	results[index][0] = result;
	if (result >= 0 && d->out_arg >= 0 && c->arg[d->out_arg].form == FORM_OUT && arg[d->out_arg]) {
		results[index][1] = ((volatile int *)arg[d->out_arg])[0];
		results[index][2] = ((volatile int *)arg[d->out_arg])[1];
	}
	if (!forked)
		__atomic_fetch_add(&progress->calls, 1, __ATOMIC_RELAXED);
}

static void
run_calls(unsigned int thread)
{
	for (unsigned int i = 0; i < running->count; i++)
		if (running->calls[i].thread == thread)
			run_call(thread, i);
}

static void
record(unsigned int thread)
{
	if (kcov[thread] >= 0)
		raw_call(SYS_ioctl, (uint64_t)kcov[thread], KCOV_ENABLE, compares, 0, 0, 0);
}

static void
run_thread(unsigned int thread)
{
	own_add(raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0));
	record(thread);
	run_calls(thread);
	__atomic_fetch_add(&progress->done, 1, __ATOMIC_RELEASE);
}

/* The first thread: start the others, do its part, wait a little, end all. */
static void __attribute__((noreturn))
run_all(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	bool used[MAX_THREADS] = { false };
	unsigned int others = 0;

	for (unsigned int i = 0; i < running->count; i++)
		used[running->calls[i].thread] = true;
	for (unsigned int t = 1; t < MAX_THREADS; t++)
		if (used[t]) {
			raw_thread(run_thread, t, stacks[t] + STACK_SIZE - 64);
			others++;
		}
	record(0);
	run_calls(0);
	if (!forked && others) {
		/* Waiting is no coverage; the end is. */
		raw_call(SYS_ioctl, (uint64_t)kcov[0], KCOV_DISABLE, 0, 0, 0, 0);
		for (int i = 0; i < FINISH_MS && __atomic_load_n(&progress->done, __ATOMIC_ACQUIRE) < others; i++)
			raw_call(SYS_nanosleep, (uint64_t)&ms, 0, 0, 0, 0, 0);
		record(0);
	}
	for (;;)
		raw_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

static void
set_limit(int which, uint64_t n)
{
	struct rlimit limit = { .rlim_cur = n, .rlim_max = n };

	setrlimit(which, &limit);
}

static void
make_files(void)
{
	int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char text[4096];

	memset(text, 'a', sizeof(text));
	(void)!write(fd, text, sizeof(text));
	close(fd);
	mkdir("d", 0777);
	(void)!symlink("a", "l");
	mkfifo("f", 0666);
	fd = open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0777);
	(void)!write(fd, "#!/bin/true\n", 12);
	close(fd);
}

/* The network stack's door is that of the first network. */
static bool
opens_door(const struct program *p)
{
	for (unsigned int i = 0; i < p->count; i++)
		if (p->calls[i].desc->returns & R_DOOR)
			return true;
	return false;
}

static void
raise_loopback(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(s, SIOCGIFFLAGS, &r) < 0)
		_exit(114);
	r.ifr_flags |= IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
		_exit(115);
	close(s);
}

static void __attribute__((noreturn))
child(const struct program *p)
{
	struct itimerval often = { { 0, INTERRUPT_US }, { 0, INTERRUPT_US } };
	struct sigaction quiet = { .sa_handler = on_signal }, fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigset_t none;

	setsid();
	/* The line to the host is not a program's to stop or to write to. */
	dup2(0, 1);
	dup2(0, 2);
	/* System V objects and message queues outlive who made them, and interfaces and routes, but not their namespace. */
	own_network = !opens_door(p);
	if (unshare(CLONE_NEWIPC | (own_network ? CLONE_NEWNET : 0)) < 0 || chdir(folder) < 0)
		_exit(111);
	if (own_network)
		raise_loopback();
	make_files();
	set_limit(RLIMIT_AS, 768ul << 20);
	set_limit(RLIMIT_FSIZE, 64ul << 20);
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_NPROC, 64);
	if (p->user) {
		setgroups(0, NULL);
		if (setgid(p->user) < 0 || setuid(p->user) < 0)
			_exit(112);
		prctl(PR_SET_DUMPABLE, 1);
	}
	/* Who has no keyring for the session gets his user's, and a user's live for ever. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		_exit(113);
	mmap((void *)ARENA, ARENA_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mmap((void *)DATA, MAX_THREADS * DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGALRM, &quiet, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	running = p;
	memset(results, 0xff, sizeof(results));
	owned = 0;
	forked = false;
	uring_forget();
	own_add(getpid());
	run_all();
}

/* --- in the worker ---------------------------------------------------------------------------- */

void
execute_init(unsigned int worker)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	dup2(null, 0);
	close(null > 2 ? null : -1);
	snprintf(folder, sizeof(folder), "/fz%u", worker);
	mkdir(folder, 0777);
	for (unsigned int t = 0; t < MAX_THREADS; t++) {
		int fd = open("/dev/kcov", O_RDWR | O_CLOEXEC);

		if (fd < 0)
			continue;
		kcov[t] = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
		close(fd);
		if (ioctl(kcov[t], KCOV_INIT_TRACE, TRACE_WORDS) == 0)
			trace[t] = mmap(NULL, TRACE_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, kcov[t], 0);
		if (trace[t] == MAP_FAILED)
			trace[t] = NULL;
		else if (trace[t])
			madvise(trace[t], TRACE_WORDS * 8, MADV_DONTFORK);
	}
}

void
execute_compares(bool on)
{
	compares = on;
}

uint64_t *
execute_trace(unsigned int thread, uint64_t *count)
{
	if (!trace[thread]) {
		*count = 0;
		return NULL;
	}
	*count = trace[thread][0];
	if (*count > TRACE_WORDS - 1)
		*count = TRACE_WORDS - 1;
	return trace[thread] + 1;
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Kill every process whose parent we are. */
static void
kill_children(void)
{
	DIR *proc = opendir("/proc");
	pid_t self = getpid();

	for (struct dirent *e; proc && (e = readdir(proc));) {
		char name[300], text[512], *after;
		int fd, parent;
		ssize_t n;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(name, sizeof(name), "/proc/%s/stat", e->d_name);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		text[n] = '\0';
		after = strrchr(text, ')');
		if (after && sscanf(after + 2, "%*c %d", &parent) == 1 && parent == self)
			kill(atoi(e->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

static void
pause_ms(unsigned int ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigtimedwait(&chld, NULL, &ts);
}

/* Until `pid` has ended: a signal in between if the program asks for one, SIGKILL when it takes too long. */
static bool
wait_for(pid_t pid, const struct program *p)
{
	uint64_t start = now_ms(), now;
	bool signalled = !p->kill_signal, killed = false;

	for (unsigned int looks = 0;; looks++) {
		pid_t done = waitpid(pid, NULL, WNOHANG | __WALL);

		if (done == pid || (done < 0 && errno == ECHILD))
			return true;
		now = now_ms();
		if (!signalled && now - start >= p->kill_ms) {
			kill(-pid, (int)p->kill_signal);
			signalled = true;
		}
		if (now - start > LIMIT_MS && !killed) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			killed = true;
		}
		if (now - start > STUCK_MS && looks > STUCK_LOOKS)
			return false;
		pause_ms(signalled ? 4 : 1);
	}
}

/* Everything else that the program left. */
static bool
reap_rest(void)
{
	uint64_t start = now_ms();

	for (unsigned int looks = 0;; looks++) {
		pid_t done = waitpid(-1, NULL, WNOHANG | __WALL);

		if (done < 0 && errno == ECHILD)
			return true;
		if (done != 0)
			continue;
		kill_children();
		if (now_ms() - start > STUCK_MS && looks > STUCK_LOOKS)
			return false;
		pause_ms(1);
	}
}

/*
 * Whoever lives on in spite of SIGKILL: its state, what it waits in, in which call. The host asks kdb for the
 * kernel's stacks (tools/fuzz/look.py).
 */
static void
tell_threads(const char *pid)
{
	static const char *const files[] = { "stat", "wchan", "syscall" };
	char name[600], text[300];
	DIR *tasks;

	snprintf(name, sizeof(name), "/proc/%s/task", pid);
	tasks = opendir(name);
	for (struct dirent *e; tasks && (e = readdir(tasks));)
		for (size_t i = 0; e->d_name[0] != '.' && i < sizeof(files) / sizeof(files[0]); i++) {
			ssize_t n;
			int fd;

			snprintf(name, sizeof(name), "/proc/%s/task/%s/%s", pid, e->d_name, files[i]);
			fd = open(name, O_RDONLY | O_CLOEXEC);
			n = fd < 0 ? -1 : read(fd, text, sizeof(text));
			if (fd >= 0)
				close(fd);
			if (n > 0)
				report("  %s: %.*s", name, (int)n - (text[n - 1] == '\n'), text);
		}
	if (tasks)
		closedir(tasks);
}

static void
tell_stuck(void)
{
	DIR *proc = opendir("/proc");

	for (struct dirent *e; proc && (e = readdir(proc));)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			tell_threads(e->d_name);
	if (proc)
		closedir(proc);
}

void
execute_run(const struct program *p, struct progress *shared, struct run_result *r)
{
	uint64_t start = now_ms();
	pid_t pid;

	progress = shared;
	memset((void *)progress, 0, sizeof(*progress));
	for (unsigned int t = 0; t < MAX_THREADS; t++)
		if (trace[t])
			trace[t][0] = 0;
	if (mount("tmpfs", folder, "tmpfs", 0, "size=8m,mode=777") < 0)
		report("cannot mount on %s: %s", folder, strerror(errno));
	pid = fork();
	if (pid == 0)
		child(p);
	if (pid < 0)
		report("cannot fork: %s", strerror(errno));
	r->stuck = pid > 0 && !wait_for(pid, p);
	r->stuck |= !reap_rest();
	while (umount2(folder, MNT_DETACH) == 0)
		;
	if (r->stuck)
		tell_stuck();
	r->calls = progress->calls;
	r->ms = now_ms() - start;
}
