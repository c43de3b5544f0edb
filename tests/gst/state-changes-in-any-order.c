/* SPDX-License-Identifier: MIT */
/* State changes in every order, again and again, of either end while the other
 * runs: in two processes, in one, in one pipeline. Afterwards frames flow and
 * nothing is left over. And starts that fail, or wait, and what follows. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "player.h"

/* The random numbers are GTest's: it prints their seed; --seed repeats a
 * walk. */
#define N_STEPS 220

#define SOURCE                                                   \
  "videotestsrc ! video/x-raw,format=NV12,width=160,height=120," \
  "framerate=30/1 ! identity sleep-time=500 ! "

static void
launch_producer (struct player *producer, const char *address)
{
  player_launch_sink (producer, SOURCE, address, "");
}

static void
launch_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s connection-timeout=0 %s ! "
      "fakesink name=out sync=false",
      address, properties);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
}

/* --- walks --------------------------------------------------------------- */

static void
step (struct player *walker)
{
  GstState state =
      (GstState) g_test_rand_int_range (GST_STATE_NULL, GST_STATE_PLAYING + 1);

  g_assert_cmpint (
      player_set_state (walker, state), !=, GST_STATE_CHANGE_FAILURE);
  harness_sleep_ms ((unsigned) g_test_rand_int_range (0, 8));
}

/* What the other end's walk ended begins anew. */
static void
keep_running (struct player *player)
{
  if (!player_has_ended (player))
    return;
  player_reach (player, GST_STATE_NULL);
  player_forget_end (player);
  g_assert_cmpint (player_set_state (player, GST_STATE_PLAYING), !=,
      GST_STATE_CHANGE_FAILURE);
}

static void
assert_frames_flow (struct player *producer, struct player *consumer)
{
  /* From PAUSED with a change under way GStreamer 1.22 does not reach PLAYING
   * reliably, whatever the elements. */
  player_reach (producer, GST_STATE_READY);
  g_assert_cmpint (player_set_state (producer, GST_STATE_PLAYING), !=,
      GST_STATE_CHANGE_FAILURE);
  /* It may be at the end of what the producer sent before. */
  player_reach (consumer, GST_STATE_NULL);
  player_forget_end (consumer);
  player_set_state (consumer, GST_STATE_PLAYING);
  player_wait_more (consumer, "out", 10);
}

struct footprint {
  unsigned n_fds;
  unsigned n_threads;
};

static struct footprint
look_at (const struct player *player)
{
  return (struct footprint){ harness_count_fds (player->child.pid),
    harness_count_threads (player->child.pid) };
}

/* What is there when whatever lingers has gone. */
static struct footprint
look_at_rest (const struct player *player)
{
  struct footprint before, now = look_at (player);

  harness_wait_until (harness_count_mappings (player->child.pid) == 0);
  do {
    before = now;
    harness_sleep_ms (100);
    now = look_at (player);
  } while (memcmp (&before, &now, sizeof (now)) != 0);
  return now;
}

static void
assert_nothing_left (const struct player *player, struct footprint before)
{
  harness_wait_until (harness_count_mappings (player->child.pid) == 0);
  harness_wait_until (harness_count_fds (player->child.pid) <= before.n_fds);
  harness_wait_until (
      harness_count_threads (player->child.pid) <= before.n_threads);
}

/* Lets frames flow once, so that what GStreamer keeps is there. */
static struct footprint
warm_up (struct player *producer, struct player *consumer,
    const struct player *looked_at)
{
  assert_frames_flow (producer, consumer);
  player_reach (producer, GST_STATE_NULL);
  player_reach (consumer, GST_STATE_NULL);
  return look_at_rest (looked_at);
}

static void
walk (struct player *producer, struct player *consumer, struct player *walker)
{
  struct player *other = walker == producer ? consumer : producer;
  struct footprint before = warm_up (producer, consumer, walker);

  player_set_state (other, GST_STATE_PLAYING);
  for (unsigned i = 0; i < N_STEPS; i++) {
    step (walker);
    keep_running (other);
    if (player_has_ended (walker)) /* that is so until the next start */
      player_forget_end (walker);
  }
  assert_frames_flow (producer, consumer);
  player_reach (producer, GST_STATE_NULL);
  player_reach (consumer, GST_STATE_NULL);
  assert_nothing_left (walker, before);
}

static void
walk_in_two_processes (bool producer_walks, const char *properties)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  player_start (&producer);
  player_start (&consumer);
  launch_producer (&producer, address);
  launch_consumer (&consumer, address, properties);
  walk (&producer, &consumer, producer_walks ? &producer : &consumer);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_producer_walks (void)
{
  walk_in_two_processes (true, "is-live=true delivery=every");
}

static void
test_consumer_walks (void)
{
  walk_in_two_processes (false, "is-live=false delivery=every");
}

