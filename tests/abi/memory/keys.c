/* SPDX-License-Identifier: MIT */
/*
 * keys.c - protection keys: pages that threads may do without, each for itself.
 */
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "check.h"

enum { KEYS = 16, NO_ACCESS = 1, NO_WRITE = 2 };

/* The instructions exist only where the system has switched keys on. */
static bool
have_keys(void)
{
	unsigned int a = 7, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c & 1 << 4;
}

static unsigned int
rights_read(void)
{
	unsigned int value, zero;

	if (!have_keys())
		return 0;
	__asm__ volatile("rdpkru" : "=a"(value), "=d"(zero) : "c"(0));
	return value;
}

static void
rights_write(unsigned int value)
{
	if (have_keys())
		__asm__ volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory");
}

static void
rights_set(int key, unsigned int rights)
{
	rights_write((rights_read() & ~(3u << (2 * key))) | rights << (2 * key));
}

static int
key_new(unsigned int rights)
{
	int key = pkey_alloc(0, rights);

	if (key == -1 && (errno == ENOSPC || errno == ENOSYS))
		SKIP("this processor has no protection keys");
	return CHECK_OK(key);
}

static char *
page_new(int prot)
{
	return CHECK_OK(mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static sigjmp_buf back;
static siginfo_t seen;
static unsigned int rights_in_handler;

static void
jump_back(int sig __attribute__((unused)), siginfo_t *info, void *context __attribute__((unused)))
{
	rights_in_handler = rights_read();
	seen = *info;
	siglongjmp(back, 1);
}

/* What touching `p` leads to: si_code of the signal, 0 for none. The rights are as before then. */
static int
touch(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned int rights = rights_read();
	volatile int code = 0;

	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*p = 1;
		else
			(void)*p;
	} else {
		code = seen.si_code;
		CHECK(seen.si_addr == p);
	}
	rights_write(rights);
	CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
	return code;
}

TEST(key_refuses_reading_and_writing)
{
	int key = key_new(0);
	char *p = page_new(PROT_READ | PROT_WRITE);

	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	for (int touched = 0; touched < 2; touched++) {
		rights_set(key, NO_WRITE);
		CHECK_EQ(touch(p, false), 0);
		CHECK_EQ(touch(p, true), SEGV_PKUERR);
		CHECK_EQ(seen.si_pkey, key);
		rights_set(key, NO_ACCESS);
		CHECK_EQ(touch(p, false), SEGV_PKUERR);
		CHECK_EQ(seen.si_pkey, key);
		CHECK_EQ(touch(p, true), SEGV_PKUERR);
		rights_set(key, 0);
		CHECK_EQ(touch(p, true), 0);
		CHECK_EQ(*p, 1);
	}
}

TEST(key_comes_with_rights)
{
	char *p = page_new(PROT_READ | PROT_WRITE);

	for (unsigned int rights = 0; rights < 4; rights++) {
		int key = key_new(rights);

		CHECK_EQ(rights_read() >> (2 * key) & 3, rights);
		CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
		CHECK_EQ(touch(p, false), rights & NO_ACCESS ? SEGV_PKUERR : 0);
		CHECK_EQ(touch(p, true), rights ? SEGV_PKUERR : 0);
	}
}

TEST(keys_run_out_and_come_back)
{
	int keys[KEYS], n = 0;

	keys[n++] = key_new(0);
	while (n < KEYS && (keys[n] = pkey_alloc(0, 0)) >= 0)
		n++;
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(n, KEYS - 1);
	for (int i = 0; i < n; i++)
		CHECK_EQ(keys[i], i + 1);
	CHECK_OK(pkey_free(keys[4]));
	CHECK_ERRNO(pkey_free(keys[4]), EINVAL);
	CHECK_EQ(pkey_alloc(0, 0), keys[4]);
	CHECK_ERRNO(pkey_alloc(0, 0), ENOSPC);
}

TEST(keys_that_are_not_keys)
{
	char *p = page_new(PROT_READ | PROT_WRITE);

	CHECK_ERRNO(pkey_alloc(1, 0), EINVAL);
	CHECK_ERRNO(pkey_alloc(0, 4), EINVAL);
	CHECK_ERRNO(pkey_alloc(0, ~0u), EINVAL);
	CHECK_ERRNO(pkey_free(-1), EINVAL);
	CHECK_ERRNO(pkey_free(5), EINVAL);
	CHECK_ERRNO(pkey_free(KEYS), EINVAL);
	CHECK_ERRNO(pkey_free(1000), EINVAL);
	CHECK_ERRNO(pkey_mprotect(p, 4096, PROT_READ, 5), EINVAL);
	CHECK_ERRNO(pkey_mprotect(p, 4096, PROT_READ, KEYS), EINVAL);
	CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, -2), EINVAL);
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ, -1));
	CHECK_EQ(touch(p, true), SEGV_ACCERR);
}

