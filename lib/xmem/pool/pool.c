/* SPDX-License-Identifier: MIT */
/* Taking slots and giving them back, for anonymous and for named pools.
 *
 * A slot's state word says all there is to know of it (slot.h). What helps to
 * find a free one - the slot freed last by this process, and a bit per slot - is
 * advice: a look at the slots themselves comes before growing and before giving
 * up. No list has to be kept in order, so no crash can put one out of order.
 *
 * Threads: any. Neither taking nor giving back holds a lock while there are free
 * slots. Knows no sockets. */
#include "pool/pool.h"

#include <string.h>
#include <sys/mman.h>

#include <xmem/cuda.h>

#include "mem/map.h"
#include "pool/named-cuda.h"

#define NO_SLOT UINT32_MAX

#define DEFAULT_SLOTS 1024
#define DEFAULT_BYTES (UINT64_C (1) << 30)
#define DEFAULT_HANDOVER_NS INT64_C (5000000000)
/* How long to sleep before looking whether somebody has died, who will not wake
 * us. */
#define SLICE_NS INT64_C (100000000)

int
xmem_pool_check_fork (const struct xmem_pool *pool, struct xmem_error *error)
{
  if (!atomic_load_explicit (&pool->forked, memory_order_relaxed))
    return 0;
  return xmem_error_set (error, XMEM_FORKED, 0,
      "the pool belongs to the parent process; open it anew after fork ()");
}

/* --- slots coming free --------------------------------------------------- */

void
xmem_pool_wake (struct xmem_pool *pool)
{
  if (atomic_load (&pool->head->waiting) == 0)
    return;
  atomic_fetch_add (&pool->head->n_released, 1);
  xmem_futex_wake_all (&pool->head->n_released);
}

void
xmem_pool_slot_freed (struct xmem_pool *pool, uint32_t index)
{
  const struct xmem_pool_segment *segment;

  xmem_segments_mark_free (pool, index);
  atomic_store (&pool->hint, index);
  xmem_pool_wake (pool);
  if (pool->named)
    return;
  segment = xmem_pool_get_segment (pool, index);
  if (pool->bytes > pool->max_bytes || (segment && segment->closing))
    xmem_segments_tidy (pool);
}

/* --- taking a free slot -------------------------------------------------- */

static bool
clear_free_bit (struct xmem_pool *pool, uint32_t index)
{
  uint64_t bit = UINT64_C (1) << index % 64;

  return atomic_fetch_and (&pool->free_bits[index / 64], ~bit) & bit;
}

/* What a hold's change means for the pool: while there is one it has a
 * reference. */
static void
follow_hold (
    struct xmem_pool *pool, uint32_t index, enum xmem_hold_change change)
{
  if (change == XMEM_HOLD_FIRST)
    xmem_pool_ref (pool);
  if (change == XMEM_HOLD_FREED)
    xmem_pool_slot_freed (pool, index);
  if (change == XMEM_HOLD_FREED || change == XMEM_HOLD_LAST)
    xmem_pool_unref (pool);
}

void
xmem_pool_drop_hold (struct xmem_pool *pool, uint32_t index)
{
  follow_hold (pool, index,
      xmem_hold_unref (
          &pool->holder, &pool->local[index].hold, &pool->slots[index]));
}

static bool
take_slot (struct xmem_pool *pool, uint32_t index, struct xmem_want want)
{
  const struct xmem_pool_segment *segment;

  if (!xmem_hold_take_free (
          &pool->holder, &pool->local[index].hold, &pool->slots[index]))
    return false;
  /* Now that it is ours its segment stays; before, it may have gone to another
   * than the one we looked at. */
  segment = xmem_pool_get_segment (pool, index);
  follow_hold (pool, index, XMEM_HOLD_FIRST);
  if (segment && segment->slot_size >= want.size
      && segment->device == want.device && !segment->closing)
    return true;
  xmem_pool_drop_hold (pool, index);
  return false;
}

