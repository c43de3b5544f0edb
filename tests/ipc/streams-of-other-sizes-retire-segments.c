/* SPDX-License-Identifier: MIT */
/* A stream whose frames change their size again and again: old segments go,
 * in the publisher, on the wire and in the subscriber. */
#include "harness/actor.h"
#include "harness/frames.h"

#define ROUNDS 12
#define PER_ROUND 5

static uint64_t
size_of_round (unsigned round)
{
  static const uint64_t sizes[] = { 10000, 1000000, 100000, 3000000 };

  return sizes[round % G_N_ELEMENTS (sizes)];
}

/* Publishes a round's frames; the subscriber takes them and gives them back,
 * all but one, whose number this returns. */
static uint64_t
one_round (struct source *source, struct actor *actor, unsigned round)
{
  uint64_t first = (uint64_t) round * PER_ROUND;
  uint64_t size = size_of_round (round);
  char caps[32];

  g_snprintf (caps, sizeof (caps), "size=%u", (unsigned) size);
  source_set_caps (source, caps);
  xmem_pool_trim (source->pool, size);
  for (unsigned i = 0; i < PER_ROUND; i++) {
    struct actor_frame frame;

    source_publish_many (source, size, first + i, 1);
    harness_assert_ok (actor_next (actor, -1, &frame), NULL);
    g_assert_cmpuint (frame.sequence, ==, first + i);
    g_assert_cmpuint (frame.size, ==, size);
    g_assert_cmpuint (frame.n_intact, ==, 1);
    g_assert_cmpuint (frame.caps_hash, ==, g_str_hash (caps));
    g_assert_cmpuint (frame.epoch, ==, round + 1);
    if (i + 1 < PER_ROUND)
      actor_release (actor, first + i);
    harness_wait_until (source_stats (source).frames_held <= 2);
  }
  return first + PER_ROUND - 1;
}

static void
test_segments_are_retired (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats stats;
  struct actor actor;
  uint64_t kept = 0;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 3);
  for (unsigned i = 0; i < ROUNDS; i++) {
    uint64_t newest = one_round (&source, &actor, i);

    if (i > 0) {
      /* The last of the round before is whole, its segment half gone. */
      g_assert_true (actor_still_sees (&actor, kept, kept));
      actor_release (&actor, kept);
    }
    kept = newest;
    g_assert_cmpuint (source_stats (&source).n_segments, <=, 3);
    actor_get_stats (&actor, &stats);
    g_assert_cmpuint (stats.n_segments, <=, 3);
    g_assert_cmpuint (harness_count_mappings (actor.child.pid), <=, 3);
  }
  g_assert_cmpuint (stats.segments_received, >=, ROUNDS);
  g_assert_cmpuint (stats.frames_received, ==, ROUNDS * PER_ROUND);
  actor_stop (&actor);
  source_close (&source);
}

/* Once everything is released nothing old is left, without another frame. */
static void
test_last_release_retires (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats stats;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 3);
  source_publish_many (&source, 10000, 0, 1);
  actor_expect_frame (&actor, 0);
  xmem_pool_trim (source.pool, 1 << 30);
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 1);
  actor_release (&actor, 0);
  harness_wait_until (source_stats (&source).n_segments == 0);
  do { /* RETIRE is on its way */
    actor_expect_status (&actor, XMEM_AGAIN);
    actor_get_stats (&actor, &stats);
  } while (stats.n_segments > 0);
  g_assert_cmpuint (harness_count_mappings (actor.child.pid), ==, 0);
  g_assert_cmpuint (harness_count_mappings (0), ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/segments-are-retired", test_segments_are_retired);
  harness_add ("/last-release-retires", test_last_release_retires);
  return g_test_run ();
}
