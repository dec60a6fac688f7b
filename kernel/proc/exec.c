/* SPDX-License-Identifier: MIT */
/*
 * exec.c - replacing a process's program.
 *
 *   1  find and open the file; follow "#!" lines to the file that is an ELF
 *   2  copy arguments and environment out of the old program
 *   3  lay the new program out in an address space of its own
 *   4  end the other threads; take the process's number over if another thread led it
 *      ---- up to here every failure is an errno; from here on nothing can fail ----
 *   5  give up what belongs to the old program, install the new memory and credentials
 *
 * exec_lock is held throughout: one exec at a time in a process. A second thread that execs meanwhile
 * sleeps killably and is ended in step 4 of the first.
 */
#include <tessera/address_space.h>
#include <tessera/aio.h>
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/user_dispatch.h>
#include <tessera/trace.h>
#include <tessera/uaccess.h>
#include <tessera/uring.h>

#include "exec.h"
#include "proc.h"

#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EMPTY_PATH       0x1000
#define PER_CLEAR_ON_SETID  0x06d40000u /* no randomisation control and such across a change of user */

/* --- the file --------------------------------------------------------------------------------- */

int
exec_open(const struct path *p, struct file **out)
{
	struct inode *i = p->dentry->inode;
	struct file *f;
	int error;

	if (!S_ISREG(i->mode) || (READ_ONCE(p->mount->flags) & MOUNT_NOEXEC))
		return S_ISLNK(i->mode) ? -ELOOP : -EACCES;
	error = vfs_permission(i, MAY_EXEC);
	if (error)
		return error;
	error = vfs_open_exec(p, &f);
	if (error)
		return error;
	/*
	 * A file being executed is not written, and the other way round. (1) we count ourselves, (2) look
	 * for writers; an open for writing (3) counts itself, (4) looks for us: one of the two sees the
	 * other. The count goes back when the open object is released.
	 */
	atomic_add(&i->deny_write, 1);         /* (1) */
	f->mode |= FILE_EXEC;
	if (atomic_load(&i->writers) > 0) {    /* (2) */
		file_put(f);
		return -ETXTBSY;
	}
	*out = f;
	return 0;
}

int
process_set_exe(struct file *given)
{
	struct address_space *as = current_process()->as;
	struct file *f;
	int error;

	if (!given->inode || !given->dentry || !S_ISREG(given->inode->mode))
		return -EACCES;
	error = exec_open(&(struct path){ given->mount, given->dentry }, &f);
	if (error && error != -ETXTBSY)
		return error;
	if (address_space_maps_exe(as)) {
		if (!error)
			file_put(f);
		return -EBUSY;
	}
	if (error)
		return -EACCES;
	address_space_set_exe(as, f);
	return 0;
}

static int
open_program(int dirfd, const char *name, int flags, struct file **out)
{
	unsigned int lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct path p;
	int error = path_lookup(dirfd, name, lookup, &p);

	if (error)
		return error;
	error = exec_open(&p, out);
	path_put(&p);
	return error;
}

/* What the program may be called: execveat with a handle gives /dev/fd names. */
static void
display_name(int dirfd, const char *name, char *out, size_t size)
{
	if (dirfd == AT_FDCWD || name[0] == '/')
		string_copy(out, name, size);
	else if (name[0] == '\0')
		scnprintf(out, size, "/dev/fd/%d", dirfd);
	else
		scnprintf(out, size, "/dev/fd/%d/%s", dirfd, name);
}

static bool
is_handle_that_closes(int dirfd, const char *name)
{
	return dirfd != AT_FDCWD && name[0] != '/' && handle_get_cloexec(current_process()->handles, dirfd) > 0;
}

/*
 * The file to load and what stands before the caller's arguments. `prefix` holds pointers into `lines`
 * and `name`.
 */
struct program {
	struct file *file;
	struct script_line *lines;    /* kmalloc'd: SCRIPT_DEPTH_MAX of them */
	const char *prefix[2 * SCRIPT_DEPTH_MAX + 1];
	unsigned int prefix_count;
	unsigned int depth;
	char *name;                   /* kmalloc'd: as the program is told */
};

