/* SPDX-License-Identifier: MIT */
/* Time across processes: running times of one pipeline, in terms of
 * CLOCK_MONOTONIC, in running times of another. */
#ifndef GST_XMEM_TIMELINE_H
#define GST_XMEM_TIMELINE_H

#include <gst/gst.h>

#include <xmem/frame.h>

G_BEGIN_DECLS

/* CLOCK_MONOTONIC at running time 0 of @element's pipeline, or
 * GST_CLOCK_TIME_NONE before it has a clock. @last: what this function gave
 * last time (GST_CLOCK_TIME_NONE at first); the answer only moves when the
 * two clocks have drifted apart by a millisecond. */
GstClockTime gst_xmem_base_time (GstElement *element, GstClockTime last);

/* a + b, or the nearest there is: a peer's times may be any numbers. Never
 * XMEM_TIME_NONE. */
GstClockTimeDiff gst_xmem_time_add (GstClockTimeDiff a, GstClockTimeDiff b);

/* A running time as it goes onto the wire: signed, XMEM_TIME_NONE for none. */
gint64 gst_xmem_running_time (const GstSegment *segment, GstClockTime time);

/* How much running time a duration takes; GST_CLOCK_TIME_NONE for none. */
GstClockTime gst_xmem_running_duration (
    const GstSegment *segment, GstClockTime duration);

/* A receiver's mapping. */
typedef struct {
  gboolean live; /* map by clock, or leave running times as they are */
  gboolean started;
  GstClockTimeDiff shift; /* for all times, chosen at the first frame */
  GstClockTime base_time; /* of the receiving pipeline, as above */
  GstClockTime resumed; /* when that began to count, if it has paused */
  GstClockTime paused_base; /* what counted before */

  /* Where running times are left as they are and streams follow each other */
  gboolean renewed; /* this is not the first stream */
  GstClockTime first_base; /* CLOCK_MONOTONIC at the first stream's time 0 */
  GstClockTimeDiff first_shift; /* of the first stream */
  GstClockTimeDiff end; /* of all frames so far */
} GstXmemTimeline;

void gst_xmem_timeline_init (GstXmemTimeline *timeline, gboolean live);

/* Another stream follows, of a producer that has started anew. Where running
 * times are kept it comes as much later than the first as its time 0 does by
 * clock, so that several sockets of one pipeline stay in sync; but never before
 * the end of what there was. */
void gst_xmem_timeline_renew (GstXmemTimeline *timeline);

/* The receiving pipeline plays, since CLOCK_MONOTONIC @resumed. Any number of
 * times for one beginning. */
void gst_xmem_timeline_resume (GstXmemTimeline *timeline, GstClockTime resumed);

/* How much to add to the running times of a frame that arrives now. May change
 * the shift for this and all later frames, so that no time lies before 0. */
GstClockTimeDiff gst_xmem_timeline_offset (GstXmemTimeline *timeline,
    GstElement *element, const struct xmem_stream_info *stream,
    const struct xmem_frame_info *frame);

/* time + offset, never negative; GST_CLOCK_TIME_NONE for none. */
GstClockTime gst_xmem_timeline_map (gint64 time, GstClockTimeDiff offset);

G_END_DECLS

#endif
