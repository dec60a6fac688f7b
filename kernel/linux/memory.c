/* SPDX-License-Identifier: MIT */
/*
 * memory.c - Linux's memory calls: mmap and its family, brk, locking, protection keys.
 *
 * Here flags are decoded and checked in the order in which Linux finds fault with them; kernel/mm/
 * does the work.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>

#include "linux.h"

#define PROT_READ      0x1u
#define PROT_WRITE     0x2u
#define PROT_EXEC      0x4u
#define PROT_SEM       0x8u
#define PROT_GROWSDOWN 0x01000000u
#define PROT_GROWSUP   0x02000000u

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_32BIT           0x40u
#define MAP_GROWSDOWN       0x100u
#define MAP_DENYWRITE       0x800u
#define MAP_EXECUTABLE      0x1000u
#define MAP_LOCKED          0x2000u
#define MAP_NORESERVE       0x4000u
#define MAP_POPULATE        0x8000u
#define MAP_NONBLOCK        0x10000u
#define MAP_STACK           0x20000u
#define MAP_HUGETLB         0x40000u
#define MAP_SYNC            0x80000u
#define MAP_FIXED_NOREPLACE 0x100000u
#define MAP_HUGE_SHIFT      26
#define MAP_HUGE_MASK       0x3fu

/* What MAP_SHARED_VALIDATE knows; MAP_SYNC only devices of persistent memory know. */
#define MAP_KNOWN                                                                                  \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |        \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |   \
	 MAP_HUGETLB)

#define READ_IMPLIES_EXEC 0x0400000u

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

#define MCL_CURRENT 1
#define MCL_FUTURE  2
#define MCL_ONFAULT 4

#define MLOCK_ONFAULT 1

#define PKEY_DISABLE_MASK 3ul

static struct address_space *
own_space(void)
{
	return current_process()->as;
}

static uint32_t
rights_of(unsigned long prot)
{
	return (prot & PROT_READ ? MAPPING_READ : 0) | (prot & PROT_WRITE ? MAPPING_WRITE : 0) |
	       (prot & PROT_EXEC ? MAPPING_EXEC : 0);
}

/* --- mmap ------------------------------------------------------------------------------------- */

/* What the handle must allow for this mapping. */
static uint64_t
rights_needed(unsigned long prot, bool shared)
{
	return RIGHT_MAP_READ | (shared && (prot & PROT_WRITE) ? RIGHT_MAP_WRITE : 0) |
	       (prot & PROT_EXEC ? RIGHT_MAP_EXEC : 0);
}

/* Fill in the request for a mapping of `f`. On success r->object carries a reference for the
 * caller. */
static int
decode_file(struct map_request *r, struct file *f, unsigned long flags)
{
	/* No file has a byte there, and page numbers must not wrap. */
	if (r->offset > INT64_MAX || r->length > INT64_MAX - r->offset)
		return -EOVERFLOW;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & ~((unsigned long)MAP_KNOWN | (unsigned long)MAP_HUGE_MASK
								 << MAP_HUGE_SHIFT))
			return -EOPNOTSUPP;
		__fallthrough;
	case MAP_SHARED:
		if ((r->flags & MAPPING_WRITE) && !(f->mode & FILE_WRITE))
			return -EACCES;
		if ((f->mode & FILE_WRITE) && f->inode && (READ_ONCE(f->inode->attributes) & INODE_APPEND))
			return -EACCES;
		r->flags |= MAPPING_SHARED;
		if (!(f->mode & FILE_WRITE))
			r->flags &= ~(uint32_t)MAPPING_MAYWRITE;
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (!(f->mode & FILE_READ))
		return -EACCES;
	if (!f->ops->mmap)
		return -ENODEV;
	if (flags & MAP_GROWSDOWN)
		return -EINVAL;
	r->file = f;
	return f->ops->mmap(f, r->offset, r->length, &r->flags, &r->object);
}

