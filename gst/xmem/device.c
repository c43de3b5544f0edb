/* SPDX-License-Identifier: MIT */
/* Never changes. Threads: any. */
#include "device.h"

#include "gstxmemsrc.h"

struct _GstXmemDevice {
  GstDevice parent;
  gchar *path;
};

G_DEFINE_TYPE (GstXmemDevice, gst_xmem_device, GST_TYPE_DEVICE)

static GstElement *
gst_xmem_device_create_element (GstDevice *device, const gchar *name)
{
  GstElement *element = gst_element_factory_make ("xmemsrc", name);

  if (element)
    g_object_set (element, "socket-path", GST_XMEM_DEVICE (device)->path, NULL);
  return element;
}

/* An element that runs keeps its socket. */
static gboolean
gst_xmem_device_reconfigure_element (GstDevice *device, GstElement *element)
{
  GstState state;

  if (!GST_IS_XMEM_SRC (element))
    return FALSE;
  gst_element_get_state (element, &state, NULL, 0);
  if (state > GST_STATE_READY)
    return FALSE;
  g_object_set (element, "socket-path", GST_XMEM_DEVICE (device)->path, NULL);
  return TRUE;
}

static void
gst_xmem_device_finalize (GObject *object)
{
  g_free (GST_XMEM_DEVICE (object)->path);
  G_OBJECT_CLASS (gst_xmem_device_parent_class)->finalize (object);
}

static void
gst_xmem_device_class_init (GstXmemDeviceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_xmem_device_finalize;
  GST_DEVICE_CLASS (klass)->create_element = gst_xmem_device_create_element;
  GST_DEVICE_CLASS (klass)->reconfigure_element =
      gst_xmem_device_reconfigure_element;
}

static void
gst_xmem_device_init (GstXmemDevice *self)
{
}

GstDevice *
gst_xmem_device_new (const gchar *path, gint pid)
{
  g_autofree gchar *name = g_path_get_basename (path);
  g_autoptr (GstCaps) caps = gst_caps_new_any ();
  g_autoptr (GstStructure) properties =
      gst_structure_new ("properties", "device.api", G_TYPE_STRING, "xmem",
          "xmem.socket-path", G_TYPE_STRING, path, NULL);
  GstXmemDevice *self;

  if (pid > 0)
    gst_structure_set (properties, "xmem.publisher-pid", G_TYPE_INT, pid, NULL);
  self =
      g_object_new (GST_TYPE_XMEM_DEVICE, "display-name", name, "device-class",
          GST_XMEM_DEVICE_CLASS, "caps", caps, "properties", properties, NULL);
  self->path = g_strdup (path);
  return GST_DEVICE (self);
}
