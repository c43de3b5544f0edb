/* SPDX-License-Identifier: MIT */
/* The context comes from GstContext "gst.cuda.context", as for GStreamer's own
 * elements, and is looked for when CUDA memory first shows: a pipeline without
 * touches no GPU.
 *
 * Order. Until 1.22 memory has no stream. Its elements work on blocking streams,
 * for which work on the legacy stream is a barrier; so we record and wait there.
 * From 1.24 on memory has one, which others wait for (NEED_SYNC): that of a slot
 * is its writer's, that of a received frame ours.
 *
 * Threads: the streaming thread, but for contexts, which anybody may set and
 * query. */
#include "gpu.h"

#include "ending.h"
#include "gpu-pool.h"

GST_DEBUG_CATEGORY (gst_xmem_gpu_debug);
#define GST_CAT_DEFAULT gst_xmem_gpu_debug

#define N_SLOTS 1024

unsigned
gst_xmem_gpu_subscriber_flags (gboolean complete)
{
  return XMEM_SUBSCRIBER_CUDA | (complete ? XMEM_SUBSCRIBER_CUDA_COMPLETE : 0);
}

void
gst_xmem_gpu_init (GstXmemGpu *self, GstElement *element)
{
  GST_DEBUG_CATEGORY_INIT (gst_xmem_gpu_debug, "xmemgpu", 0, "xmem and CUDA");
  self->element = element;
  self->device_id = -1;
  self->n_views = g_atomic_rc_box_new0 (gint);
  g_rec_mutex_init (&self->lock);
}

static void
drop_copies (GstXmemGpu *self)
{
  if (self->copies)
    gst_buffer_pool_set_active (self->copies, FALSE);
  gst_clear_object (&self->copies);
}

void
gst_xmem_gpu_reset (GstXmemGpu *self)
{
  drop_copies (self);
  gst_clear_caps (&self->caps);
  self->active = FALSE;
#if GST_CHECK_VERSION(1, 24, 0)
  gst_clear_cuda_stream ((GstCudaStream **) &self->stream);
#endif
  g_rec_mutex_lock (&self->lock);
  xmem_pool_unref (g_steal_pointer (&self->pool));
  g_clear_object ((GObject **) &self->context);
  g_rec_mutex_unlock (&self->lock);
}

void
gst_xmem_gpu_clear (GstXmemGpu *self)
{
  gst_xmem_gpu_reset (self);
  g_atomic_rc_box_release (self->n_views);
  g_rec_mutex_clear (&self->lock);
}

/* --- the context --------------------------------------------------------- */

void
gst_xmem_gpu_set_context (GstXmemGpu *self, GstContext *context)
{
  g_rec_mutex_lock (&self->lock);
  gst_cuda_handle_set_context (self->element, context, self->device_id,
      (GstCudaContext **) &self->context);
  g_rec_mutex_unlock (&self->lock);
}

gboolean
gst_xmem_gpu_query (GstXmemGpu *self, GstQuery *query)
{
  gboolean answered;

  if (GST_QUERY_TYPE (query) != GST_QUERY_CONTEXT)
    return FALSE;
  g_rec_mutex_lock (&self->lock);
  answered =
      gst_cuda_handle_context_query (self->element, query, self->context);
  g_rec_mutex_unlock (&self->lock);
  return answered;
}

/* Asks the neighbours, then the application, else makes one. */
static gboolean
ensure_context (GstXmemGpu *self, gint device_id)
{
  if (self->context)
    return TRUE;
  /* Without the driver they only complain in the log. */
  return gst_cuda_load_library ()
         && gst_cuda_ensure_element_context (
             self->element, device_id, (GstCudaContext **) &self->context);
}

static void
hold_context (void *context)
{
  gst_object_ref (context);
}

static void
release_context (void *context)
{
  gst_xmem_ending_release (gst_object_unref, context);
}

static struct xmem_cuda_keeper
keeper_of (GstXmemGpu *self)
{
  return (
      struct xmem_cuda_keeper){ hold_context, release_context, self->context };
}

