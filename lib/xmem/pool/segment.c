/* SPDX-License-Identifier: MIT */
/* Owns the fd and the mapping of a segment, from first to last reference.
 * Threads: any. */
#include "pool/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "mem/dmabuf.h"
#include "mem/map.h"
#include "mem/memfd.h"

static struct xmem_segment *
segment_new (int fd, size_t size, void *data)
{
  struct xmem_segment *segment = calloc (1, sizeof (*segment));

  if (!segment)
    return NULL;
  atomic_init (&segment->refs, 1);
  segment->fd = fd;
  segment->size = size;
  atomic_init (&segment->data, data);
  return segment;
}

int
xmem_segment_create (
    size_t size, struct xmem_segment **segment_out, struct xmem_error *error)
{
  xmem_auto_close int fd = -1;
  void *data;
  int r;

  r = xmem_memfd_create (size, &fd, &data, error);
  if (r != 0)
    return r;
  *segment_out = segment_new (fd, size, data);
  if (!*segment_out) {
    xmem_unmap (data, size);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a segment");
  }
  xmem_steal_fd (&fd);
  return 0;
}

int
xmem_segment_import (int take_fd, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;
  void *data;
  int r;

  if (size > SIZE_MAX / 2)
    return xmem_error_set (error, XMEM_PROTOCOL, 0, "an impossible size");
  r = xmem_memfd_map (fd, (size_t) size, &data, error);
  if (r != 0)
    return r;
  *segment_out = segment_new (fd, (size_t) size, data);
  if (!*segment_out) {
    xmem_unmap (data, (size_t) size);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a segment");
  }
  xmem_steal_fd (&fd);
  return 0;
}

/* One that is not mapped. */
static int
make_unmapped (int take_fd, uint64_t size, bool is_dmabuf,
    struct xmem_segment **segment_out, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;

  *segment_out = segment_new (fd, (size_t) size, NULL);
  if (!*segment_out)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a segment");
  (*segment_out)->is_dmabuf = is_dmabuf;
  xmem_steal_fd (&fd);
  return 0;
}

int
xmem_segment_import_dmabuf (int take_fd, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;

  if (!xmem_dmabuf_is (fd))
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "the peer sent a file that is no dmabuf");
  if (size > SIZE_MAX / 2 || xmem_dmabuf_size (fd) < size)
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "the peer announced %llu bytes of a dmabuf and sent fewer",
        (unsigned long long) size);
  return make_unmapped (xmem_steal_fd (&fd), size, true, segment_out, error);
}

int
xmem_segment_new_dup_fd (
    int fd, struct xmem_segment **segment_out, struct xmem_error *error)
{
  bool is_dmabuf = xmem_dmabuf_is (fd);
  uint64_t size = 0;
  struct stat st;
  int own_fd;

  if (!is_dmabuf && !xmem_memfd_is_sealed (fd))
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "the file is neither a dmabuf nor sealed against shrinking and "
        "writing");
  if (is_dmabuf)
    size = xmem_dmabuf_size (fd);
  else if (fstat (fd, &st) == 0 && st.st_size > 0)
    size = (uint64_t) st.st_size;
  if (size == 0 || size > SIZE_MAX / 2)
    return xmem_error_set (error, XMEM_INVALID, 0, "the file is empty");
  own_fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (own_fd < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot duplicate a file descriptor");
  return make_unmapped (own_fd, size, is_dmabuf, segment_out, error);
}

int
xmem_segment_map (int fd, uint64_t offset, size_t size, bool writable,
    struct xmem_segment **segment_out, struct xmem_error *error)
{
  void *data = xmem_map (fd, offset, size, writable);

  if (!data)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot map %zu bytes of a pool", size);
  xmem_map_populate (data, size, writable);
  *segment_out = segment_new (-1, size, data);
  if (!*segment_out) {
    xmem_unmap (data, size);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a segment");
  }
  return 0;
}

struct xmem_segment *
xmem_segment_ref (struct xmem_segment *segment)
{
  atomic_fetch_add_explicit (&segment->refs, 1, memory_order_relaxed);
  return segment;
}

void
xmem_segment_unref (struct xmem_segment *segment)
{
  /* Whatever was done with the mapping happens before it goes away. */
  if (atomic_fetch_sub_explicit (&segment->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (segment->data)
    xmem_unmap (segment->data, segment->size);
  if (segment->fd >= 0)
    close (segment->fd);
  free (segment);
}

void
xmem_segment_retire (struct xmem_segment *segment)
{
  atomic_store_explicit (&segment->retired, true, memory_order_release);
}

bool
xmem_segment_is_retired (struct xmem_segment *segment)
{
  return atomic_load_explicit (&segment->retired, memory_order_acquire);
}

uint8_t *
xmem_segment_get_data (struct xmem_segment *segment)
{
  uint8_t *data = segment->data, *mapped;

  if (data)
    return data;
  mapped = xmem_map (segment->fd, 0, segment->size, false);
  if (!mapped)
    return NULL;
  if (atomic_compare_exchange_strong (&segment->data, &data, mapped))
    return mapped;
  xmem_unmap (mapped, segment->size); /* another thread was first */
  return data;
}

bool
xmem_segment_is_dmabuf (const struct xmem_segment *segment)
{
  return segment->is_dmabuf;
}

int
xmem_segment_borrow_fd (const struct xmem_segment *segment)
{
  return segment->fd;
}

uint64_t
xmem_segment_get_size (const struct xmem_segment *segment)
{
  return segment->size;
}
