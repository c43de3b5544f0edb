/* SPDX-License-Identifier: MIT */
/* Finds the driver and its words for failures.
 *
 * The driver is opened for us alone (RTLD_LOCAL), and stays: it cannot be
 * unloaded safely. Threads: any; `lock` guards the loading, what is loaded does
 * not change. */
#include "mem/cuda-load.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define DRIVER "libcuda.so.1"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct xmem_cuda_driver driver;
static atomic_bool loaded; /* release: the driver is found */

#define NAME_AND_PLACE(name) \
  { #name, offsetof (struct xmem_cuda_driver, name) },

static const struct {
  const char *name;
  size_t place;
} functions[] = { XMEM_CUDA_FUNCTIONS (NAME_AND_PLACE) };

static int
status_of (CUresult result)
{
  switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
      return XMEM_NO_SPACE;
    case CUDA_ERROR_NOT_SUPPORTED:
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_PEER_ACCESS_UNSUPPORTED:
      return XMEM_UNSUPPORTED;
    default:
      return XMEM_DEVICE;
  }
}

int
xmem_cuda_result (struct xmem_error *error, CUresult result, const char *call,
    const char *what)
{
  const char *name = NULL;
  const char *words = NULL;
  int length = (int) strcspn (call, "_"); /* without its version */

  if (result == CUDA_SUCCESS)
    return 0;
  if (driver.cuGetErrorName (result, &name) != CUDA_SUCCESS || !name)
    name = "an unknown code";
  if (driver.cuGetErrorString (result, &words) != CUDA_SUCCESS || !words)
    words = "it does not say what that is";
  return xmem_error_set (error, status_of (result), 0,
      "%s: %.*s () failed with %s (%d), %s", what, length, call, name,
      (int) result, words);
}

static int
find_functions (void *library, struct xmem_error *error)
{
  for (size_t i = 0; i < sizeof (functions) / sizeof (functions[0]); i++) {
    void *function = dlsym (library, functions[i].name);

    if (!function)
      return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
          "the CUDA driver (%s) has no %s: it is too old", DRIVER,
          functions[i].name);
    memcpy (
        (char *) &driver + functions[i].place, &function, sizeof (function));
  }
  driver.cuCtxRecordEvent = (__typeof__ (driver.cuCtxRecordEvent)) dlsym (
      library, "cuCtxRecordEvent");
  return 0;
}

static int
load (struct xmem_error *error)
{
  void *library = dlopen (DRIVER, RTLD_NOW | RTLD_LOCAL);
  CUresult result;
  int r;

  if (!library)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "no CUDA driver on this machine (%s cannot be loaded)", DRIVER);
  r = find_functions (library, error);
  if (r != 0) {
    dlclose (library);
    return r;
  }
  result = driver.cuInit (0);
  loaded = result == CUDA_SUCCESS;
  if (!loaded) {
    xmem_cuda_result (error, result, "cuInit", "the CUDA driver is of no use");
    if (error)
      error->status = XMEM_UNSUPPORTED;
  }
  return loaded ? 0 : XMEM_UNSUPPORTED;
}

int
xmem_cuda_load (
    const struct xmem_cuda_driver **cuda_out, struct xmem_error *error)
{
  *cuda_out = &driver;
  if (atomic_load_explicit (&loaded, memory_order_acquire))
    return 0;
  xmem_scoped_lock (&lock);
  return loaded ? 0 : load (error);
}
