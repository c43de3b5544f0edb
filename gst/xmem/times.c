/* SPDX-License-Identifier: MIT */
#include "times.h"

GST_DEBUG_CATEGORY_EXTERN (gst_xmem_src_debug);
#define GST_CAT_DEFAULT gst_xmem_src_debug

/* Where running time 0 lies in our segment when times come before it, as
 * GstVideoEncoder does. */
#define NEGATIVE_TIMES_START (1000 * GST_SECOND * 60 * 60)

void
gst_xmem_times_init (GstXmemTimes *self, GstBaseSrc *src)
{
  self->src = src;
}

void
gst_xmem_times_start (GstXmemTimes *self)
{
  self->reported_shift = 0;
  gst_xmem_timeline_init (&self->timeline, gst_base_src_is_live (self->src));
}

void
gst_xmem_times_resume (GstXmemTimes *self)
{
  GST_OBJECT_LOCK (self->src);
  self->resumed = gst_util_get_timestamp ();
  GST_OBJECT_UNLOCK (self->src);
}

static GstClockTime
get_resumed (GstXmemTimes *self)
{
  GstClockTime resumed;

  GST_OBJECT_LOCK (self->src);
  resumed = self->resumed;
  GST_OBJECT_UNLOCK (self->src);
  return resumed;
}

void
gst_xmem_times_renew (GstXmemTimes *self)
{
  if (self->timeline.started)
    gst_xmem_timeline_renew (&self->timeline);
}

static gboolean
is_before_zero (gint64 time)
{
  return time != XMEM_TIME_NONE && time < 0;
}

/* From the first time before running time 0 on (decoding times of a stream
 * with B-frames, a frame that began before its segment) there is a segment
 * that can say so. */
static void
start_segment (GstXmemTimes *self, const struct xmem_frame_info *info)
{
  GstSegment segment;

  if (self->timeline.live || self->timeline.shift != 0
      || (!is_before_zero (info->pts) && !is_before_zero (info->dts)))
    return;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = NEGATIVE_TIMES_START;
  gst_base_src_new_segment (self->src, &segment);
  self->timeline.shift = NEGATIVE_TIMES_START;
}

/* Tells the application by how much running times are shifted now, whenever
 * that is not what it was told last. */
static void
report_shift (GstXmemTimes *self)
{
  GstClockTimeDiff shift = gst_xmem_time_add (
      self->timeline.shift, -(GstClockTimeDiff) self->src->segment.start);

  if (shift == self->reported_shift)
    return;
  self->reported_shift = shift;
  GST_INFO_OBJECT (self->src, "all times are shifted by %" GST_STIME_FORMAT,
      GST_STIME_ARGS (shift));
  gst_element_post_message (GST_ELEMENT (self->src),
      gst_message_new_element (
          GST_OBJECT (self->src), gst_structure_new ("xmem-time-shift", "shift",
                                      G_TYPE_INT64, (gint64) shift, NULL)));
}

/* What to add to times that arrive now. */
static GstClockTimeDiff
time_offset (GstXmemTimes *self, const struct xmem_stream_info *stream,
    const struct xmem_frame_info *info)
{
  GstClockTimeDiff offset;

  gst_xmem_timeline_resume (&self->timeline, get_resumed (self));
  start_segment (self, info);
  offset = gst_xmem_timeline_offset (
      &self->timeline, GST_ELEMENT (self->src), stream, info);
  report_shift (self);
  GST_OBJECT_LOCK (self->src);
  self->running_offset =
      gst_xmem_time_add (offset, -(GstClockTimeDiff) self->src->segment.start);
  GST_OBJECT_UNLOCK (self->src);
  return offset;
}

void
gst_xmem_times_set (
    GstXmemTimes *self, struct xmem_frame *frame, GstBuffer *buffer)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  GstClockTimeDiff offset =
      time_offset (self, xmem_frame_get_stream (frame), info);

  /* With do-timestamp the base class sets them to when a buffer arrives. */
  if (!gst_base_src_get_do_timestamp (self->src)) {
    GST_BUFFER_PTS (buffer) = gst_xmem_timeline_map (info->pts, offset);
    GST_BUFFER_DTS (buffer) = gst_xmem_timeline_map (info->dts, offset);
  }
  GST_BUFFER_DURATION (buffer) = info->duration;
  GST_BUFFER_OFFSET (buffer) = info->offset;
  GST_BUFFER_OFFSET_END (buffer) = info->offset_end;
  GST_BUFFER_FLAG_SET (buffer, info->flags & ~(GST_MINI_OBJECT_FLAG_LAST - 1)
                                   & ~GST_BUFFER_FLAG_TAG_MEMORY);
}

GstClockTime
gst_xmem_times_map (
    GstXmemTimes *self, const struct xmem_stream_info *stream, gint64 time)
{
  const struct xmem_stream_info unknown = { .base_time_ns = XMEM_NONE };
  struct xmem_frame_info info;

  if (time == XMEM_TIME_NONE)
    return GST_CLOCK_TIME_NONE;
  xmem_frame_info_init (&info);
  info.pts = time;
  return gst_xmem_timeline_map (
      time, time_offset (self, stream ? stream : &unknown, &info));
}

gint64
gst_xmem_times_unmap (GstXmemTimes *self, gint64 time)
{
  if (time == XMEM_TIME_NONE)
    return time;
  GST_OBJECT_LOCK (self->src);
  time = gst_xmem_time_add (time, -self->running_offset);
  GST_OBJECT_UNLOCK (self->src);
  return time;
}

GstEvent *
gst_xmem_times_flush (GstXmemTimes *self, GstEvent *event)
{
  gboolean reset_time;

  gst_event_parse_flush_stop (event, &reset_time);
  if (self->timeline.live && reset_time) {
    gst_event_unref (event);
    return gst_event_new_flush_stop (FALSE);
  }
  if (reset_time)
    gst_xmem_timeline_init (&self->timeline, FALSE);
  return event;
}

gboolean
gst_xmem_times_is_outdated (GstXmemTimes *self, struct xmem_frame *frame)
{
  return self->timeline.live && self->timeline.started
         && xmem_frame_get_published_ns (frame) < get_resumed (self);
}
