/* SPDX-License-Identifier: MIT */
/* Processes of two threads each, which acquire, write, hand over, take and get
 * buffers of one named pool on a device, and close and open it, are killed at
 * some instant, again and again. What was written is what is found, by who wrote
 * it and by who takes it, and in the end no slot is lost.
 *
 * They die as owners of memory as well, which others then look at, or have all of
 * it from a process that lives: a driver may take away what a dead one allocated.
 *
 * XMEM_CUDA_KILLS: how many times. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/double.h"
#include "harness/named.h"
#include "pool/pool.h"

#define N_WORKERS 4
#define N_SLOTS 24
/* Large, so that segments have few slots each and there are several owners. Of it
 * so many words are used. */
#define SIZE (512 << 10)
#define N_WORDS 512

static _Thread_local struct xmem_error error;
static _Thread_local GRand *dice;
static struct xmem_pool *pool;
static CUstream stream;

/* --- a worker ------------------------------------------------------------ */

static unsigned
roll (unsigned n)
{
  return (unsigned) g_rand_int_range (dice, 0, (gint32) n);
}

/* What may come of it while others die: a process's memory may be gone a while
 * before its lock is. */
static bool
came (int r)
{
  if (r == 0)
    return true;
  if (r != XMEM_AGAIN && r != XMEM_STALE && r != XMEM_GONE)
    harness_assert_contains (error.message, "cuIpcOpenMemHandle ()");
  return false;
}

static bool
carries (const struct xmem_buffer *buffer, uint64_t stamp)
{
  struct double_tally tally = { 0 };

  double_check (stream, xmem_buffer_get_cuda_pointer (buffer), N_WORDS, stamp,
      roll (200), &tally);
  g_assert_cmpint (cuda_double.cuStreamSynchronize (stream), ==, 0);
  return tally.n_good == 1;
}

/* As its own, then handed over or not. */
static void
use_one (void)
{
  struct xmem_buffer *buffer;
  uint64_t id;

  if (!came (xmem_pool_acquire_cuda (
          pool, SIZE * (1 + roll (2)), 0, 0, 0, &buffer, &error)))
    return;
  id = xmem_buffer_get_id (buffer);
  double_write (stream, xmem_buffer_get_cuda_pointer (buffer), N_WORDS, id);
  g_assert_cmpint (cuda_double.cuStreamSynchronize (stream), ==, 0);
  g_assert_true (carries (buffer, id));
  if (roll (2) == 0)
    harness_assert_ok (xmem_buffer_give (buffer, 1 + roll (2), &error), &error);
  else
    xmem_buffer_unref (buffer);
}

/* Whatever there is; and what was handed over as it was written. */
static void
look_at_one (bool take)
{
  struct xmem_buffer *buffer;
  uint64_t id;

  if (!came (
          xmem_pool_get_at (pool, roll (N_SLOTS), XMEM_READ, &buffer, &error)))
    return;
  g_assert_cmpuint (xmem_buffer_get_cuda_pointer (buffer), !=, 0);
  id = xmem_buffer_get_id (buffer);
  if (take && came (xmem_pool_take (pool, id, XMEM_WRITE, &buffer, &error))) {
    g_assert_true (carries (buffer, id));
    xmem_buffer_unref (buffer);
  }
  xmem_buffer_unref (buffer);
}

static void
open_pool (const char *name)
{
  harness_assert_ok (xmem_pool_open (name, 0, &pool, &error), &error);
}

static void
start (char **argv)
{
  double_load ();
  stream = double_stream ();
  dice = g_rand_new_with_seed ((guint32) strtoul (argv[1], NULL, 10));
  open_pool (argv[0]);
}

static void
work (void)
{
  for (unsigned i = roll (80); i > 0; i--) {
    if (roll (40) == 0)
      harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
    else if (roll (2) == 0)
      use_one ();
    else
      look_at_one (roll (2) == 0);
  }
}

static void *
run_thread (void *seed)
{
  CUcontext context;

  dice = g_rand_new_with_seed (GPOINTER_TO_UINT (seed));
  g_assert_cmpint (cuda_double.cuDevicePrimaryCtxRetain (&context, 0), ==, 0);
  g_assert_cmpint (cuda_double.cuCtxSetCurrent (context), ==, 0);
  work ();
  g_rand_free (dice);
  return NULL;
}

