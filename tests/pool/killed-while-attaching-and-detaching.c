/* SPDX-License-Identifier: MIT */
/* Processes that open and close a pool, or make it and let it go, over and over
 * are killed at random instants. Whoever comes next can create it, or open it,
 * all the same. */
#include "pool-actor.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_ROUNDS 40
#else
#define N_ROUNDS 150
#endif

static void
kill_at_random (struct pool_actor *victim)
{
  g_usleep ((gulong) g_test_rand_int_range (0, 3000));
  pool_actor_die (victim);
}

static void
test_killed_while_it_comes_and_goes (void)
{
  struct pool_actor witness, victims[2];
  char name[POOL_NAME_MAX];

  pool_name (name, "visited");
  pool_actor_start (&witness);
  harness_assert_ok (pool_actor_create (&witness, name, 4, 0), NULL);
  for (unsigned i = 0; i < N_ROUNDS; i++) {
    struct pool_actor newcomer;

    for (unsigned v = 0; v < G_N_ELEMENTS (victims); v++) {
      pool_actor_start (&victims[v]);
      pool_actor_come_and_go (&victims[v], name);
    }
    for (unsigned v = 0; v < G_N_ELEMENTS (victims); v++)
      kill_at_random (&victims[v]);
    pool_actor_start_open (&newcomer, name);
    g_assert_cmpuint (pool_actor_get_stats (&witness).n_processes, ==, 2);
    pool_actor_stop (&newcomer);
  }
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static void
test_killed_while_it_makes_and_unmakes (void)
{
  struct pool_actor victim, heir;
  char name[POOL_NAME_MAX];
  unsigned n_left = 0;

  pool_name (name, "remade");
  for (unsigned i = 0; i < N_ROUNDS; i++) {
    pool_actor_start (&victim);
    pool_actor_make_and_unmake (&victim, name);
    kill_at_random (&victim);
    n_left += pool_file_exists (name);
    pool_actor_start (&heir);
    harness_assert_ok (pool_actor_create (&heir, name, 4, 0), NULL);
    g_assert_cmpuint (pool_actor_acquire_all (&heir, 64), ==, 4);
    pool_actor_stop (&heir);
    g_assert_false (pool_file_exists (name));
  }
  g_test_message ("%u of %u left a name", n_left, N_ROUNDS);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/killed-while-it-comes-and-goes", test_killed_while_it_comes_and_goes);
  harness_add ("/killed-while-it-makes-and-unmakes",
      test_killed_while_it_makes_and_unmakes);
  return g_test_run ();
}
