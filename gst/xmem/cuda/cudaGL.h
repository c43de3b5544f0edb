/* SPDX-License-Identifier: MIT */
/* As cuda.h beside it. */
#ifndef GST_XMEM_CUDA_GL_H
#define GST_XMEM_CUDA_GL_H

typedef int CUGLDeviceList;

#endif
