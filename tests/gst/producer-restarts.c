/* SPDX-License-Identifier: MIT */
/* A producer dies, stops or ends, and another takes its place: consumers go on
 * with it, told by messages, with a DISCONT and with times that go on. */
#include "player.h"

#if defined(__SANITIZE_ADDRESS__) /* whose processes start slowly */
#define N_RESTARTS 10
#else
#define N_RESTARTS 50
#endif
#define N_CONSUMERS 4
#define ENOUGH 10

#define SOURCE "videotestsrc is-live=true ! "
#define CAPS(width) \
  "video/x-raw,format=GRAY8,width=" width ",height=48,framerate=100/1"

static void
start_producer (struct player *producer, const char *address, const char *caps)
{
  player_start (producer);
  player_launch (
      producer, SOURCE "%s ! xmemsink name=sink socket-path=%s", caps, address);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s connection-timeout=0 %s "
      "! fakesink name=out sync=false",
      address, properties);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
}

static struct player_record
record_at (GArray *records, guint i)
{
  return g_array_index (records, struct player_record, i);
}

static void
assert_times_go_on (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  for (guint i = 1; i < records->len; i++)
    g_assert_cmpint (record_at (records, i).running_pts, >,
        record_at (records, i - 1).running_pts);
  g_array_unref (records);
}

/* Whether its last frame has, by the clock that both share, the time at which
 * the producer presents it. */
static void
assert_presented_at_once (struct player *producer, struct player *consumer)
{
  struct player_times in = player_get_times (producer, "sink");
  struct player_times out = player_get_times (consumer, "out");
  GArray *got = player_get_records (consumer, "out");
  GArray *sent = player_get_records (producer, "sink"); /* what was got, too */
  struct player_record last = record_at (got, got->len - 1);
  int64_t between = (int64_t) (in.base_time - out.base_time);
  guint i = 0;

  while (record_at (sent, i).offset != last.offset)
    g_assert_cmpuint (++i, <, sent->len);
  g_assert_cmpint (last.running_pts, ==,
      record_at (sent, i).running_pts + between + (int64_t) in.latency
          + player_get_shift (consumer));
  g_array_unref (got);
  g_array_unref (sent);
}

/* --- one restart --------------------------------------------------------- */

static void
restart (const char *properties, const char *caps)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;
  GArray *records;
  guint i;

  start_consumer (&consumer, address, properties);
  start_producer (&producer, address, CAPS ("64"));
  player_wait_count (&consumer, "out", ENOUGH);
  g_assert_cmpuint (player_count_messages (&consumer, "xmem-connected"), ==, 1);
  player_die (&producer);
  harness_wait_until (
      player_count_messages (&consumer, "xmem-disconnected") == 1);
  start_producer (&producer, address, caps);
  harness_wait_until (player_count_messages (&consumer, "xmem-connected") == 2);
  player_wait_more (&consumer, "out", ENOUGH);
  assert_times_go_on (&consumer);
  records = player_get_records (&consumer, "out");
  /* The first of the new producer's frames that came. */
  for (i = 1;
       i < records->len
       && record_at (records, i).offset > record_at (records, i - 1).offset;
       i++)
    ;
  g_assert_cmpuint (i, <, records->len);
  g_assert_true (record_at (records, i).flags & GST_BUFFER_FLAG_DISCONT);
  g_array_unref (records);
  g_assert_false (player_has_ended (&consumer));
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_live (void)
{
  restart ("is-live=true", CAPS ("64"));
}

static void
test_not_live (void)
{
  restart ("is-live=false", CAPS ("64"));
}

static void
test_every (void)
{
  restart ("is-live=true delivery=every", CAPS ("64"));
}

static void
test_other_caps (void)
{
  restart ("is-live=true", CAPS ("128"));
  restart ("is-live=false", CAPS ("32"));
}

