/* SPDX-License-Identifier: MIT */
/* A fuzz input as changes to the file of a pool, each
 * {where u8, n u8, position u24, n bytes}. */
#ifndef XMEM_FUZZ_PATCHES_H
#define XMEM_FUZZ_PATCHES_H

#include <stdint.h>

enum patch_where {
  PATCH_HEADER = 0, /* position: a byte of the first 512 */
  PATCH_SEGMENT = 1, /* position: segment << 8 | byte of it */
  PATCH_SLOT = 2, /* position: slot << 8 | byte of it */
  PATCH_FILE = 3, /* position: any byte */
  PATCH_CUT = 4, /* position: the file's new size; without effect once open */
  PATCH_OPEN = 5, /* what follows is changed in the open pool */
  PATCH_PLACES = 6,
};

/* Positions and sizes are taken modulo this. */
#define PATCH_MAX_SIZE (2 << 20)
#define PATCH_HEADER_SIZE 512

#define PATCH_HEAD_BYTES 5

/* The pool: as many slots, one buffer of each of these sizes. */
#define PATCH_N_SLOTS 16
#define PATCH_SMALL 100
#define PATCH_LARGE 5000

#endif
