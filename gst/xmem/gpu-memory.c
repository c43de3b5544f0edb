/* SPDX-License-Identifier: MIT */
/* GstCudaMemory over slots, over regions of received frames, and over memory of
 * this process.
 *
 * GstCuda's elements look at the class of the allocator. Until 1.22 its memory
 * is private and cannot be made around a pointer, so the memory is ours and
 * begins as theirs; from 1.24 on it is theirs and wraps the pointer. The classes
 * differ in size between these versions: who was built for one does not run with
 * the other.
 *
 * Threads: any, as GstMemory. */
#include "gpu-memory.h"

#define WRAPS_POINTERS GST_CHECK_VERSION (1, 24, 0)

/* Where the bytes are; one of three. */
typedef struct {
  struct xmem_buffer *buffer;
  struct xmem_frame *frame;
  gint *n_views; /* frame is one of them */
  CUdeviceptr own; /* of the context, to be freed */
  GstCudaContext *context;
} Source;

typedef struct {
  GstCudaAllocator parent;
} GstXmemGpuAllocator;

typedef struct {
  GstCudaAllocatorClass parent_class;
} GstXmemGpuAllocatorClass;

static GType gst_xmem_gpu_allocator_get_type (void);
G_DEFINE_TYPE (
    GstXmemGpuAllocator, gst_xmem_gpu_allocator, GST_TYPE_CUDA_ALLOCATOR)

static void
source_free (gpointer data)
{
  Source *self = data;

  xmem_buffer_unref (self->buffer);
  if (self->frame) {
    g_atomic_int_add (self->n_views, -1);
    g_atomic_rc_box_release (self->n_views);
  }
  /* Elements may have read it on any stream. */
  xmem_frame_unref_after (self->frame, XMEM_CUDA_ALL_STREAMS);
  if (self->own && gst_cuda_context_push (self->context)) {
    CuMemFree (self->own);
    gst_cuda_context_pop (NULL);
  }
  gst_object_unref (self->context);
  g_free (self);
}

static CUdeviceptr
source_pointer (const Source *self)
{
  if (self->buffer)
    return xmem_buffer_get_cuda_pointer (self->buffer);
  return self->frame ? xmem_frame_get_cuda_pointer (self->frame, 0) : self->own;
}

#if WRAPS_POINTERS

static Source *
source_of (GstMemory *memory)
{
  return gst_cuda_memory_get_user_data (GST_CUDA_MEMORY_CAST (memory));
}

/* GstCuda derives from the width how much of each row the CPU gets to see, which
 * is a byte short for the chroma of NV12 at odd ones: rows are as wide as they
 * can be while it looks. */
static GstMemory *
wrap (GstAllocator *allocator, GstCudaStream *stream, const GstVideoInfo *info,
    Source *take_source)
{
  GstVideoInfo wide = *info;
  GstMemory *memory;

  GST_VIDEO_INFO_WIDTH (&wide) =
      GST_VIDEO_INFO_PLANE_STRIDE (info, 0)
      / MAX (GST_VIDEO_INFO_COMP_PSTRIDE (info, 0), 1);
  memory = gst_cuda_allocator_alloc_wrapped (GST_CUDA_ALLOCATOR (allocator),
      take_source->context, stream, &wide, source_pointer (take_source),
      take_source, source_free);
  GST_CUDA_MEMORY_CAST (memory)->info = *info;
  return memory;
}

static void
class_init_memory (GstAllocatorClass *klass)
{
}

static void
init_memory (GstAllocator *allocator)
{
}

#else

typedef struct {
  GstCudaMemory memory;
  Source *source;
  GMutex lock; /* guards what follows, and the flags about transfers */
  guint8 *staging; /* the bytes as the CPU sees them, once it wants to */
} GpuMemory;

static Source *
source_of (GstMemory *memory)
{
  return ((GpuMemory *) memory)->source;
}

static GstMemory *
wrap (GstAllocator *allocator, GstCudaStream *stream, const GstVideoInfo *info,
    Source *take_source)
{
  GpuMemory *self = g_new0 (GpuMemory, 1);

  gst_memory_init (
      GST_MEMORY_CAST (self), 0, allocator, NULL, info->size, 0, 0, info->size);
  self->memory.context = gst_object_ref (take_source->context);
  self->memory.info = *info;
  self->source = take_source;
  g_mutex_init (&self->lock);
  return GST_MEMORY_CAST (self);
}

