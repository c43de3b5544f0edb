/* SPDX-License-Identifier: MIT */
/* A process is stopped in the middle of growing a pool. Nobody else can grow it
 * now, and everybody gets an answer all the same; what is free can be had, also
 * what only the dead had. */
#include <poll.h>

#include "pool-actor.h"

#define MANY_BYTES (16u << 20)

static bool
has_answered (const struct pool_actor *actor)
{
  struct pollfd line = { .fd = actor->child.fd, .events = POLLIN };

  return poll (&line, 1, 0) > 0;
}

/* Lets it grow the pool, more each time, until it happens to be stopped while
 * it does: where it stops nobody can say. */
static void
freeze_while_growing (struct pool_actor *grower, const char *name)
{
  for (unsigned n = 1;; n++) {
    pool_actor_preallocate_begin (grower, MANY_BYTES, n);
    while (
        !pool_file_is_locked (name, XMEM_LOCK_GROWTH) && !has_answered (grower))
      ;
    pool_actor_freeze (grower);
    if (pool_file_is_locked (name, XMEM_LOCK_GROWTH))
      return;
    pool_actor_thaw (grower);
    harness_assert_ok (pool_actor_preallocate_end (grower), NULL);
  }
}

static void
start (struct pool_actor *other, struct pool_actor *grower, const char *name)
{
  pool_actor_start (other);
  harness_assert_ok (pool_actor_create (other, name, 64, 0), NULL);
  pool_actor_start_open (grower, name);
}

static void
stop (struct pool_actor *other, struct pool_actor *grower, const char *name)
{
  pool_actor_thaw (grower);
  harness_assert_ok (pool_actor_preallocate_end (grower), NULL);
  /* As if nothing had been. */
  pool_actor_expect_slot (other, MANY_BYTES);
  pool_actor_expect_slot (grower, MANY_BYTES);
  pool_actor_stop (grower);
  pool_actor_stop (other);
  g_assert_false (pool_file_exists (name));
}

static void
test_everybody_is_answered (void)
{
  struct pool_actor other, grower;
  char name[POOL_NAME_MAX];
  gint64 start_us;
  uint64_t id = 0;
  unsigned n;

  pool_name (name, "growing");
  start (&other, &grower, name);
  pool_actor_unref (&other, pool_actor_expect_slot (&other, 64));
  n = pool_actor_get_stats (&other).n_slots;
  freeze_while_growing (&grower, name);
  start_us = g_get_monotonic_time ();
  g_assert_cmpuint (pool_actor_acquire_all (&other, 64), >=, n);
  g_test_message ("answered after %.2f s without waiting",
      (double) (g_get_monotonic_time () - start_us) / G_USEC_PER_SEC);
  start_us = g_get_monotonic_time ();
  harness_assert_status (
      pool_actor_acquire (&other, 64, 50, &id), XMEM_AGAIN, NULL);
  g_test_message ("answered after %.2f s, having waited 0.05",
      (double) (g_get_monotonic_time () - start_us) / G_USEC_PER_SEC);
  harness_assert_status (
      pool_actor_preallocate (&other, 64, 8), XMEM_FULL, NULL);
  harness_assert_contains (other.message, "stopped");
  stop (&other, &grower, name);
}

static void
test_what_the_dead_had_can_be_had (void)
{
  struct pool_actor other, grower, victim;
  char name[POOL_NAME_MAX];
  unsigned n;

  pool_name (name, "growing");
  start (&other, &grower, name);
  pool_actor_unref (&other, pool_actor_expect_slot (&other, 64));
  pool_actor_start_open (&victim, name);
  freeze_while_growing (&grower, name);
  n = pool_actor_acquire_all (&victim, 64);
  g_assert_cmpuint (n, >, 0);
  pool_actor_die (&victim);
  g_assert_cmpuint (pool_actor_acquire_all (&other, 64), ==, n);
  stop (&other, &grower, name);
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/everybody-is-answered", test_everybody_is_answered);
  harness_add (
      "/what-the-dead-had-can-be-had", test_what_the_dead_had_can_be_had);
  return g_test_run ();
}