/* A slot of this segment whose bit says that it is free; or NO_SLOT. */
static uint32_t
take_by_bits (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_want want)
{
  uint32_t first = segment->first;
  uint32_t end = first + segment->n_slots;

  for (uint32_t base = first / 64 * 64; base < end; base += 64) {
    uint64_t mask = UINT64_MAX;

    if (base < first)
      mask &= UINT64_MAX << (first - base);
    if (end - base < 64)
      mask &= (UINT64_C (1) << (end - base)) - 1;
    for (;;) {
      uint64_t bits = atomic_load (&pool->free_bits[base / 64]) & mask;
      uint32_t index;

      if (bits == 0)
        break;
      index = base + (uint32_t) __builtin_ctzll (bits);
      /* Each is tried once, and by whoever clears its bit. One that turns out
       * not to serve, in a segment that has gone, is free again. */
      mask &= ~(bits & -bits);
      if (clear_free_bit (pool, index) && take_slot (pool, index, want))
        return index;
    }
  }
  return NO_SLOT;
}

/* The same by the slots themselves. */
static uint32_t
take_by_state (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_want want)
{
  uint32_t first = segment->first;
  uint32_t end = first + segment->n_slots;

  for (uint32_t index = first; index < end; index++)
    if (xmem_slot_is_free (atomic_load (&pool->slots[index].state))
        && take_slot (pool, index, want)) {
      (void) clear_free_bit (pool, index);
      return index;
    }
  return NO_SLOT;
}

enum {
  LOOK_WELL = 1 << 0, /* at the slots, not at the bits */
  ANY_FIT = 1 << 1, /* also at slots that are much too large */
};

/* The smallest slot size above `above` that serves; 0: none. */
static uint64_t
next_slot_size (
    struct xmem_pool *pool, uint64_t above, struct xmem_want want, unsigned how)
{
  uint32_t n_places = pool->n_places;
  uint64_t best = 0;

  for (uint32_t i = 0; i < n_places; i++) {
    uint64_t slot_size = pool->segments[i].slot_size;

    if (slot_size > above && slot_size >= want.size
        && pool->segments[i].device == want.device
        && (best == 0 || slot_size < best)
        && (how & ANY_FIT || xmem_size_fits (slot_size, want.size)))
      best = slot_size;
  }
  return best;
}

/* The slot freed last, if it is of the right size: its bytes may still be in the
 * cache. */
static uint32_t
take_hint (struct xmem_pool *pool, struct xmem_want want)
{
  uint32_t index = atomic_exchange (&pool->hint, NO_SLOT);
  const struct xmem_pool_segment *segment;

  if (index == NO_SLOT)
    return NO_SLOT;
  segment = xmem_pool_get_segment (pool, index);
  if (!segment || segment->slot_size != xmem_size_class (want.size)
      || segment->device != want.device)
    return NO_SLOT;
  (void) clear_free_bit (pool, index);
  if (take_slot (pool, index, want))
    return index;
  return NO_SLOT;
}

static uint32_t
take_free (struct xmem_pool *pool, struct xmem_want want, unsigned how)
{
  uint32_t n_places = pool->n_places;
  uint32_t index = take_hint (pool, want);
  uint64_t slot_size = 0;

  if (index != NO_SLOT)
    return index;
  while ((slot_size = next_slot_size (pool, slot_size, want, how)) != 0) {
    for (uint32_t i = 0; i < n_places; i++) {
      struct xmem_pool_segment *segment = &pool->segments[i];

      if (segment->slot_size != slot_size || segment->device != want.device
          || segment->closing)
        continue;
      index = how & LOOK_WELL ? take_by_state (pool, segment, want)
                              : take_by_bits (pool, segment, want);
      if (index != NO_SLOT)
        return index;
    }
  }
  return NO_SLOT;
}

/* --- reclaiming ---------------------------------------------------------- */

