/* SPDX-License-Identifier: MIT */
/* A subscriber ends while its application still reads frames: they stay
 * untouched, and the publisher gets them back one by one. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_frames_stay (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 20000, 0, 4);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_frame (&actor, i);
  actor_release (&actor, 1);
  actor_unsubscribe (&actor); /* keeps 0 and 2, has not taken 3 */
  harness_wait_until (source_stats (&source).n_clients == 0);
  harness_wait_until (source_stats (&source).frames_held == 2);
  source_publish_many (&source, 20000, 4, 100); /* uses every free slot */
  g_assert_true (actor_still_sees (&actor, 0, 0));
  g_assert_true (actor_still_sees (&actor, 2, 2));
  actor_release (&actor, 2);
  harness_wait_until (source_stats (&source).frames_held == 1);
  actor_release (&actor, 0);
  harness_wait_until (source_stats (&source).frames_held == 0);
  g_assert_cmpuint (harness_count_mappings (actor.child.pid), ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_subscriber_that_comes_again (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  source_publish_many (&source, 20000, 0, 1);
  actor_expect_frame (&actor, 0);
  harness_assert_ok (
      actor_connect (&actor, address, XMEM_DELIVERY_LATEST, 1, -1), NULL);
  source_publish_many (&source, 20000, 1, 1);
  actor_expect_frame (&actor, 1); /* a grant of its own */
  g_assert_true (actor_still_sees (&actor, 0, 0));
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 2);
  actor_release (&actor, 0);
  actor_release (&actor, 1);
  harness_wait_until (source_stats (&source).frames_held == 0);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_process_that_ends_with_frames (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 20000, 0, 2);
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_unsubscribe (&actor);
  actor_die (&actor);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-stay", test_frames_stay);
  harness_add (
      "/subscriber-that-comes-again", test_subscriber_that_comes_again);
  harness_add (
      "/process-that-ends-with-frames", test_process_that_ends_with_frames);
  return g_test_run ();
}
