/* SPDX-License-Identifier: MIT */
/* A pool that is too small, a decoder that keeps many frames, a consumer that
 * keeps its frames or stands still: none of it stops or fails the producer,
 * and nobody but the consumer concerned loses a frame. */
#include <signal.h>
#include <glib/gstdio.h>
#include <string.h>

#include "harness/actor.h"
#include "player.h"

#define CLIP_FRAMES 96
/* Enough frames in flight to see that things go on. */
#define MANY 150

#define SIZE "width=320,height=240"
#define VIDEO "video/x-raw,format=NV12," SIZE ",framerate=30/1"
/* Goes on until told otherwise, some hundred frames per second. */
#define ENDLESS \
  "videotestsrc pattern=ball ! " VIDEO " ! identity sleep-time=2000 ! "

/* --- the pool ------------------------------------------------------------ */

/* A clip with B-frames and several references, in this case's folder. */
static const char *
make_clip (void)
{
  const char *path = harness_path ("clip.h264");
  struct player encoder;

  player_start (&encoder);
  player_play (&encoder,
      "videotestsrc pattern=ball num-buffers=%d ! video/x-raw,format=I420," SIZE
      ",framerate=30/1 ! x264enc speed-preset=veryfast bframes=3 ref=4 "
      "b-pyramid=true key-int-max=40 threads=2 ! "
      "video/x-h264,stream-format=byte-stream,profile=high ! "
      "filesink location=%s",
      CLIP_FRAMES, path);
  player_expect_eos (&encoder);
  player_stop (&encoder);
  return path;
}

/* What a decode of the clip in one process looks like. */
static GArray *
decode_directly (const char *clip)
{
  struct player player;
  GArray *records;

  player_start (&player);
  player_launch (&player,
      "filesrc location=%s ! h264parse ! avdec_h264 ! videoconvert ! "
      "video/x-raw,format=GRAY8 ! fakesink name=out",
      clip);
  player_tap (&player, "out", PLAYER_LOOK_SUM);
  player_set_state (&player, GST_STATE_PLAYING);
  player_expect_eos (&player);
  records = player_get_records (&player, "out");
  player_stop (&player);
  return records;
}

static void
decode_into_small_pool (const char *clip, unsigned n_threads, GArray *direct)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  GArray *records;

  player_start (&producer);
  player_start (&consumer);
  /* Two frames of 115,200 bytes. */
  player_play (&producer,
      "filesrc location=%s ! h264parse ! avdec_h264 max-threads=%u ! "
      "xmemsink name=sink socket-path=%s sync=false max-pool-bytes=262144 "
      "wait-for-connection=true",
      clip, n_threads, address);
  player_launch (&consumer,
      "xmemsrc name=src socket-path=%s delivery=every is-live=false ! "
      "videoconvert ! video/x-raw,format=GRAY8 ! fakesink name=out sync=false",
      address);
  player_tap (&consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_expect_eos (&producer);
  player_expect_eos (&consumer);
  records = player_get_records (&consumer, "out");
  player_assert_same_content (records, direct);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-copied"), >, 0);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-copied")
                        + player_stat (&producer, "sink", "frames-zero-copy"),
      ==, CLIP_FRAMES);
  g_array_unref (records);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_small_pool (void)
{
  const char *clip = make_clip ();
  GArray *direct = decode_directly (clip);

  g_assert_cmpuint (direct->len, ==, CLIP_FRAMES);
  for (unsigned n_threads = 4; n_threads <= 16; n_threads *= 2)
    decode_into_small_pool (clip, n_threads, direct);
  g_array_unref (direct);
}

/* --- consumers ----------------------------------------------------------- */

static void
start_producer (
    struct player *producer, const char *address, const char *properties)
{
  player_start (producer);
  player_launch_sink (producer, ENDLESS, address, properties);
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  g_autofree char *all =
      g_strdup_printf ("name=src on-disconnect=eos %s", properties);

  player_start (consumer);
  player_launch_source (consumer, address, all);
  player_set_state (consumer, GST_STATE_PLAYING);
}