static int
decode_anonymous(struct map_request *r, unsigned long flags)
{
	r->offset = 0;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		r->flags |= MAPPING_SHARED;
		if (!(flags & (MAP_NORESERVE | MAP_HUGETLB)))
			r->flags |= MAPPING_ACCOUNT;
		r->object = object_create(
			flags & MAP_HUGETLB ? &huge_object_ops : &anonymous_object_ops,
			ALIGN_UP(r->length, PAGE_SIZE), NULL);
		return r->object ? 0 : -ENOMEM;
	case MAP_PRIVATE:
		if (flags & MAP_GROWSDOWN)
			r->flags |= MAPPING_GROWSDOWN;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Errors that concern no file: in Linux they come before the file is asked. */
static int
check_place(const struct map_request *r, unsigned long flags)
{
	if (r->length == 0)
		return -EINVAL;
	if (ALIGN_UP(r->length, PAGE_SIZE) == 0 || r->length > USER_END)
		return -ENOMEM;
	if (r->offset + r->length < r->offset)
		return -EOVERFLOW;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (r->addr > USER_END - ALIGN_UP(r->length, PAGE_SIZE))
			return -ENOMEM;
		if (!IS_ALIGNED(r->addr, PAGE_SIZE))
			return -EINVAL;
		if (r->addr < USER_MIN && !capable(CAP_SYS_RAWIO))
			return -EPERM;
	}
	if ((flags & MAP_LOCKED) && process_limit(current_process(), RLIMIT_MEMLOCK) == 0 &&
	    !capable(CAP_IPC_LOCK))
		return -EPERM;
	return 0;
}

