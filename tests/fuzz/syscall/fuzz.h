/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - the system-call fuzzer: what its files share.
 *
 *	program   a sequence of calls, each on one of up to 4 threads, run by a child process
 *	call      a row of the kernel's table (kernel/linux/calls.h) and six values
 *	value     a number, the result of an earlier call, or a pointer to bytes or to further values
 *	kind      what an argument is: which flags, which sort of descriptor, which struct
 *
 * One process per CPU, a worker, generates or mutates a program, writes its text to a log that survives the
 * machine, runs it in a child and looks at the coverage. Workers share the coverage map and the corpus.
 * Everything below works on one program at a time, from memory that belongs to it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOBODY      65534 /* who the programs are that root does not run */
#define MAX_CALLS   32
#define MAX_THREADS 4
#define MAX_ITEMS   64
#define TEXT_SIZE   (15 * 1024)

/* Where a program's pointers lead: pages that it may map anew, and the bytes of its arguments. */
#define ARENA       0x40000000000ul
#define ARENA_PAGES 64
#define DATA        0x10000000000ul
#define DATA_SIZE   (128 * 1024ul) /* of each thread */

/* --- kinds ------------------------------------------------------------------------------------ */

enum kind_type {
	KIND_INT,     /* any number */
	KIND_FLAGS,   /* several of a set */
	KIND_CHOICE,  /* one of a set */
	KIND_CONST,   /* always n */
	KIND_RESOURCE,/* what an earlier call returned */
	KIND_PATH,
	KIND_BYTES,   /* a pointer to bytes */
	KIND_OUT,     /* a pointer to room for n bytes, 0: any number */
	KIND_LENGTH,
	KIND_PAGE,    /* an address in the arena */
	KIND_SIGNAL,
	KIND_ID,      /* a user or group */
	KIND_HANDLER, /* the address of a signal handler, or SIG_DFL or SIG_IGN */
	KIND_RESTORER,
	KIND_POINTER, /* to n structs of `fields`; 0: one to four */
};

struct named {
	const char *name;
	uint64_t n;
};

struct field {
	const struct kind *kind;
	uint8_t size;
};

struct kind {
	const char *name;
	enum kind_type type;
	const struct named *set;
	unsigned int set_size;
	uint64_t n;
	uint64_t resource;    /* R_* that fit */
	const char *layout;   /* KIND_POINTER: the fields as text */
	struct field *fields;
	unsigned int field_count;
};

/* Sorts of results. */
#define R_FILE    (1u << 0)
#define R_DIR     (1u << 1)
#define R_PIPE    (1u << 2)
#define R_SOCKET  (1u << 3)
#define R_EPOLL   (1u << 4)
#define R_EVENTFD (1u << 5)
#define R_TIMERFD (1u << 6)
#define R_SIGNALFD (1u << 7)
#define R_INOTIFY (1u << 8)
#define R_MEMFD   (1u << 9)
#define R_PIDFD   (1u << 10)
#define R_TTY     (1u << 11)
#define R_MQUEUE  (1u << 12)
#define R_URING   (1u << 13)
#define R_LISTENER (1u << 14) /* of seccomp's notices */
#define R_FANOTIFY (1u << 15)
#define R_FD      (0xffffu | R_UINPUT | R_EVDEV | R_BLOCK | R_VDUSE | R_FUSE | R_VFIO | R_INET | R_NETLINK | R_PACKET | R_TUN | R_DOOR)
#define R_PID     (1u << 16)
#define R_TIMER   (1u << 17)
#define R_WATCH   (1u << 18)
#define R_PKEY    (1u << 19)
#define R_BRK     (1u << 20)
#define R_SHM     (1u << 21)
#define R_SEM     (1u << 22)
#define R_MSG     (1u << 23)
#define R_AIO     (1u << 24)
#define R_KEY     (1u << 25)
#define R_UINPUT  (1u << 26)
#define R_EVDEV   (1u << 27)
#define R_BLOCK   (1u << 28) /* disks, and /dev/loop-control */
#define R_VDUSE   (1u << 29) /* devices, and their control */
#define R_FUSE    (1u << 30)
#define R_VFIO    (1u << 31)
#define R_INET    (1ul << 32)
#define R_NETLINK (1ul << 33)
#define R_PACKET  (1ul << 34)
#define R_TUN     (1ul << 35)
#define R_DOOR    (1ul << 36) /* /dev/netd */

enum special { PLAIN, SPECIAL_FORK, SPECIAL_VFORK, SPECIAL_CLONE, SPECIAL_CLONE3, SPECIAL_SIGRETURN };

/* Calls that the kernel does not know: the program's own deeds between its calls. */
#define PSEUDO_FILL  2000 /* fill(@page, "bytes"): store into the arena */
#define PSEUDO_TOUCH 2001 /* touch(@page): load from the arena */
#define PSEUDO_FRAME 2002 /* sigframe(&{place, value, ...}): a signal whose frame is changed before it is returned from */
#define PSEUDO_URING 2003 /* uring_*(fd, &{entries}, count, flags): written to the ring, then io_uring_enter() */

/* Where in a frame: an offset into the ucontext, or into the area that its fpstate points to. */
#define FRAME_FPU   0x1000u
#define FRAME_EDITS 4
#define MAX_SQES    4 /* that one uring_*() submits */

