/* SPDX-License-Identifier: MIT */
/*
 * core.c - a signal whose default action is to leave a core file ends a process: whether one is written, under
 * which name, and how everybody stands still meanwhile.
 *
 * The thread that took the signal (the dumper) marks the process as ending, as any fatal signal does, and sets
 * process->core. Each other thread, on its way out, finds that, brings its registers to memory and parks until
 * the dumper is done. (1) The dumper sets core and wakes all with WORK_EXIT under signal_lock; (2) a thread that
 * ends looks at core under signal_lock before anything of it goes. Threads that were past (2) at (1) leave the
 * process's list soon: the dumper waits until the list holds only parked threads and itself.
 *
 * Then nobody but the dumper runs in the process, and it writes the file as the program itself, with its rights
 * and from its directory. SIGKILL ends that early. A file is refused to programs that are not dumpable, and
 * when RLIMIT_CORE is less than a page.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/core.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>
#include <tessera/uts.h>
#include <tessera/wait.h>

#include "core.h"
#include "proc.h"

#define CORE_MODE 0600

static struct spinlock pattern_lock = SPINLOCK_INIT(LEAF);
static char pattern[CORE_PATTERN_MAX] = "core"; /* pattern_lock */
int core_uses_pid;

void
core_pattern_get(char out[CORE_PATTERN_MAX])
{
	uint64_t flags = spin_lock_irq(&pattern_lock);

	memcpy(out, pattern, CORE_PATTERN_MAX);
	spin_unlock_irq(&pattern_lock, flags);
}

int
core_pattern_set(const char *text)
{
	uint64_t flags;

	if (*text == '|' || strlen(text) >= CORE_PATTERN_MAX)
		return -EINVAL;
	flags = spin_lock_irq(&pattern_lock);
	string_copy(pattern, text, sizeof(pattern));
	spin_unlock_irq(&pattern_lock, flags);
	return 0;
}

/* --- the name ----------------------------------------------------------------------------------------- */

struct name {
	char *text;          /* PATH_MAX bytes */
	size_t used;
	bool has_pid;
};

static void __printf(2, 3)
add(struct name *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	n->used += (size_t)vsnprintf(n->text + n->used, PATH_MAX - n->used, format, args);
	n->used = MIN(n->used, (size_t)PATH_MAX - 1);
	va_end(args);
}

/* A word of the program's: it names no other directory. */
static void
add_word(struct name *n, const char *word)
{
	size_t start = n->used;

	add(n, "%s", word);
	if (!strcmp(word, ".") || !strcmp(word, ".."))
		n->text[start] = '!';
	for (size_t i = start; i < n->used; i++)
		if (n->text[i] == '/')
			n->text[i] = '!';
}

static void
add_program(struct name *n, bool whole)
{
	struct file *exe = address_space_exe(current_process()->as);
	char *buf = kmalloc(PATH_MAX, 0), *path;
	const char *base;

	if (!buf)
		goto put_exe;
	path = exe && exe->dentry ? path_name(&(struct path){ exe->mount, exe->dentry }, buf, PATH_MAX)
				  : ERR_PTR(-ENOENT);
	if (IS_ERR(path)) {
		add_word(n, current_thread()->name);
	} else {
		base = strrchr(path, '/');
		add_word(n, whole || !base ? path : base + 1);
	}
	kfree(buf);
put_exe:
	if (exe)
		file_put(exe);
}

