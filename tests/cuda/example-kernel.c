/* SPDX-License-Identifier: MIT */
/* Prints the text of the example's kernel, as the program gives it to the
 * driver, for the toolkit's assembler. */
#include <stdio.h>

#include "examples/cuda-histogram.h"

int
main (void)
{
  return fputs (histogram_ptx, stdout) < 0;
}
