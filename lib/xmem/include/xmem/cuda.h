/* SPDX-License-Identifier: MIT */
/**
 * xmem/cuda.h: frame buffers in the memory of a CUDA device.
 *
 * The library needs no CUDA at build time; it loads the driver when this is
 * first used.
 */
#ifndef XMEM_CUDA_H
#define XMEM_CUDA_H

#include <xmem/pool.h>

XMEM_BEGIN_DECLS

/**
 * As xmem_pool_acquire (), in the memory of a device. This version has no such
 * memory yet: once the arguments and the machine are found to be in order, the
 * answer is XMEM_UNSUPPORTED.
 *
 * @device: the driver's number of the device, from 0 on.
 * Returns: XMEM_UNSUPPORTED, with what is missing in words (the driver, the
 *   device, xmem's own support); XMEM_INVALID; XMEM_REFUSED; XMEM_FORKED.
 */
XMEM_API int xmem_pool_acquire_cuda (struct xmem_pool *pool,
    uint64_t size_bytes, int device, unsigned flags, int64_t timeout_ns,
    struct xmem_buffer **buffer_out, struct xmem_error *error);

XMEM_END_DECLS
#endif
