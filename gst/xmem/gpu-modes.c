/* SPDX-License-Identifier: MIT */
/* Keeps no state. */
#include "gpu-modes.h"

#include <xmem/cuda.h>

GType
gst_xmem_cuda_io_mode_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_XMEM_CUDA_IO_IMPORT, "The producer's memory itself", "import" },
    { GST_XMEM_CUDA_IO_COPY,
        "A copy on the device, for elements that take no imported memory "
        "(textures, encoders)",
        "copy" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstXmemCudaIoMode", values));
  return type;
}

GType
gst_xmem_cuda_ipc_mode_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { XMEM_CUDA_MODE_AUTO, "VMM where the device can do it, else legacy",
        "auto" },
    { XMEM_CUDA_MODE_VMM, "File descriptors (virtual memory management)",
        "vmm" },
    { XMEM_CUDA_MODE_LEGACY, "Handles of cuIpcGetMemHandle ()", "legacy" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstXmemCudaIpcMode", values));
  return type;
}