/* Frees what was in flight for too long. */
static uint32_t
expire (struct xmem_pool *pool)
{
  uint64_t now = (uint64_t) xmem_clock_now ();
  uint32_t n_places = pool->n_places;
  uint32_t n_freed = 0;

  if (pool->handover_ns == 0 || pool->handover_ns > now)
    return 0;
  for (uint32_t s = 0; s < n_places; s++) {
    uint32_t first = pool->segments[s].first;
    uint32_t end = first + pool->segments[s].n_slots;

    for (uint32_t index = first; index < end; index++)
      if (xmem_slot_expire (&pool->slots[index], now - pool->handover_ns)) {
        xmem_pool_slot_freed (pool, index);
        n_freed++;
      }
  }
  return n_freed;
}

static uint32_t
reclaim (struct xmem_pool *pool)
{
  uint32_t n_freed = pool->named ? xmem_named_reclaim (pool) : 0;

  /* After the dead: theirs may be the last holds beside what is in flight. */
  return n_freed + expire (pool);
}

int
xmem_pool_reclaim (
    struct xmem_pool *pool, uint32_t *n_freed_out, struct xmem_error *error)
{
  uint32_t n_freed;
  int r = xmem_pool_check_fork (pool, error);

  if (r == 0)
    r = xmem_segments_refresh (pool, error);
  if (r != 0)
    return r;
  xmem_named_cuda_look (pool);
  n_freed = reclaim (pool);
  if (n_freed_out)
    *n_freed_out = n_freed;
  return 0;
}

/* --- acquiring ----------------------------------------------------------- */

static void
unlock_growth (struct xmem_pool *pool)
{
  if (pool->named)
    xmem_named_unlock_growth (pool);
  pthread_mutex_unlock (&pool->grow_lock);
}

static int
lock_growth (struct xmem_pool *pool, int64_t deadline, struct xmem_error *error)
{
  int r;

  /* Before, too: closing what has gone waits for the device. */
  xmem_named_cuda_look (pool);
  pthread_mutex_lock (&pool->grow_lock);
  r = pool->named ? xmem_named_lock_growth (pool, deadline, error) : 0;
  if (r != 0) {
    pthread_mutex_unlock (&pool->grow_lock);
    return r;
  }
  r = xmem_segments_refresh (pool, error);
  if (r != 0)
    unlock_growth (pool);
  else
    xmem_named_cuda_look (pool);
  return r;
}

/* A good look, which also finds what dead processes held. */
static uint32_t
take_hard (struct xmem_pool *pool, struct xmem_want want)
{
  uint32_t index = take_free (pool, want, LOOK_WELL);

  if (index == NO_SLOT && reclaim (pool) > 0)
    index = take_free (pool, want, LOOK_WELL);
  return index;
}

static int
grow_and_take (struct xmem_pool *pool, struct xmem_want want, unsigned flags,
    int64_t lock_deadline, uint32_t *index_out, struct xmem_error *error)
{
  int r = lock_growth (pool, lock_deadline, error);

  if (r != 0)
    return r;
  /* Somebody else may just have grown it. */
  *index_out = take_free (pool, want, 0);
  while (*index_out == NO_SLOT && r == 0) {
    r = xmem_segments_grow (pool, want, 0, flags, error);
    if (r == 0)
      *index_out = take_free (pool, want, 0);
  }
  unlock_growth (pool);
  return r;
}

/* Takes a slot: a free one, one that can be reclaimed, a new one, one that is
 * much too large. lock_deadline: how long to wait for others who grow the pool,
 * a second at most. Returns 0, XMEM_FULL, failures. */
static int
take_or_grow (struct xmem_pool *pool, struct xmem_want want, unsigned flags,
    int64_t lock_deadline, uint32_t *index_out, struct xmem_error *error)
{
  int r = xmem_segments_refresh (pool, error);

  if (r != 0)
    return r;
  *index_out = take_hard (pool, want);
  if (*index_out != NO_SLOT)
    return 0;
  r = grow_and_take (pool, want, flags, lock_deadline, index_out, error);
  if (r == XMEM_FULL) {
    *index_out = take_free (pool, want, LOOK_WELL | ANY_FIT);
    r = *index_out != NO_SLOT ? 0 : XMEM_FULL;
  }
  return r;
}

