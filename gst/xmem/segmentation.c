/* SPDX-License-Identifier: MIT */
/* Keeps where the type of a segmentation lies. GStreamer 1.26 has no function
 * that tells the type, though programs need it; it lies in the mtd's data, which
 * gst_analytics_relation_meta_get_mtd_data () gives out. Where, segmentations of
 * known types tell: it is where they have their types and nowhere else. */
#include "segmentation.h"

#include <gst/video/video.h>
#include <string.h>

#include <xmem/frame.h>

#include "metakinds.h"

#define MAX_SIDE 32768
/* Of a frame's metas: masks leave the rest to what else was found. */
#define MAX_END (XMEM_MAX_METAS / 4 * 3)
#define N_TRIALS 8
#define NOWHERE G_MAXSIZE

static GstBuffer *
new_mask (gconstpointer data, gsize size, GstVideoFormat format, guint width,
    guint height)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
  gint stride[GST_VIDEO_MAX_PLANES] = { (gint) (size / height) };
  GstBuffer *mask = gst_buffer_new_memdup (data, size);

  gst_buffer_add_video_meta_full (mask, GST_VIDEO_FRAME_FLAG_NONE, format,
      width, height, 1, offset, stride);
  return mask;
}

/* --- the type ------------------------------------------------------------ */

static GstSegmentationType
trial_type (guint i)
{
  return i % 3 == 1 ? GST_SEGMENTATION_TYPE_INSTANCE
                    : GST_SEGMENTATION_TYPE_SEMANTIC;
}

static gboolean
all_have_types_at (const GstAnalyticsMtd *trials, gsize at)
{
  for (guint i = 0; i < N_TRIALS; i++) {
    const guint8 *data =
        gst_analytics_relation_meta_get_mtd_data (trials[i].meta, trials[i].id);
    const gint32 type = (gint32) trial_type (i);

    if (memcmp (data + at, &type, sizeof (type)) != 0)
      return FALSE;
  }
  return TRUE;
}

/* Where in its data an mtd has its type, or NOWHERE. */
static gsize
find_type (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstAnalyticsRelationMeta *meta =
      gst_buffer_add_analytics_relation_meta (buffer);
  GstAnalyticsMtd trials[N_TRIALS];
  guint region = 7;
  gsize found = NOWHERE;

  for (guint i = 0; i < N_TRIALS; i++)
    if (!gst_analytics_relation_meta_add_segmentation_mtd (meta,
            new_mask ("\5", 1, GST_VIDEO_FORMAT_GRAY8, 1, 1), trial_type (i), 1,
            &region, 2, 3, 4, 5, &trials[i]))
      return NOWHERE;
  for (gsize at = 0;
       at + sizeof (gint32) <= gst_analytics_mtd_get_size (&trials[0]);
       at += sizeof (gint32))
    if (all_have_types_at (trials, at)) {
      if (found != NOWHERE)
        return NOWHERE;
      found = at;
    }
  return found;
}

static gboolean
get_type (const GstAnalyticsMtd *mtd, guint32 *type)
{
  static gsize place; /* and 1, when it is known */
  const guint8 *data;

  if (g_once_init_enter (&place)) {
    gsize found = find_type ();

    g_once_init_leave (&place, found == NOWHERE ? NOWHERE : found + 1);
  }
  if (place == NOWHERE)
    return FALSE;
  data = gst_analytics_relation_meta_get_mtd_data (mtd->meta, mtd->id);
  memcpy (type, data + place - 1, sizeof (*type));
  return *type <= GST_SEGMENTATION_TYPE_INSTANCE;
}

/* --- writing ------------------------------------------------------------- */

static gboolean
put_regions (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  gsize n = gst_analytics_segmentation_mtd_get_region_count (mtd);

  if (!gst_byte_writer_put_uint32_le (w, (guint32) n))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (!gst_byte_writer_put_uint32_le (
            w, gst_analytics_segmentation_mtd_get_region_id (mtd, i)))
      return FALSE;
  return TRUE;
}

