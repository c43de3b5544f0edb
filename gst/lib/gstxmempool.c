/* SPDX-License-Identifier: MIT */
/* A GstBufferPool whose buffers are slots, so that upstream elements write
 * their output where other processes can read it.
 *
 * It never blocks and never fails for lack of slots, because decoders and
 * state changes cope with neither: at the limit a buffer has system memory,
 * and such a buffer is not kept when it comes back.
 * Threads: as GstBufferPool. */
#include "gstxmem-priv.h"

#include <gst/video/gstvideometa.h>
#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC (gst_xmem_buffer_pool_debug);
#define GST_CAT_DEFAULT gst_xmem_buffer_pool_debug

struct _GstXmemBufferPool {
  GstBufferPool parent;
  GstXmemAllocator *allocator;

  /* As configured */
  guint size;
  GstAllocationParams params;
  gboolean is_video;
  gboolean add_meta;
  gboolean aligned;
  GstVideoInfo info;
  GstVideoAlignment alignment;
};

G_DEFINE_TYPE_WITH_CODE (GstXmemBufferPool, gst_xmem_buffer_pool,
    GST_TYPE_BUFFER_POOL,
    GST_DEBUG_CATEGORY_INIT (
        gst_xmem_buffer_pool_debug, "xmempool", 0, "xmem buffer pool"))

static const gchar **
gst_xmem_buffer_pool_get_options (GstBufferPool *pool)
{
  static const gchar *options[] = { GST_BUFFER_POOL_OPTION_VIDEO_META,
    GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, NULL };

  return options;
}

