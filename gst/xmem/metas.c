/* SPDX-License-Identifier: MIT */
/* A frame's metas are records {kind u16, version u16, size u32, bytes, padding
 * to 8}, little-endian, in the order in which the buffer has them. Owns the
 * table of kinds, and knows none of them but for GstVideoMeta, which is more
 * than a meta: it says how memory is read (videometa.c).
 *
 * Invariant: a record that is not understood costs nothing but itself. */
#include "metas.h"

#include <gst/base/gstbytereader.h>

#include <xmem/frame.h>

#include "metakinds.h"

#define VIDEO_KIND 1
#define VIDEO_VERSION 1
#define VIDEO_NAME "GstVideoMeta"
#define HEADER_SIZE 8
/* Of a frame: bounds what a peer's bytes become in memory. */
#define MAX_RECORDS 8192

static const GstXmemMetaKind *const kinds[] = {
  &gst_xmem_meta_crop,
  &gst_xmem_meta_roi,
  &gst_xmem_meta_time_code,
  &gst_xmem_meta_caption,
  &gst_xmem_meta_afd,
  &gst_xmem_meta_bar,
  &gst_xmem_meta_audio,
  &gst_xmem_meta_audio_clipping,
  &gst_xmem_meta_reference_timestamp,
  &gst_xmem_meta_custom,
#if GST_CHECK_VERSION(1, 24, 0)
  &gst_xmem_meta_serialised,
#endif
#ifdef HAVE_GST_ANALYTICS
  &gst_xmem_meta_analytics,
#endif
};

/* --- writing ------------------------------------------------------------- */

static const GstXmemMetaKind *
kind_of_info (const GstMetaInfo *info)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i]->api && kinds[i]->api () == info->api)
      return kinds[i];
  if (gst_meta_info_is_custom (info))
    return &gst_xmem_meta_custom;
#if GST_CHECK_VERSION(1, 24, 0)
  if (info->serialize_func)
    return &gst_xmem_meta_serialised;
#endif
  return NULL;
}

gboolean
gst_xmem_meta_has_kind (const GstMetaInfo *info)
{
  const GstXmemMetaKind *kind = kind_of_info (info);

  return info->api == GST_VIDEO_META_API_TYPE
         || (kind && (kind->api || kind == &gst_xmem_meta_custom));
}

/* What belongs to this process' memory or to a pool has no meaning elsewhere;
 * GstBuffer's deep copy and GstBaseTransform leave it behind too. */
static gboolean
is_ours_alone (const GstMeta *meta)
{
  return GST_META_FLAG_IS_SET (meta, GST_META_FLAG_POOLED)
         || gst_meta_api_type_has_tag (meta->info->api,
             g_quark_from_static_string (GST_META_TAG_MEMORY_REFERENCE_STR));
}

static guint
begin_record (GstByteWriter *w, guint16 kind, guint16 version)
{
  guint start = gst_byte_writer_get_pos (w);

  gst_byte_writer_put_uint16_le (w, kind);
  gst_byte_writer_put_uint16_le (w, version);
  gst_byte_writer_put_uint32_le (w, 0);
  return start;
}

/* Takes it back unless all is well and it fits. */
static gboolean
end_record (GstByteWriter *w, guint start, gboolean ok)
{
  guint end = gst_byte_writer_get_pos (w);

  ok = ok && gst_byte_writer_fill (w, 0, -end & 7)
       && gst_byte_writer_get_pos (w) <= XMEM_MAX_METAS;
  if (ok)
    GST_WRITE_UINT32_LE (
        (guint8 *) w->parent.data + start + 4, end - start - HEADER_SIZE);
  else
    gst_byte_writer_set_pos (w, start);
  return ok;
}

static gboolean
write_video (GstByteWriter *w, GstVideoMeta *meta)
{
  guint start = begin_record (w, VIDEO_KIND, VIDEO_VERSION);

  return end_record (w, start, gst_xmem_layout_write (meta, w));
}

