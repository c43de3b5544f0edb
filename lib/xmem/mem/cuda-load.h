/* SPDX-License-Identifier: MIT */
/* The functions of the CUDA driver that xmem uses: found once, never linked.
 * For mem/cuda* only. */
#ifndef XMEM_MEM_CUDA_LOAD_H
#define XMEM_MEM_CUDA_LOAD_H

#include <stdbool.h>

#include "base/error.h"
#include "mem/cuda-driver.h"

/* By the symbols of the driver's library, which carry their version. */
#define XMEM_CUDA_FUNCTIONS(F)       \
  F (cuInit)                         \
  F (cuGetErrorName)                 \
  F (cuGetErrorString)               \
  F (cuDeviceGet)                    \
  F (cuDeviceGetCount)               \
  F (cuDeviceGetAttribute)           \
  F (cuDeviceGetUuid_v2)             \
  F (cuDeviceCanAccessPeer)          \
  F (cuDevicePrimaryCtxRetain)       \
  F (cuCtxGetDevice)                 \
  F (cuCtxPushCurrent_v2)            \
  F (cuCtxPopCurrent_v2)             \
  F (cuCtxSynchronize)               \
  F (cuCtxEnablePeerAccess)          \
  F (cuMemAlloc_v2)                  \
  F (cuMemFree_v2)                   \
  F (cuMemGetAddressRange_v2)        \
  F (cuMemGetAllocationGranularity)  \
  F (cuMemCreate)                    \
  F (cuMemRelease)                   \
  F (cuMemExportToShareableHandle)   \
  F (cuMemImportFromShareableHandle) \
  F (cuMemAddressReserve)            \
  F (cuMemAddressFree)               \
  F (cuMemMap)                       \
  F (cuMemUnmap)                     \
  F (cuMemSetAccess)                 \
  F (cuIpcGetMemHandle)              \
  F (cuIpcOpenMemHandle_v2)          \
  F (cuIpcCloseMemHandle)            \
  F (cuIpcGetEventHandle)            \
  F (cuIpcOpenEventHandle)           \
  F (cuEventCreate)                  \
  F (cuEventDestroy_v2)              \
  F (cuEventRecord)                  \
  F (cuEventQuery)                   \
  F (cuEventSynchronize)             \
  F (cuStreamWaitEvent)              \
  F (cuStreamSynchronize)            \
  F (cuMemcpyHtoDAsync_v2)           \
  F (cuMemcpyDtoHAsync_v2)           \
  F (cuMemcpyDtoDAsync_v2)

#define XMEM_CUDA_FIELD(name) __typeof__ (&name) name;

struct xmem_cuda_driver {
  XMEM_CUDA_FUNCTIONS (XMEM_CUDA_FIELD)
  XMEM_CUDA_FIELD (cuCtxRecordEvent) /* NULL before CUDA 12.5 */
};

/* The driver, loaded and initialised by the first call. Returns 0;
 * XMEM_UNSUPPORTED with what is missing; it is asked again the next time. */
int xmem_cuda_load (
    const struct xmem_cuda_driver **cuda_out, struct xmem_error *error);

/* Success, or a sentence: what cannot be done, the call, its code. */
int xmem_cuda_result (struct xmem_error *error, CUresult result,
    const char *call, const char *what);

#define xmem_cuda_call(cuda, error, what, function, ...) \
  xmem_cuda_result ((error), (cuda)->function (__VA_ARGS__), #function, (what))

#endif
