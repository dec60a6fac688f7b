/* SPDX-License-Identifier: MIT */
/*
 * address_space.c - an address space and its tree of mappings.
 *
 * A mapping is a run of pages with one set of rights and one object (or none: private anonymous).
 * The tree is ordered by address, mappings never overlap, and neighbours that could be one are one
 * (mapping_merge). Every change is made of four steps: cut at the edges, change or unlink what lies
 * between, link what is new, merge.
 *
 * Life. `refs` counts processes: at zero everything is unmapped and the page tables are freed,
 * after every CPU that still had them loaded was made to leave. `lazy` counts those who need only
 * the struct (a flush in flight, a reader in /proc).
 *
 * Reading without as->lock. The commonest fault (fault_anonymous.c) finds its mapping under
 * page_table_lock alone, by as->changes, which is odd while the tree or a mapping may change:
 *
 *  (1) Who changes takes as->lock for writing and then, with page_table_lock held, makes as->changes odd.
 *  (2) He changes, mostly without page_table_lock.
 *  (3) He makes as->changes even again, a release, and lets go of as->lock.
 *  (4) Who reads takes page_table_lock and looks at as->changes. Odd: he needs as->lock. Even: until he lets go nobody
 *      comes past (1), and he sees all that was changed before (3).
 *  (5) He may let go, to allocate, take page_table_lock again and look again. The number of (4): nothing has changed,
 *      and the mapping that he found is there. Another: it may be freed.
 *
 * as->recent is written by (4), by who holds as->lock for reading, and by (2), which takes it from
 * a mapping that leaves. None of them runs beside (2), so it is never one that has left.
 *
 * Locks: as->lock; then an object's mappings_lock (list of mappings, and the ranges of those on
 * it); then page_table_lock. Files and objects are released only after as->lock: their release may
 * take file-system locks, which stand above it. as->lock is taken for writing by
 * address_space_change() alone.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "mm.h"
#include "page_cache.h"

int max_map_count = 65530;
struct address_space kernel_space;

static struct slab_cache *space_cache;   /* [I] */
static struct slab_cache *mapping_cache; /* [I] */
static uint64_t next_id = 1;             /* [a] */
static uint64_t space_count;             /* [a] */

uint64_t
task_limit(int which)
{
	struct thread *t = current_thread();

	return t && t->process ? READ_ONCE(t->process->limits[which].current) : RLIM_INFINITY;
}

/* --- birth and death -------------------------------------------------------------------------- */

static void
space_setup(struct address_space *as)
{
	ref_init(&as->refs);
	ref_init(&as->lazy);
	rwlock_init(&as->lock, LOCK_ADDRESS_SPACE);
	spin_init(&as->page_table_lock, LOCK_PAGE_TABLE);
	as->tlb_generation = 1;
	as->id = atomic_fetch_add(&next_id, 1);
	as->mmap_base = USER_END - (128ul << 20);
	as->dumpable = 1;
	as->keys = 1;
	as->execute_only_key = -1;
}

struct address_space *
address_space_create(void)
{
	struct address_space *as = slab_alloc(space_cache, ALLOC_ZERO);

	if (!as)
		return NULL;
	space_setup(as);
	if (arch_page_table_init(&as->page_table) != 0) {
		slab_free(space_cache, as);
		return NULL;
	}
	atomic_add(&space_count, 1);
	return as;
}

void
address_space_get(struct address_space *as)
{
	ref_get(&as->refs);
}

void
address_space_put_lazy(struct address_space *as)
{
	if (ref_put(&as->lazy))
		slab_free(space_cache, as);
}

/*
 * The last user is gone. No thread runs in the space, so once no CPU has it loaded its pages can go
 * without a single flush: its id never comes back, and a slot that holds stale translations of it
 * is flushed before it is used again.
 */
