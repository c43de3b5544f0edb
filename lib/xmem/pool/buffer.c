/* SPDX-License-Identifier: MIT */
/* What one can do with a buffer one has. Threads: any. */
#include "pool/pool.h"

#include <string.h>

#include <xmem/cuda.h>

static struct xmem_slot *
slot_of (const struct xmem_buffer *buffer)
{
  return &buffer->pool->slots[buffer->index];
}

/* Beside the handles, so that counting needs no look at the pool. */
static struct xmem_hold *
hold_of (const struct xmem_buffer *buffer)
{
  return (void *) ((char *) (buffer - buffer->access)
                   - offsetof (struct xmem_local_slot, handles));
}

static const struct xmem_pool_segment *
segment_of (const struct xmem_buffer *buffer)
{
  return xmem_pool_get_segment (buffer->pool, buffer->index);
}

/* Mapped when the buffer was got. */
static struct xmem_segment *
map_of (const struct xmem_buffer *buffer)
{
  return segment_of (buffer)->maps[buffer->access];
}

static uint64_t
offset_of (const struct xmem_buffer *buffer)
{
  const struct xmem_pool_segment *segment = segment_of (buffer);

  return (buffer->index - segment->first) * segment->slot_size;
}

/* --- references ---------------------------------------------------------- */

struct xmem_buffer *
xmem_buffer_ref (struct xmem_buffer *buffer)
{
  xmem_hold_ref (hold_of (buffer));
  return buffer;
}

void
xmem_buffer_unref (struct xmem_buffer *buffer)
{
  if (buffer && !buffer->pool->forked)
    xmem_pool_drop_hold (buffer->pool, buffer->index);
}

int
xmem_buffer_give (
    struct xmem_buffer *buffer, unsigned n, struct xmem_error *error)
{
  int r = xmem_pool_check_fork (buffer->pool, error);

  if (r != 0)
    return r;
  if (n == 0 || n > XMEM_MAX_IN_FLIGHT)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "1 to %d references can be handed over, not %u", XMEM_MAX_IN_FLIGHT, n);
  r = xmem_slot_give (slot_of (buffer), n, (uint64_t) xmem_clock_now ());
  if (r != 0)
    return xmem_error_set (error, r, 0,
        "more than %d references would be in flight", XMEM_MAX_IN_FLIGHT);
  xmem_buffer_unref (buffer);
  return 0;
}

void
xmem_buffer_get_refs (
    const struct xmem_buffer *buffer, struct xmem_buffer_refs *refs_out)
{
  uint64_t state = atomic_load (&slot_of (buffer)->state);

  refs_out->local = atomic_load (&hold_of (buffer)->word) - 1;
  refs_out->holders =
      (uint32_t) __builtin_popcountll (state & XMEM_SLOT_HOLDERS);
  refs_out->in_flight = xmem_slot_in_flight (state);
}

/* --- what it is ---------------------------------------------------------- */

uint64_t
xmem_buffer_get_id (const struct xmem_buffer *buffer)
{
  uint64_t state = atomic_load (&slot_of (buffer)->state);

  return (uint64_t) xmem_slot_generation (state) << 32 | buffer->index;
}

void
xmem_buffer_renew (struct xmem_buffer *buffer)
{
  if (!buffer->pool->forked)
    xmem_slot_renew (slot_of (buffer));
}

const void *
xmem_buffer_get_data (const struct xmem_buffer *buffer)
{
  const struct xmem_segment *map = map_of (buffer);

  return map->data ? map->data + offset_of (buffer) : NULL;
}

void *
xmem_buffer_get_mut_data (const struct xmem_buffer *buffer)
{
  if (buffer->access != XMEM_WRITE)
    return NULL;
  return (void *) (uintptr_t) xmem_buffer_get_data (buffer);
}

uint64_t
xmem_buffer_get_size (const struct xmem_buffer *buffer)
{
  uint64_t size =
      atomic_load_explicit (&slot_of (buffer)->size, memory_order_relaxed);
  uint64_t slot_size = segment_of (buffer)->slot_size;

  /* Another process may have written anything there. */
  return size < slot_size ? size : slot_size;
}

void
xmem_buffer_get_region (
    const struct xmem_buffer *buffer, struct xmem_region *region_out)
{
  region_out->segment = map_of (buffer);
  region_out->id = xmem_buffer_get_id (buffer);
  region_out->offset = offset_of (buffer);
  region_out->size = xmem_buffer_get_size (buffer);
}

/* --- info ---------------------------------------------------------------- */

/* Word by word, each atomic: a reader that comes while it is written, or a
 * writer that should not be there, gives odd values and not undefined ones. */
typedef uint64_t __attribute__ ((may_alias)) info_word;

void
xmem_buffer_info_store (
    struct xmem_buffer_info *shared, const struct xmem_buffer_info *info)
{
  const info_word *from = (const info_word *) info;
  info_word *to = (info_word *) shared;

  for (size_t i = 0; i < sizeof (*info) / sizeof (*to); i++)
    __atomic_store_n (&to[i], from[i], __ATOMIC_RELAXED);
}

static void
info_load (
    const struct xmem_buffer_info *shared, struct xmem_buffer_info *info_out)
{
  const info_word *from = (const info_word *) shared;
  info_word *to = (info_word *) info_out;

  for (size_t i = 0; i < sizeof (*info_out) / sizeof (*to); i++)
    to[i] = __atomic_load_n (&from[i], __ATOMIC_RELAXED);
}