static void
add_field(struct name *n, char field, int signo)
{
	struct process *p = current_process();
	const struct cred *c = current_cred();
	char host[UTS_NAME_MAX + 1];

	switch (field) {
	case '%':
		add(n, "%%");
		break;
	case 'p':
	case 'P':
		n->has_pid = true;
		add(n, "%d", p->pid);
		break;
	case 'i':
	case 'I':
		add(n, "%d", current_thread()->tid);
		break;
	case 'u':
		add(n, "%u", c->uid);
		break;
	case 'g':
		add(n, "%u", c->gid);
		break;
	case 'd':
		add(n, "%d", atomic_load(&p->dumpable));
		break;
	case 's':
		add(n, "%d", signo);
		break;
	case 't':
		add(n, "%lu", clock_realtime_ns() / NSEC_PER_SEC);
		break;
	case 'h':
		uts_get_names(host, NULL);
		add_word(n, host);
		break;
	case 'e':
		add_word(n, current_thread()->name);
		break;
	case 'f':
	case 'E':
		add_program(n, field == 'E');
		break;
	case 'c':
		add(n, "%lu", process_limit(p, RLIMIT_CORE));
		break;
	}
}

/* False: the pattern asks for none. */
static bool
make_name(char *out, int signo)
{
	struct name n = { .text = out };
	char from[CORE_PATTERN_MAX];

	core_pattern_get(from);
	out[0] = '\0';
	for (const char *s = from; *s; s++) {
		if (*s != '%')
			add(&n, "%c", *s);
		else if (s[1])
			add_field(&n, *++s, signo);
	}
	if (!n.has_pid && atomic_load(&core_uses_pid))
		add(&n, ".%d", current_process()->pid);
	return n.used > 0;
}

/* --- the file ------------------------------------------------------------------------------------------ */

/* A new regular file of our own, never one that was there. NULL: it cannot be had. */
static struct file *
create(const char *name)
{
	struct file *f;

	(void)vfs_unlink(AT_FDCWD, name, false);
	if (vfs_open(AT_FDCWD, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_LARGEFILE, CORE_MODE, 0, &f))
		return NULL;
	if (S_ISREG(f->inode->mode) && f->inode->uid == current_cred()->fsuid)
		return f;
	file_put(f);
	return NULL;
}

static bool
write_core(struct process *p, const struct siginfo *info)
{
	char *name = kmalloc(PATH_MAX, 0);
	struct core_out o = { .limit = process_limit(p, RLIMIT_CORE) };
	bool written = false;

	if (!name)
		return false;
	if (make_name(name, info->signo))
		o.file = create(name);
	if (o.file) {
		written = core_elf_write(&o, p, info);
		file_put(o.file);
	}
	kfree(name);
	return written;
}

/* --- standing still ------------------------------------------------------------------------------------- */

static bool
others_are_parked(struct process *p)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	bool yes = p->thread_count == p->core_parked + 1;

	spin_unlock_irq(&p->signal_lock, flags);
	return yes;
}

void
core_park(struct process *p, struct thread *t)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock); /* (2) */
	bool park = p->core && p->core != t;

	spin_unlock_irq(&p->signal_lock, flags);
	if (!park)
		return;
	arch_tracee_sync();
	flags = spin_lock_irq(&p->signal_lock);
	p->core_parked++;
	spin_unlock_irq(&p->signal_lock, flags);
	wake_all(&p->threads_wait);
	wait_event(&p->core_wait, !atomic_load(&p->core));
}

/* (1). False: the process is ending already, of something else. */
static bool
begin(struct process *p, struct thread *t, int signo)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	bool first = process_kill_threads_locked(p, signo, t);

	if (first)
		atomic_store(&p->core, t);
	spin_unlock_irq(&p->signal_lock, flags);
	return first;
}

static void
end(struct process *p, int signo, bool written)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	p->exit_status = signo | (written ? 0x80 : 0);
	p->core_parked = 0;
	atomic_store(&p->core, NULL);
	spin_unlock_irq(&p->signal_lock, flags);
	wake_all(&p->core_wait);
}

void
core_dump(const struct siginfo *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	bool written = false;

	if (process_limit(p, RLIMIT_CORE) < PAGE_SIZE || !atomic_load(&p->dumpable))
		return;
	if (!begin(p, t, info->signo))
		return;
	if (wait_event_killable(&p->threads_wait, others_are_parked(p)) == 0) {
		arch_tracee_sync();
		written = write_core(p, info);
	}
	end(p, info->signo, written);
}
