/* SPDX-License-Identifier: MIT */
/* A process makes the pool grow and is killed. Its segments are everybody's:
 * processes that have never seen them, and processes that come later, take their
 * slots and read each other there. */
#include "pool-actor.h"

#define N_SLOTS 12

static void
test_segments_stay (void)
{
  struct pool_actor early, maker, late;
  char name[POOL_NAME_MAX];
  uint64_t small, large;
  struct xmem_pool_stats stats;

  pool_name (name, "grown");
  pool_actor_start (&early);
  harness_assert_ok (pool_actor_create (&early, name, N_SLOTS, 0), NULL);
  pool_actor_start_open (&maker, name);
  harness_assert_ok (pool_actor_preallocate (&maker, 1000, 4), NULL);
  harness_assert_ok (pool_actor_preallocate (&maker, 100000, 8), NULL);
  large = pool_actor_expect_slot (&maker, 100000);
  pool_actor_stamp (&maker, large, 8);
  /* Early has not mapped it before. */
  harness_assert_ok (pool_actor_get (&early, large, XMEM_READ), NULL);
  pool_actor_die (&maker);
  g_assert_true (pool_actor_sees (&early, large, 8));
  pool_actor_start_open (&late, name);
  harness_assert_ok (pool_actor_get (&late, large, XMEM_WRITE), NULL);
  g_assert_true (pool_actor_sees (&late, large, 8));
  small = pool_actor_expect_slot (&early, 1000);
  pool_actor_stamp (&early, small, 9);
  harness_assert_ok (pool_actor_get (&late, small, XMEM_READ), NULL);
  g_assert_true (pool_actor_sees (&late, small, 9));
  stats = pool_actor_get_stats (&late);
  g_assert_cmpuint (stats.n_slots, ==, N_SLOTS);
  g_assert_cmpuint (stats.n_used, ==, 2);
  g_assert_cmpuint (pool_actor_acquire_all (&late, 100000), ==, 7);
  g_assert_cmpuint (pool_actor_acquire_all (&early, 1000), ==, 3);
  pool_actor_stop (&early);
  pool_actor_stop (&late);
  g_assert_false (pool_file_exists (name));
}

/* Killed at any instant while it makes segments: the next to grow is not in
 * its way, and every slot can be had in the end. */
static void
test_killed_while_growing (void)
{
  struct pool_actor witness, maker;
  char name[POOL_NAME_MAX];
  unsigned n_slots = 0;

  pool_name (name, "grown");
  for (unsigned i = 0; i < 40; i++) {
    pool_actor_start (&witness);
    harness_assert_ok (pool_actor_create (&witness, name, N_SLOTS, 0), NULL);
    pool_actor_start_open (&maker, name);
    pool_actor_preallocate_begin (&maker, 1 << 20, 8);
    g_usleep ((gulong) g_test_rand_int_range (0, 10000));
    pool_actor_die (&maker);
    n_slots += pool_actor_get_stats (&witness).n_slots;
    g_assert_cmpuint (pool_actor_acquire_all (&witness, 1000), ==, N_SLOTS);
    pool_actor_stop (&witness);
    g_assert_false (pool_file_exists (name));
  }
  g_test_message ("%u slots were made before the kill", n_slots);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/segments-stay", test_segments_stay);
  harness_add ("/killed-while-growing", test_killed_while_growing);
  return g_test_run ();
}