/* Marks this process as one whose threads sleep. From here on whoever frees a
 * slot wakes us, or we see that slot in our next look. */
static void
begin_waiting (struct xmem_pool *pool)
{
  xmem_scoped_lock (&pool->lock);

  if (pool->n_waiting++ == 0)
    atomic_fetch_or (&pool->head->waiting, (uint32_t) pool->holder.bit);
}

static void
end_waiting (struct xmem_pool *pool)
{
  xmem_scoped_lock (&pool->lock);

  if (--pool->n_waiting == 0)
    atomic_fetch_and (&pool->head->waiting, ~(uint32_t) pool->holder.bit);
}

static int
none_free (uint64_t size, struct xmem_error *error)
{
  return xmem_error_set (error, XMEM_AGAIN, 0,
      "no slot of %llu bytes came free in time", (unsigned long long) size);
}

/* The pool is full: waits for a slot. Returns 0, XMEM_AGAIN, failures. */
static int
wait_for_slot (struct xmem_pool *pool, struct xmem_want want, unsigned flags,
    int64_t deadline, uint32_t *index_out, struct xmem_error *error)
{
  int64_t now = xmem_clock_now ();
  int64_t next_check = now + SLICE_NS; /* the caller has just checked */
  int r = XMEM_FULL;

  begin_waiting (pool);
  while (r == XMEM_FULL) {
    /* Read before looking: a release after the look changes the word, and the
     * sleep ends at once. */
    uint32_t seen = atomic_load (&pool->head->n_released);

    *index_out = take_free (pool, want, ANY_FIT);
    if (*index_out != NO_SLOT) {
      r = 0;
      break;
    }
    /* A named pool's growth and liveness ask the kernel: not at each wake. */
    if (!pool->named || now >= next_check) {
      r = take_or_grow (pool, want, flags, now, index_out, error);
      now = xmem_clock_now ();
      next_check = now + SLICE_NS;
    }
    if (r != XMEM_FULL)
      break;
    if (now >= deadline) {
      r = none_free (want.size, error);
      break;
    }
    xmem_futex_wait (&pool->head->n_released, seen,
        deadline - now < SLICE_NS ? deadline : now + SLICE_NS);
    now = xmem_clock_now ();
  }
  end_waiting (pool);
  return r;
}

static int
check_size (uint64_t size_bytes, struct xmem_error *error)
{
  if (size_bytes == 0 || size_bytes > XMEM_MAX_BUFFER_SIZE)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a buffer has 1 to 2^40 bytes, not %llu",
        (unsigned long long) size_bytes);
  return 0;
}

static int
check_writable (const struct xmem_pool *pool, struct xmem_error *error)
{
  if (pool->writable)
    return 0;
  return xmem_error_set (
      error, XMEM_REFUSED, 0, "the pool was opened for reading only");
}

static int
check_acquire (
    struct xmem_pool *pool, uint64_t size_bytes, struct xmem_error *error)
{
  int r = xmem_pool_check_fork (pool, error);

  if (r == 0)
    r = check_size (size_bytes, error);
  return r == 0 ? check_writable (pool, error) : r;
}

/* The slot is ours: nobody looks at these before they are told of it. */
static struct xmem_buffer *
start_buffer (struct xmem_pool *pool, uint32_t index, uint64_t size)
{
  const struct xmem_buffer_info info = { .producer = pool->pid };
  struct xmem_slot *slot = &pool->slots[index];

  atomic_store_explicit (&slot->size, size, memory_order_relaxed);
  xmem_buffer_info_store (&slot->info, &info);
  return &pool->local[index].handles[XMEM_WRITE];
}

