/* SPDX-License-Identifier: MIT */
#include "settings.h"

static void
set_string (gchar **member, const GValue *value, GParamSpec *pspec)
{
  const gchar *text = g_value_get_string (value);

  g_free (*member);
  *member = g_strdup (text ? text : G_PARAM_SPEC_STRING (pspec)->default_value);
}

void
gst_xmem_settings_set (GObject *object, const gsize *offsets, guint id,
    const GValue *value, GParamSpec *pspec)
{
  gpointer member = G_STRUCT_MEMBER_P (object, offsets[id]);

  GST_OBJECT_LOCK (object);
  switch (G_TYPE_FUNDAMENTAL (pspec->value_type)) {
    case G_TYPE_STRING:
      set_string (member, value, pspec);
      break;
    case G_TYPE_BOOLEAN:
      *(gboolean *) member = g_value_get_boolean (value);
      break;
    case G_TYPE_INT:
      *(gint *) member = g_value_get_int (value);
      break;
    case G_TYPE_UINT:
      *(guint *) member = g_value_get_uint (value);
      break;
    case G_TYPE_UINT64:
      *(guint64 *) member = g_value_get_uint64 (value);
      break;
    case G_TYPE_ENUM:
      *(gint *) member = g_value_get_enum (value);
      break;
    default:
      g_assert_not_reached ();
  }
  GST_OBJECT_UNLOCK (object);
}

void
gst_xmem_settings_init (
    GObject *object, const gsize *offsets, GParamSpec *const *specs, guint n)
{
  for (guint id = 1; id < n; id++)
    if (offsets[id] != 0)
      gst_xmem_settings_set (object, offsets, id,
          g_param_spec_get_default_value (specs[id]), specs[id]);
}

void
gst_xmem_settings_get (GObject *object, const gsize *offsets, guint id,
    GValue *value, GParamSpec *pspec)
{
  gconstpointer member = G_STRUCT_MEMBER_P (object, offsets[id]);

  GST_OBJECT_LOCK (object);
  switch (G_TYPE_FUNDAMENTAL (pspec->value_type)) {
    case G_TYPE_STRING:
      g_value_set_string (value, *(gchar *const *) member);
      break;
    case G_TYPE_BOOLEAN:
      g_value_set_boolean (value, *(const gboolean *) member);
      break;
    case G_TYPE_INT:
      g_value_set_int (value, *(const gint *) member);
      break;
    case G_TYPE_UINT:
      g_value_set_uint (value, *(const guint *) member);
      break;
    case G_TYPE_UINT64:
      g_value_set_uint64 (value, *(const guint64 *) member);
      break;
    case G_TYPE_ENUM:
      g_value_set_enum (value, *(const gint *) member);
      break;
    default:
      g_assert_not_reached ();
  }
  GST_OBJECT_UNLOCK (object);
}
