/* SPDX-License-Identifier: MIT */
/* pool/buffer, pool/segments: what several attachments of one pool see of each
 * other's buffers; handing over, describing, copying, and the limits. */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xmem/cuda.h>

#include "harness/frames.h"
#include "harness/named.h"
#include "pool/pool.h"

#define MIB (UINT64_C (1) << 20)
#define SECOND_NS INT64_C (1000000000)

static struct xmem_pool_stats
stats_of (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  return stats;
}

static void
assert_refs (const struct xmem_buffer *buffer, uint32_t local, uint32_t holders,
    uint32_t in_flight)
{
  struct xmem_buffer_refs refs;

  xmem_buffer_get_refs (buffer, &refs);
  g_assert_cmpuint (refs.local, ==, local);
  g_assert_cmpuint (refs.holders, ==, holders);
  g_assert_cmpuint (refs.in_flight, ==, in_flight);
}

static struct xmem_buffer *
take (struct xmem_pool *pool, uint64_t id)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_take (pool, id, XMEM_READ, &buffer, &error), &error);
  return buffer;
}

static void
give (struct xmem_buffer *buffer, unsigned n)
{
  struct xmem_error error;

  harness_assert_ok (xmem_buffer_give (buffer, n, &error), &error);
}

static void
expect_stale (struct xmem_pool *pool, uint64_t id)
{
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_get (pool, id, XMEM_READ, &buffer, &error), XMEM_STALE, &error);
  harness_assert_status (xmem_pool_take (pool, id, XMEM_READ, &buffer, &error),
      XMEM_STALE, &error);
  g_assert_null (buffer);
}

/* A pool and a second attachment to it, as two processes have. */
struct pair {
  struct xmem_pool *one;
  struct xmem_pool *two;
};

static struct pair
open_pair (const struct xmem_pool_params *params)
{
  struct pair pair;

  pair.one = named_create (params);
  pair.two = named_open (0);
  return pair;
}

static void
close_pair (struct pair pair)
{
  g_assert_cmpuint (stats_of (pair.one).n_used, ==, 0);
  xmem_pool_unref (pair.two);
  named_close (pair.one);
}

static const struct xmem_pool_params four_slots = {
  .struct_size = sizeof (four_slots),
  .n_slots = 4,
  .max_bytes = 4 * MIB,
};

/* --- the same bytes ------------------------------------------------------ */

static void
test_one_writes_the_other_reads (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = frames_new_buffer (pair.one, 300000, 7);
  uint64_t id = xmem_buffer_get_id (mine);
  struct xmem_buffer *theirs = named_get (pair.two, id, XMEM_READ);
  uint64_t stamp;

  g_assert_cmpuint (xmem_buffer_get_id (theirs), ==, id);
  g_assert_cmpuint (xmem_buffer_get_size (theirs), ==, 300000);
  g_assert_true (xmem_buffer_get_data (theirs) != xmem_buffer_get_data (mine));
  g_assert_cmpuint ((uintptr_t) xmem_buffer_get_data (theirs) % 64, ==, 0);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (theirs), 300000, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  frames_stamp (xmem_buffer_get_mut_data (mine), 300000, 8);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (theirs), 300000, &stamp));
  g_assert_cmpuint (stamp, ==, 8);
  xmem_buffer_unref (mine);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (theirs), 300000, &stamp));
  xmem_buffer_unref (theirs);
  close_pair (pair);
}

/* Who trusts each other may write in turns. */
static void
test_both_may_write (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = frames_new_buffer (pair.one, 1000, 7);
  struct xmem_buffer *reading =
      named_get (pair.two, xmem_buffer_get_id (mine), XMEM_READ);
  struct xmem_buffer *writing =
      named_get (pair.two, xmem_buffer_get_id (mine), XMEM_WRITE);
  uint64_t stamp;

  g_assert_null (xmem_buffer_get_mut_data (reading));
  frames_stamp (xmem_buffer_get_mut_data (writing), 1000, 9);
  g_assert_true (frames_read_stamp (xmem_buffer_get_data (mine), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 9);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (reading), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 9);
  assert_refs (writing, 2, 2, 0); /* the count is the slot's */
  xmem_buffer_unref (writing);
  xmem_buffer_unref (reading);
  xmem_buffer_unref (mine);
  close_pair (pair);
}

/* NAME ID: writes where it may only read. */
static void
run_writer (int argc, char **argv)
{
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_error error;
  volatile char *bytes;

  prctl (PR_SET_DUMPABLE, 0); /* no core file */
  signal (SIGSEGV, SIG_DFL); /* the sanitizer would report it */
  harness_assert_ok (xmem_pool_open (argv[0], 0, &pool, &error), &error);
  buffer = named_get (pool, g_ascii_strtoull (argv[1], NULL, 10), XMEM_READ);
  bytes = (volatile char *) (uintptr_t) xmem_buffer_get_data (buffer);
  if (bytes[0] == 7)
    bytes[0] = 1;
}

static void
test_writing_to_what_is_read_only_is_fatal (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = frames_new_buffer (pool, 1000, 7);
  g_autofree char *id =
      g_strdup_printf ("%" G_GUINT64_FORMAT, xmem_buffer_get_id (buffer));
  struct harness_child child;
  uint64_t stamp;

  harness_spawn (&child, "writer", named_name (), id, NULL);
  g_assert_cmpint (harness_join (&child), ==, -SIGSEGV);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (buffer), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, NULL), NULL);
  assert_refs (buffer, 1, 1, 0);
  xmem_buffer_unref (buffer);
  named_close (pool);
}

