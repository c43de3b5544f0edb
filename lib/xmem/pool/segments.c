/* SPDX-License-Identifier: MIT */
/* The segments of a pool as this process knows them: making more, mapping those
 * of others, giving back.
 *
 * Threads: the table is changed with `lock` held and read without. Who holds a
 * slot knows that its segment stays; whoever else reads the table checks, once
 * it holds the slot, that it was the right one (take_slot () in pool.c). A
 * segment is dropped only when all its slots have been closed, which nobody can
 * hold. Those of a named pool are never dropped: other processes may use them.
 * Those of it that are on CUDA devices change when they are made anew
 * (named-cuda.c).
 *
 * The kernel is asked for memory with `grow_lock` held and without `lock`, so
 * that nobody who gives a slot back waits for it. Nor is memory freed with
 * `lock` held: a device's waits for the work on it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "mem/map.h"
#include "pool/named-cuda.h"

/* A segment made while somebody waits: large enough to be rare, small enough
 * to be quick (10 ms); but so that XMEM_MAX_SEGMENTS are always enough. */
#define GROW_BYTES (UINT64_C (16) << 20)
#define GROW_FRACTION 16
#define GROW_SLOTS 4
/* What drivers allocate at least, and in multiples of. */
#define CUDA_GRANULE (UINT64_C (2) << 20)

static uint64_t
round_up (uint64_t size, uint64_t step)
{
  return (size + step - 1) / step * step;
}

/* --- the table; with `lock` held ----------------------------------------- */

void
xmem_segments_mark_free (struct xmem_pool *pool, uint32_t index)
{
  atomic_fetch_or (&pool->free_bits[index / 64], UINT64_C (1) << index % 64);
}

static struct xmem_pool_segment *
find_place (struct xmem_pool *pool)
{
  for (unsigned i = 0; i < XMEM_MAX_SEGMENTS; i++)
    if (pool->segments[i].slot_size == 0)
      return &pool->segments[i];
  return NULL;
}

static void
assign (struct xmem_pool *pool, uint32_t first, uint32_t n, uint16_t segment)
{
  for (uint32_t i = first; i < first + n; i++) {
    struct xmem_local_slot *local = &pool->local[i];

    for (unsigned access = 0; access < 2 && !local->handles[access].pool;
         access++)
      local->handles[access] = (struct xmem_buffer){ pool, i, access };
    local->segment = segment;
  }
}

static void
add_segment (struct xmem_pool *pool, struct xmem_pool_segment *place,
    const struct xmem_layout_segment *info, int32_t device)
{
  uint32_t index = (uint32_t) (place - pool->segments);

  place->first = info->first;
  place->n_slots = info->n_slots;
  place->device = device;
  if (info->kind == XMEM_SEGMENT_CUDA) {
    place->owner = info->owner;
    pool->n_cuda++;
  } else {
    place->offset = info->offset;
  }
  place->closing = false;
  assign (pool, info->first, info->n_slots, (uint16_t) (index + 1));
  /* Last: readers look at places that have a slot size. */
  place->slot_size = info->slot_size;
  if (index >= pool->n_places)
    pool->n_places = index + 1;
  pool->n_assigned += info->n_slots;
  pool->bytes += xmem_page_round (info->slot_size * info->n_slots);
}

/* Closes those that are free. Returns whether all are closed then. */
static bool
close_slots (struct xmem_pool *pool, const struct xmem_pool_segment *segment)
{
  bool all = true;

  for (uint32_t i = 0; i < segment->n_slots; i++) {
    struct xmem_slot *slot = &pool->slots[segment->first + i];

    all &= xmem_slot_close (slot)
           || xmem_slot_is_closed (atomic_load (&slot->state));
  }
  return all;
}

static bool
is_idle (struct xmem_pool *pool, const struct xmem_pool_segment *segment)
{
  if (segment->slot_size == 0)
    return false;
  for (uint32_t i = 0; i < segment->n_slots; i++)
    if (xmem_slot_is_live (
            atomic_load (&pool->slots[segment->first + i].state)))
      return false;
  return true;
}

