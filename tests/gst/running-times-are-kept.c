/* SPDX-License-Identifier: MIT */
/* is-live=false: the consumer's running times are the producer's, to the
 * nanosecond, whatever segments they come from, also before 0; and what else
 * a buffer says of itself is kept. */
#include <string.h>

#include "player.h"

#define MS GST_MSECOND
#define S GST_SECOND
#define NONE GST_CLOCK_TIME_NONE

static void
start_pair (struct player *producer, struct player *consumer)
{
  const char *address = harness_path ("socket");

  player_start (producer);
  player_start (consumer);
  player_launch (producer,
      "appsrc name=feed format=time handle-segment-change=true "
      "caps=application/x-test ! xmemsink name=sink socket-path=%s sync=false "
      "wait-for-connection=true",
      address);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_set_state (producer, GST_STATE_PLAYING);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=false delivery=every ! "
      "fakesink name=out sync=false",
      address);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
}

/* Ends the stream; gives what came out. */
static GArray *
finish (struct player *producer, struct player *consumer)
{
  GArray *records;

  player_end_of_stream (producer, "feed");
  player_expect_eos (producer);
  player_expect_eos (consumer);
  records = player_get_records (consumer, "out");
  player_stop (consumer);
  player_stop (producer);
  return records;
}

static const struct player_record *
record_at (GArray *records, guint i)
{
  g_assert_cmpuint (i, <, records->len);
  return &g_array_index (records, struct player_record, i);
}

/* --- segments ------------------------------------------------------------ */

struct timed {
  struct player_segment segment;
  uint64_t pts;
  int64_t running;
  uint64_t duration; /* of 20 ms; 0: no other */
};

static void
push_timed (struct player *producer, const struct timed *t)
{
  struct player_record r = { .pts = t->pts,
    .dts = NONE,
    .duration = 20 * MS,
    .offset = NONE,
    .offset_end = NONE,
    .size = 8 };

  player_push (producer, "feed", &t->segment, &r);
}

static void
check_timed (const struct timed *timed, guint n)
{
  struct player producer, consumer;
  GArray *records;

  start_pair (&producer, &consumer);
  for (guint i = 0; i < n; i++)
    push_timed (&producer, &timed[i]);
  records = finish (&producer, &consumer);
  g_assert_cmpuint (records->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const struct player_record *r = record_at (records, i);

    g_assert_cmpint (r->running_pts, ==, timed[i].running);
    g_assert_cmpuint (
        r->duration, ==, timed[i].duration ? timed[i].duration : 20 * MS);
  }
  g_array_unref (records);
}

static void
test_segments (void)
{
  static const struct timed timed[] = {
    { { .start = 10 * S }, 10 * S, 0 },
    { { .start = 10 * S }, 10 * S + 33333333, 33333333 },
    { { .rate = 2, .start = 1 * S, .base = 5 * S }, 2 * S, 5500 * MS, 10 * MS },
    { { .rate = 0.5, .base = 6 * S }, 1 * S, 8 * S, 40 * MS },
    { { .start = 2 * S, .base = 9 * S, .offset = 500 * MS }, 3 * S, 9500 * MS },
    { { .rate = -1, .stop = 4 * S, .base = 20 * S }, 3900 * MS, 20100 * MS },
    { { .rate = -1, .stop = 4 * S, .base = 20 * S }, 3800 * MS, 20200 * MS },
    { { .start = 0, .base = 60 * S }, 1, 60 * S + 1 },
  };

  check_timed (timed, G_N_ELEMENTS (timed));
}

/* A buffer of which only the end lies in the segment. */
static void
test_begins_before_segment (void)
{
  static const struct timed timed[] = {
    { { .start = 10 * S }, 10 * S - 5 * MS, -5 * (int64_t) MS },
    { { .start = 10 * S }, 10 * S + 15 * MS, 15 * MS },
    { { .start = 10 * S }, 10 * S + 35 * MS, 35 * MS },
  };

  check_timed (timed, G_N_ELEMENTS (timed));
}

/* And not only at first. */
static void
test_goes_before_zero_later (void)
{
  static const struct timed timed[] = {
    { { .start = 10 * S }, 10 * S, 0 },
    { { .start = 10 * S }, 10 * S - 5 * MS, -5 * (int64_t) MS },
    { { .start = 10 * S }, 10 * S + 15 * MS, 15 * MS },
  };

  check_timed (timed, G_N_ELEMENTS (timed));
}

static void
test_no_times (void)
{
  struct player producer, consumer;
  struct player_record r = { .pts = NONE,
    .dts = NONE,
    .duration = NONE,
    .offset = NONE,
    .offset_end = NONE,
    .size = 8 };
  GArray *records;

  start_pair (&producer, &consumer);
  player_push (&producer, "feed", NULL, &r);
  r.pts = 7 * S;
  player_push (&producer, "feed", NULL, &r);
  r.pts = NONE;
  player_push (&producer, "feed", NULL, &r);
  records = finish (&producer, &consumer);
  g_assert_cmpuint (records->len, ==, 3);
  g_assert_cmpint (record_at (records, 0)->running_pts, ==, INT64_MIN);
  g_assert_cmpint (record_at (records, 1)->running_pts, ==, 7 * S);
  g_assert_cmpint (record_at (records, 2)->running_pts, ==, INT64_MIN);
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpuint (record_at (records, i)->dts, ==, NONE);
    g_assert_cmpuint (record_at (records, i)->duration, ==, NONE);
    g_assert_cmpuint (record_at (records, i)->offset, ==, NONE);
    g_assert_cmpuint (record_at (records, i)->offset_end, ==, NONE);
  }
  g_array_unref (records);
}

