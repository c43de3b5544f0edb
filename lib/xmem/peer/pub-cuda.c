/* SPDX-License-Identifier: MIT */
/* What memory of CUDA devices adds to publishing: telling peers of it, and the
 * order of the work on it. Keeps no state. */
#include <string.h>

#include <xmem/cuda.h>

#include "peer/pub-private.h"

void
pub_cuda_describe (const struct xmem_segment *segment,
    struct xmem_wire_segment *m, int *fd_out)
{
  struct xmem_cuda_share share;

  xmem_cuda_memory_get_share (segment->cuda, &share);
  m->kind = share.kind == XMEM_CUDA_VMM ? XMEM_WIRE_SEGMENT_CUDA_VMM
                                        : XMEM_WIRE_SEGMENT_CUDA_LEGACY;
  memcpy (m->cuda.device, share.device, sizeof (m->cuda.device));
  memcpy (m->cuda.gpu, share.gpu, sizeof (m->cuda.gpu));
  memcpy (m->cuda.allocation, share.allocation, sizeof (m->cuda.allocation));
  memcpy (m->cuda.handle, share.handle, sizeof (m->cuda.handle));
  m->cuda.slot_size = share.slot_size;
  m->cuda.n_events = share.n_events;
  m->cuda.events = share.events;
  *fd_out = xmem_cuda_memory_borrow_fd (segment->cuda);
}

/* Whether a subscriber cannot wait for events. */
static bool
wants_complete (struct xmem_publisher *pub)
{
  xmem_scoped_lock (&pub->lock);

  for (const struct pub_client *c = pub->clients; c; c = c->next)
    if (c->state == PUB_CLIENT_ACTIVE
        && c->features & XMEM_WIRE_FEATURE_CUDA_COMPLETE)
      return true;
  return false;
}

/* Sees to it that readers can wait for one region, or need not, which
 * *synchronised is for. */
static int
order_region (const struct xmem_region *region, void *stream, bool on_stream,
    bool complete, bool *synchronised, struct xmem_error *error)
{
  struct xmem_cuda_memory *memory = region->segment->cuda;
  int r = on_stream
              ? xmem_cuda_memory_record (memory, region->offset, stream, error)
              : 0;

  *synchronised = false;
  if (r != 0 || (!complete && xmem_cuda_memory_shares_events (memory)))
    return r;
  *synchronised = true;
  return xmem_cuda_memory_synchronize (memory, region->offset, error);
}

/* One subscriber that needs complete frames makes all others get theirs as late:
 * the publishing thread waits in any case, so that only this frame could be sent
 * to them earlier and not the next, and all get frames in one order. Who joins
 * while it waits gets this frame only if it is complete (can_read () in
 * pub-client.c), also where that was for want of events. */
int
pub_cuda_order (struct xmem_publisher *pub, const struct xmem_publish *publish,
    bool *complete_out, struct xmem_error *error)
{
  bool on_stream = publish->flags & XMEM_PUBLISH_CUDA_STREAM;
  bool any_cuda = false, any = false, all = true, wanted, synchronised;
  int r = 0;

  *complete_out = true;
  for (size_t i = 0; i < publish->n_regions; i++)
    any_cuda |= publish->regions[i].segment->cuda != NULL;
  if (!any_cuda)
    return 0;
  wanted = wants_complete (pub);
  for (size_t i = 0; r == 0 && i < publish->n_regions; i++) {
    if (!publish->regions[i].segment->cuda)
      continue;
    r = order_region (&publish->regions[i], publish->cuda_stream, on_stream,
        wanted, &synchronised, error);
    any |= synchronised;
    all &= synchronised;
  }
  *complete_out = all;
  if (r == 0 && any) {
    xmem_scoped_lock (&pub->lock);
    pub->stats.frames_synchronised++;
  }
  return r;
}

int
xmem_publisher_publish_after (struct xmem_publisher *pub,
    struct xmem_buffer *buffer, void *stream,
    const struct xmem_frame_info *info, int64_t timeout_ns,
    struct xmem_error *error)
{
  return pub_publish_buffer (
      pub, buffer, info, XMEM_PUBLISH_CUDA_STREAM, stream, timeout_ns, error);
}
