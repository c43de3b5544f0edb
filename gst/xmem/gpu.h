/* SPDX-License-Identifier: MIT */
/* What an xmemsink and an xmemsrc have to do with CUDA: one context for all
 * elements of a pipeline, memory of a device to be written and read.
 *
 * gpu.c is built where gstreamer-cuda-1.0 is, gpu-none.c elsewhere; elements do
 * not know the difference. */
#ifndef GST_XMEM_GPU_H
#define GST_XMEM_GPU_H

#include <gst/video/video.h>

#include <xmem/cuda.h>

#include "videometa.h"

G_BEGIN_DECLS

typedef struct {
  GstElement *element;

  /* Set before it is used */
  gint device_id; /* whose context to take, -1: any */
  guint mode; /* enum xmem_cuda_mode */
  guint64 max_bytes; /* of a device's memory offered to upstream */

  GRecMutex lock; /* guards context, and pool, for who asks about it */
  gpointer context; /* GstCudaContext, from when it is needed to reset */

  /* The streaming thread's */
  gboolean active; /* the caps are of CUDA memory, and info is valid */
  GstCaps *caps;
  GstVideoInfo info;
  struct xmem_pool *pool; /* a sink's */
  gpointer stream; /* a source's: GstCudaStream, NULL until 1.22 */
  gint *n_views; /* buffers of a source's that are the producer's memory */
  GstBufferPool *copies; /* where copies go */
} GstXmemGpu;

/* For a subscriber that takes CUDA memory, if that is built in; complete: frames
 * are to be written when they come. */
unsigned gst_xmem_gpu_subscriber_flags (gboolean complete);

void gst_xmem_gpu_init (GstXmemGpu *self, GstElement *element);
void gst_xmem_gpu_clear (GstXmemGpu *self);
/* Lets go of everything; for stopping. */
void gst_xmem_gpu_reset (GstXmemGpu *self);

/* For GstElementClass.set_context, and for GST_QUERY_CONTEXT: whether it was
 * answered. */
void gst_xmem_gpu_set_context (GstXmemGpu *self, GstContext *context);
gboolean gst_xmem_gpu_query (GstXmemGpu *self, GstQuery *query);

/* Whether the caps are of CUDA memory, and only that. */
gboolean gst_xmem_gpu_takes (GstCaps *caps);

/* Takes note of any caps. */
void gst_xmem_gpu_set_caps (GstXmemGpu *self, GstCaps *caps);

/* --- of memory, in any process ------------------------------------------- */

/* The region to publish of shared memory on a device, with what was written on
 * the CPU brought there, and the stream that writes it. FALSE for any other
 * memory. */
gboolean gst_xmem_gpu_get_region (
    GstMemory *memory, struct xmem_region *region_out, gpointer *stream_out);
gboolean gst_xmem_gpu_is_shared (GstMemory *memory);

/* --- a sink's ------------------------------------------------------------ */

/* Adds a pool of slots to an ALLOCATION query for CUDA memory. Posts an error
 * and returns FALSE when there can be none. */
gboolean gst_xmem_gpu_propose (GstXmemGpu *self, GstQuery *query);

/* How much of devices' memory is offered now. */
guint64 gst_xmem_gpu_get_pool_bytes (GstXmemGpu *self);

/* A copy of the buffer, metas included, in a slot, and the stream that writes it;
 * while active. Posts an error and returns NULL where that cannot be. */
GstBuffer *gst_xmem_gpu_share (
    GstXmemGpu *self, GstBuffer *buffer, gpointer *stream_out);

/* --- a source's ---------------------------------------------------------- */

/* For xmem_subscriber_params, with the GstXmemGpu as user_data. */
void *gst_xmem_gpu_get_context (
    int device, struct xmem_cuda_keeper *keeper_out, void *user_data);

/* How many buffers downstream has that are the producer's memory. Frames whose
 * readers' work is not over come back by themselves: they do not count. */
guint gst_xmem_gpu_count_views (GstXmemGpu *self);

/* The picture in a frame of a device's memory, laid out as @layout (checked) or,
 * with NULL, as the caps say; with *copy in memory of its own, which may turn
 * out to be necessary. Posts an error and returns NULL where that cannot be. */
GstBuffer *gst_xmem_gpu_receive (GstXmemGpu *self, struct xmem_frame *frame,
    GstXmemVideoLayout *layout, gboolean *copy);

G_END_DECLS

#endif
