/* SPDX-License-Identifier: MIT */
/*
 * vfio_container.c - /dev/vfio/vfio: what the devices of its groups reach.
 *
 * A container chooses once what it is, when its first group has joined: behind an IOMMU (type 1, version 1 or 2), with a
 * domain that all its groups share; or without one. Without one a device reaches all memory, and a driver needs to
 * know where its own lies: memory that the kernel gives, contiguous, with its bus address, mapped by mmap(2) of the
 * container. That memory lives as long as the container, which lives as long as the devices that may write to it.
 *
 * Locks: vfio_lock for groups and the choice; c->lock for memory of the kernel's, for moments. The lock of a space is held
 * while memory of a program's is pinned, which may take as long as that program, or a daemon that gives it a file's
 * pages, likes; so nobody takes it who holds a lock of others: who leaves a container drops its space, and the last
 * one that uses it lets go what is mapped.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/continuation.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "pci.h"
#include "vfio.h"

#define ALLOCATIONS_MAX 1024u

enum container_type { TYPE_NONE, TYPE_1, TYPE_1_V2, TYPE_NOIOMMU };
static const char *const type_names[] = { "nothing yet", "type 1", "type 1 version 2", "no IOMMU" };

/* Memory of the kernel's. [I] */
struct allocation {
	struct list node;              /* [c] */
	struct page *page;
	uint32_t order;
	uint64_t offset, size;         /* in the container's file: its bus address */
};

/* What devices reach behind an IOMMU: from the choice until the last group has left. [I] immutable  [s] lock */
struct vfio_space {
	struct refcount refs;          /* its container, calls that map and unmap */
	bool strict;                   /* [I] version 2: what was mapped whole is unmapped whole */
	struct iommu_domain *domain;   /* [I] its tables: [s] */
	struct mutex lock;             /* class SLEEP_LEAF */
	struct vfio_mappings mappings; /* [s] */
	struct continuation letting_go; /* of the container's reference, late */
};

/* [I] immutable  [V] vfio_lock  [c] lock  [V+c] both to change, either to read */
struct vfio_container {
	struct refcount refs;          /* its file, groups in it, mappings of its memory */
	struct list groups;            /* [V] */
	enum container_type type;      /* [V+c] */
	enum vfio_group_kind kind;     /* [V] of its groups */
	struct vfio_space *space;      /* [V+c] a reference; NULL: there is no IOMMU, or it has not chosen */
	struct mutex lock;             /* class SLEEP_LEAF */
	struct list allocations;       /* [c] */
	uint32_t allocated;            /* [c] */
};

static const struct file_ops container_ops;

struct vfio_container *
vfio_container_of(struct file *f)
{
	struct vfio_container *c = f->ops == &container_ops ? f->private : NULL;

	if (c)
		ref_get(&c->refs);
	return c;
}

static void
free_allocations(struct vfio_container *c)
{
	struct allocation *a, *next;

	list_for_each_safe (a, next, &c->allocations, node) {
		page_free(a->page, a->order);
		kfree(a);
	}
}

void
vfio_container_put(struct vfio_container *c)
{
	if (!ref_put(&c->refs))
		return;
	assert(list_is_empty(&c->groups) && !c->space);
	free_allocations(c);
	kfree(c);
}

bool
vfio_container_is_ready(struct vfio_container *c)
{
	return c->type != TYPE_NONE;
}

/* --- groups -------------------------------------------------------------------------------------- */

static void
let_go_late(struct continuation *c)
{
	vfio_space_put(container_of(c, struct vfio_space, letting_go));
}

static struct vfio_space *
create_space(bool strict)
{
	struct vfio_space *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->domain = iommu_domain_create();
	if (!s->domain) {
		kfree(s);
		return NULL;
	}
	ref_init(&s->refs);
	mutex_init(&s->lock, LOCK_SLEEP_LEAF);
	s->strict = strict;
	continuation_init(&s->letting_go, let_go_late);
	return s;
}

/* The last one lets go what is mapped: no device sees it any more. */
void
vfio_space_put(struct vfio_space *s)
{
	uint64_t unmapped;

	if (!s || !ref_put(&s->refs))
		return;
	vfio_dma_unmap(&s->mappings, s->domain, 0, 0, true, false, &unmapped);
	iommu_domain_free(s->domain);
	kfree(s);
}

void
vfio_space_put_late(struct vfio_space *s)
{
	if (s)
		(void)continuation_run(&s->letting_go);
}