static int
check_writable (const struct xmem_buffer *buffer, struct xmem_error *error)
{
  int r = xmem_pool_check_fork (buffer->pool, error);

  if (r == 0 && buffer->access != XMEM_WRITE)
    r = xmem_error_set (
        error, XMEM_REFUSED, 0, "the buffer was got for reading only");
  return r;
}

int
xmem_buffer_set_info (struct xmem_buffer *buffer,
    const struct xmem_buffer_info *info, struct xmem_error *error)
{
  struct xmem_buffer_info now;
  int r = check_writable (buffer, error);

  if (r == 0)
    r = xmem_description_check (
        &info->description, xmem_buffer_get_size (buffer), error);
  if (r != 0)
    return r;
  info_load (&slot_of (buffer)->info, &now);
  now.timestamp_ns = info->timestamp_ns;
  now.sequence = info->sequence;
  now.description = info->description;
  xmem_buffer_info_store (&slot_of (buffer)->info, &now);
  return 0;
}

int
xmem_buffer_get_info (const struct xmem_buffer *buffer,
    struct xmem_buffer_info *info_out, struct xmem_error *error)
{
  info_load (&slot_of (buffer)->info, info_out);
  if (xmem_description_check (
          &info_out->description, xmem_buffer_get_size (buffer), error)
      == 0)
    return 0;
  memset (info_out, 0, sizeof (*info_out));
  return xmem_error_set (error, XMEM_CORRUPT, 0,
      "the description of buffer %#llx does not fit it",
      (unsigned long long) xmem_buffer_get_id (buffer));
}

/* --- CUDA ---------------------------------------------------------------- */

int
xmem_buffer_get_device (const struct xmem_buffer *buffer)
{
  return segment_of (buffer)->device;
}

uint64_t
xmem_buffer_get_cuda_pointer (const struct xmem_buffer *buffer)
{
  const struct xmem_segment *map = map_of (buffer);

  return map->cuda
             ? xmem_cuda_memory_get_pointer (map->cuda) + offset_of (buffer)
             : 0;
}

int
xmem_buffer_cuda_wait (
    struct xmem_buffer *buffer, void *stream, struct xmem_error *error)
{
  const struct xmem_segment *map = map_of (buffer);

  if (!map->cuda)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "the buffer is not in CUDA memory");
  return xmem_cuda_memory_wait (map->cuda, offset_of (buffer), stream, error);
}

static struct xmem_cuda_bytes
bytes_of (const struct xmem_buffer *buffer)
{
  return (struct xmem_cuda_bytes){ .memory = map_of (buffer)->cuda,
    .offset = offset_of (buffer),
    .data = (void *) (uintptr_t) xmem_buffer_get_data (buffer) };
}

/* --- copies -------------------------------------------------------------- */

static int
check_room (
    const struct xmem_buffer *to, uint64_t size, struct xmem_error *error)
{
  int r = check_writable (to, error);

  if (r == 0 && xmem_buffer_get_size (to) < size)
    r = xmem_error_set (error, XMEM_INVALID, 0,
        "%llu bytes do not fit into a buffer of %llu",
        (unsigned long long) size,
        (unsigned long long) xmem_buffer_get_size (to));
  return r;
}

int
xmem_buffer_fill (struct xmem_buffer *to, const struct xmem_cuda_bytes *from,
    uint64_t size, void *stream, bool now, struct xmem_error *error)
{
  struct xmem_cuda_bytes to_bytes = bytes_of (to);
  int r = check_room (to, size, error);

  if (r != 0)
    return r;
  if (to_bytes.memory || from->memory)
    return now ? xmem_cuda_copy_now (&to_bytes, from, size, error)
               : xmem_cuda_copy (&to_bytes, from, size, stream, error);
  if (!now)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "neither side is in CUDA memory");
  memmove (to_bytes.data, from->data, (size_t) size);
  return 0;
}

/* Copies all but the bytes. */
static int
copy_info (struct xmem_buffer *to, const struct xmem_buffer *from,
    struct xmem_error *error)
{
  struct xmem_buffer_info info;
  int r = check_room (to, xmem_buffer_get_size (from), error);

  if (r == 0)
    r = xmem_pool_check_fork (from->pool, error);
  if (r == 0)
    r = xmem_buffer_get_info (from, &info, error);
  if (r == 0)
    r = xmem_buffer_set_info (to, &info, error);
  return r;
}

int
xmem_buffer_copy (struct xmem_buffer *to, const struct xmem_buffer *from,
    struct xmem_error *error)
{
  struct xmem_cuda_bytes bytes = bytes_of (from);
  int r = copy_info (to, from, error);

  return r == 0 ? xmem_buffer_fill (
             to, &bytes, xmem_buffer_get_size (from), NULL, true, error)
                : r;
}

int
xmem_buffer_copy_after (struct xmem_buffer *to, const struct xmem_buffer *from,
    void *stream, struct xmem_error *error)
{
  struct xmem_cuda_bytes bytes = bytes_of (from);
  int r = copy_info (to, from, error);

  return r == 0 ? xmem_buffer_fill (
             to, &bytes, xmem_buffer_get_size (from), stream, false, error)
                : r;
}
