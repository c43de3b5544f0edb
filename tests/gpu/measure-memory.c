/* SPDX-License-Identifier: MIT */
/* Memory of a device behind a descriptor, without any of xmem. */
#include "measure.h"

CUresult
make_segment (CUmemGenericAllocationHandle *handle_out)
{
  CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
    .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };

  return cu.cuMemCreate (handle_out, SEGMENT_SIZE, &properties, 0);
}

CUresult
export_segment (CUmemGenericAllocationHandle handle, int *fd_out)
{
  return cu.cuMemExportToShareableHandle (
      fd_out, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
}

CUresult
map_segment (CUmemGenericAllocationHandle handle, CUmemAccess_flags access,
    CUdeviceptr *pointer_out)
{
  CUmemAccessDesc description = { { CU_MEM_LOCATION_TYPE_DEVICE, 0 }, access };
  CUresult result = cu.cuMemAddressReserve (pointer_out, SEGMENT_SIZE, 0, 0, 0);

  if (result == CUDA_SUCCESS)
    result = cu.cuMemMap (*pointer_out, SEGMENT_SIZE, 0, handle, 0);
  if (result == CUDA_SUCCESS)
    result = cu.cuMemSetAccess (*pointer_out, SEGMENT_SIZE, &description, 1);
  return result;
}

CUresult
import_segment (CUmemAccess_flags access, CUdeviceptr *pointer_out)
{
  CUmemGenericAllocationHandle handle;
  CUresult result = cu.cuMemImportFromShareableHandle (&handle,
      (void *) (uintptr_t) SEGMENT_FD,
      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);

  return result == CUDA_SUCCESS ? map_segment (handle, access, pointer_out)
                                : result;
}
