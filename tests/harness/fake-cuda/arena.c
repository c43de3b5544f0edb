/* SPDX-License-Identifier: MIT */
/* Address space for device pointers, which nobody can access: a program that
 * reads one on the host dies, as it does with a real driver. The driver's own
 * view of the same memory lies at a fixed distance. */
#include "fake.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ARENA_SIZE ((size_t) 64 << 30)

struct block {
  struct block *next; /* by address */
  CUdeviceptr start;
  size_t size;
};

static struct block *blocks;
static CUdeviceptr arena; /* its view begins where it ends */

static void *
reserve_pages (void *at, size_t size)
{
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

  return mmap (at, size, PROT_NONE, flags | (at ? MAP_FIXED : 0), -1, 0);
}

static bool
start (void)
{
  uintptr_t start;
  void *pages;

  if (arena)
    return true;
  pages = reserve_pages (NULL, 2 * ARENA_SIZE + FAKE_GRANULARITY);
  if (pages == MAP_FAILED)
    return false;
  start = (uintptr_t) pages + FAKE_GRANULARITY - 1;
  arena = start / FAKE_GRANULARITY * FAKE_GRANULARITY;
  return true;
}

CUdeviceptr
fake_reserve (size_t size, size_t alignment)
{
  struct block **at = &blocks;
  struct block *block;
  CUdeviceptr from;

  if (!start () || size == 0 || size > ARENA_SIZE)
    return 0;
  for (from = arena;; at = &(*at)->next) {
    from = (from + alignment - 1) / alignment * alignment;
    if (!*at || from + size <= (*at)->start)
      break;
    from = (*at)->start + (*at)->size;
  }
  if (from + size > arena + ARENA_SIZE || !(block = malloc (sizeof *block)))
    return 0;
  *block = (struct block){ *at, from, size };
  *at = block;
  return from;
}

void
fake_unreserve (CUdeviceptr pointer)
{
  struct block **at = &blocks;
  struct block *block;

  while (*at && (*at)->start != pointer)
    at = &(*at)->next;
  block = *at;
  if (!block)
    abort ();
  *at = block->next;
  free (block);
}

void *
fake_view (CUdeviceptr pointer)
{
  return (void *) (uintptr_t) (pointer + ARENA_SIZE);
}

bool
fake_view_map (CUdeviceptr pointer, size_t size, int fd)
{
  return mmap (fake_view (pointer), size, PROT_NONE, MAP_SHARED | MAP_FIXED, fd,
             0)
         != MAP_FAILED;
}

void
fake_view_protect (CUdeviceptr pointer, size_t size, CUmemAccess_flags access)
{
  int protection = access == CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                       ? PROT_READ | PROT_WRITE
                   : access == CU_MEM_ACCESS_FLAGS_PROT_READ ? PROT_READ
                                                             : PROT_NONE;

  if (mprotect (fake_view (pointer), size, protection) != 0)
    abort ();
}

void
fake_view_unmap (CUdeviceptr pointer, size_t size)
{
  if (reserve_pages (fake_view (pointer), size) == MAP_FAILED)
    abort ();
}
