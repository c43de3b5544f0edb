/* SPDX-License-Identifier: MIT */
/* GstVideoMeta as bytes: flags u32, format u32 (GstVideoFormat, part of
 * GStreamer's ABI), width u32, height u32, n_planes u32, padding top, bottom,
 * left, right u32 each, 0 u32, then per plane offset u64, stride i32,
 * stride_align u32. Every number is aligned to its size.
 *
 * Nothing read is used before it is known to lie inside the frame. */
#include "videometa.h"

/* libxmem has so many zeros behind each mapping. */
#define MAX_OVERRUN (64 * 1024)

gboolean
gst_xmem_layout_write (const GstVideoMeta *meta, GstByteWriter *w)
{
  const GstVideoAlignment *alignment = &meta->alignment;
  const guint32 v[] = { meta->flags, meta->format, meta->width, meta->height,
    meta->n_planes, alignment->padding_top, alignment->padding_bottom,
    alignment->padding_left, alignment->padding_right, 0 };
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < G_N_ELEMENTS (v); i++)
    ok = gst_byte_writer_put_uint32_le (w, v[i]);
  for (guint i = 0; ok && i < meta->n_planes; i++)
    ok = gst_byte_writer_put_uint64_le (w, meta->offset[i])
         && gst_byte_writer_put_int32_le (w, meta->stride[i])
         && gst_byte_writer_put_uint32_le (w, alignment->stride_align[i]);
  return ok;
}

/* --- reading ------------------------------------------------------------- */

gboolean
gst_xmem_layout_read (GstByteReader *r, GstXmemVideoLayout *layout)
{
  guint32 v[10];
  guint64 offset;

  for (guint i = 0; i < G_N_ELEMENTS (v); i++)
    if (!gst_byte_reader_get_uint32_le (r, &v[i]))
      return FALSE;
  gst_video_alignment_reset (&layout->alignment);
  layout->flags = v[0];
  layout->format = v[1];
  layout->width = v[2];
  layout->height = v[3];
  layout->n_planes = v[4];
  layout->alignment.padding_top = v[5];
  layout->alignment.padding_bottom = v[6];
  layout->alignment.padding_left = v[7];
  layout->alignment.padding_right = v[8];
  if (layout->n_planes > GST_VIDEO_MAX_PLANES)
    return FALSE;
  for (guint i = 0; i < layout->n_planes; i++) {
    if (!gst_byte_reader_get_uint64_le (r, &offset)
        || !gst_byte_reader_get_int32_le (r, &layout->stride[i])
        || !gst_byte_reader_get_uint32_le (
            r, &layout->alignment.stride_align[i]))
      return FALSE;
    layout->offset[i] = offset;
  }
  return TRUE;
}

/* How far a reader of the picture gets in a row of a plane. Components that
 * share the plane may differ: the last pair of YUY2 is whole at odd widths. */
static gsize
row_size (const GstVideoInfo *info, guint plane)
{
  const GstVideoFormatInfo *finfo = info->finfo;
  gsize size = 0;

  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo); i++)
    if (GST_VIDEO_FORMAT_INFO_PLANE (finfo, i) == plane)
      size = MAX (size, (gsize) GST_VIDEO_INFO_COMP_WIDTH (info, i)
                            * GST_VIDEO_FORMAT_INFO_PSTRIDE (finfo, i));
  /* Where pixels are not whole bytes it is all that the caps give a row. */
  return size > 0 ? size : (gsize) GST_VIDEO_INFO_PLANE_STRIDE (info, plane);
}

/* As plane_extent (); the stride counts tiles, upwards and across. */
static gsize
tiled_extent (gint stride, const GstVideoInfo *info, guint plane)
{
  gint wanted = GST_VIDEO_INFO_PLANE_STRIDE (info, plane);
  gint more_x =
      GST_VIDEO_TILE_X_TILES (stride) - GST_VIDEO_TILE_X_TILES (wanted);
  gint more_y =
      GST_VIDEO_TILE_Y_TILES (stride) - GST_VIDEO_TILE_Y_TILES (wanted);

  /* Some formats number their tiles by pairs of columns. */
  if (more_x < 0 || more_y < 0 || more_x % 2 != 0)
    return 0;
  return (gsize) GST_VIDEO_TILE_X_TILES (stride)
         * GST_VIDEO_TILE_Y_TILES (stride)
         * GST_VIDEO_FORMAT_INFO_TILE_SIZE (info->finfo, plane);
}

/* Bytes from the first byte of a plane to behind its last one, and from there to
 * the end of the last row's stride; 0 when the stride is impossible. */
