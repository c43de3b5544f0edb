/* SPDX-License-Identifier: MIT */
/* Pictures whose rows and planes do not lie where the caps say: consumers that
 * understand GstVideoMeta get them as they are, for others xmemsrc lays them
 * out anew, and counts that. */
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>

#include "gstxmem.h"
#include "here.h"
#include "pipeline.h"

/* --- two processes ------------------------------------------------------- */

typedef struct {
  GstElement *pipeline;
  GstAppSrc *appsrc;
  Pipeline *consumer; /* sources: reads (a) and does not read (b, c) metas */
  GPtrArray *pictures; /* MD5 of each picture that was sent */
  GPtrArray *bytes; /* the same of all bytes in the caps' layout */
} Ends;

#define SOURCE "socket-path=%s/a delivery=every is-live=false "

static void
ends_start (Ends *self)
{
  const gchar *dir = pipeline_dir ();
  g_autoptr (GstElement) appsrc = NULL;

  self->consumer =
      pipeline_spawn ("xmemsrc name=a " SOURCE "! fakesink name=out "
                      "xmemsrc name=b " SOURCE "! fakesink name=plain "
                      "xmemsrc name=c " SOURCE "! fakesink name=bytes",
          dir, dir, dir);
  self->pipeline = here_parse (
      "appsrc name=appsrc format=time ! xmemsink name=sink sync=false "
      "socket-path=%s/a wait-for-connection=true min-clients=3",
      dir);
  appsrc = gst_bin_get_by_name (GST_BIN (self->pipeline), "appsrc");
  self->appsrc = GST_APP_SRC (appsrc);
  self->pictures = g_ptr_array_new_with_free_func (g_free);
  self->bytes = g_ptr_array_new_with_free_func (g_free);
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
}

/* Sends a picture with the content of `plain`, which is laid out as the caps
 * say. */
static void
ends_send (Ends *self, const GstVideoInfo *info, GstBuffer *plain,
    GstBuffer *take_buffer)
{
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (info);
  GstVideoInfo writable_info = *info;
  GstVideoFrame from, to;
  GstMapInfo map;
  GstSample *sample;

  fail_unless (
      gst_video_frame_map (&from, &writable_info, plain, GST_MAP_READ));
  fail_unless (
      gst_video_frame_map (&to, &writable_info, take_buffer, GST_MAP_WRITE),
      "%s", GST_VIDEO_INFO_NAME (info));
  fail_unless (gst_video_frame_copy (&to, &from));
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  g_ptr_array_add (self->pictures, pipeline_picture_md5 (plain, caps));
  gst_buffer_map (plain, &map, GST_MAP_READ);
  g_ptr_array_add (self->bytes,
      g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size));
  gst_buffer_unmap (plain, &map);
  sample = gst_sample_new (take_buffer, caps, NULL, NULL);
  fail_unless_equals_int (
      gst_app_src_push_sample (self->appsrc, sample), GST_FLOW_OK);
  gst_sample_unref (sample);
  gst_buffer_unref (take_buffer);
}

static void
check_md5s (Ends *self, const gchar *sink, GPtrArray *expected)
{
  GPtrArray *frames = pipeline_get_frames (self->consumer);
  guint n = 0;

  for (guint i = 0; i < frames->len; i++) {
    PipelineFrame *frame = g_ptr_array_index (frames, i);

    if (!g_str_equal (frame->sink, sink))
      continue;
    fail_unless (n < expected->len);
    fail_unless (g_str_equal (frame->md5, g_ptr_array_index (expected, n)),
        "%s: picture %u is not what was sent", sink, n);
    n++;
  }
  fail_unless_equals_int (n, expected->len);
}

/* `n_repacked` frames cannot be shown to who does not read metas; `copied`
 * says whether the sink had to copy. */
static void
ends_check (Ends *self, guint n_repacked, gboolean copied, gboolean all_bytes)
{
  Pipeline *consumer = self->consumer;

  gst_app_src_end_of_stream (self->appsrc);
  here_run_ok (self->pipeline);
  pipeline_wait_ok (consumer);
  fail_unless_equals_uint64 (here_stat (self->pipeline, "sink",
                                 copied ? "frames-copied" : "frames-zero-copy"),
      self->pictures->len);
  check_md5s (self, "out", self->pictures);
  check_md5s (self, "plain", self->pictures);
  if (all_bytes)
    check_md5s (self, "bytes", self->bytes);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "a", "frames-repacked"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "b", "frames-repacked"), n_repacked);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "c", "frames-repacked"), n_repacked);
  here_free (self->pipeline);
  pipeline_free (consumer);
  g_ptr_array_unref (self->pictures);
  g_ptr_array_unref (self->bytes);
}

/* Noise, the same each time; in the caps' layout. */
static GstBuffer *
make_plain (const GstVideoInfo *info, guint seed)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = (guint8) g_rand_int (rand);
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

/* --- layouts by hand ----------------------------------------------------- */

typedef struct {
  const gchar *name;
  GstVideoFormat format;
  gint width, height;
  gsize before; /* bytes before each plane */
  gint wider; /* bytes added to each stride */
  gboolean reversed; /* the last plane comes first in memory */
  gboolean memories; /* one per plane, and not one for all */
  gboolean repacked; /* has to be, for who does not read metas */
} Layout;

