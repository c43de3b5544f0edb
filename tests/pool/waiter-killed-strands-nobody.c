/* SPDX-License-Identifier: MIT */
/* Several processes wait for the one slot there is. It is released, and while
 * that wakes them some are killed: the slot reaches one of the others. */
#include "pool-actor.h"

#define N_WAITERS 4
#define N_ROUNDS 25

static void
wait_all (struct pool_actor *waiters, const char *name)
{
  for (unsigned i = 0; i < N_WAITERS; i++) {
    pool_actor_start_open (&waiters[i], name);
    pool_actor_borrow_begin (&waiters[i], 64);
  }
  harness_wait_until (pool_file_count_waiting (name) == N_WAITERS);
}

static void
run_round (struct pool_actor *holder, const char *name)
{
  struct pool_actor waiters[N_WAITERS];
  uint64_t id = pool_actor_expect_slot (holder, 64);
  unsigned n_killed = (unsigned) g_test_rand_int_range (1, N_WAITERS);

  wait_all (waiters, name);
  if (g_test_rand_int_range (0, 2)) {
    pool_actor_unref (holder, id);
    g_usleep ((gulong) g_test_rand_int_range (0, 200));
    for (unsigned i = 0; i < n_killed; i++)
      pool_actor_die (&waiters[i]);
  } else {
    for (unsigned i = 0; i < n_killed; i++)
      pool_actor_die (&waiters[i]);
    pool_actor_unref (holder, id);
  }
  /* Each in turn, whoever is first. */
  for (unsigned i = n_killed; i < N_WAITERS; i++)
    pool_actor_borrow_end (&waiters[i]);
  for (unsigned i = n_killed; i < N_WAITERS; i++)
    pool_actor_stop (&waiters[i]);
  (void) pool_actor_reclaim (holder);
  g_assert_cmpuint (pool_file_count_waiting (name), ==, 0);
}

static void
test_waiter_killed (void)
{
  struct pool_actor holder;
  char name[POOL_NAME_MAX];

  pool_name (name, "awaited");
  pool_actor_start (&holder);
  harness_assert_ok (pool_actor_create (&holder, name, 1, 0), NULL);
  for (unsigned i = 0; i < N_ROUNDS; i++)
    run_round (&holder, name);
  pool_actor_stop (&holder);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/waiter-killed", test_waiter_killed);
  return g_test_run ();
}
