/* SPDX-License-Identifier: MIT */
/* What the parts of `measure` share: the driver, the answers, the other process.
 * It knows nothing of xmem, and needs only the driver. */
#ifndef XMEM_GPU_MEASURE_H
#define XMEM_GPU_MEASURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "mem/cuda-driver.h"
#include "texture.h"

#define SEGMENT_SIZE ((size_t) 32 << 20)
#define LINE_FD 3 /* of the other process */
#define SEGMENT_FD (LINE_FD + 1)
#define PATIENCE_MS 5000 /* with what may never come */

/* --- the driver ---------------------------------------------------------- */

#define FUNCTIONS                    \
  F (cuInit)                         \
  F (cuDriverGetVersion)             \
  F (cuDeviceGetName)                \
  F (cuDeviceGetAttribute)           \
  F (cuDevicePrimaryCtxRetain)       \
  F (cuCtxSetCurrent)                \
  F (cuStreamCreate)                 \
  F (cuStreamQuery)                  \
  F (cuStreamSynchronize)            \
  F (cuStreamWaitEvent)              \
  F (cuLaunchHostFunc)               \
  F (cuEventCreate)                  \
  F (cuEventRecord)                  \
  F (cuIpcGetEventHandle)            \
  F (cuIpcOpenEventHandle)           \
  F (cuIpcGetMemHandle)              \
  F (cuIpcOpenMemHandle_v2)          \
  F (cuMemAlloc_v2)                  \
  F (cuMemFree_v2)                   \
  F (cuMemGetAllocationGranularity)  \
  F (cuMemCreate)                    \
  F (cuMemExportToShareableHandle)   \
  F (cuMemImportFromShareableHandle) \
  F (cuMemAddressReserve)            \
  F (cuMemMap)                       \
  F (cuMemSetAccess)                 \
  F (cuMemcpyDtoDAsync_v2)           \
  F (cuMemsetD8Async)                \
  F (cuMemcpyHtoD_v2)                \
  F (cuMemcpyDtoH_v2)                \
  F (cuCtxCreate_v2)                 \
  F (cuModuleLoadData)               \
  F (cuModuleGetFunction)            \
  F (cuLaunchKernel)                 \
  F (cuTexObjectCreate)

struct functions {
#define F(name) __typeof__ (name) *name;
  FUNCTIONS
#undef F
};

extern struct functions cu;
extern CUstream stream; /* of this process, in the primary context */

/* Loads the driver and takes its first device; exits 77 where that cannot be. */
void begin (void);

/* For what must work before anything can be asked. */
void must (CUresult result, const char *what);

/* --- the answers --------------------------------------------------------- */

void say_key (const char *key); /* its value is then to be printed */
void say_number (const char *key, long long value);
void say_text (const char *key, const char *text);
void say_times (const char *key, long long *times, int n); /* sorts them */
void end_answers (void);
long long now_ns (void);

/* --- memory with a descriptor; each returns the driver's code ------------- */

CUresult make_segment (CUmemGenericAllocationHandle *handle_out);
CUresult export_segment (CUmemGenericAllocationHandle handle, int *fd_out);
CUresult map_segment (CUmemGenericAllocationHandle handle,
    CUmemAccess_flags access, CUdeviceptr *pointer_out);
CUresult import_segment (CUmemAccess_flags access, CUdeviceptr *pointer_out);

/* --- the other process: this program run again with its role ------------- */

struct peer {
  pid_t pid;
  int socket;
};

/* It finds its end of the line at LINE_FD, and `fd`, if there is one, at
 * SEGMENT_FD. */
struct peer start_peer (const char *role, int fd);
void end_peer (struct peer *peer);

/* Whether it said this much before it ended. */
bool hear (int socket, void *data, size_t size);
void tell (int socket, const void *data, size_t size);

/* --- imported memory: measure-imports.c ---------------------------------- */

void ask_about_textures (void);
void ask_about_contexts (void);
void be_texturer (CUmemAccess_flags access); /* none: of memory of its own */
void be_in_second_context (void);

/* --- memory that loses its owner: measure-legacy.c ----------------------- */

void ask_about_owners (void);
void be_owner (void);
void be_holder (void);

#endif