static void
reopen_slots (struct xmem_pool *pool, uint32_t first, uint32_t n, bool usable)
{
  for (uint32_t i = first; i < first + n; i++) {
    if (!xmem_slot_is_closed (atomic_load (&pool->slots[i].state)))
      continue;
    xmem_slot_reopen (&pool->slots[i]);
    if (usable)
      xmem_segments_mark_free (pool, i);
  }
}

/* Takes the segment off the table, unless one of its slots is in use; its memory
 * goes to the list, for xmem_segments_free_dropped (). */
static void
try_drop (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_segment **dropped)
{
  uint32_t first = segment->first;
  uint32_t n_slots = segment->n_slots;
  struct xmem_segment *memory;

  if (pool->named || (!segment->closing && !is_idle (pool, segment)))
    return;
  if (!close_slots (pool, segment)) {
    if (!segment->closing) {
      reopen_slots (pool, first, n_slots, true);
      xmem_pool_wake (pool);
    }
    return;
  }
  memory = segment->maps[XMEM_WRITE];
  pool->n_assigned -= n_slots;
  pool->bytes -= memory->size;
  assign (pool, first, n_slots, 0);
  memset (segment->maps, 0, sizeof (segment->maps));
  segment->slot_size = 0;
  reopen_slots (pool, first, n_slots, false);
  xmem_segment_retire (memory);
  memory->next_dropped = *dropped;
  *dropped = memory;
}

/* All but those that serve. */
static void
drop_idle (struct xmem_pool *pool, struct xmem_want keep,
    struct xmem_segment **dropped)
{
  for (unsigned i = 0; i < pool->n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (is_idle (pool, segment) && !xmem_pool_segment_fits (segment, keep))
      try_drop (pool, segment, dropped);
  }
}

/* Past the limit one idle segment of a size is kept, so that it is not made
 * anew for every buffer; further ones go. */
static bool
is_excess (struct xmem_pool *pool, const struct xmem_pool_segment *idle)
{
  if (pool->bytes <= pool->max_bytes)
    return false;
  for (unsigned i = 0; i < pool->n_places; i++) {
    const struct xmem_pool_segment *other = &pool->segments[i];

    if (other != idle && !other->closing && other->slot_size == idle->slot_size
        && other->device == idle->device && is_idle (pool, other))
      return true;
  }
  return false;
}

void
xmem_segments_free_dropped (struct xmem_segment *dropped)
{
  while (dropped) {
    struct xmem_segment *next = dropped->next_dropped;

    xmem_segment_unref (dropped);
    dropped = next;
  }
}

void
xmem_segments_tidy (struct xmem_pool *pool)
{
  struct xmem_segment *dropped = NULL;

  pthread_mutex_lock (&pool->lock);
  for (unsigned i = 0; i < pool->n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (segment->slot_size != 0
        && (segment->closing
            || (is_idle (pool, segment) && is_excess (pool, segment))))
      try_drop (pool, segment, &dropped);
  }
  pthread_mutex_unlock (&pool->lock);
  xmem_segments_free_dropped (dropped);
}

/* Whether it serves buffers of this size, where it is. */
static bool
serves (const struct xmem_pool_segment *segment, uint64_t size)
{
  if (segment->device != XMEM_NO_DEVICE && size < XMEM_MIN_CUDA_SLOT_SIZE)
    size = XMEM_MIN_CUDA_SLOT_SIZE;
  return xmem_size_fits (segment->slot_size, size);
}

void
xmem_pool_trim (struct xmem_pool *pool, uint64_t keep_size_bytes)
{
  struct xmem_segment *dropped = NULL;

  if (pool->named || pool->forked)
    return;
  pthread_mutex_lock (&pool->lock);
  for (unsigned i = 0; i < pool->n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (segment->slot_size == 0 || serves (segment, keep_size_bytes))
      continue;
    segment->closing = true;
    try_drop (pool, segment, &dropped);
  }
  pthread_mutex_unlock (&pool->lock);
  xmem_segments_free_dropped (dropped);
}

