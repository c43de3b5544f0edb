/* SPDX-License-Identifier: MIT */
/* pool: one thread's view of acquiring, ids, limits, growing and shrinking. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xmem/pool.h>

#include "harness/frames.h"
#include "harness/harness.h"
#include "pool/size-class.h"

#define MIB (UINT64_C (1) << 20)

/* A pool with a MiB per slot and room for n of them. */
static struct xmem_pool *
new_pool (uint32_t n)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .max_bytes = n * MIB };
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_new (&params, &pool, &error), &error);
  return pool;
}

/* Takes n buffers, which must not wait. */
static void
take (struct xmem_pool *pool, uint64_t size, struct xmem_buffer **buffers,
    unsigned n)
{
  struct xmem_error error;

  for (unsigned i = 0; i < n; i++)
    harness_assert_ok (
        xmem_pool_acquire (pool, size, 0, 0, &buffers[i], &error), &error);
}

static void
give (struct xmem_buffer **buffers, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    g_clear_pointer (&buffers[i], xmem_buffer_unref);
}

static void
expect_none (struct xmem_pool *pool, uint64_t size, unsigned flags)
{
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire (pool, size, flags, 0, &buffer, &error), XMEM_AGAIN,
      &error);
  g_assert_null (buffer);
}

static struct xmem_pool_stats
stats_of (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  return stats;
}

/* --- making -------------------------------------------------------------- */

static void
test_params_are_checked (void)
{
  struct xmem_pool_params params = { .struct_size = sizeof (params) - 1 };
  struct xmem_pool *pool = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_new (&params, &pool, &error), XMEM_INVALID, &error);
  params.struct_size = sizeof (params);
  params.n_slots = XMEM_MAX_SLOTS + 1;
  harness_assert_status (
      xmem_pool_new (&params, &pool, &error), XMEM_INVALID, &error);
  g_assert_null (pool);
  params.n_slots = XMEM_MAX_SLOTS;
  harness_assert_ok (xmem_pool_new (&params, &pool, &error), &error);
  xmem_pool_unref (pool);
  xmem_pool_unref (NULL);
}

static void
test_new_pool_shares_nothing (void)
{
  unsigned n_fds = harness_count_fds (0);
  struct xmem_pool *pool;
  struct xmem_pool_stats stats;

  harness_assert_ok (xmem_pool_new (NULL, &pool, NULL), NULL);
  stats = stats_of (pool);
  g_assert_cmpuint (stats.n_slots + stats.n_segments + stats.n_used, ==, 0);
  g_assert_cmpuint (stats.bytes, ==, 0);
  g_assert_cmpuint (harness_count_fds (0), ==, n_fds);
  g_assert_cmpuint (harness_count_mappings (0), ==, 0);
  xmem_pool_unref (pool);
}

static void
test_impossible_sizes (void)
{
  struct xmem_pool *pool = new_pool (1);
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire (pool, 0, 0, 0, &buffer, &error), XMEM_INVALID, &error);
  harness_assert_status (
      xmem_pool_acquire (pool, (UINT64_C (1) << 40) + 1, 0, 0, &buffer, &error),
      XMEM_INVALID, &error);
  harness_assert_status (
      xmem_pool_acquire (pool, UINT64_MAX, 0, 0, &buffer, &error), XMEM_INVALID,
      &error);
  harness_assert_status (
      xmem_pool_preallocate (pool, 0, 1, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "2^40");
  xmem_pool_unref (pool);
}

