/* SPDX-License-Identifier: MIT */
/* GstMemory over slots of a pool of ours and over regions of received frames.
 *
 * Two kinds of allocator share one class: those with a pool, and one for the
 * whole process, without, to which received memory belongs.
 * Threads: any. */
#include "gstxmem-priv.h"

#include <string.h>

#include <xmem/segment.h>

GST_DEBUG_CATEGORY_STATIC (gst_xmem_allocator_debug);
#define GST_CAT_DEFAULT gst_xmem_allocator_debug

/* Slots cost little until used; small buffers (audio, data) need many. */
#define N_SLOTS 4096

struct _GstXmemAllocator {
  GstAllocator parent;
  struct xmem_pool *pool; /* NULL: for received memory */
};

G_DEFINE_TYPE_WITH_CODE (GstXmemAllocator, gst_xmem_allocator,
    GST_TYPE_ALLOCATOR,
    GST_DEBUG_CATEGORY_INIT (
        gst_xmem_allocator_debug, "xmemallocator", 0, "xmem memory"))

/* Exactly one of buffer and frame is set, but in a shared part of another
 * memory, where neither is. */
typedef struct {
  GstMemory memory;
  guint8 *data; /* of the whole slot or region */
  struct xmem_buffer *buffer;
  struct xmem_frame *frame;
  guint index; /* of the region in the frame */
} GstXmemMemory;

static GstXmemMemory *
xmem_memory_new (GstAllocator *allocator, GstMemoryFlags flags, guint8 *data,
    GstMemory *parent, gsize max_size, gsize align, gsize offset, gsize size)
{
  GstXmemMemory *self = g_new0 (GstXmemMemory, 1);

  gst_memory_init (
      &self->memory, flags, allocator, parent, max_size, align, offset, size);
  self->data = data;
  return self;
}

static gpointer
xmem_memory_map (GstMemory *memory, gsize max_size, GstMapFlags flags)
{
  return ((GstXmemMemory *) memory)->data;
}

static void
xmem_memory_unmap (GstMemory *memory)
{
}

