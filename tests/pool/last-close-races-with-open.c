/* SPDX-License-Identifier: MIT */
/* One process makes a pool and lets it go, over and over, while others open it:
 * each of these has a whole pool or XMEM_NOT_FOUND, and nothing is left. */
#include <signal.h>
#include <stdlib.h>

#include <xmem/pool.h>

#include "harness/harness.h"
#include "pool-file.h"

#define N_VISITORS 2

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_ROUNDS 500
#else
#define N_ROUNDS 3000
#endif

/* Uses what it opens, so that half a pool would show. */
static void
use (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, 64, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      &error);
  *(uint64_t *) xmem_buffer_get_mut_data (buffer) = 1;
  xmem_buffer_unref (buffer);
}

static void
run_maker (int argc, char **argv)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 4 };
  unsigned n_rounds = (unsigned) atoi (argv[1]);
  struct xmem_pool *pool;
  struct xmem_error error;

  for (unsigned n_made = 0; n_made < n_rounds;) {
    int r = xmem_pool_create (argv[0], &params, &pool, &error);

    /* A visitor may have been the last. */
    if (r == XMEM_IN_USE)
      continue;
    harness_assert_ok (r, &error);
    n_made++;
    use (pool);
    xmem_pool_unref (pool);
  }
  harness_say ("done");
}

static volatile sig_atomic_t told_to_end;

static void
tell_to_end (int signal)
{
  told_to_end = 1;
}

static void
run_visitor (int argc, char **argv)
{
  unsigned n_opened = 0, n_missed = 0;
  struct xmem_pool *pool;
  struct xmem_error error;

  signal (SIGTERM, tell_to_end);
  harness_say ("here");
  while (!told_to_end) {
    int r = xmem_pool_open (argv[0], 0, &pool, &error);

    if (r == XMEM_NOT_FOUND) {
      n_missed++;
      continue;
    }
    harness_assert_ok (r, &error);
    n_opened++;
    use (pool);
    xmem_pool_unref (pool);
  }
  harness_say ("found it %u times, and not %u times", n_opened, n_missed);
}

static void
test_last_close (void)
{
  struct harness_child maker, visitors[N_VISITORS];
  char name[POOL_NAME_MAX], n_rounds[16], line[HARNESS_LINE_MAX];

  pool_name (name, "closing");
  g_snprintf (n_rounds, sizeof (n_rounds), "%d", N_ROUNDS);
  for (unsigned i = 0; i < N_VISITORS; i++) {
    harness_spawn (&visitors[i], "visitor", name, NULL);
    harness_hear (&visitors[i], line);
  }
  harness_spawn (&maker, "maker", name, n_rounds, NULL);
  harness_hear (&maker, line);
  g_assert_cmpint (harness_join (&maker), ==, 0);
  for (unsigned i = 0; i < N_VISITORS; i++) {
    harness_kill (&visitors[i], SIGTERM);
    harness_hear (&visitors[i], line);
    g_test_message ("%s", line);
    g_assert_cmpint (harness_join (&visitors[i]), ==, 0);
  }
  g_assert_cmpuint (pool_file_count (name), ==, 0);
}

static const struct harness_role roles[] = { { "maker", run_maker },
  { "visitor", run_visitor }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/last-close", test_last_close);
  return g_test_run ();
}
