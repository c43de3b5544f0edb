/* SPDX-License-Identifier: MIT */
/* What consumers ask of a sink, on its way upstream. */
#ifndef GST_XMEM_UPSTREAM_H
#define GST_XMEM_UPSTREAM_H

#include <gst/base/gstbasesink.h>

#include <xmem/event.h>

G_BEGIN_DECLS

typedef struct {
  GMutex lock;
  GQueue events; /* to be pushed: GstEvent */
  gboolean pushing; /* somebody does so, or will */
  guint n_key_units; /* asked for */
  gint asked; /* atomic: for a key unit, at once, and none has come since */
} GstXmemUpstream;

void gst_xmem_upstream_init (GstXmemUpstream *self);
void gst_xmem_upstream_clear (GstXmemUpstream *self);

/* Forgets what was not pushed. */
void gst_xmem_upstream_reset (GstXmemUpstream *self);

/* A consumer's event; it is pushed soon, from a thread that may wait. `self`
 * is part of @sink. Any thread. */
void gst_xmem_upstream_receive (
    GstXmemUpstream *self, GstBaseSink *sink, const struct xmem_event *event);

/* Consumers wait for a key unit. From the streaming thread. */
void gst_xmem_upstream_ask_key_unit (GstXmemUpstream *self, GstBaseSink *sink);

/* Every buffer that comes, before it is published. */
void gst_xmem_upstream_look_at (GstXmemUpstream *self, GstBuffer *buffer);

G_END_DECLS

#endif