static void
free_memory (GstAllocator *allocator, GstMemory *memory)
{
  GpuMemory *self = (GpuMemory *) memory;

  source_free (self->source);
  gst_object_unref (self->memory.context);
  g_mutex_clear (&self->lock);
  g_free (self->staging);
  g_free (self);
}

/* All bytes, to the CPU or back; blocks until they are there. */
static gboolean
transfer (GpuMemory *self, gboolean to_cpu)
{
  CUdeviceptr pointer = source_pointer (self->source);
  CUDA_MEMCPY2D copy = {
    .srcMemoryType = to_cpu ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST,
    .srcDevice = to_cpu ? pointer : 0,
    .srcHost = to_cpu ? NULL : self->staging,
    .dstMemoryType = to_cpu ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE,
    .dstDevice = to_cpu ? 0 : pointer,
    .dstHost = to_cpu ? self->staging : NULL,
    .WidthInBytes = self->memory.info.stride[0],
  };
  gboolean ok;

  copy.srcPitch = copy.dstPitch = copy.WidthInBytes;
  copy.Height = self->memory.info.size / copy.WidthInBytes;
  if (!gst_cuda_context_push (self->memory.context))
    return FALSE;
  ok = CuMemcpy2D (&copy) == CUDA_SUCCESS;
  gst_cuda_context_pop (NULL);
  return ok;
}

static gpointer
map_for_cuda (GpuMemory *self, GstMapFlags flags)
{
  if (GST_MEMORY_FLAG_IS_SET (self, GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD)
      && !transfer (self, FALSE))
    return NULL;
  GST_MEMORY_FLAG_UNSET (self, GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD);
  if (flags & GST_MAP_WRITE)
    GST_MEMORY_FLAGS (self) |= GST_CUDA_MEMORY_TRANSFER_NEED_DOWNLOAD;
  return GSIZE_TO_POINTER (source_pointer (self->source));
}

static gpointer
map_for_cpu (GpuMemory *self, GstMapFlags flags)
{
  gboolean download =
      !self->staging
      || GST_MEMORY_FLAG_IS_SET (self, GST_CUDA_MEMORY_TRANSFER_NEED_DOWNLOAD);

  if (!self->staging)
    self->staging = g_malloc (self->memory.info.size);
  if (download && !transfer (self, TRUE))
    return NULL;
  GST_MEMORY_FLAG_UNSET (self, GST_CUDA_MEMORY_TRANSFER_NEED_DOWNLOAD);
  if (flags & GST_MAP_WRITE)
    GST_MEMORY_FLAGS (self) |= GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD;
  return self->staging;
}

static gpointer
map_memory (GstMemory *memory, gsize max_size, GstMapFlags flags)
{
  GpuMemory *self = (GpuMemory *) memory;
  gpointer data;

  g_mutex_lock (&self->lock);
  data = (flags & GST_MAP_CUDA) == GST_MAP_CUDA ? map_for_cuda (self, flags)
                                                : map_for_cpu (self, flags);
  g_mutex_unlock (&self->lock);
  return data;
}

/* Mapping has noted what the other side must fetch. */
static void
unmap_memory (GstMemory *memory, GstMapInfo *info)
{
}

static void
class_init_memory (GstAllocatorClass *klass)
{
  klass->free = free_memory;
}

static void
init_memory (GstAllocator *allocator)
{
  allocator->mem_map = map_memory;
  allocator->mem_unmap_full = unmap_memory;
}

#endif

/* --- layout -------------------------------------------------------------- */

/* Components that share a plane may differ: the last pair of YUY2 is whole at
 * odd widths. */
static gsize
row_size (const GstVideoInfo *info, guint plane)
{
  gsize size = 0;

  for (guint i = 0; i < GST_VIDEO_INFO_N_COMPONENTS (info); i++)
    if (GST_VIDEO_INFO_COMP_PLANE (info, i) == plane)
      size = MAX (size, (gsize) GST_VIDEO_INFO_COMP_WIDTH (info, i)
                            * GST_VIDEO_INFO_COMP_PSTRIDE (info, i));
  return size;
}

