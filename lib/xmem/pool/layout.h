/* SPDX-License-Identifier: MIT */
/* The head of a pool: all that is shared but the bytes of buffers. A named
 * pool's file starts with it, segments follow; an anonymous pool has one in
 * private memory. docs/layout.md has the same in bytes.
 *
 *   header | processes | segments | free bits | slots | (page) data ...
 *
 * Nothing here is trusted when it was read from a file: xmem_layout_check () and
 * xmem_layout_check_segment () come first, and what they have checked is used
 * from a private copy. */
#ifndef XMEM_POOL_LAYOUT_H
#define XMEM_POOL_LAYOUT_H

#include "base/error.h"
#include "mem/cuda.h"
#include "pool/slot.h"

#define XMEM_LAYOUT_MAGIC "xmempool"
#define XMEM_LAYOUT_VERSION 2
/* A page of any machine. */
#define XMEM_LAYOUT_PAGE 65536
#define XMEM_MAX_SEGMENTS 256

/* Bytes of the file that are locked (open file description locks). */
enum {
  XMEM_LOCK_NAME = 0, /* attaching, detaching, taking the name over */
  XMEM_LOCK_PROCESS = 1, /* + index: that process lives */
  XMEM_LOCK_GROWTH = XMEM_LOCK_PROCESS + XMEM_MAX_PROCESSES,
};

struct xmem_layout_process {
  /* 0: nobody, and its bit is in no slot. Written with the index's lock. */
  _Atomic uint32_t pid;
  uint32_t unused;
  /* Of this attachment, never given out twice; 0: it owns nothing any more. */
  _Atomic uint64_t serial;
  uint32_t reserved[12];
};

enum xmem_segment_kind {
  XMEM_SEGMENT_FILE = 1, /* bytes of this file */
  XMEM_SEGMENT_CUDA = 2, /* an allocation of one of the processes */
};

struct xmem_layout_segment {
  uint32_t kind; /* enum xmem_segment_kind */
  uint32_t first; /* slot index */
  uint32_t n_slots;
  uint32_t pid; /* of the owner; XMEM_SEGMENT_FILE: 0 */
  union {
    uint64_t offset; /* bytes from the file's start, whole pages */
    /* XMEM_SEGMENT_CUDA: the serial of the attachment that allocated it; 0: it
     * is being made anew. Release: what follows is complete. */
    _Atomic uint64_t owner;
  };
  uint64_t slot_size; /* bytes */
  /* XMEM_SEGMENT_CUDA */
  uint8_t device[XMEM_CUDA_UUID];
  uint8_t gpu[XMEM_CUDA_UUID];
  uint8_t handle[XMEM_CUDA_HANDLE];
};

struct xmem_layout_header {
  char magic[8];
  uint32_t version;
  uint32_t n_slots;
  uint64_t max_bytes; /* of all segments */
  uint64_t handover_ns; /* 0: no limit */
  uint64_t slots_offset; /* bytes from the start; follows from n_slots */
  uint64_t data_offset; /* the same */
  _Atomic uint64_t n_attached; /* the latest serial; with XMEM_LOCK_NAME */
  uint64_t reserved[9];
  /* Release: the entries before are complete. Only grows, with the growth
   * lock. */
  _Atomic uint32_t n_segments;
  uint32_t unused1[15];
  _Atomic uint32_t n_released; /* a futex: moves when a slot comes free */
  _Atomic uint32_t waiting; /* one bit per process that sleeps on it */
  uint32_t unused2[14];
  struct xmem_layout_process processes[XMEM_MAX_PROCESSES];
  uint8_t unused3[2304];
  struct xmem_layout_segment segments[XMEM_MAX_SEGMENTS];
};

static_assert (sizeof (struct xmem_layout_process) == 64, "layout");
static_assert (sizeof (struct xmem_layout_segment) == 128, "layout");
static_assert (offsetof (struct xmem_layout_segment, handle) == 64, "layout");
static_assert (offsetof (struct xmem_layout_header, n_segments) == 128, "");
static_assert (offsetof (struct xmem_layout_header, n_released) == 192, "");
static_assert (offsetof (struct xmem_layout_header, processes) == 256, "");
static_assert (offsetof (struct xmem_layout_header, segments) == 4096, "");
static_assert (sizeof (struct xmem_layout_header) == 4096 + 32768, "layout");

/* Where things lie in the head of a pool with so many slots. The free bits
 * begin where the header ends. */
static inline uint64_t
xmem_layout_slots_offset (uint32_t n_slots)
{
  return (sizeof (struct xmem_layout_header) + (n_slots + 7) / 8 + 255) & ~255;
}

static inline uint64_t
xmem_layout_head_size (uint32_t n_slots)
{
  uint64_t end = xmem_layout_slots_offset (n_slots)
                 + (uint64_t) n_slots * sizeof (struct xmem_slot);

  return (end + XMEM_LAYOUT_PAGE - 1) / XMEM_LAYOUT_PAGE * XMEM_LAYOUT_PAGE;
}

/* Fills a header that is all zero. */
void xmem_layout_init (struct xmem_layout_header *header, uint32_t n_slots,
    uint64_t max_bytes, uint64_t handover_ns);

/* Whether this, read from the start of a file of file_size bytes, is the header
 * of a pool that this version can use, and the file holds the whole head.
 * Returns 0, XMEM_CORRUPT, XMEM_VERSION. */
int xmem_layout_check (const struct xmem_layout_header *header,
    uint64_t file_size, struct xmem_error *error);

/* Whether a segment lies within the slots, behind those before it (its first slot
 * is next_slot), and within the file if it is there. Returns 0, XMEM_CORRUPT,
 * XMEM_VERSION. */
int xmem_layout_check_segment (const struct xmem_layout_segment *segment,
    uint32_t n_slots, uint64_t file_size, uint32_t next_slot,
    struct xmem_error *error);

#endif
