/* SPDX-License-Identifier: MIT */
/* A peer's bytes about where the planes of a picture lie are never believed:
 * whatever they say, what is accepted can be read to the last pixel. Pictures
 * end where their mapping ends, so that one byte more would be a crash. */
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/mman.h>

#include "metas.h"

#define PAGE 4096
#define N_MUTATIONS 200 /* of each format at each size */

/* --- memory that ends ---------------------------------------------------- */

typedef struct {
  guint8 *map;
  gsize map_size;
} Guarded;

static void
guarded_free (gpointer data)
{
  Guarded *self = data;

  munmap (self->map, self->map_size);
  g_free (self);
}

static GstMemory *
guarded_memory (gsize size)
{
  Guarded *self = g_new (Guarded, 1);
  gsize room = (size + PAGE - 1) / PAGE * PAGE;

  self->map_size = room + PAGE;
  self->map = mmap (NULL, self->map_size, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fail_unless (self->map != MAP_FAILED);
  fail_unless_equals_int (mprotect (self->map + room, PAGE, PROT_NONE), 0);
  return gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY,
      self->map + room - size, size, 0, size, self, guarded_free);
}

/* --- one that reads ------------------------------------------------------ */

static void
unpack (GstVideoFrame *frame)
{
  const GstVideoFormatInfo *finfo = frame->info.finfo;
  gint width = GST_VIDEO_FRAME_WIDTH (frame);
  g_autofree guint8 *line = g_malloc ((width + 32) * 8);

  /* GStreamer's own functions for these read past the end of a picture of odd
   * size in the caps' own layout. */
  if (finfo->format == GST_VIDEO_FORMAT_UYVP
      || finfo->format == GST_VIDEO_FORMAT_NV12_10LE32
      || finfo->format == GST_VIDEO_FORMAT_NV16_10LE32)
    return;
  for (gint y = 0; y < GST_VIDEO_INFO_FIELD_HEIGHT (&frame->info); y++)
    finfo->unpack_func (finfo, GST_VIDEO_PACK_FLAG_NONE, line, frame->data,
        frame->info.stride, 0, y, width);
}

/* As elements read pictures: pixel by pixel, and to copy them. */
static void
read_picture (GstBuffer *buffer, GstVideoInfo *info, gboolean may_copy)
{
  g_autoptr (GstBuffer) copy = gst_buffer_new_allocate (NULL, info->size, NULL);
  GstVideoFrame from, to;

  if (!gst_video_frame_map (&from, info, buffer, GST_MAP_READ))
    return;
  fail_unless (gst_video_frame_map (&to, info, copy, GST_MAP_WRITE));
  fail_unless (!may_copy || gst_video_frame_copy (&to, &from));
  unpack (&from);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
}

/* Returns whether the bytes were believed. */
static gboolean
try_bytes (
    const guint8 *bytes, gsize size, GstVideoInfo *info, GstBuffer *memories)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_copy (memories);
  /* Exactly as large: AddressSanitizer sees a read past the end. */
  g_autofree guint8 *exact = g_memdup2 (bytes, size);
  GstXmemVideoLayout layout;

  if (gst_xmem_metas_read_layout (exact, size, info, buffer, &layout)
      != GST_XMEM_LAYOUT_GOOD)
    return FALSE;
  gst_xmem_layout_is_default (&layout, info);
  gst_xmem_layout_add_meta (&layout, buffer);
  read_picture (buffer, info, !layout.cut_short);
  return TRUE;
}

/* --- mutations ----------------------------------------------------------- */

typedef struct {
  guint8 bytes[256];
  gsize size;
} Metas;

static void
make_valid (Metas *metas, GstVideoInfo *info)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstXmemTally dropped;
  GstByteWriter w;

  gst_byte_writer_init (&w);
  gst_xmem_tally_init (&dropped);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_INFO_N_PLANES (info),
      info->offset, info->stride);
  gst_xmem_metas_write (&w, buffer, &dropped);
  metas->size = gst_byte_writer_get_pos (&w);
  fail_unless (metas->size > 0 && metas->size <= sizeof (metas->bytes));
  memcpy (metas->bytes, w.parent.data, metas->size);
  gst_byte_writer_reset (&w);
  gst_xmem_tally_clear (&dropped);
}

static guint32
interesting (GRand *rand)
{
  static const guint32 values[] = { 0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255,
    256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000,
    0xfffffffe, 0xffffffff };

  return values[g_rand_int_range (rand, 0, G_N_ELEMENTS (values))];
}

