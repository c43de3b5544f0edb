/* SPDX-License-Identifier: MIT */
/* Caps that change while consumers are connected, to larger and smaller
 * pictures, other formats, and things that are no pictures: every buffer
 * arrives with the caps it was sent with, and shared memory does not pile up. */
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>

#include "here.h"
#include "pipeline.h"

#define FRAMES_PER_CAPS 5
#define N_ROUNDS 10

static const gchar *const pictures[] = {
  "video/x-raw,format=I420,width=320,height=240,framerate=30/1",
  "video/x-raw,format=I420,width=1280,height=720,framerate=30/1",
  "video/x-raw,format=NV12,width=160,height=120,framerate=30/1",
  "video/x-raw,format=BGRA,width=317,height=243,framerate=30/1",
  "video/x-raw,format=v210,width=720,height=576,framerate=25/1",
};

#define N_CAPS G_N_ELEMENTS (pictures)
#define N_FRAMES (N_CAPS * N_ROUNDS * FRAMES_PER_CAPS)

static Pipeline *
spawn_consumers (void)
{
  const gchar *dir = pipeline_dir ();

  return pipeline_spawn (
      "xmemsrc name=one socket-path=%s/a delivery=every is-live=false "
      "! fakesink name=out_1 "
      "xmemsrc name=two socket-path=%s/a delivery=every is-live=false "
      "! fakesink name=out_2",
      dir, dir);
}

#define SINK                                                \
  "xmemsink name=sink sync=false wait-for-connection=true " \
  "min-clients=2 socket-path=%s/a "

static void
check_received (Pipeline *consumers, const gchar *sink, GPtrArray *sent)
{
  GPtrArray *frames = pipeline_get_frames (consumers);
  guint n = 0;

  for (guint i = 0; i < frames->len; i++) {
    PipelineFrame *frame = g_ptr_array_index (frames, i);

    if (!g_str_equal (frame->sink, sink))
      continue;
    fail_unless (n < sent->len);
    fail_unless (g_str_equal (frame->md5, g_ptr_array_index (sent, n)),
        "%s: buffer %u is not what was sent", sink, n);
    n++;
  }
  fail_unless_equals_int (n, sent->len);
}

/* --- a source that negotiates -------------------------------------------- */

typedef struct {
  GstElement *pipeline;
  GstElement *filter;
  guint n; /* frames that have passed the filter */
  GPtrArray *sent; /* MD5 of each */
  guint64 bytes[N_ROUNDS]; /* of shared memory, the most in each round */
  guint segments[N_ROUNDS];
} Run;

static void
set_caps (Run *run, guint index)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (pictures[index % N_CAPS]);

  g_object_set (run->filter, "caps", caps, NULL);
}

/* The caps after every fifth frame, seen by the source when it makes the next
 * one. */
static void
on_frame (GstBuffer *buffer, gpointer data)
{
  Run *run = data;
  g_autoptr (GstPad) pad = gst_element_get_static_pad (run->filter, "src");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  guint round = run->n / (N_CAPS * FRAMES_PER_CAPS);

  g_ptr_array_add (run->sent, pipeline_picture_md5 (buffer, caps));
  run->bytes[round] =
      MAX (run->bytes[round], here_stat (run->pipeline, "sink", "pool-bytes"));
  run->segments[round] = MAX (
      run->segments[round], here_stat (run->pipeline, "sink", "pool-segments"));
  run->n++;
  if (run->n % FRAMES_PER_CAPS == 0)
    set_caps (run, run->n / FRAMES_PER_CAPS);
}

/* How much is out at once depends on how far the consumers are behind; what was
 * never given back would be ten times as much in the end. */
static void
check_memory (Run *run)
{
  guint64 bytes = MAX (run->bytes[0], run->bytes[1]);
  guint segments = MAX (run->segments[0], run->segments[1]);

  for (guint i = 2; i < N_ROUNDS; i++) {
    fail_unless (run->bytes[i] <= 4 * bytes,
        "%" G_GUINT64_FORMAT " bytes in round %u, %" G_GUINT64_FORMAT
        " at first",
        run->bytes[i], i, bytes);
    fail_unless (run->segments[i] <= 4 * segments);
  }
}

