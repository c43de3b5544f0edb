/* SPDX-License-Identifier: MIT */
/* The CUDA driver: loaded when first asked for, never linked. */
#ifndef XMEM_MEM_CUDA_H
#define XMEM_MEM_CUDA_H

#include "base/error.h"

/* Whether memory of this device can be had. Returns XMEM_UNSUPPORTED, with what
 * is missing; XMEM_INVALID. */
int xmem_cuda_check (int device, struct xmem_error *error);

#endif
