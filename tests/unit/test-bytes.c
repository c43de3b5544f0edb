/* SPDX-License-Identifier: MIT */
/* base/bytes: values in the right order, and nothing outside the bounds. */
#include "base/bytes.h"

#include <string.h>

#include "harness/harness.h"

static void
test_reads_little_endian (void)
{
  static const uint8_t bytes[] = { 0x01, 0x02, 0x11, 0x12, 0x13, 0x14, 0x21,
    0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0xf8 };
  struct xmem_reader r = { .data = bytes, .left = sizeof (bytes) };

  g_assert_cmphex (xmem_reader_u16 (&r), ==, 0x0201);
  g_assert_cmphex (xmem_reader_u32 (&r), ==, 0x14131211);
  g_assert_cmphex (xmem_reader_u64 (&r), ==, UINT64_C (0xf827262524232221));
  g_assert_cmpuint (r.left, ==, 0);
  g_assert_false (r.failed);
}

/* Every size of input, held in memory of just that size. */
static void
test_reads_stay_inside (void)
{
  for (size_t size = 0; size < 8; size++) {
    uint8_t *bytes = g_malloc0 (size + (size == 0));
    struct xmem_reader r = { .data = bytes, .left = size };

    g_assert_cmpuint (xmem_reader_u64 (&r), ==, 0);
    g_assert_true (r.failed);
    g_assert_cmpuint (r.left, ==, size);
    g_free (bytes);
  }
}

static void
test_failed_reader_stays_failed (void)
{
  static const uint8_t bytes[4] = { 1, 2, 3, 4 };
  struct xmem_reader r = { .data = bytes, .left = sizeof (bytes) };

  g_assert_null (xmem_reader_take (&r, 5));
  g_assert_true (r.failed);
  g_assert_null (xmem_reader_take (&r, 1));
  g_assert_cmpuint (xmem_reader_u16 (&r), ==, 0);
  g_assert_cmpuint (xmem_reader_u32 (&r), ==, 0);
}

static void
test_take_lends (void)
{
  static const uint8_t bytes[6] = { 0 };
  struct xmem_reader r = { .data = bytes, .left = sizeof (bytes) };

  g_assert_true (xmem_reader_take (&r, 4) == bytes);
  g_assert_true (xmem_reader_take (&r, 2) == bytes + 4);
  g_assert_true (xmem_reader_take (&r, 0) == bytes + 6);
  g_assert_false (r.failed);
  g_assert_null (xmem_reader_take (&r, SIZE_MAX));
  g_assert_true (r.failed);
}

static void
test_writes_little_endian (void)
{
  static const uint8_t expected[] = { 0x01, 0x02, 0x11, 0x12, 0x13, 0x14, 0x21,
    0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0, 0, 'x' };
  uint8_t bytes[sizeof (expected)];
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };

  memset (bytes, 0xee, sizeof (bytes));
  xmem_writer_u16 (&w, 0x0201);
  xmem_writer_u32 (&w, 0x14131211);
  xmem_writer_u64 (&w, UINT64_C (0x2827262524232221));
  xmem_writer_zeros (&w, 2);
  xmem_writer_put (&w, "x", 1);
  xmem_writer_put (&w, NULL, 0);
  g_assert_false (w.failed);
  g_assert_cmpmem (bytes, w.used, expected, sizeof (expected));
}

static void
test_writes_stay_inside (void)
{
  for (size_t size = 0; size < 8; size++) {
    uint8_t *bytes = g_malloc0 (size + (size == 0));
    struct xmem_writer w = { .data = bytes, .size = size };

    xmem_writer_u64 (&w, UINT64_MAX);
    g_assert_true (w.failed);
    g_assert_cmpuint (w.used, ==, 0);
    for (size_t i = 0; i < size; i++)
      g_assert_cmpuint (bytes[i], ==, 0);
    g_free (bytes);
  }
}

static void
test_failed_writer_stays_failed (void)
{
  uint8_t bytes[4] = { 0 };
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };

  xmem_writer_u16 (&w, 1);
  xmem_writer_put (&w, "abc", 3);
  g_assert_true (w.failed);
  xmem_writer_u16 (&w, 2);
  xmem_writer_zeros (&w, SIZE_MAX);
  g_assert_cmpuint (w.used, ==, 2);
  g_assert_cmpuint (bytes[2], ==, 0);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/reads-little-endian", test_reads_little_endian);
  harness_add ("/reads-stay-inside", test_reads_stay_inside);
  harness_add ("/failed-reader-stays-failed", test_failed_reader_stays_failed);
  harness_add ("/take-lends", test_take_lends);
  harness_add ("/writes-little-endian", test_writes_little_endian);
  harness_add ("/writes-stay-inside", test_writes_stay_inside);
  harness_add ("/failed-writer-stays-failed", test_failed_writer_stays_failed);
  return g_test_run ();
}
