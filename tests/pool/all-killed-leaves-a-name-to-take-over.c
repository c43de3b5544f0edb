/* SPDX-License-Identifier: MIT */
/* All processes of several pools are killed. Of each exactly its one object is
 * left. A new pool may take the name; or the old one may be opened, with nothing
 * in use, and then it is one like any other and goes with its last process. */
#include "pool-actor.h"

#define N_POOLS 3

/* A pool whose processes are dead, each with slots of its own and shared ones. */
static void
leave_dead (const char *name)
{
  struct pool_actor actors[2];
  uint64_t id;

  pool_actor_start (&actors[0]);
  harness_assert_ok (pool_actor_create (&actors[0], name, 8, 0), NULL);
  pool_actor_start_open (&actors[1], name);
  for (unsigned i = 0; i < 2; i++) {
    pool_actor_expect_slot (&actors[i], 64);
    id = pool_actor_expect_slot (&actors[i], 5000);
    harness_assert_ok (pool_actor_get (&actors[1 - i], id, XMEM_READ), NULL);
  }
  for (unsigned i = 0; i < 2; i++)
    pool_actor_die (&actors[i]);
}

static void
test_exactly_the_names_are_left (void)
{
  char names[N_POOLS][POOL_NAME_MAX], common[POOL_NAME_MAX];
  struct pool_actor actor;

  pool_name (common, "dead");
  for (unsigned i = 0; i < N_POOLS; i++) {
    pool_name (names[i], (const char *[]){ "dead-a", "dead-b", "dead-c" }[i]);
    leave_dead (names[i]);
    g_assert_true (pool_file_exists (names[i]));
  }
  g_assert_cmpuint (pool_file_count (common), ==, N_POOLS);
  for (unsigned i = 0; i < N_POOLS; i++) {
    pool_actor_start (&actor);
    harness_assert_ok (pool_actor_create (&actor, names[i], 5, 0), NULL);
    g_assert_cmpuint (pool_actor_get_stats (&actor).n_slots, ==, 0);
    g_assert_cmpuint (pool_actor_acquire_all (&actor, 64), ==, 5);
    pool_actor_stop (&actor);
  }
  g_assert_cmpuint (pool_file_count (common), ==, 0);
}

static void
test_dead_pool_may_be_opened (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor actor, other;
  struct xmem_pool_stats stats;

  pool_name (name, "dead");
  leave_dead (name);
  pool_actor_start_open (&actor, name);
  stats = pool_actor_get_stats (&actor);
  g_assert_cmpuint (stats.n_processes, ==, 1);
  g_assert_cmpuint (stats.n_slots, >, 0);
  pool_actor_start (&other);
  harness_assert_status (
      pool_actor_create (&other, name, 8, 0), XMEM_IN_USE, NULL);
  pool_actor_stop (&other);
  (void) pool_actor_reclaim (&actor);
  g_assert_cmpuint (pool_actor_get_stats (&actor).n_used, ==, 0);
  g_assert_cmpuint (pool_actor_acquire_all (&actor, 64), ==, 8);
  pool_actor_stop (&actor);
  g_assert_cmpuint (pool_file_count (name), ==, 0);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/exactly-the-names-are-left", test_exactly_the_names_are_left);
  harness_add ("/dead-pool-may-be-opened", test_dead_pool_may_be_opened);
  return g_test_run ();
}
