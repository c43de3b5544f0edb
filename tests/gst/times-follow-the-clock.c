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

/* Of an end's running time 0. */
static int64_t
monotonic_base (const struct player_times *t)
{
  return (int64_t) (t->base_time - t->clock_now + t->monotonic_now);
}

/* As the consumer has told: 0 unless its first frame would have lain before
 * its start. A loaded machine delays a first frame for that long, too. */
static int64_t
shift_of (struct player *consumer)
{
  if (player_count_messages (consumer, "xmem-time-shift") == 0)
    return 0;
  return player_wait_message (consumer, "xmem-time-shift", "shift");
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

/* Compares what the producer presents from `since` on, by CLOCK_MONOTONIC;
 * gives how many frames there were. */
static guint
compare_times (struct player *producer, struct player *consumer, uint64_t since,
    int64_t tolerance)
{
  GArray *got = player_get_records (consumer, "out");
  GArray *sent = player_get_records (producer, "sink"); /* what was got, too */
  struct player_times in = player_get_times (producer, "sink");
  struct player_times out = player_get_times (consumer, "out");
  int64_t shift = shift_of (consumer), in_base = monotonic_base (&in);
  int64_t out_base = monotonic_base (&out);
  guint n = 0;

  if (tolerance == 0) { /* one clock: no need to measure */
    in_base = (int64_t) in.base_time;
    out_base = (int64_t) out.base_time;
  }
  g_assert_cmpuint (in.latency, >=, LATENCY);
  for (guint i = 0; i < got->len; i++) {
    const struct player_record *r =
        &g_array_index (got, struct player_record, i);
    int64_t presented = find_offset (sent, r->offset)->running_pts + in_base
                        + (int64_t) in.latency;

    if (presented < (int64_t) since)
      continue;
    n++;
    if (llabs (r->running_pts - (presented - out_base + shift)) > tolerance)
      g_error ("frame %u at %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT, i,
          r->running_pts, presented - out_base + shift);
  }
  g_array_unref (sent);
  g_array_unref (got);
  return n;
}

static void
assert_presented_at_once (struct player *producer, struct player *consumer,
    uint64_t since, int64_t tolerance)
{
  harness_wait_until (
      compare_times (producer, consumer, since, tolerance) >= ENOUGH);
}

/* --- clocks and base times ----------------------------------------------- */

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
  assert_presented_at_once (&producer, &consumer, 0, 0);
  pause_for_a_while (&producer);
  assert_presented_at_once (&producer, &consumer, gst_util_get_timestamp (), 0);
  pause_for_a_while (&consumer);
  assert_presented_at_once (&producer, &consumer, gst_util_get_timestamp (), 0);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
check_clocks (bool producer_realtime, bool consumer_realtime)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  launch_producer (&producer, address);
  launch_consumer (&consumer, address);
  if (producer_realtime)
    player_use_realtime_clock (&producer);
  if (consumer_realtime)
    player_use_realtime_clock (&consumer);
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_count (&producer, "sink", ENOUGH);
  player_reach (&consumer, GST_STATE_PLAYING);
  assert_presented_at_once (&producer, &consumer, 0, 1 * MS);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_other_clock_at_producer (void)
{
  check_clocks (true, false);
}

static void
test_other_clock_at_consumer (void)
{
  check_clocks (false, true);
}

static void
test_other_clocks (void)
{
  check_clocks (true, true);
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

/* Of frames pushed in steps of 10 ms. */
static void
push_steps (struct player *producer, unsigned first, unsigned n)
{
  for (unsigned i = first; i < first + n; i++) {
    struct player_record r = { .pts = i * 10 * GST_MSECOND,
      .dts = GST_CLOCK_TIME_NONE,
      .duration = 10 * GST_MSECOND,
      .offset = i,
      .offset_end = i + 1,
      .size = 8 };

    player_push (producer, "feed", NULL, &r);
  }
}

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
  push_steps (&producer, 0, BEFORE);
  player_wait_count (&consumer, "out", BEFORE);
  before = player_get_times (&consumer, "out");
  player_reach (&consumer, GST_STATE_PAUSED);
  push_steps (&producer, BEFORE, MISSED);
  harness_wait_until (
      gst_util_get_timestamp ()
          > in.base_time + in.latency + (BEFORE + MISSED) * 10 * GST_MSECOND
      && gst_util_get_timestamp () > before.base_time + 2 * GST_SECOND);
  player_reach (&consumer, GST_STATE_PLAYING);
  after = player_get_times (&consumer, "out");
  player_wait_count (&consumer, "out", BEFORE + MISSED);
  push_steps (&producer,
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
            - base + shift_of (&consumer));
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
  harness_add (
      "/gst/clock/other-clock-at-producer", test_other_clock_at_producer);
  harness_add (
      "/gst/clock/other-clock-at-consumer", test_other_clock_at_consumer);
  harness_add ("/gst/clock/other-clocks", test_other_clocks);
  harness_add ("/gst/clock/latency-query", test_latency_query);
  harness_add (
      "/gst/clock/late-frames-are-shifted", test_late_frames_are_shifted);
  harness_add ("/gst/clock/late-frames-are-shown", test_late_frames_are_shown);
  harness_add ("/gst/clock/a-long-pause", test_a_long_pause);
  return g_test_run ();
}
