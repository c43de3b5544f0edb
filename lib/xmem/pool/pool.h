/* SPDX-License-Identifier: MIT */
/* A pool from inside, and what its modules do for each other:
 *   pool.c      taking and giving slots; the public functions on pools
 *   buffer.c    the public functions on buffers
 *   segments.c  this process's table of segments: growing, mapping, dropping
 *   named.c     the file of a named pool: name, locks, dead processes
 *   named-cuda.c  the segments of a named pool on CUDA devices
 *   fork.c      telling a forked child's pools apart from its parent's */
#ifndef XMEM_POOL_POOL_H
#define XMEM_POOL_POOL_H

#include <pthread.h>
#include <xmem/pool.h>

#include "pool/hold.h"
#include "pool/layout.h"
#include "pool/segment.h"
#include "pool/size-class.h"

/* A handle: which slot, and how. There are two of each slot. */
struct xmem_buffer {
  struct xmem_pool *pool;
  uint32_t index;
  uint32_t access; /* enum xmem_access */
};

/* What this process keeps of a slot. */
struct xmem_local_slot {
  struct xmem_hold hold;
  /* Index in pool->segments, plus 1; 0: no memory. Stays while the slot is not
   * free. */
  _Atomic uint16_t segment;
  struct xmem_buffer handles[2]; /* by enum xmem_access */
};

#define XMEM_NO_DEVICE (-1)
/* Of a named pool's segment on a CUDA device: nobody has asked yet; none of this
 * process's. */
#define XMEM_DEVICE_UNKNOWN (-2)
#define XMEM_DEVICE_ELSEWHERE (-3)

/* What a slot must be like. */
struct xmem_want {
  uint64_t size; /* bytes */
  int32_t device; /* its number; XMEM_NO_DEVICE: memory of the CPU */
};

/* What this process knows of a segment; checked, whatever it came from. The
 * numbers may be read at any time and are certain to belong together only for
 * who holds one of its slots. */
struct xmem_pool_segment {
  _Atomic uint64_t slot_size; /* bytes; 0: the place is empty */
  _Atomic uint32_t first; /* slot index */
  _Atomic uint32_t n_slots;
  _Atomic int32_t device; /* as in xmem_want, or XMEM_DEVICE_... */
  atomic_bool closing; /* gives out no more slots, goes with the last one */
  uint64_t offset; /* in a named pool's file */
  _Atomic uint64_t owner; /* as in its entry, of a named pool on a device */
  _Atomic uint64_t map_owner; /* what that was when it was mapped */
  _Atomic (struct xmem_segment *) maps[2]; /* by enum xmem_access; NULL: not
                                              mapped yet */
};

struct xmem_pool {
  atomic_uint refs;
  atomic_bool forked;
  bool writable;
  uint32_t pid;
  uint32_t n_slots;
  uint64_t max_bytes;
  uint64_t handover_ns; /* 0: no limit */
  uint32_t cuda_mode; /* enum xmem_cuda_mode */
  void *cuda_context; /* NULL: the primary ones */
  struct xmem_cuda_keeper cuda_keeper;
  struct xmem_holder holder;

  /* Shared in a named pool, private in an anonymous one. */
  struct xmem_layout_header *head;
  _Atomic uint64_t *free_bits; /* a set bit: probably free */
  struct xmem_slot *slots;

  struct xmem_local_slot *local;
  _Atomic uint32_t hint; /* the slot freed last, or UINT32_MAX */
  pthread_mutex_t lock; /* changes to the segment table; n_waiting */
  pthread_mutex_t grow_lock; /* one segment is made at a time */
  uint32_t n_waiting;
  atomic_bool uses_cuda; /* somebody has asked for memory of a device */
  _Atomic uint32_t n_cuda; /* segments on devices, of a named pool */
  _Atomic uint32_t n_places; /* of `segments` that were ever used */
  _Atomic uint32_t n_assigned; /* slots that have a segment */
  _Atomic uint64_t bytes; /* of all segments */
  struct xmem_pool_segment segments[XMEM_MAX_SEGMENTS];

  struct xmem_named *named; /* NULL: anonymous */
  struct xmem_pool *next_known; /* fork.c's list */
};

/* The segment that a slot lies in, as far as this process knows, or NULL. */
static inline struct xmem_pool_segment *
xmem_pool_get_segment (struct xmem_pool *pool, uint32_t index)
{
  uint16_t segment = pool->local[index].segment;

  return segment ? &pool->segments[segment - 1] : NULL;
}

/* Whether a free slot of this segment should serve. */
static inline bool
xmem_pool_segment_fits (
    const struct xmem_pool_segment *segment, struct xmem_want want)
{
  return segment->device == want.device
         && xmem_size_fits (segment->slot_size, want.size);
}

/* --- pool.c -------------------------------------------------------------- */

