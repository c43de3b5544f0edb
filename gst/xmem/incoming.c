/* SPDX-License-Identifier: MIT */
/* Threads: the streaming thread of one source. */
#include "incoming.h"

#include "gstxmem.h"
#include "videometa.h"

static GstBuffer *
wrap (struct xmem_frame *frame)
{
  GstBuffer *buffer = gst_buffer_new ();

  for (guint i = 0; i < xmem_frame_get_n_regions (frame); i++)
    gst_buffer_append_memory (
        buffer, gst_xmem_memory_new_from_frame (frame, i));
  return buffer;
}

/* The picture in the layout that the caps alone promise. */
static GstBuffer *
repack (GstBuffer *take_buffer, const GstVideoInfo *info)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL);
  GstVideoInfo writable_info = *info;
  GstVideoFrame from, to;

  if (!gst_video_frame_map (&from, &writable_info, take_buffer, GST_MAP_READ)) {
    gst_buffer_unref (buffer);
    return take_buffer;
  }
  if (gst_video_frame_map (&to, &writable_info, buffer, GST_MAP_WRITE)) {
    gst_video_frame_copy (&to, &from);
    gst_video_frame_unmap (&to);
  }
  gst_video_frame_unmap (&from);
  gst_buffer_unref (take_buffer);
  return buffer;
}

GstBuffer *
gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, gboolean *repacked)
{
  const struct xmem_frame_info *frame_info = xmem_frame_get_info (frame);
  GstBuffer *buffer = wrap (frame);
  GstXmemVideoLayout layout;

  *repacked = FALSE;
  if (!format->is_video
      || !gst_xmem_metas_read_layout (frame_info->metas, frame_info->metas_size,
          &format->info, buffer, &layout))
    return buffer;
  if (format->downstream_reads_meta
      || (gst_xmem_layout_is_default (&layout, &format->info)
          && gst_buffer_get_size (buffer) == format->info.size)) {
    gst_xmem_layout_add_meta (&layout, buffer);
    return buffer;
  }
  gst_xmem_layout_add_meta (&layout, buffer);
  *repacked = TRUE;
  return repack (buffer, &format->info);
}

GstBuffer *
gst_xmem_incoming_copy_out (GstBuffer *take_buffer)
{
  GstBuffer *copy = gst_buffer_copy_deep (take_buffer);

  gst_buffer_unref (take_buffer);
  return copy;
}
