/* SPDX-License-Identifier: MIT */
/* How a stream ends for its consumers: with its last frame and then EOS,
 * whatever becomes of the producer afterwards; and, if they have chosen so, with
 * EOS when the producer stops without one, or with an error that names the socket
 * when it is killed. */
#include "player.h"

#define N_FRAMES 8
#if defined(__SANITIZE_ADDRESS__) /* whose processes start slowly */
#define N_REPETITIONS 10
#else
#define N_REPETITIONS 50
#endif

#define VIDEO "video/x-raw,format=NV12,width=160,height=120,framerate=30/1"

static void
start_consumer (struct player *consumer, const char *address,
    const char *properties, const char *downstream)
{
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=false connection-timeout=0 %s "
      "! %s fakesink name=out sync=false",
      address, properties, downstream);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
}

static uint64_t
last_offset (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");
  uint64_t offset;

  g_assert_cmpuint (records->len, >, 0);
  offset =
      g_array_index (records, struct player_record, records->len - 1).offset;
  g_array_unref (records);
  return offset;
}

static void
start_short_stream (struct player *producer, const char *address)
{
  player_start (producer);
  player_play (producer,
      "videotestsrc num-buffers=%d ! " VIDEO " ! xmemsink name=sink "
      "socket-path=%s sync=false wait-for-connection=true min-clients=3",
      N_FRAMES, address);
}

/* --- the last frame ------------------------------------------------------ */

struct audience {
  struct player every;
  struct player slow; /* latest, and slower than the stream */
  struct player fast; /* latest */
};

static void
seat (struct audience *audience, const char *address)
{
  start_consumer (&audience->every, address, "delivery=every", "");
  start_consumer (
      &audience->slow, address, "max-buffers=2", "identity sleep-time=5000 !");
  start_consumer (&audience->fast, address, "", "");
}

static void
assert_saw_the_end (struct audience *audience)
{
  player_expect_eos (&audience->every);
  player_expect_eos (&audience->slow);
  player_expect_eos (&audience->fast);
  g_assert_cmpuint (player_count (&audience->every, "out"), ==, N_FRAMES);
  g_assert_cmpuint (last_offset (&audience->every), ==, N_FRAMES - 1);
  g_assert_cmpuint (last_offset (&audience->slow), ==, N_FRAMES - 1);
  g_assert_cmpuint (last_offset (&audience->fast), ==, N_FRAMES - 1);
}

static void
repeat_short_stream (void (*end) (struct player *producer))
{
  const char *address = harness_path ("socket");
  struct audience audience;
  struct player producer;

  player_start (&audience.every);
  player_start (&audience.slow);
  player_start (&audience.fast);
  for (unsigned i = 0; i < N_REPETITIONS; i++) {
    seat (&audience, address);
    start_short_stream (&producer, address);
    end (&producer);
    assert_saw_the_end (&audience);
  }
  player_stop (&audience.every);
  player_stop (&audience.slow);
  player_stop (&audience.fast);
}

static void
stop_after_eos (struct player *producer)
{
  player_expect_eos (producer);
  player_stop (producer);
}

static void
test_producer_exits_at_eos (void)
{
  repeat_short_stream (player_exit_at_end);
}

static void
test_producer_stops_at_eos (void)
{
  repeat_short_stream (stop_after_eos);
}

/* --- without frames ------------------------------------------------------ */

static void
test_no_frames (void)
{
  const char *address = harness_path ("socket");
  struct player producer, early, late;

  player_start (&producer);
  player_start (&early);
  player_start (&late);
  player_play (&producer,
      "appsrc name=feed format=time caps=" VIDEO
      " ! xmemsink name=sink socket-path=%s async=false",
      address);
  start_consumer (&early, address, "", "");
  player_wait_stat (&producer, "sink", "num-clients", 1);
  player_end_of_stream (&producer, "feed");
  player_expect_eos (&producer);
  player_expect_eos (&early);
  g_assert_cmpuint (player_count (&early, "out"), ==, 0);
  /* Nothing will come any more; the producer is there still. */
  start_consumer (&late, address, "", "");
  player_wait_stat (&producer, "sink", "clients-served", 2);
  player_stop (&producer);
  player_expect_eos (&late);
  g_assert_cmpuint (player_count (&late, "out"), ==, 0);
  player_stop (&early);
  player_stop (&late);
}

/* --- without an end ------------------------------------------------------ */

static void
start_endless_stream (struct player *producer, const char *address)
{
  player_start (producer);
  player_play (producer,
      "videotestsrc ! " VIDEO
      " ! identity sleep-time=1000 ! xmemsink name=sink socket-path=%s "
      "sync=false",
      address);
}

static void
assert_unbroken (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  for (guint i = 1; i < records->len; i++)
    g_assert_cmpuint (g_array_index (records, struct player_record, i).offset,
        ==, g_array_index (records, struct player_record, i - 1).offset + 1);
  g_array_unref (records);
}

static void
test_producer_stops_without_eos (void)
{
  const char *address = harness_path ("socket");
  struct player producer, latest, every;

  player_start (&latest);
  player_start (&every);
  start_endless_stream (&producer, address);
  start_consumer (&latest, address, "on-disconnect=eos", "");
  start_consumer (&every, address, "delivery=every on-disconnect=eos", "");
  player_wait_count (&latest, "out", 20);
  player_wait_count (&every, "out", 20);
  player_reach (&producer, GST_STATE_NULL);
  player_expect_eos (&latest);
  player_expect_eos (&every);
  assert_unbroken (&every);
  g_assert_cmpuint (last_offset (&latest), ==, last_offset (&every));
  player_stop (&latest);
  player_stop (&every);
  player_stop (&producer);
}

static void
test_producer_is_killed (void)
{
  const char *address = harness_path ("socket");
  struct player producer, latest, every;

  player_start (&latest);
  player_start (&every);
  start_endless_stream (&producer, address);
  start_consumer (&latest, address, "on-disconnect=error", "");
  start_consumer (&every, address, "delivery=every on-disconnect=error", "");
  player_wait_count (&latest, "out", 20);
  player_wait_count (&every, "out", 20);
  player_freeze (&every);
  player_wait_stat (&producer, "sink", "frames-held", 4);
  player_die (&producer);
  player_thaw (&every);
  player_expect_error (&latest, address);
  player_expect_error (&every, address);
  assert_unbroken (&every); /* up to what had been sent */
  /* With another producer it can go on. */
  start_endless_stream (&producer, address);
  player_reach (&every, GST_STATE_NULL);
  player_forget_end (&every);
  player_set_state (&every, GST_STATE_PLAYING);
  player_wait_more (&every, "out", 20);
  player_stop (&latest);
  player_stop (&every);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/end/producer-exits-at-eos", test_producer_exits_at_eos);
  harness_add ("/gst/end/producer-stops-at-eos", test_producer_stops_at_eos);
  harness_add ("/gst/end/no-frames", test_no_frames);
  harness_add (
      "/gst/end/producer-stops-without-eos", test_producer_stops_without_eos);
  harness_add ("/gst/end/producer-is-killed", test_producer_is_killed);
  return g_test_run ();
}
