/* SPDX-License-Identifier: MIT */
/* gst/xmem/timeline.c: running times from one pipeline to another, in numbers.
 * tests/gst has the same with pipelines. */
#include "timeline.h"

#include "harness/harness.h"

#define MS ((gint64) GST_MSECOND)
#define S ((gint64) GST_SECOND)

static GstElement *pipeline; /* has the system's clock */

static void
set_base (GstClockTime base)
{
  gst_element_set_base_time (pipeline, base);
}

static gint64
offset_of (GstXmemTimeline *timeline, GstClockTime stream_base,
    GstClockTime latency, gint64 pts)
{
  const struct xmem_stream_info stream = { .base_time_ns = stream_base,
    .latency_ns = latency };
  struct xmem_frame_info frame;

  xmem_frame_info_init (&frame);
  frame.pts = pts;
  frame.duration = 10 * MS;
  return gst_xmem_timeline_offset (timeline, pipeline, &stream, &frame);
}

/* --- kept ---------------------------------------------------------------- */

static void
test_kept (void)
{
  GstXmemTimeline t;

  gst_xmem_timeline_init (&t, FALSE);
  g_assert_cmpint (offset_of (&t, 7 * S, 40 * MS, 3 * S), ==, 0);
  g_assert_cmpint (offset_of (&t, 9 * S, 0, 1), ==, 0);
  g_assert_cmpuint (gst_xmem_timeline_map (5, 0), ==, 5);
  g_assert_cmpuint (
      gst_xmem_timeline_map (XMEM_TIME_NONE, 5), ==, GST_CLOCK_TIME_NONE);
}

/* The next stream is as much later as it began later, but not before the end of
 * what there was. */
static void
test_kept_across_a_restart (void)
{
  GstXmemTimeline t;

  gst_xmem_timeline_init (&t, FALSE);
  offset_of (&t, 100 * S, 0, 2 * S);
  gst_xmem_timeline_renew (&t);
  g_assert_cmpint (offset_of (&t, 103 * S, 0, 0), ==, 3 * S);
  g_assert_cmpint (offset_of (&t, 103 * S, 0, 4 * S), ==, 3 * S);
  gst_xmem_timeline_renew (&t);
  g_assert_cmpint (
      offset_of (&t, 104 * S, 0, 1 * S), ==, 7 * S + 10 * MS - 1 * S);
}

/* --- by clock ------------------------------------------------------------ */

static void
test_by_clock (void)
{
  gint64 now = (gint64) gst_util_get_timestamp ();
  GstXmemTimeline t;

  set_base (now - 10 * S);
  gst_xmem_timeline_init (&t, TRUE);
  g_assert_cmpint (offset_of (&t, now - 8 * S, 0, 1 * S), ==, 2 * S);
  g_assert_cmpint (
      offset_of (&t, now - 8 * S, 40 * MS, 1 * S), ==, 2 * S + 40 * MS);
  g_assert_cmpint (offset_of (&t, now - 11 * S, 0, 5 * S), ==, -1 * S);
  g_assert_cmpint (t.shift, ==, 0);
  set_base (now - 9 * S);
  g_assert_cmpint (offset_of (&t, now - 11 * S, 0, 5 * S), ==, -2 * S);
}

/* All of the connection is, and no other. */
static void
test_what_lies_before_the_start_is_shifted (void)
{
  gint64 now = (gint64) gst_util_get_timestamp (), offset;
  GstXmemTimeline t;

  set_base (now - 2 * S);
  gst_xmem_timeline_init (&t, TRUE);
  offset = offset_of (&t, now - 10 * S, 0, 1 * S);
  g_assert_cmpint (t.shift, >=, 9 * S); /* from -7 s to now, 2 s or later */
  g_assert_cmpint (offset, ==, -8 * S + t.shift);
  g_assert_cmpint (offset_of (&t, now - 10 * S, 0, 9 * S), ==, offset);
  gst_xmem_timeline_renew (&t);
  g_assert_cmpint (offset_of (&t, now - 1 * S, 0, 0), ==, 1 * S);
}

static void
test_a_producer_without_a_clock (void)
{
  gint64 now = (gint64) gst_util_get_timestamp (), offset;
  GstXmemTimeline t;

  set_base (now - 2 * S);
  gst_xmem_timeline_init (&t, TRUE);
  offset = offset_of (&t, XMEM_NONE, 0, 50 * S);
  g_assert_cmpint (offset, >=, 2 * S - 50 * S);
  g_assert_cmpint (offset_of (&t, XMEM_NONE, 0, 51 * S), ==, offset);
}