static void
test_segments_are_mapped_once (void)
{
  struct pair pair = open_pair (NULL);
  unsigned before = harness_count_mappings (0);
  struct xmem_buffer *mine[4];
  struct xmem_buffer *theirs[4];

  for (unsigned i = 0; i < 4; i++)
    mine[i] = named_acquire (pair.one, 100000);
  g_assert_cmpuint (stats_of (pair.one).n_segments, ==, 1);
  g_assert_cmpuint (harness_count_mappings (0), ==, before + 1);
  g_assert_cmpuint (stats_of (pair.two).n_segments, ==, 1);
  g_assert_cmpuint (harness_count_mappings (0), ==, before + 1); /* not yet */
  for (unsigned n = 0; n < 3; n++) {
    for (unsigned i = 0; i < 4; i++)
      theirs[i] = named_get (pair.two, xmem_buffer_get_id (mine[i]), XMEM_READ);
    g_assert_cmpuint (harness_count_mappings (0), ==, before + 2);
    for (unsigned i = 0; i < 4; i++)
      xmem_buffer_unref (theirs[i]);
  }
  for (unsigned i = 0; i < 4; i++)
    xmem_buffer_unref (mine[i]);
  close_pair (pair);
}

/* Whoever has grown the pool, all use it. */
static void
test_slots_of_others_are_used (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *buffers[4];
  uint64_t bytes;

  harness_assert_ok (xmem_pool_preallocate (pair.one, 100000, 4, NULL), NULL);
  bytes = stats_of (pair.one).bytes;
  for (unsigned i = 0; i < 4; i++)
    buffers[i] = frames_new_buffer (i % 2 ? pair.one : pair.two, 100000, i);
  g_assert_cmpuint (stats_of (pair.two).bytes, ==, bytes);
  g_assert_cmpuint (stats_of (pair.two).n_slots, ==, 4);
  for (unsigned i = 0; i < 4; i++) {
    uint64_t stamp;

    g_assert_true (
        frames_read_stamp (xmem_buffer_get_data (buffers[i]), 100000, &stamp));
    g_assert_cmpuint (stamp, ==, i);
    xmem_buffer_unref (buffers[i]);
  }
  close_pair (pair);
}

/* --- ids ----------------------------------------------------------------- */

static void
test_ids_go_stale (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffer = named_acquire (pair.one, MIB);
  uint64_t id = xmem_buffer_get_id (buffer);

  xmem_buffer_unref (named_get (pair.two, id, XMEM_READ));
  xmem_buffer_unref (buffer);
  expect_stale (pair.one, id);
  expect_stale (pair.two, id);
  buffer = named_acquire (pair.one, MIB); /* the slot freed last */
  g_assert_cmpuint (xmem_buffer_get_id (buffer), ==, id + (UINT64_C (1) << 32));
  expect_stale (pair.two, id);
  xmem_buffer_unref (
      named_get (pair.two, xmem_buffer_get_id (buffer), XMEM_READ));
  xmem_buffer_unref (buffer);
  close_pair (pair);
}

static void
test_foreign_ids_are_stale (void)
{
  static const uint64_t ids[] = { 0, 3, 4, UINT32_MAX, UINT64_MAX,
    UINT64_C (2) << 32, UINT64_C (1) << 32 | 4, UINT64_C (1) << 32 | 65536 };
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffer = named_acquire (pair.one, MIB);

  g_assert_cmphex (xmem_buffer_get_id (buffer), ==, UINT64_C (1) << 32);
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++) {
    expect_stale (pair.one, ids[i]);
    expect_stale (pair.two, ids[i]);
  }
  xmem_buffer_unref (buffer);
  close_pair (pair);
}

static void
test_renewed_id (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *buffer = named_acquire (pair.one, 100);
  uint64_t id = xmem_buffer_get_id (buffer);

  xmem_buffer_renew (buffer);
  g_assert_cmpuint (xmem_buffer_get_id (buffer), ==, id + (UINT64_C (1) << 32));
  expect_stale (pair.two, id);
  xmem_buffer_unref (
      named_get (pair.two, xmem_buffer_get_id (buffer), XMEM_READ));
  xmem_buffer_unref (buffer);
  close_pair (pair);
}

static void
test_got_by_index (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *mine = named_acquire (pair.one, MIB);
  uint32_t index = (uint32_t) xmem_buffer_get_id (mine);
  struct xmem_buffer *theirs = NULL;
  struct xmem_error error;

  for (uint32_t i = 0; i < 6; i++)
    if (i != index)
      harness_assert_status (
          xmem_pool_get_at (pair.two, i, XMEM_READ, &theirs, &error),
          XMEM_STALE, &error);
  harness_assert_status (
      xmem_pool_get_at (pair.two, UINT32_MAX, XMEM_READ, &theirs, &error),
      XMEM_STALE, &error);
  g_assert_null (theirs);
  harness_assert_ok (
      xmem_pool_get_at (pair.two, index, XMEM_READ, &theirs, &error), &error);
  g_assert_cmpuint (xmem_buffer_get_id (theirs), ==, xmem_buffer_get_id (mine));
  g_assert_null (xmem_buffer_get_mut_data (theirs));
  xmem_buffer_unref (mine);
  xmem_buffer_unref (theirs);
  harness_assert_status (
      xmem_pool_get_at (pair.two, index, XMEM_READ, &theirs, &error),
      XMEM_STALE, &error);
  close_pair (pair);
}