static int
acquire (struct xmem_pool *pool, struct xmem_want want, unsigned flags,
    int64_t timeout_ns, uint32_t *index_out, struct xmem_error *error)
{
  int64_t deadline;
  int r;

  if (xmem_size_class (want.size) > pool->max_bytes
      && (pool->named || !(flags & XMEM_ACQUIRE_OVER_LIMIT)))
    return xmem_error_set (error, XMEM_FULL, 0,
        "a slot of %llu bytes exceeds the pool's limit",
        (unsigned long long) want.size);
  *index_out = take_free (pool, want, 0);
  if (*index_out != NO_SLOT)
    return 0;
  deadline = xmem_clock_deadline (timeout_ns);
  r = take_or_grow (pool, want, flags, XMEM_DEADLINE_NEVER, index_out, error);
  if (r == XMEM_FULL && timeout_ns == 0)
    return none_free (want.size, error);
  if (r == XMEM_FULL)
    r = wait_for_slot (pool, want, flags, deadline, index_out, error);
  return r;
}

/* What a segment of a named pool was like may be long ago. */
static bool
still_serves (struct xmem_pool *pool, uint32_t index, struct xmem_want want)
{
  const struct xmem_pool_segment *segment = xmem_pool_get_segment (pool, index);

  return segment->slot_size >= want.size && segment->device == want.device;
}

/* Its size_bytes are what the buffer has; the slot may need to have more. */
static int
acquire_buffer (struct xmem_pool *pool, struct xmem_want want,
    uint64_t size_bytes, unsigned flags, int64_t timeout_ns,
    struct xmem_buffer **buffer_out, struct xmem_error *error)
{
  struct xmem_segment *map;
  uint32_t index;
  int r;

  /* Memory that is gone is not offered again. */
  do {
    r = acquire (pool, want, flags, timeout_ns, &index, error);
    if (r != 0)
      return r;
    *buffer_out = start_buffer (pool, index, size_bytes);
    r = xmem_segments_map (pool, index, XMEM_WRITE, &map, error);
    if (r == 0 && !still_serves (pool, index, want))
      r = XMEM_GONE;
    if (r != 0)
      xmem_buffer_unref (*buffer_out);
  } while (r == XMEM_GONE);
  return r;
}

int
xmem_pool_acquire (struct xmem_pool *pool, uint64_t size_bytes, unsigned flags,
    int64_t timeout_ns, struct xmem_buffer **buffer_out,
    struct xmem_error *error)
{
  const struct xmem_want want = { size_bytes, XMEM_NO_DEVICE };
  int r = check_acquire (pool, size_bytes, error);

  return r == 0 ? acquire_buffer (
             pool, want, size_bytes, flags, timeout_ns, buffer_out, error)
                : r;
}

/* The driver may take seconds to start: not while we have the growth lock, for
 * which the other processes wait no longer than one. */
static int
begin_cuda (struct xmem_pool *pool, int device, struct xmem_error *error)
{
  const struct xmem_cuda_place place = { .device = device,
    .context = pool->cuda_context };
  int r = pool->named ? xmem_cuda_warm_up (&place, error) : 0;

  if (r == 0)
    pool->uses_cuda = true;
  return r;
}

static int
check_acquire_cuda (struct xmem_pool *pool, uint64_t size_bytes, int device,
    struct xmem_want *want_out, struct xmem_error *error)
{
  int r = check_acquire (pool, size_bytes, error);

  if (r == 0 && device < 0)
    r = xmem_error_set (
        error, XMEM_INVALID, 0, "there is no CUDA device %d", device);
  if (r == 0 && pool->named && pool->cuda_mode == XMEM_CUDA_MODE_VMM)
    r = xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "a named pool's CUDA memory is shared by legacy handles, not by "
        "descriptors (XMEM_CUDA_MODE_VMM)");
  if (r == 0 && !pool->uses_cuda)
    r = begin_cuda (pool, device, error);
  want_out->device = device;
  want_out->size = size_bytes > XMEM_MIN_CUDA_SLOT_SIZE
                       ? size_bytes
                       : XMEM_MIN_CUDA_SLOT_SIZE;
  return r;
}

