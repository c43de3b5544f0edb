/* SPDX-License-Identifier: MIT */
/* Named pools, used by many threads of one process at once: the step between no
 * and one reference, where the count of the process and its bit in the slot
 * change together, is crossed in both directions as often as can be. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <xmem/pool.h>

#include "harness/frames.h"
#include "harness/harness.h"
#include "pool-file.h"

#define N_THREADS 6
#define SIZE 256

struct job {
  struct xmem_pool *pools[2]; /* two attachments, as if of two processes */
  uint64_t id;
  unsigned number;
  unsigned n_rounds;
};

static struct xmem_pool *
create (const char *name, uint32_t n_slots)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = n_slots,
    .handover_timeout_ns = XMEM_WAIT_FOREVER };
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_create (name, &params, &pool, &error), &error);
  return pool;
}

static struct xmem_pool *
attach (const char *name)
{
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_open (name, 0, &pool, &error), &error);
  return pool;
}

static struct xmem_buffer *
acquire (struct xmem_pool *pool, uint64_t stamp)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, SIZE, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      &error);
  frames_stamp (xmem_buffer_get_mut_data (buffer), SIZE, stamp);
  return buffer;
}

static void
check_stamp (const struct xmem_buffer *buffer, uint64_t expected)
{
  uint64_t stamp;

  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (buffer), SIZE, &stamp));
  g_assert_cmpuint (stamp, ==, expected);
}

