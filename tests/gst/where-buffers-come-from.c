/* SPDX-License-Identifier: MIT */
/* What buffers tell of their way: pts and capture time as they were at their
 * first producer, also through a relay; how many frames were lost before them;
 * and, with do-timestamp, when they arrived. */
#include "player.h"

#define MS GST_MSECOND
#define S GST_SECOND
#define NONE GST_CLOCK_TIME_NONE
#define N 5

static void
launch_producer (
    struct player *producer, const char *address, const char *properties)
{
  player_start (producer);
  player_launch (producer,
      "appsrc name=feed format=time handle-segment-change=true "
      "caps=application/x-test %s ! xmemsink name=sink socket-path=%s "
      "sync=false async=false wait-for-connection=true",
      properties, address);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
launch_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s connection-timeout=0 %s ! "
      "fakesink name=out sync=false",
      address, properties);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
}

/* Its pts are not running times: see the segment. */
static void
push (struct player *producer, guint i)
{
  static const struct player_segment segment = { .start = 10 * S,
    .base = 3 * S };
  struct player_record r = { .pts = 10 * S + i * 20 * MS,
    .dts = NONE,
    .duration = 20 * MS,
    .offset = i,
    .offset_end = i + 1,
    .size = 8 };

  player_push (producer, "feed", &segment, &r);
}

/* `base`: CLOCK_MONOTONIC at the capture of what has running time 0, or NONE. */
static void
assert_times (struct player *consumer, guint n, bool told, uint64_t base)
{
  GArray *got;

  player_wait_count (consumer, "out", n);
  got = player_get_records (consumer, "out");
  g_assert_cmpuint (got->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const struct player_record *r =
        &g_array_index (got, struct player_record, i);

    g_assert_cmpuint (r->offset, ==, i);
    g_assert_cmpuint (
        r->raw_pts, ==, told ? (guint64) (10 * S + i * 20 * MS) : NONE);
    g_assert_cmpuint (
        r->captured, ==, base == NONE ? NONE : base + 3 * S + i * 20 * MS);
  }
  g_array_unref (got);
}

static void
check_times (const char *producer_properties, const char *consumer_properties,
    bool told, bool captured)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  uint64_t base;

  launch_producer (&producer, address, producer_properties);
  launch_consumer (&consumer, address, consumer_properties);
  for (guint i = 0; i < N; i++)
    push (&producer, i);
  base = player_get_times (&producer, "sink").base_time;
  assert_times (&consumer, N, told, captured ? base : NONE);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_live (void)
{
  check_times ("is-live=true",
      "delivery=every is-live=true add-reference-timestamp-meta=true", true,
      true);
  check_times ("is-live=true",
      "delivery=every is-live=false add-reference-timestamp-meta=true", true,
      true);
}

/* When a file was recorded nobody knows. */
static void
test_not_live (void)
{
  check_times ("is-live=false",
      "delivery=every is-live=true add-reference-timestamp-meta=true", true,
      false);
}

static void
test_only_if_wanted (void)
{
  check_times ("is-live=true", "delivery=every", false, false);
}

static void
test_through_a_relay (void)
{
  g_autofree char *first = g_strdup (harness_path ("first"));
  g_autofree char *second = g_strdup (harness_path ("second"));
  struct player producer, relay, with, without;
  uint64_t base;

  launch_producer (&producer, first, "is-live=true");
  player_start (&relay);
  player_play (&relay,
      "xmemsrc socket-path=%s delivery=every connection-timeout=0 "
      "add-reference-timestamp-meta=true max-buffers=8 ! xmemsink name=sink "
      "socket-path=%s sync=false async=false wait-for-connection=true "
      "min-clients=2",
      first, second);
  launch_consumer (
      &with, second, "delivery=every add-reference-timestamp-meta=true");
  launch_consumer (&without, second, "delivery=every");
  for (guint i = 0; i < N; i++)
    push (&producer, i);
  base = player_get_times (&producer, "sink").base_time;
  assert_times (&with, N, true, base);
  assert_times (&without, N, true, base);
  player_stop (&with);
  player_stop (&without);
  player_stop (&relay);
  player_stop (&producer);
}

/* --- losses -------------------------------------------------------------- */

#define N_MANY 40

static void
test_losses_are_told (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  uint64_t lost = 0;
  GArray *got;

  launch_producer (&producer, address, "");
  launch_consumer (&consumer, address, "delivery=latest max-buffers=2");
  push (&producer, 0);
  player_wait_count (&consumer, "out", 1);
  player_freeze (&consumer);
  for (guint i = 1; i < N_MANY; i++)
    push (&producer, i);
  player_wait_stat (&producer, "sink", "frames-published", N_MANY);
  player_thaw (&consumer);
  player_end_of_stream (&producer, "feed");
  player_expect_eos (&consumer);
  got = player_get_records (&consumer, "out");
  for (guint i = 0; i < got->len; i++) {
    const struct player_record *r =
        &g_array_index (got, struct player_record, i);

    g_assert_cmpuint (r->lost, ==, i == 0 ? 0 : r->offset - r[-1].offset - 1);
    g_assert_cmpint (
        !!(r->flags & GST_BUFFER_FLAG_DISCONT), ==, i == 0 || r->lost > 0);
    lost += r->lost;
  }
  g_assert_cmpuint (got->len + lost, ==, N_MANY);
  g_assert_cmpuint (lost, >=, N_MANY - 5); /* 1 + 2 + the pending one */
  g_assert_cmpuint (player_stat (&consumer, "src", "frames-lost"), ==, lost);
  g_array_unref (got);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- do-timestamp -------------------------------------------------------- */

static void
test_do_timestamp (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  uint64_t pushed[N], base;
  GArray *got;

  launch_producer (&producer, address, "");
  launch_consumer (&consumer, address, "delivery=every do-timestamp=true");
  for (guint i = 0; i < N; i++) {
    pushed[i] = gst_util_get_timestamp ();
    push (&producer, i);
    player_wait_count (&consumer, "out", i + 1);
  }
  base = player_get_times (&consumer, "out").base_time;
  got = player_get_records (&consumer, "out");
  for (guint i = 0; i < N; i++) {
    const struct player_record *r =
        &g_array_index (got, struct player_record, i);

    g_assert_cmpuint (base + r->pts, >=, pushed[i]);
    g_assert_cmpuint (base + r->pts, <=, r->at);
  }
  g_array_unref (got);
  player_stop (&consumer);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/history/live", test_live);
  harness_add ("/gst/history/not-live", test_not_live);
  harness_add ("/gst/history/only-if-wanted", test_only_if_wanted);
  harness_add ("/gst/history/through-a-relay", test_through_a_relay);
  harness_add ("/gst/history/losses-are-told", test_losses_are_told);
  harness_add ("/gst/history/do-timestamp", test_do_timestamp);
  return g_test_run ();
}
