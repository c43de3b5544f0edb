/* SPDX-License-Identifier: MIT */
/* The times of a source's buffers and events: its timeline, and what the
 * pipeline and the application learn of it. */
#ifndef GST_XMEM_TIMES_H
#define GST_XMEM_TIMES_H

#include <gst/base/gstbasesrc.h>

#include <xmem/subscriber.h>

#include "timeline.h"

G_BEGIN_DECLS

/* Threads: the streaming thread of one source, but for what says otherwise. */
typedef struct {
  GstBaseSrc *src; /* whose they are; not owned */
  GstXmemTimeline timeline;
  GstClockTimeDiff reported_shift; /* of running times */

  /* Under the source's object lock */
  GstClockTimeDiff running_offset; /* our running times minus the producer's */
  GstClockTime resumed; /* CLOCK_MONOTONIC when PLAYING began */
} GstXmemTimes;

void gst_xmem_times_init (GstXmemTimes *self, GstBaseSrc *src);

/* A new timeline, as when the source starts. */
void gst_xmem_times_start (GstXmemTimes *self);

/* PLAYING begins. Any thread. */
void gst_xmem_times_resume (GstXmemTimes *self);

/* Another connection, or stream, begins. */
void gst_xmem_times_renew (GstXmemTimes *self);

/* Gives a buffer its frame's times, offsets and flags. */
void gst_xmem_times_set (
    GstXmemTimes *self, struct xmem_frame *frame, GstBuffer *buffer);

/* A time of an event that arrives now, in our segment. stream: NULL if it is not
 * known yet. */
GstClockTime gst_xmem_times_map (
    GstXmemTimes *self, const struct xmem_stream_info *stream, gint64 time);

/* One of our running times as the producer's. Any thread. */
gint64 gst_xmem_times_unmap (GstXmemTimes *self, gint64 time);

/* The producer has flushed. Its running time may begin anew, and so does ours;
 * a live one goes on. Takes the event, returns what to push. */
GstEvent *gst_xmem_times_flush (GstXmemTimes *self, GstEvent *event);

/* Whether a frame has waited while this live source was PAUSED. */
gboolean gst_xmem_times_is_outdated (
    GstXmemTimes *self, struct xmem_frame *frame);

G_END_DECLS

#endif