/* A pool without a head. Returns 0, XMEM_INVALID, XMEM_NO_MEMORY. */
int xmem_pool_alloc (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error);

/* Gives it its head, of pool->n_slots slots, which stays the caller's. */
int xmem_pool_set_head (
    struct xmem_pool *pool, void *head, struct xmem_error *error);

/* Undoes both. */
void xmem_pool_dealloc (struct xmem_pool *pool);

/* After a slot's state has become free: who looks for one finds it. */
void xmem_pool_slot_freed (struct xmem_pool *pool, uint32_t index);

/* Gives one of this process's references on a slot back. */
void xmem_pool_drop_hold (struct xmem_pool *pool, uint32_t index);

/* Wakes all who wait for a slot. */
void xmem_pool_wake (struct xmem_pool *pool);

/* 0, or XMEM_FORKED. */
int xmem_pool_check_fork (
    const struct xmem_pool *pool, struct xmem_error *error);

/* --- buffer.c ------------------------------------------------------------ */

/* Copies bytes that lie anywhere into a buffer: now, or on a stream, where one
 * of the two is in CUDA memory. Returns as xmem_buffer_copy (). */
int xmem_buffer_fill (struct xmem_buffer *to,
    const struct xmem_cuda_bytes *from, uint64_t size, void *stream, bool now,
    struct xmem_error *error);

void xmem_buffer_info_store (
    struct xmem_buffer_info *shared, const struct xmem_buffer_info *info);

/* --- segments.c ---------------------------------------------------------- */

/* Sets a free bit. */
void xmem_segments_mark_free (struct xmem_pool *pool, uint32_t index);

/* Takes slots whose memory on a device is gone for new memory there. grow_lock
 * is held. Returns 0; XMEM_FULL when there are none, or none that would fit;
 * failures. */
int xmem_segments_revive (
    struct xmem_pool *pool, struct xmem_want want, struct xmem_error *error);

/* Adds a segment of such slots: `n_wanted` at most, or as many as seem right if
 * 0. grow_lock is held. Returns 0, XMEM_FULL at a limit, failures. */
int xmem_segments_grow (struct xmem_pool *pool, struct xmem_want want,
    uint32_t n_wanted, unsigned flags, struct xmem_error *error);

/* Whether growing by n such slots is within the limits, once what is idle has
 * made room for it; makes that room. */
bool xmem_segments_make_room (
    struct xmem_pool *pool, struct xmem_want want, uint32_t n);

/* Learns what segments other processes have made. Returns 0, XMEM_CORRUPT,
 * XMEM_VERSION. */
int xmem_segments_refresh (struct xmem_pool *pool, struct xmem_error *error);

/* The segment of a slot that the caller holds, mapped for this access. */
int xmem_segments_map (struct xmem_pool *pool, uint32_t index,
    enum xmem_access access, struct xmem_segment **segment_out,
    struct xmem_error *error);

/* Drops what is closing and idle, and what is idle and past the limit. */
void xmem_segments_tidy (struct xmem_pool *pool);

/* Gives back what was put into a list with pool->lock; without that. */
void xmem_segments_free_dropped (struct xmem_segment *dropped);

/* Drops all; nobody uses the pool any more. */
void xmem_segments_drop_all (struct xmem_pool *pool);

/* --- named.c ------------------------------------------------------------- */

/* Frees what dead processes held. Returns how many slots came free. */
uint32_t xmem_named_reclaim (struct xmem_pool *pool);

/* Only one process of the pool has this at a time. Waits until the deadline, at
 * most a second. Returns 0, XMEM_FULL. */
int xmem_named_lock_growth (
    struct xmem_pool *pool, int64_t deadline, struct xmem_error *error);
void xmem_named_unlock_growth (struct xmem_pool *pool);

int xmem_named_get_fd (const struct xmem_pool *pool);
uint32_t xmem_named_count_processes (const struct xmem_pool *pool);
void xmem_named_detach (struct xmem_pool *pool);

/* What no other attachment of this pool is ever called; while it lives. */
uint64_t xmem_named_get_serial (const struct xmem_pool *pool);
/* Whether another attachment of this serial lives. */
bool xmem_named_lives (const struct xmem_pool *pool, uint64_t serial);
/* From here on nobody finds that this one lives. */
void xmem_named_resign (struct xmem_pool *pool);

/* Closes the file, if it is open. With xmem_fork_hold () held, or in a forked
 * child. */
void xmem_named_close (struct xmem_pool *pool);

/* --- fork.c -------------------------------------------------------------- */

/* Between the two a fork () of another thread waits: for files that are open and
 * not yet known to their pool. */
void xmem_fork_hold (void);
void xmem_fork_release (void);

/* Between the two a forked child marks its copy of the pool as forked and closes
 * its file. */
void xmem_fork_watch (struct xmem_pool *pool);
void xmem_fork_unwatch (struct xmem_pool *pool);

#endif