static gboolean
put_rows (GstByteWriter *w, GstVideoFrame *frame)
{
  const guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  guint size = (guint) (GST_VIDEO_FRAME_COMP_PSTRIDE (frame, 0)
                        * GST_VIDEO_FRAME_WIDTH (frame));
  guint total = size * (guint) GST_VIDEO_FRAME_HEIGHT (frame);

  for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT (frame); y++) {
    if (!gst_byte_writer_put_data (w, row, size))
      return FALSE;
    row += GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0);
  }
  return gst_byte_writer_fill (w, 0, (4 - total % 4) % 4);
}

static gboolean
put_mask (GstByteWriter *w, const GstVideoInfo *info, GstBuffer *mask)
{
  GstVideoFrame frame;
  gboolean done;

  if (!gst_video_frame_map (&frame, info, mask, GST_MAP_READ))
    return FALSE;
  done = put_rows (w, &frame);
  gst_video_frame_unmap (&frame);
  return done;
}

static guint32
depth_of (const GstVideoMeta *video)
{
  if (video->format == GST_VIDEO_FORMAT_GRAY8)
    return 8;
  return video->format == GST_VIDEO_FORMAT_GRAY16_LE ? 16 : 0;
}

static gboolean
has_room (
    GstByteWriter *w, const GstAnalyticsMtd *mtd, const GstVideoMeta *video)
{
  guint64 mask =
      (guint64) video->width * video->height * (depth_of (video) / 8);
  guint64 regions = gst_analytics_segmentation_mtd_get_region_count (mtd);

  return mask > 0 && video->width <= MAX_SIDE && video->height <= MAX_SIDE
         && regions <= MAX_END
         && gst_byte_writer_get_pos (w) + mask + 4 * regions <= MAX_END;
}

gboolean
gst_xmem_segmentation_write (GstByteWriter *w, const GstAnalyticsMtd *mtd)
{
  g_autoptr (GstBuffer) mask = NULL;
  GstVideoMeta *video;
  GstVideoInfo info;
  guint width, height;
  guint32 v[8];
  gint x, y;

  mask = gst_analytics_segmentation_mtd_get_mask (mtd, &x, &y, &width, &height);
  video = mask ? gst_buffer_get_video_meta (mask) : NULL;
  if (!video || !has_room (w, mtd, video) || !get_type (mtd, &v[0]))
    return FALSE;
  gst_video_info_set_format (&info, video->format, video->width, video->height);
  v[1] = (guint32) x;
  v[2] = (guint32) y;
  v[3] = width;
  v[4] = height;
  v[5] = depth_of (video);
  v[6] = video->width;
  v[7] = video->height;
  return gst_xmem_put_u32s (w, v, G_N_ELEMENTS (v)) && put_regions (w, mtd)
         && put_mask (w, &info, mask);
}

/* --- reading ------------------------------------------------------------- */

static gboolean
get_regions (GstByteReader *r, guint32 **ids, guint32 *n)
{
  if (!gst_byte_reader_get_uint32_le (r, n)
      || *n > gst_byte_reader_get_remaining (r) / sizeof (guint32))
    return FALSE;
  *ids = g_new (guint32, *n + 1);
  return gst_xmem_get_u32s (r, *ids, *n);
}

gboolean
gst_xmem_segmentation_read (GstByteReader *r, GstAnalyticsRelationMeta *meta)
{
  g_autofree guint32 *ids = NULL;
  GstAnalyticsMtd mtd;
  GstVideoFormat format;
  const guint8 *rows;
  guint32 v[8], n;
  guint size;

  if (!gst_xmem_get_u32s (r, v, G_N_ELEMENTS (v))
      || v[0] > GST_SEGMENTATION_TYPE_INSTANCE || (v[5] != 8 && v[5] != 16)
      || v[6] == 0 || v[6] > MAX_SIDE || v[7] == 0 || v[7] > MAX_SIDE
      || !get_regions (r, &ids, &n))
    return FALSE;
  size = v[5] / 8 * v[6] * v[7];
  if (!gst_byte_reader_get_data (r, size, &rows)
      || !gst_byte_reader_skip (r, (4 - size % 4) % 4))
    return FALSE;
  format = v[5] == 8 ? GST_VIDEO_FORMAT_GRAY8 : GST_VIDEO_FORMAT_GRAY16_LE;
  return gst_analytics_relation_meta_add_segmentation_mtd (meta,
      new_mask (rows, size, format, v[6], v[7]), (GstSegmentationType) v[0], n,
      ids, (gint) v[1], (gint) v[2], v[3], v[4], &mtd);
}