/* What it is, and what devices reach by it; a choice is both at once. */
static struct vfio_space *
choose(struct vfio_container *c, enum container_type type, struct vfio_space *s)
{
	struct vfio_space *old = c->space;

	assert_mutex_held(&vfio_lock);
	mutex_lock(&c->lock);
	c->type = type;
	c->space = s;
	mutex_unlock(&c->lock);
	return old;
}

int
vfio_container_join(struct vfio_container *c, struct vfio_group *g)
{
	int error = 0;

	assert_mutex_held(&vfio_lock);
	if (!list_is_empty(&c->groups) && c->kind != g->kind)
		return -EPERM;
	if (c->space)
		error = iommu_attach(c->space->domain, g->iommu);
	if (error)
		return error;
	c->kind = g->kind;
	list_add_tail(&c->groups, &g->container_node);
	g->container = c;
	ref_get(&c->refs);
	vfio_group_get(g);
	return 0;
}

/* When nobody is in it any more it may choose anew. */
struct vfio_space *
vfio_container_leave(struct vfio_container *c, struct vfio_group *g)
{
	struct vfio_space *left = NULL;

	assert_mutex_held(&vfio_lock);
	list_del(&g->container_node);
	g->container = NULL;
	if (c->space)
		iommu_detach(g->iommu);
	if (list_is_empty(&c->groups))
		left = choose(c, TYPE_NONE, NULL);
	vfio_container_put(c);
	vfio_group_put(g);
	return left;
}

/* --- the choice ---------------------------------------------------------------------------------- */

static bool
has_noiommu_group(struct vfio_container *c)
{
	return !list_is_empty(&c->groups) && c->kind != GROUP_IOMMU;
}

static long
check_extension(struct vfio_container *c, unsigned long what)
{
	bool type1 = c->type != TYPE_NOIOMMU && iommu_is_there() && !has_noiommu_group(c);
	bool none = c->type == TYPE_NOIOMMU || (c->type == TYPE_NONE && has_noiommu_group(c));

	switch (what) {
	case VFIO_TYPE1:
	case VFIO_TYPE1_V2:
	case VFIO_UNMAP_ALL:
		return type1;
	case VFIO_DMA_COHERENT:
		return type1 && c->space;
	case VFIO_NOIOMMU:
		return none;
	case VFIO_ALLOC_DMA:
		return none && c->kind == GROUP_NOIOMMU;
	default:
		return 0;
	}
}

static int
attach_all(struct vfio_container *c, struct iommu_domain *domain)
{
	struct vfio_group *g, *done;
	int error;

	list_for_each (g, &c->groups, container_node) {
		error = iommu_attach(domain, g->iommu);
		if (error)
			goto detach;
	}
	return 0;

detach:
	list_for_each (done, &c->groups, container_node) {
		if (done == g)
			break;
		iommu_detach(done->iommu);
	}
	return error;
}

static long
set_iommu(struct vfio_container *c, unsigned long type)
{
	struct vfio_space *s;
	int error;

	if (list_is_empty(&c->groups) || c->type != TYPE_NONE)
		return -EINVAL;
	if (type == VFIO_NOIOMMU && has_noiommu_group(c)) {
		if (c->kind == GROUP_NOIOMMU && !capable(CAP_SYS_RAWIO))
			return -EPERM;
		choose(c, TYPE_NOIOMMU, NULL);
		return 0;
	}
	if ((type != VFIO_TYPE1 && type != VFIO_TYPE1_V2) || !check_extension(c, type))
		return -ENODEV;
	s = create_space(type == VFIO_TYPE1_V2);
	if (!s)
		return -ENOMEM;
	error = attach_all(c, s->domain);
	if (error)
		vfio_space_put(s);
	else
		choose(c, type == VFIO_TYPE1 ? TYPE_1 : TYPE_1_V2, s);
	return error;
}

/* --- memory -------------------------------------------------------------------------------------- */

