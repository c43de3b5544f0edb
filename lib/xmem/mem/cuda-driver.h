/* SPDX-License-Identifier: MIT */
/* The part of the CUDA driver's binary interface that xmem uses: types, values
 * and functions, so that it builds where no CUDA toolkit is. Symbols have the
 * names that libcuda.so.1 exports: `cuMemAlloc_v2` is what the documentation
 * calls cuMemAlloc.
 *
 * Nothing links with the driver: a pointer to cuInit is a
 * `__typeof__ (cuInit) *`, filled by dlsym () or cuGetProcAddress_v2 ().
 *
 * After the toolkit's <cuda.h> only the declarations of functions are left,
 * which the compiler then checks against the toolkit's; a test compares the
 * rest. */
#ifndef XMEM_MEM_CUDA_DRIVER_H
#define XMEM_MEM_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifndef CUDA_VERSION

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef unsigned long long CUmemGenericAllocationHandle;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUarray_st *CUarray;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef void (*CUhostFn) (void *data);

/* The streams that need not be created. */
#define CU_STREAM_LEGACY ((CUstream) 0x1)
#define CU_STREAM_PER_THREAD ((CUstream) 0x2)

typedef enum {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_DEINITIALIZED = 4,
  CUDA_ERROR_STUB_LIBRARY = 34,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_MAP_FAILED = 205,
  CUDA_ERROR_UNMAP_FAILED = 206,
  CUDA_ERROR_ALREADY_MAPPED = 208,
  CUDA_ERROR_NOT_MAPPED = 211,
  CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = 217,
  CUDA_ERROR_OPERATING_SYSTEM = 304,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704,
  CUDA_ERROR_PEER_ACCESS_NOT_ENABLED = 705,
  CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_NOT_PERMITTED = 800,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_UNKNOWN = 999
} CUresult;

typedef enum {
  CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT = 14,
  CU_DEVICE_ATTRIBUTE_INTEGRATED = 18,
  CU_DEVICE_ATTRIBUTE_COMPUTE_MODE = 20,
  CU_DEVICE_ATTRIBUTE_PCI_BUS_ID = 33,
  CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID = 34,
  CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41,
  CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID = 50,
  CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT = 51,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED = 102,
  CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED = 103,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED = 115,
  CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED = 125
} CUdevice_attribute;

typedef enum {
  CU_POINTER_ATTRIBUTE_CONTEXT = 1,
  CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
  CU_POINTER_ATTRIBUTE_DEVICE_POINTER = 3,
  CU_POINTER_ATTRIBUTE_BUFFER_ID = 7,
  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9,
  CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE = 10,
  CU_POINTER_ATTRIBUTE_RANGE_START_ADDR = 11,
  CU_POINTER_ATTRIBUTE_RANGE_SIZE = 12,
  CU_POINTER_ATTRIBUTE_MAPPED = 13,
  CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES = 14,
  CU_POINTER_ATTRIBUTE_ACCESS_FLAGS = 16
} CUpointer_attribute;

typedef enum {
  CU_MEMORYTYPE_HOST = 1,
  CU_MEMORYTYPE_DEVICE = 2,
  CU_MEMORYTYPE_ARRAY = 3,
  CU_MEMORYTYPE_UNIFIED = 4
} CUmemorytype;

typedef enum { CU_MEM_ALLOCATION_TYPE_PINNED = 1 } CUmemAllocationType;

typedef enum {
  CU_MEM_HANDLE_TYPE_NONE = 0,
  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR = 1
} CUmemAllocationHandleType;

typedef enum { CU_MEM_LOCATION_TYPE_DEVICE = 1 } CUmemLocationType;

typedef enum {
  CU_MEM_ACCESS_FLAGS_PROT_NONE = 0,
  CU_MEM_ACCESS_FLAGS_PROT_READ = 1,
  CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3
} CUmemAccess_flags;

typedef enum {
  CU_MEM_ALLOC_GRANULARITY_MINIMUM = 0,
  CU_MEM_ALLOC_GRANULARITY_RECOMMENDED = 1
} CUmemAllocationGranularity_flags;

typedef enum {
  CU_GET_PROC_ADDRESS_SUCCESS = 0,
  CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND = 1,
  CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT = 2
} CUdriverProcAddressQueryResult;

/* Flags that are passed as integers. */
enum {
  CU_CTX_SCHED_AUTO = 0x00,
  CU_CTX_SCHED_BLOCKING_SYNC = 0x04,

  CU_STREAM_DEFAULT = 0x0,
  CU_STREAM_NON_BLOCKING = 0x1,

