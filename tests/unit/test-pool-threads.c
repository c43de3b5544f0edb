/* SPDX-License-Identifier: MIT */
/* pool: many threads at once. Stamps tell whether two of them ever had the
 * same slot. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <xmem/pool.h>

#include "harness/frames.h"
#include "harness/harness.h"

#define N_THREADS 8
#define SIZE 8192

struct job {
  struct xmem_pool *pool;
  unsigned number;
  unsigned seed;
  unsigned n_rounds;
};

static struct xmem_pool *
new_pool (uint32_t n_slots, uint64_t max_bytes)
{
  const struct xmem_pool_params params = {
    .struct_size = sizeof (params), .n_slots = n_slots, .max_bytes = max_bytes
  };
  struct xmem_pool *pool;

  harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
  return pool;
}

static void
run_jobs (struct xmem_pool *pool, void *(*run) (void *), unsigned n_rounds)
{
  struct job jobs[N_THREADS];
  pthread_t threads[N_THREADS];

  for (unsigned i = 0; i < N_THREADS; i++) {
    jobs[i] = (struct job){ pool, i, (unsigned) g_test_rand_int (), n_rounds };
    g_assert_cmpint (pthread_create (&threads[i], NULL, run, &jobs[i]), ==, 0);
  }
  for (unsigned i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
}

static struct xmem_buffer *
acquire (struct xmem_pool *pool, uint64_t size)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, size, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      &error);
  return buffer;
}

static void
check_stamp (struct xmem_buffer *buffer, uint64_t expected)
{
  uint64_t stamp;

  g_assert_true (frames_read_stamp (
      xmem_buffer_get_data (buffer), xmem_buffer_get_size (buffer), &stamp));
  g_assert_cmpuint (stamp, ==, expected);
}

/* --- one slot, one owner ------------------------------------------------- */

static void *
run_owner (void *data)
{
  struct job *job = data;

  for (unsigned i = 0; i < job->n_rounds; i++) {
    uint64_t stamp = (uint64_t) job->number << 32 | i;
    uint64_t size = 64 + (unsigned) rand_r (&job->seed) % SIZE;
    struct xmem_buffer *buffer = acquire (job->pool, size);

    frames_stamp (xmem_buffer_get_mut_data (buffer), size, stamp);
    if (i % 4 == 0)
      sched_yield ();
    check_stamp (buffer, stamp);
    xmem_buffer_unref (buffer);
  }
  return NULL;
}

static void
test_every_slot_has_one_owner (void)
{
  struct xmem_pool *pool = new_pool (64, 1 << 20);
  struct xmem_pool_stats stats;

  run_jobs (pool, run_owner, 3000);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  xmem_pool_unref (pool);
}

static void
test_few_slots_serve_many_threads (void)
{
  struct xmem_pool *pool = new_pool (3, 1 << 20);

  run_jobs (pool, run_owner, 1000);
  xmem_pool_unref (pool);
}

static void *
run_trimmer (void *data)
{
  struct job *job = data;

  for (unsigned i = 0; i < job->n_rounds; i++) {
    if (job->number % 4 == 0) {
      xmem_pool_trim (job->pool, 64u << (unsigned) rand_r (&job->seed) % 8);
      sched_yield ();
    } else {
      struct job one = { job->pool, job->number, (unsigned) rand_r (&job->seed),
        1 };

      run_owner (&one);
    }
  }
  return NULL;
}

static void
test_trimming_takes_nothing_in_use (void)
{
  struct xmem_pool *pool = new_pool (64, 1 << 20);
  struct xmem_pool_stats stats;

  run_jobs (pool, run_trimmer, 500);
  xmem_pool_trim (pool, 1 << 30);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_segments, ==, 0);
  g_assert_cmpuint (stats.bytes, ==, 0);
  xmem_pool_unref (pool);
}

/* --- waiting ------------------------------------------------------------- */

static atomic_bool waiting;

static void *
run_waiter (void *data)
{
  struct job *job = data;

  waiting = true;
  return acquire (job->pool, SIZE);
}

static void
test_release_wakes_a_waiter (void)
{
  struct xmem_pool *pool = new_pool (1, 0);

  for (unsigned i = 0; i < 50; i++) {
    struct xmem_buffer *buffer = acquire (pool, SIZE);
    struct job job = { pool, 0, 0, 0 };
    pthread_t thread;
    void *got;

    waiting = false;
    g_assert_cmpint (pthread_create (&thread, NULL, run_waiter, &job), ==, 0);
    harness_wait_until (waiting);
    if (i % 2)
      harness_sleep_ms (2); /* asleep by now, most likely */
    xmem_buffer_unref (buffer);
    pthread_join (thread, &got);
    xmem_buffer_unref (got);
  }
  xmem_pool_unref (pool);
}

