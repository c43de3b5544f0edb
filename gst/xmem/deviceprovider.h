/* SPDX-License-Identifier: MIT */
#ifndef GST_XMEM_DEVICE_PROVIDER_H
#define GST_XMEM_DEVICE_PROVIDER_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_XMEM_DEVICE_PROVIDER (gst_xmem_device_provider_get_type ())
G_DECLARE_FINAL_TYPE (GstXmemDeviceProvider, gst_xmem_device_provider, GST,
    XMEM_DEVICE_PROVIDER, GstDeviceProvider)

GST_DEVICE_PROVIDER_REGISTER_DECLARE (xmemdeviceprovider);

G_END_DECLS

#endif
