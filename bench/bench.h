/* SPDX-License-Identifier: MIT */
/* What the benchmarks share. docs/benchmarks.md has the method. */
#ifndef XMEM_BENCH_H
#define XMEM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/xmem.h>

#define BENCH_SECOND INT64_C (1000000000)
#define BENCH_MAX_RUNS 8
#define BENCH_MAX_CLIENTS 256

/* 1080p NV12 without padding. */
#define BENCH_FRAME_SIZE (1920 * 1080 * 3 / 2)

struct bench_options {
  double rate; /* frames per second */
  double seconds; /* per round (latency), per number of clients (fanout) */
  unsigned rounds;
  unsigned clients[BENCH_MAX_RUNS]; /* 0 after the last */
  unsigned stride; /* bytes between two that a client reads */
  unsigned slots; /* of a pool */
  bool json;
};

/* Each returns the exit status: 0 when everything was measured; 77 where there
 * is nothing to measure with. */
int bench_latency (const struct bench_options *options);
int bench_fanout (const struct bench_options *options);
int bench_pool (const struct bench_options *options);
int bench_cuda (const struct bench_options *options);

int64_t bench_now (void);
void bench_sleep_until (int64_t ns);

/* Sorts the values. 0 without any. */
uint64_t bench_quantile (uint64_t *values, size_t n, double part);

/* Zeroed memory that children made by fork () share. Exits on failure. */
void *bench_shared (size_t size);

/* Forks a child that dies with its parent; as fork (). Exits on failure. */
int bench_fork (void);

/* Waits for a child; its exit status, or 1 if it was killed. */
int bench_reap (int pid);

/* Prints what failed; returns 1. */
int bench_fail (const char *what, const struct xmem_error *error);

/* An abstract address that only this process uses. */
const char *bench_address (void);

unsigned bench_count_fds (void);
long bench_rss_kib (void); /* of this process, shared pages included */
long bench_minor_faults (void); /* of this process so far */

#endif
