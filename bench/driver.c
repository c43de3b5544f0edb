/* SPDX-License-Identifier: MIT */
/* Keeps the functions it has found. Types are those of the driver's interface,
 * spelt out: benchmarks see no headers of CUDA. */
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static struct {
  int (*init) (unsigned flags);
  int (*get_name) (char *name_out, int size, int device);
  int (*retain_context) (void **context_out, int device);
  int (*set_context) (void *context);
  int (*upload) (unsigned long long to, const void *from, size_t size);
  int (*download) (void *to, unsigned long long from, size_t size);
} driver;

static const struct {
  const char *symbol;
  void *place;
} functions[] = {
  { "cuInit", &driver.init },
  { "cuDeviceGetName", &driver.get_name },
  { "cuDevicePrimaryCtxRetain", &driver.retain_context },
  { "cuCtxSetCurrent", &driver.set_context },
  { "cuMemcpyHtoD_v2", &driver.upload },
  { "cuMemcpyDtoH_v2", &driver.download },
};

static const char *
load (void)
{
  void *library = dlopen ("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

  if (!library)
    return "the CUDA driver (libcuda.so.1)";
  for (size_t i = 0; i < sizeof (functions) / sizeof (functions[0]); i++) {
    void *function = dlsym (library, functions[i].symbol);

    if (!function)
      return functions[i].symbol;
    memcpy (functions[i].place, &function, sizeof (function));
  }
  return NULL;
}

int
bench_driver_open (char name_out[BENCH_DRIVER_NAME_MAX])
{
  const char *missing = load ();
  void *context;
  int code = 0;

  if (missing) {
    snprintf (name_out, BENCH_DRIVER_NAME_MAX, "%s is not there", missing);
    return -1;
  }
  if ((code = driver.init (0)) != 0
      || (code = driver.get_name (name_out, BENCH_DRIVER_NAME_MAX, 0)) != 0
      || (code = driver.retain_context (&context, 0)) != 0
      || (code = driver.set_context (context)) != 0) {
    snprintf (name_out, BENCH_DRIVER_NAME_MAX, "no CUDA device: %d", code);
    return -1;
  }
  return 0;
}

int
bench_driver_upload (uint64_t to, const void *from, size_t size)
{
  return driver.upload (to, from, size);
}

int
bench_driver_download (void *to, uint64_t from, size_t size)
{
  return driver.download (to, from, size);
}