static void
fail (GstXmemGpu *self, const gchar *what, const struct xmem_error *error)
{
  GST_ELEMENT_ERROR (self->element, RESOURCE, FAILED,
      ("%s: %s.", what, error->message),
      ("%s", xmem_status_string (error->status)));
}

/* --- caps ---------------------------------------------------------------- */

gboolean
gst_xmem_gpu_takes (GstCaps *caps)
{
  GstCapsFeatures *features = gst_caps_get_features (caps, 0);

  return features && gst_caps_features_get_size (features) == 1
         && gst_caps_features_contains (
             features, GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY);
}

void
gst_xmem_gpu_set_caps (GstXmemGpu *self, GstCaps *caps)
{
  GstVideoInfo aligned;

  drop_copies (self);
  gst_caps_replace (&self->caps, caps);
  self->active =
      gst_xmem_gpu_takes (caps) && gst_video_info_from_caps (&self->info, caps);
  aligned = self->info;
  if (self->active && self->pool
      && gst_xmem_gpu_lay_out (&aligned, self->context))
    xmem_pool_trim (self->pool, aligned.size);
}

/* --- memory -------------------------------------------------------------- */

gboolean
gst_xmem_gpu_is_shared (GstMemory *memory)
{
  struct xmem_region region;

  return gst_is_xmem_gpu_memory (memory)
         && gst_xmem_gpu_memory_get_region (memory, &region);
}

gboolean
gst_xmem_gpu_get_region (
    GstMemory *memory, struct xmem_region *region_out, gpointer *stream_out)
{
  GstMapInfo map;

  if (!gst_is_xmem_gpu_memory (memory)
      || !gst_xmem_gpu_memory_get_region (memory, region_out))
    return FALSE;
  if (GST_MEMORY_FLAG_IS_SET (memory, GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD)
      && gst_memory_map (memory, &map, GST_MAP_READ | GST_MAP_CUDA))
    gst_memory_unmap (memory, &map);
  *stream_out = gst_xmem_gpu_memory_get_stream (memory);
  return TRUE;
}

/* --- a sink's ------------------------------------------------------------ */

static int
new_pool (GstXmemGpu *self, struct xmem_error *error)
{
  struct xmem_pool_params params = {
    .struct_size = sizeof (params),
    .n_slots = N_SLOTS,
    .max_bytes = self->max_bytes,
    .cuda_mode = self->mode,
    .cuda_context = gst_cuda_context_get_handle (self->context),
    .cuda_keeper = keeper_of (self),
  };
  int r;

  g_rec_mutex_lock (&self->lock);
  r = xmem_pool_new (&params, &self->pool, error);
  g_rec_mutex_unlock (&self->lock);
  return r;
}

static gboolean
ensure_pool (GstXmemGpu *self)
{
  struct xmem_error error;

  if (self->pool)
    return TRUE;
  if (!ensure_context (self, self->device_id)) {
    GST_ELEMENT_ERROR (self->element, RESOURCE, NOT_FOUND,
        ("CUDA memory needs the driver (libcuda.so.1) and a device it can use, "
         "and there is none."),
        (NULL));
    return FALSE;
  }
  if (new_pool (self, &error) == 0)
    return TRUE;
  fail (self, "Cannot share CUDA memory", &error);
  return FALSE;
}

guint64
gst_xmem_gpu_get_pool_bytes (GstXmemGpu *self)
{
  struct xmem_pool_stats stats = { 0 };

  g_rec_mutex_lock (&self->lock);
  if (self->pool)
    xmem_pool_get_stats (self->pool, &stats);
  g_rec_mutex_unlock (&self->lock);
  return stats.bytes;
}

