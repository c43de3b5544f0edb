/* SPDX-License-Identifier: MIT */
/* Values of 2^44 ns (five hours) and more share the last bucket. Callers
 * serialise. */
#include "base/histogram.h"

/* Values below 32 have a bucket each; above, the top five bits choose. */
static unsigned
bucket_of (uint64_t value)
{
  unsigned shift, bucket;

  if (value < 32)
    return (unsigned) value;
  shift = 59 - (unsigned) __builtin_clzll (value);
  bucket = shift * 16 + (unsigned) (value >> shift);
  return bucket < XMEM_HISTOGRAM_BUCKETS ? bucket : XMEM_HISTOGRAM_BUCKETS - 1;
}

static uint64_t
bucket_end (unsigned bucket)
{
  unsigned shift;

  if (bucket < 32)
    return bucket;
  shift = bucket / 16 - 1;
  return ((uint64_t) (bucket - shift * 16 + 1) << shift) - 1;
}

void
xmem_histogram_add (struct xmem_histogram *histogram, uint64_t value)
{
  if (histogram->n == 0 || value < histogram->min)
    histogram->min = value;
  if (value > histogram->max)
    histogram->max = value;
  histogram->n++;
  histogram->sum += value;
  histogram->buckets[bucket_of (value)]++;
}

uint64_t
xmem_histogram_quantile (const struct xmem_histogram *histogram, double part)
{
  uint64_t rank = (uint64_t) (part * (double) histogram->n + 0.5);
  uint64_t seen = 0, end;

  if (histogram->n == 0)
    return 0;
  for (unsigned i = 0; i < XMEM_HISTOGRAM_BUCKETS; i++) {
    seen += histogram->buckets[i];
    if (seen >= rank && seen > 0) {
      end = bucket_end (i);
      return end < histogram->max ? end : histogram->max;
    }
  }
  return histogram->max;
}
