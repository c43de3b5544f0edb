/* SPDX-License-Identifier: MIT */
/* Where the luma of a received picture is: for frames of xmemsink, and of
 * programs that give caps and, where rows have gaps, a description. */
#ifndef CUDA_LUMA_H
#define CUDA_LUMA_H

#include <stdbool.h>

#include <xmem/xmem.h>

struct luma {
  uint64_t offset; /* in the first region */
  uint32_t width;
  uint32_t height;
  uint32_t stride;
};

/* False, with a sentence, for formats that do not begin with a plane of 8 bits
 * of luma, and for a plane that is not within the frame. The frame has a region.
 */
bool luma_find (const struct xmem_frame *frame, struct luma *luma_out,
    const char **why_out);

#endif