static void
test_goes_through_what_is_live (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *buffers[6];
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;
  uint32_t cursor = 0;

  for (unsigned i = 0; i < 6; i++)
    buffers[i] = named_acquire (pair.one, i < 3 ? 100 : 100000);
  g_clear_pointer (&buffers[1], xmem_buffer_unref);
  give (buffers[3], 1); /* what is only in flight is live */
  for (unsigned i = 0; i < 6; i++) {
    if (i == 1)
      continue;
    harness_assert_ok (
        xmem_pool_next (pair.two, &cursor, &buffer, &error), &error);
    g_assert_cmpuint (cursor, ==, (uint32_t) xmem_buffer_get_id (buffer) + 1);
    g_assert_null (xmem_buffer_get_mut_data (buffer));
    if (i != 3)
      g_assert_cmpuint (
          xmem_buffer_get_id (buffer), ==, xmem_buffer_get_id (buffers[i]));
    xmem_buffer_unref (buffer);
  }
  harness_assert_status (
      xmem_pool_next (pair.two, &cursor, &buffer, &error), XMEM_EOS, &error);
  harness_assert_status (
      xmem_pool_next (pair.two, &cursor, &buffer, &error), XMEM_EOS, &error);
  cursor = UINT32_MAX;
  harness_assert_status (
      xmem_pool_next (pair.two, &cursor, &buffer, &error), XMEM_EOS, &error);
  cursor = 0;
  harness_assert_ok (xmem_pool_next (pair.two, &cursor, &buffer, &error), NULL);
  xmem_buffer_unref (buffer);
  xmem_buffer_unref (take (pair.one, xmem_buffer_get_id (buffers[3])));
  for (unsigned i = 0; i < 6; i++)
    if (i != 1 && i != 3)
      xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

static void
test_nothing_to_go_through (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;
  uint32_t cursor = 0;

  harness_assert_status (
      xmem_pool_next (pool, &cursor, &buffer, &error), XMEM_EOS, &error);
  xmem_buffer_unref (named_acquire (pool, 100));
  cursor = 0;
  harness_assert_status (
      xmem_pool_next (pool, &cursor, &buffer, &error), XMEM_EOS, &error);
  g_assert_null (buffer);
  named_close (pool);
}

/* --- handing over -------------------------------------------------------- */

static void
test_references_are_counted (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 100);
  uint64_t id = xmem_buffer_get_id (mine);
  struct xmem_buffer *theirs;

  assert_refs (mine, 1, 1, 0);
  xmem_buffer_ref (mine);
  assert_refs (mine, 2, 1, 0);
  theirs = named_get (pair.two, id, XMEM_READ);
  assert_refs (mine, 2, 2, 0);
  assert_refs (theirs, 1, 2, 0);
  give (mine, 3);
  assert_refs (mine, 1, 2, 3);
  xmem_buffer_unref (mine);
  assert_refs (theirs, 1, 1, 3);
  g_assert_true (take (pair.two, id) == theirs);
  assert_refs (theirs, 2, 1, 2);
  mine = take (pair.one, id);
  assert_refs (mine, 1, 2, 1);
  g_assert_cmpuint (stats_of (pair.one).n_in_flight, ==, 1);
  xmem_buffer_unref (theirs);
  xmem_buffer_unref (theirs);
  assert_refs (mine, 1, 1, 1);
  xmem_buffer_unref (mine);
  g_assert_cmpuint (stats_of (pair.one).n_used, ==, 1); /* one in flight */
  xmem_buffer_unref (take (pair.two, id));
  expect_stale (pair.two, id);
  g_assert_cmpuint (stats_of (pair.one).n_in_flight, ==, 0);
  close_pair (pair);
}

/* As many are taken as were given, no more. */
static void
test_given_once_taken_once (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 100);
  struct xmem_buffer *taken[5], *none = NULL;
  uint64_t id = xmem_buffer_get_id (mine);
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_take (pair.two, id, XMEM_READ, &none, &error), XMEM_STALE,
      &error); /* not yet */
  harness_assert_contains (error.message, "in flight");
  give (mine, 5);
  for (unsigned i = 0; i < 5; i++)
    taken[i] = take (i % 2 ? pair.one : pair.two, id);
  harness_assert_status (
      xmem_pool_take (pair.two, id, XMEM_READ, &none, &error), XMEM_STALE,
      &error); /* not any more */
  g_assert_null (none);
  for (unsigned i = 0; i < 5; i++)
    xmem_buffer_unref (taken[i]);
  expect_stale (pair.one, id);
  close_pair (pair);
}

/* Given, nobody holds it; its content and description stay. */
static void
test_in_flight_keeps_the_content (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffer = frames_new_buffer (pair.one, MIB, 3);
  const struct xmem_buffer_info info = { .sequence = 77 };
  struct xmem_buffer_info got;
  uint64_t id = xmem_buffer_get_id (buffer);
  uint64_t stamp;

  harness_assert_ok (xmem_buffer_set_info (buffer, &info, NULL), NULL);
  give (buffer, 1);
  for (unsigned i = 0; i < 10; i++)
    xmem_buffer_unref (frames_new_buffer (pair.one, MIB, 100 + i));
  buffer = take (pair.two, id);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (buffer), MIB, &stamp));
  g_assert_cmpuint (stamp, ==, 3);
  harness_assert_ok (xmem_buffer_get_info (buffer, &got, NULL), NULL);
  g_assert_cmpuint (got.sequence, ==, 77);
  xmem_buffer_unref (buffer);
  close_pair (pair);
}

static void
test_too_many_in_flight (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 100);
  uint64_t id = xmem_buffer_get_id (buffer);
  struct xmem_error error;

  harness_assert_status (
      xmem_buffer_give (buffer, 0, &error), XMEM_INVALID, &error);
  harness_assert_status (
      xmem_buffer_give (buffer, 255, &error), XMEM_INVALID, &error);
  harness_assert_status (
      xmem_buffer_give (buffer, UINT32_MAX, &error), XMEM_INVALID, &error);
  assert_refs (buffer, 1, 1, 0);
  xmem_buffer_ref (buffer);
  give (buffer, 200);
  harness_assert_status (
      xmem_buffer_give (buffer, 55, &error), XMEM_FULL, &error);
  assert_refs (buffer, 1, 1, 200); /* still ours */
  xmem_buffer_ref (buffer);
  give (buffer, 54);
  harness_assert_status (
      xmem_buffer_give (buffer, 1, &error), XMEM_FULL, &error);
  assert_refs (buffer, 1, 1, 254);
  xmem_buffer_unref (buffer);
  for (unsigned i = 0; i < 254; i++)
    xmem_buffer_unref (take (pool, id));
  expect_stale (pool, id);
  named_close (pool);
}

