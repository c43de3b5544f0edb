/* SPDX-License-Identifier: MIT */
/* Handles of plain allocations for other processes. One context per device and
 * process opens them; the same handle opened again there is counted. */
#include "fake.h"

#include <string.h>
#include <unistd.h>

CUresult
cuIpcGetMemHandle (CUipcMemHandle *handle_out, CUdeviceptr pointer)
{
  FAKE_ENTER_LOCKED (cuIpcGetMemHandle);
  const struct fake_range *range = fake_range_find (pointer);
  struct fake_ipc ipc;

  if (fake_control.without[FAKE_LEGACY])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!range || range->kind != FAKE_ALLOCATION || range->base != pointer)
    return CUDA_ERROR_INVALID_VALUE;
  ipc = fake_ipc_describe (
      FAKE_IPC_MEMORY, range->memory->fd, range->size, range->memory->device);
  memset (handle_out, 0, sizeof *handle_out);
  memcpy (handle_out, &ipc, sizeof ipc);
  return CUDA_SUCCESS;
}

/* Looks for the same import, and for one that another context has of that
 * device. */
static struct fake_range *
find_import (const CUipcMemHandle *handle, CUcontext context, int device,
    bool *is_taken_out)
{
  *is_taken_out = false;
  for (struct fake_range *range = fake_ranges; range; range = range->next) {
    if (range->kind != FAKE_IMPORT)
      continue;
    if (range->context == context
        && memcmp (&range->handle, handle, sizeof *handle) == 0)
      return range;
    if (range->context != context && range->memory->device == device)
      *is_taken_out = true;
  }
  return NULL;
}

static CUresult
check_import (
    const struct fake_ipc *ipc, CUcontext context, unsigned flags, int *at_out)
{
  if (fake_control.without[FAKE_LEGACY])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (flags & ~(unsigned) CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
    return CUDA_ERROR_INVALID_VALUE;
  if (ipc->magic != FAKE_IPC_MEMORY)
    return CUDA_ERROR_INVALID_HANDLE;
  if (ipc->pid == getpid ())
    return CUDA_ERROR_INVALID_CONTEXT;
  *at_out = fake_find_uuid (&ipc->uuid);
  if (*at_out < 0)
    return CUDA_ERROR_INVALID_DEVICE;
  if (!fake_can_access (context->device, *at_out))
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  return CUDA_SUCCESS;
}

static CUresult
import (const CUipcMemHandle *handle, const struct fake_ipc *ipc,
    CUcontext context, int device, struct fake_range **range_out)
{
  size_t mapped = ((size_t) ipc->size + 4095) / 4096 * 4096;
  int fd = fake_ipc_open (ipc, FAKE_IPC_MEMORY);

  if (fd < 0)
    return CUDA_ERROR_INVALID_HANDLE;
  *range_out = fake_context_map (context, FAKE_IMPORT, (size_t) ipc->size,
      fake_memory_take_fd (device, mapped, fd));
  if (!*range_out)
    return CUDA_ERROR_MAP_FAILED;
  (*range_out)->handle = *handle;
  return CUDA_SUCCESS;
}

CUresult
cuIpcOpenMemHandle_v2 (
    CUdeviceptr *pointer_out, CUipcMemHandle handle, unsigned flags)
{
  FAKE_ENTER_LOCKED (cuIpcOpenMemHandle);
  struct fake_ipc ipc;
  struct fake_range *range;
  CUcontext context;
  CUresult result = fake_current (&context);
  bool is_taken;
  int device;

  memcpy (&ipc, &handle, sizeof ipc);
  if (result == CUDA_SUCCESS)
    result = check_import (&ipc, context, flags, &device);
  if (result != CUDA_SUCCESS)
    return result;
  range = find_import (&handle, context, device, &is_taken);
  if (!range && is_taken)
    return CUDA_ERROR_ALREADY_MAPPED;
  if (!range)
    result = import (&handle, &ipc, context, device, &range);
  if (result != CUDA_SUCCESS)
    return result;
  range->n_opened++;
  *pointer_out = range->base;
  return CUDA_SUCCESS;
}

/* What GStreamer looks for. */
CUresult
cuIpcOpenMemHandle (
    CUdeviceptr *pointer_out, CUipcMemHandle handle, unsigned flags)
{
  return cuIpcOpenMemHandle_v2 (pointer_out, handle, flags);
}

CUresult
cuIpcCloseMemHandle (CUdeviceptr pointer)
{
  FAKE_ENTER_LOCKED (cuIpcCloseMemHandle);
  struct fake_range *range;

  fake_wait_for_all ();
  range = fake_range_find (pointer);
  if (!range || range->kind != FAKE_IMPORT || range->base != pointer)
    return CUDA_ERROR_INVALID_VALUE;
  if (--range->n_opened == 0)
    fake_range_free (range);
  return CUDA_SUCCESS;
}
