/* SPDX-License-Identifier: MIT */
/* Finds the driver; keeps the table of its functions. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

struct functions cu;
CUstream stream;

static void
load (void)
{
  void *driver = dlopen ("libcuda.so.1", RTLD_NOW);

  if (!driver) {
    fprintf (stderr, "skipped: %s\n", dlerror ());
    exit (77);
  }
#define F(name)                                                 \
  cu.name = (__typeof__ (name) *) dlsym (driver, #name);        \
  if (!cu.name) {                                               \
    fprintf (stderr, "skipped: the driver has no %s\n", #name); \
    exit (77);                                                  \
  }
  FUNCTIONS
#undef F
}

void
must (CUresult result, const char *what)
{
  if (result == CUDA_SUCCESS)
    return;
  fprintf (stderr, "%s: %d\n", what, (int) result);
  exit (result == CUDA_ERROR_NO_DEVICE ? 77 : 1);
}

void
begin (void)
{
  CUcontext context;

  load ();
  must (cu.cuInit (0), "cuInit");
  must (cu.cuDevicePrimaryCtxRetain (&context, 0), "cuDevicePrimaryCtxRetain");
  must (cu.cuCtxSetCurrent (context), "cuCtxSetCurrent");
  must (cu.cuStreamCreate (&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}
