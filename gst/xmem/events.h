/* SPDX-License-Identifier: MIT */
/* GstEvent to and from struct xmem_event. Times cross as running times of the
 * producer; whoever converts says what they are on his side. docs/elements.md
 * has the table of what is carried. */
#ifndef GST_XMEM_EVENTS_H
#define GST_XMEM_EVENTS_H

#include <gst/gst.h>

#include <xmem/event.h>

G_BEGIN_DECLS

/* Our SEGMENT, as others see it: a sticky custom event with this name. */
#define GST_XMEM_EVENT_SEGMENT "xmem-segment"

/* An event as bytes. */
typedef struct {
  struct xmem_event event; /* points into what follows */
  gchar *name;
  guint8 *data;
  guint n_lost; /* values that cannot be carried */
} GstXmemEvent;

/* Whether events of this type cross, and in which direction. */
gboolean gst_xmem_event_is_downstream (GstEventType type);
gboolean gst_xmem_event_is_upstream (GstEventType type);

/* The running time, as on the wire, of an event that has one (a gap, a request
 * for a key unit); XMEM_TIME_NONE for others. @segment: of the pad it came
 * to. */
gint64 gst_xmem_event_get_time (GstEvent *event, const GstSegment *segment);

/* @segment: as above. @time: as above, already in the producer's running
 * time. */
void gst_xmem_event_write (GstXmemEvent *self, GstEvent *event,
    const GstSegment *segment, gint64 time);
void gst_xmem_event_clear (GstXmemEvent *self);

/* What came from a peer, read as far as its time. */
typedef struct {
  GstEventType type;
  GstStructure *structure;
  gboolean is_global; /* of tags */
  guint32 seqnum;
  gint64 time; /* as on the wire */
} GstXmemReceived;

/* FALSE for bytes that are no event, and for what this version does not
 * know. */
gboolean gst_xmem_received_read (
    GstXmemReceived *self, const struct xmem_event *event);
void gst_xmem_received_clear (GstXmemReceived *self);
/* The event, NULL when it makes none. Clears self. @time: its time in @segment;
 * of upstream events, its running time (@segment is NULL). */
GstEvent *gst_xmem_received_take (
    GstXmemReceived *self, GstClockTime time, const GstSegment *segment);

G_END_DECLS

#endif
