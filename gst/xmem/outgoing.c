/* SPDX-License-Identifier: MIT */
/* Threads: made by the streaming thread, freed by whoever releases last. */
#include "outgoing.h"

#include <string.h>

#include "ending.h"
#include "gpu.h"
#include "gstxmem.h"
#include "history.h"
#include "timeline.h"

static int
copy_memory (GstXmemOutgoing *self, GstMemory *memory, struct xmem_pool *pool,
    struct xmem_error *error)
{
  struct xmem_buffer *copy;
  GstMapInfo map;
  int r;

  /* Past the pool's limit if need be: the number of published frames is
   * bounded by what the subscribers may hold. */
  r = xmem_pool_acquire (
      pool, memory->size, XMEM_ACQUIRE_OVER_LIMIT, 0, &copy, error);
  if (r != 0)
    return r;
  self->copies[self->n_copies++] = copy;
  if (!gst_memory_map (memory, &map, GST_MAP_READ)) {
    error->status = XMEM_INVALID;
    error->sys_errno = 0;
    g_snprintf (error->message, sizeof (error->message),
        "memory of type %s cannot be read", memory->allocator->mem_type);
    return XMEM_INVALID;
  }
  memcpy (xmem_buffer_get_mut_data (copy), map.data, map.size);
  gst_memory_unmap (memory, &map);
  xmem_buffer_get_region (copy, &self->regions[self->n_regions++]);
  return 0;
}

/* In a file of its own, and upstream can spare it. */
static gboolean
share_foreign (GstXmemOutgoing *self, GstMemory *memory, GstXmemPlan plan,
    GstXmemForeign *foreign, struct xmem_error *error)
{
  if (plan == GST_XMEM_PLAN_SPARE
      || !gst_xmem_foreign_get_region (
          foreign, memory, &self->regions[self->n_regions], error))
    return FALSE;
  self->n_regions++;
  if (!self->foreign)
    self->foreign = gst_xmem_foreign_hold (foreign);
  return TRUE;
}

int
gst_xmem_outgoing_new (GstBuffer *buffer, GstXmemPlan plan,
    GstXmemForeign *foreign, struct xmem_pool *pool,
    GstXmemOutgoing **outgoing_out, struct xmem_error *error)
{
  GstXmemOutgoing *self = g_new0 (GstXmemOutgoing, 1);
  guint n = gst_buffer_n_memory (buffer);
  int r = 0;

  G_STATIC_ASSERT (XMEM_MAX_REGIONS == 16); /* what GstBuffer merges down to */
  for (guint i = 0; r == 0 && i < n; i++) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, i);

    if (memory->size == 0)
      continue;
    if (gst_is_xmem_memory (memory))
      gst_xmem_memory_get_region (memory, &self->regions[self->n_regions++]);
    else if (gst_xmem_gpu_get_region (
                 memory, &self->regions[self->n_regions], &self->cuda_stream)) {
      self->n_regions++;
      self->on_device = TRUE;
    } else if (!share_foreign (self, memory, plan, foreign, error))
      r = copy_memory (self, memory, pool, error);
  }
  if (r != 0) {
    gst_xmem_outgoing_free (self);
    return r;
  }
  /* A frame that is all copies need not keep the producer's memory. */
  if (self->n_copies < self->n_regions || self->n_regions == 0)
    self->buffer = gst_buffer_ref (buffer);
  self->copied = self->n_copies > 0;
  *outgoing_out = self;
  return 0;
}

/* A live source's running time is that of its clock at the capture. */
static uint64_t
capture_time (GstClockTime capture_base, gint64 running_time)
{
  if (!GST_CLOCK_TIME_IS_VALID (capture_base) || running_time == XMEM_TIME_NONE)
    return XMEM_NONE;
  return capture_base + (GstClockTime) running_time;
}

static void
set_frame_info (struct xmem_frame_info *info, GstBuffer *buffer,
    const GstSegment *segment, GstClockTime capture_base)
{
  xmem_frame_info_init (info);
  info->pts = gst_xmem_running_time (segment, GST_BUFFER_PTS (buffer));
  info->dts = gst_xmem_running_time (segment, GST_BUFFER_DTS (buffer));
  info->duration =
      gst_xmem_running_duration (segment, GST_BUFFER_DURATION (buffer));
  info->raw_pts = GST_BUFFER_PTS (buffer);
  info->offset = GST_BUFFER_OFFSET (buffer);
  info->offset_end = GST_BUFFER_OFFSET_END (buffer);
  info->flags = GST_BUFFER_FLAGS (buffer) & ~(GST_MINI_OBJECT_FLAG_LAST - 1)
                & ~GST_BUFFER_FLAG_TAG_MEMORY;
  info->capture_ns = capture_time (capture_base, info->pts);
  gst_xmem_history_read_times (buffer, info);
}

static void
free_late (void *outgoing)
{
  gst_xmem_ending_release (gst_xmem_outgoing_free, outgoing);
}

int
gst_xmem_outgoing_publish (GstXmemOutgoing *self, GstBuffer *buffer,
    const GstSegment *segment, GstClockTime capture_base,
    const GstByteWriter *metas, struct xmem_publisher *publisher,
    struct xmem_error *error)
{
  struct xmem_frame_info info;
  struct xmem_publish frame = { .struct_size = sizeof (frame),
    .regions = self->regions,
    .n_regions = self->n_regions,
    .info = &info,
    .done = free_late,
    .done_data = self,
    .flags = self->on_device ? XMEM_PUBLISH_CUDA_STREAM : 0,
    .cuda_stream = self->cuda_stream };

  set_frame_info (&info, buffer, segment, capture_base);
  info.metas = metas->parent.data;
  info.metas_size = gst_byte_writer_get_pos (metas);
  return xmem_publisher_publish (publisher, &frame, XMEM_WAIT_FOREVER, error);
}

void
gst_xmem_outgoing_free (gpointer outgoing)
{
  GstXmemOutgoing *self = outgoing;

  for (guint i = 0; i < self->n_copies; i++)
    xmem_buffer_unref (self->copies[i]);
  gst_clear_buffer (&self->buffer);
  g_clear_pointer (&self->foreign, gst_xmem_foreign_drop);
  g_free (self);
}
