/* SPDX-License-Identifier: MIT */
/* Little-endian:
 *
 *   text       size u32, bytes, padding to 4
 *   structure  name text, n u32, n times {name text, value}
 *   value      kind u32, then
 *     1 structure
 *     2 list, 3 array   n u32, n values
 *     4 buffer          as text
 *     5 sample          buffer and caps as text, size 0: none; info structure,
 *                       with an empty name: none
 *     6 caps            text
 *     7 string          text
 *     8 nothing: no string, or what could not be written
 *     9 other           name of the type text, gst_value_serialize () text
 *
 * Reading is bounded in depth, in fields of a structure (GstStructure looks
 * them up one by one) and in the number of values; bytes are bounded by the
 * event. Keeps no state. */
#include "values.h"

#include <string.h>

#include "text.h"

#define MAX_DEPTH 8
#define MAX_FIELDS 256
#define MAX_VALUES 65536

enum {
  KIND_STRUCTURE = 1,
  KIND_LIST,
  KIND_ARRAY,
  KIND_BUFFER,
  KIND_SAMPLE,
  KIND_CAPS,
  KIND_STRING,
  KIND_NOTHING,
  KIND_OTHER,
};

/* What GstStructure takes as a name. */
static gboolean
name_valid (const gchar *name)
{
  if (!g_ascii_isalpha (*name))
    return FALSE;
  while (g_ascii_isalnum (*name) || (*name && strchr ("/-_.:+", *name)))
    name++;
  return !*name;
}

/* Whether GStreamer's text form is used: of types that contain no others. */
static gboolean
is_plain (GType type)
{
  return type == G_TYPE_BOOLEAN || type == G_TYPE_INT || type == G_TYPE_UINT
         || type == G_TYPE_INT64 || type == G_TYPE_UINT64
         || type == G_TYPE_FLOAT || type == G_TYPE_DOUBLE || type == G_TYPE_DATE
         || type == GST_TYPE_DATE_TIME || type == GST_TYPE_FRACTION
         || type == GST_TYPE_BITMASK || G_TYPE_IS_ENUM (type)
         || G_TYPE_IS_FLAGS (type);
}

/* --- writing ------------------------------------------------------------- */

struct writing {
  GstByteWriter *w;
  guint n_lost;
  guint depth;
};

static void
put_bytes (GstByteWriter *w, gconstpointer data, gsize size)
{
  gst_byte_writer_put_uint32_le (w, (guint32) size);
  gst_byte_writer_put_data (w, data, (guint) size);
  gst_byte_writer_fill (w, 0, (guint) (-size & 3));
}

static void
put_text (GstByteWriter *w, const gchar *text)
{
  put_bytes (w, text, strlen (text));
}

