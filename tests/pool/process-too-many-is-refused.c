/* SPDX-License-Identifier: MIT */
/* As many processes as a pool has room for attach at the same time, and all are
 * let in; one more is told XMEM_FULL, and gets the place of the first that
 * goes, whether it leaves or is killed. */
#include "pool-actor.h"

static void
open_all (struct pool_actor *actors, unsigned n, const char *name)
{
  for (unsigned i = 0; i < n; i++)
    pool_actor_start (&actors[i]);
  for (unsigned i = 0; i < n; i++)
    pool_actor_open_begin (&actors[i], name, 0);
  for (unsigned i = 0; i < n; i++)
    harness_assert_ok (pool_actor_open_end (&actors[i]), NULL);
}

static void
test_twenty_fifth_is_refused (void)
{
  struct pool_actor actors[XMEM_MAX_PROCESSES];
  struct pool_actor *creator = &actors[0];
  struct pool_actor late;
  char name[POOL_NAME_MAX];
  uint64_t id;

  pool_name (name, "crowded");
  pool_actor_start (creator);
  harness_assert_ok (pool_actor_create (creator, name, 64, 0), NULL);
  open_all (actors + 1, XMEM_MAX_PROCESSES - 1, name);
  id = pool_actor_expect_slot (creator, 64);
  for (unsigned i = 1; i < XMEM_MAX_PROCESSES; i++)
    harness_assert_ok (pool_actor_get (&actors[i], id, XMEM_READ), NULL);
  g_assert_cmpuint (
      pool_actor_get_stats (creator).n_processes, ==, XMEM_MAX_PROCESSES);
  pool_actor_start (&late);
  harness_assert_status (pool_actor_open (&late, name, 0), XMEM_FULL, NULL);
  pool_actor_close (&actors[5]);
  harness_assert_ok (pool_actor_open (&late, name, 0), NULL);
  harness_assert_status (
      pool_actor_open (&actors[5], name, 0), XMEM_FULL, NULL);
  pool_actor_die (&actors[7]);
  harness_assert_ok (pool_actor_open (&actors[5], name, 0), NULL);
  for (unsigned i = 0; i < XMEM_MAX_PROCESSES; i++)
    if (i != 7)
      pool_actor_stop (&actors[i]);
  g_assert_cmpuint (pool_actor_get_stats (&late).n_used, ==, 0);
  pool_actor_stop (&late);
  g_assert_false (pool_file_exists (name));
}

static const struct harness_role roles[] = { { "pool-actor", pool_actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/twenty-fifth-is-refused", test_twenty_fifth_is_refused);
  return g_test_run ();
}
