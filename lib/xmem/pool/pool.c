/* SPDX-License-Identifier: MIT */
/* Anonymous pools: who has which slot, and when to grow and to shrink.
 *
 * Owns the slots, the buffers (one per slot, so taking a slot allocates
 * nothing) and a table of segments, each with a list of its free slots, last
 * freed first. Knows no sockets.
 *
 * Threads: `lock` guards everything but the reference counts of buffers and
 * the futex word. `grow_lock` is held while a segment is being made, without
 * `lock`, so that releases never wait for the kernel to clear pages.
 *
 * Invariants: a slot is on exactly one of: the list of slots without memory,
 * its segment's free list, the hands of a buffer. A segment that is closing
 * gives out no slots and goes away with its last one. */
#include "pool/pool.h"

#include <string.h>
#include <sys/mman.h>

#include "base/futex.h"
#include "pool/size-class.h"
#include "pool/slot.h"

#define MAX_SEGMENTS 256
#define DEFAULT_SLOTS 1024
#define DEFAULT_BYTES (UINT64_C (1) << 30)
/* A segment made while somebody waits: large enough to be rare, small enough
 * to be quick (10 ms). */
#define GROW_BYTES (UINT64_C (16) << 20)
#define GROW_SLOTS 32
#define NO_SLOT UINT32_MAX

struct xmem_buffer {
  atomic_uint refs;
  uint32_t index;
  uint32_t next_free; /* in the list the slot is on */
  uint32_t segment; /* index in pool->segments */
  uint64_t size; /* as asked for */
  struct xmem_pool *pool;
};

struct pool_segment {
  struct xmem_segment *segment; /* NULL: the place is empty */
  uint64_t slot_size;
  uint32_t n_slots;
  uint32_t n_free;
  uint32_t free; /* head of the list, or NO_SLOT */
  bool closing;
};

struct xmem_pool {
  atomic_uint refs;
  pthread_mutex_t lock;
  pthread_mutex_t grow_lock;
  uint64_t max_bytes;
  uint64_t bytes;
  uint32_t n_slots;
  uint32_t n_bare; /* slots without memory */
  uint32_t bare; /* head of their list, or NO_SLOT */
  uint32_t n_waiting;
  _Atomic uint32_t n_released; /* a futex: counts releases */
  struct xmem_slot *slots;
  struct xmem_buffer *buffers;
  struct pool_segment segments[MAX_SEGMENTS];
};

static uint64_t
page_round (uint64_t size)
{
  uint64_t page = (uint64_t) sysconf (_SC_PAGESIZE);

  return (size + page - 1) / page * page;
}

/* --- segments; all with `lock` held ------------------------------------- */

static void
push_free (struct xmem_pool *pool, uint32_t *head, uint32_t index)
{
  pool->buffers[index].next_free = *head;
  *head = index;
}

static uint32_t
pop_free (struct xmem_pool *pool, uint32_t *head)
{
  uint32_t index = *head;

  *head = pool->buffers[index].next_free;
  return index;
}

/* Gives an idle segment's memory back. */
static void
drop_segment (struct xmem_pool *pool, struct pool_segment *entry)
{
  while (entry->free != NO_SLOT)
    push_free (pool, &pool->bare, pop_free (pool, &entry->free));
  pool->n_bare += entry->n_slots;
  pool->bytes -= entry->segment->size;
  xmem_segment_retire (entry->segment);
  xmem_segment_unref (entry->segment);
  memset (entry, 0, sizeof (*entry));
}

/* All but those that serve buffers of `keep_size`; 0: all. */
static void
drop_idle_segments (struct xmem_pool *pool, uint64_t keep_size)
{
  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    struct pool_segment *entry = &pool->segments[i];

    if (entry->segment && entry->n_free == entry->n_slots
        && !xmem_size_fits (entry->slot_size, keep_size))
      drop_segment (pool, entry);
  }
}

/* The segment with the smallest slots that serve, or NULL. */
static struct pool_segment *
find_segment (struct xmem_pool *pool, uint64_t size, bool any_fit)
{
  struct pool_segment *best = NULL;

  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    struct pool_segment *entry = &pool->segments[i];

    if (!entry->segment || entry->closing || entry->n_free == 0
        || entry->slot_size < size)
      continue;
    if (!any_fit && !xmem_size_fits (entry->slot_size, size))
      continue;
    if (!best || entry->slot_size < best->slot_size)
      best = entry;
  }
  return best;
}

