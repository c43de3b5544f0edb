/* SPDX-License-Identifier: MIT */
/* Keeps no state. Threads: any. */
#include "uri.h"

#include <string.h>

#define SCHEME "xmem://"

gchar *
gst_xmem_uri_from_address (const gchar *address)
{
  g_autofree gchar *escaped = g_uri_escape_string (address, "/@", FALSE);

  return g_strconcat (SCHEME, escaped, NULL);
}

gchar *
gst_xmem_uri_to_address (const gchar *uri, GError **error)
{
  const gchar *rest = g_ascii_strncasecmp (uri, SCHEME, strlen (SCHEME)) == 0
                          ? uri + strlen (SCHEME)
                          : "";
  g_autofree gchar *address = g_uri_unescape_string (rest, NULL);

  if (address && address[0] != '\0'
      && (address[0] == '/' || !strchr (address, '/')))
    return g_steal_pointer (&address);
  g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
      "\"%s\" is not xmem://NAME and not xmem:///path", uri);
  return NULL;
}