static void
test_live_times_are_those_of_the_clock (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, CAPS ("64"));
  player_wait_count (&producer, "sink", ENOUGH);
  start_consumer (&consumer, address, "is-live=true delivery=every");
  player_wait_count (&consumer, "out", ENOUGH);
  assert_presented_at_once (&producer, &consumer);
  player_die (&producer);
  start_producer (&producer, address, CAPS ("64"));
  harness_wait_until (player_count_messages (&consumer, "xmem-connected") == 2);
  player_wait_more (&consumer, "out", ENOUGH);
  assert_presented_at_once (&producer, &consumer);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
start_fed_producer (struct player *producer, const char *address)
{
  player_start (producer);
  player_launch (producer,
      "appsrc name=feed format=time caps=application/x-test ! xmemsink "
      "name=sink socket-path=%s sync=false async=false "
      "wait-for-connection=true",
      address);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_reach (producer, GST_STATE_PLAYING);
}

/* What the first producer presents lies before the consumer's start. A shift is
 * that connection's alone, and its end is told as well. */
static void
test_a_shift_ends_with_its_connection (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_fed_producer (&producer, address);
  harness_sleep_ms (100); /* which makes its first frame so late, at least */
  start_consumer (&consumer, address, "is-live=true delivery=every");
  player_wait_stat (&producer, "sink", "num-clients", 1);
  player_push_steps (&producer, "feed", 0, ENOUGH);
  player_wait_count (&consumer, "out", ENOUGH);
  g_assert_cmpint (
      player_get_shift (&consumer), >=, 100 * (int64_t) GST_MSECOND);
  assert_presented_at_once (&producer, &consumer);
  player_die (&producer);
  start_fed_producer (&producer, address);
  player_push_steps (&producer, "feed", 0, ENOUGH);
  player_wait_count (&consumer, "out", 2 * ENOUGH);
  g_assert_cmpint (player_get_shift (&consumer), ==, 0);
  g_assert_cmpuint (
      player_count_messages (&consumer, "xmem-time-shift"), ==, 2);
  assert_presented_at_once (&producer, &consumer);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- two sockets of one pipeline ----------------------------------------- */

static void
start_pair (struct player *producer, const char *one, const char *two)
{
  player_start (producer);
  player_play (producer,
      SOURCE CAPS ("64") " ! tee name=t t. ! queue ! xmemsink name=one "
                         "socket-path=%s t. ! queue ! xmemsink name=two "
                         "socket-path=%s",
      one, two);
}

/* The running time of the frame with this offset in the stream that is last. */
static int64_t
time_of (struct player *consumer, uint64_t offset)
{
  GArray *records = player_get_records (consumer, "out");
  int64_t time = G_MININT64;

  for (guint i = records->len; i > 0 && time == G_MININT64; i--)
    if (record_at (records, i - 1).offset == offset)
      time = record_at (records, i - 1).running_pts;
  g_array_unref (records);
  return time;
}

static void
test_sockets_of_one_pipeline_stay_in_sync (void)
{
  g_autofree char *one = g_strdup (harness_path ("one"));
  g_autofree char *two = g_strdup (harness_path ("two"));
  struct player producer, a, b;
  uint64_t late = 0;

  start_pair (&producer, one, two);
  start_consumer (&a, one, "is-live=false");
  player_wait_count (&a, "out", ENOUGH);
  start_consumer (&b, two, "is-live=false");
  player_wait_count (&b, "out", ENOUGH);
  player_die (&producer);
  harness_wait_until (player_count_messages (&a, "xmem-disconnected") == 1
                      && player_count_messages (&b, "xmem-disconnected") == 1);
  start_pair (&producer, one, two);
  harness_wait_until (player_count_messages (&a, "xmem-connected") == 2
                      && player_count_messages (&b, "xmem-connected") == 2);
  player_wait_more (&a, "out", 2 * ENOUGH);
  player_wait_more (&b, "out", 2 * ENOUGH);
  player_die (&producer);
  harness_wait_until (player_count_messages (&a, "xmem-disconnected") == 2
                      && player_count_messages (&b, "xmem-disconnected") == 2);
  while (time_of (&a, late) == G_MININT64 || time_of (&b, late) == G_MININT64)
    late++;
  for (uint64_t i = late; time_of (&a, i) != G_MININT64
                          && time_of (&b, i) != G_MININT64 && i < late + 50;
       i++)
    if (time_of (&a, i) != time_of (&b, i))
      g_error ("frame %" G_GUINT64_FORMAT ": %" G_GINT64_FORMAT
               " and %" G_GINT64_FORMAT,
          i, time_of (&a, i), time_of (&b, i));
  assert_times_go_on (&a);
  assert_times_go_on (&b);
  player_stop (&a);
  player_stop (&b);
}

/* --- other choices ------------------------------------------------------- */

static void
disconnect (struct player *consumer, const char *properties,
    void (*how) (struct player *producer))
{
  const char *address = harness_path ("socket");
  struct player producer;

  start_consumer (consumer, address, properties);
  start_producer (&producer, address, CAPS ("64"));
  player_wait_count (consumer, "out", ENOUGH);
  how (&producer);
}

static void
test_on_disconnect_eos (void)
{
  struct player consumer;

  disconnect (&consumer, "on-disconnect=eos", player_die);
  player_expect_eos (&consumer);
  player_stop (&consumer);
  disconnect (&consumer, "on-disconnect=eos", player_stop);
  player_expect_eos (&consumer);
  player_stop (&consumer);
}

static void
test_on_disconnect_error (void)
{
  struct player consumer;

  disconnect (&consumer, "on-disconnect=error", player_die);
  player_expect_error (&consumer, "went away");
  player_stop (&consumer);
  disconnect (&consumer, "on-disconnect=error", player_stop);
  player_expect_error (&consumer, "has stopped");
  player_stop (&consumer);
}

static void
test_waiting_ends_at_once (void)
{
  struct player consumer;

  disconnect (&consumer, "", player_die);
  harness_wait_until (
      player_count_messages (&consumer, "xmem-disconnected") == 1);
  player_reach (&consumer, GST_STATE_NULL);
  player_stop (&consumer);
  /* Nor does it wait until the next look. */
  start_consumer (
      &consumer, harness_path ("nobody"), "reconnect-interval=2147483647");
  player_reach (&consumer, GST_STATE_NULL);
  player_stop (&consumer);
}

static void
test_first_connection_has_a_timeout (void)
{
  const char *address = harness_path ("nobody");
  struct player consumer;

  player_start (&consumer);
  player_play (&consumer,
      "xmemsrc socket-path=%s connection-timeout=1 ! fakesink", address);
  player_expect_error (&consumer, address);
  player_stop (&consumer);
}

static void
play_short_stream (struct player *producer, const char *address)
{
  player_start (producer);
  player_play (producer,
      "videotestsrc num-buffers=%d ! " CAPS (
          "64") " ! xmemsink name=sink "
                "socket-path=%s sync=false wait-for-connection=true",
      ENOUGH, address);
  player_expect_eos (producer);
}

static void
test_next_stream_is_waited_for (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_consumer (
      &consumer, address, "is-live=false delivery=every on-eos=wait");
  play_short_stream (&producer, address);
  harness_wait_until (
      player_count_messages (&consumer, "xmem-end-of-stream") == 1);
  g_assert_cmpuint (player_count (&consumer, "out"), ==, ENOUGH);
  /* The next one of the same producer, then of another. */
  player_reach (&producer, GST_STATE_NULL);
  player_forget_end (&producer);
  player_set_state (&producer, GST_STATE_PLAYING);
  player_expect_eos (&producer);
  player_wait_count (&consumer, "out", 2 * ENOUGH);
  player_stop (&producer);
  play_short_stream (&producer, address);
  player_wait_count (&consumer, "out", 3 * ENOUGH);
  g_assert_cmpuint (player_count (&consumer, "out"), ==, 3 * ENOUGH);
  assert_times_go_on (&consumer);
  g_assert_false (player_has_ended (&consumer));
  player_stop (&producer);
  player_stop (&consumer);
}

/* --- many restarts ------------------------------------------------------- */

/* From the new producer's first frame to a consumer's. */
static uint64_t
time_to_first_frame (struct player *producer, struct player *consumer)
{
  GArray *sent = player_get_records (producer, "sink");
  uint64_t first = record_at (sent, 0).at;
  uint64_t took = 0;
  GArray *got;

  harness_wait_until (({
    got = player_get_records (consumer, "out");
    for (guint i = got->len; i > 0 && record_at (got, i - 1).at > first; i--)
      took = record_at (got, i - 1).at - first;
    g_array_unref (got);
    took > 0;
  }));
  g_array_unref (sent);
  return took;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return (x > y) - (x < y);
}

static void
test_many_restarts (void)
{
  const char *address = harness_path ("socket");
  struct player consumers[N_CONSUMERS], producer;
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (uint64_t));

  for (unsigned i = 0; i < N_CONSUMERS; i++)
    start_consumer (&consumers[i], address, i % 2 ? "delivery=every" : "");
  for (unsigned n = 0; n < N_RESTARTS; n++) {
    start_producer (&producer, address, n % 2 ? CAPS ("64") : CAPS ("96"));
    player_wait_count (&producer, "sink", 1);
    for (unsigned i = 0; i < N_CONSUMERS; i++) {
      uint64_t took = time_to_first_frame (&producer, &consumers[i]);

      g_array_append_val (times, took);
    }
    if (n % 3 == 2)
      player_stop (&producer);
    else
      player_die (&producer);
  }
  for (unsigned i = 0; i < N_CONSUMERS; i++) {
    harness_wait_until (
        player_count_messages (&consumers[i], "xmem-disconnected")
        == N_RESTARTS);
    g_assert_cmpuint (player_count_messages (&consumers[i], "xmem-connected"),
        ==, N_RESTARTS);
    assert_times_go_on (&consumers[i]);
    player_stop (&consumers[i]);
  }
  g_array_sort (times, compare);
  g_test_message ("first frame to first frame, %u restarts, %u consumers: "
                  "p50 %.1f ms, p99 %.1f ms",
      N_RESTARTS, N_CONSUMERS,
      g_array_index (times, uint64_t, times->len / 2) / 1e6,
      g_array_index (times, uint64_t, times->len * 99 / 100) / 1e6);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/restart/live", test_live);
  harness_add ("/gst/restart/not-live", test_not_live);
  harness_add ("/gst/restart/every", test_every);
  harness_add ("/gst/restart/other-caps", test_other_caps);
  harness_add ("/gst/restart/live-times-are-those-of-the-clock",
      test_live_times_are_those_of_the_clock);
  harness_add ("/gst/restart/a-shift-ends-with-its-connection",
      test_a_shift_ends_with_its_connection);
  harness_add ("/gst/restart/sockets-of-one-pipeline-stay-in-sync",
      test_sockets_of_one_pipeline_stay_in_sync);
  harness_add ("/gst/restart/on-disconnect-eos", test_on_disconnect_eos);
  harness_add ("/gst/restart/on-disconnect-error", test_on_disconnect_error);
  harness_add ("/gst/restart/waiting-ends-at-once", test_waiting_ends_at_once);
  harness_add ("/gst/restart/first-connection-has-a-timeout",
      test_first_connection_has_a_timeout);
  harness_add (
      "/gst/restart/next-stream-is-waited-for", test_next_stream_is_waited_for);
  harness_add ("/gst/restart/many-restarts", test_many_restarts);
  return g_test_run ();
}
