/* SPDX-License-Identifier: MIT */
/* Keeps no state but the types that are registered. Threads: any. */
#include "history.h"

static GstStaticCaps pts_caps = GST_STATIC_CAPS (GST_XMEM_REFERENCE_PTS);
static GstStaticCaps capture_caps =
    GST_STATIC_CAPS (GST_XMEM_REFERENCE_CAPTURE);

void
gst_xmem_history_init (void)
{
  static const gchar *no_tags[] = { NULL };

  gst_meta_register_custom (GST_XMEM_LOST, no_tags, NULL, NULL, NULL);
}

static void
read_time (GstBuffer *buffer, GstStaticCaps *reference, uint64_t *time)
{
  g_autoptr (GstCaps) caps = gst_static_caps_get (reference);
  GstReferenceTimestampMeta *meta =
      gst_buffer_get_reference_timestamp_meta (buffer, caps);

  if (meta)
    *time = meta->timestamp;
}

void
gst_xmem_history_read_times (GstBuffer *buffer, struct xmem_frame_info *info)
{
  read_time (buffer, &pts_caps, &info->raw_pts);
  read_time (buffer, &capture_caps, &info->capture_ns);
}

static void
add_time (GstBuffer *buffer, GstStaticCaps *reference, uint64_t time)
{
  g_autoptr (GstCaps) caps = gst_static_caps_get (reference);

  if (time != XMEM_NONE
      && !gst_buffer_get_reference_timestamp_meta (buffer, caps))
    gst_buffer_add_reference_timestamp_meta (
        buffer, caps, time, GST_CLOCK_TIME_NONE);
}

void
gst_xmem_history_add_times (
    GstBuffer *buffer, const struct xmem_frame_info *info)
{
  add_time (buffer, &pts_caps, info->raw_pts);
  add_time (buffer, &capture_caps, info->capture_ns);
}

/* A buffer that a relay sends on may have lost some before. */
void
gst_xmem_history_add_lost (GstBuffer *buffer, guint64 n_lost)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, GST_XMEM_LOST);
  guint64 n_before = 0;

  if (!meta)
    meta = gst_buffer_add_custom_meta (buffer, GST_XMEM_LOST);
  gst_structure_get_uint64 (
      gst_custom_meta_get_structure (meta), "lost", &n_before);
  gst_structure_set (gst_custom_meta_get_structure (meta), "lost",
      G_TYPE_UINT64, n_before + n_lost, NULL);
}
