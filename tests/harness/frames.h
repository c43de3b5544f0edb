/* SPDX-License-Identifier: MIT */
/* Frames with stamps: every eight bytes of one hold the same number, so that
 * a frame rewritten under its reader shows. And a source: a pool and a
 * publisher of this process. */
#ifndef XMEM_HARNESS_FRAMES_H
#define XMEM_HARNESS_FRAMES_H

#include <xmem/xmem.h>

#include "harness/harness.h"

void frames_stamp (void *data, uint64_t size, uint64_t stamp);

/* Whether all bytes carry one stamp, and which. */
bool frames_read_stamp (const void *data, uint64_t size, uint64_t *stamp_out);

/* A stamped buffer; waits until there is room. */
struct xmem_buffer *frames_new_buffer (
    struct xmem_pool *pool, uint64_t size, uint64_t stamp);

struct source {
  struct xmem_pool *pool;
  struct xmem_publisher *publisher;
};

/* At params->address. Fails the test when it cannot. */
void source_open (
    struct source *source, const struct xmem_publisher_params *params);

/* With the defaults, at an address of the case's own, which it returns. */
const char *source_open_simply (struct source *source);

void source_close (struct source *source);

/* Publishes a stamped frame; returns as xmem_publisher_publish (). */
int source_publish (struct source *source, uint64_t size, uint64_t stamp,
    uint32_t flags, int64_t timeout_ns);

/* n frames of `size` bytes, each stamped with its sequence number, the first
 * with `first`; all must be taken. */
void source_publish_many (
    struct source *source, uint64_t size, uint64_t first, unsigned n);

void source_set_caps (struct source *source, const char *caps);

struct xmem_publisher_stats source_stats (const struct source *source);

#endif
