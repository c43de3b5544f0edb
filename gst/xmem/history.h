/* SPDX-License-Identifier: MIT */
/* What a buffer tells of its way here: its times at its first producer, and how
 * many frames were lost right before it. See docs/elements.md. */
#ifndef GST_XMEM_HISTORY_H
#define GST_XMEM_HISTORY_H

#include <gst/gst.h>

#include <xmem/frame.h>

G_BEGIN_DECLS

/* References of GstReferenceTimestampMeta: the pts as it was, and
 * CLOCK_MONOTONIC at the capture. */
#define GST_XMEM_REFERENCE_PTS "timestamp/x-xmem-pts"
#define GST_XMEM_REFERENCE_CAPTURE "timestamp/x-xmem-capture"

/* A custom meta, with a field "lost" (guint64). */
#define GST_XMEM_LOST "XmemLost"

/* Registers the custom meta. Once per process, before any other call. */
void gst_xmem_history_init (void);

/* Sets raw_pts and capture_ns of @info where @buffer has come through xmem
 * before and tells what they were. */
void gst_xmem_history_read_times (
    GstBuffer *buffer, struct xmem_frame_info *info);

/* Adds what @info has of them to @buffer, unless it tells that already. */
void gst_xmem_history_add_times (
    GstBuffer *buffer, const struct xmem_frame_info *info);

/* @n_lost more frames are missing before @buffer. */
void gst_xmem_history_add_lost (GstBuffer *buffer, guint64 n_lost);

G_END_DECLS

#endif