static void
test_live_consumer_walks (void)
{
  walk_in_two_processes (false, "is-live=true delivery=latest");
}

static void
test_two_pipelines_of_a_process_walk (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  struct footprint before;

  player_start (&producer);
  consumer = player_another (&producer, "consumer");
  launch_producer (&producer, address);
  launch_consumer (&consumer, address, "delivery=every");
  before = warm_up (&producer, &consumer, &producer);
  for (unsigned i = 0; i < N_STEPS; i++)
    step (g_test_rand_bit () ? &producer : &consumer);
  assert_frames_flow (&producer, &consumer);
  player_reach (&producer, GST_STATE_NULL);
  player_reach (&consumer, GST_STATE_NULL);
  assert_nothing_left (&producer, before);
  player_stop (&producer);
}

/* As a whole it can only reach PLAYING if one of the sinks does not wait for
 * its first frame, since xmemsink publishes it in PLAYING. */
static void
test_one_pipeline_walks (void)
{
  struct player player;
  struct footprint before;

  player_start (&player);
  player_launch (&player,
      SOURCE "xmemsink name=sink socket-path=%s sync=false "
             "xmemsrc socket-path=%s connection-timeout=0 delivery=every ! "
             "fakesink name=out sync=false async=false",
      harness_path ("socket"), harness_path ("socket"));
  player_tap (&player, "out", PLAYER_LOOK_AWAY);
  player_set_state (&player, GST_STATE_PLAYING);
  player_wait_more (&player, "out", 10);
  player_reach (&player, GST_STATE_NULL);
  before = look_at_rest (&player);
  for (unsigned i = 0; i < N_STEPS; i++)
    step (&player);
  player_reach (&player, GST_STATE_NULL);
  assert_nothing_left (&player, before);
  player_set_state (&player, GST_STATE_PLAYING);
  player_wait_more (&player, "out", 10);
  player_stop (&player);
}

/* --- pausing ------------------------------------------------------------- */

static void
assert_unbroken (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  g_assert_cmpuint (records->len, >, 0);
  for (guint i = 1; i < records->len; i++)
    g_assert_cmpuint (g_array_index (records, struct player_record, i).offset,
        ==, g_array_index (records, struct player_record, i - 1).offset + 1);
  g_array_unref (records);
}

