/* SPDX-License-Identifier: MIT */
/* A subscriber that wants every frame and holds its grant: a leaky publisher
 * loses frames for it and counts them, another one waits. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_leaky_publisher_loses (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = XMEM_PUBLISHER_LEAKY };
  struct source source;
  struct actor actor;

  source_open (&source, &params);
  actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_EVERY, 2);
  source_publish_many (&source, 1000, 0, 10);
  g_assert_cmpuint (source_stats (&source).frames_dropped, ==, 8);
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_expect_status (&actor, XMEM_AGAIN);
  actor_release (&actor, 0);
  actor_release (&actor, 1);
  xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER);
  source_publish_many (&source, 1000, 10, 1);
  actor_expect_frame (&actor, 10);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_other_publisher_waits (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;
  int64_t before;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 2);
  source_publish_many (&source, 1000, 0, 2);
  before = g_get_monotonic_time ();
  harness_assert_status (
      source_publish (&source, 1000, 2, 0, 30 * 1000000), XMEM_AGAIN, NULL);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 30000);
  harness_assert_status (
      source_publish (&source, 1000, 2, 0, 0), XMEM_AGAIN, NULL);
  g_assert_cmpuint (source_stats (&source).frames_published, ==, 2);
  actor_expect_frame (&actor, 0);
  actor_release (&actor, 0);
  source_publish_many (&source, 1000, 2, 1); /* waits for the release */
  actor_expect_frame (&actor, 1);
  actor_expect_frame (&actor, 2); /* the failed ones took no number */
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/leaky-publisher-loses", test_leaky_publisher_loses);
  harness_add ("/other-publisher-waits", test_other_publisher_waits);
  return g_test_run ();
}