/* Every frame from the first one it got to the last one published. */
static void
assert_unbroken (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");
  const struct player_record *r =
      &g_array_index (records, struct player_record, 0);

  g_assert_cmpuint (records->len, >, 0);
  for (guint i = 1; i < records->len; i++)
    g_assert_cmpuint (r[i].offset, ==, r[i - 1].offset + 1);
  g_array_unref (records);
}

/* A program that takes its grant and gives nothing back. */
static void
take_grant (
    struct actor *holder, const char *address, enum xmem_delivery delivery)
{
  struct actor_frame frame;

  actor_start_subscriber (holder, address, delivery, 4);
  for (unsigned i = 0; i < 4; i++)
    g_assert_cmpint (actor_next (holder, -1, &frame), ==, 0);
}

static void
test_latest_consumer_keeps_its_grant (void)
{
  const char *address = harness_path ("socket");
  struct player producer, other;
  struct actor holder;

  start_producer (&producer, address, "");
  start_consumer (&other, address, "delivery=every");
  take_grant (&holder, address, XMEM_DELIVERY_LATEST);
  player_wait_more (&producer, "sink", MANY);
  player_wait_more (&other, "out", MANY);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-dropped"), >, 0);
  g_assert_false (player_has_ended (&producer));
  player_send_eos (&producer);
  player_expect_eos (&producer);
  player_expect_eos (&other);
  assert_unbroken (&other);
  actor_stop (&holder);
  player_stop (&other);
  player_stop (&producer);
}

/* The same within GStreamer: what downstream keeps beyond the grant is copied
 * out, so that even its own frames go on. */
static void
test_latest_sink_keeps_all_it_gets (void)
{
  const char *address = harness_path ("socket");
  struct player producer, keeper;

  start_producer (&producer, address, "");
  start_consumer (&keeper, address, "delivery=latest");
  player_wait_count (&keeper, "out", 1);
  player_hold (&keeper, "out", MANY);
  player_wait_more (&keeper, "out", MANY);
  player_wait_more (&producer, "sink", MANY);
  g_assert_cmpuint (player_stat (&keeper, "src", "frames-copied"), >, 0);
  g_assert_cmpuint (player_stat (&keeper, "src", "frames-held"), <=, 4);
  g_assert_cmpuint (player_check_held (&keeper), ==, MANY);
  player_stop (&keeper);
  player_stop (&producer);
}

static void
test_latest_consumer_is_stopped (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stopped, other;
  GArray *records;
  bool gap = false;

  start_producer (&producer, address, "");
  start_consumer (&stopped, address, "delivery=latest");
  start_consumer (&other, address, "delivery=every");
  player_wait_count (&stopped, "out", 1);
  player_freeze (&stopped);
  player_wait_more (&producer, "sink", MANY);
  player_wait_more (&other, "out", MANY);
  player_thaw (&stopped);
  player_wait_more (&stopped, "out", MANY);
  records = player_get_records (&stopped, "out");
  for (guint i = 1; i < records->len; i++) {
    const struct player_record *r =
        &g_array_index (records, struct player_record, i);

    if (r->offset == r[-1].offset + 1)
      continue;
    gap = true;
    g_assert_cmpuint (r->offset, >, r[-1].offset);
    g_assert_cmphex (r->flags & GST_BUFFER_FLAG_DISCONT, !=, 0);
  }
  g_assert_true (gap);
  g_array_unref (records);
  player_send_eos (&producer);
  player_expect_eos (&other);
  assert_unbroken (&other);
  player_expect_eos (&stopped);
  player_stop (&stopped);
  player_stop (&other);
  player_stop (&producer);
}

/* --- a consumer that wants every frame and is stuck ---------------------- */

/* Waits until the only consumer holds its grant and the producer therefore
 * stands still. */
static void
wait_until_stuck (struct player *producer)
{
  unsigned before, now = player_count (producer, "sink");

  do {
    player_wait_stat (producer, "sink", "frames-held", 4);
    before = now;
    harness_sleep_ms (100); /* some thirty frames' time */
    now = player_count (producer, "sink");
  } while (now != before);
}

