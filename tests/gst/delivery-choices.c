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
  player_launch (producer,
      ENDLESS "xmemsink name=sink socket-path=%s sync=false %s", address,
      properties);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_watch (producer, "sink");
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (struct player *consumer, const char *name, const char *address,
    const char *properties)
{
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=%s socket-path=%s is-live=false delivery=every %s ! "
      "fakesink name=out sync=false",
      name, address, properties);
  player_tap (consumer, "out", PLAYER_LOOK_SUM);
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

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/delivery/clients-in-stats", test_clients_in_stats);
  harness_add ("/gst/delivery/stuck-one-is-disconnected-and-comes-back",
      test_stuck_one_is_disconnected_and_comes_back);
  harness_add (
      "/gst/delivery/stuck-one-fails-in-words", test_stuck_one_fails_in_words);
  harness_add ("/gst/delivery/slow-one-loses-frames-after-max-wait",
      test_slow_one_loses_frames_after_max_wait);
  return g_test_run ();
}
