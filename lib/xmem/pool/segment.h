/* SPDX-License-Identifier: MIT */
/* A segment: shared memory and this process's mapping of it. */
#ifndef XMEM_POOL_SEGMENT_H
#define XMEM_POOL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct xmem_segment {
  atomic_uint refs;
  /* Set once, when its origin will put no further content into it: nothing
   * new will be published from it. Pairs acquire with release. */
  atomic_bool retired;
  int fd; /* -1: part of a named pool's file, not for peers */
  size_t size;
  uint8_t *data;
};

/* A writable segment of our own. The caller has one reference. */
int xmem_segment_create (
    size_t size, struct xmem_segment **segment_out, struct xmem_error *error);

/* A read-only one that a peer sent. Takes fd, also on failure. */
int xmem_segment_import (int take_fd, uint64_t size,
    struct xmem_segment **segment_out, struct xmem_error *error);

/* A part of a named pool's file; `offset` is a multiple of the page size.
 * Borrows fd. */
int xmem_segment_map (int fd, uint64_t offset, size_t size, bool writable,
    struct xmem_segment **segment_out, struct xmem_error *error);

struct xmem_segment *xmem_segment_ref (struct xmem_segment *segment);
void xmem_segment_unref (struct xmem_segment *segment);
void xmem_segment_retire (struct xmem_segment *segment);
bool xmem_segment_is_retired (struct xmem_segment *segment);

/* The segment's bytes at a region; NULL when the region is not inside it. */
static inline uint8_t *
xmem_segment_at (
    const struct xmem_segment *segment, uint64_t offset, uint64_t size)
{
  if (offset > segment->size || size > segment->size - offset)
    return NULL;
  return segment->data + offset;
}

XMEM_DEFINE_CLEANUP (struct xmem_segment *, xmem_segment_unref);

#endif
