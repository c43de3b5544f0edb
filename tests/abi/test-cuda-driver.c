/* SPDX-License-Identifier: MIT */
/* What mem/cuda-driver.h says of the driver, against the toolkit's cuda.h. */
#include <stdio.h>

#include "mem/cuda-driver.h"

#include "cuda-facts.h"

const struct cuda_fact cuda_facts_ours[] = {
#include "cuda-facts.def"
  { NULL, 0 }
};

#ifdef HAVE_TOOLKIT
int
main (void)
{
  const struct cuda_fact *theirs = cuda_facts_toolkit;
  int n_wrong = 0;

  for (const struct cuda_fact *ours = cuda_facts_ours; ours->name;
       ours++, theirs++) {
    if (ours->value == theirs->value)
      continue;
    printf ("%s is %llu, not %llu\n", ours->name, theirs->value, ours->value);
    n_wrong++;
  }
  return n_wrong > 0;
}
#else
int
main (void)
{
  printf ("skipped: there is no CUDA toolkit's cuda.h\n");
  return 77;
}
#endif
