/* SPDX-License-Identifier: MIT */
/* base/histogram: quantiles against those of the sorted values. */
#include "base/histogram.h"

#include <stdlib.h>

#include "harness/harness.h"

#define N 10000

static struct xmem_histogram histogram; /* too large for a stack */

static void
clear (void)
{
  histogram = (struct xmem_histogram){ 0 };
}

static int
compare (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return (x > y) - (x < y);
}

/* Never below the true one, and above it by at most a sixteenth. */
static void
check_quantiles (uint64_t *values, size_t n)
{
  static const double parts[] = { 0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };

  clear ();
  for (size_t i = 0; i < n; i++)
    xmem_histogram_add (&histogram, values[i]);
  qsort (values, n, sizeof (values[0]), compare);
  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
    size_t rank = (size_t) (parts[i] * (double) n + 0.5);
    uint64_t expected = values[rank > 0 ? rank - 1 : 0];
    uint64_t got = xmem_histogram_quantile (&histogram, parts[i]);

    g_assert_cmpuint (got, >=, expected);
    g_assert_cmpuint (got, <=, expected + expected / 16);
  }
  g_assert_cmpuint (histogram.min, ==, values[0]);
  g_assert_cmpuint (histogram.max, ==, values[n - 1]);
  g_assert_cmpuint (histogram.n, ==, n);
}

static void
test_nothing_is_zero (void)
{
  clear ();
  g_assert_cmpuint (xmem_histogram_quantile (&histogram, 0.5), ==, 0);
}

static void
test_one_value_is_exact (void)
{
  for (unsigned shift = 0; shift < 44; shift++) {
    uint64_t value = (UINT64_C (1) << shift) + (shift > 4 ? 3 : 0);

    clear ();
    xmem_histogram_add (&histogram, value);
    g_assert_cmpuint (xmem_histogram_quantile (&histogram, 0.5), ==, value);
    g_assert_cmpuint (histogram.sum, ==, value);
  }
}

static void
test_small_values_are_exact (void)
{
  clear ();
  for (uint64_t i = 0; i < 32; i++)
    xmem_histogram_add (&histogram, i);
  for (uint64_t i = 1; i <= 32; i++)
    g_assert_cmpuint (
        xmem_histogram_quantile (&histogram, (double) i / 32), ==, i - 1);
}

static void
test_each_scale (void)
{
  static uint64_t values[N];

  for (unsigned bits = 1; bits <= 43; bits += 3) {
    for (size_t i = 0; i < N; i++)
      values[i] =
          ((uint64_t) g_test_rand_int () << 32 | (uint32_t) g_test_rand_int ())
          >> (64 - bits);
    check_quantiles (values, N);
  }
}

static void
test_bucket_borders (void)
{
  for (unsigned shift = 5; shift < 44; shift++) {
    uint64_t border = UINT64_C (1) << shift;
    uint64_t values[] = { border - 1, border, border + 1 };

    check_quantiles (values, G_N_ELEMENTS (values));
  }
}

static void
test_huge_values_share_the_last_bucket (void)
{
  clear ();
  xmem_histogram_add (&histogram, UINT64_MAX);
  xmem_histogram_add (&histogram, UINT64_C (1) << 50);
  g_assert_cmpuint (histogram.buckets[XMEM_HISTOGRAM_BUCKETS - 1], ==, 2);
  g_assert_cmpuint (
      xmem_histogram_quantile (&histogram, 1), >=, (UINT64_C (1) << 44) - 1);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/nothing-is-zero", test_nothing_is_zero);
  harness_add ("/one-value-is-exact", test_one_value_is_exact);
  harness_add ("/small-values-are-exact", test_small_values_are_exact);
  harness_add ("/each-scale", test_each_scale);
  harness_add ("/bucket-borders", test_bucket_borders);
  harness_add ("/huge-values-share-the-last-bucket",
      test_huge_values_share_the_last_bucket);
  return g_test_run ();
}