static GstMemory *
xmem_memory_share (GstMemory *memory, gssize offset, gssize size)
{
  GstMemory *parent = memory->parent ? memory->parent : memory;
  gsize shared = size == -1 ? memory->size - offset : (gsize) size;

  return &xmem_memory_new (memory->allocator,
      GST_MINI_OBJECT_FLAGS (parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY,
      ((GstXmemMemory *) memory)->data, parent, memory->maxsize, memory->align,
      memory->offset + offset, shared)
              ->memory;
}

static gboolean
xmem_memory_is_span (GstMemory *a, GstMemory *b, gsize *offset)
{
  if (offset)
    *offset = a->offset - (a->parent ? a->parent->offset : 0);
  return ((GstXmemMemory *) a)->data + a->offset + a->size
         == ((GstXmemMemory *) b)->data + b->offset;
}

/* --- the allocator ------------------------------------------------------- */

/* As system memory does: room for the prefix, padding, and alignment. */
static GstMemory *
alloc_in_slot (GstXmemAllocator *self, gsize size, GstAllocationParams *params)
{
  gsize align = params->align | gst_memory_alignment;
  gsize max_size = size + params->prefix + params->padding;
  gsize room = max_size > 0 ? max_size : 1;
  struct xmem_error error;
  struct xmem_buffer *buffer;
  GstXmemMemory *memory;
  guint8 *data;
  int r;

  /* Slots are aligned to 64 bytes. */
  if (align > 63)
    room += align;
  r = xmem_pool_acquire (self->pool, room, 0, 0, &buffer, &error);
  if (r != 0) {
    GST_CAT_LEVEL_LOG (GST_CAT_DEFAULT,
        r < 0 ? GST_LEVEL_WARNING : GST_LEVEL_INFO, self,
        "%" G_GSIZE_FORMAT " bytes of system memory instead: %s", size,
        error.message);
    return NULL;
  }
  data = xmem_buffer_get_mut_data (buffer);
  data += (align + 1 - ((guintptr) data & align)) & align;
  if (params->prefix > 0 && params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    memset (data, 0, params->prefix);
  if (params->padding > 0 && params->flags & GST_MEMORY_FLAG_ZERO_PADDED)
    memset (data + params->prefix + size, 0, params->padding);
  memory = xmem_memory_new (GST_ALLOCATOR (self), params->flags, data, NULL,
      max_size, align, params->prefix, size);
  memory->buffer = buffer;
  return &memory->memory;
}

static GstMemory *
gst_xmem_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstXmemAllocator *self = GST_XMEM_ALLOCATOR (allocator);
  GstMemory *memory = self->pool ? alloc_in_slot (self, size, params) : NULL;

  return memory ? memory : gst_allocator_alloc (NULL, size, params);
}

static void
gst_xmem_allocator_free (GstAllocator *allocator, GstMemory *memory)
{
  GstXmemMemory *self = (GstXmemMemory *) memory;

  xmem_buffer_unref (self->buffer);
  xmem_frame_unref (self->frame);
  g_free (self);
}

static void
gst_xmem_allocator_finalize (GObject *object)
{
  xmem_pool_unref (GST_XMEM_ALLOCATOR (object)->pool);
  G_OBJECT_CLASS (gst_xmem_allocator_parent_class)->finalize (object);
}

static void
gst_xmem_allocator_class_init (GstXmemAllocatorClass *klass)
{
  GstAllocatorClass *allocator_class = GST_ALLOCATOR_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_xmem_allocator_finalize;
  allocator_class->alloc = gst_xmem_allocator_alloc;
  allocator_class->free = gst_xmem_allocator_free;
}

static void
gst_xmem_allocator_init (GstXmemAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR (self);

  allocator->mem_type = GST_XMEM_MEMORY_TYPE;
  allocator->mem_map = xmem_memory_map;
  allocator->mem_unmap = xmem_memory_unmap;
  allocator->mem_share = xmem_memory_share;
  allocator->mem_is_span = xmem_memory_is_span;
}

GstAllocator *
gst_xmem_allocator_new (guint64 max_bytes)
{
  struct xmem_pool_params params = {
    .struct_size = sizeof (params), .n_slots = N_SLOTS, .max_bytes = max_bytes
  };
  struct xmem_pool *pool;
  GstXmemAllocator *self;

  if (xmem_pool_new (&params, &pool, NULL) != 0)
    return NULL;
  self = gst_object_ref_sink (g_object_new (GST_TYPE_XMEM_ALLOCATOR, NULL));
  self->pool = pool;
  return GST_ALLOCATOR (self);
}

struct xmem_pool *
gst_xmem_allocator_get_pool (GstXmemAllocator *self)
{
  return self->pool;
}

/* --- memory -------------------------------------------------------------- */

gboolean
gst_is_xmem_memory (GstMemory *memory)
{
  return GST_IS_XMEM_ALLOCATOR (memory->allocator);
}

void
gst_xmem_memory_get_region (GstMemory *memory, struct xmem_region *region_out)
{
  GstXmemMemory *self = (GstXmemMemory *) memory;
  GstXmemMemory *owner =
      memory->parent ? (GstXmemMemory *) memory->parent : self;
  gsize start = self->data - owner->data + memory->offset;

  if (owner->buffer) {
    xmem_buffer_get_region (owner->buffer, region_out);
    start +=
        owner->data - (const guint8 *) xmem_buffer_get_data (owner->buffer);
  } else {
    *region_out = *xmem_frame_get_region (owner->frame, owner->index);
  }
  region_out->offset += start;
  region_out->size = memory->size;
}

guint64
gst_xmem_memory_get_id (GstMemory *memory)
{
  struct xmem_region region;

  gst_xmem_memory_get_region (memory, &region);
  return region.id;
}

void
gst_xmem_memory_renew (GstMemory *memory)
{
  xmem_buffer_renew (((GstXmemMemory *) memory)->buffer);
}

/* Copies of its memory are system memory: that it cannot write. */
static gpointer
make_received_allocator (gpointer unused)
{
  GstAllocator *allocator =
      gst_object_ref_sink (g_object_new (GST_TYPE_XMEM_ALLOCATOR, NULL));

  GST_OBJECT_FLAG_SET (allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
  GST_OBJECT_FLAG_SET (allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return allocator;
}

GstMemory *
gst_xmem_memory_new_from_frame (struct xmem_frame *frame, guint index)
{
  static GOnce once = G_ONCE_INIT;
  GstAllocator *allocator = g_once (&once, make_received_allocator, NULL);
  const struct xmem_region *region = xmem_frame_get_region (frame, index);
  GstXmemMemory *self;

  if (xmem_segment_is_dmabuf (region->segment))
    return gst_xmem_dmabuf_memory_new (frame, index);
  self = xmem_memory_new (allocator, GST_MEMORY_FLAG_READONLY,
      (guint8 *) xmem_frame_get_data (frame, index), NULL, region->size, 0, 0,
      region->size);
  self->frame = xmem_frame_ref (frame);
  self->index = index;
  return &self->memory;
}
