/* SPDX-License-Identifier: MIT */
/* The processes of a pool are dead, and several others make a new one of that
 * name at the same time: one has it, all others are told XMEM_IN_USE. */
#include "pool-actor.h"

#define MAX_RIVALS 8

static void
leave_dead (const char *name)
{
  struct pool_actor victim;

  pool_actor_start (&victim);
  harness_assert_ok (pool_actor_create (&victim, name, 4, 0), NULL);
  pool_actor_die (&victim);
  g_assert_true (pool_file_exists (name));
}

static void
race (struct pool_actor *rivals, unsigned n_rivals, const char *name)
{
  unsigned n_won = 0;
  unsigned winner = 0;

  for (unsigned i = 0; i < n_rivals; i++)
    pool_actor_create_begin (&rivals[i], name, 4 + i, 0);
  for (unsigned i = 0; i < n_rivals; i++) {
    int r = pool_actor_create_end (&rivals[i]);

    if (r == 0) {
      winner = i;
      n_won++;
    } else {
      harness_assert_status (r, XMEM_IN_USE, NULL);
    }
  }
  g_assert_cmpuint (n_won, ==, 1);
  /* What has the name is the winner's. */
  g_assert_cmpuint (
      pool_actor_acquire_all (&rivals[winner], 64), ==, 4 + winner);
  g_assert_cmpuint (pool_file_count_processes (name), ==, 1);
  pool_actor_close (&rivals[winner]);
  g_assert_false (pool_file_exists (name));
}

static void
race_often (unsigned n_rivals, unsigned n_rounds)
{
  struct pool_actor rivals[MAX_RIVALS];
  char name[POOL_NAME_MAX];

  pool_name (name, "raced-for");
  for (unsigned i = 0; i < n_rivals; i++)
    pool_actor_start (&rivals[i]);
  for (unsigned i = 0; i < n_rounds; i++) {
    leave_dead (name);
    race (rivals, n_rivals, name);
  }
  for (unsigned i = 0; i < n_rivals; i++)
    pool_actor_stop (&rivals[i]);
}

static void
test_two (void)
{
  race_often (2, 100);
}

static void
test_eight (void)
{
  race_often (8, 50);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/two", test_two);
  harness_add ("/eight", test_eight);
  return g_test_run ();
}
