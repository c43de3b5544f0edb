/* SPDX-License-Identifier: MIT */
/* Keeps no state. */
#include "errors.h"

#include <string.h>

struct mapping {
  int status;
  GstResourceError code;
  const gchar *hint;
};

static const struct mapping mappings[] = {
  { XMEM_NOT_FOUND, GST_RESOURCE_ERROR_NOT_FOUND,
      "Is the producer running, with the same socket-path, and may this user "
      "see it? A longer connection-timeout waits for it." },
  { XMEM_GONE, GST_RESOURCE_ERROR_READ,
      "The other process died, was killed, or gave this one up: see the "
      "producer's property client-timeout." },
  { XMEM_REFUSED, GST_RESOURCE_ERROR_NOT_AUTHORIZED,
      "See the producer's properties perms, group, allow-uids and "
      "max-clients." },
  { XMEM_IN_USE, GST_RESOURCE_ERROR_BUSY,
      "Another producer uses this socket-path; choose another or stop it." },
  { XMEM_NO_SPACE, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
      "Shared memory counts as memory of the process and of its container; "
      "see its limit, and max-pool-bytes." },
  { XMEM_VERSION, GST_RESOURCE_ERROR_OPEN_READ_WRITE,
      "Producer and consumer need versions of xmem that fit together." },
  { XMEM_UNSUPPORTED, GST_RESOURCE_ERROR_NOT_FOUND,
      "docs/cuda.md says what CUDA memory needs." },
  { XMEM_DEVICE, GST_RESOURCE_ERROR_FAILED,
      "docs/cuda.md says what CUDA memory needs." },
  { XMEM_INVALID, GST_RESOURCE_ERROR_SETTINGS, "See the properties." },
};

void
gst_xmem_post_error (GstElement *element, const gchar *what,
    const gchar *address, const struct xmem_error *error)
{
  struct mapping mapping = { 0, GST_RESOURCE_ERROR_FAILED, NULL };
  g_autofree gchar *sentence = NULL;
  gchar *text, *debug;

  for (guint i = 0; i < G_N_ELEMENTS (mappings); i++)
    if (mappings[i].status == error->status)
      mapping = mappings[i];
  /* Some words may be the peer's. */
  sentence = g_utf8_make_valid (error->message, -1);
  text = g_strdup_printf ("%s (socket-path \"%s\"): %s.%s%s", what, address,
      sentence, mapping.hint ? " " : "", mapping.hint ? mapping.hint : "");
  debug = g_strdup_printf (
      "%s, errno %d", xmem_status_string (error->status), error->sys_errno);
  gst_element_message_full (element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      mapping.code, text, debug, __FILE__, GST_FUNCTION, __LINE__);
}
