/* SPDX-License-Identifier: MIT */
/* The publisher's thread must not wait for elements upstream, so what
 * consumers send is queued and pushed, in order, from a thread of GstElement's.
 *
 * A key unit that is wanted at once is asked for once until there is one,
 * however many consumers want it. */
#include "upstream.h"

#include <gst/video/video.h>

#include "events.h"

/* Consumers' events that wait to be pushed; further ones are ignored. */
#define MAX_EVENTS 64

void
gst_xmem_upstream_init (GstXmemUpstream *self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->events);
  self->pushing = FALSE;
  self->n_key_units = 0;
  self->asked = FALSE;
}

void
gst_xmem_upstream_reset (GstXmemUpstream *self)
{
  g_mutex_lock (&self->lock);
  g_queue_clear_full (&self->events, (GDestroyNotify) gst_event_unref);
  g_mutex_unlock (&self->lock);
  g_atomic_int_set (&self->asked, FALSE);
}

void
gst_xmem_upstream_clear (GstXmemUpstream *self)
{
  gst_xmem_upstream_reset (self);
  g_mutex_clear (&self->lock);
}

static GstEvent *
next_event (GstXmemUpstream *self)
{
  GstEvent *event;

  g_mutex_lock (&self->lock);
  event = g_queue_pop_head (&self->events);
  self->pushing = event != NULL;
  g_mutex_unlock (&self->lock);
  return event;
}

static void
push_events (GstElement *sink, gpointer user_data)
{
  GstEvent *event;

  while ((event = next_event (user_data)) != NULL)
    gst_pad_push_event (GST_BASE_SINK_PAD (sink), event);
}

/* Takes the event. Whether somebody must be told to push. */
static gboolean
add_event (GstXmemUpstream *self, GstEvent *event)
{
  gboolean start = FALSE;

  g_mutex_lock (&self->lock);
  if (g_queue_get_length (&self->events) < MAX_EVENTS) {
    start = !self->pushing;
    self->pushing = TRUE;
    g_queue_push_tail (&self->events, g_steal_pointer (&event));
  }
  g_mutex_unlock (&self->lock);
  gst_clear_event (&event);
  return start;
}

/* One at once, of which another is on its way. */
static gboolean
is_asked_already (GstXmemUpstream *self, GstEvent *event)
{
  GstClockTime time;

  return gst_video_event_is_force_key_unit (event)
         && gst_video_event_parse_upstream_force_key_unit (
             event, &time, NULL, NULL)
         && !GST_CLOCK_TIME_IS_VALID (time)
         && !g_atomic_int_compare_and_exchange (&self->asked, FALSE, TRUE);
}

void
gst_xmem_upstream_receive (
    GstXmemUpstream *self, GstBaseSink *sink, const struct xmem_event *event)
{
  GstXmemReceived received;
  GstClockTime time;
  GstEvent *made = NULL;

  if (gst_xmem_received_read (&received, event)) {
    time =
        received.time >= 0 ? (GstClockTime) received.time : GST_CLOCK_TIME_NONE;
    if (gst_xmem_event_is_upstream (received.type))
      made = gst_xmem_received_take (&received, time, NULL);
    else
      gst_xmem_received_clear (&received);
  }
  if (made && is_asked_already (self, made))
    gst_clear_event (&made);
  if (made && add_event (self, made))
    gst_element_call_async (GST_ELEMENT (sink), push_events, self, NULL);
}

void
gst_xmem_upstream_ask_key_unit (GstXmemUpstream *self, GstBaseSink *sink)
{
  if (!g_atomic_int_compare_and_exchange (&self->asked, FALSE, TRUE))
    return;
  GST_DEBUG_OBJECT (sink, "asking for a key unit");
  gst_pad_push_event (GST_BASE_SINK_PAD (sink),
      gst_video_event_new_upstream_force_key_unit (
          GST_CLOCK_TIME_NONE, TRUE, self->n_key_units++));
}

void
gst_xmem_upstream_look_at (GstXmemUpstream *self, GstBuffer *buffer)
{
  if (!GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT))
    g_atomic_int_set (&self->asked, FALSE);
}
