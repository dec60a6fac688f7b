/* SPDX-License-Identifier: MIT */
/*
 * exec.h - what the parts of exec hand to each other.
 */
#ifndef TESSERA_PROC_EXEC_H
#define TESSERA_PROC_EXEC_H

#include <tessera/elf.h>
#include <tessera/types.h>

struct address_space;
struct cred;
struct file;

/* Where strings come from: a user array of pointers, or, for the first program, a kernel one. */
struct exec_source {
	const char *const *kernel;  /* NULL-terminated; NULL: `user` */
	vaddr_t user;               /* 0: an empty array */
};

/*
 * All strings of the new program, one after another as they will lie on its stack: arguments,
 * environment, file name.
 */
struct exec_args {
	char *data;
	size_t used, capacity, limit;
	size_t env_offset, name_offset; /* where the environment and the file name begin */
	uint32_t argc, envc;
};

int exec_args_init(struct exec_args *a);
void exec_args_free(struct exec_args *a);
int exec_args_add(struct exec_args *a, const char *s);                     /* -E2BIG, -ENOMEM */
int exec_args_add_source(struct exec_args *a, const struct exec_source *from, uint32_t skip,
			 uint32_t *count);                                  /* ... -EFAULT */

/* --- exec_script.c --- */

#define SCRIPT_LINE_MAX  256
#define SCRIPT_DEPTH_MAX 5

struct script_line {
	char text[SCRIPT_LINE_MAX + 1];
	const char *interpreter;
	const char *argument;       /* NULL: none */
};
/* Split the first `n` bytes of a file that begins with "#!". 0 or -ENOEXEC. */
int script_parse(const char *head, size_t n, struct script_line *out);

/* --- exec_elf.c --- */

/* An ELF file being loaded: its headers read and checked. */
struct elf_image {
	struct file *file;
	struct elf_header header;
	struct elf_segment *segments; /* kmalloc'd */
	struct elf_plan plan;
	uint64_t bias;                /* where it is: added to the file's addresses */
};
int elf_image_read(struct elf_image *e, struct file *f);
void elf_image_free(struct elf_image *e);
/* Map all segments at e->bias. 0 or an errno. */
int elf_image_map(struct elf_image *e, struct address_space *as);

/* A program laid out in a new address space, ready to be entered. */
struct exec_layout {
	struct address_space *as;
	struct elf_image main, interp; /* interp.file NULL: none */
	vaddr_t entry, stack_top, stack; /* `stack` is where it begins */
	bool randomize;
};
/* Lay out the program: segments, interpreter, stack with its contents, vDSO. 0 or an errno. */
int exec_layout_build(struct exec_layout *l, const struct exec_args *args, const struct cred *cred,
		      bool secure);

/* --- exec_cred.c --- */

/* --- exec.c --- */

struct path;
/* Open a file to be executed: regular, executable by the caller, not on a noexec mount. -EACCES ... . */
long exec_program(int dirfd, const char *path, const struct exec_source *argv,
		  const struct exec_source *envp, int flags);
int exec_open(const struct path *p, struct file **out);

/* The credentials that the caller will have in a program from `f`; *secure: AT_SECURE. ERR_PTR: -ENOMEM,
 * -EPERM: the file's capabilities are not to be had, and it could not tell. */
struct cred *exec_cred(struct file *f, bool *secure);

#endif
