/* SPDX-License-Identifier: MIT */
/* The tests of CUDA memory in elements use the test double of the driver, which
 * they and their children find through LD_LIBRARY_PATH. */
#ifndef XMEM_TEST_CUDA_DOUBLE_H
#define XMEM_TEST_CUDA_DOUBLE_H

#include <gst/gst.h>

/* Says that what follows was obtained with the double; exits 77, saying why,
 * where it or GStreamer's elements for CUDA are not there. After gst_init (). */
void cuda_double_need (void);

#endif
