/* SPDX-License-Identifier: MIT */
/* Raw video of every format that GStreamer knows, of even and odd sizes, down
 * to one pixel: consumers that read GstVideoMeta, such that go by the caps
 * alone, and files get what a direct pipeline gives, and nobody copies.
 *
 * Many formats share a pipeline, each with a chain of its own, so that the
 * processes meet seldom; the elements' names end with "-FORMAT-". */
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

#include "pipeline.h"

#define FORMATS_PER_PIPELINE 16

typedef struct {
  gint width, height;
  const gchar *pattern;
} Size;

#define MOVING "zone-plate kx2=20 ky2=20 kt=3"

/* At odd sizes GStreamer's converter leaves parts of some pictures unwritten:
 * such are compared with what was sent, not with those of a direct pipeline. */
static const Size sizes[] = { { 317, 243, MOVING }, { 1, 1, "smpte75" },
  { 320, 240, MOVING }, { 18, 1002, MOVING }, { 3, 2, MOVING } };

/* Negotiation is slow when each allocation is traced. */
#ifdef __SANITIZE_ADDRESS__
#define N_SIZES 2
#else
#define N_SIZES G_N_ELEMENTS (sizes)
#endif

/* Whether the caps' layout has bytes that are not pixels: their content is
 * nobody's. */
static gboolean
has_padding (GstVideoFormat format, const Size *size)
{
  GstVideoInfo info;
  gsize n_bytes = 0;

  gst_video_info_set_format (&info, format, size->width, size->height);
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (info.finfo)
      || GST_VIDEO_FORMAT_INFO_IS_COMPLEX (info.finfo)
      || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (info.finfo) || size->width % 4 != 0)
    return TRUE;
  for (guint i = 0; i < info.finfo->n_planes; i++) {
    gint comp[GST_VIDEO_MAX_COMPONENTS];

    gst_video_format_info_component (info.finfo, i, comp);
    n_bytes += GST_VIDEO_INFO_COMP_WIDTH (&info, comp[0])
               * GST_VIDEO_INFO_COMP_PSTRIDE (&info, comp[0])
               * GST_VIDEO_INFO_COMP_HEIGHT (&info, comp[0]);
  }
  return n_bytes != info.size;
}

/* What is still to be said of a pipeline, and those that are complete. */
typedef struct {
  GString *chains;
  GPtrArray *launches;
} Launches;

typedef struct {
  Launches direct, producer, consumer;
} Ends;

static void
launches_init (Launches *self)
{
  self->chains = g_string_new (NULL);
  self->launches = g_ptr_array_new_with_free_func (g_free);
}

static void
launches_cut (Launches *self)
{
  g_ptr_array_add (self->launches, g_strdup (self->chains->str));
  g_string_truncate (self->chains, 0);
}

static void
launches_clear (Launches *self)
{
  g_ptr_array_unref (self->launches);
  g_string_free (self->chains, TRUE);
}

static Pipeline *
launches_spawn (Launches *self)
{
  Pipeline *pipeline;

  if (self->chains->len > 0)
    launches_cut (self);
  g_ptr_array_add (self->launches, NULL);
  pipeline = pipeline_spawn_all ((const gchar *const *) self->launches->pdata);
  launches_clear (self);
  return pipeline;
}

static void
add_format (Ends *ends, GstVideoFormat format, const Size *size)
{
  const gchar *name = gst_video_format_to_string (format);
  const gchar *sinks[] = { "out", "plain",
    has_padding (format, size) ? "other" : "bytes" };
  g_autofree gchar *source =
      g_strdup_printf ("videotestsrc num-buffers=2 pattern=%s "
                       "! video/x-raw,format=%s,width=%d,height=%d ",
          size->pattern, name, size->width, size->height);
  g_autofree gchar *path = g_strdup_printf ("%s/%s", pipeline_dir (), name);

  g_string_append_printf (
      ends->direct.chains, "%s ! tee name=t-%s- ", source, name);
  g_string_append_printf (ends->producer.chains,
      "%s ! identity name=out-%s- ! xmemsink name=sink-%s- socket-path=%s "
      "sync=false wait-for-connection=true min-clients=%u ",
      source, name, name, path, (guint) G_N_ELEMENTS (sinks));
  for (guint i = 0; i < G_N_ELEMENTS (sinks); i++) {
    g_string_append_printf (ends->direct.chains,
        "t-%s-. ! queue ! fakesink name=%s-%s- ", name, sinks[i], name);
    g_string_append_printf (ends->consumer.chains,
        "xmemsrc name=src%u-%s- socket-path=%s is-live=false delivery=every "
        "connection-timeout=0 ! fakesink name=%s-%s- ",
        i, name, path, sinks[i], name);
  }
}

/* `direct` may be NULL. */
static void
check_format (Pipeline *direct, Pipeline *producer, Pipeline *consumer,
    guint run, GstVideoFormat format, const Size *size)
{
  const gchar *name = gst_video_format_to_string (format);
  const gchar *sinks[] = { "out", "plain", "bytes" };
  g_autofree gchar *sink = g_strdup_printf ("sink-%s-", name);
  g_autofree gchar *sent = g_strdup_printf ("out-%s-", name);

  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, run, sink, "frames-zero-copy"), 2);
  for (guint i = 0; i < G_N_ELEMENTS (sinks); i++) {
    g_autofree gchar *received = g_strdup_printf ("%s-%s-", sinks[i], name);
    g_autofree gchar *src = g_strdup_printf ("src%u-%s-", i, name);

    if (i < 2)
      pipeline_assert_same_frames (producer, sent, consumer, received);
    if (direct && (i < 2 || !has_padding (format, size)))
      pipeline_assert_same_frames (direct, received, consumer, received);
    fail_unless_equals_uint64 (
        pipeline_get_stat (consumer, run, src, "frames-copied"), 0);
    fail_unless_equals_uint64 (
        pipeline_get_stat (consumer, run, src, "frames-repacked"), 0);
  }
}

GST_START_TEST (pictures_are_those_of_a_direct_pipeline)
{
  const Size *size = &sizes[__i__];
  guint n_formats;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);
  g_autoptr (Pipeline) direct = NULL, producer = NULL, consumer = NULL;
  Ends ends;

  launches_init (&ends.direct);
  launches_init (&ends.producer);
  launches_init (&ends.consumer);
  for (guint i = 0; i < n_formats; i++) {
    add_format (&ends, formats[i], size);
    if (i % FORMATS_PER_PIPELINE == FORMATS_PER_PIPELINE - 1) {
      launches_cut (&ends.direct);
      launches_cut (&ends.producer);
      launches_cut (&ends.consumer);
    }
  }
  if (size->width == 320)
    direct = launches_spawn (&ends.direct);
  else
    launches_clear (&ends.direct);
  producer = launches_spawn (&ends.producer);
  consumer = launches_spawn (&ends.consumer);
  if (direct)
    pipeline_wait_ok (direct);
  pipeline_wait_ok (producer);
  pipeline_wait_ok (consumer);
  for (guint i = 0; i < n_formats; i++)
    check_format (
        direct, producer, consumer, i / FORMATS_PER_PIPELINE, formats[i], size);
}
GST_END_TEST;

static Suite *
formats_suite (void)
{
  Suite *suite = suite_create ("every-video-format-crosses");
  TCase *tcase = tcase_create ("formats");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, pictures_are_those_of_a_direct_pipeline, 0, N_SIZES);
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
      formats_suite (), "every-video-format-crosses", __FILE__);
}
