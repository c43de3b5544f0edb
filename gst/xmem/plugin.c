/* SPDX-License-Identifier: MIT */
/* The plugin "xmem": xmemsink, xmemsrc, xmemalloc and the device
 * provider. */
#include <gst/tag/tag.h>

#include "deviceprovider.h"
#include "ending.h"
#include "gstxmemalloc.h"
#include "gstxmemsink.h"
#include "gstxmemsrc.h"
#include "history.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  /* A type in tags with pictures, by whose name it is found. */
  g_type_ensure (GST_TYPE_TAG_IMAGE_TYPE);
  gst_xmem_ending_init ();
  gst_xmem_history_init ();
  return GST_ELEMENT_REGISTER (xmemsink, plugin)
         && GST_ELEMENT_REGISTER (xmemsrc, plugin)
         && GST_ELEMENT_REGISTER (xmemalloc, plugin)
         && GST_DEVICE_PROVIDER_REGISTER (xmemdeviceprovider, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, xmem,
    "Video frames between processes without copies", plugin_init,
    PACKAGE_VERSION, "MIT/X11", "xmem", "xmem")
