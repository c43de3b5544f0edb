/* SPDX-License-Identifier: MIT */
/* is-live=true: a frame has the running time at which the producer presents
 * it, whatever the base times and the clocks of the two pipelines; and when
 * it was presented before the consumer began, the whole connection is shifted
 * and nothing is clamped. */
#include <stdlib.h>

#include "player.h"

#define MS ((int64_t) GST_MSECOND)
#define LATENCY (40 * GST_MSECOND)
#define ENOUGH 20

#define SOURCE                                                     \
  "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=64," \
  "height=48,framerate=100/1 ! "

static void
launch_producer (struct player *producer, const char *address)
{
  player_start (producer);
  player_launch (producer, SOURCE "xmemsink name=sink socket-path=%s", address);
  player_set_latency (producer, LATENCY);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
}

static void
launch_consumer (struct player *consumer, const char *address)
{
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=true delivery=every "
      "connection-timeout=0 ! fakesink name=out sync=false",
      address);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
}

static const struct player_record *
find_offset (GArray *records, uint64_t offset)
{
  for (guint i = records->len; i > 0; i--) {
    const struct player_record *r =
        &g_array_index (records, struct player_record, i - 1);

    if (r->offset == offset)
      return r;
  }
  g_assert_not_reached ();
}

/* What both ends noted down of one frame. */
struct pair {
  const struct player_record *sent;
  const struct player_record *got;
  uint64_t latency; /* of the producer's sink */
  int64_t shift; /* that the consumer has told */
};

/* Calls `compare` for each frame so far; gives for how many it says true. */
static guint
for_each_frame (struct player *producer, struct player *consumer,
    bool (*compare) (const struct pair *pair, void *data), void *data)
{
  GArray *got = player_get_records (consumer, "out");
  GArray *sent = player_get_records (producer, "sink"); /* what was got, too */
  struct pair pair = {
    .latency = player_get_times (producer, "sink").latency,
    .shift = player_get_shift (consumer),
  };
  guint n = 0;

  g_assert_cmpuint (pair.latency, >=, LATENCY);
  for (guint i = 0; i < got->len; i++) {
    pair.got = &g_array_index (got, struct player_record, i);
    pair.sent = find_offset (sent, pair.got->offset);
    n += compare (&pair, data);
  }
  g_array_unref (sent);
  g_array_unref (got);
  return n;
}

/* --- base times ---------------------------------------------------------- */

struct bases {
  uint64_t in;
  uint64_t out;
  uint64_t since; /* only what is presented from then on */
};

static bool
compare_exactly (const struct pair *pair, void *data)
{
  struct bases *bases = data;
  int64_t presented =
      pair->sent->running_pts + (int64_t) (bases->in + pair->latency);

  if (presented < (int64_t) bases->since)
    return false;
  g_assert_cmpint (pair->got->running_pts, ==,
      presented - (int64_t) bases->out + pair->shift);
  return true;
}

static void
assert_presented_at_once (
    struct player *producer, struct player *consumer, uint64_t since)
{
  struct bases bases = { .in = player_get_times (producer, "sink").base_time,
    .out = player_get_times (consumer, "out").base_time,
    .since = since };

  harness_wait_until (
      for_each_frame (producer, consumer, compare_exactly, &bases) >= ENOUGH);
}

/* Then it gets another base time. */
static void
pause_for_a_while (struct player *player)
{
  player_reach (player, GST_STATE_PAUSED);
  harness_sleep_ms (200);
  player_reach (player, GST_STATE_PLAYING);
}

static void
test_base_times (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  launch_producer (&producer, address);
  launch_consumer (&consumer, address);
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_count (&producer, "sink", ENOUGH);
  player_reach (&consumer, GST_STATE_PLAYING);
  assert_presented_at_once (&producer, &consumer, 0);
  pause_for_a_while (&producer);
  assert_presented_at_once (&producer, &consumer, gst_util_get_timestamp ());
  pause_for_a_while (&consumer);
  assert_presented_at_once (&producer, &consumer, gst_util_get_timestamp ());
  player_stop (&consumer);
  player_stop (&producer);
}

