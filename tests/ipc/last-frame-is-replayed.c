/* SPDX-License-Identifier: MIT */
/* A publisher that keeps its last frame: who joins later gets it at once, as
 * one of that moment, as long as nothing has come that makes it old. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define SECOND INT64_C (1000000000)

static void
open_source (struct source *source)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = XMEM_PUBLISHER_REPLAY_LAST };

  source_open (source, &params);
}

static void
join (struct actor *actor, unsigned n_buffers)
{
  actor_start_subscriber (
      actor, harness_path ("socket"), XMEM_DELIVERY_LATEST, n_buffers);
}

static void
assert_joiner_gets_nothing (void)
{
  struct actor actor;

  join (&actor, 2);
  actor_expect_status (&actor, XMEM_AGAIN);
  actor_stop (&actor);
}

static void
assert_joiner_gets (uint64_t sequence)
{
  struct actor actor;

  join (&actor, 2);
  actor_expect_frame (&actor, sequence);
  actor_expect_status (&actor, XMEM_AGAIN);
  actor_stop (&actor);
}

static int64_t
now (void)
{
  return g_get_monotonic_time () * 1000;
}

static void
test_every_joiner (void)
{
  struct xmem_subscriber_stats stats;
  struct actor_frame frame;
  struct source source;
  struct actor actors[2];

  open_source (&source);
  assert_joiner_gets_nothing ();
  source_publish_many (&source, 5000, 0, 3);
  for (unsigned i = 0; i < 2; i++) {
    join (&actors[i], i + 1);
    harness_assert_ok (actor_next (&actors[i], -1, &frame), NULL);
    g_assert_cmpuint (frame.sequence, ==, 2);
    g_assert_cmpuint (frame.stamp, ==, 2);
    g_assert_cmpuint (frame.n_intact, ==, 1);
  }
  source_publish_many (&source, 5000, 3, 1);
  actor_expect_status (&actors[0], XMEM_AGAIN); /* it may hold one */
  actor_expect_frame (&actors[1], 3);
  actor_release (&actors[0], 2);
  actor_expect_frame (&actors[0], 3);
  for (unsigned i = 0; i < 2; i++) {
    actor_get_stats (&actors[i], &stats);
    g_assert_cmpuint (stats.frames_lost, ==, 0);
  }
  g_assert_true (actor_still_sees (&actors[1], 2, 2));
  actor_stop (&actors[0]);
  actor_stop (&actors[1]);
  source_close (&source);
}

static void
test_without_the_flag (void)
{
  struct source source;

  source_open_simply (&source);
  source_publish_many (&source, 5000, 0, 3);
  assert_joiner_gets_nothing ();
  source_close (&source);
}

/* Times of now, but never earlier than they were. */
static void
test_times (void)
{
  struct xmem_stream_info stream = { .caps = "caps" };
  struct xmem_error error;
  struct actor_frame frame;
  struct source source;
  struct actor actor;
  int64_t base = now () - 10 * SECOND;

  open_source (&source);
  stream.base_time_ns = (uint64_t) base;
  stream.latency_ns = 4 * SECOND;
  harness_assert_ok (
      xmem_publisher_set_stream (source.publisher, &stream, &error), &error);
  source_publish_many (&source, 5000, 5 * SECOND, 1);
  join (&actor, 1);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpint (frame.pts, >=, 6 * SECOND);
  g_assert_cmpint (frame.pts, <=, now () - base - 4 * SECOND);
  g_assert_cmpuint (frame.stamp, ==, 5 * SECOND);
  actor_stop (&actor);
  source_publish_many (&source, 5000, 1000 * SECOND, 1);
  join (&actor, 1);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpint (frame.pts, ==, 1000 * SECOND);
  actor_stop (&actor);
  source_close (&source);
}