void
xmem_segments_drop_all (struct xmem_pool *pool)
{
  for (unsigned i = 0; i < pool->n_places; i++) {
    struct xmem_segment *reading = pool->segments[i].maps[XMEM_READ];
    struct xmem_segment *writing = pool->segments[i].maps[XMEM_WRITE];

    if (writing) {
      xmem_segment_retire (writing);
      xmem_segment_unref (writing);
    }
    if (reading && reading != writing)
      xmem_segment_unref (reading);
  }
}

/* --- growing; grow_lock is held ------------------------------------------ */

/* The first run of slots without memory that has n, or the longest. */
static uint32_t
find_slots (struct xmem_pool *pool, uint32_t n, uint32_t *first_out)
{
  uint32_t best = 0;
  uint32_t i = 0;

  while (i < pool->n_slots && best < n) {
    const struct xmem_pool_segment *segment = xmem_pool_get_segment (pool, i);
    uint32_t run = i;

    if (segment) {
      i = segment->first + segment->n_slots;
      continue;
    }
    while (i < pool->n_slots && i - run < n && !xmem_pool_get_segment (pool, i))
      i++;
    if (i - run > best) {
      best = i - run;
      *first_out = run;
    }
  }
  return best;
}

/* How many slots of this size max_bytes has room for. */
static uint64_t
room (struct xmem_pool *pool, uint64_t slot_size)
{
  return pool->max_bytes > pool->bytes
             ? (pool->max_bytes - pool->bytes) / slot_size
             : 0;
}

/* How many slots the next segment should have: as many as there are of this
 * size already, within reason. */
static uint64_t
usual_growth (struct xmem_pool *pool, uint64_t slot_size, int32_t device)
{
  uint64_t bytes = pool->bytes / GROW_FRACTION;
  uint64_t n = 0;

  for (unsigned i = 0; i < pool->n_places; i++)
    if (pool->segments[i].slot_size == slot_size
        && pool->segments[i].device == device)
      n += pool->segments[i].n_slots;
  if (bytes < GROW_BYTES)
    bytes = GROW_BYTES;
  if (n < GROW_SLOTS)
    n = GROW_SLOTS;
  if (device != XMEM_NO_DEVICE && n < CUDA_GRANULE / slot_size)
    n = CUDA_GRANULE / slot_size;
  if (n > bytes / slot_size)
    n = bytes / slot_size;
  return n > 0 ? n : 1;
}

/* Where the next segment goes in slots, and in the file. Returns a place, or
 * NULL at a limit. */
static struct xmem_pool_segment *
plan (struct xmem_pool *pool, struct xmem_want want, uint32_t n_wanted,
    unsigned flags, struct xmem_layout_segment *info_out)
{
  uint64_t slot_size = xmem_size_class (want.size);
  uint64_t n =
      n_wanted ? n_wanted : usual_growth (pool, slot_size, want.device);
  uint64_t n_room = room (pool, slot_size);
  uint64_t end = xmem_layout_head_size (pool->n_slots);
  xmem_scoped_lock (&pool->lock);

  if (n_room == 0 && flags & XMEM_ACQUIRE_OVER_LIMIT && !pool->named)
    n_room = 1;
  if (n > n_room)
    n = n_room;
  if (want.device != XMEM_NO_DEVICE && n > XMEM_CUDA_MAX_EVENTS)
    n = XMEM_CUDA_MAX_EVENTS; /* each slot has one */
  memset (info_out, 0, sizeof (*info_out));
  info_out->kind = XMEM_SEGMENT_FILE;
  info_out->slot_size = slot_size;
  info_out->n_slots = n ? find_slots (pool, (uint32_t) n, &info_out->first) : 0;
  for (unsigned i = 0; pool->named && i < pool->n_places; i++)
    if (pool->segments[i].device == XMEM_NO_DEVICE)
      end = pool->segments[i].offset
            + pool->segments[i].slot_size * pool->segments[i].n_slots;
  info_out->offset = round_up (end, XMEM_LAYOUT_PAGE);
  return info_out->n_slots > 0 ? find_place (pool) : NULL;
}

bool
xmem_segments_make_room (
    struct xmem_pool *pool, struct xmem_want want, uint32_t n)
{
  uint64_t slot_size = xmem_size_class (want.size);
  struct xmem_segment *dropped = NULL;
  bool has_room = false;

