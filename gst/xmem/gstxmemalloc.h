/* SPDX-License-Identifier: MIT */
#ifndef GST_XMEM_ALLOC_H
#define GST_XMEM_ALLOC_H

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_XMEM_ALLOC (gst_xmem_alloc_get_type ())
G_DECLARE_FINAL_TYPE (
    GstXmemAlloc, gst_xmem_alloc, GST, XMEM_ALLOC, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE (xmemalloc);

G_END_DECLS

#endif
