/* SPDX-License-Identifier: MIT */
/* Keeps no state. */
#include "describe-metas.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif
#include <gst/audio/audio.h>
#include <gst/video/video.h>

static void
add_video (GString *s, GstVideoMeta *meta)
{
  g_string_append_printf (s, "%u %s %ux%u align %u,%u,%u,%u", meta->flags,
      gst_video_format_to_string (meta->format), meta->width, meta->height,
      meta->alignment.padding_top, meta->alignment.padding_bottom,
      meta->alignment.padding_left, meta->alignment.padding_right);
  for (guint i = 0; i < meta->n_planes; i++)
    g_string_append_printf (s, " plane %" G_GSIZE_FORMAT ",%d,%u",
        meta->offset[i], meta->stride[i], meta->alignment.stride_align[i]);
}

static void
add_structure (GString *s, const GstStructure *structure)
{
  g_autofree gchar *text = gst_structure_to_string (structure);

  if (s->str[s->len - 1] != ' ')
    g_string_append_c (s, ' ');
  g_string_append_printf (s, "{%s}", text);
}

static void
add_roi (GString *s, GstVideoRegionOfInterestMeta *meta)
{
  const gchar *type = g_quark_to_string (meta->roi_type);

  g_string_append_printf (s, "'%s' id %d of %d at %u,%u %ux%u",
      type ? type : "", meta->id, meta->parent_id, meta->x, meta->y, meta->w,
      meta->h);
  for (GList *p = meta->params; p; p = p->next)
    add_structure (s, p->data);
}

static void
add_time_code (GString *s, const GstVideoTimeCode *tc)
{
  GDateTime *jam = tc->config.latest_daily_jam;
  g_autofree gchar *text =
      jam ? g_date_time_format (jam, "%Y-%m-%dT%H:%M:%S.%f%:z") : NULL;

  g_string_append_printf (s, "%u:%u:%u:%u field %u at %u/%u flags %u jam %s",
      tc->hours, tc->minutes, tc->seconds, tc->frames, tc->field_count,
      tc->config.fps_n, tc->config.fps_d, tc->config.flags,
      text ? text : "none");
}

static void
add_caption (GString *s, const GstVideoCaptionMeta *meta)
{
  g_string_append_printf (s, "type %d ", meta->caption_type);
  for (gsize i = 0; i < meta->size; i++)
    g_string_append_printf (s, "%02x", meta->data[i]);
}

static void
add_audio (GString *s, const GstAudioMeta *meta)
{
  g_autoptr (GstCaps) caps = gst_audio_info_to_caps (&meta->info);
  g_autofree gchar *text = gst_caps_to_string (caps);

  g_string_append_printf (
      s, "%s samples %" G_GSIZE_FORMAT, text, meta->samples);
  for (gint i = 0; meta->offsets && i < meta->info.channels; i++)
    g_string_append_printf (s, " plane %" G_GSIZE_FORMAT, meta->offsets[i]);
}

static void
add_reference_timestamp (GString *s, const GstReferenceTimestampMeta *meta)
{
  g_autofree gchar *caps = gst_caps_to_string (meta->reference);

  g_string_append_printf (s, "%s %" G_GUINT64_FORMAT " for %" G_GINT64_FORMAT,
      caps, meta->timestamp, (gint64) meta->duration);
}

#ifdef HAVE_GST_ANALYTICS
static void
add_object (GString *s, GstAnalyticsMtd *mtd)
{
  gint x, y, w, h;
  gfloat angle, confidence;

  gst_analytics_od_mtd_get_oriented_location (
      mtd, &x, &y, &w, &h, &angle, &confidence);
  g_string_append_printf (s, "'%s' at %d,%d %dx%d turned %g for %g",
      g_quark_to_string (gst_analytics_od_mtd_get_obj_type (mtd)), x, y, w, h,
      angle, confidence);
}

