/* SPDX-License-Identifier: MIT */
/* Keeps no state. For I420 and its relatives: planes of 8 bits. */
#include "draw.h"

#define LINE 2 /* pixels */

/* Green, in Y, U and V. */
static const guint8 colour[] = { 150, 44, 21 };

static void
fill (GstVideoFrame *frame, guint x, guint y, guint w, guint h)
{
  const GstVideoFormatInfo *format = frame->info.finfo;

  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (frame); c++) {
    guint8 *data = GST_VIDEO_FRAME_COMP_DATA (frame, c);
    guint left = x >> GST_VIDEO_FORMAT_INFO_W_SUB (format, c);
    guint right = (x + w) >> GST_VIDEO_FORMAT_INFO_W_SUB (format, c);
    guint top = y >> GST_VIDEO_FORMAT_INFO_H_SUB (format, c);
    guint bottom = (y + h) >> GST_VIDEO_FORMAT_INFO_H_SUB (format, c);

    for (guint row = top; row < bottom; row++)
      memset (
          data + row * (guint) GST_VIDEO_FRAME_COMP_STRIDE (frame, c) + left,
          colour[c], right - left);
  }
}

static void
draw_blob (GstVideoFrame *frame, const Blob *b)
{
  if (b->x + b->w > (guint) GST_VIDEO_FRAME_WIDTH (frame)
      || b->y + b->h > (guint) GST_VIDEO_FRAME_HEIGHT (frame) || b->w < LINE
      || b->h < LINE)
    return;
  fill (frame, b->x, b->y, b->w, LINE);
  fill (frame, b->x, b->y + b->h - LINE, b->w, LINE);
  fill (frame, b->x, b->y, LINE, b->h);
  fill (frame, b->x + b->w - LINE, b->y, LINE, b->h);
}

static void
map (GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer,
    GstMapFlags flags)
{
  if (!gst_video_frame_map (frame, info, buffer, flags))
    g_error ("a picture cannot be mapped");
}

GstBuffer *
draw_copy (GstBuffer *picture, const GstVideoInfo *info, const Answer *answer)
{
  GstBuffer *copy =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  GstVideoFrame from, to;

  map (&from, info, picture, GST_MAP_READ);
  map (&to, info, copy, GST_MAP_WRITE);
  gst_video_frame_copy (&to, &from);
  for (guint i = 0; answer && i < answer->n_blobs; i++)
    draw_blob (&to, &answer->blobs[i]);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  GST_BUFFER_PTS (copy) = GST_BUFFER_PTS (picture);
  GST_BUFFER_DURATION (copy) = GST_BUFFER_DURATION (picture);
  return copy;
}

gchar *
draw_md5 (GstBuffer *picture, const GstVideoInfo *info)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  GstVideoFrame frame;

  map (&frame, info, picture, GST_MAP_READ);
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++) {
    const guint8 *row = GST_VIDEO_FRAME_COMP_DATA (&frame, c);

    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&frame, c); y++) {
      g_checksum_update (sum, row, GST_VIDEO_FRAME_COMP_WIDTH (&frame, c));
      row += GST_VIDEO_FRAME_COMP_STRIDE (&frame, c);
    }
  }
  gst_video_frame_unmap (&frame);
  return g_strdup (g_checksum_get_string (sum));
}
