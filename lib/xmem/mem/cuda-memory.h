/* SPDX-License-Identifier: MIT */
/* An allocation as mem/cuda* know it. */
#ifndef XMEM_MEM_CUDA_MEMORY_H
#define XMEM_MEM_CUDA_MEMORY_H

#include <stdatomic.h>

#include "mem/cuda-device.h"
#include "mem/cuda-load.h"
#include "mem/cuda.h"

/* Of readers' events in one allocation. */
#define XMEM_CUDA_MAX_SPARES 64

struct xmem_cuda_memory {
  struct xmem_cuda_memory *next; /* in the table */
  atomic_uint refs; /* 0 only with the table's lock */
  uint32_t owner; /* pid of the process that allocated it; 0: not known */
  bool imported;
  struct xmem_cuda_device device; /* that it is on */
  int user; /* number of the device whose context uses it */
  CUcontext context;
  struct xmem_cuda_keeper keeper; /* of context */
  struct xmem_cuda_share share;

  /* What cuda-share.c has made so far. */
  CUmemGenericAllocationHandle handle;
  bool has_handle;
  bool mapped;
  uint64_t mapped_size; /* bytes reserved; 0: none */
  CUdeviceptr pointer; /* 0: none */
  int fd; /* -1: none */
  _Atomic uint64_t let_in; /* further devices that can reach it, a bit each */

  CUevent *events; /* one per slot; those of imported memory are its owner's */
  uint32_t n_events;
  uint8_t *event_handles; /* NULL: they cannot cross */

  unsigned n_spares; /* cuda-reaper.c's */
  CUevent spares[XMEM_CUDA_MAX_SPARES];
};

/* --- cuda-memory.c ------------------------------------------------------- */

/* As xmem_cuda_memory_wait (), with the stream's context current, which may be
 * another than the memory's: the default streams are those of the current one. */
int xmem_cuda_memory_wait_here (struct xmem_cuda_memory *memory,
    uint64_t offset, void *stream, struct xmem_error *error);

/* --- cuda-share.c; the context is current -------------------------------- */

/* Allocates so that other processes can be let in. */
int xmem_cuda_share_allocate (
    struct xmem_cuda_memory *memory, unsigned mode, struct xmem_error *error);
/* Maps what memory->share and fd say. */
int xmem_cuda_share_open (
    struct xmem_cuda_memory *memory, int fd, struct xmem_error *error);
/* Lets another device, in whose context it is to be used, reach the memory. */
int xmem_cuda_share_let_in (
    struct xmem_cuda_memory *memory, int number, struct xmem_error *error);
/* Undoes as much of either as was done. */
void xmem_cuda_share_close (struct xmem_cuda_memory *memory);

/* --- cuda-reaper.c ------------------------------------------------------- */

/* The context is current, and nobody reads any more. */
void xmem_cuda_reaper_drop_spares (struct xmem_cuda_memory *memory);

#endif
