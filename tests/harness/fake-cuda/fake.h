/* SPDX-License-Identifier: MIT */
/* What the modules of the driver's double share. All state is behind one lock;
 * the only thing done without it is a stream's work. */
#ifndef XMEM_FAKE_H
#define XMEM_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The driver's functions are what the library exports. */
#pragma GCC visibility push(default)
#include "harness/fake-cuda/kernels.h"
#include "mem/cuda-driver.h"

/* Those that only GStreamer calls. */
CUresult cuCtxDisablePeerAccess (CUcontext peer);
CUresult cuStreamDestroy (CUstream stream);
CUresult cuIpcOpenMemHandle (
    CUdeviceptr *pointer_out, CUipcMemHandle handle, unsigned flags);
CUresult cuMemsetD2D8_v2 (CUdeviceptr to, size_t pitch, unsigned char value,
    size_t width, size_t height);
CUresult cuMemsetD2D8Async (CUdeviceptr to, size_t pitch, unsigned char value,
    size_t width, size_t height, CUstream stream);
CUresult cuMemsetD2D16_v2 (CUdeviceptr to, size_t pitch, unsigned short value,
    size_t width, size_t height);
CUresult cuMemsetD2D16Async (CUdeviceptr to, size_t pitch, unsigned short value,
    size_t width, size_t height, CUstream stream);
CUresult cuMemsetD2D32_v2 (
    CUdeviceptr to, size_t pitch, unsigned value, size_t width, size_t height);
CUresult cuMemsetD2D32Async (CUdeviceptr to, size_t pitch, unsigned value,
    size_t width, size_t height, CUstream stream);
#define U(name, symbol, since) CUresult symbol (void);
#include "unsupported.def"
#undef U
#pragma GCC visibility pop

#define FAKE_MAX_DEVICES 8
#define FAKE_GRANULARITY ((size_t) 2 << 20)
#define FAKE_EXPORTED __attribute__ ((visibility ("default")))

enum fake_function {
#define F(name, symbol, since) FAKE_##name,
#include "functions.def"
#undef F
#define U(name, symbol, since) FAKE_##name,
#include "unsupported.def"
#undef U
  FAKE_N_FUNCTIONS
};

/* --- control.c ----------------------------------------------------------- */

/* What FAKE_CUDA_WITHOUT can name. */
enum fake_feature {
  FAKE_VMM,
  FAKE_FD,
  FAKE_EXPORT,
  FAKE_LEGACY,
  FAKE_EVENTS,
  FAKE_PEER,
  FAKE_READ_ONLY,
  FAKE_N_FEATURES
};

struct fake_control {
  bool without[FAKE_N_FEATURES];
  bool mig;
  bool death_hangs;
  bool paused;
  int version;
  unsigned n_devices;
  uint64_t memory_bytes;
  uint64_t lag_min_ns;
  uint64_t lag_max_ns;
  const char *uuids;
};

extern struct fake_control fake_control;
extern pthread_mutex_t fake_lock;
extern pthread_cond_t fake_progress; /* some stream or event has got on */

/* Counts the call; returns what it is to fail with, or 0. Every function of the
 * driver begins with one of these. */
CUresult fake_enter (enum fake_function function);
CUresult fake_enter_before_init (enum fake_function function);