/* --- in flight for too long ---------------------------------------------- */

static struct pair
open_pair_with_timeout (int64_t timeout_ns)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 1,
    .handover_timeout_ns = timeout_ns };

  return open_pair (&params);
}

static uint32_t
reclaim (struct xmem_pool *pool)
{
  uint32_t n_freed;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_reclaim (pool, &n_freed, &error), &error);
  return n_freed;
}

static void
test_handover_ends (void)
{
  struct pair pair = open_pair_with_timeout (SECOND_NS / 1000);
  struct xmem_buffer *buffer = named_acquire (pair.one, 100);
  uint64_t id = xmem_buffer_get_id (buffer);

  give (buffer, 2);
  harness_wait_until (reclaim (pair.two) == 1);
  expect_stale (pair.one, id);
  expect_stale (pair.two, id);
  g_assert_cmpuint (reclaim (pair.one), ==, 0);
  close_pair (pair);
}

/* As if the hand-over had been then. */
static void
give_at (struct xmem_pool *pool, struct xmem_buffer *buffer, uint64_t when_ns)
{
  uint32_t index = (uint32_t) xmem_buffer_get_id (buffer);

  give (buffer, 1);
  pool->slots[index].given_ns = when_ns;
}

static void
test_handover_lasts_as_long_as_it_should (void)
{
  uint64_t now = (uint64_t) xmem_clock_now ();
  const struct {
    int64_t timeout_ns;
    uint64_t given_ns;
    uint32_t n_freed;
  } cases[] = { { SECOND_NS, now - SECOND_NS, 1 }, { 3600 * SECOND_NS, now, 0 },
    { 0, now - 5 * SECOND_NS, 1 }, { INT64_MAX, 1, 0 },
    { XMEM_WAIT_FOREVER, 1, 0 } };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    struct pair pair = open_pair_with_timeout (cases[i].timeout_ns);
    struct xmem_buffer *buffer = named_acquire (pair.one, 100);
    uint64_t id = xmem_buffer_get_id (buffer);

    give_at (pair.one, buffer, cases[i].given_ns);
    g_assert_cmpuint (reclaim (pair.two), ==, cases[i].n_freed);
    if (cases[i].n_freed > 0)
      expect_stale (pair.two, id);
    else
      xmem_buffer_unref (take (pair.two, id));
    close_pair (pair);
  }
}

/* What somebody holds stays; what was given to others besides ends with it. */
static void
test_held_buffers_do_not_end (void)
{
  struct pair pair = open_pair_with_timeout (SECOND_NS);
  struct xmem_buffer *buffer = named_acquire (pair.one, 100);
  uint64_t id = xmem_buffer_get_id (buffer);

  xmem_buffer_ref (buffer);
  give_at (pair.one, buffer, 1);
  g_assert_cmpuint (reclaim (pair.two), ==, 0);
  assert_refs (buffer, 1, 1, 1);
  xmem_buffer_unref (buffer);
  g_assert_cmpuint (reclaim (pair.two), ==, 1);
  expect_stale (pair.one, id);
  close_pair (pair);
}

static void
test_acquiring_ends_old_handovers (void)
{
  struct pair pair = open_pair_with_timeout (SECOND_NS);
  struct xmem_buffer *buffer = named_acquire (pair.one, 100);
  struct xmem_error error;

  give_at (pair.one, buffer, INT64_MAX);
  harness_assert_status (
      xmem_pool_acquire (pair.two, 100, 0, 0, &buffer, &error), XMEM_AGAIN,
      &error); /* too young */
  pair.one->slots[0].given_ns = 1;
  buffer = named_acquire (pair.two, 100);
  g_assert_cmpuint (xmem_buffer_get_id (buffer) >> 32, ==, 3);
  xmem_buffer_unref (buffer);
  close_pair (pair);
}

/* --- infos --------------------------------------------------------------- */

static struct xmem_buffer_info
info_of (const struct xmem_buffer *buffer)
{
  struct xmem_buffer_info info;
  struct xmem_error error;

  harness_assert_ok (xmem_buffer_get_info (buffer, &info, &error), &error);
  return info;
}

static struct xmem_buffer_info
image_info (void)
{
  struct xmem_buffer_info info = {
    .timestamp_ns = 5, .sequence = 6, .producer = 1234567
  };

  g_assert_cmpint (xmem_description_set_image (
                       XMEM_CONTENT_BGR, 32, 10, 0, &info.description),
      ==, 0);
  return info;
}

static void
test_info_is_told_to_others (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 960);
  struct xmem_buffer *theirs =
      named_get (pair.two, xmem_buffer_get_id (mine), XMEM_READ);
  struct xmem_buffer_info info = info_of (theirs);
  const struct xmem_buffer_info empty = { .producer = (uint64_t) getpid () };
  struct xmem_error error;

  g_assert_cmpmem (&info, sizeof (info), &empty, sizeof (empty));
  info = image_info ();
  harness_assert_ok (xmem_buffer_set_info (mine, &info, &error), &error);
  info.producer = (uint64_t) getpid (); /* that cannot be set */
  {
    const struct xmem_buffer_info got = info_of (theirs);

    g_assert_cmpmem (&got, sizeof (got), &info, sizeof (info));
  }
  xmem_buffer_unref (theirs);
  xmem_buffer_unref (mine);
  mine = named_acquire (pair.two, 960); /* again, with nothing said of it */
  info = info_of (mine);
  g_assert_cmpmem (&info, sizeof (info), &empty, sizeof (empty));
  xmem_buffer_unref (mine);
  close_pair (pair);
}

