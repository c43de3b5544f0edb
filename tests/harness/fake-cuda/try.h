/* SPDX-License-Identifier: MIT */
/* What the tests of the driver's double share. */
#ifndef XMEM_FAKE_CUDA_TRY_H
#define XMEM_FAKE_CUDA_TRY_H

#include "fake-cuda.h"
#include "harness/harness.h"
#include "mem/cuda-driver.h"

#define TRY_SIZE ((size_t) 2 << 20) /* the double's granularity */

#define try_expect(call, code) g_assert_cmpint ((int) (call), ==, (int) (code))
#define try_ok(call) try_expect (call, CUDA_SUCCESS)

/* Initialises the driver and makes device 0's primary context current. */
void try_begin (void);
/* Gives it back; nothing may be left. */
void try_end (void);

CUstream try_new_stream (void);
/* All bytes of it. */
void try_fill (CUdeviceptr pointer, unsigned char value, CUstream stream);
/* The first byte, after `stream` has come to reading it. */
unsigned char try_read (CUdeviceptr pointer, CUstream stream);

/* Memory with a handle, mapped. */
struct try_mapping {
  CUmemGenericAllocationHandle handle;
  CUdeviceptr pointer;
};

struct try_mapping try_create (void);
/* From a descriptor of another process, which it takes. */
struct try_mapping try_import (int fd, CUmemAccess_flags access);
void try_unmap (struct try_mapping *mapping);

#endif
