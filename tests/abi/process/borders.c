/* SPDX-License-Identifier: MIT */
/* prctl(PR_SET_MM): a program changes what the kernel keeps of where its parts lie. */
#include "../check.h"

#include <linux/prctl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static long
set_mm(unsigned long what, const void *at, unsigned long size)
{
	return prctl(PR_SET_MM, what, (unsigned long)at, size, 0ul);
}

/* The numbers of /proc/self/stat, from that of the process on; [n] is field n as proc(5) counts. */
static void
read_stat(unsigned long *fields, int count)
{
	char text[2048], *at;
	int fd = CHECK_OK(open("/proc/self/stat", O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, text, sizeof(text) - 1));

	close(fd);
	text[n] = '\0';
	at = strrchr(text, ')') + 3; /* past the state, field 3 */
	for (int i = 4; i < count; i++)
		fields[i] = strtoul(at + 1, &at, 10);
}

static void
borders_now(struct prctl_mm_map *m)
{
	unsigned long f[52];

	read_stat(f, 52);
	memset(m, 0, sizeof(*m));
	m->start_code = f[26];
	m->end_code = f[27];
	m->start_stack = f[28];
	m->start_data = f[45];
	m->end_data = f[46];
	m->start_brk = f[47];
	m->brk = (unsigned long)sbrk(0);
	m->arg_start = f[48];
	m->arg_end = f[49];
	m->env_start = f[50];
	m->env_end = f[51];
	m->exe_fd = (unsigned int)-1;
}

static ssize_t
read_whole(const char *name, char *out, size_t size)
{
	int fd = CHECK_OK(open(name, O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, out, size - 1));

	out[n] = '\0';
	close(fd);
	return n;
}

/* As a daemon does that wants a longer name than its arguments have room for. */
TEST(a_program_gives_itself_other_arguments)
{
	static const char name[] = "a name that is longer than the one it was started with";
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char seen[256];

	CHECK(page != MAP_FAILED);
	strcpy(page, name);
	/* The page lies below the stack: the start first, or there would be an end before a start. */
	CHECK_OK(set_mm(PR_SET_MM_ARG_START, page, 0));
	CHECK_OK(set_mm(PR_SET_MM_ARG_END, page + sizeof(name), 0));
	CHECK_EQ(read_whole("/proc/self/cmdline", seen, sizeof(seen)), sizeof(name));
	CHECK_STR(seen, name);
	CHECK_OK(set_mm(PR_SET_MM_ENV_START, page, 0));
	CHECK_OK(set_mm(PR_SET_MM_ENV_END, page + 6, 0));
	CHECK_EQ(read_whole("/proc/self/environ", seen, sizeof(seen)), 6);
	CHECK_STR(seen, "a name");
	CHECK_ERRNO(set_mm(PR_SET_MM_ENV_END, page - 1, 0), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_ARG_START, page + 4096, 0), EINVAL);
	/* A child has them too, a new program its own. */
	if (CHECK_OK(fork()) == 0) {
		read_whole("/proc/self/cmdline", seen, sizeof(seen));
		CHECK_STR(seen, name);
		_exit(0);
	}
	CHECK_OK(wait(NULL));
}

TEST(code_and_stack_begin_where_they_are_said_to)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long f[52], from, to;
	char cmdline[4096], line[512], rights[5];
	bool executable = false;
	long count = 0;

	CHECK(maps);
	read_stat(f, 52);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && f[26] >= from && f[26] < to)
			executable = rights[2] == 'x';
	CHECK_OK(fclose(maps));
	CHECK(executable);
	for (ssize_t n = read_whole("/proc/self/cmdline", cmdline, sizeof(cmdline)); n-- > 0;)
		count += cmdline[n] == '\0';
	CHECK_EQ(*(long *)f[28], count);
}

TEST(each_border_is_told)
{
	static const struct {
		int option, field;
	} told[] = {
		{ PR_SET_MM_START_CODE, 26 }, { PR_SET_MM_START_STACK, 28 }, { PR_SET_MM_START_DATA, 45 },
		{ PR_SET_MM_START_BRK, 47 }, { PR_SET_MM_ARG_START, 48 }, { PR_SET_MM_ENV_START, 50 },
	};
	unsigned long f[52];

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		unsigned long want;

		read_stat(f, 52);
		want = f[told[i].field] - 16;
		CHECK_OK(set_mm((unsigned long)told[i].option, (void *)want, 0));
		read_stat(f, 52);
		CHECK_EQ(f[told[i].field], want);
	}
	read_stat(f, 52);
	CHECK_OK(set_mm(PR_SET_MM_END_CODE, (void *)(f[27] + 8), 0));
	CHECK_OK(set_mm(PR_SET_MM_END_DATA, (void *)(f[46] + 8), 0));
	CHECK_OK(set_mm(PR_SET_MM_ENV_END, (void *)(f[51] - 1), 0));
	CHECK_OK(set_mm(PR_SET_MM_ARG_END, (void *)(f[49] - 1), 0));
	read_stat(f, 52);
	CHECK_ERRNO(set_mm(PR_SET_MM_END_CODE, (void *)f[26], 0), EINVAL);
	CHECK_OK(set_mm(PR_SET_MM_END_DATA, (void *)f[45], 0));
}

