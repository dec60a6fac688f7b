/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - System V IPC: the tables of objects, their ids and keys, and who may use them.
 *
 * Indexes are given out in turn, so that one is not used again at once: the search goes on behind the last
 * one, within a range that is half as large again as what is in use, and at least INDEX_CYCLE. Each time it
 * starts over, the sequence number grows; both together are the id.
 *
 * Removal: (1) table and object locked, (2) out of the table, `deleted` set, (3) sleepers woken by the kind, (4)
 * locks dropped, (5) the table's reference put. A caller that found the object before (2) and locks it after
 * (4) sees `deleted` and returns EIDRM.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/mqueue.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/time.h>

#include "sysv.h"

#define INDEX_CYCLE    64u
#define SEQUENCE_LIMIT (INT32_MAX >> IPC_INDEX_BITS)

static const struct ipc_kind_ops *const kinds[IPC_KINDS] = {
	[IPC_SHM] = &shm_kind,
	[IPC_SEM] = &sem_kind,
	[IPC_MSG] = &msg_kind,
};

struct ipc_namespace init_ipc_namespace;

int64_t
ipc_now(void)
{
	return (int64_t)(clock_realtime_ns() / NSEC_PER_SEC);
}

/* --- permissions ------------------------------------------------------------------------------ */

/* Objects are found through the caller's namespace only, so its owner is theirs. */
static bool
capable_of_ipc(int cap)
{
	return capable_in(current_namespaces()->of[NAMESPACE_IPC]->owner, cap);
}

bool
ipc_permits(const struct ipc_object *o, uint32_t rights)
{
	const struct cred *c = current_cred();
	uint32_t asked = rights >> 6 | rights >> 3 | rights, granted = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		granted >>= 6;
	else if (cred_in_group(c, o->cgid) || cred_in_group(c, o->gid))
		granted >>= 3;
	return !(asked & ~granted & 7) || capable_of_ipc(CAP_IPC_OWNER);
}

bool
ipc_owned(const struct ipc_object *o)
{
	uid_t euid = current_cred()->euid;

	return euid == o->cuid || euid == o->uid || capable_of_ipc(CAP_SYS_ADMIN);
}

/* --- references ------------------------------------------------------------------------------- */

void
ipc_put(struct ipc_object *o)
{
	if (ref_put(&o->refs))
		kinds[o->kind]->free(o);
}

void
ipc_unlock_put(struct ipc_object *o)
{
	mutex_unlock(&o->lock);
	ipc_put(o);
}

/* By index alone, with a reference. */
static struct ipc_object *
find_index(enum ipc_kind kind, uint32_t index)
{
	struct ipc_table *t = &current_ipc_namespace()->table[kind];
	struct ipc_object *o;

	read_lock(&t->lock);
	o = radix_get(&t->objects, index);
	if (o)
		ref_get(&o->refs);
	read_unlock(&t->lock);
	return o;
}

struct ipc_object *
ipc_find(enum ipc_kind kind, int id, int *error)
{
	struct ipc_object *o = id < 0 ? NULL : find_index(kind, (uint32_t)id % IPC_INDEX_MAX);

	*error = -EINVAL;
	if (o && o->id != id) {
		ipc_put(o);
		return NULL;
	}
	return o;
}

/* Lock `o`, which may be NULL, and check. The reference goes where that fails. */
static struct ipc_object *
lock_found(struct ipc_object *o, uint32_t rights, int *error)
{
	if (!o)
		return NULL;
	mutex_lock(&o->lock);
	*error = ipc_permits(o, rights) ? 0 : -EACCES;
	if (*error == 0 && o->deleted)
		*error = -EIDRM;
	if (*error == 0)
		return o;
	ipc_unlock_put(o);
	return NULL;
}

struct ipc_object *
ipc_find_locked(enum ipc_kind kind, int id, uint32_t rights, int *error)
{
	return lock_found(ipc_find(kind, id, error), rights, error);
}

struct ipc_object *
ipc_find_named_locked(enum ipc_kind kind, int name, enum ipc_naming by, int *error)
{
	struct ipc_object *o;

	*error = -EINVAL;
	if (by == IPC_BY_ID)
		o = ipc_find(kind, name, error);
	else
		o = name < 0 ? NULL : find_index(kind, (uint32_t)name % IPC_INDEX_MAX);
	return lock_found(o, by == IPC_BY_INDEX_ANY ? 0 : 0444, error);
}

/* --- tables ----------------------------------------------------------------------------------- */

static struct list *
chain(struct ipc_table *t, int32_t key)
{
	return &t->keys[(uint32_t)key * 2654435761u >> 26];
}

static struct ipc_object *
find_key(struct ipc_table *t, int32_t key)
{
	struct ipc_object *o;

	list_for_each (o, chain(t, key), key_node)
		if (o->key == key)
			return o;
	return NULL;
}

static void
name_object(struct ipc_table *t, struct ipc_object *o, uint32_t sequence, uint64_t index)
{
	t->in_use++;
	o->id = (int)(sequence << IPC_INDEX_BITS | index);
	if (o->key != IPC_PRIVATE)
		list_add(chain(t, o->key), &o->key_node);
}