static void
put_buffer (GstByteWriter *w, GstBuffer *buffer)
{
  GstMapInfo map;

  if (!buffer || !gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    put_bytes (w, "", 0);
    return;
  }
  put_bytes (w, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
}

static void
put_caps (GstByteWriter *w, const GstCaps *caps)
{
  g_autofree gchar *text = caps ? gst_caps_to_string (caps) : g_strdup ("");

  put_text (w, text);
}

static gboolean put_value (struct writing *writing, const GValue *value);

static gboolean
put_field (GQuark name, const GValue *value, gpointer user_data)
{
  struct writing *writing = user_data;
  guint before = gst_byte_writer_get_pos (writing->w);

  put_text (writing->w, g_quark_to_string (name));
  if (name_valid (g_quark_to_string (name)) && put_value (writing, value))
    return TRUE;
  /* Not even its name. */
  gst_byte_writer_set_pos (writing->w, before);
  gst_byte_writer_put_uint32_le (writing->w, 0);
  gst_byte_writer_put_uint32_le (writing->w, KIND_NOTHING);
  writing->n_lost++;
  return TRUE;
}

static void
put_structure (struct writing *writing, const GstStructure *structure)
{
  gint n;

  if (!structure) {
    put_text (writing->w, "");
    return;
  }
  n = gst_structure_n_fields (structure);
  put_text (writing->w, gst_structure_get_name (structure));
  gst_byte_writer_put_uint32_le (writing->w, n <= MAX_FIELDS ? (guint32) n : 0);
  if (n <= MAX_FIELDS)
    gst_structure_foreach (structure, put_field, writing);
  else
    writing->n_lost += (guint) n;
}

static void
put_sample (struct writing *writing, GstSample *sample)
{
  put_buffer (writing->w, gst_sample_get_buffer (sample));
  put_caps (writing->w, gst_sample_get_caps (sample));
  put_structure (writing, gst_sample_get_info (sample));
}

/* A value that cannot be written becomes one that is read as none. */
static void
put_values (struct writing *writing, const GValue *values, guint n,
    const GValue *get (const GValue *, guint))
{
  gst_byte_writer_put_uint32_le (writing->w, n);
  for (guint i = 0; i < n; i++) {
    guint before = gst_byte_writer_get_pos (writing->w);

    if (put_value (writing, get (values, i)))
      continue;
    gst_byte_writer_set_pos (writing->w, before);
    gst_byte_writer_put_uint32_le (writing->w, KIND_NOTHING);
    writing->n_lost++;
  }
}

static gboolean
put_plain (GstByteWriter *w, const GValue *value)
{
  g_autofree gchar *text =
      is_plain (G_VALUE_TYPE (value)) ? gst_value_serialize (value) : NULL;

  if (!text)
    return FALSE;
  gst_byte_writer_put_uint32_le (w, KIND_OTHER);
  put_text (w, G_VALUE_TYPE_NAME (value));
  put_text (w, text);
  return TRUE;
}

static gboolean
put_string (GstByteWriter *w, const gchar *text)
{
  if (text && !g_utf8_validate (text, -1, NULL))
    return FALSE;
  gst_byte_writer_put_uint32_le (w, text ? KIND_STRING : KIND_NOTHING);
  if (text)
    put_text (w, text);
  return TRUE;
}

static gboolean
put_container (struct writing *writing, const GValue *value)
{
  GstByteWriter *w = writing->w;

  if (GST_VALUE_HOLDS_LIST (value)) {
    gst_byte_writer_put_uint32_le (w, KIND_LIST);
    put_values (writing, value, gst_value_list_get_size (value),
        gst_value_list_get_value);
  } else if (GST_VALUE_HOLDS_ARRAY (value)) {
    gst_byte_writer_put_uint32_le (w, KIND_ARRAY);
    put_values (writing, value, gst_value_array_get_size (value),
        gst_value_array_get_value);
  } else if (GST_VALUE_HOLDS_STRUCTURE (value)
             && gst_value_get_structure (value)) {
    gst_byte_writer_put_uint32_le (w, KIND_STRUCTURE);
    put_structure (writing, gst_value_get_structure (value));
  } else if (GST_VALUE_HOLDS_SAMPLE (value) && gst_value_get_sample (value)) {
    gst_byte_writer_put_uint32_le (w, KIND_SAMPLE);
    put_sample (writing, gst_value_get_sample (value));
  } else {
    return FALSE;
  }
  return TRUE;
}

/* FALSE, having written anything, for a value that is not carried. */
static gboolean
put_value (struct writing *writing, const GValue *value)
{
  gboolean done;

  if (G_VALUE_HOLDS_STRING (value))
    return put_string (writing->w, g_value_get_string (value));
  if (GST_VALUE_HOLDS_BUFFER (value) && gst_value_get_buffer (value)) {
    gst_byte_writer_put_uint32_le (writing->w, KIND_BUFFER);
    put_buffer (writing->w, gst_value_get_buffer (value));
    return TRUE;
  }
  if (GST_VALUE_HOLDS_CAPS (value) && gst_value_get_caps (value)) {
    gst_byte_writer_put_uint32_le (writing->w, KIND_CAPS);
    put_caps (writing->w, gst_value_get_caps (value));
    return TRUE;
  }
  if (put_plain (writing->w, value))
    return TRUE;
  if (writing->depth == MAX_DEPTH)
    return FALSE;
  writing->depth++;
  done = put_container (writing, value);
  writing->depth--;
  return done;
}

guint
gst_xmem_structure_write (const GstStructure *structure, GstByteWriter *w)
{
  struct writing writing = { .w = w };

  put_structure (&writing, structure);
  return writing.n_lost;
}

/* --- reading ------------------------------------------------------------- */

struct reading {
  GstByteReader *r;
  guint n_values;
  guint depth;
};

static GstBuffer *
get_buffer (GstByteReader *r)
{
  const guint8 *data;
  guint32 size;

  if (!gst_byte_reader_get_uint32_le (r, &size)
      || !gst_byte_reader_get_data (r, size, &data)
      || !gst_byte_reader_skip (r, -size & 3))
    return NULL;
  return gst_buffer_new_memdup (data, size);
}

/* What get_value () found. */
typedef enum { BROKEN, NONE, VALUE } Found;

static Found get_value (struct reading *reading, GValue *value);

static gboolean
get_field (struct reading *reading, GstStructure *structure)
{
  g_autofree gchar *name = gst_xmem_text_get (reading->r);
  GValue value = G_VALUE_INIT;
  Found found = name ? get_value (reading, &value) : BROKEN;

  if (found == VALUE && name_valid (name))
    gst_structure_take_value (structure, name, &value);
  else if (found == VALUE)
    g_value_unset (&value);
  return found != BROKEN;
}

/* Gives NULL for one with an empty name. */
static gboolean
get_structure (struct reading *reading, GstStructure **structure_out)
{
  g_autofree gchar *name = gst_xmem_text_get (reading->r);
  g_autoptr (GstStructure) structure = NULL;
  guint32 n;

  *structure_out = NULL;
  if (name && !*name)
    return TRUE;
  if (!name || !name_valid (name)
      || !gst_byte_reader_get_uint32_le (reading->r, &n) || n > MAX_FIELDS)
    return FALSE;
  structure = gst_structure_new_empty (name);
  for (guint32 i = 0; i < n; i++)
    if (!get_field (reading, structure))
      return FALSE;
  *structure_out = g_steal_pointer (&structure);
  return TRUE;
}

static Found
get_structure_value (struct reading *reading, GValue *value)
{
  GstStructure *structure;

  if (!get_structure (reading, &structure) || !structure)
    return BROKEN;
  g_value_init (value, GST_TYPE_STRUCTURE);
  g_value_take_boxed (value, structure);
  return VALUE;
}

static Found
get_values (struct reading *reading, GValue *value, gboolean is_list)
{
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (reading->r, &n))
    return BROKEN;
  g_value_init (value, is_list ? GST_TYPE_LIST : GST_TYPE_ARRAY);
  for (guint32 i = 0; i < n; i++) {
    GValue item = G_VALUE_INIT;
    Found found = get_value (reading, &item);

    if (found == BROKEN) {
      g_value_unset (value);
      return BROKEN;
    }
    if (found == VALUE && is_list)
      gst_value_list_append_and_take_value (value, &item);
    else if (found == VALUE)
      gst_value_array_append_and_take_value (value, &item);
  }
  return VALUE;
}

