/* SPDX-License-Identifier: MIT */
/* Makes and checks the head of a pool. Looks at bytes only: no files, no
 * mappings, no state. */
#include "pool/layout.h"

#include <string.h>

#include "pool/size-class.h"

void
xmem_layout_init (struct xmem_layout_header *header, uint32_t n_slots,
    uint64_t max_bytes, uint64_t handover_ns)
{
  memcpy (header->magic, XMEM_LAYOUT_MAGIC, sizeof (header->magic));
  header->version = XMEM_LAYOUT_VERSION;
  header->n_slots = n_slots;
  header->max_bytes = max_bytes;
  header->handover_ns = handover_ns;
  header->slots_offset = xmem_layout_slots_offset (n_slots);
  header->data_offset = xmem_layout_head_size (n_slots);
}

int
xmem_layout_check (const struct xmem_layout_header *header, uint64_t file_size,
    struct xmem_error *error)
{
  if (file_size < sizeof (*header)
      || memcmp (header->magic, XMEM_LAYOUT_MAGIC, sizeof (header->magic)) != 0)
    return xmem_error_set (
        error, XMEM_CORRUPT, 0, "the object is not a pool of xmem");
  if (header->version != XMEM_LAYOUT_VERSION)
    return xmem_error_set (error, XMEM_VERSION, 0,
        "the pool's layout is version %u, this library's is %u",
        header->version, XMEM_LAYOUT_VERSION);
  if (header->n_slots == 0 || header->n_slots > XMEM_MAX_SLOTS
      || header->slots_offset != xmem_layout_slots_offset (header->n_slots)
      || header->data_offset != xmem_layout_head_size (header->n_slots)
      || atomic_load (&header->n_segments) > XMEM_MAX_SEGMENTS)
    return xmem_error_set (
        error, XMEM_CORRUPT, 0, "the pool's header makes no sense");
  if (file_size < header->data_offset)
    return xmem_error_set (error, XMEM_CORRUPT, 0,
        "the pool was cut off at %llu bytes", (unsigned long long) file_size);
  return 0;
}

static bool
is_in_slots (const struct xmem_layout_segment *segment, uint32_t n_slots,
    uint32_t next_slot, uint64_t min_slot_size)
{
  return segment->first == next_slot && segment->n_slots > 0
         && segment->n_slots <= n_slots - next_slot
         && segment->slot_size >= min_slot_size
         && segment->slot_size <= XMEM_MAX_BUFFER_SIZE
         && segment->slot_size % min_slot_size == 0;
}

static int
no_sense (struct xmem_error *error)
{
  return xmem_error_set (
      error, XMEM_CORRUPT, 0, "a segment of the pool makes no sense");
}

int
xmem_layout_check_segment (const struct xmem_layout_segment *segment,
    uint32_t n_slots, uint64_t file_size, uint32_t next_slot,
    struct xmem_error *error)
{
  if (segment->kind == XMEM_SEGMENT_CUDA)
    return is_in_slots (segment, n_slots, next_slot, XMEM_CUDA_SLOT_STEP)
               ? 0
               : no_sense (error);
  if (segment->kind != XMEM_SEGMENT_FILE)
    return xmem_error_set (error, XMEM_VERSION, 0,
        "the pool has a segment of an unknown kind, %u", segment->kind);
  if (!is_in_slots (segment, n_slots, next_slot, XMEM_MIN_SLOT_SIZE)
      || segment->offset < xmem_layout_head_size (n_slots)
      || segment->offset % XMEM_LAYOUT_PAGE != 0)
    return no_sense (error);
  if (segment->offset > file_size
      || segment->slot_size * segment->n_slots > file_size - segment->offset)
    return xmem_error_set (error, XMEM_CORRUPT, 0,
        "the pool was cut off at %llu bytes, within a segment",
        (unsigned long long) file_size);
  return 0;
}
