/* SPDX-License-Identifier: MIT */
/* CUDA devices of this process, and their contexts. For mem/cuda* only. */
#ifndef XMEM_MEM_CUDA_DEVICE_H
#define XMEM_MEM_CUDA_DEVICE_H

#include <stdint.h>

#include "base/cleanup.h"
#include "mem/cuda-load.h"
#include "mem/cuda.h"

struct xmem_cuda_device {
  int number; /* as the driver counts them in this process */
  CUdevice device;
  uint8_t uuid[XMEM_CUDA_UUID]; /* of a MIG instance, where there are */
  uint8_t gpu[XMEM_CUDA_UUID]; /* where it is plugged in: domain, bus, device,
                                  each 4 bytes, little-endian; 0 */
};

/* Returns 0; XMEM_INVALID; XMEM_UNSUPPORTED; XMEM_DEVICE. */
int xmem_cuda_get_device (
    int number, struct xmem_cuda_device *device_out, struct xmem_error *error);

/* The device with this UUID, in whatever place it is here. Returns 0;
 * XMEM_UNSUPPORTED, saying why it cannot be had; XMEM_DEVICE. */
int xmem_cuda_find_device (const uint8_t uuid[XMEM_CUDA_UUID],
    const uint8_t gpu[XMEM_CUDA_UUID], struct xmem_cuda_device *device_out,
    struct xmem_error *error);

/* The device that a context is of. */
int xmem_cuda_get_context_device (CUcontext context,
    struct xmem_cuda_device *device_out, struct xmem_error *error);

/* The primary context, which is kept from the first call on. */
int xmem_cuda_get_primary (const struct xmem_cuda_device *device,
    CUcontext *context_out, struct xmem_error *error);

/* Makes a context current until xmem_cuda_leave (), for which *entered_out says
 * whether there is anything to do. */
int xmem_cuda_enter (
    CUcontext context, bool *entered_out, struct xmem_error *error);
void xmem_cuda_leave (const bool *entered);

#define xmem_cuda_auto_leave xmem_cleanup (xmem_cuda_leave)

#endif