static void
add_track (GString *s, GstAnalyticsMtd *mtd)
{
  guint64 id, first, last;
  gboolean lost;

  gst_analytics_tracking_mtd_get_info (mtd, &id, &first, &last, &lost);
  g_string_append_printf (s,
      "track %" G_GUINT64_FORMAT " from %" G_GUINT64_FORMAT
      " to %" G_GUINT64_FORMAT "%s",
      id, first, last, lost ? " lost" : "");
}

/* In how many words it differs from one of this type that is alike else. */
static guint
count_differences (
    const GstAnalyticsMtd *mtd, GstBuffer *mask, GstSegmentationType type)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstAnalyticsMtd other;
  const guint32 *one, *two;
  guint ids[2], w, h, n = 0;
  gint x, y;

  gst_buffer_unref (
      gst_analytics_segmentation_mtd_get_mask (mtd, &x, &y, &w, &h));
  for (gsize i = 0; i < 2; i++)
    ids[i] = gst_analytics_segmentation_mtd_get_region_id (mtd, i);
  g_assert_true (gst_analytics_relation_meta_add_segmentation_mtd (
      gst_buffer_add_analytics_relation_meta (buffer), gst_buffer_ref (mask),
      type, 2, ids, x, y, w, h, &other));
  one = gst_analytics_relation_meta_get_mtd_data (mtd->meta, mtd->id);
  two = gst_analytics_relation_meta_get_mtd_data (other.meta, other.id);
  for (gsize i = 0; i < gst_analytics_mtd_get_size (&other) / 4; i++)
    n += one[i] != two[i];
  return n;
}

/* Of two regions. Nothing tells the type: it is the more similar one. */
static guint
guess_type (const GstAnalyticsMtd *mtd, GstBuffer *mask)
{
  return count_differences (mtd, mask, GST_SEGMENTATION_TYPE_INSTANCE)
         < count_differences (mtd, mask, GST_SEGMENTATION_TYPE_SEMANTIC);
}

static void
add_segmentation (GString *s, GstAnalyticsMtd *mtd)
{
  guint w, h;
  gint x, y;
  GstBuffer *mask =
      gst_analytics_segmentation_mtd_get_mask (mtd, &x, &y, &w, &h);
  GstVideoMeta *video = gst_buffer_get_video_meta (mask);
  GstVideoFrame frame;
  GstVideoInfo info;

  g_string_append_printf (s, "at %d,%d %ux%u", x, y, w, h);
  if (gst_analytics_segmentation_mtd_get_region_count (mtd) == 2)
    g_string_append_printf (s, " type %u", guess_type (mtd, mask));
  for (gsize i = 0; i < gst_analytics_segmentation_mtd_get_region_count (mtd);
       i++)
    g_string_append_printf (
        s, " region %u", gst_analytics_segmentation_mtd_get_region_id (mtd, i));
  gst_video_info_set_format (&info, video->format, video->width, video->height);
  g_assert_true (gst_video_frame_map (&frame, &info, mask, GST_MAP_READ));
  g_string_append_printf (s, " %s %ux%u ",
      gst_video_format_to_string (video->format), video->width, video->height);
  for (guint i = 0; i < video->height; i++)
    for (guint k = 0; k < video->width; k++)
      g_string_append_printf (s, "%02x",
          ((guint8 *) frame.data[0])[i * (guint) video->stride[0] + k]);
  gst_video_frame_unmap (&frame);
  gst_buffer_unref (mask);
}

