/* SPDX-License-Identifier: MIT */
/* Why GstBaseSrc has unlocked a live source, which it does not tell. */
#ifndef GST_XMEM_INTERRUPTION_H
#define GST_XMEM_INTERRUPTION_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GMutex lock;
  GCond changed;
  gint state;
  GThread *pausing; /* the one that changes PLAYING to PAUSED */
  gboolean paused_since; /* since the last bring (), and no flush after it */
  GstBuffer *last; /* of create (); the streaming thread's */
} GstXmemInterruption;

void gst_xmem_interruption_init (GstXmemInterruption *self);
void gst_xmem_interruption_clear (GstXmemInterruption *self);

/* Around the change of state from PLAYING to PAUSED. */
void gst_xmem_interruption_begin_pause (GstXmemInterruption *self);
void gst_xmem_interruption_end_pause (GstXmemInterruption *self);

/* Whether the source is unlocked because of a pause. When that is over,
 * GstBaseSrc leaves it to create () to find out. */
gboolean gst_xmem_interruption_is_pause (GstXmemInterruption *self);

/* From the source's unlock () and unlock_stop (). */
void gst_xmem_interruption_unlock (GstXmemInterruption *self);
void gst_xmem_interruption_unlock_stop (GstXmemInterruption *self);

/* In create (): while the source is paused, waits until it is PLAYING again,
 * which is TRUE, or is to stop or flush. TRUE at once when it is not
 * unlocked. */
gboolean gst_xmem_interruption_wait (GstXmemInterruption *self);

/* What create () brings is kept until it passes the source's pad, where
 * pushed () is called. take_back () is what did not because of a pause, to be
 * brought again; not what a flush or a probe has dropped. */
void gst_xmem_interruption_bring (GstXmemInterruption *self, GstBuffer *buffer);
void gst_xmem_interruption_pushed (GstXmemInterruption *self);
GstBuffer *gst_xmem_interruption_take_back (GstXmemInterruption *self);

G_END_DECLS

#endif
