/* SPDX-License-Identifier: MIT */
/* Stands for the toolkit's <cuda.h>, so that programs that include it - the
 * examples - are built and tested where no toolkit is: what they call, under the
 * names of the documentation. */
#ifndef XMEM_FAKE_CUDA_CUDA_H
#define XMEM_FAKE_CUDA_CUDA_H

#include "harness/fake-cuda/kernels.h"

#define cuMemAlloc cuMemAlloc_v2
#define cuMemAllocHost cuMemAllocHost_v2
#define cuMemcpyDtoHAsync cuMemcpyDtoHAsync_v2

/* Not among what xmem uses. */
CUresult cuMemsetD2D8Async (CUdeviceptr to, size_t pitch, unsigned char value,
    size_t width, size_t height, CUstream stream);

#endif
