/* SPDX-License-Identifier: MIT */
/* Waiting for clients to come, and for them to give everything back. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_waiting_for_clients (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actors[2];
  int64_t before = g_get_monotonic_time ();

  harness_assert_ok (
      xmem_publisher_wait_clients (source.publisher, 0, 0), NULL);
  harness_assert_status (
      xmem_publisher_wait_clients (source.publisher, 1, 30 * 1000000),
      XMEM_AGAIN, NULL);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 30000);
  for (unsigned i = 0; i < 2; i++) {
    actor_start (&actors[i]);
    harness_tell (&actors[i].child, "connect %s 0 4 -1", address);
  }
  harness_assert_ok (
      xmem_publisher_wait_clients (source.publisher, 2, XMEM_WAIT_FOREVER),
      NULL);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 2);
  for (unsigned i = 0; i < 2; i++)
    actor_stop (&actors[i]);
  source_close (&source);
}

static void
test_waiting_for_releases (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  harness_assert_ok (xmem_publisher_wait_released (source.publisher, 0), NULL);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 0);
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&actor, 0);
  harness_assert_status (
      xmem_publisher_wait_released (source.publisher, 10 * 1000000), XMEM_AGAIN,
      NULL);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 1);
  actor_release (&actor, 0);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/waiting-for-clients", test_waiting_for_clients);
  harness_add ("/waiting-for-releases", test_waiting_for_releases);
  return g_test_run ();
}