  CU_EVENT_DEFAULT = 0x0,
  CU_EVENT_BLOCKING_SYNC = 0x1,
  CU_EVENT_DISABLE_TIMING = 0x2,
  CU_EVENT_INTERPROCESS = 0x4,

  CU_EVENT_WAIT_DEFAULT = 0x0,

  CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS = 0x1,

  CU_GET_PROC_ADDRESS_DEFAULT = 0
};

typedef struct {
  char bytes[16];
} CUuuid;

#define CU_IPC_HANDLE_SIZE 64

typedef struct {
  char reserved[CU_IPC_HANDLE_SIZE];
} CUipcMemHandle;

typedef struct {
  char reserved[CU_IPC_HANDLE_SIZE];
} CUipcEventHandle;

typedef struct {
  CUmemLocationType type;
  int id; /* of the device, as this process numbers them */
} CUmemLocation;

typedef struct {
  CUmemAllocationType type;
  CUmemAllocationHandleType requestedHandleTypes;
  CUmemLocation location;
  void *win32HandleMetaData;
  struct {
    unsigned char compressionType;
    unsigned char gpuDirectRDMACapable;
    unsigned short usage;
    unsigned char reserved[4];
  } allocFlags;
} CUmemAllocationProp;

typedef struct {
  CUmemLocation location;
  CUmemAccess_flags flags;
} CUmemAccessDesc;

typedef struct {
  size_t srcXInBytes;
  size_t srcY;
  CUmemorytype srcMemoryType;
  const void *srcHost;
  CUdeviceptr srcDevice;
  CUarray srcArray;
  size_t srcPitch;
  size_t dstXInBytes;
  size_t dstY;
  CUmemorytype dstMemoryType;
  void *dstHost;
  CUdeviceptr dstDevice;
  CUarray dstArray;
  size_t dstPitch;
  size_t WidthInBytes;
  size_t Height;
} CUDA_MEMCPY2D;

#endif /* CUDA_VERSION */

/* --- the driver, devices ------------------------------------------------- */

CUresult cuInit (unsigned flags);
CUresult cuDriverGetVersion (int *version_out);
CUresult cuGetErrorName (CUresult error, const char **name_out);
CUresult cuGetErrorString (CUresult error, const char **sentence_out);
/* From 12.0 on. `version` is the interface's, as 12000; a function that came
 * later is not found. */
CUresult cuGetProcAddress_v2 (const char *symbol, void **function_out,
    int version, uint64_t flags, CUdriverProcAddressQueryResult *found_out);

CUresult cuDeviceGet (CUdevice *device_out, int ordinal);
CUresult cuDeviceGetCount (int *count_out);
CUresult cuDeviceGetName (char *name_out, int size, CUdevice device);
CUresult cuDeviceGetAttribute (
    int *value_out, CUdevice_attribute attribute, CUdevice device);
/* From 11.4 on; on a MIG instance the instance's. */
CUresult cuDeviceGetUuid_v2 (CUuuid *uuid_out, CUdevice device);
CUresult cuDeviceCanAccessPeer (int *can_out, CUdevice device, CUdevice peer);

/* --- contexts ------------------------------------------------------------ */

CUresult cuDevicePrimaryCtxRetain (CUcontext *context_out, CUdevice device);
CUresult cuDevicePrimaryCtxRelease_v2 (CUdevice device);
CUresult cuCtxCreate_v2 (
    CUcontext *context_out, unsigned flags, CUdevice device);
CUresult cuCtxDestroy_v2 (CUcontext context);
CUresult cuCtxPushCurrent_v2 (CUcontext context);
CUresult cuCtxPopCurrent_v2 (CUcontext *context_out);
CUresult cuCtxSetCurrent (CUcontext context);
CUresult cuCtxGetCurrent (CUcontext *context_out);
CUresult cuCtxGetDevice (CUdevice *device_out);
CUresult cuCtxSynchronize (void);
/* From 12.5 on: all work given to the context until now. */
CUresult cuCtxRecordEvent (CUcontext context, CUevent event);
CUresult cuCtxEnablePeerAccess (CUcontext peer, unsigned flags);

/* --- streams, events ----------------------------------------------------- */

CUresult cuStreamCreate (CUstream *stream_out, unsigned flags);
CUresult cuStreamDestroy_v2 (CUstream stream);
CUresult cuStreamSynchronize (CUstream stream);
CUresult cuStreamQuery (CUstream stream);
CUresult cuStreamGetCtx (CUstream stream, CUcontext *context_out);
CUresult cuStreamWaitEvent (CUstream stream, CUevent event, unsigned flags);
CUresult cuLaunchHostFunc (CUstream stream, CUhostFn function, void *data);

