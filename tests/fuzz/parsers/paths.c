/* SPDX-License-Identifier: MIT */
/*
 * paths.c - the path walk and the name cache against a plain model of both.
 *
 * The input makes a tree of directories, files, links, magic links and mounts, then looks names up in it by the
 * kernel's walk, and by a model that knows no cache: it replaces a link by its text in the string, as one
 * would on paper. Both must come to the same place or the same error. In between names are removed, moved
 * and forgotten, and an allocation fails.
 *
 * Input: a byte for the root and one for the working directory; nodes (three bytes, a link's text and a NUL) up
 * to a byte of 0xff; then commands (lookup_one, rename_one, remove_one, shrink). In texts a byte above 0x7f stands
 * for as many letters, so that names at the limit are short to say.
 */
/* fuzz: kernel/vfs/path_walk.c kernel/vfs/dentry.c tests/unit/shim/slab.c tests/unit/shim/misuse.c tests/unit/shim/trace.c */
#include "parser.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/notify.h>
#include <tessera/rcu.h>
#include <tessera/slab.h>

#include "../../../kernel/vfs/vfs.h"

/* Levers of tests/unit/shim/slab.c. */
extern int unit_fail_allocation;
extern long unit_allocations;

#define NODES   28
#define TEXT    4096
#define NAMED   300
#define HANDLE  3
#define ARCH_SET_GS 0x1001

/* A node of the model; the kernel's inode of it. A mount's root is a node whose `under` is what it covers. */
struct node {
	enum { NODE_DIR, NODE_FILE, NODE_LINK, NODE_MAGIC, NODE_ROOT } kind;
	int parent, under, over;  /* -1: none */
	bool gone;
	char name[NAMED], *text;  /* text: of a link */
	int target;               /* of a magic link */
	struct mount *mount;      /* that it is in */
	struct inode inode;
};

static struct node node[NODES];
static int nodes, root, cwd, at;      /* at: what HANDLE is open at */
static struct filesystem fs[2];
static struct mount mount[2];
static struct path root_path, cwd_path, at_path;
static bool doubtful;                 /* cached names of the second file system are not believed */
static long dentries;                 /* that live */
static struct file handle;
static struct cred cred = { .fsuid = 1 };

struct input {
	const uint8_t *at, *end;
};

static unsigned int
byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* A text up to a NUL, a byte of 0xff or the end; a byte above 0x7f is that many letters. At most room - 1. */
static size_t
text(struct input *in, char *out, size_t room)
{
	size_t n = 0;

	while (in->at < in->end) {
		unsigned int c = *in->at++, times = c > 0x7f ? (c - 0x7f) * 2 : 1;

		if (c == 0)
			break;
		while (times-- && n < room - 1)
			out[n++] = c > 0x7f ? 'a' : (char)c;
	}
	out[n] = '\0';
	return n;
}

/* --- what the walk asks of the rest of the kernel ----------------------------------------------- */

uint32_t notify_marks;
uint64_t rcu_epoch = 1;
bool preempt_random_on;
static struct cpu this_one = { .self = &this_one }; /* found through GS, as in the kernel */
struct rwlock mount_lock;
struct vfs_protection vfs_protection = { .symlinks = 1 };

void preempt_random_point(void) { }
void schedule_preempted(void) { }
void spin_lock_watched(struct spinlock *l) { MUST(!l->holder_cpu); l->holder_cpu = 1; }
void spin_unlock_watched(struct spinlock *l) { MUST(l->holder_cpu); l->holder_cpu = 0; }
void spin_wait(struct spinlock *l) { MUST(!"a spinlock that is held is taken"); }
void read_lock(struct rwlock *l) { MUST(l->state == 0); l->state++; }
void read_unlock(struct rwlock *l) { MUST(l->state == 1); l->state--; }
/* These are for directories that a file system moves by itself; the tree here stays as it is. */
bool read_trylock(struct rwlock *l) { MUST(!"a directory is moved"); return false; }
bool mutex_trylock(struct mutex *m) { MUST(!"a directory is moved"); return false; }
void mutex_unlock(struct mutex *m) { MUST(!"a directory is moved"); }
void mount_leave_name(struct dentry *d) { MUST(!"a directory is moved"); }
void sched_yield_thread(void) { MUST(!"somebody is waited for"); }
void rcu_free(struct rcu_head *h, void (*fn)(struct rcu_head *h)) { MUST(!rcu_reading()); fn(h); }
void notify_inode_removed_slow(struct inode *i, uint32_t event) { }
void inode_touch_accessed(struct inode *i, const struct mount *m) { }
const struct cred *current_cred(void) { return &cred; }
void file_put(struct file *f) { MUST(ref_count(&f->refs) > 1); f->refs.count--; }
void mount_put(struct mount *m) { MUST(ref_count(&m->refs) > 1); m->refs.count--; }
void inode_put(struct inode *i) { MUST(ref_count(&i->refs) > 1); i->refs.count--; }
void memory_stats(struct memory_stats *out) { *out = (struct memory_stats){ .total = 4096 }; }