static gboolean
write_kind (GstByteWriter *w, GstMeta *meta, const GstXmemMetaKind *kind,
    GstXmemTally *dropped)
{
  const gchar *name = g_type_name (meta->info->type);
  guint start = begin_record (w, kind->kind, kind->version);
  guint n_left_out = 0;

  if (!end_record (w, start, kind->write (w, meta, &n_left_out)))
    return FALSE;
  for (; n_left_out > 0; n_left_out--) {
    g_autofree gchar *field = g_strconcat (name, "-field", NULL);

    gst_xmem_tally_add (dropped, field);
  }
  return TRUE;
}

static gboolean
write_meta (
    GstByteWriter *w, GstBuffer *buffer, GstMeta *meta, GstXmemTally *dropped)
{
  const GstXmemMetaKind *kind;

  if (meta->info->api == GST_VIDEO_META_API_TYPE) {
    GstVideoMeta *first = gst_buffer_get_video_meta (buffer);

    return (GstMeta *) first == meta && write_video (w, first);
  }
  if (is_ours_alone (meta))
    return TRUE;
  kind = kind_of_info (meta->info);
  return kind && write_kind (w, meta, kind, dropped);
}

void
gst_xmem_metas_write (
    GstByteWriter *w, GstBuffer *buffer, GstXmemTally *dropped)
{
  gpointer state = NULL;
  guint n_records = 0;
  GstMeta *meta;

  gst_byte_writer_set_pos (w, 0);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)))
    if (++n_records > MAX_RECORDS || !write_meta (w, buffer, meta, dropped))
      gst_xmem_tally_add (dropped, g_type_name (meta->info->type));
}

/* --- reading ------------------------------------------------------------- */

typedef struct {
  guint16 kind;
  guint16 version;
  GstByteReader bytes;
} Record;

/* False at the end, and at what is no record. */
static gboolean
next_record (GstByteReader *r, Record *record)
{
  guint32 size;

  return gst_byte_reader_get_uint16_le (r, &record->kind)
         && gst_byte_reader_get_uint16_le (r, &record->version)
         && gst_byte_reader_get_uint32_le (r, &size)
         && gst_byte_reader_get_sub_reader (r, &record->bytes, size)
         && gst_byte_reader_skip (
             r, MIN (-size & 7, gst_byte_reader_get_remaining (r)));
}

GstXmemLayoutState
gst_xmem_metas_read_layout (gconstpointer data, gsize size,
    const GstVideoInfo *info, GstBuffer *buffer, GstXmemVideoLayout *layout)
{
  GstByteReader r;
  Record record;

  gst_byte_reader_init (&r, data, (guint) size);
  while (next_record (&r, &record))
    if (record.kind == VIDEO_KIND)
      return info && record.version == VIDEO_VERSION
                     && gst_xmem_layout_read (&record.bytes, layout)
                     && gst_xmem_layout_is_possible (layout, info, buffer)
                 ? GST_XMEM_LAYOUT_GOOD
                 : GST_XMEM_LAYOUT_BAD;
  return GST_XMEM_LAYOUT_NONE;
}

static const GstXmemMetaKind *
kind_of_record (const Record *record)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i]->kind == record->kind)
      return kinds[i];
  return NULL;
}

static void
count_record (const Record *record, GstXmemTally *dropped)
{
  const GstXmemMetaKind *kind = kind_of_record (record);
  g_autofree gchar *name = NULL;

  if (kind)
    name = g_strdup (kind->name);
  else
    name = g_strdup_printf ("kind-%u", record->kind);
  gst_xmem_tally_add (dropped, name);
}

static gboolean
read_record (Record *record, const GstXmemMetaTarget *target)
{
  const GstXmemMetaKind *kind = kind_of_record (record);

  return kind && kind->version == record->version
         && kind->read (&record->bytes, target);
}

void
gst_xmem_metas_read (gconstpointer data, gsize size,
    const GstXmemMetaTarget *target, GstXmemTally *dropped)
{
  guint n_records = 0;
  GstByteReader r;
  Record record;

  gst_byte_reader_init (&r, data, (guint) size);
  while (gst_byte_reader_get_remaining (&r) > 0) {
    if (++n_records > MAX_RECORDS || !next_record (&r, &record)) {
      gst_xmem_tally_add (dropped, "malformed");
      return;
    }
    if (record.kind != VIDEO_KIND && !read_record (&record, target))
      count_record (&record, dropped);
  }
}
