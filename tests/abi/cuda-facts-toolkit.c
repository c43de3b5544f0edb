/* SPDX-License-Identifier: MIT */
/* Ours comes second, so that the compiler compares the functions. */
#include <cuda.h>

#include "harness/fake-cuda/kernels.h"
#include "mem/cuda-driver.h"

#include "cuda-facts.h"

const struct cuda_fact cuda_facts_toolkit[] = {
#include "cuda-facts.def"
  { NULL, 0 }
};
