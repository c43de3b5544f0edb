/* SPDX-License-Identifier: MIT */
/* A buffer pool of GstCuda's whose buffers are slots. */
#ifndef GST_XMEM_GPU_POOL_H
#define GST_XMEM_GPU_POOL_H

#include "gpu-memory.h"

G_BEGIN_DECLS

/* Takes references on @context, which is that of @pool, and on @pool. With NULL
 * its memory is not shared, but laid out alike: GstCuda's own pools of 1.22 let
 * the planes of I420 overlap at odd heights. */
GstBufferPool *gst_xmem_gpu_pool_new (
    GstCudaContext *context, struct xmem_pool *pool);

G_END_DECLS

#endif