/* Takes over the layout that upstream asks for, and its size. */
static gboolean
configure_video (GstXmemBufferPool *self, GstStructure *config)
{
  self->add_meta = gst_buffer_pool_config_has_option (
      config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  self->aligned = self->add_meta
                  && gst_buffer_pool_config_has_option (
                      config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
  if (self->aligned) {
    gst_buffer_pool_config_get_video_alignment (config, &self->alignment);
    /* Rows as the memory: strides follow the widest alignment asked for. */
    for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
      self->params.align |= self->alignment.stride_align[i];
    for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
      self->alignment.stride_align[i] |= self->params.align;
    if (!gst_video_info_align (&self->info, &self->alignment))
      return FALSE;
    gst_buffer_pool_config_set_video_alignment (config, &self->alignment);
  }
  self->size = MAX (self->size, (guint) self->info.size);
  return TRUE;
}

static gboolean
gst_xmem_buffer_pool_set_config (GstBufferPool *pool, GstStructure *config)
{
  GstXmemBufferPool *self = GST_XMEM_BUFFER_POOL (pool);
  GstCaps *caps;
  guint min, max;

  if (!gst_buffer_pool_config_get_params (
          config, &caps, &self->size, &min, &max))
    return FALSE;
  gst_buffer_pool_config_get_allocator (config, NULL, &self->params);
  self->add_meta = self->aligned = FALSE;
  self->is_video =
      caps && gst_video_info_from_caps (&self->info, caps)
      && GST_VIDEO_INFO_FORMAT (&self->info) != GST_VIDEO_FORMAT_ENCODED;
  if (self->is_video && !configure_video (self, config)) {
    GST_WARNING_OBJECT (self, "cannot align as %" GST_PTR_FORMAT, config);
    return FALSE;
  }
  GST_INFO_OBJECT (
      self, "buffers of %u bytes for %" GST_PTR_FORMAT, self->size, caps);
  gst_buffer_pool_config_set_params (config, caps, self->size, min, max);
  gst_buffer_pool_config_set_allocator (
      config, GST_ALLOCATOR (self->allocator), &self->params);
  return GST_BUFFER_POOL_CLASS (gst_xmem_buffer_pool_parent_class)
      ->set_config (pool, config);
}

/* Decoders that predict from their pictures (libav's) keep them mapped for
 * writing while downstream reads them. GstMemory's lock would then forbid to
 * share the memory, and GstVideoDecoder, which makes each buffer writable,
 * would quietly copy every picture. A slot stays mapped as long as it lives;
 * so the lock is only taken, and the right to write checked, at this moment. */
static gboolean
map_plane (GstVideoMeta *meta, guint plane, GstMapInfo *info, gpointer *data,
    gint *stride, GstMapFlags flags)
{
  guint index, n;
  gsize skip;

  if (!gst_buffer_find_memory (
          meta->buffer, meta->offset[plane], 1, &index, &n, &skip)
      || !gst_buffer_map_range (meta->buffer, index, n, info, flags))
    return FALSE;
  *data = info->data + skip;
  *stride = meta->stride[plane];
  /* A copy of this meta may lie on other memory, which is not that patient. */
  if (flags & GST_MAP_WRITE && gst_is_xmem_memory (info->memory)) {
    gst_buffer_unmap (meta->buffer, info);
    info->memory = NULL;
  }
  return TRUE;
}

static gboolean
unmap_plane (GstVideoMeta *meta, guint plane, GstMapInfo *info)
{
  if (info->memory)
    gst_buffer_unmap (meta->buffer, info);
  return TRUE;
}

static GstFlowReturn
gst_xmem_buffer_pool_alloc_buffer (
    GstBufferPool *pool, GstBuffer **buffer, GstBufferPoolAcquireParams *params)
{
  GstXmemBufferPool *self = GST_XMEM_BUFFER_POOL (pool);
  GstVideoInfo *info = &self->info;
  GstVideoMeta *meta;

  *buffer = gst_buffer_new_allocate (
      GST_ALLOCATOR (self->allocator), self->size, &self->params);
  if (!*buffer)
    return GST_FLOW_ERROR;
  if (!self->add_meta)
    return GST_FLOW_OK;
  meta = gst_buffer_add_video_meta_full (*buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_INFO_N_PLANES (info),
      info->offset, info->stride);
  meta->map = map_plane;
  meta->unmap = unmap_plane;
  if (self->aligned)
    gst_video_meta_set_alignment (meta, self->alignment);
  return GST_FLOW_OK;
}

static void
gst_xmem_buffer_pool_release_buffer (GstBufferPool *pool, GstBuffer *buffer)
{
  GstMemory *memory = gst_buffer_n_memory (buffer) == 1
                          ? gst_buffer_peek_memory (buffer, 0)
                          : NULL;

  /* GstBufferPool recycles memory without asking the allocator; but not what
   * another buffer still has. */
  if (memory && gst_is_xmem_memory (memory) && !memory->parent
      && gst_buffer_is_all_memory_writable (buffer))
    gst_xmem_memory_renew (memory);
  else
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  GST_BUFFER_POOL_CLASS (gst_xmem_buffer_pool_parent_class)
      ->release_buffer (pool, buffer);
}

static void
gst_xmem_buffer_pool_finalize (GObject *object)
{
  gst_clear_object (&GST_XMEM_BUFFER_POOL (object)->allocator);
  G_OBJECT_CLASS (gst_xmem_buffer_pool_parent_class)->finalize (object);
}

static void
gst_xmem_buffer_pool_class_init (GstXmemBufferPoolClass *klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_xmem_buffer_pool_finalize;
  pool_class->get_options = gst_xmem_buffer_pool_get_options;
  pool_class->set_config = gst_xmem_buffer_pool_set_config;
  pool_class->alloc_buffer = gst_xmem_buffer_pool_alloc_buffer;
  pool_class->release_buffer = gst_xmem_buffer_pool_release_buffer;
}

static void
gst_xmem_buffer_pool_init (GstXmemBufferPool *self)
{
}

GstBufferPool *
gst_xmem_buffer_pool_new (GstXmemAllocator *allocator)
{
  GstXmemBufferPool *self =
      gst_object_ref_sink (g_object_new (GST_TYPE_XMEM_BUFFER_POOL, NULL));

  self->allocator = gst_object_ref (allocator);
  return GST_BUFFER_POOL (self);
}
