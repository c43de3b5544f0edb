/* SPDX-License-Identifier: MIT */
/* A process that has a pool forks without exec. Its child is refused whatever it
 * asks of the pool, and does no harm by trying; and it is not what keeps its
 * parent alive: when that one is killed what it held comes back. */
#include <signal.h>

#include "pool-actor.h"

static void
start (struct pool_actor *witness, struct pool_actor *parent, const char *name)
{
  pool_actor_start (witness);
  harness_assert_ok (pool_actor_create (witness, name, 4, 0), NULL);
  pool_actor_start_open (parent, name);
}

static void
test_child_is_refused (void)
{
  struct pool_actor witness, parent;
  char name[POOL_NAME_MAX];
  uint64_t id;
  pid_t child;

  pool_name (name, "forked");
  start (&witness, &parent, name);
  id = pool_actor_expect_slot (&parent, 64);
  pool_actor_stamp (&parent, id, 5);
  child = pool_actor_fork (&parent);
  /* Neither the slot nor the attachment has gone by what the child did. */
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 0);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_processes, ==, 2);
  g_assert_true (pool_actor_sees (&parent, id, 5));
  harness_assert_ok (pool_actor_get (&witness, id, XMEM_READ), NULL);
  pool_actor_unref (&parent, id);
  pool_actor_expect_slot (&parent, 64);
  kill (child, SIGKILL);
  pool_actor_stop (&parent);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static void
test_parents_death_is_seen (void)
{
  struct pool_actor witness, parent;
  char name[POOL_NAME_MAX];
  pid_t child;

  pool_name (name, "forked");
  start (&witness, &parent, name);
  g_assert_cmpuint (pool_actor_acquire_all (&parent, 64), ==, 4);
  child = pool_actor_fork (&parent);
  pool_actor_die (&parent);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_processes, ==, 1);
  g_assert_cmpuint (pool_actor_acquire_all (&witness, 64), ==, 4);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
  kill (child, SIGKILL);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/child-is-refused", test_child_is_refused);
  harness_add ("/parents-death-is-seen", test_parents_death_is_seen);
  return g_test_run ();
}
