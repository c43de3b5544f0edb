/* SPDX-License-Identifier: MIT */
/* The two ways in which memory of a device gets to other processes.
 *
 * VMM: a descriptor stands for the allocation, which lives until the last
 * mapping and descriptor is gone. Some machines say that they can do it and
 * cannot; so it is tried, once per device. Legacy: a handle that is worth
 * something as long as the process that made it lives.
 *
 * Each step notes in the memory what it has made, so that closing undoes just
 * that. Threads: any; `lock` guards what was found out about devices. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <xmem/cuda.h>

#include "mem/cuda-memory.h"

#define MAX_DEVICES 64

static const char allocating[] = "cannot allocate CUDA memory for sharing";
static const char mapping[] = "cannot map a peer's CUDA memory";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  bool known;
  int vmm_status; /* 0: it works */
  struct xmem_error vmm_error;
} found[MAX_DEVICES];

/* --- VMM ----------------------------------------------------------------- */

static int
round_size (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, const CUmemAllocationProp *properties,
    const char *what, uint64_t *size_out, struct xmem_error *error)
{
  size_t step = 0;
  int r = xmem_cuda_call (cuda, error, what, cuMemGetAllocationGranularity,
      &step, properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM);

  if (r != 0)
    return r;
  if (step == 0 || memory->share.size > UINT64_MAX - step)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "%llu bytes of CUDA memory are too many",
        (unsigned long long) memory->share.size);
  *size_out = (memory->share.size + step - 1) / step * step;
  return 0;
}

static int
set_access (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, int number, CUmemAccess_flags flags,
    const char *what, struct xmem_error *error)
{
  CUmemAccessDesc access = {
    .location = { CU_MEM_LOCATION_TYPE_DEVICE, number }, .flags = flags
  };

  return xmem_cuda_call (cuda, error, what, cuMemSetAccess, memory->pointer,
      memory->mapped_size, &access, 1);
}

/* Maps memory->handle and lets go of it: the mapping keeps the memory. */
static int
map_handle (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, uint64_t size, const char *what,
    struct xmem_error *error)
{
  int r;

  r = xmem_cuda_call (
      cuda, error, what, cuMemAddressReserve, &memory->pointer, size, 0, 0, 0);
  if (r != 0) {
    memory->pointer = 0;
    return r;
  }
  memory->mapped_size = size;
  r = xmem_cuda_call (
      cuda, error, what, cuMemMap, memory->pointer, size, 0, memory->handle, 0);
  memory->mapped = r == 0;
  if (r == 0)
    r = xmem_cuda_call (cuda, error, what, cuMemRelease, memory->handle);
  if (r == 0)
    memory->has_handle = false;
  return r;
}

static CUmemAllocationProp
properties_of (const struct xmem_cuda_memory *memory)
{
  return (CUmemAllocationProp){ .type = CU_MEM_ALLOCATION_TYPE_PINNED,
    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
    .location = { CU_MEM_LOCATION_TYPE_DEVICE, memory->device.number } };
}

static int
allocate_vmm (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  CUmemAllocationProp properties = properties_of (memory);
  uint64_t size;
  int r;

  memory->share.kind = XMEM_CUDA_VMM;
  r = round_size (cuda, memory, &properties, allocating, &size, error);
  if (r == 0)
    r = xmem_cuda_call (cuda, error, allocating, cuMemCreate, &memory->handle,
        size, &properties, 0);
  memory->has_handle = r == 0;
  if (r == 0)
    r = xmem_cuda_call (cuda, error, allocating, cuMemExportToShareableHandle,
        &memory->fd, memory->handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
        0);
  if (r != 0) {
    memory->fd = -1;
    return r;
  }
  if (fcntl (memory->fd, F_SETFD, FD_CLOEXEC) < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "the driver's descriptor is none");
  r = map_handle (cuda, memory, size, allocating, error);
  return r == 0 ? set_access (cuda, memory, memory->user,
             CU_MEM_ACCESS_FLAGS_PROT_READWRITE, allocating, error)
                : r;
}

