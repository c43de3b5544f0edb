/* SPDX-License-Identifier: MIT */
/* Segments of a named pool in the memory of CUDA devices.
 *
 * The entry in the file says where the memory is (a device's UUID, a legacy
 * handle) and whose: the serial of the attachment that allocated it, which is
 * never given out twice. The owner lives while its entry in the process table has
 * that serial and the byte's lock is held. Afterwards nobody is let at the slots
 * any more (`closing`), but who holds some may go on.
 *
 * Once nobody holds any, the next to grow makes the segment anew: it closes all
 * slots, writes the entry with its own serial, and opens them. So an entry changes
 * only while nobody holds a slot of it, and who holds one may rely on it. Killed
 * in between, it leaves closed slots of an owner that is gone, which the next
 * takes as they are.
 *
 * Threads: the pool's lock guards this process's side of a segment; it is held
 * while memory is opened, so that it is opened once. What is let go is put into a
 * list and closed without the lock: that waits for a device. */
#include "pool/named-cuda.h"

#include <string.h>
#include <sys/stat.h>

#include "mem/map.h"

static bool
is_cuda (const struct xmem_pool_segment *segment)
{
  return segment->slot_size != 0 && segment->device != XMEM_NO_DEVICE;
}

static struct xmem_layout_segment *
entry_of (struct xmem_pool *pool, const struct xmem_pool_segment *segment)
{
  return &pool->head->segments[segment - pool->segments];
}

static bool
has_changed (struct xmem_pool *pool, const struct xmem_pool_segment *segment)
{
  return atomic_load (&entry_of (pool, segment)->owner) != segment->owner;
}

static bool
is_ours (struct xmem_pool *pool, uint64_t owner)
{
  return owner == xmem_named_get_serial (pool);
}

static bool
lives (struct xmem_pool *pool, uint64_t owner)
{
  return is_ours (pool, owner) || xmem_named_lives (pool, owner);
}

/* Who was once seen dead stays so, though it seems to live while somebody has its
 * lock to forget it. */
static bool
is_alive (struct xmem_pool *pool, const struct xmem_pool_segment *segment,
    uint64_t owner)
{
  return !segment->closing && lives (pool, owner);
}

/* --- the entry ----------------------------------------------------------- */

/* Word by word: acquire and release put what is read or written between the two
 * looks at the owner, or behind its 0. */
typedef uint64_t __attribute__ ((may_alias)) entry_word;

#define N_WORDS (sizeof (struct xmem_layout_segment) / sizeof (entry_word))
#define OWNER_WORD \
  (offsetof (struct xmem_layout_segment, owner) / sizeof (entry_word))

void
xmem_named_cuda_read (const struct xmem_layout_segment *shared,
    struct xmem_layout_segment *info_out)
{
  const entry_word *from = (const entry_word *) shared;
  entry_word *to = (entry_word *) info_out;
  uint64_t owner = atomic_load (&shared->owner);

  for (size_t i = 0; i < N_WORDS; i++)
    to[i] = __atomic_load_n (&from[i], __ATOMIC_ACQUIRE);
  info_out->owner = owner;
  if (info_out->kind == XMEM_SEGMENT_CUDA
      && atomic_load (&shared->owner) != owner)
    info_out->owner = 0;
}

static void
write_entry (
    struct xmem_layout_segment *shared, const struct xmem_layout_segment *info)
{
  const entry_word *from = (const entry_word *) info;
  entry_word *to = (entry_word *) shared;

  atomic_store (&shared->owner, 0);
  for (size_t i = 0; i < N_WORDS; i++)
    if (i != OWNER_WORD)
      __atomic_store_n (&to[i], from[i], __ATOMIC_RELEASE);
  atomic_store (&shared->owner, info->owner);
}

/* As mem/cuda knows it. Another attachment, also one of the same pid, has other
 * names for its memory, whatever the driver calls it. The size is what was checked
 * when the segment was learnt: the entry may say anything by now. */
static void
get_share (struct xmem_pool *pool, const struct xmem_pool_segment *segment,
    const struct xmem_layout_segment *info, struct xmem_cuda_share *share_out)
{
  uint64_t name[2] = { 0,
    info->owner * XMEM_MAX_SEGMENTS + (uint64_t) (segment - pool->segments) };
  struct stat st;

  if (fstat (xmem_named_get_fd (pool), &st) == 0)
    name[0] = (uint64_t) st.st_ino;
  memset (share_out, 0, sizeof (*share_out));
  share_out->kind = XMEM_CUDA_LEGACY;
  share_out->size = segment->slot_size * segment->n_slots;
  memcpy (share_out->device, info->device, sizeof (share_out->device));
  memcpy (share_out->gpu, info->gpu, sizeof (share_out->gpu));
  memcpy (share_out->handle, info->handle, sizeof (share_out->handle));
  static_assert (sizeof (name) == sizeof (share_out->allocation), "a name");
  memcpy (share_out->allocation, name, sizeof (name));
}

/* --- this process's side; with the pool's lock --------------------------- */