static long
get_info(const struct vfio_space *s, struct vfio_iommu_info __user *arg)
{
	struct {
		struct vfio_iommu_info info;
		struct vfio_iova_ranges ranges;
		struct vfio_dma_available available;
	} out = { 0 };
	uint32_t argsz;

	_Static_assert(sizeof(out) == 24 + 48 + 16, "no holes");
	if (get_user(argsz, &arg->argsz))
		return -EFAULT;
	if (argsz < VFIO_IOMMU_INFO_MIN)
		return -EINVAL;
	out.info = (struct vfio_iommu_info){ .flags = VFIO_IOMMU_PAGE_SIZES | VFIO_IOMMU_CAPS, .page_sizes = PAGE_SIZE };
	out.info.argsz = sizeof(out);
	out.ranges = (struct vfio_iova_ranges){ .head = { VFIO_CAP_IOVA_RANGES, 1, sizeof(out.info) + sizeof(out.ranges) },
						.count = 2 };
	out.ranges.range[0].end = IOMMU_RESERVED_START - 1;
	out.ranges.range[1].start = IOMMU_RESERVED_END;
	out.ranges.range[1].end = iommu_last_address(s->domain);
	out.available = (struct vfio_dma_available){ .head = { VFIO_CAP_DMA_AVAILABLE, 1, 0 },
						     .available = VFIO_MAPPINGS_MAX - READ_ONCE(s->mappings.count) };
	if (argsz < sizeof(out))
		return copy_to_user(arg, &out.info, MIN((size_t)argsz, sizeof(out.info)));
	out.info.caps = sizeof(out.info);
	return copy_to_user(arg, &out, sizeof(out));
}

static long
map_dma(struct vfio_space *s, void __user *arg)
{
	struct vfio_dma_map map;
	int error;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.argsz < sizeof(map) || (map.flags & ~(VFIO_DMA_READ | VFIO_DMA_WRITE)))
		return -EINVAL;
	error = mutex_lock_killable(&s->lock);
	if (error)
		return error;
	error = vfio_dma_map(&s->mappings, s->domain, &map);
	mutex_unlock(&s->lock);
	return error;
}

static long
unmap_dma(struct vfio_space *s, void __user *arg)
{
	struct vfio_dma_unmap unmap;
	uint64_t unmapped = 0;
	bool all;
	int error;

	if (copy_from_user(&unmap, arg, sizeof(unmap)))
		return -EFAULT;
	if (unmap.argsz < sizeof(unmap) || (unmap.flags & ~VFIO_DMA_UNMAP_ALL))
		return -EINVAL;
	all = unmap.flags & VFIO_DMA_UNMAP_ALL;
	if (all && (unmap.iova || unmap.size))
		return -EINVAL;
	error = mutex_lock_killable(&s->lock);
	if (error)
		return error;
	error = vfio_dma_unmap(&s->mappings, s->domain, unmap.iova, unmap.size, all, s->strict, &unmapped);
	mutex_unlock(&s->lock);
	if (error)
		return error;
	unmap.size = unmapped;
	return copy_to_user(arg, &unmap, sizeof(unmap));
}

/* Ours, see docs/vfio.md: memory whose bus address is told. */
static long
alloc_dma(struct vfio_container *c, void __user *arg)
{
	struct vfio_dma_alloc alloc;
	struct allocation *a;
	uint32_t order = 0;
	bool full;

	if (copy_from_user(&alloc, arg, sizeof(alloc)))
		return -EFAULT;
	if (alloc.argsz < sizeof(alloc) || (alloc.flags & ~VFIO_DMA_ALLOC_LOW) || !alloc.size ||
	    alloc.size > PAGE_SIZE << MAX_ORDER)
		return -EINVAL;
	while (PAGE_SIZE << order < alloc.size)
		order++;
	a = kzalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->page = page_alloc(order, ALLOC_ZERO | (alloc.flags & VFIO_DMA_ALLOC_LOW ? ALLOC_LOW : 0));
	if (!a->page) {
		kfree(a);
		return -ENOMEM;
	}
	a->order = order;
	a->offset = page_to_phys(a->page);
	a->size = PAGE_SIZE << order;
	alloc.bus = alloc.offset = a->offset;
	alloc.size = a->size;
	mutex_lock(&c->lock);
	full = c->allocated == ALLOCATIONS_MAX;
	if (!full) {
		list_add(&c->allocations, &a->node);
		c->allocated++;
	}
	mutex_unlock(&c->lock);
	if (full) {
		page_free(a->page, order);
		kfree(a);
		return -ENOSPC;
	}
	return copy_to_user(arg, &alloc, sizeof(alloc)); /* what it was not told of it keeps until it is closed */
}