static struct pool_segment *
find_place (struct xmem_pool *pool)
{
  for (unsigned i = 0; i < MAX_SEGMENTS; i++)
    if (!pool->segments[i].segment)
      return &pool->segments[i];
  return NULL;
}

/* How many slots the next segment should have: as many as there are of this
 * size already, within what is allowed. */
static uint32_t
growth (
    struct xmem_pool *pool, uint64_t slot_size, uint32_t wanted, unsigned flags)
{
  uint64_t room = pool->max_bytes > pool->bytes
                      ? (pool->max_bytes - pool->bytes) / slot_size
                      : 0;
  uint64_t n = wanted;

  if (wanted == 0) {
    for (unsigned i = 0; i < MAX_SEGMENTS; i++)
      if (pool->segments[i].segment && pool->segments[i].slot_size == slot_size)
        n += pool->segments[i].n_slots;
    if (n > GROW_SLOTS)
      n = GROW_SLOTS;
    if (n > GROW_BYTES / slot_size)
      n = GROW_BYTES / slot_size;
    if (n < 4 && 4 * slot_size <= GROW_BYTES)
      n = 4;
    if (n == 0)
      n = 1;
  }
  if (n > room)
    n = flags & XMEM_ACQUIRE_OVER_LIMIT && room == 0 ? 1 : room;
  return n < pool->n_bare ? (uint32_t) n : pool->n_bare;
}

static void
add_segment (struct xmem_pool *pool, struct pool_segment *entry,
    struct xmem_segment *segment, uint64_t slot_size, uint32_t n_slots)
{
  entry->segment = segment;
  entry->slot_size = slot_size;
  entry->n_slots = entry->n_free = n_slots;
  entry->free = NO_SLOT;
  entry->closing = false;
  for (uint32_t i = n_slots; i > 0; i--) {
    uint32_t index = pop_free (pool, &pool->bare);
    struct xmem_slot *slot = &pool->slots[index];

    slot->segment = (uint32_t) (entry - pool->segments);
    slot->offset = (i - 1) * slot_size;
    slot->size = slot_size;
    push_free (pool, &entry->free, index);
  }
  pool->n_bare -= n_slots;
  pool->bytes += segment->size;
}

/* --- growing ------------------------------------------------------------- */

/* Adds a segment with slots for `size`; `wanted` of them, or as many as seem
 * right if 0. grow_lock is held. Returns 0, XMEM_FULL at a limit, failures. */
static int
grow (struct xmem_pool *pool, uint64_t size, uint32_t wanted, unsigned flags,
    struct xmem_error *error)
{
  uint64_t slot_size = xmem_size_class (size);
  struct xmem_segment *segment;
  struct pool_segment *place;
  uint32_t n_slots;
  int r;

  pthread_mutex_lock (&pool->lock);
  n_slots = growth (pool, slot_size, wanted, 0);
  place = find_place (pool);
  if (n_slots == 0 || n_slots < wanted || !place) {
    drop_idle_segments (pool, size);
    n_slots = growth (pool, slot_size, wanted, flags);
    place = find_place (pool);
  }
  pthread_mutex_unlock (&pool->lock);
  if (n_slots == 0 || n_slots < wanted || !place)
    return xmem_error_set (error, XMEM_FULL, 0,
        "the pool is at its limit of %llu bytes or %u slots",
        (unsigned long long) pool->max_bytes, pool->n_slots);
  /* Places are only taken under grow_lock: this one stays empty. */
  r = xmem_segment_create (page_round (slot_size * n_slots), &segment, error);
  if (r != 0)
    return r;
  pthread_mutex_lock (&pool->lock);
  add_segment (pool, place, segment, slot_size, n_slots);
  pthread_mutex_unlock (&pool->lock);
  return 0;
}

/* --- taking and releasing ------------------------------------------------ */