static void
test_producer_stops_beside_stopped_consumer (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck;
  uint64_t n;

  start_producer (&producer, address, "");
  start_consumer (&stuck, address, "delivery=every");
  player_wait_count (&stuck, "out", 1);
  player_freeze (&stuck);
  wait_until_stuck (&producer);
  n = player_stat (&producer, "sink", "frames-delivered");
  player_reach (&producer, GST_STATE_NULL);
  player_thaw (&stuck);
  player_expect_eos (&stuck);
  g_assert_cmpuint (player_count (&stuck, "out"), ==, n);
  assert_unbroken (&stuck);
  player_stop (&stuck);
  player_stop (&producer);
}

static void
test_producer_stops_beside_holding_consumer (void)
{
  const char *address = harness_path ("socket");
  struct player producer;
  struct actor holder;

  start_producer (&producer, address, "");
  take_grant (&holder, address, XMEM_DELIVERY_EVERY);
  wait_until_stuck (&producer);
  g_assert_false (player_has_ended (&producer));
  player_reach (&producer, GST_STATE_NULL);
  /* It is free to begin anew, the old frames being held still. */
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_more (&producer, "sink", MANY);
  actor_expect_status (&holder, XMEM_GONE);
  actor_stop (&holder);
  player_stop (&producer);
}

static void
test_producer_pauses_beside_stopped_consumer (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck;

  start_producer (&producer, address, "");
  start_consumer (&stuck, address, "delivery=every");
  player_wait_count (&stuck, "out", 1);
  player_freeze (&stuck);
  wait_until_stuck (&producer);
  /* The frame it waits with is prerolled with. */
  player_reach (&producer, GST_STATE_PAUSED);
  player_reach (&producer, GST_STATE_PLAYING);
  player_reach (&producer, GST_STATE_PAUSED);
  player_thaw (&stuck);
  player_reach (&producer, GST_STATE_PLAYING);
  player_wait_more (&stuck, "out", MANY);
  player_send_eos (&producer);
  player_expect_eos (&producer);
  player_expect_eos (&stuck);
  assert_unbroken (&stuck);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-dropped"), ==, 0);
  player_stop (&stuck);
  player_stop (&producer);
}

static void
test_leaky_producer_goes_on (void)
{
  const char *address = harness_path ("socket");
  struct player producer, stuck, other;
  uint64_t dropped;

  start_producer (
      &producer, address, "leaky-type=upstream wait-for-connection=true");
  start_consumer (&stuck, address, "delivery=every");
  player_wait_count (&stuck, "out", 1);
  /* This one may lose some too, if it does not get to run. */
  start_consumer (&other, address, "delivery=every max-buffers=64");
  player_wait_count (&other, "out", 1);
  player_freeze (&stuck);
  player_wait_more (&producer, "sink", MANY);
  player_wait_more (&other, "out", MANY);
  player_thaw (&stuck);
  player_wait_more (&stuck, "out", 10);
  player_send_eos (&producer);
  player_expect_eos (&producer);
  player_expect_eos (&stuck);
  player_expect_eos (&other);
  dropped = player_stat (&stuck, "src", "frames-lost");
  g_assert_cmpuint (dropped, >=, MANY - 8);
  dropped += player_stat (&other, "src", "frames-lost");
  g_assert_cmpuint (
      player_stat (&producer, "sink", "frames-dropped"), ==, dropped);
  player_stop (&stuck);
  player_stop (&other);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/exhaustion/small-pool", test_small_pool);
  harness_add ("/gst/exhaustion/latest-consumer-keeps-its-grant",
      test_latest_consumer_keeps_its_grant);
  harness_add ("/gst/exhaustion/latest-sink-keeps-all-it-gets",
      test_latest_sink_keeps_all_it_gets);
  harness_add ("/gst/exhaustion/latest-consumer-is-stopped",
      test_latest_consumer_is_stopped);
  harness_add ("/gst/exhaustion/producer-stops-beside-stopped-consumer",
      test_producer_stops_beside_stopped_consumer);
  harness_add ("/gst/exhaustion/producer-stops-beside-holding-consumer",
      test_producer_stops_beside_holding_consumer);
  harness_add ("/gst/exhaustion/producer-pauses-beside-stopped-consumer",
      test_producer_pauses_beside_stopped_consumer);
  harness_add (
      "/gst/exhaustion/leaky-producer-goes-on", test_leaky_producer_goes_on);
  return g_test_run ();
}
