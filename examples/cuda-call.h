/* SPDX-License-Identifier: MIT */
/* Calls of the CUDA driver that say so when they fail. */
#ifndef CUDA_CALL_H
#define CUDA_CALL_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cuda.h>

/* WORKED (cuInit (0)): whether it did. */
#define WORKED(call) worked (call, #call)

static inline bool
worked (CUresult result, const char *call)
{
  const char *name;

  if (result == CUDA_SUCCESS)
    return true;
  if (cuGetErrorName (result, &name) != CUDA_SUCCESS)
    name = "an unknown error";
  fprintf (stderr, "%.*s () failed with %s (%d)\n", (int) strcspn (call, " ("),
      call, name, (int) result);
  return false;
}

#endif