/* Of a consumer that wants every frame no pause of either end loses one. */
static void
check_pauses (const char *properties)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  player_start (&producer);
  player_start (&consumer);
  launch_producer (&producer, address);
  launch_consumer (&consumer, address, properties);
  player_reach (&producer, GST_STATE_PLAYING);
  player_reach (&consumer, GST_STATE_PLAYING);
  for (unsigned i = 0; i < 60; i++) {
    struct player *player = g_test_rand_bit () ? &producer : &consumer;

    player_reach (player, GST_STATE_PAUSED);
    harness_sleep_ms ((unsigned) g_test_rand_int_range (0, 5));
    player_reach (player, GST_STATE_PLAYING);
    harness_sleep_ms ((unsigned) g_test_rand_int_range (0, 5));
  }
  player_wait_more (&consumer, "out", 50);
  player_send_eos (&producer);
  player_expect_eos (&producer);
  player_expect_eos (&consumer);
  assert_unbroken (&consumer);
  g_assert_cmpuint (player_stat (&consumer, "src", "frames-lost"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_pauses_lose_nothing (void)
{
  check_pauses ("delivery=every is-live=false");
}

static void
test_pauses_lose_nothing_live (void)
{
  check_pauses ("delivery=every is-live=true");
}

/* --- starts that fail ---------------------------------------------------- */

static void
test_address_in_use (void)
{
  const char *address = harness_path ("socket");
  struct player first, second, consumer;
  char *owner;

  player_start (&first);
  player_start (&second);
  player_start (&consumer);
  owner = g_strdup_printf ("process %d", (int) first.child.pid);
  launch_producer (&first, address);
  launch_producer (&second, address);
  player_reach (&first, GST_STATE_PLAYING);
  g_assert_cmpint (player_set_state (&second, GST_STATE_PLAYING), ==,
      GST_STATE_CHANGE_FAILURE);
  player_expect_error (&second, address);
  player_expect_error (&second, owner);
  /* The first is as it was. */
  launch_consumer (&consumer, address, "");
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_wait_count (&consumer, "out", 10);
  player_reach (&first, GST_STATE_NULL);
  assert_frames_flow (&second, &consumer);
  g_free (owner);
  player_stop (&consumer);
  player_stop (&second);
  player_stop (&first);
}

static void
expect_no_start (struct player *producer, const char *path, const char *part)
{
  player_forget_end (producer);
  player_set (producer, "sink", "socket-path", path);
  g_assert_cmpint (player_set_state (producer, GST_STATE_PLAYING), ==,
      GST_STATE_CHANGE_FAILURE);
  player_expect_error (producer, part);
  player_set_state (producer, GST_STATE_NULL);
}

static void
test_impossible_address (void)
{
  const char *address = harness_path ("socket");
  const char *file = harness_path ("file");
  struct player producer, consumer;
  char *long_path = g_strnfill (150, 'x');

  long_path[0] = '/';
  player_start (&producer);
  player_start (&consumer);
  launch_producer (&producer, address);
  launch_consumer (&consumer, address, "");
  expect_no_start (&producer, harness_path ("no-folder/socket"), "no-folder");
  expect_no_start (&producer, long_path, "too long");
  g_assert_true (g_file_set_contents (file, "precious", -1, NULL));
  expect_no_start (&producer, file, "not a socket");
  g_assert_true (g_file_test (file, G_FILE_TEST_IS_REGULAR));
  if (geteuid () != 0) {
    const char *folder = harness_path ("locked");

    g_assert_cmpint (g_mkdir (folder, 0500), ==, 0);
    expect_no_start (&producer, harness_path ("locked/socket"), "locked");
  }
  player_set (&producer, "sink", "socket-path", address);
  player_forget_end (&producer);
  assert_frames_flow (&producer, &consumer);
  g_free (long_path);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_source_comes_first (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  player_start (&producer);
  player_start (&consumer);
  player_play (&consumer,
      "xmemsrc name=src socket-path=%s connection-timeout=100 ! "
      "fakesink name=out sync=false",
      address);
  player_tap (&consumer, "out", PLAYER_LOOK_AWAY);
  harness_sleep_ms (200);
  g_assert_false (player_has_ended (&consumer));
  launch_producer (&producer, address);
  player_set_state (&producer, GST_STATE_PLAYING);
  player_wait_count (&consumer, "out", 10);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_source_without_producer (void)
{
  const char *address = harness_path ("socket");
  struct player consumer;

  player_start (&consumer);
  player_play (&consumer,
      "xmemsrc name=src socket-path=%s connection-timeout=1 ! fakesink",
      address);
  player_expect_error (&consumer, address);
  player_expect_error (&consumer, "connection-timeout");
  player_reach (&consumer, GST_STATE_NULL);
  player_forget_end (&consumer);
  /* A name may be in three places. */
  player_set (&consumer, "src", "socket-path", "xmem-test-nobody");
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_expect_error (&consumer, "/run/xmem/xmem-test-nobody");
  player_expect_error (&consumer, "/tmp/xmem-");
  player_stop (&consumer);
}

/* Without a limit it waits, and leaves off at once. */
static void
test_source_waits_and_is_stopped (void)
{
  const char *address = harness_path ("socket");
  struct player consumer;

  player_start (&consumer);
  launch_consumer (&consumer, address, "is-live=false");
  for (unsigned i = 0; i < 20; i++) {
    player_set_state (&consumer, i % 2 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
    harness_sleep_ms (i);
    g_assert_false (player_has_ended (&consumer));
    player_reach (&consumer, i % 3 ? GST_STATE_NULL : GST_STATE_READY);
  }
  player_stop (&consumer);
}

/* The address is there from READY on, and gone in NULL. */
static void
test_address_comes_and_goes (void)
{
  const char *address = harness_path ("socket");
  struct player producer;

  player_start (&producer);
  launch_producer (&producer, address);
  for (unsigned i = 0; i < 5; i++) {
    g_assert_false (g_file_test (address, G_FILE_TEST_EXISTS));
    player_reach (&producer, i % 2 ? GST_STATE_READY : GST_STATE_PLAYING);
    g_assert_true (g_file_test (address, G_FILE_TEST_EXISTS));
    player_reach (&producer, GST_STATE_NULL);
  }
  g_assert_false (g_file_test (address, G_FILE_TEST_EXISTS));
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/states/producer-walks", test_producer_walks);
  harness_add ("/gst/states/consumer-walks", test_consumer_walks);
  harness_add ("/gst/states/live-consumer-walks", test_live_consumer_walks);
  harness_add ("/gst/states/two-pipelines-of-a-process-walk",
      test_two_pipelines_of_a_process_walk);
  harness_add ("/gst/states/one-pipeline-walks", test_one_pipeline_walks);
  harness_add ("/gst/states/pauses-lose-nothing", test_pauses_lose_nothing);
  harness_add (
      "/gst/states/pauses-lose-nothing-live", test_pauses_lose_nothing_live);
  harness_add ("/gst/states/address-in-use", test_address_in_use);
  harness_add ("/gst/states/impossible-address", test_impossible_address);
  harness_add ("/gst/states/source-comes-first", test_source_comes_first);
  harness_add (
      "/gst/states/source-without-producer", test_source_without_producer);
  harness_add ("/gst/states/source-waits-and-is-stopped",
      test_source_waits_and_is_stopped);
  harness_add (
      "/gst/states/address-comes-and-goes", test_address_comes_and_goes);
  return g_test_run ();
}