static void
check_changes (
    const gchar *between, const gchar *other_branch, const gchar *counter)
{
  g_autoptr (Pipeline) consumers = spawn_consumers ();
  Run run = { 0 };

  run.sent = g_ptr_array_new_with_free_func (g_free);
  run.pipeline = here_parse ("videotestsrc num-buffers=%u pattern=ball "
                             "! capsfilter name=filter %s ! " SINK "%s",
      (guint) N_FRAMES, between, pipeline_dir (), other_branch);
  run.filter = gst_bin_get_by_name (GST_BIN (run.pipeline), "filter");
  set_caps (&run, 0);
  here_watch (run.pipeline, "filter.src", on_frame, &run);
  here_run_ok (run.pipeline);
  pipeline_wait_ok (consumers);
  fail_unless_equals_uint64 (
      here_stat (run.pipeline, "sink", counter), N_FRAMES);
  check_received (consumers, "out_1", run.sent);
  check_received (consumers, "out_2", run.sent);
  check_memory (&run);
  gst_object_unref (run.filter);
  here_free (run.pipeline);
  g_ptr_array_unref (run.sent);
}

GST_START_TEST (a_source_negotiates_anew_fifty_times)
{
  check_changes ("", "", "frames-zero-copy");
}
GST_END_TEST;

GST_START_TEST (foreign_memory_changes_its_size_fifty_times)
{
  check_changes (
      "! tee name=t ! queue", "t. ! queue ! fakesink", "frames-copied");
}
GST_END_TEST;

/* --- pictures, sound, bytes ---------------------------------------------- */

static const gchar *const things[] = {
  "video/x-raw,format=I420,width=320,height=240,framerate=30/1",
  "audio/x-raw,format=S16LE,channels=2,rate=48000,layout=interleaved",
  "application/octet-stream",
  "video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1",
  "text/x-raw,format=utf8",
};

/* The size of a buffer of that kind. */
static gsize
size_of (GstCaps *caps)
{
  GstVideoInfo info;

  return gst_video_info_from_caps (&info, caps) ? info.size : 4000;
}

static void
push (GstAppSrc *appsrc, GstCaps *caps, guint seed, GPtrArray *sent)
{
  gsize size = size_of (caps);
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  GstSample *sample;
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < size; i++)
    map.data[i] = (guint8) (i * 3 + i / 256 + seed);
  g_ptr_array_add (
      sent, g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, size));
  gst_buffer_unmap (buffer, &map);
  sample = gst_sample_new (buffer, caps, NULL, NULL);
  fail_unless_equals_int (
      gst_app_src_push_sample (appsrc, sample), GST_FLOW_OK);
  gst_sample_unref (sample);
  gst_buffer_unref (buffer);
}

/* "caps SINK CAPS" as often as the caps changed, in that order. */
static void
check_caps_lines (Pipeline *consumers, guint n_changes)
{
  for (guint i = 0; i < n_changes; i++) {
    const gchar *prefix = "caps out_1 ";
    const gchar *line = pipeline_wait_line (consumers, prefix);
    g_autoptr (GstCaps) got = NULL;
    g_autoptr (GstCaps) expected =
        gst_caps_from_string (things[i % G_N_ELEMENTS (things)]);

    fail_unless (line != NULL, "only %u caps", i);
    got = gst_caps_from_string (line + strlen (prefix));
    fail_unless (gst_caps_can_intersect (got, expected), "%s", line);
  }
  fail_unless (pipeline_wait_line (consumers, "caps out_1 ") == NULL);
}

GST_START_TEST (pictures_sound_and_bytes_take_turns)
{
  g_autoptr (Pipeline) consumers = spawn_consumers ();
  g_autoptr (GPtrArray) sent = g_ptr_array_new_with_free_func (g_free);
  GstElement *pipeline =
      here_parse ("appsrc name=appsrc ! " SINK, pipeline_dir ());
  g_autoptr (GstElement) appsrc =
      gst_bin_get_by_name (GST_BIN (pipeline), "appsrc");
  const guint n_changes = 3 * G_N_ELEMENTS (things);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < n_changes; i++) {
    g_autoptr (GstCaps) caps =
        gst_caps_from_string (things[i % G_N_ELEMENTS (things)]);

    for (guint k = 0; k < FRAMES_PER_CAPS; k++)
      push (GST_APP_SRC (appsrc), caps, i * FRAMES_PER_CAPS + k, sent);
  }
  gst_app_src_end_of_stream (GST_APP_SRC (appsrc));
  here_run_ok (pipeline);
  pipeline_wait_ok (consumers);
  check_received (consumers, "out_1", sent);
  check_received (consumers, "out_2", sent);
  check_caps_lines (consumers, n_changes);
  here_free (pipeline);
}
GST_END_TEST;

static Suite *
changes_suite (void)
{
  Suite *suite = suite_create ("caps-change-in-mid-stream");
  TCase *tcase = tcase_create ("changes");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, a_source_negotiates_anew_fifty_times);
  tcase_add_test (tcase, foreign_memory_changes_its_size_fifty_times);
  tcase_add_test (tcase, pictures_sound_and_bytes_take_turns);
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
      changes_suite (), "caps-change-in-mid-stream", __FILE__);
}
