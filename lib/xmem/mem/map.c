/* SPDX-License-Identifier: MIT */
/* The system calls behind mappings. Keeps no state, takes no locks. */
#include "mem/map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Behind a mapping; never touched, it costs addresses only. */
#define ZEROS ((size_t) 64 * 1024)

uint64_t
xmem_page_round (uint64_t size)
{
  uint64_t page = (uint64_t) sysconf (_SC_PAGESIZE);

  return (size + page - 1) / page * page;
}

static size_t
reserved_size (size_t size)
{
  return (size_t) xmem_page_round (size) + ZEROS;
}

void *
xmem_map (int fd, uint64_t offset, size_t size, bool writable)
{
  int access = PROT_READ | (writable ? PROT_WRITE : 0);
  void *data;

  data = mmap (NULL, reserved_size (size), PROT_READ,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return NULL;
  if (mmap (data, size, access, MAP_SHARED | MAP_FIXED, fd, (off_t) offset)
      == MAP_FAILED) {
    int err = errno;

    munmap (data, reserved_size (size));
    errno = err;
    return NULL;
  }
  return data;
}

void
xmem_map_populate (void *data, size_t size, bool writable)
{
  (void) madvise (
      data, size, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void
xmem_unmap (void *data, size_t size)
{
  munmap (data, reserved_size (size));
}

int
xmem_allocate (int fd, uint64_t offset, uint64_t size)
{
  int r;

  do
    r = fallocate (fd, 0, (off_t) offset, (off_t) size);
  while (r < 0 && errno == EINTR);
  return r;
}