static void
program_free(struct program *g)
{
	if (g->file)
		file_put(g->file);
	kfree(g->lines);
	kfree(g->name);
}

/* The prefix becomes interpreter, argument if any, then what was there; the first of what was there
 * (the name of the file that names the interpreter) stays, as the interpreter's argument. */
static void
prefix_push(struct program *g, const struct script_line *line)
{
	unsigned int n = line->argument ? 2 : 1;

	memmove(g->prefix + n, g->prefix, g->prefix_count * sizeof(g->prefix[0]));
	g->prefix[0] = line->interpreter;
	if (line->argument)
		g->prefix[1] = line->argument;
	g->prefix_count += n;
}

/* Step 1. */
static int
find_program(struct program *g, int dirfd, const char *path, int flags)
{
	char head[SCRIPT_LINE_MAX];
	int error = open_program(dirfd, path, flags, &g->file);

	if (error)
		return error;
	g->name = kmalloc(PATH_MAX + 32, 0);
	g->lines = kmalloc(SCRIPT_DEPTH_MAX * sizeof(*g->lines), 0);
	if (!g->name || !g->lines)
		return -ENOMEM;
	display_name(dirfd, path, g->name, PATH_MAX + 32);
	for (;;) {
		ssize_t n = file_read_kernel(g->file, head, sizeof(head), 0);
		struct script_line *line;

		if (n < 0)
			return (int)n;
		if (n < 2 || head[0] != '#' || head[1] != '!')
			return 0;
		if (g->depth == SCRIPT_DEPTH_MAX)
			return -ELOOP;
		if (g->depth == 0 && is_handle_that_closes(dirfd, path))
			return -ENOENT; /* its interpreter would not find it */
		line = &g->lines[g->depth++];
		error = script_parse(head, n, line);
		if (error)
			return error;
		if (g->prefix_count == 0)
			g->prefix[g->prefix_count++] = g->name;
		prefix_push(g, line);
		file_put(g->file);
		g->file = NULL;
		error = open_program(AT_FDCWD, line->interpreter, 0, &g->file);
		if (error)
			return error;
	}
}

/* Step 2. */
static int
collect_args(struct exec_args *a, const struct program *g, const struct exec_source *argv,
	     const struct exec_source *envp)
{
	int error = exec_args_init(a);

	for (unsigned int i = 0; !error && i < g->prefix_count; i++, a->argc++)
		error = exec_args_add(a, g->prefix[i]);
	if (!error)
		error = exec_args_add_source(a, argv, g->prefix_count ? 1 : 0, &a->argc);
	if (!error && a->argc == 0) {
		/* A program may rely on argv[0]; an empty vector gets an empty string. */
		error = exec_args_add(a, "");
		a->argc = 1;
	}
	a->env_offset = a->used;
	if (!error)
		error = exec_args_add_source(a, envp, 0, &a->envc);
	a->name_offset = a->used;
	if (!error)
		error = exec_args_add(a, g->name);
	return error;
}

/*
 * What step 2 would have said: a program that is not found or cannot run is told only when its arguments are
 * whole and not too many. `error`, or step 2's.
 */
static int
judge_args_first(int error, const struct exec_source *argv, const struct exec_source *envp)
{
	struct exec_args a;
	int wrong = exec_args_init(&a);

	if (!wrong)
		wrong = exec_args_add_source(&a, envp, 0, &a.envc);
	if (!wrong)
		wrong = exec_args_add_source(&a, argv, 0, &a.argc);
	exec_args_free(&a);
	return wrong ? wrong : error;
}

/* --- step 4 ----------------------------------------------------------------------------------- */

