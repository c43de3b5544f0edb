/* SPDX-License-Identifier: MIT */
/* Copies of received frames in memory of one's own. Keeps no state. */
#include <xmem/cuda.h>

#include "peer/sub-private.h"
#include "pool/pool.h"

static int
copy (struct xmem_frame *frame, size_t index, struct xmem_buffer *to,
    void *stream, bool now, struct xmem_error *error)
{
  struct xmem_cuda_bytes from = { 0 };
  const struct xmem_region *region;

  if (index >= frame->n_regions)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "the frame has no region %zu", index);
  region = xmem_frame_get_region (frame, index);
  from.memory = region->segment->cuda;
  from.offset = region->offset;
  if (!from.memory)
    from.data = (void *) (uintptr_t) xmem_frame_get_data (frame, index);
  if (!from.memory && !from.data)
    return xmem_error_set (
        error, XMEM_SYSTEM, 0, "the frame's memory cannot be mapped");
  return xmem_buffer_fill (to, &from, region->size, stream, now, error);
}

int
xmem_frame_copy (struct xmem_frame *frame, size_t index, struct xmem_buffer *to,
    struct xmem_error *error)
{
  return copy (frame, index, to, NULL, true, error);
}

int
xmem_frame_copy_after (struct xmem_frame *frame, size_t index,
    struct xmem_buffer *to, void *stream, struct xmem_error *error)
{
  return copy (frame, index, to, stream, false, error);
}
