/* SPDX-License-Identifier: MIT */
/*
 * init.c - the first program: a kernel thread that becomes process 1.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/string.h>
#include <tessera/sysv.h>

#include "exec.h"
#include "proc.h"

static char init_path[128]; /* [I] once process 1 was started */
static const char *const environment[] = { "HOME=/", "TERM=linux", NULL };

/* Standard input, output and error on the console. A system without one still starts. */
static void
open_console(void)
{
	for (int i = 0; i < 3; i++) {
		struct file *f;
		int error = vfs_open(AT_FDCWD, "/dev/console", O_RDWR, 0, LOOKUP_FOLLOW, &f);

		if (error) {
			pr_warn("/dev/console cannot be opened (error %d): process 1 starts without\n",
				-error);
			return;
		}
		if (handle_open(f, RIGHT_ALL, false) < 0)
			file_put(f);
	}
}

static void
run_init(void *arg)
{
	const char *const arguments[] = { init_path, NULL };
	struct exec_source argv = { .kernel = arguments }, envp = { .kernel = environment };
	long error;

	open_console();
	error = exec_program(AT_FDCWD, init_path, &argv, &envp, 0);
	if (error)
		panic("%s cannot be started as process 1: error %ld", init_path,
		      -error);
	arch_enter_user(arch_user_frame(current_thread()));
}

/*
 * Process 1 starts in group 0 of session 0, which have no place among the numbers, so that it may call
 * setsid() like any other program.
 */
static void
join_tree(struct process *p, struct thread *t)
{
	struct session *s;
	struct process_group *g;
	struct pid_slot *slot;
	uint64_t flags;
	pid_t pid;

	spin_lock(&process_tree_lock);
	pid = pid_alloc_locked(&(pid_t){ 1 }, 1, &init_pid_namespace);
	spin_unlock(&process_tree_lock);
	s = session_create(0);
	g = s ? group_create(0, s) : NULL;
	if (pid != 1 || !g)
		panic("no memory for process 1");
	spin_lock(&process_tree_lock);
	slot = pid_slot_locked(1);
	slot->process = p;
	slot->thread = t;
	p->pid = p->local_pid = t->tid = t->local_tid = 1;
	p->pid_ns = &init_pid_namespace;
	namespace_get(&p->pid_ns->ns);
	pid_namespace_join_locked(p);
	process_publish_locked(p, NULL);
	group_attach_locked(p, g);
	spin_lock(&p->lock);
	flags = spin_lock_irq(&p->signal_lock);
	process_add_thread_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
	thread_get(t);
	p->leader = t;
	spin_unlock(&p->lock);
	user_charge_locked(0, 1);
	spin_unlock(&process_tree_lock);
	group_put(g);
	session_put(s);
}

void
process_start_init(const char *path)
{
	struct process *p = process_alloc();
	struct thread *t = thread_create_kernel("init", run_init, NULL);

	if (!p || !t)
		panic("no memory for process 1");
	p->handles = handle_table_create();
	p->fs = fs_context_copy(NULL);
	p->actions = actions_create();
	p->ipc = &init_ipc_namespace;
	ipc_namespace_get(p->ipc);
	p->namespaces = &init_namespaces;
	namespaces_get(p->namespaces);
	if (!p->handles || !p->fs || !p->actions)
		panic("no memory for process 1");
	string_copy(init_path, path, sizeof(init_path));
	if (boot_flag("norandmaps"))
		randomize_va_space = 0;
	t->process = p;
	process_get(p);
	t->cred = &init_cred;
	cred_get(&init_cred);
	signal_queue_init(&t->pending);
	list_init(&t->process_node);
	list_init(&t->pi_held);
	t->altstack.flags = 2; /* SS_DISABLE */
	t->timer_slack_ns = 50000;
	t->syscall_number = UINT64_MAX;
	join_tree(p, t);
	init_process = p;
	thread_start(t);
}