/* The caller becomes the leader of its process, whose leader has ended. */
static void
take_number(struct process *p, struct thread *t)
{
	struct thread *old = p->leader;
	pid_t mine = t->tid;

	spin_lock(&process_tree_lock);
	ptrace_unlink_locked(old); /* its number is ours from here on: nothing is left to wait for */
	spin_lock(&p->lock);
	pid_slot_locked(mine)->thread = NULL;
	pid_slot_locked(p->pid)->thread = t;
	t->tid = p->pid;
	t->local_tid = p->local_pid;
	t->start_time = old->start_time;
	thread_get(t);
	p->leader = t;
	spin_unlock(&p->lock);
	pid_release_locked(mine);
	spin_unlock(&process_tree_lock);
	thread_put(old);
}

int
exec_take_over(struct process *p)
{
	struct thread *self = current_thread(), *t;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	int error = 0;

	if (p->group_exit || (atomic_load(&self->work) & WORK_EXIT)) {
		error = -EAGAIN; /* never seen: the thread ends on its way out */
	} else {
		list_for_each(t, &p->threads, process_node)
			if (t != self && !t->exiting)
				thread_kill_locked(t);
	}
	spin_unlock_irq(&p->signal_lock, flags);
	if (error)
		return error;
	error = wait_event_killable(&p->threads_wait, READ_ONCE(p->thread_count) == 1);
	if (error)
		return -EAGAIN;
	uring_process_end(p);
	aio_process_end(p);
	if (self != p->leader)
		take_number(p, self);
	return 0;
}

/* --- step 5 ----------------------------------------------------------------------------------- */

static void
install_memory(struct process *p, struct address_space *as)
{
	struct address_space *old;
	uint64_t flags;

	spin_lock(&p->lock);
	old = p->as;
	if (old) /* a parent's too, that a vfork had lent: as Linux counts */
		p->peak_rss = MAX(p->peak_rss, address_space_peak_resident(old));
	p->as = as;
	spin_unlock(&p->lock);
	flags = arch_irq_save();
	address_space_switch(as);
	arch_irq_restore(flags);
	if (old)
		address_space_put(old);
}

/* Handlers are addresses in the old program. Also not shared with anybody any more. */
static void
install_actions(struct process *p, struct signal_actions *fresh)
{
	struct signal_actions *old = p->actions;
	uint64_t flags;

	if (fresh) {
		flags = spin_lock_irq(&p->signal_lock);
		p->actions = fresh;
		spin_unlock_irq(&p->signal_lock, flags);
		actions_put(old);
	}
	actions_reset(p->actions, false);
}

static void
install_handles(struct process *p, struct handle_table *fresh)
{
	struct handle_table *old = p->handles;

	if (fresh) {
		spin_lock(&p->lock);
		p->handles = fresh;
		spin_unlock(&p->lock);
		handle_table_leave(old);
	}
	handle_table_close_on_exec(p->handles);
}

static void
set_name(struct process *p, struct thread *t, const char *path)
{
	const char *base = strrchr(path, '/');

	spin_lock(&p->lock);
	string_copy(t->name, base ? base + 1 : path, sizeof(t->name));
	spin_unlock(&p->lock);
	cpu_count_one(CPU_COUNTER(execs));
	trace_sched_exec(t->name);
}

/* What of the calling thread belonged to the old program. */
static void
reset_thread(struct thread *t)
{
	t->altstack = (struct signal_stack){ .flags = 2 /* SS_DISABLE */ };
	t->clear_child_tid = NULL;
	t->set_child_tid = NULL;
	t->robust_list = NULL;
	t->rseq = NULL;
	t->rseq_size = 0;
	t->rseq_signature = 0;
	user_dispatch_clear(t);
	t->restart.fn = NULL;
}

static void
reset_process(struct process *p, bool secure, bool dumpable)
{
	spin_lock(&process_tree_lock);
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	spin_unlock(&process_tree_lock);
	atomic_store(&p->dumpable, dumpable);
	atomic_store(&p->membarrier, 0);
	atomic_store(&p->no_unknown_call_log, false);
	if (secure)
		WRITE_ONCE(p->parent_death_signal, 0);
}

/* Copies of what the process shares with others: made before the point of no return. */
struct private_copies {
	struct signal_actions *actions;
	struct handle_table *handles;
};

