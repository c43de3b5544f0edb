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

/* Where the planes lie, if anything says so. */
static GstXmemLayoutState
read_layout (const struct xmem_frame_info *info,
    const GstXmemIncomingFormat *format, GstXmemTally *metas_dropped,
    GstBuffer *buffer, GstXmemVideoLayout *layout)
{
  GstXmemLayoutState state =
      gst_xmem_metas_read_layout (info->metas, info->metas_size,
          format->is_video ? &format->info : NULL, buffer, layout);

  if (state == GST_XMEM_LAYOUT_BAD)
    gst_xmem_tally_add (metas_dropped, "GstVideoMeta");
  return state;
}

/* Puts the picture's layout on the buffer; takes that, and gives it or a copy
 * in another layout. */
static GstBuffer *
lay_out (GstBuffer *take_buffer, const struct xmem_frame_info *info,
    const GstXmemIncomingFormat *format, GstXmemTally *metas_dropped,
    GstXmemIncomingKind *kind)
{
  const GstVideoInfo *wanted = &format->info;
  GstXmemVideoLayout layout;

  if (read_layout (info, format, metas_dropped, take_buffer, &layout)
      != GST_XMEM_LAYOUT_GOOD)
    return take_buffer;
  gst_xmem_layout_add_meta (&layout, take_buffer);
  if (format->only_dmabufs)
    return take_buffer;
  if (!layout.cut_short
      && (format->downstream_reads_meta
          || (gst_xmem_layout_is_default (&layout, wanted)
              && gst_buffer_get_size (take_buffer) == wanted->size)))
    return take_buffer;
  *kind = GST_XMEM_INCOMING_REPACKED;
  return repack (take_buffer, wanted);
}

static GstBuffer *
receive_from_device (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, gboolean copy,
    GstXmemTally *metas_dropped, GstXmemIncomingKind *kind)
{
  /* As memory of the CPU it cannot be mapped, but says what there is. */
  g_autoptr (GstBuffer) extent = wrap (frame);
  GstXmemLayoutState state;
  GstXmemVideoLayout layout;
  GstBuffer *buffer;

  state = read_layout (
      xmem_frame_get_info (frame), format, metas_dropped, extent, &layout);
  buffer = gst_xmem_gpu_receive (format->gpu, frame,
      state == GST_XMEM_LAYOUT_GOOD ? &layout : NULL, &copy);
  if (copy)
    *kind = GST_XMEM_INCOMING_COPY;
  return buffer;
}

static gboolean
is_on_device (struct xmem_frame *frame)
{
  for (guint i = 0; i < xmem_frame_get_n_regions (frame); i++)
    if (xmem_frame_get_device (frame, i) >= 0)
      return TRUE;
  return FALSE;
}

GstBuffer *
gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, gboolean copy_out,
    GstXmemTally *metas_dropped, GstXmemIncomingKind *kind)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  GstXmemMetaTarget target = {
    .video = format->is_video ? &format->info : NULL,
    .audio = format->is_audio ? &format->audio : NULL,
  };
  GstBuffer *buffer;

  *kind = GST_XMEM_INCOMING_VIEW;
  if (is_on_device (frame))
    target.buffer =
        receive_from_device (frame, format, copy_out, metas_dropped, kind);
  else
    target.buffer = lay_out (wrap (frame), info, format, metas_dropped, kind);
  if (!target.buffer)
    return NULL;
  gst_xmem_metas_read (info->metas, info->metas_size, &target, metas_dropped);
  if (!copy_out || *kind != GST_XMEM_INCOMING_VIEW)
    return target.buffer;
  buffer = gst_buffer_copy_deep (target.buffer);
  if (!buffer) /* as some dmabufs: it cannot be read */
    return target.buffer;
  *kind = GST_XMEM_INCOMING_COPY;
  gst_buffer_unref (target.buffer);
  return buffer;
}