/* Whether or not there are keys: without them not even key 0 exists. */
TEST(key_zero_is_as_real_as_the_others)
{
	char *p = page_new(PROT_READ | PROT_WRITE);
	int key = pkey_alloc(0, 0);
	bool keys = key >= 0;

	CHECK(keys || errno == ENOSPC);
	if (!keys) {
		CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, 0), EINVAL);
		CHECK_ERRNO(pkey_free(0), EINVAL);
		return;
	}
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, 0));
	CHECK_OK(pkey_free(0));
	CHECK_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_WRITE, 0), EINVAL);
	CHECK_EQ(pkey_alloc(0, 0), 0);
}

TEST(mprotect_keeps_the_key)
{
	int key = key_new(NO_ACCESS);
	char *p = page_new(PROT_READ | PROT_WRITE);

	*p = 7;
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_EQ(touch(p, false), SEGV_PKUERR);
	/* Refused by both: the key is named. */
	CHECK_EQ(touch(p, true), SEGV_PKUERR);
	rights_set(key, 0);
	CHECK_EQ(touch(p, true), SEGV_ACCERR);
	CHECK_EQ(*p, 7);
}

TEST(key_moves_with_the_mapping)
{
	int key = key_new(NO_ACCESS);
	char *p = page_new(PROT_READ | PROT_WRITE), *q;

	*p = 7;
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	q = CHECK_OK(mremap(p, 4096, 8192, MREMAP_MAYMOVE));
	CHECK_EQ(touch(q, false), SEGV_PKUERR);
	CHECK_EQ(touch(q + 4096, false), SEGV_PKUERR);
	/* A fresh mapping in its place has key 0. */
	CHECK_OK(mmap(q, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CHECK_EQ(touch(q, true), 0);
}

TEST(part_of_a_mapping_gets_a_key)
{
	int key = key_new(NO_ACCESS);
	char *p = CHECK_OK(mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(p, 3, 8 << 20);
	CHECK_OK(pkey_mprotect(p + (3 << 20), 4096, PROT_READ | PROT_WRITE, key));
	CHECK_EQ(touch(p + (3 << 20) - 1, false), 0);
	CHECK_EQ(touch(p + (3 << 20), false), SEGV_PKUERR);
	CHECK_EQ(touch(p + (3 << 20) + 4095, false), SEGV_PKUERR);
	CHECK_EQ(touch(p + (3 << 20) + 4096, false), 0);
	CHECK_OK(pkey_mprotect(p + (3 << 20), 4096, PROT_READ | PROT_WRITE, 0));
	CHECK_EQ(touch(p + (3 << 20), true), 0);
}

/* The kernel does by a thread's leave what the thread may do. */
TEST(system_calls_obey_the_key)
{
	int key = key_new(0), fds[2];
	char *p = page_new(PROT_READ | PROT_WRITE);

	CHECK_OK(pipe(fds));
	*p = 5;
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	rights_set(key, NO_ACCESS);
	CHECK_ERRNO(write(fds[1], p, 1), EFAULT);
	rights_set(key, NO_WRITE);
	CHECK_EQ(write(fds[1], p, 1), 1);
	CHECK_ERRNO(syscall(SYS_getrandom, p, 8, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, p), EFAULT);
	rights_set(key, 0);
	CHECK_EQ(read(fds[0], p, 1), 1);
	CHECK_EQ(*p, 5);
}

static void *
look(void *arg)
{
	CHECK_EQ(rights_read(), *(unsigned int *)arg);
	rights_write(0x55555554);
	return NULL;
}

TEST(rights_belong_to_a_thread)
{
	int key = key_new(0);
	unsigned int mine;
	pthread_t t;

	rights_set(key, NO_WRITE);
	mine = rights_read();
	CHECK_RETURNS(pthread_create(&t, NULL, look, &mine), 0);
	CHECK_RETURNS(pthread_join(t, NULL), 0);
	CHECK_EQ(rights_read(), mine);
}

static volatile bool finished;

static void *
switch_about(void *arg)
{
	unsigned int mine = 0x55555554u & ~(3u << (unsigned int)(uintptr_t)arg * 2);

	rights_write(mine);
	while (!finished) {
		sched_yield();
		CHECK_EQ(rights_read(), mine);
	}
	return NULL;
}

TEST(rights_survive_switches)
{
	pthread_t t[6];

	key_new(0);
	for (uintptr_t i = 0; i < 6; i++)
		CHECK_RETURNS(pthread_create(&t[i], NULL, switch_about, (void *)(i + 1)), 0);
	check_sleep_ms(100);
	finished = true;
	for (int i = 0; i < 6; i++)
		CHECK_RETURNS(pthread_join(t[i], NULL), 0);
}

TEST(rights_and_keys_after_fork)
{
	int key = key_new(NO_WRITE);
	char *p = page_new(PROT_READ | PROT_WRITE);
	unsigned int mine = rights_read();

	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(rights_read(), mine);
		CHECK_EQ(touch(p, true), SEGV_PKUERR);
		CHECK_EQ(pkey_alloc(0, 0), key + 1);
		CHECK_OK(pkey_free(key));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(pkey_alloc(0, 0), key + 1);
}

HELPER(initial_rights)
{
	CHECK_EQ(rights_read(), 0x55555554);
	CHECK_EQ(pkey_alloc(0, 0), 1);
}

TEST(rights_and_keys_after_exec)
{
	key_new(0);
	key_new(0);
	rights_write(0);
	pid_t pid = check_fork();
	if (pid == 0) {
		execl("/proc/self/exe", "t", "--helper", "initial_rights", (char *)NULL);
		_exit(9);
	}
	CHECK_EXIT(pid, 0);
}

/* A handler starts with the rights a program starts with; what it interrupted gets its own back. */
TEST(rights_in_signal_handlers)
{
	int key = key_new(0);
	char *p = page_new(PROT_READ | PROT_WRITE);

	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	rights_write(0x55555554u & ~(3u << (2 * key)));
	unsigned int mine = rights_read();
	CHECK_EQ(touch(NULL, true), SEGV_MAPERR);
	CHECK_EQ(rights_in_handler, 0x55555554);
	CHECK_EQ(rights_read(), mine);
}

static unsigned int in_frame;

static void
change_frame(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *u = context;
	unsigned char *image = (unsigned char *)u->uc_mcontext.fpregs;
	unsigned int a = 0xd, b, c = 9, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	memcpy(&in_frame, image + b, 4);
	unsigned int wanted = 0x55555550;
	memcpy(image + b, &wanted, 4);
	uint64_t present;
	memcpy(&present, image + 512, 8);
	present |= 1 << 9;
	memcpy(image + 512, &present, 8);
}

TEST(rights_in_the_signal_frame)
{
	struct sigaction sa = { .sa_sigaction = change_frame, .sa_flags = SA_SIGINFO };

	key_new(0);
	rights_write(0x55555540);
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(in_frame, 0x55555540);
	CHECK_EQ(rights_read(), 0x55555550);
}

/* No rights to the stack: a handler cannot be run there. */
TEST(signal_without_rights_to_the_stack)
{
	key_new(0);
	pid_t pid = check_fork();
	if (pid == 0) {
		struct sigaction sa = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO };

		CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
		rights_write(0x55555555);
		__asm__ volatile("push %%rax; pop %%rax" ::: "memory");
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

/* mov $42, %eax; ret */
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

TEST(execute_only_memory_cannot_be_read)
{
	char *p = page_new(PROT_READ | PROT_WRITE);
	int key = key_new(0);

	memcpy(p, code, sizeof(code));
	CHECK_OK(mprotect(p, 4096, PROT_EXEC));
	CHECK_EQ(((int (*)(void))(void *)p)(), 42);
	CHECK_EQ(touch(p, false), SEGV_PKUERR);
	/* The kernel's key is not the program's. */
	CHECK_EQ(seen.si_pkey, key + 1);
	CHECK_ERRNO(pkey_free(key + 1), EINVAL);
	CHECK_ERRNO(pkey_mprotect(p, 4096, PROT_READ, key + 1), EINVAL);
	CHECK_OK(mprotect(p, 4096, PROT_READ));
	CHECK_EQ(touch(p, false), 0);
	/* Also one that was born so. */
	char *q = page_new(PROT_EXEC);
	CHECK_EQ(touch(q, false), SEGV_PKUERR);
	CHECK_EQ(seen.si_pkey, key + 1);
}

TEST(key_is_shown_in_smaps)
{
	static char text[1 << 20];
	int key = key_new(0);
	char *p = page_new(PROT_READ | PROT_WRITE), start[40], *at;

	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	check_read_file("/proc/self/smaps", text, sizeof(text));
	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	at = strstr(text, start);
	CHECK(at != NULL);
	at = strstr(at, "ProtectionKey:");
	CHECK(at != NULL);
	CHECK_EQ(atoi(at + strlen("ProtectionKey:")), key);
}

/* Another's memory is not read by one's own leave. */
TEST(keys_do_not_guard_against_proc_mem)
{
	int key = key_new(NO_ACCESS);
	char *p = page_new(PROT_READ | PROT_WRITE), c = 0;
	int fd = CHECK_OK(open("/proc/self/mem", O_RDONLY));

	*p = 9;
	CHECK_OK(pkey_mprotect(p, 4096, PROT_READ | PROT_WRITE, key));
	CHECK_EQ(pread(fd, &c, 1, (off_t)(uintptr_t)p), 1);
	CHECK_EQ(c, 9);
}