/* One release makes room for a size that needs all of another's memory. */
static void
test_waiter_for_another_size_is_woken (void)
{
  struct xmem_pool *pool = new_pool (0, 16 * SIZE);
  struct xmem_buffer *small[16];
  struct job job = { pool, 0, 0, 0 };
  pthread_t thread;
  void *got;

  for (unsigned i = 0; i < 16; i++)
    small[i] = acquire (pool, SIZE / 8); /* in several segments */
  for (unsigned i = 0; i < 7; i++)
    xmem_buffer_unref (acquire (pool, SIZE)); /* fits beside them */
  waiting = false;
  g_assert_cmpint (pthread_create (&thread, NULL, run_waiter, &job), ==, 0);
  harness_wait_until (waiting);
  for (unsigned i = 0; i < 16; i++)
    xmem_buffer_unref (small[i]);
  pthread_join (thread, &got);
  xmem_buffer_unref (got);
  xmem_pool_unref (pool);
}

/* --- references ---------------------------------------------------------- */

static void *
run_sharer (void *data)
{
  struct xmem_buffer *buffer = data;

  for (unsigned i = 0; i < 2000; i++) {
    xmem_buffer_ref (buffer);
    check_stamp (buffer, 77);
    xmem_buffer_unref (buffer);
  }
  xmem_buffer_unref (buffer);
  return NULL;
}

static void
test_references_are_counted (void)
{
  struct xmem_pool *pool = new_pool (4, 0);
  struct xmem_buffer *buffer = acquire (pool, 64);
  struct xmem_pool_stats stats;
  pthread_t threads[N_THREADS];

  frames_stamp (xmem_buffer_get_mut_data (buffer), 64, 77);
  for (unsigned i = 0; i < N_THREADS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, run_sharer,
                         xmem_buffer_ref (buffer)),
        ==, 0);
  xmem_buffer_unref (buffer);
  for (unsigned i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  xmem_pool_unref (pool);
}

/* --- ids ----------------------------------------------------------------- */

static _Atomic uint64_t current_id;
static atomic_uint n_found;

/* Enough to be sure, which takes the scheduler some time or none. */
static bool
found_enough (const struct job *job)
{
  return n_found >= job->n_rounds;
}

static void
make_one (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer = acquire (pool, 256);
  uint64_t id = xmem_buffer_get_id (buffer);

  frames_stamp (xmem_buffer_get_mut_data (buffer), 256, id);
  current_id = id;
  sched_yield ();
  xmem_buffer_unref (buffer);
}

static void
seek_one (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer;
  uint64_t id = current_id;

  if (xmem_pool_get (pool, id, XMEM_WRITE, &buffer, NULL) != 0)
    return;
  g_assert_cmpuint (xmem_buffer_get_id (buffer), ==, id);
  check_stamp (buffer, id);
  n_found++;
  xmem_buffer_unref (buffer);
}

/* One thread makes buffers, whose stamp is their id; the others look for the
 * newest one. Whoever finds it must find its content. */
static void *
run_seeker (void *data)
{
  const struct job *job = data;

  while (!found_enough (job))
    if (job->number == 0)
      make_one (job->pool);
    else
      seek_one (job->pool);
  return NULL;
}

static void
test_id_finds_its_content_or_nothing (void)
{
  struct xmem_pool *pool = new_pool (3, 0);
  struct xmem_pool_stats stats;

  n_found = 0;
  current_id = 0;
  run_jobs (pool, run_seeker, 100000);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0); /* no slot was given back twice */
  xmem_pool_unref (pool);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/every-slot-has-one-owner", test_every_slot_has_one_owner);
  harness_add (
      "/few-slots-serve-many-threads", test_few_slots_serve_many_threads);
  harness_add (
      "/trimming-takes-nothing-in-use", test_trimming_takes_nothing_in_use);
  harness_add ("/release-wakes-a-waiter", test_release_wakes_a_waiter);
  harness_add ("/waiter-for-another-size-is-woken",
      test_waiter_for_another_size_is_woken);
  harness_add ("/references-are-counted", test_references_are_counted);
  harness_add (
      "/id-finds-its-content-or-nothing", test_id_finds_its_content_or_nothing);
  return g_test_run ();
}
