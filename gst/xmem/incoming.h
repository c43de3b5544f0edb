/* SPDX-License-Identifier: MIT */
/* A received frame as a GstBuffer: a view, or a copy where it has to be. */
#ifndef GST_XMEM_INCOMING_H
#define GST_XMEM_INCOMING_H

#include <gst/video/video.h>

#include <xmem/subscriber.h>

G_BEGIN_DECLS

typedef struct {
  gboolean is_video; /* `info` is valid */
  GstVideoInfo info;
  gboolean downstream_reads_meta; /* GstVideoMeta is understood */
} GstXmemIncomingFormat;

/* A buffer over the frame's memory, without times; takes its own references
 * on @frame. Where the picture's layout is not the caps' and downstream does
 * not understand GstVideoMeta, a copy in the caps' layout, and *repacked. */
GstBuffer *gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, gboolean *repacked);

/* A copy in memory of this process; takes @buffer. */
GstBuffer *gst_xmem_incoming_copy_out (GstBuffer *take_buffer);

G_END_DECLS

#endif
