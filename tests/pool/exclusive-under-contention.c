/* SPDX-License-Identifier: MIT */
/* Eight processes of two threads each, more of them than processors, on one
 * pool of 64 slots: ten million steps, and never do two have the same slot. As
 * nobody dies all must be exact: whatever was given can be taken, and in the
 * end every slot is free without anything being reclaimed. */
#include <inttypes.h>

#include <xmem/pool.h>

#include "crowd.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define N_STEPS UINT64_C (1000000)
#else
#define N_STEPS UINT64_C (10000000)
#endif

static void
take_what_was_sent (struct crowd_board *board, struct xmem_pool *pool)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  for (unsigned i = 0; i < CROWD_MAIL; i++) {
    if (board->mail[i] == 0)
      continue;
    harness_assert_ok (
        xmem_pool_take (pool, board->mail[i], XMEM_READ, &buffer, &error),
        &error);
    xmem_buffer_unref (buffer);
  }
}

static void
run_workers (struct crowd_board *board)
{
  struct crowd_worker workers[CROWD_WORKERS];

  for (unsigned i = 0; i < CROWD_WORKERS; i++)
    crowd_start_worker (&workers[i], board, i, i + 1);
  for (unsigned i = 0; i < CROWD_WORKERS; i++)
    crowd_join_worker (&workers[i], board);
}

static void
test_exclusive (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = CROWD_SLOTS,
    .handover_timeout_ns = XMEM_WAIT_FOREVER };
  struct crowd_board *board = crowd_new ();
  struct xmem_pool_stats stats;
  struct xmem_pool *pool;
  struct xmem_error error;
  uint64_t totals[CROWD_N_DEEDS];
  gint64 start;

  pool_name (board->pool, "contended");
  board->n_slots = CROWD_SLOTS;
  board->n_threads = CROWD_THREADS;
  board->max_held = 6;
  board->patient = true;
  board->sizes[0] = 256;
  board->sizes[1] = 256;
  board->n_steps = N_STEPS / (CROWD_WORKERS * CROWD_THREADS);
  board->max_wait_ns = 10000000;
  harness_assert_ok (
      xmem_pool_create (board->pool, &params, &pool, &error), &error);
  start = g_get_monotonic_time ();
  run_workers (board);
  take_what_was_sent (board, pool);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  g_assert_cmpuint (stats.n_processes, ==, 1);
  g_test_message ("%" PRIu64 " steps in %.1f s", crowd_count_all (board),
      (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  for (unsigned d = 0; d < CROWD_N_DEEDS; d++)
    totals[d] = crowd_count (board, (enum crowd_deed) d);
  crowd_report (totals);
  xmem_pool_unref (pool);
  g_assert_false (pool_file_exists (board->pool));
  crowd_free (board);
}

static const struct harness_role roles[] = { { "worker", crowd_run_worker },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/exclusive-under-contention", test_exclusive);
  return g_test_run ();
}
