/* SPDX-License-Identifier: MIT */
/* The metas that are not about pictures. Keeps no state. */
#include <string.h>

#include "metakinds.h"
#include "text.h"

#define MAX_CUSTOM_NAME 128
#define MAX_PLANES 64 /* channels that a GstAudioInfo knows the places of */

/* --- audio: format, layout, rate, channels, n_offsets, 0 u32, samples u64,
 * n_offsets times u64 ----------------------------------------------------- */

static gboolean
write_audio (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstAudioMeta *audio = (GstAudioMeta *) meta;
  guint32 n = audio->offsets ? (guint32) audio->info.channels : 0;
  const guint32 v[] = { GST_AUDIO_INFO_FORMAT (&audio->info),
    audio->info.layout, (guint32) audio->info.rate,
    (guint32) audio->info.channels, n, 0 };

  if (!gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v))
      || !gst_byte_writer_put_uint64_le (w, audio->samples))
    return FALSE;
  for (guint32 i = 0; i < n; i++)
    if (!gst_byte_writer_put_uint64_le (w, audio->offsets[i]))
      return FALSE;
  return TRUE;
}

/* Elements index planes by the channels of the caps, so these must be the same.
 * Positions are the caps'. */
static gboolean
audio_like_caps (const guint32 *v, const GstAudioInfo *info)
{
  return info && v[0] == (guint32) GST_AUDIO_INFO_FORMAT (info)
         && v[1] == (guint32) info->layout && v[2] == (guint32) info->rate
         && v[3] == (guint32) info->channels;
}

/* Planes lie in the buffer, and apart from each other. */
static gboolean
planes_possible (
    const gsize *offsets, guint32 n, guint64 plane_size, gsize size)
{
  for (guint32 i = 0; i < n; i++) {
    if (plane_size > size || offsets[i] > size - plane_size)
      return FALSE;
    for (guint32 k = 0; k < i; k++)
      if (MAX (offsets[i], offsets[k]) - MIN (offsets[i], offsets[k])
          < plane_size)
        return FALSE;
  }
  return TRUE;
}

static gboolean
read_offsets (GstByteReader *r, gsize *offsets, guint32 n)
{
  guint64 offset;

  for (guint32 i = 0; i < n; i++) {
    if (!gst_byte_reader_get_uint64_le (r, &offset))
      return FALSE;
    offsets[i] = offset;
  }
  return TRUE;
}

static gboolean
read_audio (GstByteReader *r, const GstXmemMetaTarget *target)
{
  const GstAudioInfo *info = target->audio;
  gsize size = gst_buffer_get_size (target->buffer);
  gsize offsets[MAX_PLANES];
  guint64 samples;
  guint32 v[6];

  if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)) || !audio_like_caps (v, info)
      || !gst_byte_reader_get_uint64_le (r, &samples) || samples == 0
      || samples > size / info->bpf || v[4] > MAX_PLANES
      || !read_offsets (r, offsets, v[4]))
    return FALSE;
  if (info->layout == GST_AUDIO_LAYOUT_INTERLEAVED)
    return v[4] == 0
           && gst_buffer_add_audio_meta (target->buffer, info, samples, NULL);
  return v[4] == v[3]
         && planes_possible (offsets, v[4],
             samples * (guint64) (info->bpf / info->channels), size)
         && gst_buffer_add_audio_meta (target->buffer, info, samples, offsets);
}

const GstXmemMetaKind gst_xmem_meta_audio = { 8, 1, "GstAudioMeta",
  gst_audio_meta_api_get_type, write_audio, read_audio };

/* --- audio clipping: start, end u64, format u32 -------------------------- */

static gboolean
write_audio_clipping (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstAudioClippingMeta *clipping = (GstAudioClippingMeta *) meta;

  return gst_byte_writer_put_uint64_le (w, clipping->start)
         && gst_byte_writer_put_uint64_le (w, clipping->end)
         && gst_byte_writer_put_uint32_le (w, clipping->format);
}

/* Formats that elements make up are numbers of their process. */
static gboolean
read_audio_clipping (GstByteReader *r, const GstXmemMetaTarget *target)
{
  guint64 start, end;
  guint32 format;

  return gst_byte_reader_get_uint64_le (r, &start)
         && gst_byte_reader_get_uint64_le (r, &end)
         && gst_byte_reader_get_uint32_le (r, &format)
         && format >= GST_FORMAT_DEFAULT && format <= GST_FORMAT_TIME
         && gst_buffer_add_audio_clipping_meta (
             target->buffer, format, start, end);
}