static void
run_jobs (void *(*run) (void *), const struct job *job)
{
  struct job jobs[N_THREADS];
  pthread_t threads[N_THREADS];

  for (unsigned i = 0; i < N_THREADS; i++) {
    jobs[i] = *job;
    jobs[i].number = i;
    g_assert_cmpint (pthread_create (&threads[i], NULL, run, &jobs[i]), ==, 0);
  }
  for (unsigned i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
}

static void
expect_unused (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
}

/* --- one id, got and given back by all ----------------------------------- */

static void *
run_getter (void *data)
{
  const struct job *job = data;
  struct xmem_buffer *buffer;
  struct xmem_error error;

  for (unsigned i = 0; i < job->n_rounds; i++) {
    harness_assert_ok (xmem_pool_get (job->pools[job->number % 2], job->id,
                           i % 2 ? XMEM_READ : XMEM_WRITE, &buffer, &error),
        &error);
    check_stamp (buffer, 1);
    xmem_buffer_unref (buffer);
  }
  return NULL;
}

/* The holder is another attachment: each get and unref of a thread that is alone
 * at that moment takes the process in, or out. */
static void
test_last_and_first_cross (void)
{
  char name[POOL_NAME_MAX];
  struct job job = { .n_rounds = 20000 };
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_buffer_refs refs;

  pool_name (name, "crossing");
  pool = create (name, 4);
  job.pools[0] = attach (name);
  job.pools[1] = attach (name);
  buffer = acquire (pool, 1);
  job.id = xmem_buffer_get_id (buffer);
  run_jobs (run_getter, &job);
  xmem_buffer_get_refs (buffer, &refs);
  g_assert_cmpuint (refs.local, ==, 1);
  g_assert_cmpuint (refs.holders, ==, 1);
  g_assert_cmpuint (refs.in_flight, ==, 0);
  xmem_buffer_unref (buffer);
  expect_unused (pool);
  xmem_pool_unref (job.pools[0]);
  xmem_pool_unref (job.pools[1]);
  xmem_pool_unref (pool);
  g_assert_false (pool_file_exists (name));
}

/* --- ids that come and go ------------------------------------------------ */

static _Atomic uint64_t newest;

static void
make_newest (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer = acquire (pool, 0);
  uint64_t id = xmem_buffer_get_id (buffer);

  frames_stamp (xmem_buffer_get_mut_data (buffer), SIZE, id);
  atomic_store (&newest, id);
  sched_yield ();
  xmem_buffer_unref (buffer);
}

static void
seek_newest (struct xmem_pool *pool)
{
  uint64_t id = atomic_load (&newest);
  struct xmem_buffer *buffer;
  int r = xmem_pool_get (pool, id, XMEM_READ, &buffer, NULL);

  if (r != 0) {
    harness_assert_status (r, XMEM_STALE, NULL);
    return;
  }
  check_stamp (buffer, id);
  g_assert_cmphex (xmem_buffer_get_id (buffer), ==, id);
  xmem_buffer_unref (buffer);
}

static void *
run_seeker (void *data)
{
  const struct job *job = data;

  for (unsigned i = 0; i < job->n_rounds; i++)
    if (job->number < 2)
      make_newest (job->pools[job->number]);
    else
      seek_newest (job->pools[job->number % 2]);
  return NULL;
}

static void
test_id_finds_its_content_or_nothing (void)
{
  char name[POOL_NAME_MAX];
  struct job job = { .n_rounds = 10000 };

  pool_name (name, "sought");
  job.pools[0] = create (name, 3);
  job.pools[1] = attach (name);
  run_jobs (run_seeker, &job);
  expect_unused (job.pools[0]);
  xmem_pool_unref (job.pools[0]);
  xmem_pool_unref (job.pools[1]);
  g_assert_false (pool_file_exists (name));
}

/* --- renewing ------------------------------------------------------------ */

/* Each its own buffer, whose old ids others try meanwhile. */
static void *
run_renewer (void *data)
{
  const struct job *job = data;
  struct xmem_buffer *buffer = acquire (job->pools[0], 0);
  struct xmem_buffer *other;

  for (unsigned i = 0; i < job->n_rounds; i++) {
    uint64_t before = xmem_buffer_get_id (buffer);

    atomic_store (&newest, before);
    xmem_buffer_renew (buffer);
    g_assert_cmphex (
        xmem_buffer_get_id (buffer), ==, before + (UINT64_C (1) << 32));
    harness_assert_status (
        xmem_pool_get (job->pools[0], before, XMEM_READ, &other, NULL),
        XMEM_STALE, NULL);
    if (xmem_pool_get (
            job->pools[1], atomic_load (&newest), XMEM_READ, &other, NULL)
        == 0)
      xmem_buffer_unref (other);
  }
  xmem_buffer_unref (buffer);
  return NULL;
}

static void
test_old_ids_are_stale (void)
{
  char name[POOL_NAME_MAX];
  struct job job = { .n_rounds = 10000 };

  pool_name (name, "renewed");
  job.pools[0] = create (name, N_THREADS);
  job.pools[1] = attach (name);
  run_jobs (run_renewer, &job);
  expect_unused (job.pools[0]);
  xmem_pool_unref (job.pools[0]);
  xmem_pool_unref (job.pools[1]);
  g_assert_false (pool_file_exists (name));
}

/* --- handing over -------------------------------------------------------- */

/* Passes one buffer on: whoever can takes it and gives it again. As many
 * references stay in flight as there were. */
static void *
run_passer (void *data)
{
  const struct job *job = data;
  struct xmem_buffer *buffer;
  struct xmem_error error;

  for (unsigned i = 0; i < job->n_rounds; i++) {
    int r = xmem_pool_take (
        job->pools[job->number % 2], job->id, XMEM_READ, &buffer, &error);

    if (r == XMEM_STALE) {
      sched_yield ();
      continue;
    }
    harness_assert_ok (r, &error);
    check_stamp (buffer, 3);
    harness_assert_ok (xmem_buffer_give (buffer, 1, &error), &error);
  }
  return NULL;
}

static void
test_gifts_are_counted (void)
{
  char name[POOL_NAME_MAX];
  struct job job = { .n_rounds = 10000 };
  struct xmem_buffer *buffer;
  struct xmem_buffer_refs refs;

  pool_name (name, "passed-on");
  job.pools[0] = create (name, 2);
  job.pools[1] = attach (name);
  buffer = acquire (job.pools[0], 3);
  job.id = xmem_buffer_get_id (buffer);
  harness_assert_ok (xmem_buffer_give (buffer, 3, NULL), NULL);
  run_jobs (run_passer, &job);
  for (unsigned left = 3; left > 0; left--) {
    harness_assert_ok (
        xmem_pool_take (job.pools[0], job.id, XMEM_READ, &buffer, NULL), NULL);
    xmem_buffer_get_refs (buffer, &refs);
    g_assert_cmpuint (refs.local, ==, 4 - left);
    g_assert_cmpuint (refs.holders, ==, 1);
    g_assert_cmpuint (refs.in_flight, ==, left - 1);
  }
  harness_assert_status (
      xmem_pool_take (job.pools[1], job.id, XMEM_READ, &buffer, NULL),
      XMEM_STALE, NULL);
  for (unsigned i = 0; i < 3; i++)
    xmem_buffer_unref (buffer);
  expect_unused (job.pools[0]);
  xmem_pool_unref (job.pools[0]);
  xmem_pool_unref (job.pools[1]);
  g_assert_false (pool_file_exists (name));
}

/* --- the pool itself ----------------------------------------------------- */

/* Buffers keep their pool: whichever thread is last lets go of it. */
static void *
run_last_owner (void *data)
{
  xmem_buffer_unref (data);
  return NULL;
}

static void
test_last_buffer_closes_the_pool (void)
{
  char name[POOL_NAME_MAX];

  pool_name (name, "let-go");
  for (unsigned i = 0; i < 200; i++) {
    struct xmem_pool *pool = create (name, N_THREADS);
    pthread_t threads[N_THREADS];

    for (unsigned t = 0; t < N_THREADS; t++)
      g_assert_cmpint (
          pthread_create (&threads[t], NULL, run_last_owner, acquire (pool, t)),
          ==, 0);
    xmem_pool_unref (pool);
    for (unsigned t = 0; t < N_THREADS; t++)
      pthread_join (threads[t], NULL);
    g_assert_false (pool_file_exists (name));
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/last-and-first-cross", test_last_and_first_cross);
  harness_add (
      "/id-finds-its-content-or-nothing", test_id_finds_its_content_or_nothing);
  harness_add ("/old-ids-are-stale", test_old_ids_are_stale);
  harness_add ("/gifts-are-counted", test_gifts_are_counted);
  harness_add (
      "/last-buffer-closes-the-pool", test_last_buffer_closes_the_pool);
  return g_test_run ();
}