static Found
get_sample (struct reading *reading, GValue *value)
{
  g_autoptr (GstBuffer) buffer = get_buffer (reading->r);
  g_autofree gchar *text = buffer ? gst_xmem_text_get (reading->r) : NULL;
  g_autoptr (GstCaps) caps = NULL;
  GstStructure *info;

  if (!text || !get_structure (reading, &info))
    return BROKEN;
  if (*text)
    caps = gst_xmem_text_to_caps (text);
  g_value_init (value, GST_TYPE_SAMPLE);
  g_value_take_boxed (value, gst_sample_new (buffer, caps, NULL, info));
  return VALUE;
}

static Found
get_caps (struct reading *reading, GValue *value)
{
  g_autofree gchar *text = gst_xmem_text_get (reading->r);
  GstCaps *caps = text ? gst_xmem_text_to_caps (text) : NULL;

  if (!caps)
    return text ? NONE : BROKEN;
  g_value_init (value, GST_TYPE_CAPS);
  g_value_take_boxed (value, caps);
  return VALUE;
}

static Found
get_plain (struct reading *reading, GValue *value)
{
  g_autofree gchar *name = gst_xmem_text_get (reading->r);
  g_autofree gchar *text = name ? gst_xmem_text_get (reading->r) : NULL;
  GType type = text ? g_type_from_name (name) : G_TYPE_INVALID;

  if (!text)
    return BROKEN;
  if (type == G_TYPE_INVALID || !is_plain (type))
    return NONE;
  g_value_init (value, type);
  if (gst_value_deserialize (value, text))
    return VALUE;
  g_value_unset (value);
  return NONE;
}

static Found
get_simple (struct reading *reading, guint32 kind, GValue *value)
{
  gchar *text;
  GstBuffer *buffer;

  if (kind == KIND_STRING) {
    text = gst_xmem_text_get (reading->r);
    if (!text)
      return BROKEN;
    g_value_init (value, G_TYPE_STRING);
    g_value_take_string (value, text);
    return VALUE;
  }
  if (kind == KIND_BUFFER) {
    buffer = get_buffer (reading->r);
    if (!buffer)
      return BROKEN;
    g_value_init (value, GST_TYPE_BUFFER);
    g_value_take_boxed (value, buffer);
    return VALUE;
  }
  if (kind == KIND_CAPS)
    return get_caps (reading, value);
  if (kind == KIND_OTHER)
    return get_plain (reading, value);
  return kind == KIND_NOTHING ? NONE : BROKEN;
}

static Found
get_value (struct reading *reading, GValue *value)
{
  Found found;
  guint32 kind;

  if (!gst_byte_reader_get_uint32_le (reading->r, &kind)
      || ++reading->n_values > MAX_VALUES)
    return BROKEN;
  if (kind < KIND_STRUCTURE || kind > KIND_SAMPLE || kind == KIND_BUFFER)
    return get_simple (reading, kind, value);
  if (reading->depth == MAX_DEPTH)
    return BROKEN;
  reading->depth++;
  if (kind == KIND_STRUCTURE)
    found = get_structure_value (reading, value);
  else if (kind == KIND_SAMPLE)
    found = get_sample (reading, value);
  else
    found = get_values (reading, value, kind == KIND_LIST);
  reading->depth--;
  return found;
}

GstStructure *
gst_xmem_structure_read (GstByteReader *r)
{
  struct reading reading = { .r = r };
  GstStructure *structure = NULL;

  return get_structure (&reading, &structure) ? structure : NULL;
}
