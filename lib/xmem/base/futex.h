/* SPDX-License-Identifier: MIT */
/* Sleeping on a 32-bit word, in private or shared memory. */
#ifndef XMEM_BASE_FUTEX_H
#define XMEM_BASE_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

/* Sleeps while *word is `expected`, until woken or the deadline; may also
 * return for no reason. */
static inline void
xmem_futex_wait (_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
  struct timespec left;

  syscall (SYS_futex, word, FUTEX_WAIT, expected,
      xmem_clock_left (deadline, &left), NULL, 0);
}

static inline void
xmem_futex_wake_all (_Atomic uint32_t *word)
{
  syscall (SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

#endif
