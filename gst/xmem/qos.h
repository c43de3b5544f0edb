/* SPDX-License-Identifier: MIT */
/* QOS messages about frames that did not get from one process to another. */
#ifndef GST_XMEM_QOS_H
#define GST_XMEM_QOS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  guint64 dropped; /* of which the last message told */
  GstClockTime posted; /* CLOCK_MONOTONIC; GST_CLOCK_TIME_NONE: never */
} GstXmemQos;

void gst_xmem_qos_reset (GstXmemQos *self);

/* Posts a message if more frames are dropped than the last one told, and that
 * was at least a second ago. Both counts are totals; @buffer is the one at
 * which it was noticed. */
void gst_xmem_qos_update (GstXmemQos *self, GstElement *element, gboolean live,
    const GstSegment *segment, GstBuffer *buffer, guint64 processed,
    guint64 dropped);

G_END_DECLS

#endif
