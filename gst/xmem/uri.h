/* SPDX-License-Identifier: MIT */
/* Addresses of publishers as URIs: xmem://NAME for a name in a runtime folder,
 * xmem:///path for a path, xmem://@name for the abstract namespace. Characters
 * that URIs do not have are %-escaped. */
#ifndef GST_XMEM_URI_H
#define GST_XMEM_URI_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Transfer full. */
gchar *gst_xmem_uri_from_address (const gchar *address);

/* Transfer full; NULL and an error of GST_URI_ERROR for what is no such URI. */
gchar *gst_xmem_uri_to_address (const gchar *uri, GError **error);

G_END_DECLS

#endif