/* With `lock` held. */
static struct xmem_buffer *
take_slot (struct xmem_pool *pool, struct pool_segment *entry, uint64_t size)
{
  uint32_t index = pop_free (pool, &entry->free);
  struct xmem_slot *slot = &pool->slots[index];
  struct xmem_buffer *buffer = &pool->buffers[index];
  uint64_t state = atomic_load_explicit (&slot->state, memory_order_relaxed);

  entry->n_free--;
  atomic_store_explicit (&slot->state,
      xmem_slot_state (xmem_slot_generation (state) + 1, XMEM_SLOT_HOLDER),
      memory_order_relaxed);
  buffer->index = index;
  buffer->segment = slot->segment;
  buffer->size = size;
  buffer->pool = xmem_pool_ref (pool);
  atomic_store_explicit (&buffer->refs, 1, memory_order_release);
  return buffer;
}

static struct xmem_buffer *
try_take (struct xmem_pool *pool, uint64_t size, bool any_fit)
{
  struct pool_segment *entry;
  xmem_scoped_lock (&pool->lock);

  entry = find_segment (pool, size, any_fit);
  return entry ? take_slot (pool, entry, size) : NULL;
}

/* Takes a slot, growing if there is none. Returns 0, XMEM_FULL, failures. */
static int
take_or_grow (struct xmem_pool *pool, uint64_t size, unsigned flags,
    struct xmem_buffer **buffer_out, struct xmem_error *error)
{
  int r = 0;

  *buffer_out = try_take (pool, size, false);
  if (*buffer_out)
    return 0;
  pthread_mutex_lock (&pool->grow_lock);
  while (r == 0 && !(*buffer_out = try_take (pool, size, false)))
    r = grow (pool, size, 0, flags, error);
  pthread_mutex_unlock (&pool->grow_lock);
  if (r == XMEM_FULL && (*buffer_out = try_take (pool, size, true)))
    r = 0;
  return r;
}

/* Sleeps until some slot was released since n_released was `seen`. */
static void
wait_release (struct xmem_pool *pool, uint32_t seen, int64_t deadline)
{
  pthread_mutex_lock (&pool->lock);
  pool->n_waiting++;
  pthread_mutex_unlock (&pool->lock);
  xmem_futex_wait (&pool->n_released, seen, deadline);
  pthread_mutex_lock (&pool->lock);
  pool->n_waiting--;
  pthread_mutex_unlock (&pool->lock);
}

static int
check_size (uint64_t size_bytes, struct xmem_error *error)
{
  if (size_bytes == 0 || size_bytes > XMEM_MAX_BUFFER_SIZE)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a buffer of %llu bytes: 1 to 2^40 are possible",
        (unsigned long long) size_bytes);
  return 0;
}

int
xmem_pool_acquire (struct xmem_pool *pool, uint64_t size_bytes, unsigned flags,
    int64_t timeout_ns, struct xmem_buffer **buffer_out,
    struct xmem_error *error)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  uint32_t seen;
  int r;

  r = check_size (size_bytes, error);
  if (r != 0)
    return r;
  if (xmem_size_class (size_bytes) > pool->max_bytes
      && !(flags & XMEM_ACQUIRE_OVER_LIMIT))
    return xmem_error_set (error, XMEM_FULL, 0,
        "a slot of %llu bytes exceeds the pool's limit",
        (unsigned long long) size_bytes);
  for (;;) {
    /* Read before looking: a release after the look changes the word and
     * the wait below returns at once. */
    seen = atomic_load (&pool->n_released);
    r = take_or_grow (pool, size_bytes, flags, buffer_out, error);
    if (r != XMEM_FULL)
      return r;
    if (xmem_clock_now () >= deadline || timeout_ns == 0)
      return xmem_error_set (error, XMEM_AGAIN, 0,
          "no slot of %llu bytes came free in time",
          (unsigned long long) size_bytes);
    wait_release (pool, seen, deadline);
  }
}

int
xmem_pool_preallocate (struct xmem_pool *pool, uint64_t size_bytes, uint32_t n,
    struct xmem_error *error)
{
  uint32_t n_free = 0;
  int r;

  r = check_size (size_bytes, error);
  if (r != 0)
    return r;
  pthread_mutex_lock (&pool->grow_lock);
  pthread_mutex_lock (&pool->lock);
  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    struct pool_segment *entry = &pool->segments[i];

