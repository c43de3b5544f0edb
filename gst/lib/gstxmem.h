/* SPDX-License-Identifier: MIT */
/**
 * gstxmem.h: libgstxmem-1.0, GStreamer memory that other processes can map.
 *
 * What comes out of a GstXmemAllocator or a GstXmemBufferPool is published by
 * any xmemsink of this process without a copy. An application that feeds an
 * appsrc, or an element behind a tee, uses them directly.
 *
 * All functions may be called from any thread and never block, unless they
 * say otherwise.
 */
#ifndef GST_XMEM_H
#define GST_XMEM_H

#include <gst/gst.h>

#include <xmem/pool.h>
#include <xmem/subscriber.h>

G_BEGIN_DECLS

#define GST_TYPE_XMEM_ALLOCATOR (gst_xmem_allocator_get_type ())
XMEM_API
G_DECLARE_FINAL_TYPE (
    GstXmemAllocator, gst_xmem_allocator, GST, XMEM_ALLOCATOR, GstAllocator)

#define GST_TYPE_XMEM_BUFFER_POOL (gst_xmem_buffer_pool_get_type ())
XMEM_API
G_DECLARE_FINAL_TYPE (GstXmemBufferPool, gst_xmem_buffer_pool, GST,
    XMEM_BUFFER_POOL, GstBufferPool)

/** GstAllocator.mem_type of our memory. */
#define GST_XMEM_MEMORY_TYPE "XmemMemory"

/**
 * gst_xmem_allocator_new:
 * @max_bytes: most bytes of shared memory, 0 for 1 GiB
 *
 * An allocator over an anonymous pool of its own. gst_allocator_alloc () on it
 * neither blocks nor fails for lack of slots: at the limit it gives system
 * memory, which an xmemsink copies and counts. It may take some milliseconds
 * while the pool grows.
 *
 * Returns: (transfer full) (nullable): NULL without memory.
 */
XMEM_API GstAllocator *gst_xmem_allocator_new (guint64 max_bytes);

/**
 * gst_xmem_allocator_get_pool:
 *
 * Returns: (transfer none) (nullable): the pool behind @allocator, which lives
 *   as long as it; NULL for the allocator of received memory.
 */
XMEM_API struct xmem_pool *gst_xmem_allocator_get_pool (
    GstXmemAllocator *allocator);

/**
 * gst_xmem_buffer_pool_new:
 * @allocator: a #GstXmemAllocator with a pool
 *
 * A buffer pool whose buffers are slots. It takes any caps, and for raw video
 * the options GST_BUFFER_POOL_OPTION_VIDEO_META and _VIDEO_ALIGNMENT. A
 * buffer that comes back gets a new id.
 *
 * Returns: (transfer full)
 */
XMEM_API GstBufferPool *gst_xmem_buffer_pool_new (GstXmemAllocator *allocator);

/** Whether @memory is shared: made by our allocator, or received, but for dmabufs.
 */
XMEM_API gboolean gst_is_xmem_memory (GstMemory *memory);

/**
 * gst_xmem_memory_get_id:
 * @memory: one for which gst_is_xmem_memory () holds
 *
 * Returns: the id of its slot: generation in the upper, index in the lower 32
 *   bits, as the producer of the memory counts them.
 */
XMEM_API guint64 gst_xmem_memory_get_id (GstMemory *memory);

/**
 * gst_xmem_memory_get_region:
 * @memory: one for which gst_is_xmem_memory () holds
 *
 * The region to publish for exactly the bytes of @memory; borrowed, valid as
 * long as @memory.
 */
XMEM_API void gst_xmem_memory_get_region (
    GstMemory *memory, struct xmem_region *region_out);

/**
 * gst_xmem_memory_new_from_frame:
 * @frame: a received frame; a reference is taken for as long as the memory
 * @index: below xmem_frame_get_n_regions ()
 *
 * Returns: (transfer full): read-only memory of that region. In a dmabuf it is a
 *   GstDmaBufMemory, whose file descriptor, borrowed from @frame, is the dmabuf's.
 */
XMEM_API GstMemory *gst_xmem_memory_new_from_frame (
    struct xmem_frame *frame, guint index);

G_END_DECLS

#endif
