/* SPDX-License-Identifier: MIT */
/* Keeps no state. Threads: any. */
#include "clients.h"

static const gchar *
state_name (enum xmem_client_state state)
{
  static const gchar *const names[] = { "active", "left", "evicted" };

  return names[state];
}

/* Its name may be any bytes. */
static GstStructure *
describe (const gchar *structure, const struct xmem_publisher_client *client)
{
  g_autofree gchar *name = g_utf8_make_valid (client->name, -1);

  return gst_structure_new (structure, "fd", G_TYPE_INT, client->fd, "pid",
      G_TYPE_INT, client->pid, "name", G_TYPE_STRING, name, "state",
      G_TYPE_STRING, state_name (client->state), "delivery", G_TYPE_STRING,
      client->delivery == XMEM_DELIVERY_EVERY ? "every" : "latest", "granted",
      G_TYPE_UINT, client->grant, "held", G_TYPE_UINT, client->frames_held,
      "delivered", G_TYPE_UINT64, client->frames_delivered, "dropped",
      G_TYPE_UINT64, client->frames_dropped, "lag", G_TYPE_UINT64, client->lag,
      "oldest-held", G_TYPE_UINT64, client->oldest_held_ns, NULL);
}

void
gst_xmem_clients_add_to (GstStructure *stats, struct xmem_publisher *publisher)
{
  g_autofree struct xmem_publisher_client *clients = NULL;
  GValue array = G_VALUE_INIT, item = G_VALUE_INIT;
  gsize n = 0;

  if (publisher)
    n = xmem_publisher_get_clients (publisher, NULL, 0);
  clients = g_new (struct xmem_publisher_client, n);
  if (n > 0)
    n = MIN (n, xmem_publisher_get_clients (publisher, clients, n));
  g_value_init (&array, GST_TYPE_ARRAY);
  for (gsize i = 0; i < n; i++) {
    g_value_init (&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&item, describe ("client", &clients[i]));
    gst_value_array_append_and_take_value (&array, &item);
  }
  gst_structure_take_value (stats, "clients", &array);
}

void
gst_xmem_clients_warn_of_stuck (
    GstElement *element, const struct xmem_publisher_client *client)
{
  GstStructure *details = describe ("details", client);
  gchar *text = g_strdup_printf (
      "Consumer \"%s\" (pid %d) gets no more frames: it holds %u and has "
      "released none for longer than client-timeout.",
      gst_structure_get_string (details, "name"), client->pid,
      client->frames_held);

  gst_element_message_full_with_details (element, GST_MESSAGE_WARNING,
      GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY, text, NULL, __FILE__,
      GST_FUNCTION, __LINE__, details);
}
