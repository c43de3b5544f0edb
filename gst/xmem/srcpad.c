/* SPDX-License-Identifier: MIT */
/* Keeps no state. Threads: the streaming thread of one source. */
#include "srcpad.h"

static GstPadProbeReturn
hold_back (GstPad *pad, GstPadProbeInfo *info, gpointer hold)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);

  /* A sticky event that is dropped stays with the pad, to be tried again. */
  return GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START
                 && g_atomic_int_get ((gint *) hold)
             ? GST_PAD_PROBE_DROP
             : GST_PAD_PROBE_OK;
}

void
gst_xmem_srcpad_init (GstBaseSrc *src, gint *hold)
{
  gst_pad_add_probe (GST_BASE_SRC_PAD (src),
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, hold_back, hold, NULL);
}

static gboolean
has_sticky (GstPad *pad, GstEventType type)
{
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, type, 0);

  return event != NULL;
}

/* A segment that goes on where the present one is, or a new one. */
static void
renew_segment (GstBaseSrc *src, gboolean from_zero)
{
  GstSegment segment;

  GST_OBJECT_LOCK (src);
  segment = src->segment;
  GST_OBJECT_UNLOCK (src);
  if (from_zero)
    gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_base_src_new_segment (src, &segment);
}

/* Again the one that is there: the producer was only connected to anew. */
static gboolean
is_known (GstPad *pad, GstEvent *event)
{
  g_autoptr (GstEvent) known =
      gst_pad_get_sticky_event (pad, GST_EVENT_STREAM_START, 0);

  return known
         && gst_structure_is_equal (
             gst_event_get_structure (known), gst_event_get_structure (event));
}

static void
push_stream_start (GstBaseSrc *src, GstEvent *event)
{
  GstPad *pad = GST_BASE_SRC_PAD (src);

  if (is_known (pad, event)) {
    gst_event_unref (event);
    return;
  }
  gst_pad_push_event (pad, event);
  if (has_sticky (pad, GST_EVENT_SEGMENT))
    renew_segment (src, FALSE);
}

static void
push_flush (GstBaseSrc *src, GstEvent *event)
{
  GstPad *pad = GST_BASE_SRC_PAD (src);
  GstEvent *start = gst_event_new_flush_start ();
  gboolean reset_time;

  gst_event_set_seqnum (start, gst_event_get_seqnum (event));
  gst_event_parse_flush_stop (event, &reset_time);
  gst_pad_push_event (pad, start);
  gst_pad_push_event (pad, event);
  renew_segment (src, reset_time);
}

void
gst_xmem_srcpad_push (GstBaseSrc *src, GstEvent *event)
{
  GstPad *pad = GST_BASE_SRC_PAD (src);

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    push_stream_start (src, event);
    return;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    push_flush (src, event);
    return;
  }
  /* GstBaseSrc pushes its segment with the first buffer only. */
  if (GST_EVENT_TYPE (event) == GST_EVENT_GAP
      && !has_sticky (pad, GST_EVENT_SEGMENT))
    gst_pad_push_event (pad, gst_event_new_segment (&src->segment));
  gst_pad_push_event (pad, event);
}
