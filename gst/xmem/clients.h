/* SPDX-License-Identifier: MIT */
/* The consumers of a sink, in GStreamer's words. */
#ifndef GST_XMEM_CLIENTS_H
#define GST_XMEM_CLIENTS_H

#include <gst/gst.h>

#include <xmem/publisher.h>

G_BEGIN_DECLS

/* Adds to stats a GST_TYPE_ARRAY "clients", a structure for each; none without
 * a publisher. */
void gst_xmem_clients_add_to (
    GstStructure *stats, struct xmem_publisher *publisher);

/* Posts a warning: this one was given up. Its details have the fields of the
 * structure above. */
void gst_xmem_clients_warn_of_stuck (
    GstElement *element, const struct xmem_publisher_client *client);

G_END_DECLS

#endif
