/* SPDX-License-Identifier: MIT */
/* A process is stopped while it holds slots. It lives: it keeps them, however
 * often others reclaim, and they go on with the rest. */
#include "pool-actor.h"

#define N_SLOTS 8
#define N_KEPT 3

static void
test_stopped_holder (void)
{
  struct pool_actor sleeper, other, newcomer;
  char name[POOL_NAME_MAX];
  uint64_t kept[N_KEPT], id = 0;

  pool_name (name, "kept");
  pool_actor_start (&sleeper);
  harness_assert_ok (pool_actor_create (&sleeper, name, N_SLOTS, 10), NULL);
  pool_actor_start_open (&other, name);
  for (unsigned i = 0; i < N_KEPT; i++) {
    kept[i] = pool_actor_expect_slot (&sleeper, 64);
    pool_actor_stamp (&sleeper, kept[i], 100 + i);
  }
  pool_actor_freeze (&sleeper);
  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpuint (pool_actor_reclaim (&other), ==, 0);
    g_assert_cmpuint (
        pool_actor_acquire_all (&other, 64), ==, N_SLOTS - N_KEPT);
    harness_assert_status (
        pool_actor_acquire (&other, 64, 150, &id), XMEM_AGAIN, NULL);
    pool_actor_start_open (&newcomer, name);
    g_assert_cmpuint (pool_actor_acquire_all (&newcomer, 64), ==, 0);
    pool_actor_close (&other);
    g_assert_cmpuint (
        pool_actor_acquire_all (&newcomer, 64), ==, N_SLOTS - N_KEPT);
    harness_assert_ok (pool_actor_get (&newcomer, kept[i], XMEM_READ), NULL);
    g_assert_true (pool_actor_sees (&newcomer, kept[i], 100 + i));
    pool_actor_stop (&newcomer);
    harness_assert_ok (pool_actor_open (&other, name, 0), NULL);
  }
  pool_actor_thaw (&sleeper);
  for (unsigned i = 0; i < N_KEPT; i++)
    g_assert_true (pool_actor_sees (&sleeper, kept[i], 100 + i));
  pool_actor_stop (&sleeper);
  g_assert_cmpuint (pool_actor_get_stats (&other).n_used, ==, 0);
  pool_actor_stop (&other);
  g_assert_false (pool_file_exists (name));
}

/* It sleeps in acquire, and does so longer than it meant to. */
static void
test_stopped_waiter (void)
{
  struct pool_actor sleeper, holder, other;
  char name[POOL_NAME_MAX];
  uint64_t id, other_id = 0;

  pool_name (name, "kept");
  pool_actor_start (&holder);
  harness_assert_ok (pool_actor_create (&holder, name, 1, 0), NULL);
  pool_actor_start_open (&sleeper, name);
  pool_actor_start_open (&other, name);
  id = pool_actor_expect_slot (&holder, 64);
  pool_actor_acquire_begin (&sleeper, 64, POOL_ACTOR_FOREVER);
  harness_wait_until (pool_file_count_waiting (name) == 1);
  pool_actor_freeze (&sleeper);
  pool_actor_acquire_begin (&other, 64, POOL_ACTOR_FOREVER);
  pool_actor_unref (&holder, id);
  harness_assert_ok (pool_actor_acquire_end (&other, &other_id), NULL);
  pool_actor_unref (&other, other_id);
  pool_actor_thaw (&sleeper);
  harness_assert_ok (pool_actor_acquire_end (&sleeper, &id), NULL);
  pool_actor_stop (&sleeper);
  pool_actor_stop (&other);
  pool_actor_stop (&holder);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/stopped-holder", test_stopped_holder);
  harness_add ("/stopped-waiter", test_stopped_waiter);
  return g_test_run ();
}