static int
open_vmm (const struct xmem_cuda_driver *cuda, struct xmem_cuda_memory *memory,
    int fd, struct xmem_error *error)
{
  CUmemAllocationProp properties = properties_of (memory);
  uint64_t size;
  int r;

  r = round_size (cuda, memory, &properties, mapping, &size, error);
  if (r != 0)
    return r;
  memory->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (memory->fd < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot duplicate a descriptor");
  r = xmem_cuda_call (cuda, error, mapping, cuMemImportFromShareableHandle,
      &memory->handle, (void *) (uintptr_t) memory->fd,
      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  memory->has_handle = r == 0;
  if (r == 0)
    r = map_handle (cuda, memory, size, mapping, error);
  if (r != 0)
    return r;
  /* Where the driver knows no memory for reading only, for both. */
  r = set_access (cuda, memory, memory->user, CU_MEM_ACCESS_FLAGS_PROT_READ,
      mapping, error);
  if (r == XMEM_UNSUPPORTED)
    r = set_access (cuda, memory, memory->user,
        CU_MEM_ACCESS_FLAGS_PROT_READWRITE, mapping, error);
  return r;
}

/* --- legacy -------------------------------------------------------------- */

static int
allocate_legacy (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  CUipcMemHandle handle;
  int r;

  memory->share.kind = XMEM_CUDA_LEGACY;
  r = xmem_cuda_call (cuda, error, allocating, cuMemAlloc_v2, &memory->pointer,
      memory->share.size);
  if (r != 0) {
    memory->pointer = 0;
    return r;
  }
  r = xmem_cuda_call (
      cuda, error, allocating, cuIpcGetMemHandle, &handle, memory->pointer);
  if (r == 0)
    memcpy (memory->share.handle, &handle, sizeof (handle));
  return r;
}

/* A handle does not say how much there is behind it: the peer does. No document
 * promises that a driver can tell of memory that it did not allocate; where it
 * cannot, the peer is believed. */
static int
check_size (const struct xmem_cuda_driver *cuda,
    const struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  CUdeviceptr base;
  size_t size;

  if (cuda->cuMemGetAddressRange_v2 (&base, &size, memory->pointer)
      != CUDA_SUCCESS)
    return 0;
  size -= (size_t) (memory->pointer - base);
  if (size < memory->share.size)
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "a peer's CUDA memory has %zu bytes, not the %llu it is said to have",
        size, (unsigned long long) memory->share.size);
  return 0;
}

static int
open_legacy (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  CUipcMemHandle handle;
  int r;

  memcpy (&handle, memory->share.handle, sizeof (handle));
  r = xmem_cuda_call (cuda, error, mapping, cuIpcOpenMemHandle_v2,
      &memory->pointer, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
  if (r != 0) {
    memory->pointer = 0;
    return r;
  }
  return check_size (cuda, memory, error);
}

int
xmem_cuda_share_let_in (
    struct xmem_cuda_memory *memory, int number, struct xmem_error *error)
{
  static const char what[] = "cannot let a CUDA device reach another's memory";
  uint64_t bit = UINT64_C (1) << number;
  const struct xmem_cuda_driver *cuda;
  CUresult result;
  int r;

  if (atomic_load (&memory->let_in) & bit)
    return 0;
  r = xmem_cuda_load (&cuda, error);
  if (r == 0 && memory->mapped) {
    r = set_access (
        cuda, memory, number, CU_MEM_ACCESS_FLAGS_PROT_READ, what, error);
  } else if (r == 0) {
    result = cuda->cuCtxEnablePeerAccess (memory->context, 0);
    if (result != CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED)
      r = xmem_cuda_result (error, result, "cuCtxEnablePeerAccess", what);
  }
  if (r == 0)
    atomic_fetch_or (&memory->let_in, bit);
  return r;
}

/* --- either -------------------------------------------------------------- */

void
xmem_cuda_share_close (struct xmem_cuda_memory *memory)
{
  const struct xmem_cuda_driver *cuda;

  if (memory->fd >= 0)
    close (memory->fd);
  memory->fd = -1;
  if (xmem_cuda_load (&cuda, NULL) != 0)
    return;
  if (memory->mapped)
    (void) cuda->cuMemUnmap (memory->pointer, memory->mapped_size);
  if (memory->mapped_size > 0)
    (void) cuda->cuMemAddressFree (memory->pointer, memory->mapped_size);
  else if (memory->pointer && memory->imported)
    (void) cuda->cuIpcCloseMemHandle (memory->pointer);
  else if (memory->pointer)
    (void) cuda->cuMemFree_v2 (memory->pointer);
  if (memory->has_handle)
    (void) cuda->cuMemRelease (memory->handle);
  memory->mapped = memory->has_handle = false;
  memory->mapped_size = 0;
  memory->pointer = 0;
}

static int
has_attributes (const struct xmem_cuda_driver *cuda,
    const struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  static const CUdevice_attribute attributes[] = {
    CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
    CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
  };
  int value, r;

  for (unsigned i = 0; i < 2; i++) {
    r = xmem_cuda_call (cuda, error, allocating, cuDeviceGetAttribute, &value,
        attributes[i], memory->device.device);
    if (r != 0)
      return r;
    if (!value)
      return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
          "CUDA device %d cannot share memory by descriptors (VMM)",
          memory->device.number);
  }
  return 0;
}

/* Whether VMM works on this device: tried with the smallest allocation. */
static int
try_vmm (const struct xmem_cuda_driver *cuda,
    const struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  struct xmem_cuda_memory trial = { .device = memory->device,
    .user = memory->user,
    .fd = -1,
    .share = { .size = 1 } };
  int number = memory->device.number;
  xmem_scoped_lock (&lock);

  if (!found[number].known) {
    int r = has_attributes (cuda, memory, &found[number].vmm_error);

    if (r == 0)
      r = allocate_vmm (cuda, &trial, &found[number].vmm_error);
    xmem_cuda_share_close (&trial);
    found[number].vmm_status = r;
    /* What failed otherwise, as for lack of room, may not fail later. */
    found[number].known = r == 0 || r == XMEM_UNSUPPORTED;
  }
  if (found[number].vmm_status != 0 && error)
    *error = found[number].vmm_error;
  return found[number].vmm_status;
}

int
xmem_cuda_share_allocate (
    struct xmem_cuda_memory *memory, unsigned mode, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  if (r != 0)
    return r;
  if (mode == XMEM_CUDA_MODE_LEGACY)
    return allocate_legacy (cuda, memory, error);
  r = try_vmm (cuda, memory, error);
  if (r == 0)
    return allocate_vmm (cuda, memory, error);
  if (mode == XMEM_CUDA_MODE_VMM || r == XMEM_NO_SPACE)
    return r;
  return allocate_legacy (cuda, memory, error);
}

int
xmem_cuda_share_open (
    struct xmem_cuda_memory *memory, int fd, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  if (r != 0)
    return r;
  return memory->share.kind == XMEM_CUDA_VMM
             ? open_vmm (cuda, memory, fd, error)
             : open_legacy (cuda, memory, error);
}
