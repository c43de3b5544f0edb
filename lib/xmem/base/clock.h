/* SPDX-License-Identifier: MIT */
/* CLOCK_MONOTONIC in nanoseconds, and deadlines on it. */
#ifndef XMEM_BASE_CLOCK_H
#define XMEM_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define XMEM_DEADLINE_NEVER INT64_MAX

static inline int64_t
xmem_clock_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* timeout_ns < 0: never. */
static inline int64_t
xmem_clock_deadline (int64_t timeout_ns)
{
  int64_t deadline;

  if (timeout_ns < 0
      || __builtin_add_overflow (xmem_clock_now (), timeout_ns, &deadline))
    return XMEM_DEADLINE_NEVER;
  return deadline;
}

/* NULL for a deadline that never comes; else *left, which is never negative:
 * what ppoll () and futex () want. */
static inline const struct timespec *
xmem_clock_left (int64_t deadline, struct timespec *left)
{
  int64_t ns;

  if (deadline == XMEM_DEADLINE_NEVER)
    return NULL;
  ns = deadline - xmem_clock_now ();
  if (ns < 0)
    ns = 0;
  left->tv_sec = ns / 1000000000;
  left->tv_nsec = ns % 1000000000;
  return left;
}

#endif
