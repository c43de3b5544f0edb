/* SPDX-License-Identifier: MIT */
/* A segmentation of a picture (GstAnalyticsSegmentationMtd, GStreamer 1.26) as
 * bytes, and back: type u32, place x, y i32, w, h u32, the mask's format
 * (8: GRAY8, 16: GRAY16_LE), width, height u32, n u32 and n ids of regions u32,
 * and the mask's rows, without gaps, padded to 4 in all. */
#ifndef GST_XMEM_SEGMENTATION_H
#define GST_XMEM_SEGMENTATION_H

#include <gst/analytics/analytics.h>
#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>

G_BEGIN_DECLS

/* FALSE when it cannot travel: a mask in another format, or for which a frame's
 * metas have no room. */
gboolean gst_xmem_segmentation_write (
    GstByteWriter *w, const GstAnalyticsMtd *mtd);

/* FALSE, and nothing added, for bytes that tell of none. */
gboolean gst_xmem_segmentation_read (
    GstByteReader *r, GstAnalyticsRelationMeta *meta);

G_END_DECLS

#endif
