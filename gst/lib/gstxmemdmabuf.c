/* SPDX-License-Identifier: MIT */
/* GstDmaBufMemory over regions of received frames that lie in dmabufs, so that
 * elements which import dmabufs find one.
 *
 * Each is a memory of its own, not a part of one for the whole dmabuf, because
 * what shares it must keep the frame: GStreamer's shared memories refer to the
 * first in line. Mapping is the library's, kept for all frames of a dmabuf.
 * Threads: any. */
#include "gstxmem-priv.h"

#include <gst/allocators/gstdmabuf.h>

#include <xmem/segment.h>

typedef struct {
  GstDmaBufAllocator parent;
} GstXmemDmaBufAllocator;

typedef GstDmaBufAllocatorClass GstXmemDmaBufAllocatorClass;

static GType gst_xmem_dma_buf_allocator_get_type (void);
G_DEFINE_TYPE (GstXmemDmaBufAllocator, gst_xmem_dma_buf_allocator,
    GST_TYPE_DMABUF_ALLOCATOR)

typedef struct {
  struct xmem_frame *frame;
  guint index; /* of the region */
} Origin;

static GQuark origin_quark; /* set with the class */

static void
origin_free (gpointer data)
{
  Origin *origin = data;

  xmem_frame_unref (origin->frame);
  g_free (origin);
}

/* The start of the dmabuf, to which GstMemory adds the offset. */
static gpointer
map_full (GstMemory *memory, GstMapInfo *info, gsize max_size)
{
  GstMemory *owner = memory->parent ? memory->parent : memory;
  const Origin *origin =
      gst_mini_object_get_qdata (GST_MINI_OBJECT (owner), origin_quark);
  const guint8 *data = xmem_frame_get_data (origin->frame, origin->index);

  if (!data)
    return NULL;
  return (gpointer) (data
                     - xmem_frame_get_region (origin->frame, origin->index)
                           ->offset);
}

static void
unmap_full (GstMemory *memory, GstMapInfo *info)
{
}

static void
gst_xmem_dma_buf_allocator_class_init (GstXmemDmaBufAllocatorClass *klass)
{
  origin_quark = g_quark_from_static_string ("xmem-origin");
}

static void
gst_xmem_dma_buf_allocator_init (GstXmemDmaBufAllocator *self)
{
  GST_ALLOCATOR (self)->mem_map_full = map_full;
  GST_ALLOCATOR (self)->mem_unmap_full = unmap_full;
}

static gpointer
make_allocator (gpointer unused)
{
  GstAllocator *allocator = gst_object_ref_sink (
      g_object_new (gst_xmem_dma_buf_allocator_get_type (), NULL));

  GST_OBJECT_FLAG_SET (allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return allocator;
}

GstMemory *
gst_xmem_dmabuf_memory_new (struct xmem_frame *frame, guint index)
{
  static GOnce once = G_ONCE_INIT;
  GstAllocator *allocator = g_once (&once, make_allocator, NULL);
  const struct xmem_region *region = xmem_frame_get_region (frame, index);
  GstMemory *memory = gst_fd_allocator_alloc (allocator,
      xmem_segment_borrow_fd (region->segment),
      xmem_segment_get_size (region->segment), GST_FD_MEMORY_FLAG_DONT_CLOSE);
  Origin *origin = g_new (Origin, 1);

  origin->frame = xmem_frame_ref (frame);
  origin->index = index;
  gst_mini_object_set_qdata (
      GST_MINI_OBJECT (memory), origin_quark, origin, origin_free);
  gst_memory_resize (memory, (gssize) region->offset, region->size);
  GST_MINI_OBJECT_FLAG_SET (memory, GST_MEMORY_FLAG_READONLY);
  return memory;
}