static void
test_wrong_infos_are_refused (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 959);
  struct xmem_buffer *theirs =
      named_get (pair.two, xmem_buffer_get_id (mine), XMEM_READ);
  struct xmem_buffer_info info = image_info ();
  struct xmem_error error;

  harness_assert_status (
      xmem_buffer_set_info (mine, &info, &error), XMEM_INVALID, &error);
  info.description.shape[0]--; /* a row less fits */
  harness_assert_status (
      xmem_buffer_set_info (theirs, &info, &error), XMEM_REFUSED, &error);
  g_assert_cmpuint (info_of (mine).timestamp_ns, ==, 0);
  harness_assert_ok (xmem_buffer_set_info (mine, &info, &error), &error);
  info.sequence = 99;
  info.description.strides[0] = -96;
  harness_assert_status (
      xmem_buffer_set_info (mine, &info, &error), XMEM_INVALID, &error);
  g_assert_cmpuint (info_of (mine).sequence, ==, 6); /* as it was */
  xmem_buffer_unref (theirs);
  xmem_buffer_unref (mine);
  close_pair (pair);
}

static struct xmem_slot *
slot_of (struct xmem_pool *pool, const struct xmem_buffer *buffer)
{
  return &pool->slots[(uint32_t) xmem_buffer_get_id (buffer)];
}

static void
test_damaged_info_is_noticed (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 960);
  struct xmem_buffer *copy = named_acquire (pair.one, 960);
  struct xmem_slot *shared = slot_of (pair.two, mine);
  struct xmem_buffer_info info = image_info ();
  struct xmem_error error;
  static const struct xmem_buffer_info zero;

  harness_assert_ok (xmem_buffer_set_info (mine, &info, &error), &error);
  shared->info.description.shape[1]++;
  memset (&info, 0xee, sizeof (info));
  harness_assert_status (
      xmem_buffer_get_info (mine, &info, &error), XMEM_CORRUPT, &error);
  g_assert_cmpmem (&info, sizeof (info), &zero, sizeof (zero));
  harness_assert_status (
      xmem_buffer_copy (copy, mine, &error), XMEM_CORRUPT, &error);
  shared->info.description.shape[1]--;
  info_of (mine);
  shared->info.description.dtype = 999;
  harness_assert_status (
      xmem_buffer_get_info (mine, &info, NULL), XMEM_CORRUPT, &error);
  info = image_info ();
  harness_assert_ok (xmem_buffer_set_info (mine, &info, &error), &error);
  info_of (mine); /* said anew */
  xmem_buffer_unref (copy);
  xmem_buffer_unref (mine);
  close_pair (pair);
}

static void
test_damaged_size_is_bounded (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *mine = named_acquire (pair.one, 960);
  struct xmem_buffer *theirs =
      named_get (pair.two, xmem_buffer_get_id (mine), XMEM_READ);
  struct xmem_region region;

  slot_of (pair.one, mine)->size = UINT64_MAX;
  g_assert_cmpuint (xmem_buffer_get_size (theirs), ==, 960); /* a slot's */
  xmem_buffer_get_region (theirs, &region);
  g_assert_cmpuint (region.size, ==, 960);
  slot_of (pair.one, mine)->size = 0;
  g_assert_cmpuint (xmem_buffer_get_size (theirs), ==, 0);
  xmem_buffer_unref (theirs);
  xmem_buffer_unref (mine);
  close_pair (pair);
}

/* --- copying ------------------------------------------------------------- */