/* Anything anywhere, and other sizes. */
static void
mutate_anything (Metas *metas, GRand *rand)
{
  gsize at = g_rand_int_range (rand, 0, (gint32) metas->size);

  switch (g_rand_int_range (rand, 0, 4)) {
    case 0:
      metas->bytes[at] ^= 1 << g_rand_int_range (rand, 0, 8);
      break;
    case 1:
      if (metas->size >= 4)
        GST_WRITE_UINT32_LE (
            metas->bytes + at % (metas->size / 4) * 4, interesting (rand));
      break;
    case 2:
      metas->bytes[at] = (guint8) g_rand_int (rand);
      break;
    default:
      metas->size = at + 1;
      break;
  }
}

/* Where the planes start in the record; see videometa.c. */
#define PLANES_AT (8 + 40)
#define PLANE_SIZE 16

/* A plane's offset or stride, a little off. */
static void
mutate_plane (Metas *metas, GRand *rand, const GstVideoInfo *info)
{
  guint plane = g_rand_int_range (rand, 0, GST_VIDEO_INFO_N_PLANES (info));
  guint8 *at = metas->bytes + PLANES_AT + plane * PLANE_SIZE;
  gint64 delta = g_rand_int_range (rand, -9, 10);

  if (metas->size < PLANES_AT + (plane + 1) * PLANE_SIZE)
    return;
  switch (g_rand_int_range (rand, 0, 3)) {
    case 0:
      GST_WRITE_UINT64_LE (at, GST_READ_UINT64_LE (at) + delta);
      break;
    case 1:
      GST_WRITE_UINT32_LE (at + 8, GST_READ_UINT32_LE (at + 8) + delta);
      break;
    default: /* a tiled format's other dimension */
      GST_WRITE_UINT32_LE (
          at + 8, GST_READ_UINT32_LE (at + 8) + ((guint32) delta << 16));
      break;
  }
}

/* --- the cases ----------------------------------------------------------- */

static const struct {
  gint width, height;
} sizes[] = { { 32, 32 }, { 33, 17 }, { 1, 1 }, { 7, 3 }, { 130, 34 } };

/* Memories that hold the picture, and `spare` bytes; the first one ends where
 * the first plane does. */
static GstBuffer *
make_memories (const GstVideoInfo *info, guint n, gsize spare)
{
  GstBuffer *buffer = gst_buffer_new ();
  gsize left = info->size + spare;

  for (; n > 1 && left > n; n--) {
    gsize size = left / n;

    if (left == info->size + spare && info->offset[1] > 0)
      size = MIN (info->offset[1], left - 1);
    gst_buffer_append_memory (buffer, guarded_memory (size));
    left -= size;
  }
  gst_buffer_append_memory (buffer, guarded_memory (left));
  return buffer;
}

#define N_MEMORIES 16

static guint
check_format (GstVideoInfo *info, GRand *rand)
{
  GstBuffer *memories[N_MEMORIES];
  guint n_believed = 0;
  Metas valid;

  for (guint i = 0; i < N_MEMORIES; i++)
    memories[i] = make_memories (info, i % 4 == 0 ? 1 + i / 4 : 1, i % 13);
  make_valid (&valid, info);
  for (guint i = 0; i < N_MUTATIONS; i++) {
    Metas metas = valid;

    for (gint k = g_rand_int_range (rand, 1, 4); k > 0; k--)
      if (g_rand_boolean (rand))
        mutate_plane (&metas, rand, info);
      else
        mutate_anything (&metas, rand);
    n_believed +=
        try_bytes (metas.bytes, metas.size, info, memories[i % N_MEMORIES]);
  }
  for (guint i = 0; i < N_MEMORIES; i++)
    gst_buffer_unref (memories[i]);
  return n_believed;
}

GST_START_TEST (what_is_believed_can_be_read)
{
  guint n_formats, n_believed = 0;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);
  GRand *rand = g_rand_new_with_seed (__i__);

  for (guint i = 0; i < n_formats; i++) {
    GstVideoInfo info;

    gst_video_info_set_format (
        &info, formats[i], sizes[__i__].width, sizes[__i__].height);
    n_believed += check_format (&info, rand);
  }
  /* Some must pass, or nothing was tried. */
  fail_unless (n_believed > n_formats);
  g_rand_free (rand);
}
GST_END_TEST;

