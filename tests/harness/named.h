/* SPDX-License-Identifier: MIT */
/* The named pool of a test program: its name has the program's pid in it, and
 * every case leaves it free. */
#ifndef XMEM_HARNESS_NAMED_H
#define XMEM_HARNESS_NAMED_H

#include <xmem/pool.h>

#include "harness/harness.h"

/* "/xmem-test-PID", and where its object lies. Children are told. */
const char *named_name (void);
const char *named_path (void);

/* Whether there is such an object. */
bool named_exists (void);

/* These fail the test when they cannot. */
struct xmem_pool *named_create (const struct xmem_pool_params *params);
struct xmem_pool *named_open (unsigned flags);

/* Gives the last reference on the last attachment back: the name goes. */
void named_close (struct xmem_pool *pool);

struct xmem_buffer *named_acquire (struct xmem_pool *pool, uint64_t size);
struct xmem_buffer *named_get (
    struct xmem_pool *pool, uint64_t id, enum xmem_access access);

#endif
