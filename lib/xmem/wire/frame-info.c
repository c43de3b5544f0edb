/* SPDX-License-Identifier: MIT */
/* The neutral frame info. */
#include <string.h>

#include <xmem/frame.h>

void
xmem_frame_info_init (struct xmem_frame_info *info)
{
  memset (info, 0, sizeof (*info));
  info->pts = info->dts = XMEM_TIME_NONE;
  info->duration = info->raw_pts = XMEM_NONE;
  info->offset = info->offset_end = XMEM_NONE;
  info->capture_ns = XMEM_NONE;
}