void
panic(const char *format, ...)
{
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

struct slab_cache {
	size_t size;
};

struct slab_cache *
slab_cache_create(const char *name, size_t size, size_t align)
{
	static struct slab_cache cache;

	cache.size = size;
	return &cache;
}

void *
slab_alloc(struct slab_cache *c, unsigned int flags)
{
	void *object = kmalloc(c->size, flags);

	dentries += object != NULL;
	return object;
}

void
slab_free(struct slab_cache *c, void *object)
{
	dentries--;
	kfree(object);
}

void *
vmalloc(size_t size)
{
	return calloc(1, size);
}

static struct node *
of(const struct inode *i)
{
	return i->private;
}

int
vfs_permission(struct inode *i, int mask)
{
	MUST(mask == MAY_EXEC);
	return i->mode & 0001 ? 0 : -EACCES;
}

bool
permission_search_at_once(const struct inode *i)
{
	return S_ISDIR(i->mode) && (i->mode & 0001);
}

void
fs_context_root(struct path *out)
{
	*out = root_path;
	path_get(out);
}

void
fs_context_cwd(struct path *out)
{
	*out = cwd_path;
	path_get(out);
}

struct file *
handle_get_path(int fd, uint64_t rights, int *error)
{
	MUST(rights & RIGHT_LOOKUP);
	if (fd != HANDLE) {
		*error = -EBADF;
		return NULL;
	}
	ref_get(&handle.refs);
	return &handle;
}

void
mount_follow(struct path *p)
{
	while (p->dentry->mounted) {
		struct path on = { &mount[1], mount[1].root };

		MUST(p->mount == &mount[0] && mount[1].mountpoint == p->dentry);
		path_get(&on);
		path_put(p);
		*p = on;
	}
}

bool
mount_leave(struct path *p)
{
	struct path up = { p->mount->parent, p->mount->mountpoint };

	if (!up.mount)
		return false;
	path_get(&up);
	path_put(p);
	*p = up;
	return true;
}

/* --- the file system ---------------------------------------------------------------------------- */

/* The child of that name, or -1. */
static int
child_of(int dir, const char *name, size_t length)
{
	for (int i = 0; i < nodes; i++)
		if (!node[i].gone && node[i].parent == dir && node[i].kind != NODE_ROOT &&
		    strlen(node[i].name) == length && memcmp(node[i].name, name, length) == 0)
			return i;
	return -1;
}

static int
tree_lookup(struct inode *dir, struct dentry *d)
{
	int i = child_of((int)(of(dir) - node), d->name, d->length);

	MUST(d->length == strlen(d->name) && d->length <= NAME_MAX && !memchr(d->name, '/', d->length));
	MUST(dir->lock.state == 1);
	if (i >= 0) {
		inode_get(&node[i].inode);
		dentry_attach(d, &node[i].inode);
	}
	return 0;
}

static ssize_t
tree_readlink(struct inode *i, char *buf, size_t size)
{
	size_t n = strnlen(of(i)->text, size);

	memcpy(buf, of(i)->text, n);
	return (ssize_t)n;
}

/* The path of a node, with references, found without a walk: names are asked for one by one. */
static struct path
path_of(int i)
{
	struct path p = { node[i].mount, NULL };
	struct dentry *parent;

	mount_get(p.mount);
	if (node[i].kind == NODE_ROOT) {
		p.dentry = p.mount->root;
		dentry_get(p.dentry);
		return p;
	}
	parent = path_of(node[i].parent).dentry;
	mount_put(node[i].mount);
	unit_fail_allocation = 0;
	p.dentry = lookup_child(parent, node[i].name, strlen(node[i].name));
	MUST(!IS_ERR(p.dentry) && p.dentry->inode == &node[i].inode);
	dentry_put(parent);
	return p;
}

static int
tree_jump(struct inode *i, struct mount **m, struct dentry **d)
{
	int left = unit_fail_allocation;
	struct path p = path_of(of(i)->target);

	unit_fail_allocation = left;
	*m = p.mount;
	*d = p.dentry;
	return 0;
}

static bool
tree_revalidate(struct dentry *d)
{
	return d->fs != &fs[1] || !doubtful;
}

/* Of the first file system, where a walk may run ahead, and of the second. */
static const struct inode_ops tree_ops[] = {
	{ .lookup = tree_lookup, .readlink = tree_readlink },
	{ .lookup = tree_lookup, .readlink = tree_readlink, .revalidate = tree_revalidate },
};
static const struct inode_ops magic_ops = { .readlink = tree_readlink, .jump = tree_jump };
static struct filesystem_type types[2] = { { .name = "a" }, { .name = "b" } };

static const mode_t node_modes[] = { S_IFDIR, S_IFREG, S_IFLNK, S_IFLNK, S_IFDIR };

static struct node *
node_add(int kind, int parent, bool search)
{
	struct node *n = &node[nodes];

	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->parent = parent;
	n->under = n->over = -1;
	n->mount = parent >= 0 ? node[parent].mount : &mount[0];
	n->inode.ops = kind == NODE_MAGIC ? &magic_ops : &tree_ops[n->mount - mount];
	n->inode.mode = node_modes[kind] | (search ? 0755 : 0644);
	n->inode.links = 1;
	n->inode.private = n;
	ref_init(&n->inode.refs);
	nodes++;
	return n;
}

static void
mount_add(int which, int covered)
{
	struct node *n = node_add(NODE_ROOT, -1, true);
	struct mount *m = &mount[which];

	memset(&fs[which], 0, sizeof(fs[which]));
	fs[which].type = &types[which];
	*m = (struct mount){ .id = (uint64_t)which, .fs = &fs[which] };
	ref_init(&m->refs);
	n->mount = m;
	n->inode.ops = &tree_ops[which];
	inode_get(&n->inode);
	m->root = dentry_create_root(&fs[which], &n->inode);
	MUST(m->root);
	if (covered < 0)
		return;
	n->under = covered;
	node[covered].over = nodes - 1;
	m->parent = node[covered].mount;
	m->mountpoint = path_of(covered).dentry;
	m->mountpoint->mounted = 1;
	mount_put(m->parent); /* path_of()'s */
}

static void
read_tree(struct input *in)
{
	static char buffer[TEXT];
	static const char *const names[] = { "a", "b", "c", "d", "..a", ".a", "...", "ab" };
	bool mounted = false;

	nodes = 0;
	mount_add(0, -1);
	while (nodes < NODES - 1 && in->at < in->end && *in->at != 0xff) {
		unsigned int kind = byte(in), parent = byte(in) % (unsigned int)nodes, name = byte(in);
		struct node *n;
		bool directory = node[parent].kind == NODE_DIR || node[parent].kind == NODE_ROOT;
		int above = directory && !node[parent].gone ? (int)parent : 0;

		above = node[above].over >= 0 ? node[above].over : above;
		n = node_add((int)(kind & 3), above, (kind & 0x1c) != 0x1c);
		if (name < 0x80)
			strcpy(n->name, names[name % 8]);
		else
			memset(n->name, 'a', name == 0x80 ? NAME_MAX : (name - 0x7f) * 2 - 1);
		n->inode.uid = kind >> 5 & 3;
		if (kind & 0x80)
			n->inode.mode |= S_ISVTX | 0002;
		n->target = (int)(kind >> 2) % (nodes - 1);
		if (n->kind == NODE_LINK || n->kind == NODE_MAGIC) {
			text(in, buffer, sizeof(buffer));
			n->text = strdup(buffer);
		}
		while (node[n->target].kind == NODE_LINK || node[n->target].kind == NODE_MAGIC)
			n->target = node[n->target].parent;
		if (node[n->target].over >= 0)
			n->target = node[n->target].over;
		n->gone = true;
		n->gone = child_of(above, n->name, strlen(n->name)) >= 0;
		if (n->kind == NODE_DIR && (kind & 0x1c) == 0x18 && !n->gone && !mounted) {
			mounted = true;
			mount_add(1, nodes - 1);
		}
	}
	byte(in);
}

static void
drop_tree(void)
{
	path_put(&root_path);
	path_put(&cwd_path);
	path_put(&at_path);
	if (mount[1].mountpoint)
		mount[1].mountpoint->mounted = 0;
	for (int i = 0; i < 2 && mount[i].root; i++)
		MUST(ref_count(&mount[i].refs) == 1);
	for (int i = 1; i >= 0; i--)
		if (mount[i].root) {
			dentry_purge_filesystem(&fs[i]);
			dentry_put(mount[i].root);
			if (mount[i].mountpoint)
				dentry_put(mount[i].mountpoint);
			mount[i] = (struct mount){ 0 };
		}
	for (int i = 0; i < nodes; i++) {
		MUST(ref_count(&node[i].inode.refs) == 1);
		free(node[i].text);
	}
	MUST(dentries == 0 && unit_allocations == 0);
	MUST(this_one.preempt_count == 0 && this_one.rcu_depth == 0);
}

/* --- the model ---------------------------------------------------------------------------------- */

static bool
is_directory(int i)
{
	return node[i].kind == NODE_DIR || node[i].kind == NODE_ROOT;
}

/* ".." from `i`. */
static int
model_up(int i, int top, unsigned int flags)
{
	for (;;) {
		if (i == top)
			return flags & LOOKUP_BENEATH ? -EXDEV : i;
		if (node[i].kind != NODE_ROOT)
			break;
		if (flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		if (node[i].under < 0)
			return i;
		i = node[i].under;
	}
	return node[i].parent;
}

/* Where `name` leads from `i`, or an errno. `top` is the root of this look-up. */
static int
model_walk(int i, int top, const char *name, unsigned int flags)
{
	static char todo[SYMLINK_DEPTH_MAX * TEXT + 2 * TEXT], next[sizeof(todo)];
	const char *rest = todo;
	int links = 0;

	strcpy(todo, name);
	for (;;) {
		size_t length;
		bool last, slash;
		int c;

		rest += strspn(rest, "/");
		if (!is_directory(i))
			return -ENOTDIR;
		if (!*rest)
			return i;
		if (!(node[i].inode.mode & 0001))
			return -EACCES;
		length = strcspn(rest, "/");
		slash = rest[length] == '/';
		last = rest[length + strspn(rest + length, "/")] == '\0';
		if (length == 1 && rest[0] == '.') {
			c = i;
		} else if (length == 2 && rest[0] == '.' && rest[1] == '.') {
			c = model_up(i, top, flags);
			if (c < 0)
				return c;
		} else {
			if (length > NAME_MAX)
				return -ENAMETOOLONG;
			c = child_of(i, rest, length);
			if (c < 0)
				return -ENOENT;
		}
		if (node[c].over >= 0) {
			if ((flags & LOOKUP_NO_XDEV) && node[c].mount == node[i].mount && c != i)
				return -EXDEV;
			c = node[c].over;
		}
		rest += length;
		if ((node[c].kind == NODE_LINK || node[c].kind == NODE_MAGIC) &&
		    (!last || slash || (flags & LOOKUP_FOLLOW))) {
			mode_t sticky = S_ISVTX | 0002;

			if (last && node[c].inode.uid != cred.fsuid && (node[i].inode.mode & sticky) == sticky &&
			    node[i].inode.uid != node[c].inode.uid)
				return -EACCES;
			if ((flags & LOOKUP_NO_SYMLINKS) || ++links > SYMLINK_DEPTH_MAX)
				return -ELOOP;
			if (node[c].kind == NODE_MAGIC) {
				if (flags & LOOKUP_NO_MAGICLINKS)
					return -ELOOP;
				if (flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
					return -EXDEV;
				c = node[c].target;
				if ((flags & LOOKUP_NO_XDEV) && node[c].mount != node[i].mount)
					return -EXDEV;
			} else {
				const char *body = node[c].text;

				/* An empty one, which only a daemon can tell of, leads to where it lies. */
				if (*body == '/' && (flags & LOOKUP_BENEATH))
					return -EXDEV;
				if (*body == '/' && (flags & LOOKUP_NO_XDEV) && node[top].mount != node[i].mount)
					return -EXDEV;
				if (*body == '/')
					i = top;
				snprintf(next, sizeof(next), "%s%s", body, rest);
				strcpy(todo, next);
				rest = todo;
				continue;
			}
		}
		if (last && (slash || (flags & LOOKUP_DIRECTORY)) && !is_directory(c))
			return -ENOTDIR;
		if (last)
			return c;
		i = c;
	}
}

static int
model_lookup(int dirfd, const char *name, unsigned int flags)
{
	int start = dirfd == HANDLE ? at : cwd, top = root, end;

	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (*name == '/' && (flags & LOOKUP_BENEATH))
		return -EXDEV;
	if (*name == '/' && !(flags & LOOKUP_IN_ROOT))
		start = root;
	else if (dirfd == HANDLE && *name && !is_directory(at))
		return -ENOTDIR;
	if (flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		top = start;
	if (*name)
		return model_walk(start, top, name, flags);
	end = start;
	return (flags & LOOKUP_DIRECTORY) && !is_directory(end) ? -ENOTDIR : end;
}

/* --- commands ----------------------------------------------------------------------------------- */

/* The name that the kernel gives to `p` is the model's. */
static void
check_name(const struct path *p, int i)
{
	static char model[NODES * NAMED], kernel[NODES * NAMED];
	size_t start = sizeof(model) - 1;
	unsigned int state;
	char *name;
	bool reachable = true, gone = node[i].gone;

	model[start] = '\0';
	while (i != root) {
		if (node[i].kind == NODE_ROOT) {
			i = node[i].under;
			if (i < 0) {
				reachable = false;
				break;
			}
			continue;
		}
		start -= strlen(node[i].name);
		memcpy(model + start, node[i].name, strlen(node[i].name));
		model[--start] = '/';
		i = node[i].parent;
	}
	if (!model[start])
		model[--start] = '/';
	name = path_name_from(p, &root_path, kernel, sizeof(kernel), &state);
	MUST(!IS_ERR(name));
	MUST(gone || strcmp(name, model + start) == 0);
	MUST(reachable == !(state & PATH_UNREACHABLE));
	MUST(gone == !!(state & PATH_DELETED) || p->dentry->fs == &fs[1]);
}

/* Flags (2 bytes), which start, an allocation that fails, the name. */
static void
lookup_one(struct input *in)
{
	static char name[TEXT];
	unsigned int flags = byte(in), more = byte(in);
	int dirfd = flags & 0x80 ? HANDLE : AT_FDCWD, expected, error;
	struct path p = { 0 };
	char *copy;
	size_t n = text(in, name, sizeof(name));

	flags = (flags & 0x7b) | (more & 3) << 7;
	if (flags & LOOKUP_BENEATH)
		flags &= ~LOOKUP_IN_ROOT;
	copy = input_copy(name, n + 1);
	expected = model_lookup(dirfd, name, flags);
	unit_fail_allocation = (int)(more >> 5);
	error = path_lookup(dirfd, copy, flags, &p);
	if (error == -ENOMEM && more >> 5) {
		unit_fail_allocation = 0;
		error = path_lookup(dirfd, copy, flags, &p);
	}
	unit_fail_allocation = 0;
	free(copy);
	if ((error ? error : (int)(of(p.dentry->inode) - node)) != expected) {
		fprintf(stderr, "\"%.300s\" flags %#x: the walk says %d, the model %d\n", name, flags,
			error ? error : (int)(of(p.dentry->inode) - node), expected);
		abort();
	}
	if (error)
		return;
	MUST(p.mount == node[expected].mount);
	check_name(&p, expected);
	path_put(&p);
}

static bool
in_use(int i)
{
	return i == root || i == cwd || i == at || node[i].over >= 0 || node[i].kind == NODE_ROOT || node[i].gone;
}

static bool
below(int i, int ancestor)
{
	for (; i >= 0; i = node[i].kind == NODE_ROOT ? node[i].under : node[i].parent)
		if (i == ancestor)
			return true;
	return false;
}

static void
remove_one(struct input *in)
{
	int i = (int)(byte(in) % (unsigned int)nodes);
	struct path p;

	for (int c = 0; c < nodes; c++)
		if ((node[c].parent == i && !node[c].gone) || (node[c].kind == NODE_MAGIC && node[c].target == i))
			return;
	if (in_use(i))
		return;
	p = path_of(i);
	node[i].gone = true;
	dentry_drop(p.dentry);
	path_put(&p);
}

/* To another directory of the same file system, where the name is free. */
static void
rename_one(struct input *in)
{
	int i = (int)(byte(in) % (unsigned int)nodes), to = (int)(byte(in) % (unsigned int)nodes);
	unsigned int letter = byte(in) % 6;
	char name[NAMED] = { (char)('a' + letter), 0 };
	struct path from, dir;
	struct dentry *target;

	if (in_use(i) || node[to].gone || !is_directory(to) || node[to].mount != node[i].mount || below(to, i))
		return;
	/* Where names are not believed, who is in there has come by other dentries than those that move here. */
	if (doubtful && node[i].mount == &mount[1] && (below(cwd, i) || below(at, i)))
		return;
	if (byte(in) & 1)
		memset(name, 'a' + (int)letter, 1 + 50 * letter);
	if (child_of(to, name, strlen(name)) >= 0)
		return;
	from = path_of(i);
	dir = path_of(to);
	target = lookup_child(dir.dentry, name, strlen(name));
	MUST(!IS_ERR(target) && !target->inode);
	dentry_move(from.dentry, target);
	dentry_put(target);
	path_put(&dir);
	path_put(&from);
	node[i].parent = to;
	strcpy(node[i].name, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	unsigned int places = byte(&in), more = byte(&in);
	static bool ready;

	if (!ready) {
		MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, &this_one) == 0);
		dentry_cache_init();
	}
	ready = true;
	unit_fail_allocation = 0;
	types[1].no_cache = more & 0x40;
	doubtful = more & 0x80;
	read_tree(&in);
	root = (int)((places & 15) % (unsigned int)nodes);
	cwd = (int)((places >> 4) % (unsigned int)nodes);
	at = (int)((more & 31) % (unsigned int)nodes);
	/* A process is in directories that are on top of what is mounted there. */
	for (int *place[] = { &root, &cwd, &at }, i = 0; i < 3; i++) {
		int n = *place[i];

		if (node[n].gone || (i < 2 && !is_directory(n)))
			n = 0;
		*place[i] = node[n].over >= 0 ? node[n].over : n;
	}
	for (int i = 0; i < nodes; i++)
		for (int p = i; p >= 0 && !node[i].gone; p = node[p].parent)
			node[i].gone = node[p].gone;
	/* Where names are not believed a later walk makes the root a second name, which is not the root. */
	root = node[root].gone || (doubtful && node[root].mount == &mount[1]) ? 0 : root;
	cwd = node[cwd].gone ? 0 : cwd;
	at = node[at].gone ? 0 : at;
	for (int i = 0; i < nodes; i++)
		if (node[i].kind == NODE_MAGIC && node[node[i].target].gone)
			node[i].target = 0;
	root_path = path_of(root);
	cwd_path = path_of(cwd);
	at_path = path_of(at);
	handle = (struct file){ .inode = &node[at].inode, .dentry = at_path.dentry, .mount = at_path.mount };
	ref_init(&handle.refs);
	while (in.at < in.end)
		switch (byte(&in) % 8) {
		case 0:
			remove_one(&in);
			break;
		case 1:
			rename_one(&in);
			break;
		case 2:
			dentry_shrink(byte(&in) % 4);
			break;
		default:
			lookup_one(&in);
		}
	drop_tree();
	return 0;
}
