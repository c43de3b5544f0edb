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
  return bytes->memory ? xmem_cuda_memory_wait (
             bytes->memory, bytes->offset, stream, error)
                       : 0;
}

static int
copy (const struct xmem_cuda_driver *cuda, const struct xmem_cuda_bytes *to,
    const struct xmem_cuda_bytes *from, uint64_t size, CUstream stream,
    struct xmem_error *error)
{
  if (!to->memory)
    return xmem_cuda_call (cuda, error, copying, cuMemcpyDtoHAsync_v2, to->data,
        address_of (from), size, stream);
  if (!from->memory)
    return xmem_cuda_call (cuda, error, copying, cuMemcpyHtoDAsync_v2,
        address_of (to), from->data, size, stream);
  if (to->memory->context == from->memory->context)
    return xmem_cuda_call (cuda, error, copying, cuMemcpyDtoDAsync_v2,
        address_of (to), address_of (from), size, stream);
  /* By way of the CPU where the devices cannot reach each other. */
  return xmem_cuda_call (cuda, error, copying, cuMemcpyPeerAsync,
      address_of (to), to->memory->context, address_of (from),
      from->memory->context, size, stream);
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
