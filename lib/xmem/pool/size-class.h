/* SPDX-License-Identifier: MIT */
/* Slot sizes come in classes, eight per power of two, so that buffers of
 * slightly different sizes share slots and at most an eighth is unused. */
#ifndef XMEM_POOL_SIZE_CLASS_H
#define XMEM_POOL_SIZE_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#define XMEM_MIN_SLOT_SIZE 64
#define XMEM_MAX_BUFFER_SIZE (UINT64_C (1) << 40)
/* On a CUDA device: every class from here on is a multiple of 512 bytes, as
 * textures want it. */
#define XMEM_MIN_CUDA_SLOT_SIZE 4096
#define XMEM_CUDA_SLOT_STEP 512

/* The slot size for a buffer of 1 to XMEM_MAX_BUFFER_SIZE bytes. */
static inline uint64_t
xmem_size_class (uint64_t size)
{
  uint64_t step;

  if (size <= XMEM_MIN_SLOT_SIZE * 8)
    step = XMEM_MIN_SLOT_SIZE;
  else
    step = UINT64_C (1) << (60 - __builtin_clzll (size - 1));
  return (size + step - 1) / step * step;
}

/* Whether a free slot should serve a buffer of this size, or is so large that
 * the pool had better grow by slots that fit. */
static inline bool
xmem_size_fits (uint64_t slot_size, uint64_t size)
{
  return slot_size >= size && slot_size / 2 <= xmem_size_class (size);
}

#endif
