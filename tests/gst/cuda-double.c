/* SPDX-License-Identifier: MIT */
#include "cuda-double.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void
skip (const char *reason)
{
  printf ("skipped: %s\n", reason);
  exit (77);
}

static gboolean
has_element (const gchar *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);

  return factory != NULL;
}

void
cuda_double_need (void)
{
  void *library = dlopen ("libcuda.so.1", RTLD_NOW);

  if (!library || !dlsym (library, "fake_cuda_calls"))
    skip ("the driver's double is not in LD_LIBRARY_PATH");
  if (!has_element ("cudaupload") || !has_element ("cudadownload"))
    skip ("GStreamer has no cudaupload and cudadownload here");
  printf ("# with the test double of the CUDA driver, not on a GPU\n");
}
