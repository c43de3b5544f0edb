/* SPDX-License-Identifier: MIT */
/* A process is stopped while it attaches to a pool, or detaches. Others cannot
 * attach now, and are told why; who is attached goes on. Once it goes on, or is
 * killed, all is well. */
#include "pool-actor.h"

static void
freeze_while_attaching (struct pool_actor *visitor, const char *name)
{
  pool_actor_start (visitor);
  pool_actor_come_and_go (visitor, name);
  for (;;) {
    pool_actor_freeze (visitor);
    if (pool_file_is_locked (name, XMEM_LOCK_NAME))
      return;
    pool_actor_thaw (visitor);
    g_usleep ((gulong) g_test_rand_int_range (0, 100));
  }
}

/* A pool, who made it, and who is stopped while it attaches. */
static void
begin (char name[POOL_NAME_MAX], struct pool_actor *resident,
    struct pool_actor *visitor)
{
  pool_name (name, "attached");
  pool_actor_start (resident);
  harness_assert_ok (pool_actor_create (resident, name, 8, 0), NULL);
  freeze_while_attaching (visitor, name);
}

static void
test_stopped_while_attaching (void)
{
  struct pool_actor resident, visitor, other;
  char name[POOL_NAME_MAX];

  begin (name, &resident, &visitor);
  pool_actor_start (&other);
  harness_assert_status (pool_actor_open (&other, name, 0), XMEM_IN_USE, NULL);
  harness_assert_contains (other.message, "stopped");
  harness_assert_status (
      pool_actor_create (&other, name, 8, 0), XMEM_IN_USE, NULL);
  g_assert_cmpuint (pool_actor_acquire_all (&resident, 64), ==, 8);
  pool_actor_die (&visitor);
  harness_assert_ok (pool_actor_open (&other, name, 0), NULL);
  pool_actor_stop (&resident);
  g_assert_cmpuint (pool_actor_acquire_all (&other, 64), ==, 8);
  pool_actor_stop (&other);
  g_assert_false (pool_file_exists (name));
}

/* Who leaves does not wait for ever; the name stays for the next to come. */
static void
test_others_may_leave (void)
{
  struct pool_actor resident, visitor;
  char name[POOL_NAME_MAX];

  begin (name, &resident, &visitor);
  pool_actor_close (&resident);
  pool_actor_die (&visitor);
  g_assert_true (pool_file_exists (name));
  harness_assert_ok (pool_actor_create (&resident, name, 3, 0), NULL);
  g_assert_cmpuint (pool_actor_acquire_all (&resident, 64), ==, 3);
  pool_actor_stop (&resident);
  g_assert_false (pool_file_exists (name));
}

/* Who waits must not take it for the others' fault when nobody has run: a
 * machine that was paused, here two processes that were. */
static void
test_all_are_stopped (void)
{
  struct pool_actor resident, visitor, other;
  char name[POOL_NAME_MAX];

  begin (name, &resident, &visitor);
  pool_actor_start (&other);
  pool_actor_open_begin (&other, name, 0);
  harness_sleep_ms (20); /* so that it is waiting, most probably */
  pool_actor_freeze (&other);
  harness_sleep_ms (1500); /* longer than others are waited for */
  pool_actor_thaw (&other);
  pool_actor_thaw (&visitor);
  harness_assert_ok (pool_actor_open_end (&other), NULL);
  pool_actor_die (&visitor);
  pool_actor_stop (&other);
  pool_actor_stop (&resident);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/stopped-while-attaching", test_stopped_while_attaching);
  harness_add ("/others-may-leave", test_others_may_leave);
  harness_add ("/all-are-stopped", test_all_are_stopped);
  return g_test_run ();
}
