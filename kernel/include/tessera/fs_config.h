/* SPDX-License-Identifier: MIT */
/*
 * fs_config.h - file systems put together step by step: vfs/fs_config.c.
 */
#ifndef TESSERA_FS_CONFIG_H
#define TESSERA_FS_CONFIG_H

#include <tessera/types.h>

struct file;
struct path;

/* What a value is: none, text, or something that only some file systems could take. */
enum fs_config_kind { FS_CONFIG_FLAG, FS_CONFIG_STRING, FS_CONFIG_OTHER };

int fs_config_open(const char *type, struct file **out);      /* -ENODEV, -ENOMEM */
int fs_config_pick(const struct path *p, struct file **out);  /* -EINVAL: not the root of a mount */
bool file_is_fs_config(const struct file *f);
/* All of these: -EBUSY at the wrong time. */
int fs_config_set(struct file *f, const char *key, const char *value, enum fs_config_kind kind);
int fs_config_make(struct file *f);
int fs_config_change(struct file *f);
/* A mount of what was made, attached nowhere: an O_PATH file. `flags`: MOUNT_*. */
int fs_config_mount(struct file *f, uint32_t flags, struct file **out);

#endif