/* Whatever segments the times are from. */
static void
test_segments (void)
{
  static const struct player_segment segments[] = {
    { .start = 10 * GST_SECOND, .base = 60 * GST_SECOND },
    { .rate = 2, .start = 10 * GST_SECOND, .base = 61 * GST_SECOND },
    { .rate = 0.5, .base = 70 * GST_SECOND, .offset = 3 * GST_SECOND },
    { .rate = -1, .stop = 20 * GST_SECOND, .base = 99 * GST_SECOND },
  };
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  struct player_record r = { .dts = GST_CLOCK_TIME_NONE, .size = 8 };
  struct bases bases = { 0 };

  player_start (&producer);
  player_launch (&producer,
      "appsrc name=feed format=time handle-segment-change=true "
      "caps=application/x-test ! xmemsink name=sink socket-path=%s sync=false "
      "async=false wait-for-connection=true",
      address);
  player_set_latency (&producer, LATENCY);
  player_tap (&producer, "sink", PLAYER_LOOK_AWAY);
  player_reach (&producer, GST_STATE_PLAYING);
  launch_consumer (&consumer, address);
  player_set_state (&consumer, GST_STATE_PLAYING);
  for (r.offset = 0; r.offset < G_N_ELEMENTS (segments); r.offset++) {
    r.pts = (11 + r.offset) * GST_SECOND;
    player_push (&producer, "feed", &segments[r.offset], &r);
  }
  player_wait_count (&consumer, "out", G_N_ELEMENTS (segments));
  bases.in = player_get_times (&producer, "sink").base_time;
  bases.out = player_get_times (&consumer, "out").base_time;
  g_assert_cmpuint (
      for_each_frame (&producer, &consumer, compare_exactly, &bases), ==,
      G_N_ELEMENTS (segments));
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- clocks -------------------------------------------------------------- */

/* Both ends correct their clock when it is a millisecond off. What one notes
 * down about its clock it does before, or after, the frame is published and
 * received, and meanwhile a clock may gain. */
static int64_t
tolerance (const struct pair *pair)
{
  return 2 * MS + MS / 10
         + (int64_t) (pair->sent->uncertainty + pair->got->uncertainty)
         + (int64_t) (pair->got->at - pair->sent->at) / 500;
}

/* Once a frame may be off: a clock that follows another may just have been
 * set. */
static bool
compare_by_clocks (const struct pair *pair, void *data)
{
  bool *was_off = data;
  int64_t presented =
      pair->sent->running_pts + (int64_t) pair->latency + pair->sent->base;
  int64_t expected = presented - pair->got->base + pair->shift;
  bool off = llabs (pair->got->running_pts - expected) > tolerance (pair);

  if (off && *was_off)
    g_error ("frame %" G_GUINT64_FORMAT " at %" G_GINT64_FORMAT
             ", not %" G_GINT64_FORMAT,
        pair->got->offset, pair->got->running_pts, expected);
  *was_off = off;
  return true;
}

static void
assert_presented_by_clocks (
    struct player *producer, struct player *consumer, guint n)
{
  bool off = false;

  player_wait_count (consumer, "out", n);
  for_each_frame (producer, consumer, compare_by_clocks, &off);
  player_stop (consumer);
  player_stop (producer);
}

static void
check_clocks (const char *producer_clock, const char *consumer_clock, guint n)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  launch_producer (&producer, address);
  launch_consumer (&consumer, address);
  if (producer_clock)
    player_use_clock (&producer, producer_clock);
  if (consumer_clock)
    player_use_clock (&consumer, consumer_clock);
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_count (&producer, "sink", ENOUGH);
  player_reach (&consumer, GST_STATE_PLAYING);
  assert_presented_by_clocks (&producer, &consumer, n);
}

static void
test_other_clock_at_producer (void)
{
  check_clocks ("realtime", NULL, ENOUGH);
}

static void
test_other_clock_at_consumer (void)
{
  check_clocks (NULL, "realtime", ENOUGH);
}

static void
test_other_clocks (void)
{
  check_clocks ("realtime", "realtime", ENOUGH);
}

/* For so long that one that was believed would be off. */
#define LONG 300

static void
test_fast_clock_at_producer (void)
{
  check_clocks ("fast", NULL, LONG);
}

static void
test_fast_clock_at_consumer (void)
{
  check_clocks (NULL, "fast", LONG);
}

static void
test_network_clock (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  g_autofree char *description = NULL;
  int port;

  launch_producer (&producer, address);
  launch_consumer (&consumer, address);
  player_use_clock (&producer, "fast");
  port = player_serve_clock (&producer);
  if (port == 0) {
    g_test_skip ("no UDP on 127.0.0.1");
    player_stop (&consumer);
    player_stop (&producer);
    return;
  }
  description = g_strdup_printf ("net %d", port);
  player_use_clock (&consumer, description);
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_count (&producer, "sink", ENOUGH);
  player_reach (&consumer, GST_STATE_PLAYING);
  assert_presented_by_clocks (&producer, &consumer, LONG);
}