/* Waiting would be in vain. */
static void
test_sizes_above_the_limit (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_status (xmem_pool_acquire (pool, 4 * MIB + 1, 0,
                             XMEM_WAIT_FOREVER, &buffer, &error),
      XMEM_FULL, &error);
  harness_assert_contains (error.message, "4194305");
  harness_assert_ok (xmem_pool_acquire (pool, 4 * MIB + 1,
                         XMEM_ACQUIRE_OVER_LIMIT, 0, &buffer, &error),
      &error);
  xmem_buffer_unref (buffer);
  harness_assert_ok (
      xmem_pool_acquire (pool, 4 * MIB, 0, 0, &buffer, &error), &error);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

/* --- buffers ------------------------------------------------------------- */

static void
test_buffers_do_not_overlap (void)
{
  static const uint64_t sizes[] = { 1, 63, 64, 65, 1000, 4096, 4097, 300000 };
  struct xmem_buffer *buffers[8 * G_N_ELEMENTS (sizes)];
  struct xmem_pool *pool = new_pool (64);
  uint64_t stamp;
  unsigned n;

  for (n = 0; n < G_N_ELEMENTS (buffers); n++) {
    uint64_t size = sizes[n % G_N_ELEMENTS (sizes)];

    buffers[n] = frames_new_buffer (pool, size, 0x0101010101010101 * n);
    g_assert_cmpuint (xmem_buffer_get_size (buffers[n]), ==, size);
    g_assert_cmpuint (
        (uintptr_t) xmem_buffer_get_data (buffers[n]) % 64, ==, 0);
  }
  for (unsigned i = 0; i < n; i++) {
    uint64_t size = xmem_buffer_get_size (buffers[i]);

    g_assert_true (
        frames_read_stamp (xmem_buffer_get_data (buffers[i]), size, &stamp));
    g_assert_cmpuint (stamp & 0xff, ==, i);
  }
  g_assert_cmpuint (stats_of (pool).n_used, ==, n);
  give (buffers, n);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  xmem_pool_unref (pool);
}

static void
test_region_is_where_the_bytes_are (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffers[2];
  struct xmem_region one, two;

  take (pool, 1000, buffers, 2);
  xmem_buffer_get_region (buffers[0], &one);
  xmem_buffer_get_region (buffers[1], &two);
  g_assert_true (one.segment == two.segment);
  g_assert_cmpuint (one.size, ==, 1000);
  g_assert_cmpuint (one.id, ==, xmem_buffer_get_id (buffers[0]));
  g_assert_cmpint ((int64_t) (two.offset - one.offset), ==,
      (const char *) xmem_buffer_get_data (buffers[1])
          - (const char *) xmem_buffer_get_data (buffers[0]));
  give (buffers, 2);
  xmem_pool_unref (pool);
}

static void
test_buffers_keep_their_pool (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffers[3];
  uint64_t stamp;

  take (pool, 1000, buffers, 3);
  frames_stamp (xmem_buffer_get_mut_data (buffers[2]), 1000, 5);
  xmem_pool_unref (pool);
  give (buffers, 2);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (buffers[2]), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 5);
  xmem_buffer_unref (buffers[2]);
  xmem_buffer_unref (NULL);
  g_assert_cmpuint (harness_count_mappings (0), ==, 0);
}

static void
test_last_reference_frees_the_slot (void)
{
  struct xmem_pool *pool = new_pool (1);
  struct xmem_buffer *buffer;

  take (pool, MIB, &buffer, 1);
  g_assert_true (xmem_buffer_ref (buffer) == buffer);
  xmem_buffer_unref (buffer);
  expect_none (pool, MIB, 0);
  xmem_buffer_unref (buffer);
  take (pool, MIB, &buffer, 1);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

/* --- ids ----------------------------------------------------------------- */

static void
test_id_finds_the_buffer (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffer, *found = NULL;
  uint64_t id;

  take (pool, 1000, &buffer, 1);
  id = xmem_buffer_get_id (buffer);
  harness_assert_ok (xmem_pool_get (pool, id, XMEM_WRITE, &found, NULL), NULL);
  g_assert_true (found == buffer);
  xmem_buffer_unref (buffer);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 1); /* found holds it */
  xmem_buffer_unref (found);
  g_assert_cmpint (
      xmem_pool_get (pool, id, XMEM_WRITE, &found, NULL), ==, XMEM_STALE);
  xmem_pool_unref (pool);
}

