/* SPDX-License-Identifier: MIT */
/* Copying and setting memory, as work of a stream. Every case is turned into
 * rows: where from, where to, how wide, how many. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

/* One side of a copy. */
struct side {
  bool is_device;
  CUdeviceptr device;
  void *host;
  size_t pitch;
};

struct copy_op {
  struct fake_op base;
  int device; /* that does it */
  struct side to;
  struct side from; /* a copy */
  unsigned value; /* else */
  unsigned value_size; /* 0: a copy */
  size_t width; /* bytes */
  size_t height;
};

static size_t
span (const struct copy_op *copy, const struct side *side)
{
  return side->pitch * (copy->height - 1) + copy->width;
}

static bool
may (const struct copy_op *copy, const struct side *side,
    CUmemAccess_flags access)
{
  return !side->is_device
         || fake_range_allows (
             side->device, span (copy, side), copy->device, access);
}

static bool
is_allowed (const struct copy_op *copy)
{
  return may (copy, &copy->to, CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
         && (copy->value_size > 0
             || may (copy, &copy->from, CU_MEM_ACCESS_FLAGS_PROT_READ));
}

static char *
start_of (const struct side *side)
{
  return side->is_device ? fake_view (side->device) : side->host;
}

static void
set_row (char *to, const struct copy_op *copy)
{
  if (copy->value_size == 1) {
    memset (to, (int) copy->value, copy->width);
    return;
  }
  for (size_t i = 0; i < copy->width; i += copy->value_size)
    memcpy (to + i, &copy->value, copy->value_size);
}

static CUresult
copy_run (struct fake_op *op)
{
  struct copy_op *copy = (struct copy_op *) op;
  char *to = start_of (&copy->to);
  bool allowed;

  pthread_mutex_lock (&fake_lock);
  allowed = is_allowed (copy);
  pthread_mutex_unlock (&fake_lock);
  if (!allowed)
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  for (size_t i = 0; i < copy->height; i++) {
    if (copy->value_size > 0)
      set_row (to + i * copy->to.pitch, copy);
    else
      memmove (to + i * copy->to.pitch,
          start_of (&copy->from) + i * copy->from.pitch, copy->width);
  }
  return CUDA_SUCCESS;
}

/* Whether each side is what the caller says it is. What may be done to it is
 * found out when it is done, as on a device. */
static bool
is_known (const struct copy_op *copy, const struct side *side)
{
  return side->is_device ? fake_range_allows (side->device, span (copy, side),
             copy->device, CU_MEM_ACCESS_FLAGS_PROT_NONE)
                         : side->host != NULL;
}

/* Gives the work to a stream; `name` is not looked at when it is to be done
 * on return. */
static CUresult
submit (const struct copy_op *wanted, bool is_async, CUstream name)
{
  CUcontext context;
  CUresult result = fake_current (&context);
  struct copy_op *copy;
  CUstream stream;
  uint64_t serial;

  if (result == CUDA_SUCCESS)
    result = fake_find_stream (is_async ? name : NULL, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  if (wanted->width == 0 || wanted->height == 0)
    return CUDA_SUCCESS;
  copy = fake_op_new (sizeof *copy);
  *copy = *wanted;
  copy->device = fake_stream_context (stream)->device;
  copy->base.is_work = true;
  copy->base.run = copy_run;
  if (!is_known (copy, &copy->to)
      || (copy->value_size == 0 && !is_known (copy, &copy->from))) {
    free (copy);
    return CUDA_ERROR_INVALID_VALUE;
  }
  serial = fake_stream_push (stream, &copy->base);
  return is_async ? CUDA_SUCCESS : fake_stream_wait (stream, serial);
}

/* --- bytes --------------------------------------------------------------- */

static struct side
on_device (CUdeviceptr pointer)
{
  return (struct side){ .is_device = true, .device = pointer };
}

static struct side
on_host (const void *pointer)
{
  return (struct side){ .host = (void *) (uintptr_t) pointer };
}

static CUresult
copy_bytes (struct side to, struct side from, size_t size, bool is_async,
    CUstream stream)
{
  struct copy_op copy = { .to = to, .from = from, .width = size, .height = 1 };

  return submit (&copy, is_async, stream);
}

CUresult
cuMemcpyHtoD_v2 (CUdeviceptr to, const void *from, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemcpyHtoD);
  return copy_bytes (on_device (to), on_host (from), size, false, NULL);
}

CUresult
cuMemcpyDtoH_v2 (void *to, CUdeviceptr from, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemcpyDtoH);
  return copy_bytes (on_host (to), on_device (from), size, false, NULL);
}

CUresult
cuMemcpyDtoD_v2 (CUdeviceptr to, CUdeviceptr from, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemcpyDtoD);
  return copy_bytes (on_device (to), on_device (from), size, false, NULL);
}

CUresult
cuMemcpyHtoDAsync_v2 (
    CUdeviceptr to, const void *from, size_t size, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemcpyHtoDAsync);
  return copy_bytes (on_device (to), on_host (from), size, true, stream);
}

CUresult
cuMemcpyDtoHAsync_v2 (void *to, CUdeviceptr from, size_t size, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemcpyDtoHAsync);
  return copy_bytes (on_host (to), on_device (from), size, true, stream);
}

CUresult
cuMemcpyDtoDAsync_v2 (
    CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemcpyDtoDAsync);
  return copy_bytes (on_device (to), on_device (from), size, true, stream);
}

