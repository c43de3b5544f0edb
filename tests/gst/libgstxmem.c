/* SPDX-License-Identifier: MIT */
/* The library for embedders: memory in slots, parts of it, received memory,
 * and pools whose buffers get a new id each time around. */
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>

#include <xmem/xmem.h>

#include "gstxmem.h"
#include "pipeline.h"

static void
fill (GstMemory *memory, guint8 seed)
{
  GstMapInfo map;

  fail_unless (gst_memory_map (memory, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = (guint8) (seed + i * 3);
  gst_memory_unmap (memory, &map);
}

/* The bytes are those of fill () from `from` on. */
static void
check_content (GstMemory *memory, guint8 seed, gsize from)
{
  GstMapInfo map;

  fail_unless (gst_memory_map (memory, &map, GST_MAP_READ));
  for (gsize i = 0; i < map.size; i++)
    if (map.data[i] != (guint8) (seed + (from + i) * 3))
      fail ("byte %" G_GSIZE_FORMAT " is %#x", i, map.data[i]);
  gst_memory_unmap (memory, &map);
}

static guint8 *
address (GstMemory *memory)
{
  GstMapInfo map;

  fail_unless (gst_memory_map (memory, &map, GST_MAP_READ));
  gst_memory_unmap (memory, &map);
  return map.data;
}

static struct xmem_pool *
pool_of (GstAllocator *allocator)
{
  return gst_xmem_allocator_get_pool (GST_XMEM_ALLOCATOR (allocator));
}

static gboolean
is_live (GstAllocator *allocator, guint64 id)
{
  struct xmem_buffer *buffer;

  if (xmem_pool_get (pool_of (allocator), id, XMEM_WRITE, &buffer, NULL)
      != XMEM_OK)
    return FALSE;
  xmem_buffer_unref (buffer);
  return TRUE;
}

/* Where other processes would look for the bytes is where they are. */
static void
check_region (GstAllocator *allocator, GstMemory *memory)
{
  struct xmem_region region, whole;
  struct xmem_buffer *buffer;
  guint8 *start;

  gst_xmem_memory_get_region (memory, &region);
  fail_unless_equals_uint64 (region.size, memory->size);
  fail_unless_equals_uint64 (region.id, gst_xmem_memory_get_id (memory));
  fail_unless_equals_int (
      xmem_pool_get (pool_of (allocator), region.id, XMEM_WRITE, &buffer, NULL),
      XMEM_OK);
  start = xmem_buffer_get_mut_data (buffer);
  xmem_buffer_get_region (buffer, &whole);
  fail_unless (region.segment == whole.segment);
  fail_unless (start + (region.offset - whole.offset) == address (memory));
  fail_unless (region.offset >= whole.offset);
  fail_unless (region.offset + region.size
               <= whole.offset + xmem_buffer_get_size (buffer));
  xmem_buffer_unref (buffer);
}

/* --- allocating ---------------------------------------------------------- */

static const GstAllocationParams params[] = {
  { .align = 0 },
  { .align = 31 },
  { .align = 63, .prefix = 17, .padding = 5 },
  { .align = 255, .prefix = 1000 },
  { .align = 4095, .padding = 64 },
  { .flags = GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED,
      .align = 127,
      .prefix = 33,
      .padding = 77 },
};

static void
check_zeros (const guint8 *data, gsize size)
{
  for (gsize i = 0; i < size; i++)
    if (data[i] != 0)
      fail ("byte %" G_GSIZE_FORMAT " is not zero", i);
}

static void
check_params (GstAllocator *allocator, GstAllocationParams wanted, gsize size)
{
  GstMemory *memory = gst_allocator_alloc (allocator, size, &wanted);
  guint8 *start;

  fail_unless (gst_is_xmem_memory (memory));
  fail_unless_equals_uint64 (memory->size, size);
  fail_unless_equals_uint64 (memory->offset, wanted.prefix);
  fail_unless (memory->maxsize >= wanted.prefix + size + wanted.padding);
  start = address (memory) - memory->offset;
  fail_unless_equals_uint64 ((guintptr) start & wanted.align, 0);
  if (wanted.flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    check_zeros (start, wanted.prefix);
  if (wanted.flags & GST_MEMORY_FLAG_ZERO_PADDED)
    check_zeros (start + wanted.prefix + size, wanted.padding);
  if (size > 0)
    check_region (allocator, memory);
  memset (start, 0xff, wanted.prefix + size + wanted.padding);
  gst_memory_unref (memory);
}

/* Each slot twice: it is not the kernel's zeros that are seen. */
GST_START_TEST (memory_is_aligned_and_padded_as_asked)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);

  for (guint round = 0; round < 2; round++) {
    check_params (allocator, params[__i__], 0);
    check_params (allocator, params[__i__], 1);
    check_params (allocator, params[__i__], 4096);
    check_params (allocator, params[__i__], 100000);
  }
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (memory_outlives_its_allocator)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *memory = gst_allocator_alloc (allocator, 5000, NULL);

  fill (memory, 1);
  gst_object_unref (allocator);
  check_content (memory, 1, 0);
  gst_memory_unref (memory);
}
GST_END_TEST;

GST_START_TEST (system_memory_is_not_ours)
{
  GstMemory *memory = gst_allocator_alloc (NULL, 10, NULL);

  fail_if (gst_is_xmem_memory (memory));
  gst_memory_unref (memory);
}
GST_END_TEST;

/* --- parts and copies ---------------------------------------------------- */

GST_START_TEST (a_part_is_the_same_slot)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *whole = gst_allocator_alloc (allocator, 10000, NULL);
  GstMemory *part, *part_of_part, *rest;
  GstMapInfo map;

  fill (whole, 9);
  part = gst_memory_share (whole, 1000, 5000);
  part_of_part = gst_memory_share (part, 200, 300);
  rest = gst_memory_share (part, 4000, -1);
  fail_unless_equals_uint64 (
      gst_xmem_memory_get_id (part), gst_xmem_memory_get_id (whole));
  fail_unless_equals_uint64 (
      gst_xmem_memory_get_id (part_of_part), gst_xmem_memory_get_id (whole));
  check_content (part, 9, 1000);
  check_content (part_of_part, 9, 1200);
  check_content (rest, 9, 5000);
  fail_unless_equals_uint64 (rest->size, 1000);
  check_region (allocator, part);
  check_region (allocator, part_of_part);
  fail_if (gst_memory_map (part, &map, GST_MAP_WRITE));
  /* Parts keep the slot. */
  gst_memory_unref (whole);
  gst_memory_unref (part);
  check_content (part_of_part, 9, 1200);
  fail_unless (is_live (allocator, gst_xmem_memory_get_id (part_of_part)));
  gst_memory_unref (part_of_part);
  gst_memory_unref (rest);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (neighbouring_parts_span)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *whole = gst_allocator_alloc (allocator, 3000, NULL);
  GstMemory *other = gst_allocator_alloc (allocator, 3000, NULL);
  GstMemory *a = gst_memory_share (whole, 100, 1000);
  GstMemory *b = gst_memory_share (whole, 1100, 500);
  GstMemory *c = gst_memory_share (other, 0, 100);
  GstBuffer *buffer = gst_buffer_new ();
  GstMapInfo map;
  gsize offset = 0;

  fail_unless (gst_memory_is_span (a, b, &offset));
  fail_unless_equals_uint64 (offset, 100);
  fail_if (gst_memory_is_span (b, a, &offset));
  fail_if (gst_memory_is_span (a, c, &offset));
  /* A buffer of such is mapped as one without a copy. */
  gst_buffer_append_memory (buffer, a);
  gst_buffer_append_memory (buffer, b);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  fail_unless_equals_uint64 (map.size, 1500);
  fail_unless (map.data == address (whole) + 100);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
  gst_memory_unref (c);
  gst_memory_unref (other);
  gst_memory_unref (whole);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (a_copy_is_another_slot)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *memory = gst_allocator_alloc (allocator, 4000, NULL);
  GstMemory *copy;

  fill (memory, 50);
  copy = gst_memory_copy (memory, 1000, 2000);
  fail_unless (gst_is_xmem_memory (copy));
  fail_if (gst_xmem_memory_get_id (copy) == gst_xmem_memory_get_id (memory));
  check_content (copy, 50, 1000);
  fill (copy, 7);
  check_content (memory, 50, 0);
  check_region (allocator, copy);
  gst_memory_unref (copy);
  gst_memory_unref (memory);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (resized_memory_says_where_it_is)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *memory = gst_allocator_alloc (allocator, 4000, NULL);
  struct xmem_region region, before;

  fill (memory, 5);
  gst_xmem_memory_get_region (memory, &before);
  gst_memory_resize (memory, 128, 1000);
  gst_xmem_memory_get_region (memory, &region);
  fail_unless_equals_uint64 (region.offset, before.offset + 128);
  fail_unless_equals_uint64 (region.size, 1000);
  check_content (memory, 5, 128);
  check_region (allocator, memory);
  gst_memory_unref (memory);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- received memory ----------------------------------------------------- */

typedef struct {
  GstAllocator *allocator;
  struct xmem_publisher *publisher;
  struct xmem_subscriber *subscriber;
  GstMemory *sent;
  GstMemory *received;
} Received;

static void
received_setup (Received *self)
{
  g_autofree gchar *path = g_build_filename (pipeline_dir (), "received", NULL);
  struct xmem_publisher_params pub = { .struct_size = sizeof (pub),
    .address = path };
  struct xmem_subscriber_params sub = { .struct_size = sizeof (sub),
    .address = path };
  struct xmem_frame_info info;
  struct xmem_region region;
  struct xmem_publish publish = { .struct_size = sizeof (publish),
    .regions = &region,
    .n_regions = 1,
    .info = &info };
  struct xmem_frame *frame;

  self->allocator = gst_xmem_allocator_new (0);
  self->sent = gst_allocator_alloc (self->allocator, 6000, NULL);
  fill (self->sent, 77);
  gst_xmem_memory_get_region (self->sent, &region);
  xmem_frame_info_init (&info);
  fail_unless_equals_int (
      xmem_publisher_new (&pub, &self->publisher, NULL), XMEM_OK);
  fail_unless_equals_int (
      xmem_subscriber_new (&sub, &self->subscriber, NULL), XMEM_OK);
  fail_unless_equals_int (
      xmem_subscriber_connect (self->subscriber, XMEM_WAIT_FOREVER, NULL),
      XMEM_OK);
  fail_unless_equals_int (xmem_publisher_publish (self->publisher, &publish,
                              XMEM_WAIT_FOREVER, NULL),
      XMEM_OK);
  fail_unless_equals_int (
      xmem_subscriber_next (self->subscriber, XMEM_WAIT_FOREVER, &frame, NULL),
      XMEM_OK);
  self->received = gst_xmem_memory_new_from_frame (frame, 0);
  xmem_frame_unref (frame);
}

static void
received_clear (Received *self)
{
  xmem_subscriber_free (self->subscriber);
  xmem_publisher_free (self->publisher);
  gst_memory_unref (self->sent);
  gst_object_unref (self->allocator);
}

GST_START_TEST (received_memory_cannot_be_written)
{
  Received r;
  GstMapInfo map;

  received_setup (&r);
  fail_unless (gst_is_xmem_memory (r.received));
  fail_unless_equals_uint64 (
      gst_xmem_memory_get_id (r.received), gst_xmem_memory_get_id (r.sent));
  check_content (r.received, 77, 0);
  fail_unless (address (r.received) != address (r.sent));
  fail_if (gst_memory_map (r.received, &map, GST_MAP_WRITE));
  fail_if (gst_memory_map (r.received, &map, GST_MAP_READWRITE));
  gst_memory_unref (r.received);
  received_clear (&r);
}
GST_END_TEST;

/* Whoever wants to write gets a copy, as of any read-only memory. */
GST_START_TEST (a_received_buffer_is_copied_for_who_writes)
{
  Received r;
  GstBuffer *buffer = gst_buffer_new ();
  GstMapInfo map;

  received_setup (&r);
  gst_buffer_append_memory (buffer, r.received);
  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READWRITE));
  fail_unless_equals_int (map.data[5], (guint8) (77 + 15));
  memset (map.data, 0, map.size);
  gst_buffer_unmap (buffer, &map);
  fail_if (gst_is_xmem_memory (gst_buffer_peek_memory (buffer, 0)));
  check_content (r.sent, 77, 0);
  gst_buffer_unref (buffer);
  received_clear (&r);
}
GST_END_TEST;

