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

gboolean
cuda_double_need (void)
{
  void *library = dlopen ("libcuda.so.1", RTLD_NOW);
  gboolean is_double;

  if (!library)
    skip ("there is no CUDA driver, nor its double in LD_LIBRARY_PATH");
  if (!has_element ("cudaupload") || !has_element ("cudadownload"))
    skip ("GStreamer has no cudaupload and cudadownload here");
  is_double = dlsym (library, "fake_cuda_calls") != NULL;
  printf (is_double
              ? "# with the test double of the CUDA driver, not on a GPU\n"
              : "# with a CUDA driver that is not our double\n");
  return is_double;
}

void
cuda_double_skip (void)
{
  g_test_skip ("only the double of the CUDA driver can play this");
}
