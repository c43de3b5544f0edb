/* SPDX-License-Identifier: MIT */
/* Two references are handed over; one is taken by a process that is killed, the
 * other by nobody. Once the handover timeout is over the dead hold and the late
 * reference go in one step, for who reclaims and for who acquires. */
#include "pool-actor.h"

#define HANDOVER_MS 50

/* A pool of one slot that only a dead process and a late reference have. */
static void
start (struct pool_actor *witness, const char *name)
{
  struct pool_actor taker;
  uint64_t id;

  pool_actor_start (witness);
  harness_assert_ok (pool_actor_create (witness, name, 1, HANDOVER_MS), NULL);
  pool_actor_start_open (&taker, name);
  id = pool_actor_expect_slot (witness, 64);
  harness_assert_ok (pool_actor_give (witness, id, 2), NULL);
  harness_assert_ok (pool_actor_take (&taker, id, XMEM_READ), NULL);
  pool_actor_die (&taker);
  harness_sleep_ms (HANDOVER_MS + 1); /* the timeout itself */
  g_assert_cmpuint (pool_actor_get_stats (witness).n_in_flight, ==, 1);
}

static void
test_one_reclaim_is_enough (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor witness;

  pool_name (name, "both");
  start (&witness, name);
  g_assert_cmpuint (pool_actor_reclaim (&witness), ==, 1);
  g_assert_cmpuint (pool_actor_get_stats (&witness).n_used, ==, 0);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static void
test_one_acquire_is_enough (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor witness;

  pool_name (name, "both");
  start (&witness, name);
  pool_actor_expect_slot (&witness, 64);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/one-reclaim-is-enough", test_one_reclaim_is_enough);
  harness_add ("/one-acquire-is-enough", test_one_acquire_is_enough);
  return g_test_run ();
}