static void
run_worker (int argc, char **argv)
{
  GThread *thread;

  start (argv);
  harness_say ("ready");
  for (;;) {
    thread = g_thread_new (
        "worker", run_thread, GUINT_TO_POINTER (g_rand_int (dice)));
    work ();
    g_thread_join (thread);
    xmem_pool_unref (pool);
    open_pool (argv[0]);
  }
}

/* Whoever else acquires has its memory. */
static void
run_owner (int argc, char **argv)
{
  char line[HARNESS_LINE_MAX];

  start (argv);
  harness_assert_ok (
      xmem_pool_preallocate_cuda (pool, 2 * SIZE, N_SLOTS, 0, &error), &error);
  harness_say ("ready");
  while (harness_listen (line))
    ;
  xmem_pool_unref (pool);
}

/* All that there was is there: each slot, once. */
static void
run_survivor (int argc, char **argv)
{
  struct xmem_buffer *buffers[N_SLOTS];
  struct xmem_pool_stats stats = { .n_used = 1 };

  start (argv);
  while (stats.n_used > 0) {
    harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
    xmem_pool_get_stats (pool, &stats);
    usleep (1000);
  }
  for (unsigned i = 0; i < N_SLOTS; i++)
    harness_assert_ok (
        xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffers[i], &error),
        &error);
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffers[0], &error),
      XMEM_AGAIN, &error);
  /* What is left of it is left to the end of the process. */
}

/* --- the test ------------------------------------------------------------ */

static void
spawn (struct harness_child *child, const char *role)
{
  g_autofree char *seed = g_strdup_printf ("%u", g_rand_int (dice));

  harness_spawn (child, role, named_name (), seed, NULL);
}

static void
spawn_ready (struct harness_child *child, const char *role)
{
  char line[HARNESS_LINE_MAX];

  spawn (child, role);
  harness_hear (child, line);
}

static void
kill_worker (struct harness_child *child)
{
  harness_kill (child, SIGKILL);
  g_assert_cmpint (harness_join (child), ==, -SIGKILL);
}

static uint64_t
count_acquired (const struct xmem_pool *named)
{
  uint64_t n = 0;

  for (unsigned i = 0; i < N_SLOTS; i++)
    n += xmem_slot_generation (atomic_load (&named->slots[i].state));
  return n;
}

static void
kill_workers (int n)
{
  struct harness_child workers[N_WORKERS];

  for (unsigned i = 0; i < N_WORKERS; i++)
    spawn_ready (&workers[i], "worker");
  for (int i = 0; i < n; i++) {
    struct harness_child *victim = &workers[roll (N_WORKERS)];

    usleep (roll (10000));
    kill_worker (victim);
    spawn_ready (victim, "worker");
  }
  for (unsigned i = 0; i < N_WORKERS; i++)
    kill_worker (&workers[i]);
}

static void
pass (bool owner_lives)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = N_SLOTS,
    .max_bytes = 64 << 20,
    .handover_timeout_ns = 2000000 };
  const char *text = g_getenv ("XMEM_CUDA_KILLS");
  int n = text ? atoi (text) : 100;
  struct harness_child owner, survivor;
  struct xmem_pool *named = named_create (&params);
  struct xmem_pool_stats stats;

  dice = g_rand_new_with_seed (g_test_rand_int ());
  if (owner_lives)
    spawn_ready (&owner, "owner");
  kill_workers (n);
  xmem_pool_get_stats (named, &stats);
  g_test_message ("%d kills, %" G_GUINT64_FORMAT
                  " buffers acquired, %u segments",
      n, count_acquired (named), stats.n_segments);
  spawn (&survivor, "survivor");
  g_assert_cmpint (harness_join (&survivor), ==, 0);
  if (owner_lives)
    g_assert_cmpint (harness_join (&owner), ==, 0);
  g_rand_free (dice);
  named_close (named);
}

static void
test_owners (void)
{
  pass (false);
}

static void
test_others (void)
{
  pass (true);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "worker", run_worker },
    { "owner", run_owner }, { "survivor", run_survivor }, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  double_add ("/owners", test_owners);
  harness_add ("/others", test_others);
  return g_test_run ();
}
