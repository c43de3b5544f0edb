/* SPDX-License-Identifier: MIT */
/* Threads: the streaming thread of one element.
 *
 * Not one message per frame: a consumer that is stopped loses every one, and
 * many applications do not empty their bus. */
#include "qos.h"

#define INTERVAL GST_SECOND

void
gst_xmem_qos_reset (GstXmemQos *self)
{
  self->dropped = 0;
  self->posted = GST_CLOCK_TIME_NONE;
}

static void
post (GstElement *element, gboolean live, const GstSegment *segment,
    GstBuffer *buffer, guint64 processed, guint64 dropped)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  GstClockTime running = GST_CLOCK_TIME_NONE, stream = GST_CLOCK_TIME_NONE;
  GstMessage *message;

  if (segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts)) {
    running = gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts);
    stream = gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts);
  }
  message = gst_message_new_qos (GST_OBJECT (element), live, running, stream,
      pts, GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS, processed, dropped);
  gst_element_post_message (element, message);
}

void
gst_xmem_qos_update (GstXmemQos *self, GstElement *element, gboolean live,
    const GstSegment *segment, GstBuffer *buffer, guint64 processed,
    guint64 dropped)
{
  GstClockTime now;

  if (dropped <= self->dropped)
    return;
  now = gst_util_get_timestamp ();
  if (GST_CLOCK_TIME_IS_VALID (self->posted) && now - self->posted < INTERVAL)
    return;
  self->dropped = dropped;
  self->posted = now;
  post (element, live, segment, buffer, processed, dropped);
}