    if (entry->segment && !entry->closing
        && xmem_size_fits (entry->slot_size, size_bytes))
      n_free += entry->n_free;
  }
  pthread_mutex_unlock (&pool->lock);
  if (n_free < n)
    r = grow (pool, size_bytes, n - n_free, 0, error);
  pthread_mutex_unlock (&pool->grow_lock);
  return r;
}

/* Past the limit one idle segment of a size is kept, so that it is not made
 * anew for every buffer; further ones go. */
static bool
is_excess (const struct xmem_pool *pool, const struct pool_segment *idle)
{
  if (pool->bytes <= pool->max_bytes)
    return false;
  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    const struct pool_segment *other = &pool->segments[i];

    if (other != idle && other->segment && !other->closing
        && other->n_free == other->n_slots
        && other->slot_size == idle->slot_size)
      return true;
  }
  return false;
}

static void
give_slot (struct xmem_pool *pool, struct xmem_buffer *buffer)
{
  struct xmem_slot *slot = &pool->slots[buffer->index];
  struct pool_segment *entry = &pool->segments[slot->segment];
  uint64_t state = atomic_load_explicit (&slot->state, memory_order_relaxed);
  bool wake;

  pthread_mutex_lock (&pool->lock);
  atomic_store_explicit (
      &slot->state, state & ~XMEM_SLOT_HOLDERS, memory_order_relaxed);
  push_free (pool, &entry->free, buffer->index);
  entry->n_free++;
  if (entry->n_free == entry->n_slots
      && (entry->closing || is_excess (pool, entry)))
    drop_segment (pool, entry);
  atomic_fetch_add (&pool->n_released, 1);
  wake = pool->n_waiting > 0;
  pthread_mutex_unlock (&pool->lock);
  if (wake)
    xmem_futex_wake_all (&pool->n_released);
}

void
xmem_pool_trim (struct xmem_pool *pool, uint64_t keep_size_bytes)
{
  xmem_scoped_lock (&pool->lock);

  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    struct pool_segment *entry = &pool->segments[i];

    if (!entry->segment || xmem_size_fits (entry->slot_size, keep_size_bytes))
      continue;
    entry->closing = true;
    if (entry->n_free == entry->n_slots)
      drop_segment (pool, entry);
  }
}

void
xmem_pool_get_stats (struct xmem_pool *pool, struct xmem_pool_stats *stats_out)
{
  xmem_scoped_lock (&pool->lock);

  memset (stats_out, 0, sizeof (*stats_out));
  for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
    const struct pool_segment *entry = &pool->segments[i];

    if (!entry->segment)
      continue;
    stats_out->n_segments++;
    stats_out->n_slots += entry->n_slots;
    stats_out->n_used += entry->n_slots - entry->n_free;
  }
  stats_out->bytes = pool->bytes;
}

/* --- buffers ------------------------------------------------------------- */

struct xmem_buffer *
xmem_buffer_ref (struct xmem_buffer *buffer)
{
  atomic_fetch_add_explicit (&buffer->refs, 1, memory_order_relaxed);
  return buffer;
}

void
xmem_buffer_unref (struct xmem_buffer *buffer)
{
  struct xmem_pool *pool;

  if (!buffer)
    return;
  /* Whatever this process did with the bytes happens before reuse. */
  if (atomic_fetch_sub_explicit (&buffer->refs, 1, memory_order_acq_rel) != 1)
    return;
  pool = buffer->pool;
  give_slot (pool, buffer);
  xmem_pool_unref (pool);
}

int
xmem_pool_get (
    struct xmem_pool *pool, uint64_t id, struct xmem_buffer **buffer_out)
{
  uint32_t index = (uint32_t) id;
  struct xmem_buffer *buffer;
  unsigned refs;
  xmem_scoped_lock (&pool->lock);

  if (index >= pool->n_slots
      || atomic_load_explicit (&pool->slots[index].state, memory_order_relaxed)
             != xmem_slot_state ((uint32_t) (id >> 32), XMEM_SLOT_HOLDER))
    return XMEM_STALE;
  buffer = &pool->buffers[index];
  refs = atomic_load_explicit (&buffer->refs, memory_order_relaxed);
  do {
    /* Zero: its last reference is gone, the slot about to be free. */
    if (refs == 0)
      return XMEM_STALE;
  } while (!atomic_compare_exchange_weak_explicit (&buffer->refs, &refs,
      refs + 1, memory_order_acquire, memory_order_relaxed));
  *buffer_out = buffer;
  return 0;
}