static void
check_copy (struct xmem_pool *from_pool, struct xmem_pool *to_pool)
{
  struct xmem_buffer *from = frames_new_buffer (from_pool, 1000, 7);
  struct xmem_buffer *to = frames_new_buffer (to_pool, 3000, 8);
  struct xmem_buffer_info info = image_info ();
  struct xmem_error error;
  uint64_t stamp;

  harness_assert_ok (xmem_buffer_set_info (from, &info, &error), &error);
  slot_of (to_pool, to)->info.producer = 42;
  harness_assert_ok (xmem_buffer_copy (to, from, &error), &error);
  g_assert_true (frames_read_stamp (xmem_buffer_get_data (to), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  g_assert_true (frames_read_stamp (
      (const char *) xmem_buffer_get_data (to) + 1000, 2000, &stamp));
  g_assert_cmpuint (stamp, ==, 8); /* the rest is left alone */
  g_assert_cmpuint (xmem_buffer_get_size (to), ==, 3000);
  info.producer = 42;
  {
    const struct xmem_buffer_info got = info_of (to);

    g_assert_cmpmem (&got, sizeof (got), &info, sizeof (info));
  }
  xmem_buffer_unref (from);
  xmem_buffer_unref (to);
}

static void
test_copies_within_and_across_pools (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_pool *anonymous;

  harness_assert_ok (xmem_pool_new (NULL, &anonymous, NULL), NULL);
  check_copy (pair.one, pair.one);
  check_copy (pair.one, pair.two);
  check_copy (pair.one, anonymous);
  check_copy (anonymous, pair.one);
  check_copy (anonymous, anonymous);
  xmem_pool_unref (anonymous);
  close_pair (pair);
}

static void
test_copies_that_cannot_be (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *from = frames_new_buffer (pair.one, 1000, 7);
  struct xmem_buffer *small = frames_new_buffer (pair.one, 999, 8);
  struct xmem_buffer *same =
      named_get (pair.two, xmem_buffer_get_id (from), XMEM_READ);
  struct xmem_error error;
  uint64_t stamp;

  harness_assert_status (
      xmem_buffer_copy (small, from, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "1000");
  harness_assert_status (
      xmem_buffer_copy (same, small, &error), XMEM_REFUSED, &error);
  g_assert_true (frames_read_stamp (xmem_buffer_get_data (small), 999, &stamp));
  g_assert_cmpuint (stamp, ==, 8);
  harness_assert_ok (xmem_buffer_copy (from, same, &error), &error);
  harness_assert_ok (xmem_buffer_copy (from, from, &error), &error);
  g_assert_true (frames_read_stamp (xmem_buffer_get_data (same), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  xmem_buffer_unref (same);
  xmem_buffer_unref (small);
  xmem_buffer_unref (from);
  close_pair (pair);
}

/* --- limits -------------------------------------------------------------- */

static void
expect_none (struct xmem_pool *pool, uint64_t size, int expected)
{
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire (pool, size, 0, 0, &buffer, &error), expected, &error);
  g_assert_null (buffer);
}

static void
test_figures_are_the_same_for_all (void)
{
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *small = named_acquire (pair.one, 100);
  struct xmem_buffer *large = named_acquire (pair.two, 2 * MIB);
  struct xmem_pool_stats one, two;

  give (xmem_buffer_ref (large), 2);
  give (xmem_buffer_ref (small), 1);
  one = stats_of (pair.one);
  two = stats_of (pair.two);
  g_assert_cmpuint (one.n_slots, ==, two.n_slots);
  g_assert_cmpuint (one.n_used, ==, two.n_used);
  g_assert_cmpuint (one.n_in_flight, ==, two.n_in_flight);
  g_assert_cmpuint (one.n_segments, ==, two.n_segments);
  g_assert_cmpuint (one.n_processes, ==, two.n_processes);
  g_assert_cmpuint (one.bytes, ==, two.bytes);
  g_assert_cmpuint (one.n_used, ==, 2);
  g_assert_cmpuint (one.n_in_flight, ==, 2);
  g_assert_cmpuint (one.n_segments, ==, 2);
  g_assert_cmpuint (one.n_processes, ==, 2);
  g_assert_cmpuint (one.n_slots, >=, 2);
  g_assert_cmpuint (one.bytes, >=, 2 * MIB + 128);
  xmem_pool_trim (pair.one, 1); /* what is shared stays, and is used */
  xmem_pool_trim (pair.one, 16 * MIB);
  xmem_buffer_unref (named_acquire (pair.one, 100));
  xmem_buffer_unref (named_acquire (pair.one, 2 * MIB));
  g_assert_cmpuint (stats_of (pair.one).bytes, ==, one.bytes);
  xmem_buffer_unref (take (pair.one, xmem_buffer_get_id (large)));
  xmem_buffer_unref (take (pair.one, xmem_buffer_get_id (large)));
  xmem_buffer_unref (take (pair.one, xmem_buffer_get_id (small)));
  xmem_buffer_unref (small);
  xmem_buffer_unref (large);
  close_pair (pair);
}

static void
test_limits_hold_for_all_together (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffers[4];

  for (unsigned i = 0; i < 4; i++)
    buffers[i] = named_acquire (i % 2 ? pair.one : pair.two, MIB);
  for (unsigned i = 0; i < 2; i++) {
    struct xmem_pool *pool = i ? pair.one : pair.two;

    expect_none (pool, MIB, XMEM_AGAIN);
    expect_none (pool, 1, XMEM_AGAIN);
    expect_none (pool, 4 * MIB + 1, XMEM_FULL);
    expect_none (pool, 0, XMEM_INVALID);
    expect_none (pool, (UINT64_C (1) << 40) + 1, XMEM_INVALID);
    g_assert_cmpuint (stats_of (pool).bytes, ==, 4 * MIB);
  }
  xmem_buffer_unref (buffers[2]);
  buffers[2] = named_acquire (pair.one, MIB);
  expect_none (pair.two, MIB, XMEM_AGAIN);
  for (unsigned i = 0; i < 4; i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

/* Others read what lies there: going past the limit is for anonymous pools. */
static void
test_named_pools_keep_their_limit (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .max_bytes = 4 * MIB };
  struct xmem_pool *pool = named_create (&params);
  struct xmem_buffer *buffers[4], *none;
  struct xmem_error error;

  for (unsigned i = 0; i < 4; i++)
    buffers[i] = named_acquire (pool, MIB);
  harness_assert_status (
      xmem_pool_acquire (pool, MIB, XMEM_ACQUIRE_OVER_LIMIT, 0, &none, &error),
      XMEM_AGAIN, &error);
  harness_assert_status (xmem_pool_acquire (pool, 5 * MIB,
                             XMEM_ACQUIRE_OVER_LIMIT, 0, &none, &error),
      XMEM_FULL, &error);
  for (unsigned i = 0; i < 4; i++)
    xmem_buffer_unref (buffers[i]);
  named_close (pool);
}

static void
test_slots_are_limited (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 3 };
  struct pair pair = open_pair (&params);
  struct xmem_buffer *buffers[3];

  for (unsigned i = 0; i < 3; i++)
    buffers[i] = named_acquire (i % 2 ? pair.one : pair.two, 1000);
  expect_none (pair.one, 1000, XMEM_AGAIN);
  expect_none (pair.two, 100000, XMEM_AGAIN);
  g_assert_cmpuint (stats_of (pair.two).n_slots, ==, 3);
  for (unsigned i = 0; i < 3; i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

static void
test_preallocated_for_all (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffers[3];
  struct xmem_error error;
  uint64_t bytes;

  harness_assert_status (
      xmem_pool_preallocate (pair.one, MIB, 5, &error), XMEM_FULL, &error);
  harness_assert_ok (xmem_pool_preallocate (pair.one, MIB, 3, &error), &error);
  harness_assert_ok (xmem_pool_preallocate (pair.two, MIB, 3, &error), &error);
  bytes = stats_of (pair.one).bytes;
  g_assert_cmpuint (bytes, ==, 3 * MIB);
  for (unsigned i = 0; i < 3; i++)
    buffers[i] = named_acquire (pair.two, MIB);
  g_assert_cmpuint (stats_of (pair.one).bytes, ==, bytes);
  for (unsigned i = 0; i < 3; i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

/* Buffers of all sizes lie apart from each other, in the file as in memory. */
static void
test_mixed_sizes_do_not_overlap (void)
{
  static const uint64_t sizes[] = { 1, 64, 100, 4096, 4097, 70000, 300000,
    MIB + 1 };
  struct pair pair = open_pair (NULL);
  struct xmem_buffer *buffers[5 * G_N_ELEMENTS (sizes)];
  struct stat st;

  for (unsigned i = 0; i < G_N_ELEMENTS (buffers); i++)
    buffers[i] = frames_new_buffer (i % 2 ? pair.one : pair.two,
        sizes[i % G_N_ELEMENTS (sizes)], i * 0x0101010101010101);
  for (unsigned i = 0; i < G_N_ELEMENTS (buffers); i++) {
    uint64_t size = sizes[i % G_N_ELEMENTS (sizes)];
    struct xmem_buffer *theirs = named_get (i % 2 ? pair.two : pair.one,
        xmem_buffer_get_id (buffers[i]), XMEM_READ);
    uint64_t stamp;

    g_assert_cmpuint (xmem_buffer_get_size (theirs), ==, size);
    g_assert_true (
        frames_read_stamp (xmem_buffer_get_data (theirs), size, &stamp));
    g_assert_cmpuint (stamp & 0xff, ==, i);
    xmem_buffer_unref (theirs);
  }
  g_assert_cmpint (stat (named_path (), &st), ==, 0);
  g_assert_cmpuint (
      (uint64_t) st.st_size, >=, stats_of (pair.one).bytes + 65536);
  for (unsigned i = 0; i < G_N_ELEMENTS (buffers); i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

/* --- waiting ------------------------------------------------------------- */

struct waiter {
  struct xmem_pool *pool;
  int status;
  uint64_t id;
};

static void *
wait_for_a_buffer (void *data)
{
  struct waiter *waiter = data;
  struct xmem_buffer *buffer;

  waiter->status = xmem_pool_acquire (
      waiter->pool, MIB, 0, XMEM_WAIT_FOREVER, &buffer, NULL);
  if (waiter->status == 0) {
    waiter->id = xmem_buffer_get_id (buffer);
    xmem_buffer_unref (buffer);
  }
  return NULL;
}

static void
test_release_wakes_other_attachments (void)
{
  struct pair pair = open_pair (&four_slots);
  struct waiter waiter = { .pool = pair.two, .status = -100 };
  struct xmem_buffer *buffers[4];
  uint64_t id;
  GThread *thread;

  for (unsigned i = 0; i < 4; i++)
    buffers[i] = named_acquire (pair.one, MIB);
  id = xmem_buffer_get_id (buffers[2]);
  thread = g_thread_new ("waiter", wait_for_a_buffer, &waiter);
  harness_wait_until (atomic_load (&pair.one->head->waiting) != 0);
  g_assert_cmphex (pair.one->head->waiting, ==, pair.two->holder.bit);
  g_clear_pointer (&buffers[2], xmem_buffer_unref);
  g_thread_join (thread);
  harness_assert_ok (waiter.status, NULL);
  g_assert_cmpuint (waiter.id, ==, id + (UINT64_C (1) << 32));
  g_assert_cmphex (pair.one->head->waiting, ==, 0);
  for (unsigned i = 0; i < 4; i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

static void
test_timeout_passes (void)
{
  struct pair pair = open_pair (&four_slots);
  struct xmem_buffer *buffers[4], *none = NULL;
  struct xmem_error error;
  int64_t before;

  for (unsigned i = 0; i < 4; i++)
    buffers[i] = named_acquire (pair.one, MIB);
  for (int64_t ms = 1; ms <= 250; ms += 83) {
    before = xmem_clock_now ();
    harness_assert_status (
        xmem_pool_acquire (pair.two, MIB, 0, ms * 1000000, &none, &error),
        XMEM_AGAIN, &error);
    g_assert_cmpint (xmem_clock_now () - before, >=, ms * 1000000);
    harness_assert_contains (error.message, "1048576");
  }
  g_assert_null (none);
  g_assert_cmphex (pair.one->head->waiting, ==, 0);
  for (unsigned i = 0; i < 4; i++)
    xmem_buffer_unref (buffers[i]);
  close_pair (pair);
}

/* --- other ways out of a pool -------------------------------------------- */

/* The files of named pools cannot be sealed, so peers could be harmed. */
static void
test_named_buffers_are_not_published (void)
{
  struct source source;
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 1000);
  struct xmem_frame_info info;
  struct xmem_error error;

  source_open_simply (&source);
  xmem_frame_info_init (&info);
  harness_assert_status (xmem_publisher_publish_buffer (
                             source.publisher, buffer, &info, 0, &error),
      XMEM_REFUSED, &error);
  g_assert_cmpuint (source_stats (&source).frames_published, ==, 0);
  assert_refs (buffer, 1, 1, 0);
  xmem_buffer_unref (buffer);
  source_close (&source);
  named_close (pool);
}

static void
test_anonymous_pools_hand_over_too (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .handover_timeout_ns = SECOND_NS };
  struct xmem_pool *pool;
  struct xmem_buffer *buffer, *none;
  struct xmem_error error;
  uint32_t cursor = 0;
  uint64_t id;

  harness_assert_ok (xmem_pool_new (&params, &pool, NULL), NULL);
  buffer = frames_new_buffer (pool, 1000, 7);
  id = xmem_buffer_get_id (buffer);
  give (buffer, 2);
  g_assert_cmpuint (stats_of (pool).n_in_flight, ==, 1);
  buffer = take (pool, id);
  assert_refs (buffer, 1, 1, 1);
  g_assert_null (xmem_buffer_get_mut_data (buffer));
  harness_assert_status (
      xmem_buffer_give (buffer, 254, &error), XMEM_FULL, &error);
  harness_assert_ok (xmem_pool_next (pool, &cursor, &buffer, &error), &error);
  assert_refs (buffer, 2, 1, 1);
  xmem_buffer_unref (buffer);
  xmem_buffer_unref (buffer);
  pool->slots[(uint32_t) id].given_ns = 1;
  g_assert_cmpuint (reclaim (pool), ==, 1);
  expect_stale (pool, id);
  harness_assert_status (
      xmem_pool_get_at (pool, (uint32_t) id, XMEM_READ, &none, &error),
      XMEM_STALE, &error);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  xmem_pool_unref (pool);
}

static void
test_buffers_in_flight_go_with_their_pool (void)
{
  struct xmem_pool *pool;

  harness_assert_ok (xmem_pool_new (NULL, &pool, NULL), NULL);
  give (named_acquire (pool, 1000), 1);
  xmem_pool_unref (pool);
  pool = named_create (NULL);
  give (named_acquire (pool, 1000), 1);
  named_close (pool);
}

/* A process of its own: the driver, where there is one, keeps what it opens. */
static void
run_cuda (int argc, char **argv)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_pool *reading = named_open (XMEM_OPEN_READ_ONLY);
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire_cuda (pool, 100, 0, 0, 0, &buffer, &error),
      XMEM_UNSUPPORTED, &error);
  harness_assert_contains (error.message, "CUDA");
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, 100, 1000000, 0, 0, &buffer, &error),
      XMEM_UNSUPPORTED, &error);
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, 100, -1, 0, 0, &buffer, &error),
      XMEM_INVALID, &error);
  harness_assert_contains (error.message, "-1");
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, 0, 0, 0, 0, &buffer, &error), XMEM_INVALID,
      &error);
  harness_assert_status (
      xmem_pool_acquire_cuda (reading, 100, 0, 0, 0, &buffer, &error),
      XMEM_REFUSED, &error);
  g_assert_null (buffer);
  g_assert_cmpuint (stats_of (pool).bytes, ==, 0);
  xmem_pool_unref (reading);
  named_close (pool);
  _exit (0);
}

static void
test_no_cuda_memory_yet (void)
{
  struct harness_child child;

  harness_spawn (&child, "cuda", NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static const struct harness_role roles[] = { { "writer", run_writer },
  { "cuda", run_cuda }, { NULL, NULL } };

static void
add_bytes_and_ids (void)
{
  harness_add ("/one-writes-the-other-reads", test_one_writes_the_other_reads);
  harness_add ("/both-may-write", test_both_may_write);
  harness_add ("/writing-to-what-is-read-only-is-fatal",
      test_writing_to_what_is_read_only_is_fatal);
  harness_add ("/segments-are-mapped-once", test_segments_are_mapped_once);
  harness_add ("/slots-of-others-are-used", test_slots_of_others_are_used);
  harness_add ("/ids-go-stale", test_ids_go_stale);
  harness_add ("/foreign-ids-are-stale", test_foreign_ids_are_stale);
  harness_add ("/renewed-id", test_renewed_id);
  harness_add ("/got-by-index", test_got_by_index);
  harness_add ("/goes-through-what-is-live", test_goes_through_what_is_live);
  harness_add ("/nothing-to-go-through", test_nothing_to_go_through);
}

static void
add_handing_over (void)
{
  harness_add ("/references-are-counted", test_references_are_counted);
  harness_add ("/given-once-taken-once", test_given_once_taken_once);
  harness_add (
      "/in-flight-keeps-the-content", test_in_flight_keeps_the_content);
  harness_add ("/too-many-in-flight", test_too_many_in_flight);
  harness_add ("/handover-ends", test_handover_ends);
  harness_add ("/handover-lasts-as-long-as-it-should",
      test_handover_lasts_as_long_as_it_should);
  harness_add ("/held-buffers-do-not-end", test_held_buffers_do_not_end);
  harness_add (
      "/acquiring-ends-old-handovers", test_acquiring_ends_old_handovers);
  harness_add (
      "/anonymous-pools-hand-over-too", test_anonymous_pools_hand_over_too);
  harness_add ("/buffers-in-flight-go-with-their-pool",
      test_buffers_in_flight_go_with_their_pool);
}

static void
add_infos_and_copies (void)
{
  harness_add ("/info-is-told-to-others", test_info_is_told_to_others);
  harness_add ("/wrong-infos-are-refused", test_wrong_infos_are_refused);
  harness_add ("/damaged-info-is-noticed", test_damaged_info_is_noticed);
  harness_add ("/damaged-size-is-bounded", test_damaged_size_is_bounded);
  harness_add (
      "/copies-within-and-across-pools", test_copies_within_and_across_pools);
  harness_add ("/copies-that-cannot-be", test_copies_that_cannot_be);
}

static void
add_limits (void)
{
  harness_add (
      "/figures-are-the-same-for-all", test_figures_are_the_same_for_all);
  harness_add (
      "/limits-hold-for-all-together", test_limits_hold_for_all_together);
  harness_add (
      "/named-pools-keep-their-limit", test_named_pools_keep_their_limit);
  harness_add ("/slots-are-limited", test_slots_are_limited);
  harness_add ("/preallocated-for-all", test_preallocated_for_all);
  harness_add ("/mixed-sizes-do-not-overlap", test_mixed_sizes_do_not_overlap);
  harness_add (
      "/release-wakes-other-attachments", test_release_wakes_other_attachments);
  harness_add ("/timeout-passes", test_timeout_passes);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  add_bytes_and_ids ();
  add_handing_over ();
  add_infos_and_copies ();
  add_limits ();
  harness_add (
      "/named-buffers-are-not-published", test_named_buffers_are_not_published);
  harness_add ("/no-cuda-memory-yet", test_no_cuda_memory_yet);
  return g_test_run ();
}