/* The layout that the caps alone give is believed, in every format. */
GST_START_TEST (the_truth_is_believed)
{
  guint n_formats;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);

  for (guint i = 0; i < n_formats; i++) {
    g_autoptr (GstBuffer) memories = NULL;
    GstVideoInfo info;
    Metas valid;

    gst_video_info_set_format (
        &info, formats[i], sizes[__i__].width, sizes[__i__].height);
    memories = make_memories (&info, 1, 0);
    make_valid (&valid, &info);
    fail_unless (try_bytes (valid.bytes, valid.size, &info, memories), "%s",
        gst_video_format_to_string (formats[i]));
  }
}
GST_END_TEST;

/* One field of a picture per buffer. */
GST_START_TEST (the_truth_about_a_field_is_believed)
{
  g_autoptr (GstBuffer) memories = NULL;
  GstVideoInfo info;
  Metas valid;

  gst_video_info_set_interlaced_format (
      &info, GST_VIDEO_FORMAT_NV12, GST_VIDEO_INTERLACE_MODE_ALTERNATE, 64, 48);
  memories = make_memories (&info, 1, 0);
  make_valid (&valid, &info);
  fail_unless (try_bytes (valid.bytes, valid.size, &info, memories));
}
GST_END_TEST;

#if GST_CHECK_VERSION(1, 24, 0)
/* Only a device can tell where these planes end; that they begin inside, and
 * that the rest makes sense to GStreamer, is checked. */
GST_START_TEST (layouts_of_devices_begin_inside)
{
  g_autoptr (GstCaps) caps =
      gst_caps_from_string ("video/x-raw(memory:DMABuf),format=DMA_DRM,"
                            "drm-format=(string)NV12:0x0100000000000002,"
                            "width=64,height=48");
  g_autoptr (GstBuffer) memories = NULL;
  GRand *rand = g_rand_new_with_seed (__i__);
  GstXmemVideoLayout layout;
  GstVideoInfo info, linear;
  guint n_believed = 0;
  Metas valid;

  fail_unless (gst_video_info_from_caps (&info, caps));
  gst_video_info_set_format (&linear, GST_VIDEO_FORMAT_NV12, 64, 48);
  memories = make_memories (&linear, 1, 0);
  make_valid (&valid, &linear);
  for (guint i = 0; i < N_MUTATIONS; i++) {
    g_autoptr (GstBuffer) buffer = gst_buffer_copy (memories);
    Metas metas = valid;

    if (i % 2)
      mutate_plane (&metas, rand, &linear);
    else if (i > 0)
      mutate_anything (&metas, rand);
    if (gst_xmem_metas_read_layout (
            metas.bytes, metas.size, &info, buffer, &layout)
        != GST_XMEM_LAYOUT_GOOD)
      continue;
    n_believed++;
    for (guint k = 0; k < layout.n_planes; k++)
      fail_unless (layout.offset[k] < gst_buffer_get_size (buffer));
    gst_xmem_layout_add_meta (&layout, buffer);
  }
  fail_unless (n_believed > 0);
  g_rand_free (rand);
}
GST_END_TEST;
#endif

/* Records of kinds that do not exist yet are skipped. */
GST_START_TEST (unknown_records_are_skipped)
{
  g_autoptr (GstBuffer) memories = NULL;
  GstVideoInfo info;
  Metas valid, more = { .size = 24 };

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, 32, 32);
  memories = make_memories (&info, 1, 0);
  make_valid (&valid, &info);
  GST_WRITE_UINT32_LE (more.bytes, 77);
  GST_WRITE_UINT32_LE (more.bytes + 4, 11); /* padded to 16 */
  memcpy (more.bytes + more.size, valid.bytes, valid.size);
  more.size += valid.size;
  fail_unless (try_bytes (more.bytes, more.size, &info, memories));
  GST_WRITE_UINT32_LE (more.bytes + 4, 0xfffffff8);
  fail_if (try_bytes (more.bytes, more.size, &info, memories));
}
GST_END_TEST;

static Suite *
meta_suite (void)
{
  Suite *suite = suite_create ("hostile-video-meta");
  TCase *tcase = tcase_create ("video meta");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, what_is_believed_can_be_read, 0, G_N_ELEMENTS (sizes));
  tcase_add_loop_test (tcase, the_truth_is_believed, 0, G_N_ELEMENTS (sizes));
  tcase_add_test (tcase, the_truth_about_a_field_is_believed);
#if GST_CHECK_VERSION(1, 24, 0)
  tcase_add_loop_test (tcase, layouts_of_devices_begin_inside, 0, 5);
#endif
  tcase_add_test (tcase, unknown_records_are_skipped);
  return suite;
}

int
main (int argc, char **argv)
{
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (meta_suite (), "hostile-video-meta", __FILE__);
}
