/* SPDX-License-Identifier: MIT */
/* A source's way to its producer: connecting, losing it, and what then. */
#ifndef GST_XMEM_CONNECTION_H
#define GST_XMEM_CONNECTION_H

#include <gst/gst.h>

#include <xmem/subscriber.h>

G_BEGIN_DECLS

typedef enum {
  GST_XMEM_ON_DISCONNECT_RECONNECT,
  GST_XMEM_ON_DISCONNECT_EOS,
  GST_XMEM_ON_DISCONNECT_ERROR,
} GstXmemOnDisconnect;

GType gst_xmem_on_disconnect_get_type (void);

typedef enum {
  GST_XMEM_ON_EOS_EOS,
  GST_XMEM_ON_EOS_WAIT,
} GstXmemOnEos;

GType gst_xmem_on_eos_get_type (void);

/* Threads: the streaming thread of one source. */
typedef struct {
  GstElement *element; /* whose it is; not owned */
  const gchar *address;
  struct xmem_subscriber *subscriber; /* not owned */
  GstXmemOnDisconnect on_disconnect;
  GstXmemOnEos on_eos;
  gint64 timeout_ns; /* for the first connection */

  gboolean connected;
  guint n_connections; /* so far */
  gboolean ended; /* the stream, and nothing came since */
} GstXmemConnection;

#define GST_XMEM_FLOW_EVENT GST_FLOW_CUSTOM_SUCCESS_1

/* Receives the next frame or event, connecting before that if need be. Waits;
 * ended by xmem_subscriber_interrupt ().
 *
 * @renewed: whether what came is the first of a connection, or of a stream that
 *   follows the end of another.
 * Returns: GST_FLOW_OK with a frame; GST_XMEM_FLOW_EVENT with an event, for
 *   xmem_subscriber_get_event (); GST_FLOW_EOS; GST_FLOW_FLUSHING when interrupted;
 *   GST_FLOW_ERROR, posted. */
GstFlowReturn gst_xmem_connection_next (
    GstXmemConnection *self, struct xmem_frame **frame, gboolean *renewed);

G_END_DECLS

#endif