static int
unshare(struct process *p, struct private_copies *c)
{
	if (ref_count(&p->actions->refs) > 1) {
		c->actions = actions_copy(p->actions);
		if (!c->actions)
			return -ENOMEM;
	}
	if (handle_table_is_shared(p->handles)) {
		c->handles = handle_table_copy(p->handles);
		if (!c->handles)
			return -ENOMEM;
	}
	return 0;
}

static void
become(struct exec_layout *l, struct private_copies *copies, struct cred *c, bool secure,
       const char *name)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	bool dumpable = vfs_permission(l->main.file->inode, MAY_READ) == 0 && !secure && c->euid == c->uid &&
			c->egid == c->gid;

	if (p->as)
		futex_thread_exit(t, false); /* robust lists and clear_child_tid lie in the old memory */
	timers_exec(p);
	reset_thread(t);
	if (secure)
		t->personality &= ~PER_CLEAR_ON_SETID;
	/* Whoever finds the new memory finds it guarded: see process_may_inspect(). */
	if (!dumpable)
		atomic_store(&p->dumpable, false);
	cred_install(c);
	install_memory(p, l->as);
	l->as = NULL;
	vfork_release(t);
	install_actions(p, copies->actions);
	copies->actions = NULL;
	reset_process(p, secure, dumpable);
	set_name(p, t, name);
	/* Last: a pipe that closes here tells others that all of the above has happened. */
	install_handles(p, copies->handles);
	copies->handles = NULL;
	arch_thread_exec(arch_user_frame(t), l->entry, l->stack);
}

/* --- all of it -------------------------------------------------------------------------------- */

static long
exec_locked(struct process *p, struct program *g, const struct exec_source *argv,
	    const struct exec_source *envp, const char *path)
{
	struct exec_layout *l;
	struct private_copies copies = { 0 };
	struct exec_args args;
	struct cred *c = NULL;
	bool secure;
	long error = collect_args(&args, g, argv, envp);

	if (error)
		goto free_args;
	error = -ENOMEM;
	l = kzalloc(sizeof(*l));
	if (!l)
		goto free_args;
	error = elf_image_read(&l->main, g->file);
	if (error)
		goto free_layout;
	c = exec_cred(g->file, &secure);
	if (IS_ERR(c)) {
		error = PTR_ERR(c);
		c = NULL;
		goto free_layout;
	}
	error = exec_layout_build(l, &args, c, secure);
	if (error)
		goto free_cred;
	error = unshare(p, &copies);
	if (error)
		goto free_copies;
	error = exec_take_over(p);
	if (error)
		goto free_copies;
	become(l, &copies, c, secure, path);
	c = NULL;
free_copies:
	actions_put(copies.actions);
	if (copies.handles)
		handle_table_put(copies.handles);
free_cred:
	cred_put(c);
free_layout:
	if (l->as)
		address_space_put(l->as);
	elf_image_free(&l->main);
	elf_image_free(&l->interp);
	kfree(l);
free_args:
	exec_args_free(&args);
	return error;
}

/* argv and envp from the user or, for the first program, from the kernel. */
long
exec_program(int dirfd, const char *path, const struct exec_source *argv, const struct exec_source *envp,
	     int flags)
{
	struct process *p = current_process();
	struct program g = { 0 };
	long error;

	if (mutex_lock_killable(&p->exec_lock))
		return -ERESTARTNOINTR;
	error = find_program(&g, dirfd, path, flags);
	if (error)
		error = judge_args_first((int)error, argv, envp);
	else
		error = exec_locked(p, &g, argv, envp, g.name);
	program_free(&g);
	mutex_unlock(&p->exec_lock);
	return error;
}

long
process_exec(int dirfd, const char *path, uint64_t argv, uint64_t envp, int flags)
{
	struct exec_source a = { .user = argv }, e = { .user = envp };
	uint64_t message = current_thread()->ptrace ? ptrace_number(current_thread()->tid) : 0;
	long error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = exec_program(dirfd, path, &a, &e, flags);
	if (!error)
		ptrace_exec(message);
	return error;
}