static void
test_a_pause (void)
{
  gint64 now = (gint64) gst_util_get_timestamp ();
  GstXmemTimeline t;

  /* Plays for a second, pauses for five, and goes on. */
  set_base (now - 7 * S);
  gst_xmem_timeline_init (&t, TRUE);
  gst_xmem_timeline_resume (&t, now - 7 * S);
  g_assert_cmpint (offset_of (&t, now - 20 * S, 0, 13 * S), ==, -13 * S);
  set_base (now - 2 * S);
  gst_xmem_timeline_resume (&t, now - 1 * S);
  g_assert_cmpint (offset_of (&t, now - 20 * S, 0, 14 * S), ==, -13 * S);
  gst_xmem_timeline_resume (&t, now - 1 * S);
  g_assert_cmpint (offset_of (&t, now - 20 * S, 0, 19 * S - 1), ==, -13 * S);
  g_assert_cmpint (offset_of (&t, now - 20 * S, 0, 19 * S), ==, -18 * S);
  g_assert_cmpint (t.shift, ==, 0);
}

/* --- to the wire --------------------------------------------------------- */

static void
test_segments (void)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * S;
  segment.base = 3 * S;
  g_assert_cmpint (gst_xmem_running_time (&segment, 11 * S), ==, 4 * S);
  g_assert_cmpint (gst_xmem_running_time (&segment, 6 * S), ==, -1 * S);
  g_assert_cmpint (gst_xmem_running_time (&segment, GST_CLOCK_TIME_NONE), ==,
      XMEM_TIME_NONE);
  g_assert_cmpuint (gst_xmem_running_duration (&segment, 20 * MS), ==, 20 * MS);
  segment.rate = 2;
  g_assert_cmpint (gst_xmem_running_time (&segment, 12 * S), ==, 4 * S);
  g_assert_cmpuint (gst_xmem_running_duration (&segment, 20 * MS), ==, 10 * MS);
  segment.rate = -0.5;
  segment.stop = 20 * S;
  g_assert_cmpint (gst_xmem_running_time (&segment, 19 * S), ==, 5 * S);
  g_assert_cmpuint (gst_xmem_running_duration (&segment, 20 * MS), ==, 40 * MS);
  g_assert_cmpuint (gst_xmem_running_duration (&segment, GST_CLOCK_TIME_NONE),
      ==, GST_CLOCK_TIME_NONE);
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_xmem_running_time (&segment, 1 * S), ==, XMEM_TIME_NONE);
}

/* --- a peer that means harm ---------------------------------------------- */

/* Sanitizers look at the sums. */
static void
test_any_numbers (void)
{
  static const guint64 numbers[] = { 0, 1, G_MAXINT64, 1ull << 63, G_MAXUINT64,
    G_MAXUINT64 - 1, (1ull << 63) + 1, 1ull << 62,
    G_GUINT64_CONSTANT (3) << 62 };
  const guint n = G_N_ELEMENTS (numbers);

  set_base (gst_util_get_timestamp () - S);
  for (guint i = 0; i < 2 * n * n * n; i++) {
    gint64 pts = (gint64) numbers[i % n];
    GstXmemTimeline t;

    gst_xmem_timeline_init (&t, i >= n * n * n);
    gst_xmem_timeline_resume (&t, i);
    for (guint j = 0; j < 6; j++) {
      gint64 offset =
          offset_of (&t, numbers[(i / n + j) % n], numbers[i / n / n % n], pts);
      GstClockTime time = gst_xmem_timeline_map (pts, offset);

      g_assert_true (time <= G_MAXINT64 || pts == XMEM_TIME_NONE);
      pts = (gint64) numbers[(i + j) % n];
      if (j % 2)
        gst_xmem_timeline_renew (&t);
    }
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GstClock) clock = NULL;
  int r;

  harness_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  clock = gst_system_clock_obtain ();
  gst_element_set_clock (pipeline, clock);
  harness_add ("/timeline/kept", test_kept);
  harness_add ("/timeline/kept-across-a-restart", test_kept_across_a_restart);
  harness_add ("/timeline/by-clock", test_by_clock);
  harness_add ("/timeline/what-lies-before-the-start-is-shifted",
      test_what_lies_before_the_start_is_shifted);
  harness_add (
      "/timeline/a-producer-without-a-clock", test_a_producer_without_a_clock);
  harness_add ("/timeline/a-pause", test_a_pause);
  harness_add ("/timeline/segments", test_segments);
  harness_add ("/timeline/any-numbers", test_any_numbers);
  r = g_test_run ();
  gst_object_unref (pipeline);
  return r;
}
