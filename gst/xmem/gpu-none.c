/* SPDX-License-Identifier: MIT */
/* gpu.h without gstreamer-cuda-1.0: CUDA memory is refused like any other that
 * cannot be shared, by the sink because of its caps, by the producer for a
 * source. */
#include "gpu.h"

unsigned
gst_xmem_gpu_subscriber_flags (gboolean complete)
{
  return 0;
}

void
gst_xmem_gpu_init (GstXmemGpu *self, GstElement *element)
{
}

void
gst_xmem_gpu_clear (GstXmemGpu *self)
{
}

void
gst_xmem_gpu_reset (GstXmemGpu *self)
{
}

void
gst_xmem_gpu_set_context (GstXmemGpu *self, GstContext *context)
{
}

gboolean
gst_xmem_gpu_query (GstXmemGpu *self, GstQuery *query)
{
  return FALSE;
}

gboolean
gst_xmem_gpu_takes (GstCaps *caps)
{
  return FALSE;
}

void
gst_xmem_gpu_set_caps (GstXmemGpu *self, GstCaps *caps)
{
}

gboolean
gst_xmem_gpu_get_region (
    GstMemory *memory, struct xmem_region *region_out, gpointer *stream_out)
{
  return FALSE;
}

gboolean
gst_xmem_gpu_is_shared (GstMemory *memory)
{
  return FALSE;
}

gboolean
gst_xmem_gpu_propose (GstXmemGpu *self, GstQuery *query)
{
  return FALSE;
}

guint64
gst_xmem_gpu_get_pool_bytes (GstXmemGpu *self)
{
  return 0;
}

GstBuffer *
gst_xmem_gpu_share (GstXmemGpu *self, GstBuffer *buffer, gpointer *stream_out)
{
  return NULL;
}

void *
gst_xmem_gpu_get_context (
    int device, struct xmem_cuda_keeper *keeper_out, void *user_data)
{
  return NULL;
}

guint
gst_xmem_gpu_count_views (GstXmemGpu *self)
{
  return 0;
}

GstBuffer *
gst_xmem_gpu_receive (GstXmemGpu *self, struct xmem_frame *frame,
    GstXmemVideoLayout *layout, gboolean *copy)
{
  return NULL;
}
