/* SPDX-License-Identifier: MIT */
/* See docs/elements.md, "Time". Keeps no state of its own. */
#include "timeline.h"

#define DRIFT_TOLERANCE GST_MSECOND
/* Two readings that are further apart than this were interrupted. */
#define CLOSE_ENOUGH (20 * GST_USECOND)
#define MAX_READINGS 5

static gboolean
is_monotonic (GstClock *clock)
{
  GstClockType type = GST_CLOCK_TYPE_REALTIME;
  GstClockTime internal, external, numerator, denominator;

  /* Clocks of audio devices and of networks are subclasses, with a time of
   * their own. */
  if (G_OBJECT_TYPE (clock) != GST_TYPE_SYSTEM_CLOCK)
    return FALSE;
  g_object_get (clock, "clock-type", &type, NULL);
  gst_clock_get_calibration (
      clock, &internal, &external, &numerator, &denominator);
  return type == GST_CLOCK_TYPE_MONOTONIC && internal == external
         && numerator == denominator;
}

/* How far CLOCK_MONOTONIC is ahead of a clock, from the closest of some
 * readings of both. */
static GstClockTimeDiff
compare_clocks (GstClock *clock)
{
  GstClockTime best = GST_CLOCK_TIME_NONE;
  GstClockTimeDiff ahead = 0;

  for (guint i = 0; i < MAX_READINGS && best > CLOSE_ENOUGH; i++) {
    GstClockTime before = gst_util_get_timestamp ();
    GstClockTime time = gst_clock_get_time (clock);
    GstClockTime apart = gst_util_get_timestamp () - before;

    if (apart >= best)
      continue;
    best = apart;
    ahead = GST_CLOCK_DIFF (time, before + apart / 2);
  }
  return ahead;
}

GstClockTime
gst_xmem_base_time (GstElement *element, GstClockTime last)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (element);
  GstClockTime base = gst_element_get_base_time (element);
  GstClockTime measured;

  if (!clock)
    return GST_CLOCK_TIME_NONE;
  if (is_monotonic (clock))
    return base;
  measured = base + compare_clocks (clock);
  if (GST_CLOCK_TIME_IS_VALID (last)
      && ABS (GST_CLOCK_DIFF (last, measured)) < (gint64) DRIFT_TOLERANCE)
    return last;
  return measured;
}

GstClockTimeDiff
gst_xmem_time_add (GstClockTimeDiff a, GstClockTimeDiff b)
{
  GstClockTimeDiff sum;

  if (__builtin_add_overflow (a, b, &sum))
    sum = a < 0 ? -G_MAXINT64 : G_MAXINT64;
  return MAX (sum, -G_MAXINT64);
}

gint64
gst_xmem_running_time (const GstSegment *segment, GstClockTime time)
{
  guint64 running_time;
  gint sign;

  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (time))
    return XMEM_TIME_NONE;
  sign = gst_segment_to_running_time_full (
      segment, GST_FORMAT_TIME, time, &running_time);
  if (sign == 0)
    return XMEM_TIME_NONE;
  return sign * (gint64) running_time;
}

GstClockTime
gst_xmem_running_duration (const GstSegment *segment, GstClockTime duration)
{
  gdouble rate = ABS (segment->rate);

  if (segment->format != GST_FORMAT_TIME || rate == 1.0
      || !GST_CLOCK_TIME_IS_VALID (duration))
    return duration;
  return (GstClockTime) ((gdouble) duration / rate);
}

void
gst_xmem_timeline_init (GstXmemTimeline *timeline, gboolean live)
{
  timeline->live = live;
  timeline->started = FALSE;
  timeline->shift = 0;
  timeline->base_time = GST_CLOCK_TIME_NONE;
  timeline->resumed = 0;
  timeline->paused_base = GST_CLOCK_TIME_NONE;
  timeline->renewed = FALSE;
  timeline->end = 0;
}

void
gst_xmem_timeline_renew (GstXmemTimeline *timeline)
{
  timeline->started = FALSE;
  timeline->renewed = TRUE;
  if (timeline->live)
    timeline->shift = 0;
}

/* The shift of a stream whose first frame is this, in a timeline that keeps
 * running times. */
