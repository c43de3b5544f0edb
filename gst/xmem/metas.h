/* SPDX-License-Identifier: MIT */
/* The metas of a buffer to and from the bytes that travel with a frame; see
 * docs/protocol.md. Which ones, and what becomes of them, is in
 * docs/elements.md. */
#ifndef GST_XMEM_METAS_H
#define GST_XMEM_METAS_H

#include <gst/audio/audio.h>
#include <gst/base/gstbytewriter.h>

#include "tally.h"
#include "videometa.h"

G_BEGIN_DECLS

/* Writes the metas of @buffer from @w's start on: at most XMEM_MAX_METAS bytes
 * up to its position. Those that cannot travel are counted by name. */
void gst_xmem_metas_write (
    GstByteWriter *w, GstBuffer *buffer, GstXmemTally *dropped);

typedef enum {
  GST_XMEM_LAYOUT_NONE, /* nothing is said about it */
  GST_XMEM_LAYOUT_BAD, /* it is impossible */
  GST_XMEM_LAYOUT_GOOD,
} GstXmemLayoutState;

/* Reads where the planes lie out of a peer's bytes. Bad is what cannot be read,
 * contradicts the caps (@info, NULL when they are of no picture) or points
 * outside of @buffer's memories. */
GstXmemLayoutState gst_xmem_metas_read_layout (gconstpointer data, gsize size,
    const GstVideoInfo *info, GstBuffer *buffer, GstXmemVideoLayout *layout);

/* What metas are added to, and must fit. */
typedef struct {
  GstBuffer *buffer; /* writable, with its memories */
  const GstVideoInfo *video; /* of the caps, NULL without */
  const GstAudioInfo *audio; /* of the caps, NULL without */
} GstXmemMetaTarget;

/* Adds all other metas that a peer's bytes tell of. Those that cannot be read
 * or make no sense are counted by name. */
void gst_xmem_metas_read (gconstpointer data, gsize size,
    const GstXmemMetaTarget *target, GstXmemTally *dropped);

G_END_DECLS

#endif
