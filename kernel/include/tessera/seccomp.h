/* SPDX-License-Identifier: MIT */
/*
 * seccomp.h - threads that may make only some calls: proc/'s door for linux/ and the dispatcher.
 */
#ifndef TESSERA_SECCOMP_H
#define TESSERA_SECCOMP_H

#include <tessera/types.h>

struct bpf_instruction;
struct process;
struct seccomp_filter;
struct thread;
struct trap_frame;

/* thread->seccomp_mode, Linux's values; DEAD: being killed for a forbidden call, makes no other. */
enum seccomp_mode { SECCOMP_NONE, SECCOMP_STRICT, SECCOMP_FILTER, SECCOMP_DEAD };

/* What a filter answers: an action in the high half, its data in the low one. The lower, the stronger. */
#define SECCOMP_KILL_PROCESS 0x80000000u
#define SECCOMP_KILL_THREAD  0x00000000u
#define SECCOMP_TRAP         0x00030000u
#define SECCOMP_ERRNO        0x00050000u
#define SECCOMP_USER_NOTIFY  0x7fc00000u
#define SECCOMP_TRACE        0x7ff00000u
#define SECCOMP_LOG          0x7ffc0000u
#define SECCOMP_ALLOW        0x7fff0000u
#define SECCOMP_ACTION       0xffff0000u
#define SECCOMP_DATA         0x0000ffffu

/* What a filter looks at. */
struct seccomp_data {
	int32_t number;
	uint32_t arch;
	uint64_t instruction_pointer;
	uint64_t args[6];
};

/* How a filter is installed. */
#define SECCOMP_SYNC          BIT(0) /* all threads of the process get the caller's chain */
#define SECCOMP_LOGGED        BIT(1) /* what it does not allow is logged */
#define SECCOMP_SPECULATE     BIT(2) /* no mitigation is asked for: there is none */
#define SECCOMP_LISTEN        BIT(3) /* a handle on which to answer for it */
#define SECCOMP_SYNC_ESRCH    BIT(4) /* a thread that cannot be synchronised: -ESRCH, not its number */
#define SECCOMP_WAIT_KILLABLE BIT(5) /* who waits for an answer that has been begun is woken by death only */

/*
 * Add a filter to the caller's chain. `p`, n checked instructions, is copied. 0, the handle of a listener,
 * the tid of a thread that could not be synchronised, or -EINVAL (strict mode), -ENOMEM (chain too long),
 * -EBUSY (the chain has a listener), -ESRCH, -EMFILE, -EINTR.
 */
long seccomp_add_filter(const struct bpf_instruction *p, uint32_t n, uint32_t flags);
long seccomp_set_strict(void); /* -EINVAL: filtered already */
bool seccomp_may_filter(void);  /* no_new_privs, or CAP_SYS_ADMIN */

/*
 * May the call that `f` asks for be made? False: *result is what it answers instead, or the thread ends.
 * Of the calling thread, if it has CALL_WORK_SECCOMP.
 */
bool seccomp_enter(struct trap_frame *f, long *result);

/* `t`, not seen by anybody yet, gets what the caller has. The caller's process->lock is held. */
void seccomp_inherit_locked(struct thread *t);
void seccomp_release(struct thread *t); /* it is gone, or was never seen */
uint32_t seccomp_filter_count(const struct thread *t); /* process->lock is held, or of the caller */

/*
 * The filters of a thread, counted from the oldest, for who saves programs. The number of instructions, with a copy
 * of them in *out, kmalloc'd, unless that is NULL; whether what it refuses is logged. -EINVAL: not filtered, -ENOENT.
 */
struct bpf_instruction;
long seccomp_program(struct thread *t, uint64_t index, struct bpf_instruction **out);
int seccomp_is_logged(struct thread *t, uint64_t index);

/* Which actions are logged if a filter asks for it; /proc/sys/kernel/seccomp/actions_logged. */
struct seccomp_action_name {
	uint32_t action;
	const char *name;
};
#define SECCOMP_ACTIONS 8
extern const struct seccomp_action_name seccomp_actions[SECCOMP_ACTIONS];
extern uint32_t seccomp_logged; /* [a] bit per entry of seccomp_actions */

/* --- listeners (seccomp_notify.c), Linux's layouts ------------------------------------------------ */

struct seccomp_notification {
	uint64_t id;
	uint32_t pid, flags;
	struct seccomp_data data;
};

struct seccomp_response {
	uint64_t id;
	int64_t value;
	int32_t error;
	uint32_t flags;
};

#endif