long
linux_mmap(unsigned long addr, unsigned long length, unsigned long prot, unsigned long flags,
	   unsigned long fd, unsigned long offset)
{
	struct map_request r = { .addr = addr, .length = length, .offset = offset };
	struct file *f = NULL;
	int error = 0;
	long result;

	if (!IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		bool shared = (flags & MAP_TYPE) == MAP_SHARED ||
			      (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;

		f = handle_get((int)fd, rights_needed(prot, shared), &error);
		if (!f)
			return error;
		error = -EINVAL;
		if (flags & MAP_HUGETLB)
			goto put_file;
	} else if (flags & MAP_HUGETLB) {
		/* The size's logarithm; 0 is the default. There is no pool of 1 GiB pages. */
		unsigned long size = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

		if (size != 0 && size != HUGE_PAGE_SHIFT)
			return size == 30 ? -ENOMEM : -EINVAL;
		r.length = ALIGN_UP(length, HUGE_PAGE_SIZE);
	}

	if ((prot & PROT_READ) && (current_thread()->personality & READ_IMPLIES_EXEC))
		prot |= PROT_EXEC;
	r.flags = rights_of(prot) | MAPPING_MAYREAD | MAPPING_MAYWRITE | MAPPING_MAYEXEC;
	r.flags |= flags & MAP_HUGETLB ? MAPPING_HUGETLB : 0;
	r.flags |= flags & MAP_LOCKED ? MAPPING_LOCKED : 0;
	r.flags |= flags & MAP_NORESERVE ? MAPPING_NORESERVE : 0;
	r.place |= flags & MAP_FIXED ? MAP_PLACE_FIXED : 0;
	r.place |= flags & MAP_FIXED_NOREPLACE ? MAP_PLACE_NOREPLACE : 0;
	r.place |= (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ? MAP_PLACE_POPULATE : 0;
	r.place |= flags & MAP_32BIT ? MAP_PLACE_32BIT : 0;
	if (flags & MAP_FIXED_NOREPLACE)
		r.place &= ~(uint32_t)MAP_PLACE_FIXED;

	error = check_place(&r, flags);
	if (error == 0)
		error = f ? decode_file(&r, f, flags) : decode_anonymous(&r, flags);
	if (error != 0)
		goto put_file;
	if (r.object && r.object->ops->device_page)
		r.flags |= MAPPING_DEVICE;
	result = address_space_map(own_space(), &r);
	if (r.object)
		object_put(r.object);
	if (f)
		file_put(f);
	return result;

put_file:
	if (f)
		file_put(f);
	return error;
}

long
linux_munmap(unsigned long addr, size_t length)
{
	return address_space_unmap(own_space(), addr, length);
}

long
linux_brk(unsigned long brk)
{
	return address_space_brk(own_space(), brk);
}

long
linux_mremap(unsigned long addr, unsigned long old_length, unsigned long new_length,
	     unsigned long flags, unsigned long new_addr)
{
	if (flags & ~7ul)
		return -EINVAL;
	return address_space_remap(own_space(), addr, old_length, new_length, (int)flags, new_addr);
}

long
linux_remap_file_pages(unsigned long start, unsigned long length, unsigned long prot, unsigned long page,
		       unsigned long flags)
{
	start = ALIGN_DOWN(start, PAGE_SIZE);
	length = ALIGN_DOWN(length, PAGE_SIZE);
	if (prot || start + length <= start || page + (length >> PAGE_SHIFT) < page ||
	    page + (length >> PAGE_SHIFT) > (uint64_t)INT64_MAX >> PAGE_SHIFT)
		return -EINVAL;
	return address_space_remap_pages(own_space(), start, length, page);
}

/* --- protection ------------------------------------------------------------------------------- */

static long
protect(unsigned long addr, size_t length, unsigned long prot, int pkey)
{
	unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	size_t aligned = ALIGN_UP(length, PAGE_SIZE);

	prot &= ~(unsigned long)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (length == 0)
		return 0;
	if (addr + aligned <= addr)
		return -ENOMEM;
	if (prot & ~(unsigned long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	if (grows & PROT_GROWSUP)
		return -EINVAL;
	if ((prot & PROT_READ) && (current_thread()->personality & READ_IMPLIES_EXEC))
		prot |= PROT_EXEC;
	return address_space_protect(own_space(), addr, length,
				     rights_of(prot) | (grows ? MAPPING_GROWSDOWN : 0), pkey);
}

long
linux_mprotect(unsigned long addr, size_t length, unsigned long prot)
{
	return protect(addr, length, prot, -1);
}

long
linux_pkey_mprotect(unsigned long addr, size_t length, unsigned long prot, int pkey)
{
	return protect(addr, length, prot, pkey);
}

/* Linux's bits for rights are the room's. */
_Static_assert(PKEY_DISABLE_MASK == (KEY_NO_ACCESS | KEY_NO_WRITE), "rights by protection key");

long
linux_pkey_alloc(unsigned long flags, unsigned long rights)
{
	int key;

	if (flags != 0 || (rights & ~PKEY_DISABLE_MASK))
		return -EINVAL;
	key = address_space_key_alloc(own_space());
	if (key >= 0)
		arch_key_set_rights((unsigned int)key, (unsigned int)rights);
	return key;
}

long
linux_pkey_free(int pkey)
{
	return address_space_key_free(own_space(), pkey);
}

/* --- residency -------------------------------------------------------------------------------- */

long
linux_madvise(unsigned long addr, size_t length, int advice)
{
	return address_space_advise(own_space(), addr, length, advice);
}

long
linux_msync(unsigned long addr, size_t length, int flags)
{
	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	return address_space_sync(own_space(), addr, length, flags & MS_SYNC,
				  flags & MS_INVALIDATE);
}

long
linux_mincore(unsigned long addr, size_t length, unsigned char __user *out)
{
	size_t pages = length / PAGE_SIZE + (length % PAGE_SIZE != 0);
	unsigned char chunk[256];

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!user_range_ok(__force_user(void __user *, addr), length))
		return -ENOMEM;
	if (!user_range_ok(out, pages))
		return -EFAULT;
	for (size_t done = 0; done < pages;) {
		size_t n = MIN(pages - done, sizeof(chunk));

		for (size_t i = 0; i < n; i++) {
			bool resident = false;
			int error = address_space_mincore(own_space(),
							  addr + (done + i) * PAGE_SIZE, &resident);

			if (error != 0)
				return error;
			chunk[i] = resident;
		}
		if (copy_to_user(out + done, chunk, n) != 0)
			return -EFAULT;
		done += n;
	}
	return 0;
}

long
linux_mlock(unsigned long addr, size_t length)
{
	return address_space_lock_range(own_space(), addr, length, true, false);
}

long
linux_mlock2(unsigned long addr, size_t length, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return address_space_lock_range(own_space(), addr, length, true, flags & MLOCK_ONFAULT);
}

long
linux_munlock(unsigned long addr, size_t length)
{
	return address_space_lock_range(own_space(), addr, length, false, false);
}

long
linux_mlockall(int flags)
{
	if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
		flags == MCL_ONFAULT)
		return -EINVAL;
	return address_space_lock_all(own_space(), flags & MCL_CURRENT, flags & MCL_FUTURE,
				      flags & MCL_ONFAULT);
}

long
linux_munlockall(void)
{
	return address_space_lock_all(own_space(), false, false, false);
}