  pthread_mutex_lock (&pool->lock);
  for (int again = 0; again < 2 && !has_room; again++) {
    if (again)
      drop_idle (pool, want, &dropped);
    has_room = room (pool, slot_size) >= n
               && pool->n_slots - pool->n_assigned >= n && find_place (pool);
  }
  pthread_mutex_unlock (&pool->lock);
  xmem_segments_free_dropped (dropped);
  return has_room;
}

static int
make_in_file (struct xmem_pool *pool, const struct xmem_layout_segment *info,
    uint64_t size, struct xmem_segment **segment_out, struct xmem_error *error)
{
  int fd = xmem_named_get_fd (pool);

  if (xmem_allocate (fd, info->offset, size) < 0)
    return xmem_error_set (error,
        errno == ENOSPC || errno == EFBIG ? XMEM_NO_SPACE : XMEM_SYSTEM, errno,
        "cannot grow a pool in /dev/shm by %llu bytes",
        (unsigned long long) size);
  return xmem_segment_map (
      fd, info->offset, (size_t) size, true, segment_out, error);
}

/* Shows other processes what is complete now. A process killed before this has
 * at most allocated what the next one to grow allocates again. */
static void
announce (struct xmem_pool *pool, uint32_t place,
    const struct xmem_layout_segment *info)
{
  pool->head->segments[place] = *info;
  atomic_store (&pool->head->n_segments, place + 1);
}

static int
make_on_device (struct xmem_pool *pool, const struct xmem_layout_segment *info,
    uint64_t size, int device, struct xmem_segment **segment_out,
    struct xmem_error *error)
{
  const struct xmem_cuda_place place = {
    .device = device, .context = pool->cuda_context, .keeper = pool->cuda_keeper
  };
  struct xmem_cuda_memory *memory;
  int r = xmem_cuda_memory_new (
      &place, pool->cuda_mode, info->slot_size, info->n_slots, &memory, error);

  return r == 0 ? xmem_segment_wrap_cuda (memory, size, segment_out, error) : r;
}

static int
make_segment (struct xmem_pool *pool, struct xmem_pool_segment *place,
    struct xmem_layout_segment *info, int32_t device, struct xmem_error *error)
{
  uint64_t size = xmem_page_round (info->slot_size * info->n_slots);
  struct xmem_segment *memory;
  int r;

  if (device != XMEM_NO_DEVICE && pool->named)
    r = xmem_named_cuda_make (pool, info, device, &memory, error);
  else if (device != XMEM_NO_DEVICE)
    r = make_on_device (pool, info, size, device, &memory, error);
  else if (pool->named)
    r = make_in_file (pool, info, size, &memory, error);
  else
    r = xmem_segment_create ((size_t) size, &memory, error);
  if (r != 0)
    return r;
  pthread_mutex_lock (&pool->lock);
  place->maps[XMEM_WRITE] = memory;
  if (!pool->named || device != XMEM_NO_DEVICE)
    place->maps[XMEM_READ] = memory;
  /* First: nobody here must hand out what others do not know yet. */
  if (pool->named)
    announce (pool, (uint32_t) (place - pool->segments), info);
  add_segment (pool, place, info, device);
  place->map_owner = place->owner;
  pthread_mutex_unlock (&pool->lock);
  for (uint32_t i = 0; i < info->n_slots; i++)
    xmem_segments_mark_free (pool, info->first + i);
  return 0;
}

int
xmem_segments_revive (
    struct xmem_pool *pool, struct xmem_want want, struct xmem_error *error)
{
  uint64_t slot_size = xmem_size_class (want.size);
  int r = XMEM_FULL;

  if (!pool->named || want.device == XMEM_NO_DEVICE)
    return XMEM_FULL;
  for (unsigned i = 0; r == XMEM_FULL && i < pool->n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (!segment->closing || room (pool, slot_size) < segment->n_slots)
      continue;
    if (close_slots (pool, segment))
      r = xmem_named_cuda_renew (pool, segment, slot_size, want.device, error);
    reopen_slots (pool, segment->first, segment->n_slots, true);
  }
  return r;
}

