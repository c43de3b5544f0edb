/* SPDX-License-Identifier: MIT */
/* The naive way of sharing buffers by name: shared memory for the pool's
 * records, and one more shared memory object per buffer, made when the buffer is
 * acquired, mapped at each get, and unlinked with the last reference. Nothing
 * comes back from a process that dies. */
#ifndef XMEM_BENCH_NAIVE_H
#define XMEM_BENCH_NAIVE_H

#include <stdint.h>

struct naive_pool;

struct naive_buffer {
  uint32_t index;
  uint64_t size;
  void *data;
};

/* Each exits when a system call fails. */
struct naive_pool *naive_create (const char *name, uint32_t n_slots);
struct naive_pool *naive_open (const char *name);
void naive_close (struct naive_pool *pool);
void naive_unlink (const char *name);

void naive_acquire (
    struct naive_pool *pool, uint64_t size, struct naive_buffer *buffer_out);
void naive_get (
    struct naive_pool *pool, uint32_t index, struct naive_buffer *buffer_out);
void naive_ref (struct naive_pool *pool, const struct naive_buffer *buffer);
void naive_unref (struct naive_pool *pool, const struct naive_buffer *buffer);

/* Undoes naive_acquire () or naive_get (). */
void naive_release (struct naive_pool *pool, const struct naive_buffer *buffer);

/* A slot that is taken and has no memory: what fills a pool. */
uint32_t naive_reserve (struct naive_pool *pool);
void naive_unreserve (struct naive_pool *pool, uint32_t index);

#endif