/* Its memory counts while its owner has it. */
static void
set_closing (
    struct xmem_pool *pool, struct xmem_pool_segment *segment, bool closing)
{
  uint64_t bytes = xmem_page_round (segment->slot_size * segment->n_slots);

  if (segment->closing == closing)
    return;
  segment->closing = closing;
  if (closing)
    pool->bytes -= bytes;
  else
    pool->bytes += bytes;
}

/* Takes the map; the one before it goes to the list. */
static void
set_map (struct xmem_pool_segment *segment, struct xmem_segment *take_map,
    uint64_t owner, struct xmem_segment **dropped)
{
  struct xmem_segment *old = segment->maps[XMEM_WRITE];

  segment->maps[XMEM_WRITE] = segment->maps[XMEM_READ] = take_map;
  segment->map_owner = owner;
  if (!old)
    return;
  old->next_dropped = *dropped;
  *dropped = old;
}

/* Of what has gone (`closing` is set) or changed. Who takes a slot from here on
 * finds that out before it uses the map. */
static void
drop_unused_map (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_segment **dropped)
{
  uint32_t first = segment->first;

  if (!segment->maps[XMEM_WRITE])
    return;
  for (uint32_t i = first; i < first + segment->n_slots; i++)
    if (atomic_load (&pool->local[i].hold.word) != XMEM_HOLD_NONE)
      return;
  set_map (segment, NULL, 0, dropped);
}

static void
set_numbers (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    const struct xmem_layout_segment *info)
{
  set_closing (pool, segment, true);
  segment->slot_size = info->slot_size;
  segment->owner = info->owner;
  set_closing (pool, segment, info->owner == 0);
}

/* Its number here, if this process has asked for CUDA memory: who does not must
 * not load the driver. */
static int32_t
find_device (struct xmem_pool *pool, const struct xmem_pool_segment *segment,
    const struct xmem_layout_segment *info)
{
  struct xmem_cuda_share share;
  int device;

  if (!pool->uses_cuda)
    return XMEM_DEVICE_UNKNOWN;
  get_share (pool, segment, info, &share);
  return xmem_cuda_find (&share, &device, NULL) == 0 ? device
                                                     : XMEM_DEVICE_ELSEWHERE;
}

static int
learn_anew (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_segment **dropped, struct xmem_error *error)
{
  struct xmem_layout_segment info;
  int r;

  xmem_named_cuda_read (entry_of (pool, segment), &info);
  r = xmem_layout_check_segment (
      &info, pool->n_slots, 0, segment->first, error);
  if (r == 0
      && (info.kind != XMEM_SEGMENT_CUDA || info.n_slots != segment->n_slots))
    r = xmem_error_set (
        error, XMEM_CORRUPT, 0, "a segment of the pool is not what it was");
  if (r != 0)
    return r;
  segment->device = find_device (pool, segment, &info);
  if (info.owner != segment->owner) {
    drop_unused_map (pool, segment, dropped);
    set_numbers (pool, segment, &info);
  }
  return 0;
}

/* Whether there is anything to learn of it. */
static bool
is_news (struct xmem_pool *pool, const struct xmem_pool_segment *segment)
{
  return has_changed (pool, segment)
         || (pool->uses_cuda && segment->device == XMEM_DEVICE_UNKNOWN);
}

int
xmem_named_cuda_refresh (struct xmem_pool *pool, struct xmem_error *error)
{
  uint32_t n_places = pool->n_cuda > 0 ? pool->n_places : 0;
  struct xmem_segment *dropped = NULL;
  int r = 0;

  for (uint32_t i = 0; r == 0 && i < n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (!is_cuda (segment) || !is_news (pool, segment))
      continue;
    pthread_mutex_lock (&pool->lock);
    /* Another thread, or we as its new owner, may know by now. */
    if (is_news (pool, segment))
      r = learn_anew (pool, segment, &dropped, error);
    pthread_mutex_unlock (&pool->lock);
  }
  xmem_segments_free_dropped (dropped);
  return r;
}

void
xmem_named_cuda_look (struct xmem_pool *pool)
{
  uint32_t n_places = pool->n_cuda > 0 ? pool->n_places : 0;
  struct xmem_segment *dropped = NULL;

  for (uint32_t i = 0; i < n_places; i++) {
    struct xmem_pool_segment *segment = &pool->segments[i];

    if (!is_cuda (segment) || is_alive (pool, segment, segment->owner))
      continue;
    pthread_mutex_lock (&pool->lock);
    /* Another thread may just have been noting a new owner. */
    if (!is_alive (pool, segment, segment->owner)) {
      set_closing (pool, segment, true);
      drop_unused_map (pool, segment, &dropped);
    }
    pthread_mutex_unlock (&pool->lock);
  }
  xmem_segments_free_dropped (dropped);
}

/* --- making -------------------------------------------------------------- */

