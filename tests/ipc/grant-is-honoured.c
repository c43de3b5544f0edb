/* SPDX-License-Identifier: MIT */
/* No subscriber gets more frames at a time than it was granted; with delivery
 * "latest" the newest waits for the next release. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_latest_waits_for_a_release (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 2);
  source_publish_many (&source, 1000, 0, 6);
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_expect_status (&actor, XMEM_AGAIN);
  g_assert_cmpuint (source_stats (&source).frames_delivered, ==, 2);
  g_assert_cmpuint (source_stats (&source).frames_dropped, ==, 3);
  actor_release (&actor, 1);
  actor_expect_frame (&actor, 5);
  actor_expect_status (&actor, XMEM_AGAIN);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 2);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_each_has_its_own_grant (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor one, three;

  actor_start_subscriber (&one, address, XMEM_DELIVERY_LATEST, 1);
  actor_start_subscriber (&three, address, XMEM_DELIVERY_LATEST, 3);
  source_publish_many (&source, 1000, 0, 5);
  actor_expect_frame (&one, 0);
  actor_expect_status (&one, XMEM_AGAIN);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_frame (&three, i);
  actor_expect_status (&three, XMEM_AGAIN);
  actor_release (&one, 0);
  actor_expect_frame (&one, 4);
  actor_expect_status (&three, XMEM_AGAIN);
  actor_stop (&one);
  actor_stop (&three);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/latest-waits-for-a-release", test_latest_waits_for_a_release);
  harness_add ("/each-has-its-own-grant", test_each_has_its_own_grant);
  return g_test_run ();
}
