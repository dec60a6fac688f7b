/* SPDX-License-Identifier: MIT */
/*
 * program.c - files that say they are programs: execve refuses them, or they die, and that is all.
 */
#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "check.h"

enum { HEADERS = 5, TEXT_AT = 0x400, NAME_AT = 0x380, FILE_SIZE = 0x3000 };

/* A small program that exits with 42. */
struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[HEADERS];
	unsigned char rest[FILE_SIZE - sizeof(Elf64_Ehdr) - HEADERS * sizeof(Elf64_Phdr)];
};

static unsigned char *
at(struct image *m, size_t offset)
{
	return (unsigned char *)m + offset;
}

static void
make_image(struct image *m, const char *interpreter)
{
	static const unsigned char text[] = { 0x6a, 0x3c, 0x58, 0x6a, 0x2a, 0x5f, 0x0f, 0x05, 0xf4 };

	memset(m, 0, sizeof(*m));
	memcpy(m->e.e_ident, "\177ELF\2\1\1", 7);
	m->e.e_type = ET_EXEC;
	m->e.e_machine = EM_X86_64;
	m->e.e_version = 1;
	m->e.e_entry = 0x400000 + TEXT_AT;
	m->e.e_phoff = offsetof(struct image, p);
	m->e.e_ehsize = sizeof(m->e);
	m->e.e_phentsize = sizeof(m->p[0]);
	m->e.e_phnum = HEADERS;
	m->p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
		.p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000 };
	m->p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1000,
		.p_vaddr = 0x401000, .p_filesz = 0x1800, .p_memsz = 0x5000, .p_align = 0x1000 };
	m->p[2] = (Elf64_Phdr){ .p_type = interpreter ? PT_INTERP : PT_NULL, .p_offset = NAME_AT,
		.p_filesz = interpreter ? strlen(interpreter) + 1 : 0 };
	m->p[3] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	m->p[4] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x200, .p_vaddr = 0x400200, .p_filesz = 64,
		.p_memsz = 64 };
	if (interpreter)
		strcpy((char *)at(m, NAME_AT), interpreter);
	memcpy(at(m, TEXT_AT), text, sizeof(text));
}

/* The status that running `m` ends with; 55: execve refused. */
static int
run_image(const struct image *m, size_t size)
{
	pid_t pid;
	int status, fd;

	unlink("program");
	fd = CHECK_OK(open("program", O_WRONLY | O_CREAT, 0755));
	check_write_all(fd, m, size);
	CHECK_OK(close(fd));
	pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "program", NULL };

		alarm(5);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		execve("program", argv, NULL);
		_exit(55);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM);
	return status;
}

TEST(small_program_runs)
{
	struct image m;

	make_image(&m, NULL);
	CHECK_EQ(WEXITSTATUS(run_image(&m, sizeof(m))), 42);
}

static uint64_t seed = 88172645463325252;

static uint64_t
random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1d >> 8;
}

static uint64_t
odd_number(void)
{
	static const uint64_t odd[] = {
		0, 1, 7, 0x38, 0xfff, 0x1000, 0x1001, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffe000, 0x7ffffffff000, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000,
		0xffff800000000000, 0xffffffff80000000, 0xfffffffffffff000, 0xffffffffffffffff,
	};

	return random_number() % 4 ? odd[random_number() % (sizeof(odd) / sizeof(odd[0]))] :
				     random_number();
}

/* Headers with words replaced, files cut anywhere. */
TEST(spoiled_program_headers)
{
	struct image m;

	TIMEOUT(100);
	for (int i = 0; i < 400; i++) {
		make_image(&m, random_number() % 4 ? NULL : "/bin/sh");
		for (uint64_t n = random_number() % 3 + 1; n > 0; n--) {
			size_t width = random_number() % 2 ? 8 : random_number() % 2 ? 4 : 2;
			size_t where = random_number() % (offsetof(struct image, rest) / width) * width;
			uint64_t v = odd_number();

			if (where < 8)
				continue;
			memcpy(at(&m, where), &v, width);
		}
		run_image(&m, random_number() % 5 ? sizeof(m) : random_number() % sizeof(m));
	}
}

TEST(many_and_overlapping_segments)
{
	static unsigned char file[65536 * 56 + 4096];
	struct image m;
	int fd, status;

	make_image(&m, NULL);
	/* Both segments in one place; the later one wins or the exec is refused. */
	m.p[1].p_vaddr = 0x400000;
	run_image(&m, sizeof(m));
	m.p[1].p_vaddr = 0x3ff000;
	run_image(&m, sizeof(m));
	make_image(&m, NULL);
	m.e.e_phnum = 65535;
	memcpy(file, &m, sizeof(m));
	fd = CHECK_OK(open("many", O_WRONLY | O_CREAT, 0755));
	check_write_all(fd, file, sizeof(file));
	CHECK_OK(close(fd));
	pid_t pid = check_fork();
	if (pid == 0) {
		execl("many", "many", (char *)NULL);
		_exit(55);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 55 || WEXITSTATUS(status) == 42);
}

TEST(interpreters_that_lead_nowhere)
{
	char self[4096], *where = getcwd(self, sizeof(self) - 10);
	struct image m;
	int status;

	CHECK(where != NULL);
	strcat(self, "/program");
	if (strlen(self) < 100) {
		/* Its own interpreter: it runs, once. */
		make_image(&m, self);
		status = run_image(&m, sizeof(m));
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 55);
	}
	static const char *const names[] = { "/", "/dev/null", "/proc/self/mem", "/proc/self/exe", "", "none" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_image(&m, names[i]);
		status = run_image(&m, sizeof(m));
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 55 || strcmp(names[i], "/proc/self/exe") == 0);
	}
	/* Names without an end, without a beginning, of all sizes. */
	static const uint64_t sizes[] = { 0, 1, 2, 4095, 4096, 4097, 1ul << 31, 1ul << 62, ~0ul };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_image(&m, "/bin/sh");
		memset(at(&m, NAME_AT), 'x', 64);
		m.p[2].p_filesz = sizes[i];
		status = run_image(&m, sizeof(m));
		CHECK_EQ(WEXITSTATUS(status), 55);
	}
	/* A script for an interpreter. */
	int fd = CHECK_OK(open("script", O_WRONLY | O_CREAT, 0755));
	check_write_all(fd, "#!/bin/sh\n", 10);
	CHECK_OK(close(fd));
	make_image(&m, "./script");
	CHECK_EQ(WEXITSTATUS(run_image(&m, sizeof(m))), 55);
}