static gsize
n_rows (const GstVideoInfo *info, guint plane)
{
  gint comp[GST_VIDEO_MAX_COMPONENTS];

  gst_video_format_info_component (info->finfo, plane, comp);
  return GST_VIDEO_INFO_COMP_HEIGHT (info, comp[0]);
}

gboolean
gst_xmem_gpu_lay_out (GstVideoInfo *info, GstCudaContext *context)
{
  gsize align = MAX (gst_cuda_context_get_texture_alignment (context), 1);
  gsize stride = 0;

  if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX (info->finfo)
      || GST_VIDEO_FORMAT_INFO_IS_TILED (info->finfo)
      || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (info->finfo))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++)
    stride = MAX (stride, (gsize) GST_VIDEO_INFO_PLANE_STRIDE (info, i));
  stride = (stride + align - 1) / align * align;
  info->size = 0;
  for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++) {
    info->offset[i] = info->size;
    info->stride[i] = stride;
    info->size += stride * n_rows (info, i);
  }
  return TRUE;
}

/* --- copies -------------------------------------------------------------- */

static gboolean
copy_plane (gpointer stream, const GstVideoInfo *to_info, CUdeviceptr to,
    const GstVideoInfo *from_info, CUdeviceptr from, guint plane)
{
  CUDA_MEMCPY2D copy = {
    .srcMemoryType = CU_MEMORYTYPE_DEVICE,
    .srcDevice = from + from_info->offset[plane],
    .srcPitch = from_info->stride[plane],
    .dstMemoryType = CU_MEMORYTYPE_DEVICE,
    .dstDevice = to + to_info->offset[plane],
    .dstPitch = to_info->stride[plane],
    .WidthInBytes = row_size (to_info, plane),
    .Height = n_rows (to_info, plane),
  };

  return CuMemcpy2DAsync (&copy, stream) == CUDA_SUCCESS;
}

gboolean
gst_xmem_gpu_copy (GstCudaContext *context, gpointer stream,
    const GstVideoInfo *to_info, CUdeviceptr to, const GstVideoInfo *from_info,
    CUdeviceptr from)
{
  gboolean ok = gst_cuda_context_push (context);

  if (!ok)
    return FALSE;
  for (guint i = 0; ok && i < GST_VIDEO_INFO_N_PLANES (to_info); i++)
    ok = copy_plane (stream, to_info, to, from_info, from, i);
  gst_cuda_context_pop (NULL);
  return ok;
}

/* Blocks until the work on a stream is over. */
static gboolean
finish (GstCudaContext *context, gpointer stream)
{
  gboolean ok = gst_cuda_context_push (context);

  if (!ok)
    return FALSE;
  ok = CuStreamSynchronize (stream) == CUDA_SUCCESS;
  gst_cuda_context_pop (NULL);
  return ok;
}

/* GstCuda's own would take a stride of its choosing. A part of the memory cannot
 * be copied: it would be no picture. */
static GstMemory *
copy_memory (GstMemory *memory, gssize offset, gssize size)
{
  GstCudaMemory *from = GST_CUDA_MEMORY_CAST (memory);
  gpointer stream = gst_xmem_gpu_memory_get_stream (memory);
  GstMemory *copy;
  GstMapInfo map;
  gboolean ok;

  if (offset != 0 || (size != -1 && (gsize) size != memory->size))
    return NULL;
  copy = gst_xmem_gpu_memory_new_private (from->context, NULL, &from->info);
  if (!copy)
    return NULL;
  ok = gst_memory_map (memory, &map, GST_MAP_READ | GST_MAP_CUDA);
  if (ok) {
    ok = gst_xmem_gpu_copy (from->context, stream, &from->info,
             source_of (copy)->own, &from->info, (CUdeviceptr) (gsize) map.data)
         && finish (from->context, stream);
    gst_memory_unmap (memory, &map);
  }
  if (!ok)
    g_clear_pointer (&copy, gst_memory_unref);
  return copy;
}

