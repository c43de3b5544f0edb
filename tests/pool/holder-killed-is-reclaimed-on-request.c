/* SPDX-License-Identifier: MIT */
/* Processes are killed holding slots, alone and together with one that lives:
 * xmem_pool_reclaim () frees what only the dead had, and nothing else. */
#include "pool-actor.h"

static void
test_reclaim_frees_what_only_the_dead_had (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor witness, first, second;
  uint64_t shared, i;

  pool_name (name, "reclaimed");
  pool_actor_start (&witness);
  harness_assert_ok (pool_actor_create (&witness, name, 16, 0), NULL);
  pool_actor_start_open (&first, name);
  pool_actor_start_open (&second, name);
  for (i = 0; i < 3; i++)
    pool_actor_expect_slot (&first, 64);
  for (i = 0; i < 4; i++)
    pool_actor_expect_slot (&second, 64);
  shared = pool_actor_expect_slot (&first, 64);
  pool_actor_stamp (&first, shared, 4711);
  harness_assert_ok (pool_actor_get (&second, shared, XMEM_READ), NULL);
  harness_assert_ok (pool_actor_get (&witness, shared, XMEM_READ), NULL);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 0);
  pool_actor_die (&first);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 8);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 3);
  pool_actor_die (&second);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 4);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 0);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 1);
  g_assert_true (pool_actor_sees (&witness, shared, 4711));
  pool_actor_unref (&witness, shared);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 0);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

/* All indices are those of dead processes. Who comes has one of these, and
 * nothing of what its process had. */
static void
test_newcomer_does_not_inherit (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor witness, victims[XMEM_MAX_PROCESSES - 1], newcomer;
  uint64_t ids[XMEM_MAX_PROCESSES - 1];
  unsigned n_stale = 0;

  pool_name (name, "reclaimed");
  pool_actor_start (&witness);
  harness_assert_ok (pool_actor_create (&witness, name, 32, 0), NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (victims); i++) {
    pool_actor_start_open (&victims[i], name);
    ids[i] = pool_actor_expect_slot (&victims[i], 64);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (victims); i++)
    pool_actor_die (&victims[i]);
  pool_actor_start_open (&newcomer, name);
  for (unsigned i = 0; i < G_N_ELEMENTS (victims); i++)
    if (pool_actor_get (&newcomer, ids[i], XMEM_READ) == XMEM_STALE)
      n_stale++;
  g_assert_cmpuint (n_stale, ==, 1);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 0);
  g_assert_cmpuint (
      pool_actor_get_stats (&witness).n_used, ==, G_N_ELEMENTS (victims) - 1);
  pool_actor_stop (&newcomer);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 0);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/reclaim-frees-what-only-the-dead-had",
      test_reclaim_frees_what_only_the_dead_had);
  harness_add ("/newcomer-does-not-inherit", test_newcomer_does_not_inherit);
  return g_test_run ();
}
