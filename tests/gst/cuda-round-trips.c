/* SPDX-License-Identifier: MIT */
/* GStreamer's own CUDA elements over the driver's double, without xmem: what
 * cudaupload has taken to the device, cudadownload brings back. */
#include <gst/app/gstappsink.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>

#include "here.h"

#define N_FRAMES 3

static const gchar *const formats[] = { "NV12", "I420", "P010_10LE", "BGRA",
  "RGB" };

static const struct {
  gint width, height;
} sizes[] = { { 320, 240 }, { 336, 200 }, { 337, 201 } };

static gchar *
new_caps (const gchar *format, gint width, gint height)
{
  return g_strdup_printf (
      "video/x-raw,format=%s,width=%d,height=%d", format, width, height);
}

static GstElement *
play (const gchar *caps, const gchar *way)
{
  GstElement *pipeline =
      here_parse ("videotestsrc num-buffers=%d pattern=ball ! %s ! %s ! "
                  "appsink name=sink sync=false wait-on-eos=false",
          N_FRAMES, caps, way);

  here_run_ok (pipeline);
  return pipeline;
}

static GstSample *
pull (GstElement *pipeline)
{
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstSample *sample = gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 0);

  gst_object_unref (sink);
  return sample;
}

static void
map (GstSample *sample, GstVideoFrame *frame_out)
{
  GstVideoInfo info;

  fail_unless (gst_video_info_from_caps (&info, gst_sample_get_caps (sample)));
  fail_unless (gst_video_frame_map (
      frame_out, &info, gst_sample_get_buffer (sample), GST_MAP_READ));
}

/* The pixels: what is between rows is nobody's. */
static void
assert_same_rows (GstVideoFrame *a, GstVideoFrame *b, guint component)
{
  gint n_bytes = GST_VIDEO_FRAME_COMP_WIDTH (a, component)
                 * GST_VIDEO_FRAME_COMP_PSTRIDE (a, component);
  guint plane = GST_VIDEO_FRAME_COMP_PLANE (a, component);
  const guint8 *from = GST_VIDEO_FRAME_PLANE_DATA (a, plane);
  const guint8 *to = GST_VIDEO_FRAME_PLANE_DATA (b, plane);

  /* Of pixels with several components the first stands for all. */
  if (GST_VIDEO_FRAME_COMP_POFFSET (a, component) != 0)
    return;
  for (gint i = 0; i < GST_VIDEO_FRAME_COMP_HEIGHT (a, component); i++)
    fail_unless (
        memcmp (from + i * GST_VIDEO_FRAME_PLANE_STRIDE (a, plane),
            to + i * GST_VIDEO_FRAME_PLANE_STRIDE (b, plane), (gsize) n_bytes)
            == 0,
        "row %d of component %u differs", i, component);
}

static void
assert_same (GstSample *one, GstSample *other)
{
  GstVideoFrame a, b;

  map (one, &a);
  map (other, &b);
  for (guint i = 0; i < GST_VIDEO_FRAME_N_COMPONENTS (&a); i++)
    assert_same_rows (&a, &b, i);
  gst_video_frame_unmap (&a);
  gst_video_frame_unmap (&b);
}

GST_START_TEST (test_frames_come_back)
{
  const gchar *format = formats[__i__ % G_N_ELEMENTS (formats)];
  gchar *caps = new_caps (format, sizes[__i__ / G_N_ELEMENTS (formats)].width,
      sizes[__i__ / G_N_ELEMENTS (formats)].height);
  /* Without filters on both sides these two do nothing. */
  gchar *way = g_strdup_printf (
      "cudaupload ! video/x-raw(memory:CUDAMemory) ! cudadownload ! %s", caps);
  GstElement *direct = play (caps, "identity");
  GstElement *crossed = play (caps, way);

  for (guint i = 0; i < N_FRAMES; i++) {
    GstSample *one = pull (direct);
    GstSample *other = pull (crossed);

    fail_unless (one && other);
    assert_same (one, other);
    gst_sample_unref (one);
    gst_sample_unref (other);
  }
  here_free (direct);
  here_free (crossed);
  g_free (way);
  g_free (caps);
}
GST_END_TEST;

static Suite *
suite (void)
{
  Suite *s = suite_create ("cuda-round-trips");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_frames_come_back, 0,
      G_N_ELEMENTS (formats) * G_N_ELEMENTS (sizes));
  return s;
}

int
main (int argc, char **argv)
{
  GstElementFactory *factory;

  gst_check_init (&argc, &argv);
  factory = gst_element_factory_find ("cudaupload");
  if (!factory) {
    g_print ("skipped: there is no element cudaupload\n");
    return 77;
  }
  gst_object_unref (factory);
  return gst_check_run_suite (suite (), "cuda-round-trips", __FILE__);
}
