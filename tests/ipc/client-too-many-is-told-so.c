/* SPDX-License-Identifier: MIT */
/* A publisher that serves so many clients and no more says that to the next
 * one, whether it came by a path or by a name that may be in three places. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
check_limit (const char *address)
{
  const struct xmem_publisher_params params = {
    .struct_size = sizeof (params), .address = address, .max_clients = 2
  };
  struct actor actors[2], third;
  struct source source;

  source_open (&source, &params);
  for (unsigned i = 0; i < 2; i++)
    actor_start_subscriber (&actors[i], address, XMEM_DELIVERY_LATEST, 0);
  actor_start (&third);
  harness_assert_status (
      actor_connect (&third, address, XMEM_DELIVERY_LATEST, 0, -1),
      XMEM_REFUSED, NULL);
  harness_assert_contains (third.message, "at most 2 clients");
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 2);
  actor_stop (&actors[0]);
  harness_wait_until (source_stats (&source).n_clients == 1);
  harness_assert_ok (
      actor_connect (&third, address, XMEM_DELIVERY_LATEST, 0, -1), NULL);
  g_assert_cmpuint (source_stats (&source).clients_served, ==, 3);
  actor_stop (&third);
  actor_stop (&actors[1]);
  source_close (&source);
}

static void
test_by_path (void)
{
  check_limit (harness_path ("socket"));
}

static void
test_by_name (void)
{
  char *runtime = g_path_get_dirname (harness_path ("xmem"));

  g_setenv ("XDG_RUNTIME_DIR", runtime, TRUE);
  check_limit ("camera");
  g_free (runtime);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/by-path", test_by_path);
  harness_add ("/by-name", test_by_name);
  return g_test_run ();
}
