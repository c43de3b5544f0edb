/* SPDX-License-Identifier: MIT */
/* Segments of a named pool in the memory of CUDA devices. Each belongs to the
 * attachment that allocated it, and its memory ends with that; the entry and its
 * slots are there for the next. */
#ifndef XMEM_POOL_NAMED_CUDA_H
#define XMEM_POOL_NAMED_CUDA_H

#include "pool/pool.h"

/* A segment's entry in the file, as it was at one time; its owner is 0 while it
 * is being made anew. */
void xmem_named_cuda_read (const struct xmem_layout_segment *shared,
    struct xmem_layout_segment *info_out);

/* Learns what segments others have made anew, and, once this process uses CUDA,
 * where they are. Returns 0, XMEM_CORRUPT. */
int xmem_named_cuda_refresh (struct xmem_pool *pool, struct xmem_error *error);

/* Closes the segments whose owners are gone, and what this process has open of
 * them and does not hold. */
void xmem_named_cuda_look (struct xmem_pool *pool);

/* Allocates a segment, and says in *info what others need to use it. */
int xmem_named_cuda_make (struct xmem_pool *pool,
    struct xmem_layout_segment *info, int device,
    struct xmem_segment **segment_out, struct xmem_error *error);

/* Gives a segment whose owner is gone, and whose slots are closed, new memory of
 * this process. With the growth lock. */
int xmem_named_cuda_renew (struct xmem_pool *pool,
    struct xmem_pool_segment *segment, uint64_t slot_size, int device,
    struct xmem_error *error);

/* The memory of a slot's segment, opened now if need be; the caller holds the
 * slot. Returns 0; XMEM_GONE when its owner is; failures. */
int xmem_named_cuda_map (struct xmem_pool *pool,
    struct xmem_pool_segment *segment, struct xmem_segment **segment_out,
    struct xmem_error *error);

#endif
