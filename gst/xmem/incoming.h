/* SPDX-License-Identifier: MIT */
/* A received frame as a GstBuffer: a view, or a copy where it has to be. */
#ifndef GST_XMEM_INCOMING_H
#define GST_XMEM_INCOMING_H

#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <xmem/subscriber.h>

#include "gpu.h"
#include "tally.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_video; /* `info` is valid */
  GstVideoInfo info;
  gboolean only_dmabufs; /* the caps promise them: no copies */
  gboolean is_audio; /* `audio` is valid */
  GstAudioInfo audio;
  gboolean downstream_reads_meta; /* GstVideoMeta is understood */
  GstXmemGpu *gpu; /* for frames in CUDA memory */
} GstXmemIncomingFormat;

/* What the caps say of it; the rest stays. */
void gst_xmem_incoming_set_caps (GstXmemIncomingFormat *format, GstCaps *caps);

typedef enum {
  GST_XMEM_INCOMING_VIEW, /* of the producer's memory */
  GST_XMEM_INCOMING_REPACKED, /* a copy in the caps' layout */
  GST_XMEM_INCOMING_COPY, /* in memory of this process */
} GstXmemIncomingKind;

/* A buffer over the frame's memory, without times; takes its own references
 * on @frame. With @copy_out a copy, unless it cannot be read. Where the
 * picture's layout is not the caps' and downstream does not understand
 * GstVideoMeta, repacked. Metas that could not be read are counted. NULL, with
 * an error posted, for CUDA memory that cannot be used. */
GstBuffer *gst_xmem_incoming_buffer (struct xmem_frame *frame,
    const GstXmemIncomingFormat *format, gboolean copy_out,
    GstXmemTally *metas_dropped, GstXmemIncomingKind *kind);

G_END_DECLS

#endif