GST_START_TEST (received_memory_outlives_its_subscriber)
{
  Received r;
  GstMemory *part;

  received_setup (&r);
  part = gst_memory_share (r.received, 100, 50);
  gst_memory_unref (r.received);
  received_clear (&r);
  check_content (part, 77, 100);
  gst_memory_unref (part);
}
GST_END_TEST;

/* --- pools --------------------------------------------------------------- */

static GstBufferPool *
make_pool (GstAllocator *allocator, guint size)
{
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, size, 0, 0);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static void
pool_free (GstBufferPool *pool)
{
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
}

static GstBuffer *
acquire (GstBufferPool *pool)
{
  GstBuffer *buffer;

  fail_unless_equals_int (
      gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), GST_FLOW_OK);
  return buffer;
}

static guint64
buffer_id (GstBuffer *buffer)
{
  return gst_xmem_memory_get_id (gst_buffer_peek_memory (buffer, 0));
}

GST_START_TEST (a_recycled_buffer_has_a_new_id)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstBufferPool *pool = make_pool (allocator, 1000);
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint64 last = 0;

  for (guint i = 0; i < 100; i++) {
    GstBuffer *buffer = acquire (pool);
    guint64 id = buffer_id (buffer);

    fail_unless (g_hash_table_add (seen, g_memdup2 (&id, sizeof (id))),
        "id %" G_GINT64_MODIFIER "x again", id);
    if (i > 0) {
      /* The same slot. */
      fail_unless_equals_int ((guint32) id, (guint32) last);
      fail_if (is_live (allocator, last));
    }
    fail_unless (is_live (allocator, id));
    last = id;
    gst_buffer_unref (buffer);
  }
  pool_free (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* The memory of a buffer that came back may still be in another one. */
GST_START_TEST (memory_in_use_elsewhere_keeps_its_id_and_content)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstBufferPool *pool = make_pool (allocator, 1000);
  GstBuffer *buffer = acquire (pool);
  guint64 id = buffer_id (buffer);
  GstBuffer *other = gst_buffer_new ();

  fill (gst_buffer_peek_memory (buffer, 0), 30);
  gst_buffer_append_memory (other, gst_buffer_get_memory (buffer, 0));
  gst_buffer_unref (buffer);
  for (guint i = 0; i < 5; i++) {
    buffer = acquire (pool);
    fail_if ((guint32) buffer_id (buffer) == (guint32) id);
    fill (gst_buffer_peek_memory (buffer, 0), 99);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_uint64 (buffer_id (other), id);
  fail_unless (is_live (allocator, id));
  check_content (gst_buffer_peek_memory (other, 0), 30, 0);
  gst_buffer_unref (other);
  fail_if (is_live (allocator, id));
  pool_free (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- pictures ------------------------------------------------------------ */

static GstBufferPool *
make_video_pool (GstAllocator *allocator, GstVideoInfo *info)
{
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);
  g_autoptr (GstCaps) caps = NULL;

  gst_video_info_set_format (info, GST_VIDEO_FORMAT_I420, 320, 240);
  caps = gst_video_info_to_caps (info);
  gst_buffer_pool_config_set_params (config, caps, info->size, 0, 0);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

/* As a decoder that keeps its reference pictures mapped, and GstVideoDecoder,
 * which makes each buffer writable on its way out. */
GST_START_TEST (a_mapped_picture_can_be_shared_without_a_copy)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstVideoInfo info;
  GstBufferPool *pool = make_video_pool (allocator, &info);
  GstBuffer *buffer = acquire (pool);
  guint64 id = buffer_id (buffer);
  GstVideoFrame decoder, reader;
  GstBuffer *out;

  fail_unless (
      gst_video_frame_map (&decoder, &info, buffer, GST_MAP_READWRITE));
  out = gst_buffer_make_writable (buffer);
  fail_unless (out != buffer);
  fail_unless_equals_uint64 (buffer_id (out), id);
  fail_unless (gst_video_frame_map (&reader, &info, out, GST_MAP_READ));
  for (guint i = 0; i < 3; i++)
    fail_unless (GST_VIDEO_FRAME_PLANE_DATA (&reader, i)
                 == GST_VIDEO_FRAME_PLANE_DATA (&decoder, i));
  gst_video_frame_unmap (&reader);
  gst_video_frame_unmap (&decoder);
  /* The pool's own buffer is gone, its slot is not. */
  fail_unless_equals_uint64 (buffer_id (out), id);
  fail_unless (is_live (allocator, id));
  gst_buffer_unref (out);
  fail_if (is_live (allocator, id));
  pool_free (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* The meta of our pictures, copied, over memory that is not ours. */
GST_START_TEST (a_copied_meta_maps_other_memory_too)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstVideoInfo info;
  GstBufferPool *pool = make_video_pool (allocator, &info);
  GstBuffer *buffer = acquire (pool);
  GstBuffer *other = gst_buffer_copy_deep (buffer);
  GstVideoFrame frame;

  gst_buffer_replace_all_memory (
      other, gst_allocator_alloc (NULL, info.size, NULL));
  fail_unless (gst_buffer_get_video_meta (other) != NULL);
  fail_unless (gst_video_frame_map (&frame, &info, other, GST_MAP_READWRITE));
  memset (GST_VIDEO_FRAME_PLANE_DATA (&frame, 2), 1, 100);
  gst_video_frame_unmap (&frame);
  gst_buffer_unref (other);
  gst_buffer_unref (buffer);
  pool_free (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- exhaustion ---------------------------------------------------------- */

#define SIZE 100000

GST_START_TEST (an_exhausted_allocator_gives_system_memory_and_recovers)
{
  GstAllocator *allocator = gst_xmem_allocator_new (10 * SIZE);
  g_autoptr (GPtrArray) memories =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_memory_unref);
  guint n_shared = 0;
  GstMemory *memory;
  struct xmem_pool_stats stats;

  for (guint i = 0; i < 50; i++) {
    memory = gst_allocator_alloc (allocator, SIZE, NULL);
    fail_unless (memory != NULL);
    n_shared += gst_is_xmem_memory (memory);
    g_ptr_array_add (memories, memory);
  }
  xmem_pool_get_stats (pool_of (allocator), &stats);
  fail_unless (n_shared > 0 && n_shared <= 10, "%u", n_shared);
  fail_unless (stats.bytes <= 10 * SIZE);
  g_ptr_array_set_size (memories, 0);
  memory = gst_allocator_alloc (allocator, SIZE, NULL);
  fail_unless (gst_is_xmem_memory (memory));
  gst_memory_unref (memory);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* Buffers of system memory are not kept for later. */
GST_START_TEST (an_exhausted_pool_gives_system_memory_and_recovers)
{
  GstAllocator *allocator = gst_xmem_allocator_new (10 * SIZE);
  GstBufferPool *pool = make_pool (allocator, SIZE);
  GstBuffer *taken[50];
  guint n_shared = 0;

  for (guint round = 0; round < 3; round++) {
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS (taken); i++) {
      taken[i] = acquire (pool);
      n += gst_is_xmem_memory (gst_buffer_peek_memory (taken[i], 0));
    }
    fail_unless (n > 0 && n <= 10, "%u", n);
    fail_unless (round == 0 || n == n_shared, "%u, then %u", n_shared, n);
    n_shared = n;
    for (guint i = 0; i < G_N_ELEMENTS (taken); i++)
      gst_buffer_unref (taken[i]);
    /* One at a time there is always room. */
    for (guint i = 0; i < 20; i++) {
      taken[0] = acquire (pool);
      fail_unless (gst_is_xmem_memory (gst_buffer_peek_memory (taken[0], 0)));
      gst_buffer_unref (taken[0]);
    }
  }
  pool_free (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- threads ------------------------------------------------------------- */

static gpointer
allocate_and_check (gpointer data)
{
  GstAllocator *allocator = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  GstMemory *memories[8] = { NULL };

  for (guint i = 0; i < 3000; i++) {
    guint at = g_rand_int_range (rand, 0, G_N_ELEMENTS (memories));

    if (memories[at]) {
      check_content (memories[at], (guint8) at, 0);
      gst_memory_unref (memories[at]);
    }
    memories[at] =
        gst_allocator_alloc (allocator, g_rand_int_range (rand, 1, 3000), NULL);
    fill (memories[at], (guint8) at);
  }
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++)
    if (memories[i])
      gst_memory_unref (memories[i]);
  return NULL;
}

GST_START_TEST (threads_share_an_allocator)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GThread *threads[4];
  struct xmem_pool_stats stats;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("allocates", allocate_and_check, allocator);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  xmem_pool_get_stats (pool_of (allocator), &stats);
  fail_unless_equals_int (stats.n_used, 0);
  gst_object_unref (allocator);
}
GST_END_TEST;

static void
add_memory_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("memory");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, memory_is_aligned_and_padded_as_asked, 0, G_N_ELEMENTS (params));
  tcase_add_test (tcase, memory_outlives_its_allocator);
  tcase_add_test (tcase, system_memory_is_not_ours);
  tcase_add_test (tcase, a_part_is_the_same_slot);
  tcase_add_test (tcase, neighbouring_parts_span);
  tcase_add_test (tcase, a_copy_is_another_slot);
  tcase_add_test (tcase, resized_memory_says_where_it_is);
  tcase_add_test (tcase, received_memory_cannot_be_written);
  tcase_add_test (tcase, a_received_buffer_is_copied_for_who_writes);
  tcase_add_test (tcase, received_memory_outlives_its_subscriber);
  tcase_add_test (tcase, threads_share_an_allocator);
}

static void
add_pool_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("pools");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, a_recycled_buffer_has_a_new_id);
  tcase_add_test (tcase, memory_in_use_elsewhere_keeps_its_id_and_content);
  tcase_add_test (tcase, a_mapped_picture_can_be_shared_without_a_copy);
  tcase_add_test (tcase, a_copied_meta_maps_other_memory_too);
  tcase_add_test (
      tcase, an_exhausted_allocator_gives_system_memory_and_recovers);
  tcase_add_test (tcase, an_exhausted_pool_gives_system_memory_and_recovers);
}

int
main (int argc, char **argv)
{
  Suite *suite;

  gst_check_init (&argc, &argv);
  suite = suite_create ("libgstxmem");
  add_memory_tests (suite);
  add_pool_tests (suite);
  return gst_check_run_suite (suite, "libgstxmem", __FILE__);
}
