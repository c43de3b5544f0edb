/* SPDX-License-Identifier: MIT */
/* A publisher with a maximum wait: a subscriber that wants every frame and
 * gives none back loses those for which it was waited long enough, and nobody
 * else does. */
#include "harness/actor.h"
#include "harness/frames.h"

#define WAIT_MS 50

static void
open_with_max_wait (struct source *source, uint64_t max_wait_ns)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .max_buffers = 64,
    .max_wait_ns = max_wait_ns };

  source_open (source, &params);
}

static struct xmem_publisher_client
client_at (const struct source *source, size_t i)
{
  struct xmem_publisher_client clients[2];

  g_assert_cmpuint (
      xmem_publisher_get_clients (source->publisher, clients, 2), ==, 2);
  return clients[i];
}

static uint64_t
dropped (const struct source *source, size_t i)
{
  return client_at (source, i).frames_dropped;
}

static void
test_one_loses_and_others_do_not (void)
{
  struct source source;
  struct actor slow, other;
  int64_t before;

  open_with_max_wait (&source, WAIT_MS * 1000000);
  actor_start_subscriber (
      &slow, harness_path ("socket"), XMEM_DELIVERY_EVERY, 2);
  actor_start_subscriber (
      &other, harness_path ("socket"), XMEM_DELIVERY_EVERY, 64);
  source_publish_many (&source, 1000, 0, 2);
  before = g_get_monotonic_time ();
  source_publish_many (&source, 1000, 2, 1);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, WAIT_MS * 1000);
  g_assert_cmpuint (dropped (&source, 0), ==, 1);
  source_publish_many (&source, 1000, 3, 7); /* not waited for any more */
  g_assert_cmpuint (dropped (&source, 0), ==, 8);
  g_assert_cmpuint (dropped (&source, 1), ==, 0);
  for (unsigned i = 0; i < 10; i++)
    actor_expect_frame (&other, i);
  actor_expect_frame (&slow, 0);
  actor_expect_frame (&slow, 1);
  actor_expect_status (&slow, XMEM_AGAIN);

  /* Whoever releases something is waited for again. */
  actor_release (&slow, 0);
  harness_wait_until (client_at (&source, 0).frames_held == 1);
  source_publish_many (&source, 1000, 10, 1);
  before = g_get_monotonic_time ();
  source_publish_many (&source, 1000, 11, 1);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, WAIT_MS * 1000);
  actor_expect_frame (&slow, 10);
  g_assert_cmpuint (dropped (&source, 0), ==, 9);
  actor_stop (&slow);
  actor_stop (&other);
  source_close (&source);
}

/* The caller's own limit comes first. */
static void
test_callers_limit (void)
{
  struct source source;
  struct actor actor;

  open_with_max_wait (&source, UINT64_MAX);
  actor_start_subscriber (
      &actor, harness_path ("socket"), XMEM_DELIVERY_EVERY, 1);
  source_publish_many (&source, 1000, 0, 1);
  harness_assert_status (
      source_publish (&source, 1000, 1, 0, 10 * 1000000), XMEM_AGAIN, NULL);
  harness_assert_status (
      source_publish (&source, 1000, 1, 0, 0), XMEM_AGAIN, NULL);
  g_assert_cmpuint (source_stats (&source).frames_published, ==, 1);
  g_assert_cmpuint (source_stats (&source).frames_dropped, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/one-loses-and-others-do-not", test_one_loses_and_others_do_not);
  harness_add ("/callers-limit", test_callers_limit);
  return g_test_run ();
}
