/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - /proc/PID/mounts, mountinfo and mountstats, as seen from the process's root.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "../mount_tree.h"
#include "procfs.h"

static const struct {
	uint32_t flag;
	const char *name;
} options[] = {
	{ MOUNT_NOSUID, ",nosuid" },   { MOUNT_NODEV, ",nodev" },
	{ MOUNT_NOEXEC, ",noexec" },   { MOUNT_NOATIME, ",noatime" },
	{ MOUNT_NODIRATIME, ",nodiratime" }, { MOUNT_RELATIME, ",relatime" },
	{ MOUNT_NOSYMFOLLOW, ",nosymfollow" },
};

static void
print_options(struct text *t, uint32_t flags)
{
	text_print(t, "%s", flags & MOUNT_READONLY ? "ro" : "rw");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (flags & options[i].flag)
			text_print(t, "%s", options[i].name);
}

static void
print_own_options(struct text *t, struct filesystem *fs)
{
	char own[256] = "";

	if (fs->type->show_options)
		fs->type->show_options(fs, own, sizeof(own));
	text_print(t, "%s", own);
}

static void
print_type(struct text *t, const struct filesystem *fs)
{
	text_print(t, "%s", fs->type->name);
	if (fs->subtype) {
		text_print(t, ".");
		text_add_escaped(t, fs->subtype);
	}
}

/* What mountinfo says of peer groups, between the options and the dash. */
static void
print_groups(struct text *t, struct mount *m, const struct path *root)
{
	struct mount_groups g;

	mount_groups_of(m, root, &g);
	if (g.shared)
		text_print(t, " shared:%u", g.shared);
	if (g.master)
		text_print(t, " master:%u", g.master);
	if (g.from)
		text_print(t, " propagate_from:%u", g.from);
	if (READ_ONCE(m->unbindable))
		text_print(t, " unbindable");
}

/* What the lines are added to, and from where it is seen. */
struct view {
	struct text *text;
	struct path root;
};

static void
mounts_line(void *ctx, struct mount *m, const char *where)
{
	struct view *v = ctx;
	struct text *t = v->text;

	text_add_escaped(t, m->source);
	text_add(t, " ", 1);
	text_add_escaped(t, where);
	text_print(t, " ");
	print_type(t, m->fs);
	text_print(t, " ");
	print_options(t, m->flags | (mount_is_readonly(m) ? MOUNT_READONLY : 0));
	print_own_options(t, m->fs);
	text_print(t, " 0 0\n");
}

static void
mountinfo_line(void *ctx, struct mount *m, const char *where)
{
	struct view *v = ctx;
	struct text *t = v->text;
	char *buf = kmalloc(PATH_MAX, 0), *root = NULL;
	struct path top = { NULL, m->fs->root };
	unsigned int state;

	if (buf) {
		struct path p = { NULL, m->root };

		root = path_name_from(&p, &top, buf, PATH_MAX, &state);
	}
	text_print(t, "%lu %lu %u:%u ", m->id, m->parent ? m->parent->id : 1, DEV_MAJOR(m->fs->device),
		   DEV_MINOR(m->fs->device));
	text_add_escaped(t, root && !IS_ERR(root) ? root : "/");
	text_add(t, " ", 1);
	text_add_escaped(t, where);
	text_add(t, " ", 1);
	print_options(t, m->flags);
	print_groups(t, m, &v->root);
	text_print(t, " - ");
	print_type(t, m->fs);
	text_print(t, " ");
	text_add_escaped(t, m->source);
	text_print(t, " %s", m->fs->readonly ? "ro" : "rw");
	print_own_options(t, m->fs);
	text_add(t, "\n", 1);
	kfree(buf);
}

static int
show(struct text *t, struct target *at, void (*line)(void *ctx, struct mount *m, const char *where))
{
	struct process *p = at->process;
	struct view v = { .text = t };
	struct namespaces *set;

	spin_lock(&p->lock);
	if (p->fs)
		fs_context_get(p->fs, NULL, &v.root);
	spin_unlock(&p->lock);
	if (!v.root.dentry)
		return -EINVAL;
	set = process_namespaces(p);
	if (set)
		mounts_visit((struct mount_namespace *)set->of[NAMESPACE_MOUNT], &v.root, line, &v);
	namespaces_put(set);
	path_put(&v.root);
	return 0;
}

/* As mounts says it for programs that count what was done: file systems here do not. */
static void
mountstats_line(void *ctx, struct mount *m, const char *where)
{
	struct view *v = ctx;

	text_print(v->text, "device ");
	text_add_escaped(v->text, m->source);
	text_print(v->text, " mounted on ");
	text_add_escaped(v->text, where);
	text_print(v->text, " with fstype ");
	print_type(v->text, m->fs);
	text_print(v->text, "\n");
}

int
show_mountstats(struct text *t, struct target *at)
{
	return show(t, at, mountstats_line);
}

int
show_mounts(struct text *t, struct target *at)
{
	return show(t, at, mounts_line);
}

int
show_mountinfo(struct text *t, struct target *at)
{
	return show(t, at, mountinfo_line);
}
