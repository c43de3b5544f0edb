/* SPDX-License-Identifier: MIT */
/* Metas that serialise themselves, as GStreamer 1.24 lets them, and that have no
 * kind of their own here. The record is what gst_meta_serialize () gives: size
 * of it all u32, n u32, the implementation's name of n bytes, NUL, version u8,
 * and bytes that only the implementation knows. Keeps no state.
 *
 * gst_meta_deserialize () believes the sizes; nothing is given to it before they
 * are known to be true. */
#include <string.h>

#include <xmem/frame.h>

#include "metakinds.h"

#define FIXED_SIZE 10
#define MAX_NAME 255

/* Whether it means something where the memory is other memory. */
static gboolean
is_portable (const GstMetaInfo *info)
{
  return !gst_meta_api_type_has_tag (
             info->api, g_quark_from_static_string (GST_META_TAG_MEMORY_STR))
         && !gst_meta_api_type_has_tag (info->api,
             g_quark_from_static_string (GST_META_TAG_MEMORY_REFERENCE_STR));
}

static gboolean
write_serialised (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  return is_portable (meta->info) && gst_meta_serialize_simple (meta, bytes)
         && bytes->len <= XMEM_MAX_METAS
         && gst_byte_writer_put_data (w, bytes->data, bytes->len);
}

/* NULL when the bytes are none, or tell of one that nobody here knows. */
static const GstMetaInfo *
find_info (const guint8 *data, guint size)
{
  const gchar *name = (const gchar *) data + 8;
  guint32 name_size;

  if (size < FIXED_SIZE || GST_READ_UINT32_LE (data) != size)
    return NULL;
  name_size = GST_READ_UINT32_LE (data + 4);
  if (name_size > MAX_NAME || name_size > size - FIXED_SIZE
      || strnlen (name, name_size + 1) != name_size)
    return NULL;
  return gst_meta_get_info (name);
}

static gboolean
read_serialised (GstByteReader *r, const GstXmemMetaTarget *target)
{
  guint size = gst_byte_reader_get_remaining (r);
  const guint8 *data = gst_byte_reader_get_data_unchecked (r, size);
  const GstMetaInfo *info = find_info (data, size);
  guint32 consumed;

  return info && info->deserialize_func && is_portable (info)
         && !gst_xmem_meta_has_kind (info)
         && gst_meta_deserialize (target->buffer, data, size, &consumed);
}

const GstXmemMetaKind gst_xmem_meta_serialised = { 12, 1, "serialised", NULL,
  write_serialised, read_serialised };
