/* SPDX-License-Identifier: MIT */
/* Where the planes of a picture lie: GstVideoMeta to and from bytes. */
#ifndef GST_XMEM_VIDEOMETA_H
#define GST_XMEM_VIDEOMETA_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

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
  gboolean cut_short; /* the memory ends within the stride of a last row: other
                         elements get a copy */
} GstXmemVideoLayout;

gboolean gst_xmem_layout_write (const GstVideoMeta *meta, GstByteWriter *w);

/* FALSE when the bytes are none. */
gboolean gst_xmem_layout_read (GstByteReader *r, GstXmemVideoLayout *layout);

/* FALSE when it contradicts the caps or points outside of @buffer's
 * memories. Of DMA_DRM only devices know where a plane ends. */
gboolean gst_xmem_layout_is_possible (
    GstXmemVideoLayout *layout, const GstVideoInfo *info, GstBuffer *buffer);

/* Whether that is how the caps alone would lay out the picture. */
gboolean gst_xmem_layout_is_default (
    const GstXmemVideoLayout *layout, const GstVideoInfo *info);

void gst_xmem_layout_add_meta (GstXmemVideoLayout *layout, GstBuffer *buffer);

G_END_DECLS

#endif
