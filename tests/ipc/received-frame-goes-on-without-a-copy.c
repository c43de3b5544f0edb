/* SPDX-License-Identifier: MIT */
/* A to B to C: what B received it publishes as it is. C maps the very memory
 * that A wrote, and A hears of C's release. */
#include "harness/actor.h"
#include "harness/frames.h"

struct chain {
  struct source a;
  struct actor b, c;
};

static void
open_chain (struct chain *chain)
{
  const char *first = source_open_simply (&chain->a);
  const char *second = harness_path ("second");

  actor_start_subscriber (&chain->b, first, XMEM_DELIVERY_EVERY, 4);
  harness_assert_ok (actor_open_publisher (&chain->b, second, 0, 0, 0), NULL);
  actor_start_subscriber (&chain->c, second, XMEM_DELIVERY_EVERY, 4);
}

static void
forward (struct chain *chain, uint64_t sequence)
{
  actor_expect_frame (&chain->b, sequence);
  harness_assert_ok (actor_forward (&chain->b, sequence), NULL);
  actor_release (&chain->b, sequence); /* the publisher has its own */
}

static void
test_frames_are_the_same_memory (void)
{
  struct chain chain;

  open_chain (&chain);
  source_publish_many (&chain.a, 30000, 0, 2);
  forward (&chain, 0);
  forward (&chain, 1);
  actor_expect_frame (&chain.c, 0);
  actor_expect_frame (&chain.c, 1);
  g_assert_true (actor_still_sees (&chain.c, 0, 0));
  g_assert_true (actor_still_sees (&chain.c, 1, 1));
  g_assert_cmpuint (harness_count_mappings (chain.b.child.pid), ==, 1);
  g_assert_cmpuint (
      harness_mapped_inode (chain.c.child.pid), ==, harness_mapped_inode (0));
  actor_stop (&chain.c);
  actor_stop (&chain.b);
  source_close (&chain.a);
}

static void
test_release_goes_all_the_way (void)
{
  struct chain chain;

  open_chain (&chain);
  source_publish_many (&chain.a, 30000, 0, 1);
  forward (&chain, 0);
  actor_expect_frame (&chain.c, 0);
  harness_assert_status (
      xmem_publisher_wait_released (chain.a.publisher, 50 * 1000000),
      XMEM_AGAIN, NULL);
  actor_release (&chain.c, 0);
  harness_assert_ok (
      xmem_publisher_wait_released (chain.a.publisher, XMEM_WAIT_FOREVER),
      NULL);
  actor_stop (&chain.c);
  actor_stop (&chain.b);
  source_close (&chain.a);
}

static void
test_retired_segments_are_retired_on (void)
{
  struct chain chain;
  struct xmem_publisher_stats stats;

  open_chain (&chain);
  for (unsigned i = 0; i < 6; i++) {
    uint64_t size = i % 2 ? 30000 : 300000;

    xmem_pool_trim (chain.a.pool, size);
    source_publish_many (&chain.a, size, i, 1);
    forward (&chain, i);
    actor_expect_frame (&chain.c, i);
    actor_release (&chain.c, i);
    xmem_publisher_wait_released (chain.a.publisher, XMEM_WAIT_FOREVER);
    actor_get_publisher_stats (&chain.b, &stats);
    g_assert_cmpuint (stats.n_segments, <=, 3);
    g_assert_cmpuint (harness_count_mappings (chain.c.child.pid), <=, 3);
  }
  actor_stop (&chain.c);
  actor_stop (&chain.b);
  source_close (&chain.a);
}

static void
test_frame_survives_both_before_it (void)
{
  const char *first = harness_path ("first");
  const char *second = harness_path ("second");
  struct actor a, b, c;

  actor_start (&a);
  harness_assert_ok (actor_open_publisher (&a, first, 0, 0, 0), NULL);
  actor_start_subscriber (&b, first, XMEM_DELIVERY_EVERY, 4);
  harness_assert_ok (actor_open_publisher (&b, second, 0, 0, 0), NULL);
  actor_start_subscriber (&c, second, XMEM_DELIVERY_EVERY, 4);
  harness_assert_ok (actor_publish (&a, 30000, 99, 0, -1), NULL);
  actor_expect_frame (&b, 0);
  harness_assert_ok (actor_forward (&b, 0), NULL);
  actor_expect_frame (&c, 0);
  actor_die (&a);
  g_assert_true (actor_still_sees (&c, 0, 99));
  actor_expect_status (&b, XMEM_GONE);
  g_assert_true (actor_still_sees (&b, 0, 99));
  actor_die (&b);
  actor_expect_status (&c, XMEM_GONE);
  g_assert_true (actor_still_sees (&c, 0, 99));
  actor_stop (&c);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-are-the-same-memory", test_frames_are_the_same_memory);
  harness_add ("/release-goes-all-the-way", test_release_goes_all_the_way);
  harness_add (
      "/retired-segments-are-retired-on", test_retired_segments_are_retired_on);
  harness_add (
      "/frame-survives-both-before-it", test_frame_survives_both_before_it);
  return g_test_run ();
}
