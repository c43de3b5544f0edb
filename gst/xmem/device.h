/* SPDX-License-Identifier: MIT */
/* A live publisher as a GstDevice. */
#ifndef GST_XMEM_DEVICE_H
#define GST_XMEM_DEVICE_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* What goes through a socket is not known before one connects; mostly it is
 * video. */
#define GST_XMEM_DEVICE_CLASS "Video/Source/Network"

#define GST_TYPE_XMEM_DEVICE (gst_xmem_device_get_type ())
G_DECLARE_FINAL_TYPE (
    GstXmemDevice, gst_xmem_device, GST, XMEM_DEVICE, GstDevice)

/* @pid: 0: unknown. Returns a floating reference. */
GstDevice *gst_xmem_device_new (const gchar *path, gint pid);

G_END_DECLS

#endif
