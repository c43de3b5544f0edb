/* SPDX-License-Identifier: MIT */
/* Processes that acquire, hand over, take, get and release without pause are
 * killed at any instruction, and others take their places; some are stopped for
 * a while. No slot is ever
 * handed out twice while this goes on; when it is over not one is lost.
 *
 * In rounds, each with a new pool, so that making, growing and the last close
 * are among what is interrupted. XMEM_KILLS=N goes on until so many were
 * killed. GTest prints the seed; --seed=SEED repeats the choices. */
#include <signal.h>
#include <stdlib.h>

#include "crowd.h"
#include "pool-actor.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SECONDS 15
#define KILLS_PER_ROUND 60
#else
#define SECONDS 60
#define KILLS_PER_ROUND 150
#endif

#define N_WORKERS 4
#define HANDOVER_NS INT64_C (50000000)

static struct {
  struct crowd_board *board;
  struct crowd_worker workers[N_WORKERS];
  unsigned n_lives;
  unsigned n_killed;
  uint64_t totals[CROWD_N_DEEDS];
} self;

static void
start_worker (unsigned i)
{
  crowd_start_worker (&self.workers[i], self.board, i, ++self.n_lives);
}

/* Mostly microseconds, at times so long that all of them are well under way. */
static void
pause_at_random (void)
{
  g_usleep ((1u << g_test_rand_int_range (0, 15))
            + (unsigned) g_test_rand_int_range (0, 500));
}

/* One sleeps in the middle of something and goes on later, perhaps when what it
 * was about to hand over has expired. */
static void
freeze_one (void)
{
  struct harness_child *child =
      &self.workers[g_test_rand_int_range (0, N_WORKERS)].child;

  harness_kill (child, SIGSTOP);
  pause_at_random ();
  if (g_test_rand_int_range (0, 8) == 0)
    harness_sleep_ms (HANDOVER_NS / 1000000);
  harness_kill (child, SIGCONT);
}

static void
kill_one (void)
{
  unsigned i = (unsigned) g_test_rand_int_range (0, N_WORKERS);

  if (g_test_rand_int_range (0, 8) == 0)
    freeze_one ();
  /* The others die while they start. */
  if (g_test_rand_int_range (0, 4) > 0)
    crowd_await_steps (&self.workers[i], self.board, 1);
  pause_at_random ();
  crowd_kill_worker (&self.workers[i], self.board);
  self.n_killed++;
  start_worker (i);
}

/* While nobody is killed nobody may be stuck. */
static void
let_all_go_on (void)
{
  for (unsigned i = 0; i < N_WORKERS; i++)
    crowd_await_steps (&self.workers[i], self.board, 200);
}

static void
end_workers (void)
{
  unsigned n_killed = (unsigned) g_test_rand_int_range (0, N_WORKERS + 1);

  for (unsigned i = 0; i < n_killed; i++)
    crowd_kill_worker (&self.workers[i], self.board);
  atomic_store (&self.board->stop, true);
  for (unsigned i = n_killed; i < N_WORKERS; i++)
    crowd_join_worker (&self.workers[i], self.board);
}

static struct xmem_pool *
create_pool (void)
{
  static const uint32_t n_slots[] = { 6, 16, 64 };
  static const uint64_t sizes[] = { 64, 1000, 5000, 100000 };
  struct xmem_pool_params params = { .struct_size = sizeof (params),
    .handover_timeout_ns = HANDOVER_NS };
  struct crowd_board *board = self.board = crowd_new ();
  struct xmem_pool *pool;
  struct xmem_error error;

  pool_name (board->pool, "killed");
  board->n_slots = params.n_slots = n_slots[g_test_rand_int_range (0, 3)];
  board->n_threads = (uint32_t) g_test_rand_int_range (1, 3);
  board->max_held = (uint32_t) g_test_rand_int_range (2, 6);
  board->reopens = board->n_threads == 1;
  board->max_wait_ns = 100000000;
  board->sizes[0] = sizes[g_test_rand_int_range (0, 4)];
  board->sizes[1] = sizes[g_test_rand_int_range (0, 4)];
  harness_assert_ok (
      xmem_pool_create (board->pool, &params, &pool, &error), &error);
  return pool;
}

/* All who used it are gone, this process has nothing: it must be as new. */
static void
expect_nothing_lost (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;
  struct xmem_error error;
  struct pool_actor fresh;

  /* The timeout itself. */
  harness_sleep_ms (HANDOVER_NS / 1000000 + 1);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
  xmem_pool_get_stats (pool, &stats);
  if (stats.n_used > 0)
    pool_file_dump (self.board->pool);
  g_assert_cmpuint (stats.n_used, ==, 0);
  g_assert_cmpuint (stats.n_processes, ==, 1);
  pool_actor_start_open (&fresh, self.board->pool);
  g_assert_cmpuint (
      pool_actor_acquire_all (&fresh, 64), ==, self.board->n_slots);
  pool_actor_stop (&fresh);
}

static void
run_round (void)
{
  struct xmem_pool *pool = create_pool ();

  self.n_lives = 0;
  for (unsigned i = 0; i < N_WORKERS; i++)
    start_worker (i);
  for (unsigned i = 0; i < KILLS_PER_ROUND; i++)
    kill_one ();
  let_all_go_on ();
  end_workers ();
  expect_nothing_lost (pool);
  xmem_pool_unref (pool);
  g_assert_false (pool_file_exists (self.board->pool));
  for (unsigned d = 0; d < CROWD_N_DEEDS; d++)
    self.totals[d] += crowd_count (self.board, (enum crowd_deed) d);
  crowd_free (self.board);
}

static void
test_killed_at_random (void)
{
  const char *wanted = g_getenv ("XMEM_KILLS");
  unsigned n_wanted = wanted ? (unsigned) atoi (wanted) : 0;
  gint64 start = g_get_monotonic_time ();
  gint64 end = start + SECONDS * G_USEC_PER_SEC;

  do
    run_round ();
  while (n_wanted ? self.n_killed < n_wanted : g_get_monotonic_time () < end);
  g_test_message ("%u killed in %.1f s", self.n_killed,
      (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  crowd_report (self.totals);
}

static const struct harness_role roles[] = { { "worker", crowd_run_worker },
  { "pool-actor", pool_actor_run }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/killed-at-random", test_killed_at_random);
  return g_test_run ();
}