/* The id that was asked for, once, or the next one of its sequence number that is free. */
static int
insert_at_id(struct ipc_table *t, struct ipc_object *o)
{
	uint32_t wanted = (uint32_t)atomic_exchange(&t->wanted_id, -1);
	uint64_t index;
	int error;

	if (!radix_find_free(&t->objects, wanted % IPC_INDEX_MAX, IPC_INDEX_MAX - 1, &index))
		return -ENOSPC;
	error = radix_set(&t->objects, index, o, NULL);
	if (!error)
		name_object(t, o, wanted >> IPC_INDEX_BITS, index);
	return error;
}

/* An index and with it an id for `o`. */
static int
insert(struct ipc_table *t, struct ipc_object *o, uint32_t limit)
{
	uint64_t index;
	uint32_t range = MIN(MAX(t->in_use * 3 / 2, INDEX_CYCLE), IPC_INDEX_MAX);
	int error;

	assert(rwlock_is_write_held(&t->lock));
	if (t->in_use >= MIN(limit, IPC_INDEX_MAX))
		return -ENOSPC;
	if (t->wanted_id >= 0)
		return insert_at_id(t, o);
	if (t->next_index >= range ||
	    !radix_find_free(&t->objects, t->next_index, range - 1, &index))
		if (!radix_find_free(&t->objects, 0, range - 1, &index))
			return -ENOSPC;
	error = radix_set(&t->objects, index, o, NULL);
	if (error)
		return error;
	t->next_index = (uint32_t)index + 1;
	if ((int)index <= t->last_index && ++t->sequence >= SEQUENCE_LIMIT)
		t->sequence = 0;
	t->last_index = (int)index;
	name_object(t, o, t->sequence, index);
	return 0;
}

void
ipc_forget_key_locked(struct ipc_object *o)
{
	assert(rwlock_is_write_held(&ipc_table_of(o)->lock));
	list_del_init(&o->key_node);
	o->key = IPC_PRIVATE;
}

void
ipc_delete_locked(struct ipc_object *o)
{
	struct ipc_table *t = ipc_table_of(o);

	assert(rwlock_is_write_held(&t->lock));
	assert_mutex_held(&o->lock);
	list_del_init(&o->key_node);
	(void)radix_remove(&t->objects, (uint32_t)o->id % IPC_INDEX_MAX);
	t->in_use--;
	o->deleted = true;
	if (kinds[o->kind]->removed)
		kinds[o->kind]->removed(o);
}

static int
create(struct ipc_namespace *ns, enum ipc_kind kind, const struct ipc_request *r)
{
	const struct cred *c = current_cred();
	struct ipc_object *o;
	int error = kinds[kind]->create(ns, r, &o);

	if (error)
		return error;
	mutex_init(&o->lock, LOCK_IPC);
	ref_init(&o->refs);
	o->ns = ns;
	o->kind = kind;
	o->deleted = false;
	o->key = r->key;
	list_init(&o->key_node);
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = r->flags & 0777;
	error = insert(&ns->table[kind], o, kinds[kind]->limit(ns));
	if (error) {
		mutex_lock(&o->lock);
		if (kinds[kind]->removed)
			kinds[kind]->removed(o);
		ipc_unlock_put(o);
		return error;
	}
	return o->id;
}