/* A pool for these caps, tried: its size is what a buffer takes. */
static GstBufferPool *
make_pool (GstXmemGpu *self, GstCaps *caps, guint *size_out)
{
  GstBufferPool *pool = gst_xmem_gpu_pool_new (self->context, self->pool);
  GstStructure *config = gst_buffer_pool_get_config (pool);
  struct xmem_error error;
  guint device;
  int r;

  gst_buffer_pool_config_set_params (config, caps, 0, 0, 0);
  if (!gst_buffer_pool_set_config (pool, config)) {
    GST_ELEMENT_ERROR (self->element, STREAM, FORMAT,
        ("Pictures of this format cannot be in CUDA memory."), (NULL));
    gst_clear_object (&pool);
    return NULL;
  }
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_get_params (config, NULL, size_out, NULL, NULL);
  gst_structure_free (config);
  g_object_get (self->context, "cuda-device-id", &device, NULL);
  r = xmem_pool_preallocate_cuda (
      self->pool, *size_out, 1, (gint) device, &error);
  if (r >= 0 || r == XMEM_NO_SPACE)
    return pool;
  fail (self, "Cannot share CUDA memory", &error);
  gst_clear_object (&pool);
  return NULL;
}

gboolean
gst_xmem_gpu_propose (GstXmemGpu *self, GstQuery *query)
{
  g_autoptr (GstBufferPool) pool = NULL;
  GstCaps *caps;
  gboolean need_pool;
  guint size;

  gst_query_parse_allocation (query, &caps, &need_pool);
  if (!need_pool)
    return TRUE;
  pool = ensure_pool (self) ? make_pool (self, caps, &size) : NULL;
  if (pool)
    gst_query_add_allocation_pool (query, pool, size, 0, 0);
  return pool != NULL;
}

/* The place of the picture in memory that is all of a buffer. */
static GstVideoInfo
info_of (GstBuffer *buffer, GstMemory *memory)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo info = GST_CUDA_MEMORY_CAST (memory)->info;

  for (guint i = 0; meta && i < meta->n_planes; i++) {
    info.offset[i] = meta->offset[i];
    info.stride[i] = meta->stride[i];
  }
  return info;
}

/* On the stream that the memory is written on, where its next writer comes
 * later; as any element would read it. */
static gboolean
copy_on_device (
    GstXmemGpu *self, GstBuffer *to, GstBuffer *from, gpointer stream)
{
  GstMemory *to_memory = gst_buffer_peek_memory (to, 0);
  GstMemory *from_memory = gst_buffer_peek_memory (from, 0);
  GstVideoInfo to_info = info_of (to, to_memory);
  GstVideoInfo from_info = info_of (from, from_memory);
  GstMapInfo to_map, from_map;
  gboolean ok;

  if (!gst_memory_map (from_memory, &from_map, GST_MAP_READ | GST_MAP_CUDA))
    return FALSE;
  ok = gst_memory_map (to_memory, &to_map, GST_MAP_WRITE | GST_MAP_CUDA);
  if (ok) {
    ok = gst_xmem_gpu_copy (self->context, stream, &to_info,
        (CUdeviceptr) (gsize) to_map.data, &from_info,
        (CUdeviceptr) (gsize) from_map.data);
    gst_memory_unmap (to_memory, &to_map);
  }
  gst_memory_unmap (from_memory, &from_map);
  return ok;
}

/* By way of the CPU: memory of other contexts, or none of CUDA's. */
static gboolean
copy_by_cpu (GstXmemGpu *self, GstBuffer *to, GstBuffer *from)
{
  GstVideoFrame to_frame, from_frame;
  gboolean ok;

  if (!gst_video_frame_map (&from_frame, &self->info, from, GST_MAP_READ))
    return FALSE;
  ok = gst_video_frame_map (&to_frame, &self->info, to, GST_MAP_WRITE);
  if (ok) {
    ok = gst_video_frame_copy (&to_frame, &from_frame);
    gst_video_frame_unmap (&to_frame);
  }
  gst_video_frame_unmap (&from_frame);
  return ok;
}

