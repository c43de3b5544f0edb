/* SPDX-License-Identifier: MIT */
/* Keeps no state. Threads: any. */
#include "access.h"

static gboolean
read_uids (const gchar *text, GArray *uids)
{
  g_auto (GStrv) words = g_strsplit (text, ",", -1);
  guint64 value;
  guint32 uid;

  for (guint i = 0; words[i]; i++) {
    if (!g_ascii_string_to_unsigned (
            g_strstrip (words[i]), 10, 0, G_MAXUINT32 - 1, &value, NULL))
      return FALSE;
    uid = (guint32) value;
    g_array_append_val (uids, uid);
  }
  return TRUE;
}

int
gst_xmem_access_set (struct xmem_publisher_params *params, const gchar *group,
    const gchar *allow_uids, GArray **uids, struct xmem_error *error)
{
  *uids = g_array_new (FALSE, FALSE, sizeof (guint32));
  if (group && group[0] != '\0')
    params->group = group;
  if (!allow_uids || allow_uids[0] == '\0')
    return 0;
  if (!read_uids (allow_uids, *uids)) {
    *error = (struct xmem_error){ .status = XMEM_INVALID };
    g_snprintf (error->message, sizeof (error->message),
        "allow-uids=\"%.100s\" is no list of numbers of users, such as "
        "1000,1001",
        allow_uids);
    return XMEM_INVALID;
  }
  params->allowed_uids = (const uint32_t *) (gpointer) (*uids)->data;
  params->n_allowed_uids = (*uids)->len;
  return 0;
}
