/* SPDX-License-Identifier: MIT */
/* Copies between memory of the CPU and of devices. Keeps no state. */
#include "mem/cuda-memory.h"

static const char copying[] = "cannot copy CUDA memory";

static CUdeviceptr
address_of (const struct xmem_cuda_bytes *bytes)
{
  return bytes->memory->pointer + bytes->offset;
}

static int
wait_for_writer (
    const struct xmem_cuda_bytes *bytes, void *stream, struct xmem_error *error)
{
  return bytes->memory ? xmem_cuda_memory_wait_here (
             bytes->memory, bytes->offset, stream, error)
                       : 0;
}

static int
host_to_device (const struct xmem_cuda_driver *cuda,
    const struct xmem_cuda_bytes *to, const void *from, uint64_t size,
    CUstream stream, struct xmem_error *error)
{
  return xmem_cuda_call (cuda, error, copying, cuMemcpyHtoDAsync_v2,
      address_of (to), from, size, stream);
}

/* Of two devices that cannot reach each other: by way of the CPU. */
static int
copy_by_cpu (const struct xmem_cuda_driver *cuda,
    const struct xmem_cuda_bytes *to, const struct xmem_cuda_bytes *from,
    uint64_t size, CUstream stream, struct xmem_error *error)
{
  xmem_auto_free void *bytes = malloc (size);
  struct xmem_cuda_bytes here = { .data = bytes };
  int r;

  if (!bytes)
    return xmem_error_set (
        error, XMEM_NO_MEMORY, 0, "no memory for a copy between CUDA devices");
  r = xmem_cuda_call (cuda, error, copying, cuStreamSynchronize, stream);
  if (r == 0)
    r = xmem_cuda_copy_now (&here, from, size, error);
  if (r == 0)
    r = host_to_device (cuda, to, bytes, size, stream, error);
  if (r == 0)
    r = xmem_cuda_call (cuda, error, copying, cuStreamSynchronize, stream);
  return r;
}

/* Whether `to`'s device can reach `from`, and lets it. */
static int
reach (const struct xmem_cuda_driver *cuda, const struct xmem_cuda_memory *to,
    struct xmem_cuda_memory *from, int *can_out, struct xmem_error *error)
{
  int r;

  *can_out = 1;
  if (to->user == from->user)
    return 0;
  r = xmem_cuda_call (cuda, error, copying, cuDeviceCanAccessPeer, can_out,
      to->device.device, from->device.device);
  if (r == 0 && *can_out)
    r = xmem_cuda_share_let_in (from, to->user, error);
  return r;
}

static int
copy (const struct xmem_cuda_driver *cuda, const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, CUstream stream,
    struct xmem_error *error)
{
  int can, r;

  if (!to->memory)
    return xmem_cuda_call (cuda, error, copying, cuMemcpyDtoHAsync_v2, to->data,
        address_of (from), size, stream);
  if (!from->memory)
    return host_to_device (cuda, to, from->data, size, stream, error);
  r = reach (cuda, to->memory, from->memory, &can, error);
  if (r != 0)
    return r;
  return can ? xmem_cuda_call (cuda, error, copying, cuMemcpyDtoDAsync_v2,
             address_of (to), address_of (from), size, stream)
             : copy_by_cpu (cuda, to, from, size, stream, error);
}

/* Copies with the context current, and waits if `now`. */
static int
copy_in_context (const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, void *stream, bool now,
    struct xmem_error *error)
{
  const struct xmem_cuda_memory *memory =
      to->memory ? to->memory : from->memory;
  const struct xmem_cuda_driver *cuda;
  xmem_cuda_auto_leave bool entered = false;
  int r = xmem_cuda_load (&cuda, error);

  if (r == 0)
    r = xmem_cuda_enter (memory->context, &entered, error);
  if (r == 0)
    r = wait_for_writer (to, stream, error);
  if (r == 0)
    r = wait_for_writer (from, stream, error);
  if (r == 0)
    r = copy (cuda, to, from, size, stream, error);
  if (r == 0 && now)
    r = xmem_cuda_call (cuda, error, copying, cuStreamSynchronize, stream);
  return r;
}

int
xmem_cuda_copy (const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, void *stream,
    struct xmem_error *error)
{
  return copy_in_context (to, from, size, stream, false, error);
}

int
xmem_cuda_copy_now (const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, struct xmem_error *error)
{
  return copy_in_context (to, from, size, CU_STREAM_PER_THREAD, true, error);
}
