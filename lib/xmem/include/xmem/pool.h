/* SPDX-License-Identifier: MIT */
/**
 * xmem/pool.h: frame buffers in shared memory.
 *
 * A pool hands out slots: regions of sealed memfds that other processes can
 * map. A buffer is this process's reference-counted handle on one slot. The
 * pool grows by segments (one memfd each, allocated and populated up front)
 * up to a stated limit and gives idle segments back.
 *
 * Anonymous pools leave nothing behind when their processes die.
 */
#ifndef XMEM_POOL_H
#define XMEM_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <xmem/error.h>

XMEM_BEGIN_DECLS

struct xmem_pool;
struct xmem_buffer;
struct xmem_segment;

#define XMEM_WAIT_FOREVER INT64_C (-1)

#define XMEM_MAX_SLOTS 65536

struct xmem_pool_params {
  size_t struct_size; /* sizeof (struct xmem_pool_params) */
  uint32_t n_slots; /* most slots at once; 0: 1024; at most XMEM_MAX_SLOTS */
  uint64_t max_bytes; /* most bytes of all segments, rounded up to a page; 0:
                         1 GiB */
};

/**
 * Makes an empty anonymous pool. No memory is shared before the first
 * acquire.
 *
 * @params: NULL for the defaults.
 * Ownership: the caller has one reference; xmem_pool_unref () gives it back.
 *   Buffers keep their pool alive.
 * Threads: a pool may be used from any number of threads at once.
 * Blocks: never.
 * Returns: 0, XMEM_INVALID, XMEM_NO_MEMORY.
 */
XMEM_API int xmem_pool_new (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error);

XMEM_API struct xmem_pool *xmem_pool_ref (struct xmem_pool *pool);

/** NULL is allowed. */
XMEM_API void xmem_pool_unref (struct xmem_pool *pool);

enum xmem_acquire_flags {
  /* Grow past max_bytes rather than wait. For memory whose number is bounded
   * elsewhere, such as copies that wait for a bounded set of readers. What
   * exceeds the limit is given back as it comes free, but for one segment. */
  XMEM_ACQUIRE_OVER_LIMIT = 1 << 0,
};

/**
 * Takes a free slot of at least @size_bytes, growing the pool if need be.
 * The content is undefined (whatever the slot last held, or zeros).
 *
 * @size_bytes: 1 to 2^40.
 * @flags: enum xmem_acquire_flags.
 * @timeout_ns: how long to wait for a slot when the limits are reached; 0
 *   does not wait, XMEM_WAIT_FOREVER has no limit.
 * Ownership: the caller has one reference, xmem_buffer_unref () gives it back.
 * Threads: any.
 * Blocks: up to @timeout_ns on a futex. Growing allocates and populates the
 *   new segment, about 0.6 ms per MiB.
 * Returns: 0; XMEM_AGAIN when no slot came free in time; XMEM_FULL when one
 *   such slot alone exceeds the pool's limit; XMEM_INVALID;
 *   XMEM_NO_SPACE when the system has no memory to share.
 */
XMEM_API int xmem_pool_acquire (struct xmem_pool *pool, uint64_t size_bytes,
    unsigned flags, int64_t timeout_ns, struct xmem_buffer **buffer_out,
    struct xmem_error *error);

/**
 * Makes sure that @n further slots of @size_bytes can be acquired without
 * growing.
 *
 * Threads: any. Blocks: for the allocation.
 * Returns: 0, XMEM_FULL when the pool's limits do not allow it, XMEM_INVALID,
 *   XMEM_NO_SPACE. On failure what was allocated stays.
 */
XMEM_API int xmem_pool_preallocate (struct xmem_pool *pool, uint64_t size_bytes,
    uint32_t n, struct xmem_error *error);

/**
 * Another reference on the live buffer with this id.
 *
 * Threads: any. Blocks: never.
 * Returns: 0, or XMEM_STALE when that buffer is gone or its slot has moved on
 *   to other content.
 */
XMEM_API int xmem_pool_get (
    struct xmem_pool *pool, uint64_t id, struct xmem_buffer **buffer_out);

/**
 * Gives back every segment whose slots would be a bad fit for buffers of
 * @keep_size_bytes: at once where all its slots are free, else as soon as they
 * are. For streams whose frames have changed their size.
 *
 * Threads: any. Blocks: never.
 */
XMEM_API void xmem_pool_trim (struct xmem_pool *pool, uint64_t keep_size_bytes);

struct xmem_pool_stats {
  uint32_t n_slots; /* slots that have memory */
  uint32_t n_used; /* of these, held by buffers */
  uint32_t n_segments;
  uint64_t bytes; /* of all segments */
};

/** Threads: any. Blocks: never. The figures are of one instant. */
XMEM_API void xmem_pool_get_stats (
    struct xmem_pool *pool, struct xmem_pool_stats *stats_out);

/** Threads: any; the count is atomic. Returns: @buffer. */
XMEM_API struct xmem_buffer *xmem_buffer_ref (struct xmem_buffer *buffer);

/**
 * Gives one reference back. With the last one the slot is free and a waiting
 * xmem_pool_acquire () wakes up. NULL is allowed.
 *
 * Threads: any. Blocks: never.
 */
XMEM_API void xmem_buffer_unref (struct xmem_buffer *buffer);

/**
 * The buffer's id: generation in the upper, slot index in the lower 32 bits.
 * An id is never given to other content by the same pool before 2^32 reuses
 * of that slot.
 */
XMEM_API uint64_t xmem_buffer_get_id (const struct xmem_buffer *buffer);

/**
 * Gives the buffer a new id, because its owner is about to fill it with new
 * content without having released it (a recycling pool above this one).
 *
 * Threads: only the one owner of the buffer may call this.
 */
XMEM_API void xmem_buffer_renew (struct xmem_buffer *buffer);

/**
 * The bytes, writable, aligned to 64 bytes at least, xmem_buffer_get_size ()
 * of them; valid while the caller holds a reference.
 */
XMEM_API void *xmem_buffer_get_data (const struct xmem_buffer *buffer);

/** The size in bytes as asked for in xmem_pool_acquire (). */
XMEM_API uint64_t xmem_buffer_get_size (const struct xmem_buffer *buffer);

/**
 * A region of shared memory: what a frame is made of. Whoever has a region of
 * a live buffer or of a received frame can publish it.
 */
struct xmem_region {
  struct xmem_segment *segment; /* borrowed */
  uint64_t id; /* generation << 32 | slot index */
  uint64_t offset; /* bytes from the segment's start */
  uint64_t size; /* bytes */
};

/** The whole of @buffer as a region; borrowed, valid as long as @buffer. */
XMEM_API void xmem_buffer_get_region (
    const struct xmem_buffer *buffer, struct xmem_region *region_out);

XMEM_END_DECLS
#endif
