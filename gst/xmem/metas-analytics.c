/* SPDX-License-Identifier: MIT */
/* What analytics found in a picture, and how it belongs together
 * (GstAnalyticsRelationMeta). Keeps no state.
 *
 * The record: n_mtds, n_relations u32, the mtds, then per relation two indices
 * of mtds and the types of the relation u32. An mtd is
 *
 *   1, object: x, y, w, h i32, angle, confidence f32, type text
 *   2, classes: n u32, n times level f32 and name text
 *   3, track: lost u32, id, first seen, last seen: low and high u32 each
 *
 *   4, segmentation: see segmentation.h
 *
 * behind its number u32. Others do not travel. */
#include <gst/analytics/analytics.h>
#include <math.h>

#include "metakinds.h"
#include "text.h"
#if GST_CHECK_VERSION(1, 26, 0)
#include "segmentation.h"
#endif

/* The relations are a matrix. */
#define MAX_MTDS 512

enum { MTD_OBJECT = 1, MTD_CLASSES = 2, MTD_TRACK = 3, MTD_SEGMENTATION = 4 };

static gboolean
put_float (GstByteWriter *w, gfloat value)
{
  return gst_byte_writer_put_float32_le (w, value);
}

/* Its place is a multiple of 4 only. */
static gboolean
put_halves (GstByteWriter *w, guint64 value)
{
  return gst_byte_writer_put_uint32_le (w, (guint32) value)
         && gst_byte_writer_put_uint32_le (w, (guint32) (value >> 32));
}

static gboolean
put_quark (GstByteWriter *w, GQuark quark)
{
  const gchar *text = g_quark_to_string (quark);

  return gst_xmem_text_put (w, text ? text : "");
}

/* --- writing ------------------------------------------------------------- */

static gboolean
write_object (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  gint x, y, width, height;
  gfloat angle = 0, confidence;

#if GST_CHECK_VERSION(1, 26, 0)
  if (!gst_analytics_od_mtd_get_oriented_location (
          mtd, &x, &y, &width, &height, &angle, &confidence))
    return FALSE;
#else
  if (!gst_analytics_od_mtd_get_location (
          mtd, &x, &y, &width, &height, &confidence))
    return FALSE;
#endif
  return gst_byte_writer_put_uint32_le (w, MTD_OBJECT)
         && gst_byte_writer_put_int32_le (w, x)
         && gst_byte_writer_put_int32_le (w, y)
         && gst_byte_writer_put_int32_le (w, width)
         && gst_byte_writer_put_int32_le (w, height) && put_float (w, angle)
         && put_float (w, confidence)
         && put_quark (w, gst_analytics_od_mtd_get_obj_type (mtd));
}

static gboolean
write_classes (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  gsize n = gst_analytics_cls_mtd_get_length (mtd);

  if (!gst_byte_writer_put_uint32_le (w, MTD_CLASSES)
      || !gst_byte_writer_put_uint32_le (w, (guint32) n))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (!put_float (w, gst_analytics_cls_mtd_get_level (mtd, i))
        || !put_quark (w, gst_analytics_cls_mtd_get_quark (mtd, i)))
      return FALSE;
  return TRUE;
}

static gboolean
write_track (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  guint64 id, first, last;
  gboolean lost;

  return gst_analytics_tracking_mtd_get_info (mtd, &id, &first, &last, &lost)
         && gst_byte_writer_put_uint32_le (w, MTD_TRACK)
         && gst_byte_writer_put_uint32_le (w, lost != 0) && put_halves (w, id)
         && put_halves (w, first) && put_halves (w, last);
}

static gboolean
write_mtd (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  GstAnalyticsMtdType type = gst_analytics_mtd_get_mtd_type (mtd);

  if (type == gst_analytics_od_mtd_get_mtd_type ())
    return write_object (w, mtd);
  if (type == gst_analytics_cls_mtd_get_mtd_type ())
    return write_classes (w, mtd);
  if (type == gst_analytics_tracking_mtd_get_mtd_type ())
    return write_track (w, mtd);
#if GST_CHECK_VERSION(1, 26, 0)
  if (type == gst_analytics_segmentation_mtd_get_mtd_type ())
    return gst_byte_writer_put_uint32_le (w, MTD_SEGMENTATION)
           && gst_xmem_segmentation_write (w, mtd);
#endif
  return FALSE;
}

/* Writes those that travel, and gives their ids. */
static guint32
write_mtds (GstByteWriter *w, GstAnalyticsRelationMeta *meta, guint *ids,
    guint *n_left_out)
{
  gpointer state = NULL;
  GstAnalyticsMtd mtd;
  guint32 n = 0;

  while (gst_analytics_relation_meta_iterate (
      meta, &state, GST_ANALYTICS_MTD_TYPE_ANY, &mtd)) {
    guint start = gst_byte_writer_get_pos (w);

    if (n < MAX_MTDS && write_mtd (w, &mtd)) {
      ids[n++] = gst_analytics_mtd_get_id (&mtd);
    } else {
      gst_byte_writer_set_pos (w, start);
      *n_left_out += 1;
    }
  }
  return n;
}