static long
memory_ioctl(struct vfio_container *c, unsigned int command, void __user *arg)
{
	enum container_type type;
	struct vfio_space *s;
	bool kernels;
	long result;

	mutex_lock(&c->lock);
	type = c->type;
	kernels = type == TYPE_NOIOMMU && c->kind == GROUP_NOIOMMU;
	s = c->space;
	if (s)
		ref_get(&s->refs);
	mutex_unlock(&c->lock);
	if (type == TYPE_NONE)
		result = -EINVAL;
	else if (!s)
		result = kernels && command == VFIO_IOMMU_ALLOC_DMA ? alloc_dma(c, arg) : -ENOTTY;
	else if (command == VFIO_IOMMU_GET_INFO)
		result = get_info(s, arg);
	else if (command == VFIO_IOMMU_MAP_DMA)
		result = map_dma(s, arg);
	else if (command == VFIO_IOMMU_UNMAP_DMA)
		result = unmap_dma(s, arg);
	else
		result = -ENOTTY;
	vfio_space_put(s);
	return result;
}

static long
container_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct vfio_container *c = f->private;
	long result;

	switch (command) {
	case VFIO_GET_API_VERSION:
		return 0;
	case VFIO_CHECK_EXTENSION:
	case VFIO_SET_IOMMU:
		mutex_lock(&pci_lock);
		mutex_lock(&vfio_lock);
		result = command == VFIO_SET_IOMMU ? set_iommu(c, arg) : check_extension(c, arg);
		mutex_unlock(&vfio_lock);
		mutex_unlock(&pci_lock);
		return result;
	default:
		return memory_ioctl(c, command, __force_user(void __user *, arg));
	}
}

/* --- mmap ---------------------------------------------------------------------------------------- */

/* A page of the kernel's memory, by its bus address. A fault holds the lock of an address space, below c->lock's
 * class: allocations only come, and who looks is told what the list said at mmap(2); see container_mmap(). */
struct dma_window {
	struct memory_object object;
	struct vfio_container *container; /* a reference */
	uint64_t offset, size;
};

static int
window_page(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot)
{
	struct dma_window *w = container_of(o, struct dma_window, object);
	uint64_t at = index << PAGE_SHIFT;

	if (at < w->offset || at - w->offset >= w->size)
		return -EFAULT;
	*pa = at;
	*prot = 0;
	return 0;
}

static void
window_release(struct memory_object *o)
{
	struct dma_window *w = container_of(o, struct dma_window, object);

	vfio_container_put(w->container);
	kfree(w);
}

static const struct memory_object_ops window_ops = {
	.name = "vfio memory",
	.device_page = window_page,
	.release = window_release,
};

static int
container_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct vfio_container *c = f->private;
	struct dma_window *w;
	struct allocation *a;
	int error = -EINVAL;

	if (!(*flags & MAPPING_SHARED))
		return -EINVAL;
	w = kzalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	length = ALIGN_UP(length, PAGE_SIZE);
	mutex_lock(&c->lock);
	list_for_each (a, &c->allocations, node)
		if (offset >= a->offset && offset - a->offset < a->size && length <= a->size - (offset - a->offset)) {
			w->offset = a->offset;
			w->size = a->size;
			error = 0;
		}
	mutex_unlock(&c->lock);
	if (error) {
		kfree(w);
		return error;
	}
	object_init(&w->object, &window_ops, UINT64_MAX);
	w->container = c;
	ref_get(&c->refs);
	*out = &w->object;
	return 0;
}

/* --- the file ------------------------------------------------------------------------------------ */

static int
container_open(struct inode *i, struct file *f)
{
	struct vfio_container *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	ref_init(&c->refs);
	list_init(&c->groups);
	list_init(&c->allocations);
	mutex_init(&c->lock, LOCK_SLEEP_LEAF);
	f->private = c;
	return 0;
}

static void
container_release(struct file *f)
{
	if (f->private)
		vfio_container_put(f->private);
}

void
vfio_container_dump(struct vfio_container *c)
{
	pr_info("container %p: %s, refs %u, %u mappings of %lu pages, %u allocations", c, type_names[c->type],
		ref_count(&c->refs), c->space ? c->space->mappings.count : 0, c->space ? c->space->mappings.pages : 0,
		c->allocated);
}

static void
container_dump(struct file *f)
{
	if (f->private)
		vfio_container_dump(f->private);
}

static const char *
cannot_move(struct file *f)
{
	return "devices of this machine reach its memory";
}

static const struct file_ops container_ops = {
	.name = "vfio-container",
	.no_splice_read = true,
	.no_splice_write = true,
	.ioctl = container_ioctl,
	.mmap = container_mmap,
	.release = container_release,
	.dump = container_dump,
	.can_save = cannot_move,
};

void
vfio_container_init(void)
{
	if (chrdev_register("vfio/vfio", DEV(10, 196), 0666, &container_ops, container_open))
		pr_warn("vfio: no memory for /dev/vfio/vfio\n");
}