/* All of it arrives, however large, and dts keeps its distance. */
static void
test_metas (void)
{
  const struct xmem_stream_info stream = { .base_time_ns = 0 };
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct xmem_subscriber *subscriber;
  const struct xmem_frame_info *got;
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;
  struct xmem_frame *frame;
  struct source source;
  char *metas = g_strnfill (100000, 'm');

  open_source (&source);
  harness_assert_ok (
      xmem_publisher_set_stream (source.publisher, &stream, NULL), NULL);
  buffer = frames_new_buffer (source.pool, 100, 1);
  xmem_frame_info_init (&info);
  info.pts = 50;
  info.dts = 20;
  info.raw_pts = 30;
  info.metas = metas;
  info.metas_size = 100000;
  harness_assert_ok (
      xmem_publisher_publish_buffer (source.publisher, buffer, &info, 0, NULL),
      NULL);
  xmem_buffer_unref (buffer);
  for (unsigned i = 0; i < 2; i++) {
    harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
    harness_assert_ok (
        xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
    harness_assert_ok (
        xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, NULL),
        NULL);
    got = xmem_frame_get_info (frame);
    g_assert_cmpmem (got->metas, got->metas_size, metas, 100000);
    g_assert_cmpint (got->pts, >, 50);
    g_assert_cmpint (got->pts - got->dts, ==, 30);
    g_assert_cmpuint (got->raw_pts, ==, 30);
    xmem_frame_unref (frame);
    xmem_subscriber_free (subscriber);
  }
  g_free (metas);
  source_close (&source);
}

static void
test_streams (void)
{
  struct xmem_stream_info stream = { .caps = "a", .base_time_ns = 1 };
  struct actor_frame frame;
  struct source source;
  struct actor actor;

  open_source (&source);
  harness_assert_ok (
      xmem_publisher_set_stream (source.publisher, &stream, NULL), NULL);
  source_publish_many (&source, 5000, 0, 1);
  stream.base_time_ns = 2; /* epoch 2 */
  harness_assert_ok (
      xmem_publisher_set_stream (source.publisher, &stream, NULL), NULL);
  join (&actor, 1);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.epoch, ==, 2);
  g_assert_cmpuint (frame.caps_size, ==, 1);
  actor_stop (&actor);
  stream.caps = "b";
  harness_assert_ok (
      xmem_publisher_set_stream (source.publisher, &stream, NULL), NULL);
  assert_joiner_gets_nothing ();
  source_publish_many (&source, 5000, 1, 1);
  assert_joiner_gets (1);
  source_close (&source);
}

static void
test_what_makes_it_old (void)
{
  const struct xmem_event flush = { .flags = XMEM_EVENT_FLUSH };
  const struct xmem_event other = { .flags = XMEM_EVENT_STICKY };
  struct source source;

  open_source (&source);
  source_publish_many (&source, 5000, 0, 1);
  harness_assert_ok (
      xmem_publisher_send_event (source.publisher, &other, NULL), NULL);
  assert_joiner_gets (0);
  harness_assert_ok (
      xmem_publisher_send_event (source.publisher, &flush, NULL), NULL);
  assert_joiner_gets_nothing ();
  source_publish_many (&source, 5000, 1, 1);
  assert_joiner_gets (1);
  xmem_publisher_send_eos (source.publisher);
  assert_joiner_gets_nothing ();
  source_close (&source);
}

static void
test_delta_units (void)
{
  struct source source;
  struct actor actor;

  open_source (&source);
  source_publish_many (&source, 5000, 0, 1);
  join (&actor, 4);
  actor_expect_frame (&actor, 0);
  harness_assert_ok (
      source_publish (&source, 5000, 1, XMEM_FRAME_DELTA_UNIT, 0), NULL);
  actor_expect_frame (&actor, 1); /* it has what that needs */
  assert_joiner_gets_nothing ();
  source_publish_many (&source, 5000, 2, 1);
  assert_joiner_gets (2);
  actor_stop (&actor);
  source_close (&source);
}

/* It is nobody's but the publisher's, and one slot. */
static void
test_kept_frame_is_not_held (void)
{
  struct xmem_pool_stats stats;
  struct source source;

  open_source (&source);
  source_publish_many (&source, 5000, 0, 10);
  assert_joiner_gets (9);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 0);
  xmem_pool_get_stats (source.pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 1);
  xmem_publisher_send_eos (source.publisher);
  xmem_pool_get_stats (source.pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  source_publish_many (&source, 5000, 10, 1);
  xmem_publisher_free (source.publisher);
  source.publisher = NULL;
  harness_wait_until (
      (xmem_pool_get_stats (source.pool, &stats), stats.n_used == 0));
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/every-joiner", test_every_joiner);
  harness_add ("/without-the-flag", test_without_the_flag);
  harness_add ("/times", test_times);
  harness_add ("/metas", test_metas);
  harness_add ("/streams", test_streams);
  harness_add ("/what-makes-it-old", test_what_makes_it_old);
  harness_add ("/delta-units", test_delta_units);
  harness_add ("/kept-frame-is-not-held", test_kept_frame_is_not_held);
  return g_test_run ();
}