static void
test_id_is_never_given_twice (void)
{
  struct xmem_pool *pool = new_pool (1);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_int64_hash, g_int64_equal);
  static uint64_t ids[2000];
  struct xmem_buffer *buffer, *found;

  for (unsigned i = 0; i < G_N_ELEMENTS (ids); i++) {
    take (pool, MIB, &buffer, 1);
    ids[i] = xmem_buffer_get_id (buffer);
    g_assert_true (g_hash_table_add (seen, &ids[i]));
    xmem_buffer_unref (buffer);
    g_assert_cmpint (xmem_pool_get (pool, ids[i / 2], XMEM_WRITE, &found, NULL),
        ==, XMEM_STALE);
  }
  xmem_pool_unref (pool);
}

static void
test_foreign_ids_are_stale (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffer, *found;
  uint64_t id;

  take (pool, 1000, &buffer, 1);
  id = xmem_buffer_get_id (buffer);
  g_assert_cmpint (
      xmem_pool_get (pool, 0, XMEM_WRITE, &found, NULL), ==, XMEM_STALE);
  g_assert_cmpint (xmem_pool_get (pool, UINT64_MAX, XMEM_WRITE, &found, NULL),
      ==, XMEM_STALE);
  g_assert_cmpint (
      xmem_pool_get (pool, id + 1, XMEM_WRITE, &found, NULL), ==, XMEM_STALE);
  g_assert_cmpint (
      xmem_pool_get (pool, id + (UINT64_C (1) << 32), XMEM_WRITE, &found, NULL),
      ==, XMEM_STALE);
  g_assert_cmpint (
      xmem_pool_get (pool, id | 0xffff0000u, XMEM_WRITE, &found, NULL), ==,
      XMEM_STALE); /* an index beyond the last */
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

static void
test_renewed_buffer_has_another_id (void)
{
  struct xmem_pool *pool = new_pool (4);
  struct xmem_buffer *buffer, *found;
  uint64_t before, after;

  take (pool, 1000, &buffer, 1);
  before = xmem_buffer_get_id (buffer);
  xmem_buffer_renew (buffer);
  after = xmem_buffer_get_id (buffer);
  g_assert_cmpuint ((uint32_t) before, ==, (uint32_t) after);
  g_assert_cmpuint (before, !=, after);
  g_assert_cmpint (
      xmem_pool_get (pool, before, XMEM_WRITE, &found, NULL), ==, XMEM_STALE);
  harness_assert_ok (
      xmem_pool_get (pool, after, XMEM_WRITE, &found, NULL), NULL);
  xmem_buffer_unref (found);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

/* --- limits -------------------------------------------------------------- */

static void
test_bytes_are_limited (void)
{
  struct xmem_pool *pool = new_pool (5);
  struct xmem_buffer *buffers[5];

  take (pool, MIB, buffers, 5);
  expect_none (pool, MIB, 0);
  expect_none (pool, 1, 0);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 5 * MIB);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 5);
  xmem_buffer_unref (buffers[3]);
  take (pool, MIB, &buffers[3], 1);
  expect_none (pool, MIB, 0);
  give (buffers, 5);
  xmem_pool_unref (pool);
}

static void
test_slots_are_limited (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 7 };
  struct xmem_buffer *buffers[7];
  struct xmem_pool *pool;

  harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
  take (pool, 1000, buffers, 7);
  expect_none (pool, 1000, 0);
  expect_none (pool, 1000, XMEM_ACQUIRE_OVER_LIMIT); /* of bytes, not slots */
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 7);
  give (buffers, 7);
  xmem_pool_unref (pool);
}

/* Whatever the sizes, the sum of all segments stays within the limit. */
static void
test_limit_holds_for_odd_sizes (void)
{
  static const uint64_t limits[] = { 1, 4096, 5000, 100000, 3 * MIB + 1 };
  struct xmem_buffer *buffers[1024];
  uint64_t page = (uint64_t) sysconf (_SC_PAGESIZE);

  for (size_t i = 0; i < G_N_ELEMENTS (limits); i++) {
    const struct xmem_pool_params params = { .struct_size = sizeof (params),
      .max_bytes = limits[i] };
    struct xmem_pool *pool;
    unsigned n = 0;

    harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
    while (
        n < G_N_ELEMENTS (buffers)
        && xmem_pool_acquire (pool, 1 + n * 37 % 5000, 0, 0, &buffers[n], NULL)
               == 0)
      n++;
    g_assert_cmpuint (n, >, 0);
    g_assert_cmpuint (stats_of (pool).bytes, <, limits[i] + page);
    give (buffers, n);
    xmem_pool_unref (pool);
  }
}

