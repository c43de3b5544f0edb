/* SPDX-License-Identifier: MIT */
/* Memory of CUDA devices that processes share, and the order of work on it.
 * Who uses this knows no driver: streams, contexts and addresses are numbers.
 *
 *   cuda-load     the driver's functions, its words for failures
 *   cuda-device   devices and contexts
 *   cuda-share    how memory crosses to other processes: VMM, legacy
 *   cuda-memory   all memory of this process, its events
 *   cuda-copy     copies
 *   cuda-reaper   who waits for readers' work
 *
 * Threads: any. */
#ifndef XMEM_MEM_CUDA_H
#define XMEM_MEM_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmem/pool.h>

#include "base/cleanup.h"
#include "base/error.h"

#define XMEM_CUDA_UUID 16
#define XMEM_CUDA_HANDLE 64
#define XMEM_CUDA_MAX_EVENTS 256

struct xmem_cuda_memory;

enum xmem_cuda_kind {
  XMEM_CUDA_VMM = 1, /* a descriptor */
  XMEM_CUDA_LEGACY = 2, /* a handle */
};

/* What another process needs to use an allocation, beside its descriptor. */
struct xmem_cuda_share {
  enum xmem_cuda_kind kind;
  uint64_t size; /* bytes */
  uint8_t device[XMEM_CUDA_UUID];
  uint8_t gpu[XMEM_CUDA_UUID];
  uint8_t allocation[XMEM_CUDA_UUID]; /* random */
  uint8_t handle[XMEM_CUDA_HANDLE]; /* legacy */
  uint64_t slot_size; /* event i belongs to the i-th so many bytes */
  uint32_t n_events; /* 0: events cannot cross */
  const uint8_t *events; /* their handles */
};

/* Which device and which of its contexts. */
struct xmem_cuda_place {
  int device; /* the driver's number here */
  void *context; /* NULL: the device's primary one */
  struct xmem_cuda_keeper keeper; /* of context */
};

/* --- memory -------------------------------------------------------------- */

/* Does what takes long the first time: loads the driver, and makes the device's
 * primary context unless the place has one. Returns as xmem_cuda_memory_new (). */
int xmem_cuda_warm_up (
    const struct xmem_cuda_place *place, struct xmem_error *error);

/* Allocates n_slots (at most XMEM_CUDA_MAX_EVENTS) times slot_size bytes, with
 * an event per slot. mode is an enum xmem_cuda_mode. The caller has one
 * reference. Returns 0; XMEM_INVALID; XMEM_UNSUPPORTED; XMEM_NO_SPACE;
 * XMEM_NO_MEMORY; XMEM_DEVICE. */
int xmem_cuda_memory_new (const struct xmem_cuda_place *place, unsigned mode,
    uint64_t slot_size, uint32_t n_slots, struct xmem_cuda_memory **memory_out,
    struct xmem_error *error);

/* The same without events, by a legacy handle. */
int xmem_cuda_memory_new_legacy (const struct xmem_cuda_place *place,
    uint64_t size, struct xmem_cuda_memory **memory_out,
    struct xmem_error *error);

/* The device that a peer's memory is on. Returns 0; XMEM_UNSUPPORTED, saying why
 * it cannot be had; XMEM_DEVICE. */
int xmem_cuda_find (const struct xmem_cuda_share *share, int *device_out,
    struct xmem_error *error);

/* Maps what a peer has allocated on that device, unless this process has it
 * already: the same allocation of the same peer is mapped once per context.
 * owner: the peer's pid as the kernel tells it, 0 if it does not; or as the file of
 * a named pool does. Borrows fd and share. without_events: its frames are complete.
 * Returns as xmem_cuda_memory_new (). */
int xmem_cuda_memory_import (const struct xmem_cuda_share *share, int fd,
    uint32_t owner, const struct xmem_cuda_place *place, bool without_events,
    struct xmem_cuda_memory **memory_out, struct xmem_error *error);

struct xmem_cuda_memory *xmem_cuda_memory_ref (struct xmem_cuda_memory *memory);
/* With the last reference the memory goes, after the work that its own process
 * has recorded. */
void xmem_cuda_memory_unref (struct xmem_cuda_memory *memory);

XMEM_DEFINE_CLEANUP (struct xmem_cuda_memory *, xmem_cuda_memory_unref);

/* Points into the memory's own. */
void xmem_cuda_memory_get_share (
    const struct xmem_cuda_memory *memory, struct xmem_cuda_share *share_out);
/* Borrowed; -1: legacy. */
int xmem_cuda_memory_borrow_fd (const struct xmem_cuda_memory *memory);
uint64_t xmem_cuda_memory_get_pointer (const struct xmem_cuda_memory *memory);
int xmem_cuda_memory_get_device (const struct xmem_cuda_memory *memory);
/* Whether other processes can wait for its events. */
bool xmem_cuda_memory_shares_events (const struct xmem_cuda_memory *memory);

/* How many allocations this process has, imported ones included. */
unsigned xmem_cuda_count_memories (void);

/* --- order --------------------------------------------------------------- */

/* The bytes at offset are written when the work on the stream is over. Nothing
 * to do for imported memory, which nobody here writes. */
int xmem_cuda_memory_record (struct xmem_cuda_memory *memory, uint64_t offset,
    void *stream, struct xmem_error *error);

/* Makes a stream wait for that; or the caller. */
int xmem_cuda_memory_wait (struct xmem_cuda_memory *memory, uint64_t offset,
    void *stream, struct xmem_error *error);
int xmem_cuda_memory_synchronize (
    struct xmem_cuda_memory *memory, uint64_t offset, struct xmem_error *error);

/* Calls done (data) from another thread, without a lock, when the work on the
 * stream (XMEM_CUDA_ALL_STREAMS: on all of the context) is over; or at once,
 * after waiting for it, if it must be. */
void xmem_cuda_memory_when_over (struct xmem_cuda_memory *memory, void *stream,
    void (*done) (void *data), void *data);

/* --- copies -------------------------------------------------------------- */

/* Bytes on a device, or of the CPU. */
struct xmem_cuda_bytes {
  struct xmem_cuda_memory *memory; /* NULL: of the CPU */
  uint64_t offset; /* in memory */
  void *data; /* of the CPU */
};

/* On the stream, behind the work that last wrote either. */
int xmem_cuda_copy (const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, void *stream,
    struct xmem_error *error);

/* The same, and waits until it is over. */
int xmem_cuda_copy_now (const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size,
    struct xmem_error *error);

#endif