static gboolean
copy_meta (GstBuffer *from, GstMeta **meta, gpointer to)
{
  const GstMetaInfo *info = (*meta)->info;
  GstMetaTransformCopy copy = { FALSE, 0, -1 };

  /* The copy is laid out in its own way. */
  if (info->api != GST_VIDEO_META_API_TYPE && info->transform_func)
    info->transform_func (to, *meta, from, _gst_meta_transform_copy, &copy);
  return TRUE;
}

static GstBufferPool *
ensure_copies (GstXmemGpu *self)
{
  guint size;

  if (self->copies)
    return self->copies;
  self->copies =
      ensure_pool (self) ? make_pool (self, self->caps, &size) : NULL;
  if (self->copies)
    gst_buffer_pool_set_active (self->copies, TRUE);
  return self->copies;
}

/* Of this context's, in one piece. */
static gboolean
is_on_our_device (GstXmemGpu *self, GstBuffer *buffer)
{
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);

  return gst_buffer_n_memory (buffer) == 1 && gst_is_cuda_memory (memory)
         && GST_CUDA_MEMORY_CAST (memory)->context == self->context;
}

GstBuffer *
gst_xmem_gpu_share (GstXmemGpu *self, GstBuffer *buffer, gpointer *stream_out)
{
  GstBuffer *copy = NULL;
  gboolean ok;

  *stream_out = NULL;
  if (!ensure_copies (self))
    return NULL;
  ok =
      gst_buffer_pool_acquire_buffer (self->copies, &copy, NULL) == GST_FLOW_OK;
  if (ok && is_on_our_device (self, buffer)) {
    *stream_out =
        gst_xmem_gpu_memory_get_stream (gst_buffer_peek_memory (buffer, 0));
    ok = copy_on_device (self, copy, buffer, *stream_out);
  } else if (ok) {
    ok = copy_by_cpu (self, copy, buffer);
  }
  if (!ok) {
    GST_ELEMENT_ERROR (self->element, RESOURCE, FAILED,
        ("A frame cannot be copied in CUDA memory."), (NULL));
    gst_clear_buffer (&copy);
    return NULL;
  }
  gst_buffer_copy_into (
      copy, buffer, GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  gst_buffer_foreach_meta (buffer, copy_meta, copy);
  return copy;
}

/* --- a source's ---------------------------------------------------------- */

void *
gst_xmem_gpu_get_context (
    int device, struct xmem_cuda_keeper *keeper_out, void *user_data)
{
  GstXmemGpu *self = user_data;

  if (!ensure_context (self, device))
    return NULL;
  *keeper_out = keeper_of (self);
#if GST_CHECK_VERSION(1, 24, 0)
  if (!self->stream)
    self->stream = gst_cuda_stream_new (self->context);
#endif
  return gst_cuda_context_get_handle (self->context);
}

static gpointer
stream_of (GstXmemGpu *self)
{
#if GST_CHECK_VERSION(1, 24, 0)
  return self->stream ? gst_cuda_stream_get_handle (self->stream) : NULL;
#else
  return NULL;
#endif
}

/* Where the producer has put the planes. FALSE where that is outside of what
 * came: a layout was checked before, the caps' own was not. */
static gboolean
place_of (GstXmemGpu *self, struct xmem_frame *frame,
    GstXmemVideoLayout *layout, GstVideoInfo *info_out)
{
  gsize size = xmem_frame_get_region (frame, 0)->size;

  *info_out = self->info;
  for (guint i = 0; layout && i < layout->n_planes; i++) {
    info_out->offset[i] = layout->offset[i];
    info_out->stride[i] = layout->stride[i];
  }
  info_out->size = size;
  return layout || size >= self->info.size;
}

/* GstCuda's kernels want one stride for all planes. */
static gboolean
is_usual (const GstVideoInfo *info)
{
  for (guint i = 1; i < GST_VIDEO_INFO_N_PLANES (info); i++)
    if (info->stride[i] != info->stride[0])
      return FALSE;
  return TRUE;
}

static GstBufferPool *
ensure_private_pool (GstXmemGpu *self)
{
  GstStructure *config;

  if (self->copies)
    return self->copies;
  self->copies = gst_xmem_gpu_pool_new (self->context, NULL);
  config = gst_buffer_pool_get_config (self->copies);
  gst_buffer_pool_config_set_params (
      config, self->caps, (guint) self->info.size, 0, 0);
#if GST_CHECK_VERSION(1, 24, 0)
  if (self->stream)
    gst_buffer_pool_config_set_cuda_stream (config, self->stream);
#endif
  if (!gst_buffer_pool_set_config (self->copies, config)
      || !gst_buffer_pool_set_active (self->copies, TRUE))
    gst_clear_object (&self->copies);
  return self->copies;
}

/* In memory of this process, on our stream. */
static GstBuffer *
copy_frame (
    GstXmemGpu *self, struct xmem_frame *frame, const GstVideoInfo *from)
{
  GstBuffer *buffer = NULL;
  GstMemory *memory;
  GstMapInfo map;
  gboolean ok;

  if (!ensure_private_pool (self)
      || gst_buffer_pool_acquire_buffer (self->copies, &buffer, NULL)
             != GST_FLOW_OK)
    return NULL;
  memory = gst_buffer_peek_memory (buffer, 0);
  ok = gst_memory_map (memory, &map, GST_MAP_WRITE | GST_MAP_CUDA);
  if (ok) {
    ok = gst_xmem_gpu_copy (self->context, stream_of (self),
        &GST_CUDA_MEMORY_CAST (memory)->info, (CUdeviceptr) (gsize) map.data,
        from, xmem_frame_get_cuda_pointer (frame, 0));
    gst_memory_unmap (memory, &map);
  }
  xmem_frame_unref_after (xmem_frame_ref (frame), stream_of (self));
  if (!ok)
    gst_clear_buffer (&buffer);
  return buffer;
}

static GstBuffer *
view_frame (GstXmemGpu *self, struct xmem_frame *frame,
    const GstVideoInfo *info, GstXmemVideoLayout *layout)
{
  GstBuffer *buffer = gst_buffer_new ();

  gst_buffer_append_memory (
      buffer, gst_xmem_gpu_memory_new_from_frame (
                  self->context, self->stream, info, frame, self->n_views));
  if (layout)
    gst_xmem_layout_add_meta (layout, buffer);
  return buffer;
}

guint
gst_xmem_gpu_count_views (GstXmemGpu *self)
{
  return (guint) g_atomic_int_get (self->n_views);
}

GstBuffer *
gst_xmem_gpu_receive (GstXmemGpu *self, struct xmem_frame *frame,
    GstXmemVideoLayout *layout, gboolean *copy)
{
  struct xmem_error error = { .status = XMEM_INVALID };
  GstBuffer *buffer = NULL;
  GstVideoInfo info;

  if (!self->context) {
    GST_ELEMENT_ERROR (self->element, RESOURCE, FAILED,
        ("GStreamer's library for CUDA cannot use the driver; "
         "GST_DEBUG=cuda*:4 "
         "says why."),
        (NULL));
    return NULL;
  }
  if (!self->active || xmem_frame_get_n_regions (frame) != 1
      || !place_of (self, frame, layout, &info)) {
    GST_ELEMENT_ERROR (self->element, STREAM, FORMAT,
        ("The producer's frames in CUDA memory do not fit its caps."), (NULL));
    return NULL;
  }
  if (xmem_frame_cuda_wait (frame, stream_of (self), &error) != 0) {
    fail (self, "Cannot wait for a frame", &error);
    return NULL;
  }
  *copy |= !is_usual (&info);
  buffer = *copy ? copy_frame (self, frame, &info)
                 : view_frame (self, frame, &info, layout);
  if (!buffer)
    GST_ELEMENT_ERROR (self->element, RESOURCE, FAILED,
        ("A frame cannot be copied in CUDA memory."), (NULL));
  return buffer;
}
