/* SPDX-License-Identifier: MIT */
/* Values of the elements' properties about CUDA. */
#ifndef GST_XMEM_GPU_MODES_H
#define GST_XMEM_GPU_MODES_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum {
  GST_XMEM_CUDA_IO_IMPORT,
  GST_XMEM_CUDA_IO_COPY,
} GstXmemCudaIoMode;

GType gst_xmem_cuda_io_mode_get_type (void);

/* Of enum xmem_cuda_mode. */
GType gst_xmem_cuda_ipc_mode_get_type (void);

G_END_DECLS

#endif
