/* SPDX-License-Identifier: MIT */
#ifndef GST_XMEM_SRC_H
#define GST_XMEM_SRC_H

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_XMEM_SRC (gst_xmem_src_get_type ())
G_DECLARE_FINAL_TYPE (GstXmemSrc, gst_xmem_src, GST, XMEM_SRC, GstPushSrc)

GST_ELEMENT_REGISTER_DECLARE (xmemsrc);

G_END_DECLS

#endif