const GstXmemMetaKind gst_xmem_meta_audio_clipping = { 9, 1,
  "GstAudioClippingMeta", gst_audio_clipping_meta_api_get_type,
  write_audio_clipping, read_audio_clipping };

/* --- reference timestamp: timestamp, duration u64, a structure: that of the
 * caps, which have no other and no features ------------------------------- */

static gboolean
write_reference_timestamp (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstReferenceTimestampMeta *time = (GstReferenceTimestampMeta *) meta;
  GstCaps *caps = time->reference;

  return gst_caps_get_size (caps) == 1 && !gst_caps_is_any (caps)
         && gst_caps_features_is_equal (gst_caps_get_features (caps, 0),
             GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)
         && gst_byte_writer_put_uint64_le (w, time->timestamp)
         && gst_byte_writer_put_uint64_le (w, time->duration)
         && gst_xmem_text_put_structure (
             w, gst_caps_get_structure (caps, 0), n_left_out);
}

static gboolean
read_reference_timestamp (GstByteReader *r, const GstXmemMetaTarget *target)
{
  g_autoptr (GstCaps) caps = NULL;
  guint64 timestamp, duration;
  GstStructure *structure;

  if (!gst_byte_reader_get_uint64_le (r, &timestamp)
      || !gst_byte_reader_get_uint64_le (r, &duration)
      || !GST_CLOCK_TIME_IS_VALID (timestamp)
      || !(structure = gst_xmem_text_get_structure (r)))
    return FALSE;
  caps = gst_caps_new_full (structure, NULL);
  return gst_buffer_add_reference_timestamp_meta (
             target->buffer, caps, timestamp, duration)
         != NULL;
}

const GstXmemMetaKind gst_xmem_meta_reference_timestamp = { 10, 1,
  "GstReferenceTimestampMeta", gst_reference_timestamp_meta_api_get_type,
  write_reference_timestamp, read_reference_timestamp };

/* --- custom: name text, structure ----------------------------------------

 * A name that nobody here has registered is not registered for a peer: it would
 * take the name from a type that comes later, and cannot be taken back. Such a
 * meta arrives as ours, with a structure of that name; when it is sent on, it is
 * what it was. */

static const GstMetaInfo *
unknown_info (void)
{
  static gsize info = 0;
  static const gchar *no_tags[] = { NULL };

  if (g_once_init_enter (&info))
    g_once_init_leave (
        &info, (gsize) gst_meta_register_custom (
                   GST_XMEM_UNKNOWN_CUSTOM, no_tags, NULL, NULL, NULL));
  return (const GstMetaInfo *) info;
}

static gboolean
write_custom (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstStructure *structure =
      gst_custom_meta_get_structure ((GstCustomMeta *) meta);
  const gchar *name = meta->info == unknown_info ()
                          ? gst_structure_get_name (structure)
                          : g_type_name (meta->info->type);

  return gst_xmem_text_put (w, name)
         && gst_xmem_text_put_structure (w, structure, n_left_out);
}

/* What GType takes as a name, and GstStructure. */
static gboolean
name_possible (const gchar *name)
{
  gsize n = strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_+");

  return n >= 3 && n <= MAX_CUSTOM_NAME && name[n] == '\0'
         && g_ascii_isalpha (name[0]);
}

static gboolean
copy_field (GQuark field, const GValue *value, gpointer structure)
{
  gst_structure_id_set_value (structure, field, value);
  return TRUE;
}

static void
add_custom (GstBuffer *buffer, const GstMetaInfo *info, const gchar *name,
    const GstStructure *from)
{
  GstMeta *meta = gst_buffer_add_meta (buffer, info, NULL);
  GstStructure *to = gst_custom_meta_get_structure ((GstCustomMeta *) meta);

  gst_structure_set_name (to, name);
  gst_structure_foreach (from, copy_field, to);
}

static gboolean
read_custom (GstByteReader *r, const GstXmemMetaTarget *target)
{
  g_autofree gchar *name = gst_xmem_text_get (r);
  g_autoptr (GstStructure) from = NULL;
  const GstMetaInfo *info;

  if (!name || !name_possible (name))
    return FALSE;
  info = gst_meta_get_info (name);
  if (!info)
    info = unknown_info ();
  if (!gst_meta_info_is_custom (info))
    return FALSE;
  from = gst_xmem_text_get_structure (r);
  if (from)
    add_custom (target->buffer, info, name, from);
  return from != NULL;
}

const GstXmemMetaKind gst_xmem_meta_custom = { 11, 1, "GstCustomMeta", NULL,
  write_custom, read_custom };
