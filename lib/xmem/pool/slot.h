/* SPDX-License-Identifier: MIT */
/* The slot as it lies in a pool's memory. The layout is fixed-width and is
 * the one named pools share between processes (docs/layout.md); an anonymous
 * pool keeps its slots in private memory. */
#ifndef XMEM_POOL_SLOT_H
#define XMEM_POOL_SLOT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/frame.h>

/* generation 32 | in flight 8 | holders 24, in one atomic word. An anonymous
 * pool has one process and so one holder: bit 0. */
#define XMEM_SLOT_HOLDER UINT64_C (1)
#define XMEM_SLOT_HOLDERS UINT64_C (0xffffff)
#define XMEM_SLOT_GENERATION_SHIFT 32

struct xmem_slot {
  _Atomic uint64_t state;
  uint64_t given_ns; /* for named pools: when last handed over */
  uint32_t segment; /* index in the pool's table */
  uint32_t reserved;
  uint64_t offset; /* bytes from the segment's start */
  uint64_t size; /* bytes of the slot */
  uint64_t timestamp_ns;
  uint64_t sequence;
  uint64_t producer; /* pid of the process that filled it */
  struct xmem_description description;
  uint8_t padding[56];
};

static_assert (sizeof (struct xmem_slot) == 256, "slot layout");
static_assert (offsetof (struct xmem_slot, segment) == 16, "slot layout");
static_assert (offsetof (struct xmem_slot, offset) == 24, "slot layout");
static_assert (offsetof (struct xmem_slot, description) == 64, "slot layout");
static_assert (sizeof (struct xmem_description) == 136, "slot layout");

static inline uint32_t
xmem_slot_generation (uint64_t state)
{
  return (uint32_t) (state >> XMEM_SLOT_GENERATION_SHIFT);
}

static inline uint64_t
xmem_slot_state (uint32_t generation, uint64_t holders)
{
  return (uint64_t) generation << XMEM_SLOT_GENERATION_SHIFT | holders;
}

#endif
