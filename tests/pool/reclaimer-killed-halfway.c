/* SPDX-License-Identifier: MIT */
/* A process dies with many slots, and so does the one that was about to free
 * them, at any instant. Whoever reclaims next finishes that. */
#include "pool-actor.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_ROUNDS 8
#else
#define N_ROUNDS 30
#endif

#define N_HELD 50

static void
run_round (struct pool_actor *witness, const char *name)
{
  struct pool_actor victim, reclaimer;

  pool_actor_start_open (&reclaimer, name);
  pool_actor_start_open (&victim, name);
  for (unsigned i = 0; i < N_HELD; i++)
    pool_actor_expect_slot (&victim, 64);
  pool_actor_die (&victim);
  pool_actor_reclaim_begin (&reclaimer);
  g_usleep ((gulong) g_test_rand_int_range (0, 400));
  pool_actor_die (&reclaimer);
  (void) pool_actor_reclaim (witness);
  g_assert_cmpuint (pool_actor_get_stats (witness).n_used, ==, 0);
  g_assert_cmpuint (pool_actor_reclaim (witness), ==, 0);
  g_assert_cmpuint (pool_actor_get_stats (witness).n_processes, ==, 1);
}

static void
test_reclaimer_killed (void)
{
  struct pool_actor witness;
  char name[POOL_NAME_MAX];

  pool_name (name, "half-reclaimed");
  pool_actor_start (&witness);
  /* The more slots, the longer it takes. */
  harness_assert_ok (
      pool_actor_create (&witness, name, XMEM_MAX_SLOTS, 0), NULL);
  for (unsigned i = 0; i < N_ROUNDS; i++)
    run_round (&witness, name);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

/* One that is stopped there keeps what it has not freed yet; others go on. */
static void
test_reclaimer_stopped (void)
{
  struct pool_actor witness, victim, reclaimer;
  char name[POOL_NAME_MAX];

  pool_name (name, "half-reclaimed");
  pool_actor_start (&witness);
  harness_assert_ok (
      pool_actor_create (&witness, name, XMEM_MAX_SLOTS, 0), NULL);
  for (unsigned i = 0; i < N_ROUNDS; i++) {
    pool_actor_start_open (&reclaimer, name);
    pool_actor_start_open (&victim, name);
    pool_actor_expect_slot (&victim, 64);
    pool_actor_die (&victim);
    pool_actor_reclaim_begin (&reclaimer);
    g_usleep ((gulong) g_test_rand_int_range (0, 400));
    pool_actor_freeze (&reclaimer);
    pool_actor_unref (&witness, pool_actor_expect_slot (&witness, 64));
    pool_actor_start_open (&victim, name);
    pool_actor_unref (&victim, pool_actor_expect_slot (&victim, 64));
    pool_actor_stop (&victim);
    pool_actor_thaw (&reclaimer);
    (void) pool_actor_reclaim_end (&reclaimer);
    (void) pool_actor_reclaim (&witness);
    g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 0);
    pool_actor_stop (&reclaimer);
  }
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/reclaimer-killed", test_reclaimer_killed);
  harness_add ("/reclaimer-stopped", test_reclaimer_stopped);
  return g_test_run ();
}