int
xmem_pool_acquire_cuda (struct xmem_pool *pool, uint64_t size_bytes, int device,
    unsigned flags, int64_t timeout_ns, struct xmem_buffer **buffer_out,
    struct xmem_error *error)
{
  struct xmem_want want;
  int r = check_acquire_cuda (pool, size_bytes, device, &want, error);

  return r == 0 ? acquire_buffer (
             pool, want, size_bytes, flags, timeout_ns, buffer_out, error)
                : r;
}

static uint64_t
count_free (struct xmem_pool *pool, struct xmem_want want)
{
  uint64_t n_free = 0;

  for (uint32_t s = 0; s < pool->n_places; s++) {
    const struct xmem_pool_segment *segment = &pool->segments[s];

    if (segment->slot_size == 0 || segment->closing
        || !xmem_pool_segment_fits (segment, want))
      continue;
    for (uint32_t i = 0; i < segment->n_slots; i++)
      n_free += xmem_slot_is_free (
          atomic_load (&pool->slots[segment->first + i].state));
  }
  return n_free;
}

static int
preallocate (struct xmem_pool *pool, struct xmem_want want, uint32_t n,
    struct xmem_error *error)
{
  uint64_t n_free;
  int r = lock_growth (pool, XMEM_DEADLINE_NEVER, error);

  if (r != 0)
    return r;
  n_free = count_free (pool, want);
  while (n_free < n && xmem_segments_revive (pool, want, error) == 0)
    n_free = count_free (pool, want);
  if (n_free < n
      && !xmem_segments_make_room (pool, want, (uint32_t) (n - n_free)))
    r = xmem_error_set (error, XMEM_FULL, 0,
        "the pool's limits of %llu bytes and %u slots do not allow for %u more "
        "of %llu bytes",
        (unsigned long long) pool->max_bytes, pool->n_slots, n,
        (unsigned long long) want.size);
  while (r == 0 && n_free < n) {
    r = xmem_segments_grow (pool, want, (uint32_t) (n - n_free), 0, error);
    n_free = count_free (pool, want);
  }
  unlock_growth (pool);
  return r;
}

int
xmem_pool_preallocate (struct xmem_pool *pool, uint64_t size_bytes, uint32_t n,
    struct xmem_error *error)
{
  const struct xmem_want want = { size_bytes, XMEM_NO_DEVICE };
  int r = check_acquire (pool, size_bytes, error);

  return r == 0 ? preallocate (pool, want, n, error) : r;
}

int
xmem_pool_preallocate_cuda (struct xmem_pool *pool, uint64_t size_bytes,
    uint32_t n, int device, struct xmem_error *error)
{
  struct xmem_want want;
  int r = check_acquire_cuda (pool, size_bytes, device, &want, error);

  return r == 0 ? preallocate (pool, want, n, error) : r;
}

/* --- buffers that exist -------------------------------------------------- */

/* The slot's index, if it has memory that we know. */
static int
check_index (struct xmem_pool *pool, uint32_t index, struct xmem_error *error)
{
  int r = xmem_pool_check_fork (pool, error);

  if (r == 0 && index < pool->n_slots && !xmem_pool_get_segment (pool, index))
    r = xmem_segments_refresh (pool, error);
  if (r == 0
      && (index >= pool->n_slots || !xmem_pool_get_segment (pool, index)))
    r = xmem_error_set (error, XMEM_STALE, 0, "slot %u has no content", index);
  return r;
}

static int
get_buffer (struct xmem_pool *pool, uint64_t id, unsigned n_taken,
    enum xmem_access access, struct xmem_buffer **buffer_out,
    struct xmem_error *error)
{
  uint32_t index = (uint32_t) id;
  enum xmem_hold_change change;
  struct xmem_segment *map;
  int r;

