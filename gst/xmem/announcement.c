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
}

void
gst_xmem_announcement_set_caps (GstXmemAnnouncement *self, GstCaps *caps)
{
  g_free (self->caps);
  self->caps = gst_caps_to_string (caps);
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
