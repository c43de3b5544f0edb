/* SPDX-License-Identifier: MIT */
/* What a sink does about consumers that are slow or stuck, and what it tells
 * of them. */
#include <string.h>

#include "player.h"

/* Goes on until told otherwise, some hundred frames per second. */
#define ENDLESS                                                    \
  "videotestsrc pattern=ball ! video/x-raw,format=NV12,width=320," \
  "height=240,framerate=30/1 ! identity sleep-time=2000 ! "
#define MANY 100
/* More than a consumer that is let run holds at a time. */
#define ROOMY "max-buffers=64"

static void
start_producer (
    struct player *producer, const char *address, const char *properties)
{
  player_start (producer);
  player_launch_sink (producer, ENDLESS, address, properties);
  player_watch (producer, "sink");
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (struct player *consumer, const char *name, const char *address,
    const char *properties)
{
  g_autofree char *all =
      g_strdup_printf ("name=%s delivery=every %s", name, properties);

  player_start (consumer);
  player_launch_source (consumer, address, all);
  player_set_state (consumer, GST_STATE_PLAYING);
  player_wait_count (consumer, "out", 1);
}

/* --- what it tells of them ----------------------------------------------- */

static void
test_clients_in_stats (void)
{
  const char *address = harness_path ("socket");
  struct player producer, a, b;

  start_producer (&producer, address, "max-buffers=64");
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "a", "pid"), ==, UINT64_MAX);
  start_consumer (&a, "a", address, "max-buffers=3");
  start_consumer (&b, "b", address, "delivery=latest max-buffers=2");
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "a", "pid"), ==, a.child.pid);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "b", "pid"), ==, b.child.pid);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "a", "granted"), ==, 3);
  player_freeze (&b);
  harness_wait_until (player_client_stat (&producer, "sink", "b", "lag") > 10);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "b", "dropped"), >=, 9);
  g_assert_cmpuint (player_client_stat (&producer, "sink", "b", "held"), ==, 2);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "b", "oldest-held"), >, 0);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "a", "dropped"), ==, 0);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "a", "delivered"), >, 10);
  player_thaw (&b);
  player_reach (&b, GST_STATE_NULL);
  harness_wait_until (
      player_client_stat (&producer, "sink", "b", "pid") == UINT64_MAX);
  player_stop (&a);
  player_stop (&b);
  player_stop (&producer);
}

/* Losses are in messages of both ends, with counts. */
static void
test_drops_are_messages (void)
{
  const char *address = harness_path ("socket");
  int64_t before = g_get_monotonic_time ();
  struct player producer, slow;
  unsigned n;

  start_producer (&producer, address, "");
  start_consumer (&slow, "slow", address, "delivery=latest max-buffers=2");
  player_freeze (&slow);
  harness_wait_until (
      player_client_stat (&producer, "sink", "slow", "lag") > 10);
  g_assert_cmpint (
      player_wait_message (&producer, "GstMessageQOS", "dropped"), >, 0);
  harness_wait_until (
      player_wait_message (&producer, "GstMessageQOS", "dropped") > 10);
  player_thaw (&slow);
  g_assert_cmpint (
      player_wait_message (&slow, "GstMessageQOS", "dropped"), >, 0);
  g_assert_cmpint (
      player_wait_message (&slow, "GstMessageQOS", "processed"), >, 0);
  /* One a second, however many frames. */
  n = player_count_messages (&producer, "GstMessageQOS");
  g_assert_cmpuint (
      n, <=, 1 + (g_get_monotonic_time () - before) / G_USEC_PER_SEC);
  player_stop (&slow);
  player_stop (&producer);
}

static void
test_without_drops_there_are_no_messages (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, "");
  start_consumer (&consumer, "consumer", address, "");
  player_wait_count (&consumer, "out", MANY);
  g_assert_cmpuint (player_count_messages (&producer, "GstMessageQOS"), ==, 0);
  g_assert_cmpuint (player_count_messages (&consumer, "GstMessageQOS"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- those that are stuck ------------------------------------------------ */

/* Without a limit the producer would stand still for good. */
static void
test_stuck_one_is_disconnected_and_comes_back (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck, other;
  char *warning;
  uint64_t held;

  start_producer (
      &producer, address, "max-buffers=64 client-timeout=3000000000");
  start_consumer (&other, "other", address, ROOMY);
  start_consumer (&stuck, "stuck", address, "max-buffers=4");
  player_hold (&stuck, "out", 3);
  harness_wait_until (player_check_held (&stuck) == 3);
  player_freeze (&stuck);
  warning = g_strdup_printf ("\"stuck\" (pid %d)", (int) stuck.child.pid);
  player_expect_warning (&producer, warning);
  player_expect_warning (&producer, "client-timeout");
  harness_wait_until (player_get_signals (&producer, "sink").disconnected == 1);
  g_free (warning);
  player_wait_more (&other, "out", MANY);
  held = player_client_stat (&producer, "sink", "stuck", "held");
  g_assert_cmpuint (held, ==, 4);

  /* It finds its frames as they were, and goes on with others. */
  player_thaw (&stuck);
  harness_wait_until (player_count_messages (&stuck, "xmem-disconnected") == 1);
  player_wait_more (&stuck, "out", 10);
  player_wait_more (&other, "out", MANY);
  g_assert_cmpuint (player_check_held (&stuck), ==, 3);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "other", "dropped"), ==, 0);
  player_stop (&stuck);
  player_stop (&other);
  player_stop (&producer);
}

static void
test_stuck_one_fails_in_words (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck;

  start_producer (&producer, address, "client-timeout=1000000000");
  start_consumer (&stuck, "stuck", address, "on-disconnect=error");
  player_freeze (&stuck);
  player_expect_warning (&producer, "client-timeout");
  player_wait_more (&producer, "sink", MANY);
  player_thaw (&stuck);
  player_expect_error (&stuck, "given us up");
  player_stop (&stuck);
  player_stop (&producer);
}