static void
test_huge_limit_is_no_limit (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .max_bytes = UINT64_MAX };
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;

  harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
  take (pool, MIB, &buffer, 1);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

static void
test_over_the_limit_on_request (void)
{
  struct xmem_pool *pool = new_pool (2);
  struct xmem_buffer *buffers[2], *more[3];
  struct xmem_error error;

  take (pool, MIB, buffers, 2);
  expect_none (pool, MIB, 0);
  for (unsigned i = 0; i < 3; i++)
    harness_assert_ok (xmem_pool_acquire (pool, MIB, XMEM_ACQUIRE_OVER_LIMIT, 0,
                           &more[i], &error),
        &error);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 5 * MIB);
  expect_none (pool, MIB, 0);
  xmem_buffer_unref (more[1]); /* a slot like any other */
  take (pool, MIB, &more[1], 1);
  give (more, 3);
  give (buffers, 2);
  xmem_pool_unref (pool);
}

static void
test_idle_memory_goes_before_the_limit_does (void)
{
  struct xmem_pool *pool = new_pool (8);
  struct xmem_buffer *buffers[8], *buffer;

  take (pool, MIB, buffers, 8);
  give (buffers, 8);
  harness_assert_ok (xmem_pool_acquire (pool, 8 * MIB, XMEM_ACQUIRE_OVER_LIMIT,
                         0, &buffer, NULL),
      NULL);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 8 * MIB);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

static void
test_segments_are_limited (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .max_bytes = 4096 };
  struct xmem_buffer *buffers[300];
  struct xmem_pool *pool;
  unsigned n = 0;

  harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
  while (n < 300
         && xmem_pool_acquire (
                pool, 4096, XMEM_ACQUIRE_OVER_LIMIT, 0, &buffers[n], NULL)
                == 0)
    n++;
  g_assert_cmpuint (n, ==, 256);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 256);
  give (buffers, n);
  xmem_pool_unref (pool);
}

static void
test_timeout_passes (void)
{
  struct xmem_pool *pool = new_pool (1);
  struct xmem_buffer *buffer, *none;
  struct xmem_error error;
  int64_t before;

  take (pool, MIB, &buffer, 1);
  before = g_get_monotonic_time ();
  harness_assert_status (
      xmem_pool_acquire (pool, MIB, 0, 50 * 1000000, &none, &error), XMEM_AGAIN,
      &error);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 50000);
  harness_assert_contains (error.message, "1048576");
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

/* --- preallocating ------------------------------------------------------- */

static void
test_preallocated_slots_are_there (void)
{
  struct xmem_pool *pool = new_pool (12);
  struct xmem_buffer *buffers[12];
  struct xmem_error error;

  harness_assert_ok (xmem_pool_preallocate (pool, MIB, 9, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 9);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 1);
  harness_assert_ok (xmem_pool_preallocate (pool, MIB, 9, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 9); /* they still are */
  take (pool, MIB, buffers, 9);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 9);
  harness_assert_ok (xmem_pool_preallocate (pool, MIB, 3, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 12);
  give (buffers, 9);
  xmem_pool_unref (pool);
}

static void
test_preallocation_keeps_to_the_limits (void)
{
  struct xmem_pool *pool = new_pool (6);
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_preallocate (pool, MIB, 7, &error), XMEM_FULL, &error);
  harness_assert_ok (xmem_pool_preallocate (pool, MIB, 4, &error), &error);
  harness_assert_status (
      xmem_pool_preallocate (pool, MIB, 7, &error), XMEM_FULL, &error);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 4); /* what was there stays */
  harness_assert_ok (xmem_pool_preallocate (pool, MIB, 6, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 6);
  xmem_pool_unref (pool);
}

