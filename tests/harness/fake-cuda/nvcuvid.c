/* SPDX-License-Identifier: MIT */
/* Stands for libnvcuvid.so.1: GStreamer's nvcodec plugin registers its elements
 * only where it finds a decoder's library or an encoder's. This one decodes
 * nothing. */
#include "mem/cuda-driver.h"

#define DECLARE(symbol) \
  __attribute__ ((visibility ("default"))) CUresult symbol (void);
#define DEFINE(symbol)               \
  CUresult symbol (void)             \
  {                                  \
    return CUDA_ERROR_NOT_SUPPORTED; \
  }

#define FOR_ALL(DO)            \
  DO (cuvidCtxLockCreate)      \
  DO (cuvidCtxLockDestroy)     \
  DO (cuvidCtxLock)            \
  DO (cuvidCtxUnlock)          \
  DO (cuvidCreateDecoder)      \
  DO (cuvidDestroyDecoder)     \
  DO (cuvidDecodePicture)      \
  DO (cuvidCreateVideoParser)  \
  DO (cuvidParseVideoData)     \
  DO (cuvidDestroyVideoParser) \
  DO (cuvidMapVideoFrame64)    \
  DO (cuvidUnmapVideoFrame64)  \
  DO (cuvidGetDecoderCaps)

FOR_ALL (DECLARE)
FOR_ALL (DEFINE)
