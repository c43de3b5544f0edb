/* SPDX-License-Identifier: MIT */
/* A process is killed with all slots in its hands. Whoever needs one next gets
 * it, without being told, whether it waits or not. */
#include "pool-actor.h"

#define N_SLOTS 8

/* A pool all of whose slots a process has taken that is dead now. */
static void
start_with_a_dead_holder (struct pool_actor *heir, const char *name)
{
  struct pool_actor victim;

  pool_actor_start (heir);
  harness_assert_ok (pool_actor_create (heir, name, N_SLOTS, 0), NULL);
  pool_actor_start_open (&victim, name);
  g_assert_cmpuint (pool_actor_acquire_all (&victim, 64), ==, N_SLOTS);
  pool_actor_die (&victim);
  g_assert_cmpuint (pool_actor_get_stats (heir).n_used, ==, N_SLOTS);
  g_assert_cmpuint (pool_actor_get_stats (heir).n_processes, ==, 1);
}

static void
test_without_waiting (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor heir;

  pool_name (name, "inherited");
  start_with_a_dead_holder (&heir, name);
  g_assert_cmpuint (pool_actor_acquire_all (&heir, 64), ==, N_SLOTS);
  pool_actor_stop (&heir);
  g_assert_false (pool_file_exists (name));
}

/* It waits already when the holder dies, and nobody is left to wake it. */
static void
test_while_waiting (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor heir, victim;
  uint64_t id = 0;

  pool_name (name, "inherited");
  pool_actor_start (&heir);
  harness_assert_ok (pool_actor_create (&heir, name, N_SLOTS, 0), NULL);
  pool_actor_start_open (&victim, name);
  g_assert_cmpuint (pool_actor_acquire_all (&victim, 64), ==, N_SLOTS);
  pool_actor_acquire_begin (&heir, 64, POOL_ACTOR_FOREVER);
  harness_wait_until (pool_file_count_waiting (name) == 1);
  pool_actor_die (&victim);
  harness_assert_ok (pool_actor_acquire_end (&heir, &id), NULL);
  g_assert_cmpuint (pool_actor_get_stats (&heir).n_used, ==, 1);
  pool_actor_stop (&heir);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/without-waiting", test_without_waiting);
  harness_add ("/while-waiting", test_while_waiting);
  return g_test_run ();
}
