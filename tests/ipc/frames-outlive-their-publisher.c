/* SPDX-License-Identifier: MIT */
/* A publisher ends while frames are out. They do not change: not while its
 * process goes on filling the same pool, and not when that process dies. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_frames_stay (void)
{
  const char *first = harness_path ("first");
  const char *second = harness_path ("second");
  struct actor producer, reader;

  actor_start (&producer);
  harness_assert_ok (actor_open_publisher (&producer, first, 0, 0, 0), NULL);
  actor_start_subscriber (&reader, first, XMEM_DELIVERY_EVERY, 4);
  actor_publish_begin (&producer, 20000, 0, 4, 0);
  actor_publish_end (&producer);
  for (unsigned i = 0; i < 4; i++)
    actor_expect_frame (&reader, i);
  actor_close_publisher (&producer);
  actor_expect_status (&reader, XMEM_GONE);
  harness_assert_ok (actor_open_publisher (&producer, second, 0, 0, 0), NULL);
  actor_publish_begin (&producer, 20000, 1000, 500, 0);
  actor_publish_end (&producer);
  for (unsigned i = 0; i < 4; i++)
    g_assert_true (actor_still_sees (&reader, i, i));
  actor_die (&producer);
  for (unsigned i = 0; i < 4; i++)
    g_assert_true (actor_still_sees (&reader, i, i));
  actor_stop (&reader);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-stay", test_frames_stay);
  return g_test_run ();
}
