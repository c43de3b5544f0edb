/* SPDX-License-Identifier: MIT */
/* The tests of CUDA memory in elements use the driver, or its test double where
 * LD_LIBRARY_PATH leads them and their children there. */
#ifndef XMEM_TEST_CUDA_DOUBLE_H
#define XMEM_TEST_CUDA_DOUBLE_H

#include <gst/gst.h>

/* Says whether what follows was obtained with the double; exits 77, saying why,
 * where there is no driver or GStreamer has no elements for CUDA. Returns
 * whether it is the double: what only that can play is to be left out otherwise.
 * After gst_init (). */
gboolean cuda_double_need (void);

/* Stands for such a case among GLib's, and is skipped with the reason. */
void cuda_double_skip (void);

#endif