static void
tear_down(struct address_space *as)
{
	struct list doomed = LIST_INIT(doomed);
	struct rb_node *n;

	tlb_evict(as);
	address_space_change(as);
	while ((n = rb_first(&as->mappings)) != NULL) {
		struct mapping *m = rb_entry(n, struct mapping, node);
		vaddr_t start = m->start;

		spin_lock(&as->page_table_lock);
		mapping_zap_locked(m, &start, m->end, false, NULL);
		spin_unlock(&as->page_table_lock);
		mapping_unlink(m, &doomed);
	}
	address_space_changed(as);
	mappings_free(&doomed);
	if (as->rss_anon + as->rss_file + as->rss_shared + as->huge_leaves != 0)
		warn_once("address space %lu ends with pages counted: %lu anonymous, %lu file, %lu "
			  "shared\n",
			as->id, as->rss_anon, as->rss_file, as->rss_shared);
	if (as->exe)
		file_put(as->exe);
	as->exe = NULL;
	/* One that loaded it behind the eviction would run on freed page tables. */
	if (unlikely(atomic_load(&as->running)))
		panic("address space %lu ends while CPUs %#lx have it loaded", as->id, as->running);
	arch_page_table_destroy(&as->page_table);
	atomic_sub(&space_count, 1);
	address_space_put_lazy(as);
}

void
address_space_put(struct address_space *as)
{
	if (ref_put(&as->refs))
		tear_down(as);
}

void
address_space_init(void)
{
	space_cache = slab_cache_create("address_space", sizeof(struct address_space), 64);
	mapping_cache = slab_cache_create("mapping", sizeof(struct mapping), 0);
	if (!space_cache || !mapping_cache)
		panic("no memory for address spaces");
	object_cache_init();
	page_cache_init();
	leaves_init();
	space_setup(&kernel_space);
	kernel_space.page_table = kernel_page_table;
}

/* --- mappings --------------------------------------------------------------------------------- */

struct mapping *
mapping_alloc(struct address_space *as)
{
	struct mapping *m = slab_alloc(mapping_cache, ALLOC_ZERO);

	if (m) {
		m->as = as;
		list_init(&m->object_node);
	}
	return m;
}

struct mapping *
mapping_next(struct mapping *m)
{
	return rb_entry(rb_next(&m->node), struct mapping, node);
}

struct mapping *
mapping_prev(struct mapping *m)
{
	return rb_entry(rb_prev(&m->node), struct mapping, node);
}

static void
make_odd(struct address_space *as)
{
	spin_lock(&as->page_table_lock);
	atomic_store(&as->changes, as->changes + 1); /* (1) */
	spin_unlock(&as->page_table_lock);
}

void
address_space_change(struct address_space *as)
{
	write_lock(&as->lock);
	make_odd(as);
}

void
address_space_change_nested(struct address_space *as)
{
	write_lock_nested(&as->lock);
	make_odd(as);
}

void
address_space_changed(struct address_space *as)
{
	assert_changing(as);
	atomic_store_release(&as->changes, as->changes + 1); /* (3); its partner is (4) */
	write_unlock(&as->lock);
}

