/* SPDX-License-Identifier: MIT */
/*
 * vfio_dma.c - memory of programs, mapped for devices: pinned page by page, counted against the limit of locked
 * memory of who mapped it, and let go when it is unmapped or the container ends.
 *
 * Which pages they are is kept in the IOMMU's tables alone. Order of letting go: the tables' entries are cleared, the
 * IOMMU forgets what it remembered of them, then the pages are put; so a device never sees memory that
 * somebody else has got meanwhile.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/memory_object.h>
#include <tessera/panic.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

#include "vfio.h"

#define BATCH 32u /* entries let go together: the IOMMU forgets once for all of them */

/* What an entry of the IOMMU mapped. */
struct piece {
	paddr_t pa;
	uint64_t size;
};

/* [I] */
struct vfio_mapping {
	struct rb_node node;           /* [s] by iova */
	uint64_t iova, size;
	bool write;                    /* devices may write to it */
	struct address_space *as;      /* whose limit it counts against: kept for that alone (lazy) */
};

static struct vfio_mapping *
mapping_of(struct rb_node *n)
{
	return rb_entry(n, struct vfio_mapping, node);
}

/* The first mapping that ends behind `iova`, or NULL. */
static struct vfio_mapping *
first_behind(const struct vfio_mappings *m, uint64_t iova)
{
	struct rb_node *n = m->tree.root, *found = NULL;

	while (n) {
		struct vfio_mapping *d = mapping_of(n);

		if (d->iova + (d->size - 1) >= iova) {
			found = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found ? mapping_of(found) : NULL;
}

static void
insert(struct vfio_mappings *m, struct vfio_mapping *d)
{
	struct rb_node **link = &m->tree.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = d->iova < mapping_of(parent)->iova ? &parent->left : &parent->right;
	}
	rb_insert(&m->tree, &d->node, parent, link);
	m->count++;
}

/* --- pages --------------------------------------------------------------------------------------- */

/* A page that devices could write to, they may have written to since the store was given it. */
static void
put_batch(struct iommu_domain *domain, const struct piece *pieces, uint32_t n, bool written)
{
	iommu_unmap_done(domain);
	for (uint32_t i = 0; i < n; i++)
		for (uint64_t at = 0; at < pieces[i].size; at += PAGE_SIZE) {
			struct page *p = pfn_to_page((pieces[i].pa + at) >> PAGE_SHIFT);

			if (written)
				page_written(p);
			page_put(p);
		}
}

/* What is mapped of the range is let go. */
static void
let_go(struct iommu_domain *domain, uint64_t iova, uint64_t size, bool write)
{
	struct piece pieces[BATCH];
	uint32_t n = 0;

	for (uint64_t at = 0; at < size;) {
		if (n == BATCH) {
			put_batch(domain, pieces, n, write);
			n = 0;
		}
		pieces[n].size = iommu_unmap(domain, iova + at, &pieces[n].pa);
		at += pieces[n].size ? pieces[n].size : PAGE_SIZE;
		if (pieces[n].size)
			n++;
	}
	iommu_unmap_tables(domain, iova, size);
	put_batch(domain, pieces, n, write);
}

/* A run of pages that are pinned, behind the `done` bytes that are mapped; what cannot be mapped is let go again. */
static int
map_run(struct iommu_domain *domain, const struct vfio_dma_map *map, paddr_t pa, uint64_t size, uint64_t *done)
{
	uint64_t mapped = iommu_map(domain, map->iova + *done, pa, size, map->flags & VFIO_DMA_READ,
				    map->flags & VFIO_DMA_WRITE);

	*done += mapped;
	for (uint64_t at = mapped; at < size; at += PAGE_SIZE)
		page_put(pfn_to_page((pa + at) >> PAGE_SHIFT));
	return mapped == size ? 0 : -ENOMEM;
}

/* Pin and map, by runs: memory of one piece takes few entries. `done` counts what is mapped, also after an error. */
static int
pin(struct iommu_domain *domain, struct address_space *as, const struct vfio_dma_map *map, uint64_t *done)
{
	bool write = map->flags & VFIO_DMA_WRITE;
	uint64_t size = 0; /* of the run behind `done` */
	paddr_t start = 0;
	int error = 0, failed = 0;

	*done = 0;
	while (!error && *done + size < map->size) {
		struct page *p;

		error = signal_fatal_pending(current_thread()) ? -EINTR
							       : address_space_pin(as, map->vaddr + *done + size, write, &p);
		if (error)
			break;
		if (size && page_to_phys(p) != start + size) {
			error = map_run(domain, map, start, size, done);
			size = 0;
		}
		if (error) {
			page_put(p);
			break;
		}
		if (size == 0)
			start = page_to_phys(p);
		size += PAGE_SIZE;
	}
	if (size)
		failed = map_run(domain, map, start, size, done);
	return error ? error : failed;
}

/* --- the calls ----------------------------------------------------------------------------------- */

static bool
is_aligned(uint64_t v)
{
	return IS_ALIGNED(v, PAGE_SIZE);
}

static int
check(struct vfio_mappings *m, struct iommu_domain *domain, const struct vfio_dma_map *map)
{
	uint64_t last = map->iova + map->size - 1;
	struct vfio_mapping *d;

	if (!(map->flags & (VFIO_DMA_READ | VFIO_DMA_WRITE)) || !map->size ||
	    !is_aligned(map->size | map->iova | map->vaddr))
		return -EINVAL;
	if (last < map->iova || map->vaddr + map->size - 1 < map->vaddr)
		return -EINVAL;
	d = first_behind(m, map->iova);
	if (d && d->iova <= last)
		return -EEXIST;
	if (m->count >= VFIO_MAPPINGS_MAX)
		return -ENOSPC;
	if (last > iommu_last_address(domain) || (map->iova < IOMMU_RESERVED_END && last >= IOMMU_RESERVED_START))
		return -EINVAL;
	return 0;
}

int
vfio_dma_map(struct vfio_mappings *m, struct iommu_domain *domain, const struct vfio_dma_map *map)
{
	struct process *p = current_process();
	struct address_space *as = p ? process_address_space(p) : NULL;
	uint64_t done = 0;
	struct vfio_mapping *d;
	int error = check(m, domain, map);

	if (!as)
		return error ? error : -EINVAL;
	if (error)
		goto put_space;
	error = -ENOMEM;
	d = kzalloc(sizeof(*d));
	if (!d)
		goto put_space;
	error = address_space_lock_charge(as, map->size >> PAGE_SHIFT);
	if (error)
		goto free_mapping;
	error = pin(domain, as, map, &done);
	if (error)
		goto unpin;
	iommu_map_done(domain);
	d->iova = map->iova;
	d->size = map->size;
	d->write = map->flags & VFIO_DMA_WRITE;
	d->as = as;
	ref_get(&as->lazy);
	insert(m, d);
	m->pages += map->size >> PAGE_SHIFT;
	address_space_put(as);
	return 0;

unpin:
	let_go(domain, map->iova, done + PAGE_SIZE, map->flags & VFIO_DMA_WRITE); /* with tables for one that there is not */
	address_space_lock_release(as, map->size >> PAGE_SHIFT);
free_mapping:
	kfree(d);
put_space:
	address_space_put(as);
	return error;
}

static void
drop(struct vfio_mappings *m, struct iommu_domain *domain, struct vfio_mapping *d)
{
	let_go(domain, d->iova, d->size, d->write);
	address_space_lock_release(d->as, d->size >> PAGE_SHIFT);
	address_space_put_lazy(d->as);
	m->pages -= d->size >> PAGE_SHIFT;
	m->count--;
	rb_erase(&m->tree, &d->node);
	kfree(d);
}

/* Is there a mapping that the range cuts in two? */
static bool
cuts(struct vfio_mappings *m, uint64_t iova, uint64_t last)
{
	struct vfio_mapping *d = first_behind(m, iova);

	if (d && d->iova < iova)
		return true;
	d = first_behind(m, last);
	return d && d->iova <= last && d->iova + (d->size - 1) > last;
}

int
vfio_dma_unmap(struct vfio_mappings *m, struct iommu_domain *domain, uint64_t iova, uint64_t size, bool all,
	       bool strict, uint64_t *unmapped)
{
	uint64_t last = all ? UINT64_MAX : iova + size - 1;
	struct vfio_mapping *d;

	*unmapped = 0;
	if (!all && (!size || last < iova || !is_aligned(iova | size)))
		return -EINVAL;
	if (strict && !all && cuts(m, iova, last))
		return -EINVAL;
	while ((d = first_behind(m, iova)) != NULL && d->iova <= last) {
		if (!all && d->iova < iova)
			break; /* version 1: a mapping goes whole, by its start */
		*unmapped += d->size;
		drop(m, domain, d);
	}
	return 0;
}