static gsize
plane_extent (const GstXmemVideoLayout *layout, const GstVideoInfo *info,
    guint plane, gsize *rest)
{
  const GstVideoFormatInfo *finfo = info->finfo;
  gint stride = layout->stride[plane];
  gsize row = row_size (info, plane);
  gint comp[GST_VIDEO_MAX_COMPONENTS];
  gsize n_rows;

  *rest = 0;
  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo) && plane == 1)
    return 256 * 4;
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (finfo))
    return tiled_extent (stride, info, plane);
  gst_video_format_info_component (finfo, plane, comp);
  n_rows = GST_VIDEO_INFO_COMP_HEIGHT (info, comp[0]);
  /* Each field has its own rows of chroma. */
  if (GST_VIDEO_INFO_IS_INTERLACED (info)
      && GST_VIDEO_FORMAT_INFO_H_SUB (finfo, comp[0]) > 0)
    n_rows = GST_ROUND_UP_2 (n_rows);
  if (stride <= 0 || (gsize) stride < row || n_rows == 0)
    return 0;
  *rest = (gsize) stride - row;
  return (n_rows - 1) * stride + row;
}

/* Whether every plane is inside; and whether one ends before its last stride
 * does, beyond which GStreamer reads from 1.26 on when it copies pictures. */
static gboolean
planes_inside (const GstXmemVideoLayout *layout, const GstVideoInfo *info,
    GstBuffer *buffer, gboolean *cut_short)
{
  *cut_short = FALSE;
  for (guint i = 0; i < layout->n_planes; i++) {
    gsize rest, skip, left;
    gsize extent = plane_extent (layout, info, i, &rest);
    guint index, n;

    if (extent == 0
        || !gst_buffer_find_memory (
            buffer, layout->offset[i], 1, &index, &n, &skip))
      return FALSE;
    left = gst_buffer_peek_memory (buffer, index)->size - skip;
    if (left < extent || (left - extent < rest && rest > MAX_OVERRUN))
      return FALSE;
    *cut_short |= left - extent < rest;
  }
  return TRUE;
}

#if GST_CHECK_VERSION(1, 24, 0)
/* What the caps call DMA_DRM is, to a device, a picture in some format of
 * GStreamer's, or in none. */
static gboolean
is_device_layout (const GstXmemVideoLayout *layout, const GstVideoInfo *info)
{
  g_autoptr (GEnumClass) formats = g_type_class_ref (GST_TYPE_VIDEO_FORMAT);

  return GST_VIDEO_INFO_FORMAT (info) == GST_VIDEO_FORMAT_DMA_DRM
         && g_enum_get_value (formats, (gint) layout->format)
         && layout->width == (guint) GST_VIDEO_INFO_WIDTH (info)
         && layout->height == (guint) GST_VIDEO_INFO_HEIGHT (info);
}

static gboolean
planes_begin_inside (GstXmemVideoLayout *layout, GstBuffer *buffer)
{
  guint index, n;
  gsize skip;

  layout->cut_short = FALSE;
  for (guint i = 0; i < layout->n_planes; i++)
    if (layout->stride[i] <= 0
        || !gst_buffer_find_memory (
            buffer, layout->offset[i], 1, &index, &n, &skip))
      return FALSE;
  return TRUE;
}
#endif

gboolean
gst_xmem_layout_is_possible (
    GstXmemVideoLayout *layout, const GstVideoInfo *info, GstBuffer *buffer)
{
#if GST_CHECK_VERSION(1, 24, 0)
  if (is_device_layout (layout, info))
    return planes_begin_inside (layout, buffer);
#endif
  return layout->format == GST_VIDEO_INFO_FORMAT (info)
         && layout->width == (guint) GST_VIDEO_INFO_WIDTH (info)
         && layout->height == (guint) GST_VIDEO_INFO_HEIGHT (info)
         && layout->n_planes == GST_VIDEO_INFO_N_PLANES (info)
         && planes_inside (layout, info, buffer, &layout->cut_short);
}

gboolean
gst_xmem_layout_is_default (
    const GstXmemVideoLayout *layout, const GstVideoInfo *info)
{
  for (guint i = 0; i < layout->n_planes; i++)
    if (layout->offset[i] != GST_VIDEO_INFO_PLANE_OFFSET (info, i)
        || layout->stride[i] != GST_VIDEO_INFO_PLANE_STRIDE (info, i))
      return FALSE;
  return TRUE;
}

void
gst_xmem_layout_add_meta (GstXmemVideoLayout *layout, GstBuffer *buffer)
{
  GstVideoMeta *meta = gst_buffer_add_video_meta_full (buffer, layout->flags,
      layout->format, layout->width, layout->height, layout->n_planes,
      layout->offset, layout->stride);

  gst_video_meta_set_alignment (meta, layout->alignment);
}
