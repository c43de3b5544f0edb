/* SPDX-License-Identifier: MIT */
/* A received frame as a GstBuffer: a view, or a copy where it has to be. */
#ifndef GST_XMEM_INCOMING_H
#define GST_XMEM_INCOMING_H

#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <xmem/subscriber.h>

#include "tally.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_video; /* `info` is valid */
  GstVideoInfo info;
  gboolean only_dmabufs; /* the caps promise them: no copies */
  gboolean is_audio; /* `audio` is valid */
  GstAudioInfo audio;
  gboolean downstream_reads_meta; /* GstVideoMeta is understood */
} GstXmemIncomingFormat;

/* What the caps say of it; the rest stays. */
void gst_xmem_incoming_set_caps (GstXmemIncomingFormat *format, GstCaps *caps);

/* A buffer over the frame's memory, without times; takes its own references
 * on @frame. Where the picture's layout is not the caps' and downstream does
 * not understand GstVideoMeta, a copy in the caps' layout, and *repacked. Metas
 * that could not be read are counted. */
GstBuffer *gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, GstXmemTally *metas_dropped,
    gboolean *repacked);

/* Replaces *buffer by a copy in memory of this process. FALSE where it cannot be
 * read, as some dmabufs cannot: then it stays. */
gboolean gst_xmem_incoming_copy_out (GstBuffer **buffer);

G_END_DECLS

#endif