/* --- flags and the rest -------------------------------------------------- */

/* Every bit that is a flag of buffers, those of video included (INTERLACED, TFF,
 * RFF, ONEFIELD, ...), but for the one about memory; then none, and all. */
static guint
collect_flags (guint flags[])
{
  guint n = 0, all = 0;

  for (guint bit = GST_MINI_OBJECT_FLAG_LAST; bit != 0; bit <<= 1)
    if (bit != GST_BUFFER_FLAG_TAG_MEMORY)
      all |= flags[n++] = bit;
  flags[n++] = 0;
  flags[n++] = all;
  return n;
}

static struct player_record
flagged (guint i, guint flags)
{
  return (struct player_record){ .pts = i * S,
    .dts = i * S - (i ? 3 * MS : 0),
    .duration = i * MS + 1,
    .offset = 1000 + i,
    .offset_end = G_GUINT64_CONSTANT (1) << 40 | i,
    .flags = flags,
    .size = 1 + i };
}

static void
test_flags_and_offsets (void)
{
  guint flags[34], n = collect_flags (flags);
  struct player producer, consumer;
  GArray *records;

  start_pair (&producer, &consumer);
  for (guint i = 0; i < n; i++) {
    struct player_record r = flagged (i, flags[i]);

    player_push (&producer, "feed", NULL, &r);
  }
  records = finish (&producer, &consumer);
  g_assert_cmpuint (records->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const struct player_record *r = record_at (records, i);
    struct player_record sent = flagged (i, flags[i]);

    /* The first buffer of a source does not follow from anything. */
    g_assert_cmphex (r->flags & ~(GST_MINI_OBJECT_FLAG_LAST - 1)
                         & ~(guint64) GST_BUFFER_FLAG_TAG_MEMORY,
        ==, flags[i] | (i == 0 ? GST_BUFFER_FLAG_DISCONT : 0));
    g_assert_cmpuint (r->pts, ==, sent.pts);
    g_assert_cmpuint (r->dts, ==, sent.dts);
    g_assert_cmpuint (r->duration, ==, sent.duration);
    g_assert_cmpuint (r->offset, ==, sent.offset);
    g_assert_cmpuint (r->offset_end, ==, sent.offset_end);
    g_assert_cmpuint (r->size, ==, sent.size);
  }
  g_array_unref (records);
}

/* --- decoding times before 0 --------------------------------------------- */

#define N_ENCODED 60

static unsigned
count_decoded (const char *path)
{
  struct player player;
  unsigned n;

  player_start (&player);
  player_launch (&player,
      "filesrc location=%s ! qtdemux ! h264parse ! avdec_h264 ! "
      "fakesink name=out",
      path);
  player_tap (&player, "out", PLAYER_LOOK_AWAY);
  player_set_state (&player, GST_STATE_PLAYING);
  player_expect_eos (&player);
  n = player_count (&player, "out");
  player_stop (&player);
  return n;
}

static void
assert_same_times (GArray *in, GArray *out)
{
  bool before_zero = false, reordered = false;

  g_assert_cmpuint (in->len, ==, N_ENCODED);
  g_assert_cmpuint (out->len, ==, N_ENCODED);
  for (guint i = 0; i < in->len; i++) {
    const struct player_record *a = record_at (in, i);
    const struct player_record *b = record_at (out, i);

    g_assert_cmpint (a->running_pts, ==, b->running_pts);
    g_assert_cmpint (a->running_dts, ==, b->running_dts);
    g_assert_cmpint (b->pts - b->dts, ==, a->pts - a->dts);
    before_zero |= b->running_dts < 0;
    reordered |= i > 0 && b->pts < b[-1].pts;
  }
  g_assert_true (before_zero);
  g_assert_true (reordered);
}

static void
test_b_frames_into_mp4 (void)
{
  const char *address = harness_path ("socket");
  const char *path = harness_path ("out.mp4");
  struct player producer, consumer;
  GArray *in, *out;

  player_start (&producer);
  player_start (&consumer);
  player_launch (&producer,
      "videotestsrc num-buffers=%d pattern=ball ! "
      "video/x-raw,format=I420,width=160,height=120,framerate=25/1 ! "
      "x264enc bframes=2 b-adapt=false key-int-max=20 ! "
      "video/x-h264,stream-format=avc,alignment=au ! "
      "xmemsink name=sink socket-path=%s sync=false wait-for-connection=true",
      N_ENCODED, address);
  player_tap (&producer, "sink", PLAYER_LOOK_AWAY);
  player_set_state (&producer, GST_STATE_PLAYING);
  player_launch (&consumer,
      "xmemsrc socket-path=%s is-live=false delivery=every ! "
      "video/x-h264 ! mp4mux name=mux ! filesink location=%s",
      address, path);
  player_tap (&consumer, "mux", PLAYER_LOOK_AWAY);
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_expect_eos (&producer);
  player_expect_eos (&consumer);
  in = player_get_records (&producer, "sink");
  out = player_get_records (&consumer, "mux");
  assert_same_times (in, out);
  player_stop (&consumer);
  player_stop (&producer);
  g_assert_cmpuint (count_decoded (path), ==, N_ENCODED);
  g_array_unref (in);
  g_array_unref (out);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/times/segments", test_segments);
  harness_add ("/gst/times/begins-before-segment", test_begins_before_segment);
  harness_add (
      "/gst/times/goes-before-zero-later", test_goes_before_zero_later);
  harness_add ("/gst/times/none", test_no_times);
  harness_add ("/gst/times/flags-and-offsets", test_flags_and_offsets);
  harness_add ("/gst/times/b-frames-into-mp4", test_b_frames_into_mp4);
  return g_test_run ();
}