#define FAKE_ENTER(name)                          \
  do {                                            \
    CUresult entered_ = fake_enter (FAKE_##name); \
    if (entered_ != CUDA_SUCCESS)                 \
      return entered_;                            \
  } while (0)

/* The same with the lock, which is let go when the function returns. */
void fake_unlock (pthread_mutex_t **lock);
#define FAKE_ENTER_LOCKED(name)                                            \
  FAKE_ENTER (name);                                                       \
  __attribute__ ((cleanup (fake_unlock), unused)) pthread_mutex_t *held_ = \
      &fake_lock;                                                          \
  pthread_mutex_lock (held_)

void fake_set_initialized (void);

/* Sleeps until something has got on, or at most that long. With the lock. */
void fake_wait (int64_t at_most_ns);
int64_t fake_now (void);
uint64_t fake_draw_lag (void);

enum fake_kind {
  FAKE_KIND_MEMORY,
  FAKE_KIND_HOST,
  FAKE_KIND_HANDLE,
  FAKE_KIND_RESERVATION,
  FAKE_KIND_MAPPING,
  FAKE_KIND_IMPORT,
  FAKE_KIND_EVENT,
  FAKE_KIND_STREAM,
  FAKE_KIND_CONTEXT,
  FAKE_KIND_MODULE,
  FAKE_N_KINDS
};
extern int64_t fake_live[FAKE_N_KINDS];

/* --- device.c ------------------------------------------------------------ */

/* As many as this process sees, numbered as it sees them. */
struct fake_device {
  CUuuid uuid;
  CUuuid board_uuid; /* of the whole GPU, when this is a MIG instance of it */
  uint64_t used_bytes;
};

extern struct fake_device fake_devices[FAKE_MAX_DEVICES];
extern int fake_n_devices;

void fake_find_devices (void);
/* Which of them this is, or -1. */
int fake_find_uuid (const CUuuid *uuid);
bool fake_can_access (int device, int peer);

/* --- context.c ----------------------------------------------------------- */

struct CUctx_st {
  struct CUctx_st *next;
  struct CUstream_st *legacy;
  int device;
  unsigned n_retained; /* of a primary one; 1 for others until destroyed */
  unsigned generation; /* changes with each life of a primary one */
  CUresult error; /* that sticks */
  bool peers[FAKE_MAX_DEVICES];
};

/* The calling thread's. */
CUresult fake_current (CUcontext *context_out);
/* Whether this is one that lives. */
CUresult fake_check_context (CUcontext context);

/* --- stream.c ------------------------------------------------------------ */

/* Structures that begin with one are made by fake_op_new (). */
struct fake_op {
  struct fake_op *next;
  uint64_t serial; /* grows over all streams */
  int64_t not_before; /* ns */
  bool is_work; /* lags, and can be paused */
  bool is_foreign; /* the program's code: never run by who pushes it */
  /* With the lock. NULL: always. */
  bool (*is_ready) (struct fake_op *op);
  /* Without the lock. NULL: nothing to do. */
  CUresult (*run) (struct fake_op *op);
  /* With the lock, when it has run. NULL: nothing to do. */
  void (*end) (struct fake_op *op);
};

void *fake_op_new (size_t size);

/* All of these with the lock. */

/* Takes any name of a stream; one that does not tell its context needs a
 * current one. */
CUresult fake_find_stream (CUstream name, CUstream *stream_out);
CUcontext fake_stream_context (CUstream stream);
CUstream fake_stream_new (CUcontext context);
/* Takes the op; may run it at once, letting the lock go meanwhile. Returns the
 * serial to wait for. */
uint64_t fake_stream_push (CUstream stream, struct fake_op *op);
/* Lets the lock go meanwhile. Returns the error that sticks to the context. */
CUresult fake_stream_wait (CUstream stream, uint64_t serial);
CUresult fake_context_wait (CUcontext context);
/* On all devices, as freeing memory does. */
void fake_wait_for_all (void);
/* Whether something that was pushed until `serial` is still to be done; NULL:
 * in any context. */
bool fake_context_is_busy (CUcontext context, uint64_t serial);
/* Takes the op, for a stream of its own that waits for no other. */
void fake_context_push (CUcontext context, struct fake_op *op);
void fake_context_free_streams (CUcontext context);

/* --- arena.c ------------------------------------------------------------- */

/* Address space for device pointers. It cannot be accessed: the driver's view
 * of the same memory is elsewhere. 0 when there is none left. */
CUdeviceptr fake_reserve (size_t size, size_t alignment);
void fake_unreserve (CUdeviceptr pointer);
void *fake_view (CUdeviceptr pointer);
/* Puts the file into the view. */
bool fake_view_map (CUdeviceptr pointer, size_t size, int fd);
void fake_view_protect (CUdeviceptr pointer, size_t size, CUmemAccess_flags);
void fake_view_unmap (CUdeviceptr pointer, size_t size);

/* --- memory.c ------------------------------------------------------------ */

/* A piece of a device's memory. */
struct fake_memory {
  unsigned refs;
  int fd;
  int device;
  size_t size;
  bool is_ours; /* counts as used on the device */
};

/* Takes the fd when it is not -1. NULL, with the code, when there is no room
 * for it. */
struct fake_memory *fake_memory_new (
    int device, size_t size, const char *purpose, CUresult *why_out);
struct fake_memory *fake_memory_take_fd (int device, size_t size, int fd);
struct fake_memory *fake_memory_ref (struct fake_memory *memory);
void fake_memory_unref (struct fake_memory *memory);

enum fake_range_kind { FAKE_ALLOCATION, FAKE_MAPPING, FAKE_IMPORT };

/* Device pointers with memory behind them. */
struct fake_range {
  struct fake_range *next;
  enum fake_range_kind kind;
  CUdeviceptr base;
  size_t size; /* that was asked for */
  size_t mapped_size;
  CUcontext context; /* NULL for a mapping */
  unsigned generation; /* of the context */
  struct fake_memory *memory; /* a reference */
  CUmemAccess_flags access[FAKE_MAX_DEVICES];
  unsigned n_opened; /* of an import */
  CUipcMemHandle handle; /* of an import */
};

extern struct fake_range *fake_ranges;

/* Maps the memory at the pointer; takes the reference. */
struct fake_range *fake_range_new (enum fake_range_kind kind, CUdeviceptr base,
    size_t size, struct fake_memory *memory);
void fake_range_free (struct fake_range *range);
/* The same where there is room, for the context. Drops the reference when there
 * is none. */
struct fake_range *fake_context_map (CUcontext context,
    enum fake_range_kind kind, size_t size, struct fake_memory *memory);
struct fake_range *fake_range_find (CUdeviceptr pointer);
/* Whether the device may do that to all of it. */
bool fake_range_allows (
    CUdeviceptr pointer, size_t size, int device, CUmemAccess_flags access);
void fake_context_free_memory (CUcontext context);

/* --- kernel.c ------------------------------------------------------------ */

void fake_context_free_modules (CUcontext context);

/* --- ipc.c --------------------------------------------------------------- */

/* What is in the 64 bytes of a handle: where the file is found. */
struct fake_ipc {
  uint32_t magic;
  int32_t pid;
  int32_t fd;
  uint32_t reserved;
  uint64_t inode;
  uint64_t size;
  CUuuid uuid;
};

#define FAKE_IPC_MEMORY 0x4d656d46u
#define FAKE_IPC_EVENT 0x4576656eu

struct fake_ipc fake_ipc_describe (
    uint32_t magic, int fd, uint64_t size, int device);
/* A descriptor of the caller's; -1 when that file is not there any more. */
int fake_ipc_open (const struct fake_ipc *ipc, uint32_t magic);

#endif
