/* SPDX-License-Identifier: MIT */
/* Threads: the streaming thread of one sink. */
#include "announcement.h"

#include "timeline.h"

void
gst_xmem_announcement_reset (GstXmemAnnouncement *self)
{
  g_clear_pointer (&self->caps, g_free);
  self->changed = TRUE;
  self->base_time = GST_CLOCK_TIME_NONE;
  self->latency = 0;
  self->live = FALSE;
}

static gboolean
is_live (GstPad *pad)
{
  GstQuery *query = gst_query_new_latency ();
  gboolean live = FALSE;

  if (gst_pad_peer_query (pad, query))
    gst_query_parse_latency (query, &live, NULL, NULL);
  gst_query_unref (query);
  return live;
}

void
gst_xmem_announcement_set_caps (
    GstXmemAnnouncement *self, GstCaps *caps, GstPad *pad)
{
  g_free (self->caps);
  self->caps = gst_caps_to_string (caps);
  self->live = is_live (pad);
  self->changed = TRUE;
}

int
gst_xmem_announcement_update (GstXmemAnnouncement *self, GstElement *element,
    GstClockTime latency, struct xmem_publisher *publisher,
    struct xmem_error *error)
{
  GstClockTime base_time = gst_xmem_base_time (element, self->base_time);
  struct xmem_stream_info info = {
    .caps = self->caps, .base_time_ns = base_time, .latency_ns = latency
  };

  if (!self->changed && base_time == self->base_time
      && latency == self->latency)
    return 0;
  self->base_time = base_time;
  self->latency = latency;
  self->changed = FALSE;
  return xmem_publisher_set_stream (publisher, &info, error);
}

GstClockTime
gst_xmem_announcement_get_capture_base (const GstXmemAnnouncement *self)
{
  return self->live ? self->base_time : GST_CLOCK_TIME_NONE;
}
