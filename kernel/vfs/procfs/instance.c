/* SPDX-License-Identifier: MIT */
/*
 * instance.c - procfs as a file system: each mount numbers processes as the PID namespace of who mounts it, and
 * hides what its options say: hidepid=, gid=, subset=.
 *
 * Options may change while files of the instance are looked up: each is one word, read once where it is needed.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../vfs.h"
#include "frame.h"

#define PROC_MAGIC 0x9fa0

/* What is asked for is set, the rest of the instance stays. */
static int
take_option(void *into, const char *key, const char *value)
{
	struct proc_instance *p = into;
	static const struct {
		const char *word;
		int hiding;
	} words[] = {
		{ "0", PROC_SHOWN },      { "off", PROC_SHOWN },        { "1", PROC_CLOSED },
		{ "noaccess", PROC_CLOSED }, { "2", PROC_HIDDEN },      { "invisible", PROC_HIDDEN },
		{ "4", PROC_NOT_THERE },  { "ptraceable", PROC_NOT_THERE },
	};
	const char *end;
	uint64_t n;

	if (strcmp(key, "gid") == 0) {
		if (!value || parse_u64(value, &end, 0, &n) || *end || n > UINT32_MAX ||
		    gid_from_user((gid_t)n) == ID_INVALID)
			return -EINVAL;
		WRITE_ONCE(p->group, gid_from_user((gid_t)n));
		return 0;
	}
	if (strcmp(key, "subset") == 0) {
		if (!value || strcmp(value, "pid"))
			return -EINVAL;
		WRITE_ONCE(p->processes_only, true);
		return 0;
	}
	if (strcmp(key, "hidepid") != 0)
		return -ENOENT;
	for (size_t i = 0; value && i < ARRAY_SIZE(words); i++)
		if (strcmp(value, words[i].word) == 0) {
			WRITE_ONCE(p->hiding, words[i].hiding);
			return 0;
		}
	return -EINVAL;
}

static int
proc_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct proc_instance *p = kzalloc(sizeof(*p));
	struct inode *root;
	int error = p ? mount_options_each(options, take_option, p) : -ENOMEM;

	if (error)
		goto fail;
	error = -ENOMEM;
	root = procfs_root_create(fs);
	if (!root)
		goto fail;
	fs->root = dentry_create_root(fs, root);
	if (!fs->root) {
		inode_put(root);
		goto fail;
	}
	p->ns = current_pid_namespace();
	namespace_get(&p->ns->ns);
	fs->private = p;
	return 0;
fail:
	kfree(p);
	return error;
}

static void
proc_unmount(struct filesystem *fs)
{
	struct proc_instance *p = fs->private;

	namespace_put(&p->ns->ns);
	kfree(p);
}

static int
proc_remount(struct filesystem *fs, const char *options)
{
	struct proc_instance *p = fs->private, checked = *p;
	int error = mount_options_each(options, take_option, &checked);

	return error ? error : mount_options_each(options, take_option, p);
}

static int
proc_check_option(const char *key, const char *value)
{
	struct proc_instance ignored = { 0 };

	return take_option(&ignored, key, value);
}

static void
proc_show_options(struct filesystem *fs, char *out, size_t size)
{
	static const char *const words[] = { "off", "noaccess", "invisible", "", "ptraceable" };
	const struct proc_instance *p = fs->private;
	size_t n = 0;

	*out = '\0';
	if (p->group)
		n += (size_t)scnprintf(out + n, size - n, ",gid=%u", gid_shown(p->group));
	if (p->hiding)
		n += (size_t)scnprintf(out + n, size - n, ",hidepid=%s", words[p->hiding]);
	if (p->processes_only)
		scnprintf(out + n, size - n, ",subset=pid");
}

static struct filesystem_type proc_type = {
	.check_option = proc_check_option,
	.name = "proc",
	.magic = PROC_MAGIC,
	.no_device = true,
	.user_mount = true,
	.no_cache = true,
	.no_judges = true,
	.mount = proc_mount,
	.remount = proc_remount,
	.unmount = proc_unmount,
	.show_options = proc_show_options,
};

void
procfs_init(void)
{
	filesystem_register(&proc_type);
}
