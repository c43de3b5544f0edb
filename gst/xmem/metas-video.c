/* SPDX-License-Identifier: MIT */
/* The metas of pictures, but for GstVideoMeta itself (videometa.c). Keeps no
 * state. */
#include <gst/video/video.h>

#include <xmem/frame.h>

#include "metakinds.h"
#include "text.h"

#define MICROSECOND G_TIME_SPAN_SECOND
#define DAY 86400 /* s */

gboolean
gst_xmem_put_u32s (GstByteWriter *w, const guint32 *values, guint n)
{
  for (guint i = 0; i < n; i++)
    if (!gst_byte_writer_put_uint32_le (w, values[i]))
      return FALSE;
  return TRUE;
}

gboolean
gst_xmem_get_u32s (GstByteReader *r, guint32 *values, guint n)
{
  for (guint i = 0; i < n; i++)
    if (!gst_byte_reader_get_uint32_le (r, &values[i]))
      return FALSE;
  return TRUE;
}

/* --- crop: x, y, width, height u32 --------------------------------------- */

static gboolean
write_crop (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoCropMeta *crop = (GstVideoCropMeta *) meta;
  const guint32 v[] = { crop->x, crop->y, crop->width, crop->height };

  return gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v));
}

/* Elements that crop believe it: it must lie in the picture. */
static gboolean
crop_inside (const guint32 *v, const GstVideoInfo *info)
{
  guint64 width = info ? (guint64) GST_VIDEO_INFO_WIDTH (info) : G_MAXINT;
  guint64 height = info ? (guint64) GST_VIDEO_INFO_HEIGHT (info) : G_MAXINT;

  return (guint64) v[0] + v[2] <= width && (guint64) v[1] + v[3] <= height;
}

static gboolean
read_crop (GstByteReader *r, const GstXmemMetaTarget *target)
{
  GstVideoCropMeta *crop;
  guint32 v[4];

  if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v))
      || !crop_inside (v, target->video))
    return FALSE;
  crop = gst_buffer_add_video_crop_meta (target->buffer);
  crop->x = v[0];
  crop->y = v[1];
  crop->width = v[2];
  crop->height = v[3];
  return TRUE;
}

const GstXmemMetaKind gst_xmem_meta_crop = { 2, 1, "GstVideoCropMeta",
  gst_video_crop_meta_api_get_type, write_crop, read_crop };

/* --- region of interest: id, parent id i32, x, y, w, h, n_params u32, type
 * text, n_params structures ----------------------------------------------- */

static gboolean
write_roi (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoRegionOfInterestMeta *roi =
      (GstVideoRegionOfInterestMeta *) meta;
  const gchar *type = g_quark_to_string (roi->roi_type);
  const guint32 v[] = { (guint32) roi->id, (guint32) roi->parent_id, roi->x,
    roi->y, roi->w, roi->h, g_list_length (roi->params) };

  if (!gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v))
      || !gst_xmem_text_put (w, type ? type : ""))
    return FALSE;
  for (GList *p = roi->params; p; p = p->next)
    if (gst_byte_writer_get_pos (w) > XMEM_MAX_METAS
        || !gst_xmem_text_put_structure (w, p->data, n_left_out))
      return FALSE;
  return TRUE;
}

static void
free_params (GList *params)
{
  g_list_free_full (params, (GDestroyNotify) gst_structure_free);
}

/* Takes n structures; FALSE, and none, if any is none. */
static gboolean
read_params (GstByteReader *r, guint32 n, GList **params_out)
{
  GList *params = NULL;

  for (guint32 i = 0; i < n; i++) {
    GstStructure *param = gst_xmem_text_get_structure (r);

    if (!param) {
      free_params (params);
      return FALSE;
    }
    params = g_list_prepend (params, param);
  }
  *params_out = g_list_reverse (params);
  return TRUE;
}

static gboolean
read_roi (GstByteReader *r, const GstXmemMetaTarget *target)
{
  GstVideoRegionOfInterestMeta *roi;
  GList *params;
  guint32 v[7];
  GQuark type;

  if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v))
      || !gst_xmem_text_get_quark (r, &type) || !read_params (r, v[6], &params))
    return FALSE;
  roi = gst_buffer_add_video_region_of_interest_meta_id (
      target->buffer, type, v[2], v[3], v[4], v[5]);
  roi->id = (gint32) v[0];
  roi->parent_id = (gint32) v[1];
  roi->params = params;
  return TRUE;
}

const GstXmemMetaKind gst_xmem_meta_roi = { 3, 1,
  "GstVideoRegionOfInterestMeta",
  gst_video_region_of_interest_meta_api_get_type, write_roi, read_roi };

/* --- time code: jam (us since 1970, UTC) i64, its zone (s east of UTC) i32,
 * has_jam, fps_n, fps_d, flags, hours, minutes, seconds, frames, field_count
 * u32 --------------------------------------------------------------------- */

static gint64
to_microseconds (GDateTime *time)
{
  return g_date_time_to_unix (time) * MICROSECOND
         + g_date_time_get_microsecond (time);
}

/* NULL when it is none. */
static GDateTime *
from_microseconds (gint64 time, gint32 zone)
{
  g_autoptr (GDateTime) second = NULL, utc = NULL;
  g_autoptr (GTimeZone) there = NULL;
  gint64 before = time % MICROSECOND < 0;

  if (zone <= -DAY || zone >= DAY)
    return NULL;
  second = g_date_time_new_from_unix_utc (time / MICROSECOND - before);
  if (second)
    utc = g_date_time_add (second, time % MICROSECOND + before * MICROSECOND);
  there = g_time_zone_new_offset (zone);
  return utc ? g_date_time_to_timezone (utc, there) : NULL;
}