TEST(the_break_is_where_the_program_says)
{
	unsigned long old = (unsigned long)sbrk(0), page = 4096;

	CHECK_OK(set_mm(PR_SET_MM_BRK, (void *)(old + 16 * page), 0));
	CHECK_EQ(syscall(SYS_brk, 0), old + 16 * page);
	CHECK_EQ(syscall(SYS_brk, old + 17 * page), old + 17 * page);
	*(volatile char *)((old + 16 * page + 4095) & -page) = 1;
	CHECK_ERRNO(set_mm(PR_SET_MM_BRK, (void *)page, 0), EINVAL);
}

TEST(what_is_no_border)
{
	struct rlimit none = { 0, RLIM_INFINITY };
	char on_stack = 0;

	CHECK_ERRNO(set_mm(0, &on_stack, 0), EINVAL);
	CHECK_ERRNO(set_mm(16, &on_stack, 0), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_ARG_START, &on_stack, 1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_ARG_START, &on_stack, 0ul, 1ul), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_START_CODE, (void *)4096, 0), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_ENV_END, (void *)0x7ffffffff000, 0), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_ENV_END, (void *)-4096ul, 0), EINVAL);
	/* Nothing is mapped there or above. */
	CHECK_ERRNO(set_mm(PR_SET_MM_ENV_END, (void *)0x7fffffffefff, 0), EFAULT);
	CHECK_OK(setrlimit(RLIMIT_DATA, &none));
	CHECK_ERRNO(set_mm(PR_SET_MM_BRK, (char *)sbrk(0) + 4096, 0), EINVAL);
	check_drop_root();
	CHECK_ERRNO(set_mm(PR_SET_MM_ARG_START, &on_stack, 0), EPERM);
	CHECK_ERRNO(set_mm(PR_SET_MM_AUXV, &on_stack, 1), EPERM);
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)99, 0), EPERM);
}

TEST(the_auxiliary_vector_is_replaced)
{
	unsigned long v[4] = { AT_PAGESZ, 12345, 0, 0 }, seen[64], many[49] = { 0 };
	int fd;

	CHECK_OK(set_mm(PR_SET_MM_AUXV, v, sizeof(v)));
	fd = CHECK_OK(open("/proc/self/auxv", O_RDONLY));
	CHECK_EQ(read(fd, seen, sizeof(seen)), 32);
	CHECK_EQ(memcmp(seen, v, sizeof(v)), 0);
	CHECK_ERRNO(set_mm(PR_SET_MM_AUXV, many, sizeof(many)), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_AUXV, check_bad_address(), 16), EFAULT);
	/* What is not given is zero. */
	CHECK_OK(set_mm(PR_SET_MM_AUXV, v, 8));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, seen, sizeof(seen)), 32);
	CHECK_EQ(seen[1], 0);
	CHECK_OK(set_mm(PR_SET_MM_AUXV, v, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, seen, sizeof(seen)), 16);
}

TEST(all_borders_at_once)
{
	unsigned long v[2] = { AT_UID, 77 }, seen[8];
	struct prctl_mm_map m;
	unsigned int size = 0;
	char text[64];
	int fd;

	CHECK_OK(set_mm(PR_SET_MM_MAP_SIZE, &size, 0));
	CHECK_EQ(size, sizeof(m));
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP_SIZE, check_bad_address(), 0), EFAULT);
	borders_now(&m);
	strcpy(text, "together");
	m.arg_start = (unsigned long)text;
	m.arg_end = m.arg_start + 8;
	m.auxv = (void *)v;
	m.auxv_size = sizeof(v);
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m) - 1), EINVAL);
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, check_bad_address(), sizeof(m)), EFAULT);
	CHECK_OK(set_mm(PR_SET_MM_MAP, &m, sizeof(m)));
	CHECK_EQ(read_whole("/proc/self/cmdline", text + 16, 32), 8);
	CHECK_STR(text + 16, "together");
	fd = CHECK_OK(open("/proc/self/auxv", O_RDONLY));
	CHECK_EQ(read(fd, seen, sizeof(seen)), 32);
	CHECK_EQ(seen[1], 77);
	CHECK_EQ(seen[2], 0);
	m.auxv = NULL;
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m)), EINVAL);
	m.auxv_size = 0;
	m.env_end = m.env_start - 1;
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m)), EINVAL);
	m.env_end = m.env_start;
	m.end_code = m.start_code;
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m)), EINVAL);
	m.end_code++;
	m.exe_fd = 99;
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m)), EBADF);
	/* Whoever asks: only the file needs a right. */
	check_drop_root();
	CHECK_ERRNO(set_mm(PR_SET_MM_MAP, &m, sizeof(m)), EPERM);
	m.exe_fd = (unsigned int)-1;
	CHECK_OK(set_mm(PR_SET_MM_MAP, &m, sizeof(m)));
}

TEST(the_programs_file_stays_while_it_is_mapped)
{
	int plain = CHECK_OK(open("plain", O_RDWR | O_CREAT, 0600));
	int self = CHECK_OK(open("/proc/self/exe", O_RDONLY)), fds[2];

	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)99, 0), EBADF);
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)(long)plain, 0), EACCES);
	CHECK_OK(pipe(fds));
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)(long)fds[0], 0), EACCES);
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)(long)open("/", O_RDONLY), 0), EACCES);
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)(long)self, 0), EBUSY);
	CHECK_OK(fchmod(plain, 0700));
	CHECK_ERRNO(set_mm(PR_SET_MM_EXE_FILE, (void *)(long)plain, 0), EBUSY);
}