  r = check_index (pool, index, error);
  if (r == 0 && access == XMEM_WRITE)
    r = check_writable (pool, error);
  if (r != 0)
    return r;
  r = xmem_hold_get (&pool->holder, &pool->local[index].hold,
      &pool->slots[index], xmem_slot_generation (id), n_taken, &change);
  follow_hold (pool, index, change);
  if (r != 0)
    return xmem_error_set (error, r, 0,
        n_taken ? "no reference on buffer %#llx is in flight"
                : "buffer %#llx is gone",
        (unsigned long long) id);
  *buffer_out = &pool->local[index].handles[access];
  r = xmem_segments_map (pool, index, access, &map, error);
  if (r != 0)
    xmem_buffer_unref (*buffer_out);
  return r;
}

int
xmem_pool_get (struct xmem_pool *pool, uint64_t id, enum xmem_access access,
    struct xmem_buffer **buffer_out, struct xmem_error *error)
{
  return get_buffer (pool, id, 0, access, buffer_out, error);
}

int
xmem_pool_take (struct xmem_pool *pool, uint64_t id, enum xmem_access access,
    struct xmem_buffer **buffer_out, struct xmem_error *error)
{
  return get_buffer (pool, id, 1, access, buffer_out, error);
}

int
xmem_pool_get_at (struct xmem_pool *pool, uint32_t index,
    enum xmem_access access, struct xmem_buffer **buffer_out,
    struct xmem_error *error)
{
  uint64_t state;
  int r;

  do {
    r = check_index (pool, index, error);
    if (r != 0)
      return r;
    state = atomic_load (&pool->slots[index].state);
    if (!xmem_slot_is_live (state))
      return xmem_error_set (error, XMEM_STALE, 0, "slot %u is free", index);
    r = get_buffer (pool, (uint64_t) xmem_slot_generation (state) << 32 | index,
        0, access, buffer_out, error);
    /* It may have moved on between the two. */
  } while (r == XMEM_STALE);
  return r;
}

int
xmem_pool_next (struct xmem_pool *pool, uint32_t *cursor,
    struct xmem_buffer **buffer_out, struct xmem_error *error)
{
  int r = xmem_pool_check_fork (pool, error);

  if (r == 0)
    r = xmem_segments_refresh (pool, error);
  if (r != 0)
    return r;
  for (; *cursor < pool->n_slots; (*cursor)++) {
    if (!xmem_slot_is_live (atomic_load (&pool->slots[*cursor].state)))
      continue;
    r = xmem_pool_get_at (pool, *cursor, XMEM_READ, buffer_out, error);
    if (r != XMEM_STALE) {
      (*cursor)++;
      return r;
    }
  }
  return xmem_error_set (error, XMEM_EOS, 0, "there are no more buffers");
}

void
xmem_pool_get_stats (struct xmem_pool *pool, struct xmem_pool_stats *stats_out)
{
  uint32_t n_places;

  memset (stats_out, 0, sizeof (*stats_out));
  if (pool->forked)
    return;
  (void) xmem_segments_refresh (pool, NULL);
  n_places = pool->n_places;
  for (uint32_t s = 0; s < n_places; s++) {
    uint32_t first = pool->segments[s].first;
    uint32_t n_slots = pool->segments[s].n_slots;

    if (pool->segments[s].slot_size == 0)
      continue;
    stats_out->n_segments++;
    stats_out->n_slots += n_slots;
    for (uint32_t index = first; index < first + n_slots; index++) {
      uint64_t state = atomic_load (&pool->slots[index].state);

      stats_out->n_used += xmem_slot_is_live (state);
      stats_out->n_in_flight +=
          xmem_slot_is_live (state) && xmem_slot_in_flight (state) > 0;
    }
  }
  stats_out->n_processes = pool->named ? xmem_named_count_processes (pool) : 1;
  stats_out->bytes = pool->bytes;
}

/* --- pools --------------------------------------------------------------- */