static guint32
write_relations (GstByteWriter *w, const GstAnalyticsRelationMeta *meta,
    const guint *ids, guint32 n)
{
  guint32 n_relations = 0;

  for (guint32 i = 0; i < n; i++)
    for (guint32 k = 0; k < n; k++) {
      const guint32 v[] = { i, k,
        gst_analytics_relation_meta_get_relation (meta, ids[i], ids[k]) };

      if (v[2] != GST_ANALYTICS_REL_TYPE_NONE
          && gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v)))
        n_relations++;
    }
  return n_relations;
}

static gboolean
write_analytics (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  GstAnalyticsRelationMeta *relation = (GstAnalyticsRelationMeta *) meta;
  guint start = gst_byte_writer_get_pos (w);
  guint32 counts[2] = { 0, 0 };
  guint ids[MAX_MTDS];
  guint end;

  if (!gst_xmem_put_u32s (w, counts, 2))
    return FALSE;
  counts[0] = write_mtds (w, relation, ids, n_left_out);
  counts[1] = write_relations (w, relation, ids, counts[0]);
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, start);
  return gst_xmem_put_u32s (w, counts, 2) && gst_byte_writer_set_pos (w, end);
}

/* --- reading ------------------------------------------------------------- */

static gboolean
get_float (GstByteReader *r, gfloat *value)
{
  return gst_byte_reader_get_float32_le (r, value) && isfinite (*value);
}

static gboolean
read_object (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  GstAnalyticsMtd mtd;
  gfloat angle, confidence;
  guint32 v[4];
  GQuark type;

  if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)) || !get_float (r, &angle)
      || !get_float (r, &confidence) || !gst_xmem_text_get_quark (r, &type))
    return FALSE;
#if GST_CHECK_VERSION(1, 26, 0)
  return gst_analytics_relation_meta_add_oriented_od_mtd (meta, type,
      (gint) v[0], (gint) v[1], (gint) v[2], (gint) v[3], angle, confidence,
      &mtd);
#else
  return gst_analytics_relation_meta_add_od_mtd (meta, type, (gint) v[0],
      (gint) v[1], (gint) v[2], (gint) v[3], confidence, &mtd);
#endif
}

static gboolean
read_classes (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  g_autofree gfloat *levels = NULL;
  g_autofree GQuark *names = NULL;
  GstAnalyticsMtd mtd;
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (r, &n) || n == 0
      || n > gst_byte_reader_get_remaining (r) / 8)
    return FALSE;
  levels = g_new (gfloat, n);
  names = g_new (GQuark, n);
  for (guint32 i = 0; i < n; i++)
    if (!get_float (r, &levels[i]) || !gst_xmem_text_get_quark (r, &names[i]))
      return FALSE;
  return gst_analytics_relation_meta_add_cls_mtd (meta, n, levels, names, &mtd);
}

static guint64
join (const guint32 *halves)
{
  return halves[0] | (guint64) halves[1] << 32;
}

static gboolean
read_track (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  GstAnalyticsMtd mtd;
  guint32 v[7];

  return gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v))
         && gst_analytics_relation_meta_add_tracking_mtd (
             meta, join (v + 1), join (v + 3), &mtd)
         && gst_analytics_tracking_mtd_update_last_seen (&mtd, join (v + 5))
         && (!v[0] || gst_analytics_tracking_mtd_set_lost (&mtd));
}

static gboolean
read_mtd (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  guint32 type;

  if (!gst_byte_reader_get_uint32_le (r, &type))
    return FALSE;
  switch (type) {
    case MTD_OBJECT:
      return read_object (r, meta);
    case MTD_CLASSES:
      return read_classes (r, meta);
    case MTD_TRACK:
      return read_track (r, meta);
#if GST_CHECK_VERSION(1, 26, 0)
    case MTD_SEGMENTATION:
      return gst_xmem_segmentation_read (r, meta);
#endif
    default:
      return FALSE;
  }
}

/* Of mtds that were added to an empty meta the index is the id. */
static gboolean
read_into (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  guint32 counts[2], v[3];

  if (!gst_xmem_get_u32s (r, counts, 2) || counts[0] > MAX_MTDS)
    return FALSE;
  for (guint32 i = 0; i < counts[0]; i++)
    if (!read_mtd (r, meta))
      return FALSE;
  for (guint32 i = 0; i < counts[1]; i++)
    if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)) || v[0] >= counts[0]
        || v[1] >= counts[0]
        || !gst_analytics_relation_meta_set_relation (meta, v[2], v[0], v[1]))
      return FALSE;
  return TRUE;
}

static gboolean
read_analytics (GstByteReader *r, const GstXmemMetaTarget *target)
{
  GstAnalyticsRelationMeta *meta;

  if (gst_buffer_get_analytics_relation_meta (target->buffer))
    return FALSE; /* a buffer has one */
  meta = gst_buffer_add_analytics_relation_meta (target->buffer);
  if (read_into (r, meta))
    return TRUE;
  gst_buffer_remove_meta (target->buffer, (GstMeta *) meta);
  return FALSE;
}

const GstXmemMetaKind gst_xmem_meta_analytics = { 13, 1,
  "GstAnalyticsRelationMeta", gst_analytics_relation_meta_api_get_type,
  write_analytics, read_analytics };
