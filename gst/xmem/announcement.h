/* SPDX-License-Identifier: MIT */
/* What consumers are told about the stream: caps and time. */
#ifndef GST_XMEM_ANNOUNCEMENT_H
#define GST_XMEM_ANNOUNCEMENT_H

#include <gst/gst.h>

#include <xmem/publisher.h>

G_BEGIN_DECLS

typedef struct {
  gchar *caps; /* NULL without */
  gboolean changed; /* since it was announced */
  GstClockTime base_time; /* as announced last */
  GstClockTime latency;
  gboolean live; /* times are those of the capture, less base_time */
} GstXmemAnnouncement;

/* Before the first and after the last use. */
void gst_xmem_announcement_reset (GstXmemAnnouncement *announcement);

/* @pad: where they arrived; its peer is asked whether the stream is live. */
void gst_xmem_announcement_set_caps (
    GstXmemAnnouncement *announcement, GstCaps *caps, GstPad *pad);

/* Announces it if anything differs from what was announced last. Returns as
 * xmem_publisher_set_stream (). */
int gst_xmem_announcement_update (GstXmemAnnouncement *announcement,
    GstElement *element, GstClockTime latency, struct xmem_publisher *publisher,
    struct xmem_error *error);

/* CLOCK_MONOTONIC when what has running time 0 was captured; of the stream as
 * announced last. GST_CLOCK_TIME_NONE when its times tell nothing of that. */
GstClockTime gst_xmem_announcement_get_capture_base (
    const GstXmemAnnouncement *announcement);

G_END_DECLS

#endif
