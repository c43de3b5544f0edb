/* SPDX-License-Identifier: MIT */
/* Pictures in shared memory of a CUDA device as GstCudaMemory, which GStreamer's
 * elements for CUDA take for one of their own. */
#ifndef GST_XMEM_GPU_MEMORY_H
#define GST_XMEM_GPU_MEMORY_H

#define GST_USE_UNSTABLE_API
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudautils.h>

#include <xmem/cuda.h>

G_BEGIN_DECLS

#if !GST_CHECK_VERSION(1, 24, 0)
/* Memory has no stream yet; it is always NULL. */
typedef struct _GstCudaStream GstCudaStream;
#endif

/* Lays the planes out as GstCuda's kernels want them: all strides alike and
 * aligned for textures. FALSE for formats that have no such layout. */
gboolean gst_xmem_gpu_lay_out (GstVideoInfo *info, GstCudaContext *context);

/* A slot, laid out as @info; takes the reference on it. @stream: who writes it
 * works on that, or NULL. */
GstMemory *gst_xmem_gpu_memory_new (GstCudaContext *context,
    GstCudaStream *stream, const GstVideoInfo *info,
    struct xmem_buffer *take_buffer);

/* The only region of a received frame, read-only; takes its own reference, which
 * goes when all work of the context is over that was launched before the memory
 * goes. @stream waits for the frame already, or NULL: the legacy one does.
 * @n_views, a GAtomicRcBox, counts such memories, without what work still holds. */
GstMemory *gst_xmem_gpu_memory_new_from_frame (GstCudaContext *context,
    GstCudaStream *stream, const GstVideoInfo *info, struct xmem_frame *frame,
    gint *n_views);

/* Memory of this process only, laid out as @info. NULL where there is none. */
GstMemory *gst_xmem_gpu_memory_new_private (
    GstCudaContext *context, GstCudaStream *stream, const GstVideoInfo *info);

gboolean gst_is_xmem_gpu_memory (GstMemory *memory);

/* The region to publish; FALSE for private memory. Borrowed. */
gboolean gst_xmem_gpu_memory_get_region (
    GstMemory *memory, struct xmem_region *region_out);

/* Whether it is a slot, which a pool may fill again; gives that a new id. */
gboolean gst_xmem_gpu_memory_renew (GstMemory *memory);

/* The stream (CUstream) that the memory is being written on. */
gpointer gst_xmem_gpu_memory_get_stream (GstMemory *memory);

/* Launches a copy of the picture, plane by plane, on a stream. Both are of that
 * context. */
gboolean gst_xmem_gpu_copy (GstCudaContext *context, gpointer stream,
    const GstVideoInfo *to_info, CUdeviceptr to, const GstVideoInfo *from_info,
    CUdeviceptr from);

G_END_DECLS

#endif