int
ipc_get(enum ipc_kind kind, const struct ipc_request *r)
{
	struct ipc_namespace *ns = current_ipc_namespace();
	struct ipc_table *t = &ns->table[kind];
	struct ipc_object *o;
	int result;

	write_lock(&t->lock);
	o = r->key == IPC_PRIVATE ? NULL : find_key(t, r->key);
	if (o) {
		mutex_lock(&o->lock);
		if ((r->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
			result = -EEXIST;
		else
			result = kinds[kind]->check ? kinds[kind]->check(o, r) : 0;
		if (result == 0)
			result = ipc_permits(o, r->flags) ? o->id : -EACCES;
		mutex_unlock(&o->lock);
	} else if (r->key != IPC_PRIVATE && !(r->flags & IPC_CREAT)) {
		result = -ENOENT;
	} else {
		result = create(ns, kind, r);
	}
	write_unlock(&t->lock);
	return result;
}

/* --- what all kinds tell and change ----------------------------------------------------------- */

void
ipc_status_fill(const struct ipc_object *o, struct ipc_status *out)
{
	*out = (struct ipc_status){
		.id = o->id, .key = o->key, .uid = o->uid, .gid = o->gid, .cuid = o->cuid,
		.cgid = o->cgid, .mode = o->mode, .sequence = (uint16_t)((uint32_t)o->id >> IPC_INDEX_BITS),
	};
}

int
ipc_change(enum ipc_kind kind, int id, const struct ipc_change *c)
{
	const struct ipc_kind_ops *k = kinds[kind];
	int error;
	struct ipc_object *o = ipc_find_locked(kind, id, 0, &error);

	if (!o)
		return error;
	error = -EPERM;
	if (!ipc_owned(o))
		goto unlock;
	error = k->change ? k->change(o, c) : 0;
	if (error)
		goto unlock;
	error = -EINVAL;
	if (c->uid == UINT32_MAX || c->gid == UINT32_MAX)
		goto unlock;
	error = 0;
	o->uid = c->uid;
	o->gid = c->gid;
	o->mode = (o->mode & ~0777u) | (c->mode & 0777);
	k->changed(o, c);
unlock:
	ipc_unlock_put(o);
	return error;
}

int
ipc_remove(enum ipc_kind kind, int id)
{
	int error;
	struct ipc_object *o = ipc_find(kind, id, &error);
	bool gone = false;

	if (!o)
		return error;
	write_lock(&ipc_table_of(o)->lock);
	mutex_lock(&o->lock);
	error = o->deleted ? -EIDRM : ipc_owned(o) ? 0 : -EPERM;
	if (error == 0 && !(kind == IPC_SHM && shm_stays(o))) {
		ipc_delete_locked(o);
		gone = true;
	}
	mutex_unlock(&o->lock);
	write_unlock(&ipc_table_of(o)->lock);
	if (gone)
		ipc_put(o);
	ipc_put(o);
	return error;
}

int
ipc_highest_index(enum ipc_kind kind, uint32_t *in_use)
{
	struct ipc_table *t = &current_ipc_namespace()->table[kind];
	uint64_t index = 0, highest = 0;

	read_lock(&t->lock);
	for (; radix_next(&t->objects, &index); index++)
		highest = index;
	*in_use = t->in_use;
	read_unlock(&t->lock);
	return (int)highest;
}

bool
ipc_next_index(enum ipc_kind kind, uint32_t *index)
{
	struct ipc_table *t = &current_ipc_namespace()->table[kind];
	uint64_t at = *index;
	bool found;

	read_lock(&t->lock);
	found = radix_next(&t->objects, &at) != NULL;
	read_unlock(&t->lock);
	*index = (uint32_t)at;
	return found;
}

/* --- namespaces ------------------------------------------------------------------------------- */

static void
namespace_setup(struct ipc_namespace *ns)
{
	ref_init(&ns->refs);
	for (int k = 0; k < IPC_KINDS; k++) {
		struct ipc_table *t = &ns->table[k];

		rwlock_init(&t->lock, LOCK_IPC_TABLE);
		radix_init(&t->objects);
		t->last_index = -1;
		t->wanted_id = -1;
		for (int i = 0; i < IPC_HASH; i++)
			list_init(&t->keys[i]);
	}
	ns->shm_max = ns->shm_all = UINT64_MAX - (1ul << 24);
	ns->shm_count_max = 4096;
	ns->sem_set_max = 32000;
	ns->sem_all_max = 1024000000;
	ns->sem_ops_max = 500;
	ns->sem_count_max = 32000;
	ns->msg_size_max = 8192;
	ns->msg_bytes_max = 16384;
	ns->msg_count_max = 32000;
	mqueue_limits_init(&ns->mqueue_limits);
}

void
ipc_namespace_init(void)
{
	namespace_setup(&init_ipc_namespace);
}

struct ipc_namespace *
ipc_namespace_create(void)
{
	struct ipc_namespace *ns = kzalloc(sizeof(*ns));

	if (ns)
		namespace_setup(ns);
	return ns;
}

struct ipc_namespace *
current_ipc_namespace(void)
{
	return current_process()->ipc;
}

/* Nobody is in the namespace any more, but sleepers cannot be either: only references to objects are left. */
static void
table_empty(struct ipc_table *t)
{
	for (;;) {
		struct ipc_object *o;
		uint64_t index = 0;

		write_lock(&t->lock);
		o = radix_next(&t->objects, &index);
		if (o) {
			mutex_lock(&o->lock);
			ipc_delete_locked(o);
			mutex_unlock(&o->lock);
		}
		write_unlock(&t->lock);
		if (!o)
			break;
		ipc_put(o);
	}
	radix_destroy(&t->objects);
}

void
ipc_namespace_put(struct ipc_namespace *ns)
{
	if (!ref_put(&ns->refs))
		return;
	assert(ns != &init_ipc_namespace);
	for (int k = 0; k < IPC_KINDS; k++)
		table_empty(&ns->table[k]);
	mqueue_namespace_end(ns);
	kfree(ns);
}

void
sysv_dump(void)
{
	struct ipc_namespace *ns = &init_ipc_namespace;

	for (int k = 0; k < IPC_KINDS; k++) {
		const struct ipc_object *o;

		for (uint64_t i = 0; (o = radix_next(&ns->table[k].objects, &i)) != NULL; i++) {
			pr_info("%s %d: key %#x mode %o uid %u refs %u%s\n", kinds[k]->name, o->id,
				(uint32_t)o->key, o->mode, o->uid, ref_count(&o->refs),
				o->deleted ? " (removed)" : "");
			kinds[k]->dump(o);
		}
	}
}
