/* SPDX-License-Identifier: MIT */
/* A child that uses a named pool on CUDA devices as it is told. It can have the
 * pool open twice: "at 0", "at 1" say which the next lines mean. A line is
 *   create SLOTS BYTES MODE   open FLAGS   close
 *   acquire SIZE DEVICE       (-1: memory of the CPU) answers with the id
 *   preallocate SIZE N DEVICE
 *   get ID ACCESS   take ID ACCESS   get-at INDEX   next
 *   give ID N       unref ID
 *   write ID STAMP  check ID STAMP    by a kernel, waited for
 *   copy TO FROM    copy-after TO FROM
 *   device ID       stats   reclaim   left
 *   calls FUNCTION  fail FUNCTION NTH CODE   which only the double knows
 * and each is answered by a status and what else there is. */
#ifndef XMEM_TESTS_CUDA_NAMED_ACTOR_H
#define XMEM_TESTS_CUDA_NAMED_ACTOR_H

#include "cuda/double.h"

/* What named_actor_start () needs among the roles of its program. */
#define NAMED_ACTOR_ROLE           \
  {                                \
    "named-actor", named_actor_run \
  }

void named_actor_run (int argc, char **argv);

/* With NULL-terminated VARIABLE=VALUEs of its environment. */
void named_actor_start (
    struct harness_child *child, ...) G_GNUC_NULL_TERMINATED;
/* Ends it in good order; it must have nothing of CUDA left. */
void named_actor_stop (struct harness_child *child);
void named_actor_die (struct harness_child *child);

/* Tells it a line, and expects that status. Returns what else was answered,
 * until the next call. */
const char *named_actor_ask (struct harness_child *child, int status,
    const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The same where a number is the answer. */
uint64_t named_actor_ask_number (
    struct harness_child *child, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* How often it has called a function of the driver; nothing with a driver that
 * cannot say. */
void named_actor_expect_calls (
    struct harness_child *child, const char *function, uint64_t n);

#endif
