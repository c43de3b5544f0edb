/* SPDX-License-Identifier: MIT */
/* Threads: the streaming thread of one source. */
#include "incoming.h"

#include "foreign.h"
#include "gstxmem.h"
#include "metas.h"

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

void
gst_xmem_incoming_set_caps (GstXmemIncomingFormat *format, GstCaps *caps)
{
  format->only_dmabufs = gst_xmem_caps_are_dmabuf (caps);
  format->is_video =
      gst_video_info_from_caps (&format->info, caps)
      && GST_VIDEO_INFO_FORMAT (&format->info) != GST_VIDEO_FORMAT_ENCODED;
  format->is_audio =
      gst_audio_info_from_caps (&format->audio, caps)
      && GST_AUDIO_INFO_FORMAT (&format->audio) != GST_AUDIO_FORMAT_ENCODED;
}

/* Puts the picture's layout on the buffer; takes that, and gives it or a copy
 * in another layout. */
static GstBuffer *
lay_out (GstBuffer *take_buffer, const struct xmem_frame_info *info,
    const GstXmemIncomingFormat *format, GstXmemTally *metas_dropped,
    gboolean *repacked)
{
  const GstVideoInfo *wanted = format->is_video ? &format->info : NULL;
  gsize size = gst_buffer_get_size (take_buffer);
  GstXmemLayoutState state;
  GstXmemVideoLayout layout;

  state = gst_xmem_metas_read_layout (
      info->metas, info->metas_size, wanted, take_buffer, &layout);
  if (state == GST_XMEM_LAYOUT_BAD)
    gst_xmem_tally_add (metas_dropped, "GstVideoMeta");
  if (state != GST_XMEM_LAYOUT_GOOD)
    return take_buffer;
  gst_xmem_layout_add_meta (&layout, take_buffer);
  if (format->only_dmabufs)
    return take_buffer;
  if (!layout.cut_short
      && (format->downstream_reads_meta
          || (gst_xmem_layout_is_default (&layout, wanted)
              && size == wanted->size)))
    return take_buffer;
  *repacked = TRUE;
  return repack (take_buffer, wanted);
}

GstBuffer *
gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, GstXmemTally *metas_dropped,
    gboolean *repacked)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  GstXmemMetaTarget target = {
    .video = format->is_video ? &format->info : NULL,
    .audio = format->is_audio ? &format->audio : NULL,
  };

  *repacked = FALSE;
  target.buffer = lay_out (wrap (frame), info, format, metas_dropped, repacked);
  gst_xmem_metas_read (info->metas, info->metas_size, &target, metas_dropped);
  return target.buffer;
}

gboolean
gst_xmem_incoming_copy_out (GstBuffer **buffer)
{
  GstBuffer *copy = gst_buffer_copy_deep (*buffer);

  if (!copy)
    return FALSE;
  gst_buffer_unref (*buffer);
  *buffer = copy;
  return TRUE;
}