static void
test_latency_query (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  struct player_latency latency;

  launch_producer (&producer, address);
  launch_consumer (&consumer, address);
  player_reach (&producer, GST_STATE_PLAYING);
  player_reach (&consumer, GST_STATE_PLAYING);
  player_wait_count (&consumer, "out", 1);
  latency = player_query_latency (&consumer, "src");
  g_assert_true (latency.live);
  g_assert_cmpuint (latency.min, ==, 0);
  g_assert_cmpuint (latency.max, ==, GST_CLOCK_TIME_NONE);
  player_set_state (&consumer, GST_STATE_NULL);
  player_set (&consumer, "src", "is-live", "false");
  player_reach (&consumer, GST_STATE_PLAYING);
  latency = player_query_latency (&consumer, "src");
  g_assert_false (latency.live);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- a sink that waits for its clock ------------------------------------- */

#define DEADLINE (30 * GST_MSECOND) /* what the sink takes for itself */
#define EARLIEST 1000 /* ns by which a clock may call a time reached */

/* Frames come when the producer presents them, and have that time; so the sink
 * has all of its own latency left, and shows none before its time. */
static void
test_frames_are_shown_in_time (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  struct player_times in;
  guint first;
  GArray *shown, *sent;
  int64_t soonest = INT64_MAX;

  launch_producer (&producer, address);
  player_start (&consumer);
  player_launch (&consumer,
      "xmemsrc socket-path=%s delivery=every connection-timeout=0 ! "
      "fakesink name=out sync=true qos=true processing-deadline=%d",
      address, (int) DEADLINE);
  player_tap_rendered (&consumer, "out");
  player_set_state (
      &consumer, GST_STATE_PLAYING); /* first: nothing is shifted */
  player_reach (&producer, GST_STATE_PLAYING);
  /* The pipeline distributes its latency when the first frames are there. */
  harness_wait_until (player_get_times (&consumer, "out").latency == DEADLINE);
  first = player_count (&consumer, "out") + 2;
  player_wait_count (&consumer, "out", first + ENOUGH);
  in = player_get_times (&producer, "sink");
  shown = player_get_records (&consumer, "out");
  sent = player_get_records (&producer, "sink");
  for (guint i = first; i < shown->len; i++) {
    const struct player_record *r =
        &g_array_index (shown, struct player_record, i);
    int64_t presented = find_offset (sent, r->offset)->running_pts
                        + (int64_t) (in.base_time + in.latency);
    int64_t late = (int64_t) r->at - presented - (int64_t) DEADLINE;

    g_assert_cmpuint (r->offset, ==, r[-1].offset + 1);
    g_assert_cmpint (late, >=, -EARLIEST);
    soonest = MIN (soonest, late);
  }
  g_assert_cmpuint (player_stat (&consumer, "out", "dropped"), ==, 0);
  g_test_message ("the best was shown %.3f ms after its time", soonest / 1e6);
  g_array_unref (shown);
  g_array_unref (sent);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- frames from before the consumer's start ----------------------------- */

#define N_LATE 20

/* Not evenly, so that differences say something. */
static uint64_t
late_pts (unsigned i)
{
  return i * 33 * GST_MSECOND + (i % 3) * 1000003;
}

static void
push_late (struct player *producer, unsigned first, unsigned n)
{
  for (unsigned i = first; i < first + n; i++) {
    struct player_record r = { .pts = late_pts (i),
      .dts = GST_CLOCK_TIME_NONE,
      .duration = 33 * GST_MSECOND,
      .offset = i,
      .offset_end = i + 1,
      .size = 64 };

    player_push (producer, "feed", NULL, &r);
    harness_sleep_ms (33);
  }
}

/* A producer that does not wait for its clock is some seconds late. */
static void
start_late_pair (
    struct player *producer, struct player *consumer, const char *consumer_sink)
{
  const char *address = harness_path ("socket");

  player_start (producer);
  player_play (producer,
      "appsrc name=feed format=time caps=application/x-test ! "
      "xmemsink name=sink socket-path=%s sync=false async=false",
      address);
  harness_sleep_ms (300);
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=true delivery=every ! %s",
      address, consumer_sink);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
  player_wait_stat (producer, "sink", "num-clients", 1);
}

static void
test_late_frames_are_shifted (void)
{
  struct player producer, consumer;
  struct player_times in, out;
  int64_t shift, lag;
  GArray *got;

  start_late_pair (&producer, &consumer, "fakesink name=out sync=false");
  push_late (&producer, 0, N_LATE);
  player_wait_count (&consumer, "out", N_LATE);
  shift = player_wait_message (&consumer, "xmem-time-shift", "shift");
  in = player_get_times (&producer, "sink");
  out = player_get_times (&consumer, "out");
  lag = (int64_t) (out.base_time - in.base_time - in.latency);
  g_assert_cmpint (lag, >=, 300 * MS);
  got = player_get_records (&consumer, "out");
  g_assert_cmpuint (got->len, ==, N_LATE);
  for (guint i = 0; i < got->len; i++)
    g_assert_cmpint (g_array_index (got, struct player_record, i).running_pts,
        ==, (int64_t) late_pts (i) - lag + shift);
  g_assert_cmpint (
      g_array_index (got, struct player_record, 0).running_pts, >=, 0);
  g_assert_cmpuint (
      player_count_messages (&consumer, "xmem-time-shift"), ==, 1);
  g_array_unref (got);
  player_stop (&consumer);
  player_stop (&producer);
}

/* And to a time when a sink can still show them, also when the consumer has
 * waited for the first one. */
static void
test_late_frames_are_shown (void)
{
  struct player producer, consumer;
  struct player_times out;
  uint64_t pushed;
  GArray *got;

  start_late_pair (&producer, &consumer, "fakesink name=out sync=true");
  harness_sleep_ms (1000);
  pushed = gst_util_get_timestamp ();
  push_late (&producer, 0, N_LATE);
  player_wait_count (&consumer, "out", N_LATE);
  out = player_get_times (&consumer, "out");
  got = player_get_records (&consumer, "out");
  g_assert_cmpint (g_array_index (got, struct player_record, 0).running_pts, >,
      (int64_t) (pushed - out.base_time));
  player_end_of_stream (&producer, "feed");
  player_expect_eos (&consumer);
  g_assert_cmpuint (player_stat (&consumer, "out", "rendered"), ==, N_LATE);
  g_array_unref (got);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- a pause ------------------------------------------------------------- */

#define BEFORE 5
#define MISSED 30

/* A consumer of every frame that pauses for longer than it has run: what it
 * missed goes on from where it was, and then it is with the clock again. */
static void
test_a_long_pause (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  struct player_times in, before, after;
  GArray *got;
  int64_t base;

  player_start (&producer);
  player_play (&producer,
      "appsrc name=feed format=time caps=application/x-test ! "
      "xmemsink name=sink socket-path=%s sync=true async=false "
      "processing-deadline=0",
      address);
  launch_consumer (&consumer, address);
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_wait_stat (&producer, "sink", "num-clients", 1);
  in = player_get_times (&producer, "sink");
  player_push_steps (&producer, "feed", 0, BEFORE);
  player_wait_count (&consumer, "out", BEFORE);
  before = player_get_times (&consumer, "out");
  player_reach (&consumer, GST_STATE_PAUSED);
  player_push_steps (&producer, "feed", BEFORE, MISSED);
  harness_wait_until (
      gst_util_get_timestamp ()
          > in.base_time + in.latency + (BEFORE + MISSED) * 10 * GST_MSECOND
      && gst_util_get_timestamp () > before.base_time + 2 * GST_SECOND);
  player_reach (&consumer, GST_STATE_PLAYING);
  after = player_get_times (&consumer, "out");
  player_wait_count (&consumer, "out", BEFORE + MISSED);
  player_push_steps (&producer, "feed",
      (unsigned) ((gst_util_get_timestamp () - in.base_time)
                  / (10 * GST_MSECOND))
          + 1,
      2);
  player_wait_count (&consumer, "out", BEFORE + MISSED + 2);
  got = player_get_records (&consumer, "out");
  for (guint i = 0; i < got->len; i++) {
    const struct player_record *r =
        &g_array_index (got, struct player_record, i);

    base = (int64_t) (i < BEFORE + MISSED ? before : after).base_time;
    g_assert_cmpint (r->running_pts, ==,
        (int64_t) (r->offset * 10 * GST_MSECOND + in.base_time + in.latency)
            - base + player_get_shift (&consumer));
  }
  g_array_unref (got);
  player_stop (&consumer);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/clock/base-times", test_base_times);
  harness_add ("/gst/clock/segments", test_segments);
  harness_add (
      "/gst/clock/other-clock-at-producer", test_other_clock_at_producer);
  harness_add (
      "/gst/clock/other-clock-at-consumer", test_other_clock_at_consumer);
  harness_add ("/gst/clock/other-clocks", test_other_clocks);
  harness_add (
      "/gst/clock/fast-clock-at-producer", test_fast_clock_at_producer);
  harness_add (
      "/gst/clock/fast-clock-at-consumer", test_fast_clock_at_consumer);
  harness_add ("/gst/clock/network-clock", test_network_clock);
  harness_add ("/gst/clock/latency-query", test_latency_query);
  harness_add (
      "/gst/clock/frames-are-shown-in-time", test_frames_are_shown_in_time);
  harness_add (
      "/gst/clock/late-frames-are-shifted", test_late_frames_are_shifted);
  harness_add ("/gst/clock/late-frames-are-shown", test_late_frames_are_shown);
  harness_add ("/gst/clock/a-long-pause", test_a_long_pause);
  return g_test_run ();
}