CUresult cuEventCreate (CUevent *event_out, unsigned flags);
CUresult cuEventDestroy_v2 (CUevent event);
CUresult cuEventRecord (CUevent event, CUstream stream);
CUresult cuEventQuery (CUevent event);
CUresult cuEventSynchronize (CUevent event);

/* --- handles for other processes ----------------------------------------- */

CUresult cuIpcGetEventHandle (CUipcEventHandle *handle_out, CUevent event);
CUresult cuIpcOpenEventHandle (CUevent *event_out, CUipcEventHandle handle);
CUresult cuIpcGetMemHandle (CUipcMemHandle *handle_out, CUdeviceptr pointer);
CUresult cuIpcOpenMemHandle_v2 (
    CUdeviceptr *pointer_out, CUipcMemHandle handle, unsigned flags);
CUresult cuIpcCloseMemHandle (CUdeviceptr pointer);

/* --- memory -------------------------------------------------------------- */

CUresult cuMemGetInfo_v2 (size_t *free_out, size_t *total_out);
CUresult cuMemAlloc_v2 (CUdeviceptr *pointer_out, size_t size);
CUresult cuMemAllocPitch_v2 (CUdeviceptr *pointer_out, size_t *pitch_out,
    size_t width_bytes, size_t height, unsigned element_size);
CUresult cuMemFree_v2 (CUdeviceptr pointer);
CUresult cuMemAllocHost_v2 (void **pointer_out, size_t size);
CUresult cuMemFreeHost (void *pointer);
CUresult cuMemGetAddressRange_v2 (
    CUdeviceptr *base_out, size_t *size_out, CUdeviceptr pointer);
CUresult cuPointerGetAttribute (
    void *value_out, CUpointer_attribute attribute, CUdeviceptr pointer);

CUresult cuMemGetAllocationGranularity (size_t *granularity_out,
    const CUmemAllocationProp *properties,
    CUmemAllocationGranularity_flags which);
CUresult cuMemCreate (CUmemGenericAllocationHandle *handle_out, size_t size,
    const CUmemAllocationProp *properties, unsigned long long flags);
CUresult cuMemRelease (CUmemGenericAllocationHandle handle);
CUresult cuMemExportToShareableHandle (void *shareable_out,
    CUmemGenericAllocationHandle handle, CUmemAllocationHandleType type,
    unsigned long long flags);
/* A file descriptor is passed as (void *) (uintptr_t) fd, and stays the
 * caller's. */
CUresult cuMemImportFromShareableHandle (
    CUmemGenericAllocationHandle *handle_out, void *shareable,
    CUmemAllocationHandleType type);
CUresult cuMemAddressReserve (CUdeviceptr *pointer_out, size_t size,
    size_t alignment, CUdeviceptr wanted, unsigned long long flags);
CUresult cuMemAddressFree (CUdeviceptr pointer, size_t size);
CUresult cuMemMap (CUdeviceptr pointer, size_t size, size_t offset,
    CUmemGenericAllocationHandle handle, unsigned long long flags);
CUresult cuMemUnmap (CUdeviceptr pointer, size_t size);
CUresult cuMemSetAccess (CUdeviceptr pointer, size_t size,
    const CUmemAccessDesc *access, size_t n_access);

/* --- copies -------------------------------------------------------------- */

CUresult cuMemcpyHtoD_v2 (CUdeviceptr to, const void *from, size_t size);
CUresult cuMemcpyDtoH_v2 (void *to, CUdeviceptr from, size_t size);
CUresult cuMemcpyDtoD_v2 (CUdeviceptr to, CUdeviceptr from, size_t size);
CUresult cuMemcpyHtoDAsync_v2 (
    CUdeviceptr to, const void *from, size_t size, CUstream stream);
CUresult cuMemcpyDtoHAsync_v2 (
    void *to, CUdeviceptr from, size_t size, CUstream stream);
CUresult cuMemcpyDtoDAsync_v2 (
    CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream);
CUresult cuMemcpyPeer (CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
    CUcontext from_context, size_t size);
CUresult cuMemcpyPeerAsync (CUdeviceptr to, CUcontext to_context,
    CUdeviceptr from, CUcontext from_context, size_t size, CUstream stream);
CUresult cuMemcpy2D_v2 (const CUDA_MEMCPY2D *copy);
CUresult cuMemcpy2DAsync_v2 (const CUDA_MEMCPY2D *copy, CUstream stream);
CUresult cuMemsetD8_v2 (CUdeviceptr to, unsigned char value, size_t size);
CUresult cuMemsetD8Async (
    CUdeviceptr to, unsigned char value, size_t size, CUstream stream);

#endif
