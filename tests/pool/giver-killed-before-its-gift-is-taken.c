/* SPDX-License-Identifier: MIT */
/* A process hands a buffer over and is killed. The reference is good until the
 * handover timeout; then the slot comes back, and who comes late is told so. */
#include "pool-actor.h"

#define HANDOVER_MS 50

static uint64_t
give_and_die (const char *name, unsigned n, uint64_t stamp)
{
  struct pool_actor giver;
  uint64_t id;

  pool_actor_start_open (&giver, name);
  id = pool_actor_expect_slot (&giver, 64);
  pool_actor_stamp (&giver, id, stamp);
  harness_assert_ok (pool_actor_give (&giver, id, n), NULL);
  pool_actor_die (&giver);
  return id;
}

/* Without a timeout nothing is lost by the giver's death. */
static void
test_gift_outlives_its_giver (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor taker;
  uint64_t id;

  pool_name (name, "given");
  pool_actor_start (&taker);
  harness_assert_ok (
      pool_actor_create (&taker, name, 4, POOL_ACTOR_FOREVER), NULL);
  id = give_and_die (name, 1, 12);
  g_assert_cmpuint (pool_actor_reclaim (&taker), ==, 0);
  g_assert_cmpuint (pool_actor_get_stats (&taker).n_in_flight, ==, 1);
  harness_assert_ok (pool_actor_take (&taker, id, XMEM_READ), NULL);
  g_assert_true (pool_actor_sees (&taker, id, 12));
  harness_assert_status (
      pool_actor_take (&taker, id, XMEM_READ), XMEM_STALE, NULL);
  pool_actor_unref (&taker, id);
  g_assert_cmpuint (pool_actor_get_stats (&taker).n_used, ==, 0);
  pool_actor_stop (&taker);
  g_assert_false (pool_file_exists (name));
}

static void
test_late_take_is_stale (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor taker;
  uint64_t old, id;

  pool_name (name, "given");
  pool_actor_start (&taker);
  harness_assert_ok (pool_actor_create (&taker, name, 4, HANDOVER_MS), NULL);
  old = give_and_die (name, 3, 13);
  harness_wait_until (pool_actor_reclaim (&taker) == 1);
  g_assert_cmpuint (pool_actor_get_stats (&taker).n_used, ==, 0);
  harness_assert_status (
      pool_actor_take (&taker, old, XMEM_READ), XMEM_STALE, NULL);
  harness_assert_status (
      pool_actor_get (&taker, old, XMEM_READ), XMEM_STALE, NULL);
  id = pool_actor_expect_slot (&taker, 64);
  g_assert_cmpuint ((uint32_t) id, ==, (uint32_t) old);
  g_assert_cmpuint (id >> 32, >, old >> 32);
  harness_assert_status (
      pool_actor_take (&taker, old, XMEM_READ), XMEM_STALE, NULL);
  pool_actor_stop (&taker);
  g_assert_false (pool_file_exists (name));
}

/* Somebody who needs a slot waits, and has it soon after the timeout. */
static void
test_acquirer_gets_what_nobody_took (void)
{
  char name[POOL_NAME_MAX];
  struct pool_actor taker;
  uint64_t old, id = 0;

  pool_name (name, "given");
  pool_actor_start (&taker);
  harness_assert_ok (pool_actor_create (&taker, name, 1, HANDOVER_MS), NULL);
  old = give_and_die (name, 1, 14);
  harness_assert_ok (
      pool_actor_acquire (&taker, 64, POOL_ACTOR_FOREVER, &id), NULL);
  g_assert_cmpuint ((uint32_t) id, ==, (uint32_t) old);
  harness_assert_status (
      pool_actor_take (&taker, old, XMEM_READ), XMEM_STALE, NULL);
  pool_actor_stop (&taker);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/gift-outlives-its-giver", test_gift_outlives_its_giver);
  harness_add ("/late-take-is-stale", test_late_take_is_stale);
  harness_add (
      "/acquirer-gets-what-nobody-took", test_acquirer_gets_what_nobody_took);
  return g_test_run ();
}