static void
add_mtd (GString *s, GstAnalyticsMtd *mtd)
{
  GstAnalyticsMtdType type = gst_analytics_mtd_get_mtd_type (mtd);

  g_string_append_printf (s, "[%u ", gst_analytics_mtd_get_id (mtd));
  if (type == gst_analytics_od_mtd_get_mtd_type ())
    add_object (s, mtd);
  else if (type == gst_analytics_tracking_mtd_get_mtd_type ())
    add_track (s, mtd);
  else if (type == gst_analytics_cls_mtd_get_mtd_type ())
    for (gsize i = 0; i < gst_analytics_cls_mtd_get_length (mtd); i++)
      g_string_append_printf (s, "'%s' %g ",
          g_quark_to_string (gst_analytics_cls_mtd_get_quark (mtd, i)),
          gst_analytics_cls_mtd_get_level (mtd, i));
  else if (type == gst_analytics_segmentation_mtd_get_mtd_type ())
    add_segmentation (s, mtd);
  else
    g_string_append (s, gst_analytics_mtd_type_get_name (type));
  for (gsize i = 0; i < gst_analytics_relation_get_length (mtd->meta); i++)
    g_string_append_printf (s, " %d",
        gst_analytics_relation_meta_get_relation (
            mtd->meta, gst_analytics_mtd_get_id (mtd), (guint) i));
  g_string_append_c (s, ']');
}

static void
add_analytics (GString *s, GstAnalyticsRelationMeta *meta)
{
  gpointer state = NULL;
  GstAnalyticsMtd mtd;

  while (gst_analytics_relation_meta_iterate (
      meta, &state, GST_ANALYTICS_MTD_TYPE_ANY, &mtd))
    add_mtd (s, &mtd);
}
#endif

static void
add_small (GString *s, GstMeta *meta)
{
  if (meta->info->api == GST_VIDEO_CROP_META_API_TYPE) {
    GstVideoCropMeta *crop = (GstVideoCropMeta *) meta;

    g_string_append_printf (
        s, "%u,%u %ux%u", crop->x, crop->y, crop->width, crop->height);
  } else if (meta->info->api == GST_VIDEO_AFD_META_API_TYPE) {
    GstVideoAFDMeta *afd = (GstVideoAFDMeta *) meta;

    g_string_append_printf (
        s, "field %u spec %d afd %d", afd->field, afd->spec, afd->afd);
  } else if (meta->info->api == GST_VIDEO_BAR_META_API_TYPE) {
    GstVideoBarMeta *bar = (GstVideoBarMeta *) meta;

    g_string_append_printf (s, "field %u %s %u,%u", bar->field,
        bar->is_letterbox ? "letterbox" : "pillarbox", bar->bar_data1,
        bar->bar_data2);
  } else if (meta->info->api == GST_AUDIO_CLIPPING_META_API_TYPE) {
    GstAudioClippingMeta *clipping = (GstAudioClippingMeta *) meta;

    g_string_append_printf (s,
        "format %d %" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT, clipping->format,
        clipping->start, clipping->end);
  }
}

static gchar *
describe (GstMeta *meta)
{
  GString *s = g_string_new (g_type_name (meta->info->type));
  GType api = meta->info->api;

  g_string_append_c (s, ' ');
  if (api == GST_VIDEO_META_API_TYPE)
    add_video (s, (GstVideoMeta *) meta);
  else if (api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
    add_roi (s, (GstVideoRegionOfInterestMeta *) meta);
  else if (api == GST_VIDEO_TIME_CODE_META_API_TYPE)
    add_time_code (s, &((GstVideoTimeCodeMeta *) meta)->tc);
  else if (api == GST_VIDEO_CAPTION_META_API_TYPE)
    add_caption (s, (GstVideoCaptionMeta *) meta);
  else if (api == GST_AUDIO_META_API_TYPE)
    add_audio (s, (GstAudioMeta *) meta);
  else if (api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
    add_reference_timestamp (s, (GstReferenceTimestampMeta *) meta);
  else if (gst_meta_info_is_custom (meta->info))
    add_structure (s, gst_custom_meta_get_structure ((GstCustomMeta *) meta));
#ifdef HAVE_GST_ANALYTICS
  else if (api == GST_ANALYTICS_RELATION_META_API_TYPE)
    add_analytics (s, (GstAnalyticsRelationMeta *) meta);
#endif
  else
    add_small (s, meta);
  return g_string_free (s, FALSE);
}

GPtrArray *
describe_metas (GstBuffer *buffer)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta (buffer, &state)))
    g_ptr_array_add (lines, describe (meta));
  return lines;
}
