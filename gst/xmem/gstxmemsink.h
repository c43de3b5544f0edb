/* SPDX-License-Identifier: MIT */
#ifndef GST_XMEM_SINK_H
#define GST_XMEM_SINK_H

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_XMEM_SINK (gst_xmem_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstXmemSink, gst_xmem_sink, GST, XMEM_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE (xmemsink);

G_END_DECLS

#endif
