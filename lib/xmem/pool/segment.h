/* SPDX-License-Identifier: MIT */
/* A segment: shared memory and this process's mapping of it, or memory of a CUDA
 * device. The public functions are in xmem/segment.h. */
#ifndef XMEM_POOL_SEGMENT_H
#define XMEM_POOL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/segment.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "mem/cuda.h"

struct xmem_segment {
  atomic_uint refs;
  /* Set once, when its origin will put no further content into it: nothing
   * new will be published from it. Pairs acquire with release. */
  atomic_bool retired;
  bool is_dmabuf;
  bool is_named; /* CUDA memory of a named pool, not for peers */
  int fd; /* -1: part of a named pool's file, not for peers; or CUDA memory */
  size_t size;
  _Atomic (uint8_t *) data; /* NULL: not mapped, CUDA memory never; files of
                               others are when somebody reads them, and then
                               stay so */
  struct xmem_cuda_memory *cuda; /* NULL: memory of the CPU */
  struct xmem_segment *next_dropped; /* between a pool's table and its end */
};

/* A writable segment of our own. The caller has one reference. */
int xmem_segment_create (
    size_t size, struct xmem_segment **segment_out, struct xmem_error *error);

/* A read-only one that a peer sent. Takes fd, also on failure. */
int xmem_segment_import (int take_fd, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error);

/* The same of a dmabuf, not mapped. */
int xmem_segment_import_dmabuf (int take_fd, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error);

/* A part of a named pool's file; `offset` is a multiple of the page size.
 * Borrows fd. */
int xmem_segment_map (int fd, uint64_t offset, size_t size, bool writable,
    struct xmem_segment **segment_out, struct xmem_error *error);

/* Memory of a CUDA device, of our own or a peer's. Takes the reference, also on
 * failure. */
int xmem_segment_wrap_cuda (struct xmem_cuda_memory *take_memory, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error);

bool xmem_segment_is_retired (struct xmem_segment *segment);

/* Its bytes, mapped now if need be; NULL when they cannot be, as those
 * of a CUDA device. */
uint8_t *xmem_segment_get_data (struct xmem_segment *segment);

/* Whether a region is inside of the segment. */
static inline bool
xmem_segment_contains (
    const struct xmem_segment *segment, uint64_t offset, uint64_t size)
{
  return offset <= segment->size && size <= segment->size - offset;
}

XMEM_DEFINE_CLEANUP (struct xmem_segment *, xmem_segment_unref);

#endif