static const Layout layouts[] = {
  { "wide rows", GST_VIDEO_FORMAT_I420, 320, 240, 0, 64, FALSE, FALSE, TRUE },
  { "late planes", GST_VIDEO_FORMAT_I420, 320, 240, 100, 0, FALSE, FALSE,
      TRUE },
  { "planes reversed", GST_VIDEO_FORMAT_I420, 320, 240, 0, 0, TRUE, FALSE,
      TRUE },
  { "a memory per plane", GST_VIDEO_FORMAT_I420, 320, 240, 0, 0, FALSE, TRUE,
      FALSE },
  { "memories with wide rows", GST_VIDEO_FORMAT_NV12, 320, 240, 12, 32, FALSE,
      TRUE, TRUE },
  { "memories in reverse", GST_VIDEO_FORMAT_Y444, 320, 240, 0, 0, TRUE, TRUE,
      TRUE },
  { "odd size", GST_VIDEO_FORMAT_I420, 317, 243, 7, 5, TRUE, FALSE, TRUE },
  { "one plane", GST_VIDEO_FORMAT_BGRx, 318, 242, 0, 8, FALSE, FALSE, TRUE },
  { "four planes", GST_VIDEO_FORMAT_A420, 320, 240, 1, 1, TRUE, TRUE, TRUE },
};

/* An empty picture of that layout, in memory of `allocator`. */
static GstBuffer *
lay_out (
    const Layout *layout, const GstVideoInfo *info, GstAllocator *allocator)
{
  GstBuffer *buffer = gst_buffer_new ();
  guint n = GST_VIDEO_INFO_N_PLANES (info);
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 0 };
  gsize size = 0;

  for (guint k = 0; k < n; k++) {
    guint i = layout->reversed ? n - 1 - k : k;
    gsize plane_size = layout->before;

    stride[i] = GST_VIDEO_INFO_PLANE_STRIDE (info, i) + layout->wider;
    offset[i] = size + layout->before;
    plane_size += (gsize) stride[i] * GST_VIDEO_INFO_COMP_HEIGHT (info, i);
    if (layout->memories)
      gst_buffer_append_memory (
          buffer, gst_allocator_alloc (allocator, plane_size, NULL));
    size += plane_size;
  }
  if (!layout->memories)
    gst_buffer_append_memory (
        buffer, gst_allocator_alloc (allocator, size, NULL));
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      layout->format, layout->width, layout->height, n, offset, stride);
  return buffer;
}

static void
check_layout (const Layout *layout, GstAllocator *allocator)
{
  const guint n_pictures = 6;
  GstVideoInfo info;
  Ends ends;

  ends_start (&ends);
  gst_video_info_set_format (
      &info, layout->format, layout->width, layout->height);
  for (guint i = 0; i < n_pictures; i++) {
    g_autoptr (GstBuffer) plain = make_plain (&info, i);

    ends_send (&ends, &info, plain, lay_out (layout, &info, allocator));
  }
  /* The bytes between the rows of an odd size are not copied. */
  ends_check (&ends, layout->repacked ? n_pictures : 0, !allocator,
      layout->width % 4 == 0);
}

GST_START_TEST (layouts_in_shared_memory)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);

  check_layout (&layouts[__i__], allocator);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (layouts_in_system_memory)
{
  check_layout (&layouts[__i__], NULL);
}
GST_END_TEST;

/* --- the pool's alignment, in every format ------------------------------- */

/* NULL when GStreamer cannot pad that format. */
static GstBuffer *
make_padded (GstAllocator *allocator, const GstVideoInfo *info)
{
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (info);
  GstVideoAlignment alignment = { .padding_top = 6,
    .padding_bottom = 10,
    .padding_left = 16,
    .padding_right = 28,
    .stride_align = { 63, 63, 63, 63 } };
  GstBuffer *buffer = NULL;

  gst_buffer_pool_config_set_params (config, caps, info->size, 0, 0);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_config_add_option (
      config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
  gst_buffer_pool_config_set_video_alignment (config, &alignment);
  if (gst_buffer_pool_set_config (pool, config)) {
    fail_unless (gst_buffer_pool_set_active (pool, TRUE));
    fail_unless_equals_int (
        gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), GST_FLOW_OK);
  }
  gst_object_unref (pool);
  return buffer;
}

/* One stream, whose caps change with every picture. */
GST_START_TEST (padding_in_every_format)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  guint n_formats, n_sent = 0;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);
  Ends ends;

  ends_start (&ends);
  for (guint i = 0; i < n_formats; i++) {
    g_autoptr (GstBuffer) plain = NULL;
    GstBuffer *padded;
    GstVideoInfo info;

    gst_video_info_set_format (&info, formats[i], 320, 242);
    /* gst_video_info_align () does not know tiles. */
    if (GST_VIDEO_FORMAT_INFO_IS_TILED (info.finfo))
      continue;
    plain = make_plain (&info, i);
    padded = make_padded (allocator, &info);
    if (!padded) {
      GST_INFO ("no padding of %s", gst_video_format_to_string (formats[i]));
      continue;
    }
    ends_send (&ends, &info, plain, padded);
    n_sent++;
  }
  fail_unless (n_sent >= 100, "only %u formats", n_sent);
  ends_check (&ends, n_sent, FALSE, FALSE);
  gst_object_unref (allocator);
}
GST_END_TEST;

static Suite *
layouts_suite (void)
{
  Suite *suite = suite_create ("layouts-are-kept-or-repacked");
  TCase *tcase = tcase_create ("layouts");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, layouts_in_shared_memory, 0, G_N_ELEMENTS (layouts));
  tcase_add_loop_test (
      tcase, layouts_in_system_memory, 0, G_N_ELEMENTS (layouts));
  tcase_add_test (tcase, padding_in_every_format);
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (
      layouts_suite (), "layouts-are-kept-or-repacked", __FILE__);
}
