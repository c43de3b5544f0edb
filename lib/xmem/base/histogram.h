/* SPDX-License-Identifier: MIT */
/* A log-linear histogram of nanoseconds: 16 steps per power of two, so a
 * percentile is right to within 1/16. Constant size, constant time. */
#ifndef XMEM_BASE_HISTOGRAM_H
#define XMEM_BASE_HISTOGRAM_H

#include <stdint.h>

#define XMEM_HISTOGRAM_BUCKETS (16 * 41)

struct xmem_histogram {
  uint64_t n;
  uint64_t sum;
  uint64_t min;
  uint64_t max;
  uint32_t buckets[XMEM_HISTOGRAM_BUCKETS];
};

void xmem_histogram_add (struct xmem_histogram *histogram, uint64_t value);

/* The value that the fraction `part` (0 to 1) of all values does not exceed;
 * 0 without any value. */
uint64_t xmem_histogram_quantile (
    const struct xmem_histogram *histogram, double part);

#endif
