/* SPDX-License-Identifier: MIT */
#include "harness/fake-cuda/try.h"

#include <unistd.h>

void
try_begin (void)
{
  CUcontext context;

  try_ok (cuInit (0));
  try_ok (cuDevicePrimaryCtxRetain (&context, 0));
  try_ok (cuCtxSetCurrent (context));
}

void
try_end (void)
{
  try_ok (cuCtxSetCurrent (NULL));
  try_ok (cuDevicePrimaryCtxRelease_v2 (0));
  g_assert_cmpint (fake_cuda_live (NULL), ==, 0);
}

CUstream
try_new_stream (void)
{
  CUstream stream;

  try_ok (cuStreamCreate (&stream, CU_STREAM_NON_BLOCKING));
  return stream;
}

void
try_fill (CUdeviceptr pointer, unsigned char value, CUstream stream)
{
  try_ok (cuMemsetD8Async (pointer, value, TRY_SIZE, stream));
}

unsigned char
try_read (CUdeviceptr pointer, CUstream stream)
{
  unsigned char byte = 0;

  try_ok (cuMemcpyDtoHAsync_v2 (&byte, pointer, 1, stream));
  try_ok (cuStreamSynchronize (stream));
  return byte;
}

static void
map (struct try_mapping *mapping, CUmemAccess_flags access)
{
  CUmemAccessDesc description = { { CU_MEM_LOCATION_TYPE_DEVICE, 0 }, access };

  try_ok (cuMemAddressReserve (&mapping->pointer, TRY_SIZE, 0, 0, 0));
  try_ok (cuMemMap (mapping->pointer, TRY_SIZE, 0, mapping->handle, 0));
  try_ok (cuMemSetAccess (mapping->pointer, TRY_SIZE, &description, 1));
}

struct try_mapping
try_create (void)
{
  CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
    .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
  struct try_mapping mapping;
  size_t granularity;

  try_ok (cuMemGetAllocationGranularity (
      &granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  g_assert_cmpuint (granularity, ==, TRY_SIZE);
  try_ok (cuMemCreate (&mapping.handle, TRY_SIZE, &properties, 0));
  map (&mapping, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  return mapping;
}

struct try_mapping
try_import (int fd, CUmemAccess_flags access)
{
  struct try_mapping mapping;

  try_ok (cuMemImportFromShareableHandle (&mapping.handle,
      (void *) (intptr_t) fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
  close (fd);
  map (&mapping, access);
  return mapping;
}

void
try_unmap (struct try_mapping *mapping)
{
  try_ok (cuMemUnmap (mapping->pointer, TRY_SIZE));
  try_ok (cuMemAddressFree (mapping->pointer, TRY_SIZE));
  try_ok (cuMemRelease (mapping->handle));
}
