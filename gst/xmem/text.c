/* SPDX-License-Identifier: MIT */
/* Keeps no state but how many quarks peers have made.
 *
 * GStreamer's parser recurses at each opening bracket outside of a quoted
 * string, and fails at the first one that does not match; inside of strings it
 * nests by doubling backslashes, so that the size bounds the depth. It may warn
 * of what it finds there, which is all the harm. Names of
 * structures and fields become quarks, which the process keeps for good: a
 * publisher that sends ever new ones makes it grow. */
#include "text.h"

#include <string.h>

#include <xmem/frame.h>

#define MAX_DEPTH 32
#define MAX_NEW_QUARKS 4096

static gboolean
is_shallow (const gchar *text)
{
  gboolean quoted = FALSE;
  guint depth = 0;

  for (const gchar *c = text; *c; c++) {
    if (*c == '\\' && c[1])
      c++;
    else if (*c == '"')
      quoted = !quoted;
    else if (!quoted && strchr ("{[<(", *c) && ++depth > MAX_DEPTH)
      return FALSE;
    else if (!quoted && strchr ("}]>)", *c) && depth > 0)
      depth--;
  }
  return TRUE;
}

/* A text that starts with no name would be a critical warning. */
static gboolean
is_safe (const gchar *text)
{
  return g_ascii_isalpha (text[0]) && is_shallow (text);
}

GstCaps *
gst_xmem_text_to_caps (const gchar *text)
{
  return is_safe (text) ? gst_caps_from_string (text) : NULL;
}

GstStructure *
gst_xmem_text_to_structure (const gchar *text)
{
  GstStructure *structure;
  gchar *end;

  structure = is_safe (text) ? gst_structure_from_string (text, &end) : NULL;
  if (structure && *end != '\0')
    g_clear_pointer (&structure, gst_structure_free);
  return structure;
}

gboolean
gst_xmem_text_put (GstByteWriter *w, const gchar *text)
{
  gsize size = strlen (text);

  return size <= XMEM_MAX_METAS && gst_byte_writer_put_uint32_le (w, size)
         && gst_byte_writer_put_data (w, (const guint8 *) text, size)
         && gst_byte_writer_fill (w, 0, -size & 3);
}

gchar *
gst_xmem_text_get (GstByteReader *r)
{
  const guint8 *data;
  guint32 size;

  if (!gst_byte_reader_get_uint32_le (r, &size)
      || !gst_byte_reader_get_data (r, size, &data)
      || !gst_byte_reader_skip (r, -size & 3)
      || !g_utf8_validate_len ((const gchar *) data, size, NULL))
    return NULL;
  return g_strndup ((const gchar *) data, size);
}

gboolean
gst_xmem_text_get_quark (GstByteReader *r, GQuark *quark)
{
  static gint n_new; /* atomic */
  g_autofree gchar *text = gst_xmem_text_get (r);

  if (!text)
    return FALSE;
  *quark = g_quark_try_string (text);
  if (*quark == 0 && text[0] != '\0') {
    if (g_atomic_int_get (&n_new) >= MAX_NEW_QUARKS)
      return FALSE;
    g_atomic_int_inc (&n_new);
    *quark = g_quark_from_string (text);
  }
  return TRUE;
}

static gboolean
keep_if_text (GQuark field, GValue *value, gpointer n_left_out)
{
  g_autofree gchar *text = gst_value_serialize (value);

  if (!text)
    *(guint *) n_left_out += 1;
  return text != NULL;
}

gboolean
gst_xmem_text_put_structure (
    GstByteWriter *w, const GstStructure *structure, guint *n_left_out)
{
  g_autoptr (GstStructure) copy = gst_structure_copy (structure);
  g_autofree gchar *text = NULL;

  gst_structure_filter_and_map_in_place (copy, keep_if_text, n_left_out);
  text = gst_structure_to_string (copy);
  return text && gst_xmem_text_put (w, text);
}

GstStructure *
gst_xmem_text_get_structure (GstByteReader *r)
{
  g_autofree gchar *text = gst_xmem_text_get (r);

  return text ? gst_xmem_text_to_structure (text) : NULL;
}
