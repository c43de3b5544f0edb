/* SPDX-License-Identifier: MIT */
/* The few calls of the CUDA driver that xmem/cuda.h has no use for: a reader's
 * own copies between the CPU and a device. */
#ifndef XMEM_BENCH_DRIVER_H
#define XMEM_BENCH_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_DRIVER_NAME_MAX 128

/* Loads the driver into this process and makes device 0's primary context
 * current in this thread. Returns 0, or -1 with a reason in place of the
 * device's name. */
int bench_driver_open (char name_out[BENCH_DRIVER_NAME_MAX]);

/* Both wait until it is done; 0, or the driver's code. */
int bench_driver_upload (uint64_t to, const void *from, size_t size);
int bench_driver_download (void *to, uint64_t from, size_t size);

#endif