static void
test_preallocation_takes_idle_memory_of_other_sizes (void)
{
  struct xmem_pool *pool = new_pool (8);
  struct xmem_buffer *buffers[2];
  struct xmem_error error;

  harness_assert_ok (xmem_pool_preallocate (pool, 4096, 100, &error), &error);
  harness_assert_ok (xmem_pool_preallocate (pool, 4 * MIB, 2, &error), &error);
  take (pool, 4 * MIB, buffers, 2);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 2);
  give (buffers, 2);
  xmem_pool_unref (pool);
}

/* --- growing and shrinking ----------------------------------------------- */

static void
test_growth_is_in_few_segments (void)
{
  struct xmem_pool *pool = new_pool (512);
  struct xmem_buffer *buffers[500];

  take (pool, 10000, buffers, 500);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 500);
  g_assert_cmpuint (stats_of (pool).n_segments, <=, 20);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, harness_count_mappings (0));
  give (buffers, 500);
  xmem_pool_unref (pool);
}

static void
test_slots_are_used_again (void)
{
  struct xmem_pool *pool = new_pool (512);
  struct xmem_buffer *buffer;
  struct xmem_pool_stats before;

  take (pool, 10000, &buffer, 1);
  xmem_buffer_unref (buffer);
  before = stats_of (pool);
  for (unsigned i = 0; i < 1000; i++) {
    take (pool, 9900 + i % 100, &buffer, 1);
    xmem_buffer_unref (buffer);
  }
  g_assert_cmpuint (stats_of (pool).n_segments, ==, before.n_segments);
  g_assert_cmpuint (stats_of (pool).bytes, ==, before.bytes);
  xmem_pool_unref (pool);
}

static void
test_other_sizes_take_the_place_of_idle_ones (void)
{
  struct xmem_pool *pool = new_pool (16);
  struct xmem_buffer *small[16], *large[2];

  take (pool, MIB, small, 16);
  for (unsigned i = 0; i < 16; i++)
    if (i % 4 > 0)
      g_clear_pointer (&small[i], xmem_buffer_unref);
  expect_none (pool, 8 * MIB, 0); /* every segment has one in use */
  give (small, 16);
  take (pool, 8 * MIB, large, 2);
  give (large, 2);
  take (pool, MIB, small, 16); /* and back */
  give (small, 16);
  xmem_pool_unref (pool);
}

static void
test_large_slots_serve_when_nothing_else_does (void)
{
  struct xmem_pool *pool = new_pool (8);
  struct xmem_buffer *large, *small;

  harness_assert_ok (xmem_pool_preallocate (pool, 4 * MIB, 2, NULL), NULL);
  take (pool, 4 * MIB, &large, 1);
  take (pool, 1000, &small, 1);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 2);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 2);
  g_assert_cmpuint (xmem_buffer_get_size (small), ==, 1000);
  xmem_buffer_unref (small);
  xmem_buffer_unref (large);
  xmem_pool_unref (pool);
}

static void
test_trim_gives_back (void)
{
  unsigned n_fds = harness_count_fds (0);
  struct xmem_pool *pool = new_pool (64);
  struct xmem_buffer *small[2], *large[2];
  uint64_t stamp;

  take (pool, MIB, small, 2);
  take (pool, 6 * MIB, large, 2);
  frames_stamp (xmem_buffer_get_mut_data (small[0]), MIB, 3);
  xmem_pool_trim (pool, 6 * MIB);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (small[0]), MIB, &stamp));
  g_assert_cmpuint (stats_of (pool).n_used, ==, 4);
  xmem_buffer_unref (small[0]);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 3);
  xmem_buffer_unref (small[1]); /* the last one: its segment goes */
  g_assert_cmpuint (
      stats_of (pool).bytes, ==, stats_of (pool).n_slots * 6 * MIB);
  give (large, 2);
  g_assert_cmpuint (stats_of (pool).n_slots, >=, 2); /* fits: stays */
  xmem_pool_trim (pool, 1);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 0);
  g_assert_cmpuint (harness_count_fds (0), ==, n_fds);
  xmem_pool_unref (pool);
}