/* The first mapping that ends after `addr`: it holds the address or is the next one above. */
struct mapping *
address_space_find(struct address_space *as, vaddr_t addr)
{
	struct mapping *best = READ_ONCE(as->recent);
	struct rb_node *n = as->mappings.root;

	if (best && best->start <= addr && addr < best->end)
		return best;
	best = NULL;
	while (n) {
		struct mapping *m = rb_entry(n, struct mapping, node);

		if (m->end > addr) {
			best = m;
			if (m->start <= addr) {
				WRITE_ONCE(as->recent, m);
				break;
			}
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

/* Add to or take from the counters what `pages` pages with these flags count for. */
static void
count(struct address_space *as, uint32_t flags, uint64_t pages, bool add)
{
	uint64_t n = add ? pages : -pages;

	as->total_pages += n;
	if (as->total_pages > as->peak_total)
		as->peak_total = as->total_pages;
	if (flags & MAPPING_LOCKED)
		as->locked_pages += n;
	if (flags & MAPPING_GROWSDOWN)
		as->stack_pages += n;
	else if ((flags & (MAPPING_EXEC | MAPPING_WRITE)) == MAPPING_EXEC)
		as->exec_pages += n;
	else if ((flags & (MAPPING_WRITE | MAPPING_SHARED)) == MAPPING_WRITE)
		as->data_pages += n;
	if (flags & MAPPING_ACCOUNT)
		as->committed += n;
}

static bool
counts_as_writer(const struct mapping *m)
{
	return m->object && (m->flags & MAPPING_SHARED) && (m->flags & MAPPING_MAYWRITE);
}

static void
insert(struct address_space *as, struct mapping *m)
{
	struct rb_node **link = &as->mappings.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = m->start < rb_entry(parent, struct mapping, node)->start ? &parent->left
									       : &parent->right;
	}
	rb_insert(&as->mappings, &m->node, parent, link);
	as->mapping_count++;
	if (m->object) {
		spin_lock(&m->object->mappings_lock);
		list_add_tail(&m->object->mappings, &m->object_node);
		spin_unlock(&m->object->mappings_lock);
		if (counts_as_writer(m))
			atomic_add(&m->object->writable_mappings, 1);
	}
}

static void
erase(struct address_space *as, struct mapping *m)
{
	rb_erase(&as->mappings, &m->node);
	as->mapping_count--;
	if (as->recent == m)
		as->recent = NULL;
	if (m->object) {
		spin_lock(&m->object->mappings_lock);
		list_del_init(&m->object_node);
		spin_unlock(&m->object->mappings_lock);
		if (counts_as_writer(m))
			atomic_sub(&m->object->writable_mappings, 1);
	}
}

void
mapping_link(struct mapping *m)
{
	assert_changing(m->as);
	insert(m->as, m);
	count(m->as, m->flags, mapping_pages(m), true);
}

void
mapping_unlink(struct mapping *m, struct list *doomed)
{
	assert_changing(m->as);
	erase(m->as, m);
	count(m->as, m->flags, mapping_pages(m), false);
	if (m->flags & MAPPING_ACCOUNT)
		commit_release(mapping_pages(m));
	list_add_tail(doomed, &m->object_node);
}

void
mapping_set_file(struct mapping *m, struct file *f)
{
	m->file = f;
	if (!f)
		return;
	file_get(f);
	if (f->ops->mapped)
		f->ops->mapped(f);
}

void
mappings_free(struct list *doomed)
{
	while (!list_is_empty(doomed)) {
		struct mapping *m = list_first(doomed, struct mapping, object_node);

		list_del(&m->object_node);
		if (m->object)
			object_put(m->object);
		if (m->file) {
			if (m->file->ops->unmapped)
				m->file->ops->unmapped(m->file);
			file_put(m->file);
		}
		slab_free(mapping_cache, m);
	}
}

/* Move the edges. The offset follows the start. The counters are the caller's business. */
void
mapping_set_range(struct mapping *m, vaddr_t start, vaddr_t end)
{
	assert_changing(m->as);
	if (m->object)
		spin_lock(&m->object->mappings_lock);
	m->object_page += ((int64_t)(start - m->start)) >> PAGE_SHIFT;
	m->start = start;
	m->end = end;
	if (m->object)
		spin_unlock(&m->object->mappings_lock);
}

void
mapping_set_flags(struct mapping *m, uint32_t flags)
{
	assert_changing(m->as);
	count(m->as, m->flags, mapping_pages(m), false);
	if (counts_as_writer(m))
		atomic_sub(&m->object->writable_mappings, 1);
	m->flags = flags;
	if (counts_as_writer(m))
		atomic_add(&m->object->writable_mappings, 1);
	count(m->as, m->flags, mapping_pages(m), true);
}

struct mapping *
mapping_split(struct mapping *m, vaddr_t addr)
{
	struct address_space *as = m->as;
	struct mapping *upper;

	assert_changing(as);
	assert(m->start < addr && addr < m->end);
	if (as->mapping_count >= (uint32_t)max_map_count || leaves_cut(as, addr) != 0)
		return NULL;
	upper = mapping_alloc(as);
	if (!upper)
		return NULL;
	upper->start = addr;
	upper->end = m->end;
	upper->flags = m->flags;
	upper->key = m->key;
	upper->policy = m->policy;
	upper->has_anon = m->has_anon;
	upper->object_page = mapping_index(m, addr);
	upper->object = m->object;
	if (upper->object)
		object_get(upper->object);
	mapping_set_file(upper, m->file);
	/* In this order, so that truncation, which knows no as->lock, finds every leaf at every moment. */
	insert(as, upper);
	mapping_set_range(m, m->start, addr);
	return upper;
}

int
mappings_cut(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m = address_space_find(as, start);

	if (m && m->start < start && !mapping_split(m, start))
		return -ENOMEM;
	m = address_space_find(as, end - 1);
	if (m && m->start < end && end < m->end && !mapping_split(m, end))
		return -ENOMEM;
	return 0;
}

static bool
can_join(const struct mapping *low, const struct mapping *high)
{
	return low->end == high->start && low->flags == high->flags && low->key == high->key &&
	       memory_policy_equal(&low->policy, &high->policy) &&
	       low->object == high->object && low->file == high->file &&
	       !(low->flags & MAPPING_DEVICE) &&
	       (!low->object || low->object_page + mapping_pages(low) == high->object_page);
}

/* `high` disappears into `low`, which grows first, as in mapping_split(). Nothing changes but the
 * tree. */
static void
join(struct mapping *low, struct mapping *high, struct list *doomed)
{
	low->has_anon |= high->has_anon;
	mapping_set_range(low, low->start, high->end);
	erase(low->as, high);
	list_add_tail(doomed, &high->object_node);
}

struct mapping *
mapping_merge(struct mapping *m, struct list *doomed)
{
	struct mapping *other = mapping_prev(m);

	assert_changing(m->as);
	if (other && can_join(other, m)) {
		join(other, m, doomed);
		m = other;
	}
	other = mapping_next(m);
	if (other && can_join(m, other))
		join(m, other, doomed);
	return m;
}

uint64_t
address_space_resident(struct address_space *as)
{
	return READ_ONCE(as->rss_anon) + READ_ONCE(as->rss_file) + READ_ONCE(as->rss_shared);
}

uint64_t
address_space_peak_resident(struct address_space *as)
{
	return MAX(READ_ONCE(as->peak_rss), address_space_resident(as));
}

/* --- for the curious -------------------------------------------------------------------------- */

/* Takes no locks: for panics and gdb. A tree that is being changed may be shown wrongly. */
void
address_space_dump(struct address_space *as)
{
	struct rb_node *n;
	uint32_t shown = 0;

	pr_info("address space %lu: refs %u lazy %u, %u mappings, %lu pages, running on %#lx, "
		"generation %lu\n",
		as->id, ref_count(&as->refs), ref_count(&as->lazy), as->mapping_count,
		as->total_pages, as->running, as->tlb_generation);
	pr_info("  resident: %lu anonymous, %lu file, %lu shared; %lu table frames; brk "
		"%#lx-%#lx\n",
		as->rss_anon, as->rss_file, as->rss_shared, arch_page_table_frames(&as->page_table),
		as->brk_start, as->brk);
	for (n = rb_first(&as->mappings); n && shown < 200; n = rb_next(n), shown++) {
		struct mapping *m = rb_entry(n, struct mapping, node);

		pr_info("  %012lx-%012lx %c%c%c%c %#x page %lu %s\n", m->start, m->end,
			m->flags & MAPPING_READ ? 'r' : '-', m->flags & MAPPING_WRITE ? 'w' : '-',
			m->flags & MAPPING_EXEC ? 'x' : '-', m->flags & MAPPING_SHARED ? 's' : 'p',
			m->flags, m->object_page,
			m->object ? m->object->ops->name : "private");
	}
}