static int
check_params (const struct xmem_pool_params *params, struct xmem_error *error)
{
  if (params->struct_size != sizeof (*params)
      || params->n_slots > XMEM_MAX_SLOTS)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a pool has at most %d slots, and struct_size must be set",
        XMEM_MAX_SLOTS);
  if (params->cuda_mode > XMEM_CUDA_MODE_LEGACY)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "%u is no CUDA mode", params->cuda_mode);
  if (params->mode & ~0777u)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "%#o are no permissions", params->mode);
  return 0;
}

int
xmem_pool_alloc (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error)
{
  static const struct xmem_pool_params defaults = { .struct_size =
                                                        sizeof (defaults) };
  struct xmem_pool *pool;
  int r;

  if (!params)
    params = &defaults;
  r = check_params (params, error);
  if (r != 0)
    return r;
  pool = calloc (1, sizeof (*pool));
  if (!pool)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  atomic_init (&pool->refs, 1);
  pool->writable = true;
  pool->pid = (uint32_t) getpid ();
  pool->n_slots = params->n_slots ? params->n_slots : DEFAULT_SLOTS;
  pool->max_bytes = params->max_bytes ? params->max_bytes : DEFAULT_BYTES;
  if (pool->max_bytes < UINT64_MAX / 2)
    pool->max_bytes = xmem_page_round (pool->max_bytes);
  if (params->handover_timeout_ns >= 0)
    pool->handover_ns =
        (uint64_t) (params->handover_timeout_ns ? params->handover_timeout_ns
                                                : DEFAULT_HANDOVER_NS);
  pool->cuda_mode = params->cuda_mode;
  pool->cuda_context = params->cuda_context;
  pool->cuda_keeper = params->cuda_keeper;
  pool->hint = NO_SLOT;
  pthread_mutex_init (&pool->lock, NULL);
  pthread_mutex_init (&pool->grow_lock, NULL);
  *pool_out = pool;
  return 0;
}

int
xmem_pool_set_head (
    struct xmem_pool *pool, void *head, struct xmem_error *error)
{
  pool->local = calloc (pool->n_slots, sizeof (*pool->local));
  if (!pool->local)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  pool->head = head;
  pool->free_bits = (void *) ((char *) head + sizeof (*pool->head));
  pool->slots =
      (void *) ((char *) head + xmem_layout_slots_offset (pool->n_slots));
  return 0;
}

void
xmem_pool_dealloc (struct xmem_pool *pool)
{
  pthread_mutex_destroy (&pool->grow_lock);
  pthread_mutex_destroy (&pool->lock);
  free (pool->local);
  free (pool);
}

int
xmem_pool_new (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error)
{
  struct xmem_pool *pool;
  size_t size;
  void *head;
  int r;

  r = xmem_pool_alloc (params, &pool, error);
  if (r != 0)
    return r;
  /* Zero, and touched only as far as used. */
  size = (size_t) xmem_layout_head_size (pool->n_slots);
  head = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (head == MAP_FAILED) {
    xmem_pool_dealloc (pool);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  }
  r = xmem_pool_set_head (pool, head, error);
  if (r != 0) {
    munmap (head, size);
    xmem_pool_dealloc (pool);
    return r;
  }
  pool->holder.bit = 1;
  xmem_fork_watch (pool);
  *pool_out = pool;
  return 0;
}

struct xmem_pool *
xmem_pool_ref (struct xmem_pool *pool)
{
  atomic_fetch_add_explicit (&pool->refs, 1, memory_order_relaxed);
  return pool;
}

void
xmem_pool_unref (struct xmem_pool *pool)
{
  /* A forked child keeps its copy: it must not touch what is shared. */
  if (!pool || pool->forked
      || atomic_fetch_sub_explicit (&pool->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (pool->named)
    xmem_named_resign (pool);
  xmem_segments_drop_all (pool);
  if (pool->named) {
    xmem_named_detach (pool);
  } else {
    xmem_fork_unwatch (pool);
    munmap (pool->head, (size_t) xmem_layout_head_size (pool->n_slots));
  }
  xmem_pool_dealloc (pool);
}
