/* SPDX-License-Identifier: MIT */
/* The process that made a pool is killed. It was one of several: the others go
 * on, what it held comes back, and who opens the pool now may. */
#include "pool-actor.h"

static void
test_creator_killed (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor creator, other, newcomer, rival;
  uint64_t shared, id;

  pool_name (name, "orphaned");
  pool_actor_start (&creator);
  harness_assert_ok (pool_actor_create (&creator, name, 4, 0), NULL);
  pool_actor_start_open (&other, name);
  shared = pool_actor_expect_slot (&creator, 64);
  pool_actor_expect_slot (&creator, 64);
  pool_actor_stamp (&creator, shared, 99);
  harness_assert_ok (pool_actor_get (&other, shared, XMEM_WRITE), NULL);
  pool_actor_die (&creator);
  g_assert_true (pool_actor_sees (&other, shared, 99));
  g_assert_cmpuint (pool_actor_acquire_all (&other, 64), ==, 3);
  pool_actor_start_open (&newcomer, name);
  harness_assert_ok (pool_actor_get (&newcomer, shared, XMEM_READ), NULL);
  g_assert_true (pool_actor_sees (&newcomer, shared, 99));
  pool_actor_start (&rival);
  harness_assert_status (
      pool_actor_create (&rival, name, 4, 0), XMEM_IN_USE, NULL);
  pool_actor_stop (&rival);
  pool_actor_close (&other);
  pool_actor_unref (&newcomer, shared);
  id = pool_actor_expect_slot (&newcomer, 64);
  pool_actor_unref (&newcomer, id);
  pool_actor_stop (&other);
  g_assert_true (pool_file_exists (name));
  pool_actor_stop (&newcomer);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/creator-killed", test_creator_killed);
  return g_test_run ();
}