CUresult
cuMemcpyPeer (CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
    CUcontext from_context, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemcpyPeer);
  CUresult result = fake_check_context (to_context);

  if (result == CUDA_SUCCESS)
    result = fake_check_context (from_context);
  if (result != CUDA_SUCCESS)
    return result;
  return copy_bytes (on_device (to), on_device (from), size, false, NULL);
}

CUresult
cuMemcpyPeerAsync (CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
    CUcontext from_context, size_t size, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemcpyPeerAsync);
  CUresult result = fake_check_context (to_context);

  if (result == CUDA_SUCCESS)
    result = fake_check_context (from_context);
  if (result != CUDA_SUCCESS)
    return result;
  return copy_bytes (on_device (to), on_device (from), size, true, stream);
}

/* --- rows ---------------------------------------------------------------- */

/* Returns false for what this driver has not, and for what makes no sense. */
static bool
read_side (CUmemorytype type, const void *host, CUdeviceptr device,
    size_t x_bytes, size_t y, size_t pitch, struct side *side_out)
{
  size_t offset = y * pitch + x_bytes;

  if (type == CU_MEMORYTYPE_UNIFIED && !fake_range_find (device)) {
    type = CU_MEMORYTYPE_HOST;
    host = (const void *) (uintptr_t) device;
  }
  if (type == CU_MEMORYTYPE_HOST)
    *side_out = on_host ((const char *) host + offset);
  else if (type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_UNIFIED)
    *side_out = on_device (device + offset);
  else
    return false;
  side_out->pitch = pitch;
  return true;
}

static CUresult
copy_rows (const CUDA_MEMCPY2D *copy, bool is_async, CUstream stream)
{
  struct copy_op op = { .width = copy->WidthInBytes, .height = copy->Height };

  if (copy->srcMemoryType == CU_MEMORYTYPE_ARRAY
      || copy->dstMemoryType == CU_MEMORYTYPE_ARRAY)
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!read_side (copy->srcMemoryType, copy->srcHost, copy->srcDevice,
          copy->srcXInBytes, copy->srcY, copy->srcPitch, &op.from)
      || !read_side (copy->dstMemoryType, copy->dstHost, copy->dstDevice,
          copy->dstXInBytes, copy->dstY, copy->dstPitch, &op.to))
    return CUDA_ERROR_INVALID_VALUE;
  /* A pitch of 0 is that of packed rows. */
  if (op.from.pitch == 0)
    op.from.pitch = op.width;
  if (op.to.pitch == 0)
    op.to.pitch = op.width;
  if (op.from.pitch < op.width + copy->srcXInBytes
      || op.to.pitch < op.width + copy->dstXInBytes)
    return CUDA_ERROR_INVALID_VALUE;
  return submit (&op, is_async, stream);
}

CUresult
cuMemcpy2D_v2 (const CUDA_MEMCPY2D *copy)
{
  FAKE_ENTER_LOCKED (cuMemcpy2D);
  return copy_rows (copy, false, NULL);
}

CUresult
cuMemcpy2DAsync_v2 (const CUDA_MEMCPY2D *copy, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemcpy2DAsync);
  return copy_rows (copy, true, stream);
}

/* --- setting ------------------------------------------------------------- */

static CUresult
set (CUdeviceptr to, size_t pitch, unsigned value, unsigned value_size,
    size_t width, size_t height, CUstream stream)
{
  struct copy_op op = { .to = on_device (to),
    .value = value,
    .value_size = value_size,
    .width = width * value_size,
    .height = height };

  op.to.pitch = pitch;
  if (to % value_size != 0 || (height > 1 && pitch < op.width))
    return CUDA_ERROR_INVALID_VALUE;
  return submit (&op, true, stream);
}

/* None waits for the device. */

CUresult
cuMemsetD2D8_v2 (CUdeviceptr to, size_t pitch, unsigned char value,
    size_t width, size_t height)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D8);
  return set (to, pitch, value, sizeof value, width, height, NULL);
}

CUresult
cuMemsetD2D8Async (CUdeviceptr to, size_t pitch, unsigned char value,
    size_t width, size_t height, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D8Async);
  return set (to, pitch, value, sizeof value, width, height, stream);
}

CUresult
cuMemsetD2D16_v2 (CUdeviceptr to, size_t pitch, unsigned short value,
    size_t width, size_t height)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D16);
  return set (to, pitch, value, sizeof value, width, height, NULL);
}

CUresult
cuMemsetD2D16Async (CUdeviceptr to, size_t pitch, unsigned short value,
    size_t width, size_t height, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D16Async);
  return set (to, pitch, value, sizeof value, width, height, stream);
}

CUresult
cuMemsetD2D32_v2 (
    CUdeviceptr to, size_t pitch, unsigned value, size_t width, size_t height)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D32);
  return set (to, pitch, value, sizeof value, width, height, NULL);
}

CUresult
cuMemsetD2D32Async (CUdeviceptr to, size_t pitch, unsigned value, size_t width,
    size_t height, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemsetD2D32Async);
  return set (to, pitch, value, sizeof value, width, height, stream);
}

CUresult
cuMemsetD8_v2 (CUdeviceptr to, unsigned char value, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemsetD8);
  return set (to, 0, value, 1, size, 1, NULL);
}

CUresult
cuMemsetD8Async (
    CUdeviceptr to, unsigned char value, size_t size, CUstream stream)
{
  FAKE_ENTER_LOCKED (cuMemsetD8Async);
  return set (to, 0, value, 1, size, 1, stream);
}