uint64_t
xmem_buffer_get_id (const struct xmem_buffer *buffer)
{
  uint64_t state = atomic_load_explicit (
      &buffer->pool->slots[buffer->index].state, memory_order_relaxed);

  return (uint64_t) xmem_slot_generation (state) << 32 | buffer->index;
}

void
xmem_buffer_renew (struct xmem_buffer *buffer)
{
  struct xmem_pool *pool = buffer->pool;
  _Atomic uint64_t *state = &pool->slots[buffer->index].state;
  xmem_scoped_lock (&pool->lock);

  atomic_store_explicit (state,
      xmem_slot_state (xmem_slot_generation (
                           atomic_load_explicit (state, memory_order_relaxed))
                           + 1,
          XMEM_SLOT_HOLDER),
      memory_order_relaxed);
}

/* A held slot's segment stays where it is: no lock. */
static struct xmem_segment *
buffer_segment (const struct xmem_buffer *buffer)
{
  return buffer->pool->segments[buffer->segment].segment;
}

void *
xmem_buffer_get_data (const struct xmem_buffer *buffer)
{
  return buffer_segment (buffer)->data
         + buffer->pool->slots[buffer->index].offset;
}

uint64_t
xmem_buffer_get_size (const struct xmem_buffer *buffer)
{
  return buffer->size;
}

void
xmem_buffer_get_region (
    const struct xmem_buffer *buffer, struct xmem_region *region_out)
{
  region_out->segment = buffer_segment (buffer);
  region_out->id = xmem_buffer_get_id (buffer);
  region_out->offset = buffer->pool->slots[buffer->index].offset;
  region_out->size = buffer->size;
}

/* --- pools --------------------------------------------------------------- */

static int
init_slots (struct xmem_pool *pool)
{
  /* Whole pages: aligned, zero, and touched only as far as used. */
  pool->slots = mmap (NULL, page_round (pool->n_slots * sizeof (*pool->slots)),
      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pool->slots == MAP_FAILED)
    return XMEM_NO_MEMORY;
  pool->buffers = calloc (pool->n_slots, sizeof (*pool->buffers));
  if (!pool->buffers) {
    munmap (pool->slots, page_round (pool->n_slots * sizeof (*pool->slots)));
    return XMEM_NO_MEMORY;
  }
  pool->bare = NO_SLOT;
  for (uint32_t i = pool->n_slots; i > 0; i--)
    push_free (pool, &pool->bare, i - 1);
  pool->n_bare = pool->n_slots;
  return 0;
}

int
xmem_pool_new (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error)
{
  static const struct xmem_pool_params defaults = { .struct_size =
                                                        sizeof (defaults) };
  struct xmem_pool *pool;

  if (!params)
    params = &defaults;
  if (params->struct_size != sizeof (*params)
      || params->n_slots > XMEM_MAX_SLOTS)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a pool has at most %d slots, and struct_size must be set",
        XMEM_MAX_SLOTS);
  pool = calloc (1, sizeof (*pool));
  if (!pool)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  atomic_init (&pool->refs, 1);
  pool->max_bytes = params->max_bytes ? params->max_bytes : DEFAULT_BYTES;
  if (pool->max_bytes < UINT64_MAX / 2)
    pool->max_bytes = page_round (pool->max_bytes);
  pool->n_slots = params->n_slots ? params->n_slots : DEFAULT_SLOTS;
  if (init_slots (pool) != 0) {
    free (pool);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  }
  pthread_mutex_init (&pool->lock, NULL);
  pthread_mutex_init (&pool->grow_lock, NULL);
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
  if (!pool
      || atomic_fetch_sub_explicit (&pool->refs, 1, memory_order_acq_rel) != 1)
    return;
  drop_idle_segments (pool, 0); /* every buffer holds the pool: all are idle */
  pthread_mutex_destroy (&pool->grow_lock);
  pthread_mutex_destroy (&pool->lock);
  munmap (pool->slots, page_round (pool->n_slots * sizeof (*pool->slots)));
  free (pool->buffers);
  free (pool);
}
