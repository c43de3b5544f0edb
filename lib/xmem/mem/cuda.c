/* SPDX-License-Identifier: MIT */
/* Finds out what a machine lacks for CUDA. The functions' types are those of the
 * CUDA driver API (docs.nvidia.com/cuda/cuda-driver-api), whose results are 0
 * for success. */
#include "mem/cuda.h"

#include <dlfcn.h>

#define DRIVER "libcuda.so.1"

typedef int (*init_function) (unsigned flags);
typedef int (*get_count_function) (int *n_out);

int
xmem_cuda_check (int device, struct xmem_error *error)
{
  void *driver = dlopen (DRIVER, RTLD_NOW | RTLD_LOCAL);
  init_function init;
  get_count_function get_count;
  int n_devices = 0;
  int r;

  if (device < 0)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "there is no CUDA device %d", device);
  if (!driver)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "no CUDA driver on this machine (%s cannot be loaded)", DRIVER);
  /* The driver stays loaded: it cannot be unloaded safely. */
  init = (init_function) dlsym (driver, "cuInit");
  get_count = (get_count_function) dlsym (driver, "cuDeviceGetCount");
  if (!init || !get_count)
    return xmem_error_set (
        error, XMEM_UNSUPPORTED, 0, "%s is no CUDA driver", DRIVER);
  r = init (0);
  if (r == 0)
    r = get_count (&n_devices);
  if (r != 0)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "the CUDA driver cannot be used: its error %d", r);
  if (device >= n_devices)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "there is no CUDA device %d: the driver has %d", device, n_devices);
  return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
      "this version of xmem has no CUDA memory yet");
}