static gboolean
write_time_code (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoTimeCode *tc = &((GstVideoTimeCodeMeta *) meta)->tc;
  GDateTime *jam = tc->config.latest_daily_jam;
  const guint32 v[] = { jam != NULL, tc->config.fps_n, tc->config.fps_d,
    tc->config.flags, tc->hours, tc->minutes, tc->seconds, tc->frames,
    tc->field_count };
  gint32 zone =
      jam ? (gint32) (g_date_time_get_utc_offset (jam) / MICROSECOND) : 0;

  return gst_byte_writer_put_int64_le (w, jam ? to_microseconds (jam) : 0)
         && gst_byte_writer_put_int32_le (w, zone)
         && gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v));
}

/* GStreamer's own check multiplies and divides by these. */
static gboolean
rate_possible (guint32 fps_n, guint32 fps_d)
{
  return fps_n > 0 && fps_n <= G_MAXINT && fps_d > 0 && fps_d <= G_MAXINT;
}

static gboolean
read_time_code (GstByteReader *r, const GstXmemMetaTarget *target)
{
  g_autoptr (GDateTime) jam = NULL;
  GstVideoTimeCode tc = GST_VIDEO_TIME_CODE_INIT;
  guint32 v[9];
  gint64 time;
  gint32 zone;

  if (!gst_byte_reader_get_int64_le (r, &time)
      || !gst_byte_reader_get_int32_le (r, &zone)
      || !gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)))
    return FALSE;
  if (v[0])
    jam = from_microseconds (time, zone);
  if ((v[0] && !jam) || !rate_possible (v[1], v[2]))
    return FALSE;
  tc.config.latest_daily_jam = jam;
  tc.config.fps_n = v[1];
  tc.config.fps_d = v[2];
  tc.config.flags = v[3];
  tc.hours = v[4];
  tc.minutes = v[5];
  tc.seconds = v[6];
  tc.frames = v[7];
  tc.field_count = v[8];
  return gst_video_time_code_is_valid (&tc)
         && gst_buffer_add_video_time_code_meta (target->buffer, &tc);
}

const GstXmemMetaKind gst_xmem_meta_time_code = { 4, 1, "GstVideoTimeCodeMeta",
  gst_video_time_code_meta_api_get_type, write_time_code, read_time_code };

/* --- caption: type, size u32, bytes -------------------------------------- */

static gboolean
write_caption (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoCaptionMeta *caption = (GstVideoCaptionMeta *) meta;

  return caption->size <= XMEM_MAX_METAS
         && gst_byte_writer_put_uint32_le (w, caption->caption_type)
         && gst_byte_writer_put_uint32_le (w, (guint32) caption->size)
         && gst_byte_writer_put_data (w, caption->data, (guint) caption->size);
}

static gboolean
read_caption (GstByteReader *r, const GstXmemMetaTarget *target)
{
  guint32 type, size;
  const guint8 *data;

  return gst_byte_reader_get_uint32_le (r, &type)
         && type >= GST_VIDEO_CAPTION_TYPE_CEA608_RAW
         && type <= GST_VIDEO_CAPTION_TYPE_CEA708_CDP
         && gst_byte_reader_get_uint32_le (r, &size) && size > 0
         && gst_byte_reader_get_data (r, size, &data)
         && gst_buffer_add_video_caption_meta (
             target->buffer, type, data, size);
}

const GstXmemMetaKind gst_xmem_meta_caption = { 5, 1, "GstVideoCaptionMeta",
  gst_video_caption_meta_api_get_type, write_caption, read_caption };

/* --- active format description: field, spec, afd u32 --------------------- */

static gboolean
write_afd (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoAFDMeta *afd = (GstVideoAFDMeta *) meta;
  const guint32 v[] = { afd->field, afd->spec, afd->afd };

  return gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v));
}

/* GST_VIDEO_AFD_UNAVAILABLE and all others there are; GStreamer warns of what is
 * reserved. */
#define AFD_VALUES 0xef1d

static gboolean
read_afd (GstByteReader *r, const GstXmemMetaTarget *target)
{
  guint32 v[3];

  return gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)) && v[0] <= 1
         && v[1] <= GST_VIDEO_AFD_SPEC_SMPTE_ST2016_1
         && v[2] <= GST_VIDEO_AFD_16_9_LETTER_4_3_CENTER
         && (AFD_VALUES >> v[2] & 1)
         && gst_buffer_add_video_afd_meta (
             target->buffer, (guint8) v[0], v[1], v[2]);
}

const GstXmemMetaKind gst_xmem_meta_afd = { 6, 1, "GstVideoAFDMeta",
  gst_video_afd_meta_api_get_type, write_afd, read_afd };

/* --- bars: field, is_letterbox, first, second u32 ------------------------ */

static gboolean
write_bar (GstByteWriter *w, GstMeta *meta, guint *n_left_out)
{
  const GstVideoBarMeta *bar = (GstVideoBarMeta *) meta;
  const guint32 v[] = { bar->field, (guint32) bar->is_letterbox, bar->bar_data1,
    bar->bar_data2 };

  return gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v));
}

static gboolean
read_bar (GstByteReader *r, const GstXmemMetaTarget *target)
{
  guint32 v[4];

  return gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v)) && v[0] <= 1
         && gst_buffer_add_video_bar_meta (
             target->buffer, (guint8) v[0], v[1] != 0, v[2], v[3]);
}

const GstXmemMetaKind gst_xmem_meta_bar = { 7, 1, "GstVideoBarMeta",
  gst_video_bar_meta_api_get_type, write_bar, read_bar };