struct desc {
	unsigned int nr;
	const char *name;
	unsigned int args;
	const char *type[6], *arg[6];
	const struct kind *kind[6];
	uint64_t returns;        /* R_* */
	int out_arg;             /* the argument that two words are stored to, -1: none */
	uint64_t out;            /* R_* */
	enum special special;
	bool rare;               /* ends the program: chosen less often */
	bool chosen;             /* may be generated */
};

extern struct desc descs[];
extern unsigned int desc_count;

void kinds_init(void);
const struct kind *kind_of(const char *name);
const struct desc *desc_named(const char *name, size_t length);
/* From now on only these calls are generated: names with commas between. False: one is unknown. */
bool descs_choose(const char *names);
/* A constant's value by name; false: no set has it. */
bool constant_named(const char *name, size_t length, uint64_t *n);
extern const char *const producers[][2];  /* sort of result (as a kind's name), text of a call */

/* --- programs --------------------------------------------------------------------------------- */

enum form { FORM_INT, FORM_RESULT, FORM_SPECIAL, FORM_PAGE, FORM_BYTES, FORM_OUT, FORM_GROUP };
enum { SPECIAL_HANDLER, SPECIAL_RESTORER, SPECIAL_SELF, SPECIAL_TID, SPECIAL_WORDS };

/*
 *	FORM_INT      n
 *	FORM_RESULT   what call n (its id) returned; `sub` 1, 2: the words that it stored
 *	FORM_PAGE     ARENA + n
 *	FORM_BYTES    a pointer to `bytes`, n of them
 *	FORM_OUT      a pointer to n bytes of room
 *	FORM_GROUP    a pointer to the n values `items`, each stored in its `size` bytes
 */
struct value {
	uint8_t form, size, sub;
	const struct kind *kind; /* NULL: any number */
	uint64_t n;
	union {
		struct value *items;
		uint8_t *bytes;
	};
};

struct call {
	const struct desc *desc;
	uint16_t id;
	uint8_t thread;
	uint8_t fail;                /* this allocation of the call fails, from 1; 0: none */
	struct value arg[6];
};

struct program {
	unsigned int count, next_id;
	unsigned int user;           /* 0: root */
	unsigned int kill_ms, kill_signal; /* a signal from outside that long after the start; 0: none */
	struct call calls[MAX_CALLS];
	size_t used;
	uint8_t memory[48 * 1024];
};

void *program_memory(struct program *p, size_t size); /* NULL: full */
void program_clear(struct program *p);
void program_copy(struct program *to, const struct program *from);
void call_copy(struct program *to, struct call *c, const struct call *from);
void program_remove(struct program *p, unsigned int index);
bool program_insert(struct program *p, unsigned int at); /* an empty call there; false: full */
void program_check(struct program *p); /* results that are gone or later become numbers */

size_t program_print(const struct program *p, char *text, size_t size); /* length; 0: does not fit */
/* From text up to an empty line or its end. NULL: wrong, *error says why; else what follows. */
const char *program_parse(struct program *p, const char *text, const char **error);
bool number_parse(const char *text, uint64_t *n);
bool call_parse(struct program *p, struct call *c, const char *text);

void generate_program(struct program *p);
void mutate_program(struct program *p, const struct program *other);
/* Replace numbers of p that were compared with `from`. False: there is none. */
bool mutate_hint(struct program *p, uint64_t from, uint64_t to, unsigned int which);

/* --- running ---------------------------------------------------------------------------------- */

/* What the child tells while it runs: on a page shared with its worker. */
struct progress {
	volatile uint32_t at[MAX_THREADS];  /* call each thread is in, + 1; 0: none */
	volatile uint32_t calls;            /* returned so far */
	volatile uint32_t done;             /* threads that have ended */
};

struct run_result {
	bool stuck;            /* a process did not die */
	uint64_t calls;
	uint64_t ms;           /* that it took */
};

void execute_init(unsigned int worker);
void execute_run(const struct program *p, struct progress *progress, struct run_result *r);
/* The record of the last run: count words behind the pointer. */
uint64_t *execute_trace(unsigned int thread, uint64_t *count);
void execute_compares(bool on); /* the next runs record comparisons instead */
/* own_network: it is the program's, and ends with it. */
bool rule_allows(const struct desc *d, const uint64_t *arg, const int *own, unsigned int owned, bool own_network);

/* In the child: the kernel called by the instruction; n bytes stored, up to the first that cannot be. */
long raw_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
void raw_fill(uint64_t at, const void *from, size_t n);

struct io_uring_params;
void uring_forget(void);
void uring_remember(long fd, const struct io_uring_params *params);
/* What io_uring_enter() returns; -EBADF, -EFAULT: there was nothing to submit to. */
long uring_submit(long fd, const uint8_t *sqes, uint64_t count, uint64_t flags);

void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- random numbers: xorshift, one state per worker --------------------------------------------- */

extern uint64_t random_state;

static inline uint64_t
random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dul;
}

static inline uint64_t
below(uint64_t n)
{
	return (random64() >> 16) % n;
}

static inline bool
one_in(unsigned int n)
{
	return below(n) == 0;
}

#endif