static void
test_closing_segments_give_out_nothing (void)
{
  struct xmem_pool *pool = new_pool (64);
  struct xmem_buffer *old, *new[8];
  struct xmem_region was, is;

  take (pool, MIB, &old, 1);
  xmem_buffer_get_region (old, &was);
  xmem_pool_trim (pool, 16 * MIB);
  take (pool, MIB, new, 8);
  for (unsigned i = 0; i < 8; i++) {
    xmem_buffer_get_region (new[i], &is);
    g_assert_true (is.segment != was.segment);
  }
  give (new, 8);
  xmem_buffer_unref (old);
  xmem_pool_unref (pool);
}

/* --- running out --------------------------------------------------------- */

static void
run_poor (int argc, char **argv)
{
  struct xmem_pool *pool = new_pool (64);
  struct rlimit limits;
  struct xmem_buffer *buffer;
  struct xmem_error error;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limits), ==, 0);
  limits.rlim_cur = MIB;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limits), ==, 0);
  harness_assert_status (
      xmem_pool_acquire (pool, 2 * MIB, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      XMEM_NO_SPACE, &error);
  g_assert_cmpint (error.sys_errno, ==, EFBIG);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 0);
  harness_assert_ok (
      xmem_pool_acquire (pool, 1000, 0, 0, &buffer, &error), &error);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

static void
test_no_space_is_told (void)
{
  struct harness_child child;

  harness_spawn (&child, "poor", NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static const struct harness_role roles[] = { { "poor", run_poor },
  { NULL, NULL } };

static void
add_limits (void)
{
  harness_add ("/bytes-are-limited", test_bytes_are_limited);
  harness_add ("/slots-are-limited", test_slots_are_limited);
  harness_add ("/limit-holds-for-odd-sizes", test_limit_holds_for_odd_sizes);
  harness_add ("/huge-limit-is-no-limit", test_huge_limit_is_no_limit);
  harness_add ("/over-the-limit-on-request", test_over_the_limit_on_request);
  harness_add ("/idle-memory-goes-before-the-limit-does",
      test_idle_memory_goes_before_the_limit_does);
  harness_add ("/segments-are-limited", test_segments_are_limited);
  harness_add ("/timeout-passes", test_timeout_passes);
  harness_add ("/no-space-is-told", test_no_space_is_told);
  harness_add (
      "/preallocated-slots-are-there", test_preallocated_slots_are_there);
  harness_add ("/preallocation-keeps-to-the-limits",
      test_preallocation_keeps_to_the_limits);
  harness_add ("/preallocation-takes-idle-memory-of-other-sizes",
      test_preallocation_takes_idle_memory_of_other_sizes);
}

static void
add_sizes (void)
{
  harness_add ("/growth-is-in-few-segments", test_growth_is_in_few_segments);
  harness_add ("/slots-are-used-again", test_slots_are_used_again);
  harness_add ("/other-sizes-take-the-place-of-idle-ones",
      test_other_sizes_take_the_place_of_idle_ones);
  harness_add ("/large-slots-serve-when-nothing-else-does",
      test_large_slots_serve_when_nothing_else_does);
  harness_add ("/trim-gives-back", test_trim_gives_back);
  harness_add ("/closing-segments-give-out-nothing",
      test_closing_segments_give_out_nothing);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/params-are-checked", test_params_are_checked);
  harness_add ("/new-pool-shares-nothing", test_new_pool_shares_nothing);
  harness_add ("/impossible-sizes", test_impossible_sizes);
  harness_add ("/sizes-above-the-limit", test_sizes_above_the_limit);
  harness_add ("/buffers-do-not-overlap", test_buffers_do_not_overlap);
  harness_add (
      "/region-is-where-the-bytes-are", test_region_is_where_the_bytes_are);
  harness_add ("/buffers-keep-their-pool", test_buffers_keep_their_pool);
  harness_add (
      "/last-reference-frees-the-slot", test_last_reference_frees_the_slot);
  harness_add ("/id-finds-the-buffer", test_id_finds_the_buffer);
  harness_add ("/id-is-never-given-twice", test_id_is_never_given_twice);
  harness_add ("/foreign-ids-are-stale", test_foreign_ids_are_stale);
  harness_add (
      "/renewed-buffer-has-another-id", test_renewed_buffer_has_another_id);
  add_limits ();
  add_sizes ();
  return g_test_run ();
}
