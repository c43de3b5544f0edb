/* SPDX-License-Identifier: MIT */
/* A received buffer outlives its element, its pipeline, the producer's
 * pipeline and the producer's process, with its content unchanged while the
 * producer goes on filling its pool; and nobody waits for it, nor is memory
 * kept when it is gone. */
#include "player.h"

/* Several rounds of any pool. */
#define MANY 300
#define N_HELD 3

#define SOURCE                                                     \
  "videotestsrc pattern=snow ! video/x-raw,format=NV12,width=320," \
  "height=240,framerate=30/1 ! identity sleep-time=1000 ! "

static void
start_producer (struct player *producer, const char *address)
{
  player_start (producer);
  player_launch_sink (producer, SOURCE, address, "");
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
subscribe (struct player *consumer, const char *address, const char *properties)
{
  g_autofree char *all =
      g_strdup_printf ("name=src on-disconnect=eos %s", properties);

  player_launch_source (consumer, address, all);
  player_set_state (consumer, GST_STATE_PLAYING);
}

/* A consumer that keeps some frames, and goes on receiving. */
static void
start_holder (struct player *holder, const char *address)
{
  player_start (holder);
  subscribe (holder, address, "");
  player_wait_count (holder, "out", 5);
  player_hold (holder, "out", N_HELD);
  harness_wait_until (player_check_held (holder) == N_HELD);
}

static void
assert_held (struct player *holder)
{
  g_assert_cmpuint (player_check_held (holder), ==, N_HELD);
}

static void
let_go (struct player *holder)
{
  player_let_go (holder);
  g_assert_cmpuint (player_check_held (holder), ==, 0);
  harness_wait_until (harness_count_mappings (holder->child.pid) == 0);
}

static void
test_unchanged_while_both_go_on (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_wait_more (&producer, "sink", MANY);
  player_wait_more (&holder, "out", 20);
  assert_held (&holder);
  player_let_go (&holder);
  player_wait_more (&holder, "out", 20);
  player_stop (&holder);
  player_stop (&producer);
}

static void
test_outlives_element_and_pipeline (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_reach (&holder, GST_STATE_NULL);
  player_wait_more (&producer, "sink", MANY);
  assert_held (&holder);
  player_drop (&holder);
  player_wait_more (&producer, "sink", MANY);
  assert_held (&holder);
  /* Held, but by no client any more. */
  g_assert_cmpuint (player_stat (&producer, "sink", "num-clients"), ==, 0);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-held"), ==, N_HELD);
  let_go (&holder);
  harness_wait_until (player_stat (&producer, "sink", "frames-held") == 0);
  player_stop (&holder);
  player_stop (&producer);
}

static void
test_outlives_producers_pipeline (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;
  unsigned n_fds;

  player_start (&producer);
  player_drop (&producer); /* nothing yet: only to see it awake */
  n_fds = harness_count_fds (producer.child.pid);
  player_stop (&producer);

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_drop (&producer);
  player_expect_eos (&holder);
  assert_held (&holder);
  g_assert_cmpuint (harness_count_mappings (producer.child.pid), >, 0);
  /* Then nothing is left of it, on either side. */
  player_drop (&holder);
  assert_held (&holder);
  let_go (&holder);
  harness_wait_until (harness_count_mappings (producer.child.pid) == 0);
  harness_wait_until (harness_count_fds (producer.child.pid) == n_fds);
  player_stop (&holder);
  player_stop (&producer);
}

static void
test_outlives_producers_exit (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_stop (&producer);
  player_expect_eos (&holder);
  assert_held (&holder);
  player_drop (&holder);
  assert_held (&holder);
  let_go (&holder);
  player_stop (&holder);
}

/* What is given back then finds no GStreamer any more. */
static void
test_outlives_producers_gstreamer (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_deinit (&producer);
  player_expect_eos (&holder);
  player_drop (&holder);
  assert_held (&holder);
  let_go (&holder);
  /* The publisher's thread ends when it has all its frames. */
  harness_wait_until (harness_count_threads (producer.child.pid) == 0);
  player_stop (&holder);
  player_stop (&producer);
}

static void
test_outlives_killed_producer (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_die (&producer);
  player_expect_eos (&holder);
  assert_held (&holder);
  player_drop (&holder);
  /* Another takes its place and does not touch them. */
  start_producer (&producer, address);
  subscribe (&holder, address, "delivery=every");
  player_wait_count (&holder, "out", MANY);
  assert_held (&holder);
  player_drop (&holder);
  let_go (&holder);
  player_stop (&holder);
  player_stop (&producer);
}

static void
test_sink_restarts_at_once (void)
{
  const char *address = harness_path ("socket");
  struct player producer, holder, other;

  start_producer (&producer, address);
  start_holder (&holder, address);
  player_start (&other);
  for (unsigned i = 0; i < 5; i++) {
    player_reach (&producer, GST_STATE_NULL);
    player_reach (&producer, GST_STATE_PLAYING);
    subscribe (&other, address, "delivery=every");
    player_wait_count (&other, "out", MANY / 5);
    assert_held (&holder);
  }
  player_expect_eos (&holder);
  player_drop (&holder);
  assert_held (&holder);
  let_go (&holder);
  player_stop (&other);
  player_stop (&holder);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/buffers/unchanged-while-both-go-on",
      test_unchanged_while_both_go_on);
  harness_add ("/gst/buffers/outlive-element-and-pipeline",
      test_outlives_element_and_pipeline);
  harness_add ("/gst/buffers/outlive-producers-pipeline",
      test_outlives_producers_pipeline);
  harness_add (
      "/gst/buffers/outlive-producers-exit", test_outlives_producers_exit);
  harness_add ("/gst/buffers/outlive-producers-gstreamer",
      test_outlives_producers_gstreamer);
  harness_add (
      "/gst/buffers/outlive-killed-producer", test_outlives_killed_producer);
  harness_add (
      "/gst/buffers/sink-restarts-at-once", test_sink_restarts_at_once);
  return g_test_run ();
}
