/* SPDX-License-Identifier: MIT */
/* The part of the driver's interface that loads and launches kernels, which
 * xmem itself does not use. */
#ifndef XMEM_FAKE_CUDA_KERNELS_H
#define XMEM_FAKE_CUDA_KERNELS_H

#include "mem/cuda-driver.h"

CUresult cuModuleLoadData (CUmodule *module_out, const void *image);
CUresult cuModuleUnload (CUmodule module);
CUresult cuModuleGetFunction (
    CUfunction *function_out, CUmodule module, const char *name);
CUresult cuLaunchKernel (CUfunction function, unsigned grid_x, unsigned grid_y,
    unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
    unsigned shared_bytes, CUstream stream, void **parameters, void **extra);

#endif
