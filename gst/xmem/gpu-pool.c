/* SPDX-License-Identifier: MIT */
/* GstCuda's elements take pools of GstCudaBufferPool's class with their own
 * context only. This one derives from it for nothing else: all it does goes past
 * that class to GstBufferPool.
 *
 * Like GstXmemBufferPool it never blocks, and has memory that is not shared when
 * there is no slot; such a buffer is not kept when it comes back.
 *
 * Threads: as GstBufferPool. */
#include "gpu-pool.h"

GST_DEBUG_CATEGORY_EXTERN (gst_xmem_gpu_debug);
#define GST_CAT_DEFAULT gst_xmem_gpu_debug

typedef struct {
  GstCudaBufferPool parent;
  struct xmem_pool *pool; /* NULL: no slots */
  gint device;

  /* As configured */
  GstVideoInfo info;
  GstCudaStream *stream; /* that upstream writes on; NULL: any */
} GstXmemGpuPool;

typedef struct {
  GstCudaBufferPoolClass parent_class;
} GstXmemGpuPoolClass;

static GType gst_xmem_gpu_pool_get_type (void);
G_DEFINE_TYPE (GstXmemGpuPool, gst_xmem_gpu_pool, GST_TYPE_CUDA_BUFFER_POOL)

static GstBufferPoolClass *
base_class (void)
{
  return GST_BUFFER_POOL_CLASS (g_type_class_peek (GST_TYPE_BUFFER_POOL));
}

static void
set_stream (GstXmemGpuPool *self, GstStructure *config)
{
#if GST_CHECK_VERSION(1, 24, 0)
  gst_clear_cuda_stream (&self->stream);
  if (config)
    self->stream = gst_buffer_pool_config_get_cuda_stream (config);
#endif
}

static gboolean
gst_xmem_gpu_pool_set_config (GstBufferPool *pool, GstStructure *config)
{
  GstXmemGpuPool *self = (GstXmemGpuPool *) pool;
  GstCaps *caps;
  guint min, max;

  if (!gst_buffer_pool_config_get_params (config, &caps, NULL, &min, &max)
      || !caps || !gst_video_info_from_caps (&self->info, caps)
      || !gst_xmem_gpu_lay_out (&self->info, self->parent.context)) {
    GST_WARNING_OBJECT (self, "no pictures for CUDA: %" GST_PTR_FORMAT, config);
    return FALSE;
  }
  gst_buffer_pool_config_set_params (
      config, caps, (guint) self->info.size, min, max);
  set_stream (self, config);
  return base_class ()->set_config (pool, config);
}

static GstMemory *
alloc_slot (GstXmemGpuPool *self)
{
  struct xmem_buffer *slot;
  struct xmem_error error;
  GstMemory *memory;

  if (xmem_pool_acquire_cuda (
          self->pool, self->info.size, self->device, 0, 0, &slot, &error)
      != 0) {
    GST_INFO_OBJECT (self, "memory that is not shared: %s", error.message);
    return NULL;
  }
  memory = gst_xmem_gpu_memory_new (
      self->parent.context, self->stream, &self->info, slot);
  /* Work may still run on what was published for nobody. */
  xmem_buffer_cuda_wait (slot, gst_xmem_gpu_memory_get_stream (memory), NULL);
  return memory;
}

static GstFlowReturn
gst_xmem_gpu_pool_alloc_buffer (
    GstBufferPool *pool, GstBuffer **buffer, GstBufferPoolAcquireParams *params)
{
  GstXmemGpuPool *self = (GstXmemGpuPool *) pool;
  GstMemory *memory = self->pool ? alloc_slot (self) : NULL;
  GstVideoInfo *info = &self->info;

  if (!memory)
    memory = gst_xmem_gpu_memory_new_private (
        self->parent.context, self->stream, info);
  if (!memory)
    return GST_FLOW_ERROR;
  *buffer = gst_buffer_new ();
  gst_buffer_append_memory (*buffer, memory);
  gst_buffer_add_video_meta_full (*buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_INFO_N_PLANES (info),
      info->offset, info->stride);
  return GST_FLOW_OK;
}

static void
gst_xmem_gpu_pool_release_buffer (GstBufferPool *pool, GstBuffer *buffer)
{
  GstXmemGpuPool *self = (GstXmemGpuPool *) pool;
  GstMemory *memory = gst_buffer_n_memory (buffer) == 1
                          ? gst_buffer_peek_memory (buffer, 0)
                          : NULL;

  if (!memory || !gst_is_xmem_gpu_memory (memory)
      || !gst_buffer_is_all_memory_writable (buffer)
      || (self->pool && !gst_xmem_gpu_memory_renew (memory)))
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  base_class ()->release_buffer (pool, buffer);
}

static gboolean
gst_xmem_gpu_pool_start (GstBufferPool *pool)
{
  return base_class ()->start (pool);
}

static gboolean
gst_xmem_gpu_pool_stop (GstBufferPool *pool)
{
  return base_class ()->stop (pool);
}

static void
gst_xmem_gpu_pool_finalize (GObject *object)
{
  GstXmemGpuPool *self = (GstXmemGpuPool *) object;

  set_stream (self, NULL);
  xmem_pool_unref (self->pool);
  G_OBJECT_CLASS (gst_xmem_gpu_pool_parent_class)->finalize (object);
}

static void
gst_xmem_gpu_pool_class_init (GstXmemGpuPoolClass *klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_xmem_gpu_pool_finalize;
  pool_class->set_config = gst_xmem_gpu_pool_set_config;
  pool_class->start = gst_xmem_gpu_pool_start;
  pool_class->stop = gst_xmem_gpu_pool_stop;
  pool_class->alloc_buffer = gst_xmem_gpu_pool_alloc_buffer;
  pool_class->release_buffer = gst_xmem_gpu_pool_release_buffer;
}

static void
gst_xmem_gpu_pool_init (GstXmemGpuPool *self)
{
}

GstBufferPool *
gst_xmem_gpu_pool_new (GstCudaContext *context, struct xmem_pool *pool)
{
  GstXmemGpuPool *self =
      gst_object_ref_sink (g_object_new (gst_xmem_gpu_pool_get_type (), NULL));
  guint device;

  g_object_get (context, "cuda-device-id", &device, NULL);
  self->parent.context = gst_object_ref (context);
  self->pool = pool ? xmem_pool_ref (pool) : NULL;
  self->device = (gint) device;
  return GST_BUFFER_POOL (self);
}