static void
test_slow_one_loses_frames_after_max_wait (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck, other;

  start_producer (&producer, address, "max-buffers=64 max-wait=3000000000");
  start_consumer (&other, "other", address, ROOMY);
  start_consumer (&stuck, "stuck", address, "max-buffers=4");
  player_freeze (&stuck);
  harness_wait_until (
      player_client_stat (&producer, "sink", "stuck", "dropped") >= MANY);
  player_wait_more (&other, "out", MANY);
  g_assert_cmpuint (
      player_client_stat (&producer, "sink", "other", "dropped"), ==, 0);
  player_thaw (&stuck);
  player_wait_more (&stuck, "out", 10);
  player_reach (&producer, GST_STATE_NULL);
  player_stop (&stuck);
  player_stop (&other);
  player_stop (&producer);
}

/* --- those that come late ------------------------------------------------ */

static void
push (struct player *producer, uint64_t size)
{
  const struct player_record record = { .pts = 0,
    .dts = GST_CLOCK_TIME_NONE,
    .duration = GST_CLOCK_TIME_NONE,
    .offset = size,
    .offset_end = GST_BUFFER_OFFSET_NONE,
    .size = size };

  player_push (producer, "in", NULL, &record);
}

static void
start_idle_producer (
    struct player *producer, const char *address, const char *properties)
{
  player_start (producer);
  player_play (producer,
      "appsrc name=in format=time caps=application/x-test,n=(int)1 ! "
      "xmemsink name=sink socket-path=%s sync=false %s",
      address, properties);
  push (producer, 1000);
  player_wait_stat (producer, "sink", "frames-published", 1);
}

/* Who comes now gets a frame of this size, in caps with this n. */
static void
start_late_joiner (struct player *consumer, const char *address, unsigned n,
    uint64_t size, const char *properties)
{
  const struct player_record *record;
  GArray *records;

  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s %s ! application/x-test,n=(int)%u ! "
      "fakesink name=out sync=false",
      address, properties, n);
  player_tap (consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (consumer, GST_STATE_PLAYING);
  player_wait_count (consumer, "out", 1);
  records = player_get_records (consumer, "out");
  record = &g_array_index (records, struct player_record, 0);
  g_assert_cmpuint (record->offset, ==, size);
  g_assert_cmpuint (record->size, ==, size);
  /* As if it had been sent to it now. */
  g_assert_cmpint (record->running_pts, >, 0);
  g_assert_cmpuint (player_count_messages (consumer, "xmem-time-shift"), ==, 0);
  g_array_unref (records);
}

static void
test_late_joiners_see_the_last_frame (void)
{
  const char *address = harness_path ("socket");
  struct player producer, a, b, c;

  start_idle_producer (&producer, address, "replay-last=true");
  start_late_joiner (&a, address, 1, 1000, "max-buffers=1");
  start_late_joiner (&b, address, 1, 1000, "is-live=false delivery=every");
  player_set (&producer, "in", "caps", "application/x-test,n=(int)2");
  push (&producer, 2000);
  g_assert_nonnull (player_wait_end (&a)); /* other caps than it takes */
  player_wait_stat (&producer, "sink", "frames-published", 2);
  start_late_joiner (&c, address, 2, 2000, "max-buffers=1");
  player_stop (&c);
  player_stop (&b);
  player_stop (&a);
  player_stop (&producer);
}

static void
test_restarted_sink_has_nothing_to_replay (void)
{
  const char *address = harness_path ("socket");
  struct player producer, a, b;

  start_idle_producer (&producer, address, "replay-last=true");
  start_late_joiner (&a, address, 1, 1000, "");
  player_reach (&producer, GST_STATE_NULL);
  player_set_state (&producer, GST_STATE_PLAYING);
  harness_wait_until (player_count_messages (&a, "xmem-connected") == 2);
  player_start (&b);
  player_launch (&b,
      "xmemsrc name=src socket-path=%s ! fakesink name=out sync=false",
      address);
  player_tap (&b, "out", PLAYER_LOOK_SUM);
  player_set_state (&b, GST_STATE_PLAYING);
  harness_wait_until (player_count_messages (&b, "xmem-connected") == 1);
  harness_sleep_ms (50);
  g_assert_cmpuint (player_count (&b, "out"), ==, 0);
  g_assert_cmpuint (player_count (&a, "out"), ==, 1);
  push (&producer, 1500);
  player_wait_count (&b, "out", 1);
  player_wait_count (&a, "out", 2);
  player_stop (&b);
  start_late_joiner (&b, address, 1, 1500, "");
  player_stop (&b);
  player_stop (&a);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/delivery/clients-in-stats", test_clients_in_stats);
  harness_add ("/gst/delivery/drops-are-messages", test_drops_are_messages);
  harness_add ("/gst/delivery/without-drops-there-are-no-messages",
      test_without_drops_there_are_no_messages);
  harness_add ("/gst/delivery/stuck-one-is-disconnected-and-comes-back",
      test_stuck_one_is_disconnected_and_comes_back);
  harness_add (
      "/gst/delivery/stuck-one-fails-in-words", test_stuck_one_fails_in_words);
  harness_add ("/gst/delivery/slow-one-loses-frames-after-max-wait",
      test_slow_one_loses_frames_after_max_wait);
  harness_add ("/gst/delivery/late-joiners-see-the-last-frame",
      test_late_joiners_see_the_last_frame);
  harness_add ("/gst/delivery/restarted-sink-has-nothing-to-replay",
      test_restarted_sink_has_nothing_to_replay);
  return g_test_run ();
}
