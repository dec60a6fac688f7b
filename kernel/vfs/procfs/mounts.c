/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - /proc/PID/mounts and mountinfo, as seen from the process's root.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "../vfs.h"
#include "procfs.h"

static const struct {
	uint32_t flag;
	const char *name;
} options[] = {
	{ MOUNT_NOSUID, ",nosuid" },   { MOUNT_NODEV, ",nodev" },
	{ MOUNT_NOEXEC, ",noexec" },   { MOUNT_NOATIME, ",noatime" },
	{ MOUNT_NODIRATIME, ",nodiratime" }, { MOUNT_RELATIME, ",relatime" },
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
mounts_line(void *ctx, struct mount *m, const char *where)
{
	struct text *t = ctx;

	text_add_escaped(t, m->source);
	text_add(t, " ", 1);
	text_add_escaped(t, where);
	text_print(t, " %s ", m->fs->type->name);
	print_options(t, m->flags);
	print_own_options(t, m->fs);
	text_print(t, " 0 0\n");
}

static void
mountinfo_line(void *ctx, struct mount *m, const char *where)
{
	struct text *t = ctx;
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
	text_print(t, " - %s ", m->fs->type->name);
	text_add_escaped(t, m->source);
	text_print(t, " %s", m->flags & MOUNT_READONLY ? "ro" : "rw");
	print_own_options(t, m->fs);
	text_add(t, "\n", 1);
	kfree(buf);
}

static int
show(struct text *t, struct target *at, void (*line)(void *ctx, struct mount *m, const char *where))
{
	struct process *p = at->process;
	struct path root = { 0 };
	struct namespaces *set;
	uint64_t flags;

	spin_lock(&p->lock);
	if (p->fs) {
		flags = spin_lock_irq(&p->fs->lock);
		root = (struct path){ p->fs->root_mount, p->fs->root };
		path_get(&root);
		spin_unlock_irq(&p->fs->lock, flags);
	}
	spin_unlock(&p->lock);
	if (!root.dentry)
		return -EINVAL;
	set = process_namespaces(p);
	if (set)
		mounts_visit((struct mount_namespace *)set->of[NAMESPACE_MOUNT], &root, line, t);
	namespaces_put(set);
	path_put(&root);
	return 0;
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
