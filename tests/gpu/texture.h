/* SPDX-License-Identifier: MIT */
/* The part of the driver's interface that textures and kernels take, which
 * xmem has no use for; as in mem/cuda-driver.h. */
#ifndef XMEM_GPU_TEXTURE_H
#define XMEM_GPU_TEXTURE_H

#include "mem/cuda-driver.h"

#ifndef CUDA_VERSION

typedef unsigned long long CUtexObject;

typedef enum {
  CU_RESOURCE_TYPE_LINEAR = 2,
  CU_RESOURCE_TYPE_PITCH2D = 3
} CUresourcetype;

typedef enum { CU_AD_FORMAT_UNSIGNED_INT8 = 1 } CUarray_format;

enum { CU_TR_ADDRESS_MODE_CLAMP = 1, CU_TRSF_READ_AS_INTEGER = 1 };

typedef struct {
  CUresourcetype resType;
  union {
    struct {
      CUdeviceptr devPtr;
      CUarray_format format;
      unsigned numChannels;
      size_t sizeInBytes;
    } linear;
    struct {
      CUdeviceptr devPtr;
      CUarray_format format;
      unsigned numChannels;
      size_t width;
      size_t height;
      size_t pitchInBytes;
    } pitch2D;
    struct {
      int reserved[32];
    } reserved;
  } res;
  unsigned flags;
} CUDA_RESOURCE_DESC;

typedef struct {
  int addressMode[3];
  int filterMode;
  unsigned flags;
  unsigned maxAnisotropy;
  int mipmapFilterMode;
  float mipmapLevelBias;
  float minMipmapLevelClamp;
  float maxMipmapLevelClamp;
  float borderColor[4];
  int reserved[12];
} CUDA_TEXTURE_DESC;

#endif /* CUDA_VERSION */

struct CUDA_RESOURCE_VIEW_DESC_st;

CUresult cuTexObjectCreate (CUtexObject *texture_out,
    const CUDA_RESOURCE_DESC *resource, const CUDA_TEXTURE_DESC *texture,
    const struct CUDA_RESOURCE_VIEW_DESC_st *view);
CUresult cuModuleLoadData (CUmodule *module_out, const void *image);
CUresult cuModuleGetFunction (
    CUfunction *function_out, CUmodule module, const char *name);
CUresult cuLaunchKernel (CUfunction function, unsigned grid_x, unsigned grid_y,
    unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
    unsigned shared_bytes, CUstream stream, void **parameters, void **extra);

#endif
