/* SPDX-License-Identifier: MIT */
/* What the rest of the library sees of pools beyond the public header. */
#ifndef XMEM_POOL_POOL_H
#define XMEM_POOL_POOL_H

#include <xmem/pool.h>

#include "pool/segment.h"

/* The segment's bytes at a region; NULL when the region is not inside it. */
static inline uint8_t *
xmem_segment_at (
    const struct xmem_segment *segment, uint64_t offset, uint64_t size)
{
  if (offset > segment->size || size > segment->size - offset)
    return NULL;
  return segment->data + offset;
}

#endif
