/* SPDX-License-Identifier: MIT */
/* A producer that was there once is waited for without limit: its restart may
 * take any time, and the application hears of it by messages. Only the first
 * connection has a timeout, since a wrong address looks just like a producer
 * that is not there yet. */
#include "connection.h"

#include "errors.h"

GST_DEBUG_CATEGORY_EXTERN (gst_xmem_src_debug);
#define GST_CAT_DEFAULT gst_xmem_src_debug

GType
gst_xmem_on_disconnect_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_XMEM_ON_DISCONNECT_RECONNECT, "Wait for a producer and go on",
        "reconnect" },
    { GST_XMEM_ON_DISCONNECT_EOS, "End the stream", "eos" },
    { GST_XMEM_ON_DISCONNECT_ERROR, "Post an error", "error" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstXmemOnDisconnect", values));
  return type;
}

GType
gst_xmem_on_eos_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_XMEM_ON_EOS_EOS, "End the stream", "eos" },
    { GST_XMEM_ON_EOS_WAIT, "Wait for the producer's next stream", "wait" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstXmemOnEos", values));
  return type;
}

static void
post (GstXmemConnection *self, const gchar *name, const gchar *field,
    const GValue *value)
{
  GstStructure *structure = gst_structure_new (
      name, "socket-path", G_TYPE_STRING, self->address, NULL);

  if (field)
    gst_structure_set_value (structure, field, value);
  gst_element_post_message (self->element,
      gst_message_new_element (GST_OBJECT (self->element), structure));
}

static GstFlowReturn
fail (
    GstXmemConnection *self, const gchar *what, const struct xmem_error *error)
{
  if (error->status == XMEM_INTERRUPTED)
    return GST_FLOW_FLUSHING;
  gst_xmem_post_error (self->element, what, self->address, error);
  return GST_FLOW_ERROR;
}

static void
post_connected (GstXmemConnection *self)
{
  struct xmem_subscriber_stats stats;
  GValue pid = G_VALUE_INIT;

  xmem_subscriber_get_stats (self->subscriber, &stats);
  GST_INFO_OBJECT (self->element,
      "connected to process %d (0: unknown), may hold %u frames",
      stats.publisher_pid, xmem_subscriber_get_grant (self->subscriber));
  g_value_init (&pid, G_TYPE_INT);
  g_value_set_int (&pid, stats.publisher_pid);
  post (self, "xmem-connected", "publisher-pid", &pid);
}

static GstFlowReturn
ensure_connected (GstXmemConnection *self)
{
  gint64 timeout_ns =
      self->n_connections > 0 ? XMEM_WAIT_FOREVER : self->timeout_ns;
  struct xmem_error error;

  if (self->connected)
    return GST_FLOW_OK;
  GST_INFO_OBJECT (self->element, "connecting to %s", self->address);
  if (xmem_subscriber_connect (self->subscriber, timeout_ns, &error) != 0)
    return fail (self, "Cannot connect", &error);
  self->connected = TRUE;
  self->ended = FALSE;
  self->n_connections++;
  post_connected (self);
  return GST_FLOW_OK;
}

/* The flow with which to go on; GST_FLOW_CUSTOM_SUCCESS: by connecting anew. */
static GstFlowReturn
lose (GstXmemConnection *self, const struct xmem_error *error)
{
  GValue reason = G_VALUE_INIT;

  GST_INFO_OBJECT (self->element, "disconnected: %s", error->message);
  self->connected = FALSE;
  g_value_init (&reason, G_TYPE_STRING);
  g_value_set_string (&reason, error->message);
  post (self, "xmem-disconnected", "reason", &reason);
  g_value_unset (&reason);
  if (self->on_disconnect == GST_XMEM_ON_DISCONNECT_EOS)
    return GST_FLOW_EOS;
  if (self->on_disconnect == GST_XMEM_ON_DISCONNECT_RECONNECT)
    return GST_FLOW_CUSTOM_SUCCESS;
  return fail (self, "The producer went away without an end of stream", error);
}

/* The same after an end of stream. That of a producer which has gone comes again
 * and again. */
static GstFlowReturn
end (GstXmemConnection *self, const struct xmem_error *error)
{
  if (self->on_eos == GST_XMEM_ON_EOS_EOS)
    return GST_FLOW_EOS;
  if (self->ended)
    return lose (self, error);
  self->ended = TRUE;
  GST_INFO_OBJECT (self->element, "end of stream; waiting for the next one");
  post (self, "xmem-end-of-stream", NULL, NULL);
  return GST_FLOW_CUSTOM_SUCCESS;
}

GstFlowReturn
gst_xmem_connection_next (
    GstXmemConnection *self, struct xmem_frame **frame, gboolean *renewed)
{
  GstFlowReturn flow = GST_FLOW_CUSTOM_SUCCESS;
  struct xmem_error error;
  int r;

  *renewed = !self->connected || self->ended;
  while (flow == GST_FLOW_CUSTOM_SUCCESS) {
    flow = ensure_connected (self);
    if (flow != GST_FLOW_OK)
      return flow;
    r = xmem_subscriber_next (
        self->subscriber, XMEM_WAIT_FOREVER, frame, &error);
    if (r == XMEM_EVENT)
      flow = GST_XMEM_FLOW_EVENT;
    else if (r == XMEM_GONE)
      flow = lose (self, &error);
    else if (r == XMEM_EOS)
      flow = end (self, &error);
    else if (r != 0)
      flow = fail (self, "Cannot receive", &error);
    *renewed |= flow == GST_FLOW_CUSTOM_SUCCESS;
  }
  self->ended &= flow != GST_FLOW_OK && flow != GST_XMEM_FLOW_EVENT;
  return flow;
}