/* --- the allocator ------------------------------------------------------- */

static void
gst_xmem_gpu_allocator_class_init (GstXmemGpuAllocatorClass *klass)
{
  class_init_memory (GST_ALLOCATOR_CLASS (klass));
}

static void
gst_xmem_gpu_allocator_init (GstXmemGpuAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR (self);

  allocator->mem_copy = copy_memory;
  init_memory (allocator);
}

static gpointer
make_allocator (gpointer unused)
{
  GstAllocator *allocator;

  gst_cuda_memory_init_once ();
  allocator = gst_object_ref_sink (
      g_object_new (gst_xmem_gpu_allocator_get_type (), NULL));
  GST_OBJECT_FLAG_SET (allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return allocator;
}

static CUdeviceptr
allocate (GstCudaContext *context, gsize size)
{
  CUdeviceptr pointer = 0;

  if (!gst_cuda_context_push (context))
    return 0;
  if (size > G_MAXUINT || CuMemAlloc (&pointer, size) != CUDA_SUCCESS)
    pointer = 0;
  gst_cuda_context_pop (NULL);
  return pointer;
}

static GstMemory *
memory_new (GstCudaContext *context, GstCudaStream *stream,
    const GstVideoInfo *info, const Source *take_where)
{
  static GOnce once = G_ONCE_INIT;
  Source *source = g_new (Source, 1);

  *source = *take_where;
  source->context = gst_object_ref (context);
  return wrap (g_once (&once, make_allocator, NULL), stream, info, source);
}

GstMemory *
gst_xmem_gpu_memory_new (GstCudaContext *context, GstCudaStream *stream,
    const GstVideoInfo *info, struct xmem_buffer *take_buffer)
{
  const Source where = { .buffer = take_buffer };

  return memory_new (context, stream, info, &where);
}

GstMemory *
gst_xmem_gpu_memory_new_private (
    GstCudaContext *context, GstCudaStream *stream, const GstVideoInfo *info)
{
  const Source where = { .own = allocate (context, info->size) };

  return where.own ? memory_new (context, stream, info, &where) : NULL;
}

GstMemory *
gst_xmem_gpu_memory_new_from_frame (GstCudaContext *context,
    GstCudaStream *stream, const GstVideoInfo *info, struct xmem_frame *frame,
    gint *n_views)
{
  const Source where = { .frame = xmem_frame_ref (frame),
    .n_views = g_atomic_rc_box_acquire (n_views) };
  GstMemory *memory = memory_new (context, stream, info, &where);

  g_atomic_int_inc (n_views);
  GST_MEMORY_FLAGS (memory) |= GST_MEMORY_FLAG_READONLY;
#if WRAPS_POINTERS
  /* Readers on other streams wait for ours. */
  GST_MEMORY_FLAGS (memory) |= GST_CUDA_MEMORY_TRANSFER_NEED_SYNC;
#endif
  return memory;
}

gboolean
gst_is_xmem_gpu_memory (GstMemory *memory)
{
  return G_TYPE_CHECK_INSTANCE_TYPE (
      memory->allocator, gst_xmem_gpu_allocator_get_type ());
}

gboolean
gst_xmem_gpu_memory_get_region (
    GstMemory *memory, struct xmem_region *region_out)
{
  const Source *source = source_of (memory);

  if (source->buffer)
    xmem_buffer_get_region (source->buffer, region_out);
  else if (source->frame)
    *region_out = *xmem_frame_get_region (source->frame, 0);
  else
    return FALSE;
  region_out->size = memory->size;
  return TRUE;
}

gboolean
gst_xmem_gpu_memory_renew (GstMemory *memory)
{
  const Source *source = source_of (memory);

  if (source->buffer)
    xmem_buffer_renew (source->buffer);
  return source->buffer != NULL;
}

gpointer
gst_xmem_gpu_memory_get_stream (GstMemory *memory)
{
#if WRAPS_POINTERS
  GstCudaStream *stream =
      gst_cuda_memory_get_stream (GST_CUDA_MEMORY_CAST (memory));

  return stream ? gst_cuda_stream_get_handle (stream) : NULL;
#else
  return NULL;
#endif
}