int
xmem_named_cuda_make (struct xmem_pool *pool, struct xmem_layout_segment *info,
    int device, struct xmem_segment **segment_out, struct xmem_error *error)
{
  const struct xmem_cuda_place place = {
    .device = device, .context = pool->cuda_context, .keeper = pool->cuda_keeper
  };
  uint64_t size = info->slot_size * info->n_slots;
  struct xmem_cuda_memory *memory;
  struct xmem_cuda_share share;
  int r = xmem_cuda_memory_new_legacy (&place, size, &memory, error);

  if (r != 0)
    return r;
  xmem_cuda_memory_get_share (memory, &share);
  info->kind = XMEM_SEGMENT_CUDA;
  info->pid = pool->pid;
  info->owner = xmem_named_get_serial (pool);
  memcpy (info->device, share.device, sizeof (info->device));
  memcpy (info->gpu, share.gpu, sizeof (info->gpu));
  memcpy (info->handle, share.handle, sizeof (info->handle));
  r = xmem_segment_wrap_cuda (
      memory, xmem_page_round (size), segment_out, error);
  if (r == 0)
    (*segment_out)->is_named = true;
  return r;
}

int
xmem_named_cuda_renew (struct xmem_pool *pool,
    struct xmem_pool_segment *segment, uint64_t slot_size, int device,
    struct xmem_error *error)
{
  struct xmem_layout_segment info = {
    .first = segment->first, .n_slots = segment->n_slots, .slot_size = slot_size
  };
  struct xmem_segment *dropped = NULL;
  struct xmem_segment *memory;
  int r = xmem_named_cuda_make (pool, &info, device, &memory, error);

  if (r != 0)
    return r;
  pthread_mutex_lock (&pool->lock);
  write_entry (entry_of (pool, segment), &info);
  set_map (segment, memory, info.owner, &dropped);
  segment->device = device;
  set_numbers (pool, segment, &info);
  pthread_mutex_unlock (&pool->lock);
  xmem_segments_free_dropped (dropped);
  return 0;
}

/* --- opening ------------------------------------------------------------- */

static int
owner_is_gone (const struct xmem_layout_segment *info, struct xmem_error *error)
{
  return xmem_error_set (error, XMEM_GONE, 0,
      "this memory of a CUDA device went with process %u, which had allocated "
      "it and has ended or closed the pool",
      info->pid);
}

static int
open_memory (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    const struct xmem_layout_segment *info, struct xmem_segment **dropped,
    struct xmem_error *error)
{
  struct xmem_cuda_place place = { .context = pool->cuda_context,
    .keeper = pool->cuda_keeper };
  struct xmem_cuda_memory *memory;
  struct xmem_cuda_share share;
  struct xmem_segment *map;
  int r;

  if (is_ours (pool, info->owner))
    return xmem_error_set (error, XMEM_CORRUPT, 0,
        "a segment of the pool is said to be ours and is not");
  get_share (pool, segment, info, &share);
  r = xmem_cuda_find (&share, &place.device, error);
  if (r == 0)
    r = xmem_cuda_memory_import (
        &share, -1, info->pid, &place, true, &memory, error);
  if (r == 0)
    r = xmem_segment_wrap_cuda (
        memory, xmem_page_round (share.size), &map, error);
  if (r != 0)
    return r;
  map->is_named = true;
  segment->device = place.device;
  set_map (segment, map, info->owner, dropped);
  return 0;
}

/* What can be used as it is. */
static struct xmem_segment *
get_map (const struct xmem_pool_segment *segment, uint64_t owner)
{
  return segment->map_owner == owner ? segment->maps[XMEM_WRITE] : NULL;
}

/* With the pool's lock. */
static int
map_locked (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_segment **dropped, struct xmem_error *error)
{
  struct xmem_layout_segment info;
  int r = has_changed (pool, segment)
              ? learn_anew (pool, segment, dropped, error)
              : 0;

  if (r != 0)
    return r;
  xmem_named_cuda_read (entry_of (pool, segment), &info);
  /* Before, so that nobody is shown what is gone; and after, to tell why it
   * could not be opened. */
  if (is_alive (pool, segment, info.owner)) {
    if (get_map (segment, info.owner))
      return 0;
    r = open_memory (pool, segment, &info, dropped, error);
    if (r == 0 || lives (pool, info.owner))
      return r;
  }
  set_closing (pool, segment, true);
  return owner_is_gone (&info, error);
}

int
xmem_named_cuda_map (struct xmem_pool *pool, struct xmem_pool_segment *segment,
    struct xmem_segment **segment_out, struct xmem_error *error)
{
  uint64_t owner = atomic_load (&entry_of (pool, segment)->owner);
  struct xmem_segment *map = get_map (segment, owner);
  struct xmem_segment *dropped = NULL;
  int r = 0;

  if (!map || !is_alive (pool, segment, owner)) {
    pthread_mutex_lock (&pool->lock);
    r = map_locked (pool, segment, &dropped, error);
    map = segment->maps[XMEM_WRITE];
    pthread_mutex_unlock (&pool->lock);
    xmem_segments_free_dropped (dropped);
  }
  *segment_out = map;
  return r;
}
