/* SPDX-License-Identifier: MIT */
/* GstVideoMeta to and from the bytes that travel as a frame's metas. */
#ifndef GST_XMEM_VIDEOMETA_H
#define GST_XMEM_VIDEOMETA_H

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Room for all that gst_xmem_metas_write () writes. */
#define GST_XMEM_METAS_SIZE 256

/* Writes the buffer's metas that travel. Returns their size, 0 without any. */
gsize gst_xmem_metas_write (GstBuffer *buffer, guint8 *data, gsize size);

/* What the bytes say about the planes of a picture. */
typedef struct {
  GstVideoFrameFlags flags;
  GstVideoFormat format;
  guint width;
  guint height;
  guint n_planes;
  gsize offset[GST_VIDEO_MAX_PLANES];
  gint stride[GST_VIDEO_MAX_PLANES];
  GstVideoAlignment alignment;
} GstXmemVideoLayout;

/* Reads the layout out of a peer's bytes. FALSE when there is none, or it
 * contradicts the caps or points outside of @buffer's memories. */
gboolean gst_xmem_metas_read_layout (gconstpointer data, gsize size,
    const GstVideoInfo *info, GstBuffer *buffer, GstXmemVideoLayout *layout);

/* Whether that is how the caps alone would lay out the picture. */
gboolean gst_xmem_layout_is_default (
    const GstXmemVideoLayout *layout, const GstVideoInfo *info);

void gst_xmem_layout_add_meta (GstXmemVideoLayout *layout, GstBuffer *buffer);

G_END_DECLS

#endif