static void
continue_timeline (GstXmemTimeline *timeline,
    const struct xmem_stream_info *stream, gint64 first)
{
  if (!timeline->renewed) {
    timeline->first_base = stream->base_time_ns;
    timeline->first_shift = timeline->shift;
    return;
  }
  timeline->shift = timeline->first_shift;
  if (timeline->first_base != XMEM_NONE && stream->base_time_ns != XMEM_NONE)
    timeline->shift = gst_xmem_time_add (timeline->shift,
        GST_CLOCK_DIFF (timeline->first_base, stream->base_time_ns));
  if (gst_xmem_time_add (first, timeline->shift) < timeline->end)
    timeline->shift = gst_xmem_time_add (timeline->end, -first);
}

static void
note_end (GstXmemTimeline *timeline, const struct xmem_frame_info *frame)
{
  GstClockTimeDiff end;

  if (frame->pts == XMEM_TIME_NONE)
    return;
  end = gst_xmem_time_add (frame->pts, timeline->shift);
  if (frame->duration <= G_MAXINT64)
    end = gst_xmem_time_add (end, (GstClockTimeDiff) frame->duration);
  timeline->end = MAX (timeline->end, end);
}

/* The earliest time of a frame, XMEM_TIME_NONE without any. */
static gint64
first_time (const struct xmem_frame_info *frame)
{
  if (frame->pts == XMEM_TIME_NONE)
    return frame->dts;
  if (frame->dts == XMEM_TIME_NONE)
    return frame->pts;
  return MIN (frame->pts, frame->dts);
}

void
gst_xmem_timeline_resume (GstXmemTimeline *timeline, GstClockTime resumed)
{
  if (resumed == timeline->resumed)
    return;
  timeline->resumed = resumed;
  timeline->paused_base = timeline->base_time;
}

/* The offset of a stream by clock. What was presented before a pause of ours
 * ended has the time that it would have without: the base time of afterwards
 * would put it among, or before, all that was played. */
static GstClockTimeDiff
offset_by_clock (GstXmemTimeline *timeline,
    const struct xmem_stream_info *stream, gint64 first)
{
  GstClockTimeDiff presented =
      (GstClockTimeDiff) (stream->base_time_ns + stream->latency_ns);
  GstClockTime base = timeline->base_time;

  if (GST_CLOCK_TIME_IS_VALID (timeline->paused_base) && first != XMEM_TIME_NONE
      && gst_xmem_time_add (presented, first)
             < (GstClockTimeDiff) timeline->resumed)
    base = timeline->paused_base;
  return gst_xmem_time_add (presented, -(GstClockTimeDiff) base);
}

GstClockTimeDiff
gst_xmem_timeline_offset (GstXmemTimeline *timeline, GstElement *element,
    const struct xmem_stream_info *stream, const struct xmem_frame_info *frame)
{
  gint64 first = first_time (frame);
  GstClockTimeDiff offset = 0, now = 0, due;

  if (timeline->live) {
    now = (GstClockTimeDiff) gst_util_get_timestamp ();
    timeline->base_time = gst_xmem_base_time (element, timeline->base_time);
    if (!GST_CLOCK_TIME_IS_VALID (timeline->base_time))
      timeline->base_time = (GstClockTime) now;
    now -= (GstClockTimeDiff) timeline->base_time; /* our running time */
    if (stream->base_time_ns != XMEM_NONE)
      offset = offset_by_clock (timeline, stream, first);
    else if (!timeline->started && first != XMEM_TIME_NONE)
      timeline->shift = gst_xmem_time_add (now, -first);
  } else if (!timeline->started && first != XMEM_TIME_NONE) {
    continue_timeline (timeline, stream, first);
  }
  due = gst_xmem_time_add (first, offset);
  /* Running times kept as they are can only begin before 0; those by clock also
   * fall back there if the producer's do. Such a frame is due now: at 0 it would
   * be late if the pipeline has waited for it. */
  if ((timeline->live || !timeline->started) && first != XMEM_TIME_NONE
      && gst_xmem_time_add (due, timeline->shift) < 0)
    timeline->shift = gst_xmem_time_add (now, -due);
  timeline->started |= first != XMEM_TIME_NONE;
  note_end (timeline, frame);
  return gst_xmem_time_add (offset, timeline->shift);
}

GstClockTime
gst_xmem_timeline_map (gint64 time, GstClockTimeDiff offset)
{
  if (time == XMEM_TIME_NONE)
    return GST_CLOCK_TIME_NONE;
  return (GstClockTime) MAX (gst_xmem_time_add (time, offset), 0);
}
