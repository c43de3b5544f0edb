/* SPDX-License-Identifier: MIT */
/**
 * SECTION:provider-xmemdeviceprovider
 * @title: xmemdeviceprovider
 *
 * Lists the publishers with plain names that live now, as sources.
 *
 * |[
 * gst-device-monitor-1.0 --follow Video/Source
 * ]|
 *
 * Threads: between start and stop `devices` is the watch thread's.
 */
#include "deviceprovider.h"

#include "device.h"
#include "watch.h"

GST_DEBUG_CATEGORY_STATIC (gst_xmem_device_provider_debug);
#define GST_CAT_DEFAULT gst_xmem_device_provider_debug

struct _GstXmemDeviceProvider {
  GstDeviceProvider parent;
  GstXmemWatch *watch; /* while started */
  GHashTable *devices; /* by path */
};

G_DEFINE_TYPE_WITH_CODE (GstXmemDeviceProvider, gst_xmem_device_provider,
    GST_TYPE_DEVICE_PROVIDER,
    GST_DEBUG_CATEGORY_INIT (gst_xmem_device_provider_debug,
        "xmemdeviceprovider", 0, "xmem device provider"))
GST_DEVICE_PROVIDER_REGISTER_DEFINE (xmemdeviceprovider, "xmemdeviceprovider",
    GST_RANK_PRIMARY, GST_TYPE_XMEM_DEVICE_PROVIDER)

static void
appeared (const gchar *path, gint pid, gpointer user_data)
{
  GstXmemDeviceProvider *self = user_data;
  GstDevice *device = gst_object_ref_sink (gst_xmem_device_new (path, pid));

  GST_INFO_OBJECT (self, "%s has come, of process %d (0: unknown)", path, pid);
  g_hash_table_insert (self->devices, g_strdup (path), device);
  gst_device_provider_device_add (GST_DEVICE_PROVIDER (self), device);
}

static void
disappeared (const gchar *path, gpointer user_data)
{
  GstXmemDeviceProvider *self = user_data;

  GST_INFO_OBJECT (self, "%s has gone", path);
  gst_device_provider_device_remove (
      GST_DEVICE_PROVIDER (self), g_hash_table_lookup (self->devices, path));
  g_hash_table_remove (self->devices, path);
}

static gboolean
gst_xmem_device_provider_start (GstDeviceProvider *provider)
{
  GstXmemDeviceProvider *self = GST_XMEM_DEVICE_PROVIDER (provider);
  const GstXmemWatchCallbacks callbacks = { appeared, disappeared, self };

  self->watch = gst_xmem_watch_new (&callbacks);
  return TRUE;
}

static void
gst_xmem_device_provider_stop (GstDeviceProvider *provider)
{
  GstXmemDeviceProvider *self = GST_XMEM_DEVICE_PROVIDER (provider);

  g_clear_pointer (&self->watch, gst_xmem_watch_free);
  g_hash_table_remove_all (self->devices);
}

static void
add_to_list (const gchar *path, gint pid, gpointer user_data)
{
  GList **list = user_data;

  *list = g_list_prepend (
      *list, gst_object_ref_sink (gst_xmem_device_new (path, pid)));
}

static GList *
gst_xmem_device_provider_probe (GstDeviceProvider *provider)
{
  GList *list = NULL;
  const GstXmemWatchCallbacks callbacks = { add_to_list, NULL, &list };

  gst_xmem_watch_look_once (&callbacks);
  return list;
}

static void
gst_xmem_device_provider_finalize (GObject *object)
{
  g_hash_table_unref (GST_XMEM_DEVICE_PROVIDER (object)->devices);
  G_OBJECT_CLASS (gst_xmem_device_provider_parent_class)->finalize (object);
}

static void
gst_xmem_device_provider_class_init (GstXmemDeviceProviderClass *klass)
{
  GstDeviceProviderClass *provider_class = GST_DEVICE_PROVIDER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_xmem_device_provider_finalize;
  provider_class->start = gst_xmem_device_provider_start;
  provider_class->stop = gst_xmem_device_provider_stop;
  provider_class->probe = gst_xmem_device_provider_probe;
  gst_device_provider_class_set_static_metadata (provider_class,
      "xmem publishers", GST_XMEM_DEVICE_CLASS,
      "Lists the publishers of xmem that live now, in the runtime folders",
      "xmem authors");
}

static void
gst_xmem_device_provider_init (GstXmemDeviceProvider *self)
{
  self->devices =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, gst_object_unref);
}