/* One segment of at most so many slots; 0: as many as seem right. */
static int
grow_once (struct xmem_pool *pool, struct xmem_want want, uint32_t n_wanted,
    unsigned flags, uint32_t *n_slots_out, struct xmem_error *error)
{
  struct xmem_layout_segment info;
  struct xmem_pool_segment *place;
  int r = xmem_segments_revive (pool, want, error);

  *n_slots_out = 0;
  if (r != XMEM_FULL && r != XMEM_NO_SPACE)
    return r;
  place = plan (pool, want, n_wanted, 0, &info);
  if (!place) {
    (void) xmem_segments_make_room (pool, want, 1);
    place = plan (pool, want, n_wanted, flags, &info);
  }
  *n_slots_out = info.n_slots;
  if (!place)
    return r == XMEM_NO_SPACE
               ? r
               : xmem_error_set (error, XMEM_FULL, 0,
                   "the pool is at its limit of %llu bytes or %u slots",
                   (unsigned long long) pool->max_bytes, pool->n_slots);
  /* Places are only taken under grow_lock: this one stays empty. */
  return make_segment (pool, place, &info, want.device, error);
}

int
xmem_segments_grow (struct xmem_pool *pool, struct xmem_want want,
    uint32_t n_wanted, unsigned flags, struct xmem_error *error)
{
  uint32_t n_slots;
  int r;

  /* The system may still have room for fewer. */
  do {
    r = grow_once (pool, want, n_wanted, flags, &n_slots, error);
    n_wanted = n_slots / 2;
  } while (r == XMEM_NO_SPACE && n_slots > 1);
  return r;
}

/* --- the segments of other processes ------------------------------------- */

static int
learn (struct xmem_pool *pool, uint64_t file_size, struct xmem_error *error)
{
  struct xmem_layout_segment info;
  int r;

  xmem_named_cuda_read (&pool->head->segments[pool->n_places], &info);
  r = xmem_layout_check_segment (
      &info, pool->n_slots, file_size, pool->n_assigned, error);
  if (r == 0)
    add_segment (pool, &pool->segments[pool->n_places], &info,
        info.kind == XMEM_SEGMENT_CUDA ? XMEM_DEVICE_UNKNOWN : XMEM_NO_DEVICE);
  return r;
}

static int
learn_all (struct xmem_pool *pool, struct xmem_error *error)
{
  uint32_t n;
  struct stat st;
  int r = 0;

  n = atomic_load (&pool->head->n_segments);
  if (n == pool->n_places)
    return 0;
  if (n > XMEM_MAX_SEGMENTS)
    return xmem_error_set (
        error, XMEM_CORRUPT, 0, "the pool's header makes no sense any more");
  if (fstat (xmem_named_get_fd (pool), &st) < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot look at a pool");
  pthread_mutex_lock (&pool->lock);
  while (r == 0 && pool->n_places < n)
    r = learn (pool, (uint64_t) st.st_size, error);
  pthread_mutex_unlock (&pool->lock);
  return r;
}

int
xmem_segments_refresh (struct xmem_pool *pool, struct xmem_error *error)
{
  int r = pool->named ? learn_all (pool, error) : 0;

  return r == 0 && pool->n_cuda > 0 ? xmem_named_cuda_refresh (pool, error) : r;
}

int
xmem_segments_map (struct xmem_pool *pool, uint32_t index,
    enum xmem_access access, struct xmem_segment **segment_out,
    struct xmem_error *error)
{
  struct xmem_pool_segment *segment = xmem_pool_get_segment (pool, index);
  struct xmem_segment *map = atomic_load (&segment->maps[access]);
  int r = 0;

  if (pool->named && segment->device != XMEM_NO_DEVICE)
    return xmem_named_cuda_map (pool, segment, segment_out, error);
  if (!map) {
    xmem_scoped_lock (&pool->lock);

    map = atomic_load (&segment->maps[access]);
    if (!map)
      r = xmem_segment_map (xmem_named_get_fd (pool), segment->offset,
          (size_t) xmem_page_round (segment->slot_size * segment->n_slots),
          access == XMEM_WRITE, &map, error);
    if (r == 0)
      atomic_store (&segment->maps[access], map);
  }
  *segment_out = map;
  return r;
}
